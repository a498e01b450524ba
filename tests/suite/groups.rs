//! Members in an Auto Scaling group: whole invocations. The group replaces its instances, and the license is always on one
//! that stays.

use std::time::Duration;

use serde_json::Value;
use simulator::names::{AUTO_SCALING_GROUP, HOLDER, INTERFACE, LIFECYCLE_HOOK, NON_MEMBER, STANDBY};
use simulator::world::region::InstanceState;
use simulator::world::{EventKind, LifecycleState, Timings, World};
use simulator::{Disruption, Scenario, Simulator};
use token_failover::model::report::{Outcome, Report, StepResult};

use crate::standard::event;
use crate::support::Stage;

const BY_TAG: [(&str, &str); 2] = [("TOKEN_SERVER_INSTANCE_IDS", ""), ("TOKEN_SERVER_MEMBERS", "token-server=yes")];
/// The instances that the group launches.
const FIRST_NEW: &str = "i-0eeeeeeeeeeeeeee5";
const SECOND_NEW: &str = "i-0fffffffffffffff6";
const SECOND: Duration = Duration::from_secs(1);

/// The pair in a group that launches before it terminates, and waits for the function.
fn grouped() -> Scenario {
    simulator::grouped()
        .timings(Timings::realistic())
        .auto_scaling_group(AUTO_SCALING_GROUP, |group| group.size(2, 2, 3).launches_in_turn([FIRST_NEW, SECOND_NEW]))
}

fn stage(scenario: Scenario) -> Stage {
    Stage::recorded(scenario.build(), &BY_TAG, Box::new(|_| ()))
}

fn holder(simulator: &Simulator) -> Option<String> {
    simulator.world(|world| world.holder_of(INTERFACE).map(str::to_owned))
}

fn state(simulator: &Simulator, id: &str) -> InstanceState {
    simulator.world(|world| world.region().instance(id).expect("an instance").state)
}

/// The members with their lifecycle states, in the order of their launches.
fn members(simulator: &Simulator) -> Vec<(String, LifecycleState)> {
    simulator.world(|world| {
        let members = world.group_members(AUTO_SCALING_GROUP).iter();
        members.map(|member| (member.instance_id.clone(), member.lifecycle_state())).collect()
    })
}

/// The group terminates this instance, and launches none in its place.
fn scale_in(stage: &Stage, victim: &str) {
    stage.simulator.world(|world| {
        world.set_first_to_go(AUTO_SCALING_GROUP, &[victim]).expect("a group");
        world.set_desired_capacity(AUTO_SCALING_GROUP, 1).expect("a capacity");
    });
}

/// A group whose size may shrink, so that it terminates a healthy instance.
fn shrinking() -> Scenario {
    grouped().auto_scaling_group(AUTO_SCALING_GROUP, |group| group.size(1, 2, 3))
}

/// The event of the lifecycle action that is in progress.
async fn lifecycle_event(stage: &Stage) -> Value {
    for _ in 0..120 {
        let events = stage.simulator.take_events();
        let action = events.iter().find(|event| matches!(event.kind, EventKind::TerminateLifecycleAction { .. }));
        if let Some(action) = action {
            return action.document();
        }
        tokio::time::sleep(SECOND).await;
    }
    panic!("no lifecycle action has begun");
}

async fn reconcile(stage: &Stage) -> Report {
    stage.invoke(event("schedule")).await.expect("a report")
}

fn codes(report: &Report) -> Vec<&str> {
    report.findings.iter().map(|finding| finding.code.as_str()).collect()
}

/// The changes without those of the tags, by their actions.
fn changes(simulator: &Simulator) -> Vec<String> {
    let changes = simulator.changes();
    let actions = changes.iter().filter_map(|change| change.split(' ').next());
    actions.filter(|action| !action.ends_with("Tags")).map(str::to_owned).collect()
}

const COMPLETED: &str = "CompleteLifecycleAction";

#[tokio::test(start_paused = true)]
async fn a_holder_that_its_group_terminates_hands_over_is_reported_and_is_then_let_go() {
    let stage = stage(shrinking());
    scale_in(&stage, HOLDER);
    let document = lifecycle_event(&stage).await;

    let report = stage.invoke(document).await.expect("a report");

    assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Moved, "auto-scaling-termination"));
    assert!(report.summary.starts_with(&format!("The license interface moved from {HOLDER} to {STANDBY}")));
    assert!(
        report.summary.ends_with("because an Auto Scaling group is about to terminate its holder."),
        "{}",
        report.summary
    );
    assert_eq!(
        changes(&stage.simulator),
        ["DetachNetworkInterface", "AttachNetworkInterface", "Publish", COMPLETED],
        "the group may go on only after the report"
    );
    let last = report.steps.last().expect("a step");
    assert_eq!(
        (serde_json::to_value(last.step).expect("a name"), last.result),
        ("complete-lifecycle-action".into(), StepResult::Done)
    );
    assert!(codes(&report).iter().all(|code| !code.contains("lifecycle")), "{:?}", report.findings);
    tokio::time::sleep(120 * SECOND).await;
    assert_eq!(state(&stage.simulator, HOLDER), InstanceState::Terminated);
    assert_eq!(holder(&stage.simulator).as_deref(), Some(STANDBY));
    assert_eq!(stage.simulator.messages().len(), 1);
    // Nothing is left to do.
    let before = stage.simulator.changes().len();
    assert_eq!(reconcile(&stage).await.reason.as_str(), "holder-healthy");
    assert_eq!(stage.simulator.changes().len(), before);
}

#[tokio::test(start_paused = true)]
async fn a_reconcile_hands_over_although_the_event_is_lost() {
    let stage = stage(shrinking());
    reconcile(&stage).await;
    scale_in(&stage, HOLDER);
    lifecycle_event(&stage).await;

    let report = reconcile(&stage).await;

    assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Moved, "auto-scaling-termination"));
    assert_eq!(changes(&stage.simulator).last().map(String::as_str), Some(COMPLETED));
    assert_eq!(holder(&stage.simulator).as_deref(), Some(STANDBY));
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_its_group_terminates_is_let_go_at_once_and_no_mail_is_sent() {
    let stage = stage(shrinking());
    scale_in(&stage, STANDBY);
    let document = lifecycle_event(&stage).await;

    let report = stage.invoke(document).await.expect("a report");

    assert_eq!((report.outcome, report.reason.as_str()), (Outcome::NoAction, "holder-healthy"));
    assert_eq!(changes(&stage.simulator), [COMPLETED]);
    assert_eq!(holder(&stage.simulator).as_deref(), Some(HOLDER));
    assert!(stage.simulator.messages().is_empty());
}

/// The only other member cannot take the interface.
fn without_standby() -> Scenario {
    shrinking().instance(STANDBY, |standby| standby.impaired())
}

#[tokio::test(start_paused = true)]
async fn a_holder_without_a_viable_standby_serves_until_the_group_stops_waiting() {
    let scenario = without_standby().auto_scaling_group(AUTO_SCALING_GROUP, |group| group.launches_in_turn([""; 0]));
    let stage = stage(scenario);
    stage.simulator.world(|world| world.suspend(AUTO_SCALING_GROUP)).expect("a group");
    // Somebody terminates the holder by the group, which waits for the hook.
    let mut leaving = None;
    stage.simulator.world(|world| leaving = Some(world.terminate_in_group(HOLDER)));
    leaving.expect("it was called").expect("a member");
    let document = lifecycle_event(&stage).await;

    let report = stage.invoke(document).await.expect("a report");

    assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Refused, "no-viable-standby"));
    let summary = format!(
        "The interface was not moved: no standby can take it, so it stays on {HOLDER}, although an Auto Scaling group is \
         about to terminate its holder."
    );
    assert_eq!(report.summary, summary);
    assert_eq!(codes(&report)[..2], ["no-viable-standby", "standby-not-viable"]);
    assert_eq!(changes(&stage.simulator), ["Publish"]);
    for _ in 0..5 {
        tokio::time::sleep(60 * SECOND).await;
        assert_eq!(reconcile(&stage).await.reason.as_str(), "no-viable-standby");
        assert_eq!(state(&stage.simulator, HOLDER), InstanceState::Running);
    }
    assert_eq!(changes(&stage.simulator), ["Publish"], "a lasting problem is mailed once, and nothing is changed");
    // A standby comes up in time.
    stage
        .simulator
        .world(|world| {
            let ok = simulator::world::Check::Ok;
            world.set_checks(STANDBY, ok, ok)
        })
        .expect("an instance");
    let report = reconcile(&stage).await;
    assert_eq!((report.outcome, holder(&stage.simulator).as_deref()), (Outcome::Moved, Some(STANDBY)));
    assert_eq!(changes(&stage.simulator).last().map(String::as_str), Some(COMPLETED));
}

#[tokio::test(start_paused = true)]
async fn an_event_whose_lifecycle_action_is_over_changes_nothing_and_is_one_clear_sentence() {
    let stage = stage(grouped());
    let report = stage.invoke(event("holder-lifecycle-action")).await.expect("a report");
    assert_eq!((report.outcome, report.reason.as_str()), (Outcome::NoAction, "lifecycle-action-over"));
    let summary = "The event says that an Auto Scaling group is about to terminate a member. Auto Scaling does not say so, \
                   each time the function asks, so the lifecycle action is over. Nothing was changed.";
    assert_eq!(report.summary, summary);
    assert!(stage.simulator.changes().is_empty() && stage.simulator.messages().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_event_about_the_group_of_a_stranger_costs_one_read() {
    let stage = stage(grouped().instance(NON_MEMBER, |other| other));
    let mut document = event("holder-lifecycle-action");
    document["detail"]["EC2InstanceId"] = NON_MEMBER.into();
    let report = stage.invoke(document).await.expect("a report");
    assert_eq!((report.outcome, report.reason.as_str()), (Outcome::NoAction, "not-a-member"));
    let calls: Vec<String> = stage.simulator.journal().iter().map(|call| call.action.to_string()).collect();
    assert_eq!(calls, ["DescribeInstances"]);
}

#[tokio::test(start_paused = true)]
async fn a_completion_that_fails_is_told_and_tried_again_by_the_next_reconcile() {
    let stage = stage(shrinking());
    scale_in(&stage, HOLDER);
    let document = lifecycle_event(&stage).await;
    stage.simulator.fail_next("CompleteLifecycleAction", 1, Disruption::Deny);

    let report = stage.invoke(document).await.expect("a report");

    assert_eq!((report.outcome, holder(&stage.simulator).as_deref()), (Outcome::Moved, Some(STANDBY)));
    let open =
        report.findings.iter().find(|finding| finding.code.as_str() == "lifecycle-action-open").expect("a finding");
    assert_eq!(open.resource.as_deref(), Some(HOLDER));
    assert!(
        open.message.starts_with(&format!(
            "The Auto Scaling group {AUTO_SCALING_GROUP} waits for a lifecycle action before it terminates {HOLDER}, which \
             does not hold the interface. The function could not complete it: autoscaling:CompleteLifecycleAction"
        )),
        "{}",
        open.message
    );
    let command = format!(
        "aws autoscaling complete-lifecycle-action --auto-scaling-group-name {AUTO_SCALING_GROUP} --lifecycle-hook-name \
         {LIFECYCLE_HOOK} --instance-id {HOLDER} --lifecycle-action-result CONTINUE --region eu-west-1"
    );
    assert!(open.remedy.ends_with(&command), "{}", open.remedy);
    assert_eq!(state(&stage.simulator, HOLDER), InstanceState::Running);
    // An audit tells of it as well, and changes nothing.
    let audit = stage.invoke(event("operator-audit")).await.expect("a report");
    assert!(codes(&audit).contains(&"lifecycle-action-open"), "{:?}", audit.findings);
    assert_eq!(state(&stage.simulator, HOLDER), InstanceState::Running);

    let report = reconcile(&stage).await;
    assert_eq!(report.reason.as_str(), "holder-healthy");
    tokio::time::sleep(120 * SECOND).await;
    assert_eq!(state(&stage.simulator, HOLDER), InstanceState::Terminated);
}

#[tokio::test(start_paused = true)]
async fn of_several_hooks_the_function_completes_its_own_and_never_another() {
    let several = |own: &str| {
        let scenario = shrinking().auto_scaling_group(AUTO_SCALING_GROUP, |group| {
            let group = group.without_hooks();
            group.termination_hook("ship-logs", 600 * SECOND).termination_hook(own, 600 * SECOND)
        });
        let stage = stage(scenario);
        scale_in(&stage, STANDBY);
        stage
    };
    let waits_for = |stage: &Stage| {
        stage.simulator.world(|world| {
            let members = world.group_members(AUTO_SCALING_GROUP).iter();
            let actions = members.flat_map(|member| member.lifecycle_actions().iter());
            actions.map(|action| action.hook.clone()).collect::<Vec<_>>()
        })
    };
    let ours = several("token-failover");
    lifecycle_event(&ours).await;
    let report = reconcile(&ours).await;
    assert!(!codes(&report).contains(&"lifecycle-action-open"), "{:?}", report.findings);
    assert_eq!(waits_for(&ours), ["ship-logs"]);

    let others = several("drain");
    lifecycle_event(&others).await;
    let report = reconcile(&others).await;
    assert!(codes(&report).contains(&"lifecycle-action-open"), "{:?}", report.findings);
    assert_eq!(waits_for(&others), ["ship-logs", "drain"]);
    assert!(report.steps.is_empty(), "nothing was completed: {:?}", report.steps);
    let audit = others.invoke(event("operator-audit")).await.expect("a report");
    assert!(codes(&audit).contains(&"several-termination-hooks"), "{:?}", audit.findings);
    assert!(changes(&others.simulator).iter().all(|change| change != COMPLETED));
}

#[tokio::test(start_paused = true)]
async fn a_plan_and_a_pause_complete_nothing() {
    let stage = stage(shrinking());
    scale_in(&stage, STANDBY);
    lifecycle_event(&stage).await;
    stage.invoke(event("operator-plan")).await.expect("a report");
    stage.invoke(event("operator-pause")).await.expect("a report");
    assert_eq!(reconcile(&stage).await.reason.as_str(), "paused");
    assert!(changes(&stage.simulator).iter().all(|change| change == "Publish"), "{:?}", stage.simulator.changes());
    stage.invoke(event("operator-resume")).await.expect("a report");
    reconcile(&stage).await;
    assert_eq!(changes(&stage.simulator).last().map(String::as_str), Some(COMPLETED));
}

#[tokio::test(start_paused = true)]
async fn listed_members_hand_over_and_the_audit_asks_for_a_tag() {
    let stage = Stage::recorded(shrinking().build(), &[], Box::new(|_| ()));
    let audit = stage.invoke(event("operator-audit")).await.expect("a report");
    let found = audit.findings.iter().find(|finding| finding.code.as_str() == "members-in-auto-scaling-group");
    let message = format!(
        "{HOLDER}, {STANDBY} are in the Auto Scaling group {AUTO_SCALING_GROUP}, and TOKEN_SERVER_INSTANCE_IDS lists their \
         ids. The group replaces a lost instance by one with another id, which is not a member."
    );
    assert_eq!(found.expect("a finding").message, message);
    scale_in(&stage, HOLDER);
    let document = lifecycle_event(&stage).await;
    let report = stage.invoke(document).await.expect("a report");
    assert_eq!((report.outcome, holder(&stage.simulator).as_deref()), (Outcome::Moved, Some(STANDBY)));
    assert!(changes(&stage.simulator).iter().all(|change| change != COMPLETED));
}

#[tokio::test(start_paused = true)]
async fn a_healthy_reconcile_stays_one_wave_of_at_most_four_calls() {
    let stage = stage(grouped());
    reconcile(&stage).await;
    reconcile(&stage).await;
    let mut asked = Vec::new();
    for _ in 0..15 {
        tokio::time::sleep(60 * SECOND - Timings::realistic().call).await;
        let (calls, began) = (stage.simulator.journal().len(), stage.simulator.now());
        let report = reconcile(&stage).await;
        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::NoAction, "holder-healthy"));
        assert_eq!(report.checks.security_group, token_failover::model::check::CheckResult::Ok);
        assert_eq!(stage.simulator.now() - began, Timings::realistic().call, "one wave");
        let calls: Vec<String> =
            stage.simulator.journal()[calls..].iter().map(|call| call.action.to_string()).collect();
        assert_eq!(calls.len(), 4, "{calls:?}");
        asked.push(calls.iter().any(|call| call == "DescribeAutoScalingInstances"));
    }
    let without = asked.iter().filter(|asked| !**asked).count();
    assert_eq!(without, 3, "the rules take the place of the lifecycle states every five minutes: {asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_repair_of_the_security_group_does_not_rest_on_old_rules() {
    let changes =
        [BY_TAG[0], BY_TAG[1], ("FAILOVER_REPAIR", "security-group"), ("TOKEN_SERVER_CLIENTS", "10.0.0.0/16")];
    let stage = Stage::recorded(grouped().build(), &changes, Box::new(|_| ()));
    for _ in 0..3 {
        assert_eq!(reconcile(&stage).await.outcome, Outcome::NoAction);
    }
    stage.simulator.world(|world| world.revoke_rules(simulator::names::GROUP)).expect("a group");
    let mut outcomes = Vec::new();
    for _ in 0..7 {
        tokio::time::sleep(60 * SECOND).await;
        outcomes.push(reconcile(&stage).await.outcome);
    }
    let repaired = outcomes.iter().filter(|outcome| **outcome == Outcome::Repaired).count();
    assert_eq!(repaired, 1, "{outcomes:?}");
    assert_eq!(outcomes.last(), Some(&Outcome::NoAction));
}

/// A run moves the interface and is killed before it has reported that.
async fn move_and_die(stage: &Stage, document: Value) {
    let arrived = async {
        while !changes(&stage.simulator).iter().any(|change| change == "AttachNetworkInterface")
            || holder(&stage.simulator).as_deref() != Some(STANDBY)
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        report = stage.invoke(document) => panic!("it was not killed: {report:?}"),
        () = arrived => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_move_whose_run_was_killed_is_reported_before_the_group_goes_on() {
    let stage = stage(shrinking());
    scale_in(&stage, HOLDER);
    let document = lifecycle_event(&stage).await;
    move_and_die(&stage, document).await;

    // The run may still be at work, so nothing is reported yet.
    let report = stage.invoke(event("operator-reconcile")).await.expect("a report");
    assert_eq!((report.outcome, holder(&stage.simulator).as_deref()), (Outcome::NoAction, Some(STANDBY)));
    assert_eq!(changes(&stage.simulator), ["DetachNetworkInterface", "AttachNetworkInterface"]);

    tokio::time::sleep(320 * SECOND).await;
    reconcile(&stage).await;
    let after = &changes(&stage.simulator)[2..];
    assert_eq!(after.iter().filter(|change| *change == "Publish").count(), 1, "{after:?}");
    assert_eq!(after.last().map(String::as_str), Some(COMPLETED), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn while_no_report_can_be_published_the_group_waits() {
    let stage = stage(shrinking());
    scale_in(&stage, HOLDER);
    let document = lifecycle_event(&stage).await;
    stage.simulator.fail_next("Publish", 3, Disruption::Deny);

    let report = stage.invoke(document).await.expect("a report");
    assert_eq!((report.outcome, holder(&stage.simulator).as_deref()), (Outcome::Moved, Some(STANDBY)));
    for _ in 0..2 {
        tokio::time::sleep(60 * SECOND).await;
        reconcile(&stage).await;
        assert!(changes(&stage.simulator).iter().all(|change| change != COMPLETED), "{:?}", stage.simulator.changes());
    }
    tokio::time::sleep(60 * SECOND).await;
    reconcile(&stage).await;
    assert_eq!(changes(&stage.simulator)[2..], ["Publish".to_owned(), COMPLETED.to_owned()]);
    assert_eq!(stage.simulator.messages().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn while_a_standby_starts_the_problem_is_not_over_and_the_move_says_that_it_is() {
    let scenario = without_standby().auto_scaling_group(AUTO_SCALING_GROUP, |group| group.launches_in_turn([""; 0]));
    let stage = stage(scenario);
    stage.simulator.world(|world| world.suspend(AUTO_SCALING_GROUP)).expect("a group");
    stage.simulator.world(|world| world.terminate_in_group(HOLDER)).expect("a member");
    let document = lifecycle_event(&stage).await;
    assert_eq!(stage.invoke(document).await.expect("a report").reason.as_str(), "no-viable-standby");
    let ok = simulator::world::Check::Ok;
    stage.simulator.world(|world| world.set_checks(STANDBY, ok, ok)).expect("an instance");
    stage.simulator.world(|world| world.stop(STANDBY)).expect("it runs");

    assert_eq!(reconcile(&stage).await.reason.as_str(), "awaiting-standby");

    assert_eq!(stage.simulator.messages().len(), 1, "{:?}", mails(&stage.simulator));
    tokio::time::sleep(300 * SECOND).await;
    assert_eq!(reconcile(&stage).await.outcome, Outcome::Moved);
    assert_eq!(mails(&stage.simulator), ["refused", "moved"]);
}

/// A primary interface, on a holder that its group is about to terminate, or that AWS is about to stop.
fn doomed_with_primary(in_group: bool) -> Stage {
    let on_primary = |scenario: Scenario| {
        let scenario = scenario.instance(HOLDER, |holder| holder.without_primary());
        scenario.interface(INTERFACE, |interface| interface.on(HOLDER, 0))
    };
    if !in_group {
        let scenario = on_primary(simulator::pair().timings(Timings::realistic()));
        let scenario = scenario.instance(HOLDER, |holder| {
            holder.scheduled_event("instance-stop", "scheduled stop", "2026-01-01T00:30:00Z")
        });
        return Stage::recorded(scenario.build(), &[("FAILOVER_ON_ANNOUNCEMENT", "true")], Box::new(|_| ()));
    }
    let stage = stage(on_primary(grouped()));
    stage.simulator.world(|world| world.suspend(AUTO_SCALING_GROUP)).expect("a group");
    stage.simulator.world(|world| world.terminate_in_group(HOLDER)).expect("a member");
    stage
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_is_about_to_go_and_is_started_in_place_ends_no_problem() {
    for in_group in [true, false] {
        let stage = doomed_with_primary(in_group);
        assert_eq!(reconcile(&stage).await.reason.as_str(), "primary-interface", "in a group: {in_group}");
        stage.simulator.world(|world| world.stop(HOLDER)).expect("it runs");
        tokio::time::sleep(60 * SECOND).await;

        let started = reconcile(&stage).await;

        assert_eq!(started.outcome, Outcome::Started, "{}", started.summary);
        assert!(!started.summary.contains("ends the problem"), "in a group: {in_group}: {}", started.summary);
        for _ in 0..3 {
            tokio::time::sleep(60 * SECOND).await;
            assert_eq!(reconcile(&stage).await.reason.as_str(), "primary-interface");
        }
        assert_eq!(mails(&stage.simulator), ["refused", "started"], "in a group: {in_group}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_auto_scaling_that_hangs_holds_up_no_failover() {
    for fails in [false, true] {
        let mut took = Vec::new();
        for hangs in [false, true] {
            let stage = stage(grouped());
            reconcile(&stage).await;
            if hangs {
                stage.simulator.fail_next("DescribeAutoScalingInstances", 100, Disruption::Hang);
            }
            if fails {
                stage.simulator.world(|world| world.crash(HOLDER)).expect("it runs");
            }
            let began = stage.simulator.now();
            let report = reconcile(&stage).await;
            let outcome = if fails { Outcome::Moved } else { Outcome::NoAction };
            assert_eq!(report.outcome, outcome, "{}", report.summary);
            took.push(stage.simulator.now() - began);
        }
        assert!(took[1] <= took[0] + 4 * SECOND, "fails: {fails}, {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rules_are_not_taken_for_newer_than_they_were_read() {
    let stage = stage(grouped());
    let read = stage.simulator.now();
    for _ in 0..2 {
        reconcile(&stage).await;
    }
    // The rules are taken when they are almost too old, and are too old when the run ends.
    tokio::time::sleep(read + 300 * SECOND - Timings::realistic().call / 2 - stage.simulator.now()).await;
    reconcile(&stage).await;
    assert!(stage.simulator.now() > read + 300 * SECOND);
    stage.simulator.world(|world| world.revoke_rules(simulator::names::GROUP)).expect("a group");

    tokio::time::sleep(60 * SECOND).await;
    let report = reconcile(&stage).await;
    assert_eq!(report.checks.security_group, token_failover::model::check::CheckResult::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_process_with_old_rules_does_not_say_that_the_problem_of_another_process_is_over() {
    let changes =
        [BY_TAG[0], BY_TAG[1], ("FAILOVER_REPAIR", "security-group"), ("TOKEN_SERVER_CLIENTS", "10.0.0.0/16")];
    let first = Stage::recorded(grouped().build(), &changes, Box::new(|_| ()));
    for _ in 0..3 {
        reconcile(&first).await;
    }
    let second = Stage::recorded(first.simulator.clone(), &changes, Box::new(|_| ()));
    first.simulator.world(|world| world.revoke_rules(simulator::names::GROUP)).expect("a group");
    first.simulator.fail_next("AuthorizeSecurityGroupIngress", 100, Disruption::Deny);
    assert_eq!(reconcile(&second).await.reason.as_str(), "repair-failed");
    tokio::time::sleep(60 * SECOND).await;

    let report = reconcile(&first).await;

    assert_eq!(report.reason.as_str(), "repair-failed", "{}", report.summary);
    assert_eq!(mails(&first.simulator), ["failed"]);
}

#[tokio::test(start_paused = true)]
async fn a_group_may_terminate_an_instance_elsewhere_that_has_the_tag() {
    let other = simulator::names::THIRD;
    let scenario = shrinking()
        .instance(other, |third| third.zone("eu-west-1b", "subnet-0bbbbbbbbbbbbbbb2").tag("token-server", "yes"))
        .auto_scaling_group(AUTO_SCALING_GROUP, |group| group.members([HOLDER, STANDBY, other]).size(1, 3, 3));
    let stage = stage(scenario);
    reconcile(&stage).await;
    stage.simulator.world(|world| {
        world.set_first_to_go(AUTO_SCALING_GROUP, &[other]).expect("a group");
        world.set_desired_capacity(AUTO_SCALING_GROUP, 2).expect("a capacity");
    });
    let document = lifecycle_event(&stage).await;

    let report = stage.invoke(document).await.expect("a report");

    assert_eq!((report.outcome, report.reason.as_str()), (Outcome::NoAction, "holder-healthy"), "{}", report.summary);
    assert_eq!(changes(&stage.simulator), [COMPLETED]);
    assert_eq!(holder(&stage.simulator).as_deref(), Some(HOLDER));
}

/// Two licenses: the second one is on the standby, which its group terminates.
#[tokio::test(start_paused = true)]
async fn of_two_functions_the_one_whose_interface_must_leave_lets_the_group_go_on() {
    const OTHER: &str = "eni-0ddddddddddddddd2";
    let scenario = shrinking().interface(OTHER, |other| {
        other.on(STANDBY, 2).attachment_id("eni-attach-0aaaaaaaaaaaaaaa2").mac_address("02:73:ae:2a:dc:82")
    });
    let first = stage(scenario);
    let own = [
        BY_TAG[0],
        BY_TAG[1],
        ("TOKEN_SERVER_INTERFACE_ID", OTHER),
        ("TOKEN_SERVER_DEVICE_INDEX", "2"),
        ("TOKEN_SERVER_ALLOCATION_ID", ""),
    ];
    let second = Stage::recorded(first.simulator.clone(), &own, Box::new(|_| ()));
    scale_in(&first, STANDBY);
    let document = lifecycle_event(&first).await;

    let report = first.invoke(document.clone()).await.expect("a report");
    assert_eq!(report.outcome, Outcome::NoAction);
    assert!(changes(&first.simulator).is_empty(), "the other license is still there: {:?}", changes(&first.simulator));

    let report = second.invoke(document).await.expect("a report");
    assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Moved, "auto-scaling-termination"));
    assert_eq!(changes(&first.simulator).last().map(String::as_str), Some(COMPLETED));
}

#[tokio::test(start_paused = true)]
async fn a_mail_about_a_holder_that_has_nowhere_to_go_names_the_obstacle_of_each_standby() {
    let soon = "2026-11-11T22:00:00Z";
    let scenario = simulator::pair()
        .instance(HOLDER, |holder| holder.scheduled_event("instance-retirement", "", soon))
        .instance(STANDBY, |standby| standby.scheduled_event("system-reboot", "", soon));
    let stage = Stage::recorded(scenario.build(), &[("FAILOVER_ON_ANNOUNCEMENT", "true")], Box::new(|_| ()));

    let report = reconcile(&stage).await;

    assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Refused, "no-viable-standby"));
    assert_eq!(codes(&report)[..2], ["no-viable-standby", "standby-not-viable"]);
    let standby = &report.findings[1];
    assert_eq!(standby.resource.as_deref(), Some(STANDBY));
    assert_eq!(
        standby.message,
        format!("{STANDBY} could take the interface, but AWS has scheduled a change to it as well.")
    );
    assert_eq!(mails(&stage.simulator), ["refused"]);
    assert_eq!(reconcile(&stage).await.outcome, Outcome::Refused);
    assert_eq!(mails(&stage.simulator), ["refused"], "a lasting problem is mailed once");
}

// ---- Days and nights ----

/// What clients saw.
#[derive(Debug, Default)]
struct Seen {
    /// How long no running instance had the interface, each time.
    outages: Vec<Duration>,
    /// The instances that had it, in order.
    holders: Vec<String>,
}

/// Lets this time pass as AWS does: each event invokes the function at once, and the schedule each minute.
async fn live(stage: &Stage, lasts: Duration) -> Seen {
    const TICK: Duration = Duration::from_millis(200);
    let serving = |world: &mut World| {
        let at = world.attachment_of(INTERFACE)?;
        let runs = world.region().instance(&at.instance_id).is_ok_and(|one| one.state == InstanceState::Running);
        let is_there = at.status == simulator::world::region::AttachmentStatus::Attached;
        (runs && is_there).then(|| at.instance_id.clone())
    };
    let mut seen = Seen::default();
    let watched = async {
        let mut since = None;
        loop {
            let now = stage.simulator.now();
            match stage.simulator.world(serving) {
                Some(holder) => {
                    if let Some(since) = since.take() {
                        seen.outages.push(now - since);
                    }
                    if seen.holders.last() != Some(&holder) {
                        seen.holders.push(holder);
                    }
                }
                None => since = since.or(Some(now)),
            }
            tokio::time::sleep(TICK).await;
        }
    };
    let served = async {
        let end = stage.simulator.now() + lasts;
        let mut next = stage.simulator.now();
        while stage.simulator.now() < end {
            for event in stage.simulator.take_events() {
                stage.invoke(event.document()).await.expect("a report");
            }
            if stage.simulator.now() >= next {
                next += 60 * SECOND;
                reconcile(stage).await;
            }
            tokio::time::sleep(TICK).await;
        }
    };
    tokio::select! {
        () = served => {}
        () = watched => {}
    }
    seen
}

/// The mails, by outcome and reason.
fn mails(simulator: &Simulator) -> Vec<String> {
    let messages = simulator.messages();
    let outcome = |message: &simulator::world::Message| message.attributes["outcome"].value.clone();
    messages.iter().map(outcome).collect()
}

async fn audit(stage: &Stage) -> Report {
    stage.invoke(event("operator-audit")).await.expect("a report")
}

#[tokio::test(start_paused = true)]
async fn two_instances_are_lost_ten_minutes_apart_and_the_license_is_back_within_a_boot_each_time() {
    let boot = 60 * SECOND;
    let stage = stage(grouped().with_timings(|timings| timings.boot = boot));
    live(&stage, 120 * SECOND).await;

    stage.simulator.world(|world| world.terminate(HOLDER)).expect("it runs");
    let first = live(&stage, 600 * SECOND).await;
    assert_eq!(first.holders.last().map(String::as_str), Some(STANDBY));
    let report = audit(&stage).await;
    assert_eq!((report.viable_standbys, members(&stage.simulator).len()), (Some(1), 2), "{}", report.summary);

    stage.simulator.world(|world| world.terminate(STANDBY)).expect("it runs");
    let second = live(&stage, 600 * SECOND).await;
    assert_eq!(second.holders.last().map(String::as_str), Some(FIRST_NEW));
    let report = audit(&stage).await;
    assert!(report.summary.contains("1 of 1 standby can take the interface"), "{}", report.summary);

    for night in [&first, &second] {
        assert_eq!(night.outages.len(), 1, "{night:?}");
        assert!(night.outages[0] <= boot, "{night:?}");
    }
    let members = members(&stage.simulator);
    let in_service = |id: &str| (id.to_owned(), LifecycleState::InService);
    assert_eq!(members, [in_service(FIRST_NEW), in_service(SECOND_NEW)]);
    assert_eq!(mails(&stage.simulator).iter().filter(|outcome| *outcome == "moved").count(), 2);
    assert!(mails(&stage.simulator).iter().all(|outcome| ["moved", "audited"].contains(&outcome.as_str())));
}

#[tokio::test(start_paused = true)]
async fn an_instance_refresh_moves_the_license_once_whichever_instance_goes_first() {
    for first in [HOLDER, STANDBY] {
        let stage = stage(grouped());
        live(&stage, 120 * SECOND).await;
        stage.simulator.world(|world| {
            world.set_first_to_go(AUTO_SCALING_GROUP, &[first]).expect("a group");
            world.start_instance_refresh(AUTO_SCALING_GROUP).expect("a refresh");
        });

        let seen = live(&stage, 1800 * SECOND).await;

        assert!(
            !stage.simulator.world(|world| world.is_refreshing(AUTO_SCALING_GROUP)),
            "{:?}",
            members(&stage.simulator)
        );
        assert_eq!(seen.holders.len(), 2, "{first} first: {seen:?}");
        assert_eq!(seen.holders[0], HOLDER);
        // A planned move: EC2's own detach and attach.
        let planned = Timings::realistic().detach + Timings::realistic().attach + 2 * SECOND;
        assert_eq!(seen.outages.len(), 1, "{first} first: {seen:?}");
        assert!(seen.outages[0] <= planned, "{first} first: {seen:?}");
        let names: Vec<String> = members(&stage.simulator).into_iter().map(|(id, _)| id).collect();
        assert_eq!(names, [FIRST_NEW, SECOND_NEW]);
        let completed = changes(&stage.simulator).iter().filter(|change| *change == COMPLETED).count();
        assert_eq!((mails(&stage.simulator), completed), (vec!["moved".to_owned()], 2), "{first} first");
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_at_its_maximum_terminates_first_and_the_license_goes_to_the_member_that_is_left() {
    let scenario = grouped()
        .auto_scaling_group(AUTO_SCALING_GROUP, |group| group.size(2, 2, 2))
        .with_assumptions(|assumed| assumed.maintenance_respects_maximum_size = true);
    let stage = stage(scenario);
    live(&stage, 120 * SECOND).await;
    stage.simulator.world(|world| {
        world.set_first_to_go(AUTO_SCALING_GROUP, &[HOLDER]).expect("a group");
        world.start_instance_refresh(AUTO_SCALING_GROUP).expect("a refresh");
    });
    let seen = live(&stage, 1800 * SECOND).await;
    let planned = Timings::realistic().detach + Timings::realistic().attach + 2 * SECOND;
    assert!(seen.outages.iter().all(|outage| *outage <= planned), "{seen:?}");
    let names: Vec<String> = members(&stage.simulator).into_iter().map(|(id, _)| id).collect();
    assert_eq!(names, [FIRST_NEW, SECOND_NEW]);
    assert_eq!(seen.holders.last().map(String::as_str), Some(FIRST_NEW));
}
