//! One pending report: what a run was about to change, written on the interface before the change.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::model::ids::{AttachmentId, InstanceId};
use crate::model::observation::{Attachment, AttachmentStatus, NetworkInterface, OLDEST_ANSWER_DELTA};
use crate::model::report::{ActivationRecord, ActivationResult};
use crate::model::tags::{tag_time, tag_value, tag_words};

/// The beginning of every key. In the contract, a pending report is `owed`.
const PREFIX: &str = "token-failover:owed:";

const DETACHED: &str = "detached";

const REPAIR: &str = "repair";

const START: &str = "start";

/// The longest time that Lambda lets a run live. A run never writes a later time into a tag.
/// Source: Lambda Developer Guide, "Lambda quotas".
const LONGEST_RUN: TimeDelta = TimeDelta::minutes(15);

/// A report that may be pending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingReport {
    /// The key of its tag.
    pub key: String,
    /// What the run was about to change.
    pub change: PendingChange,
    /// When the change began.
    pub started: Option<DateTime<Utc>>,
    /// The time until which the run that wrote it may still publish.
    pub busy_until: Option<DateTime<Utc>>,
    /// Whether the report was published, and only DeleteOnTermination must still be set to false.
    pub reported: bool,
    /// What is known about activating the token server that the interface was brought to.
    pub activation: Activation,
}

/// What is known about activating the token server that the interface was brought to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Activation {
    /// No run has sent the command.
    #[default]
    Open,
    /// Another run sent the command or was about to, and has until this time. The outcome is not known.
    Begun(DateTime<Utc>),
    /// The token server was activated, or found the interface at boot.
    Done,
}

impl Activation {
    /// What the next run must know about an activation if this run cannot publish its report. A command that was never
    /// sent can be sent then. A command that was sent and is not known to have succeeded must not be sent again, and
    /// must be reported.
    pub fn left_by(record: &ActivationRecord, now: DateTime<Utc>) -> Self {
        match (record.result, &record.command_id) {
            (ActivationResult::Done, _) => Self::Done,
            (ActivationResult::Failed, None) => Self::Open,
            (ActivationResult::Failed | ActivationResult::Unfinished, _) => Self::Begun(now),
        }
    }
}

/// A change that a run was about to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PendingChange {
    /// A move.
    Move {
        /// The attachment that the interface was about to leave; `None`: it was attached to nothing.
        departed: Option<AttachmentId>,
        /// The instance of that attachment.
        from: Option<InstanceId>,
        /// The first target; once the interface has arrived, the instance that it is on.
        to: Option<InstanceId>,
        /// The attachment by which it arrived; `None`: the run that moved it has not written it down.
        arrived: Option<AttachmentId>,
    },
    /// A start of the holder in place.
    Start {
        /// The holder; `None`: the tag cannot be understood.
        instance: Option<InstanceId>,
    },
    /// A repair.
    Repair {
        /// The repairs, by their names in the settings, such as `elastic-ip`.
        what: Vec<String>,
    },
}

/// The state of a pending report, by what EC2 shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// The run that wrote it may still publish.
    Busy,
    /// The interface is between two attachments, or too little time has passed to tell.
    Open,
    /// The change was made, and no run has reported it.
    Due,
    /// The change was not made.
    Void,
}

/// The part of a run's name that distinguishes its tags: the end of Lambda's request id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunName(String);

impl RunName {
    /// The name of the run with this request id. Lambda's request ids are UUIDs. A retry of an invocation has the id of
    /// the first try, and continues with its tags.
    pub fn new(request_id: &str) -> Self {
        let fit: Vec<char> = request_id.chars().filter(char::is_ascii_alphanumeric).collect();
        Self(fit[fit.len().saturating_sub(12)..].iter().collect())
    }
}

impl fmt::Display for RunName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PendingReport {
    fn new(key: String, change: PendingChange, started: DateTime<Utc>, busy_until: DateTime<Utc>) -> Self {
        let (started, busy_until) = (Some(started), Some(busy_until));
        Self { key, change, started, busy_until, reported: false, activation: Activation::Open }
    }

    /// The report of a move that is about to begin.
    pub fn of_move(
        run: &RunName,
        departed: Option<&Attachment>,
        to: &InstanceId,
        started: DateTime<Utc>,
        busy_until: DateTime<Utc>,
    ) -> Self {
        let from = departed.and_then(|attachment| attachment.instance_id.clone());
        let departed = departed.map(|attachment| attachment.id.clone());
        let key = key_of_move(departed.as_ref(), run);
        let change = PendingChange::Move { departed, from, to: Some(to.clone()), arrived: None };
        Self::new(key, change, started, busy_until)
    }

    /// The report of repairs that are about to begin.
    pub fn of_repairs(run: &RunName, what: Vec<String>, started: DateTime<Utc>, busy_until: DateTime<Utc>) -> Self {
        Self::new(format!("{PREFIX}{REPAIR}:{}", run.0), PendingChange::Repair { what }, started, busy_until)
    }

    /// The report of starting the holder in place.
    pub fn of_start(run: &RunName, instance: &InstanceId, started: DateTime<Utc>, busy_until: DateTime<Utc>) -> Self {
        let change = PendingChange::Start { instance: Some(instance.clone()) };
        Self::new(format!("{PREFIX}{START}:{}", run.0), change, started, busy_until)
    }

    /// This report as the continuation of a move that another run began. It says where that move began.
    #[must_use]
    pub fn continuing(self, run: &RunName, begun: &Self) -> Self {
        match (&begun.change, self.change) {
            (PendingChange::Move { departed, from, .. }, PendingChange::Move { to, arrived, .. }) => {
                let key = key_of_move(departed.as_ref(), run);
                let change = PendingChange::Move { departed: departed.clone(), from: from.clone(), to, arrived };
                Self { key, change, ..self }
            }
            (_, change) => Self { change, ..self },
        }
    }

    /// The attachment by which the interface arrived; `None`: the run that moved it has not written it down.
    pub fn arrival(&self) -> Option<&AttachmentId> {
        match &self.change {
            PendingChange::Move { arrived, .. } => arrived.as_ref(),
            PendingChange::Start { .. } | PendingChange::Repair { .. } => None,
        }
    }

    /// This report, once the interface has arrived.
    #[must_use]
    pub fn arrived(self, at: &InstanceId, by: &AttachmentId) -> Self {
        match self.change {
            PendingChange::Move { departed, from, .. } => {
                let change = PendingChange::Move { departed, from, to: Some(at.clone()), arrived: Some(by.clone()) };
                Self { change, ..self }
            }
            change @ (PendingChange::Start { .. } | PendingChange::Repair { .. }) => Self { change, ..self },
        }
    }

    /// This report, left to the next run, which publishes it at once.
    #[must_use]
    pub fn handed_over(self) -> Self {
        Self { busy_until: None, ..self }
    }

    /// This report, once it has been published.
    #[must_use]
    pub fn once_reported(self) -> Self {
        Self { reported: true, ..self.handed_over() }
    }

    /// The attachment that the interface left, or is about to leave, and the instance of that attachment.
    pub fn departure(&self) -> (Option<&AttachmentId>, Option<&InstanceId>) {
        match &self.change {
            PendingChange::Move { departed, from, .. } => (departed.as_ref(), from.as_ref()),
            PendingChange::Start { .. } | PendingChange::Repair { .. } => (None, None),
        }
    }

    /// The repairs that it is about; empty for a move or a start.
    pub fn repairs(&self) -> &[String] {
        match &self.change {
            PendingChange::Repair { what } => what,
            PendingChange::Move { .. } | PendingChange::Start { .. } => &[],
        }
    }

    /// Whether it is about a move.
    pub fn is_move(&self) -> bool {
        matches!(self.change, PendingChange::Move { .. })
    }

    /// Whether this move is not known to have been made and began at the same attachment as the other move. Then one
    /// report says all that is known about both.
    pub fn is_same_move(&self, other: &Self) -> bool {
        match (&self.change, &other.change) {
            (PendingChange::Move { departed, arrived: None, .. }, PendingChange::Move { departed: others, .. }) => {
                departed == others
            }
            _ => false,
        }
    }

    /// Whether the run that wrote it may still be at work.
    pub fn is_busy(&self, now: DateTime<Utc>) -> bool {
        // A time in a tag may be anywhere in the calendar. Subtracting one time from another never overflows.
        self.busy_until
            .map(|until| until.signed_duration_since(now))
            .is_some_and(|left| left > TimeDelta::zero() && left <= LONGEST_RUN)
    }

    /// Its tag: the key and the value.
    pub fn tag(&self) -> (String, String) {
        (self.key.clone(), tag_value(&self.value()))
    }

    /// The tag's value.
    pub fn value(&self) -> String {
        let mut words = Vec::new();
        match &self.change {
            PendingChange::Move { from, to, arrived, .. } => {
                words.extend(from.iter().map(|from| format!("from={from}")));
                words.extend(to.iter().map(|to| format!("to={to}")));
                words.extend(arrived.iter().map(|arrived| format!("arrived={arrived}")));
            }
            PendingChange::Start { instance } => {
                words.extend(instance.iter().map(|instance| format!("start={instance}")));
            }
            PendingChange::Repair { what } => words.push(format!("repair={}", what.join("+"))),
        }
        words.extend(self.started.map(|started| format!("started={}", tag_time(started))));
        words.extend(self.busy_until.map(|until| format!("busy-until={}", tag_time(until))));
        words.extend(match self.activation {
            Activation::Open => None,
            Activation::Begun(until) => Some(format!("waking-until={}", tag_time(until))),
            Activation::Done => Some("woken=yes".to_owned()),
        });
        words.extend(self.reported.then(|| "reported=yes".to_owned()));
        words.join(" ")
    }

    /// Reads all pending reports among these tags, the oldest first. A tag that cannot be understood counts as pending.
    pub fn read_all(tags: &BTreeMap<String, String>) -> Vec<Self> {
        let pending = tags.iter().filter(|(key, _)| key.starts_with(PREFIX));
        let mut pending: Vec<Self> = pending.map(|(key, value)| Self::read(key, value)).collect();
        pending.sort_by_key(|report| report.started);
        pending
    }

    /// Reads one tag. The key alone says that a report may be pending, even if the value is damaged.
    fn read(key: &str, value: &str) -> Self {
        let words = tag_words(value);
        let time = |name: &str| words.get(name).and_then(|time| time.parse().ok());
        let instance = |name: &str| words.get(name).and_then(|id| id.parse().ok());
        let place = key.strip_prefix(PREFIX).unwrap_or_default();
        let place = place.rsplit_once(':').map_or(place, |(place, _run)| place);
        let change = match place {
            REPAIR => {
                let what = words.get("repair").map(|what| what.split('+').map(str::to_owned).collect());
                PendingChange::Repair { what: what.unwrap_or_default() }
            }
            START => PendingChange::Start { instance: instance("start") },
            place => PendingChange::Move {
                departed: (place != DETACHED).then(|| AttachmentId::new(place)),
                from: instance("from"),
                to: instance("to"),
                arrived: words.get("arrived").map(|id| AttachmentId::new(*id)),
            },
        };
        let (started, busy_until) = (time("started"), time("busy-until"));
        let reported = words.contains_key("reported");
        let activation = match (words.contains_key("woken"), words.contains_key("waking-until")) {
            (true, _) => Activation::Done,
            // Even if the time is damaged, another run was activating the token server.
            (false, true) => Activation::Begun(time("waking-until").unwrap_or(DateTime::<Utc>::MIN_UTC)),
            (false, false) => Activation::Open,
        };
        Self { key: key.to_owned(), change, started, busy_until, reported, activation }
    }

    /// The state of the report, by what EC2 said about the interface when it was read at this time.
    pub fn standing(&self, asked_at: DateTime<Utc>, interface: &NetworkInterface) -> Standing {
        if self.is_busy(asked_at) {
            return Standing::Busy;
        }
        let PendingChange::Move { departed, arrived: None, .. } = &self.change else { return Standing::Due };
        match &interface.attachment {
            None => Standing::Open,
            Some(attachment) if attachment.status != AttachmentStatus::Attached => Standing::Open,
            Some(attachment) if Some(&attachment.id) == departed.as_ref() => {
                // An old answer must not make the function forget a move.
                let age = self.busy_until.max(self.started).map(|last_sign| asked_at.signed_duration_since(last_sign));
                let may_be_unseen = age.is_some_and(|age| age < OLDEST_ANSWER_DELTA && age >= -LONGEST_RUN);
                if may_be_unseen { Standing::Open } else { Standing::Void }
            }
            Some(_) => Standing::Due,
        }
    }
}

fn key_of_move(departed: Option<&AttachmentId>, run: &RunName) -> String {
    format!("{PREFIX}{}:{}", departed.map_or(DETACHED, AttachmentId::as_str), run.0)
}

/// The move that another run began and that left the interface attached to nothing; the latest one if there are
/// several.
pub fn begun_move(pending: &[PendingReport]) -> Option<&PendingReport> {
    let is_begun =
        |report: &&PendingReport| matches!(report.change, PendingChange::Move { departed: Some(_), arrived: None, .. });
    pending.iter().rfind(is_begun)
}

/// Whether another run is working on a move, by the tags of the interface.
pub fn is_moving(pending: &[PendingReport], now: DateTime<Utc>) -> bool {
    pending.iter().any(|report| report.is_move() && report.is_busy(now))
}

/// Whether another run may be about to start the instance that has this attachment, because that run brought the
/// interface there or found it there.
pub fn is_being_started(pending: &[PendingReport], now: DateTime<Utc>, attachment: &AttachmentId) -> bool {
    let starts = |report: &&PendingReport| match &report.change {
        PendingChange::Move { departed, .. } => departed.as_ref() != Some(attachment),
        PendingChange::Start { .. } => true,
        PendingChange::Repair { .. } => false,
    };
    pending.iter().filter(starts).any(|report| report.is_busy(now))
}

/// Whether the interface came by this attachment in a move that no run has reported. Then the instance may never have
/// been started.
pub fn is_unfinished(pending: &[PendingReport], attachment: &AttachmentId) -> bool {
    pending.iter().filter(|report| !report.reported).any(|report| match &report.change {
        PendingChange::Move { arrived: Some(arrived), .. } => arrived == attachment,
        PendingChange::Move { departed, arrived: None, .. } => departed.as_ref() != Some(attachment),
        PendingChange::Start { .. } | PendingChange::Repair { .. } => false,
    })
}

/// Whether the interface came back to this member by this attachment in a move that no run has reported. The targets
/// did not take the interface, and the member may never have been started again.
pub fn has_come_back(pending: &[PendingReport], member: &InstanceId, attachment: &AttachmentId) -> bool {
    pending.iter().filter(|report| !report.reported).any(|report| match &report.change {
        PendingChange::Move { departed: Some(departed), from: Some(from), arrived, .. } => {
            let may_be_by_this = arrived.as_ref().is_none_or(|arrived| arrived == attachment);
            from == member && departed != attachment && may_be_by_this
        }
        PendingChange::Move { .. } | PendingChange::Start { .. } | PendingChange::Repair { .. } => false,
    })
}
