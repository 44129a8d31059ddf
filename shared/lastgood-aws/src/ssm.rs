//! The Parameter Store: GetParameter, PutParameter.

use aws_sdk_ssm::operation::get_parameter::GetParameterError;
use aws_sdk_ssm::types::ParameterType;
use lastgood_core::facts::Parameter;
use lastgood_core::refusal::{Refusal, Why};
use lastgood_engine::call::ssm::{GetParameter, PutParameter};
use lastgood_engine::{Answers, Call, Called};

use crate::Aws;
use crate::refusals::{answer, told};

impl Answers<GetParameter> for Aws {
    async fn call(&self, GetParameter(name): &GetParameter) -> Called<Option<Parameter>> {
        let result = self.ssm.get_parameter().name(name).send().await;
        let is_missing =
            |error: &GetParameterError| error.is_parameter_not_found() || error.is_parameter_version_not_found();
        if result.as_ref().is_err_and(|error| error.as_service_error().is_some_and(is_missing)) {
            return Ok(Ok(None));
        }
        let found = answer(GetParameter::ACTION, result)?;
        let output = match found {
            Ok(output) => output,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let parameter = told(GetParameter::ACTION, output.parameter(), "a parameter")?;
        if let Some(kind) = parameter.r#type().filter(|kind| **kind != ParameterType::String) {
            let message = format!("{name} is a {}; name a parameter of type String", kind.as_str());
            return Ok(Err(Refusal { why: Why::Invalid, action: GetParameter::ACTION.to_owned(), message }));
        }
        let value = told(GetParameter::ACTION, parameter.value(), "a parameter's value")?.to_owned();
        Ok(Ok(Some(Parameter { value, data_type: parameter.data_type().unwrap_or("text").to_owned() })))
    }
}

impl Answers<PutParameter> for Aws {
    async fn call(&self, PutParameter { name, parameter }: &PutParameter) -> Called<()> {
        let request = self
            .ssm
            .put_parameter()
            .name(name)
            .value(&parameter.value)
            .data_type(&parameter.data_type)
            .r#type(ParameterType::String)
            .overwrite(true);
        Ok(answer(PutParameter::ACTION, request.send().await)?.map(|_| ()))
    }
}
