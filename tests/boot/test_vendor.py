"""lmgrd keeps running after its vendor daemon has died, but serves nothing."""

import os
import signal
import time
import unittest

from machine import LICENSE, FIRST, SECOND, PORTS, SHELLS, Interface, Machine, TestCase, eventually, listening


class VendorDaemon(TestCase):
    def test_an_lmgrd_without_its_vendor_daemon_is_restarted_after_the_timeout(self):
        sentence = ("token-server: lmgrd runs, but for 3 s nothing has listened at the vendor daemon's port 27008; starting both "
                    "again; the lines of lmgrd above say why")
        for shell in SHELLS:
            with self.subTest(shell=shell), Machine(shell) as machine:
                machine.environment |= {"LMGRD_OPTIONS": "no-vendor", "VENDOR_PATIENCE_SECONDS": "3"}
                Interface(*FIRST)
                Interface(*SECOND)
                machine.start()
                eventually(True, lambda: len(machine.lmgrds()) >= 2)
                self.assertEqual(1, machine.statuses[0])
                self.assertEqual(sentence, [line for line in machine.said() if "vendor daemon's port" in line][0])

    def test_a_vendor_daemon_that_dies_later_is_restarted(self):
        machine = self.machine(VENDOR_PATIENCE_SECONDS="5")
        Interface(*SECOND)
        machine.start()
        self.assert_serving(machine, starts=1)
        time.sleep(6)
        self.assertEqual([], machine.statuses)
        os.kill(machine.vendor_daemon(), signal.SIGKILL)
        self.assert_serving(machine, starts=2)
        self.assertEqual([1], machine.statuses)

    def test_a_slow_vendor_daemon_is_waited_for(self):
        machine = self.machine(LMGRD_OPTIONS="slow-vendor", VENDOR_PATIENCE_SECONDS="8")
        Interface(*SECOND)
        machine.start()
        self.assert_serving(machine, starts=1)
        time.sleep(8)
        self.assertEqual((PORTS, 1, []), (listening(), len(machine.lmgrds()), machine.statuses))

    def test_only_the_fixed_port_of_the_only_vendor_daemon_is_watched(self):
        server, features = LICENSE.split("USE_SERVER\n")[0], "FEATURE PTS MOSEKLM 11 31-dec-2026 4 SIGN=\"secret\"\n"
        for lines, timeout, watched in [
            ("VENDOR MOSEKLM port=27009\n", "2", True),
            ("vendor MOSEKLM /opt/mosek options=/opt/mosek.opt PORT=27009\r\n", "2", True),
            ("DAEMON MOSEKLM \\\n  port=27009\n", "2", True),
            ("VENDOR MOSEKLM port=27009\nVENDOR moseklm port=27009\n", "2", True),
            ("VENDOR MOSEKLM port=27009\n", "", False),
            ("VENDOR MOSEKLM\n", "2", False),
            ("VENDOR MOSEKLM 27009\n", "2", False),
            ("VENDOR MOSEKLM port=\n", "2", False),
            ("VENDOR MOSEKLM port=70000\n", "2", False),
            ("# VENDOR MOSEKLM port=27009\n", "2", False),
            # A restart of lmgrd would also end the service of the other vendor daemons.
            ("VENDOR MOSEKLM port=27009\nVENDOR other port=27010\n", "2", False),
        ]:
            with self.subTest(lines=lines, timeout=timeout), Machine() as machine:
                machine.environment |= {"VENDOR_PATIENCE_SECONDS": timeout}
                machine.license.write_text(server + lines + features, newline="")
                Interface(*FIRST)
                Interface(*SECOND)
                machine.start()
                if watched:
                    eventually([1], lambda: machine.statuses[:1])
                else:
                    eventually(1, lambda: len(machine.lmgrds()))
                    time.sleep(4)
                    self.assertEqual([], machine.statuses)


if __name__ == "__main__":
    unittest.main()
