"""Prints template.yaml as CloudFormation gets to see it, so that cfn-lint can check all of it.

The linter knows no SAM resources in depth: in the source it misses a misspelt runtime, a wrong IAM operator, a timeout
out of range. In what SAM makes of the source it finds them.

    python translate.py template.yaml > translated.json
"""

import json
import os
import sys

from cfnlint.decode import decode
from samtranslator.translator.transform import transform

# The translator asks boto3 for a Region to know the partition. It calls nothing.
REGION = "eu-west-1"


class NoManagedPolicies:
    """The translator looks up policies by name in IAM. The template names none."""

    def load(self):
        return {}


def translate(path):
    """The CloudFormation template that `sam deploy` would send for the SAM template at `path`."""
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    template, faults = decode(str(path))
    if faults:
        raise ValueError("\n".join(f"{path}: {fault.message}" for fault in faults))
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # `sam package` puts the place of the uploaded code here, and the translator accepts nothing else.
            resource["Properties"]["CodeUri"] = {"Bucket": "bucket", "Key": "key"}
    return transform(template, {}, NoManagedPolicies())


if __name__ == "__main__":
    json.dump(translate(sys.argv[1]), sys.stdout, indent=1)
