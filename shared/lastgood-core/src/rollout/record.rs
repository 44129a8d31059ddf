//! What is on record of a rollout.

use serde::{Deserialize, Serialize};

use super::change::Change;
use super::life::{self, Alone, Event, State};
use super::policy::{Judge, RolloutPolicy};
use super::suspension::Suspension;
use crate::backup::{Backup, Origin};
use crate::facts::TemplateRef;
use crate::id::{BackupId, GroupName, ImageId, RefreshId, RolloutId, SourceId, TemplateId};
use crate::incoming::RefreshNews;
use crate::life::{Effect, LEASE_SECONDS, Life, Step};
use crate::notice::{News, Notice};
use crate::outbox;
use crate::record::{EXPIRES_SECONDS, Place, Queue, ROLLOUTS, Record, Tells};
use crate::source::Source;
use crate::{Time, later};

/// How many events of one refresh are kept; later ones are still announced. A refresh lives 14 days at most, and has
/// a checkpoint visit for each percentage and scale-out.
pub const NEWS_COUNT_MAX: usize = 100;

/// One instance refresh: ours, or somebody else's that is watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// Its name: its source and when it was asked for, or the refresh that somebody else began.
    pub id: RolloutId,
    /// The group.
    pub group: GroupName,
    /// The refresh, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<RefreshId>,
    /// What an operator asked for, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// What it is to bring about; `None` if that is not known yet, or if somebody else began it and nobody judges it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// Where it is in its life.
    pub state: State,
    /// Since when it is there.
    pub since: Time,
    /// Why it is there, in words.
    pub reason: String,
    /// When it must be looked at again.
    pub look_at: Time,
    /// What stands in its way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// How many calls in a row did not get through.
    #[serde(default)]
    pub failures: u32,
    /// Percent that AWS showed last.
    #[serde(default)]
    pub percentage: u32,
    /// When it was looked at last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<Time>,
    /// The pauses at checkpoints, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub visits: Vec<Visit>,
    /// The second refresh, which goes back, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<RefreshId>,
    /// Why it is to be taken back, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_because: Option<String>,
    /// Whether we keep the group's refresh from going on.
    #[serde(default)]
    pub suspension: Suspension,
    /// Its backup and its source know how it ended.
    #[serde(default)]
    pub told: bool,
    /// What AWS told, in the order in which it came.
    pub news: Vec<RefreshNews>,
    /// Notices that are not sent yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outbox: Vec<Notice>,
}

/// What a rollout is to bring about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The backup whose image it is; `None` if it is an operator's, or somebody else's refresh that is judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupId>,
    /// The image.
    pub image: ImageId,
    /// When it was asked for.
    pub at: Time,
    /// How the group named its template when it was ordered.
    pub named: TemplateRef,
    /// The version that it launched from, and goes back to.
    pub base: u64,
    /// The version with the image.
    pub version: u64,
    /// What the plan says of rollouts.
    pub policy: RolloutPolicy,
}

impl Order {
    /// The launch template.
    #[must_use]
    pub fn template(&self) -> &TemplateId {
        &self.named.template
    }
}

/// One pause at a checkpoint. The same percentage may be visited twice after a scale-out, so a visit is known by its event,
/// if one came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// From 1.
    pub number: u32,
    /// The checkpoint.
    pub percentage: u32,
    /// AWS's event; `None` if it was found by looking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// When it was reached, as far as that is known.
    pub at: Time,
    /// When the verdict is due.
    pub deadline: Time,
    /// When AWS goes on by itself.
    pub goes_on_at: Time,
    /// Who agrees that it goes on, each last word once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opinions: Vec<Opinion>,
    /// What was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Given>,
    /// The backup that is to be made of it, now that it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<Kept>,
    /// It is held: until when at the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_until: Option<Time>,
    /// Percent that AWS showed when it was first looked at after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_percentage: Option<u32>,
}

/// Go on, or roll back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The refresh goes on.
    GoOn,
    /// The group is given back what it launched from.
    RollBack,
}

impl Verdict {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::GoOn => "go on",
            Self::RollBack => "roll back",
        }
    }
}

/// That a judge agrees to let a visit go on. Who does not is heard at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opinion {
    /// Who.
    pub judge: Judge,
    /// Why, in words.
    pub reason: String,
    /// When.
    pub at: Time,
}

/// The backup that is made at a visit that goes on: a point to come back to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its slot.
    pub slot: Time,
    /// It is on record.
    pub begun: bool,
}

/// The verdict on a visit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// What.
    pub verdict: Verdict,
    /// Why, in words.
    pub reason: String,
    /// When.
    pub at: Time,
}

impl Rollout {
    /// A refresh that somebody else began, of which nothing is on record yet.
    #[must_use]
    pub fn watched(refresh: RefreshId, group: GroupName, now: Time) -> Self {
        let id = RolloutId::from(refresh.as_str());
        Self { refresh: Some(refresh), ..Self::begun(id, group, None, State::Watched, now) }
    }

    /// One that somebody else began, and that is judged, for its plan says so.
    #[must_use]
    pub fn taken_up(refresh: RefreshId, group: GroupName, order: Order, now: Time) -> Self {
        let id = RolloutId::from(refresh.as_str());
        Self { refresh: Some(refresh), ..Self::begun(id, group, Some(order), State::InProgress, now) }
    }

    /// The name of the rollout of an image that an operator asked for `at` that time.
    #[must_use]
    pub fn change_id(group: &GroupName, at: Time) -> RolloutId {
        RolloutId::of_change(&SourceId::Group(group.clone()), at)
    }

    /// An image that an operator gives to a group.
    #[must_use]
    pub fn asked(group: GroupName, change: Change, at: Time, now: Time) -> Self {
        let id = Self::change_id(&group, at);
        let reason = change.words();
        let mut rollout = Self::begun(id, group, None, State::Preparing, now);
        (rollout.change, rollout.reason) = (Some(change), reason);
        rollout
    }

    /// One that is asked for.
    #[must_use]
    pub fn ordered(group: GroupName, order: Order, now: Time) -> Self {
        let id = RolloutId::of(&SourceId::Group(group.clone()), order.at);
        Self::begun(id, group, Some(order), State::Starting, now)
    }

    fn begun(id: RolloutId, group: GroupName, order: Option<Order>, state: State, now: Time) -> Self {
        Self {
            id,
            group,
            refresh: None,
            change: None,
            order,
            state,
            since: now,
            reason: "it is begun".into(),
            // Nobody is at it: the next poll takes it up, without a lease to wait for.
            look_at: later(now, -LEASE_SECONDS),
            trouble: None,
            failures: 0,
            percentage: 0,
            seen_at: None,
            visits: Vec::new(),
            back: None,
            back_because: None,
            suspension: Suspension::default(),
            told: false,
            news: Vec::new(),
            outbox: Vec::new(),
        }
    }

    /// Whether this refresh is its own, there or back.
    #[must_use]
    pub fn has_begun(&self, refresh: &RefreshId) -> bool {
        [&self.refresh, &self.back].into_iter().flatten().any(|begun| begun == refresh)
    }

    /// Whether it is ours: begun for a backup of ours, or because an operator asked for it.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.change.is_some() || self.order.as_ref().is_some_and(|order| order.backup.is_some())
    }

    /// The pause that waits for a verdict, if one does.
    #[must_use]
    pub fn open_visit(&self) -> Option<&Visit> {
        self.visits.last().filter(|visit| visit.verdict.is_none())
    }

    /// Its source waits for it: it is judged here, and not over, or whoever waited for it does not know yet.
    #[must_use]
    pub fn is_waited_for(&self) -> bool {
        let is_judged = self.order.is_some() || self.change.is_some();
        is_judged && !(self.state.is_at_rest() && self.told)
    }

    /// A refresh of ours may go whose id is not on record.
    #[must_use]
    pub fn begins(&self) -> bool {
        matches!(self.state, State::Starting | State::StartingBack)
    }

    /// The backup of the pause that goes on, for `slot`: of the group, or of a cache beside it; or why none can be made.
    pub fn backup_of_pause(&self, source: &Source, slot: Time, now: Time) -> Result<Backup, String> {
        let plan = source.plan.as_ref().ok_or("its source is in no plan any more")?;
        let (order, visit) = self.order.as_ref().zip(self.visits.last()).ok_or("nobody judges it")?;
        let (template, version) = (order.template().clone(), order.version);
        let origin = Origin::Checkpoint { rollout: self.id.clone(), percentage: visit.percentage, template, version };
        Ok(Backup::requested(source.backup_id(slot), plan, origin, &source.policy, now))
    }

    /// Whether what an event told is not on our bus yet.
    #[must_use]
    pub fn has_to_tell(&self, event: &str) -> bool {
        let ids: Vec<&str> = self.outbox.iter().map(|notice| notice.id.as_str()).collect();
        let source = SourceId::Group(self.group.clone());
        self.news.iter().any(|news| news.event == event)
            && ids.iter().any(|id| id.starts_with(&format!("{source}/{event}/")))
    }

    pub(super) fn tell(&mut self, occasion: &str, now: Time, news: News) {
        let source = SourceId::Group(self.group.clone());
        let occasion = format!("{}/{occasion}", self.id);
        outbox::put(&mut self.outbox, Notice::new(&source, &occasion, now, news));
    }
}

impl Record for Rollout {
    type Id = RolloutId;
    type Of = ();

    fn id(&self) -> RolloutId {
        self.id.clone()
    }

    fn place(id: &RolloutId) -> Place {
        Place { partition: Self::partition(&()), sort: id.to_string() }
    }

    fn partition((): &()) -> String {
        ROLLOUTS.to_owned()
    }

    fn waits(&self) -> Option<(Queue, Time)> {
        life::wake(self).map(|wake| (Queue::Poll, wake))
    }

    fn expires(&self) -> Option<Time> {
        let newest = self.news.iter().map(|news| news.at).chain([self.since]).max();
        newest.filter(|_| life::wake(self).is_none()).map(|newest| later(newest, EXPIRES_SECONDS))
    }
}

impl Tells for Rollout {
    fn outbox(&self) -> &[Notice] {
        &self.outbox
    }

    fn outbox_mut(&mut self) -> &mut Vec<Notice> {
        &mut self.outbox
    }
}

impl Life for Rollout {
    type Event = Event;
    /// Nothing: AWS tells the refreshes of one group at a time.
    type Together = std::convert::Infallible;
    type Alone = Alone;

    fn decide(&self, event: Event, now: Time) -> Step<Self> {
        life::decide(self, event, now)
    }

    fn due(&self, part: Queue, now: Time) -> Option<Effect<Self::Together, Alone>> {
        life::due(self, now).filter(|_| matches!(part, Queue::Poll | Queue::Checkpoint)).map(Effect::Alone)
    }

    fn woken() -> Event {
        Event::Woken
    }

    fn unanswered(&self, trouble: String) -> Event {
        Event::Unanswered(trouble)
    }

    /// That the group's refresh is kept from going on must be on record, whoever saved meanwhile; as must which refresh is
    /// ours.
    fn holds_whoever_saved(event: &Event) -> bool {
        matches!(event, Event::Suspended | Event::Started(_) | Event::BackStarted(_))
    }
}
