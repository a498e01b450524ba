//! What an operator should know: each finding says what it is about and what to do.
//!
//! The codes are part of the contract. A remedy can be followed as it is: a command to paste, or one plain step.

mod advisor;
mod interface;
mod members;
mod moves;
mod network;
mod refusals;
mod token_server;
mod topic;

pub use advisor::Advisor;
pub(crate) use advisor::{HOW_TO_END_IT, aws};
