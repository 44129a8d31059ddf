"""What a template comes to for given parameters: conditions evaluated, functions of CloudFormation replaced by values.

Names and ARNs of what does not exist yet are made up, but have the form that AWS gives them, so that tools which judge
policies see resources and not riddles. What is not known here is an error: a guess would let a check pass.
"""

import json
import re
from base64 import b64encode

ACCOUNT = "123456789012"
PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::NotificationARNs": [],
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackId": f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/lastgood/11111111-2222-3333-4444-555555555555",
    "AWS::StackName": "lastgood",
    "AWS::URLSuffix": "amazonaws.com",
}
# Stands for AWS::NoValue: what has it is left out.
NO_VALUE = object()

# The ARN of each type that the template may have. `{name}` is the resource's name, `{bus}` the bus that a rule is on.
ARNS = {
    "AWS::CloudWatch::Alarm": "arn:aws:cloudwatch:us-east-1:{account}:alarm:{name}",
    "AWS::CloudWatch::CompositeAlarm": "arn:aws:cloudwatch:us-east-1:{account}:alarm:{name}",
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:us-east-1:{account}:table/{name}",
    "AWS::Events::EventBus": "arn:aws:events:us-east-1:{account}:event-bus/{name}",
    "AWS::Events::Rule": "arn:aws:events:us-east-1:{account}:rule/{bus}{name}",
    "AWS::IAM::ManagedPolicy": "arn:aws:iam::{account}:policy/{name}",
    "AWS::IAM::Role": "arn:aws:iam::{account}:role/{name}",
    "AWS::KMS::Key": "arn:aws:kms:us-east-1:{account}:key/{name}",
    "AWS::Lambda::Function": "arn:aws:lambda:us-east-1:{account}:function:{name}",
    "AWS::Logs::LogGroup": "arn:aws:logs:us-east-1:{account}:log-group:{name}:*",
    "AWS::S3::Bucket": "arn:aws:s3:::{name}",
    "AWS::Scheduler::Schedule": "arn:aws:scheduler:us-east-1:{account}:schedule/default/{name}",
    "AWS::SNS::Topic": "arn:aws:sns:us-east-1:{account}:{name}",
    "AWS::SQS::Queue": "arn:aws:sqs:us-east-1:{account}:{name}",
}
# Where a template says the name of a resource of its own. Elsewhere AWS makes one up.
NAMES = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::CompositeAlarm": "AlarmName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Events::EventBus": "Name",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
}
# What a Ref to these gives is the ARN, not the name.
REF_IS_ARN = {"AWS::IAM::ManagedPolicy", "AWS::SNS::Topic"}


class Unresolvable(Exception):
    """Something of the template that has no value here."""


class Resolver:
    """Resolves one template for one set of parameters."""

    def __init__(self, template, parameters):
        self.template = template
        self.parameters = parameters
        self.conditions = template.get("Conditions", {})

    def resources(self):
        """The resources that are made, as plain data."""
        made = {}
        for name, resource in self.template["Resources"].items():
            if not self.is_made(name):
                continue
            try:
                properties = self.value(resource.get("Properties", {}))
            except Unresolvable as error:
                raise Unresolvable(f"{name}: {error}") from None
            made[name] = {"Type": resource["Type"], "Properties": properties}
        return made

    def refused(self):
        """The first assertion of the template's Rules that does not hold, in its own words; None if all do."""
        for name, rule in self.template.get("Rules", {}).items():
            if self.truth(rule.get("RuleCondition", {"Fn::Equals": [1, 1]})):
                for one in rule["Assertions"]:
                    if not self.truth(one["Assert"]):
                        return one.get("AssertDescription", name)
        return None

    def is_made(self, name):
        condition = self.template["Resources"][name].get("Condition")
        return condition is None or self.holds(condition)

    def holds(self, condition):
        """Whether a condition, by its name, is true."""
        if condition not in self.conditions:
            raise Unresolvable(f"there is no condition {condition}")
        return self.truth(self.conditions[condition])

    def truth(self, said):
        if isinstance(said, dict) and len(said) == 1:
            (function, given), = said.items()
            if function == "Condition":
                return self.holds(given)
            if function == "Fn::Equals":
                left, right = (self.value(side) for side in given)
                return str(left) == str(right)
            if function == "Fn::Not":
                return not self.truth(given[0])
            if function == "Fn::And":
                return all(self.truth(one) for one in given)
            if function == "Fn::Or":
                return any(self.truth(one) for one in given)
        raise Unresolvable(f"{json.dumps(said)} is no condition")

    def value(self, said):
        """What something comes to. Leaves out what is AWS::NoValue."""
        if isinstance(said, list):
            values = [self.value(one) for one in said]
            return [value for value in values if value is not NO_VALUE]
        if not isinstance(said, dict):
            return said
        if len(said) == 1:
            (function, given), = said.items()
            if function == "Ref":
                return self.ref(given)
            if function.startswith("Fn::"):
                known = getattr(self, f"fn_{function[4:].lower()}", None)
                if known is None:
                    raise Unresolvable(f"{function} is not known to infra/resolve.py: teach it there")
                return known(given)
        values = {key: self.value(one) for key, one in said.items()}
        return {key: value for key, value in values.items() if value is not NO_VALUE}

    def ref(self, name):
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self.template.get("Parameters", {}):
            if name not in self.parameters:
                raise Unresolvable(f"the parameter {name} has no value")
            value = self.parameters[name]
            is_list = self.template["Parameters"][name]["Type"].startswith(("List<", "CommaDelimitedList"))
            return [one.strip() for one in value.split(",")] if is_list and isinstance(value, str) else value
        kind, own = self.kind(name), self.name(name)
        if kind in REF_IS_ARN:
            return self.arn(name)
        if kind == "AWS::SQS::Queue":
            return f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/{own}"
        if kind == "AWS::Events::Rule" and (bus := self.bus(name)):
            return f"{bus}|{own}"  # As AWS does, though its page leaves this out.
        return own

    def kind(self, name):
        if name not in self.template["Resources"]:
            raise Unresolvable(f"there is no resource or parameter {name}")
        if not self.is_made(name):
            raise Unresolvable(f"{name} is referred to, but not made: its condition is false")
        return self.template["Resources"][name]["Type"]

    def name(self, logical):
        """The name of a resource: what the template says, or one in the stack's name."""
        kind = self.kind(logical)
        said = self.template["Resources"][logical].get("Properties", {}).get(NAMES.get(kind))
        value = NO_VALUE if said is None else self.value(said)
        return f"{PSEUDO['AWS::StackName']}-{logical}" if value is NO_VALUE else value

    def bus(self, rule):
        """The name of the bus that a rule is on; empty if it is the account's own."""
        bus = self.value(self.template["Resources"][rule]["Properties"].get("EventBusName", "default"))
        bus = "default" if bus is NO_VALUE else bus.rsplit("/", 1)[-1]
        return "" if bus == "default" else bus

    def arn(self, logical):
        kind = self.kind(logical)
        if kind not in ARNS:
            raise Unresolvable(f"the ARN of a {kind} ({logical}) is not known to infra/resolve.py: teach it there")
        bus = self.bus(logical) if kind == "AWS::Events::Rule" else ""
        return ARNS[kind].format(account=ACCOUNT, name=self.name(logical), bus=f"{bus}/" if bus else "")

    def fn_getatt(self, given):
        logical, attribute = given.split(".", 1) if isinstance(given, str) else given
        if attribute == NAMES.get(self.kind(logical)):
            return self.name(logical)
        if attribute in ("Arn", "TopicArn", "PolicyArn"):
            return self.arn(logical)
        raise Unresolvable(f"{logical}.{attribute} is not known to infra/resolve.py: teach it there")

    def fn_sub(self, given):
        text, own = (given, {}) if isinstance(given, str) else given

        def filled(match):
            name = match[1].strip()
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in own:
                return str(self.value(own[name]))
            return str(self.fn_getatt(name) if "." in name else self.ref(name))

        return re.sub(r"\$\{([^}]*)}", filled, text)

    def fn_if(self, given):
        condition, yes, no = given
        return self.value(yes if self.holds(condition) else no)

    def fn_join(self, given):
        between, parts = given
        return between.join(str(part) for part in self.value(parts))

    def fn_split(self, given):
        between, text = given
        return self.value(text).split(between)

    def fn_select(self, given):
        index, parts = given
        parts, index = self.value(parts), int(self.value(index))
        if index >= len(parts):
            raise Unresolvable(f"Fn::Select takes number {index} of {parts}")
        return parts[index]

    def fn_findinmap(self, given):
        first, second, third = (self.value(key) for key in given)
        try:
            return self.value(self.template["Mappings"][first][second][third])
        except KeyError as error:
            raise Unresolvable(f"no {error} in the mapping {first}") from None

    def fn_base64(self, given):
        return b64encode(self.value(given).encode()).decode()
