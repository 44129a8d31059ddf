"""Lints template.yaml: as SAM, as the CloudFormation that SAM makes of it, and as the resources that come of that.

    $(infra/venv infra/requirements.txt)/bin/python infra/lint.py

cfn-lint sees more in the second form (a runtime that does not exist, `rate(1 minutes)`, an IAM action misspelt),
but names there what SAM generated, so the first form stays. The third is judged for the defaults of the parameters and
for everything on (VARIANTS), by checkov, by parliament and by checks of ours. Every finding fails but those that
suppressions.yaml accepts, with a reason; and so does a suppression that accepts nothing. Needs no network and no
credentials, once `infra/venv` has its packages.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

# SAM asks boto3 for the region, to know the partition; without one it fails. Said here and not taken from the
# environment, so that everyone lints the same. No call goes out.
os.environ["AWS_DEFAULT_REGION"] = REGION = "us-east-1"

from cfnlint.api import lint  # noqa: E402
from samtranslator.model.exceptions import InvalidDocumentException  # noqa: E402
from samtranslator.translator.transform import transform  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402
from yaml import YAMLError  # noqa: E402

import checkov  # noqa: E402
import checks  # noqa: E402
import policies  # noqa: E402
from findings import judged, read_suppressions  # noqa: E402
from resolve import ACCOUNT, Resolver, Unresolvable  # noqa: E402

INFRA = Path(__file__).resolve().parent
TEMPLATE = INFRA / "template.yaml"
SUPPRESSIONS = INFRA / "suppressions.yaml"

# What is judged: the template with these parameters, and the defaults of the others. Together they must bring about every
# condition of the template; a new parameter that turns something on has its place here.
OPERATORS = f"arn:aws:iam::{ACCOUNT}:role/operators"
VARIANTS = {
    "defaults": {"NoticeEmail": "people@example.com", "OperatorArns": OPERATORS},
    "everything on": {
        "NoticeEmail": "people@example.com",
        "AlarmEmail": "operators@example.com",
        "OperatorArns": OPERATORS,
        "VerdictArns": f"arn:aws:iam::{ACCOUNT}:role/judges",
        "MayRollOut": "true",
        "MayStop": "true",
        "InstanceRoleArns": f"arn:aws:iam::{ACCOUNT}:role/web-*",
        "Tracing": "Active",
        "SubnetIds": "subnet-0123456789abcdef0",
        "SecurityGroupIds": "sg-0123456789abcdef0",
        "KmsKeyArn": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555",
        "PermissionsBoundaryArn": f"arn:aws:iam::{ACCOUNT}:policy/boundary",
        "CacheTopicArn": f"arn:aws:sns:us-east-1:{ACCOUNT}:caches",
    },
    "what is there already": {
        "NoticeTopicArn": f"arn:aws:sns:us-east-1:{ACCOUNT}:notices",
        "AlarmTopicArn": f"arn:aws:sns:us-east-1:{ACCOUNT}:alarms",
        "OperatorArns": OPERATORS,
        "ExistingTable": "lastgood-table",
    },
}


class NoManagedPolicies:
    """Stands where SAM would ask IAM for the names of AWS's managed policies. The template uses none by name."""

    @staticmethod
    def load():
        return {}


def translated(source):
    """The template as CloudFormation gets it, with code that looks uploaded."""
    template = yaml_parse(source)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/code.zip"
    return transform(template, {}, NoManagedPolicies())


def lint_findings(text):
    for match in lint(text, regions=[REGION]):
        path = getattr(match, "path", None)  # A file that is no YAML has only lines.
        place = "/".join(map(str, path)) if path else f"line {match.linenumber}"
        yield f"{place}: {match.rule.id} {match.message}"


def resolvers(template, variants):
    """One for each variant. A variant that CloudFormation would refuse proves nothing, so it is an error."""
    parameters = template.get("Parameters", {})
    defaults = {name: said["Default"] for name, said in parameters.items() if "Default" in said}
    for variant, values in variants.items():
        unknown = sorted(values.keys() - parameters.keys())
        silent = sorted(parameters.keys() - values.keys() - defaults.keys())
        if unknown:
            raise Unresolvable(f"the variant '{variant}' has parameters that the template has not: {unknown}")
        if silent:
            raise Unresolvable(f"the variant '{variant}' must have a value of each of {silent}: they have no default")
        resolver = Resolver(template, defaults | values)
        refused = resolver.refused()
        if refused:
            raise Unresolvable(f"CloudFormation would refuse the variant '{variant}': {refused}")
        yield resolver


def resource_findings(template, program):
    """What all checks of resources find, in any variant."""
    all_resolvers = list(resolvers(template, VARIANTS))
    made = [resolver.resources() for resolver in all_resolvers]
    yield from checks.never_true(all_resolvers)
    yield from checkov.findings(program, made)
    for resolver, resources in zip(all_resolvers, made, strict=True):
        yield from checks.topic_conditions(resources)
        yield from checks.dead_letters_lost(resources, resolver)
        yield from checks.unwatched(resources, resolver)
        yield from policies.findings(resources, resolver)


def checkov_program():
    """Its program, in its own environment."""
    prepare = [INFRA / "venv", INFRA / "checkov-requirements.txt"]
    venv = subprocess.run(prepare, stdout=subprocess.PIPE, text=True, check=True)
    return str(Path(venv.stdout.strip()) / "bin/checkov")


def report(name, found):
    found = sorted(found)
    print(f"{name}: {f'{len(found)} found' if found else 'clean'}")
    for finding in found:
        print(f"  {finding}")
    return bool(found)


def main():
    source = TEMPLATE.read_text()
    failed = report("template.yaml", lint_findings(source))
    try:
        template = translated(source)
    except YAMLError:
        return True  # Reported above, with its line.
    except InvalidDocumentException as error:
        return report("template.yaml, translated", (cause.message for cause in error.causes))
    failed |= report("template.yaml, translated", lint_findings(json.dumps(template, indent=1)))
    try:
        found = list(resource_findings(template, checkov_program()))
    except (Unresolvable, checkov.CheckovError) as error:
        return report("template.yaml, its resources", [str(error)])
    left = judged(found, read_suppressions(SUPPRESSIONS.read_text()))
    return report("template.yaml, its resources", left) or failed


if __name__ == "__main__":
    sys.exit(main())
