"""The stand-in for MOSEK's programs, in an archive like MOSEK's, and a license for it. The instances install both from the
bucket as they install MOSEK, so deploy/pair.yaml needs no change. Nothing here makes a call."""

import io
import tarfile
from pathlib import Path

TESTS = Path(__file__).parents[1]
# The name of MOSEK's archive for x86_64, by which deploy/boot/token-server-fetch asks for it.
ARCHIVE = "mosektoolslinux64x86.tar.bz2"
PORTS = (27007, 27008)
# The host in the outputs of lmstat.
HOST = "lic.example.com"

LMGRD = '''\
#!/usr/bin/python3
# The stand-in of tests/boot, without its notes.
import sys
sys.argv.insert(1, "/dev/null")
'''

# As tests/lmstat has it, and as the function reads it. lmstat exits with its error number plus 256.
LMUTIL = '''\
#!/usr/bin/python3
"""A stand-in for lmutil: prints what lmstat prints, as the ports of lmgrd and of its vendor daemon answer."""
import socket
import sys

SERVES = {serves!r}
VENDOR_DOWN = {vendor_down!r}
DOWN = {down!r}


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=10).close()
    except OSError:
        return False
    return True


port = int(sys.argv[sys.argv.index("-c") + 1].partition("@")[0])
text, code = (DOWN, 241) if not answers(port) else (SERVES, 0) if answers(port + 1) else (VENDOR_DOWN, 159)
print(text, end="")
sys.exit(code)
'''

MOSEKLM = '''\
#!/bin/sh
# A stand-in: lmgrd listens in place of the vendor daemon.
exit 1
'''


def programs():
    """The text of each program, by its name."""
    lmstat = {
        key: (TESTS / "lmstat" / f"{name}.txt").read_text()
        for key, name in (
            ("serves", "serves"), ("vendor_down", "vendor-down-without-error"), ("down", "cannot-connect"),
        )
    }
    lmgrd = LMGRD + (TESTS / "boot" / "lmgrd.py").read_text()
    return {"lmgrd": lmgrd, "lmutil": LMUTIL.format(**lmstat), "MOSEKLM": MOSEKLM}


def archive():
    """The archive, as MOSEK's download page has it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:bz2") as file:
        for name, text in programs().items():
            member = tarfile.TarInfo(f"stand-in/bin/{name}")
            member.size, member.mode = len(text.encode()), 0o755
            file.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def license(mac_address):
    """An invented license for this MAC address."""
    hostid = mac_address.replace(":", "")
    return (
        f"SERVER {HOST} {hostid} {PORTS[0]}\nUSE_SERVER\nVENDOR MOSEKLM port={PORTS[1]}\n"
        'FEATURE PTS MOSEKLM 11 31-dec-2031 10 SIGN="invented"\n'
    )
