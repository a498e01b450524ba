//! What the license interface remembers: tags in the namespace `token-failover:`.
//!
//! There is no state store. What must survive a crash is written on the interface itself, so it cannot be lost without
//! the interface, and it arrives with the same read as everything else about it.
//!
//! | tag | value | meaning |
//! |---|---|---|
//! | `token-failover:owed:<attachment id>:<run>` | `from=i-… to=i-… started=… busy-until=…` | a run was about to take the interface off this attachment; once it is attached elsewhere, a report of that move is owed |
//! | `token-failover:owed:detached:<run>` | the same, without `from` | the interface was attached to nothing and about to be attached |
//! | the same two | with `arrived=eni-attach-…` | the move was made, by this attachment; its report is owed wherever the interface is now |
//! | the same two | with `waking-until=…` | a run wakes the token server there, and has until then; what came of it is not known |
//! | the same two | with `woken=yes` | the token server was told to wake, and is not told again |
//! | the same two | with `reported=yes` | all was reported, and DeleteOnTermination of the new attachment is still to be set to false |
//! | `token-failover:owed:repair:<run>` | `repair=… started=… busy-until=…` | something was about to be repaired; a report of it is owed |
//! | `token-failover:moves` | times, separated by blanks | the automatic moves of the last hour |
//! | `token-failover:refused` | `no-viable-standby 9f86d081884c7d65 since=… mailed=…` | the problem that was mailed last, so that it is not mailed every minute |
//! | `token-failover:audited` | a digest | the findings of the audit that was published last |
//! | `token-failover:announced` | instance, date | the retirement that was published last; AWS announces the same one several times |
//!
//! A debt is written before the first change and removed after the report was published. Every run writes a tag of its own,
//! so runs that overlap cannot overwrite each other's debts, and one that changed nothing can take its note back.
//! `busy-until` is the deadline of the run that wrote it: until then that run may still publish, and nobody else does.
//!
//! The values keep to letters, digits, blanks and `+ - = . _ : / @`, which every AWS service allows in tags, and to 256
//! characters. Source: EC2 User Guide, "Tag restrictions".

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::{AttachmentId, InstanceId};
use crate::observation::{Attachment, AttachmentStatus, NetworkInterface};

/// The namespace of all tags that are read and written here.
pub const NAMESPACE: &str = "token-failover:";
const OWED: &str = "token-failover:owed:";
const DETACHED: &str = "detached";
const REPAIR: &str = "repair";
/// The tag with the times of the automatic moves.
pub const MOVES: &str = "token-failover:moves";
/// The tag with the problem that was mailed last: a refusal, or anything else that is no success.
pub const REFUSED: &str = "token-failover:refused";

/// The tag with the digest of the findings of the audit that was published last.
pub const AUDITED: &str = "token-failover:audited";
/// The tag with the announcement that was published last.
pub const ANNOUNCED: &str = "token-failover:announced";

/// How old EC2's answers are at most, as far as it matters here.
const OLDEST_ANSWER: TimeDelta = TimeDelta::seconds(15);

/// The window of the limit on automatic moves.
const LIMIT_WINDOW: TimeDelta = TimeDelta::hours(1);

/// As long as Lambda lets any run live. A tag that says more was not written by one.
/// Source: Lambda Developer Guide, "Lambda quotas".
const LONGEST_RUN: TimeDelta = TimeDelta::minutes(15);

/// Everything that the interface remembers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marks {
    /// Reports that may be owed, the oldest first.
    pub debts: Vec<Debt>,
    /// The automatic moves, oldest first.
    pub moves: Vec<DateTime<Utc>>,
    /// The problem that was mailed last, as [`crate::problem::Remembered`] reads it.
    pub refused: Option<String>,
    /// The announcement that was published last.
    pub announced: Option<String>,
    /// The digest of the findings of the audit that was published last.
    pub audited: Option<String>,
}

/// A report that may be owed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Debt {
    /// The tag that holds it.
    pub key: String,
    /// What was about to happen.
    pub change: Change,
    /// When.
    pub started: Option<DateTime<Utc>>,
    /// Until when the run that wrote it may still publish.
    pub busy_until: Option<DateTime<Utc>>,
    /// Whether the report was published, and only DeleteOnTermination is still to be set to false.
    pub reported: bool,
    /// Whether the token server was told to wake.
    pub woken: Waking,
}

/// What is known of waking the token server that the interface was brought to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Waking {
    /// The run that brought it there has not come to it, or has not come to write it down.
    #[default]
    Open,
    /// Another run did it or was about to, has until then, and has not told what came of it.
    Begun(DateTime<Utc>),
    /// It was done.
    Done,
}

/// What was about to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A move.
    Move {
        /// The attachment that the interface was about to leave; `None`: it was attached to nothing.
        departed: Option<AttachmentId>,
        /// The instance of that attachment.
        from: Option<InstanceId>,
        /// Where it was to go first; once it has arrived, where it went.
        to: Option<InstanceId>,
        /// The attachment by which it arrived, if the run that moved it came to write it down.
        arrived: Option<AttachmentId>,
    },
    /// A repair, named as the settings name it.
    Repair {
        /// Such as `elastic-ip`.
        what: Vec<String>,
    },
}

/// What has become of a debt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// The run that wrote it may still publish.
    Busy,
    /// The interface is between two attachments, or too little time has passed to tell.
    Open,
    /// It happened, and nobody reported it.
    Due,
    /// It did not happen.
    Void,
}

/// The part of a run's name that sets its tags apart: the end of Lambda's request id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunName(String);

impl RunName {
    /// The name of the run with this request id. Lambda's are UUIDs; a retry of an invocation has the id of the first try,
    /// and goes on with its notes.
    pub fn new(request_id: &str) -> Self {
        let fit: Vec<char> = request_id.chars().filter(char::is_ascii_alphanumeric).collect();
        Self(fit[fit.len().saturating_sub(12)..].iter().collect())
    }
}

impl Debt {
    /// The debt of a move that is about to begin.
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
        let change = Change::Move { departed, from, to: Some(to.clone()), arrived: None };
        Self { key, change, started: Some(started), busy_until: Some(busy_until), reported: false, woken: Waking::Open }
    }

    /// The debt of repairs that are about to begin.
    pub fn of_repairs(run: &RunName, what: Vec<String>, started: DateTime<Utc>, busy_until: DateTime<Utc>) -> Self {
        let key = format!("{OWED}{REPAIR}:{}", run.0);
        let change = Change::Repair { what };
        Self { key, change, started: Some(started), busy_until: Some(busy_until), reported: false, woken: Waking::Open }
    }

    /// The same move, begun by another run: this debt tells where it began.
    #[must_use]
    pub fn continuing(self, run: &RunName, begun: &Self) -> Self {
        match (&begun.change, self.change) {
            (Change::Move { departed, from, .. }, Change::Move { to, arrived, .. }) => {
                let key = key_of_move(departed.as_ref(), run);
                let change = Change::Move { departed: departed.clone(), from: from.clone(), to, arrived };
                Self { key, change, ..self }
            }
            (_, change) => Self { change, ..self },
        }
    }

    /// The same debt, once the interface has arrived.
    #[must_use]
    pub fn arrived(self, at: &InstanceId, by: &AttachmentId) -> Self {
        match self.change {
            Change::Move { departed, from, .. } => {
                let change = Change::Move { departed, from, to: Some(at.clone()), arrived: Some(by.clone()) };
                Self { change, ..self }
            }
            change @ Change::Repair { .. } => Self { change, ..self },
        }
    }

    /// Whether this is the debt of a move that is not known to have been made, from the same place as another such debt: then
    /// one report says all that is known of both.
    pub fn is_same_move(&self, other: &Self) -> bool {
        match (&self.change, &other.change) {
            (Change::Move { departed, arrived: None, .. }, Change::Move { departed: others, .. }) => departed == others,
            _ => false,
        }
    }

    /// The same debt, left to the next run, which settles it at once.
    #[must_use]
    pub fn handed_over(self) -> Self {
        Self { busy_until: None, ..self }
    }

    /// The same debt once its report was published.
    #[must_use]
    pub fn once_reported(self) -> Self {
        Self { reported: true, ..self.handed_over() }
    }

    /// The same debt once the token server was told to wake.
    #[must_use]
    pub fn once_woken(self) -> Self {
        Self { woken: Waking::Done, ..self }
    }

    /// Whether the run that wrote it may still be at work.
    pub fn is_busy(&self, now: DateTime<Utc>) -> bool {
        // Times in tags may lie anywhere in the calendar, so they are subtracted from each other, which never overflows.
        self.busy_until
            .map(|until| until.signed_duration_since(now))
            .is_some_and(|left| left > TimeDelta::zero() && left <= LONGEST_RUN)
    }

    /// The tag's value.
    pub fn value(&self) -> String {
        let time = |time: &DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let mut words = Vec::new();
        match &self.change {
            Change::Move { from, to, arrived, .. } => {
                words.extend(from.iter().map(|from| format!("from={from}")));
                words.extend(to.iter().map(|to| format!("to={to}")));
                words.extend(arrived.iter().map(|arrived| format!("arrived={arrived}")));
            }
            Change::Repair { what } => words.push(format!("repair={}", what.join("+"))),
        }
        words.extend(self.started.as_ref().map(|started| format!("started={}", time(started))));
        words.extend(self.busy_until.as_ref().map(|until| format!("busy-until={}", time(until))));
        words.extend(match self.woken {
            Waking::Open => None,
            Waking::Begun(until) => Some(format!("waking-until={}", time(&until))),
            Waking::Done => Some("woken=yes".to_owned()),
        });
        words.extend(self.reported.then(|| "reported=yes".to_owned()));
        words.join(" ")
    }

    /// Reads a debt. Whatever its value has become, the key alone says that a report may be owed.
    fn read(key: &str, value: &str) -> Self {
        let words: BTreeMap<&str, &str> = value.split(' ').filter_map(|word| word.split_once('=')).collect();
        let time = |name: &str| words.get(name).and_then(|time| time.parse().ok());
        let instance = |name: &str| words.get(name).and_then(|id| id.parse().ok());
        let place = key.strip_prefix(OWED).unwrap_or_default();
        let place = place.rsplit_once(':').map_or(place, |(place, _run)| place);
        let change = match place {
            REPAIR => {
                let what = words.get("repair").map(|what| what.split('+').map(str::to_owned).collect());
                Change::Repair { what: what.unwrap_or_default() }
            }
            place => Change::Move {
                departed: (place != DETACHED).then(|| AttachmentId::new(place)),
                from: instance("from"),
                to: instance("to"),
                arrived: words.get("arrived").map(|id| AttachmentId::new(*id)),
            },
        };
        let (started, busy_until) = (time("started"), time("busy-until"));
        let reported = words.contains_key("reported");
        let woken = match (words.contains_key("woken"), words.contains_key("waking-until")) {
            (true, _) => Waking::Done,
            // Whatever the time has become, somebody was at it.
            (false, true) => Waking::Begun(time("waking-until").unwrap_or(DateTime::<Utc>::MIN_UTC)),
            (false, false) => Waking::Open,
        };
        Self { key: key.to_owned(), change, started, busy_until, reported, woken }
    }

    /// What has become of the debt, by what EC2 said of the interface when it was asked at this time.
    pub fn standing(&self, asked_at: DateTime<Utc>, interface: &NetworkInterface) -> Standing {
        if self.is_busy(asked_at) {
            return Standing::Busy;
        }
        let Change::Move { departed, arrived: None, .. } = &self.change else { return Standing::Due };
        match &interface.attachment {
            None => Standing::Open,
            Some(attachment) if attachment.status != AttachmentStatus::Attached => Standing::Open,
            Some(attachment) if Some(&attachment.id) == departed.as_ref() => {
                // An old answer must not make anybody forget a move.
                let age = self.busy_until.max(self.started).map(|last_sign| asked_at.signed_duration_since(last_sign));
                let may_be_unseen = age.is_some_and(|age| age < OLDEST_ANSWER && age >= -LONGEST_RUN);
                if may_be_unseen { Standing::Open } else { Standing::Void }
            }
            Some(_) => Standing::Due,
        }
    }
}

fn key_of_move(departed: Option<&AttachmentId>, run: &RunName) -> String {
    format!("{OWED}{}:{}", departed.map_or(DETACHED, AttachmentId::as_str), run.0)
}

impl Marks {
    /// Whether another run is at work on a move, as far as the interface knows.
    pub fn is_busy(&self, now: DateTime<Utc>) -> bool {
        self.debts.iter().any(|debt| matches!(debt.change, Change::Move { .. }) && debt.is_busy(now))
    }

    /// Whether another run is at work on a move that left another attachment than this one.
    pub fn is_busy_elsewhere(&self, now: DateTime<Utc>, attachment: &AttachmentId) -> bool {
        let elsewhere = |debt: &&Debt| matches!(&debt.change, Change::Move { departed, .. } if departed.as_ref() != Some(attachment));
        self.debts.iter().filter(elsewhere).any(|debt| debt.is_busy(now))
    }

    /// Reads what the interface remembers. What cannot be understood is treated as owed rather than forgotten.
    pub fn read(tags: &BTreeMap<String, String>) -> Self {
        let mut debts: Vec<Debt> =
            tags.iter().filter(|(key, _)| key.starts_with(OWED)).map(|(key, value)| Debt::read(key, value)).collect();
        debts.sort_by_key(|debt| debt.started);
        let mut moves: Vec<DateTime<Utc>> = tags
            .get(MOVES)
            .into_iter()
            .flat_map(|times| times.split(' '))
            .filter_map(|time| time.parse().ok())
            .collect();
        moves.sort_unstable();
        Self {
            debts,
            moves,
            refused: tags.get(REFUSED).cloned(),
            announced: tags.get(ANNOUNCED).cloned(),
            audited: tags.get(AUDITED).cloned(),
        }
    }

    /// The automatic moves that still count against the limit.
    pub fn recent_moves(&self, now: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        self.moves.iter().copied().filter(|time| now.signed_duration_since(*time).abs() < LIMIT_WINDOW).collect()
    }

    /// The value of the `moves` tag once there is one more.
    pub fn moves_with(&self, now: DateTime<Utc>) -> String {
        let mut moves = self.recent_moves(now);
        moves.push(now);
        // Twelve times fit into a tag's 256 characters; the configuration allows no higher limit.
        let surplus = moves.len().saturating_sub(12);
        let times: Vec<String> =
            moves[surplus..].iter().map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true)).collect();
        times.join(" ")
    }
}

/// Makes a text fit for a tag's value.
pub fn tag_value(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " +-=._:/@".contains(c);
    text.chars().map(|c| if allowed(c) { c } else { '_' }).take(256).collect()
}
