//! The Parameter Store: GetParameter, PutParameter.

use aws_sdk_ssm::Client;
use aws_sdk_ssm::operation::get_parameter::GetParameterError;
use aws_sdk_ssm::types::ParameterType;
use lastgood_core::facts::Parameter;
use lastgood_engine::{Answer, CallFailed};

use crate::refusals::answer;

const GET: &str = "ssm:GetParameter";
const PUT: &str = "ssm:PutParameter";

pub(crate) async fn parameter(client: &Client, name: &str) -> Result<Answer<Option<Parameter>>, CallFailed> {
    let result = client.get_parameter().name(name).send().await;
    let is_missing =
        |error: &GetParameterError| error.is_parameter_not_found() || error.is_parameter_version_not_found();
    if result.as_ref().is_err_and(|error| error.as_service_error().is_some_and(is_missing)) {
        return Ok(Ok(None));
    }
    let found = answer(GET, result)?;
    Ok(found.map(|output| {
        let parameter = output.parameter()?;
        let value = parameter.value()?.to_owned();
        Some(Parameter { value, data_type: parameter.data_type().unwrap_or("text").to_owned() })
    }))
}

pub(crate) async fn set_parameter(
    client: &Client,
    name: &str,
    parameter: &Parameter,
) -> Result<Answer<()>, CallFailed> {
    let request = client
        .put_parameter()
        .name(name)
        .value(&parameter.value)
        .data_type(&parameter.data_type)
        .r#type(ParameterType::String)
        .overwrite(true);
    Ok(answer(PUT, request.send().await)?.map(|_| ()))
}
