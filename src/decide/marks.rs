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
//! | `token-failover:owed:start:<run>` | `start=i-… started=… busy-until=…` | the holder was about to be started where it is; a report of it is owed |
//! | `token-failover:moves` | times, separated by blanks | the automatic moves and starts of the last hour |
//! | `token-failover:not-started` | `i-…=2@…`, separated by blanks | members that EC2 could not start within the last day: how often in a row, and when last |
//! | `token-failover:refused` | `no-viable-standby 9f86d081884c7d65 since=… mailed=…` | the problem that was mailed last, so that it is not mailed every minute |
//! | `token-failover:audited` | a digest | the findings of the audit that was published last |
//! | `token-failover:limits` | `t3.micro=2` and so on | how many interfaces an instance of a type can have, where an attach was refused for that |
//! | `token-failover:paused` | `until=… since=… resumed=… reason=…` | until then nothing but an operator's failover changes anything |
//! | `token-failover:paused-told` | `until=… since=… told=…` | what was mailed of that pause last: that it was set, or that it is ending |
//! | `token-failover:announced` | instance, finding, date, for each | the announcements that were published; AWS sends the same one several times |
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

use crate::model::ids::{AttachmentId, InstanceId};
use crate::model::observation::{Attachment, AttachmentStatus, InterfaceLimits, NetworkInterface, OLDEST_ANSWER_DELTA};
use crate::model::report::{ActivationRecord, ActivationResult};
use crate::model::tags::{ANNOUNCED, AUDITED, LIMITS, LONGEST_VALUE, MOVES, NOT_STARTED, REFUSED, tag_value};

const OWED: &str = "token-failover:owed:";

const DETACHED: &str = "detached";

const REPAIR: &str = "repair";

const START: &str = "start";

/// The window of the limit on automatic moves, and of the count of starts that failed.
const LIMIT_WINDOW: TimeDelta = TimeDelta::hours(1);

/// How long a failed start orders the standbys. Longer than the limit on automatic moves holds: otherwise a run would find no
/// failure when it may move again, and would try the same members as an hour ago.
const FAILED_STARTS_KEPT: TimeDelta = TimeDelta::hours(24);

/// A value of [`NOT_STARTED`] has room for so many members.
const MOST_NOT_STARTED: usize = 5;

/// As long as Lambda lets any run live. A tag that says more was not written by one.
/// Source: Lambda Developer Guide, "Lambda quotas".
const LONGEST_RUN: TimeDelta = TimeDelta::minutes(15);

/// Everything that the interface remembers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marks {
    /// Reports that may be owed, the oldest first.
    pub debts: Vec<Debt>,
    /// The automatic moves and starts, oldest first.
    pub moves: Vec<DateTime<Utc>>,
    /// The members that could not be started.
    pub not_started: BTreeMap<InstanceId, FailedStarts>,
    /// The problem that was mailed last, as [`crate::decide::problem::Remembered`] reads it.
    pub refused: Option<String>,
    /// The announcements that were published, as [`announced_with`] writes them.
    pub announced: Option<String>,
    /// The digest of the findings of the audit that was published last.
    pub audited: Option<String>,
    /// How many interfaces instances of these types can have, where an attach was refused for that.
    pub limits: BTreeMap<String, InterfaceLimits>,
}

/// How often a member could not be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedStarts {
    /// How often, each within an hour of the one before; 1 or more.
    pub times: u32,
    /// When last.
    pub last: DateTime<Utc>,
}

impl FailedStarts {
    /// Whether it still counts: within an hour.
    fn is_recent(&self, now: DateTime<Utc>) -> bool {
        now.signed_duration_since(self.last) < LIMIT_WINDOW
    }

    /// Whether it still orders the standbys: within a day.
    fn is_kept(&self, now: DateTime<Utc>) -> bool {
        now.signed_duration_since(self.last) < FAILED_STARTS_KEPT
    }

    /// Whether it is too early to try again: a minute after the first failure, then two, four, and five minutes. A few
    /// seconds less, because the schedule comes once a minute.
    pub fn is_too_early(&self, now: DateTime<Utc>) -> bool {
        let minutes: i64 = match self.times {
            0 | 1 => 1,
            2 => 2,
            3 => 4,
            _ => 5,
        };
        now.signed_duration_since(self.last) < TimeDelta::seconds(60 * minutes - 10)
    }
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
    /// The holder was to be started where it is.
    Start {
        /// The holder; `None`: the tag cannot be understood.
        instance: Option<InstanceId>,
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

    /// The debt of starting the holder where it is.
    pub fn of_start(run: &RunName, instance: &InstanceId, started: DateTime<Utc>, busy_until: DateTime<Utc>) -> Self {
        let key = format!("{OWED}{START}:{}", run.0);
        let change = Change::Start { instance: Some(instance.clone()) };
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
            change @ (Change::Start { .. } | Change::Repair { .. }) => Self { change, ..self },
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
            Change::Start { instance } => words.extend(instance.iter().map(|instance| format!("start={instance}"))),
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
            START => Change::Start { instance: instance("start") },
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
                let may_be_unseen = age.is_some_and(|age| age < OLDEST_ANSWER_DELTA && age >= -LONGEST_RUN);
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

    /// Whether another run may be about to start the instance that has this attachment: it has brought the interface there, or
    /// found it there.
    pub fn is_being_started(&self, now: DateTime<Utc>, attachment: &AttachmentId) -> bool {
        let starts = |debt: &&Debt| match &debt.change {
            Change::Move { departed, .. } => departed.as_ref() != Some(attachment),
            Change::Start { .. } => true,
            Change::Repair { .. } => false,
        };
        self.debts.iter().filter(starts).any(|debt| debt.is_busy(now))
    }

    /// Whether the interface came by this attachment in a move that nobody has reported, so that the instance may never have
    /// been started.
    pub fn is_unfinished(&self, attachment: &AttachmentId) -> bool {
        self.debts.iter().filter(|debt| !debt.reported).any(|debt| match &debt.change {
            Change::Move { arrived: Some(arrived), .. } => arrived == attachment,
            Change::Move { departed, arrived: None, .. } => departed.as_ref() != Some(attachment),
            Change::Start { .. } | Change::Repair { .. } => false,
        })
    }

    /// Whether the interface came back to this member by this attachment, in a move that nobody has reported: whoever was to
    /// have it did not take it, and the member may never have been started again.
    pub fn has_come_back(&self, member: &InstanceId, attachment: &AttachmentId) -> bool {
        self.debts.iter().filter(|debt| !debt.reported).any(|debt| match &debt.change {
            Change::Move { departed: Some(departed), from: Some(from), arrived, .. } => {
                let may_be_by_this = arrived.as_ref().is_none_or(|arrived| arrived == attachment);
                from == member && departed != attachment && may_be_by_this
            }
            Change::Move { .. } | Change::Start { .. } | Change::Repair { .. } => false,
        })
    }

    /// Whether EC2 could not start the member a moment ago, so that it is too early to ask again.
    pub fn is_too_early_to_start(&self, member: &InstanceId, now: DateTime<Utc>) -> bool {
        self.not_started.get(member).is_some_and(|failed| failed.is_too_early(now))
    }

    /// Whether EC2 could not start the member within the last hour.
    pub fn has_failed_to_start(&self, member: &InstanceId, now: DateTime<Utc>) -> bool {
        self.not_started.get(member).is_some_and(|failed| failed.is_recent(now))
    }

    /// When EC2 last could not start the member; `None`: not within a day.
    pub fn last_failed_start(&self, member: &InstanceId, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.not_started.get(member).filter(|failed| failed.is_kept(now)).map(|failed| failed.last)
    }

    /// The value of the [`NOT_STARTED`] tag once these members could not be started either.
    pub fn not_started_with<'a>(
        &self,
        members: impl IntoIterator<Item = &'a InstanceId>,
        now: DateTime<Utc>,
    ) -> String {
        let mut not_started = self.not_started.clone();
        not_started.retain(|_, failed| failed.is_kept(now));
        for member in members {
            let times = not_started.get(member).filter(|failed| failed.is_recent(now)).map_or(0, |failed| failed.times);
            not_started.insert(member.clone(), FailedStarts { times: times.saturating_add(1), last: now });
        }
        let mut failed: Vec<(InstanceId, FailedStarts)> = not_started.into_iter().collect();
        failed.sort_by_key(|(_, failed)| std::cmp::Reverse(failed.last));
        failed.truncate(MOST_NOT_STARTED);
        let words = failed.iter().map(|(member, FailedStarts { times, last })| {
            format!("{member}={}@{}", (*times).min(99), last.to_rfc3339_opts(SecondsFormat::Secs, true))
        });
        words.collect::<Vec<_>>().join(" ")
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
        let failed = |word: &str| {
            let (member, failed) = word.split_once('=')?;
            let (times, last) = failed.split_once('@')?;
            Some((member.parse().ok()?, FailedStarts { times: times.parse().ok()?, last: last.parse().ok()? }))
        };
        let not_started = tags.get(NOT_STARTED).into_iter().flat_map(|words| words.split(' '));
        Self {
            debts,
            moves,
            not_started: not_started.filter_map(failed).collect(),
            refused: tags.get(REFUSED).cloned(),
            announced: tags.get(ANNOUNCED).cloned(),
            audited: tags.get(AUDITED).cloned(),
            limits: tags.get(LIMITS).into_iter().flat_map(|limits| limits.split(' ')).filter_map(limit).collect(),
        }
    }

    /// The value of the `limits` tag once these are known as well. What finds no place in it is learned again.
    pub fn limits_with(&self, learned: &BTreeMap<String, InterfaceLimits>) -> String {
        let others = self.limits.iter().filter(|(instance_type, _)| !learned.contains_key(*instance_type));
        let mut value = String::new();
        for (instance_type, InterfaceLimits { total, first_card }) in learned.iter().chain(others) {
            let gap = if value.is_empty() { "" } else { " " };
            let on_others = if total == first_card { String::new() } else { format!("/{total}") };
            let word = tag_value(&format!("{gap}{instance_type}={first_card}{on_others}"));
            if value.len() + word.len() <= LONGEST_VALUE {
                value.push_str(&word);
            }
        }
        value
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

/// A type with how many interfaces it can have on network card 0 and, where that is another number, in all. Every instance has
/// one interface, so a smaller number is none.
fn limit(word: &str) -> Option<(String, InterfaceLimits)> {
    let (instance_type, numbers) = word.split_once('=').filter(|(instance_type, _)| !instance_type.is_empty())?;
    let (first_card, total) = numbers.split_once('/').unwrap_or((numbers, numbers));
    let number = |number: &str| number.parse().ok().filter(|number| *number > 0);
    Some((instance_type.to_owned(), InterfaceLimits { total: number(total)?, first_card: number(first_card)? }))
}

/// The value of the `announced` tag once this was published too, the same as before if it is all in it.
///
/// AWS Health sends one announcement several times: from two Regions, in pages, and again whenever it changes. So the latest
/// date of each kind of announcement is remembered for each member, not only what came last. `what` is the finding's code.
/// What does not fit into a tag is forgotten, the oldest first, and mailed again if it comes again.
pub fn announced_with(
    before: Option<&str>,
    what: &str,
    starts_at: Option<DateTime<Utc>>,
    members: &[InstanceId],
) -> String {
    let date = starts_at.map_or_else(|| "undated".to_owned(), |date| date.format("%Y%m%dT%H%MZ").to_string());
    let before = before.unwrap_or_default();
    let mut entries: Vec<String> = before.split(' ').map(str::to_owned).collect();
    let subjects = members.iter().map(|member| format!("{member}/{}/", what.trim_end_matches("-scheduled")));
    let subjects: Vec<String> = subjects.collect();
    let announced: Vec<String> = subjects.iter().map(|subject| format!("{subject}{date}")).collect();
    if announced.iter().all(|entry| entries.contains(entry)) {
        return before.to_owned();
    }
    entries.retain(|entry| entry.contains('/') && !subjects.iter().any(|subject| entry.starts_with(subject)));
    entries.extend(announced);
    let length = |entries: &[String]| entries.iter().map(|entry| entry.len() + 1).sum::<usize>();
    let forgotten = (0..entries.len()).find(|first| length(&entries[*first..]) <= 257).unwrap_or(entries.len());
    entries[forgotten..].join(" ")
}

/// What a later run has to know of it, if this one cannot tell. What was never sent can be sent then; what was sent and is not
/// known to have succeeded must not be sent again, and has to be told.
pub(crate) fn left_to_know(activation: &ActivationRecord, now: DateTime<Utc>) -> Waking {
    match (activation.result, &activation.command_id) {
        (ActivationResult::Done, _) => Waking::Done,
        (ActivationResult::Failed, None) => Waking::Open,
        (ActivationResult::Failed | ActivationResult::Unfinished, _) => Waking::Begun(now),
    }
}
