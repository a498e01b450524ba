//! Reads reports and log lines of the function from files.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use token_failover::decide::plan::plan;
use token_failover::model::config::Config;
use token_failover::model::observation::Observation;
use token_failover::model::plan::Plan;
use token_failover::model::report::Report;
use token_failover::model::request::Intent;
use token_failover::tell::notification;

use crate::ended::{Ended, Trouble};
use crate::show;

/// Renders the reports in a file.
pub(crate) fn report(file: &Path, json: bool) -> Result<Ended, Trouble> {
    let text = read(file)?;
    let reports: Vec<Report> = documents(&text).iter().filter_map(|document| find_report(document, 0)).collect();
    if reports.is_empty() {
        let hint = "Pass the function's answer, a log line of type report, or a message that SNS or SQS delivered.";
        return Err(Trouble::new(format!("{}: no report was found", file.display()), hint));
    }
    for report in &reports {
        if json {
            show::document(report)?;
        } else {
            anstream::println!("{}", notification::text(report));
        }
    }
    Ok(Ended::Well)
}

/// Plans every observation in a log again and compares the plans.
pub(crate) fn replay(file: &Path, json: bool) -> Result<Ended, Trouble> {
    let text = read(file)?;
    let mut setting: Option<(Config, Intent)> = None;
    let mut seen: Option<Observation> = None;
    let (mut replayed, mut different) = (0, 0);
    for document in documents(&text) {
        match document.get("type").and_then(Value::as_str) {
            Some("request") => {
                let request = &document["request"];
                let config = serde_json::from_value(request["config"].clone());
                let intent = serde_json::from_value(request["intent"].clone());
                setting = config.ok().zip(intent.ok());
            }
            Some("observation") => seen = serde_json::from_value(document["observation"].clone()).ok(),
            Some("plan") => {
                let (Some((config, intent)), Some(observation)) = (&setting, &seen) else { continue };
                let waited = document["lookedForMs"].as_u64().map_or(Duration::MAX, Duration::from_millis);
                let again = plan(config, observation, intent, waited);
                let then: Option<Plan> = serde_json::from_value(document["plan"].clone()).ok();
                let same = then.as_ref() == Some(&again);
                replayed += 1;
                different += usize::from(!same);
                if json {
                    show::document(&json!({"observedAt": observation.observed_at, "same": same, "plan": again}))?;
                } else {
                    let word = if same { "same plan" } else { "DIFFERENT PLAN" };
                    let decision = json!(again.decision);
                    anstream::println!(
                        "{}  {word}: {decision}",
                        observation.observed_at.format("%Y-%m-%d %H:%M:%S UTC")
                    );
                }
            }
            _ => {}
        }
    }
    match (replayed, different) {
        (0, _) => {
            let hint = "Pass the log lines of types request, observation and plan from one invocation, in their original order.";
            Err(Trouble::new(format!("{}: no plan to replay was found", file.display()), hint))
        }
        (_, 0) => Ok(Ended::Well),
        _ => Ok(Ended::Badly),
    }
}

fn read(file: &Path) -> Result<String, Trouble> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    text.map_err(|error| Trouble::new(format!("{}: {error}", file.display()), ""))
}

/// The JSON documents in a string: one document, or one on each line. Other lines are skipped, because CloudWatch and
/// tools add some.
fn documents(text: &str) -> Vec<Value> {
    match serde_json::from_str(text) {
        Ok(document) => vec![document],
        // Some tools print a timestamp before each line.
        Err(_) => text.lines().filter_map(|line| serde_json::from_str(&line[line.find('{')?..]).ok()).collect(),
    }
}

/// The report in a document, through any layers of SNS and SQS.
fn find_report(document: &Value, depth: usize) -> Option<Report> {
    if depth > 4 {
        return None;
    }
    if document.get("schemaVersion").is_some() {
        return serde_json::from_value(document.clone()).ok();
    }
    // A log line, SNS's envelope, SQS's answer, and a message with one string for each protocol.
    ["report", "Message", "Body", "body", "Messages", "Records", "Sns", "lambda", "sqs"].iter().find_map(|field| {
        match document.get(field)? {
            Value::String(inner) => find_report(&serde_json::from_str(inner).ok()?, depth + 1),
            Value::Array(list) => list.iter().find_map(|one| find_report(one, depth + 1)),
            inner => find_report(inner, depth + 1),
        }
    })
}
