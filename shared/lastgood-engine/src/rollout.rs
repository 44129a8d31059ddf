//! Rollouts: what AWS tells of instance refreshes is taken down (checkpoint-reached), and the effects of our own are carried
//! out. Nothing here chooses: each effect is its calls, each answer an event.

use std::convert::Infallible;

use lastgood_core::Time;
use lastgood_core::backup::publication::PublicationEvent;
use lastgood_core::backup::{self, Backup};
use lastgood_core::facts::VersionRef;
use lastgood_core::group;
use lastgood_core::id::{GroupName, RefreshId, RolloutId, SourceId, TemplateId};
use lastgood_core::incoming::{RefreshNews, VerdictAsked};
use lastgood_core::record::Queue;
use lastgood_core::refusal::{Refusal, Why};
use lastgood_core::rollout::fitness::{fitness, on_version};
use lastgood_core::rollout::goal::{Goal, begun, in_the_way, may_begin};
use lastgood_core::rollout::{Alone, Event, Order, Outcome, Rollout, others, verdict};
use lastgood_core::source::survey::Planned;
use lastgood_core::source::{self, Source};

use crate::Engine;
use crate::call::autoscaling::{
    CancelRefresh, GroupsNamed, NewestRefreshes, RefreshById, ResumeRefresh, RollBackRefresh, StartRefresh,
    SuspendRefresh,
};
use crate::call::ec2::{StatusesOf, VersionOf};
use crate::call::{Answers, Call, Cloud};
use crate::drive::{Answered, Carried, Carries, Wave};
use crate::port::{Bus, CallFailed, Clock, How, Store, Versioned};
use crate::refuse::{AskError, Asked};
use crate::report::Report;

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// Takes one event down and announces it. An error if it is not on record, or not announced yet; the poll does that, too.
    pub async fn refresh(&self, news: RefreshNews) -> Result<Report, CallFailed> {
        let (id, begun) = Box::pin(self.whose(&news)).await?;
        let event = news.event.clone();
        let told = self.tell(Queue::Checkpoint, &id, begun, &Event::News(news)).await?;
        let report = told.map(|(_, report)| report).unwrap_or_default();
        if report.troubles.is_empty() && !report.out_of_time {
            return Ok(report);
        }
        // Something is not told: this event, or one that came before it.
        let rollout = self.store.load::<Rollout>(&id).await?;
        if rollout.is_some_and(|rollout| rollout.record.has_to_tell(&event)) {
            return Err(CallFailed::new(How::NotMade, "announcing the event", "it is on record, and the poll goes on"));
        }
        Ok(report)
    }

    /// The rollout that news of a refresh is for: ours, if it is ours; else the record of somebody else's, which may not be
    /// there yet.
    async fn whose(&self, news: &RefreshNews) -> Result<(RolloutId, Option<Rollout>), CallFailed> {
        let source = self.store.load::<Source>(&SourceId::Group(news.group.clone())).await?;
        let source = source.map(|source| source.record);
        if let Some(goes) = source.as_ref().and_then(|source| source.rollout.clone()) {
            let mut rollout = self.store.load::<Rollout>(&goes).await?;
            // It may be one whose beginning was not answered: that is looked up first.
            if rollout.as_ref().is_some_and(|rollout| rollout.record.begins()) {
                self.tell::<Rollout>(Queue::Checkpoint, &goes, None, &Event::Woken).await?;
                rollout = self.store.load::<Rollout>(&goes).await?;
            }
            if rollout.is_some_and(|rollout| rollout.record.has_begun(&news.refresh)) {
                return Ok((goes, None));
            }
        }
        let watched = Rollout::watched(news.refresh.clone(), news.group.clone(), self.clock.now());
        let taken_up = match source.filter(Source::judges_others) {
            Some(source) if self.store.load::<Rollout>(&watched.id).await?.is_none() => {
                Box::pin(self.take_up(&source, news)).await?
            }
            Some(_) | None => None,
        };
        Ok((watched.id.clone(), Some(taken_up.unwrap_or(watched))))
    }

    /// A refresh that somebody else began, for its pauses to be judged: if it goes to a version of the group's template by
    /// number, and nothing of ours is under way. Whatever can't be read leaves it watched.
    async fn take_up(&self, source: &Source, news: &RefreshNews) -> Result<Option<Rollout>, CallFailed> {
        let (group, refresh) = (news.group.clone(), news.refresh.clone());
        let view = self.cloud.call(&RefreshById { group: group.clone(), refresh: refresh.clone() }).await?;
        let groups = self.cloud.call(&GroupsNamed(vec![group.clone()])).await?;
        let (Ok(Some(view)), Ok(groups)) = (view, groups) else { return Ok(None) };
        let Some((named, version)) = others::goal(&view, group::named(&groups, &group)) else { return Ok(None) };
        let base = self.cloud.call(&VersionOf::named(&named)).await?;
        let goes_to = VersionOf { template: named.template.clone(), version: VersionRef::Number(version) };
        let (Ok(base), Ok(goes_to)) = (base, self.cloud.call(&goes_to).await?) else { return Ok(None) };
        let now = self.clock.now();
        let Some(order) = others::order(source, named, &base, &goes_to, now) else { return Ok(None) };
        let rollout = Rollout::taken_up(refresh, group, order, now);
        let given = self.change_source(&source.id, |source| source::ask_to_roll(source, &rollout)).await?;
        Ok(given.unwrap_or_default().then_some(rollout))
    }

    /// Takes down what a program or a person says of a pause, asked for `at` that time.
    pub async fn verdict(&self, at: Time, asked: VerdictAsked) -> Result<Report, AskError> {
        let id = asked.rollout.clone();
        let found = self.store.load::<Rollout>(&id).await?.map(|found| found.record);
        let group = found.as_ref().map(|rollout| SourceId::Group(rollout.group.clone()));
        // Who asks about nothing that has a name hears of it as a dead letter.
        let source = group.or_else(|| id.source()).ok_or_else(|| AskError::NoRollout(id.clone()))?;
        let request = Asked::of(asked.detail_type(), &source, &asked.by, at, &asked);
        self.answer(request, self.judge_pause(at, asked, found)).await
    }

    async fn judge_pause(&self, at: Time, asked: VerdictAsked, found: Option<Rollout>) -> Result<Report, AskError> {
        let id = asked.rollout.clone();
        let found = found.ok_or_else(|| AskError::NoRollout(id.clone()))?;
        if let Some(why) = verdict::refused(&found, &asked, at) {
            return Err(AskError::Unable(format!(
                "the verdict '{}' on {id} is not taken: {why}",
                asked.verdict.words()
            )));
        }
        let told = self.tell::<Rollout>(Queue::Checkpoint, &id, None, &Event::Verdict(asked, at)).await?;
        told.map(|(_, report)| report).ok_or(AskError::NoRollout(id))
    }

    /// Begins a refresh, unless an earlier call of ours did.
    async fn start(&self, record: &Rollout, goal: Goal) -> Carried<Rollout> {
        let started = |refresh| match goal {
            Goal::New => Event::Started(refresh),
            Goal::Back => Event::BackStarted(refresh),
        };
        let refused = |refusal| match goal {
            Goal::New => Event::StartRefused(refusal),
            Goal::Back => Event::BackRefused(refusal),
        };
        let Some(order) = &record.order else {
            return Err(CallFailed::new(How::NotMade, StartRefresh::ACTION, "nobody ordered it"));
        };
        let policy = match goal {
            Goal::New => order.policy.clone(),
            Goal::Back => order.policy.back(),
        };
        let (group, template) = (record.group.clone(), order.template().clone());
        let mut start = StartRefresh { group, template, version: goal.version(order), is_mixed: false, policy };
        let newest = match self.cloud.call(&NewestRefreshes(record.group.clone())).await? {
            Ok(newest) => newest,
            Err(refusal) => return Ok(refused(refusal)),
        };
        if let Some(view) = begun(record, order, goal, &newest) {
            return Ok(started(view.id.clone()));
        }
        if let Some(refusal) = in_the_way(&newest, StartRefresh::ACTION) {
            return Ok(refused(refusal));
        }
        // The wait for a call comes before the last look.
        self.cloud.ready(&start).await?;
        start.is_mixed = match self.look_at_group(order, goal, &record.group).await? {
            Ok(is_mixed) => is_mixed,
            Err(refusal) => return Ok(refused(refusal)),
        };
        Ok(self.cloud.call(&start).await?.map_or_else(refused, started))
    }

    async fn look_at_group(&self, order: &Order, goal: Goal, name: &GroupName) -> crate::Called<bool> {
        let told = match self.cloud.call(&GroupsNamed(vec![name.clone()])).await? {
            Ok(told) => told,
            Err(refusal) => return Ok(Err(refusal)),
        };
        Ok(may_begin(order, goal, group::named(&told, name), StartRefresh::ACTION))
    }

    async fn look(&self, group: GroupName, refresh: RefreshId) -> Carried<Rollout> {
        match self.cloud.call(&RefreshById { group, refresh }).await? {
            Ok(view) => Ok(Event::Seen(view)),
            Err(refusal) if refusal.why == Why::Missing => Ok(Event::Seen(None)),
            Err(refusal) => Err(CallFailed::refused(RefreshById::ACTION)(refusal)),
        }
    }

    async fn look_at_members(&self, name: GroupName, template: &TemplateId, version: u64) -> Carried<Rollout> {
        let refused = CallFailed::refused(GroupsNamed::ACTION);
        let told = self.cloud.call(&GroupsNamed(vec![name.clone()])).await?.map_err(refused)?;
        let Some(group) = group::named(&told, &name) else { return Ok(Event::Seen(None)) };
        let members = on_version(group, template, version);
        let checks = self.cloud.call(&StatusesOf(members)).await?.map_err(CallFailed::refused(StatusesOf::ACTION))?;
        Ok(Event::FitnessSeen(fitness(group, template, version, &checks)))
    }

    /// Changes the refresh of a group that is under way, if that is `refresh`: such calls name the group alone.
    async fn if_it_goes<Change: Call<Told = RefreshId>>(
        &self,
        group: GroupName,
        refresh: RefreshId,
        change: Change,
        told: impl FnOnce(Result<RefreshId, Refusal>) -> Event + Send,
    ) -> Carried<Rollout>
    where
        C: Answers<Change>,
    {
        // The wait for a call comes before the look.
        self.cloud.ready(&change).await?;
        match self.look(group, refresh).await? {
            Event::Seen(Some(view)) if view.status.may_be_changed() => Ok(told(self.cloud.call(&change).await?)),
            seen => Ok(seen),
        }
    }

    async fn look_at_suspension(&self, name: GroupName) -> Carried<Rollout> {
        let told = self.cloud.call(&GroupsNamed(vec![name.clone()])).await?;
        let told = told.map_err(CallFailed::refused(GroupsNamed::ACTION))?;
        Ok(Event::SuspensionSeen(group::named(&told, &name).is_some_and(|group| group.refresh_suspended)))
    }

    async fn suspend(&self, name: GroupName) -> Carried<Rollout> {
        let answer = self.cloud.call(&SuspendRefresh(name)).await?;
        Ok(answer.map_or_else(Event::SuspendRefused, |()| Event::Suspended))
    }

    async fn resume(&self, name: GroupName) -> Carried<Rollout> {
        Ok(match self.cloud.call(&ResumeRefresh(name)).await? {
            Ok(()) => Event::Resumed,
            // A group that is gone has nothing to resume.
            Err(refusal) if refusal.why == Why::Missing => Event::Resumed,
            Err(refusal) => Event::ResumeRefused(refusal),
        })
    }

    /// Puts the backup of a pause on record. The poll begins it.
    async fn back_up(&self, record: &Rollout, slot: Time) -> Carried<Rollout> {
        let source = self.store.load::<Source>(&SourceId::Group(record.group.clone())).await?;
        let Some(source) = source else { return Ok(Event::BackedUp(Err("its source is not on record".into()))) };
        let asked = match record.backup_of_pause(&source.record, slot, self.clock.now()) {
            Ok(backup) => backup,
            Err(why) => return Ok(Event::BackedUp(Err(why))),
        };
        let mut backups = vec![asked];
        for id in self.caches_beside(&source.record).await? {
            if let Some(cache) =
                self.store.load::<Source>(&id).await?.filter(|cache| is_beside(&source.record, &cache.record))
            {
                backups.extend(record.backup_of_pause(&cache.record, slot, self.clock.now()));
            }
        }
        for backup in backups {
            // One that is there already was put there by an earlier call, or is of that very second.
            self.store.save(&Versioned::new(backup)).await?;
        }
        Ok(Event::BackedUp(Ok(())))
    }

    /// The caches that the plan of a group names.
    async fn caches_beside(&self, group: &Source) -> Result<Vec<SourceId>, CallFailed> {
        let Some(plan) = &group.plan else { return Ok(Vec::new()) };
        let planned = self.store.load::<Planned>(plan).await?;
        let named = planned.map(|planned| planned.record.plan.select.sources).unwrap_or_default();
        Ok(named.into_iter().filter(|id| id.cache().is_some()).collect())
    }

    /// Tells its backup, and then its source, that it is over.
    async fn tell_the_end(&self, record: &Rollout) -> Carried<Rollout> {
        if let Some((id, outcome)) = Outcome::of(record) {
            let ended = backup::Event::Publication(PublicationEvent::RolloutEnded(outcome));
            // Whoever carries the rollout on: what its backup asks for besides waits for the poll.
            self.tell::<Backup>(Queue::Checkpoint, &id, None, &ended).await?;
        }
        let id = SourceId::Group(record.group.clone());
        self.change_source(&id, |source| (source::rolls_no_more(source, record), ())).await?;
        Ok(Event::Told)
    }
}

/// Whether a cache is there, and in the plan of the group.
fn is_beside(group: &Source, cache: &Source) -> bool {
    cache.plan == group.plan && cache.lost.is_none()
}

impl<S: Store, C: Cloud, B: Bus, K: Clock> Carries<Rollout> for Engine<'_, S, C, B, K> {
    async fn carry_together(&self, _: Wave<Rollout, Infallible>) -> Answered<Rollout> {
        Vec::new()
    }

    async fn carry(&self, record: &Rollout, own: Alone) -> Carried<Rollout> {
        match own {
            Alone::Start => self.start(record, Goal::New).await,
            Alone::StartBack => self.start(record, Goal::Back).await,
            Alone::Look(group, refresh) => self.look(group, refresh).await,
            Alone::LookAtMembers { group, template, version } => self.look_at_members(group, &template, version).await,
            Alone::RollBack(group, refresh) => {
                let told = |answer: Result<_, _>| answer.map_or_else(Event::RollbackRefused, Event::RollbackBegun);
                self.if_it_goes(group.clone(), refresh, RollBackRefresh(group), told).await
            }
            Alone::Cancel(group, refresh) => {
                let told = |answer: Result<_, _>| answer.map_or_else(Event::CancelRefused, Event::CancelBegun);
                self.if_it_goes(group.clone(), refresh, CancelRefresh(group), told).await
            }
            Alone::LookAtSuspension(group) => self.look_at_suspension(group).await,
            Alone::Suspend(group) => self.suspend(group).await,
            Alone::Resume(group) => self.resume(group).await,
            Alone::Prepare(asked) => Box::pin(self.prepare(record, asked)).await,
            Alone::BackUp(slot) => self.back_up(record, slot).await,
            Alone::Tell => Box::pin(self.tell_the_end(record)).await,
        }
    }

    /// No call of a rollout deletes anything.
    async fn wait_to_change(&self, _: &Rollout, _: &Alone) {}

    fn log(record: &Rollout, event: &Event, reason: &str) {
        if !matches!(event, Event::Woken | Event::Told) {
            tracing::info!(rollout = %record.id, group = %record.group, state = ?record.state, percentage = record.percentage, reason);
        }
    }
}
