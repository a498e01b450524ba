//! The description of a world.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::{
    address::AddressSpec,
    auto_scaling::AutoScalingGroupSpec,
    document::DocumentSpec,
    instance::InstanceSpec,
    interface::InterfaceSpec,
    network::{NetworkAclSpec, RouteTableSpec, SubnetSpec},
    security_group::SecurityGroupSpec,
    stack::StackSpec,
    topic::TopicSpec,
};
use crate::{
    like::Like,
    model::{Assumptions, InstanceType, LicenseService, PrefixList, Tags, Timings},
    names,
};

/// 2026-01-01T00:00:00Z, the time at which a simulation starts by default.
const EPOCH: i64 = 1_767_225_600;

/// Describes a world, then builds it.
///
/// Everything has a sensible default. Naming a resource again changes it:
///
/// ```
/// use simulator::{names, Scenario};
///
/// let world = simulator::pair()
///     .instance(names::HOLDER, |instance| instance.stopped())
///     .instance(names::THIRD, |instance| instance.tag("Name", "third"))
///     .interface(names::INTERFACE, |interface| interface.delete_on_termination())
///     .world();
/// assert!(world.attachment_of(names::INTERFACE).unwrap().delete_on_termination);
/// ```
///
/// # Panics
///
/// The building methods panic if the description contradicts itself, which is a mistake in the test.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub(super) seed: u64,
    pub(super) epoch: DateTime<Utc>,
    pub(super) timings: Timings,
    pub(super) assumptions: Assumptions,
    pub(super) instances: Vec<InstanceSpec>,
    pub(super) interfaces: Vec<InterfaceSpec>,
    pub(super) addresses: Vec<AddressSpec>,
    pub(super) security_groups: Vec<SecurityGroupSpec>,
    pub(super) prefix_lists: Vec<PrefixList>,
    pub(super) own_instance_types: Vec<InstanceType>,
    pub(super) subnets: Vec<SubnetSpec>,
    pub(super) route_tables: Vec<RouteTableSpec>,
    pub(super) network_acls: Vec<NetworkAclSpec>,
    pub(super) topics: Vec<TopicSpec>,
    pub(super) documents: Vec<DocumentSpec>,
    pub(super) stacks: Vec<StackSpec>,
    pub(super) auto_scaling_groups: Vec<AutoScalingGroupSpec>,
    pub(super) license_interface: String,
    pub(super) token_server_ports: Vec<u16>,
    pub(super) license_service: LicenseService,
    pub(super) vpcs_without_gateway: BTreeSet<String>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            seed: 0,
            epoch: DateTime::from_timestamp(EPOCH, 0).unwrap_or_default(),
            timings: Timings::default(),
            assumptions: Assumptions::default(),
            instances: Vec::new(),
            interfaces: Vec::new(),
            addresses: Vec::new(),
            security_groups: Vec::new(),
            prefix_lists: Vec::new(),
            own_instance_types: Vec::new(),
            subnets: Vec::new(),
            route_tables: Vec::new(),
            network_acls: Vec::new(),
            topics: Vec::new(),
            documents: Vec::new(),
            stacks: Vec::new(),
            auto_scaling_groups: Vec::new(),
            license_interface: names::INTERFACE.to_owned(),
            token_server_ports: vec![27007, 27008],
            license_service: LicenseService::default(),
            vpcs_without_gateway: BTreeSet::new(),
        }
    }
}

impl Scenario {
    /// An empty world.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Adds or changes an instance. A new one is running and has a primary interface.
    pub fn instance(mut self, id: &str, change: impl FnOnce(InstanceSpec) -> InstanceSpec) -> Self {
        let position = self.instances.len();
        upsert(&mut self.instances, |spec| spec.id == id, || InstanceSpec::new(id, position), change);
        self
    }

    /// Adds or changes an interface. A new one is attached to nothing.
    pub fn interface(mut self, id: &str, change: impl FnOnce(InterfaceSpec) -> InterfaceSpec) -> Self {
        let position = self.interfaces.len();
        upsert(&mut self.interfaces, |spec| spec.id == id, || InterfaceSpec::new(id, position), change);
        self
    }

    /// Adds or changes an Elastic IP. A new one is associated with nothing.
    pub fn address(mut self, allocation_id: &str, change: impl FnOnce(AddressSpec) -> AddressSpec) -> Self {
        let position = self.addresses.len();
        upsert(
            &mut self.addresses,
            |spec| spec.id == allocation_id,
            || AddressSpec::new(allocation_id, position),
            change,
        );
        self
    }

    /// Adds or changes a security group. A new one has no rules.
    pub fn security_group(mut self, id: &str, change: impl FnOnce(SecurityGroupSpec) -> SecurityGroupSpec) -> Self {
        upsert(&mut self.security_groups, |spec| spec.id == id, || SecurityGroupSpec::new(id), change);
        self
    }

    /// Adds or changes an instance type, by the maximum number of interfaces on each of its network cards.
    pub fn instance_type(mut self, name: &str, network_cards: &[usize]) -> Self {
        let made = InstanceType { network_cards: network_cards.to_vec(), ..InstanceType::with_interfaces(name, 0) };
        self.own_instance_types.push(made);
        self
    }

    pub fn prefix_list<C: Into<String>>(mut self, id: &str, cidrs: impl IntoIterator<Item = C>) -> Self {
        self.prefix_lists.push(PrefixList {
            id: id.to_owned(),
            name: id.to_owned(),
            entries: cidrs.into_iter().map(|cidr| (cidr.into(), String::new())).collect(),
            tags: Tags::new(),
        });
        self
    }

    /// Adds or changes a topic. A new one has no subscriptions.
    pub fn topic(mut self, arn: &str, change: impl FnOnce(TopicSpec) -> TopicSpec) -> Self {
        upsert(&mut self.topics, |spec| spec.arn == arn, || TopicSpec::new(arn), change);
        self
    }

    pub fn without_topic(mut self, arn: &str) -> Self {
        self.topics.retain(|spec| spec.arn != arn);
        self
    }

    /// Adds or changes a document of Systems Manager, by its name, or by its ARN if another account shares it. A new
    /// one is for commands, and has no parameters.
    pub fn document(mut self, name: &str, change: impl FnOnce(DocumentSpec) -> DocumentSpec) -> Self {
        upsert(&mut self.documents, |spec| spec.name == name, || DocumentSpec::new(name), change);
        self
    }

    pub fn without_document(mut self, name: &str) -> Self {
        self.documents.retain(|spec| spec.name != name);
        self
    }

    /// Adds or changes a stack of CloudFormation. A new one is complete, and has neither parameters nor outputs.
    pub fn stack(mut self, name: &str, change: impl FnOnce(StackSpec) -> StackSpec) -> Self {
        upsert(&mut self.stacks, |spec| spec.name == name, || StackSpec::new(name), change);
        self
    }

    pub fn without_stack(mut self, name: &str) -> Self {
        self.stacks.retain(|spec| spec.name != name);
        self
    }

    /// Adds or changes an Auto Scaling group. A new one has two members, neither hooks nor a policy, and the settings that
    /// AWS uses by default.
    ///
    /// ```
    /// use std::time::Duration;
    /// use simulator::names;
    ///
    /// let mut world = simulator::pair()
    ///     .auto_scaling_group("group", |group| group.members([names::HOLDER, names::STANDBY]))
    ///     .world();
    /// world.terminate(names::HOLDER)?;
    /// world.advance(Duration::from_secs(10));
    /// let members: Vec<&str> = world.group_members("group").iter().map(|one| one.instance_id.as_str()).collect();
    /// assert_eq!((members.len(), members[0]), (2, names::STANDBY));
    /// # Ok::<(), simulator::world::ApiError>(())
    /// ```
    pub fn auto_scaling_group(
        mut self,
        name: &str,
        change: impl FnOnce(AutoScalingGroupSpec) -> AutoScalingGroupSpec,
    ) -> Self {
        upsert(&mut self.auto_scaling_groups, |spec| spec.name == name, || AutoScalingGroupSpec::new(name), change);
        self
    }

    /// The interface whose MAC address the license names. The token server runs only on the instance that has it. The
    /// default is [`names::INTERFACE`].
    pub fn license_interface(mut self, id: &str) -> Self {
        self.license_interface = id.to_owned();
        self
    }

    /// The TCP ports of the token server. The default is 27007 and 27008.
    pub fn token_server_ports(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.token_server_ports = ports.into_iter().collect();
        self
    }

    /// What the license server serves. The default is two features.
    pub fn license_service(mut self, service: LicenseService) -> Self {
        self.license_service = service;
        self
    }

    /// Adds or changes a subnet. A subnet that something is in exists anyway. A new one is in the standard VPC and
    /// zone.
    pub fn subnet(mut self, id: &str, change: impl FnOnce(SubnetSpec) -> SubnetSpec) -> Self {
        upsert(&mut self.subnets, |spec| spec.id == id, || SubnetSpec::new(id), change);
        self
    }

    /// Adds or changes a route table. A new one has no route out of its VPC and is associated with no subnet.
    /// [`names::MAIN_ROUTE_TABLE`] exists already and has a route to the internet.
    ///
    /// ```
    /// use simulator::names;
    ///
    /// // The subnet has its own table, without a default route.
    /// let world = simulator::pair().route_table(names::ROUTE_TABLE, |table| table.subnet(names::SUBNET)).world();
    /// assert_eq!(world.region().route_table_of(names::SUBNET).unwrap().routes.len(), 1);
    /// ```
    pub fn route_table(mut self, id: &str, change: impl FnOnce(RouteTableSpec) -> RouteTableSpec) -> Self {
        upsert(&mut self.route_tables, |spec| spec.id == id, || RouteTableSpec::new(id), change);
        self
    }

    /// Adds or changes a network ACL. A new one denies everything and is associated with no subnet.
    /// [`names::DEFAULT_NETWORK_ACL`] exists already and allows everything at number 100.
    pub fn network_acl(mut self, id: &str, change: impl FnOnce(NetworkAclSpec) -> NetworkAclSpec) -> Self {
        upsert(&mut self.network_acls, |spec| spec.id == id, || NetworkAclSpec::new(id), change);
        self
    }

    /// Associating an Elastic IP in this VPC fails with `Gateway.NotAttached`, and routes to an internet gateway are
    /// blackholes.
    pub fn without_internet_gateway(mut self, vpc_id: &str) -> Self {
        self.vpcs_without_gateway.insert(vpc_id.to_owned());
        self
    }

    pub fn timings(mut self, timings: Timings) -> Self {
        self.timings = timings;
        self
    }

    /// The same with some of the times changed.
    pub fn with_timings(mut self, change: impl FnOnce(&mut Timings)) -> Self {
        change(&mut self.timings);
        self
    }

    pub fn assumptions(mut self, assumptions: Assumptions) -> Self {
        self.assumptions = assumptions;
        self
    }

    /// The same with some of the assumptions changed.
    pub fn with_assumptions(mut self, change: impl FnOnce(&mut Assumptions)) -> Self {
        change(&mut self.assumptions);
        self
    }

    /// The same in an account like the recorded one. What the account has shown replaces the assumptions and times that the
    /// scenario has so far.
    pub fn like(mut self, account: &Like) -> Self {
        account.assume_in(&mut self.assumptions);
        account.time_in(&mut self.timings);
        self
    }

    /// The ids of new attachments, associations, messages and requests follow from the seed.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The calendar time at which the clock shows zero.
    pub fn epoch(mut self, epoch: DateTime<Utc>) -> Self {
        self.epoch = epoch;
        self
    }

    pub(crate) fn same_epoch(mut self, other: &Self) -> Self {
        self.epoch = other.epoch;
        self
    }

    pub(crate) fn seed_of_requests(&self) -> u64 {
        !self.seed
    }
}

fn upsert<T: Clone>(
    specs: &mut Vec<T>,
    is_meant: impl Fn(&T) -> bool,
    new: impl FnOnce() -> T,
    change: impl FnOnce(T) -> T,
) {
    match specs.iter_mut().find(|spec| is_meant(spec)) {
        Some(spec) => *spec = change(spec.clone()),
        None => specs.push(change(new())),
    }
}
