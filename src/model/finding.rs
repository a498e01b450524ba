//! A finding: one fact that an operator should know, how bad it is, and what to do about it.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use crate::model::code::Code;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Display)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Something will go wrong, or may.
    Warning,
    /// The token server does not work, or the next failover will not.
    Critical,
}

/// Declares the codes, each with the severities that it can have, the usual one first.
macro_rules! finding_codes {
    ($($(#[$doc:meta])* $code:ident => [$usual:ident $(, $other:ident)*],)*) => {
        /// What a finding is about. The names, in kebab-case, are part of the contract.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray)]
        #[strum(serialize_all = "kebab-case")]
        pub enum FindingCode {
            $($(#[$doc])* $code,)*
        }

        impl FindingCode {
            /// The severities that a finding of this code can have, the usual one first.
            pub fn severities(self) -> &'static [Severity] {
                match self {
                    $(Self::$code => &[Severity::$usual $(, Severity::$other)*],)*
                }
            }

            /// The usual severity.
            pub fn severity(self) -> Severity {
                match self {
                    $(Self::$code => Severity::$usual,)*
                }
            }
        }
    };
}

finding_codes! {
    // The interface
    /// EC2 does not know the license interface.
    InterfaceMissing => [Critical],
    /// The interface is attached to something other than a member.
    HeldByStranger => [Critical],
    /// The interface is not attached to any instance: no member could take it, or no run has tried yet.
    AttachedToNothing => [Critical],
    /// The interface is a primary interface (device index 0), which EC2 never detaches.
    PrimaryInterface => [Critical],
    /// Terminating the instance would destroy the interface, and its MAC address would be lost forever.
    DeleteOnTermination => [Critical],
    /// The license has a different MAC address from the interface.
    HostidMismatch => [Critical],
    /// Something other than the function has moved the interface.
    MovedBySomebody => [Info, Warning],
    /// The source/destination check of the interface is off.
    SourceDestCheck => [Info],
    /// EC2's answer does not match the request, so nothing was changed.
    AmbiguousAnswer => [Critical],

    // The license file
    /// The file has no SERVER line: it is a license for one machine, or part of a file.
    NoServerLine => [Critical],
    /// The file has three SERVER lines: a redundant set of servers, for which moving an interface is the wrong tool.
    RedundantServers => [Critical],
    /// The file has neither one SERVER line nor three.
    WrongNumberOfServers => [Critical],
    /// The hostid is not a MAC address, so it does not move with the interface.
    HostidNotAMac => [Critical, Warning],
    /// The SERVER line names several MAC addresses.
    SeveralHostids => [Info],
    /// The host is a placeholder from a template.
    HostPlaceholder => [Critical],
    /// The host is `this_host`, by which clients may not find the token server.
    HostIsThisHost => [Warning],
    /// The host is an address or a name of each client's own machine.
    HostIsLoopback => [Warning],
    /// The port of lmgrd is not fixed, so clients search 27000-27009.
    ServerPortMissing => [Warning],
    /// `PLAT=` does not allow virtual machines.
    VirtualMachinesExcluded => [Warning],
    /// The file has no VENDOR line, so `lmgrd` starts no vendor daemon.
    NoVendorLine => [Critical],
    /// The vendor daemon takes a different port each time it starts, so no security group rule can let clients in.
    VendorPortNotFixed => [Critical],
    /// Two daemons have the same port.
    PortUsedTwice => [Critical],
    /// Only root can open a port of the file.
    PortPrivileged => [Warning],
    /// The file has several vendor daemons, which move together.
    SeveralVendors => [Warning],
    /// One vendor daemon has two lines that differ.
    VendorRepeated => [Warning],
    /// Some lines of the file were not fully understood.
    LinesNotUnderstood => [Info],
    /// A line is invalid, so the license manager may not start.
    LineInvalid => [Critical],
    /// The MAC address has a notation that FlexNet does not document.
    HostidNotation => [Info],
    /// The MAC address is one that no interface of EC2 has.
    HostidImplausible => [Critical, Warning, Info],
    /// The host is a name of one instance, and names the wrong machine after a move.
    HostIsOneInstance => [Critical, Warning],
    /// The host is an address that no client can reach.
    HostUnreachable => [Critical],
    /// The host is an address that is not the interface's.
    HostNotOfInterface => [Warning],
    /// A path with a space has no quotation marks.
    PathNotQuoted => [Warning],
    /// The file is for the Reprise License Manager (RLM), not for FlexNet.
    RlmLicense => [Info],
    /// The file has no FEATURE or INCREMENT line, so nothing is served.
    NoFeatureLine => [Critical],
    /// Features belong to a vendor daemon that no VENDOR line names, so they are not served.
    FeatureWithoutVendor => [Critical, Warning],
    /// The license, or a part of it, is not valid yet.
    LicenseNotStarted => [Critical, Warning],
    /// The license, or a part of it, has expired.
    LicenseExpired => [Critical, Warning],
    /// The license, or a part of it, expires within 30 days.
    LicenseExpiresSoon => [Warning, Critical],

    // Holder and standbys
    /// No instance in the interface's VPC and zone has the tag in TOKEN_SERVER_MEMBERS.
    NoMembers => [Critical],
    /// More instances have the tag in TOKEN_SERVER_MEMBERS than can be members.
    TooManyMembers => [Critical],
    /// Instances with the tag in TOKEN_SERVER_MEMBERS are in another VPC or zone, so the interface can never go there.
    MembersElsewhere => [Warning],
    /// The instance that has the interface is not running, or its status checks fail.
    HolderFailed => [Critical],
    /// No standby could take the interface now.
    NoViableStandby => [Critical],
    /// An operator has paused the function for maintenance.
    Paused => [Warning],
    /// One standby could not take the interface.
    StandbyNotViable => [Warning],
    /// One standby has as many interfaces as its instance type allows.
    StandbyWithoutRoom => [Warning],
    /// Another interface of the holder is at the configured device index, and the license interface is at another one.
    DeviceIndexTaken => [Warning],
    /// The license interface is in the subnet of the members' primary interfaces, so the operating system needs a separate
    /// routing table for it.
    SameSubnet => [Info],
    /// EC2 recovers these members by itself, and without the interface if it has moved.
    AutoRecovery => [Info],
    /// Termination protection is off for members: one call can terminate them.
    TerminationProtection => [Info],
    /// AWS will retire the hardware of a member.
    RetirementScheduled => [Warning],
    /// AWS will terminate a member.
    TerminationScheduled => [Warning],
    /// AWS will stop a member.
    StopScheduled => [Warning],
    /// AWS will reboot a member.
    RebootScheduled => [Warning],
    /// AWS will work on the power or the network of a member, or will change something else.
    MaintenanceScheduled => [Warning],
    /// Members that are listed by their ids are in an Auto Scaling group, which replaces them by instances with other ids.
    MembersInAutoScalingGroup => [Warning],
    /// A member's Auto Scaling group has no lifecycle hook for termination, so it does not wait for the interface to leave.
    NoTerminationHook => [Warning],
    /// A member's Auto Scaling group has several lifecycle hooks for termination, and none has the name `token-failover`.
    SeveralTerminationHooks => [Warning],
    /// An Auto Scaling group waits for a lifecycle action before it terminates a member that does not hold the interface.
    LifecycleActionOpen => [Warning],
    /// An operator requested a failover to an instance that is not a member.
    TargetNotAMember => [Critical],
    /// An operator requested a failover to a member that cannot take the interface.
    TargetNotViable => [Critical],

    // Network path
    /// The Elastic IP is not associated with anything.
    ElasticIpNotAssociated => [Critical],
    /// The Elastic IP is with a member but not on the license interface, or not on the interface's primary private address.
    ElasticIpElsewhere => [Critical],
    /// The Elastic IP is with an instance or interface that does not belong to a member.
    ElasticIpWithStranger => [Critical],
    /// EC2 does not know the Elastic IP.
    ElasticIpMissing => [Critical],
    /// The Elastic IP is not on the interface, and its location is not known.
    ElasticIpNotChecked => [Warning],
    /// The subnet has no active route to an internet gateway, so no client reaches the Elastic IP.
    NoInternetGateway => [Critical],
    /// A port is closed to a client.
    SecurityGroupPortClosed => [Critical],
    /// The security group rules or a prefix list could not be read.
    SecurityGroupNotChecked => [Warning],
    /// A port is open to every address on the internet.
    SecurityGroupOpenToWorld => [Warning],
    /// TOKEN_SERVER_CLIENTS is empty, so the function did not check who can reach the ports.
    SecurityGroupSourcesNotChecked => [Info],
    /// TOKEN_SERVER_CLIENTS names a security group that does not exist.
    ClientGroupMissing => [Critical],
    /// The network ACL blocks requests, or all answers.
    NetworkAclBlocks => [Critical],
    /// The network ACL blocks some of the answers to clients.
    NetworkAclBlocksSomeAnswers => [Warning],

    // License service
    /// Ports of the token server do not accept a connection.
    PortsNotAnswering => [Critical, Warning],
    /// lmgrd does not answer lmstat, so no licenses are served.
    LicenseServerDown => [Critical],
    /// lmgrd runs, but a vendor daemon does not, or it rejects the hostid.
    VendorDaemonDown => [Critical],
    /// lmgrd and its vendor daemons run, and serve no feature.
    NoFeatureServed => [Critical],
    /// lmstat reports errors for some features.
    FeatureNotServed => [Warning],
    /// The license check could not tell something.
    LicenseNotChecked => [Warning],
    /// The command that activates the token server could not be sent, or failed.
    ActivationFailed => [Critical, Warning],
    /// The command that activates the token server had not ended when the report was written.
    ActivationUnfinished => [Warning],
    /// The document that activates the token server does not exist.
    ActivationDocumentMissing => [Critical],
    /// The Systems Manager agent on a running member does not report, so the function cannot activate the token server there.
    MemberNotManaged => [Critical, Warning],

    // Notifications
    /// The SNS topic does not exist.
    TopicMissing => [Critical],
    /// The topic has no confirmed subscription, so no mail can tell you.
    NoSubscription => [Critical],
    /// One subscription was never confirmed, so SNS sends it nothing.
    SubscriptionUnconfirmed => [Warning],
    /// The report could not be published.
    NotPublished => [Critical],
    /// The message was too large for SNS, so it leaves out findings.
    FindingsLeftOut => [Critical, Warning, Info],
    /// The message was too large for SNS, so it leaves out earlier steps.
    StepsLeftOut => [Info],
    /// The function could not note the change, a move or a start in place, on the interface before it made it.
    MarkNotWritten => [Warning],
    /// The function could not remove the note of a pending report, so the report will be published again.
    MarkNotRemoved => [Warning],

    // Permissions and failed attempts
    /// The role does not allow a call.
    PermissionDenied => [Critical, Warning],
    /// An audit could not check something, so its state is not known.
    NotAudited => [Warning],
    /// EC2 rejects a call that the failover needs.
    CallRejected => [Critical],
    /// Within the last hour the function moved the interface, or started its holder in place, as often as
    /// FAILOVER_MAX_MOVES_PER_HOUR allows.
    TooManyMoves => [Critical],
    /// One member did not take the interface, and the function tried the next one.
    AttachFailed => [Warning],
    /// One member that has the interface could not be started.
    StartFailed => [Warning],
    /// The interface is on a standby that could not be started.
    StandbyNotStarted => [Critical],
    /// The holder is stopped, no standby can take the interface, and EC2 could not start the holder.
    HolderNotStarted => [Critical],
    /// EC2 has been attaching the interface for minutes.
    StillAttaching => [Critical],
    /// The standby has the interface and was started, and did not run yet when the report was written.
    StandbyStillStarting => [Warning],
    /// No standby could take the interface, so it went back to its former holder.
    ReturnedToFormerHolder => [Critical],
    /// The interface was detached by force.
    DetachedByForce => [Warning],
    /// A repair did not succeed.
    RepairFailed => [Critical],
}

/// One fact that an operator should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub code: Code<FindingCode>,
    /// The fact, in one sentence.
    pub message: String,
    /// The resource that it is about.
    pub resource: Option<String>,
    /// What to do about it: plain sentences, and each command on a line of its own.
    pub remedy: String,
}

impl Finding {
    /// A finding about a resource, as severe as its code usually is.
    pub fn new(code: FindingCode, resource: impl ToString, message: String, remedy: String) -> Self {
        let (severity, resource) = (code.severity(), Some(resource.to_string()));
        Self { severity, code: code.into(), message, resource, remedy }
    }

    /// The finding with this severity, if its code can have it.
    #[must_use]
    pub fn as_severe_as(self, severity: Severity) -> Self {
        match self.code {
            Code::Known(code) if !code.severities().contains(&severity) => self,
            Code::Known(_) | Code::Unknown(_) => Self { severity, ..self },
        }
    }
}
