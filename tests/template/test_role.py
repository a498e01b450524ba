"""The function's role can do what the function does, on exactly its own resources, and nothing else.

Decided by a simulator of IAM, not by IAM itself. EC2 asks for permission on every resource that a call names, so a call
is allowed when it is allowed on each of them.
"""

import json
import subprocess
import unittest
from pathlib import Path

from deployment import ACCOUNT, HOLDER, INTERFACE, REGION, STANDBY, STRANGER, deploy

ALLOCATION, GROUP = "eipalloc-0eeeeeeeeeeeeeee1", "sg-0fffffffffffffff1"
EC2 = f"arn:aws:ec2:{REGION}:{ACCOUNT}"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:token-failover-Reports"
LOG_STREAM = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:token-failover-FailoverLogs:log-stream:2026/11/22/1"
VOLUME_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-0000-4000-8000-000000000001"
TOPIC_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/22222222-0000-4000-8000-000000000002"

EVERYTHING = {
    "TokenServerAllocationId": ALLOCATION,
    "TokenServerSecurityGroupId": GROUP,
    "FailoverRepair": "elastic-ip,delete-on-termination,security-group",
    "StandbyVolumeKeyArn": VOLUME_KEY,
    "NotificationTopicKeyArn": TOPIC_KEY,
}
NOTHING = {"FailoverRepair": "none", "FailoverStartStandby": "false"}

INTERFACE_ARN = f"{EC2}:network-interface/{INTERFACE}"
HOLDER_ARN = f"{EC2}:instance/{HOLDER}"
STANDBY_ARN = f"{EC2}:instance/{STANDBY}"
ADDRESS_ARN = f"{EC2}:elastic-ip/{ALLOCATION}"
GROUP_ARN = f"{EC2}:security-group/{GROUP}"

# The same kind of resource, but not ours.
FOREIGN = {
    INTERFACE_ARN: f"{EC2}:network-interface/eni-09999999999999999",
    HOLDER_ARN: f"{EC2}:instance/{STRANGER}",
    STANDBY_ARN: f"{EC2}:instance/{STRANGER}",
    ADDRESS_ARN: f"{EC2}:elastic-ip/eipalloc-09999999999999999",
    GROUP_ARN: f"{EC2}:security-group/sg-09999999999999999",
    TOPIC: f"arn:aws:sns:{REGION}:{ACCOUNT}:payroll",
    LOG_STREAM: LOG_STREAM.replace("token-failover-FailoverLogs", "payroll"),
    VOLUME_KEY: TOPIC_KEY,
    TOPIC_KEY: VOLUME_KEY,
}

DESCRIBES = [
    "ec2:DescribeAddresses",
    "ec2:DescribeInstanceStatus",
    "ec2:DescribeInstances",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroupRules",
]
PREFIX_LIST = f"arn:aws:ec2:{REGION}:aws:prefix-list/pl-0123456789abcdef0"
IN_REGION = {"ec2:Region": REGION}
TAGGING = IN_REGION | {"aws:TagKeys": ["token-failover:owed"]}
BY_EC2 = {"kms:GrantIsForAWSResource": "true", "kms:ViaService": f"ec2.{REGION}.amazonaws.com"}
BY_SNS = {"kms:ViaService": f"sns.{REGION}.amazonaws.com"}

# What the function calls with every permission there is: action, every resource that the call names, context.
CALLS = [
    ("ec2:GetManagedPrefixListEntries", [PREFIX_LIST], IN_REGION),
    ("ec2:DetachNetworkInterface", [INTERFACE_ARN, HOLDER_ARN], IN_REGION),
    ("ec2:AttachNetworkInterface", [INTERFACE_ARN, STANDBY_ARN], IN_REGION),
    ("ec2:AttachNetworkInterface", [INTERFACE_ARN, HOLDER_ARN], IN_REGION),
    ("ec2:ModifyNetworkInterfaceAttribute", [INTERFACE_ARN, STANDBY_ARN], IN_REGION),
    ("ec2:StartInstances", [STANDBY_ARN], IN_REGION),
    ("ec2:DisassociateAddress", [ADDRESS_ARN, f"{EC2}:network-interface/eni-0bbbbbbbbbbbbbbb2"], IN_REGION),
    ("ec2:AssociateAddress", [ADDRESS_ARN, INTERFACE_ARN, STANDBY_ARN], IN_REGION),
    ("ec2:AuthorizeSecurityGroupIngress", [GROUP_ARN], IN_REGION),
    ("ec2:CreateTags", [INTERFACE_ARN], TAGGING),
    ("ec2:DeleteTags", [INTERFACE_ARN], TAGGING),
    ("sns:Publish", [TOPIC], {}),
    ("logs:CreateLogStream", [LOG_STREAM], {}),
    ("logs:PutLogEvents", [LOG_STREAM], {}),
    ("kms:CreateGrant", [VOLUME_KEY], BY_EC2),
    ("kms:GenerateDataKey", [TOPIC_KEY], BY_SNS),
    ("kms:Decrypt", [TOPIC_KEY], BY_SNS),
]
# What Lambda and nothing in the function's code does under this role.
HANDING_OVER = "sqs:SendMessage"


def policy(**parameters):
    [only] = deploy(**parameters).resources["FailoverRole"]["Policies"]
    return only["PolicyDocument"]


def ask(question):
    answer = subprocess.run(
        ["node", Path(__file__).with_name("simulate.mjs")],
        input=json.dumps(question), text=True, stdout=subprocess.PIPE, check=True,
    )
    return json.loads(answer.stdout)


def decide(document, requests):
    """The decision on each (action, resource, context)."""
    fields = ("action", "resource", "context")
    return ask({"policy": document, "requests": [dict(zip(fields, request)) for request in requests]})


def allowed_actions(document, context):
    """Every action of the services in question that is allowed on anything at all."""
    services = ["ec2", "iam", "kms", "lambda", "logs", "sns", "sqs", "ssm"]
    return {action for action, _ in ask({"policy": document, "services": services, "resources": ["*"], "context": context})}


class Role(unittest.TestCase):
    maxDiff = None

    def assert_decisions(self, expected, document, requests):
        decisions = decide(document, requests)
        decided = zip(requests, decisions, strict=True)
        wrong = [(request, decision) for request, decision in decided if decision != expected]
        self.assertEqual([], wrong)

    def test_every_call_of_the_function_is_allowed(self):
        requests = [(action, "*", IN_REGION) for action in DESCRIBES]
        requests += [(action, resource, context) for action, resources, context in CALLS for resource in resources]
        self.assert_decisions("Allowed", policy(**EVERYTHING), requests)

    def test_the_same_calls_on_other_resources_are_denied(self):
        requests = [
            (action, FOREIGN[resource], context)
            for action, resources, context in CALLS for resource in resources if resource in FOREIGN
        ]
        self.assertGreater(len(requests), len(CALLS))
        self.assert_decisions("ImplicitlyDenied", policy(**EVERYTHING), requests)

    def test_the_same_calls_in_another_region_are_denied(self):
        elsewhere = {"ec2:Region": "us-east-1"}
        requests = [(action, "*", elsewhere) for action in DESCRIBES]
        requests += [
            (action, resource.replace(REGION, "us-east-1"), context | elsewhere)
            for action, resources, context in CALLS if action.startswith("ec2:") for resource in resources
        ]
        self.assert_decisions("ImplicitlyDenied", policy(**EVERYTHING), requests)

    def test_no_other_action_is_allowed_on_anything(self):
        called = {action for action, _, _ in CALLS} | set(DESCRIBES) | {HANDING_OVER}
        context = TAGGING | BY_EC2
        self.assertEqual(
            called,
            allowed_actions(policy(**EVERYTHING), context) | allowed_actions(policy(**EVERYTHING), BY_SNS),
        )

    def test_what_was_not_asked_for_is_not_allowed(self):
        always = {
            "ec2:AttachNetworkInterface", "ec2:CreateTags", "ec2:DeleteTags", "ec2:DetachNetworkInterface",
            "ec2:GetManagedPrefixListEntries", "ec2:ModifyNetworkInterfaceAttribute",
            "logs:CreateLogStream", "logs:PutLogEvents", "sns:Publish", HANDING_OVER, *DESCRIBES,
        }
        context = TAGGING | BY_EC2
        self.assertEqual(always, allowed_actions(policy(**NOTHING), context))
        self.assertEqual(always | {"ec2:StartInstances"}, allowed_actions(policy(), context))
        self.assertEqual(
            always | {"ec2:StartInstances", "ec2:AuthorizeSecurityGroupIngress"},
            allowed_actions(policy(FailoverRepair="security-group", TokenServerSecurityGroupId=GROUP), context),
        )

    def test_the_address_is_out_of_reach_unless_its_repair_is_chosen(self):
        without = policy(TokenServerAllocationId=ALLOCATION, FailoverRepair="delete-on-termination")
        self.assert_decisions("ImplicitlyDenied", without, [("ec2:AssociateAddress", ADDRESS_ARN, IN_REGION)])

    def test_only_tags_of_our_own_namespace_can_be_set_or_deleted(self):
        requests = []
        for action in ("ec2:CreateTags", "ec2:DeleteTags"):
            for keys in (["Name"], ["token-failover:owed", "Name"], ["token-failover"]):
                requests.append((action, INTERFACE_ARN, IN_REGION | {"aws:TagKeys": keys}))
            # DeleteTags without a key deletes every tag.
            requests.append((action, INTERFACE_ARN, IN_REGION))
            requests.append((action, HOLDER_ARN, TAGGING))
        self.assert_decisions("ImplicitlyDenied", policy(**EVERYTHING), requests)

    def test_the_groups_and_the_subnet_of_the_interface_cannot_be_changed(self):
        self.assert_decisions("ImplicitlyDenied", policy(**EVERYTHING), [
            ("ec2:ModifyNetworkInterfaceAttribute", GROUP_ARN, IN_REGION),
            ("ec2:ModifyNetworkInterfaceAttribute", f"{EC2}:subnet/subnet-0aaaaaaaaaaaaaaa1", IN_REGION),
        ])

    def test_keys_are_of_no_use_except_through_their_service(self):
        self.assert_decisions("ImplicitlyDenied", policy(**EVERYTHING), [
            ("kms:CreateGrant", VOLUME_KEY, BY_EC2 | {"kms:GrantIsForAWSResource": "false"}),
            ("kms:CreateGrant", VOLUME_KEY, BY_EC2 | BY_SNS),
            ("kms:Decrypt", TOPIC_KEY, BY_SNS | {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}),
        ])

    def test_an_existing_topic_is_the_only_one(self):
        existing = f"arn:aws:sns:{REGION}:{ACCOUNT}:on-call.fifo"
        document = policy(NotificationTopicArn=existing)
        self.assert_decisions("Allowed", document, [("sns:Publish", existing, {})])
        self.assert_decisions("ImplicitlyDenied", document, [("sns:Publish", TOPIC, {})])

    def test_any_number_of_members(self):
        members = [f"i-{number:017x}" for number in range(1, 8)]
        document = policy(TokenServerInstanceIds=",".join(members))
        self.assert_decisions("Allowed", document, [
            ("ec2:AttachNetworkInterface", f"{EC2}:instance/{member}", IN_REGION) for member in members
        ])
        self.assert_decisions("ImplicitlyDenied", document, [("ec2:AttachNetworkInterface", HOLDER_ARN, IN_REGION)])


if __name__ == "__main__":
    unittest.main()
