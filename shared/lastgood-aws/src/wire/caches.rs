//! ElastiCache and the Tagging API: caches of every kind, their snapshots, and every fault of the calls that make and delete
//! those.

use lastgood_core::facts::{CacheAccess, CacheRole, CacheShape, CacheSnapshotState, CacheStatus};
use lastgood_core::id::{CacheFamily, CacheId, CacheKind, CacheSnapshotId};
use lastgood_core::refusal::{Refusal, Why};
use lastgood_engine::call::elasticache::{
    CacheSnapshotsById, CacheSnapshotsTagged, CacheTags, CachesById, CachesTagged, CreateCacheSnapshot,
    DeleteCacheSnapshot, ManualCacheSnapshots, ReservedMemory,
};
use lastgood_engine::{Answers, Called, How};

use super::{Wire, assert_field};

fn id(kind: CacheKind, name: &str) -> CacheId {
    CacheId { kind, name: name.into() }
}

fn snapshot(family: CacheFamily, name: &str) -> CacheSnapshotId {
    CacheSnapshotId { family, name: name.into() }
}

fn answer(action: &str, inside: &str) -> String {
    format!(
        r#"<{action}Response xmlns="http://elasticache.amazonaws.com/doc/2015-02-02/"><{action}Result>{inside}</{action}Result><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{action}Response>"#
    )
}

fn error(code: &str, message: &str) -> String {
    format!(
        r#"<ErrorResponse xmlns="http://elasticache.amazonaws.com/doc/2015-02-02/"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>r</RequestId></ErrorResponse>"#
    )
}

fn why<T>(called: Called<T>) -> Option<Why> {
    match called {
        Ok(Ok(_)) => panic!("a refusal was prepared"),
        Ok(Err(refusal)) => Some(refusal.why),
        Err(_) => None,
    }
}

fn create(kind: CacheKind, node: Option<&str>) -> CreateCacheSnapshot {
    CreateCacheSnapshot {
        cache: id(kind, "sessions"),
        node: node.map(str::to_owned),
        id: snapshot(kind.family(), "sess-2601151030056r3"),
        tags: [("lastgood:managed-by".to_owned(), "lastgood".to_owned())].into(),
    }
}

#[tokio::test]
async fn caches_of_nodes_are_read_whole() {
    let clusters = answer(
        "DescribeCacheClusters",
        r"<CacheClusters>
        <CacheCluster><CacheClusterId>queue</CacheClusterId><CacheClusterStatus>available</CacheClusterStatus><TransitEncryptionEnabled>true</TransitEncryptionEnabled><AuthTokenEnabled>true</AuthTokenEnabled><Engine>redis</Engine><EngineVersion>7.1.0</EngineVersion><CacheNodeType>cache.t4g.small</CacheNodeType><NumCacheNodes>1</NumCacheNodes><CacheParameterGroup><CacheParameterGroupName>default.redis7</CacheParameterGroupName></CacheParameterGroup><CacheSubnetGroupName>caches</CacheSubnetGroupName><SecurityGroups><member><SecurityGroupId>sg-1</SecurityGroupId><Status>active</Status></member></SecurityGroups><CacheNodes><CacheNode><CacheNodeId>0001</CacheNodeId><Endpoint><Address>queue.example</Address><Port>6380</Port></Endpoint></CacheNode></CacheNodes><ARN>arn:aws:elasticache:us-east-1:123456789012:cluster:queue</ARN></CacheCluster>
        <CacheCluster><CacheClusterId>sessions-001</CacheClusterId><ReplicationGroupId>sessions</ReplicationGroupId><CacheClusterStatus>available</CacheClusterStatus><Engine>valkey</Engine><EngineVersion>8.0.1</EngineVersion><CacheNodeType>cache.r7g.large</CacheNodeType><CacheParameterGroup><CacheParameterGroupName>sessions</CacheParameterGroupName></CacheParameterGroup><CacheSubnetGroupName>caches</CacheSubnetGroupName><SecurityGroups><member><SecurityGroupId>sg-2</SecurityGroupId></member></SecurityGroups><ARN>arn:aws:elasticache:us-east-1:123456789012:cluster:sessions-001</ARN></CacheCluster>
        <CacheCluster><CacheClusterId>sessions-002</CacheClusterId><ReplicationGroupId>sessions</ReplicationGroupId><CacheClusterStatus>snapshotting</CacheClusterStatus><Engine>valkey</Engine><ARN>arn:aws:elasticache:us-east-1:123456789012:cluster:sessions-002</ARN></CacheCluster>
        </CacheClusters>",
    );
    let groups = answer(
        "DescribeReplicationGroups",
        r"<ReplicationGroups>
        <ReplicationGroup><ReplicationGroupId>sessions</ReplicationGroupId><Status>available</Status><MemberClusters><ClusterId>sessions-001</ClusterId><ClusterId>sessions-002</ClusterId><ClusterId>sessions-003</ClusterId></MemberClusters><NodeGroups><NodeGroup><NodeGroupId>0001</NodeGroupId><Status>available</Status><PrimaryEndpoint><Address>p</Address><Port>6379</Port></PrimaryEndpoint><NodeGroupMembers><NodeGroupMember><CacheClusterId>sessions-001</CacheClusterId><CurrentRole>primary</CurrentRole></NodeGroupMember><NodeGroupMember><CacheClusterId>sessions-002</CacheClusterId><CurrentRole>replica</CurrentRole></NodeGroupMember></NodeGroupMembers></NodeGroup></NodeGroups><ClusterEnabled>false</ClusterEnabled><CacheNodeType>cache.r7g.large</CacheNodeType><KmsKeyId>k-1</KmsKeyId><AtRestEncryptionEnabled>true</AtRestEncryptionEnabled><TransitEncryptionEnabled>true</TransitEncryptionEnabled><TransitEncryptionMode>preferred</TransitEncryptionMode><AuthTokenEnabled>false</AuthTokenEnabled><UserGroupIds><member>users</member></UserGroupIds><MultiAZ>enabled</MultiAZ><ReplicationGroupCreateTime>2026-01-01T00:00:00.5Z</ReplicationGroupCreateTime><ARN>arn:aws:elasticache:us-east-1:123456789012:replicationgroup:sessions</ARN><DataTiering>disabled</DataTiering></ReplicationGroup>
        <ReplicationGroup><ReplicationGroupId>carts</ReplicationGroupId><Status>modifying</Status><MemberClusters/><NodeGroups><NodeGroup><NodeGroupId>0001</NodeGroupId><Slots>0-8191</Slots><NodeGroupMembers><NodeGroupMember><CacheClusterId>carts-0001-001</CacheClusterId></NodeGroupMember><NodeGroupMember><CacheClusterId>carts-0001-002</CacheClusterId></NodeGroupMember></NodeGroupMembers></NodeGroup><NodeGroup><NodeGroupId>0002</NodeGroupId><Slots>8192-16383</Slots><NodeGroupMembers><NodeGroupMember><CacheClusterId>carts-0002-001</CacheClusterId></NodeGroupMember></NodeGroupMembers></NodeGroup></NodeGroups><ConfigurationEndpoint><Address>c</Address><Port>6390</Port></ConfigurationEndpoint><ClusterEnabled>true</ClusterEnabled><CacheNodeType>cache.r6gd.xlarge</CacheNodeType><Engine>redis</Engine><ARN>arn:aws:elasticache:us-east-1:123456789012:replicationgroup:carts</ARN><DataTiering>enabled</DataTiering></ReplicationGroup>
        </ReplicationGroups>",
    );
    let wire = Wire::answering(&[(200, &clusters), (200, &groups)]).await;
    let ids = [
        id(CacheKind::Cluster, "queue"),
        id(CacheKind::ReplicationGroup, "sessions"),
        id(CacheKind::ReplicationGroup, "carts"),
    ];
    let caches = wire.aws().call(&CachesById(ids.to_vec())).await.expect("judged").expect("told");
    assert_eq!(caches.iter().map(|cache| cache.id.clone()).collect::<Vec<_>>(), ids);
    assert_field(&wire.sent()[0], "ShowCacheNodeInfo=true");

    let queue = &caches[0];
    assert_eq!((&queue.status, &queue.shape), (&CacheStatus::Available, &CacheShape::Single));
    assert_eq!((queue.setup.engine.as_str(), queue.setup.engine_version.as_deref()), ("redis", Some("7.1.0")));
    assert_eq!((queue.setup.port, queue.setup.parameter_group.as_deref()), (Some(6380), Some("default.redis7")));
    assert_eq!(
        (queue.setup.subnets.as_slice(), queue.setup.security_groups.as_slice()),
        (["caches".to_owned()].as_slice(), ["sg-1".to_owned()].as_slice())
    );
    assert_eq!((queue.setup.tls.as_deref(), &queue.setup.access), (Some("required"), &CacheAccess::Token));
    assert_eq!((queue.setup.encrypted, queue.setup.multi_az, queue.member_of.as_deref()), (false, false, None));
    assert_eq!(queue.arn, "arn:aws:elasticache:us-east-1:123456789012:cluster:queue");

    let sessions = &caches[1];
    assert_eq!(sessions.status, CacheStatus::Snapshotting, "one of its nodes is");
    let CacheShape::Replicated(nodes) = &sessions.shape else { panic!("{:?}", sessions.shape) };
    let roles: Vec<_> = nodes.iter().map(|node| (node.cluster.as_str(), node.role)).collect();
    assert_eq!(
        roles,
        [
            ("sessions-001", CacheRole::Primary),
            ("sessions-002", CacheRole::Replica),
            ("sessions-003", CacheRole::Unknown)
        ]
    );
    assert_eq!((sessions.setup.engine.as_str(), sessions.setup.port), ("valkey", Some(6379)));
    assert_eq!((sessions.setup.kms_key.as_deref(), sessions.setup.security_groups[0].as_str()), (Some("k-1"), "sg-2"));

    assert_eq!(
        (sessions.setup.tls.as_deref(), &sessions.setup.access),
        (Some("preferred"), &CacheAccess::UserGroups(vec!["users".into()]))
    );
    assert!(sessions.setup.encrypted && sessions.setup.multi_az);
    assert_eq!(sessions.setup.created_at, Some("2026-01-01T00:00:00Z".parse().expect("a time")));
    assert_eq!(caches[2].setup.created_at, None, "its nodes are replaced, and say nothing of it");

    let carts = &caches[2];
    assert_eq!((carts.setup.tls.as_deref(), &carts.setup.access), (None, &CacheAccess::Anyone));
    assert_eq!((&carts.status, &carts.shape), (&CacheStatus::Other("modifying".into()), &CacheShape::Sharded));
    let shards: Vec<_> = carts.setup.shards.iter().map(|shard| (shard.slots.as_deref(), shard.replicas)).collect();
    assert_eq!(shards, [(Some("0-8191"), 1), (Some("8192-16383"), 0)]);
    assert!(carts.setup.data_tiering);
    assert_eq!(carts.setup.port, Some(6390));
}

#[tokio::test]
async fn a_cluster_that_got_replicas_is_there_though_it_can_not_be_backed_up_by_itself() {
    let clusters = answer(
        "DescribeCacheClusters",
        "<CacheClusters><CacheCluster><CacheClusterId>queue</CacheClusterId><ReplicationGroupId>queues</ReplicationGroupId><CacheClusterStatus>available</CacheClusterStatus><ARN>arn:aws:elasticache:us-east-1:123456789012:cluster:queue</ARN></CacheCluster></CacheClusters>",
    );
    let groups = answer("DescribeReplicationGroups", "<ReplicationGroups/>");
    let wire = Wire::answering(&[(200, &clusters), (200, &groups)]).await;
    let asked = CachesById(vec![id(CacheKind::Cluster, "queue")]);
    let caches = wire.aws().call(&asked).await.expect("judged").expect("told");
    assert_eq!(caches.iter().map(|cache| cache.member_of.as_deref()).collect::<Vec<_>>(), [Some("queues")]);
}

#[tokio::test]
async fn serverless_caches_are_read_by_their_own_calls() {
    let caches = answer(
        "DescribeServerlessCaches",
        r"<ServerlessCaches><member><ServerlessCacheName>catalog</ServerlessCacheName><Status>available</Status><UserGroupId>users</UserGroupId><CacheUsageLimits><DataStorage><Maximum>10</Maximum><Unit>GB</Unit></DataStorage><ECPUPerSecond><Minimum>1000</Minimum><Maximum>5000</Maximum></ECPUPerSecond></CacheUsageLimits><Engine>valkey</Engine><MajorEngineVersion>8</MajorEngineVersion><FullEngineVersion>8.0</FullEngineVersion><SecurityGroupIds><SecurityGroupId>sg-1</SecurityGroupId></SecurityGroupIds><SubnetIds><SubnetId>subnet-1</SubnetId><SubnetId>subnet-2</SubnetId></SubnetIds><Endpoint><Address>e</Address><Port>6379</Port></Endpoint><ARN>arn:aws:elasticache:us-east-1:123456789012:serverlesscache:catalog</ARN></member></ServerlessCaches>",
    );
    let wire = Wire::answering(&[(200, &caches)]).await;
    let ids = vec![id(CacheKind::Serverless, "catalog")];
    let caches = wire.aws().call(&CachesById(ids)).await.expect("judged").expect("told");
    assert_eq!((&caches[0].status, &caches[0].shape), (&CacheStatus::Available, &CacheShape::Serverless));
    assert_eq!((caches[0].setup.subnets.len(), caches[0].setup.node_type.as_deref()), (2, None));
    assert_eq!(caches[0].setup.engine_version.as_deref(), Some("8.0"));
    assert_eq!(caches[0].setup.access, CacheAccess::UserGroups(vec!["users".into()]));
    assert_eq!(
        caches[0].setup.limits.as_deref(),
        Some("data at most 10 GB; work at least 1000 ECPU a second, at most 5000 ECPU a second")
    );
}

#[tokio::test]
async fn snapshots_are_read_page_by_page_and_only_those_by_hand() {
    let one = answer(
        "DescribeSnapshots",
        r"<Marker>next</Marker><Snapshots><Snapshot><SnapshotName>Theirs</SnapshotName><CacheClusterId>sessions-002</CacheClusterId><ReplicationGroupId>sessions</ReplicationGroupId><SnapshotStatus>available</SnapshotStatus><SnapshotSource>manual</SnapshotSource><NodeSnapshots><NodeSnapshot><CacheNodeId>0001</CacheNodeId><CacheSize>5 MB</CacheSize><SnapshotCreateTime>2026-01-15T10:30:00.123Z</SnapshotCreateTime></NodeSnapshot><NodeSnapshot><CacheNodeId>0001</CacheNodeId><CacheSize>3 MB</CacheSize><SnapshotCreateTime>2026-01-15T10:31:00Z</SnapshotCreateTime></NodeSnapshot></NodeSnapshots><ARN>arn:aws:elasticache:us-east-1:123456789012:snapshot:theirs</ARN></Snapshot></Snapshots>",
    );
    let two = answer(
        "DescribeSnapshots",
        r"<Snapshots><Snapshot><SnapshotName>automatic.sessions-2026-01-15</SnapshotName><SnapshotStatus>available</SnapshotStatus><SnapshotSource>automated</SnapshotSource><ARN>a</ARN></Snapshot><Snapshot><SnapshotName>new</SnapshotName><CacheClusterId>queue</CacheClusterId><SnapshotStatus>creating</SnapshotStatus><SnapshotSource>manual</SnapshotSource><NodeSnapshots><NodeSnapshot><CacheClusterId>queue-001</CacheClusterId><CacheSize></CacheSize></NodeSnapshot></NodeSnapshots><ARN>b</ARN></Snapshot></Snapshots>",
    );
    let serverless = answer(
        "DescribeServerlessCacheSnapshots",
        r"<ServerlessCacheSnapshots><ServerlessCacheSnapshot><ServerlessCacheSnapshotName>cata-1</ServerlessCacheSnapshotName><ARN>c</ARN><SnapshotType>manual</SnapshotType><Status>available</Status><CreateTime>2026-01-15T10:30:00Z</CreateTime><BytesUsedForCache>123456</BytesUsedForCache><ServerlessCacheConfiguration><ServerlessCacheName>catalog</ServerlessCacheName></ServerlessCacheConfiguration></ServerlessCacheSnapshot><ServerlessCacheSnapshot><ServerlessCacheSnapshotName>auto-1</ServerlessCacheSnapshotName><ARN>d</ARN><SnapshotType>AUTOMATED</SnapshotType><Status>available</Status></ServerlessCacheSnapshot></ServerlessCacheSnapshots>",
    );
    let wire = Wire::answering(&[(200, &one), (200, &two), (200, &serverless)]).await;
    let mut told = Vec::new();
    for family in [CacheFamily::Nodes, CacheFamily::Serverless] {
        told.extend(wire.aws().call(&ManualCacheSnapshots(family)).await.expect("judged").expect("told"));
    }
    let sent = wire.sent();
    assert_field(&sent[0], "SnapshotSource=user");
    assert_field(&sent[1], "Marker=next");
    let names: Vec<&str> = told.iter().map(|snapshot| snapshot.id.name.as_str()).collect();
    assert_eq!(names, ["theirs", "new", "cata-1"], "in lower case, as ElastiCache stores them");
    assert_eq!(
        (told[0].of.as_slice(), told[1].of.as_slice()),
        (&["sessions".to_owned(), "sessions-002".into()][..], &["queue".to_owned(), "queue-001".into()][..])
    );
    assert_eq!(
        (told[0].bytes, told[0].begun_at),
        (Some(8 << 20), Some("2026-01-15T10:30:00Z".parse().expect("a time")))
    );
    assert_eq!((&told[1].state, told[1].bytes, told[1].begun_at), (&CacheSnapshotState::Creating, None, None));
    assert_eq!((told[2].bytes, told[2].of.as_slice()), (Some(123_456), ["catalog".to_owned()].as_slice()));
}

#[tokio::test]
async fn one_snapshot_is_asked_for_by_name_and_one_that_is_not_there_is_none() {
    let there = |state: &str| {
        answer(
            "DescribeSnapshots",
            &format!(
                "<Snapshots><Snapshot><SnapshotName>s-1</SnapshotName><SnapshotStatus>{state}</SnapshotStatus><SnapshotSource>manual</SnapshotSource><ARN>a</ARN></Snapshot></Snapshots>"
            ),
        )
    };
    for (state, expected) in [
        ("creating", CacheSnapshotState::Creating),
        ("available", CacheSnapshotState::Available),
        ("restoring", CacheSnapshotState::Available),
        ("copying", CacheSnapshotState::Available),
        ("deleting", CacheSnapshotState::Deleting),
        ("failed", CacheSnapshotState::Failed),
        ("resting", CacheSnapshotState::Other("resting".into())),
    ] {
        let wire = Wire::answering(&[(200, &there(state))]).await;
        let asked = CacheSnapshotsById(vec![snapshot(CacheFamily::Nodes, "s-1")]);
        let told = wire.aws().call(&asked).await.expect("judged").expect("told");
        assert_eq!(told[0].state, expected);
        assert_field(&wire.sent()[0], "SnapshotName=s-1");
    }
    let (nodes, serverless) =
        (error("SnapshotNotFoundFault", "no"), error("ServerlessCacheSnapshotNotFoundFault", "no"));
    let wire = Wire::answering(&[(404, &nodes), (404, &serverless)]).await;
    let asked = vec![snapshot(CacheFamily::Nodes, "s-1"), snapshot(CacheFamily::Serverless, "s-1")];
    assert_eq!(wire.aws().call(&CacheSnapshotsById(asked)).await.expect("judged"), Ok(Vec::new()));
}

#[tokio::test]
async fn each_kind_is_asked_for_by_its_own_parameter() {
    let nodes = answer("CreateSnapshot", "<Snapshot><SnapshotName>s</SnapshotName></Snapshot>");
    let serverless = answer("CreateServerlessCacheSnapshot", "<ServerlessCacheSnapshot/>");
    for (kind, node, body, field) in [
        (CacheKind::Cluster, None, &nodes, "CacheClusterId=sessions"),
        (CacheKind::ReplicationGroup, Some("sessions-002"), &nodes, "CacheClusterId=sessions-002"),
        (CacheKind::ReplicationGroup, None, &nodes, "ReplicationGroupId=sessions"),
        (CacheKind::Serverless, None, &serverless, "ServerlessCacheName=sessions"),
    ] {
        let wire = Wire::answering(&[(200, body)]).await;
        wire.aws().call(&create(kind, node)).await.expect("judged").expect("made");
        let sent = wire.sent().remove(0);
        assert_field(&sent, field);
        assert_field(&sent, "Tags.Tag.1.Key=lastgood%3Amanaged-by");
        let others = ["CacheClusterId=", "ReplicationGroupId=", "ServerlessCacheName="];
        assert_eq!(others.iter().filter(|other| sent.contains(*other)).count(), 1, "one of them: {sent}");
    }
}

#[tokio::test]
async fn every_fault_of_making_a_snapshot() {
    for (status, code, expected) in [
        (400, "SnapshotAlreadyExistsFault", Some(Why::Taken)),
        (404, "CacheClusterNotFound", Some(Why::Missing)),
        (404, "ReplicationGroupNotFoundFault", Some(Why::Missing)),
        (400, "InvalidCacheClusterState", Some(Why::TooSoon)),
        (400, "InvalidReplicationGroupState", Some(Why::TooSoon)),
        (400, "SnapshotQuotaExceededFault", Some(Why::Quota)),
        (400, "SnapshotFeatureNotSupportedFault", Some(Why::Invalid)),
        (400, "TagQuotaPerResourceExceeded", Some(Why::Invalid)),
        (400, "InvalidParameterCombination", Some(Why::Invalid)),
        (400, "InvalidParameterValue", Some(Why::Invalid)),
        (403, "AccessDenied", Some(Why::Denied)),
        (400, "Throttling", None),
        (500, "InternalFailure", None),
    ] {
        let wire = Wire::answering(&[(status, &error(code, "AWS's words"))]).await;
        assert_eq!(why(wire.aws().call(&create(CacheKind::Cluster, None)).await), expected, "{code}");
    }
    for (status, code, expected) in [
        (400, "ServerlessCacheSnapshotAlreadyExistsFault", Some(Why::Taken)),
        (404, "ServerlessCacheNotFoundFault", Some(Why::Missing)),
        (400, "InvalidServerlessCacheStateFault", Some(Why::TooSoon)),
        (400, "ServerlessCacheSnapshotQuotaExceededFault", Some(Why::Quota)),
        (400, "ServiceLinkedRoleNotFoundFault", Some(Why::Denied)),
    ] {
        let wire = Wire::answering(&[(status, &error(code, "AWS's words"))]).await;
        let called: Called<()> = wire.aws().call(&create(CacheKind::Serverless, None)).await;
        if let Ok(Err(Refusal { action, .. })) = &called {
            assert_eq!(action, "elasticache:CreateServerlessCacheSnapshot");
        }
        assert_eq!(why(called), expected, "{code}");
    }
    let wire = Wire::answering(&[(400, &error("Throttling", "Rate exceeded"))]).await;
    let failed = wire.aws().call(&create(CacheKind::Cluster, None)).await.expect_err("not judged");
    assert_eq!(failed.how, How::Throttled);
}

#[tokio::test]
async fn every_fault_of_deleting_a_snapshot() {
    for (family, status, code, expected) in [
        (CacheFamily::Nodes, 404, "SnapshotNotFoundFault", Why::Missing),
        (CacheFamily::Nodes, 400, "InvalidSnapshotState", Why::TooSoon),
        (CacheFamily::Nodes, 403, "AccessDenied", Why::Denied),
        (CacheFamily::Serverless, 404, "ServerlessCacheSnapshotNotFoundFault", Why::Missing),
        (CacheFamily::Serverless, 400, "InvalidServerlessCacheSnapshotStateFault", Why::TooSoon),
    ] {
        let wire = Wire::answering(&[(status, &error(code, "AWS's words"))]).await;
        assert_eq!(why(wire.aws().call(&DeleteCacheSnapshot(snapshot(family, "s-1"))).await), Some(expected), "{code}");
    }
    let nodes = answer("DeleteSnapshot", "<Snapshot><SnapshotName>s-1</SnapshotName></Snapshot>");
    let serverless = answer("DeleteServerlessCacheSnapshot", "<ServerlessCacheSnapshot/>");
    let wire = Wire::answering(&[(200, &nodes), (200, &serverless)]).await;
    for (family, field) in
        [(CacheFamily::Nodes, "SnapshotName=s-1"), (CacheFamily::Serverless, "ServerlessCacheSnapshotName=s-1")]
    {
        wire.aws().call(&DeleteCacheSnapshot(snapshot(family, "s-1"))).await.expect("judged").expect("deleted");
        assert_field(wire.sent().last().expect("sent"), field);
    }
}

#[tokio::test]
async fn what_bears_a_tag_is_found_by_its_arn() {
    let found = r#"{"PaginationToken":"","ResourceTagMappingList":[
        {"ResourceARN":"arn:aws:elasticache:us-east-1:123456789012:replicationgroup:sessions","Tags":[{"Key":"lastgood","Value":"web"},{"Key":"of","Value":"a"}]},
        {"ResourceARN":"arn:aws:elasticache:us-east-1:123456789012:serverlesscache:catalog","Tags":[{"Key":"lastgood","Value":"web"}]},
        {"ResourceARN":"arn:aws:elasticache:us-east-1:123456789012:parametergroup:p","Tags":[{"Key":"lastgood","Value":"web"}]}]}"#;
    let wire = Wire::answering(&[(200, found)]).await;
    let tags = [("lastgood".to_owned(), "web".to_owned())].into();
    let caches = wire.aws().call(&CachesTagged(tags)).await.expect("judged").expect("told");
    let ids: Vec<String> = caches.iter().map(|(id, _)| id.to_string()).collect();
    assert_eq!(ids, ["replication-group/sessions", "serverless-cache/catalog"]);
    assert_eq!(caches[0].1.len(), 2, "all its tags");
    let sent = wire.sent().remove(0);
    for part in [
        r#""Key":"lastgood","Values":["web"]"#,
        r#""elasticache:cluster","elasticache:replicationgroup","elasticache:serverlesscache""#,
    ] {
        assert!(sent.contains(part), "{part} is missing in {sent}");
    }

    let ours = r#"{"ResourceTagMappingList":[{"ResourceARN":"a","Tags":[]},{"ResourceARN":"arn:aws:elasticache:us-east-1:123456789012:snapshot:s-1","Tags":[{"Key":"lastgood:managed-by","Value":"lastgood"}]},{"ResourceARN":"arn:aws:elasticache:us-east-1:123456789012:snapshot:gone","Tags":[]}]}"#;
    let there = answer(
        "DescribeSnapshots",
        "<Snapshots><Snapshot><SnapshotName>s-1</SnapshotName><SnapshotStatus>available</SnapshotStatus><SnapshotSource>manual</SnapshotSource><ARN>arn:aws:elasticache:us-east-1:123456789012:snapshot:s-1</ARN></Snapshot></Snapshots>",
    );
    let wire = Wire::answering(&[(200, ours), (200, &there)]).await;
    let asked = CacheSnapshotsTagged { key: "lastgood:managed-by".into(), value: "lastgood".into() };
    let told = wire.aws().call(&asked).await.expect("judged").expect("told");
    assert_eq!(told.len(), 1, "what is gone is told by its tags for a while");
    assert_eq!(told[0].tags["lastgood:managed-by"], "lastgood");
}

#[tokio::test]
async fn tags_and_reserved_memory_are_read() {
    let tags = answer("ListTagsForResource", "<TagList><Tag><Key>lastgood</Key><Value>web</Value></Tag></TagList>");
    let parameters = answer(
        "DescribeCacheParameters",
        "<Parameters><Parameter><ParameterName>activedefrag</ParameterName><ParameterValue>no</ParameterValue></Parameter><Parameter><ParameterName>reserved-memory-percent</ParameterName><ParameterValue>10</ParameterValue></Parameter></Parameters>",
    );
    let wire = Wire::answering(&[(200, &tags), (200, &parameters)]).await;
    let asked = CacheTags("arn:aws:elasticache:us-east-1:123456789012:snapshot:s-1".into());
    let told = wire.aws().call(&asked).await.expect("judged").expect("told");
    assert_eq!(told["lastgood"], "web");
    assert_eq!(wire.aws().call(&ReservedMemory("sessions".into())).await.expect("judged"), Ok(Some(10)));
    assert_field(&wire.sent()[1], "CacheParameterGroupName=sessions");
}
