//! What an audit finds: facts for what was read, all of them, in their order.

use std::collections::{BTreeMap, BTreeSet};

use simulator::names::{CLIENT_GROUP, DOCUMENT, HOLDER, INTERFACE, NON_MEMBER, OTHER_SUBNET, STANDBY, SUBNET};
use token_failover::decide::audit::{Audit, Fact, Tally, Traffic, Unread, judge, signature};
use token_failover::model::change::Change;
use token_failover::model::config::PortRange;
use token_failover::model::error::{CallError, Meaning};
use token_failover::model::finding::{Finding, FindingCode, Severity};
use token_failover::model::observation::{
    Instance, InstanceState, InterfaceLimits, NetworkInterface, Observation, Reading,
};
use token_failover::model::pause::Pause;
use token_failover::model::plan::{Action, KeepReason, Obstacle, Refusal, Standby, Verdict};
use token_failover::model::readiness::{
    AclEntry, ActivationReadiness, Permission, Readiness, Route, Standing, Subscription,
};
use token_failover::model::reason::Reason;
use token_failover::model::tags::PAUSED;

use crate::standard;
use crate::world::{Change as _, attach, attachment, denied, instance_id, now, pair, parsed, unreachable};

/// All that an audit judges.
struct World {
    variables: Vec<(&'static str, &'static str)>,
    observation: Observation,
    action: Action,
    standby: Verdict,
    readiness: Readiness,
}

/// The pair, which lacks nothing.
fn ready() -> World {
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
        activation: None,
    };
    let action = Action::Keep { reason: KeepReason::HolderHealthy };
    World { variables: Vec::new(), observation, action, standby: Verdict::Running, readiness }
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

fn audit(change: impl FnOnce(&mut World)) -> Audit {
    let mut world = ready();
    change(&mut world);
    let config = standard::config(&world.variables);
    let standbys = [Standby { instance_id: parsed(STANDBY), verdict: world.standby }];
    judge(&config, &world.observation, &world.action, &standbys, &world.readiness)
}

fn interface(world: &mut World) -> &mut NetworkInterface {
    world.observation.interface.known_mut().and_then(Option::as_mut).expect("an interface")
}

fn instance(id: &str) -> Instance {
    ready().observation.instance(&instance_id(id)).expect("a member").clone()
}

/// Exactly these facts, with a standby that could take the interface.
#[track_caller]
fn found(facts: impl Into<Vec<Fact>>, change: impl FnOnce(&mut World)) {
    assert_eq!(audit(change), Audit { facts: facts.into(), viable: 1 });
}

fn unread<T>() -> Reading<T> {
    Reading::Unreadable(unreachable("ec2:Describe"))
}

fn not_read(what: Unread) -> [Fact; 1] {
    [Fact::NotRead(what, unreachable("ec2:Describe"))]
}

#[test]
fn a_pair_that_lacks_nothing_has_no_fact() {
    found([], |_| {});
}

#[test]
fn where_the_interface_is_comes_first() {
    let refused = |refusal: &Refusal| [Fact::Refused(refusal.clone())];
    let standby = Standby { instance_id: parsed(STANDBY), verdict: Verdict::Running };
    found([Fact::AttachedToNothing(vec![standby])], |world| {
        interface(world).attachment = None;
    });
    let non_member = Refusal::HeldByStranger { holder: Some(parsed(NON_MEMBER)), attachment_id: attachment().id };
    found(refused(&non_member), |world| world.action = Action::Refuse(non_member.clone()));
    found([Fact::HolderFailed(attachment())], |world| world.action = Action::Refuse(Refusal::NoViableStandby));

    let mut first = attachment();
    first.device_index = 0;
    let primary = Refusal::PrimaryInterface {
        holder: parsed(HOLDER),
        state: Some(InstanceState::Running),
        attachment_id: first.id.clone(),
    };
    found(refused(&primary), |world| {
        interface(world).attachment = Some(first);
    });

    let lost = audit(|world| world.observation.interface = Reading::Known(None));
    assert_eq!(lost.facts, refused(&Refusal::InterfaceMissing), "the standbys and the network are judged by it");
}

#[test]
fn a_pause_is_a_fact_and_one_that_is_over_is_none() {
    let tag = |pause: &Pause| {
        let (key, value) = (PAUSED.to_owned(), pause.value());
        move |world: &mut World| {
            interface(world).tags.insert(key, value);
        }
    };
    let pause = Pause::new(parsed("2026-11-11T23:00:00Z"), now(), Some("new disks"));
    found([Fact::Paused(pause.clone())], tag(&pause));
    found([], tag(&pause.resumed(now())));
}

#[test]
fn what_stands_in_a_standbys_way_comes_after_that_none_is_viable() {
    let not_viable = |obstacle: Obstacle| Fact::StandbyNotViable(parsed(STANDBY), obstacle);
    let none = |facts: Vec<Fact>| Audit { facts, viable: 0 };
    let impaired = audit(|world| world.standby = Verdict::NotViable(Obstacle::Impaired));
    assert_eq!(impaired, none(vec![Fact::NoViableStandby, not_viable(Obstacle::Impaired)]));

    let crowd = |world: &mut World| {
        let limit = InterfaceLimits { total: 1, first_card: 1 };
        world.readiness.interface_limits = Reading::Known(BTreeMap::from([("t3.small".to_owned(), limit)]));
    };
    let without_room = Fact::StandbyWithoutRoom(instance(STANDBY), 1);
    assert_eq!(audit(crowd), none(vec![Fact::NoViableStandby, without_room.clone()]));
    let no_room = Obstacle::NoRoom { instance_type: "t3.small".to_owned(), limit: 1 };
    let known = audit(|world| {
        crowd(world);
        world.standby = Verdict::NotViable(no_room.clone());
    });
    assert_eq!(known, none(vec![Fact::NoViableStandby, without_room]), "the same obstacle is told once");
    let remembered = audit(|world| world.standby = Verdict::NotViable(no_room.clone()));
    assert_eq!(remembered, none(vec![Fact::NoViableStandby, not_viable(no_room)]));
}

#[test]
fn what_is_good_to_know_of_members_names_them_together() {
    let both = || vec![parsed(HOLDER), parsed(STANDBY)];
    found([Fact::SameSubnet(both()), Fact::AutoRecovery(both())], |world| world.observation = pair());
    found([Fact::Unprotected(both())], |world| {
        world.readiness.protected.values_mut().for_each(|protected| *protected = Reading::Known(false));
    });
    found([], |world| {
        let error = CallError { meaning: Meaning::NotFound, ..unreachable("ec2:Describe") };
        world.readiness.protected.insert(parsed(STANDBY), Reading::Unreadable(error));
    });
    found([Fact::UnknownInstanceType(instance(HOLDER))], |world| {
        world.readiness.interface_limits = Reading::Known(BTreeMap::new())
    });
}

#[test]
fn the_way_between_the_clients_and_the_interface_is_judged() {
    let subnet = || SUBNET.to_owned();
    let clients = parsed("10.0.0.0/16");
    found([Fact::SourceDestCheckOff(parsed(INTERFACE))], |world| {
        interface(world).source_dest_check = false;
    });
    let no_route = |world: &mut World| world.readiness.routes = Some(Reading::Known(Vec::new()));
    found([Fact::NoInternetGateway(subnet())], no_route);
    found([], |world| {
        no_route(world);
        world.variables.push(("TOKEN_SERVER_ALLOCATION_ID", "-"));
        interface(world).association = None;
    });
    let acl = |entries: Vec<AclEntry>| move |world: &mut World| world.readiness.acl = Some(Reading::Known(entries));
    let requests = Traffic::Requests(PortRange { first: 27007, last: 27008 }, clients);
    found([requests, Traffic::Answers(clients)].map(|traffic| Fact::AclBlocks(subnet(), traffic)), acl(Vec::new()));
    let some = AclEntry { tcp_ports: Some((1024, 2000)), ..entry(100, true, true) };
    found([Fact::AclBlocksSomeAnswers(subnet(), clients)], acl(vec![entry(100, false, true), some]));
    let with_group = |world: &mut World| world.variables.push(("TOKEN_SERVER_CLIENTS", CLIENT_GROUP));
    found([Fact::ClientGroupMissing(parsed(CLIENT_GROUP))], with_group);
    found([], |world| {
        with_group(world);
        world.readiness.client_groups = Reading::Known(BTreeSet::from([parsed(CLIENT_GROUP)]));
    });
}

#[test]
fn whether_a_token_server_could_be_activated_is_judged_where_that_is_configured() {
    let configure = |document, reachable: Reading<BTreeSet<_>>| {
        move |world: &mut World| {
            world.variables.push(("FAILOVER_ACTIVATION_DOCUMENT", DOCUMENT));
            world.readiness.activation = Some(ActivationReadiness { document, reachable });
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
    found([], |world| {
        configure(Reading::Known(true), Reading::Known(BTreeSet::from([parsed(HOLDER)])))(world);
        world.observation.instances.known_mut().expect("members")[1].state = InstanceState::Stopped;
    });
}

#[test]
fn whether_anyone_would_be_told_is_judged_by_the_subscriptions() {
    let set = |subscriptions| move |world: &mut World| world.readiness.subscriptions = Reading::Known(subscriptions);
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
fn what_could_not_be_read_is_a_fact_and_never_taken_for_fine() {
    found(not_read(Unread::Room), |world| world.readiness.interface_limits = unread());
    found(not_read(Unread::Routes), |world| world.readiness.routes = Some(unread()));
    found(not_read(Unread::Acl), |world| world.readiness.acl = Some(unread()));
    found(not_read(Unread::ClientGroups), |world| world.readiness.client_groups = unread());
    found(not_read(Unread::Subscriptions), |world| world.readiness.subscriptions = unread());
    found(not_read(Unread::Permissions), |world| world.readiness.permissions = vec![may(unread())]);
    found(not_read(Unread::Protection), |world| {
        world.readiness.protected.values_mut().for_each(|protected| *protected = unread());
    });
}

#[test]
fn what_one_call_says_is_told_once_and_a_rejected_dry_run_says_nothing() {
    let answers = |errors: Vec<CallError>| {
        move |world: &mut World| {
            world.readiness.permissions = errors.into_iter().map(|error| may(Reading::Unreadable(error))).collect();
        }
    };
    let attach = || denied("ec2:AttachNetworkInterface");
    let start = || denied("ec2:StartInstances");
    found([attach(), start()].map(Fact::PermissionDenied), answers(vec![attach(), start(), attach()]));
    found([], answers(vec![CallError { meaning: Meaning::InUse, ..attach() }]));
    found([Fact::NotRead(Unread::Acl, attach())], |world| {
        answers(vec![attach()])(world);
        world.readiness.acl = Some(Reading::Unreadable(attach()));
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
fn the_signature_is_that_of_what_lasts_in_any_order_and_in_any_words() {
    let finding = |code, message: &str| Finding::new(code, "x", message.to_owned(), String::new());
    let (one, other) = (finding(FindingCode::SameSubnet, "a"), finding(FindingCode::NoViableStandby, "b"));
    let passing = [finding(FindingCode::NotAudited, "c"), finding(FindingCode::Paused, "d")];
    let both = signature(&[one.clone(), other.clone()]);
    assert_eq!(signature(&[other, finding(FindingCode::SameSubnet, "e")]), both);
    assert_eq!(signature(&passing), signature(&[]));
    assert_ne!(signature(&[one]), both);
    // The tag of a function that is updated stays as it is: no mail goes out for the update.
    assert_eq!(both, "521aab61a6bb3723");
}
