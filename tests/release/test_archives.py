"""The archives of a release: the same bytes for the same files, and readable by the usual programs."""

import hashlib
import io
import os
import subprocess
import tarfile
import tempfile
import time
import unittest
import zipfile
from pathlib import Path

from release.archives import Entry, tarred, zipped

SECONDS = 1_764_422_401
FILES = [
    Entry("bootstrap", b"\x7fELF" + bytes(range(256)) * 50, executable=True),
    Entry("deploy/empty", b""),
    Entry("a.txt", b"one line\n" * 10),
]


def in_time_zone(zone, make):
    """What `make` returns on a machine in this time zone."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    time.tzset()
    try:
        return make()
    finally:
        os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
        time.tzset()


class Archives(unittest.TestCase):
    def test_the_same_files_are_the_same_bytes_in_any_order_and_time_zone(self):
        for make in (lambda files: zipped(files, SECONDS), lambda files: tarred("folder", files, SECONDS)):
            archives = {
                in_time_zone(zone, lambda: make(files))
                for zone in ("UTC", "Asia/Kolkata") for files in (FILES, FILES[::-1])
            }
            self.assertEqual(1, len(archives))

    def test_the_bytes_are_those_of_every_other_machine(self):
        # A change of these sums is a change of every release: another compressor, or other headers.
        sums = [hashlib.sha256(it).hexdigest() for it in (zipped(FILES, SECONDS), tarred("folder", FILES, SECONDS))]
        self.assertEqual([
            "1659c8daf08e00a601efc8bc7ee47906683cf572ff415218a1cccce0a110c011",
            "84e5e98ee69c9168142685f4e2441f859e3907a63a0fa68a4e7d45a5321da05e",
        ], sums)

    def test_a_zip_has_the_files_with_their_modes_and_the_time(self):
        with zipfile.ZipFile(io.BytesIO(zipped(FILES, SECONDS))) as archive:
            self.assertIsNone(archive.testzip())
            found = {it.filename: (it.external_attr >> 16, it.create_system, it.date_time, archive.read(it)) for it in archive.infolist()}
        # An accuracy of two seconds.
        at = (2025, 11, 29, 13, 20, 0)
        self.assertEqual({it.name: (0o100000 | it.mode, 3, at, it.data) for it in FILES}, found)

    def test_a_tar_has_the_files_in_one_folder_with_their_modes_and_the_time(self):
        with tarfile.open(fileobj=io.BytesIO(tarred("folder", FILES, SECONDS))) as archive:
            found = {it.name: (it.mode, it.mtime, it.uid, it.uname, archive.extractfile(it).read()) for it in archive.getmembers()}
        self.assertEqual({f"folder/{it.name}": (it.mode, SECONDS, 0, "root", it.data) for it in FILES}, found)

    def test_unpacked_the_programs_can_be_started(self):
        script = Entry("bootstrap", b"#!/bin/sh\necho started\n", executable=True)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "it.tar.gz").write_bytes(tarred("it", [script], SECONDS))
            subprocess.run(["tar", "--extract", "--file", "it.tar.gz"], cwd=folder, check=True)
            self.assertEqual("started\n", subprocess.run(["it/bootstrap"], cwd=folder, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    unittest.main()
