"""Starts MiniStack with four additions: tests can put events of AWS's own services, tests can set the clock of the schedules
forward, conditions can split strings, as in CloudFormation, and the log of an invocation is whole on a busy machine, too.

    python emulator.py FILE     FILE has the number of seconds by which the clock is ahead
"""

import sys
import time
from pathlib import Path

import ministack.services.eventbridge as eventbridge
from ministack.app import main
from ministack.core.lambda_runtime import ProvidedWorker
from ministack.services.cloudformation import changesets, engine, handlers, stacks

AHEAD = Path(sys.argv.pop())

# All these names are internal to the version that requirements-template.txt pins.
eventbridge._put_events.__defaults__ = (True,)
eventbridge._SCHEDULER_TICK_INTERVAL = 0.2
now = eventbridge._now_ts
eventbridge._now_ts = lambda: now() + float(AHEAD.read_text())

evaluate_conditions = engine._evaluate_conditions


def strings(value, parameters):
    """The condition with the results of all string functions."""
    if isinstance(value, list):
        return [strings(item, parameters) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() & {"Fn::Select", "Fn::Split", "Fn::Join"} or value == {"Ref": "AWS::Region"}:
        return engine._resolve_refs(value, {}, parameters, {}, {}, "", "")
    return {key: strings(item, parameters) for key, item in value.items()}


def conditions_with_texts(template, parameters):
    return evaluate_conditions(template | {"Conditions": strings(template.get("Conditions", {}), parameters)}, parameters)


for module in (changesets, handlers, stacks):
    module._evaluate_conditions = conditions_with_texts

lines_so_far = ProvidedWorker._drain_stderr_bounded


def whole_log(worker, **during_init):
    """The function's lines up to its report or its failure, which is its last one. MiniStack takes the lines that have come
    until none follows for five milliseconds."""
    if during_init:
        return lines_so_far(worker, **during_init)
    log, deadline = [], time.monotonic() + 10
    while time.monotonic() < deadline:
        log += filter(None, [lines_so_far(worker)])
        if log and ('"type":"report"' in log[-1] or '"type":"failure"' in log[-1]):
            break
    return "\n".join(log)


ProvidedWorker._drain_stderr_bounded = whole_log

if __name__ == "__main__":
    main()
