//! Plans that are right, and every kind of mistake with its place and remedy.

use expect_test::{Expect, expect};

use super::*;

fn mistakes(text: &str, expect: &Expect) {
    let mistakes = read("plans.yaml", text).expect_err("a mistake");
    let lines: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    expect.assert_eq(&format!("{}\n", lines.join("\n")));
}

#[test]
fn a_whole_plan_and_one_of_defaults() {
    let text = "
plans:
  - name: web
    select: {groups: [web-prod, web/canary]}
    schedule: '*/15 * * * *'
    retain: {last: 5}
    publish: {on_manual_change: overwrite}
    on_overdue: 90m
  - name: rest
    select: {groups: [batch]}
    schedule: daily
";
    let plans: Vec<_> = read("plans.yaml", text).expect("right").into_iter().map(|placed| placed.plan).collect();
    assert_eq!(plans.len(), 2);
    assert_eq!(
        plans[0].sources.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["group/web-prod", "group/web/canary"]
    );
    let expected = Policy {
        schedule: Schedule::Cron("*/15 * * * *".into()),
        retain: Retention { last: 5 },
        on_manual_change: OnManualChange::Overwrite,
        on_overdue_seconds: 5400,
    };
    assert_eq!(plans[0].policy, expected);
    let expected = Policy {
        schedule: Schedule::Daily,
        retain: Retention { last: 3 },
        on_manual_change: OnManualChange::Hold,
        on_overdue_seconds: 7200,
    };
    assert_eq!(plans[1].policy, expected);
}

#[test]
fn every_mistake_has_its_place_and_a_remedy() {
    mistakes(
        "
plans:
  - name: web
    select: {groups: [a, b, a, 'x:y']}
    schedule: 61 * * * *
    retain: {last: 0}
    on_overdue: soon
  - name: web
    select: {groups: [b]}
    schedule: 0 0 31 2 *
  - name: -x
    select: {groups: []}
    schedule: hourly
",
        &expect![[r#"
                plans.yaml:4:29: group/a is named twice in plan 'web'; name it once
                plans.yaml:4:32: 'x:y' can't be the name of a group; they have 1 to 255 characters and no colon
                plans.yaml:5:15: the cron '61 * * * *' can't be read: Component error: Number out of bounds.; write minute, hour, day of month, month and day of week, as in '30 2 * * 1-5'
                plans.yaml:6:20: 'last: 0' keeps nothing; write 1 or more
                plans.yaml:7:17: 'soon' is no length of time of a minute or more; write '90m', '2h' or '1d'
                plans.yaml:8:11: there are two plans named 'web'; give each its own name
                plans.yaml:9:23: group/b is named twice in plan 'web'; name it once
                plans.yaml:10:15: the cron '0 0 31 2 *' never comes: no month has that day
                plans.yaml:11:11: '-x' can't name a plan; write 1 to 63 letters, digits, '-', '_' or '.', beginning with a letter or digit
                plans.yaml:12:13: plan '-x' selects nothing; name at least one group
            "#]],
    );
}

#[test]
fn an_unknown_key_is_a_mistake() {
    mistakes(
        "plans:\n  - name: web\n    select: {groups: [a]}\n    schedual: daily\n",
        &expect![[r#"
            plans.yaml:4:5: unknown field `schedual`, expected one of name, select, schedule, retain, publish, on_overdue
        "#]],
    );
    mistakes(
        "plans:\n  - name: web\n    select: {groups: [a], group: b}\n    schedule: daily\n",
        &expect![[r#"
            plans.yaml:3:27: unknown field `group`, expected one of groups
        "#]],
    );
}

#[test]
fn what_is_no_plan_file() {
    mistakes(
        "plans: []\n",
        &expect![[r#"
            plans.yaml:1:8: there is no plan in it; write at least one under 'plans:'
        "#]],
    );
    mistakes(
        "plans: 7\n",
        &expect![[r#"
                plans.yaml:1:8: expected sequence start; a plan file looks like 'plans: [{name: web, select: {groups: [web-prod]}, schedule: hourly}]'
            "#]],
    );
    mistakes(
        "",
        &expect![[r#"
                plans.yaml:1:1: unexpected end of input; a plan file looks like 'plans: [{name: web, select: {groups: [web-prod]}, schedule: hourly}]'
            "#]],
    );
    mistakes(
        "plans:\n  - name: web\n   select: {\n",
        &expect![[r#"
                plans.yaml:2:5: missing field `select`; a plan file looks like 'plans: [{name: web, select: {groups: [web-prod]}, schedule: hourly}]'
            "#]],
    );
    mistakes(
        "plans:\n  - name: web\n    schedule: daily\n",
        &expect![[r#"
                plans.yaml:3:5: missing field `select`; a plan file looks like 'plans: [{name: web, select: {groups: [web-prod]}, schedule: hourly}]'
            "#]],
    );
    mistakes(
        "plans:\n  - {name: web, select: {groups: [a]}, schedule: daily, publish: {on_manual_change: adopt}}\n",
        &expect![[r#"
            plans.yaml:2:85: unknown variant `adopt`, expected one of hold, overwrite
        "#]],
    );
}
