"""Has checkov judge resolved templates, offline, in an environment of its own: its packages are older than lint.py's."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from findings import Finding


class CheckovError(Exception):
    """It did not judge."""


def findings(checkov, variants):
    """What it finds in the resources of all variants, which it sees in one run: it takes seconds to start."""
    with tempfile.TemporaryDirectory(prefix="lastgood-checkov-") as folder:
        files = []
        for number, resources in enumerate(variants):
            path = Path(folder) / f"variant-{number}.json"
            template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}
            path.write_text(json.dumps(template, indent=1))
            files.append(str(path))
        command = [checkov, "--skip-download", "--framework", "cloudformation", "--quiet", "--compact", "-o", "json"]
        # An environment without keys and proxies: nothing of a template leaves this machine.
        variables = {"PATH": os.environ.get("PATH", ""), "HOME": folder, "LC_ALL": "C.UTF-8"}
        told = subprocess.run(
            [*command, "--file", *files], cwd=folder, env=variables, capture_output=True, text=True, check=False
        )
    try:
        answer = json.loads(told.stdout)
    except json.JSONDecodeError:
        words = (told.stderr or told.stdout).strip()[-500:]
        raise CheckovError(f"checkov ended with {told.returncode}: {words}") from None
    return read(answer, sum(len(resources) for resources in variants))


def read(answer, resources):
    """Its findings. A run that saw less than all resources has proved nothing."""
    if "results" not in answer:
        raise CheckovError(f"checkov checked nothing: {json.dumps(answer)[:500]}")
    summary = answer["summary"]
    if summary["parsing_errors"] or summary["resource_count"] != resources or not summary["passed"]:
        raise CheckovError(f"checkov did not see all of {resources} resources: {json.dumps(summary)}")
    for failed in answer["results"]["failed_checks"]:
        yield Finding(failed["check_id"], failed["resource"].rsplit(".", 1)[-1], "", failed["check_name"])
