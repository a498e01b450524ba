//! Problems: every outcome that is not a success, what identifies it, and what is mailed about it over time. Pure.
//!
//! A problem is mailed once, again when it has become another one, again after six hours, and once more when it is
//! over. The last mail is remembered on the license interface, in the tag [`crate::model::tags::REFUSED`], and by the
//! process, in case there is no interface to carry a tag.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use crate::model::code::Code;
use crate::model::observation::OLDEST_ANSWER_DELTA;
use crate::model::reason::Reason;
use crate::model::tags::tag_time;

/// How long after a mail the same problem is mailed again.
pub const REMINDER: TimeDelta = TimeDelta::hours(6);

/// How far another run's clock may be ahead of this one's. A run never writes a later time.
const SKEW: TimeDelta = TimeDelta::minutes(15);

/// What identifies a problem: its code, and a digest of every other detail that matters. Durations, times, request ids
/// and error messages never matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The reason of the report.
    pub code: Code<Reason>,
    /// Sixteen hexadecimal digits.
    pub digest: String,
}

impl Problem {
    /// The problem with this code and these details, whose order matters.
    pub fn new(code: Reason, details: impl IntoIterator<Item = impl fmt::Display>) -> Self {
        let lines: String = details.into_iter().map(|detail| format!("{detail}\n")).collect();
        let digest = Sha256::digest(format!("{code}\n{lines}"));
        let digest = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self { code: code.into(), digest }
    }
}

/// A problem that was mailed, as the interface remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastMail {
    /// The problem. The tag of an earlier version has no digest, and differs from every problem of this version.
    pub problem: Problem,
    /// When it was mailed first; `None`: not known.
    pub since: Option<DateTime<Utc>>,
    /// When it was mailed last; `None`: not known.
    pub mailed: Option<DateTime<Utc>>,
}

impl LastMail {
    /// Reads the tag's value. Even if the value is damaged, something was mailed.
    pub fn read(value: &str) -> Self {
        let mut words = value.split(' ');
        let is_code = |code: &&str| !code.is_empty() && code.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        let code = words.next().filter(is_code).unwrap_or("unknown");
        let is_digest = |word: &&str| word.len() == 16 && word.chars().all(|c| c.is_ascii_hexdigit());
        let digest = words.next().filter(is_digest).unwrap_or_default().to_owned();
        let time = |name: &str| {
            let value = value.split(' ').filter_map(|word| word.split_once('=')).find(|(key, _)| *key == name);
            value.and_then(|(_, time)| time.parse().ok())
        };
        Self { problem: Problem { code: Code::read(code), digest }, since: time("since"), mailed: time("mailed") }
    }

    /// The tag's value.
    pub fn value(&self) -> String {
        let time = |name: &str, time: Option<DateTime<Utc>>| {
            time.map_or_else(String::new, |time| format!(" {name}={}", tag_time(time)))
        };
        let Self { problem: Problem { code, digest }, since, mailed } = self;
        format!("{code} {digest}{}{}", time("since", *since), time("mailed", *mailed))
    }

    /// Whether it was mailed so recently that it is not mailed again.
    fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        let age = self.mailed.map(|mailed| now.signed_duration_since(mailed));
        age.is_some_and(|age| -SKEW < age && age < REMINDER)
    }
}

/// What this process remembers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Memory {
    /// Nothing.
    #[default]
    Nothing,
    /// The problem that it mailed last.
    Mailed {
        /// The mail.
        remembered: LastMail,
        /// Whether the process has written the mail to the interface's tag.
        written: bool,
    },
    /// It mailed last that this problem is over.
    Ended(LastMail),
}

impl Memory {
    /// What was mailed last, by the tag and by what this process remembers. `tag` is `None` if no interface was seen,
    /// and `Some(None)` if the interface has no such tag.
    pub fn resolve(&self, tag: Option<Option<&str>>, now: DateTime<Utc>) -> Option<LastMail> {
        let tag = tag.map(|value| value.map(LastMail::read));
        // An answer may be older than the tag that this process has written.
        let age = |remembered: &LastMail| remembered.mailed.map(|mailed| now.signed_duration_since(mailed));
        let may_be_unseen = |remembered: &LastMail| age(remembered).is_some_and(|age| age < OLDEST_ANSWER_DELTA);
        match (self, tag) {
            // The tag could not be removed, or the answer is older than its removal.
            (Self::Ended(ended), Some(Some(tag))) if *ended == tag => None,
            // Once EC2 has shown the tag that this process wrote, a different tag was written later, whatever time it
            // names.
            (Self::Mailed { remembered, written }, Some(Some(tag))) => {
                let is_newer = remembered.mailed > tag.mailed && (!written || may_be_unseen(remembered));
                Some(if is_newer { remembered.clone() } else { tag })
            }
            (_, Some(Some(tag))) => Some(tag),
            // Otherwise another process has removed the tag, because the problem was over.
            (Self::Mailed { remembered, written }, Some(None)) => {
                (!written || may_be_unseen(remembered)).then(|| remembered.clone())
            }
            (Self::Mailed { remembered, .. }, None) => Some(remembered.clone()),
            (Self::Nothing | Self::Ended(_), Some(None) | None) => None,
        }
    }
}

/// What a run's outcome means for problems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// A problem.
    Problem(Problem),
    /// All is well: every earlier problem is over.
    Well,
    /// Neither: the run cannot tell yet, or was asked for something else.
    Open,
}

/// What is published about problems, and what is remembered once it has been published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing is published about problems, and the memory stays as it is.
    Nothing,
    /// The report of this problem is published.
    Tell(LastMail),
    /// The report of a success is published anyway, and says that this problem is over. Then the problem is forgotten.
    Append(LastMail),
    /// A report that this problem is over is published. Then the problem is forgotten.
    Resolve(LastMail),
}

/// Decides what is published about a problem, by what was mailed last. `told_anyway`: the run's report is published in
/// any case.
pub fn decide(remembered: Option<&LastMail>, now: DateTime<Utc>, state: &State, told_anyway: bool) -> Decision {
    match (state, remembered) {
        (State::Open, _) | (State::Well, None) => Decision::Nothing,
        (State::Well, Some(over)) if told_anyway => Decision::Append(over.clone()),
        (State::Well, Some(over)) => Decision::Resolve(over.clone()),
        (State::Problem(problem), Some(known)) if known.problem == *problem && known.is_fresh(now) && !told_anyway => {
            Decision::Nothing
        }
        (State::Problem(problem), known) => {
            // To the reader, a problem with other details is still the same problem.
            let since = known.filter(|known| known.problem.code == problem.code).and_then(|known| known.since);
            // In whole seconds, as the tag holds it.
            let now = DateTime::from_timestamp(now.timestamp(), 0).unwrap_or(now);
            let is_past = |since: &DateTime<Utc>| *since < now;
            let since = since.filter(is_past).unwrap_or(now);
            Decision::Tell(LastMail { problem: problem.clone(), since: Some(since), mailed: Some(now) })
        }
    }
}

impl Decision {
    /// The id of a run's tries to publish this report. Another problem under the same request id is another report.
    pub fn tries(&self, request_id: &str) -> String {
        match self {
            Self::Tell(told) => format!("{request_id}-{}", told.problem.digest),
            Self::Nothing | Self::Append(_) | Self::Resolve(_) => request_id.to_owned(),
        }
    }
}
