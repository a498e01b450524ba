//! Elastic IPs of a scenario.

use std::net::Ipv4Addr;

use crate::model::{Address, Association, Region, Tags};

/// An Elastic IP of a [`Scenario`](super::Scenario).
#[derive(Debug, Clone)]
pub struct AddressSpec {
    pub(super) id: String,
    public_ip: Ipv4Addr,
    interface_id: Option<String>,
}

impl AddressSpec {
    pub(super) fn new(id: &str, position: usize) -> Self {
        let host = u8::try_from(position + 51).expect("a scenario has fewer than 200 addresses");
        Self { id: id.to_owned(), public_ip: Ipv4Addr::new(203, 0, 113, host), interface_id: None }
    }

    pub fn public_ip(mut self, address: &str) -> Self {
        self.public_ip = address.parse().expect("a public IPv4 address");
        self
    }

    pub fn on(mut self, interface_id: &str) -> Self {
        self.interface_id = Some(interface_id.to_owned());
        self
    }

    /// Associated with nothing.
    pub fn free(mut self) -> Self {
        self.interface_id = None;
        self
    }

    pub(super) fn build(&self, region: &Region) -> Address {
        let association = self.interface_id.as_ref().map(|interface_id| Association {
            id: format!("eipassoc-{}", self.id.trim_start_matches("eipalloc-")),
            interface_id: interface_id.clone(),
            private_ip: region.interface(interface_id).expect("the interface of an address is there").private_ip,
        });
        Address { allocation_id: self.id.clone(), public_ip: self.public_ip, association, tags: Tags::new() }
    }
}
