"""Several licenses on one machine: each is served where its own interface is, and none touches what belongs to another."""

import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from machine import (
    BOOT, FIRST, HOSTS, HOSTS_TEXT, LICENSE, MAC, NAMES, PORTS, RULE, SECOND, SHELLS, TABLE, Interface, Machine, TestCase,
    eventually, listening, routes, rules, table_of, way_out,
)

MOSEK, ACME = NAMES
ACME_MAC = "02:73:ae:2a:dc:99"
ACME_LICENSE = "SERVER lic2.example.com 0273AE2ADC99 1700\nUSE_SERVER\nVENDOR acmed port=1701\n"
ACME_PORTS = (1700, 1701)
ACME_INTERFACE = ("ens7", "10.0.1.60/24", ACME_MAC, "10.0.1.1", 514)
ALL_PORTS = PORTS + ACME_PORTS

MOSEK_RULE = ("10.0.1.50", table_of(MOSEK), 32000)
ACME_RULE = ("10.0.1.60", table_of(ACME), 32000)
ACME_TABLE = [("default", "10.0.1.1", "ens7"), ("10.0.1.0/24", None, "ens7")]


def line(host, address, name):
    return f"{address} {host} # written by token-server{name}, for as long as the license interface is here\n"


MOSEK_LINE = line("lic1.example.com", "10.0.1.50", "@mosek")
ACME_LINE = line("lic2.example.com", "10.0.1.60", "@acme")
PLAIN_LINE = line("lic1.example.com", "10.0.1.50", "")


def state():
    """The ports, rules and lines of both."""
    added = HOSTS.read_text().removeprefix(HOSTS_TEXT).splitlines(keepends=True)
    return listening(ALL_PORTS), sorted(rules()), sorted(added)


NOTHING = ((), [], [])
ONLY_MOSEK = (PORTS, [MOSEK_RULE], [MOSEK_LINE])
ONLY_ACME = (ACME_PORTS, [ACME_RULE], [ACME_LINE])
BOTH = (ALL_PORTS, [MOSEK_RULE, ACME_RULE], [MOSEK_LINE, ACME_LINE])


class Names(TestCase):
    def unit(self, name, license, ports, shell="sh", **settings):
        unit = self.enterContext(Machine(shell, f"token-server@{name}.service" if name else "token-server.service"))
        unit.license.write_text(license)
        unit.environment |= {"LMGRD_OPTIONS": f"-z -local ports={ports[0]},{ports[1]}"} | settings
        return unit

    def both(self, shell="sh", **settings):
        Interface(*FIRST)
        return self.unit(MOSEK, LICENSE, PORTS, shell, **settings), self.unit(ACME, ACME_LICENSE, ACME_PORTS, shell, **settings)

    def both_serving(self):
        mosek, acme = self.both()
        Interface(*SECOND)
        Interface(*ACME_INTERFACE)
        mosek.start()
        acme.start()
        eventually(BOTH, state)
        return mosek, acme

    def test_each_is_served_where_its_own_interface_is_and_the_move_of_one_leaves_the_other_alone(self):
        for shell in SHELLS:
            with self.subTest(shell=shell):
                mosek, acme = self.both(shell)
                mosek.start()
                acme.start()
                eventually(1, lambda: min(len(mosek.said()), len(acme.said())))
                self.assertEqual(NOTHING, state())

                mosek_interface = Interface(*SECOND)
                eventually(ONLY_MOSEK, state)
                acme_interface = Interface(*ACME_INTERFACE)
                eventually(BOTH, state)
                self.assertEqual(("ens5", "ens6", "ens7"), tuple(map(way_out, ("10.0.1.10", "10.0.1.50", "10.0.1.60"))))
                self.assertEqual((TABLE, ACME_TABLE), (routes(table_of(MOSEK)), routes(table_of(ACME))))

                mosek_interface.leave()
                eventually(ONLY_ACME, state)
                Interface(*SECOND)
                eventually(BOTH, state)
                acme_interface.leave()
                eventually(ONLY_MOSEK, state)

                # Each lmgrd was started once for each arrival of its own interface, and each script saw only its own.
                self.assertEqual((2, 1), (len(mosek.lmgrds()), len(acme.lmgrds())))
                self.assertEqual([
                    f"token-server: waiting for the license interface {ACME_MAC}",
                    f"token-server: the license interface {ACME_MAC} is here as ens7; starting lmgrd",
                    "token-server: lic2.example.com does not resolve here, so /etc/hosts says 10.0.1.60 while the license "
                    "interface is here",
                    f"token-server: nothing else routes 10.0.1.60, so table {table_of(ACME)} does",
                    f"token-server: the license interface {ACME_MAC} has left; stopping lmgrd",
                ], acme.said()[:5])
                self.assertFalse([said for said in mosek.said() if ACME_MAC in said or "10.0.1.60" in said])
                mosek.stop()
                acme.stop()
                eventually(NOTHING, state)
                self.assertEqual(([], []), (routes(table_of(MOSEK)), routes(table_of(ACME))))
                self.doCleanups()

    def test_a_killed_script_and_clean_touch_only_what_belongs_to_their_name(self):
        mosek, acme = self.both_serving()
        acme.process.kill()
        eventually(2, lambda: len(acme.lmgrds()))
        eventually(BOTH, state)
        self.assertEqual((1, [], [-signal.SIGKILL]), (len(mosek.lmgrds()), mosek.statuses, acme.statuses))
        # The script is stopped, so that it does not add its entries again.
        acme.process.send_signal(signal.SIGSTOP)
        try:
            called = acme.call("clean", ACME)
            self.assertEqual((0, "", ""), (called.returncode, called.stdout, called.stderr))
            self.assertEqual((ALL_PORTS, [MOSEK_RULE], [MOSEK_LINE]), state())
            self.assertEqual(([], TABLE), (routes(table_of(ACME)), routes(table_of(MOSEK))))
        finally:
            acme.process.send_signal(signal.SIGCONT)

    def test_two_units_that_write_etc_hosts_at_the_same_time_lose_no_line(self):
        mosek, acme = self.both_serving()
        for _ in range(20):
            writers = [subprocess.Popen(["sh", str(BOOT / "token-server"), "clean", name], env=unit.environment)
                       for name, unit in ((MOSEK, mosek), (ACME, acme))]
            self.assertEqual([0, 0], [writer.wait() for writer in writers])
            self.assertEqual(HOSTS_TEXT, HOSTS.read_text())
            HOSTS.write_text(HOSTS_TEXT + MOSEK_LINE + ACME_LINE)
        self.assertEqual([], [path.name for path in HOSTS.parent.glob("hosts?*")])

    def test_a_name_beside_the_unit_without_a_name(self):
        Interface(*FIRST)
        plain = self.unit(None, LICENSE, PORTS)
        acme = self.unit(ACME, ACME_LICENSE, ACME_PORTS)
        interface = Interface(*SECOND)
        Interface(*ACME_INTERFACE)
        plain.start()
        acme.start()
        eventually((ALL_PORTS, [RULE, ACME_RULE], sorted([PLAIN_LINE, ACME_LINE])), state)
        interface.leave()
        eventually(ONLY_ACME, state)
        Interface(*SECOND)
        eventually((ALL_PORTS, [RULE, ACME_RULE], sorted([PLAIN_LINE, ACME_LINE])), state)
        acme.stop()
        eventually((PORTS, [RULE], [PLAIN_LINE]), state)
        self.assertEqual((2, 1), (len(plain.lmgrds()), len(acme.lmgrds())))

    def test_two_licenses_on_one_interface_do_not_fight_over_its_route(self):
        Interface(*FIRST)
        mosek = self.unit(MOSEK, LICENSE, PORTS)
        acme = self.unit(ACME, ACME_LICENSE.replace("0273AE2ADC99", "0273AE2ADC81"), ACME_PORTS)
        Interface(*SECOND)
        mosek.start()
        acme.start()
        both = [("10.0.1.50", table_of(MOSEK), 32000), ("10.0.1.50", table_of(ACME), 32000)]
        eventually((ALL_PORTS, sorted(both)), lambda: state()[:2])
        time.sleep(2.5)
        self.assertEqual(sorted(both), sorted(rules()))
        self.assertFalse([said for unit in (mosek, acme) for said in unit.said() if "no longer routed" in said])

    def test_status_and_license_of_a_name(self):
        mosek, acme = self.both()
        Interface(*ACME_INTERFACE)
        acme.start()
        eventually(ONLY_ACME, state)
        status = acme.call("status", ACME)
        self.assertEqual((0, f"the license interface {ACME_MAC} is here as ens7\n10.0.1.60 is routed by table {table_of(ACME)}\n"
                             "lic2.example.com resolves to the license interface here\n"), (status.returncode, status.stdout))
        self.assertEqual((1, f"the license interface {MAC} is not here\n"),
                         (mosek.call("status", MOSEK).returncode, mosek.call("status", MOSEK).stdout))
        self.assertEqual(f"MAC address: {ACME_MAC}\nwatched port: 1701\nvendor daemons: acmed\n",
                         acme.call("license", ACME).stdout)

    def test_a_name_that_could_be_a_path_or_an_option_is_an_error(self):
        for name in ("../x", "a/b", "a b", "-a", "_a", "a@b", "a.b", "*"):
            for shell in SHELLS:
                with self.subTest(name=name, shell=shell), Machine(shell) as machine:
                    called = machine.call("status", name)
                    self.assertEqual((2, "", "token-server: usage: token-server run|status|license|clean [NAME]\n"),
                                     (called.returncode, called.stdout, called.stderr))

    # ---- The paths that the units and the script use if the settings name no others ----

    def settings(self, file):
        """The variables of an EnvironmentFile."""
        lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
        return dict(line.split("=", 1) for line in lines)

    def machine_from(self, unit, name, license, text):
        """A machine whose unit has only the settings in its file. Its license is at the default path."""
        machine = self.enterContext(Machine(unit=unit))
        settings = Path("/etc/token-server") / f"{name}.conf"
        settings.parent.mkdir(exist_ok=True)
        self.addCleanup(shutil.rmtree, settings.parent, ignore_errors=True)
        settings.write_text(f"{text}LMGRD={machine.environment['LMGRD']}\nLMGRD_USER=\nROUTING_PATIENCE_SECONDS=0\n")
        license.parent.mkdir(exist_ok=True)
        license.write_text(LICENSE)
        for name in ("LICENSE_FILE", "LMGRD", "LMGRD_USER", "ROUTING_PATIENCE_SECONDS"):
            del machine.environment[name]
        machine.environment |= self.settings(settings)
        Interface(*FIRST)
        return machine

    def test_an_installation_without_names_serves_and_is_activated_as_before(self):
        machine = self.machine_from("token-server.service", "token-server", Path("/etc/token-server/mosek.lic"),
                                    "MOSEK_FILES=s3://example-bucket/token-server\n")
        machine.start()
        eventually([f"token-server: waiting for the license interface {MAC}"], machine.said)
        interface = Interface(*SECOND)
        served = (PORTS, [RULE], [PLAIN_LINE])
        eventually(served, state)
        # The activation: systemctl restart token-server.service.
        machine.restart()
        eventually((served, 2), lambda: (state(), len(machine.lmgrds())))
        self.assertIn("-c /etc/token-server/mosek.lic", machine.starts.read_text())
        interface.leave()
        eventually(NOTHING, state)

    def test_a_name_has_its_own_settings_and_license(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "etc").mkdir()
        (folder / "usr").mkdir()
        (folder / "etc/os-release").write_text("ID=ubuntu\n")
        subprocess.run(["sh", str(BOOT / "install"), "s3://example-bucket/token-server", MOSEK], check=True,
                       env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DESTDIR": str(folder)})
        written = (folder / "etc/token-server/mosek.conf").read_text()
        self.assertIn("\nMOSEK_FILES=s3://example-bucket/token-server/mosek\n", written)
        machine = self.machine_from("token-server@mosek.service", MOSEK, Path("/etc/token-server/mosek/license.lic"), written)
        Interface(*SECOND)
        machine.start()
        eventually(ONLY_MOSEK, state)
        machine.restart()
        eventually((ONLY_MOSEK, 2), lambda: (state(), len(machine.lmgrds())))
        self.assertIn("-c /etc/token-server/mosek/license.lic", machine.starts.read_text())


if __name__ == "__main__":
    unittest.main()
