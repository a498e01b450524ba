//! Security groups of a scenario.

use std::ops::RangeInclusive;

use crate::{
    model::{RuleSource, SecurityGroup, SecurityGroupRule, Tags},
    names,
    world::rules::ipv4_network,
};

/// A security group of a [`Scenario`](super::Scenario).
#[derive(Debug, Clone)]
pub struct SecurityGroupSpec {
    pub(super) id: String,
    name: String,
    vpc_id: String,
    rules: Vec<SecurityGroupRule>,
}

impl SecurityGroupSpec {
    pub(super) fn new(id: &str) -> Self {
        Self { id: id.to_owned(), name: id.to_owned(), vpc_id: names::VPC.to_owned(), rules: Vec::new() }
    }

    pub fn name(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    pub fn vpc(mut self, vpc_id: &str) -> Self {
        self.vpc_id = vpc_id.to_owned();
        self
    }

    /// TCP from a network, a prefix list (`pl-…`) or a group (`sg-…`).
    pub fn tcp(self, ports: RangeInclusive<u16>, source: &str) -> Self {
        self.rule("tcp", i32::from(*ports.start()), i32::from(*ports.end()), source)
    }

    /// All traffic from a source.
    pub fn all_traffic(self, source: &str) -> Self {
        self.rule("-1", -1, -1, source)
    }

    pub fn no_rules(mut self) -> Self {
        self.rules.clear();
        self
    }

    pub fn rule(mut self, protocol: &str, from_port: i32, to_port: i32, source: &str) -> Self {
        let source = if source.starts_with("pl-") {
            RuleSource::PrefixList(source.to_owned())
        } else if source.starts_with("sg-") {
            RuleSource::Group(source.to_owned())
        } else if source.contains(':') {
            RuleSource::Ipv6(source.parse().expect("an IPv6 network"))
        } else {
            RuleSource::Ipv4(ipv4_network(source).expect("an IPv4 network"))
        };
        let digits = self.id.trim_start_matches("sg-");
        self.rules.push(SecurityGroupRule {
            id: format!("sgr-{:x}{}", self.rules.len() % 16, digits.get(1..).unwrap_or_default()),
            egress: false,
            protocol: protocol.to_owned(),
            from_port,
            to_port,
            source,
            description: None,
        });
        self
    }

    pub(super) fn build(&self) -> SecurityGroup {
        SecurityGroup {
            id: self.id.clone(),
            name: self.name.clone(),
            description: format!("{} of a simulation", self.name),
            vpc_id: self.vpc_id.clone(),
            rules: self.rules.clone(),
            tags: Tags::new(),
        }
    }
}
