//! A detach: when the run asks EC2 for it, when the run forces it, and how it ends.

use std::time::Duration;

use crate::model::error::{CallError, Meaning};
use crate::model::observation::{Attachment, AttachmentStatus, InstanceState, NetworkInterface, OLDEST_ANSWER};
use crate::model::plan::Refusal;

/// The pause before the run asks again for a refused detach. An instance that is stopping refuses it for a second or
/// two. While EC2 attaches the interface slowly, EC2 refuses it for minutes.
fn pause_after(waited: Duration) -> Duration {
    if waited < Duration::from_secs(30) { Duration::from_millis(500) } else { Duration::from_secs(3) }
}

/// A call that a detach needs now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// `DetachNetworkInterface`.
    Detach,
    /// `DetachNetworkInterface` with `Force`.
    ForceDetach,
}

/// How a detach ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detached {
    /// The interface is attached to nothing.
    Free {
        /// Whether the detach was forced.
        forced: bool,
    },
    /// Something else has moved the interface to this attachment.
    Elsewhere(Attachment),
    /// EC2 does not detach the interface.
    Refused(Refusal),
}

/// A detach that has not ended. All durations count from its beginning.
#[derive(Debug, Clone)]
pub struct Detach {
    from: Attachment,
    holder_state: Option<InstanceState>,
    force_after: Option<Duration>,
    /// When EC2 was first known to be detaching the interface.
    asked: Option<Duration>,
    forced: bool,
    ask_at: Duration,
    sight: Sight,
    /// EC2 also denies a role that is scoped by resource the detach of an attachment that is gone. So the run believes
    /// a denial only if the attachment is still there when EC2's answers can no longer be old.
    denied: Option<(Duration, CallError)>,
}

/// The result of the last look at the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    NotYet,
    Seen,
    Unreadable,
}

impl Detach {
    /// A detach of this attachment, whose instance was last seen in this state. If the detach is under way already, the
    /// run only waits for it. The run forces it after `force_after`; `None`: never.
    pub fn new(from: &Attachment, holder_state: Option<InstanceState>, force_after: Option<Duration>) -> Self {
        let is_leaving = from.status == AttachmentStatus::Detaching;
        Self {
            from: from.clone(),
            holder_state,
            force_after,
            asked: is_leaving.then_some(Duration::ZERO),
            forced: false,
            ask_at: Duration::ZERO,
            sight: Sight::NotYet,
            denied: None,
        }
    }

    /// The call to make now, if there is one.
    ///
    /// The run forces a detach that it has seen hang, not one that it could not see. While the interface cannot be
    /// read, the run asks for nothing.
    pub fn ask(&self, now: Duration) -> Option<Ask> {
        if now < self.ask_at || self.denied.is_some() {
            return None;
        }
        let Some(asked) = self.asked else {
            return (self.sight != Sight::Unreadable).then_some(Ask::Detach);
        };
        let hangs = self.force_after.is_some_and(|limit| now.saturating_sub(asked) >= limit);
        (hangs && !self.forced && self.sight == Sight::Seen).then_some(Ask::ForceDetach)
    }

    /// Takes the answer to a call that was made at `asked_at`. `Some`: the answer ends the detach.
    pub fn answered(
        &mut self,
        ask: Ask,
        asked_at: Duration,
        now: Duration,
        answer: Result<(), CallError>,
    ) -> Option<Detached> {
        self.ask_at = now + pause_after(now);
        let Err(error) = answer else {
            self.asked = self.asked.or(Some(asked_at));
            self.forced |= ask == Ask::ForceDetach;
            return None;
        };
        match error.meaning {
            Meaning::Denied => self.denied = Some((now, error)),
            // The next look at the interface decides about these.
            Meaning::AlreadyDetached
            | Meaning::WrongState
            | Meaning::InUse
            | Meaning::Throttled
            | Meaning::Unreachable => {}
            Meaning::NotPermitted => return Some(Detached::Refused(self.not_permitted(error))),
            _ => return Some(Detached::Refused(Refusal::CallRejected(error))),
        }
        None
    }

    /// The refusal of a detach that EC2 does not permit. EC2 never detaches a primary interface.
    fn not_permitted(&self, error: CallError) -> Refusal {
        match &self.from.instance_id {
            Some(holder) if self.from.device_index == 0 => Refusal::PrimaryInterface {
                holder: holder.clone(),
                state: self.holder_state.clone(),
                attachment_id: self.from.id.clone(),
            },
            _ => Refusal::CallRejected(error),
        }
    }

    /// Takes the result of a look at the interface; `None` in it: the interface does not exist. `Some`: the look ends
    /// the detach. A failed look is not evidence that the interface is free.
    pub fn seen(&mut self, now: Duration, look: Result<Option<NetworkInterface>, CallError>) -> Option<Detached> {
        self.sight = if look.is_ok() { Sight::Seen } else { Sight::Unreadable };
        let Some(interface) = look.ok()? else { return Some(Detached::Refused(Refusal::InterfaceMissing)) };
        match &interface.attachment {
            None | Some(Attachment { status: AttachmentStatus::Detached, .. }) => {
                Some(Detached::Free { forced: self.forced })
            }
            Some(attachment) if attachment.id != self.from.id => Some(Detached::Elsewhere(attachment.clone())),
            Some(_) => {
                let denied = self.denied.take_if(|(since, _)| now.saturating_sub(*since) >= OLDEST_ANSWER);
                denied.map(|(_, error)| Detached::Refused(Refusal::PermissionDenied(error)))
            }
        }
    }
}
