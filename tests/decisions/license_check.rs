//! The license check: outputs of lmstat in every form, and what follows from them.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use token_failover::decide::license_check::{Assessment, judge};
use token_failover::decide::lmstat::{Lmstat, read};
use token_failover::model::command::{CommandState, Output};
use token_failover::model::error::{CallError, Meaning};
use token_failover::model::license_check::{CheckedLicense, Daemon, Untold};

use crate::damage::{damage, inputs, print_figure};
use crate::dice::Dice;

use CheckedLicense::{NotServed, Served, Unknown};

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lmstat")
}

fn output(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A command that has printed this and ended with this exit code.
fn printed(text: &str, exit_code: i32) -> CommandState {
    CommandState {
        succeeded: Some(exit_code == 0),
        status: if exit_code == 0 { "Success" } else { "Failed" }.to_owned(),
        exit_code: Some(exit_code),
        output: Output::new(text),
    }
}

fn vendors(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn up(version: &str) -> Value {
    json!({"state": "up", "version": version})
}

fn down(error: impl Into<Option<i32>>) -> Value {
    json!({"state": "down", "error": error.into()})
}

fn vendor(name: &str, mut state: Value) -> Value {
    state["name"] = json!(name);
    state
}

fn counted(name: &str, issued: u32, used: impl Into<Option<u32>>) -> Value {
    json!({"name": name, "usage": "counted", "issued": issued, "used": used.into()})
}

fn rejected(name: &str, error: impl Into<Option<i32>>) -> Value {
    json!({"name": name, "usage": "not-served", "error": error.into()})
}

fn uncounted(name: &str) -> Value {
    json!({"name": name, "usage": "uncounted"})
}

/// What the license of this document serves, by its vendor daemons and the exit code of lmstat.
struct Case {
    documents: &'static [&'static str],
    vendors: &'static [&'static str],
    exit_code: i32,
    result: CheckedLicense,
    untold: Option<Untold>,
    lmgrd: Value,
    daemons: Vec<Value>,
    features: Vec<Value>,
}

fn cases() -> Vec<Case> {
    let of = |documents, vendors, result, untold, lmgrd, daemons: Vec<Value>, features: Vec<Value>| Case {
        documents,
        vendors,
        exit_code: 0,
        result,
        untold,
        lmgrd,
        daemons,
        features,
    };
    let mosek: &[&str] = &["MOSEKLM"];
    let unknown = || json!({"state": "unknown"});
    let moseklm = |state| vec![vendor("MOSEKLM", state)];
    let served = || moseklm(up("v11.19"));
    vec![
        of(
            &["serves.txt", "windows.txt", "doubled-lines.txt"],
            mosek,
            Served,
            None,
            up("v11.19.6"),
            moseklm(up("v11.19.6")),
            vec![counted("PTS", 10, 3), counted("PTON", 1, 0), uncounted("DEBUG")],
        ),
        // Version 9 did not print the used licenses of every feature.
        of(
            &["version-9.txt"],
            &["SOLVERD"],
            Served,
            Some(Untold::NotUnderstood),
            up("v9.2"),
            vec![vendor("solverd", up("v9.2"))],
            vec![counted("SOLVER", 4, None), counted("MESHER", 2, 1)],
        ),
        of(
            &["redundant-one-down.txt"],
            &["solverd"],
            Served,
            None,
            up("v11.13.0"),
            vec![vendor("solverd", up("v11.13.1"))],
            vec![counted("SOLVER", 144, 39)],
        ),
        of(
            &["two-spellings.txt"],
            &["solverd"],
            Served,
            None,
            up("v11.12"),
            vec![vendor("solverd", up("v11.14.0"))],
            vec![counted("SOLVER", 2, 0)],
        ),
        of(
            &["two-vendors-one-down.txt"],
            &["daemon1", "daemon_2"],
            NotServed,
            None,
            up("v11.14"),
            vec![vendor("daemon1", up("v11.14")), vendor("DAEMON_2", down(-97))],
            vec![counted("A", 2, 0), rejected("B", -5), rejected("C", None)],
        ),
        of(&["hostid-rejected.txt"], mosek, NotServed, None, up("v11.19"), moseklm(down(-9)), vec![]),
        of(&["vendor-down-without-error.txt"], mosek, NotServed, None, up("v11.19"), moseklm(down(None)), vec![]),
        // The vendor daemon of the license is not in the list of those that lmgrd has started.
        of(
            &["no-features.txt"],
            &["otherd"],
            NotServed,
            None,
            up("v11.19"),
            vec![vendor("MOSEKLM", up("v11.19")), vendor("otherd", down(None))],
            vec![],
        ),
        of(&["no-features.txt"], mosek, NotServed, None, up("v11.19"), served(), vec![]),
        Case {
            exit_code: 241,
            ..of(&["cannot-connect.txt"], mosek, NotServed, None, down(-15), moseklm(unknown()), vec![])
        },
        Case {
            exit_code: 160,
            ..of(&["machine-down.txt"], mosek, NotServed, None, down(-96), moseklm(unknown()), vec![])
        },
        Case {
            exit_code: 199,
            ..of(&["no-socket.txt"], mosek, Unknown, Some(Untold::LmstatFailed), unknown(), vec![], vec![])
        },
        of(
            &["error-in-the-middle.txt"],
            mosek,
            Served,
            Some(Untold::LmstatFailed),
            up("v11.19"),
            served(),
            vec![counted("PTS", 10, 3)],
        ),
        // What a client calls itself is not read.
        of(
            &["cut-off.txt"],
            mosek,
            Served,
            Some(Untold::OutputCut),
            up("v11.19"),
            served(),
            vec![counted("PTS", 10, 3), json!({"name": "PTON", "usage": "unknown"})],
        ),
        of(&["another-program.txt"], mosek, Unknown, Some(Untold::NotUnderstood), unknown(), vec![], vec![]),
    ]
}

fn server(assessment: &Assessment) -> Value {
    serde_json::to_value(&assessment.server).expect("JSON")
}

#[test]
fn every_form_of_the_output_is_understood() {
    for case in cases() {
        for document in case.documents {
            let judged = judge(&vendors(case.vendors), &printed(&output(document), case.exit_code));
            let expected = json!({"licenseServer": case.lmgrd, "vendors": case.daemons, "features": case.features});
            assert_eq!(server(&judged), expected, "{document}");
            assert_eq!((judged.result, judged.untold), (case.result, case.untold), "{document}");
            assert_eq!(judged.error.is_some(), judged.untold.is_some(), "{document}");
        }
    }
}

#[test]
fn every_document_has_a_case() {
    let mut documents: Vec<String> = fs::read_dir(folder())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    documents.sort();
    let mut told: Vec<String> = cases().iter().flat_map(|case| case.documents).map(|name| (*name).to_owned()).collect();
    told.sort();
    told.dedup();
    assert_eq!(documents, told);
}

/// The result of a try that has no output of lmstat, and whether another try may help.
fn without_output(assessment: &Assessment) -> (CheckedLicense, Option<Untold>, bool) {
    assert_eq!(server(assessment), json!({"licenseServer": {"state": "unknown"}, "vendors": [], "features": []}));
    (assessment.result, assessment.untold, assessment.may_pass)
}

#[test]
fn a_command_without_output_says_why() {
    let mosek = vendors(&["MOSEKLM"]);
    for (exit_code, untold) in [(127, Untold::NotInstalled), (126, Untold::NotExecutable)] {
        let judged = judge(&mosek, &printed("env: '/opt/token-server/lmutil': some words\n", exit_code));
        assert_eq!(without_output(&judged), (Unknown, Some(untold), false), "{exit_code}");
    }
    // A process that was killed has not found an error of FlexNet.
    for (text, exit_code) in [("", 137), ("", 1), ("Killed\n", 143), ("", 0)] {
        let judged = judge(&mosek, &printed(text, exit_code));
        assert_eq!(without_output(&judged), (Unknown, Some(Untold::NotUnderstood), false), "{exit_code}");
    }
    for (status, untold) in [
        ("Delivery Timed Out", Untold::AgentUnreachable),
        ("Undeliverable", Untold::AgentUnreachable),
        ("Execution Timed Out", Untold::NotRun),
        ("Cancelled", Untold::NotRun),
        ("Terminated", Untold::NotRun),
    ] {
        let ended = CommandState { status: status.to_owned(), exit_code: None, ..printed("", 1) };
        assert_eq!(without_output(&judge(&mosek, &ended)), (Unknown, Some(untold), true), "{status}");
    }
}

#[test]
fn a_call_that_did_not_succeed_says_why() {
    for (meaning, untold, may_pass) in [
        (Meaning::WrongState, Untold::AgentUnreachable, true),
        (Meaning::Throttled, Untold::Unreachable, true),
        (Meaning::Unreachable, Untold::Unreachable, true),
        (Meaning::Denied, Untold::Denied, false),
        (Meaning::NotFound, Untold::NotSent, false),
    ] {
        let (action, message) = ("ssm:SendCommand".to_owned(), "no".to_owned());
        let error = CallError { action, meaning, code: None, message, request_id: None };
        assert_eq!(without_output(&Assessment::of_error(&error)), (Unknown, Some(untold), may_pass), "{meaning:?}");
    }
}

#[test]
fn a_daemon_that_is_down_may_be_starting_and_is_asked_again() {
    let mosek = vendors(&["MOSEKLM"]);
    for (document, exit_code, again) in [
        ("cannot-connect.txt", 241, true),
        ("hostid-rejected.txt", 0, true),
        ("no-features.txt", 0, true),
        ("no-socket.txt", 199, true),
        ("serves.txt", 0, false),
        ("error-in-the-middle.txt", 0, false),
        ("cut-off.txt", 0, false),
        ("another-program.txt", 0, false),
    ] {
        let judged = judge(&mosek, &printed(&output(document), exit_code));
        assert_eq!(judged.may_pass, again, "{document}");
    }
}

#[test]
fn the_exit_code_stands_in_for_an_error_that_is_not_printed() {
    let heading = "Flexible License Manager status on Wed 11/11/2026 21:30\n";
    let judged = judge(&vendors(&["MOSEKLM"]), &printed(heading, 256 - 15));
    assert_eq!((judged.result, judged.server.lmgrd), (NotServed, Daemon::Down { error: Some(-15) }));
}

#[test]
fn an_output_of_the_longest_length_counts_as_cut_off() {
    let text = output("serves.txt");
    let padding = "x".repeat(24_000 - text.chars().count());
    assert!(!read(&text).is_cut);
    assert!(!read(&format!("{text}{}", &padding[1..])).is_cut);
    assert!(read(&format!("{text}{padding}")).is_cut);
}

#[test]
fn the_output_of_a_command_never_reaches_a_log() {
    let state = printed("secret words", 0);
    assert!(!format!("{state:?}").contains("secret"), "{state:?}");
}

/// How many damaged outputs a plain test run tries.
const INPUTS: u64 = 200_000;

#[test]
fn no_damaged_output_makes_the_check_panic_or_repeat_what_clients_call_themselves() {
    let corpus: Vec<String> = cases().iter().flat_map(|case| case.documents).map(|document| output(document)).collect();
    let pieces = [
        "\n",
        "\r\n",
        ": license server UP v11",
        "Users of ",
        "Error getting status",
        "Vendor daemon status",
        "Feature usage info",
        "(-97,121)",
        "(-",
        "Total of 99999999999999999999 licenses issued",
        "Total of ",
        "\u{1F4A5}",
        "\0",
        "--output truncated--",
    ];
    let mut dice = Dice::new(1);
    let (tried, mut understood) = (inputs(INPUTS), 0);
    for number in 0..tried {
        let text = damage(&mut dice, in_turn(number, &corpus).as_bytes(), &pieces);
        let text = String::from_utf8_lossy(&text);
        let lmstat: Lmstat = read(&text);
        assert_eq!(read(&text), lmstat, "input {number} is read differently the second time");
        let judged = judge(&vendors(&["MOSEKLM"]), &printed(&text, 0));
        understood += u64::from(judged.result != Unknown);
        let names = judged.server.vendors.iter().map(|one| &one.name);
        for name in names.chain(judged.server.features.iter().map(|one| &one.name)) {
            let is_plain = name.len() <= 64 && name.chars().all(|c| c.is_ascii_graphic());
            assert!(is_plain, "input {number}: {name:?}");
        }
        let said = server(&judged).to_string();
        assert!(!said.contains("/dev/pts"), "input {number}: {said}");
        if judged.result == Served {
            assert!(judged.server.lmgrd.is_up() && judged.server.served().next().is_some(), "input {number}");
            assert!(judged.server.vendors.iter().all(|vendor| vendor.daemon.is_up()), "input {number}");
        }
    }
    assert!(understood > tried / 10, "too few outputs were understood: {understood}");
    print_figure("outputs of lmstat", tried, understood);
}

/// Each document in turn.
fn in_turn(number: u64, corpus: &[String]) -> &str {
    let index = usize::try_from(number % corpus.len() as u64).expect("an index");
    &corpus[index]
}
