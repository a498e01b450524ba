"""The software bill of materials of a released program, in CycloneDX's JSON format."""

import json
import time
import uuid

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

# The specification that the bill follows.
SPECIFICATION = "1.6"
# The namespace of serial numbers: two bills of one release are the same bill.
NAMESPACE = uuid.UUID("8d1f6f3e-6a2b-4c55-9a0e-6f0f3c1c7b5e")


def described(it, kind):
    """A component, as CycloneDX describes it."""
    about = {
        "type": kind,
        "bom-ref": it.reference,
        "name": it.name,
        "version": it.version,
        "licenses": [{"expression": it.license}],
    }
    # The packages of this repository are not published, so they have no address in the registry.
    if not it.is_ours:
        about["purl"] = it.purl
    if it.sha256:
        about["hashes"] = [{"alg": "SHA-256", "content": it.sha256}]
    return about


def bill(program, commit, seconds):
    """The bill of a program that was made of this commit, which is of this time."""
    own = program.component
    parts = [it for it in program.components if it is not own]
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPECIFICATION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, f'{own.reference} {commit}')}",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)),
            "lifecycles": [{"phase": "build"}],
            "component": described(own, "application") | {"properties": [{"name": "token-failover:commit", "value": commit}]},
        },
        "components": [described(it, "library") for it in parts],
        "dependencies": [
            {"ref": it.reference, "dependsOn": sorted(program.needs.get(it.reference, ()))} for it in program.components
        ],
    }


def mistake(document):
    """What is wrong with a bill according to CycloneDX's schema, or None."""
    return JsonStrictValidator(SchemaVersion.from_version(SPECIFICATION)).validate_str(json.dumps(document))
