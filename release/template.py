"""The templates of a release: template.yaml with the built function instead of its source.

    python -m release.template FOLDER     write them to a folder, to lint them
"""

import sys
from pathlib import Path

from release import ROOT, Refused
from release.programs import LAMBDA, function_zip

# The lines of template.yaml that say what to build, and where the source is.
SOURCE = """\
    Metadata:
      BuildMethod: rust-cargolambda
      BuildProperties:
        Binary: token-failover-function
"""
CODE = "      CodeUri: .\n"
ARCHITECTURE = "      Architectures: [arm64]\n"

# The templates by their names. The one without a name of its own is for arm64, which costs less.
MACHINES = {"template.yaml": "aarch64", "template-x86_64.yaml": "x86_64"}


def released(template, machine):
    """The template that deploys the zip for this machine, which is beside it."""
    replaced = {
        SOURCE: "",
        CODE: f"      CodeUri: {function_zip(machine)}\n",
        ARCHITECTURE: f"      Architectures: [{LAMBDA[machine]}]\n",
    }
    for lines, by in replaced.items():
        if template.count(lines) != 1:
            raise Refused(f"template.yaml must have these lines exactly once. Change release/template.py with them:\n{lines}")
        template = template.replace(lines, by)
    return template


def templates():
    """The templates of a release by their names."""
    template = (ROOT / "template.yaml").read_text()
    return {name: released(template, machine) for name, machine in MACHINES.items()}


def write(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in templates().items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
