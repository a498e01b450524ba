//! The laws under every fault, played through the SDK's clients and over the wire.

use simulator::Simulator;
use token_failover_aws::{SdkEc2, SdkSns, SdkSsm};

use crate::harness::{Lane, account, play, soak, story, variable};
use crate::wire;

/// The number of worlds in a test run, unless `LAWS_WORLDS` is set: then it is a twentieth of that.
const WORLDS: u64 = 11_600;

/// The lane through the SDK's clients and over the wire.
#[derive(Debug, Clone, Copy)]
struct Sdk;

impl Lane for Sdk {
    type Ec2 = SdkEc2;
    type Sns = SdkSns;
    type Ssm = SdkSsm;

    fn package(self) -> &'static str {
        "token-failover-aws"
    }

    fn is_wired(self) -> bool {
        true
    }

    fn ports(self, simulator: &Simulator, seed: u64) -> (SdkEc2, SdkSns, SdkSsm) {
        // This generator determines the jitter of the SDK's retries.
        fastrand::seed(seed);
        wire::ports(simulator)
    }
}

#[test]
fn hold_through_the_sdk_and_over_the_wire() {
    let from = variable("LAWS_FROM").unwrap_or(0);
    let worlds = variable("LAWS_WORLDS").map_or(WORLDS, |worlds| worlds / 20);
    soak(from..from + worlds, Sdk, account());
}

#[test]
fn the_same_seed_gives_the_same_story() {
    for seed in 0..40 {
        let (one, other) = (play(seed, Sdk, account(), true), play(seed, Sdk, account(), true));
        assert_eq!(one.story, other.story, "seed {seed}");
    }
}

/// Prints the story of `LAWS_SEED`.
#[test]
fn replay() {
    if let Some(seed) = variable("LAWS_SEED") {
        eprintln!("{}", story(seed, Sdk, account()));
    }
}
