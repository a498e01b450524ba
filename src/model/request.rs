//! A request as a value: what started the invocation, and what it asks for.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantArray};

use crate::model::finding::FindingCode;
use crate::model::ids::InstanceId;
use crate::model::pause::End;
use crate::model::reason::Reason;

/// What started an invocation, as the report names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trigger {
    /// The kind of document.
    pub kind: TriggerKind,
    /// The event's id, if it has one.
    pub id: Option<String>,
    /// When EventBridge says that the event happened.
    pub time: Option<DateTime<Utc>>,
    /// The instance that the event is about, as the event has it.
    pub instance_id: Option<String>,
    /// The state that the event reports, as the event has it.
    pub state: Option<String>,
    /// The reason that an operator gave.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// When the announced change begins.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub starts_at: Option<DateTime<Utc>>,
}

impl Trigger {
    pub(crate) fn of(kind: TriggerKind) -> Self {
        Self { kind, id: None, time: None, instance_id: None, state: None, reason: None, starts_at: None }
    }
}

/// The kinds of documents that the function knows.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Display, EnumString, VariantArray,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum TriggerKind {
    /// *EC2 Instance State-change Notification*.
    InstanceStateChange,
    /// *EC2 Spot Instance Interruption Warning*.
    SpotInterruption,
    /// *EC2 Instance Rebalance Recommendation*.
    RebalanceRecommendation,
    /// *EC2 Instance-terminate Lifecycle Action*, of Auto Scaling.
    LifecycleAction,
    /// *CloudWatch Alarm State Change*, or the document of an alarm that invokes the function directly.
    Alarm,
    /// *AWS Health Event*.
    Health,
    /// *Scheduled Event*.
    Schedule,
    /// An operator's `{"action":"reconcile"}`.
    Reconcile,
    /// An operator's, or the schedule's, `{"action":"audit"}`.
    Audit,
    /// An operator's `{"action":"plan"}`.
    Plan,
    /// An operator's `{"action":"failover"}`.
    Failover,
    /// An operator's `{"action":"pause"}`.
    Pause,
    /// An operator's `{"action":"resume"}`.
    Resume,
    /// Anything else.
    Unknown,
}

/// The intent of the document that started the invocation. The plan knows nothing else of the document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Intent {
    /// Read everything, move if the holder has failed, and repair what the configuration allows.
    Reconcile,
    /// Check for everything that would go wrong with the next failover, and change nothing.
    Audit,
    /// An event named these instances. Read EC2, and move if the holder has failed.
    Look {
        /// The instances that the event names, each once. Empty: an alarm that names no instance.
        instances: Vec<InstanceId>,
        /// Whether the event claims that they fail. If EC2 disagrees, the run reads EC2 again for a limited time.
        reported_failing: bool,
    },
    /// EC2 is reclaiming this Spot Instance.
    Evacuate {
        /// The Spot Instance.
        instance: InstanceId,
        /// At this time, the warning has come true or was withdrawn, and means nothing anymore.
        until: DateTime<Utc>,
    },
    /// EC2 recommends a move away from this Spot Instance, because it may soon reclaim the instance.
    Rebalance {
        /// The Spot Instance.
        instance: InstanceId,
        /// At this time, the recommendation is too old to be acted on.
        until: DateTime<Utc>,
    },
    /// An Auto Scaling group waits for a lifecycle action before it terminates this instance.
    Release {
        /// The instance.
        instance: InstanceId,
    },
    /// An operator wants the interface on another member, in whatever state the holder is.
    Failover {
        /// The member that gets it; `None`: the most preferred standby.
        to: Option<InstanceId>,
    },
    /// An operator pauses the function for maintenance.
    Pause {
        /// The end of the pause; `None`: after the default duration.
        until: Option<End>,
    },
    /// An operator ends the pause.
    Resume,
}

impl Intent {
    /// Whether an operator asked for a move. Only that takes the interface from a healthy holder, and it is never
    /// limited.
    pub fn is_operators_failover(&self) -> bool {
        matches!(self, Self::Failover { .. })
    }

    /// Whether the invocation may repair what it finds even if nothing has to move.
    pub fn repairs(&self) -> bool {
        matches!(self, Self::Reconcile)
    }

    /// The instances that the request is about; empty: it is about the token server as a whole.
    pub(crate) fn instances(&self) -> &[InstanceId] {
        match self {
            Self::Look { instances, .. } => instances,
            Self::Evacuate { instance, .. } | Self::Rebalance { instance, .. } | Self::Release { instance } => {
                std::slice::from_ref(instance)
            }
            Self::Reconcile | Self::Audit | Self::Failover { .. } | Self::Pause { .. } | Self::Resume => &[],
        }
    }
}

/// A document that the function understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What started the invocation.
    pub trigger: Trigger,
    /// What the document asks for.
    pub intent: Intent,
    /// Whether the function only answers what it would do, and changes nothing.
    pub dry_run: bool,
}

impl Request {
    /// What AWS Health announces and for which instances; `None`: the event announces nothing.
    pub fn announced(&self) -> Option<(Announced, &[InstanceId])> {
        let code = self.trigger.state.as_deref().filter(|_| self.trigger.kind == TriggerKind::Health)?;
        Some((Announced::from_type_code(code), self.intent.instances()))
    }
}

/// What AWS will do to an instance. None of these is a reason to move: the instance runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announced {
    /// AWS retires its hardware. The instance is stopped, or terminated if its root volume is an instance store.
    Retirement,
    /// AWS terminates it.
    Termination,
    /// AWS stops it.
    Stop,
    /// AWS reboots it or its host.
    Reboot,
    /// It loses power for a short time and is rebooted.
    PowerMaintenance,
    /// It loses its network for a short time.
    NetworkMaintenance,
    /// Another change.
    Change,
}

impl Announced {
    /// Sorts the event type codes of AWS Health by the word for the change in them. AWS publishes no list of the codes.
    /// Source: EC2 User Guide, "Types of scheduled events"; AWS Health User Guide, samples of events.
    pub fn from_type_code(code: &str) -> Self {
        let words = [
            ("RETIREMENT", Self::Retirement),
            ("TERMINATION", Self::Termination),
            ("STOP", Self::Stop),
            ("REBOOT", Self::Reboot),
            ("POWER", Self::PowerMaintenance),
            ("NETWORK", Self::NetworkMaintenance),
        ];
        let named = words.into_iter().find(|(word, _)| code.split('_').any(|part| part == *word));
        named.map_or(Self::Change, |(_, announced)| announced)
    }

    /// Sorts the codes of EC2's own list. `system-maintenance` is work on the network or on the power supply, and EC2
    /// tells which in its description only. Source: EC2 API Reference, *InstanceStatusEvent*; EC2 User Guide, "Types of
    /// scheduled events".
    pub fn from_event_code(code: &str) -> Self {
        match code {
            "instance-retirement" => Self::Retirement,
            "instance-stop" => Self::Stop,
            "instance-reboot" | "system-reboot" => Self::Reboot,
            _ => Self::Change,
        }
    }

    /// The code of its finding.
    pub fn finding_code(self) -> FindingCode {
        match self {
            Self::Retirement => FindingCode::RetirementScheduled,
            Self::Termination => FindingCode::TerminationScheduled,
            Self::Stop => FindingCode::StopScheduled,
            Self::Reboot => FindingCode::RebootScheduled,
            Self::PowerMaintenance | Self::NetworkMaintenance | Self::Change => FindingCode::MaintenanceScheduled,
        }
    }

    /// The reason of a report that is about nothing else.
    pub fn code(self) -> Reason {
        match self {
            Self::Retirement => Reason::RetirementScheduled,
            Self::Termination => Reason::TerminationScheduled,
            Self::Stop => Reason::StopScheduled,
            Self::Reboot => Reason::RebootScheduled,
            Self::PowerMaintenance | Self::NetworkMaintenance | Self::Change => Reason::MaintenanceScheduled,
        }
    }
}

/// The result of reading a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// A request to act on.
    Request(Request),
    /// A document that the function does not act on. Sending it again would not help, so it is not an error.
    Ignored {
        /// What started the invocation.
        trigger: Trigger,
        /// Why it is ignored.
        reason: IgnoredReason,
        /// The reason for people.
        detail: String,
    },
}

/// Why a document is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IgnoredReason {
    /// Neither an EventBridge document nor an operator's request.
    UnknownDocument,
    /// An EventBridge document of a source and type that the function does not handle.
    UnknownEvent,
    /// An EventBridge document of a type that the function handles, without a required field.
    MalformedEvent,
    /// An event that an archive replays. It describes the past.
    ReplayedEvent,
    /// An alarm that is not in the state ALARM, or a Health event that announces nothing or is over.
    NothingToDo,
}

impl IgnoredReason {
    /// The stable code that reports use.
    pub fn code(self) -> Reason {
        match self {
            Self::UnknownDocument => Reason::UnknownDocument,
            Self::UnknownEvent => Reason::UnknownEvent,
            Self::MalformedEvent => Reason::MalformedEvent,
            Self::ReplayedEvent => Reason::ReplayedEvent,
            Self::NothingToDo => Reason::NothingToDo,
        }
    }
}

/// A malformed request from an operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{problem}; accepted requests are {{\"action\":\"reconcile\"}}, {{\"action\":\"audit\"}}, {{\"action\":\"plan\"}}, \
     {{\"action\":\"failover\",\"to\":\"i-…\",\"reason\":\"…\"}}, \
     {{\"action\":\"pause\",\"until\":\"2h\",\"reason\":\"…\"}} and {{\"action\":\"resume\"}} \
     (to, until and reason are optional); reconcile, audit and failover also accept \"dryRun\":true"
)]
pub struct RequestError {
    pub(crate) problem: String,
}

impl RequestError {
    pub(crate) fn new(problem: String) -> Self {
        Self { problem }
    }
}
