//! What the interface shows of a move that the deployed function makes.

use std::collections::BTreeSet;

use token_failover::decide::attachment::MoveNote;
use token_failover::decide::pending::report::{PendingChange, PendingReport, RunName};
use token_failover::model::ids::{AttachmentId, InstanceId};
use token_failover::model::observation::{AttachmentStatus, NetworkInterface};
use token_failover::model::request::TriggerKind;
use token_failover::model::tags::MOVES;

use super::moment::Moment;

/// How many answers in a row must be without the pending report before it counts as published: an answer can be old.
const ANSWERS: usize = 2;

/// Follows a move by what EC2 shows of the interface. The function writes the pending report on it before the first change, and
/// removes it after publishing.
#[derive(Debug, Clone)]
pub struct Watch {
    departed: AttachmentId,
    /// The attachments that the interface left in earlier moves: an answer that shows one of them is old.
    left_before: BTreeSet<AttachmentId>,
    earlier: BTreeSet<String>,
    earlier_runs: BTreeSet<RunName>,
    started_by: BTreeSet<TriggerKind>,
    /// The times of the automatic moves before. The function adds the new one when the interface has arrived.
    moves: Option<String>,
    has_begun: bool,
    /// The answers in a row that show the interface attached and no pending report.
    settled: usize,
    holder: Option<InstanceId>,
}

impl Watch {
    /// Begins with the interface as it was before the move, and the attachments that it left in earlier moves; `None`: it is
    /// attached to nothing.
    pub fn new(interface: &NetworkInterface, left_before: BTreeSet<AttachmentId>) -> Option<Self> {
        let departed = interface.attachment.as_ref()?.id.clone();
        let earlier = PendingReport::read_all(&interface.tags).into_iter().map(|report| report.key).collect();
        let earlier_runs = MoveNote::read_all(&interface.tags).into_iter().map(|note| note.run).collect();
        Some(Self {
            departed,
            left_before,
            earlier,
            earlier_runs,
            started_by: BTreeSet::new(),
            moves: interface.tags.get(MOVES).cloned(),
            has_begun: false,
            settled: 0,
            holder: None,
        })
    }

    /// The moments that this answer shows to have come, in their order, whether they were shown before or not.
    pub fn see(&mut self, interface: &NetworkInterface) -> Vec<Moment> {
        if interface.attachment.as_ref().is_some_and(|attachment| self.left_before.contains(&attachment.id)) {
            return Vec::new();
        }
        let notes = MoveNote::read_all(&interface.tags).into_iter();
        self.started_by.extend(notes.filter(|note| !self.earlier_runs.contains(&note.run)).map(|note| note.started_by));
        let is_of_this_move = |report: &PendingReport| match &report.change {
            PendingChange::Move { departed, .. } => departed.as_ref().is_none_or(|departed| *departed == self.departed),
            PendingChange::Start { .. } | PendingChange::Repair { .. } => false,
        };
        let is_new = |report: &PendingReport| is_of_this_move(report) && !self.earlier.contains(&report.key);
        let is_pending =
            PendingReport::read_all(&interface.tags).iter().any(|report| is_new(report) && !report.reported);
        // A move may begin and end between two answers.
        self.has_begun |= is_pending || interface.tags.get(MOVES) != self.moves.as_ref();
        let mut moments = Vec::new();
        if self.has_begun {
            moments.push(Moment::Begun);
        }
        let mut is_attached = false;
        match &interface.attachment {
            Some(attachment) if attachment.id == self.departed && attachment.status == AttachmentStatus::Detaching => {
                moments.push(Moment::DetachAccepted);
            }
            Some(attachment) if attachment.id == self.departed => {}
            // Until the interface is attached again, the pending report is there, unless the answer is from an earlier move.
            None if is_pending => moments.extend([Moment::DetachAccepted, Moment::Free]),
            None => {}
            Some(attachment) => {
                moments.extend([Moment::DetachAccepted, Moment::Free, Moment::AttachAccepted]);
                self.holder.clone_from(&attachment.instance_id);
                if attachment.status == AttachmentStatus::Attached {
                    is_attached = true;
                    moments.push(Moment::Attached);
                }
            }
        }
        self.settled = if is_attached && self.has_begun && !is_pending { self.settled + 1 } else { 0 };
        if self.settled >= ANSWERS {
            moments.push(Moment::Reported);
        }
        moments
    }

    /// Whether the last answer shows the move reported, and one answer is not enough to say so.
    pub fn needs_another_answer(&self) -> bool {
        (1..ANSWERS).contains(&self.settled)
    }

    /// What started the runs of this move, as far as their notes have been seen.
    pub fn started_by(&self) -> &BTreeSet<TriggerKind> {
        &self.started_by
    }

    /// The instance to which the interface was attached last, by a new attachment.
    pub fn holder(&self) -> Option<&InstanceId> {
        self.holder.as_ref()
    }
}
