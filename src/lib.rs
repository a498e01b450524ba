//! token-failover keeps a MOSEK token server's license interface on a living instance.
//!
//! ```text
//! event ─► trigger ─► concern ─► observation ─► plan ─► steps ─► observation ─► findings ─► report ─► SNS
//!          parse      ours?      read EC2       pure    EC2      read again     pure        pure
//! ```
//!
//! The modules, in the order of the data's way:
//!
//! - [`ids`], [`config`]: identifiers and settings, checked once at the door;
//! - [`license`]: where the license file says that the token server runs, and what will go wrong with it, pure;
//! - [`event`]: a document becomes a request, and concerns us or not, before any call;
//! - [`observation`]: what EC2 says, as plain values; [`marks`]: what the interface itself remembers; [`pause`]: that it is to
//!   do nothing for a while;
//! - [`plan`](mod@plan): the decision, pure;
//! - [`cloud`]: the doors to EC2, SNS and Systems Manager, and what their errors mean; [`aws`]: behind the doors, the SDK;
//! - [`security_group`], [`checks`], [`findings`]: what is wrong, and what to do about it, pure;
//! - [`readiness`], `audit`: what would go wrong with the next failover, pure;
//! - [`run`], `relocation`, `repair`, `room`: carrying out what was decided; [`serving`]: waking the token server, and trying its ports;
//! - [`problem`]: what is mailed of a problem, and when, pure;
//! - [`report`], [`notification`], [`metrics`]: what came of it, for programs, people and CloudWatch;
//! - [`failover`], `maintenance`, `conclusion`: the conductor, an operator's pause, and how it ends: the report, and what is owed.
//!
//! What always holds, whatever happens, is listed in ARCHITECTURE.md.

#![warn(missing_docs)]
// A panic is a failover that did not happen, and what is printed here would stand in the middle of a log.
#![warn(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unreachable,
    clippy::unwrap_used
)]

mod audit;
pub mod checks;
pub mod cloud;
mod conclusion;
pub mod config;
pub mod event;
pub mod failover;
pub mod findings;
pub mod ids;
mod maintenance;
pub mod marks;
pub mod metrics;
pub mod notification;
pub mod observation;
pub mod pause;
pub mod plan;
pub mod problem;
pub mod readiness;
mod relocation;
mod repair;
pub mod report;
mod room;
pub mod run;
pub mod security_group;
pub mod serving;
