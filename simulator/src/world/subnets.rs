//! Subnets: DescribeSubnets.

use std::{ops::Deref, sync::Arc};

use super::{
    kinds::{Ask, Read},
    parameters::Parameters,
    select::{self, FilterTable, Filterable, Page, Selection, one},
};
use crate::model::{ApiError, Home, Region, Subnet, Tags};

/// A subnet as in DescribeSubnets.
#[derive(Debug, Clone)]
pub struct SubnetView {
    pub subnet: Arc<Subnet>,
    /// "The number of unused private IPv4 addresses in the subnet" (service model, `Subnet`). AWS reserves five in each
    /// subnet ("Subnet CIDR blocks", VPC User Guide).
    pub available_ip_address_count: u32,
    pub(crate) home: Arc<Home>,
}

impl Deref for SubnetView {
    type Target = Subnet;

    fn deref(&self) -> &Subnet {
        &self.subnet
    }
}

/// The number of addresses that AWS reserves in each subnet.
const RESERVED: u32 = 5;

impl SubnetView {
    fn of(region: &Region, subnet: &Arc<Subnet>) -> Self {
        let taken = region.interfaces().filter(|interface| interface.subnet_id == subnet.id).count();
        let size = 1_u32.checked_shl(32 - u32::from(subnet.cidr_block.prefix_len())).unwrap_or(u32::MAX);
        let unused = size.saturating_sub(RESERVED).saturating_sub(u32::try_from(taken).unwrap_or(u32::MAX));
        Self { subnet: subnet.clone(), available_ip_address_count: unused, home: region.home.clone() }
    }

    pub(crate) fn arn(&self) -> String {
        let Home { account, region, .. } = &*self.home;
        format!("arn:aws:ec2:{region}:{account}:subnet/{}", self.id)
    }
}

/// The filters of DescribeSubnets in the service model that apply to a simulated subnet.
impl Filterable for SubnetView {
    const FILTERS: FilterTable<Self> = &[
        ("availability-zone", |subnet| one(&subnet.availability_zone)),
        ("availabilityZone", |subnet| one(&subnet.availability_zone)),
        ("available-ip-address-count", |subnet| one(subnet.available_ip_address_count)),
        ("cidr", |subnet| one(subnet.cidr_block)),
        ("cidr-block", |subnet| one(subnet.cidr_block)),
        ("cidrBlock", |subnet| one(subnet.cidr_block)),
        ("owner-id", |subnet| one(&subnet.home.account)),
        ("state", |_| one("available")),
        ("subnet-arn", |subnet| one(subnet.arn())),
        ("subnet-id", |subnet| one(&subnet.id)),
        ("vpc-id", |subnet| one(&subnet.vpc_id)),
    ];

    fn tags(&self) -> &Tags {
        &self.tags
    }
}

#[derive(Debug, Clone, Default)]
pub struct DescribeSubnets {
    pub selection: Selection,
    pub dry_run: bool,
}

impl DescribeSubnets {
    pub fn of<S: Into<String>>(ids: impl IntoIterator<Item = S>) -> Self {
        Self { selection: Selection::ids(ids), dry_run: false }
    }
}

impl Ask for DescribeSubnets {
    fn dry_run(&self) -> bool {
        self.dry_run
    }

    fn parameters(&self) -> Parameters {
        self.selection.parameters("SubnetId")
    }
}

impl Read for DescribeSubnets {
    type Answer = Page<SubnetView>;

    fn read(&self, region: &Region) -> Result<Self::Answer, ApiError> {
        let view = |subnet| SubnetView::of(region, subnet);
        let chosen = select::choose(&self.selection, |id| region.subnet(id), region.subnets.values(), view)?;
        self.selection.paginate(chosen, 5..=1000, &region.assumptions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{names, pair};

    fn code<T: std::fmt::Debug>(result: Result<T, ApiError>) -> String {
        result.unwrap_err().code.into_owned()
    }

    #[test]
    fn a_subnet_exists_if_something_is_in_it() {
        let mut world =
            pair().instance(names::STANDBY, |instance| instance.zone("eu-west-1b", names::OTHER_SUBNET)).world();
        let seen: Vec<_> = world
            .act(DescribeSubnets::default())
            .unwrap()
            .items
            .iter()
            .map(|subnet| {
                let Subnet { id, vpc_id, availability_zone, cidr_block, .. } = &**subnet;
                let unused = subnet.available_ip_address_count;
                (id.clone(), vpc_id.clone(), availability_zone.clone(), cidr_block.to_string(), unused)
            })
            .collect();
        let expected = [
            (names::SUBNET, names::ZONE, names::SUBNET_CIDR, 249),
            (names::OTHER_SUBNET, "eu-west-1b", "10.0.2.0/24", 250),
        ]
        .map(|(id, zone, cidr, unused)| {
            (id.to_owned(), names::VPC.to_owned(), zone.to_owned(), cidr.to_owned(), unused)
        });
        assert_eq!(seen, expected);
    }

    #[test]
    fn an_interface_has_an_address_of_its_subnet() {
        let world = pair()
            .instance(names::STANDBY, |instance| instance.subnet(names::OTHER_SUBNET))
            .subnet("subnet-0ccccccccccccccc3", |subnet| subnet.cidr("10.0.64.0/20"))
            .interface("eni-0ddddddddddddddd2", |interface| interface.subnet("subnet-0ccccccccccccccc3"))
            .world();
        for interface in world.region().interfaces() {
            let subnet = world.region().subnet(&interface.subnet_id).unwrap();
            assert!(subnet.cidr_block.contains(&interface.private_ip), "{} in {}", interface.private_ip, subnet.id);
        }
    }

    #[test]
    fn subnets_are_found_by_id_and_by_filter() {
        let mut world = pair().world();
        let filter =
            |name, value: &str| DescribeSubnets { selection: Selection::filter(name, [value]), dry_run: false };
        for (name, value, expected) in [
            ("vpc-id", names::VPC, 1),
            ("cidr-block", "10.0.1.0/24", 1),
            ("cidr-block", "10.0.1.0/25", 0),
            ("availability-zone", "eu-west-1b", 0),
            ("available-ip-address-count", "248", 1),
        ] {
            assert_eq!(world.act(filter(name, value)).unwrap().items.len(), expected, "{name} {value}");
        }
        assert_eq!(code(world.act(filter("color", "red"))), "InvalidParameterValue");
        assert_eq!(code(world.act(DescribeSubnets::of([names::OTHER_SUBNET]))), "InvalidSubnetID.NotFound");
        assert_eq!(code(world.act(DescribeSubnets::of(["subnet-1"]))), "InvalidSubnetID.Malformed");
    }
}
