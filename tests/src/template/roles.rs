//! The policies of the functions' roles, whole: their own statements, and those of the managed policies that they have.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use lastgood_world::access::Policy;
use serde_json::{Value, json};

use super::{Template, everything};
use crate::stack::STACK;

/// The functions: their names in the template.
pub const FUNCTIONS: [&str; 4] = ["BackupTick", "SnapshotPoll", "CheckpointReached", "RetentionCleanup"];

/// The policies by function.
pub type Roles = Arc<BTreeMap<&'static str, Policy>>;

/// What the template gives the functions, with everything that Lastgood can do.
#[must_use]
pub fn roles() -> Roles {
    static ROLES: OnceLock<Roles> = OnceLock::new();
    let read = || Template::deployed(STACK, &everything()).and_then(|template| template.roles());
    Roles::clone(ROLES.get_or_init(|| read().expect("the template can be read")))
}

impl Template {
    /// What each function may.
    ///
    /// # Errors
    /// Which policy can't be judged, and why.
    pub fn roles(&self) -> Result<Roles, String> {
        let role = |function: &'static str| Ok((function, self.policy_of(&format!("{function}Role"))?));
        Ok(Arc::new(FUNCTIONS.into_iter().map(role).collect::<Result<_, String>>()?))
    }

    /// What one role may, by its name in the template.
    ///
    /// # Errors
    /// As above.
    pub fn policy_of(&self, role: &str) -> Result<Policy, String> {
        let properties = &self.resources.get(role).ok_or(format!("there is no role {role}"))?["Properties"];
        let mut policy = Policy::default();
        for own in properties["Policies"].as_array().into_iter().flatten() {
            policy.statements.extend(Policy::read(&own["PolicyDocument"])?.statements);
        }
        for arn in properties["ManagedPolicyArns"].as_array().into_iter().flatten() {
            let name = arn.as_str().and_then(|arn| arn.rsplit('-').next()).unwrap_or_default();
            policy.statements.extend(self.managed_policy(name)?.statements);
        }
        Ok(policy)
    }

    /// A managed policy of the template.
    ///
    /// # Errors
    /// As above; or there is none of that name.
    pub fn managed_policy(&self, name: &str) -> Result<Policy, String> {
        let found = self.of_type("AWS::IAM::ManagedPolicy").find(|(logical, _)| *logical == name);
        let (_, properties) = found.ok_or(format!("there is no managed policy {name}"))?;
        Policy::read(&properties["PolicyDocument"])
    }

    /// The policy of our bus: one statement of each `EventBusPolicy`.
    ///
    /// # Errors
    /// As above.
    pub fn bus_policy(&self) -> Result<Policy, String> {
        let statements: Vec<Value> = self
            .of_type("AWS::Events::EventBusPolicy")
            .map(|(name, properties)| {
                let mut statement = properties["Statement"].clone();
                statement["Sid"] = json!(name);
                statement
            })
            .collect();
        Policy::read(&json!({"Statement": statements}))
    }
}
