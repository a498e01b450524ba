"""The acceptance run in an AWS account: `make live`.

It says what it costs, asks, deploys deploy/pair.yaml with a stand-in for MOSEK and template.yaml in stacks of their own,
takes the steps of plan.py, and removes everything again, whatever happens. `--remove NAME` only removes what an earlier run
has left. The exit status is 0 if everything held, 1 if something did not, 2 if the run could not be completed, and 3 if
something may be left.
"""

import argparse
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import NoRegionError

import cost
import names
import plan
import removal
from aws import Aws, CallError, Unexpected, code_of
from deployable import ROOT, found
from result import WORDS, Failed, Held, LeftOut, NotHeld, NotReached, Result, told
from steps import Run, Wrong, caller

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
COULD_NOT_RUN, SOMETHING_IS_LEFT = 2, 3
# More than one, because an error can pass, and because what was deleted can come back, as a log to which a last run writes.
REMOVALS = 3


class Interrupted(BaseException):
    """A signal asks the run to end."""


class Signals:
    """Turns the first signal within a block into `Interrupted`, and ignores all others. So no signal can come between the
    steps and the removal."""

    def __init__(self):
        self.armed = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.arrived)

    def arrived(self, number, _):
        if self.armed:
            self.armed = False
            raise Interrupted(signal.Signals(number).name)

    def __enter__(self):
        self.armed = True

    def __exit__(self, *_):
        self.armed = False


class Teller:
    """Says what happens, on standard error and in the folder. Neither a closed terminal nor a full disk may stop a removal."""

    def __init__(self):
        self.log = None

    def __call__(self, text):
        try:
            print(text, file=sys.stderr, flush=True)
        except OSError:
            pass
        if self.log is None:
            return
        try:
            with self.log.open("a") as log:
                print(text, file=log)
        except OSError as error:
            lost, self.log = self.log, None
            self(f"{lost} ends here: {error}")


def arguments(words):
    parser = argparse.ArgumentParser(prog="live", description=__doc__.partition("\n\n")[0])
    parser.add_argument("--yes", action="store_true", default=os.environ.get("LIVE_YES") == "1", help="do not ask (LIVE_YES=1)")
    parser.add_argument("--remove", metavar="NAME", help="only remove what the run with this name has left")
    parser.add_argument("--folder", type=Path, default=ROOT / "live-results", help="where the results go, in a folder for each run")
    parser.add_argument("--template", type=Path, help="the built template; otherwise the one in dist/, or that of `sam build`")
    parser.add_argument("--command", type=Path, default=TARGET / "debug" / "token-failover", help="the operator's command")
    parser.add_argument("--poll", type=float, default=5, help="seconds between two looks at something that takes long")
    parser.add_argument("--emulator", action="store_true", help="leave out what the emulator of AWS in test_live.py cannot do")
    given = parser.parse_args(words)
    if given.remove is not None and not names.is_name(given.remove):
        parser.error(f"{given.remove} is not the name of a run, such as {names.TAG}-0123abcd")
    given.template = (given.template or found()).resolve()
    given.command = given.command.resolve()
    return given


def missing(given):
    """What a run needs and does not have on this machine, in a sentence, or None."""
    if not given.template.exists():
        return f"There is no {given.template}. Build it with `sam build`, or run `make live`."
    if not given.command.exists():
        return f"There is no {given.command}. Build it with `make build`, or run `make live`."
    host = urlsplit(os.environ.get("AWS_ENDPOINT_URL", "")).hostname
    if given.emulator and host not in ("127.0.0.1", "localhost"):
        return "--emulator is only for tests: AWS_ENDPOINT_URL must be an address of this machine."
    return None


def session():
    """The account and the Region that the environment or a profile names."""
    found = boto3.Session()
    if found.region_name is None:
        raise NoRegionError()
    return found


def confirmed(given, say):
    """Asks the person at the terminal."""
    if given.yes:
        return True
    if not sys.stdin.isatty():
        say("The run needs confirmation, and standard input is not a terminal. Pass `--yes`, or set LIVE_YES=1.")
        return False
    say("Type yes to begin:")
    try:
        return sys.stdin.readline().strip() == "yes"
    except KeyboardInterrupt:
        return False


def outcome_of(run, step):
    """Takes a step."""
    try:
        return Held(run.take(step))
    except Wrong as error:
        return NotHeld(str(error))
    except (*CallError, Unexpected, OSError) as error:
        return Failed(str(error))


def take_steps(run, result, say, begun):
    """All steps, until one fails without which the others make no sense. `begun` names those whose first call may have been
    made."""
    for step, reason in plan.chosen(run.emulated):
        if reason is not None:
            result.outcomes[step.name] = LeftOut(reason)
            continue
        begun.append(step.name)
        result.outcomes[step.name] = Failed("interrupted")
        say(f"{step.name}: {step.shows} ...")
        began = time.monotonic()
        outcome = result.outcomes[step.name] = outcome_of(run, step)
        result.seconds[step.name] = round(time.monotonic() - began, 1)
        say(f"  {outcome.seen if isinstance(outcome, Held) else f'{WORDS[type(outcome)]}: {outcome.why}'}")
        if step.makes and not isinstance(outcome, Held):
            result.ended = f"{step.name}: {outcome.why}"
            return


def remove(aws, name, kinds, signals, say):
    """Removes everything, and looks what is left. Returns that, and what AWS removes by itself."""
    key, reasons = None, {}
    try:
        with signals:
            key = removal.key_of(aws, name)
            for _ in range(REMOVALS):
                reasons = removal.remove(aws, name, say)
                say("looking for what is left ...")
                left = removal.look(aws, name, kinds, reasons)
                if not left:
                    break
            of_key, expires = removal.of_key(aws, key)
            return left + of_key, expires
    except Interrupted as error:
        why = f"the removal was interrupted ({error})"
        say(f"{why[0].upper()}{why[1:]}. Looking for what is left ...")
    try:
        with signals:
            left = removal.look(aws, name, kinds, {(kind.kind, kind.step): why for kind in kinds})
            of_key, expires = removal.of_key(aws, key)
            return left + of_key, expires
    except Interrupted:
        return removal.expected(aws.region, name, kinds, why), []


def finish(result, folder, say):
    """Says the result and writes it."""
    say("\n" + result.table())
    try:
        (folder / "result.json").write_text(json.dumps(result.document(), indent=2) + "\n")
        (folder / "result.txt").write_text(result.table())
        say(f"The results are in {folder}.")
    except OSError as error:
        say(f"The results could not be written to {folder}: {error}")
    try:
        print(json.dumps(result.document()), flush=True)
    except OSError:
        pass
    return result.exit_status()


def only_remove(aws, name, emulated, signals, say):
    """Removes what another run has left."""
    caller(aws)
    left, expires = remove(aws, name, removal.kinds(None, emulated), signals, say)
    say(told(name, left, expires))
    return SOMETHING_IS_LEFT if left else 0


def main(words):
    say = Teller()
    given = arguments(words)
    try:
        aws = Aws(session(), given.poll)
        if given.remove is not None:
            return only_remove(aws, given.remove, given.emulator, Signals(), say)
        lack = missing(given)
        if lack is not None:
            say(lack)
            return COULD_NOT_RUN
        account, partition = caller(aws)
    except CallError as error:
        nothing = "removed" if given.remove else "made"
        say(f"Nothing was {nothing}. AWS cannot be asked ({code_of(error)}): {error}")
        return COULD_NOT_RUN
    say(cost.sentence(plan.minutes(), account, aws.region))
    if not confirmed(given, say):
        say("Nothing was made.")
        return COULD_NOT_RUN

    name = names.new()
    folder = given.folder.resolve() / name
    folder.mkdir(parents=True)
    say.log = folder / "log.txt"
    say(f"The name of everything is {name}.")
    result = Result(name, aws.region, account, given.emulator, cost.cents(plan.minutes()))
    begun, signals = [], Signals()
    try:
        with signals:
            run = Run(aws, name, account, partition, folder, given.template, given.command, given.emulator, say)
            take_steps(run, result, say, begun)
    except Interrupted as error:
        result.ended = f"interrupted ({error})"
    except Exception as error:
        result.ended = f"a mistake in this program: {error!r}"
        say(traceback.format_exc())
    for step in plan.STEPS:
        result.outcomes.setdefault(step.name, NotReached())
    if begun:
        result.left, result.expires = remove(aws, name, removal.kinds(begun, given.emulator), signals, say)
    return finish(result, folder, say)
