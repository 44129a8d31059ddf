//! Carrying out publications: whose turn it is, what the group launches from, and its rollout.

use futures_util::StreamExt;
use futures_util::stream;
use lastgood_core::backup::publication::{PublicationEvent, publishable};
use lastgood_core::backup::{Backup, Event};
use lastgood_core::id::{GroupName, ImageId, SourceId};
use lastgood_core::refusal::{Refusal, Why};
use lastgood_core::rollout::{Order, Rollout};
use lastgood_core::source::{self, Source, Turn};

use super::together::{AskFailed, together};
use crate::call::autoscaling::{ActiveRefresh, GroupsNamed};
use crate::call::ec2::ImagesById;
use crate::call::{Answers, Called, Cloud};
use crate::drive::{Answered, Carried, Wave};
use crate::port::{Bus, CallFailed, Clock, How, Store, Versioned};
use crate::{CALLS_AT_ONCE_MAX, Engine};

pub(super) fn told(event: PublicationEvent) -> Event {
    Event::Publication(event)
}

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    pub(super) async fn ask_turn(&self, record: &Backup) -> Carried<Backup> {
        let slot = record.id.slot;
        let turn = self.change_source(&record.id.source, |source| source::ask_turn(source, slot)).await?;
        let Some(turn) = turn else {
            return Err(CallFailed::new(How::NotMade, "asking the source", "it is not on record"));
        };
        if turn == Turn::Taken {
            self.free_turn(&record.id.source).await?;
        }
        Ok(told(PublicationEvent::Turn(turn)))
    }

    /// Takes the turn from a backup, or a rollout, that is not at it any more.
    pub(crate) async fn free_turn(&self, source: &SourceId) -> Result<(), CallFailed> {
        let Some(found) = self.store.load::<Source>(source).await? else { return Ok(()) };
        for goes in found.record.rollouts() {
            let rollout = self.store.load::<Rollout>(goes).await?;
            if !rollout.is_some_and(|rollout| rollout.record.is_waited_for()) {
                self.change_source(source, |source| (source::forget_rollout(source, goes), ())).await?;
            }
        }
        let Some(holder) = found.record.turn else { return Ok(()) };
        let backup = self.store.load::<Backup>(&found.record.backup_id(holder)).await?;
        if !source::is_at_it(backup.as_ref().map(|backup| &backup.record)) {
            self.change_source(source, |source| (source::free_turn(source, holder), ())).await?;
        }
        Ok(())
    }

    /// What the group of each record launches from: one describe for all groups and one for all images, then each
    /// template for itself.
    pub(super) async fn read_templates(&self, wave: Wave<Backup, GroupName>) -> Answered<Backup> {
        let names = wave.iter().map(|(_, group)| group.clone());
        let groups = together(names, |names| async move { self.cloud.call(&GroupsNamed(names)).await }).await;
        let ids: Vec<ImageId> = wave.iter().filter_map(|(record, _)| record.record.image().cloned()).collect();
        let images = together(ids, |ids| async move { self.cloud.call(&ImagesById(ids)).await }).await;
        let found = groups.and_then(|groups| Ok((groups, images?)));
        let reads = stream::iter(wave).map(|(record, name)| {
            let found = &found;
            async move {
                let carried = match found {
                    Ok((groups, images)) => match publishable(record.record.image(), &name, groups, images) {
                        Ok((group, image)) => {
                            Box::pin(self.read_template(&record.record.id, group, image)).await.map(told)
                        }
                        Err(why) => Ok(told(why)),
                    },
                    Err(AskFailed::Refused(refusal)) => Ok(told(PublicationEvent::Refused(refusal.clone()))),
                    Err(failed @ AskFailed::Unanswered { .. }) => Err(failed.unanswered()),
                };
                (record, carried)
            }
        });
        reads.buffered(CALLS_AT_ONCE_MAX).collect().await
    }

    /// Refuses `action` while an instance refresh is under way: whatever it replaces with, another image now would come
    /// in between (AWS: Use an instance refresh with skip matching).
    pub(crate) async fn no_refresh(&self, group: &GroupName, action: &str) -> Called<()> {
        Ok(match self.cloud.call(&ActiveRefresh(group.clone())).await? {
            Ok(None) => Ok(()),
            Ok(Some(refresh)) => {
                let message = format!("instance refresh {} is under way", refresh.id);
                Err(Refusal { why: Why::Locked, action: action.to_owned(), message })
            }
            Err(refusal) => Err(refusal),
        })
    }

    /// Puts the rollout on record, and says so at its source. The poll begins it.
    pub(super) async fn begin_rollout(&self, group: GroupName, order: Order) -> Carried<Backup> {
        let source = SourceId::Group(group.clone());
        let rollout = Rollout::ordered(group, order, self.clock.now());
        let id = rollout.id.clone();
        // One that is there already was put there by an earlier call.
        self.store.save(&Versioned::new(rollout)).await?;
        self.change_source(&source, |source| (source::rolls(source, &id), ())).await?;
        // It may be over by now, carried on by somebody else.
        self.free_turn(&source).await?;
        Ok(told(PublicationEvent::RolloutBegun))
    }
}
