//! The facts that an audit finds in EC2's answers, all of them, in their order.

use std::collections::{BTreeMap, BTreeSet};
use std::slice::from_ref;

use simulator::names::{CLIENT_GROUP, DOCUMENT, HOLDER, INTERFACE, NON_MEMBER, OTHER_SUBNET, STANDBY, SUBNET};
use token_failover::decide::attachment::{MoveByOther, Noted, Seen};
use token_failover::decide::audit::{Audit, Fact, Tally, Traffic, Unread, is_event, judge, signature};
use token_failover::model::change::Change;
use token_failover::model::config::PortRange;
use token_failover::model::error::{CallError, Meaning};
use token_failover::model::finding::{Finding, FindingCode, Severity};
use token_failover::model::ids::{AttachmentId, NetworkInterfaceId};
use token_failover::model::observation::{
    Attachment, Instance, InstanceInterface, InstanceState, InterfaceLimits, LifecycleState, NetworkInterface,
    Observation, Reading,
};
use token_failover::model::pause::Pause;
use token_failover::model::plan::{Action, KeepReason, MoveCause, Obstacle, Refusal, Standby, Verdict};
use token_failover::model::readiness::{
    AclEntry, CommandReadiness, Permission, Readiness, Route, Standing, Subscription,
};
use token_failover::model::reason::Reason;
use token_failover::model::tags::PAUSED;

use crate::standard;
use crate::world::{Change as _, attach, attachment, denied, instance_id, now, pair, parsed, unreachable};

/// Everything that an audit reads.
struct Given {
    variables: Vec<(&'static str, &'static str)>,
    observation: Observation,
    action: Action,
    standby: Verdict,
    readiness: Readiness,
}

/// A pair without any problem.
fn ready() -> Given {
    let observation = pair().with_instances(|instances| {
        for instance in instances {
            instance.recovers = false;
            instance.subnet_id = Some(OTHER_SUBNET.to_owned());
        }
    });
    let limits = InterfaceLimits { total: 3, first_card: 3 };
    let routes =
        vec![Route { destination: Some(parsed("0.0.0.0/0")), gateway_id: Some("igw-1".to_owned()), active: true }];
    let readiness = Readiness {
        interface_limits: Reading::Known(BTreeMap::from([("t3.small".to_owned(), limits)])),
        protected: [HOLDER, STANDBY].map(|id| (parsed(id), Reading::Known(true))).into(),
        routes: Some(Reading::Known(routes)),
        acl: Some(Reading::Known(vec![entry(100, false, true), entry(100, true, true)])),
        client_groups: Reading::Known(BTreeSet::new()),
        subscriptions: Reading::Known(Some(vec![subscription("ops@example.com", Standing::Confirmed)])),
        permissions: vec![may(Reading::Known(()))],
        termination_hooks: BTreeMap::new(),
        commands: None,
    };
    let action = Action::Keep { reason: KeepReason::HolderHealthy };
    Given { variables: Vec::new(), observation, action, standby: Verdict::Running, readiness }
}

fn entry(number: i32, egress: bool, allow: bool) -> AclEntry {
    AclEntry { number, egress, allow, range: parsed("0.0.0.0/0"), tcp_ports: Some((0, 65535)) }
}

fn subscription(endpoint: &str, standing: Standing) -> Subscription {
    Subscription { protocol: "email".to_owned(), endpoint: endpoint.to_owned(), standing }
}

fn may(answer: Reading<()>) -> Permission {
    Permission { change: Change::Attach(attach(STANDBY)), answer }
}

fn audit(change: impl FnOnce(&mut Given)) -> Audit {
    let mut given = ready();
    change(&mut given);
    let config = standard::config(&given.variables);
    let standbys = [Standby { instance_id: parsed(STANDBY), verdict: given.standby }];
    judge(&config, &given.observation, &given.action, &standbys, &given.readiness)
}

fn interface(given: &mut Given) -> &mut NetworkInterface {
    given.observation.interface.known_mut().and_then(Option::as_mut).expect("an interface")
}

fn instance(id: &str) -> Instance {
    ready().observation.instance(&instance_id(id)).expect("a member").clone()
}

/// The facts, and how many standbys are viable.
fn facts_of(audit: Audit) -> (Vec<Fact>, usize) {
    (audit.facts, audit.viable)
}

/// The audit finds exactly these facts, and at least one viable standby.
#[track_caller]
fn found(facts: impl Into<Vec<Fact>>, change: impl FnOnce(&mut Given)) {
    assert_eq!(facts_of(audit(change)), (facts.into(), 1));
}

/// A pair in a group with this hook for termination, whose members have a tag.
fn grouped(given: &mut Given, hooks: &[&str]) {
    given.variables = vec![("TOKEN_SERVER_INSTANCE_IDS", ""), ("TOKEN_SERVER_MEMBERS", "token-server=license-eu")];
    for instance in given.observation.instances.known_mut().expect("the instances") {
        instance.auto_scaling_group = Some("token-servers".to_owned());
        instance.lifecycle_state = Some(Reading::Known(LifecycleState::Other("InService".to_owned())));
    }
    let hooks = hooks.iter().map(ToString::to_string).collect();
    given.readiness.termination_hooks = BTreeMap::from([("token-servers".to_owned(), Reading::Known(hooks))]);
}

#[test]
fn a_group_needs_one_hook_for_termination_that_is_the_functions() {
    let group = || "token-servers".to_owned();
    found([], |given| grouped(given, &["token-failover"]));
    found([], |given| grouped(given, &["drain"]));
    found([], |given| grouped(given, &["ship-logs", "token-failover"]));
    found([Fact::NoTerminationHook(group())], |given| grouped(given, &[]));
    let several = vec!["ship-logs".to_owned(), "drain".to_owned()];
    found([Fact::SeveralTerminationHooks(group(), several)], |given| grouped(given, &["ship-logs", "drain"]));
    found(not_read(Unread::TerminationHooks), |given| {
        grouped(given, &[]);
        given.readiness.termination_hooks.insert(group(), unread());
    });
    found(not_read(Unread::LifecycleStates), |given| {
        grouped(given, &["token-failover"]);
        for instance in given.observation.instances.known_mut().expect("the instances") {
            instance.lifecycle_state = Some(unread());
        }
    });
}

#[test]
fn listed_members_do_not_belong_into_a_group() {
    found([Fact::ListedInGroup("token-servers".to_owned(), vec![parsed(STANDBY)])], |given| {
        given.observation.instances.known_mut().expect("the instances")[1].auto_scaling_group =
            Some("token-servers".to_owned());
    });
}

#[test]
fn the_members_of_a_group_need_no_termination_protection() {
    found([], |given| {
        grouped(given, &["token-failover"]);
        given.readiness.protected.insert(parsed(STANDBY), Reading::Known(false));
    });
}

#[test]
fn an_open_lifecycle_action_of_a_member_without_the_interface_is_told() {
    let open = |hook: Option<&str>| Fact::LifecycleActionOpen {
        member: parsed(STANDBY),
        group: "token-servers".to_owned(),
        hook: hook.map(str::to_owned),
    };
    let leaving = |given: &mut Given, id: &str| {
        let instances = given.observation.instances.known_mut().expect("the instances");
        let member = instances.iter_mut().find(|instance| instance.id == parsed(id)).expect("a member");
        member.lifecycle_state = Some(Reading::Known(LifecycleState::TerminatingWait));
    };
    found([open(Some("drain"))], |given| {
        grouped(given, &["drain"]);
        leaving(given, STANDBY);
    });
    found([open(None)], |given| {
        grouped(given, &["drain"]);
        given.readiness.termination_hooks.clear();
        leaving(given, STANDBY);
    });
    // The holder waits for a standby, and the plan says so.
    found([], |given| {
        grouped(given, &["drain"]);
        leaving(given, HOLDER);
        let cause = MoveCause::AutoScalingTermination;
        given.action = Action::Refuse(Refusal::NowhereToGo { holder: parsed(HOLDER), cause });
    });
}

fn unread<T>() -> Reading<T> {
    Reading::Unreadable(unreachable("ec2:Describe"))
}

fn not_read(what: Unread) -> [Fact; 1] {
    [Fact::NotRead(what, unreachable("ec2:Describe"))]
}

#[test]
fn an_audit_of_a_sound_pair_finds_no_fact() {
    found([], |_| {});
}

#[test]
fn the_place_of_the_interface_is_the_first_fact() {
    let refused = |refusal: &Refusal| [Fact::Refused(refusal.clone())];
    let standby = Standby { instance_id: parsed(STANDBY), verdict: Verdict::Running };
    found([Fact::AttachedToNothing(vec![standby])], |given| {
        interface(given).attachment = None;
    });
    let non_member = Refusal::HeldByStranger { holder: Some(parsed(NON_MEMBER)), attachment_id: attachment().id };
    found(refused(&non_member), |given| given.action = Action::Refuse(non_member.clone()));
    found([Fact::HolderFailed(attachment())], |given| given.action = Action::Refuse(Refusal::NoViableStandby));

    let mut first = attachment();
    first.device_index = 0;
    let primary = Refusal::PrimaryInterface {
        holder: parsed(HOLDER),
        state: Some(InstanceState::Running),
        attachment_id: first.id.clone(),
    };
    found(refused(&primary), |given| {
        interface(given).attachment = Some(first);
    });

    let lost = audit(|given| given.observation.interface = Reading::Known(None));
    assert_eq!(lost.facts, refused(&Refusal::InterfaceMissing), "without the interface, nothing else is reported");
}

#[test]
fn a_pause_is_a_fact_until_it_is_over() {
    let tag = |pause: &Pause| {
        let (key, value) = (PAUSED.to_owned(), pause.value());
        move |given: &mut Given| {
            interface(given).tags.insert(key, value);
        }
    };
    let pause = Pause::new(parsed("2026-11-11T23:00:00Z"), now(), Some("new disks"));
    found([Fact::Paused(pause.clone())], tag(&pause));
    found([], tag(&pause.resumed(now())));
}

#[test]
fn a_move_by_something_else_comes_after_a_pause_and_is_noted() {
    let from = Noted {
        attachment: AttachmentId::new("eni-attach-0bbbbbbbbbbbbbbb2"),
        instance: Some(parsed(STANDBY)),
        at: now(),
    };
    let before = Seen { noted: from.clone(), moved: None };
    let pause = Pause::new(parsed("2026-11-11T23:00:00Z"), now(), None);
    let audited = audit(|given| {
        interface(given).tags = [before.tag(), (PAUSED.to_owned(), pause.value())].into();
    });
    let moved = MoveByOther { from, to: attachment(), again: false };
    assert_eq!(audited.facts, [Fact::Paused(pause), Fact::MovedByOther(moved)]);
    let to = Noted { attachment: attachment().id, instance: attachment().instance_id, at: now() };
    assert_eq!(audited.seen, Some(Seen { noted: to, moved: Some(now()) }));
    assert_eq!(audit(|given| interface(given).tags = [audited.seen.as_ref().expect("it").tag()].into()).seen, None);
}

#[test]
fn the_obstacles_of_standbys_come_after_the_fact_that_no_standby_is_viable() {
    let not_viable = |obstacle: Obstacle| Fact::StandbyNotViable(parsed(STANDBY), obstacle);
    let none = |facts: Vec<Fact>| (facts, 0);
    let audit = |change: &dyn Fn(&mut Given)| facts_of(audit(change));
    let impaired = audit(&|given| given.standby = Verdict::NotViable(Obstacle::Impaired));
    assert_eq!(impaired, none(vec![Fact::NoViableStandby, not_viable(Obstacle::Impaired)]));

    let fill = |given: &mut Given| {
        let limit = InterfaceLimits { total: 1, first_card: 1 };
        given.readiness.interface_limits = Reading::Known(BTreeMap::from([("t3.small".to_owned(), limit)]));
    };
    let without_room = Fact::StandbyWithoutRoom(instance(STANDBY), 1);
    assert_eq!(audit(&fill), none(vec![Fact::NoViableStandby, without_room.clone()]));
    let no_room = Obstacle::NoRoom { instance_type: "t3.small".to_owned(), limit: 1 };
    let known = audit(&|given| {
        fill(given);
        given.standby = Verdict::NotViable(no_room.clone());
    });
    assert_eq!(known, none(vec![Fact::NoViableStandby, without_room]), "the same obstacle is told once");
    let remembered = audit(&|given| given.standby = Verdict::NotViable(no_room.clone()));
    assert_eq!(remembered, none(vec![Fact::NoViableStandby, not_viable(no_room)]));
}

#[test]
fn the_configured_device_index_must_not_belong_to_another_interface_of_the_holder() {
    let (license, other) =
        (parsed::<NetworkInterfaceId>(INTERFACE), parsed::<NetworkInterfaceId>("eni-0ddddddddddddddd2"));
    // The license interface and the other one are at these indexes, the other one on this network card.
    let at = |now: i32, others: i32, network_card_index: i32, id: &'static str| {
        let (license, other) = (license.clone(), other.clone());
        move |given: &mut Given| {
            let observation = given.observation.clone().with_attachment(|attachment| attachment.device_index = now);
            given.observation = observation.with_instances(|instances| {
                for one in instances.iter_mut() {
                    one.interfaces.retain(|interface| interface.id != license);
                }
                let there = |id: &NetworkInterfaceId, device_index: i32, network_card_index: i32| InstanceInterface {
                    id: id.clone(),
                    device_index,
                    network_card_index,
                    delete_on_termination: true,
                };
                let one = |id: &str| instances.iter().position(|one| one.id == instance_id(id)).expect("a member");
                let (holder, beside) = (one(HOLDER), one(id));
                instances[holder].interfaces.push(there(&license, now, 0));
                instances[beside].interfaces.push(there(&other, others, network_card_index));
            });
        }
    };
    let taken = Fact::DeviceIndexTaken(Attachment { device_index: 2, ..attachment() }, other.clone());
    found([taken], at(2, 1, 0, HOLDER));
    // The license interface has the configured index.
    found([], at(1, 2, 0, HOLDER));
    // The license interface has another index than the configured one, which is free.
    found([], at(2, 3, 0, HOLDER));
    // Device indexes of different network cards are different, and the plan judges the standbys.
    found([], at(2, 1, 1, HOLDER));
    found([], at(1, 1, 0, STANDBY));
    // The configured index is another one.
    found([], |given| {
        at(2, 1, 0, HOLDER)(given);
        given.variables = vec![("TOKEN_SERVER_DEVICE_INDEX", "2")];
    });
}

#[test]
fn one_fact_names_all_members_that_it_applies_to() {
    let both = || vec![parsed(HOLDER), parsed(STANDBY)];
    found([Fact::SameSubnet(both()), Fact::AutoRecovery(both())], |given| given.observation = pair());
    found([Fact::Unprotected(both())], |given| {
        given.readiness.protected.values_mut().for_each(|protected| *protected = Reading::Known(false));
    });
    found([], |given| {
        let error = CallError { meaning: Meaning::NotFound, ..unreachable("ec2:Describe") };
        given.readiness.protected.insert(parsed(STANDBY), Reading::Unreadable(error));
    });
    found([Fact::UnknownInstanceType(instance(HOLDER))], |given| {
        given.readiness.interface_limits = Reading::Known(BTreeMap::new())
    });
}

#[test]
fn facts_about_the_network_between_clients_and_interface() {
    let subnet = || SUBNET.to_owned();
    let clients = parsed("10.0.0.0/16");
    found([Fact::SourceDestCheckOff(parsed(INTERFACE))], |given| {
        interface(given).source_dest_check = false;
    });
    let no_route = |given: &mut Given| given.readiness.routes = Some(Reading::Known(Vec::new()));
    found([Fact::NoInternetGateway(subnet())], no_route);
    found([], |given| {
        no_route(given);
        given.variables.push(("TOKEN_SERVER_ALLOCATION_ID", "-"));
        interface(given).association = None;
    });
    let acl = |entries: Vec<AclEntry>| move |given: &mut Given| given.readiness.acl = Some(Reading::Known(entries));
    let requests = Traffic::Requests(PortRange { first: 27007, last: 27008 }, clients);
    found([requests, Traffic::Answers(clients)].map(|traffic| Fact::AclBlocks(subnet(), traffic)), acl(Vec::new()));
    let some = AclEntry { tcp_ports: Some((1024, 2000)), ..entry(100, true, true) };
    found([Fact::AclBlocksSomeAnswers(subnet(), clients)], acl(vec![entry(100, false, true), some]));
    let with_group = |given: &mut Given| given.variables.push(("TOKEN_SERVER_CLIENTS", CLIENT_GROUP));
    found([Fact::ClientGroupMissing(parsed(CLIENT_GROUP))], with_group);
    found([], |given| {
        with_group(given);
        given.readiness.client_groups = Reading::Known(BTreeSet::from([parsed(CLIENT_GROUP)]));
    });
}

#[test]
fn an_audit_checks_the_activation_if_one_is_configured() {
    let configure = |document, reachable: Reading<BTreeSet<_>>| {
        move |given: &mut Given| {
            given.variables.push(("FAILOVER_ACTIVATION_DOCUMENT", DOCUMENT));
            given.readiness.commands = Some(CommandReadiness { activation_document: Some(document), reachable });
        }
    };
    let all = || Reading::Known(BTreeSet::from([parsed(HOLDER), parsed(STANDBY)]));
    let missing = |member, is_holder| Fact::MemberNotManaged { member: parsed(member), is_holder };
    let activation = standard::config(&[("FAILOVER_ACTIVATION_DOCUMENT", DOCUMENT)]).activation.expect("it is set");
    found([], configure(Reading::Known(true), all()));
    found([Fact::ActivationDocumentMissing(activation)], configure(Reading::Known(false), all()));
    found(
        [missing(HOLDER, true), missing(STANDBY, false)],
        configure(Reading::Known(true), Reading::Known(BTreeSet::new())),
    );
    found(not_read(Unread::ActivationDocument), configure(unread(), all()));
    found(not_read(Unread::Agents), configure(Reading::Known(true), unread()));
    found([], |given| {
        configure(Reading::Known(true), Reading::Known(BTreeSet::from([parsed(HOLDER)])))(given);
        given.observation.instances.known_mut().expect("members")[1].state = InstanceState::Stopped;
    });
}

#[test]
fn an_audit_tells_where_the_license_check_would_find_no_agent() {
    let configure = |reachable: Reading<BTreeSet<_>>| {
        move |given: &mut Given| {
            given.variables.push(("TOKEN_SERVER_LICENSE_CHECK_DOCUMENT", DOCUMENT));
            given.readiness.commands = Some(CommandReadiness { activation_document: None, reachable });
        }
    };
    found([], configure(Reading::Known(BTreeSet::from([parsed(HOLDER), parsed(STANDBY)]))));
    let missing = Fact::MemberNotManaged { member: parsed(STANDBY), is_holder: false };
    found([missing], configure(Reading::Known(BTreeSet::from([parsed(HOLDER)]))));
    found(not_read(Unread::Agents), configure(unread()));
}

#[test]
fn an_audit_requires_a_confirmed_subscription() {
    let set = |subscriptions| move |given: &mut Given| given.readiness.subscriptions = Reading::Known(subscriptions);
    let (confirmed, pending, deleted) = (
        subscription("ops@example.com", Standing::Confirmed),
        subscription("late@example.com", Standing::Pending),
        subscription("left@example.com", Standing::Deleted),
    );
    let unconfirmed = || Fact::SubscriptionUnconfirmed(pending.clone());
    found([Fact::TopicMissing], set(None));
    found([Fact::NobodySubscribed(Vec::new())], set(Some(Vec::new())));
    found([Fact::NobodySubscribed(vec![deleted.clone()])], set(Some(vec![deleted.clone()])));
    found([Fact::NobodySubscribed(vec![pending.clone()]), unconfirmed()], set(Some(vec![pending.clone()])));
    found([unconfirmed()], set(Some(vec![pending.clone(), confirmed, deleted, pending.clone()])));
}

#[test]
fn every_failed_read_is_a_fact() {
    found(not_read(Unread::Room), |given| given.readiness.interface_limits = unread());
    found(not_read(Unread::Routes), |given| given.readiness.routes = Some(unread()));
    found(not_read(Unread::Acl), |given| given.readiness.acl = Some(unread()));
    found(not_read(Unread::ClientGroups), |given| given.readiness.client_groups = unread());
    found(not_read(Unread::Subscriptions), |given| given.readiness.subscriptions = unread());
    found(not_read(Unread::Permissions), |given| given.readiness.permissions = vec![may(unread())]);
    found(not_read(Unread::Protection), |given| {
        given.readiness.protected.values_mut().for_each(|protected| *protected = unread());
    });
}

#[test]
fn an_error_of_one_call_is_one_fact_and_a_rejected_dry_run_is_not_a_fact() {
    let answers = |errors: Vec<CallError>| {
        move |given: &mut Given| {
            given.readiness.permissions = errors.into_iter().map(|error| may(Reading::Unreadable(error))).collect();
        }
    };
    let attach = || denied("ec2:AttachNetworkInterface");
    let start = || denied("ec2:StartInstances");
    found([attach(), start()].map(Fact::PermissionDenied), answers(vec![attach(), start(), attach()]));
    found([], answers(vec![CallError { meaning: Meaning::InUse, ..attach() }]));
    found([Fact::NotRead(Unread::Acl, attach())], |given| {
        answers(vec![attach()])(given);
        given.readiness.acl = Some(Reading::Unreadable(attach()));
    });
}

#[test]
fn the_reason_of_an_audit_follows_from_its_worst_finding() {
    let reason = |severities: &[Severity]| Tally::of(severities.iter().copied()).reason();
    assert_eq!(reason(&[]), Reason::Ready);
    assert_eq!(reason(&[Severity::Info]), Reason::Ready);
    assert_eq!(reason(&[Severity::Info, Severity::Warning]), Reason::ReadyWithWarnings);
    assert_eq!(reason(&[Severity::Critical, Severity::Warning]), Reason::NotReady);
}

#[test]
fn the_signature_covers_lasting_findings_without_their_order_and_wording() {
    let finding = |code, message: &str| Finding::new(code, "x", message.to_owned(), String::new());
    let (one, other) = (finding(FindingCode::SameSubnet, "a"), finding(FindingCode::NoViableStandby, "b"));
    let passing = [finding(FindingCode::NotAudited, "c"), finding(FindingCode::Paused, "d")];
    let both = signature(&[one.clone(), other.clone()]);
    assert_eq!(signature(&[other, finding(FindingCode::SameSubnet, "e")]), both);
    assert_eq!(signature(&passing), signature(&[]));
    // It is news by itself, and the next audit does not have it anymore.
    let event = finding(FindingCode::MovedBySomebody, "f");
    assert_eq!(signature(from_ref(&event)), signature(&[]));
    assert_eq!([&one, &event].map(is_event), [false, true]);
    assert_ne!(signature(&[one]), both);
    // An update of the function must not change this value: it would mail the audit again.
    assert_eq!(both, "521aab61a6bb3723");
}

#[test]
fn the_end_of_the_license_is_told_from_thirty_days_before_and_ever_after() {
    let on = |day: &'static str| move |given: &mut Given| given.variables = vec![("TOKEN_SERVER_LICENSE_EXPIRES", day)];
    for (day, left) in
        [("2026-12-11", 30), ("2026-11-18", 7), ("2026-11-11", 0), ("2026-11-10", -1), ("2020-01-01", -2506)]
    {
        found([Fact::LicenseEnds(parsed(day), left)], on(day));
    }
    found([], on("2026-12-12"));
}
