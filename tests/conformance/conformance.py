"""Queries the simulator with another SDK, and compares the answers with those of EC2, SNS, Systems Manager
and Auto Scaling.

boto3 shares no code with the simulator or with the Rust SDK, so it shows that the simulator answers as AWS does.

    simulator --listen 127.0.0.1:4566 --scenario pair
    python conformance.py --endpoint http://127.0.0.1:4566

Needs Python 3.11 and boto3. Each case starts with a reset world. The output has a line for each case and the sum. The exit
status is 1 if a case failed.
"""

import argparse
import json
import sys
import time
import traceback
import urllib.error
import urllib.request
from collections.abc import Callable

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

HOLDER = "i-0aaaaaaaaaaaaaaa1"
STANDBY = "i-0bbbbbbbbbbbbbbb2"
INTERFACE = "eni-0ddddddddddddddd1"
ATTACHMENT = "eni-attach-0aaaaaaaaaaaaaaa1"
ALLOCATION = "eipalloc-0eeeeeeeeeeeeeee1"
ASSOCIATION = "eipassoc-0eeeeeeeeeeeeeee1"
PUBLIC_IP = "203.0.113.50"
GROUP = "sg-0fffffffffffffff1"
DEFAULT_GROUP = "sg-00000000000000001"
VPC = "vpc-0aaaaaaaaaaaaaaa1"
SUBNET = "subnet-0aaaaaaaaaaaaaaa1"
MAIN_ROUTE_TABLE = "rtb-0aaaaaaaaaaaaaaa1"
NETWORK_ACL = "acl-0aaaaaaaaaaaaaaa1"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:token-failover"
DOCUMENT = "token-failover-restart"
AUTO_SCALING_GROUP = "token-servers"
LIFECYCLE_HOOK = "before-termination"
ABSENT = "0123456789abcdef0"

CASES: list[Callable] = []


def case(function):
    CASES.append(function)
    return function


class Aws:
    """Clients for the four services, and the simulator's control surface."""

    def __init__(self, endpoint: str):
        self.endpoint = endpoint.rstrip("/")
        settings = {
            "endpoint_url": self.endpoint,
            "region_name": "eu-west-1",
            "aws_access_key_id": "a",
            "aws_secret_access_key": "b",
            # Invalid requests must reach the simulator, and each of them once.
            "config": Config(parameter_validation=False, retries={"total_max_attempts": 1}),
        }
        self.ec2 = boto3.client("ec2", **settings)
        self.sns = boto3.client("sns", **settings)
        self.ssm = boto3.client("ssm", **settings)
        self.autoscaling = boto3.client("autoscaling", **settings)
        self.cloudformation = boto3.client("cloudformation", **settings)

    def control(self, path: str, method: str = "GET"):
        request = urllib.request.Request(f"{self.endpoint}/_simulator/{path}", method=method)
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)

    def raw(self, body: str) -> tuple[int, str]:
        """Sends a request that no SDK would send."""
        request = urllib.request.Request(self.endpoint, data=body.encode(), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def interface(self, interface_id: str = INTERFACE) -> dict:
        return self.ec2.describe_network_interfaces(NetworkInterfaceIds=[interface_id])["NetworkInterfaces"][0]

    def address(self) -> dict:
        return self.ec2.describe_addresses(AllocationIds=[ALLOCATION])["Addresses"][0]

    def instance(self, instance_id: str) -> dict:
        return self.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]

    def state(self, instance_id: str) -> str:
        return self.instance(instance_id)["State"]["Name"]


def equal(actual, expected):
    assert actual == expected, f"expected {expected!r}, got {actual!r}"


def refused(code: str, status: int, call: Callable, **arguments):
    """Checks that the call fails with this code and HTTP status, and that the answer has a request id."""
    try:
        answer = call(**arguments)
    except ClientError as error:
        metadata = error.response["ResponseMetadata"]
        equal((error.response["Error"]["Code"], metadata["HTTPStatusCode"]), (code, status))
        assert error.response["Error"]["Message"], "an error has a message"
        assert metadata["RequestId"], "an error has a request id"
    else:
        raise AssertionError(f"expected {code}, got {answer!r}")


def eventually(condition: Callable[[], bool], seconds: float = 30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)


# Describing


@case
def an_attached_interface_is_described_in_full(aws):
    interface = aws.interface()
    attachment = interface.pop("Attachment")
    assert attachment.pop("AttachTime").year >= 2026
    equal(
        attachment,
        {
            "AttachmentId": ATTACHMENT,
            "DeleteOnTermination": False,
            "DeviceIndex": 1,
            "NetworkCardIndex": 0,
            "InstanceId": HOLDER,
            "InstanceOwnerId": "123456789012",
            "Status": "attached",
        },
    )
    association = {
        "AllocationId": ALLOCATION,
        "AssociationId": ASSOCIATION,
        "IpOwnerId": "123456789012",
        "PublicDnsName": "ec2-203-0-113-50.eu-west-1.compute.amazonaws.com",
        "PublicIp": PUBLIC_IP,
    }
    private_dns_name = "ip-10-0-1-50.eu-west-1.compute.internal"
    equal(
        interface,
        {
            "Association": association,
            "AvailabilityZone": "eu-west-1a",
            "Description": "",
            "Groups": [{"GroupId": GROUP, "GroupName": GROUP}],
            "InterfaceType": "interface",
            "Ipv6Addresses": [],
            "MacAddress": "02:73:ae:2a:dc:81",
            "NetworkInterfaceId": INTERFACE,
            "OwnerId": "123456789012",
            "PrivateDnsName": private_dns_name,
            "PrivateIpAddress": "10.0.1.50",
            "PrivateIpAddresses": [
                {
                    "Association": association,
                    "Primary": True,
                    "PrivateDnsName": private_dns_name,
                    "PrivateIpAddress": "10.0.1.50",
                }
            ],
            "RequesterManaged": False,
            "SourceDestCheck": True,
            "Status": "in-use",
            "SubnetId": "subnet-0aaaaaaaaaaaaaaa1",
            "TagSet": [],
            "VpcId": "vpc-0aaaaaaaaaaaaaaa1",
        },
    )


@case
def an_instance_is_described_with_its_interfaces_but_has_the_groups_of_its_primary_one(aws):
    instance = aws.instance(HOLDER)
    equal(instance["State"], {"Code": 16, "Name": "running"})
    equal(instance["Placement"]["AvailabilityZone"], "eu-west-1a")
    equal(instance["PrivateIpAddress"], "10.0.1.10")
    equal([group["GroupId"] for group in instance["SecurityGroups"]], [DEFAULT_GROUP])
    indexes = {each["NetworkInterfaceId"]: each["Attachment"]["DeviceIndex"] for each in instance["NetworkInterfaces"]}
    equal(indexes, {"eni-1aaaaaaaaaaaaaaa1": 0, INTERFACE: 1})
    license_interface = instance["NetworkInterfaces"][1]
    equal(license_interface["Groups"], [{"GroupId": GROUP, "GroupName": GROUP}])
    equal(license_interface["Association"]["PublicIp"], PUBLIC_IP)
    assert "Association" not in instance["NetworkInterfaces"][0], "no association, no element"
    equal(instance["InstanceType"], "t3.small")
    equal(instance["SubnetId"], SUBNET)
    equal(instance["SourceDestCheck"], True)
    equal(instance["MaintenanceOptions"], {"AutoRecovery": "default", "RebootMigration": "default"})
    equal(license_interface["SubnetId"], SUBNET)
    equal(license_interface["PrivateIpAddress"], "10.0.1.50")
    equal(license_interface["SourceDestCheck"], True)
    equal(license_interface["Attachment"]["NetworkCardIndex"], 0)
    assert "StateReason" not in instance


@case
def an_instance_type_has_a_limit_of_interfaces(aws):
    (small,) = aws.ec2.describe_instance_types(InstanceTypes=["t3.small"])["InstanceTypes"]
    equal(
        small,
        {
            "InstanceType": "t3.small",
            "NetworkInfo": {
                "MaximumNetworkInterfaces": 3,
                "MaximumNetworkCards": 1,
                "DefaultNetworkCardIndex": 0,
                "NetworkCards": [{"NetworkCardIndex": 0, "MaximumNetworkInterfaces": 3}],
                "Ipv4AddressesPerInterface": 4,
            },
        },
    )
    refused("InvalidInstanceType", 400, aws.ec2.describe_instance_types, InstanceTypes=["t3.small", "t3.huge"])


@case
def termination_protection_is_an_attribute(aws):
    describe = aws.ec2.describe_instance_attribute
    answer = describe(InstanceId=HOLDER, Attribute="disableApiTermination")
    answer.pop("ResponseMetadata")
    equal(answer, {"InstanceId": HOLDER, "DisableApiTermination": {"Value": False}})
    refused("InvalidParameterValue", 400, describe, InstanceId=HOLDER, Attribute="color")
    refused("InvalidInstanceID.NotFound", 400, describe, InstanceId=f"i-{ABSENT}", Attribute="disableApiTermination")


@case
def a_subnet_without_its_own_route_table_uses_the_main_one(aws):
    def tables(name, value):
        return aws.ec2.describe_route_tables(Filters=[{"Name": name, "Values": [value]}])["RouteTables"]

    equal(tables("association.subnet-id", SUBNET), [])
    (main,) = tables("vpc-id", VPC)
    equal(tables("association.main", "true"), [main])
    equal(
        main,
        {
            "Associations": [
                {
                    "Main": True,
                    "RouteTableAssociationId": "rtbassoc-0aaaaaaaaaaaaaaa1",
                    "RouteTableId": MAIN_ROUTE_TABLE,
                    "AssociationState": {"State": "associated"},
                }
            ],
            "OwnerId": "123456789012",
            "PropagatingVgws": [],
            "RouteTableId": MAIN_ROUTE_TABLE,
            "Routes": [
                {
                    "DestinationCidrBlock": "10.0.0.0/16",
                    "GatewayId": "local",
                    "Origin": "CreateRouteTable",
                    "State": "active",
                },
                {
                    "DestinationCidrBlock": "0.0.0.0/0",
                    "GatewayId": "igw-0aaaaaaaaaaaaaaa1",
                    "Origin": "CreateRoute",
                    "State": "active",
                },
            ],
            "Tags": [],
            "VpcId": VPC,
        },
    )


@case
def a_network_acl_is_described_with_the_entries_that_cannot_be_deleted(aws):
    (acl,) = aws.ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [SUBNET]}])[
        "NetworkAcls"
    ]
    everything = {"CidrBlock": "0.0.0.0/0", "Protocol": "-1"}
    equal(
        acl,
        {
            "Associations": [
                {
                    "NetworkAclAssociationId": "aclassoc-0aaaaaaaaaaaaaaa1",
                    "NetworkAclId": NETWORK_ACL,
                    "SubnetId": SUBNET,
                }
            ],
            "Entries": [
                {**everything, "Egress": True, "RuleAction": "allow", "RuleNumber": 100},
                {**everything, "Egress": True, "RuleAction": "deny", "RuleNumber": 32767},
                {**everything, "Egress": False, "RuleAction": "allow", "RuleNumber": 100},
                {**everything, "Egress": False, "RuleAction": "deny", "RuleNumber": 32767},
            ],
            "IsDefault": True,
            "NetworkAclId": NETWORK_ACL,
            "OwnerId": "123456789012",
            "Tags": [],
            "VpcId": VPC,
        },
    )


@case
def a_subnet_is_described(aws):
    (subnet,) = aws.ec2.describe_subnets(SubnetIds=[SUBNET])["Subnets"]
    equal(
        (subnet["CidrBlock"], subnet["AvailabilityZone"], subnet["VpcId"], subnet["AvailableIpAddressCount"]),
        ("10.0.1.0/24", "eu-west-1a", VPC, 248),
    )


@case
def a_security_group_is_described_with_its_permissions(aws):
    (group,) = aws.ec2.describe_security_groups(GroupIds=[GROUP])["SecurityGroups"]
    equal((group["GroupId"], group["VpcId"], group["IpPermissionsEgress"]), (GROUP, VPC, []))
    equal(
        group["IpPermissions"],
        [
            {
                "IpProtocol": "tcp",
                "FromPort": 27007,
                "ToPort": 27008,
                "IpRanges": [{"CidrIp": "10.0.0.0/16"}],
                "Ipv6Ranges": [],
                "PrefixListIds": [],
                "UserIdGroupPairs": [],
            }
        ],
    )


@case
def a_topic_lists_its_subscriptions(aws):
    equal(
        aws.sns.get_topic_attributes(TopicArn=TOPIC)["Attributes"],
        {
            "DisplayName": "",
            "Owner": "123456789012",
            "SubscriptionsConfirmed": "1",
            "SubscriptionsDeleted": "0",
            "SubscriptionsPending": "0",
            "TopicArn": TOPIC,
        },
    )
    (subscription,) = aws.sns.list_subscriptions_by_topic(TopicArn=TOPIC)["Subscriptions"]
    assert subscription.pop("SubscriptionArn").startswith(f"{TOPIC}:")
    equal(
        subscription,
        {"Endpoint": "ops@example.com", "Owner": "123456789012", "Protocol": "email", "TopicArn": TOPIC},
    )
    for call in (aws.sns.get_topic_attributes, aws.sns.list_subscriptions_by_topic):
        refused("NotFound", 404, call, TopicArn=f"{TOPIC}-absent")
        refused("InvalidParameter", 400, call, TopicArn="absent")


@case
def an_address_names_the_instance_of_its_interface(aws):
    equal(
        aws.address(),
        {
            "AllocationId": ALLOCATION,
            "AssociationId": ASSOCIATION,
            "Domain": "vpc",
            "InstanceId": HOLDER,
            "NetworkBorderGroup": "eu-west-1",
            "NetworkInterfaceId": INTERFACE,
            "NetworkInterfaceOwnerId": "123456789012",
            "PrivateIpAddress": "10.0.1.50",
            "PublicIp": PUBLIC_IP,
            "PublicIpv4Pool": "amazon",
        },
    )
    by_instance = aws.ec2.describe_addresses(Filters=[{"Name": "instance-id", "Values": [HOLDER]}])["Addresses"]
    equal([address["AllocationId"] for address in by_instance], [ALLOCATION])


@case
def security_group_rules_are_flat(aws):
    rules = aws.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [GROUP]}])
    (rule,) = rules["SecurityGroupRules"]
    assert rule.pop("SecurityGroupRuleId").startswith("sgr-")
    assert rule.pop("SecurityGroupRuleArn").startswith("arn:aws:ec2:eu-west-1:123456789012:security-group-rule/sgr-")
    equal(
        rule,
        {
            "GroupId": GROUP,
            "GroupOwnerId": "123456789012",
            "IsEgress": False,
            "IpProtocol": "tcp",
            "FromPort": 27007,
            "ToPort": 27008,
            "CidrIpv4": "10.0.0.0/16",
        },
    )


@case
def only_running_instances_have_a_status_unless_all_are_requested(aws):
    aws.ec2.stop_instances(InstanceIds=[STANDBY])
    running = aws.ec2.describe_instance_status()["InstanceStatuses"]
    equal([status["InstanceId"] for status in running], [HOLDER])
    equal(running[0]["InstanceStatus"], {"Status": "ok", "Details": [{"Name": "reachability", "Status": "passed"}]})
    equal(running[0]["SystemStatus"]["Status"], "ok")
    equal(running[0]["AttachedEbsStatus"], {"Status": "ok", "Details": [{"Name": "reachability", "Status": "passed"}]})
    (stopping,) = aws.ec2.describe_instance_status(InstanceIds=[STANDBY], IncludeAllInstances=True)["InstanceStatuses"]
    equal(stopping["InstanceState"]["Name"], "stopping")
    equal(stopping["InstanceStatus"], {"Status": "not-applicable"})
    equal(stopping["AttachedEbsStatus"], {"Status": "not-applicable"})


@case
def filters_match_and_unknown_ones_are_refused(aws):
    def found(**filters):
        filters = [{"Name": name.replace("_", "-"), "Values": values} for name, values in filters.items()]
        answer = aws.ec2.describe_network_interfaces(Filters=filters)
        return {interface["NetworkInterfaceId"] for interface in answer["NetworkInterfaces"]}

    equal(found(status=["in-use"], group_id=[GROUP]), {INTERFACE})
    equal(found(mac_address=["02:73:ae:*"]), {INTERFACE})
    equal(found(status=["available"]), set())
    equal(found(status=["available", "in-use"]), {INTERFACE, "eni-1aaaaaaaaaaaaaaa1", "eni-1bbbbbbbbbbbbbbb2"})
    by_index = [{"Name": "attachment.device-index", "Values": ["1"]}]
    equal(len(aws.ec2.describe_network_interfaces(Filters=by_index)["NetworkInterfaces"]), 1)
    unknown = [{"Name": "color", "Values": ["red"]}]
    for call in (
        aws.ec2.describe_network_interfaces,
        aws.ec2.describe_instances,
        aws.ec2.describe_instance_status,
        aws.ec2.describe_addresses,
        aws.ec2.describe_security_group_rules,
        aws.ec2.describe_security_groups,
        aws.ec2.describe_instance_types,
        aws.ec2.describe_subnets,
        aws.ec2.describe_route_tables,
        aws.ec2.describe_network_acls,
    ):
        refused("InvalidParameterValue", 400, call, Filters=unknown)


@case
def instances_are_found_by_their_interfaces(aws):
    filters = [{"Name": "network-interface.network-interface-id", "Values": [INTERFACE]}]
    reservations = aws.ec2.describe_instances(Filters=filters)["Reservations"]
    equal([reservation["Instances"][0]["InstanceId"] for reservation in reservations], [HOLDER])


@case
def pages_follow_one_another(aws):
    permissions = [
        {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "192.0.2.0/24"}]}
        for port in range(1, 12)
    ]
    aws.ec2.authorize_security_group_ingress(GroupId=GROUP, IpPermissions=permissions)
    pages = list(aws.ec2.get_paginator("describe_security_group_rules").paginate(PaginationConfig={"PageSize": 5}))
    equal([len(page["SecurityGroupRules"]) for page in pages], [5, 5, 2])
    ids = [rule["SecurityGroupRuleId"] for page in pages for rule in page["SecurityGroupRules"]]
    equal(len(set(ids)), 12)


@case
def page_sizes_tokens_and_ids_have_rules(aws):
    describe = aws.ec2.describe_network_interfaces
    refused("InvalidParameterValue", 400, describe, MaxResults=4)
    refused("InvalidParameterValue", 400, describe, MaxResults=1001)
    refused("InvalidParameterValue", 400, describe, NextToken="x")
    refused("InvalidParameterCombination", 400, describe, MaxResults=5, NetworkInterfaceIds=[INTERFACE])
    refused("InvalidParameterCombination", 400, aws.ec2.describe_instances, MaxResults=5, InstanceIds=[HOLDER])


@case
def ids_are_malformed_or_not_found(aws):
    ec2 = aws.ec2
    describe, modify = ec2.describe_network_interfaces, ec2.modify_network_interface_attribute
    describe_rules, detach = ec2.describe_security_group_rules, ec2.detach_network_interface
    for code, call, arguments in [
        ("InvalidNetworkInterfaceID.NotFound", describe, {"NetworkInterfaceIds": [f"eni-{ABSENT}"]}),
        ("InvalidNetworkInterfaceId.Malformed", describe, {"NetworkInterfaceIds": ["eni-x"]}),
        ("InvalidInstanceID.NotFound", ec2.describe_instances, {"InstanceIds": [f"i-{ABSENT}"]}),
        ("InvalidInstanceID.Malformed", ec2.describe_instance_status, {"InstanceIds": ["x"]}),
        ("InvalidAllocationID.NotFound", ec2.describe_addresses, {"AllocationIds": [f"eipalloc-{ABSENT}"]}),
        ("InvalidAddress.NotFound", ec2.describe_addresses, {"PublicIps": ["203.0.113.99"]}),
        ("InvalidSecurityGroupRuleId.NotFound", describe_rules, {"SecurityGroupRuleIds": [f"sgr-{ABSENT}"]}),
        ("InvalidPrefixListID.NotFound", ec2.get_managed_prefix_list_entries, {"PrefixListId": f"pl-{ABSENT}"}),
        ("InvalidAttachmentID.NotFound", detach, {"AttachmentId": f"eni-attach-{ABSENT}"}),
        ("InvalidNetworkInterfaceAttachmentId.Malformed", detach, {"AttachmentId": INTERFACE}),
        ("InvalidAssociationID.NotFound", ec2.disassociate_address, {"AssociationId": f"eipassoc-{ABSENT}"}),
        ("InvalidGroup.NotFound", ec2.describe_security_groups, {"GroupIds": [f"sg-{ABSENT}"]}),
        ("InvalidSubnetID.NotFound", ec2.describe_subnets, {"SubnetIds": [f"subnet-{ABSENT}"]}),
        ("InvalidRouteTableID.NotFound", ec2.describe_route_tables, {"RouteTableIds": [f"rtb-{ABSENT}"]}),
        ("InvalidRouteTableId.Malformed", ec2.describe_route_tables, {"RouteTableIds": ["rtb-x"]}),
        ("InvalidNetworkAclID.NotFound", ec2.describe_network_acls, {"NetworkAclIds": [f"acl-{ABSENT}"]}),
        ("InvalidNetworkAclId.Malformed", ec2.describe_network_acls, {"NetworkAclIds": ["acl-x"]}),
        ("InvalidGroup.NotFound", modify, {"NetworkInterfaceId": INTERFACE, "Groups": [f"sg-{ABSENT}"]}),
        ("InvalidGroupId.Malformed", modify, {"NetworkInterfaceId": INTERFACE, "Groups": ["default"]}),
    ]:
        refused(code, 400, call, **arguments)


@case
def missing_and_unknown_parameters_are_named(aws):
    ec2 = aws.ec2
    refused("MissingParameter", 400, ec2.attach_network_interface, NetworkInterfaceId=INTERFACE, InstanceId=STANDBY)
    refused("MissingParameter", 400, ec2.detach_network_interface)
    refused("MissingParameter", 400, ec2.start_instances)
    refused("MissingParameter", 400, ec2.modify_network_interface_attribute, NetworkInterfaceId=INTERFACE)
    refused("MissingParameter", 400, ec2.create_tags, Resources=[INTERFACE])
    refused("InvalidAction", 400, ec2.describe_vpcs)
    status, body = aws.raw("Action=DescribeInstances&Version=2016-11-15&Color=red")
    equal((status, "<Code>UnknownParameter</Code>" in body), (400, True))
    for nonsense in ("", "=", "&&&", "Action=", "%ff%fe", "Action=DescribeInstances", "Filter.1=x&Filter.x.y=z"):
        status, body = aws.raw(nonsense)
        equal((status, "<Errors><Error><Code>" in body), (400, True))


@case
def a_dry_run_is_answered_by_an_error_that_means_success(aws):
    ec2 = aws.ec2
    for call, arguments in [
        (ec2.describe_network_interfaces, {}),
        (ec2.describe_instances, {}),
        (ec2.describe_instance_status, {}),
        (ec2.describe_addresses, {}),
        (ec2.describe_security_group_rules, {}),
        (ec2.attach_network_interface, {"NetworkInterfaceId": INTERFACE, "InstanceId": STANDBY, "DeviceIndex": 1}),
        (ec2.detach_network_interface, {"AttachmentId": ATTACHMENT}),
        (ec2.stop_instances, {"InstanceIds": [HOLDER]}),
        (ec2.create_tags, {"Resources": [INTERFACE], "Tags": [{"Key": "k", "Value": "v"}]}),
    ]:
        refused("DryRunOperation", 412, call, DryRun=True, **arguments)
    absent = {"AttachmentId": f"eni-attach-{ABSENT}"}
    refused("InvalidAttachmentID.NotFound", 400, ec2.detach_network_interface, DryRun=True, **absent)
    equal([call for call in aws.control("journal") if call["changed"]], [])


# Moving an interface


@case
def an_interface_moves_in_phases_and_takes_everything_with_it(aws):
    before = aws.interface()
    aws.ec2.detach_network_interface(AttachmentId=ATTACHMENT)
    equal(aws.interface()["Attachment"]["Status"], "detaching")
    attach = {"NetworkInterfaceId": INTERFACE, "InstanceId": STANDBY, "DeviceIndex": 1}
    refused("InvalidNetworkInterface.InUse", 400, aws.ec2.attach_network_interface, **attach)
    eventually(lambda: aws.interface()["Status"] == "available")
    free = aws.interface()
    assert "Attachment" not in free
    equal(free["Association"], before["Association"])
    assert "InstanceId" not in aws.address()
    refused("InvalidAttachmentID.NotFound", 400, aws.ec2.detach_network_interface, AttachmentId=ATTACHMENT)

    answer = aws.ec2.attach_network_interface(**attach)
    equal(answer["NetworkCardIndex"], 0)
    equal(aws.interface()["Attachment"]["Status"], "attaching")
    eventually(lambda: aws.interface()["Attachment"]["Status"] == "attached")
    after = aws.interface()
    equal(after["Attachment"]["AttachmentId"], answer["AttachmentId"])
    equal(after["Attachment"]["DeleteOnTermination"], False)
    for key in ("MacAddress", "PrivateIpAddress", "Association", "Groups"):
        equal(after[key], before[key])
    equal(aws.address()["InstanceId"], STANDBY)
    refused("InvalidNetworkInterface.InUse", 400, aws.ec2.attach_network_interface, **attach)


@case
def a_primary_interface_cannot_be_detached(aws):
    primary = aws.interface("eni-1aaaaaaaaaaaaaaa1")["Attachment"]["AttachmentId"]
    refused("OperationNotPermitted", 400, aws.ec2.detach_network_interface, AttachmentId=primary)
    refused("OperationNotPermitted", 400, aws.ec2.detach_network_interface, AttachmentId=primary, Force=True)


@case
def an_occupied_device_index_and_a_second_card_are_refused(aws):
    aws.ec2.detach_network_interface(AttachmentId=ATTACHMENT)
    eventually(lambda: aws.interface()["Status"] == "available")
    attach = {"NetworkInterfaceId": INTERFACE, "InstanceId": STANDBY}
    refused("InvalidParameterValue", 400, aws.ec2.attach_network_interface, DeviceIndex=0, **attach)
    refused("InvalidParameterValue", 400, aws.ec2.attach_network_interface, DeviceIndex=-1, **attach)
    refused("InvalidParameterValue", 400, aws.ec2.attach_network_interface, DeviceIndex=1, NetworkCardIndex=9, **attach)


@case
def delete_on_termination_is_set_on_the_attachment(aws):
    modify = aws.ec2.modify_network_interface_attribute
    attachment = {"AttachmentId": ATTACHMENT, "DeleteOnTermination": True}
    modify(NetworkInterfaceId=INTERFACE, Attachment=attachment)
    equal(aws.interface()["Attachment"]["DeleteOnTermination"], True)
    both = {"Attachment": attachment, "Groups": [GROUP]}
    refused("InvalidParameterCombination", 400, modify, NetworkInterfaceId=INTERFACE, **both)
    foreign = {"AttachmentId": f"eni-attach-{ABSENT}", "DeleteOnTermination": True}
    refused("InvalidAttachmentID.NotFound", 400, modify, NetworkInterfaceId=INTERFACE, Attachment=foreign)


@case
def groups_are_replaced_as_a_whole(aws):
    aws.ec2.modify_network_interface_attribute(NetworkInterfaceId=INTERFACE, Groups=[DEFAULT_GROUP])
    equal(aws.interface()["Groups"], [{"GroupId": DEFAULT_GROUP, "GroupName": "default"}])


# Instances


@case
def an_instance_stops_and_starts_in_phases_and_keeps_its_interface(aws):
    (change,) = aws.ec2.stop_instances(InstanceIds=[HOLDER], Force=True, SkipOsShutdown=True)["StoppingInstances"]
    equal((change["PreviousState"]["Name"], change["CurrentState"]["Name"]), ("running", "stopping"))
    refused("IncorrectInstanceState", 400, aws.ec2.start_instances, InstanceIds=[HOLDER])
    refused("IncorrectState", 400, aws.ec2.detach_network_interface, AttachmentId=ATTACHMENT)
    eventually(lambda: aws.state(HOLDER) == "stopped")
    equal(aws.instance(HOLDER)["StateReason"]["Code"], "Client.UserInitiatedShutdown")
    equal(aws.interface()["Attachment"]["Status"], "attached")
    (change,) = aws.ec2.start_instances(InstanceIds=[HOLDER])["StartingInstances"]
    equal((change["PreviousState"]["Name"], change["CurrentState"]["Name"]), ("stopped", "pending"))
    eventually(lambda: aws.state(HOLDER) == "running")
    (status,) = aws.ec2.describe_instance_status(InstanceIds=[HOLDER])["InstanceStatuses"]
    equal(status["InstanceStatus"]["Status"], "initializing")


@case
def termination_frees_the_interface_after_some_time_and_deletes_the_primary_one(aws):
    aws.ec2.terminate_instances(InstanceIds=[HOLDER])
    equal(aws.state(HOLDER), "shutting-down")
    eventually(lambda: aws.state(HOLDER) == "terminated")
    attach = {"NetworkInterfaceId": INTERFACE, "InstanceId": STANDBY, "DeviceIndex": 1}
    refused("InvalidNetworkInterface.InUse", 400, aws.ec2.attach_network_interface, **attach)
    refused("IncorrectInstanceState", 400, aws.ec2.start_instances, InstanceIds=[HOLDER])
    aws.ec2.terminate_instances(InstanceIds=[HOLDER])
    absent = {"NetworkInterfaceIds": ["eni-1aaaaaaaaaaaaaaa1"]}
    refused("InvalidNetworkInterfaceID.NotFound", 400, aws.ec2.describe_network_interfaces, **absent)
    eventually(lambda: aws.interface()["Status"] == "available")
    equal(aws.interface()["Association"]["PublicIp"], PUBLIC_IP)
    aws.ec2.attach_network_interface(**attach)


@case
def a_crashed_instance_runs_on_with_failed_checks_and_holds_its_interface(aws):
    aws.control(f"instances/{HOLDER}/crash", "POST")
    (status,) = aws.ec2.describe_instance_status(InstanceIds=[HOLDER])["InstanceStatuses"]
    equal((status["InstanceState"]["Name"], status["InstanceStatus"]["Status"]), ("running", "impaired"))
    aws.ec2.detach_network_interface(AttachmentId=ATTACHMENT)
    time.sleep(3)
    equal(aws.interface()["Attachment"]["Status"], "detaching")
    aws.ec2.detach_network_interface(AttachmentId=ATTACHMENT, Force=True)
    eventually(lambda: aws.interface()["Status"] == "available")


# Elastic IP addresses


@case
def an_address_is_reassociated_unless_that_is_forbidden(aws):
    associate = aws.ec2.associate_address
    equal(associate(AllocationId=ALLOCATION, NetworkInterfaceId=INTERFACE)["AssociationId"], ASSOCIATION)
    other = {"AllocationId": ALLOCATION, "NetworkInterfaceId": "eni-1bbbbbbbbbbbbbbb2"}
    refused("Resource.AlreadyAssociated", 400, associate, AllowReassociation=False, **other)
    association_id = associate(**other)["AssociationId"]
    assert association_id != ASSOCIATION
    assert "Association" not in aws.interface()
    equal(aws.instance(STANDBY)["PublicIpAddress"], PUBLIC_IP)
    aws.ec2.disassociate_address(AssociationId=association_id)
    address = aws.address()
    equal([key for key in ("AssociationId", "NetworkInterfaceId", "InstanceId") if key in address], [])


@case
def an_association_by_instance_id_needs_a_single_interface(aws):
    associate = aws.ec2.associate_address
    refused("InvalidInstanceID", 400, associate, AllocationId=ALLOCATION, InstanceId=HOLDER)
    both = {"InstanceId": STANDBY, "NetworkInterfaceId": INTERFACE}
    refused("InvalidParameterCombination", 400, associate, AllocationId=ALLOCATION, **both)
    associate(AllocationId=ALLOCATION, InstanceId=STANDBY)
    equal(aws.address()["NetworkInterfaceId"], "eni-1bbbbbbbbbbbbbbb2")


# Security groups and tags


@case
def networks_are_canonical_and_duplicates_refused(aws):
    def authorize(cidr):
        ranges = [{"CidrIp": cidr, "Description": "clients"}]
        permissions = [{"IpProtocol": "tcp", "FromPort": 27007, "ToPort": 27008, "IpRanges": ranges}]
        return aws.ec2.authorize_security_group_ingress(GroupId=GROUP, IpPermissions=permissions)

    answer = authorize("100.68.0.18/18")
    equal(answer["Return"], True)
    (rule,) = answer["SecurityGroupRules"]
    equal((rule["CidrIpv4"], rule["Description"]), ("100.68.0.0/18", "clients"))
    refused("InvalidPermission.Duplicate", 400, authorize, cidr="100.68.0.0/18")
    refused("InvalidPermission.Duplicate", 400, authorize, cidr="10.0.7.7/16")
    refused("InvalidParameterValue", 400, authorize, cidr="10.0.0.0/33")


@case
def sources_can_be_groups_and_ipv6_networks(aws):
    permission = {
        "IpProtocol": "-1",
        "UserIdGroupPairs": [{"GroupId": DEFAULT_GROUP}],
        "Ipv6Ranges": [{"CidrIpv6": "2001:db8::1/32"}],
    }
    answer = aws.ec2.authorize_security_group_ingress(GroupId=GROUP, IpPermissions=[permission])
    rules = answer["SecurityGroupRules"]
    sources = {rule.get("CidrIpv6") or rule["ReferencedGroupInfo"]["GroupId"] for rule in rules}
    equal(sources, {"2001:db8::/32", DEFAULT_GROUP})
    equal({(rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) for rule in rules}, {("-1", -1, -1)})


@case
def tags_are_written_and_deleted_if_their_value_is_the_expected_one(aws):
    tag = {"Key": "token-failover:owed", "Value": "<a & b> \"ü\""}
    aws.ec2.create_tags(Resources=[INTERFACE], Tags=[tag])
    equal(aws.interface()["TagSet"], [tag])
    by_tag = [{"Name": f"tag:{tag['Key']}", "Values": [tag["Value"]]}]
    equal(len(aws.ec2.describe_network_interfaces(Filters=by_tag)["NetworkInterfaces"]), 1)
    aws.ec2.delete_tags(Resources=[INTERFACE], Tags=[{"Key": tag["Key"], "Value": "other"}])
    equal(aws.interface()["TagSet"], [tag])
    aws.ec2.delete_tags(Resources=[INTERFACE], Tags=[{"Key": tag["Key"]}])
    equal(aws.interface().get("TagSet", []), [])
    aws.ec2.delete_tags(Resources=[INTERFACE], Tags=[{"Key": tag["Key"]}])


@case
def tags_have_limits(aws):
    for tag in ({"Key": "aws:k", "Value": ""}, {"Key": "k" * 129, "Value": ""}, {"Key": "k", "Value": "v" * 257}):
        refused("InvalidParameterValue", 400, aws.ec2.create_tags, Resources=[INTERFACE], Tags=[tag])
    many = [{"Key": f"k{number}", "Value": ""} for number in range(51)]
    refused("TagLimitExceeded", 400, aws.ec2.create_tags, Resources=[INTERFACE], Tags=many)
    refused("InvalidID", 400, aws.ec2.create_tags, Resources=["thing"], Tags=[{"Key": "k", "Value": "v"}])


# SNS


@case
def a_message_arrives_as_it_was_published(aws):
    message = json.dumps({"default": "moved", "sqs": "{}"})
    answer = aws.sns.publish(
        TopicArn=TOPIC,
        Subject="MOVED token-server 0273ae2adc81",
        Message=message,
        MessageStructure="json",
        MessageAttributes={"outcome": {"DataType": "String", "StringValue": "moved"}},
    )
    (published,) = aws.control("messages")
    equal(published["messageId"], answer["MessageId"])
    equal(published["subject"], "MOVED token-server 0273ae2adc81")
    equal(published["message"], message)
    equal(published["messageAttributes"], {"outcome": {"dataType": "String", "value": "moved"}})


@case
def sns_refuses_invalid_parameters(aws):
    good = {"TopicArn": TOPIC, "Message": "m"}
    for bad in [
        {"Subject": "two\nlines"},
        {"Subject": ""},
        {"Subject": "x" * 100},
        {"Message": ""},
        {"Message": "x" * (256 * 1024 + 1)},
        {"MessageStructure": "json"},
        {"MessageStructure": "json", "Message": '{"sms":"m"}'},
        {"MessageStructure": "json", "Message": '{"default":1}'},
        {"MessageAttributes": {"a": {"StringValue": "v"}}},
        {"MessageDeduplicationId": "1"},
        {"TopicArn": "token-failover"},
    ]:
        refused("InvalidParameter", 400, aws.sns.publish, **{**good, **bad})
    refused("NotFound", 404, aws.sns.publish, **{**good, "TopicArn": f"{TOPIC}-other"})
    refused("InvalidAction", 400, aws.sns.list_topics)
    equal(aws.control("messages"), [])


@case
def a_fifo_topic_needs_a_group_and_forgets_duplicates(aws):
    topic = aws.sns.create_topic(Name="t.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    refused("InvalidParameter", 400, aws.sns.publish, TopicArn=topic, Message="m")
    arguments = {"TopicArn": topic, "Message": "m", "MessageGroupId": "g", "MessageDeduplicationId": "1"}
    first, second = aws.sns.publish(**arguments), aws.sns.publish(**arguments)
    equal(first["MessageId"], second["MessageId"])
    equal(first["SequenceNumber"], second["SequenceNumber"])
    equal(len(aws.control("messages")), 1)


# Systems Manager


@case
def a_command_is_sent_to_an_instance_and_followed_to_its_end(aws):
    sent = aws.ssm.send_command(
        DocumentName=DOCUMENT, InstanceIds=[STANDBY], Parameters={"Service": ["lmgrd"]}, TimeoutSeconds=30, Comment="c"
    )["Command"]
    equal(
        {name: sent[name] for name in ("DocumentName", "InstanceIds", "Parameters", "Status", "Comment")},
        {
            "DocumentName": DOCUMENT, "InstanceIds": [STANDBY], "Parameters": {"Service": ["lmgrd"]}, "Status": "Pending",
            "Comment": "c",
        },
    )
    assert sent["RequestedDateTime"].year >= 2026

    def invocation():
        try:
            return aws.ssm.get_command_invocation(CommandId=sent["CommandId"], InstanceId=STANDBY)
        except aws.ssm.exceptions.InvocationDoesNotExist:
            return {"Status": "unknown"}

    eventually(lambda: invocation()["Status"] == "Success")
    done = invocation()
    equal((done["StatusDetails"], done["ResponseCode"], done["DocumentName"]), ("Success", 0, DOCUMENT))
    (command,) = aws.control("commands")
    equal((command["commandId"], command["instanceId"]), (sent["CommandId"], STANDBY))


@case
def an_invalid_command_is_refused(aws):
    send = aws.ssm.send_command
    refused("InvalidDocument", 400, send, DocumentName="absent", InstanceIds=[STANDBY])
    refused("InvalidInstanceId", 400, send, DocumentName=DOCUMENT, InstanceIds=[f"i-{ABSENT}"])
    refused("InvalidParameters", 400, send, DocumentName=DOCUMENT, InstanceIds=[STANDBY], Parameters={"Color": ["red"]})
    refused("ValidationException", 400, send, DocumentName=DOCUMENT, InstanceIds=[STANDBY], TimeoutSeconds=29)
    command = "00000000-0000-4000-8000-000000000000"
    refused("InvocationDoesNotExist", 400, aws.ssm.get_command_invocation, CommandId=command, InstanceId=STANDBY)
    equal(aws.control("commands"), [])


@case
def documents_and_agents_are_described(aws):
    document = aws.ssm.describe_document(Name=DOCUMENT)["Document"]
    equal((document["Name"], document["Status"], document["DocumentType"]), (DOCUMENT, "Active", "Command"))
    refused("InvalidDocument", 400, aws.ssm.describe_document, Name="absent")
    pages = aws.ssm.get_paginator("describe_instance_information").paginate(
        Filters=[{"Key": "InstanceIds", "Values": [HOLDER, STANDBY]}]
    )
    nodes = [node for page in pages for node in page["InstanceInformationList"]]
    equal([(node["InstanceId"], node["PingStatus"]) for node in nodes], [(HOLDER, "Online"), (STANDBY, "Online")])


# Auto Scaling


@case
def the_members_of_a_group_are_described(aws):
    describe = aws.autoscaling.describe_auto_scaling_instances
    equal(describe()["AutoScalingInstances"], [])
    aws.control("reset/grouped", "POST")
    # An unknown id is absent.
    answer = describe(InstanceIds=[STANDBY, f"i-{ABSENT}"])
    (member,) = answer["AutoScalingInstances"]
    equal(
        member,
        {
            "InstanceId": STANDBY,
            "InstanceType": "t3.small",
            "AutoScalingGroupName": AUTO_SCALING_GROUP,
            "AvailabilityZone": "eu-west-1a",
            "LifecycleState": "InService",
            "HealthStatus": "HEALTHY",
            "LaunchTemplate": {
                "LaunchTemplateId": "lt-0aaaaaaaaaaaaaaa1", "LaunchTemplateName": AUTO_SCALING_GROUP, "Version": "1",
            },
            "ProtectedFromScaleIn": False,
        },
    )
    assert "NextToken" not in answer
    pages = aws.autoscaling.get_paginator("describe_auto_scaling_instances").paginate(PaginationConfig={"PageSize": 1})
    found = [[member["InstanceId"] for member in page["AutoScalingInstances"]] for page in pages]
    equal(found, [[HOLDER], [STANDBY]])
    refused("InvalidNextToken", 400, describe, NextToken="x")
    refused("ValidationError", 400, describe, MaxRecords=51)
    refused("ValidationError", 400, describe, InstanceIds=[f"i-{number:017x}" for number in range(51)])
    tags = {tag["Key"]: tag["Value"] for tag in aws.instance(HOLDER)["Tags"]}
    equal(tags, {"aws:autoscaling:groupName": AUTO_SCALING_GROUP, "token-server": "yes"})


@case
def the_hooks_of_a_group_are_described(aws):
    describe = aws.autoscaling.describe_lifecycle_hooks
    refused("ValidationError", 400, describe, AutoScalingGroupName=AUTO_SCALING_GROUP)
    aws.control("reset/grouped", "POST")
    expected = {
        "LifecycleHookName": LIFECYCLE_HOOK,
        "AutoScalingGroupName": AUTO_SCALING_GROUP,
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
        "HeartbeatTimeout": 600,
        "GlobalTimeout": 60000,
        "DefaultResult": "ABANDON",
    }
    equal(describe(AutoScalingGroupName=AUTO_SCALING_GROUP)["LifecycleHooks"], [expected])
    named = describe(AutoScalingGroupName=AUTO_SCALING_GROUP, LifecycleHookNames=[LIFECYCLE_HOOK])
    equal(named["LifecycleHooks"], [expected])
    refused("ValidationError", 400, describe)


@case
def a_lifecycle_action_is_completed_and_the_instance_terminated(aws):
    aws.control("reset/grouped", "POST")
    complete = aws.autoscaling.complete_lifecycle_action
    action = {
        "AutoScalingGroupName": AUTO_SCALING_GROUP,
        "LifecycleHookName": LIFECYCLE_HOOK,
        "LifecycleActionResult": "CONTINUE",
    }
    refused("ValidationError", 400, complete, InstanceId=STANDBY, **action)
    aws.ec2.stop_instances(InstanceIds=[STANDBY])

    def states():
        members = aws.autoscaling.describe_auto_scaling_instances()["AutoScalingInstances"]
        return {member["InstanceId"]: (member["LifecycleState"], member["HealthStatus"]) for member in members}

    eventually(lambda: states().get(STANDBY) == ("Terminating:Wait", "UNHEALTHY"))
    # A stopped instance goes at once. The group launches another meanwhile.
    eventually(lambda: len(states()) == 3)
    (new,) = [instance_id for instance_id in states() if instance_id not in (HOLDER, STANDBY)]
    eventually(lambda: (aws.state(new), states()[new]) == ("running", ("InService", "HEALTHY")))
    equal(states()[STANDBY], ("Terminating:Wait", "UNHEALTHY"))
    (event,) = [event for event in aws.control("events") if event["source"] == "aws.autoscaling"]
    detail = event["detail"]
    equal((event["detail-type"], detail["EC2InstanceId"]), ("EC2 Instance-terminate Lifecycle Action", STANDBY))
    stale = "00000000-0000-4000-8000-000000000000"
    refused("ValidationError", 400, complete, LifecycleActionToken=stale, **action)
    refused("ValidationError", 400, complete, InstanceId=STANDBY, **{**action, "LifecycleActionResult": "STOP"})
    refused("ValidationError", 400, complete, InstanceId=STANDBY, **{**action, "AutoScalingGroupName": "other"})
    complete(LifecycleActionToken=detail["LifecycleActionToken"], **action)
    refused("ValidationError", 400, complete, LifecycleActionToken=detail["LifecycleActionToken"], **action)
    eventually(lambda: STANDBY not in states())
    equal(aws.state(STANDBY), "terminated")


# Stacks


@case
def a_stack_has_its_parameters_and_outputs(aws):
    (stack,) = aws.cloudformation.describe_stacks(StackName="token-failover")["Stacks"]
    equal((stack["StackName"], stack["StackStatus"]), ("token-failover", "CREATE_COMPLETE"))
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
    equal(parameters, {"TokenServerInterfaceId": INTERFACE, "TokenServerInstanceIds": f"{HOLDER},{STANDBY}"})
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    equal(outputs, {"TopicArn": TOPIC})
    equal(len(aws.cloudformation.describe_stacks()["Stacks"]), 1)
    refused("ValidationError", 400, aws.cloudformation.describe_stacks, StackName="absent")


# The control surface


@case
def the_journal_has_every_call(aws):
    aws.interface()
    refused("InvalidInstanceID.NotFound", 400, aws.ec2.start_instances, InstanceIds=[f"i-{ABSENT}"])
    aws.ec2.detach_network_interface(AttachmentId=ATTACHMENT)
    facts = ("service", "action", "parameters", "outcome", "changed")
    seen = [tuple(call[fact] for fact in facts) for call in aws.control("journal")]
    equal(
        seen,
        [
            ("ec2", "DescribeNetworkInterfaces", {"NetworkInterfaceId": INTERFACE}, "ok", False),
            ("ec2", "StartInstances", {"InstanceId": f"i-{ABSENT}"}, "InvalidInstanceID.NotFound", False),
            ("ec2", "DetachNetworkInterface", {"AttachmentId": ATTACHMENT}, "ok", True),
        ],
    )


@case
def people_change_the_world_and_the_world_can_be_looked_at(aws):
    aws.control(f"instances/{HOLDER}/stop", "POST")
    world = aws.control("world")
    states = {instance["instanceId"]: instance["state"] for instance in world["instances"]}
    equal(states, {HOLDER: "stopping", STANDBY: "running"})
    (interface,) = [each for each in world["interfaces"] if each["networkInterfaceId"] == INTERFACE]
    equal(interface["attachment"]["instanceId"], HOLDER)
    equal(world["addresses"][0]["instanceId"], HOLDER)
    equal(aws.control("journal"), [])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--endpoint", required=True, help="for example http://127.0.0.1:4566")
    parser.add_argument("--only", default="", help="a part of the names of the cases to run")
    arguments = parser.parse_args()
    aws = Aws(arguments.endpoint)
    passed = failed = 0
    for function in CASES:
        if arguments.only not in function.__name__:
            continue
        name = function.__name__.replace("_", " ")
        try:
            aws.control("reset", "POST")
            function(aws)
        except Exception:
            failed += 1
            print(f"FAILED  {name}")
            traceback.print_exc()
        else:
            passed += 1
            print(f"passed  {name}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
