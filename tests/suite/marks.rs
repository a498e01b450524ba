//! Marks: what the interface remembers, and what has become of it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use simulator::names::{ATTACHMENT, HOLDER, STANDBY, STRANGER};
use token_failover::ids::{AttachmentId, InstanceId};
use token_failover::marks::{Change as Owed, Debt, MOVES, Marks, NAMESPACE, REFUSED, Standing, standings, tag_value};
use token_failover::observation::{Attachment, AttachmentStatus, NetworkInterface};

use crate::world::{attachment, instance_id, interface, now, parsed};

const DEADLINE: &str = "2026-11-11T21:34:54Z";

/// What is remembered by these tags.
fn read(tags: &[(&str, &str)]) -> Marks {
    Marks::read(&tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
}

fn owed(debt: Debt) -> Marks {
    Marks { debts: vec![debt], ..Marks::default() }
}

/// The debt of a move from the holder to the standby.
fn move_debt() -> Debt {
    Debt::of_move(Some(&attachment()), &parsed(STANDBY), now(), parsed(DEADLINE))
}

/// The debt of attaching an interface that was attached to nothing.
fn attach_debt() -> Debt {
    Debt::of_move(None, &parsed(STANDBY), now(), parsed(DEADLINE))
}

fn repair_debt() -> Debt {
    let what = vec!["elastic-ip".to_owned(), "delete-on-termination".to_owned()];
    Debt::of_repairs(what, now(), parsed(DEADLINE))
}

// ---- Written and read ----

#[test]
fn a_debt_is_a_tag_that_a_person_can_read() {
    let tags: Vec<(String, String)> = [move_debt(), attach_debt(), repair_debt(), move_debt().handed_over(None)]
        .into_iter()
        .map(|debt| (debt.key.clone(), debt.value()))
        .collect();
    let expected = [
        (
            "token-failover:owed:eni-attach-0aaaaaaaaaaaaaaa1",
            "from=i-0aaaaaaaaaaaaaaa1 to=i-0bbbbbbbbbbbbbbb2 started=2026-11-11T21:29:54Z busy-until=2026-11-11T21:34:54Z",
        ),
        (
            "token-failover:owed:detached",
            "to=i-0bbbbbbbbbbbbbbb2 started=2026-11-11T21:29:54Z busy-until=2026-11-11T21:34:54Z",
        ),
        (
            "token-failover:owed:repair",
            "repair=elastic-ip+delete-on-termination started=2026-11-11T21:29:54Z busy-until=2026-11-11T21:34:54Z",
        ),
        (
            "token-failover:owed:eni-attach-0aaaaaaaaaaaaaaa1",
            "from=i-0aaaaaaaaaaaaaaa1 to=i-0bbbbbbbbbbbbbbb2 started=2026-11-11T21:29:54Z",
        ),
    ];
    assert_eq!(tags, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
}

#[test]
fn a_debt_is_read_as_it_was_written() {
    for debt in
        [move_debt(), attach_debt(), repair_debt(), move_debt().handed_over(None), repair_debt().handed_over(None)]
    {
        assert_eq!(read(&[(&debt.key, &debt.value())]), owed(debt));
    }
}

#[test]
fn debts_of_different_departures_do_not_disturb_each_other() {
    let elsewhere = Attachment { id: AttachmentId::new("eni-attach-0bbbbbbbbbbbbbbb2"), ..attachment() };
    let later = Debt::of_move(Some(&elsewhere), &parsed(HOLDER), now(), parsed(DEADLINE));
    let debts = vec![attach_debt(), move_debt(), later, repair_debt()];
    let tags: BTreeMap<String, String> = debts.iter().map(|debt| (debt.key.clone(), debt.value())).collect();
    assert_eq!(Marks::read(&tags), Marks { debts, ..Marks::default() });
}

#[test]
fn a_debt_whose_value_cannot_be_understood_is_owed_all_the_same() {
    let garbage =
        ["", "=", "from= to=", "from=holder to=eni-1 started=yesterday busy-until=never", "\u{1F4A5}", "from"];
    for value in garbage {
        let unknown = Owed::Move { departed: Some(AttachmentId::new(ATTACHMENT)), from: None, to: None };
        let key = move_debt().key;
        assert_eq!(
            read(&[(&key, value)]),
            owed(Debt { key, change: unknown, started: None, busy_until: None }),
            "{value:?}"
        );

        let unknown = Owed::Move { departed: None, from: None, to: None };
        let key = attach_debt().key;
        assert_eq!(
            read(&[(&key, value)]),
            owed(Debt { key, change: unknown, started: None, busy_until: None }),
            "{value:?}"
        );

        let unknown = Owed::Repair { what: Vec::new() };
        let key = repair_debt().key;
        assert_eq!(
            read(&[(&key, value)]),
            owed(Debt { key, change: unknown, started: None, busy_until: None }),
            "{value:?}"
        );
    }
}

#[test]
fn what_can_be_understood_of_a_damaged_debt_is_kept() {
    let key = move_debt().key;
    let marks = read(&[(&key, "  to=i-0bbbbbbbbbbbbbbb2 from=? color=blue started=2026-11-11T21:29:54Z")]);
    let change = Owed::Move { departed: Some(AttachmentId::new(ATTACHMENT)), from: None, to: Some(parsed(STANDBY)) };
    assert_eq!(marks, owed(Debt { key, change, started: Some(now()), busy_until: None }));
}

#[test]
fn other_tags_mean_nothing() {
    assert_eq!(read(&[]), Marks::default());
    let others = [
        ("Name", "license"),
        ("token-failover", "x"),
        ("token-failover:owe", "x"),
        ("Token-Failover:moves", "2026-11-11T21:29:54Z"),
    ];
    assert_eq!(read(&others), Marks::default());
}

#[test]
fn the_refusal_that_was_published_last_is_remembered_as_it_was_written() {
    assert_eq!(
        read(&[(REFUSED, "no-viable-standby")]),
        Marks { refused: Some("no-viable-standby".to_owned()), ..Marks::default() }
    );
}

// ---- What has become of a debt ----

/// What has become of the debt once nobody works on it anymore.
fn standing(debt: &Debt, interface: &NetworkInterface) -> Standing {
    debt.standing(parsed(DEADLINE), interface, &[parsed(HOLDER), parsed(STANDBY)])
}

/// The interface, attached anew to an instance or to something that is none.
fn on(holder: Option<&str>, status: AttachmentStatus) -> NetworkInterface {
    let id = AttachmentId::new("eni-attach-0bbbbbbbbbbbbbbb2");
    let attachment = Attachment { id, instance_id: holder.map(instance_id), status, ..attachment() };
    NetworkInterface { attachment: Some(attachment), ..interface() }
}

fn on_nothing() -> NetworkInterface {
    NetworkInterface { attachment: None, ..interface() }
}

/// The interface on the attachment from which it was about to depart.
fn where_it_was(status: AttachmentStatus) -> NetworkInterface {
    NetworkInterface { attachment: Some(Attachment { status, ..attachment() }), ..interface() }
}

use AttachmentStatus::{Attached, Attaching, Detached, Detaching};

#[test]
fn until_its_deadline_a_run_may_still_report_what_it_owes() {
    let members = [parsed(HOLDER), parsed(STANDBY)];
    let just_before: DateTime<Utc> = parsed::<DateTime<Utc>>(DEADLINE) - TimeDelta::nanoseconds(1);
    for debt in [move_debt(), attach_debt(), repair_debt()] {
        for interface in
            [on_nothing(), where_it_was(Attached), on(Some(STANDBY), Attached), on(Some(STRANGER), Attached)]
        {
            assert_eq!(debt.standing(just_before, &interface, &members), Standing::Busy, "{debt:?}");
            assert_ne!(debt.standing(parsed(DEADLINE), &interface, &members), Standing::Busy, "{debt:?}");
            assert_ne!(
                debt.clone().handed_over(None).standing(now(), &interface, &members),
                Standing::Busy,
                "{debt:?}"
            );
        }
    }
}

#[test]
fn a_debt_that_is_handed_over_waits_only_for_yet_another_run() {
    let others: DateTime<Utc> = now() + TimeDelta::seconds(30);
    let members = [parsed(HOLDER), parsed(STANDBY)];
    for debt in [move_debt(), repair_debt()] {
        let handed_over = debt.clone().handed_over(Some(others));
        assert_eq!(handed_over, Debt { busy_until: Some(others), ..debt });
        let standing = |time| handed_over.standing(time, &on(Some(STANDBY), Attached), &members);
        assert_eq!((standing(now()), standing(others)), (Standing::Busy, Standing::Due));
    }
}

#[test]
fn a_move_is_open_while_the_interface_is_between_two_attachments() {
    let arriving = on(Some(STANDBY), Attaching);
    for interface in
        [on_nothing(), where_it_was(Detaching), where_it_was(Detached), on(Some(STANDBY), Detaching), arriving]
    {
        assert_eq!(
            [standing(&move_debt(), &interface), standing(&attach_debt(), &interface)],
            [Standing::Open, Standing::Open]
        );
    }
}

#[test]
fn a_move_is_due_once_the_interface_is_on_a_member_by_another_attachment() {
    for interface in [on(Some(STANDBY), Attached), on(Some(HOLDER), Attached)] {
        assert_eq!(
            [standing(&move_debt(), &interface), standing(&attach_debt(), &interface)],
            [Standing::Due, Standing::Due]
        );
    }
}

#[test]
fn a_move_that_never_left_is_void() {
    assert_eq!(standing(&move_debt(), &where_it_was(Attached)), Standing::Void);
}

#[test]
fn what_a_stranger_did_with_the_interface_is_no_move() {
    for interface in [on(Some(STRANGER), Attached), on(None, Attached)] {
        assert_eq!(
            [standing(&move_debt(), &interface), standing(&attach_debt(), &interface)],
            [Standing::Void, Standing::Void]
        );
    }
}

#[test]
fn a_repair_is_due_wherever_the_interface_is() {
    for interface in [on_nothing(), where_it_was(Attached), where_it_was(Detaching), on(Some(STRANGER), Attached)] {
        assert_eq!(standing(&repair_debt(), &interface), Standing::Due);
    }
}

#[test]
fn a_debt_that_cannot_be_understood_is_due_once_the_interface_is_elsewhere() {
    let marks = read(&[(&move_debt().key, "garbage")]);
    assert_eq!(standing(&marks.debts[0], &on(Some(STANDBY), Attached)), Standing::Due);
    assert_eq!(standing(&marks.debts[0], &where_it_was(Attached)), Standing::Void);
}

// ---- Several debts ----

/// The debt of a move from this instance by this attachment, so many seconds after the first.
fn later_debt(attachment_id: &str, from: &str, seconds: i64) -> Debt {
    let left = Attachment { id: AttachmentId::new(attachment_id), instance_id: Some(parsed(from)), ..attachment() };
    Debt::of_move(Some(&left), &parsed(HOLDER), now() + TimeDelta::seconds(seconds), parsed(DEADLINE))
}

/// What has become of the debts once nobody works on them anymore, with the instances to which the moves went.
fn outcomes(debts: &[&Debt], interface: &NetworkInterface) -> Vec<(Debt, Standing, Option<InstanceId>)> {
    let debts = debts.iter().map(|debt| (*debt).clone()).collect();
    standings(debts, parsed(DEADLINE), interface, &[parsed(HOLDER), parsed(STANDBY)])
}

const LATER: &str = "eni-attach-0bbbbbbbbbbbbbbb2";
const LATEST: &str = "eni-attach-0ccccccccccccccc3";

/// The interface on this instance by the third attachment.
fn finally_on(holder: &str) -> NetworkInterface {
    let attachment = Attachment { id: AttachmentId::new(LATEST), instance_id: Some(parsed(holder)), ..attachment() };
    NetworkInterface { attachment: Some(attachment), ..interface() }
}

#[test]
fn a_single_debt_went_to_where_the_interface_is() {
    let debt = move_debt();
    let outcome = |standing, to: Option<&str>| vec![(debt.clone(), standing, to.map(instance_id))];
    assert_eq!(outcomes(&[&debt], &on(Some(STANDBY), Attached)), outcome(Standing::Due, Some(STANDBY)));
    assert_eq!(outcomes(&[&debt], &on_nothing()), outcome(Standing::Open, None));
    assert_eq!(outcomes(&[&debt], &where_it_was(Attached)), outcome(Standing::Void, Some(HOLDER)));
}

#[test]
fn a_later_departure_tells_where_an_earlier_move_went_even_while_the_interface_is_on_its_way() {
    let (first, second) = (move_debt(), later_debt(LATER, STANDBY, 60));
    for order in [[&first, &second], [&second, &first]] {
        let expected = [
            (first.clone(), Standing::Due, Some(parsed(STANDBY))),
            (second.clone(), Standing::Due, Some(parsed(HOLDER))),
        ];
        assert_eq!(outcomes(&order, &finally_on(HOLDER)), expected);
        let expected = [(first.clone(), Standing::Due, Some(parsed(STANDBY))), (second.clone(), Standing::Open, None)];
        assert_eq!(outcomes(&order, &on_nothing()), expected);
    }
}

#[test]
fn an_attach_of_what_was_attached_to_nothing_went_to_where_it_left_from_next() {
    let (first, second) = (attach_debt(), later_debt(LATER, STANDBY, 60));
    let expected = [(first.clone(), Standing::Due, Some(parsed(STANDBY))), (second.clone(), Standing::Open, None)];
    assert_eq!(outcomes(&[&first, &second], &on_nothing()), expected);
}

#[test]
fn a_move_after_which_the_interface_left_the_same_instance_again_is_no_move_yet() {
    let (first, second) = (move_debt(), later_debt(LATER, HOLDER, 60));
    let standings: Vec<Standing> =
        outcomes(&[&first, &second], &on_nothing()).into_iter().map(|(_, standing, _)| standing).collect();
    assert_eq!(standings, [Standing::Open, Standing::Open]);
}

#[test]
fn neither_a_repair_nor_an_attach_tells_where_an_earlier_move_went() {
    let first = later_debt(ATTACHMENT, HOLDER, -60);
    for later in [repair_debt(), attach_debt()] {
        let (debt, standing, to) = outcomes(&[&first, &later], &on_nothing()).remove(0);
        assert_eq!((debt, standing, to), (first.clone(), Standing::Open, None));
    }
}

#[test]
fn a_later_departure_does_not_hurry_a_run_that_may_still_report() {
    let (first, second) = (move_debt(), later_debt(LATER, STANDBY, 60));
    let standings = standings(vec![first, second], now(), &on_nothing(), &[parsed(HOLDER), parsed(STANDBY)]);
    let standings: Vec<Standing> = standings.into_iter().map(|(_, standing, _)| standing).collect();
    assert_eq!(standings, [Standing::Busy, Standing::Busy]);
}

#[test]
fn a_run_is_busy_with_a_move_until_its_deadline_and_repairs_do_not_count() {
    let deadline: DateTime<Utc> = parsed(DEADLINE);
    let just_before = deadline - TimeDelta::nanoseconds(1);
    for debt in [move_debt(), attach_debt()] {
        assert!(owed(debt.clone()).is_busy(just_before) && !owed(debt.clone()).is_busy(deadline), "{debt:?}");
        assert!(!owed(debt.clone().handed_over(None)).is_busy(now()), "{debt:?}");
    }
    assert!(!owed(repair_debt()).is_busy(now()));
    assert!(!Marks::default().is_busy(now()));
    assert!(Marks { debts: vec![move_debt().handed_over(None), attach_debt()], ..Marks::default() }.is_busy(now()));
}

// ---- The automatic moves ----

#[test]
fn moves_count_for_an_hour_in_whatever_order_they_are_written() {
    let marks = read(&[(MOVES, "2026-11-11T21:00:00Z 2026-11-11T20:29:54Z  soon 2026-11-11T20:29:55Z")]);
    let times =
        ["2026-11-11T20:29:54Z", "2026-11-11T20:29:55Z", "2026-11-11T21:00:00Z"].map(parsed::<DateTime<Utc>>).to_vec();
    assert_eq!(marks, Marks { moves: times.clone(), ..Marks::default() });
    assert_eq!(marks.recent_moves(now()), times[1..]);
}

#[test]
fn one_more_move_drops_those_that_count_no_more() {
    let marks = read(&[(MOVES, "2026-11-11T20:29:54Z 2026-11-11T21:00:00Z")]);
    assert_eq!(marks.moves_with(now()), "2026-11-11T21:00:00Z 2026-11-11T21:29:54Z");
    assert_eq!(Marks::default().moves_with(now()), "2026-11-11T21:29:54Z");
}

#[test]
fn at_most_the_twelve_latest_moves_are_remembered() {
    let mut marks = Marks::default();
    for minute in 0..20 {
        let value = marks.moves_with(now() + TimeDelta::minutes(minute));
        marks = read(&[(MOVES, &value)]);
    }
    let latest: Vec<DateTime<Utc>> = (8..20).map(|minute| now() + TimeDelta::minutes(minute)).collect();
    assert_eq!(marks, Marks { moves: latest, ..Marks::default() });
}

// ---- What a tag may hold ----

fn is_fit(value: &str) -> bool {
    value.len() <= 256 && value.chars().all(|c| c.is_ascii_alphanumeric() || " +-=._:/@".contains(c))
}

#[test]
fn a_tags_value_keeps_what_every_service_allows_and_no_more_than_256_characters() {
    assert_eq!(
        tag_value("no-viable-standby i-0bbbbbbbbbbbbbbb2: a+b=c.d_e/f@g"),
        "no-viable-standby i-0bbbbbbbbbbbbbbb2: a+b=c.d_e/f@g"
    );
    assert_eq!(tag_value("NotViable(WrongZone(\"é\"))\n"), "NotViable_WrongZone_______");
    assert_eq!(tag_value(&"x".repeat(1000)), "x".repeat(256));
}

#[test]
fn the_namespace_is_the_one_that_the_role_may_write() {
    let keys = [MOVES, REFUSED, &move_debt().key, &attach_debt().key, &repair_debt().key].map(str::to_owned);
    for key in keys {
        assert!(key.starts_with(NAMESPACE) && key.len() <= 128, "{key}");
        assert!(is_fit(&key), "{key}");
    }
}

fn any_time() -> impl Strategy<Value = DateTime<Utc>> {
    (0..4_000_000_000i64).prop_map(|seconds| DateTime::from_timestamp(seconds, 0).expect("a time"))
}

proptest! {
    #[test]
    fn whatever_is_owed_survives_the_tag(
        digits in "[0-9a-f]{17}", from in prop::option::of("i-[0-9a-f]{17}"), to in "i-([0-9a-f]{8}|[0-9a-f]{17})",
        started in any_time(), busy_until in any_time(), is_handed_over: bool,
        what in prop::sample::subsequence(vec!["elastic-ip", "delete-on-termination", "security-group"], 1..=3),
    ) {
        let left = Attachment { id: AttachmentId::new(format!("eni-attach-{digits}")), instance_id: from.map(|id| parsed(&id)), ..attachment() };
        for debt in [
            Debt::of_move(Some(&left), &parsed(&to), started, busy_until),
            Debt::of_move(None, &parsed(&to), started, busy_until),
            Debt::of_repairs(what.iter().map(|what| (*what).to_owned()).collect(), started, busy_until),
        ] {
            let debt = if is_handed_over { debt.handed_over(None) } else { debt };
            let value = debt.value();
            prop_assert!(is_fit(&value));
            prop_assert_eq!(tag_value(&value), value.clone());
            prop_assert_eq!(read(&[(&debt.key, &value)]), owed(debt));
        }
    }

    #[test]
    fn no_tag_makes_the_reader_panic_and_no_debt_is_forgotten(value in "\\PC{0,60}", suffix in "\\PC{0,20}") {
        let key = format!("token-failover:owed:{suffix}");
        let marks = read(&[(&key, &value), (MOVES, &value), (REFUSED, &value)]);
        prop_assert_eq!(marks.debts.iter().map(|debt| debt.key.as_str()).collect::<Vec<_>>(), [key.as_str()]);
        let _ = (standing(&marks.debts[0], &on_nothing()), marks.recent_moves(now()));
        prop_assert!(is_fit(&marks.moves_with(now())));
        prop_assert!(is_fit(&tag_value(&value)));
    }
}
