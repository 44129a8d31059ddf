"""Has parliament judge the policies of a template: each by itself, and those of one role together.

Two things are ours. Of a call that needs several resources parliament wants all in one statement; here they stand in
several on purpose, and it is enough that one of the role's has them. And what one role can do with all its policies
together is asked of all of them.
"""

import json
import warnings
from pathlib import Path

from checks import listed, of_type
from findings import Finding

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # It says at each start that pkg_resources is old.
    import parliament

parliament.override_config(Path(parliament.__file__).parent / "community_auditors/config_override.yaml")

def attached(resources, resolver):
    """The managed policies of the template, by the role that has them."""
    managed = of_type(resources, "AWS::IAM::ManagedPolicy")
    roles = of_type(resources, "AWS::IAM::Role")
    for name in managed:
        for role, properties in roles.items():
            said_there = resolver.arn(name) in properties.get("ManagedPolicyArns", [])
            if said_there or resolver.name(role) in listed(managed[name].get("Roles", [])):
                yield role, name


def documents(resources, resolver):
    """(resource, name of the policy, document) of every policy, each once: an inline one is its role's."""
    for name, properties in of_type(resources, "AWS::IAM::Role").items():
        for policy in properties.get("Policies", []):
            yield name, policy["PolicyName"], policy["PolicyDocument"]
    for kind in ("AWS::IAM::Policy", "AWS::IAM::RolePolicy"):
        for properties in of_type(resources, kind).values():
            roles = listed(properties.get("Roles", [])) + listed(properties.get("RoleName", []))
            for role in of_type(resources, "AWS::IAM::Role"):
                if resolver.name(role) in roles:
                    yield role, properties["PolicyName"], properties["PolicyDocument"]
    for kind in ("AWS::IAM::ManagedPolicy", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy"):
        for name, properties in of_type(resources, kind).items():
            yield name, name, properties["PolicyDocument"]
    for name, properties in of_type(resources, "AWS::KMS::Key").items():
        yield name, name, properties["KeyPolicy"]
    for name, properties in of_type(resources, "AWS::Events::EventBusPolicy").items():
        if "Statement" in properties:
            yield name, name, {"Version": "2012-10-17", "Statement": listed(properties["Statement"])}


def analysed(document):
    policy = parliament.analyze_policy_string(json.dumps(document), include_community_auditors=True)
    return [parliament.enhance_finding(finding) for finding in policy.findings]


def details(finding, policy):
    """What of a policy a finding is about, one by one."""
    location = finding.location if isinstance(finding.location, dict) else {}
    if finding.issue == "PRIVILEGE_ESCALATION":
        return [location["type"]]
    if "actions" in location:
        return sorted(location["actions"])
    if isinstance(finding.detail, list):
        return sorted(one if isinstance(one, str) else json.dumps(one, sort_keys=True) for one in finding.detail)
    return [str(location.get("string", policy))]


def given_elsewhere(action, wanted, statements):
    """Whether any statement that allows the action has a resource of the form that it needs."""
    for statement in statements:
        allows = statement.get("Effect") == "Allow" and any(
            parliament.is_glob_match(one.lower(), action.lower()) for one in listed(statement.get("Action", []))
        )
        if allows and any(parliament.is_arn_match("", wanted, arn) for arn in listed(statement.get("Resource", []))):
            return True
    return False


def findings(resources, resolver):
    by_resource = {}
    for resource, policy, document in documents(resources, resolver):
        by_resource.setdefault(resource, {})[policy] = document
    all_of = {resource: dict(own) for resource, own in by_resource.items()}
    for role, policy in attached(resources, resolver):
        all_of.setdefault(role, {})[policy] = by_resource[policy][policy]
    for resource, own in by_resource.items():
        statements = statements_of(all_of[resource].values())
        for policy, document in own.items():
            for finding in analysed(document):
                yield from findings_alone(finding, resource, policy, statements)
    for resource, policies in all_of.items():
        for finding in analysed({"Version": "2012-10-17", "Statement": statements_of(policies.values())}):
            if finding.issue == "PRIVILEGE_ESCALATION":
                says = f"{finding.title}, by {' and '.join(policies)}"
                yield Finding(finding.issue, resource, finding.location["type"], says)


def statements_of(documents):
    return [one for document in documents for one in listed(document["Statement"])]


def findings_alone(finding, resource, policy, statements):
    """What parliament finds in one policy, beside the statements of all of the resource's."""
    if finding.issue == "PRIVILEGE_ESCALATION":
        return  # Asked of all policies together.
    if finding.issue == "RESOURCE_MISMATCH":
        for one in finding.detail:
            action, wanted = one["action"], one["required_format"]
            if not given_elsewhere(action, wanted, statements):
                yield Finding(finding.issue, resource, action, f"no statement gives it {wanted}")
        return
    for of in details(finding, policy):
        yield Finding(finding.issue, resource, of, f"{finding.title} (in {policy})")
