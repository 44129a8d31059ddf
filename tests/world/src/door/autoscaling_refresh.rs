//! Auto Scaling's calls about instance refreshes.

use lastgood_core::id::RefreshId;

use super::Action;
use super::autoscaling::paging;
use super::policy::{Names, launch_from, told_from, verbatim};
use super::query::Query;
use super::xml::Xml;
use crate::fault::AwsError;
use crate::group::invalid;
use crate::refresh::{DescribeRefreshes, Refresh, RefreshStatus, StartRefresh};
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
        "StartInstanceRefresh" => start,
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
    query.flag("WaitForTransitioningInstances")?;
    query.done()?;
    Ok(id_told(&world.autoscaling().cancel_refresh(&group)?))
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
    let complete = if refresh.status == RefreshStatus::Successful { 100 } else { 0 };
    xml.leaf("InstanceRefreshId", &refresh.id)
        .leaf("AutoScalingGroupName", &refresh.group)
        .leaf("Status", refresh.status.name())
        .leaf("StartTime", format!("{:.3}", refresh.started_at))
        .maybe("EndTime", refresh.ended_at.map(|at| format!("{at:.3}")))
        .leaf("PercentageComplete", complete)
        .leaf("Strategy", "Rolling");
    if !refresh.preferences.is_empty() {
        xml.node("Preferences", |inside| verbatim(inside, &refresh.preferences));
    }
    if let Some(desired) = &refresh.desired {
        xml.node("DesiredConfiguration", |inside| told_from(inside, desired, names));
    }
}
