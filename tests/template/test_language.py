"""What CloudFormation refuses and linters let through, in template.yaml as SAM translates it and in deploy/pair.yaml."""

import unittest

from cfnlint.decode import decode
from deployment import ROOT
from deployment import TEMPLATE as FAILOVER

PAIR, _ = decode(str(ROOT / "deploy" / "pair.yaml"))
TEMPLATES = {"template.yaml": FAILOVER, "deploy/pair.yaml": PAIR}

# CloudFormation Template Reference, "Rule functions", "Supported functions".
IN_RULES = {
    "Ref", "Fn::And", "Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn", "Fn::Equals", "Fn::Not", "Fn::Or",
    "Fn::RefAll", "Fn::ValueOf", "Fn::ValueOfAll",
}


def functions(value):
    """Every use of an intrinsic function in it, outermost first: name and argument."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key.startswith("Fn::") or (len(value) == 1 and key in ("Ref", "Condition") and isinstance(item, str)):
                yield str(key), item
            yield from functions(item)
    elif isinstance(value, list):
        for item in value:
            yield from functions(item)


class Functions(unittest.TestCase):
    def test_rules_use_only_references_and_the_functions_of_rules(self):
        for file, template in TEMPLATES.items():
            for name, rule in template["Rules"].items():
                with self.subTest(file=file, rule=name):
                    self.assertEqual(set(), {function for function, _ in functions(rule)} - IN_RULES)


class Parameters(unittest.TestCase):
    def test_no_parameter_fails_an_update_because_what_it_named_is_gone(self):
        # CloudFormation looks up a value of an AWS-specific type at every update, also one that was taken from before. An
        # instance may be terminated any day; a VPC and a subnet cannot be deleted while the interface is in them.
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


class Resources(unittest.TestCase):
    def test_a_first_creation_that_fails_leaves_nothing_behind(self):
        for file, template in TEMPLATES.items():
            policies = {name: resource.get("DeletionPolicy") for name, resource in template["Resources"].items()}
            self.assertEqual(set(), set(policies.values()) - {None, "RetainExceptOnCreate"}, (file, policies))


if __name__ == "__main__":
    unittest.main()
