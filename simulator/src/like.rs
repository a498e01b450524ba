//! Reads the record of an account, so that the simulator behaves as that account does.
//!
//! `token-failover exercise --record` writes the record. Its format is in `operator/src/account/document.rs`.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::model::{Assumptions, Timings};

/// The version of the format.
const SCHEMA_VERSION: u64 = 1;

/// No process takes longer.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

type Field<T> = fn(&mut T) -> &mut bool;

/// The assumptions by the names of the record. [`Assumptions::page_limit`] is no property of an account.
const ASSUMPTIONS: [(&str, Field<Assumptions>); 13] = [
    ("statusShowsPhases", |assumed| &mut assumed.status_shows_phases),
    ("inUseIsInvalidValue", |assumed| &mut assumed.in_use_is_invalid_value),
    ("wrongStateIsIncorrectInstanceState", |assumed| &mut assumed.wrong_state_is_incorrect_instance_state),
    ("detachInEveryState", |assumed| &mut assumed.detach_in_every_state),
    ("forcedDetachBlocksIndex", |assumed| &mut assumed.forced_detach_blocks_index),
    ("attachDeletesOnTermination", |assumed| &mut assumed.attach_deletes_on_termination),
    ("severalCardsNeedAnIndex", |assumed| &mut assumed.several_cards_need_an_index),
    ("dryRunNeedsState", |assumed| &mut assumed.dry_run_needs_state),
    ("goneAttachmentIsUnauthorized", |assumed| &mut assumed.gone_attachment_is_unauthorized),
    ("replacementWaitsForTermination", |assumed| &mut assumed.replacement_waits_for_termination),
    ("terminatedInstanceSkipsHooks", |assumed| &mut assumed.terminated_instance_skips_hooks),
    ("maintenanceRespectsMaximumSize", |assumed| &mut assumed.maintenance_respects_maximum_size),
    ("refreshIgnoresHooks", |assumed| &mut assumed.refresh_ignores_hooks),
];

type TimingField = fn(&mut Timings) -> &mut Duration;

/// The durations by the names of the record.
const TIMINGS: [(&str, TimingField); 7] = [
    ("call", |timings| &mut timings.call),
    ("detach", |timings| &mut timings.detach),
    ("attach", |timings| &mut timings.attach),
    ("stop", |timings| &mut timings.stop),
    ("boot", |timings| &mut timings.boot),
    ("checks", |timings| &mut timings.checks),
    ("command", |timings| &mut timings.command),
];

/// What an account has shown. What it has not shown stays as a scenario has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Like {
    /// The assumptions that the account has shown to hold or not to hold, by their names in the record.
    pub assumptions: Vec<(&'static str, bool)>,
    /// The median durations, by their names in the record.
    pub timings: Vec<(&'static str, Duration)>,
    /// What the record has and this simulator does not know, one sentence each.
    pub notes: Vec<String>,
}

impl Like {
    /// Reads the file with a record.
    ///
    /// # Errors
    ///
    /// One sentence that names the file and says what is wrong with it.
    pub fn read(path: &str) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{path} cannot be read: {error}"))?;
        Self::parse(&text).map_err(|problem| format!("{path}: {problem}"))
    }

    /// Reads a record. A field that the record leaves out counts as not seen.
    ///
    /// # Errors
    ///
    /// One sentence that says what is wrong with the record.
    pub fn parse(text: &str) -> Result<Self, String> {
        let record: Value =
            serde_json::from_str(text).map_err(|error| format!("the record of an account is not JSON: {error}"))?;
        let record = object("the record of an account", &record)?;
        match record.get("schemaVersion") {
            Some(version) if version.as_u64() == Some(SCHEMA_VERSION) => {}
            Some(version) => {
                return Err(format!(
                    "the record has schemaVersion {version}, and this simulator reads {SCHEMA_VERSION}"
                ));
            }
            None => return Err("the record of an account has no schemaVersion".to_owned()),
        }
        let mut like = Self::default();
        for (name, assumed) in section(record, "assumptions")? {
            like.assume(name, assumed)?;
        }
        for (name, figures) in section(record, "timingsMs")? {
            like.time(name, figures)?;
        }
        Ok(like)
    }

    /// Changes the assumptions that the account has shown.
    pub fn assume_in(&self, assumptions: &mut Assumptions) {
        for (name, seen) in &self.assumptions {
            if let Some((_, field)) = ASSUMPTIONS.iter().find(|(known, _)| known == name) {
                *field(assumptions) = *seen;
            }
        }
    }

    /// Changes the durations that the account has shown.
    pub fn time_in(&self, timings: &mut Timings) {
        for (name, duration) in &self.timings {
            if let Some((_, field)) = TIMINGS.iter().find(|(known, _)| known == name) {
                *field(timings) = *duration;
            }
        }
    }

    fn assume(&mut self, name: &str, assumed: &Value) -> Result<(), String> {
        let Some((name, _)) = ASSUMPTIONS.iter().find(|(known, _)| *known == name) else {
            self.notes.push(format!("The assumption {name:?} is unknown here, and is ignored."));
            return Ok(());
        };
        match object(&format!("assumptions.{name}"), assumed)?.get("seen") {
            None | Some(Value::Null) => {}
            Some(Value::Bool(seen)) => self.assumptions.push((name, *seen)),
            Some(other) => return Err(format!("assumptions.{name}.seen is {other}, not true, false or null")),
        }
        Ok(())
    }

    fn time(&mut self, name: &str, figures: &Value) -> Result<(), String> {
        let Some((name, _)) = TIMINGS.iter().find(|(known, _)| *known == name) else {
            self.notes.push(format!("The duration {name:?} is unknown here, and is ignored."));
            return Ok(());
        };
        if figures.is_null() {
            return Ok(());
        }
        let figures = object(&format!("timingsMs.{name}"), figures)?;
        let figure = |field: &str| {
            let value = figures.get(field).ok_or_else(|| format!("timingsMs.{name} has no {field}"))?;
            let duration = value.as_u64().map(Duration::from_millis).filter(|duration| *duration <= LONGEST);
            duration.ok_or_else(|| {
                format!("timingsMs.{name}.{field} is {value}, not a whole number of milliseconds from 0 to a day")
            })
        };
        let (min, median, max) = (figure("min")?, figure("median")?, figure("max")?);
        if min > median || median > max {
            return Err(format!("timingsMs.{name} has a median that is not between its min and its max"));
        }
        self.timings.push((name, median));
        Ok(())
    }
}

fn object<'a>(what: &str, value: &'a Value) -> Result<&'a Map<String, Value>, String> {
    value.as_object().ok_or_else(|| format!("{what} is not a JSON object"))
}

/// An object of the record, or nothing if the record leaves it out.
fn section<'a>(
    record: &'a Map<String, Value>,
    name: &str,
) -> Result<impl Iterator<Item = (&'a String, &'a Value)>, String> {
    let section = record.get(name).map(|value| object(name, value)).transpose()?;
    Ok(section.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(assumptions: Value, timings: Value) -> Result<Like, String> {
        Like::parse(&json!({"schemaVersion": 1, "assumptions": assumptions, "timingsMs": timings}).to_string())
    }

    /// A new assumption must be added to the record, and a renamed one would no longer be found in older records.
    #[test]
    fn every_assumption_can_be_recorded_except_the_size_of_a_page() {
        let like = Like { assumptions: ASSUMPTIONS.iter().map(|(name, _)| (*name, true)).collect(), ..Like::default() };
        let mut assumed = Assumptions::default();
        like.assume_in(&mut assumed);
        let all = Assumptions {
            status_shows_phases: true,
            in_use_is_invalid_value: true,
            wrong_state_is_incorrect_instance_state: true,
            detach_in_every_state: true,
            forced_detach_blocks_index: true,
            attach_deletes_on_termination: true,
            several_cards_need_an_index: true,
            dry_run_needs_state: true,
            gone_attachment_is_unauthorized: true,
            replacement_waits_for_termination: true,
            terminated_instance_skips_hooks: true,
            maintenance_respects_maximum_size: true,
            refresh_ignores_hooks: true,
            page_limit: None,
        };
        assert_eq!(assumed, all);
        for (name, field) in ASSUMPTIONS {
            let mut assumed = Assumptions::default();
            *field(&mut assumed) = true;
            let words: String = name
                .chars()
                .flat_map(|c| c.is_uppercase().then_some('_').into_iter().chain(c.to_lowercase()))
                .collect();
            assert!(format!("{assumed:?}").contains(&format!("{words}: true")), "{name}");
        }
    }

    #[test]
    fn what_the_account_has_shown_replaces_what_the_scenario_has_and_all_else_stays() {
        let like = record(
            json!({
                "statusShowsPhases": {"seen": true, "how": "any"}, "detachInEveryState": {"seen": false, "how": "any"},
                "dryRunNeedsState": {"seen": null, "how": "any"}, "refreshIgnoresHooks": {},
            }),
            json!({"detach": {"count": 2, "min": 1900, "median": 2100, "max": 2600}, "attach": null}),
        );
        let like = like.expect("a record");
        let mut assumed = Assumptions {
            detach_in_every_state: true,
            dry_run_needs_state: true,
            refresh_ignores_hooks: true,
            ..Assumptions::default()
        };
        like.assume_in(&mut assumed);
        let expected = Assumptions {
            status_shows_phases: true,
            dry_run_needs_state: true,
            refresh_ignores_hooks: true,
            ..Assumptions::default()
        };
        assert_eq!(assumed, expected);
        let mut timings = Timings::realistic();
        like.time_in(&mut timings);
        assert_eq!(timings, Timings { detach: Duration::from_millis(2100), ..Timings::realistic() });
        assert_eq!(like.notes, [""; 0]);
    }

    #[test]
    fn what_the_simulator_does_not_know_is_noted_and_ignored() {
        let like = record(json!({"newAssumption": {"seen": true}}), json!({"newDuration": {"median": -1}}));
        let like = like.expect("a record");
        assert_eq!(
            like.notes,
            [
                "The assumption \"newAssumption\" is unknown here, and is ignored.",
                "The duration \"newDuration\" is unknown here, and is ignored.",
            ]
        );
        assert_eq!((like.assumptions, like.timings), (Vec::new(), Vec::new()));
        let bare = Like::parse(r#"{"schemaVersion": 1, "program": "any", "errors": [{"code": "Any"}]}"#);
        assert_eq!(bare, Ok(Like::default()));
    }

    #[test]
    fn a_bad_record_is_refused_in_one_sentence() {
        let figures = |min: i64, median: i64, max: i64| json!({"count": 1, "min": min, "median": median, "max": max});
        let seen = |seen: Value| record(json!({"detachInEveryState": {"seen": seen}}), json!({}));
        for (refused, sentence) in [
            (Like::parse("not JSON"), "the record of an account is not JSON: expected ident at line 1 column 2"),
            (Like::parse("[]"), "the record of an account is not a JSON object"),
            (Like::parse("{}"), "the record of an account has no schemaVersion"),
            (Like::parse(r#"{"schemaVersion": 2}"#), "the record has schemaVersion 2, and this simulator reads 1"),
            (
                Like::parse(r#"{"schemaVersion": "1"}"#),
                "the record has schemaVersion \"1\", and this simulator reads 1",
            ),
            (record(json!([]), json!({})), "assumptions is not a JSON object"),
            (
                record(json!({"detachInEveryState": true}), json!({})),
                "assumptions.detachInEveryState is not a JSON object",
            ),
            (seen(json!("yes")), "assumptions.detachInEveryState.seen is \"yes\", not true, false or null"),
            (record(json!({}), json!({"stop": 5})), "timingsMs.stop is not a JSON object"),
            (record(json!({}), json!({"stop": {"median": 5}})), "timingsMs.stop has no min"),
            (
                record(json!({}), json!({"stop": figures(-1, 5, 9)})),
                "timingsMs.stop.min is -1, not a whole number of milliseconds from 0 to a day",
            ),
            (
                record(json!({}), json!({"stop": figures(1, 5, 86_400_001)})),
                "timingsMs.stop.max is 86400001, not a whole number of milliseconds from 0 to a day",
            ),
            (
                record(json!({}), json!({"stop": {"min": 1, "median": 1.5, "max": 2}})),
                "timingsMs.stop.median is 1.5, not a whole number of milliseconds from 0 to a day",
            ),
            (
                record(json!({}), json!({"stop": figures(6, 5, 9)})),
                "timingsMs.stop has a median that is not between its min and its max",
            ),
        ] {
            assert_eq!(refused, Err(sentence.to_owned()));
        }
    }
}
