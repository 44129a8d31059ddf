//! Names of snapshots of caches. A name is all that tells two calls of CreateSnapshot apart, and it is short.

use super::digest;
use crate::id::{BackupId, CacheId, CacheSnapshotId};

/// The longest name of a snapshot of a cache that every edition of AWS's guide allows: 20 characters once, 40 today (AWS:
/// Taking manual backups).
pub const CACHE_SNAPSHOT_NAME_CHARS_MAX: usize = 20;
/// So much of the cache's name stands in it.
const CACHE_NAME_CHARS: usize = 4;
/// So many letters and digits tell apart what the rest leaves alike: one in sixty million.
const CACHE_DIGEST_CHARS: usize = 5;

/// The beginning of the cache's name, the minute of the slot, and a digest of both in full: `sess-2601151030k3j9a`. A letter
/// first, then letters, digits and single hyphens, in lower case, as ElastiCache stores it.
#[must_use]
pub fn cache_snapshot_name(backup: &BackupId) -> String {
    let name = backup.source.name().to_ascii_lowercase();
    let plain = name.chars().skip_while(|c| !c.is_ascii_lowercase()).filter(|c| c.is_ascii_alphanumeric() || *c == '-');
    let mut head = String::new();
    for c in plain {
        if head.len() < CACHE_NAME_CHARS && !(c == '-' && head.ends_with('-')) {
            head.push(c);
        }
    }
    let head = match head.trim_end_matches('-') {
        "" => "c",
        head => head,
    };
    let whole = digest(&[&backup.source.to_string(), &backup.slot_text()]);
    let mut number = u64::from_str_radix(&whole, 16).unwrap_or(0);
    let mut tail = String::new();
    for _ in 0..CACHE_DIGEST_CHARS {
        let digit = u32::try_from(number % 36).unwrap_or(0);
        tail.push(char::from_digit(digit, 36).unwrap_or('0'));
        number /= 36;
    }
    format!("{head}-{}{tail}", backup.slot.strftime("%y%m%d%H%M"))
}

/// The snapshot that a backup of this cache is, by its name.
#[must_use]
pub fn cache_snapshot_id(backup: &BackupId, cache: &CacheId) -> CacheSnapshotId {
    CacheSnapshotId { family: cache.kind.family(), name: cache_snapshot_name(backup) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::{CacheKind, SourceId};

    fn of_cache(kind: CacheKind, name: &str, slot: i64) -> BackupId {
        let source = SourceId::Cache(CacheId { kind, name: name.into() });
        BackupId { source, slot: crate::Time::from_second(slot).expect("in range") }
    }

    #[test]
    fn a_snapshot_of_a_cache_tells_which_and_when() {
        let name = |name: &str| cache_snapshot_name(&of_cache(CacheKind::ReplicationGroup, name, 1_768_473_000));
        assert_eq!(name("sessions")[..15], *"sess-2601151030");
        assert_eq!(name("a-b-c-d")[..14], *"a-b-2601151030");
        assert_eq!(name("x").len(), 17);
        assert_ne!(name("sessions"), name("sessions-eu"), "the whole name counts");
        let of_kind = |kind| cache_snapshot_name(&of_cache(kind, "sessions", 1_768_473_000));
        assert_ne!(of_kind(CacheKind::Cluster), of_kind(CacheKind::ReplicationGroup));
        let at = |slot| cache_snapshot_name(&of_cache(CacheKind::Cluster, "sessions", slot));
        assert_ne!(at(1_768_473_000), at(1_768_473_001), "two within a minute");
    }

    proptest! {
        /// A cluster's name has 1 to 50 letters, digits and hyphens, begins with a letter, and has no two hyphens beside each
        /// other and none at the end (AWS: CreateReplicationGroup).
        #[test]
        fn names_of_cache_snapshots_are_legal(
            cache in "[a-zA-Z](-?[a-zA-Z0-9]){0,24}", other in "[a-z](-?[a-z0-9]){0,24}", slot in 0_i64..4_000_000_000,
        ) {
            let (one, two) = (of_cache(CacheKind::Cluster, &cache, slot), of_cache(CacheKind::Cluster, &other, slot));
            let name = cache_snapshot_name(&one);
            prop_assert!(name.len() <= CACHE_SNAPSHOT_NAME_CHARS_MAX, "{name}");
            prop_assert!(name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.ends_with('-'), "{name}");
            prop_assert!(!name.contains("--"), "{name}");
            prop_assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{name}");
            prop_assert!(cache.to_ascii_lowercase().starts_with(name.split_once('-').map_or("", |(head, _)| head)));
            prop_assert_eq!(cache == other, name == cache_snapshot_name(&two));
        }
    }
}
