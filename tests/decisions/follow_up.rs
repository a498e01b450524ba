//! What a run does after the work on the interface: a table of every outcome.

use simulator::names::{ATTACHMENT, HOLDER, STANDBY};
use token_failover::decide::follow_up::{FollowUp, Situation, follow_up};
use token_failover::model::ids::{AttachmentId, InstanceId};
use token_failover::model::outcome::{Boot, MoveOutcome, RunOutcome, Verdict};
use token_failover::model::plan::{KeepReason, MoveCause, Refusal};
use token_failover::model::reason::Reason;
use token_failover::model::report::{Movement, Outcome};

use crate::standard::parsed;

const NOTHING: FollowUp = FollowUp {
    repairs: false,
    reads_reachability: false,
    awaits_ports: false,
    activates: None,
    leaves_inactive: false,
    looks_again: false,
};
const READS: FollowUp = FollowUp { reads_reachability: true, ..NOTHING };
const REPAIRS: FollowUp = FollowUp { repairs: true, ..READS };
const ALL: FollowUp = FollowUp { awaits_ports: true, ..REPAIRS };

/// As after a move, and a look at the interface before the report.
const LOOKS: FollowUp = FollowUp { looks_again: true, ..ALL };

fn movement() -> Movement {
    Movement {
        from: Some(parsed(HOLDER)),
        to: parsed(STANDBY),
        attachment_id: None,
        forced: None,
        standby_started: None,
        duration_ms: None,
    }
}

/// Every outcome, with its follow-up after an event, and after a reconcile that finds the interface on a member.
fn table() -> Vec<(RunOutcome, FollowUp, FollowUp)> {
    let answer = Verdict { outcome: Outcome::Paused, reason: Reason::PauseSet, summary: String::new(), movement: None };
    let returned = MoveOutcome::Returned {
        to: parsed(HOLDER),
        attachment_id: AttachmentId::new(ATTACHMENT),
        boot: Boot::WithInterface,
    };
    let moves = [
        (MoveOutcome::ByAnotherRun(parsed(STANDBY)), NOTHING),
        (MoveOutcome::Moved(movement(), Boot::Earlier), ALL),
        (returned, ALL),
        (MoveOutcome::NotStarted(movement(), Boot::Earlier), REPAIRS),
        (MoveOutcome::Arriving(movement()), READS),
        (MoveOutcome::Stranded, READS),
    ];
    let moves =
        moves.map(|(ended, follows)| (RunOutcome::Move(ended, MoveCause::HolderStopped), follows.clone(), follows));
    let others = [
        (RunOutcome::Kept(KeepReason::HolderHealthy), NOTHING, REPAIRS),
        (RunOutcome::Started(parsed(HOLDER), MoveCause::HolderStopped), LOOKS, LOOKS),
        (RunOutcome::Refused(Refusal::NoViableStandby), READS, REPAIRS),
        (RunOutcome::HolderNotStarted(parsed(HOLDER)), READS, REPAIRS),
        (RunOutcome::Audited { viable: 1 }, READS, READS),
        (RunOutcome::Answered(answer), READS, READS),
    ];
    moves.into_iter().chain(others).collect()
}

#[test]
fn each_outcome_has_its_follow_up() {
    let event = Situation { is_with_member: true, ..Situation::default() };
    let reconcile = Situation { may_repair: true, ..event };
    for (outcome, after_event, after_reconcile) in table() {
        let follows = (follow_up(&outcome, event), follow_up(&outcome, reconcile));
        assert_eq!(follows, (after_event, after_reconcile), "{outcome:?}");
    }
}

#[test]
fn nothing_is_repaired_during_a_pause() {
    let paused = Situation { is_paused: true, may_repair: true, is_with_member: true, ..Situation::default() };
    for (outcome, ..) in table() {
        assert!(!follow_up(&outcome, paused).repairs, "{outcome:?}");
    }
}

#[test]
fn an_interface_outside_the_members_is_repaired_only_after_a_change_of_this_run() {
    let elsewhere = Situation { may_repair: true, is_doomed_by_a_pending_move: true, ..Situation::default() };
    for (outcome, after_event, _) in table() {
        assert_eq!(follow_up(&outcome, elsewhere).repairs, after_event.repairs, "{outcome:?}");
    }
}

#[test]
fn an_interface_that_would_be_destroyed_with_its_instance_is_repaired_after_every_request() {
    let doomed = Situation { is_with_member: true, is_doomed_by_a_pending_move: true, ..Situation::default() };
    let kept = RunOutcome::Kept(KeepReason::HolderHealthy);
    assert_eq!(follow_up(&kept, doomed), REPAIRS);
}

#[test]
fn an_announcement_makes_a_run_read_who_can_reach_the_interface() {
    let announced = Situation { is_announcement: true, ..Situation::default() };
    let kept = RunOutcome::Kept(KeepReason::HolderHealthy);
    assert_eq!(follow_up(&kept, announced), READS);
}

#[test]
fn a_token_server_that_ran_before_the_interface_arrived_is_activated_unless_a_pause_is_in_force() {
    let (holder, standby): (InstanceId, InstanceId) = (parsed(HOLDER), parsed(STANDBY));
    let by_move = |ended| RunOutcome::Move(ended, MoveCause::HolderStopped);
    let returned =
        |boot| MoveOutcome::Returned { to: parsed(HOLDER), attachment_id: AttachmentId::new(ATTACHMENT), boot };
    let kept = RunOutcome::Kept(KeepReason::HolderHealthy);
    for (outcome, running, may_be_inactive, activates) in [
        (by_move(MoveOutcome::Moved(movement(), Boot::Earlier)), Some(&standby), false, Some(&standby)),
        (by_move(MoveOutcome::Moved(movement(), Boot::WithInterface)), Some(&standby), false, None),
        // The interface has gone on to another member since.
        (by_move(MoveOutcome::Moved(movement(), Boot::Earlier)), Some(&holder), true, None),
        (by_move(MoveOutcome::Moved(movement(), Boot::Earlier)), None, false, None),
        (by_move(returned(Boot::Earlier)), Some(&holder), false, Some(&holder)),
        (by_move(returned(Boot::WithInterface)), Some(&holder), false, None),
        (by_move(MoveOutcome::NotStarted(movement(), Boot::Earlier)), Some(&standby), true, None),
        (by_move(MoveOutcome::Stranded), None, true, None),
        (kept.clone(), Some(&holder), true, Some(&holder)),
        (kept, Some(&holder), false, None),
        (RunOutcome::Refused(Refusal::NoViableStandby), Some(&holder), true, Some(&holder)),
        (RunOutcome::Started(holder.clone(), MoveCause::HolderStopped), Some(&holder), true, None),
        (RunOutcome::HolderNotStarted(holder.clone()), Some(&holder), true, None),
        (RunOutcome::Audited { viable: 1 }, Some(&holder), true, None),
    ] {
        let situation = Situation { running_member: running, may_be_inactive, ..Situation::default() };
        let next = follow_up(&outcome, situation);
        assert_eq!((next.activates.as_ref(), next.leaves_inactive), (activates, false), "{outcome:?}");
        let paused = follow_up(&outcome, Situation { is_paused: true, ..situation });
        assert_eq!((paused.activates, paused.leaves_inactive), (None, may_be_inactive), "{outcome:?}");
    }
}
