//! What must hold of a verdict by health: whom it looks at, and what it says of them.

use std::collections::BTreeMap;

use expect_test::expect;

use super::fitness::{fitness, on_version};
use crate::backup::fixtures;
use crate::facts::{Group, LaunchSource, Lifecycle, Member, StatusCheck, TemplateRef, VersionRef};

const NEW: Option<(&str, u64)> = Some(("lt-1", 2));

fn member(instance: &str, lifecycle: Lifecycle, template: Option<(&str, u64)>) -> Member {
    let template = template.map(|(template, version)| (template.into(), version));
    Member { instance: instance.into(), lifecycle, healthy: true, protected_from_scale_in: false, template }
}

fn group(members: Vec<Member>) -> Group {
    let named = TemplateRef { template: "lt-1".into(), version: VersionRef::Number(1) };
    fixtures::group(LaunchSource::Template(named), members)
}

#[test]
fn it_looks_at_members_on_that_version_of_that_template_that_stay() {
    let group = group(vec![
        member("i-new", Lifecycle::InService, NEW),
        member("i-begins", Lifecycle::Pending, NEW),
        member("i-leaves", Lifecycle::Leaving, NEW),
        member("i-old", Lifecycle::InService, Some(("lt-1", 1))),
        member("i-elsewhere", Lifecycle::InService, Some(("lt-2", 2))),
        member("i-unknown", Lifecycle::InService, None),
    ]);
    let looked_at: Vec<String> = on_version(&group, &"lt-1".into(), 2).iter().map(ToString::to_string).collect();
    assert_eq!(looked_at, ["i-new", "i-begins"]);
    let told = fitness(&group, &"lt-1".into(), 2, &BTreeMap::from([("i-new".into(), StatusCheck::Passed)]));
    assert_eq!((told.size, told.serving, told.on_version), (6, 4, 2), "the old ones serve, too");
    assert_eq!(told.unfit, [("i-begins".into(), "does not serve".to_owned())]);
}

#[test]
fn who_serves_is_in_service_and_healthy() {
    let ill = Member { healthy: false, ..member("i-ill", Lifecycle::InService, NEW) };
    let group =
        group(vec![member("i-well", Lifecycle::InService, NEW), member("i-apart", Lifecycle::Standby, NEW), ill]);
    assert_eq!(fitness(&group, &"lt-1".into(), 2, &BTreeMap::new()).serving, 1);
}

#[test]
fn why_a_member_is_unfit() {
    let lifecycles =
        [Lifecycle::InService, Lifecycle::Standby, Lifecycle::Pending, Lifecycle::Leaving, Lifecycle::Other];
    let checks = [None, Some(StatusCheck::Passed), Some(StatusCheck::Failed), Some(StatusCheck::Unknown)];
    let mut table = String::new();
    for lifecycle in lifecycles {
        for healthy in [true, false] {
            for check in checks {
                let group = group(vec![Member { healthy, ..member("i-1", lifecycle, NEW) }]);
                let told = check.map(|check| ("i-1".into(), check)).into_iter().collect();
                let told = fitness(&group, &"lt-1".into(), 2, &told);
                let why = told.unfit.first().map_or("is well", |(_, why)| why);
                let words = if told.on_version == 0 { "is not looked at" } else { why };
                let healthy = if healthy { "healthy" } else { "unhealthy" };
                let check = check.map_or("not told".to_owned(), |check| format!("{check:?}"));
                table += &format!("{lifecycle:?}, {healthy}, {check}: {words}\n");
            }
        }
    }
    expect![[r#"
        InService, healthy, not told: does not run
        InService, healthy, Passed: is well
        InService, healthy, Failed: fails its status checks
        InService, healthy, Unknown: has not passed its status checks yet
        InService, unhealthy, not told: is unhealthy
        InService, unhealthy, Passed: is unhealthy
        InService, unhealthy, Failed: is unhealthy
        InService, unhealthy, Unknown: is unhealthy
        Standby, healthy, not told: is well
        Standby, healthy, Passed: is well
        Standby, healthy, Failed: is well
        Standby, healthy, Unknown: is well
        Standby, unhealthy, not told: is well
        Standby, unhealthy, Passed: is well
        Standby, unhealthy, Failed: is well
        Standby, unhealthy, Unknown: is well
        Pending, healthy, not told: does not serve
        Pending, healthy, Passed: does not serve
        Pending, healthy, Failed: does not serve
        Pending, healthy, Unknown: does not serve
        Pending, unhealthy, not told: does not serve
        Pending, unhealthy, Passed: does not serve
        Pending, unhealthy, Failed: does not serve
        Pending, unhealthy, Unknown: does not serve
        Leaving, healthy, not told: is not looked at
        Leaving, healthy, Passed: is not looked at
        Leaving, healthy, Failed: is not looked at
        Leaving, healthy, Unknown: is not looked at
        Leaving, unhealthy, not told: is not looked at
        Leaving, unhealthy, Passed: is not looked at
        Leaving, unhealthy, Failed: is not looked at
        Leaving, unhealthy, Unknown: is not looked at
        Other, healthy, not told: does not serve
        Other, healthy, Passed: does not serve
        Other, healthy, Failed: does not serve
        Other, healthy, Unknown: does not serve
        Other, unhealthy, not told: does not serve
        Other, unhealthy, Passed: does not serve
        Other, unhealthy, Failed: does not serve
        Other, unhealthy, Unknown: does not serve
    "#]]
    .assert_eq(&table);
}
