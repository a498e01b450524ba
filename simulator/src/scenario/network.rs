//! Subnets, route tables and network ACLs of a scenario.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
    ops::RangeInclusive,
};

use ipnet::{IpNet, Ipv4Net};

use crate::{
    model::{
        NetworkAcl, NetworkAclEntry, Region, Route, RouteDestination, RouteState, RouteTable, RouteTableAssociation,
        RuleAction, Subnet, Tags,
    },
    names,
};

/// A subnet of a [`Scenario`](super::Scenario).
#[derive(Debug, Clone)]
pub struct SubnetSpec {
    pub(super) id: String,
    pub(super) vpc_id: String,
    availability_zone: String,
    cidr_block: Option<Ipv4Net>,
}

impl SubnetSpec {
    pub(super) fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            vpc_id: names::VPC.to_owned(),
            availability_zone: names::ZONE.to_owned(),
            cidr_block: None,
        }
    }

    pub fn vpc(mut self, vpc_id: &str) -> Self {
        self.vpc_id = vpc_id.to_owned();
        self
    }

    pub fn zone(mut self, availability_zone: &str) -> Self {
        self.availability_zone = availability_zone.to_owned();
        self
    }

    pub fn cidr(mut self, cidr_block: &str) -> Self {
        self.cidr_block = Some(cidr_block.parse().expect("an IPv4 network"));
        self
    }

    /// Without a CIDR block it gets the next one of its VPC.
    pub(super) fn build(&self, position: usize) -> Subnet {
        let next = || {
            let number = if self.id == names::SUBNET { 1 } else { u8::try_from(position + 2).unwrap_or(u8::MAX) };
            Ipv4Net::new_assert(Ipv4Addr::new(10, 0, number, 0), 24)
        };
        Subnet {
            id: self.id.clone(),
            vpc_id: self.vpc_id.clone(),
            availability_zone: self.availability_zone.clone(),
            cidr_block: self.cidr_block.unwrap_or_else(next),
            tags: Tags::new(),
        }
    }
}

/// A route table of a [`Scenario`](super::Scenario). It has the route within its VPC.
#[derive(Debug, Clone)]
pub struct RouteTableSpec {
    pub(super) id: String,
    pub(super) vpc_id: String,
    pub(super) main: bool,
    subnets: Vec<String>,
    routes: Vec<Route>,
}

impl RouteTableSpec {
    pub(super) fn new(id: &str) -> Self {
        if id == names::MAIN_ROUTE_TABLE { Self::main_of(names::VPC) } else { Self::own(id, names::VPC) }
    }

    fn own(id: &str, vpc_id: &str) -> Self {
        let local = Route::local(names::VPC_CIDR.parse().expect("an IPv4 network"));
        Self { id: id.to_owned(), vpc_id: vpc_id.to_owned(), main: false, subnets: Vec::new(), routes: vec![local] }
    }

    /// The main table that a VPC has unless the scenario names one.
    pub(super) fn main_of(vpc_id: &str) -> Self {
        Self { main: true, ..Self::own(&sibling(vpc_id, "rtb"), vpc_id) }.route("0.0.0.0/0", &sibling(vpc_id, "igw"))
    }

    pub fn vpc(mut self, vpc_id: &str) -> Self {
        self.vpc_id = vpc_id.to_owned();
        self
    }

    /// Makes it the main table of its VPC.
    pub fn main(mut self) -> Self {
        self.main = true;
        self
    }

    /// Associates it with this subnet.
    pub fn subnet(mut self, subnet_id: &str) -> Self {
        self.subnets.push(subnet_id.to_owned());
        self
    }

    /// Adds a route, or changes the one to this destination: an IPv4 or IPv6 network or a prefix list.
    pub fn route(self, destination: &str, target: &str) -> Self {
        self.add(destination, target, RouteState::Active)
    }

    /// Adds a route whose target does not exist.
    pub fn blackhole(self, destination: &str, target: &str) -> Self {
        self.add(destination, target, RouteState::Blackhole)
    }

    pub fn without_route(mut self, destination: &str) -> Self {
        let destination = RouteDestination::parse(destination).expect("a destination");
        self.routes.retain(|route| route.destination != destination);
        self
    }

    fn add(self, destination: &str, target: &str, state: RouteState) -> Self {
        let mut table = self.without_route(destination);
        let destination = RouteDestination::parse(destination).expect("a destination");
        table.routes.push(Route { destination, target: target.to_owned(), state });
        table
    }

    /// A route to an internet gateway is a blackhole in a VPC without one.
    pub(super) fn build(&self, vpcs_without_gateway: &BTreeSet<String>) -> RouteTable {
        let mut routes = self.routes.clone();
        if vpcs_without_gateway.contains(&self.vpc_id) {
            for route in routes.iter_mut().filter(|route| route.target.starts_with("igw-")) {
                route.state = RouteState::Blackhole;
            }
        }
        let main = RouteTableAssociation { id: sibling(&self.id, "rtbassoc"), subnet_id: None };
        let own = self.subnets.iter().map(|subnet_id| RouteTableAssociation {
            id: sibling(subnet_id, "rtbassoc"),
            subnet_id: Some(subnet_id.clone()),
        });
        RouteTable {
            id: self.id.clone(),
            vpc_id: self.vpc_id.clone(),
            associations: self.main.then_some(main).into_iter().chain(own).collect(),
            routes,
            tags: Tags::new(),
        }
    }
}

/// A network ACL of a [`Scenario`](super::Scenario). It denies what it does not allow.
#[derive(Debug, Clone)]
pub struct NetworkAclSpec {
    pub(super) id: String,
    pub(super) acl: NetworkAcl,
    pub(super) subnets: Vec<String>,
}

impl NetworkAclSpec {
    pub(super) fn new(id: &str) -> Self {
        let acl = if id == names::DEFAULT_NETWORK_ACL {
            NetworkAcl::default_of(id, names::VPC)
        } else {
            NetworkAcl::custom(id, names::VPC)
        };
        Self { id: id.to_owned(), acl, subnets: Vec::new() }
    }

    pub fn vpc(mut self, vpc_id: &str) -> Self {
        vpc_id.clone_into(&mut self.acl.vpc_id);
        self
    }

    /// Associates it with this subnet.
    pub fn subnet(mut self, subnet_id: &str) -> Self {
        self.subnets.push(subnet_id.to_owned());
        self
    }

    pub fn allow_inbound_tcp(self, rule_number: u16, ports: RangeInclusive<u16>, cidr: &str) -> Self {
        self.tcp(rule_number, false, RuleAction::Allow, &ports, cidr)
    }

    pub fn deny_inbound_tcp(self, rule_number: u16, ports: RangeInclusive<u16>, cidr: &str) -> Self {
        self.tcp(rule_number, false, RuleAction::Deny, &ports, cidr)
    }

    pub fn allow_outbound_tcp(self, rule_number: u16, ports: RangeInclusive<u16>, cidr: &str) -> Self {
        self.tcp(rule_number, true, RuleAction::Allow, &ports, cidr)
    }

    pub fn deny_outbound_tcp(self, rule_number: u16, ports: RangeInclusive<u16>, cidr: &str) -> Self {
        self.tcp(rule_number, true, RuleAction::Deny, &ports, cidr)
    }

    fn tcp(self, rule_number: u16, egress: bool, action: RuleAction, ports: &RangeInclusive<u16>, cidr: &str) -> Self {
        let network = cidr.parse().expect("a network");
        self.entry(NetworkAclEntry::tcp(rule_number, egress, action, (*ports.start(), *ports.end()), network))
    }

    /// Adds an entry, or replaces the one with its number.
    pub fn entry(mut self, entry: NetworkAclEntry) -> Self {
        self.acl.put(entry);
        self
    }

    /// Removes all entries, so that the ACL denies everything.
    pub fn no_entries(mut self) -> Self {
        self.acl.entries.retain(|entry| entry.rule_number == NetworkAclEntry::LAST);
        self
    }
}

/// The id of another kind with the same digits.
pub(super) fn sibling(id: &str, prefix: &str) -> String {
    format!("{prefix}-{}", id.rsplit('-').next().unwrap_or_default())
}

/// The address with this last byte, among the first 256 of a network.
fn address_in(network: Ipv4Net, host: u8) -> Ipv4Addr {
    let [a, b, c, _] = network.network().octets();
    let address = Ipv4Addr::new(a, b, c, host);
    assert!(IpNet::V4(network).contains(&IpAddr::V4(address)), "{network} is too small for host {host}");
    address
}

/// The private address of a new interface.
pub(super) fn address_of(region: &Region, subnet_id: &str, host: u8) -> Ipv4Addr {
    let subnet = region.subnet(subnet_id).expect("the subnet of an interface is there");
    address_in(subnet.cidr_block, host)
}
