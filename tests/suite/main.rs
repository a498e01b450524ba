//! The decisions, whole failovers and the laws, over the simulator and below the wire, so that nothing here needs the SDK.

#[path = "../support/damage.rs"]
mod damage;
#[path = "../support/dice.rs"]
mod dice;
#[path = "../laws/mod.rs"]
mod harness;
#[path = "../support/imports.rs"]
mod imports;
#[path = "../support/mod.rs"]
mod support;

mod audits;
mod budget;
mod checks;
mod config;
mod documentation;
mod drills;
mod events;
mod failovers;
mod floors;
mod fuzz;
mod hints;
mod house;
mod identifiers;
mod laws;
mod marks;
mod metrics;
mod notifications;
mod pauses;
mod planning;
mod problems;
mod repairs;
mod room;
mod security_groups;
mod serving;
mod subscriptions;
mod world;
