//! What a move does after each answer from EC2: detach, attach, and the course from target to target, as tables.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use simulator::names::{ATTACHMENT, HOLDER, NON_MEMBER, STANDBY, THIRD};
use token_failover::decide::moving::attach::{AfterRefusal, Landing, Place, after_refusal, arrival};
use token_failover::decide::moving::course::{Attaching, Course, Freeing, Leg};
use token_failover::decide::moving::detach::{Ask, Detach, Detached};
use token_failover::model::change::Attach;
use token_failover::model::config::Config;
use token_failover::model::error::{CallError, Meaning};
use token_failover::model::ids::AttachmentId;
use token_failover::model::observation::{Attachment, AttachmentStatus, InstanceState, NetworkInterface, Observation};
use token_failover::model::outcome::{Boot, MoveOutcome, Started};
use token_failover::model::plan::{Move, MoveCause, Refusal, Target, Targets};
use token_failover::model::report::Movement;

use crate::standard;
use crate::world::{Change, attach, attachment, denied, interface, pair, parsed, unreachable};

const NEW: &str = "eni-attach-0bbbbbbbbbbbbbbb2";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn error(meaning: Meaning) -> CallError {
    CallError { meaning, ..unreachable("ec2:DetachNetworkInterface") }
}

fn by(id: &str, holder: Option<&str>, status: AttachmentStatus) -> Attachment {
    Attachment { id: AttachmentId::new(id), instance_id: holder.map(parsed), status, ..attachment() }
}

fn with(attachment: Option<Attachment>) -> NetworkInterface {
    NetworkInterface { attachment, ..interface() }
}

// ---- Detach ----

fn detach() -> Detach {
    Detach::new(&attachment(), Some(InstanceState::Stopped), Some(seconds(30)))
}

/// The result of a look while the interface has not left.
fn still_there() -> Result<Option<NetworkInterface>, CallError> {
    Ok(Some(with(Some(by(ATTACHMENT, Some(HOLDER), AttachmentStatus::Detaching)))))
}

#[test]
fn a_detach_is_requested_once_and_then_awaited() {
    let mut detach = detach();
    assert_eq!(detach.ask(seconds(0)), Some(Ask::Detach));
    assert_eq!(detach.answered(Ask::Detach, seconds(0), seconds(1), Ok(())), None);
    for second in 1..30 {
        assert_eq!(
            (detach.seen(seconds(second), still_there()), detach.ask(seconds(second))),
            (None, None),
            "{second}"
        );
    }
}

#[test]
fn a_detach_that_is_under_way_is_only_awaited_and_is_forced_if_it_hangs() {
    let mut detach = Detach::new(&by(ATTACHMENT, Some(HOLDER), AttachmentStatus::Detaching), None, Some(seconds(30)));
    assert_eq!(detach.ask(seconds(0)), None);
    assert_eq!(detach.seen(seconds(30), still_there()), None);
    assert_eq!(detach.ask(seconds(30)), Some(Ask::ForceDetach));
}

#[test]
fn a_detach_is_forced_once_after_its_time_and_only_if_it_was_seen_to_hang() {
    let hanging = |force_after| {
        let mut detach = Detach::new(&attachment(), None, force_after);
        assert_eq!(detach.answered(Ask::Detach, seconds(0), seconds(0), Ok(())), None);
        detach
    };
    let mut unseen = hanging(Some(seconds(30)));
    assert_eq!(unseen.ask(seconds(31)), None, "nothing was read yet");
    assert_eq!(unseen.seen(seconds(31), Err(unreachable("ec2:DescribeNetworkInterfaces"))), None);
    assert_eq!(unseen.ask(seconds(31)), None, "the interface could not be read");
    let mut never = hanging(None);
    assert_eq!(never.seen(seconds(3000), still_there()), None);
    assert_eq!(never.ask(seconds(3000)), None, "force is off");
    let mut seen = hanging(Some(seconds(30)));
    assert_eq!(seen.seen(seconds(29), still_there()), None);
    assert_eq!((seen.ask(seconds(29)), seen.ask(seconds(30))), (None, Some(Ask::ForceDetach)));
    assert_eq!(seen.answered(Ask::ForceDetach, seconds(30), seconds(31), Ok(())), None);
    assert_eq!(seen.seen(seconds(300), still_there()), None);
    assert_eq!(seen.ask(seconds(300)), None);
    assert_eq!(seen.seen(seconds(301), Ok(Some(with(None)))), Some(Detached::Free { forced: true }));
}

#[test]
fn a_refused_detach_is_repeated_twice_a_second_and_later_every_three_seconds() {
    for meaning in
        [Meaning::AlreadyDetached, Meaning::WrongState, Meaning::InUse, Meaning::Throttled, Meaning::Unreachable]
    {
        let mut detach = detach();
        assert_eq!(detach.answered(Ask::Detach, seconds(0), seconds(1), Err(error(meaning))), None);
        let (early, due) = (Duration::from_millis(1499), Duration::from_millis(1500));
        assert_eq!((detach.ask(early), detach.ask(due)), (None, Some(Ask::Detach)), "{meaning:?}");
        assert_eq!(detach.seen(due, Err(unreachable("ec2:DescribeNetworkInterfaces"))), None);
        assert_eq!(detach.ask(due), None, "nothing is asked again while the interface cannot be read");
        assert_eq!(detach.seen(due, still_there()), None);
        assert_eq!(detach.answered(Ask::Detach, seconds(30), seconds(30), Err(error(meaning))), None);
        assert_eq!((detach.ask(seconds(32)), detach.ask(seconds(33))), (None, Some(Ask::Detach)), "{meaning:?}");
    }
}

#[test]
fn a_permanent_error_ends_the_detach() {
    let primary = Attachment { device_index: 0, ..attachment() };
    let refused = |from: &Attachment, error: CallError| {
        let mut detach = Detach::new(from, Some(InstanceState::Stopped), None);
        detach.answered(Ask::Detach, seconds(0), seconds(0), Err(error))
    };
    let (rejected, not_permitted) = (error(Meaning::Rejected), error(Meaning::NotPermitted));
    let call_rejected = |error: &CallError| Some(Detached::Refused(Refusal::CallRejected(error.clone())));
    assert_eq!(refused(&attachment(), rejected.clone()), call_rejected(&rejected));
    assert_eq!(refused(&attachment(), not_permitted.clone()), call_rejected(&not_permitted));
    let refusal = Refusal::PrimaryInterface {
        holder: parsed(HOLDER),
        state: Some(InstanceState::Stopped),
        attachment_id: AttachmentId::new(ATTACHMENT),
    };
    assert_eq!(refused(&primary, not_permitted), Some(Detached::Refused(refusal)));
}

#[test]
fn a_denied_detach_is_believed_only_if_the_attachment_still_exists_after_15_seconds() {
    let denial = denied("ec2:DetachNetworkInterface");
    let after_denial = || {
        let mut detach = detach();
        assert_eq!(detach.answered(Ask::Detach, seconds(0), seconds(1), Err(denial.clone())), None);
        assert_eq!(detach.ask(seconds(600)), None, "a denied call is not repeated");
        assert_eq!(detach.seen(seconds(15), still_there()), None);
        detach
    };
    let free = after_denial().seen(seconds(16), Ok(Some(with(None))));
    assert_eq!(free, Some(Detached::Free { forced: false }), "the attachment was gone");
    let refused = after_denial().seen(seconds(16), still_there());
    assert_eq!(refused, Some(Detached::Refused(Refusal::PermissionDenied(denial.clone()))));
}

#[test]
fn a_look_ends_the_detach_when_the_interface_has_left() {
    let elsewhere = by(NEW, Some(THIRD), AttachmentStatus::Attached);
    for (look, expected) in [
        (Ok(None), Some(Detached::Refused(Refusal::InterfaceMissing))),
        (Ok(Some(with(None))), Some(Detached::Free { forced: false })),
        (
            Ok(Some(with(Some(by(ATTACHMENT, Some(HOLDER), AttachmentStatus::Detached))))),
            Some(Detached::Free { forced: false }),
        ),
        (Ok(Some(with(Some(elsewhere.clone())))), Some(Detached::Elsewhere(elsewhere.clone()))),
        (still_there(), None),
        (Err(unreachable("ec2:DescribeNetworkInterfaces")), None),
    ] {
        assert_eq!(detach().seen(seconds(1), look.clone()), expected, "{look:?}");
    }
}

// ---- Attach ----

#[test]
fn the_place_of_the_interface_is_relative_to_the_target() {
    use AttachmentStatus::{Attached, Attaching as BeingAttached, Detached as Free, Detaching};
    let departed = BTreeSet::from([AttachmentId::new(ATTACHMENT)]);
    let accepted = AttachmentId::new(NEW);
    let arrives = by(NEW, Some(STANDBY), BeingAttached);
    let is_there = by(NEW, Some(STANDBY), Attached);
    let other = by("eni-attach-0cccccccccccccccc", Some(STANDBY), Attached);
    let third = by(NEW, Some(THIRD), Attached);
    for (seen, expected) in [
        (None, Place::Nowhere),
        (Some(by(NEW, Some(STANDBY), Free)), Place::Nowhere),
        (Some(by(ATTACHMENT, Some(HOLDER), Attached)), Place::Leaving),
        (Some(by(NEW, Some(STANDBY), Detaching)), Place::Leaving),
        (Some(arrives.clone()), Place::Arriving(arrives)),
        (Some(is_there.clone()), Place::There(is_there)),
        (Some(other.clone()), Place::Elsewhere(other.clone())),
        (Some(third.clone()), Place::Elsewhere(third)),
    ] {
        let place = Place::of(&with(seen.clone()), &attach(STANDBY), &departed, Some(&accepted));
        assert_eq!(place, expected, "{seen:?}");
    }
    let unknown = Place::of(&with(Some(other.clone())), &attach(STANDBY), &departed, None);
    assert_eq!(unknown, Place::There(other), "without EC2's answer, any attachment to the target may be this run's");
}

fn there() -> Attachment {
    by(NEW, Some(STANDBY), AttachmentStatus::Attached)
}

#[test]
fn a_refused_attach_is_given_up_by_the_kind_of_error_or_if_the_interface_is_elsewhere() {
    use Meaning::{Denied, DoesNotFit, InUse, NotFound, Rejected, Throttled, Unreachable, WrongState};
    let impossible = AfterRefusal::GiveUp(Landing::Impossible);
    let elsewhere = AfterRefusal::GiveUp(Landing::Elsewhere(there()));
    let decide = |meaning, place, waited| after_refusal(meaning, place, false, false, seconds(waited));
    for meaning in [DoesNotFit, NotFound, Denied, Rejected] {
        assert_eq!(decide(meaning, Place::Nowhere, 0), impossible, "{meaning:?}");
    }
    for (meaning, limit) in [(InUse, 90), (Throttled, 90), (Unreachable, 90), (WrongState, 30)] {
        for place in [Place::Nowhere, Place::Leaving] {
            let both = (decide(meaning, place.clone(), limit - 1), decide(meaning, place, limit));
            assert_eq!(both, (AfterRefusal::AskAgain, impossible.clone()), "{meaning:?}");
        }
    }
    assert_eq!(decide(DoesNotFit, Place::Leaving, 89), AfterRefusal::AskAgain, "it may not fit because it is in use");
    for place in [Place::There(there()), Place::Arriving(there()), Place::Elsewhere(there())] {
        assert_eq!(decide(InUse, place, 0), elsewhere, "another run was faster");
    }
}

#[test]
fn after_a_lost_answer_an_interface_on_the_target_counts_as_accepted_and_a_dying_target_is_not_given_up() {
    let decide = |place| after_refusal(Meaning::Unreachable, place, true, true, seconds(1));
    assert_eq!(decide(Place::There(there())), AfterRefusal::PerhapsAccepted);
    assert_eq!(decide(Place::Arriving(there())), AfterRefusal::PerhapsAccepted);
    assert_eq!(decide(Place::Elsewhere(there())), AfterRefusal::GiveUp(Landing::Elsewhere(there())));
    assert_eq!(decide(Place::Nowhere), AfterRefusal::AskAgain);
    let answered = after_refusal(Meaning::WrongState, Place::Nowhere, false, true, seconds(1));
    assert_eq!(answered, AfterRefusal::GiveUp(Landing::Impossible), "a target that is terminated never takes it");
}

#[test]
fn the_wait_for_an_attach_ends_when_an_answer_can_be_believed() {
    let landed = Some(Landing::Landed(there()));
    let elsewhere = Some(Landing::Elsewhere(there()));
    for (place, ours_at_once, others_at_once, ours_later, others_later) in [
        (Some(Place::There(there())), landed.clone(), None, landed.clone(), landed.clone()),
        (Some(Place::Elsewhere(there())), None, None, elsewhere.clone(), elsewhere),
        (Some(Place::Nowhere), None, None, Some(Landing::Impossible), Some(Landing::Impossible)),
        (Some(Place::Leaving), None, None, None, None),
        (Some(Place::Arriving(there())), None, None, None, None),
        (None, None, None, Some(Landing::Gone), Some(Landing::Gone)),
    ] {
        let decide = |is_ours, waited| arrival(place.clone(), is_ours, seconds(waited), false);
        let decided = (decide(true, 14), decide(false, 14), decide(true, 15), decide(false, 15));
        assert_eq!(decided, (ours_at_once, others_at_once, ours_later, others_later), "{place:?}");
    }
    assert_eq!(arrival(Some(Place::Leaving), true, seconds(90), false), Some(Landing::Impossible));
    let arriving = Some(Place::Arriving(there()));
    assert_eq!(arrival(arriving.clone(), true, seconds(900), false), None, "nothing else can be tried meanwhile");
    assert_eq!(arrival(arriving, true, seconds(1), true), Some(Landing::Arriving(there())));
}

// ---- The course ----

fn config() -> Config {
    standard::config(&[("TOKEN_SERVER_INSTANCE_IDS", &[HOLDER, STANDBY, THIRD].join(","))])
}

fn target(id: &str, start: bool) -> Target {
    Target { attach: attach(id), start }
}

/// A move from the holder to the standby and then to the third member. Both are stopped.
fn planned(fallback: Option<Attach>) -> Move {
    Move {
        interface_id: parsed(simulator::names::INTERFACE),
        cause: MoveCause::HolderStopped,
        from: Some(attachment()),
        fallback,
        last_resorts: Vec::new(),
        targets: Targets { first: target(STANDBY, true), others: vec![target(THIRD, true)] },
        counts: true,
    }
}

fn movement(to: &str, attachment: &str, started: bool) -> Movement {
    Movement {
        from: Some(parsed(HOLDER)),
        to: parsed(to),
        attachment_id: Some(AttachmentId::new(attachment)),
        forced: Some(false),
        standby_started: Some(started),
        duration_ms: Some(7000),
    }
}

fn landed_on(id: &str) -> Landing {
    Landing::Landed(by(NEW, Some(id), AttachmentStatus::Attached))
}

/// EC2's answer to one leg of a move.
#[derive(Debug, Clone)]
enum Reply {
    Detach(Detached),
    Attach(Landing),
    Start(Started),
    Read,
}

/// The legs of a move, in words, for these replies. A reply of another kind than the leg ends the course.
fn run_course(
    planned: &Move,
    seen: &Observation,
    replies: &[Reply],
) -> (Vec<String>, Option<Result<MoveOutcome, Refusal>>) {
    let config = config();
    let (seen, elapsed) = (Some(seen), seconds(7));
    let mut course = Course::new(&config, planned, Some(parsed(HOLDER)));
    let mut leg = course.begin(seen);
    let mut legs = Vec::new();
    let mut replies = replies.iter();
    loop {
        legs.push(match &leg {
            Leg::Detach(from, Freeing::FormerHolder) => format!("detach {}", from.id),
            Leg::Detach(from, Freeing::ForTarget(next)) => {
                format!("detach {} for {}", from.id, next.attach.instance_id)
            }
            Leg::Detach(from, Freeing::ForFormerHolder(_)) => format!("detach {} to give it back", from.id),
            Leg::Detach(from, Freeing::ForLastResort(next)) => {
                format!("detach {} for {} as a last resort", from.id, next.attach.instance_id)
            }
            Leg::Attach(Attaching::Target(target)) => format!("attach {}", target.attach.instance_id),
            Leg::Attach(Attaching::FormerHolder(target)) => format!("give back to {}", target.attach.instance_id),
            Leg::Attach(Attaching::LastResort(target)) => format!("last resort {}", target.attach.instance_id),
            Leg::Attach(Attaching::NotStarted(target, _)) => format!("put back on {}", target.attach.instance_id),
            Leg::Start(id, _) => format!("start {id}"),
            Leg::Read(id, _) => format!("read {id}"),
            Leg::End(ended) => return (legs, Some(ended.clone())),
        });
        leg = match (leg, replies.next().cloned()) {
            (Leg::Detach(_, why), Some(Reply::Detach(detached))) => course.after_detach(why, detached, seen),
            (Leg::Attach(why), Some(Reply::Attach(landing))) => course.after_attach(why, landing, seen, elapsed),
            (Leg::Start(_, why), Some(Reply::Start(started))) => course.after_start(why, started, seen),
            (Leg::Read(id, stuck), Some(Reply::Read)) => course.after_read(&id, stuck, seen),
            _ => return (legs, None),
        };
    }
}

fn stopped() -> Observation {
    pair().with_instance(HOLDER, |holder| holder.state = InstanceState::Stopped)
}

const FREE: Reply = Reply::Detach(Detached::Free { forced: false });
const IMPOSSIBLE: Reply = Reply::Attach(Landing::Impossible);
const NO_START: Reply = Reply::Start(Started::Refused);

#[test]
fn the_first_target_that_takes_the_interface_and_runs_keeps_it() {
    let detach = format!("detach {ATTACHMENT}");
    let (to_standby, to_third) = (format!("attach {STANDBY}"), format!("attach {THIRD}"));
    let (start_standby, start_third) = (format!("start {STANDBY}"), format!("start {THIRD}"));
    for (started, boot) in [
        (Started::ByThisRun, Boot::WithInterface),
        (Started::PerhapsByThisRun, Boot::Earlier),
        (Started::Already, Boot::Earlier),
    ] {
        let replies = [FREE, Reply::Attach(landed_on(STANDBY)), Reply::Start(started)];
        let (legs, ended) = run_course(&planned(None), &stopped(), &replies);
        assert_eq!(legs, [&*detach, &*to_standby, &*start_standby]);
        assert_eq!(ended, Some(Ok(MoveOutcome::Moved(movement(STANDBY, NEW, true), boot))));
    }
    let replies = [FREE, IMPOSSIBLE, Reply::Attach(landed_on(THIRD)), Reply::Start(Started::ByThisRun)];
    let (legs, ended) = run_course(&planned(None), &stopped(), &replies);
    assert_eq!(legs, [&*detach, &*to_standby, &*to_third, &*start_third]);
    assert_eq!(ended, Some(Ok(MoveOutcome::Moved(movement(THIRD, NEW, true), Boot::WithInterface))));
}

#[test]
fn a_running_target_is_not_started() {
    let targets = Targets { first: target(STANDBY, false), others: Vec::new() };
    let planned = Move { targets, ..planned(None) };
    let (legs, ended) = run_course(&planned, &stopped(), &[FREE, Reply::Attach(landed_on(STANDBY))]);
    assert_eq!(legs, [format!("detach {ATTACHMENT}"), format!("attach {STANDBY}")]);
    assert_eq!(ended, Some(Ok(MoveOutcome::Moved(movement(STANDBY, NEW, false), Boot::Earlier))));
}

#[test]
fn a_target_that_does_not_start_gives_the_interface_up_to_the_next_one() {
    let replies = [
        FREE,
        Reply::Attach(landed_on(STANDBY)),
        NO_START,
        FREE,
        Reply::Attach(landed_on(THIRD)),
        Reply::Start(Started::ByThisRun),
    ];
    let (legs, ended) = run_course(&planned(None), &stopped(), &replies);
    assert_eq!(legs[2..4], [format!("start {STANDBY}"), format!("detach {NEW} for {THIRD}")]);
    assert_eq!(ended, Some(Ok(MoveOutcome::Moved(movement(THIRD, NEW, true), Boot::WithInterface))));
}

#[test]
fn a_target_that_did_not_start_keeps_the_interface_if_the_former_holder_cannot_run() {
    let none_starts =
        [FREE, Reply::Attach(landed_on(STANDBY)), NO_START, FREE, Reply::Attach(landed_on(THIRD)), NO_START];
    let (_, ended) = run_course(&planned(None), &stopped(), &none_starts);
    assert_eq!(ended, Some(Ok(MoveOutcome::NotStarted(movement(THIRD, NEW, true), Boot::Earlier))));
    // A former holder that cannot run is not a better place.
    let with_reading = [&none_starts[..], &[Reply::Read]].concat();
    let gone = stopped().with_instance(HOLDER, |holder| holder.state = InstanceState::Stopping);
    let (legs, ended) = run_course(&planned(Some(attach(HOLDER))), &gone, &with_reading);
    assert_eq!(legs.last(), Some(&format!("read {HOLDER}")));
    assert_eq!(ended, Some(Ok(MoveOutcome::NotStarted(movement(THIRD, NEW, true), Boot::Earlier))));
}

#[test]
fn the_former_holder_gets_the_interface_back_if_it_can_serve_and_is_started_if_it_is_stopped() {
    let replies = |started| {
        [
            FREE,
            Reply::Attach(landed_on(STANDBY)),
            NO_START,
            FREE,
            IMPOSSIBLE,
            Reply::Attach(landed_on(HOLDER)),
            Reply::Start(started),
        ]
    };
    for (started, boot) in [(Started::ByThisRun, Boot::WithInterface), (Started::Refused, Boot::Earlier)] {
        let (legs, ended) = run_course(&planned(Some(attach(HOLDER))), &stopped(), &replies(started));
        assert_eq!(legs[5..], [format!("give back to {HOLDER}"), format!("start {HOLDER}")]);
        let returned = MoveOutcome::Returned { to: parsed(HOLDER), attachment_id: AttachmentId::new(NEW), boot };
        assert_eq!(ended, Some(Ok(returned)));
    }
    let running = pair();
    let (legs, ended) = run_course(&planned(Some(attach(HOLDER))), &running, &replies(Started::ByThisRun));
    assert_eq!(legs.last(), Some(&format!("give back to {HOLDER}")));
    let returned =
        MoveOutcome::Returned { to: parsed(HOLDER), attachment_id: AttachmentId::new(NEW), boot: Boot::Earlier };
    assert_eq!(ended, Some(Ok(returned)), "one that runs is not started");
}

#[test]
fn a_target_that_took_the_interface_gets_it_back_if_all_else_fails() {
    let replies = [
        FREE,
        Reply::Attach(landed_on(STANDBY)),
        NO_START,
        FREE,
        IMPOSSIBLE,
        IMPOSSIBLE,
        Reply::Attach(landed_on(STANDBY)),
    ];
    let (legs, ended) = run_course(&planned(Some(attach(HOLDER))), &stopped(), &replies);
    assert_eq!(legs[5..], [format!("give back to {HOLDER}"), format!("put back on {STANDBY}")]);
    assert_eq!(ended, Some(Ok(MoveOutcome::NotStarted(movement(STANDBY, NEW, true), Boot::Earlier))));
    let (_, ended) = run_course(&planned(None), &stopped(), &[FREE, IMPOSSIBLE, IMPOSSIBLE]);
    assert_eq!(ended, Some(Ok(MoveOutcome::Stranded)));
}

/// A move to the standby alone. The third member is a last resort.
fn passing_over(third_starts: bool, fallback: Option<Attach>) -> Move {
    let targets = Targets { first: target(STANDBY, false), others: Vec::new() };
    Move { targets, last_resorts: vec![target(THIRD, third_starts)], ..planned(fallback) }
}

#[test]
fn a_standby_that_the_move_passes_over_gets_the_interface_if_nothing_else_takes_it() {
    let last_resort = format!("last resort {THIRD}");
    for fallback in [None, Some(attach(HOLDER))] {
        let fails = vec![IMPOSSIBLE; 1 + usize::from(fallback.is_some())];
        let replies = |more: &[Reply]| [&[FREE], &fails[..], more].concat();
        let landed = Reply::Attach(landed_on(THIRD));
        let (legs, ended) =
            run_course(&passing_over(false, fallback.clone()), &stopped(), &replies(std::slice::from_ref(&landed)));
        assert_eq!(legs.last(), Some(&last_resort), "{legs:?}");
        assert_eq!(ended, Some(Ok(MoveOutcome::Moved(movement(THIRD, NEW, false), Boot::Earlier))));

        for (started, expected) in [
            (Started::ByThisRun, MoveOutcome::Moved(movement(THIRD, NEW, true), Boot::WithInterface)),
            (Started::Refused, MoveOutcome::NotStarted(movement(THIRD, NEW, true), Boot::Earlier)),
        ] {
            let replies = replies(&[landed.clone(), Reply::Start(started)]);
            let (legs, ended) = run_course(&passing_over(true, fallback.clone()), &stopped(), &replies);
            assert_eq!(legs[legs.len() - 2..], [last_resort.clone(), format!("start {THIRD}")]);
            assert_eq!(ended, Some(Ok(expected)));
        }
        let (_, ended) = run_course(&passing_over(false, fallback), &stopped(), &replies(&[IMPOSSIBLE]));
        assert_eq!(ended, Some(Ok(MoveOutcome::Stranded)));
    }
}

#[test]
fn a_running_standby_that_the_move_passes_over_is_better_than_a_target_that_did_not_start() {
    let targets = Targets { first: target(STANDBY, true), others: Vec::new() };
    let planned = |third_starts, fallback| Move { targets: targets.clone(), ..passing_over(third_starts, fallback) };
    let cannot_run = stopped().with_instance(HOLDER, |holder| holder.state = InstanceState::Terminated);
    for (fallback, read) in [(None, vec![]), (Some(attach(HOLDER)), vec![Reply::Read])] {
        let stuck = [&[FREE, Reply::Attach(landed_on(STANDBY)), NO_START], &read[..]].concat();
        let replies = [&stuck[..], &[FREE, Reply::Attach(landed_on(THIRD))]].concat();
        let (legs, ended) = run_course(&planned(false, fallback.clone()), &cannot_run, &replies);
        let last = [format!("detach {NEW} for {THIRD} as a last resort"), format!("last resort {THIRD}")];
        assert_eq!(legs[legs.len() - 2..], last);
        assert_eq!(ended, Some(Ok(MoveOutcome::Moved(movement(THIRD, NEW, false), Boot::Earlier))));
        // One that would have to be started is no better.
        let (_, ended) = run_course(&planned(true, fallback), &cannot_run, &stuck);
        assert_eq!(ended, Some(Ok(MoveOutcome::NotStarted(movement(STANDBY, NEW, true), Boot::Earlier))));
    }
}

#[test]
fn a_standby_that_the_move_passes_over_is_left_alone_while_another_one_takes_the_interface() {
    let back = Some(attach(HOLDER));
    let (legs, _) = run_course(&passing_over(false, back.clone()), &pair(), &[FREE, Reply::Attach(landed_on(STANDBY))]);
    assert_eq!(legs.last(), Some(&format!("attach {STANDBY}")));
    let replies = [FREE, IMPOSSIBLE, Reply::Attach(landed_on(HOLDER))];
    let (legs, _) = run_course(&passing_over(false, back), &pair(), &replies);
    assert_eq!(legs.last(), Some(&format!("give back to {HOLDER}")));
}

#[test]
fn a_move_ends_if_something_else_has_moved_the_interface() {
    let elsewhere = |holder: Option<&str>| by(NEW, holder, AttachmentStatus::Attached);
    let by_non_member = |holder: Option<&str>| Refusal::HeldByStranger {
        holder: holder.map(parsed),
        attachment_id: AttachmentId::new(NEW),
    };
    for (holder, expected) in [
        (Some(THIRD), Ok(MoveOutcome::ByAnotherRun(parsed(THIRD)))),
        (Some(NON_MEMBER), Err(by_non_member(Some(NON_MEMBER)))),
        (None, Err(by_non_member(None))),
    ] {
        let detached = Reply::Detach(Detached::Elsewhere(elsewhere(holder)));
        let landed = Reply::Attach(Landing::Elsewhere(elsewhere(holder)));
        for replies in [vec![detached], vec![FREE, landed.clone()], vec![FREE, IMPOSSIBLE, landed]] {
            let (_, ended) = run_course(&planned(None), &stopped(), &replies);
            assert_eq!(ended, Some(expected.clone()), "{replies:?}");
        }
    }
    let (_, gone) = run_course(&planned(None), &stopped(), &[FREE, Reply::Attach(Landing::Gone)]);
    assert_eq!(gone, Some(Err(Refusal::InterfaceMissing)));
}

#[test]
fn an_attach_that_ec2_has_not_completed_ends_the_move_and_says_where_the_interface_is_going() {
    let arriving = |id: &str| Reply::Attach(Landing::Arriving(by(NEW, Some(id), AttachmentStatus::Attaching)));
    let (_, ended) = run_course(&planned(None), &stopped(), &[FREE, arriving(STANDBY)]);
    assert_eq!(ended, Some(Ok(MoveOutcome::Arriving(movement(STANDBY, NEW, false)))));
    let (_, back) =
        run_course(&planned(Some(attach(HOLDER))), &stopped(), &[FREE, IMPOSSIBLE, IMPOSSIBLE, arriving(HOLDER)]);
    let unknown =
        Movement { from: None, forced: None, standby_started: None, duration_ms: None, ..movement(HOLDER, NEW, false) };
    assert_eq!(back, Some(Ok(MoveOutcome::Arriving(unknown))));
}

fn any_reply() -> impl Strategy<Value = Reply> {
    let landing = prop_oneof![
        Just(landed_on(STANDBY)),
        Just(Landing::Arriving(there())),
        Just(Landing::Impossible),
        Just(Landing::Elsewhere(there())),
        Just(Landing::Gone),
    ];
    let started = prop_oneof![
        Just(Started::ByThisRun),
        Just(Started::PerhapsByThisRun),
        Just(Started::Already),
        Just(Started::StoppedAgain),
        Just(Started::Refused),
    ];
    prop_oneof![
        3 => Just(FREE),
        1 => Just(Reply::Detach(Detached::Refused(Refusal::InterfaceMissing))),
        3 => landing.prop_map(Reply::Attach),
        3 => started.prop_map(Reply::Start),
        1 => Just(Reply::Read),
    ]
}

proptest! {
    #[test]
    fn a_target_is_tried_twice_only_to_put_the_interface_back(
        replies in prop::collection::vec(any_reply(), 0..16),
        fallback in any::<bool>(),
        last_resort in prop::option::of(any::<bool>()),
    ) {
        let last_resorts = last_resort.map(|start| target(NON_MEMBER, start)).into_iter().collect();
        let planned = Move { last_resorts, ..planned(fallback.then(|| attach(HOLDER))) };
        let (legs, _) = run_course(&planned, &stopped(), &replies);
        let attaches: Vec<&String> = legs.iter().filter(|leg| leg.starts_with("attach")).collect();
        let distinct: BTreeSet<&&String> = attaches.iter().collect();
        prop_assert_eq!(attaches.len(), distinct.len());
        prop_assert!(legs.len() <= 12, "{legs:?}");
    }
}
