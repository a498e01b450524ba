//! The plan as a value: what is to be done, and how each standby was judged.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::change::Attach;
use crate::model::error::{CallError, Meaning};
use crate::model::ids::{AttachmentId, InstanceId, NetworkInterfaceId};
use crate::model::observation::{Attachment, InstanceState, OLDEST_ANSWER};
use crate::model::reason::Reason;

/// What is to be done, and how each standby was judged on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// What is to be done.
    pub decision: Decision,
    /// Every member but the holder, in the configured order.
    pub standbys: Vec<Standby>,
}

/// What is to be done now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[expect(clippy::large_enum_variant, reason = "there is one of these at a time, so a box would save nothing")]
pub enum Decision {
    /// Enough is known.
    Act(Action),
    /// Two things that EC2 says do not fit together yet: read again, for this long at most.
    LookAgain {
        /// What is waited for.
        reason: LookReason,
        /// How long after the first look the wait ends.
        at_most: Duration,
    },
}

/// What is to be done once enough is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Action {
    /// Nothing has to move.
    Keep {
        /// Why not.
        reason: KeepReason,
    },
    /// Move the interface.
    Move(Move),
    /// Start the holder where it is: nothing better is there.
    Start(Start),
    /// Something should be done and must not be.
    Refuse(Refusal),
    /// EC2 could not be read.
    CannotTell(CallError),
}

/// Why nothing has to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeepReason {
    /// The holder runs and its status checks do not fail.
    HolderHealthy,
    /// The holder is starting.
    HolderStarting,
    /// The holder runs; whether its status checks fail could not be read.
    StatusChecksUnreadable,
    /// The holder is in a state that EC2 did not have when this was written.
    HolderStateUnknown,
    /// An event said that the holder fails. EC2, asked several times, says that it does not.
    EventOutdated,
    /// The member that an operator asked for has the interface already.
    AlreadyOnTarget,
    /// EC2 is attaching the interface, and another run waits for it.
    InterfaceArriving,
    /// An operator does maintenance.
    Paused,
}

/// Why EC2 is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LookReason {
    /// An event says that the holder fails, and EC2 says that it runs. Either may be old.
    EventDisagrees,
    /// The interface is being attached or detached by somebody else.
    InterfaceInTransit,
    /// The interface has arrived on a stopped instance, and the run that brought it there may be just starting it.
    AnotherRunAtWork,
    /// The holder is being terminated and its primary interface is not free yet.
    PrimaryNotReleased,
    /// The only standby that could do is starting or stopping.
    StandbyInTransit,
    /// EC2 is attaching the interface. Nothing else can be done until it has, since EC2 detaches only what is attached.
    AttachPending,
    /// The holder is stopping, and is to be started once it has stopped.
    HolderStopping,
    /// EC2 does not know the interface. One such answer is not believed.
    InterfaceMissing,
    /// EC2 does not know a member. One such answer is not believed.
    MemberMissing,
}

impl LookReason {
    /// How long to keep looking. The design's rule is to believe EC2 in the end; these say when the end is.
    pub(crate) fn at_most(self) -> Duration {
        let seconds = match self {
            Self::InterfaceMissing | Self::MemberMissing => return OLDEST_ANSWER,
            Self::EventDisagrees => 10,
            Self::InterfaceInTransit => 20,
            Self::PrimaryNotReleased => 120,
            Self::StandbyInTransit | Self::AnotherRunAtWork | Self::HolderStopping => 90,
            // Longer than any invocation lasts.
            Self::AttachPending => 900,
        };
        Duration::from_secs(seconds)
    }

    /// What remains to be said when the time is over before the doubt is.
    pub(crate) fn in_doubt(self) -> CallError {
        let (action, what) = match self {
            Self::MemberMissing => ("ec2:DescribeInstances", "a member"),
            _ => ("ec2:DescribeNetworkInterfaces", "the license interface"),
        };
        CallError {
            action: action.to_owned(),
            meaning: Meaning::Unreachable,
            code: None,
            message: format!("EC2 did not know {what}, and there was no time to ask again"),
            request_id: None,
        }
    }

    /// Whether it is an answer of EC2 that is doubted, and not a state that is waited for.
    pub fn doubts_an_answer(self) -> bool {
        matches!(self, Self::InterfaceMissing | Self::MemberMissing)
    }
}

/// A move, with every id that it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Move {
    /// The interface.
    pub interface_id: NetworkInterfaceId,
    /// Why it has to move.
    pub cause: MoveCause,
    /// The attachment that it leaves; `None`: it is attached to nothing.
    pub from: Option<Attachment>,
    /// The viable standbys, best first.
    pub targets: Targets,
    /// The former holder, if it could take the interface back when all targets fail.
    pub fallback: Option<Attach>,
    /// Whether it counts against the limit on automatic moves.
    pub counts: bool,
}

/// A start of the holder where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    /// The interface.
    pub interface_id: NetworkInterfaceId,
    /// The holder, which is stopped.
    pub instance_id: InstanceId,
    /// Why it has to be started.
    pub cause: MoveCause,
    /// Whether it counts against the limit on automatic moves. What completes a move that another run began was counted with it.
    pub counts: bool,
}

/// Why the interface has to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MoveCause {
    /// The holder is being stopped.
    HolderStopping,
    /// The holder is stopped.
    HolderStopped,
    /// The holder is being terminated.
    HolderShuttingDown,
    /// The holder is terminated.
    HolderTerminated,
    /// EC2 does not know the holder anymore.
    HolderMissing,
    /// The holder runs, and its EC2 status checks fail.
    HolderImpaired,
    /// EC2 is about to take the holder, a Spot Instance, away.
    SpotInterruption,
    /// The interface is attached to nothing, or on its way there.
    InterfaceUnattached,
    /// An operator asked for it.
    OperatorRequest,
}

/// One or more targets, best first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Targets {
    /// The best.
    pub first: Target,
    /// The others, in the order in which they are tried.
    pub others: Vec<Target>,
}

impl Targets {
    /// All of them, best first.
    pub fn iter(&self) -> impl Iterator<Item = &Target> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

/// A standby that was found viable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// The attach.
    pub attach: Attach,
    /// Whether it is stopped, and is to be started once it has the interface.
    pub start: bool,
}

/// How a standby was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standby {
    /// The member.
    pub instance_id: InstanceId,
    /// The judgment.
    pub verdict: Verdict,
}

/// The judgment on a standby.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It runs and can take the interface.
    Running,
    /// It is stopped, can take the interface, and may be started.
    Stopped,
    /// It cannot take the interface now.
    NotViable(Obstacle),
}

impl Verdict {
    /// Whether the standby could take the interface now.
    pub fn is_viable(&self) -> bool {
        matches!(self, Self::Running | Self::Stopped)
    }
}

/// What keeps a standby from taking the interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Obstacle {
    /// EC2 does not know the instance.
    Missing,
    /// It is terminated or being terminated.
    Terminated,
    /// It is starting; soon it may be viable.
    Starting,
    /// It is stopping; soon it may be viable.
    Stopping,
    /// It is in a state that EC2 did not have when this was written.
    UnknownState(String),
    /// It is in another Availability Zone than the interface.
    WrongZone(String),
    /// It is in another VPC than the interface.
    WrongVpc,
    /// Another interface has the device index.
    DeviceIndexTaken(NetworkInterfaceId),
    /// It has as many interfaces as an instance of its type can have, by what an attach that was refused has taught.
    NoRoom {
        /// Its type.
        instance_type: String,
        /// How many that are, on network card 0.
        limit: u32,
    },
    /// Its status checks fail.
    Impaired,
    /// Its status checks could not be read.
    StatusChecksUnreadable,
    /// It is stopped, and `FAILOVER_START_STANDBY` is false.
    MayNotStart,
    /// It is stopped, and EC2 could not start it a moment ago.
    NotStarted,
    /// EC2 is about to take it, a Spot Instance, away.
    BeingTaken,
}

impl Obstacle {
    /// Whether it goes away by itself within a minute or two.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Starting | Self::Stopping)
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(f, "EC2 does not know it"),
            Self::Terminated => write!(f, "it is terminated"),
            Self::Starting => write!(f, "it is still starting"),
            Self::Stopping => write!(f, "it is still stopping"),
            Self::UnknownState(state) => write!(f, "its state is {state}"),
            Self::WrongZone(zone) => write!(f, "it is in {zone}, where the interface cannot go"),
            Self::WrongVpc => write!(f, "it is in another VPC"),
            Self::DeviceIndexTaken(interface) => write!(f, "its device index is taken by {interface}"),
            Self::NoRoom { instance_type, limit: 1 } => {
                write!(f, "it has 1 interface, as many as a {instance_type} can have")
            }
            Self::NoRoom { instance_type, limit } => {
                write!(f, "it has {limit} interfaces, as many as a {instance_type} can have")
            }
            Self::Impaired => write!(f, "its EC2 status checks fail"),
            Self::StatusChecksUnreadable => write!(f, "its EC2 status checks could not be read"),
            Self::MayNotStart => write!(f, "it is stopped, and FAILOVER_START_STANDBY is false"),
            Self::NotStarted => write!(f, "it is stopped, and EC2 could not start it a few minutes ago"),
            Self::BeingTaken => write!(f, "EC2 is reclaiming it"),
        }
    }
}

/// Something should be done and must not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Refusal {
    /// EC2 does not know the interface. Its MAC address is lost.
    InterfaceMissing,
    /// The interface is attached to something that is no member.
    HeldByStranger {
        /// The stranger, if it is an instance.
        holder: Option<InstanceId>,
        /// The attachment, for the command that detaches it.
        attachment_id: AttachmentId,
    },
    /// The interface is the holder's primary interface, which EC2 does not detach.
    PrimaryInterface {
        /// The holder.
        holder: InstanceId,
        /// Its state; `None`: EC2 does not know it anymore.
        state: Option<InstanceState>,
        /// The attachment, for the command that makes the interface outlive the holder.
        attachment_id: AttachmentId,
    },
    /// No standby could take the interface.
    NoViableStandby,
    /// The member that an operator asked for cannot take the interface.
    TargetNotViable {
        /// The member.
        target: InstanceId,
        /// Why not.
        obstacle: Obstacle,
    },
    /// The instance that an operator asked for is no member.
    TargetNotAMember {
        /// The instance.
        target: InstanceId,
    },
    /// The holder is stopped, no standby could take the interface, and EC2 could not start the holder a moment ago.
    HolderNotStarted {
        /// The holder.
        holder: InstanceId,
    },
    /// EC2 is attaching the interface for longer than anybody waits.
    StillAttaching {
        /// The member to which it is being attached.
        to: InstanceId,
    },
    /// The interface has moved too often within an hour.
    TooManyMoves {
        /// When the automatic moves of the last hour were.
        moves: Vec<DateTime<Utc>>,
    },
    /// The role does not allow a call.
    PermissionDenied(CallError),
    /// EC2's answer contradicts the question.
    AmbiguousAnswer(CallError),
    /// EC2 refuses a call for a reason that trying again does not change.
    CallRejected(CallError),
}

impl Refusal {
    /// The stable code that reports, settings of alarms and the runbook use.
    pub fn code(&self) -> Reason {
        match self {
            Self::InterfaceMissing => Reason::InterfaceMissing,
            Self::HeldByStranger { .. } => Reason::HeldByStranger,
            Self::PrimaryInterface { .. } => Reason::PrimaryInterface,
            Self::NoViableStandby => Reason::NoViableStandby,
            Self::TargetNotViable { .. } => Reason::TargetNotViable,
            Self::TargetNotAMember { .. } => Reason::TargetNotAMember,
            Self::HolderNotStarted { .. } => Reason::HolderNotStarted,
            Self::StillAttaching { .. } => Reason::StillAttaching,
            Self::TooManyMoves { .. } => Reason::TooManyMoves,
            Self::PermissionDenied(_) => Reason::PermissionDenied,
            Self::AmbiguousAnswer(_) => Reason::AmbiguousAnswer,
            Self::CallRejected(_) => Reason::CallRejected,
        }
    }

    /// What makes this refusal itself beside its code: neither times, nor ids of requests, nor the texts of errors.
    pub(crate) fn details(&self) -> Vec<String> {
        match self {
            Self::InterfaceMissing | Self::NoViableStandby | Self::TooManyMoves { .. } => Vec::new(),
            Self::HeldByStranger { holder, .. } => holder.iter().map(ToString::to_string).collect(),
            Self::PrimaryInterface { holder, .. } | Self::HolderNotStarted { holder } => vec![holder.to_string()],
            Self::StillAttaching { to } => vec![to.to_string()],
            Self::TargetNotViable { target, .. } | Self::TargetNotAMember { target } => vec![target.to_string()],
            Self::PermissionDenied(error) | Self::AmbiguousAnswer(error) => vec![error.action.clone()],
            Self::CallRejected(error) => {
                vec![error.action.clone(), error.code.clone().unwrap_or_default()]
            }
        }
    }

    /// The reason as the end of a sentence; the finding has the details.
    pub fn in_words(&self) -> String {
        match self {
            Self::InterfaceMissing => "EC2 does not know it".to_owned(),
            Self::HeldByStranger { .. } => "it is attached to something that is not a member".to_owned(),
            Self::PrimaryInterface { holder, .. } => {
                format!("it is the primary interface of {holder}, and EC2 never detaches a primary interface")
            }
            Self::NoViableStandby => "no standby can take it".to_owned(),
            Self::TargetNotViable { target, .. } => format!("{target} cannot take it"),
            Self::TargetNotAMember { target } => format!("{target} is not a member"),
            Self::HolderNotStarted { holder } => {
                format!("no standby can take it, and EC2 could not start its holder, {holder}")
            }
            Self::StillAttaching { to } => format!("EC2 is still attaching it to {to}"),
            Self::TooManyMoves { .. } => "there were too many moves or starts in the last hour".to_owned(),
            Self::PermissionDenied(error) => format!("the function is not allowed to call {}", error.action),
            Self::AmbiguousAnswer(_) => "EC2's answer does not match the request".to_owned(),
            Self::CallRejected(error) => format!("EC2 rejects {}", error.action),
        }
    }

    /// The refusal that follows from an error of EC2 which trying again does not change.
    pub fn from_error(error: CallError) -> Self {
        match error.meaning {
            Meaning::Denied => Self::PermissionDenied(error),
            Meaning::Contradiction => Self::AmbiguousAnswer(error),
            _ => Self::CallRejected(error),
        }
    }
}

impl MoveCause {
    /// The cause as the end of a sentence that begins with "because".
    pub fn in_words(self) -> &'static str {
        match self {
            Self::HolderStopping => "its holder was being stopped",
            Self::HolderStopped => "its holder was stopped",
            Self::HolderShuttingDown => "its holder was being terminated",
            Self::HolderTerminated => "its holder was terminated",
            Self::HolderMissing => "EC2 no longer knows its holder",
            Self::HolderImpaired => "its holder failed its EC2 status checks",
            Self::SpotInterruption => "EC2 is reclaiming its holder, a Spot Instance",
            Self::InterfaceUnattached => "it was not attached to any instance",
            Self::OperatorRequest => "an operator requested it",
        }
    }

    /// The stable code that reports use.
    pub fn code(self) -> Reason {
        match self {
            Self::HolderStopping => Reason::HolderStopping,
            Self::HolderStopped => Reason::HolderStopped,
            Self::HolderShuttingDown => Reason::HolderShuttingDown,
            Self::HolderTerminated => Reason::HolderTerminated,
            Self::HolderMissing => Reason::HolderMissing,
            Self::HolderImpaired => Reason::HolderImpaired,
            Self::SpotInterruption => Reason::SpotInterruption,
            Self::InterfaceUnattached => Reason::InterfaceUnattached,
            Self::OperatorRequest => Reason::OperatorRequest,
        }
    }
}

impl KeepReason {
    /// The stable code that reports use.
    pub fn code(self) -> Reason {
        match self {
            Self::HolderHealthy => Reason::HolderHealthy,
            Self::HolderStarting => Reason::HolderStarting,
            Self::StatusChecksUnreadable => Reason::StatusChecksUnreadable,
            Self::HolderStateUnknown => Reason::HolderStateUnknown,
            Self::EventOutdated => Reason::EventOutdated,
            Self::AlreadyOnTarget => Reason::AlreadyOnTarget,
            Self::InterfaceArriving => Reason::InterfaceArriving,
            Self::Paused => Reason::Paused,
        }
    }
}
