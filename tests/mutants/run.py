"""Mutation check of lastgood-core and lastgood-engine: each mutant that cargo-mutants lists, behind a switch, in one build.

    cargo install --locked cargo-mutants@27.1.0
    python3 tests/mutants/run.py                    # about an hour on two cores
    python3 tests/mutants/run.py --only 'publish'   # those whose file or name has it

A mutant is caught if one of the tests that reach it fails, or does not end. It prints those that are not, then those that
could not be put behind a switch (constants, chains of `let`, what does not compile): cargo-mutants itself builds those
one by one. What changes nothing that anybody could see is named, with the reason, in `.cargo/mutants.toml`.

What is checked is the last commit. It lies in `target/mutants`, as does what is found, mutant by mutant.
"""

import argparse
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PACKAGES = ["lastgood-core", "lastgood-engine"]
# A mutant may make a loop endless: tests are given up after so many times what they take without one, and these seconds.
TIMES_MAX = 5
SECONDS_MORE = 10
# The quickest tests first, so many at once: most mutants are caught by the first few. Then as many at once as take so long
# together, for one that is endless is waited for until all of them are.
FIRST = 8
SECONDS_AT_ONCE = 5.0


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", default="", help="only mutants whose file or name has this expression")
    options = options.parse_args()
    work = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "mutants"
    # To cargo this tree is the same as its original: in one folder each would take the other's crates for its own.
    target = work / "build"
    work.mkdir(parents=True, exist_ok=True)

    listed = mutants(laid_out(work))
    wanted = [mutant for mutant in listed if re.search(options.only, f"{mutant['file']} {mutant['name']}")]
    say(f"{len(wanted)} of {len(listed)} mutants")
    placed = compilable(work, target, wanted)
    say(f"{len(placed)} stand behind a switch and compile")
    tests = built(work, target)
    say(f"{len(tests)} tests")
    reached, took = reach(work, tests)
    say(f"{len(reached)} mutants are reached by one")
    left = survivors(work, tests, reached, took, placed)

    print(f"\n{len(placed) - len(left)} caught, {len(left)} not:")
    for mutant in left:
        print(f"  {mutant['name']}{'' if mutant['id'] in reached else '  (no test comes there)'}")
    behind = {mutant["id"] for mutant in placed}
    rest = [mutant for mutant in wanted if mutant["id"] not in behind]
    print(f"\n{len(rest)} not behind a switch:")
    for mutant in rest:
        print(f"  {mutant['name']}")
    return 1 if left else 0


def say(what):
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def mutants(tree):
    """What cargo-mutants would try, each with a number."""
    command = ["cargo", "mutants", "--list", "--json"]
    for package in PACKAGES:
        command += ["-p", package]
    listed = json.loads(subprocess.run(command, cwd=tree, check=True, stdout=subprocess.PIPE, text=True).stdout)
    fields = ["file", "genre", "name", "replacement", "span"]
    return [{"id": number} | {field: one[field] for field in fields} for number, one in enumerate(listed, 1)]


def laid_out(work):
    """The last commit, in a folder of its own."""
    tree = work / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True).stdout
    subprocess.run(["tar", "x", "-C", tree], input=archive, check=True)
    return tree


def switched(work, wanted):
    """The tree with these mutants in it, and where they stand."""
    tree = laid_out(work)
    switches = ["cargo", "run", "--quiet", "--manifest-path", HERE / "Cargo.toml", "--target-dir", work / "switches", "--", tree]
    table = subprocess.run(switches, input=json.dumps(wanted), check=True, stdout=subprocess.PIPE, text=True).stdout
    return tree, json.loads(table)


def compilable(work, target, wanted):
    """Those with which the crates compile, all of them in one text: what an error points at is left out."""
    while True:
        tree, table = switched(work, wanted)
        found = errors(tree, target)
        if not found:
            return table
        bad = set()
        for error in found:
            spans = [span for span in error["spans"] if span["is_primary"]]
            more = [span for child in error["children"] for span in child["spans"]]
            more += [span for span in error["spans"] if not span["is_primary"]]
            own = set().union(*(blamed(table, span) for span in spans))
            bad |= own or set().union(*(blamed(table, span) for span in more))
        if not bad:
            sys.exit(f"it does not compile, and no mutant is to blame:\n{found[0]['rendered']}")
        say(f"{len(bad)} do not compile")
        wanted = [mutant for mutant in wanted if mutant["id"] not in bad]


def building(target):
    """The environment of a build: what a switch makes odd is no news."""
    return os.environ | {"CARGO_TARGET_DIR": str(target), "RUSTFLAGS": "--cap-lints=allow"}


def errors(tree, target):
    command = ["cargo", "check", "--quiet", "--keep-going", "--message-format=json"]
    for package in PACKAGES:
        command += ["-p", package]
    lines = subprocess.run(command, cwd=tree, env=building(target), capture_output=True, text=True).stdout.splitlines()
    told = [json.loads(line) for line in lines]
    told = [one["message"] for one in told if one["reason"] == "compiler-message"]
    return [message for message in told if message["level"] == "error" and message["spans"]]


def blamed(table, span):
    """The mutants to which an error at this place belongs: those whose own text it is in, else the innermost around it."""
    start, end = span["byte_start"], span["byte_end"]
    here = [mutant for mutant in table if mutant["file"] == span["file_name"]]
    own = {mutant["id"] for mutant in here if mutant["own"][0] < end and start < mutant["own"][1]}
    if own:
        return own
    around = [mutant for mutant in here if mutant["whole"][0] <= start and end <= mutant["whole"][1]]
    around.sort(key=lambda mutant: mutant["whole"][1] - mutant["whole"][0])
    return {around[0]["id"]} if around else set()


def built(work, target):
    """The tests, by the binary that has them, and their names."""
    command = ["cargo", "test", "-p", "lastgood-core", "-p", "lastgood-tests", "--no-run", "--message-format=json", "--quiet"]
    done = subprocess.run(command, cwd=work / "tree", env=building(target), check=True, stdout=subprocess.PIPE, text=True)
    binaries = []
    for line in done.stdout.splitlines():
        one = json.loads(line)
        is_test = one["reason"] == "compiler-artifact" and one["profile"]["test"] and one["executable"]
        if is_test and one["target"]["name"] in ("suite", "lastgood_core"):
            binaries.append(one["executable"])
    tests = []
    for binary in binaries:
        names = subprocess.run([binary, "--list", "--format=terse"], check=True, capture_output=True, text=True).stdout
        found = [line.removesuffix(": test") for line in names.splitlines() if line.endswith(": test")]
        # End to end needs the functions' own binaries and minutes; these ask what the tree looks like.
        left_out = ("e2e::", "layering::", "bugs::")
        tests += [(binary, name) for name in found if not name.startswith(left_out)]
    return tests


def run(work, binary, names, environment, seconds_max):
    """What comes of these tests: `passed`, `failed` or `hung`."""
    crate = work / "tree" / ("shared/lastgood-core" if "lastgood_core" in binary else "tests")
    command = [binary, "--exact", "--test-threads=1", "--quiet", *names]
    places = {"CARGO_MANIFEST_DIR": str(crate), "CARGO_WORKSPACE_DIR": str(work / "tree")}
    environment = os.environ | {"PROPTEST_CASES": "64", "PROPTEST_RNG_SEED": "7"} | places | environment
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        done = subprocess.run(command, cwd=crate, env=environment, timeout=seconds_max, **quiet)
    except subprocess.TimeoutExpired:
        return "hung"
    return "failed" if done.returncode else "passed"


def reach(work, tests):
    """Which tests come to each mutant, the quickest first; and how long each test takes."""
    reached, took = {}, {}
    for number, (binary, name) in enumerate(tests):
        path = work / "reached"
        path.unlink(missing_ok=True)
        begin = time.monotonic()
        if run(work, binary, [name], {"MUTANTS_REACHED": str(path)}, None) != "passed":
            sys.exit(f"{name} fails without any mutant")
        took[number] = time.monotonic() - begin
        for line in path.read_text().split() if path.exists() else []:
            reached.setdefault(int(line), []).append(number)
    return {mutant: sorted(numbers, key=took.get) for mutant, numbers in reached.items()}, took


def lots(numbers, took):
    """These tests, by how many are run at once."""
    yield numbers[:FIRST]
    some, seconds = [], 0.0
    for number in numbers[FIRST:]:
        some.append(number)
        seconds += took[number]
        if seconds >= SECONDS_AT_ONCE:
            yield some
            some, seconds = [], 0.0
    yield some


def survivors(work, tests, reached, took, placed):
    """The mutants with which every test passes that comes to them."""

    def outcome(mutant):
        for some in lots(reached.get(mutant["id"], []), took):
            for binary in sorted({tests[number][0] for number in some}):
                mine = [number for number in some if tests[number][0] == binary]
                limit = TIMES_MAX * sum(took[number] for number in mine) + SECONDS_MORE
                came = run(work, binary, [tests[number][1] for number in mine], {"MUTANT": str(mutant["id"])}, limit)
                if came != "passed":
                    return came
        return "lives"

    left = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool, open(work / "found.txt", "w") as found:
        for done, (mutant, came) in enumerate(zip(placed, pool.map(outcome, placed)), 1):
            print(came, mutant["name"], file=found, flush=True)
            if came == "lives":
                left.append(mutant)
            if done % 100 == 0:
                say(f"{done} of {len(placed)}, {len(left)} not caught")
    return left


if __name__ == "__main__":
    sys.exit(main())
