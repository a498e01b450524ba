//! The reasons of reports.

use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// The reason of a report. The names, in kebab-case, are part of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum Reason {
    /// The holder was being stopped.
    HolderStopping,
    /// The holder was stopped.
    HolderStopped,
    /// The holder was being terminated.
    HolderShuttingDown,
    /// The holder was terminated.
    HolderTerminated,
    /// EC2 does not know the holder anymore.
    HolderMissing,
    /// The holder failed its EC2 status checks.
    HolderImpaired,
    /// EC2 is reclaiming the holder, a Spot Instance.
    SpotInterruption,
    /// The holder's Auto Scaling group is about to terminate the holder.
    AutoScalingTermination,
    /// AWS has scheduled a change to the holder.
    ScheduledEvent,
    /// EC2 recommends a move away from the holder, a Spot Instance.
    RebalanceRecommendation,
    /// The interface was not attached to any instance.
    InterfaceUnattached,
    /// An operator requested the move.
    OperatorRequest,
    /// The holder runs and its status checks do not fail.
    HolderHealthy,
    /// The holder is starting.
    HolderStarting,
    /// The holder runs, and its status checks could not be read.
    StatusChecksUnreadable,
    /// The holder is in a state that this version does not know.
    HolderStateUnknown,
    /// An event said that the holder failed, and EC2 says that it runs.
    EventOutdated,
    /// An event said that an Auto Scaling group is about to terminate a member, and Auto Scaling does not say so.
    LifecycleActionOver,
    /// The holder is about to go, and the standby is still starting.
    AwaitingStandby,
    /// EC2 recommends a move away from the holder, and no standby can take the interface.
    NowhereToRebalance,
    /// The member that an operator named already has the interface.
    AlreadyOnTarget,
    /// EC2 is attaching the interface, and another run waits for it.
    InterfaceArriving,
    /// A pause is in force.
    Paused,
    /// The event is about an instance that is not a member.
    NotAMember,
    /// Another run moved the interface at the same time.
    MovedByAnotherRun,
    /// EC2 does not know the interface.
    InterfaceMissing,
    /// The interface is attached to something other than a member.
    HeldByStranger,
    /// The interface is a primary interface, which EC2 never detaches.
    PrimaryInterface,
    /// No standby can take the interface.
    NoViableStandby,
    /// The member that an operator named cannot take the interface.
    TargetNotViable,
    /// The instance that an operator named is not a member.
    TargetNotAMember,
    /// EC2 could not start the holder, and no standby can take the interface.
    HolderNotStarted,
    /// EC2 has been attaching the interface for minutes.
    StillAttaching,
    /// The limit on moves is reached.
    TooManyMoves,
    /// No instance in the interface's VPC and zone has the tag of the members.
    NoMembers,
    /// More instances have the tag of the members than can be members.
    TooManyMembers,
    /// The role does not allow a call.
    PermissionDenied,
    /// EC2's answer does not match the request.
    AmbiguousAnswer,
    /// EC2 rejects a call.
    CallRejected,
    /// No standby took the interface, so it went back to its former holder.
    ReturnedToFormerHolder,
    /// The interface is on a standby that could not be started.
    StandbyNotStarted,
    /// The interface is not attached to any instance.
    AttachedToNothing,
    /// The invocation timed out during a move.
    DeadlineReached,
    /// Repairs were made.
    RepairsMade,
    /// EC2 accepted a repair and does not show it yet.
    RepairNotSeen,
    /// A repair did not succeed.
    RepairFailed,
    /// Another run made a change and could not report it.
    ReportWasOwed,
    /// The next failover would work.
    Ready,
    /// The next failover would work, and there are warnings.
    ReadyWithWarnings,
    /// The token server does not work, or soon will not, or will not after the next failover.
    NotReady,
    /// AWS will retire the hardware of a member.
    RetirementScheduled,
    /// AWS will terminate a member.
    TerminationScheduled,
    /// AWS will stop a member.
    StopScheduled,
    /// AWS will reboot a member.
    RebootScheduled,
    /// AWS will do something else to a member.
    MaintenanceScheduled,
    /// A pause was set.
    PauseSet,
    /// A pause ends within a quarter of an hour.
    PauseEndsSoon,
    /// A pause has ended by itself.
    PauseEnded,
    /// An operator has ended a pause.
    Resumed,
    /// There is no pause to end.
    NotPaused,
    /// The tag of a pause does not name an end.
    PauseNotUnderstood,
    /// The document is neither an EventBridge document nor an operator's request.
    UnknownDocument,
    /// The event is not one that the function knows.
    UnknownEvent,
    /// The event lacks what it must have.
    MalformedEvent,
    /// An archive replays the event.
    ReplayedEvent,
    /// The event is nothing to act upon.
    NothingToDo,
}
