"""The steps that the emulator of AWS cannot take, on paper: each with an AWS that answers as it should, and with one that does not."""

import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import plan
import steps
from aws import Aws, Unexpected
from botocore.exceptions import ClientError

HOLDER, STANDBY = "i-0aaaaaaaaaaaaaaa1", "i-0bbbbbbbbbbbbbbb2"
INTERFACE = "eni-0ddddddddddddddd1"


class Ssm:
    """Systems Manager: each command is first unknown, then in progress, and then has the output that `answers` gives."""

    def __init__(self, answers, online=(HOLDER, STANDBY)):
        self.answers, self.online = answers, online
        self.commands = []
        self.looks = 0

    def send_command(self, InstanceIds, DocumentName, Parameters):
        assert DocumentName == "AWS-RunShellScript"
        [instance], [script] = InstanceIds, Parameters["commands"]
        self.commands.append((instance, script))
        self.looks = 0
        return {"Command": {"CommandId": str(len(self.commands) - 1)}}

    def get_command_invocation(self, CommandId, InstanceId):
        self.looks += 1
        if self.looks == 1:
            raise ClientError({"Error": {"Code": "InvocationDoesNotExist", "Message": ""}}, "GetCommandInvocation")
        instance, script = self.commands[int(CommandId)]
        assert instance == InstanceId
        status, output = ("InProgress", "") if self.looks == 2 else self.answers(instance, script)
        return {"Status": status, "StandardOutputContent": output, "StandardErrorContent": "it broke\n"}

    def describe_instance_information(self, Filters):
        assert Filters == [{"Key": "InstanceIds", "Values": [HOLDER, STANDBY]}]
        return {"InstanceInformationList": [
            {"InstanceId": it, "PingStatus": "Online" if it in self.online else "ConnectionLost"} for it in (HOLDER, STANDBY)
        ]}


def report(outcome, *findings, **fields):
    listed = [{"severity": severity, "code": code} for severity, code in findings]
    return {"outcome": outcome, "reason": "test", "findings": listed} | fields


class OnPaper(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.aws = Aws.__new__(Aws)
        self.aws.region, self.aws.poll_seconds = "eu-west-1", 0
        names = ("cloudformation", "cloudwatch", "ec2", "iam", "ssm", "invoke", "sqs")
        self.aws.clients = {name: mock.Mock(name=name) for name in names}
        self.aws.clients["ec2"].describe_network_interfaces.return_value = {
            "NetworkInterfaces": [{"Attachment": {"InstanceId": HOLDER}, "MacAddress": "02:73:ae:2a:dc:81"}],
        }
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.run_ = steps.Run(self.aws, "token-failover-live-0123abcd", "123456789012", "aws", self.folder, None, None, False, print)
        self.run_.interface, self.run_.members, self.run_.hostid = INTERFACE, [HOLDER, STANDBY], "0273ae2adc81"
        self.run_.outputs = {"FunctionName": "function", "LogGroup": "group"}
        self.run_.around = {"QueueUrl": "queue"}
        # A wait looks once, or a few times.
        self.enterContext(mock.patch("aws.time.monotonic", side_effect=iter(range(0, 100_000, 60))))

    def take(self, name):
        [step] = [it for it in plan.STEPS if it.name == name]
        return self.run_.take(step)

    def assert_wrong(self, name, words):
        with self.assertRaises((steps.Wrong, Unexpected)) as caught:
            self.take(name)
        self.assertIn(words, str(caught.exception))

    def function_answers(self, *reports):
        """What the function answers to one request after the other. Returns the requests."""
        requests, answers = [], iter(reports)

        def invoke(FunctionName, Payload):
            requests.append(json.loads(Payload))
            body = json.dumps(next(answers)).encode()
            return {"Payload": mock.Mock(read=lambda: body)}

        self.aws.clients["invoke"].invoke.side_effect = invoke
        return requests

    # ---- boot ----

    def boots(self, holder="0\n0\n", standby="1\n241\n", status="Success", online=(HOLDER, STANDBY)):
        def answers(instance, script):
            if "token-server-files" in script:
                return status, ""
            return status, holder if instance == HOLDER else standby

        self.aws.clients["ssm"] = Ssm(answers, online)

    def test_lmgrd_runs_where_the_interface_is_and_only_there(self):
        self.boots()
        self.assertIn("only where the interface is", self.take("boot"))
        scripts = [script for _, script in self.aws.ssm.commands]
        self.assertEqual(2, sum("systemctl restart token-server-files" in script for script in scripts))

    def test_an_lmgrd_in_the_wrong_place_is_told(self):
        for wrong in ({"standby": "0\n0\n"}, {"holder": "0\n241\n"}, {"holder": "1\n241\n"}):
            with self.subTest(wrong):
                self.boots(**wrong)
                self.assert_wrong("boot", "exit statuses of token-server and lmutil")

    def test_an_instance_that_is_not_managed_or_fails_is_told(self):
        self.boots(online=[HOLDER])
        self.assert_wrong("boot", "the Systems Manager agents: not within 10 minutes")
        self.boots(status="Failed")
        self.assert_wrong("boot", f"the command on {HOLDER} is Failed: it broke")

    # ---- first-audit ----

    def queue_has(self, *batches):
        batches = iter(batches)
        self.aws.clients["sqs"].receive_message.side_effect = lambda **_: {"Messages": [
            {"Body": json.dumps({"Message": json.dumps(it)}), "ReceiptHandle": "handle"} for it in next(batches, [])
        ]}

    def audited(self, *findings, license="served", hostid="0273ae2adc81"):
        return report("audited", *findings, tokenServer={"hostid": hostid}, licenseCheck={"result": license})

    def test_the_first_audit_is_the_message_of_the_deployment(self):
        self.queue_has([], [{"AlarmName": "NothingRan"}], [self.audited(("warning", "standby-not-viable"))])
        self.assertEqual("it arrived after the deployment; warnings: standby-not-viable", self.take("first-audit"))
        self.assertEqual("audited", json.loads((self.folder / "audit.json").read_text())["outcome"])

    def test_an_audit_is_requested_if_the_deployment_was_missed(self):
        self.queue_has([], [], [], [], [], [self.audited()])
        requests = self.function_answers(self.audited())
        self.assertIn("on request", self.take("first-audit"))
        self.assertEqual([{"action": "audit"}], requests)

    def test_an_audit_with_a_critical_finding_or_without_a_license_is_told(self):
        for audit, words in (
            (self.audited(("critical", "no-subscription")), "no-subscription"),
            (self.audited(hostid="020000000001"), "020000000001"),
            (self.audited(license="unknown"), "the audit's license check is unknown"),
        ):
            with self.subTest(words):
                self.run_.received.clear()
                self.queue_has([audit])
                self.assert_wrong("first-audit", words)

    # ---- denied-attach ----

    DENIED, FINE = ("critical", "permission-denied"), report("audited")

    def has_role(self):
        self.aws.clients["cloudformation"].describe_stack_resource.return_value = {
            "StackResourceDetail": {"PhysicalResourceId": "the-role", "ResourceStatus": "CREATE_COMPLETE"},
        }

    def test_a_denied_attach_is_found_by_the_audit_and_stops_the_failover(self):
        self.has_role()
        requests = self.function_answers(
            self.FINE, report("audited", self.DENIED), report("refused", self.DENIED), report("audited", self.DENIED), self.FINE,
        )
        self.assertIn(f"the failover is refused (test), and {INTERFACE} stays on {HOLDER}", self.take("denied-attach"))
        self.assertEqual(["audit", "audit", "failover", "audit", "audit"], [it["action"] for it in requests])
        policy = json.loads(self.aws.iam.put_role_policy.call_args.kwargs["PolicyDocument"])
        self.assertEqual(("Deny", "ec2:AttachNetworkInterface"), (policy["Statement"][0]["Effect"], policy["Statement"][0]["Action"]))
        self.aws.iam.delete_role_policy.assert_called_once_with(RoleName="the-role", PolicyName="token-failover-live-denied")

    def test_a_failover_that_moves_in_spite_of_the_denial_is_told_and_the_policy_goes(self):
        self.has_role()
        self.function_answers(report("audited", self.DENIED), report("moved"))
        self.assert_wrong("denied-attach", "the failover without the permission is moved")
        self.aws.iam.delete_role_policy.assert_called_once()

    def test_a_denial_that_no_audit_sees_is_told_and_the_policy_goes(self):
        self.has_role()
        self.function_answers(*[self.FINE] * 20)
        self.assert_wrong("denied-attach", "an audit with permission-denied: not within 4 minutes")
        self.aws.iam.delete_role_policy.assert_called_once()

    # ---- failing-standby ----

    def statuses(self, *statuses):
        answers = iter(statuses)
        self.aws.clients["ec2"].describe_instance_status.side_effect = lambda **_: {
            "InstanceStatuses": [{"InstanceStatus": {"Status": next(answers)}}],
        }

    def test_a_standby_without_a_network_is_not_viable_until_its_reboot(self):
        self.boots()
        self.statuses("ok", "ok", "impaired", "impaired", "initializing", "ok")
        self.function_answers(report("audited", ("critical", "no-viable-standby")), self.FINE)
        self.assertIn(f"the audit says that {STANDBY} is not viable", self.take("failing-standby"))
        [(instance, script)] = self.aws.ssm.commands
        self.assertEqual(STANDBY, instance)
        self.assertIn('ip link set dev "$device" down', script)
        self.aws.ec2.reboot_instances.assert_called_once_with(InstanceIds=[STANDBY])

    def test_an_audit_that_does_not_see_the_failed_standby_is_told(self):
        self.boots()
        self.statuses("impaired")
        self.function_answers(self.FINE)
        self.assert_wrong("failing-standby", "the audit has the findings none, not no-viable-standby")

    def test_a_standby_whose_status_check_does_not_fail_is_told(self):
        self.boots()
        self.statuses(*["ok"] * 100)
        self.assert_wrong("failing-standby", f"the failed status check of {STANDBY}: not within 12 minutes")

    # ---- The exercises ----

    def command(self, script):
        self.statuses(*["ok"] * 10)
        self.aws.clients["ec2"].describe_instances.return_value = {"Reservations": [{"Instances": [{"State": {"Name": "running"}}]}]}
        self.run_.command = self.folder / "command"
        self.run_.command.write_text(f"#!/bin/sh\n{script}\n")
        self.run_.command.chmod(0o755)

    def test_the_exercise_gets_the_stack_the_region_and_the_files(self):
        self.command('echo "$AWS_REGION $*" >&2; echo \'{"schemaVersion":1,"result":"held"}\'')
        self.assertEqual("held", self.take("exercise-stop-holder"))
        self.assertEqual(
            "eu-west-1 --json exercise --stack-name token-failover-live-0123abcd --yes --stop-holder --return "
            f"--svg {self.folder}/exercise-stop-holder.svg --record {self.folder}/exercise-stop-holder.record.json\n",
            (self.folder / "exercise-stop-holder.log").read_text(),
        )

    def test_an_exercise_that_cannot_run_or_says_nothing_is_told(self):
        self.command("echo 'error: there is no stack' >&2; exit 2")
        self.assert_wrong("exercise", "ended with exit status 2: error: there is no stack")
        self.command("echo hello")
        self.assert_wrong("exercise", "printed no JSON document: 'hello\\n'")
        self.command('echo \'{"schemaVersion":1,"result":"not-held","problems":["It took too long."]}\'; exit 1')
        self.assert_wrong("exercise", "not-held: It took too long.")


if __name__ == "__main__":
    unittest.main()
