//! Which reports are published regardless of earlier mails.

use crate::model::report::Outcome;

/// What is known about a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    /// An operator asked for this, and gets an answer each time.
    pub is_requested: bool,
    /// The interface was moved or something was repaired, and no run has reported it.
    pub has_changed: bool,
    /// The findings of an audit, or an announcement, differ from those that were published last.
    pub is_new_audit: bool,
}

/// Whether the report is published in any case. A report that is not due may still be news about a problem
/// ([`crate::decide::problem`]) or about a pause ([`crate::decide::pause`]).
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
