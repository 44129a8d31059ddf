//! `infra/template.yaml` as CloudFormation would have it: parameters filled in, conditions decided, references resolved.
//!
//! It is what the tests judge: which role may what, which alarm looks at what, who may put what on the bus. SAM's own
//! step is done only as far as that goes: a function's events become the rules that SAM makes of them.

mod resolve;
mod roles;
mod yaml;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub use lastgood_world::{ACCOUNT, REGION};
pub use roles::{FUNCTIONS, Roles, roles};

const TEMPLATE: &str = include_str!("../../../infra/template.yaml");

/// A template with its parameters filled in.
#[derive(Clone, Debug)]
pub struct Template {
    /// Its resources, those alone whose condition holds; no intrinsic function is left in them.
    pub resources: BTreeMap<String, Value>,
    /// Its outputs, by name.
    pub outputs: BTreeMap<String, Value>,
    /// Its mapping of detail-types.
    pub mappings: Value,
    /// Which assertions of its rules do not hold, in its words.
    pub refused: Vec<String>,
}

/// The parameters that the tests deploy with: everything that Lastgood can do.
#[must_use]
pub fn everything() -> BTreeMap<String, Value> {
    parameters(&[
        ("OperatorArns", json!([format!("arn:aws:iam::{ACCOUNT}:role/operators")])),
        ("VerdictArns", json!([format!("arn:aws:iam::{ACCOUNT}:role/judge")])),
        ("NoticeEmail", json!("operators@example.com")),
        ("MayRollOut", json!("true")),
        ("MayStop", json!("true")),
        ("ImageParameterPath", json!("images/*")),
        ("KmsKeyArn", json!(format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/own"))),
        ("SubnetIds", json!(["subnet-0123456789abcdef0"])),
        ("SecurityGroupIds", json!(["sg-0123456789abcdef0"])),
        ("Tracing", json!("Active")),
        ("InstanceRoleArns", json!([format!("arn:aws:iam::{ACCOUNT}:role/web-*")])),
    ])
}

/// Parameters by name.
#[must_use]
pub fn parameters(given: &[(&str, Value)]) -> BTreeMap<String, Value> {
    given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

impl Template {
    /// The deployed template, with these parameters and its own defaults, as the stack `stack`.
    ///
    /// # Errors
    /// What is wrong with it, or which parameter has no value.
    pub fn deployed(stack: &str, parameters: &BTreeMap<String, Value>) -> Result<Self, String> {
        Self::read(TEMPLATE, stack, parameters)
    }

    /// Any template's text.
    ///
    /// # Errors
    /// As above.
    pub fn read(text: &str, stack: &str, parameters: &BTreeMap<String, Value>) -> Result<Self, String> {
        let mut template = yaml::read(text)?;
        add_rules(&mut template)?;
        resolve::resolved(&template, stack, parameters)
    }

    /// The resources of a type.
    pub fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a String, &'a Value)> {
        let of_kind = move |(_, resource): &(&String, &Value)| resource["Type"] == kind;
        self.resources.iter().filter(of_kind).map(|(name, resource)| (name, &resource["Properties"]))
    }
}

/// SAM makes a rule of each event of a function, named for both (AWS SAM: Generated CloudFormation resources).
fn add_rules(template: &mut Value) -> Result<(), String> {
    let resources = template["Resources"].as_object_mut().ok_or("it has no resources")?;
    let mut rules = Map::new();
    for (function, resource) in resources.iter().filter(|(_, resource)| resource["Type"] == "AWS::Serverless::Function")
    {
        for (name, event) in resource["Properties"]["Events"].as_object().into_iter().flatten() {
            let told = &event["Properties"];
            let target = json!({
                "Arn": {"Fn::GetAtt": [function, "Arn"]},
                "Id": format!("{function}{name}"),
                "DeadLetterConfig": told["DeadLetterConfig"],
                "RetryPolicy": told["RetryPolicy"],
            });
            let mut properties = json!({"Targets": [target]});
            for (from, to) in
                [("Schedule", "ScheduleExpression"), ("Pattern", "EventPattern"), ("EventBusName", "EventBusName")]
            {
                if !told[from].is_null() {
                    properties[to] = told[from].clone();
                }
            }
            rules.insert(format!("{function}{name}"), json!({"Type": "AWS::Events::Rule", "Properties": properties}));
        }
    }
    resources.append(&mut rules);
    Ok(())
}
