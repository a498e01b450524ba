//! What the license interface remembers besides pending reports: tags in the namespace `token-failover:`.
//!
//! There is no state store. What must survive a crash is written on the interface itself. It cannot be lost without the
//! interface, and it arrives with the same read as everything else about the interface.
//!
//! | tag | value | meaning |
//! |---|---|---|
//! | `token-failover:owed:…` | | a pending report: see [`crate::decide::pending`] |
//! | `token-failover:moves` | times, separated by spaces | the automatic moves and starts of the last hour |
//! | `token-failover:not-started` | `i-…=2@…`, separated by spaces | members that EC2 could not start within the last day: how often in a row, and when last |
//! | `token-failover:refused` | `no-viable-standby 9f86d081884c7d65 since=… mailed=…` | the problem that was mailed last, so that it is not mailed every minute |
//! | `token-failover:audited` | a digest | the findings of the audit that was published last |
//! | `token-failover:hostid` | `0273ae2adc81` | the hostid in the last audit that was published, if every subscription was confirmed by then; otherwise `unconfirmed` |
//! | `token-failover:limits` | such as `t3.micro=2` | how many interfaces an instance of a type can have, once EC2 has refused an attach for that |
//! | `token-failover:paused` | `until=… since=… resumed=… reason=…` | until then, only an operator's failover changes anything |
//! | `token-failover:paused-told` | `until=… since=… told=…` | what was mailed last about that pause: that it was set, or that it ends soon |
//! | `token-failover:attached:…`, `token-failover:seen` | | who attached the interface: see [`crate::decide::attachment`] |
//! | `token-failover:announced` | instance, finding, date, for each | the announcements that were published; AWS sends the same one several times |
//!
//! The values keep to letters, digits, spaces and `+ - = . _ : / @`, which every AWS service allows in tags, and to 256
//! characters. Source: EC2 User Guide, "Tag restrictions".

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::decide::pending::report::PendingReport;
use crate::model::finding::{Finding, FindingCode};
use crate::model::ids::InstanceId;
use crate::model::observation::InterfaceLimits;
use crate::model::tags::{
    ANNOUNCED, AUDITED, HOSTID, LIMITS, LONGEST_VALUE, MOVES, NOT_STARTED, REFUSED, tag_time, tag_value,
};

/// The window of the limit on automatic moves, and of the count of starts that failed.
const LIMIT_WINDOW: TimeDelta = TimeDelta::hours(1);

/// How long a failed start affects the order of the standbys. It is longer than the window of the limit on automatic
/// moves. Otherwise, a run that may move again would find no failure, and would try the same members as an hour ago.
const FAILED_STARTS_KEPT: TimeDelta = TimeDelta::hours(24);

/// How long only the holder is tried after a standby failed to start. Moves there and back then use up two of the three
/// moves that the default limit allows in an hour, and leave one for the start that succeeds.
const ONLY_HOLDER_TRIED: TimeDelta = TimeDelta::minutes(30);

/// The maximum number of members in a value of [`NOT_STARTED`].
const MAX_NOT_STARTED: usize = 5;

/// Everything that the interface remembers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remembered {
    /// Reports that may be pending, the oldest first.
    pub pending: Vec<PendingReport>,
    /// The automatic moves and starts, the oldest first.
    pub moves: Vec<DateTime<Utc>>,
    /// The members that EC2 could not start.
    pub not_started: BTreeMap<InstanceId, FailedStarts>,
    /// The problem that was mailed last, as [`crate::decide::problem::LastMail`] reads it.
    pub refused: Option<String>,
    /// The announcements that were published, as [`announced_with`] writes them.
    pub announced: Option<String>,
    /// The digest of the findings of the audit that was published last.
    pub audited: Option<String>,
    /// The hostid that every subscriber has received, or another word if one has not.
    pub hostid: Option<String>,
    /// How many interfaces an instance of each of these types can have, once EC2 has refused an attach for that.
    pub limits: BTreeMap<String, InterfaceLimits>,
}

/// How often EC2 could not start a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedStarts {
    /// The failures in a row, each within an hour of the one before; 1 or more.
    pub times: u32,
    /// When the last one was.
    pub last: DateTime<Utc>,
}

impl FailedStarts {
    /// Whether it still counts: it was within the last hour.
    fn is_recent(&self, now: DateTime<Utc>) -> bool {
        now.signed_duration_since(self.last) < LIMIT_WINDOW
    }

    /// Whether it still affects the order of the standbys: it was within the last day.
    fn is_kept(&self, now: DateTime<Utc>) -> bool {
        now.signed_duration_since(self.last) < FAILED_STARTS_KEPT
    }

    /// Whether it is too early to try again: a minute after the first failure, then two, four, and five minutes. Each
    /// is ten seconds shorter, because the schedule fires once a minute.
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

impl Remembered {
    /// Whether EC2 could not start the member a moment ago, so that it is too early to try again.
    pub fn is_too_early_to_start(&self, member: &InstanceId, now: DateTime<Utc>) -> bool {
        self.not_started.get(member).is_some_and(|failed| failed.is_too_early(now))
    }

    /// Whether a failed start makes this member no alternative to the stopped holder. It does for an hour, or, if EC2
    /// has failed to start the holder since, for half an hour.
    pub fn is_no_alternative_to(&self, member: &InstanceId, holder: &InstanceId, now: DateTime<Utc>) -> bool {
        let Some(failed) = self.not_started.get(member).filter(|failed| failed.is_recent(now)) else {
            return false;
        };
        let holder_failed_since = self.last_failed_start(holder, now).is_some_and(|last| last > failed.last);
        !holder_failed_since || now.signed_duration_since(failed.last) < ONLY_HOLDER_TRIED
    }

    /// When EC2 last could not start the member; `None`: not within a day.
    pub fn last_failed_start(&self, member: &InstanceId, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.not_started.get(member).filter(|failed| failed.is_kept(now)).map(|failed| failed.last)
    }

    /// Whether an audit that is published now brings this hostid to a subscriber for the first time. A subscription that
    /// is confirmed changes the findings of the next audit, so that audit is published.
    pub fn is_new_hostid(&self, hostid: &str) -> bool {
        self.hostid.as_deref() != Some(hostid)
    }

    /// The value of the [`HOSTID`] tag once an audit with these findings has been published.
    pub fn hostid_told(hostid: &str, findings: &[Finding]) -> String {
        use FindingCode::{NoSubscription, NotAudited, SubscriptionUnconfirmed, TopicMissing};
        let is_open = |finding: &Finding| {
            [NoSubscription, NotAudited, SubscriptionUnconfirmed, TopicMissing].iter().any(|code| finding.code == *code)
        };
        if findings.iter().any(is_open) { "unconfirmed".to_owned() } else { hostid.to_owned() }
    }

    /// The value of the [`NOT_STARTED`] tag once EC2 could not start these members either.
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
        failed.truncate(MAX_NOT_STARTED);
        let words = failed
            .iter()
            .map(|(member, FailedStarts { times, last })| format!("{member}={}@{}", (*times).min(99), tag_time(*last)));
        words.collect::<Vec<_>>().join(" ")
    }

    /// Reads what the interface remembers. A value that cannot be understood is ignored, except for pending reports.
    pub fn read(tags: &BTreeMap<String, String>) -> Self {
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
            pending: PendingReport::read_all(tags),
            moves,
            not_started: not_started.filter_map(failed).collect(),
            refused: tags.get(REFUSED).cloned(),
            announced: tags.get(ANNOUNCED).cloned(),
            audited: tags.get(AUDITED).cloned(),
            hostid: tags.get(HOSTID).cloned(),
            limits: tags.get(LIMITS).into_iter().flat_map(|limits| limits.split(' ')).filter_map(limit).collect(),
        }
    }

    /// The value of the [`LIMITS`] tag with these limits added. The function learns a limit that does not fit again.
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

    /// The value of the [`MOVES`] tag with one more move, made now.
    pub fn moves_with(&self, now: DateTime<Utc>) -> String {
        let mut moves = self.recent_moves(now);
        moves.push(now);
        // Twelve times fit into a tag's 256 characters. The configuration allows no higher limit.
        let surplus = moves.len().saturating_sub(12);
        let times: Vec<String> = moves[surplus..].iter().copied().map(tag_time).collect();
        times.join(" ")
    }
}

/// An instance type, and how many interfaces it can have on network card 0 and, if the number differs, in total. Every
/// instance has one interface, so a smaller number is invalid.
fn limit(word: &str) -> Option<(String, InterfaceLimits)> {
    let (instance_type, numbers) = word.split_once('=').filter(|(instance_type, _)| !instance_type.is_empty())?;
    let (first_card, total) = numbers.split_once('/').unwrap_or((numbers, numbers));
    let number = |number: &str| number.parse().ok().filter(|number| *number > 0);
    Some((instance_type.to_owned(), InterfaceLimits { total: number(total)?, first_card: number(first_card)? }))
}

/// The value of the [`ANNOUNCED`] tag once this has been published too. It stays the same if all of it is in the tag
/// already.
///
/// AWS Health sends one announcement several times: from two Regions, in pages, and again whenever it changes. So the
/// tag holds the latest date of each kind of announcement for each member, not only the latest announcement. `what` is
/// the finding's code. An entry that does not fit into the tag is forgotten, the oldest first, and mailed again if it
/// comes again.
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
