//! Moves that no run has made: Terraform, CloudFormation or a person moves the interface, and an audit tells it once.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use simulator::world::Timings;
use simulator::{Disruption, Scenario, names};
use token_failover::decide::attachment::MoveNote;
use token_failover::model::finding::{Finding, Severity};
use token_failover::model::ids::AttachmentId;
use token_failover::model::report::{Outcome, Report};
use token_failover::model::tags::SEEN;

use crate::standard::event;
use crate::support::Stage;

const CODE: &str = "moved-by-somebody";

fn stage(scenario: Scenario) -> Stage {
    Stage::recorded(scenario.timings(Timings::realistic()).build(), &[], Box::new(|_| ()))
}

async fn audit(stage: &Stage) -> Report {
    stage.invoke(event("operator-audit")).await.expect("a report")
}

/// A pair that an audit has seen.
async fn audited_pair() -> Stage {
    let stage = stage(simulator::pair().instance(names::NON_MEMBER, |non_member| non_member.running()));
    assert_eq!(found(&audit(&stage).await), None, "the first audit only notes what it sees");
    stage
}

fn found(report: &Report) -> Option<&Finding> {
    report.findings.iter().find(|finding| finding.code.as_str() == CODE)
}

fn severity(report: &Report) -> Option<Severity> {
    found(report).map(|finding| finding.severity)
}

/// Something else moves the interface, in ten seconds.
async fn move_by_hand(stage: &Stage, to: &str) {
    stage.simulator.world(|world| world.detach(names::INTERFACE)).expect("it is attached");
    sleep(5).await;
    stage.simulator.world(|world| world.attach(names::INTERFACE, to, 1)).expect("it is free");
    sleep(5).await;
    assert_eq!(holder(stage).as_deref(), Some(to));
}

async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

fn holder(stage: &Stage) -> Option<String> {
    stage.simulator.world(|world| world.holder_of(names::INTERFACE).map(str::to_owned))
}

fn tags(stage: &Stage) -> BTreeMap<String, String> {
    stage.simulator.world(|world| {
        let interface = world.interface(names::INTERFACE);
        interface.map(|interface| interface.tags.clone().into_iter().collect()).unwrap_or_default()
    })
}

/// The attachment that the only run that has moved the interface has named.
fn named(stage: &Stage) -> Option<AttachmentId> {
    let mut notes = MoveNote::read_all(&tags(stage)).into_iter();
    let named = notes.next().and_then(|note| note.arrived).map(|noted| noted.attachment);
    assert_eq!(notes.next(), None, "{:?}", tags(stage));
    named
}

/// The mails that tell of a move by something else.
fn told(stage: &Stage) -> Vec<String> {
    let mails = stage.simulator.messages().into_iter().map(|message| {
        let document: Value = serde_json::from_str(&message.message).expect("a JSON object");
        document["email"].as_str().expect("a string").to_owned()
    });
    mails.filter(|mail| mail.contains(CODE)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_move_by_something_else_is_told_once() {
    let stage = audited_pair().await;
    let since = tags(&stage)[SEEN].rsplit_once("at=").expect("a time").1.to_owned();
    move_by_hand(&stage, names::STANDBY).await;
    stage.invoke(event("schedule")).await.expect("a report");

    let report = audit(&stage).await;

    let finding = found(&report).expect("the finding");
    assert_eq!(finding.severity, Severity::Info);
    assert_eq!(finding.resource.as_deref(), Some(names::INTERFACE));
    let message = "Something other than token-failover moved eni-0ddddddddddddddd1 from i-0aaaaaaaaaaaaaaa1 to \
                   i-0bbbbbbbbbbbbbbb2.";
    assert_eq!(finding.message, message);
    assert!(report.summary.ends_with(message), "{}", report.summary);
    let attachment =
        stage.simulator.world(|world| world.attachment_of(names::INTERFACE).cloned()).expect("it is attached");
    let look_up = |event: &str, attachment: &str| {
        format!(
            "aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue={event} --start-time {since} \
             --query \"Events[?contains(CloudTrailEvent, '{attachment}')].[EventTime,EventName,Username]\" --output text --region \
             eu-west-1"
        )
    };
    let commands: Vec<&str> = finding.remedy.lines().filter(|line| line.starts_with("aws ")).collect();
    let expected =
        [look_up("AttachNetworkInterface", &attachment.id), look_up("DetachNetworkInterface", names::ATTACHMENT)];
    assert_eq!(commands, expected);
    assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Audited, "ready"));
    for _ in 0..3 {
        sleep(3600).await;
        assert_eq!(found(&audit(&stage).await), None);
    }
    assert_eq!(stage.simulator.messages().len(), 2, "the first audit, and this one");
    assert_eq!(told(&stage).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_second_one_within_a_day_is_a_warning() {
    let stage = audited_pair().await;
    move_by_hand(&stage, names::STANDBY).await;
    assert_eq!(severity(&audit(&stage).await), Some(Severity::Info));
    sleep(23 * 3600).await;

    move_by_hand(&stage, names::HOLDER).await;
    let again = audit(&stage).await;

    assert_eq!((severity(&again), again.reason.as_str()), (Some(Severity::Warning), "ready-with-warnings"));
    assert!(found(&again).is_some_and(|finding| finding.message.ends_with("This is not the first time within a day.")));
    assert_eq!(severity(&audit(&stage).await), None);
    sleep(25 * 3600).await;
    move_by_hand(&stage, names::STANDBY).await;
    assert_eq!(severity(&audit(&stage).await), Some(Severity::Info), "a day later");
    assert_eq!(told(&stage).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_interface_that_was_taken_off_and_put_back_is_told_too() {
    let stage = audited_pair().await;
    move_by_hand(&stage, names::HOLDER).await;
    let report = audit(&stage).await;
    let message = "Something other than token-failover detached eni-0ddddddddddddddd1 from i-0aaaaaaaaaaaaaaa1 and attached it \
                   there again.";
    assert_eq!(found(&report).map(|finding| finding.message.as_str()), Some(message));
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_is_not_a_member_has_both_findings() {
    let stage = audited_pair().await;
    move_by_hand(&stage, names::NON_MEMBER).await;
    let report = audit(&stage).await;
    let codes: Vec<&str> = report.findings.iter().map(|finding| finding.code.as_str()).collect();
    assert!(codes.contains(&"held-by-stranger") && codes.contains(&CODE), "{codes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_move_by_hand_during_a_pause_is_told_like_any_other() {
    let stage = audited_pair().await;
    stage.invoke(json!({"action": "pause", "until": "4h", "reason": "new disks"})).await.expect("a pause");
    move_by_hand(&stage, names::STANDBY).await;
    assert_eq!(severity(&audit(&stage).await), Some(Severity::Info));
    assert_eq!(told(&stage).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_move_of_the_function_is_its_own() {
    for ask in [json!({"action": "failover"}), event("schedule")] {
        let stage = audited_pair().await;
        if ask != json!({"action": "failover"}) {
            stage.simulator.world(|world| world.stop(names::HOLDER)).expect("it runs");
        }
        let moved = stage.invoke(ask.clone()).await.expect("a report");
        assert_eq!(moved.outcome, Outcome::Moved, "{ask}");
        assert_eq!(found(&audit(&stage).await), None, "{ask}");
        move_by_hand(&stage, names::HOLDER).await;
        let report = audit(&stage).await;
        let from =
            found(&report).map(|finding| finding.message.contains("from i-0bbbbbbbbbbbbbbb2 to i-0aaaaaaaaaaaaaaa1"));
        assert_eq!(from, Some(true), "{ask}: {:?}", report.findings);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_and_a_start_of_the_holder_move_nothing() {
    let stage = audited_pair().await;
    let attachment = |stage: &Stage| stage.simulator.world(|world| world.attachment_of(names::INTERFACE).cloned());
    let before = attachment(&stage).expect("an attachment").id;
    stage.simulator.world(|world| world.stop(names::HOLDER)).expect("it runs");
    sleep(120).await;
    stage.simulator.world(|world| world.start(names::HOLDER)).expect("it is stopped");
    sleep(120).await;
    assert_eq!(attachment(&stage).expect("an attachment").id, before);
    assert_eq!(found(&audit(&stage).await), None);
}

#[tokio::test(start_paused = true)]
async fn a_move_whose_run_died_at_any_time_is_its_own() {
    for after in (0..8_000).step_by(250) {
        let stage = audited_pair().await;
        stage.simulator.world(|world| world.stop(names::HOLDER)).expect("it runs");
        let run = stage.invoke(event("holder-stopping"));
        let answer = tokio::time::timeout(Duration::from_millis(after), run).await;
        sleep(20).await;
        assert_eq!(found(&audit(&stage).await), None, "right after {after} ms: {:?}", tags(&stage));
        sleep(400).await;
        stage.invoke(event("schedule")).await.expect("a report");
        assert_eq!(holder(&stage).as_deref(), Some(names::STANDBY), "{after} ms");
        for _ in 0..2 {
            sleep(3600).await;
            assert_eq!(found(&audit(&stage).await), None, "{after} ms, {answer:?}: {:?}", tags(&stage));
        }
        move_by_hand(&stage, names::HOLDER).await;
        assert_eq!(severity(&audit(&stage).await), Some(Severity::Info), "{after} ms: {:?}", tags(&stage));
    }
}

#[tokio::test(start_paused = true)]
async fn a_move_whose_arrival_could_not_be_noted_is_its_own() {
    let stage = audited_pair().await;
    stage.simulator.world(|world| world.stop(names::HOLDER)).expect("it runs");
    stage.simulator.disrupt(|call| {
        let is_arrival = call.parameters.iter().any(|(_, value)| value.contains("arrived="));
        if is_arrival { Disruption::internal_error() } else { Disruption::None }
    });
    let moved = stage.invoke(event("holder-stopping")).await.expect("a report");
    assert_eq!(moved.outcome, Outcome::Moved);
    stage.simulator.calm();
    assert_eq!(named(&stage), None, "{:?}", tags(&stage));
    for _ in 0..2 {
        sleep(3600).await;
        assert_eq!(found(&audit(&stage).await), None);
    }
    move_by_hand(&stage, names::HOLDER).await;
    assert_eq!(severity(&audit(&stage).await), Some(Severity::Info));
}

/// An operator detaches the interface right after the move, and then an attach of the run takes effect whose answer the run
/// has not received.
#[tokio::test(start_paused = true)]
async fn an_attach_that_takes_effect_after_its_run_has_ended_is_its_own() {
    let stage = audited_pair().await;
    stage.simulator.world(|world| world.stop(names::HOLDER)).expect("it runs");
    stage.simulator.disrupt({
        let mut has_lost = false;
        move |call| {
            let loses =
                call.action == "AttachNetworkInterface" && !call.dry_run && !std::mem::replace(&mut has_lost, true);
            if loses { Disruption::Late(Duration::from_secs(30)) } else { Disruption::None }
        }
    });
    let moved = stage.invoke(event("holder-stopping")).await.expect("a report");
    assert_eq!(moved.outcome, Outcome::Moved);
    assert_eq!(named(&stage), None, "the run cannot know its last attachment: {:?}", tags(&stage));
    stage.simulator.world(|world| world.detach(names::INTERFACE)).expect("it is attached");
    sleep(60).await;
    assert_eq!(holder(&stage).as_deref(), Some(names::STANDBY), "the late attach took effect");
    for _ in 0..2 {
        sleep(3600).await;
        assert_eq!(found(&audit(&stage).await), None, "{:?}", tags(&stage));
    }
    move_by_hand(&stage, names::HOLDER).await;
    assert_eq!(severity(&audit(&stage).await), Some(Severity::Info));
}

#[tokio::test(start_paused = true)]
async fn an_audit_that_sns_does_not_take_is_repeated_by_the_next_one() {
    let stage = audited_pair().await;
    move_by_hand(&stage, names::STANDBY).await;
    stage.simulator.always("Publish", Disruption::internal_error());
    stage.invoke(event("operator-audit")).await.expect_err("SNS did not answer");
    stage.simulator.calm();
    assert_eq!(severity(&audit(&stage).await), Some(Severity::Info), "it is still the first time");
    assert_eq!(severity(&audit(&stage).await), None);
    assert_eq!(told(&stage).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_audit_notes_what_it_sees_even_if_it_is_not_mailed() {
    let stage = audited_pair().await;
    let interface = vec![names::INTERFACE.to_owned()];
    let forget =
        simulator::world::DeleteTags { resources: interface, tags: vec![(SEEN.to_owned(), None)], dry_run: false };
    stage.simulator.world(|world| world.act(forget)).expect("it exists");

    let report = audit(&stage).await;

    assert_eq!((found(&report), stage.simulator.messages().len()), (None, 1), "as after an update of the function");
    let expected = format!("attachment={} instance={} at=", names::ATTACHMENT, names::HOLDER);
    assert!(tags(&stage)[SEEN].starts_with(&expected), "{:?}", tags(&stage));
    let changes = stage.simulator.changes().len();
    audit(&stage).await;
    assert_eq!(stage.simulator.changes().len(), changes, "nothing new, so nothing is written");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_tells_it_and_leaves_it_to_the_next_audit() {
    let stage = audited_pair().await;
    move_by_hand(&stage, names::STANDBY).await;
    let before = (tags(&stage), stage.simulator.messages().len());
    for ask in [
        json!({"action": "audit", "dryRun": true}),
        json!({"action": "plan"}),
        json!({"action": "audit", "dryRun": true}),
    ] {
        let report = stage.invoke(ask.clone()).await.expect("a report");
        assert_eq!(severity(&report), (ask["action"] == "audit").then_some(Severity::Info), "{ask}");
        assert_eq!((tags(&stage), stage.simulator.messages().len()), before, "{ask}");
    }
    assert_eq!(severity(&audit(&stage).await), Some(Severity::Info));
}

/// Terraform moves the interface back to the former holder, which has failed, before any audit.
#[tokio::test(start_paused = true)]
async fn a_failover_tells_of_the_move_that_it_undoes() {
    let stage = audited_pair().await;
    stage.simulator.world(|world| world.stop(names::HOLDER)).expect("it runs");
    let first = stage.invoke(event("holder-stopped")).await.expect("a report");
    assert_eq!((first.outcome, found(&first)), (Outcome::Moved, None));
    for expected in [Severity::Info, Severity::Warning] {
        move_by_hand(&stage, names::HOLDER).await;

        let back = stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!((back.outcome, severity(&back)), (Outcome::Moved, Some(expected)));
        assert_eq!(holder(&stage).as_deref(), Some(names::STANDBY));
        assert_eq!(found(&audit(&stage).await), None, "it has been told");
    }
    assert_eq!(told(&stage).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_audit_during_a_move_notes_nothing() {
    let stage = audited_pair().await;
    let before = tags(&stage)[SEEN].clone();
    stage.simulator.world(|world| world.stop(names::HOLDER)).expect("it runs");
    let audits = async {
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert_eq!(found(&audit(&stage).await), None);
        }
    };
    let (moved, ()) = futures_util::future::join(stage.invoke(event("holder-stopping")), audits).await;
    assert_eq!(moved.expect("a report").outcome, Outcome::Moved);
    assert_eq!(tags(&stage)[SEEN], before, "the run has noted its own move");
}
