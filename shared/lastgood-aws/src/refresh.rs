//! Instance refreshes: DescribeInstanceRefreshes, StartInstanceRefresh, RollbackInstanceRefresh, CancelInstanceRefresh,
//! SuspendProcesses, ResumeProcesses.

use aws_sdk_autoscaling::types::{
    AlarmSpecification, DesiredConfiguration, InstanceRefresh, InstanceRefreshStatus, LaunchTemplateSpecification,
    RefreshPreferences, RefreshStrategy, ScaleInProtectedInstances, StandbyInstances,
};
use lastgood_core::Time;
use lastgood_core::facts::{LaunchSource, Refresh, RefreshStatus, RefreshView};
use lastgood_core::id::{GroupName, RefreshId};
use lastgood_core::rollout::RolloutPolicy;
use lastgood_core::rollout::policy::{Protected, Standby};
use lastgood_engine::call::autoscaling::{
    ActiveRefresh, CancelRefresh, NewestRefreshes, RefreshById, ResumeRefresh, RollBackRefresh, StartRefresh,
    SuspendRefresh,
};
use lastgood_engine::{Answer, Answers, Call, CallFailed, Called};

use crate::Aws;
use crate::autoscaling::{mixed, template_ref};
use crate::refusals::{answer, told};

const DESCRIBE: &str = ActiveRefresh::ACTION;
/// How many of the newest are asked for: those of our own are among them.
const NEWEST_COUNT: i32 = 20;
/// The process that carries instance refreshes on (AWS: Types of processes).
const PROCESS: &str = "InstanceRefresh";

impl Answers<ActiveRefresh> for Aws {
    /// At most one refresh is active, and the newest comes first (AWS: DescribeInstanceRefreshes).
    async fn call(&self, ActiveRefresh(group): &ActiveRefresh) -> Called<Option<Refresh>> {
        let newest = match self.newest(group, 1).await? {
            Ok(newest) => newest,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let active = newest.into_iter().find(|view| view.status.is_active());
        Ok(Ok(active.map(|RefreshView { id, desired, .. }| Refresh { id, desired })))
    }
}

impl Aws {
    /// The newest refreshes of a group, the newest first.
    async fn newest(&self, group: &GroupName, count: i32) -> Called<Vec<RefreshView>> {
        let request = self.autoscaling.describe_instance_refreshes().auto_scaling_group_name(group.as_str());
        let output = match answer(DESCRIBE, request.max_records(count).send().await)? {
            Ok(output) => output,
            Err(refusal) => return Ok(Err(refusal)),
        };
        Ok(Ok(output.instance_refreshes().iter().map(view).collect::<Result<_, _>>()?))
    }
}

/// What a refresh goes to, if it does not go to what the group launches from anyway.
fn desired(refresh: &InstanceRefresh) -> Option<LaunchSource> {
    let desired = refresh.desired_configuration()?;
    let unreadable = |what| LaunchSource::Unreadable(format!("{what}, in the goal of an instance refresh"));
    if let Some(template) = desired.launch_template() {
        return Some(template_ref(template).map_or_else(unreadable, LaunchSource::Template));
    }
    desired.mixed_instances_policy().map(|policy| mixed(policy).map_or_else(unreadable, LaunchSource::Mixed))
}

impl Answers<NewestRefreshes> for Aws {
    async fn call(&self, NewestRefreshes(group): &NewestRefreshes) -> Called<Vec<RefreshView>> {
        self.newest(group, NEWEST_COUNT).await
    }
}

impl Answers<RefreshById> for Aws {
    async fn call(&self, RefreshById { group, refresh }: &RefreshById) -> Called<Option<RefreshView>> {
        let request = self.autoscaling.describe_instance_refreshes().auto_scaling_group_name(group.as_str());
        let output = match answer(DESCRIBE, request.instance_refresh_ids(refresh.as_str()).send().await)? {
            Ok(output) => output,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let found =
            output.instance_refreshes().iter().find(|found| found.instance_refresh_id() == Some(refresh.as_str()));
        Ok(Ok(found.map(view).transpose()?))
    }
}

fn view(refresh: &InstanceRefresh) -> Result<RefreshView, CallFailed> {
    let id = told(DESCRIBE, refresh.instance_refresh_id(), "a refresh's id")?;
    Ok(RefreshView {
        id: id.into(),
        status: status(told(DESCRIBE, refresh.status(), "a status")?),
        reason: refresh.status_reason().filter(|reason| !reason.is_empty()).map(str::to_owned),
        percentage: u32::try_from(refresh.percentage_complete().unwrap_or_default()).unwrap_or_default(),
        desired: desired(refresh),
        started_at: refresh.start_time().and_then(|time| Time::from_second(time.secs()).ok()),
    })
}

fn status(status: &InstanceRefreshStatus) -> RefreshStatus {
    use InstanceRefreshStatus as S;
    match status {
        S::Pending | S::InProgress => RefreshStatus::InProgress,
        S::Baking => RefreshStatus::Baking,
        S::Successful => RefreshStatus::Successful,
        S::Failed => RefreshStatus::Failed,
        S::Cancelling => RefreshStatus::Cancelling,
        S::Cancelled => RefreshStatus::Cancelled,
        S::RollbackInProgress => RefreshStatus::RollingBack,
        S::RollbackSuccessful => RefreshStatus::RolledBack,
        S::RollbackFailed => RefreshStatus::RollbackFailed,
        other => RefreshStatus::Unknown(other.as_str().to_owned()),
    }
}

impl Answers<StartRefresh> for Aws {
    async fn call(&self, start: &StartRefresh) -> Called<RefreshId> {
        const ACTION: &str = StartRefresh::ACTION;
        let StartRefresh { group, template, version, is_mixed, policy } = start;
        let desired = if *is_mixed {
            match self.policy_with(ACTION, group, template, None, *version).await? {
                Ok(policy) => DesiredConfiguration::builder().mixed_instances_policy(policy),
                Err(refusal) => return Ok(Err(refusal)),
            }
        } else {
            let template = LaunchTemplateSpecification::builder()
                .launch_template_id(template.as_str())
                .version(version.to_string());
            DesiredConfiguration::builder().launch_template(template.build())
        };
        let request = self
            .autoscaling
            .start_instance_refresh()
            .auto_scaling_group_name(group.as_str())
            .strategy(RefreshStrategy::Rolling)
            .desired_configuration(desired.build())
            .preferences(preferences(policy));
        which(ACTION, answer(ACTION, request.send().await)?.map(|output| output.instance_refresh_id))
    }
}

/// AWS: RefreshPreferences. A number that does not fit is one that no plan can say.
fn preferences(policy: &RolloutPolicy) -> RefreshPreferences {
    let number = |number: i64| i32::try_from(number).unwrap_or(i32::MAX);
    let percent = |percent: u32| i32::try_from(percent).unwrap_or(i32::MAX);
    let pauses = !policy.checkpoints.is_empty();
    let alarms = AlarmSpecification::builder().set_alarms(Some(policy.alarms.clone())).build();
    RefreshPreferences::builder()
        .min_healthy_percentage(percent(policy.min_healthy))
        .max_healthy_percentage(percent(policy.max_healthy))
        .set_instance_warmup(policy.warmup_seconds.map(number))
        .set_checkpoint_percentages(pauses.then(|| policy.checkpoints.iter().copied().map(percent).collect()))
        .set_checkpoint_delay(pauses.then(|| number(policy.delay_seconds)))
        .skip_matching(policy.skip_matching)
        .auto_rollback(policy.auto_rollback)
        .set_alarm_specification((!policy.alarms.is_empty()).then_some(alarms))
        .bake_time(number(policy.bake_seconds))
        .scale_in_protected_instances(match policy.protected {
            Protected::Ignore => ScaleInProtectedInstances::Ignore,
            Protected::Refresh => ScaleInProtectedInstances::Refresh,
            Protected::Wait => ScaleInProtectedInstances::Wait,
        })
        .standby_instances(match policy.standby {
            Standby::Ignore => StandbyInstances::Ignore,
            Standby::Terminate => StandbyInstances::Terminate,
            Standby::Wait => StandbyInstances::Wait,
        })
        .build()
}

impl Answers<RollBackRefresh> for Aws {
    async fn call(&self, RollBackRefresh(group): &RollBackRefresh) -> Called<RefreshId> {
        const ACTION: &str = RollBackRefresh::ACTION;
        let request = self.autoscaling.rollback_instance_refresh().auto_scaling_group_name(group.as_str());
        which(ACTION, answer(ACTION, request.send().await)?.map(|output| output.instance_refresh_id))
    }
}

impl Answers<CancelRefresh> for Aws {
    async fn call(&self, CancelRefresh(group): &CancelRefresh) -> Called<RefreshId> {
        const ACTION: &str = CancelRefresh::ACTION;
        let request = self.autoscaling.cancel_instance_refresh().auto_scaling_group_name(group.as_str());
        let request = request.wait_for_transitioning_instances(false);
        which(ACTION, answer(ACTION, request.send().await)?.map(|output| output.instance_refresh_id))
    }
}

/// Which refresh the call was about: AWS names it in its answer.
fn which(action: &'static str, answered: Answer<Option<String>>) -> Called<RefreshId> {
    match answered {
        Ok(id) => Ok(Ok(told(action, id.as_deref(), "the refresh's id")?.into())),
        Err(refusal) => Ok(Err(refusal)),
    }
}

impl Answers<SuspendRefresh> for Aws {
    async fn call(&self, SuspendRefresh(group): &SuspendRefresh) -> Called<()> {
        let request = self.autoscaling.suspend_processes().auto_scaling_group_name(group.as_str());
        Ok(answer(SuspendRefresh::ACTION, request.scaling_processes(PROCESS).send().await)?.map(|_| ()))
    }
}

impl Answers<ResumeRefresh> for Aws {
    async fn call(&self, ResumeRefresh(group): &ResumeRefresh) -> Called<()> {
        let request = self.autoscaling.resume_processes().auto_scaling_group_name(group.as_str());
        Ok(answer(ResumeRefresh::ACTION, request.scaling_processes(PROCESS).send().await)?.map(|_| ()))
    }
}
