//! Publishing into a parameter: our image stands there, or is written, or somebody else's stays.

use super::life::again;
use super::manual::{self, Manual};
use super::publication::{Publication, PublishedTo, go, hold, published, rest};
use super::record::Backup;
use crate::facts::Parameter;
use crate::id::ImageId;
use crate::life::RETRY_SECONDS;
use crate::plan::PublishTo;
use crate::source::Expected;
use crate::{Time, seconds_between};

/// How long AWS may take to show what was written into a parameter: it checks an image some time after it took the call
/// (AWS: PutParameter, DataType).
const WRITTEN_SECONDS_MAX: i64 = 15 * 60;

/// What stands in the parameter, and what follows from that for the publication.
pub(super) fn read(record: &mut Backup, expected: Option<&Expected>, found: Option<Parameter>, now: Time) -> String {
    let PublishTo::Parameter(name) = record.publish.to.clone() else { return "stale".into() };
    record.missing_since = None;
    let value = found.as_ref().map(|found| found.value.as_str());
    if value.is_some() && value == record.image().map(ImageId::as_str) {
        return published(record, PublishedTo::Parameter { parameter: name }, now);
    }
    match manual::judge(record, expected, value, &format!("{name} names"), now) {
        Manual::Held(reason) => return hold(record, now, reason),
        Manual::Rests(publication, reason) => return rest(record, now, publication, reason),
        Manual::Fine => {}
    }
    if let Some(written) = record.written_at {
        if seconds_between(written, now) >= WRITTEN_SECONDS_MAX {
            let reason = format!("AWS took the image for {name} and did not keep it; can this account launch it?");
            return hold(record, now, reason);
        }
        record.publication = Publication::Due;
        return again(record, now, RETRY_SECONDS, &format!("{name} does not show the image yet"));
    }
    let reason = format!("{name} is written");
    go(record, now, Publication::Writing { name, was: found }, reason)
}
