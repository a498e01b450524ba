//! Instance types: the maximum number of network interfaces.

use super::error::ApiError;

/// The network of an instance type (service model, `NetworkInfo`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceType {
    pub name: String,
    /// The maximum number of interfaces on each network card. The first card is the default.
    pub network_cards: Vec<usize>,
    pub ipv4_addresses_per_interface: usize,
}

/// Cards and addresses of some types, as in DescribeInstanceTypes ("Maximum IP addresses per network
/// interface", EC2 User Guide). Only the last two have more than one card.
const CATALOG: &[(&str, &[usize], usize)] = &[
    ("t3.nano", &[2], 2),
    ("t3.micro", &[2], 2),
    ("t3.small", &[3], 4),
    ("t3.medium", &[3], 6),
    ("t3.large", &[3], 12),
    ("t3.xlarge", &[4], 15),
    ("t4g.nano", &[2], 2),
    ("t4g.micro", &[2], 2),
    ("t4g.small", &[3], 4),
    ("t4g.medium", &[3], 6),
    ("m5.large", &[3], 10),
    ("m5.xlarge", &[4], 15),
    ("m5.4xlarge", &[8], 30),
    ("m5.24xlarge", &[15], 50),
    ("m7g.medium", &[2], 4),
    ("m7g.large", &[3], 10),
    ("c6in.32xlarge", &[8, 8], 50),
    ("p4d.24xlarge", &[15, 15, 15, 15], 50),
];

impl InstanceType {
    /// The type of every new instance of a scenario, with three interfaces.
    pub const DEFAULT: &'static str = "t3.small";

    /// The types that every Region has.
    pub(crate) fn catalog() -> impl Iterator<Item = Self> {
        CATALOG.iter().map(|(name, cards, addresses)| Self {
            name: (*name).to_owned(),
            network_cards: cards.to_vec(),
            ipv4_addresses_per_interface: *addresses,
        })
    }

    /// A type that does not exist in AWS, with one card, for limits that no type of the catalog has.
    pub(crate) fn with_interfaces(name: &str, interfaces: usize) -> Self {
        Self { name: name.to_owned(), network_cards: vec![interfaces], ipv4_addresses_per_interface: 4 }
    }

    /// `MaximumNetworkInterfaces`: the sum over all cards.
    pub fn maximum_network_interfaces(&self) -> usize {
        self.network_cards.iter().sum()
    }
}

/// Names every unknown type of the request.
pub(crate) fn no_such_types(names: &[&str]) -> ApiError {
    ApiError::client(
        "InvalidInstanceType",
        format!("The following supplied instance types do not exist: [{}]", names.join(", ")),
    )
}
