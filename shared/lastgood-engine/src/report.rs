//! What an invocation did and met, for its log line and for the decision whether it is to be tried again.

use lastgood_core::id::BackupId;

use crate::port::{Listed, Versioned};
use crate::watch::NoticesLost;

/// What one invocation did.
#[derive(Debug, Default)]
pub struct Report {
    /// Slots that were claimed.
    pub claimed: Vec<BackupId>,
    /// How many records were carried on.
    pub records: usize,
    /// What did not get through. The next run meets it again; the other records went on.
    pub troubles: Vec<Trouble>,
    /// What was asked and refused, and why: a notice says the same.
    pub refused: Vec<String>,
    /// How many saves lost against somebody else's: those carry the records on.
    pub lost: usize,
    /// The time was up before everything was done.
    pub out_of_time: bool,
    /// How many calls AWS throttled.
    pub throttled: usize,
    /// What carries notices and is missing or off.
    pub notices_lost: Option<String>,
}

/// Something that did not get through.
#[derive(Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Which record.
    pub about: String,
    /// What, with its causes.
    pub what: String,
}

impl Report {
    /// The report of one failure about `about`.
    pub(crate) fn of_trouble(about: &impl ToString, error: &dyn std::error::Error) -> Self {
        let mut report = Self::default();
        report.trouble(about, error);
        report
    }

    /// Notes a failure about `about`, with its whole chain of causes.
    pub fn trouble(&mut self, about: &impl ToString, error: &dyn std::error::Error) {
        self.troubles.push(Trouble { about: about.to_string(), what: chain(error) });
    }

    /// Notes what of a list can't be read, and keeps the rest.
    pub(crate) fn readable<R>(&mut self, listed: Listed<R>) -> Vec<Versioned<R>> {
        for one in &listed.unreadable {
            self.trouble(&format!("{}/{}", one.place.partition, one.place.sort), one);
        }
        listed.records
    }

    /// One line of what was done, and one for each thing that did not get through. An idle run is silent.
    pub fn log(&self) {
        for trouble in &self.troubles {
            tracing::warn!(about = trouble.about, what = trouble.what, "did not get through; the next run tries again");
        }
        for refused in &self.refused {
            tracing::warn!(refused, "a request is refused");
        }
        if self.records > 0 || !self.claimed.is_empty() || self.out_of_time || self.throttled > 0 {
            let claimed: Vec<_> = self.claimed.iter().map(ToString::to_string).collect();
            let (records, throttled) = (self.records, self.throttled);
            tracing::info!(?claimed, records, throttled, out_of_time = self.out_of_time, "done");
        }
    }

    /// Logs the report, and fails if notices reach nobody: then the failure is what is heard.
    ///
    /// # Errors
    /// What carries notices is missing or off.
    pub fn end(self) -> Result<(), NoticesLost> {
        self.log();
        self.notices_lost.map_or(Ok(()), |what| Err(NoticesLost(what)))
    }

    /// Adds the reports of many and keeps what came with them.
    pub(crate) fn take_in<T>(&mut self, parts: Vec<(Option<T>, Self)>) -> Vec<T> {
        let mut kept = Vec::new();
        for (part, report) in parts {
            kept.extend(part);
            self.add(report);
        }
        kept
    }

    /// Adds what another part of the same invocation did.
    pub fn add(&mut self, other: Self) {
        self.claimed.extend(other.claimed);
        self.records += other.records;
        self.troubles.extend(other.troubles);
        self.refused.extend(other.refused);
        self.lost += other.lost;
        self.out_of_time |= other.out_of_time;
        self.throttled = self.throttled.max(other.throttled);
        self.notices_lost = self.notices_lost.take().or(other.notices_lost);
    }
}

/// An error and its causes, on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
