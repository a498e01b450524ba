"""deploy/pair.yaml, evaluated for given parameters: the resources, and the outputs for token-failover."""

import json
import re
import shlex
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from cfnlint.decode import decode

sys.path.append(str(Path(__file__).parents[1] / "template"))
from deployment import ROOT, Deployment
from deployment import TEMPLATE as FAILOVER

PAIR, FAULTS = decode(str(ROOT / "deploy" / "pair.yaml"))

IDS = {
    "LicenseInterface": "eni-0ddddddddddddddd1", "FirstInstance": "i-0aaaaaaaaaaaaaaa1", "SecondInstance": "i-0bbbbbbbbbbbbbbb2",
    "LicenseAddress": "203.0.113.50", "LicenseAddress.AllocationId": "eipalloc-0eeeeeeeeeeeeeee1",
    "LicenseAccess": "sg-0ccccccccccccccc1", "LicenseAccess.GroupId": "sg-0ccccccccccccccc1",
    "InstanceAccess.GroupId": "sg-0ccccccccccccccc2", "LicenseInterface.PrimaryPrivateIpAddress": "10.0.1.50",
    "InstanceTemplate": "lt-0fffffffffffffff1", "InstanceRole": "pair-InstanceRole",
    "InstanceProfile.Arn": "arn:aws:iam::123456789012:instance-profile/pair",
    "InstanceTemplate.LatestVersionNumber": "7", "Group": "token-failover", "TerminationHook": "token-failover",
}

# The choices of the parameter Instances that make an Auto Scaling group.
GROUPS = ("both", "auto-scaling-group")


class Pair(Deployment):
    """Adds the functions that template.yaml does not use."""

    def __init__(self, **parameters):
        super().__init__(PAIR, **{
            "VpcId": "vpc-01111111111111111", "SubnetId": "subnet-01111111111111111", "ClientCidr": "10.0.0.0/16",
            "MosekFilesBucket": "example-bucket",
        } | parameters)

    def _function(self, function, argument):
        if function == "Fn::FindInMap":
            name, first, second = self.resolve(argument)
            return self.template["Mappings"][name][first][second]
        if function == "Fn::Base64":
            return self.resolve(argument)
        return super()._function(function, argument)

    def _ref(self, name):
        if name in IDS:
            self._demand(name)
        return "amazonaws.com" if name == "AWS::URLSuffix" else IDS[name] if name in IDS else super()._ref(name)

    def _attribute(self, name, attribute):
        self._demand(name)
        return IDS[f"{name}.{attribute}"]

    def made_outputs(self):
        """The resources whose condition is true."""
        return {name: value for name, value in self.outputs.items() if "Condition" not in self.template["Outputs"][name]
                or self.condition(self.template["Outputs"][name]["Condition"])}


def every_pair():
    """Pairs with every combination of the parameters that decide which resources there are."""
    return [Pair(Instances=instances, MakeElasticIp=elastic)
            for instances in ("two-instances", *GROUPS) for elastic in ("false", "true")]


class PairTemplate(unittest.TestCase):
    maxDiff = None

    def test_the_template_is_valid_yaml(self):
        self.assertEqual([], FAULTS)

    def test_the_interface_outlives_stack_and_instances(self):
        for name in ("LicenseInterface", "LicenseAccess", "LicenseAddress"):
            resource = PAIR["Resources"][name]
            self.assertEqual(
                ("RetainExceptOnCreate", "Retain"), (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]), name)
        # The address stays, except with the interface of a failed creation.
        association = PAIR["Resources"]["LicenseAddressOnInterface"]
        self.assertEqual(
            ("RetainExceptOnCreate", "Delete"), (association["DeletionPolicy"], association["UpdateReplacePolicy"]))
        self.assertEqual(
            [{"DeviceIndex": "1", "NetworkInterfaceId": "eni-0ddddddddddddddd1", "DeleteOnTermination": False}],
            [it for it in Pair().resources["FirstInstance"]["NetworkInterfaces"] if "NetworkInterfaceId" in it])

    def test_both_instances_have_a_first_interface_of_their_own_in_the_subnet_of_the_license_interface(self):
        pair = Pair()
        own = {"DeviceIndex": "0", "SubnetId": "subnet-01111111111111111", "GroupSet": ["sg-0ccccccccccccccc2"],
               "DeleteOnTermination": True}
        self.assertEqual(own, pair.resources["FirstInstance"]["NetworkInterfaces"][0])
        self.assertEqual([own], pair.resources["SecondInstance"]["NetworkInterfaces"])
        self.assertEqual("subnet-01111111111111111", pair.resources["LicenseInterface"]["SubnetId"])

    def test_the_instances_have_the_chosen_system_and_are_never_replaced_by_a_newer_image(self):
        for system, image, device in [
            ("amazon-linux-2023", "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64", "/dev/xvda"),
            ("ubuntu-24.04", "resolve:ssm:/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
             "/dev/sda1"),
        ]:
            pair = Pair(OperatingSystem=system)
            data = pair.resources["InstanceTemplate"]["LaunchTemplateData"]
            self.assertEqual((image, device), (data["ImageId"], data["BlockDeviceMappings"][0]["DeviceName"]))
            self.assertEqual({"HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": 1},
                             data["MetadataOptions"])
            self.assertNotIn("NetworkInterfaces", data)
            for name in ("FirstInstance", "SecondInstance"):
                self.assertEqual({"LaunchTemplateId": "lt-0fffffffffffffff1", "Version": "1"},
                                 pair.resources[name]["LaunchTemplate"])
                self.assertNotIn("ImageId", pair.resources[name])

    def test_the_instances_have_what_the_token_server_needs_and_no_detailed_monitoring(self):
        data = {"ImageId", "IamInstanceProfile", "BlockDeviceMappings", "MetadataOptions", "MaintenanceOptions", "UserData"}
        self.assertEqual(data, set(Pair().resources["InstanceTemplate"]["LaunchTemplateData"]))
        for instances in GROUPS:
            self.assertEqual(data | {"InstanceType", "NetworkInterfaces"},
                             set(Pair(Instances=instances).resources["InstanceTemplate"]["LaunchTemplateData"]))

    def user_data(self, **parameters):
        """The commands of the user data, one a line."""
        data = Pair(**parameters).resources["InstanceTemplate"]["LaunchTemplateData"]["UserData"]
        return [line for line in data.replace("\\\n", "").splitlines() if not line.startswith("# ")]

    def test_user_data_installs_the_files_of_the_bucket_and_stops_at_the_first_failure(self):
        self.assertEqual([
            "#!/bin/sh", "set -eu", "PATH=$PATH:/snap/bin", "command -v aws || snap install aws-cli --classic",
            'aws s3 cp --recursive --only-show-errors "s3://example-bucket/a/b/boot" /root/token-server-boot',
            'sh /root/token-server-boot/install "s3://example-bucket/a/b"',
        ], self.user_data(MosekFilesPrefix="a/b"))

    def test_without_further_licenses_the_launch_template_is_that_of_earlier_versions(self):
        # Otherwise the update of a stack would make a new version of it, and an instance refresh would have a reason.
        installs = (
            "#!/bin/sh\nset -eu\nPATH=$PATH:/snap/bin\n# Ubuntu 24.04 has no package of it but the snap.\n"
            "command -v aws || snap install aws-cli --classic\n"
            'aws s3 cp --recursive --only-show-errors "s3://example-bucket/token-server/boot" /root/token-server-boot\n'
            'sh /root/token-server-boot/install "s3://example-bucket/token-server"\n')
        enters = (
            "# Only an instance with MOSEK enters service. The license may come later. The group replaces an instance\n"
            "# that does not get here.\ntest -x /opt/token-server/lmgrd\n"
            "aws autoscaling complete-lifecycle-action --region eu-west-1 --auto-scaling-group-name token-failover \\\n"
            "  --lifecycle-hook-name installed --lifecycle-action-result CONTINUE "
            '--instance-id "$(cloud-init query instance_id)"\n')
        for instances, expected in {"two-instances": installs, "both": installs + enters, "auto-scaling-group": installs + enters}.items():
            data = Pair(Instances=instances).resources["InstanceTemplate"]["LaunchTemplateData"]
            self.assertEqual(expected, data["UserData"], instances)
            self.assertEqual(data, Pair(Instances=instances, LicenseNames="").resources["InstanceTemplate"]["LaunchTemplateData"])

    def test_new_instances_install_the_units_of_all_licenses_and_nothing_else_changes(self):
        install = 'sh /root/token-server-boot/install "s3://example-bucket/token-server"'
        for instances in ("two-instances", *GROUPS):
            for names, words in {"acme": " token-server acme", "acme,other-2": " token-server acme other-2"}.items():
                with self.subTest(instances=instances, names=names):
                    before, after = Pair(Instances=instances), Pair(Instances=instances, LicenseNames=names)
                    expected = self.user_data(Instances=instances)
                    place = expected.index(install)
                    expected[place] += words
                    if instances in GROUPS:
                        expected[place + 2:place + 2] = [
                            "for name in " + names.replace(",", " ") + "; do",
                            "  test ! -e /etc/token-server/$name/license.lic || test -x /opt/token-server/$name/lmgrd", "done"]
                    self.assertEqual(expected, self.user_data(Instances=instances, LicenseNames=names))
                    template = after.resources["InstanceTemplate"]["LaunchTemplateData"]
                    template["UserData"] = before.resources["InstanceTemplate"]["LaunchTemplateData"]["UserData"]
                    self.assertEqual(before.resources, after.resources)
                    units = "".join(f" token-server-files@{name}" for name in names.split(","))
                    renewed = before.outputs["NewLicenseCommand"].replace("token-server-files", "token-server-files" + units)
                    self.assertEqual(before.made_outputs() | {"NewLicenseCommand": renewed}, after.made_outputs())

    def test_an_instance_enters_service_unless_a_license_came_without_its_programs(self):
        loop = "\n".join(self.user_data(Instances="auto-scaling-group", LicenseNames="acme,other")[-4:-1])
        for files, enters in [
            ([], True),
            (["etc/token-server/acme/license.lic", "opt/token-server/acme/lmgrd"], True),
            (["etc/token-server/acme/license.lic"], False),
            (["etc/token-server/other/license.lic"], False),
            (["opt/token-server/other/lmgrd"], True),
        ]:
            with self.subTest(files), tempfile.TemporaryDirectory() as root:
                for file in files:
                    path = Path(root) / file
                    path.parent.mkdir(parents=True)
                    path.touch(mode=0o755)
                script = "set -eu\n" + loop.replace(" /", f" {root}/") + "\necho enters"
                ran = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
                self.assertEqual(("enters\n" if enters else "", ""), (ran.stdout, ran.stderr))

    def test_a_name_is_what_the_installer_accepts(self):
        for names in ("acme", "a", "A-1_b", "boot2", "acme,token-server-2", "acme,other"):
            Pair(LicenseNames=names)
        for names in ("boot", "token-server", "acme,boot", "token-server,acme", "acme, other", "acme,", ",acme", "-a", "_a", "a b",
                      "a.b", "$(reboot)", "acme;reboot"):
            with self.subTest(names), self.assertRaises(ValueError):
                Pair(LicenseNames=names)

    def test_an_instance_of_the_group_enters_service_after_it_has_been_installed(self):
        for instances in GROUPS:
            pair = Pair(Instances=instances)
            group = pair.resources["Group"]
            installed, completes = self.user_data(Instances=instances)[-2:]
            # The installer fetches lmgrd there, and succeeds without it.
            self.assertEqual("test -x /opt/token-server/lmgrd", installed)
            options = dict(zip(*[iter(shlex.split(completes)[3:])] * 2))
            [hook] = group["LifecycleHookSpecificationList"]
            self.assertEqual({
                "--region": "eu-west-1", "--auto-scaling-group-name": group["AutoScalingGroupName"],
                "--lifecycle-hook-name": hook["LifecycleHookName"], "--lifecycle-action-result": "CONTINUE",
                "--instance-id": "$(cloud-init query instance_id)",
            }, options)
            self.assertEqual(["aws", "autoscaling", "complete-lifecycle-action"], shlex.split(completes)[:3])
            # Otherwise an instance without a token server could take the license in an instance refresh.
            self.assertEqual(("autoscaling:EC2_INSTANCE_LAUNCHING", "ABANDON"), (hook["LifecycleTransition"], hook["DefaultResult"]))
            fetch = (ROOT / "deploy" / "boot" / "token-server-files.service").read_text()
            self.assertGreater(hook["HeartbeatTimeout"], int(re.search(r"^TimeoutStartSec=(\d+)$", fetch, re.MULTILINE)[1]))
            statements = {policy["PolicyName"]: policy["PolicyDocument"]["Statement"]
                          for policy in pair.resources["InstanceRole"]["Policies"]}
            self.assertEqual({"mosek-files", "auto-scaling"}, set(statements))
            self.assertEqual([(
                "autoscaling:CompleteLifecycleAction",
                "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:*:autoScalingGroupName/token-failover",
            )], [(it["Action"], it["Resource"]) for it in statements["auto-scaling"]])

    def test_the_instances_read_mosek_and_nothing_else(self):
        [policy] = Pair().resources["InstanceRole"]["Policies"]
        self.assertEqual([
            ("s3:GetObject", "arn:aws:s3:::example-bucket/token-server/*", None),
            ("s3:ListBucket", "arn:aws:s3:::example-bucket", {"StringLike": {"s3:prefix": "token-server/*"}}),
        ], [(it["Action"], it["Resource"], it.get("Condition")) for it in policy["PolicyDocument"]["Statement"]])
        self.assertEqual(["arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"],
                         Pair().resources["InstanceRole"]["ManagedPolicyArns"])

    def test_no_choice_of_instances_removes_or_changes_the_interface_its_address_or_its_security_group(self):
        kept = ("LicenseInterface", "LicenseAddress", "LicenseAddressOnInterface", "LicenseAccess", "InstanceAccess")
        before, *others = [Pair(Instances=it, MakeElasticIp="true").resources for it in ("two-instances", *GROUPS)]
        for after in others:
            self.assertEqual({name: before[name] for name in kept}, {name: after[name] for name in kept})
        # Only the Elastic IP and its association are optional, and not because of the instances.
        self.assertEqual(
            {"LicenseInterface": None, "LicenseAddress": "MakesElasticIp", "LicenseAddressOnInterface": "MakesElasticIp",
             "LicenseAccess": None, "InstanceAccess": None},
            {name: PAIR["Resources"][name].get("Condition") for name in kept})

    def test_each_choice_makes_only_its_own_instances(self):
        common = {"LicenseInterface", "LicenseAccess", "InstanceAccess", "InstanceRole", "InstanceProfile", "InstanceTemplate"}
        two, group = {"FirstInstance", "SecondInstance"}, {"Group", "TerminationHook"}
        for instances, own in {"two-instances": two, "both": two | group, "auto-scaling-group": group}.items():
            self.assertEqual(common | own, set(Pair(Instances=instances).resources), instances)
        self.assertEqual(common | two, set(Pair().resources))

    def test_the_way_to_the_group_replaces_neither_instance_and_makes_both_members(self):
        # Tags change without an interruption. Each other property of an instance may replace it.
        before, after = Pair().resources, Pair(Instances="both").resources
        for name in ("FirstInstance", "SecondInstance"):
            self.assertEqual({key: it for key, it in before[name].items() if key != "Tags"},
                             {key: it for key, it in after[name].items() if key != "Tags"})
            self.assertEqual([*before[name]["Tags"], {"Key": "token-server", "Value": "token-failover"}], after[name]["Tags"])

    def test_the_group_launches_a_replacement_before_it_terminates_an_instance(self):
        for instances in GROUPS:
            group = Pair(Instances=instances).resources["Group"]
            smallest, desired, largest = (int(group[name]) for name in ("MinSize", "DesiredCapacity", "MaxSize"))
            policy = group["InstanceMaintenancePolicy"]
            self.assertEqual((2, 2, 100), (smallest, desired, policy["MinHealthyPercentage"]))
            # One more at a time, and the maximum leaves room for it.
            self.assertEqual(desired + 1, desired * policy["MaxHealthyPercentage"] / 100)
            self.assertEqual(desired + 1, largest)
            # Long enough for EC2's status checks, and not so long that a failed instance stays.
            self.assertEqual((300, 300), (group["HealthCheckGracePeriod"], group["DefaultInstanceWarmup"]))
            self.assertEqual("EBS", group["HealthCheckType"])
            # The license would move at a time that no operator has chosen.
            self.assertNotIn("MaxInstanceLifetime", group)
            self.assertNotIn("NewInstancesProtectedFromScaleIn", group)

    def test_the_group_is_in_the_subnet_of_the_interface_and_its_instances_have_one_interface(self):
        for instances in GROUPS:
            pair = Pair(Instances=instances, InstanceType="m7i.large")
            self.assertEqual(["subnet-01111111111111111"], pair.resources["Group"]["VPCZoneIdentifier"])
            data = pair.resources["InstanceTemplate"]["LaunchTemplateData"]
            self.assertEqual("m7i.large", data["InstanceType"])
            self.assertEqual([{"DeviceIndex": 0, "Groups": ["sg-0ccccccccccccccc2"], "DeleteOnTermination": True}],
                             data["NetworkInterfaces"])

    def test_the_group_and_its_instances_have_the_tag_of_the_members(self):
        for instances in GROUPS:
            pair = Pair(Instances=instances)
            key, value = pair.outputs["TokenServerMembers"].split("=")
            self.assertEqual([
                {"Key": "Name", "Value": "token-failover", "PropagateAtLaunch": True},
                {"Key": key, "Value": value, "PropagateAtLaunch": True},
            ], pair.resources["Group"]["Tags"])

    def test_only_token_failover_lets_the_group_terminate_an_instance(self):
        for instances in GROUPS:
            pair = Pair(Instances=instances)
            # An action without an answer keeps the instance: ABANDON, with the policy of the group.
            self.assertEqual({
                "AutoScalingGroupName": "token-failover", "LifecycleHookName": "token-failover",
                "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", "HeartbeatTimeout": 7200, "DefaultResult": "ABANDON",
            }, pair.resources["TerminationHook"])
            self.assertEqual({"RetentionTriggers": {"TerminateHookAbandon": "retain"}},
                             pair.resources["Group"]["InstanceLifecyclePolicy"])

    def test_a_changed_launch_template_replaces_no_instance_of_the_group(self):
        self.assertEqual({"Type", "Condition", "Properties"}, set(PAIR["Resources"]["Group"]))
        for instances in GROUPS:
            self.assertEqual({"LaunchTemplateId": "lt-0fffffffffffffff1", "Version": "7"},
                             Pair(Instances=instances).resources["Group"]["LaunchTemplate"])

    def test_the_command_of_an_instance_refresh_replaces_by_the_policy_of_the_group(self):
        for instances in GROUPS:
            pair = Pair(Instances=instances)
            group = pair.resources["Group"]
            words = shlex.split(pair.outputs["InstanceRefreshCommand"])
            self.assertEqual(["aws", "autoscaling", "start-instance-refresh", "--region", "eu-west-1",
                              "--auto-scaling-group-name", "token-failover", "--preferences"], words[:-1])
            # A new image does not change the launch template, so every instance would match and be skipped.
            self.assertEqual(group["InstanceMaintenancePolicy"] | {
                "InstanceWarmup": group["DefaultInstanceWarmup"], "SkipMatching": False,
            }, json.loads(words[-1]))
            self.assertIn(" --auto-scaling-group-names token-failover ", pair.outputs["GroupCommand"])

    def test_a_new_license_reaches_every_instance(self):
        for instances, targets in {
            "two-instances": ["--instance-ids", "i-0aaaaaaaaaaaaaaa1", "i-0bbbbbbbbbbbbbbb2"],
            "both": ["--targets", "Key=tag:token-server,Values=token-failover"],
            "auto-scaling-group": ["--targets", "Key=tag:token-server,Values=token-failover"],
        }.items():
            words = shlex.split(Pair(Instances=instances).outputs["NewLicenseCommand"])
            self.assertEqual(["aws", "ssm", "send-command", "--region", "eu-west-1", "--document-name", "AWS-RunShellScript",
                              *targets, "--parameters", '{"commands":["systemctl restart token-server-files"]}'], words)

    def test_only_the_clients_reach_both_ports(self):
        sources = {"ClientCidr": "10.0.0.0/16", "ClientSecurityGroupId": "sg-0123abcd", "ClientPrefixListId": "pl-0123abcd"}
        keys = {"ClientCidr": "CidrIp", "ClientSecurityGroupId": "SourceSecurityGroupId", "ClientPrefixListId": "SourcePrefixListId"}
        for given in (["ClientCidr"], ["ClientSecurityGroupId"], ["ClientPrefixListId"], list(sources)):
            with self.subTest(given):
                pair = Pair(**({"ClientCidr": ""} | {name: sources[name] for name in given}), LmgrdPort=1700, VendorPort=1701)
                rules = pair.resources["LicenseAccess"]["SecurityGroupIngress"]
                self.assertEqual(
                    sorted((port, keys[name], sources[name]) for name in given for port in (1700, 1701)),
                    sorted((rule["FromPort"], key, rule[key]) for rule in rules for key in keys.values() if key in rule))
                self.assertTrue(all(rule["FromPort"] == rule["ToPort"] and rule["IpProtocol"] == "tcp" and rule["Description"]
                                    for rule in rules))
                self.assertEqual(",".join(sources[name] for name in given), pair.outputs["TokenServerClients"])
                self.assertEqual("1700,1701", pair.outputs["TokenServerPorts"])
        self.assertNotIn("SecurityGroupIngress", Pair().resources["InstanceAccess"])
        self.assertEqual({"LicenseAccess", "InstanceAccess"}, set(Pair().of_type("AWS::EC2::SecurityGroup")))
        self.assertEqual({}, Pair().of_type("AWS::EC2::SecurityGroupIngress"))

    def test_a_pair_without_clients_is_not_created(self):
        with self.assertRaisesRegex(ValueError, "^LicensesHaveClients: "):
            Pair(ClientCidr="")

    def test_the_two_daemons_cannot_share_a_port(self):
        # EC2 refuses a group with the same rule twice.
        with self.assertRaisesRegex(ValueError, "^PortsDiffer: "):
            Pair(LmgrdPort=27008)

    def test_its_outputs_are_the_parameters_of_token_failover(self):
        for pair in every_pair():
            outputs = pair.made_outputs()
            named = {name: value for name, value in outputs.items() if name.startswith("TokenServer")}
            expected = {
                "TokenServerInterfaceId": "eni-0ddddddddddddddd1",
                "TokenServerDeviceIndex": "1", "TokenServerPorts": "27007,27008", "TokenServerClients": "10.0.0.0/16",
                "TokenServerSecurityGroupId": "sg-0ccccccccccccccc1",
            }
            # token-failover accepts exactly one of the two.
            if pair.parameters["Instances"] == "two-instances":
                expected["TokenServerInstanceIds"] = "i-0aaaaaaaaaaaaaaa1,i-0bbbbbbbbbbbbbbb2"
            else:
                expected["TokenServerMembers"] = "token-server=token-failover"
            if pair.parameters["MakeElasticIp"] == "true":
                expected["TokenServerAllocationId"] = "eipalloc-0eeeeeeeeeeeeeee1"
            self.assertEqual(expected, named)
            for name, value in named.items():
                declared = FAILOVER["Parameters"][name]
                self.assertTrue(re.fullmatch(declared.get("AllowedPattern", ".*"), value), name)

    def test_an_elastic_ip_is_made_only_on_demand_and_bound_to_the_interface(self):
        self.assertEqual({}, Pair().of_type("AWS::EC2::EIP"))
        self.assertEqual(
            {"LicenseAddressOnInterface": {"AllocationId": "eipalloc-0eeeeeeeeeeeeeee1",
                                           "NetworkInterfaceId": "eni-0ddddddddddddddd1"}},
            Pair(MakeElasticIp="true").of_type("AWS::EC2::EIPAssociation"))

    def test_ec2_and_iam_accept_the_names_and_descriptions(self):
        pair = Pair()
        for name, group in pair.of_type("AWS::EC2::SecurityGroup").items():
            rules = [*group.get("SecurityGroupIngress", []), *group["SecurityGroupEgress"]]
            for text in [group["GroupDescription"], *(rule["Description"] for rule in rules)]:
                # AuthorizeSecurityGroupIngress, CreateSecurityGroup: no apostrophe, for one.
                self.assertRegex(text, r"^[A-Za-z0-9 ._:/()#,@\[\]+=&;{}!$*-]{1,255}$", name)
        for resource in pair.resources.values():
            self.assertTrue(all(len(tag["Value"]) <= 256 for tag in resource.get("Tags", [])))
        self.assertRegex(pair.resources["InstanceRole"]["Description"], r"^[\t\n\r -~\u00a1-\u00ff]{0,1000}$")

    def test_no_group_has_the_same_rule_twice(self):
        for clients in ({}, {"ClientSecurityGroupId": "sg-0123abcd", "ClientPrefixListId": "pl-0123abcd"}):
            rules = Pair(**clients).resources["LicenseAccess"]["SecurityGroupIngress"]
            # The description does not make a rule different.
            seen = [tuple(sorted((key, it) for key, it in rule.items() if key != "Description")) for rule in rules]
            self.assertEqual(len(set(seen)), len(seen))

    def test_every_output_is_a_string(self):
        for pair in every_pair():
            self.assertEqual({}, {name: it for name, it in pair.made_outputs().items() if not isinstance(it, str) or not it})

    def test_invalid_values_fail_at_deployment(self):
        for name, value in [("LmgrdPort", 0), ("VendorPort", 65536), ("ClientCidr", "10.0.0.0"), ("ClientCidr", "10.0.0.0/33"),
                            ("ClientSecurityGroupId", "sg-1"), ("ClientPrefixListId", "sg-0123abcd"), ("MakeElasticIp", "yes"),
                            ("OperatingSystem", "ubuntu-22.04"), ("MosekFilesBucket", "s3://example-bucket"),
                            ("MosekFilesPrefix", "/token-server"), ("MosekFilesPrefix", "token-server/"),
                            ("MosekFilesPrefix", "a b"), ("Instances", "one"), ("MosekFilesPrefix", '$(reboot)"'), ("PrivateIpAddress", "10.0.1")]:
            with self.subTest(name=name, value=value), self.assertRaises(ValueError):
                Pair(**{name: value})


if __name__ == "__main__":
    unittest.main()
