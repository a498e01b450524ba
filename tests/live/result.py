"""What a run has shown: as a table, as JSON, and as an exit status. Nothing here makes a call."""

from dataclasses import asdict, dataclass, field

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Held:
    """The step held. `seen` says what was seen."""

    seen: str


@dataclass(frozen=True)
class NotHeld:
    """Something was not as it should be."""

    why: str


@dataclass(frozen=True)
class Failed:
    """The step could not be taken."""

    why: str


@dataclass(frozen=True)
class LeftOut:
    """The step was not taken, on purpose."""

    why: str


@dataclass(frozen=True)
class NotReached:
    """The run ended before the step."""

    why: str = "the run ended before"


WORDS = {Held: "held", NotHeld: "NOT HELD", Failed: "FAILED", LeftOut: "left out", NotReached: "not reached"}
CODES = {Held: "held", NotHeld: "not-held", Failed: "failed", LeftOut: "left-out", NotReached: "not-reached"}


def told(name, left, expires):
    """What is left of a run, in lines."""
    if not left:
        return "\n".join([*expires, f"Nothing of {name} is left."])
    lines = [*expires, f"{len(left)} of the things of {name} may be left, and may cost money:"]
    for it in left:
        lines += [f"- {it.kind} {it.name}: {it.why}", f"  {it.command}"]
    return "\n".join([*lines, f"With valid credentials, this removes all of it: make live-remove NAME={name}"])


@dataclass
class Result:
    """The outcomes of the steps by their names, with their seconds, and what is left in the account."""

    name: str
    region: str
    account: str
    emulated: bool
    cents: int
    outcomes: dict = field(default_factory=dict)
    seconds: dict = field(default_factory=dict)
    # Why the run ended early; None: it did not.
    ended: str | None = None
    # What could not be removed, or not be seen to be gone.
    left: list = field(default_factory=list)
    # What AWS removes by itself, later.
    expires: list = field(default_factory=list)

    def all_held(self):
        taken = [it for it in self.outcomes.values() if not isinstance(it, LeftOut)]
        return bool(taken) and self.ended is None and all(isinstance(it, Held) for it in taken)

    def exit_status(self):
        """0: everything held and is gone. 1: something did not hold. 2: the run could not be completed. 3: something is left."""
        if self.left:
            return 3
        if self.ended is not None or any(isinstance(it, Failed) for it in self.outcomes.values()):
            return 2
        return 0 if self.all_held() else 1

    def document(self):
        steps = [
            {
                "step": name, "result": CODES[type(outcome)], "seconds": self.seconds.get(name),
                "detail": outcome.seen if isinstance(outcome, Held) else outcome.why,
            }
            for name, outcome in self.outcomes.items()
        ]
        return {
            "schemaVersion": SCHEMA_VERSION,
            "result": "held" if self.all_held() else "not-held",
            "name": self.name, "region": self.region, "account": self.account, "emulator": self.emulated,
            "estimatedCents": self.cents, "ended": self.ended, "steps": steps,
            "left": [asdict(it) for it in self.left], "expires": self.expires,
        }

    def table(self):
        rows = [
            (name, WORDS[type(it)], f"{self.seconds[name]:.0f} s" if name in self.seconds else "",
             it.seen if isinstance(it, Held) else it.why)
            for name, it in self.outcomes.items()
        ]
        widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
        lines = [
            f"{name:<{widths[0]}}  {word:<{widths[1]}}  {seconds:>{widths[2]}}  {detail}" for name, word, seconds, detail in rows
        ]
        if self.ended is not None:
            lines.append(f"The run ended early: {self.ended}")
        lines.append("All of it held." if self.all_held() else "Not all of it held.")
        lines.append(told(self.name, self.left, self.expires))
        return "\n".join(lines) + "\n"
