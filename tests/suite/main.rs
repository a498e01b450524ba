//! Whole failovers, audits, mails and the laws, over the simulator and below the wire. None of these tests needs the
//! SDK.

#[path = "../support/dice.rs"]
mod dice;
#[path = "../laws/mod.rs"]
mod harness;
#[path = "../support/standard.rs"]
mod standard;
#[path = "../support/mod.rs"]
mod support;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../support/world.rs"]
mod world;

mod accounts;
mod audits;
mod budget;
mod documentation;
mod drills;
mod failovers;
mod groups;
mod hints;
mod interfaces;
mod laws;
mod license_check;
mod members;
mod metrics;
mod moves_by_others;
mod notifications;
mod pauses;
mod problems;
mod repairs;
mod room;
mod serving;
mod subscriptions;
