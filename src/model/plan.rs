//! The plan as a value: what to do, and the verdict on each standby.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::change::Attach;
use crate::model::error::{CallError, Meaning};
use crate::model::ids::{AttachmentId, InstanceId, NetworkInterfaceId};
use crate::model::observation::{Attachment, InstanceState, OLDEST_ANSWER};
use crate::model::reason::Reason;

/// What to do, and the verdict on each standby.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// What to do.
    pub decision: Decision,
    /// Every member except the holder, in the configured order.
    pub standbys: Vec<Standby>,
}

impl Plan {
    /// The answer of EC2 that is doubted; `None`: none is.
    pub fn doubted(&self) -> Option<LookReason> {
        match self.decision {
            Decision::LookAgain { reason, .. } => Some(reason).filter(|reason| reason.doubts_an_answer()),
            Decision::Act(_) => None,
        }
    }
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[expect(clippy::large_enum_variant, reason = "there is one of these at a time, so a box would save nothing")]
pub enum Decision {
    /// Enough is known.
    Act(Action),
    /// Two of EC2's answers, or an event and EC2, do not fit together yet. Read EC2 again, for this long at most.
    LookAgain {
        /// What the run waits for.
        reason: LookReason,
        /// The longest time since the first look.
        at_most: Duration,
    },
}

/// What to do once enough is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Action {
    /// Nothing has to move.
    Keep {
        /// Why.
        reason: KeepReason,
    },
    /// Move the interface.
    Move(Move),
    /// Start the holder in place, because no move would be better.
    Start(Start),
    /// There is a reason to act, and the function must not.
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
    /// The holder runs, and its status checks could not be read.
    StatusChecksUnreadable,
    /// The holder is in a state that this version does not know.
    HolderStateUnknown,
    /// An event said that the holder fails. EC2, asked several times, says that it runs.
    EventOutdated,
    /// An event said that an Auto Scaling group is about to terminate a member. Auto Scaling, asked several times, does not
    /// say so.
    LifecycleActionOver,
    /// The holder is about to go, and the standby that could take the interface is still starting.
    AwaitingStandby,
    /// EC2 recommends a move away from the holder, which runs, and no standby could take the interface.
    NowhereToRebalance,
    /// The member that an operator asked for already has the interface.
    AlreadyOnTarget,
    /// EC2 is attaching the interface, and another run waits for it.
    InterfaceArriving,
    /// A pause is in force.
    Paused,
}

/// Why EC2 is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LookReason {
    /// An event says that the holder fails, or is about to be terminated by its group, and EC2 or Auto Scaling does not say
    /// so. Either may be old.
    EventDisagrees,
    /// Another run or an operator is attaching or detaching the interface.
    InterfaceInTransit,
    /// The interface has arrived on a stopped instance, and the run that brought it there may be about to start it.
    AnotherRunAtWork,
    /// The holder is being terminated and its primary interface is not free yet.
    PrimaryNotReleased,
    /// The only standby that could take the interface is starting or stopping.
    StandbyInTransit,
    /// EC2 is attaching the interface. Nothing else can be done until that ends, because EC2 detaches only an attached
    /// interface.
    AttachPending,
    /// The holder is stopping, and is started once it has stopped.
    HolderStopping,
    /// EC2 does not know the interface. A single such answer is not believed.
    InterfaceMissing,
    /// EC2 does not know a member. A single such answer is not believed.
    MemberMissing,
}

impl LookReason {
    /// How long to keep looking. In the end, the function believes EC2.
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

    /// The error if the invocation times out before the doubt is resolved.
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

    /// Whether the function doubts an answer of EC2, and does not just wait for a state to change.
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
    /// The viable standbys, the best first.
    pub targets: Targets,
    /// The former holder, if it could take the interface back when all targets fail.
    pub fallback: Option<Attach>,
    /// The viable standbys that this move passes over, because an operator asked for another one or because they do not count
    /// as ones that stay. They get the interface only if it would be attached to nothing otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_resorts: Vec<Target>,
    /// Whether it counts against the limit on automatic moves.
    pub counts: bool,
}

/// A start of the holder in place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    /// The interface.
    pub interface_id: NetworkInterfaceId,
    /// The holder, which is stopped.
    pub instance_id: InstanceId,
    /// Why it has to be started.
    pub cause: MoveCause,
    /// Whether it counts against the limit on automatic moves. A start that completes another run's move was counted
    /// with that move.
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
    /// EC2 is reclaiming the holder, a Spot Instance.
    SpotInterruption,
    /// The holder runs, and its Auto Scaling group is about to terminate it.
    AutoScalingTermination,
    /// The holder runs, and AWS will soon stop, retire or reboot it, or work on it.
    ScheduledEvent,
    /// The holder, a Spot Instance, runs, and EC2 recommends a move away from it.
    RebalanceRecommendation,
    /// The interface is detaching or attached to nothing.
    InterfaceUnattached,
    /// An operator asked for it.
    OperatorRequest,
}

/// One or more targets, the best first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Targets {
    /// The best target.
    pub first: Target,
    /// The others, in the order in which they are tried.
    pub others: Vec<Target>,
}

impl Targets {
    /// All targets, the best first.
    pub fn iter(&self) -> impl Iterator<Item = &Target> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

/// A viable standby.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// The attach.
    pub attach: Attach,
    /// Whether it is stopped, and has to be started once it has the interface.
    pub start: bool,
}

/// A standby and the verdict on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standby {
    /// The member.
    pub instance_id: InstanceId,
    /// The verdict.
    pub verdict: Verdict,
}

/// The verdict on a standby.
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
    /// It is starting, and may be viable soon.
    Starting,
    /// It is stopping, and may be viable soon.
    Stopping,
    /// It is in a state that this version does not know.
    UnknownState(String),
    /// It is in another Availability Zone than the interface.
    WrongZone(String),
    /// It is in another VPC than the interface.
    WrongVpc,
    /// Another interface has the device index.
    DeviceIndexTaken(NetworkInterfaceId),
    /// It has as many interfaces as an instance of its type can have. The function learned the limit from a refused
    /// attach.
    NoRoom {
        /// Its type.
        instance_type: String,
        /// The limit on network card 0.
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
    /// It is a Spot Instance that EC2 is reclaiming.
    BeingTaken,
    /// Its Auto Scaling group is about to terminate it.
    LeavingItsGroup,
}

impl Obstacle {
    /// Whether the obstacle passes by itself within a minute or two.
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
            Self::LeavingItsGroup => write!(f, "its Auto Scaling group is about to terminate it"),
        }
    }
}

/// The reason why the function must not act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Refusal {
    /// EC2 does not know the interface. Its MAC address is lost.
    InterfaceMissing,
    /// The interface is attached to something that is not a member.
    HeldByStranger {
        /// The non-member, if it is an instance.
        holder: Option<InstanceId>,
        /// The attachment, for the command that detaches it.
        attachment_id: AttachmentId,
    },
    /// The interface is the holder's primary interface, which EC2 does not detach.
    PrimaryInterface {
        /// The holder.
        holder: InstanceId,
        /// The holder's state; `None`: EC2 does not know the holder anymore.
        state: Option<InstanceState>,
        /// The attachment, for the command that makes the interface outlive the holder.
        attachment_id: AttachmentId,
    },
    /// No standby could take the interface.
    NoViableStandby,
    /// The holder runs and is about to go, and no standby could take the interface. So the interface stays.
    NowhereToGo {
        /// The holder.
        holder: InstanceId,
        /// Why it is about to go.
        cause: MoveCause,
    },
    /// The member that an operator asked for cannot take the interface.
    TargetNotViable {
        /// The member.
        target: InstanceId,
        /// Why it cannot.
        obstacle: Obstacle,
    },
    /// The instance that an operator asked for is not a member.
    TargetNotAMember {
        /// The instance.
        target: InstanceId,
    },
    /// The holder is stopped, no standby could take the interface, and EC2 could not start the holder a moment ago.
    HolderNotStarted {
        /// The holder.
        holder: InstanceId,
    },
    /// EC2 has been attaching the interface for longer than any run waits.
    StillAttaching {
        /// The member to which it is being attached.
        to: InstanceId,
    },
    /// The interface has moved too often within an hour.
    TooManyMoves {
        /// When the automatic moves of the last hour were.
        moves: Vec<DateTime<Utc>>,
    },
    /// No instance in the interface's VPC and zone has the tag of the members.
    NoMembers,
    /// More instances have the tag of the members than can be members.
    TooManyMembers {
        /// How many.
        count: usize,
    },
    /// The role does not allow a call.
    PermissionDenied(CallError),
    /// EC2's answer contradicts the request.
    AmbiguousAnswer(CallError),
    /// EC2 rejects a call, and another try does not help.
    CallRejected(CallError),
}

impl Refusal {
    /// The stable code that reports, alarm settings and the runbook use.
    pub fn code(&self) -> Reason {
        match self {
            Self::InterfaceMissing => Reason::InterfaceMissing,
            Self::HeldByStranger { .. } => Reason::HeldByStranger,
            Self::PrimaryInterface { .. } => Reason::PrimaryInterface,
            Self::NoViableStandby | Self::NowhereToGo { .. } => Reason::NoViableStandby,
            Self::TargetNotViable { .. } => Reason::TargetNotViable,
            Self::TargetNotAMember { .. } => Reason::TargetNotAMember,
            Self::HolderNotStarted { .. } => Reason::HolderNotStarted,
            Self::StillAttaching { .. } => Reason::StillAttaching,
            Self::TooManyMoves { .. } => Reason::TooManyMoves,
            Self::NoMembers => Reason::NoMembers,
            Self::TooManyMembers { .. } => Reason::TooManyMembers,
            Self::PermissionDenied(_) => Reason::PermissionDenied,
            Self::AmbiguousAnswer(_) => Reason::AmbiguousAnswer,
            Self::CallRejected(_) => Reason::CallRejected,
        }
    }

    /// What identifies this refusal besides its code. Times, request ids and error messages do not belong to it.
    pub(crate) fn details(&self) -> Vec<String> {
        match self {
            Self::InterfaceMissing
            | Self::NoViableStandby
            | Self::TooManyMoves { .. }
            | Self::NoMembers
            | Self::TooManyMembers { .. } => Vec::new(),
            Self::HeldByStranger { holder, .. } => holder.iter().map(ToString::to_string).collect(),
            Self::PrimaryInterface { holder, .. } | Self::HolderNotStarted { holder } => vec![holder.to_string()],
            Self::StillAttaching { to } => vec![to.to_string()],
            Self::NowhereToGo { holder, cause } => vec![holder.to_string(), cause.code().to_string()],
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
            Self::NowhereToGo { holder, cause } => {
                format!("no standby can take it, so it stays on {holder}, although {}", cause.in_words())
            }
            Self::TargetNotViable { target, .. } => format!("{target} cannot take it"),
            Self::TargetNotAMember { target } => format!("{target} is not a member"),
            Self::HolderNotStarted { holder } => {
                format!("no standby can take it, and EC2 could not start its holder, {holder}")
            }
            Self::StillAttaching { to } => format!("EC2 is still attaching it to {to}"),
            Self::TooManyMoves { .. } => "there were too many moves or starts in the last hour".to_owned(),
            Self::NoMembers => "no instance in its VPC and zone has the tag of the members".to_owned(),
            Self::TooManyMembers { count } => format!("{count} instances have the tag of the members"),
            Self::PermissionDenied(error) => format!("the function is not allowed to call {}", error.action),
            Self::AmbiguousAnswer(_) => "EC2's answer does not match the request".to_owned(),
            Self::CallRejected(error) => format!("EC2 rejects {}", error.action),
        }
    }

    /// The refusal that follows from an error of EC2 that another try does not change.
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
            Self::AutoScalingTermination => "an Auto Scaling group is about to terminate its holder",
            Self::ScheduledEvent => "AWS has scheduled a change to its holder",
            Self::RebalanceRecommendation => "EC2 recommended a move away from its holder, a Spot Instance",
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
            Self::AutoScalingTermination => Reason::AutoScalingTermination,
            Self::ScheduledEvent => Reason::ScheduledEvent,
            Self::RebalanceRecommendation => Reason::RebalanceRecommendation,
            Self::InterfaceUnattached => Reason::InterfaceUnattached,
            Self::OperatorRequest => Reason::OperatorRequest,
        }
    }

    /// Whether the holder still runs, so that the move can wait for a standby.
    pub fn is_ahead_of_time(self) -> bool {
        matches!(self, Self::AutoScalingTermination | Self::ScheduledEvent | Self::RebalanceRecommendation)
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
            Self::LifecycleActionOver => Reason::LifecycleActionOver,
            Self::AwaitingStandby => Reason::AwaitingStandby,
            Self::NowhereToRebalance => Reason::NowhereToRebalance,
            Self::AlreadyOnTarget => Reason::AlreadyOnTarget,
            Self::InterfaceArriving => Reason::InterfaceArriving,
            Self::Paused => Reason::Paused,
        }
    }
}
