//! Launch templates. The calls are in `template_calls.rs`.

use std::collections::BTreeMap;

use lastgood_core::facts::{Tags, VersionRef};
use lastgood_core::id::TemplateId;
use lastgood_core::{Time, later};

use crate::fault::AwsError;
use crate::filter::{self, Filter, Page, Paging};
use crate::instance::{check_id, check_page};
use crate::launch::Device;
use crate::state::{State, World};

/// AWS: Launch template restrictions: versions of one template. Deleted ones do not count.
const VERSIONS_MAX: usize = 10_000;

/// What a version says of the instances that are launched with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplateData {
    /// An image, or `resolve:ssm:…`, which is looked up at launch.
    pub image: Option<String>,
    /// The instance type.
    pub instance_type: Option<String>,
    /// The key pair.
    pub key_name: Option<String>,
    /// The user data, as it came.
    pub user_data: Option<String>,
    /// The security groups.
    pub security_groups: Vec<String>,
    /// The block devices that it maps itself, in place of the image's.
    pub devices: Vec<Device>,
}

impl TemplateData {
    /// What is given here, and the rest from `base` (AWS: CreateLaunchTemplateVersion, SourceVersion).
    fn over(self, base: &Self) -> Self {
        let base = base.clone();
        Self {
            image: self.image.or(base.image),
            instance_type: self.instance_type.or(base.instance_type),
            key_name: self.key_name.or(base.key_name),
            user_data: self.user_data.or(base.user_data),
            security_groups: if self.security_groups.is_empty() { base.security_groups } else { self.security_groups },
            devices: if self.devices.is_empty() { without_snapshots(base.devices) } else { self.devices },
        }
    }
}

/// AWS: CreateLaunchTemplateVersion, SourceVersion: snapshots of the block device mapping are ignored when a new version
/// is created, unless they are given again. What else an inherited mapping says stays.
fn without_snapshots(devices: Vec<Device>) -> Vec<Device> {
    devices.into_iter().map(|device| Device { snapshot: None, ..device }).collect()
}

/// One version. It never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateVersion {
    /// Its template.
    pub template: TemplateId,
    /// The template's name.
    pub name: String,
    /// Its number.
    pub number: u64,
    /// Whether it is the default now.
    pub is_default: bool,
    /// In words.
    pub description: String,
    /// When it was made.
    pub created_at: Time,
    /// What it says.
    pub data: TemplateData,
}

/// A launch template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// `lt-…`.
    pub id: TemplateId,
    /// Its name.
    pub name: String,
    /// The default version.
    pub default: u64,
    /// The latest version that was ever made.
    pub latest: u64,
    /// When it was made.
    pub created_at: Time,
    /// Its tags.
    pub tags: Tags,
    pub(crate) versions: BTreeMap<u64, TemplateVersion>,
}

/// A client token that was used: what it was used for, and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    asked: String,
    template: TemplateId,
    version: u64,
}

/// How a call names a template: one of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateName {
    /// By id.
    Id(String),
    /// By name.
    Name(String),
}

/// What CreateLaunchTemplateVersion is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateVersion {
    /// The template.
    pub template: TemplateName,
    /// The version to inherit from: a number, `$Latest` or `$Default`.
    pub source: Option<String>,
    /// What is different.
    pub data: TemplateData,
    /// In words.
    pub description: String,
    /// The same for each repetition.
    pub token: Option<String>,
}

/// What DescribeLaunchTemplateVersions is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeVersions {
    /// The template.
    pub template: TemplateName,
    /// Numbers, `$Latest`, `$Default`; none: all.
    pub versions: Vec<String>,
    /// Only later ones than this, and this.
    pub min: Option<u64>,
    /// Only earlier ones than this, and this.
    pub max: Option<u64>,
    /// `image-id`, `is-default-version`.
    pub filters: Vec<Filter>,
    /// An image that is named by a parameter is told by its id.
    pub resolve_alias: bool,
    /// Which page.
    pub paging: Paging,
}

/// What DescribeLaunchTemplates is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribeTemplates {
    /// By id: one unknown id fails the call.
    pub ids: Vec<String>,
    /// By name: one unknown name fails the call.
    pub names: Vec<String>,
    /// `launch-template-name`, `tag:…`, `tag-key`.
    pub filters: Vec<Filter>,
    /// Which page.
    pub paging: Paging,
}

impl World {
    /// Every version of a template, oldest first.
    pub fn template_versions(&self, id: &TemplateId) -> Vec<TemplateVersion> {
        let state = self.lock();
        let found = state.templates.get(id).into_iter();
        found.flat_map(|template| template.versions.keys().map(|number| told(template, *number))).collect()
    }
}

impl World {
    /// The names of the templates, for answers that tell both id and name.
    pub(crate) fn template_names(&self) -> BTreeMap<TemplateId, String> {
        self.lock().templates.iter().map(|(id, template)| (id.clone(), template.name.clone())).collect()
    }
}

impl Template {
    /// One version, by number, `$Latest` or `$Default`, of those that were made by then.
    pub(crate) fn version(&self, version: &str, made_by: Time) -> Result<TemplateVersion, AwsError> {
        let number = match read_version(version)? {
            VersionRef::Number(number) => number,
            VersionRef::Default => self.default,
            // `$Latest` is the latest that is there: the last one made may be deleted.
            VersionRef::Latest => self.numbers(made_by).next_back().unwrap_or(self.latest),
        };
        if self.versions.get(&number).is_none_or(|version| version.created_at > made_by) {
            let id = &self.id;
            let message =
                format!("Could not find the specified version {number} for the launch template with ID {id}.");
            return Err(AwsError::new("InvalidLaunchTemplateId.VersionNotFound", message));
        }
        Ok(told(self, number))
    }

    /// The numbers of the versions that were made by then, rising.
    fn numbers(&self, made_by: Time) -> impl DoubleEndedIterator<Item = u64> {
        let made = self.versions.values().filter(move |version| version.created_at <= made_by);
        made.map(|version| version.number)
    }
}

fn template_missing(id: &str) -> AwsError {
    let message = format!("The specified launch template, with template ID {id}, does not exist.");
    AwsError::new("InvalidLaunchTemplateId.NotFound", message)
}

/// A version as it is told: whether it is the default changes.
fn told(template: &Template, number: u64) -> TemplateVersion {
    TemplateVersion { is_default: template.default == number, ..template.versions[&number].clone() }
}

impl State {
    /// AWS: Ensuring idempotency: the same token with the same parameters has the same result.
    pub(crate) fn once(
        &mut self,
        action: &str,
        token: Option<&str>,
        asked: &str,
        run: impl FnOnce(&mut Self) -> Result<(TemplateId, u64), AwsError>,
    ) -> Result<(TemplateId, u64), AwsError> {
        let Some(token) = token else { return run(self) };
        if token.len() > 64 || !token.is_ascii() {
            let message = "The client token may have at most 64 ASCII characters";
            return Err(AwsError::new("InvalidParameterValue", message));
        }
        let key = format!("{action} {token}");
        if let Some(used) = self.tokens.get(&key) {
            if used.asked == asked {
                return Ok((used.template.clone(), used.version));
            }
            let message = "The client token has already been used with other parameters";
            return Err(AwsError::new("IdempotentParameterMismatch", message));
        }
        let (template, version) = run(self)?;
        self.tokens.insert(key, Token { asked: asked.to_owned(), template: template.clone(), version });
        Ok((template, version))
    }

    pub(crate) fn new_template(
        &mut self,
        name: &str,
        data: &TemplateData,
        tags: &Tags,
    ) -> Result<TemplateId, AwsError> {
        if self.templates.values().any(|template| template.name == name) {
            let message = format!("Launch template name already in use: {name}");
            return Err(AwsError::new("InvalidLaunchTemplateName.AlreadyExistsException", message));
        }
        let id = TemplateId(format!("lt-0{}", self.digits()));
        let first = TemplateVersion {
            template: id.clone(),
            name: name.to_owned(),
            number: 1,
            is_default: true,
            description: String::new(),
            created_at: self.now,
            data: data.clone(),
        };
        let template = Template {
            id: id.clone(),
            name: name.to_owned(),
            default: 1,
            latest: 1,
            created_at: self.now,
            tags: tags.clone(),
            versions: BTreeMap::from([(1, first)]),
        };
        self.templates.insert(id.clone(), template);
        Ok(id)
    }

    pub(crate) fn new_version(&mut self, request: CreateVersion) -> Result<(TemplateId, u64), AwsError> {
        let base = match &request.source {
            Some(source) => self.version(&request.template, source)?.data,
            None => TemplateData::default(),
        };
        let now = self.now;
        let id = self.template(&request.template)?.id.clone();
        let template = self.template_mut(&request.template)?;
        if template.versions.len() >= VERSIONS_MAX {
            let message = format!("You've reached the limit of {VERSIONS_MAX} versions for {}", template.id);
            return Err(AwsError::new("MaxTemplateVersionLimitExceeded", message));
        }
        template.latest += 1;
        let number = template.latest;
        let version = TemplateVersion {
            template: template.id.clone(),
            name: template.name.clone(),
            number,
            is_default: false,
            description: request.description,
            created_at: now,
            data: request.data.over(&base),
        };
        template.versions.insert(number, version);
        self.witness_makes_version(&id, number);
        Ok((id, number))
    }

    /// AWS: EC2 error codes, InvalidLaunchTemplateId, InvalidLaunchTemplateName.
    pub(crate) fn template(&self, name: &TemplateName) -> Result<&Template, AwsError> {
        match name {
            TemplateName::Id(id) => {
                check_id(id, "lt-", "InvalidLaunchTemplateId.Malformed", "launch template ID")?;
                self.templates.get(&TemplateId::from(id.as_str())).ok_or_else(|| template_missing(id))
            }
            TemplateName::Name(name) => {
                let message = format!("The specified launch template, with template name {name}, does not exist.");
                let missing = || AwsError::new("InvalidLaunchTemplateName.NotFoundException", message);
                self.templates.values().find(|template| template.name == *name).ok_or_else(missing)
            }
        }
    }

    pub(crate) fn template_mut(&mut self, name: &TemplateName) -> Result<&mut Template, AwsError> {
        let id = self.template(name)?.id.clone();
        Ok(self.templates.get_mut(&id).expect("it was found a line above"))
    }

    /// One version, by number, `$Latest` or `$Default`.
    pub(crate) fn version(&self, name: &TemplateName, version: &str) -> Result<TemplateVersion, AwsError> {
        self.template(name)?.version(version, self.now)
    }

    pub(crate) fn describe_versions(&self, asks: &DescribeVersions) -> Result<Page<TemplateVersion>, AwsError> {
        filter::check(&asks.filters, &["image-id", "is-default-version"])?;
        check_page(&asks.paging, 1, 200)?;
        let template = self.template(&asks.template)?;
        let made_by = later(self.now, -self.settings.version_visible_seconds);
        // A template that was made a moment ago is not told at all: its first version was made with it.
        if template.versions.values().all(|version| version.created_at > made_by) {
            return Err(template_missing(template.id.as_str()));
        }
        let mut numbers: Vec<u64> = if asks.versions.is_empty() {
            template.numbers(made_by).collect()
        } else {
            let asked = asks.versions.iter().map(|version| Ok(template.version(version, made_by)?.number));
            asked.collect::<Result<_, AwsError>>()?
        };
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        numbers.dedup();
        numbers.retain(|number| asks.min.is_none_or(|min| *number >= min) && asks.max.is_none_or(|max| *number <= max));
        let found = numbers.into_iter().map(|number| told(template, number)).filter(|version| {
            filter::passes(&asks.filters, &Tags::new(), |name| match name {
                "image-id" => version.data.image.iter().cloned().collect(),
                _ => vec![version.is_default.to_string()],
            })
        });
        let resolved = found.map(|mut version| {
            if let Some(image) = version.data.image.as_mut().filter(|_| asks.resolve_alias) {
                *image = self.resolve_image(image)?;
            }
            Ok(version)
        });
        let resolved = resolved.collect::<Result<Vec<_>, AwsError>>()?;
        // The key grows as the number falls: newest first.
        let keyed = resolved.into_iter().map(|version| (format!("{:020}", u64::MAX - version.number), version));
        let paging = Paging { max_results: asks.paging.max_results.or(Some(200)), ..asks.paging.clone() };
        filter::page(keyed, &paging, self.settings.page_items_max)
    }

    pub(crate) fn describe_templates(&self, asks: &DescribeTemplates) -> Result<Page<Template>, AwsError> {
        filter::check(&asks.filters, &["launch-template-name"])?;
        check_page(&asks.paging, 1, 200)?;
        for id in &asks.ids {
            self.template(&TemplateName::Id(id.clone()))?;
        }
        for name in &asks.names {
            self.template(&TemplateName::Name(name.clone()))?;
        }
        let found = self.templates.values().filter(|template| {
            (asks.ids.is_empty() || asks.ids.iter().any(|id| id == template.id.as_str()))
                && (asks.names.is_empty() || asks.names.contains(&template.name))
                && filter::passes(&asks.filters, &template.tags, |_| vec![template.name.clone()])
        });
        let keyed = found.map(|template| (template.id.to_string(), template.clone()));
        filter::page(keyed, &asks.paging, self.settings.page_items_max)
    }
}

/// How calls write a version.
pub(crate) fn read_version(text: &str) -> Result<VersionRef, AwsError> {
    match text {
        "$Latest" => Ok(VersionRef::Latest),
        "$Default" => Ok(VersionRef::Default),
        number => number
            .parse()
            .map(VersionRef::Number)
            .map_err(|_| AwsError::new("InvalidParameterValue", format!("'{text}' is not a launch template version"))),
    }
}

/// A version as calls write it.
pub(crate) fn version_text(version: VersionRef) -> String {
    match version {
        VersionRef::Number(number) => number.to_string(),
        VersionRef::Default => "$Default".to_owned(),
        VersionRef::Latest => "$Latest".to_owned(),
    }
}
