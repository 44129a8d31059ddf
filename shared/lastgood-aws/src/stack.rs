//! CloudFormation: where a stack's table, bus and topics are, and what it may do.

use aws_config::SdkConfig;
use aws_sdk_cloudformation::types::Stack;
use lastgood_core::plan::may::May;
use lastgood_engine::CallFailed;

use crate::refusals::failed;
use crate::settings::Settings;
use crate::topics::Topics;

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

/// What the outputs of a stack tell.
#[derive(Clone, Debug)]
pub struct Deployed {
    /// Its table and bus.
    pub settings: Settings,
    /// The topics of its notices and alarms.
    pub topics: Topics,
    /// What plans may ask of it.
    pub may: May,
}

/// Looks a stack up.
///
/// # Errors
/// There is no such stack, it is not one of Lastgood, or the call did not get through.
pub async fn deployed(config: &SdkConfig, stack: &str) -> Result<Deployed, StackError> {
    let client = aws_sdk_cloudformation::Client::new(config);
    let described = client.describe_stacks().stack_name(stack).send().await;
    let described = described
        .map_err(|error| StackError::Call(stack.to_owned(), failed("cloudformation:DescribeStacks", error)))?;
    let found = described.stacks().first();
    let lacking = |output| StackError::NoOutput { stack: stack.to_owned(), output };
    let output = |key: &'static str| found.and_then(|found| value(found, key)).ok_or_else(|| lacking(key));
    // Not the topic's ARN: that may be another account's.
    let id = found.and_then(Stack::stack_id).ok_or_else(|| lacking("StackId"))?;
    let settings = Settings::of_operator(output("TableName")?, output("BusName")?, stack.to_owned(), id);
    let settings = settings.ok_or_else(|| lacking("StackId"))?;
    let topics = Topics::new(config, output("TopicArn")?, output("AlarmTopicArn")?);
    Ok(Deployed { settings, topics, may: May::read(&output("May")?) })
}

fn value(stack: &Stack, key: &str) -> Option<String> {
    let output = stack.outputs().iter().find(|output| output.output_key() == Some(key))?;
    output.output_value().map(str::to_owned)
}
