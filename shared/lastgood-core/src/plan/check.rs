//! Holds the tree of a plan file against the JSON Schema: every unknown key, missing key and value of a wrong kind at
//! once. What is wrong is cut out, so that the rest can be read on; a misspelt key is read on as the one that was meant.
//!
//! It knows the part of JSON Schema that our own schema uses; a test holds that it uses no other.

use std::fmt;

use serde_json::Value;

use super::mistake::Mistakes;
use super::tree::{Entry, Kind, Node, Place};
use super::words::{instead, meant, nearest};
use crate::text::shown;

/// Checks the `tree` of `text` against the whole schema, and returns what of it is right.
pub(super) fn check(schema: &Value, text: &str, tree: Node, mistakes: &mut Mistakes<'_>) -> Option<Node> {
    Check { root: schema, text, mistakes }.node(schema, tree, Name::File)
}

/// What a mistake calls a value.
#[derive(Clone, Copy)]
enum Name<'a> {
    File,
    Key(&'a str),
    EntryOf(&'a str),
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => f.write_str("the file"),
            Self::Key(key) => write!(f, "'{}'", shown(key)),
            Self::EntryOf(key) => write!(f, "an entry of '{key}'"),
        }
    }
}

struct Check<'a, 'm> {
    root: &'a Value,
    /// The file, to quote from.
    text: &'a str,
    mistakes: &'a mut Mistakes<'m>,
}

impl<'a> Check<'a, '_> {
    /// `node` as `schema` wants it; `None` after a mistake that leaves nothing of it.
    fn node(&mut self, schema: &'a Value, node: Node, name: Name<'_>) -> Option<Node> {
        let forms = forms(self.root, schema);
        let Some(form) = forms.iter().find(|form| fits(form, &node.kind)) else {
            let what = format!("{name} is {}; write {}", node.what(self.text), self.remedy(schema, &node, name));
            self.mistakes.add(node.place, what);
            return None;
        };
        if let Some(words) = words(form) {
            return self.word(schema, &words, node, name);
        }
        if let Some(what) = out_of_bounds(form, &node, self.text) {
            self.mistakes.add(node.place, format!("{name} {what}"));
            return None;
        }
        match node.kind {
            Kind::Map(entries) => Some(self.map(form, node.place, entries, name)),
            Kind::List(items) => {
                let key = if let Name::Key(key) = name { key } else { "a list" };
                let count = items.len();
                let items: Vec<Node> =
                    items.into_iter().filter_map(|item| self.node(&form["items"], item, Name::EntryOf(key))).collect();
                Some(Node { cut: items.len() < count, kind: Kind::List(items), ..node })
            }
            kind => Some(Node { kind, ..node }),
        }
    }

    /// A text of which the schema knows every word.
    fn word(&mut self, schema: &'a Value, words: &[&str], node: Node, name: Name<'_>) -> Option<Node> {
        let Kind::Text(text) = &node.kind else { return None };
        if words.contains(&text.as_str()) {
            return Some(node);
        }
        let remedy = match (instead(text), nearest(text, words)) {
            (Some(instead), _) => instead.to_owned(),
            (None, Some(word)) => format!("did you mean {word}?"),
            (None, None) => format!("write {}", self.remedy(schema, &node, name)),
        };
        self.mistakes.add(node.place, format!("{name} is {}; {remedy}", node.what(self.text)));
        None
    }

    fn map(&mut self, schema: &'a Value, place: Place, entries: Vec<Entry>, name: Name<'_>) -> Node {
        let properties: Vec<(&str, &Value)> = properties(schema).collect();
        let known: Vec<&str> = properties.iter().map(|(key, _)| *key).collect();
        let schema_of = |key: &str| properties.iter().find(|(known, _)| *known == key).map(|(_, schema)| *schema);
        let there: Vec<String> = entries.iter().map(|entry| entry.key.clone()).collect();
        let count = entries.len();
        let mut kept: Vec<Entry> = Vec::new();
        let mut told: Vec<String> = Vec::new();
        for mut entry in entries {
            if schema_of(&entry.key).is_none() && free(schema).is_none() {
                // Without a word that was meant, or with that word there besides, nothing more can be said of it.
                let meant = self.unknown(&entry, &known, name).filter(|meant| !there.contains(meant));
                let Some(meant) = meant else { continue };
                entry.key = meant;
            }
            let (key, place) = (entry.key.clone(), entry.place);
            let value = schema_of(&key).or_else(|| free(schema)).and_then(|schema| self.value(schema, entry));
            if told.contains(&key) {
                self.mistakes.add(place, format!("'{}' is there twice; write it once", shown(&key)));
            } else {
                kept.extend(value);
                told.push(key);
            }
        }
        for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !told.iter().any(|told| told == key) {
                self.mistakes.add(place, format!("{name} lacks '{key}'; write {}", self.whole(schema_of(key), key)));
            }
        }
        Node { cut: kept.len() < count, ..Node::new(place, Kind::Map(kept)) }
    }

    fn value(&mut self, schema: &'a Value, entry: Entry) -> Option<Entry> {
        let value = self.node(schema, entry.value, Name::Key(&entry.key))?;
        Some(Entry { value, ..entry })
    }

    /// Tells of an unknown key; returns the one that was meant, if that can be seen.
    fn unknown(&mut self, entry: &Entry, known: &[&str], name: Name<'_>) -> Option<String> {
        let elsewhere = home(self.root, self.root, Name::File, &entry.key);
        let meant = meant(&entry.key, known).filter(|_| elsewhere.is_none());
        let remedy = match (instead(&entry.key), elsewhere, meant) {
            (Some(instead), _, _) => instead.to_owned(),
            (None, Some(Name::File), _) => "write it at the top of the file, beside 'plans'".into(),
            (None, Some(elsewhere), _) => format!("write it in {elsewhere}"),
            (None, None, Some(meant)) => format!("did you mean '{meant}'?"),
            (None, None, None) => format!("write {}", listed(known)),
        };
        self.mistakes.add(entry.place, format!("{name} can't say '{}'; {remedy}", shown(&entry.key)));
        meant.filter(|_| instead(&entry.key).is_none()).map(str::to_owned)
    }

    /// What to write in the place of `found`.
    fn remedy(&self, schema: &'a Value, found: &Node, name: Name<'_>) -> String {
        let forms = forms(self.root, schema);
        let example = self.example(schema, name);
        let written = shown(found.written(self.text));
        let form = forms.first().copied().unwrap_or(schema);
        match (&found.kind, form["type"].as_str(), example) {
            (Kind::Text(text), Some("integer"), _) if text.parse::<i64>().is_ok() => {
                format!("it without quotes: {text}")
            }
            (Kind::Bool(_) | Kind::Integer(_) | Kind::Float(_), Some("string"), None) => {
                format!("it in quotes: '{written}'")
            }
            (_, _, example) => {
                let kinds = forms.iter().map(|form| kind_of(form)).collect::<Vec<_>>().join(", or ");
                let example = example.map(|example| format!(", as in {example}"));
                format!("{kinds}{}", example.unwrap_or_default())
            }
        }
    }

    /// The schema's example of a value, with its key in front.
    fn example(&self, schema: &'a Value, name: Name<'_>) -> Option<String> {
        let examples = [schema].into_iter().chain(forms(self.root, schema)).map(|schema| &schema["examples"][0]);
        let example = flow(examples.into_iter().find(|example| !example.is_null())?);
        Some(match name {
            Name::File => format!("'{}'", example.trim_start_matches('{').trim_end_matches('}')),
            Name::Key(key) => format!("'{key}: {example}'"),
            Name::EntryOf(_) => format!("'{example}'"),
        })
    }

    /// What to write for a key that is missing.
    fn whole(&self, schema: Option<&'a Value>, key: &str) -> String {
        let Some(schema) = schema else { return format!("'{key}'") };
        let description = schema["description"].as_str().unwrap_or_default().trim_end_matches('.').replace('\n', " ");
        self.example(schema, Name::Key(key)).map_or_else(|| description, |example| format!("it, as in {example}"))
    }
}

/// The forms that a value may have: the schema that a reference stands for, or each of several.
fn forms<'a>(root: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#'));
        return forms(root, target.expect("the schema's references are its own"));
    }
    match schema["anyOf"].as_array() {
        Some(several) => several.iter().flat_map(|form| forms(root, form)).collect(),
        None => vec![schema],
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    schema["properties"].as_object().into_iter().flatten().map(|(key, schema)| (key.as_str(), schema))
}

/// The schema of keys that are free, as in a mapping of tags.
fn free(schema: &Value) -> Option<&Value> {
    Some(&schema["additionalProperties"]).filter(|free| free.is_object())
}

/// The words that a text may be, if only some may.
fn words(schema: &Value) -> Option<Vec<&str>> {
    if let Some(list) = schema["enum"].as_array() {
        return Some(list.iter().filter_map(Value::as_str).collect());
    }
    if let Some(word) = schema["const"].as_str() {
        return Some(vec![word]);
    }
    let forms = schema["oneOf"].as_array()?;
    Some(forms.iter().filter_map(words).flatten().collect())
}

/// Whether a value is of the kind that a form wants.
fn fits(form: &Value, kind: &Kind) -> bool {
    let wanted = if words(form).is_some() { "string" } else { form["type"].as_str().unwrap_or_default() };
    matches!(
        (wanted, kind),
        ("object", Kind::Map(_))
            | ("array", Kind::List(_))
            | ("string", Kind::Text(_))
            | ("boolean", Kind::Bool(_))
            | ("integer", Kind::Integer(_))
    )
}

/// What is wrong with the size of a value, and which would be right.
fn out_of_bounds(form: &Value, node: &Node, text: &str) -> Option<String> {
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let (size, least, most, what) = match &node.kind {
        Kind::Integer(value) => (*value, "minimum", "maximum", format!("is {}", node.what(text))),
        Kind::Text(text) => {
            let chars = count(text.chars().count());
            (chars, "minLength", "maxLength", format!("has {chars} characters"))
        }
        Kind::List(items) => (count(items.len()), "minItems", "maxItems", format!("has {} entries", items.len())),
        Kind::Null | Kind::Bool(_) | Kind::Float(_) | Kind::Map(_) => return None,
    };
    if let Some(least) = form[least].as_i64().filter(|least| size < *least) {
        let or_not = if matches!(node.kind, Kind::Integer(_)) { ", or leave it out" } else { "" };
        return Some(format!("{what}; write {least} or more{or_not}"));
    }
    let most = form[most].as_i64().filter(|most| size > *most)?;
    Some(format!("{what}; write {most} or less"))
}

/// What a form wants, in words.
fn kind_of(form: &Value) -> String {
    if let Some(words) = words(form) {
        return listed(&words);
    }
    let kind = match form["type"].as_str().unwrap_or_default() {
        "string" => "a text",
        "integer" => "a whole number",
        "boolean" => "true or false, without quotes",
        "array" => "a list",
        _ => "keys and values under it",
    };
    kind.to_owned()
}

/// Where in a plan file a key belongs, if it has a place at all.
fn home<'a>(root: &'a Value, schema: &'a Value, name: Name<'a>, key: &str) -> Option<Name<'a>> {
    forms(root, schema).into_iter().find_map(|form| {
        if form["type"] == "array" {
            let Name::Key(list) = name else { return None };
            return home(root, &form["items"], Name::EntryOf(list), key);
        }
        let here = properties(form).any(|(known, _)| known == key).then_some(name);
        here.or_else(|| properties(form).find_map(|(inner, schema)| home(root, schema, Name::Key(inner), key)))
    })
}

/// A value as YAML writes it in one line.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entries: Vec<String> = map.iter().map(|(key, value)| format!("{key}: {}", flow(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// Words as a sentence lists them.
fn listed(words: &[&str]) -> String {
    match words {
        [] => "something else".into(),
        [word] => (*word).into(),
        [words @ .., last] => format!("{} or {last}", words.join(", ")),
    }
}
