"""What is linked into the released programs: crates, Rust's standard library with its own crates, and what the linker adds.

`cargo tree` says which crates cargo links into a program on a target. `cargo metadata` would also name those that only tests,
build scripts or other programs of the workspace need. Procedural macros run in the compiler, so they are left out, too.
"""

import json
import re
import sys
import tomllib
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from release import ROOT, Refused, output
from release.programs import TARGETS, selected

# Files in the source of a crate that have its license, or say whose it is.
LEGAL = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)", re.IGNORECASE)

# Crates whose source has no copy of their license, and who their authors are. Each has MIT only; for crates with Apache-2.0,
# the text in LICENSE is enough, because it names nobody.
WITHOUT_TEXT = {
    "base64-simd": "the authors of base64-simd (https://github.com/Nugine/simd)",
    "vsimd": "the authors of vsimd (https://github.com/Nugine/simd)",
}
MIT = """\
MIT License

Copyright (c) {authors}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software
is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES
OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE
LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR
IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""

# Crates that Rust ships next to std for its test harness and for procedural macros, so that no program has them.
NOT_IN_PROGRAMS = {"getopts", "rustc-literal-escaper"}


@dataclass(frozen=True)
class Component:
    """Something that is linked into a program."""

    name: str
    version: str
    license: str
    purl: str
    # License texts by the name of their file; empty for the packages of this repository.
    texts: dict = field(default_factory=dict, compare=False, hash=False)
    sha256: str | None = None
    is_ours: bool = False

    @property
    def reference(self):
        return f"{self.name}@{self.version}"


@dataclass(frozen=True)
class Program:
    """A released program: the component that it is, all components in it, and which needs which, by reference."""

    component: Component
    components: list
    needs: dict


def tree(target):
    """Which crate needs which on a target, as pairs of name and version, when both programs are compiled together."""
    lines = output(
        "cargo", "tree", "--locked", "--edges", "normal,no-proc-macro", *selected(), "--target", target, "--prefix", "depth",
        "--format", " {p}",
    ).splitlines()
    needs, above = {}, []
    for line in filter(None, lines):
        depth, name, version, *_ = line.split()
        crate = (name, version.removeprefix("v"))
        del above[int(depth):]
        if above:
            needs[above[-1]].add(crate)
        above.append(crate)
        needs.setdefault(crate, set())
    return needs


def below(package, needs):
    """All crates that a package needs, directly or not, and the package itself."""
    left, found = [crate for crate in needs if crate[0] == package], set()
    while left:
        crate = left.pop()
        if crate not in found:
            found.add(crate)
            left += needs[crate]
    return found


def spdx(expression):
    """The SPDX expression of a crate. Cargo used to write `/` for OR."""
    return re.sub(r"\s*/\s*", " OR ", expression or "")


def texts_below(folder):
    """The license texts in the source of a crate, also of code that it has copied."""
    files = sorted(path for path in folder.rglob("*") if LEGAL.match(path.name) and path.suffix != ".rs" and path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


def texts_of(package):
    """The license texts of a package that `cargo metadata` describes."""
    found = texts_below(Path(package["manifest_path"]).parent)
    if found:
        return found
    name, expression = package["name"], spdx(package["license"])
    if "Apache-2.0" in expression.split(" OR "):
        return {"LICENSE-APACHE": (ROOT / "LICENSE").read_text()}
    if expression == "MIT" and name in WITHOUT_TEXT:
        return {"LICENSE-MIT": MIT.format(authors=WITHOUT_TEXT[name])}
    raise Refused(f"The source of {name} has no license text, and {expression} asks for one. See WITHOUT_TEXT in release/linked.py.")


def crates(package):
    """The crates of a program on all targets, by name and version, and which needs which."""
    metadata = json.loads(output("cargo", "metadata", "--locked", "--format-version", "1"))
    packages = {(it["name"], it["version"]): it for it in metadata["packages"]}
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    sums = {(it["name"], it["version"]): it.get("checksum") for it in lock["package"]}
    needs = {}
    for target in TARGETS.values():
        all_needs = tree(target)
        for crate in below(package, all_needs):
            needs.setdefault(crate, set()).update(all_needs[crate])
    components = {}
    for crate in needs:
        it = packages[crate]
        is_ours = it["source"] is None
        components[crate] = Component(
            *crate, spdx(it["license"]), f"pkg:cargo/{crate[0]}@{crate[1]}", {} if is_ours else texts_of(it), sums[crate], is_ours,
        )
    return components, needs


class Notices(HTMLParser):
    """Reads COPYRIGHT-library.html of Rust: the license texts of each crate that its standard library is built of."""

    def __init__(self):
        super().__init__()
        self.crates, self.text, self.file = {}, "", None

    def handle_starttag(self, tag, attributes):
        if tag in ("h3", "code", "pre"):
            self.text = ""

    def handle_data(self, data):
        self.text += data

    def handle_endtag(self, tag):
        crate = re.fullmatch(r"\W*([\w-]+?)-(\d+\.\d+\.\d+\S*)", self.text.strip()) if tag == "h3" else None
        if crate:
            self.crate = self.crates[crate[1]] = {}
        elif tag == "code":
            self.file = self.text.strip()
        elif tag == "pre" and self.crates:
            self.crate[self.file] = self.text.strip("\n") + "\n"


def standard_library():
    """Rust's standard library, with the notices of the crates in it. The compiler brings them along.

    The notices leave out the crates that print a backtrace, such as `object`. All of these have Apache-2.0 or the Unlicense as
    a choice, so the text of Apache-2.0 is enough.
    """
    sysroot = Path(output("rustc", "--print", "sysroot").strip())
    release = re.search(r"^release: (.+)$", output("rustc", "--version", "--verbose"), re.MULTILINE)[1]
    documents = sysroot / "share" / "doc" / "rust"
    page = documents / "COPYRIGHT-library.html"
    if not page.exists():
        raise Refused(f"{page} is missing. Install Rust with rustup, which brings the notices of the standard library along.")
    notices = Notices()
    notices.feed(page.read_text())
    texts = {name: (documents / "licenses" / f"{name}.txt").read_text() for name in ("Apache-2.0", "Unicode-3.0")}
    for crate in sorted(notices.crates.keys() & in_standard_library(sysroot)):
        texts |= {f"{crate}/{file}": text for file, text in notices.crates[crate].items()}
    return Component(
        "std", release, "(MIT OR Apache-2.0) AND Unicode-3.0", f"pkg:github/rust-lang/rust@{release}", texts,
    )


def in_standard_library(sysroot):
    """The crates whose code is in Rust's standard library on a target of ours."""
    crates = set()
    for target in TARGETS.values():
        files = list((sysroot / "lib" / "rustlib" / target / "lib").glob("lib*.rlib"))
        if not files:
            raise Refused(f"Rust's standard library for {target} is missing. Run `rustup target add {target}`.")
        crates |= {re.fullmatch(r"lib(.+)-[0-9a-f]+\.rlib", file.name)[1].replace("_", "-") for file in files}
    return crates - NOT_IN_PROGRAMS


def linker():
    """What the linker adds to each program: the C library, the unwinder for panics, and arithmetic of the compiler."""
    library = zig_library()
    version = output(sys.executable, "-m", "ziglang", "version").strip()
    llvm = re.search(r"clang version (\S+)", output(sys.executable, "-m", "ziglang", "cc", "--version"))[1]
    musl = re.search(r'"(.+)"', (library / "libc" / "musl" / "src" / "internal" / "version.h").read_text())[1]
    return [
        Component(
            "compiler-rt", version, "MIT", f"pkg:github/ziglang/zig@{version}",
            {"LICENSE": (library.parent / "LICENSE").read_text()},
        ),
        Component(
            "libunwind", llvm, "Apache-2.0 WITH LLVM-exception", f"pkg:github/llvm/llvm-project@llvmorg-{llvm}",
            {"LICENSE.TXT": (library / "libunwind" / "LICENSE.TXT").read_text()},
        ),
        Component(
            "musl", musl, "MIT", f"pkg:generic/musl@{musl}", {"COPYRIGHT": (library / "libc" / "musl" / "COPYRIGHT").read_text()},
        ),
    ]


def zig_library():
    """The folder with the sources of what the linker adds."""
    import ziglang

    return Path(ziglang.__file__).parent / "lib"


def program(package, runtime):
    """The program of a package, with the components that are part of every program."""
    found, pairs = crates(package)
    [own] = [it for it in found.values() if it.name == package]
    needs = {found[crate].reference: {found[it].reference for it in needed} for crate, needed in pairs.items()}
    needs[own.reference] |= {it.reference for it in runtime}
    return Program(own, sorted([*found.values(), *runtime], key=lambda it: it.reference), needs)


def runtime():
    """What is part of every program."""
    return [standard_library(), *linker()]
