"""The simulator speaks the wire formats of EC2, SNS and Systems Manager, not only our own client's idea of them: boto3 asks it."""

import subprocess
import sys
import unittest

from clouds import Simulator
from harness import ROOT


class Conformance(unittest.TestCase):
    def test_every_case_is_answered_as_aws_does(self):
        script = ROOT / "tests" / "conformance" / "conformance.py"
        with Simulator() as simulator:
            asked = subprocess.run([sys.executable, script, "--endpoint", simulator.endpoint], timeout=300)
        self.assertEqual(0, asked.returncode)


if __name__ == "__main__":
    unittest.main()
