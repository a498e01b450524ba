//! Pauses: an operator pauses the function, and during the pause only an operator's failover changes EC2.
//!
//! Requests and answers are JSON, as for an operator.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use simulator::world::CreateTags;
use simulator::{Disruption, Scenario, Simulator, When, names};
use token_failover::decide::pause::{Mark, NewsKind, in_force, news};
use token_failover::decide::plan::plan;
use token_failover::model::failure::Failure;
use token_failover::model::observation::{InstanceState, Observation, Reading};
use token_failover::model::pause::Pause;
use token_failover::model::plan::{Action, Decision, KeepReason, Plan};
use token_failover::model::request::Intent;
use token_failover::model::tags::{PAUSED, PAUSED_TOLD};
use token_failover::tell::summary;
use tokio::time::sleep;

use crate::standard::{self, event};
use crate::support::Stage;
use crate::world::{Change as _, pair, parsed, unreachable};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn stage(scenario: Scenario) -> Stage {
    stage_with(scenario, &[])
}

fn stage_with(scenario: Scenario, changes: &[(&str, &str)]) -> Stage {
    Stage::recorded(scenario.build(), changes, Box::new(|_| ()))
}

/// The answer to a document.
async fn answer(stage: &Stage, document: Value) -> Value {
    json!(stage.invoke(document).await.unwrap_or_else(|failure| panic!("{failure}")))
}

fn pause() -> Value {
    json!({"action": "pause", "reason": "new disks"})
}

fn resume() -> Value {
    json!({"action": "resume"})
}

/// Outcome and reason.
fn said(answer: &Value) -> (&str, &str) {
    (answer["outcome"].as_str().expect("an outcome"), answer["reason"].as_str().expect("a reason"))
}

fn tag(simulator: &Simulator, key: &str) -> Option<String> {
    simulator.world(|world| world.tag(names::INTERFACE, key).map(str::to_owned))
}

fn holder(simulator: &Simulator) -> Option<String> {
    simulator.world(|world| world.holder_of(names::INTERFACE).map(str::to_owned))
}

/// Every requested change since the last check.
fn story(simulator: &Simulator) -> Vec<String> {
    let calls = simulator.journal();
    simulator.clear_journal();
    let reads = |action: &str| action.starts_with("Describe") || action.starts_with("Get");
    let changing = calls.iter().filter(|call| !reads(&call.action) && !call.dry_run);
    changing
        .map(|call| {
            let text = call.to_string();
            match call.action.as_ref() {
                "CreateTags" if text.contains(PAUSED_TOLD) => "note what was told".to_owned(),
                "CreateTags" if text.contains(PAUSED) => "note the pause".to_owned(),
                "DeleteTags" if text.contains(PAUSED) => "remove the pause".to_owned(),
                "Publish" => call.parameters.get("Subject").unwrap_or_default().to_owned(),
                action => action.to_owned(),
            }
        })
        .collect()
}

/// Outcome and reason of each message since the last check.
fn mailed(simulator: &Simulator, from: usize) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    let messages = simulator.messages();
    let reports = messages[from..].iter().map(|message| {
        let message: Value = serde_json::from_str(&message.message).expect("a JSON object");
        let report: Value = serde_json::from_str(message["sqs"].as_str().expect("a report")).expect("JSON");
        (text(&report["outcome"]), text(&report["reason"]))
    });
    reports.collect()
}

fn mail(simulator: &Simulator, index: usize) -> String {
    let message: Value = serde_json::from_str(&simulator.messages()[index].message).expect("a JSON object");
    message["email"].as_str().expect("a message for email").to_owned()
}

fn pair_of(outcome: &str, reason: &str) -> (String, String) {
    (outcome.to_owned(), reason.to_owned())
}

const PAUSE_MAIL: &str = "PAUSED: license-eu (hostid 0273ae2adc81)";
const RESUMED_MAIL: &str = "RESUMED: license-eu (hostid 0273ae2adc81)";
const MOVED_MAIL: &str = "MOVED: license-eu (hostid 0273ae2adc81)";

// ---- The meaning of a tag ----

fn at(time: &str) -> DateTime<Utc> {
    time.parse().expect("a time")
}

fn tags(tags: &[(&str, &str)]) -> BTreeMap<String, String> {
    tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_pause_is_written_as_it_is_read() {
    let until = at("2026-11-12T01:29:54Z");
    let pause = Pause::new(until, at("2026-11-11T21:29:54.917Z"), Some("new disks"));
    let values = [
        (pause.clone(), "until=2026-11-12T01:29:54Z since=2026-11-11T21:29:54Z reason=new disks"),
        (
            pause.clone().resumed(at("2026-11-11T22:00:00.5Z")),
            "until=2026-11-12T01:29:54Z since=2026-11-11T21:29:54Z resumed=2026-11-11T22:00:00Z reason=new disks",
        ),
        (Pause { reason: None, since: None, ..pause }, "until=2026-11-12T01:29:54Z"),
    ];
    for (pause, value) in values {
        assert_eq!((pause.value().as_str(), Pause::read(value).as_ref()), (value, Some(&pause)));
    }
}

#[test]
fn a_tag_pauses_the_function_until_no_answer_can_be_older_than_its_end() {
    let week = "until=2026-11-18T21:29:54Z since=2026-11-11T21:29:54Z";
    for (value, asked_at, holds) in [
        (week, "2026-11-11T21:29:54Z", true),
        // The clock of another machine may be behind.
        (week, "2026-11-11T20:29:54Z", true),
        (week, "2026-11-10T21:29:53Z", false),
        (week, "2026-11-18T21:29:54Z", true),
        (week, "2026-11-18T21:30:08Z", true),
        (week, "2026-11-18T21:30:09Z", false),
        ("until=2026-11-12T00:00:00Z", "2026-11-11T21:29:54Z", true),
        ("  until=2026-11-12T00:00:00Z  reason=", "2026-11-11T21:29:54Z", true),
        ("reason=by hand until=2026-11-12T00:00:00Z", "2026-11-11T21:29:54Z", false),
        ("until=2026-11-12T00:00:00Z resumed=never", "2026-11-11T21:29:54Z", false),
        ("until=", "2026-11-11T21:29:54Z", false),
        ("UNTIL=2026-11-12T00:00:00Z", "2026-11-11T21:29:54Z", false),
        ("until=9999-12-31T23:59:59Z", "2026-11-11T21:29:54Z", false),
        ("until=+262142-12-31T23:59:59Z", "-262143-01-01T00:00:00Z", false),
        ("until=-262143-01-01T00:00:00Z", "+262142-12-31T23:59:59Z", false),
        ("until=+262142-12-31T23:59:59Z", "+262142-12-31T23:59:59Z", true),
    ] {
        let held = in_force(&tags(&[(PAUSED, value)]), at(asked_at));
        assert_eq!(held.is_some(), holds, "{value} at {asked_at}");
        // Other functions must not fail at the end of the calendar, either.
        let news = news(&tags(&[(PAUSED, value)]), at(asked_at), true);
        assert!(news.is_some_and(|news| !summary::news(&news).is_empty()), "{value} at {asked_at}");
    }
}

#[test]
fn each_change_of_a_pause_is_reported_once_and_first_by_the_run_that_made_it() {
    const PAUSE: &str = "until=2026-11-12T01:00:00Z since=2026-11-11T21:00:00Z reason=new disks";
    const RESUMED: &str = "until=2026-11-12T01:00:00Z since=2026-11-11T21:00:00Z resumed=2026-11-11T22:00:00Z";
    const TOLD_SET: &str = "until=2026-11-12T01:00:00Z since=2026-11-11T21:00:00Z told=set";
    const TOLD_ENDING: &str = "until=2026-11-12T01:00:00Z since=2026-11-11T21:00:00Z told=ending";
    const TOLD_OF_ANOTHER: &str = "until=2026-11-12T01:00:00Z since=2026-11-11T20:00:00Z told=ending";
    use NewsKind::{Ended, EndsSoon, NotUnderstood, Resumed, Set};
    let told = |value: &str| Some(Mark::Told(value.to_owned()));
    let removed = || Some(Mark::Remove);
    for (value, known, asked_at, speaks, kind, mark) in [
        (PAUSE, None, "2026-11-11T21:00:01Z", true, Some(Set), told(TOLD_SET)),
        (PAUSE, None, "2026-11-11T21:00:14Z", false, None, None),
        (PAUSE, None, "2026-11-11T21:00:15Z", false, Some(Set), told(TOLD_SET)),
        (PAUSE, Some(TOLD_OF_ANOTHER), "2026-11-11T21:01:00Z", false, Some(Set), told(TOLD_SET)),
        (PAUSE, None, "2026-11-12T00:45:00Z", false, Some(Set), told(TOLD_ENDING)),
        (PAUSE, Some(TOLD_SET), "2026-11-12T00:44:59Z", false, None, None),
        (PAUSE, Some(TOLD_SET), "2026-11-12T00:45:00Z", false, Some(EndsSoon), told(TOLD_ENDING)),
        (PAUSE, Some(TOLD_ENDING), "2026-11-12T00:45:00Z", false, None, None),
        (PAUSE, Some(TOLD_ENDING), "2026-11-12T01:00:14Z", false, None, None),
        (PAUSE, Some(TOLD_ENDING), "2026-11-12T01:00:15Z", false, Some(Ended), removed()),
        (PAUSE, None, "2026-11-12T09:00:00Z", false, Some(Ended), removed()),
        (RESUMED, Some(TOLD_SET), "2026-11-11T22:00:00Z", true, Some(Resumed), removed()),
        (RESUMED, Some(TOLD_SET), "2026-11-11T22:00:14Z", false, None, None),
        (RESUMED, Some(TOLD_SET), "2026-11-11T22:00:15Z", false, Some(Resumed), removed()),
        ("whatever", Some(TOLD_SET), "2026-11-11T22:00:00Z", false, Some(NotUnderstood), removed()),
    ] {
        let known = known.map(|known| (PAUSED_TOLD, known));
        let tags = tags(&[(PAUSED, value)].into_iter().chain(known).collect::<Vec<_>>());
        let found = news(&tags, at(asked_at), speaks);
        assert_eq!(found.as_ref().map(|news| news.kind), kind, "{value} {known:?} {asked_at} {speaks}");
        assert_eq!(found.map(|news| news.mark(at(asked_at))), mark, "{value} {known:?} {asked_at} {speaks}");
    }
    assert_eq!(news(&tags(&[(PAUSED_TOLD, TOLD_SET)]), at("2026-11-12T09:00:00Z"), true), None);
}

// ---- The plan ----

#[test]
fn a_pause_stops_everything_except_an_operators_failover() {
    let config = standard::config(&[]);
    let paused = |holder: InstanceState| {
        let value = "until=2026-11-12T01:29:54Z since=2026-11-11T21:29:54Z";
        let mut observation = pair().with_instance(names::HOLDER, |instance| instance.state = holder.clone());
        if let Reading::Known(Some(interface)) = &mut observation.interface {
            interface.tags.insert(PAUSED.to_owned(), value.to_owned());
        }
        observation
    };
    let holder = || parsed(names::HOLDER);
    let held_back = [
        Intent::Reconcile,
        Intent::Look { instances: vec![holder()], reported_failing: true },
        Intent::Evacuate { instance: holder(), until: DateTime::<Utc>::MAX_UTC },
    ];
    let free = [Intent::Audit, Intent::Failover { to: None }, Intent::Failover { to: Some(parsed(names::STANDBY)) }];
    let kept = Decision::Act(Action::Keep { reason: KeepReason::Paused });
    for state in [InstanceState::Running, InstanceState::Pending, InstanceState::Stopped, InstanceState::Terminated] {
        for looked_for in [Duration::ZERO, Duration::MAX] {
            let observation = paused(state.clone());
            let over = Observation { observed_at: at("2026-11-12T01:30:09Z"), ..observation.clone() };
            let never = pair().with_instance(names::HOLDER, |instance| instance.state = state.clone());
            for intent in &held_back {
                let unpaused = plan(&config, &never, intent, looked_for);
                let expected = Plan { decision: kept.clone(), ..unpaused.clone() };
                assert_eq!(plan(&config, &observation, intent, looked_for), expected, "{state:?} {intent:?}");
                if !matches!(intent, Intent::Evacuate { .. }) {
                    assert_eq!(plan(&config, &over, intent, looked_for), unpaused, "{state:?} {intent:?}");
                }
            }
            for intent in &free {
                let unpaused = plan(&config, &never, intent, looked_for);
                assert_eq!(plan(&config, &observation, intent, looked_for), unpaused, "{state:?} {intent:?}");
            }
        }
    }
}

#[test]
fn failed_reads_are_reported_during_a_pause() {
    let mut observation = pair();
    observation.instances = Reading::Unreadable(unreachable("ec2:DescribeInstances"));
    if let Reading::Known(Some(interface)) = &mut observation.interface {
        interface.tags.insert(PAUSED.to_owned(), "until=2026-11-12T01:29:54Z".to_owned());
    }
    let planned = plan(&standard::config(&[]), &observation, &Intent::Reconcile, Duration::MAX).decision;
    assert_eq!(planned, Decision::Act(Action::CannotTell(unreachable("ec2:DescribeInstances"))));
}

// ---- Whole invocations ----

#[tokio::test(start_paused = true)]
async fn a_pause_is_remembered_on_the_interface_mailed_and_shown() {
    let stage = stage(simulator::pair());

    let report = answer(&stage, pause()).await;

    assert_eq!(said(&report), ("paused", "pause-set"));
    let pause = json!({"until": "2026-11-12T01:29:54Z", "since": "2026-11-11T21:29:54Z", "reason": "new disks"});
    assert_eq!(report["pause"], pause);
    assert_eq!(
        tag(&stage.simulator, PAUSED).as_deref(),
        Some("until=2026-11-12T01:29:54Z since=2026-11-11T21:29:54Z reason=new disks")
    );
    assert_eq!(
        tag(&stage.simulator, PAUSED_TOLD).as_deref(),
        Some("until=2026-11-12T01:29:54Z since=2026-11-11T21:29:54Z told=set")
    );
    assert_eq!(story(&stage.simulator), ["note the pause", PAUSE_MAIL, "note what was told"]);
    let mail = mail(&stage.simulator, 0);
    for part in ["PAUSED until 2026-11-12 01:29:54 UTC (new disks)", "token-failover resume", "{\"action\":\"resume\"}"]
    {
        assert!(mail.contains(part), "{part}: {mail}");
    }
    let later = answer(&stage, event("schedule")).await;
    assert_eq!((said(&later), &later["pause"]), (("no-action", "paused"), &pause));
}

#[tokio::test(start_paused = true)]
async fn during_a_pause_nothing_is_moved_started_repaired_or_activated() {
    let activation = [("FAILOVER_ACTIVATION_DOCUMENT", names::DOCUMENT)];
    let scenario = simulator::pair().interface(names::INTERFACE, |interface| interface.delete_on_termination());
    let stage = stage_with(scenario, &activation);
    answer(&stage, pause()).await;
    let messages = stage.simulator.messages().len();
    stage.simulator.world(|world| world.disassociate(names::ALLOCATION)).expect("it is there");
    story(&stage.simulator);

    let mut answers = Vec::new();
    answers.push(answer(&stage, event("operator-reconcile")).await);
    stage.simulator.world(|world| world.stop(names::HOLDER)).expect("it runs");
    sleep(MINUTE).await;
    for document in ["holder-stopped", "schedule", "operator-reconcile", "holder-alarm-status-check"] {
        answers.push(answer(&stage, event(document)).await);
    }
    stage.simulator.world(|world| world.detach(names::INTERFACE)).expect("it is attached");
    sleep(MINUTE).await;
    answers.push(answer(&stage, event("schedule")).await);

    let answers: Vec<_> = answers.iter().map(said).collect();
    assert_eq!(answers, [("no-action", "paused"); 6]);
    assert_eq!(story(&stage.simulator), Vec::<String>::new());
    assert_eq!(mailed(&stage.simulator, messages), []);
}

#[tokio::test(start_paused = true)]
async fn the_coming_end_and_the_end_of_a_pause_are_mailed_once_and_then_the_function_acts() {
    let stage = stage(simulator::pair());
    answer(&stage, pause()).await;
    stage.simulator.world(|world| world.stop(names::HOLDER)).expect("it runs");
    sleep(3 * HOUR + 44 * MINUTE).await;
    assert_eq!(said(&answer(&stage, event("schedule")).await), ("no-action", "paused"));
    story(&stage.simulator);
    sleep(MINUTE).await;

    let soon = answer(&stage, event("schedule")).await;
    let again = answer(&stage, event("schedule")).await;

    assert_eq!((said(&soon), said(&again)), (("paused", "pause-ends-soon"), ("no-action", "paused")));
    assert_eq!(story(&stage.simulator), [PAUSE_MAIL, "note what was told"]);
    sleep(15 * MINUTE).await;
    assert_eq!(said(&answer(&stage, event("schedule")).await), ("no-action", "paused"), "an answer may be old");
    sleep(MINUTE).await;

    let first = answer(&stage, event("schedule")).await;
    let second = answer(&stage, event("schedule")).await;

    assert_eq!((said(&first), &first["pause"]), (("moved", "holder-stopped"), &Value::Null));
    assert_eq!((said(&second), &second["pause"]), (("no-action", "holder-healthy"), &Value::Null));
    assert_eq!(holder(&stage.simulator).as_deref(), Some(names::STANDBY));
    let story = story(&stage.simulator);
    assert_eq!(story[story.len() - 4..], [MOVED_MAIL, RESUMED_MAIL, "remove the pause", "DeleteTags"]);
    assert_eq!((tag(&stage.simulator, PAUSED), tag(&stage.simulator, PAUSED_TOLD)), (None, None));
    let expected = [
        pair_of("paused", "pause-set"),
        pair_of("paused", "pause-ends-soon"),
        pair_of("moved", "holder-stopped"),
        pair_of("resumed", "pause-ended"),
    ];
    assert_eq!(mailed(&stage.simulator, 0), expected);
}

#[tokio::test(start_paused = true)]
async fn the_first_run_after_a_pause_mails_its_end_even_if_it_has_nothing_else_to_report() {
    let stage = stage(simulator::pair());
    answer(&stage, pause()).await;
    sleep(4 * HOUR + MINUTE).await;

    let first = answer(&stage, event("schedule")).await;

    assert_eq!((said(&first), &first["pause"]), (("resumed", "pause-ended"), &Value::Null));
    assert!(first["summary"].as_str().is_some_and(|text| text.contains("2026-11-12 01:29:54 UTC")), "{first}");
    assert_eq!(said(&answer(&stage, event("schedule")).await), ("no-action", "holder-healthy"));
    assert_eq!(mailed(&stage.simulator, 1), [pair_of("resumed", "pause-ended")]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_is_set_shortly_before_its_end_is_not_announced_twice() {
    let stage = stage(simulator::pair());
    answer(&stage, json!({"action": "pause", "until": "10m"})).await;
    sleep(MINUTE).await;
    assert_eq!(said(&answer(&stage, event("schedule")).await), ("no-action", "paused"));
    assert_eq!(mailed(&stage.simulator, 0), [pair_of("paused", "pause-set")]);
}

#[tokio::test(start_paused = true)]
async fn resume_ends_a_pause_at_once_and_is_mailed() {
    let stage = stage(simulator::pair());
    answer(&stage, pause()).await;
    sleep(HOUR).await;
    stage.simulator.world(|world| world.stop(names::HOLDER)).expect("it runs");
    sleep(MINUTE).await;
    story(&stage.simulator);

    let report = answer(&stage, resume()).await;

    assert_eq!((said(&report), &report["pause"]), (("resumed", "resumed"), &Value::Null));
    assert_eq!(story(&stage.simulator), ["note the pause", RESUMED_MAIL, "remove the pause"]);
    assert_eq!((tag(&stage.simulator, PAUSED), tag(&stage.simulator, PAUSED_TOLD)), (None, None));
    assert_eq!(said(&answer(&stage, event("schedule")).await), ("moved", "holder-stopped"));
}

#[tokio::test(start_paused = true)]
async fn resume_without_a_pause_says_so_and_mails_nothing() {
    let stage = stage(simulator::pair());
    let report = answer(&stage, resume()).await;
    assert_eq!((said(&report), &report["pause"]), (("no-action", "not-paused"), &Value::Null));
    assert_eq!(story(&stage.simulator), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn resume_does_not_believe_one_answer_that_may_be_older_than_the_pause() {
    let stage = stage(simulator::pair());
    answer(&stage, pause()).await;
    let begins = stage.simulator.now();
    stage.simulator.disrupt(move |call| {
        let is_old = call.action == "DescribeNetworkInterfaces" && call.now < begins + Duration::from_secs(5);
        if is_old { Disruption::Stale(Duration::from_secs(10)) } else { Disruption::None }
    });
    sleep(Duration::from_secs(1)).await;
    assert_eq!(said(&answer(&stage, resume()).await), ("resumed", "resumed"));
    assert_eq!(tag(&stage.simulator, PAUSED), None);
}

#[tokio::test(start_paused = true)]
async fn one_answer_that_the_interface_does_not_exist_does_not_prevent_a_pause_or_a_resume() {
    let stage = stage(simulator::pair());
    for (request, expected) in [(pause(), ("paused", "pause-set")), (resume(), ("resumed", "resumed"))] {
        stage.simulator.fail_next("DescribeNetworkInterfaces", 1, Disruption::Forgotten);
        let answered = answer(&stage, request).await;
        assert_eq!(said(&answered), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn an_operators_failover_moves_the_interface_during_a_pause_and_the_pause_continues() {
    let stage = stage(simulator::pair());
    answer(&stage, pause()).await;

    let moved = answer(&stage, event("operator-failover")).await;
    let later = answer(&stage, event("schedule")).await;

    assert_eq!(said(&moved), ("moved", "operator-request"));
    assert_eq!(moved["pause"]["until"], json!("2026-11-12T01:29:54Z"));
    assert!(mail(&stage.simulator, 1).contains("PAUSED until 2026-11-12 01:29:54 UTC"));
    assert_eq!(said(&later), ("no-action", "paused"));
    assert_eq!(holder(&stage.simulator).as_deref(), Some(names::STANDBY));
}

#[tokio::test(start_paused = true)]
async fn a_new_pause_replaces_the_old_one_and_is_mailed() {
    let stage = stage(simulator::pair());
    answer(&stage, pause()).await;
    sleep(4 * HOUR - 5 * MINUTE).await;

    let longer = answer(&stage, json!({"action": "pause", "until": "2026-11-12T03:00:00Z"})).await;

    assert_eq!(said(&longer), ("paused", "pause-set"));
    assert!(
        longer["summary"]
            .as_str()
            .is_some_and(|text| text.contains("a pause that was to last until 2026-11-12 01:29:54 UTC")),
        "{longer}"
    );
    assert_eq!(
        longer["pause"],
        json!({"until": "2026-11-12T03:00:00Z", "since": "2026-11-12T01:24:54Z", "reason": null})
    );
    sleep(HOUR).await;
    assert_eq!(said(&answer(&stage, event("schedule")).await), ("no-action", "paused"));
    sleep(31 * MINUTE).await;
    assert_eq!(said(&answer(&stage, event("schedule")).await), ("paused", "pause-ends-soon"));
    assert_eq!(mailed(&stage.simulator, 1), [pair_of("paused", "pause-set"), pair_of("paused", "pause-ends-soon")]);
}

#[tokio::test(start_paused = true)]
async fn the_next_run_mails_a_pause_that_could_not_be_mailed() {
    let stage = stage(simulator::pair());
    let sns_fails = || {
        stage.simulator.disrupt(|call| {
            if call.action == "Publish" { Disruption::error(503, "Unavailable") } else { Disruption::None }
        });
    };
    sns_fails();
    let failure = stage.invoke(pause()).await.expect_err("SNS does not answer");
    assert!(matches!(failure, Failure::NotificationNotPublished { .. }), "{failure:?}");
    assert!(tag(&stage.simulator, PAUSED).is_some(), "the function is paused nevertheless");
    assert_eq!(tag(&stage.simulator, PAUSED_TOLD), None);
    stage.simulator.calm();
    sleep(MINUTE).await;
    assert_eq!(said(&answer(&stage, event("schedule")).await), ("paused", "pause-set"));

    sleep(3 * HOUR + 50 * MINUTE).await;
    sns_fails();
    stage.invoke(event("schedule")).await.expect_err("SNS does not answer");
    stage.simulator.calm();
    sleep(MINUTE).await;
    assert_eq!(said(&answer(&stage, event("schedule")).await), ("paused", "pause-ends-soon"));

    sns_fails();
    stage.invoke(resume()).await.expect_err("SNS does not answer");
    assert!(
        tag(&stage.simulator, PAUSED).is_some_and(|tag| tag.contains("resumed=")),
        "the pause is over, and its end is not mailed yet"
    );
    stage.simulator.calm();
    sleep(MINUTE).await;
    assert_eq!(said(&answer(&stage, event("schedule")).await), ("resumed", "resumed"));
    let expected =
        [pair_of("paused", "pause-set"), pair_of("paused", "pause-ends-soon"), pair_of("resumed", "resumed")];
    assert_eq!(mailed(&stage.simulator, 0), expected);
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_cannot_be_written_does_not_cause_a_mail_every_minute() {
    let stage = stage(simulator::pair());
    answer(&stage, pause()).await;
    sleep(3 * HOUR + 50 * MINUTE).await;
    stage.simulator.deny("CreateTags");
    stage.simulator.deny("DeleteTags");
    for _ in 0..14 {
        answer(&stage, event("schedule")).await;
        sleep(MINUTE).await;
    }
    assert_eq!(mailed(&stage.simulator, 1), [pair_of("paused", "pause-ends-soon"), pair_of("resumed", "pause-ended")]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_is_set_while_another_one_ends_is_not_removed_with_it() {
    let stage = stage(simulator::pair());
    answer(&stage, pause()).await;
    sleep(4 * HOUR + MINUTE).await;
    let new = "until=2026-11-12T06:00:00Z since=2026-11-12T01:30:54Z reason=more disks";
    stage.simulator.on_call("Publish", 2, When::After, move |world| {
        world.act(CreateTags::on(names::INTERFACE, PAUSED, new)).expect("written");
    });
    assert_eq!(said(&answer(&stage, event("schedule")).await), ("resumed", "pause-ended"));
    assert_eq!(tag(&stage.simulator, PAUSED).as_deref(), Some(new));
    sleep(MINUTE).await;
    assert_eq!(said(&answer(&stage, event("schedule")).await), ("paused", "pause-set"));
}

#[tokio::test(start_paused = true)]
async fn an_invalid_tag_pauses_nothing_and_is_mailed_and_removed() {
    for value in [
        "",
        "until tomorrow",
        "until=2026-13-41T00:00:00Z",
        "reason=no end",
        "until=9999-12-31T23:59:59Z since=2026-11-11T21:29:54Z",
        "until=+262142-12-31T23:59:59Z",
        "until=2026-12-24T00:00:00Z since=2026-11-11T21:29:54Z reason=longer than a week",
    ] {
        let stage = stage(simulator::pair().instance(names::HOLDER, |holder| holder.stopped()));
        stage.simulator.world(|world| world.act(CreateTags::on(names::INTERFACE, PAUSED, value))).expect("written");

        let report = answer(&stage, event("schedule")).await;

        assert_eq!((said(&report), &report["pause"]), (("moved", "holder-stopped"), &Value::Null), "{value}");
        assert_eq!(mailed(&stage.simulator, 1), [pair_of("resumed", "pause-not-understood")], "{value}");
        assert_eq!(tag(&stage.simulator, PAUSED), None, "{value}");
    }
}

#[tokio::test(start_paused = true)]
async fn plans_say_that_it_is_paused_and_what_would_be_done_without() {
    let stage = stage(simulator::pair());
    answer(&stage, pause()).await;
    stage.simulator.world(|world| world.stop(names::HOLDER)).expect("it runs");
    sleep(MINUTE).await;
    story(&stage.simulator);

    let plan = answer(&stage, event("operator-plan")).await;
    let failover = answer(&stage, event("operator-failover-dry-run")).await;

    assert_eq!((said(&plan), &plan["move"]), (("planned", "paused"), &Value::Null));
    let summary = plan["summary"].as_str().expect("a string");
    for part in ["paused until 2026-11-12 01:29:54 UTC", "would move from i-0aaaaaaaaaaaaaaa1 to i-0bbbbbbbbbbbbbbb2"] {
        assert!(summary.contains(part), "{part}: {summary}");
    }
    assert_eq!(said(&failover), ("planned", "operator-request"));
    assert_eq!(failover["pause"]["reason"], json!("new disks"));
    assert_eq!(story(&stage.simulator), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_audit_says_that_the_function_is_paused() {
    let stage = stage(simulator::pair());
    let before = answer(&stage, event("operator-audit")).await;
    answer(&stage, pause()).await;

    let audit = answer(&stage, event("operator-audit")).await;

    let finding = |report: &Value| {
        let findings = report["findings"].as_array().expect("a list").clone();
        findings.into_iter().find(|finding| finding["code"] == "paused")
    };
    assert_eq!(finding(&before), None);
    let finding = finding(&audit).expect("a finding");
    assert_eq!((&finding["severity"], &finding["resource"]), (&json!("warning"), &json!(names::INTERFACE)));
    assert!(
        finding["message"].as_str().is_some_and(|text| text.contains("until 2026-11-12 01:29:54 UTC")),
        "{finding}"
    );
    assert!(finding["remedy"].as_str().is_some_and(|text| text.contains("token-failover resume")), "{finding}");
    assert_eq!(mailed(&stage.simulator, 2), [], "the pause was mailed, and nothing else is new");
}

#[tokio::test(start_paused = true)]
async fn the_pending_report_of_a_run_that_died_before_the_pause_is_published_during_it() {
    let activation = [("FAILOVER_ACTIVATION_DOCUMENT", names::DOCUMENT)];
    let scenario = simulator::pair().instance(names::STANDBY, |standby| standby.token_server_on_command());
    let stage = stage_with(scenario, &activation);
    stage.simulator.disrupt(|call| {
        let is_gone = ["SendCommand", "Publish"].contains(&&*call.action);
        if is_gone { Disruption::error(503, "Unavailable") } else { Disruption::None }
    });
    stage.invoke(event("operator-failover")).await.expect_err("neither SNS nor Systems Manager answers");
    stage.simulator.calm();
    sleep(10 * MINUTE).await;

    let paused = answer(&stage, pause()).await;
    let schedule = answer(&stage, event("schedule")).await;

    assert_eq!((said(&paused), said(&schedule)), (("paused", "pause-set"), ("no-action", "paused")));
    assert!(
        mailed(&stage.simulator, 0).contains(&pair_of("moved", "report-was-owed")),
        "{:?}",
        mailed(&stage.simulator, 0)
    );
    assert_eq!(stage.simulator.commands().len(), 0);
    let pending =
        mailed(&stage.simulator, 0).iter().position(|(_, reason)| reason == "report-was-owed").expect("a mail");
    assert!(mail(&stage.simulator, pending).contains("[activation-failed]"), "{}", mail(&stage.simulator, pending));
}

#[tokio::test(start_paused = true)]
async fn a_pause_ends_in_the_future_and_within_a_week() {
    let now = at("2026-11-11T21:29:54Z");
    let after = |delta: TimeDelta| json!((now + delta).to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    for (until, end) in [
        (json!(null), Some(TimeDelta::hours(4))),
        (json!("2h"), Some(TimeDelta::hours(2))),
        (json!("90m"), Some(TimeDelta::minutes(90))),
        (json!(" 1d "), Some(TimeDelta::days(1))),
        (json!("7d"), Some(TimeDelta::days(7))),
        (json!("2026-11-12T00:00:00+02:00"), Some(TimeDelta::seconds(1806))),
        (after(TimeDelta::days(7)), Some(TimeDelta::days(7))),
        (after(TimeDelta::days(7) + TimeDelta::seconds(1)), None),
        (json!("8d"), None),
        (json!("169h"), None),
        (json!("18446744073709551615d"), None),
        (json!("9223372036854775807m"), None),
        (json!("9999-12-31T23:59:59Z"), None),
        (json!("+262142-12-31T23:59:59Z"), None),
        (after(TimeDelta::seconds(-1)), None),
        (after(TimeDelta::zero()), None),
        (json!("0m"), None),
        (json!("-2h"), None),
        (json!("2"), None),
        (json!("h"), None),
        (json!("2 hours"), None),
        (json!("tomorrow"), None),
        (json!(""), None),
        (json!("2026-11-12"), None),
        (json!(4), None),
        (json!({"hours": 4}), None),
    ] {
        let stage = stage(simulator::pair());
        match (stage.invoke(json!({"action": "pause", "Until": until})).await, end) {
            (Ok(report), Some(end)) => assert_eq!(json!(report)["pause"]["until"], after(end), "{until}"),
            (Err(Failure::InvalidRequest(error)), None) => {
                let text = error.to_string();
                assert!(text.contains("until") && text.contains("2h") && text.contains("a week"), "{until}: {text}");
                assert_eq!(stage.simulator.journal().len(), 0, "{until}");
            }
            (other, _) => panic!("{until}: {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_answer_says_that_a_pause_could_not_be_written() {
    let stage = stage(simulator::pair());
    stage.simulator.deny("CreateTags");
    let report = answer(&stage, pause()).await;
    assert_eq!((said(&report), &report["pause"]), (("refused", "permission-denied"), &Value::Null));
    stage.simulator.calm();
    stage.simulator.disrupt(|call| if call.action == "CreateTags" { Disruption::Throttle } else { Disruption::None });
    let failure = stage.invoke(pause()).await.expect_err("it is throttled");
    assert!(matches!(failure, Failure::Ec2Throttled(_)), "{failure:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pause_has_a_metric() {
    let stage = stage(simulator::pair());
    let measured = async |document: Value| {
        let answer = stage.invoke(document).await;
        let now = stage.now();
        let line = token_failover::tell::metrics::line("license-eu", now, now, &answer).expect("a line");
        line["Paused"].clone()
    };
    assert_eq!(measured(event("schedule")).await, json!(0));
    assert_eq!(measured(pause()).await, json!(1));
    assert_eq!(measured(event("schedule")).await, json!(1));
    assert_eq!(measured(resume()).await, json!(0));
}

#[tokio::test(start_paused = true)]
async fn a_reason_keeps_only_characters_that_a_tag_may_hold() {
    let stage = stage(simulator::pair());
    let reason = format!("disks & fans\nuntil=never <b> {}", "x".repeat(400));
    let report = answer(&stage, json!({"action": "pause", "reason": reason})).await;
    let value = tag(&stage.simulator, PAUSED).expect("a tag");
    assert_eq!(value.len(), 256);
    assert!(
        value.starts_with(
            "until=2026-11-12T01:29:54Z since=2026-11-11T21:29:54Z reason=disks _ fans_until=never _b_ xxx"
        )
    );
    assert_eq!(report["pause"]["until"], json!("2026-11-12T01:29:54Z"));
    let resumed = stage.invoke(resume()).await.expect("a report");
    assert_eq!(resumed.reason.as_str(), "resumed");
}
