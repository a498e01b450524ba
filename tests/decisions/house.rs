//! The rules of ARCHITECTURE.md that a reader of the sources can check: which module may use what.

use std::fs;
use std::path::{Path, PathBuf};

/// The folders with the sources of each package.
const PACKAGES: [&str; 4] = ["src", "aws/src", "function/src", "operator/src"];

/// A source file, by its path from the root of the project.
struct Source {
    path: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<PathBuf> = PACKAGES.iter().map(|folder| root.join(folder)).collect();
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path: PathBuf = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).expect("in the project").display().to_string();
                sources.push(Source { path: name, text: fs::read_to_string(&path).expect("UTF-8") });
            }
        }
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    sources
}

/// `path:line: text` of every line in the files of `scope` that contains one of the words.
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

/// No word is outside these packages, and each word is inside, so that the rule applies to something.
#[track_caller]
fn only_in(packages: &[&str], words: &[&str]) {
    let is_in = |path: &str| packages.iter().any(|package| path.starts_with(package));
    assert_eq!(lines_with(words, |path| !is_in(path)), Vec::<String>::new());
    for word in words {
        assert!(!lines_with(&[word], is_in).is_empty(), "{word} is not in {packages:?} either");
    }
}

#[test]
fn only_one_package_names_the_sdk() {
    only_in(&["aws/"], &["aws_sdk_ec2", "aws_sdk_sns", "aws_sdk_ssm", "aws_config", "aws_smithy"]);
}

/// The names of the packages on which a package depends, without those for its tests.
fn dependencies(manifest: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(manifest)).expect("a manifest");
    let (_, rest) = text.split_once("\n[dependencies]\n").expect("dependencies");
    let lines = rest.lines().take_while(|line| !line.starts_with('['));
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split(['.', ' ']).next().expect("a name").to_owned()).collect()
}

#[test]
fn the_library_depends_on_no_sdk_http_or_lambda_runtime() {
    let depends_on: Vec<String> = dependencies("Cargo.toml");
    assert_eq!(
        depends_on,
        [
            "aws_lambda_events",
            "chrono",
            "futures-util",
            "ipnet",
            "serde",
            "serde_json",
            "sha2",
            "strum",
            "thiserror",
            "tokio"
        ]
    );
}

#[test]
fn the_function_depends_only_on_what_it_needs() {
    let depends_on: Vec<String> = dependencies("function/Cargo.toml");
    let expected = ["chrono", "lambda_runtime", "serde_json", "token-failover", "token-failover-aws", "tokio"];
    assert_eq!(depends_on, expected);
}

#[test]
fn the_simulator_does_not_depend_on_the_program() {
    let depends_on = dependencies("simulator/Cargo.toml");
    let ours: Vec<&String> = depends_on.iter().filter(|name| name.starts_with("token-failover")).collect();
    assert_eq!((ours, depends_on.is_empty()), (Vec::new(), false));
}

#[test]
fn only_one_file_names_the_tags_of_pending_reports() {
    let names = |line: &&String| !line.contains("//!");
    let prefixes = lines_with(&["token-failover:owed"], |path| path.starts_with("src/"));
    let prefixes: Vec<&String> = prefixes.iter().filter(names).collect();
    assert!(matches!(prefixes[..], [only] if only.starts_with("src/decide/pending/report.rs:")), "{prefixes:?}");
}

/// `aws` in `src/tell/findings/advisor.rs` adds the Region to every command of a mail. A command that is written elsewhere could
/// lack it, and would then fail for a reader whose default Region is another one.
#[test]
fn only_one_function_writes_the_commands_of_the_aws_cli() {
    let is_code = |line: &&String| !line.contains(": //") && !line.contains("starts_with(\"aws \")");
    let commands = lines_with(&["\"aws ", "\\naws ", " aws ", "(aws ", "`aws "], |path| path.starts_with("src/"));
    let commands: Vec<&String> = commands.iter().filter(is_code).collect();
    assert!(
        matches!(commands[..], [only] if only.contains("format!(\"aws {service} {command}{region}\")")),
        "{commands:?}"
    );
}

#[test]
fn every_paged_answer_is_read_to_the_last_page() {
    let paginators = lines_with(&[".into_paginator()"], |path| path.starts_with("aws/"));
    let read = lines_with(&["each_page(ACTION, MAX_PAGES, pages, "], |path| path.starts_with("aws/"));
    assert!(paginators.len() >= 7, "{paginators:?}");
    assert_eq!(paginators.len(), read.len(), "{paginators:?}\n{read:?}");
    let by_hand = lines_with(&[".next().await"], |path| path.starts_with("aws/") && path != "aws/src/answers.rs");
    assert_eq!(by_hand, Vec::<String>::new());
}

#[test]
fn only_the_function_names_the_lambda_runtime() {
    only_in(&["function/"], &["lambda_runtime"]);
}

#[test]
fn only_the_binaries_read_the_environment_and_the_system_clock() {
    only_in(&["function/", "operator/"], &["std::env", "SystemTime"]);
    assert_eq!(lines_with(&["Utc::now", "Local::now"], |_| true), Vec::<String>::new());
}

#[test]
fn the_decisions_are_pure_and_synchronous() {
    let floors = ["src/model/", "src/decide/", "src/tell/"];
    let is_pure = |path: &str| floors.iter().any(|floor| path.starts_with(floor));
    for floor in floors {
        assert!(
            sources().iter().any(|source| source.path.starts_with(floor)),
            "{floor} is gone; this rule must follow it"
        );
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
    assert_eq!(lines_with(&impure, is_pure), Vec::<String>::new());
}

#[test]
fn every_file_begins_with_a_description() {
    let silent: Vec<String> =
        sources().into_iter().filter(|source| !source.text.starts_with("//! ")).map(|source| source.path).collect();
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn no_source_has_a_todo_a_panic_or_an_unwrap() {
    let words = ["TODO", "FIXME", "todo!", "unimplemented!", ".unwrap()", ".expect(", "panic!", "dbg!", "unsafe"];
    assert_eq!(lines_with(&words, |_| true), Vec::<String>::new());
}

#[test]
fn the_project_spells_license_the_american_way() {
    assert_eq!(lines_with(&["licence", "Licence"], |_| true), Vec::<String>::new());
}

/// The blocks of lines that a patch looks for in one file: context, and lines to remove.
fn sought(patch: &str) -> Vec<(String, String)> {
    let mut blocks: Vec<(String, String)> = Vec::new();
    let mut file = String::new();
    for line in patch.lines() {
        if let Some(name) = line.strip_prefix("--- a/") {
            name.clone_into(&mut file);
        } else if line.starts_with("@@") {
            blocks.push((file.clone(), String::new()));
        } else if let (Some(line), Some((_, block))) =
            (line.strip_prefix(' ').or_else(|| line.strip_prefix('-')), blocks.last_mut())
            && !line.starts_with("-- ")
        {
            block.push_str(line);
            block.push('\n');
        }
    }
    blocks
}

/// A deliberate break that no longer fits would only be noticed when somebody runs all of them, which takes an hour.
#[test]
fn every_deliberate_break_fits_the_sources() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let patches: Vec<PathBuf> = fs::read_dir(root.join("tests/mutations"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "patch"))
        .collect();
    assert!(!patches.is_empty());
    for patch in patches {
        let blocks = sought(&fs::read_to_string(&patch).expect("UTF-8"));
        assert!(!blocks.is_empty(), "{} changes nothing", patch.display());
        for (file, block) in blocks {
            let text = fs::read_to_string(root.join(&file)).expect("UTF-8");
            assert!(text.contains(&block), "{} does not fit {file} anymore:\n{block}", patch.display());
        }
    }
}
