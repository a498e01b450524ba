//! A pause for maintenance: its end, and how it is written in a tag.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::model::observation::OLDEST_ANSWER_DELTA;
use crate::model::tags::{tag_time, tag_value};

/// The maximum length of a pause. An operator who needs more time pauses again.
pub(crate) const LONGEST: TimeDelta = TimeDelta::days(7);

/// How much later than [`LONGEST`] an end may be, because the clocks of two machines differ.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::days(1);

/// What an operator may give as the end of a pause.
const ACCEPTED: &str =
    "a time such as 2026-11-12T01:30:00Z or a duration such as 2h, 90m or 1d, in the future and at most a week away";

/// The end of a pause, as an operator gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// This time.
    At(DateTime<Utc>),
    /// This long after the pause was set.
    After(Duration),
}

impl FromStr for End {
    type Err = String;

    /// Reads RFC 3339, or a number with `m`, `h` or `d`.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(time.to_utc()));
        }
        let units = [("m", 60), ("h", 3600), ("d", 86_400)];
        let duration = units.iter().find_map(|(unit, seconds)| {
            let number = text.strip_suffix(unit)?;
            let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
            // A number that is too large for the type is still a duration, and too long.
            is_number.then(|| Duration::from_secs(number.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(*seconds)))
        });
        duration.map(Self::After).ok_or_else(|| not_an_end(&format!("{text:?} is neither a time nor a duration")))
    }
}

/// Says what is accepted as the end of a pause.
pub(crate) fn not_an_end(problem: &str) -> String {
    format!("until: {problem}; expected {ACCEPTED}")
}

/// A pause. In a report it is one that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pause {
    /// When it ends.
    pub until: DateTime<Utc>,
    /// When it was set; null if the tag does not say.
    pub since: Option<DateTime<Utc>>,
    /// Why, in the characters that a tag may have; null if the operator gave no reason.
    pub reason: Option<String>,
    /// When an operator ended it, which the function then has to mail. An ended pause is not in force.
    #[serde(skip)]
    pub resumed: Option<DateTime<Utc>>,
}

/// The state of a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is in force.
    InForce,
    /// It has ended.
    Over,
    /// Its end is so far away that the function cannot have accepted it.
    NotUnderstood,
}

impl Pause {
    /// A pause that is set now.
    pub fn new(until: DateTime<Utc>, now: DateTime<Utc>, reason: Option<&str>) -> Self {
        Self { until, since: Some(now.trunc_subsecs(0)), reason: reason.map(str::to_owned), resumed: None }
    }

    /// The same pause, ended by an operator.
    #[must_use]
    pub fn resumed(self, now: DateTime<Utc>) -> Self {
        Self { resumed: Some(now.trunc_subsecs(0)), ..self }
    }

    /// The tag's value.
    pub fn value(&self) -> String {
        let mut words = vec![self.identity()];
        words.extend(self.resumed.map(|at| format!("resumed={}", tag_time(at))));
        words.extend(self.reason.as_ref().map(|reason| format!("reason={reason}")));
        tag_value(&words.join(" "))
    }

    /// Reads a tag's value. Only the end is required.
    pub fn read(value: &str) -> Option<Self> {
        // The reason comes last, and may contain spaces.
        let (words, reason) = match value.split_once("reason=") {
            Some((words, reason)) => (words, Some(reason.trim().to_owned())),
            None => (value, None),
        };
        let word = |name: &str| words.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        let time = |name: &str| word(name).and_then(|time| time.parse().ok());
        let resumed = word("resumed").map(|time| time.parse().unwrap_or(DateTime::<Utc>::MIN_UTC));
        Some(Self { until: time("until")?, since: time("since"), reason, resumed })
    }

    /// Its state, by an answer to a read that began at this time.
    pub fn standing(&self, asked_at: DateTime<Utc>) -> Standing {
        let left = self.until.signed_duration_since(asked_at);
        if self.resumed.is_some() {
            Standing::Over
        } else if left > LONGEST + CLOCKS_DIFFER {
            Standing::NotUnderstood
        } else if left <= -OLDEST_ANSWER_DELTA {
            // An answer may be older than the pause that has replaced this one.
            Standing::Over
        } else {
            Standing::InForce
        }
    }

    /// What distinguishes it from other pauses.
    pub(crate) fn identity(&self) -> String {
        let since = self.since.map_or_else(String::new, |since| format!(" since={}", tag_time(since)));
        format!("until={}{since}", tag_time(self.until))
    }

    /// Its end and its reason, such as `2026-11-12 01:29:54 UTC (new disks)`.
    pub fn in_words(&self) -> String {
        let reason = self.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
        format!("{}{reason}", in_words(self.until))
    }
}

pub(crate) fn in_words(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
