//! The function over the simulator, below the wire: for tests, the drill and the benchmark.

pub(crate) mod below;

use std::fmt::Debug;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use simulator::{Simulator, names};
use token_failover::act::failover::Invocation;
use token_failover::act::function::Failover;
use token_failover::act::prober::{Connect, Prober, Unanswered};
use token_failover::act::run::Recorder;
use token_failover::model::config::Config;
use token_failover::model::failure::Failure;
use token_failover::model::report::Report;
use tokio::time::Instant;

use self::below::{BelowEc2, BelowSns, BelowSsm};

/// The folder of the project, whichever package's tests ask.
pub(crate) fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().find(|folder| folder.join("template.yaml").exists()).expect("the tests run in the project")
}

/// Parses what a test knows to be right.
pub(crate) fn parsed<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

/// The configuration of the standard pair, with changes. A variable that is changed to `-` is left out.
pub(crate) fn variables(changes: &[(&str, &str)]) -> Vec<(String, String)> {
    let members = format!("{},{}", names::HOLDER, names::STANDBY);
    let standard = [
        ("TOKEN_SERVER_INTERFACE_ID", names::INTERFACE),
        ("TOKEN_SERVER_INSTANCE_IDS", members.as_str()),
        ("NOTIFICATION_TOPIC_ARN", names::TOPIC),
        ("TOKEN_SERVER_NAME", "license-eu"),
        ("TOKEN_SERVER_PORTS", "27007-27008"),
        ("TOKEN_SERVER_CLIENTS", "10.0.0.0/16"),
        ("TOKEN_SERVER_ALLOCATION_ID", names::ALLOCATION),
        ("TOKEN_SERVER_HOSTID", "0273AE2ADC81"),
        ("AWS_REGION", names::REGION),
    ];
    let kept = standard.iter().filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    kept.chain(changes.iter().filter(|(_, value)| *value != "-"))
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// The same, read.
pub(crate) fn config(changes: &[(&str, &str)]) -> Config {
    Config::from_variables(variables(changes)).expect("the configuration of a test is right")
}

/// A way to the simulated token servers.
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
    pub(crate) function: Failover<BelowEc2, BelowSns, BelowSsm>,
    epoch: DateTime<Utc>,
}

impl Stage {
    /// A stage with its own recorder.
    pub(crate) fn recorded(simulator: Simulator, changes: &[(&str, &str)], recorder: Box<Recorder>) -> Self {
        let config = config(changes);
        let doors = below::doors(&simulator, &config.topic.to_string());
        let probes = config.probe;
        let function = Failover::new(config, doors, recorder);
        let function = if probes { function.probing(Prober::inside(connecting_to(&simulator))) } else { function };
        // The instances of the events folder fail on this day.
        let epoch = "2026-11-11T21:29:54Z".parse().expect("a time");
        Self { simulator, function, epoch }
    }

    /// The same stage on another day, at the beginning of the simulation.
    pub(crate) fn beginning_at(self, epoch: DateTime<Utc>) -> Self {
        Self { epoch, ..self }
    }

    /// The time of day in the simulated world.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.epoch + TimeDelta::from_std(self.simulator.now()).expect("a simulation is short")
    }

    /// Invokes the function with five minutes to go.
    pub(crate) async fn invoke(&self, payload: Value) -> Result<Report, Failure> {
        self.invoke_within(payload, Duration::from_secs(300)).await
    }

    /// Invokes the function with this much time to go.
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

/// A document of the events folder.
pub(crate) fn event(name: &str) -> Value {
    let path = root().join(format!("events/{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
