"""The selection of the license interface, and the commands for operators."""

import signal
import time
import unittest

from machine import (
    LICENSE, MAC, FIRST, SECOND, RULE, SHELLS, Interface, Machine, TestCase, eventually, ip, routes, rules,
)


class WhichInterface(TestCase):
    def test_another_interface_in_the_subnet_starts_nothing(self):
        machine = self.machine()
        Interface("ens6", "10.0.1.60/24", "02:73:ae:2a:dc:82", metric=513)
        machine.start()
        time.sleep(1.5)
        self.assertEqual(([], [], [f"token-server: waiting for the license interface {MAC}"]),
                         (machine.lmgrds(), rules(), machine.said()))

    def test_the_hostid_of_the_license_selects_the_interface_and_no_license_text_is_printed(self):
        header = "USE_SERVER\nVENDOR MOSEKLM port=27008\nFEATURE PTS MOSEKLM 11 31-dec-2026 4 SIGN=\"secret\"\n"
        Interface(*FIRST)
        self.enterContext(Machine())
        Interface(*SECOND)
        here = (f"the license interface {MAC} is here as ens6\n10.0.1.50 has no routing table of its own\n"
                "lic1 does not resolve here\n")
        for text, status, said in [
            ("SERVER lic1 0273ae2adc81 27007\n" + header, 0, here),
            ("server\tlic1\t0273AE2ADC81\n" + header, 0, here),
            ("\ufeffSERVER lic1 02:73:ae:2a:dc:81 27007\r\n" + header.replace("\n", "\r\n"), 0, here),
            ("# SERVER old 0273ae2adc82\n  SERVER lic1 02-73-AE-2A-DC-81 TCP:27007\n" + header, 0, here),
            (header + "SERVER lic1 0273ae2adc81", 0, here),
            ("SERVER lic1 0273ae2adc82 27007\n" + header, 1, "the license interface 02:73:ae:2a:dc:82 is not here\n"),
            ("SERVER lic1 ANY 27007\n" + header, 2,
             "token-server: the hostid is not a MAC address of 12 hexadecimal digits\n"),
            ("SERVER lic1 INTERNET=10.0.1.50\n" + header, 2,
             "token-server: the hostid is not a MAC address of 12 hexadecimal digits\n"),
            ("SERVER lic1 0a1b2c3d 27007\n" + header, 2,
             "token-server: the hostid is not a MAC address of 12 hexadecimal digits\n"),
            ("SERVER lic1\n" + header, 2, "token-server: the SERVER line has no hostid\n"),
            ("SERVER lic1 0273ae2adc81 270070\n" + header, 2, "token-server: the port of the SERVER line is not valid\n"),
            ("SERVER lic1 0273ae2adc81\0\n" + header, 2, "token-server: the license file is not text\n"),
            # A mail, a file that was merged from two, and a license for either of two interfaces.
            ("Server hours: qzx\nSTART_LICENSE\nSERVER lic1 0273ae2adc81\n" + header + "END_LICENSE\n", 0, here),
            ("SERVER lic1 ETHERNET=0273ae2adc81\n" + header + "SERVER LIC1 02:73:ae:2a:dc:81\n" + header, 0, here),
            ("SERVER lic1 \"0273ae2adc82 0273ae2adc81\" 27007\n" + header, 0, here),
            ("SERVER lic1 \"0273ae2adc82 0273ae2adc83\"\n" + header, 1,
             "the license interface 02:73:ae:2a:dc:82 or 02:73:ae:2a:dc:83 is not here\n"),
            ("SERVER a 0273ae2adc81\nSERVER b 0273ae2adc82\nSERVER c 0273ae2adc83\n" + header, 2,
             "token-server: the license file names 3 servers; one is needed\n"),
            (header, 2, "token-server: the license file names 0 servers; one is needed\n"),
            ("", 2, "token-server: the license file names 0 servers; one is needed\n"),
        ]:
            for shell in SHELLS:
                with self.subTest(text=text, shell=shell):
                    machine = Machine(shell)
                    machine.license.write_text(text, newline="")
                    called = machine.call("status")
                    self.assertEqual((status, said), (called.returncode, called.stdout + called.stderr))

    def test_a_license_that_arrives_later_is_used(self):
        machine = self.machine()
        machine.license.unlink()
        Interface(*SECOND)
        machine.start()
        eventually([f"token-server: there is no license file {machine.license} yet"], machine.said)
        machine.license.write_text(LICENSE)
        self.assert_serving(machine, starts=1)

    def test_a_missing_program_is_logged_and_tried_again(self):
        machine = self.machine(LMGRD="/nowhere/lmgrd")
        Interface(*SECOND)
        machine.start()
        line = f"token-server: the license interface {MAC} is here as ens6, but there is no program /nowhere/lmgrd to start"
        eventually([line, line], lambda: machine.said()[:2])
        self.assertEqual(2, machine.statuses[0])

    def test_cleaning_removes_only_our_rules_and_lines(self):
        machine = self.machine()
        Interface(*SECOND)
        other = ("10.0.1.10", 4711, 1000)
        ip("-4", "rule", "add", "from", "10.0.1.10", "lookup", 4711, "priority", 1000)
        machine.start()
        eventually([other, RULE], rules)
        self.assertIn("10.0.1.50 is routed by table 27007", machine.call("status").stdout.splitlines())
        machine.process.send_signal(signal.SIGSTOP)
        try:
            for _ in range(2):
                called = machine.call("clean")
                self.assertEqual((0, "", ""), (called.returncode, called.stdout, called.stderr))
                self.assertEqual(([other], []), (rules(), routes(27007)))
        finally:
            machine.process.send_signal(signal.SIGCONT)

    def test_an_unknown_argument_is_an_error(self):
        for arguments in ([], ["start"]):
            called = self.machine_call(arguments)
            self.assertEqual((2, "", "token-server: usage: token-server run|status|license|clean [NAME]\n"), called)

    def machine_call(self, arguments):
        with Machine() as machine:
            called = machine.call(*arguments)
            return called.returncode, called.stdout, called.stderr


if __name__ == "__main__":
    unittest.main()
