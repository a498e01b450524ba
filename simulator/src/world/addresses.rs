//! Elastic IP addresses.

use std::{net::Ipv4Addr, ops::Deref, sync::Arc};

use super::{
    kinds::{Ask, Change, Read},
    parameters::Parameters,
    select::{self, FilterTable, Filterable, Selection, maybe, one},
    state::World,
};
use crate::model::{Address, ApiError, Association, Home, InstanceState, Interface, Region, Tags, ids};

/// An address as in DescribeAddresses: with the instance of its interface.
#[derive(Debug, Clone)]
pub struct AddressView {
    pub address: Arc<Address>,
    /// The instance to which the interface of the address is attached. An Elastic IP on an attached interface counts as
    /// an address of the instance ("Elastic IP addresses", EC2 User Guide).
    pub instance_id: Option<String>,
    pub(crate) home: Arc<Home>,
}

impl Deref for AddressView {
    type Target = Address;

    fn deref(&self) -> &Address {
        &self.address
    }
}

impl AddressView {
    fn of(region: &Region, address: &Arc<Address>) -> Self {
        let interface = address.association.as_ref().and_then(|at| region.interface(&at.interface_id).ok());
        let attachment = interface.and_then(|interface| interface.attachment.as_ref());
        Self {
            address: address.clone(),
            instance_id: attachment.map(|attachment| attachment.instance_id.clone()),
            home: region.home.clone(),
        }
    }
}

impl Filterable for AddressView {
    const FILTERS: FilterTable<Self> = &[
        ("allocation-id", |address| one(&address.allocation_id)),
        ("association-id", |address| maybe(address.association.as_ref().map(|at| &at.id))),
        ("domain", |_| one("vpc")),
        ("instance-id", |address| maybe(address.instance_id.as_ref())),
        ("network-border-group", |address| one(&address.home.region)),
        ("network-interface-id", |address| maybe(address.association.as_ref().map(|at| &at.interface_id))),
        ("network-interface-owner-id", |address| maybe(address.association.as_ref().map(|_| &address.home.account))),
        ("private-ip-address", |address| maybe(address.association.as_ref().map(|at| at.private_ip))),
        ("public-ip", |address| one(address.public_ip)),
    ];

    fn tags(&self) -> &Tags {
        &self.tags
    }
}

/// DescribeAddresses has no pages.
#[derive(Debug, Clone, Default)]
pub struct DescribeAddresses {
    pub selection: Selection,
    pub public_ips: Vec<String>,
    pub dry_run: bool,
}

impl DescribeAddresses {
    pub fn of(allocation_id: impl Into<String>) -> Self {
        Self { selection: Selection::ids([allocation_id]), ..Self::default() }
    }
}

impl Ask for DescribeAddresses {
    fn dry_run(&self) -> bool {
        self.dry_run
    }

    fn parameters(&self) -> Parameters {
        self.selection.parameters("AllocationId").and_list("PublicIp", &self.public_ips)
    }
}

impl Read for DescribeAddresses {
    type Answer = Vec<AddressView>;

    fn read(&self, region: &Region) -> Result<Self::Answer, ApiError> {
        for ip in &self.public_ips {
            if !region.addresses().any(|address| address.public_ip.to_string() == *ip) {
                return Err(ApiError::client("InvalidAddress.NotFound", format!("Address '{ip}' not found.")));
            }
        }
        let view = |address| AddressView::of(region, address);
        let mut chosen = select::choose(&self.selection, |id| region.address(id), region.addresses(), view)?;
        chosen.retain(|address| {
            self.public_ips.is_empty() || self.public_ips.iter().any(|ip| *ip == address.public_ip.to_string())
        });
        Ok(chosen)
    }
}

#[derive(Debug, Clone, Default)]
pub struct AssociateAddress {
    pub allocation_id: String,
    pub instance_id: Option<String>,
    pub network_interface_id: Option<String>,
    pub private_ip_address: Option<String>,
    /// An absent value means true: "reassociation is automatic" (service model, AssociateAddress).
    pub allow_reassociation: Option<bool>,
    pub dry_run: bool,
}

impl AssociateAddress {
    pub fn with_interface(allocation_id: impl Into<String>, network_interface_id: impl Into<String>) -> Self {
        Self {
            allocation_id: allocation_id.into(),
            network_interface_id: Some(network_interface_id.into()),
            ..Self::default()
        }
    }
}

/// The answer to AssociateAddress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Associated {
    pub association_id: String,
}

impl Ask for AssociateAddress {
    fn dry_run(&self) -> bool {
        self.dry_run
    }

    fn parameters(&self) -> Parameters {
        Parameters::of("AllocationId", &self.allocation_id)
            .and_if_any("InstanceId", self.instance_id.as_ref())
            .and_if_any("NetworkInterfaceId", self.network_interface_id.as_ref())
            .and_if_any("PrivateIpAddress", self.private_ip_address.as_ref())
            .and_if_any("AllowReassociation", self.allow_reassociation)
    }
}

impl AssociateAddress {
    /// The target interface. An instance id is valid only for an instance with exactly one interface; otherwise the
    /// answer is `InvalidInstanceID` (service model, `InstanceId`; "Error codes for the Amazon EC2 API").
    fn target<'a>(&self, region: &'a Region) -> Result<&'a Arc<Interface>, ApiError> {
        match (&self.network_interface_id, &self.instance_id) {
            (Some(_), Some(_)) => Err(ApiError::invalid_combination(
                "You may specify the instance ID or the network interface ID, but not both",
            )),
            (None, None) => Err(ApiError::missing_parameter("NetworkInterfaceId")),
            (Some(id), None) => region.interface(id),
            (None, Some(id)) => {
                region.instance(id)?;
                match region.interfaces_of(id).as_slice() {
                    [only] => Ok(only),
                    [] => Err(ApiError::client(
                        "InvalidInstanceID",
                        format!("The instance '{id}' has no network interface."),
                    )),
                    _ => Err(ApiError::client(
                        "InvalidInstanceID",
                        format!(
                            "There are multiple interfaces attached to instance '{id}'. Please specify an interface \
                             ID for the operation instead."
                        ),
                    )),
                }
            }
        }
    }

    /// "If no private IP address is specified, the Elastic IP address is associated with the primary private IP
    /// address" (service model, `PrivateIpAddress`).
    fn private_ip(&self, interface: &Interface) -> Result<Ipv4Addr, ApiError> {
        match self.private_ip_address.as_deref() {
            Some(wanted) if wanted != interface.private_ip.to_string() => Err(ApiError::invalid_value(format!(
                "Address {wanted} is not assigned to interface '{}'",
                interface.id
            ))),
            _ => Ok(interface.private_ip),
        }
    }
}

impl Change for AssociateAddress {
    type Answer = Associated;

    fn check(&self, world: &World) -> Result<(), ApiError> {
        let region = world.region();
        region.address(&self.allocation_id)?;
        let interface = self.target(region)?;
        self.private_ip(interface).map(drop)
    }

    /// The address leaves its interface, and another address leaves the target ("Elastic IP addresses":
    /// "the existing address is disassociated from the instance, but remains allocated to your account"). The VPC needs
    /// an internet gateway (`Gateway.NotAttached`), the instance must not be pending (`IncorrectInstanceState`), both
    /// from "Error codes for the Amazon EC2 API".
    ///
    /// Assumed: a repeated association keeps its id, also with AllowReassociation false. With false, another address on
    /// the target is refused, too.
    fn change(&self, world: &mut World) -> Result<Associated, ApiError> {
        let region = world.region();
        let address = region.address(&self.allocation_id)?;
        let interface = self.target(region)?;
        let private_ip = self.private_ip(interface)?;
        if let Some(present) = &address.association
            && present.interface_id == interface.id
            && present.private_ip == private_ip
        {
            return Ok(Associated { association_id: present.id.clone() });
        }
        let displaced = region.address_on(interface);
        if self.allow_reassociation == Some(false)
            && let Some(in_the_way) = [Some(address), displaced].into_iter().flatten().find(|a| a.association.is_some())
        {
            return Err(already_associated(in_the_way));
        }
        if region.home.vpcs_without_gateway.contains(&interface.vpc_id) {
            return Err(ApiError::client(
                "Gateway.NotAttached",
                format!("Network {} is not attached to any internet gateway", interface.vpc_id),
            ));
        }
        let instance = interface.attachment.as_ref().and_then(|at| region.instance(&at.instance_id).ok());
        if instance.is_some_and(|instance| instance.state == InstanceState::Pending) {
            return Err(ApiError::incorrect_instance_state(format!(
                "The pending-instance-creation instance to which '{}' is attached is not in a valid state for this \
                 operation",
                interface.id
            )));
        }
        let interface_id = interface.id.clone();
        let displaced = displaced.map(|address| address.allocation_id.clone());
        let association_id = world.ids.resource(&ids::ASSOCIATION);
        let region = world.region_mut();
        if let Some(displaced) = displaced {
            region.address_mut(&displaced)?.association = None;
        }
        region.address_mut(&self.allocation_id)?.association =
            Some(Association { id: association_id.clone(), interface_id, private_ip });
        Ok(Associated { association_id })
    }
}

fn already_associated(address: &Address) -> ApiError {
    let association_id = address.association.as_ref().map_or("", |association| &association.id);
    ApiError::client(
        "Resource.AlreadyAssociated",
        format!("resource {} is already associated with associate-id {association_id}", address.allocation_id),
    )
}

#[derive(Debug, Clone, Default)]
pub struct DisassociateAddress {
    pub association_id: String,
    pub dry_run: bool,
}

impl DisassociateAddress {
    pub fn of(association_id: impl Into<String>) -> Self {
        Self { association_id: association_id.into(), dry_run: false }
    }

    fn address<'a>(&self, region: &'a Region) -> Result<&'a Arc<Address>, ApiError> {
        region
            .addresses()
            .find(|address| address.association.as_ref().is_some_and(|at| at.id == self.association_id))
            .ok_or_else(|| ids::ASSOCIATION.missing(&self.association_id))
    }
}

impl Ask for DisassociateAddress {
    fn dry_run(&self) -> bool {
        self.dry_run
    }

    fn parameters(&self) -> Parameters {
        Parameters::of("AssociationId", &self.association_id)
    }
}

impl Change for DisassociateAddress {
    type Answer = ();

    fn check(&self, world: &World) -> Result<(), ApiError> {
        self.address(world.region()).map(drop)
    }

    /// Assumed: a repeat is `InvalidAssociationID.NotFound`. The service model calls the operation idempotent, but the
    /// association id no longer exists.
    fn change(&self, world: &mut World) -> Result<(), ApiError> {
        let allocation_id = self.address(world.region())?.allocation_id.clone();
        world.region_mut().address_mut(&allocation_id)?.association = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{names, pair, world::Timings};

    const OTHER: &str = "eipalloc-0eeeeeeeeeeeeeee2";

    fn code<T: std::fmt::Debug>(result: Result<T, ApiError>) -> String {
        result.unwrap_err().code.into_owned()
    }

    fn primary_of(instance_id: &str) -> String {
        names::primary_interface_of(instance_id)
    }

    fn on(world: &World, allocation_id: &str) -> Option<String> {
        Some(world.region().address(allocation_id).unwrap().association.as_ref()?.interface_id.clone())
    }

    #[test]
    fn the_instance_of_an_address_is_the_one_that_its_interface_is_on() {
        let mut world = pair().world();
        let instance =
            |world: &mut World| world.act(DescribeAddresses::of(names::ALLOCATION)).unwrap()[0].instance_id.clone();
        assert_eq!(instance(&mut world).as_deref(), Some(names::HOLDER));
        world.detach(names::INTERFACE).unwrap();
        assert_eq!(instance(&mut world), None);
        world.attach(names::INTERFACE, names::STANDBY, 1).unwrap();
        assert_eq!(instance(&mut world).as_deref(), Some(names::STANDBY));
        let by_instance =
            DescribeAddresses { selection: Selection::filter("instance-id", [names::STANDBY]), ..Default::default() };
        assert_eq!(world.act(by_instance).unwrap()[0].allocation_id, names::ALLOCATION);
    }

    #[test]
    fn a_repeat_is_idempotent() {
        let mut world = pair().world();
        for allow_reassociation in [None, Some(false), Some(true)] {
            let revision = world.revision();
            let mut request = AssociateAddress::with_interface(names::ALLOCATION, names::INTERFACE);
            request.allow_reassociation = allow_reassociation;
            assert_eq!(world.act(request).unwrap().association_id, names::ASSOCIATION);
            assert_eq!(world.revision(), revision);
        }
    }

    #[test]
    fn an_address_leaves_its_interface_unless_reassociation_is_forbidden() {
        let mut world = pair().world();
        let target = primary_of(names::STANDBY);
        let mut request = AssociateAddress::with_interface(names::ALLOCATION, &target);
        request.allow_reassociation = Some(false);
        assert_eq!(code(world.act(request.clone())), "Resource.AlreadyAssociated");
        assert_eq!(on(&world, names::ALLOCATION).as_deref(), Some(names::INTERFACE));

        request.allow_reassociation = None;
        let id = world.act(request).unwrap().association_id;
        assert_ne!(id, names::ASSOCIATION);
        assert_eq!(on(&world, names::ALLOCATION), Some(target));
        assert!(world.region().address_on(world.interface(names::INTERFACE).unwrap()).is_none());
    }

    #[test]
    fn an_interface_has_one_address_and_the_other_stays_allocated() {
        let mut world = pair().address(OTHER, |address| address).world();
        let mut request = AssociateAddress::with_interface(OTHER, names::INTERFACE);
        request.allow_reassociation = Some(false);
        assert_eq!(code(world.act(request.clone())), "Resource.AlreadyAssociated");
        request.allow_reassociation = Some(true);
        world.act(request).unwrap();
        assert_eq!(on(&world, OTHER).as_deref(), Some(names::INTERFACE));
        assert_eq!(on(&world, names::ALLOCATION), None);
    }

    #[test]
    fn an_association_by_instance_id_needs_a_single_interface() {
        let mut world = pair().address(OTHER, |address| address).world();
        let by_instance = |id: &str| AssociateAddress {
            allocation_id: OTHER.to_owned(),
            instance_id: Some(id.to_owned()),
            ..AssociateAddress::default()
        };
        assert_eq!(code(world.act(by_instance(names::HOLDER))), "InvalidInstanceID");
        world.act(by_instance(names::STANDBY)).unwrap();
        assert_eq!(on(&world, OTHER), Some(primary_of(names::STANDBY)));
        let both =
            AssociateAddress { network_interface_id: Some(names::INTERFACE.to_owned()), ..by_instance(names::STANDBY) };
        assert_eq!(code(world.act(both)), "InvalidParameterCombination");
        let neither = AssociateAddress { allocation_id: OTHER.to_owned(), ..AssociateAddress::default() };
        assert_eq!(code(world.act(neither)), "MissingParameter");
    }

    #[test]
    fn an_association_needs_an_internet_gateway_and_an_instance_in_a_stable_state() {
        let free = |world: crate::Scenario| world.address(names::ALLOCATION, |address| address.free());
        let request = AssociateAddress::with_interface(names::ALLOCATION, names::INTERFACE);

        let mut world = free(pair()).without_internet_gateway(names::VPC).world();
        assert_eq!(code(world.act(request.clone())), "Gateway.NotAttached");

        let timings = Timings { boot: Duration::from_secs(8), ..Timings::default() };
        let mut world = free(pair()).instance(names::HOLDER, |instance| instance.stopped()).timings(timings).world();
        world.start(names::HOLDER).unwrap();
        assert_eq!(code(world.act(request.clone())), "IncorrectInstanceState");
        world.advance(Duration::from_secs(8));
        world.act(request).unwrap();

        let wrong = AssociateAddress {
            private_ip_address: Some("10.0.1.51".to_owned()),
            ..AssociateAddress::with_interface(names::ALLOCATION, names::INTERFACE)
        };
        assert_eq!(code(world.act(wrong)), "InvalidParameterValue");
    }

    #[test]
    fn an_association_is_removed_once() {
        let mut world = pair().world();
        world.act(DisassociateAddress::of(names::ASSOCIATION)).unwrap();
        assert_eq!(on(&world, names::ALLOCATION), None);
        assert_eq!(code(world.act(DisassociateAddress::of(names::ASSOCIATION))), "InvalidAssociationID.NotFound");
    }

    #[test]
    fn a_missing_address_is_not_found() {
        let mut world = pair().world();
        assert_eq!(code(world.act(DescribeAddresses::of(OTHER))), "InvalidAllocationID.NotFound");
        let by_ip = DescribeAddresses { public_ips: vec!["203.0.113.99".to_owned()], ..DescribeAddresses::default() };
        assert_eq!(code(world.act(by_ip)), "InvalidAddress.NotFound");
    }
}
