//! Interfaces of a scenario.

use std::{net::Ipv4Addr, time::Duration};

use super::network;
use crate::{
    model::{Attachment, AttachmentStatus, Interface, Region, Tags},
    names,
};

pub(super) fn attachment_id_for(interface_id: &str) -> String {
    format!("eni-attach-{}", interface_id.trim_start_matches("eni-"))
}

/// An interface of a [`Scenario`](super::Scenario).
#[derive(Debug, Clone)]
pub struct InterfaceSpec {
    pub(super) id: String,
    mac_address: String,
    host: u8,
    private_ip: Option<Ipv4Addr>,
    description: String,
    pub(super) availability_zone: String,
    pub(super) subnet_id: String,
    pub(super) vpc_id: String,
    groups: Vec<String>,
    attached_to: Option<(String, u32)>,
    attachment_id: String,
    status: AttachmentStatus,
    delete_on_termination: bool,
    source_dest_check: bool,
    tags: Tags,
}

impl InterfaceSpec {
    pub(super) fn new(id: &str, position: usize) -> Self {
        let host = u8::try_from(position + 50).expect("a scenario has fewer than 200 interfaces");
        Self {
            id: id.to_owned(),
            mac_address: format!("02:00:00:00:01:{host:02x}"),
            host,
            private_ip: None,
            description: String::new(),
            availability_zone: names::ZONE.to_owned(),
            subnet_id: names::SUBNET.to_owned(),
            vpc_id: names::VPC.to_owned(),
            groups: vec![names::DEFAULT_GROUP.to_owned()],
            attached_to: None,
            attachment_id: attachment_id_for(id),
            status: AttachmentStatus::Attached,
            delete_on_termination: false,
            source_dest_check: true,
            tags: Tags::new(),
        }
    }

    pub fn on(mut self, instance_id: &str, device_index: u32) -> Self {
        self.attached_to = Some((instance_id.to_owned(), device_index));
        self
    }

    /// Attached to nothing.
    pub fn free(mut self) -> Self {
        self.attached_to = None;
        self
    }

    pub fn attachment_id(mut self, id: &str) -> Self {
        self.attachment_id = id.to_owned();
        self
    }

    /// Sets a status. A transitional status never ends.
    pub fn attachment_status(mut self, status: AttachmentStatus) -> Self {
        self.status = status;
        self
    }

    pub fn delete_on_termination(mut self) -> Self {
        self.delete_on_termination = true;
        self
    }

    /// It forwards packets for other addresses.
    pub fn without_source_dest_check(mut self) -> Self {
        self.source_dest_check = false;
        self
    }

    pub fn mac_address(mut self, mac_address: &str) -> Self {
        self.mac_address = mac_address.to_owned();
        self
    }

    pub fn private_ip(mut self, address: &str) -> Self {
        self.private_ip = Some(address.parse().expect("a private IPv4 address"));
        self
    }

    /// In another subnet of its Availability Zone.
    pub fn subnet(mut self, subnet_id: &str) -> Self {
        self.subnet_id = subnet_id.to_owned();
        self
    }

    pub fn zone(mut self, availability_zone: &str, subnet_id: &str) -> Self {
        self.availability_zone = availability_zone.to_owned();
        self.subnet_id = subnet_id.to_owned();
        self
    }

    pub fn groups<G: Into<String>>(mut self, groups: impl IntoIterator<Item = G>) -> Self {
        self.groups = groups.into_iter().map(Into::into).collect();
        self
    }

    pub fn description(mut self, description: &str) -> Self {
        self.description = description.to_owned();
        self
    }

    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.insert(key.to_owned(), value.to_owned());
        self
    }

    pub(super) fn build(&self, region: &Region) -> Interface {
        let attachment = self.attached_to.as_ref().map(|(instance_id, device_index)| {
            let taken = region.interfaces_of(instance_id).into_iter().any(|other| {
                other.attachment.as_ref().is_some_and(|attachment| attachment.device_index == *device_index)
            });
            assert!(
                region.instance(instance_id).is_ok(),
                "{} is attached to {instance_id}, which is not there",
                self.id
            );
            assert!(!taken, "device index {device_index} of {instance_id} is taken; see InstanceSpec::without_primary");
            Attachment {
                id: self.attachment_id.clone(),
                instance_id: instance_id.clone(),
                device_index: *device_index,
                network_card_index: 0,
                status: self.status,
                attached_at: Duration::ZERO,
                delete_on_termination: self.delete_on_termination,
            }
        });
        Interface {
            id: self.id.clone(),
            mac_address: self.mac_address.clone(),
            private_ip: self.private_ip.unwrap_or_else(|| network::address_of(region, &self.subnet_id, self.host)),
            description: self.description.clone(),
            availability_zone: self.availability_zone.clone(),
            subnet_id: self.subnet_id.clone(),
            vpc_id: self.vpc_id.clone(),
            groups: self.groups.clone(),
            source_dest_check: self.source_dest_check,
            attachment,
            tags: self.tags.clone(),
        }
    }
}
