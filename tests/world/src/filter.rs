//! Filters and pages of the describe calls.

use lastgood_core::facts::Tags;

use crate::fault::AwsError;

/// One filter of a describe call: any of the values may match, each of the filters must (AWS: Filter).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// What is compared: `state`, `tag:NAME`, ..
    pub name: String,
    /// What it may be, with wildcards.
    pub values: Vec<String>,
}

impl Filter {
    /// A filter with one value.
    pub fn new(name: &str, value: &str) -> Self {
        Self::any(name, [value])
    }

    /// A filter with some values.
    pub fn any<V: Into<String>>(name: &str, values: impl IntoIterator<Item = V>) -> Self {
        Self { name: name.to_owned(), values: values.into_iter().map(Into::into).collect() }
    }
}

/// Refuses filters that the call has not.
pub(crate) fn check(filters: &[Filter], known: &[&str]) -> Result<(), AwsError> {
    for Filter { name, values } in filters {
        if !(known.contains(&name.as_str()) || name == "tag-key" || name.starts_with("tag:")) {
            return Err(AwsError::new("InvalidParameterValue", format!("The filter '{name}' is invalid")));
        }
        check_values(values)?;
    }
    Ok(())
}

/// AWS: Filter: at most 200 values; EC2 error codes, FilterLimitExceeded.
pub(crate) fn check_values(values: &[String]) -> Result<(), AwsError> {
    if values.len() > 200 {
        return Err(AwsError::new("FilterLimitExceeded", "The maximum number of filter values specified is 200"));
    }
    Ok(())
}

/// Whether a thing passes all filters; `field` tells its values under a filter's name.
pub(crate) fn passes(filters: &[Filter], tags: &Tags, field: impl Fn(&str) -> Vec<String>) -> bool {
    filters.iter().all(|Filter { name, values }| {
        let held = match name.strip_prefix("tag:") {
            Some(key) => tags.get(key).cloned().into_iter().collect(),
            None if name == "tag-key" => tags.keys().cloned().collect(),
            None => field(name),
        };
        held.iter().any(|held| values.iter().any(|value| wildcard(value, held)))
    })
}

/// `*` is any text, `?` any character, `\` takes the next character as it is (AWS: Filter). Case counts.
pub(crate) fn wildcard(pattern: &str, text: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = rest.as_str();
            text.char_indices().any(|(at, _)| wildcard(rest, &text[at..])) || wildcard(rest, "")
        }
        Some(wanted) => {
            let mut chars = text.chars();
            let Some(found) = chars.next() else { return false };
            let fits = match wanted {
                '?' => true,
                '\\' => rest.next() == Some(found),
                plain => plain == found,
            };
            fits && wildcard(rest.as_str(), chars.as_str())
        }
    }
}

/// Which page is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paging {
    /// How many items at most.
    pub max_results: Option<usize>,
    /// The token of the page before.
    pub next_token: Option<String>,
}

/// One page of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it. A page may be empty and not the last one.
    pub items: Vec<T>,
    /// Where the next one begins, if this is not the last.
    pub next_token: Option<String>,
}

/// The page that is wanted of `all`, which are in the order of their keys. A token names the last key that was told, so
/// that things which come and go between two pages neither repeat others nor hide them.
pub(crate) fn page<T>(
    all: impl IntoIterator<Item = (String, T)>,
    paging: &Paging,
    items_max: usize,
) -> Result<Page<T>, AwsError> {
    let after = paging.next_token.as_deref().map(read_token).transpose()?;
    let length = paging.max_results.unwrap_or(usize::MAX).min(items_max);
    let mut rest = all.into_iter().skip_while(|(key, _)| after.as_ref().is_some_and(|after| key <= after)).peekable();
    let (mut items, mut last) = (Vec::new(), String::new());
    while items.len() < length
        && let Some((key, item)) = rest.next()
    {
        items.push(item);
        last = key;
    }
    let next_token = rest.peek().is_some().then(|| token(&last));
    Ok(Page { items, next_token })
}

const TOKEN_MARK: &str = "AAIA";

fn token(key: &str) -> String {
    use std::fmt::Write as _;
    key.bytes().fold(TOKEN_MARK.to_owned(), |mut token, byte| {
        let _ = write!(token, "{byte:02x}");
        token
    })
}

fn read_token(token: &str) -> Result<String, AwsError> {
    let wrong = || AwsError::new("InvalidNextToken", "The specified NextToken is not valid.");
    let digits = token.strip_prefix(TOKEN_MARK).filter(|digits| digits.is_ascii()).ok_or_else(wrong)?;
    let bytes = (0..digits.len()).step_by(2).map(|at| {
        let byte = digits.get(at..at + 2).and_then(|byte| u8::from_str_radix(byte, 16).ok());
        byte.ok_or_else(wrong)
    });
    String::from_utf8(bytes.collect::<Result<_, _>>()?).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_as_in_ec2() {
        for (pattern, text, fits) in [
            ("web", "web", true),
            ("web", "web2", false),
            ("w*b*", "wxxb", true),
            ("*", "", true),
            ("w?b", "wéb", true),
            (r"w\*b", "w*b", true),
            (r"w\*b", "wxb", false),
            ("WEB", "web", false),
        ] {
            assert_eq!(wildcard(pattern, text), fits, "{pattern} on {text}");
        }
    }

    #[test]
    fn a_page_begins_after_the_last_key_told_whatever_came_or_went() {
        let keyed = |keys: &[&str]| keys.iter().map(|key| ((*key).to_owned(), (*key).to_owned())).collect::<Vec<_>>();
        let paging = Paging { max_results: Some(2), next_token: None };
        let first = page(keyed(&["a", "b", "d"]), &paging, 100).expect("a page");
        assert_eq!(first.items, ["a", "b"]);
        let paging = Paging { next_token: first.next_token, ..paging };
        let second = page(keyed(&["0", "a", "c", "d"]), &paging, 100).expect("a page");
        assert_eq!((second.items, second.next_token), (vec!["c".to_owned(), "d".to_owned()], None));
        let forged = Paging { next_token: Some("2".to_owned()), ..Paging::default() };
        assert_eq!(page(keyed(&["a"]), &forged, 100).expect_err("no token").code, "InvalidNextToken");
    }
}
