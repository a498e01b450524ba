"""The files of a release, put together with stand-ins for the compiled programs."""

import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
import unittest
import zipfile
from pathlib import Path

from release import ROOT, Refused
from release.distribution import assemble, commit, write
from release.linked import Component, Program
from release.links import parents, targets
from release.programs import PACKAGES

NAME, COMMIT, SECONDS = "token-failover-1.2.0", "0123456789abcdef0123456789abcdef01234567", 1_764_422_401
# Each stand-in says what it stands for.
FILES = {(package, machine): f"{package} for {machine}".encode() for package in PACKAGES for machine in ("aarch64", "x86_64")}


def stand_in(package):
    own = Component(package, "1.2.0", "Apache-2.0", "", is_ours=True)
    crate = Component("crate", "2.0.0", "MIT", "pkg:cargo/crate@2.0.0", {"LICENSE": "Do what you like.\n"}, "0" * 64)
    return Program(own, [crate, own], {own.reference: {crate.reference}})


class Distribution(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        page, folder = assemble(FILES, {package: stand_in(package) for package in PACKAGES}, NAME, COMMIT, SECONDS)
        cls.page, cls.folder = ({entry.name: entry for entry in entries} for entries in (page, folder))

    def test_the_page_has_the_programs_what_is_in_them_and_the_archive(self):
        self.assertEqual({
            "SHA256SUMS", "THIRD-PARTY-LICENSES.txt", "token-failover-aarch64", "token-failover-function-arm64.zip",
            "token-failover-function-x86_64.zip", "token-failover-function.cdx.json", "token-failover-x86_64",
            "token-failover.cdx.json", f"{NAME}.tar.gz",
        }, set(self.page))

    def test_each_program_is_where_its_name_says(self):
        for machine, architecture in (("aarch64", "arm64"), ("x86_64", "x86_64")):
            command = self.page[f"token-failover-{machine}"]
            self.assertEqual((f"token-failover-operator for {machine}".encode(), True), (command.data, command.executable))
            with zipfile.ZipFile(io.BytesIO(self.page[f"token-failover-function-{architecture}.zip"].data)) as archive:
                self.assertEqual(["bootstrap"], archive.namelist())
                self.assertEqual(f"token-failover-function for {machine}".encode(), archive.read("bootstrap"))

    def test_the_checksums_are_those_of_all_other_files(self):
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), self.page.values())
            done = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, capture_output=True, text=True)
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertEqual(len(self.page) - 1, done.stdout.count(": OK"))

    def test_the_archive_has_the_folder_to_deploy_from(self):
        with tarfile.open(fileobj=io.BytesIO(self.page[f"{NAME}.tar.gz"].data)) as archive:
            found = {member.name: archive.extractfile(member).read() for member in archive.getmembers()}
        self.assertEqual({f"{NAME}/{name}": entry.data for name, entry in self.folder.items()}, found)

    def test_the_folder_has_the_files_of_the_page_the_templates_and_what_an_operator_needs(self):
        tracked = subprocess.run(
            ["git", "ls-files", "--", "deploy", "docs"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
        ).stdout.split()
        self.assertIn("deploy/boot/install", tracked)
        self.assertEqual(
            set(self.page) - {"SHA256SUMS", f"{NAME}.tar.gz"}
            | {"template.yaml", "template-x86_64.yaml", "samconfig.toml", "CHANGELOG.md", "LICENSE", "README.md", "SECURITY.md", *tracked},
            set(self.folder),
        )
        self.assertTrue(self.folder["deploy/boot/install"].executable)
        self.assertFalse(self.folder["docs/setup.md"].executable)
        for template in ("template.yaml", "template-x86_64.yaml"):
            [code] = [line.split()[1] for line in self.folder[template].data.decode().splitlines() if "CodeUri:" in line]
            self.assertIn(code, self.folder)

    def test_every_link_of_a_page_leads_to_a_file_of_the_folder(self):
        names = set(self.folder)
        there = names | {parent for name in names for parent in parents(name)}
        pages = [entry for entry in self.folder.values() if entry.name.endswith(".md")]
        linked = {page.name: set(targets(page)) for page in pages}
        self.assertEqual({}, {name: found - there for name, found in linked.items() if found - there})
        # The links that lead somewhere stay, and the words of the others.
        self.assertIn("docs/setup.md", linked["README.md"])
        readme = self.folder["README.md"].data.decode()
        self.assertIn("ARCHITECTURE.md (in the repository)", readme)
        self.assertNotIn("](ARCHITECTURE.md", readme)

    def test_the_bills_of_materials_are_those_of_the_programs(self):
        for package, program in PACKAGES.items():
            document = json.loads(self.page[f"{program}.cdx.json"].data)
            self.assertEqual(package, document["metadata"]["component"]["name"])
            self.assertEqual(["crate"], [it["name"] for it in document["components"]])

    def test_a_bill_that_does_not_follow_its_schema_stops_the_release(self):
        own = Component("token-failover-function", "1.2.0", "Apache-2.0", "", is_ours=True)
        wrong = Component("crate", "2.0.0", "MIT", "pkg:cargo/crate@2.0.0", {"LICENSE": "…"}, sha256="not a checksum")
        with self.assertRaisesRegex(Refused, "bill of materials of token-failover-function does not follow CycloneDX's schema"):
            assemble({}, {own.name: Program(own, [own, wrong], {})}, NAME, COMMIT, SECONDS)

    def test_the_same_programs_make_the_same_release(self):
        again, _ = assemble(FILES, {package: stand_in(package) for package in PACKAGES}, NAME, COMMIT, SECONDS)
        self.assertEqual(
            {name: hashlib.sha256(entry.data).hexdigest() for name, entry in self.page.items()},
            {entry.name: hashlib.sha256(entry.data).hexdigest() for entry in again},
        )


class Commit(unittest.TestCase):
    def repository(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "file").write_text("one\n")
        identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"]
        for command in (["init", "--quiet"], ["add", "file"], [*identity, "commit", "--quiet", "--message", "First"]):
            subprocess.run(["git", *command], cwd=folder, check=True)
        return folder

    def test_a_working_copy_without_changes_is_its_commit_with_its_time(self):
        name, seconds = commit(self.repository())
        self.assertRegex(name, "^[0-9a-f]{40}$")
        self.assertGreater(seconds, SECONDS)

    def test_a_working_copy_with_changes_is_refused(self):
        for changed in ("file", "another"):
            folder = self.repository()
            (folder / changed).write_text("two\n")
            with self.assertRaisesRegex(Refused, f"Commit or remove these changes first:\n.*{changed}"):
                commit(folder)


if __name__ == "__main__":
    unittest.main()
