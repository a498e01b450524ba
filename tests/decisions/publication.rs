//! Which reports are published regardless of earlier mails: a table of every outcome.

use token_failover::decide::publication::{Facts, is_due};
use token_failover::model::report::Outcome;

#[test]
fn each_outcome_is_published_only_for_its_own_reason() {
    let nothing = Facts::default();
    let requested = Facts { is_requested: true, ..nothing };
    let changed = Facts { has_changed: true, ..nothing };
    let audited = Facts { is_new_audit: true, ..nothing };
    let always = [true; 4];
    let never = [false; 4];
    let on_request_or_change = [false, true, true, false];
    let table = [
        (Outcome::Moved, always),
        (Outcome::Started, always),
        (Outcome::Repaired, always),
        (Outcome::Refused, on_request_or_change),
        (Outcome::Failed, on_request_or_change),
        (Outcome::Audited, [false, false, false, true]),
        (Outcome::NoAction, never),
        (Outcome::Planned, never),
        (Outcome::Ignored, never),
        (Outcome::Paused, never),
        (Outcome::Resumed, never),
        (Outcome::Resolved, never),
    ];
    for (outcome, expected) in table {
        let due = [nothing, requested, changed, audited].map(|facts| is_due(outcome, facts));
        assert_eq!(due, expected, "{outcome}");
    }
}
