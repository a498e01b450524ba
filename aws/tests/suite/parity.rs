//! The same calls are made below the wire and through the SDK.

use std::time::Duration;

use simulator::{Disruption, Scenario, Simulator, names};
use token_failover::act::failover::Invocation;
use token_failover::act::function::Failover;
use token_failover::model::change::Attach;
use token_failover::model::error::Meaning;
use token_failover::ports::{AutoScaling, Ec2, Sns, Ssm};
use tokio::time::Instant;

use crate::standard;
use crate::support::below;
use crate::wire;

/// The calls, their outcomes, and the outcome of the run.
async fn calls<E, S, M>(simulator: &Simulator, ports: (E, S, M), settings: &[(&str, &str)]) -> Vec<String>
where
    E: Ec2,
    S: Sns,
    M: Ssm,
{
    let config = standard::config(settings);
    let function = Failover::new(config, ports, Box::new(|_| ()));
    let invocation = Invocation {
        payload: serde_json::json!({"action": "reconcile"}),
        request_id: "5e1b6a9e-0000-4000-8000-000000000001".to_owned(),
        received_at: "2026-11-11T21:29:54Z".parse().expect("a time"),
        deadline: Instant::now() + Duration::from_secs(300),
    };
    let answer = match function.handle(invocation).await {
        Ok(report) => format!("{} {}", report.outcome, report.reason),
        Err(failure) => failure.error_type().to_owned(),
    };
    let calls = simulator.journal();
    // The SDK's pauses are random, so repeated polls count as one.
    let mut calls: Vec<String> = calls.iter().map(ToString::to_string).collect();
    calls.dedup();
    calls.push(answer);
    calls
}

fn scenarios() -> [Scenario; 6] {
    [
        simulator::pair(),
        simulator::pair().instance(names::HOLDER, |holder| holder.stopped()),
        simulator::cold_standby().instance(names::HOLDER, |holder| holder.stopped()),
        simulator::pair().instance(names::HOLDER, |holder| holder.impaired().hung()),
        simulator::primary().instance(names::HOLDER, |holder| holder.stopped()),
        simulator::pair()
            .instance(names::HOLDER, |holder| holder.stopped())
            .interface(names::INTERFACE, |interface| interface.delete_on_termination())
            .address(names::ALLOCATION, |address| address.on(&names::primary_interface_of(names::STANDBY)))
            .security_group(names::GROUP, |group| group.no_rules()),
    ]
}

const ACTIVATES: [(&str, &str); 1] = [("FAILOVER_ACTIVATION_DOCUMENT", names::DOCUMENT)];
const BY_TAG: [(&str, &str); 2] = [("TOKEN_SERVER_INSTANCE_IDS", ""), ("TOKEN_SERVER_MEMBERS", "token-server=yes")];

/// A group that has begun to terminate the holder of its pair, and waits.
fn waiting() -> Simulator {
    let simulator = simulator::grouped().build();
    simulator.world(|world| world.terminate_in_group(names::HOLDER)).expect("a member");
    simulator
}

#[tokio::test(start_paused = true)]
async fn a_group_is_asked_and_its_action_is_completed_by_the_same_calls_in_both_lanes() {
    let simulator = waiting();
    let below = calls(&simulator, below::ports(&simulator, names::TOPIC), &BY_TAG).await;
    let simulator = waiting();
    let through_the_sdk = calls(&simulator, wire::ports(&simulator), &BY_TAG).await;
    let of_the_group = |calls: &[String]| -> Vec<String> {
        let actions = ["DescribeAutoScalingInstances", "DescribeLifecycleHooks", "CompleteLifecycleAction", "moved"];
        let calls = calls.iter().filter(|call| actions.iter().any(|action| call.starts_with(action)));
        calls.map(|call| call.replace(" MaxRecords=50", "")).collect()
    };
    assert_eq!(of_the_group(&below), of_the_group(&through_the_sdk));
    let of_both = format!("{},{}", names::HOLDER, names::STANDBY);
    assert_eq!(
        of_the_group(&below),
        [
            format!("DescribeAutoScalingInstances InstanceIds={of_both} -> ok"),
            format!("DescribeAutoScalingInstances InstanceIds={of_both} -> ok"),
            format!("DescribeLifecycleHooks AutoScalingGroupName={} -> ok", names::AUTO_SCALING_GROUP),
            format!(
                "CompleteLifecycleAction AutoScalingGroupName={} LifecycleHookName={} InstanceId={} \
                 LifecycleActionResult=CONTINUE -> ok",
                names::AUTO_SCALING_GROUP,
                names::LIFECYCLE_HOOK,
                names::HOLDER
            ),
            "moved auto-scaling-termination".to_owned(),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_lifecycle_action_that_is_over_and_a_group_that_is_gone_are_no_errors_in_either_lane() {
    async fn ask(ec2: impl Ec2) -> (Result<bool, Meaning>, Result<Vec<String>, Meaning>, usize) {
        let holder = names::HOLDER.parse().expect("an id");
        let completed = ec2.complete_termination(names::AUTO_SCALING_GROUP, names::LIFECYCLE_HOOK, &holder).await;
        let hooks = ec2.termination_hooks("another").await;
        let states = ec2.lifecycle_states(&["i-09999999999999999".parse().expect("an id")]).await;
        let states = states.expect("an answer").len();
        (completed.map_err(|error| error.meaning), hooks.map_err(|error| error.meaning), states)
    }
    let simulator = simulator::grouped().build();
    let below = ask(below::ports(&simulator, names::TOPIC).0).await;
    assert_eq!(below, (Ok(false), Ok(Vec::new()), 0));
    assert_eq!(ask(wire::ports(&simulator).0).await, below);
    for (disruption, meaning) in [(Disruption::Deny, Meaning::Denied), (Disruption::Throttle, Meaning::Throttled)] {
        for lane in ["below", "wire"] {
            let simulator = simulator::grouped().build();
            let disrupting = disruption.clone();
            simulator.disrupt(move |_| disrupting.clone());
            let members = [names::HOLDER.parse().expect("an id")];
            let states = match lane {
                "below" => below::ports(&simulator, names::TOPIC).0.lifecycle_states(&members).await,
                _ => wire::ports(&simulator).0.lifecycle_states(&members).await,
            };
            assert_eq!(states.expect_err("it is disrupted").meaning, meaning, "{lane}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_calls_are_made_in_both_lanes() {
    for (number, scenario) in scenarios().into_iter().enumerate() {
        let simulator = scenario.clone().build();
        let below = calls(&simulator, below::ports(&simulator, names::TOPIC), &ACTIVATES).await;
        let simulator = scenario.build();
        let through_the_sdk = calls(&simulator, wire::ports(&simulator), &ACTIVATES).await;
        // The function makes the reads for the report while EC2 attaches the interface, and repeats them if the attach
        // is faster.
        let reads = ["DescribeSecurityGroupRules", "DescribeAddresses", "GetManagedPrefixListEntries"];
        let is_for_the_report = |call: &&String| reads.iter().any(|read| call.starts_with(read));
        let needed = |calls: &[String]| -> Vec<String> {
            calls.iter().filter(|call| !is_for_the_report(call)).cloned().collect()
        };
        assert_eq!(needed(&below), needed(&through_the_sdk), "scenario {number}");
        assert!(below.len() > 3, "scenario {number} makes calls: {below:?}");
    }
}

/// The meanings of a disrupted attach and a disrupted read, and the number of attempts. Checks the total time.
async fn failures<E: Ec2>(simulator: &Simulator, ec2: E, disruption: Disruption) -> [(Meaning, usize); 2] {
    simulator.disrupt(move |_| disruption.clone());
    let attach = Attach {
        interface_id: names::INTERFACE.parse().expect("an id"),
        instance_id: names::STANDBY.parse().expect("an id"),
        device_index: 1,
    };
    let attached = ec2.attach(&attach).await.expect_err("it is disrupted");
    let attempts = simulator.journal().len();
    simulator.clear_journal();
    let read = ec2.instances(&[attach.instance_id]).await.expect_err("it is disrupted as well");
    assert!(simulator.now() <= Duration::from_secs(41), "both together took {:?}", simulator.now());
    [(attached.meaning, attempts), (read.meaning, simulator.journal().len())]
}

#[tokio::test(start_paused = true)]
async fn the_same_failures_mean_the_same_in_both_lanes() {
    for disruption in [
        Disruption::Deny,
        Disruption::Throttle,
        Disruption::internal_error(),
        Disruption::error(503, "Unavailable"),
        Disruption::error(500, "InsufficientInstanceCapacity"),
        Disruption::error(400, "AttachmentLimitExceeded"),
        Disruption::error(400, "SomethingNew"),
        Disruption::DropBefore,
        Disruption::Nonsense,
        Disruption::Hang,
    ] {
        let simulator = simulator::pair().build();
        let (ec2, ..) = below::ports(&simulator, names::TOPIC);
        let below = failures(&simulator, ec2, disruption.clone()).await;
        let simulator = simulator::pair().build();
        let (ec2, ..) = wire::ports(&simulator);
        let through_the_sdk = failures(&simulator, ec2, disruption.clone()).await;
        assert_eq!(below, through_the_sdk, "{disruption:?}");
    }
}
