//! ElastiCache's calls about snapshots, of both families.

use lastgood_core::id::{CacheFamily, CacheId, CacheKind, CacheSnapshotId};
use lastgood_core::seconds_between;

use crate::access::Need;
use crate::cache::{cache_arn, kind_word};
use crate::cache_snapshot::{CacheOrigin, CacheSnapshot, CacheSnapshotState, CreateCacheSnapshot, snapshot_word};
use crate::fault::AwsError;
use crate::filter::{self, Page, Paging};
use crate::service::ElastiCache;
use crate::state::Asked;

impl ElastiCache<'_> {
    /// CreateSnapshot, or CreateServerlessCacheSnapshot.
    pub fn create_snapshot(&self, request: &CreateCacheSnapshot) -> Result<CacheSnapshot, AwsError> {
        let (action, kind, name) = match &request.of {
            CacheOrigin::Cluster(name) => ("elasticache:CreateSnapshot", CacheKind::Cluster, name),
            CacheOrigin::Group(name) => ("elasticache:CreateSnapshot", CacheKind::ReplicationGroup, name),
            CacheOrigin::Serverless(name) => ("elasticache:CreateServerlessCacheSnapshot", CacheKind::Serverless, name),
        };
        let snapshot = cache_arn(snapshot_word(kind.family()), &request.name);
        let mut asked = Asked::new(action, cache_arn(kind_word(kind), name), format!("{} {name}", request.name))
            .and(Need::new(action, snapshot.clone()).giving_tags(&request.tags));
        if !request.tags.is_empty() {
            asked = asked.and(Need::new("elasticache:AddTagsToResource", snapshot).giving_tags(&request.tags));
        }
        let id = CacheId { kind, name: name.clone() };
        let asked = asked.and_more(move |state| state.needs_to_snapshot(&id));
        self.0.serve(asked, |state| state.create_cache_snapshot(request))
    }

    /// DescribeSnapshots and DescribeServerlessCacheSnapshots: by name, or all by hand.
    pub fn describe_snapshots(
        &self,
        family: CacheFamily,
        name: Option<&str>,
        paging: &Paging,
    ) -> Result<Page<CacheSnapshot>, AwsError> {
        let action = match family {
            CacheFamily::Nodes => "elasticache:DescribeSnapshots",
            CacheFamily::Serverless => "elasticache:DescribeServerlessCacheSnapshots",
        };
        let asked = Asked::new(action, cache_arn(snapshot_word(family), name.unwrap_or("*")), name.unwrap_or("all"));
        self.0.serve(asked, |state| {
            let visible = |snapshot: &&CacheSnapshot| {
                let age = seconds_between(snapshot.begun_at, state.now);
                snapshot.id.family == family && age >= state.settings.cache_snapshot_visible_seconds
            };
            let all = state.cache_snapshots.values().filter(visible);
            let found: Vec<CacheSnapshot> = match name {
                Some(name) => all.filter(|snapshot| snapshot.id.name == name.to_ascii_lowercase()).cloned().collect(),
                None => all.filter(|snapshot| snapshot.manual).cloned().collect(),
            };
            if name.is_some() && found.is_empty() {
                return Err(missing(family));
            }
            let keyed = found.into_iter().map(|snapshot| (snapshot.id.name.clone(), snapshot));
            filter::page(keyed, paging, state.settings.page_items_max)
        })
    }

    /// DeleteSnapshot, or DeleteServerlessCacheSnapshot.
    pub fn delete_snapshot(&self, id: &CacheSnapshotId) -> Result<(), AwsError> {
        let action = match id.family {
            CacheFamily::Nodes => "elasticache:DeleteSnapshot",
            CacheFamily::Serverless => "elasticache:DeleteServerlessCacheSnapshot",
        };
        let snapshot = id.clone();
        let asked = Asked::new(action, cache_arn(snapshot_word(id.family), &id.name), id.name.clone())
            .knowing_tags(move |state| Some(state.cache_snapshots.get(&snapshot)?.tags.clone()));
        self.0.serve(asked, |state| {
            let found = state.cache_snapshots.get(id).ok_or_else(|| missing(id.family))?;
            if matches!(found.state, CacheSnapshotState::Creating | CacheSnapshotState::Restoring) {
                let code = match id.family {
                    CacheFamily::Nodes => "InvalidSnapshotState",
                    CacheFamily::Serverless => "InvalidServerlessCacheSnapshotStateFault",
                };
                return Err(AwsError::new(code, format!("Snapshot {} is {}", id.name, found.state.name())));
            }
            state.witness_cache_snapshot_goes(id);
            state.cache_snapshots.remove(id);
            Ok(())
        })
    }
}

fn missing(family: CacheFamily) -> AwsError {
    let code = match family {
        CacheFamily::Nodes => "SnapshotNotFoundFault",
        CacheFamily::Serverless => "ServerlessCacheSnapshotNotFoundFault",
    };
    AwsError::with_status(404, code, "Snapshot not found")
}
