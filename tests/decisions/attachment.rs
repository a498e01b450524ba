//! Who attached the interface: a run of the function, or something else.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use simulator::names::{ATTACHMENT, HOLDER, NON_MEMBER, STANDBY, THIRD};
use strum::VariantArray;
use token_failover::decide::attachment::{Learned, MoveByOther, MoveNote, Noted, Seen, learn, superseded};
use token_failover::decide::pending::report::{PendingReport, RunName};
use token_failover::model::ids::AttachmentId;
use token_failover::model::observation::{Attachment, AttachmentStatus, Observation};
use token_failover::model::request::TriggerKind;
use token_failover::model::tags::{ATTACHED, SEEN};

use crate::world::{Change, attachment, now, pair, parsed};

/// The attachment to the standby.
const SECOND: &str = "eni-attach-0bbbbbbbbbbbbbbb2";
/// An attachment to the third member.
const OTHER: &str = "eni-attach-0ccccccccccccccc3";

/// Tags of the interface.
type Tags = Vec<(String, String)>;

fn ago(minutes: i64) -> DateTime<Utc> {
    now() - TimeDelta::minutes(minutes)
}

fn noted(attachment: &str, instance: &str, at: DateTime<Utc>) -> Noted {
    Noted { attachment: AttachmentId::new(attachment), instance: Some(parsed(instance)), at }
}

fn run(name: &str) -> RunName {
    RunName::new(name)
}

fn note(name: &str, until: DateTime<Utc>, arrived: Option<Noted>) -> MoveNote {
    MoveNote { run: run(name), until, started_by: TriggerKind::InstanceStateChange, arrived }
}

/// A run has begun a move, and may make it until then.
fn begun(until: DateTime<Utc>) -> Tags {
    vec![note("0000000000a1", until, None).tag()]
}

/// A run has begun a move and made it.
fn made(attachment: &str, instance: &str, at: DateTime<Utc>) -> Tags {
    made_by("0000000000a1", attachment, instance, at)
}

fn made_by(name: &str, attachment: &str, instance: &str, at: DateTime<Utc>) -> Tags {
    let arrived = Some(noted(attachment, instance, at));
    vec![note(name, at + TimeDelta::minutes(5), arrived).tag()]
}

/// A run has begun a move and not named its attachment, and another run has made a move before.
fn unnamed_after(attachment: &str, instance: &str, at: DateTime<Utc>) -> Tags {
    let unnamed = note("0000000000b2", ago(30), None).tag();
    [made(attachment, instance, at), vec![unnamed]].concat()
}

fn seen(attachment: &str, instance: &str, at: DateTime<Utc>) -> Seen {
    Seen { noted: noted(attachment, instance, at), moved: None }
}

/// The interface on the standby, with what runs and audits have written about it.
fn on_the_standby(own: &[(String, String)], seen: Option<&Seen>) -> Observation {
    pair().with_interface(|interface| {
        interface.attachment =
            Some(Attachment { id: AttachmentId::new(SECOND), instance_id: Some(parsed(STANDBY)), ..attachment() });
        interface.tags = own.iter().cloned().chain(seen.map(Seen::tag)).collect();
    })
}

/// What is learned, in words.
fn in_words(learned: Option<Learned>) -> String {
    match learned {
        None => "nothing new".to_owned(),
        Some(Learned { by_other: None, .. }) => "noted".to_owned(),
        Some(Learned { by_other: Some(MoveByOther { from, to, again }), .. }) => {
            let words = |id: Option<&str>| id.unwrap_or("something").to_owned();
            let from = words(from.instance.as_ref().map(|id| id.as_str()));
            let to = words(to.instance_id.as_ref().map(|id| id.as_str()));
            format!("moved from {from} to {to}{}", if again { " again" } else { "" })
        }
    }
}

#[test]
fn an_attachment_that_neither_a_run_made_nor_an_audit_saw_was_made_by_something_else() {
    let from_holder = format!("moved from {HOLDER} to {STANDBY}");
    let from_third = format!("moved from {THIRD} to {STANDBY}");
    let on_holder = |minutes| seen(ATTACHMENT, HOLDER, ago(minutes));
    let soon = now() + TimeDelta::minutes(4);
    let cases: [(&str, Tags, Option<Seen>, &str); 20] = [
        ("the first audit", vec![], None, "noted"),
        ("an audit has seen it", vec![], Some(seen(SECOND, STANDBY, ago(60))), "nothing new"),
        ("a run has made it", made(SECOND, STANDBY, ago(30)), Some(on_holder(60)), "nothing new"),
        ("a run has made it, before any audit", made(SECOND, STANDBY, ago(30)), None, "nothing new"),
        ("an audit saw another one", vec![], Some(on_holder(60)), &from_holder),
        ("a run made another one", made(OTHER, THIRD, ago(30)), None, &from_third),
        ("a run made another one later", made(OTHER, THIRD, ago(30)), Some(on_holder(60)), &from_third),
        ("an audit saw another one later", made(OTHER, THIRD, ago(60)), Some(on_holder(30)), &from_holder),
        ("a run has begun, before any audit", begun(ago(30)), None, "noted"),
        ("a run has begun since", begun(ago(30)), Some(on_holder(60)), "noted"),
        ("a run is at work", begun(soon), Some(on_holder(60)), "noted"),
        ("an audit after the end of that run", begun(ago(60)), Some(on_holder(30)), &from_holder),
        (
            "an audit whose answer may have been old",
            begun(ago(60)),
            Some(seen(ATTACHMENT, HOLDER, ago(60) + TimeDelta::seconds(14))),
            "noted",
        ),
        (
            "an audit whose answer was not old",
            begun(ago(60)),
            Some(seen(ATTACHMENT, HOLDER, ago(60) + TimeDelta::seconds(15))),
            &from_holder,
        ),
        ("a move that was not made", begun(ago(30)), Some(seen(SECOND, STANDBY, ago(60))), "noted"),
        ("the same, while its run may be at work", begun(soon), Some(seen(SECOND, STANDBY, ago(60))), "nothing new"),
        ("the same, once it has been noted", begun(ago(60)), Some(seen(SECOND, STANDBY, ago(30))), "nothing new"),
        ("a run has begun since another one", unnamed_after(OTHER, THIRD, ago(35)), Some(on_holder(60)), "noted"),
        ("the same, and an audit since", unnamed_after(OTHER, THIRD, ago(35)), Some(on_holder(20)), &from_holder),
        (
            "an earlier run has noted its own late",
            [made(OTHER, THIRD, ago(35)), made_by("0000000000b2", SECOND, STANDBY, ago(30))].concat(),
            Some(on_holder(60)),
            "nothing new",
        ),
    ];
    for (name, own, seen, expected) in cases {
        assert_eq!(in_words(learn(&on_the_standby(&own, seen.as_ref()))), expected, "{name}");
    }
}

#[test]
fn an_audit_notes_what_it_sees_and_when() {
    let learned = learn(&on_the_standby(&[], None)).expect("something to note");
    assert_eq!(learned, Learned { seen: seen(SECOND, STANDBY, now()), by_other: None });
}

#[test]
fn a_second_move_by_something_else_within_a_day_happens_again() {
    let before = |minutes| Seen { moved: Some(ago(minutes)), ..seen(ATTACHMENT, HOLDER, ago(60)) };
    let once = format!("moved from {HOLDER} to {STANDBY}");
    for (minutes, expected) in [(60, format!("{once} again")), (24 * 60 - 1, format!("{once} again")), (24 * 60, once)]
    {
        let learned = learn(&on_the_standby(&[], Some(&before(minutes)))).expect("a move");
        assert_eq!(learned.seen, Seen { moved: Some(now()), ..seen(SECOND, STANDBY, now()) });
        assert_eq!(in_words(Some(learned)), expected, "{minutes} minutes later");
    }
}

#[test]
fn the_last_move_by_something_else_is_remembered_while_the_function_moves_the_interface() {
    let before = Seen { moved: Some(ago(90)), ..seen(ATTACHMENT, HOLDER, ago(60)) };
    let learned = learn(&on_the_standby(&begun(ago(30)), Some(&before))).expect("something to note");
    let now = Seen { moved: Some(ago(90)), ..seen(SECOND, STANDBY, now()) };
    assert_eq!(learned, Learned { seen: now, by_other: None });
}

#[test]
fn an_interface_that_was_taken_off_and_put_back_was_moved_too() {
    let before = seen(OTHER, STANDBY, ago(60));
    let learned = learn(&on_the_standby(&[], Some(&before)));
    assert_eq!(in_words(learned), format!("moved from {STANDBY} to {STANDBY}"));
}

#[test]
fn a_holder_that_is_not_a_member_or_no_instance_at_all_is_a_move_too() {
    let before = seen(ATTACHMENT, HOLDER, ago(60));
    for (to, expected) in [(Some(parsed(NON_MEMBER)), NON_MEMBER), (None, "something")] {
        let observation = on_the_standby(&[], Some(&before)).with_attachment(|attachment| attachment.instance_id = to);
        assert_eq!(in_words(learn(&observation)), format!("moved from {HOLDER} to {expected}"));
    }
}

#[test]
fn an_interface_that_is_not_attached_shows_nothing() {
    let before = seen(ATTACHMENT, HOLDER, ago(60));
    for status in [AttachmentStatus::Attaching, AttachmentStatus::Detaching, AttachmentStatus::Detached] {
        let observation = on_the_standby(&[], Some(&before)).with_attachment(|attachment| attachment.status = status);
        assert_eq!(learn(&observation), None, "{status:?}");
    }
    let free = on_the_standby(&[], Some(&before)).with_interface(|interface| interface.attachment = None);
    assert_eq!(learn(&free), None);
}

#[test]
fn a_pending_report_of_a_move_explains_every_attachment_until_it_is_published() {
    let run = RunName::new("5e1b6a9e-0000-4000-8000-0000000000a1");
    let report = PendingReport::of_move(&run, Some(&attachment()), &parsed(STANDBY), ago(10), ago(5));
    let start = PendingReport::of_start(&run, &parsed(STANDBY), ago(10), ago(5));
    let found = format!("moved from {HOLDER} to {STANDBY}");
    for (report, expected) in [
        (report.clone(), "nothing new"),
        (report.clone().handed_over(), "nothing new"),
        (report.once_reported(), &found),
        (start, &found),
    ] {
        let observation = on_the_standby(&[], Some(&seen(ATTACHMENT, HOLDER, ago(60))));
        let observation = observation.with_interface(|interface| interface.tags.extend([report.tag()]));
        assert_eq!(in_words(learn(&observation)), expected, "{}", report.value());
    }
}

#[test]
fn a_noted_move_makes_the_notes_of_finished_runs_needless() {
    let own = run("0000000000c3");
    let until = |name: &str, minutes: i64, names: bool| {
        note(name, ago(minutes), names.then(|| noted(OTHER, THIRD, ago(minutes + 5))))
    };
    let (named, unnamed) = (until("0000000000a1", 30, true), until("0000000000a2", 30, false));
    let at_work = MoveNote { until: now() - TimeDelta::seconds(14), ..until("0000000000b1", 0, true) };
    let mine = until("0000000000c3", -4, false);
    let tags = |notes: &[&MoveNote]| notes.iter().map(|note| note.tag()).collect::<BTreeMap<_, _>>();
    let keys = |notes: &[&MoveNote]| notes.iter().map(|note| note.tag().0).collect::<Vec<_>>();
    let all = tags(&[&named, &unnamed, &at_work, &mine]);
    assert_eq!(superseded(&all, &own, true, now()), keys(&[&named, &unnamed]));
    assert_eq!(superseded(&all, &own, false, now()), keys(&[&unnamed]), "it may not have moved anything");
    let before = tags(&[&named, &unnamed]);
    assert_eq!(superseded(&before, &own, false, now()), [""; 0], "its own note is not there");
    assert_eq!(superseded(&before, &own, true, now()), keys(&[&named, &unnamed]), "the answer is from before its note");
}

#[test]
fn the_tags_can_be_read_by_a_person_and_by_the_next_run() {
    let at = parsed("2026-11-11T20:29:54Z");
    let begun = note("0000000000a1", parsed("2026-11-11T20:34:54Z"), None);
    let made = MoveNote { arrived: Some(noted(SECOND, STANDBY, at)), ..begun.clone() };
    let seen = Seen { moved: Some(now()), ..seen(ATTACHMENT, HOLDER, at) };
    let to_no_instance = Seen { noted: Noted { instance: None, ..seen.noted.clone() }, moved: None };
    let values = [
        (begun.tag(), format!("{ATTACHED}:0000000000a1 until=2026-11-11T20:34:54Z by=instance-state-change")),
        (
            made.tag(),
            format!(
                "{ATTACHED}:0000000000a1 until=2026-11-11T20:34:54Z by=instance-state-change attachment={SECOND} \
                 instance={STANDBY} at=2026-11-11T20:29:54Z"
            ),
        ),
        (
            seen.tag(),
            format!(
                "{SEEN} attachment={ATTACHMENT} instance={HOLDER} at=2026-11-11T20:29:54Z moved=2026-11-11T21:29:54Z"
            ),
        ),
        (to_no_instance.tag(), format!("{SEEN} attachment={ATTACHMENT} at=2026-11-11T20:29:54Z")),
    ];
    for ((key, value), expected) in &values {
        assert_eq!(format!("{key} {value}"), *expected);
        assert!(value.len() <= 256, "{value}");
    }
    let by_each = TriggerKind::VARIANTS.iter().map(|by| MoveNote { started_by: *by, ..begun.clone() });
    for note in by_each.chain([begun.clone(), made]) {
        assert_eq!(MoveNote::read_all(&BTreeMap::from([note.tag()])), [note]);
    }
    // A later version may know more that starts a run, and an earlier one did not note it.
    for by in [" by=the-moon", ""] {
        let tags = BTreeMap::from([(begun.tag().0, format!("until=2026-11-11T20:34:54Z{by}"))]);
        assert_eq!(MoveNote::read_all(&tags), [MoveNote { started_by: TriggerKind::Unknown, ..begun.clone() }]);
    }
    for seen in [seen, to_no_instance] {
        assert_eq!(Seen::read(&BTreeMap::from([seen.tag()])), Some(seen));
    }
}

/// The keys of a run's note, of a key that is no note, and of an audit's note.
fn keys() -> [String; 3] {
    [format!("{ATTACHED}:0000000000a1"), ATTACHED.to_owned(), SEEN.to_owned()]
}

#[test]
fn a_tag_that_cannot_be_understood_is_no_tag() {
    let values = [
        "",
        "soon",
        "attachment=eni-attach-1",
        "at=2026-11-11T20:29:54Z",
        "until=soon",
        "attachment=eni-attach-1 at=soon",
    ];
    for value in values {
        let tags = keys().map(|key| (key, value.to_owned())).into();
        assert_eq!((MoveNote::read_all(&tags), Seen::read(&tags)), (Vec::new(), None), "{value}");
    }
    let far = [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC]
        .map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true));
    for time in far {
        let value = format!("attachment={ATTACHMENT} at={time} moved={time} until={time}");
        let observation = on_the_standby(&[], None).with_interface(|interface| {
            interface.tags = keys().map(|key| (key, value.clone())).into();
        });
        assert_ne!(in_words(learn(&observation)), "", "{time}");
    }
}
