"""Evaluates CloudFormation's intrinsic functions, to show the resources of a stack with given parameters.

It knows the functions that template.yaml uses and refuses every other one.
"""

import json
import re
from pathlib import Path

from translate import translate

ROOT = Path(__file__).parents[2]
REGION, ACCOUNT, STACK = "eu-west-1", "123456789012", "token-failover"


def stack_id(stack_name):
    return f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{stack_name}/0f1e2d3c-0000-4000-8000-000000000004"


STACK_ID = stack_id(STACK)
HOLDER, STANDBY, NON_MEMBER = "i-0aaaaaaaaaaaaaaa1", "i-0bbbbbbbbbbbbbbb2", "i-09999999999999999"
INTERFACE = "eni-0ddddddddddddddd1"
# The parameter that names the members by tag.
BY_TAG = {"TokenServerMembers": "token-server=license-eu"}

PSEUDO_PARAMETERS = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
}
NO_VALUE = object()


class Deployment:
    """The resources of one stack, as CloudFormation would create them with these parameters."""

    def __init__(self, template, stack_name=STACK, **parameters):
        self.template = template
        self.stack_name = stack_name
        self.pseudo_parameters = PSEUDO_PARAMETERS | {"AWS::StackId": stack_id(stack_name), "AWS::StackName": stack_name}
        self.parameters = {name: self._parameter(name, parameters) for name in template["Parameters"]}
        unknown = parameters.keys() - self.parameters.keys()
        if unknown:
            raise ValueError(f"no such parameter: {sorted(unknown)}")
        for name, rule in template["Rules"].items():
            if self.resolve(rule.get("RuleCondition", True)):
                for assertion in rule["Assertions"]:
                    if not self.resolve(assertion["Assert"]):
                        raise ValueError(f"{name}: {assertion['AssertDescription']}")
        self.resources = {
            name: self.resolve(resource.get("Properties", {}))
            for name, resource in template["Resources"].items()
            if self._is_made(resource)
        }
        self.outputs = {
            name: self.resolve(output["Value"])
            for name, output in template["Outputs"].items()
            if self._is_made(output)
        }

    def _is_made(self, entry):
        return "Condition" not in entry or self.condition(entry["Condition"])

    def of_type(self, kind):
        """The properties of all resources of one type, by logical id."""
        return {name: it for name, it in self.resources.items() if self.template["Resources"][name]["Type"] == kind}

    @property
    def environment(self):
        """The environment variables of the function, which are strings in Lambda."""
        variables = self.resources["Failover"]["Environment"]["Variables"]
        return {name: str(value) for name, value in variables.items()}

    def _parameter(self, name, given):
        declared = self.template["Parameters"][name]
        value = given.get(name, declared.get("Default"))
        if value is None:
            raise ValueError(f"{name} has no default, so it must be given")
        if declared["Type"].startswith("List<") or declared["Type"] == "CommaDelimitedList":
            return value.split(",")
        if value not in declared.get("AllowedValues", [value]):
            raise ValueError(f"{name}: {value!r} is not allowed")
        if len(str(value)) > declared.get("MaxLength", len(str(value))):
            raise ValueError(f"{name}: {value!r} is too long")
        if declared["Type"] == "Number":
            if not declared.get("MinValue", value) <= value <= declared.get("MaxValue", value):
                raise ValueError(f"{name}: {value} is out of range")
        # CloudFormation matches the pattern against the whole value.
        elif "AllowedPattern" in declared and not re.fullmatch(declared["AllowedPattern"], value):
            raise ValueError(f"{name}: {value!r} {declared['ConstraintDescription']}")
        return value

    def condition(self, name):
        return self.resolve(self.template["Conditions"][name])

    def resolve(self, value):
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(function, argument)] = value.items()
            if function in ("Ref", "Condition") and isinstance(argument, str):
                return self._ref(argument) if function == "Ref" else self.condition(argument)
            if function.startswith("Fn::"):
                return self._function(function, argument)
        resolved = {key: self.resolve(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not NO_VALUE}

    def _function(self, function, argument):
        match function:
            case "Fn::If":
                condition, then, otherwise = argument
                return self.resolve(then if self.condition(condition) else otherwise)
            case "Fn::GetAtt":
                return self._attribute(*(argument.split(".") if isinstance(argument, str) else argument))
            case "Fn::Sub":
                text, local = argument if isinstance(argument, list) else (argument, {})
                return re.sub(r"\$\{([^!}]+)\}", lambda found: self._placeholder(found[1], local), text)
        arguments = self.resolve(argument)
        match function:
            case "Fn::Join":
                return arguments[0].join(arguments[1])
            case "Fn::Split":
                return arguments[1].split(arguments[0])
            case "Fn::Select":
                return arguments[1][int(arguments[0])]
            case "Fn::Equals":
                return arguments[0] == arguments[1]
            case "Fn::Contains":
                return arguments[1] in arguments[0]
            case "Fn::Not":
                return not arguments[0]
            case "Fn::And":
                return all(arguments)
            case "Fn::Or":
                return any(arguments)
        raise NotImplementedError(function)

    def _placeholder(self, name, local):
        if name in local:
            return self.resolve(local[name])
        return str(self._attribute(*name.split(".")) if "." in name else self._ref(name))

    def _ref(self, name):
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self.pseudo_parameters:
            return self.pseudo_parameters[name]
        if name in self.parameters:
            return self.parameters[name]
        self._demand(name)
        # The id of a resource: an ARN for a topic, a URL for a queue, and otherwise a name that begins with that of the
        # stack.
        match self.template["Resources"][name]["Type"]:
            case "AWS::SNS::Topic":
                return f"arn:aws:sns:{REGION}:{ACCOUNT}:{self.stack_name}-{name}"
            case "AWS::SQS::Queue":
                return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{self.stack_name}-{name}"
        return f"{self.stack_name}-{name}"

    def _demand(self, name):
        """CloudFormation refuses a reference to a resource that this stack does not have."""
        if not self._is_made(self.template["Resources"][name]):
            raise ValueError(f"Unresolved resource dependencies [{name}]")

    def _attribute(self, name, attribute):
        self._demand(name)
        kind = self.template["Resources"][name]["Type"]
        match (kind, attribute):
            case ("AWS::SQS::Queue", "QueueName"):
                return f"{self.stack_name}-{name}"
            case ("AWS::SQS::Queue", "Arn"):
                return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{self.stack_name}-{name}"
            case ("AWS::Logs::LogGroup", "Arn"):
                return f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{self.stack_name}-{name}:*"
            case ("AWS::Lambda::Function", "Arn"):
                return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.stack_name}-{name}"
            case ("AWS::Events::Rule", "Arn"):
                return f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{self.stack_name}-{name}"
            case ("AWS::KMS::Key", "Arn"):
                return f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{self.stack_name}-{name}"
            case ("AWS::CloudWatch::Alarm", "Arn"):
                return f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{self.stack_name}-{name}"
            case ("AWS::IAM::Role", "Arn"):
                return f"arn:aws:iam::{ACCOUNT}:role/{self.stack_name}-{name}"
        raise NotImplementedError(f"{kind}.{attribute}")


TEMPLATE = json.loads(json.dumps(translate(ROOT / "template.yaml")))


def deploy(stack_name=STACK, **parameters):
    """The stack with these parameters, with the interface, and with two listed members unless a tag names the members."""
    members = {} if parameters.get("TokenServerMembers") else {"TokenServerInstanceIds": f"{HOLDER},{STANDBY}"}
    return Deployment(TEMPLATE, stack_name, **{"TokenServerInterfaceId": INTERFACE} | members | parameters)


def stack_status(status, of=STACK_ID):
    """The event that CloudFormation sends when a stack reaches this status. The form is that of the example in the
    CloudFormation User Guide, "Stack Status Change event detail"."""
    return {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": "CloudFormation Stack Status Change",
        "source": "aws.cloudformation",
        "account": ACCOUNT,
        "time": "2026-11-11T21:30:00Z",
        "region": REGION,
        "resources": [of],
        "detail": {
            "stack-id": of,
            "status-details": {"status": status, "status-reason": ""},
            "client-request-token": "",
        },
    }
