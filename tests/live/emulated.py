"""An account in the emulator of AWS: MiniStack, and moto in place of its EC2. A thread sends the events that AWS's own services
would send."""

import contextlib
import json
import os
import random
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

import boto3
from botocore.config import Config

TESTS = Path(__file__).parents[1]
sys.path += [str(TESTS / folder) for folder in ("e2e", "template")]
from deployment import ACCOUNT, REGION
from harness import ROOT, Process, free_port, listens
from stand_in import PORTS


class Moto(Process):
    """EC2."""

    def __init__(self):
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        server = ROOT / ".tools" / "moto" / "bin" / "moto_server"
        super().__init__([server, "-H", "127.0.0.1", "-p", port], lambda _: listens(port))


class MiniStack(Process):
    """Everything else. The function inherits this environment, so it calls EC2 in moto."""

    def __init__(self, folder, ec2, license_address):
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        self.ahead = folder / "ahead"
        self.ahead.write_text("0")
        super().__init__(
            [sys.executable, Path(__file__).with_name("emulator_with_ec2.py"), self.ahead], lambda _: listens(port), os.environ | {
                "AWS_ENDPOINT_URL": self.endpoint, "AWS_ENDPOINT_URL_EC2": ec2.endpoint, "LICENSE_ADDRESS": license_address,
                "BIND_HOST": "127.0.0.1", "MINISTACK_HOST": "127.0.0.1",
                "GATEWAY_PORT": str(port), "LAMBDA_EXECUTOR": "local", "MINISTACK_ACCOUNT_ID": ACCOUNT,
                "MINISTACK_REGION": REGION, "SFTP_ENABLED": "0", "IOT_MTLS_ENABLED": "0", "PERSIST_STATE": "0",
                "TMPDIR": str(folder),
            },
        )


class Events(threading.Thread):
    """Sends an event when the state of an instance, an alarm or a stack has changed."""

    def __init__(self, account):
        super().__init__(daemon=True)
        self.account = account
        self.known = {}
        self.ended = threading.Event()

    def run(self):
        while not self.ended.wait(0.3):
            for subject, event in self.seen().items():
                if self.known.get(subject) != event:
                    self.known[subject] = event
                    self.account.client("events").put_events(Entries=[event])

    def seen(self):
        """The events that tell the present state of everything."""
        reservations = self.account.client("ec2").describe_instances()["Reservations"]
        instances = [instance for reservation in reservations for instance in reservation["Instances"]]
        alarms = self.account.client("cloudwatch").describe_alarms()["MetricAlarms"]
        stacks = self.account.client("cloudformation").describe_stacks()["Stacks"]
        return {it["InstanceId"]: entry("aws.ec2", "EC2 Instance State-change Notification", {
            "instance-id": it["InstanceId"], "state": it["State"]["Name"],
        }) for it in instances} | {it["AlarmName"]: entry("aws.cloudwatch", "CloudWatch Alarm State Change", {
            "alarmName": it["AlarmName"], "state": {"value": it["StateValue"]}, "configuration": {"metrics": [{
                "metricStat": {"metric": {
                    "namespace": it["Namespace"], "name": it["MetricName"],
                    "dimensions": {dimension["Name"]: dimension["Value"] for dimension in it["Dimensions"]},
                }},
            }]},
        }) for it in alarms} | {it["StackId"]: entry("aws.cloudformation", "CloudFormation Stack Status Change", {
            "stack-id": it["StackId"], "status-details": {"status": it["StackStatus"]},
        }) for it in stacks}


def entry(source, kind, detail):
    return {"Source": source, "DetailType": kind, "Detail": json.dumps(detail)}


class Account(contextlib.AbstractContextManager):
    """The emulated account, for as long as a block runs."""

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.ec2 = self.stack.enter_context(Moto())
        address = ".".join(["127", *(str(random.randrange(1, 255)) for _ in range(3))])
        # The token server. The kernel accepts the connections.
        for port in PORTS:
            self.stack.enter_context(socket.create_server((address, port), backlog=1000))
        self.others = self.stack.enter_context(MiniStack(folder, self.ec2, address))
        self.clients = {}
        self.events = Events(self)
        self.events.start()
        return self

    def __exit__(self, *exception):
        self.events.ended.set()
        self.events.join()
        return self.stack.__exit__(*exception)

    def environment(self):
        """What a program needs to use this account instead of AWS."""
        return {
            "AWS_ENDPOINT_URL": self.others.endpoint, "AWS_ENDPOINT_URL_EC2": self.ec2.endpoint, "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION, "AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
        }

    def client(self, service):
        if service not in self.clients:
            endpoint = self.ec2.endpoint if service == "ec2" else self.others.endpoint
            self.clients[service] = boto3.client(
                service, endpoint_url=endpoint, region_name=REGION, aws_access_key_id=ACCOUNT, aws_secret_access_key="test",
                config=Config(proxies={}),
            )
        return self.clients[service]
