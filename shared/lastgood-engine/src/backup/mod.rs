//! Carrying out the effects of a backup. Nothing here chooses: each effect is its calls, each answer an event.

mod create;
mod look;
mod needed;
mod parameter;
mod publish;
mod remove;
mod together;

use lastgood_core::backup::scale_in::ScaleInEvent;
use lastgood_core::backup::{Backup, Effect, Event};
use lastgood_core::facts::Tags;
use lastgood_core::id::{GroupName, InstanceId};
use lastgood_core::name;
use lastgood_core::source::{self, Outcome};

use crate::Engine;
use crate::call::autoscaling::{ScaleInProtection, SetScaleInProtection};
use crate::call::ec2::{DeleteVersions, DeregisterImage};
use crate::call::{Answers, Cloud};
use crate::drive::{Answered, Carried, Carries, Wave};
use crate::port::{Bus, Clock, Store, Versioned};
use crate::report::chain;

impl<S: Store, C: Cloud, B: Bus, K: Clock> Carries<Backup> for Engine<'_, S, C, B, K> {
    fn is_asked_together(effect: &Effect) -> bool {
        matches!(effect, Effect::ChooseInstance(_) | Effect::LookAtImage(_) | Effect::ReadTemplate(_))
    }

    async fn carry(&self, record: &Backup, effect: Effect) -> Carried<Backup> {
        match effect {
            Effect::TellSource => self.tell_source(record).await,
            Effect::ChooseInstance(group) => only(self.choose_instances(alone(record, group)).await),
            Effect::Protect(group, instance) => self.protect(group, instance).await,
            Effect::Unprotect(group, instance) => self.unprotect(group, instance).await,
            Effect::CreateImage(group, instance) => self.create_image(record, &group, instance).await,
            Effect::LookAtImage(image) => only(self.look_at_images(alone(record, image)).await),
            Effect::AskTurn => self.ask_turn(record).await,
            Effect::ReadTemplate(group) => only(self.read_templates(alone(record, group)).await),
            Effect::MakeVersion { template, base, image } => self.make_version(record, template, base, image).await,
            Effect::PointGroup { group, named, base, version } => self.point_group(&group, &named, base, version).await,
            Effect::ReadParameter(group, name) => self.read_parameter(record, &group, &name).await,
            Effect::WriteParameter { name, image, was } => self.write_parameter(&name, image, was).await,
            Effect::Inspect => self.inspect(record).await,
            Effect::DeleteVersions(template, versions) => self.delete_versions(template, versions).await,
            Effect::Deregister(image) => self.deregister(image).await,
            Effect::DeleteSnapshots(ids) => self.delete_snapshots(ids).await,
        }
    }

    async fn carry_together(&self, wave: Wave<Backup>) -> Answered<Backup> {
        let (mut choose, mut look, mut read, mut others) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (record, effect) in wave {
            match effect {
                Effect::ChooseInstance(group) => choose.push((record, group)),
                Effect::LookAtImage(image) => look.push((record, image)),
                Effect::ReadTemplate(group) => read.push((record, group)),
                other => others.push((record, other)),
            }
        }
        let mut answered = self.choose_instances(choose).await;
        answered.extend(self.look_at_images(look).await);
        answered.extend(self.read_templates(read).await);
        for (record, effect) in others {
            let carried = self.carry(&record.record, effect).await;
            answered.push((record, carried));
        }
        answered
    }

    async fn wait_to_destroy(&self, effect: &Effect) {
        let _ = match effect {
            Effect::Deregister(image) => self.cloud.ready(&DeregisterImage(image.clone())).await,
            Effect::DeleteVersions(template, versions) => {
                let delete = DeleteVersions { template: template.clone(), versions: versions.clone() };
                self.cloud.ready(&delete).await
            }
            _ => Ok(()),
        };
    }

    fn log(record: &Backup, event: &Event, reason: &str) {
        if !matches!(event, Event::SourceTold | Event::Woken) {
            let image = record.image().map(ToString::to_string);
            tracing::info!(backup = %record.id, state = ?record.state, publication = ?record.publication, image, reason);
        }
    }
}

/// One record by itself.
fn alone<T>(record: &Backup, asked: T) -> Wave<Backup, T> {
    vec![(Versioned::new(record.clone()), asked)]
}

/// What was answered of the one that was asked for.
fn only(mut answered: Answered<Backup>) -> Carried<Backup> {
    answered.pop().expect("each record has its answer").1
}

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    async fn tell_source(&self, record: &Backup) -> Carried<Backup> {
        let outcome = Outcome::of(record);
        self.change_source(&record.id.source, |source| (source::hear(source, &outcome), ())).await?;
        Ok(Event::SourceTold)
    }

    /// The tags prove whose a thing is: our stack's, and this backup's.
    fn is_ours(&self, record: &Backup, tags: &Tags) -> bool {
        name::is_ours(self.running.stack, &record.id, tags)
    }

    async fn protect(&self, group: GroupName, instance: InstanceId) -> Carried<Backup> {
        let set = SetScaleInProtection { group, instance, protection: ScaleInProtection::On };
        Ok(Event::ScaleIn(match self.cloud.call(&set).await? {
            Ok(()) => ScaleInEvent::On,
            Err(refusal) => ScaleInEvent::OnRefused(refusal),
        }))
    }

    async fn unprotect(&self, group: GroupName, instance: InstanceId) -> Carried<Backup> {
        let set = SetScaleInProtection { group, instance, protection: ScaleInProtection::Off };
        Ok(Event::ScaleIn(match self.cloud.call(&set).await {
            Ok(Ok(())) => ScaleInEvent::Off,
            Ok(Err(refusal)) => ScaleInEvent::OffRefused(refusal),
            // The record's own wait, for its image or its turn, has nothing to do with this.
            Err(error) => ScaleInEvent::OffUnanswered(chain(&error)),
        }))
    }
}
