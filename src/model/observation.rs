//! What EC2 says: plain values, with nothing of the SDK in them.
//!
//! Everything here is serializable. The function logs each observation as one JSON line, so that any run can be planned
//! again later from the log alone.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::model::error::CallError;
use crate::model::ids::{
    AllocationId, AssociationId, AttachmentId, InstanceId, MacAddress, NetworkInterfaceId, PrefixListId,
    SecurityGroupId,
};

/// How old EC2's answers are at most, as far as it matters here. AWS gives no number: what EC2 says becomes consistent
/// "eventually", mostly within seconds. Source: EC2 API, "Eventual consistency".
pub const OLDEST_ANSWER: Duration = Duration::from_secs(15);

/// The same, for times of day.
pub(crate) const OLDEST_ANSWER_DELTA: TimeDelta = TimeDelta::seconds(OLDEST_ANSWER.as_secs().cast_signed());

/// The answer to one question, or why there is none. A failed read is never an empty answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reading<T> {
    /// EC2 answered.
    Known(T),
    /// EC2 could not be read, so nothing may be concluded and nothing may be changed.
    Unreadable(CallError),
}

impl<T> Reading<T> {
    /// The answer, if there is one, to be brought up to date.
    pub fn known_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unreadable(_) => None,
        }
    }

    /// The answer, if there is one.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unreadable(_) => None,
        }
    }
}

impl<T> From<Result<T, CallError>> for Reading<T> {
    fn from(result: Result<T, CallError>) -> Self {
        match result {
            Ok(value) => Self::Known(value),
            Err(error) => Self::Unreadable(error),
        }
    }
}

/// The token server's world at one moment: what the plan is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observation {
    /// When it was read.
    pub observed_at: DateTime<Utc>,
    /// The license interface; `Known(None)`: EC2 says that it does not exist.
    pub interface: Reading<Option<NetworkInterface>>,
    /// The members that exist, in no particular order. One that EC2 no longer knows is not in the list.
    pub instances: Reading<Vec<Instance>>,
    /// Who can reach the interface; `None` while that was not asked.
    pub reachability: Option<Reachability>,
}

impl Observation {
    /// The license interface, if it was read and exists.
    pub fn interface(&self) -> Option<&NetworkInterface> {
        self.interface.known().and_then(Option::as_ref)
    }

    /// The instance with this id, if it was read and exists.
    pub fn instance(&self, id: &InstanceId) -> Option<&Instance> {
        self.instances.known()?.iter().find(|instance| instance.id == *id)
    }
}

/// An Elastic Network Interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkInterface {
    /// Its id.
    pub id: NetworkInterfaceId,
    /// Its MAC address, which it keeps for as long as it exists.
    pub mac_address: MacAddress,
    /// What it is attached to, or is being attached to or detached from.
    pub attachment: Option<Attachment>,
    /// The Availability Zone that it can never leave.
    pub availability_zone: String,
    /// Its subnet.
    pub subnet_id: String,
    /// Its VPC.
    pub vpc_id: String,
    /// Its primary private address.
    pub private_ip_address: Option<Ipv4Addr>,
    /// The public address on its primary private address.
    pub association: Option<Association>,
    /// Its security groups.
    pub groups: Vec<SecurityGroupId>,
    /// Whether EC2 drops what is not from or to its own addresses.
    #[serde(default = "checked")]
    pub source_dest_check: bool,
    /// Its tags in the namespace `token-failover:`; other people's tags are none of our business.
    pub tags: BTreeMap<String, String>,
}

/// What EC2 does unless it is told otherwise, and what was not written down before an audit asked for it.
fn checked() -> bool {
    true
}

/// One attachment of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attachment {
    /// Its id: a new one for every attach.
    pub id: AttachmentId,
    /// The instance; `None` where EC2 attached it to something else, such as a load balancer.
    pub instance_id: Option<InstanceId>,
    /// 0 is the primary interface, which cannot be detached.
    pub device_index: i32,
    /// How far the attach or detach is.
    pub status: AttachmentStatus,
    /// Whether terminating the instance destroys the interface, and the MAC address with it.
    pub delete_on_termination: bool,
}

/// How far an attach or a detach is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttachmentStatus {
    /// EC2 accepted the attach and works on it.
    Attaching,
    /// The interface is on the instance.
    Attached,
    /// EC2 accepted the detach and works on it.
    Detaching,
    /// The interface has left the instance.
    Detached,
}

/// A public address on a private one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Association {
    /// The Elastic IP's allocation; `None`: the address was assigned by EC2 and is not kept.
    pub allocation_id: Option<AllocationId>,
    /// The public address.
    pub public_ip: Ipv4Addr,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// Its state.
    pub state: InstanceState,
    /// Why it is in that state; `None` where EC2 gives no reason, as for an instance that runs.
    #[serde(default)]
    pub state_reason: Option<StateReason>,
    /// Its Availability Zone.
    pub availability_zone: String,
    /// Its VPC; a terminated instance has none.
    pub vpc_id: Option<String>,
    /// The subnet of its primary interface; a terminated instance has none.
    #[serde(default)]
    pub subnet_id: Option<String>,
    /// Its type, such as `t3.small`.
    #[serde(default)]
    pub instance_type: String,
    /// Whether EC2 moves it to other hardware by itself when its system status check fails.
    #[serde(default)]
    pub recovers: bool,
    /// Whether EC2 may take it away with two minutes' notice.
    pub spot: bool,
    /// EC2's status checks.
    pub status_checks: Reading<StatusChecks>,
    /// The interfaces on it, the license interface among them if it is there.
    pub interfaces: Vec<InstanceInterface>,
}

impl Instance {
    /// Whether it runs, or will in a moment.
    pub fn runs(&self) -> bool {
        matches!(self.state, InstanceState::Running | InstanceState::Pending)
    }

    /// The interface that occupies a device index of network card 0.
    pub fn interface_at(&self, device_index: i32) -> Option<&InstanceInterface> {
        self.interfaces
            .iter()
            .find(|interface| interface.device_index == device_index && interface.network_card_index == 0)
    }
}

/// An interface on an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceInterface {
    /// Its id.
    pub id: NetworkInterfaceId,
    /// The device index that it occupies.
    pub device_index: i32,
    /// The network card; 0 on all but the largest instance types.
    pub network_card_index: i32,
}

/// How many interfaces an instance of a type can have.
/// Source: EC2 API Reference, *NetworkInfo* and *NetworkCardInfo*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InterfaceLimits {
    /// On all network cards together.
    pub total: u32,
    /// On network card 0, where the license interface goes.
    pub first_card: u32,
}

impl InterfaceLimits {
    /// Whether the other interfaces of an instance leave no room on network card 0 for this one.
    pub fn leave_no_room(self, instance: &Instance, interface: &NetworkInterfaceId) -> bool {
        let others = || instance.interfaces.iter().filter(|other| other.id != *interface);
        let on_first_card = others().filter(|other| other.network_card_index == 0).count();
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        count(on_first_card) >= self.first_card || count(others().count()) >= self.total
    }

    /// How many there can be where the license interface goes.
    pub fn effective(self) -> u32 {
        self.first_card.min(self.total)
    }
}

/// An instance's state.
/// Source: EC2 API Reference, *InstanceState*.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    /// Starting.
    Pending,
    /// Running; an operating system may still be booting, or hang.
    Running,
    /// Being stopped.
    Stopping,
    /// Stopped; its interfaces stay attached.
    Stopped,
    /// Being terminated.
    ShuttingDown,
    /// Terminated; soon forgotten.
    Terminated,
    /// A state that EC2 did not have when this was written.
    Other(String),
}

impl fmt::Display for InstanceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Other(state) => state,
        })
    }
}

/// Why an instance is in its state, in EC2's words.
/// Source: EC2 API Reference, *StateReason*.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StateReason {
    /// Such as `Client.InternalError`.
    pub code: String,
    /// The same for a person; it often begins with the code.
    pub message: String,
}

impl fmt::Display for StateReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code.as_str(), self.message.as_str()) {
            (code, "") => f.write_str(code),
            (code, message) if message.starts_with(code) => f.write_str(message),
            (code, message) => write!(f, "{code}: {message}"),
        }
    }
}

/// What EC2's three status checks say together: system, instance, and attached EBS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StatusChecks {
    /// System and instance check pass, and the attached EBS check does not fail.
    Ok,
    /// At least one of the three fails.
    Impaired,
    /// System or instance check is not known yet, or not applicable, as for a stopped instance. Neither good nor bad.
    Undecided,
}

/// Who can reach the license interface from outside its instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reachability {
    /// The ingress rules of all the interface's security groups together.
    pub rules: Reading<Vec<IngressRule>>,
    /// The ranges in the prefix lists that the rules and the configured clients name.
    pub prefix_lists: BTreeMap<PrefixListId, Reading<Vec<IpNet>>>,
    /// The Elastic IP that should be on the interface and is not; `None`: it is there, or none is wanted.
    pub missing_address: Option<Reading<Option<Address>>>,
}

/// One ingress rule of a security group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IngressRule {
    /// The TCP ports that it opens; `None`: it does not concern TCP. A rule for all protocols opens all ports.
    pub tcp_ports: Option<(u16, u16)>,
    /// Who is let in.
    pub source: RuleSource,
}

/// Who a rule lets in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleSource {
    /// A range of addresses.
    Cidr(IpNet),
    /// The ranges in a prefix list.
    PrefixList(PrefixListId),
    /// The instances in a security group.
    SecurityGroup(SecurityGroupId),
}

/// An Elastic IP address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Address {
    /// Its allocation.
    pub allocation_id: AllocationId,
    /// The address.
    pub public_ip: Ipv4Addr,
    /// Where it is; `None`: nowhere.
    pub place: Option<AddressPlace>,
}

/// Where an Elastic IP is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddressPlace {
    /// The association, which fences its removal.
    pub association_id: AssociationId,
    /// The interface that has it.
    pub interface_id: Option<NetworkInterfaceId>,
    /// The instance on which that interface is.
    pub instance_id: Option<InstanceId>,
    /// The private address behind it.
    pub private_ip_address: Option<IpAddr>,
}
