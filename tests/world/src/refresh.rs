//! Instance refreshes: what they are, and the calls about them. What one does by itself is in `refreshing.rs`.

use lastgood_core::facts::VersionRef;
use lastgood_core::id::{GroupName, RefreshId};
use lastgood_core::{Time, seconds_between};

use crate::events::refresh_changed;
use crate::fault::AwsError;
use crate::filter::{self, Page, Paging};
use crate::group::{group_call, invalid};
use crate::policy::{LaunchFrom, LaunchFromText, Verbatim};
use crate::preferences::Preferences;
use crate::refreshing::Run;
use crate::service::AutoScaling;
use crate::state::{Asked, Due, State, World};
use crate::template::{TemplateName, version_text};

/// AWS: DescribeInstanceRefreshes: refreshes on a page, and how far back they are told.
const RECORDS_MAX: usize = 100;
const RECORDS_DEFAULT: usize = 50;
const TOLD_SECONDS: i64 = 6 * 7 * 24 * 60 * 60;

/// The status of a refresh (AWS: InstanceRefresh).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefreshStatus {
    /// It was asked for.
    Pending,
    /// It replaces.
    InProgress,
    /// All is replaced, and it waits whether that holds.
    Baking,
    /// It succeeded.
    Successful,
    /// It failed.
    Failed,
    /// It is being cancelled.
    Cancelling,
    /// It was cancelled.
    Cancelled,
    /// It is being taken back.
    RollbackInProgress,
    /// It was taken back.
    RollbackSuccessful,
    /// It could not be taken back.
    RollbackFailed,
}

impl RefreshStatus {
    /// AWS's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::InProgress => "InProgress",
            Self::Baking => "Baking",
            Self::Successful => "Successful",
            Self::Failed => "Failed",
            Self::Cancelling => "Cancelling",
            Self::Cancelled => "Cancelled",
            Self::RollbackInProgress => "RollbackInProgress",
            Self::RollbackSuccessful => "RollbackSuccessful",
            Self::RollbackFailed => "RollbackFailed",
        }
    }

    /// Whether it is under way. A group has at most one that is.
    pub fn is_active(self) -> bool {
        match self {
            Self::Pending | Self::InProgress | Self::Baking | Self::Cancelling | Self::RollbackInProgress => true,
            Self::Successful | Self::Failed | Self::Cancelled | Self::RollbackSuccessful | Self::RollbackFailed => {
                false
            }
        }
    }
}

/// A refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// Its id, a UUID.
    pub id: RefreshId,
    /// Its group.
    pub group: GroupName,
    /// Its status.
    pub status: RefreshStatus,
    /// When it began.
    pub started_at: Time,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// What the group is to launch from. Members that are launched meanwhile are launched from it; the group has it for
    /// good once the refresh succeeds (AWS: Instance refresh overview).
    pub desired: Option<LaunchFrom>,
    /// `Preferences`, as they were written.
    pub preferences: Verbatim,
    /// `PercentageComplete`.
    pub percentage: u32,
    /// `StatusReason`.
    pub reason: Option<String>,
    /// Lastgood began it.
    pub is_ours: bool,
    /// What they mean.
    pub(crate) wants: Preferences,
    pub(crate) run: Run,
    ended_by_hand: bool,
}

impl Refresh {
    /// A test, or somebody, ended it though its work was not done.
    pub fn run_was_ended_by_hand(&self) -> bool {
        self.ended_by_hand
    }

    /// How many members are yet to be replaced: `InstancesToUpdate`.
    pub fn to_update(&self) -> usize {
        self.run.old.len().saturating_sub(self.run.replaced)
    }
}

/// What StartInstanceRefresh is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartRefresh {
    /// The group.
    pub group: String,
    /// `DesiredConfiguration`.
    pub desired: Option<LaunchFromText>,
    /// `Preferences`.
    pub preferences: Verbatim,
}

/// What DescribeInstanceRefreshes is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribeRefreshes {
    /// The group.
    pub group: String,
    /// By id; none: all.
    pub ids: Vec<String>,
    /// Which page.
    pub paging: Paging,
}

impl AutoScaling<'_> {
    /// StartInstanceRefresh. It has no token.
    pub fn start_refresh(&self, request: &StartRefresh) -> Result<RefreshId, AwsError> {
        let mut asked = group_call("autoscaling:StartInstanceRefresh", &request.group);
        asked.about = format!("{} {:?}", request.group, request.desired);
        let desired = request.desired.clone();
        let alarms = Preferences::read(&request.preferences).map(|wants| wants.alarms).unwrap_or_default();
        let asked = asked.and_more(move |state| {
            state.needs_to_launch_text(desired.as_ref()).into_iter().chain(State::needs_of_alarms(&alarms)).collect()
        });
        self.0.serve(asked, |state| {
            let name = state.group(&request.group)?.name.clone();
            if state.active_refresh(&name).is_some() {
                return Err(AwsError::new(
                    "InstanceRefreshInProgress",
                    "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.",
                ));
            }
            let desired = request.desired.as_ref().map(|desired| state.launch_from(desired)).transpose()?;
            // AWS: DesiredConfiguration: a launch template or a policy.
            if matches!(desired, Some(LaunchFrom::Configuration(_))) {
                return Err(invalid("A desired configuration can't be a launch configuration"));
            }
            let wants = Preferences::read(&request.preferences)?;
            state.check_refresh(&name, desired.as_ref(), &wants)?;
            let id = state.begin_refresh(&name, desired, request.preferences.clone(), wants);
            refresh_changed(state, &name, &id, "Started", None);
            state.after(0, Due::RefreshActs(name));
            Ok(id)
        })
    }

    /// CancelInstanceRefresh. `wait`: whatever is coming up or going is waited for, without another change.
    pub fn cancel_refresh(&self, group: &str, wait: bool) -> Result<RefreshId, AwsError> {
        self.0.serve(group_call("autoscaling:CancelInstanceRefresh", group), |state| {
            let id = state.refresh_under_way(group)?.id.clone();
            let name = GroupName::from(group);
            if wait {
                state.active_refresh_mut(&name).expect("it was found before").status = RefreshStatus::Cancelling;
                state.refresh_acts(&name);
            } else {
                state.end_refresh(&name, RefreshStatus::Cancelled, None);
            }
            Ok(id)
        })
    }

    /// RollbackInstanceRefresh (AWS: Undo changes with a rollback).
    pub fn rollback_refresh(&self, group: &str) -> Result<RefreshId, AwsError> {
        let name = group.to_owned();
        let asked = group_call("autoscaling:RollbackInstanceRefresh", group)
            .and_more(move |state| state.needs_to_give_back(&name));
        self.0.serve(asked, |state| {
            let refresh = state.refresh_under_way(group)?;
            let (id, status, desired) = (refresh.id.clone(), refresh.status, refresh.desired.clone());
            if !matches!(status, RefreshStatus::Pending | RefreshStatus::InProgress | RefreshStatus::Baking) {
                return Err(none_under_way(group));
            }
            let name = GroupName::from(group);
            if let Some(why) = state.irreversible(&name, desired.as_ref()) {
                return Err(AwsError::new("IrreversibleInstanceRefresh", why));
            }
            state.turn_back(&name, None);
            Ok(id)
        })
    }

    /// DescribeInstanceRefreshes: newest first.
    pub fn describe_refreshes(&self, asks: &DescribeRefreshes) -> Result<Page<Refresh>, AwsError> {
        let asked = Asked::new("autoscaling:DescribeInstanceRefreshes", "*", &asks.group);
        self.0.serve(asked, |state| {
            if asks.paging.max_results.is_some_and(|records| !(1..=RECORDS_MAX).contains(&records)) {
                return Err(invalid(format!("MaxRecords must be from 1 to {RECORDS_MAX}")));
            }
            let name = &state.group(&asks.group)?.name;
            let of_group = state.refreshes.get(name).map(Vec::as_slice).unwrap_or_default().iter().enumerate().rev();
            let found = of_group.filter(|(_, refresh)| {
                seconds_between(refresh.started_at, state.now) < TOLD_SECONDS
                    && (asks.ids.is_empty() || asks.ids.iter().any(|id| id == refresh.id.as_str()))
            });
            // The key grows as the number falls: newest first.
            let keyed = found.map(|(number, refresh)| (format!("{:020}", usize::MAX - number), refresh.clone()));
            let records = asks.paging.max_results.unwrap_or(RECORDS_DEFAULT);
            let paging = Paging { max_results: Some(records), ..asks.paging.clone() };
            filter::page(keyed, &paging, state.settings.page_items_max)
        })
    }
}

impl World {
    /// A refresh with a desired configuration begins: what the group launches from can't be changed. What is desired is
    /// what the group launches from already. Not a call.
    pub fn lock_group(&self, name: &str) {
        let mut state = self.lock();
        let group = state.group(name).expect("tests name groups that they have made");
        let (name, desired) = (group.name.clone(), group.from.clone());
        if let Some(active) = state.active_refresh(&name) {
            assert!(active.desired.is_some(), "a group has one active refresh at most, and this one locks nothing");
            return;
        }
        let wants = Preferences::read(&Verbatim::new()).expect("nothing is asked for");
        state.begin_refresh(&name, Some(desired), Verbatim::new(), wants);
        state.active_refresh_mut(&name).expect("it began a line above").run.is_still = true;
    }

    /// That refresh ends well.
    pub fn unlock_group(&self, name: &str) {
        self.set_refresh(name, RefreshStatus::Successful);
    }

    /// The active refresh of a group gets another status, if there is an active one. Once it succeeds the group launches
    /// from what it desired. Not a call.
    pub fn set_refresh(&self, group: &str, status: RefreshStatus) {
        let (mut state, name) = (self.lock(), GroupName::from(group));
        if status.is_active() {
            if let Some(refresh) = state.active_refresh_mut(&name) {
                refresh.status = status;
            }
        } else {
            if let Some(refresh) = state.active_refresh_mut(&name) {
                refresh.ended_by_hand = true;
            }
            state.end_refresh(&name, status, None);
        }
    }

    /// A CloudWatch alarm goes off, or comes to rest. Not a call.
    pub fn set_alarm(&self, name: &str, in_alarm: bool) {
        self.lock().alarms.insert(name.to_owned(), in_alarm);
    }

    /// The refreshes of a group, oldest first.
    pub fn refreshes(&self, group: &str) -> Vec<Refresh> {
        self.lock().refreshes.get(&GroupName::from(group)).cloned().unwrap_or_default()
    }
}

fn none_under_way(group: &str) -> AwsError {
    let message = format!("No in progress or pending Instance Refresh found for Auto Scaling group {group}");
    AwsError::new("ActiveInstanceRefreshNotFound", message)
}

impl State {
    pub(crate) fn active_refresh(&self, group: &GroupName) -> Option<&Refresh> {
        self.refreshes.get(group)?.iter().find(|refresh| refresh.status.is_active())
    }

    pub(crate) fn active_refresh_mut(&mut self, group: &GroupName) -> Option<&mut Refresh> {
        self.refreshes.get_mut(group)?.iter_mut().find(|refresh| refresh.status.is_active())
    }

    fn refresh_under_way(&self, group: &str) -> Result<&Refresh, AwsError> {
        let name = &self.group(group)?.name;
        self.active_refresh(name).ok_or_else(|| none_under_way(group))
    }

    /// Whether the refresh launches before it terminates.
    pub(crate) fn refreshes_first(&self, group: &GroupName) -> bool {
        let first = |refresh: &Refresh| refresh.wants.min_healthy == 100 || refresh.wants.max_healthy > 100;
        self.active_refresh(group).is_some_and(|refresh| first(refresh) && !refresh.run.is_still)
    }

    /// What can't be taken back, and why (AWS: Undo changes with a rollback).
    fn irreversible(&self, group: &GroupName, desired: Option<&LaunchFrom>) -> Option<&'static str> {
        let Some(desired) = desired else { return Some("The instance refresh has no desired configuration") };
        let named = |from: &LaunchFrom| match from {
            LaunchFrom::Template(named) => Some(named.clone()),
            LaunchFrom::Mixed(policy) => Some(policy.base.clone()),
            LaunchFrom::Configuration(_) => None,
        };
        let own = self.groups.get(group).and_then(|group| named(&group.from));
        if own.is_some_and(|own| !matches!(own.version, VersionRef::Number(_))) {
            return Some("The Auto Scaling group uses the $Latest or $Default version of its launch template");
        }
        let image = named(desired).and_then(|named| {
            let template = TemplateName::Id(named.template.to_string());
            self.version(&template, &version_text(named.version)).ok()?.data.image
        });
        image.is_some_and(|image| image.starts_with("resolve:ssm:")).then_some("The image stands in a parameter")
    }

    /// AWS: RefreshPreferences, AutoRollback and AlarmSpecification.
    fn check_refresh(
        &self,
        group: &GroupName,
        desired: Option<&LaunchFrom>,
        wants: &Preferences,
    ) -> Result<(), AwsError> {
        if wants.auto_rollback && desired.is_none() {
            return Err(invalid(
                "The AutoRollback parameter cannot be set to true when the DesiredConfiguration parameter is empty",
            ));
        }
        if let Some(why) = self.irreversible(group, desired).filter(|_| wants.auto_rollback) {
            return Err(invalid(format!("The AutoRollback parameter cannot be set to true: {why}")));
        }
        match wants.alarms.iter().find(|alarm| self.alarms.get(*alarm) != Some(&false)) {
            Some(alarm) => Err(invalid(format!("CloudWatch alarm {alarm} is in ALARM or INSUFFICIENT_DATA"))),
            None => Ok(()),
        }
    }

    fn begin_refresh(
        &mut self,
        group: &GroupName,
        desired: Option<LaunchFrom>,
        preferences: Verbatim,
        wants: Preferences,
    ) -> RefreshId {
        let id = RefreshId(self.uuid());
        let old =
            self.groups.get(group).map(|found| self.members_to_replace(found, desired.as_ref(), wants.skip_matching));
        let refresh = Refresh {
            id: id.clone(),
            group: group.clone(),
            status: RefreshStatus::InProgress,
            started_at: self.now,
            ended_at: None,
            desired,
            preferences,
            percentage: 0,
            reason: None,
            is_ours: self.witness.caller.is_some(),
            wants,
            ended_by_hand: false,
            run: Run { old: old.unwrap_or_default(), begun_at: Some(self.now), ..Run::default() },
        };
        self.refreshes.entry(group.clone()).or_default().push(refresh);
        id
    }
}
