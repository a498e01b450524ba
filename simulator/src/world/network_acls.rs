//! Network ACLs: DescribeNetworkAcls.

use std::{ops::Deref, sync::Arc};

use ipnet::IpNet;

use super::{
    kinds::{Ask, Read},
    parameters::Parameters,
    select::{self, FilterTable, Filterable, Page, Selection, maybe, one},
    state::World,
};
use crate::model::{ApiError, Home, NetworkAcl, NetworkAclAssociation, NetworkAclEntry, Region, Tags};

/// A network ACL as in DescribeNetworkAcls.
#[derive(Debug, Clone)]
pub struct NetworkAclView {
    pub acl: Arc<NetworkAcl>,
    pub(crate) home: Arc<Home>,
}

impl Deref for NetworkAclView {
    type Target = NetworkAcl;

    fn deref(&self) -> &NetworkAcl {
        &self.acl
    }
}

/// The values that a filter compares.
impl NetworkAclEntry {
    fn protocol_names(&self) -> Vec<String> {
        let name = match self.protocol.as_str() {
            "1" => Some("icmp"),
            "6" => Some("tcp"),
            "17" => Some("udp"),
            _ => None,
        };
        name.into_iter().map(str::to_owned).chain([self.protocol.clone()]).collect()
    }
}

fn of_entries(acl: &NetworkAclView, facts: impl Fn(&NetworkAclEntry) -> Vec<String>) -> Vec<String> {
    acl.entries.iter().flat_map(facts).collect()
}

fn of_associations(acl: &NetworkAclView, fact: impl Fn(&NetworkAclAssociation) -> String) -> Vec<String> {
    acl.associations.iter().map(fact).collect()
}

/// The filters of DescribeNetworkAcls in the service model that apply to a simulated ACL.
impl Filterable for NetworkAclView {
    const FILTERS: FilterTable<Self> = &[
        ("association.association-id", |acl| of_associations(acl, |association| association.id.clone())),
        ("association.network-acl-id", |acl| of_associations(acl, |_| acl.id.clone())),
        ("association.subnet-id", |acl| of_associations(acl, |association| association.subnet_id.clone())),
        ("default", |acl| one(acl.is_default)),
        ("entry.cidr", |acl| {
            of_entries(acl, |entry| maybe(matches!(entry.network, IpNet::V4(_)).then_some(entry.network)))
        }),
        ("entry.egress", |acl| of_entries(acl, |entry| one(entry.egress))),
        ("entry.ipv6-cidr", |acl| {
            of_entries(acl, |entry| maybe(matches!(entry.network, IpNet::V6(_)).then_some(entry.network)))
        }),
        ("entry.port-range.from", |acl| of_entries(acl, |entry| maybe(entry.ports.map(|(from, _)| from)))),
        ("entry.port-range.to", |acl| of_entries(acl, |entry| maybe(entry.ports.map(|(_, to)| to)))),
        ("entry.protocol", |acl| of_entries(acl, NetworkAclEntry::protocol_names)),
        ("entry.rule-action", |acl| of_entries(acl, |entry| one(entry.action.name()))),
        ("entry.rule-number", |acl| of_entries(acl, |entry| one(entry.rule_number))),
        ("network-acl-id", |acl| one(&acl.id)),
        ("owner-id", |acl| one(&acl.home.account)),
        ("vpc-id", |acl| one(&acl.vpc_id)),
    ];

    fn tags(&self) -> &Tags {
        &self.tags
    }
}

#[derive(Debug, Clone, Default)]
pub struct DescribeNetworkAcls {
    pub selection: Selection,
    pub dry_run: bool,
}

impl DescribeNetworkAcls {
    /// The ACL of a subnet.
    pub fn of_subnet(subnet_id: impl Into<String>) -> Self {
        Self { selection: Selection::filter("association.subnet-id", [subnet_id]), dry_run: false }
    }
}

impl Ask for DescribeNetworkAcls {
    fn dry_run(&self) -> bool {
        self.dry_run
    }

    fn parameters(&self) -> Parameters {
        self.selection.parameters("NetworkAclId")
    }
}

impl Read for DescribeNetworkAcls {
    type Answer = Page<NetworkAclView>;

    fn read(&self, region: &Region) -> Result<Self::Answer, ApiError> {
        let view = |acl: &Arc<NetworkAcl>| NetworkAclView { acl: acl.clone(), home: region.home.clone() };
        let chosen = select::choose(&self.selection, |id| region.network_acl(id), region.network_acls.values(), view)?;
        self.selection.paginate(chosen, 5..=1000, &region.assumptions)
    }
}

/// # Actions of others on network ACLs
impl World {
    /// Adds an entry, or replaces the one with its number.
    pub fn put_network_acl_entry(&mut self, acl_id: &str, entry: NetworkAclEntry) -> Result<(), ApiError> {
        self.region_mut().network_acl_mut(acl_id)?.put(entry);
        Ok(())
    }

    pub fn delete_network_acl_entry(&mut self, acl_id: &str, egress: bool, rule_number: u16) -> Result<(), ApiError> {
        let acl = self.region_mut().network_acl_mut(acl_id)?;
        let is_meant = |entry: &NetworkAclEntry| (entry.egress, entry.rule_number) == (egress, rule_number);
        if !acl.entries.iter().any(is_meant) {
            return Err(ApiError::client(
                "InvalidNetworkAclEntry.NotFound",
                format!("The networkAcl {acl_id} has no entry {rule_number}"),
            ));
        }
        acl.entries.retain(|entry| !is_meant(entry));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ipnet::Ipv4Net;

    use super::*;
    use crate::{model::RuleAction, names, pair};

    type Line = (u16, bool, &'static str, String, Option<(u16, u16)>, String);

    fn line(rule_number: u16, egress: bool, action: &'static str, tcp: Option<(u16, u16)>) -> Line {
        let protocol = if tcp.is_some() { "6" } else { "-1" };
        (rule_number, egress, action, protocol.to_owned(), tcp, "0.0.0.0/0".to_owned())
    }

    fn acl_of(world: &mut World, subnet_id: &str) -> (String, bool, Vec<Line>) {
        let page = world.act(DescribeNetworkAcls::of_subnet(subnet_id)).unwrap();
        let [acl] = page.items.as_slice() else { panic!("a subnet has one ACL: {page:?}") };
        let lines = acl.entries.iter().map(|entry| {
            let NetworkAclEntry { rule_number, egress, action, protocol, ports, network } = entry.clone();
            (rule_number, egress, action.name(), protocol, ports, network.to_string())
        });
        (acl.id.clone(), acl.is_default, lines.collect())
    }

    fn code<T: std::fmt::Debug>(result: Result<T, ApiError>) -> String {
        result.unwrap_err().code.into_owned()
    }

    #[test]
    fn by_default_everything_may_pass() {
        let mut world = pair().world();
        let lines = vec![
            line(100, true, "allow", None),
            line(32767, true, "deny", None),
            line(100, false, "allow", None),
            line(32767, false, "deny", None),
        ];
        assert_eq!(acl_of(&mut world, names::SUBNET), (names::DEFAULT_NETWORK_ACL.to_owned(), true, lines));
    }

    #[test]
    fn an_acl_of_its_own_denies_what_it_does_not_allow() {
        let mut world = pair()
            .instance(names::STANDBY, |instance| instance.subnet(names::OTHER_SUBNET))
            .network_acl(names::NETWORK_ACL, |acl| {
                acl.subnet(names::SUBNET)
                    .allow_inbound_tcp(110, 27007..=27008, "0.0.0.0/0")
                    .allow_inbound_tcp(100, 22..=22, "0.0.0.0/0")
                    .allow_outbound_tcp(100, 1024..=65535, "0.0.0.0/0")
            })
            .world();
        let lines = vec![
            line(100, true, "allow", Some((1024, 65535))),
            line(32767, true, "deny", None),
            line(100, false, "allow", Some((22, 22))),
            line(110, false, "allow", Some((27007, 27008))),
            line(32767, false, "deny", None),
        ];
        assert_eq!(acl_of(&mut world, names::SUBNET), (names::NETWORK_ACL.to_owned(), false, lines));
        assert_eq!(acl_of(&mut world, names::OTHER_SUBNET).0, names::DEFAULT_NETWORK_ACL);
    }

    #[test]
    fn a_port_and_the_way_back_can_be_blocked_before_everything_is_allowed() {
        let mut world = pair()
            .network_acl(names::DEFAULT_NETWORK_ACL, |acl| {
                acl.deny_inbound_tcp(90, 27007..=27007, "0.0.0.0/0").deny_outbound_tcp(90, 1024..=65535, "0.0.0.0/0")
            })
            .world();
        let lines = vec![
            line(90, true, "deny", Some((1024, 65535))),
            line(100, true, "allow", None),
            line(32767, true, "deny", None),
            line(90, false, "deny", Some((27007, 27007))),
            line(100, false, "allow", None),
            line(32767, false, "deny", None),
        ];
        let expected = (names::DEFAULT_NETWORK_ACL.to_owned(), true, lines);
        assert_eq!(acl_of(&mut world, names::SUBNET), expected);

        // The same as an action of another actor.
        let mut world = pair().world();
        let everywhere = IpNet::V4(Ipv4Net::default());
        for (egress, ports) in [(false, (27007, 27007)), (true, (1024, 65535))] {
            let entry = NetworkAclEntry::tcp(90, egress, RuleAction::Deny, ports, everywhere);
            world.put_network_acl_entry(names::DEFAULT_NETWORK_ACL, entry).unwrap();
        }
        assert_eq!(acl_of(&mut world, names::SUBNET), expected);
        world.delete_network_acl_entry(names::DEFAULT_NETWORK_ACL, true, 90).unwrap();
        assert_eq!(
            code(world.delete_network_acl_entry(names::DEFAULT_NETWORK_ACL, true, 90)),
            "InvalidNetworkAclEntry.NotFound"
        );
        assert_eq!(acl_of(&mut world, names::SUBNET).2, expected.2[1..]);
    }

    #[test]
    fn acls_are_found_by_their_contents() {
        let mut world = pair()
            .network_acl(names::NETWORK_ACL, |acl| {
                acl.subnet(names::SUBNET).allow_inbound_tcp(100, 27007..=27008, "2001:db8::/32")
            })
            .world();
        for (name, value, expected) in [
            ("association.subnet-id", names::SUBNET, vec![names::NETWORK_ACL]),
            ("association.subnet-id", names::OTHER_SUBNET, vec![]),
            ("default", "true", vec![names::DEFAULT_NETWORK_ACL]),
            ("entry.protocol", "tcp", vec![names::NETWORK_ACL]),
            ("entry.ipv6-cidr", "2001:db8::/32", vec![names::NETWORK_ACL]),
            ("entry.port-range.from", "27007", vec![names::NETWORK_ACL]),
            ("entry.rule-number", "32767", vec![names::DEFAULT_NETWORK_ACL, names::NETWORK_ACL]),
            ("vpc-id", names::VPC, vec![names::DEFAULT_NETWORK_ACL, names::NETWORK_ACL]),
        ] {
            let request = DescribeNetworkAcls { selection: Selection::filter(name, [value]), dry_run: false };
            let found: Vec<_> = world.act(request).unwrap().items.iter().map(|acl| acl.id.clone()).collect();
            assert_eq!(found, expected, "{name} {value}");
        }
        for (id, expected) in
            [("acl-0aaaaaaaaaaaaaaa9", "InvalidNetworkAclID.NotFound"), ("acl-9", "InvalidNetworkAclId.Malformed")]
        {
            let request = DescribeNetworkAcls { selection: Selection::ids([id]), dry_run: false };
            assert_eq!(code(world.act(request)), expected);
        }
    }
}
