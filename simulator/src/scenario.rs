//! Worlds to start from.

mod documents;
mod network;
mod topics;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    ops::RangeInclusive,
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};

pub use self::{
    documents::DocumentSpec,
    network::{NetworkAclSpec, RouteTableSpec, SubnetSpec},
    topics::TopicSpec,
};
use crate::{
    model::{
        Address, Agent, Association, Assumptions, Attachment, AttachmentStatus, AutoRecovery, Capacity, Check,
        CommandBehavior, Home, Instance, InstanceState, InstanceType, Interface, PrefixList, Region, RuleSource,
        SecurityGroup, SecurityGroupRule, Tags, Timings, TokenServer, TokenServers,
    },
    names,
    world::{World, rules::ipv4_network},
};

/// 2026-01-01T00:00:00Z, at which the clock of every simulation starts unless it is told otherwise.
const EPOCH: i64 = 1_767_225_600;
/// Begins the names of instance types that only take some number of interfaces.
const MADE_UP_TYPE: &str = "simulated.";

/// Describes a world, then builds it.
///
/// Everything has a default that makes sense, and naming a thing again changes it:
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
/// The methods that build panic if the description contradicts itself: a scenario is written by hand, and a wrong one
/// is a mistake in the test.
#[derive(Debug, Clone)]
pub struct Scenario {
    seed: u64,
    epoch: DateTime<Utc>,
    timings: Timings,
    assumptions: Assumptions,
    instances: Vec<InstanceSpec>,
    interfaces: Vec<InterfaceSpec>,
    addresses: Vec<AddressSpec>,
    security_groups: Vec<SecurityGroupSpec>,
    prefix_lists: Vec<PrefixList>,
    own_instance_types: Vec<InstanceType>,
    subnets: Vec<SubnetSpec>,
    route_tables: Vec<RouteTableSpec>,
    network_acls: Vec<NetworkAclSpec>,
    topics: Vec<TopicSpec>,
    documents: Vec<DocumentSpec>,
    license_interface: String,
    token_server_ports: Vec<u16>,
    vpcs_without_gateway: BTreeSet<String>,
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
            license_interface: names::INTERFACE.to_owned(),
            token_server_ports: vec![27007, 27008],
            vpcs_without_gateway: BTreeSet::new(),
        }
    }
}

/// The standard world: a holder and a standby, both running, and the license interface on the holder with an Elastic IP
/// and a security group; see [`names`]. The subnet has a way to the internet, nothing is blocked, somebody gets what is
/// published, both instances take commands, and there is a document for them. The token server runs wherever the
/// license interface is. All times are zero.
pub fn pair() -> Scenario {
    Scenario::default()
        .instance(names::HOLDER, |instance| instance)
        .instance(names::STANDBY, |instance| instance)
        .interface(names::INTERFACE, |interface| {
            interface
                .mac_address(names::MAC)
                .private_ip(names::PRIVATE_IP)
                .groups([names::GROUP])
                .attachment_id(names::ATTACHMENT)
                .on(names::HOLDER, 1)
        })
        .address(names::ALLOCATION, |address| address.public_ip(names::PUBLIC_IP).on(names::INTERFACE))
        .security_group(names::GROUP, |group| group.tcp(27007..=27008, "10.0.0.0/16"))
        .topic(names::TOPIC, |topic| topic.email(names::SUBSCRIBER))
        .document(names::DOCUMENT, |document| document.parameter("Service"))
}

/// The pair, with a standby that is stopped.
pub fn cold_standby() -> Scenario {
    pair().instance(names::STANDBY, InstanceSpec::stopped)
}

/// The pair, with the license interface as the primary interface of the holder: what one gets who follows the manual
/// step by step.
pub fn primary() -> Scenario {
    pair()
        .instance(names::HOLDER, InstanceSpec::without_primary)
        .interface(names::INTERFACE, |interface| interface.on(names::HOLDER, 0))
}

/// The pair and a third instance, stopped, and a stranger.
pub fn trio() -> Scenario {
    pair().instance(names::THIRD, InstanceSpec::stopped).instance(names::STRANGER, |instance| instance)
}

impl Scenario {
    /// A world without anything in it.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The scenarios that can be chosen by name, with realistic times.
    pub fn named(name: &str) -> Option<Self> {
        let scenario = match name {
            "pair" => pair(),
            "cold-standby" => cold_standby(),
            "primary" => primary(),
            "trio" => trio(),
            _ => return None,
        };
        Some(scenario.timings(Timings::realistic()))
    }

    /// Names for [`Scenario::named`].
    pub const NAMES: &'static [&'static str] = &["pair", "cold-standby", "primary", "trio"];

    /// Adds or changes an instance. A new one is running and has a primary interface of its own.
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

    /// Adds or changes an instance type, by the number of interfaces that each of its network cards takes.
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

    /// The interface whose MAC address the license is for; the token server runs only where it is. By default
    /// [`names::INTERFACE`].
    pub fn license_interface(mut self, id: &str) -> Self {
        self.license_interface = id.to_owned();
        self
    }

    /// The TCP ports of the token server; by default 27007 and 27008.
    pub fn token_server_ports(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.token_server_ports = ports.into_iter().collect();
        self
    }

    /// Adds or changes a subnet. Those that something is in are there anyway; a new one is in the standard VPC and zone.
    pub fn subnet(mut self, id: &str, change: impl FnOnce(SubnetSpec) -> SubnetSpec) -> Self {
        upsert(&mut self.subnets, |spec| spec.id == id, || SubnetSpec::new(id), change);
        self
    }

    /// Adds or changes a route table. A new one has no route out of its VPC, and decides about no subnet;
    /// [`names::MAIN_ROUTE_TABLE`] is there already and has one.
    ///
    /// ```
    /// use simulator::names;
    ///
    /// // The subnet has a table of its own, without a way out.
    /// let world = simulator::pair().route_table(names::ROUTE_TABLE, |table| table.subnet(names::SUBNET)).world();
    /// assert_eq!(world.region().route_table_of(names::SUBNET).unwrap().routes.len(), 1);
    /// ```
    pub fn route_table(mut self, id: &str, change: impl FnOnce(RouteTableSpec) -> RouteTableSpec) -> Self {
        upsert(&mut self.route_tables, |spec| spec.id == id, || RouteTableSpec::new(id), change);
        self
    }

    /// Adds or changes a network ACL. A new one denies everything, and decides about no subnet;
    /// [`names::DEFAULT_NETWORK_ACL`] is there already and allows everything at number 100.
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

    /// Names of new attachments, associations, messages and requests follow from the seed.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The calendar time at which the clock shows zero.
    pub fn epoch(mut self, epoch: DateTime<Utc>) -> Self {
        self.epoch = epoch;
        self
    }

    /// The world alone, for tests below the wire.
    pub fn world(&self) -> World {
        let network = self.network();
        let mut region = Region {
            home: Arc::new(Home {
                account: names::ACCOUNT.to_owned(),
                region: names::REGION.to_owned(),
                epoch: self.epoch,
                vpcs_without_gateway: self.vpcs_without_gateway.clone(),
            }),
            timings: self.timings,
            assumptions: self.assumptions,
            instance_types: self.instance_types(),
            instances: BTreeMap::new(),
            interfaces: BTreeMap::new(),
            addresses: BTreeMap::new(),
            security_groups: BTreeMap::new(),
            subnets: network.subnets,
            route_tables: network.route_tables,
            network_acls: network.network_acls,
            prefix_lists: self.prefix_lists.iter().map(|list| (list.id.clone(), Arc::new(list.clone()))).collect(),
        };
        for group in std::iter::once(&default_group()).chain(&self.security_groups) {
            region.security_groups.insert(group.id.clone(), Arc::new(group.build()));
        }
        for spec in &self.instances {
            let (instance, primary) = spec.build(&region);
            region.instances.insert(instance.id.clone(), Arc::new(instance));
            region.interfaces.extend(primary.map(|interface| (interface.id.clone(), Arc::new(interface))));
        }
        for spec in &self.interfaces {
            region.interfaces.insert(spec.id.clone(), Arc::new(spec.build(&region)));
        }
        for spec in &self.addresses {
            region.addresses.insert(spec.id.clone(), Arc::new(spec.build(&region)));
        }
        let mut world = World::new(region, self.seed);
        for spec in &self.topics {
            spec.build(&mut world);
        }
        for spec in &self.documents {
            spec.build(&mut world);
        }
        world.set_token_servers(TokenServers::new(&self.token_server_ports, &self.license_interface));
        world.begin_with_token_servers();
        world
    }

    fn instance_types(&self) -> BTreeMap<String, Arc<InstanceType>> {
        let made_up = self.instances.iter().filter_map(|spec| {
            let interfaces = spec.instance_type.strip_prefix(MADE_UP_TYPE)?.parse().ok()?;
            Some(InstanceType::with_interfaces(&spec.instance_type, interfaces))
        });
        let types: BTreeMap<_, _> = InstanceType::catalog()
            .chain(made_up)
            .chain(self.own_instance_types.iter().cloned())
            .map(|instance_type| (instance_type.name.clone(), Arc::new(instance_type)))
            .collect();
        for spec in &self.instances {
            let name = &spec.instance_type;
            assert!(types.contains_key(name), "there is no type {name} for {}; see Scenario::instance_type", spec.id);
        }
        types
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

fn default_group() -> SecurityGroupSpec {
    SecurityGroupSpec { name: "default".to_owned(), ..SecurityGroupSpec::new(names::DEFAULT_GROUP) }
}

/// An instance of a [`Scenario`].
#[derive(Debug, Clone)]
pub struct InstanceSpec {
    id: String,
    position: usize,
    state: InstanceState,
    checks: (Check, Check),
    attached_ebs: Option<Check>,
    instance_type: String,
    availability_zone: String,
    subnet_id: String,
    vpc_id: String,
    spot: bool,
    hung: bool,
    capacity: Capacity,
    volume_locked: bool,
    auto_recovery: AutoRecovery,
    disable_api_termination: bool,
    agent: Agent,
    command_behavior: CommandBehavior,
    token_server: TokenServer,
    firewalled: bool,
    has_primary: bool,
    primary_delete_on_termination: bool,
    source_dest_check: bool,
    groups: Vec<String>,
    tags: Tags,
}

impl InstanceSpec {
    fn new(id: &str, position: usize) -> Self {
        Self {
            id: id.to_owned(),
            position,
            state: InstanceState::Running,
            checks: (Check::Ok, Check::Ok),
            attached_ebs: Some(Check::Ok),
            instance_type: InstanceType::DEFAULT.to_owned(),
            availability_zone: names::ZONE.to_owned(),
            subnet_id: names::SUBNET.to_owned(),
            vpc_id: names::VPC.to_owned(),
            spot: false,
            hung: false,
            capacity: Capacity::Available,
            volume_locked: false,
            auto_recovery: AutoRecovery::Default,
            disable_api_termination: false,
            agent: Agent::default(),
            command_behavior: CommandBehavior::default(),
            token_server: TokenServer::default(),
            firewalled: false,
            has_primary: true,
            primary_delete_on_termination: true,
            source_dest_check: true,
            groups: vec![names::DEFAULT_GROUP.to_owned()],
            tags: Tags::new(),
        }
    }

    pub fn running(self) -> Self {
        self.state(InstanceState::Running)
    }

    pub fn stopped(self) -> Self {
        self.state(InstanceState::Stopped)
    }

    pub fn terminated(self) -> Self {
        self.state(InstanceState::Terminated).without_primary()
    }

    /// A state of transition stays as it is: nothing ends it.
    pub fn state(mut self, state: InstanceState) -> Self {
        self.state = state;
        self
    }

    /// Running, with a failed instance status check.
    pub fn impaired(self) -> Self {
        self.checks(Check::Ok, Check::Impaired)
    }

    pub fn checks(mut self, system: Check, instance: Check) -> Self {
        self.checks = (system, instance);
        self
    }

    /// Whether one of its status checks fails.
    pub fn is_impaired(&self) -> bool {
        [Some(self.checks.0), Some(self.checks.1), self.attached_ebs].contains(&Some(Check::Impaired))
    }

    /// The attached EBS status check; `None`: EC2 does not show it.
    pub fn attached_ebs(mut self, check: Option<Check>) -> Self {
        self.attached_ebs = check;
        self
    }

    /// A plain detach from it never ends.
    pub fn hung(mut self) -> Self {
        self.hung = true;
        self
    }

    pub fn capacity(mut self, capacity: Capacity) -> Self {
        self.capacity = capacity;
        self
    }

    /// The key of its root volume may not be used, so that it stops again soon after each start.
    pub fn volume_locked(mut self) -> Self {
        self.volume_locked = true;
        self
    }

    pub fn spot(mut self) -> Self {
        self.spot = true;
        self
    }

    /// One of the catalog or of [`Scenario::instance_type`].
    pub fn instance_type(mut self, instance_type: &str) -> Self {
        self.instance_type = instance_type.to_owned();
        self
    }

    /// Of a type that takes this many interfaces, the primary one included: `t3.micro` takes two, `t3.small` three,
    /// `t3.xlarge` four. For other numbers there is `simulated.N`, which no AWS Region has.
    pub fn interface_limit(self, limit: usize) -> Self {
        match limit {
            2 => self.instance_type("t3.micro"),
            3 => self.instance_type("t3.small"),
            4 => self.instance_type("t3.xlarge"),
            _ => self.instance_type(&format!("{MADE_UP_TYPE}{limit}")),
        }
    }

    pub fn auto_recovery(mut self, auto_recovery: AutoRecovery) -> Self {
        self.auto_recovery = auto_recovery;
        self
    }

    /// With termination protection.
    pub fn disable_api_termination(mut self) -> Self {
        self.disable_api_termination = true;
        self
    }

    /// Systems Manager does not know it.
    pub fn without_agent(self) -> Self {
        self.agent(Agent::Missing)
    }

    /// Systems Manager has lost the connection to it.
    pub fn agent_lost(self) -> Self {
        self.agent(Agent::Lost)
    }

    pub fn agent(mut self, agent: Agent) -> Self {
        self.agent = agent;
        self
    }

    pub fn command_fails(self) -> Self {
        self.command_behavior(CommandBehavior::Fails)
    }

    pub fn command_never_ends(self) -> Self {
        self.command_behavior(CommandBehavior::NeverEnds)
    }

    pub fn command_never_delivered(self) -> Self {
        self.command_behavior(CommandBehavior::NeverDelivered)
    }

    pub fn command_behavior(mut self, behavior: CommandBehavior) -> Self {
        self.command_behavior = behavior;
        self
    }

    /// While it runs, it takes a command to start its token server once the license interface has come.
    pub fn token_server_on_command(self) -> Self {
        self.token_server(TokenServer::OnCommand)
    }

    pub fn without_token_server(self) -> Self {
        self.token_server(TokenServer::Missing)
    }

    pub fn token_server(mut self, token_server: TokenServer) -> Self {
        self.token_server = token_server;
        self
    }

    /// A connection to it is neither accepted nor refused.
    pub fn firewalled(mut self) -> Self {
        self.firewalled = true;
        self
    }

    /// In another subnet of its Availability Zone; so is its primary interface.
    pub fn subnet(mut self, subnet_id: &str) -> Self {
        self.subnet_id = subnet_id.to_owned();
        self
    }

    /// In another Availability Zone, and so in another subnet.
    pub fn zone(mut self, availability_zone: &str, subnet_id: &str) -> Self {
        self.availability_zone = availability_zone.to_owned();
        self.subnet_id = subnet_id.to_owned();
        self
    }

    pub fn vpc(mut self, vpc_id: &str, subnet_id: &str) -> Self {
        self.vpc_id = vpc_id.to_owned();
        self.subnet_id = subnet_id.to_owned();
        self
    }

    /// Without an interface at index 0, to put another one there.
    pub fn without_primary(mut self) -> Self {
        self.has_primary = false;
        self
    }

    /// The primary interface survives the instance. An interface made at launch does not by default (service model,
    /// RunInstances).
    pub fn keeps_primary(mut self) -> Self {
        self.primary_delete_on_termination = false;
        self
    }

    /// The primary interface lets packets through that are not its own.
    pub fn without_source_dest_check(mut self) -> Self {
        self.source_dest_check = false;
        self
    }

    /// Groups of the primary interface.
    pub fn groups<G: Into<String>>(mut self, groups: impl IntoIterator<Item = G>) -> Self {
        self.groups = groups.into_iter().map(Into::into).collect();
        self
    }

    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.insert(key.to_owned(), value.to_owned());
        self
    }

    fn build(&self, region: &Region) -> (Instance, Option<Interface>) {
        let instance = Instance {
            id: self.id.clone(),
            state: self.state,
            state_reason: None,
            instance_type: self.instance_type.clone(),
            availability_zone: self.availability_zone.clone(),
            subnet_id: self.subnet_id.clone(),
            vpc_id: self.vpc_id.clone(),
            spot: self.spot,
            launched_at: Duration::ZERO,
            system_check: self.checks.0,
            instance_check: self.checks.1,
            attached_ebs_check: self.attached_ebs,
            capacity: self.capacity,
            volume_locked: self.volume_locked,
            hung: self.hung,
            interface_limit: region
                .instance_type(&self.instance_type)
                .map_or(0, |kind| kind.maximum_network_interfaces()),
            auto_recovery: self.auto_recovery,
            disable_api_termination: self.disable_api_termination,
            agent: self.agent,
            command_behavior: self.command_behavior,
            token_server: self.token_server,
            firewalled: self.firewalled,
            blocked_indexes: BTreeSet::new(),
            tags: self.tags.clone(),
            transition: 0,
        };
        let host = u8::try_from(self.position + 10).expect("a scenario has fewer than 240 instances");
        let primary = self.has_primary.then(|| Interface {
            id: names::primary_interface_of(&self.id),
            mac_address: format!("02:00:00:00:00:{host:02x}"),
            private_ip: network_address(region, &self.subnet_id, host),
            description: String::new(),
            availability_zone: self.availability_zone.clone(),
            subnet_id: self.subnet_id.clone(),
            vpc_id: self.vpc_id.clone(),
            groups: self.groups.clone(),
            source_dest_check: self.source_dest_check,
            attachment: Some(Attachment {
                id: attachment_id_for(&names::primary_interface_of(&self.id)),
                instance_id: self.id.clone(),
                device_index: 0,
                network_card_index: 0,
                status: AttachmentStatus::Attached,
                attached_at: Duration::ZERO,
                delete_on_termination: self.primary_delete_on_termination,
            }),
            tags: Tags::new(),
        });
        (instance, primary)
    }
}

/// The private address of a new interface.
fn network_address(region: &Region, subnet_id: &str, host: u8) -> Ipv4Addr {
    let subnet = region.subnet(subnet_id).expect("the subnet of an interface is there");
    network::address_in(subnet.cidr_block, host)
}

fn attachment_id_for(interface_id: &str) -> String {
    format!("eni-attach-{}", interface_id.trim_start_matches("eni-"))
}

/// An interface of a [`Scenario`].
#[derive(Debug, Clone)]
pub struct InterfaceSpec {
    id: String,
    mac_address: String,
    host: u8,
    private_ip: Option<Ipv4Addr>,
    description: String,
    availability_zone: String,
    subnet_id: String,
    vpc_id: String,
    groups: Vec<String>,
    attached_to: Option<(String, u32)>,
    attachment_id: String,
    status: AttachmentStatus,
    delete_on_termination: bool,
    source_dest_check: bool,
    tags: Tags,
}

impl InterfaceSpec {
    fn new(id: &str, position: usize) -> Self {
        let host = u8::try_from(position + 50).expect("a scenario has fewer than 200 interfaces");
        Self {
            id: id.to_owned(),
            mac_address: format!("02:00:00:00:01:{host:02x}"),
            host,
            private_ip: None,
            description: String::new(),
            availability_zone: names::ZONE.to_owned(),
            subnet_id: names::SUBNET.to_owned(),
            vpc_id: names::VPC.to_owned(),
            groups: vec![names::DEFAULT_GROUP.to_owned()],
            attached_to: None,
            attachment_id: attachment_id_for(id),
            status: AttachmentStatus::Attached,
            delete_on_termination: false,
            source_dest_check: true,
            tags: Tags::new(),
        }
    }

    pub fn on(mut self, instance_id: &str, device_index: u32) -> Self {
        self.attached_to = Some((instance_id.to_owned(), device_index));
        self
    }

    /// Attached to nothing.
    pub fn free(mut self) -> Self {
        self.attached_to = None;
        self
    }

    pub fn attachment_id(mut self, id: &str) -> Self {
        self.attachment_id = id.to_owned();
        self
    }

    /// A status of transition stays as it is: nothing ends it.
    pub fn attachment_status(mut self, status: AttachmentStatus) -> Self {
        self.status = status;
        self
    }

    pub fn delete_on_termination(mut self) -> Self {
        self.delete_on_termination = true;
        self
    }

    /// It lets packets through that are not its own.
    pub fn without_source_dest_check(mut self) -> Self {
        self.source_dest_check = false;
        self
    }

    pub fn mac_address(mut self, mac_address: &str) -> Self {
        self.mac_address = mac_address.to_owned();
        self
    }

    pub fn private_ip(mut self, address: &str) -> Self {
        self.private_ip = Some(address.parse().expect("a private IPv4 address"));
        self
    }

    /// In another subnet of its Availability Zone.
    pub fn subnet(mut self, subnet_id: &str) -> Self {
        self.subnet_id = subnet_id.to_owned();
        self
    }

    pub fn zone(mut self, availability_zone: &str, subnet_id: &str) -> Self {
        self.availability_zone = availability_zone.to_owned();
        self.subnet_id = subnet_id.to_owned();
        self
    }

    pub fn groups<G: Into<String>>(mut self, groups: impl IntoIterator<Item = G>) -> Self {
        self.groups = groups.into_iter().map(Into::into).collect();
        self
    }

    pub fn description(mut self, description: &str) -> Self {
        self.description = description.to_owned();
        self
    }

    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.insert(key.to_owned(), value.to_owned());
        self
    }

    fn build(&self, region: &Region) -> Interface {
        let attachment = self.attached_to.as_ref().map(|(instance_id, device_index)| {
            let taken = region.interfaces_of(instance_id).into_iter().any(|other| {
                other.attachment.as_ref().is_some_and(|attachment| attachment.device_index == *device_index)
            });
            assert!(
                region.instance(instance_id).is_ok(),
                "{} is attached to {instance_id}, which is not there",
                self.id
            );
            assert!(!taken, "device index {device_index} of {instance_id} is taken; see InstanceSpec::without_primary");
            Attachment {
                id: self.attachment_id.clone(),
                instance_id: instance_id.clone(),
                device_index: *device_index,
                network_card_index: 0,
                status: self.status,
                attached_at: Duration::ZERO,
                delete_on_termination: self.delete_on_termination,
            }
        });
        Interface {
            id: self.id.clone(),
            mac_address: self.mac_address.clone(),
            private_ip: self.private_ip.unwrap_or_else(|| network_address(region, &self.subnet_id, self.host)),
            description: self.description.clone(),
            availability_zone: self.availability_zone.clone(),
            subnet_id: self.subnet_id.clone(),
            vpc_id: self.vpc_id.clone(),
            groups: self.groups.clone(),
            source_dest_check: self.source_dest_check,
            attachment,
            tags: self.tags.clone(),
        }
    }
}

/// An Elastic IP of a [`Scenario`].
#[derive(Debug, Clone)]
pub struct AddressSpec {
    id: String,
    public_ip: Ipv4Addr,
    interface_id: Option<String>,
}

impl AddressSpec {
    fn new(id: &str, position: usize) -> Self {
        let host = u8::try_from(position + 51).expect("a scenario has fewer than 200 addresses");
        Self { id: id.to_owned(), public_ip: Ipv4Addr::new(203, 0, 113, host), interface_id: None }
    }

    pub fn public_ip(mut self, address: &str) -> Self {
        self.public_ip = address.parse().expect("a public IPv4 address");
        self
    }

    pub fn on(mut self, interface_id: &str) -> Self {
        self.interface_id = Some(interface_id.to_owned());
        self
    }

    /// Associated with nothing.
    pub fn free(mut self) -> Self {
        self.interface_id = None;
        self
    }

    fn build(&self, region: &Region) -> Address {
        let association = self.interface_id.as_ref().map(|interface_id| Association {
            id: format!("eipassoc-{}", self.id.trim_start_matches("eipalloc-")),
            interface_id: interface_id.clone(),
            private_ip: region.interface(interface_id).expect("the interface of an address is there").private_ip,
        });
        Address { allocation_id: self.id.clone(), public_ip: self.public_ip, association, tags: Tags::new() }
    }
}

/// A security group of a [`Scenario`].
#[derive(Debug, Clone)]
pub struct SecurityGroupSpec {
    id: String,
    name: String,
    vpc_id: String,
    rules: Vec<SecurityGroupRule>,
}

impl SecurityGroupSpec {
    fn new(id: &str) -> Self {
        Self { id: id.to_owned(), name: id.to_owned(), vpc_id: names::VPC.to_owned(), rules: Vec::new() }
    }

    pub fn name(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    pub fn vpc(mut self, vpc_id: &str) -> Self {
        self.vpc_id = vpc_id.to_owned();
        self
    }

    /// TCP from a network, a prefix list (`pl-…`) or a group (`sg-…`).
    pub fn tcp(self, ports: RangeInclusive<u16>, source: &str) -> Self {
        self.rule("tcp", i32::from(*ports.start()), i32::from(*ports.end()), source)
    }

    /// Everything from a source.
    pub fn all_traffic(self, source: &str) -> Self {
        self.rule("-1", -1, -1, source)
    }

    pub fn no_rules(mut self) -> Self {
        self.rules.clear();
        self
    }

    pub fn rule(mut self, protocol: &str, from_port: i32, to_port: i32, source: &str) -> Self {
        let source = if source.starts_with("pl-") {
            RuleSource::PrefixList(source.to_owned())
        } else if source.starts_with("sg-") {
            RuleSource::Group(source.to_owned())
        } else if source.contains(':') {
            RuleSource::Ipv6(source.parse().expect("an IPv6 network"))
        } else {
            RuleSource::Ipv4(ipv4_network(source).expect("an IPv4 network"))
        };
        let digits = self.id.trim_start_matches("sg-");
        self.rules.push(SecurityGroupRule {
            id: format!("sgr-{:x}{}", self.rules.len() % 16, digits.get(1..).unwrap_or_default()),
            egress: false,
            protocol: protocol.to_owned(),
            from_port,
            to_port,
            source,
            description: None,
        });
        self
    }

    fn build(&self) -> SecurityGroup {
        SecurityGroup {
            id: self.id.clone(),
            name: self.name.clone(),
            description: format!("{} of a simulation", self.name),
            vpc_id: self.vpc_id.clone(),
            rules: self.rules.clone(),
            tags: Tags::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{
        ApiError, AttachNetworkInterface, DescribeInstanceAttribute, DescribeInstanceTypes, DescribeInstances,
        DescribeNetworkAcls, DescribeNetworkInterfaces, DescribeRouteTables, DescribeSecurityGroups,
        GetTopicAttributes, NetworkAclEntry, RouteState, RuleAction,
    };

    /// What somebody finds who looks at the standby and at what the license interface needs.
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
    fn a_resized_instance_takes_what_its_new_type_takes() {
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
