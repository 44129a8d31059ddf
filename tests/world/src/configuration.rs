//! Launch configurations: what old groups launch from. One never changes.

use lastgood_core::Time;

use crate::fault::AwsError;
use crate::filter::{self, Page, Paging};
use crate::group::invalid;
use crate::policy::LaunchFromText;
use crate::service::AutoScaling;
use crate::state::{Asked, State, World};
use lastgood_core::id::ImageId;

/// AWS: DescribeLaunchConfigurations: configurations on a page.
const RECORDS_MAX: usize = 100;
const RECORDS_DEFAULT: usize = 50;

/// A launch configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// Its name.
    pub name: String,
    /// The image. It can't name a parameter (AWS: Use AWS Systems Manager parameters instead of AMI IDs).
    pub image: ImageId,
    /// The instance type.
    pub instance_type: Option<String>,
    /// When it was made.
    pub created_at: Time,
}

/// What DescribeLaunchConfigurations is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribeConfigurations {
    /// By name: unknown ones are left out in silence.
    pub names: Vec<String>,
    /// Which page.
    pub paging: Paging,
}

impl AutoScaling<'_> {
    /// CreateLaunchConfiguration, for the usual instance type of the image.
    pub fn create_configuration(&self, name: &str, image: &ImageId) -> Result<(), AwsError> {
        self.create_configuration_of_type(name, image, None)
    }

    /// CreateLaunchConfiguration.
    pub fn create_configuration_of_type(
        &self,
        name: &str,
        image: &ImageId,
        instance_type: Option<String>,
    ) -> Result<(), AwsError> {
        let asked = Asked::new("autoscaling:CreateLaunchConfiguration", "*", name);
        self.0.serve(asked, |state| {
            if state.configurations.contains_key(name) {
                let message = format!("Launch Configuration by this name already exists - {name}");
                return Err(AwsError::new("AlreadyExists", message));
            }
            state.add_configuration(name, image, instance_type);
            Ok(())
        })
    }

    /// DescribeLaunchConfigurations.
    pub fn describe_configurations(&self, asks: &DescribeConfigurations) -> Result<Page<Configuration>, AwsError> {
        let asked = Asked::new("autoscaling:DescribeLaunchConfigurations", "*", format!("{:?}", asks.names));
        self.0.serve(asked, |state| {
            if asks.paging.max_results.is_some_and(|records| !(1..=RECORDS_MAX).contains(&records)) {
                return Err(invalid(format!("MaxRecords must be from 1 to {RECORDS_MAX}")));
            }
            let found = state.configurations.values();
            let found = found.filter(|found| asks.names.is_empty() || asks.names.contains(&found.name));
            let keyed = found.map(|found| (found.name.clone(), found.clone()));
            let records = asks.paging.max_results.unwrap_or(RECORDS_DEFAULT);
            let paging = Paging { max_results: Some(records), ..asks.paging.clone() };
            filter::page(keyed, &paging, state.settings.page_items_max)
        })
    }
}

impl World {
    /// A launch configuration that names `image`. Not a call.
    pub fn launch_configuration(&self, name: &str, image: &ImageId) -> LaunchFromText {
        self.lock().add_configuration(name, image, None);
        LaunchFromText::Configuration(name.to_owned())
    }
}

impl State {
    fn add_configuration(&mut self, name: &str, image: &ImageId, instance_type: Option<String>) {
        let (name, image) = (name.to_owned(), image.clone());
        let made = Configuration { name: name.clone(), image, instance_type, created_at: self.now };
        self.configurations.insert(name, made);
    }
}
