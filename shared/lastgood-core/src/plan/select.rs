//! Which sources a plan is for. A source belongs to one plan of a file, and a parameter to one source.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::mistake::Mistakes;
use super::text::SelectText;
use super::tree::{Node, Place};
use super::{Select, value};
use crate::facts::Tags;
use crate::id::{CacheId, CacheKind, GroupName, InstanceId, SourceId};
use crate::text::shown;

/// The most tags that AWS's filters take in one call (AWS: DescribeAutoScalingGroups, Filters).
pub(super) const TAGS_MAX: usize = 5;

/// What the names of one key are of.
#[derive(Clone, Copy)]
enum Kind {
    Group,
    Instance,
    Cache(CacheKind),
}

/// The sources of a plan, and where it names each.
pub(super) type Selected = (Select, BTreeMap<SourceId, Place>);

/// What `select` of one plan means. `node` is the plan.
pub(super) fn select(text: SelectText, node: &Node, mistakes: &mut Mistakes<'_>) -> Selected {
    let tags: Tags = text.tags.unwrap_or_default();
    let of_caches = |key, kind, names: Option<Vec<String>>| (key, Kind::Cache(kind), names.unwrap_or_default());
    let named = [
        ("groups", Kind::Group, text.groups.unwrap_or_default()),
        ("instances", Kind::Instance, text.instances.unwrap_or_default()),
        of_caches("replication_groups", CacheKind::ReplicationGroup, text.replication_groups),
        of_caches("cache_clusters", CacheKind::Cluster, text.cache_clusters),
        of_caches("serverless_caches", CacheKind::Serverless, text.serverless_caches),
    ];
    let none_named = named.iter().all(|(_, _, names)| names.is_empty());
    if none_named && tags.is_empty() && !node.get("select").is_some_and(Node::is_cut) {
        let what = "the plan selects nothing; write a group, as in 'groups: [web-prod]', or a tag, as in 'tags: {lastgood: web}'";
        mistakes.add(node.place_of(&["select"]), what);
    }
    let mut places = BTreeMap::new();
    let each = named.into_iter().flat_map(|(key, kind, names)| {
        names.into_iter().enumerate().map(move |(index, name)| (key, index.to_string(), kind, name))
    });
    for (key, index, kind, name) in each {
        let place = node.place_of(&["select", key, &index]);
        let id = match kind {
            Kind::Group => value::group_name(&name).map(|()| SourceId::Group(GroupName(name))),
            Kind::Instance => value::instance_id(&name).map(|()| SourceId::Instance(InstanceId(name))),
            Kind::Cache(kind) => value::cache_name(&name).map(|name| SourceId::Cache(CacheId { kind, name })),
        };
        let Some(id) = mistakes.take(place, id) else { continue };
        match places.entry(id) {
            Entry::Vacant(entry) => {
                entry.insert(place);
            }
            Entry::Occupied(entry) => {
                let what = format!("{} is named twice in this plan; name it once", shown(&entry.key().to_string()));
                mistakes.add(place, what);
            }
        }
    }
    if tags.len() > TAGS_MAX {
        let what = format!("there are {} tags, and AWS looks for at most {TAGS_MAX} at once; write fewer", tags.len());
        mistakes.add(node.place_of(&["select", "tags"]), what);
    }
    for (key, value) in &tags {
        mistakes.take(node.place_of(&["select", "tags", key]), value::tag(key, value));
    }
    (Select { sources: places.keys().cloned().collect(), tags }, places)
}

/// What the plans of the file took so far. A plan is spoken of by its name, or by its line.
#[derive(Default)]
pub(super) struct Taken {
    names: Vec<String>,
    sources: BTreeMap<SourceId, String>,
    tags: Vec<(String, Tags)>,
    parameters: BTreeMap<String, String>,
}

impl Taken {
    /// Takes the name of a plan.
    pub(super) fn name(&mut self, name: &str, place: Place, mistakes: &mut Mistakes<'_>) {
        if self.names.iter().any(|other| other == name) {
            mistakes.add(place, format!("there are two plans named '{}'; give each its own name", shown(name)));
        }
        self.names.push(name.to_owned());
    }

    /// Takes what a plan selects.
    pub(super) fn select(&mut self, plan: &str, (select, places): &Selected, node: &Node, mistakes: &mut Mistakes<'_>) {
        for (id, place) in places {
            if let Some(other) = self.sources.get(id) {
                let id = shown(&id.to_string());
                let what = format!("{id} is in two plans, {other} and {plan}; leave it in one of them");
                mistakes.add(*place, what);
            } else {
                self.sources.insert(id.clone(), plan.to_owned());
            }
        }
        if select.tags.is_empty() {
            return;
        }
        let within = |one: &Tags, other: &Tags| one.iter().all(|(key, value)| other.get(key) == Some(value));
        let overlaps = |tags: &Tags| within(tags, &select.tags) || within(&select.tags, tags);
        if let Some((other, _)) = self.tags.iter().find(|(_, tags)| overlaps(tags)) {
            let what =
                format!("sources with these tags are in plan {other} too; write a tag whose value differs in the two");
            mistakes.add(node.place_of(&["select", "tags"]), what);
        }
        self.tags.push((plan.to_owned(), select.tags.clone()));
    }

    /// Takes the parameter that a plan writes for its named groups. Two sources that wrote into one would each hold the
    /// other's image for one that was put there by hand.
    pub(super) fn parameter(
        &mut self,
        plan: &str,
        name: &str,
        select: &Select,
        place: Place,
        mistakes: &mut Mistakes<'_>,
    ) {
        if let Some(other) = self.parameters.get(name) {
            let what = format!("'{}' is written by plan {other} too; give each plan its own parameter", shown(name));
            mistakes.add(place, what);
        } else if !select.tags.is_empty() {
            let what = format!(
                "'{}' would hold the image of every group with these tags by turns; leave the tags out, and give each group its own plan and parameter",
                shown(name)
            );
            mistakes.add(place, what);
        } else if select.groups().count() > 1 {
            let what = format!(
                "'{}' would hold the image of {} groups by turns; give each group its own plan and parameter",
                shown(name),
                select.groups().count()
            );
            mistakes.add(place, what);
        }
        self.parameters.insert(name.to_owned(), plan.to_owned());
    }

    /// The plan that a name or a source (group/NAME) still stands for.
    pub(super) fn still(&self, name: &str) -> Option<String> {
        if self.names.iter().any(|other| other == name) {
            return Some(format!("'{}'", shown(name)));
        }
        self.sources.get(&name.parse::<SourceId>().ok()?).cloned()
    }
}
