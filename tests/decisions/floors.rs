//! The floors of the library. Each imports only from itself and from those before it, and no files of any package
//! import one another in a circle.

use std::collections::BTreeSet;

use crate::imports::{Imports, against_the_floors, circles, in_circles, is_imported, paths, tokens, without_tests};
use crate::standard::root;

/// The floors, in the order of the data's way.
const FLOORS: [&[&str]; 5] = [&["model"], &["decide"], &["tell"], &["ports"], &["act"]];

#[test]
fn no_file_imports_from_a_later_floor() {
    let library = root().join("src");
    assert!(is_imported(&library, "decide::plan", "model::plan"), "imports are seen");
    assert_eq!(against_the_floors(&library, &FLOORS), [""; 0]);
}

#[test]
fn no_files_import_one_another_in_a_circle() {
    for package in ["src", "aws/src", "operator/src", "operator/src/bin/token-failover"] {
        assert_eq!(circles(&root().join(package)), [""; 0], "{package}");
    }
}

#[test]
fn every_form_of_an_import_is_found() {
    let code = "
        use std::fmt; // and crate::comments
        pub use self::below::Thing as Other;
        use super::{super::top, beside::{self, deep::{A, B}}, Face};
        mod child;
        pub(crate) fn f(x: &crate::model::Region) -> Self { self.x; child::g(super::tags::all) }

        #[cfg(test)]
        mod tests { use crate::scenario; }
    ";
    let lines: Vec<&str> = code.lines().map(|line| line.strip_prefix("        ").unwrap_or(line)).collect();
    let seen: Vec<String> =
        paths(&tokens(&without_tests(&lines.join("\n")))).iter().map(|path| path.join("::")).collect();
    assert_eq!(
        seen,
        [
            "self::below::Thing",
            "super::super::top",
            "super::beside",
            "super::beside::deep::A",
            "super::beside::deep::B",
            "super::Face",
            "self::child",
            "crate::model::Region",
            "super::tags::all",
        ]
    );
}

#[test]
fn a_circle_is_found_without_the_files_that_only_lead_to_it() {
    let to = |all: &[&str]| all.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
    let imports: Imports =
        [("a", to(&["b"])), ("b", to(&["c", "e"])), ("c", to(&["b", "d"])), ("d", to(&[])), ("e", to(&[]))]
            .map(|(name, all)| (name.to_owned(), all))
            .into();
    assert_eq!(in_circles(&imports), [("b".to_owned(), to(&["c"])), ("c".to_owned(), to(&["b"]))].into());
}
