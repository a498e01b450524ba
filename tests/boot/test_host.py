"""On the machine, the host on the SERVER line resolves to the license interface. Otherwise lmgrd would end."""

import os
import time
import unittest

from machine import (
    HOSTS, HOSTS_TEXT, LICENSE, MAC, FIRST, SECOND, PORTS, SHELLS, Interface, Machine, TestCase, eventually, ip, listening,
)

NAME = "lic1.example.com"
LINE = f"10.0.1.50 {NAME} # written by token-server, for as long as the license interface is here\n"
WRITTEN = f"token-server: {NAME} does not resolve here, so /etc/hosts says 10.0.1.50 while the license interface is here"


def hosts():
    return HOSTS.read_text()


class Host(TestCase):
    def test_an_unresolvable_name_is_in_etc_hosts_while_the_interface_is_attached(self):
        for shell in SHELLS:
            with self.subTest(shell=shell), Machine(shell) as machine:
                Interface(*FIRST)
                machine.start()
                time.sleep(1.2)
                self.assertEqual(HOSTS_TEXT, hosts())
                interface = Interface(*SECOND)
                self.assert_serving(machine, starts=1)
                self.assertEqual(HOSTS_TEXT + LINE, hosts())
                self.assertIn(WRITTEN, machine.said())
                interface.leave()
                self.assert_nothing_left(machine)
                Interface(*SECOND)
                self.assert_serving(machine, starts=2)
                machine.stop()
                self.assert_nothing_left(machine)
                self.assertEqual([], [path.name for path in HOSTS.parent.glob("hosts?*")])

    def test_a_killed_script_leaves_at_most_one_line(self):
        machine = self.machine()
        Interface(*SECOND)
        machine.start()
        self.assert_serving(machine, starts=1)
        machine.process.kill()
        self.assert_serving(machine, starts=2)
        self.assertEqual(HOSTS_TEXT + LINE, hosts())

    def test_the_file_keeps_its_mode_and_every_other_line_even_without_an_end_of_line(self):
        machine = self.machine()
        os.chmod(HOSTS, 0o640)
        self.addCleanup(os.chmod, HOSTS, 0o644)
        other = "127.0.0.1 localhost\r\n\n# a comment\n::1 ip6-localhost\n192.0.2.1\tother.example.com"
        HOSTS.write_text(other, newline="")
        Interface(*SECOND)
        machine.start()
        self.assert_serving(machine, starts=1)
        self.assertEqual((other + "\n" + LINE, 0o640), (HOSTS.read_bytes().decode(), HOSTS.stat().st_mode & 0o777))
        machine.stop()
        self.assertEqual((other + "\n", 0o640), (HOSTS.read_bytes().decode(), HOSTS.stat().st_mode & 0o777))

    def test_a_name_that_resolves_to_the_interface_is_not_written(self):
        for text in (f"10.0.1.50 {NAME}\n", f"10.0.1.51 {NAME}\n", f"192.0.2.1 {NAME}\n10.0.1.50 {NAME}\n"):
            with self.subTest(text=text), Machine() as machine:
                HOSTS.write_text(HOSTS_TEXT + text)
                Interface(*FIRST)
                Interface(*SECOND).configure("10.0.1.51/32", gateway=None)
                machine.start()
                eventually(1, lambda: len(machine.lmgrds()))
                time.sleep(1.2)
                self.assertEqual(HOSTS_TEXT + text, hosts())
                self.assertEqual([], [line for line in machine.said() if NAME in line and "lmgrd" not in line])

    def test_a_line_of_an_operator_is_not_overridden(self):
        machine = self.machine()
        HOSTS.write_text(f"{HOSTS_TEXT}192.0.2.1 other LIC1.Example.com # by hand\n")
        Interface(*SECOND)
        machine.start()
        eventually(True, lambda: len(machine.lmgrds()) >= 2)
        self.assertEqual(f"{HOSTS_TEXT}192.0.2.1 other LIC1.Example.com # by hand\n", hosts())
        self.assertIn(f"token-server: {NAME} resolves to 192.0.2.1 here, and not to 10.0.1.50; lmgrd will end unless the line "
                      "of /etc/hosts that has this name is corrected", machine.said())

    def test_with_write_hosts_off_the_log_has_the_line_to_add(self):
        machine = self.machine(WRITE_HOSTS="no")
        Interface(*SECOND)
        machine.start()
        eventually(True, lambda: len(machine.lmgrds()) >= 2)
        self.assertEqual(HOSTS_TEXT, hosts())
        self.assertIn(f"token-server: {NAME} does not resolve here; lmgrd will end unless /etc/hosts says: 10.0.1.50 {NAME}",
                      machine.said())

    def test_a_file_that_is_a_link_is_not_replaced(self):
        machine = self.machine()
        HOSTS.rename("/etc/real-hosts")
        HOSTS.symlink_to("real-hosts")
        self.addCleanup(os.rename, "/etc/real-hosts", HOSTS)
        Interface(*SECOND)
        machine.start()
        eventually(True, lambda: len(machine.lmgrds()) >= 2)
        self.assertEqual((HOSTS_TEXT, True), (hosts(), HOSTS.is_symlink()))
        self.assertIn(f"token-server: /etc/hosts is not a plain file, so {NAME} was not written into it", machine.said())

    def test_only_valid_host_names_are_written_and_printed(self):
        own = os.uname().nodename
        for host in [
            "this_host", "THIS_HOST", "localhost", "localhost.localdomain", "lic.localhost", "LocalHost", "ip6-localhost",
            "10.0.1.60", "10.1", "0x0a00013c", "::1", "fe80::1", "ANY*", "<put.hostname.here>", "lic1,lic2", "-lic1", ".lic1",
            "lic1.", "lic$(touch)", "lic1;x", "[lic1]", own, own.upper(), "ip-10-0-1-60.eu-west-1.compute.internal",
            "ip-10-0-1-60.ec2.internal", "i-0aaaaaaaaaaaaaaa1.eu-west-1.compute.internal",
            "ec2-192-0-2-1.eu-west-1.compute.amazonaws.com", "s3.eu-west-1.amazonaws.com", "ec2.eu-west-1.api.aws",
            "instance-data",
        ]:
            with self.subTest(host=host), Machine() as machine:
                machine.license.write_text(LICENSE.replace(NAME, host))
                Interface(*FIRST)
                Interface(*SECOND)
                machine.start()
                eventually(1, lambda: len(machine.lmgrds()))
                self.assertEqual(HOSTS_TEXT, hosts())
                self.assertIn("token-server: the host on the SERVER line is not a name that stands for the license interface "
                              "alone, so it was not written into /etc/hosts", machine.said())
                if host.lower() != own.lower():
                    self.assertNotIn(host, "".join(line for line in machine.said() if "token-server:" in line))

    def test_host_names_of_every_form_are_written(self):
        for host in ["lic1", "my_server", "LIC-1.Example.COM", "3com.example.com", "license.eu-west-1.internal", "x" * 63 + ".example"]:
            with self.subTest(host=host), Machine() as machine:
                machine.license.write_text(LICENSE.replace(NAME, host))
                Interface(*FIRST)
                Interface(*SECOND)
                machine.start()
                self.assert_serving(machine, starts=1)
                self.assertEqual(HOSTS_TEXT + LINE.replace(NAME, host), hosts())

    def test_the_line_follows_the_address_of_the_interface(self):
        machine = self.machine()
        interface = Interface("ens6", None, MAC)
        machine.start()
        eventually(True, lambda: len(machine.lmgrds()) >= 1)
        self.assertEqual(HOSTS_TEXT, hosts())
        interface.configure("10.0.1.50/24", metric=513)
        eventually(HOSTS_TEXT + LINE, hosts)
        eventually(PORTS, listening)
        ip("address", "delete", "10.0.1.50/24", "dev", "ens6")
        interface.configure("10.0.1.51/24", metric=513)
        eventually(HOSTS_TEXT + LINE.replace("10.0.1.50", "10.0.1.51"), hosts)

    def test_lmgrd_starts_after_the_interface_has_its_address(self):
        machine = self.machine(ROUTING_PATIENCE_SECONDS="30")
        interface = Interface("ens6", None, MAC)
        machine.start()
        time.sleep(2)
        self.assertEqual([], machine.lmgrds())
        interface.configure("10.0.1.50/24", metric=513)
        self.assert_serving(machine, starts=1)
        self.assertEqual([], machine.statuses)

    def test_an_interface_that_leaves_before_it_has_an_address_starts_nothing(self):
        machine = self.machine(ROUTING_PATIENCE_SECONDS="30")
        interface = Interface("ens6", None, MAC)
        machine.start()
        eventually(1, lambda: len(machine.said()))
        interface.leave()
        eventually([0], lambda: machine.statuses)
        self.assertEqual(([], HOSTS_TEXT), (machine.lmgrds(), hosts()))
        self.assertIn(f"token-server: the license interface {MAC} has left", machine.said())

    def test_a_command_prints_the_state_of_the_name(self):
        machine = self.machine()
        Interface(*SECOND)
        self.assertEqual(f"{NAME} does not resolve here", machine.call("status").stdout.splitlines()[-1])
        HOSTS.write_text(f"{HOSTS_TEXT}192.0.2.1 {NAME}\n")
        self.assertEqual(f"{NAME} resolves to 192.0.2.1 here, and not to 10.0.1.50", machine.call("status").stdout.splitlines()[-1])
        HOSTS.write_text(f"{HOSTS_TEXT}10.0.1.50 {NAME}\n")
        self.assertEqual(f"{NAME} resolves to the license interface here", machine.call("status").stdout.splitlines()[-1])


if __name__ == "__main__":
    unittest.main()
