"""From parameters to the function's environment: a wrong value fails at deploy, a right one arrives."""

import re
import unittest

from deployment import HOLDER, ROOT, deploy


class Parameters(unittest.TestCase):
    maxDiff = None

    def test_the_function_gets_every_variable_with_its_default(self):
        self.assertEqual(
            {
                "TOKEN_SERVER_INTERFACE_ID": "eni-0ddddddddddddddd1",
                "TOKEN_SERVER_INSTANCE_IDS": "i-0aaaaaaaaaaaaaaa1,i-0bbbbbbbbbbbbbbb2",
                "NOTIFICATION_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:token-failover-Reports",
                "TOKEN_SERVER_NAME": "",
                "TOKEN_SERVER_PORTS": "27007",
                "TOKEN_SERVER_CLIENTS": "",
                "TOKEN_SERVER_ALLOCATION_ID": "",
                "TOKEN_SERVER_HOSTID": "",
                "TOKEN_SERVER_DEVICE_INDEX": "1",
                "FAILOVER_START_STANDBY": "true",
                "FAILOVER_ON_IMPAIRED": "true",
                "FAILOVER_FORCE_DETACH_AFTER_SECONDS": "30",
                "FAILOVER_MAX_MOVES_PER_HOUR": "3",
                "FAILOVER_REPAIR": "elastic-ip,delete-on-termination",
            },
            deploy().environment,
        )

    def test_these_are_the_variables_that_the_function_reads(self):
        [declared] = re.findall(r"pub const VARIABLES: [^=]+= \[([^\]]+)\];", (ROOT / "src" / "config.rs").read_text())
        self.assertEqual(re.findall(r'"([A-Z_]+)"', declared), list(deploy().environment))

    def test_no_repair_is_an_empty_list(self):
        self.assertEqual("", deploy(FailoverRepair="none").environment["FAILOVER_REPAIR"])

    def test_an_existing_topic_replaces_our_own(self):
        topic = "arn:aws-us-gov:sns:us-gov-west-1:123456789012:on-call.fifo"
        stack = deploy(NotificationTopicArn=topic, NotificationEmail="ops@example.com")
        self.assertEqual(topic, stack.environment["NOTIFICATION_TOPIC_ARN"])
        self.assertEqual({}, stack.of_type("AWS::SNS::Topic"))
        self.assertEqual(topic, stack.resources["ReportsByMail"]["TopicArn"])

    def test_without_an_address_nobody_is_subscribed(self):
        self.assertNotIn("ReportsByMail", deploy().resources)

    def test_values_in_every_notation_are_accepted(self):
        deploy(
            TokenServerInterfaceId="eni-0123abcd",
            TokenServerHostid="02:73:AE:2A:DC:81",
            TokenServerPorts="27007,27010-27012, 1055",
            TokenServerClients="10.0.0.0/16,2001:db8::/32, sg-0fffffffffffffff1,pl-0123abcd",
            TokenServerAllocationId="eipalloc-0eeeeeeeeeeeeeee1",
            TokenServerName="MOSEK token server (production)",
        )
        for name in ("m", "a:b", "#1 [eu] ^~!"):
            deploy(TokenServerName=name)

    def test_wrong_values_fail_at_deploy(self):
        for parameter, value in [
            ("TokenServerInterfaceId", "eni-0ddddddddddddddd"),
            ("TokenServerInterfaceId", "ENI-0ddddddddddddddd1"),
            ("TokenServerInterfaceId", HOLDER),
            ("TokenServerHostid", "0273ae2adc8"),
            ("TokenServerHostid", "02:73:ae:2a:dc:8g"),
            ("TokenServerName", 'the "old" one'),
            ("TokenServerName", "a\\b"),
            ("TokenServerName", " license-eu"),
            ("TokenServerName", "license-eu "),
            ("TokenServerName", ":license-eu"),
            ("TokenServerName", "license-\u00e9"),
            ("TokenServerPorts", ""),
            ("TokenServerPorts", "27007;27008"),
            ("TokenServerPorts", "lmgrd"),
            ("TokenServerClients", "10.0.0.0"),
            ("TokenServerClients", "10.0.0.0/16,,10.1.0.0/16"),
            ("TokenServerClients", "sg-123"),
            ("TokenServerAllocationId", "203.0.113.50"),
            ("TokenServerSecurityGroupId", "default"),
            ("TokenServerDeviceIndex", 0),
            ("FailoverForceDetachAfterSeconds", 600),
            ("FailoverMaxMovesPerHour", 13),
            ("FailoverRepair", "elastic-ips"),
            ("FailoverRepair", "security-group,elastic-ip"),
            ("FailoverStartStandby", "yes"),
            ("NotificationTopicArn", "token-failover"),
            ("NotificationEmail", "ops"),
            ("ReconcileSchedule", "rate(1 minutes)"),
            ("ReconcileSchedule", "rate(1 hour)"),
            ("ReservedConcurrency", "0"),
            ("EncryptionKeyArn", "alias/aws/sns"),
        ]:
            with self.subTest(parameter=parameter, value=value), self.assertRaises(ValueError):
                deploy(**{parameter: value})

    def test_a_single_instance_cannot_be_deployed(self):
        with self.assertRaises(IndexError):
            deploy(TokenServerInstanceIds=HOLDER)


if __name__ == "__main__":
    unittest.main()
