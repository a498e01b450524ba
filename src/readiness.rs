//! What an audit knows beyond an [`Observation`](crate::observation::Observation): everything that decides whether the next
//! failover would work and somebody would be told. Plain values, with nothing of the SDK in them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::cloud::Change;
use crate::ids::{InstanceId, SecurityGroupId};
use crate::observation::{InterfaceLimits, Reading};

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

/// How much of some traffic a network ACL lets pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// All.
    Free,
    /// Some.
    Partial,
    /// Nothing.
    Blocked,
}

/// Whether the entries let TCP traffic of this direction pass, with these ports and this other side.
///
/// What the entries decide changes only where an entry's range or ports begin or end, so it is enough to try these places.
pub fn passage(entries: &[AclEntry], egress: bool, range: IpNet, ports: (u16, u16)) -> Passage {
    let mut entries: Vec<&AclEntry> = entries.iter().filter(|entry| entry.egress == egress).collect();
    entries.sort_by_key(|entry| entry.number);
    let addresses = addresses(&entries, range);
    let ports = ports_to_try(&entries, ports);
    let is_allowed = |address: IpAddr, port: u16| {
        let first = entries.iter().find(|entry| {
            let is_about = |(first, last): (u16, u16)| (first..=last).contains(&port);
            entry.range.contains(&address) && entry.tcp_ports.is_some_and(is_about)
        });
        // What no entry is about does not pass.
        first.is_some_and(|entry| entry.allow)
    };
    let tried = addresses.iter().flat_map(|address| ports.iter().map(|port| is_allowed(*address, *port)));
    let (mut some, mut all) = (false, true);
    for allowed in tried {
        some |= allowed;
        all &= allowed;
    }
    match (all, some) {
        (true, _) => Passage::Free,
        (false, true) => Passage::Partial,
        (false, false) => Passage::Blocked,
    }
}

/// An address of every part of the range that the entries treat alike.
fn addresses(entries: &[&AclEntry], range: IpNet) -> BTreeSet<IpAddr> {
    let after = |last: IpAddr| match last {
        IpAddr::V4(last) => u32::from(last).checked_add(1).map(|next| IpAddr::V4(next.into())),
        IpAddr::V6(last) => u128::from(last).checked_add(1).map(|next| IpAddr::V6(next.into())),
    };
    let begins = entries.iter().map(|entry| entry.range.network());
    let ends = entries.iter().filter_map(|entry| after(entry.range.broadcast()));
    let inside = begins.chain(ends).filter(|address| range.contains(address));
    std::iter::once(range.network()).chain(inside).collect()
}

/// A port of every part of the range that the entries treat alike.
fn ports_to_try(entries: &[&AclEntry], (first, last): (u16, u16)) -> BTreeSet<u16> {
    let begins = entries.iter().filter_map(|entry| Some(entry.tcp_ports?.0));
    let ends = entries.iter().filter_map(|entry| entry.tcp_ports?.1.checked_add(1));
    let inside = begins.chain(ends).filter(|port| (first..=last).contains(port));
    std::iter::once(first).chain(inside).collect()
}
