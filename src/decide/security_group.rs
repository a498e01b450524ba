//! Can the clients reach the ports? Pure arithmetic on the ingress rules of all the interface's security groups
//! together.
//!
//! Several rules may together cover one client, so ranges are united before they are compared: `10.0.0.0/17` and
//! `10.0.128.0/17` let in all of `10.0.0.0/16`.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::model::config::{Client, PortRange};
use crate::model::ids::{PrefixListId, SecurityGroupId};
use crate::model::observation::{IngressRule, Reading, RuleSource};

/// How the rules cover the ports and clients of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coverage {
    /// Ports that a client cannot reach.
    pub gaps: Vec<Gap>,
    /// Ports that cannot be decided, because a prefix list could not be read.
    pub undecided: Vec<Gap>,
    /// Ports that every IPv4 address or every IPv6 address can reach.
    pub open_to_world: Vec<PortRange>,
}

/// Ports, and the client that cannot reach them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The ports.
    pub ports: PortRange,
    /// The client; `None`: no client is configured, and no rule opens the ports.
    pub client: Option<Client>,
}

/// The prefix lists whose ranges [`coverage`] needs.
pub fn prefix_lists<'a>(rules: &'a [IngressRule], clients: &'a [Client]) -> BTreeSet<&'a PrefixListId> {
    let in_rules = rules.iter().filter_map(|rule| match &rule.source {
        RuleSource::PrefixList(id) if rule.tcp_ports.is_some() => Some(id),
        _ => None,
    });
    let in_clients = clients.iter().filter_map(|client| match client {
        Client::PrefixList(id) => Some(id),
        _ => None,
    });
    in_rules.chain(in_clients).collect()
}

/// Compares the rules with the ports and clients of the configuration.
pub fn coverage(
    ports: &[PortRange],
    clients: &[Client],
    rules: &[IngressRule],
    prefix_lists: &BTreeMap<PrefixListId, Reading<Vec<IpNet>>>,
) -> Coverage {
    let mut coverage = Coverage::default();
    for segment in ports.iter().flat_map(|range| segments(*range, rules)) {
        let opening = Opening::of(segment, rules, prefix_lists);
        if opening.covers(&Ipv4Net::default().into()) || opening.covers(&Ipv6Net::default().into()) {
            push_range(&mut coverage.open_to_world, segment);
        }
        if clients.is_empty() {
            if !opening.any {
                push_gap(&mut coverage.gaps, Gap { ports: segment, client: None });
            }
            continue;
        }
        for client in clients {
            let gap = || Gap { ports: segment, client: Some(client.clone()) };
            match opening.lets_in(client, prefix_lists) {
                Some(true) => {}
                Some(false) => push_gap(&mut coverage.gaps, gap()),
                None => push_gap(&mut coverage.undecided, gap()),
            }
        }
    }
    coverage
}

/// Cuts a range of ports where a rule begins or ends, so that each rule opens a segment completely or not at all.
fn segments(range: PortRange, rules: &[IngressRule]) -> Vec<PortRange> {
    let mut starts = BTreeSet::from([range.first]);
    for (first, last) in rules.iter().filter_map(|rule| rule.tcp_ports) {
        starts.extend(Some(first).filter(|first| (range.first..=range.last).contains(first)));
        starts.extend(last.checked_add(1).filter(|next| (range.first..=range.last).contains(next)));
    }
    let starts: Vec<u16> = starts.into_iter().collect();
    let ends = starts.iter().skip(1).map(|next| next - 1).chain([range.last]);
    starts.iter().zip(ends).map(|(first, last)| PortRange { first: *first, last }).collect()
}

/// The sources that the rules let in at one segment of ports.
struct Opening<'a> {
    any: bool,
    /// The united ranges of IPv4 and of IPv6.
    nets: Vec<IpNet>,
    groups: BTreeSet<&'a SecurityGroupId>,
    lists: BTreeSet<&'a PrefixListId>,
    /// Whether a prefix list in the rules could not be read. Then the rules may let in more than is known.
    incomplete: bool,
}

impl<'a> Opening<'a> {
    fn of(
        segment: PortRange,
        rules: &'a [IngressRule],
        prefix_lists: &BTreeMap<PrefixListId, Reading<Vec<IpNet>>>,
    ) -> Self {
        let mut opening =
            Self { any: false, nets: Vec::new(), groups: BTreeSet::new(), lists: BTreeSet::new(), incomplete: false };
        let matches = |rule: &&IngressRule| {
            rule.tcp_ports.is_some_and(|(first, last)| first <= segment.first && segment.last <= last)
        };
        for rule in rules.iter().filter(matches) {
            opening.any = true;
            match &rule.source {
                RuleSource::Cidr(net) => opening.nets.push(*net),
                RuleSource::SecurityGroup(group) => {
                    opening.groups.insert(group);
                }
                RuleSource::PrefixList(list) => {
                    opening.lists.insert(list);
                    match prefix_lists.get(list) {
                        Some(Reading::Known(nets)) => opening.nets.extend(nets),
                        Some(Reading::Unreadable(_)) | None => opening.incomplete = true,
                    }
                }
            }
        }
        opening.nets = IpNet::aggregate(&opening.nets);
        opening
    }

    /// Whether every address in the range is let in. Ranges are aligned blocks, so the union covers a range exactly if
    /// one of the united blocks contains it.
    fn covers(&self, net: &IpNet) -> bool {
        self.nets.iter().any(|open| open.contains(net))
    }

    /// Whether the client is let in; `None`: not known.
    fn lets_in(&self, client: &Client, prefix_lists: &BTreeMap<PrefixListId, Reading<Vec<IpNet>>>) -> Option<bool> {
        let let_in = match client {
            Client::Cidr(net) => self.covers(net),
            // The addresses of a group's instances are not known. Apart from a rule for the group, only a rule for all
            // addresses covers them.
            Client::SecurityGroup(group) => self.groups.contains(group) || self.covers(&Ipv4Net::default().into()),
            Client::PrefixList(list) if self.lists.contains(list) => true,
            Client::PrefixList(list) => match prefix_lists.get(list) {
                Some(Reading::Known(nets)) => nets.iter().all(|net| self.covers(net)),
                Some(Reading::Unreadable(_)) | None => return None,
            },
        };
        if let_in || !self.incomplete { Some(let_in) } else { None }
    }
}

/// Adds a gap, and joins it with the last gap of the same client if its ports follow directly.
fn push_gap(gaps: &mut Vec<Gap>, gap: Gap) {
    let before = gaps.iter_mut().rev().find(|before| before.client == gap.client);
    match before {
        Some(before) if follows(before.ports, gap.ports) => before.ports.last = gap.ports.last,
        _ => gaps.push(gap),
    }
}

fn push_range(ranges: &mut Vec<PortRange>, range: PortRange) {
    match ranges.last_mut() {
        Some(before) if follows(*before, range) => before.last = range.last,
        _ => ranges.push(range),
    }
}

fn follows(before: PortRange, after: PortRange) -> bool {
    before.last.checked_add(1) == Some(after.first)
}
