"""The steps of plan.py as calls. Each returns what it has seen, and raises `Wrong` if something is not as it should be."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import names
import stand_in
from aws import TookTooLong, Unexpected
from deployable import ROOT, deployable
from role import questions, wrong

INSTANCE_TYPE = "t3.micro"
PREFIX = "token-server"
# The services of the Systems Manager agent.
ENDPOINTS = ("ssm", "ssmmessages", "ec2messages")
# Longer than the waits of the command together, so that it says itself what did not come.
EXERCISE_MINUTES = 60


class Wrong(Exception):
    """A step did not hold."""


def demand(condition, why):
    if not condition:
        raise Wrong(why)


def codes(report, severity):
    return sorted({it["code"] for it in report["findings"] if it["severity"] == severity})


class Run:
    """What the steps know of each other."""

    def __init__(self, aws, name, account, partition, folder, template, command, emulated, say):
        self.aws, self.name, self.account, self.partition = aws, name, account, partition
        self.folder, self.template, self.command = folder, template, command
        self.emulated, self.say = emulated, say
        self.tags = {names.TAG: name}
        # Everything that arrived in the queue, as documents.
        self.received = []

    def take(self, step):
        return getattr(self, step.name.replace("-", "_"))()

    def save(self, name, document):
        (self.folder / name).write_text(json.dumps(document, indent=2, default=str) + "\n")

    # ---- What is made ----

    def surroundings(self):
        services = [f"com.amazonaws.{self.aws.region}.{service}" for service in ENDPOINTS]
        zones = self.aws.zones(INSTANCE_TYPE, services)
        if not zones:
            raise Unexpected(f"no zone of {self.aws.region} has {INSTANCE_TYPE} instances and the endpoints {', '.join(services)}")
        stack = names.surroundings(self.name)
        topics = f"arn:{self.partition}:sns:{self.aws.region}:{self.account}:{self.name}-*"
        template = Path(__file__).with_name("surroundings.yaml").read_text()
        self.aws.create_stack(stack, template, {"Zone": zones[0], "Topics": topics}, self.tags)
        self.around = self.aws.created(stack)
        return f"stack {stack} in {zones[0]}"

    def files(self):
        template, code = deployable(self.template, self.around["Bucket"], "function.zip")
        files = {f"{PREFIX}/boot/{path.name}": path.read_bytes() for path in (ROOT / "deploy" / "boot").iterdir()}
        files |= {
            f"{PREFIX}/{stand_in.ARCHIVE}": stand_in.archive(), "function.zip": code, "template.json": template.encode(),
        }
        for key, body in files.items():
            self.aws.s3.put_object(Bucket=self.around["Bucket"], Key=key, Body=body)
        return f"{len(files)} files in {self.around['Bucket']}"

    def pair(self):
        stack = names.pair(self.name)
        template = (ROOT / "deploy" / "pair.yaml").read_text()
        self.aws.create_stack(stack, template, {
            "VpcId": self.around["VpcId"], "SubnetId": self.around["SubnetId"], "ClientCidr": self.around["Cidr"],
            "MosekFilesBucket": self.around["Bucket"], "MosekFilesPrefix": PREFIX, "InstanceType": INSTANCE_TYPE,
            "MakeElasticIp": "true",
        }, self.tags)
        self.token_server = self.aws.created(stack)
        self.interface = self.token_server["TokenServerInterfaceId"]
        self.members = self.token_server["TokenServerInstanceIds"].split(",")
        holder = self.aws.holder(self.interface)
        demand(holder == self.members[0], f"{self.interface} is attached to {holder}, not to {self.members[0]}")
        return f"stack {stack}: {self.interface} on {holder}, standby {self.standby()}"

    def standby(self):
        holder = self.aws.holder(self.interface)
        [standby] = [it for it in self.members if it != holder]
        return standby

    def license(self):
        mac = self.aws.interface(self.interface)["MacAddress"]
        self.hostid = mac.replace(":", "")
        self.aws.s3.put_object(
            Bucket=self.around["Bucket"], Key=f"{PREFIX}/mosek.lic", Body=stand_in.license(mac).encode(),
        )
        return f"mosek.lic for {self.hostid}"

    def boot(self):
        self.aws.wait_for("the Systems Manager agents", lambda: self.managed() or None, 10)
        for member in self.members:
            # The command of the pair's output NewLicenseCommand, after the installation has ended.
            self.aws.shell(member, "cloud-init status --wait > /dev/null; systemctl restart token-server-files", 10)
        expected = {member: ["0", "0"] if member == self.aws.holder(self.interface) else ["1", "241"] for member in self.members}
        script = (
            "/usr/local/lib/token-server/token-server status > /dev/null 2>&1; echo $?; "
            f"/opt/token-server/lmutil lmstat -a -c {stand_in.PORTS[0]}@127.0.0.1 > /dev/null; echo $?"
        )
        seen = {}

        def look():
            seen.update({member: self.aws.shell(member, script).split() for member in self.members})
            return True if seen == expected else None

        try:
            self.aws.wait_for("lmgrd only where the interface is", look, 4)
        except Unexpected as error:
            raise Wrong(f"exit statuses of token-server and lmutil: {seen}, expected {expected}") from error
        return "both instances installed themselves; lmgrd and its vendor daemon listen only where the interface is"

    def managed(self):
        filters = [{"Key": "InstanceIds", "Values": self.members}]
        nodes = self.aws.ssm.describe_instance_information(Filters=filters)["InstanceInformationList"]
        return {it["InstanceId"] for it in nodes if it["PingStatus"] == "Online"} == set(self.members)

    def parameters(self):
        """The parameters of template.yaml: the outputs of the pair, and what the run adds."""
        given = {key: value for key, value in self.token_server.items() if key.startswith("TokenServer")}
        check = {} if self.emulated else {"TokenServerLicenseCheckDocument": "check-license"}
        return given | {"TokenServerName": self.name, "TokenServerHostid": self.hostid} | check

    def function(self):
        stack = names.function(self.name)
        # The template is too large for the call itself.
        url = f"{self.aws.s3.meta.endpoint_url}/{self.around['Bucket']}/template.json"
        self.aws.create_stack(stack, url, self.parameters(), self.tags)
        # Before the function exists, so that no message is missed.
        self.topic = self.aws.resource_soon(stack, "Reports")
        self.aws.sns.subscribe(
            TopicArn=self.topic, Protocol="sqs", Endpoint=self.around["QueueArn"], ReturnSubscriptionArn=True,
        )
        self.outputs = self.aws.created(stack)
        return f"stack {stack}, from {self.template}"

    # ---- What arrives ----

    def receive(self):
        """Takes everything out of the queue."""
        url = self.around["QueueUrl"]
        messages = self.aws.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
        for message in messages:
            self.received.append(json.loads(json.loads(message["Body"])["Message"]))
            self.aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        self.save("messages.json", self.received)

    def message(self, what, is_it, minutes):
        """The first message like this, as soon as it arrives."""
        def look():
            self.receive()
            return next((it for it in self.received if is_it(it)), None)

        return self.aws.wait_for(what, look, minutes)

    def first_audit(self):
        def is_audit(message):
            return message.get("outcome") == "audited"

        came = "after the deployment"
        try:
            report = self.message("the first audit", is_audit, 0.1 if self.emulated else 3)
        except Unexpected:
            # A new rule may miss the event that follows its own creation.
            self.audit()
            came = "on request, because the rule missed the end of the deployment"
            report = self.message("the first audit", is_audit, 1)
        self.save("audit.json", report)
        critical = codes(report, "critical")
        demand(not critical, f"the audit arrived {came}, with critical findings: {', '.join(critical)}")
        hostid = report["tokenServer"]["hostid"]
        demand(hostid == self.hostid, f"the audit names the hostid {hostid}, not {self.hostid}")
        license = report.get("licenseCheck", {}).get("result")
        demand(self.emulated or license == "served", f"the audit's license check is {license}, not served")
        return f"it arrived {came}; warnings: {', '.join(codes(report, 'warning')) or 'none'}"

    def audit(self):
        return self.aws.asked(self.outputs["FunctionName"], {"action": "audit"})

    # ---- The exercises ----

    def exercise(self):
        return self.exercised("exercise")

    def exercise_stop_holder(self):
        return self.exercised("exercise-stop-holder", "--stop-holder", "--return")

    def exercise_one_way(self):
        standby = self.standby()
        self.aws.ec2.stop_instances(InstanceIds=[standby])
        self.aws.wait_for(f"{standby} stops", lambda: self.aws.state(standby) == "stopped" or None, 10)
        seen = self.exercised("exercise-one-way", "--one-way")
        holder = self.aws.holder(self.interface)
        demand(holder == standby, f"{self.interface} is attached to {holder}, not to {standby}")
        return f"{seen}; {standby} was stopped before"

    def exercised(self, name, *options):
        """Runs the exercise of the operator's command, and keeps what it says."""
        self.both_run()
        command = [
            str(self.command), "--json", "exercise", "--stack-name", names.function(self.name), "--yes", *options,
            "--svg", str(self.folder / f"{name}.svg"), "--record", str(self.folder / f"{name}.record.json"),
        ]
        environment = os.environ | {"AWS_REGION": self.aws.region}
        with (self.folder / f"{name}.log").open("w") as log:
            # In a session of its own, so that Ctrl-C at the terminal reaches it only once, from here.
            process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
                start_new_session=True,
            )
            try:
                output, _ = process.communicate(timeout=60 * EXERCISE_MINUTES)
            except BaseException as error:
                # It ends what it can, and says where the interface is.
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(timeout=60)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                if isinstance(error, subprocess.TimeoutExpired):
                    raise TookTooLong(f"{self.command} had not ended after {EXERCISE_MINUTES} minutes") from error
                raise
        said = (self.folder / f"{name}.log").read_text().strip()
        if process.returncode not in (0, 1):
            raise Unexpected(f"{self.command} ended with exit status {process.returncode}: {said[-400:]}")
        try:
            document = json.loads(output)
        except json.JSONDecodeError as error:
            raise Unexpected(f"{self.command} printed no JSON document: {output[:200]!r}") from error
        self.save(f"{name}.json", document)
        problems = " ".join(document.get("problems", [])) or said[-400:]
        demand(process.returncode == 0 and document["result"] == "held", f"{document['result']}: {problems}")
        return document["result"]

    def both_run(self):
        """Waits until a move has two good instances: neither of them between two states, and no status check pending."""
        for member in self.members:
            self.aws.wait_for(f"{member} settles", lambda it=member: self.aws.state(it) in ("running", "stopped") or None, 10)
            if self.aws.state(member) == "running":
                self.aws.wait_for(f"the status checks of {member}", lambda it=member: self.aws.status(it) == "ok" or None, 10)

    # ---- The role ----

    def role(self):
        return self.aws.resource(names.function(self.name), "FailoverRole")

    def asked_of_role(self, allowed):
        arn = self.aws.iam.get_role(RoleName=self.role())["Role"]["Arn"]
        asked = [
            it for it in questions(
                self.partition, self.aws.region, self.account, self.interface, self.members, self.topic,
            ) if it.allowed is allowed
        ]
        answers = []
        for question in asked:
            [answer] = self.aws.iam.simulate_principal_policy(
                PolicySourceArn=arn, ActionNames=[question.action], ResourceArns=[question.resource],
                ContextEntries=question.entries(),
            )["EvaluationResults"]
            answers.append((question, answer["EvalDecision"]))
        mistakes = [it for it in (wrong(*answer) for answer in answers) if it]
        demand(not mistakes, "; ".join(mistakes))
        return f"{len(asked)} calls"

    def role_denies(self):
        return f"{self.asked_of_role(False)} are denied"

    def role_allows(self):
        return f"{self.asked_of_role(True)} are allowed"

    def denied_attach(self):
        """IAM needs up to minutes until every service knows a policy."""
        role, holder = self.role(), self.aws.holder(self.interface)
        document = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Deny", "Action": "ec2:AttachNetworkInterface", "Resource": "*"},
        ]}
        self.aws.iam.put_role_policy(RoleName=role, PolicyName=names.POLICY, PolicyDocument=json.dumps(document))
        try:
            self.aws.wait_for(
                "an audit with permission-denied", lambda: "permission-denied" in codes(self.audit(), "critical") or None, 4,
            )
            report = self.aws.asked(self.outputs["FunctionName"], {"action": "failover", "reason": "make live"})
        finally:
            self.aws.iam.delete_role_policy(RoleName=role, PolicyName=names.POLICY)
        now = self.aws.holder(self.interface)
        demand(report["outcome"] in ("refused", "failed"), f"the failover without the permission is {report['outcome']}")
        demand(now == holder, f"after the failover without the permission, {self.interface} is attached to {now}, not to {holder}")
        self.aws.wait_for(
            "an audit without permission-denied", lambda: "permission-denied" not in codes(self.audit(), "critical") or None, 4,
        )
        return f"the failover is {report['outcome']} ({report['reason']}), and {self.interface} stays on {holder}"

    # ---- The alarms ----

    def alarms(self):
        found = self.aws.pages("cloudwatch", "describe_alarms", "MetricAlarms", AlarmNamePrefix=f"{self.name}-")
        demand(found, "the stack has no alarm")
        for alarm in found:
            # An alarm that is in this state already would not send anything.
            for state in ("OK", "ALARM"):
                self.aws.cloudwatch.set_alarm_state(AlarmName=alarm["AlarmName"], StateValue=state, StateReason="make live")
        missing = {it["AlarmName"] for it in found}

        def look():
            self.receive()
            missing.difference_update(it.get("AlarmName") for it in self.received if it.get("NewStateValue") == "ALARM")
            return None if missing else True

        try:
            self.aws.wait_for("the alarms in the topic", look, 3)
        except Unexpected as error:
            raise Wrong(f"these alarms did not reach the topic: {', '.join(sorted(missing))}") from error
        return f"{len(found)} alarms arrived in the queue"

    def standby_alarm(self):
        standby, since = self.standby(), int(1000 * time.time())
        self.aws.cloudwatch.put_metric_alarm(
            AlarmName=names.alarm(self.name), Namespace="AWS/EC2", MetricName="StatusCheckFailed", Statistic="Maximum",
            Dimensions=[{"Name": "InstanceId", "Value": standby}], Period=60, EvaluationPeriods=2, Threshold=0,
            ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching",
            Tags=[{"Key": key, "Value": value} for key, value in self.tags.items()],
        )
        self.aws.cloudwatch.set_alarm_state(AlarmName=names.alarm(self.name), StateValue="ALARM", StateReason="make live")

        def look():
            lines = self.aws.log(self.outputs["LogGroup"], since)
            reports = [it["report"] for it in lines if it.get("type") == "report"]
            ours = [it for it in reports if (it["trigger"]["kind"], it["trigger"].get("instanceId")) == ("alarm", standby)]
            return ours[0] if ours else None

        report = self.aws.wait_for("the function's report about the alarm", look, 4)
        demand(report["move"] is None, f"the alarm about {standby} moved the interface")
        return f"the function ran for {standby}: {report['outcome']}"

    def failing_standby(self):
        """Takes the network of the standby down, from within. A reboot by EC2 brings it up again."""
        standby = self.standby()
        self.aws.shell(standby, (
            "device=$(ip -o -4 route show default | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p' | head -1); test -n \"$device\" && "
            "systemd-run --on-active=15 ip link set dev \"$device\" down"
        ))
        self.aws.wait_for(f"the failed status check of {standby}", lambda: self.aws.status(standby) == "impaired" or None, 12)
        report = self.audit()
        self.aws.ec2.reboot_instances(InstanceIds=[standby])
        seen = [it["code"] for it in report["findings"]]
        demand("no-viable-standby" in seen, f"the audit has the findings {', '.join(seen) or 'none'}, not no-viable-standby")
        self.aws.wait_for(f"the status checks of {standby}", lambda: self.aws.status(standby) == "ok" or None, 12)
        after = codes(self.audit(), "critical")
        demand(not after, f"after the reboot, the audit has critical findings: {', '.join(after)}")
        return f"the audit says that {standby} is not viable while its status check fails, and not after its reboot"


def caller(aws):
    """The account and the partition of the credentials."""
    identity = aws.sts.get_caller_identity()
    return identity["Account"], identity["Arn"].split(":")[1]

