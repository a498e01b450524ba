//! The world: EC2, SNS, Systems Manager, Auto Scaling and CloudFormation as typed, synchronous rules. No wire, no runtime,
//! no clock; time comes in as data.
//!
//! From the ground up, each file uses only those before it:
//!
//! - `state`: the [`World`], with its past and its scheduled processes.
//! - `parameters`, `select` and `kinds`: the common parts of operations. The parameters of calls for the journal; ids,
//!   filters and pages; reads, looks and changes.
//! - The operations by subject: `interfaces`, `instances`, `instance_types`, `instance_attributes`, `addresses`,
//!   `rules`, `groups`, `subnets`, `routes`, `network_acls`, `tags`, `topics`, `subscriptions`, `documents`,
//!   `managed_nodes`, `commands` and `stacks`; `lifecycle` and `auto_scaling_groups`; `events`, which all may send; and
//!   `token_servers` and `license_servers`, the programs on the instances.
//! - `operations`, the list of all operations, which ties each request to its answer; and `processes`, the steps that AWS
//!   takes by itself.
//! - `calls`, the entry for calls, and `actors`, the actions of others.

mod actors;
mod addresses;
mod auto_scaling_groups;
mod calls;
mod commands;
mod documents;
mod events;
mod groups;
mod instance_attributes;
mod instance_types;
mod instances;
mod interfaces;
mod kinds;
mod license_servers;
mod lifecycle;
pub(crate) mod managed_nodes;
mod network_acls;
mod operations;
mod parameters;
mod processes;
mod routes;
pub(crate) mod rules;
mod select;
mod stacks;
mod state;
mod subnets;
mod subscriptions;
mod tags;
mod token_servers;
mod topics;

pub use self::{
    addresses::{AddressView, AssociateAddress, Associated, DescribeAddresses, DisassociateAddress},
    commands::{GetCommandInvocation, InvocationView, SendCommand, SentCommand},
    documents::{DescribeDocument, DocumentView},
    groups::{DescribeSecurityGroups, PermissionView, SecurityGroupView},
    instance_attributes::{DescribeInstanceAttribute, InstanceAttributes},
    instance_types::DescribeInstanceTypes,
    instances::{
        DescribeInstanceStatus, DescribeInstances, InstanceStatusView, InstanceView, StartInstances, StateChange,
        StopInstances, TerminateInstances,
    },
    interfaces::{
        AttachNetworkInterface, Attached, DescribeNetworkInterfaces, DetachNetworkInterface, InterfaceAttribute,
        InterfaceView, ModifyNetworkInterfaceAttribute,
    },
    lifecycle::{
        AutoScalingInstance, CompleteLifecycleAction, DescribeAutoScalingInstances, DescribeLifecycleHooks,
        LifecycleHookView,
    },
    managed_nodes::{DescribeInstanceInformation, ManagedNode},
    network_acls::{DescribeNetworkAcls, NetworkAclView},
    operations::{Answer, Operation, Request, Service},
    parameters::Parameters,
    routes::{DescribeRouteTables, RouteTableView},
    rules::{
        AuthorizeSecurityGroupIngress, DescribeSecurityGroupRules, GetManagedPrefixListEntries, IpPermission, RuleView,
    },
    select::{Filter, Page, Selection},
    stacks::{DescribeStacks, StackView},
    state::World,
    subnets::{DescribeSubnets, SubnetView},
    subscriptions::{GetTopicAttributes, ListSubscriptionsByTopic, TopicAttributes},
    tags::{CreateTags, DeleteTags},
    topics::{CreateTopic, Publish, Published},
};
// The values that the operations read and change.
pub use crate::model::{
    Address, Agent, ApiError, Association, Assumptions, Attachment, AttachmentStatus, AutoRecovery, AutoScalingGroup,
    Capacity, Check, Command, CommandBehavior, CommandStatus, Document, Event, EventKind, GroupMember, HealthStatus,
    Instance, InstanceState, InstanceType, Interface, LaunchTemplate, LicenseService, LifecycleAction, LifecycleHook,
    LifecycleResult, LifecycleState, Lmutil, MaintenancePolicy, Message, MessageAttribute, NetworkAcl,
    NetworkAclAssociation, NetworkAclEntry, Process, Refusal, Region, Route, RouteDestination, RouteState, RouteTable,
    RouteTableAssociation, RuleAction, RuleSource, SecurityGroup, SecurityGroupRule, Stack, Standing, StateReason,
    Subnet, Subscription, TerminationPolicy, Timings, TokenServer,
};

/// The state of EC2 alone.
pub mod region {
    pub use crate::model::{
        Address, Association, Attachment, AttachmentStatus, AutoRecovery, Capacity, Check, Home, Instance,
        InstanceState, Interface, PrefixList, Region, RuleSource, SecurityGroup, SecurityGroupRule, StateReason, Tags,
    };
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{model::Ids, names, pair};

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn holder_seen(world: &mut World, now: Duration, age: Duration) -> Option<String> {
        let request = DescribeNetworkInterfaces::of(names::INTERFACE).into();
        let Ok(Answer::DescribeNetworkInterfaces(page)) = world.answer_from_the_past(now, age, &request) else {
            panic!("the interface is there");
        };
        page.items[0].attachment.as_ref().map(|attachment| attachment.instance_id.clone())
    }

    #[test]
    fn the_past_can_be_read_as_it_was() {
        let mut world = pair().timings(Timings { detach: seconds(2), ..Timings::default() }).world();
        world.call(seconds(10), DetachNetworkInterface::of(names::ATTACHMENT)).unwrap();
        world.call(seconds(20), AttachNetworkInterface::to(names::STANDBY, names::INTERFACE, 1)).unwrap();
        for (age, expected) in [
            (0, Some(names::STANDBY)),
            (10, Some(names::STANDBY)),
            (11, None),
            (18, None),
            (19, Some(names::HOLDER)),
            (30, Some(names::HOLDER)),
            (300, Some(names::HOLDER)),
        ] {
            assert_eq!(holder_seen(&mut world, seconds(30), seconds(age)).as_deref(), expected, "{age} s ago");
        }
    }

    #[test]
    fn a_change_is_never_made_in_the_past() {
        let mut world = pair().world();
        world.call(seconds(10), DetachNetworkInterface::of(names::ATTACHMENT)).unwrap();
        let attach = AttachNetworkInterface::to(names::STANDBY, names::INTERFACE, 1).into();
        world.answer_from_the_past(seconds(11), seconds(5), &attach).unwrap();
        assert_eq!(world.holder_of(names::INTERFACE), Some(names::STANDBY));
    }

    #[test]
    fn time_never_goes_back() {
        let mut world = pair().timings(Timings { stop: seconds(5), ..Timings::default() }).world();
        world.advance(seconds(10));
        world.call(seconds(3), StopInstances::of(names::HOLDER)).unwrap();
        assert_eq!(world.now(), seconds(10));
        assert_eq!(world.next_due(), Some(seconds(15)));
    }

    #[test]
    fn the_same_seed_makes_the_same_world() {
        let run = |seed| {
            let mut world = pair().seed(seed).world();
            world.detach(names::INTERFACE).unwrap();
            world.call(seconds(1), AttachNetworkInterface::to(names::STANDBY, names::INTERFACE, 1)).unwrap()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn every_request_of_an_empty_world_is_answered() {
        let mut world = crate::Scenario::empty().world();
        let requests: [Request; 4] = [
            DescribeNetworkInterfaces::default().into(),
            DescribeInstances::default().into(),
            DescribeInstanceStatus::default().into(),
            DescribeAddresses::default().into(),
        ];
        for request in requests {
            world.answer(Duration::ZERO, &request).unwrap();
        }
    }

    /// A request that may be invalid.
    fn any_request(random: &mut Ids) -> Request {
        let mut one_of = |choices: &[&str]| choices[random.next() as usize % choices.len()].to_owned();
        let instances = [names::HOLDER, names::STANDBY, names::THIRD, "i-0aaaaaaaaaaaaaaa9"];
        let (instance_id, interface_id) = (
            one_of(&instances),
            one_of(&[names::INTERFACE, "eni-0ddddddddddddddd2", "eni-1aaaaaaaaaaaaaaa1", "eni-0"]),
        );
        let allocation_id = one_of(&[names::ALLOCATION, "eipalloc-0eeeeeeeeeeeeeee2"]);
        let attachment_id =
            one_of(&[names::ATTACHMENT, "eni-attach-1aaaaaaaaaaaaaaa1", "eni-attach-0ddddddddddddddd2"]);
        let flag = one_of(&["", "x"]).is_empty();
        match random.next() % 14 {
            12 => SendCommand::to(instance_id, names::DOCUMENT).into(),
            13 => DescribeInstanceInformation::of([instance_id]).into(),
            0..3 => AttachNetworkInterface::to(instance_id, interface_id, (random.next() % 3) as u32).into(),
            3 => DetachNetworkInterface { attachment_id, force: flag, dry_run: false }.into(),
            4 => StartInstances::of(instance_id).into(),
            5 => StopInstances::of(instance_id).into(),
            6 if random.next().is_multiple_of(20) => TerminateInstances::of(instance_id).into(),
            7 => AssociateAddress {
                allow_reassociation: Some(flag),
                ..AssociateAddress::with_interface(allocation_id, interface_id)
            }
            .into(),
            8 => DisassociateAddress::of(names::ASSOCIATION).into(),
            9 => CreateTags::on(interface_id, "k", instance_id).into(),
            10 => DescribeInstances::default().into(),
            _ => DescribeNetworkInterfaces::default().into(),
        }
    }

    /// Checks the invariants of EC2.
    fn check_laws(world: &World) {
        let region = world.region();
        let mut places = std::collections::BTreeSet::new();
        for interface in region.interfaces() {
            if let Some(attachment) = &interface.attachment {
                let place = (&attachment.instance_id, attachment.network_card_index, attachment.device_index);
                assert!(places.insert(place), "two at {attachment:?}");
                assert!(region.instance(&attachment.instance_id).is_ok(), "attached to nothing: {attachment:?}");
            }
            let addresses = region.addresses().filter(|address| {
                address.association.as_ref().is_some_and(|association| association.interface_id == interface.id)
            });
            assert!(addresses.count() <= 1, "two addresses on {}", interface.id);
        }
        for address in region.addresses() {
            if let Some(association) = &address.association {
                assert!(region.interface(&association.interface_id).is_ok(), "on nothing: {association:?}");
            }
        }
        assert!(
            region.interface(names::INTERFACE).is_ok(),
            "an interface without DeleteOnTermination is never deleted"
        );
        for command in world.commands() {
            assert_eq!(command.status.is_over(), command.ended_at.is_some(), "{command:?}");
            assert!(command.started_at.is_none_or(|start| start >= command.sent_at), "{command:?}");
        }
        let address = std::net::SocketAddr::new(region.interfaces[names::INTERFACE].private_ip.into(), 27007);
        if world.answers(address).is_ok() {
            let attachment = world.attachment_of(names::INTERFACE).expect("what answers is attached");
            let instance = region.instance(&attachment.instance_id).expect("and to something");
            assert_eq!((attachment.status, instance.state), (AttachmentStatus::Attached, InstanceState::Running));
        }
    }

    #[test]
    fn no_call_breaks_the_invariants_of_the_world() {
        for seed in 0..200 {
            let mut random = Ids::from_seed(seed);
            let mut world = crate::trio()
                .seed(seed)
                .timings(Timings::realistic())
                .interface("eni-0ddddddddddddddd2", |interface| interface.on(names::THIRD, 1))
                .address("eipalloc-0eeeeeeeeeeeeeee2", |address| address)
                .world();
            let mut now = Duration::ZERO;
            for _ in 0..200 {
                now += Duration::from_millis(random.next() % 3000);
                let mut request = any_request(&mut random);
                // Half of the detaches name the existing attachment.
                if let (Request::DetachNetworkInterface(detach), Some(attachment)) =
                    (&mut request, world.attachment_of(names::INTERFACE))
                    && now.as_millis().is_multiple_of(2)
                {
                    detach.attachment_id.clone_from(&attachment.id);
                }
                let revision = world.revision();
                world.advance(now);
                let settled = world.revision();
                assert!(settled >= revision);
                if world.answer(now, &request).is_err() {
                    assert_eq!(world.revision(), settled, "a refused request changes nothing: {request:?}");
                }
                check_laws(&world);
            }
        }
    }
}
