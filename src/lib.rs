//! token-failover keeps a token server's license interface on a running instance.
//!
//! ```text
//! event ─► trigger ─► concern ─► observation ─► plan ─► steps ─► observation ─► findings ─► report ─► SNS
//!          parse      ours?      read EC2       pure    EC2      read again     pure        pure
//! ```
//!
//! The floors. Each imports only from itself and from the floors before it:
//!
//! - [`model`]: what is configured, requested, seen, planned and reported: values, and no decisions;
//! - [`decide`]: the decisions, pure and synchronous;
//! - [`tell`]: the words, pure: findings, summaries, the notification, metrics;
//! - [`ports`]: the calls to EC2, SNS and Systems Manager, as traits;
//! - [`act`]: the effects, asynchronous and thin; [`act::failover`] is one invocation from top to bottom.
//!
//! ARCHITECTURE.md lists what always holds.

#![warn(missing_docs)]
// A panic is a failover that did not happen, and anything printed here would be in the middle of the log.
#![warn(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unreachable,
    clippy::unwrap_used
)]

pub mod act;
pub mod decide;
pub mod model;
pub mod ports;
pub mod tell;
