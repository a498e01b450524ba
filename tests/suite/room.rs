//! Room for the interface on a standby: network cards, and the limit on interfaces of an instance type.

use std::time::Duration;

use serde_json::json;
use simulator::world::Assumptions;
use simulator::world::region::Capacity;
use simulator::{Disruption, Scenario, names};
use token_failover::model::failure::Failure;
use token_failover::model::finding::Finding;
use token_failover::model::report::{Outcome, Report};

use crate::standard::event;
use crate::support::Stage;

fn stage(scenario: Scenario) -> Stage {
    Stage::recorded(scenario.build(), &[], Box::new(|_| ()))
}

fn holder(stage: &Stage) -> Option<String> {
    stage.simulator.world(|world| world.holder_of(names::INTERFACE).map(str::to_owned))
}

/// The targets of the attaches, without dry runs.
fn attaches(stage: &Stage) -> Vec<String> {
    let journal = stage.simulator.journal();
    let attaches = journal.iter().filter(|call| call.action == "AttachNetworkInterface" && !call.dry_run);
    attaches.map(|call| call.parameters.get("InstanceId").unwrap_or_default().to_owned()).collect()
}

fn calls(stage: &Stage, action: &str) -> usize {
    stage.simulator.journal().iter().filter(|call| call.action == action && !call.dry_run).count()
}

fn limits(stage: &Stage) -> Option<String> {
    stage.simulator.world(|world| world.interface(names::INTERFACE)?.tags.get("token-failover:limits").cloned())
}

async fn a_minute_later(stage: &Stage) -> Result<Report, Failure> {
    tokio::time::sleep(Duration::from_secs(60)).await;
    stage.simulator.clear_journal();
    stage.invoke(event("schedule")).await
}

/// A stopped holder that cannot be started, and a standby with as many interfaces as its type can have.
fn full_standby() -> Scenario {
    simulator::pair()
        .instance(names::HOLDER, |holder| holder.stopped().capacity(Capacity::RefusedAtOnce))
        .instance(names::STANDBY, |standby| standby.interface_limit(1))
}

/// The type of the standby, which the simulator created for this limit.
fn standby_type(stage: &Stage) -> String {
    stage.simulator.world(|world| world.region().instance(names::STANDBY).expect("it exists").instance_type.clone())
}

#[tokio::test(start_paused = true)]
async fn every_attach_names_the_first_network_card_whether_it_is_made_or_asked_about() {
    let assumptions = Assumptions { several_cards_need_an_index: true, ..Assumptions::default() };
    let several_cards = simulator::pair()
        .assumptions(assumptions)
        .instance(names::HOLDER, |holder| holder.stopped())
        .instance(names::STANDBY, |standby| standby.instance_type("c6in.32xlarge"));
    let stage = stage(several_cards);

    let audited = stage.invoke(event("operator-audit")).await.expect("a report");
    let moved = stage.invoke(event("schedule")).await.expect("a report");

    assert_eq!((audited.outcome, moved.outcome), (Outcome::Audited, Outcome::Moved), "{moved:?}");
    assert_eq!(holder(&stage).as_deref(), Some(names::STANDBY));
    let journal = stage.simulator.journal();
    let attaches: Vec<_> = journal.iter().filter(|call| call.action == "AttachNetworkInterface").collect();
    let cards: Vec<_> = attaches.iter().map(|call| (call.dry_run, call.parameters.get("NetworkCardIndex"))).collect();
    assert_eq!(cards, [(true, Some("0")), (true, Some("0")), (false, Some("0"))]);
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_was_full_is_not_tried_again_while_it_is() {
    let stage = stage(full_standby());
    let first = stage.invoke(event("schedule")).await.expect("a report");
    assert_eq!((first.outcome, first.reason.as_str()), (Outcome::Failed, "returned-to-former-holder"));
    assert_eq!(attaches(&stage), [names::STANDBY, names::HOLDER]);

    for _ in 0..3 {
        a_minute_later(&stage).await.expect("a report");
        assert_eq!(attaches(&stage), Vec::<String>::new());
        assert_eq!((calls(&stage, "DetachNetworkInterface"), calls(&stage, "DescribeInstanceTypes")), (0, 0));
    }
    assert_eq!(limits(&stage), Some(format!("{}=1", standby_type(&stage))));

    // A larger type has room. The note about the smaller type may stay.
    stage.simulator.world(|world| world.set_instance_type(names::STANDBY, "t3.small")).expect("it exists");
    let moved = a_minute_later(&stage).await.expect("a report");
    assert_eq!((moved.outcome, holder(&stage).as_deref()), (Outcome::Moved, Some(names::STANDBY)));
}

#[tokio::test(start_paused = true)]
async fn a_standby_with_as_many_interfaces_as_its_type_can_have_is_viable_once_one_of_them_is_gone() {
    const OTHER: &str = "eni-0123456789abcdef0";
    let full = simulator::pair()
        .interface(names::INTERFACE, |interface| interface.free())
        .instance(names::HOLDER, |holder| holder.terminated())
        .instance(names::STANDBY, |standby| standby.interface_limit(2))
        .interface(OTHER, |interface| interface.on(names::STANDBY, 2));
    let stage = stage(full);
    let failure = stage.invoke(event("schedule")).await.expect_err("it is attached to nothing");
    assert_eq!(failure.error_type(), "InterfaceNotAttached");
    assert_eq!(attaches(&stage), [names::STANDBY]);

    let refused = a_minute_later(&stage).await.expect("a report");
    assert_eq!((refused.outcome, refused.reason.as_str()), (Outcome::Refused, "no-viable-standby"));
    assert_eq!(attaches(&stage), Vec::<String>::new());
    let is_about_standby = |finding: &&Finding| {
        finding.code.as_str() == "standby-not-viable" && finding.resource.as_deref() == Some(names::STANDBY)
    };
    let said: Vec<_> = refused.findings.iter().filter(is_about_standby).collect();
    let message = format!(
        "{} cannot take the interface: it has 2 interfaces, as many as a {} can have.",
        names::STANDBY,
        standby_type(&stage)
    );
    assert_eq!(said.iter().map(|finding| finding.message.as_str()).collect::<Vec<_>>(), [message]);
    assert!(said[0].remedy.contains("describe-network-interfaces --filters Name=attachment.instance-id"), "{said:?}");

    stage.simulator.world(|world| world.detach(OTHER)).expect("it is attached");
    let moved = a_minute_later(&stage).await.expect("a report");
    assert_eq!((moved.outcome, holder(&stage).as_deref()), (Outcome::Moved, Some(names::STANDBY)));
}

#[tokio::test(start_paused = true)]
async fn the_limit_is_read_after_the_move_and_never_delays_it() {
    let third = |changes: Disruption| {
        let scenario = simulator::trio()
            .instance(names::HOLDER, |holder| holder.stopped())
            .instance(names::STANDBY, |standby| standby.interface_limit(1));
        let members = format!("{},{},{}", names::HOLDER, names::STANDBY, names::THIRD);
        let stage =
            Stage::recorded(scenario.build(), &[("TOKEN_SERVER_INSTANCE_IDS", members.as_str())], Box::new(|_| ()));
        stage.simulator.always("DescribeInstanceTypes", changes);
        stage
    };
    for (disruption, is_remembered) in
        [(Disruption::None, true), (Disruption::Deny, false), (Disruption::Hang, false), (Disruption::Throttle, false)]
    {
        let stage = third(disruption.clone());

        let report = stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!((report.outcome, holder(&stage).as_deref()), (Outcome::Moved, Some(names::THIRD)), "{disruption:?}");
        assert_eq!(limits(&stage).is_some(), is_remembered, "{disruption:?}");
        assert!(stage.simulator.now() <= Duration::from_secs(6), "{disruption:?}: {:?}", stage.simulator.now());
        let journal = stage.simulator.journal();
        let first = |wanted: &dyn Fn(&simulator::Call) -> bool| journal.iter().position(wanted).expect("such a call");
        let read = first(&|call| call.action == "DescribeInstanceTypes");
        let arrival = first(&|call| call.action == "CreateTags" && call.to_string().contains("arrived="));
        assert!(arrival < read, "{disruption:?}");
        let missing = report.steps.iter().any(|step| step.step.to_string() == "note-limits" && step.error.is_some());
        assert_eq!(missing, !is_remembered, "{disruption:?}: {:?}", report.steps);
    }
}

#[tokio::test(start_paused = true)]
async fn an_audit_says_once_that_a_standby_is_full() {
    let stage = stage(full_standby());
    stage.invoke(event("schedule")).await.expect("a report");
    assert!(limits(&stage).is_some());

    let report = stage.invoke(json!({"action": "audit"})).await.expect("a report");

    let about: Vec<&str> = report
        .findings
        .iter()
        .filter(|finding| finding.resource.as_deref() == Some(names::STANDBY))
        .map(|finding| finding.code.as_str())
        .collect();
    assert_eq!(about, ["standby-without-room"]);
    assert_eq!((report.reason.as_str(), report.viable_standbys), ("not-ready", Some(0)));
}
