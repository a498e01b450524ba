"""The release in dist/, as an operator gets it. Only `make release` runs this test, after it has built the release.

The checksums fit, each program is static and starts, and nothing in it tells of the machine that built it. The command writes
the parameters, SAM and the AWS CLI deploy the templates in an emulator of AWS without cargo, and the deployed function answers.
QEMU runs the arm64 programs.
"""

import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import tomllib
import unittest
import zipfile
from pathlib import Path

sys.path += [str(Path(__file__).parents[1] / folder) for folder in ("e2e", "template")]
from clouds import Simulator
from deployment import ACCOUNT, REGION
from harness import ROOT, Function, emulated
from test_deployment import Emulator

DIST = ROOT / "dist"
TOOLS = ROOT / ".tools"
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
NAME = f"token-failover-{VERSION}"
# Each processor as Linux, Lambda and ELF call it.
PROCESSORS = {"aarch64": ("arm64", 183), "x86_64": ("x86_64", 62)}
PAGE = {
    "SHA256SUMS", "THIRD-PARTY-LICENSES.txt", "token-failover-aarch64", "token-failover-function-arm64.zip",
    "token-failover-function-x86_64.zip", "token-failover-function.cdx.json", "token-failover-x86_64", "token-failover.cdx.json",
    f"{NAME}.tar.gz",
}


def run(*command, cwd, environment=None):
    """What a command prints. If it fails, the error has all of it."""
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def on(machine, program):
    """The command that runs a program of this machine here."""
    return emulated(program) if machine == "aarch64" else [program]


def segments(program):
    """The processor of an ELF file, and the types of its segments."""
    magic, machine, offset, size, count = struct.unpack_from("<4s14xH12xQ14x2H", program)
    return magic, machine, {struct.unpack_from("<L", program, offset + index * size)[0] for index in range(count)}


class Release(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.temporary = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        run("tar", "--extract", "--file", DIST / f"{NAME}.tar.gz", cwd=cls.temporary)
        cls.folder = cls.temporary / NAME
        cls.programs = {}
        for machine, (architecture, _) in PROCESSORS.items():
            unpacked = cls.temporary / machine
            with zipfile.ZipFile(cls.folder / f"token-failover-function-{architecture}.zip") as archive:
                archive.extractall(unpacked)
            # extractall forgets the mode, and Lambda does not: see the test of the zip.
            (unpacked / "bootstrap").chmod(0o755)
            cls.programs[machine] = {"function": unpacked / "bootstrap", "command": cls.folder / f"token-failover-{machine}"}

    def each_program(self):
        for machine, programs in self.programs.items():
            for name, path in programs.items():
                with self.subTest(machine=machine, program=name):
                    yield machine, path

    def test_the_page_has_these_files_and_their_checksums(self):
        self.assertEqual(PAGE | {NAME}, {path.name for path in DIST.iterdir()})
        named = {line.split("  ")[1] for line in (DIST / "SHA256SUMS").read_text().splitlines()}
        self.assertEqual(PAGE - {"SHA256SUMS"}, named)
        run("sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS", cwd=DIST)

    def test_the_archive_has_the_folder_that_is_beside_it(self):
        def contents(folder):
            files = (path for path in folder.rglob("*") if path.is_file())
            return {
                path.relative_to(folder).as_posix(): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mode & 0o111)
                for path in files
            }

        found = contents(self.folder)
        self.assertEqual(contents(DIST / NAME), found)
        self.assertLessEqual({
            "template.yaml", "template-x86_64.yaml", "samconfig.toml", "README.md", "LICENSE", "CHANGELOG.md", "docs/setup.md",
            "deploy/pair.yaml", "deploy/boot/install", "deploy/terraform/main.tf", "deploy/cdk/app.ts",
        }, set(found))
        for name in PAGE - {"SHA256SUMS", f"{NAME}.tar.gz"}:
            self.assertEqual(hashlib.sha256((DIST / name).read_bytes()).hexdigest(), found[name][0], name)
        self.assertNotEqual(0, found["deploy/boot/install"][1])
        self.assertFalse([name for name in found if "node_modules" in name or name.endswith((".rs", ".tfstate"))])

    def test_a_zip_has_only_the_function_and_lambda_can_start_it(self):
        for architecture, _ in PROCESSORS.values():
            with zipfile.ZipFile(DIST / f"token-failover-function-{architecture}.zip") as archive:
                [entry] = archive.infolist()
            self.assertEqual(("bootstrap", 0o100755), (entry.filename, entry.external_attr >> 16))

    def test_every_program_is_static_and_for_its_processor(self):
        dynamic, interpreter = 2, 3
        for machine, path in self.each_program():
            magic, processor, found = segments(path.read_bytes())
            self.assertEqual((b"\x7fELF", PROCESSORS[machine][1]), (magic, processor))
            self.assertNotIn(interpreter, found)

    def test_no_program_names_a_folder_of_this_machine(self):
        folders = {str(ROOT), str(Path.home()), os.environ.get("CARGO_HOME", ""), "/home/", str(Path(sys.prefix).parent)} - {"", "/"}
        for _, path in self.each_program():
            data = path.read_bytes()
            self.assertEqual([], [folder for folder in folders if folder.encode() in data])
            # The compiler's options have replaced them.
            self.assertIn(b"/crates/tokio-", data)

    def test_the_commands_start_and_read_a_license(self):
        license = ROOT / "tests" / "licenses" / "floating.lic"
        answers = {}
        for machine, programs in self.programs.items():
            command = on(machine, programs["command"])
            self.assertEqual(f"token-failover {VERSION}\n", run(*command, "--version", cwd=self.folder))
            self.assertIn("Usage:", run(*command, "--help", cwd=self.folder))
            answers[machine] = run(*command, "license", license, cwd=self.folder)
        self.assertIn("0273ae2adc81", answers["x86_64"].lower())
        self.assertEqual(answers["x86_64"], answers["aarch64"])

    def test_the_functions_answer_an_event(self):
        for machine, programs in self.programs.items():
            with self.subTest(machine=machine), Simulator() as cloud:
                cloud.stop(cloud.holder)
                cloud.forget_calls()
                with Function(cloud.endpoint, on(machine, programs["function"]), **cloud.variables()) as function:
                    report = function.invoke(cloud.event(ROOT / "events" / "holder-stopped.json"))
                self.assertEqual(("moved", "holder-stopped"), (report["outcome"], report["reason"]))
                self.assertEqual(cloud.standby, cloud.network_interface()["Attachment"]["InstanceId"])

    def test_licenses_and_bills_of_materials_have_what_every_program_carries(self):
        text = (DIST / "THIRD-PARTY-LICENSES.txt").read_text()
        for bill in ("token-failover.cdx.json", "token-failover-function.cdx.json"):
            document = json.loads((DIST / bill).read_text())
            self.assertEqual(VERSION, document["metadata"]["component"]["version"])
            components = {it["name"] for it in document["components"]}
            self.assertLessEqual({"std", "musl", "libunwind", "compiler-rt", "aws-sdk-ec2", "ring"}, components)
            for it in document["components"]:
                if not it["name"].startswith("token-failover"):
                    self.assertIn(f"\n{it['name']} {it['version']}: {it['licenses'][0]['expression']} [", text)
        # Of a crate in the standard library.
        self.assertIn("Copyright (c) 2016 Amanieu d'Antras", text)

    def deployed(self, deploy, template):
        """Deploys with this function in an emulator of AWS, and asks the deployed function for its plan."""
        with (
            tempfile.TemporaryDirectory() as temporary,
            Simulator() as simulator,
            Emulator(Path(temporary), simulator) as emulator,
        ):
            # No cargo, and no settings of the user.
            environment = {
                "PATH": "/usr/bin:/bin", "HOME": temporary, "SAM_CLI_TELEMETRY": "0", "AWS_ACCESS_KEY_ID": ACCOUNT,
                "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, "AWS_PAGER": "",
                "AWS_ENDPOINT_URL": emulator.endpoint,
            }
            deploy(environment, simulator)
            [stack] = emulator.client("cloudformation").describe_stacks(StackName="token-failover")["Stacks"]
            self.assertEqual("CREATE_COMPLETE", stack["StackStatus"])
            outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
            function = emulator.client("lambda").get_function(FunctionName=outputs["FunctionName"])["Configuration"]
            architecture = "x86_64" if "x86_64" in template else "arm64"
            code = (self.folder / f"token-failover-function-{architecture}.zip").read_bytes()
            self.assertEqual(([architecture], len(code)), (function["Architectures"], function["CodeSize"]))
            return self.plan(emulator, outputs["FunctionName"]) if architecture == "x86_64" else None

    def plan(self, emulator, function):
        answer = emulator.client("lambda").invoke(FunctionName=function, Payload=json.dumps({"action": "plan"}))
        self.assertNotIn("FunctionError", answer)
        return json.loads(answer["Payload"].read())

    def test_the_command_writes_the_parameters_and_sam_deploys_without_cargo(self):
        for template in ("template.yaml", "template-x86_64.yaml"):
            def deploy(environment, simulator):
                (self.folder / "samconfig.toml").write_bytes((ROOT / "samconfig.toml").read_bytes())
                done = run(
                    self.folder / "token-failover-x86_64", "init", "--interface", simulator.interface, "--ports", "27007-27008",
                    "--clients", "10.0.0.0/16", "--email", "ops@example.com", cwd=self.folder,
                    environment=environment | {"AWS_ENDPOINT_URL": simulator.endpoint},
                )
                self.assertEqual("", done)
                self.assertIn(simulator.interface, (self.folder / "samconfig.toml").read_text())
                named = [] if template == "template.yaml" else ["--template-file", template]
                run(TOOLS / "sam" / "bin" / "sam", "deploy", "--no-confirm-changeset", *named, cwd=self.folder, environment=environment)

            with self.subTest(template=template):
                report = self.deployed(deploy, template)
                if report:
                    self.assertEqual(("planned", Simulator.interface), (report["outcome"], report["tokenServer"]["networkInterfaceId"]))

    def test_the_aws_cli_deploys_without_sam_or_cargo(self):
        for template in ("template.yaml", "template-x86_64.yaml"):
            def deploy(environment, simulator):
                cloudformation = [TOOLS / "aws" / "bin" / "aws", "cloudformation"]
                packaged = self.temporary / "packaged.yaml"
                for command in (
                    [TOOLS / "aws" / "bin" / "aws", "s3", "mb", "s3://code"],
                    [*cloudformation, "package", "--template-file", template, "--s3-bucket", "code", "--s3-prefix", "token-failover",
                     "--output-template-file", packaged],
                    [*cloudformation, "deploy", "--stack-name", "token-failover", "--template-file", packaged, "--s3-bucket", "code",
                     "--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND", "--parameter-overrides",
                     f"TokenServerInterfaceId={simulator.interface}",
                     f"TokenServerInstanceIds={simulator.holder},{simulator.standby}", "NotificationEmail=ops@example.com"],
                ):
                    run(*command, cwd=self.folder, environment=environment)
                self.assertRegex(packaged.read_text(), re.compile(r"CodeUri: s3://code/token-failover/\w+", re.MULTILINE))

            with self.subTest(template=template):
                report = self.deployed(deploy, template)
                if report:
                    self.assertEqual("planned", report["outcome"])


if __name__ == "__main__":
    unittest.main()
