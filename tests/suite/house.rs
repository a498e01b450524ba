//! The order of the house: which module may know what. Each rule of ARCHITECTURE.md that a reader of imports can check.

use std::fs;
use std::path::{Path, PathBuf};

/// A file under `src`, by its path from there.
struct Source {
    path: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path: PathBuf = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).expect("below src").display().to_string();
                sources.push(Source { path: name, text: fs::read_to_string(&path).expect("a text") });
            }
        }
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    sources
}

/// `path:line: text` of every line in the files of `scope` that has one of the words.
fn lines_with(words: &[&str], scope: impl Fn(&str) -> bool) -> Vec<String> {
    let sources = sources();
    let inside = sources.iter().filter(|source| scope(&source.path));
    let lines =
        inside.flat_map(|source| source.text.lines().enumerate().map(move |(index, line)| (source, index + 1, line)));
    lines
        .filter(|(_, _, line)| words.iter().any(|word| line.contains(word)))
        .map(|(source, number, line)| format!("{}:{number}: {}", source.path, line.trim()))
        .collect()
}

/// None of the words is outside the folder, and each is inside, so that the rule is about something.
#[track_caller]
fn only_in(folder: &str, words: &[&str]) {
    assert_eq!(lines_with(words, |path| !path.starts_with(folder)), Vec::<String>::new());
    for word in words {
        assert!(!lines_with(&[word], |path| path.starts_with(folder)).is_empty(), "{word} is not in {folder} either");
    }
}

#[test]
fn only_one_module_names_the_sdk() {
    only_in("aws/", &["aws_sdk_ec2", "aws_sdk_sns", "aws_config"]);
    assert_eq!(lines_with(&["aws_sdk", "aws_smithy"], |path| !path.starts_with("aws/")), Vec::<String>::new());
}

#[test]
fn every_answer_on_pages_is_read_by_the_one_who_reads_them_all() {
    let paginators = lines_with(&[".into_paginator()"], |path| path.starts_with("aws/"));
    let read = lines_with(&["each_page(ACTION, MOST_PAGES, pages, "], |path| path.starts_with("aws/"));
    assert!(paginators.len() >= 7, "{paginators:?}");
    assert_eq!(paginators.len(), read.len(), "{paginators:?}\n{read:?}");
    let by_hand = lines_with(&[".next().await"], |path| path.starts_with("aws/") && path != "aws/mod.rs");
    assert_eq!(by_hand, Vec::<String>::new());
}

#[test]
fn only_the_binaries_name_lambdas_runtime() {
    only_in("bin/", &["lambda_runtime"]);
}

#[test]
fn only_the_binaries_read_the_environment_and_the_clock_of_the_machine() {
    only_in("bin/", &["std::env", "SystemTime"]);
    assert_eq!(lines_with(&["Utc::now", "Local::now"], |_| true), Vec::<String>::new());
}

#[test]
fn the_decisions_are_pure_and_synchronous() {
    let pure = [
        "checks.rs",
        "config.rs",
        "event.rs",
        "findings.rs",
        "ids.rs",
        "license.rs",
        "license/assessment.rs",
        "marks.rs",
        "notification.rs",
        "observation.rs",
        "plan.rs",
        "report.rs",
        "security_group.rs",
    ];
    let paths: Vec<String> = sources().into_iter().map(|source| source.path).collect();
    for file in pure {
        assert!(paths.iter().any(|path| path == file), "{file} is gone; this rule must follow it");
    }
    let impure = [
        "async ",
        ".await",
        "tokio",
        "futures_util",
        "SystemTime",
        "Instant",
        "tracing",
        "print!",
        "println!",
        "std::fs",
    ];
    assert_eq!(lines_with(&impure, |path| pure.contains(&path)), Vec::<String>::new());
}

#[test]
fn every_file_opens_with_what_it_is() {
    let silent: Vec<String> =
        sources().into_iter().filter(|source| !source.text.starts_with("//! ")).map(|source| source.path).collect();
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn nothing_is_left_to_do_and_nothing_is_assumed_to_succeed() {
    let words = ["TODO", "FIXME", "todo!", "unimplemented!", ".unwrap()", ".expect(", "panic!", "dbg!", "unsafe"];
    assert_eq!(lines_with(&words, |_| true), Vec::<String>::new());
}

#[test]
fn the_project_writes_license_as_its_vendors_do() {
    assert_eq!(lines_with(&["licence", "Licence"], |_| true), Vec::<String>::new());
}
