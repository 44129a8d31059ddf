//! Looking for the sources of plans: which are there, and which bear a plan's tags (backup-tick).

use lastgood_core::record::Key;
use lastgood_core::source::survey::{Planned, survey};
use lastgood_core::source::{self, Found, Source};

use crate::call::Cloud;
use crate::port::{Bus, CallFailed, Clock, Saved, Store, Versioned};
use crate::report::Report;
use crate::standing::standing;
use crate::{Engine, find};

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    /// Surveys the plans of these names, one after the other: each costs one describe for its tags and one for a hundred
    /// names.
    pub(crate) async fn survey(&self, plans: Vec<String>, report: &mut Report) {
        for name in plans {
            if self.out_of_time() {
                report.out_of_time = true;
                return;
            }
            if let Err(error) = Box::pin(self.survey_plan(&name, report)).await {
                report.trouble(&format!("plan {name}"), &error);
            }
        }
    }

    async fn survey_plan(&self, name: &str, report: &mut Report) -> Result<(), CallFailed> {
        let Some(planned) = self.store.load::<Planned>(&name.to_owned()).await? else { return Ok(()) };
        let plan = &planned.record.plan;
        // Those of other plans too: a group that bears the tags may be one of them.
        let known = self.store.read::<Source>(&()).await?;
        // What can't be read is there all the same: it is not found anew.
        let unread: Vec<Key> = known.unread().collect();
        let known = report.readable(known);
        let records: Vec<Source> = known.iter().map(|source| source.record.clone()).collect();
        let told = Box::pin(find::of_plan(&self.cloud, plan, &records)).await?;
        // A survey that AWS refuses proves nothing about any source; the next one asks again.
        let mut told = told.map_err(CallFailed::refused("a survey"))?;
        told.retain(|resource| !unread.contains(&Key::Source(resource.id())));
        let now = self.clock.now();
        for record in survey(plan, &told, &records, now) {
            let before = known.iter().find(|source| source.record.id == record.id);
            let is_new = source::begins_anew(before.map(|before| &before.record), &record);
            let resource = told.iter().find(|resource| resource.id() == record.id);
            let record = match resource.filter(|_| is_new) {
                Some(resource) => match standing(&self.cloud, resource, &plan.policy.publish.to).await?.image() {
                    Some(Found(image)) => source::expect(record, image),
                    None => record,
                },
                None => record,
            };
            let id = record.id.clone();
            let changed = Versioned { record, version: before.map_or(0, |before| before.version) };
            match self.store.save(&changed).await? {
                // Somebody else saved it meanwhile: the next survey sees what became of it.
                Saved::Outdated => report.lost += 1,
                Saved::As(_) => {
                    tracing::info!(source = %id, plan = name, "the survey changed it");
                    // What is to be told stays in its outbox, and wakes it, until the bus has it.
                    if let Err(error) = self.send_from::<Source>(&id).await {
                        report.trouble(&id, &error);
                    }
                }
            }
        }
        let surveyed = Versioned { record: planned.record.surveyed(now), version: planned.version };
        self.store.save(&surveyed).await?;
        Ok(())
    }
}
