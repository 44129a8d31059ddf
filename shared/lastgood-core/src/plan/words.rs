//! Words that a plan file does not know, and what was meant by them.

/// How alike two words must be for one to be meant for the other, from 0 to 1.
const ALIKE_MIN: f64 = 0.8;

/// Words of other tools, and ours for the same. Written as ours are: in small letters, with '_'.
const ALSO: [(&str, &str); 59] = [
    ("asg", "groups"),
    ("asgs", "groups"),
    ("asg_names", "groups"),
    ("auto_scaling_groups", "groups"),
    ("autoscaling_groups", "groups"),
    ("auto_scaling_group_names", "groups"),
    ("instance_ids", "instances"),
    ("ec2", "instances"),
    ("servers", "instances"),
    ("stop_timeout", "stop_within"),
    ("target_tags", "tags"),
    ("labels", "tags"),
    ("selection", "select"),
    ("selector", "select"),
    ("sources", "select"),
    ("targets", "select"),
    ("cron", "schedule"),
    ("frequency", "schedule"),
    ("interval", "schedule"),
    ("on", "schedule"),
    ("when", "schedule"),
    ("tz", "timezone"),
    ("zone", "timezone"),
    ("jitter", "spread"),
    ("random_delay", "spread"),
    ("start", "from"),
    ("start_date", "from"),
    ("begin", "from"),
    ("end", "until"),
    ("end_date", "until"),
    ("to", "until"),
    ("retention", "retain"),
    ("keep", "retain"),
    ("keep_last", "last"),
    ("count", "last"),
    ("copies", "last"),
    ("max_age", "within"),
    ("day", "daily"),
    ("keep_within", "within"),
    ("keep_daily", "daily"),
    ("keep_weekly", "weekly"),
    ("keep_monthly", "monthly"),
    ("keep_yearly", "yearly"),
    ("parameter", "ssm"),
    ("ssm_parameter", "ssm"),
    ("checkpoint_percentages", "checkpoints"),
    ("delay", "checkpoint_delay"),
    ("min_healthy_percentage", "min_healthy"),
    ("max_healthy_percentage", "max_healthy"),
    ("instance_warmup", "warmup"),
    ("bake_time", "bake"),
    ("alarm_specification", "alarms"),
    ("scale_in_protected_instances", "protected"),
    ("standby_instances", "standby"),
    ("roll", "rollout"),
    ("refresh", "rollout"),
    ("instance_refresh", "rollout"),
    ("deadline", "within"),
    ("on_timeout", "otherwise"),
];

/// What a file can't say, and what to do instead.
const INSTEAD: [(&str, &str); 13] = [
    ("caches", "there are three kinds; write replication_groups, cache_clusters or serverless_caches"),
    (
        "defaults",
        "what a plan leaves out has Lastgood's defaults; write the rest in each plan, or repeat it by a YAML anchor",
    ),
    ("enabled", "a plan is in force as long as it is in the file; leave it out, or write 'until' with a date"),
    ("disabled", "a plan is in force as long as it is in the file; leave it out, or write 'until' with a date"),
    ("description", "a plan has no description; write a comment: '# …'"),
    ("exclude", "what is not selected is not backed up; write the groups that you want, or tag them"),
    ("no_reboot", "nothing is rebooted unless 'reboot: stop' says so of single instances; leave it out"),
    ("days", "write 'within: 30d' to keep all of the last 30 days, or 'daily: 30' to keep the newest of each"),
    ("hourly", "write 'last: 24', or 'within: 1d', to keep the backups of the last hours"),
    ("minutes", "write a length of time with its unit, as in 'within: 90m'"),
    ("copy_to", "images stay in their region; leave it out"),
    ("kms_key", "snapshots are encrypted as their volumes are; leave it out"),
    ("version", "a plan file has no version; leave it out"),
];

/// What to do about a word that has no counterpart in a plan file.
pub(super) fn instead(word: &str) -> Option<&'static str> {
    let word = as_ours(word);
    INSTEAD.iter().find(|(other, _)| *other == word).map(|(_, instead)| *instead)
}

/// The word of `known` that was meant by `word`: another tool's word for it, or the one that is most like it.
pub(super) fn meant<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word = as_ours(word);
    let also =
        ALSO.iter().filter(|(other, _)| *other == word).find_map(|(_, ours)| known.iter().find(|known| *known == ours));
    also.copied().or_else(|| nearest(&word, known))
}

/// The word of `known` that is most like `word`, if one is like it at all.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase();
    let alike = known.iter().map(|known| (strsim::jaro_winkler(&word, &known.to_lowercase()), *known));
    let nearest = alike.max_by(|(one, _), (other, _)| one.total_cmp(other));
    nearest.filter(|(alike, _)| *alike >= ALIKE_MIN).map(|(_, known)| known)
}

fn as_ours(word: &str) -> String {
    word.to_lowercase().replace(['-', ' '], "_")
}
