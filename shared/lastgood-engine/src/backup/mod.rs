//! Carrying out the effects of a backup. Nothing here chooses: each effect is its calls, each answer an event.

mod cache;
mod create;
mod instance;
mod look;
mod needed;
mod parameter;
mod publish;
mod remove;
mod together;

use lastgood_core::backup::scale_in::ScaleInEvent;
use lastgood_core::backup::{Alone, Backup, Event, Together};
use lastgood_core::facts::Tags;
use lastgood_core::id::{ArtifactId, GroupName, InstanceId, SourceId};
use lastgood_core::name;
use lastgood_core::source::{self, Outcome};

use self::publish::told;
use crate::Engine;
use crate::call::autoscaling::{ScaleInProtection, SetScaleInProtection};
use crate::call::ec2::{DeleteVersions, DeregisterImage};
use crate::call::elasticache::DeleteCacheSnapshot;
use crate::call::{Answers, Cloud};
use crate::drive::{Answered, Carried, Carries, Wave};
use crate::port::{Bus, Clock, Store};
use crate::report::chain;

impl<S: Store, C: Cloud, B: Bus, K: Clock> Carries<Backup> for Engine<'_, S, C, B, K> {
    async fn carry_together(&self, wave: Wave<Backup, Together>) -> Answered<Backup> {
        let (mut choose, mut look, mut read) = (Vec::new(), Vec::new(), Vec::new());
        let (mut choose_node, mut look_at_cache) = (Vec::new(), Vec::new());
        let (mut find, mut look_at_instance) = (Vec::new(), Vec::new());
        for (record, asked) in wave {
            match asked {
                Together::ChooseInstance(group) => choose.push((record, group)),
                Together::ChooseNode(cache) => choose_node.push((record, cache)),
                Together::LookAtCacheSnapshot(id) => look_at_cache.push((record, id)),
                Together::FindInstance(instance) => find.push((record, instance)),
                Together::LookAtInstance(instance) => look_at_instance.push((record, instance)),
                Together::LookAtImage(image) => look.push((record, image)),
                Together::ReadTemplate(group) => read.push((record, group)),
            }
        }
        // What is off is missed: it is looked at first.
        let mut answered = Box::pin(self.look_at_instances(look_at_instance)).await;
        answered.extend(self.choose_instances(choose).await);
        answered.extend(Box::pin(self.find_instances(find)).await);
        answered.extend(self.look_at_images(look).await);
        answered.extend(self.read_templates(read).await);
        // Boxed, as in drive: most waves have no cache.
        answered.extend(Box::pin(self.choose_nodes(choose_node)).await);
        answered.extend(Box::pin(self.look_at_cache_snapshots(look_at_cache)).await);
        answered
    }

    async fn carry(&self, record: &Backup, own: Alone) -> Carried<Backup> {
        match own {
            Alone::TellSource => self.tell_source(record).await,
            Alone::Protect(group, instance) => self.protect(group, instance).await,
            Alone::Unprotect(group, instance) => self.unprotect(group, instance).await,
            Alone::CreateImage(group, instance) => self.create_image(record, &group, instance).await,
            Alone::CreateCacheSnapshot(cache, node) => Box::pin(self.create_cache_snapshot(record, cache, node)).await,
            Alone::StopInstance { instance, force } => self.stop_instance(instance, force).await,
            Alone::StartInstance(instance) => self.start_instance(instance).await,
            Alone::CreateInstanceImage(instance) => Box::pin(self.create_instance_image(record, instance)).await,
            Alone::LookAtCopy(image) => Box::pin(self.look_at_copy(record, image)).await,
            Alone::AskTurn => self.ask_turn(record).await,
            Alone::MakeVersion { template, base, image } => {
                self.make_version(&record.id, template, base, image).await.map(told)
            }
            Alone::PointGroup { group, named, base, version } => {
                self.point_group(&group, &named, base, version).await.map(told)
            }
            Alone::PinGroup { group, named, base } => self.pin_group(&group, &named, base).await.map(told),
            Alone::BeginRollout(group, order) => self.begin_rollout(group, *order).await,
            Alone::ReadParameter(group, name) => self.read_parameter(record, &group, &name).await,
            Alone::WriteParameter { name, image, was } => self.write_parameter(&name, image, was).await,
            Alone::Inspect => match &record.id.source {
                SourceId::Group(group) => self.inspect(record, Some(group)).await,
                SourceId::Instance(_) => self.inspect(record, None).await,
                SourceId::Cache(cache) => Box::pin(self.inspect_cache(record, cache)).await,
            },
            Alone::DeleteVersions(template, versions) => self.delete_versions(template, versions).await,
            Alone::Deregister(image) => self.deregister(image).await,
            Alone::DeleteCacheSnapshot(id) => self.delete_cache_snapshot(id).await,
            Alone::DeleteSnapshots(ids) => self.delete_snapshots(ids).await,
        }
    }

    async fn wait_to_change(&self, record: &Backup, own: &Alone) {
        let _ = match own {
            Alone::Deregister(image) => self.cloud.ready(&DeregisterImage(image.clone())).await,
            Alone::DeleteCacheSnapshot(id) => self.cloud.ready(&DeleteCacheSnapshot(id.clone())).await,
            // Which node it is of holds for a moment only.
            Alone::CreateCacheSnapshot(cache, node) => {
                self.cloud.ready(&self.cache_snapshot_of(record, cache.clone(), node.clone())).await
            }
            Alone::DeleteVersions(template, versions) => {
                let delete = DeleteVersions { template: template.clone(), versions: versions.clone() };
                self.cloud.ready(&delete).await
            }
            Alone::TellSource
            | Alone::Protect(..)
            | Alone::Unprotect(..)
            | Alone::CreateImage(..)
            | Alone::StopInstance { .. }
            | Alone::StartInstance(_)
            | Alone::CreateInstanceImage(_)
            | Alone::LookAtCopy(_)
            | Alone::AskTurn
            | Alone::MakeVersion { .. }
            | Alone::PointGroup { .. }
            | Alone::PinGroup { .. }
            | Alone::BeginRollout(..)
            | Alone::ReadParameter(..)
            | Alone::WriteParameter { .. }
            | Alone::Inspect
            // Snapshots without an image: nothing launches from them.
            | Alone::DeleteSnapshots(_) => Ok(()),
        };
    }

    fn log(record: &Backup, event: &Event, reason: &str) {
        if !matches!(event, Event::SourceTold | Event::Woken) {
            let artifact = record.artifact_id.as_ref().map(ArtifactId::as_str);
            tracing::info!(backup = %record.id, state = ?record.state, publication = ?record.publication, artifact, reason);
        }
    }
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
