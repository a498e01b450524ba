//! The findings of the FEATURE and INCREMENT lines: which features are served, and until when.

use chrono::{Days, NaiveDate};
use token_failover::decide::validity::{ATTENTION_DAYS, days_left, severity};
use token_failover::model::finding::{Finding, FindingCode, Severity};

use crate::license::feature::{Expiry, Feature};
use crate::license::file::{License, MOSEK, MOSEK_SUPPORT};
use crate::license::problem::line;

impl License {
    /// The day on which the first of the valid features expires that no other line renews. If all have expired: the day on
    /// which the last one did. `None`: none of them expires.
    pub fn expires(&self, today: NaiveDate) -> Option<NaiveDate> {
        let served = || self.features.iter().filter(|feature| self.is_to_serve(feature));
        let ends = served().filter(|feature| !feature.renewed).filter_map(last_day);
        let next = ends.filter(|date| *date >= today).min();
        let is_valid = served().any(|feature| last_day(feature).is_none_or(|date| date >= today));
        next.or_else(|| served().filter_map(last_day).max().filter(|_| !is_valid))
    }

    /// Whether the token server has to serve the feature. An uncounted one needs no server, and a daemon that no line names
    /// is not started.
    fn is_to_serve(&self, feature: &Feature) -> bool {
        let is_started = feature.vendor.is_some() || self.vendors.is_empty() || !self.faults.is_empty();
        is_started && !feature.uncounted
    }

    /// Whether clients can get at least one feature on this day.
    fn serves_on(&self, today: NaiveDate) -> bool {
        let is_valid = |feature: &Feature| {
            let has_started = feature.starts.is_none_or(|date| date <= today);
            has_started && last_day(feature).is_none_or(|date| date >= today)
        };
        self.features.iter().any(|feature| self.is_to_serve(feature) && is_valid(feature))
    }
}

fn last_day(feature: &Feature) -> Option<NaiveDate> {
    match feature.expires {
        Expiry::On(date) => Some(date),
        Expiry::Never | Expiry::Unknown => None,
    }
}

/// The findings on this day.
pub(crate) fn findings(license: &License, today: NaiveDate) -> Vec<Finding> {
    // A line that was left out may be a feature, or name its vendor daemon.
    let is_complete = license.faults.is_empty();
    let mut findings = Vec::new();
    if license.features.is_empty() {
        if is_complete && !license.servers.is_empty() {
            findings.push(no_feature(license));
        }
        return findings;
    }
    let severity = if license.serves_on(today) { Severity::Warning } else { Severity::Critical };
    let without_vendor = without_vendor(license).filter(|_| is_complete && !license.vendors.is_empty());
    let of_today = [without_vendor, expired(license, today), not_started(license, today)];
    findings.extend(of_today.into_iter().flatten().map(|finding| finding.as_severe_as(severity)));
    findings.extend(expires_soon(license, today));
    findings
}

fn no_feature(license: &License) -> Finding {
    Finding::new(
        FindingCode::NoFeatureLine,
        "license file",
        "The file has no FEATURE or INCREMENT line, so the token server has nothing to serve.".to_owned(),
        format!("Save the whole file from the vendor's mail, or ask {} to send it again.", license.contact()),
    )
}

/// A part of the features, as the subject of a sentence.
struct Part {
    subject: String,
    is_one: bool,
    /// The line of its first feature.
    line: usize,
    contact: &'static str,
}

impl Part {
    fn of(license: &License, is_meant: impl Fn(&Feature) -> bool) -> Option<Self> {
        let meant: Vec<&Feature> = license.features.iter().filter(|feature| is_meant(feature)).collect();
        let first = meant.first()?;
        let (some, all) = (meant.len(), license.features.len());
        let subject = match (some, all) {
            (1, 1) => "The only feature".to_owned(),
            (some, all) if some == all => format!("All {all} features"),
            (some, all) => format!("{some} of {all} features"),
        };
        let contact = contact_for(meant.iter().map(|feature| feature.vendor.as_deref()), license);
        Some(Self { subject, is_one: some == 1, line: first.line, contact })
    }

    fn finding(&self, code: FindingCode, one: &str, several: &str, remedy: String) -> Finding {
        let predicate = if self.is_one { one } else { several };
        Finding::new(code, line(self.line), format!("{} {predicate}.", self.subject), remedy)
    }
}

/// The license vendor of features of these vendor daemons.
fn contact_for<'a>(mut daemons: impl Iterator<Item = Option<&'a str>>, license: &License) -> &'static str {
    let is_mosek = |daemon: Option<&str>| daemon.is_some_and(|daemon| daemon.eq_ignore_ascii_case(MOSEK));
    if daemons.all(is_mosek) { MOSEK_SUPPORT } else { license.contact() }
}

fn without_vendor(license: &License) -> Option<Finding> {
    let part = Part::of(license, |feature| feature.vendor.is_none())?;
    Some(part.finding(
        FindingCode::FeatureWithoutVendor,
        "belongs to a vendor daemon that no VENDOR line names, so the token server does not serve it",
        "belong to a vendor daemon that no VENDOR line names, so the token server does not serve them",
        "Add the VENDOR line of that vendor daemon, with a port of its own, or compare the file with the one that the vendor \
         sent."
            .to_owned(),
    ))
}

fn expired(license: &License, today: NaiveDate) -> Option<Finding> {
    let expired = |feature: &Feature| {
        let is_meant = license.is_to_serve(feature) && !feature.renewed;
        last_day(feature).filter(|date| is_meant && *date < today)
    };
    let part = Part::of(license, |feature| expired(feature).is_some())?;
    let latest = license.features.iter().filter_map(expired).max()?;
    Some(part.finding(
        FindingCode::LicenseExpired,
        &format!("expired on {latest}"),
        &format!("have expired, the last on {latest}"),
        format!("If clients need what has expired, ask {} for a new license.", part.contact),
    ))
}

/// It is critical in the last days only if nothing else stays valid.
fn expires_soon(license: &License, today: NaiveDate) -> Option<Finding> {
    let is_soon = |date: &NaiveDate| *date >= today && severity(days_left(*date, today)).is_some();
    let ends = |feature: &Feature| {
        last_day(feature).filter(is_soon).filter(|_| license.is_to_serve(feature) && !feature.renewed)
    };
    let part = Part::of(license, |feature| ends(feature).is_some())?;
    let earliest = license.features.iter().filter_map(ends).min()?;
    let finding = part.finding(
        FindingCode::LicenseExpiresSoon,
        &format!("expires on {earliest}"),
        &format!("expire within {ATTENTION_DAYS} days, the first on {earliest}"),
        format!("Ask {} for a new license, and put it on every member.", part.contact),
    );
    let stays = license.serves_on(today.checked_add_days(Days::new(ATTENTION_DAYS.unsigned_abs()))?);
    let by_date = severity(days_left(earliest, today))?;
    Some(finding.as_severe_as(if stays { Severity::Warning } else { by_date }))
}

fn not_started(license: &License, today: NaiveDate) -> Option<Finding> {
    let starts = |feature: &Feature| feature.starts.filter(|date| license.is_to_serve(feature) && *date > today);
    let part = Part::of(license, |feature| starts(feature).is_some())?;
    let earliest = license.features.iter().filter_map(starts).min()?;
    Some(part.finding(
        FindingCode::LicenseNotStarted,
        &format!("is not valid before {earliest}"),
        &format!("are not valid yet; the first becomes valid on {earliest}"),
        "Keep the former license in use until then.".to_owned(),
    ))
}
