//! What a deployment may do at all: its parameters `MayPublish`, `MayRollOut`, `MayStop` and `MayBackUpCaches`. A plan that
//! wants more is refused before it is written, for its functions lack the permissions.

use super::{Plan, PublishTo};
use crate::id::SourceId;

/// What a deployment may do.
#[expect(clippy::struct_excessive_bools, reason = "each is a parameter of the stack, whatever the others are")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct May {
    /// Give groups images, and write parameters.
    pub publish: bool,
    /// Replace the members of groups.
    pub roll_out: bool,
    /// Stop instances and start them again.
    pub stop: bool,
    /// Back up caches.
    pub caches: bool,
}

impl May {
    /// What the output `May` of a stack says: words, parted by spaces. Words of a newer stack are passed over.
    #[must_use]
    pub fn read(output: &str) -> Self {
        let has = |wanted: &str| output.split_whitespace().any(|word| word == wanted);
        Self { publish: has("publish"), roll_out: has("roll-out"), stop: has("stop"), caches: has("caches") }
    }

    /// What a plan wants and the deployment may not, a sentence each.
    #[must_use]
    pub fn refuses(self, plan: &Plan) -> Vec<String> {
        let name = &plan.name;
        let mut refused = Vec::new();
        let mut refuse = |what: &str, parameter: &str, instead: &str| {
            refused.push(format!(
                "plan {name}: {what}, and this deployment may not: {instead}, or deploy it with {parameter}=true"
            ));
        };
        let by_tag = !plan.select.tags.is_empty();
        let has_groups = by_tag || plan.select.groups().next().is_some();
        let publish = &plan.policy.publish;
        if !self.publish && has_groups && publish.to != PublishTo::Nothing {
            refuse("it publishes images", "MayPublish", "write 'publish: none' into it");
        }
        if !self.roll_out && publish.rollout.is_some() {
            refuse("it rolls images out", "MayRollOut", "leave 'rollout' out of it");
        }
        if !self.stop && plan.policy.capture.stop {
            refuse("it stops instances", "MayStop", "write 'capture: {reboot: never}' into it");
        }
        let is_cache = |source: &SourceId| source.cache().is_some();
        if !self.caches && plan.select.sources.iter().any(is_cache) {
            refuse("it selects caches", "MayBackUpCaches", "leave them out of it");
        }
        refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: May = May { publish: true, roll_out: true, stop: true, caches: true };

    fn plan(text: &str) -> Plan {
        crate::plan::read("plans.yaml", &format!("plans: [{text}]")).expect("a plan").plans.remove(0).plan
    }

    #[test]
    fn the_output_of_the_stack_is_read() {
        assert_eq!(May::read("nothing-more-than publish roll-out stop caches"), ALL);
        let few = May::read("nothing-more-than  caches later-word");
        assert_eq!(few, May { publish: false, roll_out: false, stop: false, caches: true });
    }

    #[test]
    fn each_wish_that_a_deployment_may_not_grant_is_refused_with_both_ways_out() {
        let group = "{name: web, select: {groups: [web]}, schedule: hourly";
        let cases = [
            (May { publish: false, ..ALL }, format!("{group}}}"), "publishes images", "MayPublish=true"),
            (
                May { publish: false, ..ALL },
                "{name: web, select: {tags: {a: b}}, schedule: hourly}".to_owned(),
                "publishes images",
                "'publish: none'",
            ),
            (
                May { roll_out: false, ..ALL },
                format!("{group}, rollout: {{checkpoints: [50, 100]}}}}"),
                "rolls images out",
                "MayRollOut=true",
            ),
            (
                May { stop: false, ..ALL },
                "{name: web, select: {instances: [i-0123456789abcdef0]}, schedule: daily, capture: {reboot: stop}}"
                    .to_owned(),
                "stops instances",
                "reboot: never",
            ),
            (
                May { caches: false, ..ALL },
                "{name: web, select: {cache_clusters: [sessions]}, schedule: daily}".to_owned(),
                "selects caches",
                "MayBackUpCaches=true",
            ),
        ];
        for (may, text, what, instead) in cases {
            let plan = plan(&text);
            assert_eq!(ALL.refuses(&plan), Vec::<String>::new(), "{text}");
            let refused = may.refuses(&plan);
            assert_eq!(refused.len(), 1, "{text}: {refused:?}");
            assert!(refused[0].contains(what) && refused[0].contains(instead), "{}", refused[0]);
        }
        let none = May { publish: false, ..ALL };
        assert_eq!(none.refuses(&plan(&format!("{group}, publish: none}}"))), Vec::<String>::new());
        let instances = plan("{name: db, select: {instances: [i-0123456789abcdef0]}, schedule: daily}");
        assert_eq!(none.refuses(&instances), Vec::<String>::new(), "an instance is published nowhere");
    }
}
