"""Runs the dashboard's queries of CloudWatch Logs Insights over log lines.

It knows the commands that these queries use and refuses every other one. Source: CloudWatch Logs User Guide, "CloudWatch
Logs Insights language query syntax".
"""

import json
import re

PATH = r"@?[A-Za-z]\w*(?:\.\w+)*"


def run(query, lines):
    """The log group of the query, and its rows, each a dictionary of the displayed columns."""
    source, *commands = (part.strip() for part in query.split(" | "))
    [group] = re.fullmatch(r"SOURCE '([^']+)'", source).groups()
    records = [{"@timestamp": number, "@message": line} for number, line in enumerate(lines)]
    columns = []
    commands.reverse()
    while commands:
        name, _, argument = commands.pop().partition(" ")
        match name:
            case "filter":
                records = [record for record in records if _filter(argument, record)]
            case "fields":
                for field in re.split(r", ", argument):
                    _add(field, records)
            case "unnest":
                path, new = re.fullmatch(rf"({PATH}) into (\w+)", argument).groups()
                records = [record | {new: item} for record in records for item in _items(_value(path, record))]
            case "display":
                columns = argument.split(", ")
            case "sort":
                path, direction = re.fullmatch(rf"({PATH}) (asc|desc)", argument).groups()
                records.sort(key=lambda record: _value(path, record), reverse=direction == "desc")
            case "dedup":
                # Only limit may follow. Of equal values the first is kept, so the rows must be sorted already.
                if [command.split()[0] for command in commands] != ["limit"]:
                    raise ValueError("dedup is followed by something else than limit")
                paths = argument.split(", ")
                first = {}
                for record in records:
                    first.setdefault(json.dumps([_value(path, record) for path in paths]), record)
                records = list(first.values())
            case "limit":
                records = records[: int(argument)]
            case _:
                raise NotImplementedError(name)
    for column in columns:
        if column not in ("@timestamp", "@message") and not all(column in record for record in records):
            raise ValueError(f"{column} was never made a field")
    return group, [{column: record.get(column) for column in columns} for record in records]


def _filter(argument, record):
    """Comparisons with strings, joined by either `and` or `or`."""
    joint = " and " if " and " in argument else " or "
    found = [_compare(test, record) for test in argument.split(joint)]
    return all(found) if joint == " and " else any(found)


def _compare(test, record):
    path, operator, operand = re.fullmatch(rf"({PATH}) (=|in|not in) (.+)", test).groups()
    value, operand = _value(path, record), json.loads(operand)
    match operator:
        case "=":
            return value == operand
        case "in":
            return value in operand
        case "not in":
            return value not in operand


def _add(field, records):
    if field in ("@timestamp", "@message"):
        return
    parsed = re.fullmatch(rf"jsonParse\(({PATH})\) as (\w+)", field)
    path, new = (parsed or re.fullmatch(rf"({PATH}) as (\w+)", field)).groups()
    for record in records:
        value = _value(path, record)
        record[new] = _json(value) if parsed else value


def _json(text):
    """None if the string is not JSON."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def _items(value):
    """A value that is not a list counts as a list of one item."""
    return value if isinstance(value, list) else [value]


def _value(path, record):
    head, *rest = path.split(".")
    value = record[head]
    for key in rest:
        value = value.get(key) if isinstance(value, dict) else None
    return value
