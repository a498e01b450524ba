"""A machine on which the license interface arrives and leaves: a network namespace with real interfaces, real routes and
the real script of deploy/boot, and its own /etc for /etc/hosts. Two parts are stand-ins: lmgrd, which only listens, and
systemd, a few lines that follow the unit: start, restart, stop, clean up. The tests do not run systemd, udev, DHCP or the
configuration of the distributions; they create the same effects themselves."""

import configparser
import contextlib
import ctypes
import json
import os
import shlex
import platform
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).parents[2]
BOOT = ROOT / "deploy" / "boot"
SCRIPT = BOOT / "token-server"

MAC = "02:73:ae:2a:dc:81"
# An invented license. The line below SERVER must never be printed.
LICENSE = "SERVER lic1.example.com 0273AE2ADC81 27007\nUSE_SERVER\nVENDOR MOSEKLM port=27008\n" \
          "FEATURE PTS MOSEKLM 11 31-dec-2026 4 SIGN=\"secret\"\n"
PORTS = (27007, 27008)

# The primary interface of the machine, and the license interface, in one subnet.
FIRST = ("ens5", "10.0.1.10/24", "02:00:00:00:00:01")
SECOND = ("ens6", "10.0.1.50/24", MAC, "10.0.1.1", 513)
RULE = ("10.0.1.50", 27007, 32000)
TABLE = [("default", "10.0.1.1", "ens6"), ("10.0.1.0/24", None, "ens6")]

# The names of two units, and the first of the tables from which each name has its own.
NAMES = ("mosek", "acme")
NAMED_TABLES = 1 << 30

# The shells of both distributions: Amazon Linux 2023 has bash as sh, Ubuntu 24.04 has dash.
SHELLS = ("bash --posix", "dash")

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
LIBC = ctypes.CDLL(None, use_errno=True)
HOSTS = Path("/etc/hosts")
HOSTS_TEXT = "127.0.0.1 localhost\n10.0.1.10 first.example.com first\n"


def mount(source, target, flags):
    if LIBC.mount(os.fsencode(source), os.fsencode(target), None, flags, None) != 0:
        raise OSError(ctypes.get_errno(), f"{target} cannot be mounted")


def enter_namespaces(etc):
    """Separates this process from the network and /etc of the machine that runs the tests. The folder `etc` becomes /etc:
    there is no name server, and /etc/hosts comes first, as on both distributions."""
    user, group = os.getuid(), os.getgid()
    if LIBC.unshare(CLONE_NEWNS | CLONE_NEWNET) == 0:
        pass
    elif LIBC.unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) == 0:
        # Root, but only in this namespace.
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    else:
        raise OSError(ctypes.get_errno(), "neither root nor allowed to make namespaces")
    mount("none", "/", MS_REC | MS_PRIVATE)
    for name in ("passwd", "group", "ld.so.cache", "alternatives"):
        if (Path("/etc") / name).is_dir():
            shutil.copytree(Path("/etc") / name, etc / name, symlinks=True)
        elif (Path("/etc") / name).exists():
            shutil.copy(Path("/etc") / name, etc / name)
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
    (etc / "resolv.conf").touch()
    (etc / "hosts").write_text(HOSTS_TEXT)
    mount(etc, "/etc", MS_BIND)
    ip("link", "set", "lo", "up")


def ip(*arguments):
    return subprocess.run(["ip", *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def ip_json(*arguments):
    return json.loads(ip("-json", *arguments) or "[]")


def eventually(expected, look, seconds=60):
    """Waits for the expected value, and reports the last value if it does not appear. It may miss a passing state, so tests
    wait only for states that last. The limit is generous, because the machines that run the tests can be slow."""
    deadline = time.monotonic() + seconds
    while (seen := look()) != expected:
        if time.monotonic() > deadline:
            raise AssertionError(f"expected {expected!r}, but after {seconds} s it is {seen!r}")
        time.sleep(0.02)


class Interface:
    """A veth pair: one end belongs to the machine, the other stands for the subnet."""

    def __init__(self, name, address, mac, gateway="10.0.1.1", metric=512):
        self.name, self.mac = name, mac
        ip("link", "add", name, "address", mac, "type", "veth", "peer", "name", f"{name}-vpc")
        ip("link", "set", f"{name}-vpc", "up")
        ip("link", "set", name, "up")
        if address:
            self.configure(address, gateway, metric)

    def configure(self, address, gateway="10.0.1.1", metric=512):
        """Configures the interface as DHCP does."""
        ip("address", "add", address, "dev", self.name)
        if gateway:
            ip("route", "add", "default", "via", gateway, "dev", self.name, "metric", metric)

    def leave(self):
        ip("link", "delete", self.name)


def rules():
    """Every rule except the kernel's own three, as (source, table, priority)."""
    return [(rule["src"], int(rule["table"]), rule["priority"]) for rule in ip_json("-4", "rule", "show")
            if rule["table"] not in ("local", "main", "default")]


def routes(table):
    try:
        found = ip_json("-4", "route", "show", "table", table)
    except subprocess.CalledProcessError:
        # The table has never had a route.
        return []
    return [(route["dst"], route.get("gateway"), route["dev"]) for route in found]


def way_out(source, destination="192.0.2.7"):
    """The interface by which a packet leaves."""
    [route] = ip_json("-4", "route", "get", destination, "from", source)
    return route["dev"]


def table_of(name):
    """The routing table of a unit with this name."""
    checksum = subprocess.run(["cksum"], input=name, check=True, capture_output=True, text=True).stdout.split()[0]
    return NAMED_TABLES + int(checksum) % NAMED_TABLES


def changes_of_routing(seconds):
    """The kernel's messages about changed rules and routes."""
    monitor = subprocess.Popen(["ip", "-4", "monitor", "route", "rule"], stdout=subprocess.PIPE, text=True)
    time.sleep(seconds)
    monitor.terminate()
    return monitor.communicate()[0]


def listening(expected=PORTS):
    """Those of these ports on which a stand-in listens now."""
    lines = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    ports = {int(line[1].rpartition(":")[2], 16) for line in lines if line[3] == "0A"}
    return tuple(port for port in expected if port in ports)


class Unit(configparser.RawConfigParser):
    """A unit file, with the spelling of its sections and settings. No setting is repeated. `token-server@NAME.service` is the
    file `token-server@.service` with this name."""

    def __init__(self, name):
        super().__init__(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
        self.optionxform = str
        kind, at, instance = name.removesuffix(".service").partition("@")
        self.read_string((BOOT / f"{kind}{at}.service").read_text().replace("%i", instance))

    def command(self, setting):
        """The command of the unit, with the path in the repository instead of the installed one."""
        program, *arguments = shlex.split(self["Service"][setting])
        return [str(BOOT / Path(program).name), *arguments]


class Machine:
    """A machine with the boot files, a license, and a stand-in for lmgrd. Another `unit` is one more service on the same
    machine."""

    def __init__(self, shell="sh", unit="token-server.service"):
        self.shell = shell
        self.unit = unit
        self.folder = Path(tempfile.mkdtemp())
        self.license = self.folder / "mosek.lic"
        self.license.write_text(LICENSE)
        self.starts = self.folder / "starts"
        self.starts.touch()
        self.output = self.folder / "output"
        lmgrd = self.folder / "lmgrd"
        lmgrd.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).with_name("lmgrd.py")} {self.starts} "$@"\n')
        lmgrd.chmod(0o755)
        self.locks = self.folder / "tmp"
        (self.locks / ".flexlm").mkdir(parents=True)
        self.environment = {
            "MACHINE": str(self.folder),
            "FLEXLM_FOLDER": str(self.locks / ".flexlm"), "LOCK_FOLDER": str(self.locks), "PATH": os.environ["PATH"], "LICENSE_FILE": str(self.license), "LMGRD": str(lmgrd), "LMGRD_USER": "",
            "ROUTING_PATIENCE_SECONDS": "0",
        }
        self.process = self.manager = None
        self.stopping = False
        # The exit status of each run of the script.
        self.statuses = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        for link in ip_json("link", "show", "type", "veth"):
            if not link["ifname"].endswith("-vpc"):
                ip("link", "delete", link["ifname"])
        ip("-4", "rule", "flush")
        ip("-4", "rule", "add", "from", "all", "lookup", "main", "priority", 32766)
        ip("-4", "rule", "add", "from", "all", "lookup", "default", "priority", 32767)
        for table in (27007, 101, 10001, *(table_of(name) for name in NAMES)):
            if routes(table):
                ip("-4", "route", "flush", "table", table)
        HOSTS.write_text(HOSTS_TEXT)
        shutil.rmtree(self.folder)

    # ---- The parts of systemd ----

    def call(self, *arguments):
        """Runs the script once, to its end."""
        return subprocess.run([*self.shell.split(), str(SCRIPT), *arguments], env=self.environment, text=True,
                              capture_output=True, timeout=60)

    def start(self):
        """`systemctl start`. From now on the unit is restarted as it requires."""
        self.stopping = False
        self.launch()
        self.manager = threading.Thread(target=self.manage, daemon=True)
        self.manager.start()

    def launch(self):
        with self.output.open("a") as output:
            self.process = subprocess.Popen(self.command("ExecStart"), env=self.environment, stdout=output,
                                            stderr=output, start_new_session=True)

    def manage(self):
        unit = Unit(self.unit)["Service"]
        while True:
            self.statuses.append(self.process.wait())
            self.kill_remains()
            subprocess.run(self.command("ExecStopPost"), env=self.environment, check=True, timeout=30)
            if self.stopping or unit["Restart"] != "always":
                return
            time.sleep(float(unit["RestartSec"]))
            if self.stopping:
                return
            self.launch()

    def kill_remains(self):
        """The processes in the control group of the unit after the script has ended. Here: those with its environment."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        eventually([], self.processes)

    def command(self, setting):
        return [*self.shell.split(), *Unit(self.unit).command(setting)]

    def stand_in(self, name, script):
        """Puts a program before those of the system."""
        programs = self.folder / "programs"
        programs.mkdir(exist_ok=True)
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
        if not self.environment["PATH"].startswith(f"{programs}:"):
            self.environment["PATH"] = f"{programs}:{self.environment['PATH']}"

    def send_signal(self):
        """Sends the signal of the udev rule."""
        self.process.send_signal(signal.SIGUSR1)

    def stop(self):
        """`systemctl stop`."""
        self.stopping = True
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        if self.manager:
            self.manager.join(timeout=60)

    def restart(self):
        """`systemctl restart`."""
        self.stop()
        self.start()

    # ---- The state ----

    def processes(self):
        """Every running process that was started with the settings of this machine."""
        found = []
        mark = f"MACHINE={self.folder}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
            except (FileNotFoundError, PermissionError, ProcessLookupError):
                continue
        return sorted(found)

    def lmgrds(self):
        """The process ids of every lmgrd so far, in order."""
        return [int(line.split()[0]) for line in self.starts.read_text().splitlines()]

    def vendor_daemon(self):
        """The process id of the child of the last lmgrd."""
        [lmgrd] = self.lmgrds()[-1:]
        [child] = Path(f"/proc/{lmgrd}/task/{lmgrd}/children").read_text().split()
        return int(child)

    def said(self):
        return self.output.read_text().splitlines()


def program_with_loader(path, loader):
    """A program for this kind of machine that only names a loader."""
    name = loader.encode() + b"\0"
    machine = {"x86_64": 62, "aarch64": 183}[platform.machine()]
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, machine, 1, 0x400000, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    interpreter = struct.pack("<IIQQQQQQ", 3, 4, 120, 120, 120, len(name), len(name), 1)
    path.write_bytes(header + interpreter + name)
    path.chmod(0o755)


class TestCase(unittest.TestCase):
    """The tests of one class share a network and an /etc. Each test restores both."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        enter_namespaces(Path(cls.enterClassContext(tempfile.TemporaryDirectory())))

    def machine(self, shell="sh", **settings):
        machine = self.enterContext(Machine(shell))
        machine.environment |= settings
        Interface(*FIRST)
        return machine

    def assert_serving(self, machine, starts):
        eventually((PORTS, starts), lambda: (listening(), len(machine.lmgrds())))

    def assert_nothing_left(self, machine):
        eventually(((), [], [], HOSTS_TEXT), lambda: (listening(), rules(), routes(27007), HOSTS.read_text()))
