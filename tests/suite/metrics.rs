//! Metrics: the values, and the form of the line that CloudWatch reads.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use simulator::world::Timings;
use simulator::{Disruption, Scenario, names};
use token_failover::model::failure::Failure;
use token_failover::model::report::Report;
use token_failover::tell::metrics::{METRICS, line};

use crate::standard::event;
use crate::support::Stage;

const NOW: &str = "2026-11-11T21:29:59Z";

fn now() -> DateTime<Utc> {
    NOW.parse().expect("a time")
}

async fn answer(scenario: Scenario, document: &str) -> Result<Report, Failure> {
    let stage = Stage::recorded(scenario.timings(Timings::realistic()).build(), &[], Box::new(|_| ()));
    stage.invoke(event(document)).await
}

/// The declared metrics of a line, with their values.
fn counted(answer: &Result<Report, Failure>) -> Value {
    let line = line("license-eu", now(), now() + TimeDelta::seconds(4), answer).expect("a line");
    let directive = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(line["_aws"]["Timestamp"], json!(1_794_432_603_000_i64));
    assert_eq!(
        (&directive["Namespace"], &directive["Dimensions"]),
        (&json!("TokenFailover"), &json!([["TokenServer"]]))
    );
    assert_eq!(
        (&line["TokenServer"], &line["level"], &line["type"]),
        (&json!("license-eu"), &json!("INFO"), &json!("metrics"))
    );
    let declared = directive["Metrics"].as_array().expect("a list");
    for metric in declared {
        let name = metric["Name"].as_str().expect("a name");
        assert!(METRICS.contains(&(name, metric["Unit"].as_str().expect("a unit"))), "{name}");
        assert!(line[name].is_number(), "{name}");
    }
    let mut values = line.as_object().expect("an object").clone();
    values.retain(|name, _| METRICS.iter().any(|(metric, _)| metric == name));
    assert_eq!(values.len(), declared.len(), "every value is declared");
    Value::Object(values)
}

#[test]
fn the_metrics_are_those_that_alarms_and_dashboard_know() {
    let names: BTreeSet<&str> = METRICS.iter().map(|(name, _)| *name).collect();
    let known = [
        "CriticalFindings",
        "EventAge",
        "FailedMoves",
        "LicenseDaysLeft",
        "MoveDuration",
        "Moves",
        "Paused",
        "Refusals",
        "ViableStandbys",
    ];
    assert_eq!(names, BTreeSet::from(known));
}

#[tokio::test(start_paused = true)]
async fn a_healthy_pair_counts_its_standbys_and_no_findings() {
    let answer = answer(simulator::pair(), "schedule").await;
    let mut expected =
        json!({"Moves": 0, "FailedMoves": 0, "Refusals": 0, "ViableStandbys": 1, "CriticalFindings": 0, "Paused": 0});
    let age = now() - answer.as_ref().expect("a report").trigger.time.expect("a time");
    expected["EventAge"] = json!(age.num_milliseconds().max(0));
    assert_eq!(counted(&answer), expected);
}

#[tokio::test(start_paused = true)]
async fn the_days_left_of_the_license_count_if_its_end_is_known() {
    for (day, left) in [("2026-11-12", 1), ("2026-11-11", 0), ("2026-11-01", -10), ("2031-12-31", 1876)] {
        let settings = [("TOKEN_SERVER_LICENSE_EXPIRES", day)];
        let stage = Stage::recorded(simulator::pair().build(), &settings, Box::new(|_| ()));
        let answer = stage.invoke(event("schedule")).await;
        assert_eq!(counted(&answer)["LicenseDaysLeft"], json!(left), "{day}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_move_counts_with_its_duration() {
    let answer = answer(simulator::pair().instance(names::HOLDER, |holder| holder.stopped()), "holder-stopped").await;
    let counted = counted(&answer);
    let duration = answer.expect("a report").movement.and_then(|movement| movement.duration_ms).expect("a duration");
    assert!(duration > 1_000, "{duration}");
    assert_eq!((&counted["Moves"], &counted["MoveDuration"]), (&json!(1), &json!(duration)));
    assert_eq!((&counted["FailedMoves"], &counted["Refusals"]), (&json!(0), &json!(0)));
    assert_eq!(counted.get("ViableStandbys"), None, "the standbys were not read");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_counts_with_its_critical_finding_and_no_standby() {
    let world = simulator::pair()
        .instance(names::HOLDER, |holder| holder.impaired())
        .instance(names::STANDBY, |standby| standby.terminated());
    let counted = counted(&answer(world, "schedule").await);
    assert_eq!((&counted["Refusals"], &counted["ViableStandbys"]), (&json!(1), &json!(0)));
    assert_eq!(counted["CriticalFindings"], json!(1));
}

#[tokio::test(start_paused = true)]
async fn an_interface_that_is_attached_to_nothing_is_a_failed_move() {
    let world = simulator::pair().interface(names::INTERFACE, |interface| interface.free());
    let stage = Stage::recorded(world.build(), &[], Box::new(|_| ()));
    stage.simulator.disrupt(|call| match &*call.action {
        "AttachNetworkInterface" if !call.dry_run => Disruption::error(400, "AttachmentLimitExceeded"),
        _ => Disruption::None,
    });
    let answer = stage.invoke(event("schedule")).await;
    assert_eq!(answer.as_ref().expect_err("it is attached to nothing").error_type(), "InterfaceNotAttached");
    assert_eq!(counted(&answer), json!({"FailedMoves": 1}));
}

/// The answer to an invocation in which no call is answered after these calls.
async fn cut_off(scenario: Scenario, payload: Value, after: Option<&'static str>) -> Result<Report, Failure> {
    let stage = Stage::recorded(scenario.timings(Timings::realistic()).build(), &[], Box::new(|_| ()));
    let mut hangs = after.is_none();
    stage.simulator.disrupt(move |call| {
        let hung = hangs;
        hangs |= after.is_some_and(|after| call.action == after && !call.dry_run);
        if hung { Disruption::Hang } else { Disruption::None }
    });
    // The SDK gives up on a call after 20 seconds, so the deadline must be before that.
    stage.invoke_within(payload, Duration::from_secs(15)).await
}

#[tokio::test(start_paused = true)]
async fn only_a_move_that_was_begun_is_a_failed_move_when_the_time_ends() {
    let failed = || simulator::pair().instance(names::HOLDER, |holder| holder.stopped());
    let worlds = [
        ("audit", simulator::pair(), event("operator-audit"), None, None),
        ("plan", failed(), event("operator-plan"), None, None),
        ("look", failed(), event("schedule"), None, None),
        ("move", failed(), event("schedule"), Some("DetachNetworkInterface"), Some(json!({"FailedMoves": 1}))),
    ];
    for (name, world, payload, after, expected) in worlds {
        let answer = cut_off(world, payload, after).await;
        assert_eq!(answer.as_ref().expect_err("the time ends").error_type(), "DeadlineReached", "{name}");
        let said = line("license-eu", now(), now(), &answer).map(|_| counted(&answer));
        assert_eq!(said, expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_and_an_ignored_event_count_nothing() {
    let planned = answer(simulator::pair(), "operator-plan").await;
    assert_eq!(line("license-eu", now(), now(), &planned), None);
    let non_member = counted(&answer(simulator::pair(), "stranger-stopped").await);
    assert_eq!(non_member.as_object().expect("an object").keys().collect::<Vec<_>>(), ["EventAge"]);
}
