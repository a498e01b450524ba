//! Which reports go out whatever was mailed before.

use crate::model::report::Outcome;

/// What is known of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    /// An operator asked for this, and gets an answer each time.
    pub is_requested: bool,
    /// The interface was moved, or something was repaired, which nobody has told yet.
    pub has_changed: bool,
    /// An audit's findings, or an announcement, differ from those published last.
    pub is_new_audit: bool,
}

/// Whether the report is published in any case. What is not due may still be the news of a problem
/// ([`crate::decide::problem`]) or of a pause ([`crate::decide::pause`]).
pub fn is_due(outcome: Outcome, facts: Facts) -> bool {
    match outcome {
        Outcome::Moved | Outcome::Started | Outcome::Repaired => true,
        Outcome::Audited => facts.is_new_audit,
        Outcome::Refused | Outcome::Failed => facts.is_requested || facts.has_changed,
        Outcome::Paused
        | Outcome::Resumed
        | Outcome::NoAction
        | Outcome::Planned
        | Outcome::Ignored
        | Outcome::Resolved => false,
    }
}
