//! Pending reports: the tag and the state of one, and the state machine for all of them.

use std::collections::BTreeMap;
use std::slice::from_ref;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use proptest::prelude::*;
use simulator::names::{ATTACHMENT, HOLDER, NON_MEMBER, STANDBY, THIRD};
use token_failover::decide::pending::report::{
    Activation, PendingChange, PendingReport, RunName, Standing, is_being_started, is_moving,
};
use token_failover::decide::pending::{Close, Due, Event, Pending, Scene, TagChanges, advance};
use token_failover::decide::remembered::Remembered;
use token_failover::model::ids::{AttachmentId, InstanceId};
use token_failover::model::observation::{Attachment, AttachmentStatus, InstanceState, NetworkInterface, Observation};
use token_failover::model::outcome::{Boot, Reach};
use token_failover::model::tags::{LIMITS, MOVES, NAMESPACE, REFUSED, tag_value};

use crate::world::{Change, attachment, instance_id, interface, now, pair, parsed};

const DEADLINE: &str = "2026-11-11T21:34:54Z";

/// Reads these tags.
fn read(tags: &[(&str, &str)]) -> Remembered {
    Remembered::read(&tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
}

fn only(report: PendingReport) -> Remembered {
    Remembered { pending: vec![report], ..Remembered::default() }
}

fn run() -> RunName {
    RunName::new("5e1b6a9e-0000-4000-8000-0000000000a1")
}

fn another_run() -> RunName {
    RunName::new("5e1b6a9e-0000-4000-8000-0000000000b2")
}

/// The report of a move from the holder to the standby.
fn move_report() -> PendingReport {
    PendingReport::of_move(&run(), Some(&attachment()), &parsed(STANDBY), now(), parsed(DEADLINE))
}

/// The report of attaching an interface that was attached to nothing.
fn attach_report() -> PendingReport {
    PendingReport::of_move(&run(), None, &parsed(STANDBY), now(), parsed(DEADLINE))
}

/// This report, once its token server is known to be active.
fn activated(report: PendingReport) -> PendingReport {
    PendingReport { activation: Activation::Done, ..report }
}

fn start_report() -> PendingReport {
    PendingReport::of_start(&run(), &parsed(HOLDER), now(), parsed(DEADLINE))
}

fn repair_report() -> PendingReport {
    let what = vec!["elastic-ip".to_owned(), "delete-on-termination".to_owned()];
    PendingReport::of_repairs(&run(), what, now(), parsed(DEADLINE))
}

// ---- Written and read ----

#[test]
fn a_pending_report_is_a_tag_that_a_person_can_read() {
    let arrived = move_report().arrived(&parsed(STANDBY), &AttachmentId::new(LATER));
    let reports = [
        move_report(),
        attach_report(),
        repair_report(),
        move_report().handed_over(),
        arrived.clone(),
        activated(arrived).once_reported(),
    ];
    let tags: Vec<(String, String)> = reports.into_iter().map(|report| (report.key.clone(), report.value())).collect();
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
fn a_pending_report_is_read_back_unchanged() {
    let arrived = move_report().arrived(&parsed(STANDBY), &AttachmentId::new(LATER));
    for report in [
        move_report(),
        attach_report(),
        repair_report(),
        move_report().handed_over(),
        repair_report().handed_over(),
        arrived.clone(),
        arrived.clone(),
        PendingReport { activation: Activation::Begun(parsed(DEADLINE)), ..arrived.clone() },
        arrived.once_reported(),
    ] {
        assert_eq!(read(&[(&report.key, &report.value())]), only(report));
    }
}

#[test]
fn each_run_and_departure_has_its_own_tag_and_the_oldest_report_comes_first() {
    let elsewhere = Attachment { id: AttachmentId::new(LATER), ..attachment() };
    let at = |seconds| now() + TimeDelta::seconds(seconds);
    let reports = vec![
        move_report(),
        PendingReport::of_move(&another_run(), Some(&attachment()), &parsed(STANDBY), at(1), parsed(DEADLINE)),
        PendingReport::of_move(&run(), Some(&elsewhere), &parsed(HOLDER), at(2), parsed(DEADLINE)),
        PendingReport::of_move(&run(), None, &parsed(STANDBY), at(3), parsed(DEADLINE)),
        PendingReport::of_repairs(&run(), vec!["elastic-ip".to_owned()], at(4), parsed(DEADLINE)),
    ];
    let tags: BTreeMap<String, String> = reports.iter().map(|report| (report.key.clone(), report.value())).collect();
    assert_eq!(Remembered::read(&tags), Remembered { pending: reports, ..Remembered::default() });
}

#[test]
fn the_key_ends_with_the_end_of_the_request_id() {
    let key = |id: &str| PendingReport::of_move(&RunName::new(id), None, &parsed(STANDBY), now(), parsed(DEADLINE)).key;
    assert_eq!(key("5e1b6a9e-0000-4000-8000-0123456789ab"), "token-failover:owed:detached:0123456789ab");
    assert_eq!(key("é/7:x"), "token-failover:owed:detached:7x");
    assert_eq!(key(""), "token-failover:owed:detached:");
}

#[test]
fn a_report_whose_value_cannot_be_understood_is_still_pending() {
    let garbage =
        ["", "=", "from= to=", "from=holder to=eni-1 started=yesterday busy-until=never", "\u{1F4A5}", "from"];
    let departed = Some(AttachmentId::new(ATTACHMENT));
    for (report, change) in [
        (move_report(), PendingChange::Move { departed, from: None, to: None, arrived: None }),
        (attach_report(), PendingChange::Move { departed: None, from: None, to: None, arrived: None }),
        (start_report(), PendingChange::Start { instance: None }),
        (repair_report(), PendingChange::Repair { what: Vec::new() }),
    ] {
        let unknown = PendingReport { change, started: None, busy_until: None, ..report };
        for value in garbage {
            assert_eq!(read(&[(&unknown.key, value)]), only(unknown.clone()), "{value:?}");
        }
    }
}

#[test]
fn the_readable_parts_of_a_damaged_report_are_kept() {
    let key = move_report().key;
    let remembered = read(&[(&key, "  to=i-0bbbbbbbbbbbbbbb2 from=? color=blue started=2026-11-11T21:29:54Z")]);
    let change = PendingChange::Move {
        departed: Some(AttachmentId::new(ATTACHMENT)),
        from: None,
        to: Some(parsed(STANDBY)),
        arrived: None,
    };
    assert_eq!(
        remembered,
        only(PendingReport {
            key,
            change,
            started: Some(now()),
            busy_until: None,
            reported: false,
            activation: Activation::Open
        })
    );
}

#[test]
fn other_tags_are_not_pending_reports() {
    assert_eq!(read(&[]), Remembered::default());
    let others = [
        ("Name", "license"),
        ("token-failover", "x"),
        ("token-failover:owe", "x"),
        ("Token-Failover:moves", "2026-11-11T21:29:54Z"),
    ];
    assert_eq!(read(&others), Remembered::default());
}

// ---- The state of a report ----

/// The state of the report once its run has ended.
fn standing(report: &PendingReport, interface: &NetworkInterface) -> Standing {
    report.standing(parsed::<DateTime<Utc>>(DEADLINE) + TimeDelta::seconds(15), interface)
}

/// The interface with a new attachment to an instance or, without a holder, to something else.
fn on(holder: Option<&str>, status: AttachmentStatus) -> NetworkInterface {
    let id = AttachmentId::new("eni-attach-0bbbbbbbbbbbbbbb2");
    let attachment = Attachment { id, instance_id: holder.map(instance_id), status, ..attachment() };
    NetworkInterface { attachment: Some(attachment), ..interface() }
}

fn on_nothing() -> NetworkInterface {
    NetworkInterface { attachment: None, ..interface() }
}

/// The interface at the attachment that it was about to leave.
fn where_it_was(status: AttachmentStatus) -> NetworkInterface {
    NetworkInterface { attachment: Some(Attachment { status, ..attachment() }), ..interface() }
}

use AttachmentStatus::{Attached, Attaching, Detached, Detaching};

#[test]
fn until_its_deadline_a_run_may_still_publish_its_report() {
    let just_before: DateTime<Utc> = parsed::<DateTime<Utc>>(DEADLINE) - TimeDelta::nanoseconds(1);
    for report in [move_report(), attach_report(), repair_report()] {
        for interface in
            [on_nothing(), where_it_was(Attached), on(Some(STANDBY), Attached), on(Some(NON_MEMBER), Attached)]
        {
            assert_eq!(report.standing(just_before, &interface), Standing::Busy, "{report:?}");
            assert_ne!(report.standing(parsed(DEADLINE), &interface), Standing::Busy, "{report:?}");
            assert_ne!(report.clone().handed_over().standing(now(), &interface), Standing::Busy, "{report:?}");
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
            [standing(&move_report(), &interface), standing(&attach_report(), &interface)],
            [Standing::Open, Standing::Open]
        );
    }
}

#[test]
fn a_move_is_due_once_the_interface_has_a_new_attachment() {
    for interface in
        [on(Some(STANDBY), Attached), on(Some(HOLDER), Attached), on(Some(NON_MEMBER), Attached), on(None, Attached)]
    {
        assert_eq!(
            [standing(&move_report(), &interface), standing(&attach_report(), &interface)],
            [Standing::Due, Standing::Due]
        );
    }
}

#[test]
fn a_move_that_is_known_to_have_been_made_is_due_wherever_the_interface_is() {
    let arrived = move_report().arrived(&parsed(STANDBY), &AttachmentId::new(LATER));
    for interface in
        [on_nothing(), where_it_was(Attached), on(Some(NON_MEMBER), Attached), on(Some(STANDBY), Detaching)]
    {
        assert_eq!(standing(&arrived, &interface), Standing::Due);
    }
}

#[test]
fn a_move_that_did_not_begin_is_void_once_no_answer_can_be_older() {
    assert_eq!(standing(&move_report(), &where_it_was(Attached)), Standing::Void);
    let deadline: DateTime<Utc> = parsed(DEADLINE);
    let just_before = deadline + TimeDelta::seconds(15) - TimeDelta::nanoseconds(1);
    assert_eq!(move_report().standing(just_before, &where_it_was(Attached)), Standing::Open);
    let handed_over = move_report().handed_over();
    assert_eq!(handed_over.standing(now(), &where_it_was(Attached)), Standing::Open);
    assert_eq!(handed_over.standing(now() + TimeDelta::seconds(15), &where_it_was(Attached)), Standing::Void);
}

#[test]
fn a_repair_is_due_wherever_the_interface_is() {
    for interface in [on_nothing(), where_it_was(Attached), where_it_was(Detaching), on(Some(NON_MEMBER), Attached)] {
        assert_eq!(standing(&repair_report(), &interface), Standing::Due);
    }
}

#[test]
fn a_report_that_cannot_be_understood_is_due_once_the_interface_is_elsewhere() {
    let remembered = read(&[(&move_report().key, "garbage")]);
    assert_eq!(standing(&remembered.pending[0], &on(Some(STANDBY), Attached)), Standing::Due);
    assert_eq!(standing(&remembered.pending[0], &where_it_was(Attached)), Standing::Void);
}

// ---- Several reports ----

const LATER: &str = "eni-attach-0bbbbbbbbbbbbbbb2";

#[test]
fn one_report_covers_every_unconfirmed_move_from_the_same_attachment() {
    let other = PendingReport::of_move(&another_run(), Some(&attachment()), &parsed(HOLDER), now(), parsed(DEADLINE));
    let arrived = other.clone().arrived(&parsed(HOLDER), &AttachmentId::new(LATER));
    assert!(move_report().is_same_move(&other) && other.is_same_move(&move_report()));
    assert!(move_report().is_same_move(&arrived));
    assert!(!arrived.is_same_move(&move_report()), "a move that is known to have been made has its own report");
    assert!(!move_report().is_same_move(&attach_report()) && !attach_report().is_same_move(&move_report()));
    assert!(!repair_report().is_same_move(&repair_report()) && !move_report().is_same_move(&repair_report()));
}

#[test]
fn a_run_that_continues_a_move_writes_the_moves_origin_under_its_own_name() {
    let own =
        PendingReport::of_move(&another_run(), None, &parsed(STANDBY), now() + TimeDelta::seconds(9), parsed(DEADLINE));
    let continued = own.clone().continuing(&another_run(), &move_report());
    let key = format!("token-failover:owed:{ATTACHMENT}:0000000000b2");
    let change = PendingChange::Move {
        departed: Some(AttachmentId::new(ATTACHMENT)),
        from: Some(parsed(HOLDER)),
        to: Some(parsed(STANDBY)),
        arrived: None,
    };
    assert_eq!(continued, PendingReport { key, change, ..own });
}

#[test]
fn a_move_is_busy_until_its_runs_deadline_and_repairs_do_not_count() {
    let deadline: DateTime<Utc> = parsed(DEADLINE);
    let just_before = deadline - TimeDelta::nanoseconds(1);
    for report in [move_report(), attach_report()] {
        assert!(is_moving(from_ref(&report), just_before) && !is_moving(from_ref(&report), deadline), "{report:?}");
        assert!(!is_moving(&[report.clone().handed_over()], now()), "{report:?}");
    }
    assert!(!is_moving(&[repair_report()], now()));
    assert!(!is_moving(&[], now()));
    assert!(is_moving(&[move_report().handed_over(), attach_report()], now()));
}

// ---- Allowed values of a tag ----

fn is_fit(value: &str) -> bool {
    value.len() <= 256 && value.chars().all(|c| c.is_ascii_alphanumeric() || " +-=._:/@".contains(c))
}

#[test]
fn a_tags_value_has_only_allowed_characters_and_at_most_256() {
    assert_eq!(
        tag_value("no-viable-standby i-0bbbbbbbbbbbbbbb2: a+b=c.d_e/f@g"),
        "no-viable-standby i-0bbbbbbbbbbbbbbb2: a+b=c.d_e/f@g"
    );
    assert_eq!(tag_value("NotViable(WrongZone(\"é\"))\n"), "NotViable_WrongZone_______");
    assert_eq!(tag_value(&"x".repeat(1000)), "x".repeat(256));
}

#[test]
fn the_role_may_write_the_namespace_of_the_tags() {
    let keys = [MOVES, REFUSED, &move_report().key, &attach_report().key, &repair_report().key].map(str::to_owned);
    for key in keys {
        assert!(key.starts_with(NAMESPACE) && key.len() <= 128, "{key}");
        assert!(is_fit(&key), "{key}");
    }
}

/// A time in a tag: a usual one, the ends of the calendar, or a time close to them.
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

/// A time at which a run may read EC2.
fn any_clock() -> impl Strategy<Value = DateTime<Utc>> {
    prop_oneof![Just(now()), Just(DateTime::<Utc>::MAX_UTC), Just(DateTime::<Utc>::MIN_UTC), any_time()]
}

fn any_time() -> impl Strategy<Value = DateTime<Utc>> {
    (0..4_000_000_000i64).prop_map(|seconds| DateTime::from_timestamp(seconds, 0).expect("a time"))
}

proptest! {
    #[test]
    fn every_report_is_read_back_from_its_tag(
        digits in "[0-9a-f]{17}", from in prop::option::of("i-[0-9a-f]{17}"), to in "i-([0-9a-f]{8}|[0-9a-f]{17})",
        started in any_time(), busy_until in any_time(), is_handed_over: bool,
        what in prop::sample::subsequence(vec!["elastic-ip", "delete-on-termination", "security-group"], 1..=3),
    ) {
        let left = Attachment { id: AttachmentId::new(format!("eni-attach-{digits}")), instance_id: from.map(|id| parsed(&id)), ..attachment() };
        for report in [
            PendingReport::of_move(&run(), Some(&left), &parsed(&to), started, busy_until),
            PendingReport::of_move(&run(), None, &parsed(&to), started, busy_until),
            PendingReport::of_repairs(&run(), what.iter().map(|what| (*what).to_owned()).collect(), started, busy_until),
        ] {
            let report = if is_handed_over { report.handed_over() } else { report };
            let value = report.value();
            prop_assert!(is_fit(&value));
            prop_assert_eq!(tag_value(&value), value.clone());
            prop_assert_eq!(read(&[(&report.key, &value)]), only(report));
        }
    }

    #[test]
    fn every_tag_with_the_prefix_is_read_as_a_report_without_a_panic(value in "\\PC{0,60}", suffix in "\\PC{0,20}") {
        let key = format!("token-failover:owed:{suffix}");
        let remembered = read(&[(&key, &value), (MOVES, &value), (REFUSED, &value), (LIMITS, &value)]);
        prop_assert_eq!(remembered.pending.iter().map(|report| report.key.as_str()).collect::<Vec<_>>(), [key.as_str()]);
        let _ = (standing(&remembered.pending[0], &on_nothing()), remembered.recent_moves(now()));
        prop_assert!(is_fit(&remembered.moves_with(now())));
        prop_assert!(is_fit(&remembered.limits_with(&BTreeMap::new())));
        prop_assert!(is_fit(&tag_value(&value)));
    }
    #[test]
    fn no_time_in_a_tag_causes_a_panic_or_lasts_longer_than_a_run(
        [started, until, waking] in [any_text_of_a_time(), any_text_of_a_time(), any_text_of_a_time()],
        moves in prop::collection::vec(any_text_of_a_time(), 0..6), clock in any_clock(),
    ) {
        let value = format!("from={HOLDER} to={STANDBY} repair=elastic-ip started={started} busy-until={until} waking-until={waking}");
        let keys = [move_report().key, attach_report().key, repair_report().key];
        let tags = keys.iter().map(|key| (key.clone(), value.clone())).chain([(MOVES.to_owned(), moves.join(" "))]);
        let remembered = Remembered::read(&tags.collect());
        prop_assert_eq!(remembered.pending.len(), 3);
        let busy = remembered.pending.iter().filter(|report| report.is_busy(clock)).count();
        let longest = TimeDelta::minutes(15);
        for report in &remembered.pending {
            let left = report.busy_until.map(|until| until.signed_duration_since(clock));
            prop_assert_eq!(report.is_busy(clock), left.is_some_and(|left| left > TimeDelta::zero() && left <= longest));
            for interface in [on_nothing(), where_it_was(Attached), on(Some(STANDBY), Attached)] {
                let standing = report.standing(clock, &interface);
                prop_assert_eq!(standing == Standing::Busy, report.is_busy(clock), "{:?}", report);
            }
            let value = report.value();
            prop_assert_eq!(tag_value(&value), value.clone());
            prop_assert_eq!(&Remembered::read(&BTreeMap::from([(report.key.clone(), value)])).pending[0].change, &report.change);
        }
        prop_assert_eq!(is_moving(&remembered.pending, clock), busy > 0);
        let _ = is_being_started(&remembered.pending, clock, &AttachmentId::new(ATTACHMENT));
        let hour = TimeDelta::hours(1);
        let counted = remembered.recent_moves(clock);
        prop_assert!(counted.iter().all(|time| clock.signed_duration_since(*time).abs() < hour), "{:?}", counted);
        prop_assert!(is_fit(&remembered.moves_with(clock)));
    }
}

// ---- The state machine ----

const MEMBERS: [&str; 3] = [HOLDER, STANDBY, THIRD];

/// A time after the deadline, when no answer can be from before the deadline.
fn later() -> DateTime<Utc> {
    parsed::<DateTime<Utc>>(DEADLINE) + TimeDelta::seconds(15)
}

/// The pair, read later, with this attachment and these tags on the interface.
fn seen(attachment: Option<Attachment>, tags: &BTreeMap<String, String>) -> Observation {
    let observed = pair().with_interface(|interface| {
        interface.attachment = attachment;
        interface.tags.clone_from(tags);
    });
    Observation { observed_at: later(), ..observed }
}

/// The attachment by which the interface came to the standby.
fn to_standby() -> Attachment {
    Attachment { id: AttachmentId::new(LATER), instance_id: Some(parsed(STANDBY)), ..attachment() }
}

/// A run's view of pending reports. Each event gives the changes to tags that it causes.
struct Part {
    members: Vec<InstanceId>,
    observation: Observation,
    reach: Reach,
    pending: Pending,
}

impl Part {
    fn new(observation: Observation) -> Self {
        let members = MEMBERS.map(parsed).to_vec();
        Self { members, observation, reach: Reach::Untouched, pending: Pending::default() }
    }

    fn scene(&self) -> Scene<'_> {
        let now = self.observation.observed_at;
        Scene { observation: Some(&self.observation), members: &self.members, reach: self.reach, now }
    }

    fn after(&mut self, event: Event) -> TagChanges {
        let (pending, changes) = advance(self.pending.clone(), self.scene(), event);
        self.pending = pending;
        changes
    }

    /// The keys that this run publishes, if it activates token servers.
    fn publishes(&self) -> Vec<String> {
        self.pending.to_publish(self.scene(), true).into_iter().map(|due| due.report.key).collect()
    }
}

fn tags(reports: &[PendingReport]) -> BTreeMap<String, String> {
    reports.iter().map(PendingReport::tag).collect()
}

fn writes(report: &PendingReport) -> TagChanges {
    TagChanges { write: BTreeMap::from([report.tag()]), remove: Vec::new() }
}

fn removes(key: &str) -> TagChanges {
    TagChanges { write: BTreeMap::new(), remove: vec![key.to_owned()] }
}

#[test]
fn a_successful_move_writes_its_tag_twice_and_removes_it_with_its_report() {
    let mut part = Part::new(seen(Some(attachment()), &BTreeMap::new()));
    let report = move_report();
    assert_eq!(part.after(Event::Seen), TagChanges::default());
    assert_eq!(part.after(Event::Begins(report.clone())), writes(&report));
    part.reach = Reach::Attached;
    let by = AttachmentId::new(LATER);
    let arrived = report.clone().arrived(&parsed(STANDBY), &by);
    let event = |boot| Event::Arrived { at: parsed(STANDBY), by: by.clone(), boot };
    assert_eq!(part.after(event(Boot::Earlier)), writes(&arrived));
    assert_eq!(part.after(event(Boot::WithInterface)), writes(&activated(arrived.clone())));
    part.observation = seen(Some(to_standby()), &tags(&[activated(arrived)]));
    assert_eq!(part.after(Event::Seen), TagChanges::default(), "its own report is not due to itself");
    assert_eq!(part.after(Event::WorkEnds(Close::Done)), TagChanges::default());
    assert_eq!(part.after(Event::Told), removes(&report.key));
    assert_eq!(part.publishes(), [""; 0]);
    assert_eq!(part.after(Event::RunEnds { has_published: true }), TagChanges::default());
}

#[test]
fn a_change_that_was_not_made_removes_its_tag() {
    let begun = |report: &PendingReport| {
        let mut part = Part::new(seen(Some(attachment()), &tags(from_ref(report))));
        part.after(Event::Begins(report.clone()));
        part
    };
    let (the_move, start) = (move_report(), start_report());
    for (report, event) in [
        (&the_move, Some(Event::NotMade)),
        (&start, Some(Event::NotMade)),
        (&the_move, Some(Event::MadeByAnotherRun)),
        (&the_move, None),
    ] {
        let mut part = begun(report);
        let close = if event.is_some() { Close::Done } else { Close::Void };
        assert_eq!(event.clone().map(|event| part.after(event)).unwrap_or_default(), TagChanges::default());
        assert_eq!(part.after(Event::WorkEnds(close)), removes(&report.key), "{event:?}");
        assert_eq!(part.after(Event::RunEnds { has_published: true }), TagChanges::default());
    }
    // A run that may have attached the interface itself leaves the tag in case it did.
    let mut part = begun(&the_move);
    part.reach = Reach::Attaching;
    part.after(Event::MadeByAnotherRun);
    assert_eq!(part.after(Event::WorkEnds(Close::Done)), TagChanges::default());
    // The run has already reported repairs that were refused.
    let mut part = begun(&repair_report());
    assert_eq!(part.after(Event::WorkEnds(Close::Void)), TagChanges::default());
    assert_eq!(part.after(Event::NoNews), removes(&repair_report().key));
}

#[test]
fn a_report_that_was_not_published_is_left_to_the_next_run() {
    let mut part = Part::new(seen(None, &tags(&[move_report()])));
    part.after(Event::Begins(move_report()));
    assert_eq!(part.after(Event::WorkEnds(Close::Done)), TagChanges::default());
    let left = writes(&move_report().handed_over());
    assert_eq!(part.after(Event::RunEnds { has_published: false }), left);
}

#[test]
fn a_stranded_move_replaces_the_reports_of_the_same_move_by_finished_runs() {
    let of =
        |run: &RunName| PendingReport::of_move(run, Some(&attachment()), &parsed(STANDBY), now(), parsed(DEADLINE));
    let (own, other) = (of(&run()), of(&another_run()));
    for (close, removed) in [(Close::Stranded, vec![other.key.clone()]), (Close::Arriving, Vec::new())] {
        let mut part = Part::new(seen(None, &tags(&[own.clone(), other.clone()])));
        part.after(Event::Seen);
        part.after(Event::Begins(own.clone()));
        assert_eq!(part.after(Event::WorkEnds(close)).remove, removed, "{close:?}");
        let left = writes(&own.clone().handed_over());
        assert_eq!(part.after(Event::RunEnds { has_published: true }), left, "{close:?}");
    }
}

#[test]
fn a_dead_runs_report_is_published_once_its_token_server_has_been_activated() {
    let arrived = move_report().arrived(&parsed(STANDBY), &AttachmentId::new(LATER));
    let on_standby = || Part::new(seen(Some(to_standby()), &tags(from_ref(&arrived))));
    let mut part = on_standby();
    part.after(Event::Seen);
    let due = Due { report: arrived.clone(), to: Some(parsed(STANDBY)), attachment_id: Some(AttachmentId::new(LATER)) };
    assert_eq!(part.pending.due, [due]);
    assert_eq!(part.publishes(), [""; 0], "the token server may not have been activated");
    let until = later() + TimeDelta::minutes(5);
    let begun = PendingReport { activation: Activation::Begun(until), ..arrived.clone() };
    assert_eq!(part.after(Event::ActivationBegins(parsed(STANDBY), until)), writes(&begun));
    part.after(Event::Activated(parsed(STANDBY), Activation::Done));
    assert_eq!(part.publishes(), from_ref(&arrived.key));
    // If SNS does not take the report, the next run must know that the token server was activated.
    let mut without_sns = Part { pending: part.pending.clone(), ..on_standby() };
    assert_eq!(without_sns.after(Event::RunEnds { has_published: false }), writes(&activated(arrived.clone())));
    assert_eq!(part.after(Event::Published(arrived.key.clone())), removes(&arrived.key));
    assert_eq!(part.publishes(), [""; 0], "the token server is activated only once");
    assert_eq!(part.after(Event::RunEnds { has_published: true }), TagChanges::default());
}

#[test]
fn activating_another_member_does_not_count_for_the_holder() {
    let arrived = move_report().arrived(&parsed(STANDBY), &AttachmentId::new(LATER));
    let mut part = Part::new(seen(Some(to_standby()), &tags(&[arrived])));
    part.after(Event::Seen);
    part.after(Event::Activated(parsed(HOLDER), Activation::Done));
    assert_eq!(part.publishes(), [""; 0], "the holder's token server may not have been activated");
}

#[test]
fn a_report_waits_while_the_holder_is_unknown_but_not_for_a_stopped_holder() {
    let arrived = move_report().arrived(&parsed(STANDBY), &AttachmentId::new(LATER));
    let on_standby = seen(Some(to_standby()), &tags(from_ref(&arrived)));
    let unknown = on_standby.clone().with_instances(|all| all.retain(|it| it.id.as_str() != STANDBY));
    let stopped = on_standby.clone().with_instance(STANDBY, |standby| standby.state = InstanceState::Stopped);
    let leaving = on_standby.clone().with_attachment(|attachment| attachment.status = Detaching);
    for (observation, expected) in [
        (on_standby, Vec::new()),
        (unknown, Vec::new()),
        (stopped, vec![arrived.key.clone()]),
        (leaving, vec![arrived.key.clone()]),
    ] {
        let mut part = Part::new(observation);
        part.after(Event::Seen);
        assert_eq!(part.publishes(), expected);
    }
}

#[test]
fn a_report_stays_as_reported_while_the_interface_would_be_destroyed_with_its_instance() {
    let arrived = activated(move_report().arrived(&parsed(STANDBY), &AttachmentId::new(LATER)));
    let doomed = Attachment { delete_on_termination: true, ..to_standby() };
    let mut part = Part::new(seen(Some(doomed.clone()), &tags(from_ref(&arrived))));
    part.after(Event::Seen);
    let reported = arrived.clone().once_reported();
    assert_eq!(part.after(Event::Published(arrived.key.clone())), writes(&reported));
    let mut again = Part::new(seen(Some(doomed), &tags(from_ref(&reported))));
    again.after(Event::Seen);
    assert_eq!(again.after(Event::Published(arrived.key.clone())), TagChanges::default());
    let mut safe = Part::new(seen(Some(to_standby()), &tags(&[reported])));
    safe.after(Event::Seen);
    assert_eq!(safe.after(Event::Published(arrived.key.clone())), removes(&arrived.key));
}

#[test]
fn a_start_is_due_if_its_instance_runs_and_void_if_not() {
    let start = PendingReport::of_start(&another_run(), &parsed(HOLDER), now(), parsed(DEADLINE));
    for (state, due, void) in [
        (InstanceState::Running, vec![start.key.clone()], Vec::new()),
        (InstanceState::Stopped, Vec::new(), vec![start.key.clone()]),
    ] {
        let observation = seen(Some(attachment()), &tags(from_ref(&start)));
        let mut part = Part::new(observation.with_instance(HOLDER, |holder| holder.state = state.clone()));
        part.after(Event::Seen);
        assert_eq!(part.publishes(), due, "{state}");
        assert_eq!(part.after(Event::WorkEnds(Close::Done)).remove, void, "{state}");
    }
}

fn any_report() -> impl Strategy<Value = PendingReport> {
    let departed = prop::sample::select(vec![Some(ATTACHMENT), Some(LATER), None]);
    let arrived = prop::sample::select(vec![None, Some(ATTACHMENT), Some(LATER)]);
    let until = (-600i64..600).prop_map(|seconds| later() + TimeDelta::seconds(seconds));
    let activation = prop_oneof![
        Just(Activation::Open),
        Just(Activation::Begun(later() + TimeDelta::seconds(60))),
        Just(Activation::Done),
    ];
    let kind = 0..4u8;
    ("[0-9a-f]{4}", kind, departed, arrived, until, activation, any::<bool>()).prop_map(
        |(run, kind, departed, arrived, until, activation, reported)| {
            let run = RunName::new(&run);
            let left = departed.map(|id| Attachment { id: AttachmentId::new(id), ..attachment() });
            let report = match kind {
                0 => PendingReport::of_start(&run, &parsed(STANDBY), now(), until),
                1 => PendingReport::of_repairs(&run, vec!["elastic-ip".to_owned()], now(), until),
                _ => PendingReport::of_move(&run, left.as_ref(), &parsed(STANDBY), now(), until),
            };
            let report = match arrived {
                Some(by) if report.is_move() => report.arrived(&parsed(STANDBY), &AttachmentId::new(by)),
                _ => report,
            };
            PendingReport { activation, reported: reported && report.is_move(), ..report }
        },
    )
}

fn any_attachment() -> impl Strategy<Value = Option<Attachment>> {
    let status = prop::sample::select(vec![Attached, Attaching, Detaching, Detached]);
    let holder = prop::sample::select(vec![Some(HOLDER), Some(STANDBY), Some(NON_MEMBER), None]);
    let attached = (prop::sample::select(vec![ATTACHMENT, LATER]), holder, status, any::<bool>());
    prop::option::of(attached.prop_map(|(id, holder, status, delete_on_termination)| Attachment {
        id: AttachmentId::new(id),
        instance_id: holder.map(parsed),
        status,
        delete_on_termination,
        ..attachment()
    }))
}

fn any_close() -> impl Strategy<Value = Close> {
    prop::sample::select(vec![
        Close::Done,
        Close::Void,
        Close::Open,
        Close::Stranded,
        Close::Arriving,
        Close::Maintenance,
    ])
}

proptest! {
    /// In every run, a tag is removed only because its report was published, or because there was nothing to report.
    #[test]
    fn no_report_is_removed_before_it_is_published_or_void(
        others in prop::collection::vec(any_report(), 0..4),
        own in prop::option::of(any_report()),
        place in any_attachment(),
        reach in prop::sample::select(vec![Reach::Untouched, Reach::Detaching, Reach::Attaching, Reach::Attached]),
        close in any_close(),
        tells in any::<bool>(),
        publishes in 0..4usize,
    ) {
        let mut on_interface = tags(&others);
        on_interface.extend(own.iter().map(PendingReport::tag));
        let mut part = Part { reach, ..Part::new(seen(place, &on_interface)) };
        let interface = part.observation.interface().cloned();
        part.after(Event::Seen);
        let mut changes = TagChanges::default();
        if let Some(report) = &own {
            changes.append(part.after(Event::Begins(report.clone())));
        }
        changes.append(part.after(Event::WorkEnds(close)));
        let mut told = Vec::new();
        if let Some(own) = part.pending.own.clone().filter(|_| !close.is_open()) {
            changes.append(part.after(if tells { Event::Told } else { Event::NoNews }));
            told.push(own);
        }
        let mut has_published = true;
        for due in part.pending.to_publish(part.scene(), true) {
            if told.len() > publishes {
                has_published = false;
                break;
            }
            if !part.pending.is_settled(&due.report) {
                changes.append(part.after(Event::Published(due.report.key.clone())));
                told.push(due.report);
            }
        }
        changes.append(part.after(Event::RunEnds { has_published }));
        let at = part.observation.observed_at;
        for key in &changes.remove {
            let pending = PendingReport::read_all(&on_interface);
            let report = pending.iter().find(|report| report.key == *key).expect("the report of a removed tag");
            let is_told = told.iter().any(|other| other.key == *key || report.is_same_move(other));
            let is_void = interface.as_ref().is_some_and(|seen| report.standing(at, seen) == Standing::Void);
            let is_start = matches!(report.change, PendingChange::Start { .. });
            let is_own = own.as_ref().is_some_and(|own| own.key == *key || (close == Close::Stranded && report.is_same_move(own)));
            prop_assert!(is_told || is_void || is_start || is_own, "{key} was lost");
            prop_assert!(is_own || !report.is_busy(at), "{key} belongs to a busy run");
        }
        for (key, value) in &changes.write {
            prop_assert!(!changes.remove.contains(key) || own.as_ref().is_some_and(|own| own.key == *key));
            prop_assert_eq!(tag_value(value), value.clone());
        }
    }
}

#[test]
fn the_outcome_of_the_work_says_if_the_next_run_continues_it() {
    use token_failover::model::outcome::{MoveOutcome, RunOutcome, Verdict};
    use token_failover::model::plan::{KeepReason, MoveCause, Refusal};
    use token_failover::model::report::{Movement, Outcome};
    let movement = Movement {
        from: None,
        to: parsed(STANDBY),
        attachment_id: None,
        forced: None,
        standby_started: None,
        duration_ms: None,
    };
    let reason = token_failover::model::reason::Reason::PauseSet;
    let answer = Verdict { outcome: Outcome::Paused, reason, summary: String::new(), movement: None };
    let by_move = |ended| RunOutcome::Move(ended, MoveCause::HolderStopped);
    let refused = RunOutcome::Refused(Refusal::NoViableStandby);
    for (outcome, reach, close, is_open) in [
        (by_move(MoveOutcome::Stranded), Reach::Detaching, Close::Stranded, true),
        (by_move(MoveOutcome::Arriving(movement.clone())), Reach::Attaching, Close::Arriving, true),
        (by_move(MoveOutcome::Moved(movement, Boot::Earlier)), Reach::Attached, Close::Done, false),
        (by_move(MoveOutcome::ByAnotherRun(parsed(STANDBY))), Reach::Detaching, Close::Done, false),
        (refused.clone(), Reach::Untouched, Close::Void, false),
        (refused.clone(), Reach::Detaching, Close::Open, true),
        (refused, Reach::Attached, Close::Open, true),
        (RunOutcome::Kept(KeepReason::HolderHealthy), Reach::Untouched, Close::Done, false),
        (RunOutcome::Started(parsed(HOLDER), MoveCause::HolderStopped), Reach::Untouched, Close::Done, false),
        (RunOutcome::HolderNotStarted(parsed(HOLDER)), Reach::Untouched, Close::Done, false),
        (RunOutcome::Audited { viable: 1 }, Reach::Untouched, Close::Done, false),
        (RunOutcome::Answered(answer), Reach::Untouched, Close::Maintenance, false),
    ] {
        let found = Close::of(&outcome, reach);
        assert_eq!((found, found.is_open()), (close, is_open), "{outcome:?}");
    }
}
