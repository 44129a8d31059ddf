//! Deleting the template versions that were made for a backup: a template takes ten thousand (AWS: Launch template
//! restrictions), and one that names an image which is gone launches nothing.

use lastgood_core::backup::removal::RemovalEvent;
use lastgood_core::backup::{Backup, Event};
use lastgood_core::facts::TemplateVersion;
use lastgood_core::id::TemplateId;
use lastgood_core::needed::TemplateReading;

use crate::Engine;
use crate::call::ec2::DeleteVersions;
use crate::call::{Answers, Cloud};
use crate::drive::Carried;
use crate::port::{Bus, Clock, Store};
use crate::publish::base_of;

/// The versions that say of themselves that they were made for this backup.
pub(crate) fn ours(record: &Backup, templates: &[TemplateReading]) -> Vec<(TemplateId, u64)> {
    let is_ours = |version: &&TemplateVersion| base_of(record, version).is_some();
    let of = |found: &TemplateReading| -> Vec<(TemplateId, u64)> {
        found.naming.iter().filter(is_ours).map(|version| (found.template.clone(), version.number)).collect()
    };
    templates.iter().flat_map(of).collect()
}

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    pub(crate) async fn delete_versions(&self, template: TemplateId, versions: Vec<u64>) -> Carried {
        let delete = DeleteVersions { template: template.clone(), versions };
        let event = match self.cloud.call(&delete).await? {
            Ok(left) => RemovalEvent::VersionsDeleted(template, left),
            Err(refusal) if refusal.why.passes() => RemovalEvent::Refused(refusal),
            Err(refusal) => {
                let left = delete.versions.iter().map(|number| (*number, refusal.to_string())).collect();
                RemovalEvent::VersionsDeleted(template, left)
            }
        };
        Ok(Event::Removal(event))
    }
}
