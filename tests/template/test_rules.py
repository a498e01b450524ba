"""Each event in events/ against each rule of the stack.

TestEventPattern of MiniStack decides, because no linter finds a misspelled key in a pattern: such a rule is valid and
never matches.
"""

import json
import os
import sys
import unittest
from pathlib import Path

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from deployment import BY_TAG, HOLDER, REGION, ROOT, STACK_ID, NON_MEMBER, deploy, stack_status

sys.path.append(str(Path(__file__).parents[1] / "e2e"))
from harness import Process, free_port, listens

# The rule that each event must match. An event that is not listed fails the test.
STATE_CHANGE, SPOT, REBALANCE, GROUP, ALARM, HEALTH, DEPLOYED = (
    "FailoverStateChange", "FailoverSpotInterruption", "FailoverRebalanceRecommended", "FailoverGroupTerminates",
    "FailoverAlarmRaised", "FailoverRetirementScheduled", "FailoverDeployed",
)
EXPECTED = {
    "holder-stopping": STATE_CHANGE,
    "holder-stopped": STATE_CHANGE,
    "holder-shutting-down": STATE_CHANGE,
    "holder-terminated": STATE_CHANGE,
    "holder-running": STATE_CHANGE,
    "standby-running": STATE_CHANGE,
    "standby-stopped": STATE_CHANGE,
    "holder-stopping-replayed": STATE_CHANGE,
    "holder-stopped-without-version": STATE_CHANGE,
    # A pattern cannot test the partition, and need not: the event bus of eu-west-1 never carries this event.
    "holder-stopped-govcloud": STATE_CHANGE,
    "holder-spot-interruption": SPOT,
    "standby-spot-interruption": SPOT,
    "holder-rebalance-recommendation": REBALANCE,
    "holder-lifecycle-action": GROUP,
    "standby-lifecycle-action": GROUP,
    "holder-alarm-status-check": ALARM,
    "holder-alarm-attached-ebs-check": ALARM,
    "holder-alarm-cpu": ALARM,
    "standby-alarm-status-check": ALARM,
    "holder-health-retirement": HEALTH,
    "holder-health-retirement-persistent": HEALTH,
    "holder-health-retirement-expedited": HEALTH,
    "holder-health-retirement-id-and-arn": HEALTH,
    "holder-health-retirement-entity-unknown": HEALTH,
    "holder-health-stop": HEALTH,
    "holder-health-reboot": HEALTH,
    "standby-health-power-maintenance": HEALTH,
    # A pattern cannot test the Region: AWS Health sends this event only to a stack in the backup Region.
    "holder-health-retirement-backup-region": HEALTH,
    # The function decides whether the event is over: older events have no status that a pattern could test.
    "holder-health-retirement-closed": HEALTH,
    # The function cannot use a pending instance yet; `running` follows.
    "holder-pending": None,
    "stranger-stopped": None,
    # To a pattern, an event with such an id is not about a member. The next reconcile reads the state.
    "holder-stopped-leading-blank": None,
    "holder-alarm-status-check-ok": None,
    "holder-alarm-insufficient-data": None,
    "cloudtrail-stop-instances": None,
    # A schedule sends it to its own target, without a pattern.
    "schedule": None,
}
# With a tag, the rules match every instance, because no event has the tags of its instance.
EXPECTED_BY_TAG = EXPECTED | {"stranger-stopped": STATE_CHANGE}


class MiniStack(Process):
    """MiniStack, on a free port of the loopback interface."""

    def __init__(self):
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        super().__init__([sys.executable, "-m", "ministack"], lambda _: listens(port), os.environ | {
            "BIND_HOST": "127.0.0.1", "MINISTACK_HOST": "127.0.0.1", "GATEWAY_PORT": str(port),
            "MINISTACK_REGION": REGION, "SFTP_ENABLED": "0", "IOT_MTLS_ENABLED": "0", "PERSIST_STATE": "0",
        })

    def events(self):
        session = botocore.session.Session()
        session.set_credentials("test", "test")
        return session.create_client("events", region_name=REGION, endpoint_url=self.endpoint, config=Config(proxies={}))


class Rules(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.events = cls.enterClassContext(MiniStack()).events()
        cls.rules = deploy().of_type("AWS::Events::Rule")
        cls.patterns, cls.patterns_by_tag = (
            {
                name: rule["EventPattern"]
                for name, rule in deploy(**members).of_type("AWS::Events::Rule").items() if "EventPattern" in rule
            }
            for members in ({}, BY_TAG)
        )

    def matches(self, pattern, event):
        return self.events.test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(event))["Result"]

    def test_each_event_matches_its_rule_and_no_other(self):
        documents = {path.stem: json.loads(path.read_text()) for path in (ROOT / "events").glob("*.json")}
        # A request of an operator or an alarm to the function is not an event.
        events = {name: event for name, event in documents.items() if "detail-type" in event}
        for patterns, expected in ((self.patterns, EXPECTED), (self.patterns_by_tag, EXPECTED_BY_TAG)):
            matched = {
                name: [rule for rule, pattern in patterns.items() if self.matches(pattern, event)]
                for name, event in events.items()
            }
            self.assertEqual({name: [rule] if rule else [] for name, rule in expected.items()}, matched)

    def test_every_rule_is_matched_by_some_event(self):
        self.assertEqual(set(self.patterns), {DEPLOYED, *filter(None, EXPECTED.values())})
        self.assertEqual(set(self.patterns), set(self.patterns_by_tag))

    def test_a_tag_changes_only_the_instances_that_the_rules_match(self):
        def anyone(value):
            """The pattern with any instance in place of the members."""
            if isinstance(value, dict):
                return {key: anyone(item) for key, item in value.items()}
            return [{"prefix": "i-"}] if value and value[0] == HOLDER else value

        for name, pattern in self.patterns.items():
            self.assertEqual(anyone(pattern), self.patterns_by_tag[name], name)

    def test_the_end_of_every_deployment_of_this_stack_and_of_no_other_starts_an_audit(self):
        def rules(status, stack=STACK_ID):
            event = stack_status(status, stack)
            return [rule for rule, pattern in self.patterns.items() if self.matches(pattern, event)]

        self.assertEqual(
            {
                "CREATE_IN_PROGRESS": [],
                "CREATE_COMPLETE": [DEPLOYED],
                "UPDATE_IN_PROGRESS": [],
                "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": [],
                "UPDATE_COMPLETE": [DEPLOYED],
                "UPDATE_ROLLBACK_IN_PROGRESS": [],
                "UPDATE_ROLLBACK_COMPLETE": [DEPLOYED],
                # The stack is deleted, or will be soon.
                "ROLLBACK_COMPLETE": [],
                "DELETE_IN_PROGRESS": [],
            },
            {status: rules(status) for status in (
                "CREATE_IN_PROGRESS", "CREATE_COMPLETE", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
                "UPDATE_COMPLETE", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE",
                "DELETE_IN_PROGRESS",
            )},
        )
        self.assertEqual([], rules("UPDATE_COMPLETE", STACK_ID.replace(":stack/", ":stack/payroll-")))

    def test_of_aws_health_only_scheduled_changes_of_ec2_reach_the_function(self):
        def rules(**changes):
            event = json.loads((ROOT / "events" / "holder-health-stop.json").read_text())
            event["detail"] |= changes
            return [rule for rule, pattern in self.patterns.items() if self.matches(pattern, event)]

        # AWS publishes no list of its codes, so a list in the pattern would be incomplete.
        for code in (
            "AWS_EC2_INSTANCE_NETWORK_MAINTENANCE_SCHEDULED", "AWS_EC2_INSTANCE_REBOOT_FLEXIBLE_MAINTENANCE_SCHEDULED",
            "AWS_EC2_INSTANCE_RETIREMENT_EXPEDITED", "AWS_EC2_INSTANCE_TERMINATION_SCHEDULED",
            "AWS_EC2_PERSISTENT_INSTANCE_POWER_MAINTENANCE_SCHEDULED", "AWS_EC2_SYSTEM_REBOOT_MAINTENANCE_SCHEDULED",
            "AWS_EC2_SYSTEM_MAINTENANCE_EVENT", "AWS_EC2_SOMETHING_NEW_SCHEDULED",
        ):
            self.assertEqual([HEALTH], rules(eventTypeCode=code), code)
        for changes in (
            {"service": "RDS"}, {"eventTypeCategory": "issue"}, {"eventTypeCategory": "accountNotification"},
        ):
            self.assertEqual([], rules(**changes), changes)

    def test_only_the_rules_and_alarms_of_this_account_and_region_may_invoke_the_function(self):
        function = deploy().resources["AlarmsMayCall"]["FunctionName"]
        permissions = deploy().of_type("AWS::Lambda::Permission").values()
        others = [it for it in permissions if it["Principal"] != "events.amazonaws.com"]
        self.assertEqual([{
            "Action": "lambda:InvokeFunction",
            "FunctionName": function,
            "Principal": "lambda.alarms.cloudwatch.amazonaws.com",
            "SourceAccount": "123456789012",
            "SourceArn": f"arn:aws:cloudwatch:{REGION}:123456789012:alarm:*",
        }], others)
        # Each permission of a rule names the rule.
        self.assertTrue(all("SourceArn" in it for it in permissions))

    def test_an_alarm_about_a_non_member_matches_a_rule_only_if_a_tag_names_the_members(self):
        event = (ROOT / "events" / "holder-alarm-status-check.json").read_text().replace(HOLDER, NON_MEMBER)
        self.assertFalse(self.matches(self.patterns[ALARM], json.loads(event)))
        self.assertTrue(self.matches(self.patterns_by_tag[ALARM], json.loads(event)))
        # Amazon Connect has this dimension, too, for what it calls an instance.
        event = event.replace(NON_MEMBER, "0f1e2d3c-0000-4000-8000-000000000004")
        self.assertFalse(self.matches(self.patterns_by_tag[ALARM], json.loads(event)))

    def test_a_broken_pattern_is_refused(self):
        # This shows that the tests above can fail.
        with self.assertRaises(ClientError) as refused:
            self.matches({"source": "aws.ec2"}, {"source": "aws.ec2"})
        self.assertEqual("InvalidEventPatternException", refused.exception.response["Error"]["Code"])

    def test_the_schedule_sends_the_scheduled_event_itself(self):
        [target] = self.rules["FailoverReconcile"]["Targets"]
        self.assertEqual("rate(1 minute)", self.rules["FailoverReconcile"]["ScheduleExpression"])
        self.assertEqual({"Arn", "Id", "RetryPolicy", "DeadLetterConfig"}, set(target))

    def test_an_audit_runs_on_schedule_and_after_a_deployment(self):
        request = json.loads((ROOT / "events" / "operator-audit.json").read_text())
        self.assertEqual("rate(1 hour)", self.rules["FailoverAudit"]["ScheduleExpression"])
        self.assertEqual(
            {"FailoverAudit": request, DEPLOYED: request},
            {
                name: json.loads(target["Input"])
                for name, rule in self.rules.items() for target in rule["Targets"] if "Input" in target
            },
        )

    def test_every_lost_event_goes_to_a_queue(self):
        stack = deploy()
        queue = stack.resources["UndeliveredEventsFromOurRules"]["PolicyDocument"]["Statement"][0]
        targets = [target for rule in self.rules.values() for target in rule["Targets"]]
        self.assertEqual({queue["Resource"]}, {target["DeadLetterConfig"]["Arn"] for target in targets})
        self.assertTrue(all(target["RetryPolicy"]["MaximumRetryAttempts"] > 0 for target in targets))
        # The queue accepts messages from these rules only.
        self.assertEqual(
            sorted(f"arn:aws:events:{REGION}:123456789012:rule/token-failover-{name}" for name in self.rules),
            sorted(queue["Condition"]["ArnEquals"]["aws:SourceArn"]),
        )


if __name__ == "__main__":
    unittest.main()
