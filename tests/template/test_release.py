"""The templates of a release: template.yaml with the built function, and nothing else is different."""

import difflib
import tempfile
import unittest
from pathlib import Path

from deployment import ROOT
from release import Refused
from release.template import released, templates
from translate import translate

SOURCE = (ROOT / "template.yaml").read_text()


def translated(text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.yaml"
        path.write_text(text)
        return translate(path)


class Released(unittest.TestCase):
    maxDiff = None

    def test_only_the_code_and_the_processor_differ_from_the_template_in_the_repository(self):
        for name, code, changed in (
            ("template.yaml", "token-failover-function-arm64.zip", []),
            ("template-x86_64.yaml", "token-failover-function-x86_64.zip",
             ["-      Architectures: [arm64]", "+      Architectures: [x86_64]"]),
        ):
            difference = difflib.unified_diff(SOURCE.splitlines(), templates()[name].splitlines(), n=0, lineterm="")
            lines = [line for line in difference if not line.startswith(("---", "+++", "@@"))]
            self.assertEqual([
                "-    Metadata:", "-      BuildMethod: rust-cargolambda", "-      BuildProperties:",
                "-        Binary: token-failover-function", "-      CodeUri: .", f"+      CodeUri: {code}", *changed,
            ], lines)

    def test_the_stack_is_the_same_as_one_that_was_built_from_source(self):
        for name, architecture in (("template.yaml", "arm64"), ("template-x86_64.yaml", "x86_64")):
            built, found = translated(SOURCE), translated(templates()[name])
            properties = found["Resources"]["Failover"]["Properties"]
            self.assertEqual(([architecture], "bootstrap"), (properties["Architectures"], properties["Handler"]))
            properties["Architectures"] = ["arm64"]
            # What SAM has to build, in the metadata of what becomes of the function.
            for resource in built["Resources"].values():
                if "BuildMethod" in resource.get("Metadata", {}):
                    del resource["Metadata"]
            self.assertEqual(built, found)

    def test_a_template_whose_lines_have_changed_is_refused(self):
        for line in ("      CodeUri: .\n", "      Architectures: [arm64]\n", "      BuildMethod: rust-cargolambda\n"):
            with self.assertRaisesRegex(Refused, "exactly once"):
                released(SOURCE.replace(line, ""), "aarch64")
        with self.assertRaisesRegex(Refused, "exactly once"):
            released(SOURCE.replace("      CodeUri: .\n", "      CodeUri: .\n" * 2), "aarch64")


if __name__ == "__main__":
    unittest.main()
