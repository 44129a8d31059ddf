//! The Parameter Store: GetParameter, PutParameter.

use aws_sdk_ssm::Client;
use aws_sdk_ssm::operation::get_parameter::GetParameterError;
use aws_sdk_ssm::types::ParameterType;
use lastgood_core::facts::Parameter;
use lastgood_core::refusal::{Refusal, Why};
use lastgood_engine::{Answer, CallFailed};

use crate::refusals::{answer, told};

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
    let output = match found {
        Ok(output) => output,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let parameter = told(GET, output.parameter(), "a parameter")?;
    if let Some(kind) = parameter.r#type().filter(|kind| **kind != ParameterType::String) {
        let message = format!("{name} is a {}; name a parameter of type String", kind.as_str());
        return Ok(Err(Refusal { why: Why::Invalid, action: GET.to_owned(), message }));
    }
    let value = told(GET, parameter.value(), "a parameter's value")?.to_owned();
    Ok(Ok(Some(Parameter { value, data_type: parameter.data_type().unwrap_or("text").to_owned() })))
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
