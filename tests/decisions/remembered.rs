//! What the interface remembers besides pending reports: moves, failed starts, limits, announcements.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use proptest::prelude::*;
use simulator::names::{HOLDER, STANDBY, THIRD};
use token_failover::decide::remembered::{Remembered, announced_with};
use token_failover::model::ids::InstanceId;
use token_failover::model::observation::InterfaceLimits;
use token_failover::model::tags::{LIMITS, MOVES, NOT_STARTED, REFUSED};

use crate::world::{instance_id, now, parsed};

/// Reads these tags.
fn read(tags: &[(&str, &str)]) -> Remembered {
    Remembered::read(&tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
}

/// Whether the string can be the value of a tag.
fn is_fit(value: &str) -> bool {
    value.len() <= 256 && value.chars().all(|c| c.is_ascii_alphanumeric() || " +-=._:/@".contains(c))
}

#[test]
fn the_last_published_refusal_is_remembered_unchanged() {
    assert_eq!(
        read(&[(REFUSED, "no-viable-standby")]),
        Remembered { refused: Some("no-viable-standby".to_owned()), ..Remembered::default() }
    );
}

// ---- The automatic moves ----

#[test]
fn moves_count_for_an_hour_in_any_order() {
    let remembered = read(&[(MOVES, "2026-11-11T21:00:00Z 2026-11-11T20:29:54Z  soon 2026-11-11T20:29:55Z")]);
    let times =
        ["2026-11-11T20:29:54Z", "2026-11-11T20:29:55Z", "2026-11-11T21:00:00Z"].map(parsed::<DateTime<Utc>>).to_vec();
    assert_eq!(remembered, Remembered { moves: times.clone(), ..Remembered::default() });
    assert_eq!(remembered.recent_moves(now()), times[1..]);
}

#[test]
fn a_new_move_drops_the_moves_that_no_longer_count() {
    let remembered = read(&[(MOVES, "2026-11-11T20:29:54Z 2026-11-11T21:00:00Z")]);
    assert_eq!(remembered.moves_with(now()), "2026-11-11T21:00:00Z 2026-11-11T21:29:54Z");
    assert_eq!(Remembered::default().moves_with(now()), "2026-11-11T21:29:54Z");
}

#[test]
fn failed_starts_in_a_row_are_at_most_an_hour_apart_and_kept_for_a_day() {
    let ago = |minutes| (now() - TimeDelta::minutes(minutes)).to_rfc3339_opts(SecondsFormat::Secs, true);
    let at_once = now().to_rfc3339_opts(SecondsFormat::Secs, true);
    for (before, failed, expected) in [
        (String::new(), vec![HOLDER], format!("{HOLDER}=1@{at_once}")),
        (format!("{HOLDER}=2@{}", ago(59)), vec![HOLDER], format!("{HOLDER}=3@{at_once}")),
        (format!("{HOLDER}=2@{}", ago(60)), vec![HOLDER], format!("{HOLDER}=1@{at_once}")),
        (format!("{HOLDER}=99@{}", ago(1)), vec![HOLDER], format!("{HOLDER}=99@{at_once}")),
        (
            format!("{HOLDER}=2@{} {STANDBY}=1@{}", ago(24 * 60 - 1), ago(24 * 60)),
            vec![THIRD],
            format!("{THIRD}=1@{at_once} {HOLDER}=2@{}", ago(24 * 60 - 1)),
        ),
        ("nonsense i-1=x@y".to_owned(), vec![HOLDER], format!("{HOLDER}=1@{at_once}")),
    ] {
        let failed: Vec<InstanceId> = failed.into_iter().map(parsed).collect();
        assert_eq!(read(&[(NOT_STARTED, &before)]).not_started_with(&failed, now()), expected, "{before}");
    }
}

#[test]
fn the_five_members_that_failed_to_start_last_are_remembered() {
    let member = |number: i64| parsed::<InstanceId>(&format!("i-{number:017}"));
    let mut value = String::new();
    for number in 1..=7 {
        value = read(&[(NOT_STARTED, &value)]).not_started_with([&member(number)], now() + TimeDelta::seconds(number));
    }
    let remembered: Vec<InstanceId> = read(&[(NOT_STARTED, &value)]).not_started.into_keys().collect();
    assert_eq!(remembered, (3..=7).map(member).collect::<Vec<_>>());
    assert!(is_fit(&value), "{value}");
}

#[test]
fn at_most_the_twelve_latest_moves_are_remembered() {
    let mut remembered = Remembered::default();
    for minute in 0..20 {
        let value = remembered.moves_with(now() + TimeDelta::minutes(minute));
        remembered = read(&[(MOVES, &value)]);
    }
    let latest: Vec<DateTime<Utc>> = (8..20).map(|minute| now() + TimeDelta::minutes(minute)).collect();
    assert_eq!(remembered, Remembered { moves: latest, ..Remembered::default() });
}

#[test]
fn limits_are_read_from_and_written_to_their_tag() {
    let limits = |total, first_card| InterfaceLimits { total, first_card };
    let known = [("t3.micro", limits(2, 2)), ("p4d.24xlarge", limits(60, 15)), ("u-6tb1.metal", limits(5, 5))];
    let known: BTreeMap<String, InterfaceLimits> = known.map(|(name, limits)| (name.to_owned(), limits)).into();
    let value = "t3.micro=2 p4d.24xlarge=15/60 u-6tb1.metal=5";
    assert_eq!(read(&[(LIMITS, value)]), Remembered { limits: known.clone(), ..Remembered::default() });
    for damaged in ["", " ", "t3.micro", "=2", "t3.micro=", "t3.micro=0", "t3.micro=-1", "t3.micro=2/0", "t3.micro=two"]
    {
        assert_eq!(read(&[(LIMITS, damaged)]), Remembered::default(), "{damaged:?}");
    }

    let learned = BTreeMap::from([("t3.micro".to_owned(), limits(3, 3))]);
    let written = read(&[(LIMITS, value)]).limits_with(&learned);
    assert_eq!(written, "t3.micro=3 p4d.24xlarge=15/60 u-6tb1.metal=5");
}

#[test]
fn a_full_tag_keeps_the_newest_limits() {
    let limits = |n: u32| (format!("u7in-{n}tb.224xlarge"), InterfaceLimits { total: 60, first_card: 15 });
    let many = Remembered { limits: (0..40).map(limits).collect(), ..Remembered::default() };
    let learned = BTreeMap::from([limits(99)]);
    let value = many.limits_with(&learned);
    assert!(is_fit(&value) && value.starts_with("u7in-99tb.224xlarge=15/60 "), "{value}");
    let kept = read(&[(LIMITS, &value)]).limits;
    assert_eq!(kept.len(), value.split(' ').count(), "no word is cut: {value}");
}

// ---- Announcements ----

/// Any members of the standard pair, with some of the codes and some dates.
fn any_announcement() -> impl Strategy<Value = (&'static str, Option<DateTime<Utc>>, Vec<InstanceId>)> {
    let code = prop::sample::select(vec![
        "retirement-scheduled",
        "termination-scheduled",
        "stop-scheduled",
        "reboot-scheduled",
        "maintenance-scheduled",
    ]);
    let date = prop::option::of((0_i64..4).prop_map(|day| now() + TimeDelta::days(day)));
    let members = prop::sample::subsequence(vec![HOLDER, STANDBY, THIRD], 1..=3);
    (code, date, members.prop_map(|members| members.into_iter().map(instance_id).collect()))
}

proptest! {
    #[test]
    fn each_announcement_is_remembered_once_within_the_size_of_a_tag(
        announcements in prop::collection::vec(any_announcement(), 1..12),
        before in prop::option::of("[ -~]{0,300}"),
    ) {
        let mut tag = before;
        for (code, date, members) in &announcements {
            let after = announced_with(tag.as_deref(), code, *date, members);
            prop_assert!(after.len() <= 256, "{}", after);
            prop_assert_eq!(&announced_with(Some(&after), code, *date, members), &after);
            tag = Some(after);
        }
    }
}

#[test]
fn the_latest_date_of_each_kind_of_announcement_is_remembered_for_each_member() {
    let [holder, standby] = [HOLDER, STANDBY].map(instance_id);
    let (first, later) = (Some(parsed("2026-11-26T13:00:00Z")), Some(parsed("2026-12-03T13:00:00Z")));
    let both = announced_with(None, "stop-scheduled", first, &[holder.clone(), standby.clone()]);
    assert_eq!(both, "i-0aaaaaaaaaaaaaaa1/stop/20261126T1300Z i-0bbbbbbbbbbbbbbb2/stop/20261126T1300Z");
    // One of the members alone, on another page or again, is not news.
    assert_eq!(announced_with(Some(&both), "stop-scheduled", first, std::slice::from_ref(&standby)), both);
    let postponed = announced_with(Some(&both), "stop-scheduled", later, std::slice::from_ref(&holder));
    assert_eq!(postponed, "i-0bbbbbbbbbbbbbbb2/stop/20261126T1300Z i-0aaaaaaaaaaaaaaa1/stop/20261203T1300Z");
    let other = announced_with(Some(&postponed), "reboot-scheduled", None, std::slice::from_ref(&holder));
    assert_eq!(other, format!("{postponed} i-0aaaaaaaaaaaaaaa1/reboot/undated"));
    // A value that the function has not written means nothing.
    assert_eq!(
        announced_with(Some("i-0aaaaaaaaaaaaaaa1 2026-11-26T13:00:00Z"), "stop-scheduled", first, &[standby]),
        "i-0bbbbbbbbbbbbbbb2/stop/20261126T1300Z"
    );
}
