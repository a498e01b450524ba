//! Route tables, and the routes in them.

use std::fmt;

use ipnet::{IpNet, Ipv4Net};

use super::tags::Tags;

/// The main table of a VPC, or a table for some subnets. "If a subnet is not explicitly associated with any
/// route table, it is implicitly associated with the main route table" (service model, DescribeRouteTables).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteTable {
    pub id: String,
    pub vpc_id: String,
    pub associations: Vec<RouteTableAssociation>,
    pub routes: Vec<Route>,
    pub tags: Tags,
}

impl RouteTable {
    pub fn is_main(&self) -> bool {
        self.associations.iter().any(RouteTableAssociation::is_main)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteTableAssociation {
    pub id: String,
    /// `None` for the association of the main table with its VPC.
    pub subnet_id: Option<String>,
}

impl RouteTableAssociation {
    pub fn is_main(&self) -> bool {
        self.subnet_id.is_none()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub destination: RouteDestination,
    /// `local`, or the id of a gateway, an interface or another target. The prefix of the id tells its kind.
    pub target: String,
    pub state: RouteState,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteDestination {
    Network(IpNet),
    PrefixList(String),
}

impl RouteDestination {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.starts_with("pl-") {
            return Some(Self::PrefixList(text.to_owned()));
        }
        text.parse::<IpNet>().ok().map(|network| Self::Network(network.trunc()))
    }
}

impl fmt::Display for RouteDestination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::PrefixList(id) => id.fmt(f),
        }
    }
}

/// "The blackhole state indicates that the route's target isn't available (for example, the specified gateway isn't
/// attached to the VPC, or the specified NAT instance has been terminated)" (service model, `Route$State`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteState {
    Active,
    Blackhole,
}

impl RouteState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Blackhole => "blackhole",
        }
    }
}

impl Route {
    /// The route within the VPC, which every table has.
    pub(crate) fn local(vpc_cidr: Ipv4Net) -> Self {
        Self {
            destination: RouteDestination::Network(vpc_cidr.into()),
            target: LOCAL.to_owned(),
            state: RouteState::Active,
        }
    }

    /// `CreateRouteTable` for a route that came with its table, `CreateRoute` for all others; routes are not
    /// propagated.
    pub fn origin(&self) -> &'static str {
        if self.target == LOCAL { "CreateRouteTable" } else { "CreateRoute" }
    }

    /// The member of `Route` in which the service model has a target of this kind.
    pub(crate) fn target_member(&self) -> &'static str {
        match self.target.split_once('-').map_or("", |(prefix, _)| prefix) {
            "nat" => "natGatewayId",
            "tgw" => "transitGatewayId",
            "eni" => "networkInterfaceId",
            "i" => "instanceId",
            "pcx" => "vpcPeeringConnectionId",
            "eigw" => "egressOnlyInternetGatewayId",
            "lgw" => "localGatewayId",
            "cagw" => "carrierGatewayId",
            _ => "gatewayId",
        }
    }
}

const LOCAL: &str = "local";
