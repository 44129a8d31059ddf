//! Instance types and the processors that they have. What a type costs or holds plays no part here.

use std::fmt;

use lastgood_core::facts::Tags;

use crate::fault::AwsError;
use crate::filter::{self, Filter, Page, Paging};
use crate::instance::check_page;
use crate::service::Ec2;
use crate::state::{Asked, State};

/// What a processor runs (AWS: `ArchitectureType`, `ArchitectureValues`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Architecture {
    /// Intel and AMD, 64 bit.
    #[default]
    X86_64,
    /// Graviton.
    Arm64,
}

impl Architecture {
    /// AWS's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }

    /// The architecture of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::X86_64, Self::Arm64].into_iter().find(|architecture| architecture.name() == name)
    }

    /// The type that the world launches where nobody names one. AWS would take m1.small, which no image here fits.
    pub fn usual_type(self) -> &'static str {
        match self {
            Self::X86_64 => "m5.large",
            Self::Arm64 => "m7g.large",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Families of instance types, each with every one of [`SIZES`], though at AWS some lack the smallest or the largest.
const FAMILIES: [(&str, Architecture); 10] = [
    ("c5", Architecture::X86_64),
    ("c6g", Architecture::Arm64),
    ("c7g", Architecture::Arm64),
    ("m5", Architecture::X86_64),
    ("m5d", Architecture::X86_64),
    ("m6g", Architecture::Arm64),
    ("m6i", Architecture::X86_64),
    ("m7g", Architecture::Arm64),
    ("t3", Architecture::X86_64),
    ("t4g", Architecture::Arm64),
];
const SIZES: [&str; 10] =
    ["nano", "micro", "small", "medium", "large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "16xlarge"];

/// AWS: DescribeInstanceTypes: types in one call.
const TYPES_MAX: usize = 100;

/// An instance type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceType {
    /// `m5.large`, ..
    pub name: String,
    /// What its processors run.
    pub architectures: Vec<Architecture>,
}

impl InstanceType {
    /// How it boots (AWS: Instance types that support UEFI: Graviton has nothing else).
    pub fn boot_modes(&self) -> &'static [&'static str] {
        if self.architectures.contains(&Architecture::Arm64) { &["uefi"] } else { &["legacy-bios", "uefi"] }
    }

    /// It brings volumes of instance store: its family says so (AWS: Amazon EC2 instance type naming conventions).
    pub fn is_in_store(&self) -> bool {
        self.name.split('.').next().is_some_and(|family| family.ends_with('d'))
    }
}

/// What DescribeInstanceTypes is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribeInstanceTypes {
    /// By name: one unknown name fails the call.
    pub names: Vec<String>,
    /// `instance-type`, `processor-info.supported-architecture`.
    pub filters: Vec<Filter>,
    /// Which page. Not together with names.
    pub paging: Paging,
}

impl Ec2<'_> {
    /// DescribeInstanceTypes.
    pub fn describe_instance_types(&self, asks: &DescribeInstanceTypes) -> Result<Page<InstanceType>, AwsError> {
        let about = format!("{:?} {:?}", asks.names, asks.filters);
        self.0.serve(Asked::new("ec2:DescribeInstanceTypes", "*", about), |state| state.describe_instance_types(asks))
    }
}

/// The architecture of a type, if there is one of this name.
pub(crate) fn architecture_of(name: &str) -> Option<Architecture> {
    let (family, size) = name.split_once('.')?;
    let (_, architecture) = FAMILIES.iter().find(|(known, _)| *known == family)?;
    SIZES.contains(&size).then_some(*architecture)
}

/// Whether an image runs on a type. AWS: RunInstances: the words and the code were seen.
pub(crate) fn check_fits(instance_type: &str, image: Architecture) -> Result<(), AwsError> {
    let unknown =
        || AwsError::new("InvalidParameterValue", format!("Invalid value '{instance_type}' for InstanceType."));
    let has = architecture_of(instance_type).ok_or_else(unknown)?;
    if has == image {
        return Ok(());
    }
    let message = format!(
        "The architecture '{has}' of the specified instance type does not match the architecture '{image}' of the \
         specified AMI. Specify an instance type and an AMI that have matching architectures, and try again. You can \
         use 'describe-instance-types' or 'describe-images' to discover the architecture of the instance type or AMI."
    );
    Err(AwsError::new("InvalidParameterValue", message))
}

impl State {
    fn describe_instance_types(&self, asks: &DescribeInstanceTypes) -> Result<Page<InstanceType>, AwsError> {
        for Filter { name, values } in &asks.filters {
            if !matches!(name.as_str(), "instance-type" | "processor-info.supported-architecture") {
                return Err(AwsError::new("InvalidParameterValue", format!("The filter '{name}' is invalid")));
            }
            filter::check_values(values)?;
        }
        check_page(&asks.paging, 5, TYPES_MAX)?;
        if asks.names.len() > TYPES_MAX || (!asks.names.is_empty() && asks.paging.max_results.is_some()) {
            return Err(AwsError::new(
                "InvalidParameterCombination",
                format!("At most {TYPES_MAX} instance types may be named, and not together with maxResults"),
            ));
        }
        let unknown: Vec<&str> =
            asks.names.iter().map(String::as_str).filter(|name| architecture_of(name).is_none()).collect();
        if !unknown.is_empty() {
            let message = format!("The following supplied instance types do not exist: [{}]", unknown.join(", "));
            return Err(AwsError::new("InvalidInstanceType", message));
        }
        let mut all: Vec<InstanceType> = FAMILIES
            .iter()
            .flat_map(|(family, architecture)| SIZES.map(|size| (format!("{family}.{size}"), *architecture)))
            .map(|(name, architecture)| InstanceType { name, architectures: vec![architecture] })
            .filter(|told| asks.names.is_empty() || asks.names.contains(&told.name))
            .filter(|told| {
                filter::passes(&asks.filters, &Tags::new(), |name| match name {
                    "instance-type" => vec![told.name.clone()],
                    _ => told.architectures.iter().map(ToString::to_string).collect(),
                })
            })
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        let keyed = all.into_iter().map(|told| (told.name.clone(), told));
        let paging = Paging { max_results: asks.paging.max_results.or(Some(TYPES_MAX)), ..asks.paging.clone() };
        filter::page(keyed, &paging, self.settings.page_items_max)
    }
}
