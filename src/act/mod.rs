//! The effects: everything that waits for AWS or for the clock, from the whole invocation down to a single step.

pub mod conclusion;
pub mod failover;
pub mod function;
pub mod license_check;
pub mod maintenance;
pub mod moving;
pub mod prober;
pub mod release;
pub mod repair;
pub mod room;
pub mod run;
pub mod serving;
pub mod starting;
pub mod work;
