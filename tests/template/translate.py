"""Prints template.yaml as SAM translates it for CloudFormation, so that cfn-lint can check all of it.

The linter does not check SAM resources in depth: in the source it misses a misspelled runtime, an invalid IAM operator
or a timeout out of range. In the translation it finds them.

    python translate.py template.yaml > translated.json
"""

import json
import os
import sys

from cfnlint.decode import decode
from samtranslator.translator.transform import transform

# The translator reads the Region from boto3 to find the partition. It makes no calls.
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
            # `sam package` inserts the location of the uploaded code here. The translator requires it.
            resource["Properties"]["CodeUri"] = {"Bucket": "bucket", "Key": "key"}
    return transform(template, {}, NoManagedPolicies())


if __name__ == "__main__":
    json.dump(translate(sys.argv[1]), sys.stdout, indent=1)
