//! What EC2 says, as plain values, without any type of the SDK.
//!
//! Everything here is serializable. The function logs each observation as one JSON line, so every run can be planned
//! again from the log alone.

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

/// The maximum age of EC2's answers, as this program assumes it. AWS gives no number: EC2's answers become consistent
/// "eventually", mostly within seconds. Source: EC2 API, "Eventual consistency".
pub const OLDEST_ANSWER: Duration = Duration::from_secs(15);

/// [`OLDEST_ANSWER`] for calculations with dates.
pub(crate) const OLDEST_ANSWER_DELTA: TimeDelta = TimeDelta::seconds(OLDEST_ANSWER.as_secs().cast_signed());

/// The answer to one read, or the error. A failed read is never an empty answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reading<T> {
    /// EC2 answered.
    Known(T),
    /// EC2 could not be read, so nothing may be concluded or changed.
    Unreadable(CallError),
}

impl<T> Reading<T> {
    /// The answer, if there is one, to be updated.
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

/// What EC2 says about the token server at one moment. The plan is made from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observation {
    /// When it was read.
    pub observed_at: DateTime<Utc>,
    /// The license interface; `Known(None)`: EC2 says that it does not exist.
    pub interface: Reading<Option<NetworkInterface>>,
    /// The members that exist, in no particular order. A member that EC2 does not know anymore is not in the list. If a
    /// tag names the members: all instances with the tag, members or not.
    pub instances: Reading<Vec<Instance>>,
    /// Who can reach the interface; `None`: not read.
    pub reachability: Option<Reachability>,
}

impl Observation {
    /// The license interface, if it was read and exists.
    pub fn interface(&self) -> Option<&NetworkInterface> {
        self.interface.known().and_then(Option::as_ref)
    }

    /// The attachment of the license interface, in whatever state it is.
    pub fn attachment(&self) -> Option<&Attachment> {
        self.interface()?.attachment.as_ref()
    }

    /// The instance to which the license interface is attached.
    pub fn holder(&self) -> Option<&InstanceId> {
        self.attachment()?.instance_id.as_ref()
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
    /// EC2's word for its status, such as `in-use`; `None`: not known. AWS does not document what it shows during an attach
    /// or a detach, so nothing is decided by it.
    #[serde(default)]
    pub status: Option<String>,
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
    /// Whether EC2 drops traffic that is neither from nor to the interface's own addresses.
    #[serde(default = "checked")]
    pub source_dest_check: bool,
    /// Its tags in the namespace `token-failover:`. The function ignores all other tags.
    pub tags: BTreeMap<String, String>,
}

/// The default in EC2, and the value for observations from before this field existed.
fn checked() -> bool {
    true
}

/// One attachment of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attachment {
    /// Its id: a new one for every attach.
    pub id: AttachmentId,
    /// The instance; `None`: EC2 attached it to something else, such as a load balancer.
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
    /// EC2 accepted the attach and has not completed it.
    Attaching,
    /// The interface is on the instance.
    Attached,
    /// EC2 accepted the detach and has not completed it.
    Detaching,
    /// The interface has left the instance.
    Detached,
}

/// A public address that is associated with a private one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Association {
    /// The Elastic IP's allocation; `None`: EC2 assigned the address, and takes it back.
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
    /// Why it is in that state; `None`: EC2 gives no reason, as for a running instance.
    #[serde(default)]
    pub state_reason: Option<StateReason>,
    /// When it was started last; `None`: not known.
    #[serde(default)]
    pub launched_at: Option<DateTime<Utc>>,
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
    /// Whether EC2 automatically moves it to other hardware when its system status check fails.
    #[serde(default)]
    pub recovers: bool,
    /// Whether it is a Spot Instance, which EC2 may reclaim with two minutes' notice.
    pub spot: bool,
    /// EC2's status checks.
    pub status_checks: Reading<StatusChecks>,
    /// What AWS has scheduled for it; empty: nothing, or the status could not be read.
    #[serde(default)]
    pub scheduled_events: Vec<ScheduledEvent>,
    /// Its Auto Scaling group; `None`: it is in none.
    #[serde(default)]
    pub auto_scaling_group: Option<String>,
    /// Its place in the life of an instance of its group; `None`: not asked, or it is in no group anymore.
    #[serde(default)]
    pub lifecycle_state: Option<Reading<LifecycleState>>,
    /// The interfaces on it, including the license interface if it is there.
    pub interfaces: Vec<InstanceInterface>,
}

impl Instance {
    /// Whether it is running or starting.
    pub fn runs(&self) -> bool {
        matches!(self.state, InstanceState::Running | InstanceState::Pending)
    }

    /// Whether its Auto Scaling group is about to terminate it.
    pub fn is_leaving_its_group(&self) -> bool {
        matches!(
            self.lifecycle_state,
            Some(Reading::Known(LifecycleState::TerminatingWait | LifecycleState::Terminating))
        )
    }

    /// Whether its Auto Scaling group is still launching it, whatever EC2 says.
    pub fn is_joining_its_group(&self) -> bool {
        self.lifecycle_state == Some(Reading::Known(LifecycleState::Pending))
    }

    /// Whether its Auto Scaling group waits for a lifecycle action before it terminates the instance.
    pub fn waits_to_terminate(&self) -> bool {
        self.lifecycle_state == Some(Reading::Known(LifecycleState::TerminatingWait))
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
    /// Whether it is deleted when the instance is terminated. A license interface never is.
    #[serde(default = "yes")]
    pub delete_on_termination: bool,
}

fn yes() -> bool {
    true
}

/// How many interfaces an instance of a type can have.
/// Source: EC2 API Reference, *NetworkInfo* and *NetworkCardInfo*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InterfaceLimits {
    /// The limit on all network cards together.
    pub total: u32,
    /// The limit on network card 0, which the license interface uses.
    pub first_card: u32,
}

impl InterfaceLimits {
    /// Whether the instance's other interfaces leave no room on network card 0 for this one.
    pub fn leave_no_room(self, instance: &Instance, interface: &NetworkInterfaceId) -> bool {
        let others = || instance.interfaces.iter().filter(|other| other.id != *interface);
        let on_first_card = others().filter(|other| other.network_card_index == 0).count();
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        count(on_first_card) >= self.first_card || count(others().count()) >= self.total
    }

    /// The limit for the network card that the license interface uses.
    pub fn effective(self) -> u32 {
        self.first_card.min(self.total)
    }
}

/// An instance's state.
/// Source: EC2 API Reference, *InstanceState*.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    /// It is starting.
    Pending,
    /// It is running. Its operating system may still be booting, or hang.
    Running,
    /// It is being stopped.
    Stopping,
    /// It is stopped. Its interfaces stay attached.
    Stopped,
    /// It is being terminated.
    ShuttingDown,
    /// It is terminated. EC2 soon forgets it.
    Terminated,
    /// A state that this version does not know.
    Other(String),
}

impl InstanceState {
    /// Whether the instance never leaves this state, except from `shutting-down` to `terminated`.
    /// Source: Amazon EC2 User Guide, *Amazon EC2 instance state changes*.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::ShuttingDown | Self::Terminated)
    }
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
    /// The code, such as `Client.InternalError`.
    pub code: String,
    /// The reason for people; it often begins with the code.
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

/// The status of an instance.
/// Source: EC2 API Reference, *InstanceStatus*.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceStatus {
    /// Its state. DescribeInstances says the same, and either answer may be the older one.
    pub state: Option<InstanceState>,
    /// The status checks.
    pub checks: StatusChecks,
    /// What AWS has scheduled for it, including what is over.
    pub scheduled_events: Vec<ScheduledEvent>,
}

/// A change that AWS has scheduled for an instance.
/// Source: EC2 API Reference, *InstanceStatusEvent*.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduledEvent {
    /// The code, such as `instance-retirement`.
    pub code: String,
    /// The description for people.
    pub description: String,
    /// The earliest start; `None`: EC2 gives none.
    pub not_before: Option<DateTime<Utc>>,
}

impl ScheduledEvent {
    /// Whether AWS has completed or canceled it. EC2 lists it for up to a week more, and marks it in the description
    /// only. Source: EC2 API Reference, *InstanceStatusEvent*, `description`.
    pub fn is_over(&self) -> bool {
        let description = self.description.trim_start();
        ["[Completed]", "[Canceled]"].iter().any(|mark| description.starts_with(mark))
    }
}

/// The place of an instance in the life that its Auto Scaling group gives it.
/// Source: EC2 Auto Scaling User Guide, "Amazon EC2 Auto Scaling instance lifecycle".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LifecycleState {
    /// The group is launching it, or waits for a lifecycle action, such as its installation, before the launch is done.
    Pending,
    /// The group terminates it once a lifecycle action is completed or has timed out.
    TerminatingWait,
    /// The group is terminating it. EC2 may still show it as running.
    Terminating,
    /// Any other state, such as `InService`, in Auto Scaling's words.
    Other(String),
}

impl LifecycleState {
    /// Reads Auto Scaling's word.
    pub fn new(word: &str) -> Self {
        match word {
            "Pending" | "Pending:Wait" | "Pending:Proceed" => Self::Pending,
            "Terminating:Wait" => Self::TerminatingWait,
            "Terminating" | "Terminating:Proceed" => Self::Terminating,
            word => Self::Other(word.to_owned()),
        }
    }
}

/// What EC2's three status checks say together: system, instance, and attached EBS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StatusChecks {
    /// The system and instance checks pass, and the attached EBS check does not fail.
    Ok,
    /// At least one of the three checks fails.
    Impaired,
    /// The system or the instance check is not known yet, or does not apply, as for a stopped instance. Neither good
    /// nor bad.
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
    /// The Elastic IP that should be on the interface and is not; `None`: it is there, or no Elastic IP is wanted.
    pub missing_address: Option<Reading<Option<Address>>>,
}

/// One ingress rule of a security group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IngressRule {
    /// The TCP ports that it opens; `None`: it does not apply to TCP. A rule for all protocols opens all ports.
    pub tcp_ports: Option<(u16, u16)>,
    /// The source that it lets in.
    pub source: RuleSource,
}

/// The source that a rule lets in.
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
    /// Where it is; `None`: associated with nothing.
    pub place: Option<AddressPlace>,
}

/// Where an Elastic IP is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddressPlace {
    /// The association. A removal names it, so that it cannot remove a newer one.
    pub association_id: AssociationId,
    /// The interface that has it.
    pub interface_id: Option<NetworkInterfaceId>,
    /// The instance on which that interface is.
    pub instance_id: Option<InstanceId>,
    /// The private address behind it.
    pub private_ip_address: Option<IpAddr>,
}
