"""Packets from an address of the license interface leave by this interface."""

import time
import unittest

from machine import (
    MAC, FIRST, SECOND, RULE, TABLE, SHELLS, Interface, Machine, TestCase, changes_of_routing, eventually, ip, routes, rules,
    way_out,
)


class Routing(TestCase):
    def test_each_of_two_interfaces_in_one_subnet_answers_for_its_own_address(self):
        machine = self.machine()
        Interface(*SECOND)
        # Without the script, the answer of the license interface would leave by the other interface.
        self.assertEqual(("ens5", "ens5"), (way_out("10.0.1.10"), way_out("10.0.1.50")))
        machine.start()
        eventually([RULE], rules)
        self.assertEqual(("ens5", "ens6"), (way_out("10.0.1.10"), way_out("10.0.1.50")))
        self.assertEqual(("ens5", "ens6"), (way_out("10.0.1.10", "10.0.1.200"), way_out("10.0.1.50", "10.0.1.200")))

    def test_rules_and_routes_are_added_only_once(self):
        machine = self.machine()
        Interface(*SECOND)
        machine.start()
        eventually([RULE], rules)
        self.assertEqual("", changes_of_routing(seconds=3))
        self.assertEqual(1, machine.said().count("token-server: nothing else routes 10.0.1.50, so table 27007 does"))

    def test_a_removed_rule_is_added_again(self):
        machine = self.machine()
        Interface(*SECOND)
        machine.start()
        eventually([RULE], rules)
        # systemd-networkd removes unknown rules and routes when it configures an interface again.
        ip("-4", "rule", "delete", "from", "10.0.1.50")
        ip("-4", "route", "flush", "table", 27007)
        eventually(([RULE], TABLE), lambda: (rules(), routes(27007)))

    def test_nothing_is_added_if_the_distribution_routes_the_address(self):
        # As amazon-ec2-net-utils does, and cloud-init with netplan.
        for name, table, priority in [("Amazon Linux 2023", 10001, 10001), ("Ubuntu 24.04", 101, 32765)]:
            with self.subTest(name), Machine() as machine:
                Interface(*FIRST)
                Interface(*SECOND)
                self.distribution_routes(table, priority)
                machine.start()
                self.assert_serving(machine, starts=1)
                time.sleep(1.5)
                self.assertEqual(([("10.0.1.50", table, priority)], []), (rules(), routes(27007)))
                self.assertIn("10.0.1.50 is routed by the distribution", machine.call("status").stdout.splitlines())
                machine.stop()
                self.assertEqual([("10.0.1.50", table, priority)], rules())
                self.assertEqual([("default", "10.0.1.1", "ens6"), ("10.0.1.0/24", None, "ens6")], routes(table))

    def test_our_rule_is_removed_when_the_distribution_adds_its_own(self):
        machine = self.machine()
        Interface(*SECOND)
        machine.start()
        eventually([RULE], rules)
        self.distribution_routes(10001, 10001)
        eventually(([("10.0.1.50", 10001, 10001)], []), lambda: (rules(), routes(27007)))
        self.assertIn("token-server: 10.0.1.50 is no longer routed by table 27007", machine.said())

    def test_a_rule_of_the_distribution_without_a_route_does_not_count(self):
        machine = self.machine()
        Interface(*SECOND)
        ip("-4", "rule", "add", "from", "10.0.1.50", "lookup", 10001, "priority", 32765)
        machine.start()
        eventually([RULE, ("10.0.1.50", 10001, 32765)], rules)
        self.assertEqual("ens6", way_out("10.0.1.50"))

    def test_the_script_waits_for_the_distribution(self):
        machine = self.machine(ROUTING_PATIENCE_SECONDS="15")
        Interface(*SECOND)
        machine.start()
        self.assert_serving(machine, starts=1)
        time.sleep(2)
        self.assertEqual([], rules())
        eventually([RULE], rules)

    def test_a_late_or_changed_address_is_routed(self):
        machine = self.machine()
        interface = Interface("ens6", None, MAC)
        machine.start()
        # After the timeout, lmgrd is started without an address, and ends.
        eventually(1, lambda: len(machine.lmgrds()))
        self.assertEqual([], rules())
        eventually(True, lambda: "token-server: ens6 has no address; the network configuration of this machine has not "
                                 "set it up" in machine.said())
        interface.configure("10.0.1.50/24", metric=513)
        eventually(([RULE], TABLE), lambda: (rules(), routes(27007)))
        interface.configure("10.0.1.51/32", gateway=None)
        eventually([("10.0.1.50", 27007, 32000), ("10.0.1.51", 27007, 32000)], lambda: sorted(rules()))
        ip("address", "delete", "10.0.1.51/32", "dev", "ens6")
        eventually([RULE], rules)

    def test_without_a_lease_the_router_is_the_first_address_of_the_subnet(self):
        for address, gateway, subnet in [
            ("10.0.1.50/24", "10.0.1.1", "10.0.1.0/24"),
            ("172.31.47.200/20", "172.31.32.1", "172.31.32.0/20"),
            ("10.0.1.77/28", "10.0.1.65", "10.0.1.64/28"),
            ("192.168.255.254/16", "192.168.0.1", "192.168.0.0/16"),
        ]:
            for shell in SHELLS:
                with self.subTest(address=address, shell=shell), Machine(shell) as machine:
                    Interface(*FIRST)
                    Interface("ens6", address, MAC, gateway=None)
                    machine.start()
                    eventually([("default", gateway, "ens6"), (subnet, None, "ens6")], lambda: routes(27007))
                    eventually([(address.split("/")[0], 27007, 32000)], rules)

    def distribution_routes(self, table, priority):
        ip("-4", "route", "add", "10.0.1.0/24", "dev", "ens6", "table", table)
        ip("-4", "route", "add", "default", "via", "10.0.1.1", "dev", "ens6", "table", table)
        ip("-4", "rule", "add", "from", "10.0.1.50", "lookup", table, "priority", priority)


if __name__ == "__main__":
    unittest.main()
