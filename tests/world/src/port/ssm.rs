//! The Parameter Store's calls.

use lastgood_core::facts::Parameter;
use lastgood_engine::call::ssm::{GetParameter, PutParameter};
use lastgood_engine::{Answers, Call, Called};

use super::facts::answer;
use crate::parameter::{self, Overwrite};
use crate::state::World;

impl Answers<GetParameter> for World {
    async fn call(&self, GetParameter(name): &GetParameter) -> Called<Option<Parameter>> {
        let found = match self.parameter_store().get_parameter(name) {
            Ok(found) => Ok(Some(Parameter { value: found.value, data_type: found.data_type })),
            Err(error) if error.code == "ParameterNotFound" => Ok(None),
            Err(error) => Err(error),
        };
        answer(GetParameter::ACTION, found)
    }
}

impl Answers<PutParameter> for World {
    async fn call(&self, PutParameter { name, parameter }: &PutParameter) -> Called<()> {
        let done = self.parameter_store().put_parameter(&parameter::PutParameter {
            name: name.clone(),
            value: parameter.value.clone(),
            data_type: Some(parameter.data_type.clone()),
            overwrite: Overwrite::Yes,
        });
        answer(PutParameter::ACTION, done.map(|_| ()))
    }
}
