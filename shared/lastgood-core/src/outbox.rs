//! The outbox of a record: notices that the bus has not taken yet. It has a limit, for all of it stands in one item of the table;
//! what finds no room is counted by its kind, and that is told in one more notice. Nothing is dropped in silence.

use std::collections::BTreeMap;

use crate::notice::{News, Notice};

/// The most bytes that an outbox takes up in its record.
pub const OUTBOX_BYTES_MAX: usize = 100_000;
/// So many notices are taken whatever they take up: the limit is far from there.
const NOTICES_MIN: usize = 3;

/// Puts a notice in, unless it waits there already. One that finds no room is counted.
pub fn put(outbox: &mut Vec<Notice>, notice: Notice) {
    if outbox.iter().any(|waiting| waiting.id == notice.id) {
        return;
    }
    if !is_full(outbox, &notice) {
        outbox.push(notice);
        return;
    }
    let last = outbox.last().and_then(|last| match &last.news {
        News::NoticesNotKept { since, kinds } => Some((*since, kinds.clone())),
        _ => None,
    });
    let (since, mut kinds) = match last {
        Some(counted) => {
            outbox.pop();
            counted
        }
        None => (notice.at, BTreeMap::new()),
    };
    *kinds.entry(notice.news.detail_type().to_owned()).or_default() += 1;
    let count: usize = kinds.values().sum();
    // One that was sent meanwhile counted fewer: it is another notice.
    let occasion = format!("{}-{count}", since.as_second());
    outbox.push(Notice::about(notice.source.as_ref(), &occasion, notice.at, News::NoticesNotKept { since, kinds }));
}

/// Whether a notice would find no room.
#[must_use]
pub fn is_full(outbox: &[Notice], notice: &Notice) -> bool {
    outbox.len() >= NOTICES_MIN && bytes(outbox) + bytes(notice) > OUTBOX_BYTES_MAX
}

fn bytes(stored: &(impl serde::Serialize + ?Sized)) -> usize {
    serde_json::to_string(stored).map_or(0, |text| text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Time;
    use crate::id::SourceId;

    fn notice(number: i64, bytes: usize) -> Notice {
        let source: SourceId = "group/web".parse().expect("a source");
        let at = Time::from_second(number).expect("a time");
        Notice::new(&source, &number.to_string(), at, News::SourceHeld { reason: "x".repeat(bytes) })
    }

    fn not_kept(outbox: &[Notice]) -> usize {
        let kept = outbox.iter().map(|notice| match &notice.news {
            News::NoticesNotKept { kinds, .. } => kinds.values().sum(),
            _ => 0,
        });
        kept.sum()
    }

    #[test]
    fn what_finds_no_room_is_counted_and_none_is_lost_in_silence() {
        let mut outbox = Vec::new();
        for number in 0..200 {
            put(&mut outbox, notice(number, 4_000));
        }
        let all = outbox.clone();
        for number in 0..5 {
            put(&mut outbox, notice(number, 4_000));
            assert_eq!(outbox, all, "it waits there already");
        }
        let kept = outbox.len() - 1;
        assert!((5..20).contains(&kept), "{kept}");
        assert_eq!(not_kept(&outbox), 200 - kept);
        assert!(bytes(&outbox) < OUTBOX_BYTES_MAX + 1_000);
        let last = outbox.last().expect("one");
        let said = format!("group/web: {} further notices could not be kept", 200 - kept);
        assert!(last.message.starts_with(&said), "{}", last.message);
        assert!(last.message.contains(&format!("{} Source Held", 200 - kept)), "{}", last.message);
    }

    #[test]
    fn where_there_is_room_again_the_next_are_kept_and_what_was_counted_stays() {
        let mut outbox = Vec::new();
        for number in 0..100 {
            put(&mut outbox, notice(number, 4_000));
        }
        let (counted, id) = (not_kept(&outbox), outbox.last().expect("one").id.clone());
        outbox.drain(..5);
        put(&mut outbox, notice(100, 10));
        assert_eq!(outbox.last().map(|last| last.at.as_second()), Some(100));
        for number in 101..200 {
            put(&mut outbox, notice(number, 4_000));
        }
        assert!(outbox.iter().any(|notice| notice.id == id), "another count is another notice");
        assert!(not_kept(&outbox) > counted);
        assert_eq!(outbox.iter().filter(|notice| matches!(notice.news, News::NoticesNotKept { .. })).count(), 2);
    }
}
