"""What is linked into the released programs: no more and no less, each component with its license and its texts."""

import json
import tomllib
import unittest

from license_expression import get_spdx_licensing

from release import ROOT, Refused
from release.licenses import third_party_licenses
from release.linked import Component, Notices, program, spdx, texts_of
from release.programs import PACKAGES
from release.sbom import bill, mistake

SPDX = get_spdx_licensing()

COMMIT, SECONDS = "0123456789abcdef0123456789abcdef01234567", 1_764_422_401
NOTICES = """\
<h1>Copyright notices</h1><pre>not of a crate</pre>
<h3>📦 cfg-if-1.0.4</h3><p><b>License:</b> MIT OR Apache-2.0</p>
<p><b>Notices:</b>
<details><summary><code>LICENSE-APACHE</code></summary><pre>
the one text
</pre></details>
<details><summary><code>LICENSE-MIT</code></summary><pre>
Copyright &#60;somebody&#62;
</pre></details>
<h3>📦 wasi-0.11.1+wasi-snapshot-preview1</h3>
"""


def component(name, license="MIT", texts=None, **about):
    return Component(name, "1.0.0", license, f"pkg:cargo/{name}@1.0.0", texts or {}, **about)


# In place of the standard library and what the linker adds, which need the tools of a build.
RUNTIME = [Component("std", "1.95.0", "MIT OR Apache-2.0", "pkg:github/rust-lang/rust@1.95.0", {"LICENSE": "For everybody.\n"})]


class LinkedCrates(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.programs = {package: program(package, RUNTIME) for package in PACKAGES}
        cls.components = {it.reference: it for one in cls.programs.values() for it in one.components if it not in RUNTIME}

    def names(self, package):
        return {it.name for it in self.programs[package].components}

    def test_they_are_crates_of_the_lock_file_and_more_than_a_hundred(self):
        locked = {f"{it['name']}@{it['version']}" for it in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]}
        self.assertGreater(len(self.components), 100)
        self.assertEqual(set(), set(self.components) - locked)

    def test_each_program_is_there_with_what_it_needs(self):
        both = {"token-failover", "token-failover-aws", "aws-sdk-ec2", "ring", "rustls", "tokio", "std"}
        self.assertLessEqual(both | {"lambda_runtime"}, self.names("token-failover-function"))
        self.assertLessEqual(both | {"aws-sdk-sso", "clap", "toml_edit"}, self.names("token-failover-operator"))

    def test_what_only_the_command_needs_is_not_part_of_the_function(self):
        self.assertEqual(set(), self.names("token-failover-function") & {"anstream", "clap", "toml_edit"})

    def test_every_component_is_needed_by_the_program(self):
        for one in self.programs.values():
            seen, left = set(), [one.component.reference]
            while left:
                reference = left.pop()
                if reference not in seen:
                    seen.add(reference)
                    left += one.needs.get(reference, ())
            self.assertEqual({it.reference for it in one.components}, seen)

    def test_what_only_tests_build_scripts_or_the_compiler_need_is_not_there(self):
        names = {it.name for it in self.components.values()}
        self.assertEqual(set(), names & {
            "simulator", "proptest", "insta", "cc", "find-msvc-tools", "serde_derive", "clap_derive",
            "thiserror-impl", "tokio-macros", "strum_macros", "proc-macro2", "quote", "syn", "windows-sys", "wasm-bindgen",
        })

    def test_every_license_is_an_spdx_expression(self):
        for it in self.components.values():
            SPDX.parse(it.license, validate=True, strict=True)

    def test_every_crate_of_others_has_its_texts_and_its_checksum(self):
        for it in self.components.values():
            with self.subTest(it.reference):
                if it.is_ours:
                    self.assertEqual(("Apache-2.0", None, {}), (it.license, it.sha256, it.texts))
                else:
                    self.assertTrue(all(text.strip() for text in it.texts.values()) and it.texts)
                    self.assertRegex(it.sha256, r"^[0-9a-f]{64}$")

    def test_code_that_a_crate_has_copied_has_its_license_too(self):
        [ring] = [it for it in self.components.values() if it.name == "ring"]
        self.assertLessEqual({"LICENSE", "LICENSE-BoringSSL", "third_party/fiat/LICENSE"}, set(ring.texts))

    def test_a_crate_without_a_text_is_refused_unless_its_authors_are_known(self):
        nowhere = {"manifest_path": "/nonexistent/Cargo.toml", "source": "registry"}
        self.assertIn("Apache License", texts_of(nowhere | {"name": "any", "license": "MIT/Apache-2.0"})["LICENSE-APACHE"])
        self.assertIn("the authors of vsimd", texts_of(nowhere | {"name": "vsimd", "license": "MIT"})["LICENSE-MIT"])
        for name, license in (("other", "MIT"), ("vsimd", "ISC"), ("other", "Apache-2.0 AND ISC"), ("other", None)):
            with self.subTest(name=name, license=license), self.assertRaisesRegex(Refused, f"{name} has no license text"):
                texts_of(nowhere | {"name": name, "license": license})

    def test_the_notices_of_the_standard_library_are_read_by_crate(self):
        page = Notices()
        page.feed(NOTICES)
        self.assertEqual({
            "cfg-if": {"LICENSE-APACHE": "the one text\n", "LICENSE-MIT": "Copyright <somebody>\n"}, "wasi": {},
        }, page.crates)

    def test_the_old_way_to_write_or_is_read(self):
        self.assertEqual("MIT OR Apache-2.0", spdx("MIT/Apache-2.0"))
        self.assertEqual("MIT OR Apache-2.0", spdx("MIT / Apache-2.0"))
        self.assertEqual("(MIT OR Apache-2.0) AND Unicode-3.0", spdx("(MIT OR Apache-2.0) AND Unicode-3.0"))

    def test_the_file_of_licenses_names_every_crate_and_has_every_text(self):
        text = third_party_licenses(self.components.values())
        words = " ".join(text.split())
        for it in self.components.values():
            if it.is_ours:
                self.assertNotIn(f"\n{it.name} {it.version}: ", text)
            else:
                self.assertIn(f"\n{it.name} {it.version}: {it.license} [", text)
                for one in it.texts.values():
                    self.assertIn(" ".join(one.split()), words)

    def test_a_text_that_many_crates_have_is_there_once(self):
        text = third_party_licenses([
            component("one", texts={"LICENSE": "Do what you like.\n"}),
            component("two", "MIT OR ISC", {"LICENSE-MIT": "  Do what\r\nyou like.", "LICENSE-ISC": "Do as you like."}),
            component("ours", is_ours=True),
        ])
        self.assertIn("\none 1.0.0: MIT [1]\ntwo 1.0.0: MIT OR ISC [1, 2]\n", text)
        self.assertEqual((1, 1), (text.count("Do what"), text.count("[2]\n\nDo as you like.\n")))

    def bills(self, commit=COMMIT):
        return {package: bill(one, commit, SECONDS) for package, one in self.programs.items()}

    def test_the_bills_of_materials_follow_their_schema(self):
        for document in self.bills().values():
            self.assertIsNone(mistake(document))

    def test_a_bill_with_a_mistake_would_be_noticed(self):
        for broken in self.bills().values():
            del broken["components"][0]["name"]
            self.assertIsNotNone(mistake(broken))

    def test_a_bill_has_every_component_once_and_says_which_needs_which(self):
        for package, made in self.bills().items():
            own = made["metadata"]["component"]["bom-ref"]
            references = [own, *(it["bom-ref"] for it in made["components"])]
            self.assertEqual(sorted(it.reference for it in self.programs[package].components), sorted(references))
            needs = {it["ref"]: it["dependsOn"] for it in made["dependencies"]}
            self.assertEqual(set(references), set(needs))
            self.assertIn(RUNTIME[0].reference, needs[own])
            self.assertTrue(any(it.startswith("token-failover-aws@") for it in needs[own]))

    def test_two_bills_of_one_commit_are_the_same_and_those_of_two_commits_are_not(self):
        first, again, other = (self.bills(commit)["token-failover-function"] for commit in (COMMIT, COMMIT, COMMIT[::-1]))
        self.assertEqual(json.dumps(first), json.dumps(again))
        self.assertNotEqual(first["serialNumber"], other["serialNumber"])
        self.assertEqual("2025-11-29T13:20:01Z", first["metadata"]["timestamp"])


if __name__ == "__main__":
    unittest.main()
