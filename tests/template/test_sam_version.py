"""`make sam-version` before `sam build`: an older SAM asks a question in the middle of the build."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from deployment import ROOT

# Without the variables of a make that runs these tests.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}


def make(*arguments):
    return subprocess.run(["make", *arguments], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True)


def check(answer):
    """The result of `make sam-version` for a SAM with this answer to --version."""
    with tempfile.TemporaryDirectory() as folder:
        sam = Path(folder) / "sam"
        sam.write_text(f"#!/bin/sh\necho '{answer}'\n")
        sam.chmod(0o755)
        return make("--no-print-directory", "sam-version", f"SAM={sam}")


class SamVersion(unittest.TestCase):
    def test_a_version_that_builds_rust_without_the_beta_option_is_accepted(self):
        for version in ("1.156.0", "1.156.1", "1.170.0", "1.1000.0", "2.0.0"):
            with self.subTest(version=version):
                done = check(f"SAM CLI, version {version}")
                self.assertEqual((0, ""), (done.returncode, done.stderr))

    def test_an_older_version_is_refused_with_a_sentence(self):
        for version in ("0.53.0", "1.17.0", "1.99.0", "1.154.0", "1.155.2"):
            with self.subTest(version=version):
                done = check(f"SAM CLI, version {version}")
                self.assertNotEqual(0, done.returncode)
                self.assertIn(
                    f"SAM {version} is too old: before 1.156 it builds Rust only as a beta feature, and asks a question.",
                    done.stderr,
                )

    def test_a_program_that_is_not_sam_is_refused(self):
        done = check("usage: sam")
        self.assertNotEqual(0, done.returncode)
        self.assertIn("does not say its version", done.stderr)

    def test_the_build_checks_the_version_first(self):
        planned = make("--dry-run", "--always-make", "package").stdout
        self.assertLess(planned.index("sam --version"), planned.index("sam build"))


if __name__ == "__main__":
    unittest.main()
