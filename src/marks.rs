//! What the license interface remembers: tags in the namespace `token-failover:`.
//!
//! There is no state store. What must survive a crash is written on the interface itself, so it cannot be lost without
//! the interface, and it arrives with the same read as everything else about it.
//!
//! | tag | value | meaning |
//! |---|---|---|
//! | `token-failover:owed:<attachment id>` | `from=i-… to=i-… started=… busy-until=…` | the interface was about to leave this attachment; once it is attached elsewhere, a report of that move is owed |
//! | `token-failover:owed:detached` | the same, without `from` | the interface was attached to nothing and about to be attached |
//! | `token-failover:owed:repair` | `repair=… started=… busy-until=…` | something was about to be repaired; a report of it is owed |
//! | `token-failover:moves` | times, separated by blanks | the automatic moves of the last hour |
//! | `token-failover:refused` | a refusal in one line | the refusal that was published last, so that it is not published every minute |
//!
//! A debt is written before the first change and removed after the report was published. One tag for each departure
//! means that runs which overlap cannot overwrite each other's debts. `busy-until` is the deadline of the run that wrote
//! it: until then that run may still publish, and nobody else does.
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
const OWED_DETACHED: &str = "token-failover:owed:detached";
const OWED_REPAIR: &str = "token-failover:owed:repair";
/// The tag with the times of the automatic moves.
pub const MOVES: &str = "token-failover:moves";
/// The tag with the refusal that was published last.
pub const REFUSED: &str = "token-failover:refused";

/// The window of the limit on automatic moves.
const LIMIT_WINDOW: TimeDelta = TimeDelta::hours(1);

/// Everything that the interface remembers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marks {
    /// Reports that may be owed.
    pub debts: Vec<Debt>,
    /// The automatic moves, oldest first.
    pub moves: Vec<DateTime<Utc>>,
    /// The refusal that was published last.
    pub refused: Option<String>,
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
        /// Where it was to go first.
        to: Option<InstanceId>,
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
    /// The interface is between two attachments: whoever attaches it reports this move.
    Open,
    /// It happened, and nobody reported it.
    Due,
    /// It did not happen, or what happened is no move.
    Void,
}

impl Debt {
    /// The debt of a move that is about to begin.
    pub fn of_move(
        departed: Option<&Attachment>,
        to: &InstanceId,
        started: DateTime<Utc>,
        busy_until: DateTime<Utc>,
    ) -> Self {
        let key = match departed {
            Some(attachment) => format!("{OWED}{}", attachment.id),
            None => OWED_DETACHED.to_owned(),
        };
        let change = Change::Move {
            departed: departed.map(|attachment| attachment.id.clone()),
            from: departed.and_then(|attachment| attachment.instance_id.clone()),
            to: Some(to.clone()),
        };
        Self { key, change, started: Some(started), busy_until: Some(busy_until) }
    }

    /// The debt of repairs that are about to begin.
    pub fn of_repairs(what: Vec<String>, started: DateTime<Utc>, busy_until: DateTime<Utc>) -> Self {
        let change = Change::Repair { what };
        Self { key: OWED_REPAIR.to_owned(), change, started: Some(started), busy_until: Some(busy_until) }
    }

    /// The same debt, left to the next run. `others_busy_until` is how long yet another run may be at work on it; `None`:
    /// nobody is, so the next run settles it at once.
    pub fn handed_over(self, others_busy_until: Option<DateTime<Utc>>) -> Self {
        Self { busy_until: others_busy_until, ..self }
    }

    /// Whether the run that wrote it may still be at work.
    pub fn is_busy(&self, now: DateTime<Utc>) -> bool {
        self.busy_until.is_some_and(|until| now < until)
    }

    /// The tag's value.
    pub fn value(&self) -> String {
        let time = |time: &DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let mut words = Vec::new();
        match &self.change {
            Change::Move { from, to, .. } => {
                words.extend(from.iter().map(|from| format!("from={from}")));
                words.extend(to.iter().map(|to| format!("to={to}")));
            }
            Change::Repair { what } => words.push(format!("repair={}", what.join("+"))),
        }
        words.extend(self.started.as_ref().map(|started| format!("started={}", time(started))));
        words.extend(self.busy_until.as_ref().map(|until| format!("busy-until={}", time(until))));
        words.join(" ")
    }

    /// Reads a debt. Whatever its value has become, the key alone says that a report may be owed.
    fn read(key: &str, value: &str) -> Self {
        let words: BTreeMap<&str, &str> = value.split(' ').filter_map(|word| word.split_once('=')).collect();
        let time = |name: &str| words.get(name).and_then(|time| time.parse().ok());
        let instance = |name: &str| words.get(name).and_then(|id| id.parse().ok());
        let change = if key == OWED_REPAIR {
            let what = words.get("repair").map(|what| what.split('+').map(str::to_owned).collect());
            Change::Repair { what: what.unwrap_or_default() }
        } else {
            let departed = key.strip_prefix(OWED).filter(|_| key != OWED_DETACHED).map(AttachmentId::new);
            Change::Move { departed, from: instance("from"), to: instance("to") }
        };
        Self { key: key.to_owned(), change, started: time("started"), busy_until: time("busy-until") }
    }

    /// What has become of the debt, by what EC2 says of the interface now.
    pub fn standing(&self, now: DateTime<Utc>, interface: &NetworkInterface, members: &[InstanceId]) -> Standing {
        let busy = self.is_busy(now);
        let Change::Move { departed, .. } = &self.change else {
            return if busy { Standing::Busy } else { Standing::Due };
        };
        let attachment = interface.attachment.as_ref();
        match attachment {
            _ if busy => Standing::Busy,
            None => Standing::Open,
            Some(attachment) if attachment.status != AttachmentStatus::Attached => Standing::Open,
            Some(attachment) if Some(&attachment.id) == departed.as_ref() => Standing::Void,
            Some(attachment) if attachment.instance_id.as_ref().is_some_and(|id| members.contains(id)) => Standing::Due,
            Some(_) => Standing::Void,
        }
    }
}

/// What has become of the debts of an interface, oldest first. The second value is the instance to which a move that is due
/// went, where the debts tell.
///
/// A later debt tells where an earlier move went: it left from there. So the earlier one is due even while the interface is
/// on its way again.
pub fn standings(
    debts: Vec<Debt>,
    now: DateTime<Utc>,
    interface: &NetworkInterface,
    members: &[InstanceId],
) -> Vec<(Debt, Standing, Option<InstanceId>)> {
    let mut debts = debts;
    debts.sort_by_key(|debt| debt.started);
    let holder = interface.attachment.as_ref().and_then(|attachment| attachment.instance_id.clone());
    let destinations: Vec<Option<InstanceId>> = (0..debts.len())
        .map(|index| {
            let later = debts.iter().skip(index + 1).find_map(|debt| match &debt.change {
                Change::Move { departed: Some(_), from, .. } => from.clone(),
                _ => None,
            });
            matches!(debts[index].change, Change::Move { .. }).then_some(later).flatten()
        })
        .collect();
    let judge = |(debt, later): (Debt, Option<InstanceId>)| {
        let standing = match (debt.standing(now, interface, members), &later, &debt.change) {
            (Standing::Open, Some(later), Change::Move { from, .. }) if from.as_ref() != Some(later) => Standing::Due,
            (standing, ..) => standing,
        };
        (debt, standing, later.or_else(|| holder.clone()))
    };
    debts.into_iter().zip(destinations).map(judge).collect()
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
        let debts =
            tags.iter().filter(|(key, _)| key.starts_with(OWED)).map(|(key, value)| Debt::read(key, value)).collect();
        let mut moves: Vec<DateTime<Utc>> = tags
            .get(MOVES)
            .into_iter()
            .flat_map(|times| times.split(' '))
            .filter_map(|time| time.parse().ok())
            .collect();
        moves.sort_unstable();
        Self { debts, moves, refused: tags.get(REFUSED).cloned() }
    }

    /// The automatic moves that still count against the limit.
    pub fn recent_moves(&self, now: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        self.moves.iter().copied().filter(|time| *time > now - LIMIT_WINDOW).collect()
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
