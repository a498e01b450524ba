"""The installed files, the downloads, and the fit of the units, the udev rule and the script.

The commands aws, systemctl, useradd, snap, udevadm and cloud-init are stand-ins.
"""

import fnmatch
import io
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path

from machine import BOOT, LIBC, LICENSE, MS_BIND, MS_REC, ROOT, TestCase, Unit, mount

MNT_DETACH = 2
SERVICE, FILES = "token-server.service", "token-server-files.service"
NAMED, NAMED_FILES = "token-server@acme.service", "token-server-files@acme.service"
OS_RELEASE = {"ubuntu": 'NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\n', "amazon": 'NAME="Amazon Linux"\nID="amzn"\n'}
ARCHIVE = {"x86_64": "mosektoolslinux64x86.tar.bz2", "aarch64": "mosektoolslinuxaarch64.tar.bz2"}[platform.machine()]
MOSEK = "mosek/11.1/tools/platform/linux64x86/bin/"


def tree(root):
    """Every file and link below a folder, with its permissions."""
    return {str(path.relative_to(root)): f"{path.lstat().st_mode & 0o777:o}" if not path.is_symlink()
            else f"-> {os.readlink(path)}" for path in sorted(root.rglob("*")) if path.is_symlink() or path.is_file()}


class Files(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.root = self.folder / "root"
        self.bucket = self.folder / "bucket"
        self.bucket.mkdir()
        self.asked = self.folder / "asked"
        bin_folder = self.folder / "bin"
        bin_folder.mkdir()
        # aws s3 cp --only-show-errors s3://bucket/NAME TARGET
        self.program(bin_folder / "aws", f'[ "$1 $2 $3" = "s3 cp --only-show-errors" ] && cp {self.bucket}/"${{4##*/}}" "$5"')
        self.program(bin_folder / "systemctl", f'echo "$@" >> {self.asked}')
        self.uname(platform.machine())
        self.environment = {"PATH": f"{bin_folder}:{os.environ['PATH']}", "LC_ALL": "C"}

    def program(self, path, line):
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)

    def uname(self, machine):
        self.program(self.folder / "bin" / "uname", f'[ "$*" = -m ] && echo {machine}')

    # ---- install ----

    def install(self, system, *arguments):
        (self.root / "etc").mkdir(parents=True, exist_ok=True)
        (self.root / "usr").mkdir(exist_ok=True)
        (self.root / "etc/os-release").write_text(OS_RELEASE[system])
        return subprocess.run(["sh", str(BOOT / "install"), *arguments], check=True, capture_output=True, text=True,
                              env=self.environment | {"DESTDIR": str(self.root)})

    def test_everything_is_installed_at_the_paths_in_the_units(self):
        everywhere = {
            "etc/os-release": "644",
            "etc/systemd/system/token-server-files.service": "644",
            "etc/systemd/system/token-server-files@.service": "644",
            "etc/systemd/system/token-server.service": "644",
            "etc/systemd/system/token-server@.service": "644",
            "etc/token-server/token-server.conf": "644",
            "etc/udev/rules.d/90-token-server.rules": "644",
            "usr/local/lib/token-server/token-server": "755",
            "usr/local/lib/token-server/token-server-fetch": "755",
            "usr/tmp": "-> ../var/tmp",
        }
        cloud_init = {"etc/cloud/cloud.cfg.d/99-token-server.cfg": "644"}
        # There is no LSB for arm64, so no arm64 program names its loader.
        loader = {"lib64/ld-lsb-x86-64.so.3": "-> ld-linux-x86-64.so.2"}
        for system, machine, more in [("amazon", "x86_64", loader), ("ubuntu", "x86_64", loader | cloud_init),
                                      ("amazon", "aarch64", {}), ("ubuntu", "aarch64", cloud_init)]:
            with self.subTest(system, machine=machine):
                self.uname(machine)
                shutil.rmtree(self.root, ignore_errors=True)
                self.install(system, "s3://example-bucket/token-server")
                self.assertEqual(everywhere | more, tree(self.root))
                for unit in (SERVICE, FILES):
                    for setting, value in Unit(unit)["Service"].items():
                        if setting.startswith("Exec"):
                            self.assertTrue(os.access(self.root / value.split()[0].lstrip("/"), os.X_OK), value)
                        if setting == "EnvironmentFile":
                            self.assertTrue((self.root / value.lstrip("-/")).is_file(), value)
        self.assertFalse(self.asked.exists(), "with DESTDIR nothing is started")

    def test_installing_again_keeps_the_settings_and_changes_the_bucket(self):
        self.install("amazon", "s3://example-bucket/token-server")
        settings = self.root / "etc/token-server/token-server.conf"
        self.assertIn("\nMOSEK_FILES=s3://example-bucket/token-server\n", settings.read_text())
        settings.write_text(settings.read_text() + "LMGRD_STOP_SECONDS=30\n")
        before = settings.read_text()
        self.install("amazon")
        self.assertEqual(before, settings.read_text())
        self.install("amazon", "s3://other-bucket/a/b")
        self.assertEqual(before.replace("s3://example-bucket/token-server", "s3://other-bucket/a/b"), settings.read_text())

    def settings(self):
        """The name of each file of settings with the settings that are in force."""
        return {path.name: [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
                for path in (self.root / "etc/token-server").iterdir()}

    def test_each_name_has_its_own_settings_with_its_own_folder_of_the_bucket(self):
        self.install("ubuntu", "s3://example-bucket/token-server/", "mosek", "acme_2")
        self.assertEqual({"mosek.conf": ["MOSEK_FILES=s3://example-bucket/token-server/mosek"],
                          "acme_2.conf": ["MOSEK_FILES=s3://example-bucket/token-server/acme_2"]}, self.settings())
        written = (self.root / "etc/token-server/acme_2.conf").read_text()
        for text in ("# Settings of token-server@acme_2 for its units", "\n#   systemctl restart token-server@acme_2\n",
                     "\n#LICENSE_FILE=/etc/token-server/acme_2/license.lic\n", "\n#LMGRD=/opt/token-server/acme_2/lmgrd\n"):
            self.assertIn(text, written)

    def test_a_name_is_added_to_an_installation_without_names_and_leaves_it_as_it_is(self):
        self.install("amazon", "s3://example-bucket/token-server")
        settings = self.root / "etc/token-server/token-server.conf"
        settings.write_text(settings.read_text() + "LMGRD_STOP_SECONDS=30\n")
        before = settings.read_bytes()
        self.install("amazon", "s3://other-bucket/x", "acme")
        self.assertEqual(before, settings.read_bytes())
        self.assertEqual({"token-server.conf": ["MOSEK_FILES=s3://example-bucket/token-server", "LMGRD_STOP_SECONDS=30"],
                          "acme.conf": ["MOSEK_FILES=s3://other-bucket/x/acme"]}, self.settings())
        # The settings of a name stay, too, and without a location so does the bucket.
        settings = self.root / "etc/token-server/acme.conf"
        settings.write_text(settings.read_text() + "LMGRD_STOP_SECONDS=20\n")
        before = settings.read_bytes()
        self.install("amazon", "acme")
        self.assertEqual(before, settings.read_bytes())
        # The unit without a name together with a name.
        self.install("amazon", "s3://third-bucket/y", "token-server", "acme")
        self.assertEqual({"token-server.conf": ["MOSEK_FILES=s3://third-bucket/y", "LMGRD_STOP_SECONDS=30"],
                          "acme.conf": ["MOSEK_FILES=s3://third-bucket/y/acme", "LMGRD_STOP_SECONDS=20"]}, self.settings())

    def test_what_cannot_be_a_name_installs_nothing(self):
        for name in ("boot", "a/b", "..", "a b", "-a", "_a", "a.b", "a@b", "s3:x"):
            with self.subTest(name):
                with self.assertRaises(subprocess.CalledProcessError) as raised:
                    self.install("amazon", "s3://example-bucket/token-server", "acme", name)
                self.assertEqual((2, f'install: "{name}" cannot be a name: a name has letters, digits, underscores and hyphens, and '
                                     '"boot" is taken\n'), (raised.exception.returncode, raised.exception.stderr))
                self.assertEqual(["etc/os-release"], list(tree(self.root)))

    def test_an_existing_loader_is_kept(self):
        self.uname("x86_64")
        (self.root / "lib64").mkdir(parents=True)
        for text in ("a package's", "another's"):
            (self.root / "lib64/ld-lsb-x86-64.so.3").write_text(text)
            self.install("ubuntu")
            self.assertEqual(text, (self.root / "lib64/ld-lsb-x86-64.so.3").read_text())

    # ---- token-server-fetch ----

    def fetch(self, *options):
        return subprocess.run([sys.executable, str(BOOT / "token-server-fetch"), *options, "s3://example-bucket/token-server",
                               str(self.root)], capture_output=True, text=True, env=self.environment)

    def put_archive(self, *names):
        with tarfile.open(self.bucket / ARCHIVE, "w:bz2") as archive:
            for name in names:
                member = tarfile.TarInfo(name)
                member.size = len(name)
                archive.addfile(member, io.BytesIO(name.encode()))

    def restarts(self):
        return self.asked.read_text().splitlines() if self.asked.exists() else []

    def test_only_the_files_that_the_token_server_needs_are_installed(self):
        self.put_archive(MOSEK + "mosek", MOSEK + "lmgrd", MOSEK + "lmutil", MOSEK + "MOSEKLM", "mosek/lmgrd/lmgrd", "../../bin/x")
        (self.bucket / "mosek.lic").write_text(LICENSE)
        fetched = self.fetch()
        self.assertEqual((0, "the license is new\n", ""), (fetched.returncode, fetched.stdout, fetched.stderr))
        self.assertEqual({"etc/token-server/mosek.lic": "400", "opt/token-server/MOSEKLM": "755",
                          "opt/token-server/lmgrd": "755", "opt/token-server/lmutil": "755"}, tree(self.root))
        self.assertEqual(LICENSE, (self.root / "etc/token-server/mosek.lic").read_text())
        self.assertEqual(MOSEK + "lmgrd", (self.root / "opt/token-server/lmgrd").read_text())
        self.assertEqual(["try-restart token-server.service"], self.restarts())

    def test_the_same_license_restarts_nothing_and_mosek_is_fetched_once(self):
        self.put_archive(MOSEK + "lmgrd", MOSEK + "lmutil", MOSEK + "MOSEKLM")
        (self.bucket / "mosek.lic").write_text(LICENSE)
        self.fetch()
        (self.bucket / ARCHIVE).unlink()
        again = self.fetch()
        self.assertEqual((0, "", ""), (again.returncode, again.stdout, again.stderr))
        self.assertEqual(["try-restart token-server.service"], self.restarts())
        (self.bucket / "mosek.lic").write_text(LICENSE + "# renewed\n")
        renewed = self.fetch()
        self.assertEqual((0, "the license is new\n", ""), (renewed.returncode, renewed.stdout, renewed.stderr))
        self.assertEqual(2, len(self.restarts()))

    def test_a_failed_download_keeps_the_installed_files(self):
        self.put_archive(MOSEK + "lmgrd", MOSEK + "lmutil", MOSEK + "MOSEKLM")
        (self.bucket / "mosek.lic").write_text(LICENSE)
        self.fetch()
        before = tree(self.root)
        (self.bucket / "mosek.lic").unlink()
        fetched = self.fetch()
        self.assertEqual((1, ""), (fetched.returncode, fetched.stdout))
        self.assertIn("s3://example-bucket/token-server/mosek.lic could not be fetched\n", fetched.stderr)
        self.assertEqual((before, 1), (tree(self.root), len(self.restarts())))

    def test_mosek_is_installed_before_there_is_a_license(self):
        self.put_archive(MOSEK + "lmgrd", MOSEK + "lmutil")
        fetched = self.fetch()
        self.assertEqual((1, "", []), (fetched.returncode, fetched.stdout, self.restarts()))
        self.assertIn(f"{ARCHIVE} has no MOSEKLM in a folder bin\n", fetched.stderr)
        self.assertEqual(["opt/token-server/lmgrd", "opt/token-server/lmutil"], list(tree(self.root)))

    ACME = "SERVER lic2.example.com 0273AE2ADC99 1700\nVENDOR acmed port=1701\nFEATURE x acmed 1 permanent 1 SIGN=secret\n"

    def test_the_files_of_a_name_are_in_folders_of_its_own_and_restart_only_its_unit(self):
        for program in ("lmgrd", "lmutil", "acmed", "other"):
            (self.bucket / program).write_text(f"acme's {program}")
        (self.bucket / "license.lic").write_text(self.ACME)
        fetched = self.fetch("--name", "acme")
        self.assertEqual((0, "the license is new\n", ""), (fetched.returncode, fetched.stdout, fetched.stderr))
        self.assertEqual({"etc/token-server/acme/license.lic": "400", "opt/token-server/acme/acmed": "755",
                          "opt/token-server/acme/lmgrd": "755", "opt/token-server/acme/lmutil": "755"}, tree(self.root))
        self.assertEqual("acme's acmed", (self.root / "opt/token-server/acme/acmed").read_text())
        self.assertEqual(["try-restart token-server@acme.service"], self.restarts())
        # The programs are fetched once, and the same license restarts nothing.
        for program in ("lmgrd", "lmutil", "acmed"):
            (self.bucket / program).unlink()
        again = self.fetch("--name", "acme")
        self.assertEqual((0, "", "", 1), (again.returncode, again.stdout, again.stderr, len(self.restarts())))

    def test_the_programs_of_a_name_with_moseklm_come_from_the_archive(self):
        self.put_archive(MOSEK + "lmgrd", MOSEK + "lmutil", MOSEK + "MOSEKLM")
        (self.bucket / "license.lic").write_text(LICENSE)
        fetched = self.fetch("--name", "mosek")
        self.assertEqual((0, "the license is new\n", ""), (fetched.returncode, fetched.stdout, fetched.stderr))
        self.assertEqual(["etc/token-server/mosek/license.lic", "opt/token-server/mosek/MOSEKLM", "opt/token-server/mosek/lmgrd",
                          "opt/token-server/mosek/lmutil"], list(tree(self.root)))

    def test_what_a_name_lacks_is_named_and_the_rest_is_installed(self):
        source = "s3://example-bucket/token-server"
        fetched = self.fetch("--name", "acme")
        self.assertEqual((1, "", {}), (fetched.returncode, fetched.stdout, tree(self.root)))
        self.assertIn(f"{source}/license.lic could not be fetched\n", fetched.stderr)
        (self.bucket / "license.lic").write_text(self.ACME)
        (self.bucket / "lmgrd").write_text("lmgrd")
        fetched = self.fetch("--name", "acme")
        self.assertEqual((1, "the license is new\n"), (fetched.returncode, fetched.stdout))
        said = [line for line in fetched.stderr.splitlines() if "fetched" in line]
        self.assertEqual([f"{source}/lmutil could not be fetched", f"{source}/acmed could not be fetched"], said)
        self.assertEqual(["etc/token-server/acme/license.lic", "opt/token-server/acme/lmgrd"], list(tree(self.root)))
        # Without a new license, the installed one says which programs are missing.
        (self.bucket / "license.lic").unlink()
        for program in ("lmutil", "acmed"):
            (self.bucket / program).write_text(program)
        fetched = self.fetch("--name", "acme")
        self.assertEqual((1, 4), (fetched.returncode, len(tree(self.root))))

    def test_a_license_that_is_unclear_about_its_vendor_daemons_is_installed_without_programs(self):
        (self.bucket / "license.lic").write_text(self.ACME.replace("VENDOR acmed", "VENDOR ../acmed"))
        fetched = self.fetch("--name", "acme")
        self.assertEqual((1, "the license is new\n", "s3://example-bucket/token-server/license.lic does not say clearly which vendor "
                             "daemons it needs\n"), (fetched.returncode, fetched.stdout, fetched.stderr))
        self.assertEqual(["etc/token-server/acme/license.lic"], list(tree(self.root)))

    # ---- The units, the udev rule and the settings ----

    def test_the_units_of_a_name_differ_from_those_without_a_name_only_in_the_name(self):
        self.assertEqual({
            ("Unit", "Description"): ("MOSEK token server, where the license interface is",
                                      "Token server acme, where its license interface is"),
            ("Service", "EnvironmentFile"): ("-/etc/token-server/token-server.conf", "-/etc/token-server/acme.conf"),
            ("Service", "ExecStart"): ("/usr/local/lib/token-server/token-server run",
                                       "/usr/local/lib/token-server/token-server run acme"),
            ("Service", "ExecStopPost"): ("/usr/local/lib/token-server/token-server clean",
                                          "/usr/local/lib/token-server/token-server clean acme"),
        }, self.differences(SERVICE, NAMED))
        self.assertEqual({
            ("Unit", "Description"): ("MOSEK and its license from S3", "Programs and license of token server acme from S3"),
            ("Service", "EnvironmentFile"): ("/etc/token-server/token-server.conf", "/etc/token-server/acme.conf"),
            ("Service", "ExecStart"): ("/usr/local/lib/token-server/token-server-fetch ${MOSEK_FILES}",
                                       "/usr/local/lib/token-server/token-server-fetch --name acme ${MOSEK_FILES}"),
        }, self.differences(FILES, NAMED_FILES))

    def differences(self, one, other):
        one, other = ({(section, name): value for section in unit.sections() for name, value in unit[section].items()}
                      for unit in (Unit(one), Unit(other)))
        return {key: (one.get(key), other.get(key)) for key in one | other if one.get(key) != other.get(key)}

    def test_systemd_restarts_the_script_and_kills_its_leftover_processes(self):
        service = Unit(SERVICE)["Service"]
        self.assertEqual(("always", "mixed", "/usr/local/lib/token-server/token-server run",
                          "/usr/local/lib/token-server/token-server clean"),
                         tuple(service[name] for name in ("Restart", "KillMode", "ExecStart", "ExecStopPost")))
        self.assertEqual("0", Unit(SERVICE)["Unit"]["StartLimitIntervalSec"])
        # lmgrd has its time to end before the timeout of systemd.
        default = re.search(r"LMGRD_STOP_SECONDS=\$\{LMGRD_STOP_SECONDS:-(\d+)\}", (BOOT / "token-server").read_text())
        self.assertLess(int(default[1]), int(service["TimeoutStopSec"]))

    def test_the_unit_lets_the_script_write_etc_hosts(self):
        # "full" and "strict" make /etc read-only.
        self.assertEqual("yes", Unit(SERVICE)["Service"]["ProtectSystem"])

    def test_the_token_server_does_not_wait_for_s3(self):
        unit = Unit(SERVICE)["Unit"]
        self.assertEqual({"Description", "After", "StartLimitIntervalSec"}, set(unit))
        self.assertEqual("network.target", unit["After"])

    def test_the_udev_rule_sends_the_signal_that_the_script_handles(self):
        [rule] = [line for line in (BOOT / "90-token-server.rules").read_text().splitlines() if not line.startswith("#")]
        parts = dict(re.findall(r'(\w+)(?:==|\+=)"([^"]*)"(?:, |$)', rule))
        command, _, patterns = parts.pop("RUN").partition(" token-server")
        self.assertEqual({"SUBSYSTEM": "net", "ACTION": "add|remove|move"}, parts)
        self.assertEqual("/usr/bin/systemctl kill --kill-whom=main --signal=SIGUSR1", command)
        self.assertIn("trap : USR1\n", (BOOT / "token-server").read_text())
        # The signal would end a download.
        matched = {unit for unit in (SERVICE, FILES, NAMED, NAMED_FILES, "mosek-token-server.service")
                   for pattern in f"token-server{patterns}".split() if fnmatch.fnmatchcase(unit, pattern)}
        self.assertEqual({SERVICE, NAMED}, matched)

    def test_every_setting_in_the_file_has_the_default_that_it_shows(self):
        script = (BOOT / "token-server").read_text()
        declared = dict(re.findall(r"^([A-Z_]+)=\$\{\1:?-(.*)\}$", script, re.M))
        shown = dict(re.findall(r"^#([A-Z_]+)=(.*)$", (BOOT / "token-server.conf").read_text(), re.M))
        shown.pop("LICENSE_MAC")
        self.assertEqual({"LICENSE_FILE", "LMGRD", "LMGRD_OPTIONS", "LMGRD_USER", "LMGRD_STOP_SECONDS",
                          "ROUTING_PATIENCE_SECONDS", "VENDOR_PATIENCE_SECONDS", "WRITE_HOSTS"}, set(shown))
        self.assertEqual(shown, {name: declared[name] for name in shown})

    def test_systemd_accepts_the_units(self):
        analyze = shutil.which("systemd-analyze")
        if analyze is None:
            # `Unit` parses them anyway.
            return
        for unit in (SERVICE, FILES, NAMED, NAMED_FILES):
            # systemd-analyze also checks that the programs exist, so the units name them in the repository.
            text = (BOOT / unit.replace("acme", "")).read_text().replace("/usr/local/lib/token-server/", f"{BOOT}/")
            (self.folder / unit).write_text(text)
            verified = subprocess.run([analyze, "verify", "--man=no", str(self.folder / unit)], capture_output=True, text=True)
            own = [line for line in verified.stderr.splitlines() if unit in line]
            self.assertEqual([], own)

def section(page, heading):
    """The section of a document below a heading, up to the next heading."""
    text = (ROOT / "docs" / page).read_text()
    return re.split(r"^#+ ", text.split(f"{heading}\n", 1)[1], maxsplit=1, flags=re.M)[0]


class ByHand(unittest.TestCase):
    """The instructions for a setup by hand have the same steps as `install`, and so do the pages for operators."""

    maxDiff = None

    def test_cloud_init_sets_up_the_interface_at_every_boot(self):
        lines = (BOOT / "99-token-server.cfg").read_text().splitlines(keepends=True)
        setting = "".join(line for line in lines if not line.startswith("#"))
        self.assertEqual("updates:\n  network:\n    when: [boot, hotplug]\n", setting)
        attach = section("setup.md", "### 3. Attach the interface")
        self.assertIn(f"sudo tee /etc/cloud/cloud.cfg.d/99-token-server.cfg <<'END'\n{setting}END\n", attach)
        self.assertIn("\nsudo cloud-init devel hotplug-hook --subsystem net enable\n", attach)
        for name, text in [
            ("runbook", section("runbook.md", "### `same-subnet`")),
            ("remedy", re.sub(r"\\\n\s*", "", (ROOT / "src/tell/findings/members.rs").read_text()).split("FindingCode::SameSubnet")[1].split("}\n\n")[0]),
            ("manual", (ROOT / "docs/operator.md").read_text()),
        ]:
            with self.subTest(name):
                self.assertIn("updates: {network: {when: [boot, hotplug]}}", text)

    def test_the_loader_and_the_folder_of_locks_are_linked(self):
        setup = section("setup.md", "### 9. Install the token server")
        for link, target in [("/usr/tmp", "../var/tmp"), ("/lib64/ld-lsb-x86-64.so.3", "ld-linux-x86-64.so.2")]:
            with self.subTest(link):
                self.assertIn(f"test -e {link} || sudo ln -s {target} {link}\n", setup)

    def test_the_host_on_the_server_line_leads_to_the_interface_on_the_members(self):
        for page, heading in [("setup.md", "### 7. Ask for the license"), ("setup.md", "### 9. Install the token server"),
                              ("runbook.md", "### `host-placeholder`"), ("runbook.md", "### `ports-not-answering`")]:
            with self.subTest(f"{page} {heading}"):
                text = section(page, heading)
                self.assertIn("/etc/hosts", text)
                self.assertIn("Not a valid server hostname", text)


class Started(TestCase):
    """`install` on a machine: /etc, /lib64 and /usr/local are folders of the test, and the commands are stand-ins."""

    SERVED = ["systemctl daemon-reload", "systemctl enable token-server-files.service token-server.service",
              "systemctl restart token-server.service"]
    LOCATION = "s3://example-bucket/token-server"

    def install(self, system, failing=(), without=(), arguments=(LOCATION,), enabled=()):
        root = Path(self.enterContext(tempfile.TemporaryDirectory()))
        asked = root / "asked"
        for folder in ("etc", "usr/local/bin", "usr/lib", "usr/bin", "usr/sbin", "lib64", "dev", "var/tmp"):
            (root / folder).mkdir(parents=True)
        for name in ("bin", "lib", "sbin"):
            (root / name).symlink_to(f"usr/{name}")
        for folder in ("usr/lib", "usr/bin", "usr/sbin"):
            mount(f"/{folder}", root / folder, MS_BIND | MS_REC)
            self.addCleanup(LIBC.umount2, os.fsencode(root / folder), MNT_DETACH)
        for name in Path("/lib64").glob("ld-linux*"):
            shutil.copy(name, root / "lib64")
        # The loader of arm64 is in /lib, and /usr/bin/awk is found through alternatives.
        if Path("/etc/alternatives").is_dir():
            shutil.copytree("/etc/alternatives", root / "etc/alternatives", symlinks=True)
        (root / "dev/null").touch()
        (root / "etc/os-release").write_text(OS_RELEASE[system])
        wanted = root / "etc/systemd/system/multi-user.target.wants"
        wanted.mkdir(parents=True)
        for unit in enabled:
            (wanted / unit).symlink_to(f"/etc/systemd/system/{unit}")
        shutil.copytree(BOOT, root / "boot")
        for name in {"aws", "id", "useradd", "snap", "udevadm", "cloud-init", "systemctl"} - set(without):
            program = root / "usr/local/bin" / name
            tests = "".join(f'case "{name} $*" in "{call}"*) exit 1 ;; esac\n' for call in ("id mosek", *failing))
            program.write_text(f'#!/bin/sh\necho "{name} $*" >> /asked\n{tests}')
            program.chmod(0o755)
        run = subprocess.run(["sh", "/boot/install", *arguments], capture_output=True, text=True,
                             env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}, cwd="/", preexec_fn=lambda: os.chroot(root))
        return run.returncode, run.stderr, asked.read_text().splitlines()

    def test_the_service_is_enabled_and_started_whatever_else_fails(self):
        hook = "cloud-init devel hotplug-hook --subsystem net enable"
        for system, failing, without, complaints in [
            ("amazon", [], [], []),
            ("ubuntu", [], [], []),
            ("ubuntu", [hook], [], ["install: cloud-init will configure new interfaces only after the next boot"]),
            ("ubuntu", [], ["cloud-init"], ["install: cloud-init will configure new interfaces only after the next boot"]),
            ("ubuntu", ["snap"], ["aws"], ["install: the AWS CLI is missing, so MOSEK and the license cannot be downloaded"]),
            ("amazon", ["udevadm"], [], ["install: udev did not reload its rules; token-server checks every second anyway"]),
            ("amazon", ["systemctl restart token-server-files"], [],
             ["install: a download failed; see journalctl -u token-server-files"]),
            ("ubuntu", [hook, "udevadm", "systemctl restart token-server-files"], [],
             ["install: udev did not reload its rules; token-server checks every second anyway",
              "install: cloud-init will configure new interfaces only after the next boot",
              "install: a download failed; see journalctl -u token-server-files"]),
        ]:
            with self.subTest(system, failing=failing, without=without):
                status, said, asked = self.install(system, failing, without)
                self.assertEqual((0, complaints), (status, [line for line in said.splitlines() if line.startswith("install:")]))
                self.assertEqual(self.SERVED, [call for call in asked if call in self.SERVED])
                self.assertEqual("systemctl restart token-server-files.service", asked[-1])
                self.assertEqual(system == "ubuntu" and "cloud-init" not in without, hook in asked)

    def test_only_the_units_of_the_given_names_are_started(self):
        every = ["token-server.service", "token-server-files.service", "token-server@acme.service", "token-server-files@acme.service"]
        for arguments, enabled, names in [
            ([self.LOCATION, "acme"], [], ["@acme"]),
            ([self.LOCATION, "acme"], every[:2], ["@acme"]),
            ([self.LOCATION, "mosek", "acme"], [], ["@mosek", "@acme"]),
            ([self.LOCATION, "token-server", "acme"], [], ["", "@acme"]),
            (["acme"], every, ["@acme"]),
            # Without arguments: what the machine has.
            ([], [], [""]),
            ([], every[:2], [""]),
            ([], every[2:], ["@acme"]),
            ([], every, ["", "@acme"]),
            ([""], every[:2], [""]),
        ]:
            with self.subTest(arguments=arguments, enabled=enabled):
                status, said, asked = self.install("amazon", arguments=arguments, enabled=enabled,
                                                   failing=["systemctl restart token-server-files"])
                started = [call for name in names for call in (
                    f"systemctl enable token-server-files{name}.service token-server{name}.service",
                    f"systemctl restart token-server{name}.service")]
                fetched = [f"systemctl restart token-server-files{name}.service" for name in names]
                self.assertEqual(["systemctl daemon-reload", *started, *fetched],
                                 [call for call in asked if call.startswith("systemctl")])
                self.assertEqual((0, [f"install: a download failed; see journalctl -u token-server-files{name}" for name in names]),
                                 (status, [line for line in said.splitlines() if line.startswith("install:")]))


if __name__ == "__main__":
    unittest.main()
