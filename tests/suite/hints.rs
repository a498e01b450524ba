//! Hints: the documents of alarms, AWS Health and Spot on a healthy pair, and sequences of events with EC2's state at
//! each step.
//!
//! A hint is never an order, so each test asserts the place of the interface, every change of EC2, and every mail.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::world::Timings;
use simulator::world::region::Check;
use simulator::{Scenario, Simulator, names};
use token_failover::model::report::{Outcome, Report};

use crate::standard::event;
use crate::support::Stage;

const MEMBERS_WITH_THIRD: (&str, &str) =
    ("TOKEN_SERVER_INSTANCE_IDS", "i-0aaaaaaaaaaaaaaa1,i-0bbbbbbbbbbbbbbb2,i-0ccccccccccccccc3");
const NEVER_ON_IMPAIRED: (&str, &str) = ("FAILOVER_ON_IMPAIRED", "false");

fn stage(scenario: Scenario, changes: &[(&str, &str)]) -> Stage {
    Stage::recorded(scenario.timings(Timings::realistic()).build(), changes, Box::new(|_| ()))
}

fn holder(simulator: &Simulator) -> Option<String> {
    simulator.world(|world| world.holder_of(names::INTERFACE).map(str::to_owned))
}

/// The successful changes of EC2, except of tags.
fn changes(simulator: &Simulator) -> Vec<String> {
    let calls = simulator.journal();
    let changing = calls.iter().filter(|call| {
        let reads = call.action.starts_with("Describe") || call.action.starts_with("Get");
        let remembers = ["CreateTags", "DeleteTags", "Publish"].contains(&call.action.as_ref());
        !reads && !remembers && call.changed
    });
    changing.map(|call| call.action.to_string()).collect()
}

/// The findings of a report by code and resource.
fn findings(report: &Report) -> Vec<(&str, &str)> {
    let findings = report.findings.iter();
    findings.map(|finding| (finding.code.as_str(), finding.resource.as_deref().unwrap_or_default())).collect()
}

fn mail(simulator: &Simulator, index: usize) -> String {
    let messages = simulator.messages();
    let message: Value = serde_json::from_str(&messages[index].message).expect("a JSON object");
    message["email"].as_str().expect("a message for email").to_owned()
}

async fn answer(stage: &Stage, document: Value) -> Report {
    stage.invoke(document).await.expect("a report")
}

/// The expected result of a document on a healthy pair.
struct Hint {
    document: &'static str,
    outcome: Outcome,
    reason: &'static str,
    /// Whether the function calls EC2.
    looks: bool,
    /// The announcement and its instance.
    announced: Option<(&'static str, &'static str)>,
    /// The text of it in the mail.
    says: &'static str,
}

const fn ignored(document: &'static str) -> Hint {
    let (outcome, reason) = (Outcome::Ignored, "nothing-to-do");
    Hint { document, outcome, reason, looks: false, announced: None, says: "" }
}

const fn looked(document: &'static str, reason: &'static str) -> Hint {
    Hint { document, outcome: Outcome::NoAction, reason, looks: true, announced: None, says: "" }
}

const fn announced(document: &'static str, code: &'static str, of: &'static str, says: &'static str) -> Hint {
    Hint { document, outcome: Outcome::Audited, reason: code, looks: true, announced: Some((code, of)), says }
}

const RETIRES: &str = "AWS will retire the hardware of i-0aaaaaaaaaaaaaaa1 on 2026-11-26 13:00 UTC";

const HINTS: [Hint; 18] = [
    // The alarm claims that a check of the holder fails, so the function reads EC2 again before it believes EC2.
    looked("holder-alarm-status-check", "event-outdated"),
    looked("holder-alarm-attached-ebs-check", "event-outdated"),
    looked("holder-alarm-calls-function", "event-outdated"),
    // Load is not a failure, an alarm on a standby does not concern the holder, and a composite alarm names no
    // instance.
    looked("holder-alarm-cpu", "holder-healthy"),
    looked("standby-alarm-status-check", "holder-healthy"),
    looked("composite-alarm-calls-function", "holder-healthy"),
    looked("standby-spot-interruption", "holder-healthy"),
    ignored("holder-alarm-insufficient-data"),
    ignored("holder-alarm-status-check-ok"),
    ignored("holder-health-retirement-closed"),
    announced("holder-health-retirement", "retirement-scheduled", names::HOLDER, RETIRES),
    announced("holder-health-retirement-backup-region", "retirement-scheduled", names::HOLDER, RETIRES),
    announced("holder-health-retirement-entity-unknown", "retirement-scheduled", names::HOLDER, RETIRES),
    announced("holder-health-retirement-id-and-arn", "retirement-scheduled", names::HOLDER, RETIRES),
    announced(
        "holder-health-retirement-expedited",
        "retirement-scheduled",
        names::HOLDER,
        "AWS will retire the hardware of i-0aaaaaaaaaaaaaaa1 on 2026-11-13 02:00 UTC",
    ),
    announced(
        "holder-health-stop",
        "stop-scheduled",
        names::HOLDER,
        "AWS will stop i-0aaaaaaaaaaaaaaa1 on 2026-11-26 13:00 UTC.",
    ),
    announced(
        "holder-health-reboot",
        "reboot-scheduled",
        names::HOLDER,
        "AWS will reboot i-0aaaaaaaaaaaaaaa1 on 2026-11-26 13:00 UTC.",
    ),
    announced(
        "standby-health-power-maintenance",
        "maintenance-scheduled",
        names::STANDBY,
        "AWS will work on the power supply of i-0bbbbbbbbbbbbbbb2 on 2026-11-26 13:00 UTC.",
    ),
];

#[tokio::test(start_paused = true)]
async fn no_hint_moves_the_interface_of_a_healthy_pair_and_each_is_reported_once() {
    for Hint { document, outcome, reason, looks, announced, says } in HINTS {
        let stage = stage(simulator::pair(), &[]);
        let first = answer(&stage, event(document)).await;
        answer(&stage, event(document)).await;

        assert_eq!((first.outcome, first.reason.as_str()), (outcome, reason), "{document}: {}", first.summary);
        assert_eq!(findings(&first), Vec::from_iter(announced), "{document}");
        assert_eq!(stage.simulator.journal().is_empty(), !looks, "{document}");
        assert_eq!(changes(&stage.simulator), Vec::<String>::new(), "{document}");
        assert_eq!(holder(&stage.simulator).as_deref(), Some(names::HOLDER), "{document}");
        assert_eq!(stage.simulator.messages().len(), usize::from(announced.is_some()), "{document}");
        if let Some((_, instance)) = announced {
            let mail = mail(&stage.simulator, 0);
            assert!(mail.contains(says), "{document}: {mail}");
            assert_eq!(first.summary.matches(instance).count(), 1, "{document}: {}", first.summary);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_alarm_about_a_failed_check_moves_the_interface_from_a_holder_whose_checks_fail() {
    for document in ["holder-alarm-status-check", "holder-alarm-calls-function", "composite-alarm-calls-function"] {
        for (changes, outcome) in [(&[][..], Outcome::Moved), (&[NEVER_ON_IMPAIRED][..], Outcome::NoAction)] {
            let impaired = simulator::pair().instance(names::HOLDER, |holder| holder.impaired());
            let report = answer(&stage(impaired, changes), event(document)).await;
            assert_eq!(report.outcome, outcome, "{document}: {}", report.summary);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_announcement_from_two_regions_on_two_pages_and_in_any_order_is_mailed_once_for_each_instance() {
    let page = |number: &str, instance: &str, backup: &str| {
        let mut page = event("holder-health-stop");
        page["region"] = json!(if backup == "true" { "us-west-2" } else { names::REGION });
        page["detail"]["backupEvent"] = json!(backup);
        page["detail"]["page"] = json!(number);
        page["detail"]["totalPages"] = json!("2");
        page["detail"]["affectedEntities"][0]["entityValue"] = json!(instance);
        page
    };
    let stage = stage(simulator::pair(), &[]);
    for backup in ["false", "true", "false"] {
        answer(&stage, page("1", names::HOLDER, backup)).await;
        answer(&stage, page("2", names::STANDBY, backup)).await;
    }
    let mails: Vec<String> = (0..stage.simulator.messages().len()).map(|index| mail(&stage.simulator, index)).collect();
    assert_eq!(mails.len(), 2, "{mails:?}");
    assert!(mails[0].contains("stop i-0aaaaaaaaaaaaaaa1 on") && mails[1].contains("stop i-0bbbbbbbbbbbbbbb2 on"));
    // Another kind of announcement for the same time is a new one, and so is the same kind for another time.
    answer(&stage, event("holder-health-reboot")).await;
    answer(&stage, event("holder-health-stop")).await;
    let mut postponed = event("holder-health-stop");
    postponed["detail"]["startTime"] = json!("2026-12-03T13:00:00Z");
    answer(&stage, postponed.clone()).await;
    answer(&stage, postponed).await;
    assert_eq!(stage.simulator.messages().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_ec2_is_about_to_reclaim_is_not_viable() {
    let spot = || simulator::pair().instance(names::STANDBY, |standby| standby.spot());
    let warned = answer(&stage(spot(), &[]), event("standby-spot-interruption")).await;
    assert_eq!((warned.outcome, warned.viable_standbys), (Outcome::NoAction, Some(0)));

    // The holder has failed, too, but a move to an instance that is gone within two minutes gains nothing.
    let failed = spot().instance(names::HOLDER, |holder| holder.stopped());
    let stage_of_failed = stage(failed, &[("FAILOVER_START_STANDBY", "false")]);
    let report = answer(&stage_of_failed, event("standby-spot-interruption")).await;
    assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Refused, "no-viable-standby"));
    let obstacle = &report.findings[1];
    assert_eq!((obstacle.code.as_str(), obstacle.resource.as_deref()), ("standby-not-viable", Some(names::STANDBY)));
    assert!(obstacle.message.contains("EC2 is reclaiming it"), "{}", obstacle.message);

    // A warning for an instance that is not a Spot Instance is a mistake, and a warning for a past time had no effect.
    let on_demand = answer(&stage(simulator::pair(), &[]), event("standby-spot-interruption")).await;
    assert_eq!(on_demand.viable_standbys, Some(1));
    let past = stage(spot(), &[]).beginning_at("2026-11-14T13:44:00Z".parse().expect("a time"));
    assert_eq!(answer(&past, event("standby-spot-interruption")).await.viable_standbys, Some(1));
}

// ---- Sequences ----

#[tokio::test(start_paused = true)]
async fn the_same_event_twice_is_one_move_and_one_mail() {
    let stage = stage(simulator::pair(), &[]);
    stage.simulator.world(|world| world.stop(names::HOLDER)).expect("it runs");

    let first = answer(&stage, event("holder-stopping")).await;
    let second = answer(&stage, event("holder-stopping")).await;

    assert_eq!((first.outcome, second.outcome), (Outcome::Moved, Outcome::NoAction));
    assert_eq!(changes(&stage.simulator), ["DetachNetworkInterface", "AttachNetworkInterface"]);
    assert_eq!(stage.simulator.messages().len(), 1);
}

/// The alarm of the holder goes to `ALARM` with these checks, and then to `OK` with the checks of a healthy instance.
async fn checks_that_fail_and_pass(system: Check, instance: Check, changes: &[(&str, &str)], then: &str) -> Stage {
    let stage = stage(simulator::pair(), changes);
    stage.simulator.world(|world| world.set_checks(names::HOLDER, system, instance)).expect("it exists");
    answer(&stage, event("holder-alarm-status-check")).await;
    stage.simulator.world(|world| world.set_checks(names::HOLDER, Check::Ok, Check::Ok)).expect("it exists");
    tokio::time::sleep(Duration::from_secs(180)).await;
    answer(&stage, event(then)).await;
    answer(&stage, event("schedule")).await;
    stage
}

#[tokio::test(start_paused = true)]
async fn a_reboot_or_a_recovery_moves_the_interface_at_most_once_and_never_back() {
    for (system, instance, then) in [
        // EC2 sends no state change for a reboot, and `running` for a recovery on other hardware.
        (Check::Ok, Check::Impaired, "holder-alarm-status-check-ok"),
        (Check::Impaired, Check::Ok, "holder-running"),
        (Check::Impaired, Check::Impaired, "holder-running"),
    ] {
        let stage = checks_that_fail_and_pass(system, instance, &[], then).await;
        assert_eq!(changes(&stage.simulator), ["DetachNetworkInterface", "AttachNetworkInterface"], "{then}");
        assert_eq!(holder(&stage.simulator).as_deref(), Some(names::STANDBY), "{then}");
        assert_eq!(stage.simulator.messages().len(), 1, "{then}");

        let stage = checks_that_fail_and_pass(system, instance, &[NEVER_ON_IMPAIRED], then).await;
        assert_eq!(changes(&stage.simulator), Vec::<String>::new(), "{then}");
        assert_eq!(holder(&stage.simulator).as_deref(), Some(names::HOLDER), "{then}");
        assert_eq!(stage.simulator.messages().len(), 0, "{then}");
    }
}

/// A start is accepted, and the instance stops again, because the key of its volume may not be used.
fn locked(members: &[&str]) -> Scenario {
    let trio = simulator::trio().instance(names::HOLDER, |holder| holder.stopped());
    let cold = trio.instance(names::STANDBY, |standby| standby.stopped());
    members.iter().fold(cold, |scenario, member| scenario.instance(member, |instance| instance.volume_locked()))
}

/// The started instances, in order.
fn starts(simulator: &Simulator) -> Vec<String> {
    let calls = simulator.journal();
    let starts = calls.iter().filter(|call| call.action == "StartInstances" && !call.dry_run);
    starts.map(|call| call.parameters.get("InstanceId").unwrap_or_default().to_owned()).collect()
}

const REASON_OF_EC2: &str = "Client.InternalError: Client error on launch";

#[tokio::test(start_paused = true)]
async fn a_standby_that_stops_after_its_start_is_reported_with_ec2s_reason_and_the_next_one_is_started() {
    let stage = stage(locked(&[names::STANDBY]), &[MEMBERS_WITH_THIRD]);
    let first = answer(&stage, event("holder-stopped")).await;
    let second = answer(&stage, event("standby-stopped")).await;

    assert_eq!((first.outcome, second.outcome), (Outcome::Moved, Outcome::NoAction));
    assert_eq!(findings(&first), [("start-failed", names::STANDBY)]);
    assert!(first.findings[0].message.contains(REASON_OF_EC2), "{}", first.findings[0].message);
    assert_eq!(starts(&stage.simulator), [names::STANDBY, names::THIRD]);
    assert_eq!(holder(&stage.simulator).as_deref(), Some(names::THIRD));
    assert_eq!(stage.simulator.messages().len(), 1);
    assert!(mail(&stage.simulator, 0).contains(REASON_OF_EC2), "{}", mail(&stage.simulator, 0));
}

#[tokio::test(start_paused = true)]
async fn the_mail_gives_ec2s_reason_when_every_standby_stops_after_its_start() {
    let locked = locked(&[names::STANDBY, names::THIRD]).instance(names::HOLDER, |holder| holder.running());
    let stage = stage(locked, &[MEMBERS_WITH_THIRD]);
    stage.simulator.world(|world| world.terminate(names::HOLDER)).expect("it runs");
    let report = answer(&stage, event("holder-terminated")).await;

    assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Failed, "standby-not-started"));
    let why =
        report.findings.iter().find(|finding| finding.code.as_str() == "standby-not-started").expect("the finding");
    assert!(why.message.contains(REASON_OF_EC2), "{}", why.message);
    assert!(report.summary.contains(REASON_OF_EC2), "{}", report.summary);
    for started in report.findings.iter().filter(|finding| finding.code.as_str() == "start-failed") {
        assert!(started.message.contains(REASON_OF_EC2), "{}", started.message);
    }
    assert!(mail(&stage.simulator, 0).contains(REASON_OF_EC2));
}
