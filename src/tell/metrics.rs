//! The metrics for CloudWatch: one line in the embedded metric format for each invocation. Pure.
//!
//! The line is one JSON object with `_aws` at its root, as the format requires. It has a level, so that Lambda's JSON
//! log format passes it on at INFO and below. Source: CloudWatch User Guide, "Specification: Embedded metric format".

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::decide::validity;
use crate::model::failure::{Amid, Failure};
use crate::model::finding::Severity;
use crate::model::license_check::Usage;
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

/// The metrics of each feature, with their units. They have [`FEATURE`] as a second dimension.
pub const FEATURE_METRICS: [(&str, &str); 2] = [("LicensesIssued", "Count"), ("LicensesUsed", "Count")];

/// The second dimension of [`FEATURE_METRICS`]: the feature's name.
pub const FEATURE: &str = "Feature";

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
    Some(embedded(answered_at, &[(DIMENSION, token_server)], &METRICS, values))
}

/// A line for each feature whose licenses the license check has counted. A feature that is listed several times, as for
/// several vendor daemons, has one line with the sums.
pub fn feature_lines(token_server: &str, answered_at: DateTime<Utc>, report: &Report) -> Vec<Value> {
    let features = report.license_check.iter().flat_map(|check| &check.server.features);
    let mut counts: BTreeMap<&str, (u64, Option<u64>)> = BTreeMap::new();
    for feature in features {
        if let Usage::Counted { issued, used } = feature.usage {
            let (all_issued, all_used) = counts.entry(&feature.name).or_insert((0, Some(0)));
            *all_issued += u64::from(issued);
            *all_used = all_used.zip(used).map(|(all, used)| all + u64::from(used));
        }
    }
    let lines = counts.into_iter().map(|(feature, (issued, used))| {
        let mut values = Map::from_iter([("LicensesIssued".to_owned(), json!(issued))]);
        values.extend(used.map(|used| ("LicensesUsed".to_owned(), json!(used))));
        embedded(answered_at, &[(DIMENSION, token_server), (FEATURE, feature)], &FEATURE_METRICS, values)
    });
    lines.collect()
}

/// One line in the embedded metric format.
fn embedded(
    at: DateTime<Utc>,
    dimensions: &[(&str, &str)],
    metrics: &[(&str, &str)],
    values: Map<String, Value>,
) -> Value {
    let metrics: Vec<Value> = metrics
        .iter()
        .filter(|(name, _)| values.contains_key(*name))
        .map(|(name, unit)| json!({"Name": name, "Unit": unit}))
        .collect();
    let names: Vec<&str> = dimensions.iter().map(|(name, _)| *name).collect();
    let directive = json!({"Namespace": NAMESPACE, "Dimensions": [names], "Metrics": metrics});
    let mut line = Map::new();
    line.insert("_aws".to_owned(), json!({"Timestamp": at.timestamp_millis(), "CloudWatchMetrics": [directive]}));
    line.insert("level".to_owned(), json!("INFO"));
    line.insert("type".to_owned(), json!("metrics"));
    line.extend(dimensions.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
    line.extend(values);
    Value::Object(line)
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
