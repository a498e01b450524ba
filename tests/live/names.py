"""The names of what a run makes. They all follow from the name of the run, so another process can remove what one has left."""

import re
import secrets

TAG = "token-failover-live"
# The name of the inline policy that a step puts on the function's role for some minutes.
POLICY = "token-failover-live-denied"


def new():
    return f"{TAG}-{secrets.token_hex(4)}"


def is_name(text):
    return re.fullmatch(rf"{TAG}-[0-9a-f]{{8}}", text) is not None


def surroundings(name):
    return f"{name}-surroundings"


def pair(name):
    return f"{name}-pair"


def function(name):
    """The stack of the function."""
    return name


def kept(name):
    """The tag Name that deploy/pair.yaml gives to the resources that stay when its stack is deleted."""
    return f"{pair(name)} license"


def bucket(name, account):
    return f"{surroundings(name)}-{account}"


def queue(name):
    return surroundings(name)


def alarm(name):
    """The alarm about the standby's status checks."""
    return f"{name}-standby"
