//! Instance refreshes. They begin, hold the group's configuration if they desire another, and end when a test says so: no
//! member is replaced.

use lastgood_core::id::{GroupName, RefreshId};
use lastgood_core::{Time, seconds_between};

use crate::fault::AwsError;
use crate::filter::{self, Page, Paging};
use crate::group::{group_call, invalid};
use crate::policy::{LaunchFrom, LaunchFromText, Verbatim};
use crate::service::AutoScaling;
use crate::state::{Asked, State, World};

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
    /// `Preferences`.
    pub preferences: Verbatim,
}

/// What StartInstanceRefresh is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartRefresh {
    /// The group.
    pub group: String,
    /// `DesiredConfiguration`.
    pub desired: Option<LaunchFromText>,
    /// `Preferences`, which only matter to those who read them again.
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
            Ok(state.begin_refresh(&name, desired, request.preferences.clone()))
        })
    }

    /// CancelInstanceRefresh: it is cancelled at once, for it replaces nothing that could be waited for.
    pub fn cancel_refresh(&self, group: &str) -> Result<RefreshId, AwsError> {
        self.0.serve(group_call("autoscaling:CancelInstanceRefresh", group), |state| {
            let name = state.group(group)?.name.clone();
            let active = state.active_refresh(&name).map(|refresh| refresh.id.clone());
            let message = format!("No in progress or pending Instance Refresh found for Auto Scaling group {group}");
            let id = active.ok_or_else(|| AwsError::new("ActiveInstanceRefreshNotFound", message))?;
            state.move_refresh(&name, RefreshStatus::Cancelled);
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
        state.begin_refresh(&name, Some(desired), Verbatim::new());
    }

    /// That refresh ends well.
    pub fn unlock_group(&self, name: &str) {
        self.set_refresh(name, RefreshStatus::Successful);
    }

    /// The active refresh of a group gets another status, if there is an active one. Once it succeeds the group launches
    /// from what it desired. Not a call.
    pub fn set_refresh(&self, group: &str, status: RefreshStatus) {
        self.lock().move_refresh(&GroupName::from(group), status);
    }
}

impl State {
    pub(crate) fn active_refresh(&self, group: &GroupName) -> Option<&Refresh> {
        self.refreshes.get(group)?.iter().find(|refresh| refresh.status.is_active())
    }

    fn begin_refresh(&mut self, group: &GroupName, desired: Option<LaunchFrom>, preferences: Verbatim) -> RefreshId {
        let id = RefreshId(self.uuid());
        let refresh = Refresh {
            id: id.clone(),
            group: group.clone(),
            status: RefreshStatus::InProgress,
            started_at: self.now,
            ended_at: None,
            desired,
            preferences,
        };
        self.refreshes.entry(group.clone()).or_default().push(refresh);
        id
    }

    fn move_refresh(&mut self, group: &GroupName, status: RefreshStatus) {
        let now = self.now;
        let mut refreshes = self.refreshes.get_mut(group).into_iter().flatten();
        let Some(refresh) = refreshes.find(|refresh| refresh.status.is_active()) else { return };
        refresh.status = status;
        if !status.is_active() {
            refresh.ended_at = Some(now);
        }
        let desired = refresh.desired.clone().filter(|_| status == RefreshStatus::Successful);
        if let (Some(group), Some(desired)) = (self.groups.get_mut(group), desired) {
            group.from = desired;
        }
    }
}
