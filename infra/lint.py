"""Lints template.yaml twice: as SAM, and as the CloudFormation that SAM makes of it.

    $(infra/venv infra/requirements.txt)/bin/python infra/lint.py

cfn-lint sees more in the second form (a runtime that does not exist, `rate(1 minutes)`, an IAM action misspelt),
but names there what SAM generated, so the first form stays. One more check is ours: a rule that the policy of the
dead letter queue leaves out would lose its dead letters without a word. Every error and warning fails; nothing is
ignored. Needs no network and no credentials.
"""

import json
import os
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

TEMPLATE = Path(__file__).resolve().parent / "template.yaml"


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


def findings(text):
    for match in lint(text, regions=[REGION]):
        path = getattr(match, "path", None)  # A file that is no YAML has only lines.
        place = "/".join(map(str, path)) if path else f"line {match.linenumber}"
        yield f"{place}: {match.rule.id} {match.message}"


def dead_letters_lost(template):
    """Targets without dead letters, and rules that may not put theirs into the queue."""
    resources = template["Resources"]
    statement = resources["TargetDeadLettersPolicy"]["Properties"]["PolicyDocument"]["Statement"][0]
    may_send = [arn["Fn::GetAtt"][0] for arn in statement["Condition"]["ArnEquals"]["aws:SourceArn"]]
    for name, resource in resources.items():
        if resource["Type"] == "AWS::Events::Rule":
            if not all("DeadLetterConfig" in target for target in resource["Properties"]["Targets"]):
                yield f"{name}: a target has no DeadLetterConfig"
            if name not in may_send:
                yield f"{name}: TargetDeadLettersPolicy does not name this rule"


def report(name, found):
    found = sorted(found)
    print(f"{name}: {f'{len(found)} found' if found else 'clean'}")
    for finding in found:
        print(f"  {finding}")
    return bool(found)


def main():
    source = TEMPLATE.read_text()
    failed = report("template.yaml", findings(source))
    try:
        template = translated(source)
    except YAMLError:
        return True  # Told above, with its line.
    except InvalidDocumentException as error:
        return report("template.yaml, translated", (cause.message for cause in error.causes))
    failed |= report("template.yaml, translated", findings(json.dumps(template, indent=1)))
    failed |= report("template.yaml, dead letters", dead_letters_lost(template))
    return failed


if __name__ == "__main__":
    sys.exit(main())
