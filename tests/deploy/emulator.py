"""Starts MiniStack with two doors that AWS keeps shut: events of AWS's own services can be put, and the clock of the
schedules can be set forward.

    python emulator.py FILE     FILE holds the seconds by which the clock is ahead
"""

import sys
from pathlib import Path

import ministack.services.eventbridge as eventbridge
from ministack.app import main

AHEAD = Path(sys.argv.pop())

# Both names are internal to the version that requirements-template.txt pins.
eventbridge._put_events.__defaults__ = (True,)
eventbridge._SCHEDULER_TICK_INTERVAL = 0.2
now = eventbridge._now_ts
eventbridge._now_ts = lambda: now() + float(AHEAD.read_text())

if __name__ == "__main__":
    main()
