//! Maintenance: during a pause, the function reads and reports, and only an operator's failover changes anything. Pure.
//!
//! A pause is a tag on the license interface, [`PAUSED`], with an end. The tag arrives with the interface, so it is as
//! current as everything else. A second tag, [`PAUSED_TOLD`], says what was mailed about the pause. So a run that
//! records what it has mailed cannot overwrite a pause that an operator has set meanwhile.
//!
//! A tag that cannot be understood pauses nothing. Its end is not known, and a function that is off without an end is
//! worse than one that acts: the token server stays down, and the function mails nothing. So the function mails that it
//! cannot read the tag, and removes it.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::model::observation::{OLDEST_ANSWER_DELTA, Observation};
use crate::model::pause::{End, LONGEST, Pause, Standing, in_words, not_an_end};
use crate::model::reason::Reason;
use crate::model::report::Outcome;
use crate::model::request::Intent;
use crate::model::tags::{PAUSED, PAUSED_TOLD};

/// How long a pause lasts if the operator does not name an end.
const USUAL: TimeDelta = TimeDelta::hours(4);

/// How long before the end of a pause the function mails that it ends soon.
const SOON: TimeDelta = TimeDelta::minutes(15);

/// The end of a pause that is set now.
///
/// # Errors
///
/// The end is not in the future, or it is more than a week away. The error says so in words.
pub fn ends(asked: Option<End>, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
    let end = match asked {
        None => now.checked_add_signed(USUAL),
        Some(End::At(time)) => Some(time),
        Some(End::After(duration)) => {
            TimeDelta::from_std(duration).ok().and_then(|duration| now.checked_add_signed(duration))
        }
    };
    // The tag holds whole seconds.
    match end.map(|end| end.trunc_subsecs(0)) {
        Some(end) if end <= now => Err(not_an_end(&format!("{} is not in the future", in_words(end)))),
        Some(end) if end.signed_duration_since(now) <= LONGEST => Ok(end),
        _ => Err(not_an_end("the end is more than a week away")),
    }
}

/// The pause that is in force, by an answer to a read that began at this time.
pub fn in_force(tags: &BTreeMap<String, String>, asked_at: DateTime<Utc>) -> Option<Pause> {
    Pause::read(tags.get(PAUSED)?).filter(|pause| pause.standing(asked_at) == Standing::InForce)
}

/// The pause that is in force, by this observation.
pub fn of(observation: &Observation) -> Option<Pause> {
    in_force(&observation.interface()?.tags, observation.observed_at)
}

/// Whether a pause holds back a run with this intent. An audit changes nothing anyway, and says what is wrong. An
/// operator's failover is what a pause is for.
pub(crate) fn holds_back(intent: &Intent) -> bool {
    match intent {
        Intent::Reconcile
        | Intent::Look { .. }
        | Intent::Evacuate { .. }
        | Intent::Rebalance { .. }
        | Intent::Release { .. } => true,
        Intent::Audit | Intent::Failover { .. } | Intent::Pause { .. } | Intent::Resume => false,
    }
}

/// News about a pause, to be mailed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// The kind of news.
    pub kind: NewsKind,
    /// The value of the tag that the news is about.
    pub value: String,
    /// The pause; `None`: the tag cannot be understood.
    pub pause: Option<Pause>,
}

/// What the news about a pause says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewsKind {
    /// An operator has set it.
    Set,
    /// It ends within 15 minutes.
    EndsSoon,
    /// It has ended by itself.
    Ended,
    /// An operator has ended it.
    Resumed,
    /// Its tag cannot be understood, so nothing is paused.
    NotUnderstood,
}

/// What happens to the tags once the news has been published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// Write this value of [`PAUSED_TOLD`].
    Told(String),
    /// Remove both tags, unless their values have changed.
    Remove,
}

/// The news about a pause, by an answer to a read that began at this time. `speaks`: this run has set or ended the
/// pause itself, and mails that at once. Other runs leave it the time to do so.
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

    /// The value of [`PAUSED_TOLD`] once this has been mailed.
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

    /// What happens to the tags once the news has been published.
    pub fn mark(&self, asked_at: DateTime<Utc>) -> Mark {
        match (self.kind, &self.pause) {
            // The mail about a new pause that ends within 15 minutes already says so.
            (NewsKind::Set, Some(pause)) if !pause.ends_soon(asked_at) => Mark::Told(pause.told(SET)),
            (NewsKind::Set | NewsKind::EndsSoon, Some(pause)) => Mark::Told(pause.told(ENDING)),
            _ => Mark::Remove,
        }
    }

    /// A string that is the same for the same news.
    pub fn identity(&self) -> String {
        format!("{} {}", self.code(), self.value)
    }
}
