//! Calls about instance refreshes.

use lastgood_core::facts::RefreshView;
use lastgood_core::id::RefreshId;
use lastgood_core::rollout::RolloutPolicy;
use lastgood_core::rollout::policy::{Protected, Standby};
use lastgood_engine::call::autoscaling::{
    CancelRefresh, NewestRefreshes, RefreshById, ResumeRefresh, RollBackRefresh, StartRefresh, SuspendRefresh,
};
use lastgood_engine::{Answers, Call, Called};

use super::facts::{answer, view_fact};
use super::paging;
use crate::policy::{LaunchFromText, Verbatim};
use crate::refresh::{self, DescribeRefreshes};
use crate::state::World;
use crate::template::TemplateName;

/// How many of the newest are asked for.
const NEWEST_COUNT: usize = 20;
const PROCESS: &str = "InstanceRefresh";

impl Answers<NewestRefreshes> for World {
    async fn call(&self, NewestRefreshes(group): &NewestRefreshes) -> Called<Vec<RefreshView>> {
        let asks = DescribeRefreshes { group: group.to_string(), ids: Vec::new(), paging: paging(NEWEST_COUNT, None) };
        let found = self.autoscaling().describe_refreshes(&asks);
        answer(NewestRefreshes::ACTION, found.map(|page| page.items.iter().map(view_fact).collect()))
    }
}

impl Answers<RefreshById> for World {
    async fn call(&self, RefreshById { group, refresh }: &RefreshById) -> Called<Option<RefreshView>> {
        let ids = vec![refresh.to_string()];
        let asks = DescribeRefreshes { group: group.to_string(), ids, paging: paging(NEWEST_COUNT, None) };
        let found = self.autoscaling().describe_refreshes(&asks);
        answer(RefreshById::ACTION, found.map(|page| page.items.first().map(view_fact)))
    }
}

impl Answers<StartRefresh> for World {
    async fn call(&self, start: &StartRefresh) -> Called<RefreshId> {
        let StartRefresh { group, template, version, is_mixed, policy } = start;
        let desired = if *is_mixed {
            match self.policy_with(StartRefresh::ACTION, group, template, None, *version)? {
                Ok(policy) => LaunchFromText::Mixed(policy),
                Err(refusal) => return Ok(Err(refusal)),
            }
        } else {
            LaunchFromText::Template(TemplateName::Id(template.to_string()), Some(version.to_string()))
        };
        let preferences = preferences(policy);
        let start = refresh::StartRefresh { group: group.to_string(), desired: Some(desired), preferences };
        answer(StartRefresh::ACTION, self.autoscaling().start_refresh(&start))
    }
}

/// As AWS's query protocol writes them.
fn preferences(policy: &RolloutPolicy) -> Verbatim {
    let mut text = Verbatim::new();
    let mut say = |name: &str, value: String| text.insert(name.to_owned(), value);
    say("MinHealthyPercentage", policy.min_healthy.to_string());
    say("MaxHealthyPercentage", policy.max_healthy.to_string());
    if let Some(warmup) = policy.warmup_seconds {
        say("InstanceWarmup", warmup.to_string());
    }
    for (at, percentage) in policy.checkpoints.iter().enumerate() {
        say(&format!("CheckpointPercentages.member.{}", at + 1), percentage.to_string());
    }
    if !policy.checkpoints.is_empty() {
        say("CheckpointDelay", policy.delay_seconds.to_string());
    }
    say("SkipMatching", policy.skip_matching.to_string());
    say("AutoRollback", policy.auto_rollback.to_string());
    for (at, alarm) in policy.alarms.iter().enumerate() {
        say(&format!("AlarmSpecification.Alarms.member.{}", at + 1), alarm.clone());
    }
    say("BakeTime", policy.bake_seconds.to_string());
    let protected = match policy.protected {
        Protected::Ignore => "Ignore",
        Protected::Refresh => "Refresh",
        Protected::Wait => "Wait",
    };
    say("ScaleInProtectedInstances", protected.to_owned());
    let standby = match policy.standby {
        Standby::Ignore => "Ignore",
        Standby::Terminate => "Terminate",
        Standby::Wait => "Wait",
    };
    say("StandbyInstances", standby.to_owned());
    text
}

impl Answers<RollBackRefresh> for World {
    async fn call(&self, RollBackRefresh(group): &RollBackRefresh) -> Called<RefreshId> {
        answer(RollBackRefresh::ACTION, self.autoscaling().rollback_refresh(group.as_str()))
    }
}

impl Answers<CancelRefresh> for World {
    async fn call(&self, CancelRefresh(group): &CancelRefresh) -> Called<RefreshId> {
        answer(CancelRefresh::ACTION, self.autoscaling().cancel_refresh(group.as_str(), false))
    }
}

impl Answers<SuspendRefresh> for World {
    async fn call(&self, SuspendRefresh(group): &SuspendRefresh) -> Called<()> {
        let done = self.autoscaling().suspend_processes(group.as_str(), &[PROCESS.to_owned()]);
        answer(SuspendRefresh::ACTION, done)
    }
}

impl Answers<ResumeRefresh> for World {
    async fn call(&self, ResumeRefresh(group): &ResumeRefresh) -> Called<()> {
        let done = self.autoscaling().resume_processes(group.as_str(), &[PROCESS.to_owned()]);
        answer(ResumeRefresh::ACTION, done)
    }
}
