"""Makes a release of the commit that is checked out: `make release` runs this package. CONTRIBUTING.md says how to release."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


class Refused(Exception):
    """Why no release can be made, and what to do."""


def output(*command, folder=ROOT):
    """What a command prints."""
    return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, check=True, text=True).stdout
