//! EC2's calls about launch templates.

use super::query::Query;
use super::xml::Xml;
use super::{Action, ec2_mapping, tag_set};
use crate::fault::AwsError;
use crate::state::{ACCOUNT, World};
use crate::template::{
    CreateVersion, DescribeTemplates, DescribeVersions, Template, TemplateData, TemplateName, TemplateVersion,
};

pub(super) fn action(name: &str) -> Option<Action> {
    Some(match name {
        "CreateLaunchTemplate" => create_template,
        "CreateLaunchTemplateVersion" => create_version,
        "DeleteLaunchTemplateVersions" => delete_versions,
        "DescribeLaunchTemplateVersions" => describe_versions,
        "DescribeLaunchTemplates" => describe_templates,
        "ModifyLaunchTemplate" => modify_template,
        _ => return None,
    })
}

/// A template is named by id or by name, never by both.
pub(super) fn template_name(query: &mut Query) -> Result<TemplateName, AwsError> {
    match (query.take("LaunchTemplateId"), query.take("LaunchTemplateName")) {
        (Some(id), None) => Ok(TemplateName::Id(id)),
        (None, Some(name)) => Ok(TemplateName::Name(name)),
        (Some(_), Some(_)) => Err(AwsError::new(
            "InvalidParameterCombination",
            "Only one of LaunchTemplateId and LaunchTemplateName may be given",
        )),
        (None, None) => Err(AwsError::new(
            "MissingParameter",
            "The request must contain the parameter LaunchTemplateId or LaunchTemplateName",
        )),
    }
}

fn data(query: &mut Query) -> Result<TemplateData, AwsError> {
    let missing = || AwsError::new("MissingParameter", "The request must contain the parameter LaunchTemplateData");
    let mut inside = query.record("LaunchTemplateData").ok_or_else(missing)?;
    let data = TemplateData {
        image: inside.take("ImageId"),
        instance_type: inside.take("InstanceType"),
        key_name: inside.take("KeyName"),
        user_data: inside.take("UserData"),
        security_groups: inside.texts("SecurityGroupId"),
        devices: ec2_mapping::devices(&mut inside)?,
    };
    inside.done().map(|()| data)
}

fn create_template(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let name = query.need("LaunchTemplateName")?;
    let data = data(&mut query)?;
    let tags = query.tags_of("launch-template")?;
    let token = query.take("ClientToken");
    query.done()?;
    let made = world.ec2().create_template(&name, &data, &tags, token.as_deref())?;
    let mut xml = Xml::default();
    xml.node("launchTemplate", |inside| template(inside, &made));
    Ok(xml)
}

fn create_version(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let request = CreateVersion {
        template: template_name(&mut query)?,
        source: query.take("SourceVersion"),
        data: data(&mut query)?,
        description: query.take("VersionDescription").unwrap_or_default(),
        token: query.take("ClientToken"),
    };
    query.done()?;
    let made = world.ec2().create_template_version(request)?;
    let mut xml = Xml::default();
    xml.node("launchTemplateVersion", |inside| version(inside, &made));
    Ok(xml)
}

fn describe_versions(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let asks = DescribeVersions {
        template: template_name(&mut query)?,
        versions: query.texts("LaunchTemplateVersion"),
        min: query.parse("MinVersion")?,
        max: query.parse("MaxVersion")?,
        filters: query.filters()?,
        resolve_alias: query.flag("ResolveAlias")?,
        paging: query.paging()?,
    };
    query.done()?;
    let page = world.ec2().describe_template_versions(&asks)?;
    let mut xml = Xml::default();
    xml.list("launchTemplateVersionSet", "item", &page.items, version).maybe("nextToken", page.next_token);
    Ok(xml)
}

fn describe_templates(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let asks = DescribeTemplates {
        ids: query.texts("LaunchTemplateId"),
        names: query.texts("LaunchTemplateName"),
        filters: query.filters()?,
        paging: query.paging()?,
    };
    query.done()?;
    let page = world.ec2().describe_templates(&asks)?;
    let mut xml = Xml::default();
    xml.list("launchTemplates", "item", &page.items, template).maybe("nextToken", page.next_token);
    Ok(xml)
}

fn modify_template(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let name = template_name(&mut query)?;
    let version = query.need("SetDefaultVersion")?;
    // Setting the same default twice is the same as once, so the token has nothing to do.
    query.take("ClientToken");
    query.done()?;
    let modified = world.ec2().set_default_version(&name, &version)?;
    let mut xml = Xml::default();
    xml.node("launchTemplate", |inside| template(inside, &modified));
    Ok(xml)
}

fn delete_versions(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let name = template_name(&mut query)?;
    let versions = query.texts("LaunchTemplateVersion").into_iter().map(|version| {
        let wrong = || AwsError::new("InvalidParameterValue", format!("'{version}' is not a version number"));
        version.parse().map_err(|_| wrong())
    });
    let versions = versions.collect::<Result<Vec<u64>, _>>()?;
    query.done()?;
    let results = world.ec2().delete_template_versions(&name, &versions)?;
    let mut xml = Xml::default();
    let deleted = results.iter().filter(|(_, result)| result.is_ok());
    xml.list("successfullyDeletedLaunchTemplateVersionSet", "item", deleted, |item, (number, _)| {
        which(item, &name).leaf("versionNumber", number);
    });
    let kept = results.iter().filter_map(|(number, result)| Some((number, result.err()?)));
    xml.list("unsuccessfullyDeletedLaunchTemplateVersionSet", "item", kept, |item, (number, code)| {
        which(item, &name).leaf("versionNumber", number).node("responseError", |error| {
            error.leaf("code", code).leaf("message", format!("Version {number} was not deleted"));
        });
    });
    Ok(xml)
}

fn which<'x>(xml: &'x mut Xml, name: &TemplateName) -> &'x mut Xml {
    match name {
        TemplateName::Id(id) => xml.leaf("launchTemplateId", id),
        TemplateName::Name(name) => xml.leaf("launchTemplateName", name),
    }
}

fn template(xml: &mut Xml, template: &Template) {
    xml.leaf("launchTemplateId", &template.id)
        .leaf("launchTemplateName", &template.name)
        .leaf("createTime", format!("{:.3}", template.created_at))
        .leaf("createdBy", format!("arn:aws:iam::{ACCOUNT}:root"))
        .leaf("defaultVersionNumber", template.default)
        .leaf("latestVersionNumber", template.latest);
    tag_set(xml, &template.tags);
}

fn version(xml: &mut Xml, version: &TemplateVersion) {
    xml.leaf("launchTemplateId", &version.template)
        .leaf("launchTemplateName", &version.name)
        .leaf("versionNumber", version.number);
    if !version.description.is_empty() {
        xml.leaf("versionDescription", &version.description);
    }
    let data = &version.data;
    xml.leaf("createTime", format!("{:.3}", version.created_at))
        .leaf("createdBy", format!("arn:aws:iam::{ACCOUNT}:root"))
        .leaf("defaultVersion", version.is_default)
        .node("launchTemplateData", |inside| {
            inside
                .maybe("imageId", data.image.as_ref())
                .maybe("instanceType", data.instance_type.as_ref())
                .maybe("keyName", data.key_name.as_ref())
                .maybe("userData", data.user_data.as_ref());
            if !data.security_groups.is_empty() {
                inside.node("securityGroupIdSet", |set| {
                    for group in &data.security_groups {
                        set.leaf("item", group);
                    }
                });
            }
            if !data.devices.is_empty() {
                inside.list("blockDeviceMappingSet", "item", &data.devices, ec2_mapping::device);
            }
        });
}
