"""The workflows: what they run exists, the actions are pinned, and only the job that publishes may write.

actionlint and zizmor check their syntax and their security; see `make workflows`.
"""

import re
import subprocess
import tempfile
import unittest
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
SHELLCHECK = ROOT / ".tools" / "boot" / "bin" / "shellcheck"
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))}
# What the scripts may call besides make: programs of GitHub's image of Ubuntu.
ON_THE_IMAGE = {"find", "gh", "sha256sum", "sudo", "sysctl"}


def jobs():
    return [(f"{file}: {name}", job) for file, workflow in WORKFLOWS.items() for name, job in workflow["jobs"].items()]


def steps():
    return [(name, step) for name, job in jobs() for step in job.get("steps", [])]


def scripts():
    return [step["run"].replace("\\\n", " ") for _, step in steps() if "run" in step]


def programs(script):
    """The programs that a script calls: the first word of each line, and what sudo or -exec starts."""
    first = re.findall(r"^\s*([\w.-]+)", script, re.MULTILINE)
    return {*first, *re.findall(r"(?:\bsudo|-exec)\s+([\w.-]+)", script)}


class Workflows(unittest.TestCase):
    def test_there_is_one_for_each_change_one_for_each_night_and_one_for_each_tag(self):
        # YAML reads the key `on` as true.
        triggers = {name: workflow[True] for name, workflow in WORKFLOWS.items()}
        self.assertEqual({"laws", "release", "test"}, set(triggers))
        self.assertEqual({"branches": ["main"]}, triggers["test"]["push"])
        self.assertIn("pull_request", triggers["test"])
        self.assertEqual({"push": {"tags": ["v*"]}}, triggers["release"])
        self.assertEqual({"schedule", "workflow_dispatch"}, set(triggers["laws"]))

    def test_they_run_what_a_developer_runs(self):
        made = {
            name: [step["run"] for job in workflow["jobs"].values() for step in job.get("steps", []) if "make " in step.get("run", "")]
            for name, workflow in WORKFLOWS.items()
        }
        self.assertEqual(["make test"], made["test"])
        self.assertEqual(["make laws"], made["laws"])
        self.assertEqual(['make release TAG="$GITHUB_REF_NAME"', "make reproducible"], made["release"][:2])

    def test_every_target_that_they_make_exists(self):
        targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        named = {target for script in scripts() for target in re.findall(r"\bmake (?:--silent )?([a-z0-9-]+)", script)}
        self.assertEqual({"laws", "release", "release-notes", "reproducible", "test"}, named)
        self.assertEqual(set(), named - targets)

    def test_every_program_that_they_call_is_make_or_on_the_image(self):
        called = set().union(*map(programs, scripts()))
        self.assertEqual(ON_THE_IMAGE | {"make"}, called)

    def test_every_file_that_they_call_is_in_the_repository(self):
        for name, job in jobs():
            if "uses" in job:
                self.assertTrue((ROOT / job["uses"]).is_file(), name)

    def test_every_action_is_pinned_by_its_commit_and_has_its_version(self):
        pins = {}
        for path in (ROOT / ".github" / "workflows").glob("*.yml"):
            for action, reference in re.findall(r"uses: ([\w-]+/[\w-]+)@(.+)", path.read_text()):
                self.assertRegex(reference, r"^[0-9a-f]{40} # v\d+\.\d+\.\d+$")
                pins.setdefault(action, set()).add(reference)
        self.assertTrue(pins)
        self.assertEqual({}, {action: found for action, found in pins.items() if len(found) > 1})

    def test_only_the_job_that_publishes_may_write_and_it_runs_nothing_of_the_repository(self):
        for name, workflow in WORKFLOWS.items():
            self.assertEqual({}, workflow["permissions"], name)
        writers = [name for name, job in jobs() if "write" in job["permissions"].values()]
        self.assertEqual(["release: publish"], writers)
        self.assertEqual({"contents": "write"}, WORKFLOWS["release"]["jobs"]["publish"]["permissions"])
        for name, step in steps():
            if name in writers:
                self.assertNotIn("actions/checkout", step.get("uses", ""))
                self.assertNotIn("make", programs(step.get("run", "")))

    def test_the_token_stays_out_of_the_working_copy(self):
        checkouts = [step for _, step in steps() if step.get("uses", "").startswith("actions/checkout@")]
        self.assertTrue(checkouts)
        for step in checkouts:
            self.assertIs(False, step["with"]["persist-credentials"])

    def test_the_scripts_are_sound(self):
        # The shell of a step. actionlint would call shellcheck itself, but not as WebAssembly.
        for script in (step["run"] for _, step in steps() if "run" in step):
            with tempfile.NamedTemporaryFile("w", suffix=".sh") as file:
                file.write("#!/usr/bin/env bash\nset -eo pipefail\n" + script)
                file.flush()
                done = subprocess.run([SHELLCHECK, file.name], capture_output=True, text=True)
            self.assertEqual((0, ""), (done.returncode, done.stdout))


if __name__ == "__main__":
    unittest.main()
