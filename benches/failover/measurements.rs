//! The measurements: whole invocations on the simulator's clock, so that the machine does not matter.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;
use simulator::world::{Service, Timings};
use simulator::{Call, InstanceSpec, Scenario, cold_standby, names, pair};
use token_failover::model::report::{Outcome, milliseconds};

use crate::standard::event;
use crate::support::Stage;

/// EC2's times: 30 ms a call, 2 s a detach, 1 s an attach, 8 s a boot.
pub(crate) fn timings() -> Timings {
    let (call, detach, attach) = (Duration::from_millis(30), Duration::from_secs(2), Duration::from_secs(1));
    Timings { call, detach, attach, boot: BOOT, ..Timings::default() }
}

/// The boot time of a stopped standby.
pub(crate) const BOOT: Duration = Duration::from_secs(8);

/// The cost of one invocation, in milliseconds of the simulator's clock and in calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Measurement {
    /// The name of the situation.
    pub(crate) name: &'static str,
    /// The outcome.
    pub(crate) outcome: Outcome,
    /// From the invocation until EC2's answer to the attach. Null: the interface was not attached.
    pub(crate) attach_accepted_ms: Option<u64>,
    /// From the invocation until SNS's answer to the report. Null: no report was published.
    pub(crate) published_ms: Option<u64>,
    /// From the invocation to its answer.
    pub(crate) answered_ms: u64,
    /// Calls of EC2, without polls.
    pub(crate) calls: usize,
    /// Reads that only check whether a change has taken effect.
    pub(crate) polls: usize,
    /// The number of times that the function waited for answers, without polls.
    pub(crate) waves: usize,
    /// The calls in order, without polls. The calls of one wave are one string.
    pub(crate) order: Vec<String>,
}

/// A situation to measure.
#[derive(Clone, Copy)]
pub(crate) struct Situation {
    /// Its name.
    pub(crate) name: &'static str,
    /// The world before the invocation.
    pub(crate) world: fn() -> Scenario,
    /// The document of the folder `events` for the invocation.
    pub(crate) document: &'static str,
    /// Whether the process has served the same request before, which is usual.
    pub(crate) warm: bool,
}

/// All situations.
pub(crate) const SITUATIONS: [Situation; 6] = [
    Situation {
        name: "running standby",
        world: || pair().instance(names::HOLDER, InstanceSpec::stopped),
        document: "holder-stopped",
        warm: false,
    },
    Situation {
        name: "cold standby",
        world: || cold_standby().instance(names::HOLDER, InstanceSpec::stopped),
        document: "holder-stopped",
        warm: false,
    },
    Situation {
        name: "unattached interface",
        world: || pair().interface(names::INTERFACE, |interface| interface.free()),
        document: "schedule",
        warm: false,
    },
    Situation { name: "healthy, first reconcile", world: pair, document: "schedule", warm: false },
    Situation { name: "healthy, reconcile", world: pair, document: "schedule", warm: true },
    Situation { name: "healthy, audit", world: pair, document: "operator-audit", warm: true },
];

/// Measures one situation. Needs tokio's paused clock.
pub(crate) async fn measure(situation: Situation) -> Measurement {
    let Situation { name, world, document, warm } = situation;
    let simulator = world().timings(timings()).build();
    let stage = Stage::recorded(simulator.clone(), &[], Box::new(|_| ()));
    if warm {
        stage.invoke(event(document)).await.expect("nothing is disrupted");
        simulator.clear_journal();
    }
    let began = simulator.now();
    let report = stage.invoke(event(document)).await.expect("nothing is disrupted");
    let answered = simulator.now() - began;

    let journal = simulator.journal();
    // A call takes effect after half of its latency. The answer takes the other half.
    let answer_to = |action: &str| {
        let call = journal.iter().find(|call| call.action == action && !call.dry_run)?;
        Some(milliseconds(call.at + timings().call / 2 - began))
    };
    let first_wave = journal.first().map(|call| call.at);
    let is_poll = |call: &&Call| {
        let looks = ["DescribeNetworkInterfaces", "DescribeInstances"].contains(&&*call.action);
        looks && Some(call.at) != first_wave
    };
    let ec2 = || journal.iter().filter(|call| call.service == Service::Ec2);
    let calls: Vec<&Call> = ec2().filter(|call| !is_poll(call)).collect();
    let moments: BTreeSet<Duration> = calls.iter().map(|call| call.at).collect();
    let wave = |moment: &Duration| {
        let names = calls.iter().filter(|call| call.at == *moment).map(|call| {
            let dry_run = if call.dry_run { " (dry run)" } else { "" };
            format!("{}{dry_run}", call.action)
        });
        // The SDK decides the order within a wave.
        names.collect::<BTreeSet<String>>().into_iter().collect::<Vec<String>>().join(" + ")
    };
    Measurement {
        name,
        outcome: report.outcome,
        attach_accepted_ms: answer_to("AttachNetworkInterface"),
        published_ms: answer_to("Publish"),
        answered_ms: milliseconds(answered),
        calls: calls.len(),
        polls: ec2().filter(is_poll).count(),
        waves: moments.len(),
        order: moments.iter().map(wave).collect(),
    }
}
