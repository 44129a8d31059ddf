//! Instance refreshes, minute by minute, as AWS's own examples tell them.

use lastgood_core::facts::TemplateRef;
use lastgood_core::id::{InstanceId, RefreshId, TemplateId};
use lastgood_core::seconds_between;

use super::{code, version_of, world};
use crate::*;

/// A group whose members are warm ten minutes after they were launched, and a second version of its template with
/// another image.
struct Scene {
    world: World,
    template: TemplateId,
    old: lastgood_core::id::ImageId,
    new: lastgood_core::id::ImageId,
    first: Vec<InstanceId>,
}

fn scene(size: usize) -> Scene {
    let world = world();
    world.change_settings(|settings| settings.instance_pending_seconds = 0);
    let (old, new) = (world.base_image(), world.base_image());
    let template = world.template("web", &old);
    world.group("web", &by_number(&template, 1), size);
    version_of(&world, &template, &new);
    world.take_events();
    let first = members(&world);
    Scene { world, template, old, new, first }
}

fn members(world: &World) -> Vec<InstanceId> {
    let members = world.group_view("web").expect("there").members;
    members.into_iter().filter(Member::counts).map(|member| member.instance).collect()
}

fn preferences(asked: &[(&str, &str)]) -> Verbatim {
    let named = asked.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let warmup = ("InstanceWarmup".to_owned(), "600".to_owned());
    std::iter::once(warmup).chain(named).collect()
}

fn checkpoints(percentages: &[u32], rest: &[(&str, &str)]) -> Verbatim {
    let mut preferences = preferences(rest);
    for (at, percentage) in percentages.iter().enumerate() {
        preferences.insert(format!("CheckpointPercentages.member.{}", at + 1), percentage.to_string());
    }
    preferences
}

impl Scene {
    fn start(&self, preferences: Verbatim) -> Result<RefreshId, AwsError> {
        let desired = Some(LaunchFromText::from(&by_number(&self.template, 2)));
        self.world.autoscaling().start_refresh(&StartRefresh { group: "web".into(), desired, preferences })
    }

    fn refresh(&self) -> Refresh {
        self.world.refreshes("web").pop().expect("begun")
    }

    /// How many of the members serve the new image.
    fn renewed(&self) -> usize {
        let members = self.world.group_view("web").expect("there").members;
        members.iter().filter(|member| member.counts() && member.image == self.new).count()
    }

    /// What the refresh told until `minutes` after its beginning, minute by minute: percentage shown, members replaced,
    /// and the events of that minute.
    fn minutes(&self, minutes: i64) -> Vec<String> {
        let begun = self.refresh().started_at;
        let mut told: Vec<String> = Vec::new();
        let mut before = String::new();
        loop {
            self.world.advance(0);
            let minute = seconds_between(begun, self.world.time()) / 60;
            let refresh = self.refresh();
            let now = format!("{} %, {} of {}", refresh.percentage, self.renewed(), members(&self.world).len());
            let events = events(&self.world);
            if now != before || !events.is_empty() {
                told.push(format!("0:{minute:02} {now} {}", events.join(", ")).trim_end().to_owned());
            }
            before = now;
            if minute >= minutes {
                return told;
            }
            self.world.advance(60);
        }
    }

    fn named(&self) -> TemplateRef {
        match self.world.group_view("web").expect("there").from {
            LaunchFrom::Template(named) => named,
            other => panic!("{other:?}"),
        }
    }
}

/// The ends of the refreshes' detail-types, with the checkpoint's percentage.
fn events(world: &World) -> Vec<String> {
    let told = world.take_events().into_iter().filter_map(|event| {
        let kind = event["detail-type"].as_str()?.strip_prefix("EC2 Auto Scaling Instance Refresh ")?.to_owned();
        Some(match event["detail"]["CheckpointPercentage"].as_str() {
            Some(percentage) => format!("{kind} {percentage}"),
            None => kind,
        })
    });
    told.collect()
}

#[test]
fn ten_instances_with_checkpoints_at_20_and_50_take_forty_five_minutes() {
    let scene = scene(10);
    scene.start(checkpoints(&[20, 50], &[("CheckpointDelay", "900"), ("MinHealthyPercentage", "80")])).expect("begun");
    assert_eq!(
        scene.minutes(60),
        [
            "0:00 0 %, 2 of 10 Started",
            "0:10 20 %, 2 of 10 Checkpoint Reached 20",
            "0:25 20 %, 4 of 10",
            "0:35 40 %, 5 of 10",
            "0:45 50 %, 5 of 10 Succeeded",
        ]
    );
    assert_eq!(scene.named(), by_number(&scene.template, 2), "it succeeded, though half of them are old");
    let left = members(&scene.world);
    assert_eq!(scene.first.iter().filter(|instance| left.contains(instance)).count(), 5);
}

#[test]
fn of_two_instances_the_checkpoint_at_10_is_skipped() {
    let scene = scene(2);
    scene.start(checkpoints(&[10, 40, 100], &[("CheckpointDelay", "300")])).expect("begun");
    assert_eq!(
        scene.minutes(40),
        [
            "0:00 0 %, 1 of 2 Started",
            "0:10 50 %, 1 of 2 Checkpoint Reached 40",
            "0:15 50 %, 2 of 2",
            "0:25 100 %, 2 of 2 Succeeded",
        ]
    );
}

#[test]
fn a_scale_out_brings_a_checkpoint_back_and_it_waits_again() {
    let scene = scene(4);
    let wants = [("CheckpointDelay", "900"), ("MinHealthyPercentage", "50")];
    scene.start(checkpoints(&[50, 100], &wants)).expect("begun");
    assert_eq!(scene.minutes(12), ["0:00 0 %, 2 of 4 Started", "0:10 50 %, 2 of 4 Checkpoint Reached 50"]);
    scene.world.autoscaling().set_desired_capacity("web", 6).expect("set");
    let told = scene.minutes(80);
    assert_eq!(
        told,
        [
            "0:12 50 %, 2 of 4",
            "0:13 50 %, 4 of 6",
            "0:25 33 %, 5 of 6",
            "0:35 50 %, 5 of 6 Checkpoint Reached 50",
            "0:50 50 %, 6 of 6",
            "1:00 100 %, 6 of 6 Succeeded",
        ]
        .map(|line| line.replace("1:00", "0:60"))
    );
}

#[test]
fn a_partial_refresh_ends_as_such_and_a_checkpoint_at_100_is_never_told() {
    let part = scene(4);
    part.start(checkpoints(&[50], &[("MinHealthyPercentage", "50")])).expect("begun");
    assert_eq!(part.minutes(30), ["0:00 0 %, 2 of 4 Started", "0:10 50 %, 2 of 4 Succeeded"]);
    let whole = scene(4);
    whole.start(checkpoints(&[100], &[("MinHealthyPercentage", "0"), ("BakeTime", "300")])).expect("begun");
    assert_eq!(
        whole.minutes(30),
        ["0:00 0 %, 4 of 4 Started", "0:10 100 %, 4 of 4 Started Baking", "0:15 100 %, 4 of 4 Succeeded"]
    );
}

#[test]
fn at_a_hundred_percent_healthy_each_is_launched_before_one_goes() {
    let scene = scene(2);
    scene.start(preferences(&[("MinHealthyPercentage", "100"), ("MaxHealthyPercentage", "100")])).expect("begun");
    let told = scene.minutes(40);
    assert_eq!(told, ["0:00 0 %, 1 of 3 Started", "0:10 50 %, 2 of 3", "0:20 100 %, 2 of 2 Succeeded",]);
}

#[test]
fn what_matches_already_is_skipped_and_then_nothing_is_told_of_checkpoints() {
    let scene = scene(2);
    scene.world.advance(60);
    let same = Some(LaunchFromText::from(&by_number(&scene.template, 1)));
    let preferences = checkpoints(&[50, 100], &[("SkipMatching", "true")]);
    let start = StartRefresh { group: "web".into(), desired: same, preferences };
    scene.world.autoscaling().start_refresh(&start).expect("begun");
    assert_eq!(scene.minutes(5), ["0:00 100 %, 0 of 2 Started, Succeeded"]);
    assert_eq!(members(&scene.world), scene.first);
}

#[test]
fn a_rollback_replaces_again_what_was_replaced_with_what_the_group_says() {
    let scene = scene(4);
    let wants = [("CheckpointDelay", "900"), ("MinHealthyPercentage", "50")];
    let id = scene.start(checkpoints(&[50, 100], &wants)).expect("begun");
    scene.minutes(12);
    assert_eq!(scene.world.autoscaling().rollback_refresh("web").expect("back"), id);
    assert_eq!(code(scene.world.autoscaling().rollback_refresh("web")), "ActiveInstanceRefreshNotFound");
    assert_eq!(scene.minutes(40), ["0:12 50 %, 0 of 4 Rollback Started", "0:22 0 %, 0 of 4 Rollback Succeeded"]);
    assert_eq!(
        (scene.refresh().status, scene.named()),
        (RefreshStatus::RollbackSuccessful, by_number(&scene.template, 1))
    );
    assert_eq!(scene.world.group_image("web"), Some(scene.old.clone()));
}

#[test]
fn what_has_no_number_to_go_back_to_is_irreversible() {
    let world = world();
    let (old, new) = (world.base_image(), world.base_image());
    let template = world.template("web", &old);
    let latest = TemplateRef { template: template.clone(), version: lastgood_core::facts::VersionRef::Latest };
    world.group("web", &latest, 2);
    version_of(&world, &template, &new);
    let desired = Some(LaunchFromText::from(&by_number(&template, 2)));
    let start = StartRefresh { group: "web".into(), desired, preferences: preferences(&[("AutoRollback", "true")]) };
    assert_eq!(code(world.autoscaling().start_refresh(&start)), "ValidationError");
    world.autoscaling().start_refresh(&StartRefresh { preferences: preferences(&[]), ..start }).expect("begun");
    assert_eq!(code(world.autoscaling().rollback_refresh("web")), "IrreversibleInstanceRefresh");
}

#[test]
fn who_gets_no_further_for_an_hour_fails_or_turns_back() {
    for (auto_rollback, ends) in [("false", RefreshStatus::Failed), ("true", RefreshStatus::RollbackSuccessful)] {
        let scene = scene(2);
        scene.world.make_sick(&scene.new, Sickness::Unhealthy);
        scene.start(preferences(&[("AutoRollback", auto_rollback)])).expect("begun");
        scene.world.advance(3 * 60 * 60);
        assert_eq!(scene.refresh().status, ends);
        assert_eq!(scene.named(), by_number(&scene.template, 1), "it never became the group's");
        let kept = scene.first.iter().filter(|instance| members(&scene.world).contains(instance)).count();
        assert_eq!(kept, 1, "one was replaced, and the other stayed");
        assert!(scene.refresh().reason.is_some_and(|reason| reason.contains("an hour")));
    }
}

#[test]
fn protected_members_and_those_in_standby_are_waited_for_or_left_alone() {
    let protect = |scene: &Scene| {
        let one = std::slice::from_ref(&scene.first[0]);
        scene.world.autoscaling().set_protection("web", one, ScaleIn::Forbidden).expect("set");
        let other = std::slice::from_ref(&scene.first[1]);
        scene.world.autoscaling().enter_standby("web", other, Capacity::Keep).expect("there");
        scene.world.advance(60);
        scene.world.take_events();
    };
    let ignored = scene(2);
    protect(&ignored);
    let wants = [("ScaleInProtectedInstances", "Ignore"), ("StandbyInstances", "Ignore")];
    ignored.start(preferences(&wants)).expect("begun");
    ignored.world.advance(60 * 60);
    assert_eq!(ignored.refresh().status, RefreshStatus::Successful);
    assert!(members(&ignored.world).contains(&ignored.first[0]));
    let waited = scene(2);
    protect(&waited);
    waited.start(preferences(&[])).expect("begun");
    waited.world.advance(30 * 60);
    assert_eq!(waited.refresh().status, RefreshStatus::InProgress);
    waited.world.advance(60 * 60);
    assert_eq!(waited.refresh().status, RefreshStatus::Failed, "the API's default waits, for an hour");
}

#[test]
fn a_cancelled_refresh_leaves_what_it_has_replaced() {
    let scene = scene(4);
    let id = scene.start(checkpoints(&[50, 100], &[("MinHealthyPercentage", "50")])).expect("begun");
    scene.minutes(12);
    assert_eq!(scene.world.autoscaling().cancel_refresh("web", true).expect("cancelled"), id);
    scene.world.advance(120);
    assert_eq!((scene.refresh().status, scene.renewed()), (RefreshStatus::Cancelled, 2));
    assert_eq!(scene.named(), by_number(&scene.template, 1));
    assert_eq!(events(&scene.world), ["Cancelled"]);
}

#[test]
fn a_suspended_refresh_pauses_and_goes_on_when_it_is_resumed() {
    let scene = scene(4);
    let wants = [("CheckpointDelay", "900"), ("MinHealthyPercentage", "50")];
    scene.start(checkpoints(&[50, 100], &wants)).expect("begun");
    scene.minutes(12);
    let process = ["InstanceRefresh".to_owned()];
    scene.world.autoscaling().suspend_processes("web", &process).expect("suspended");
    scene.world.advance(2 * 60 * 60);
    assert_eq!((scene.refresh().status, scene.renewed()), (RefreshStatus::InProgress, 2));
    scene.world.autoscaling().resume_processes("web", &process).expect("resumed");
    scene.world.advance(30 * 60);
    assert_eq!((scene.refresh().status, scene.renewed()), (RefreshStatus::Successful, 4));
    let unknown = ["Refresh".to_owned()];
    assert_eq!(code(scene.world.autoscaling().suspend_processes("web", &unknown)), "ValidationError");
}

#[test]
fn an_alarm_keeps_a_refresh_from_starting_and_makes_one_fail() {
    let scene = scene(2);
    let wants = preferences(&[("AlarmSpecification.Alarms.member.1", "errors"), ("AutoRollback", "true")]);
    assert_eq!(code(scene.start(wants.clone())), "ValidationError", "nobody knows how the alarm is");
    scene.world.set_alarm("errors", false);
    scene.start(wants).expect("begun");
    scene.world.advance(120);
    scene.world.set_alarm("errors", true);
    scene.world.advance(30 * 60);
    assert_eq!(scene.refresh().status, RefreshStatus::RollbackSuccessful);
    assert_eq!(scene.renewed(), 0);
}

#[test]
fn preferences_that_aws_does_not_take_are_refused() {
    let scene = scene(2);
    for wrong in [
        checkpoints(&[50, 20], &[]),
        checkpoints(&[0, 20], &[]),
        checkpoints(&[20, 101], &[]),
        preferences(&[("CheckpointDelay", "60")]),
        checkpoints(&[20], &[("CheckpointDelay", "172801")]),
        preferences(&[("MaxHealthyPercentage", "110")]),
        preferences(&[("MinHealthyPercentage", "101")]),
        preferences(&[("MinHealthyPercentage", "20"), ("MaxHealthyPercentage", "130")]),
        preferences(&[("BakeTime", "172801")]),
        preferences(&[("StandbyInstances", "Refresh")]),
    ] {
        assert_eq!(code(scene.start(wrong.clone())), "ValidationError", "{wrong:?}");
    }
    assert!(scene.world.refreshes("web").is_empty());
}

#[test]
fn status_checks_tell_what_the_group_does_not_notice() {
    let scene = scene(1);
    scene.world.make_sick(&scene.old, Sickness::Impaired);
    let check = || {
        let asks = DescribeStatuses { ids: vec![scene.first[0].to_string()], ..DescribeStatuses::default() };
        scene.world.ec2().describe_statuses(&asks).expect("told").items.pop().map(|status| status.check)
    };
    scene.world.advance(600);
    assert_eq!(check(), Some(StatusCheck::Impaired));
    assert_eq!(members(&scene.world), scene.first);
    scene.world.kill(&scene.first[0]);
    assert_eq!(check(), None, "only running ones are told");
}
