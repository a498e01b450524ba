//! Elastic IP addresses and their associations.

use std::net::Ipv4Addr;

use super::tags::Tags;

/// An Elastic IP address.
#[derive(Debug, Clone)]
pub struct Address {
    pub allocation_id: String,
    pub public_ip: Ipv4Addr,
    pub association: Option<Association>,
    pub tags: Tags,
}

/// An Elastic IP is associated with a private address of an interface, so it moves with the interface ("Elastic IP
/// addresses", EC2 User Guide).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Association {
    pub id: String,
    pub interface_id: String,
    pub private_ip: Ipv4Addr,
}
