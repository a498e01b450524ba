//! A holder that runs and is about to go: when the interface moves ahead of time, where, and which lifecycle actions are
//! completed.

use std::time::Duration;

use chrono::TimeDelta;
use simulator::names::{HOLDER, INTERFACE, STANDBY, THIRD};
use token_failover::decide::lifecycle::{hook, to_complete};
use token_failover::decide::plan::plan;
use token_failover::model::config::Config;
use token_failover::model::observation::{
    AttachmentStatus, Instance, InstanceInterface, InstanceState, LifecycleState, Observation, Reading, ScheduledEvent,
    StatusChecks,
};
use token_failover::model::pause::Pause;
use token_failover::model::plan::{
    Action, Decision, KeepReason, LookReason, Move, MoveCause, Obstacle, Refusal, Target, Targets, Verdict,
};
use token_failover::model::request::Intent;
use token_failover::model::tags::{MOVES, NOT_STARTED, PAUSED};

use crate::standard;
use crate::world::{Change, attach, attachment, denied, instance, now, pair, parsed, unreachable};

const TAG: [(&str, &str); 2] = [("TOKEN_SERVER_INSTANCE_IDS", ""), ("TOKEN_SERVER_MEMBERS", "token-server=license-eu")];

/// A change of one instance.
type ChangeOf = fn(&mut Instance);

/// Members by tag, as in an Auto Scaling group.
fn by_tag() -> Config {
    standard::config(&TAG)
}

fn on_announcement() -> Config {
    standard::config(&[TAG[0], TAG[1], ("FAILOVER_ON_ANNOUNCEMENT", "true")])
}

fn in_group(member: &mut Instance, state: LifecycleState) {
    member.auto_scaling_group = Some("token-servers".to_owned());
    member.lifecycle_state = Some(Reading::Known(state));
}

fn in_service() -> LifecycleState {
    LifecycleState::Other("InService".to_owned())
}

/// A pair in a group, whose holder waits for a lifecycle action.
fn releasing() -> Observation {
    pair()
        .with_instance(HOLDER, |holder| in_group(holder, LifecycleState::TerminatingWait))
        .with_instance(STANDBY, |standby| in_group(standby, in_service()))
}

fn finally(config: &Config, observation: &Observation, intent: &Intent) -> Decision {
    plan(config, observation, intent, Duration::MAX).decision
}

fn reconcile(observation: &Observation) -> Decision {
    finally(&by_tag(), observation, &Intent::Reconcile)
}

fn keep(reason: KeepReason) -> Decision {
    Decision::Act(Action::Keep { reason })
}

fn refuse(refusal: Refusal) -> Decision {
    Decision::Act(Action::Refuse(refusal))
}

fn stays(cause: MoveCause) -> Decision {
    refuse(Refusal::NowhereToGo { holder: parsed(HOLDER), cause })
}

/// A move from the holder, back to it if all targets fail.
fn moves(cause: MoveCause, targets: &[(&str, bool)]) -> Decision {
    let mut targets = targets.iter().map(|(id, start)| Target { attach: attach(id), start: *start });
    Decision::Act(Action::Move(Move {
        interface_id: parsed(INTERFACE),
        cause,
        from: Some(attachment()),
        targets: Targets { first: targets.next().expect("a target"), others: targets.collect() },
        fallback: Some(attach(HOLDER)),
        last_resorts: Vec::new(),
        counts: true,
    }))
}

fn release(id: &str) -> Intent {
    Intent::Release { instance: parsed(id) }
}

// ---- Auto Scaling ----

#[test]
fn a_holder_that_its_group_is_about_to_terminate_hands_over_in_every_run() {
    let expected = moves(MoveCause::AutoScalingTermination, &[(STANDBY, false)]);
    let look = Intent::Look { instances: vec![parsed(STANDBY)], reported_failing: false };
    for intent in [Intent::Reconcile, release(HOLDER), release(STANDBY), look] {
        assert_eq!(plan(&by_tag(), &releasing(), &intent, Duration::ZERO).decision, expected, "{intent:?}");
    }
    // Members that are listed hand over as well.
    assert_eq!(finally(&standard::config(&[]), &releasing(), &Intent::Reconcile), expected);
    // The group has stopped waiting, and EC2 does not show it yet.
    let terminating = releasing().with_instance(HOLDER, |holder| in_group(holder, LifecycleState::Terminating));
    assert_eq!(reconcile(&terminating), expected);
}

#[test]
fn a_holder_in_any_other_lifecycle_state_keeps_the_interface() {
    let states = [
        "InService",
        "Pending",
        "Pending:Wait",
        "Standby",
        "Detaching",
        "Warmed:Running",
        "Terminating:Retained",
        "SomethingNew",
    ];
    for state in states {
        let observation = releasing().with_instance(HOLDER, |holder| in_group(holder, LifecycleState::new(state)));
        assert_eq!(reconcile(&observation), keep(KeepReason::HolderHealthy), "{state}");
    }
    let unread = unreachable("autoscaling:DescribeAutoScalingInstances");
    let observation =
        releasing().with_instance(HOLDER, |holder| holder.lifecycle_state = Some(Reading::Unreadable(unread)));
    assert_eq!(reconcile(&observation), keep(KeepReason::HolderHealthy));
}

#[test]
fn auto_scalings_words_are_read_as_they_are() {
    for (word, state) in [
        ("Terminating:Wait", LifecycleState::TerminatingWait),
        ("Terminating", LifecycleState::Terminating),
        ("Terminating:Proceed", LifecycleState::Terminating),
        ("Pending", LifecycleState::Pending),
        ("Pending:Wait", LifecycleState::Pending),
        ("Pending:Proceed", LifecycleState::Pending),
        ("Terminating:Retained", LifecycleState::Other("Terminating:Retained".to_owned())),
        ("Terminated", LifecycleState::Other("Terminated".to_owned())),
        ("terminating:wait", LifecycleState::Other("terminating:wait".to_owned())),
        ("", LifecycleState::Other(String::new())),
    ] {
        assert_eq!(LifecycleState::new(word), state);
    }
}

#[test]
fn a_running_holder_that_has_nowhere_to_go_stays_where_it_is() {
    let cause = MoveCause::AutoScalingTermination;
    let obstacles: [(ChangeOf, Decision); 8] = [
        (|standby| standby.state = InstanceState::ShuttingDown, stays(cause)),
        (|standby| standby.status_checks = Reading::Known(StatusChecks::Impaired), stays(cause)),
        (|standby| in_group(standby, LifecycleState::TerminatingWait), stays(cause)),
        // It comes into question soon, so nobody has to be told.
        (|standby| standby.state = InstanceState::Pending, keep(KeepReason::AwaitingStandby)),
        (|standby| in_group(standby, LifecycleState::Pending), keep(KeepReason::AwaitingStandby)),
        (|standby| standby.state = InstanceState::Stopping, keep(KeepReason::AwaitingStandby)),
        (|standby| standby.status_checks = Reading::Known(StatusChecks::Undecided), keep(KeepReason::AwaitingStandby)),
        (
            |standby| standby.status_checks = Reading::Unreadable(unreachable("ec2:DescribeInstanceStatus")),
            Decision::Act(Action::CannotTell(unreachable("ec2:DescribeInstanceStatus"))),
        ),
    ];
    for (obstacle, expected) in obstacles {
        let observation = releasing().with_instance(STANDBY, obstacle);
        assert_eq!(reconcile(&observation), expected, "{:?}", observation.instance(&parsed(STANDBY)));
    }
    let alone = releasing().with_instances(|instances| instances.retain(|one| one.id == parsed(HOLDER)));
    assert_eq!(reconcile(&alone), stays(cause));
}

#[test]
fn a_standby_whose_checks_stay_undecided_counts_as_booted_after_ten_minutes() {
    let launched = |minutes| {
        releasing().with_instance(STANDBY, |standby| {
            standby.status_checks = Reading::Known(StatusChecks::Undecided);
            standby.launched_at = Some(now() - TimeDelta::minutes(minutes));
        })
    };
    assert_eq!(reconcile(&launched(9)), keep(KeepReason::AwaitingStandby));
    assert_eq!(reconcile(&launched(10)), moves(MoveCause::AutoScalingTermination, &[(STANDBY, false)]));
}

#[test]
fn the_newest_member_of_a_group_gets_the_interface_because_the_group_replaces_the_older_ones_first() {
    let observation = releasing()
        .with_instances(|instances| instances.push(instance(THIRD)))
        .with_instance(STANDBY, |standby| standby.launched_at = Some(now() - TimeDelta::days(30)))
        .with_instance(THIRD, |third| third.launched_at = Some(now() - TimeDelta::minutes(5)));
    assert_eq!(reconcile(&observation), moves(MoveCause::AutoScalingTermination, &[(THIRD, false), (STANDBY, false)]));
    let stopped = observation.with_instance(THIRD, |third| third.state = InstanceState::Stopped);
    assert_eq!(reconcile(&stopped), moves(MoveCause::AutoScalingTermination, &[(STANDBY, false), (THIRD, true)]));
}

#[test]
fn a_failed_holder_goes_to_a_member_that_is_about_to_go_only_if_there_is_no_other() {
    let observation = releasing()
        .with_instance(HOLDER, |holder| holder.state = InstanceState::ShuttingDown)
        .with_instance(STANDBY, |standby| in_group(standby, LifecycleState::TerminatingWait));
    let without_fallback = |targets| match moves(MoveCause::HolderShuttingDown, targets) {
        Decision::Act(Action::Move(planned)) => Decision::Act(Action::Move(Move { fallback: None, ..planned })),
        decision => decision,
    };
    assert_eq!(reconcile(&observation), without_fallback(&[(STANDBY, false)]));
    let verdicts = plan(&by_tag(), &observation, &Intent::Reconcile, Duration::MAX).standbys;
    assert_eq!(verdicts[0].verdict, Verdict::NotViable(Obstacle::LeavingItsGroup));
    let with_third = observation.with_instances(|instances| instances.push(instance(THIRD)));
    assert_eq!(reconcile(&with_third), without_fallback(&[(THIRD, false), (STANDBY, false)]));
}

#[test]
fn an_operators_failover_does_not_take_the_interface_from_a_running_holder_to_a_member_that_is_about_to_go() {
    let leaving = pair().with_instance(STANDBY, |standby| in_group(standby, LifecycleState::TerminatingWait));
    let to = |target: Option<&str>| Intent::Failover { to: target.map(parsed) };
    assert_eq!(finally(&by_tag(), &leaving, &to(None)), refuse(Refusal::NoViableStandby));
    let obstacle = Obstacle::LeavingItsGroup;
    let refusal = Refusal::TargetNotViable { target: parsed(STANDBY), obstacle };
    assert_eq!(finally(&by_tag(), &leaving, &to(Some(STANDBY))), refuse(refusal));
    let failed = leaving.with_instance(HOLDER, |holder| holder.state = InstanceState::ShuttingDown);
    for target in [None, Some(STANDBY)] {
        let decision = finally(&by_tag(), &failed, &to(target));
        assert!(matches!(decision, Decision::Act(Action::Move(_))), "{decision:?}");
    }
}

#[test]
fn a_stopped_holder_is_started_before_a_move_to_a_member_that_is_about_to_go() {
    let observation = pair()
        .with_instance(HOLDER, |holder| holder.state = InstanceState::Stopped)
        .with_instance(STANDBY, |standby| in_group(standby, LifecycleState::TerminatingWait));
    assert!(matches!(reconcile(&observation), Decision::Act(Action::Start(_))));
}

#[test]
fn moves_ahead_of_time_count_against_the_limit() {
    let times: Vec<String> = (0..3).map(|minutes| (now() - TimeDelta::minutes(minutes)).to_rfc3339()).collect();
    let observation =
        releasing().with_interface(|interface| _ = interface.tags.insert(MOVES.to_owned(), times.join(" ")));
    assert!(matches!(reconcile(&observation), Decision::Act(Action::Refuse(Refusal::TooManyMoves { .. }))));
}

#[test]
fn an_interface_that_cannot_be_detached_is_not_handed_over() {
    let primary =
        releasing().with_interface(|interface| interface.attachment.as_mut().expect("an attachment").device_index = 0);
    assert!(matches!(reconcile(&primary), Decision::Act(Action::Refuse(Refusal::PrimaryInterface { .. }))));
}

#[test]
fn an_event_that_auto_scaling_does_not_confirm_within_10_seconds_is_outdated() {
    let in_service = releasing().with_instance(HOLDER, |holder| in_group(holder, in_service()));
    let again = Decision::LookAgain { reason: LookReason::EventDisagrees, at_most: Duration::from_secs(10) };
    for named in [HOLDER, STANDBY] {
        let at = |seconds| plan(&by_tag(), &in_service, &release(named), Duration::from_secs(seconds)).decision;
        assert_eq!(at(0), again);
        assert_eq!(at(9), again);
        assert_eq!(at(10), keep(KeepReason::LifecycleActionOver));
    }
    // An instance that was terminated from outside waits as well.
    let waiting = in_service.clone().with_instance(STANDBY, |standby| {
        standby.state = InstanceState::Terminated;
        in_group(standby, LifecycleState::TerminatingWait);
    });
    let decision = plan(&by_tag(), &waiting, &release(STANDBY), Duration::ZERO).decision;
    assert_eq!(decision, keep(KeepReason::HolderHealthy));
    // An instance that does not run anymore needs no second look.
    let gone = in_service.with_instance(STANDBY, |standby| standby.state = InstanceState::Terminated);
    assert_eq!(
        plan(&by_tag(), &gone, &release(STANDBY), Duration::ZERO).decision,
        keep(KeepReason::LifecycleActionOver)
    );
}

#[test]
fn an_event_about_a_lifecycle_that_cannot_be_read_decides_nothing() {
    let denied = denied("autoscaling:DescribeAutoScalingInstances");
    let observation =
        releasing().with_instance(HOLDER, |holder| holder.lifecycle_state = Some(Reading::Unreadable(denied.clone())));
    assert_eq!(finally(&by_tag(), &observation, &release(HOLDER)), Decision::Act(Action::CannotTell(denied)));
}

#[test]
fn a_pause_holds_a_move_ahead_of_time_back() {
    let until = Pause { until: now() + TimeDelta::hours(1), since: None, reason: None, resumed: None }.value();
    let paused = releasing().with_interface(|interface| _ = interface.tags.insert(PAUSED.to_owned(), until));
    for intent in [Intent::Reconcile, release(HOLDER)] {
        assert_eq!(finally(&by_tag(), &paused, &intent), keep(KeepReason::Paused));
    }
    assert!(to_complete(&by_tag(), &paused).is_empty());
}

// ---- Announcements ----

fn scheduled(code: &str, description: &str, minutes: Option<i64>) -> Vec<ScheduledEvent> {
    vec![ScheduledEvent {
        code: code.to_owned(),
        description: description.to_owned(),
        not_before: minutes.map(|minutes| now() + TimeDelta::minutes(minutes)),
    }]
}

fn announced(code: &str, description: &str, minutes: Option<i64>) -> Observation {
    pair().with_instance(HOLDER, |holder| holder.scheduled_events = scheduled(code, description, minutes))
}

#[test]
fn a_scheduled_event_moves_the_interface_in_the_hour_before_its_date_if_the_settings_ask_for_it() {
    let move_it = moves(MoveCause::ScheduledEvent, &[(STANDBY, false)]);
    let stay = keep(KeepReason::HolderHealthy);
    for (code, description, minutes, expected) in [
        ("instance-retirement", "The hardware fails", Some(60), &move_it),
        ("instance-stop", "", Some(60), &move_it),
        ("instance-reboot", "", Some(1), &move_it),
        ("system-reboot", "", Some(0), &move_it),
        // AWS may begin later than it has announced.
        ("system-maintenance", "", Some(-600), &move_it),
        ("instance-stop", "", Some(61), &stay),
        ("instance-stop", "", None, &stay),
        ("instance-stop", "[Completed] The instance was stopped", Some(0), &stay),
        ("instance-stop", "[Canceled] The instance stays", Some(0), &stay),
        ("something-new", "", Some(0), &stay),
    ] {
        let observation = announced(code, description, minutes);
        let decision = finally(&on_announcement(), &observation, &Intent::Reconcile);
        assert_eq!(decision, *expected, "{code} {description} {minutes:?}");
        // By default, an announcement is only news.
        assert_eq!(reconcile(&observation), stay, "{code} {description} {minutes:?}");
    }
}

#[test]
fn the_interface_never_moves_ahead_of_time_to_a_member_that_is_about_to_go_as_well() {
    let both = announced("instance-stop", "", Some(30))
        .with_instance(STANDBY, |standby| standby.scheduled_events = scheduled("system-reboot", "", Some(45)));
    let config = on_announcement();
    assert_eq!(finally(&config, &both, &Intent::Reconcile), stays(MoveCause::ScheduledEvent));
    let later = both.with_instance(STANDBY, |standby| {
        standby.scheduled_events = scheduled("system-reboot", "", Some(90));
    });
    let expected = moves(MoveCause::ScheduledEvent, &[(STANDBY, false)]);
    assert_eq!(finally(&config, &later, &Intent::Reconcile), expected);
}

#[test]
fn a_member_that_is_about_to_go_as_well_gets_the_interface_only_if_nothing_else_takes_it() {
    let observation = announced("instance-stop", "", Some(30))
        .with_instance(STANDBY, |standby| standby.scheduled_events = scheduled("system-reboot", "", Some(45)))
        .with_instances(|instances| instances.push(instance(THIRD)));
    let Decision::Act(Action::Move(planned)) = moves(MoveCause::ScheduledEvent, &[(THIRD, false)]) else { panic!() };
    let last_resorts = vec![Target { attach: attach(STANDBY), start: false }];
    let expected = Decision::Act(Action::Move(Move { last_resorts, ..planned }));
    assert_eq!(finally(&on_announcement(), &observation, &Intent::Reconcile), expected);
}

#[test]
fn a_running_holder_does_not_hand_over_to_a_stopped_standby_that_ec2_could_not_start_in_the_last_day() {
    let stopped = |hours: i64| {
        let failed = now() - TimeDelta::hours(hours);
        let failed = format!("{STANDBY}=1@{}", failed.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
        announced("instance-stop", "", Some(30))
            .with_instance(STANDBY, |standby| standby.state = InstanceState::Stopped)
            .with_interface(|interface| _ = interface.tags.insert(NOT_STARTED.to_owned(), failed))
    };
    let decide = |hours| finally(&on_announcement(), &stopped(hours), &Intent::Reconcile);
    assert_eq!(decide(2), stays(MoveCause::ScheduledEvent));
    assert_eq!(decide(25), moves(MoveCause::ScheduledEvent, &[(STANDBY, true)]));
    // A holder that has failed has nothing to lose.
    let failed = stopped(2).with_instance(HOLDER, |holder| holder.state = InstanceState::Terminated);
    let decision = finally(&on_announcement(), &failed, &Intent::Reconcile);
    assert!(matches!(decision, Decision::Act(Action::Move(_))), "{decision:?}");
}

#[test]
fn a_failed_holder_goes_to_a_member_that_stays_before_one_that_would_have_to_hand_over_again() {
    let observation = pair()
        .with_instance(HOLDER, |holder| holder.state = InstanceState::Stopping)
        .with_instance(STANDBY, |standby| standby.scheduled_events = scheduled("instance-stop", "", Some(30)))
        .with_instances(|instances| instances.push(instance(THIRD)));
    let expected = |targets| moves(MoveCause::HolderStopping, targets);
    let decision = finally(&on_announcement(), &observation, &Intent::Reconcile);
    assert_eq!(decision, expected(&[(THIRD, false), (STANDBY, false)]));
    // Without the setting, it would not have to.
    assert_eq!(reconcile(&observation), expected(&[(STANDBY, false), (THIRD, false)]));
}

fn rebalance(id: &str, seconds: i64) -> Intent {
    Intent::Rebalance { instance: parsed(id), until: now() + TimeDelta::seconds(seconds) }
}

#[test]
fn a_rebalance_recommendation_counts_only_for_its_own_spot_instance_in_its_time_and_if_the_settings_ask_for_it() {
    let spot = pair().with_instance(HOLDER, |holder| holder.spot = true);
    let config = on_announcement();
    let healthy = keep(KeepReason::HolderHealthy);
    assert_eq!(
        finally(&config, &spot, &rebalance(HOLDER, 1)),
        moves(MoveCause::RebalanceRecommendation, &[(STANDBY, false)])
    );
    assert_eq!(finally(&config, &spot, &rebalance(HOLDER, 0)), healthy);
    assert_eq!(finally(&config, &spot, &rebalance(STANDBY, 60)), healthy);
    assert_eq!(finally(&config, &pair(), &rebalance(HOLDER, 60)), healthy);
    assert_eq!(finally(&by_tag(), &spot, &rebalance(HOLDER, 60)), healthy);
    let alone = spot.with_instance(STANDBY, |standby| standby.state = InstanceState::Terminated);
    assert_eq!(finally(&config, &alone, &rebalance(HOLDER, 60)), keep(KeepReason::NowhereToRebalance));
}

// ---- Completing a lifecycle action ----

/// The pair after the move: the former holder waits for the lifecycle action, and the standby has the interface.
fn moved() -> Observation {
    releasing().with_interface(|interface| {
        let attachment = interface.attachment.as_mut().expect("an attachment");
        attachment.instance_id = Some(parsed(STANDBY));
    })
}

fn completed(config: &Config, observation: &Observation) -> Vec<String> {
    to_complete(config, observation).into_iter().map(|member| member.id.to_string()).collect()
}

#[test]
fn a_lifecycle_action_is_completed_once_the_interface_is_on_another_member_that_serves_and_stays() {
    assert_eq!(completed(&by_tag(), &moved()), [HOLDER]);
    // It was terminated from outside.
    let gone = moved().with_instance(HOLDER, |former| {
        former.state = InstanceState::Terminated;
        former.vpc_id = None;
    });
    assert_eq!(completed(&by_tag(), &gone), [HOLDER]);
    // Two standbys at once, as when the group is scaled in.
    let two = moved().with_instances(|instances| {
        let mut third = instance(THIRD);
        in_group(&mut third, LifecycleState::TerminatingWait);
        instances.push(third);
    });
    let mut both = completed(&by_tag(), &two);
    both.sort();
    assert_eq!(both, [HOLDER, THIRD]);
}

#[test]
fn a_lifecycle_action_is_not_completed_while_it_may_be_needed() {
    let none: [String; 0] = [];
    // The holder itself.
    assert_eq!(completed(&by_tag(), &releasing()), none);
    // Listed members: the role does not allow it.
    assert_eq!(completed(&standard::config(&[]), &moved()), none);
    let holders: [ChangeOf; 9] = [
        |holder| holder.state = InstanceState::Pending,
        |holder| holder.state = InstanceState::Stopped,
        |holder| holder.state = InstanceState::ShuttingDown,
        |holder| holder.status_checks = Reading::Known(StatusChecks::Impaired),
        |holder| holder.status_checks = Reading::Unreadable(unreachable("ec2:DescribeInstanceStatus")),
        |holder| in_group(holder, LifecycleState::TerminatingWait),
        |holder| in_group(holder, LifecycleState::Terminating),
        |holder| in_group(holder, LifecycleState::Pending),
        |holder| {
            let unread = unreachable("autoscaling:DescribeAutoScalingInstances");
            holder.lifecycle_state = Some(Reading::Unreadable(unread));
        },
    ];
    for change in holders {
        assert_eq!(completed(&by_tag(), &moved().with_instance(STANDBY, change)), none);
    }
    for status in [AttachmentStatus::Attaching, AttachmentStatus::Detaching, AttachmentStatus::Detached] {
        let on_the_way = moved().with_interface(|interface| {
            interface.attachment.as_mut().expect("an attachment").status = status;
        });
        assert_eq!(completed(&by_tag(), &on_the_way), none);
    }
    assert_eq!(completed(&by_tag(), &moved().with_interface(|interface| interface.attachment = None)), none);
    // The group waits for something else, or no longer waits.
    for state in [in_service(), LifecycleState::Terminating] {
        let observation = moved().with_instance(HOLDER, |former| in_group(former, state.clone()));
        assert_eq!(completed(&by_tag(), &observation), none);
    }
    let mut unread = moved();
    unread.instances = Reading::Unreadable(unreachable("ec2:DescribeInstances"));
    assert_eq!(completed(&by_tag(), &unread), none);
}

#[test]
fn a_holder_that_keeps_the_interface_whatever_its_checks_say_holds_no_lifecycle_action_up() {
    let config = standard::config(&[TAG[0], TAG[1], ("FAILOVER_ON_IMPAIRED", "false")]);
    let impaired =
        moved().with_instance(STANDBY, |holder| holder.status_checks = Reading::Known(StatusChecks::Impaired));
    assert_eq!(completed(&config, &impaired), [HOLDER]);
    let unread = unreachable("ec2:DescribeInstanceStatus");
    let unread = moved().with_instance(STANDBY, |holder| holder.status_checks = Reading::Unreadable(unread.clone()));
    assert_eq!(completed(&config, &unread), [HOLDER]);
}

/// Another interface of the former holder.
fn with_another(delete_on_termination: bool, device_index: i32) -> Observation {
    moved().with_instance(HOLDER, |former| {
        let id = parsed("eni-0ddddddddddddddd2");
        former.interfaces.push(InstanceInterface { id, device_index, network_card_index: 0, delete_on_termination });
    })
}

#[test]
fn an_instance_that_has_the_interface_of_another_license_is_left_to_the_function_of_that_license() {
    assert!(completed(&by_tag(), &with_another(false, 2)).is_empty());
    // An interface that is deleted with the instance is not that of a license, and neither is the primary one.
    assert_eq!(completed(&by_tag(), &with_another(true, 2)), [HOLDER]);
    assert_eq!(completed(&by_tag(), &with_another(false, 0)), [HOLDER]);
}

#[test]
fn the_function_completes_the_only_hook_or_its_own() {
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    for (hooks, expected) in [
        (&[][..], None),
        (&["drain"], Some("drain")),
        (&["token-failover"], Some("token-failover")),
        (&["ship-logs", "token-failover"], Some("token-failover")),
        (&["ship-logs", "drain"], None),
    ] {
        assert_eq!(hook(&names(hooks)).map(String::as_str), expected, "{hooks:?}");
    }
}
