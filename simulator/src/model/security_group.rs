//! Security groups and their rules.

use std::fmt;

use ipnet::{Ipv4Net, Ipv6Net};

use super::tags::Tags;

#[derive(Debug, Clone)]
pub struct SecurityGroup {
    pub id: String,
    pub name: String,
    pub description: String,
    pub vpc_id: String,
    pub rules: Vec<SecurityGroupRule>,
    pub tags: Tags,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityGroupRule {
    pub id: String,
    pub egress: bool,
    /// `tcp`, `udp`, `icmp`, `icmpv6`, another protocol's number, or `-1` for all.
    pub protocol: String,
    /// Ports, or ICMP type and code. -1 means all.
    pub from_port: i32,
    pub to_port: i32,
    pub source: RuleSource,
    pub description: Option<String>,
}

/// The other end of a rule. Networks are canonical: EC2 stores `100.68.0.18/18` as `100.68.0.0/18`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleSource {
    Ipv4(Ipv4Net),
    Ipv6(Ipv6Net),
    PrefixList(String),
    Group(String),
}

impl fmt::Display for RuleSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipv4(network) => network.fmt(f),
            Self::Ipv6(network) => network.fmt(f),
            Self::PrefixList(id) | Self::Group(id) => id.fmt(f),
        }
    }
}
