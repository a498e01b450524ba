"""The topic and the queues are encrypted. The services that write to them can use the key, and no other service can.

A simulator of IAM decides, as for the role.
"""

import json
import unittest

from deployment import ACCOUNT, REGION, deploy
from test_role import ask

STACK_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/token-failover-StackKey"
OWN_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/33333333-0000-4000-8000-000000000003"
QUEUES = ("UndeliveredEvents", "FailedInvocations")
QUEUE_ARN = "kms:EncryptionContext:aws:sqs:arn"
USES = ("kms:GenerateDataKey", "kms:Decrypt")


def decide(resource_policy, principal, requests):
    """The decision on each request (action, resource, context) of a service."""
    fields = ("action", "resource", "context")
    question = json.dumps({
        "resourcePolicy": resource_policy, "principal": principal,
        "requests": [dict(zip(fields, request)) for request in requests],
    })
    # The simulator drops a part of an encryption context unless its name is literally in AWS's list of keys.
    return ask(json.loads(question.replace(QUEUE_ARN, "kms:EncryptionContext:${EncryptionContextKey}")))


def encryption(stack):
    """The encryption of the topic and the queues."""
    topic = stack.resources["Reports"]
    return {
        "Reports": topic.get("KmsMasterKeyId"),
        **{
            name: (stack.resources[name].get("KmsMasterKeyId"), stack.resources[name].get("SqsManagedSseEnabled"))
            for name in QUEUES
        },
    }


class Encryption(unittest.TestCase):
    maxDiff = None

    def assert_decisions(self, expected, policy, principal, requests):
        decisions = decide(policy, principal, requests)
        self.assertEqual([(request, expected) for request in requests], list(zip(requests, decisions, strict=True)))

    def test_by_default_topic_and_queues_have_a_key_of_the_stack(self):
        stack = deploy()
        self.assertEqual(dict.fromkeys(QUEUES, (STACK_KEY, None)) | {"Reports": STACK_KEY}, encryption(stack))
        self.assertTrue(stack.resources["StackKey"]["EnableKeyRotation"])

    def test_a_given_key_replaces_it(self):
        stack = deploy(EncryptionKeyArn=OWN_KEY)
        self.assertEqual(dict.fromkeys(QUEUES, (OWN_KEY, None)) | {"Reports": OWN_KEY}, encryption(stack))
        self.assertEqual({}, stack.of_type("AWS::KMS::Key"))

    def test_without_a_key_sqs_encrypts_the_queues(self):
        stack = deploy(EncryptionKeyArn="none")
        self.assertEqual(dict.fromkeys(QUEUES, (None, True)) | {"Reports": None}, encryption(stack))
        self.assertEqual({}, stack.of_type("AWS::KMS::Key"))

    def test_alarms_of_this_account_can_be_published(self):
        policy, alarms = deploy().resources["StackKey"]["KeyPolicy"], "cloudwatch.amazonaws.com"
        ours, foreign = {"aws:SourceAccount": ACCOUNT}, {"aws:SourceAccount": "999999999999"}
        self.assert_decisions("Allowed", policy, alarms, [(use, STACK_KEY, ours) for use in USES])
        self.assert_decisions("ImplicitlyDenied", policy, alarms, [(use, STACK_KEY, foreign) for use in USES])
        self.assert_decisions("ImplicitlyDenied", policy, alarms, [("kms:CreateGrant", STACK_KEY, ours)])

    def test_eventbridge_can_use_it_for_queues_of_this_account(self):
        policy, events = deploy().resources["StackKey"]["KeyPolicy"], "events.amazonaws.com"
        ours, foreign = (
            {QUEUE_ARN: f"arn:aws:sqs:{REGION}:{account}:token-failover-UndeliveredEvents"}
            for account in (ACCOUNT, "999999999999")
        )
        self.assert_decisions("Allowed", policy, events, [(use, STACK_KEY, ours) for use in USES])
        self.assert_decisions("ImplicitlyDenied", policy, events, [(use, STACK_KEY, foreign) for use in USES])
        self.assert_decisions("ImplicitlyDenied", policy, events, [(use, STACK_KEY, {}) for use in USES])

    def test_other_services_cannot_use_it(self):
        policy = deploy().resources["StackKey"]["KeyPolicy"]
        context = {
            "aws:SourceAccount": ACCOUNT,
            QUEUE_ARN: f"arn:aws:sqs:{REGION}:{ACCOUNT}:token-failover-UndeliveredEvents",
        }
        for service in ("s3.amazonaws.com", "budgets.amazonaws.com", "lambda.amazonaws.com"):
            self.assert_decisions("ImplicitlyDenied", policy, service, [(use, STACK_KEY, context) for use in USES])

    def test_only_our_rules_can_put_events_into_the_queue(self):
        stack = deploy()
        policy = stack.resources["UndeliveredEventsFromOurRules"]["PolicyDocument"]
        queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:token-failover-UndeliveredEvents"
        rules = [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/token-failover-{name}" for name in stack.of_type("AWS::Events::Rule")]
        self.assert_decisions("Allowed", policy, "events.amazonaws.com", [
            ("sqs:SendMessage", queue, {"aws:SourceArn": rule}) for rule in rules
        ])
        self.assert_decisions("ImplicitlyDenied", policy, "events.amazonaws.com", [
            ("sqs:SendMessage", queue, {"aws:SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/payroll"}),
            ("sqs:ReceiveMessage", queue, {"aws:SourceArn": rules[0]}),
        ])


if __name__ == "__main__":
    unittest.main()
