//! Network interfaces and their attachments.

use std::{net::Ipv4Addr, time::Duration};

use super::tags::Tags;

#[derive(Debug, Clone)]
pub struct Interface {
    pub id: String,
    pub mac_address: String,
    pub private_ip: Ipv4Addr,
    pub description: String,
    pub availability_zone: String,
    pub subnet_id: String,
    pub vpc_id: String,
    /// Groups of the interface itself. The groups of an instance are those of its primary interface.
    pub groups: Vec<String>,
    pub source_dest_check: bool,
    pub attachment: Option<Attachment>,
    pub tags: Tags,
}

impl Interface {
    pub fn is_attached_to(&self, instance_id: &str) -> bool {
        self.attachment.as_ref().is_some_and(|attachment| attachment.instance_id == instance_id)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    pub id: String,
    pub instance_id: String,
    pub device_index: u32,
    pub network_card_index: u32,
    pub status: AttachmentStatus,
    /// The time at which the attachment was started, not completed.
    pub attached_at: Duration,
    /// The flag belongs to the attachment: a new attachment starts with the default.
    pub delete_on_termination: bool,
}

impl Attachment {
    /// At device index 0 of network card 0.
    pub fn is_primary(&self) -> bool {
        (self.device_index, self.network_card_index) == (0, 0)
    }
}

/// `Attachment.Status` of the service model. EC2 does not show a `detached` attachment, so it is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttachmentStatus {
    Attaching,
    Attached,
    Detaching,
}

impl AttachmentStatus {
    pub fn name(self) -> &'static str {
        match self {
            Self::Attaching => "attaching",
            Self::Attached => "attached",
            Self::Detaching => "detaching",
        }
    }
}
