//! Security group rules and prefix lists.

use std::{ops::Deref, sync::Arc};

use ipnet::{Ipv4Net, Ipv6Net};

use super::{
    kinds::{Ask, Change, Read},
    parameters::Parameters,
    select::{self, FilterTable, Filterable, Page, Selection, one},
    state::World,
};
use crate::model::{ApiError, Home, Region, RuleSource, SecurityGroupRule, Tags, ids};

/// A rule as in DescribeSecurityGroupRules: with its group.
#[derive(Debug, Clone)]
pub struct RuleView {
    pub rule: SecurityGroupRule,
    pub group_id: String,
    pub vpc_id: String,
    tags: Tags,
    pub(crate) home: Arc<Home>,
}

impl Deref for RuleView {
    type Target = SecurityGroupRule;

    fn deref(&self) -> &SecurityGroupRule {
        &self.rule
    }
}

/// DescribeSecurityGroupRules has no other filters than these and those on tags (service model); the simulated rules
/// have no tags.
impl Filterable for RuleView {
    const FILTERS: FilterTable<Self> =
        &[("group-id", |rule| one(&rule.group_id)), ("security-group-rule-id", |rule| one(&rule.id))];

    fn tags(&self) -> &Tags {
        &self.tags
    }
}

#[derive(Debug, Clone, Default)]
pub struct DescribeSecurityGroupRules {
    pub selection: Selection,
    pub dry_run: bool,
}

impl DescribeSecurityGroupRules {
    pub fn of_groups<G: Into<String>>(groups: impl IntoIterator<Item = G>) -> Self {
        Self { selection: Selection::filter("group-id", groups), dry_run: false }
    }
}

impl Ask for DescribeSecurityGroupRules {
    fn dry_run(&self) -> bool {
        self.dry_run
    }

    fn parameters(&self) -> Parameters {
        self.selection.parameters("SecurityGroupRuleId")
    }
}

impl Read for DescribeSecurityGroupRules {
    type Answer = Page<RuleView>;

    fn read(&self, region: &Region) -> Result<Self::Answer, ApiError> {
        let all: Vec<(&str, &str, &SecurityGroupRule)> = region
            .security_groups
            .values()
            .flat_map(|group| group.rules.iter().map(|rule| (group.id.as_str(), group.vpc_id.as_str(), rule)))
            .collect();
        let find = |id: &str| all.iter().find(|(_, _, rule)| rule.id == id).ok_or_else(|| ids::RULE.missing(id));
        let view = |(group_id, vpc_id, rule): &(&str, &str, &SecurityGroupRule)| RuleView {
            rule: (*rule).clone(),
            group_id: (*group_id).to_owned(),
            vpc_id: (*vpc_id).to_owned(),
            tags: Tags::new(),
            home: region.home.clone(),
        };
        let chosen = select::choose(&self.selection, find, all.iter(), view)?;
        self.selection.paginate(chosen, 5..=1000, &region.assumptions)
    }
}

/// One entry of `IpPermissions`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IpPermission {
    pub protocol: String,
    pub from_port: Option<i32>,
    pub to_port: Option<i32>,
    /// CIDR and description.
    pub ipv4: Vec<(String, Option<String>)>,
    pub ipv6: Vec<(String, Option<String>)>,
    pub prefix_lists: Vec<(String, Option<String>)>,
    pub groups: Vec<(String, Option<String>)>,
}

#[derive(Debug, Clone, Default)]
pub struct AuthorizeSecurityGroupIngress {
    pub group_id: String,
    pub permissions: Vec<IpPermission>,
    pub dry_run: bool,
}

impl AuthorizeSecurityGroupIngress {
    /// TCP from a network to a range of ports.
    pub fn tcp(group_id: impl Into<String>, ports: std::ops::RangeInclusive<u16>, cidr: impl Into<String>) -> Self {
        let permission = IpPermission {
            protocol: "tcp".to_owned(),
            from_port: Some((*ports.start()).into()),
            to_port: Some((*ports.end()).into()),
            ipv4: vec![(cidr.into(), None)],
            ..IpPermission::default()
        };
        Self { group_id: group_id.into(), permissions: vec![permission], dry_run: false }
    }
}

impl Ask for AuthorizeSecurityGroupIngress {
    fn dry_run(&self) -> bool {
        self.dry_run
    }

    fn parameters(&self) -> Parameters {
        self.permissions.iter().fold(Parameters::of("GroupId", &self.group_id), |parameters, permission| {
            let sources = [&permission.ipv4, &permission.ipv6, &permission.prefix_lists, &permission.groups];
            let sources: Vec<&str> = sources.into_iter().flatten().map(|(source, _)| source.as_str()).collect();
            let ports = match (permission.from_port, permission.to_port) {
                (Some(from), Some(to)) => format!(" {from}-{to}"),
                _ => String::new(),
            };
            parameters.and("IpPermission", format!("{}{ports} {}", permission.protocol, sources.join(",")))
        })
    }
}

impl Change for AuthorizeSecurityGroupIngress {
    type Answer = Vec<RuleView>;

    fn check(&self, world: &World) -> Result<(), ApiError> {
        world.region().security_group(&self.group_id)?;
        self.rules(world.region()).map(drop)
    }

    /// Adds one rule for each source. If one of them already exists, none is added: `InvalidPermission.Duplicate`, also
    /// for the same network in another notation.
    ///
    /// Assumed: all or nothing.
    fn change(&self, world: &mut World) -> Result<Self::Answer, ApiError> {
        let mut rules = self.rules(world.region())?;
        let group = world.region().security_group(&self.group_id)?;
        let vpc_id = group.vpc_id.clone();
        for (position, rule) in rules.iter().enumerate() {
            if let Some(present) = group.rules.iter().chain(&rules[..position]).find(|present| present.is_same(rule)) {
                return Err(duplicate(present));
            }
        }
        for rule in &mut rules {
            rule.id = world.ids.resource(&ids::RULE);
        }
        world.region_mut().security_group_mut(&self.group_id)?.rules.extend(rules.iter().cloned());
        let home = &world.region().home;
        let view = |rule| RuleView {
            rule,
            group_id: self.group_id.clone(),
            vpc_id: vpc_id.clone(),
            tags: Tags::new(),
            home: home.clone(),
        };
        Ok(rules.into_iter().map(view).collect())
    }
}

impl AuthorizeSecurityGroupIngress {
    /// The rules of the permissions, without ids.
    fn rules(&self, region: &Region) -> Result<Vec<SecurityGroupRule>, ApiError> {
        if self.permissions.is_empty() {
            return Err(ApiError::missing_parameter("IpPermissions"));
        }
        let mut rules = Vec::new();
        for permission in &self.permissions {
            let (protocol, from_port, to_port) = permission.protocol_and_ports()?;
            let mut sources = Vec::new();
            for (cidr, description) in &permission.ipv4 {
                sources.push((RuleSource::Ipv4(ipv4_network(cidr)?), description));
            }
            for (cidr, description) in &permission.ipv6 {
                sources.push((RuleSource::Ipv6(ipv6_network(cidr)?), description));
            }
            for (id, description) in &permission.prefix_lists {
                sources.push((RuleSource::PrefixList(region.prefix_list(id)?.id.clone()), description));
            }
            for (id, description) in &permission.groups {
                sources.push((RuleSource::Group(region.security_group(id)?.id.clone()), description));
            }
            if sources.is_empty() {
                return Err(ApiError::client(
                    "MissingParameter",
                    "Either 'ipRanges', 'groups', 'prefixListIds' or 'ipv6Ranges' should be provided.",
                ));
            }
            rules.extend(sources.into_iter().map(|(source, description)| SecurityGroupRule {
                id: String::new(),
                egress: false,
                protocol: protocol.clone(),
                from_port,
                to_port,
                source,
                description: description.clone(),
            }));
        }
        Ok(rules)
    }
}

impl IpPermission {
    /// "Specifying -1 or a protocol number other than tcp, udp, icmp, or icmpv6 allows traffic on all ports, regardless
    /// of any port range you specify" (service model, `IpPermission$IpProtocol`).
    ///
    /// Assumed: EC2 stores the names of these four instead of their numbers, and -1 for all ports.
    fn protocol_and_ports(&self) -> Result<(String, i32, i32), ApiError> {
        let protocol = match self.protocol.as_str() {
            "" => return Err(ApiError::missing_parameter("IpProtocol")),
            "6" => "tcp",
            "17" => "udp",
            "1" => "icmp",
            "58" => "icmpv6",
            other => other,
        };
        match protocol {
            "tcp" | "udp" => match (self.from_port, self.to_port) {
                (Some(from), Some(to)) if (0..=65535).contains(&from) && (from..=65535).contains(&to) => {
                    Ok((protocol.to_owned(), from, to))
                }
                (Some(from), Some(to)) => {
                    Err(ApiError::invalid_value(format!("Invalid TCP/UDP port range ({from}:{to})")))
                }
                _ => Err(ApiError::invalid_value("Must specify both from and to ports with TCP/UDP.")),
            },
            "icmp" | "icmpv6" => Ok((protocol.to_owned(), self.from_port.unwrap_or(-1), self.to_port.unwrap_or(-1))),
            "-1" => Ok((protocol.to_owned(), -1, -1)),
            number if number.parse::<u8>().is_ok() => Ok((number.to_owned(), -1, -1)),
            other => {
                Err(ApiError::invalid_value(format!("Invalid value '{other}' for IP protocol. Unknown protocol.")))
            }
        }
    }
}

impl SecurityGroupRule {
    /// Whether two rules are the same, apart from their ids and descriptions.
    fn is_same(&self, other: &Self) -> bool {
        let key = |rule: &Self| (rule.egress, rule.protocol.clone(), rule.from_port, rule.to_port, rule.source.clone());
        key(self) == key(other)
    }
}

/// EC2 canonicalizes networks: "if you specify 100.68.0.18/18, we modify it to 100.68.0.0/18" (service model, CIDR
/// parameters).
pub(crate) fn ipv4_network(cidr: &str) -> Result<Ipv4Net, ApiError> {
    cidr.parse::<Ipv4Net>().map(|network| network.trunc()).map_err(|_| malformed(cidr))
}

fn ipv6_network(cidr: &str) -> Result<Ipv6Net, ApiError> {
    cidr.parse::<Ipv6Net>().map(|network| network.trunc()).map_err(|_| malformed(cidr))
}

fn malformed(cidr: &str) -> ApiError {
    ApiError::invalid_value(format!("CIDR block {cidr} is malformed"))
}

fn duplicate(rule: &SecurityGroupRule) -> ApiError {
    ApiError::client(
        "InvalidPermission.Duplicate",
        format!(
            "the specified rule \"peer: {}, {}, from port: {}, to port: {}, ALLOW\" already exists",
            rule.source,
            rule.protocol.to_uppercase(),
            rule.from_port,
            rule.to_port
        ),
    )
}

#[derive(Debug, Clone, Default)]
pub struct GetManagedPrefixListEntries {
    pub prefix_list_id: String,
    pub max_results: Option<usize>,
    pub next_token: Option<String>,
    pub dry_run: bool,
}

impl GetManagedPrefixListEntries {
    pub fn of(id: impl Into<String>) -> Self {
        Self { prefix_list_id: id.into(), ..Self::default() }
    }
}

impl Ask for GetManagedPrefixListEntries {
    fn dry_run(&self) -> bool {
        self.dry_run
    }

    fn parameters(&self) -> Parameters {
        Parameters::of("PrefixListId", &self.prefix_list_id)
            .and_if_any("MaxResults", self.max_results)
            .and_if_any("NextToken", self.next_token.as_ref())
    }
}

impl Read for GetManagedPrefixListEntries {
    type Answer = Page<(String, String)>;

    /// The page size is 1 to 100 (service model, `PrefixListMaxResults`).
    fn read(&self, region: &Region) -> Result<Self::Answer, ApiError> {
        let list = region.prefix_list(&self.prefix_list_id)?;
        let selection =
            Selection { max_results: self.max_results, next_token: self.next_token.clone(), ..Selection::default() };
        selection.paginate(list.entries.clone(), 1..=100, &region.assumptions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{names, pair, world::Assumptions};

    fn code<T: std::fmt::Debug>(result: Result<T, ApiError>) -> String {
        result.unwrap_err().code.into_owned()
    }

    fn all_of(protocol: &str) -> AuthorizeSecurityGroupIngress {
        let mut request = AuthorizeSecurityGroupIngress::tcp(names::DEFAULT_GROUP, 0..=0, "10.0.0.0/16");
        request.permissions[0].protocol = protocol.to_owned();
        request
    }

    #[test]
    fn the_same_rule_is_a_duplicate_however_it_is_written() {
        let mut world = pair().world();
        for cidr in ["10.0.0.0/16", "10.0.255.1/16"] {
            let request = AuthorizeSecurityGroupIngress::tcp(names::GROUP, 27007..=27008, cidr);
            assert_eq!(code(world.act(request)), "InvalidPermission.Duplicate");
        }
        let added =
            world.act(AuthorizeSecurityGroupIngress::tcp(names::GROUP, 27007..=27008, "100.68.0.18/18")).unwrap();
        assert_eq!(added[0].source, RuleSource::Ipv4("100.68.0.0/18".parse().unwrap()));
        let rules = world.act(DescribeSecurityGroupRules::of_groups([names::GROUP])).unwrap().items;
        assert_eq!(rules.len(), 2);
    }

    #[test]
    fn several_rules_are_added_together_or_not_at_all() {
        let mut world = pair().world();
        let mut request = AuthorizeSecurityGroupIngress::tcp(names::GROUP, 27007..=27008, "192.168.0.0/24");
        request.permissions[0].ipv4.push(("10.0.0.0/16".to_owned(), None));
        assert_eq!(code(world.act(request.clone())), "InvalidPermission.Duplicate");
        request.permissions[0].ipv4[1] = ("192.168.0.9/24".to_owned(), None);
        assert_eq!(code(world.act(request)), "InvalidPermission.Duplicate");
        assert_eq!(world.region().security_group(names::GROUP).unwrap().rules.len(), 1);
    }

    #[test]
    fn an_invalid_rule_is_refused() {
        let mut world = pair().world();
        for cidr in ["10.0.0.0/33", "10.0.0.0", "everywhere", ""] {
            let request = AuthorizeSecurityGroupIngress::tcp(names::GROUP, 1..=2, cidr);
            assert_eq!(code(world.act(request)), "InvalidParameterValue", "{cidr}");
        }
        #[expect(clippy::reversed_empty_ranges, reason = "it is what the test is about")]
        let backwards = AuthorizeSecurityGroupIngress::tcp(names::GROUP, 2..=1, "10.0.0.0/8");
        assert_eq!(code(world.act(backwards)), "InvalidParameterValue");
        assert_eq!(code(world.act(all_of("carrier-pigeon"))), "InvalidParameterValue");
        let mut nowhere = AuthorizeSecurityGroupIngress::tcp(names::GROUP, 1..=2, "10.0.0.0/8");
        nowhere.permissions[0].ipv4.clear();
        assert_eq!(code(world.act(nowhere.clone())), "MissingParameter");
        nowhere.permissions[0].groups.push(("sg-0aaaaaaaaaaaaaaa9".to_owned(), None));
        assert_eq!(code(world.act(nowhere)), "InvalidGroup.NotFound");
    }

    #[test]
    fn protocols_by_number_are_stored_as_ec2_does() {
        let mut world = pair().world();
        let stored = |world: &mut World, protocol| {
            let rule = world.act(all_of(protocol)).unwrap().remove(0).rule;
            (rule.protocol, rule.from_port, rule.to_port)
        };
        assert_eq!(stored(&mut world, "6"), ("tcp".to_owned(), 0, 0));
        assert_eq!(stored(&mut world, "-1"), ("-1".to_owned(), -1, -1));
        assert_eq!(stored(&mut world, "50"), ("50".to_owned(), -1, -1));
    }

    #[test]
    fn rules_are_found_by_group_and_by_id_only() {
        let mut world = pair().world();
        let rule = world.act(DescribeSecurityGroupRules::of_groups([names::GROUP])).unwrap().items.remove(0);
        let describe = |selection| DescribeSecurityGroupRules { selection, dry_run: false };
        let by_id = world.act(describe(Selection::ids([rule.id.clone()]))).unwrap().items;
        assert_eq!(by_id[0].group_id, names::GROUP);
        assert_eq!(
            code(world.act(describe(Selection::ids(["sgr-0aaaaaaaaaaaaaaa9"])))),
            "InvalidSecurityGroupRuleId.NotFound"
        );
        assert_eq!(code(world.act(describe(Selection::ids(["sgr-9"])))), "InvalidSecurityGroupRuleId.Malformed");
        assert_eq!(code(world.act(describe(Selection::filter("vpc-id", ["*"])))), "InvalidParameterValue");
    }

    #[test]
    fn a_prefix_list_has_its_entries_on_pages() {
        let cidrs = ["10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/16"];
        let assumptions = Assumptions { page_limit: Some(2), ..Assumptions::default() };
        let mut world = pair().prefix_list("pl-0aaaaaaaaaaaaaaa1", cidrs).assumptions(assumptions).world();
        let mut request = GetManagedPrefixListEntries::of("pl-0aaaaaaaaaaaaaaa1");
        let first = world.act(request.clone()).unwrap();
        request.next_token = first.next_token;
        let second = world.act(request).unwrap();
        let seen: Vec<_> = first.items.into_iter().chain(second.items).map(|(cidr, _)| cidr).collect();
        assert_eq!(seen, cidrs);
        assert_eq!(second.next_token, None);
        let missing = world.act(GetManagedPrefixListEntries::of("pl-0aaaaaaaaaaaaaaa9"));
        assert_eq!(code(missing), "InvalidPrefixListID.NotFound");
    }
}
