//! The laws under every fault, played below the wire.

mod seeds;

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use simulator::{Simulator, names};

use self::seeds::FAILED_ONCE;
use crate::harness::{Lane, play, soak, story, variable};
use crate::support::below::{self, BelowEc2, BelowSns, BelowSsm};

/// How many worlds a plain test run plays. `LAWS_WORLDS` asks for another number.
const WORLDS: u64 = 128_400;
/// How many worlds a plain test run plays that nobody has played before.
const FRESH_WORLDS: u64 = 2_000;

/// Below the wire.
#[derive(Debug, Clone, Copy)]
struct Below;

impl Lane for Below {
    type Ec2 = BelowEc2;
    type Sns = BelowSns;
    type Ssm = BelowSsm;

    fn package(self) -> &'static str {
        "token-failover"
    }

    fn is_wired(self) -> bool {
        false
    }

    fn doors(self, simulator: &Simulator, _seed: u64) -> (BelowEc2, BelowSns, BelowSsm) {
        below::doors(simulator, names::TOPIC)
    }
}

#[test]
fn hold_under_every_fault() {
    let from = variable("LAWS_FROM").unwrap_or(0);
    soak(from..from + variable("LAWS_WORLDS").unwrap_or(WORLDS), Below);
}

/// Each run looks where no run has looked. A seed that breaks a law is printed with its story; it belongs into `seeds`.
#[test]
fn hold_in_worlds_that_nobody_has_played_before() {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock that is right");
    let from = variable("LAWS_FROM").unwrap_or(since.as_secs() * 100_000);
    soak(from..from + variable("LAWS_WORLDS").map_or(FRESH_WORLDS, |worlds| worlds / 20), Below);
}

#[test]
fn hold_where_they_were_broken_once() {
    let mut broken = String::new();
    for (seed, what) in FAILED_ONCE {
        let played = play(*seed, Below, false);
        if !played.violations.is_empty() {
            let _ = write!(broken, "\nBroken again: {what}\n{}", story(*seed, Below));
        }
    }
    assert!(broken.is_empty(), "{broken}");
}

#[test]
fn the_same_seed_is_the_same_story() {
    for seed in 0..40 {
        let (one, other) = (play(seed, Below, true), play(seed, Below, true));
        assert_eq!(one.story, other.story, "seed {seed}");
    }
}

/// Prints the story of `LAWS_SEED`.
#[test]
fn replay() {
    if let Some(seed) = variable("LAWS_SEED") {
        eprintln!("{}", story(seed, Below));
    }
}
