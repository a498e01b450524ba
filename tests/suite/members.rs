//! Members by tag: whole invocations. The set of members changes, and no other instance ever gets the interface.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::world::{CreateTags, Timings};
use simulator::{Disruption, Scenario, Simulator, names};
use token_failover::model::report::{Outcome, Report};

use crate::standard::event;
use crate::support::Stage;

const KEY: &str = "token-server";
const VALUE: &str = "license-eu";
const BY_TAG: [(&str, &str); 2] =
    [("TOKEN_SERVER_INSTANCE_IDS", ""), ("TOKEN_SERVER_MEMBERS", "token-server=license-eu")];
const REPLACEMENT: &str = "i-0eeeeeeeeeeeeeee5";

/// The pair, with the tag on both instances, and a running instance without it.
fn tagged() -> Scenario {
    simulator::pair()
        .instance(names::HOLDER, |holder| holder.tag(KEY, VALUE))
        .instance(names::STANDBY, |standby| standby.tag(KEY, VALUE))
        .instance(names::NON_MEMBER, |other| other.tag("Name", "another"))
        .timings(Timings::realistic())
}

fn stage(scenario: Scenario) -> Stage {
    Stage::recorded(scenario.build(), &BY_TAG, Box::new(|_| ()))
}

fn holder(simulator: &Simulator) -> Option<String> {
    simulator.world(|world| world.holder_of(names::INTERFACE).map(str::to_owned))
}

fn calls(simulator: &Simulator) -> Vec<String> {
    simulator.journal().iter().map(|call| call.action.to_string()).collect()
}

/// A state change of an instance.
fn state_change(instance: &str, state: &str) -> Value {
    let mut document = event("holder-stopped");
    document["detail"] = json!({"instance-id": instance, "state": state});
    document
}

async fn reconcile(stage: &Stage) -> Report {
    stage.invoke(event("schedule")).await.expect("a report")
}

#[tokio::test(start_paused = true)]
async fn a_stopped_holder_loses_the_interface_to_an_instance_with_the_tag() {
    let stage = stage(tagged());
    stage.simulator.world(|world| world.stop(names::HOLDER)).expect("it runs");
    let report = stage.invoke(event("holder-stopping")).await.expect("a report");
    assert_eq!((report.outcome, holder(&stage.simulator).as_deref()), (Outcome::Moved, Some(names::STANDBY)));
    assert_eq!(stage.simulator.messages().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_problem_stays_the_same_when_the_members_change_their_places() {
    let scenario = tagged()
        .interface(names::INTERFACE, |interface| interface.free())
        .interface("eni-0eeeeeeeeeeeeeee1", |other| other.on(names::HOLDER, 1))
        .interface("eni-0eeeeeeeeeeeeeee2", |other| other.on(names::STANDBY, 1));
    let stage = stage(scenario);
    // The member that has stopped comes last.
    for stops in [false, true] {
        if stops {
            stage.simulator.world(|world| world.stop(names::HOLDER)).expect("it runs");
            tokio::time::sleep(Duration::from_secs(300)).await;
        }
        for _ in 0..2 {
            let report = reconcile(&stage).await;
            assert_eq!(report.reason.as_str(), "no-viable-standby", "{}", report.summary);
            assert_eq!(stage.simulator.messages().len(), 1, "the device index of each member is taken, as before");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_about_a_stranger_costs_one_read() {
    let stage = stage(tagged());
    let report = stage.invoke(state_change(names::NON_MEMBER, "stopped")).await.expect("a report");
    assert_eq!((report.outcome, report.reason.as_str()), (Outcome::NoAction, "not-a-member"));
    assert_eq!(calls(&stage.simulator), ["DescribeInstances"]);
    assert!(stage.simulator.changes().is_empty() && stage.simulator.messages().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_event_is_served_although_the_read_about_its_instance_fails() {
    let stage = stage(tagged());
    stage.simulator.world(|world| world.stop(names::HOLDER)).expect("it runs");
    stage.simulator.fail_next("DescribeInstances", 5, Disruption::Throttle);
    let report = stage.invoke(event("holder-stopping")).await.expect("a report");
    assert_eq!(report.outcome, Outcome::Moved);
}

#[tokio::test(start_paused = true)]
async fn a_healthy_reconcile_is_one_wave_once_the_process_knows_the_members() {
    let stage = stage(tagged());
    assert_eq!(reconcile(&stage).await.reason.as_str(), "holder-healthy");
    let first = calls(&stage.simulator).len();
    assert_eq!(first, 4);
    let before = stage.simulator.now();
    assert_eq!(reconcile(&stage).await.reason.as_str(), "holder-healthy");
    assert_eq!(calls(&stage.simulator).len() - first, 4);
    assert_eq!(stage.simulator.now() - before, Timings::realistic().call, "one wave");
}

#[tokio::test(start_paused = true)]
async fn a_replacement_that_gets_the_tag_is_the_next_standby() {
    let stage = stage(tagged());
    stage.simulator.world(|world| world.terminate(names::HOLDER)).expect("it runs");
    stage.invoke(state_change(names::HOLDER, "shutting-down")).await.expect("a report");
    assert_eq!(holder(&stage.simulator).as_deref(), Some(names::STANDBY));
    let report = stage.invoke(event("operator-audit")).await.expect("a report");
    assert_eq!((report.viable_standbys, report.reason.as_str()), (Some(0), "not-ready"));

    stage.simulator.world(|world| world.launch(REPLACEMENT, names::HOLDER)).expect("a new instance");
    tokio::time::sleep(Duration::from_secs(120)).await;
    let report = stage.invoke(event("operator-audit")).await.expect("a report");
    assert_eq!(report.viable_standbys, Some(1), "{:?}", report.summary);

    stage.simulator.world(|world| world.terminate(names::STANDBY)).expect("it runs");
    let report = stage.invoke(state_change(names::STANDBY, "shutting-down")).await.expect("a report");
    assert_eq!((report.outcome, holder(&stage.simulator).as_deref()), (Outcome::Moved, Some(REPLACEMENT)));
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_loses_the_tag_gets_nothing() {
    let stage = stage(tagged());
    let untag = |world: &mut simulator::world::World| {
        let tags = vec![(KEY.to_owned(), "another".to_owned())];
        let create = CreateTags { resources: vec![names::STANDBY.to_owned()], tags, dry_run: false };
        world.act(create).expect("a tag");
        world.stop(names::HOLDER).expect("it runs");
    };
    stage.simulator.world(untag);
    tokio::time::sleep(Duration::from_secs(30)).await;
    let report = reconcile(&stage).await;
    // The only member is the holder, and it is started in place.
    assert_eq!((report.outcome, holder(&stage.simulator).as_deref()), (Outcome::Started, Some(names::HOLDER)));
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_fits_nothing_changes_nothing_and_is_one_clear_sentence() {
    let stage = stage(simulator::pair().instance(names::HOLDER, |holder| holder.stopped()));
    let report = reconcile(&stage).await;
    assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Refused, "no-members"));
    let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
    let message = "No instance in the interface's VPC and zone has the tag token-server=license-eu, so no instance may hold \
                   the interface.";
    assert_eq!((finding.code.as_str(), finding.message.as_str()), ("no-members", message));
    assert_eq!(holder(&stage.simulator).as_deref(), Some(names::HOLDER));
    // A lasting refusal is mailed once.
    reconcile(&stage).await;
    assert_eq!(stage.simulator.messages().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_fits_two_hundred_instances_changes_nothing_and_is_one_clear_sentence() {
    let mut scenario = tagged().instance(names::HOLDER, |holder| holder.stopped());
    for number in 0..198 {
        scenario = scenario.instance(&format!("i-0{number:016x}"), |spec| spec.tag(KEY, VALUE).without_primary());
    }
    let stage = stage(scenario);
    let report = reconcile(&stage).await;
    assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Refused, "too-many-members"));
    let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
    assert!(finding.message.starts_with("200 instances in the interface's VPC and zone have the tag"), "{finding:?}");
    assert_eq!(holder(&stage.simulator).as_deref(), Some(names::HOLDER));
}

#[tokio::test(start_paused = true)]
async fn an_audit_tells_of_instances_with_the_tag_in_another_zone() {
    let stage =
        stage(tagged().instance(names::THIRD, |third| third.tag(KEY, VALUE).zone("eu-west-1b", names::OTHER_SUBNET)));
    let report = stage.invoke(event("operator-audit")).await.expect("a report");
    let found = report.findings.iter().find(|finding| finding.code.as_str() == "members-elsewhere").expect("a finding");
    let message = "The tag token-server=license-eu is also on i-0ccccccccccccccc3 in another VPC or zone. An interface never \
                   leaves its zone, so they are not members.";
    assert_eq!(found.message, message);
    assert_eq!((report.reason.as_str(), report.viable_standbys), ("ready-with-warnings", Some(1)));
}

#[tokio::test(start_paused = true)]
async fn an_operator_can_only_name_an_instance_with_the_tag() {
    let stage = stage(tagged());
    let request = |to: &str| json!({"action": "failover", "to": to});
    let report = stage.invoke(request(names::NON_MEMBER)).await.expect("a report");
    assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Refused, "target-not-a-member"));
    let message = format!(
        "{} is not an instance with the tag token-server=license-eu in the interface's VPC and zone, so it may not hold \
         the interface.",
        names::NON_MEMBER
    );
    assert_eq!(report.findings[0].message, message);
    let report = stage.invoke(request(names::STANDBY)).await.expect("a report");
    assert_eq!((report.outcome, holder(&stage.simulator).as_deref()), (Outcome::Moved, Some(names::STANDBY)));
}

#[tokio::test(start_paused = true)]
async fn an_interface_on_an_instance_without_the_tag_stays_there_and_the_finding_names_the_tag() {
    let stage = stage(tagged().interface(names::INTERFACE, |interface| interface.on(names::NON_MEMBER, 1)));
    let report = reconcile(&stage).await;
    assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Refused, "held-by-stranger"));
    let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
    let message = format!(
        "{} is attached to {}, which is not an instance with the tag token-server=license-eu in the interface's VPC and \
         zone.",
        names::INTERFACE,
        names::NON_MEMBER
    );
    assert_eq!(finding.message, message);
    let remedy = format!("If the interface belongs there, give {} the tag token-server=license-eu.", names::NON_MEMBER);
    assert!(finding.remedy.starts_with(&remedy), "{}", finding.remedy);
    assert_eq!(holder(&stage.simulator).as_deref(), Some(names::NON_MEMBER));
}
