"""docs/infrastructure-as-code.md: its code is cut from the examples, and its commands pass parameters that exist."""

import re
import textwrap
import unittest

from examples import PAGE, ROOT, TEMPLATE

# The files that the code of each language is cut from.
FILES = {
    "hcl": sorted((ROOT / "deploy" / "terraform").glob("*.tf")),
    "ts": [ROOT / "deploy" / "cdk" / "app.ts"],
    "yaml": [ROOT / "deploy" / "pair.yaml"],
}


def dedented(lines):
    return textwrap.dedent("\n".join(lines))


def is_cut_from(block, text):
    """Whether the text has the lines of the block one after the other, at any one indentation."""
    wanted, lines = block.splitlines(), text.splitlines()
    begins = range(len(lines) - len(wanted) + 1)
    return any(dedented(lines[begin:begin + len(wanted)]) == dedented(wanted) for begin in begins)


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


class Page(unittest.TestCase):
    def test_the_code_of_the_page_is_cut_from_the_examples(self):
        for language, files in FILES.items():
            texts = [file.read_text() for file in files]
            self.assertTrue(blocks(language), language)
            for block in blocks(language):
                self.assertTrue(any(is_cut_from(block, text) for text in texts), block)

    def test_a_changed_line_is_noticed(self):
        text = (ROOT / "deploy" / "terraform" / "main.tf").read_text()
        block = next(it for it in blocks("hcl") if "prevent_destroy = true" in it)
        self.assertTrue(is_cut_from(block, text))
        self.assertFalse(is_cut_from(block.replace("prevent_destroy = true", "prevent_destroy = false"), text))
        self.assertFalse(is_cut_from(block.replace("    prevent_destroy = true\n", ""), text))

    def test_the_page_has_no_code_of_another_language(self):
        languages = set(re.findall(r"^```(\w+)$", PAGE, re.MULTILINE))
        self.assertEqual({*FILES, "sh", "text"}, languages)

    def test_every_parameter_that_the_page_names_exists(self):
        named = set(re.findall(r"`((?:TokenServer|Failover|Notification|SecondNotification)\w+)`", PAGE))
        self.assertTrue(named)
        self.assertEqual(set(), named - set(TEMPLATE["Parameters"]))


if __name__ == "__main__":
    unittest.main()
