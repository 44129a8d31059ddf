//! Auto Scaling's calls about instance refreshes, and about the processes without which they pause.

use lastgood_core::id::RefreshId;

use super::Action;
use super::autoscaling::paging;
use super::policy::{Names, launch_from, told_from, verbatim};
use super::query::Query;
use super::xml::Xml;
use crate::fault::AwsError;
use crate::group::invalid;
use crate::refresh::{DescribeRefreshes, Refresh, StartRefresh};
use crate::state::World;

/// AWS: RefreshPreferences.
const PREFERENCES: [&str; 11] = [
    "AlarmSpecification",
    "AutoRollback",
    "BakeTime",
    "CheckpointDelay",
    "CheckpointPercentages",
    "InstanceWarmup",
    "MaxHealthyPercentage",
    "MinHealthyPercentage",
    "ScaleInProtectedInstances",
    "SkipMatching",
    "StandbyInstances",
];

pub(super) fn action(name: &str) -> Option<Action> {
    Some(match name {
        "CancelInstanceRefresh" => cancel,
        "DescribeInstanceRefreshes" => describe,
        "ResumeProcesses" => resume,
        "RollbackInstanceRefresh" => rollback,
        "StartInstanceRefresh" => start,
        "SuspendProcesses" => suspend,
        _ => return None,
    })
}

fn id_told(id: &RefreshId) -> Xml {
    let mut xml = Xml::default();
    xml.leaf("InstanceRefreshId", id);
    xml
}

fn start(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let desired = query.record("DesiredConfiguration").map(|mut told| {
        let from = launch_from(&mut told)?;
        told.done().map(|()| from)
    });
    let preferences = query.record("Preferences").map(|told| told.verbatim(&PREFERENCES));
    let request = StartRefresh {
        group: query.need("AutoScalingGroupName")?,
        desired: desired.transpose()?.flatten(),
        preferences: preferences.transpose()?.unwrap_or_default(),
    };
    if query.take("Strategy").is_some_and(|strategy| strategy != "Rolling") {
        return Err(invalid("Of Strategy only Rolling is simulated"));
    }
    query.done()?;
    Ok(id_told(&world.autoscaling().start_refresh(&request)?))
}

fn cancel(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let group = query.need("AutoScalingGroupName")?;
    let wait: Option<bool> = query.parse("WaitForTransitioningInstances")?;
    query.done()?;
    Ok(id_told(&world.autoscaling().cancel_refresh(&group, wait.unwrap_or(true))?))
}

fn rollback(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let group = query.need("AutoScalingGroupName")?;
    query.done()?;
    Ok(id_told(&world.autoscaling().rollback_refresh(&group)?))
}

fn suspend(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let (group, processes) = (query.need("AutoScalingGroupName")?, query.texts("ScalingProcesses.member"));
    query.done()?;
    world.autoscaling().suspend_processes(&group, &processes)?;
    Ok(Xml::default())
}

fn resume(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let (group, processes) = (query.need("AutoScalingGroupName")?, query.texts("ScalingProcesses.member"));
    query.done()?;
    world.autoscaling().resume_processes(&group, &processes)?;
    Ok(Xml::default())
}

fn describe(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let asks = DescribeRefreshes {
        group: query.need("AutoScalingGroupName")?,
        ids: query.texts("InstanceRefreshIds.member"),
        paging: paging(&mut query)?,
    };
    query.done()?;
    let page = world.autoscaling().describe_refreshes(&asks)?;
    let names = world.template_names();
    let mut xml = Xml::default();
    xml.list("InstanceRefreshes", "member", &page.items, |member, told| refresh(member, told, &names));
    xml.maybe("NextToken", page.next_token);
    Ok(xml)
}

fn refresh(xml: &mut Xml, refresh: &Refresh, names: &Names) {
    xml.leaf("InstanceRefreshId", &refresh.id)
        .leaf("AutoScalingGroupName", &refresh.group)
        .leaf("Status", refresh.status.name())
        .leaf("StartTime", format!("{:.3}", refresh.started_at))
        .maybe("EndTime", refresh.ended_at.map(|at| format!("{at:.3}")))
        .maybe("StatusReason", refresh.reason.as_deref())
        .leaf("PercentageComplete", refresh.percentage)
        .leaf("InstancesToUpdate", refresh.to_update())
        .leaf("Strategy", "Rolling");
    if !refresh.preferences.is_empty() {
        xml.node("Preferences", |inside| verbatim(inside, &refresh.preferences));
    }
    if let Some(desired) = &refresh.desired {
        xml.node("DesiredConfiguration", |inside| told_from(inside, desired, names));
    }
}
