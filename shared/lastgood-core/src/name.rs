//! Names that Lastgood gives to things at AWS: derived from (source, slot), so that a repeated call is known again.
//!
//! An image name is the only token that CreateImage has: the second call with one name is refused, and the image
//! that bears it is looked up and adopted. So no two (source, slot) may ever share a name.

mod cache;

use std::fmt::Display;

use sha2::{Digest, Sha256};

use crate::facts::Tags;
use crate::id::{BackupId, TemplateId};

pub use cache::{CACHE_SNAPSHOT_NAME_CHARS_MAX, cache_snapshot_id, cache_snapshot_name};

/// Tag on everything that Lastgood makes: the stack that made it.
pub const TAG_MANAGED_BY: &str = "lastgood:managed-by";
/// Tag: the source, as `group/NAME`.
pub const TAG_SOURCE: &str = "lastgood:source";
/// Tag: the backup, as `group/NAME@SLOT`.
pub const TAG_BACKUP: &str = "lastgood:backup";
/// Tag: the plan.
pub const TAG_PLAN: &str = "lastgood:plan";

/// The longest image name that both the API and the console take (AWS: CreateImage; Create an AMI).
pub const IMAGE_NAME_CHARS_MAX: usize = 127;
/// The longest tag value (AWS: Tag your Amazon EC2 resources).
pub const TAG_VALUE_CHARS_MAX: usize = 256;
/// The longest description of an image and of a template version (AWS: CreateImage; CreateLaunchTemplateVersion).
pub const DESCRIPTION_CHARS_MAX: usize = 255;
/// The longest client token that every EC2 call takes (AWS: Ensuring idempotency).
pub const CLIENT_TOKEN_CHARS_MAX: usize = 64;

const PREFIX: &str = "lastgood-";
const SLOT_CHARS: usize = "-20260115T103000Z".len();
const DIGEST_CHARS: usize = 16;

/// `lastgood-<name>-<slot>`, of the characters that every page of AWS agrees on: letters, digits, `( ) . / _ -`.
///
/// A name that is too long or holds another character is cut and cleaned, and gets the digest of the whole name in
/// parentheses. A name that has parentheses itself is treated so too: thus a cleaned name equals no plain one.
#[must_use]
pub fn image_name(backup: &BackupId) -> String {
    let name = backup.source.name();
    let room = IMAGE_NAME_CHARS_MAX - PREFIX.len() - SLOT_CHARS;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '_' | '-');
    let middle = if name.len() <= room && name.chars().all(plain) {
        name.to_owned()
    } else {
        let clean: String =
            name.chars().map(|c| if plain(c) { c } else { '-' }).take(room - DIGEST_CHARS - "()".len()).collect();
        format!("{clean}({})", digest(&[name]))
    };
    format!("{PREFIX}{middle}-{}", backup.slot_text())
}

/// The text of a tag: the whole text if it fits, else its beginning and the digest of the whole.
#[must_use]
pub fn tag_value(text: &str) -> String {
    if text.chars().count() <= TAG_VALUE_CHARS_MAX {
        return text.to_owned();
    }
    let head: String = text.chars().take(TAG_VALUE_CHARS_MAX - DIGEST_CHARS - "()".len()).collect();
    format!("{head}({})", digest(&[text]))
}

/// The tags of all that a stack makes for a backup.
#[must_use]
pub fn tags(stack: &str, backup: &BackupId, plan: &str) -> Tags {
    let tags = [
        (TAG_MANAGED_BY, stack),
        (TAG_SOURCE, &backup.source.to_string()),
        (TAG_BACKUP, &backup.to_string()),
        (TAG_PLAN, plan),
    ];
    tags.into_iter().map(|(key, value)| (key.to_owned(), tag_value(value))).collect()
}

/// Whether tags prove that a stack made a thing for a backup.
#[must_use]
pub fn is_ours(stack: &str, backup: &BackupId, tags: &Tags) -> bool {
    let bears = |key: &str, value: &str| tags.get(key).is_some_and(|tag| *tag == tag_value(value));
    bears(TAG_MANAGED_BY, stack) && bears(TAG_BACKUP, &backup.to_string())
}

/// The backup for which a stack made a thing, as far as its tags spell it out.
#[must_use]
pub fn backup_told(stack: &str, tags: &Tags) -> Option<BackupId> {
    let told: BackupId = tags.get(TAG_BACKUP)?.parse().ok()?;
    is_ours(stack, &told, tags).then_some(told)
}

/// What a template version of ours says of itself: for which backup (or operator's image) it was made, and from which version.
#[must_use]
pub fn version_description(whose: &impl Display, base: u64) -> String {
    let whole = format!("lastgood {whose} from version {base}");
    let plain: String = whole.chars().filter(char::is_ascii).collect();
    if plain == whole && whole.len() <= DESCRIPTION_CHARS_MAX {
        return whole;
    }
    format!("lastgood {} from version {base}", digest(&[&whole]))
}

/// The version from which one that is described so was made for this backup; `None` if it does not say that it was.
#[must_use]
pub fn version_base(whose: &impl Display, description: &str) -> Option<u64> {
    let base = description.rsplit(' ').next().and_then(|base| base.parse().ok());
    base.filter(|base| description == version_description(whose, *base))
}

/// The client token of the template version that copies `base` for this backup: the same for each repetition, and
/// another one if another version is copied (the same token with other parameters is refused).
#[must_use]
pub fn version_token(whose: &impl Display, template: &TemplateId, base: u64) -> String {
    let whole = digest(&[&whose.to_string(), template.as_str(), &base.to_string()]);
    format!("lastgood-{whole}")
}

/// The first 64 bits of SHA-256 over the parts, in hexadecimal. The parts' borders count.
#[must_use]
pub fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().take(DIGEST_CHARS / 2).map(|byte| format!("{byte:02x}")).collect()
}

/// A number from 0 up to, but without, `below`: always the same for the same parts, and evenly spread over different
/// ones. 0 if `below` is not positive.
#[must_use]
pub fn jitter(parts: &[&str], below: i64) -> i64 {
    let whole = u64::from_str_radix(&digest(parts), 16).unwrap_or(0) >> 1;
    i64::try_from(whole).unwrap_or(0) % below.max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::{GroupName, SourceId};

    fn backup(group: &str, slot: i64) -> BackupId {
        BackupId {
            source: SourceId::Group(GroupName::from(group)),
            slot: crate::Time::from_second(slot).expect("in range"),
        }
    }

    #[test]
    fn a_plain_name_is_kept_and_another_is_cleaned_and_marked() {
        let name = |group: &str| image_name(&backup(group, 1_768_473_000));
        assert_eq!(name("web-prod"), "lastgood-web-prod-20260115T103000Z");
        assert_eq!(name("web prod"), format!("lastgood-web-prod({})-20260115T103000Z", digest(&["web prod"])));
        // A group that is called what another one is cleaned to.
        let imitation = format!("web-prod({})", digest(&["web prod"]));
        assert_ne!(name(&imitation), name("web prod"));
        assert_eq!(name(&"g".repeat(255)).len(), IMAGE_NAME_CHARS_MAX);
    }

    #[test]
    fn a_tag_that_does_not_fit_is_filled_and_marked() {
        let long = "t".repeat(TAG_VALUE_CHARS_MAX + 1);
        assert_eq!(tag_value(&long[1..]), long[1..], "it fits");
        let marked = tag_value(&long);
        assert_eq!(marked.len(), TAG_VALUE_CHARS_MAX, "as much of it as there is room for");
        assert!(marked.ends_with(&format!("t({})", digest(&[&long]))), "{marked}");
    }

    #[test]
    fn a_token_is_the_same_again_and_another_for_anything_else() {
        let token = |slot: i64, template: &str, base: u64| version_token(&backup("web", slot), &template.into(), base);
        assert_eq!(token(0, "lt-1", 1), "lastgood-b63cac4b6759045f");
        for other in [token(1, "lt-1", 1), token(0, "lt-2", 1), token(0, "lt-1", 2)] {
            assert_ne!(other, token(0, "lt-1", 1));
        }
    }

    #[test]
    fn a_version_says_for_which_backup_it_was_made_and_from_which_one() {
        let web = backup("web", 1_768_473_000);
        let said = version_description(&web, 7);
        assert_eq!(said, "lastgood group/web@20260115T103000Z from version 7");
        assert_eq!(version_base(&web, &said), Some(7));
        let others = ["somebody's own", "from version 7", "lastgood group/web@20260115T113000Z from version 7", ""];
        for other in others {
            assert_eq!(version_base(&web, other), None, "{other}");
        }
        for name in ["g".repeat(255), "ünï".to_owned()] {
            let said = version_description(&backup(&name, 0), 7);
            assert!(said.is_ascii() && said.len() <= DESCRIPTION_CHARS_MAX, "{said}");
            assert_eq!(version_base(&backup(&name, 0), &said), Some(7), "{said}");
            assert_eq!(version_base(&backup(&name, 1), &said), None, "{said}");
        }
    }

    #[test]
    fn only_both_tags_prove_that_a_thing_is_ours() {
        let (web, ours) = (backup("web", 0), tags("lastgood", &backup("web", 0), "web"));
        let all: Vec<_> = ours.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(
            all,
            [
                "lastgood:backup=group/web@19700101T000000Z",
                "lastgood:managed-by=lastgood",
                "lastgood:plan=web",
                "lastgood:source=group/web"
            ]
        );
        assert!(is_ours("lastgood", &web, &ours));
        assert!(!is_ours("another-stack", &web, &ours) && !is_ours("lastgood", &backup("web", 1), &ours));
        for key in [TAG_MANAGED_BY, TAG_BACKUP] {
            let mut without = ours.clone();
            without.remove(key);
            assert!(!is_ours("lastgood", &web, &without), "{key}");
        }
    }

    proptest! {
        #[test]
        fn image_names_are_legal(group in "[ -~]{1,255}", slot in 0_i64..4_000_000_000) {
            let name = image_name(&backup(&group, slot));
            prop_assert!((3..=IMAGE_NAME_CHARS_MAX).contains(&name.len()), "{name}");
            prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "()./_-".contains(c)), "{name}");
        }

        #[test]
        fn two_backups_never_share_a_name(
            one in "[a-c ()-]{1,6}|[ -~]{95,255}", other in "[a-c ()-]{1,6}|[ -~]{95,255}",
            at in 0_i64..3, then in 0_i64..3,
        ) {
            let (left, right) = (backup(&one, at), backup(&other, then));
            prop_assert_eq!(left == right, image_name(&left) == image_name(&right));
        }

        #[test]
        fn tags_and_tokens_fit(group in "[ -~]{1,255}", base in 0_u64..10_000) {
            let id = backup(&group, 0);
            prop_assert!(tag_value(&id.to_string()).chars().count() <= TAG_VALUE_CHARS_MAX);
            prop_assert!(version_token(&id, &"lt-1".into(), base).len() <= CLIENT_TOKEN_CHARS_MAX);
        }
    }
}
