"""Parameters and the environment of the function: an invalid value fails at deployment, a valid one arrives."""

import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from deployment import BY_TAG, HOLDER, REGION, ROOT, STANDBY, deploy

SUBNETS = ["subnet-0aaaaaaaaaaaaaaa1", "subnet-0bbbbbbbbbbbbbbb2"]
GROUP = "sg-0ccccccccccccccc1"
CHECK = {"TokenServerLicenseCheckDocument": "check-license"}


def license_check(**parameters):
    """The script of the license check, with its lines joined as the Systems Manager agent joins them."""
    [step] = deploy(**CHECK, **parameters).resources["CheckLicense"]["Content"]["mainSteps"]
    return "\n".join(step["inputs"]["runCommand"])


class Parameters(unittest.TestCase):
    maxDiff = None

    def test_the_function_gets_every_variable_with_its_default(self):
        self.assertEqual(
            {
                "TOKEN_SERVER_INTERFACE_ID": "eni-0ddddddddddddddd1",
                "TOKEN_SERVER_INSTANCE_IDS": "i-0aaaaaaaaaaaaaaa1,i-0bbbbbbbbbbbbbbb2",
                "TOKEN_SERVER_MEMBERS": "",
                "NOTIFICATION_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:token-failover-Reports",
                "TOKEN_SERVER_NAME": "",
                "TOKEN_SERVER_PORTS": "27007",
                "TOKEN_SERVER_CLIENTS": "",
                "TOKEN_SERVER_ALLOCATION_ID": "",
                "TOKEN_SERVER_HOSTID": "",
                "TOKEN_SERVER_LICENSE_EXPIRES": "",
                "TOKEN_SERVER_VENDORS": "MOSEKLM",
                "TOKEN_SERVER_LICENSE_CONTACT": "support@mosek.com",
                "TOKEN_SERVER_DEVICE_INDEX": "1",
                "TOKEN_SERVER_PROBE": "false",
                "TOKEN_SERVER_LICENSE_CHECK_DOCUMENT": "",
                "TOKEN_SERVER_LICENSE_METRICS": "false",
                "FAILOVER_START_STANDBY": "true",
                "FAILOVER_ON_IMPAIRED": "true",
                "FAILOVER_ON_ANNOUNCEMENT": "false",
                "FAILOVER_FORCE_DETACH_AFTER_SECONDS": "30",
                "FAILOVER_MAX_MOVES_PER_HOUR": "3",
                "FAILOVER_REPAIR": "elastic-ip,delete-on-termination",
                "FAILOVER_ACTIVATION_DOCUMENT": "",
                "FAILOVER_ACTIVATION_PARAMETERS": "",
            },
            deploy().environment,
        )

    def test_these_are_the_variables_that_the_function_reads(self):
        [declared] = re.findall(r"pub const VARIABLES: [^=]+= \[([^\]]+)\];", (ROOT / "src" / "model" / "config.rs").read_text())
        self.assertEqual(re.findall(r'"([A-Z_]+)"', declared), list(deploy().environment))

    def test_no_repairs_are_an_empty_list(self):
        self.assertEqual("", deploy(FailoverRepair="none").environment["FAILOVER_REPAIR"])

    def test_an_existing_topic_replaces_our_own(self):
        topic = "arn:aws-us-gov:sns:us-gov-west-1:123456789012:on-call.fifo"
        stack = deploy(NotificationTopicArn=topic, NotificationEmail="ops@example.com")
        self.assertEqual(topic, stack.environment["NOTIFICATION_TOPIC_ARN"])
        self.assertEqual({}, stack.of_type("AWS::SNS::Topic"))
        self.assertEqual(topic, stack.resources["ReportsByMail"]["TopicArn"])

    def test_a_topic_in_another_region_is_subscribed_to_there(self):
        # SNS creates a subscription in the Region of the topic. By default, CloudFormation calls SNS in the Region of
        # the stack.
        addresses = {"NotificationEmail": "ops@example.com", "SecondNotificationEmail": "boss@example.com"}
        for region in ("us-east-1", REGION):
            stack = deploy(NotificationTopicArn=f"arn:aws:sns:{region}:123456789012:on-call", **addresses)
            subscriptions = stack.of_type("AWS::SNS::Subscription").values()
            self.assertEqual([region, region], [it["Region"] for it in subscriptions])
        self.assertEqual([False, False], ["Region" in it for it in deploy(**addresses).of_type("AWS::SNS::Subscription").values()])

    def test_each_address_has_its_own_subscription(self):
        first, second = {"NotificationEmail": "ops@example.com"}, {"SecondNotificationEmail": "boss@example.com"}
        for given, expected in [
            ({}, {}),
            (first, {"ReportsByMail": "ops@example.com"}),
            (second, {"ReportsBySecondMail": "boss@example.com"}),
            (first | second, {"ReportsByMail": "ops@example.com", "ReportsBySecondMail": "boss@example.com"}),
            ({"SupportEmail": "support@example.com"}, {"ReportsToSupport": "support@example.com"}),
        ]:
            for topic in ({}, {"NotificationTopicArn": f"arn:aws:sns:{REGION}:123456789012:on-call"}):
                stack = deploy(**given | topic)
                subscriptions = stack.of_type("AWS::SNS::Subscription")
                self.assertEqual(expected, {name: it["Endpoint"] for name, it in subscriptions.items()})
                expected_topic = stack.environment["NOTIFICATION_TOPIC_ARN"]
                self.assertEqual(
                    {name: ("email", expected_topic) for name in expected},
                    {name: (it["Protocol"], it["TopicArn"]) for name, it in subscriptions.items()},
                )

    def test_the_support_receives_only_the_first_report_about_an_interface(self):
        subscriptions = deploy(NotificationEmail="ops@example.com", SupportEmail="support@example.com")
        filters = {
            name: (it.get("FilterPolicyScope"), it.get("FilterPolicy"))
            for name, it in subscriptions.of_type("AWS::SNS::Subscription").items()
        }
        self.assertEqual(
            {"ReportsByMail": (None, None), "ReportsToSupport": ("MessageAttributes", {"newHostid": ["true"]})}, filters,
        )

    def test_values_in_every_notation_are_accepted(self):
        deploy(
            TokenServerInterfaceId="eni-0123abcd",
            TokenServerHostid="02:73:AE:2A:DC:81",
            TokenServerLicenseExpires="2031-12-31",
            TokenServerVendors="MOSEKLM, acme_d,x.y-z",
            TokenServerLicenseContact="the support of Acme <licenses@example.com>",
            TokenServerPorts="27007,27010-27012, 1055",
            TokenServerClients="10.0.0.0/16,2001:db8::/32, sg-0fffffffffffffff1,pl-0123abcd",
            TokenServerAllocationId="eipalloc-0eeeeeeeeeeeeeee1",
            TokenServerName="MOSEK token server (production)",
        )
        for members in (
            "a=b", "token-server=license-eu", "aws:autoscaling:groupName=pair", "team/a+b@c_d.e=The license server +EU+",
            f"{'k' * 128}={'v' * 256}",
        ):
            deploy(TokenServerMembers=members)
        for name in ("m", "a:b", "#1 [eu] ^~!"):
            deploy(TokenServerName=name)
        for service in ("lmgrd", "token-server.service", "flexlm@mosek", "a:b_c-d.service"):
            deploy(FailoverActivationService=service)
        for path in ("/lmutil", "/opt/mosek/11.1/tools/platform/linux64x86/bin/lmutil", "/opt/c++_v1.2-rc/lmutil"):
            deploy(LicenseCheckLmutil=path)
        for parameters in (
            "{}", '{"Service":["lmgrd"]}', '{ "Service": "lmgrd" }', '{"a":["1","2"],"b":"a \\"quoted\\" text"}',
        ):
            json.loads(parameters)
            deploy(FailoverActivationDocument="AWS-RunShellScript", FailoverActivationParameters=parameters)

    def test_invalid_values_fail_at_deployment(self):
        for parameter, value in [
            ("TokenServerInterfaceId", "eni-0ddddddddddddddd"),
            ("TokenServerInterfaceId", "ENI-0ddddddddddddddd1"),
            ("TokenServerInterfaceId", HOLDER),
            ("TokenServerInstanceIds", f"{HOLDER}, {STANDBY}"),
            ("TokenServerInstanceIds", f"{HOLDER},{STANDBY},"),
            ("TokenServerInstanceIds", f"{HOLDER},lmgrd"),
            ("TokenServerMembers", "token-server"),
            ("TokenServerMembers", "token-server="),
            ("TokenServerMembers", "=license-eu"),
            ("TokenServerMembers", "token-server=license=eu"),
            ("TokenServerMembers", "token server=license-eu"),
            ("TokenServerMembers", "token-server= license-eu"),
            ("TokenServerMembers", "token-server=license-eu "),
            ("TokenServerMembers", "token-server=license-eu\n"),
            ("TokenServerMembers", "token-server=license-*"),
            ("TokenServerMembers", "token-server=license-??"),
            ("TokenServerMembers", 'token-server="license-eu"'),
            ("TokenServerMembers", "token-server=license\\eu"),
            ("TokenServerMembers", "token-server=${aws:username}"),
            ("TokenServerMembers", "token-server=a,token-server=b"),
            ("TokenServerMembers", "token-server=\u00e9"),
            ("TokenServerMembers", f"{'k' * 129}=v"),
            ("TokenServerMembers", f"k={'v' * 257}"),
            ("TokenServerMembers", f"{HOLDER},{STANDBY}"),
            ("TokenServerHostid", "0273ae2adc8"),
            ("TokenServerHostid", "02:73:ae:2a:dc:8g"),
            ("TokenServerLicenseExpires", "31-dec-2031"),
            ("TokenServerLicenseExpires", "2031-13-01"),
            ("TokenServerLicenseExpires", "2031-12-32"),
            ("TokenServerLicenseExpires", "permanent"),
            ("TokenServerVendors", ""),
            ("TokenServerVendors", "MOSEKLM,"),
            ("TokenServerVendors", "/opt/mosek/MOSEKLM"),
            ("TokenServerLicenseContact", ""),
            ("TokenServerLicenseContact", 'the "vendor"'),
            ("TokenServerLicenseContact", "the vendor "),
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
            ("SecondNotificationEmail", "boss"),
            ("SupportEmail", "support"),
            ("ReconcileSchedule", "rate(1 minutes)"),
            ("ReconcileSchedule", "rate(1 hour)"),
            ("ReservedConcurrency", "0"),
            ("EncryptionKeyArn", "alias/aws/sns"),
            ("TokenServerProbe", "yes"),
            ("TokenServerProbe", ""),
            ("FunctionSubnetIds", "subnet-123"),
            ("FunctionSubnetIds", GROUP),
            ("FunctionSubnetIds", ", ".join(SUBNETS)),
            ("FunctionSubnetIds", ",".join(SUBNETS) + ","),
            ("FunctionSubnetIds", ",".join(f"subnet-{number:017x}" for number in range(17))),
            ("FunctionSecurityGroupIds", "default"),
            ("FunctionSecurityGroupIds", ",".join(f"sg-{number:017x}" for number in range(6))),
            ("TokenServerLicenseCheckDocument", "AWS-RunShellScript"),
            ("TokenServerLicenseCheckDocument", "true"),
            ("TokenServerLicenseMetrics", "yes"),
            ("TokenServerLicenseMetrics", ""),
            ("LicenseCheckLmutil", ""),
            ("LicenseCheckLmutil", "lmutil"),
            ("LicenseCheckLmutil", "/"),
            ("LicenseCheckLmutil", "/opt/token-server/"),
            ("LicenseCheckLmutil", "//lmutil"),
            ("LicenseCheckLmutil", "/opt/token server/lmutil"),
            ("LicenseCheckLmutil", "/lmutil\n"),
            ("LicenseCheckLmutil", "/lmutil'; reboot; '"),
            ("LicenseCheckLmutil", "/lmutil\""),
            ("LicenseCheckLmutil", "/lmutil;reboot"),
            ("LicenseCheckLmutil", "/lmutil&"),
            ("LicenseCheckLmutil", "/$(reboot)"),
            ("LicenseCheckLmutil", "/`reboot`"),
            ("LicenseCheckLmutil", "/opt/*/lmutil"),
            ("LicenseCheckLmutil", "/{{path}}"),
            ("LicenseCheckLmutil", "/opt\\lmutil"),
            ("FailoverActivationDocument", "ab"),
            ("FailoverActivationDocument", "restart service"),
            ("FailoverActivationDocument", "arn:aws:ssm:eu-west-1:999999999999:document/shared"),
            ("FailoverActivationDocument", "*"),
            ("FailoverActivationDocument", "AWS-*"),
            ("FailoverActivationDocument", "x" * 129),
            ("FailoverActivationParameters", "lmgrd"),
            ("FailoverActivationParameters", "{Service:[lmgrd]}"),
            ("FailoverActivationParameters", '["lmgrd"]'),
            ("FailoverActivationParameters", '{"Service":["lmgrd"]'),
            ("FailoverActivationParameters", '{"Service":1}'),
            ("FailoverActivationParameters", f'{{"Service":"{"x" * 1024}"}}'),
            ("FailoverActivationService", ""),
            ("FailoverActivationService", "-M"),
            ("FailoverActivationService", "--all"),
            ("FailoverActivationService", "lmgrd; reboot"),
            ("FailoverActivationService", "lmgrd&"),
            ("FailoverActivationService", "lmgrd reboot"),
            ("FailoverActivationService", "lmgrd\nreboot"),
            ("FailoverActivationService", "lmgrd\n"),
            ("FailoverActivationService", "$(reboot)"),
            ("FailoverActivationService", "`reboot`"),
            ("FailoverActivationService", "'lmgrd'"),
            ("FailoverActivationService", "lm*"),
            ("FailoverActivationService", "{{ command }}"),
            ("FailoverActivationService", "a\\x2db"),
            ("FailoverActivationService", "/dev/sda"),
            ("FailoverActivationService", "../lmgrd"),
            ("FailoverActivationService", "reboot.target"),
            ("FailoverActivationService", "lmgrd.service.target"),
        ]:
            with self.subTest(parameter=parameter, value=value), self.assertRaisesRegex(ValueError, f"^{parameter}: "):
                deploy(**{parameter: value})

    def test_contradicting_values_fail_at_deployment(self):
        subnets, groups = {"FunctionSubnetIds": SUBNETS[0]}, {"FunctionSecurityGroupIds": GROUP}
        parameters = {"FailoverActivationParameters": '{"Service":["lmgrd"]}'}
        for rule, wrong, right in [
            ("MembersAreListedOrTagged", {"TokenServerInstanceIds": ""}, BY_TAG),
            (
                "MembersAreListedOrTagged",
                BY_TAG | {"TokenServerInstanceIds": f"{HOLDER},{STANDBY}"}, {"TokenServerMembers": ""},
            ),
            ("SecurityGroupRepairNeedsItsGroup", {"FailoverRepair": "security-group"}, {"TokenServerSecurityGroupId": GROUP}),
            ("ProbeNeedsSubnets", {"TokenServerProbe": "true"}, subnets | groups),
            ("SubnetsNeedSecurityGroups", subnets, groups),
            ("SecurityGroupsNeedSubnets", groups, subnets),
            (
                "LicenseMetricsNeedTheCheck",
                {"TokenServerLicenseMetrics": "true"}, {"TokenServerLicenseCheckDocument": "check-license"},
            ),
            ("ParametersNeedADocumentThatTakesThem", parameters, {"FailoverActivationDocument": "AWS-RunShellScript"}),
            (
                "ParametersNeedADocumentThatTakesThem",
                parameters | {"FailoverActivationDocument": "restart-service"}, {"FailoverActivationParameters": ""},
            ),
            (
                # SNS has one subscription for each address, and a stack cannot create it twice.
                "TwoAddressesDiffer",
                {"NotificationEmail": "ops@example.com", "SecondNotificationEmail": "ops@example.com"},
                {"SecondNotificationEmail": "boss@example.com"},
            ),
            (
                "SupportIsAnotherAddress",
                {"NotificationEmail": "ops@example.com", "SupportEmail": "ops@example.com"},
                {"SupportEmail": "support@example.com"},
            ),
            (
                "SupportIsAnotherAddress",
                {"SecondNotificationEmail": "boss@example.com", "SupportEmail": "boss@example.com"},
                {"SupportEmail": "support@example.com"},
            ),
        ]:
            with self.subTest(rule=rule, wrong=wrong):
                with self.assertRaisesRegex(ValueError, f"^{rule}: "):
                    deploy(**wrong)
                deploy(**wrong | right)

    def test_the_function_is_in_a_vpc_only_if_subnets_are_given(self):
        self.assertNotIn("VpcConfig", deploy().resources["Failover"])
        stack = deploy(FunctionSubnetIds=",".join(SUBNETS), FunctionSecurityGroupIds=GROUP)
        self.assertEqual(
            {"SubnetIds": SUBNETS, "SecurityGroupIds": [GROUP]}, stack.resources["Failover"]["VpcConfig"]
        )
        # A function may be in a VPC without connecting to the ports.
        self.assertEqual("false", stack.environment["TOKEN_SERVER_PROBE"])

    def test_the_function_learns_whether_to_connect_to_the_ports(self):
        stack = deploy(TokenServerProbe="true", FunctionSubnetIds=SUBNETS[0], FunctionSecurityGroupIds=GROUP)
        self.assertEqual("true", stack.environment["TOKEN_SERVER_PROBE"])

    def test_a_given_document_is_passed_on_with_its_parameters(self):
        parameters = '{"Service":["lmgrd"]}'
        stack = deploy(FailoverActivationDocument="activate-token-server", FailoverActivationParameters=parameters)
        self.assertEqual("activate-token-server", stack.environment["FAILOVER_ACTIVATION_DOCUMENT"])
        self.assertEqual(parameters, stack.environment["FAILOVER_ACTIVATION_PARAMETERS"])
        self.assertEqual({}, stack.of_type("AWS::SSM::Document"))

    def test_without_activation_there_is_no_document(self):
        self.assertEqual({}, deploy().of_type("AWS::SSM::Document"))
        self.assertNotIn("ActivationDocument", deploy().outputs)

    def test_the_document_of_the_stack_restarts_one_service_and_takes_no_parameters(self):
        stack = deploy(FailoverActivationDocument="restart-service")
        [(name, document)] = stack.of_type("AWS::SSM::Document").items()
        self.assertEqual(f"token-failover-{name}", stack.environment["FAILOVER_ACTIVATION_DOCUMENT"])
        self.assertEqual(f"token-failover-{name}", stack.outputs["ActivationDocument"])
        self.assertEqual(("Command", "/AWS::EC2::Instance"), (document["DocumentType"], document["TargetType"]))
        content = document["Content"]
        self.assertEqual({"schemaVersion", "description", "mainSteps"}, set(content))
        self.assertEqual("2.2", content["schemaVersion"])
        self.assertEqual(
            [{
                "name": "restart",
                "action": "aws:runShellScript",
                "precondition": {"StringEquals": ["platformType", "Linux"]},
                "inputs": {"timeoutSeconds": "120", "runCommand": ["systemctl restart mosek-token-server"]},
            }],
            content["mainSteps"],
        )

    def test_the_name_of_a_service_is_one_word_to_a_shell(self):
        for service in ("lmgrd", "token-server.service", "flexlm@mosek", "a:b_c-d.service"):
            stack = deploy(FailoverActivationDocument="restart-service", FailoverActivationService=service)
            [step] = stack.resources["RestartTokenServer"]["Content"]["mainSteps"]
            [command] = step["inputs"]["runCommand"]
            # No character needs quotes.
            self.assertEqual(shlex.join(["systemctl", "restart", service]), command)

    def test_without_the_license_check_the_function_gets_no_document(self):
        stack = deploy(FailoverActivationDocument="restart-service")
        self.assertEqual("", stack.environment["TOKEN_SERVER_LICENSE_CHECK_DOCUMENT"])
        self.assertNotIn("LicenseCheckDocument", stack.outputs)
        self.assertEqual(["RestartTokenServer"], list(stack.of_type("AWS::SSM::Document")))

    def test_the_document_of_the_license_check_runs_lmstat_only_and_takes_no_parameters(self):
        stack = deploy(**CHECK, TokenServerLicenseMetrics="true")
        [(name, document)] = stack.of_type("AWS::SSM::Document").items()
        self.assertEqual(f"token-failover-{name}", stack.environment["TOKEN_SERVER_LICENSE_CHECK_DOCUMENT"])
        self.assertEqual("true", stack.environment["TOKEN_SERVER_LICENSE_METRICS"])
        self.assertEqual(f"token-failover-{name}", stack.outputs["LicenseCheckDocument"])
        self.assertEqual(("Command", "/AWS::EC2::Instance"), (document["DocumentType"], document["TargetType"]))
        content = document["Content"]
        self.assertEqual({"schemaVersion", "description", "mainSteps"}, set(content))
        self.assertEqual("2.2", content["schemaVersion"])
        [step] = content["mainSteps"]
        inputs = step.pop("inputs")
        self.assertEqual(
            {
                "name": "checkLicense",
                "action": "aws:runShellScript",
                "precondition": {"StringEquals": ["platformType", "Linux"]},
            },
            step,
        )
        self.assertEqual({"timeoutSeconds", "runCommand"}, set(inputs))
        self.assertEqual("30", inputs["timeoutSeconds"])
        first, *rest = inputs["runCommand"]
        self.assertEqual(
            "output=$(runuser -u nobody -- env LC_ALL=C '/opt/token-server/lmutil' lmstat -a -t 10 -c '27007@127.0.0.1' 2>&1)",
            first,
        )
        # Systems Manager replaces parameters in double braces, and a changed path or port is in the first line only.
        self.assertNotIn("{{", license_check())
        [step] = deploy(**CHECK, LicenseCheckLmutil="/lmutil", TokenServerPorts="1055").resources["CheckLicense"]["Content"]["mainSteps"]
        self.assertEqual(rest, step["inputs"]["runCommand"][1:])

    def test_the_license_check_asks_at_the_first_port(self):
        for ports, first in [
            ("27007", "27007"), ("27007-27008", "27007"), ("27010,27008", "27010"), ("27008, 1055-1057", "27008"),
            ("1055-1057,27007", "1055"),
        ]:
            self.assertIn(f" -c '{first}@127.0.0.1' ", license_check(TokenServerPorts=ports))

    def test_two_to_twenty_instances_can_be_deployed(self):
        members = [f"i-{number:017x}" for number in range(21)]
        for number in (2, 3, 20):
            named = ",".join(members[:number])
            self.assertEqual(named, deploy(TokenServerInstanceIds=named).environment["TOKEN_SERVER_INSTANCE_IDS"])
        for number in (1, 21):
            with self.assertRaisesRegex(ValueError, "^TokenServerInstanceIds: .* must be two to twenty instance ids"):
                deploy(TokenServerInstanceIds=",".join(members[:number]))

    def test_a_tag_takes_the_place_of_the_instances(self):
        stack = deploy(**BY_TAG)
        self.assertEqual("token-server=license-eu", stack.environment["TOKEN_SERVER_MEMBERS"])
        self.assertEqual("", stack.environment["TOKEN_SERVER_INSTANCE_IDS"])
        # No list has a preferred standby.
        self.assertEqual({"PreferredStandby"}, deploy().outputs.keys() - stack.outputs.keys())
        # The two spellings of no tag: SAM on the command line, and a parameter that is left out.
        self.assertEqual(deploy().resources, deploy(TokenServerMembers="").resources)


# The output of lmstat, as users of FlexNet 11 have published it; all names are invented. Each client chooses its names,
# and some of these clients imitate lmstat.
HEADING = """\
lmutil - Copyright (c) 1989-2024 Flexera. All Rights Reserved.
Flexible License Manager status on Wed 11/11/2026 21:30

[Detecting lmgrd processes...]
License server status: 27007@lic.example.com
    License file(s) on lic.example.com: /etc/token-server/mosek.lic:

lic.example.com: license server UP (MASTER) v11.19.6

Vendor daemon status (on lic.example.com):

   MOSEKLM: UP v11.19.6
"""
CLIENTS = """
  "PTS" v11.0, vendor: MOSEKLM, expiry: 31-dec-2031
  floating license

    ada node1 /dev/pts/0 (v11.0) (lic.example.com/27008 101), start Wed 11/11 9:01
    ada node1 Users of x:  (Total of 9 licenses issued;  Total of 9 licenses in use) (v11.0), start Wed 11/11 9:02
    Users of node2 :0 (v11.0) (lic.example.com/27008 102), start Wed 11/11 9:03, 2 licenses
    Feature usage info node3 :0 (v11.0) (lic.example.com/27008 103), start Wed 11/11 9:04
    ben node4 Feature usage info: (v11.0) (lic.example.com/27008 104), start Wed 11/11 9:05
    Error getting status: (-97,1) node5 :0 (v11.0) (lic.example.com/27008 105), start Wed 11/11 9:06
\tcem node6 :0 (v11.0) (lic.example.com/27008 106), start Wed 11/11 9:07

"""
FEATURES = [
    "Users of PTS:  (Total of 10 licenses issued;  Total of 3 licenses in use)\n",
    "Users of PTON:  (Error: 3 licenses, unsupported by licensed server)\n",
    "Users of DEBUG:  (Uncounted, node-locked)\n",
]
ERROR = 'Error getting status: Cannot read data from license server system. (-16,287:104 "Connection reset by peer")\n'
TITLE = "Feature usage info:\n"

SHELLS = [shell for shell in (["sh"], ["bash"], ["busybox", "sh"]) if shutil.which(shell[0])]
AWKS = [awk for awk in ("awk", "mawk", "gawk", "busybox awk", "original-awk") if shutil.which(awk.split()[0])]


class LicenseCheck(unittest.TestCase):
    """The script of the license check, run by a shell as the Systems Manager agent runs it, with stand-ins for runuser
    and lmutil."""

    maxDiff = None

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.lmutil = self.folder / "lmutil"
        # It runs the command without changing the user, which only root may do.
        self.put("runuser", 'test "$1 $2 $3" = "-u nobody --" || exit 99; shift 3; exec "$@"')

    def put(self, name, script, mode=0o755):
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(mode)

    def run_script(self, shell=("sh",)):
        script = license_check(LicenseCheckLmutil=str(self.lmutil))
        environment = {"PATH": f"{self.folder}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
        ran = subprocess.run([*shell, "-c", script], env=environment, capture_output=True, check=False)
        self.assertEqual(b"", ran.stderr)
        return ran.returncode, ran.stdout.decode("latin-1")

    def printed(self, output):
        """What the script prints if lmstat prints this. It must be the same in every shell and with every awk."""
        (self.folder / "output").write_bytes(output.encode("latin-1"))
        self.put("lmutil", f"cat '{self.folder}/output'")
        answers = {}
        for awk in AWKS:
            program, *rest = awk.split()
            self.put("awk", f"exec {shlex.join([shutil.which(program), *rest])} \"$@\"")
            for shell in SHELLS:
                answers[awk, *shell] = self.run_script(shell)
        (self.folder / "awk").unlink()
        answer = answers["awk", "sh"]
        self.assertEqual({}, {with_: other for with_, other in answers.items() if other != answer})
        self.assertEqual(0, answer[0])
        return answer[1]

    def test_lmutil_gets_its_arguments_and_speaks_english(self):
        self.put("lmutil", 'printf "%s\\n" "$LC_ALL" "$@"')
        self.assertEqual((0, "C\nlmstat\n-a\n-t\n10\n-c\n27007@127.0.0.1\n"), self.run_script())

    def test_both_outputs_are_joined_in_order(self):
        self.put("lmutil", "echo one; echo two >&2; echo three")
        self.assertEqual((0, "one\ntwo\nthree\n"), self.run_script())

    def test_the_exit_code_is_lmstat_s_and_never_one_that_reboots_the_instance(self):
        # lmstat exits with its error number plus 256. AWS Systems Manager User Guide, "Handling reboots when running
        # commands": for 194, the agent reboots the instance and runs the script again.
        for error, code in [(0, 0), (1, 1), (-9, 247), (-15, 241), (-61, 195), (-62, 1), (-63, 193), (-96, 160)]:
            for shell in SHELLS:
                self.put("lmutil", f"echo 'it ends with {error}'; exit {error % 256}")
                self.assertEqual((code, f"it ends with {error}\n"), self.run_script(shell), (error, shell))

    def test_a_missing_lmutil_or_loader_is_status_127_and_one_that_may_not_run_is_126(self):
        for shell in SHELLS:
            self.lmutil.unlink(missing_ok=True)
            self.assertEqual(127, self.run_script(shell)[0])
            self.lmutil.write_text("#!/lib64/no-such-loader.so.3\n")
            self.lmutil.chmod(0o755)
            code, output = self.run_script(shell)
            self.assertEqual(127, code)
            self.assertIn("No such file or directory", output)
            self.put("lmutil", "exit 0", 0o644)
            code, output = self.run_script(shell)
            self.assertEqual(126, code)
            self.assertIn("Permission denied", output)

    def test_lines_about_clients_are_gone_and_features_and_errors_stay(self):
        output = HEADING + TITLE + "\n" + CLIENTS.join(FEATURES) + CLIENTS + ERROR + CLIENTS
        self.assertEqual(HEADING + TITLE + "".join(FEATURES) + ERROR, self.printed(output))
        # Without the heading, the first feature takes its place.
        self.assertEqual(HEADING + "".join(FEATURES), self.printed(HEADING + CLIENTS.join(FEATURES) + CLIENTS))

    def test_line_ends_of_windows_and_doubled_lines_pass(self):
        # A build of lmstat prints an empty line after each line.
        output, kept = HEADING + TITLE + CLIENTS.join(FEATURES) + CLIENTS, HEADING + TITLE + "".join(FEATURES)
        for end in ("\r\n", "\n\n", "\r\n\r\n"):
            printed = self.printed(output.replace("\n", end))
            lines = [line for line in printed.replace("\r", "").split("\n") if line]
            self.assertEqual([line for line in kept.split("\n") if line], lines, repr(end))

    def test_an_output_without_features_passes_as_it_is(self):
        for output in ("usage: lmutil FILE\n", HEADING + ERROR, HEADING + TITLE, "-n \\t %s $HOME `id` \xff\n"):
            self.assertEqual(output, self.printed(output))

    def test_a_thousand_clients_leave_the_output_far_below_the_limit_of_systems_manager(self):
        # API Reference, GetCommandInvocation: 24,000 characters. And an argument of a program has at most 128 KiB.
        clients = "".join(f"    user{number} host{number} :0 {'x' * 200} (v11.0), start Wed 11/11 9:01\n" for number in range(1000))
        printed = self.printed(HEADING + TITLE + clients.join(FEATURES * 20))
        self.assertEqual(HEADING + TITLE + "".join(FEATURES * 20), printed)
        self.assertLess(len(printed), 12_000)


if __name__ == "__main__":
    unittest.main()
