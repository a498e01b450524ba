//! Maintenance: while it is paused, the function looks and reports, and only an operator's failover changes anything. Pure.
//!
//! A pause is a tag on the license interface, [`PAUSED`], with an end. It needs no answer newer than any other: it arrives
//! with the interface. What was mailed of it is a tag of its own, [`PAUSED_TOLD`], so that a run that writes down what it has
//! told cannot overwrite a pause that somebody has set meanwhile.
//!
//! A tag that cannot be understood pauses nothing. Whoever reads it cannot tell when it ends, and a function that is off
//! without an end is worse than one that acts: the token server stays down, and nobody is told. So it is mailed and removed.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::model::observation::{OLDEST_ANSWER_DELTA, Observation};
use crate::model::pause::{End, LONGEST, Pause, Standing, in_words, not_an_end};
use crate::model::reason::Reason;
use crate::model::report::Outcome;
use crate::model::request::Intent;
use crate::model::tags::{PAUSED, PAUSED_TOLD};

/// How long a pause lasts if nobody says.
const USUAL: TimeDelta = TimeDelta::hours(4);

/// How long before its end a pause is announced to end.
const SOON: TimeDelta = TimeDelta::minutes(15);

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
        Some(end) if end <= now => Err(not_an_end(&format!("{} is not in the future", in_words(end)))),
        Some(end) if end.signed_duration_since(now) <= LONGEST => Ok(end),
        _ => Err(not_an_end("the end is more than a week away")),
    }
}

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
    pub fn code(&self) -> Reason {
        match self.kind {
            NewsKind::Set => Reason::PauseSet,
            NewsKind::EndsSoon => Reason::PauseEndsSoon,
            NewsKind::Ended => Reason::PauseEnded,
            NewsKind::Resumed => Reason::Resumed,
            NewsKind::NotUnderstood => Reason::PauseNotUnderstood,
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
