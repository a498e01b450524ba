//! An attach to one instance: what a refusal means, and what EC2 shows while the run waits for the interface.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::change::Attach;
use crate::model::error::Meaning;
use crate::model::ids::AttachmentId;
use crate::model::observation::{Attachment, AttachmentStatus, NetworkInterface, OLDEST_ANSWER};

/// How long a target may be in a state that does not allow an attach before the run tries the next one.
const WRONG_STATE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long EC2 may refuse an attach, or not show it, before the run tries the next target.
const ATTACH_TIMEOUT: Duration = Duration::from_secs(90);

/// Where the interface is, as seen from the instance that is to get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Attached to nothing.
    Nowhere,
    /// Still at an attachment that it is leaving. The answer may be old.
    Leaving,
    /// EC2 is attaching it to the instance.
    Arriving(Attachment),
    /// On the instance.
    There(Attachment),
    /// On another instance, or by an attachment that this run did not make.
    Elsewhere(Attachment),
}

impl Place {
    /// Reads an answer. `departed` are the attachments that the interface has left. `accepted` is the attachment that
    /// EC2 made for this run, if EC2's answer arrived.
    pub fn of(
        interface: &NetworkInterface,
        attach: &Attach,
        departed: &BTreeSet<AttachmentId>,
        accepted: Option<&AttachmentId>,
    ) -> Self {
        let Some(attachment) = &interface.attachment else { return Self::Nowhere };
        let on_target = attachment.instance_id.as_ref() == Some(&attach.instance_id);
        match attachment.status {
            AttachmentStatus::Detached => Self::Nowhere,
            _ if departed.contains(&attachment.id) => Self::Leaving,
            AttachmentStatus::Detaching => Self::Leaving,
            _ if accepted.is_some_and(|accepted| *accepted != attachment.id) => Self::Elsewhere(attachment.clone()),
            AttachmentStatus::Attaching if on_target => Self::Arriving(attachment.clone()),
            AttachmentStatus::Attached if on_target => Self::There(attachment.clone()),
            AttachmentStatus::Attaching | AttachmentStatus::Attached => Self::Elsewhere(attachment.clone()),
        }
    }
}

/// How the attempt to bring the interface to one instance ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Landing {
    /// The interface is on the instance.
    Landed(Attachment),
    /// EC2 has accepted the attach and has not completed it, and the run has no time left.
    Arriving(Attachment),
    /// The instance cannot take the interface. The interface is attached to nothing.
    Impossible,
    /// The interface is elsewhere, and this run did not bring it there.
    Elsewhere(Attachment),
    /// The interface no longer exists.
    Gone,
}

/// What follows a refused attach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AfterRefusal {
    /// EC2 may have accepted an earlier request whose answer was lost.
    PerhapsAccepted,
    /// The run asks for the attach again after a pause.
    AskAgain,
    /// The run gives up on this instance.
    GiveUp(Landing),
}

/// Decides what follows a refused attach.
///
/// An attach whose answer was lost may have taken effect. An attach that EC2 refused has not. If the interface is on
/// the instance anyway, another run was faster, and reports the move.
pub fn after_refusal(
    meaning: Meaning,
    place: Place,
    has_lost_an_answer: bool,
    target_is_dying: bool,
    asked_for: Duration,
) -> AfterRefusal {
    let timeout = match meaning {
        Meaning::InUse | Meaning::Throttled | Meaning::Unreachable | Meaning::DoesNotFit => ATTACH_TIMEOUT,
        Meaning::WrongState => WRONG_STATE_TIMEOUT,
        _ => Duration::ZERO,
    };
    let is_final = matches!(meaning, Meaning::DoesNotFit | Meaning::NotFound | Meaning::Denied);
    match place {
        Place::There(_) | Place::Arriving(_) if has_lost_an_answer => AfterRefusal::PerhapsAccepted,
        Place::There(attachment) | Place::Arriving(attachment) | Place::Elsewhere(attachment) => {
            AfterRefusal::GiveUp(Landing::Elsewhere(attachment))
        }
        Place::Nowhere | Place::Leaving if target_is_dying && !has_lost_an_answer => {
            AfterRefusal::GiveUp(Landing::Impossible)
        }
        Place::Nowhere if is_final => AfterRefusal::GiveUp(Landing::Impossible),
        Place::Nowhere | Place::Leaving if asked_for >= timeout => AfterRefusal::GiveUp(Landing::Impossible),
        Place::Nowhere | Place::Leaving => AfterRefusal::AskAgain,
    }
}

/// Decides if the wait for an attach is over, by where the interface was seen; `None` in `place`: the interface does
/// not exist. `is_ours`: EC2 told this run which attachment it made. `is_last_look`: the run has no time for another
/// look.
///
/// An answer may be older than the accepted attach. The run believes it at once only about that attachment, and about
/// any other one only after [`OLDEST_ANSWER`]. While EC2 attaches the interface, the run can try nothing else: EC2
/// refuses both to detach the interface and to attach it elsewhere.
pub fn arrival(place: Option<Place>, is_ours: bool, waited: Duration, is_last_look: bool) -> Option<Landing> {
    let may_be_old = waited < OLDEST_ANSWER;
    let is_over = (waited >= ATTACH_TIMEOUT).then_some(Landing::Impossible);
    match place {
        Some(Place::There(attachment)) if is_ours || !may_be_old => Some(Landing::Landed(attachment)),
        Some(Place::Arriving(attachment)) => is_last_look.then_some(Landing::Arriving(attachment)),
        Some(Place::Leaving) => is_over,
        _ if may_be_old => None,
        Some(Place::There(attachment) | Place::Elsewhere(attachment)) => Some(Landing::Elsewhere(attachment)),
        Some(Place::Nowhere) => Some(Landing::Impossible),
        None => Some(Landing::Gone),
    }
}
