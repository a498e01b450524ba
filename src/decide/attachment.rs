//! Who attached the interface: a run of the function, or something else, such as Terraform or a person. Pure.
//!
//! Every attach makes an attachment with an id of its own, and the id stays until the detach, also while the instance is
//! stopped. So an attachment that neither a run has made nor an audit has seen was made by something else.
//!
//! | tag | value | written by |
//! |---|---|---|
//! | [`BEGUN`] | `run=… until=…` | a run, with its pending report: it may attach the interface until then |
//! | [`ATTACHED`] | `run=… until=… attachment=… instance=… at=…` | the same run, once the interface has arrived |
//! | [`SEEN`] | `attachment=… instance=… at=… moved=…` | an audit that saw something new, a run that undoes a move by something else, or a run that reports another run's move |
//!
//! CreateTags has no condition, so a slow run can overwrite what a later one has written. A slow audit overwrites no
//! attachment that a run has made. A slow run does, but the later run's [`BEGUN`] stays. If a run dies, cannot note its
//! attachment, has lost EC2's answer to an attach, or another run has overwritten its tag, every attachment until the next
//! audit counts as the function's. So does the attachment that a run sees when it reports such a move.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::decide::pending::report::{PendingReport, RunName};
use crate::model::ids::{AttachmentId, InstanceId};
use crate::model::observation::{Attachment, AttachmentStatus, NetworkInterface, OLDEST_ANSWER_DELTA, Observation};
use crate::model::tags::{ATTACHED, BEGUN, SEEN, tag_time, tag_value, tag_words};

/// Two moves by something else within this time are not a single mistake.
const AGAIN: TimeDelta = TimeDelta::hours(24);

/// An attachment, as a tag has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// Its id.
    pub attachment: AttachmentId,
    /// The instance; `None`: EC2 attached the interface to something else.
    pub instance: Option<InstanceId>,
    /// When it was there.
    pub at: DateTime<Utc>,
}

/// A move that a run was about to make, as [`BEGUN`] has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// The run.
    pub run: RunName,
    /// The time until which the run may make it.
    pub until: DateTime<Utc>,
}

/// A move that a run has made, as [`ATTACHED`] has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// What the run wrote before.
    pub begun: Begun,
    /// The attachment that it has made.
    pub noted: Noted,
}

/// What an audit saw last, as [`SEEN`] has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The attachment.
    pub noted: Noted,
    /// When a run last found that something else had moved the interface; `None`: never.
    pub moved: Option<DateTime<Utc>>,
}

/// What an observation shows about the attachment that is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learned {
    /// What is to be noted about it.
    pub seen: Seen,
    /// The move, if something else made it.
    pub by_other: Option<MoveByOther>,
}

/// A move that no run has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveByOther {
    /// The last attachment that is known from before.
    pub from: Noted,
    /// The attachment now.
    pub to: Attachment,
    /// Whether something else has moved the interface before, within a day.
    pub again: bool,
}

impl Noted {
    fn words(&self) -> String {
        let instance = self.instance.as_ref().map_or_else(String::new, |instance| format!(" instance={instance}"));
        format!("attachment={}{instance} at={}", self.attachment, tag_time(self.at))
    }

    fn read(words: &BTreeMap<&str, &str>) -> Option<Self> {
        let attachment = AttachmentId::new(*words.get("attachment")?);
        let instance = words.get("instance").and_then(|id| id.parse().ok());
        Some(Self { attachment, instance, at: words.get("at")?.parse().ok()? })
    }
}

impl Begun {
    fn words(&self) -> String {
        format!("run={} until={}", self.run, tag_time(self.until))
    }

    fn read_from(words: &BTreeMap<&str, &str>) -> Option<Self> {
        Some(Self { run: RunName::new(words.get("run")?), until: words.get("until")?.parse().ok()? })
    }

    /// Its tag: the key and the value.
    pub fn tag(&self) -> (String, String) {
        (BEGUN.to_owned(), tag_value(&self.words()))
    }

    /// Reads it. A value that cannot be understood is ignored.
    pub fn read(tags: &BTreeMap<String, String>) -> Option<Self> {
        Self::read_from(&tag_words(tags.get(BEGUN)?))
    }
}

impl Made {
    /// Its tag: the key and the value.
    pub fn tag(&self) -> (String, String) {
        (ATTACHED.to_owned(), tag_value(&format!("{} {}", self.begun.words(), self.noted.words())))
    }

    /// Reads it. A value that cannot be understood is ignored.
    pub fn read(tags: &BTreeMap<String, String>) -> Option<Self> {
        let words = tag_words(tags.get(ATTACHED)?);
        Some(Self { begun: Begun::read_from(&words)?, noted: Noted::read(&words)? })
    }
}

impl Seen {
    /// Its tag: the key and the value.
    pub fn tag(&self) -> (String, String) {
        let moved = self.moved.map_or_else(String::new, |moved| format!(" moved={}", tag_time(moved)));
        (SEEN.to_owned(), tag_value(&format!("{}{moved}", self.noted.words())))
    }

    /// Reads it. A value that cannot be understood is ignored.
    pub fn read(tags: &BTreeMap<String, String>) -> Option<Self> {
        let words = tag_words(tags.get(SEEN)?);
        let moved = words.get("moved").and_then(|moved| moved.parse().ok());
        Some(Self { noted: Noted::read(&words)?, moved })
    }
}

/// What the tags of the interface say about its attachments.
struct Notes {
    begun: Option<Begun>,
    made: Option<Made>,
    seen: Option<Seen>,
}

impl Notes {
    fn read(tags: &BTreeMap<String, String>) -> Self {
        Self { begun: Begun::read(tags), made: Made::read(tags), seen: Seen::read(tags) }
    }

    fn all(&self) -> impl Iterator<Item = &Noted> {
        self.made.iter().map(|made| &made.noted).chain(self.seen.iter().map(|seen| &seen.noted))
    }

    fn know(&self, attachment: &Attachment) -> bool {
        self.all().any(|noted| noted.attachment == attachment.id)
    }

    /// The end of a run that has begun a move and has not noted an attachment of its own. It may have made any of them, until
    /// an audit that looks after its end sees the last one.
    fn open_until(&self) -> Option<DateTime<Utc>> {
        let begun = self.begun.as_ref()?;
        let is_made = self.made.as_ref().is_some_and(|made| made.begun == *begun);
        let was_seen_since = self.seen.as_ref().is_some_and(|seen| is_past(seen.noted.at, begun.until));
        (!is_made && !was_seen_since).then_some(begun.until)
    }

    /// When a run last found that something else had moved the interface.
    fn moved(&self) -> Option<DateTime<Utc>> {
        self.seen.as_ref()?.moved
    }
}

/// Whether no answer that EC2 gives at this time can be from before the end of a run.
fn is_past(time: DateTime<Utc>, end: DateTime<Utc>) -> bool {
    time.signed_duration_since(end) >= OLDEST_ANSWER_DELTA
}

/// The interface and its attachment, once EC2 has completed the attach.
fn attached(observation: &Observation) -> Option<(&NetworkInterface, &Attachment)> {
    let interface = observation.interface()?;
    let attachment = interface.attachment.as_ref().filter(|it| it.status == AttachmentStatus::Attached)?;
    Some((interface, attachment))
}

fn noted(attachment: &Attachment, at: DateTime<Utc>) -> Noted {
    Noted { attachment: attachment.id.clone(), instance: attachment.instance_id.clone(), at }
}

/// What this observation shows about the attachment that is to be noted; `None`: nothing new, or nothing can be said yet.
pub fn learn(observation: &Observation) -> Option<Learned> {
    let now = observation.observed_at;
    let (interface, attachment) = attached(observation)?;
    // A run is moving the interface, or a run has died while it was.
    let is_unreported = |report: &PendingReport| report.is_move() && !report.reported;
    if PendingReport::read_all(&interface.tags).iter().any(is_unreported) {
        return None;
    }
    let notes = Notes::read(&interface.tags);
    let (is_known, open_until) = (notes.know(attachment), notes.open_until());
    if is_known && open_until.is_none_or(|until| !is_past(now, until)) {
        return None;
    }
    let from = notes.all().max_by_key(|noted| noted.at).filter(|_| !is_known && open_until.is_none());
    let before = notes.moved();
    let by_other = from.cloned().map(|from| MoveByOther {
        from,
        to: attachment.clone(),
        again: before.is_some_and(|before| now.signed_duration_since(before) < AGAIN),
    });
    let moved = by_other.as_ref().map(|_| now).or(before);
    Some(Learned { seen: Seen { noted: noted(attachment, now), moved }, by_other })
}

/// What is to be noted about the attachment when a run reports this move, which another run has left; `None`: nothing. That
/// run did not say by which attachment the interface arrived, so it may have made this one.
pub fn seen_with(report: &PendingReport, observation: &Observation) -> Option<Seen> {
    let (interface, attachment) = attached(observation)?;
    let notes = Notes::read(&interface.tags);
    let may_be_its_own = report.is_move() && report.arrival().is_none() && !notes.know(attachment);
    may_be_its_own.then(|| Seen { noted: noted(attachment, observation.observed_at), moved: notes.moved() })
}
