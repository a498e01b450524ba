//! The three status checks of EC2 over the wire: system, instance, and attached EBS.

use std::collections::BTreeMap;
use std::time::Duration;

use simulator::world::region::Check;
use simulator::world::{Timings, World};
use simulator::{Scenario, names};
use token_failover::model::ids::InstanceId;
use token_failover::model::observation::{InstanceState, InstanceStatus, ScheduledEvent, StatusChecks};
use token_failover::model::report::Outcome;
use token_failover::ports::Ec2;

use token_failover_aws::SdkEc2;

use crate::standard::{event, parsed};
use crate::support::Stage;
use crate::wire::sdk_config;

/// Every value of the attached EBS check. `None`: the check is absent.
const ATTACHED_EBS: [Option<Check>; 7] = [
    None,
    Some(Check::Ok),
    Some(Check::Impaired),
    Some(Check::Initializing),
    Some(Check::InsufficientData),
    Some(Check::NotApplicable),
    Some(Check::Other("uncertain")),
];

fn stage(scenario: Scenario) -> Stage {
    Stage::recorded(scenario.build(), &[], Box::new(|_| ()))
}

/// The status of a running instance.
fn running(checks: StatusChecks, scheduled_events: Vec<ScheduledEvent>) -> InstanceStatus {
    InstanceStatus { state: Some(InstanceState::Running), checks, scheduled_events }
}

#[tokio::test(start_paused = true)]
async fn every_state_arrives_with_the_status() {
    let timings = Timings::realistic();
    let simulator = simulator::pair().instance(names::STANDBY, |standby| standby.stopped()).timings(timings).build();
    let ec2 = SdkEc2::of(&sdk_config(&simulator));
    let id: InstanceId = parsed(names::STANDBY);
    let mut seen = Vec::new();
    let changes: [fn(&mut World); 3] = [
        |world| world.start(names::STANDBY).expect("it is stopped"),
        |world| world.stop(names::STANDBY).expect("it is running"),
        |world| world.terminate(names::STANDBY).expect("it exists"),
    ];
    for change in changes {
        seen.push(ec2.instance_status(std::slice::from_ref(&id)).await.expect("an answer")[&id].state.clone());
        simulator.world(change);
        seen.push(ec2.instance_status(std::slice::from_ref(&id)).await.expect("an answer")[&id].state.clone());
        tokio::time::sleep(Duration::from_secs(120)).await;
    }
    seen.push(ec2.instance_status(std::slice::from_ref(&id)).await.expect("an answer")[&id].state.clone());

    use InstanceState::{Pending, Running, ShuttingDown, Stopped, Stopping, Terminated};
    let expected = [Stopped, Pending, Running, Stopping, Stopped, ShuttingDown, Terminated].map(Some);
    assert_eq!(seen, expected);
}

#[tokio::test(start_paused = true)]
async fn an_instance_is_impaired_if_one_of_its_three_checks_fails() {
    let others = [Check::Initializing, Check::InsufficientData, Check::NotApplicable, Check::Other("uncertain")];
    for first in [Check::Ok, Check::Impaired].into_iter().chain(others) {
        for second in [Check::Ok, Check::Impaired].into_iter().chain(others) {
            for third in ATTACHED_EBS {
                let scenario = simulator::pair()
                    .instance(names::STANDBY, |standby| standby.checks(first, second).attached_ebs(third));
                let ec2 = SdkEc2::of(&sdk_config(&scenario.build()));
                let ids: [InstanceId; 1] = [parsed(names::STANDBY)];

                let seen = ec2.instance_status(&ids).await.expect("an answer");

                let expected = if [Some(first), Some(second), third].contains(&Some(Check::Impaired)) {
                    StatusChecks::Impaired
                } else if (first, second) == (Check::Ok, Check::Ok) {
                    StatusChecks::Ok
                } else {
                    StatusChecks::Undecided
                };
                let expected = BTreeMap::from([(parsed(names::STANDBY), running(expected, Vec::new()))]);
                assert_eq!(seen, expected, "{first:?}, {second:?}, {third:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_loses_the_interface_only_if_its_attached_ebs_check_is_impaired() {
    for check in ATTACHED_EBS {
        let stage = stage(simulator::pair().instance(names::HOLDER, |holder| holder.attached_ebs(check)));

        let report = stage.invoke(event("schedule")).await.expect("a report");

        let holder = stage.simulator.world(|world| world.holder_of(names::INTERFACE).map(str::to_owned));
        let seen = (report.outcome, report.reason.as_str(), holder.as_deref());
        let expected = match check {
            Some(Check::Impaired) => (Outcome::Moved, "holder-impaired", Some(names::STANDBY)),
            _ => (Outcome::NoAction, "holder-healthy", Some(names::HOLDER)),
        };
        assert_eq!(seen, expected, "{check:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_standby_whose_volume_fails_does_not_get_the_interface() {
    for check in ATTACHED_EBS {
        let stage = stage(
            simulator::pair()
                .instance(names::HOLDER, |holder| holder.stopped())
                .instance(names::STANDBY, |standby| standby.attached_ebs(check)),
        );

        let report = stage.invoke(event("schedule")).await.expect("a report");

        let expected = match check {
            // The stopped holder is better than a standby with failing checks.
            Some(Check::Impaired) => (Outcome::Started, "holder-stopped"),
            _ => (Outcome::Moved, "holder-stopped"),
        };
        assert_eq!((report.outcome, report.reason.as_str()), expected, "{check:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_events_that_ec2_lists_arrive_with_their_dates_and_descriptions() {
    let scenario = simulator::pair().instance(names::STANDBY, |standby| {
        let standby =
            standby.scheduled_event("instance-retirement", "The <hardware> is degraded", "2026-12-24T06:00:00Z");
        standby.scheduled_event("system-reboot", "[Completed] scheduled reboot", "2026-11-01T06:00:00Z")
    });
    let ec2 = SdkEc2::of(&sdk_config(&scenario.build()));

    let seen = ec2.instance_status(&[parsed(names::HOLDER), parsed(names::STANDBY)]).await.expect("an answer");

    let event = |code: &str, description: &str, not_before: &str| ScheduledEvent {
        code: code.to_owned(),
        description: description.to_owned(),
        not_before: Some(parsed(not_before)),
    };
    let scheduled_events = vec![
        event("instance-retirement", "The <hardware> is degraded", "2026-12-24T06:00:00Z"),
        event("system-reboot", "[Completed] scheduled reboot", "2026-11-01T06:00:00Z"),
    ];
    let expected = BTreeMap::from([
        (parsed(names::HOLDER), running(StatusChecks::Ok, Vec::new())),
        (parsed(names::STANDBY), running(StatusChecks::Ok, scheduled_events)),
    ]);
    assert_eq!(seen, expected);
}
