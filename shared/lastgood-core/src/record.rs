//! What outlives an invocation: records, each saved on its version, and the queues in which they wait for a function.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Time;
use crate::id::{ArtifactId, BackupId, RolloutId, SourceId};
use crate::notice::Notice;

/// A kind of record. The rest of its life is in its own folder.
pub trait Record: Clone + fmt::Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What one of them is named by.
    type Id: Clone + fmt::Debug + Send + Sync;
    /// What a list of them is of: `()` if there is one list of all.
    type Of: Sync;
    /// Whether a list begins with the last name.
    const LAST_FIRST: bool = false;

    /// Its name.
    fn id(&self) -> Self::Id;
    /// Where the record of this name stands.
    fn place(id: &Self::Id) -> Place;
    /// The partition in which those of a list stand, by their names.
    fn partition(of: &Self::Of) -> String;
    /// The queue in which it waits now, and until when; `None` while nothing is to be done with it.
    fn waits(&self) -> Option<(Queue, Time)>;
    /// The artifact that it is found by.
    fn artifact(&self) -> Option<&ArtifactId> {
        None
    }
    /// When nobody needs it any more.
    fn expires(&self) -> Option<Time> {
        None
    }
}

/// A record that has to tell: each notice stands in it from the save that it speaks of until it is on the bus.
pub trait Tells: Record {
    /// What is not on the bus yet.
    fn outbox(&self) -> &[Notice];
    /// The same, to take out of.
    fn outbox_mut(&mut self) -> &mut Vec<Notice>;

    /// The record without notices that are on the bus.
    #[must_use]
    fn sent(&self, ids: &[String]) -> Self {
        let mut record = self.clone();
        record.outbox_mut().retain(|notice| !ids.contains(&notice.id));
        record
    }
}

/// How long a record is kept that nothing is left of at AWS: long enough to look into what happened.
pub(crate) const EXPIRES_SECONDS: i64 = 90 * 24 * 60 * 60;

/// Where a record stands: records of one partition are read together, in the order of their sort keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// `sources`, `backups#group/web`, ..
    pub partition: String,
    /// Its name in there.
    pub sort: String,
}

/// The function that carries a record on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Queue {
    /// backup-tick: sources whose next slot has come, plans whose sources are to be looked for.
    Tick,
    /// snapshot-poll: backups on their way to be good and published.
    Poll,
    /// retention-cleanup: backups of which something must go.
    Cleanup,
    /// checkpoint-reached: nothing waits for it, for events alone wake it. It carries rollouts on; of a backup it does what every
    /// function may do: report to its source, and notify.
    Checkpoint,
}

/// Names a record in a queue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A plan, whose sources are to be looked for.
    Plan(String),
    /// A source.
    Source(SourceId),
    /// A backup.
    Backup(BackupId),
    /// A rollout.
    Rollout(RolloutId),
}

impl Key {
    /// The record that stands there, if it is one that waits in a queue.
    #[must_use]
    pub fn at(place: &Place) -> Option<Self> {
        let Place { partition, sort } = place;
        match partition.as_str() {
            PLANS => Some(Self::Plan(sort.clone())),
            SOURCES => sort.parse().ok().map(Self::Source),
            ROLLOUTS => Some(Self::Rollout(RolloutId::from(sort.as_str()))),
            _ => {
                let source = partition.strip_prefix(BACKUPS)?.strip_prefix('#')?;
                format!("{source}@{sort}").parse().ok().map(Self::Backup)
            }
        }
    }
}

/// The partition of plans.
pub(crate) const PLANS: &str = "plans";
/// That of sources.
pub(crate) const SOURCES: &str = "sources";
/// Those of backups begin so: each source has its own.
pub(crate) const BACKUPS: &str = "backups";
/// That of rollouts.
pub(crate) const ROLLOUTS: &str = "rollouts";
/// That of the sweep.
pub(crate) const SWEEPS: &str = "sweeps";
/// That of the look at our own deployment.
pub(crate) const WATCHES: &str = "watches";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::Backup;
    use crate::rollout::Rollout;
    use crate::source::Source;
    use crate::source::survey::Planned;
    use crate::sweep::Sweep;

    #[test]
    fn a_record_that_waits_is_known_by_where_it_stands() {
        let backup: BackupId = "group/a@b#c@20260115T103000Z".parse().expect("a backup");
        let rollout = RolloutId::from("r-1");
        for (place, key) in [
            (Planned::place(&"web#1".to_owned()), Some(Key::Plan("web#1".to_owned()))),
            (Source::place(&backup.source), Some(Key::Source(backup.source.clone()))),
            (Backup::place(&backup), Some(Key::Backup(backup.clone()))),
            (Rollout::place(&rollout), Some(Key::Rollout(rollout.clone()))),
            (Sweep::place(&()), None),
            (Place { partition: "backups#group/web".into(), sort: "tomorrow".into() }, None),
        ] {
            assert_eq!(Key::at(&place), key, "{place:?}");
        }
    }

    #[test]
    fn a_record_stands_where_it_always_stood() {
        let backup: BackupId = "group/web@20260115T103000Z".parse().expect("a backup");
        let places = [
            Planned::place(&"web".to_owned()),
            Source::place(&backup.source),
            Backup::place(&backup),
            Rollout::place(&"r-1".into()),
            Sweep::place(&()),
        ];
        let places: Vec<_> = places.iter().map(|place| (place.partition.as_str(), place.sort.as_str())).collect();
        assert_eq!(
            places,
            [
                ("plans", "web"),
                ("sources", "group/web"),
                ("backups#group/web", "20260115T103000Z"),
                ("rollouts", "r-1"),
                ("sweeps", "sweep")
            ]
        );
    }

    #[test]
    fn only_what_nothing_is_left_of_expires_and_that_after_ninety_days() {
        use crate::backup::{Artifact, State, fixtures};
        let over = |record: &Backup| record.expires().map(|expires| crate::seconds_between(record.since, expires));
        for state in State::ALL {
            let record = fixtures::backup(state);
            let days = (state == State::Deleted).then_some(EXPIRES_SECONDS);
            assert_eq!(over(&record), days, "{state:?}");
            assert_eq!(over(&Backup { source_told: false, ..record }), None, "{state:?}, with something to tell");
        }
        for artifact in [Artifact::None, Artifact::Asked, Artifact::There, Artifact::SnapshotsLeft, Artifact::Gone] {
            let failed = Backup { artifact, ..fixtures::backup(State::Failed) };
            let is_over = matches!(artifact, Artifact::None | Artifact::Gone);
            assert_eq!(over(&failed), is_over.then_some(EXPIRES_SECONDS), "{artifact:?}");
        }
        assert_eq!(EXPIRES_SECONDS, 7_776_000);
        let at = |second| Time::from_second(second).expect("a time");
        let news = |second| crate::incoming::RefreshNews {
            event: "e-1".into(),
            refresh: "r-1".into(),
            group: "web".into(),
            at: at(second),
            what: crate::incoming::RefreshChange::Status("Started".into()),
        };
        let mut rollout = Rollout::watched("r-1".into(), "web".into(), at(100));
        rollout.news = vec![news(300), news(100)];
        assert_eq!(rollout.expires(), Some(at(300 + EXPIRES_SECONDS)), "from the newest");
        assert_eq!(Sweep::first().expires(), None);
        let plan = "plans: [{name: web, select: {groups: [web]}, schedule: hourly}]";
        let plan = crate::plan::read("plans.yaml", plan).expect("a plan").plans.remove(0).plan;
        let source = crate::source::apply(None, &fixtures::backup(State::Good).id.source, &plan, at(0));
        assert_eq!((source.expires(), Planned::new(plan, at(0)).expires()), (None, None));
    }

    #[test]
    fn each_stands_in_the_partition_of_its_list() {
        let backup: BackupId = "group/web@20260115T103000Z".parse().expect("a backup");
        assert_eq!(Backup::place(&backup).partition, Backup::partition(&backup.source));
        assert_eq!(Source::place(&backup.source).partition, Source::partition(&()));
        assert_eq!(Planned::place(&"web".to_owned()).partition, Planned::partition(&()));
        assert_eq!(Rollout::place(&"r-1".into()).partition, Rollout::partition(&()));
        assert_eq!(Sweep::place(&()).partition, Sweep::partition(&()));
    }
}
