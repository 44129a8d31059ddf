//! Disasters: what AWS and other people do to groups and their images, and what Lastgood makes of it.
//!
//! Here is also the table of all stories: which one tells each promise, and which one each thing that AWS does. What goes and
//! what stays when backups are let go is in `deletions.rs`; what never comes, comes late or dies half way in
//! `interruptions.rs`.
//!
//! | Promise | Story |
//! |---|---|
//! | Good means proven | `disasters::an_image_is_available_but_one_of_its_snapshots_is_broken` |
//! | | `stories::an_image_whose_snapshots_are_not_complete_is_not_published` |
//! | Never worse | `deletions::a_deleted_group_leaves_nothing_once_nobody_else_uses_its_image` |
//! | | `deletions::a_row_of_the_table_is_lost_and_its_image_is_told_once_and_never_deleted` |
//! | | `by_hand::images_that_were_deregistered_by_hand_keep_no_real_one_from_counting` |
//! | | `needed::blue_is_deleted_and_green_launches_from_its_image` |
//! | Silence is a failure | `interruptions::no_tick_runs_all_day_and_the_poll_says_so` |
//! | | `interruptions::a_night_without_ticks_becomes_one_backup_and_a_warning` |
//! | Events are hints | `interruptions::every_event_is_lost_or_comes_late_and_again_and_the_end_is_the_same` |
//! | Killed anywhere, nothing lost | `interruptions::the_function_dies_before_it_has_written_down_its_image` |
//! | | `kill::every_invocation_cut_at_every_call_ends_in_the_same_state` |
//! | | `capture::a_function_that_dies_anywhere_leaves_no_member_protected` |
//! | | `ways::each_is_published_to_once_though_the_function_dies_anywhere_in_the_middle` |
//! | The operator wins | `stories::what_an_operator_changed_by_hand_is_held_and_told` |
//! | | `ways::each_is_held_after_a_change_by_hand_until_it_is_released` |
//! | A reason for every removal | `stories::five_hours_leave_three_images_and_a_group_on_the_newest` |
//! | and every refusal | `deletions::an_image_that_somebody_protected_stays_until_it_may_go` |
//! | | `capture::nothing_is_deleted_while_the_newest_backup_failed_and_that_is_told_once` |
//!
//! | What AWS does | Story |
//! |---|---|
//! | An instance goes while its image is pending | `stories::an_instance_that_dies_under_its_image_leaves_nothing_behind` |
//! | | `capture::a_second_loss_is_not_tried_a_third_time` |
//! | CreateImage of what is gone | `disasters::the_instance_is_gone_before_its_create_image_is_heard` |
//! | CreateImage of what is stopped | `disasters::somebody_stops_the_newest_member_just_before_its_slot` |
//! | A member that is stopped is replaced at once | `disasters::somebody_stops_the_newest_member_just_before_its_slot` |
//! | A member that is found unhealthy | `stories::a_group_without_a_healthy_member_fails_with_that_reason` |
//! | A member in standby is billed and idle | `capture::a_member_in_standby_is_not_imaged` |
//! | CreateImage twice with one name | `stories::a_lost_answer_to_create_image_makes_one_image` |
//! | | `stories::an_image_of_the_same_name_that_is_not_ours_is_left_alone` |
//! | CreateImage that reboots | `stories::the_newest_healthy_instance_is_imaged_without_a_reboot_and_with_tags` |
//! | CreateImage that is heard hours later | `interruptions::aws_makes_an_image_hours_after_its_backup_was_given_up` |
//! | Deregistered under instances that run | `deletions::instances_run_on_though_their_image_and_its_snapshots_are_deleted` |
//! | | `deletions::an_image_stays_as_long_as_instances_of_it_run_where_the_plan_says_so` |
//! | Deregistered though a template names it | `disasters::the_group_shrinks_because_its_image_was_deregistered_by_hand_and_grows_again` |
//! | | `by_hand::an_image_that_was_deregistered_before_it_was_published_is_not_published` |
//! | A call that publishes is heard late | `deletions::an_image_that_a_dead_function_may_have_published_stays_for_twenty_minutes` |
//! | Deregistered though it is the last one | `deletions::the_only_backup_was_deregistered_by_hand_and_that_is_told` |
//! | A template names a pending image | `disasters::a_member_is_lost_while_the_next_image_is_pending` |
//! | | `disasters::an_operator_is_too_impatient_for_an_image_that_is_pending` |
//! | A template names a disabled image | `disasters::somebody_disables_the_image_that_the_group_launches_from` |
//! | A launch configuration names an image | `deletions::an_image_stays_as_long_as_a_launch_configuration_names_it` |
//! | DeleteSnapshot under an image | `deletions::somebody_tries_to_delete_a_snapshot_under_a_good_image` |
//! | | `deletions::a_colleague_took_over_the_snapshots_of_an_image_that_is_gone` |
//! | Snapshots under two images | `deletions::the_snapshots_stay_under_a_colleagues_second_image` |
//! | | `stories::a_snapshot_that_a_strangers_image_shares_stays` |
//! | Volumes of a snapshot that is deleted | `deletions::instances_run_on_though_their_image_and_its_snapshots_are_deleted` |
//! | Deregistration protection | `deletions::an_image_that_somebody_protected_stays_until_it_may_go` |
//! | A refresh locks the group | `stories::a_group_locked_by_a_refresh_is_published_to_when_it_is_free` |
//! | A refresh replaces members meanwhile | `capture::no_image_is_made_during_a_refresh_unless_the_plan_says_so` |
//! | A refresh is cancelled or rolled back | `needed::what_an_instance_refresh_goes_to_is_not_deleted` |
//!
//! Not told, for the simulated world has none of them: deprecated images, images encrypted with a customer's key, status
//! checks that fail while the instance runs.

use std::collections::BTreeSet;
use std::fs;

use expect_test::expect;
use lastgood_core::backup::{Backup, Origin, Publication, PublishedTo, State};
use lastgood_core::id::TemplateId;
use lastgood_tests::stack::Stack;
use lastgood_world::{AwsError, ImageState, InstanceState, LaunchFromText, UpdateGroup, by_number};

use crate::transcript::{HOURLY, held, is_there, members, newest, states, told, web};

#[test]
fn every_story_of_the_table_is_there_and_every_disaster_is_in_the_table() {
    let read = |file: &str| {
        let path = format!("{}/suite/{file}.rs", env!("CARGO_MANIFEST_DIR"));
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let text = read("disasters");
    let rows = text.lines().filter(|line| line.starts_with("//! |"));
    let named: BTreeSet<(&str, &str)> =
        rows.flat_map(|row| row.split('`')).filter_map(|word| word.split_once("::")).collect();
    assert!(named.len() > 40, "only {} stories", named.len());
    for (file, story) in &named {
        assert!(read(file).contains(&format!("\nfn {story}(")), "the table names {file}::{story}, which is not there");
    }
    for file in ["disasters", "deletions", "interruptions"] {
        let text = read(file);
        for story in text.split("\n#[test]\nfn ").skip(1).filter_map(|rest| rest.split('(').next()) {
            let is_told = named.contains(&(file, story)) || story.starts_with("every_story_of_the_table");
            assert!(is_told, "{file}::{story} is not in the table");
        }
    }
}

#[test]
fn an_image_is_available_but_one_of_its_snapshots_is_broken() {
    let (stack, _) = web(HOURLY);
    let before = stack.world.group_image("web");
    stack.world.fail_next_snapshot("the volume could not be read");
    stack.run(60);
    let broken = newest(&stack);
    assert_eq!(stack.world.image(&broken).expect("it was made").state, ImageState::Available);
    assert_eq!(stack.world.group_image("web"), before, "AWS calls it available, and it is not published");
    assert!(stack.source("group/web").last_good.is_none(), "nor counted");
    stack.run(2 * 60);
    told(
        &stack,
        &expect![[r#"
        11:02 Backup Failed: group/web: backup of 2026-01-15T11:00:00Z failed: snap-1 can't be completed: the volume could not be read
        12:00 Backups Deleted: group/web: deleted backup of 2026-01-15T11:00:00Z (ami-2, 2 snapshots): it failed: snap-1 can't be completed: the volume could not be read
        12:02 Backup Good: group/web: backup of 2026-01-15T12:00:00Z is good (ami-3, 2 snapshots)
        12:02 Image Published: group/web: launches from ami-3 now (version 2 of lt-4)
        13:02 Backup Good: group/web: backup of 2026-01-15T13:00:00Z is good (ami-5, 2 snapshots)
        13:02 Image Published: group/web: launches from ami-5 now (version 3 of lt-4)
    "#]],
    );
    assert_eq!(states(&stack), [State::Good, State::Good, State::Failed]);
    assert!(!is_there(&stack, &broken), "what is left of it is cleaned");
    assert_eq!(held(&stack), (2, 4));
    assert_eq!(stack.world.group_image("web"), Some(newest(&stack)));
}

#[test]
fn the_instance_is_gone_before_its_create_image_is_heard() {
    let (stack, _) = web(HOURLY);
    let error = AwsError::with_status(500, "InternalError", "An internal error has occurred");
    stack.world.fail_next("ec2:CreateImage", 1, &error);
    stack.run(30);
    assert_eq!(states(&stack), [State::Creating]);
    let gone = stack.backups("group/web")[0].instance.clone().expect("chosen");
    stack.world.kill(&gone);
    stack.run(20);
    told(
        &stack,
        &expect![[r#"
        11:03 Backup Failed: group/web: backup of 2026-01-15T11:00:00Z failed: ec2:CreateImage found it in a state that does not suit: InvalidParameterValue: Invalid value 'i-1' for instanceId. Instance is not in state 'running' or 'stopping' or 'stopped' for instance i-1; another member is tried
        11:06 Backup Good: group/web: backup of 2026-01-15T11:03:00Z is good (ami-2, 2 snapshots)
        11:06 Image Published: group/web: launches from ami-2 now (version 2 of lt-3)
    "#]],
    );
    assert_eq!(states(&stack), [State::Good, State::Failed], "another member is imaged, without waiting for a slot");
    let [second, failed] = &stack.backups("group/web")[..] else { panic!("two backups") };
    assert!(failed.instance_lost && failed.image().is_none());
    assert_ne!(second.instance.as_ref(), Some(&gone));
    assert_eq!(second.origin, Origin::Retry { of: failed.id.slot, lost: gone });
    assert_eq!(held(&stack), (1, 2));
    assert_eq!(stack.world.calls()["ec2:CreateImage"], 3, "not heard, refused, heard");
}

#[test]
fn somebody_stops_the_newest_member_just_before_its_slot() {
    let (stack, _) = web(HOURLY);
    stack.run(29);
    stack.world.advance(30);
    let all = stack.world.instances().into_iter();
    let stopped = all.max_by_key(|instance| (instance.launched_at, instance.id.clone())).expect("three").id;
    stack.world.stop(&stopped);
    stack.world.advance(30);
    stack.minute();
    let chosen = stack.backups("group/web")[0].instance.clone().expect("chosen");
    assert_ne!(chosen, stopped, "its group is about to replace it, and its image would be lost with it");
    stack.run(10);
    told(
        &stack,
        &expect![[r#"
        11:02 Backup Good: group/web: backup of 2026-01-15T11:00:00Z is good (ami-1, 2 snapshots)
        11:02 Image Published: group/web: launches from ami-1 now (version 2 of lt-2)
    "#]],
    );
    assert_eq!(states(&stack), [State::Good]);
    let left = stack.world.instances().into_iter().find(|instance| instance.id == stopped).expect("it is told still");
    assert_eq!(left.state, InstanceState::Terminated, "which is why Lastgood stops no member");
    assert_eq!(members(&stack).len(), 3);
    assert!(stack.world.reboots().is_empty());
}

#[test]
fn the_group_shrinks_because_its_image_was_deregistered_by_hand_and_grows_again() {
    let (stack, _) = web(HOURLY);
    stack.run(45);
    stack.world.ec2().deregister_image(newest(&stack).as_str()).expect("AWS checks nothing");
    stack.world.kill(&members(&stack)[0].instance);
    stack.run(30);
    assert_eq!(members(&stack).len(), 2, "the group can't launch");
    stack.run(25);
    let failures = stack.world.launch_failures();
    assert!(!failures.is_empty());
    assert!(failures.iter().all(|failure| failure.message.contains("does not exist")), "{failures:?}");
    stack.run(10);
    told(
        &stack,
        &expect![[r#"
        11:02 Backup Good: group/web: backup of 2026-01-15T11:00:00Z is good (ami-1, 2 snapshots)
        11:02 Image Published: group/web: launches from ami-1 now (version 2 of lt-2)
        12:02 Backup Good: group/web: backup of 2026-01-15T12:00:00Z is good (ami-3, 2 snapshots)
        12:02 Image Published: group/web: launches from ami-3 now (version 3 of lt-2)
    "#]],
    );
    assert_eq!(stack.world.launch_failures().len(), failures.len(), "none since the next image is published");
    assert_eq!(members(&stack).len(), 3);
    assert_eq!(stack.world.group_image("web"), Some(newest(&stack)));
    assert!(is_there(&stack, &newest(&stack)));
}

#[test]
fn somebody_disables_the_image_that_the_group_launches_from() {
    let (stack, _) = web(HOURLY);
    stack.run(45);
    let disabled = newest(&stack);
    stack.world.ec2().disable_image(disabled.as_str()).expect("it is available");
    stack.world.kill(&members(&stack)[0].instance);
    stack.run(30);
    assert_eq!(members(&stack).len(), 2, "the group can't launch");
    stack.run(35);
    told(
        &stack,
        &expect![[r#"
        11:02 Backup Good: group/web: backup of 2026-01-15T11:00:00Z is good (ami-1, 2 snapshots)
        11:02 Image Published: group/web: launches from ami-1 now (version 2 of lt-2)
        12:02 Backup Good: group/web: backup of 2026-01-15T12:00:00Z is good (ami-3, 2 snapshots)
        12:02 Image Published: group/web: launches from ami-3 now (version 3 of lt-2)
    "#]],
    );
    let failures = stack.world.launch_failures();
    assert!(!failures.is_empty());
    assert!(failures.iter().all(|failure| failure.message.contains("is disabled, and cannot be run")), "{failures:?}");
    assert_eq!(members(&stack).len(), 3);
    assert_eq!(stack.world.group_image("web"), Some(newest(&stack)));
    assert_eq!(stack.world.image(&disabled).expect("it stays").state, ImageState::Disabled, "the operator wins");
}

/// At 12:05: the first backup is published, and the image of the second takes twenty minutes.
fn second_is_pending() -> (Stack, TemplateId, Backup) {
    let (stack, template) = web(HOURLY);
    stack.run(60);
    stack.world.change_settings(|settings| settings.image_seconds = 20 * 60);
    stack.run(35);
    let pending = stack.backups("group/web").remove(0);
    assert_eq!(states(&stack), [State::Pending, State::Good]);
    (stack, template, pending)
}

/// A member is lost that is not the one which is being imaged.
fn lose_another(stack: &Stack, pending: &Backup) {
    let mut members = members(stack).into_iter();
    let another = members.find(|member| Some(&member.instance) != pending.instance.as_ref()).expect("three");
    stack.world.kill(&another.instance);
}

#[test]
fn a_member_is_lost_while_the_next_image_is_pending() {
    let (stack, _, pending) = second_is_pending();
    let first = stack.backups("group/web")[1].image().cloned().expect("good");
    lose_another(&stack, &pending);
    stack.run(5);
    assert_eq!(stack.world.group_image("web"), Some(first.clone()), "what is pending can't be launched");
    assert_eq!(members(&stack).iter().filter(|member| member.image == first).count(), 1, "it is replaced");
    stack.run(20);
    told(
        &stack,
        &expect![[r#"
        11:02 Backup Good: group/web: backup of 2026-01-15T11:00:00Z is good (ami-1, 2 snapshots)
        11:02 Image Published: group/web: launches from ami-1 now (version 2 of lt-2)
        12:21 Backup Good: group/web: backup of 2026-01-15T12:00:00Z is good (ami-3, 2 snapshots)
        12:21 Image Published: group/web: launches from ami-3 now (version 3 of lt-2)
    "#]],
    );
    assert_eq!(members(&stack).len(), 3);
    assert_eq!(stack.world.group_image("web"), pending.image().cloned());
    assert!(stack.world.launch_failures().is_empty());
}

#[test]
fn an_operator_is_too_impatient_for_an_image_that_is_pending() {
    let (stack, template, pending) = second_is_pending();
    // AWS checks nothing.
    let theirs = stack.world.version_by_hand(&template, 2, pending.image().expect("it has one"));
    let from = Some(LaunchFromText::from(&by_number(&template, theirs)));
    let update = UpdateGroup { name: "web".into(), from, ..UpdateGroup::default() };
    stack.world.autoscaling().update_group(&update).expect("the version is there");
    lose_another(&stack, &pending);
    stack.run(10);
    assert_eq!(members(&stack).len(), 2);
    let failures = stack.world.launch_failures();
    assert!(!failures.is_empty());
    assert!(failures.iter().all(|failure| failure.message.contains("is pending, and cannot be run")), "{failures:?}");
    stack.run(15);
    told(
        &stack,
        &expect![[r#"
        11:02 Backup Good: group/web: backup of 2026-01-15T11:00:00Z is good (ami-1, 2 snapshots)
        11:02 Image Published: group/web: launches from ami-1 now (version 2 of lt-2)
        12:21 Backup Good: group/web: backup of 2026-01-15T12:00:00Z is good (ami-3, 2 snapshots)
        12:21 Image Published: group/web: launches from ami-3 now (version 3 of lt-2)
    "#]],
    );
    assert_eq!(members(&stack).len(), 3);
    let newest = stack.backups("group/web").remove(0);
    assert_eq!(
        newest.publication,
        Publication::Published(PublishedTo::Version { template: template.clone(), version: theirs })
    );
    let numbers: Vec<_> = stack.world.template_versions(&template).iter().map(|version| version.number).collect();
    assert_eq!(numbers, [1, 2, theirs], "the group launches from the image already: no version is made for it");
}
