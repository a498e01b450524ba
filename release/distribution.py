"""What a release consists of: the files of the release's page, and the folder to deploy from.

Both have the same files. The archive has the folder, so that one download is enough.
"""

import hashlib
import json
import shutil

from release import ROOT, Refused, output
from release.archives import Entry, tarred, zipped
from release.licenses import third_party_licenses
from release.linked import program, runtime
from release.links import resolved
from release.programs import PACKAGES, build, command, function_zip
from release.sbom import bill, mistake
from release.template import templates
from release.version import version

LICENSES = "THIRD-PARTY-LICENSES.txt"
SUMS = "SHA256SUMS"
# What an operator needs of the repository: documents, examples, the files of the pair, and what SAM need not be asked.
KEPT = ("CHANGELOG.md", "LICENSE", "README.md", "SECURITY.md", "deploy", "docs", "samconfig.toml")


def commit(folder=ROOT):
    """The commit that is checked out in a working copy, and its time. The commit must have everything that is there."""
    changed = output("git", "status", "--porcelain", folder=folder)
    if changed:
        raise Refused(f"A release is made of a commit. Commit or remove these changes first:\n{changed}")
    name, seconds = output("git", "log", "-1", "--format=%H %ct", folder=folder).split()
    return name, int(seconds)


def kept():
    """The files of the repository that are part of a release."""
    for line in output("git", "ls-files", "--stage", "--", *KEPT).splitlines():
        mode, name = line.split()[0], line.split("\t")[1]
        yield Entry(name, (ROOT / name).read_bytes(), executable=mode == "100755")


def built(files, programs, commit_name, seconds):
    """What is made for a release. All of it is also on the release's page.

    `files` has the compiled programs by package and machine, and `programs` what is linked into them, by package.
    """
    for (package, machine), data in files.items():
        if package == "token-failover-function":
            yield Entry(function_zip(machine), zipped([Entry("bootstrap", data, executable=True)], seconds))
        else:
            yield Entry(command(machine), data, executable=True)
    components = [component for program in programs.values() for component in program.components]
    yield Entry(LICENSES, third_party_licenses(components).encode())
    for package, program in programs.items():
        document = bill(program, commit_name, seconds)
        if found := mistake(document):
            raise Refused(f"The bill of materials of {package} does not follow CycloneDX's schema: {found}")
        yield Entry(f"{PACKAGES[package]}.cdx.json", (json.dumps(document, indent=2) + "\n").encode())


def sums(entries):
    """The checksums, as sha256sum prints and checks them."""
    ordered = sorted(entries, key=lambda entry: entry.name)
    return "".join(f"{hashlib.sha256(entry.data).hexdigest()}  {entry.name}\n" for entry in ordered)


def write(folder, entries):
    for entry in entries:
        path = folder / entry.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(entry.data)
        path.chmod(entry.mode)


def assemble(files, programs, name, commit_name, seconds):
    """The files of the release's page, and those of the folder to deploy from, which is called `name`."""
    made = list(built(files, programs, commit_name, seconds))
    folder = resolved([*made, *(Entry(name, text.encode()) for name, text in templates().items()), *kept()])
    page = [*made, Entry(f"{name}.tar.gz", tarred(name, folder, seconds))]
    return [*page, Entry(SUMS, sums(page).encode())], folder


def make(dist):
    """Writes the release of the commit that is checked out to the folder `dist`."""
    commit_name, seconds = commit()
    files = {key: path.read_bytes() for key, path in build(seconds).items()}
    in_each = runtime()
    programs = {package: program(package, in_each) for package in PACKAGES}
    name = f"token-failover-{version()}"
    page, folder = assemble(files, programs, name, commit_name, seconds)
    shutil.rmtree(dist, ignore_errors=True)
    write(dist, page)
    write(dist / name, folder)
