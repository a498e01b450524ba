"""The two EC2s for the function: the project's simulator, and moto, an independent one.

The tests set both up and read them with boto3, to find mistakes that our client and our simulator have in common. Each has
the same pair of instances, with its own ids.
"""

import base64
import json
import sys
import urllib.parse
from pathlib import Path

import boto3
from botocore.config import Config

from harness import CREDENTIALS, REGION, TARGET, Process, free_port, http, listens

# The ids in the documents of events/.
EVENT_HOLDER, EVENT_STANDBY, EVENT_NON_MEMBER = "i-0aaaaaaaaaaaaaaa1", "i-0bbbbbbbbbbbbbbb2", "i-09999999999999999"
PRIVATE_ADDRESS = "10.0.1.50"


class Published:
    """One notification: its subject, the text for people, the report for programs, and the attributes for filters."""

    def __init__(self, subject, message, delivered_to_queue, attributes):
        self.subject = subject
        self.attributes = attributes
        self.mail = json.loads(message)["email"]
        self.report = json.loads(delivered_to_queue)


class Cloud:
    """The common part of both."""

    interface = holder = standby = non_member = allocation = topic = None

    def client(self, service):
        return boto3.client(
            service, endpoint_url=self.endpoint, region_name=REGION, config=Config(proxies={}),
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    def variables(self):
        """The configuration of a function for this pair."""
        return {
            "TOKEN_SERVER_INTERFACE_ID": self.interface,
            "TOKEN_SERVER_INSTANCE_IDS": f"{self.holder},{self.standby}",
            "NOTIFICATION_TOPIC_ARN": self.topic,
            "TOKEN_SERVER_NAME": "mosek",
            "TOKEN_SERVER_PORTS": "27007-27008",
            "TOKEN_SERVER_CLIENTS": "10.0.0.0/16",
            "TOKEN_SERVER_ALLOCATION_ID": self.allocation,
            "TOKEN_SERVER_HOSTID": self.network_interface()["MacAddress"],
        }

    def event(self, path):
        """A document of events/, about the instances of this cloud."""
        text = Path(path).read_text()
        text = text.replace(EVENT_HOLDER, self.holder).replace(EVENT_STANDBY, self.standby)
        text = text.replace(EVENT_NON_MEMBER, self.non_member)
        return json.loads(text)

    def network_interface(self):
        [interface] = self.ec2.describe_network_interfaces(NetworkInterfaceIds=[self.interface])["NetworkInterfaces"]
        return interface

    def address(self):
        [address] = self.ec2.describe_addresses(AllocationIds=[self.allocation])["Addresses"]
        return address

    def stop(self, *instances):
        """Stops instances and waits until they are stopped."""
        self.ec2.stop_instances(InstanceIds=instances)
        self.ec2.get_waiter("instance_stopped").wait(
            InstanceIds=instances, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )


class Simulator(Cloud, Process):
    """The project's simulator with its scenario `pair`, over loopback."""

    holder, standby, non_member = EVENT_HOLDER, EVENT_STANDBY, EVENT_NON_MEMBER
    interface, allocation = "eni-0ddddddddddddddd1", "eipalloc-0eeeeeeeeeeeeeee1"
    topic = f"arn:aws:sns:{REGION}:123456789012:token-failover"

    def __init__(self, *options):
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        self.ec2 = self.client("ec2")
        command = [TARGET / "simulator", "--listen", f"127.0.0.1:{port}", "--scenario", "pair", *options]
        super().__init__(command, lambda output: f"listening on {self.endpoint}" in output)

    def reset(self):
        http("POST", f"{self.endpoint}/_simulator/reset")

    def forget_calls(self):
        self.called_before = len(http("GET", f"{self.endpoint}/_simulator/journal"))
        self.published_before = len(http("GET", f"{self.endpoint}/_simulator/messages"))

    def calls(self):
        """The names of all calls since `forget_calls`, in order."""
        return [call["action"] for call in http("GET", f"{self.endpoint}/_simulator/journal")[self.called_before:]]

    def commands(self):
        """The commands sent with Systems Manager, in order."""
        return http("GET", f"{self.endpoint}/_simulator/commands")

    def published(self):
        """The messages published since `forget_calls`, as they were sent and as programs receive them."""
        messages = http("GET", f"{self.endpoint}/_simulator/messages")[self.published_before:]
        return [
            Published(
                it["subject"], it["message"], json.loads(it["message"])["sqs"],
                {name: attribute["value"] for name, attribute in it["messageAttributes"].items()},
            )
            for it in messages
        ]


class Moto(Cloud, Process):
    """moto_server, with the same pair made in it, and a queue subscribed to the topic."""

    def __init__(self):
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        self.ec2, self.sns, self.sqs = self.client("ec2"), self.client("sns"), self.client("sqs")
        server = Path(sys.executable).with_name("moto_server")
        super().__init__([server, "-H", "127.0.0.1", "-p", port], lambda _: listens(port))

    def reset(self):
        http("POST", f"{self.endpoint}/moto-api/reset")
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = self.ec2.create_subnet(
            VpcId=vpc, CidrBlock="10.0.1.0/24", AvailabilityZone=f"{REGION}a"
        )["Subnet"]["SubnetId"]
        group = self.ec2.create_security_group(
            GroupName="token-server", Description="token server", VpcId=vpc
        )["GroupId"]
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 27007, "ToPort": 27008, "IpRanges": [{"CidrIp": "10.0.0.0/16"}]},
        ])
        self.holder, self.standby, self.non_member = (
            self.ec2.run_instances(
                ImageId="ami-12c6146b", MinCount=1, MaxCount=1, InstanceType="t4g.small", SubnetId=subnet
            )["Instances"][0]["InstanceId"]
            for _ in range(3)
        )
        self.interface = self.ec2.create_network_interface(
            SubnetId=subnet, Groups=[group], PrivateIpAddress=PRIVATE_ADDRESS
        )["NetworkInterface"]["NetworkInterfaceId"]
        self.ec2.attach_network_interface(NetworkInterfaceId=self.interface, InstanceId=self.holder, DeviceIndex=1)
        self.allocation = self.ec2.allocate_address(Domain="vpc")["AllocationId"]
        self.ec2.associate_address(AllocationId=self.allocation, NetworkInterfaceId=self.interface)

        self.topic = self.sns.create_topic(Name="token-failover")["TopicArn"]
        self.queue = self.sqs.create_queue(QueueName="reports")["QueueUrl"]
        queue_arn = self.sqs.get_queue_attributes(
            QueueUrl=self.queue, AttributeNames=["QueueArn"]
        )["Attributes"]["QueueArn"]
        self.sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=queue_arn)

    def forget_calls(self):
        self._deliveries()
        http("POST", f"{self.endpoint}/moto-api/recorder/reset-recording")
        http("POST", f"{self.endpoint}/moto-api/recorder/start-recording")

    def calls(self):
        """The names of all calls since `forget_calls`, in order."""
        return [request["Action"] for request in self._requests()]

    def published(self):
        """The messages published since `forget_calls`, as they were sent and as programs receive them."""
        sent = [request for request in self._requests() if request["Action"] == "Publish"]
        received = [json.loads(delivery["Body"]) for delivery in self._deliveries()]
        # moto delivers no mail, so what a person would read is taken from the request.
        return [
            Published(
                request["Subject"], request["Message"], notification["Message"],
                {name: attribute["Value"] for name, attribute in notification["MessageAttributes"].items()},
            )
            for request, notification in zip(sent, received, strict=True)
        ]

    def _requests(self):
        """The recorded requests, each as its parameters. Ours to the queue are recorded too, in another protocol."""
        recording = http("GET", f"{self.endpoint}/moto-api/recorder/download-recording")
        # One request on its own is a whole JSON document already.
        lines = [recording] if isinstance(recording, dict) else [json.loads(line) for line in recording.splitlines()]
        parameters = [
            dict(urllib.parse.parse_qsl(base64.b64decode(body).decode() if encoded else body))
            for body, encoded in ((line["body"], line["body_encoded"]) for line in lines)
        ]
        return [request for request in parameters if "Action" in request]

    def _deliveries(self):
        deliveries = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
        for delivery in deliveries:
            self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=delivery["ReceiptHandle"])
        return deliveries
