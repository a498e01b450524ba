"""The steps of a run, in their order, and those that the emulator of AWS cannot take. Nothing here makes a call."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """A step. If one that makes something fails, the run cannot go on. The others only look, so the run goes on after them."""

    name: str
    shows: str
    minutes: int
    makes: bool = False


STEPS = (
    Step("surroundings", "CloudFormation makes a network, a queue and a bucket", 5, makes=True),
    Step("files", "the boot files, the stand-in for MOSEK, the function and its template are in the bucket", 1, makes=True),
    Step("pair", "CloudFormation makes deploy/pair.yaml: the license interface, an Elastic IP and two instances", 5, makes=True),
    Step("license", "a license for the interface's MAC address is in the bucket", 1, makes=True),
    Step("boot", "the instances install themselves, and lmgrd runs on the instance that has the interface, and only there", 5),
    Step("function", "CloudFormation makes template.yaml, and its topic has a queue before it has a message", 4, makes=True),
    Step("first-audit", "the first audit arrives in the queue, and no finding is critical", 3),
    Step("exercise", "the operator's failover there and back", 3),
    Step("exercise-stop-holder", "the holder is stopped, EC2's event starts the deployed function, and the interface moves there and back", 8),
    Step("exercise-one-way", "a failover to a standby that is stopped", 8),
    Step("role-denies", "the function's role allows nothing of what it must not do", 1),
    Step("role-allows", "the function's role allows what a failover needs", 1),
    Step("denied-attach", "with a denied AttachNetworkInterface, the audit says so, and a failover leaves the interface alone", 6),
    Step("alarms", "every alarm of the stack reaches the topic", 2),
    Step("standby-alarm", "an alarm about the standby's status checks starts the function", 2),
    Step("failing-standby", "a standby without a network fails EC2's status check, and the audit says so", 12),
)

# What the emulator of AWS in test_live.py cannot do: steps that are left out there, and why.
EMULATOR_LACKS = {
    "boot": "the emulator's instances have no operating system, and no Systems Manager agent",
    "denied-attach": "the emulator enforces no policy of a role",
    "failing-standby": "the emulator's instances have no network, and their status checks never fail",
}
# What it cannot list after the removal.
EMULATOR_CANNOT_LIST = {
    "document": "the emulator does not list the documents of Systems Manager; the run makes none there",
}
# What the steps that are not left out do less well there.
EMULATOR_DIFFERS = {
    "function": "without the license check, because no command of Systems Manager runs; the key, the queues' policies and the "
                "topic's key have no effect",
    "exercise": "EC2 detaches and attaches at once, and the ports are on the machine of the test",
    "exercise-stop-holder": "the instance stops at once, and the test sends EC2's event",
    "alarms": "no alarm is calculated from a metric",
    "standby-alarm": "the test sends CloudWatch's event",
}

# The time that CloudFormation needs to delete the stacks.
REMOVAL_MINUTES = 14


def minutes():
    """How long a run takes, about."""
    return sum(step.minutes for step in STEPS) + REMOVAL_MINUTES


def chosen(emulated):
    """Each step, and the reason to leave it out."""
    return [(step, EMULATOR_LACKS.get(step.name) if emulated else None) for step in STEPS]
