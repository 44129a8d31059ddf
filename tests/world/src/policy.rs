//! What a group launches from, as calls write it and as the group keeps it: a launch template, a mixed instances policy
//! over one, or a launch configuration.

use std::collections::BTreeMap;

use lastgood_core::facts::TemplateRef;
use lastgood_core::id::ImageId;

use crate::fault::AwsError;
use crate::group::invalid;
use crate::state::State;
use crate::template::{TemplateName, read_version, version_text};

/// What a call said and the world only tells again: names with dots and `member` numbers, as in AWS's query protocol, and
/// their values.
pub type Verbatim = BTreeMap<String, String>;

/// What a group launches from: exactly one of these (AWS: CreateAutoScalingGroup).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaunchFrom {
    /// A launch template.
    Template(TemplateRef),
    /// A mixed instances policy.
    Mixed(MixedPolicy),
    /// A launch configuration, by name.
    Configuration(String),
}

/// A mixed instances policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MixedPolicy {
    /// The launch template of the policy.
    pub base: TemplateRef,
    /// What differs for some of the instances. The world takes them in turn, whatever the distribution says.
    pub overrides: Vec<Override>,
    /// `InstancesDistribution`.
    pub distribution: Verbatim,
}

/// One override of a mixed instances policy (AWS: LaunchTemplateOverrides).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Override {
    /// The instance type; `None` if it names requirements instead.
    pub instance_type: Option<String>,
    /// A template of its own, in place of the base.
    pub template: Option<TemplateRef>,
    /// An image of its own, in place of the template's.
    pub image: Option<String>,
    /// `WeightedCapacity` and `InstanceRequirements`.
    pub rest: Verbatim,
}

impl Override {
    /// Another instance type, from the base.
    pub fn of_type(name: &str) -> Self {
        Self { instance_type: Some(name.to_owned()), ..Self::default() }
    }

    /// With a template of its own.
    #[must_use]
    pub fn with_template(self, template: &TemplateRef) -> Self {
        Self { template: Some(template.clone()), ..self }
    }

    /// With an image of its own: an id, or `resolve:ssm:…`.
    #[must_use]
    pub fn with_image(self, image: &ImageId) -> Self {
        Self { image: Some(image.to_string()), ..self }
    }
}

/// A launch template and its version as text; no version means `$Default` (AWS: `LaunchTemplateSpecification`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Specification {
    /// By id or by name.
    pub template: TemplateName,
    /// A number, `$Latest` or `$Default`.
    pub version: Option<String>,
}

/// What a call says of what a group launches from, before anybody looked whether it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaunchFromText {
    /// A launch template, and its version as text; no version means `$Default` (AWS: `LaunchTemplateSpecification`).
    Template(TemplateName, Option<String>),
    /// A mixed instances policy, whole: what it does not say is gone from the group.
    Mixed(MixedText),
    /// A launch configuration.
    Configuration(String),
}

/// What a call says of a mixed instances policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MixedText {
    /// The launch template of the policy.
    pub base: Specification,
    /// What differs for some of the instances.
    pub overrides: Vec<OverrideText>,
    /// `InstancesDistribution`.
    pub distribution: Verbatim,
}

/// What a call says of one override.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverrideText {
    /// The instance type.
    pub instance_type: Option<String>,
    /// A template of its own.
    pub template: Option<Specification>,
    /// An image of its own.
    pub image: Option<String>,
    /// `WeightedCapacity` and `InstanceRequirements`.
    pub rest: Verbatim,
}

impl From<&TemplateRef> for Specification {
    fn from(named: &TemplateRef) -> Self {
        Self { template: TemplateName::Id(named.template.to_string()), version: Some(version_text(named.version)) }
    }
}

impl From<&TemplateRef> for LaunchFromText {
    fn from(named: &TemplateRef) -> Self {
        let Specification { template, version } = named.into();
        Self::Template(template, version)
    }
}

impl From<&MixedPolicy> for MixedText {
    fn from(policy: &MixedPolicy) -> Self {
        let overrides = policy.overrides.iter().map(|told| OverrideText {
            instance_type: told.instance_type.clone(),
            template: told.template.as_ref().map(Specification::from),
            image: told.image.clone(),
            rest: told.rest.clone(),
        });
        let overrides = overrides.collect();
        Self { base: (&policy.base).into(), overrides, distribution: policy.distribution.clone() }
    }
}

impl State {
    /// What a call means, if all of it is there.
    pub(crate) fn launch_from(&self, text: &LaunchFromText) -> Result<LaunchFrom, AwsError> {
        match text {
            LaunchFromText::Template(template, version) => {
                let named = Specification { template: template.clone(), version: version.clone() };
                Ok(LaunchFrom::Template(self.template_ref(&named)?))
            }
            LaunchFromText::Mixed(text) => Ok(LaunchFrom::Mixed(self.mixed_policy(text)?)),
            LaunchFromText::Configuration(name) if self.configurations.contains_key(name) => {
                Ok(LaunchFrom::Configuration(name.clone()))
            }
            LaunchFromText::Configuration(name) => Err(invalid(format!(
                "Launch configuration name not found - A launch configuration with the name: {name} does not exist"
            ))),
        }
    }

    fn mixed_policy(&self, text: &MixedText) -> Result<MixedPolicy, AwsError> {
        let overrides = text.overrides.iter().map(|told| {
            // AWS: LaunchTemplateOverrides: a type or requirements, never both.
            let requires = told.rest.keys().any(|name| name.starts_with("InstanceRequirements"));
            if requires == told.instance_type.is_some() {
                return Err(invalid("Each override must have either an InstanceType or InstanceRequirements."));
            }
            Ok(Override {
                instance_type: told.instance_type.clone(),
                template: told.template.as_ref().map(|named| self.template_ref(named)).transpose()?,
                image: told.image.clone(),
                rest: told.rest.clone(),
            })
        });
        let overrides = overrides.collect::<Result<_, AwsError>>()?;
        Ok(MixedPolicy { base: self.template_ref(&text.base)?, overrides, distribution: text.distribution.clone() })
    }

    fn template_ref(&self, named: &Specification) -> Result<TemplateRef, AwsError> {
        let version = named.version.as_deref().unwrap_or("$Default");
        let version = read_version(version).map_err(|error| invalid(error.message))?;
        let found = self.version(&named.template, &version_text(version));
        let found = found.map_err(|error| {
            invalid(format!("You must use a valid fully-formed launch template. {}", error.message))
        })?;
        Ok(TemplateRef { template: found.template, version })
    }
}
