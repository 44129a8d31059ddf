//! Which fields of a record an event changes: by the stored form, so that no table of the tests forgets one.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

/// The fields that differ, by name, each with what it holds afterwards.
pub(crate) fn fields<T: Serialize>(before: &T, after: &T) -> Vec<(String, Option<Value>)> {
    let stored = |record: &T| match serde_json::to_value(record).expect("it can be stored") {
        Value::Object(fields) => fields,
        other => panic!("{other} is no record"),
    };
    let (old, new) = (stored(before), stored(after));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changed = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
    changed.map(|name| (name.clone(), new.get(name).cloned())).collect()
}
