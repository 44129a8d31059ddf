//! The calls about groups. What they do is in `group.rs`.

use lastgood_core::facts::Tags;
use lastgood_core::id::GroupName;

use crate::access::Need;
use crate::by_hand::Place;
use crate::fault::AwsError;
use crate::filter::Page;
use crate::group::{
    CreateGroup, DescribeGroups, Group, TimesText, UpdateGroup, check_group_tags, group_arn, group_call,
};
use crate::service::AutoScaling;
use crate::state::Asked;

/// Whether a group with instances is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// It is refused.
    Plain,
    /// It goes, and they with it.
    Forced,
}

impl AutoScaling<'_> {
    /// CreateAutoScalingGroup.
    pub fn create_group(&self, request: &CreateGroup) -> Result<(), AwsError> {
        self.0.serve(group_call("autoscaling:CreateAutoScalingGroup", &request.name), |state| {
            state.create_group(request)?;
            state.act_on_size(&GroupName::from(request.name.as_str()));
            Ok(())
        })
    }

    /// DescribeAutoScalingGroups.
    pub fn describe_groups(&self, asks: &DescribeGroups) -> Result<Page<Group>, AwsError> {
        let about = format!("{:?} {:?}", asks.names, asks.filters);
        let places = asks.names.iter().map(|name| Place::Group(GroupName::from(name.as_str())));
        let asked = Asked::new("autoscaling:DescribeAutoScalingGroups", "*", about).reading(places);
        self.0.serve(asked, |state| state.describe_groups(asks))
    }

    /// UpdateAutoScalingGroup. It has no token and no lock.
    pub fn update_group(&self, request: &UpdateGroup) -> Result<(), AwsError> {
        self.update_group_and_times(request, &TimesText::default())
    }

    /// UpdateAutoScalingGroup, with times.
    pub fn update_group_and_times(&self, request: &UpdateGroup, times: &TimesText) -> Result<(), AwsError> {
        let mut asked = group_call("autoscaling:UpdateAutoScalingGroup", &request.name);
        asked.about = format!("{} {:?}", request.name, request.from);
        let from = request.from.clone();
        let asked = asked.and_more(move |state| state.needs_to_launch_text(from.as_ref()));
        self.0.serve(asked, |state| state.update_group(request, times))
    }

    /// SetDesiredCapacity.
    pub fn set_desired_capacity(&self, name: &str, desired: usize) -> Result<(), AwsError> {
        self.0.serve(group_call("autoscaling:SetDesiredCapacity", name), |state| {
            let update = UpdateGroup { name: name.to_owned(), desired: Some(desired), ..UpdateGroup::default() };
            state.update_group(&update, &TimesText::default())
        })
    }

    /// DeleteAutoScalingGroup. The group is gone at once, though at AWS a forced deletion takes a while.
    pub fn delete_group(&self, name: &str, deletion: Deletion) -> Result<(), AwsError> {
        self.0.serve(group_call("autoscaling:DeleteAutoScalingGroup", name), |state| {
            let group = state.group(name)?;
            // AWS: DeleteAutoScalingGroup, ResourceInUse.
            if !group.members.is_empty() && deletion == Deletion::Plain {
                return Err(AwsError::new(
                    "ResourceInUse",
                    "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance \
                     request(s) still in the group.",
                ));
            }
            state.remove_group(&GroupName::from(name));
            Ok(())
        })
    }

    /// CreateOrUpdateTags, of any number of groups: all of them, or none.
    pub fn tag_groups(&self, tagged: &[(String, Tags)]) -> Result<(), AwsError> {
        self.0.serve(tags_call("autoscaling:CreateOrUpdateTags", tagged), |state| {
            let mut changed = Vec::new();
            for (name, tags) in tagged {
                check_group_tags(tags)?;
                let mut all = state.group(name)?.tags.clone();
                all.extend(tags.clone());
                check_group_tags(&all)?;
                changed.push((name, all));
            }
            for (name, tags) in changed {
                state.group_mut(name)?.tags = tags;
            }
            Ok(())
        })
    }

    /// DeleteTags, of any number of groups: by key, whatever the value. A tag that is not there is no mistake.
    pub fn untag_groups(&self, tagged: &[(String, Tags)]) -> Result<(), AwsError> {
        self.0.serve(tags_call("autoscaling:DeleteTags", tagged), |state| {
            for (name, _) in tagged {
                state.group(name)?;
            }
            for (name, tags) in tagged {
                state.group_mut(name)?.tags.retain(|key, _| !tags.contains_key(key));
            }
            Ok(())
        })
    }
}

fn tags_call(action: &'static str, tagged: &[(String, Tags)]) -> Asked {
    let mut asked = Asked::new(action, "", format!("{tagged:?}"));
    asked.needs = tagged.iter().map(|(name, _)| Need::new(action, group_arn(name))).collect();
    asked
}
