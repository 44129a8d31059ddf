//! The calls about launch templates. What they do is in `template.rs`.

use lastgood_core::facts::Tags;
use lastgood_core::id::TemplateId;

use crate::by_hand::Place;
use crate::fault::AwsError;
use crate::filter::Page;
use crate::service::Ec2;
use crate::state::{Asked, check_tags, ec2_arn};
use crate::template::{
    CreateVersion, DescribeTemplates, DescribeVersions, Template, TemplateData, TemplateName, TemplateVersion,
};

/// What became of one version: its number, and the code if it was not deleted.
pub type VersionDeletion = (u64, Result<(), &'static str>);

impl Ec2<'_> {
    /// CreateLaunchTemplate: with its first version.
    pub fn create_template(
        &self,
        name: &str,
        data: &TemplateData,
        tags: &Tags,
        token: Option<&str>,
    ) -> Result<Template, AwsError> {
        let asked = Asked::new("ec2:CreateLaunchTemplate", ec2_arn("launch-template", "*"), name);
        self.0.serve(asked, |state| {
            check_tags(tags)?;
            let id = state.once("CreateLaunchTemplate", token, &format!("{name} {data:?} {tags:?}"), |state| {
                state.new_template(name, data, tags).map(|id| (id, 1))
            })?;
            state.template(&TemplateName::Id(id.0.0)).cloned()
        })
    }

    /// CreateLaunchTemplateVersion. Nothing is checked of what it says (AWS: Launch template restrictions).
    pub fn create_template_version(&self, request: CreateVersion) -> Result<TemplateVersion, AwsError> {
        let about = format!("{:?} {:?}", request.template, request.data.image);
        let asked = template_call("ec2:CreateLaunchTemplateVersion", &request.template, about);
        self.0.serve(asked, |state| {
            let asked = format!("{request:?}");
            let token = request.token.clone();
            let made = state
                .once("CreateLaunchTemplateVersion", token.as_deref(), &asked, |state| state.new_version(request))?;
            state.version(&TemplateName::Id(made.0.0), &made.1.to_string())
        })
    }

    /// DescribeLaunchTemplateVersions: newest first.
    pub fn describe_template_versions(&self, asks: &DescribeVersions) -> Result<Page<TemplateVersion>, AwsError> {
        let about = format!("{:?} {:?} {:?}", asks.template, asks.versions, asks.filters);
        // Whoever asks for some versions alone is not told which one is the latest, or the default.
        let tells_which = asks.filters.is_empty() && asks.versions.iter().all(|version| version.starts_with('$'));
        let places = match &asks.template {
            TemplateName::Id(id) if tells_which => Some(Place::Template(TemplateId::from(id.as_str()))),
            TemplateName::Id(_) | TemplateName::Name(_) => None,
        };
        let asked = Asked::new("ec2:DescribeLaunchTemplateVersions", "*", about).reading(places);
        self.0.serve(asked, |state| state.describe_versions(asks))
    }

    /// DescribeLaunchTemplates.
    pub fn describe_templates(&self, asks: &DescribeTemplates) -> Result<Page<Template>, AwsError> {
        let about = format!("{:?} {:?}", asks.ids, asks.names);
        let asked = Asked::new("ec2:DescribeLaunchTemplates", "*", about);
        self.0.serve(asked, |state| state.describe_templates(asks))
    }

    /// ModifyLaunchTemplate: the default version.
    pub fn set_default_version(&self, template: &TemplateName, version: &str) -> Result<Template, AwsError> {
        let asked = template_call("ec2:ModifyLaunchTemplate", template, format!("{template:?} {version}"));
        self.0.serve(asked, |state| {
            let found = state.version(template, version)?;
            let number = found.number;
            let template = state.template_mut(template)?;
            template.default = number;
            Ok(template.clone())
        })
    }

    /// DeleteLaunchTemplateVersions: for each number whether it is deleted, or the code why not.
    pub fn delete_template_versions(
        &self,
        template: &TemplateName,
        versions: &[u64],
    ) -> Result<Vec<VersionDeletion>, AwsError> {
        let asked = template_call("ec2:DeleteLaunchTemplateVersions", template, format!("{template:?} {versions:?}"));
        self.0.serve(asked, |state| {
            // AWS: DeleteLaunchTemplateVersions: up to 200, and never the default.
            if versions.len() > 200 {
                return Err(AwsError::new("InvalidParameterValue", "At most 200 versions can be deleted at once"));
            }
            let Template { id, default, .. } = state.template(template)?.clone();
            for number in versions.iter().filter(|number| **number != default) {
                state.witness_version_goes(&id, *number);
            }
            let template = state.template_mut(template)?;
            let delete = |number: &u64| {
                let result = if *number == template.default {
                    Err("unexpectedError")
                } else {
                    template.versions.remove(number).map(|_| ()).ok_or("launchTemplateVersionDoesNotExist")
                };
                (*number, result)
            };
            Ok(versions.iter().map(delete).collect())
        })
    }
}

fn template_call(action: &'static str, template: &TemplateName, about: String) -> Asked {
    let resource = match template {
        TemplateName::Id(id) => ec2_arn("launch-template", id),
        TemplateName::Name(_) => ec2_arn("launch-template", "*"),
    };
    Asked::new(action, resource, about)
}
