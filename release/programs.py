"""Compiles the released programs: the function and the operator's command, for both architectures.

The programs are static: they carry musl, so they run on every Linux. Zig compiles the C code and links, for any architecture.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from release import ROOT, output

# The packages and the programs in them.
PACKAGES = {"token-failover-function": "token-failover-function", "token-failover-operator": "token-failover"}
# Rust's targets, by the name that Linux has for the processor.
TARGETS = {machine: f"{machine}-unknown-linux-musl" for machine in ("aarch64", "x86_64")}
# Lambda's names of the processors.
LAMBDA = {"aarch64": "arm64", "x86_64": "x86_64"}


def function_zip(machine):
    """The name of the zip with the function."""
    return f"token-failover-function-{LAMBDA[machine]}.zip"


def command(machine):
    """The name of the operator's command. It ends as `uname -m` says."""
    return f"token-failover-{machine}"


def selected():
    """Cargo's options that select the released packages."""
    return [option for package in PACKAGES for option in ("--package", package)]


def target_folder():
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()


def sources():
    """The folder that cargo has unpacked each registry's crates into."""
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    return sorted((home / "registry" / "src").glob("*/"))


def remapped():
    """The compiler's options that keep the folders of this machine out of the programs."""
    sysroot = output("rustc", "--print", "sysroot").strip()
    commit = re.search(r"^commit-hash: (.+)$", output("rustc", "--version", "--verbose"), re.MULTILINE)[1]
    folders = {ROOT: "/token-failover", target_folder(): "/target", Path(sysroot, "lib/rustlib/src/rust"): f"/rustc/{commit}"}
    # The last option that fits counts, and the target folder may be in the root.
    folders |= {folder: "/crates" for folder in sources()}
    return [f"--remap-path-prefix={folder}={name}" for folder, name in folders.items()]


# Variables with which a user sets other builds: profiles, targets, wrappers of the compiler, its options.
NOT_KEPT = ("CARGO_BUILD_", "CARGO_PROFILE_", "CARGO_TARGET_X86", "CARGO_TARGET_AARCH64", "RUSTC", "RUSTFLAGS")


def environment(seconds):
    """The environment of a build."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_KEPT)}
    return kept | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(remapped()),
        "SOURCE_DATE_EPOCH": str(seconds),
        # What Zig has compiled for another build names the folders of that build.
        "ZIG_GLOBAL_CACHE_DIR": str(target_folder() / "zig"),
    }


def build(seconds):
    """Compiles all programs, and returns their files by package and machine."""
    output("cargo", "fetch", "--locked")
    for target in TARGETS.values():
        # Together, so that the SDK is compiled once. The optimizer leaves out of the function what only the command calls.
        command = ["cargo", "zigbuild", "--release", "--locked", "--target", target, *selected(), "--bins"]
        subprocess.run(command, cwd=ROOT, env=environment(seconds), check=True)
    return {
        (package, machine): target_folder() / target / "release" / program
        for machine, target in TARGETS.items() for package, program in PACKAGES.items()
    }
