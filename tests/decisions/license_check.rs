//! The license check: outputs of lmstat in every form, and what follows from them.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use token_failover::decide::license_check::{Assessment, judge};
use token_failover::decide::lmstat::{Lmstat, read};
use token_failover::model::command::{CommandState, Output};
use token_failover::model::error::{CallError, Meaning};
use token_failover::model::flexnet::FlexNetError;
use token_failover::model::license_check::{CheckedLicense, Daemon, WhyUnknown};

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
    unknown_because: Option<WhyUnknown>,
    lmgrd: Value,
    daemons: Vec<Value>,
    features: Vec<Value>,
}

fn cases() -> Vec<Case> {
    let of = |documents, vendors, result, unknown_because, lmgrd, daemons: Vec<Value>, features: Vec<Value>| Case {
        documents,
        vendors,
        exit_code: 0,
        result,
        unknown_because,
        lmgrd,
        daemons,
        features,
    };
    let mosek: &'static [&'static str] = &["MOSEKLM"];
    let failed = |documents, lmgrd, daemons, features| {
        of(documents, mosek, Unknown, Some(WhyUnknown::LmstatFailed), lmgrd, daemons, features)
    };
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
            Some(WhyUnknown::NotUnderstood),
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
        // The setting names another vendor daemon than lmstat.
        of(
            &["redundant-one-down.txt"],
            mosek,
            Served,
            Some(WhyUnknown::VendorNotListed),
            up("v11.13.0"),
            vec![vendor("solverd", up("v11.13.1")), vendor("MOSEKLM", unknown())],
            vec![counted("SOLVER", 144, 39)],
        ),
        of(&["no-features.txt"], mosek, NotServed, None, up("v11.19"), served(), vec![]),
        Case {
            exit_code: 241,
            ..of(&["cannot-connect.txt"], mosek, NotServed, None, down(-15), moseklm(unknown()), vec![])
        },
        // lmgrd has answered with a name that leads nowhere. Clients may still find it.
        Case { exit_code: 160, ..failed(&["machine-down.txt"], unknown(), moseklm(unknown()), vec![]) },
        Case { exit_code: 199, ..failed(&["no-socket.txt"], unknown(), moseklm(unknown()), vec![]) },
        failed(&["vendor-without-socket.txt"], up("v11.19"), moseklm(unknown()), vec![]),
        failed(
            &["features-not-read.txt"],
            up("v11.19"),
            served(),
            vec![json!({"name": "PTS", "usage": "unknown"}), json!({"name": "PTON", "usage": "unknown"})],
        ),
        // An output that ends after the daemons, as of lmstat without -a.
        of(&["daemons-only.txt"], mosek, Unknown, Some(WhyUnknown::NotUnderstood), up("v11.19"), served(), vec![]),
        of(&["warnings.txt"], mosek, Served, None, up("v11.19"), served(), vec![counted("PTS", 10, 0)]),
        of(&["no-licenses.txt"], mosek, NotServed, None, up("v11.19"), served(), vec![counted("PTS", 0, 0)]),
        of(
            &["error-in-the-middle.txt"],
            mosek,
            Served,
            Some(WhyUnknown::LmstatFailed),
            up("v11.19"),
            served(),
            vec![counted("PTS", 10, 3)],
        ),
        // What a client calls itself is not read.
        of(
            &["cut-off.txt"],
            mosek,
            Served,
            Some(WhyUnknown::OutputCut),
            up("v11.19"),
            served(),
            vec![counted("PTS", 10, 3), json!({"name": "PTON", "usage": "unknown"})],
        ),
        of(&["another-program.txt"], mosek, Unknown, Some(WhyUnknown::NotUnderstood), unknown(), vec![], vec![]),
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
            let expected = json!({"lmgrd": case.lmgrd, "vendors": case.daemons, "features": case.features});
            assert_eq!(server(&judged), expected, "{document}");
            assert_eq!((judged.result, judged.unknown_because), (case.result, case.unknown_because), "{document}");
            let is_plain = matches!(judged.unknown_because, None | Some(WhyUnknown::VendorNotListed));
            assert_eq!(judged.error.is_some() || judged.lmstat_error.is_some(), !is_plain, "{document}");
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
fn without_output(assessment: &Assessment) -> (CheckedLicense, Option<WhyUnknown>, bool) {
    assert_eq!(server(assessment), json!({"lmgrd": {"state": "unknown"}, "vendors": [], "features": []}));
    (assessment.result, assessment.unknown_because, assessment.may_pass)
}

#[test]
fn a_command_without_output_says_why() {
    let mosek = vendors(&["MOSEKLM"]);
    for (exit_code, unknown_because) in [(127, WhyUnknown::NotInstalled), (126, WhyUnknown::NotExecutable)] {
        let judged = judge(&mosek, &printed("env: '/opt/token-server/lmutil': some words\n", exit_code));
        assert_eq!(without_output(&judged), (Unknown, Some(unknown_because), false), "{exit_code}");
    }
    // A process that was killed has not found an error of FlexNet.
    for (text, exit_code) in [("", 137), ("", 1), ("Killed\n", 143), ("", 0)] {
        let judged = judge(&mosek, &printed(text, exit_code));
        assert_eq!(without_output(&judged), (Unknown, Some(WhyUnknown::NotUnderstood), false), "{exit_code}");
    }
    for (status, unknown_because) in [
        ("Delivery Timed Out", WhyUnknown::AgentUnreachable),
        ("DeliveryTimedOut", WhyUnknown::AgentUnreachable),
        ("ExecutionTimedOut", WhyUnknown::NotRun),
        ("Undeliverable", WhyUnknown::AgentUnreachable),
        ("Execution Timed Out", WhyUnknown::NotRun),
        ("Cancelled", WhyUnknown::NotRun),
        ("Terminated", WhyUnknown::NotRun),
    ] {
        let ended = CommandState { status: status.to_owned(), exit_code: None, ..printed("", 1) };
        assert_eq!(without_output(&judge(&mosek, &ended)), (Unknown, Some(unknown_because), true), "{status}");
    }
}

#[test]
fn a_call_that_did_not_succeed_says_why() {
    for (meaning, unknown_because, may_pass) in [
        (Meaning::WrongState, WhyUnknown::AgentUnreachable, true),
        (Meaning::Throttled, WhyUnknown::Unreachable, true),
        (Meaning::Unreachable, WhyUnknown::Unreachable, true),
        (Meaning::Denied, WhyUnknown::Denied, false),
        (Meaning::NotFound, WhyUnknown::NotSent, false),
    ] {
        let (action, message) = ("ssm:SendCommand".to_owned(), "no".to_owned());
        let error = CallError { action, meaning, code: None, message, request_id: None };
        let expected = |because| (Unknown, Some(because), may_pass);
        assert_eq!(without_output(&Assessment::not_sent(&error)), expected(unknown_because), "{meaning:?}");
        let is_other = unknown_because == WhyUnknown::NotSent;
        let unknown_because = if is_other { WhyUnknown::NoResult } else { unknown_because };
        assert_eq!(without_output(&Assessment::not_read(&error)), expected(unknown_because), "{meaning:?}");
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
    let down = Daemon::Down { error: FlexNetError::new(-15) };
    assert_eq!((judged.result, judged.server.lmgrd), (NotServed, down));
    // A signal has ended lmstat.
    for exit_code in [139, 137, 134, 143] {
        let judged = judge(&vendors(&["MOSEKLM"]), &printed(heading, exit_code));
        assert_eq!((judged.result, judged.server.lmgrd), (Unknown, Daemon::Unknown), "{exit_code}");
    }
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
            assert!(!judged.server.vendors.iter().any(|vendor| vendor.daemon.is_down()), "input {number}");
            assert!(judged.server.vendors.iter().any(|vendor| vendor.daemon.is_up()), "input {number}");
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
