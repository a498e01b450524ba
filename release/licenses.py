"""The license texts of everything that is linked into the released programs, each text once."""

RULE = "=" * 100
INTRODUCTION = """\
The programs of token-failover contain the components below. Each one is named with its license, as an SPDX expression, and with
the numbers of the texts that it brings along, which follow. token-failover itself has the license Apache-2.0. Its text is in
LICENSE.
"""


def same(text):
    """What is compared of a text: all but its line breaks and spaces."""
    return " ".join(text.split())


def third_party_licenses(components):
    """The text file for a release."""
    theirs = {(it.name, it.version): it for it in components if not it.is_ours}
    numbers, texts, lines = {}, [], []
    for _, component in sorted(theirs.items()):
        named = set()
        for text in component.texts.values():
            key = same(text)
            if key not in numbers:
                texts.append(text.strip("\n"))
                numbers[key] = len(texts)
            named.add(numbers[key])
        lines.append(f"{component.name} {component.version}: {component.license} [{', '.join(map(str, sorted(named)))}]")
    parts = [INTRODUCTION, "\n".join(lines) + "\n"]
    parts += [f"{RULE}\n[{number}]\n\n{text}\n" for number, text in enumerate(texts, start=1)]
    return "\n".join(parts)
