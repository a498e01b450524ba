"""The file that is deployed answers an event. It is made for another processor than this one, so QEMU runs it, under AWS's
emulator of Lambda, against the project's simulator.

`make package` makes the file and then runs this; nothing else does. What it shows is that the file starts, speaks with
Lambda's runtime interface and with EC2, and has no need of a library that it does not find. How fast it is cannot be seen.
"""

import platform
import sys
import unittest
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "e2e"))
from clouds import Simulator
from harness import ROOT, Function

BOOTSTRAP = ROOT / ".aws-sam" / "build" / "Failover" / "bootstrap"


def emulated(program):
    """The command that runs an arm64 program here."""
    if platform.machine().lower() in ("aarch64", "arm64"):
        return [program]
    root = ROOT / ".tools" / "qemu" / "usr"
    return [root / "bin" / "qemu-aarch64-static", "-L", root / "aarch64-linux-gnu", program]


class Deployed(Function):
    """The file that is deployed, in the place of the one built for this machine."""

    def __init__(self, endpoint, **variables):
        super().__init__(endpoint, **variables)
        self.command[-1:] = [str(part) for part in emulated(BOOTSTRAP)]


class Arm64(unittest.TestCase):
    maxDiff = None

    def test_it_is_built_for_arm64(self):
        header = BOOTSTRAP.read_bytes()[:20]
        # ELF's number for the processor is AArch64's, 183.
        self.assertEqual((b"\x7fELF", 183), (header[:4], int.from_bytes(header[18:20], "little")))

    def test_it_answers_an_event(self):
        with Simulator() as cloud:
            cloud.stop(cloud.holder)
            cloud.forget_calls()
            with Deployed(cloud.endpoint, **cloud.variables()) as function:
                report = function.invoke(cloud.event(ROOT / "events" / "holder-stopped.json"))
            self.assertEqual(("moved", "holder-stopped"), (report["outcome"], report["reason"]))
            self.assertEqual(cloud.standby, cloud.network_interface()["Attachment"]["InstanceId"])
            [published] = cloud.published()
            self.assertEqual(report["move"], published.report["move"])


if __name__ == "__main__":
    unittest.main()
