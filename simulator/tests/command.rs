//! The program `simulator`: its record of an account, and what it says of one that it cannot read.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A file that exists for one test.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&path, text).expect("a file");
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        fs::remove_file(&self.0).expect("the file is there");
    }
}

fn simulator(like: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simulator"));
    command.args(["--like", like]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn a_record_that_cannot_be_read_ends_it_with_2_and_one_sentence() {
    for (name, text, problem) in [
        ("text.json", "not JSON", "the record of an account is not JSON: expected ident at line 1 column 2"),
        ("newer.json", r#"{"schemaVersion": 2}"#, "the record has schemaVersion 2, and this simulator reads 1"),
        (
            "negative.json",
            r#"{"schemaVersion": 1, "timingsMs": {"detach": {"count": 1, "min": -5, "median": 1, "max": 2}}}"#,
            "timingsMs.detach.min is -5, not a whole number of milliseconds from 0 to a day",
        ),
    ] {
        let file = File::new(name, text);
        let path = file.0.display().to_string();
        let output = simulator(&path).output().expect("it runs");
        let error = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(error.lines().next(), Some(format!("error: {path}: {problem}").as_str()));
        assert_eq!(output.status.code(), Some(2));
    }
    let output = simulator("no-such-file.json").output().expect("it runs");
    let error = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(error.starts_with("error: no-such-file.json cannot be read: "), "{error}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_record_with_an_unknown_assumption_is_played_and_the_assumption_is_noted() {
    let file = File::new("unknown.json", r#"{"schemaVersion": 1, "assumptions": {"newAssumption": {"seen": true}}}"#);
    let mut running = simulator(&file.0.display().to_string()).spawn().expect("it runs");
    let mut line = String::new();
    BufReader::new(running.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    assert!(line.starts_with("listening on http://127.0.0.1:"), "{line}");
    running.kill().expect("it runs until then");
    running.wait().expect("it ends");
    let mut notes = String::new();
    running.stderr.take().expect("a pipe").read_to_string(&mut notes).expect("UTF-8");
    assert_eq!(notes, "note: The assumption \"newAssumption\" is unknown here, and is ignored.\n");
}
