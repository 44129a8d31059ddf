//! Plans: what to back up, when, how long to keep, how to publish. Read from a YAML file, checked as a whole.
//!
//! Reading gives either every plan of the file or every mistake in it, each with its line and column and what to
//! write instead. Keys that are not known are mistakes: a misspelt key must not pass for a default.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{Span, SpanRelativeTo, Unit};
use serde::{Deserialize, Serialize};
use serde_saphyr::{Location, Spanned};

use crate::id::{GroupName, SourceId};
use crate::retention::Retention;
use crate::schedule::Schedule;

/// The longest name of a plan.
pub const PLAN_NAME_CHARS_MAX: usize = 63;
/// The longest name of an Auto Scaling group (AWS: CreateAutoScalingGroup).
pub const GROUP_NAME_CHARS_MAX: usize = 255;
/// What a plan that does not say `on_overdue` means by it.
pub const ON_OVERDUE_SECONDS_DEFAULT: i64 = 2 * 60 * 60;

/// One checked plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// The sources that it names.
    pub sources: Vec<SourceId>,
    /// What it says of each.
    pub policy: Policy,
}

/// What a plan says of each of its sources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// When a backup is made.
    pub schedule: Schedule,
    /// How long backups are kept.
    pub retain: Retention,
    /// What happens if somebody gave the group another image by hand.
    pub on_manual_change: OnManualChange,
    /// How long after a slot its good backup is due, in seconds.
    pub on_overdue_seconds: i64,
}

/// What to do if the group's image is not the one that was published last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnManualChange {
    /// Leave the group as it is, and tell.
    #[default]
    Hold,
    /// Publish all the same.
    Overwrite,
}

/// A mistake in a plan file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file, as it was named.
    pub file: String,
    /// From 1; 0 if the mistake has no place.
    pub line: u64,
    /// From 1.
    pub column: u64,
    /// What is wrong, and what to write instead.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return write!(f, "{}: {}", self.file, self.what);
        }
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.what)
    }
}

/// A plan, and where in the file each of its sources is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedPlan {
    /// The plan.
    pub plan: Plan,
    /// Line and column of each source.
    pub places: BTreeMap<SourceId, (u64, u64)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    plans: Spanned<Vec<PlanText>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanText {
    name: Spanned<String>,
    select: Spanned<SelectText>,
    schedule: Spanned<String>,
    #[serde(default)]
    retain: Option<RetainText>,
    #[serde(default)]
    publish: Option<PublishText>,
    #[serde(default)]
    on_overdue: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SelectText {
    groups: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RetainText {
    last: Spanned<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PublishText {
    #[serde(default)]
    on_manual_change: OnManualChange,
}

/// Reads a plan file. `file` is its name, for the mistakes.
pub fn read(file: &str, text: &str) -> Result<Vec<PlacedPlan>, Vec<Mistake>> {
    let parsed: FileText = serde_saphyr::from_str(text).map_err(|error| vec![syntax(file, &error)])?;
    let mut reader = Reader { file, mistakes: Vec::new(), seen: BTreeMap::new() };
    if parsed.plans.value.is_empty() {
        reader.mistake(parsed.plans.referenced, "there is no plan in it; write at least one under 'plans:'".into());
    }
    let mut names: Vec<String> = Vec::new();
    let mut plans = Vec::new();
    for plan in parsed.plans.value {
        if names.contains(&plan.name.value) {
            let what = format!("there are two plans named '{}'; give each its own name", plan.name.value);
            reader.mistake(plan.name.referenced, what);
        }
        names.push(plan.name.value.clone());
        plans.extend(reader.plan(plan));
    }
    if reader.mistakes.is_empty() {
        return Ok(plans);
    }
    reader.mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    Err(reader.mistakes)
}

/// What the parser itself refuses: broken YAML, an unknown key, a value of another type.
fn syntax(file: &str, error: &serde_saphyr::Error) -> Mistake {
    let (line, column) = error.location().map_or((0, 0), |location| (location.line(), location.column()));
    let text = error.without_snippet().to_string();
    // The place is told in front; the parser's own "at line …" or "line …: " says it a second time.
    let what = text.lines().next().unwrap_or("not YAML");
    let what = what.split(" at line ").next().unwrap_or(what);
    let what = what.strip_prefix("error: ").unwrap_or(what);
    let what = match what.strip_prefix(&format!("line {line} column {column}: ")) {
        Some(rest) => rest,
        None => what,
    };
    let remedy = if what.contains("expected one of") { String::new() } else { format!("; {EXAMPLE}") };
    Mistake { file: file.to_owned(), line, column, what: format!("{what}{remedy}") }
}

/// What to write where the parser only knows what it did not find.
const EXAMPLE: &str = "a plan file looks like 'plans: [{name: web, select: {groups: [web-prod]}, schedule: hourly}]'";

struct Reader<'a> {
    file: &'a str,
    mistakes: Vec<Mistake>,
    /// Which plan named a source first.
    seen: BTreeMap<SourceId, String>,
}

impl Reader<'_> {
    fn mistake(&mut self, place: Location, what: String) {
        self.mistakes.push(Mistake { file: self.file.to_owned(), line: place.line(), column: place.column(), what });
    }

    /// The plan, or `None` after a mistake that leaves no plan to speak of; smaller ones are noted all the same.
    fn plan(&mut self, text: PlanText) -> Option<PlacedPlan> {
        let name = text.name.value;
        if !is_plan_name(&name) {
            let what = format!(
                "'{name}' can't name a plan; write 1 to {PLAN_NAME_CHARS_MAX} letters, digits, '-', '_' or '.', beginning with a letter or digit"
            );
            self.mistake(text.name.referenced, what);
        }
        let places = self.sources(&name, text.select);
        let retain = text.retain.map_or_else(|| Some(Retention::default()), |retain| self.retention(&retain));
        let on_overdue_seconds = match text.on_overdue {
            None => Some(ON_OVERDUE_SECONDS_DEFAULT),
            Some(text) => self.duration(&text),
        };
        let schedule = Schedule::parse(&text.schedule.value)
            .map_err(|error| self.mistake(text.schedule.referenced, error.to_string()))
            .ok();
        let policy = Policy {
            schedule: schedule?,
            retain: retain?,
            on_manual_change: text.publish.map_or_else(OnManualChange::default, |publish| publish.on_manual_change),
            on_overdue_seconds: on_overdue_seconds?,
        };
        Some(PlacedPlan { plan: Plan { name, sources: places.keys().cloned().collect(), policy }, places })
    }

    fn sources(&mut self, plan: &str, select: Spanned<SelectText>) -> BTreeMap<SourceId, (u64, u64)> {
        let mut places = BTreeMap::new();
        if select.value.groups.is_empty() {
            self.mistake(select.referenced, format!("plan '{plan}' selects nothing; name at least one group"));
        }
        for group in select.value.groups {
            let place = group.referenced;
            if !is_group_name(&group.value) {
                let what = format!(
                    "'{}' can't be the name of a group; they have 1 to {GROUP_NAME_CHARS_MAX} characters and no colon",
                    group.value
                );
                self.mistake(place, what);
                continue;
            }
            let id = SourceId::Group(GroupName(group.value));
            match self.seen.insert(id.clone(), plan.to_owned()) {
                Some(other) if other == plan => {
                    self.mistake(place, format!("{id} is named twice in plan '{plan}'; name it once"));
                }
                Some(other) => {
                    let what = format!("{id} is in two plans, '{other}' and '{plan}'; leave it in one");
                    self.mistake(place, what);
                }
                None => {
                    places.insert(id, (place.line(), place.column()));
                }
            }
        }
        places
    }

    fn retention(&mut self, text: &RetainText) -> Option<Retention> {
        match u32::try_from(text.last.value) {
            Ok(last) if last > 0 => Some(Retention { last }),
            _ => {
                let what = format!("'last: {}' keeps nothing; write 1 or more", text.last.value);
                self.mistake(text.last.referenced, what);
                None
            }
        }
    }

    fn duration(&mut self, text: &Spanned<String>) -> Option<i64> {
        let seconds = text.value.parse::<Span>().ok().and_then(|span| {
            let relative = SpanRelativeTo::days_are_24_hours();
            span.total((Unit::Second, relative)).ok()
        });
        // A whole number of seconds below this limit is exact in a float, and cut on purpose.
        match seconds {
            Some(seconds) if (60.0..=3.2e9).contains(&seconds) =>
            {
                #[expect(clippy::cast_possible_truncation, reason = "checked to be in range just above")]
                Some(seconds as i64)
            }
            _ => {
                let what =
                    format!("'{}' is no length of time of a minute or more; write '90m', '2h' or '1d'", text.value);
                self.mistake(text.referenced, what);
                None
            }
        }
    }
}

fn is_plan_name(name: &str) -> bool {
    name.len() <= PLAN_NAME_CHARS_MAX
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn is_group_name(name: &str) -> bool {
    (1..=GROUP_NAME_CHARS_MAX).contains(&name.chars().count())
        && !name.contains(':')
        && !name.chars().any(char::is_control)
        && name.trim() == name
}

#[cfg(test)]
mod mistakes;
