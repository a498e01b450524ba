"""The emulator of tests/deploy, with what a live run needs besides. CloudFormation creates the resources of EC2 in moto, which
AWS_ENDPOINT_URL_EC2 names, and puts the stack's tags on them. IAM's policy simulator knows the keys of a request.

    python emulator_with_ec2.py FILE     FILE has the number of seconds by which the clock is ahead

LICENSE_ADDRESS is the private address of every license interface.
"""

import contextvars
import os
import sys
import time
from pathlib import Path

import boto3
from botocore.config import Config
from ministack.core import iam_evaluator
from ministack.services import cloudwatch_logs, iam, lambda_svc
from ministack.services.cloudformation import provisioners

sys.path.append(str(Path(__file__).parents[1] / "deploy"))
import emulator  # It takes FILE from the arguments.

REGION = "eu-west-1"
EC2 = boto3.client(
    "ec2", region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test", config=Config(proxies={}),
)


# ---- The resources of EC2 ----

def tags(kind, properties):
    """The tags of a resource as EC2 takes them at its creation. moto refuses those of AWS itself."""
    given = [tag for tag in properties.get("Tags", []) if not tag["Key"].startswith("aws:")]
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": given}]} if given else {}


def truth(value):
    return str(value).lower() == "true"


def create_vpc(_, properties, __):
    vpc = EC2.create_vpc(CidrBlock=properties["CidrBlock"], **tags("vpc", properties))["Vpc"]
    return vpc["VpcId"], {"VpcId": vpc["VpcId"], "CidrBlock": vpc["CidrBlock"]}


def create_subnet(_, properties, __):
    subnet = EC2.create_subnet(
        VpcId=properties["VpcId"], CidrBlock=properties["CidrBlock"], AvailabilityZone=properties["AvailabilityZone"],
        **tags("subnet", properties),
    )["Subnet"]
    return subnet["SubnetId"], {"SubnetId": subnet["SubnetId"]}


def create_gateway(_, properties, __):
    created = EC2.create_internet_gateway(**tags("internet-gateway", properties))["InternetGateway"]
    return created["InternetGatewayId"], {}


def attach_gateway(_, properties, __):
    EC2.attach_internet_gateway(VpcId=properties["VpcId"], InternetGatewayId=properties["InternetGatewayId"])
    return f"IGW|{properties['VpcId']}", {}


def create_route_table(_, properties, __):
    created = EC2.create_route_table(VpcId=properties["VpcId"], **tags("route-table", properties))["RouteTable"]
    return created["RouteTableId"], {}


def associate_route_table(_, properties, __):
    answer = EC2.associate_route_table(RouteTableId=properties["RouteTableId"], SubnetId=properties["SubnetId"])
    return answer["AssociationId"], {}


def create_route(_, properties, __):
    to = {key: properties[key] for key in ("RouteTableId", "DestinationCidrBlock")}
    EC2.create_route(**to, GatewayId=properties["GatewayId"])
    return "|".join(to.values()), {}


def create_endpoint(_, properties, __):
    private_dns = {"PrivateDnsEnabled": truth(properties["PrivateDnsEnabled"])} if "PrivateDnsEnabled" in properties else {}
    copied = ("VpcId", "VpcEndpointType", "ServiceName", "SubnetIds", "SecurityGroupIds", "RouteTableIds")
    created = EC2.create_vpc_endpoint(
        **{key: properties[key] for key in copied if key in properties}, **private_dns, **tags("vpc-endpoint", properties),
    )["VpcEndpoint"]
    return created["VpcEndpointId"], {"Id": created["VpcEndpointId"]}


def create_security_group(logical_id, properties, stack_name):
    group = EC2.create_security_group(
        GroupName=f"{stack_name}-{logical_id}-{time.monotonic_ns()}", Description=properties["GroupDescription"],
        VpcId=properties["VpcId"], **tags("security-group", properties),
    )["GroupId"]
    rules = [
        {
            "IpProtocol": rule["IpProtocol"], "FromPort": int(rule["FromPort"]), "ToPort": int(rule["ToPort"]),
            "IpRanges": [{"CidrIp": rule["CidrIp"], "Description": rule["Description"]}],
        }
        for rule in properties.get("SecurityGroupIngress", [])
    ]
    if rules:
        EC2.authorize_security_group_ingress(GroupId=group, IpPermissions=rules)
    return group, {"GroupId": group}


def create_interface(_, properties, __):
    """With an address of this machine, so that the exercise can try its ports."""
    interface = EC2.create_network_interface(
        SubnetId=properties["SubnetId"], Groups=properties["GroupSet"], Description=properties["Description"],
        PrivateIpAddress=os.environ["LICENSE_ADDRESS"], **tags("network-interface", properties),
    )["NetworkInterface"]
    return interface["NetworkInterfaceId"], {"PrimaryPrivateIpAddress": interface["PrivateIpAddress"]}


def create_address(_, properties, __):
    address = EC2.allocate_address(Domain="vpc", **tags("elastic-ip", properties))
    return address["PublicIp"], {"AllocationId": address["AllocationId"]}


def delete_address(physical_id, _):
    [address] = EC2.describe_addresses(PublicIps=[physical_id])["Addresses"]
    EC2.release_address(AllocationId=address["AllocationId"])


def associate_address(_, properties, __):
    answer = EC2.associate_address(
        AllocationId=properties["AllocationId"], NetworkInterfaceId=properties["NetworkInterfaceId"],
    )
    return answer["AssociationId"], {}


def create_instance(_, properties, __):
    """The launch template has only what moto does not use. The interfaces must be right."""
    primary, *others = properties["NetworkInterfaces"]
    [instance] = EC2.run_instances(
        # An image that moto knows.
        ImageId="ami-12c6146b", InstanceType=properties["InstanceType"], MinCount=1, MaxCount=1,
        SubnetId=primary["SubnetId"], SecurityGroupIds=primary["GroupSet"], **tags("instance", properties),
    )["Instances"]
    for interface in others:
        EC2.attach_network_interface(
            InstanceId=instance["InstanceId"], NetworkInterfaceId=interface["NetworkInterfaceId"],
            DeviceIndex=int(interface["DeviceIndex"]),
        )
    return instance["InstanceId"], {}


def delete_instance(physical_id, _):
    """moto leaves an interface attached to a terminated instance. EC2 frees it."""
    held = EC2.describe_network_interfaces(Filters=[{"Name": "attachment.instance-id", "Values": [physical_id]}])
    for interface in held["NetworkInterfaces"]:
        if interface["Attachment"]["DeviceIndex"]:
            EC2.detach_network_interface(AttachmentId=interface["Attachment"]["AttachmentId"])
    EC2.terminate_instances(InstanceIds=[physical_id])


provisioners._RESOURCE_HANDLERS |= {
    f"AWS::EC2::{kind}": {"create": create, "delete": delete}
    for kind, create, delete in (
        ("VPC", create_vpc, lambda it, _: EC2.delete_vpc(VpcId=it)),
        ("Subnet", create_subnet, lambda it, _: EC2.delete_subnet(SubnetId=it)),
        ("InternetGateway", create_gateway, lambda it, _: EC2.delete_internet_gateway(InternetGatewayId=it)),
        ("VPCGatewayAttachment", attach_gateway, lambda _, properties: EC2.detach_internet_gateway(
            VpcId=properties["VpcId"], InternetGatewayId=properties["InternetGatewayId"])),
        ("RouteTable", create_route_table, lambda it, _: EC2.delete_route_table(RouteTableId=it)),
        ("SubnetRouteTableAssociation", associate_route_table, lambda it, _: EC2.disassociate_route_table(AssociationId=it)),
        ("Route", create_route, lambda _, properties: EC2.delete_route(
            RouteTableId=properties["RouteTableId"], DestinationCidrBlock=properties["DestinationCidrBlock"])),
        ("VPCEndpoint", create_endpoint, lambda it, _: EC2.delete_vpc_endpoints(VpcEndpointIds=[it])),
        ("SecurityGroup", create_security_group, lambda it, _: EC2.delete_security_group(GroupId=it)),
        ("NetworkInterface", create_interface, lambda it, _: EC2.delete_network_interface(NetworkInterfaceId=it)),
        ("EIP", create_address, delete_address),
        ("EIPAssociation", associate_address, lambda it, _: EC2.disassociate_address(AssociationId=it)),
        ("Instance", create_instance, delete_instance),
    )
}
provisioners._STACK_TAG_PROPERTY |= {f"AWS::EC2::{kind}": ("Tags", "list") for kind in ("NetworkInterface", "EIP", "Instance")}


# ---- The log group ----

create_log_group = provisioners._RESOURCE_HANDLERS["AWS::Logs::LogGroup"]["create"]


def create_named_log_group(logical_id, properties, stack_name):
    """With the name that CloudFormation gives it, which begins with that of the stack."""
    name = provisioners._physical_name(stack_name, logical_id)
    return create_log_group(logical_id, {"LogGroupName": name} | properties, stack_name)


provisioners._RESOURCE_HANDLERS["AWS::Logs::LogGroup"]["create"] = create_named_log_group

write_log = lambda_svc._emit_lambda_logs


def write_existing_log(function, *arguments, **options):
    """Makes no log group, because the function's role does not allow it. A run may end after its stack has been deleted."""
    configuration = function.get("config") or function
    if configuration.get("LoggingConfig", {}).get("LogGroup") in cloudwatch_logs._log_groups:
        write_log(function, *arguments, **options)


lambda_svc._emit_lambda_logs = write_existing_log


# ---- The policy simulator ----

_simulate, _evaluate = iam._IAM_HANDLERS["SimulatePrincipalPolicy"], iam_evaluator.evaluate
# The keys of the request that is simulated now.
keys = contextvars.ContextVar("keys", default={})


def simulate_with_keys(parameters):
    """SimulatePrincipalPolicy with its ContextEntries, which the emulator ignores."""
    found = {}
    for entry in range(1, 20):
        prefix = f"ContextEntries.member.{entry}"
        if f"{prefix}.ContextKeyName" in parameters:
            values = [parameters.get(f"{prefix}.ContextKeyValues.member.{value}") for value in range(1, 20)]
            found[parameters[f"{prefix}.ContextKeyName"][0]] = [value[0] for value in values if value]
    token = keys.set(found)
    try:
        return _simulate(parameters)
    finally:
        keys.reset(token)


def evaluate_with_keys(context, *arguments, **named):
    given = keys.get()
    # A key that the request does not have is absent, not empty.
    context.service_context |= {"aws:tagkeys": given.get("aws:TagKeys")}
    context.service_context |= {name.lower(): values[0] for name, values in given.items() if name != "aws:TagKeys"}
    return _evaluate(context, *arguments, **named)


iam._IAM_HANDLERS["SimulatePrincipalPolicy"] = simulate_with_keys
iam_evaluator.evaluate = evaluate_with_keys

if __name__ == "__main__":
    emulator.main()
