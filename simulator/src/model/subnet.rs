//! Subnets.

use ipnet::Ipv4Net;

use super::tags::Tags;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    pub id: String,
    pub vpc_id: String,
    pub availability_zone: String,
    pub cidr_block: Ipv4Net,
    pub tags: Tags,
}
