//! Who attached the interface: a run of the function, or something else, such as Terraform or a person. Pure.
//!
//! Every attach makes an attachment with an id of its own, and the id stays until the detach, also while the instance is
//! stopped. So an attachment that neither a run has made nor an audit has seen was made by something else.
//!
//! | tag | value | written by |
//! |---|---|---|
//! | [`ATTACHED`]`:RUN` | `until=… by=…` | a run, with its pending report: it may attach the interface until then |
//! | the same | `until=… by=… attachment=… instance=… at=…` | the same run, once the interface has arrived |
//! | [`SEEN`] | `attachment=… instance=… at=… moved=…` | an audit that saw something new, or a run that undoes a move by something else |
//!
//! CreateTags has no condition, and EC2 may carry a call out long after the caller has stopped waiting. So each run has a tag of
//! its own, and a slow run overwrites nothing that another run has noted. A run that has lost EC2's answer to an attach does not
//! name its attachment, because another one may follow. If a run has not named its attachment, any attachment may be its own, until
//! an audit that looks after the end of that run has seen one.
//!
//! A move removes the tags of the runs before it: see [`superseded`]. A run that has attached nothing removes its own.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::decide::pending::report::{PendingReport, RunName};
use crate::model::ids::{AttachmentId, InstanceId};
use crate::model::observation::{Attachment, AttachmentStatus, OLDEST_ANSWER_DELTA, Observation};
use crate::model::request::TriggerKind;
use crate::model::tags::{ATTACHED, SEEN, tag_time, tag_value, tag_words};

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

/// What a run notes of its move, as its own tag has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveNote {
    /// The run.
    pub run: RunName,
    /// The time until which the run may attach the interface.
    pub until: DateTime<Utc>,
    /// What started the run. An exercise reads here whether the event of a stop has arrived.
    pub started_by: TriggerKind,
    /// The attachment by which the interface has arrived; `None`: the run has not named it.
    pub arrived: Option<Noted>,
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

impl MoveNote {
    fn key(run: &RunName) -> String {
        format!("{ATTACHED}:{run}")
    }

    /// Its tag: the key and the value.
    pub fn tag(&self) -> (String, String) {
        let arrived = self.arrived.as_ref().map_or_else(String::new, |arrived| format!(" {}", arrived.words()));
        (Self::key(&self.run), tag_value(&format!("until={} by={}{arrived}", tag_time(self.until), self.started_by)))
    }

    /// Reads the notes of all runs. A value that cannot be understood is ignored.
    pub fn read_all(tags: &BTreeMap<String, String>) -> Vec<Self> {
        let read = |(key, value): (&String, &String)| {
            let run = RunName::new(key.strip_prefix(ATTACHED)?.strip_prefix(':')?);
            let words = tag_words(value);
            let started_by = words.get("by").and_then(|by| by.parse().ok()).unwrap_or(TriggerKind::Unknown);
            Some(Self { run, until: words.get("until")?.parse().ok()?, started_by, arrived: Noted::read(&words) })
        };
        tags.iter().filter_map(read).collect()
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
    runs: Vec<MoveNote>,
    seen: Option<Seen>,
}

impl Notes {
    fn read(tags: &BTreeMap<String, String>) -> Self {
        Self { runs: MoveNote::read_all(tags), seen: Seen::read(tags) }
    }

    fn all(&self) -> impl Iterator<Item = &Noted> {
        let arrived = self.runs.iter().filter_map(|run| run.arrived.as_ref());
        arrived.chain(self.seen.iter().map(|seen| &seen.noted))
    }

    fn know(&self, attachment: &Attachment) -> bool {
        self.all().any(|noted| noted.attachment == attachment.id)
    }

    /// The end of the last run that has not named its attachment, unless an audit has looked after that.
    fn open_until(&self) -> Option<DateTime<Utc>> {
        let unnamed = self.runs.iter().filter(|run| run.arrived.is_none()).map(|run| run.until);
        unnamed.max().filter(|until| self.seen.as_ref().is_none_or(|seen| !is_past(seen.noted.at, *until)))
    }
}

/// Whether no answer that EC2 gives at this time can be from before the end of a run.
fn is_past(time: DateTime<Utc>, end: DateTime<Utc>) -> bool {
    time.signed_duration_since(end) >= OLDEST_ANSWER_DELTA
}

/// What this observation shows about the attachment that is to be noted; `None`: nothing new, or nothing can be said yet.
pub fn learn(observation: &Observation) -> Option<Learned> {
    let now = observation.observed_at;
    let interface = observation.interface()?;
    let attachment = interface.attachment.as_ref().filter(|it| it.status == AttachmentStatus::Attached)?;
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
    let before = notes.seen.as_ref().and_then(|seen| seen.moved);
    let by_other = from.cloned().map(|from| MoveByOther {
        from,
        to: attachment.clone(),
        again: before.is_some_and(|before| now.signed_duration_since(before) < AGAIN),
    });
    let moved = by_other.as_ref().map(|_| now).or(before);
    let noted = Noted { attachment: attachment.id.clone(), instance: attachment.instance_id.clone(), at: now };
    Some(Learned { seen: Seen { noted, moved }, by_other })
}

/// The tags that this run's note of its move makes needless: those of runs that are over, and that have named their attachment only
/// if this run has named its own. An interface has at most 50 tags.
///
/// `has_named`: EC2 has accepted the note with the attachment.
pub fn superseded(tags: &BTreeMap<String, String>, own: &RunName, has_named: bool, now: DateTime<Utc>) -> Vec<String> {
    let runs = MoveNote::read_all(tags);
    let is_noted = has_named || runs.iter().any(|run| run.run == *own);
    let others = runs.iter().filter(|run| is_noted && run.run != *own && is_past(now, run.until));
    others.filter(|run| has_named || run.arrived.is_none()).map(|run| MoveNote::key(&run.run)).collect()
}
