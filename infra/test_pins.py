"""Tests of what is pinned: every requirements.txt, and that infra/venv takes nothing else."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
import zipfile
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINNED = sorted([*ROOT.glob("infra/*requirements.txt"), *ROOT.glob("tests/*/requirements.txt")])
NO_HASH = "0" * 64


def requirements(text):
    """The requirements of a file, each with its hashes on one line."""
    text = re.sub(r"^ *#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def plain(name):
    """A package's name as the registry compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


class Files(unittest.TestCase):
    def test_each_has_a_source_and_the_other_way_round(self):
        sources = sorted([*ROOT.glob("infra/*requirements.in"), *ROOT.glob("tests/*/requirements.in")])
        self.assertEqual([path.with_suffix(".txt") for path in sources], PINNED)
        self.assertEqual(len(PINNED), 5)

    def test_each_package_has_one_version_and_hashes_and_nothing_else_stands_there(self):
        wanted = re.compile(r"[A-Za-z0-9._-]+==[^ ]+( ; [^#]+?)?( --hash=sha256:[0-9a-f]{64})+")
        for path in PINNED:
            for line in requirements(path.read_text()):
                with self.subTest(path=str(path.relative_to(ROOT)), line=line[:60]):
                    self.assertRegex(line, f"^{wanted.pattern}$")

    def test_what_a_source_names_is_pinned_to_the_version_that_it_names(self):
        for path in PINNED:
            lines = [line.split(" ")[0] for line in requirements(path.read_text())]
            pinned = {(plain(name), version) for name, version in (line.split("==") for line in lines)}
            for line in path.with_suffix(".in").read_text().splitlines():
                named = re.match(r"([A-Za-z0-9._-]+)(?:\[.*])?(?:==([^ ]+))?", line)
                if not named:
                    continue
                with self.subTest(path=str(path.relative_to(ROOT)), line=line):
                    found = [version for name, version in pinned if name == plain(named[1])]
                    self.assertTrue(found, "run infra/pin")
                    self.assertIn(named[2] or found[0], found, "run infra/pin")


class Environment(unittest.TestCase):
    """infra/venv, with a package that is made here: no registry is asked."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="lastgood-pins-"))
        self.wheel = self.folder / "pinned_thing-1.0-py3-none-any.whl"
        info = "pinned_thing-1.0.dist-info"
        with zipfile.ZipFile(self.wheel, "w") as wheel:
            wheel.writestr("pinned_thing.py", "")
            wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: pinned-thing\nVersion: 1.0\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
        self.file = self.folder / "requirements.txt"
        self.venv = ROOT / "target/venvs" / str(self.file.with_suffix("")).replace("/", "-")

    def tearDown(self):
        shutil.rmtree(self.folder)
        shutil.rmtree(self.venv, ignore_errors=True)

    def prepare(self, requirement):
        self.file.write_text(f"{requirement}\n")
        variables = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.folder)}
        return subprocess.run(
            [ROOT / "infra/venv", self.file], env=variables, capture_output=True, text=True, check=False
        )

    def refused(self, requirement, why):
        told = self.prepare(requirement)
        self.assertNotEqual(told.returncode, 0)
        self.assertIn(why, told.stderr)
        self.assertFalse((self.venv / "prepared-from.txt").exists(), "a second run would take it for prepared")

    def test_the_right_hash_is_installed(self):
        right = sha256(self.wheel.read_bytes()).hexdigest()
        told = self.prepare(f"pinned-thing==1.0 --hash=sha256:{right}")
        self.assertEqual((told.returncode, told.stdout), (0, f"{self.venv}\n"), told.stderr)
        subprocess.run([self.venv / "bin/python", "-c", "import pinned_thing"], check=True)

    def test_a_wrong_hash_is_refused(self):
        self.refused(f"pinned-thing==1.0 --hash=sha256:{NO_HASH}", "DO NOT MATCH THE HASHES")

    def test_no_hash_is_refused(self):
        self.refused("pinned-thing==1.0", "Hashes are required")


if __name__ == "__main__":
    unittest.main()
