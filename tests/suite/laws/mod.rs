//! The laws under every fault, played below the wire.

mod seeds;

use std::fmt::Write as _;

use simulator::{Simulator, names};

use self::seeds::FAILED_ONCE;
use crate::accounts::{self, ACCOUNTS};
use crate::harness::{Lane, account, play, soak, story, variable};
use crate::support::below::{self, BelowEc2, BelowSns, BelowSsm};

/// The number of worlds in a test run, unless `LAWS_WORLDS` sets another.
const WORLDS: u64 = 128_400;

/// The number of worlds in each recorded account.
const WORLDS_IN_AN_ACCOUNT: u64 = 600;

/// The lane below the wire.
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

    fn ports(self, simulator: &Simulator, _seed: u64) -> (BelowEc2, BelowSns, BelowSsm) {
        below::ports(simulator, names::TOPIC)
    }
}

#[test]
fn hold_under_every_fault() {
    let from = variable("LAWS_FROM").unwrap_or(0);
    soak(from..from + variable("LAWS_WORLDS").unwrap_or(WORLDS), Below, account());
}

#[test]
fn hold_for_the_seeds_that_once_broke_one() {
    let mut broken = String::new();
    for (seed, what) in FAILED_ONCE {
        let played = play(*seed, Below, account(), false);
        if !played.violations.is_empty() {
            let _ = write!(broken, "\nBroken again: {what}\n{}", story(*seed, Below, account()));
        }
    }
    assert!(broken.is_empty(), "{broken}");
}

#[test]
fn the_same_seed_gives_the_same_story() {
    for seed in 0..40 {
        let (one, other) = (play(seed, Below, account(), true), play(seed, Below, account(), true));
        assert_eq!(one.story, other.story, "seed {seed}");
    }
}

/// The worlds of the same seeds as in accounts of which records exist, one of each kind.
#[test]
fn hold_in_recorded_accounts() {
    for name in ACCOUNTS {
        soak(0..WORLDS_IN_AN_ACCOUNT, Below, &accounts::account(name));
    }
}

/// Prints the story of `LAWS_SEED`.
#[test]
fn replay() {
    if let Some(seed) = variable("LAWS_SEED") {
        eprintln!("{}", story(seed, Below, account()));
    }
}
