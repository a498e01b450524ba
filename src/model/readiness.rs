//! What an audit knows beyond an [`Observation`](crate::model::observation::Observation): everything that decides if the
//! next failover would work and if its report would reach a person. Plain values, without any type of the SDK.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::model::change::Change;
use crate::model::ids::{InstanceId, SecurityGroupId};
use crate::model::observation::{InterfaceLimits, Reading};

/// What an audit has read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// How many interfaces the members' instance types can have.
    pub interface_limits: Reading<BTreeMap<String, InterfaceLimits>>,
    /// Whether termination protection is on for each member.
    pub protected: BTreeMap<InstanceId, Reading<bool>>,
    /// The routes of the interface's subnet; `None`: there is no interface.
    pub routes: Option<Reading<Vec<Route>>>,
    /// The network ACL of the interface's subnet; `None`: there is no interface.
    pub acl: Option<Reading<Vec<AclEntry>>>,
    /// The configured clients' security groups that exist.
    pub client_groups: Reading<BTreeSet<SecurityGroupId>>,
    /// The topic's subscriptions; `Known(None)`: the topic does not exist.
    pub subscriptions: Reading<Option<Vec<Subscription>>>,
    /// Every change that a failover would make, and whether the role allows it.
    pub permissions: Vec<Permission>,
    /// The names of the lifecycle hooks for termination, of each Auto Scaling group that a member is in.
    #[serde(default)]
    pub termination_hooks: BTreeMap<String, Reading<Vec<String>>>,
    /// Whether commands could be run on the members; `None`: no activation and no license check is configured.
    #[serde(default)]
    pub commands: Option<CommandReadiness>,
}

/// Whether Systems Manager could run commands on the members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandReadiness {
    /// Whether the document exists that activates a running standby; `None`: no activation is configured. The license
    /// check of an audit shows by itself whether its document exists.
    pub activation_document: Option<Reading<bool>>,
    /// The running members from whose agent Systems Manager hears.
    pub reachable: Reading<BTreeSet<InstanceId>>,
}

/// Whether the role allows a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Permission {
    /// The change.
    pub change: Change,
    /// EC2's answer to the dry run.
    pub answer: Reading<()>,
}

/// A route of a subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// The destination; `None`: a prefix list.
    pub destination: Option<IpNet>,
    /// The gateway, such as `igw-…` or `local`.
    pub gateway_id: Option<String>,
    /// Whether the route works. If its target is gone, its traffic is lost.
    pub active: bool,
}

impl Route {
    /// Whether it leads to the internet.
    pub fn is_to_internet(&self) -> bool {
        self.active && self.gateway_id.as_ref().is_some_and(|gateway| gateway.starts_with("igw-"))
    }
}

/// An entry of a network ACL.
/// Source: EC2 API Reference, *NetworkAclEntry*.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AclEntry {
    /// EC2 tries entries in the order of their numbers, and the first one that fits decides.
    pub number: i32,
    /// Whether it applies to outgoing traffic.
    pub egress: bool,
    /// Whether it lets traffic pass.
    pub allow: bool,
    /// The addresses of the other side.
    pub range: IpNet,
    /// The first and the last TCP port that it applies to; `None`: it does not apply to TCP.
    pub tcp_ports: Option<(u16, u16)>,
}

/// A subscription to the topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    /// The protocol, such as `email` or `sqs`.
    pub protocol: String,
    /// A mail address or an ARN.
    pub endpoint: String,
    /// Whether SNS sends it what is published.
    pub standing: Standing,
}

/// The state of a subscription. SNS sends messages only to a confirmed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It has an ARN.
    Confirmed,
    /// SNS has asked the endpoint for a confirmation and has not received it. Until then, SNS sends nothing else.
    Pending,
    /// It was unsubscribed. SNS keeps it in its list for three days.
    Deleted,
}

impl Standing {
    /// Reads what SNS shows as the ARN of a subscription. It is an ARN only if the subscription is confirmed.
    /// Source: SNS API Reference, *ListSubscriptionsByTopic*, and "Confirming the subscription"; for `Deleted`, which is not
    /// documented there, AWS re:Post, "How do I recreate a 'Deleted' Amazon SNS topic subscription".
    pub fn of_arn(arn: &str) -> Self {
        match arn {
            "Deleted" => Self::Deleted,
            arn if arn.starts_with("arn:") => Self::Confirmed,
            _ => Self::Pending,
        }
    }
}
