"""template.yaml as a deployed stack: an emulator of CloudFormation creates the stack, events invoke the built function
through the rules of the stack, and the function calls the project's simulator instead of EC2 and SNS.

The emulator is MiniStack. It has limits: it enforces no policy of the role, the key or the queues, it ignores the key of
a topic, it calculates no alarms from the metrics in the log, it does not retry failed invocations, so no message reaches
a dead-letter queue, and it ignores the processor.
"""

import json
import os
import sys
import tempfile
import time
import unittest
import zipfile
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError
from cfnlint.decode import decode

sys.path += [str(Path(__file__).parents[1] / folder) for folder in ("e2e", "template")]
import insights
from clouds import Simulator
from deployment import ACCOUNT, REGION, ROOT, stack_status
from harness import TARGET, Process, free_port, listens
from test_rules import EXPECTED

STACK = "token-failover"


class Emulator(Process):
    """MiniStack. The function inherits this environment, so its calls of EC2 and SNS go to the simulator."""

    def __init__(self, folder, simulator):
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        self.ahead = folder / "ahead"
        self.set_clock_ahead(0)
        server = Path(__file__).with_name("emulator.py")
        super().__init__([sys.executable, server, self.ahead], lambda _: listens(port), os.environ | {
            "AWS_ENDPOINT_URL_EC2": simulator.endpoint, "AWS_ENDPOINT_URL_SNS": simulator.endpoint,
            "BIND_HOST": "127.0.0.1", "MINISTACK_HOST": "127.0.0.1", "GATEWAY_PORT": str(port),
            "LAMBDA_EXECUTOR": "local", "MINISTACK_ACCOUNT_ID": ACCOUNT, "MINISTACK_REGION": REGION,
            "SFTP_ENABLED": "0", "IOT_MTLS_ENABLED": "0", "PERSIST_STATE": "0", "TMPDIR": str(folder),
        })

    def set_clock_ahead(self, seconds):
        """Sets the clock of the schedules forward. The emulator counts from its first check of a rule, so it needs time for that."""
        time.sleep(1)
        written = self.ahead.with_suffix(".new")
        written.write_text(str(seconds))
        written.replace(self.ahead)

    def client(self, service):
        return boto3.client(
            service, endpoint_url=self.endpoint, region_name=REGION, aws_access_key_id=ACCOUNT,
            aws_secret_access_key="test", config=Config(proxies={}, s3={"addressing_style": "path"}),
        )


def packaged():
    """The template as `sam deploy` sends it: with the location of the uploaded code, not yet translated."""
    template, faults = decode(str(ROOT / "template.yaml"))
    if faults:
        raise ValueError(faults)
    template["Resources"]["Failover"]["Properties"]["CodeUri"] = {"Bucket": "code", "Key": "bootstrap.zip"}
    return json.dumps(template)


class Deployment(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.simulator = cls.enterClassContext(Simulator())
        cls.emulator = cls.enterClassContext(Emulator(folder, cls.simulator))
        names = ("cloudformation", "cloudwatch", "events", "lambda", "logs", "s3", "sqs", "kms", "sns")
        cls.aws = {name: cls.emulator.client(name) for name in names}
        with zipfile.ZipFile(folder / "bootstrap.zip", "w") as code:
            code.write(TARGET / "token-failover-function", "bootstrap")
        cls.aws["s3"].create_bucket(Bucket="code", CreateBucketConfiguration={"LocationConstraint": REGION})
        cls.aws["s3"].upload_file(str(folder / "bootstrap.zip"), "code", "bootstrap.zip")
        cls.change("CREATE")
        [cls.stack] = cls.aws["cloudformation"].describe_stacks(StackName=STACK)["Stacks"]
        cls.outputs = {output["OutputKey"]: output["OutputValue"] for output in cls.stack["Outputs"]}

    @classmethod
    def change(cls, kind, stack=STACK, **changed):
        """Creates a change set as `sam deploy` does, executes it, and returns its changes."""
        cloudformation = cls.aws["cloudformation"]
        variables = cls.simulator.variables()
        parameters = {
            "TokenServerInterfaceId": variables["TOKEN_SERVER_INTERFACE_ID"],
            "TokenServerInstanceIds": variables["TOKEN_SERVER_INSTANCE_IDS"],
            "TokenServerName": variables["TOKEN_SERVER_NAME"],
            "TokenServerPorts": variables["TOKEN_SERVER_PORTS"],
            "TokenServerClients": variables["TOKEN_SERVER_CLIENTS"],
            "TokenServerAllocationId": variables["TOKEN_SERVER_ALLOCATION_ID"],
            "TokenServerHostid": variables["TOKEN_SERVER_HOSTID"],
            # The simulator has this topic. A topic of the stack would be in the emulator.
            "NotificationTopicArn": variables["NOTIFICATION_TOPIC_ARN"],
            # Slow enough not to run during the tests.
            "ReconcileSchedule": "rate(10 minutes)",
        } | changed
        # From the bucket, as SAM does: CloudFormation allows only 51,200 bytes in the call itself.
        cls.aws["s3"].put_object(Bucket="code", Key="template.json", Body=packaged().encode())
        change_set = cloudformation.create_change_set(
            StackName=stack, ChangeSetName=f"change-{time.monotonic_ns()}", ChangeSetType=kind,
            TemplateURL=f"{cls.emulator.endpoint}/code/template.json",
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        )["Id"]
        wait = {"Delay": 1, "MaxAttempts": 60}
        try:
            cloudformation.get_waiter("change_set_create_complete").wait(ChangeSetName=change_set, WaiterConfig=wait)
        except WaiterError:
            pass
        answer = cloudformation.describe_change_set(ChangeSetName=change_set)
        if answer["Status"] == "CREATE_COMPLETE":
            cloudformation.execute_change_set(ChangeSetName=change_set)
            done = "stack_create_complete" if kind == "CREATE" else "stack_update_complete"
            cloudformation.get_waiter(done).wait(StackName=stack, WaiterConfig=wait)
        return answer

    def setUp(self):
        self.simulator.reset()
        self.simulator.forget_calls()
        self.logged_before = len(self.log())

    def log(self):
        """All log lines of the function, in order."""
        pages = self.aws["logs"].get_paginator("filter_log_events").paginate(logGroupName=self.outputs["LogGroup"])
        events = [event for page in pages for event in page["events"]]
        return [event["message"] for event in sorted(events, key=lambda event: event["timestamp"])]

    def log_lines(self):
        """The log lines of the function since the test began."""
        return self.log()[self.logged_before:]

    def reports(self):
        lines = [json.loads(line) for line in self.log_lines() if line.startswith("{")]
        return [line["report"] for line in lines if line.get("type") == "report"]

    def reports_of(self, number, seconds=300):
        """The reports since the test began, as soon as there are this many and no more follow."""
        deadline = time.monotonic() + seconds
        while len(self.reports()) < number:
            lines = self.log_lines()
            # A failed invocation has no report, and the emulator does not retry it.
            if time.monotonic() > deadline or any('"type":"failure"' in line for line in lines):
                raise RuntimeError(f"{number} reports are due:\n" + "\n".join(lines))
            time.sleep(0.1)
        time.sleep(0.5)
        return self.reports()

    def put(self, *documents):
        """Puts events on the bus and returns their ids. The bus sets their ids and times."""
        entries = [
            {
                "Source": it["source"], "DetailType": it["detail-type"], "Detail": json.dumps(it["detail"]),
                "Resources": it.get("resources", []),
            }
            for it in documents
        ]
        answers = [self.aws["events"].put_events(Entries=[entry]) for entry in entries]
        self.assertEqual([0] * len(answers), [answer["FailedEntryCount"] for answer in answers])
        return [entry["EventId"] for answer in answers for entry in answer["Entries"]]

    def invoke(self, payload):
        answer = self.aws["lambda"].invoke(FunctionName=self.outputs["FunctionName"], Payload=json.dumps(payload))
        self.assertNotIn("FunctionError", answer)
        return json.loads(answer["Payload"].read())

    def event(self, name):
        return json.loads((ROOT / "events" / f"{name}.json").read_text())

    def test_an_event_invokes_the_function_only_if_a_rule_matches(self):
        # The holder is really stopped, and a dozen runs at once must make a single move.
        self.simulator.stop(self.simulator.holder)
        self.simulator.forget_calls()
        names = [path.stem for path in sorted((ROOT / "events").glob("*.json"))]
        names = [name for name in names if "detail-type" in self.event(name)]
        self.assertEqual(set(EXPECTED), set(names))
        ids = dict(zip(self.put(*map(self.event, names)), names, strict=True))

        expected = sorted(name for name, rule in EXPECTED.items() if rule)
        self.reports_of(len(expected))
        # The test checks the published messages, because a run of an earlier test may make the move.
        deadline = time.monotonic() + 300
        while not self.simulator.published() and time.monotonic() < deadline:
            time.sleep(0.1)
        reports = self.reports()
        ours = [report["trigger"]["id"] for report in reports if report["trigger"]["id"] in ids]
        self.assertEqual(expected, sorted(ids[identifier] for identifier in ours))
        told = [(report["outcome"], report["reason"], report["steps"]) for report in reports]
        self.assertLessEqual([outcome for outcome, _, _ in told].count("moved"), 1, told)
        # A report is published at least once: if the run that moved the interface ends before it has published, several of
        # the runs that overlap may do it instead. There is one move all the same.
        published = [message.report for message in self.simulator.published()]
        moves = {report["move"]["attachmentId"] for report in published if report["outcome"] == "moved"}
        self.assertEqual(1, len(moves), ([report["outcome"] for report in published], told))
        self.assertEqual(self.simulator.standby, self.simulator.network_interface()["Attachment"]["InstanceId"])

    def test_the_patterns_of_the_deployed_rules_are_those_that_were_tested(self):
        rules = {
            resource["LogicalResourceId"]: self.aws["events"].describe_rule(Name=resource["PhysicalResourceId"])
            for resource in self.resources("AWS::Events::Rule")
        }
        stack = self.stack["StackId"]
        for name, rule in EXPECTED.items():
            event = self.event(name)
            # TestEventPattern requires a whole event. Some of AWS's own events lack these fields.
            event = {"version": "0", "resources": []} | event
            self.assertEqual([rule] if rule else [], self.matching(rules, event), name)
        self.assertEqual(["FailoverDeployed"], self.matching(rules, stack_status("UPDATE_COMPLETE", stack)))
        self.assertEqual([], self.matching(rules, stack_status("UPDATE_IN_PROGRESS", stack)))

    def matching(self, rules, event):
        matches = self.aws["events"].test_event_pattern
        return [
            name for name, rule in rules.items()
            if "EventPattern" in rule and matches(EventPattern=rule["EventPattern"], Event=json.dumps(event))["Result"]
        ]

    def functions(self):
        return [function["FunctionName"] for function in self.aws["lambda"].list_functions()["Functions"]]

    def resources(self, kind, stack=STACK):
        resources = self.aws["cloudformation"].describe_stack_resources(StackName=stack)["StackResources"]
        return [resource for resource in resources if resource["ResourceType"] == kind]

    def test_a_stopped_holder_leads_to_a_move_a_message_and_a_row_on_the_dashboard(self):
        cloud = self.simulator
        cloud.stop(cloud.holder)
        cloud.forget_calls()
        [event] = self.put(self.event("holder-stopped"))
        [report] = self.reports_of(1)
        self.assertEqual(("moved", event), (report["outcome"], report["trigger"]["id"]))
        self.assertEqual((cloud.holder, cloud.standby), (report["move"]["from"], report["move"]["to"]))
        self.assertEqual(cloud.standby, cloud.network_interface()["Attachment"]["InstanceId"])
        [message] = cloud.published()
        self.assertEqual(report["move"], message.report["move"])
        self.assertEqual("moved", message.attributes["outcome"])

        group, rows = insights.run(self.query("Last events"), self.log_lines())
        self.assertEqual(self.outputs["LogGroup"], group)
        self.assertEqual([("moved", cloud.holder, cloud.standby)], [
            (row["outcome"], row["movedFrom"], row["movedTo"]) for row in rows
        ])

    def query(self, title):
        body = self.aws["cloudwatch"].get_dashboard(DashboardName=self.outputs["Dashboard"])["DashboardBody"]
        widgets = [widget["properties"] for widget in json.loads(body)["widgets"]]
        [query] = [it["query"] for it in widgets if it["title"].startswith(title)]
        return query

    def test_the_schedules_start_a_reconcile_and_an_audit(self):
        self.emulator.set_clock_ahead(3600)
        self.addCleanup(self.emulator.set_clock_ahead, 0)
        reports = self.reports_of(2)
        self.assertEqual(["audited", "no-action"], sorted(report["outcome"] for report in reports))
        self.assertEqual(["audit", "schedule"], sorted(report["trigger"]["kind"] for report in reports))

    def test_a_deployment_ends_with_an_audit(self):
        stack = self.stack["StackId"]
        self.put(*(stack_status(status, stack) for status in ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE")))
        [report] = self.reports_of(1)
        self.assertEqual(("audited", "audit"), (report["outcome"], report["trigger"]["kind"]))
        # The same as the answer to an operator.
        asked = self.invoke(self.event("operator-audit"))
        self.assertEqual(report["findings"], asked["findings"])

    def test_deploying_the_same_template_again_changes_nothing(self):
        again = self.change("UPDATE")
        self.assertEqual(("FAILED", []), (again["Status"], again["Changes"]))
        self.assertIn("didn't contain changes", again["StatusReason"])
        self.assertEqual("no-action", self.invoke(self.event("operator-reconcile"))["outcome"])

    def test_by_default_the_stack_creates_a_topic_and_a_key(self):
        self.change("CREATE", "by-default", NotificationTopicArn="")
        [topic], [key] = (self.resources(kind, "by-default") for kind in ("AWS::SNS::Topic", "AWS::KMS::Key"))
        arn = self.aws["kms"].describe_key(KeyId=key["PhysicalResourceId"])["KeyMetadata"]["Arn"]
        self.assertTrue(self.aws["kms"].get_key_rotation_status(KeyId=arn)["KeyRotationEnabled"])
        for queue in self.resources("AWS::SQS::Queue", "by-default"):
            url = queue["PhysicalResourceId"]
            attributes = self.aws["sqs"].get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            self.assertEqual(arn, attributes["KmsMasterKeyId"])
        alarms = self.aws["cloudwatch"].describe_alarms(AlarmNamePrefix="by-default-")["MetricAlarms"]
        self.assertEqual({(topic["PhysicalResourceId"],)}, {tuple(alarm["AlarmActions"]) for alarm in alarms})
        self.assertEqual(7, len(alarms))

    def test_a_topic_in_another_region_is_accepted(self):
        topic = f"arn:aws:sns:us-east-1:{ACCOUNT}:on-call"
        self.change("CREATE", "elsewhere", NotificationTopicArn=topic)
        [stack] = self.aws["cloudformation"].describe_stacks(StackName="elsewhere")["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        self.assertEqual(topic, outputs["TopicArn"])
        self.assertRegex(outputs["AlarmTopic"], "^none, because CloudWatch publishes only to topics in its own Region")
        alarms = self.aws["cloudwatch"].describe_alarms(AlarmNamePrefix="elsewhere-")["MetricAlarms"]
        self.assertEqual([[]] * 7, [alarm["AlarmActions"] for alarm in alarms])

    def test_a_stack_with_only_one_instance_is_not_created(self):
        with self.assertRaisesRegex(ClientError, "'TokenServerInstanceIds' must be two to twenty instance ids"):
            self.change("CREATE", "too-small", TokenServerInstanceIds=self.simulator.holder)
        self.assertEqual([], [it for it in self.functions() if it.startswith("too-small")])

    def test_a_deleted_stack_leaves_only_its_log_group(self):
        self.change("CREATE", "short-lived")
        [group] = self.resources("AWS::Logs::LogGroup", "short-lived")
        cloudformation = self.aws["cloudformation"]
        wait = {"Delay": 1, "MaxAttempts": 60}
        cloudformation.delete_stack(StackName="short-lived")
        cloudformation.get_waiter("stack_delete_complete").wait(StackName="short-lived", WaiterConfig=wait)
        groups = self.aws["logs"].describe_log_groups(logGroupNamePrefix=group["PhysicalResourceId"])["logGroups"]
        self.assertEqual([group["PhysicalResourceId"]], [it["logGroupName"] for it in groups])
        self.assertEqual([], [it["Name"] for it in self.aws["events"].list_rules()["Rules"] if "short-lived" in it["Name"]])
        self.assertEqual([], self.aws["cloudwatch"].describe_alarms(AlarmNamePrefix="short-lived-")["MetricAlarms"])
        self.assertEqual([], self.aws["cloudwatch"].list_dashboards(DashboardNamePrefix="short-lived")["DashboardEntries"])


if __name__ == "__main__":
    unittest.main()
