//! What AWS takes just so, and what is one too many.

use super::value::{group_name, parameter, tag};
use super::*;

fn is_taken(text: &str) -> bool {
    read("plans.yaml", text).is_ok()
}

#[test]
fn the_longest_tags_and_parameters_are_taken_and_longer_ones_are_not() {
    assert!(tag(&"k".repeat(128), &"v".repeat(256)).is_ok());
    assert!(tag(&"k".repeat(129), "v").is_err_and(|wrong| wrong.contains("has 129 characters")));
    assert!(tag("k", &"v".repeat(257)).is_err_and(|wrong| wrong.contains("has 257 characters")));
    assert!(tag("", "v").is_err());
    assert!(parameter(&format!("/{}", "p".repeat(1010))).is_ok());
    assert!(parameter(&format!("/{}", "p".repeat(1011))).is_err());
    assert!(parameter(&"/p".repeat(15)).is_ok());
    assert!(parameter(&"/p".repeat(16)).is_err());
}

#[test]
fn a_group_whose_name_looks_almost_like_an_id_is_a_group() {
    for name in ["i-webprod", "i-0a1b2c3", "i-0a1b2c3d4", "ami-builder", "lt-00000000000000zzz"] {
        assert!(group_name(name).is_ok(), "{name}");
    }
    for id in ["i-0a1b2c3d", "i-0123456789abcdef0", "ami-0123456789abcdef0", "lt-0123456789abcdef0"] {
        assert!(group_name(id).is_err(), "{id}");
    }
}

#[test]
fn as_many_tags_as_aws_looks_for_at_once_and_numbers_up_to_their_bounds() {
    let tags = |count: usize| {
        let tags: Vec<String> = (0..count).map(|number| format!("t{number}: v")).collect();
        format!("plans: [{{name: web, select: {{tags: {{{}}}}}, schedule: hourly}}]", tags.join(", "))
    };
    let most = (1..100).take_while(|count| is_taken(&tags(*count))).last();
    assert_eq!(most, Some(select::TAGS_MAX));
    let last = |count: u32| {
        format!("plans: [{{name: web, select: {{groups: [web]}}, schedule: hourly, retain: {{last: {count}}}}}]")
    };
    assert!(is_taken(&last(1)) && is_taken(&last(100_000)));
    assert!(!is_taken(&last(0)) && !is_taken(&last(100_001)));
}

#[test]
fn two_plans_whose_tags_one_group_may_bear_are_told_whichever_comes_first() {
    let two = |one: &str, other: &str| {
        let plan = |name: &str, tags: &str| format!("{{name: {name}, select: {{tags: {{{tags}}}}}, schedule: hourly}}");
        format!("plans: [{}, {}]", plan("a", one), plan("b", other))
    };
    assert!(!is_taken(&two("app: web", "app: web, stage: prod")));
    assert!(!is_taken(&two("app: web, stage: prod", "app: web")));
    assert!(is_taken(&two("app: web, stage: test", "app: web, stage: prod")));
}
