//! The network of an interface: subnets, route tables, network ACLs.

use ipnet::IpNet;

use super::{super::xml::Xml, tags::tag_set};
use crate::{
    model::RouteDestination,
    world::{NetworkAclView, RouteTableView, SubnetView},
};

pub(super) fn subnet(xml: &mut Xml, subnet: &SubnetView) {
    xml.text("subnetId", &subnet.id);
    xml.text("subnetArn", subnet.arn());
    xml.text("state", "available");
    xml.text("ownerId", &subnet.home.account);
    xml.text("vpcId", &subnet.vpc_id);
    xml.text("cidrBlock", subnet.cidr_block);
    xml.list("ipv6CidrBlockAssociationSet", [(); 0], |_, ()| {});
    xml.text("availableIpAddressCount", subnet.available_ip_address_count);
    xml.text("availabilityZone", &subnet.availability_zone);
    tag_set(xml, &subnet.tags);
}

pub(super) fn route_table(xml: &mut Xml, table: &RouteTableView) {
    xml.text("routeTableId", &table.id);
    xml.text("vpcId", &table.vpc_id);
    xml.text("ownerId", &table.home.account);
    xml.list("routeSet", &table.routes, |xml, route| {
        match &route.destination {
            RouteDestination::Network(IpNet::V4(network)) => xml.text("destinationCidrBlock", network),
            RouteDestination::Network(IpNet::V6(network)) => xml.text("destinationIpv6CidrBlock", network),
            RouteDestination::PrefixList(id) => xml.text("destinationPrefixListId", id),
        }
        xml.text(route.target_member(), &route.target);
        xml.text("state", route.state.name());
        xml.text("origin", route.origin());
    });
    xml.list("associationSet", &table.associations, |xml, association| {
        xml.text("routeTableAssociationId", &association.id);
        xml.text("routeTableId", &table.id);
        xml.text_if_any("subnetId", association.subnet_id.as_ref());
        xml.text("main", association.is_main());
        xml.element("associationState", |xml| xml.text("state", "associated"));
    });
    xml.list("propagatingVgwSet", [(); 0], |_, ()| {});
    tag_set(xml, &table.tags);
}

pub(super) fn network_acl(xml: &mut Xml, acl: &NetworkAclView) {
    xml.text("networkAclId", &acl.id);
    xml.text("vpcId", &acl.vpc_id);
    xml.text("ownerId", &acl.home.account);
    xml.text("default", acl.is_default);
    xml.list("entrySet", &acl.entries, |xml, entry| {
        xml.text("ruleNumber", entry.rule_number);
        xml.text("protocol", &entry.protocol);
        xml.text("ruleAction", entry.action.name());
        xml.text("egress", entry.egress);
        match entry.network {
            IpNet::V4(network) => xml.text("cidrBlock", network),
            IpNet::V6(network) => xml.text("ipv6CidrBlock", network),
        }
        if let Some((from, to)) = entry.ports {
            xml.element("portRange", |xml| {
                xml.text("from", from);
                xml.text("to", to);
            });
        }
    });
    xml.list("associationSet", &acl.associations, |xml, association| {
        xml.text("networkAclAssociationId", &association.id);
        xml.text("networkAclId", &acl.id);
        xml.text("subnetId", &association.subnet_id);
    });
    tag_set(xml, &acl.tags);
}
