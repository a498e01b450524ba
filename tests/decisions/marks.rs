//! Marks: what the interface remembers, and what has become of it.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use proptest::prelude::*;
use simulator::names::{ATTACHMENT, HOLDER, NON_MEMBER, STANDBY, THIRD};
use token_failover::decide::marks::{Change as Owed, Debt, Marks, RunName, Standing, Waking, announced_with};
use token_failover::model::ids::{AttachmentId, InstanceId};
use token_failover::model::observation::{Attachment, AttachmentStatus, InterfaceLimits, NetworkInterface};
use token_failover::model::tags::{LIMITS, MOVES, NAMESPACE, NOT_STARTED, REFUSED, tag_value};

use crate::world::{attachment, instance_id, interface, now, parsed};

const DEADLINE: &str = "2026-11-11T21:34:54Z";

/// What is remembered by these tags.
fn read(tags: &[(&str, &str)]) -> Marks {
    Marks::read(&tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
}

fn owed(debt: Debt) -> Marks {
    Marks { debts: vec![debt], ..Marks::default() }
}

fn run() -> RunName {
    RunName::new("5e1b6a9e-0000-4000-8000-0000000000a1")
}

fn another_run() -> RunName {
    RunName::new("5e1b6a9e-0000-4000-8000-0000000000b2")
}

/// The debt of a move from the holder to the standby.
fn move_debt() -> Debt {
    Debt::of_move(&run(), Some(&attachment()), &parsed(STANDBY), now(), parsed(DEADLINE))
}

/// The debt of attaching an interface that was attached to nothing.
fn attach_debt() -> Debt {
    Debt::of_move(&run(), None, &parsed(STANDBY), now(), parsed(DEADLINE))
}

fn repair_debt() -> Debt {
    let what = vec!["elastic-ip".to_owned(), "delete-on-termination".to_owned()];
    Debt::of_repairs(&run(), what, now(), parsed(DEADLINE))
}

// ---- Written and read ----

#[test]
fn a_debt_is_a_tag_that_a_person_can_read() {
    let arrived = move_debt().arrived(&parsed(STANDBY), &AttachmentId::new(LATER));
    let debts = [
        move_debt(),
        attach_debt(),
        repair_debt(),
        move_debt().handed_over(),
        arrived.clone(),
        arrived.once_woken().once_reported(),
    ];
    let tags: Vec<(String, String)> = debts.into_iter().map(|debt| (debt.key.clone(), debt.value())).collect();
    let expected = [
        (
            "token-failover:owed:eni-attach-0aaaaaaaaaaaaaaa1:0000000000a1",
            "from=i-0aaaaaaaaaaaaaaa1 to=i-0bbbbbbbbbbbbbbb2 started=2026-11-11T21:29:54Z busy-until=2026-11-11T21:34:54Z",
        ),
        (
            "token-failover:owed:detached:0000000000a1",
            "to=i-0bbbbbbbbbbbbbbb2 started=2026-11-11T21:29:54Z busy-until=2026-11-11T21:34:54Z",
        ),
        (
            "token-failover:owed:repair:0000000000a1",
            "repair=elastic-ip+delete-on-termination started=2026-11-11T21:29:54Z busy-until=2026-11-11T21:34:54Z",
        ),
        (
            "token-failover:owed:eni-attach-0aaaaaaaaaaaaaaa1:0000000000a1",
            "from=i-0aaaaaaaaaaaaaaa1 to=i-0bbbbbbbbbbbbbbb2 started=2026-11-11T21:29:54Z",
        ),
        (
            "token-failover:owed:eni-attach-0aaaaaaaaaaaaaaa1:0000000000a1",
            "from=i-0aaaaaaaaaaaaaaa1 to=i-0bbbbbbbbbbbbbbb2 arrived=eni-attach-0bbbbbbbbbbbbbbb2 \
             started=2026-11-11T21:29:54Z busy-until=2026-11-11T21:34:54Z",
        ),
        (
            "token-failover:owed:eni-attach-0aaaaaaaaaaaaaaa1:0000000000a1",
            "from=i-0aaaaaaaaaaaaaaa1 to=i-0bbbbbbbbbbbbbbb2 arrived=eni-attach-0bbbbbbbbbbbbbbb2 \
             started=2026-11-11T21:29:54Z woken=yes reported=yes",
        ),
    ];
    assert_eq!(tags, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
}

#[test]
fn a_debt_is_read_as_it_was_written() {
    let arrived = move_debt().arrived(&parsed(STANDBY), &AttachmentId::new(LATER));
    for debt in [
        move_debt(),
        attach_debt(),
        repair_debt(),
        move_debt().handed_over(),
        repair_debt().handed_over(),
        arrived.clone(),
        arrived.clone().once_woken(),
        Debt { woken: Waking::Begun(parsed(DEADLINE)), ..arrived.clone() },
        arrived.once_reported(),
    ] {
        assert_eq!(read(&[(&debt.key, &debt.value())]), owed(debt));
    }
}

#[test]
fn debts_of_different_runs_and_departures_do_not_disturb_each_other_and_the_oldest_comes_first() {
    let elsewhere = Attachment { id: AttachmentId::new(LATER), ..attachment() };
    let at = |seconds| now() + TimeDelta::seconds(seconds);
    let debts = vec![
        move_debt(),
        Debt::of_move(&another_run(), Some(&attachment()), &parsed(STANDBY), at(1), parsed(DEADLINE)),
        Debt::of_move(&run(), Some(&elsewhere), &parsed(HOLDER), at(2), parsed(DEADLINE)),
        Debt::of_move(&run(), None, &parsed(STANDBY), at(3), parsed(DEADLINE)),
        Debt::of_repairs(&run(), vec!["elastic-ip".to_owned()], at(4), parsed(DEADLINE)),
    ];
    let tags: BTreeMap<String, String> = debts.iter().map(|debt| (debt.key.clone(), debt.value())).collect();
    assert_eq!(Marks::read(&tags), Marks { debts, ..Marks::default() });
}

#[test]
fn a_run_signs_its_debts_with_the_end_of_its_request_id() {
    let key = |id: &str| Debt::of_move(&RunName::new(id), None, &parsed(STANDBY), now(), parsed(DEADLINE)).key;
    assert_eq!(key("5e1b6a9e-0000-4000-8000-0123456789ab"), "token-failover:owed:detached:0123456789ab");
    assert_eq!(key("é/7:x"), "token-failover:owed:detached:7x");
    assert_eq!(key(""), "token-failover:owed:detached:");
}

#[test]
fn a_debt_whose_value_cannot_be_understood_is_owed_all_the_same() {
    let garbage =
        ["", "=", "from= to=", "from=holder to=eni-1 started=yesterday busy-until=never", "\u{1F4A5}", "from"];
    for value in garbage {
        let unknown = Owed::Move { departed: Some(AttachmentId::new(ATTACHMENT)), from: None, to: None, arrived: None };
        let key = move_debt().key;
        assert_eq!(
            read(&[(&key, value)]),
            owed(Debt { key, change: unknown, started: None, busy_until: None, reported: false, woken: Waking::Open }),
            "{value:?}"
        );

        let unknown = Owed::Move { departed: None, from: None, to: None, arrived: None };
        let key = attach_debt().key;
        assert_eq!(
            read(&[(&key, value)]),
            owed(Debt { key, change: unknown, started: None, busy_until: None, reported: false, woken: Waking::Open }),
            "{value:?}"
        );

        let unknown = Owed::Repair { what: Vec::new() };
        let key = repair_debt().key;
        assert_eq!(
            read(&[(&key, value)]),
            owed(Debt { key, change: unknown, started: None, busy_until: None, reported: false, woken: Waking::Open }),
            "{value:?}"
        );
    }
}

#[test]
fn what_can_be_understood_of_a_damaged_debt_is_kept() {
    let key = move_debt().key;
    let marks = read(&[(&key, "  to=i-0bbbbbbbbbbbbbbb2 from=? color=blue started=2026-11-11T21:29:54Z")]);
    let change = Owed::Move {
        departed: Some(AttachmentId::new(ATTACHMENT)),
        from: None,
        to: Some(parsed(STANDBY)),
        arrived: None,
    };
    assert_eq!(
        marks,
        owed(Debt { key, change, started: Some(now()), busy_until: None, reported: false, woken: Waking::Open })
    );
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
    debt.standing(parsed::<DateTime<Utc>>(DEADLINE) + TimeDelta::seconds(15), interface)
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
    let just_before: DateTime<Utc> = parsed::<DateTime<Utc>>(DEADLINE) - TimeDelta::nanoseconds(1);
    for debt in [move_debt(), attach_debt(), repair_debt()] {
        for interface in
            [on_nothing(), where_it_was(Attached), on(Some(STANDBY), Attached), on(Some(NON_MEMBER), Attached)]
        {
            assert_eq!(debt.standing(just_before, &interface), Standing::Busy, "{debt:?}");
            assert_ne!(debt.standing(parsed(DEADLINE), &interface), Standing::Busy, "{debt:?}");
            assert_ne!(debt.clone().handed_over().standing(now(), &interface), Standing::Busy, "{debt:?}");
        }
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
fn a_move_is_due_once_the_interface_is_attached_anew_wherever_that_is() {
    for interface in
        [on(Some(STANDBY), Attached), on(Some(HOLDER), Attached), on(Some(NON_MEMBER), Attached), on(None, Attached)]
    {
        assert_eq!(
            [standing(&move_debt(), &interface), standing(&attach_debt(), &interface)],
            [Standing::Due, Standing::Due]
        );
    }
}

#[test]
fn a_move_that_is_known_to_have_been_made_is_due_wherever_the_interface_went_since() {
    let arrived = move_debt().arrived(&parsed(STANDBY), &AttachmentId::new(LATER));
    for interface in
        [on_nothing(), where_it_was(Attached), on(Some(NON_MEMBER), Attached), on(Some(STANDBY), Detaching)]
    {
        assert_eq!(standing(&arrived, &interface), Standing::Due);
    }
}

#[test]
fn a_move_that_never_left_is_void_once_no_answer_can_be_older() {
    assert_eq!(standing(&move_debt(), &where_it_was(Attached)), Standing::Void);
    let deadline: DateTime<Utc> = parsed(DEADLINE);
    let just_before = deadline + TimeDelta::seconds(15) - TimeDelta::nanoseconds(1);
    assert_eq!(move_debt().standing(just_before, &where_it_was(Attached)), Standing::Open);
    let handed_over = move_debt().handed_over();
    assert_eq!(handed_over.standing(now(), &where_it_was(Attached)), Standing::Open);
    assert_eq!(handed_over.standing(now() + TimeDelta::seconds(15), &where_it_was(Attached)), Standing::Void);
}

#[test]
fn a_repair_is_due_wherever_the_interface_is() {
    for interface in [on_nothing(), where_it_was(Attached), where_it_was(Detaching), on(Some(NON_MEMBER), Attached)] {
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

const LATER: &str = "eni-attach-0bbbbbbbbbbbbbbb2";

#[test]
fn one_report_tells_of_all_that_left_the_same_attachment_and_may_have_arrived() {
    let other = Debt::of_move(&another_run(), Some(&attachment()), &parsed(HOLDER), now(), parsed(DEADLINE));
    let arrived = other.clone().arrived(&parsed(HOLDER), &AttachmentId::new(LATER));
    assert!(move_debt().is_same_move(&other) && other.is_same_move(&move_debt()));
    assert!(move_debt().is_same_move(&arrived));
    assert!(!arrived.is_same_move(&move_debt()), "what is known to have been made is told by itself");
    assert!(!move_debt().is_same_move(&attach_debt()) && !attach_debt().is_same_move(&move_debt()));
    assert!(!repair_debt().is_same_move(&repair_debt()) && !move_debt().is_same_move(&repair_debt()));
}

#[test]
fn a_run_that_goes_on_with_a_move_notes_where_that_began_under_its_own_name() {
    let own = Debt::of_move(&another_run(), None, &parsed(STANDBY), now() + TimeDelta::seconds(9), parsed(DEADLINE));
    let continued = own.clone().continuing(&another_run(), &move_debt());
    let key = format!("token-failover:owed:{ATTACHMENT}:0000000000b2");
    let change = Owed::Move {
        departed: Some(AttachmentId::new(ATTACHMENT)),
        from: Some(parsed(HOLDER)),
        to: Some(parsed(STANDBY)),
        arrived: None,
    };
    assert_eq!(continued, Debt { key, change, ..own });
}

#[test]
fn a_run_is_busy_with_a_move_until_its_deadline_and_repairs_do_not_count() {
    let deadline: DateTime<Utc> = parsed(DEADLINE);
    let just_before = deadline - TimeDelta::nanoseconds(1);
    for debt in [move_debt(), attach_debt()] {
        assert!(owed(debt.clone()).is_busy(just_before) && !owed(debt.clone()).is_busy(deadline), "{debt:?}");
        assert!(!owed(debt.clone().handed_over()).is_busy(now()), "{debt:?}");
    }
    assert!(!owed(repair_debt()).is_busy(now()));
    assert!(!Marks::default().is_busy(now()));
    assert!(Marks { debts: vec![move_debt().handed_over(), attach_debt()], ..Marks::default() }.is_busy(now()));
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
fn failed_starts_are_counted_while_each_is_within_an_hour_of_the_one_before_and_kept_for_a_day() {
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
fn limits_are_what_the_tag_says_and_what_it_does_not_say_is_not_known() {
    let limits = |total, first_card| InterfaceLimits { total, first_card };
    let known = [("t3.micro", limits(2, 2)), ("p4d.24xlarge", limits(60, 15)), ("u-6tb1.metal", limits(5, 5))];
    let known: BTreeMap<String, InterfaceLimits> = known.map(|(name, limits)| (name.to_owned(), limits)).into();
    let value = "t3.micro=2 p4d.24xlarge=15/60 u-6tb1.metal=5";
    assert_eq!(read(&[(LIMITS, value)]), Marks { limits: known.clone(), ..Marks::default() });
    for damaged in ["", " ", "t3.micro", "=2", "t3.micro=", "t3.micro=0", "t3.micro=-1", "t3.micro=2/0", "t3.micro=two"]
    {
        assert_eq!(read(&[(LIMITS, damaged)]), Marks::default(), "{damaged:?}");
    }

    let learned = BTreeMap::from([("t3.micro".to_owned(), limits(3, 3))]);
    let written = read(&[(LIMITS, value)]).limits_with(&learned);
    assert_eq!(written, "t3.micro=3 p4d.24xlarge=15/60 u-6tb1.metal=5");
}

#[test]
fn more_limits_than_a_tag_has_room_for_keep_the_newest() {
    let limits = |n: u32| (format!("u7in-{n}tb.224xlarge"), InterfaceLimits { total: 60, first_card: 15 });
    let many = Marks { limits: (0..40).map(limits).collect(), ..Marks::default() };
    let learned = BTreeMap::from([limits(99)]);
    let value = many.limits_with(&learned);
    assert!(is_fit(&value) && value.starts_with("u7in-99tb.224xlarge=15/60 "), "{value}");
    let kept = read(&[(LIMITS, &value)]).limits;
    assert_eq!(kept.len(), value.split(' ').count(), "no word is cut: {value}");
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

/// A time as a tag may hold it: usual ones, the ends of the calendar, and what comes close to them.
fn any_text_of_a_time() -> impl Strategy<Value = String> {
    prop_oneof![
        any_time().prop_map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true)),
        Just(DateTime::<Utc>::MAX_UTC.to_rfc3339()),
        Just(DateTime::<Utc>::MIN_UTC.to_rfc3339()),
        Just("+262142-12-31T23:59:59-23:59".to_owned()),
        Just("-262143-01-01T00:00:00+23:59".to_owned()),
        Just("9999-12-31T23:59:59Z".to_owned()),
        "[+-]26214[0-4]-(01|12)-(01|30|31)T(00|23):59:(00|60)(Z|[+-]23:59)",
        (-20i64..20).prop_map(|minutes| (now() + TimeDelta::minutes(minutes)).to_rfc3339()),
    ]
}

/// A time at which a run may ask.
fn any_clock() -> impl Strategy<Value = DateTime<Utc>> {
    prop_oneof![Just(now()), Just(DateTime::<Utc>::MAX_UTC), Just(DateTime::<Utc>::MIN_UTC), any_time()]
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
            Debt::of_move(&run(), Some(&left), &parsed(&to), started, busy_until),
            Debt::of_move(&run(), None, &parsed(&to), started, busy_until),
            Debt::of_repairs(&run(), what.iter().map(|what| (*what).to_owned()).collect(), started, busy_until),
        ] {
            let debt = if is_handed_over { debt.handed_over() } else { debt };
            let value = debt.value();
            prop_assert!(is_fit(&value));
            prop_assert_eq!(tag_value(&value), value.clone());
            prop_assert_eq!(read(&[(&debt.key, &value)]), owed(debt));
        }
    }

    #[test]
    fn no_tag_makes_the_reader_panic_and_no_debt_is_forgotten(value in "\\PC{0,60}", suffix in "\\PC{0,20}") {
        let key = format!("token-failover:owed:{suffix}");
        let marks = read(&[(&key, &value), (MOVES, &value), (REFUSED, &value), (LIMITS, &value)]);
        prop_assert_eq!(marks.debts.iter().map(|debt| debt.key.as_str()).collect::<Vec<_>>(), [key.as_str()]);
        let _ = (standing(&marks.debts[0], &on_nothing()), marks.recent_moves(now()));
        prop_assert!(is_fit(&marks.moves_with(now())));
        prop_assert!(is_fit(&marks.limits_with(&BTreeMap::new())));
        prop_assert!(is_fit(&tag_value(&value)));
    }
    #[test]
    fn no_date_in_a_tag_makes_anybody_panic_or_lasts_longer_than_a_run_can(
        [started, until, waking] in [any_text_of_a_time(), any_text_of_a_time(), any_text_of_a_time()],
        moves in prop::collection::vec(any_text_of_a_time(), 0..6), clock in any_clock(),
    ) {
        let value = format!("from={HOLDER} to={STANDBY} repair=elastic-ip started={started} busy-until={until} waking-until={waking}");
        let keys = [move_debt().key, attach_debt().key, repair_debt().key];
        let tags = keys.iter().map(|key| (key.clone(), value.clone())).chain([(MOVES.to_owned(), moves.join(" "))]);
        let marks = Marks::read(&tags.collect());
        prop_assert_eq!(marks.debts.len(), 3);
        let busy = marks.debts.iter().filter(|debt| debt.is_busy(clock)).count();
        let longest = TimeDelta::minutes(15);
        for debt in &marks.debts {
            let left = debt.busy_until.map(|until| until.signed_duration_since(clock));
            prop_assert_eq!(debt.is_busy(clock), left.is_some_and(|left| left > TimeDelta::zero() && left <= longest));
            for interface in [on_nothing(), where_it_was(Attached), on(Some(STANDBY), Attached)] {
                let standing = debt.standing(clock, &interface);
                prop_assert_eq!(standing == Standing::Busy, debt.is_busy(clock), "{:?}", debt);
            }
            let value = debt.value();
            prop_assert_eq!(tag_value(&value), value.clone());
            prop_assert_eq!(&Marks::read(&BTreeMap::from([(debt.key.clone(), value)])).debts[0].change, &debt.change);
        }
        prop_assert_eq!(marks.is_busy(clock), busy > 0);
        let _ = marks.is_being_started(clock, &AttachmentId::new(ATTACHMENT));
        let hour = TimeDelta::hours(1);
        let counted = marks.recent_moves(clock);
        prop_assert!(counted.iter().all(|time| clock.signed_duration_since(*time).abs() < hour), "{:?}", counted);
        prop_assert!(is_fit(&marks.moves_with(clock)));
    }
}

// ---- Announcements ----

/// Any of the standard pair, some of the codes, some dates.
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
    fn what_was_announced_is_remembered_once_within_a_tag(
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
fn of_each_kind_of_announcement_for_a_member_the_latest_date_is_remembered() {
    let [holder, standby] = [HOLDER, STANDBY].map(instance_id);
    let (first, later) = (Some(parsed("2026-11-26T13:00:00Z")), Some(parsed("2026-12-03T13:00:00Z")));
    let both = announced_with(None, "stop-scheduled", first, &[holder.clone(), standby.clone()]);
    assert_eq!(both, "i-0aaaaaaaaaaaaaaa1/stop/20261126T1300Z i-0bbbbbbbbbbbbbbb2/stop/20261126T1300Z");
    // One of them alone, on another page or again, is no news.
    assert_eq!(announced_with(Some(&both), "stop-scheduled", first, std::slice::from_ref(&standby)), both);
    let postponed = announced_with(Some(&both), "stop-scheduled", later, std::slice::from_ref(&holder));
    assert_eq!(postponed, "i-0bbbbbbbbbbbbbbb2/stop/20261126T1300Z i-0aaaaaaaaaaaaaaa1/stop/20261203T1300Z");
    let other = announced_with(Some(&postponed), "reboot-scheduled", None, std::slice::from_ref(&holder));
    assert_eq!(other, format!("{postponed} i-0aaaaaaaaaaaaaaa1/reboot/undated"));
    // What nobody has written like this means nothing.
    assert_eq!(
        announced_with(Some("i-0aaaaaaaaaaaaaaa1 2026-11-26T13:00:00Z"), "stop-scheduled", first, &[standby]),
        "i-0bbbbbbbbbbbbbbb2/stop/20261126T1300Z"
    );
}
