//! The license interface, as far as a license file can fit it or not.

use std::net::Ipv4Addr;

use token_failover::model::ids::MacAddress;
use token_failover::model::observation::NetworkInterface;

/// The license interface, as far as a license file can fit it or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interface {
    /// Its MAC address.
    pub mac_address: MacAddress,
    /// Its primary private address.
    pub private_address: Option<Ipv4Addr>,
    /// Its public address: the Elastic IP, if it has one.
    pub public_address: Option<Ipv4Addr>,
}

impl From<&NetworkInterface> for Interface {
    fn from(seen: &NetworkInterface) -> Self {
        Self {
            mac_address: seen.mac_address,
            private_address: seen.private_ip_address,
            public_address: seen.association.as_ref().map(|association| association.public_ip),
        }
    }
}
