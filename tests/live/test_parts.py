"""The pure parts of the acceptance run: its cost, its plan, its results, the stand-in for MOSEK, and what removes it."""

import io
import json
import os
import re
import socket
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile
from decimal import Decimal
from pathlib import Path

import cost
import deployable
import names
import plan
import removal
import result
import role
import stand_in
from cfnlint.decode import decode
from steps import INSTANCE_TYPE

ROOT = deployable.ROOT
sys.path.append(str(ROOT / "tests" / "e2e"))
from harness import free_port

NAME = "token-failover-live-0123abcd"


def template(path):
    document, faults = decode(str(ROOT / path))
    if faults:
        raise ValueError(faults)
    return document["Resources"]


def of_type(resources, kind):
    return [it for it in resources.values() if it["Type"] == kind]


class Cost(unittest.TestCase):
    def item(self, words):
        [found] = [it for it in cost.ITEMS if words in it.what]
        return found

    def test_it_counts_what_the_templates_have(self):
        around = template("tests/live/surroundings.yaml")
        pair = template("deploy/pair.yaml")
        function = template("template.yaml")
        endpoints = [it for it in of_type(around, "AWS::EC2::VPCEndpoint") if it["Properties"]["VpcEndpointType"] == "Interface"]
        counted = {
            "instances": len(of_type(pair, "AWS::EC2::Instance")),
            "volumes": len(of_type(pair, "AWS::EC2::Instance")),
            "IPv4": len(of_type(pair, "AWS::EC2::EIP")),
            "endpoints": len(endpoints),
            "key": len(of_type(function, "AWS::KMS::Key")),
            # One more is about the standby.
            "alarms": len(of_type(function, "AWS::CloudWatch::Alarm")) + 1,
            "dashboard": len(of_type(function, "AWS::CloudWatch::Dashboard")),
        }
        self.assertEqual(counted, {words: self.item(words).count for words in counted})
        # Nothing else that AWS charges by the hour.
        charged = re.compile("NatGateway|LoadBalancer|Instance$|::EIP$|VPCEndpoint|::Alarm|Dashboard|::Key$|Volume")
        kinds = {it["Type"] for resources in (around, pair, function) for it in resources.values()}
        self.assertEqual({
            "AWS::EC2::Instance", "AWS::EC2::EIP", "AWS::EC2::VPCEndpoint", "AWS::KMS::Key", "AWS::CloudWatch::Alarm",
            "AWS::CloudWatch::Dashboard",
        }, {kind for kind in kinds if charged.search(kind)})

    def test_every_hour_that_has_begun_counts(self):
        an_hour = sum(item.cents(1) for item in cost.ITEMS)
        self.assertEqual(Decimal("6.74"), an_hour.quantize(Decimal("0.01")))
        self.assertEqual([8, 8, 15, 15, 22], [cost.cents(minutes) for minutes in (1, 60, 61, 120, 121)])

    def test_the_sentence_says_the_cents_the_account_and_when_it_ends(self):
        sentence = cost.sentence(plan.minutes(), "123456789012", "eu-west-1")
        self.assertTrue(sentence.startswith(f"This run costs about {cost.cents(plan.minutes())} US cents. "), sentence)
        for words in ("account 123456789012", "Region eu-west-1", "2 t3.micro instances", f"about {plan.minutes()} minutes",
                      "us-east-1 of 2026", "up to 7 cents an hour"):
            self.assertIn(words, sentence)

    def test_the_instances_are_of_the_type_that_is_counted(self):
        self.assertTrue(self.item("instances").what.startswith(INSTANCE_TYPE))


class Plan(unittest.TestCase):
    def test_only_steps_that_look_are_left_out_in_the_emulator(self):
        by_name = {step.name: step for step in plan.STEPS}
        self.assertEqual(len(plan.STEPS), len(by_name))
        for name in plan.EMULATOR_LACKS:
            self.assertFalse(by_name[name].makes, name)
        self.assertLessEqual(plan.EMULATOR_DIFFERS.keys(), by_name.keys() - plan.EMULATOR_LACKS.keys())
        self.assertEqual([None] * len(plan.STEPS), [reason for _, reason in plan.chosen(emulated=False)])

    def test_every_kind_of_thing_belongs_to_a_step_that_makes_something(self):
        makers = {step.name for step in plan.STEPS if step.makes}
        self.assertLessEqual({kind.step for kind in removal.KINDS}, makers)
        self.assertLessEqual(plan.EMULATOR_CANNOT_LIST.keys(), {kind.kind for kind in removal.KINDS})

    def test_of_a_run_that_has_begun_little_only_little_can_be_left(self):
        self.assertEqual([], removal.kinds([], emulated=False))
        self.assertEqual({"surroundings"}, {kind.step for kind in removal.kinds(["surroundings", "files"], emulated=False)})
        self.assertEqual(list(removal.KINDS), removal.kinds(None, emulated=False))


class Result(unittest.TestCase):
    def a_result(self, *outcomes, **fields):
        made = result.Result(NAME, "eu-west-1", "123456789012", False, 15, **fields)
        made.outcomes = {f"step-{number}": outcome for number, outcome in enumerate(outcomes)}
        return made

    def test_the_exit_status_says_what_happened(self):
        held, wrong, failed, left_out = result.Held("seen"), result.NotHeld("late"), result.Failed("refused"), result.LeftOut("no")
        left = [removal.Left("stack", NAME, "why", "command")]
        for status, word, made in (
            (0, "held", self.a_result(held, held)),
            (0, "held", self.a_result(held, left_out)),
            (1, "not-held", self.a_result(held, wrong)),
            (2, "not-held", self.a_result(wrong, failed)),
            (2, "not-held", self.a_result(held, ended="interrupted (SIGINT)")),
            (1, "not-held", self.a_result(left_out)),
            (3, "held", self.a_result(held, left=left)),
            (3, "not-held", self.a_result(failed, left=left)),
        ):
            with self.subTest(made):
                self.assertEqual((status, word), (made.exit_status(), made.document()["result"]))

    def test_the_table_names_what_is_left_with_its_command(self):
        left = [removal.Left("stack", NAME, "ExpiredToken", f"aws cloudformation delete-stack --stack-name {NAME} --region eu-west-1")]
        made = self.a_result(result.Held("stack made"), result.NotHeld("late"), result.NotReached(), left=left)
        made.seconds = {"step-0": 3.2, "step-1": 100.0}
        self.assertEqual(
            "step-0  held           3 s  stack made\n"
            "step-1  NOT HELD     100 s  late\n"
            "step-2  not reached         the run ended before\n"
            "Not all of it held.\n"
            f"1 of the things of {NAME} may be left, and may cost money:\n"
            f"- stack {NAME}: ExpiredToken\n"
            f"  aws cloudformation delete-stack --stack-name {NAME} --region eu-west-1\n"
            f"With valid credentials, this removes all of it: make live-remove NAME={NAME}\n",
            made.table(),
        )

    def test_the_document_is_json_and_says_each_step(self):
        document = json.loads(json.dumps(self.a_result(result.Held("stack made"), result.LeftOut("no system")).document()))
        self.assertEqual((1, "held"), (document["schemaVersion"], document["result"]))
        self.assertEqual([("held", "stack made"), ("left-out", "no system")], [
            (step["result"], step["detail"]) for step in document["steps"]
        ])


class Names(unittest.TestCase):
    def test_every_name_fits_and_only_names_of_runs_are_removed(self):
        name = names.new()
        self.assertTrue(names.is_name(name))
        self.assertNotEqual(name, names.new())
        for other in ("token-failover", "token-failover-live-", f"{name}-pair", f"{name} --all", ""):
            self.assertFalse(names.is_name(other), other)
        # The limit of S3 is the narrowest.
        self.assertLessEqual(len(names.bucket(name, "123456789012")), 63)

    def test_the_template_of_the_pair_gives_the_tag_by_which_its_remains_are_found(self):
        pair = template("deploy/pair.yaml")
        kept = {
            logical_id: it for logical_id, it in pair.items()
            if it.get("DeletionPolicy", "Delete") != "Delete" and it["Type"] != "AWS::EC2::EIPAssociation"
        }
        self.assertEqual({"LicenseInterface", "LicenseAddress", "LicenseAccess"}, kept.keys())
        for it in kept.values():
            [tag] = it["Properties"]["Tags"]
            self.assertEqual(("Name", {"Fn::Sub": "${AWS::StackName} license"}), (tag["Key"], tag["Value"]))
        self.assertEqual(f"{names.pair(NAME)} license", names.kept(NAME))
        # Of the other two stacks, only the log stays.
        others = template("template.yaml") | template("tests/live/surroundings.yaml")
        self.assertEqual({"FailoverLogs"}, {key for key, it in others.items() if it.get("DeletionPolicy", "Delete") != "Delete"})


class StandIn(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def installed(self):
        """The programs and the license, as an instance gets them from the bucket."""
        bucket, root = self.folder / "bucket", self.folder / "root"
        bucket.mkdir()
        # Its names are those of x86_64, and the machine that runs the test may be another one.
        (bucket / stand_in.ARCHIVE).write_bytes(stand_in.archive())
        (bucket / "mosektoolslinuxaarch64.tar.bz2").write_bytes(stand_in.archive())
        (bucket / "mosek.lic").write_text(stand_in.license("02:73:ae:2a:dc:81"))
        programs = self.folder / "programs"
        programs.mkdir()
        for name, script in (("aws", f'cp "{bucket}/${{4##*/}}" "$5"'), ("systemctl", "exit 0")):
            (programs / name).write_text(f"#!/bin/sh\n{script}\n")
            (programs / name).chmod(0o755)
        subprocess.run(
            [sys.executable, ROOT / "deploy/boot/token-server-fetch", "s3://bucket/token-server", root], check=True,
            env=os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"}, capture_output=True,
        )
        return root

    def test_an_instance_installs_it_as_it_installs_mosek(self):
        root = self.installed()
        self.assertEqual({"lmgrd", "lmutil", "MOSEKLM"}, {path.name for path in (root / "opt/token-server").iterdir()})
        read = subprocess.run(
            ["sh", ROOT / "deploy/boot/token-server", "license"], check=True, capture_output=True, text=True,
            env=os.environ | {"LICENSE_FILE": str(root / "etc/token-server/mosek.lic")},
        ).stdout
        self.assertEqual("MAC address: 02:73:ae:2a:dc:81\nwatched port: 27008\nvendor daemons: MOSEKLM\n", read)

    def lmstat(self, root, port):
        # Without the shebang, because the interpreter of an instance may not be here.
        done = subprocess.run(
            [sys.executable, root / "opt/token-server/lmutil", "lmstat", "-a", "-t", "10", "-c", f"{port}@127.0.0.1"],
            capture_output=True, text=True,
        )
        return done.returncode, done.stdout

    def test_lmstat_says_what_the_ports_say(self):
        root = self.installed()

        def text(name):
            return (ROOT / "tests/lmstat" / f"{name}.txt").read_text()

        port = free_port()
        self.assertEqual((241, text("cannot-connect")), self.lmstat(root, port))
        with socket.create_server(("127.0.0.1", port)):
            self.assertEqual((159, text("vendor-down-without-error")), self.lmstat(root, port))
            with socket.create_server(("127.0.0.1", port + 1)):
                self.assertEqual((0, text("serves")), self.lmstat(root, port))

    def test_lmgrd_is_the_one_of_the_boot_tests(self):
        root, port = self.installed(), free_port()
        license = self.folder / "license"
        license.write_text(stand_in.license("02:73:ae:2a:dc:81").replace(stand_in.HOST, "this_host"))
        lmgrd = subprocess.Popen(
            [sys.executable, root / "opt/token-server/lmgrd", "-z", "-local", "-c", license, f"ports={port},{port + 1}"],
            start_new_session=True,
        )
        self.addCleanup(lmgrd.wait)
        self.addCleanup(os.killpg, lmgrd.pid, 15)
        for _ in range(200):
            if self.lmstat(root, port)[0] == 0:
                return
        self.fail("lmgrd does not listen")

    def test_the_programs_are_for_the_python_of_the_instances(self):
        with tarfile.open(fileobj=io.BytesIO(stand_in.archive())) as archive:
            for member in archive:
                self.assertEqual(0o755, member.mode)
                first = archive.extractfile(member).readline()
                self.assertIn(first, (b"#!/usr/bin/python3\n", b"#!/bin/sh\n"))


class Deployable(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def check(self, code):
        path = self.folder / "template.yaml"
        path.write_text((ROOT / "template.yaml").read_text().replace("CodeUri: .\n", f"CodeUri: {code}\n"))
        text, zipped = deployable.deployable(path, "bucket", "function.zip")
        template = json.loads(text)
        self.assertEqual({"Bucket": "bucket", "Key": "function.zip"}, template["Resources"]["Failover"]["Properties"]["CodeUri"])
        with zipfile.ZipFile(io.BytesIO(zipped)) as file:
            self.assertEqual(b"program", file.read("bootstrap"))
            # Lambda must be able to start it.
            self.assertTrue(file.getinfo("bootstrap").external_attr >> 16 & 0o100)
        # Only the location of the code has changed.
        original, _ = decode(str(ROOT / "template.yaml"))
        original["Resources"]["Failover"]["Properties"]["CodeUri"] = {"Bucket": "bucket", "Key": "function.zip"}
        self.assertEqual(json.loads(json.dumps(original)), template)

    def program(self, folder):
        folder.mkdir()
        (folder / "bootstrap").write_bytes(b"program")
        (folder / "bootstrap").chmod(0o755)
        return folder / "bootstrap"

    def test_a_folder_of_sam_build_becomes_a_zip(self):
        self.program(self.folder / "Failover")
        self.check("Failover")

    def test_the_zip_of_a_release_is_taken_as_it_is(self):
        with zipfile.ZipFile(self.folder / "token-failover.zip", "w") as file:
            file.write(self.program(self.folder / "built"), "bootstrap")
        self.check("token-failover.zip")


class Role(unittest.TestCase):
    def test_a_wrong_decision_is_named(self):
        asked = role.questions("aws", "eu-west-1", "123456789012", "eni-0ddddddddddddddd1", ["i-0aaaaaaaaaaaaaaa1"],
                               f"arn:aws:sns:eu-west-1:123456789012:{NAME}-Reports")
        self.assertEqual(len(asked), len({(it.action, it.resource, it.allowed) for it in asked}))
        [question] = [it for it in asked if it.action == "ec2:DeleteNetworkInterface"]
        ours = "arn:aws:ec2:eu-west-1:123456789012:network-interface/eni-0ddddddddddddddd1"
        self.assertEqual((False, ours), (question.allowed, question.resource))
        self.assertIsNone(role.wrong(question, "explicitDeny"))
        self.assertIsNone(role.wrong(question, "implicitDeny"))
        self.assertEqual(f"ec2:DeleteNetworkInterface on {ours}: allowed, expected denied", role.wrong(question, "allowed"))
        self.assertIn({"ContextKeyName": "ec2:Region", "ContextKeyType": "string", "ContextKeyValues": ["eu-west-1"]},
                      question.entries())


class Documentation(unittest.TestCase):
    page = (ROOT / "docs" / "live.md").read_text()

    def test_the_page_has_the_costs(self):
        self.assertIn(cost.table(), self.page)
        self.assertIn(f"about {cost.cents(plan.minutes())} US cents", self.page)
        self.assertIn(f"about {plan.minutes()} minutes", self.page)

    def test_the_page_has_what_is_looked_for_after_the_removal(self):
        page = " ".join(self.page.split())
        [named] = re.findall(r"asks AWS what is left with the name or the tag: (.*?), and the key of the stack\.", page)
        # The template of the pair keeps one of each.
        kept = {"Elastic IP": "the Elastic IP", "network interface": "the license interface", "security group": "its security group"}
        expected = dict.fromkeys(kept.get(kind.kind, f"{kind.kind}s") for kind in removal.KINDS)
        self.assertEqual(list(expected), named.split(", "))

    def test_the_volumes_go_with_the_instances(self):
        [mapping] = template("deploy/pair.yaml")["InstanceTemplate"]["Properties"]["LaunchTemplateData"]["BlockDeviceMappings"]
        self.assertTrue(mapping["Ebs"]["DeleteOnTermination"])

    def test_the_page_has_the_steps_and_what_the_emulator_cannot_do(self):
        for step in plan.STEPS:
            reason = plan.EMULATOR_LACKS.get(step.name)
            there = f"left out: {reason}" if reason else plan.EMULATOR_DIFFERS.get(step.name, "the same")
            self.assertIn(f"| `{step.name}` | {step.shows} | {there} |\n", self.page)
        for kind, reason in plan.EMULATOR_CANNOT_LIST.items():
            self.assertIn(f"{kind}: {reason}", self.page)


if __name__ == "__main__":
    unittest.main()
