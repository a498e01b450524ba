"""The built function, end to end: from an EventBridge document to the interface on the standby and the report.

The same cases run against the project's simulator and against moto. moto confirms the wire format, not EC2's rules: it
detaches and stops at once, without transitional states. A comment marks each test in which this makes a difference.
"""

import json
import socket
import unittest
import urllib.parse

from clouds import PRIVATE_ADDRESS, Moto, Simulator
from harness import ROOT, Function, FunctionError, http
from tls import Tls

EVENTS = ROOT / "events"


class Failover:
    """The cases. A subclass names the cloud."""

    Cloud = None
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.cloud = cls.enterClassContext(cls.Cloud())

    def setUp(self):
        self.cloud.reset()
        self.configuration = self.cloud.variables()

    def function(self, **changes):
        return Function(self.cloud.endpoint, **(self.configuration | changes))

    def event(self, name):
        return self.cloud.event(EVENTS / f"{name}.json")

    def changes(self):
        """The calls for changes."""
        return [call for call in self.cloud.calls() if not call.startswith(("Describe", "Get"))]

    def test_a_stopped_holder_loses_the_interface_to_the_standby(self):
        cloud = self.cloud
        before, address = cloud.network_interface(), cloud.address()
        mac = before["MacAddress"]
        hostid = mac.replace(":", "")
        cloud.stop(cloud.holder)
        cloud.forget_calls()

        with self.function() as function:
            report = function.invoke(self.event("holder-stopped"))

            # The state, read by an independent client.
            after = cloud.network_interface()
            self.assertEqual(cloud.standby, after["Attachment"]["InstanceId"])
            self.assertEqual("attached", after["Attachment"]["Status"])
            self.assertEqual(1, after["Attachment"]["DeviceIndex"])
            self.assertFalse(after["Attachment"]["DeleteOnTermination"])
            self.assertEqual(mac, after["MacAddress"])
            self.assertEqual(PRIVATE_ADDRESS, after["PrivateIpAddress"])
            self.assertEqual(address["PublicIp"], after["Association"]["PublicIp"])
            self.assertEqual(cloud.interface, cloud.address()["NetworkInterfaceId"])

            # The report.
            self.assertEqual(1, report["schemaVersion"])
            self.assertEqual(("moved", "holder-stopped"), (report["outcome"], report["reason"]))
            self.assertTrue(report["summary"])
            self.assertEqual(
                {
                    "kind": "instance-state-change",
                    "id": "9f6b3a52-0c1e-4d7a-8a3b-5e2f7c914d06",
                    "time": "2026-11-11T21:29:54Z",
                    "instanceId": cloud.holder,
                    "state": "stopped",
                },
                report["trigger"],
            )
            server = report["tokenServer"]
            self.assertEqual("mosek", server["name"])
            self.assertEqual(cloud.interface, server["networkInterfaceId"])
            self.assertEqual(mac, server["macAddress"])
            self.assertEqual(hostid, server["hostid"])
            self.assertEqual(PRIVATE_ADDRESS, server["privateIpAddress"])
            self.assertEqual(address["PublicIp"], server["publicIpAddress"])
            self.assertEqual("eu-west-1a", server["availabilityZone"])
            self.assertEqual(before["SubnetId"], server["subnetId"])
            self.assertEqual(before["VpcId"], server["vpcId"])
            move = report["move"]
            self.assertEqual((cloud.holder, cloud.standby), (move["from"], move["to"]))
            self.assertEqual(after["Attachment"]["AttachmentId"], move["attachmentId"])
            self.assertEqual((False, False), (move["forced"], move["standbyStarted"]))
            self.assertEqual({"done"}, {step["result"] for step in report["steps"]})
            steps = [step["step"] for step in report["steps"]]
            self.assertLess(steps.index("detach"), steps.index("attach"))
            # Against moto, `ok` for the group proves little: moto adds the groups of the instance to an interface, so
            # the check would not find a port that is closed in the group of the interface.
            self.assertEqual(
                {
                    "hostid": "ok", "elasticIp": "ok", "securityGroup": "ok", "deleteOnTermination": "ok",
                    "listening": "not-checked",
                },
                report["checks"],
            )

            # The mail and the message for programs.
            [published] = cloud.published()
            self.assertIn("moved", published.subject.lower())
            self.assertIn(hostid, published.subject)
            self.assertIn(mac, published.mail)
            self.assertIn(hostid, published.mail)
            self.assertIn(cloud.standby, published.mail)
            self.assertEqual("moved", published.report["outcome"])
            self.assertEqual(mac, published.report["tokenServer"]["macAddress"])
            self.assertEqual(move, published.report["move"])
            self.assertEqual(
                {"outcome": "moved", "severity": "none", "tokenServer": "mosek", "hostid": hostid}, published.attributes
            )

            # The same event again: no change and no mail.
            cloud.forget_calls()
            again = function.invoke(self.event("holder-stopped"))
            self.assertEqual(("no-action", "holder-healthy"), (again["outcome"], again["reason"]))
            self.assertEqual([], self.changes())
            self.assertEqual([], cloud.published())
            self.assertEqual(move["attachmentId"], cloud.network_interface()["Attachment"]["AttachmentId"])

    def test_a_stopped_standby_gets_the_interface_and_is_started(self):
        self.cloud.stop(self.cloud.holder, self.cloud.standby)
        with self.function() as function:
            report = function.invoke({"action": "reconcile"})
        self.assertEqual("moved", report["outcome"])
        self.assertTrue(report["move"]["standbyStarted"])
        self.assertEqual(self.cloud.standby, self.cloud.network_interface()["Attachment"]["InstanceId"])
        [reservation] = self.cloud.ec2.describe_instances(InstanceIds=[self.cloud.standby])["Reservations"]
        self.assertIn(reservation["Instances"][0]["State"]["Name"], ("pending", "running"))

    def test_a_running_holder_keeps_the_interface_whatever_the_event_says(self):
        self.cloud.forget_calls()
        with self.function() as function:
            report = function.invoke(self.event("holder-stopped"))
        self.assertEqual(("no-action", "event-outdated"), (report["outcome"], report["reason"]))
        self.assertEqual([], self.changes())
        self.assertEqual(self.cloud.holder, self.cloud.network_interface()["Attachment"]["InstanceId"])

    def test_an_event_about_a_non_member_is_ignored_without_a_call(self):
        self.cloud.forget_calls()
        with self.function() as function:
            report = function.invoke(self.event("stranger-stopped"))
        self.assertEqual(("no-action", "not-a-member"), (report["outcome"], report["reason"]))
        self.assertEqual([], self.cloud.calls())

    def test_a_foreign_document_is_ignored_without_a_call(self):
        self.cloud.forget_calls()
        with self.function() as function:
            report = function.invoke(self.event("cloudtrail-stop-instances"))
        self.assertEqual(("ignored", "unknown-event"), (report["outcome"], report["reason"]))
        self.assertEqual([], self.cloud.calls())

    def test_a_dry_run_plans_and_changes_nothing(self):
        cloud = self.cloud
        before = cloud.network_interface()
        cloud.forget_calls()
        with self.function() as function:
            report = function.invoke(self.event("operator-failover-dry-run"))
        self.assertEqual("planned", report["outcome"])
        self.assertEqual((cloud.holder, cloud.standby), (report["move"]["from"], report["move"]["to"]))
        self.assertEqual({"planned"}, {step["result"] for step in report["steps"]})
        self.assertEqual([], self.changes())
        self.assertEqual([], cloud.published())
        self.assertEqual(before, cloud.network_interface())

    def test_an_operator_moves_a_healthy_holder(self):
        with self.function() as function:
            report = function.invoke(self.event("operator-failover-to-standby"))
        self.assertEqual("moved", report["outcome"])
        self.assertEqual(self.cloud.standby, self.cloud.network_interface()["Attachment"]["InstanceId"])

    def test_all_faults_of_a_configuration_are_reported_at_once(self):
        wrong = {
            "TOKEN_SERVER_INTERFACE_ID": "eni-42",
            "TOKEN_SERVER_INSTANCE_IDS": self.cloud.holder,
            "NOTIFICATION_TOPIC_ARN": "token-failover",
            "TOKEN_SERVER_PORTS": "27007-",
        }
        self.cloud.forget_calls()
        with self.function(**wrong) as function:
            for payload in (self.event("holder-stopped"), {"action": "plan"}):
                with self.assertRaises(FunctionError) as failed:
                    function.invoke(payload)
                for variable, value in wrong.items():
                    self.assertIn(variable, failed.exception.message)
                    self.assertIn(value, failed.exception.message)
                self.assertEqual("InvalidConfiguration", failed.exception.type)
        self.assertEqual([], self.cloud.calls())

    def test_a_malformed_request_is_an_error_that_names_what_is_accepted(self):
        self.cloud.forget_calls()
        with self.function() as function:
            for payload in ({"action": "failback"}, {"action": "failover", "to": "the other one"}):
                with self.assertRaises(FunctionError) as failed:
                    function.invoke(payload)
                self.assertEqual("InvalidRequest", failed.exception.type)
                for action in ("reconcile", "failover", "plan", "dryRun"):
                    self.assertIn(action, failed.exception.message)
        self.assertEqual([], self.cloud.calls())


class AgainstTheSimulator(Failover, unittest.TestCase):
    Cloud = Simulator

    def test_a_terminated_holder_loses_the_interface_to_the_standby(self):
        # Not against moto, which leaves the interface attached to the terminated instance forever.
        cloud = self.cloud
        mac = cloud.network_interface()["MacAddress"]
        cloud.ec2.terminate_instances(InstanceIds=[cloud.holder])
        with self.function() as function:
            report = function.invoke(self.event("holder-terminated"))
        self.assertEqual("moved", report["outcome"])
        after = cloud.network_interface()
        self.assertEqual((cloud.standby, mac), (after["Attachment"]["InstanceId"], after["MacAddress"]))


class Serving(unittest.TestCase):
    """The function activates a token server and tries its ports: sockets of this machine in place of lmgrd and MOSEKLM."""

    # A loopback address, so that no packet leaves this machine.
    ADDRESS, PORTS = "127.27.201.50", (27007, 27008)

    def setUp(self):
        self.cloud = self.enterContext(Simulator("--private-ip", self.ADDRESS))
        self.daemons = [self.enterContext(socket.create_server((self.ADDRESS, port))) for port in self.PORTS]
        self.cloud.forget_calls()

    def function(self, **changes):
        variables = self.cloud.variables() | {"TOKEN_SERVER_PROBE": "true"} | changes
        return self.enterContext(Function(self.cloud.endpoint, **variables))

    def test_a_running_standby_is_activated_and_its_ports_answer(self):
        cloud = self.cloud
        function = self.function(
            FAILOVER_ACTIVATION_DOCUMENT="token-failover-restart",
            FAILOVER_ACTIVATION_PARAMETERS=json.dumps({"Service": ["lmgrd"]}),
        )
        cloud.stop(cloud.holder)
        report = function.invoke(cloud.event(EVENTS / "holder-stopped.json"))
        self.assertEqual("moved", report["outcome"])
        [command] = cloud.commands()
        self.assertEqual(
            ("token-failover-restart", cloud.standby, {"Service": ["lmgrd"]}, "Success"),
            tuple(command[field] for field in ("documentName", "instanceId", "parameters", "status")),
        )
        self.assertEqual(
            ("done", "Success", command["commandId"]),
            tuple(report["activation"][field] for field in ("result", "status", "commandId")),
        )
        self.assertEqual([(27007, "ok"), (27008, "ok")], [(probe["port"], probe["result"]) for probe in report["probes"]])
        self.assertEqual(("ok", "yes"), (report["checks"]["listening"], report["expectedToWork"]))
        [published] = cloud.published()
        self.assertEqual(report["activation"], published.report["activation"])
        self.assertIn("Expected to work now: yes: the token server answers on its ports.", published.mail)
        self.assertNotIn("lmgrd\"", function.output(), "the parameters of the document are not logged")

    def test_an_audit_reports_ports_that_refuse_and_moves_nothing(self):
        function = self.function()
        report = function.invoke({"action": "audit"})
        self.assertEqual("ok", report["checks"]["listening"])
        self.daemons[1].close()
        report = function.invoke({"action": "audit"})
        self.assertEqual(
            [(27007, "ok", None), (27008, "failed", "connection refused")],
            [(probe["port"], probe["result"], probe["error"]) for probe in report["probes"]],
        )
        self.assertIn("ports-not-answering", [finding["code"] for finding in report["findings"]])
        self.assertEqual(self.cloud.holder, self.cloud.network_interface()["Attachment"]["InstanceId"])
        self.assertFalse({"DetachNetworkInterface", "AttachNetworkInterface"} & set(self.earnest()))

    def test_the_license_server_is_asked_and_each_feature_is_counted(self):
        function = self.function(
            TOKEN_SERVER_LICENSE_CHECK_DOCUMENT="token-failover-check-license", TOKEN_SERVER_LICENSE_METRICS="true"
        )
        self.cloud.stop(self.cloud.holder)
        report = function.invoke(self.cloud.event(EVENTS / "holder-stopped.json"))
        self.assertEqual(("moved", "served", "yes"), (
            report["outcome"], report["licenseCheck"]["result"], report["expectedToWork"]))
        [published] = self.cloud.published()
        self.assertEqual(report["licenseCheck"], published.report["licenseCheck"])
        self.assertIn("Expected to work now: yes. MOSEKLM is up and serves 2 features.", published.mail)
        lines = [json.loads(line) for line in function.output().splitlines() if line.startswith("{")]
        counts = [
            (line["Feature"], line["LicensesIssued"], line["LicensesUsed"]) for line in lines if "Feature" in line
        ]
        self.assertEqual([("PTON", 10, 0), ("PTS", 10, 3)], counts)
        for name in ("user1", "node1", "/etc/token-server/mosek.lic"):
            self.assertNotIn(name, function.output(), "what clients call themselves is in no log")

    def earnest(self):
        """The calls without dry runs."""
        journal = http("GET", f"{self.cloud.endpoint}/_simulator/journal")
        return [call["action"] for call in journal if not call["dryRun"]]


class OverTls(unittest.TestCase):
    """AWS's endpoints speak TLS. The other tests speak plain HTTP."""

    def setUp(self):
        self.cloud = self.enterContext(Simulator())
        self.cloud.reset()
        self.tls = self.enterContext(Tls(urllib.parse.urlsplit(self.cloud.endpoint).port))

    def test_the_function_trusts_the_certificates_of_its_machine_and_speaks_http_1_1(self):
        variables = self.cloud.variables() | {"SSL_CERT_FILE": str(self.tls.certificate)}
        with Function(self.tls.endpoint, **variables) as function:
            report = function.invoke({"action": "plan"})
        self.assertEqual(("planned", "holder-healthy"), (report["outcome"], report["reason"]))
        self.assertEqual({("TLSv1.3", None)}, set(self.tls.connections))

    def test_the_function_sends_nothing_to_a_server_that_it_does_not_trust(self):
        variables = self.cloud.variables()
        self.cloud.forget_calls()
        with Function(self.tls.endpoint, **variables) as function, self.assertRaises(FunctionError) as failed:
            function.invoke({"action": "plan"})
        self.assertEqual("Ec2Unreachable", failed.exception.type)
        self.assertIn("UnknownIssuer", failed.exception.message)
        self.assertEqual({None}, set(self.tls.connections))
        self.assertEqual([], self.cloud.calls())

    def test_without_any_certificates_the_report_says_so(self):
        variables = self.cloud.variables() | {"SSL_CERT_FILE": "/dev/null"}
        with Function(self.tls.endpoint, **variables) as function, self.assertRaises(FunctionError) as failed:
            function.invoke({"action": "plan"})
        self.assertIn("TLS is not available", failed.exception.message)
        self.assertEqual([], self.tls.connections)


class AgainstMoto(Failover, unittest.TestCase):
    Cloud = Moto


del Failover

if __name__ == "__main__":
    unittest.main()
