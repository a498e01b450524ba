"""The deployed file answers an event. It is built for arm64, so QEMU runs it, under AWS's emulator of Lambda, against the
project's simulator.

Only `make package` runs this test, after it has built the file. It shows that the file starts, works with Lambda's runtime
interface and with EC2, and finds all its libraries. It does not show the speed.
"""

import sys
import unittest
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "e2e"))
from clouds import Simulator
from harness import ROOT, Function, emulated

BOOTSTRAP = ROOT / ".aws-sam" / "build" / "Failover" / "bootstrap"


class Arm64(unittest.TestCase):
    maxDiff = None

    def test_it_is_built_for_arm64(self):
        header = BOOTSTRAP.read_bytes()[:20]
        # 183 is ELF's number for AArch64.
        self.assertEqual((b"\x7fELF", 183), (header[:4], int.from_bytes(header[18:20], "little")))

    def test_it_answers_an_event(self):
        with Simulator() as cloud:
            cloud.stop(cloud.holder)
            cloud.forget_calls()
            with Function(cloud.endpoint, emulated(BOOTSTRAP), **cloud.variables()) as function:
                report = function.invoke(cloud.event(ROOT / "events" / "holder-stopped.json"))
            self.assertEqual(("moved", "holder-stopped"), (report["outcome"], report["reason"]))
            self.assertEqual(cloud.standby, cloud.network_interface()["Attachment"]["InstanceId"])
            [published] = cloud.published()
            self.assertEqual(report["move"], published.report["move"])


if __name__ == "__main__":
    unittest.main()
