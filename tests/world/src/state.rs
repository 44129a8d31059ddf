//! The world itself: its clock, its agenda, its ids, and the gate that every call passes.
//!
//! Nothing happens by itself: what must come later is put on the agenda, and moving the clock works it off in its
//! order, each thing at its own second.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lastgood_core::facts::Tags;
use lastgood_core::id::{CacheId, CacheSnapshotId, GroupName, ImageId, InstanceId, SnapshotId, TemplateId};
use lastgood_core::{Time, later, whole_second};
use serde_json::Value;

use crate::access::{Access, Need};
use crate::by_hand::Place;
use crate::cache::Cache;
use crate::cache_snapshot::{CacheSnapshot, Counted};
use crate::configuration::Configuration;
use crate::fault::{Answered, AwsError, Faults};
use crate::group::Group;
use crate::image::Image;
use crate::instance::Instance;
use crate::parameter;
use crate::refresh::Refresh;
use crate::scaling::LaunchFailure;
use crate::secured::Secured;
use crate::settings::Settings;
use crate::snapshot::Snapshot;
use crate::template::{Template, Token};
use crate::throttle::Buckets;
use crate::weather::Sky;
use crate::witness::Witness;

/// The account that everything is in.
pub const ACCOUNT: &str = "123456789012";
/// The Region that everything is in.
pub const REGION: &str = "us-east-1";

/// One account in one Region. All methods take `&self`; a world may be shared between threads.
#[derive(Debug)]
pub struct World {
    state: Mutex<State>,
}

/// A call that came in, in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// When.
    pub at: Time,
    /// Which: `ec2:CreateImage`.
    pub action: String,
    /// What it was about, in short.
    pub about: String,
    /// `ok`, `answer lost`, or the error's code.
    pub outcome: String,
}

/// What must happen later. Each checks, when its time comes, that it still can.
#[derive(Clone, Debug)]
pub(crate) enum Due {
    InstanceRuns(InstanceId),
    InstanceGone(InstanceId),
    InstanceOff(InstanceId, u64),
    ImageDone(ImageId),
    SnapshotDone(SnapshotId),
    CacheSnapshotDone(CacheSnapshotId),
    GroupActs(GroupName),
    MemberServes(InstanceId),
    RefreshActs(GroupName),
    Sickens(InstanceId),
}

/// A call before it is judged.
pub(crate) struct Asked {
    pub(crate) action: &'static str,
    /// The permissions that it needs.
    pub(crate) needs: Vec<Need>,
    /// Those that follow from what is there: the tags of what it is about, what a template launches.
    pub(crate) more: Option<MoreNeeds>,
    pub(crate) about: String,
    /// What the caller knows once it is answered, in the words of the witness.
    pub(crate) reads: Vec<Place>,
}

/// The needs of a call that follow from what is there.
pub(crate) type MoreNeeds = Box<dyn FnOnce(&State) -> Vec<Need>>;

impl Asked {
    /// A call that needs the permission of its own name, on one resource.
    pub(crate) fn new(action: &'static str, resource: impl Into<String>, about: impl Into<String>) -> Self {
        let needs = vec![Need::new(action, resource)];
        Self { action, needs, more: None, about: about.into(), reads: Vec::new() }
    }

    pub(crate) fn reading(self, places: impl IntoIterator<Item = Place>) -> Self {
        Self { reads: places.into_iter().collect(), ..self }
    }

    /// One more permission.
    pub(crate) fn and(mut self, need: Need) -> Self {
        self.needs.push(need);
        self
    }

    /// And those that follow from what is there.
    pub(crate) fn and_more(self, more: impl FnOnce(&State) -> Vec<Need> + 'static) -> Self {
        Self { more: Some(Box::new(more)), ..self }
    }

    /// The tags of what it is about are known to AWS before it judges. Of what is not there nothing is known, and the call is
    /// refused for that (guessed: AWS may as well say that it is not permitted).
    pub(crate) fn knowing_tags(self, tags: impl FnOnce(&State) -> Option<Tags> + 'static) -> Self {
        let need = self.needs[0].clone();
        let mut asked =
            self.and_more(move |state| tags(state).map(|tags| need.bearing_tags(&tags)).into_iter().collect());
        asked.needs.clear();
        asked
    }
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) now: Time,
    pub(crate) settings: Settings,
    pub(crate) faults: Faults,
    pub(crate) sky: Sky,
    pub(crate) access: Access,
    pub(crate) secured: Secured,
    pub(crate) witness: Witness,
    pub(crate) instances: BTreeMap<InstanceId, Instance>,
    pub(crate) images: BTreeMap<ImageId, Image>,
    /// Image names in use, and by whom.
    pub(crate) names: BTreeMap<String, ImageId>,
    pub(crate) snapshots: BTreeMap<SnapshotId, Snapshot>,
    pub(crate) templates: BTreeMap<TemplateId, Template>,
    pub(crate) tokens: BTreeMap<String, Token>,
    pub(crate) configurations: BTreeMap<String, Configuration>,
    pub(crate) groups: BTreeMap<GroupName, Group>,
    /// The instance refreshes of each group, oldest first.
    pub(crate) refreshes: BTreeMap<GroupName, Vec<Refresh>>,
    /// CloudWatch alarms, and whether each is in ALARM.
    pub(crate) alarms: BTreeMap<String, bool>,
    pub(crate) parameters: BTreeMap<String, parameter::Versions>,
    pub(crate) caches: BTreeMap<CacheId, Cache>,
    pub(crate) cache_snapshots: BTreeMap<CacheSnapshotId, CacheSnapshot>,
    /// What counts against the quotas of caches.
    pub(crate) counted: Vec<Counted>,
    pub(crate) buckets: Buckets,
    pub(crate) reboots: Vec<InstanceId>,
    pub(crate) launch_failures: Vec<LaunchFailure>,
    pub(crate) events: Vec<Value>,
    agenda: BTreeMap<(Time, u64), Due>,
    counter: u64,
    calls: BTreeMap<String, usize>,
    log: Vec<Call>,
}

impl State {
    /// Puts `due` on the agenda, `seconds` from now.
    pub(crate) fn after(&mut self, seconds: i64, due: Due) {
        self.counter += 1;
        self.agenda.insert((later(self.now, seconds.max(0)), self.counter), due);
    }

    /// 16 hexadecimal digits that no other id has, in no order: AWS's ids tell nothing of their age.
    pub(crate) fn digits(&mut self) -> String {
        self.counter += 1;
        // The finalizer of SplitMix64: one to one, so that two ids never meet.
        let mut mixed = self.counter.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        format!("{:016x}", mixed ^ (mixed >> 31))
    }

    pub(crate) fn uuid(&mut self) -> String {
        let (a, b) = (self.digits(), self.digits());
        format!("{}-{}-{}-{}-{}", &a[..8], &a[8..12], &a[12..], &b[..4], &b[4..])
    }

    fn advance_to(&mut self, time: Time) {
        while let Some(entry) = self.agenda.first_entry()
            && entry.key().0 <= time
        {
            let ((at, _), due) = entry.remove_entry();
            self.now = self.now.max(at);
            match due {
                Due::InstanceRuns(id) => self.instance_runs(&id),
                Due::InstanceGone(id) => self.instance_gone(&id),
                Due::InstanceOff(id, turn) => self.instance_off(&id, turn),
                Due::ImageDone(id) => self.image_done(&id),
                Due::SnapshotDone(id) => self.snapshot_done(&id),
                Due::CacheSnapshotDone(id) => self.cache_snapshot_done(&id),
                Due::GroupActs(name) => self.group_acts(&name),
                Due::MemberServes(id) => self.member_runs(&id),
                Due::RefreshActs(name) => self.refresh_acts(&name),
                Due::Sickens(id) => self.member_sickens(&id),
            }
        }
        self.now = self.now.max(time);
    }
}

impl World {
    /// An empty world, whose clock stands at `start`.
    pub fn new(start: Time) -> Self {
        Self::with(start, Settings::default())
    }

    /// An empty world with another pace.
    pub fn with(start: Time, settings: Settings) -> Self {
        let state = State {
            now: whole_second(start),
            settings,
            faults: Faults::default(),
            sky: Sky::default(),
            access: Access::default(),
            secured: Secured::default(),
            witness: Witness::default(),
            instances: BTreeMap::new(),
            images: BTreeMap::new(),
            names: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            templates: BTreeMap::new(),
            tokens: BTreeMap::new(),
            configurations: BTreeMap::new(),
            groups: BTreeMap::new(),
            refreshes: BTreeMap::new(),
            alarms: BTreeMap::new(),
            parameters: BTreeMap::new(),
            caches: BTreeMap::new(),
            cache_snapshots: BTreeMap::new(),
            counted: Vec::new(),
            buckets: Buckets::default(),
            reboots: Vec::new(),
            launch_failures: Vec::new(),
            events: Vec::new(),
            agenda: BTreeMap::new(),
            counter: 0,
            calls: BTreeMap::new(),
            log: Vec::new(),
        };
        Self { state: Mutex::new(state) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A test that failed while it held the lock has told so already.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the pace, for what begins from now on.
    pub fn change_settings(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.lock().settings);
    }

    /// Who may what.
    pub fn access(&self) -> Access {
        self.lock().access.clone()
    }

    /// The clock.
    pub fn time(&self) -> Time {
        self.lock().now
    }

    /// Moves the clock, and all that happens meanwhile happens.
    pub fn advance(&self, seconds: i64) {
        let mut state = self.lock();
        let time = later(state.now, seconds);
        state.advance_to(time);
    }

    /// Moves the clock to `time`; it never goes back.
    pub fn advance_to(&self, time: Time) {
        self.lock().advance_to(whole_second(time));
    }

    /// The time of the next thing on the agenda, if there is one.
    pub fn next_change(&self) -> Option<Time> {
        self.lock().agenda.keys().next().map(|(at, _)| *at)
    }

    /// How many calls came in, by action, whatever became of them.
    pub fn calls(&self) -> BTreeMap<String, usize> {
        self.lock().calls.clone()
    }

    /// Every call that came in, in their order.
    pub fn log(&self) -> Vec<Call> {
        self.lock().log.clone()
    }

    /// Carries a call out, if it gets through.
    pub(crate) fn serve<T>(
        &self,
        asked: Asked,
        run: impl FnOnce(&mut State) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        let mut state = self.lock();
        let state = &mut *state;
        let Asked { action, mut needs, more, about, reads } = asked;
        *state.calls.entry(action.to_owned()).or_default() += 1;
        if let Some(more) = more {
            needs.extend(more(state));
        }
        let judged = state.buckets.take(action, state.now).and_then(|()| state.faults.judge(action, &needs));
        let judged = judged.and_then(|answered| match state.witness.caller.map(|_| state.access.judge(&needs)) {
            Some(Err(need)) => Err(AwsError::denied(&need.action, &need.resource)),
            Some(Ok(())) | None => Ok(answered),
        });
        let judged = judged.and_then(|answered| match state.witness.caller {
            Some(_) if answered == Answered::Yes => state.sky.judge(action),
            _ => Ok(answered),
        });
        let blamed = state.blamed();
        let given = blamed.map(|_| state.given_by_hand()).unwrap_or_default();
        let launched = blamed.filter(|_| changes_launches(action)).map(|_| state.launched());
        let (result, outcome) = match judged {
            Err(error) => (Err(error), None),
            Ok(Answered::Yes) => (run(state), None),
            Ok(Answered::Lost) => {
                let done = run(state).err().map_or_else(|| "ok".to_owned(), |error| error.code);
                let lost = AwsError::with_status(500, "InternalError", "An internal error has occurred");
                (Err(lost), Some(format!("{done}, answer lost")))
            }
        };
        if let Some(caller) = blamed {
            state.witness_undone(caller, &given);
        }
        if let Some(before) = launched {
            state.witness_launches(&before, &given);
        }
        if let Some(caller) = state.witness.caller.filter(|_| result.is_ok()) {
            state.witness_reads(caller, reads);
        }
        let outcome = outcome.unwrap_or_else(|| match &result {
            Ok(_) => "ok".to_owned(),
            Err(error) => error.code.clone(),
        });
        state.log.push(Call { at: state.now, action: action.to_owned(), about, outcome });
        result
    }
}

/// Whether what a group launches from may be another image after this call.
fn changes_launches(action: &str) -> bool {
    matches!(
        action,
        "autoscaling:UpdateAutoScalingGroup"
            | "ec2:CreateLaunchTemplateVersion"
            | "ec2:ModifyLaunchTemplate"
            | "ssm:PutParameter"
    )
}

/// The ARN of an EC2 resource that belongs to the account: instance, launch-template, volume.
pub(crate) fn ec2_arn(kind: &str, id: impl std::fmt::Display) -> String {
    format!("arn:aws:ec2:{REGION}:{ACCOUNT}:{kind}/{id}")
}

/// The ARN of an image or a snapshot. It has no account (AWS: Actions, resources, and condition keys for Amazon EC2).
pub(crate) fn shared_arn(kind: &str, id: impl std::fmt::Display) -> String {
    format!("arn:aws:ec2:{REGION}::{kind}/{id}")
}

/// Tags as AWS takes them, or why not (AWS: Tag your Amazon EC2 resources).
pub(crate) fn check_tags(tags: &Tags) -> Result<(), AwsError> {
    if tags.len() > 50 {
        return Err(AwsError::new("TagLimitExceeded", "The maximum number of Tags for a resource has been reached."));
    }
    for (key, value) in tags {
        if key.starts_with("aws:") {
            let message = format!("Tag keys starting with 'aws:' are reserved for internal use: {key}");
            return Err(AwsError::new("InvalidParameterValue", message));
        }
        if key.is_empty() || key.chars().count() > 127 {
            let message = format!("Tag key exceeds the maximum length of 127 characters: {key}");
            return Err(AwsError::new("InvalidParameterValue", message));
        }
        if value.chars().count() > 256 {
            let message = format!("Tag value exceeds the maximum length of 256 characters: {value}");
            return Err(AwsError::new("InvalidParameterValue", message));
        }
    }
    Ok(())
}
