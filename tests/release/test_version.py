"""The version of a release, its tag, and its section in the changelog agree."""

import re
import unittest

from release import ROOT, Refused
from release.version import check_tag, notes, version

CHANGELOG = """\
# Changelog

## [Unreleased]

### Added

- Something new.

## [1.2.0] - 2026-11-29

### Fixed

- A mistake.

## [1.1.0] - 2026-10-01

- The first version.
"""


class Version(unittest.TestCase):
    def test_it_is_the_version_of_every_package(self):
        self.assertRegex(version(), r"^\d+\.\d+\.\d+$")
        lock = (ROOT / "Cargo.lock").read_text()
        ours = re.findall(r'^name = "(token-failover[\w-]*)"\nversion = "(.+)"', lock, re.MULTILINE)
        self.assertEqual({"token-failover", "token-failover-aws", "token-failover-function", "token-failover-operator"}, {name for name, _ in ours})
        self.assertEqual({version()}, {it for _, it in ours})

    def test_the_documents_name_this_version(self):
        pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "deploy").glob("*.md")]
        named = {it for page in pages for it in re.findall(r"token-failover[-/](\d+\.\d+\.\d+)", page.read_text())}
        self.assertEqual({version()}, named)

    def test_only_the_tag_of_the_version_is_accepted(self):
        check_tag("v1.2.0", "1.2.0")
        for tag in ("v1.2.1", "1.2.0", "v1.2.0-rc1", "release-1.2.0", "v"):
            with self.assertRaisesRegex(Refused, f"^The tag {tag} does not belong to version 1.2.0 of Cargo.toml."):
                check_tag(tag, "1.2.0")

    def test_the_notes_are_the_section_of_the_version(self):
        self.assertEqual("### Fixed\n\n- A mistake.\n", notes(CHANGELOG, "1.2.0"))
        self.assertEqual("- The first version.\n", notes(CHANGELOG, "1.1.0"))

    def test_a_version_without_a_section_is_refused(self):
        undated = CHANGELOG.replace(" - 2026-11-29", "")
        empty = CHANGELOG.replace("- The first version.\n", "")
        for changelog, missing in ((CHANGELOG, "1.3.0"), (CHANGELOG, "1.2"), (undated, "1.2.0"), (empty, "1.1.0")):
            with self.subTest(missing=missing), self.assertRaisesRegex(Refused, f"no section for version {missing}"):
                notes(changelog, missing)

    def test_the_changelog_has_a_place_for_what_comes_next(self):
        headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
        self.assertEqual("[Unreleased]", headings[0])
        for heading in headings[1:]:
            self.assertRegex(heading, r"^\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}$")


if __name__ == "__main__":
    unittest.main()
