//! Instances: their states, their status checks, and their response to requests.

use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, Utc};

use super::{command::CommandBehavior, license_server::Lmutil, tags::Tags, token_server::TokenServer};

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
    /// What AWS has scheduled for it. The simulator only lists these events; nothing happens on their dates.
    pub scheduled_events: Vec<ScheduledEvent>,
    pub capacity: Capacity,
    /// EC2 may not use the key of its root volume: StartInstances succeeds, then the instance goes from `pending` back
    /// to `stopped` with the state reason `Client.InternalError` ("Troubleshoot Amazon EC2 instance launch issues", EC2
    /// User Guide).
    pub volume_locked: bool,
    /// The guest does not release its interfaces: a plain detach never ends, a forced one does.
    pub hung: bool,
    /// The maximum number of interfaces, which its type determines (DescribeInstanceTypes, `MaximumNetworkInterfaces`).
    pub interface_limit: usize,
    /// `MaintenanceOptions.AutoRecovery`. The simulator never recovers an instance.
    pub auto_recovery: AutoRecovery,
    /// Protected from TerminateInstances.
    pub disable_api_termination: bool,
    /// The agent of Systems Manager on the instance.
    pub agent: Agent,
    /// How commands to it end.
    pub command_behavior: CommandBehavior,
    /// The way in which its token server starts.
    pub token_server: TokenServer,
    /// The tool that asks the license server.
    pub lmutil: Lmutil,
    /// Packets from outside are dropped, so that it neither accepts nor refuses connections.
    pub firewalled: bool,
    /// Device indexes that a forced detach left unusable until the next start, see
    /// [`Assumptions::forced_detach_blocks_index`](super::Assumptions::forced_detach_blocks_index).
    pub blocked_indexes: BTreeSet<u32>,
    pub tags: Tags,
    /// Counts state changes, so that a transition that was scheduled in an earlier state is dropped.
    pub(crate) transition: u32,
}

impl Instance {
    /// Status checks run on running instances only; for all others they are not applicable.
    pub fn checks(&self) -> (Check, Check) {
        match self.state {
            InstanceState::Running => (self.system_check, self.instance_check),
            _ => (Check::NotApplicable, Check::NotApplicable),
        }
    }

    /// The attached EBS status check (service model, `InstanceStatus$AttachedEbsStatus`), which not every instance
    /// shows.
    pub fn attached_ebs(&self) -> Option<Check> {
        let is_running = self.state == InstanceState::Running;
        self.attached_ebs_check.map(|check| if is_running { check } else { Check::NotApplicable })
    }

    /// Whether one of the three checks fails.
    pub fn is_impaired(&self) -> bool {
        let (system, own) = self.checks();
        [Some(system), Some(own), self.attached_ebs()].contains(&Some(Check::Impaired))
    }

    /// Whether the agent is connected to Systems Manager now.
    ///
    /// Assumed: it is as soon as the instance runs, and Systems Manager notices at once when it does not. The agent of
    /// a hung instance is not connected.
    pub(crate) fn agent_answers(&self) -> bool {
        self.agent == Agent::Online && self.state == InstanceState::Running && !self.hung
    }

    pub(crate) fn enter(&mut self, state: InstanceState, reason: Option<StateReason>) {
        self.state = state;
        self.state_reason = reason;
        self.transition += 1;
    }
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

/// The reason for the state of an instance (`StateReason` of the service model).
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

/// An event that AWS has scheduled for an instance (`InstanceStatusEvent` of the service model).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledEvent {
    /// The code, such as `instance-retirement`.
    pub code: &'static str,
    /// It begins with `[Completed]` or `[Canceled]` once the event is over.
    pub description: String,
    /// The earliest start.
    pub not_before: DateTime<Utc>,
}

/// Result of a status check of a running instance ("Status checks for your instances", EC2 User Guide).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    Ok,
    Impaired,
    Initializing,
    InsufficientData,
    /// The value for every instance that is not running.
    NotApplicable,
    /// A value that the service model did not have at the time of writing.
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

    /// The status of the `reachability` detail. Absent where no check applies.
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

/// The effect of a start.
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

/// The agent of Systems Manager on an instance, which makes it a managed node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Agent {
    /// No agent is installed, or it may not register: Systems Manager does not know the instance.
    Missing,
    /// The agent is connected whenever the instance runs.
    #[default]
    Online,
    /// The agent has been connected once, but no longer is.
    Lost,
}
