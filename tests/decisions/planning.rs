//! The planner: an example for every rule, and the laws of the design for any observation.

use std::time::Duration;

use chrono::TimeDelta;
use proptest::prelude::*;
use simulator::names::{HOLDER, INTERFACE, NON_MEMBER, STANDBY, THIRD};
use token_failover::decide::members::{is_member, members};
use token_failover::decide::pending::report::{PendingReport, RunName};
use token_failover::decide::plan::plan;
use token_failover::decide::remembered::Remembered;
use token_failover::model::config::Config;
use token_failover::model::ids::InstanceId;
use token_failover::model::observation::{
    Attachment, AttachmentStatus, Instance, InstanceInterface, InstanceState, LifecycleState, Observation, Reading,
    ScheduledEvent, StatusChecks,
};
use token_failover::model::plan::{
    Action, Decision, KeepReason, LookReason, Move, MoveCause, Obstacle, Plan, Refusal, Standby, Start, Target,
    Targets, Verdict,
};
use token_failover::model::request::Intent;
use token_failover::model::tags::{LIMITS, MOVES};

use crate::standard;
use crate::world::{Change, attach, attachment, denied, instance, instance_id, now, pair, parsed, unreachable};

/// A run that has just begun to read EC2.
const AT_ONCE: Duration = Duration::ZERO;
/// A run that has read EC2 for as long as it may.
const FINALLY: Duration = Duration::MAX;

/// The configuration of a pair.
fn config() -> Config {
    standard::config(&[])
}

/// The configuration of the holder, the standby and the third member, in this order.
fn config_of_three() -> Config {
    standard::config(&[("TOKEN_SERVER_INSTANCE_IDS", &[HOLDER, STANDBY, THIRD].join(","))])
}

/// The pair and a third member that runs.
fn three() -> Observation {
    pair().with_instances(|instances| instances.push(instance(THIRD)))
}

/// The plan of a reconcile that has read EC2 for long enough.
fn reconcile(observation: &Observation) -> Plan {
    plan(&config(), observation, &Intent::Reconcile, FINALLY)
}

fn look(reported_failing: bool) -> Intent {
    Intent::Look { instances: vec![parsed(HOLDER)], reported_failing }
}

fn failover(to: Option<&str>) -> Intent {
    Intent::Failover { to: to.map(parsed) }
}

fn in_state(state: InstanceState) -> Observation {
    pair().with_instance(HOLDER, |holder| holder.state = state)
}

fn standby(id: &str, verdict: Verdict) -> Standby {
    Standby { instance_id: parsed(id), verdict }
}

/// A plan in which the pair's standby runs and could take the interface.
fn with_running_standby(decision: Decision) -> Plan {
    Plan { decision, standbys: vec![standby(STANDBY, Verdict::Running)] }
}

fn keep(reason: KeepReason) -> Decision {
    Decision::Act(Action::Keep { reason })
}

fn refuse(refusal: Refusal) -> Decision {
    Decision::Act(Action::Refuse(refusal))
}

fn look_again(reason: LookReason, seconds: u64) -> Decision {
    Decision::LookAgain { reason, at_most: Duration::from_secs(seconds) }
}

fn target(id: &str, start: bool) -> Target {
    Target { attach: attach(id), start }
}

/// A move from the holder to these targets, and back to the holder if all of them fail and it could take the interface.
fn movement(cause: MoveCause, targets: Vec<Target>, fallback: Option<&str>) -> Move {
    let mut targets = targets.into_iter();
    Move {
        interface_id: parsed(INTERFACE),
        cause,
        from: Some(attachment()),
        targets: Targets { first: targets.next().expect("a target"), others: targets.collect() },
        fallback: fallback.map(attach),
        last_resorts: Vec::new(),
        counts: true,
    }
}

fn moves(movement: Move) -> Decision {
    Decision::Act(Action::Move(movement))
}

/// The start of the pair's holder in place.
fn starts_holder() -> Decision {
    starts(true)
}

fn starts(counts: bool) -> Decision {
    Decision::Act(Action::Start(Start {
        interface_id: parsed(INTERFACE),
        instance_id: parsed(HOLDER),
        cause: MoveCause::HolderStopped,
        counts,
    }))
}

/// The move of the pair's interface to its running standby.
fn to_standby(cause: MoveCause, fallback: Option<&str>) -> Decision {
    moves(movement(cause, vec![target(STANDBY, false)], fallback))
}

// ---- The holder ----

#[test]
fn a_running_holder_keeps_the_interface() {
    assert_eq!(reconcile(&pair()), with_running_standby(keep(KeepReason::HolderHealthy)));
}

#[test]
fn a_running_holder_whose_status_checks_are_undecided_keeps_the_interface() {
    let observation =
        pair().with_instance(HOLDER, |holder| holder.status_checks = Reading::Known(StatusChecks::Undecided));
    assert_eq!(reconcile(&observation), with_running_standby(keep(KeepReason::HolderHealthy)));
}

#[test]
fn a_starting_holder_keeps_the_interface() {
    assert_eq!(reconcile(&in_state(InstanceState::Pending)), with_running_standby(keep(KeepReason::HolderStarting)));
}

#[test]
fn a_holder_in_an_unknown_state_keeps_the_interface() {
    let observation = in_state(InstanceState::Other("hibernating".to_owned()));
    assert_eq!(reconcile(&observation), with_running_standby(keep(KeepReason::HolderStateUnknown)));
}

#[test]
fn a_failed_holder_loses_the_interface_and_is_the_fallback_only_if_it_can_run_again() {
    use MoveCause::{HolderShuttingDown, HolderStopped, HolderStopping, HolderTerminated};
    for (state, cause, fallback) in [
        (InstanceState::Stopping, HolderStopping, Some(HOLDER)),
        (InstanceState::Stopped, HolderStopped, Some(HOLDER)),
        (InstanceState::ShuttingDown, HolderShuttingDown, None),
        (InstanceState::Terminated, HolderTerminated, None),
    ] {
        assert_eq!(reconcile(&in_state(state)), with_running_standby(to_standby(cause, fallback)));
    }
}

#[test]
fn a_failed_holder_loses_the_interface_at_once_in_every_run() {
    let expected = with_running_standby(to_standby(MoveCause::HolderStopping, Some(HOLDER)));
    let non_members = Intent::Look { instances: vec![parsed(NON_MEMBER)], reported_failing: false };
    let evacuate = Intent::Evacuate { instance: parsed(STANDBY), until: now() };
    for intent in [Intent::Reconcile, look(true), look(false), non_members, evacuate] {
        assert_eq!(plan(&config(), &in_state(InstanceState::Stopping), &intent, AT_ONCE), expected, "{intent:?}");
    }
}

#[test]
fn a_holder_that_ec2_no_longer_knows_loses_the_interface() {
    let observation = pair().with_instances(|instances| instances.retain(|instance| instance.id.as_str() != HOLDER));
    assert_eq!(reconcile(&observation), with_running_standby(to_standby(MoveCause::HolderMissing, None)));
}

#[test]
fn a_running_holder_whose_status_checks_fail_loses_the_interface_if_that_is_configured() {
    let observation =
        pair().with_instance(HOLDER, |holder| holder.status_checks = Reading::Known(StatusChecks::Impaired));
    assert_eq!(reconcile(&observation), with_running_standby(to_standby(MoveCause::HolderImpaired, Some(HOLDER))));

    let tolerant = standard::config(&[("FAILOVER_ON_IMPAIRED", "false")]);
    let tolerated = plan(&tolerant, &observation, &Intent::Reconcile, FINALLY);
    assert_eq!(tolerated, with_running_standby(keep(KeepReason::HolderHealthy)));
}

#[test]
fn status_checks_that_could_not_be_read_are_not_a_failure() {
    let unread = Reading::Unreadable(denied("ec2:DescribeInstanceStatus"));
    let observation = pair().with_instance(HOLDER, |holder| holder.status_checks = unread);
    assert_eq!(reconcile(&observation), with_running_standby(keep(KeepReason::StatusChecksUnreadable)));

    let tolerant = standard::config(&[("FAILOVER_ON_IMPAIRED", "false")]);
    let tolerated = plan(&tolerant, &observation, &Intent::Reconcile, FINALLY);
    assert_eq!(tolerated, with_running_standby(keep(KeepReason::HolderHealthy)));
}

#[test]
fn unread_status_checks_do_not_protect_a_stopped_holder() {
    let unread = Reading::Unreadable(unreachable("ec2:DescribeInstanceStatus"));
    let observation = in_state(InstanceState::Stopped).with_instance(HOLDER, |holder| holder.status_checks = unread);
    assert_eq!(reconcile(&observation), with_running_standby(to_standby(MoveCause::HolderStopped, Some(HOLDER))));
}

// ---- Failed reads ----

#[test]
fn without_the_interface_the_plan_cannot_tell() {
    let error = unreachable("ec2:DescribeNetworkInterfaces");
    let observation = Observation { interface: Reading::Unreadable(error.clone()), ..in_state(InstanceState::Stopped) };
    for intent in [Intent::Reconcile, look(true), failover(None), failover(Some(NON_MEMBER))] {
        let expected = Plan { decision: Decision::Act(Action::CannotTell(error.clone())), standbys: Vec::new() };
        assert_eq!(plan(&config(), &observation, &intent, AT_ONCE), expected, "{intent:?}");
    }
}

#[test]
fn without_the_instances_the_plan_cannot_tell() {
    let error = denied("ec2:DescribeInstances");
    let observation = Observation { instances: Reading::Unreadable(error.clone()), ..pair() };
    let unattached = observation.clone().with_interface(|interface| interface.attachment = None);
    for observation in [observation, unattached] {
        for intent in [Intent::Reconcile, look(true), failover(None), failover(Some(NON_MEMBER))] {
            let planned = plan(&config(), &observation, &intent, AT_ONCE);
            assert_eq!(planned.decision, Decision::Act(Action::CannotTell(error.clone())), "{intent:?}");
        }
    }
}

#[test]
fn an_interface_that_ec2_repeatedly_does_not_know_is_missing() {
    let observation = Observation { interface: Reading::Known(None), ..pair() };
    let expected = Plan { decision: refuse(Refusal::InterfaceMissing), standbys: Vec::new() };
    assert_eq!(reconcile(&observation), expected);
    assert_eq!(plan(&config(), &observation, &failover(None), FINALLY), expected);
    // A single such answer is not believed.
    for intent in [Intent::Reconcile, Intent::Audit, look(true), failover(None)] {
        let planned = |looked_for| plan(&config(), &observation, &intent, looked_for).decision;
        let again = look_again(LookReason::InterfaceMissing, 15);
        assert_eq!((planned(AT_ONCE), planned(Duration::from_millis(14_999))), (again.clone(), again), "{intent:?}");
        assert_eq!(planned(Duration::from_secs(15)), refuse(Refusal::InterfaceMissing), "{intent:?}");
    }
}

// ---- The attachment ----

#[test]
fn an_interface_that_is_attached_to_nothing_goes_to_the_most_preferred_running_member() {
    let expected = Plan {
        decision: moves(Move {
            from: None,
            counts: false,
            ..movement(MoveCause::InterfaceUnattached, vec![target(HOLDER, false), target(STANDBY, false)], None)
        }),
        standbys: vec![standby(HOLDER, Verdict::Running), standby(STANDBY, Verdict::Running)],
    };
    let unattached = pair().with_interface(|interface| interface.attachment = None);
    assert_eq!(plan(&config(), &unattached, &Intent::Reconcile, AT_ONCE), expected);
    assert_eq!(plan(&config(), &unattached, &look(false), AT_ONCE), expected);
}

#[test]
fn a_detached_interface_is_attached_to_nothing() {
    let detached = pair().with_attachment(|attachment| attachment.status = AttachmentStatus::Detached);
    let unattached = pair().with_interface(|interface| interface.attachment = None);
    assert_eq!(reconcile(&detached).decision, reconcile(&unattached).decision);
}

/// The pair's interface, attached to nothing, with this report on it.
fn unattached_with(report: &PendingReport) -> Observation {
    pair().with_interface(|interface| {
        interface.attachment = None;
        interface.tags.insert(report.key.clone(), report.value());
    })
}

/// The report of a move to the standby, by a run that is busy for this many more seconds.
fn busy_for(seconds: i64) -> PendingReport {
    let started = now() - TimeDelta::seconds(60);
    PendingReport::of_move(
        &RunName::new("a1"),
        Some(&attachment()),
        &parsed(STANDBY),
        started,
        now() + TimeDelta::seconds(seconds),
    )
}

/// The report of a move from the standby to the holder, by a run that is busy for this many more seconds.
fn bringing_it_here_for(seconds: i64) -> PendingReport {
    let left = Attachment { instance_id: Some(parsed(STANDBY)), ..attachment() };
    let (started, busy_until) = (now() - TimeDelta::seconds(60), now() + TimeDelta::seconds(seconds));
    PendingReport::of_move(&RunName::new("a1"), Some(&left), &parsed(HOLDER), started, busy_until)
}

#[test]
fn a_plan_waits_at_most_20_seconds_for_another_runs_move() {
    let observation = unattached_with(&busy_for(1));
    for intent in [Intent::Reconcile, look(true), failover(None), failover(Some(STANDBY))] {
        let planned = |looked_for| plan(&config(), &observation, &intent, looked_for).decision;
        let again = look_again(LookReason::InterfaceInTransit, 20);
        assert_eq!((planned(AT_ONCE), planned(Duration::from_millis(19_999))), (again.clone(), again), "{intent:?}");
        assert!(matches!(planned(Duration::from_secs(20)), Decision::Act(Action::Move(_))), "{intent:?}");
    }
}

#[test]
fn an_interface_that_no_run_is_moving_anymore_is_attached_at_once() {
    let repair = PendingReport::of_repairs(
        &RunName::new("a1"),
        vec!["elastic-ip".to_owned()],
        now(),
        now() + TimeDelta::seconds(60),
    );
    for report in [busy_for(0), busy_for(60).handed_over(), repair] {
        let observation = unattached_with(&report);
        let decision = plan(&config(), &observation, &Intent::Reconcile, AT_ONCE).decision;
        assert!(matches!(decision, Decision::Act(Action::Move(_))), "{report:?}: {decision:?}");
    }
}

#[test]
fn a_busy_run_does_not_delay_the_plan_for_an_attached_interface() {
    let report = busy_for(60);
    let observation = pair().with_interface(|interface| {
        interface.tags.insert(report.key.clone(), report.value());
    });
    let planned = plan(&config(), &observation, &Intent::Reconcile, AT_ONCE);
    assert_eq!(planned, with_running_standby(keep(KeepReason::HolderHealthy)));
}

#[test]
fn a_plan_waits_at_most_90_seconds_for_another_run_to_start_a_standby() {
    let arrived = |report: &PendingReport| {
        let arrived = token_failover::model::ids::AttachmentId::new("eni-attach-0bbbbbbbbbbbbbbb2");
        in_state(InstanceState::Stopped).with_attachment(|attachment| attachment.id = arrived).with_interface(
            |interface| {
                interface.tags.insert(report.key.clone(), report.value());
            },
        )
    };
    let planned = |observation: &Observation, looked_for| plan(&config(), observation, &Intent::Reconcile, looked_for);
    let again = with_running_standby(look_again(LookReason::AnotherRunAtWork, 90));
    let busy = arrived(&bringing_it_here_for(1));
    assert_eq!(planned(&busy, AT_ONCE), again);
    assert_eq!(planned(&busy, Duration::from_millis(89_999)), again);
    // A run whose deadline has passed would not start the instance, and neither would a run that is about to leave this
    // attachment.
    let over = arrived(&bringing_it_here_for(0));
    let here = in_state(InstanceState::Stopped).with_interface(|interface| {
        let report = busy_for(60);
        interface.tags.insert(report.key.clone(), report.value());
    });
    for (observation, looked_for) in [(&busy, Duration::from_secs(90)), (&over, AT_ONCE), (&here, AT_ONCE)] {
        let planned = planned(observation, looked_for);
        assert_eq!(
            planned_move(&planned).map(|movement| movement.cause),
            Some(MoveCause::HolderStopped),
            "{planned:?}"
        );
    }
}

#[test]
fn a_plan_waits_at_most_20_seconds_for_an_attach_or_detach_under_way() {
    for status in [AttachmentStatus::Attaching, AttachmentStatus::Detaching] {
        for state in [InstanceState::Running, InstanceState::Stopping] {
            let observation = in_state(state).with_attachment(|attachment| attachment.status = status);
            let planned = |looked_for| plan(&config(), &observation, &Intent::Reconcile, looked_for).decision;
            let again = look_again(LookReason::InterfaceInTransit, 20);
            assert_eq!((planned(AT_ONCE), planned(Duration::from_millis(19_999))), (again.clone(), again.clone()));
            assert_ne!(planned(Duration::from_secs(20)), again);
        }
    }
}

#[test]
fn a_slow_attach_is_awaited_until_the_end_of_the_run() {
    let attaching =
        |state| in_state(state).with_attachment(|attachment| attachment.status = AttachmentStatus::Attaching);
    for state in [InstanceState::Running, InstanceState::Pending, InstanceState::Stopped, InstanceState::Stopping] {
        let observation = attaching(state.clone());
        for intent in [Intent::Reconcile, look(true), failover(None), failover(Some(STANDBY))] {
            let planned = |looked_for| plan(&config(), &observation, &intent, looked_for);
            let again = with_running_standby(look_again(LookReason::AttachPending, 900));
            assert_eq!(planned(Duration::from_secs(20)), again, "{state}, {intent:?}");
            let refusal = Refusal::StillAttaching { to: parsed(HOLDER) };
            assert_eq!(planned(FINALLY), with_running_standby(refuse(refusal)), "{state}, {intent:?}");
        }
        let report = busy_for(60);
        let busy = observation.with_interface(|interface| {
            interface.tags.insert(report.key.clone(), report.value());
        });
        assert_eq!(reconcile(&busy), with_running_standby(keep(KeepReason::InterfaceArriving)), "{state}");
    }
}

#[test]
fn an_attach_to_an_instance_that_cannot_serve_is_given_up() {
    let attaching =
        |state| in_state(state).with_attachment(|attachment| attachment.status = AttachmentStatus::Attaching);
    let from = Attachment { status: AttachmentStatus::Attaching, ..attachment() };
    let move_on = |cause| {
        let targets = vec![target(STANDBY, false)];
        with_running_standby(moves(Move { from: Some(from.clone()), ..movement(cause, targets, None) }))
    };
    assert_eq!(reconcile(&attaching(InstanceState::Terminated)), move_on(MoveCause::HolderTerminated));
    assert_eq!(reconcile(&attaching(InstanceState::ShuttingDown)), move_on(MoveCause::HolderShuttingDown));
}

#[test]
fn a_slow_detach_is_taken_over_and_the_former_holder_is_an_ordinary_standby() {
    let observation = pair().with_attachment(|attachment| attachment.status = AttachmentStatus::Detaching);
    let planned = reconcile(&observation);
    let Decision::Act(Action::Move(movement)) = &planned.decision else { panic!("{planned:?}") };
    // The fallback does not matter here, because the former holder is a target already.
    assert!(!movement.counts);
    assert_eq!(movement.cause, MoveCause::InterfaceUnattached);
    assert_eq!(movement.from, Some(Attachment { status: AttachmentStatus::Detaching, ..attachment() }));
    assert_eq!(movement.targets, Targets { first: target(HOLDER, false), others: vec![target(STANDBY, false)] });
    assert_eq!(planned.standbys, [standby(HOLDER, Verdict::Running), standby(STANDBY, Verdict::Running)]);
}

/// The refusal to take the interface from something that is not a member. It names the attachment.
fn held_by(non_member: Option<&str>) -> Refusal {
    Refusal::HeldByStranger { holder: non_member.map(parsed), attachment_id: attachment().id }
}

#[test]
fn a_non_members_interface_is_not_taken_even_for_an_operator() {
    let observation = pair().with_attachment(|attachment| attachment.instance_id = Some(parsed(NON_MEMBER)));
    let expected = Plan {
        decision: refuse(held_by(Some(NON_MEMBER))),
        standbys: vec![standby(HOLDER, Verdict::Running), standby(STANDBY, Verdict::Running)],
    };
    for intent in [Intent::Reconcile, look(true), failover(None), failover(Some(STANDBY))] {
        assert_eq!(plan(&config(), &observation, &intent, AT_ONCE), expected, "{intent:?}");
    }
}

#[test]
fn an_interface_on_something_other_than_an_instance_is_not_taken() {
    let observation = pair().with_attachment(|attachment| attachment.instance_id = None);
    assert_eq!(reconcile(&observation).decision, refuse(held_by(None)));
    assert_eq!(plan(&config(), &observation, &failover(None), FINALLY).decision, refuse(held_by(None)));
}

/// The holder is stopped and has the interface at this device index.
fn stopped_at_index(device_index: i32) -> Observation {
    in_state(InstanceState::Stopped).with_attachment(|attachment| attachment.device_index = device_index)
}

#[test]
fn the_fallback_uses_the_former_device_index() {
    let planned = reconcile(&stopped_at_index(2));
    let Some(movement) = planned_move(&planned) else { panic!("{planned:?}") };
    let back = token_failover::model::change::Attach { device_index: 2, ..attach(HOLDER) };
    assert_eq!(movement.fallback, Some(back));
    assert_eq!(movement.targets, Targets { first: target(STANDBY, false), others: Vec::new() });
}

#[test]
fn a_detaching_primary_interface_has_no_fallback_to_index_0() {
    let leaving = stopped_at_index(0).with_attachment(|attachment| attachment.status = AttachmentStatus::Detaching);
    let planned = reconcile(&leaving);
    let Some(movement) = planned_move(&planned) else { panic!("{planned:?}") };
    assert_eq!(movement.fallback, None);
    assert_eq!(movement.targets, Targets { first: target(STANDBY, false), others: vec![target(HOLDER, true)] });
}

/// The refusal to detach the holder's primary interface.
fn primary_refusal(state: Option<InstanceState>) -> Refusal {
    Refusal::PrimaryInterface { holder: parsed(HOLDER), attachment_id: attachment().id, state }
}

#[test]
fn a_primary_interface_stays_with_a_holder_that_is_not_terminated() {
    let primary = |state| in_state(state).with_attachment(|attachment| attachment.device_index = 0);
    let refusal = primary_refusal(Some(InstanceState::Stopping));
    let planned = plan(&config(), &primary(InstanceState::Stopping), &Intent::Reconcile, AT_ONCE);
    assert_eq!(planned, with_running_standby(refuse(refusal)));
    // The interface cannot leave a stopped holder. Starting the holder restores the service.
    let planned = plan(&config(), &primary(InstanceState::Stopped), &Intent::Reconcile, AT_ONCE);
    assert_eq!(planned, with_running_standby(starts_holder()));
    let asked = plan(&config(), &primary(InstanceState::Stopped), &failover(None), AT_ONCE);
    assert_eq!(asked, with_running_standby(refuse(primary_refusal(Some(InstanceState::Stopped)))));
    assert_eq!(reconcile(&primary(InstanceState::Running)), with_running_standby(keep(KeepReason::HolderHealthy)));
    let refusal = primary_refusal(Some(InstanceState::Running));
    let asked = plan(&config(), &primary(InstanceState::Running), &failover(None), AT_ONCE);
    assert_eq!(asked, with_running_standby(refuse(refusal)));
}

#[test]
fn a_plan_waits_at_most_two_minutes_for_a_primary_interface_of_a_dying_holder() {
    let primary = |state| in_state(state).with_attachment(|attachment| attachment.device_index = 0);
    for state in [InstanceState::ShuttingDown, InstanceState::Terminated] {
        let planned = |looked_for| plan(&config(), &primary(state.clone()), &Intent::Reconcile, looked_for);
        let again = with_running_standby(look_again(LookReason::PrimaryNotReleased, 120));
        assert_eq!((planned(AT_ONCE), planned(Duration::from_millis(119_999))), (again.clone(), again));
        let refusal = primary_refusal(Some(state.clone()));
        assert_eq!(planned(Duration::from_secs(120)), with_running_standby(refuse(refusal)));
    }
    let gone = primary(InstanceState::Running)
        .with_instances(|instances| instances.retain(|instance| instance.id.as_str() != HOLDER));
    assert_eq!(reconcile(&gone).decision, refuse(primary_refusal(None)));
}

// ---- The standbys ----

#[test]
fn an_obstacle_of_the_only_standby_prevents_a_move() {
    type Damage = fn(&mut Instance);
    let table: [(Obstacle, Damage); 11] = [
        (Obstacle::Terminated, |standby| standby.state = InstanceState::ShuttingDown),
        (Obstacle::Terminated, |standby| standby.state = InstanceState::Terminated),
        (Obstacle::Starting, |standby| standby.state = InstanceState::Pending),
        (Obstacle::Stopping, |standby| standby.state = InstanceState::Stopping),
        (Obstacle::UnknownState("hibernating".to_owned()), |standby| {
            standby.state = InstanceState::Other("hibernating".to_owned())
        }),
        (Obstacle::WrongZone("eu-west-1b".to_owned()), |standby| standby.availability_zone = "eu-west-1b".to_owned()),
        (Obstacle::WrongVpc, |standby| standby.vpc_id = Some("vpc-0bbbbbbbbbbbbbbb2".to_owned())),
        (Obstacle::WrongVpc, |standby| standby.vpc_id = None),
        (Obstacle::DeviceIndexTaken(parsed("eni-0eeeeeeeeeeeeeee2")), |standby| {
            let id = parsed("eni-0eeeeeeeeeeeeeee2");
            standby.interfaces.push(InstanceInterface {
                id,
                device_index: 1,
                network_card_index: 0,
                delete_on_termination: true,
            });
        }),
        (Obstacle::Impaired, |standby| standby.status_checks = Reading::Known(StatusChecks::Impaired)),
        (Obstacle::StatusChecksUnreadable, |standby| {
            standby.status_checks = Reading::Unreadable(denied("ec2:DescribeInstanceStatus"));
        }),
    ];
    let impaired =
        || pair().with_instance(HOLDER, |holder| holder.status_checks = Reading::Known(StatusChecks::Impaired));
    for (obstacle, damage) in table {
        let standbys = || vec![standby(STANDBY, Verdict::NotViable(obstacle.clone()))];
        let expected = Plan { decision: refuse(Refusal::NoViableStandby), standbys: standbys() };
        assert_eq!(reconcile(&impaired().with_instance(STANDBY, damage)), expected, "{obstacle:?}");
        // A stopped holder that can be started is better than no holder.
        let expected = Plan { decision: starts_holder(), standbys: standbys() };
        let stopped = in_state(InstanceState::Stopped).with_instance(STANDBY, damage);
        assert_eq!(reconcile(&stopped), expected, "{obstacle:?}");
    }
}

#[test]
fn temporarily_unreadable_status_checks_of_a_standby_are_not_a_reason_for_a_refusal() {
    let error = unreachable("ec2:DescribeInstanceStatus");
    for state in [InstanceState::Stopped, InstanceState::Stopping, InstanceState::Terminated] {
        let observation = in_state(state.clone())
            .with_instance(STANDBY, |standby| standby.status_checks = Reading::Unreadable(error.clone()));
        assert_eq!(reconcile(&observation).decision, Decision::Act(Action::CannotTell(error.clone())), "{state}");
    }
}

/// The pair's interface on a holder in this state, with this tag on it.
fn with_tag(state: InstanceState, key: &str, value: &str) -> Observation {
    in_state(state).with_interface(|interface| {
        interface.tags.insert(key.to_owned(), value.to_owned());
    })
}

#[test]
fn a_member_that_ec2_could_not_start_is_not_started_again_for_some_minutes() {
    use token_failover::model::tags::NOT_STARTED;
    let seconds_ago = |member: &str, times: u32, seconds: i64| {
        let last = now() - TimeDelta::seconds(seconds);
        format!("{member}={times}@{}", last.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
    };
    let terminated = |observation: Observation| {
        observation.with_instance(STANDBY, |standby| standby.state = InstanceState::Terminated)
    };
    let refused = refuse(Refusal::HolderNotStarted { holder: parsed(HOLDER) });
    for (times, too_early, early_enough) in [(1, 49, 50), (2, 109, 110), (3, 229, 230), (4, 289, 290), (40, 289, 290)] {
        let planned = |seconds| {
            let value = seconds_ago(HOLDER, times, seconds);
            reconcile(&terminated(with_tag(InstanceState::Stopped, NOT_STARTED, &value))).decision
        };
        assert_eq!((planned(too_early), planned(early_enough)), (refused.clone(), starts_holder()), "{times}");
    }
    let standby_failed = with_tag(InstanceState::Stopped, NOT_STARTED, &seconds_ago(STANDBY, 1, 5))
        .with_instance(STANDBY, |standby| standby.state = InstanceState::Stopped);
    let standbys = vec![standby(STANDBY, Verdict::NotViable(Obstacle::NotStarted))];
    assert_eq!(reconcile(&standby_failed), Plan { decision: starts_holder(), standbys });
    // If neither the holder nor the standby could be started, they are tried where the interface is, so that it does
    // not go back and forth.
    let both = format!("{} {}", seconds_ago(HOLDER, 1, 20), seconds_ago(STANDBY, 1, 600));
    let both = with_tag(InstanceState::Stopped, NOT_STARTED, &both)
        .with_instance(STANDBY, |standby| standby.state = InstanceState::Stopped);
    assert_eq!(reconcile(&both).decision, refused);
    let later = Observation { observed_at: now() + TimeDelta::seconds(60), ..both.clone() };
    assert_eq!(reconcile(&later).decision, starts_holder());
    let much_later = Observation { observed_at: now() + TimeDelta::seconds(3600), ..both };
    assert!(planned_move(&reconcile(&much_later)).is_some(), "a failed start counts for an hour");
    // EC2 may have capacity for the standby when it has none for the holder. So the standby is tried once more if it
    // has waited for half an hour, in which the holder failed.
    let failed = |holder: Option<i64>, standby: i64| {
        let holder = holder.map(|seconds| format!("{} ", seconds_ago(HOLDER, 1, seconds))).unwrap_or_default();
        let value = holder + &seconds_ago(STANDBY, 1, standby);
        let observation = with_tag(InstanceState::Stopped, NOT_STARTED, &value)
            .with_instance(STANDBY, |standby| standby.state = InstanceState::Stopped);
        reconcile(&observation).decision
    };
    for (holder, standby, expected) in [
        (Some(60), 1799, Some(starts_holder())),
        (Some(60), 1800, None),
        (Some(20), 1800, None),
        (Some(20), 1799, Some(refused.clone())),
        (Some(1799), 1800, None),
        (Some(1800), 1800, Some(starts_holder())),
        (Some(2000), 1800, Some(starts_holder())),
        (None, 1800, Some(starts_holder())),
    ] {
        let decision = failed(holder, standby);
        let as_expected = match &expected {
            Some(expected) => decision == *expected,
            None => matches!(&decision, Decision::Act(Action::Move(_))),
        };
        assert!(as_expected, "holder {holder:?}, standby {standby}: {decision:?}");
    }
    // An operator's request is tried anyway.
    let asked = plan(&config(), &standby_failed, &failover(Some(STANDBY)), AT_ONCE).decision;
    assert!(matches!(asked, Decision::Act(Action::Move(_))), "{asked:?}");
}

#[test]
fn a_stopping_holder_is_awaited_and_started_in_place_if_no_standby_is_viable() {
    let terminated =
        |state| in_state(state).with_instance(STANDBY, |standby| standby.state = InstanceState::Terminated);
    let stopping =
        |looked_for| plan(&config(), &terminated(InstanceState::Stopping), &Intent::Reconcile, looked_for).decision;
    let again = look_again(LookReason::HolderStopping, 90);
    assert_eq!((stopping(AT_ONCE), stopping(Duration::from_millis(89_999))), (again.clone(), again));
    assert_eq!(stopping(Duration::from_secs(90)), refuse(Refusal::NoViableStandby));
    assert_eq!(reconcile(&terminated(InstanceState::Stopped)).decision, starts_holder());
    let asked = plan(&config(), &terminated(InstanceState::Stopped), &failover(None), FINALLY).decision;
    assert_eq!(asked, refuse(Refusal::NoViableStandby));
    let limited = standard::config(&[("FAILOVER_MAX_MOVES_PER_HOUR", "0")]);
    let planned = plan(&limited, &terminated(InstanceState::Stopped), &Intent::Reconcile, FINALLY).decision;
    assert_eq!(planned, refuse(Refusal::TooManyMoves { moves: Vec::new() }));
}

#[test]
fn a_stopped_holder_that_another_run_did_not_start_is_started_before_a_move_to_a_stopped_standby() {
    let cold = |report: &PendingReport| {
        let arrived = token_failover::model::ids::AttachmentId::new("eni-attach-0bbbbbbbbbbbbbbb2");
        with_tag(InstanceState::Stopped, &report.key, &report.value())
            .with_attachment(|attachment| attachment.id = arrived)
            .with_instance(STANDBY, |standby| standby.state = InstanceState::Stopped)
    };
    let dead = bringing_it_here_for(0);
    assert_eq!(reconcile(&cold(&dead)).decision, starts(false));
    let limited = standard::config(&[("FAILOVER_MAX_MOVES_PER_HOUR", "0")]);
    let completed = plan(&limited, &cold(&dead), &Intent::Reconcile, FINALLY).decision;
    assert_eq!(completed, starts(false), "the start completes a move that was counted");
    let reported = dead.once_reported();
    assert!(planned_move(&reconcile(&cold(&reported))).is_some(), "a reported move is over");
    let running =
        cold(&bringing_it_here_for(0)).with_instance(STANDBY, |standby| standby.state = InstanceState::Running);
    assert!(planned_move(&reconcile(&running)).is_some(), "a running standby serves sooner");
}

#[test]
fn a_stopped_holder_that_got_the_interface_back_is_started_before_another_move() {
    use token_failover::model::tags::NOT_STARTED;
    let left = Attachment {
        id: token_failover::model::ids::AttachmentId::new("eni-attach-0bbbbbbbbbbbbbbb2"),
        ..attachment()
    };
    let report = PendingReport::of_move(&RunName::new("1"), Some(&left), &parsed(STANDBY), now(), now());
    let back = with_tag(InstanceState::Stopped, &report.key, &report.value());
    assert_eq!(reconcile(&back).decision, starts(false));
    // If the holder cannot be started now, the standby is tried once more.
    let last = now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let too_early = back.clone().with_interface(|interface| {
        interface.tags.insert(NOT_STARTED.to_owned(), format!("{HOLDER}=1@{last}"));
    });
    assert!(planned_move(&reconcile(&too_early)).is_some(), "the standby may take the interface by now");
    let reported = report.once_reported();
    let told = with_tag(InstanceState::Stopped, &reported.key, &reported.value());
    assert!(planned_move(&reconcile(&told)).is_some(), "a reported move is over");
    let asked = plan(&config(), &back, &failover(Some(STANDBY)), AT_ONCE).decision;
    assert!(matches!(asked, Decision::Act(Action::Move(_))), "an operator may ask for it anyway: {asked:?}");
}

#[test]
fn a_holder_missing_from_one_answer_is_read_again() {
    let observation = pair().with_instances(|instances| instances.retain(|instance| instance.id.as_str() != HOLDER));
    let planned = |looked_for| plan(&config(), &observation, &Intent::Reconcile, looked_for).decision;
    let again = look_again(LookReason::MemberMissing, 15);
    assert_eq!((planned(AT_ONCE), planned(Duration::from_millis(14_999))), (again.clone(), again));
    assert_eq!(planned(Duration::from_secs(15)), to_standby(MoveCause::HolderMissing, None));
}

#[test]
fn a_standby_that_ec2_does_not_know_cannot_take_the_interface() {
    let observation = in_state(InstanceState::Stopped)
        .with_instances(|instances| instances.retain(|instance| instance.id.as_str() != STANDBY));
    let standbys = vec![standby(STANDBY, Verdict::NotViable(Obstacle::Missing))];
    assert_eq!(reconcile(&observation), Plan { decision: starts_holder(), standbys });
    let at_once = plan(&config(), &observation, &Intent::Reconcile, AT_ONCE).decision;
    assert_eq!(at_once, look_again(LookReason::MemberMissing, 15), "one answer is not believed");
}

#[test]
fn a_stopped_standby_is_started_after_it_gets_the_interface() {
    let observation =
        in_state(InstanceState::Stopped).with_instance(STANDBY, |standby| standby.state = InstanceState::Stopped);
    let expected = Plan {
        decision: moves(movement(MoveCause::HolderStopped, vec![target(STANDBY, true)], Some(HOLDER))),
        standbys: vec![standby(STANDBY, Verdict::Stopped)],
    };
    assert_eq!(reconcile(&observation), expected);
}

#[test]
fn a_stopped_standby_that_may_not_be_started_is_not_viable() {
    let observation =
        in_state(InstanceState::Stopped).with_instance(STANDBY, |standby| standby.state = InstanceState::Stopped);
    let forbidding = standard::config(&[("FAILOVER_START_STANDBY", "false")]);
    let expected = Plan {
        decision: refuse(Refusal::NoViableStandby),
        standbys: vec![standby(STANDBY, Verdict::NotViable(Obstacle::MayNotStart))],
    };
    assert_eq!(plan(&forbidding, &observation, &Intent::Reconcile, AT_ONCE), expected);
}

#[test]
fn the_status_checks_of_a_stopped_standby_do_not_matter() {
    for checks in
        [Reading::Known(StatusChecks::Impaired), Reading::Unreadable(unreachable("ec2:DescribeInstanceStatus"))]
    {
        let observation = in_state(InstanceState::Stopped).with_instance(STANDBY, |standby| {
            standby.state = InstanceState::Stopped;
            standby.status_checks = checks;
        });
        assert_eq!(reconcile(&observation).standbys, [standby(STANDBY, Verdict::Stopped)]);
    }
}

#[test]
fn a_standby_whose_status_checks_are_undecided_can_take_the_interface() {
    let observation = in_state(InstanceState::Stopped)
        .with_instance(STANDBY, |standby| standby.status_checks = Reading::Known(StatusChecks::Undecided));
    assert_eq!(reconcile(&observation), with_running_standby(to_standby(MoveCause::HolderStopped, Some(HOLDER))));
}

#[test]
fn only_the_configured_device_index_on_network_card_0_must_be_free() {
    let observation = in_state(InstanceState::Stopped).with_instance(STANDBY, |standby| {
        let other = |device_index, network_card_index| InstanceInterface {
            id: parsed("eni-0eeeeeeeeeeeeeee2"),
            device_index,
            network_card_index,
            delete_on_termination: true,
        };
        standby.interfaces.extend([other(2, 0), other(1, 1)]);
    });
    assert_eq!(reconcile(&observation), with_running_standby(to_standby(MoveCause::HolderStopped, Some(HOLDER))));
}

/// The pair with a stopped holder and this remembered limit. The standby is a `t3.small` with its primary interface and
/// this many more interfaces on each network card.
fn remembering(limits: &str, on_first_card: i32, on_second_card: i32) -> Observation {
    in_state(InstanceState::Stopped)
        .with_interface(|interface| {
            interface.tags.insert(LIMITS.to_owned(), limits.to_owned());
        })
        .with_instance(STANDBY, |standby| {
            let places = (0..on_first_card).map(|n| (n + 2, 0)).chain((0..on_second_card).map(|n| (n + 1, 1)));
            standby.interfaces.extend(places.map(|(device_index, network_card_index)| InstanceInterface {
                id: parsed(&format!("eni-0{network_card_index:08x}{device_index:08x}")),
                device_index,
                network_card_index,
                delete_on_termination: true,
            }));
        })
}

#[test]
fn a_standby_is_full_only_by_the_remembered_limit_of_its_type() {
    let table = [
        ("t3.small=2", 0, 0, None),
        ("t3.small=2", 1, 0, Some(2)),
        ("t3.small=2", 2, 0, Some(2)),
        ("t3.small=3", 1, 0, None),
        ("t3.small=2/4", 0, 1, None),
        ("t3.small=2/4", 1, 0, Some(2)),
        ("t3.small=2/4", 0, 3, Some(2)),
        ("t3.micro=1", 5, 0, None),
        ("t3.small=", 5, 0, None),
        ("t3.small=0", 5, 0, None),
        ("", 5, 0, None),
    ];
    for (limits, on_first_card, on_second_card, full) in table {
        let observation = remembering(limits, on_first_card, on_second_card);
        let expected = match full {
            None => with_running_standby(to_standby(MoveCause::HolderStopped, Some(HOLDER))),
            Some(limit) => {
                let obstacle = Obstacle::NoRoom { instance_type: "t3.small".to_owned(), limit };
                Plan { decision: starts_holder(), standbys: vec![standby(STANDBY, Verdict::NotViable(obstacle))] }
            }
        };
        assert_eq!(reconcile(&observation), expected, "{limits}, {on_first_card} and {on_second_card} more");
    }
}

#[test]
fn the_license_interface_does_not_count_against_the_limit() {
    let leaving = remembering("t3.small=2", 0, 0)
        .with_attachment(|attachment| attachment.status = AttachmentStatus::Detaching)
        .with_attachment(|attachment| attachment.instance_id = Some(parsed(STANDBY)))
        .with_instance(STANDBY, |standby| {
            standby.interfaces.push(InstanceInterface {
                id: parsed(INTERFACE),
                device_index: 1,
                network_card_index: 0,
                delete_on_termination: true,
            });
        });
    let planned = plan(&config(), &leaving, &Intent::Reconcile, Duration::MAX);
    assert!(planned.standbys.contains(&standby(STANDBY, Verdict::Running)), "{planned:?}");
}

#[test]
fn the_interface_is_attached_at_the_configured_index() {
    let config = standard::config(&[("TOKEN_SERVER_DEVICE_INDEX", "3")]);
    let planned = plan(&config, &in_state(InstanceState::Stopped), &Intent::Reconcile, AT_ONCE);
    let Decision::Act(Action::Move(movement)) = planned.decision else { panic!("{planned:?}") };
    let attach = token_failover::model::change::Attach { device_index: 3, ..attach(STANDBY) };
    assert_eq!(movement.targets, Targets { first: Target { attach, start: false }, others: Vec::new() });
}

#[test]
fn running_standbys_come_before_stopped_ones_each_in_the_configured_order() {
    let fourth = "i-0ddddddddddddddd4";
    let fifth = "i-0eeeeeeeeeeeeeee5";
    let config = standard::config(&[("TOKEN_SERVER_INSTANCE_IDS", &[STANDBY, THIRD, HOLDER, fourth, fifth].join(","))]);
    let observation = three()
        .with_instances(|instances| {
            instances.extend([instance(fifth), instance(fourth)]);
            instances.reverse();
        })
        .with_instance(HOLDER, |holder| holder.state = InstanceState::Stopped)
        .with_instance(STANDBY, |standby| standby.state = InstanceState::Stopped)
        .with_instance(THIRD, |third| third.state = InstanceState::Terminated);
    let targets = vec![target(fourth, false), target(fifth, false), target(STANDBY, true)];
    let expected = Plan {
        decision: moves(movement(MoveCause::HolderStopped, targets, Some(HOLDER))),
        standbys: vec![
            standby(STANDBY, Verdict::Stopped),
            standby(THIRD, Verdict::NotViable(Obstacle::Terminated)),
            standby(fourth, Verdict::Running),
            standby(fifth, Verdict::Running),
        ],
    };
    assert_eq!(plan(&config, &observation, &Intent::Reconcile, AT_ONCE), expected);
}

#[test]
fn a_standby_that_ec2_could_not_start_comes_after_the_untried_ones() {
    use token_failover::model::tags::NOT_STARTED;
    let ten_minutes_ago = (now() - TimeDelta::minutes(10)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    // This holds even if the holder may be tried again now: the third member may have the capacity that the others
    // lack.
    for holders_last in [now(), now() - TimeDelta::minutes(5)] {
        let holders_last = holders_last.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let observation = three()
            .with_instances(|instances| instances.iter_mut().for_each(|member| member.state = InstanceState::Stopped))
            .with_interface(|interface| {
                let failed = format!("{HOLDER}=1@{holders_last} {STANDBY}=1@{ten_minutes_ago}");
                interface.tags.insert(NOT_STARTED.to_owned(), failed);
            });
        let targets = vec![target(THIRD, true), target(STANDBY, true)];
        let expected = moves(movement(MoveCause::HolderStopped, targets, Some(HOLDER)));
        assert_eq!(plan(&config_of_three(), &observation, &Intent::Reconcile, FINALLY).decision, expected);
    }
}

#[test]
fn standbys_that_ec2_could_not_start_are_ordered_by_their_last_failure_for_a_day() {
    use token_failover::model::tags::NOT_STARTED;
    // The limit on moves counts for an hour. An order that lasted no longer would try the same two members forever.
    let hours_ago = |hours| (now() - TimeDelta::hours(hours)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let fourth = "i-0ddddddddddddddd4";
    let config = standard::config(&[("TOKEN_SERVER_INSTANCE_IDS", &[HOLDER, STANDBY, THIRD, fourth].join(","))]);
    for (standbys_last, thirds_last, expected) in [
        (2, 3, [fourth, THIRD, STANDBY]),
        (3, 2, [fourth, STANDBY, THIRD]),
        (23, 24, [THIRD, fourth, STANDBY]),
        (24, 23, [STANDBY, fourth, THIRD]),
    ] {
        let observation = three()
            .with_instances(|instances| {
                instances.push(instance(fourth));
                instances.iter_mut().for_each(|member| member.state = InstanceState::Stopped);
            })
            .with_interface(|interface| {
                let failed = format!("{STANDBY}=1@{} {THIRD}=1@{}", hours_ago(standbys_last), hours_ago(thirds_last));
                interface.tags.insert(NOT_STARTED.to_owned(), failed);
            });
        let targets = expected.map(|id| target(id, true)).to_vec();
        let expected = moves(movement(MoveCause::HolderStopped, targets, Some(HOLDER)));
        assert_eq!(plan(&config, &observation, &Intent::Reconcile, FINALLY).decision, expected);
    }
}

#[test]
fn a_plan_waits_at_most_90_seconds_for_the_only_standby_to_start_or_stop() {
    for (state, obstacle) in
        [(InstanceState::Pending, Obstacle::Starting), (InstanceState::Stopping, Obstacle::Stopping)]
    {
        let observation = in_state(InstanceState::Stopped).with_instance(STANDBY, |standby| standby.state = state);
        let planned = |looked_for| plan(&config(), &observation, &Intent::Reconcile, looked_for);
        let assessed =
            |decision| Plan { decision, standbys: vec![standby(STANDBY, Verdict::NotViable(obstacle.clone()))] };
        let again = assessed(look_again(LookReason::StandbyInTransit, 90));
        assert_eq!((planned(AT_ONCE), planned(Duration::from_millis(89_999))), (again.clone(), again));
        assert_eq!(planned(Duration::from_secs(90)), assessed(starts_holder()));
    }
}

#[test]
fn a_standby_with_a_permanent_obstacle_is_not_awaited() {
    type Damage = fn(&mut Instance);
    let table: [(Obstacle, Damage); 3] = [
        (Obstacle::WrongZone("eu-west-1b".to_owned()), |standby| standby.availability_zone = "eu-west-1b".to_owned()),
        (Obstacle::WrongVpc, |standby| standby.vpc_id = Some("vpc-0bbbbbbbbbbbbbbb2".to_owned())),
        (Obstacle::DeviceIndexTaken(parsed("eni-0eeeeeeeeeeeeeee2")), |standby| {
            let id = parsed("eni-0eeeeeeeeeeeeeee2");
            standby.interfaces.push(InstanceInterface {
                id,
                device_index: 1,
                network_card_index: 0,
                delete_on_termination: true,
            });
        }),
    ];
    for (obstacle, damage) in table {
        for state in [InstanceState::Pending, InstanceState::Stopping] {
            let observation = in_state(InstanceState::Stopped)
                .with_instance(STANDBY, |standby| standby.state = state.clone())
                .with_instance(STANDBY, damage);
            let assessed =
                |decision| Plan { decision, standbys: vec![standby(STANDBY, Verdict::NotViable(obstacle.clone()))] };
            let planned = plan(&config(), &observation, &Intent::Reconcile, AT_ONCE);
            assert_eq!(planned, assessed(starts_holder()), "{state}");
            let refusal = refuse(Refusal::TargetNotViable { target: parsed(STANDBY), obstacle: obstacle.clone() });
            assert_eq!(plan(&config(), &observation, &failover(Some(STANDBY)), AT_ONCE), assessed(refusal), "{state}");
        }
    }
}

#[test]
fn a_stopping_standby_that_may_not_be_started_is_not_awaited() {
    let forbidding = standard::config(&[("FAILOVER_START_STANDBY", "false")]);
    let planned = |state| {
        let observation = in_state(InstanceState::Stopped).with_instance(STANDBY, |standby| standby.state = state);
        plan(&forbidding, &observation, &Intent::Reconcile, AT_ONCE)
    };
    let assessed =
        |obstacle, decision| Plan { decision, standbys: vec![standby(STANDBY, Verdict::NotViable(obstacle))] };
    let never = assessed(Obstacle::MayNotStart, refuse(Refusal::NoViableStandby));
    assert_eq!(planned(InstanceState::Stopping), never);
    let soon = assessed(Obstacle::Starting, look_again(LookReason::StandbyInTransit, 90));
    assert_eq!(planned(InstanceState::Pending), soon);
}

#[test]
fn a_starting_standby_is_not_awaited_if_another_one_is_viable() {
    let observation = three()
        .with_instance(HOLDER, |holder| holder.state = InstanceState::Stopped)
        .with_instance(STANDBY, |standby| standby.state = InstanceState::Pending)
        .with_instance(THIRD, |third| third.state = InstanceState::Stopped);
    let expected = moves(movement(MoveCause::HolderStopped, vec![target(THIRD, true)], Some(HOLDER)));
    assert_eq!(plan(&config_of_three(), &observation, &Intent::Reconcile, AT_ONCE).decision, expected);
}

// ---- Operators ----

/// A move that an operator requested, from a running holder.
fn asked(targets: Vec<Target>) -> Decision {
    moves(Move { counts: false, ..movement(MoveCause::OperatorRequest, targets, Some(HOLDER)) })
}

/// A move to the third member, which an operator asked for. These get the interface only if nothing else takes it.
fn to_the_third(last_resorts: Vec<Target>) -> Decision {
    let planned = movement(MoveCause::OperatorRequest, vec![target(THIRD, false)], Some(HOLDER));
    moves(Move { counts: false, last_resorts, ..planned })
}

#[test]
fn an_operator_takes_the_interface_from_a_healthy_holder() {
    let config = config_of_three();
    let anywhere = plan(&config, &three(), &failover(None), AT_ONCE);
    assert_eq!(anywhere.decision, asked(vec![target(STANDBY, false), target(THIRD, false)]));
    let there = plan(&config, &three(), &failover(Some(THIRD)), AT_ONCE);
    assert_eq!(there.decision, to_the_third(vec![target(STANDBY, false)]));
    let both = vec![standby(STANDBY, Verdict::Running), standby(THIRD, Verdict::Running)];
    assert_eq!((anywhere.standbys, there.standbys), (both.clone(), both));
}

#[test]
fn the_cause_of_an_operators_failover_is_always_the_operators_request() {
    let planned = plan(&config(), &in_state(InstanceState::Stopped), &failover(None), AT_ONCE);
    assert_eq!(planned, with_running_standby(asked(vec![target(STANDBY, false)])));
}

#[test]
fn a_move_to_an_operators_target_keeps_the_other_viable_standbys_for_the_case_that_nothing_else_takes_the_interface() {
    let standby = |state| three().with_instance(STANDBY, |standby| standby.state = state);
    for (state, last_resorts) in [
        (InstanceState::Running, vec![target(STANDBY, false)]),
        (InstanceState::Stopped, vec![target(STANDBY, true)]),
        (InstanceState::Stopping, vec![]),
        (InstanceState::Terminated, vec![]),
    ] {
        let planned = plan(&config_of_three(), &standby(state.clone()), &failover(Some(THIRD)), AT_ONCE);
        assert_eq!(planned.decision, to_the_third(last_resorts), "{state:?}");
    }
}

#[test]
fn a_target_of_an_operator_that_cannot_take_the_interface_is_refused_whatever_other_members_could() {
    let observation = three().with_instance(STANDBY, |standby| standby.state = InstanceState::Terminated);
    let refusal = Refusal::TargetNotViable { target: parsed(STANDBY), obstacle: Obstacle::Terminated };
    let planned = plan(&config_of_three(), &observation, &failover(Some(STANDBY)), AT_ONCE);
    assert_eq!(planned.decision, refuse(refusal));
}

#[test]
fn a_starting_target_of_an_operator_is_awaited() {
    let observation = three().with_instance(STANDBY, |standby| standby.state = InstanceState::Pending);
    let planned = |looked_for| plan(&config_of_three(), &observation, &failover(Some(STANDBY)), looked_for).decision;
    assert_eq!(planned(AT_ONCE), look_again(LookReason::StandbyInTransit, 90));
    let refusal = Refusal::TargetNotViable { target: parsed(STANDBY), obstacle: Obstacle::Starting };
    assert_eq!(planned(FINALLY), refuse(refusal));
}

#[test]
fn a_target_that_is_not_a_member_is_refused() {
    let refusal = || refuse(Refusal::TargetNotAMember { target: parsed(NON_MEMBER) });
    assert_eq!(plan(&config(), &pair(), &failover(Some(NON_MEMBER)), AT_ONCE), with_running_standby(refusal()));
    let unattached = pair().with_interface(|interface| interface.attachment = None);
    assert_eq!(plan(&config(), &unattached, &failover(Some(NON_MEMBER)), AT_ONCE).decision, refusal());
}

#[test]
fn a_target_that_has_the_interface_keeps_it_in_every_state() {
    for state in [InstanceState::Running, InstanceState::Stopped, InstanceState::ShuttingDown] {
        let planned = plan(&config(), &in_state(state), &failover(Some(HOLDER)), AT_ONCE);
        assert_eq!(planned, with_running_standby(keep(KeepReason::AlreadyOnTarget)));
    }
    let primary = pair().with_attachment(|attachment| attachment.device_index = 0);
    let planned = plan(&config(), &primary, &failover(Some(HOLDER)), AT_ONCE);
    assert_eq!(planned, with_running_standby(keep(KeepReason::AlreadyOnTarget)));
}

#[test]
fn a_target_gets_back_an_interface_that_is_detaching_from_it() {
    let leaving = pair().with_attachment(|attachment| attachment.status = AttachmentStatus::Detaching);
    let planned = plan(&config(), &leaving, &failover(Some(HOLDER)), FINALLY);
    let Some(movement) = planned_move(&planned) else { panic!("{planned:?}") };
    assert_eq!(movement.cause, MoveCause::OperatorRequest);
    assert_eq!(movement.from, Some(Attachment { status: AttachmentStatus::Detaching, ..attachment() }));
    assert_eq!(movement.targets, Targets { first: target(HOLDER, false), others: Vec::new() });
}

#[test]
fn an_operators_target_gets_an_unattached_interface() {
    let unattached = pair().with_interface(|interface| interface.attachment = None);
    let planned = plan(&config(), &unattached, &failover(Some(STANDBY)), AT_ONCE);
    let Decision::Act(Action::Move(to_standby)) = asked(vec![target(STANDBY, false)]) else { unreachable!() };
    let last_resorts = vec![target(HOLDER, false)];
    assert_eq!(planned.decision, moves(Move { from: None, fallback: None, last_resorts, ..to_standby }));
}

// ---- The limit on automatic moves ----

/// The holder stopped after moves this many minutes ago.
fn after_moves(minutes_ago: &[i64]) -> Observation {
    let times: Vec<String> =
        minutes_ago.iter().map(|minutes| (now() - TimeDelta::minutes(*minutes)).to_rfc3339()).collect();
    in_state(InstanceState::Stopped).with_interface(|interface| {
        interface.tags.insert(MOVES.to_owned(), times.join(" "));
    })
}

#[test]
fn the_fourth_automatic_move_within_an_hour_is_refused() {
    let moves = [50, 40, 1].map(|minutes| now() - TimeDelta::minutes(minutes)).to_vec();
    let planned = plan(&config(), &after_moves(&[50, 40, 1]), &Intent::Reconcile, AT_ONCE);
    assert_eq!(planned, with_running_standby(refuse(Refusal::TooManyMoves { moves })));
}

#[test]
fn a_move_counts_for_one_hour() {
    let planned = plan(&config(), &after_moves(&[60, 40, 1]), &Intent::Reconcile, AT_ONCE);
    assert_eq!(planned, with_running_standby(to_standby(MoveCause::HolderStopped, Some(HOLDER))));
}

#[test]
fn the_limit_is_configurable() {
    let limited = |limit| standard::config(&[("FAILOVER_MAX_MOVES_PER_HOUR", limit)]);
    let never = plan(&limited("0"), &after_moves(&[]), &Intent::Reconcile, AT_ONCE);
    assert_eq!(never, with_running_standby(refuse(Refusal::TooManyMoves { moves: Vec::new() })));
    let often = plan(&limited("4"), &after_moves(&[50, 40, 1]), &Intent::Reconcile, AT_ONCE);
    assert_eq!(often, with_running_standby(to_standby(MoveCause::HolderStopped, Some(HOLDER))));
}

#[test]
fn an_operators_failover_is_exempt_from_the_limit() {
    let planned = plan(&config(), &after_moves(&[50, 40, 1]), &failover(None), AT_ONCE);
    assert_eq!(planned, with_running_standby(asked(vec![target(STANDBY, false)])));
}

#[test]
fn attaching_an_unattached_interface_is_exempt_from_the_limit() {
    let observation = after_moves(&[50, 40, 1]).with_interface(|interface| interface.attachment = None);
    let planned = reconcile(&observation).decision;
    let Decision::Act(Action::Move(movement)) = &planned else { panic!("{planned:?}") };
    assert_eq!((movement.cause, &movement.from), (MoveCause::InterfaceUnattached, &None));
}

#[test]
fn attaching_a_detaching_interface_is_exempt_from_the_limit_and_does_not_count() {
    let observation =
        after_moves(&[50, 40, 1]).with_attachment(|attachment| attachment.status = AttachmentStatus::Detaching);
    let planned = reconcile(&observation);
    let Some(movement) = planned_move(&planned) else { panic!("{planned:?}") };
    assert_eq!((movement.cause, movement.counts), (MoveCause::InterfaceUnattached, false));
}

#[test]
fn the_limit_does_not_affect_a_healthy_holder() {
    let observation = after_moves(&[50, 40, 1]).with_instance(HOLDER, |holder| holder.state = InstanceState::Running);
    assert_eq!(reconcile(&observation), with_running_standby(keep(KeepReason::HolderHealthy)));
}

// ---- Events ----

#[test]
fn an_event_that_ec2_does_not_confirm_within_10_seconds_is_outdated() {
    let planned = |looked_for| plan(&config(), &pair(), &look(true), looked_for);
    let again = with_running_standby(look_again(LookReason::EventDisagrees, 10));
    assert_eq!((planned(AT_ONCE), planned(Duration::from_millis(9_999))), (again.clone(), again));
    assert_eq!(planned(Duration::from_secs(10)), with_running_standby(keep(KeepReason::EventOutdated)));
}

#[test]
fn an_event_without_a_failure_of_the_holder_causes_no_second_look() {
    let standbys = Intent::Look { instances: vec![parsed(STANDBY)], reported_failing: true };
    for intent in [look(false), standbys] {
        assert_eq!(plan(&config(), &pair(), &intent, AT_ONCE), with_running_standby(keep(KeepReason::HolderHealthy)));
    }
}

/// A warning that EC2 is reclaiming an instance, believed for this long.
fn evacuate(id: &str, seconds: i64) -> Intent {
    Intent::Evacuate { instance: parsed(id), until: now() + TimeDelta::seconds(seconds) }
}

fn spot_pair() -> Observation {
    pair().with_instance(HOLDER, |holder| holder.spot = true)
}

#[test]
fn a_reclaimed_spot_instance_loses_the_interface_while_it_runs() {
    let planned = plan(&config(), &spot_pair(), &evacuate(HOLDER, 1), AT_ONCE);
    assert_eq!(planned, with_running_standby(to_standby(MoveCause::SpotInterruption, Some(HOLDER))));
}

#[test]
fn a_spot_warning_counts_only_for_its_own_spot_instance_and_only_in_its_time() {
    let healthy = with_running_standby(keep(KeepReason::HolderHealthy));
    assert_eq!(plan(&config(), &spot_pair(), &evacuate(STANDBY, 60), AT_ONCE), healthy);
    assert_eq!(plan(&config(), &pair(), &evacuate(HOLDER, 60), AT_ONCE), healthy);
    assert_eq!(plan(&config(), &spot_pair(), &evacuate(HOLDER, 0), AT_ONCE), healthy);
}

// ---- The laws, for any observation ----

const MEMBERS: [&str; 3] = [HOLDER, STANDBY, THIRD];

fn any_state() -> impl Strategy<Value = InstanceState> {
    prop_oneof![
        3 => Just(InstanceState::Running),
        1 => Just(InstanceState::Pending),
        1 => Just(InstanceState::Stopping),
        2 => Just(InstanceState::Stopped),
        1 => Just(InstanceState::ShuttingDown),
        1 => Just(InstanceState::Terminated),
        1 => Just(InstanceState::Other("hibernating".to_owned())),
    ]
}

fn any_status_checks() -> impl Strategy<Value = Reading<StatusChecks>> {
    prop_oneof![
        3 => Just(Reading::Known(StatusChecks::Ok)),
        1 => Just(Reading::Known(StatusChecks::Impaired)),
        1 => Just(Reading::Known(StatusChecks::Undecided)),
        1 => Just(Reading::Unreadable(unreachable("ec2:DescribeInstanceStatus"))),
    ]
}

fn any_lifecycle_state() -> impl Strategy<Value = Option<Reading<LifecycleState>>> {
    prop_oneof![
        6 => Just(None),
        1 => Just(Some(Reading::Known(LifecycleState::TerminatingWait))),
        1 => Just(Some(Reading::Known(LifecycleState::Terminating))),
        1 => Just(Some(Reading::Known(LifecycleState::Other("InService".to_owned())))),
        1 => Just(Some(Reading::Unreadable(unreachable("autoscaling:DescribeAutoScalingInstances")))),
    ]
}

fn any_scheduled_events() -> impl Strategy<Value = Vec<ScheduledEvent>> {
    let code = prop::sample::select(vec!["instance-stop", "system-reboot", "something-new"]);
    let event = (code, -300..300i64, prop::bool::weighted(0.2)).prop_map(|(code, minutes, is_over)| ScheduledEvent {
        code: code.to_owned(),
        description: if is_over { "[Completed] Maintenance".to_owned() } else { "Maintenance".to_owned() },
        not_before: Some(now() + TimeDelta::minutes(minutes)),
    });
    prop_oneof![4 => Just(Vec::new()), 1 => prop::collection::vec(event, 1..3)]
}

fn any_instance(id: &'static str) -> impl Strategy<Value = Option<Instance>> {
    let place = (prop::bool::weighted(0.9), prop::bool::weighted(0.9), prop::bool::weighted(0.2));
    let departure = (any_lifecycle_state(), any_scheduled_events());
    (prop::bool::weighted(0.9), any_state(), any_status_checks(), place, any::<bool>(), departure).prop_map(
        move |(exists, state, status_checks, (right_zone, right_vpc, index_taken), spot, departure)| {
            let (lifecycle_state, scheduled_events) = departure;
            let auto_scaling_group = lifecycle_state.is_some().then(|| "token-servers".to_owned());
            let mut found = Instance {
                state,
                status_checks,
                spot,
                lifecycle_state,
                auto_scaling_group,
                scheduled_events,
                ..instance(id)
            };
            if !right_zone {
                found.availability_zone = "eu-west-1b".to_owned();
            }
            if !right_vpc {
                found.vpc_id = None;
            }
            if index_taken {
                let other = parsed("eni-0eeeeeeeeeeeeeee2");
                found.interfaces.push(InstanceInterface {
                    id: other,
                    device_index: 1,
                    network_card_index: 0,
                    delete_on_termination: true,
                });
            }
            exists.then_some(found)
        },
    )
}

fn any_attachment() -> impl Strategy<Value = Option<Attachment>> {
    let holder = prop_oneof![
        8 => prop::sample::select(&MEMBERS[..]).prop_map(|id| Some(instance_id(id))),
        1 => Just(Some(instance_id(NON_MEMBER))),
        1 => Just(None),
    ];
    let status = prop_oneof![
        5 => Just(AttachmentStatus::Attached),
        1 => Just(AttachmentStatus::Attaching),
        1 => Just(AttachmentStatus::Detaching),
        1 => Just(AttachmentStatus::Detached),
    ];
    prop::option::weighted(
        0.9,
        (holder, status, prop_oneof![4 => Just(1), 1 => Just(0), 1 => Just(2)], any::<bool>()).prop_map(
            |(instance_id, status, device_index, delete_on_termination)| Attachment {
                instance_id,
                status,
                device_index,
                delete_on_termination,
                ..attachment()
            },
        ),
    )
}

fn any_observation() -> impl Strategy<Value = Observation> {
    let instances = (any_instance(HOLDER), any_instance(STANDBY), any_instance(THIRD));
    let readable = (prop::bool::weighted(0.9), prop::bool::weighted(0.95), prop::bool::weighted(0.9));
    let limit = prop::option::weighted(0.2, 1..4u32);
    let remembered = (prop::collection::vec(0..120i64, 0..5), prop::option::weighted(0.2, -60..60i64), limit);
    (any_attachment(), instances, readable, remembered).prop_map(
        |(
            attachment,
            (holder, standby, third),
            (interface_read, interface_exists, instances_read),
            (moves, busy, limit),
        )| {
            let mut observation = after_moves(&moves)
                .with_interface(|interface| {
                    interface.attachment = attachment;
                    interface.tags.extend(busy.map(busy_for).map(|report| (report.key.clone(), report.value())));
                    interface.tags.extend(limit.map(|limit| (LIMITS.to_owned(), format!("t3.small={limit}"))));
                })
                .with_instances(|instances| *instances = [holder, standby, third].into_iter().flatten().collect());
            if !interface_exists {
                observation.interface = Reading::Known(None);
            }
            if !interface_read {
                observation.interface = Reading::Unreadable(unreachable("ec2:DescribeNetworkInterfaces"));
            }
            if !instances_read {
                observation.instances = Reading::Unreadable(unreachable("ec2:DescribeInstances"));
            }
            observation
        },
    )
}

fn any_intent() -> impl Strategy<Value = Intent> {
    let some = || prop::sample::select(vec![HOLDER, STANDBY, THIRD, NON_MEMBER]).prop_map(instance_id);
    prop_oneof![
        2 => Just(Intent::Reconcile),
        2 => (prop::collection::vec(some(), 1..3), any::<bool>())
            .prop_map(|(instances, reported_failing)| Intent::Look { instances, reported_failing }),
        1 => (some(), -60..60i64)
            .prop_map(|(instance, seconds)| Intent::Evacuate { instance, until: now() + TimeDelta::seconds(seconds) }),
        1 => (some(), -60..60i64)
            .prop_map(|(instance, seconds)| Intent::Rebalance { instance, until: now() + TimeDelta::seconds(seconds) }),
        1 => some().prop_map(|instance| Intent::Release { instance }),
        2 => prop::option::of(some()).prop_map(|to| Intent::Failover { to }),
    ]
}

fn any_config() -> impl Strategy<Value = Config> {
    let order = Just(MEMBERS.to_vec()).prop_shuffle();
    (order, any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), 0..5u32).prop_map(
        |(members, by_tag, start, impaired, announcement, limit)| {
            let (members, tag) =
                if by_tag { (String::new(), "token-server=license-eu") } else { (members.join(","), "") };
            standard::config(&[
                ("TOKEN_SERVER_INSTANCE_IDS", &members),
                ("TOKEN_SERVER_MEMBERS", tag),
                ("FAILOVER_START_STANDBY", &start.to_string()),
                ("FAILOVER_ON_IMPAIRED", &impaired.to_string()),
                ("FAILOVER_ON_ANNOUNCEMENT", &announcement.to_string()),
                ("FAILOVER_MAX_MOVES_PER_HOUR", &limit.to_string()),
            ])
        },
    )
}

fn any_time_looked() -> impl Strategy<Value = Duration> {
    prop_oneof![Just(AT_ONCE), Just(FINALLY), (0..130u64).prop_map(Duration::from_secs)]
}

/// The instance that has or will have the interface; not an instance that the interface is leaving.
fn holder(observation: &Observation) -> Option<&InstanceId> {
    let attachment = observation.interface()?.attachment.as_ref()?;
    let there = matches!(attachment.status, AttachmentStatus::Attached | AttachmentStatus::Attaching);
    attachment.instance_id.as_ref().filter(|_| there)
}

fn planned_move(plan: &Plan) -> Option<&Move> {
    match &plan.decision {
        Decision::Act(Action::Move(movement)) => Some(movement),
        _ => None,
    }
}

/// Whether a running instance is about to go, as the settings and the request count it.
fn is_departing(config: &Config, intent: &Intent, instance: &Instance) -> bool {
    let is_near = |event: &ScheduledEvent| {
        let is_interrupting = event.code != "something-new" && !event.is_over();
        is_interrupting && event.not_before.is_some_and(|date| date <= now() + TimeDelta::hours(1))
    };
    let is_recommended = matches!(intent, Intent::Rebalance { instance: named, until }
        if *named == instance.id && instance.spot && now() < *until);
    instance.is_leaving_its_group()
        || config.on_announcement && (is_recommended || instance.scheduled_events.iter().any(is_near))
}

/// The observation after the move to one of its targets.
fn after(observation: &Observation, movement: &Move, target: &Target) -> Observation {
    let moved = Attachment {
        id: token_failover::model::ids::AttachmentId::new("eni-attach-0bbbbbbbbbbbbbbb2"),
        instance_id: Some(target.attach.instance_id.clone()),
        device_index: i32::from(target.attach.device_index),
        ..attachment()
    };
    let mut after = observation.clone().with_interface(|interface| interface.attachment = Some(moved));
    let here = InstanceInterface {
        id: movement.interface_id.clone(),
        device_index: 1,
        network_card_index: 0,
        delete_on_termination: true,
    };
    after = after.with_instances(|instances| {
        for instance in instances.iter_mut() {
            instance.interfaces.retain(|interface| interface.id != here.id);
        }
    });
    after.with_instance(target.attach.instance_id.as_str(), |instance| {
        instance.state = InstanceState::Running;
        // A standby that has just been started has no status checks yet.
        if target.start {
            instance.status_checks = Reading::Known(StatusChecks::Undecided);
        }
        instance.interfaces.push(here);
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Law 1. The exceptions are a Spot Instance that EC2 is reclaiming, and a holder that is about to go while another member
    /// is ready and stays.
    #[test]
    fn only_an_operator_moves_the_interface_from_a_healthy_holder(
        config in any_config(), observation in any_observation(), intent in any_intent(), looked_for in any_time_looked(),
    ) {
        let plan = plan(&config, &observation, &intent, looked_for);
        if let Some(movement) = planned_move(&plan)
            && let Some(holder) = holder(&observation).and_then(|id| observation.instance(id))
            && holder.state == InstanceState::Running
            && (!config.on_impaired || holder.status_checks != Reading::Known(StatusChecks::Impaired))
        {
            let taken_away = matches!(&intent, Intent::Evacuate { instance, until }
                if *instance == holder.id && holder.spot && now() < *until);
            prop_assert!(intent.is_operators_failover() || taken_away || is_departing(&config, &intent, holder), "{:?}", movement);
            if !intent.is_operators_failover() && !taken_away {
                let stays = |target: &Target| {
                    let target = observation.instance(&target.attach.instance_id).expect("it is in the observation");
                    !is_departing(&config, &intent, target)
                };
                prop_assert!(movement.cause.is_ahead_of_time() && movement.targets.iter().all(stays), "{:?}", movement);
            }
        }
    }

    /// Laws 2 and 3.
    #[test]
    fn a_move_goes_only_to_viable_members_and_never_to_the_holder(
        config in any_config(), observation in any_observation(), intent in any_intent(), looked_for in any_time_looked(),
    ) {
        let plan = plan(&config, &observation, &intent, looked_for);
        if let Some(movement) = planned_move(&plan) {
            for target in movement.targets.iter().chain(&movement.last_resorts) {
                let id = &target.attach.instance_id;
                let instance = observation.instance(id).expect("it is in the observation");
                let interface = observation.interface().expect("it is in the observation");
                prop_assert!(is_member(&config, &observation, id));
                prop_assert_ne!(Some(id), holder(&observation));
                let state = if target.start { InstanceState::Stopped } else { InstanceState::Running };
                prop_assert_eq!(&instance.state, &state);
                prop_assert!(config.start_standby || !target.start);
                prop_assert_eq!(&instance.availability_zone, &interface.availability_zone);
                prop_assert_eq!(instance.vpc_id.as_ref(), Some(&interface.vpc_id));
                prop_assert!(instance.interface_at(1).is_none_or(|there| there.id == interface.id));
                let limits = Remembered::read(&interface.tags).limits.get(&instance.instance_type).copied();
                prop_assert!(limits.is_none_or(|limits| !limits.leave_no_room(instance, &interface.id)));
                prop_assert!(matches!(instance.status_checks, Reading::Known(StatusChecks::Ok | StatusChecks::Undecided)) || target.start);
                let assessed = plan.standbys.iter().find(|standby| standby.instance_id == *id).expect("a verdict");
                let is_last_resort = instance.is_leaving_its_group() && !movement.cause.is_ahead_of_time();
                prop_assert!(assessed.verdict.is_viable() || is_last_resort);
            }
        }
    }

    /// Laws 3 and 6: a move detaches exactly the attachment that was observed, and only from a member.
    #[test]
    fn a_move_takes_the_interface_only_from_a_member_by_the_attachment_that_was_observed(
        config in any_config(), observation in any_observation(), intent in any_intent(), looked_for in any_time_looked(),
    ) {
        let plan = plan(&config, &observation, &intent, looked_for);
        if let Some(movement) = planned_move(&plan) {
            let attachment = observation.interface().and_then(|interface| interface.attachment.clone());
            prop_assert_eq!(&movement.from, &attachment.filter(|attachment| attachment.status != AttachmentStatus::Detached));
            if let Some(from) = &movement.from {
                prop_assert!(from.instance_id.as_ref().is_some_and(|id| is_member(&config, &observation, id)));
                prop_assert!(from.device_index > 0 || from.status == AttachmentStatus::Detaching);
            }
            let attached = movement.from.as_ref().is_some_and(|from| from.status != AttachmentStatus::Detaching);
            prop_assert_eq!(movement.counts, attached && !intent.is_operators_failover());
            let back = movement.fallback.as_ref();
            let from = movement.from.as_ref();
            prop_assert!(back.is_none_or(|back| back.device_index > 0
                && Some(i32::from(back.device_index)) == from.map(|from| from.device_index)
                && Some(&back.instance_id) == from.and_then(|from| from.instance_id.as_ref())));
        }
    }

    /// Law 4.
    #[test]
    fn a_failed_read_permits_no_change(
        config in any_config(), observation in any_observation(), intent in any_intent(), looked_for in any_time_looked(),
    ) {
        let unreadable = unreachable("ec2:Describe");
        for observation in [
            Observation { interface: Reading::Unreadable(unreadable.clone()), ..observation.clone() },
            Observation { instances: Reading::Unreadable(unreadable), ..observation },
        ] {
            let plan = plan(&config, &observation, &intent, looked_for);
            let missing = Decision::Act(Action::Refuse(Refusal::InterfaceMissing));
            let is_doubted = matches!(plan.decision, Decision::LookAgain { reason: LookReason::InterfaceMissing, .. });
            let could_not_tell = matches!(plan.decision, Decision::Act(Action::CannotTell(_)));
            prop_assert!(could_not_tell || is_doubted || plan.decision == missing);
        }
    }

    /// Law 12.
    #[test]
    fn after_a_successful_move_the_next_plan_changes_nothing(
        config in any_config(), observation in any_observation(), intent in any_intent(), looked_for in any_time_looked(),
    ) {
        let first = plan(&config, &observation, &intent, looked_for);
        if let Some(movement) = planned_move(&first) {
            let first_is_ahead = movement.cause.is_ahead_of_time();
            for target in movement.targets.iter() {
                let observation = after(&observation, movement, target);
                let next = plan(&config, &observation, &Intent::Reconcile, AT_ONCE);
                let target = observation.instance(&target.attach.instance_id).expect("it is in the observation");
                if is_departing(&config, &Intent::Reconcile, target) {
                    // The only member that could take it was one that is about to go.
                    prop_assert!(!first_is_ahead && planned_move(&next).is_none_or(|next| next.cause.is_ahead_of_time()));
                } else {
                    prop_assert_eq!(next.decision, keep(KeepReason::HolderHealthy));
                }
            }
        }
    }

    /// The log is enough to make a plan again.
    #[test]
    fn a_logged_input_gives_the_same_plan(
        config in any_config(), observation in any_observation(), intent in any_intent(), looked_for in any_time_looked(),
    ) {
        let first = plan(&config, &observation, &intent, looked_for);
        let logged = serde_json::to_string(&(&config, &observation, &intent, &first)).expect("JSON");
        let (config, observation, intent, again): (Config, Observation, Intent, Plan) = serde_json::from_str(&logged).expect("the same");
        prop_assert_eq!(&again, &first);
        prop_assert_eq!(plan(&config, &observation, &intent, looked_for), first);
    }

    /// Law 10, for the waits of the plan.
    #[test]
    fn every_wait_ends(config in any_config(), observation in any_observation(), intent in any_intent(), looked_for in any_time_looked()) {
        if let Decision::LookAgain { at_most, .. } = plan(&config, &observation, &intent, looked_for).decision {
            // An invocation lasts at most 15 minutes.
            prop_assert!(looked_for < at_most && at_most <= Duration::from_secs(900));
        }
        let finally = plan(&config, &observation, &intent, FINALLY).decision;
        prop_assert!(matches!(finally, Decision::Act(_)), "{:?}", finally);
    }

    #[test]
    fn every_member_except_the_holder_has_a_verdict_in_the_configured_order(
        config in any_config(), observation in any_observation(), intent in any_intent(), looked_for in any_time_looked(),
    ) {
        let assessed: Vec<InstanceId> =
            plan(&config, &observation, &intent, looked_for).standbys.into_iter().map(|standby| standby.instance_id).collect();
        let expected: Vec<InstanceId> = match observation.interface() {
            Some(_) => {
                let members = members(&config, &observation);
                members.into_iter().filter(|member| Some(member) != holder(&observation)).collect()
            }
            None => Vec::new(),
        };
        prop_assert_eq!(assessed, expected);
    }
}
