//! Members by tag: which instances are members, in which order, and when the tag is refused.

use std::time::Duration;

use chrono::TimeDelta;
use simulator::names::{HOLDER, NON_MEMBER, STANDBY, THIRD};
use token_failover::decide::members::{MOST_TAGGED, elsewhere, in_groups, is_member, members};
use token_failover::decide::plan::plan;
use token_failover::model::config::Config;
use token_failover::model::ids::InstanceId;
use token_failover::model::observation::{Instance, InstanceState, Observation, Reading};
use token_failover::model::plan::{Action, Decision, LookReason, Refusal};
use token_failover::model::request::Intent;

use crate::standard;
use crate::world::{Change, instance, now, pair, parsed, unreachable};

fn by_tag() -> Config {
    standard::config(&[("TOKEN_SERVER_INSTANCE_IDS", ""), ("TOKEN_SERVER_MEMBERS", "token-server=license-eu")])
}

/// An instance that was started so many minutes ago.
fn started(id: &str, minutes: i64, state: InstanceState) -> Instance {
    Instance { launched_at: Some(now() - TimeDelta::minutes(minutes)), state, ..instance(id) }
}

fn with(instances: Vec<Instance>) -> Observation {
    pair().with_instances(|seen| *seen = instances.clone())
}

fn ids(names: &[&str]) -> Vec<InstanceId> {
    names.iter().map(|name| parsed(name)).collect()
}

#[test]
fn running_instances_come_first_then_the_one_that_has_run_longest_then_the_lower_id() {
    use InstanceState::{Pending, Running, Stopped};
    let cases = [
        (vec![started(HOLDER, 5, Stopped), started(STANDBY, 1, Running)], vec![STANDBY, HOLDER]),
        (vec![started(HOLDER, 5, Running), started(STANDBY, 60, Running)], vec![STANDBY, HOLDER]),
        (vec![started(STANDBY, 5, Running), started(HOLDER, 5, Running)], vec![HOLDER, STANDBY]),
        (
            vec![started(THIRD, 90, Stopped), started(STANDBY, 1, Pending), started(HOLDER, 60, Stopped)],
            vec![STANDBY, THIRD, HOLDER],
        ),
    ];
    for (instances, expected) in cases {
        assert_eq!(members(&by_tag(), &with(instances.clone())), ids(&expected), "{instances:?}");
    }
}

#[test]
fn listed_members_keep_their_order_and_need_not_exist() {
    let listed = standard::config(&[("TOKEN_SERVER_INSTANCE_IDS", &[THIRD, HOLDER].join(","))]);
    assert_eq!(members(&listed, &pair()), ids(&[THIRD, HOLDER]));
    assert_eq!(elsewhere(&listed, &pair()), ids(&[]));
}

#[test]
fn a_member_is_in_the_interfaces_vpc_and_zone_and_not_terminated() {
    let config = by_tag();
    let changes: [fn(&mut Instance); 3] = [
        |one| one.availability_zone = "eu-west-1b".to_owned(),
        |one| one.vpc_id = Some("vpc-0bbbbbbbbbbbbbbb2".to_owned()),
        |one| {
            one.state = InstanceState::Terminated;
            one.vpc_id = None;
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let seen = pair().with_instance(STANDBY, change);
        assert_eq!(members(&config, &seen), ids(&[HOLDER]), "{number}");
        assert!(!is_member(&config, &seen, &parsed(STANDBY)), "{number}");
        // A terminated instance is gone, and nothing to tell of.
        assert_eq!(elsewhere(&config, &seen), if number < 2 { ids(&[STANDBY]) } else { ids(&[]) }, "{number}");
        // The holder stays one, whatever happens to it.
        let seen = pair().with_instance(HOLDER, change);
        assert!(is_member(&config, &seen, &parsed(HOLDER)), "{number}");
    }
    assert!(!is_member(&config, &pair(), &parsed(NON_MEMBER)));
}

#[test]
fn lifecycle_states_are_read_of_50_instances_the_members_first_and_the_terminated_ones_last() {
    let grouped = |id: &str, state| {
        let vpc_id = (state != InstanceState::Terminated).then(|| pair().interface().expect("known").vpc_id.clone());
        Instance { auto_scaling_group: Some("token-servers".to_owned()), state, vpc_id, ..instance(id) }
    };
    let gone = (0..60).map(|number| grouped(&format!("i-0{number:016x}"), InstanceState::Terminated));
    let elsewhere = Instance { availability_zone: "eu-west-1b".to_owned(), ..grouped(THIRD, InstanceState::Running) };
    let members = [grouped(HOLDER, InstanceState::Running), grouped(STANDBY, InstanceState::Running)];
    let seen = with(gone.chain([instance(NON_MEMBER), elsewhere]).chain(members).collect());
    let asked = in_groups(&by_tag(), &seen);
    assert_eq!((&asked[..3], asked.len()), (&ids(&[HOLDER, STANDBY, THIRD])[..], 50));
    assert!(!asked.contains(&parsed(NON_MEMBER)), "it is in no group");
}

#[test]
fn a_tag_that_fits_nothing_is_believed_after_a_while_and_refused() {
    let nothing = with(Vec::new());
    let decide = |after| plan(&by_tag(), &nothing, &Intent::Reconcile, Duration::from_secs(after)).decision;
    let again = Decision::LookAgain { reason: LookReason::MemberMissing, at_most: Duration::from_secs(15) };
    assert_eq!((decide(0), decide(14)), (again.clone(), again));
    assert_eq!(decide(15), Decision::Act(Action::Refuse(Refusal::NoMembers)));
}

#[test]
fn a_tag_that_fits_too_many_is_refused_at_once() {
    let many = |count: usize| {
        with((0..count).map(|number| instance(&format!("i-0{number:016x}"))).chain([instance(HOLDER)]).collect())
    };
    let stopped = |count| many(count).with_instance(HOLDER, |holder| holder.state = InstanceState::Stopped);
    let decide = |seen: &Observation| plan(&by_tag(), seen, &Intent::Reconcile, Duration::ZERO).decision;
    assert!(matches!(decide(&stopped(MOST_TAGGED - 1)), Decision::Act(Action::Move(_))));
    let refused = Decision::Act(Action::Refuse(Refusal::TooManyMembers { count: MOST_TAGGED + 1 }));
    assert_eq!(decide(&stopped(MOST_TAGGED)), refused);
    // An operator's request does not make the tag right.
    let request = Intent::Failover { to: None };
    assert_eq!(plan(&by_tag(), &many(MOST_TAGGED), &request, Duration::ZERO).decision, refused);
}

#[test]
fn a_holder_without_the_tag_may_be_missing_from_one_answer() {
    let without = with(vec![instance(STANDBY)]);
    let decide = |after| plan(&by_tag(), &without, &Intent::Reconcile, Duration::from_secs(after)).decision;
    assert!(matches!(decide(0), Decision::LookAgain { reason: LookReason::MemberMissing, .. }));
    assert!(matches!(decide(15), Decision::Act(Action::Refuse(Refusal::HeldByStranger { .. }))));
    // A listed member is known without an answer.
    let at_once = plan(&standard::config(&[]), &without, &Intent::Reconcile, Duration::from_secs(15)).decision;
    assert!(matches!(at_once, Decision::Act(Action::Move(_))), "{at_once:?}");
}

#[test]
fn what_could_not_be_read_permits_no_change() {
    let mut unread = pair();
    unread.instances = Reading::Unreadable(unreachable("ec2:DescribeInstances"));
    let decision = plan(&by_tag(), &unread, &Intent::Reconcile, Duration::MAX).decision;
    assert!(matches!(decision, Decision::Act(Action::CannotTell(_))), "{decision:?}");
}
