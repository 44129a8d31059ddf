//! What groups launch from, in Auto Scaling's calls and answers.

use std::collections::BTreeMap;

use lastgood_core::facts::TemplateRef;
use lastgood_core::id::TemplateId;

use super::ec2_template::template_name;
use super::query::Query;
use super::xml::Xml;
use crate::fault::AwsError;
use crate::group::invalid;
use crate::policy::{LaunchFrom, LaunchFromText, MixedPolicy, MixedText, OverrideText, Specification, Verbatim};
use crate::template::version_text;

/// The names of the templates, for answers that tell both id and name.
pub(super) type Names = BTreeMap<TemplateId, String>;

/// AWS: InstancesDistribution.
const DISTRIBUTION: [&str; 6] = [
    "OnDemandAllocationStrategy",
    "OnDemandBaseCapacity",
    "OnDemandPercentageAboveBaseCapacity",
    "SpotAllocationStrategy",
    "SpotInstancePools",
    "SpotMaxPrice",
];

/// A launch template, and a version if one is named.
fn specification(mut record: Query) -> Result<Specification, AwsError> {
    let template = template_name(&mut record).map_err(|error| invalid(error.message))?;
    let version = record.take("Version");
    record.done().map(|()| Specification { template, version })
}

/// What a group is to launch from, if the call says so.
pub(super) fn launch_from(query: &mut Query) -> Result<Option<LaunchFromText>, AwsError> {
    let template = query.record("LaunchTemplate").map(specification).transpose()?;
    let mixed = query.record("MixedInstancesPolicy").map(mixed).transpose()?;
    let configuration = query.take("LaunchConfigurationName");
    match (template, mixed, configuration) {
        (None, None, None) => Ok(None),
        (Some(named), None, None) => Ok(Some(LaunchFromText::Template(named.template, named.version))),
        (None, Some(policy), None) => Ok(Some(LaunchFromText::Mixed(policy))),
        (None, None, Some(name)) => Ok(Some(LaunchFromText::Configuration(name))),
        _ => Err(invalid(
            "Valid requests must contain only one of LaunchTemplate, LaunchConfigurationName, MixedInstancesPolicy.",
        )),
    }
}

fn mixed(mut policy: Query) -> Result<MixedText, AwsError> {
    let base = policy.record("LaunchTemplate.LaunchTemplateSpecification");
    let overrides = policy.records("LaunchTemplate.Overrides.member").into_iter().map(overridden);
    let overrides = overrides.collect::<Result<_, AwsError>>()?;
    let distribution = policy.record("InstancesDistribution").map(|told| told.verbatim(&DISTRIBUTION)).transpose()?;
    policy.done()?;
    Ok(MixedText {
        base: specification(base.ok_or_else(|| invalid("A mixed instances policy needs a launch template"))?)?,
        overrides,
        distribution: distribution.unwrap_or_default(),
    })
}

fn overridden(mut told: Query) -> Result<OverrideText, AwsError> {
    Ok(OverrideText {
        instance_type: told.take("InstanceType"),
        template: told.record("LaunchTemplateSpecification").map(specification).transpose()?,
        image: told.take("ImageId"),
        rest: told.verbatim(&["WeightedCapacity", "InstanceRequirements"])?,
    })
}

pub(super) fn named(xml: &mut Xml, element: &str, template: &TemplateId, version: &str, names: &Names) {
    xml.node(element, |inside| {
        inside
            .leaf("LaunchTemplateId", template)
            .maybe("LaunchTemplateName", names.get(template))
            .leaf("Version", version);
    });
}

fn template(xml: &mut Xml, element: &str, told: &TemplateRef, names: &Names) {
    named(xml, element, &told.template, &version_text(told.version), names);
}

/// What a group, or a refresh, launches from.
pub(super) fn told_from(xml: &mut Xml, from: &LaunchFrom, names: &Names) {
    match from {
        LaunchFrom::Template(told) => template(xml, "LaunchTemplate", told, names),
        LaunchFrom::Mixed(policy) => {
            xml.node("MixedInstancesPolicy", |inside| told_policy(inside, policy, names));
        }
        LaunchFrom::Configuration(name) => {
            xml.leaf("LaunchConfigurationName", name);
        }
    }
}

fn told_policy(xml: &mut Xml, policy: &MixedPolicy, names: &Names) {
    xml.node("LaunchTemplate", |inside| {
        template(inside, "LaunchTemplateSpecification", &policy.base, names);
        inside.list("Overrides", "member", &policy.overrides, |member, told| {
            member.maybe("InstanceType", told.instance_type.as_ref());
            if let Some(own) = &told.template {
                template(member, "LaunchTemplateSpecification", own, names);
            }
            member.maybe("ImageId", told.image.as_ref());
            verbatim(member, &told.rest);
        });
    });
    if !policy.distribution.is_empty() {
        xml.node("InstancesDistribution", |inside| verbatim(inside, &policy.distribution));
    }
}

/// Tells what a call said, in the form of answers: `A.B` is an element in an element, `A.member.1` one of a list.
pub(super) fn verbatim<'a>(xml: &mut Xml, fields: &'a Verbatim) {
    let mut heads: BTreeMap<(usize, &str), Verbatim> = BTreeMap::new();
    for (name, value) in fields {
        let split = |name: &'a str| name.split_once('.').unwrap_or((name, ""));
        let (mut place, (head, mut tail)) = (0, split(name));
        if head == "member" {
            let (number, rest) = split(tail);
            (place, tail) = (number.parse().unwrap_or(0), rest);
        }
        heads.entry((place, head)).or_default().insert(tail.to_owned(), value.clone());
    }
    for ((_, head), inside) in heads {
        match inside.get("") {
            Some(value) => xml.leaf(head, value),
            None => xml.node(head, |node| verbatim(node, &inside)),
        };
    }
}
