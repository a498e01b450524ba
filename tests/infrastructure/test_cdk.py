"""deploy/cdk, as `cdk synth` translates it: the guards that the page names, and the parameters for token-failover."""

import copy
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from examples import IDS, PAGE, ROOT, named, token_failover

APP = ROOT / "deploy" / "cdk"
STACK = "token-server"
KEPT = ("LicenseInterface", "LicenseAddress", "LicenseAccess")
MEMBERS = ("FirstInstance", "SecondInstance")


def synthesize():
    """What `cdk synth` writes: the template, and the stack's own properties. It also checks the types."""
    with tempfile.TemporaryDirectory() as folder:
        # Neither an account nor a network is needed. Without credentials and a Region, a lookup would fail.
        environment = {name: it for name, it in os.environ.items() if not name.startswith(("AWS_", "CDK_"))}
        environment |= {"CDK_DISABLE_CLI_TELEMETRY": "true", "AWS_EC2_METADATA_DISABLED": "true"}
        done = subprocess.run(["npx", "--no-install", "cdk", "synth", "--quiet", "--no-notices", "--output", folder],
                              cwd=APP, env=environment, capture_output=True, text=True, timeout=300)
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        if "WARNING" in done.stderr:
            raise RuntimeError(done.stderr)
        with open(f"{folder}/{STACK}.template.json") as template, open(f"{folder}/manifest.json") as manifest:
            return json.load(template), json.load(manifest)["artifacts"][STACK]["properties"]


class Stack:
    """The template, and the properties of the stack."""

    def __init__(self, template, properties):
        self.resources, self.properties = template["Resources"], properties

    def of_type(self, kind):
        return {name: it["Properties"] for name, it in self.resources.items() if it["Type"] == kind}

    def instances(self):
        return self.of_type("AWS::EC2::Instance").values()


def mentions(value, name):
    return json.dumps(name) in json.dumps(value)


# What the page says must be there.
GUARDS = {
    "RETAIN_ON_UPDATE_OR_DELETE": lambda it: all(
        (it.resources[name].get("DeletionPolicy"), it.resources[name].get("UpdateReplacePolicy"))
        == ("RetainExceptOnCreate", "Retain") for name in KEPT if name in it.resources),
    "overrideLogicalId": lambda it: set(KEPT) <= it.resources.keys(),
    "version: '1'": lambda it: all(instance["LaunchTemplate"]["Version"] == "1" for instance in it.instances()),
    "networkInterfaceId": lambda it: all(
        association.get("NetworkInterfaceId") == {"Ref": "LicenseInterface"} and "InstanceId" not in association
        for association in it.of_type("AWS::EC2::EIPAssociation").values()),
    "terminationProtection": lambda it: it.properties.get("terminationProtection") is True,
}

# What the page says must not be there.
LEFT_OUT = {
    "CfnNetworkInterfaceAttachment": lambda it: bool(it.of_type("AWS::EC2::NetworkInterfaceAttachment")),
    "networkInterfaces": lambda it: any(mentions(instance, "LicenseInterface") for instance in it.instances()) or any(
        mentions(template, "LicenseInterface") for template in it.of_type("AWS::EC2::LaunchTemplate").values()),
    "instanceId": lambda it: any("InstanceId" in address for address in it.of_type("AWS::EC2::EIP").values()),
    "machineImage": lambda it: any("ImageId" in instance for instance in it.instances()),
}


def faults(stack):
    """The guards that are missing, and what should have been left out."""
    return ([name for name, is_there in GUARDS.items() if not is_there(stack)]
            + [name for name, is_there in LEFT_OUT.items() if is_there(stack)])


def without_policy(name, policy):
    return lambda resources, _: resources[name].pop(policy)


def with_property(name, key, value):
    return lambda resources, _: resources[name]["Properties"].update({key: value})


def renamed(name):
    return lambda resources, _: resources.update({f"{name}0A1B2C3D": resources.pop(name)})


def attached(resources, _):
    resources["Attachment"] = {"Type": "AWS::EC2::NetworkInterfaceAttachment", "Properties": {
        "InstanceId": {"Ref": "FirstInstance"}, "NetworkInterfaceId": "eni-0ddddddddddddddd1", "DeviceIndex": "1"}}


def launched_with_the_interface(resources, _):
    resources["FirstInstance"]["Properties"]["NetworkInterfaces"].append(
        {"DeviceIndex": "1", "NetworkInterfaceId": {"Ref": "LicenseInterface"}, "DeleteOnTermination": False})


NEWEST = {"Fn::GetAtt": ["InstanceTemplate", "LatestVersionNumber"]}

# Changes that break one guard each, and the only fault.
BREAKS = [
    *[(without_policy(name, policy), "RETAIN_ON_UPDATE_OR_DELETE")
      for name in KEPT for policy in ("DeletionPolicy", "UpdateReplacePolicy")],
    *[(renamed(name), "overrideLogicalId") for name in KEPT[1:]],
    (with_property("SecondInstance", "LaunchTemplate", {"Version": NEWEST}), "version: '1'"),
    (with_property("LicenseAddressOnInterface", "InstanceId", {"Ref": "FirstInstance"}), "networkInterfaceId"),
    (lambda _, properties: properties.pop("terminationProtection"), "terminationProtection"),
    (attached, "CfnNetworkInterfaceAttachment"),
    (launched_with_the_interface, "networkInterfaces"),
    (with_property("LicenseAddress", "InstanceId", {"Ref": "FirstInstance"}), "instanceId"),
    (with_property("FirstInstance", "ImageId", "ami-0123456789abcdef0"), "machineImage"),
]


class CdkExample(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.template, cls.properties = synthesize()

    def stack(self):
        return Stack(copy.deepcopy(self.template), copy.deepcopy(self.properties))

    def test_the_example_has_every_guard_and_nothing_that_takes_a_move_back(self):
        self.assertEqual([], faults(self.stack()))

    def test_the_page_names_every_guard_of_the_example_and_no_others(self):
        self.assertEqual(set(GUARDS), named("CDK", "guard"))
        self.assertEqual(set(LEFT_OUT), named("CDK", "leave out"))

    def test_the_check_finds_each_guard_that_is_removed(self):
        for breaks, fault in BREAKS:
            stack = self.stack()
            breaks(stack.resources, stack.properties)
            self.assertEqual([fault], faults(stack))
        self.assertEqual(set(GUARDS) | set(LEFT_OUT), {fault for _, fault in BREAKS})

    def test_the_template_has_no_errors_and_no_warnings(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(self.template, file)
            file.flush()
            linter = Path(sys.executable).with_name("cfn-lint")
            regions = ["eu-west-1", "us-east-1", "us-gov-west-1"]
            done = subprocess.run([linter, "--template", file.name, "--regions", *regions],
                                  capture_output=True, text=True, timeout=120)
        self.assertEqual((0, ""), (done.returncode, done.stdout))

    def test_the_instances_are_as_a_pair_needs_them(self):
        stack = self.stack()
        instances = stack.of_type("AWS::EC2::Instance")
        self.assertEqual(set(MEMBERS), set(instances))
        subnet = stack.resources["LicenseInterface"]["Properties"]["SubnetId"]
        for instance in instances.values():
            self.assertEqual([{
                "DeviceIndex": "0", "SubnetId": subnet, "GroupSet": [{"Fn::GetAtt": ["InstanceAccess", "GroupId"]}],
                "AssociatePublicIpAddress": False, "DeleteOnTermination": True,
            }], instance["NetworkInterfaces"])
        data = stack.resources["InstanceTemplate"]["Properties"]["LaunchTemplateData"]
        self.assertEqual({"HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": 1},
                         data["MetadataOptions"])
        self.assertEqual({"AutoRecovery": "disabled"}, data["MaintenanceOptions"])
        disk = {"Encrypted": True, "VolumeType": "gp3", "DeleteOnTermination": True}
        self.assertEqual([{"DeviceName": "/dev/xvda", "Ebs": disk}], data["BlockDeviceMappings"])

    def parameters(self):
        """The parameters for token-failover, as CloudFormation resolves them."""
        values = {
            '{"Ref": "LicenseInterface"}': IDS["interface"],
            '{"Fn::Join": [",", [{"Ref": "FirstInstance"}, {"Ref": "SecondInstance"}]]}':
                f"{IDS['first']},{IDS['second']}",
            '{"Fn::GetAtt": ["LicenseAddress", "AllocationId"]}': IDS["allocation"],
            '{"Fn::GetAtt": ["LicenseAccess", "GroupId"]}': IDS["security group"],
        }
        [nested] = self.stack().of_type("AWS::CloudFormation::Stack").values()
        return {name: it if isinstance(it, str) else values[json.dumps(it)] for name, it in nested["Parameters"].items()}

    def test_template_yaml_accepts_the_parameters(self):
        environment = token_failover(self.parameters()).environment
        expected = {
            "TOKEN_SERVER_INTERFACE_ID": IDS["interface"], "TOKEN_SERVER_INSTANCE_IDS": f"{IDS['first']},{IDS['second']}",
            "TOKEN_SERVER_MEMBERS": "", "TOKEN_SERVER_ALLOCATION_ID": IDS["allocation"], "TOKEN_SERVER_DEVICE_INDEX": "1",
            "TOKEN_SERVER_PORTS": "27007,27008", "TOKEN_SERVER_CLIENTS": "10.0.0.0/16",
        }
        self.assertEqual(expected, {name: environment[name] for name in expected})

    def test_a_parameter_that_does_not_exist_or_a_value_that_is_not_allowed_is_refused(self):
        for wrong in ({"TokenServerInterface": IDS["interface"]}, {"TokenServerLicenseCheckDocument": "lmstat"}):
            with self.assertRaises(ValueError, msg=wrong):
                token_failover(self.parameters() | wrong)

    def test_the_page_names_the_option_that_takes_a_move_back(self):
        # It is an option of the command line, which no template shows.
        self.assertIn("--revert-drift", PAGE)


if __name__ == "__main__":
    unittest.main()
