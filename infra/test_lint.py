"""Tests of lint.py's own checks: that each can fail, and at what."""

import copy
import json
import unittest

import checkov
import checks
import lint
import policies
from findings import Finding, MalformedSuppression, accepts, judged, read_suppressions
from resolve import NO_VALUE, Resolver, Unresolvable

BUS = {"Type": "AWS::Events::EventBus", "Properties": {"Name": {"Ref": "AWS::StackName"}}}
QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {}}
TOPIC = {"Type": "AWS::SNS::Topic"}


def resolver(resources, parameters=None, **template):
    return Resolver({"Resources": resources, **template}, parameters or {})


def said(found):
    return [(finding.check, finding.resource, finding.of) for finding in found]


class Resolving(unittest.TestCase):
    def value(self, wanted, **template):
        resources = {"Bus": BUS, "Queue": QUEUE, "Topic": TOPIC, "Off": {**QUEUE, "Condition": "No"}}
        parameters = {"Many": "a, b", "One": "x"}
        template = {
            "Parameters": {
                "Many": {"Type": "CommaDelimitedList"},
                "One": {"Type": "String"},
                "Silent": {"Type": "String"},
            },
            "Conditions": {
                "Yes": {"Fn::Equals": [{"Ref": "One"}, "x"]},
                "No": {"Fn::Not": [{"Condition": "Yes"}]},
                "Both": {"Fn::And": [{"Condition": "Yes"}, {"Condition": "No"}]},
                "Either": {"Fn::Or": [{"Condition": "Yes"}, {"Condition": "No"}]},
            },
            "Mappings": {"Sizes": {"us-east-1": {"small": 1}}},
        } | template
        return resolver(resources, parameters, **template).value(wanted)

    def test_functions(self):
        arn = "arn:aws:events:us-east-1:123456789012:event-bus/lastgood"
        for wanted, value in [
            ({"Ref": "Many"}, ["a", "b"]),
            ({"Ref": "Topic"}, "arn:aws:sns:us-east-1:123456789012:lastgood-Topic"),
            ({"Ref": "Queue"}, "https://sqs.us-east-1.amazonaws.com/123456789012/lastgood-Queue"),
            ({"Fn::GetAtt": ["Queue", "QueueName"]}, "lastgood-Queue"),
            ({"Fn::GetAtt": "Bus.Arn"}, arn),
            ({"Fn::Sub": "${Bus.Arn}/${One}/${!kept}/${AWS::AccountId}"}, f"{arn}/x/${{kept}}/123456789012"),
            ({"Fn::Sub": ["${Mine}${One}", {"Mine": {"Ref": "One"}}]}, "xx"),
            ({"Fn::Join": ["-", ["a", {"Ref": "One"}]]}, "a-x"),
            ({"Fn::Select": [1, {"Fn::Split": ["|", "a|b"]}]}, "b"),
            ({"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "small"]}, 1),
            ({"Fn::Base64": "a"}, "YQ=="),
            ({"Fn::If": ["Either", "yes", "no"]}, "yes"),
            ({"Fn::If": ["Both", "yes", "no"]}, "no"),
        ]:
            with self.subTest(wanted=wanted):
                self.assertEqual(self.value(wanted), value)

    def test_what_a_false_condition_has_is_left_out(self):
        statements = [{"Sid": "Always"}, {"Fn::If": ["No", {"Sid": "Never"}, {"Ref": "AWS::NoValue"}]}]
        whole = self.value({"Statement": statements, "Key": {"Ref": "AWS::NoValue"}})
        self.assertEqual(whole, {"Statement": [{"Sid": "Always"}]})
        self.assertIs(self.value({"Ref": "AWS::NoValue"}), NO_VALUE)
        off = resolver({"Off": {**QUEUE, "Condition": "No"}}, Conditions={"No": {"Fn::Equals": ["a", "b"]}})
        self.assertEqual(off.resources(), {})

    def test_what_is_not_known_is_an_error_and_no_guess(self):
        for wanted, why in [
            ({"Ref": "Nobody"}, "no resource or parameter Nobody"),
            ({"Ref": "Silent"}, "Silent has no value"),
            ({"Ref": "Off"}, "Off is referred to, but not made"),
            ({"Fn::GetAtt": ["Queue", "Colour"]}, "Queue.Colour is not known"),
            ({"Fn::ImportValue": "x"}, "Fn::ImportValue is not known"),
            ({"Fn::If": ["Nowhere", 1, 2]}, "no condition Nowhere"),
            ({"Fn::Select": [5, ["a"]]}, "takes number 5"),
            ({"Fn::FindInMap": ["Sizes", "mars", "small"]}, "mars"),
        ]:
            with self.subTest(wanted=wanted), self.assertRaisesRegex(Unresolvable, why):
                self.value(wanted)

    def test_a_rule_on_a_bus_of_ours_has_the_bus_in_its_id(self):
        rule = {"Type": "AWS::Events::Rule", "Properties": {"EventBusName": {"Ref": "Bus"}}}
        resolved = resolver({"Bus": BUS, "Rule": rule, "Plain": {**rule, "Properties": {}}})
        self.assertEqual(resolved.ref("Rule"), "lastgood|lastgood-Rule")
        self.assertEqual(resolved.ref("Plain"), "lastgood-Plain")
        self.assertEqual(resolved.arn("Rule"), "arn:aws:events:us-east-1:123456789012:rule/lastgood/lastgood-Rule")


class Variants(unittest.TestCase):
    NEW = {"New": {"Type": "String", "Default": ""}}
    IS_NEW = {"Fn::Not": [{"Fn::Equals": [{"Ref": "New"}, ""]}]}

    def resolvers(self, variants, parameters=None, **template):
        return list(lint.resolvers({"Resources": {}, "Parameters": parameters or self.NEW, **template}, variants))

    def test_a_condition_that_never_holds_is_found(self):
        conditions = {"New": self.IS_NEW}
        resolvers = self.resolvers({"a": {}, "b": {}}, Conditions=conditions)
        self.assertEqual(said(checks.never_true(resolvers)), [("NEVER_TRUE", "New", "")])
        resolvers = self.resolvers({"a": {}, "b": {"New": "x"}}, Conditions=conditions)
        self.assertEqual(said(checks.never_true(resolvers)), [])

    def test_parameters_without_a_value_and_values_without_a_parameter_are_errors(self):
        with self.assertRaisesRegex(Unresolvable, r"'a' must have a value of each of \['Asked'\]"):
            self.resolvers({"a": {}}, {"Asked": {"Type": "String"}})
        with self.assertRaisesRegex(Unresolvable, r"'b' has parameters that the template has not: \['Old'\]"):
            self.resolvers({"a": {}, "b": {"Old": "x"}})

    def test_a_variant_that_the_templates_rules_refuse_is_an_error(self):
        rule = {"Assertions": [{"Assert": self.IS_NEW, "AssertDescription": "New is asked for"}]}
        with self.assertRaisesRegex(Unresolvable, "refuse the variant 'a': New is asked for"):
            self.resolvers({"a": {}}, Rules={"R": rule})
        self.resolvers({"a": {"New": "x"}}, Rules={"R": rule})
        self.resolvers({"a": {}}, Rules={"R": {**rule, "RuleCondition": self.IS_NEW}})


class Ours(unittest.TestCase):
    def test_a_condition_for_eventbridge_in_a_topics_policy_is_found(self):
        eventbridge = {"Effect": "Allow", "Principal": {"Service": ["events.amazonaws.com"]}, "Action": "sns:Publish"}
        condition = {"Condition": {"ArnEquals": {"aws:SourceArn": "x"}}}
        alarms = {**eventbridge, **condition, "Principal": {"Service": "cloudwatch.amazonaws.com"}}
        document = {"Statement": [eventbridge, {**eventbridge, **condition, "Sid": "Bad"}, alarms]}
        policy = {"Type": "AWS::SNS::TopicPolicy", "Properties": {"PolicyDocument": document}}
        self.assertEqual(said(checks.topic_conditions({"Policy": policy})), [("TOPIC_CONDITION", "Policy", "Bad")])

    def rule(self, **target):
        return {"Type": "AWS::Events::Rule", "Properties": {"Targets": [{"Id": "One", "Arn": "x", **target}]}}

    def test_lost_dead_letters_are_found(self):
        letters = {"DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["Queue", "Arn"]}}}
        condition = {"ArnEquals": {"aws:SourceArn": [{"Fn::GetAtt": ["Right", "Arn"]}]}}
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": {"Fn::GetAtt": ["Queue", "Arn"]},
            "Condition": condition,
        }
        policy = {"Type": "AWS::SQS::QueuePolicy", "Properties": {"PolicyDocument": {"Statement": [statement]}}}
        rules = {"Right": self.rule(**letters), "Left": self.rule(**letters), "None": self.rule()}
        resolved = resolver({"Queue": QUEUE, "Policy": policy, **rules})
        found = said(checks.dead_letters_lost(resolved.resources(), resolved))
        self.assertEqual(found, [("DEAD_LETTERS_LOST", "Left", "One"), ("NO_DEAD_LETTERS", "None", "One")])

    def unwatched(self, *dimensions, **resources):
        metrics = [{"MetricStat": {"Metric": {"Dimensions": one}}} for one in dimensions[1:]]
        properties = {"Dimensions": dimensions[0], "Metrics": metrics}
        resolved = resolver({"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}, **resources})
        return said(checks.unwatched(resolved.resources(), resolved))

    def test_what_no_alarm_names_is_found(self):
        function = {"Type": "AWS::Lambda::Function"}
        resources = {"Seen": function, "Alone": function, "Rule": self.rule()}
        of_seen = [{"Name": "FunctionName", "Value": {"Ref": "Seen"}}]
        # A metric that names it by a dimension of another kind sees nothing.
        of_alone = [{"Name": "Resource", "Value": {"Ref": "Alone"}}]
        alone, rule = ("UNWATCHED", "Alone", ""), ("UNWATCHED", "Rule", "")
        self.assertEqual(self.unwatched(of_seen, of_alone, **resources), [alone, rule])
        of_rule = [{"Name": "RuleName", "Value": {"Ref": "Rule"}}]
        self.assertEqual(self.unwatched(of_seen, of_rule, **resources), [alone])

    def test_a_rule_on_a_bus_of_ours_is_watched_by_its_name_and_the_buss(self):
        rule = self.rule()
        rule["Properties"]["EventBusName"] = {"Ref": "Bus"}
        bus = {"Name": "EventBusName", "Value": {"Ref": "Bus"}}
        name = {"Name": "RuleName", "Value": {"Fn::Select": [1, {"Fn::Split": ["|", {"Ref": "Rule"}]}]}}
        self.assertEqual(self.unwatched([bus, name], Bus=BUS, Rule=rule), [])
        # Ref is bus|rule here, and CloudWatch knows no metric by that name.
        whole = {"Name": "RuleName", "Value": {"Ref": "Rule"}}
        for wrong in [[bus, whole], [name], [bus]]:
            self.assertEqual(self.unwatched(wrong, Bus=BUS, Rule=rule), [("UNWATCHED", "Rule", "")])


class Parliament(unittest.TestCase):
    @staticmethod
    def allow(actions, resource, **more):
        return {"Effect": "Allow", "Action": actions, "Resource": resource, **more}

    @staticmethod
    def document(*statements):
        return {"Version": "2012-10-17", "Statement": list(statements)}

    def role(self, *documents, **properties):
        inline = [{"PolicyName": f"P{number}", "PolicyDocument": one} for number, one in enumerate(documents)]
        return {"Type": "AWS::IAM::Role", "Properties": {"Policies": inline, **properties}}

    def found(self, template=None, **resources):
        resolved = resolver(resources, **(template or {}))
        return said(policies.findings(resolved.resources(), resolved))

    def test_a_misspelt_action_is_found(self):
        role = self.role(self.document(self.allow("ec2:DescribeImges", "*")))
        self.assertIn(("UNKNOWN_ACTION", "Role", "ec2:DescribeImges"), self.found(Role=role))

    def test_a_star_where_a_resource_could_stand_is_found_action_by_action(self):
        actions = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:ListTables"]
        role = self.role(self.document(self.allow(actions, "*")))
        stars = [("RESOURCE_STAR", "Role", "dynamodb:GetItem"), ("RESOURCE_STAR", "Role", "dynamodb:PutItem")]
        self.assertEqual(self.found(Role=role), stars)

    def test_a_resource_that_an_action_needs_may_stand_in_another_statement_and_must_in_one(self):
        of_instance = self.allow("ec2:CreateImage", "arn:aws:ec2:us-east-1:123456789012:instance/*")
        of_rest = self.allow("ec2:CreateImage", ["arn:aws:ec2:us-east-1::image/*", "arn:aws:ec2:us-east-1::snapshot/*"])
        self.assertEqual(self.found(Role=self.role(self.document(of_instance, of_rest))), [])
        self.assertEqual(self.found(Role=self.role(self.document(of_instance), self.document(of_rest))), [])
        missing = ("RESOURCE_MISMATCH", "Role", "ec2:CreateImage")
        self.assertEqual(self.found(Role=self.role(self.document(of_instance))), [missing, missing])
        denied = {**of_rest, "Effect": "Deny"}
        self.assertIn(missing, self.found(Role=self.role(self.document(of_instance, denied))))

    def test_what_two_policies_allow_together_is_found_also_if_one_is_managed(self):
        run = self.document(self.allow("ec2:RunInstances", "arn:aws:ec2:us-east-1:123456789012:instance/*"))
        role = "arn:aws:iam::123456789012:role/web"
        document = self.document(self.allow("iam:PassRole", role))
        passes = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}
        escalation = ("PRIVILEGE_ESCALATION", "Role", "CreateEC2WithExistingIP")
        self.assertNotIn(escalation, self.found(Role=self.role(run), Pass=passes))
        self.assertIn(escalation, self.found(Role=self.role(run, ManagedPolicyArns=[{"Ref": "Pass"}]), Pass=passes))
        # What is wrong in a managed policy is reported once, as the policy's.
        management = ("PERMISSIONS_MANAGEMENT_ACTIONS", "Pass", "iam:passrole")
        has = {"ManagedPolicyArns": [{"Ref": "Pass"}]}
        found = self.found(Role=self.role(**has), Other=self.role(**has), Pass=passes)
        self.assertEqual(found, [management])
        attached = copy.deepcopy(passes)
        attached["Properties"]["Roles"] = [{"Ref": "Role"}]
        self.assertIn(escalation, self.found(Role=self.role(run), Pass=attached))

    def test_only_statements_that_a_variant_has_are_judged(self):
        bad = self.allow("ec2:DescribeImges", "*")
        right = self.allow("ec2:DescribeImages", "*")
        role = self.role(self.document({"Fn::If": ["Off", bad, {"Ref": "AWS::NoValue"}]}, right))
        off = {"Conditions": {"Off": {"Fn::Equals": ["a", "b"]}}}
        on = {"Conditions": {"Off": {"Fn::Equals": ["a", "a"]}}}
        self.assertEqual(self.found(off, Role=role), [])
        self.assertEqual(self.found(on, Role=role), [("UNKNOWN_ACTION", "Role", "ec2:DescribeImges")])

    def test_policies_of_buses_topics_queues_and_keys_are_judged(self):
        bad = {"Effect": "Allow", "Principal": "*", "Action": "events:PutEvnts", "Resource": "*"}
        document = {"PolicyDocument": self.document(bad)}
        for kind, properties in [
            ("AWS::Events::EventBusPolicy", {"Statement": bad}),
            ("AWS::SNS::TopicPolicy", document),
            ("AWS::SQS::QueuePolicy", document),
            ("AWS::KMS::Key", {"KeyPolicy": self.document(bad)}),
        ]:
            with self.subTest(kind=kind):
                found = self.found(It={"Type": kind, "Properties": properties})
                self.assertIn(("UNKNOWN_ACTION", "It", "events:PutEvnts"), found)


class Checkov(unittest.TestCase):
    def test_it_finds_a_topic_that_is_not_encrypted_in_any_variant(self):
        program = lint.checkov_program()
        open_one = {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {}}}
        closed = {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"KmsMasterKeyId": "alias/ours"}}}
        found = said(checkov.findings(program, [closed, open_one]))
        self.assertEqual(found, [("CKV_AWS_26", "Topic", "")])

    def test_a_run_that_did_not_see_everything_is_an_error(self):
        summary = {"parsing_errors": 0, "resource_count": 2, "passed": 2}
        right = {"summary": summary, "results": {"failed_checks": []}}
        self.assertEqual(list(checkov.read(right, 2)), [])
        for wrong in [
            {**right, "summary": {**summary, "parsing_errors": 1}},
            {**right, "summary": {**summary, "resource_count": 1}},
            {**right, "summary": {**summary, "passed": 0}},
            {"passed": 0, "failed": 0},  # What it answers where it found nothing to check.
        ]:
            with self.subTest(wrong=wrong), self.assertRaises(checkov.CheckovError):
                list(checkov.read(wrong, 2))

    def test_a_program_that_fails_is_an_error(self):
        with self.assertRaisesRegex(checkov.CheckovError, "ended with 1"):
            list(checkov.findings("/bin/false", []))


class Suppressions(unittest.TestCase):
    FOUND = Finding("RESOURCE_STAR", "Role", "ec2:Run", "says")

    def test_what_is_not_accepted_and_what_accepts_nothing_fail(self):
        right = ("RESOURCE_STAR", "Role", "ec2:*")
        self.assertEqual(judged([self.FOUND], [right]), [])
        self.assertEqual(judged([self.FOUND], []), ["Role: RESOURCE_STAR of ec2:Run: says"])
        unused = ("CKV_1", "Queue", "")
        left = ["Queue: the suppression of CKV_1 accepts nothing: take it out"]
        self.assertEqual(judged([self.FOUND], [right, unused]), left)

    def test_one_accepts_no_other_check_resource_or_thing(self):
        for check, resource, of in [("", "Other", "*"), ("OTHER", "Role", "*"), ("", "Role", ""), ("", "*", "*")]:
            self.assertFalse(accepts((check or "RESOURCE_STAR", resource, of), self.FOUND), (check, resource, of))

    def test_each_needs_a_reason(self):
        entry = {"check": "A", "resources": ["B", "C"], "of": ["d"], "reason": "because"}
        self.assertEqual(read_suppressions(json.dumps([entry])), [("A", "B", "d"), ("A", "C", "d")])
        for wrong in [{**entry, "reason": ""}, {**entry, "resources": []}, {**entry, "resource": "B"}]:
            with self.subTest(wrong=wrong), self.assertRaises(MalformedSuppression):
                read_suppressions(json.dumps([wrong]))


if __name__ == "__main__":
    unittest.main()
