"""Every dependency fits the policy in deny.toml, as far as that can be seen without a network.

cargo-deny reads the same file, and also asks for advisories. It is not used here, because it would have to be compiled.
"""

import json
import subprocess
import tomllib
import unittest
from pathlib import Path

from license_expression import AND, OR, get_spdx_licensing

ROOT = Path(__file__).parents[2]
SPDX = get_spdx_licensing()
POLICY = tomllib.loads((ROOT / "deny.toml").read_text())
# The fuzz target is a workspace of its own, with its own lock file.
WORKSPACES = ("Cargo.toml", "fuzz/Cargo.toml")


def packages(workspace):
    """Every package that the lock file of a workspace names."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--manifest-path", ROOT / workspace]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)["packages"]


def allowed(crate):
    """The licenses that a crate may have."""
    exceptions = POLICY["licenses"].get("exceptions", [])
    return set(POLICY["licenses"]["allow"]).union(*(one["allow"] for one in exceptions if one["crate"] == crate))


def fits(expression, licenses):
    """Whether these licenses are enough to use a crate with this SPDX expression. Cargo used to write `/` for OR."""
    def decide(node):
        if isinstance(node, OR):
            return any(decide(one) for one in node.args)
        if isinstance(node, AND):
            return all(decide(one) for one in node.args)
        return node.render() in licenses

    return bool(expression) and decide(SPDX.parse(expression.replace("/", " OR "), validate=True))


class Dependencies(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.packages = [package for workspace in WORKSPACES for package in packages(workspace)]
        cls.foreign = [package for package in cls.packages if package["source"]]

    def test_every_license_is_allowed(self):
        self.assertGreater(len(self.foreign), 200)
        refused = {one["name"]: one["license"] for one in self.foreign if not fits(one["license"], allowed(one["name"]))}
        self.assertEqual({}, refused)

    def test_every_allowed_license_and_every_exception_is_needed(self):
        def is_needed(license, crate=None):
            return any(
                not fits(one["license"], allowed(one["name"]) - {license})
                for one in self.foreign if crate in (None, one["name"])
            )

        exceptions = [(it, one["crate"]) for one in POLICY["licenses"]["exceptions"] for it in one["allow"]]
        unused = [it for it in [(license, None) for license in POLICY["licenses"]["allow"]] + exceptions if not is_needed(*it)]
        self.assertEqual([], unused)

    def test_every_crate_comes_from_the_registry(self):
        registries = {f"registry+{url}" for url in POLICY["sources"]["allow-registry"]}
        self.assertEqual(registries, {package["source"] for package in self.foreign})

    def test_no_banned_crate_is_used(self):
        banned = {one["crate"] for one in POLICY["bans"]["deny"]}
        self.assertEqual(set(), banned & {package["name"] for package in self.packages})

    def test_every_version_is_bounded(self):
        unbounded = [
            f"{package['name']}: {dependency['name']}"
            for package in self.packages if not package["source"]
            for dependency in package["dependencies"] if dependency["req"] == "*" and not dependency.get("path")
        ]
        self.assertEqual([], unbounded)

    def test_an_expression_is_read_as_spdx_means_it(self):
        licenses = {"MIT", "Apache-2.0"}
        for expression, expected in {
            "MIT": True, "MIT OR GPL-3.0-only": True, "MIT/GPL-3.0-only": True, "MIT AND Apache-2.0": True,
            "(MIT OR GPL-3.0-only) AND Apache-2.0": True, "Apache-2.0 WITH LLVM-exception OR MIT": True,
            "MIT AND GPL-3.0-only": False, "GPL-3.0-only": False, "Apache-2.0 WITH LLVM-exception": False, None: False, "": False,
        }.items():
            self.assertEqual(expected, fits(expression, licenses), expression)


if __name__ == "__main__":
    unittest.main()
