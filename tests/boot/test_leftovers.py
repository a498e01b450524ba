"""The files that an earlier server left behind: lmgrd's folder, and the lock files of the vendor daemons."""

import fcntl
import shutil
import unittest

from machine import MAC, SECOND, Interface, TestCase, eventually

HERE = f"token-server: the license interface {MAC} is here as ens6; starting lmgrd"
# Another user than that of lmgrd: `stat` says so, and `setpriv` stands in for what that user may not do.
OWNER = 'case $2 in %U) echo somebody ;; *) exec /usr/bin/stat "$@" ;; esac'
USER = """while :; do case $1 in --reuid | --regid) shift 2 ;; --*) shift ;; *) break ;; esac; done
[ "$1 $2" = "test -w" ] && exit 1
exec "$@\""""
NO_MKDIR = USER.replace("test -w", "mkdir $2")


class Leftovers(TestCase):
    def serving(self, **settings):
        machine = self.machine(**settings)
        Interface(*SECOND)
        return machine

    def assert_says(self, machine, *lines):
        machine.start()
        self.assert_serving(machine, starts=1)
        found = [line for line in machine.said() if line.startswith("token-server: ") and "resolve" not in line]
        self.assertEqual([HERE, *(f"token-server: {line}" for line in lines)], found[:1 + len(lines)])

    def test_nothing_is_said_or_changed_if_nothing_was_left_behind(self):
        machine = self.serving()
        self.assert_says(machine)
        self.assertEqual([".flexlm"], [path.name for path in machine.locks.iterdir()])
        self.assertFalse([line for line in machine.said() if "lock" in line or "flexlm" in line])

    def test_the_folder_of_lmgrd_is_created_if_its_parent_exists(self):
        machine = self.serving()
        (machine.locks / ".flexlm").rmdir()
        self.assert_says(machine)
        self.assertTrue((machine.locks / ".flexlm").is_dir())

    def test_a_missing_parent_is_logged_with_the_command_that_creates_it(self):
        machine = self.serving()
        shutil.rmtree(machine.locks)
        self.assert_says(
            machine,
            f"lmgrd needs {machine.locks}/.flexlm, but the folder {machine.locks} does not exist; run: ln -s ../var/tmp "
            f"{machine.locks}",
        )

    def test_a_folder_that_cannot_be_created_is_logged_with_the_commands_that_create_it(self):
        machine = self.serving(LMGRD_USER="lmgrd-user")
        machine.stand_in("setpriv", NO_MKDIR)
        (machine.locks / ".flexlm").rmdir()
        folder = machine.locks / ".flexlm"
        self.assert_says(
            machine,
            f"lmgrd-user may not create {folder}, where lmgrd keeps its files; run: mkdir {folder} && chown lmgrd-user {folder}",
        )

    def test_a_folder_of_another_user_is_logged_and_left_alone(self):
        machine = self.serving(LMGRD_USER="lmgrd-user")
        machine.stand_in("stat", OWNER)
        machine.stand_in("setpriv", USER)
        self.assert_says(
            machine,
            f"{machine.locks}/.flexlm belongs to somebody, so lmgrd cannot write there as lmgrd-user; run: chown -R lmgrd-user "
            f"{machine.locks}/.flexlm",
        )
        self.assertTrue((machine.locks / ".flexlm").is_dir())

    def test_a_stale_lock_of_the_same_user_is_removed(self):
        machine = self.serving()
        lock = machine.locks / "lockMOSEKLM"
        other = machine.locks / "lockother"
        lock.touch()
        other.touch()
        self.assert_says(machine, f"removed {lock}, which an earlier MOSEKLM left behind")
        self.assertEqual((False, True), (lock.exists(), other.exists()), "only the vendor daemons of the license count")

    def test_a_lock_that_the_user_cannot_write_is_logged_and_left_alone(self):
        machine = self.serving(LMGRD_USER="lmgrd-user")
        machine.stand_in("stat", OWNER)
        machine.stand_in("setpriv", USER.replace('"$1 $2" = "test -w"', '"${3##*/}" = lockMOSEKLM'))
        lock = machine.locks / "lockMOSEKLM"
        lock.touch()
        self.assert_says(machine, f"{lock} belongs to somebody, so MOSEKLM cannot lock it as lmgrd-user; run: rm {lock}")
        self.assertTrue(lock.exists())

    def test_a_file_in_place_of_the_folder_is_logged(self):
        machine = self.serving()
        (machine.locks / ".flexlm").rmdir()
        (machine.locks / ".flexlm").touch()
        self.assert_says(
            machine,
            f"{machine.locks}/.flexlm is not a folder, and lmgrd needs one there; run: rm {machine.locks}/.flexlm",
        )

    def test_a_lock_that_a_running_daemon_holds_is_logged_and_left_alone(self):
        machine = self.serving()
        lock = machine.locks / "lockMOSEKLM"
        with lock.open("w") as held:
            fcntl.lockf(held, fcntl.LOCK_EX)
            self.assert_says(
                machine, f"another MOSEKLM is running and has locked {lock}; stop it; otherwise the new one exits at once",
            )
            self.assertTrue(lock.exists())

    def test_the_files_are_checked_before_each_start(self):
        machine = self.serving()
        self.assert_says(machine)
        lock = machine.locks / "lockMOSEKLM"
        lock.touch()
        machine.vendor_daemon()
        machine.process.kill()
        eventually(False, lock.exists)


if __name__ == "__main__":
    unittest.main()
