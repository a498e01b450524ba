"""boto3 queries the simulator, to show that its wire formats are those of EC2, SNS and Systems Manager."""

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
