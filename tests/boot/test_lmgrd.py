"""lmgrd runs while the license interface is attached."""

import os
import platform
import signal
import tempfile
import time
import unittest
from pathlib import Path

from machine import (
    MAC, FIRST, SECOND, RULE, TABLE, SHELLS, Interface, Machine, TestCase, eventually, listening,
    program_with_loader, routes, rules,
)

WRITTEN = "token-server: lic1.example.com does not resolve here, so /etc/hosts says 10.0.1.50 while the license interface is here"


class Lmgrd(TestCase):
    def test_lmgrd_runs_only_while_the_interface_is_attached(self):
        for shell in SHELLS:
            with self.subTest(shell=shell), Machine(shell) as machine:
                Interface(*FIRST)
                machine.start()
                eventually([f"token-server: waiting for the license interface {MAC}"], machine.said)
                time.sleep(1.5)
                self.assertEqual(([], ()), (machine.lmgrds(), listening()))

                interface = Interface(*SECOND)
                self.assert_serving(machine, starts=1)
                eventually(([RULE], TABLE), lambda: (rules(), routes(27007)))

                interface.leave()
                self.assert_nothing_left(machine)
                eventually(6, lambda: len(machine.said()))
                time.sleep(1.5)
                self.assertEqual((1, ()), (len(machine.lmgrds()), listening()))

                Interface(*SECOND)
                self.assert_serving(machine, starts=2)
                machine.stop()
                self.assertEqual([], machine.processes())
                self.assert_nothing_left(machine)
                self.assertEqual([0, 0], machine.statuses)
                self.assertEqual([
                    f"token-server: waiting for the license interface {MAC}",
                    f"token-server: the license interface {MAC} is here as ens6; starting lmgrd",
                    WRITTEN,
                    "token-server: nothing else routes 10.0.1.50, so table 27007 does",
                    f"token-server: the license interface {MAC} has left; stopping lmgrd",
                    f"token-server: waiting for the license interface {MAC}",
                    f"token-server: the license interface {MAC} is here as ens6; starting lmgrd",
                    WRITTEN,
                    "token-server: nothing else routes 10.0.1.50, so table 27007 does",
                    "token-server: stopping lmgrd as requested",
                ], machine.said())

    def test_lmgrd_gets_the_license_and_stays_in_the_foreground(self):
        machine = self.machine()
        Interface(*SECOND)
        machine.start()
        self.assert_serving(machine, starts=1)
        [pid] = machine.lmgrds()
        self.assertEqual(f"{pid} -z -local -c {machine.license}\n", machine.starts.read_text())

    def test_a_killed_lmgrd_is_started_again_after_its_vendor_daemon_is_gone(self):
        machine = self.machine()
        Interface(*SECOND)
        machine.start()
        for starts in (1, 2, 3):
            self.assert_serving(machine, starts)
            os.kill(machine.lmgrds()[-1], signal.SIGKILL)
            eventually(starts + 1, lambda: len(machine.lmgrds()))
        self.assert_serving(machine, starts=4)
        self.assertEqual([1, 1, 1], machine.statuses)
        # The script, its sleep, and one lmgrd with one vendor daemon: no processes accumulate.
        eventually(4, lambda: len(machine.processes()))

    def test_an_lmgrd_that_cannot_run_is_retried(self):
        machine = self.machine(LMGRD_OPTIONS="broken")
        Interface(*SECOND)
        machine.start()
        eventually(True, lambda: len(machine.lmgrds()) >= 3)
        machine.stop()
        self.assert_nothing_left(machine)

    def test_the_log_says_how_lmgrd_ended_and_what_to_do_if_it_could_not_be_started(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name, text in [("gone", "#!/nowhere/interpreter\n"), ("missing", "#!/bin/sh\nexit 127\n"),
                           ("refused", "#!/bin/sh\nexit 126\n"), ("three", "#!/bin/sh\nexit 3\n"),
                           ("zero", "#!/bin/sh\nexit 0\n"), ("killed", "#!/bin/sh\nkill -s KILL $$\n")]:
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        program_with_loader(folder / "lsb", "/lib64/ld-of-nobody.so.3")
        could_not = "could not be started: the loader, a library or an interpreter that it needs is missing; the line above names it"
        for name, said in [
            ("lsb", "could not be started: its loader /lib64/ld-of-nobody.so.3 is missing; the `install` of these boot files creates "
                    "the link that LSB programs need"),
            ("gone", could_not),
            ("missing", could_not),
            ("refused", f"could not be started: it is not a program for this machine ({platform.machine()}), or its file or folder "
                        "does not let this user run it"),
            ("three", "has ended with status 3"),
            ("zero", "has ended with status 0"),
            ("killed", "has ended with status 137"),
        ]:
            for shell in SHELLS:
                with self.subTest(name=name, shell=shell), Machine(shell) as machine:
                    machine.environment |= {"LMGRD": str(folder / name)}
                    Interface(*FIRST)
                    Interface(*SECOND)
                    machine.start()
                    whose = f"lmgrd ({folder / name}) " if name in ("lsb", "gone", "missing", "refused") else "lmgrd "
                    eventually(True, lambda: f"token-server: {whose}{said}" in machine.said())
                    eventually(1, lambda: machine.statuses[0] if machine.statuses else None)

    def test_a_killed_script_leaves_nothing_and_is_started_again(self):
        machine = self.machine()
        Interface(*SECOND)
        machine.start()
        self.assert_serving(machine, starts=1)
        eventually([RULE], rules)
        machine.process.kill()
        self.assert_serving(machine, starts=2)
        eventually(([RULE], TABLE), lambda: (rules(), routes(27007)))
        self.assertEqual([-signal.SIGKILL], machine.statuses)

    def test_an_lmgrd_that_ignores_sigterm_is_killed_when_the_interface_leaves(self):
        machine = self.machine(LMGRD_OPTIONS="stubborn", LMGRD_STOP_SECONDS="1")
        interface = Interface(*SECOND)
        machine.start()
        self.assert_serving(machine, starts=1)
        interface.leave()
        self.assert_nothing_left(machine)
        self.assertIn("token-server: lmgrd had to be killed", machine.said())

    def test_the_signal_of_the_udev_rule_makes_the_script_check_at_once(self):
        # Without the rule, the script would check again after an hour.
        machine = self.machine(LOOK_SECONDS="3600")
        machine.start()
        eventually([f"token-server: waiting for the license interface {MAC}"], machine.said)
        for _ in range(5):
            # A signal without a change of interfaces changes nothing.
            machine.send_signal()
            time.sleep(0.05)
        self.assertEqual(1, len(machine.said()))
        Interface(*SECOND)

        def has_noticed():
            # A signal between two checks may be lost.
            machine.send_signal()
            return len(machine.said()) > 1
        eventually(True, has_noticed)
        self.assert_serving(machine, starts=1)
        self.assertEqual([], machine.statuses)


if __name__ == "__main__":
    unittest.main()
