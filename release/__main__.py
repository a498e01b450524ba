"""Makes the release of the commit that is checked out.

    python -m release build DIST [--tag TAG]    compile the programs, and write the release to DIST
    python -m release notes [--tag TAG]         print what CHANGELOG.md says about the version
"""

import argparse
import sys
from pathlib import Path

from release import ROOT, Refused
from release.version import check_tag, notes, version


def main():
    parser = argparse.ArgumentParser(prog="python -m release")
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="compile the programs, and write the release")
    build.add_argument("dist", type=Path)
    for command in (build, commands.add_parser("notes", help="print what the changelog says about the version")):
        command.add_argument("--tag", help="the tag that the release is made for")
    arguments = parser.parse_args()
    if arguments.tag:
        check_tag(arguments.tag, version())
    if arguments.command == "notes":
        sys.stdout.write(notes((ROOT / "CHANGELOG.md").read_text(), version()))
    else:
        if arguments.tag:
            notes((ROOT / "CHANGELOG.md").read_text(), version())
        # Needs tools that the notes do not need.
        from release.distribution import make

        make(arguments.dist)


if __name__ == "__main__":
    try:
        main()
    except Refused as refused:
        sys.exit(str(refused))
