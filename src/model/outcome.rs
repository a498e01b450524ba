//! The outcome of the work of one run, before it is put into words.

use crate::model::ids::InstanceId;
use crate::model::plan::{KeepReason, MoveCause, Refusal};
use crate::model::reason::Reason;
use crate::model::report::{Movement, Outcome};

/// The outcome of the work of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunOutcome {
    /// Nothing had to move.
    Kept(KeepReason),
    /// The interface is on a standby.
    Moved(Movement, MoveCause),
    /// Another run has attached the interface to this member in the meantime.
    MovedByAnotherRun(InstanceId),
    /// Something should be done and must not be.
    Refused(Refusal),
    /// No standby took the interface, so it is back on its former holder.
    Returned(InstanceId),
    /// The interface is on a standby that EC2 could not start.
    NotStarted(Movement),
    /// EC2 has accepted the attach and has not completed it in the time of the run.
    Arriving(Movement),
    /// The holder was started where it is.
    Started(InstanceId, MoveCause),
    /// The holder should have been started where it is, and EC2 could not start it.
    HolderNotStarted(InstanceId),
    /// The interface is attached to nothing.
    Stranded,
    /// The run only looked.
    Audited {
        /// How many standbys could take the interface.
        viable: usize,
    },
    /// The answer to an operator's request to pause or resume.
    Answered(Verdict),
}

impl RunOutcome {
    /// Whether the run has attached the interface to an instance that may have run before.
    pub fn has_moved(&self) -> bool {
        matches!(self, Self::Moved(..) | Self::Returned(_))
    }
}

/// A report before its details: outcome, reason, summary, move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The outcome of the report.
    pub outcome: Outcome,
    /// The stable code of the reason.
    pub reason: Reason,
    /// The same in one sentence.
    pub summary: String,
    /// The move, if one was made or planned.
    pub movement: Option<Movement>,
}
