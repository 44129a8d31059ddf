//! IAM, as far as Lastgood's own policies go: statements, the needs of a call, and the verdict on each.
//!
//! AWS: IAM policy evaluation logic. An explicit Deny wins, then an Allow, else the call is refused. An operator that is
//! not known here is an error when a policy is read, not a silent no: a condition that nobody judges would pass every test.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::filter::wildcard;

/// Allow or Deny.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// What it names may be done.
    Allow,
    /// What it names may not be done, whatever else allows it.
    Deny,
}

/// One condition of a statement: `StringEquals: {key: values}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// `StringEquals`, `ForAllValues:StringNotEquals`, …
    pub operator: String,
    /// `aws:RequestTag/lastgood:managed-by`. AWS compares keys in any case; ours are written in one.
    pub key: String,
    /// Any of these.
    pub values: Vec<String>,
}

/// One statement of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its name.
    pub sid: String,
    /// Allow or Deny.
    pub effect: Effect,
    /// `ec2:CreateImage`, with wildcards.
    pub actions: Vec<String>,
    /// ARNs, with wildcards.
    pub resources: Vec<String>,
    /// All of them must hold.
    pub conditions: Vec<Condition>,
}

/// The policies of one principal, together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// In no order that matters.
    pub statements: Vec<Statement>,
}

/// One permission that a call needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Need {
    /// `ec2:CreateImage`.
    pub action: String,
    /// The ARN that it is about; `*` where AWS knows no resource of the action.
    pub resource: String,
    /// What AWS knows of the request, by condition key.
    pub context: BTreeMap<String, Vec<String>>,
}

impl Need {
    /// A need without anything to judge conditions by.
    pub fn new(action: &str, resource: impl Into<String>) -> Self {
        Self { action: action.to_owned(), resource: resource.into(), context: BTreeMap::new() }
    }

    /// The same, with one more thing that AWS knows of the request.
    #[must_use]
    pub fn knowing(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.context.entry(key.into()).or_default().push(value.into());
        self
    }

    /// The same, with the tags that the request gives to what it makes.
    #[must_use]
    pub fn giving_tags<'a>(self, tags: impl IntoIterator<Item = (&'a String, &'a String)>) -> Self {
        tags.into_iter().fold(self, |need, (key, value)| need.knowing(format!("aws:RequestTag/{key}"), value))
    }

    /// The same, with the tags that the resource bears.
    #[must_use]
    pub fn bearing_tags<'a>(self, tags: impl IntoIterator<Item = (&'a String, &'a String)>) -> Self {
        tags.into_iter().fold(self, |need, (key, value)| need.knowing(format!("aws:ResourceTag/{key}"), value))
    }
}

impl std::fmt::Display for Need {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} on {}", self.action, self.resource)?;
        for (key, values) in &self.context {
            write!(f, ", {key} = {}", values.join(" | "))?;
        }
        Ok(())
    }
}

/// What comes of a need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// A statement allows it.
    Allowed,
    /// This statement denies it.
    Denied(String),
    /// No statement allows it.
    NotAllowed,
}

impl Judged {
    /// Whether it may be done.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed)
    }
}

fn list(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(list).collect(),
        Value::String(text) => vec![text.clone()],
        Value::Bool(_) | Value::Number(_) => vec![value.to_string()],
        Value::Null | Value::Object(_) => Vec::new(),
    }
}

impl Policy {
    /// A policy document. An error names the statement and what is wrong with it.
    pub fn read(document: &Value) -> Result<Self, String> {
        let statements = match &document["Statement"] {
            Value::Array(statements) => statements.iter().map(Statement::read).collect::<Result<_, _>>()?,
            one @ Value::Object(_) => vec![Statement::read(one)?],
            other => return Err(format!("a policy without statements: {other}")),
        };
        Ok(Self { statements })
    }

    /// Whether a principal with these policies may.
    pub fn judge(&self, need: &Need) -> Judged {
        let matching = |effect| self.statements.iter().find(|one| one.effect == effect && one.matches(need));
        if let Some(statement) = matching(Effect::Deny) {
            return Judged::Denied(statement.sid.clone());
        }
        matching(Effect::Allow).map_or(Judged::NotAllowed, |_| Judged::Allowed)
    }
}

impl Statement {
    fn read(statement: &Value) -> Result<Self, String> {
        let sid = statement["Sid"].as_str().unwrap_or("(no Sid)").to_owned();
        let effect = match statement["Effect"].as_str() {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            other => return Err(format!("{sid}: its effect is {other:?}")),
        };
        let (actions, resources) = (list(&statement["Action"]), list(&statement["Resource"]));
        if actions.is_empty() || resources.is_empty() {
            return Err(format!("{sid}: it names no action, or no resource; NotAction and NotResource are not judged"));
        }
        let mut conditions = Vec::new();
        for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
            let base = operator.split_once(':').map_or(operator.as_str(), |(_, base)| base);
            if !OPERATORS.contains(&base) {
                return Err(format!("{sid}: the operator {operator} is not judged"));
            }
            for (key, values) in keys.as_object().into_iter().flatten() {
                conditions.push(Condition { operator: operator.clone(), key: key.clone(), values: list(values) });
            }
        }
        Ok(Self { sid, effect, actions, resources, conditions })
    }

    fn matches(&self, need: &Need) -> bool {
        self.actions.iter().any(|action| wildcard(action, &need.action))
            && self.resources.iter().any(|resource| wildcard(resource, &need.resource))
            && self.conditions.iter().all(|condition| condition.holds(need.context.get(&condition.key)))
    }
}

/// The operators that are judged here.
const OPERATORS: [&str; 8] =
    ["StringEquals", "StringNotEquals", "StringLike", "ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike", "Bool"];

impl Condition {
    /// AWS: IAM JSON policy elements, condition operators; multivalued context keys. A key that the request lacks meets
    /// a negated operator and `ForAllValues`, and nothing else.
    fn holds(&self, asked: Option<&Vec<String>>) -> bool {
        let (set, base) = match self.operator.split_once(':') {
            Some((set, base)) => (Some(set), base),
            None => (None, self.operator.as_str()),
        };
        let is_negated = base.contains("Not");
        let is_like = base.starts_with("Arn") || base.ends_with("Like");
        let one = |value: &String| {
            let equals = |wanted: &String| if is_like { wildcard(wanted, value) } else { wanted == value };
            self.values.iter().any(equals) != is_negated
        };
        match (set, asked) {
            (Some("ForAllValues"), None) => true,
            (Some("ForAllValues") | None, Some(asked)) => asked.iter().all(one),
            (Some(_), None) => false,
            (Some(_), Some(asked)) => asked.iter().any(one),
            (None, None) => is_negated,
        }
    }
}

/// Who may what, who calls, and what was needed: shared by the world, the table and the bus of one deployment.
#[derive(Clone, Debug, Default)]
pub struct Access(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// By the role's name. A role without policies is not judged.
    policies: Arc<BTreeMap<&'static str, Policy>>,
    role: Option<&'static str>,
    /// Everything that was needed, by role.
    used: BTreeMap<&'static str, BTreeSet<Need>>,
    /// What was refused, in words.
    refused: Vec<String>,
}

impl Access {
    /// From now on the calls of these roles are judged.
    pub fn enforce(&self, policies: Arc<BTreeMap<&'static str, Policy>>) {
        self.lock().policies = policies;
    }

    /// In which role the calls come from now on; in nobody's, `None`: they are not judged.
    pub fn act_in(&self, role: Option<&'static str>) -> Option<&'static str> {
        std::mem::replace(&mut self.lock().role, role)
    }

    /// Whether the caller may do all of that; or the first need that is refused. A refusal is kept as well.
    pub(crate) fn judge(&self, needs: &[Need]) -> Result<(), Need> {
        let inner = &mut *self.lock();
        let Some(role) = inner.role else { return Ok(()) };
        let policies = Arc::clone(&inner.policies);
        let Some(policy) = policies.get(role) else { return Ok(()) };
        for need in needs {
            if inner.used.get(role).is_some_and(|used| used.contains(need)) {
                continue;
            }
            let why = match policy.judge(need) {
                Judged::Allowed => {
                    inner.used.entry(role).or_default().insert(need.clone());
                    continue;
                }
                Judged::Denied(sid) => format!(" (denied by {sid})"),
                Judged::NotAllowed => String::new(),
            };
            inner.refused.push(format!("{role} may not: {need}{why}"));
            return Err(need.clone());
        }
        Ok(())
    }

    /// What was needed and allowed, by role.
    pub fn used(&self) -> BTreeSet<(&'static str, Need)> {
        let inner = self.lock();
        inner.used.iter().flat_map(|(role, needs)| needs.iter().map(|need| (*role, need.clone()))).collect()
    }

    /// What was refused since this was last asked, in words.
    pub fn take_refused(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().refused)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
