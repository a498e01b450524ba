//! Changes to EC2 as values. Each names the exact resource that was observed.

use serde::{Deserialize, Serialize};

use crate::model::ids::{AllocationId, AssociationId, AttachmentId, InstanceId, NetworkInterfaceId, SecurityGroupId};

/// A change to EC2. EC2 can also be asked beforehand if the role allows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Change {
    /// Attach the interface.
    Attach(Attach),
    /// Detach the interface from what it is attached to.
    Detach(AttachmentId),
    /// Make the interface outlive the instance that it is attached to.
    KeepOnTermination {
        /// The interface.
        interface_id: NetworkInterfaceId,
        /// Its attachment.
        attachment_id: AttachmentId,
    },
    /// Start an instance.
    Start(InstanceId),
    /// Take an Elastic IP from where it is.
    DisassociateAddress(AssociationId),
    /// Put an Elastic IP on the interface.
    AssociateAddress {
        /// The address.
        allocation_id: AllocationId,
        /// The interface.
        interface_id: NetworkInterfaceId,
    },
    /// Add an ingress rule.
    AuthorizeIngress(Ingress),
    /// Write a tag of the interface, with this key.
    WriteTag(NetworkInterfaceId, String),
    /// Remove a tag of the interface, with this key.
    DeleteTag(NetworkInterfaceId, String),
}

/// One attach, with every id that it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attach {
    /// The interface.
    pub interface_id: NetworkInterfaceId,
    /// The instance that gets it.
    pub instance_id: InstanceId,
    /// The device index on the instance, 1 or more.
    pub device_index: u16,
}

/// One ingress rule to add.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ingress {
    /// The security group that gets the rule.
    pub group_id: SecurityGroupId,
    /// The TCP ports to open.
    pub ports: crate::model::config::PortRange,
    /// The client that is let in.
    pub client: crate::model::config::Client,
}
