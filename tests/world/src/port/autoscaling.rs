//! Auto Scaling's calls.

use lastgood_core::facts::{self, VersionRef};
use lastgood_core::id::{GroupName, TemplateId};
use lastgood_core::refusal::{Refusal, Why};
use lastgood_engine::call::autoscaling::{
    ActiveRefresh, GroupsNamed, GroupsTagged, LaunchConfigurations, ScaleInProtection, SetGroupVersion,
    SetMixedVersion, SetScaleInProtection,
};
use lastgood_engine::{Answer, Answers, Call, CallFailed, Called};

use super::facts::{answer, group_fact, refresh_fact};
use super::{all, paging, parts};
use crate::configuration::{Configuration, DescribeConfigurations};
use crate::fault::AwsError;
use crate::filter::Filter;
use crate::group::{DescribeGroups, Group, UpdateGroup};
use crate::member::ScaleIn;
use crate::policy::{LaunchFrom, LaunchFromText, MixedText, Specification};
use crate::refresh::DescribeRefreshes;
use crate::state::World;
use crate::template::TemplateName;

/// Names of groups in one call.
const NAMES_A_CALL: usize = 100;

impl World {
    fn groups_named(&self, names: &[GroupName]) -> Result<Vec<Group>, AwsError> {
        parts(names, NAMES_A_CALL, |names| {
            all(|token| {
                self.autoscaling().describe_groups(&DescribeGroups {
                    names: names.iter().map(GroupName::to_string).collect(),
                    filters: Vec::new(),
                    paging: paging(NAMES_A_CALL, token),
                })
            })
        })
    }
}

impl Answers<GroupsNamed> for World {
    async fn call(&self, GroupsNamed(names): &GroupsNamed) -> Called<Vec<facts::Group>> {
        let found = self.groups_named(names);
        answer(GroupsNamed::ACTION, found.map(|groups| groups.iter().map(group_fact).collect()))
    }
}

impl Answers<GroupsTagged> for World {
    async fn call(&self, GroupsTagged(tags): &GroupsTagged) -> Called<Vec<facts::Group>> {
        let filters: Vec<_> = tags.iter().map(|(key, value)| Filter::new(&format!("tag:{key}"), value)).collect();
        let found = all(|token| {
            let (filters, paging) = (filters.clone(), paging(NAMES_A_CALL, token));
            self.autoscaling().describe_groups(&DescribeGroups { names: Vec::new(), filters, paging })
        });
        answer(GroupsTagged::ACTION, found.map(|groups| groups.iter().map(group_fact).collect()))
    }
}

impl Answers<ActiveRefresh> for World {
    async fn call(&self, ActiveRefresh(group): &ActiveRefresh) -> Called<Option<facts::Refresh>> {
        let found = all(|token| {
            let (group, paging) = (group.to_string(), paging(NAMES_A_CALL, token));
            self.autoscaling().describe_refreshes(&DescribeRefreshes { group, ids: Vec::new(), paging })
        });
        let active = found.map(|refreshes| refreshes.into_iter().find(|refresh| refresh.status.is_active()));
        answer(ActiveRefresh::ACTION, active.map(|active| active.map(refresh_fact)))
    }
}

impl Answers<LaunchConfigurations> for World {
    async fn call(&self, _: &LaunchConfigurations) -> Called<Vec<facts::Configuration>> {
        let found = all(|token| {
            let asks = DescribeConfigurations { names: Vec::new(), paging: paging(NAMES_A_CALL, token) };
            self.autoscaling().describe_configurations(&asks)
        });
        let fact = |found: Configuration| facts::Configuration { name: found.name, image: found.image.0 };
        let found = found.map(|found| found.into_iter().map(fact).collect());
        answer(LaunchConfigurations::ACTION, found)
    }
}

impl Answers<SetScaleInProtection> for World {
    async fn call(&self, SetScaleInProtection { group, instance, protection }: &SetScaleInProtection) -> Called<()> {
        let scale_in = match protection {
            ScaleInProtection::On => ScaleIn::Forbidden,
            ScaleInProtection::Off => ScaleIn::Allowed,
        };
        let done = self.autoscaling().set_protection(group.as_str(), std::slice::from_ref(instance), scale_in);
        answer(SetScaleInProtection::ACTION, done)
    }
}

impl Answers<SetGroupVersion> for World {
    async fn call(&self, SetGroupVersion { group, template, version }: &SetGroupVersion) -> Called<()> {
        let template = TemplateName::Id(template.to_string());
        let done = self.autoscaling().update_group(&UpdateGroup {
            name: group.to_string(),
            from: Some(LaunchFromText::Template(template, Some(version.to_string()))),
            ..UpdateGroup::default()
        });
        answer(SetGroupVersion::ACTION, done)
    }
}

impl Answers<SetMixedVersion> for World {
    async fn call(&self, SetMixedVersion { group, template, named, version }: &SetMixedVersion) -> Called<()> {
        let policy = match self.policy_with(SetMixedVersion::ACTION, group, template, Some(*named), *version)? {
            Ok(policy) => policy,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let from = Some(LaunchFromText::Mixed(policy));
        let update = UpdateGroup { name: group.to_string(), from, ..UpdateGroup::default() };
        answer(SetMixedVersion::ACTION, self.autoscaling().update_group(&update))
    }
}

impl World {
    /// The mixed instances policy of a group as it stands, with `version` of `template` for its base.
    pub(super) fn policy_with(
        &self,
        action: &str,
        group: &GroupName,
        template: &TemplateId,
        named: Option<VersionRef>,
        version: u64,
    ) -> Result<Answer<MixedText>, CallFailed> {
        let refused = |why: Why, message: String| Ok(Err(Refusal { why, action: action.to_owned(), message }));
        let found = match answer(GroupsNamed::ACTION, self.groups_named(std::slice::from_ref(group)))? {
            Ok(found) => found.into_iter().next(),
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Some(found) = found else { return refused(Why::Missing, format!("there is no group {group}")) };
        let LaunchFrom::Mixed(policy) = &found.from else {
            return refused(Why::WrongState, format!("{group} has no mixed instances policy"));
        };
        if policy.base.template != *template || named.is_some_and(|named| named != policy.base.version) {
            return refused(Why::WrongState, format!("the policy of {group} is based on {:?} now", policy.base));
        }
        let base = Specification { version: Some(version.to_string()), ..Specification::from(&policy.base) };
        Ok(Ok(MixedText { base, ..policy.into() }))
    }
}
