"""The links of the pages in a release."""

import posixpath
import re
from dataclasses import replace

# A link of Markdown to a file, with or without a place in it: not to another site, and not to a place on the same page.
LINK = re.compile(r"\[([^\]]+)\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def targets(page):
    """The files to which a page links, as names from the root."""
    return [target(page, link) for link in LINK.finditer(page.data.decode())]


def target(page, link):
    """The file to which a link of a page leads, as a name from the root."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page.name), link[2]))


def resolved(entries):
    """The files, whose pages name what only the repository has without a link."""
    names = {entry.name for entry in entries}
    there = names | {parent for name in names for parent in parents(name)}
    return [resolve(entry, there) if entry.name.endswith(".md") else entry for entry in entries]


def parents(name):
    """The folders in which a file is."""
    while name := posixpath.dirname(name):
        yield name


def resolve(page, there):
    def instead(link):
        return link[0] if target(page, link) in there else f"{link[1]} (in the repository)"

    return replace(page, data=LINK.sub(instead, page.data.decode()).encode())
