"""The template of the function and its code, ready to be uploaded. Nothing here makes a call."""

import io
import json
import zipfile
from pathlib import Path

from cfnlint.decode import decode

ROOT = Path(__file__).parents[2]
BUILT = ROOT / ".aws-sam" / "build" / "template.yaml"


def found():
    """The template of the release in dist/ if there is one, and otherwise that of `sam build`."""
    released = sorted((ROOT / "dist").glob("*/template.yaml"))
    return released[-1] if released else BUILT


def zipped(code):
    """The bytes of the zip: the file itself, or the folder of `sam build` in a zip."""
    if code.is_file():
        return code.read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.write(code / "bootstrap", "bootstrap")
    return buffer.getvalue()


def located(template, bucket, key):
    """The template, as a document, with the location of the uploaded code."""
    properties = template["Resources"]["Failover"]["Properties"]
    return template | {"Resources": template["Resources"] | {"Failover": template["Resources"]["Failover"] | {
        "Properties": properties | {"CodeUri": {"Bucket": bucket, "Key": key}},
    }}}


def deployable(path, bucket, key):
    """The template as JSON, and the zip of the code that it names."""
    template, faults = decode(str(path))
    if faults:
        raise ValueError(f"{path}: {faults}")
    code = template["Resources"]["Failover"]["Properties"]["CodeUri"]
    return json.dumps(located(template, bucket, key)), zipped((Path(path).parent / code).resolve())
