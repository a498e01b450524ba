"""Mistakes that CloudFormation refuses and linters accept, in template.yaml as SAM translates it and in deploy/pair.yaml.

Both templates were compared with the CloudFormation and SAM documentation. These rules are tested below or in the named file:

- Rules: only Ref and the functions of rules, and their arguments.
- Conditions: which functions; two to ten arguments of And and Or; no reference to a resource.
- Attributes of resources (Type, Condition, DependsOn, DeletionPolicy, UpdateReplacePolicy): strings, no functions; the
  values of each policy; nothing that a failed first creation leaves behind.
- References from created resources and outputs to resources that are not created, for every choice of the parameters.
- Fn::Split and Fn::Select: a literal delimiter and index. Fn::FindInMap: existing keys.
- Outputs: strings that are not empty.
- Parameters: types whose values can cease to exist; patterns that Java reads differently from Python; lengths; defaults
  that their own constraints allow (deployment.py).
- Quotas: template, descriptions, names, sections; the template in the call itself or from a bucket; policies of a role
  (test_role.py); patterns of rules; the function's variables.
- Alarms: periods, spans, descriptions. Dashboards: name, grid, JSON (test_dashboard.py).
- IAM: names, which need another capability than samconfig.toml and deploy/README.md give. Descriptions of roles and
  security groups: characters and lengths. EC2: the same rule twice in a group (test_pair.py).
- Attributes of Fn::GetAtt and types of properties: cfn-lint knows them from the schemas of the resource types.

The templates do not have: a Transform other than SAM's, Fn::ImportValue and exports, Fn::GetAZs, dynamic references,
custom resources, nested stacks, creation and update policies.
"""

import copy
import itertools
import json
import re
import unittest

from cfnlint.decode import decode
from deployment import ACCOUNT, HOLDER, REGION, ROOT, deploy
from deployment import TEMPLATE as FAILOVER
from ministack.services.cloudformation import engine

PAIR, _ = decode(str(ROOT / "deploy" / "pair.yaml"))
SOURCE, _ = decode(str(ROOT / "template.yaml"))
TEMPLATES = {"template.yaml": FAILOVER, "deploy/pair.yaml": PAIR}

# CloudFormation Template Reference, "Rule functions", "Supported functions".
IN_RULES = {
    "Ref", "Fn::And", "Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn", "Fn::Equals", "Fn::Not", "Fn::Or",
    "Fn::RefAll", "Fn::ValueOf", "Fn::ValueOfAll",
}
# The same, "Condition functions", "Supported functions".
IN_CONDITIONS = {"Ref", "Condition", "Fn::And", "Fn::Equals", "Fn::FindInMap", "Fn::Not", "Fn::Or"}
# Not in that list, but in cfn-lint's list of arguments of Fn::Equals, and in use for years.
STRINGS_IN_CONDITIONS = {"Fn::Join", "Fn::Select", "Fn::Split"}

OWN_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/33333333-0000-4000-8000-000000000003"
CHOICES = {
    "TokenServerMembers": ["", "token-server=license-eu"],
    "NotificationTopicArn": ["", *(f"arn:aws:sns:{region}:{ACCOUNT}:on-call" for region in (REGION, "us-east-1"))],
    "NotificationTopicKeyArn": ["", OWN_KEY],
    "EncryptionKeyArn": ["", "none", OWN_KEY],
    "WatchdogAlarms": ["true", "false"],
    "FailoverActivationDocument": ["", "restart-service", "AWS-RunShellScript"],
    "TokenServerLicenseCheckDocument": ["", "check-license"],
    "FailoverRepair": ["none", "elastic-ip"],
    "FailoverStartStandby": ["true", "false"],
}
# These are set together, because no two of them affect the same resource.
REST = {
    "TokenServerName": "license-eu", "NotificationEmail": "ops@example.com", "SecondNotificationEmail": "boss@example.com",
    "TokenServerAllocationId": "eipalloc-0eeeeeeeeeeeeeee1", "StandbyVolumeKeyArn": OWN_KEY, "ReservedConcurrency": "1",
    "FunctionSubnetIds": "subnet-0aaaaaaaaaaaaaaa1", "FunctionSecurityGroupIds": "sg-0ccccccccccccccc1",
}


def functions(value):
    """Every use of an intrinsic function in the value, outermost first: name and argument."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key.startswith("Fn::") or (len(value) == 1 and key in ("Ref", "Condition") and isinstance(item, str)):
                yield str(key), item
            yield from functions(item)
    elif isinstance(value, list):
        for item in value:
            yield from functions(item)


def stacks():
    """Stacks of template.yaml with every choice of parameters that affects the created resources."""
    for values in itertools.product(*CHOICES.values()):
        for rest in ({}, REST):
            yield deploy(**dict(zip(CHOICES, values)) | rest)


def every(templates, section):
    return [
        (f"{file}: {name}", entry) for file, template in templates.items() for name, entry in template[section].items()
    ]


class Functions(unittest.TestCase):
    maxDiff = None

    def test_rules_use_only_references_and_the_functions_of_rules(self):
        for name, rule in every(TEMPLATES, "Rules"):
            with self.subTest(name):
                self.assertEqual(set(), {function for function, _ in functions(rule)} - IN_RULES)

    def test_conditions_use_only_their_functions_and_split_strings_only_to_compare_them(self):
        for name, condition in every(TEMPLATES, "Conditions"):
            with self.subTest(name):
                used = list(functions(condition))
                self.assertEqual(set(), {function for function, _ in used} - IN_CONDITIONS - STRINGS_IN_CONDITIONS)
                compared = [it for function, argument in used if function == "Fn::Equals" for it in functions(argument)]
                strings = [it for it in used if it[0] in STRINGS_IN_CONDITIONS]
                self.assertEqual([], [it for it in strings if it not in compared])

    def test_rules_and_conditions_refer_to_parameters_and_nothing_else(self):
        for file, template in TEMPLATES.items():
            for section in ("Rules", "Conditions"):
                named = {argument for function, argument in functions(template[section]) if function == "Ref"}
                self.assertEqual(set(), named - template["Parameters"].keys() - {"AWS::Region"}, (file, section))

    def test_and_and_or_have_two_to_ten_arguments(self):
        for file, template in TEMPLATES.items():
            for section in ("Rules", "Conditions"):
                joined = [argument for function, argument in functions(template[section]) if function in ("Fn::And", "Fn::Or")]
                self.assertEqual([], [it for it in joined if not 2 <= len(it) <= 10], (file, section))

    def test_delimiters_and_indices_are_literals(self):
        for file, template in TEMPLATES.items():
            for function, argument in functions(template):
                if function in ("Fn::Split", "Fn::Select"):
                    self.assertIsInstance(argument[0], (str, int), (file, argument))

    def test_the_emulator_accepts_the_rules_and_refuses_an_unknown_function(self):
        # MiniStack checks templates with the messages of real accounts. It cannot create all of the pair.
        checks = (engine._validate_template_limits, engine._validate_template_statics)
        for template in TEMPLATES.values():
            for check in checks:
                check(template)
        broken = copy.deepcopy(json.loads(json.dumps(PAIR)))
        broken["Rules"]["LicensesHaveClients"]["Assertions"][0]["Assert"] = {
            "Fn::Not": [{"Fn::Equals": [{"Fn::Join": ["", [{"Ref": "ClientCidr"}]]}, ""]}],
        }
        with self.assertRaisesRegex(ValueError, r"not supported in the Rules block of the template: \[Fn::Join\]"):
            engine._validate_template_statics(broken)


class Parameters(unittest.TestCase):
    def test_no_parameter_fails_an_update_because_its_resource_is_gone(self):
        # CloudFormation checks a value of an AWS-specific type at every update, even a previous value. An instance may
        # be terminated at any time; a VPC and a subnet cannot be deleted while the interface is in them.
        specific = {
            (file, name): declared["Type"]
            for file, template in TEMPLATES.items() for name, declared in template["Parameters"].items()
            if declared["Type"] not in ("String", "Number", "CommaDelimitedList")
        }
        self.assertEqual(
            {
                ("deploy/pair.yaml", "VpcId"): "AWS::EC2::VPC::Id",
                ("deploy/pair.yaml", "SubnetId"): "AWS::EC2::Subnet::Id",
            },
            specific,
        )

    def test_every_pattern_means_the_same_in_java_and_python(self):
        # In Java, a bracket within brackets opens another class, and && intersects two. Only Python has (?P.
        for name, declared in every(TEMPLATES, "Parameters"):
            pattern = declared.get("AllowedPattern", "")
            for inside in re.findall(r"(?<!\\)\[((?:\\.|[^\]\\])*)\]", pattern):
                self.assertNotRegex(inside, r"(?<!\\)\[(?!$)|&&", name)
            self.assertNotIn("(?P", pattern, name)

    def test_every_pattern_has_a_constraint_description(self):
        for name, declared in every(TEMPLATES, "Parameters"):
            self.assertEqual("AllowedPattern" in declared, "ConstraintDescription" in declared, name)

    def test_the_console_shows_every_parameter_in_one_group_with_a_label(self):
        for file, template in {"template.yaml": SOURCE, "deploy/pair.yaml": PAIR}.items():
            interface = template["Metadata"]["AWS::CloudFormation::Interface"]
            grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
            self.assertEqual(sorted(template["Parameters"]), sorted(grouped), file)
            self.assertEqual(sorted(template["Parameters"]), sorted(interface["ParameterLabels"]), file)


class Resources(unittest.TestCase):
    def test_attributes_are_literals(self):
        for name, resource in every(TEMPLATES, "Resources"):
            for attribute in ("Type", "Condition", "DeletionPolicy", "UpdateReplacePolicy"):
                self.assertIsInstance(resource.get(attribute, ""), str, (name, attribute))
            self.assertEqual([], list(functions(resource.get("DependsOn", []))), name)

    def test_a_first_creation_that_fails_leaves_nothing_behind(self):
        policies = {name: resource.get("DeletionPolicy") for name, resource in every(TEMPLATES, "Resources")}
        self.assertEqual(set(), set(policies.values()) - {None, "RetainExceptOnCreate"}, policies)

    def test_update_replace_policies_have_allowed_values(self):
        # Only DeletionPolicy has the value RetainExceptOnCreate.
        policies = {name: resource.get("UpdateReplacePolicy") for name, resource in every(TEMPLATES, "Resources")}
        self.assertEqual(set(), set(policies.values()) - {None, "Retain", "Delete"}, policies)

    def test_no_created_resource_refers_to_one_that_is_not_created(self):
        # deployment.py refuses such a reference.
        self.assertEqual(3456, sum(1 for _ in stacks()))

    def test_iam_chooses_the_names(self):
        # A given name needs CAPABILITY_NAMED_IAM.
        self.assertIn('capabilities = "CAPABILITY_IAM"', (ROOT / "samconfig.toml").read_text())
        for name, resource in every(TEMPLATES, "Resources"):
            if resource["Type"].startswith("AWS::IAM::"):
                self.assertEqual(set(), resource["Properties"].keys() & {"RoleName", "InstanceProfileName"}, name)

    def test_a_changed_command_is_in_a_new_document(self):
        # The function sends the default version of a document, and template.yaml says why it has only one version.
        # CloudFormation replaces no resource that has a given name.
        stack = deploy(FailoverActivationDocument="restart-service", TokenServerLicenseCheckDocument="check-license")
        documents = stack.of_type("AWS::SSM::Document")
        self.assertEqual({"RestartTokenServer", "CheckLicense"}, set(documents))
        for name, document in documents.items():
            self.assertEqual(set(), document.keys() & {"Name", "UpdateMethod"}, name)

    def test_alarms_have_periods_that_cloudwatch_accepts(self):
        # PutMetricAlarm: 10, 20, 30 or a multiple of 60 seconds. All periods together last at most a day, or a week if
        # a period is at least an hour.
        for name, alarm in deploy().of_type("AWS::CloudWatch::Alarm").items():
            period, span = alarm["Period"], alarm["Period"] * alarm["EvaluationPeriods"]
            self.assertTrue(period in (10, 20, 30) or period % 60 == 0, name)
            self.assertLessEqual(span, 604_800 if period >= 3600 else 86_400, name)
            self.assertLessEqual(len(alarm["AlarmDescription"]), 1024, name)

    def test_services_accept_the_names_and_descriptions(self):
        stack = deploy(FailoverActivationDocument="restart-service")
        [dashboard] = stack.of_type("AWS::CloudWatch::Dashboard").values()
        self.assertRegex(dashboard["DashboardName"], r"^[A-Za-z0-9_-]{1,255}$")
        for role in stack.of_type("AWS::IAM::Role").values():
            self.assertRegex(role["Description"], r"^[\t\n\r -~¡-ÿ]{0,1000}$")
        self.assertLessEqual(len(stack.resources["Reports"]["DisplayName"]), 100)
        self.assertLessEqual(len(stack.resources["Failover"]["Description"]), 256)
        self.assertLessEqual(len(stack.resources["StackKey"]["Description"]), 8192)
        for rule in stack.of_type("AWS::Events::Rule").values():
            self.assertLessEqual(len(rule.get("Description", "")), 512)


class Outputs(unittest.TestCase):
    def test_every_value_is_a_string(self):
        for stack in stacks():
            self.assertEqual({}, {name: it for name, it in stack.outputs.items() if not isinstance(it, str) or not it})

    def test_commands_wait_until_the_function_has_ended(self):
        # By default, the AWS CLI waits for 60 seconds, and then invokes the function again.
        stack = deploy()
        commands = [it for it in stack.outputs.values() if "lambda invoke" in it]
        self.assertEqual(2, len(commands))
        for command in commands:
            [seconds] = re.findall(r" --cli-read-timeout (\d+) ", command)
            self.assertLess(stack.resources["Failover"]["Timeout"], int(seconds))


class Quotas(unittest.TestCase):
    def test_strings_and_names_have_lengths_that_cloudformation_accepts(self):
        for file, template in TEMPLATES.items():
            self.assertLessEqual(len(template["Description"].encode()), 1024, file)
        for section, most in (("Parameters", 4000), ("Outputs", 1024)):
            for name, entry in every(TEMPLATES, section):
                self.assertRegex(name.split(": ")[1], r"^[A-Za-z0-9]{1,255}$")
                self.assertLessEqual(len(entry.get("Description", "").encode()), most, name)
                self.assertLessEqual(len(entry.get("ConstraintDescription", "")), 4000, name)

    def test_each_template_fits_the_way_in_which_it_is_sent(self):
        # `aws cloudformation deploy` puts the file into the call, which allows 51,200 bytes. SAM can put it into a
        # bucket, from which CloudFormation reads up to 1 MB.
        self.assertLess((ROOT / "deploy" / "pair.yaml").stat().st_size, 51_200)
        self.assertLess((ROOT / "template.yaml").stat().st_size, 1_000_000)
        self.assertIn("resolve_s3 = true", (ROOT / "samconfig.toml").read_text())

    def test_the_largest_stack_has_patterns_that_eventbridge_accepts(self):
        # EventBridge User Guide, "Quotas": 2,048 characters.
        members = ",".join(f"i-{number:017x}" for number in range(20))
        for name, rule in deploy(TokenServerInstanceIds=members).of_type("AWS::Events::Rule").items():
            self.assertLess(len(json.dumps(rule.get("EventPattern"))), 2048, name)

    def test_usual_settings_leave_room_in_the_function_s_environment(self):
        # Lambda allows 4,096 bytes for all variables together.
        members = ",".join(f"i-{number:017x}" for number in range(20))
        clients = ",".join(f"10.{number}.0.0/16" for number in range(64))
        environment = deploy(
            TokenServerInstanceIds=members, TokenServerClients=clients, FailoverActivationDocument=HOLDER,
            FailoverActivationParameters='{"Service":["' + "x" * 1000 + '"]}',
        ).environment
        self.assertLess(len(json.dumps(environment).encode()), 4096)


if __name__ == "__main__":
    unittest.main()
