//! Interruptions: ticks and events that never come, calls that are heard hours later, functions that die half way.

use expect_test::expect;
use lastgood_core::backup::{Artifact, State};
use lastgood_core::facts::Tags;
use lastgood_core::name::{TAG_BACKUP, TAG_MANAGED_BY, TAG_PLAN, TAG_SOURCE, image_name};
use lastgood_tests::cut::{At, Knife};
use lastgood_tests::stack::{Invocation, STACK, Stack};
use lastgood_world::CreateImage;

use crate::transcript::{DAILY, HOURLY, held, is_there, newest, states, told, web};

#[test]
fn a_night_without_ticks_becomes_one_backup_and_a_warning() {
    let (stack, _) = web(HOURLY);
    stack.world.advance(9 * 3600);
    stack.run(15);
    let slots: Vec<String> = stack.backups("group/web").iter().map(|backup| backup.id.slot.to_string()).collect();
    assert_eq!((slots.as_slice(), states(&stack)), (["2026-01-15T19:00:00Z".to_owned()].as_slice(), vec![State::Good]));
    let kinds: Vec<_> = stack.told().iter().map(|notice| notice.news.detail_type()).collect();
    assert_eq!(kinds, ["Backup Overdue", "Backup Good", "Image Published"]);
}

#[test]
fn no_tick_runs_all_day_and_the_poll_says_so() {
    let (stack, _) = web(HOURLY);
    for _ in 0..24 * 60 {
        stack.world.advance(60);
        stack.invoke(Invocation::Poll);
    }
    assert!(stack.backups("group/web").is_empty());
    stack.run(15);
    told(
        &stack,
        &expect![[r#"
        Jan 15 13:01 Backup Overdue: group/web: no good backup yet; one was due by 2026-01-15T13:00:00Z
        Jan 16 10:33 Backup Good: group/web: backup of 2026-01-16T10:00:00Z is good (ami-1, 2 snapshots)
        Jan 16 10:33 Image Published: group/web: launches from ami-1 now (version 2 of lt-2)
    "#]],
    );
    // Once ticks run again, what was missed is one backup.
    let slots: Vec<_> = stack.backups("group/web").iter().map(|backup| backup.id.slot.to_string()).collect();
    assert_eq!(slots, ["2026-01-16T10:00:00Z"]);
    assert_eq!(states(&stack), [State::Good]);
}

/// Five hours and a half, in which what the rules deliver is what `news` makes of it.
fn run_with(stack: &Stack, mut news: impl FnMut(Vec<Invocation>) -> Vec<Invocation>) {
    for _ in 0..330 {
        stack.world.advance(60);
        for invocation in news(stack.deliveries()) {
            stack.invoke(invocation);
        }
        stack.invoke(Invocation::Tick);
        stack.invoke(Invocation::Poll);
        if stack.world.time().as_second() % 3600 == 0 {
            stack.invoke(Invocation::Cleanup);
        }
    }
}

#[test]
fn every_event_is_lost_or_comes_late_and_again_and_the_end_is_the_same() {
    let (usual, _) = web(HOURLY);
    usual.run(330);
    let (lost, _) = web(HOURLY);
    run_with(&lost, |_| Vec::new());
    // Each comes a minute late, and again in every minute after that, the youngest first.
    let (again, _) = web(HOURLY);
    let mut heard: Vec<Invocation> = Vec::new();
    run_with(&again, |news| {
        let late = heard.iter().rev().cloned().collect();
        heard.extend(news);
        late
    });
    assert!(heard.len() > 10, "{heard:?}");
    told(
        &lost,
        &expect![[r#"
        11:02 Backup Good: group/web: backup of 2026-01-15T11:00:00Z is good (ami-1, 2 snapshots)
        11:02 Image Published: group/web: launches from ami-1 now (version 2 of lt-2)
        12:02 Backup Good: group/web: backup of 2026-01-15T12:00:00Z is good (ami-3, 2 snapshots)
        12:02 Image Published: group/web: launches from ami-3 now (version 3 of lt-2)
        13:02 Backup Good: group/web: backup of 2026-01-15T13:00:00Z is good (ami-4, 2 snapshots)
        13:02 Image Published: group/web: launches from ami-4 now (version 4 of lt-2)
        14:02 Backup Good: group/web: backup of 2026-01-15T14:00:00Z is good (ami-5, 2 snapshots)
        14:02 Image Published: group/web: launches from ami-5 now (version 5 of lt-2)
        15:00 Backups Deleted: group/web: deleted backup of 2026-01-15T11:00:00Z (ami-1, 2 snapshots): older than the last 3 good ones
        15:02 Backup Good: group/web: backup of 2026-01-15T15:00:00Z is good (ami-6, 2 snapshots)
        15:02 Image Published: group/web: launches from ami-6 now (version 6 of lt-2)
        16:00 Backups Deleted: group/web: deleted backup of 2026-01-15T12:00:00Z (ami-3, 2 snapshots): older than the last 3 good ones
    "#]],
    );
    let notices = |stack: &Stack| {
        let mut ids: Vec<String> = stack.told().into_iter().map(|notice| notice.id).collect();
        ids.sort_unstable();
        ids
    };
    for stack in [&lost, &again] {
        assert_eq!(states(stack), states(&usual));
        assert_eq!(held(stack), held(&usual));
        assert_eq!(notices(stack), notices(&usual));
        let good = stack.source("group/web").last_good.expect("good");
        assert_eq!(stack.world.group_image("web"), good.image().cloned());
    }
}

/// A deployment whose tick of 11:00 died at its CreateImage: before AWS heard it, or after that.
fn dies_at_create_image(plan: &str, at: fn(usize) -> At) -> Stack {
    let dies = |at: At| {
        let (stack, _) = web(plan);
        stack.world.advance(30 * 60);
        let knife = Knife::new(Some(at));
        let ended = stack.invoke_behind(&knife, Invocation::Tick);
        assert!(ended.is_none(), "it dies");
        stack
    };
    let heard = |call: &usize| dies(At::After(*call)).world.calls().contains_key("ec2:CreateImage");
    let call = (0..100).find(heard).expect("the tick makes an image");
    dies(at(call))
}

#[test]
fn the_function_dies_before_it_has_written_down_its_image() {
    let stack = dies_at_create_image(HOURLY, At::After);
    assert_eq!(states(&stack), [State::Creating]);
    assert_eq!(stack.backups("group/web")[0].image(), None);
    assert_eq!(held(&stack), (1, 2), "AWS makes it all the same");
    stack.run(30);
    told(
        &stack,
        &expect![[r#"
        11:02 Backup Good: group/web: backup of 2026-01-15T11:00:00Z is good (ami-1, 2 snapshots)
        11:02 Image Published: group/web: launches from ami-1 now (version 2 of lt-2)
    "#]],
    );
    assert_eq!(states(&stack), [State::Good]);
    assert_eq!(held(&stack), (1, 2), "it is found by its name, and no second one is made");
    assert_eq!(stack.world.calls()["ec2:CreateImage"], 2);
    assert_eq!(stack.world.group_image("web"), Some(newest(&stack)));
}

#[test]
fn aws_makes_an_image_hours_after_its_backup_was_given_up() {
    let stack = dies_at_create_image(DAILY, At::Before);
    assert_eq!(stack.world.calls().get("ec2:CreateImage"), None, "the call is on its way");
    // Whoever takes the backup up may not make images any more, and gives it up.
    stack.world.deny("ec2:CreateImage", "*");
    stack.run(30);
    stack.world.allow("ec2:CreateImage");
    stack.run(50);
    let given_up = stack.backups("group/web").remove(0);
    assert_eq!((given_up.state, given_up.artifact), (State::Failed, Artifact::Gone), "nothing is left to be cleaned");
    let tags: Tags = [
        (TAG_MANAGED_BY, STACK.to_owned()),
        (TAG_SOURCE, given_up.id.source.to_string()),
        (TAG_BACKUP, given_up.id.to_string()),
        (TAG_PLAN, given_up.plan.clone()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    // Lastgood's own call, at last.
    stack.world.act_as(Some(0));
    let heard = stack.world.ec2().create_image(CreateImage {
        instance: given_up.instance.as_ref().expect("it was chosen").to_string(),
        name: image_name(&given_up.id),
        description: String::new(),
        no_reboot: true,
        omitted_devices: Vec::new(),
        tags: ["image", "snapshot"].map(|kind| (kind.to_owned(), tags.clone())).into(),
    });
    stack.world.act_as(None);
    let late = heard.expect("the instance is there");
    // The first sweep was at 12:00, twenty minutes before that; the second one is six hours later.
    stack.run(5 * 60 + 35);
    assert!(is_there(&stack, &late));
    stack.run(10);
    assert!(!is_there(&stack, &late));
    assert_eq!(held(&stack), (0, 0), "it goes with its snapshots");
    let record = stack.backups("group/web").remove(0);
    assert_eq!((record.state, record.artifact, record.image()), (State::Failed, Artifact::Gone, Some(&late)));
    stack.run(17 * 60);
    told(
        &stack,
        &expect![[r#"
        Jan 15 11:01 Backup Failed: group/web: backup of 2026-01-15T11:00:00Z failed: ec2:CreateImage is not permitted: UnauthorizedOperation: You are not authorized to perform this operation. User: arn:aws:sts::123456789012:assumed-role/lastgood/world is not authorized to perform: ec2:CreateImage on resource: arn:aws:ec2:us-east-1:123456789012:instance/i-1 because no identity-based policy allows the ec2:CreateImage action
        Jan 15 13:01 Backup Overdue: group/web: no good backup yet; one was due by 2026-01-15T13:00:00Z
        Jan 15 18:00 Backups Deleted: group/web: deleted backup of 2026-01-15T11:00:00Z (ami-2, 2 snapshots): it failed: ec2:CreateImage is not permitted: UnauthorizedOperation: You are not authorized to perform this operation. User: arn:aws:sts::123456789012:assumed-role/lastgood/world is not authorized to perform: ec2:CreateImage on resource: arn:aws:ec2:us-east-1:123456789012:instance/i-1 because no identity-based policy allows the ec2:CreateImage action
        Jan 16 11:02 Backup Good: group/web: backup of 2026-01-16T11:00:00Z is good (ami-3, 2 snapshots)
        Jan 16 11:02 Image Published: group/web: launches from ami-3 now (version 2 of lt-4)
    "#]],
    );
    assert_eq!(states(&stack), [State::Good, State::Failed]);
    assert_eq!(held(&stack), (1, 2));
}
