//! The format of the record, as JSON.
//!
//! The simulator has its own reader of this format, `simulator/src/like.rs`, because it depends on no other package.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::NaiveDate;
use serde::Serialize;
use token_failover::model::report::milliseconds;

/// The version of the format.
pub const SCHEMA_VERSION: u32 = 1;

/// The record of an account. It has no ids, addresses, names, Regions or messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The program and its version.
    pub program: &'static str,
    /// The day of the exercise, in UTC.
    pub day: NaiveDate,
    /// The simulator's assumptions, by the names of its fields.
    pub assumptions: Assumptions,
    /// How long EC2 took.
    pub timings_ms: Timings,
    /// The calls that did not succeed.
    pub errors: Vec<Refused>,
}

/// The simulator's assumptions, by the names of its fields.
pub type Assumptions = BTreeMap<&'static str, Assumed>;

/// Whether an assumption holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Assumed {
    /// `true`: as with the field set, `false`: as with its default, null: not seen, or both were seen.
    pub seen: Option<bool>,
    /// How it was seen, or why it was not.
    pub how: &'static str,
}

/// How long EC2 took, in milliseconds; null: not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Timings {
    /// A call over the network, there and back.
    pub call: Option<Figures>,
    /// From the detach until the interface is free.
    pub detach: Option<Figures>,
    /// From the attach until the interface is attached.
    pub attach: Option<Figures>,
    /// From the stop of an instance until it is stopped.
    pub stop: Option<Figures>,
    /// From the start of an instance until it is running.
    pub boot: Option<Figures>,
    /// From then until its status checks pass.
    pub checks: Option<Figures>,
    /// From sending a command until it has ended.
    pub command: Option<Figures>,
}

/// The figures of one duration, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// How many were measured.
    pub count: usize,
    /// The shortest.
    pub min: u64,
    /// The median; of an even number, the lower one of the two in the middle.
    pub median: u64,
    /// The longest.
    pub max: u64,
}

impl Figures {
    /// The figures of these durations; `None`: there are none.
    pub fn of(durations: &[Duration]) -> Option<Self> {
        let mut sorted: Vec<u64> = durations.iter().copied().map(milliseconds).collect();
        sorted.sort_unstable();
        let median = *sorted.get(sorted.len().saturating_sub(1) / 2)?;
        Some(Self { count: sorted.len(), min: *sorted.first()?, median, max: *sorted.last()? })
    }
}

/// Calls of one kind that did not succeed in the same way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// The IAM action of the call, such as `ec2:DetachNetworkInterface`.
    pub action: String,
    /// The service's code; null: no answer came. `other`: the code does not have the form of AWS's codes.
    pub code: Option<String>,
    /// The state of the instance that the call was about, as it was last seen; null: not known, or the call was about none.
    pub instance_state: Option<String>,
    /// Whether the call was a dry run.
    pub dry_run: bool,
    /// How often it happened.
    pub count: u64,
}
