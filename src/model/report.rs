//! The report: what one invocation saw, decided and did. The function's answer, and the program's part of a notification.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use strum::{Display, VariantArray};

use crate::model::check::{CheckResult, Checks};
use crate::model::code::Code;
use crate::model::config::{Activation, Config, PortRange};
use crate::model::finding::{Finding, Severity};
use crate::model::ids::{AttachmentId, CommandId, DocumentName, InstanceId, MacAddress, NetworkInterfaceId};
use crate::model::observation::{AttachmentStatus, InstanceState, Observation};
use crate::model::pause::Pause;
use crate::model::reason::Reason;
use crate::model::request::Trigger;

/// The version of the report's form.
pub const SCHEMA_VERSION: u32 = 1;

/// What one invocation saw, decided and did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What came out.
    pub outcome: Outcome,
    /// Why, as a stable kebab-case code.
    pub reason: Code<Reason>,
    /// The same in one sentence.
    pub summary: String,
    /// What started the invocation.
    pub trigger: Trigger,
    /// Whether the token server's clients can be expected to get licenses now.
    pub expected_to_work: Expectation,
    /// The token server's identity and addresses.
    pub token_server: TokenServer,
    /// The move that was made or, in a planned report, would be made.
    #[serde(rename = "move")]
    pub movement: Option<Movement>,
    /// The pause that holds; null: none does.
    #[serde(default)]
    pub pause: Option<Pause>,
    /// How many standbys could take the interface when it was looked at; absent where that was not asked, and after a move.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub viable_standbys: Option<usize>,
    /// What was done, in order.
    pub steps: Vec<StepRecord>,
    /// The checks.
    pub checks: Checks,
    /// What came of connecting to each port; absent where that was not tried.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub probes: Vec<Probe>,
    /// What came of waking the token server; absent where that was not tried.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub activation: Option<ActivationRecord>,
    /// What an operator should know, the worst first.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether EC2 was asked for the interface, and answered.
    pub fn has_looked(&self) -> bool {
        self.token_server.mac_address.is_some() || self.reason == Reason::InterfaceMissing
    }

    /// The severity of the worst finding.
    pub fn severity(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }
}

/// What came out of an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, VariantArray)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Outcome {
    /// The interface is on another member.
    Moved,
    /// The holder, which was stopped, was started where it is.
    Started,
    /// Nothing moved, something was repaired.
    Repaired,
    /// Nothing had to be done.
    NoAction,
    /// Something should be done and must not be.
    Refused,
    /// Something was tried and did not succeed.
    Failed,
    /// Something was looked at for its own sake, and this is what was found.
    Audited,
    /// What would be done; nothing was.
    Planned,
    /// The document was none to act upon.
    Ignored,
    /// It is paused, and changes nothing by itself.
    Paused,
    /// A pause is over.
    Resumed,
    /// Nothing had to be done, and a problem that was mailed before is over.
    Resolved,
}

/// Whether clients can be expected to get licenses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expectation {
    /// The interface is on a running member, and nothing was found that keeps clients away from it.
    Yes,
    /// It is not, or something keeps clients away.
    No,
    /// It was not looked at, or could not be read.
    Unknown,
}

/// The token server's identity and addresses, null where unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenServer {
    /// Its name for people.
    pub name: String,
    /// The license interface.
    pub network_interface_id: NetworkInterfaceId,
    /// The MAC address as EC2 writes it.
    pub mac_address: Option<MacAddress>,
    /// The MAC address as FlexNet writes it.
    pub hostid: Option<String>,
    /// The hostid that the license names, where the configuration says.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub licensed_hostid: Option<String>,
    /// The TCP ports on which it listens.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub ports: Vec<PortRange>,
    /// The Region of the function.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub region: Option<String>,
    /// The instance to which the interface is attached, in whatever state.
    pub holder: Option<Holder>,
    /// The interface's primary private address.
    pub private_ip_address: Option<Ipv4Addr>,
    /// The public address on it.
    pub public_ip_address: Option<Ipv4Addr>,
    /// The interface's Availability Zone.
    pub availability_zone: Option<String>,
    /// The interface's subnet.
    pub subnet_id: Option<String>,
    /// The interface's VPC.
    pub vpc_id: Option<String>,
}

/// The instance to which the interface is attached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// Its id.
    pub instance_id: InstanceId,
    /// Its state; null where it was not read, as for one that is no member, or where EC2 does not know it anymore.
    pub state: Option<InstanceState>,
}

impl TokenServer {
    /// The token server as it was seen last.
    pub fn new(config: &Config, observation: Option<&Observation>) -> Self {
        let interface = observation.and_then(Observation::interface);
        let attachment = interface.and_then(|interface| interface.attachment.as_ref());
        let attachment = attachment.filter(|attachment| attachment.status != AttachmentStatus::Detached);
        let holder = attachment.and_then(|attachment| attachment.instance_id.clone()).map(|instance_id| Holder {
            state: observation.and_then(|seen| seen.instance(&instance_id)).map(|instance| instance.state.clone()),
            instance_id,
        });
        Self {
            name: config.name.clone(),
            network_interface_id: config.interface_id.clone(),
            holder,
            mac_address: interface.map(|interface| interface.mac_address),
            hostid: interface.map(|interface| interface.mac_address.hostid()),
            licensed_hostid: config.hostid.map(|hostid| hostid.hostid()),
            ports: config.ports.clone(),
            region: config.region.clone(),
            private_ip_address: interface.and_then(|interface| interface.private_ip_address),
            public_ip_address: interface.and_then(|interface| Some(interface.association.as_ref()?.public_ip)),
            availability_zone: interface.map(|interface| interface.availability_zone.clone()),
            subnet_id: interface.map(|interface| interface.subnet_id.clone()),
            vpc_id: interface.map(|interface| interface.vpc_id.clone()),
        }
    }
}

/// A move. Fields are null where they are not known: in a plan, and in a report that another run owed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Movement {
    /// The member that the interface left; null if it was attached to nothing.
    pub from: Option<InstanceId>,
    /// The member that has it now.
    pub to: InstanceId,
    /// The attachment to it.
    pub attachment_id: Option<AttachmentId>,
    /// Whether it was detached by force.
    pub forced: Option<bool>,
    /// Whether the standby was stopped, and was started.
    pub standby_started: Option<bool>,
    /// From the first change to the interface being attached, in milliseconds.
    pub duration_ms: Option<u64>,
}

/// A TCP connect to one port of the token server, the last one that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// The port, at the interface's primary private address.
    pub port: u16,
    /// `ok`, `failed`, or `not-checked` where no answer says nothing, because it was tried from elsewhere.
    pub result: CheckResult,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Why it failed.
    pub error: Option<String>,
}

/// The command by which a token server was woken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivationRecord {
    /// The document of Systems Manager.
    pub document: DocumentName,
    /// Where it was run.
    pub instance_id: InstanceId,
    /// The command; null if it could not be sent.
    pub command_id: Option<CommandId>,
    /// What came of it.
    pub result: ActivationResult,
    /// The same in Systems Manager's own word; null if it was never heard.
    pub status: Option<String>,
    /// From sending it to its end, or to the end of the patience, in milliseconds.
    pub duration_ms: u64,
    /// Why it could not be sent, or followed.
    pub error: Option<String>,
}

impl ActivationRecord {
    /// Nothing has come of it yet.
    pub fn open(activation: &Activation, instance: &InstanceId) -> Self {
        Self {
            document: activation.document.clone(),
            instance_id: instance.clone(),
            command_id: None,
            result: ActivationResult::Unfinished,
            status: None,
            duration_ms: 0,
            error: None,
        }
    }
}

/// What came of waking a token server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActivationResult {
    /// The command ran, and says that it succeeded.
    Done,
    /// It could not be sent, or did not succeed.
    Failed,
    /// It had not ended when the report was written.
    Unfinished,
}

/// One thing that was done, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepRecord {
    /// What.
    pub step: Step,
    /// With what.
    pub resource: String,
    /// With what result.
    pub result: StepResult,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Why it failed.
    pub error: Option<String>,
}

impl StepRecord {
    /// A step that has not been taken.
    pub fn planned(step: Step, resource: impl ToString) -> Self {
        Self { step, resource: resource.to_string(), result: StepResult::Planned, duration_ms: 0, error: None }
    }
}

/// A duration in whole milliseconds.
pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The steps that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, VariantArray)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Step {
    /// Write on the interface that a report will be owed.
    NoteDebt,
    /// Ask EC2 whether the role may attach and start, without doing it.
    CheckPermission,
    /// Ask EC2 to detach the interface.
    Detach,
    /// Ask EC2 to detach the interface by force.
    ForceDetach,
    /// Wait until the interface is free.
    AwaitDetached,
    /// Ask EC2 to attach the interface.
    Attach,
    /// Wait until the interface is attached.
    AwaitAttached,
    /// Set DeleteOnTermination of the attachment to false.
    KeepOnTermination,
    /// Start the standby.
    StartInstance,
    /// Wait until the standby runs.
    AwaitRunning,
    /// Take the Elastic IP from where it is.
    DisassociateAddress,
    /// Put the Elastic IP on the interface.
    AssociateAddress,
    /// Add an ingress rule.
    AuthorizeIngress,
    /// Have Systems Manager wake the token server.
    Activate,
    /// Wait until it has.
    AwaitActivation,
    /// Connect to the token server's ports.
    Probe,
    /// Write on the interface that the move was made, and when, for the limit on moves.
    NoteArrival,
    /// Read how many interfaces instances of a type can have, and write it on the interface.
    NoteLimits,
    /// Publish the report.
    Publish,
    /// Remove the note that a report is owed.
    SettleDebt,
    /// Leave the note that a report is owed to the next run.
    HandOverDebt,
    /// Write on the interface what was published, so that it is not published again.
    NotePublished,
    /// Write on the interface that it is paused, or that an operator has ended that.
    NotePause,
}

/// The result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepResult {
    /// It succeeded.
    Done,
    /// It was so already.
    Skipped,
    /// It did not succeed.
    Failed,
    /// It was not taken, because nothing was to be changed.
    Planned,
}
