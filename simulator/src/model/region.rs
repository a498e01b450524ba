//! Everything that EC2 and Auto Scaling know about one account in one Region.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    address::Address,
    assumptions::Assumptions,
    auto_scaling::AutoScalingGroup,
    error::ApiError,
    home::Home,
    ids::{self, IdKind},
    instance::Instance,
    instance_type::{InstanceType, no_such_types},
    interface::{Attachment, Interface},
    network_acl::NetworkAcl,
    prefix_list::PrefixList,
    route_table::{RouteTable, RouteTableAssociation},
    security_group::SecurityGroup,
    subnet::Subnet,
    tags::Tags,
    timings::Timings,
};

/// Everything that EC2 and Auto Scaling know about one account in one Region.
///
/// The resources are shared (`Arc`), so that a copy of a Region costs a few hundred nanoseconds. Answers keep the
/// resources as they were when they were read, and stale answers can read the past.
#[derive(Debug, Clone)]
pub struct Region {
    pub(crate) home: Arc<Home>,
    pub(crate) timings: Timings,
    pub(crate) assumptions: Assumptions,
    pub(crate) instance_types: BTreeMap<String, Arc<InstanceType>>,
    pub(crate) instances: BTreeMap<String, Arc<Instance>>,
    pub(crate) interfaces: BTreeMap<String, Arc<Interface>>,
    pub(crate) addresses: BTreeMap<String, Arc<Address>>,
    pub(crate) security_groups: BTreeMap<String, Arc<SecurityGroup>>,
    pub(crate) prefix_lists: BTreeMap<String, Arc<PrefixList>>,
    pub(crate) subnets: BTreeMap<String, Arc<Subnet>>,
    pub(crate) route_tables: BTreeMap<String, Arc<RouteTable>>,
    pub(crate) network_acls: BTreeMap<String, Arc<NetworkAcl>>,
    pub(crate) auto_scaling_groups: BTreeMap<String, Arc<AutoScalingGroup>>,
}

impl Region {
    pub fn account(&self) -> &str {
        &self.home.account
    }

    pub fn name(&self) -> &str {
        &self.home.region
    }

    pub fn timings(&self) -> Timings {
        self.timings
    }

    pub fn instance(&self, id: &str) -> Result<&Arc<Instance>, ApiError> {
        find(&self.instances, id, &ids::INSTANCE)
    }

    /// Whether the group of an instance is about to terminate it, or terminates it.
    pub fn is_leaving_its_group(&self, instance_id: &str) -> bool {
        let groups = self.auto_scaling_groups.values();
        groups.filter_map(|group| group.member(instance_id)).any(|member| member.is_leaving())
    }

    pub fn interface(&self, id: &str) -> Result<&Arc<Interface>, ApiError> {
        find(&self.interfaces, id, &ids::INTERFACE)
    }

    pub fn address(&self, allocation_id: &str) -> Result<&Arc<Address>, ApiError> {
        find(&self.addresses, allocation_id, &ids::ALLOCATION)
    }

    pub fn security_group(&self, id: &str) -> Result<&Arc<SecurityGroup>, ApiError> {
        find(&self.security_groups, id, &ids::GROUP)
    }

    pub fn prefix_list(&self, id: &str) -> Result<&Arc<PrefixList>, ApiError> {
        find(&self.prefix_lists, id, &ids::PREFIX_LIST)
    }

    pub fn instance_type(&self, name: &str) -> Result<&Arc<InstanceType>, ApiError> {
        self.instance_types.get(name).ok_or_else(|| no_such_types(&[name]))
    }

    pub fn subnet(&self, id: &str) -> Result<&Arc<Subnet>, ApiError> {
        find(&self.subnets, id, &ids::SUBNET)
    }

    pub fn route_table(&self, id: &str) -> Result<&Arc<RouteTable>, ApiError> {
        find(&self.route_tables, id, &ids::ROUTE_TABLE)
    }

    /// The route table of a subnet: its own, or else the main table of its VPC.
    pub fn route_table_of(&self, subnet_id: &str) -> Option<&Arc<RouteTable>> {
        let is_meant = |association: &RouteTableAssociation| association.subnet_id.as_deref() == Some(subnet_id);
        self.route_tables.values().find(|table| table.associations.iter().any(is_meant)).or_else(|| {
            let vpc_id = &self.subnet(subnet_id).ok()?.vpc_id;
            self.route_tables.values().find(|table| table.is_main() && table.vpc_id == *vpc_id)
        })
    }

    pub fn network_acl(&self, id: &str) -> Result<&Arc<NetworkAcl>, ApiError> {
        find(&self.network_acls, id, &ids::NETWORK_ACL)
    }

    pub fn auto_scaling_group(&self, name: &str) -> Result<&Arc<AutoScalingGroup>, ApiError> {
        self.auto_scaling_groups.get(name).ok_or_else(|| ApiError::no_such_group(name))
    }

    pub fn instances(&self) -> impl Iterator<Item = &Arc<Instance>> {
        self.instances.values()
    }

    pub fn interfaces(&self) -> impl Iterator<Item = &Arc<Interface>> {
        self.interfaces.values()
    }

    pub fn addresses(&self) -> impl Iterator<Item = &Arc<Address>> {
        self.addresses.values()
    }

    /// The interfaces of an instance in the order of cards and device indexes, including those that are attaching or
    /// detaching.
    pub fn interfaces_of(&self, instance_id: &str) -> Vec<&Arc<Interface>> {
        let mut attached: Vec<_> =
            self.interfaces().filter(|interface| interface.is_attached_to(instance_id)).collect();
        attached.sort_by_key(|interface| {
            interface.attachment.as_ref().map(|attachment| (attachment.network_card_index, attachment.device_index))
        });
        attached
    }

    /// The interface with this attachment.
    pub fn attachment(&self, attachment_id: &str) -> Result<(&Arc<Interface>, &Attachment), ApiError> {
        self.interfaces()
            .find_map(|interface| {
                let attachment = interface.attachment.as_ref()?;
                (attachment.id == attachment_id).then_some((interface, attachment))
            })
            .ok_or_else(|| ids::ATTACHMENT.missing(attachment_id))
    }

    /// The Elastic IP on the interface's private address.
    pub fn address_on(&self, interface: &Interface) -> Option<&Arc<Address>> {
        self.addresses().find(|address| {
            address.association.as_ref().is_some_and(|association| association.interface_id == interface.id)
        })
    }

    pub(crate) fn instance_mut(&mut self, id: &str) -> Result<&mut Instance, ApiError> {
        find_mut(&mut self.instances, id, &ids::INSTANCE)
    }

    pub(crate) fn interface_mut(&mut self, id: &str) -> Result<&mut Interface, ApiError> {
        find_mut(&mut self.interfaces, id, &ids::INTERFACE)
    }

    pub(crate) fn address_mut(&mut self, allocation_id: &str) -> Result<&mut Address, ApiError> {
        find_mut(&mut self.addresses, allocation_id, &ids::ALLOCATION)
    }

    pub(crate) fn security_group_mut(&mut self, id: &str) -> Result<&mut SecurityGroup, ApiError> {
        find_mut(&mut self.security_groups, id, &ids::GROUP)
    }

    pub(crate) fn route_table_mut(&mut self, id: &str) -> Result<&mut RouteTable, ApiError> {
        find_mut(&mut self.route_tables, id, &ids::ROUTE_TABLE)
    }

    pub(crate) fn network_acl_mut(&mut self, id: &str) -> Result<&mut NetworkAcl, ApiError> {
        find_mut(&mut self.network_acls, id, &ids::NETWORK_ACL)
    }

    pub(crate) fn auto_scaling_group_mut(&mut self, name: &str) -> Result<&mut AutoScalingGroup, ApiError> {
        self.auto_scaling_groups.get_mut(name).map(Arc::make_mut).ok_or_else(|| ApiError::no_such_group(name))
    }

    /// Removes the interface and frees its Elastic IPs.
    pub(crate) fn delete_interface(&mut self, id: &str) {
        self.interfaces.remove(id);
        for address in self.addresses.values_mut() {
            if address.association.as_ref().is_some_and(|association| association.interface_id == id) {
                Arc::make_mut(address).association = None;
            }
        }
    }

    /// The tags of any resource that can be tagged.
    ///
    /// Assumed: an id whose prefix names no kind of resource is `InvalidID`.
    pub(crate) fn tags_mut(&mut self, id: &str) -> Result<&mut Tags, ApiError> {
        match id.rsplit_once('-').map(|(prefix, _)| prefix) {
            Some("i") => Ok(&mut self.instance_mut(id)?.tags),
            Some("eni") => Ok(&mut self.interface_mut(id)?.tags),
            Some("eipalloc") => Ok(&mut self.address_mut(id)?.tags),
            Some("sg") => Ok(&mut self.security_group_mut(id)?.tags),
            Some("subnet") => Ok(&mut find_mut(&mut self.subnets, id, &ids::SUBNET)?.tags),
            Some("rtb") => Ok(&mut self.route_table_mut(id)?.tags),
            Some("acl") => Ok(&mut self.network_acl_mut(id)?.tags),
            Some("pl") => Ok(&mut find_mut(&mut self.prefix_lists, id, &ids::PREFIX_LIST)?.tags),
            _ => Err(not_taggable(id)),
        }
    }

    pub(crate) fn tags(&self, id: &str) -> Result<&Tags, ApiError> {
        match id.rsplit_once('-').map(|(prefix, _)| prefix) {
            Some("i") => Ok(&self.instance(id)?.tags),
            Some("eni") => Ok(&self.interface(id)?.tags),
            Some("eipalloc") => Ok(&self.address(id)?.tags),
            Some("sg") => Ok(&self.security_group(id)?.tags),
            Some("subnet") => Ok(&self.subnet(id)?.tags),
            Some("rtb") => Ok(&self.route_table(id)?.tags),
            Some("acl") => Ok(&self.network_acl(id)?.tags),
            Some("pl") => Ok(&self.prefix_list(id)?.tags),
            _ => Err(not_taggable(id)),
        }
    }
}

fn not_taggable(id: &str) -> ApiError {
    ApiError::client("InvalidID", format!("The ID '{id}' is not valid"))
}

fn find<'a, T>(all: &'a BTreeMap<String, Arc<T>>, id: &str, kind: &IdKind) -> Result<&'a Arc<T>, ApiError> {
    all.get(id).ok_or_else(|| kind.missing(id))
}

fn find_mut<'a, T: Clone>(
    all: &'a mut BTreeMap<String, Arc<T>>,
    id: &str,
    kind: &IdKind,
) -> Result<&'a mut T, ApiError> {
    all.get_mut(id).map(Arc::make_mut).ok_or_else(|| kind.missing(id))
}
