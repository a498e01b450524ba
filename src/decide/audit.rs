//! What an audit asks for beyond what every run reads.

use std::collections::BTreeSet;

use crate::model::change::{Attach, Change, Ingress};
use crate::model::config::{Client, Config};
use crate::model::ids::{InstanceId, SecurityGroupId};
use crate::model::observation::Observation;
use crate::model::plan::Standby;
use crate::model::tags::AUDITED;

/// Every change that a failover might make now, for EC2 to say whether the role allows it.
pub(crate) fn changes(config: &Config, observation: &Observation, standbys: &[Standby]) -> Vec<Change> {
    let Some(interface) = observation.interface() else { return Vec::new() };
    let interface_id = interface.id.clone();
    let attach = |instance_id: &InstanceId| {
        let device_index = config.device_index;
        Change::Attach(Attach { interface_id: interface_id.clone(), instance_id: instance_id.clone(), device_index })
    };
    let exists = |standby: &&Standby| observation.instance(&standby.instance_id).is_some();
    let mut changes = vec![
        Change::WriteTag(interface_id.clone(), AUDITED.to_owned()),
        Change::DeleteTag(interface_id.clone(), AUDITED.to_owned()),
    ];
    changes.extend(standbys.iter().filter(exists).map(|standby| attach(&standby.instance_id)));
    if config.start_standby {
        // The holder as well: it is started where it is when nothing better is there.
        let startable = config.members.iter().filter(|member| observation.instance(member).is_some());
        changes.extend(startable.map(|member| Change::Start(member.clone())));
    }
    if let Some(attachment) = &interface.attachment {
        changes.push(Change::Detach(attachment.id.clone()));
        let attachment_id = attachment.id.clone();
        changes.push(Change::KeepOnTermination { interface_id: interface_id.clone(), attachment_id });
    }
    if let Some(allocation_id) = config.allocation_id.clone().filter(|_| config.repair.elastic_ip) {
        changes.push(Change::AssociateAddress { allocation_id, interface_id });
    }
    if let Some((group_id, ports)) = interface.groups.first().zip(config.ports.first())
        && config.repair.security_group
        && let Some(client) = config.clients.first()
    {
        let ingress = Ingress { group_id: group_id.clone(), ports: *ports, client: client.clone() };
        changes.push(Change::AuthorizeIngress(ingress));
    }
    changes
}

/// The security groups that the configuration names as clients.
pub(crate) fn client_groups(config: &Config) -> BTreeSet<SecurityGroupId> {
    let groups = config.clients.iter().filter_map(|client| match client {
        Client::SecurityGroup(id) => Some(id.clone()),
        Client::Cidr(_) | Client::PrefixList(_) => None,
    });
    groups.collect()
}
