//! CloudFormation: where a stack's table and bus are.

use aws_config::SdkConfig;
use aws_sdk_cloudformation::types::Stack;
use lastgood_core::pace::Share;
use lastgood_engine::CallFailed;

use crate::refusals::failed;
use crate::settings::{Settings, writer_of_this_process};

/// Why a stack does not tell where its table and bus are.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// The call did not get through, or there is no such stack.
    #[error("stack '{0}' can't be looked up")]
    Call(String, #[source] CallFailed),
    /// The stack is not one of Lastgood.
    #[error("stack '{stack}' has no output {output}: is it a stack of Lastgood?")]
    NoOutput {
        /// The stack.
        stack: String,
        /// What it lacks.
        output: &'static str,
    },
}

/// The settings that the outputs of a stack tell.
pub async fn settings_of_stack(config: &SdkConfig, stack: &str) -> Result<Settings, StackError> {
    let client = aws_sdk_cloudformation::Client::new(config);
    let described = client.describe_stacks().stack_name(stack).send().await;
    let described = described
        .map_err(|error| StackError::Call(stack.to_owned(), failed("cloudformation:DescribeStacks", error)))?;
    let found = described.stacks().first();
    let lacking = |output| StackError::NoOutput { stack: stack.to_owned(), output };
    let output = |key: &'static str| found.and_then(|found| value(found, key)).ok_or_else(|| lacking(key));
    // arn:aws:sns:REGION:ACCOUNT:NAME
    let topic = output("TopicArn")?;
    let mut parts = topic.split(':').skip(3);
    let (region, account) =
        (parts.next().ok_or_else(|| lacking("TopicArn"))?, parts.next().ok_or_else(|| lacking("TopicArn"))?);
    Ok(Settings {
        table: output("TableName")?,
        bus: output("BusName")?,
        stack: stack.to_owned(),
        account: account.to_owned(),
        region: region.to_owned(),
        share: Share::default(),
        writer: writer_of_this_process(),
    })
}

fn value(stack: &Stack, key: &str) -> Option<String> {
    let output = stack.outputs().iter().find(|output| output.output_key() == Some(key))?;
    output.output_value().map(str::to_owned)
}
