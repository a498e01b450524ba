"""The calls to AWS that a run makes, as thin as possible, and the waiting between them."""

import json
import time

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

# Every error of a call: AWS refuses, does not answer, or there are no credentials.
CallError = (ClientError, BotoCoreError)


class Unexpected(Exception):
    """AWS answers, and the answer is not what the run needs."""


class TookTooLong(Unexpected):
    """Something did not come in time."""


def code_of(error):
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__


def is_gone(error):
    """Whether an error says that the resource does not exist. CloudFormation has no code of its own for it."""
    if not isinstance(error, ClientError):
        return False
    code = code_of(error)
    return (
        "NotFound" in code or "NoSuch" in code or "NonExistent" in code or "DoesNotExist" in code or code == "404"
        or code == "ValidationError" and "does not exist" in str(error)
    )


class Aws:
    """The clients of one account and Region."""

    def __init__(self, session, poll_seconds):
        self.region = session.region_name
        self.poll_seconds = poll_seconds
        # An invocation of the function may take five minutes, and must not be repeated.
        config = Config(read_timeout=320, retries={"mode": "standard", "max_attempts": 4})
        names = ("cloudformation", "cloudwatch", "ec2", "events", "iam", "kms", "lambda", "logs", "s3", "sns", "sqs", "ssm", "sts")
        self.clients = {name: session.client(name, config=config) for name in names}
        invoking = Config(read_timeout=320, retries={"max_attempts": 0})
        self.clients["invoke"] = session.client("lambda", config=invoking)

    def __getattr__(self, name):
        try:
            return self.clients[name]
        except KeyError:
            raise AttributeError(name) from None

    def wait_for(self, what, look, minutes):
        """What `look` returns, as soon as it is not None."""
        deadline = time.monotonic() + 60 * minutes
        while (seen := look()) is None:
            if time.monotonic() > deadline:
                raise TookTooLong(f"{what}: not within {minutes} minutes")
            time.sleep(self.poll_seconds)
        return seen

    def pages(self, client, operation, key, **arguments):
        """All items of all pages of an answer."""
        caller = self.clients[client]
        if not caller.can_paginate(operation):
            return getattr(caller, operation)(**arguments).get(key, [])
        return [item for page in caller.get_paginator(operation).paginate(**arguments) for item in page.get(key, [])]

    # ---- Stacks ----

    def stack(self, name):
        """The stack with this name, or None."""
        try:
            [stack] = self.cloudformation.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if is_gone(error):
                return None
            raise
        return None if stack["StackStatus"] == "DELETE_COMPLETE" else stack

    def create_stack(self, name, template, parameters, tags):
        """Begins to create a stack. `template` is the text or, for a large one, a URL."""
        self.cloudformation.create_stack(
            StackName=name, **{"TemplateURL" if template.startswith("http") else "TemplateBody": template},
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )

    def is_in_progress(self, name):
        stack = self.stack(name)
        return stack is not None and stack["StackStatus"].endswith("_IN_PROGRESS")

    def created(self, name, minutes=20):
        """Waits for the stack, and returns its outputs."""
        self.wait_for(f"stack {name}", lambda: None if self.is_in_progress(name) else True, minutes)
        stack = self.stack(name)
        if stack is None:
            raise Unexpected(f"stack {name} has gone")
        if stack["StackStatus"] != "CREATE_COMPLETE":
            raise Unexpected(f"stack {name} is {stack['StackStatus']}: {self.why(name, 'CREATE_FAILED')}")
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def why(self, name, status):
        """The first resource of a stack with this status, and the reason in CloudFormation's words."""
        events = self.pages("cloudformation", "describe_stack_events", "StackEvents", StackName=name)
        failed = [it for it in reversed(events) if it["ResourceStatus"] == status]
        if not failed:
            return "CloudFormation names no reason"
        return f"{failed[0]['LogicalResourceId']}: {failed[0].get('ResourceStatusReason', 'no reason')}"

    def delete_stack(self, name, minutes=30):
        """Deletes a stack, if it exists, and waits until it is gone."""
        if self.stack(name) is None:
            return
        self.cloudformation.delete_stack(StackName=name)

        def look():
            stack = self.stack(name)
            if stack is None:
                return True
            if stack["StackStatus"] == "DELETE_FAILED":
                raise Unexpected(f"stack {name} is DELETE_FAILED: {self.why(name, 'DELETE_FAILED')}")
            return None

        self.wait_for(f"the deletion of stack {name}", look, minutes)

    def resource(self, stack, logical_id, only_created=False):
        """The physical id of a resource of a stack, or None."""
        try:
            detail = self.cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId=logical_id)
        except ClientError as error:
            if code_of(error) == "ValidationError":
                return None
            raise
        detail = detail["StackResourceDetail"]
        status = detail["ResourceStatus"]
        if status == "DELETE_COMPLETE" or only_created and status != "CREATE_COMPLETE":
            return None
        return detail.get("PhysicalResourceId") or None

    def resource_soon(self, stack, logical_id):
        """The physical id of a resource, as soon as the stack has created it. The stack may fail before."""
        def look():
            found = self.resource(stack, logical_id, only_created=True)
            if found is None and not self.is_in_progress(stack):
                # Says why the stack failed.
                self.created(stack)
            return found

        return self.wait_for(f"{logical_id} of stack {stack}", look, 20)

    # ---- EC2 ----

    def interface(self, interface):
        [found] = self.ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"]
        return found

    def holder(self, interface):
        """The instance that has the interface; None: none."""
        return (self.interface(interface).get("Attachment") or {}).get("InstanceId")

    def state(self, instance):
        [reservation] = self.ec2.describe_instances(InstanceIds=[instance])["Reservations"]
        [found] = reservation["Instances"]
        return found["State"]["Name"]

    def status(self, instance):
        """The result of EC2's instance status check: ok, impaired, initializing, or None for an instance that does not run."""
        statuses = self.ec2.describe_instance_status(InstanceIds=[instance])["InstanceStatuses"]
        return statuses[0]["InstanceStatus"]["Status"] if statuses else None

    def zones(self, instance_type, services):
        """The zones that have this instance type, and endpoints for these services."""
        offerings = self.pages(
            "ec2", "describe_instance_type_offerings", "InstanceTypeOfferings", LocationType="availability-zone",
            Filters=[{"Name": "instance-type", "Values": [instance_type]}],
        )
        zones = {it["Location"] for it in offerings}
        details = self.ec2.describe_vpc_endpoint_services(ServiceNames=services)["ServiceDetails"]
        for service in details:
            zones &= set(service["AvailabilityZones"])
        return sorted(zones)

    # ---- The function ----

    def asked(self, function, request):
        """The function's report."""
        answer = self.invoke.invoke(FunctionName=function, Payload=json.dumps(request))
        report = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise Unexpected(f"the function failed: {report}")
        return report

    def log(self, group, since):
        """The documents in a log since a time in milliseconds."""
        events = self.pages("logs", "filter_log_events", "events", logGroupName=group, startTime=since)
        return [json.loads(it["message"]) for it in events if it["message"].startswith("{")]

    # ---- Systems Manager ----

    def shell(self, instance, script, minutes=5):
        """Runs a script as root on an instance, and returns its output."""
        command = self.ssm.send_command(
            InstanceIds=[instance], DocumentName="AWS-RunShellScript", Parameters={"commands": [script]},
        )["Command"]["CommandId"]

        def look():
            try:
                answer = self.ssm.get_command_invocation(CommandId=command, InstanceId=instance)
            except ClientError as error:
                if code_of(error) == "InvocationDoesNotExist":
                    return None
                raise
            return None if answer["Status"] in ("Pending", "InProgress", "Delayed") else answer

        answer = self.wait_for(f"the command on {instance}", look, minutes)
        if answer["Status"] != "Success":
            raise Unexpected(f"the command on {instance} is {answer['Status']}: {answer['StandardErrorContent'].strip()}")
        return answer["StandardOutputContent"]
