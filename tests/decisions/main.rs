//! The decisions: values in, values out. No test here waits or uses the simulator.

#[path = "../support/damage.rs"]
mod damage;
#[expect(dead_code, reason = "the laws use more of it")]
#[path = "../support/dice.rs"]
mod dice;
#[path = "../support/imports.rs"]
mod imports;
#[path = "../support/standard.rs"]
mod standard;
#[path = "../support/world.rs"]
mod world;

mod attachment;
mod audit;
mod checks;
mod codes;
mod config;
mod departing;
mod events;
mod floors;
mod follow_up;
mod fuzz;
mod house;
mod identifiers;
mod license_check;
mod members;
mod moving;
mod pending;
mod planning;
mod publication;
mod remembered;
mod security_groups;
