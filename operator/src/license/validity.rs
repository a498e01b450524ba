//! The findings of the FEATURE and INCREMENT lines: which features are served, and until when.

use chrono::NaiveDate;
use token_failover::decide::validity::{ATTENTION_DAYS, days_left, severity};
use token_failover::model::finding::{Finding, FindingCode, Severity};

use crate::license::feature::{Expiry, Feature};
use crate::license::file::License;
use crate::license::problem::line;

impl License {
    /// The day on which the first of the valid features expires. If all have expired: the day on which the last one did.
    /// `None`: none of them expires.
    pub fn expires(&self, today: NaiveDate) -> Option<NaiveDate> {
        let dates = || self.features.iter().filter_map(last_day);
        let next = dates().filter(|date| *date >= today).min();
        let is_served = self.features.iter().any(|feature| last_day(feature).is_none_or(|date| date >= today));
        next.or_else(|| dates().max().filter(|_| !is_served))
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
    if is_complete && !license.vendors.is_empty() {
        findings.extend(without_vendor(license));
    }
    findings.extend(expired(license, today));
    findings.extend(expires_soon(license, today));
    findings.extend(not_started(license, today));
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
    is_all: bool,
    /// The line of its first feature.
    line: usize,
}

impl Part {
    fn of(license: &License, is_meant: impl Fn(&Feature) -> bool) -> Option<Self> {
        let mut meant = license.features.iter().filter(|feature| is_meant(feature));
        let first = meant.next()?;
        let (some, all) = (1 + meant.count(), license.features.len());
        let subject = match (some, all) {
            (1, 1) => "The only feature".to_owned(),
            (some, all) if some == all => format!("All {all} features"),
            (some, all) => format!("{some} of {all} features"),
        };
        Some(Self { subject, is_one: some == 1, is_all: some == all, line: first.line })
    }

    /// The finding about it. It is critical if it is about all features.
    fn finding(&self, code: FindingCode, one: &str, several: &str, remedy: String) -> Finding {
        let predicate = if self.is_one { one } else { several };
        let severity = if self.is_all { Severity::Critical } else { Severity::Warning };
        Finding::new(code, line(self.line), format!("{} {predicate}.", self.subject), remedy).as_severe_as(severity)
    }
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
    let expired = |feature: &Feature| last_day(feature).filter(|date| *date < today);
    let part = Part::of(license, |feature| expired(feature).is_some())?;
    let latest = license.features.iter().filter_map(expired).max()?;
    Some(part.finding(
        FindingCode::LicenseExpired,
        &format!("expired on {latest}"),
        &format!("have expired, the last on {latest}"),
        format!("If clients need what has expired, ask {} for a new license.", license.contact()),
    ))
}

fn expires_soon(license: &License, today: NaiveDate) -> Option<Finding> {
    let is_soon = |date: &NaiveDate| *date >= today && severity(days_left(*date, today)).is_some();
    let ends = |feature: &Feature| last_day(feature).filter(is_soon);
    let part = Part::of(license, |feature| ends(feature).is_some())?;
    let earliest = license.features.iter().filter_map(ends).min()?;
    let finding = part.finding(
        FindingCode::LicenseExpiresSoon,
        &format!("expires on {earliest}"),
        &format!("expire within {ATTENTION_DAYS} days, the first on {earliest}"),
        format!("Ask {} for a new license, and put it on every member.", license.contact()),
    );
    Some(finding.as_severe_as(severity(days_left(earliest, today))?))
}

fn not_started(license: &License, today: NaiveDate) -> Option<Finding> {
    let starts = |feature: &Feature| feature.starts.filter(|date| *date > today);
    let part = Part::of(license, |feature| starts(feature).is_some())?;
    let earliest = license.features.iter().filter_map(starts).min()?;
    Some(part.finding(
        FindingCode::LicenseNotStarted,
        &format!("is not valid before {earliest}"),
        &format!("are not valid yet; the first becomes valid on {earliest}"),
        "Keep the former license in use until then.".to_owned(),
    ))
}
