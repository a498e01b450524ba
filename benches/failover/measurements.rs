//! What is measured: whole invocations over the simulator, on its clock, so that the machine does not matter.

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

/// How long a stopped standby takes to run once it is started.
pub(crate) const BOOT: Duration = Duration::from_secs(8);

/// What one invocation took, in milliseconds of the simulator's clock, and in calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Measurement {
    /// What was measured.
    pub(crate) name: &'static str,
    /// What came of it.
    pub(crate) outcome: Outcome,
    /// From the invocation until EC2's answer that it attaches the interface; null: it was not attached.
    pub(crate) attach_accepted_ms: Option<u64>,
    /// From the invocation until SNS's answer that it has the report; null: nothing was published.
    pub(crate) published_ms: Option<u64>,
    /// From the invocation to its answer.
    pub(crate) answered_ms: u64,
    /// Calls of EC2, without polls.
    pub(crate) calls: usize,
    /// Reads that only look whether what was asked for has happened.
    pub(crate) polls: usize,
    /// How often the function had to wait for answers before it could go on, without polls.
    pub(crate) waves: usize,
    /// The calls that were no polls, in order, those of one wave in one text.
    pub(crate) order: Vec<String>,
}

/// What is measured.
#[derive(Clone, Copy)]
pub(crate) struct Situation {
    /// What it is called.
    pub(crate) name: &'static str,
    /// The world before the invocation.
    pub(crate) world: fn() -> Scenario,
    /// The document of the folder `events` that is sent.
    pub(crate) document: &'static str,
    /// Whether the process has served the same before, as it usually has.
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

/// Measures one situation. Needs tokio's clock, paused.
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
    // A call takes effect half way; its answer needs the other half.
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
        // The order within a wave is the SDK's business.
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
