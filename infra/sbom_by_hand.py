"""Checks what infra/sbom wrote, after it ran: `infra/sbom x86_64 && python3 infra/sbom_by_hand.py`.

Not among the tests that CI runs: the tool that infra/sbom installs has to be compiled first.
"""

import json
import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = sorted(["lastgood", *(folder.name for folder in (ROOT / "functions").iterdir() if folder.is_dir())])
SDK = "aws-sdk-dynamodb"  # In everything that is shipped.
TEST_ONLY = {"axum", "expect-test", "lastgood-tests", "lastgood-world", "proptest", "quick-xml", "zip"}


def locked():
    """What Cargo.lock has of the registry: (name, version) and the hash."""
    entries = (ROOT / "Cargo.lock").read_text().split("[[package]]")[1:]
    fields = [dict(re.findall(r'^(\w+) = "(.*)"$', entry, flags=re.MULTILINE)) for entry in entries]
    return {(one["name"], one["version"]): one["checksum"] for one in fields if "checksum" in one}


class Sbom(unittest.TestCase):
    def test_each_binary_that_is_shipped_has_one(self):
        written = sorted(path.name.removesuffix(".cdx.json") for path in (ROOT / "target/sbom").iterdir())
        self.assertEqual(written, SHIPPED)
        folders = [ROOT / name for name in ("cli", "functions", "shared", "tests")]
        left = [path for folder in folders for path in folder.rglob("lastgood-sbom*")]
        self.assertEqual(left, [])

    def test_each_names_the_crates_of_the_lock_file_with_their_hashes_and_none_of_the_tests(self):
        lock = locked()
        for name in SHIPPED:
            with self.subTest(name=name):
                bom = json.loads((ROOT / f"target/sbom/{name}.cdx.json").read_text())
                self.assertEqual((bom["bomFormat"], bom["specVersion"]), ("CycloneDX", "1.5"))
                self.assertEqual(bom["metadata"]["component"]["name"], name)
                components = bom["components"]
                names = {component["name"] for component in components}
                self.assertIn(SDK, names)
                self.assertEqual(names & TEST_ONLY, set())
                hashed = {(one["name"], one["version"]): one["hashes"] for one in components if one.get("hashes")}
                self.assertGreater(len(hashed), 100)
                for crate, hashes in hashed.items():
                    self.assertEqual([one["content"] for one in hashes], [lock[crate]], crate)
                bare = {one["name"] for one in components if not one.get("hashes")}
                self.assertTrue(all(crate.startswith("lastgood") for crate in bare), bare)


if __name__ == "__main__":
    unittest.main()
