//! What an audit knows beyond an [`Observation`](crate::observation::Observation): everything that decides whether the next
//! failover would work and somebody would be told. Plain values, with nothing of the SDK in them.

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
    /// Whether each member is protected from being terminated through the API.
    pub protected: BTreeMap<InstanceId, Reading<bool>>,
    /// The routes of the interface's subnet; `None`: there is no interface.
    pub routes: Option<Reading<Vec<Route>>>,
    /// The network ACL of the interface's subnet; `None`: there is no interface.
    pub acl: Option<Reading<Vec<AclEntry>>>,
    /// Those of the configured clients' security groups that exist.
    pub client_groups: Reading<BTreeSet<SecurityGroupId>>,
    /// Who is subscribed to the topic; `Known(None)`: the topic does not exist.
    pub subscriptions: Reading<Option<Vec<Subscription>>>,
    /// Every change that a failover would make, and whether the role allows it.
    pub permissions: Vec<Permission>,
    /// Whether a standby that runs could be woken; `None`: it serves by itself.
    #[serde(default)]
    pub activation: Option<ActivationReadiness>,
}

/// Whether a standby that runs could be woken by Systems Manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivationReadiness {
    /// Whether the document exists.
    pub document: Reading<bool>,
    /// Those of the members that run from whose agent Systems Manager hears.
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
    /// Where it leads; `None`: to a prefix list.
    pub destination: Option<IpNet>,
    /// The gateway, such as `igw-…` or `local`.
    pub gateway_id: Option<String>,
    /// False: its target is gone, and what takes it is lost.
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
    /// Entries are tried in the order of their numbers, and the first that fits decides.
    pub number: i32,
    /// Whether it is about outgoing traffic.
    pub egress: bool,
    /// Whether it lets traffic pass.
    pub allow: bool,
    /// The other side.
    pub range: IpNet,
    /// The TCP ports that it is about, first and last; `None`: it is not about TCP.
    pub tcp_ports: Option<(u16, u16)>,
}

/// A subscription to the topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    /// Such as `email` or `sqs`.
    pub protocol: String,
    /// A mail address or an ARN.
    pub endpoint: String,
    /// Whether it gets what is published.
    pub standing: Standing,
}

/// How a subscription stands. Only a confirmed one gets messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It has an ARN.
    Confirmed,
    /// SNS has sent a question to the endpoint, which was not answered, and sends nothing else.
    Pending,
    /// Somebody has unsubscribed it. SNS goes on listing it for three days.
    Deleted,
}

impl Standing {
    /// What SNS shows as the ARN of a subscription: an ARN only if it is confirmed.
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
