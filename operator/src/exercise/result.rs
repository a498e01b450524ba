//! The result of an exercise, as a document and as a table.

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer, ser::SerializeStruct};
use strum::Display;
use token_failover::model::ids::NetworkInterfaceId;

use super::leg::{Leg, Row, Verdict};
use super::moment::Moment;

/// The version of the result's format.
pub const SCHEMA_VERSION: u32 = 1;

/// Whether an exercise held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Display)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Outcome {
    /// Everything came as expected.
    Held,
    /// Something did not.
    NotHeld,
}

/// The result of an exercise.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exercise {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Whether everything came as expected.
    pub result: Outcome,
    /// The token server's name for people.
    pub token_server: String,
    /// The license interface.
    pub network_interface_id: NetworkInterfaceId,
    /// The stack of the function.
    pub stack: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The moves, in their order.
    pub legs: Vec<Leg>,
    /// What did not come as expected, in sentences.
    pub problems: Vec<String>,
}

impl Serialize for Leg {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut leg = serializer.serialize_struct("Leg", 7)?;
        leg.serialize_field("kind", &self.kind)?;
        leg.serialize_field("from", &self.from)?;
        leg.serialize_field("to", &self.to)?;
        leg.serialize_field("result", &if self.held() { Outcome::Held } else { Outcome::NotHeld })?;
        leg.serialize_field("problem", &self.problem)?;
        leg.serialize_field("startedBy", &self.started_by)?;
        leg.serialize_field("moments", &self.rows())?;
        leg.end()
    }
}

/// A time in seconds, with three digits.
pub(super) fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03} s", milliseconds / 1000, milliseconds % 1000)
}

impl Row {
    /// The row of the live table, which fits on a terminal with 80 columns.
    pub fn live(&self) -> String {
        let time = self.at_ms.map_or_else(|| "...".to_owned(), seconds);
        format!("  {:<28} {time:>11}", self.moment.words())
    }

    /// The row of the table.
    pub fn line(&self) -> String {
        let time = |time: Option<u64>| time.map_or_else(|| "-".to_owned(), seconds);
        let since = self.since.map_or("the request", Moment::noun);
        let (at, took, within) = (time(self.at_ms), time(self.took_ms), self.expected_within_ms / 1000);
        let result = match self.result {
            Verdict::Held => "ok",
            Verdict::Late => "LATE",
            Verdict::Missing => "MISSING",
            Verdict::NotChecked => "not checked from here",
        };
        format!("  {:<28} {at:>11} {took:>11}   within {within:>3} s of {since:<19} {result}", self.moment.words())
    }
}

impl Leg {
    /// What did not come as expected.
    pub fn problems(&self) -> Vec<String> {
        let Self { from, to, .. } = self;
        let told = |row: &Row| {
            let (moment, within) = (row.moment.words(), row.expected_within_ms / 1000);
            match row.result {
                Verdict::Held | Verdict::NotChecked => None,
                Verdict::Late => {
                    let took = row.took_ms.map_or_else(|| "an unknown time".to_owned(), seconds);
                    Some(format!("{from} to {to}: {moment} after {took}, expected within {within} s."))
                }
                Verdict::Missing => Some(format!("{from} to {to}: not seen within {within} s: {moment}.")),
            }
        };
        let is_license_expected = self.rows().iter().any(|row| row.moment == Moment::LicensesServed);
        let blind = (self.is_blind() && !is_license_expected).then(|| {
            format!(
                "{from} to {to}: nothing showed that {to} serves licenses. Its ports did not all answer this machine: run the \
                 exercise in the VPC, or switch on the license check."
            )
        });
        let unannounced = self.lacks_event().then(|| {
            let started_by: Vec<String> = self.started_by.iter().map(|kind| format!("\"{kind}\"")).collect();
            let started_by =
                if started_by.is_empty() { "something unknown".to_owned() } else { started_by.join(" and ") };
            format!(
                "{from} to {to}: EC2's event about the stop did not start the move, but {started_by} did. See \"If the event \
                 did not start the move\" in docs/operator.md."
            )
        });
        let late = self.rows().into_iter().filter_map(|row| told(&row));
        self.problem.iter().cloned().chain(late).chain(unannounced).chain(blind).collect()
    }

    /// The moments as a table.
    pub fn table(&self) -> String {
        self.rows().iter().map(|row| row.line() + "\n").collect()
    }
}

impl Exercise {
    /// The result as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (position, leg) in self.legs.iter().enumerate() {
            text += &format!("{}\n{}\n", leg.heading(position), leg.table());
        }
        for problem in &self.problems {
            text += &format!("- {problem}\n");
        }
        text += &match self.result {
            Outcome::Held => format!("All of it held, in {}.\n", seconds(self.duration_ms)),
            Outcome::NotHeld => format!("Not all of it held, after {}.\n", seconds(self.duration_ms)),
        };
        text
    }
}
