//! The state of EC2 in one account and Region: plain values that the rules read and change.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::Ipv4Addr,
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use ipnet::{Ipv4Net, Ipv6Net};

use super::{
    ApiError, Assumptions, Timings,
    commands::CommandBehavior,
    ids::{self, IdKind},
    instance_types::InstanceType,
    managed_nodes::Agent,
    network_acls::NetworkAcl,
    routes::RouteTable,
    subnets::Subnet,
    token_servers::TokenServer,
};

/// Tags of one resource.
pub type Tags = BTreeMap<String, String>;

/// Everything that EC2 knows about one account in one Region.
///
/// The resources are shared (`Arc`), so that a copy of a whole Region costs a few hundred nanoseconds: answers hold
/// resources as they were when they were read, and the past stays readable for stale answers.
#[derive(Debug, Clone)]
pub struct Region {
    pub(crate) home: Arc<Home>,
    pub(crate) timings: Timings,
    pub(crate) assumptions: Assumptions,
    pub(crate) instance_types: BTreeMap<String, Arc<InstanceType>>,
    pub(crate) instances: BTreeMap<String, Arc<Instance>>,
    pub(crate) interfaces: BTreeMap<String, Arc<Interface>>,
    pub(crate) addresses: BTreeMap<String, Arc<Address>>,
    pub(crate) security_groups: BTreeMap<String, Arc<SecurityGroup>>,
    pub(crate) prefix_lists: BTreeMap<String, Arc<PrefixList>>,
    pub(crate) subnets: BTreeMap<String, Arc<Subnet>>,
    pub(crate) route_tables: BTreeMap<String, Arc<RouteTable>>,
    pub(crate) network_acls: BTreeMap<String, Arc<NetworkAcl>>,
}

/// What never changes about a Region.
#[derive(Debug)]
pub struct Home {
    pub account: String,
    pub region: String,
    /// Calendar time at which the simulation's clock shows zero.
    pub epoch: DateTime<Utc>,
    /// VPCs without an internet gateway, in which no Elastic IP can be associated.
    pub vpcs_without_gateway: BTreeSet<String>,
}

impl Home {
    /// Calendar time for a moment of the simulation.
    pub(crate) fn time(&self, at: Duration) -> DateTime<Utc> {
        let time = TimeDelta::from_std(at).ok().and_then(|since| self.epoch.checked_add_signed(since));
        time.unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// The same as EC2 writes it.
    pub(crate) fn timestamp(&self, at: Duration) -> String {
        self.time(at).format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
    }

    /// "EC2 instance hostnames and domains", EC2 User Guide.
    pub(crate) fn private_dns_name(&self, address: Ipv4Addr) -> String {
        let domain = match self.region.as_str() {
            "us-east-1" => "ec2.internal".to_owned(),
            region => format!("{region}.compute.internal"),
        };
        format!("ip-{}.{domain}", dashed(address))
    }

    pub(crate) fn public_dns_name(&self, address: Ipv4Addr) -> String {
        let domain = match self.region.as_str() {
            "us-east-1" => "compute-1".to_owned(),
            region => format!("{region}.compute"),
        };
        format!("ec2-{}.{domain}.amazonaws.com", dashed(address))
    }
}

fn dashed(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("{a}-{b}-{c}-{d}")
}

#[derive(Debug, Clone)]
pub struct Instance {
    pub id: String,
    pub state: InstanceState,
    pub state_reason: Option<StateReason>,
    pub instance_type: String,
    pub availability_zone: String,
    pub subnet_id: String,
    pub vpc_id: String,
    pub spot: bool,
    pub launched_at: Duration,
    pub system_check: Check,
    pub instance_check: Check,
    /// The attached EBS status check; `None`: EC2 does not show it.
    pub attached_ebs_check: Option<Check>,
    pub capacity: Capacity,
    /// The key of its root volume may not be used: StartInstances succeeds, then the instance goes from `pending` back to
    /// `stopped` with the state reason `Client.InternalError` ("Troubleshoot Amazon EC2 instance launch issues", EC2 User
    /// Guide).
    pub volume_locked: bool,
    /// The guest does not let go of its interfaces: a plain detach never ends, a forced one does.
    pub hung: bool,
    /// How many interfaces the instance takes: as many as its type does (DescribeInstanceTypes,
    /// `MaximumNetworkInterfaces`).
    pub interface_limit: usize,
    /// `MaintenanceOptions.AutoRecovery`. The simulator never recovers an instance.
    pub auto_recovery: AutoRecovery,
    /// Protected from TerminateInstances.
    pub disable_api_termination: bool,
    /// Whether Systems Manager hears from the instance.
    pub agent: Agent,
    /// What becomes of the commands that Systems Manager sends to it.
    pub command_behavior: CommandBehavior,
    /// What starts the token server on it.
    pub token_server: TokenServer,
    /// Packets from outside never arrive, so that a connection to it is neither accepted nor refused.
    pub firewalled: bool,
    /// Device indexes that a forced detach left unusable until the next start, see
    /// [`Assumptions::forced_detach_blocks_index`].
    pub blocked_indexes: BTreeSet<u32>,
    pub tags: Tags,
    /// Counts state changes, so that what was scheduled for an earlier state is not done in a later one.
    pub(crate) transition: u32,
}

/// "Instance lifecycle", EC2 User Guide; the numbers are those of the service model (`InstanceState$Code`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceState {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl InstanceState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }

    pub fn code(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }
}

/// Why an instance is in its state (`StateReason` of the service model).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateReason {
    pub code: &'static str,
    pub message: &'static str,
}

impl StateReason {
    pub const USER_SHUTDOWN: Self =
        Self { code: "Client.UserInitiatedShutdown", message: "Client.UserInitiatedShutdown: User initiated shutdown" };
    pub const VOLUME_LOCKED: Self =
        Self { code: "Client.InternalError", message: "Client.InternalError: Client error on launch" };
    pub const NO_CAPACITY: Self = Self {
        code: "Server.InsufficientInstanceCapacity",
        message: "Server.InsufficientInstanceCapacity: There was insufficient capacity available to satisfy the request",
    };
}

/// Result of a status check of a running instance ("Status checks for your instances", EC2 User Guide).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    Ok,
    Impaired,
    Initializing,
    InsufficientData,
    /// What every instance shows that is not running.
    NotApplicable,
    /// A value that the service model did not have when this was written.
    Other(&'static str),
}

impl Check {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Impaired => "impaired",
            Self::Initializing => "initializing",
            Self::InsufficientData => "insufficient-data",
            Self::NotApplicable => "not-applicable",
            Self::Other(name) => name,
        }
    }

    /// The status of the `reachability` detail; absent where no check applies.
    pub fn reachability(self) -> Option<&'static str> {
        match self {
            Self::Ok => Some("passed"),
            Self::Impaired => Some("failed"),
            Self::Initializing => Some("initializing"),
            Self::InsufficientData => Some("insufficient-data"),
            Self::NotApplicable | Self::Other(_) => None,
        }
    }
}

/// What happens when the instance is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Capacity {
    #[default]
    Available,
    /// StartInstances fails with `InsufficientInstanceCapacity`.
    RefusedAtOnce,
    /// StartInstances succeeds, then the instance goes from `pending` back to `stopped` with the state reason
    /// `Server.InsufficientInstanceCapacity`.
    LostLater,
}

/// Whether EC2 may recover the instance on other hardware by itself ("Simplified automatic recovery", EC2 User Guide;
/// service model, `InstanceAutoRecoveryState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AutoRecovery {
    #[default]
    Default,
    Disabled,
}

impl AutoRecovery {
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Disabled => "disabled",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Interface {
    pub id: String,
    pub mac_address: String,
    pub private_ip: Ipv4Addr,
    pub description: String,
    pub availability_zone: String,
    pub subnet_id: String,
    pub vpc_id: String,
    /// Groups of the interface itself; those of an instance are the groups of its primary interface.
    pub groups: Vec<String>,
    pub source_dest_check: bool,
    pub attachment: Option<Attachment>,
    pub tags: Tags,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    pub id: String,
    pub instance_id: String,
    pub device_index: u32,
    pub network_card_index: u32,
    pub status: AttachmentStatus,
    /// When the attachment was started, not when it was completed.
    pub attached_at: Duration,
    /// The flag belongs to the attachment: a new attachment starts with the default.
    pub delete_on_termination: bool,
}

impl Attachment {
    /// At device index 0 of network card 0.
    pub fn is_primary(&self) -> bool {
        (self.device_index, self.network_card_index) == (0, 0)
    }
}

/// `Attachment.Status` of the service model; a `detached` attachment is not shown, so it is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttachmentStatus {
    Attaching,
    Attached,
    Detaching,
}

impl AttachmentStatus {
    pub fn name(self) -> &'static str {
        match self {
            Self::Attaching => "attaching",
            Self::Attached => "attached",
            Self::Detaching => "detaching",
        }
    }
}

/// An Elastic IP address.
#[derive(Debug, Clone)]
pub struct Address {
    pub allocation_id: String,
    pub public_ip: Ipv4Addr,
    pub association: Option<Association>,
    pub tags: Tags,
}

/// An Elastic IP is associated with a private address of an interface, so it moves with the interface ("Elastic IP
/// addresses", EC2 User Guide).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Association {
    pub id: String,
    pub interface_id: String,
    pub private_ip: Ipv4Addr,
}

#[derive(Debug, Clone)]
pub struct SecurityGroup {
    pub id: String,
    pub name: String,
    pub description: String,
    pub vpc_id: String,
    pub rules: Vec<SecurityGroupRule>,
    pub tags: Tags,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityGroupRule {
    pub id: String,
    pub egress: bool,
    /// `tcp`, `udp`, `icmp`, `icmpv6`, another protocol's number, or `-1` for all.
    pub protocol: String,
    /// Ports, or ICMP type and code; -1 is all.
    pub from_port: i32,
    pub to_port: i32,
    pub source: RuleSource,
    pub description: Option<String>,
}

/// The other end of a rule. Networks are canonical: EC2 stores `100.68.0.18/18` as `100.68.0.0/18`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleSource {
    Ipv4(Ipv4Net),
    Ipv6(Ipv6Net),
    PrefixList(String),
    Group(String),
}

impl fmt::Display for RuleSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipv4(network) => network.fmt(f),
            Self::Ipv6(network) => network.fmt(f),
            Self::PrefixList(id) | Self::Group(id) => id.fmt(f),
        }
    }
}

#[derive(Debug, Clone)]
pub struct PrefixList {
    pub id: String,
    pub name: String,
    /// CIDR and description.
    pub entries: Vec<(String, String)>,
    pub tags: Tags,
}

impl Instance {
    /// Status checks run on running instances only; for all others they are not applicable.
    pub fn checks(&self) -> (Check, Check) {
        match self.state {
            InstanceState::Running => (self.system_check, self.instance_check),
            _ => (Check::NotApplicable, Check::NotApplicable),
        }
    }

    /// The attached EBS status check (service model, `InstanceStatus$AttachedEbsStatus`), which not every instance shows.
    pub fn attached_ebs(&self) -> Option<Check> {
        let is_running = self.state == InstanceState::Running;
        self.attached_ebs_check.map(|check| if is_running { check } else { Check::NotApplicable })
    }

    /// Whether one of the three checks fails.
    pub fn is_impaired(&self) -> bool {
        let (system, own) = self.checks();
        [Some(system), Some(own), self.attached_ebs()].contains(&Some(Check::Impaired))
    }

    pub(crate) fn enter(&mut self, state: InstanceState, reason: Option<StateReason>) {
        self.state = state;
        self.state_reason = reason;
        self.transition += 1;
    }
}

impl Interface {
    pub fn is_attached_to(&self, instance_id: &str) -> bool {
        self.attachment.as_ref().is_some_and(|attachment| attachment.instance_id == instance_id)
    }
}

impl Region {
    pub fn account(&self) -> &str {
        &self.home.account
    }

    pub fn name(&self) -> &str {
        &self.home.region
    }

    pub fn timings(&self) -> Timings {
        self.timings
    }

    pub fn instance(&self, id: &str) -> Result<&Arc<Instance>, ApiError> {
        find(&self.instances, id, &ids::INSTANCE)
    }

    pub fn interface(&self, id: &str) -> Result<&Arc<Interface>, ApiError> {
        find(&self.interfaces, id, &ids::INTERFACE)
    }

    pub fn address(&self, allocation_id: &str) -> Result<&Arc<Address>, ApiError> {
        find(&self.addresses, allocation_id, &ids::ALLOCATION)
    }

    pub fn security_group(&self, id: &str) -> Result<&Arc<SecurityGroup>, ApiError> {
        find(&self.security_groups, id, &ids::GROUP)
    }

    pub fn prefix_list(&self, id: &str) -> Result<&Arc<PrefixList>, ApiError> {
        find(&self.prefix_lists, id, &ids::PREFIX_LIST)
    }

    pub fn instances(&self) -> impl Iterator<Item = &Arc<Instance>> {
        self.instances.values()
    }

    pub fn interfaces(&self) -> impl Iterator<Item = &Arc<Interface>> {
        self.interfaces.values()
    }

    pub fn addresses(&self) -> impl Iterator<Item = &Arc<Address>> {
        self.addresses.values()
    }

    /// The interfaces of an instance in the order of cards and device indexes, those on their way in or out included.
    pub fn interfaces_of(&self, instance_id: &str) -> Vec<&Arc<Interface>> {
        let mut attached: Vec<_> =
            self.interfaces().filter(|interface| interface.is_attached_to(instance_id)).collect();
        attached.sort_by_key(|interface| {
            interface.attachment.as_ref().map(|attachment| (attachment.network_card_index, attachment.device_index))
        });
        attached
    }

    /// The interface that has this attachment.
    pub fn attachment(&self, attachment_id: &str) -> Result<(&Arc<Interface>, &Attachment), ApiError> {
        self.interfaces()
            .find_map(|interface| {
                let attachment = interface.attachment.as_ref()?;
                (attachment.id == attachment_id).then_some((interface, attachment))
            })
            .ok_or_else(|| ids::ATTACHMENT.missing(attachment_id))
    }

    /// The Elastic IP on the interface's private address.
    pub fn address_on(&self, interface: &Interface) -> Option<&Arc<Address>> {
        self.addresses().find(|address| {
            address.association.as_ref().is_some_and(|association| association.interface_id == interface.id)
        })
    }

    pub(crate) fn instance_mut(&mut self, id: &str) -> Result<&mut Instance, ApiError> {
        find_mut(&mut self.instances, id, &ids::INSTANCE)
    }

    pub(crate) fn interface_mut(&mut self, id: &str) -> Result<&mut Interface, ApiError> {
        find_mut(&mut self.interfaces, id, &ids::INTERFACE)
    }

    pub(crate) fn address_mut(&mut self, allocation_id: &str) -> Result<&mut Address, ApiError> {
        find_mut(&mut self.addresses, allocation_id, &ids::ALLOCATION)
    }

    pub(crate) fn security_group_mut(&mut self, id: &str) -> Result<&mut SecurityGroup, ApiError> {
        find_mut(&mut self.security_groups, id, &ids::GROUP)
    }

    /// The interface is gone, with all that depends on it: its Elastic IPs become free.
    pub(crate) fn delete_interface(&mut self, id: &str) {
        self.interfaces.remove(id);
        for address in self.addresses.values_mut() {
            if address.association.as_ref().is_some_and(|association| association.interface_id == id) {
                Arc::make_mut(address).association = None;
            }
        }
    }

    /// The tags of any resource that can be tagged.
    ///
    /// Assumed: an id whose prefix names no kind of resource is `InvalidID`.
    pub(crate) fn tags_mut(&mut self, id: &str) -> Result<&mut Tags, ApiError> {
        match id.rsplit_once('-').map(|(prefix, _)| prefix) {
            Some("i") => Ok(&mut self.instance_mut(id)?.tags),
            Some("eni") => Ok(&mut self.interface_mut(id)?.tags),
            Some("eipalloc") => Ok(&mut self.address_mut(id)?.tags),
            Some("sg") => Ok(&mut self.security_group_mut(id)?.tags),
            Some("subnet") => Ok(&mut find_mut(&mut self.subnets, id, &ids::SUBNET)?.tags),
            Some("rtb") => Ok(&mut self.route_table_mut(id)?.tags),
            Some("acl") => Ok(&mut self.network_acl_mut(id)?.tags),
            Some("pl") => Ok(&mut find_mut(&mut self.prefix_lists, id, &ids::PREFIX_LIST)?.tags),
            _ => Err(not_taggable(id)),
        }
    }

    pub(crate) fn tags(&self, id: &str) -> Result<&Tags, ApiError> {
        match id.rsplit_once('-').map(|(prefix, _)| prefix) {
            Some("i") => Ok(&self.instance(id)?.tags),
            Some("eni") => Ok(&self.interface(id)?.tags),
            Some("eipalloc") => Ok(&self.address(id)?.tags),
            Some("sg") => Ok(&self.security_group(id)?.tags),
            Some("subnet") => Ok(&self.subnet(id)?.tags),
            Some("rtb") => Ok(&self.route_table(id)?.tags),
            Some("acl") => Ok(&self.network_acl(id)?.tags),
            Some("pl") => Ok(&self.prefix_list(id)?.tags),
            _ => Err(not_taggable(id)),
        }
    }
}

fn not_taggable(id: &str) -> ApiError {
    ApiError::client("InvalidID", format!("The ID '{id}' is not valid"))
}

pub(crate) fn find<'a, T>(all: &'a BTreeMap<String, Arc<T>>, id: &str, kind: &IdKind) -> Result<&'a Arc<T>, ApiError> {
    all.get(id).ok_or_else(|| kind.missing(id))
}

pub(crate) fn find_mut<'a, T: Clone>(
    all: &'a mut BTreeMap<String, Arc<T>>,
    id: &str,
    kind: &IdKind,
) -> Result<&'a mut T, ApiError> {
    all.get_mut(id).map(Arc::make_mut).ok_or_else(|| kind.missing(id))
}
