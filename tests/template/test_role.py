"""The function's role can do what the function does, on exactly its own resources, and nothing else.

Decided by a simulator of IAM, not by IAM itself. EC2 asks for permission on every resource that a call names, so a call
is allowed when it is allowed on each of them.
"""

import json
import re
import subprocess
import unittest
from pathlib import Path

from deployment import ACCOUNT, HOLDER, INTERFACE, REGION, ROOT, STANDBY, STRANGER, deploy

ALLOCATION, GROUP = "eipalloc-0eeeeeeeeeeeeeee1", "sg-0fffffffffffffff1"
EC2 = f"arn:aws:ec2:{REGION}:{ACCOUNT}"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:token-failover-Reports"
LOG_STREAM = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:token-failover-FailoverLogs:log-stream:2026/11/22/1"
VOLUME_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-0000-4000-8000-000000000001"
TOPIC_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/22222222-0000-4000-8000-000000000002"
STACK_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/token-failover-StackKey"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:token-failover-FailedInvocations"

EVERYTHING = {
    "TokenServerAllocationId": ALLOCATION,
    "TokenServerSecurityGroupId": GROUP,
    "FailoverRepair": "elastic-ip,delete-on-termination,security-group",
    "StandbyVolumeKeyArn": VOLUME_KEY,
    "NotificationTopicKeyArn": TOPIC_KEY,
}
NOTHING = {"FailoverRepair": "none", "FailoverStartStandby": "false", "EncryptionKeyArn": "none"}

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
    QUEUE: f"arn:aws:sqs:{REGION}:{ACCOUNT}:payroll",
    VOLUME_KEY: TOPIC_KEY,
    TOPIC_KEY: VOLUME_KEY,
    STACK_KEY: VOLUME_KEY,
}

DESCRIBES = [
    "ec2:DescribeAddresses",
    "ec2:DescribeInstanceStatus",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeInstances",
    "ec2:DescribeNetworkAcls",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroupRules",
    "ec2:DescribeSecurityGroups",
]
PREFIX_LIST = f"arn:aws:ec2:{REGION}:aws:prefix-list/pl-0123456789abcdef0"
IN_REGION = {"ec2:Region": REGION}
TAGGING = IN_REGION | {"aws:TagKeys": ["token-failover:owed"]}
BY_EC2 = {"kms:GrantIsForAWSResource": "true", "kms:ViaService": f"ec2.{REGION}.amazonaws.com"}
BY_SNS = {"kms:ViaService": f"sns.{REGION}.amazonaws.com"}
BY_SQS = {"kms:ViaService": f"sqs.{REGION}.amazonaws.com"}

# What the function calls with every permission there is: action, every resource that the call names, context.
CALLS = [
    ("ec2:GetManagedPrefixListEntries", [PREFIX_LIST], IN_REGION),
    ("ec2:DescribeInstanceAttribute", [HOLDER_ARN], IN_REGION),
    ("ec2:DescribeInstanceAttribute", [STANDBY_ARN], IN_REGION),
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
    ("sns:ListSubscriptionsByTopic", [TOPIC], {}),
]
# What AWS does under this role and nothing in the function's code: Lambda writes the logs and hands over what failed, EC2
# starts an instance with an encrypted volume, SNS and SQS encrypt.
ON_BEHALF = [
    ("logs:CreateLogStream", [LOG_STREAM], {}),
    ("logs:PutLogEvents", [LOG_STREAM], {}),
    ("sqs:SendMessage", [QUEUE], {}),
    ("kms:CreateGrant", [VOLUME_KEY], BY_EC2),
    ("kms:GenerateDataKey", [TOPIC_KEY], BY_SNS),
    ("kms:Decrypt", [TOPIC_KEY], BY_SNS),
    ("kms:GenerateDataKey", [STACK_KEY], BY_SNS),
    ("kms:Decrypt", [STACK_KEY], BY_SNS),
    ("kms:GenerateDataKey", [STACK_KEY], BY_SQS),
    ("kms:Decrypt", [STACK_KEY], BY_SQS),
]
CALLS += ON_BEHALF


def calls_in_the_code():
    """The IAM actions of all operations of the SDK that the code calls, found in its text."""
    found = set()
    for path in (ROOT / "src" / "aws").rglob("*.rs"):
        text = re.sub(r"//.*", "", path.read_text())
        services = set(re.findall(r"\buse aws_sdk_(\w+)::Client;", text))
        operations = set(re.findall(r"\bclient\s*\.\s*(\w+)\(\)", text))
        if operations and len(services) != 1:
            raise ValueError(f"{path}: of which service are {sorted(operations)}?")
        for service in services:
            found |= {f"{service}:{''.join(map(str.capitalize, name.split('_')))}" for name in operations}
    return found


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
    services = ["cloudformation", "cloudwatch", "ec2", "events", "iam", "kms", "lambda", "logs", "sns", "sqs", "ssm"]
    return {action for action, _ in ask({"policy": document, "services": services, "resources": ["*"], "context": context})}


def lint(document):
    """What parliament, the policy linter, says about a policy."""
    linter = ROOT / ".tools" / "policy" / "bin" / "parliament"
    command = [linter, "--json", "--string", json.dumps(document)]
    answer = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if answer.stderr or answer.returncode not in (0, 1):
        raise RuntimeError(answer.stderr)
    return [json.loads(line) for line in answer.stdout.splitlines()]


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

    def test_the_role_allows_what_the_code_calls_and_nothing_else(self):
        on_behalf = {action for action, _, _ in ON_BEHALF}
        document = policy(**EVERYTHING)
        allowed = allowed_actions(document, TAGGING | BY_EC2) | allowed_actions(document, BY_SNS)
        self.assertEqual(calls_in_the_code(), allowed - on_behalf)

    def test_the_code_names_the_action_of_every_call_that_it_makes(self):
        # These names are in the reports that say what the role lacks. That they agree also shows that none was overlooked.
        named = set()
        for path in (ROOT / "src" / "aws").rglob("*.rs"):
            named |= set(re.findall(r'"([a-z0-9]+:[A-Z]\w+)"', path.read_text()))
        self.assertEqual(calls_in_the_code(), named)

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
        called = {action for action, _, _ in CALLS} | set(DESCRIBES)
        context = TAGGING | BY_EC2
        self.assertEqual(
            called,
            allowed_actions(policy(**EVERYTHING), context) | allowed_actions(policy(**EVERYTHING), BY_SNS),
        )

    def test_what_was_not_asked_for_is_not_allowed(self):
        always = {
            "ec2:AttachNetworkInterface", "ec2:CreateTags", "ec2:DeleteTags", "ec2:DescribeInstanceAttribute",
            "ec2:DetachNetworkInterface", "ec2:GetManagedPrefixListEntries", "ec2:ModifyNetworkInterfaceAttribute",
            "logs:CreateLogStream", "logs:PutLogEvents", "sns:ListSubscriptionsByTopic",
            "sns:Publish", "sqs:SendMessage", *DESCRIBES,
        }
        context = TAGGING | BY_EC2
        self.assertEqual(always, allowed_actions(policy(**NOTHING), context))
        self.assertEqual(always, allowed_actions(policy(**NOTHING), context | BY_SNS))
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
            ("kms:Decrypt", TOPIC_KEY, {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}),
            ("kms:Decrypt", TOPIC_KEY, BY_SQS),
            ("kms:Decrypt", STACK_KEY, {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}),
            ("kms:Decrypt", STACK_KEY, {}),
        ])

    def test_an_existing_topic_is_the_only_one(self):
        existing = f"arn:aws:sns:{REGION}:{ACCOUNT}:on-call.fifo"
        document = policy(NotificationTopicArn=existing)
        actions = ("sns:Publish", "sns:ListSubscriptionsByTopic")
        self.assert_decisions("Allowed", document, [(action, existing, {}) for action in actions])
        self.assert_decisions("ImplicitlyDenied", document, [(action, TOPIC, {}) for action in actions])

    def test_the_policy_linter_finds_nothing_but_what_is_explained_here(self):
        # It expects one statement to name all resources that a call names. Ours name them in several, and the tests above
        # show that the calls are allowed. So it must find exactly those, and for each one a statement that completes it.
        split = {"ec2:AttachNetworkInterface", "ec2:DetachNetworkInterface", "ec2:ModifyNetworkInterfaceAttribute"}
        document = policy(**EVERYTHING)
        resources = {}
        for statement in document["Statement"]:
            actions, named = statement["Action"], statement["Resource"]
            for action in [actions] if isinstance(actions, str) else actions:
                resources.setdefault(action, []).extend([named] if isinstance(named, str) else named)
        found = set()
        for finding in lint(document):
            self.assertEqual("RESOURCE_MISMATCH", finding["issue"], finding)
            for mismatch in finding["detail"]:
                kind = mismatch["required_format"].rsplit(":", 1)[1].removesuffix("*")
                self.assertTrue([arn for arn in resources[mismatch["action"]] if f":{kind}" in arn], mismatch)
                found.add(mismatch["action"])
        self.assertEqual(split, found)

    def test_any_number_of_members(self):
        members = [f"i-{number:017x}" for number in range(1, 8)]
        document = policy(TokenServerInstanceIds=",".join(members))
        self.assert_decisions("Allowed", document, [
            ("ec2:AttachNetworkInterface", f"{EC2}:instance/{member}", IN_REGION) for member in members
        ])
        self.assert_decisions("ImplicitlyDenied", document, [("ec2:AttachNetworkInterface", HOLDER_ARN, IN_REGION)])


if __name__ == "__main__":
    unittest.main()
