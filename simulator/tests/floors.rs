//! The floors of the crate: no file imports from a floor above its own, and no files import one another in a circle.

#[path = "../../tests/support/imports.rs"]
mod imports;

use std::path::{Path, PathBuf};

/// From the ground up. The program in `bin` uses only the public items of lib.rs.
const FLOORS: [&[&str]; 8] =
    [&["names"], &["model"], &["like"], &["world"], &["scenario"], &["simulation"], &["wire"], &["client", "server"]];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

#[test]
fn no_file_imports_from_a_floor_above_its_own() {
    assert!(imports::is_imported(&root(), "world::operations", "world::instances"), "imports are seen");
    assert_eq!(imports::against_the_floors(&root(), &FLOORS), [""; 0]);
}

#[test]
fn no_files_import_one_another_in_a_circle() {
    assert_eq!(imports::circles(&root()), [""; 0]);
}
