//! The metrics for CloudWatch: one line in the embedded metric format for each invocation. Pure.
//!
//! The line is one JSON object with `_aws` at its root, as the format requires. It has a level, so that Lambda's JSON
//! log format passes it on at INFO and below. Source: CloudWatch User Guide, "Specification: Embedded metric format".

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::decide::validity;
use crate::model::failure::{Amid, Failure};
use crate::model::finding::Severity;
use crate::model::reason::Reason;
use crate::model::report::{Outcome, Report};

/// The namespace of the metrics.
pub const NAMESPACE: &str = "TokenFailover";

/// The one dimension: the token server's name.
pub const DIMENSION: &str = "TokenServer";

/// All metrics, with their units.
pub const METRICS: [(&str, &str); 9] = [
    ("Moves", "Count"),
    ("MoveDuration", "Milliseconds"),
    ("FailedMoves", "Count"),
    ("Refusals", "Count"),
    ("ViableStandbys", "Count"),
    ("CriticalFindings", "Count"),
    ("EventAge", "Milliseconds"),
    ("Paused", "Count"),
    ("LicenseDaysLeft", "Count"),
];

/// The reasons of a report that mean that a move was tried and did not succeed.
const FAILED_MOVES: [Reason; 3] = [Reason::ReturnedToFormerHolder, Reason::StandbyNotStarted, Reason::HolderNotStarted];

/// The line for an invocation that was received and answered at these times; `None`: there is nothing to count.
pub fn line(
    token_server: &str,
    received_at: DateTime<Utc>,
    answered_at: DateTime<Utc>,
    answer: &Result<Report, Failure>,
) -> Option<Value> {
    let values = match answer {
        Ok(report) => of_report(report, received_at),
        Err(failure) => of_failure(failure),
    };
    if values.is_empty() {
        return None;
    }
    let metrics: Vec<Value> = METRICS
        .iter()
        .filter(|(name, _)| values.contains_key(*name))
        .map(|(name, unit)| json!({"Name": name, "Unit": unit}))
        .collect();
    let directive = json!({"Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": metrics});
    let mut line = Map::new();
    line.insert(
        "_aws".to_owned(),
        json!({"Timestamp": answered_at.timestamp_millis(), "CloudWatchMetrics": [directive]}),
    );
    line.insert("level".to_owned(), json!("INFO"));
    line.insert("type".to_owned(), json!("metrics"));
    line.insert(DIMENSION.to_owned(), json!(token_server));
    line.extend(values);
    Some(Value::Object(line))
}

fn of_report(report: &Report, received_at: DateTime<Utc>) -> Map<String, Value> {
    let mut values = Map::new();
    let mut put = |name: &str, value: Value| drop(values.insert(name.to_owned(), value));
    if let Some(time) = report.trigger.time {
        put("EventAge", json!((received_at - time).num_milliseconds().max(0)));
    }
    // Planned actions, and reports of runs that did not read the interface, are not counted.
    if report.outcome == Outcome::Planned || !report.has_looked() {
        return values;
    }
    put("Moves", json!(u8::from(report.outcome == Outcome::Moved)));
    // The report of a problem's end has the reason of the problem.
    let has_failed = report.outcome == Outcome::Failed && FAILED_MOVES.iter().any(|reason| report.reason == *reason);
    put("FailedMoves", json!(u8::from(has_failed)));
    put("Refusals", json!(u8::from(report.outcome == Outcome::Refused)));
    if report.outcome == Outcome::Moved
        && let Some(duration) = report.movement.as_ref().and_then(|movement| movement.duration_ms)
    {
        put("MoveDuration", json!(duration));
    }
    if let Some(viable) = report.viable_standbys {
        put("ViableStandbys", json!(viable));
    }
    put("Paused", json!(u8::from(report.pause.is_some())));
    if let Some(last_day) = report.token_server.license_expires {
        put("LicenseDaysLeft", json!(validity::days_left(last_day, received_at.date_naive())));
    }
    let critical = report.findings.iter().filter(|finding| finding.severity == Severity::Critical);
    put("CriticalFindings", json!(critical.count()));
    values
}

fn of_failure(failure: &Failure) -> Map<String, Value> {
    let mut values = Map::new();
    // An invocation that timed out while reading, as an audit may, has not failed to move the interface.
    if matches!(failure, Failure::InterfaceNotAttached { .. } | Failure::DeadlineReached { amid: Amid::Move, .. }) {
        values.insert("FailedMoves".to_owned(), json!(1));
    }
    values
}
