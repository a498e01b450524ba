"""A stand-in for lmgrd: records its start and its arguments, listens, and has a child that listens in place of the vendor
daemon. It ends on SIGTERM, except with the option `stubborn`. Like lmgrd, it ends at once if the host on the SERVER line
is not this machine.

    lmgrd.py NOTES [ARGUMENT...]
"""

import os
import signal
import socket
import sys
import time
from pathlib import Path

notes, *arguments = sys.argv[1:]
# Two of them on one machine need different ports: `ports=LMGRD,VENDOR`.
[(LMGRD, VENDOR)] = [map(int, it.removeprefix("ports=").split(",")) for it in arguments if it.startswith("ports=")] or [(27007, 27008)]


def is_here(host):
    """Whether a name resolves to an address of this machine: only such an address can be bound."""
    if host.lower() == "this_host":
        return True
    try:
        with socket.socket() as tried:
            tried.bind((socket.gethostbyname(host), 0))
    except OSError:
        return False
    return True


def listen(port):
    listener = socket.create_server(("0.0.0.0", port))
    if "stubborn" in arguments:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        listener.accept()[0].close()


def vendor_daemon():
    if "no-vendor" in arguments:
        sys.exit("No valid hostids, exiting")
    if "slow-vendor" in arguments:
        time.sleep(3)
    listen(VENDOR)


signal.signal(signal.SIGTERM, signal.SIG_DFL)
# After the death of the parent, `kill -0` must not find the child as a zombie.
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
with Path(notes).open("a") as file:
    file.write(f"{os.getpid()} {' '.join(arguments)}\n")
if "broken" in arguments:
    sys.exit(1)
[server] = [line.split() for line in Path(arguments[arguments.index("-c") + 1]).read_text().splitlines()
            if line.startswith("SERVER ")]
if not is_here(server[1]):
    sys.exit(f'(lmgrd) "{server[1]}": Not a valid server hostname, exiting.')
if os.fork() == 0:
    vendor_daemon()
listen(LMGRD)
