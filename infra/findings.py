"""Findings of the checks, and the suppressions that say which of them are accepted, and why.

A finding has the id of its check, the logical name of the resource, and of what of it (an action, an ARN; often nothing).
A suppression accepts findings of one check in named resources, of named things. What accepts nothing any more must go.
"""

from fnmatch import fnmatchcase
from typing import NamedTuple

import yaml


class Finding(NamedTuple):
    check: str
    resource: str
    of: str
    says: str

    def __str__(self):
        of = f" of {self.of}" if self.of else ""
        return f"{self.resource}: {self.check}{of}: {self.says}"


class MalformedSuppression(Exception):
    """A suppression that can't be read."""


def read_suppressions(text):
    """The suppressions of a file, as one (check, resource, of) each."""
    read = []
    for number, entry in enumerate(yaml.safe_load(text) or [], start=1):
        unknown = set(entry) - {"check", "resources", "of", "reason"}
        if unknown or not all(entry.get(key) for key in ("check", "resources", "reason")):
            says = f"suppression {number} needs check, resources and reason, and may have 'of': {entry}"
            raise MalformedSuppression(says)
        read += [(entry["check"], resource, of) for resource in entry["resources"] for of in entry.get("of", [""])]
    return read


def accepts(suppression, finding):
    """Whether it does. `*` stands for any letters, and never for a whole resource: each is named."""
    check, resource, of = suppression
    return check == finding.check and resource == finding.resource and fnmatchcase(finding.of, of)


def judged(found, suppressions):
    """The findings that no suppression accepts, and the suppressions that accept none, in words."""
    left = [str(finding) for finding in found if not any(accepts(one, finding) for one in suppressions)]
    for one in suppressions:
        if not any(accepts(one, finding) for finding in found):
            check, resource, of = one
            of = f" of {of}" if of else ""
            left.append(f"{resource}: the suppression of {check}{of} accepts nothing: take it out")
    return sorted(set(left))
