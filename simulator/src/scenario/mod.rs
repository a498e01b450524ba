//! Descriptions of worlds, and the standard worlds.
//!
//! `description` has the [`Scenario`]. Each kind of resource has a file. `building` builds the world, and `standard`
//! has the worlds with which most tests begin.

mod address;
mod auto_scaling;
mod building;
mod description;
mod document;
mod instance;
mod interface;
mod network;
mod security_group;
mod stack;
mod standard;
mod topic;

pub use self::{
    address::AddressSpec,
    auto_scaling::AutoScalingGroupSpec,
    description::Scenario,
    document::DocumentSpec,
    instance::InstanceSpec,
    interface::InterfaceSpec,
    network::{NetworkAclSpec, RouteTableSpec, SubnetSpec},
    security_group::SecurityGroupSpec,
    stack::StackSpec,
    standard::{cold_standby, grouped, pair, primary, trio},
    topic::TopicSpec,
};

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        model::{ApiError, AutoRecovery, NetworkAclEntry, RouteState, RuleAction},
        names,
        world::{
            AttachNetworkInterface, DescribeInstanceAttribute, DescribeInstanceTypes, DescribeInstances,
            DescribeNetworkAcls, DescribeNetworkInterfaces, DescribeRouteTables, DescribeSecurityGroups,
            GetTopicAttributes,
        },
    };

    /// The faults that an audit would find at the standby and around the license interface.
    #[derive(Debug, Clone, PartialEq, Eq)]
    struct Audit {
        room: usize,
        index_is_free: bool,
        same_subnet: bool,
        auto_recovery: &'static str,
        protected: bool,
        source_dest_check: (bool, bool),
        way_out: Option<RouteState>,
        blocked: Vec<(bool, (u16, u16))>,
        clients_are_there: bool,
        subscriptions: Option<(String, String)>,
    }

    fn healthy() -> Audit {
        Audit {
            room: 2,
            index_is_free: true,
            same_subnet: true,
            auto_recovery: "default",
            protected: false,
            source_dest_check: (true, true),
            way_out: Some(RouteState::Active),
            blocked: Vec::new(),
            clients_are_there: true,
            subscriptions: Some(("1".to_owned(), "0".to_owned())),
        }
    }

    fn audit(scenario: &Scenario) -> Result<Audit, ApiError> {
        let mut world = scenario.world();
        let standby = world.act(DescribeInstances::of([names::STANDBY]))?.items.remove(0);
        let limit =
            world.act(DescribeInstanceTypes::of([&standby.instance_type]))?.items[0].maximum_network_interfaces();
        assert_eq!(limit, standby.interface_limit);
        let license = world.act(DescribeNetworkInterfaces::of(names::INTERFACE))?.items.remove(0);
        let indexes: Vec<u32> = standby
            .interfaces
            .iter()
            .filter_map(|interface| interface.attachment.as_ref().map(|attachment| attachment.device_index))
            .collect();
        let tables = world.act(DescribeRouteTables::of_vpc(names::VPC))?.items;
        let own = |subnet: &str| {
            tables.iter().find(|table| table.associations.iter().any(|a| a.subnet_id.as_deref() == Some(subnet)))
        };
        let table = own(&license.subnet_id).or(tables.iter().find(|table| table.is_main()));
        let out = table.and_then(|table| {
            table
                .routes
                .iter()
                .find(|route| route.destination.to_string() == "0.0.0.0/0" && route.target.starts_with("igw-"))
        });
        let acl = world.act(DescribeNetworkAcls::of_subnet(&license.subnet_id))?.items.remove(0);
        let is_denied = |entry: &&NetworkAclEntry| entry.action == RuleAction::Deny && entry.rule_number < 100;
        Ok(Audit {
            room: limit - standby.interfaces.len(),
            index_is_free: !indexes.contains(&1),
            same_subnet: standby.subnet_id == license.subnet_id,
            auto_recovery: standby.auto_recovery.name(),
            protected: world
                .act(DescribeInstanceAttribute::disable_api_termination(names::STANDBY))?
                .disable_api_termination,
            source_dest_check: (license.source_dest_check, standby.source_dest_check().unwrap_or_default()),
            way_out: out.map(|route| route.state),
            blocked: acl
                .entries
                .iter()
                .filter(is_denied)
                .filter_map(|entry| entry.ports.map(|ports| (entry.egress, ports)))
                .collect(),
            clients_are_there: world.act(DescribeSecurityGroups::of([names::CLIENT_GROUP])).is_ok(),
            subscriptions: world.act(GetTopicAttributes::of(names::TOPIC)).ok().and_then(|topic| {
                Some((topic.get("SubscriptionsConfirmed")?.to_owned(), topic.get("SubscriptionsPending")?.to_owned()))
            }),
        })
    }

    #[test]
    fn the_pair_has_nothing_that_an_audit_would_find_and_each_knob_adds_one_thing() {
        let pair = || pair().security_group(names::CLIENT_GROUP, |group| group);
        let subscriptions = |confirmed: &str, pending: &str| Some((confirmed.to_owned(), pending.to_owned()));
        for (scenario, expected) in [
            (pair(), healthy()),
            (pair().instance(names::STANDBY, |instance| instance.interface_limit(1)), Audit { room: 0, ..healthy() }),
            (
                pair()
                    .instance(names::STANDBY, |instance| instance.instance_type("t3.micro"))
                    .interface("eni-0ddddddddddddddd2", |interface| interface.on(names::STANDBY, 2)),
                Audit { room: 0, ..healthy() },
            ),
            (
                pair().interface("eni-0ddddddddddddddd2", |interface| interface.on(names::STANDBY, 1)),
                Audit { room: 1, index_is_free: false, ..healthy() },
            ),
            (
                pair().instance(names::STANDBY, |instance| instance.subnet(names::OTHER_SUBNET)),
                Audit { same_subnet: false, ..healthy() },
            ),
            (
                pair().instance(names::STANDBY, |instance| instance.auto_recovery(AutoRecovery::Disabled)),
                Audit { auto_recovery: "disabled", ..healthy() },
            ),
            (
                pair().instance(names::STANDBY, InstanceSpec::disable_api_termination),
                Audit { protected: true, ..healthy() },
            ),
            (
                pair().interface(names::INTERFACE, InterfaceSpec::without_source_dest_check),
                Audit { source_dest_check: (false, true), ..healthy() },
            ),
            (
                pair().instance(names::STANDBY, InstanceSpec::without_source_dest_check),
                Audit { source_dest_check: (true, false), ..healthy() },
            ),
            (
                pair().route_table(names::ROUTE_TABLE, |table| table.subnet(names::SUBNET)),
                Audit { way_out: None, ..healthy() },
            ),
            (pair().without_internet_gateway(names::VPC), Audit { way_out: Some(RouteState::Blackhole), ..healthy() }),
            (
                pair().network_acl(names::DEFAULT_NETWORK_ACL, |acl| {
                    acl.deny_inbound_tcp(90, 27007..=27008, "0.0.0.0/0")
                }),
                Audit { blocked: vec![(false, (27007, 27008))], ..healthy() },
            ),
            (
                pair().network_acl(names::DEFAULT_NETWORK_ACL, |acl| {
                    acl.deny_outbound_tcp(90, 1024..=65535, "0.0.0.0/0")
                }),
                Audit { blocked: vec![(true, (1024, 65535))], ..healthy() },
            ),
            (crate::pair(), Audit { clients_are_there: false, ..healthy() }),
            (pair().without_topic(names::TOPIC), Audit { subscriptions: None, ..healthy() }),
            (
                pair().topic(names::TOPIC, TopicSpec::no_subscriptions),
                Audit { subscriptions: subscriptions("0", "0"), ..healthy() },
            ),
            (
                pair().topic(names::TOPIC, |topic| topic.no_subscriptions().pending_email(names::SUBSCRIBER)),
                Audit { subscriptions: subscriptions("0", "1"), ..healthy() },
            ),
        ] {
            assert_eq!(audit(&scenario), Ok(expected));
        }
    }

    #[test]
    fn a_resized_instance_has_the_limits_of_its_new_type() {
        let mut world = pair().interface(names::INTERFACE, |interface| interface.free()).world();
        world.set_instance_type(names::STANDBY, "t3.micro").unwrap();
        assert_eq!(world.region().instance(names::STANDBY).unwrap().interface_limit, 2);
        world.act(AttachNetworkInterface::to(names::STANDBY, names::INTERFACE, 1)).unwrap();
        assert_eq!(world.set_instance_type(names::STANDBY, "t3.huge").unwrap_err().code, "InvalidInstanceType");
    }

    #[test]
    fn a_scenario_can_have_instance_types_of_its_own() {
        let mut world = pair()
            .instance_type("x9.wide", &[1, 4])
            .instance(names::STANDBY, |instance| instance.instance_type("x9.wide"))
            .world();
        let described = world.act(DescribeInstanceTypes::of(["x9.wide"])).unwrap().items.remove(0);
        assert_eq!(described.network_cards, [1, 4]);
        world.detach(names::INTERFACE).unwrap();
        world.advance(Duration::from_secs(1));
        let full = world.attach(names::INTERFACE, names::STANDBY, 1).unwrap_err();
        assert_eq!(full.code, "AttachmentLimitExceeded");
    }
}
