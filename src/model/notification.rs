//! A notification, as the function gives it to SNS.

use std::collections::BTreeMap;

/// A notification, as the function gives it to SNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Printable ASCII, under 100 characters.
    /// Source: SNS API Reference, *Publish*.
    pub subject: String,
    /// A JSON object with a message for each protocol, for `MessageStructure=json`.
    pub message: String,
    /// The message attributes, for filter policies.
    pub attributes: BTreeMap<&'static str, String>,
    /// What a FIFO topic also needs; `None` for a standard topic.
    pub fifo: Option<Fifo>,
}

/// What a FIFO topic also needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fifo {
    /// Messages of one token server stay in order.
    pub group_id: String,
    /// The same report, sent again because its answer was lost, is delivered once.
    pub deduplication_id: String,
}

/// Whether the MAC address of the interface is news to the license vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hostid {
    /// No audit has been published about this interface yet.
    New,
    /// It was published before.
    Told,
}
