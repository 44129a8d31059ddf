//! DescribeImageReferences: who refers to an image, as far as AWS looks. It knows no groups and no launch configurations.

use lastgood_core::id::ImageId;

use crate::fault::AwsError;
use crate::filter::{self, Page, Paging};
use crate::instance::InstanceState;
use crate::instance::{check_id, check_page};
use crate::parameter::parameter_arn;
use crate::service::Ec2;
use crate::state::{Asked, State, ec2_arn};

/// AWS: DescribeImageReferences: images of one call.
const IMAGES_MAX: usize = 10;
/// AWS: ResourceTypeOption: the most versions of a template, newest first, that it looks at; 10 if nobody says.
pub(crate) const VERSION_DEPTH_MAX: usize = 10_000;

/// What DescribeImageReferences is asked for, of all kinds of things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeReferences {
    /// One to ten.
    pub images: Vec<String>,
    /// How many versions of each template are looked at, newest first.
    pub version_depth: usize,
    /// Which page.
    pub paging: Paging,
}

/// Something that refers to an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The image.
    pub image: ImageId,
    /// `ec2:LaunchTemplate`, ..
    pub resource_type: &'static str,
    /// Its ARN.
    pub arn: String,
}

impl Ec2<'_> {
    /// DescribeImageReferences.
    pub fn describe_image_references(&self, asks: &DescribeReferences) -> Result<Page<Reference>, AwsError> {
        let about = format!("{:?}", asks.images);
        let asked = Asked::new("ec2:DescribeImageReferences", "*", about).and_more(|_| State::needs_to_refer());
        self.0.serve(asked, |state| state.describe_references(asks))
    }
}

impl State {
    fn describe_references(&self, asks: &DescribeReferences) -> Result<Page<Reference>, AwsError> {
        check_page(&asks.paging, 5, 1000)?;
        if !(1..=IMAGES_MAX).contains(&asks.images.len()) || !(1..=VERSION_DEPTH_MAX).contains(&asks.version_depth) {
            return Err(AwsError::new("InvalidParameterValue", "1 to 10 images, and 1 to 10000 versions"));
        }
        let mut found = Vec::new();
        for id in &asks.images {
            check_id(id, "ami-", "InvalidAMIID.Malformed", "id:")?;
            let image = ImageId::from(id.as_str());
            let mut refers = |resource_type, arn| found.push(Reference { image: image.clone(), resource_type, arn });
            for instance in self.instances.values().filter(|instance| instance.image == image) {
                if instance.state != InstanceState::Terminated {
                    refers("ec2:Instance", ec2_arn("instance", &instance.id));
                }
            }
            for template in self.templates.values().filter(|_| self.settings.references_find_templates) {
                let mut newest = template.versions.values().rev().take(asks.version_depth);
                if newest.any(|version| version.data.image.as_deref() == Some(id)) {
                    refers("ec2:LaunchTemplate", ec2_arn("launch-template", &template.id));
                }
            }
            for (name, versions) in &self.parameters {
                if versions.values().next_back().is_some_and(|latest| latest.value == *id) {
                    refers("ssm:Parameter", parameter_arn(name));
                }
            }
        }
        let keyed = found.into_iter().map(|reference| (format!("{reference:?}"), reference));
        filter::page(keyed, &asks.paging, self.settings.page_items_max)
    }
}
