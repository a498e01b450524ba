//! Maintenance: while it is paused, the function looks and reports, and only an operator's failover changes anything. Pure.
//!
//! A pause is a tag on the license interface, [`PAUSED`], with an end. It needs no answer newer than any other: it arrives
//! with the interface. What was mailed of it is a tag of its own, [`PAUSED_TOLD`], so that a run that writes down what it has
//! told cannot overwrite a pause that somebody has set meanwhile.
//!
//! A tag that cannot be understood pauses nothing. Whoever reads it cannot tell when it ends, and a function that is off
//! without an end is worse than one that acts: the token server stays down, and nobody is told. So it is mailed and removed.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::event::Intent;
use crate::marks::{PAUSED, PAUSED_TOLD, tag_value};
use crate::observation::{OLDEST_ANSWER_DELTA, Observation};
use crate::plan::{Action, Decision, unpaused};
use crate::report::Outcome;

/// How long a pause lasts if nobody says.
const USUAL: TimeDelta = TimeDelta::hours(4);
/// How long it lasts at most. Whoever needs longer is asked again.
const LONGEST: TimeDelta = TimeDelta::days(7);
/// How much further ahead an end may be, as the clocks of two machines differ.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::days(1);
/// How long before its end a pause is announced to end.
const SOON: TimeDelta = TimeDelta::minutes(15);

/// What an operator may give as the end of a pause.
const ACCEPTED: &str =
    "a time such as 2026-11-12T01:30:00Z, or a duration such as 2h, 90m or 1d; it is ahead, and at most a week away";

/// The end of a pause, as an operator gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// At this time.
    At(DateTime<Utc>),
    /// So long after the pause was set.
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
            // A number too large for a machine is a duration all the same, and too long.
            is_number.then(|| Duration::from_secs(number.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(*seconds)))
        });
        duration.map(Self::After).ok_or_else(|| not_an_end(&format!("{text:?} is neither")))
    }
}

/// Says what is accepted as the end of a pause.
pub(crate) fn not_an_end(problem: &str) -> String {
    format!("until: {problem}; it is {ACCEPTED}")
}

/// When a pause ends that is set now.
///
/// # Errors
///
/// An end that is not ahead, or more than a week away, in words.
pub fn ends(asked: Option<End>, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
    let end = match asked {
        None => now.checked_add_signed(USUAL),
        Some(End::At(time)) => Some(time),
        Some(End::After(duration)) => {
            TimeDelta::from_std(duration).ok().and_then(|duration| now.checked_add_signed(duration))
        }
    };
    // The tag knows whole seconds.
    match end.map(|end| end.trunc_subsecs(0)) {
        Some(end) if end <= now => Err(not_an_end(&format!("{} is not ahead", in_words(end)))),
        Some(end) if end.signed_duration_since(now) <= LONGEST => Ok(end),
        _ => Err(not_an_end("it is more than a week away")),
    }
}

/// A pause. In a report it is one that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pause {
    /// When it ends.
    pub until: DateTime<Utc>,
    /// When it was set; null where the tag does not say.
    pub since: Option<DateTime<Utc>>,
    /// Why, in the characters that a tag may have; null where nobody said.
    pub reason: Option<String>,
    /// When an operator ended it, which is then to be told. No such pause is in force.
    #[serde(skip)]
    pub resumed: Option<DateTime<Utc>>,
}

/// What becomes of a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It holds.
    InForce,
    /// It has ended.
    Over,
    /// Its end is so far away that nobody can have asked for it here.
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
        words.extend(self.resumed.map(|at| format!("resumed={}", stamp(at))));
        words.extend(self.reason.as_ref().map(|reason| format!("reason={reason}")));
        tag_value(&words.join(" "))
    }

    /// Reads a tag's value. Only its end must be there.
    pub fn read(value: &str) -> Option<Self> {
        // The reason comes last, and may have blanks.
        let (words, reason) = match value.split_once("reason=") {
            Some((words, reason)) => (words, Some(reason.trim().to_owned())),
            None => (value, None),
        };
        let word = |name: &str| words.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        let time = |name: &str| word(name).and_then(|time| time.parse().ok());
        let resumed = word("resumed").map(|time| time.parse().unwrap_or(DateTime::<Utc>::MIN_UTC));
        Some(Self { until: time("until")?, since: time("since"), reason, resumed })
    }

    /// How it stands by an answer to a question that was asked at this time.
    pub fn standing(&self, asked_at: DateTime<Utc>) -> Standing {
        let left = self.until.signed_duration_since(asked_at);
        if self.resumed.is_some() {
            Standing::Over
        } else if left > LONGEST + CLOCKS_DIFFER {
            Standing::NotUnderstood
        } else if left <= -OLDEST_ANSWER_DELTA {
            // An answer may be older than the pause that has taken the place of this one.
            Standing::Over
        } else {
            Standing::InForce
        }
    }

    /// What tells it from other pauses.
    fn identity(&self) -> String {
        let since = self.since.map_or_else(String::new, |since| format!(" since={}", stamp(since)));
        format!("until={}{since}", stamp(self.until))
    }

    /// Its end and its reason, such as `2026-11-12 01:29:54 UTC (new disks)`.
    pub fn in_words(&self) -> String {
        let reason = self.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
        format!("{}{reason}", in_words(self.until))
    }
}

fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn in_words(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// What an operator does to end a pause.
pub(crate) const HOW_TO_END_IT: &str =
    "To end it: token-failover resume, or invoke the function with {\"action\":\"resume\"}.";

/// The pause that holds, by an answer to a question that was asked at this time.
pub fn in_force(tags: &BTreeMap<String, String>, asked_at: DateTime<Utc>) -> Option<Pause> {
    Pause::read(tags.get(PAUSED)?).filter(|pause| pause.standing(asked_at) == Standing::InForce)
}

/// The same, of what was seen.
pub fn of(observation: &Observation) -> Option<Pause> {
    in_force(&observation.interface()?.tags, observation.observed_at)
}

/// Whether somebody who asks for this is held back by a pause. An audit changes nothing anyway, and says what is wrong; an
/// operator's failover is what the pause is for.
pub(crate) fn holds_back(intent: &Intent) -> bool {
    match intent {
        Intent::Reconcile | Intent::Look { .. } | Intent::Evacuate { .. } => true,
        Intent::Audit | Intent::Failover { .. } | Intent::Pause { .. } | Intent::Resume => false,
    }
}

/// What the pause keeps from being done, in words.
pub(crate) fn held_back(config: &Config, observation: &Observation) -> String {
    let until = of(observation).map_or_else(String::new, |pause| format!(" until {}", pause.in_words()));
    let without = match unpaused(config, observation, &Intent::Reconcile, Duration::MAX).decision {
        Decision::Act(Action::Move(planned)) => {
            let from = planned.from.and_then(|from| from.instance_id);
            let from = from.map_or_else(|| "nothing".to_owned(), |from| from.to_string());
            let to = planned.targets.first.attach.instance_id;
            format!("Without the pause the interface would move from {from} to {to}.")
        }
        Decision::Act(Action::Start(start)) => {
            format!("Without the pause {}, which is stopped, would be started where it is.", start.instance_id)
        }
        Decision::Act(Action::Refuse(refusal)) => {
            format!("Without the pause a move would be refused: {}.", refusal.in_words())
        }
        Decision::Act(Action::Keep { .. } | Action::CannotTell(_)) | Decision::LookAgain { .. } => {
            "Nothing has to move now.".to_owned()
        }
    };
    format!("It is paused{until}, so nothing was done. {without}")
}

/// Something about a pause that is to be mailed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// What.
    pub kind: NewsKind,
    /// The value of the tag by which it was found.
    pub value: String,
    /// The pause, if that could be understood.
    pub pause: Option<Pause>,
}

/// What is to be mailed of a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewsKind {
    /// It was set.
    Set,
    /// It ends within a quarter of an hour.
    EndsSoon,
    /// It has ended by itself.
    Ended,
    /// An operator has ended it.
    Resumed,
    /// Its tag cannot be understood, so nothing is paused.
    NotUnderstood,
}

/// What becomes of the tags once the news was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// Write this value of [`PAUSED_TOLD`].
    Told(String),
    /// Remove both tags, unless they have other values by now.
    Remove,
}

/// What is to be mailed of a pause, by an answer to a question that was asked at this time. `speaks`: the run has set or ended
/// it itself, and mails that at once. The others leave it the time to do so.
pub fn news(tags: &BTreeMap<String, String>, asked_at: DateTime<Utc>, speaks: bool) -> Option<News> {
    let value = tags.get(PAUSED)?;
    let pause = Pause::read(value);
    let told = tags.get(PAUSED_TOLD);
    let kind = match pause.as_ref().map(|pause| (pause, pause.standing(asked_at))) {
        None | Some((_, Standing::NotUnderstood)) => NewsKind::NotUnderstood,
        Some((pause, Standing::Over)) if pause.resumed.is_some() => NewsKind::Resumed,
        Some((_, Standing::Over)) => NewsKind::Ended,
        Some((pause, Standing::InForce)) => {
            let is_told = |what: &str| told.is_some_and(|told| *told == pause.told(what));
            if is_told(ENDING) || (is_told(SET) && !pause.ends_soon(asked_at)) {
                return None;
            }
            if is_told(SET) { NewsKind::EndsSoon } else { NewsKind::Set }
        }
    };
    let spoken_for = pause.as_ref().and_then(|pause| match kind {
        NewsKind::Set => pause.since,
        NewsKind::Resumed => pause.resumed,
        NewsKind::EndsSoon | NewsKind::Ended | NewsKind::NotUnderstood => None,
    });
    let is_due = speaks || spoken_for.is_none_or(|at| asked_at.signed_duration_since(at) >= OLDEST_ANSWER_DELTA);
    is_due.then(|| News { kind, value: value.clone(), pause })
}

const SET: &str = "set";
const ENDING: &str = "ending";

impl Pause {
    fn ends_soon(&self, now: DateTime<Utc>) -> bool {
        self.until.signed_duration_since(now) <= SOON
    }

    /// The value of [`PAUSED_TOLD`] once this was told.
    fn told(&self, what: &str) -> String {
        format!("{} told={what}", self.identity())
    }
}

impl News {
    /// The outcome of its report.
    pub fn outcome(&self) -> Outcome {
        match self.kind {
            NewsKind::Set | NewsKind::EndsSoon => Outcome::Paused,
            NewsKind::Ended | NewsKind::Resumed | NewsKind::NotUnderstood => Outcome::Resumed,
        }
    }

    /// The stable code that reports use.
    pub fn code(&self) -> &'static str {
        match self.kind {
            NewsKind::Set => "pause-set",
            NewsKind::EndsSoon => "pause-ends-soon",
            NewsKind::Ended => "pause-ended",
            NewsKind::Resumed => "resumed",
            NewsKind::NotUnderstood => "pause-not-understood",
        }
    }

    /// The same in a sentence or two.
    pub fn in_words(&self) -> String {
        let until = self.pause.as_ref().map(Pause::in_words).unwrap_or_default();
        match self.kind {
            NewsKind::Set => format!(
                "token-failover is paused until {until}. Until then events and the schedule change nothing, whatever fails; an \
                 operator's failover still works."
            ),
            NewsKind::EndsSoon => {
                format!(
                    "The pause ends at {until}. Then token-failover acts again: if the holder does not run, it moves."
                )
            }
            NewsKind::Ended => format!("The pause ended at {until}. token-failover acts again."),
            NewsKind::Resumed => {
                format!("An operator ended the pause, which was to last until {until}. token-failover acts again.")
            }
            NewsKind::NotUnderstood => format!(
                "The tag {PAUSED} on the interface says no time at which a pause ends within a week ({}), so nothing is \
                 paused. It is removed.",
                self.value
            ),
        }
    }

    /// What becomes of the tags once it was published.
    pub fn mark(&self, asked_at: DateTime<Utc>) -> Mark {
        match (self.kind, &self.pause) {
            // Whoever is told of a pause that ends within a quarter of an hour knows when it ends.
            (NewsKind::Set, Some(pause)) if !pause.ends_soon(asked_at) => Mark::Told(pause.told(SET)),
            (NewsKind::Set | NewsKind::EndsSoon, Some(pause)) => Mark::Told(pause.told(ENDING)),
            _ => Mark::Remove,
        }
    }

    /// By which it is known again.
    pub fn identity(&self) -> String {
        format!("{} {}", self.code(), self.value)
    }
}
