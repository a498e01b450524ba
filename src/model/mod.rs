//! The values: what is configured, requested, seen, planned and reported. They decide nothing.

pub mod change;
pub mod check;
pub mod code;
pub mod command;
pub mod config;
pub mod error;
pub mod failure;
pub mod finding;
pub mod flexnet;
pub mod ids;
pub mod license_check;
pub mod notification;
pub mod observation;
pub mod outcome;
pub mod pause;
pub mod plan;
pub mod readiness;
pub mod reason;
pub mod report;
pub mod request;
pub mod tags;
