"""In place of lmgrd: notes that it was started and with what, listens, and has a child that listens in place of the vendor
daemon. Ends on TERM, unless it is told to be stubborn.

    lmgrd.py NOTES [ARGUMENT...]
"""

import os
import signal
import socket
import sys
from pathlib import Path

notes, *arguments = sys.argv[1:]
LMGRD, VENDOR = 27007, 27008


def listen(port):
    listener = socket.create_server(("0.0.0.0", port))
    if "stubborn" in arguments:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        listener.accept()[0].close()


signal.signal(signal.SIGTERM, signal.SIG_DFL)
# One who asks `kill -0` after the death of the parent must not see the child as a zombie.
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
with Path(notes).open("a") as file:
    file.write(f"{os.getpid()} {' '.join(arguments)}\n")
if "broken" in arguments:
    sys.exit(1)
if os.fork() == 0:
    listen(VENDOR)
listen(LMGRD)
