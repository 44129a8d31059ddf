//! The Resource Groups Tagging API: which caches and which of their snapshots bear a tag. ElastiCache itself tells the tags of
//! one thing at a time.

use aws_sdk_resourcegroupstagging::types::{ResourceTagMapping, TagFilter};
use lastgood_core::facts::{CacheSnapshot, Tags};
use lastgood_core::id::{CacheFamily, CacheId, CacheKind};
use lastgood_engine::call::elasticache::{CacheSnapshotsTagged, CachesTagged, ManualCacheSnapshots};
use lastgood_engine::{Answers, Call, Called};

use crate::Aws;
use crate::pages;

/// What a cache is called there, and in its ARN.
const CACHES: [(&str, CacheKind); 3] = [
    ("cluster", CacheKind::Cluster),
    ("replicationgroup", CacheKind::ReplicationGroup),
    ("serverlesscache", CacheKind::Serverless),
];
/// What a snapshot is called there, and in its ARN.
const SNAPSHOTS: [(&str, CacheFamily); 2] =
    [("snapshot", CacheFamily::Nodes), ("serverlesscachesnapshot", CacheFamily::Serverless)];

/// `arn:aws:elasticache:REGION:ACCOUNT:cluster:NAME`: what it is of, and its name.
fn read_arn(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.splitn(7, ':').skip(5);
    Some((parts.next()?, parts.next()?))
}

impl Aws {
    /// The ARNs of what bears all of these tags, and all tags of each.
    async fn tagged(&self, tags: &Tags, kinds: impl Iterator<Item = &str>) -> Called<Vec<(String, Tags)>> {
        if !self.caches {
            return Ok(Ok(Vec::new()));
        }
        let filters = tags.iter().map(|(key, value)| TagFilter::builder().key(key).values(value).build());
        let request = self.tagging.get_resources().set_tag_filters(Some(filters.collect()));
        let kinds = kinds.map(|kind| format!("elasticache:{kind}")).collect();
        let pages = request.set_resource_type_filters(Some(kinds)).into_paginator().send();
        let of = |found: ResourceTagMapping| {
            let tags = found.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect();
            Some((found.resource_arn?, tags))
        };
        let read = |page: aws_sdk_resourcegroupstagging::operation::get_resources::GetResourcesOutput| {
            Ok(page.resource_tag_mapping_list.unwrap_or_default().into_iter().filter_map(of).collect())
        };
        pages::all(CachesTagged::ACTION, pages, read).await
    }
}

impl Answers<CachesTagged> for Aws {
    async fn call(&self, CachesTagged(tags): &CachesTagged) -> Called<Vec<(CacheId, Tags)>> {
        let found = self.tagged(tags, CACHES.iter().map(|(word, _)| *word)).await?;
        let cache = |(arn, tags): (String, Tags)| {
            let (word, name) = read_arn(&arn)?;
            let (_, kind) = CACHES.iter().find(|(known, _)| *known == word)?;
            Some((CacheId { kind: *kind, name: name.to_owned() }, tags))
        };
        Ok(found.map(|found| found.into_iter().filter_map(cache).collect()))
    }
}

impl Answers<CacheSnapshotsTagged> for Aws {
    async fn call(&self, CacheSnapshotsTagged { key, value }: &CacheSnapshotsTagged) -> Called<Vec<CacheSnapshot>> {
        let tags = [(key.clone(), value.clone())].into();
        let tagged = match self.tagged(&tags, SNAPSHOTS.iter().map(|(word, _)| *word)).await? {
            Ok(tagged) => tagged,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let is_of = |family| {
            tagged.iter().filter_map(|(arn, _)| read_arn(arn)).any(|(word, _)| SNAPSHOTS.contains(&(word, family)))
        };
        // What bears a tag is told for a while after it is gone: what is there the describe says.
        let with = |snapshot: CacheSnapshot| {
            let (_, tags) = tagged.iter().find(|(arn, _)| *arn == snapshot.arn)?;
            Some(CacheSnapshot { tags: tags.clone(), ..snapshot })
        };
        let mut found = Vec::new();
        for family in [CacheFamily::Nodes, CacheFamily::Serverless].into_iter().filter(|family| is_of(*family)) {
            match self.call(&ManualCacheSnapshots(family)).await? {
                Ok(snapshots) => found.extend(snapshots.into_iter().filter_map(with)),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        Ok(Ok(found))
    }
}
