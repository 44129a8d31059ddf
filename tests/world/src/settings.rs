//! How long things take, in seconds of the virtual clock. AWS promises none of these: tests set what they are about.

/// The pace of a world. The defaults are of the right order, and in the order that misleads most: an image is there
/// before it can be seen, and available before its snapshots are complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a new image is missing from DescribeImages (AWS: Eventual consistency).
    pub image_visible_seconds: i64,
    /// How long a new version of a template is missing from DescribeLaunchTemplateVersions, `$Latest` too (AWS: Eventual
    /// consistency).
    pub version_visible_seconds: i64,
    /// How long a new snapshot is missing from DescribeSnapshots (AWS: Eventual consistency).
    pub snapshot_visible_seconds: i64,
    /// How long a deregistered image is still told, as `deregistered` (AWS: DescribeImages).
    pub deregistered_visible_seconds: i64,
    /// How long an image without data is pending.
    pub image_seconds: i64,
    /// How much longer it is pending for each GiB of its volumes.
    pub image_seconds_per_gib: i64,
    /// How long after its image a snapshot completes; below zero: before it.
    pub snapshot_lag_seconds: i64,
    /// How long a name stays taken after its image was deregistered (AWS: InvalidAMIName.Duplicate).
    pub name_taken_seconds: i64,
    /// How long a snapshot of a cache is being made.
    pub cache_snapshot_seconds: i64,
    /// How long a new one is missing from DescribeSnapshots.
    pub cache_snapshot_visible_seconds: i64,
    /// From the launch of an instance until it is running.
    pub instance_pending_seconds: i64,
    /// How long the system of an instance takes to shut down when it is stopped.
    pub shutdown_seconds: i64,
    /// How long an instance is shutting down.
    pub shutting_down_seconds: i64,
    /// Until a group notices that a member is lost or unhealthy.
    pub replace_seconds: i64,
    /// Until a group acts on a new size.
    pub scale_seconds: i64,
    /// How long the status checks of an instance that runs are `initializing` (AWS: Status checks for Amazon EC2 instances).
    pub status_seconds: i64,
    /// How long a member of a sick image serves until its health check fails.
    pub sick_seconds: i64,
    /// A checkpoint is told when the last of its members is replaced: false to have it told when that one is warm. No page
    /// says which.
    pub checkpoint_told_early: bool,
    /// Until a group tries again what it could not launch.
    pub launch_retry_seconds: i64,
    /// DescribeImageReferences finds templates: false to see what holds when it misses them.
    pub references_find_templates: bool,
    /// No page is longer than this, whatever was asked for; a page may always be shorter (AWS: Pagination).
    pub page_items_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            image_visible_seconds: 5,
            version_visible_seconds: 0,
            snapshot_visible_seconds: 5,
            deregistered_visible_seconds: 0,
            image_seconds: 60,
            image_seconds_per_gib: 1,
            snapshot_lag_seconds: 30,
            name_taken_seconds: 60,
            cache_snapshot_seconds: 90,
            cache_snapshot_visible_seconds: 5,
            instance_pending_seconds: 30,
            shutdown_seconds: 20,
            shutting_down_seconds: 30,
            replace_seconds: 60,
            scale_seconds: 10,
            status_seconds: 120,
            sick_seconds: 60,
            checkpoint_told_early: false,
            launch_retry_seconds: 60,
            references_find_templates: true,
            page_items_max: usize::MAX,
        }
    }
}
