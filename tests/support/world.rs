//! The standard pair as plain values: the license interface on a running holder, and a running standby. Tests change
//! it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use simulator::names;
use token_failover::model::change::Attach;
use token_failover::model::error::{CallError, Meaning};
use token_failover::model::ids::{AttachmentId, InstanceId};
use token_failover::model::observation::{
    Association, Attachment, AttachmentStatus, IngressRule, Instance, InstanceInterface, InstanceState,
    NetworkInterface, Observation, Reachability, Reading, RuleSource, StatusChecks,
};

pub(crate) use crate::standard::parsed;

pub(crate) fn instance_id(text: &str) -> InstanceId {
    parsed(text)
}

/// The time of the observation.
pub(crate) fn now() -> DateTime<Utc> {
    parsed("2026-11-11T21:29:54Z")
}

/// A running instance in the zone of the interface, with passing status checks and only its primary interface.
pub(crate) fn instance(id: &str) -> Instance {
    Instance {
        id: parsed(id),
        state: InstanceState::Running,
        state_reason: None,
        launched_at: None,
        availability_zone: names::ZONE.to_owned(),
        vpc_id: Some(names::VPC.to_owned()),
        subnet_id: Some(names::SUBNET.to_owned()),
        instance_type: "t3.small".to_owned(),
        recovers: true,
        spot: false,
        status_checks: Reading::Known(StatusChecks::Ok),
        scheduled_events: Vec::new(),
        auto_scaling_group: None,
        lifecycle_state: None,
        interfaces: vec![InstanceInterface {
            id: parsed(&names::primary_interface_of(id)),
            device_index: 0,
            network_card_index: 0,
            delete_on_termination: true,
        }],
    }
}

/// The attachment to the holder.
pub(crate) fn attachment() -> Attachment {
    Attachment {
        id: AttachmentId::new(names::ATTACHMENT),
        instance_id: Some(parsed(names::HOLDER)),
        device_index: 1,
        status: AttachmentStatus::Attached,
        delete_on_termination: false,
    }
}

/// The license interface on the holder, with its Elastic IP.
pub(crate) fn interface() -> NetworkInterface {
    NetworkInterface {
        id: parsed(names::INTERFACE),
        mac_address: parsed(names::MAC),
        status: Some("in-use".to_owned()),
        attachment: Some(attachment()),
        availability_zone: names::ZONE.to_owned(),
        subnet_id: names::SUBNET.to_owned(),
        vpc_id: names::VPC.to_owned(),
        private_ip_address: Some(parsed(names::PRIVATE_IP)),
        association: Some(Association {
            allocation_id: Some(parsed(names::ALLOCATION)),
            public_ip: parsed(names::PUBLIC_IP),
        }),
        groups: vec![parsed(names::GROUP)],
        source_dest_check: true,
        tags: BTreeMap::new(),
    }
}

/// The healthy standard pair. The security group rules have not been read.
pub(crate) fn pair() -> Observation {
    let mut holder = instance(names::HOLDER);
    holder.interfaces.push(InstanceInterface {
        id: parsed(names::INTERFACE),
        device_index: 1,
        network_card_index: 0,
        delete_on_termination: true,
    });
    Observation {
        observed_at: now(),
        interface: Reading::Known(Some(interface())),
        instances: Reading::Known(vec![holder, instance(names::STANDBY)]),
        reachability: None,
    }
}

/// The standard pair with security group rules: both ports are open to all clients.
pub(crate) fn reachable_pair() -> Observation {
    let rule = tcp(27007, 27008, "10.0.0.0/16");
    let reachability =
        Reachability { rules: Reading::Known(vec![rule]), prefix_lists: BTreeMap::new(), missing_address: None };
    Observation { reachability: Some(reachability), ..pair() }
}

/// A rule that opens TCP ports to a CIDR range, `sg-…` or `pl-…`.
pub(crate) fn tcp(first: u16, last: u16, source: &str) -> IngressRule {
    let source = match source.get(..3) {
        Some("sg-") => RuleSource::SecurityGroup(parsed(source)),
        Some("pl-") => RuleSource::PrefixList(parsed(source)),
        _ => RuleSource::Cidr(parsed::<IpNet>(source)),
    };
    IngressRule { tcp_ports: Some((first, last)), source }
}

/// Changes of the standard pair.
pub(crate) trait Change {
    /// The interface, which must be known.
    fn with_interface(self, change: impl FnOnce(&mut NetworkInterface)) -> Self;
    /// The interface's attachment, which must exist.
    fn with_attachment(self, change: impl FnOnce(&mut Attachment)) -> Self;
    /// One instance, which must exist.
    fn with_instance(self, id: &str, change: impl FnOnce(&mut Instance)) -> Self;
    /// All instances, which must be known.
    fn with_instances(self, change: impl FnOnce(&mut Vec<Instance>)) -> Self;
    /// The security group rules, which must have been read.
    fn with_reachability(self, change: impl FnOnce(&mut Reachability)) -> Self;
}

impl Change for Observation {
    fn with_interface(mut self, change: impl FnOnce(&mut NetworkInterface)) -> Self {
        change(self.interface.known_mut().and_then(Option::as_mut).expect("a known interface"));
        self
    }

    fn with_attachment(self, change: impl FnOnce(&mut Attachment)) -> Self {
        self.with_interface(|interface| change(interface.attachment.as_mut().expect("an attachment")))
    }

    fn with_instance(self, id: &str, change: impl FnOnce(&mut Instance)) -> Self {
        self.with_instances(|instances| {
            change(instances.iter_mut().find(|instance| instance.id.as_str() == id).expect("an instance"));
        })
    }

    fn with_instances(mut self, change: impl FnOnce(&mut Vec<Instance>)) -> Self {
        change(self.instances.known_mut().expect("known instances"));
        self
    }

    fn with_reachability(mut self, change: impl FnOnce(&mut Reachability)) -> Self {
        change(self.reachability.as_mut().expect("known reachability"));
        self
    }
}

/// The attach of the license interface to an instance.
pub(crate) fn attach(id: &str) -> Attach {
    Attach { interface_id: parsed(names::INTERFACE), instance_id: parsed(id), device_index: 1 }
}

/// The error of an EC2 that cannot be reached.
pub(crate) fn unreachable(action: &str) -> CallError {
    CallError {
        action: action.to_owned(),
        meaning: Meaning::Unreachable,
        code: None,
        message: "no connection".to_owned(),
        request_id: None,
    }
}

/// The error of an action that the role does not allow.
pub(crate) fn denied(action: &str) -> CallError {
    CallError {
        action: action.to_owned(),
        meaning: Meaning::Denied,
        code: Some("UnauthorizedOperation".to_owned()),
        message: "You are not authorized to perform this operation.".to_owned(),
        request_id: Some("59dbff89-35bd-4eac-99ed-be587EXAMPLE".to_owned()),
    }
}
