//! The report: what one invocation saw, decided and did. It is the function's answer, and the machine-readable part of
//! a notification.

use std::net::Ipv4Addr;
use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use strum::{Display, VariantArray};

use crate::model::check::{CheckResult, Checks};
use crate::model::code::Code;
use crate::model::config::{Activation, Config, PortRange, mosek, mosek_support};
use crate::model::finding::{Finding, Severity};
use crate::model::ids::{AttachmentId, CommandId, DocumentName, InstanceId, MacAddress, NetworkInterfaceId};
use crate::model::license_check::LicenseCheck;
use crate::model::observation::{AttachmentStatus, InstanceState, Observation};
use crate::model::pause::Pause;
use crate::model::reason::Reason;
use crate::model::request::Trigger;

/// The version of the report's format.
pub const SCHEMA_VERSION: u32 = 1;

/// What one invocation saw, decided and did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The outcome.
    pub outcome: Outcome,
    /// The reason, as a stable kebab-case code.
    pub reason: Code<Reason>,
    /// The outcome and the reason in one sentence.
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
    /// The pause that is in force; null: none.
    #[serde(default)]
    pub pause: Option<Pause>,
    /// How many standbys could take the interface when EC2 was read; absent if the run did not assess them, and after a
    /// move.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub viable_standbys: Option<usize>,
    /// The steps that were taken, in order.
    pub steps: Vec<StepRecord>,
    /// The checks.
    pub checks: Checks,
    /// The result of a TCP connect to each port; absent if the function did not try the ports.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub probes: Vec<Probe>,
    /// The result of activating the token server; absent if the function did not try to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub activation: Option<ActivationRecord>,
    /// Whether licenses are served; absent if the function did not check it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub license_check: Option<LicenseCheck>,
    /// What an operator should know, the worst first.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether the function read the interface and EC2 answered.
    pub fn has_looked(&self) -> bool {
        self.token_server.mac_address.is_some() || self.reason == Reason::InterfaceMissing
    }

    /// The severity of the worst finding.
    pub fn severity(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }
}

/// The outcome of an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, VariantArray)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Outcome {
    /// The interface is on another member.
    Moved,
    /// The holder was stopped, and was started in place.
    Started,
    /// Nothing moved, and something was repaired.
    Repaired,
    /// Nothing had to be done.
    NoAction,
    /// The function had a reason to act and was not allowed to.
    Refused,
    /// The function tried something, and it did not succeed.
    Failed,
    /// An audit: the findings are the result.
    Audited,
    /// A plan or a dry run: what the function would do. Nothing was changed.
    Planned,
    /// The function does not act on this document.
    Ignored,
    /// The function is paused, and changes nothing by itself.
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
    /// The interface is on a running member, and no finding keeps clients away from it.
    Yes,
    /// The interface is elsewhere, or a finding keeps clients away.
    No,
    /// The function did not look, or could not read something.
    Unknown,
}

/// The token server's identity and addresses. Fields are null if they are not known.
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
    /// The hostid that the license names; absent if it is not configured.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub licensed_hostid: Option<String>,
    /// The last day on which the license is valid; absent if it is not configured.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub license_expires: Option<NaiveDate>,
    /// The vendor daemons of the license; absent if it is MOSEK's only.
    #[serde(skip_serializing_if = "is_mosek", default = "mosek")]
    pub vendors: Vec<String>,
    /// The contact for a new license; absent if it is MOSEK's support.
    #[serde(skip_serializing_if = "is_mosek_support", default = "mosek_support")]
    pub license_contact: String,
    /// The TCP ports on which it listens.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub ports: Vec<PortRange>,
    /// The Region of the function.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub region: Option<String>,
    /// The instance to which the interface is attached, in any state.
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

fn is_mosek(vendors: &[String]) -> bool {
    vendors == mosek()
}

fn is_mosek_support(contact: &str) -> bool {
    contact == mosek_support()
}

/// The instance to which the interface is attached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// Its id.
    pub instance_id: InstanceId,
    /// Its state; null if it was not read, as for an instance that is not a member, or if EC2 does not know the
    /// instance anymore.
    pub state: Option<InstanceState>,
}

impl TokenServer {
    /// The token server as it was last seen.
    pub fn new(config: &Config, observation: Option<&Observation>) -> Self {
        let interface = observation.and_then(Observation::interface);
        let attachment = observation
            .and_then(Observation::attachment)
            .filter(|attachment| attachment.status != AttachmentStatus::Detached);
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
            license_expires: config.license_expires,
            vendors: config.vendors.clone(),
            license_contact: config.license_contact.clone(),
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

/// A move. Fields are null if they are not known: in a plan, and in a pending report of another run.
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
    /// Whether the standby was stopped and has been started.
    pub standby_started: Option<bool>,
    /// The time from the first change until the interface was attached, in milliseconds.
    pub duration_ms: Option<u64>,
}

/// A TCP connect to one port of the token server. If several were tried, this is the last one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// The port, at the interface's primary private address.
    pub port: u16,
    /// `ok`, `failed`, or `not-checked` if the missing answer proves nothing, because the connect came from elsewhere.
    pub result: CheckResult,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Why it failed.
    pub error: Option<String>,
}

/// The command that activated a token server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivationRecord {
    /// The Systems Manager document.
    pub document: DocumentName,
    /// The instance on which it ran.
    pub instance_id: InstanceId,
    /// The command; null if it could not be sent.
    pub command_id: Option<CommandId>,
    /// The result.
    pub result: ActivationResult,
    /// Systems Manager's own name for the result; null if Systems Manager never gave one.
    pub status: Option<String>,
    /// The time from sending the command to its end or to the timeout, in milliseconds.
    pub duration_ms: u64,
    /// Why the command could not be sent or followed.
    pub error: Option<String>,
}

impl ActivationRecord {
    /// The record of a command that has no result yet.
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

/// The result of activating a token server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActivationResult {
    /// The command ran and succeeded.
    Done,
    /// The command could not be sent, or did not succeed.
    Failed,
    /// The command had not ended when the report was written.
    Unfinished,
}

/// One step that was taken or would be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepRecord {
    /// The kind of step.
    pub step: Step,
    /// The resource that it is about.
    pub resource: String,
    /// The result.
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

/// The kinds of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, VariantArray)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Step {
    /// Write the tag of a pending report on the interface.
    NoteDebt,
    /// Ask EC2 if the role may attach and start, without doing either.
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
    /// Have Systems Manager activate the token server.
    Activate,
    /// Wait until the activation has ended.
    AwaitActivation,
    /// Connect to the token server's ports.
    Probe,
    /// Have Systems Manager ask the license server if it serves licenses.
    CheckLicense,
    /// Write on the interface that the move was made, and when, for the limit on moves.
    NoteArrival,
    /// Read how many interfaces instances of a type can have, and write it on the interface.
    NoteLimits,
    /// Publish the report.
    Publish,
    /// Remove the tag of a pending report.
    SettleDebt,
    /// Leave the tag of a pending report to the next run.
    HandOverDebt,
    /// Write on the interface what was published, so that it is not published again.
    NotePublished,
    /// Write a pause, or its end by an operator, on the interface.
    NotePause,
    /// Tell Auto Scaling that it may terminate an instance, which does not have the interface anymore.
    CompleteLifecycleAction,
}

/// The result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepResult {
    /// It succeeded.
    Done,
    /// Nothing had to be done.
    Skipped,
    /// It did not succeed.
    Failed,
    /// It was not taken, because the run may not change anything.
    Planned,
}
