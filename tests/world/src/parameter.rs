//! The Parameter Store: parameters of type String, with all their versions. It has no door.

use std::collections::BTreeMap;

use crate::access::Need;
use crate::by_hand::Place;
use crate::fault::AwsError;
use crate::service::ParameterStore;
use crate::state::{ACCOUNT, Asked, REGION, State, World};

/// How a launch template names an image by way of a parameter (AWS: Use AWS Systems Manager parameters instead of AMI
/// IDs).
const RESOLVE: &str = "resolve:ssm:";

/// A parameter, in one of its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, `/web/image`.
    pub name: String,
    /// What stands in it.
    pub value: String,
    /// `text` or `aws:ec2:image`.
    pub data_type: String,
    /// The first is 1.
    pub version: u64,
}

/// What PutParameter is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutParameter {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
    /// `text` if there is none (AWS: PutParameter).
    pub data_type: Option<String>,
    /// What happens to what stands there.
    pub overwrite: Overwrite,
}

/// Whether PutParameter may replace what stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwrite {
    /// It may: that gives a new version.
    Yes,
    /// It is refused.
    No,
}

/// The versions of one parameter, by number.
pub(crate) type Versions = BTreeMap<u64, Parameter>;

impl ParameterStore<'_> {
    /// GetParameter: the latest version, or the one that the name says.
    pub fn get_parameter(&self, name: &str) -> Result<Parameter, AwsError> {
        let asked =
            Asked::new("ssm:GetParameter", parameter_arn(name), name).reading([Place::Parameter(name.to_owned())]);
        self.0.serve(asked, |state| state.parameter(name).cloned())
    }

    /// PutParameter: the version. An image id in an `aws:ec2:image` is not looked up, as AWS does some time later.
    pub fn put_parameter(&self, request: &PutParameter) -> Result<u64, AwsError> {
        let about = format!("{} {}", request.name, request.value);
        let mut asked = Asked::new("ssm:PutParameter", parameter_arn(&request.name), about);
        // AWS: Native parameter support for Amazon Machine Image IDs: its caller needs to see the image.
        if request.data_type.as_deref() == Some("aws:ec2:image") {
            asked = asked.and(Need::new("ec2:DescribeImages", "*"));
        }
        self.0.serve(asked, |state| state.put_parameter(request))
    }
}

impl World {
    /// The latest version of a parameter, if there is one of this name. Not a call.
    pub fn parameter(&self, name: &str) -> Option<Parameter> {
        self.lock().parameter(name).ok().cloned()
    }

    /// Puts a parameter there, or a new version of it. Not a call.
    pub fn put_parameter(&self, name: &str, value: &str, data_type: &str) {
        let request = PutParameter {
            name: name.to_owned(),
            value: value.to_owned(),
            data_type: Some(data_type.to_owned()),
            overwrite: Overwrite::Yes,
        };
        self.lock().put_parameter(&request).expect("tests put parameters that can be put");
    }
}

pub(crate) fn parameter_arn(name: &str) -> String {
    format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{}", name.trim_start_matches('/'))
}

impl State {
    /// `NAME` is the latest version, `NAME:VERSION` that one. Labels are not simulated.
    fn parameter(&self, named: &str) -> Result<&Parameter, AwsError> {
        let found = match named.rsplit_once(':') {
            Some((name, version)) => {
                let version = version.parse::<u64>().ok();
                version.and_then(|version| self.parameters.get(name)?.get(&version))
            }
            None => self.parameters.get(named).and_then(|versions| versions.values().next_back()),
        };
        found.ok_or_else(|| AwsError::new("ParameterNotFound", ""))
    }

    fn put_parameter(&mut self, request: &PutParameter) -> Result<u64, AwsError> {
        let PutParameter { name, value, data_type, overwrite } = request;
        let data_type = data_type.clone().unwrap_or_else(|| "text".to_owned());
        if !matches!(data_type.as_str(), "text" | "aws:ec2:image") {
            let message = format!("The following data type is not supported: {data_type} (text, aws:ec2:image)");
            return Err(AwsError::new("ValidationException", message));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/');
        if value.is_empty() || name.is_empty() || !name.chars().all(plain) {
            return Err(AwsError::new("ValidationException", format!("'{name}' can't hold '{value}'")));
        }
        let versions = self.parameters.entry(name.clone()).or_default();
        if !versions.is_empty() && *overwrite == Overwrite::No {
            return Err(AwsError::new(
                "ParameterAlreadyExists",
                "The parameter already exists. To overwrite this value, set the overwrite option in the request to \
                 true.",
            ));
        }
        let version = versions.keys().next_back().map_or(1, |last| last + 1);
        let parameter = Parameter { name: name.clone(), value: value.clone(), data_type, version };
        versions.insert(version, parameter);
        Ok(version)
    }

    /// The image that a launch means: an id stays as it is, `resolve:ssm:…` is looked up. The words of the refusal are a
    /// guess.
    pub(crate) fn resolve_image(&self, text: &str) -> Result<String, AwsError> {
        let Some(named) = text.strip_prefix(RESOLVE) else { return Ok(text.to_owned()) };
        let message = format!("The Systems Manager parameter {named} does not exist or can't be used as an AMI ID");
        let found = self.parameter(named).map(|parameter| parameter.value.clone());
        found.map_err(|_| AwsError::new("InvalidParameterValue", message))
    }
}
