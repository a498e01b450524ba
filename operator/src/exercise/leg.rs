//! One leg of an exercise: one move, with its moments.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;
use strum::Display;
use token_failover::model::config::Config;
use token_failover::model::ids::InstanceId;
use token_failover::model::report::milliseconds;
use token_failover::model::request::TriggerKind;

use super::moment::{Expectation, Kind, Moment, expectations};

/// One move, as far as it has been seen.
#[derive(Debug, Clone)]
pub struct Leg {
    /// What causes the move.
    pub kind: Kind,
    /// The holder before the move.
    pub from: InstanceId,
    /// The standby that is to take the interface; once it has arrived, the instance that has it.
    pub to: InstanceId,
    /// Why the leg failed, if it did not only take too long.
    pub problem: Option<String>,
    /// What started the runs that moved the interface, as their notes on the interface say.
    pub started_by: BTreeSet<TriggerKind>,
    expected: Vec<Expectation>,
    seen: BTreeMap<Moment, Duration>,
    not_checked: BTreeSet<Moment>,
}

/// The result of one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Display)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Verdict {
    /// It came in time.
    Held,
    /// It came too late.
    Late,
    /// It did not come.
    Missing,
    /// It cannot be seen from this machine.
    NotChecked,
}

/// One moment in the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The moment.
    pub moment: Moment,
    /// The time from the request to the moment, in milliseconds; null: it was not seen.
    pub at_ms: Option<u64>,
    /// The time from the moment before, `since`, in milliseconds; null: it was not seen.
    pub took_ms: Option<u64>,
    /// The moment from which `tookMs` counts; null: the request.
    pub since: Option<Moment>,
    /// The longest expected `tookMs`.
    pub expected_within_ms: u64,
    /// The result.
    pub result: Verdict,
}

impl Leg {
    /// A leg that is about to begin.
    pub fn new(kind: Kind, from: &InstanceId, to: &InstanceId, config: &Config, starts_standby: bool) -> Self {
        Self {
            kind,
            from: from.clone(),
            to: to.clone(),
            problem: None,
            started_by: BTreeSet::new(),
            expected: expectations(kind, config, starts_standby),
            seen: BTreeMap::new(),
            not_checked: BTreeSet::new(),
        }
    }

    /// Notes that a moment was seen, this long after the request. Only the first time counts, except for a later attempt at
    /// detaching and attaching. Returns whether the moment is new and expected.
    pub fn see(&mut self, moment: Moment, at: Duration) -> bool {
        let is_expected = self.expected.iter().any(|expected| expected.moment == moment);
        if !is_expected || self.seen.contains_key(&moment) {
            return false;
        }
        self.not_checked.remove(&moment);
        self.seen.insert(moment, at);
        true
    }

    /// Notes that a moment cannot be seen from this machine.
    pub fn cannot_see(&mut self, moment: Moment) {
        if !self.has_seen(moment) {
            self.not_checked.insert(moment);
        }
    }

    /// Whether the moment was seen.
    pub fn has_seen(&self, moment: Moment) -> bool {
        self.seen.contains_key(&moment)
    }

    /// When the moment was seen.
    pub fn seen_at(&self, moment: Moment) -> Option<Duration> {
        self.seen.get(&moment).copied()
    }

    /// The moments in their order.
    pub fn rows(&self) -> Vec<Row> {
        self.expected.iter().map(|expected| self.row(expected)).collect()
    }

    fn row(&self, expected: &Expectation) -> Row {
        let at = self.seen_at(expected.moment);
        let since = expected.since.map_or(Some(Duration::ZERO), |since| self.seen_at(since));
        let took = at.zip(since).map(|(at, since)| at.saturating_sub(since));
        let result = match (at, took) {
            (Some(_), Some(took)) if took <= expected.within => Verdict::Held,
            (Some(_), _) => Verdict::Late,
            (None, _) if self.not_checked.contains(&expected.moment) => Verdict::NotChecked,
            (None, _) => Verdict::Missing,
        };
        Row {
            moment: expected.moment,
            at_ms: at.map(milliseconds),
            took_ms: took.map(milliseconds),
            since: expected.since,
            expected_within_ms: milliseconds(expected.within),
            result,
        }
    }

    /// When nobody needs to wait for the next expected moment anymore, as the time since the request: after twice the limit, so
    /// that what comes late is seen. `None`: nothing more is expected.
    pub fn gives_up_at(&self) -> Option<Duration> {
        let is_open =
            |expected: &&Expectation| !self.has_seen(expected.moment) && !self.not_checked.contains(&expected.moment);
        let next = self.expected.iter().find(is_open)?;
        let since = next.since.map_or(Some(Duration::ZERO), |since| self.seen_at(since));
        Some(since.unwrap_or_default() + next.within * 2)
    }

    /// Whether everything came as expected, after a stop by EC2's event, and something showed that the token server serves: its
    /// ports, or its licenses.
    pub fn held(&self) -> bool {
        self.problems().is_empty()
    }

    /// Whether a run has moved the interface after a stop, and nothing shows that EC2's event has started a run.
    pub(super) fn lacks_event(&self) -> bool {
        let has_moved = self.kind == Kind::Stop && self.has_seen(Moment::DetachAccepted);
        has_moved && !self.started_by.contains(&TriggerKind::InstanceStateChange)
    }

    /// Whether nothing could show that the token server serves, although the interface has arrived.
    pub(super) fn is_blind(&self) -> bool {
        let seen = |moment: Moment| self.has_seen(moment);
        let is_unchecked = self.not_checked.contains(&Moment::PortsAnswering);
        seen(Moment::Attached) && is_unchecked && !seen(Moment::PortsAnswering) && !seen(Moment::LicensesServed)
    }

    /// The leg in one line, with its number.
    pub fn heading(&self, position: usize) -> String {
        format!("{}. {}", position + 1, self.title())
    }

    /// The leg in one line.
    pub fn title(&self) -> String {
        let Self { from, to, .. } = self;
        match self.kind {
            Kind::Failover => format!("{from} to {to}: an operator's failover"),
            Kind::Stop => format!("{from} to {to}: after a stop, by the function"),
        }
    }
}
