//! The outcome of the work of one run, before it is put into words.

use crate::model::ids::{AttachmentId, InstanceId};
use crate::model::plan::{KeepReason, MoveCause, Refusal};
use crate::model::reason::Reason;
use crate::model::report::{Movement, Outcome};

/// The outcome of the work of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunOutcome {
    /// Nothing had to move.
    Kept(KeepReason),
    /// The run began or tried a move.
    Move(MoveOutcome, MoveCause),
    /// There was a reason to act, and the run must not.
    Refused(Refusal),
    /// The holder was started in place.
    Started(InstanceId, MoveCause),
    /// The holder was to be started in place, and EC2 could not start it.
    HolderNotStarted(InstanceId),
    /// The run was an audit.
    Audited {
        /// How many standbys could take the interface.
        viable: usize,
    },
    /// The answer to an operator's request to pause or resume.
    Answered(Verdict),
}

/// The outcome of a move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MoveOutcome {
    /// The interface is on a target that runs.
    Moved(Movement, Boot),
    /// No target took the interface, so it is back on its former holder.
    Returned {
        /// The former holder.
        to: InstanceId,
        /// The attachment by which it has the interface again.
        attachment_id: AttachmentId,
        /// When the former holder booted.
        boot: Boot,
    },
    /// The interface is on a target that EC2 could not start.
    NotStarted(Movement, Boot),
    /// EC2 has accepted the attach and has not completed it within the run. The run can try nothing else until then.
    Arriving(Movement),
    /// Another run has attached the interface to this member in the meantime.
    ByAnotherRun(InstanceId),
    /// The interface is attached to nothing.
    Stranded,
}

impl MoveOutcome {
    /// The member that has the interface by this run's attach, and the attachment.
    pub fn arrival(&self) -> Option<(&InstanceId, &AttachmentId)> {
        match self {
            Self::Moved(movement, _) | Self::NotStarted(movement, _) => {
                movement.attachment_id.as_ref().map(|attachment| (&movement.to, attachment))
            }
            Self::Returned { to, attachment_id, .. } => Some((to, attachment_id)),
            Self::Arriving(_) | Self::ByAnotherRun(_) | Self::Stranded => None,
        }
    }

    /// The member that may serve now, because this run brought the interface to it; `None`: there is no such member.
    pub fn may_serve(&self) -> Option<&InstanceId> {
        match self {
            Self::Moved(movement, _) => Some(&movement.to),
            Self::Returned { to, .. } => Some(to),
            Self::NotStarted(..) | Self::Arriving(_) | Self::ByAnotherRun(_) | Self::Stranded => None,
        }
    }

    /// When the member to which this run brought the interface booted; `None`: the interface is not known to be on one.
    pub fn boot(&self) -> Option<Boot> {
        match self {
            Self::Moved(_, boot) | Self::Returned { boot, .. } | Self::NotStarted(_, boot) => Some(*boot),
            Self::Arriving(_) | Self::ByAnotherRun(_) | Self::Stranded => None,
        }
    }
}

/// When the instance to which a run has attached the interface booted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boot {
    /// After the interface was attached: the token server found the interface at boot.
    WithInterface,
    /// Before the interface was attached, or at a time that is not known: the token server must be activated.
    Earlier,
}

/// The outcome of starting the instance that has the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// It was stopped, and this run started it.
    ByThisRun,
    /// It runs or starts. An answer of EC2 was lost, so this run may have started it.
    PerhapsByThisRun,
    /// It runs or starts, and was no longer stopped when this run asked.
    Already,
    /// EC2 accepted the start and the instance stopped again, for lack of capacity for example.
    StoppedAgain,
    /// EC2 refused the start.
    Refused,
}

impl Started {
    /// Whether it runs or starts.
    pub fn runs(self) -> bool {
        matches!(self, Self::ByThisRun | Self::PerhapsByThisRun | Self::Already)
    }

    /// When the instance booted.
    pub fn boot(self) -> Boot {
        match self {
            Self::ByThisRun | Self::StoppedAgain => Boot::WithInterface,
            Self::PerhapsByThisRun | Self::Already | Self::Refused => Boot::Earlier,
        }
    }
}

/// How far a run has gone in changing where the interface is attached. Each step includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Reach {
    /// It has changed nothing.
    #[default]
    Untouched,
    /// A detach took effect, or may have.
    Detaching,
    /// An attach took effect, or may have.
    Attaching,
    /// This run has seen the interface attached.
    Attached,
}

/// A report before its details: outcome, reason, summary, move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The outcome of the report.
    pub outcome: Outcome,
    /// The stable code of the reason.
    pub reason: Reason,
    /// The outcome and the reason in one sentence.
    pub summary: String,
    /// The move, if one was made or planned.
    pub movement: Option<Movement>,
}
