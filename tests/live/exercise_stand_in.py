"""A stand-in for `token-failover exercise`: makes the moves with the deployed function, without looking at any moment of them.

    exercise_stand_in.py --json exercise --stack-name NAME --yes [--stop-holder] [--return] [--one-way] --svg FILE --record FILE

With a file `fails` in the current folder, it ends with the exit status in this file and moves nothing.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import boto3


def moved(ec2, interface, holder, seconds=120):
    """Waits until the interface is on another instance, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        [found] = ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"]
        now = (found.get("Attachment") or {}).get("InstanceId")
        if now is not None and now != holder:
            return now
        if time.monotonic() > deadline:
            sys.exit(f"{interface} is still attached to {now}")
        time.sleep(0.2)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true", required=True)
    parser.add_argument("exercise", choices=["exercise"])
    parser.add_argument("--stack-name", required=True)
    parser.add_argument("--yes", action="store_true", required=True)
    for option in ("--stop-holder", "--return", "--one-way"):
        parser.add_argument(option, action="store_true", dest=option.strip("-").replace("-", "_").replace("return", "back"))
    parser.add_argument("--svg", type=Path, required=True)
    parser.add_argument("--record", type=Path, required=True)
    given = parser.parse_args()

    fails = Path("fails")
    if fails.exists():
        print("the exercise fails, as the test wants it", file=sys.stderr)
        status = int(fails.read_text())
        if status == 1:
            print(json.dumps({"schemaVersion": 1, "result": "not-held", "problems": ["It took too long."]}))
        sys.exit(status)

    [stack] = boto3.client("cloudformation").describe_stacks(StackName=given.stack_name)["Stacks"]
    interface = next(
        it["ParameterValue"] for it in stack["Parameters"] if it["ParameterKey"] == "TokenServerInterfaceId"
    )
    function = next(it["OutputValue"] for it in stack["Outputs"] if it["OutputKey"] == "FunctionName")
    ec2, functions = boto3.client("ec2"), boto3.client("lambda")
    [found] = ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"]
    former = found["Attachment"]["InstanceId"]

    def failover(to=None):
        request = {"action": "failover", "reason": "exercise"} | ({} if to is None else {"to": to})
        report = json.loads(functions.invoke(FunctionName=function, Payload=json.dumps(request))["Payload"].read())
        if report.get("outcome") != "moved":
            sys.exit(f"not moved: {report}")

    if given.stop_holder:
        ec2.stop_instances(InstanceIds=[former])
    else:
        failover()
    moved(ec2, interface, former)
    if given.stop_holder:
        ec2.start_instances(InstanceIds=[former])
    if not given.one_way and (given.back or not given.stop_holder):
        failover(former)
    given.svg.write_text("<svg/>\n")
    given.record.write_text("{}\n")
    print(json.dumps({"schemaVersion": 1, "result": "held", "problems": []}))


main()
