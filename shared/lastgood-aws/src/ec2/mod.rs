//! EC2: images, snapshots, instances and launch templates.
//!
//! Lists are asked for by filter, not by id: one id that AWS does not know fails a whole call by id, and is merely
//! absent from the answer to a filter (AWS: DescribeImages). A filter takes 200 values (AWS: Filter your resources).

pub(crate) mod images;
pub(crate) mod instances;
pub(crate) mod power;
pub(crate) mod references;
pub(crate) mod snapshots;
pub(crate) mod templates;

use aws_sdk_ec2::types::{Filter, Tag};
use lastgood_core::facts::Tags;

/// Items a page. AWS advises to always page: large accounts get slow answers or errors otherwise (AWS: DescribeImages).
pub(crate) const PAGE_ITEMS: i32 = 500;

fn filter(name: impl Into<String>, values: impl IntoIterator<Item = String>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().collect())).build()
}

/// EC2 takes `*`, `?` and `\` in a filter's value as wildcards; a literal one is escaped (AWS: Filter your resources).
fn literal(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '*' | '?' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

fn tags(tags: &[Tag]) -> Tags {
    tags.iter().filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned()))).collect()
}
