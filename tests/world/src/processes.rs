//! SuspendProcesses and ResumeProcesses (AWS: Suspend and resume Amazon EC2 Auto Scaling processes).

use lastgood_core::id::GroupName;

use crate::fault::AwsError;
use crate::group::{group_call, invalid};
use crate::service::AutoScaling;
use crate::state::Due;

/// AWS: Types of processes.
const PROCESSES: [&str; 9] = [
    "AddToLoadBalancer",
    "AlarmNotification",
    "AZRebalance",
    "HealthCheck",
    "InstanceRefresh",
    "Launch",
    "ReplaceUnhealthy",
    "ScheduledActions",
    "Terminate",
];

impl AutoScaling<'_> {
    /// SuspendProcesses: these, or all if none is named.
    pub fn suspend_processes(&self, group: &str, processes: &[String]) -> Result<(), AwsError> {
        let mut asked = group_call("autoscaling:SuspendProcesses", group);
        asked.about = format!("{group} {processes:?}");
        self.0.serve(asked, |state| {
            let named = named(processes)?;
            state.group_mut(group)?.suspended.extend(named);
            Ok(())
        })
    }

    /// ResumeProcesses: these, or all if none is named.
    pub fn resume_processes(&self, group: &str, processes: &[String]) -> Result<(), AwsError> {
        let mut asked = group_call("autoscaling:ResumeProcesses", group);
        asked.about = format!("{group} {processes:?}");
        self.0.serve(asked, |state| {
            let named = named(processes)?;
            state.group_mut(group)?.suspended.retain(|process| !named.contains(process));
            state.after(0, Due::RefreshActs(GroupName::from(group)));
            Ok(())
        })
    }
}

fn named(processes: &[String]) -> Result<Vec<String>, AwsError> {
    if let Some(unknown) = processes.iter().find(|process| !PROCESSES.contains(&process.as_str())) {
        return Err(invalid(format!("'{unknown}' is no scaling process")));
    }
    Ok(if processes.is_empty() { PROCESSES.map(str::to_owned).to_vec() } else { processes.to_vec() })
}
