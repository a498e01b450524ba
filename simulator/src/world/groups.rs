//! Security groups as a whole: DescribeSecurityGroups.

use std::{ops::Deref, sync::Arc};

use super::{
    kinds::{Ask, Read},
    parameters::Parameters,
    select::{self, FilterTable, Filterable, Page, Selection, maybe, one},
    state::World,
};
use crate::model::{ApiError, Home, Region, RuleSource, SecurityGroup, SecurityGroupRule, Tags};

/// A group as in DescribeSecurityGroups.
#[derive(Debug, Clone)]
pub struct SecurityGroupView {
    pub group: Arc<SecurityGroup>,
    pub(crate) home: Arc<Home>,
}

impl Deref for SecurityGroupView {
    type Target = SecurityGroup;

    fn deref(&self) -> &SecurityGroup {
        &self.group
    }
}

/// One entry of `IpPermissions`: the rules of a protocol and range of ports, whatever their sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionView<'a> {
    pub protocol: &'a str,
    /// Absent for the protocol `-1`, which means all ports (assumed to be absent, not -1).
    pub ports: Option<(i32, i32)>,
    pub rules: Vec<&'a SecurityGroupRule>,
}

impl SecurityGroupView {
    /// The rules of one direction, grouped by protocol and ports, in the order of their creation.
    pub fn permissions(&self, egress: bool) -> Vec<PermissionView<'_>> {
        let mut permissions: Vec<PermissionView<'_>> = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.egress == egress) {
            let ports = (rule.protocol != "-1").then_some((rule.from_port, rule.to_port));
            match permissions.iter_mut().find(|other| other.protocol == rule.protocol && other.ports == ports) {
                Some(permission) => permission.rules.push(rule),
                None => permissions.push(PermissionView { protocol: &rule.protocol, ports, rules: vec![rule] }),
            }
        }
        permissions
    }

    pub(crate) fn arn(&self) -> String {
        let Home { account, region, .. } = &*self.home;
        format!("arn:aws:ec2:{region}:{account}:security-group/{}", self.id)
    }
}

fn inbound(group: &SecurityGroupView, fact: impl Fn(&SecurityGroupRule) -> Option<String>) -> Vec<String> {
    group.rules.iter().filter(|rule| !rule.egress).filter_map(fact).collect()
}

fn source(rule: &SecurityGroupRule, is_meant: impl Fn(&RuleSource) -> bool) -> Option<String> {
    is_meant(&rule.source).then(|| rule.source.to_string())
}

fn port(rule: &SecurityGroupRule, port: i32) -> Option<String> {
    (rule.protocol != "-1").then(|| port.to_string())
}

/// The filters of DescribeSecurityGroups in the service model, except those on outbound rules. "If using multiple
/// filters for rules, the results include security groups for which any combination of rules - not necessarily a
/// single rule - match all filters".
impl Filterable for SecurityGroupView {
    const FILTERS: FilterTable<Self> = &[
        ("description", |group| one(&group.description)),
        ("group-id", |group| one(&group.id)),
        ("group-name", |group| one(&group.name)),
        ("ip-permission.cidr", |group| inbound(group, |rule| source(rule, |s| matches!(s, RuleSource::Ipv4(_))))),
        ("ip-permission.from-port", |group| inbound(group, |rule| port(rule, rule.from_port))),
        ("ip-permission.group-id", |group| inbound(group, |rule| source(rule, |s| matches!(s, RuleSource::Group(_))))),
        ("ip-permission.ipv6-cidr", |group| inbound(group, |rule| source(rule, |s| matches!(s, RuleSource::Ipv6(_))))),
        ("ip-permission.prefix-list-id", |group| {
            inbound(group, |rule| source(rule, |s| matches!(s, RuleSource::PrefixList(_))))
        }),
        ("ip-permission.protocol", |group| inbound(group, |rule| Some(rule.protocol.clone()))),
        ("ip-permission.to-port", |group| inbound(group, |rule| port(rule, rule.to_port))),
        ("owner-id", |group| one(&group.home.account)),
        ("vpc-id", |group| maybe(Some(&group.vpc_id))),
    ];

    fn tags(&self) -> &Tags {
        &self.tags
    }
}

#[derive(Debug, Clone, Default)]
pub struct DescribeSecurityGroups {
    pub selection: Selection,
    pub dry_run: bool,
}

impl DescribeSecurityGroups {
    pub fn of<G: Into<String>>(ids: impl IntoIterator<Item = G>) -> Self {
        Self { selection: Selection::ids(ids), dry_run: false }
    }
}

impl Ask for DescribeSecurityGroups {
    fn dry_run(&self) -> bool {
        self.dry_run
    }

    fn parameters(&self) -> Parameters {
        self.selection.parameters("GroupId")
    }
}

impl Read for DescribeSecurityGroups {
    type Answer = Page<SecurityGroupView>;

    fn read(&self, region: &Region) -> Result<Self::Answer, ApiError> {
        let view = |group: &Arc<SecurityGroup>| SecurityGroupView { group: group.clone(), home: region.home.clone() };
        let find = |id: &str| region.security_group(id);
        let chosen = select::choose(&self.selection, find, region.security_groups.values(), view)?;
        self.selection.paginate(chosen, 5..=1000, &region.assumptions)
    }
}

impl World {
    /// Deletes the group, even if it is in use, which EC2 would refuse: a program must survive it.
    pub fn delete_security_group(&mut self, group_id: &str) {
        self.region_mut().security_groups.remove(group_id);
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
    fn rules_of_the_same_protocol_and_ports_are_one_permission() {
        let mut world = pair()
            .security_group(names::GROUP, |group| {
                group.tcp(27007..=27008, "10.1.0.0/16").tcp(22..=22, "10.0.0.0/16").all_traffic(names::CLIENT_GROUP)
            })
            .world();
        let page = world.act(DescribeSecurityGroups::of([names::GROUP])).unwrap();
        let seen: Vec<_> = page.items[0]
            .permissions(false)
            .into_iter()
            .map(|permission| {
                let sources: Vec<String> = permission.rules.iter().map(|rule| rule.source.to_string()).collect();
                (permission.protocol.to_owned(), permission.ports, sources)
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("tcp".to_owned(), Some((27007, 27008)), vec!["10.0.0.0/16".to_owned(), "10.1.0.0/16".to_owned()]),
                ("tcp".to_owned(), Some((22, 22)), vec!["10.0.0.0/16".to_owned()]),
                ("-1".to_owned(), None, vec![names::CLIENT_GROUP.to_owned()]),
            ]
        );
        assert_eq!(page.items[0].permissions(true), []);
    }

    #[test]
    fn a_missing_group_fails_the_request() {
        let mut world = pair().security_group(names::CLIENT_GROUP, |group| group).world();
        let both = || DescribeSecurityGroups::of([names::GROUP, names::CLIENT_GROUP]);
        assert_eq!(world.act(both()).unwrap().items.len(), 2);
        world.delete_security_group(names::CLIENT_GROUP);
        assert_eq!(code(world.act(both())), "InvalidGroup.NotFound");
        assert_eq!(code(world.act(DescribeSecurityGroups::of(["sg-9"]))), "InvalidGroupId.Malformed");
    }

    #[test]
    fn groups_are_found_by_their_contents() {
        let mut world = pair().world();
        for (name, value, expected) in [
            ("group-name", "default", vec![names::DEFAULT_GROUP]),
            ("ip-permission.cidr", "10.0.0.0/16", vec![names::GROUP]),
            ("ip-permission.from-port", "27007", vec![names::GROUP]),
            ("ip-permission.protocol", "udp", vec![]),
            ("vpc-id", names::VPC, vec![names::DEFAULT_GROUP, names::GROUP]),
        ] {
            let request = DescribeSecurityGroups { selection: Selection::filter(name, [value]), dry_run: false };
            let found: Vec<_> = world.act(request).unwrap().items.iter().map(|group| group.id.clone()).collect();
            assert_eq!(found, expected, "{name} {value}");
        }
    }
}
