//! The FEATURE and INCREMENT lines: which vendor daemon serves them, and for which period.
//!
//! These lines are the license itself, which is confidential. The reader keeps nothing of them but dates, whether they
//! are counted, and the vendor daemon if a VENDOR line names it, too.
//!
//! Source: License Administration Guide, *Publisher-Defined Required Keywords*.

use std::collections::HashMap;

use chrono::NaiveDate;
use serde::Serialize;

use crate::license::text::{is_key, key_and_value, words};

/// The license manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manager {
    /// FlexNet Publisher, with `lmgrd`.
    FlexNet,
    /// The Reprise License Manager, with `rlm`.
    Rlm,
}

/// A FEATURE or INCREMENT line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Feature {
    /// The number of the line.
    pub line: usize,
    /// The vendor daemon, in the spelling of its VENDOR line. `None`: no VENDOR line names it.
    pub vendor: Option<String>,
    /// The end of its validity.
    pub expires: Expiry,
    /// The first day on which it is valid, if the line names one.
    pub starts: Option<NaiveDate>,
    /// Whether another line of the same feature takes over at its end.
    pub renewed: bool,
    /// Whether no server counts it: it is for one machine, and needs no token server.
    pub uncounted: bool,
}

/// The end of a feature's validity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expiry {
    /// The last day on which it is valid.
    On(NaiveDate),
    /// It never expires.
    Never,
    /// The date could not be understood.
    Unknown,
}

/// A FEATURE or INCREMENT line as it is read, before all VENDOR lines are known.
pub(crate) struct FeatureLine {
    feature: Feature,
    daemon: String,
    name: String,
    adds: bool,
    is_understood: bool,
}

impl FeatureLine {
    /// Reads `FEATURE name vendor version expiry number [attribute]…`. An UPGRADE line has two versions. RLM calls the line
    /// LICENSE, and names the vendor first.
    pub(crate) fn from_line(line: usize, text: &str, manager: Manager) -> Option<Self> {
        let words = words(text).unwrap_or_else(|_| text.split_ascii_whitespace().map(str::to_owned).collect());
        let (keyword, rest) = words.split_first()?;
        let (first, second) = (rest.first()?, rest.get(1)?);
        let (name, daemon) = if manager == Manager::Rlm { (second, first) } else { (first, second) };
        let after_version = rest.get(if keyword.eq_ignore_ascii_case("UPGRADE") { 4 } else { 3 }..)?;
        let (expiry, after) = after_version.split_first()?;
        let (number, attributes) = after.split_first()?;
        let start = attributes.iter().find(|word| is_key(word, "START")).and_then(|word| key_and_value(word));
        let (starts, starts_at) = match start.map(|(_, date)| expiry_of(date)) {
            Some(Expiry::On(date)) => (Some(date), true),
            Some(Expiry::Unknown) => (None, false),
            Some(Expiry::Never) | None => (None, true),
        };
        let uncounted = number.eq_ignore_ascii_case("uncounted") || number == "0";
        let expires = expiry_of(expiry);
        let is_understood = expires != Expiry::Unknown && starts_at;
        let feature = Feature { line, vendor: None, expires, starts, renewed: false, uncounted };
        let adds = keyword.eq_ignore_ascii_case("INCREMENT");
        Some(Self { feature, daemon: daemon.clone(), name: name.clone(), adds, is_understood })
    }

    /// What the lines of one feature have in common.
    fn key(&self) -> (String, String) {
        (self.daemon.to_ascii_lowercase(), self.name.to_ascii_lowercase())
    }

    /// Whether the line names this vendor daemon.
    pub(crate) fn names(&self, daemon: &str) -> bool {
        self.daemon.eq_ignore_ascii_case(daemon)
    }

    /// Whether the dates were understood.
    pub(crate) fn is_understood(&self) -> bool {
        self.is_understood
    }

    /// The feature, once all names on VENDOR lines are known.
    pub(crate) fn of<'a>(self, mut daemons: impl Iterator<Item = &'a str>) -> Feature {
        let vendor = daemons.find(|daemon| self.names(daemon)).map(str::to_owned);
        Feature { vendor, ..self.feature }
    }
}

/// What is valid when a line of a feature ends, for each feature of a file.
///
/// Of several FEATURE lines of one feature, FlexNet uses one, and a line that begins later may replace another too early or
/// not at all. An INCREMENT line adds to the others. Source: License Administration Guide, *FEATURE and INCREMENT Lines*.
#[derive(Default)]
pub(crate) struct Renewals(HashMap<(String, String), Renewal>);

/// What is valid for one feature.
#[derive(Default)]
struct Renewal {
    /// The longest line without a start.
    longest: Option<Expiry>,
    /// The INCREMENT lines with a start, in the order of their starts, each with the longest so far.
    added: Vec<(NaiveDate, Expiry)>,
}

impl Renewals {
    pub(crate) fn of(lines: &[FeatureLine]) -> Self {
        let mut renewals = Self::default();
        for line in lines.iter().filter(|line| line.feature.expires != Expiry::Unknown) {
            let renewal = renewals.0.entry(line.key()).or_default();
            match line.feature.starts {
                None => renewal.longest = renewal.longest.max(Some(line.feature.expires)),
                Some(start) if line.adds => renewal.added.push((start, line.feature.expires)),
                Some(_) => {}
            }
        }
        for renewal in renewals.0.values_mut() {
            renewal.added.sort_unstable();
            let mut longest = None;
            for (_, expires) in &mut renewal.added {
                longest = longest.max(Some(*expires));
                *expires = longest.unwrap_or(*expires);
            }
        }
        renewals
    }

    /// Whether another line of the same feature takes over at the end of this one.
    pub(crate) fn renew(&self, line: &FeatureLine) -> bool {
        let (Expiry::On(end), Some(renewal)) = (line.feature.expires, self.0.get(&line.key())) else { return false };
        let in_time = renewal.added.partition_point(|(start, _)| Some(*start) <= end.succ_opt());
        let added = in_time.checked_sub(1).and_then(|index| renewal.added.get(index)).map(|(_, expires)| *expires);
        renewal.longest.max(added) > Some(line.feature.expires)
    }
}

/// Reads `dd-mmm-yyyy`, `permanent`, or a date with the year 0, which is permanent. Two digits of a year are read as
/// POSIX does: 69 to 99 are in the 20th century.
fn expiry_of(word: &str) -> Expiry {
    let is_zero = |text: &str| !text.is_empty() && text.bytes().all(|b| b == b'0');
    if word.eq_ignore_ascii_case("permanent") || is_zero(word) {
        return Expiry::Never;
    }
    let mut parts = word.split('-');
    let (Some(day), Some(month), Some(year), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Expiry::Unknown;
    };
    let is_number =
        |text: &str, digits: usize| (1..=digits).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(day, 2) || !is_number(year, 4) || year.len() == 3 && !is_zero(year) {
        return Expiry::Unknown;
    }
    if is_zero(year) {
        return Expiry::Never;
    }
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let month = MONTHS.iter().zip(1..).find(|(name, _)| name.eq_ignore_ascii_case(month)).map(|(_, number)| number);
    let date = || {
        let year: i32 = year.parse().ok()?;
        let century = match year {
            0..=68 => 2000,
            69..=99 => 1900,
            _ => 0,
        };
        NaiveDate::from_ymd_opt(century + year, month?, day.parse().ok()?)
    };
    date().map_or(Expiry::Unknown, Expiry::On)
}
