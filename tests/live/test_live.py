"""The acceptance run, tried in an emulator of AWS. Whatever happens in a run, the account is as it was before.

The exercise is a stand-in here, except in one test, because it takes longer. plan.py lists what the emulator cannot do.
"""

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import zipfile
from pathlib import Path
from unittest import mock

import boto3
import live
import plan
from aws import Aws, Unexpected
from emulated import ROOT, Account
from harness import TARGET
from steps import Run, Wrong

HERE = Path(__file__).parent
TAKEN = [step for step, left_out in plan.chosen(emulated=True) if left_out is None]


class Recorder(Aws):
    """The calls of a run, with what it says between them. `before` sees each call, and may answer in place of AWS."""

    def __init__(self, session, poll_seconds, events, before):
        super().__init__(session, poll_seconds)
        for client in self.clients.values():
            client.meta.events.register("before-call", lambda model, **_: before(events, model.name))


def record(events, call):
    events.append(call)


class Trial(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.account = cls.enterClassContext(Account())
        cls.enterClassContext(mock.patch.dict(os.environ, cls.account.environment() | {"LIVE_YES": ""}))
        folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        # As a release has it: the template beside the zip.
        with zipfile.ZipFile(folder / "function.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as code:
            code.write(TARGET / "token-failover-function", "bootstrap")
        cls.template = folder / "template.yaml"
        cls.template.write_text((ROOT / "template.yaml").read_text().replace("CodeUri: .\n", "CodeUri: function.zip\n"))
        # One for all runs, because it takes a second to load what boto3 knows of the services.
        cls.enterClassContext(mock.patch.object(live, "session", return_value=live.session()))
        cls.before = cls.everything()

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        # `main` installs handlers for signals.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self.addCleanup(signal.signal, number, signal.getsignal(number))

    def words(self, *more, command=TARGET / "token-failover"):
        return [
            "--emulator", "--poll", "0.1", "--folder", str(self.folder), "--template", str(self.template),
            "--command", str(command), *more,
        ]

    def run_live(self, *more, **command):
        """A run in this process: its exit status, its result, and what it said."""
        output, said = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(said):
            status = live.main(self.words(*more, **command))
        return status, json.loads(output.getvalue() or "null"), said.getvalue()

    @classmethod
    def everything(cls):
        """All that the account has, asked without the code of the run."""
        client = cls.account.client
        ec2 = client("ec2")
        reservations = ec2.describe_instances()["Reservations"]
        instances = [it for reservation in reservations for it in reservation["Instances"]]
        keys = [client("kms").describe_key(KeyId=it["KeyId"])["KeyMetadata"] for it in client("kms").list_keys()["Keys"]]
        return {
            "instances": {it["InstanceId"] for it in instances if it["State"]["Name"] != "terminated"},
            "volumes": {it["VolumeId"] for it in ec2.describe_volumes()["Volumes"]},
            # moto keeps the primary interface of a terminated instance. EC2 deletes it.
            "interfaces": {
                it["NetworkInterfaceId"] for it in ec2.describe_network_interfaces()["NetworkInterfaces"]
                if it.get("Attachment", {}).get("DeviceIndex") != 0
            },
            "addresses": {it["AllocationId"] for it in ec2.describe_addresses()["Addresses"]},
            "groups": {it["GroupId"] for it in ec2.describe_security_groups()["SecurityGroups"]},
            "endpoints": {it["VpcEndpointId"] for it in ec2.describe_vpc_endpoints()["VpcEndpoints"] if it["State"] != "deleted"},
            "route tables": {it["RouteTableId"] for it in ec2.describe_route_tables()["RouteTables"]},
            "gateways": {it["InternetGatewayId"] for it in ec2.describe_internet_gateways()["InternetGateways"]},
            "subnets": {it["SubnetId"] for it in ec2.describe_subnets()["Subnets"]},
            "networks": {it["VpcId"] for it in ec2.describe_vpcs()["Vpcs"]},
            "stacks": {it["StackName"] for it in client("cloudformation").describe_stacks()["Stacks"]},
            "functions": {it["FunctionName"] for it in client("lambda").list_functions()["Functions"]},
            "topics": {it["TopicArn"] for it in client("sns").list_topics()["Topics"]},
            "subscriptions": {it["SubscriptionArn"] for it in client("sns").list_subscriptions()["Subscriptions"]},
            "queues": set(client("sqs").list_queues().get("QueueUrls", [])),
            "buckets": {it["Name"] for it in client("s3").list_buckets()["Buckets"]},
            "rules": {it["Name"] for it in client("events").list_rules()["Rules"]},
            "alarms": {it["AlarmName"] for it in client("cloudwatch").describe_alarms()["MetricAlarms"]},
            "dashboards": {it["DashboardName"] for it in client("cloudwatch").list_dashboards()["DashboardEntries"]},
            "log groups": {it["logGroupName"] for it in client("logs").describe_log_groups()["logGroups"]},
            "roles": {it["RoleName"] for it in client("iam").list_roles()["Roles"]},
            "profiles": {it["InstanceProfileName"] for it in client("iam").list_instance_profiles()["InstanceProfiles"]},
            "keys": {it["KeyId"] for it in keys if it["KeyState"] != "PendingDeletion"},
        }

    def assert_gone(self):
        self.assertEqual(self.before, self.everything())

    def only(self, *names):
        """Of the steps that only look, a run takes those with these names. The others hold at once."""
        take = Run.take

        def taken(run, step):
            return take(run, step) if step.makes or step.name in names else "not taken"

        self.enterContext(mock.patch.object(Run, "take", taken))

    def outcomes(self, document):
        return {it["step"]: it["result"] for it in document["steps"]}

    # ---- A whole run ----

    def test_a_whole_run_holds_and_leaves_nothing(self):
        status, document, said = self.run_live("--yes")
        expected = {
            step.name: "held" if left_out is None else "left-out" for step, left_out in plan.chosen(emulated=True)
        }
        self.assertEqual((expected, 0, []), (self.outcomes(document), status, document["left"]), said)
        self.assert_gone()
        # Each gap of the emulator is in the result, with its reason.
        for name, reason in plan.EMULATOR_LACKS.items():
            self.assertRegex(said, rf"{name} +left out +{reason}\n")
        [folder] = self.folder.iterdir()
        self.assertEqual(document, json.loads((folder / "result.json").read_text()))
        self.assertIn(f"Nothing of {folder.name} is left.", (folder / "result.txt").read_text())
        for name in ("exercise", "exercise-stop-holder", "exercise-one-way"):
            self.assertIn("</svg>", (folder / f"{name}.svg").read_text())
            self.assertIn("schemaVersion", json.loads((folder / f"{name}.record.json").read_text()))
            self.assertEqual("held", json.loads((folder / f"{name}.json").read_text())["result"])
        self.assertEqual("audited", json.loads((folder / "audit.json").read_text())["outcome"])
        # AWS deletes the key of the stack later.
        self.assertRegex(document["expires"][0], r"^AWS deletes the key [0-9a-f-]+ on ")

    def test_a_step_that_does_not_hold_is_named_and_the_run_goes_on(self):
        self.only("alarms", "standby-alarm")
        with mock.patch.object(Run, "alarms", side_effect=Wrong("an alarm did not arrive")):
            status, document, said = self.run_live("--yes")
        outcomes = self.outcomes(document)
        self.assertEqual((1, "not-held", "held"), (status, outcomes["alarms"], outcomes["standby-alarm"]), said)
        self.assertIn("NOT HELD", said)
        self.assert_gone()

    def test_an_exercise_that_cannot_run_or_does_not_hold_is_told_apart(self):
        self.only("exercise")
        not_held = json.dumps({"schemaVersion": 1, "result": "not-held", "problems": ["It took too long."]})
        commands = {
            f"echo '{not_held}'; exit 1": (1, "not-held", "It took too long."),
            "echo 'no such stack' >&2; exit 2": (2, "failed", "exit status 2: no such stack"),
        }
        for command, (status, result, why) in commands.items():
            script = self.template.with_name("exercise")
            script.write_text(f"#!/bin/sh\n{command}\n")
            script.chmod(0o755)
            with self.subTest(result):
                exit_status, document, said = self.run_live("--yes", command=script)
                self.assertEqual((status, result), (exit_status, self.outcomes(document)["exercise"]), said)
                self.assertIn(why, said)
                self.assert_gone()

    # ---- Failures ----

    def test_a_run_of_the_function_that_ends_after_its_log_is_gone_does_not_bring_the_log_back(self):
        self.only("exercise")
        logs, function, seen = self.account.client("logs"), self.account.client("lambda"), []

        def exercise():
            groups = [it["logGroupName"] for it in logs.describe_log_groups()["logGroups"]]
            for group in groups:
                logs.delete_log_group(logGroupName=group)
            [name] = [it["FunctionName"] for it in function.list_functions()["Functions"]]
            answer = function.invoke(FunctionName=name, Payload=b'{"action":"plan"}')
            seen.append((len(groups), answer.get("FunctionError"), logs.describe_log_groups()["logGroups"]))
            return "held"

        with mock.patch.object(Run, "exercise", side_effect=exercise):
            status, document, said = self.run_live("--yes")
        self.assertEqual(([(1, None, [])], 0, []), (seen, status, document["left"]), said)
        self.assert_gone()

    def test_after_a_failure_at_any_step_nothing_is_left(self):
        take = Run.take
        for position, failing in enumerate(TAKEN):
            def broken(run, step, failing=failing):
                seen = take(run, step) if step.makes or step == failing else "not taken"
                if step == failing:
                    raise RuntimeError(f"{failing.name} failed after {seen}")
                return seen

            with self.subTest(failing.name), mock.patch.object(Run, "take", broken):
                status, document, said = self.run_live("--yes")
                outcomes = self.outcomes(document)
                taken = [outcomes[step.name] for step in TAKEN]
                self.assertEqual(["held"] * position + ["failed"] + ["not-reached"] * (len(TAKEN) - position - 1), taken, said)
                self.assertEqual((2, []), (status, document["left"]), said)
                self.assertIn(f"{failing.name} failed after", document["ended"])
                self.assert_gone()

    def test_a_stack_that_cannot_be_created_ends_the_run_with_the_reason(self):
        template = self.template.with_name("broken.yaml")
        stray = "Stray: { Type: AWS::EC2::Subnet, Properties: { VpcId: vpc-0, CidrBlock: 10.0.0.0/24, AvailabilityZone: eu-west-1a } }"
        template.write_text(self.template.read_text().replace("\nResources:\n", f"\nResources:\n  {stray}\n"))
        status, document, said = self.run_live("--yes", "--template", str(template))
        outcomes = self.outcomes(document)
        self.assertEqual((2, "failed", "not-reached"), (status, outcomes["function"], outcomes["first-audit"]), said)
        self.assertRegex(document["ended"], r"^function: stack \S+ is ROLLBACK_COMPLETE: Stray: .*InvalidVpcID\.NotFound")
        self.assertEqual([], document["left"])
        self.assert_gone()

    # ---- Signals ----

    def started(self, until):
        """A run in a process of its own that has said this."""
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(
            [sys.executable, str(HERE), *self.words("--yes")], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )
        said = []
        for line in process.stderr:
            said.append(line)
            if line.startswith(until):
                return process, said
        self.fail(f"the run ended before: {''.join(said)}")

    def ended(self, process, said):
        output, rest = process.communicate(timeout=600)
        return process.returncode, json.loads(output), "".join(said) + rest

    def test_a_signal_in_the_middle_removes_everything(self):
        for until, number in (("pair:", signal.SIGINT), ("exercise:", signal.SIGHUP)):
            with self.subTest(until):
                process, said = self.started(until)
                process.send_signal(number)
                status, document, text = self.ended(process, said)
                self.assertEqual((2, f"interrupted ({number.name})", []), (status, document["ended"], document["left"]), text)
                self.assertEqual("failed", self.outcomes(document)[until.strip(":")])
                self.assert_gone()

    def test_a_second_signal_ends_the_removal_and_the_run_says_what_is_left(self):
        process, said = self.started("function:")
        process.send_signal(signal.SIGTERM)
        for line in process.stderr:
            said.append(line)
            if line.startswith("removing the stack of the function"):
                break
        process.send_signal(signal.SIGINT)
        status, document, text = self.ended(process, said)
        self.assertEqual(3, status, text)
        left = {(it["kind"], it["name"]): it["command"] for it in document["left"]}
        pair = f"{document['name']}-pair"
        self.assertEqual(f"aws cloudformation delete-stack --stack-name {pair} --region eu-west-1", left["stack", pair], text)
        self.assertIn(f"make live-remove NAME={document['name']}", text)

        status, _, said = self.run_live("--remove", document["name"])
        self.assertEqual(0, status, said)
        self.assertIn(f"Nothing of {document['name']} is left.", said)
        self.assert_gone()

    # ---- The disk ----

    def test_a_folder_that_is_lost_in_the_middle_leaves_nothing_behind(self):
        self.only("first-audit")
        real = Run.license

        def lost(run):
            shutil.rmtree(run.folder)
            return real(run)

        with mock.patch.object(Run, "license", lost):
            status, document, said = self.run_live("--yes")
        self.assertEqual([], document["left"], said)
        self.assertEqual(2, status, said)
        self.assertIn("log.txt ends here: ", said)
        self.assertIn("The results could not be written to ", said)
        self.assert_gone()

    # ---- Credentials ----

    def with_calls(self, before):
        """Lets `before` see each call of a run. Returns the list that it fills."""
        events = []
        self.enterContext(mock.patch.object(live, "Aws", lambda session, poll: Recorder(session, poll, events, before)))
        return events

    def test_expired_credentials_in_the_middle_leave_a_list_of_names_and_commands(self):
        expired = {"Error": {"Code": "ExpiredToken", "Message": "The security token included in the request is expired"},
                   "ResponseMetadata": {"HTTPStatusCode": 400}}
        events = []

        def before(_, call):
            if events:
                return mock.Mock(status_code=400), expired
            return None

        self.with_calls(before)
        with mock.patch.object(Run, "exercise", side_effect=lambda: events.append("expired") or "held"):
            status, document, said = self.run_live("--yes")
        name = document["name"]
        self.assertEqual(3, status, said)
        left = {(it["kind"], it["name"]): it for it in document["left"]}
        for stack in (name, f"{name}-pair", f"{name}-surroundings"):
            self.assertIn("ExpiredToken", left["stack", stack]["why"])
            self.assertEqual(f"aws cloudformation delete-stack --stack-name {stack} --region eu-west-1",
                             left["stack", stack]["command"])
        self.assertIn(("network interface", f'"{name}-pair license"'), left)
        for it in document["left"]:
            self.assertIn(f"- {it['kind']} {it['name']}: ", said)
            self.assertIn(f"  {it['command']}\n", said)
        self.assertIn(f"With valid credentials, this removes all of it: make live-remove NAME={name}", said)

        events.clear()
        status, _, said = self.run_live("--remove", name)
        self.assertEqual(0, status, said)
        self.assert_gone()

    def test_without_credentials_nothing_is_made(self):
        with mock.patch.dict(os.environ, {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}):
            del os.environ["AWS_ACCESS_KEY_ID"]
            with mock.patch.object(live, "session", boto3.Session):
                for words, done in ((["--yes"], "made"), (["--remove", "token-failover-live-0123abcd"], "removed")):
                    status, document, said = self.run_live(*words)
                    self.assertEqual((2, None), (status, document))
                    self.assertRegex(said, rf"^Nothing was {done}\. AWS cannot be asked \(NoCredentialsError\)")

    # ---- The cost, and the question ----

    def test_the_cost_comes_before_the_first_call_that_makes_anything(self):
        self.only("first-audit")
        events = self.with_calls(record)
        say = live.Teller.__call__
        with mock.patch.object(live.Teller, "__call__", lambda teller, text: (events.append(text), say(teller, text))):
            status, _, said = self.run_live("--yes")
        self.assertEqual(0, status, said)
        cost = next(position for position, event in enumerate(events) if "US cents" in event)
        self.assertEqual(["GetCallerIdentity"], events[:cost])
        changes = [call for call in events if call.startswith(("Create", "Put", "Subscribe", "Run", "Allocate"))]
        self.assertEqual("CreateStack", changes[0])
        self.assertGreater(events.index("CreateStack"), cost)

    def test_without_confirmation_nothing_is_made(self):
        for typed, is_terminal in (("", False), ("no\n", True), ("\n", True), ("", True)):
            with self.subTest(typed=typed, is_terminal=is_terminal):
                events = self.with_calls(record)
                stdin = io.StringIO(typed)
                stdin.isatty = lambda is_terminal=is_terminal: is_terminal
                with mock.patch.object(sys, "stdin", stdin):
                    status, document, said = self.run_live()
                self.assertEqual((2, None), (status, document))
                self.assertEqual(["GetCallerIdentity"], events)
                self.assertTrue(said.startswith("This run costs about "), said)
                self.assertTrue(said.endswith("Nothing was made.\n"), said)
                self.assertEqual([], list(self.folder.iterdir()))
        self.assert_gone()

    def test_a_typed_yes_or_the_variable_is_a_confirmation(self):
        stdin = io.StringIO("yes\n")
        stdin.isatty = lambda: True
        for variables, typed in (({"LIVE_YES": "1"}, io.StringIO()), ({}, stdin)):
            with self.subTest(variables), mock.patch.dict(os.environ, variables), mock.patch.object(sys, "stdin", typed), \
                    mock.patch.object(Run, "take", side_effect=Unexpected("it began")):
                status, document, said = self.run_live()
                self.assertEqual((2, "surroundings: it began"), (status, document["ended"]), said)
        self.assert_gone()


if __name__ == "__main__":
    unittest.main()
