//! What a plan file means. Its shape has been checked; here each value is read, and what is wrong with it is told with
//! its place and its remedy.

use std::sync::LazyLock;

use jiff::tz::TimeZone;
use schemars::Schema;
use schemars::transform::{RecursiveTransform, Transform};
use serde_json::Value;

use super::check::check;
use super::mistake::Mistakes;
use super::rollout_text::rollout;
use super::select::{Taken, select};
use super::text::{CaptureText, FileText, PlanText, PublishText, PublishToText, RebootText, RetainText};
use super::tree::Node;
use super::{
    Capture, Mistake, ON_OVERDUE_SECONDS_DEFAULT, PlacedPlan, Plan, PlanFile, Policy, Publish, PublishTo,
    STOP_WITHIN_SECONDS_DEFAULT, Select, value, yaml,
};
use crate::id::SourceId;
use crate::retention::Retention;
use crate::schedule::{Pattern, Schedule, Zone};
use crate::text::shown;

/// The JSON Schema of plan files.
#[must_use]
pub fn schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
        let mut schema = schemars::schema_for!(FileText);
        RecursiveTransform(without_null).transform(&mut schema);
        schema.to_value()
    });
    &SCHEMA
}

/// A key without a value is a mistake: what is optional is left out.
fn without_null(schema: &mut Schema) {
    if let Some(kinds) = schema.get_mut("type").filter(|kinds| kinds.is_array()) {
        *kinds = kinds[0].clone();
    }
    let Some(Value::Array(forms)) = schema.get_mut("anyOf") else { return };
    forms.retain(|form| form["type"] != "null");
    if let [form] = forms.as_slice() {
        let reference = form["$ref"].clone();
        schema.remove("anyOf");
        schema.insert("$ref".into(), reference);
    }
}

/// Reads a plan file. `file` is its name, for the mistakes; all of them are told at once, but for a text that is no YAML.
pub fn read(file: &str, text: &str) -> Result<PlanFile, Vec<Mistake>> {
    let mut mistakes = Mistakes::of(file);
    let mut found = PlanFile { file: file.to_owned(), ..PlanFile::default() };
    let schema = schema();
    let tree = yaml::tree(text, &mut mistakes).and_then(|tree| check(schema, text, tree, &mut mistakes));
    if let Some(tree) = tree {
        let parsed: FileText =
            serde_json::from_value(tree.to_json()).expect("what the schema lets through has its types");
        let mut taken = Taken::default();
        let nodes = tree.get("plans").map(Node::items).unwrap_or_default();
        let plans = parsed.plans.into_iter().flatten().zip(nodes);
        found.plans = plans.filter_map(|(text, node)| plan(text, node, &mut taken, &mut mistakes)).collect();
        for entry in tree.get("removed").map(Node::entries).unwrap_or_default() {
            mistakes.take(entry.place, removed(&entry.key, &taken));
        }
        found.removed = parsed.removed;
    }
    if mistakes.is_empty() { Ok(found) } else { Err(mistakes.in_order()) }
}

/// The plan, or `None` after a mistake that leaves no plan to speak of; the others are noted all the same.
fn plan(text: PlanText, node: &Node, taken: &mut Taken, mistakes: &mut Mistakes<'_>) -> Option<PlacedPlan> {
    let label = match &text.name {
        Some(name) => format!("'{}'", shown(name)),
        None => format!("of line {}", node.place.0),
    };
    if let Some(name) = &text.name {
        mistakes.take(node.place_of(&["name"]), value::plan_name(name));
        taken.name(name, node.place_of(&["name"]), mistakes);
    }
    let schedule = schedule(&text, node, mistakes);
    let spread_seconds = spread(text.spread.as_deref(), schedule.as_ref(), node, mistakes);
    let timezone = text.timezone.unwrap_or_else(|| "UTC".to_owned());
    let retain = match text.retain {
        Some(retain) => retention(&retain, timezone, node, mistakes),
        None => Some(Retention { timezone, ..Retention::default() }),
    };
    let on_overdue_seconds = match &text.on_overdue {
        Some(text) => mistakes.take(node.place_of(&["on_overdue"]), value::duration(text)),
        None => Some(ON_OVERDUE_SECONDS_DEFAULT),
    };
    let capture = capture(text.capture.as_ref(), node, mistakes);
    let mut publish = publish(text.publish, node, mistakes);
    if let Some(text) = &text.rollout {
        if publish.to != PublishTo::Group {
            let what = "a rollout gives the group the image; leave 'publish' out, or leave 'rollout' out";
            mistakes.add(node.place_of(&["rollout"]), what);
        }
        publish.rollout = Some(rollout(text, node, mistakes)?);
    }
    let selected = text.select.map(|text| select(text, node, mistakes));
    if let Some((select, _)) = &selected {
        meaningless(select, &capture, node, mistakes);
    }
    if let Some(selected) = &selected {
        taken.select(&label, selected, node, mistakes);
    }
    if let (PublishTo::Parameter(name), Some((select, _))) = (&publish.to, &selected) {
        taken.parameter(&label, name, select, node.place_of(&["publish", "ssm"]), mistakes);
    }
    let (select, places) = selected?;
    let policy = Policy {
        schedule: schedule?,
        spread_seconds: spread_seconds?,
        retain: retain?,
        capture,
        publish,
        keep_in_use: text.keep_in_use.unwrap_or_default(),
        on_source_deleted: text.on_source_deleted.unwrap_or_default(),
        on_overdue_seconds: on_overdue_seconds?,
    };
    let plan = Plan { name: text.name?, select, policy };
    Some(PlacedPlan { plan, places, tags_place: node.place_of(&["select", "tags"]) })
}

fn schedule(text: &PlanText, node: &Node, mistakes: &mut Mistakes<'_>) -> Option<Schedule> {
    let said = |error: crate::schedule::ScheduleError| error.to_string();
    let pattern = text.schedule.as_deref().map(|text| Pattern::parse(text).map_err(said));
    let pattern = pattern.and_then(|pattern| mistakes.take(node.place_of(&["schedule"]), pattern));
    let zone = Zone::parse(text.timezone.as_deref().unwrap_or("UTC")).map_err(said);
    let zone = mistakes.take(node.place_of(&["timezone"]), zone);
    let local = zone.as_ref().and_then(|zone| zone.time_zone().ok()).unwrap_or(TimeZone::UTC);
    let mut bound = |name: &str, text: Option<&str>| match text {
        None => Some(None),
        Some(text) => mistakes.take(node.place_of(&[name]), value::point(text, &local)).map(Some),
    };
    let (from, until) = (bound("from", text.from.as_deref()), bound("until", text.until.as_deref()));
    let (pattern, zone, from, until) = (pattern?, zone?, from?, until?);
    // Without its bounds first: one that never comes is not to be blamed on them.
    let unbounded = Schedule::checked(pattern.clone(), zone.clone(), None, None).map_err(said);
    mistakes.take(node.place_of(&["schedule"]), unbounded)?;
    let last = if until.is_some() { "until" } else { "from" };
    mistakes.take(node.place_of(&[last]), Schedule::checked(pattern, zone, from, until).map_err(said))
}

fn spread(text: Option<&str>, schedule: Option<&Schedule>, node: &Node, mistakes: &mut Mistakes<'_>) -> Option<i64> {
    let Some(text) = text else { return Some(0) };
    let place = node.place_of(&["spread"]);
    let seconds = mistakes.take(place, value::duration(text))?;
    let gap = schedule.and_then(Schedule::shortest_gap_seconds);
    let Some(gap) = gap.filter(|gap| seconds >= *gap) else { return Some(seconds) };
    mistakes.add(
        place,
        format!("a spread of '{text}' is no shorter than the {} min between two slots; write less", gap / 60),
    );
    None
}

fn retention(text: &RetainText, timezone: String, node: &Node, mistakes: &mut Mistakes<'_>) -> Option<Retention> {
    let count = |count: Option<i64>| u32::try_from(count.unwrap_or_default()).expect("the schema's bounds hold");
    let within = match &text.within {
        None => Some(0),
        Some(text) => mistakes.take(node.place_of(&["retain", "within"]), value::duration(text)),
    };
    let retention = Retention {
        last: count(text.last),
        within_seconds: within?,
        daily: count(text.daily),
        weekly: count(text.weekly),
        monthly: count(text.monthly),
        yearly: count(text.yearly),
        consistent: count(text.consistent),
        timezone,
    };
    if retention.keeps_nothing() {
        if !node.get("retain").is_some_and(Node::is_cut) {
            mistakes
                .add(node.place_of(&["retain"]), "this keeps nothing; write 'last: 3', or leave 'retain' out for that");
        }
        return None;
    }
    Some(retention)
}

/// What a plan says that means nothing to any source that it is for.
fn meaningless(select: &Select, capture: &Capture, node: &Node, mistakes: &mut Mistakes<'_>) {
    let is_cache = |id: &SourceId| id.cache().is_some();
    let caches = select.is_only(is_cache);
    let groups = !caches && select.is_only(|id| id.group().is_some() || is_cache(id));
    let instances = !caches && select.is_only(|id| id.instance().is_some() || is_cache(id));
    let of_groups = "for images of groups; leave it out";
    let of_stops = "for instances that are stopped; write 'reboot: stop' beside it, or leave it out";
    let replaced = "for single instances, and Auto Scaling replaces a member that stops; leave it out";
    let wrong: &[(bool, &str, &[&[&str]], &str)] = &[
        (caches, "is for caches", &[&["capture"], &["publish"], &["rollout"], &["keep_in_use"]], of_groups),
        (
            caches || groups,
            "is for no single instance",
            &[&["retain", "consistent"]],
            "for images of such; leave it out",
        ),
        (
            instances,
            "is for instances",
            &[&["publish"], &["rollout"], &["capture", "protect_from_scale_in"], &["capture", "during_refresh"]],
            of_groups,
        ),
        (groups && capture.stop, "is for groups", &[&["capture", "reboot"]], replaced),
        (groups, "is for groups", &[&["capture", "stop_within"], &["capture", "allow_address_change"]], replaced),
        (
            !caches && !groups && !capture.stop,
            "stops no instance",
            &[&["capture", "stop_within"], &["capture", "allow_address_change"]],
            of_stops,
        ),
    ];
    for (holds, whose, keys, why) in wrong {
        for path in keys.iter().filter(|_| *holds) {
            if path.iter().try_fold(node, |node, key| node.get(key)).is_some() {
                let key = path.last().copied().unwrap_or_default();
                mistakes.add(node.place_of(path), format!("the plan {whose}, and '{key}' is {why}"));
            }
        }
    }
}

fn capture(text: Option<&CaptureText>, node: &Node, mistakes: &mut Mistakes<'_>) -> Capture {
    let Some(text) = text else { return Capture::default() };
    let within = text
        .stop_within
        .as_deref()
        .and_then(|text| mistakes.take(node.place_of(&["capture", "stop_within"]), value::stop_within(text)));
    Capture {
        asks_consent: false,
        protect_from_scale_in: text.protect_from_scale_in.unwrap_or_default(),
        during_refresh: text.during_refresh.unwrap_or_default(),
        stop: matches!(text.reboot, Some(RebootText::Stop)),
        stop_within_seconds: within.unwrap_or(STOP_WITHIN_SECONDS_DEFAULT),
        allow_address_change: text.allow_address_change.unwrap_or_default(),
    }
}

fn publish(text: Option<PublishText>, node: &Node, mistakes: &mut Mistakes<'_>) -> Publish {
    let PublishToText { ssm, on_manual_change, max_generations } = match text {
        None => return Publish::default(),
        Some(PublishText::No(_)) => return Publish { to: PublishTo::Nothing, ..Publish::default() },
        Some(PublishText::To(text)) => text,
    };
    if let Some(name) = &ssm {
        mistakes.take(node.place_of(&["publish", "ssm"]), value::parameter(name));
    }
    Publish {
        to: ssm.map_or(PublishTo::Group, PublishTo::Parameter),
        on_manual_change: on_manual_change.unwrap_or_default(),
        max_generations: max_generations.map(|max| u32::try_from(max).expect("the schema's bounds hold")),
        rollout: None,
    }
}

/// What becomes of things that are gone can be said only of things that are gone.
fn removed(name: &str, taken: &Taken) -> Result<(), String> {
    if let Some(plan) = taken.still(name) {
        let name = shown(name);
        return Err(format!("'{name}' is not removed: plan {plan} of this file has it; leave it out of 'removed'"));
    }
    if value::plan_name(name).is_err() && name.parse::<SourceId>().is_err() {
        return Err(format!(
            "'{}' is neither a plan nor a source; write the plan's name, or the source as in group/NAME",
            shown(name)
        ));
    }
    Ok(())
}
