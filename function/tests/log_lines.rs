//! The log lines of the built function, under an emulation of Lambda's Runtime API on loopback.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use simulator::{Simulator, names};

#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../../tests/support/lambda.rs"]
mod lambda;
#[path = "../../tests/support/served.rs"]
mod served;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../../tests/support/standard.rs"]
mod standard;

use crate::lambda::Lambda;
use crate::served::served;
use crate::standard::event;

/// The output of the built function for these payloads, with standard error.
fn printed(simulator: Simulator, payloads: impl IntoIterator<Item = Value>) -> String {
    let output = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("log-lines");
    let program = Path::new(env!("CARGO_BIN_EXE_token-failover-function"));
    let function = Lambda::start(program, &format!("http://{}", served(simulator)), &[], output);
    let payloads: Vec<Value> = payloads.into_iter().collect();
    payloads.iter().cloned().for_each(|payload| function.invoke(payload));
    for _ in &payloads {
        function.answer();
    }
    function.printed()
}

/// Without a valid `timestamp`, Lambda treats a line as level INFO, whatever its `level`: DEBUG lines would not be
/// filtered, and errors not be found. Source: Lambda Developer Guide, "Log-level filtering".
#[test]
fn every_log_line_has_a_level_a_type_and_a_timestamp() {
    let began = Utc::now();
    let payloads = [
        event("operator-audit"),
        event("operator-plan"),
        event("operator-failover"),
        event("schedule"),
        event("cloudtrail-stop-instances"),
        json!({"action": "failovre"}),
    ];
    let printed = printed(simulator::pair().build(), payloads);
    let ended = Utc::now();

    let mut levels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut before = began - Duration::from_millis(1);
    for line in printed.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let text = |key: &str| line[key].as_str().unwrap_or_else(|| panic!("no {key}: {line}")).to_owned();
        let time = DateTime::parse_from_rfc3339(&text("timestamp")).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(before <= time && time <= ended, "{before} {time} {ended}: {line}");
        before = time.to_utc();
        levels.entry(text("type")).or_default().insert(text("level"));
    }
    let expected = [
        ("begun", "DEBUG"),
        ("failure", "ERROR"),
        ("metrics", "INFO"),
        ("observation", "INFO"),
        ("plan", "INFO"),
        ("readiness", "INFO"),
        ("report", "INFO"),
        ("request", "INFO"),
        ("step", "INFO"),
    ];
    let expected = expected.map(|(kind, level)| (kind.to_owned(), BTreeSet::from([level.to_owned()])));
    assert_eq!(levels, BTreeMap::from(expected));
    assert!(printed.contains(names::INTERFACE));
}
