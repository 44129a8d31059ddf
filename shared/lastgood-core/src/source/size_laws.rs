//! What must hold of the size of a source's record: whatever is asked of it, and however long the bus takes nothing, the table
//! takes it.

use proptest::prelude::*;

use super::life_rules::web;
use super::operator::{hold, release, skip};
use super::record::{Failure, Found, Source};
use crate::id::SourceId;
use crate::notice::{MESSAGE_BYTES_MAX, News};
use crate::schedule::Pattern;
use crate::text::{By, NAME_BYTES_MAX, Words};
use crate::{Time, later, stored};

#[derive(Clone, Debug)]
enum Wish {
    Hold(By, Words),
    Release(By, Words),
    Skip(By, Words),
    Fail(String),
    Tell(String),
}

/// Characters of one to four bytes, and those that JSON writes with a backslash.
fn longest(chars: usize) -> impl Strategy<Value = String> {
    prop::sample::select(vec!["x", "\"", "\\", "ü", "山", "𝄞"]).prop_map(move |c| c.repeat(chars))
}

fn wishes() -> impl Strategy<Value = Wish> {
    let by = || longest(128).prop_map(|text| text.parse().expect("a name"));
    let words = || longest(1_000).prop_map(|text| text.parse().expect("a reason"));
    prop_oneof![
        (by(), words()).prop_map(|(by, words)| Wish::Hold(by, words)),
        (by(), words()).prop_map(|(by, words)| Wish::Release(by, words)),
        (by(), words()).prop_map(|(by, words)| Wish::Skip(by, words)),
        longest(2_000).prop_map(Wish::Fail),
        longest(2_000).prop_map(Wish::Tell),
    ]
}

fn with_the_longest_name() -> Source {
    let name = "𝄞".repeat(NAME_BYTES_MAX / 4);
    Source { id: SourceId::Group(name.as_str().into()), ..web(Pattern::Hourly) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn it_fits_into_the_table_whatever_is_asked_while_the_bus_takes_nothing(
        wishes in prop::collection::vec(wishes(), 1..200),
    ) {
        let mut source = with_the_longest_name();
        source.contested_by = vec!["p".repeat(63); 100];
        let mut at: Time = "2026-01-15T10:30:00Z".parse().expect("a time");
        let found = Found(Some("x".repeat(1_000)));
        for wish in wishes {
            at = later(at, 1);
            source = match wish {
                Wish::Hold(by, words) => hold(&source, by.as_str(), Some(words.as_str()), at),
                Wish::Release(by, words) => release(&source, by.as_str(), Some(words.as_str()), Some(&found), at),
                Wish::Skip(by, words) => {
                    let slot = source.next_slot.unwrap_or(at);
                    skip(&source, slot, by.as_str(), Some(words.as_str()), at)
                }
                Wish::Fail(reason) => {
                    Source { held: Some(reason.clone()), failure: Some(Failure { slot: at, reason }), ..source }
                }
                Wish::Tell(reason) => {
                    let mut source = source;
                    source.tell(&at.as_second().to_string(), at, News::SourceLost { reason });
                    source
                }
            };
            let size = stored::encode(&source).len();
            prop_assert!(stored::encode_within(&source).is_ok(), "{} bytes", size);
            prop_assert!(size < stored::BYTES_MAX / 2, "{} bytes, and there is room for what is to come", size);
            prop_assert!(source.outbox.iter().all(|notice| notice.message.len() <= MESSAGE_BYTES_MAX));
        }
    }
}
