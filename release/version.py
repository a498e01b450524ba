"""The version of a release: Cargo.toml names it, and a tag and the changelog must agree."""

import re
import tomllib

from release import ROOT, Refused


def version(cargo=None):
    """The version that all packages of the workspace have."""
    text = (ROOT / "Cargo.toml").read_text() if cargo is None else cargo
    return tomllib.loads(text)["workspace"]["package"]["version"]


def check_tag(tag, version):
    """Refuses a tag that is not the tag of this version."""
    if tag != f"v{version}":
        raise Refused(
            f"The tag {tag} does not belong to version {version} of Cargo.toml. Tag the commit as v{version}, or change the "
            "version in Cargo.toml first."
        )


def notes(changelog, version):
    """What the changelog says about this version."""
    sections = re.split(r"^(?=## )", changelog, flags=re.MULTILINE)
    found = [section for section in sections if re.match(rf"## \[{re.escape(version)}\] - \d{{4}}-\d{{2}}-\d{{2}}\n", section)]
    text = found[0].partition("\n")[2].strip() if len(found) == 1 else ""
    if not text:
        raise Refused(
            f"CHANGELOG.md has no section for version {version}. Give the section Unreleased the heading "
            f"`## [{version}] - YYYY-MM-DD`, and begin a new one above it."
        )
    return text + "\n"
