//! The Parameter Store.

use lastgood_core::facts::Parameter;

use super::Call;

/// What stands in the parameter of this name, if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetParameter(pub String);

impl Call for GetParameter {
    type Told = Option<Parameter>;
    const ACTION: &'static str = "ssm:GetParameter";
}

/// Write a parameter, over whatever stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutParameter {
    /// Its name.
    pub name: String,
    /// What is to stand there.
    pub parameter: Parameter,
}

impl Call for PutParameter {
    type Told = ();
    const ACTION: &'static str = "ssm:PutParameter";

    fn changes(&self) -> Option<&str> {
        Some(&self.name)
    }
}
