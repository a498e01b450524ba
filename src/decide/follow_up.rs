//! What a run does after the work on the interface: repair, read who can reach it, activate the token server, try the ports.

use crate::model::ids::InstanceId;
use crate::model::outcome::{Boot, MoveOutcome, RunOutcome};

/// What is known when the work on the interface is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Situation<'a> {
    /// A pause is in force.
    pub is_paused: bool,
    /// The request allows repairs even if nothing has moved.
    pub may_repair: bool,
    /// The interface is attached to a member, and the members could be read.
    pub is_with_member: bool,
    /// Terminating the holder would destroy the interface, because another run has moved it and not set
    /// DeleteOnTermination to false.
    pub is_doomed_by_a_pending_move: bool,
    /// The event announces a change to members.
    pub is_announcement: bool,
    /// The member that has the interface, if it is running or starting.
    pub running_member: Option<&'a InstanceId>,
    /// Another run has moved the interface to that member, and may not have activated its token server.
    pub may_be_inactive: bool,
}

/// What the run does next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FollowUp {
    /// Repair what is wrong and may be repaired.
    pub repairs: bool,
    /// Read who can reach the interface. An event about a healthy token server costs one wave of reads and skips these.
    pub reads_reachability: bool,
    /// Try the ports until they answer, because a token server starts now.
    pub awaits_ports: bool,
    /// Activate the token server on this member, which was running before the interface arrived.
    pub activates: Option<InstanceId>,
    /// Tell that the token server may not have been activated, because a pause is in force.
    pub leaves_inactive: bool,
    /// Read the interface once more before the report: the instance took a while to start, and another run may have moved the
    /// interface meanwhile.
    pub looks_again: bool,
}

/// Decides what the run does next.
pub fn follow_up(outcome: &RunOutcome, situation: Situation<'_>) -> FollowUp {
    let repairs = match outcome {
        _ if situation.is_paused => false,
        RunOutcome::Move(ended, _) => match ended {
            MoveOutcome::Moved(..) | MoveOutcome::Returned { .. } | MoveOutcome::NotStarted(..) => true,
            MoveOutcome::ByAnotherRun(_) | MoveOutcome::Arriving(_) | MoveOutcome::Stranded => false,
        },
        RunOutcome::Started(..) => true,
        // An interface that stays where it is also needs DeleteOnTermination off. The function does not touch the
        // interface of an instance that is not a member.
        RunOutcome::Kept(_) | RunOutcome::Refused(_) | RunOutcome::HolderNotStarted(_) => {
            situation.is_with_member && (situation.may_repair || situation.is_doomed_by_a_pending_move)
        }
        RunOutcome::Audited { .. } | RunOutcome::Answered(_) => false,
    };
    let is_quiet = matches!(outcome, RunOutcome::Kept(_) | RunOutcome::Move(MoveOutcome::ByAnotherRun(_), _));
    let activates = to_activate(outcome, situation).filter(|_| !situation.is_paused);
    FollowUp {
        repairs,
        reads_reachability: repairs || !is_quiet || situation.is_announcement,
        awaits_ports: match outcome {
            RunOutcome::Move(ended, _) => ended.may_serve().is_some(),
            RunOutcome::Started(..) => true,
            RunOutcome::Kept(_)
            | RunOutcome::Refused(_)
            | RunOutcome::HolderNotStarted(_)
            | RunOutcome::Audited { .. }
            | RunOutcome::Answered(_) => false,
        },
        activates: activates.cloned(),
        leaves_inactive: situation.is_paused && situation.may_be_inactive,
        looks_again: matches!(outcome, RunOutcome::Started(..)),
    }
}

/// The member whose token server must be activated. This run has moved the interface there, or another run has that did not get
/// to the activation.
fn to_activate<'a>(outcome: &RunOutcome, situation: Situation<'a>) -> Option<&'a InstanceId> {
    let running = situation.running_member?;
    let is_due = match outcome {
        RunOutcome::Move(ended, _) => ended.boot() == Some(Boot::Earlier) && ended.may_serve() == Some(running),
        RunOutcome::Kept(_) | RunOutcome::Refused(_) => situation.may_be_inactive,
        RunOutcome::Started(..)
        | RunOutcome::HolderNotStarted(_)
        | RunOutcome::Audited { .. }
        | RunOutcome::Answered(_) => false,
    };
    is_due.then_some(running)
}
