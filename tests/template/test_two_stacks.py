"""Two stacks for two licenses on the same members: nothing of the one has the name of anything of the other, and each role
can change only what belongs to its own license."""

import json
import re
import unittest

from deployment import BY_TAG, INTERFACE, REGION, STACK, STACK_ID, deploy, stack_id
from test_role import (
    ADDRESS_ARN, ALLOCATION, CALLS, CHECK_DOCUMENT, DOCUMENT, EC2, EVERYTHING, FROM_CODE, GROUP, GROUP_ARN, HOLDER_ARN,
    IN_REGION, INTERFACE_ARN, LOG_STREAM, MODES, QUEUE, STACK_KEY, TOPIC, decide, policy, with_tags,
)

OTHER = "acme-failover"
OTHER_INTERFACE, OTHER_ALLOCATION, OTHER_GROUP = "eni-0ddddddddddddddd2", "eipalloc-0eeeeeeeeeeeeeee2", "sg-0fffffffffffffff2"
# The parameters of the other license. The members, the VPC and all keys are the same.
OTHER_LICENSE = {
    "stack_name": OTHER, "TokenServerInterfaceId": OTHER_INTERFACE, "TokenServerDeviceIndex": 2,
    "TokenServerAllocationId": OTHER_ALLOCATION, "TokenServerSecurityGroupId": OTHER_GROUP,
    "FailoverActivationService": "token-server@acme", "LicenseCheckLmutil": "/opt/token-server/acme/lmutil",
    "TokenServerPorts": "1700,1701",
}
# What belongs to one license only, and the same of the other one.
OWN = {
    INTERFACE_ARN: f"{EC2}:network-interface/{OTHER_INTERFACE}",
    ADDRESS_ARN: f"{EC2}:elastic-ip/{OTHER_ALLOCATION}",
    GROUP_ARN: f"{EC2}:security-group/{OTHER_GROUP}",
    **{arn: arn.replace(f"{STACK}-", f"{OTHER}-") for arn in (TOPIC, LOG_STREAM, QUEUE, STACK_KEY, DOCUMENT, CHECK_DOCUMENT)},
}

# The properties with which a template names a resource of a type itself. Without one, CloudFormation makes a unique name.
NAMES = {
    "AWS::CloudWatch::Alarm": "AlarmName", "AWS::CloudWatch::Dashboard": "DashboardName", "AWS::Events::Rule": "Name",
    "AWS::IAM::Role": "RoleName", "AWS::KMS::Key": None, "AWS::Lambda::EventInvokeConfig": None,
    "AWS::Lambda::Function": "FunctionName", "AWS::Lambda::Permission": None, "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::SNS::Subscription": None, "AWS::SNS::Topic": "TopicName", "AWS::SQS::Queue": "QueueName", "AWS::SQS::QueuePolicy": None,
    "AWS::SSM::Document": "Name",
    # The name of an inline policy, unique only within its role.
    "AWS::IAM::Policy": None,
}


def both(**parameters):
    """The two stacks, with everything switched on."""
    return deploy(**EVERYTHING, **parameters), deploy(**EVERYTHING | OTHER_LICENSE, **parameters)


def references(stack):
    """Every generated name in the resources of a stack, except the names of its inline policies."""
    text = re.sub(r'"PolicyName": "[^"]*"', "", json.dumps(stack.resources))
    return set(re.findall(rf"(?:{STACK}|{OTHER})-[A-Za-z0-9-]+", text))


class TwoStacks(unittest.TestCase):
    maxDiff = None

    def test_only_the_dashboard_has_a_name_of_its_own_and_it_begins_with_that_of_the_stack(self):
        for members in ({}, BY_TAG):
            named = []
            for stack in both(**members):
                kinds = {name: stack.template["Resources"][name]["Type"] for name in stack.resources}
                self.assertEqual(set(), set(kinds.values()) - NAMES.keys(), "a type whose names are not in this table")
                named.append({(kinds[name], it[NAMES[kinds[name]]]) for name, it in stack.resources.items()
                              if NAMES[kinds[name]] in it})
            self.assertEqual([{("AWS::CloudWatch::Dashboard", f"{name}-{REGION}")} for name in (STACK, OTHER)], named)

    def test_no_stack_refers_to_anything_of_the_other(self):
        for members in ({}, BY_TAG):
            one, other = both(**members)
            self.assertTrue(references(one) and references(other))
            self.assertEqual((set(), set()), ({it for it in references(one) if not it.startswith(f"{STACK}-")},
                                              {it for it in references(other) if not it.startswith(f"{OTHER}-")}))
            text = json.dumps(other.resources)
            for own in (INTERFACE, ALLOCATION, GROUP):
                self.assertNotIn(own, text)

    def test_alarms_and_dashboard_read_the_metrics_of_their_own_stack(self):
        # By default, the id of the interface is the name in the metrics. A name that is given must differ, too.
        for names, expected in [
            (({}, {}), (INTERFACE, OTHER_INTERFACE)),
            (({"TokenServerName": "mosek"}, {"TokenServerName": "acme"}), ("mosek", "acme")),
        ]:
            servers, functions = set(), set()
            stacks = (deploy(**EVERYTHING, **names[0]), deploy(**EVERYTHING | OTHER_LICENSE, **names[1]))
            for stack, server in zip(stacks, expected, strict=True):
                dimensions = {(it["Name"], it["Value"]) for alarm in stack.of_type("AWS::CloudWatch::Alarm").values()
                              for it in alarm["Dimensions"]}
                [own] = {value for name, value in dimensions if name == "TokenServer"}
                self.assertEqual(server, own)
                servers.add(own)
                functions |= {value for name, value in dimensions if name == "FunctionName"}
                self.assertIn(f'"TokenServer", "{server}"', stack.resources["Dashboard"]["DashboardBody"])
            self.assertEqual((2, {f"{STACK}-Failover", f"{OTHER}-Failover"}), (len(servers), functions))

    def test_the_deployment_of_one_stack_audits_only_its_own_license(self):
        patterns = [stack.resources["FailoverDeployed"]["EventPattern"]["detail"]["stack-id"] for stack in both()]
        self.assertEqual([[STACK_ID], [stack_id(OTHER)]], patterns)

    def test_each_function_has_its_own_interface_index_and_documents(self):
        one, other = both()
        for name, values in [
            ("TOKEN_SERVER_INTERFACE_ID", (INTERFACE, OTHER_INTERFACE)),
            ("TOKEN_SERVER_DEVICE_INDEX", ("1", "2")),
            ("TOKEN_SERVER_ALLOCATION_ID", (ALLOCATION, OTHER_ALLOCATION)),
            ("NOTIFICATION_TOPIC_ARN", (TOPIC, OWN[TOPIC])),
            ("FAILOVER_ACTIVATION_DOCUMENT", (f"{STACK}-RestartTokenServer", f"{OTHER}-RestartTokenServer")),
            ("TOKEN_SERVER_LICENSE_CHECK_DOCUMENT", (f"{STACK}-CheckLicense", f"{OTHER}-CheckLicense")),
        ]:
            self.assertEqual(values, (one.environment[name], other.environment[name]))
        self.assertEqual(one.environment["TOKEN_SERVER_INSTANCE_IDS"], other.environment["TOKEN_SERVER_INSTANCE_IDS"])

    def test_the_documents_name_the_unit_and_the_lmutil_of_their_own_license(self):
        _, other = both()
        [restart] = other.resources["RestartTokenServer"]["Content"]["mainSteps"]
        self.assertEqual(["systemctl restart token-server@acme"], restart["inputs"]["runCommand"])
        [check] = other.resources["CheckLicense"]["Content"]["mainSteps"]
        self.assertEqual("output=$(runuser -u nobody -- env LC_ALL=C '/opt/token-server/acme/lmutil' lmstat -a -t 10 "
                         "-c '1700@127.0.0.1' 2>&1)", check["inputs"]["runCommand"][0])

    def test_each_role_can_change_what_belongs_to_its_own_license_and_nothing_that_belongs_to_the_other(self):
        def calls(own):
            """The calls on what belongs to a license: those of the first stack, with these resources in place of its own."""
            return [(action, own(resource), context) for action, resources, context in CALLS
                    for resource in resources if resource in OWN]

        of_one, of_other = calls(lambda arn: arn), calls(OWN.get)
        self.assertEqual(set(OWN), {resource for _, resource, _ in of_one})
        # To an instance that both share, each role may attach its own interface only.
        for members, tags in MODES:
            one, other = policy(**EVERYTHING, **members), policy(**EVERYTHING | OTHER_LICENSE, **members)
            for document, own, foreign in ((one, of_one, of_other), (other, of_other, of_one)):
                self.assertEqual({"Allowed"}, set(decide(document, own)))
                self.assertEqual({"ImplicitlyDenied"}, set(decide(document, foreign)))
                shared = with_tags([("ec2:AttachNetworkInterface", HOLDER_ARN, FROM_CODE)], tags)
                self.assertEqual(["Allowed"], decide(document, shared))

    def test_a_role_cannot_delete_its_own_interface_or_move_an_address_of_the_other(self):
        other = policy(**EVERYTHING | OTHER_LICENSE)
        self.assertEqual(["ExplicitlyDenied"], decide(other, [
            ("ec2:DeleteNetworkInterface", OWN[INTERFACE_ARN], IN_REGION)]))
        # A disassociation names the address, too, which must be the stack's own.
        self.assertEqual(["ImplicitlyDenied", "ImplicitlyDenied"], decide(other, [
            ("ec2:DisassociateAddress", ADDRESS_ARN, FROM_CODE), ("ec2:AssociateAddress", INTERFACE_ARN, FROM_CODE)]))


if __name__ == "__main__":
    unittest.main()
