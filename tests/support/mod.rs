//! The function over the simulator, below the wire: for tests, the drill and the benchmark.

pub(crate) mod below;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use simulator::Simulator;
use token_failover::act::failover::Invocation;
use token_failover::act::function::Failover;
use token_failover::act::prober::{Connect, Prober, Unanswered};
use token_failover::act::run::Recorder;
use token_failover::model::failure::Failure;
use token_failover::model::report::Report;
use tokio::time::Instant;

use self::below::{BelowEc2, BelowSns, BelowSsm};
use crate::standard::config;

/// A connection to the simulated token servers.
pub(crate) fn connecting_to(simulator: &Simulator) -> Box<Connect> {
    let simulator = simulator.clone();
    Box::new(move |address| {
        let simulator = simulator.clone();
        Box::pin(async move {
            simulator.connect(address).await.map_err(|refusal| match refusal {
                simulator::world::Refusal::Refused => Unanswered::Refused,
                simulator::world::Refusal::Silent => Unanswered::Silent,
            })
        })
    })
}

/// A function and its world.
pub(crate) struct Stage {
    pub(crate) simulator: Simulator,
    pub(crate) function: Failover<(BelowEc2, BelowSns, BelowSsm)>,
    epoch: DateTime<Utc>,
}

impl Stage {
    /// A stage with its own recorder.
    pub(crate) fn recorded(simulator: Simulator, changes: &[(&str, &str)], recorder: Box<Recorder>) -> Self {
        let config = config(changes);
        let ports = below::ports(&simulator, &config.topic.to_string());
        let probes = config.probe;
        let function = Failover::new(config, ports, recorder);
        let function = if probes { function.probing(Prober::inside(connecting_to(&simulator))) } else { function };
        // The events of the folder `events` are from this day.
        let epoch = "2026-11-11T21:29:54Z".parse().expect("a time");
        Self { simulator, function, epoch }
    }

    /// The stage with another time at the beginning of the simulation.
    pub(crate) fn beginning_at(self, epoch: DateTime<Utc>) -> Self {
        Self { epoch, ..self }
    }

    /// The time of day in the simulated world.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.epoch + TimeDelta::from_std(self.simulator.now()).expect("a simulation is short")
    }

    /// Invokes the function with a deadline in five minutes.
    pub(crate) async fn invoke(&self, payload: Value) -> Result<Report, Failure> {
        self.invoke_within(payload, Duration::from_secs(300)).await
    }

    /// Invokes the function with a deadline after this time.
    pub(crate) async fn invoke_within(&self, payload: Value, time: Duration) -> Result<Report, Failure> {
        let invocation = Invocation {
            payload,
            request_id: "5e1b6a9e-0000-4000-8000-000000000001".to_owned(),
            received_at: self.now(),
            deadline: Instant::now() + time,
        };
        self.function.handle(invocation).await
    }
}
