"""What the function's role must not do, and what it must be able to do, as questions for IAM's policy simulator. Nothing here
makes a call."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Question:
    """May the role do this to that?"""

    action: str
    resource: str
    allowed: bool
    # The keys of the request that conditions of the role compare.
    keys: dict = field(default_factory=dict)

    def entries(self):
        """The keys as IAM takes them."""
        return [
            {"ContextKeyName": name, "ContextKeyType": "stringList" if isinstance(value, list) else "string",
             "ContextKeyValues": value if isinstance(value, list) else [value]}
            for name, value in self.keys.items()
        ]

    def words(self):
        return f"{self.action} on {self.resource}"


def questions(partition, region, account, interface, members, topic):
    """All of them. `members`: the instances of the pair."""
    def ec2(kind, identifier):
        return f"arn:{partition}:ec2:{region}:{account}:{kind}/{identifier}"

    ours, here = ec2("network-interface", interface), {"ec2:Region": region, "aws:RequestedRegion": region}
    other_interface, other_instance = (ec2(kind, f"{prefix}-0123456789abcdef0") for kind, prefix in (
        ("network-interface", "eni"), ("instance", "i")))
    marks, name = {"aws:TagKeys": ["token-failover:published"]}, {"aws:TagKeys": ["Name"]}
    denied = [
        # A deleted interface takes the license's MAC address with it.
        ("ec2:DeleteNetworkInterface", ours, {}),
        ("ec2:DetachNetworkInterface", other_interface, {}),
        ("ec2:AttachNetworkInterface", other_instance, {}),
        ("ec2:CreateTags", ours, name),
        ("ec2:DeleteTags", ours, {}),
        ("ssm:SendCommand", f"arn:{partition}:ssm:{region}::document/AWS-RunShellScript", {}),
        ("sns:Publish", f"{topic}-other", {}),
        ("iam:PutRolePolicy", f"arn:{partition}:iam::{account}:role/any", {}),
        *((action, ec2("instance", member), {}) for member in members for action in ("ec2:StopInstances", "ec2:TerminateInstances")),
    ]
    allowed = [
        ("ec2:DescribeNetworkInterfaces", "*", {}),
        ("ec2:AttachNetworkInterface", ours, {}),
        ("ec2:DetachNetworkInterface", ours, {}),
        ("ec2:CreateTags", ours, marks),
        ("sns:Publish", topic, {}),
        *((action, ec2("instance", member), {}) for member in members
          for action in ("ec2:AttachNetworkInterface", "ec2:DetachNetworkInterface", "ec2:StartInstances")),
    ]
    return [
        Question(action, resource, expected, here | keys)
        for rows, expected in ((denied, False), (allowed, True)) for action, resource, keys in rows
    ]


def wrong(question, decision):
    """What is wrong with IAM's decision, or None."""
    if (decision == "allowed") == question.allowed:
        return None
    return f"{question.words()}: {decision}, expected {'allowed' if question.allowed else 'denied'}"
