#!/usr/bin/env python3
"""Plants each bug of this folder by itself and runs the tests that must catch it: python3 tests/bugs/plant.py [NUMBER ...]

Each patch is applied in a copy of the repository under target/bugs, never here. It fails if a patch does not apply any
more, or if a bug lives through its tests. About two minutes for each bug; the SDKs are built once for 1a and 7a.
"""

import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TREE = ROOT / "target" / "bugs" / "tree"
ROW = re.compile(r"^\| \[(?P<number>\w+)\]\((?P<patch>[^)]+)\) \|[^|]*\| (?P<caught>[^|]+) \|$")


def rows():
    for line in (HERE / "README.md").read_text().splitlines():
        if found := ROW.match(line):
            yield found["number"], found["patch"], re.findall(r"`(\S+) (\S+)`", found["caught"])


def run(*command, **options):
    return subprocess.run(command, cwd=TREE, **options)


def caught(package, test):
    """Whether the test runs, and fails."""
    command = ["cargo", "test", "--target-dir", str(ROOT / "target" / "bugs" / "target"), "-p", package, "--", test]
    done = run(*command, capture_output=True, text=True)
    return bool(re.search(rf"^test \S*{re.escape(test)}\S* \.\.\. FAILED$", done.stdout, re.M))


def main():
    wanted = sys.argv[1:]
    shutil.rmtree(TREE, ignore_errors=True)
    subprocess.run(["git", "worktree", "prune"], cwd=ROOT, check=True)
    subprocess.run(["git", "worktree", "add", "--detach", "--force", str(TREE), "HEAD"], cwd=ROOT, check=True)
    lived = []
    for number, patch, tests in rows():
        if wanted and number not in wanted:
            continue
        run("git", "checkout", "--quiet", ".", check=True)
        if run("git", "apply", str(HERE / patch)).returncode:
            lived.append(f"{patch} does not apply any more")
            continue
        for package, test in tests:
            if caught(package, test):
                print(f"{number}: caught by {test}", flush=True)
            else:
                lived.append(f"{number} lived through {test} of {package}")
                print(lived[-1], flush=True)
    subprocess.run(["git", "worktree", "remove", "--force", str(TREE)], cwd=ROOT, check=True)
    sys.exit("\n".join(lived) if lived else 0)


if __name__ == "__main__":
    main()
