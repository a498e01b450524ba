"""What the checks of the examples share: the pages, template.yaml for given parameters, and example ids."""

import re
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "template"))
from deployment import INTERFACE, ROOT, TEMPLATE, Deployment

PAGE = (ROOT / "docs" / "infrastructure-as-code.md").read_text()

IDS = {
    "interface": INTERFACE, "first": "i-0aaaaaaaaaaaaaaa1", "second": "i-0bbbbbbbbbbbbbbb2",
    "allocation": "eipalloc-0eeeeeeeeeeeeeee1", "security group": "sg-0ccccccccccccccc1",
}


def section(title):
    """The section of the page with this heading, up to the next heading of its level or above."""
    [(level, begin)] = [(len(it[1]), it.end()) for it in re.finditer(rf"^(#+) {re.escape(title)}$", PAGE, re.MULTILINE)]
    following = re.compile(rf"^#{{1,{level}}} ", re.MULTILINE).search(PAGE, begin)
    return PAGE[begin:following.start() if following else len(PAGE)]


def named(title, header):
    """The names in the first column of the table with this header, in the section with this heading."""
    text = section(title)
    rows = text[text.index(f"| {header} |"):].split("\n\n")[0].splitlines()[2:]
    names = [re.match(r"\| `([^`]+)`", row)[1] for row in rows]
    if len(names) != len(set(names)):
        raise ValueError(f"a name twice: {names}")
    return set(names)


def token_failover(parameters):
    """token-failover with these parameters. A ValueError says which one template.yaml refuses."""
    numbers = {name for name, it in TEMPLATE["Parameters"].items() if it["Type"] == "Number"}
    return Deployment(TEMPLATE, **{name: int(it) if name in numbers else it for name, it in parameters.items()})
