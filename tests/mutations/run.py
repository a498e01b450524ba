#!/usr/bin/env python3
"""Breaks the function on purpose, one patch at a time, and reports which law catches each break.

    python3 tests/mutations/run.py [patch ...]

The script applies the patches to a copy of the tree. The copy shares the compiled dependencies, so the AWS SDK is not
compiled again. A break is caught if it breaks a law, in drawn worlds or in those of seeds.rs, or else if an example in
tests/suite fails. Without a break, no law may be broken. The exit status is 1 if a break is not caught or a patch does
not apply.

LAWS_WORLDS is the number of worlds for each break (6000).
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
TREE = TARGET / "mutations"
WORLDS = os.environ.get("LAWS_WORLDS", "6000")
# A few thousand worlds are enough, so compiling takes longer than playing. No optimization saves time.
ENVIRONMENT = {
    **os.environ,
    "CARGO_TARGET_DIR": str(TARGET),
    "CARGO_PROFILE_DEV_OPT_LEVEL": "0",
    "LAWS_WORLDS": WORLDS,
    "LAWS_ALL": "1",
    "RUST_BACKTRACE": "0",
}


def copy_tree():
    """Copies the files that git lists. An unchanged file keeps its time, so that cargo compiles little again."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        source, copy = ROOT / name, TREE / name
        if not source.is_file():
            continue
        content = source.read_bytes()
        if not copy.exists() or copy.read_bytes() != content:
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(content)


def broken_laws():
    """Compiles and plays. Returns {law: number of worlds in which it is broken} and the number of seeds in seeds.rs that
    break one, or a string if the copy does not compile."""
    test = ["cargo", "test", "--locked", "--package", "token-failover", "--test", "suite", "--",
            "laws::hold_under_every_fault", "laws::hold_for_the_seeds_that_once_broke_one"]
    done = subprocess.run(test, cwd=TREE, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if "worlds in" not in done.stderr:
        return done.stderr[-2000:]
    found = re.findall(r"^  law (\d+) is broken in (\d+) worlds", done.stderr, re.MULTILINE)
    kept = re.findall(r"^Broken again: ", done.stdout, re.MULTILINE)
    return {int(law): int(worlds) for law, worlds in found}, len(kept)


def failed_examples():
    """The number of failing examples, for a break that is too rare for the drawn worlds."""
    test = ["cargo", "test", "--locked", "--package", "token-failover", "--test", "suite", "--", "--skip", "laws::"]
    done = subprocess.run(test, cwd=TREE, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    return sum(map(int, re.findall(r"^test result: FAILED\. \d+ passed; (\d+) failed", done.stdout, re.MULTILINE)))


def verdict(patch):
    """The result of one break as a line, and whether it was caught."""
    copy_tree()
    applied = subprocess.run(["patch", "-p1", "--fuzz=0", "--quiet", "--no-backup-if-mismatch", "-i", patch.resolve()],
                             cwd=TREE, capture_output=True, text=True, check=False)
    if applied.returncode:
        return f"DOES NOT APPLY\n{applied.stdout}{applied.stderr}", False
    broken = broken_laws()
    if isinstance(broken, str):
        return f"DOES NOT COMPILE\n{broken}", False
    laws, kept = broken
    counts = [f"law {law} in {worlds}" for law, worlds in sorted(laws.items(), key=lambda item: -item[1])]
    counts += [f"{kept} of the seeds in seeds.rs"] if kept else []
    if not counts:
        examples = failed_examples()
        counts += [f"no law, {examples} examples"] if examples else []
    return ", ".join(counts) or "NOT CAUGHT", bool(counts)


def main():
    patches = [Path(name) for name in sys.argv[1:]] or sorted(HERE.glob("*.patch"))
    shutil.rmtree(TREE, ignore_errors=True)
    copy_tree()
    unbroken = broken_laws()
    if isinstance(unbroken, str) or any(unbroken):
        sys.exit(f"The laws are broken without any break: {unbroken}")
    if failing := failed_examples():
        sys.exit(f"{failing} examples fail without any break.")
    print(f"unbroken: no law is broken in {WORLDS} worlds, and no example fails", flush=True)
    fine = True
    for patch in patches:
        text, is_caught = verdict(patch)
        print(f"{patch.stem}: {text}", flush=True)
        fine &= is_caught
    sys.exit(not fine)


if __name__ == "__main__":
    main()
