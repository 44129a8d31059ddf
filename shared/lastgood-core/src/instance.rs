//! What keeps a single instance from being backed up as its plan wants: all of it is found out before anything is stopped.

use crate::facts::{Instance, StopHazards};
use crate::plan::Capture;
use crate::refusal::{Refusal, Why};

/// Why it can't be backed up so, and what to do, as far as AWS tells with the instance itself.
#[must_use]
pub fn obstacle(found: &Instance, capture: &Capture) -> Option<String> {
    if let Some(group) = found.group() {
        return Some(format!("is a member of the Auto Scaling group {group}: back that up, its members go with it"));
    }
    if found.hibernates {
        return Some(
            "may hibernate, and AWS supports no images of such instances; turn that off, or leave it out".into(),
        );
    }
    if found.root_in_store {
        return Some("has its root volume in instance store: AWS makes no image of it; leave it out".into());
    }
    if !capture.stop {
        return None;
    }
    if capture.asks_consent && !consents(found) {
        return Some(format!(
            "is selected by its tags alone, and 'reboot: stop' shuts it down: give it the tag '{TAG_MAY_STOP}' with the value '{YES}', name it under 'instances', or say 'reboot: never'"
        ));
    }
    found.passing_address.as_ref().filter(|_| !capture.allow_address_change).map(|address| {
        format!(
            "has the public address {address}, and gets another one after a stop; give it an Elastic IP address, or say 'allow_address_change: true' under 'capture'"
        )
    })
}

/// The tag by which an instance that is selected by its tags alone may be stopped: another one than those that select it, so that
/// who may give these need not be able to have it shut down.
pub const TAG_MAY_STOP: &str = "lastgood:may-stop";
const YES: &str = "true";

fn consents(found: &Instance) -> bool {
    found.tags.get(TAG_MAY_STOP).is_some_and(|value| value == YES)
}

/// How it is backed up now: as its plan says, but without a stop if it bears no consent; and why without, then.
#[must_use]
pub fn granted(found: &Instance, capture: Capture) -> (Capture, Option<String>) {
    if !capture.stop || !capture.asks_consent || consents(found) {
        return (capture, None);
    }
    let why = format!(
        "it is not stopped: it is selected by its tags alone and bears no tag '{TAG_MAY_STOP}' with the value '{YES}'; give it that, or name it under 'instances'"
    );
    (Capture { stop: false, ..capture }, Some(why))
}

/// The same of what only other calls tell: what a stop of it would meet.
#[must_use]
pub fn hazard(hazards: &StopHazards) -> Option<String> {
    if hazards.protected {
        return Some("has stop protection on: turn that off, or say 'reboot: never'".into());
    }
    if hazards.in_store {
        return Some("has volumes of instance store, whose data a stop erases: say 'reboot: never'".into());
    }
    if hazards.one_time_spot {
        return Some("is of a Spot request for one time, which AWS does not stop: say 'reboot: never'".into());
    }
    let refusal = hazards.no_start.as_ref()?;
    Some(format!(
        "is not stopped, for the function may not start it again: {refusal}; give its role ec2:StartInstances for the instance and what belongs to it (a license configuration, a policy of the organization), or say 'reboot: never'"
    ))
}

/// What a trial run of its start proves: that the right is missing, and nothing else. That the instance runs, or that AWS has
/// something against it today, is no proof of what will be.
#[must_use]
pub fn no_start(refusal: Refusal) -> Option<Refusal> {
    (refusal.why == Why::Denied).then_some(refusal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::InstanceState;

    fn instance() -> Instance {
        let at = "2026-01-15T10:30:00Z".parse().expect("a time");
        Instance::new("i-1".into(), InstanceState::Running, at)
    }

    fn stop() -> Capture {
        Capture { stop: true, ..Capture::default() }
    }

    #[test]
    fn what_forbids_a_backup_or_a_stop_says_what_to_do() {
        let plain = Capture::default();
        let member = |tags: &[(&str, &str)]| Instance {
            tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            ..instance()
        };
        let member = member(&[("aws:autoscaling:groupName", "web")]);
        let hibernates = Instance { hibernates: true, ..instance() };
        let in_store = Instance { root_in_store: true, ..instance() };
        let passing = Instance { passing_address: Some("203.0.113.7".into()), ..instance() };
        assert_eq!((obstacle(&instance(), &plain), obstacle(&instance(), &stop())), (None, None));
        for (instance, capture, begins) in [
            (&member, plain, Some("is a member of the Auto Scaling group web")),
            (&member, stop(), Some("is a member of the Auto Scaling group web")),
            (&hibernates, plain, Some("may hibernate")),
            (&in_store, plain, Some("has its root volume in instance store")),
            (&passing, plain, None),
            (&passing, stop(), Some("has the public address 203.0.113.7")),
            (&passing, Capture { allow_address_change: true, ..stop() }, None),
        ] {
            let told = obstacle(instance, &capture);
            assert_eq!(told.is_some(), begins.is_some(), "{told:?}");
            assert!(told.as_deref().unwrap_or_default().starts_with(begins.unwrap_or_default()), "{told:?}");
        }
    }

    #[test]
    fn what_a_stop_would_meet_is_told_before_it() {
        let none = StopHazards::default();
        let refusal = |why| Refusal { why, action: "ec2:StartInstances".into(), message: "AWS's words".into() };
        assert_eq!(hazard(&none), None);
        for (hazards, begins) in [
            (StopHazards { protected: true, ..none.clone() }, "has stop protection"),
            (StopHazards { in_store: true, ..none.clone() }, "has volumes of instance store"),
            (StopHazards { one_time_spot: true, ..none.clone() }, "is of a Spot request"),
            (StopHazards { no_start: Some(refusal(Why::Denied)), ..none }, "is not stopped, for the function may not"),
        ] {
            assert!(hazard(&hazards).is_some_and(|told| told.starts_with(begins)), "{hazards:?}");
        }
    }

    #[test]
    fn only_a_missing_right_proves_that_it_may_not_be_started_again() {
        for (why, proves) in [
            (Why::Denied, true),
            (Why::WrongState, false),
            (Why::Missing, false),
            (Why::Invalid, false),
            (Why::TooSoon, false),
            (Why::Quota, false),
        ] {
            let refusal = Refusal { why, action: "ec2:StartInstances".into(), message: "AWS's words".into() };
            assert_eq!(no_start(refusal).is_some(), proves, "{why:?}");
        }
    }
}
