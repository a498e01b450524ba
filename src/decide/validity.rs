//! How long a license is valid, and when that needs attention. Pure.

use chrono::NaiveDate;

use crate::model::finding::Severity;

/// How many days before its end a license needs attention.
pub const ATTENTION_DAYS: i64 = 30;
/// How many days before its end a license needs attention at once.
const AT_ONCE_DAYS: i64 = 7;

/// The days left after this day, 0 on the last day, and negative once the license has expired. FlexNet's dates name the
/// last day on which a license is valid.
pub fn days_left(last_day: NaiveDate, today: NaiveDate) -> i64 {
    last_day.signed_duration_since(today).num_days()
}

/// Whether the license's last day is over.
pub fn has_expired(last_day: NaiveDate, today: NaiveDate) -> bool {
    days_left(last_day, today) < 0
}

/// How bad it is that a license ends in so many days; `None`: no finding yet.
pub fn severity(days_left: i64) -> Option<Severity> {
    if days_left <= AT_ONCE_DAYS {
        Some(Severity::Critical)
    } else {
        (days_left <= ATTENTION_DAYS).then_some(Severity::Warning)
    }
}
