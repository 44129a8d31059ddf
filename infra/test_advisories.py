"""Tests of infra/advisories over a project of one crate: what it finds, and what it says if it can't look."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Versions of a crate that stay what they are: the one was yanked, the other not.
YANKED, RIGHT = "1.0.2", "1.0.0"
ADVISORY = """```toml
[advisory]
id = "RUSTSEC-2099-0001"
package = "cfg-if"
date = "2099-01-01"

[versions]
patched = [">= 1.0.3"]
```

# Is bad
"""


class Advisories(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="lastgood-advisories-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.project = self.folder / "project"
        for name in ["infra/advisories", "deny.toml", "rust-toolchain.toml"]:
            (self.project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.project / name)
        # The registry's index and crates as they are here, and no advisories.
        real = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
        self.home = self.folder / "cargo"
        self.home.mkdir()
        (real / "registry").mkdir(exist_ok=True)
        (self.home / "registry").symlink_to(real / "registry")
        self.deny = shutil.which("cargo-deny") or str(real / "bin/cargo-deny")

    def run_over(self, version, git):
        """Runs it over a project that needs this version. `git` is what stands where the advisories' host would be."""
        source = re.search(r'^source = "(registry.*)"$', (ROOT / "Cargo.lock").read_text(), flags=re.MULTILINE)[1]
        (self.project / "src").mkdir()
        (self.project / "src/lib.rs").write_text("")
        package = '[package]\nname = "it"\nversion = "0.1.0"\nedition = "2024"\nlicense = "MIT"\n'
        (self.project / "Cargo.toml").write_text(f'{package}[dependencies]\ncfg-if = "1"\n')
        locked = f'[[package]]\nname = "cfg-if"\nversion = "{version}"\nsource = "{source}"\n'
        own = '[[package]]\nname = "it"\nversion = "0.1.0"\ndependencies = ["cfg-if"]\n'
        (self.project / "Cargo.lock").write_text(f"version = 4\n\n{locked}\n{own}")
        # cargo writes the checksum of what is locked, and takes no other version.
        variables = {
            **os.environ,
            "CARGO_HOME": str(self.home),
            "PATH": f"{Path(self.deny).parent}:{os.environ['PATH']}",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.file://{git}/.insteadOf",
            "GIT_CONFIG_VALUE_0": "https://github.com/",
        }
        command = ["cargo", "fetch", "--quiet", "--manifest-path", self.project / "Cargo.toml"]
        subprocess.run(command, env=variables, check=True)
        self.assertIn(f'"{version}"', (self.project / "Cargo.lock").read_text())
        command = [self.project / "infra/advisories"]
        told = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        return told.returncode, told.stdout + told.stderr

    def database(self, folder):
        """A database with one advisory, of the crate of the project."""
        crate = folder / "crates/cfg-if"
        crate.mkdir(parents=True)
        (crate / "RUSTSEC-2099-0001.md").write_text(ADVISORY)
        author = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
        for command in [["init", "--quiet", "-b", "main"], ["add", "."], [*author, "commit", "--quiet", "-m", "one"]]:
            subprocess.run(["git", "-C", folder, *command], check=True)

    def test_without_advisories_it_looks_for_yanked_crates_and_says_so(self):
        code, said = self.run_over(RIGHT, self.folder / "nowhere")
        self.assertEqual(code, 0, said)
        self.assertIn("no crate is yanked; ADVISORIES WERE NOT CHECKED: fatal: ", said.strip().splitlines()[-1])

    def test_a_yanked_crate_is_found_without_advisories(self):
        code, said = self.run_over(YANKED, self.folder / "nowhere")
        self.assertNotEqual(code, 0, said)
        self.assertIn("detected yanked crate", said)
        self.assertNotIn("no crate is yanked", said)

    def test_an_advisory_that_is_fetched_is_found(self):
        self.database(self.folder / "host/RustSec/advisory-db")
        code, said = self.run_over(RIGHT, self.folder / "host")
        self.assertNotEqual(code, 0, said)
        self.assertIn("RUSTSEC-2099-0001", said)
        self.assertNotIn("NOT CHECKED", said)

    def test_an_advisory_that_is_here_already_is_found(self):
        self.database(self.home / "advisory-dbs/advisory-db-3157b0e258782691")
        code, said = self.run_over(RIGHT, self.folder / "nowhere")
        self.assertNotEqual(code, 0, said)
        self.assertIn("RUSTSEC-2099-0001", said)
        self.assertNotIn("NOT CHECKED", said)

    def test_old_advisories_do_not_count_as_checked(self):
        database = self.home / "advisory-dbs/advisory-db-3157b0e258782691"
        self.database(database)
        (database / ".git/FETCH_HEAD").touch()
        os.utime(database / ".git/FETCH_HEAD", (0, 0))
        code, said = self.run_over(RIGHT, self.folder / "nowhere")
        self.assertNotEqual(code, 0, said)
        self.assertIn("repository is stale", said)


if __name__ == "__main__":
    unittest.main()
