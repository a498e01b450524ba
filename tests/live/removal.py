"""Removes what a run has made, and looks whether anything is left. Everything is found by its name or its tag, so nothing
needs to be remembered, and a removal can be repeated."""

from dataclasses import dataclass

import names
from aws import CallError, code_of, is_gone
from plan import EMULATOR_CANNOT_LIST


@dataclass(frozen=True)
class Left:
    """Something that may be left, and the command that removes it."""

    kind: str
    name: str
    why: str
    command: str


@dataclass(frozen=True)
class Kind:
    """A kind of thing that a run makes."""

    kind: str
    # The step that makes it.
    step: str
    # The names of those that are there now.
    find: object
    # The command that removes one, with {name} and {region}.
    command: str
    # How it is called, for when AWS does not say.
    expected: object


def _stack(which):
    def find(aws, name):
        return [which(name)] if aws.stack(which(name)) else []

    return find


def _tagged(operation, key, identifier, gone=()):
    def find(aws, name):
        found = aws.pages("ec2", operation, key, Filters=[{"Name": f"tag:{names.TAG}", "Values": [name]}])
        return [it[identifier] for it in found if it.get("State") not in gone]

    return find


def _kept(operation, key, identifier):
    """What stays when the stack of the pair is deleted."""
    def find(aws, name):
        found = aws.pages("ec2", operation, key, Filters=[{"Name": "tag:Name", "Values": [names.kept(name)]}])
        return [it[identifier] for it in found]

    return find


def _instances(aws, name):
    filters = [
        {"Name": f"tag:{names.TAG}", "Values": [name]},
        {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
    ]
    reservations = aws.pages("ec2", "describe_instances", "Reservations", Filters=filters)
    return [instance["InstanceId"] for reservation in reservations for instance in reservation["Instances"]]


def _named(client, operation, key, identifier, **arguments):
    """Those of a service whose names begin with the name of the run."""
    def find(aws, name):
        found = aws.pages(client, operation, key, **{argument: value.format(name=name) for argument, value in arguments.items()})
        identifiers = [it if identifier is None else it[identifier] for it in found]
        return [it for it in identifiers if it.split(":")[-1].split("/")[-1].startswith(name)]

    return find


def _buckets(aws, name):
    return [it["Name"] for it in aws.s3.list_buckets()["Buckets"] if it["Name"].startswith(name)]


def _documents(aws, name):
    found = aws.pages("ssm", "list_documents", "DocumentIdentifiers", Filters=[{"Key": "Owner", "Values": ["Self"]}])
    return [it["Name"] for it in found if it["Name"].startswith(name)]


DELETE_STACK = "aws cloudformation delete-stack --stack-name {name} --region {region}"

# In the order in which a person would remove them. The stacks come first, because they remove most of the others.
KINDS = (
    Kind("stack", "function", _stack(names.function), DELETE_STACK, names.function),
    Kind("stack", "pair", _stack(names.pair), DELETE_STACK, names.pair),
    Kind("instance", "pair", _instances, "aws ec2 terminate-instances --instance-ids {name} --region {region}",
         lambda name: f"with the tag {names.TAG}={name}"),
    Kind("Elastic IP", "pair", _kept("describe_addresses", "Addresses", "AllocationId"),
         "aws ec2 release-address --allocation-id {name} --region {region}", lambda name: f'"{names.kept(name)}"'),
    Kind("network interface", "pair", _kept("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
         "aws ec2 delete-network-interface --network-interface-id {name} --region {region}", lambda name: f'"{names.kept(name)}"'),
    Kind("security group", "pair", _kept("describe_security_groups", "SecurityGroups", "GroupId"),
         "aws ec2 delete-security-group --group-id {name} --region {region}", lambda name: f'"{names.kept(name)}"'),
    Kind("bucket", "surroundings", _buckets, "aws s3 rb --force s3://{name} --region {region}", names.surroundings),
    Kind("stack", "surroundings", _stack(names.surroundings), DELETE_STACK, names.surroundings),
    Kind("VPC endpoint", "surroundings", _tagged("describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId", ("deleted",)),
         "aws ec2 delete-vpc-endpoints --vpc-endpoint-ids {name} --region {region}",
         lambda name: f"with the tag {names.TAG}={name}"),
    Kind("VPC", "surroundings", _tagged("describe_vpcs", "Vpcs", "VpcId"),
         "aws ec2 delete-vpc --vpc-id {name} --region {region}", lambda name: f"with the tag {names.TAG}={name}"),
    Kind("queue", "surroundings", _named("sqs", "list_queues", "QueueUrls", None, QueueNamePrefix="{name}"),
         "aws sqs delete-queue --queue-url {name} --region {region}", names.queue),
    Kind("log group", "function", _named("logs", "describe_log_groups", "logGroups", "logGroupName", logGroupNamePrefix="{name}-"),
         "aws logs delete-log-group --log-group-name {name} --region {region}", lambda name: f"{name}-FailoverLogs"),
    Kind("function", "function", _named("lambda", "list_functions", "Functions", "FunctionName"),
         "aws lambda delete-function --function-name {name} --region {region}", lambda name: f"{name}-Failover"),
    Kind("topic", "function", _named("sns", "list_topics", "Topics", "TopicArn"),
         "aws sns delete-topic --topic-arn {name} --region {region}", lambda name: f"{name}-Reports"),
    Kind("rule", "function", _named("events", "list_rules", "Rules", "Name", NamePrefix="{name}-"),
         "aws events delete-rule --force --name {name} --region {region}", lambda name: f"{name}-Failover"),
    Kind("alarm", "function", _named("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName", AlarmNamePrefix="{name}-"),
         "aws cloudwatch delete-alarms --alarm-names {name} --region {region}", names.alarm),
    Kind("dashboard", "function",
         _named("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName", DashboardNamePrefix="{name}-"),
         "aws cloudwatch delete-dashboards --dashboard-names {name} --region {region}", lambda name: f"{name}-REGION"),
    Kind("document", "function", _documents, "aws ssm delete-document --name {name} --region {region}",
         lambda name: f"{name}-CheckLicense"),
    Kind("role", "pair", _named("iam", "list_roles", "Roles", "RoleName"), "aws iam delete-role --role-name {name}",
         lambda name: f"{name}-FailoverRole"),
)


def kinds(begun, emulated):
    """The kinds that a run may have made. `begun`: the names of its steps; None: all."""
    return [
        kind for kind in KINDS
        if (begun is None or kind.step in begun) and not (emulated and kind.kind in EMULATOR_CANNOT_LIST)
    ]


def look(aws, name, kinds, reasons):
    """What is left of these kinds. `reasons`: why something was not removed, by the kind and the step."""
    left = []
    for kind in kinds:
        try:
            found = kind.find(aws, name)
            why = reasons.get((kind.kind, kind.step), "AWS still lists it")
        except Exception as error:
            found, why = [kind.expected(name)], f"AWS does not say whether it is gone ({code_of(error)})"
        left += [Left(kind.kind, it, why, kind.command.format(name=it, region=aws.region)) for it in found]
    return left


def expected(region, name, kinds, why):
    """Everything that may be left of these kinds, without asking AWS."""
    return [Left(it.kind, it.expected(name), why, it.command.format(name=it.expected(name), region=region)) for it in kinds]


# ---- The removal ----

def _policy(aws, name):
    role = aws.resource(names.function(name), "FailoverRole")
    if role is not None:
        aws.iam.delete_role_policy(RoleName=role, PolicyName=names.POLICY)


def _alarm(aws, name):
    aws.cloudwatch.delete_alarms(AlarmNames=[names.alarm(name)])


def _function(aws, name):
    aws.delete_stack(names.function(name))


def _logs(aws, name):
    for group in aws.pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=f"{name}-"):
        aws.logs.delete_log_group(logGroupName=group["logGroupName"])


def _pair(aws, name):
    aws.delete_stack(names.pair(name))


def _find(aws, name, kind):
    [found] = [it for it in KINDS if it.kind == kind]
    return found.find(aws, name)


def _address(aws, name):
    for allocation in _find(aws, name, "Elastic IP"):
        [address] = aws.ec2.describe_addresses(AllocationIds=[allocation])["Addresses"]
        if "AssociationId" in address:
            aws.ec2.disassociate_address(AssociationId=address["AssociationId"])
        aws.ec2.release_address(AllocationId=allocation)


def _interface(aws, name):
    for interface in _find(aws, name, "network interface"):
        # EC2 frees the interface some time after the termination of its instance.
        aws.wait_for(
            f"{interface} is free", lambda found=interface: aws.interface(found)["Status"] == "available" or None, 10,
        )
        aws.ec2.delete_network_interface(NetworkInterfaceId=interface)


def _group(aws, name):
    for group in _find(aws, name, "security group"):
        aws.ec2.delete_security_group(GroupId=group)


def _files(aws, name):
    for bucket in _buckets(aws, name):
        objects = aws.pages("s3", "list_objects_v2", "Contents", Bucket=bucket)
        for start in range(0, len(objects), 1000):
            keys = [{"Key": it["Key"]} for it in objects[start:start + 1000]]
            aws.s3.delete_objects(Bucket=bucket, Delete={"Objects": keys})


def _surroundings(aws, name):
    aws.delete_stack(names.surroundings(name))


# The function goes first: as long as it runs, it takes the end of the pair for a failure. Each part is of a kind and a step.
PARTS = (
    ("the denied permission", _policy, ("role", "pair")),
    ("the alarm about the standby", _alarm, ("alarm", "function")),
    ("the stack of the function", _function, ("stack", "function")),
    ("the stack of the pair", _pair, ("stack", "pair")),
    ("the Elastic IP", _address, ("Elastic IP", "pair")),
    ("the license interface", _interface, ("network interface", "pair")),
    ("its security group", _group, ("security group", "pair")),
    ("the files in the bucket", _files, ("bucket", "surroundings")),
    ("the stack of the surroundings", _surroundings, ("stack", "surroundings")),
    # Last, because a run of the function that has begun still writes.
    ("the log", _logs, ("log group", "function")),
)


def remove(aws, name, say):
    """Removes everything, as far as it goes. Returns why something was not removed, by its kind and step."""
    reasons = {}
    for words, part, key in PARTS:
        say(f"removing {words} ...")
        try:
            part(aws, name)
        except Exception as error:
            # Any error at all: the rest must be removed in any case.
            if not is_gone(error):
                reasons[key] = str(error)
                say(f"  not removed: {error}")
    return reasons


def key_of(aws, name):
    """The key of the function's stack, or None."""
    try:
        return aws.resource(names.function(name), "StackKey")
    except CallError:
        return None


def of_key(aws, key):
    """What is left of the key, and what AWS removes by itself, in sentences. AWS keeps a deleted key for 30 days."""
    if key is None:
        return [], []
    command = f"aws kms schedule-key-deletion --key-id {key} --region {aws.region}"
    try:
        about = aws.kms.describe_key(KeyId=key)["KeyMetadata"]
    except CallError as error:
        return [Left("key", key, f"AWS does not say whether it is scheduled for deletion ({code_of(error)})", command)], []
    if about["KeyState"] != "PendingDeletion":
        return [Left("key", key, f"it is {about['KeyState']}", command)], []
    return [], [f"AWS deletes the key {key} on {about['DeletionDate']:%Y-%m-%d}, and charges nothing for it until then."]
