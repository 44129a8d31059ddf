//! What a call needs beside its own permission, because of what is there: keys of encrypted volumes and caches, licences,
//! the role in a template's instance profile, and what a template would launch.

use std::collections::BTreeMap;

use lastgood_core::id::{CacheId, InstanceId, TemplateId};

use crate::access::Need;
use crate::parameter::parameter_arn;
use crate::policy::{LaunchFrom, LaunchFromText};
use crate::state::{ACCOUNT, REGION, State, World, ec2_arn, shared_arn};
use crate::template::{TemplateName, TemplateVersion, version_text};

/// What a template says that Auto Scaling checks of its caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launches {
    /// The role in its instance profile, as an ARN.
    pub role: Option<String>,
    /// Whether it tags what it launches.
    pub tags: bool,
}

/// What is secured, and by what.
#[derive(Debug, Default)]
pub(crate) struct Secured {
    /// The customer's key of an instance's volumes.
    instances: BTreeMap<InstanceId, String>,
    /// The customer's key of a cache.
    caches: BTreeMap<CacheId, String>,
    /// The licence configuration of an instance.
    licences: BTreeMap<InstanceId, String>,
    templates: BTreeMap<TemplateId, Launches>,
}

impl World {
    /// The volumes of an instance are encrypted with a customer's key. Not a call.
    pub fn encrypt_instance(&self, id: &InstanceId, key: &str) {
        self.lock().secured.instances.insert(id.clone(), key.to_owned());
    }

    /// A cache is encrypted with a customer's key. Not a call.
    pub fn encrypt_cache(&self, id: &CacheId, key: &str) {
        self.lock().secured.caches.insert(id.clone(), key.to_owned());
    }

    /// An instance has a licence configuration. Not a call.
    pub fn license_instance(&self, id: &InstanceId, licence: &str) {
        self.lock().secured.licences.insert(id.clone(), licence.to_owned());
    }

    /// What every version of a template says beside its image. Not a call.
    pub fn template_launches(&self, template: &TemplateId, launches: Launches) {
        self.lock().secured.templates.insert(template.clone(), launches);
    }
}

/// AWS: Using grants, kms:ViaService: a service uses a key in its caller's name.
fn through(action: &str, key: &str, service: &str) -> Need {
    Need::new(action, key).knowing("kms:ViaService", format!("{service}.{REGION}.amazonaws.com"))
}

fn grant(key: &str, service: &str) -> Need {
    through("kms:CreateGrant", key, service).knowing("kms:GrantIsForAWSResource", "true")
}

impl State {
    /// AWS: Actions, resources, and condition keys for Amazon EC2, StartInstances.
    pub(crate) fn needs_to_start(&self, id: &InstanceId) -> Vec<Need> {
        let key = self.secured.instances.get(id).map(|key| grant(key, "ec2"));
        self.needs_to_try_a_start(id).into_iter().chain(key).collect()
    }

    /// A dry run does not come to the keys.
    pub(crate) fn needs_to_try_a_start(&self, id: &InstanceId) -> Vec<Need> {
        let licence = self.secured.licences.get(id).map(|licence| Need::new("ec2:StartInstances", licence));
        licence.into_iter().collect()
    }

    /// A snapshot of an encrypted cache is encrypted with its key.
    pub(crate) fn needs_to_snapshot(&self, id: &CacheId) -> Vec<Need> {
        let key = self.secured.caches.get(id);
        key.into_iter()
            .flat_map(|key| [grant(key, "elasticache"), through("kms:DescribeKey", key, "elasticache")])
            .collect()
    }

    /// AWS: Launch template support, permissions required to use a launch template: whoever gives a group a template must
    /// be able to launch from it.
    pub(crate) fn needs_to_launch_text(&self, from: Option<&LaunchFromText>) -> Vec<Need> {
        // What can't be found is refused for another reason.
        let from = from.and_then(|from| self.launch_from(from).ok());
        from.map(|from| self.needs_to_launch(&from)).unwrap_or_default()
    }

    fn needs_to_launch(&self, from: &LaunchFrom) -> Vec<Need> {
        let named = match from {
            LaunchFrom::Template(template) => vec![template],
            LaunchFrom::Mixed(policy) => {
                policy.overrides.iter().filter_map(|over| over.template.as_ref()).chain([&policy.base]).collect()
            }
            LaunchFrom::Configuration(_) => Vec::new(),
        };
        let version = |named: &&lastgood_core::facts::TemplateRef| {
            let name = TemplateName::Id(named.template.to_string());
            let version = self.version(&name, &version_text(named.version)).ok()?;
            Some((version, self.secured.templates.get(&named.template).cloned().unwrap_or_default()))
        };
        named.iter().filter_map(version).flat_map(|(version, launches)| needs_of(&version, &launches)).collect()
    }

    /// DescribeImageReferences looks in its caller's name (AWS: How to check which resources reference an AMI).
    pub(crate) fn needs_to_refer() -> Vec<Need> {
        let actions = [
            "ec2:DescribeLaunchTemplates",
            "imagebuilder:GetContainerRecipe",
            "imagebuilder:GetImageRecipe",
            "imagebuilder:ListContainerRecipes",
            "imagebuilder:ListImageRecipes",
            "ssm:DescribeParameters",
            "ssm:GetParameters",
        ];
        actions.map(|action| Need::new(action, "*").knowing("aws:CalledVia", "ec2-images.amazonaws.com")).into()
    }

    /// The alarms of a refresh are looked at in its caller's name: guessed, no page says.
    pub(crate) fn needs_of_alarms(alarms: &[String]) -> Vec<Need> {
        let arn = |alarm: &String| format!("arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{alarm}");
        alarms.iter().map(|alarm| Need::new("cloudwatch:DescribeAlarms", arn(alarm))).collect()
    }

    /// What a rollback gives the group back is checked as what it was given.
    pub(crate) fn needs_to_give_back(&self, group: &str) -> Vec<Need> {
        self.group(group).map(|group| self.needs_to_launch(&group.from)).unwrap_or_default()
    }
}

fn needs_of(version: &TemplateVersion, launches: &Launches) -> Vec<Need> {
    let run = |resource: String| Need::new("ec2:RunInstances", resource);
    let mut needs: Vec<Need> =
        ["instance", "volume", "network-interface", "subnet"].map(|kind| run(ec2_arn(kind, "*"))).into();
    needs.push(run(ec2_arn("launch-template", &version.template)));
    needs.extend(version.data.key_name.iter().map(|key| run(ec2_arn("key-pair", key))));
    needs.extend(version.data.security_groups.iter().map(|group| run(ec2_arn("security-group", group))));
    let snapshots = version.data.devices.iter().filter_map(|device| device.snapshot.as_ref());
    needs.extend(snapshots.map(|snapshot| run(shared_arn("snapshot", snapshot))));
    if let Some(image) = version.data.image.as_deref() {
        match image.strip_prefix("resolve:ssm:") {
            Some(name) => needs.push(Need::new("ssm:GetParameters", parameter_arn(name))),
            None => needs.push(run(shared_arn("image", image))),
        }
    }
    if launches.tags {
        for kind in ["instance", "volume", "network-interface"] {
            needs.push(Need::new("ec2:CreateTags", ec2_arn(kind, "*")).knowing("ec2:CreateAction", "RunInstances"));
        }
    }
    if let Some(role) = &launches.role {
        needs.push(Need::new("iam:PassRole", role).knowing("iam:PassedToService", "ec2.amazonaws.com"));
    }
    needs
}
