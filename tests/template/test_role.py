"""The role allows exactly the calls of the function, on its own resources.

A simulator of IAM decides, not IAM itself. EC2 requires permission on every resource that a call names, so a call is
allowed if it is allowed on each of them.
"""

import functools
import json
import re
import subprocess
import unittest
from pathlib import Path

from deployment import ACCOUNT, BY_TAG, HOLDER, INTERFACE, NON_MEMBER, REGION, ROOT, STANDBY, deploy

ALLOCATION, GROUP = "eipalloc-0eeeeeeeeeeeeeee1", "sg-0fffffffffffffff1"
EC2 = f"arn:aws:ec2:{REGION}:{ACCOUNT}"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:token-failover-Reports"
LOG_STREAM = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:token-failover-FailoverLogs:log-stream:2026/11/22/1"
VOLUME_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-0000-4000-8000-000000000001"
TOPIC_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/22222222-0000-4000-8000-000000000002"
STACK_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/token-failover-StackKey"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:token-failover-FailedInvocations"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:token-failover-Failover"
SUBNET, FUNCTION_GROUP = "subnet-0aaaaaaaaaaaaaaa1", "sg-0ccccccccccccccc1"
DOCUMENT = f"arn:aws:ssm:{REGION}:{ACCOUNT}:document/token-failover-RestartTokenServer"
CHECK_DOCUMENT = f"arn:aws:ssm:{REGION}:{ACCOUNT}:document/token-failover-CheckLicense"
DOCUMENT_OF_AWS = f"arn:aws:ssm:{REGION}::document/AWS-RunShellScript"

IN_VPC = {"FunctionSubnetIds": SUBNET, "FunctionSecurityGroupIds": FUNCTION_GROUP}
EVERYTHING = IN_VPC | {
    "TokenServerAllocationId": ALLOCATION,
    "TokenServerSecurityGroupId": GROUP,
    "FailoverRepair": "elastic-ip,delete-on-termination,security-group",
    "StandbyVolumeKeyArn": VOLUME_KEY,
    "NotificationTopicKeyArn": TOPIC_KEY,
    "TokenServerProbe": "true",
    "TokenServerLicenseCheckDocument": "check-license",
    "TokenServerLicenseMetrics": "true",
    "FailoverActivationDocument": "restart-service",
}
NOTHING = {"FailoverRepair": "none", "FailoverStartStandby": "false", "EncryptionKeyArn": "none"}

INTERFACE_ARN = f"{EC2}:network-interface/{INTERFACE}"
HOLDER_ARN = f"{EC2}:instance/{HOLDER}"
STANDBY_ARN = f"{EC2}:instance/{STANDBY}"
ADDRESS_ARN = f"{EC2}:elastic-ip/{ALLOCATION}"
GROUP_ARN = f"{EC2}:security-group/{GROUP}"
# An interface that Lambda creates for the function.
LAMBDA_INTERFACE_ARN = f"{EC2}:network-interface/eni-0ccccccccccccccc1"

# The Auto Scaling group of the members.
SCALING_GROUP_ARN = (
    f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:5a0f3c1e-0000-4000-8000-000000000005:"
    "autoScalingGroupName/token-servers"
)

# The same kind of resource, but not ours.
FOREIGN = {
    INTERFACE_ARN: f"{EC2}:network-interface/eni-09999999999999999",
    HOLDER_ARN: f"{EC2}:instance/{NON_MEMBER}",
    STANDBY_ARN: f"{EC2}:instance/{NON_MEMBER}",
    ADDRESS_ARN: f"{EC2}:elastic-ip/eipalloc-09999999999999999",
    GROUP_ARN: f"{EC2}:security-group/sg-09999999999999999",
    TOPIC: f"arn:aws:sns:{REGION}:{ACCOUNT}:payroll",
    LOG_STREAM: LOG_STREAM.replace("token-failover-FailoverLogs", "payroll"),
    QUEUE: f"arn:aws:sqs:{REGION}:{ACCOUNT}:payroll",
    VOLUME_KEY: TOPIC_KEY,
    TOPIC_KEY: VOLUME_KEY,
    STACK_KEY: VOLUME_KEY,
    DOCUMENT: DOCUMENT_OF_AWS,
    CHECK_DOCUMENT: DOCUMENT_OF_AWS,
}

DESCRIBES = [
    "autoscaling:DescribeAutoScalingInstances",
    "autoscaling:DescribeLifecycleHooks",
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
IN_REGION = {"ec2:Region": REGION, "aws:RequestedRegion": REGION}
# This key is in the context of every call of the function's code and of Lambda's calls for its logs, and in no other:
# Lambda Developer Guide, "Using source function ARN to control function access behavior".
FROM_CODE = IN_REGION | {"lambda:SourceFunctionArn": FUNCTION}
TAGGING = FROM_CODE | {"aws:TagKeys": ["token-failover:owed"]}
# The tag of the members, as EC2 and Systems Manager put it into the context of a call on an instance.
TAGGED = {f"{key}/token-server": "license-eu" for key in ("aws:ResourceTag", "ec2:ResourceTag", "ssm:resourceTag")}
# Only members with a tag can be in an Auto Scaling group that replaces them.
COMPLETE = "autoscaling:CompleteLifecycleAction"
# Whether the members are listed or have a tag, and what tags they have.
MODES = [({}, {}), (BY_TAG, TAGGED)]
BY_EC2 = {"kms:GrantIsForAWSResource": "true", "kms:ViaService": f"ec2.{REGION}.amazonaws.com"}
BY_SNS = {"kms:ViaService": f"sns.{REGION}.amazonaws.com"}
BY_SQS = {"kms:ViaService": f"sqs.{REGION}.amazonaws.com"}

# The calls of the function with all settings: action, every resource that the call names, context.
CALLS = [
    ("ec2:GetManagedPrefixListEntries", [PREFIX_LIST], FROM_CODE),
    ("ec2:DescribeInstanceAttribute", [HOLDER_ARN], FROM_CODE),
    ("ec2:DescribeInstanceAttribute", [STANDBY_ARN], FROM_CODE),
    ("ec2:DetachNetworkInterface", [INTERFACE_ARN, HOLDER_ARN], FROM_CODE),
    ("ec2:AttachNetworkInterface", [INTERFACE_ARN, STANDBY_ARN], FROM_CODE),
    ("ec2:AttachNetworkInterface", [INTERFACE_ARN, HOLDER_ARN], FROM_CODE),
    ("ec2:ModifyNetworkInterfaceAttribute", [INTERFACE_ARN, STANDBY_ARN], FROM_CODE),
    ("ec2:StartInstances", [STANDBY_ARN], FROM_CODE),
    ("ec2:DisassociateAddress", [ADDRESS_ARN, f"{EC2}:network-interface/eni-0bbbbbbbbbbbbbbb2"], FROM_CODE),
    ("ec2:AssociateAddress", [ADDRESS_ARN, INTERFACE_ARN, STANDBY_ARN], FROM_CODE),
    ("ec2:AuthorizeSecurityGroupIngress", [GROUP_ARN], FROM_CODE),
    ("ec2:CreateTags", [INTERFACE_ARN], TAGGING),
    ("ec2:DeleteTags", [INTERFACE_ARN], TAGGING),
    ("sns:Publish", [TOPIC], FROM_CODE),
    ("sns:ListSubscriptionsByTopic", [TOPIC], FROM_CODE),
    ("ssm:SendCommand", [DOCUMENT, STANDBY_ARN], FROM_CODE),
    ("ssm:SendCommand", [DOCUMENT, HOLDER_ARN], FROM_CODE),
    ("ssm:SendCommand", [CHECK_DOCUMENT, STANDBY_ARN], FROM_CODE),
    ("ssm:SendCommand", [CHECK_DOCUMENT, HOLDER_ARN], FROM_CODE),
    ("ssm:GetCommandInvocation", ["*"], FROM_CODE),
    ("ssm:DescribeInstanceInformation", ["*"], FROM_CODE),
    ("ssm:DescribeDocument", [DOCUMENT], FROM_CODE),
]
# The calls of Lambda under this role to connect the function to the VPC. The code of the function must not make them.
CONNECTING = [
    (
        "ec2:CreateNetworkInterface",
        [LAMBDA_INTERFACE_ARN, f"{EC2}:subnet/{SUBNET}", f"{EC2}:security-group/{FUNCTION_GROUP}"], IN_REGION,
    ),
    ("ec2:AssignPrivateIpAddresses", [LAMBDA_INTERFACE_ARN], IN_REGION),
    ("ec2:UnassignPrivateIpAddresses", [LAMBDA_INTERFACE_ARN], IN_REGION),
    ("ec2:DeleteNetworkInterface", [LAMBDA_INTERFACE_ARN], IN_REGION),
    ("ec2:DescribeSubnets", ["*"], IN_REGION),
]
# The actions that only AWS uses under this role: Lambda connects the function, writes the logs and sends failed
# invocations, EC2 starts an instance with an encrypted volume, SNS and SQS encrypt.
ON_BEHALF = CONNECTING + [
    ("logs:CreateLogStream", [LOG_STREAM], FROM_CODE),
    ("logs:PutLogEvents", [LOG_STREAM], FROM_CODE),
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


def sources_of_the_function():
    """The source files with the function's calls. What only the operator's command calls is compiled only for it."""
    lib = (ROOT / "aws" / "src" / "lib.rs").read_text()
    if '#[cfg(feature = "operator")]\nmod operator;' not in lib:
        raise ValueError("the function has the calls of the operator's command")
    return [path for path in (ROOT / "aws" / "src").rglob("*.rs") if path.name != "operator.rs"]


def calls_in_the_code():
    """The IAM actions of all SDK operations that the function's source code calls."""
    found = set()
    for path in sources_of_the_function():
        text = re.sub(r"//.*", "", path.read_text())
        services = set(re.findall(r"\buse aws_sdk_(\w+)::Client;", text))
        operations = set(re.findall(r"\bclient\s*\.\s*(\w+)\(\)", text))
        if operations and len(services) != 1:
            raise ValueError(f"{path}: of which service are {sorted(operations)}?")
        for service in services:
            found |= {f"{service}:{''.join(map(str.capitalize, name.split('_')))}" for name in operations}
    return found


def is_instance(resource):
    return resource.startswith("arn:aws:ec2:") and ":instance/" in resource


def with_tags(requests, tags):
    """The requests, with these tags of each instance in their contexts."""
    return [
        (action, resource, context | tags if is_instance(resource) else context) for action, resource, context in requests
    ]


def policies(**parameters):
    """The documents of all policies of the role."""
    stack = deploy(**parameters)
    role = f"{stack.stack_name}-FailoverRole"
    all_of_them = [*stack.resources["FailoverRole"]["Policies"], *stack.of_type("AWS::IAM::Policy").values()]
    if any(one.get("Roles", [role]) != [role] for one in all_of_them):
        raise ValueError("a policy of another role")
    documents = [one["PolicyDocument"] for one in all_of_them]
    return [json.loads(document) if isinstance(document, str) else document for document in documents]


def policy(**parameters):
    """One policy that allows what all policies of the role allow together."""
    documents = policies(**parameters)
    [version] = {document["Version"] for document in documents}
    return {"Version": version, "Statement": [it for document in documents for it in document["Statement"]]}


def ask(question):
    return json.loads(answer(json.dumps(question)))


@functools.cache
def answer(question):
    """The decisions are cached, because all actions take seconds."""
    simulator = ["node", Path(__file__).with_name("simulate.mjs")]
    return subprocess.run(simulator, input=question, text=True, stdout=subprocess.PIPE, check=True).stdout


def decide(document, requests):
    """The decision on each (action, resource, context)."""
    fields = ("action", "resource", "context")
    question = json.dumps({"policy": document, "requests": [dict(zip(fields, request)) for request in requests]})
    # The ARN of a document of AWS has no account, which the simulator does not accept.
    return ask(json.loads(question.replace("::document/", ":aws:document/")))


def allowed_actions(document, context):
    """Every action of these services that is allowed on any resource."""
    services = ["autoscaling", "cloudformation", "cloudwatch", "ec2", "events", "iam", "kms", "lambda", "logs", "sns", "sqs", "ssm"]
    return {action for action, _ in ask({"policy": document, "services": services, "resources": ["*"], "context": context})}


def lint(document):
    """The findings of parliament, the policy linter, about a policy."""
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
        requests = [(action, "*", FROM_CODE) for action in DESCRIBES]
        requests += [(action, resource, context) for action, resources, context in CALLS for resource in resources]
        for members, tags in MODES:
            self.assert_decisions("Allowed", policy(**EVERYTHING, **members), with_tags(requests, tags))

    def test_the_role_allows_what_the_code_calls_and_nothing_else(self):
        on_behalf = {action for action, _, _ in ON_BEHALF}
        for members, tags in MODES:
            document = policy(**EVERYTHING, **members)
            allowed = allowed_actions(document, TAGGING | BY_EC2 | tags) | allowed_actions(document, BY_SNS | tags)
            called = calls_in_the_code() if members else calls_in_the_code() - {COMPLETE}
            self.assertEqual(called, allowed - on_behalf)

    def test_only_the_lifecycle_actions_of_a_group_with_the_tag_of_the_members_can_be_completed(self):
        another = f"arn:aws:autoscaling:{REGION}:{{}}:autoScalingGroup:*:autoScalingGroupName/another"
        document = policy(**BY_TAG)
        self.assert_decisions("Allowed", document, [
            (COMPLETE, arn, FROM_CODE | TAGGED) for arn in (SCALING_GROUP_ARN, another.format(ACCOUNT))
        ])
        self.assert_decisions("ImplicitlyDenied", document, [
            (COMPLETE, SCALING_GROUP_ARN, FROM_CODE),
            (COMPLETE, SCALING_GROUP_ARN, FROM_CODE | {"aws:ResourceTag/token-server": "license-us"}),
            (COMPLETE, another.format("999999999999"), FROM_CODE | TAGGED),
            (COMPLETE, SCALING_GROUP_ARN.replace(REGION, "us-east-1"), FROM_CODE | TAGGED),
            ("autoscaling:TerminateInstanceInAutoScalingGroup", SCALING_GROUP_ARN, FROM_CODE | TAGGED),
            ("autoscaling:PutLifecycleHook", SCALING_GROUP_ARN, FROM_CODE | TAGGED),
        ])
        self.assert_decisions("ImplicitlyDenied", policy(**EVERYTHING), [(COMPLETE, SCALING_GROUP_ARN, FROM_CODE | TAGGED)])

    def test_the_code_names_the_action_of_every_call_that_it_makes(self):
        # Reports name these actions when the role lacks one. The comparison also shows that no call is missing here.
        named = set()
        for path in sources_of_the_function():
            named |= set(re.findall(r'"([a-z0-9]+:[A-Z][a-z]\w+)"', path.read_text()))
        self.assertEqual(calls_in_the_code(), named)

    def test_the_same_calls_on_other_resources_are_denied(self):
        requests = [
            (action, FOREIGN[resource], context)
            for action, resources, context in CALLS for resource in resources if resource in FOREIGN
        ]
        self.assertEqual(set(FOREIGN), {resource for _, resources, _ in CALLS for resource in resources} & set(FOREIGN))
        # To listed members, no tag of an instance matters.
        self.assert_decisions("ImplicitlyDenied", policy(**EVERYTHING), requests + with_tags(requests, TAGGED))
        self.assert_decisions("ImplicitlyDenied", policy(**EVERYTHING, **BY_TAG), requests)

    def test_with_a_tag_every_call_on_an_instance_needs_the_tag(self):
        document = policy(**EVERYTHING, **BY_TAG)
        calls = {
            (action, resource) for action, resources, _ in CALLS for resource in resources if is_instance(resource)
        }
        self.assertEqual(
            {
                "ec2:AssociateAddress", "ec2:AttachNetworkInterface", "ec2:DescribeInstanceAttribute",
                "ec2:DetachNetworkInterface", "ec2:ModifyNetworkInterfaceAttribute", "ec2:StartInstances", "ssm:SendCommand",
            },
            {action for action, _ in calls},
        )
        named = {it["Sid"] for it in document["Statement"] if ":instance/" in json.dumps(it["Resource"])}
        self.assertEqual({"TaggedMembers", "CommandTaggedMembers"}, named)

        def with_tag(key, value):
            return {f"{before}/{key}": value for before in ("aws:ResourceTag", "ec2:ResourceTag", "ssm:resourceTag")}

        for tags in (
            {}, with_tag("token-server", "license-us"), with_tag("token-server", "License-EU"),
            with_tag("token-server", "license-eu-old"), with_tag("token-server", ""), with_tag("token-servers", "license-eu"),
            with_tag("license-eu", "token-server"), {"aws:RequestTag/token-server": "license-eu"},
            {"aws:PrincipalTag/token-server": "license-eu"},
        ):
            self.assert_decisions("ImplicitlyDenied", document, [
                (action, resource, FROM_CODE | tags) for action, resource in calls
            ])
        # IAM Guide, "AWS global condition context keys", "aws:ResourceTag/tag-key": the case of the key does not matter.
        self.assert_decisions("Allowed", document, [
            (action, resource, FROM_CODE | with_tag("Token-Server", "license-eu")) for action, resource in calls
        ])
        # Among other tags, it counts.
        self.assert_decisions("Allowed", document, [
            (action, resource, FROM_CODE | TAGGED | with_tag("Name", "mosek")) for action, resource in calls
        ])

    def test_the_tag_on_anything_else_than_an_instance_allows_nothing(self):
        document = policy(**EVERYTHING, **BY_TAG)
        self.assert_decisions("ImplicitlyDenied", document, [
            (action, FOREIGN[resource], context | TAGGED)
            for action, resources, context in CALLS for resource in resources
            if resource in FOREIGN and not is_instance(resource)
        ])
        self.assert_decisions("ImplicitlyDenied", document, [
            ("ssm:SendCommand", f"arn:aws:ssm:{REGION}:{ACCOUNT}:managed-instance/mi-09999999999999999", FROM_CODE | TAGGED),
            ("ec2:AttachNetworkInterface", STANDBY_ARN.replace(ACCOUNT, "999999999999"), FROM_CODE | TAGGED),
        ])

    def test_a_tag_with_other_characters_is_in_the_policies_as_it_is(self):
        for key, value in [
            ("aws:autoscaling:groupName", "pair"), ("team/a+b@c_d.e", "The license server: +EU/1+"), ("k" * 128, "v" * 256),
        ]:
            document = policy(
                TokenServerMembers=f"{key}={value}", TokenServerLicenseCheckDocument="check-license",
            )
            tags = {f"{before}/{key}": value for before in ("aws:ResourceTag", "ssm:resourceTag")}
            for expected, given in (("Allowed", tags), ("ImplicitlyDenied", TAGGED)):
                self.assert_decisions(expected, document, [
                    (action, STANDBY_ARN, FROM_CODE | given) for action in ("ec2:AttachNetworkInterface", "ssm:SendCommand")
                ])

    def test_the_same_calls_in_another_region_are_denied(self):
        elsewhere = {"ec2:Region": "us-east-1", "aws:RequestedRegion": "us-east-1"}
        requests = [(action, "*", elsewhere) for action in DESCRIBES]
        requests += [
            (action, resource.replace(REGION, "us-east-1"), context | elsewhere)
            for action, resources, context in CALLS if action.startswith(("ec2:", "ssm:")) for resource in resources
        ]
        for members, tags in MODES:
            self.assert_decisions("ImplicitlyDenied", policy(**EVERYTHING, **members), with_tags(requests, tags))

    def test_no_other_action_is_allowed_on_anything(self):
        called = {action for action, _, _ in CALLS} | set(DESCRIBES)
        contexts = (TAGGING | BY_EC2, BY_SNS, IN_REGION)
        for members, tags in MODES:
            document = policy(**EVERYTHING, **members)
            allowed = (allowed_actions(document, context | tags) for context in contexts)
            self.assertEqual(called | ({COMPLETE} if members else set()), set().union(*allowed))

    def test_a_permission_that_no_setting_needs_is_not_granted(self):
        always = {
            "ec2:AttachNetworkInterface", "ec2:CreateTags", "ec2:DeleteTags", "ec2:DescribeInstanceAttribute",
            "ec2:DetachNetworkInterface", "ec2:GetManagedPrefixListEntries", "ec2:ModifyNetworkInterfaceAttribute",
            "logs:CreateLogStream", "logs:PutLogEvents", "sns:ListSubscriptionsByTopic",
            "sns:Publish", "sqs:SendMessage", *DESCRIBES,
        }
        connecting = {action for action, _, _ in CONNECTING}
        untagged = always - {"ec2:CreateTags", "ec2:DeleteTags"}
        checking = {"ssm:DescribeInstanceInformation", "ssm:GetCommandInvocation", "ssm:SendCommand"}
        group = {"FailoverRepair": "security-group", "TokenServerSecurityGroupId": GROUP}
        check = NOTHING | IN_VPC | {"TokenServerLicenseCheckDocument": "check-license"}
        activation = NOTHING | IN_VPC | {"FailoverActivationDocument": "AWS-RunShellScript"}
        for members, tags in MODES:
            context = TAGGING | BY_EC2 | tags
            completing = {COMPLETE} if members else set()
            for settings, given, expected in [
                (NOTHING, context, always),
                (NOTHING, context | BY_SNS, always),
                ({}, context, always | {"ec2:StartInstances"}),
                (group, context, always | {"ec2:StartInstances", "ec2:AuthorizeSecurityGroupIngress"}),
                (check, context, always | checking),
                (activation, context, always | checking | {"ssm:DescribeDocument"}),
                (NOTHING | IN_VPC, IN_REGION | tags, untagged | connecting),
            ]:
                with self.subTest(members=members, settings=settings):
                    self.assertEqual(expected | completing, allowed_actions(policy(**settings, **members), given))

    def test_lambda_can_connect_the_function_to_a_vpc_and_the_code_of_the_function_cannot(self):
        document = policy(**EVERYTHING)
        requests = [(action, resource, context) for action, resources, context in CONNECTING for resource in resources]
        self.assert_decisions("Allowed", document, requests)
        self.assert_decisions("ExplicitlyDenied", document, [(*request[:2], FROM_CODE) for request in requests])
        # The same holds for another function with the same role.
        another = {"lambda:SourceFunctionArn": FUNCTION.replace("token-failover", "payroll")}
        self.assert_decisions("ExplicitlyDenied", document, [(*request[:2], IN_REGION | another) for request in requests])
        # Both need to read interfaces.
        self.assert_decisions("Allowed", document, [
            ("ec2:DescribeNetworkInterfaces", "*", context) for context in (IN_REGION, FROM_CODE)
        ])

    def test_the_permission_to_disconnect_has_the_form_that_lambda_requires(self):
        # Lambda Developer Guide, "Required IAM permissions" for access to a VPC: one interface, or everything.
        [statement] = [one for one in policy(**IN_VPC)["Statement"] if one["Sid"] == "LambdaDisconnects"]
        self.assertEqual("ec2:DeleteNetworkInterface", statement["Action"])
        self.assertIn(f"arn:aws:ec2:{REGION}:{ACCOUNT}:*/*", statement["Resource"])

    def test_the_subnet_of_the_function_may_be_shared_by_another_account(self):
        shared = f"arn:aws:ec2:{REGION}:999999999999:subnet/{SUBNET}"
        self.assert_decisions("Allowed", policy(**IN_VPC), [("ec2:CreateNetworkInterface", shared, IN_REGION)])

    def test_the_role_cannot_delete_the_license_interface_or_change_its_addresses(self):
        actions = ("ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses")
        requests = [(action, INTERFACE_ARN, context) for action in actions for context in (IN_REGION, FROM_CODE, TAGGING)]
        # The last policy allows it, as another policy of the role might.
        all_of_ec2 = {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}
        generous = policy() | {"Statement": [*policy()["Statement"], all_of_ec2]}
        for document in (policy(), policy(**NOTHING), policy(**IN_VPC), policy(**EVERYTHING), generous):
            self.assert_decisions("ExplicitlyDenied", document, requests)
        self.assert_decisions("Allowed", generous, [(action, FOREIGN[INTERFACE_ARN], IN_REGION) for action in actions])

    def test_only_the_document_of_the_stack_can_be_sent_and_only_to_members(self):
        for parameter, ours, other in [
            ({"FailoverActivationDocument": "restart-service"}, DOCUMENT, CHECK_DOCUMENT),
            ({"TokenServerLicenseCheckDocument": "check-license"}, CHECK_DOCUMENT, DOCUMENT),
        ]:
            for members, tags in MODES:
                self.assert_decisions("Allowed", policy(**parameter, **members), with_tags([
                    ("ssm:SendCommand", resource, FROM_CODE) for resource in (ours, HOLDER_ARN, STANDBY_ARN)
                ], tags))
            document = policy(**parameter)
            self.assert_decisions("ImplicitlyDenied", document, [
                ("ssm:SendCommand", resource, FROM_CODE) for resource in (
                    other, DOCUMENT_OF_AWS, f"{EC2}:instance/{NON_MEMBER}",
                    f"arn:aws:ssm:{REGION}:{ACCOUNT}:document/payroll",
                    f"arn:aws:ssm:{REGION}:{ACCOUNT}:managed-instance/mi-09999999999999999", "arn:aws:s3:::payroll",
                )
            ])
            self.assert_decisions("ImplicitlyDenied", document, [
                (action, ours, FROM_CODE) for action in ("ssm:UpdateDocument", "ssm:DeleteDocument", "ssm:GetDocument")
            ])

    def test_only_the_given_document_of_the_account_or_of_aws_can_be_sent(self):
        for name in ("activate-token-server", "AWS-RunShellScript"):
            document = policy(FailoverActivationDocument=name)
            own, of_aws = (f"arn:aws:ssm:{REGION}:{account}:document/{name}" for account in (ACCOUNT, ""))
            actions = ("ssm:SendCommand", "ssm:DescribeDocument")
            self.assert_decisions("Allowed", document, [
                (action, resource, FROM_CODE) for action in actions for resource in (own, of_aws)
            ])
            self.assert_decisions("ImplicitlyDenied", document, [
                (action, resource, FROM_CODE) for action in actions for resource in (
                    DOCUMENT, f"{own}s", own.replace(ACCOUNT, "999999999999"), own.replace(REGION, "us-east-1"),
                )
            ])

    def test_the_policy_fits_into_a_role_with_every_parameter_set(self):
        # IAM allows 10,240 characters, without white space, for all inline policies of a role.
        ids = ",".join(f"i-{number:017x}" for number in range(20))
        for members in ({"TokenServerInstanceIds": ids}, {"TokenServerMembers": f"{'k' * 128}={'v' * 256}"}):
            choices = EVERYTHING | members | {
                "FailoverActivationDocument": "x" * 128,
                "NotificationTopicArn": f"arn:aws-us-gov:sns:us-gov-west-1:{ACCOUNT}:{'x' * 256}",
            }
            lengths = [len(json.dumps(document, separators=(",", ":"))) for document in policies(**choices)]
            self.assertLess(sum(lengths), 10_240)

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

    def test_keys_can_be_used_only_through_their_service(self):
        self.assert_decisions("ImplicitlyDenied", policy(**EVERYTHING), [
            ("kms:CreateGrant", VOLUME_KEY, BY_EC2 | {"kms:GrantIsForAWSResource": "false"}),
            ("kms:CreateGrant", VOLUME_KEY, BY_EC2 | BY_SNS),
            ("kms:Decrypt", TOPIC_KEY, {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}),
            ("kms:Decrypt", TOPIC_KEY, BY_SQS),
            ("kms:Decrypt", STACK_KEY, {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}),
            ("kms:Decrypt", STACK_KEY, {}),
        ])

    def test_the_key_of_a_topic_in_another_region_is_used_through_sns_there(self):
        topic, key = (f"arn:aws:{it}" for it in (
            f"sns:us-east-1:{ACCOUNT}:on-call", f"kms:us-east-1:{ACCOUNT}:key/22222222-0000-4000-8000-000000000002",
        ))
        document = policy(NotificationTopicArn=topic, NotificationTopicKeyArn=key)
        uses = ("kms:GenerateDataKey", "kms:Decrypt")
        self.assert_decisions("Allowed", document, [("sns:Publish", topic, {})] + [
            (use, key, {"kms:ViaService": "sns.us-east-1.amazonaws.com"}) for use in uses
        ])
        self.assert_decisions("ImplicitlyDenied", document, [(use, key, BY_SNS) for use in uses])

    def test_only_the_existing_topic_can_be_published_to(self):
        existing = f"arn:aws:sns:{REGION}:{ACCOUNT}:on-call.fifo"
        document = policy(NotificationTopicArn=existing)
        actions = ("sns:Publish", "sns:ListSubscriptionsByTopic")
        self.assert_decisions("Allowed", document, [(action, existing, {}) for action in actions])
        self.assert_decisions("ImplicitlyDenied", document, [(action, TOPIC, {}) for action in actions])

    def test_the_policy_linter_finds_only_what_is_explained_here(self):
        # The linter expects one statement with all resources of a call. Our policy has them in several statements, and
        # the tests above show that the calls are allowed. So the linter must report exactly these, and for each one
        # another statement completes it.
        split = {
            "ec2:AttachNetworkInterface", "ec2:DetachNetworkInterface", "ec2:ModifyNetworkInterfaceAttribute",
            "ssm:SendCommand",
        }
        for members, _ in MODES:
            document = policy(**EVERYTHING, **members)
            resources = {}
            for statement in document["Statement"]:
                if statement["Effect"] == "Deny":
                    continue
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

    def test_the_role_covers_every_number_of_members(self):
        members = [f"i-{number:017x}" for number in range(1, 8)]
        actions = ("ec2:AttachNetworkInterface", "ssm:SendCommand")
        for parameter in ({"FailoverActivationDocument": "restart-service"}, {"TokenServerLicenseCheckDocument": "check-license"}):
            document = policy(TokenServerInstanceIds=",".join(members), **parameter)
            self.assert_decisions("Allowed", document, [
                (action, f"{EC2}:instance/{member}", FROM_CODE) for action in actions for member in members
            ])
            self.assert_decisions("ImplicitlyDenied", document, [(action, HOLDER_ARN, FROM_CODE) for action in actions])


if __name__ == "__main__":
    unittest.main()
