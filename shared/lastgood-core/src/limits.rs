//! Every limit with its value: one that changes by mistake is seen here, whatever depends on it.

use crate::backup::PUBLISH_HEARD_SECONDS_MAX;
use crate::backup::life::{CREATING_SECONDS_MAX, PENDING_SECONDS_MAX, REQUESTED_SECONDS_MAX};
use crate::backup::publication::{LOCKED_POLL_SECONDS, PUBLISHING_SECONDS_MAX};
use crate::backup::removal::{
    CONDEMNED_SECONDS_MAX, LATE_IMAGE_SECONDS_MAX, REFUSED_RETRY_SECONDS, REMOVAL_SECONDS_MAX,
};
use crate::backup::scale_in::OWED_RETRY_SECONDS;
use crate::backup::sight::{PENDING_POLL_SECONDS, VISIBLE_SECONDS_MAX};
use crate::group::LIFETIME_LEFT_SECONDS_MIN;
use crate::incoming::{REQUEST_SECONDS_OLD_MAX, dated};
use crate::life::{LEASE_SECONDS, RETRY_SECONDS};
use crate::pace::BACKOFF_SECONDS_MAX;
use crate::plan::ON_OVERDUE_SECONDS_DEFAULT;
use crate::record::EXPIRES_SECONDS;
use crate::rollout::life::{
    LOCKED_SECONDS, LOOK_SECONDS, STARTING_SECONDS_MAX, UNSEEN_SECONDS_MAX, VISIT_LOOK_SECONDS,
};
use crate::rollout::policy::{DELAY_SECONDS_DEFAULT, DELAY_SECONDS_MAX, MARGIN_SECONDS};
use crate::rollout::visit::HOLD_SECONDS_MAX;
use crate::source::survey::{LOST_SECONDS, RETIRE_SECONDS, SURVEY_SECONDS};
use crate::sweep::{LOOK_AGAIN_SECONDS, ORPHAN_SECONDS_MIN, SWEEP_SECONDS};
use crate::{Time, later, plan};

const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

#[test]
fn each_limit_has_its_value() {
    for (name, limit, seconds) in [
        ("a lease", LEASE_SECONDS, MINUTE),
        ("a retry", RETRY_SECONDS, MINUTE),
        ("the longest pause of a retry", BACKOFF_SECONDS_MAX, 15 * MINUTE),
        ("to look for an instance", REQUESTED_SECONDS_MAX, HOUR),
        ("to make an image", CREATING_SECONDS_MAX, HOUR),
        ("a pending image", PENDING_SECONDS_MAX, 26 * HOUR),
        ("between looks at it", PENDING_POLL_SECONDS, MINUTE),
        ("not visible", VISIBLE_SECONDS_MAX, 15 * MINUTE),
        ("to publish", PUBLISHING_SECONDS_MAX, 15 * DAY),
        ("a locked group", LOCKED_POLL_SECONDS, 5 * MINUTE),
        ("a call that publishes is heard", PUBLISH_HEARD_SECONDS_MAX, 20 * MINUTE),
        ("protection owed", OWED_RETRY_SECONDS, 10 * MINUTE),
        ("a late image", LATE_IMAGE_SECONDS_MAX, 15 * MINUTE),
        ("a removal", REMOVAL_SECONDS_MAX, DAY),
        ("what was seen before a deletion", CONDEMNED_SECONDS_MAX, 30),
        ("a refused deletion", REFUSED_RETRY_SECONDS, HOUR),
        ("a record that is over", EXPIRES_SECONDS, 90 * DAY),
        ("a lifetime that ends", LIFETIME_LEFT_SECONDS_MIN, HOUR),
        ("overdue, if nothing is said", ON_OVERDUE_SECONDS_DEFAULT, 2 * HOUR),
        ("between surveys", SURVEY_SECONDS, 4 * MINUTE),
        ("a source that is missing", LOST_SECONDS, 8 * MINUTE),
        ("the backups of a lost one", RETIRE_SECONDS, DAY),
        ("between sweeps", SWEEP_SECONDS, 6 * HOUR),
        ("to sweep again", LOOK_AGAIN_SECONDS, HOUR),
        ("an orphan", ORPHAN_SECONDS_MIN, HOUR),
        ("between looks at a refresh", LOOK_SECONDS, 2 * MINUTE),
        ("between looks at its pause", VISIT_LOOK_SECONDS, MINUTE),
        ("a group that another refresh holds", LOCKED_SECONDS, 5 * MINUTE),
        ("to begin a refresh", STARTING_SECONDS_MAX, 14 * DAY),
        ("a refresh that is not told", UNSEEN_SECONDS_MAX, HOUR),
        ("from a verdict until AWS goes on", MARGIN_SECONDS, 3 * MINUTE),
        ("a request that is old", REQUEST_SECONDS_OLD_MAX, 3 * HOUR),
        ("a hold", HOLD_SECONDS_MAX, DAY),
        ("a pause, if nothing is said", DELAY_SECONDS_DEFAULT, HOUR),
        ("the longest pause that AWS takes", DELAY_SECONDS_MAX, 2 * DAY),
    ] {
        assert_eq!(limit, seconds, "{name}");
    }
    let now = Time::UNIX_EPOCH;
    assert!(dated(later(now, 5 * MINUTE + 1), now).is_err() && dated(later(now, 5 * MINUTE), now).is_ok());
    assert!(dated(now, later(now, 3 * HOUR + 1)).is_err() && dated(now, later(now, 3 * HOUR)).is_ok());
}

#[test]
fn the_longest_time_of_a_plan_is_a_hundred_years() {
    let read = |days: i64| {
        let text =
            format!("plans: [{{name: web, select: {{groups: [web]}}, schedule: hourly, retain: {{within: {days}d}}}}]");
        plan::read("plans.yaml", &text)
    };
    assert_eq!(read(36_600).expect("a hundred years of 366 days").file, "plans.yaml");
    let mistakes = read(36_601).expect_err("a day more");
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
}
