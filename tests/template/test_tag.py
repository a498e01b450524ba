"""The policy in docs/setup.md protects the tag that makes an instance a member.

A simulator of IAM decides, as for the role. A service control policy only takes permissions away, so it is checked together
with a policy that allows everything.
"""

import json
import re
import unittest

from deployment import ROOT
from test_role import HOLDER_ARN, IN_REGION, decide

ADMIN = {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/license-admin"}
OTHERS = [{"aws:PrincipalArn": f"arn:aws:iam::123456789012:{name}"} for name in (
    "role/developer", "role/license-administrator", "role/team/license-admin", "user/license-admin", "root",
)]
MEMBER = {"aws:ResourceTag/token-server": "license-eu"}
SPELLINGS = ("token-server", "Token-Server", "TOKEN-SERVER")


def documented():
    """The policy of the section, together with one that allows everything."""
    [section] = re.findall(r"### Name the members by tag\n(.*?)\n### ", (ROOT / "docs" / "setup.md").read_text(), re.DOTALL)
    [policy] = re.findall(r"```text\n(\{.*?\n\})\n```", section, re.DOTALL)
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    return json.loads(policy) | {"Statement": [everything, *json.loads(policy)["Statement"]]}


class Tag(unittest.TestCase):
    def assert_decisions(self, expected, calls, principals):
        requests = [
            (action, resource, IN_REGION | context | principal)
            for action, resource, context in calls for principal in principals
        ]
        wrong = [it for it in zip(requests, decide(documented(), requests), strict=True) if it[1] != expected]
        self.assertEqual([], wrong)

    def test_only_the_named_role_can_set_or_remove_the_tag(self):
        # DeleteTags without a key deletes every tag. CreateTags with another value would remove a member.
        changes = [
            *(
                ("ec2:CreateTags", HOLDER_ARN, {f"aws:RequestTag/{key}": value, "aws:TagKeys": [key]} | tags)
                for key in SPELLINGS for value in ("license-eu", "another", "") for tags in ({}, MEMBER)
            ),
            ("ec2:CreateTags", HOLDER_ARN, {
                "aws:RequestTag/Name": "web", "aws:RequestTag/token-server": "license-eu",
                "aws:TagKeys": ["Name", "token-server"], "ec2:CreateAction": "RunInstances",
            }),
            *(("ec2:DeleteTags", HOLDER_ARN, MEMBER | {"aws:TagKeys": [key]}) for key in SPELLINGS),
            ("ec2:DeleteTags", HOLDER_ARN, MEMBER),
        ]
        self.assert_decisions("ExplicitlyDenied", changes, OTHERS)
        self.assert_decisions("Allowed", changes, [ADMIN])

    def test_other_tags_and_other_instances_are_as_before(self):
        self.assert_decisions("Allowed", [
            ("ec2:CreateTags", HOLDER_ARN, {"aws:RequestTag/Name": "web", "aws:TagKeys": ["Name"]}),
            ("ec2:CreateTags", HOLDER_ARN, MEMBER | {"aws:RequestTag/Name": "web", "aws:TagKeys": ["Name"]}),
            ("ec2:DeleteTags", HOLDER_ARN, {"aws:TagKeys": ["Name"]}),
            ("ec2:DeleteTags", HOLDER_ARN, {"aws:ResourceTag/token-server": "license-us", "aws:TagKeys": ["Name"]}),
            ("ec2:RunInstances", HOLDER_ARN, {}),
            ("ec2:StopInstances", HOLDER_ARN, MEMBER),
        ], [*OTHERS, ADMIN])


if __name__ == "__main__":
    unittest.main()
