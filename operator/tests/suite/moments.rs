//! The pure parts of an exercise, as tables.

use std::collections::BTreeSet;
use std::time::Duration;

use simulator::names;
use token_failover::act::run::Record;
use token_failover::model::check::CheckResult;
use token_failover::model::ids::{AttachmentId, InstanceId};
use token_failover::model::observation::{
    Attachment, AttachmentStatus, Instance, InstanceState, NetworkInterface, Observation, Reading,
};
use token_failover::model::report::{Probe, Step, StepRecord, StepResult};
use token_failover::model::request::TriggerKind;
use token_failover_operator::exercise::{
    Again, Exercise, Kind, Leg, Moment, Outcome, SCHEMA_VERSION, Sign, Verdict, Watch, after_a_stop, picture, sign_of,
    whereabouts,
};

use crate::standard::{config, parsed};
use crate::world::instance;

const OWED: &str = "token-failover:owed:eni-attach-0aaaaaaaaaaaaaaa1:00000000000a";

fn interface(attachment: Option<(&str, &str, AttachmentStatus)>, tags: &[(&str, &str)]) -> NetworkInterface {
    NetworkInterface {
        id: parsed(names::INTERFACE),
        mac_address: parsed(names::MAC),
        status: None,
        attachment: attachment.map(|(id, instance, status)| Attachment {
            id: AttachmentId::new(id),
            instance_id: Some(parsed(instance)),
            device_index: 1,
            status,
            delete_on_termination: false,
        }),
        availability_zone: names::ZONE.to_owned(),
        subnet_id: names::SUBNET.to_owned(),
        vpc_id: names::VPC.to_owned(),
        private_ip_address: None,
        association: None,
        groups: Vec::new(),
        source_dest_check: true,
        tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
    }
}

fn on_holder(status: AttachmentStatus) -> Option<(&'static str, &'static str, AttachmentStatus)> {
    Some((names::ATTACHMENT, names::HOLDER, status))
}

fn on_standby(status: AttachmentStatus) -> Option<(&'static str, &'static str, AttachmentStatus)> {
    Some(("eni-attach-0bbbbbbbbbbbbbbb2", names::STANDBY, status))
}

#[test]
fn a_watch_tells_the_moments_from_what_the_interface_shows() {
    use AttachmentStatus::{Attached, Attaching, Detaching};
    use Moment::{AttachAccepted, Begun, DetachAccepted, Free, Reported};
    let pending = [(OWED, "from=i-0aaaaaaaaaaaaaaa1 to=i-0bbbbbbbbbbbbbbb2 started=2026-11-29T10:00:00Z")];
    let told = [(OWED, "from=i-0aaaaaaaaaaaaaaa1 started=2026-11-29T10:00:00Z reported=yes")];
    let mut watch = Watch::new(&interface(on_holder(Attached), &[]), BTreeSet::new()).expect("it is attached");
    for (step, seen, expected) in [
        ("before", interface(on_holder(Attached), &[]), vec![]),
        ("the note", interface(on_holder(Attached), &pending), vec![Begun]),
        ("detaching", interface(on_holder(Detaching), &pending), vec![Begun, DetachAccepted]),
        ("free", interface(None, &pending), vec![Begun, DetachAccepted, Free]),
        ("attaching", interface(on_standby(Attaching), &pending), vec![Begun, DetachAccepted, Free, AttachAccepted]),
        (
            "attached",
            interface(on_standby(Attached), &pending),
            vec![Begun, DetachAccepted, Free, AttachAccepted, Moment::Attached],
        ),
        (
            "one answer without the report",
            interface(on_standby(Attached), &[]),
            vec![Begun, DetachAccepted, Free, AttachAccepted, Moment::Attached],
        ),
        (
            "that answer was old",
            interface(on_standby(Attached), &pending),
            vec![Begun, DetachAccepted, Free, AttachAccepted, Moment::Attached],
        ),
        (
            "reported, with DeleteOnTermination still open",
            interface(on_standby(Attached), &told),
            vec![Begun, DetachAccepted, Free, AttachAccepted, Moment::Attached],
        ),
        (
            "reported",
            interface(on_standby(Attached), &[]),
            vec![Begun, DetachAccepted, Free, AttachAccepted, Moment::Attached, Reported],
        ),
    ] {
        assert_eq!(watch.see(&seen), expected, "{step}");
        let is_single =
            ["one answer without the report", "reported, with DeleteOnTermination still open"].contains(&step);
        assert_eq!(watch.needs_another_answer(), is_single, "{step}");
    }
    assert_eq!(watch.holder().map(InstanceId::as_str), Some(names::STANDBY));
}

#[test]
fn a_watch_knows_a_move_that_was_over_before_it_looked() {
    let before = [("token-failover:moves", "2026-11-28T10:00:00Z")];
    let after = [("token-failover:moves", "2026-11-28T10:00:00Z 2026-11-29T10:00:00Z")];
    let mut watch = Watch::new(&interface(on_holder(AttachmentStatus::Attached), &before), BTreeSet::new())
        .expect("it is attached");
    assert_eq!(watch.see(&interface(on_holder(AttachmentStatus::Attached), &before)), []);
    let moved = interface(on_standby(AttachmentStatus::Attached), &after);
    assert!(watch.see(&moved).contains(&Moment::Begun));
    assert_eq!(watch.see(&moved).last(), Some(&Moment::Reported));

    // Somebody else moved it.
    let mut watch = Watch::new(&interface(on_holder(AttachmentStatus::Attached), &before), BTreeSet::new())
        .expect("it is attached");
    let moved = interface(on_standby(AttachmentStatus::Attached), &before);
    assert!((0..5).all(|_| !watch.see(&moved).contains(&Moment::Begun)));
}

#[test]
fn a_watch_knows_what_started_the_runs_of_the_move() {
    use AttachmentStatus::{Attached, Detaching};
    let earlier = ("token-failover:attached:0000000000a0", "until=2026-11-29T09:00:00Z by=schedule");
    let first = ("token-failover:attached:0000000000a1", "until=2026-11-29T10:05:00Z by=instance-state-change");
    let second = ("token-failover:attached:0000000000a2", "until=2026-11-29T10:05:01Z by=alarm");
    let mut watch = Watch::new(&interface(on_holder(Attached), &[earlier]), BTreeSet::new()).expect("it is attached");
    for (seen, expected) in [
        (interface(on_holder(Attached), &[earlier]), vec![]),
        (interface(on_holder(Attached), &[earlier, first]), vec![TriggerKind::InstanceStateChange]),
        (
            interface(on_holder(Detaching), &[earlier, first, second]),
            vec![TriggerKind::InstanceStateChange, TriggerKind::Alarm],
        ),
        // A run that has attached nothing removes its note.
        (interface(on_standby(Attached), &[second]), vec![TriggerKind::InstanceStateChange, TriggerKind::Alarm]),
    ] {
        watch.see(&seen);
        assert_eq!(watch.started_by().iter().copied().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_watch_takes_no_earlier_report_for_that_of_the_move() {
    let pending = [(OWED, "from=i-0aaaaaaaaaaaaaaa1 started=2026-11-29T10:00:00Z")];
    let before = interface(on_holder(AttachmentStatus::Attached), &pending);
    let mut watch = Watch::new(&before, BTreeSet::new()).expect("it is attached");
    assert_eq!(watch.see(&before), []);
    assert!(Watch::new(&interface(None, &[]), BTreeSet::new()).is_none());
}

#[test]
fn a_watch_of_the_way_back_takes_no_answer_from_the_way_there_for_a_moment() {
    use AttachmentStatus::{Attached, Detaching};
    let of_there = [(OWED, "from=i-0aaaaaaaaaaaaaaa1 to=i-0bbbbbbbbbbbbbbb2 started=2026-11-29T10:00:00Z")];
    let left = BTreeSet::from([interface(on_holder(Attached), &[]).attachment.expect("an attachment").id]);
    let mut watch = Watch::new(&interface(on_standby(Attached), &[]), left).expect("it is attached");
    for old in [
        interface(on_holder(Attached), &[]),
        interface(on_holder(Detaching), &of_there),
        interface(None, &of_there),
        interface(on_standby(Attached), &of_there),
        interface(None, &[]),
    ] {
        assert_eq!(watch.see(&old), [], "{old:?}");
    }
}

fn leg(kind: Kind, changes: &[(&str, &str)], starts_standby: bool) -> Leg {
    Leg::new(kind, &parsed(names::HOLDER), &parsed(names::STANDBY), &config(changes), starts_standby)
}

fn moments(leg: &Leg) -> Vec<Moment> {
    leg.rows().into_iter().map(|row| row.moment).collect()
}

#[test]
fn each_kind_of_leg_expects_its_moments() {
    use Moment::{
        AttachAccepted, Attached, Begun, DetachAccepted, Free, HolderStopped, LicensesServed, PortsAnswering, Reported,
        StandbyRunning,
    };
    let checked = [("TOKEN_SERVER_LICENSE_CHECK_DOCUMENT", "token-failover-check-license")];
    let arrival = [DetachAccepted, Free, AttachAccepted, Attached];
    for (leg, first, last) in [
        (leg(Kind::Failover, &[], false), vec![Begun], vec![PortsAnswering, Reported]),
        (leg(Kind::Failover, &checked, false), vec![Begun], vec![PortsAnswering, LicensesServed, Reported]),
        (leg(Kind::Stop, &[], false), vec![Begun, HolderStopped], vec![PortsAnswering, Reported]),
        (
            leg(Kind::Stop, &checked, true),
            vec![Begun, HolderStopped],
            vec![StandbyRunning, PortsAnswering, LicensesServed, Reported],
        ),
    ] {
        assert_eq!(moments(&leg), [first, arrival.to_vec(), last].concat());
    }
}

#[test]
fn a_leg_holds_only_if_every_moment_came_in_time_and_something_shows_that_it_serves() {
    let second = Duration::from_secs(1);
    let complete = |leg: &mut Leg| {
        for (number, moment) in (1..).zip(moments(leg)) {
            assert!(leg.see(moment, second * number), "{moment}");
        }
    };
    let mut held = leg(Kind::Failover, &[], false);
    complete(&mut held);
    assert!(held.held());
    assert_eq!((held.problems(), held.gives_up_at()), (Vec::new(), None));
    assert!(!held.see(Moment::Begun, second * 60), "only the first time counts");
    assert!(!held.see(Moment::LicensesServed, second), "nothing checks the license");

    let unreached = |changes: &[(&str, &str)]| {
        let mut leg = leg(Kind::Failover, changes, false);
        leg.cannot_see(Moment::PortsAnswering);
        for moment in moments(&leg).into_iter().filter(|moment| *moment != Moment::PortsAnswering) {
            leg.see(moment, second);
        }
        assert!(leg.rows().iter().any(|row| row.result == Verdict::NotChecked));
        leg
    };
    let checked = unreached(&[("TOKEN_SERVER_LICENSE_CHECK_DOCUMENT", "token-failover-check-license")]);
    assert_eq!((checked.held(), checked.problems()), (true, Vec::new()), "the licenses show that it serves");
    let mut blind = unreached(&[]);
    assert!(!blind.held());
    assert_eq!(
        blind.problems(),
        [
            "i-0aaaaaaaaaaaaaaa1 to i-0bbbbbbbbbbbbbbb2: nothing showed that i-0bbbbbbbbbbbbbbb2 serves licenses. Its ports did \
             not all answer this machine: run the exercise in the VPC, or switch on the license check."
        ]
    );
    blind.see(Moment::PortsAnswering, second);
    assert!(
        blind.held() && blind.rows().iter().all(|row| row.result == Verdict::Held),
        "what is seen after all counts"
    );

    let mut late = leg(Kind::Failover, &[], false);
    late.see(Moment::Begun, second);
    late.see(Moment::DetachAccepted, second * 17);
    assert!(!late.held());
    assert_eq!(
        late.problems()[..2],
        [
            "i-0aaaaaaaaaaaaaaa1 to i-0bbbbbbbbbbbbbbb2: EC2 accepted the detach after 16.000 s, expected within 15 s.",
            "i-0aaaaaaaaaaaaaaa1 to i-0bbbbbbbbbbbbbbb2: not seen within 60 s: the interface was free.",
        ]
    );
    assert_eq!(late.gives_up_at(), Some(second * (17 + 2 * 60)), "twice the limit after the last moment");

    for (started_by, told) in [
        (vec![TriggerKind::InstanceStateChange], None),
        // Both came within the same second.
        (vec![TriggerKind::Schedule, TriggerKind::InstanceStateChange], None),
        (vec![TriggerKind::Schedule], Some("\"schedule\"")),
        (vec![TriggerKind::Alarm, TriggerKind::Schedule], Some("\"alarm\" and \"schedule\"")),
        (vec![], Some("something unknown")),
    ] {
        let mut stopped = leg(Kind::Stop, &[], false);
        complete(&mut stopped);
        stopped.started_by.extend(started_by);
        let told = told.map(|by| {
            format!(
                "i-0aaaaaaaaaaaaaaa1 to i-0bbbbbbbbbbbbbbb2: EC2's event about the stop did not start the move, but {by} did. \
                 See \"If the event did not start the move\" in docs/operator.md."
            )
        });
        assert_eq!((stopped.held(), stopped.problems()), (told.is_none(), told.into_iter().collect()));
    }
    let mut in_place = leg(Kind::Stop, &[], false);
    in_place.see(Moment::Begun, second);
    assert!(in_place.problems().iter().all(|problem| !problem.contains("event")), "nothing has moved");

    let mut failed = leg(Kind::Failover, &[], false);
    complete(&mut failed);
    failed.problem = Some("the interface came back".to_owned());
    assert_eq!((failed.held(), failed.problems()), (false, vec!["the interface came back".to_owned()]));
}

#[test]
fn after_a_stop_the_function_moves_the_interface_or_there_is_a_reason_why_it_would_not() {
    use InstanceState::{Running, Stopped, Terminated};
    let now = "2026-11-29T10:00:00Z";
    let moves = "2026-11-29T09:10:00Z 2026-11-29T09:20:00Z 2026-11-29T09:30:00Z";
    let to_standby = |start: bool| Ok((names::STANDBY.to_owned(), start));
    let limit = "there were too many moves or starts in the last hour";
    for (what, standby, tags, changes, expected) in [
        ("a warm standby", Running, vec![], vec![], to_standby(false)),
        ("a cold one", Stopped, vec![], vec![], to_standby(true)),
        ("none", Terminated, vec![], vec![("FAILOVER_START_STANDBY", "false")], Err("no standby can take it")),
        (
            "none, and the holder may be started",
            Terminated,
            vec![],
            vec![],
            Err("it would start i-0aaaaaaaaaaaaaaa1 again"),
        ),
        ("three moves within the hour", Running, vec![("token-failover:moves", moves)], vec![], Err(limit)),
        ("no move is allowed", Running, vec![], vec![("FAILOVER_MAX_MOVES_PER_HOUR", "0")], Err(limit)),
    ] {
        let member = |id: &str, state: InstanceState| Instance { state, ..instance(id) };
        let seen = Observation {
            observed_at: parsed(now),
            interface: Reading::Known(Some(interface(on_holder(AttachmentStatus::Attached), &tags))),
            instances: Reading::Known(vec![member(names::HOLDER, Running), member(names::STANDBY, standby)]),
            reachability: None,
        };
        let target = after_a_stop(&config(&changes), &seen, &parsed(names::HOLDER));
        let target = target.map(|target| (target.attach.instance_id.to_string(), target.start));
        assert_eq!(target, expected.map_err(str::to_owned), "{what}");
    }
}

fn step(step: Step, result: StepResult) -> StepRecord {
    StepRecord { step, resource: String::new(), result, duration_ms: 1, error: None }
}

fn probes(results: &[CheckResult]) -> Vec<Probe> {
    results.iter().map(|result| Probe { port: 27007, result: *result, duration_ms: 1, error: None }).collect()
}

#[test]
fn the_ports_count_as_answering_only_if_all_of_them_answered() {
    use CheckResult::{Failed, NotChecked, Ok};
    for (results, expected) in [
        (vec![Ok, Ok], Some(Sign::Seen(Moment::PortsAnswering))),
        (vec![Ok, Failed], None),
        (vec![NotChecked, Failed], None),
        (vec![Ok, NotChecked], Some(Sign::CannotSee(Moment::PortsAnswering))),
        (vec![], Some(Sign::CannotSee(Moment::PortsAnswering))),
    ] {
        assert_eq!(sign_of(Record::Probed(&probes(&results))), expected, "{results:?}");
    }
    assert_eq!(sign_of(Record::Ended(&step(Step::Probe, StepResult::Done))), None);
}

#[test]
fn a_step_that_failed_is_no_moment() {
    for (record, expected) in [
        (step(Step::Detach, StepResult::Done), Some(Sign::Seen(Moment::DetachAccepted))),
        (step(Step::Detach, StepResult::Skipped), Some(Sign::Seen(Moment::DetachAccepted))),
        (step(Step::Detach, StepResult::Failed), None),
        (step(Step::Detach, StepResult::Planned), None),
        (step(Step::Publish, StepResult::Done), Some(Sign::Seen(Moment::Reported))),
        (step(Step::NotePublished, StepResult::Done), None),
    ] {
        assert_eq!(sign_of(Record::Ended(&record)), expected, "{record:?}");
    }
}

#[test]
fn an_exercise_that_ends_early_names_the_state_and_the_commands_that_end_it() {
    use AttachmentStatus::{Attached, Attaching, Detaching};
    let (from, again) = (parsed(names::HOLDER), Again::new("acme", "eu-west-1", &["A=b c".to_owned()]));
    let pending = [(OWED, "from=i-0aaaaaaaaaaaaaaa1 started=2026-11-29T10:00:00Z")];
    let back = [(
        "token-failover:owed:eni-attach-0bbbbbbbbbbbbbbb2:00000000000b",
        "from=i-0bbbbbbbbbbbbbbb2 started=2026-11-29T10:05:00Z",
    )];
    let left = |seen: Option<NetworkInterface>, stopped: Option<&InstanceId>| {
        let left = whereabouts(seen.as_ref(), &from, stopped, None, &again, "eu-west-1");
        (left.state, left.commands.into_iter().map(|(_, command)| command).collect::<Vec<_>>())
    };
    let options = "--stack-name acme --set AWS_REGION=eu-west-1 --set A='b c'";
    let again = |task: &str| vec![format!("token-failover {task} {options}")];
    let start = "aws ec2 start-instances --instance-ids i-0aaaaaaaaaaaaaaa1 --region eu-west-1".to_owned();
    for (seen, state, commands) in [
        (
            Some(interface(on_holder(Attached), &[])),
            "eni-0ddddddddddddddd1 is attached to i-0aaaaaaaaaaaaaaa1.",
            vec![],
        ),
        (
            Some(interface(Some(("eni-attach-0ccccccccccccccc3", names::HOLDER, Attached)), &pending)),
            "eni-0ddddddddddddddd1 is attached to i-0aaaaaaaaaaaaaaa1. The function publishes the report of the move within \
             minutes.",
            vec![],
        ),
        (
            Some(interface(on_standby(Attached), &back)),
            "eni-0ddddddddddddddd1 is attached to i-0bbbbbbbbbbbbbbb2. The move had not begun, and the function removes its \
             pending report within minutes. Until then, an exercise is refused.",
            again("failover --to i-0aaaaaaaaaaaaaaa1"),
        ),
        (
            Some(interface(on_holder(Detaching), &pending)),
            "EC2 is detaching eni-0ddddddddddddddd1 from i-0aaaaaaaaaaaaaaa1. The function attaches it again within a minute \
             or two.",
            again("failover"),
        ),
        (
            Some(interface(None, &pending)),
            "eni-0ddddddddddddddd1 is attached to nothing, so no licenses are served. The function attaches it within a \
             minute or two.",
            again("failover"),
        ),
        (
            Some(interface(on_standby(Attaching), &pending)),
            "eni-0ddddddddddddddd1 is on its way to i-0bbbbbbbbbbbbbbb2. The function waits for it, and reports the move.",
            again("plan"),
        ),
        (
            Some(interface(on_standby(Attached), &pending)),
            "eni-0ddddddddddddddd1 is attached to i-0bbbbbbbbbbbbbbb2. The function publishes the report of the move within \
             minutes.",
            again("failover --to i-0aaaaaaaaaaaaaaa1"),
        ),
        (
            None,
            "EC2 did not tell where the interface is. If it is attached to nothing, the function attaches it within a minute \
             or two.",
            again("plan"),
        ),
    ] {
        assert_eq!(left(seen.clone(), None), (state.to_owned(), commands.clone()));
        let stopped = left(seen, Some(&from));
        assert_eq!(stopped.0, format!("{state} i-0aaaaaaaaaaaaaaa1 is stopped, or is stopping."));
        assert_eq!(stopped.1, [commands, vec![start.clone()]].concat());
    }
    let begun = || Some(interface(on_holder(Attached), &pending));
    let state = "eni-0ddddddddddddddd1 is attached to i-0aaaaaaaaaaaaaaa1. The move had not begun, and the function removes its \
                 pending report within minutes. Until then, an exercise is refused.";
    assert_eq!(left(begun(), None), (state.to_owned(), vec![]));
    // After a stop, the report is that of the deployed function, which is at work.
    let state = "eni-0ddddddddddddddd1 is attached to i-0aaaaaaaaaaaaaaa1. The function is about to move it, and reports the \
                 move. i-0aaaaaaaaaaaaaaa1 is stopped, or is stopping.";
    assert_eq!(left(begun(), Some(&from)), (state.to_owned(), vec![start]));
}

#[test]
fn a_standby_that_was_started_is_named_unless_it_has_the_interface() {
    use AttachmentStatus::Attached;
    let (from, standby) = (parsed(names::HOLDER), parsed(names::STANDBY));
    let again = Again::new("acme", "eu-west-1", &[]);
    let stop = "aws ec2 stop-instances --instance-ids i-0bbbbbbbbbbbbbbb2 --region eu-west-1";
    for (seen, is_named) in [
        (Some(interface(on_holder(Attached), &[])), true),
        (Some(interface(on_standby(Attached), &[])), false),
        // It may be about to get the interface.
        (Some(interface(None, &[])), false),
        (None, false),
    ] {
        let left = whereabouts(seen.as_ref(), &from, None, Some(&standby), &again, "eu-west-1");
        assert_eq!(left.commands.iter().any(|(_, command)| command == stop), is_named, "{seen:?}");
        assert_eq!(left.state.contains("was started for the exercise"), is_named, "{seen:?}");
    }
}

#[test]
fn the_picture_has_a_bar_for_each_moment_that_was_seen_and_escapes_the_name() {
    let mut leg = leg(Kind::Failover, &[], false);
    leg.see(Moment::Begun, Duration::from_millis(120));
    leg.see(Moment::DetachAccepted, Duration::from_millis(480));
    let exercise = Exercise {
        schema_version: SCHEMA_VERSION,
        result: Outcome::NotHeld,
        token_server: "R&D <license>".to_owned(),
        network_interface_id: parsed(names::INTERFACE),
        stack: "token-failover".to_owned(),
        started_at: "2026-11-29T10:00:00Z".parse().expect("a time"),
        duration_ms: 480,
        problems: leg.problems(),
        legs: vec![leg],
    };
    let svg = picture(&exercise);
    assert!(svg.contains("Exercise of R&amp;D &lt;license&gt;: NOT all of it held, in 0.480 s"), "{svg}");
    let bars = svg.matches("height=\"14\"").count();
    assert_eq!((bars, svg.matches("missing").count()), (2, 5), "{svg}");
}
