//! Parameters, conditions and intrinsic functions.

use std::collections::BTreeMap;

use lastgood_world::{ACCOUNT, REGION};
use serde_json::{Map, Value, json};

use super::Template;

struct Scope<'a> {
    stack: &'a str,
    parameters: BTreeMap<String, Value>,
    conditions: &'a Map<String, Value>,
    mappings: &'a Value,
    resources: &'a Map<String, Value>,
}

/// What `!Ref AWS::NoValue` comes to.
const NO_VALUE: &str = "\u{0}no value";

pub(super) fn resolved(template: &Value, stack: &str, given: &BTreeMap<String, Value>) -> Result<Template, String> {
    let none = Map::new();
    let part = |name: &str| template[name].as_object().unwrap_or(&none);
    let mut parameters = BTreeMap::new();
    for (name, declared) in part("Parameters") {
        let default = declared.get("Default").map(|default| match declared["Type"].as_str() {
            Some("CommaDelimitedList") => json!(default.as_str().unwrap_or_default().split(',').collect::<Vec<_>>()),
            _ => default.clone(),
        });
        let value = given.get(name).cloned().or(default).ok_or(format!("the parameter {name} has no value"))?;
        parameters.insert(name.clone(), value);
    }
    if let Some(unknown) = given.keys().find(|name| !parameters.contains_key(*name)) {
        return Err(format!("there is no parameter {unknown}"));
    }
    let scope = Scope {
        stack,
        parameters,
        conditions: part("Conditions"),
        mappings: &template["Mappings"],
        resources: part("Resources"),
    };
    let mut resources = BTreeMap::new();
    for (name, resource) in scope.resources {
        if resource["Condition"].as_str().map_or(Ok(true), |condition| scope.condition(condition))? {
            let value = scope.value(resource).map_err(|error| format!("{name}: {error}"))?;
            resources.insert(name.clone(), value);
        }
    }
    let mut outputs = BTreeMap::new();
    for (name, output) in part("Outputs") {
        outputs.insert(name.clone(), scope.value(&output["Value"])?);
    }
    let mut refused = Vec::new();
    for rule in part("Rules").values() {
        let applies = rule.get("RuleCondition").map_or(Ok(true), |condition| scope.decide(condition))?;
        for assertion in rule["Assertions"].as_array().into_iter().flatten().filter(|_| applies) {
            if !scope.decide(&assertion["Assert"])? {
                refused.push(assertion["AssertDescription"].as_str().unwrap_or("no description").to_owned());
            }
        }
    }
    Ok(Template { resources, outputs, mappings: template["Mappings"].clone(), refused })
}

impl Scope<'_> {
    fn condition(&self, name: &str) -> Result<bool, String> {
        self.decide(self.conditions.get(name).ok_or(format!("there is no condition {name}"))?)
    }

    fn decide(&self, condition: &Value) -> Result<bool, String> {
        let (name, told) = function(condition).ok_or(format!("no condition: {condition}"))?;
        let all = || told.as_array().into_iter().flatten().map(|one| self.decide(one)).collect::<Result<Vec<_>, _>>();
        match name {
            "Condition" => self.condition(told.as_str().unwrap_or_default()),
            "Fn::Equals" => {
                let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                Ok(text(&self.value(&told[0])?) == text(&self.value(&told[1])?))
            }
            "Fn::Not" => Ok(!all()?[0]),
            "Fn::And" => Ok(all()?.into_iter().all(|one| one)),
            "Fn::Or" => Ok(all()?.into_iter().any(|one| one)),
            other => Err(format!("{other} decides nothing here")),
        }
    }

    fn value(&self, value: &Value) -> Result<Value, String> {
        if let Some((name, told)) = function(value) {
            return self.call(name, told);
        }
        match value {
            Value::Array(items) => {
                let mut all = Vec::new();
                for item in items {
                    let item = self.value(item)?;
                    if item != NO_VALUE {
                        all.push(item);
                    }
                }
                Ok(Value::Array(all))
            }
            Value::Object(fields) => {
                let mut all = Map::new();
                for (key, field) in fields {
                    let field = self.value(field)?;
                    if field != NO_VALUE {
                        all.insert(key.clone(), field);
                    }
                }
                Ok(Value::Object(all))
            }
            plain => Ok(plain.clone()),
        }
    }

    fn call(&self, name: &str, told: &Value) -> Result<Value, String> {
        let text = |value: &Value| self.value(value).map(|value| value.as_str().unwrap_or_default().to_owned());
        match name {
            "Ref" => self.reference(told.as_str().unwrap_or_default()),
            "Condition" => Ok(json!(self.condition(told.as_str().unwrap_or_default())?)),
            "Fn::GetAtt" => self.attribute(told[0].as_str().unwrap_or_default(), told[1].as_str().unwrap_or_default()),
            "Fn::If" => {
                let chosen = if self.condition(told[0].as_str().unwrap_or_default())? { 1 } else { 2 };
                self.value(&told[chosen])
            }
            "Fn::Sub" => match told {
                Value::Array(parts) => self.substitute(parts[0].as_str().unwrap_or_default(), &parts[1]),
                text => self.substitute(text.as_str().unwrap_or_default(), &Value::Null),
            },
            "Fn::Join" => {
                let parts = self.value(&told[1])?;
                let parts = parts.as_array().into_iter().flatten().map(|part| part.as_str().unwrap_or_default());
                Ok(json!(parts.collect::<Vec<_>>().join(&text(&told[0])?)))
            }
            "Fn::Split" => {
                let (by, whole) = (text(&told[0])?, text(&told[1])?);
                Ok(json!(whole.split(by.as_str()).collect::<Vec<_>>()))
            }
            "Fn::Select" => {
                let index = usize::try_from(told[0].as_u64().unwrap_or_default()).unwrap_or(usize::MAX);
                let items = self.value(&told[1])?;
                items.get(index).cloned().ok_or(format!("there is no item {index} in {items}"))
            }
            "Fn::FindInMap" => {
                let keys: Vec<String> = told.as_array().into_iter().flatten().map(text).collect::<Result<_, _>>()?;
                let found = keys.iter().fold(self.mappings, |at, key| &at[key.as_str()]);
                if found.is_null() { Err(format!("the mappings have no {keys:?}")) } else { Ok(found.clone()) }
            }
            "Fn::Equals" | "Fn::Not" | "Fn::And" | "Fn::Or" => Ok(json!(self.decide(&json!({name: told}))?)),
            other => Err(format!("{other} is not resolved here")),
        }
    }

    fn substitute(&self, text: &str, local: &Value) -> Result<Value, String> {
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or(format!("'{text}' has an open ${{"))?;
            let value = match (local.get(name), name.split_once('.')) {
                (Some(local), _) => self.value(local)?,
                (None, Some((resource, attribute))) => self.attribute(resource, attribute)?,
                (None, None) => self.reference(name)?,
            };
            result = result + before + &value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            rest = after;
        }
        Ok(json!(result + rest))
    }

    fn reference(&self, name: &str) -> Result<Value, String> {
        if let Some(value) = self.parameters.get(name) {
            return Ok(value.clone());
        }
        Ok(json!(match name {
            "AWS::NoValue" => NO_VALUE.to_owned(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::Region" => REGION.to_owned(),
            "AWS::AccountId" => ACCOUNT.to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            "AWS::StackName" => self.stack.to_owned(),
            "AWS::StackId" => format!("arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{}/1", self.stack),
            resource => return self.physical(resource).map(Value::from),
        }))
    }

    /// What `Ref` of a resource is: its name, or its ARN where AWS says so.
    fn physical(&self, logical: &str) -> Result<String, String> {
        let resource = self.resources.get(logical).ok_or(format!("there is no {logical}"))?;
        Ok(match resource["Type"].as_str().unwrap_or_default() {
            "AWS::SNS::Topic" | "AWS::IAM::ManagedPolicy" => self.arn(logical)?,
            "AWS::Events::EventBus" => text_of(&self.value(&resource["Properties"]["Name"])?),
            _ => format!("{}-{logical}", self.stack),
        })
    }

    fn attribute(&self, logical: &str, attribute: &str) -> Result<Value, String> {
        match attribute {
            "Arn" => self.arn(logical).map(Value::from),
            "TopicName" | "QueueName" => Ok(json!(format!("{}-{logical}", self.stack))),
            other => Err(format!("the attribute {other} of {logical} is not resolved here")),
        }
    }

    fn arn(&self, logical: &str) -> Result<String, String> {
        let resource = self.resources.get(logical).ok_or(format!("there is no {logical}"))?;
        let name = format!("{}-{logical}", self.stack);
        let here = |service: &str, rest: String| format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}");
        Ok(match resource["Type"].as_str().unwrap_or_default() {
            "AWS::Serverless::Function" => here("lambda", format!("function:{name}")),
            "AWS::IAM::Role" => format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
            "AWS::IAM::ManagedPolicy" => format!("arn:aws:iam::{ACCOUNT}:policy/{name}"),
            "AWS::DynamoDB::Table" => here("dynamodb", format!("table/{name}")),
            "AWS::SNS::Topic" => here("sns", name),
            "AWS::SQS::Queue" => here("sqs", name),
            "AWS::CloudWatch::Alarm" => here("cloudwatch", format!("alarm:{name}")),
            "AWS::Logs::LogGroup" => here("logs", format!("log-group:{}:*", self.physical(logical)?)),
            "AWS::Events::EventBus" => here("events", format!("event-bus/{}", self.physical(logical)?)),
            "AWS::Events::Rule" => match &resource["Properties"]["EventBusName"] {
                Value::Null => here("events", format!("rule/{name}")),
                bus => here("events", format!("rule/{}/{name}", text_of(&self.value(bus)?))),
            },
            other => return Err(format!("the ARN of a {other} is not known here")),
        })
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// An intrinsic function, if it is one: an object with one key that is a function's name.
fn function(value: &Value) -> Option<(&str, &Value)> {
    let (name, told) = value.as_object().filter(|object| object.len() == 1)?.iter().next()?;
    (name == "Ref" || name.starts_with("Fn::") || (name == "Condition" && told.is_string()))
        .then_some((name.as_str(), told))
}
