//! Security groups: can the clients reach the ports?

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use proptest::prelude::*;
use token_failover::decide::security_group::{Coverage, Gap, coverage, prefix_lists};
use token_failover::model::config::{Client, PortRange};
use token_failover::model::ids::PrefixListId;
use token_failover::model::observation::{IngressRule, Reading, RuleSource};

use crate::world::{denied, parsed, tcp};

const GROUP: &str = "sg-0123456789abcdef0";
const LIST: &str = "pl-0123456789abcdef0";
const OTHER_LIST: &str = "pl-63a5400a";

/// Port ranges and clients as the configuration has them, separated by commas.
fn listed<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> Vec<T> {
    text.split(',').filter(|item| !item.is_empty()).map(parsed).collect()
}

/// The coverage if these prefix lists could be read.
fn covered_with(ports: &str, clients: &str, rules: &[IngressRule], lists: &[(&str, &str)]) -> Coverage {
    let known = lists.iter().map(|(id, nets)| (parsed(id), Reading::Known(listed(nets)))).collect();
    coverage(&listed(ports), &listed(clients), rules, &known)
}

fn covered(ports: &str, clients: &str, rules: &[IngressRule]) -> Coverage {
    covered_with(ports, clients, rules, &[])
}

fn all_reach_it() -> Coverage {
    Coverage::default()
}

fn gap(ports: &str, client: &str) -> Gap {
    Gap { ports: parsed(ports), client: Some(parsed(client)) }
}

fn closed(gaps: &[(&str, &str)]) -> Coverage {
    Coverage { gaps: gaps.iter().map(|(ports, client)| gap(ports, client)).collect(), ..Coverage::default() }
}

#[test]
fn a_rule_for_the_port_and_the_client_lets_it_in() {
    assert_eq!(covered("27007", "10.0.0.0/16", &[tcp(27007, 27007, "10.0.0.0/16")]), all_reach_it());
    assert_eq!(covered("27007", "10.0.1.0/24", &[tcp(27007, 27007, "10.0.0.0/16")]), all_reach_it());
}

#[test]
fn without_a_rule_everything_is_closed() {
    assert_eq!(
        covered("27007-27008", "10.0.0.0/16,sg-0123456789abcdef0", &[]),
        closed(&[("27007-27008", "10.0.0.0/16"), ("27007-27008", GROUP)])
    );
}

#[test]
fn a_rule_for_part_of_a_client_leaves_a_gap() {
    let rules = [tcp(27007, 27007, "10.0.0.0/17"), tcp(27007, 27007, "10.1.0.0/16")];
    assert_eq!(covered("27007", "10.0.0.0/16", &rules), closed(&[("27007", "10.0.0.0/16")]));
}

#[test]
fn several_rules_may_together_cover_one_client() {
    let halves = [tcp(27007, 27007, "10.0.128.0/17"), tcp(27007, 27007, "10.0.0.0/17")];
    assert_eq!(covered("27007", "10.0.0.0/16", &halves), all_reach_it());
    let uneven = [tcp(0, 65535, "10.0.0.0/17"), tcp(27007, 27007, "10.0.128.0/18"), tcp(27000, 27009, "10.0.192.0/18")];
    assert_eq!(covered("27007", "10.0.0.0/16", &uneven), all_reach_it());
}

#[test]
fn rules_at_different_ports_do_not_add_up() {
    let rules = [tcp(27007, 27007, "10.0.0.0/17"), tcp(27008, 27008, "10.0.128.0/17")];
    assert_eq!(covered("27007-27008", "10.0.0.0/16", &rules), closed(&[("27007-27008", "10.0.0.0/16")]));
}

#[test]
fn several_rules_may_together_open_a_range_of_ports() {
    let rules = [tcp(27000, 27007, "10.0.0.0/16"), tcp(27008, 27012, "10.0.0.0/16")];
    assert_eq!(covered("27005-27010", "10.0.0.0/16", &rules), all_reach_it());
}

#[test]
fn only_the_closed_ports_are_reported_with_neighbors_as_one_range() {
    let rules = [tcp(27008, 27009, "10.0.0.0/16"), tcp(27005, 27005, "10.9.0.0/16")];
    let expected = closed(&[("27005-27007", "10.0.0.0/16"), ("27010-27012", "10.0.0.0/16"), ("27020", "10.0.0.0/16")]);
    assert_eq!(covered("27005-27012,27020", "10.0.0.0/16", &rules), expected);
}

#[test]
fn a_rule_for_all_ports_opens_the_first_and_the_last() {
    assert_eq!(covered("1-65535", "10.0.0.0/16", &[tcp(0, 65535, "10.0.0.0/16")]), all_reach_it());
    assert_eq!(
        covered("1,65535", "10.0.0.0/16", &[tcp(2, 65534, "10.0.0.0/16")]),
        closed(&[("1", "10.0.0.0/16"), ("65535", "10.0.0.0/16")])
    );
}

#[test]
fn a_rule_that_does_not_concern_tcp_opens_nothing() {
    let udp = IngressRule { tcp_ports: None, ..tcp(0, 0, "0.0.0.0/0") };
    assert_eq!(covered("27007", "10.0.0.0/16", &[udp]), closed(&[("27007", "10.0.0.0/16")]));
}

#[test]
fn only_rules_for_ipv6_cover_ipv6_addresses() {
    assert_eq!(covered("27007", "2001:db8::/32", &[tcp(27007, 27007, "2001:db8::/32")]), all_reach_it());
    let halves = [tcp(27007, 27007, "2001:db8::/33"), tcp(27007, 27007, "2001:db8:8000::/33")];
    assert_eq!(covered("27007", "2001:db8::/32", &halves), all_reach_it());
    let expected = Coverage { open_to_world: vec![parsed("27007")], ..closed(&[("27007", "2001:db8::/32")]) };
    assert_eq!(covered("27007", "2001:db8::/32", &[tcp(27007, 27007, "0.0.0.0/0")]), expected);
}

// ---- Groups and prefix lists ----

#[test]
fn a_group_is_let_in_by_a_rule_that_names_it() {
    assert_eq!(covered("27007", GROUP, &[tcp(27007, 27007, GROUP)]), all_reach_it());
    assert_eq!(covered("27007", GROUP, &[tcp(27007, 27007, "sg-0fffffffffffffff1")]), closed(&[("27007", GROUP)]));
}

#[test]
fn a_group_is_covered_by_a_rule_for_all_addresses_and_by_no_smaller_range() {
    assert_eq!(covered("27007", GROUP, &[tcp(27007, 27007, "10.0.0.0/8")]), closed(&[("27007", GROUP)]));
    let expected = Coverage { open_to_world: vec![parsed("27007")], ..all_reach_it() };
    assert_eq!(covered("27007", GROUP, &[tcp(27007, 27007, "0.0.0.0/0")]), expected);
}

#[test]
fn a_rule_for_a_group_lets_in_no_range_of_addresses() {
    assert_eq!(covered("27007", "10.0.0.0/16", &[tcp(27007, 27007, GROUP)]), closed(&[("27007", "10.0.0.0/16")]));
}

#[test]
fn a_rule_for_a_prefix_list_lets_in_the_ranges_in_it() {
    let rules = [tcp(27007, 27007, LIST), tcp(27007, 27007, "10.0.128.0/17")];
    let lists = [(LIST, "10.0.0.0/17,192.168.0.0/24")];
    assert_eq!(covered_with("27007", "10.0.0.0/16,192.168.0.0/24", &rules, &lists), all_reach_it());
    assert_eq!(covered_with("27007", "192.168.1.0/24", &rules, &lists), closed(&[("27007", "192.168.1.0/24")]));
}

#[test]
fn a_prefix_list_is_let_in_by_a_rule_that_names_it_even_if_it_cannot_be_read() {
    assert_eq!(covered("27007", LIST, &[tcp(27007, 27007, LIST)]), all_reach_it());
}

#[test]
fn a_prefix_list_is_let_in_by_rules_for_all_the_ranges_in_it() {
    let rules = [tcp(27007, 27007, "10.0.0.0/16")];
    assert_eq!(covered_with("27007", LIST, &rules, &[(LIST, "10.0.1.0/24,10.0.2.0/24")]), all_reach_it());
    assert_eq!(covered_with("27007", LIST, &rules, &[(LIST, "10.0.1.0/24,10.1.0.0/24")]), closed(&[("27007", LIST)]));
}

#[test]
fn a_clients_unread_prefix_list_leaves_the_answer_undecided() {
    let expected = Coverage { undecided: vec![gap("27007", LIST)], ..Coverage::default() };
    let rules = [tcp(27007, 27007, "10.0.0.0/16")];
    assert_eq!(covered("27007", LIST, &rules), expected);
    let unread = BTreeMap::from([(parsed(LIST), Reading::Unreadable(denied("ec2:GetManagedPrefixListEntries")))]);
    assert_eq!(coverage(&listed("27007"), &listed(LIST), &rules, &unread), expected);
}

#[test]
fn a_rules_unread_prefix_list_leaves_uncovered_clients_undecided() {
    let rules = [tcp(27007, 27008, LIST), tcp(27007, 27007, "10.0.0.0/16")];
    let unread = BTreeMap::from([(parsed(LIST), Reading::Unreadable(denied("ec2:GetManagedPrefixListEntries")))]);
    let covered = coverage(&listed("27007-27009"), &listed("10.0.0.0/16,10.1.0.0/16"), &rules, &unread);
    let expected = Coverage {
        gaps: vec![gap("27009", "10.0.0.0/16"), gap("27009", "10.1.0.0/16")],
        undecided: vec![gap("27007-27008", "10.1.0.0/16"), gap("27008", "10.0.0.0/16")],
        open_to_world: Vec::new(),
    };
    assert_eq!(covered, expected);
}

#[test]
fn the_prefix_lists_to_read_are_those_of_tcp_rules_and_of_clients() {
    let udp = IngressRule { tcp_ports: None, ..tcp(0, 0, "pl-0fffffffffffffff1") };
    let rules = [udp, tcp(27007, 27007, LIST), tcp(22, 22, LIST), tcp(22, 22, GROUP), tcp(22, 22, "10.0.0.0/16")];
    let clients: Vec<Client> = listed("10.0.0.0/16,sg-0123456789abcdef0,pl-63a5400a");
    let (list, other) = (parsed(LIST), parsed(OTHER_LIST));
    assert_eq!(prefix_lists(&rules, &clients), BTreeSet::from([&list, &other]));
}

// ---- Every address, and no client ----

#[test]
fn ports_that_are_open_to_every_address_are_reported() {
    let rules = [tcp(27007, 27008, "0.0.0.0/0"), tcp(27009, 27009, "::/0"), tcp(22, 22, "0.0.0.0/0")];
    let expected = Coverage { open_to_world: vec![parsed("27007-27009")], ..closed(&[("27009-27010", "10.0.0.0/16")]) };
    assert_eq!(covered("27007-27010", "10.0.0.0/16", &rules), expected);
}

#[test]
fn two_halves_of_all_addresses_count_as_every_address() {
    let rules = [tcp(27007, 27007, "0.0.0.0/1"), tcp(27007, 27007, LIST)];
    let expected = Coverage { open_to_world: vec![parsed("27007")], ..all_reach_it() };
    assert_eq!(covered_with("27007", "10.0.0.0/16", &rules, &[(LIST, "128.0.0.0/1")]), expected);
}

#[test]
fn without_configured_clients_any_source_is_enough() {
    for source in ["10.0.0.5/32", GROUP, LIST] {
        assert_eq!(covered("27007", "", &[tcp(27007, 27007, source)]), all_reach_it(), "{source}");
    }
    let expected = Coverage { gaps: vec![Gap { ports: parsed("27008"), client: None }], ..Coverage::default() };
    assert_eq!(covered("27007-27008", "", &[tcp(27007, 27007, "10.0.0.5/32")]), expected);
}

// ---- Against an oracle that tries every port and every address ----

const PORTS: std::ops::RangeInclusive<u16> = 1..=8;
/// The number of addresses in the oracle's small internets, one of IPv4 and one of IPv6.
const ADDRESSES: u8 = 16;

fn v4(bits: u8, length: u8) -> IpNet {
    Ipv4Net::new(Ipv4Addr::new(10, 0, 0, bits), 28 + length).expect("a net").trunc().into()
}

fn v6(bits: u8, length: u8) -> IpNet {
    Ipv6Net::new(Ipv6Addr::from(0x2001_0db8_u128 << 96 | u128::from(bits)), 124 + length).expect("a net").trunc().into()
}

fn any_net() -> impl Strategy<Value = IpNet> {
    (any::<bool>(), 0..ADDRESSES, 0..=4u8)
        .prop_map(|(four, bits, length)| if four { v4(bits, length) } else { v6(bits, length) })
}

fn any_range() -> impl Strategy<Value = PortRange> {
    (PORTS, PORTS).prop_map(|(one, other)| PortRange { first: one.min(other), last: one.max(other) })
}

fn any_rule() -> impl Strategy<Value = IngressRule> {
    let source = prop_oneof![
        4 => any_net().prop_map(RuleSource::Cidr),
        1 => prop::sample::select(vec![LIST, OTHER_LIST]).prop_map(|list| RuleSource::PrefixList(parsed(list))),
    ];
    let ports = prop::option::weighted(0.9, any_range().prop_map(|range| (range.first, range.last)));
    (ports, source).prop_map(|(tcp_ports, source)| IngressRule { tcp_ports, source })
}

type Lists = BTreeMap<PrefixListId, Reading<Vec<IpNet>>>;

/// Whether the rules let a whole client in at one port, address by address; `None`: an unread prefix list may let it
/// in.
fn lets_in(rules: &[IngressRule], lists: &Lists, port: u16, client: &IpNet) -> Option<bool> {
    let at_port = |rule: &&IngressRule| rule.tcp_ports.is_some_and(|(first, last)| (first..=last).contains(&port));
    let (mut nets, mut unread) = (Vec::new(), false);
    for rule in rules.iter().filter(at_port) {
        match &rule.source {
            RuleSource::Cidr(net) => nets.push(*net),
            RuleSource::PrefixList(list) => match &lists[list] {
                Reading::Known(list) => nets.extend(list),
                Reading::Unreadable(_) => unread = true,
            },
            RuleSource::SecurityGroup(_) => {}
        }
    }
    let mut addresses =
        (0..ADDRESSES).flat_map(|bits| [v4(bits, 4), v6(bits, 4)]).filter(|address| client.contains(address));
    let let_in = addresses.all(|address| nets.iter().any(|net| net.contains(&address)));
    if let_in || !unread { Some(let_in) } else { None }
}

/// The ports and clients of the gaps, one by one.
fn singly(gaps: &[Gap]) -> BTreeSet<(u16, Option<Client>)> {
    gaps.iter().flat_map(|gap| (gap.ports.first..=gap.ports.last).map(|port| (port, gap.client.clone()))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_arithmetic_agrees_with_trying_every_port_and_every_address(
        ports in prop::collection::vec(any_range(), 1..4),
        clients in prop::collection::vec(any_net(), 1..4),
        rules in prop::collection::vec(any_rule(), 0..8),
        list in prop::option::weighted(0.8, prop::collection::vec(any_net(), 0..3)),
        other_list in prop::option::weighted(0.8, prop::collection::vec(any_net(), 0..3)),
    ) {
        let reading = |list: Option<Vec<IpNet>>| match list {
            Some(nets) => Reading::Known(nets),
            None => Reading::Unreadable(denied("ec2:GetManagedPrefixListEntries")),
        };
        let lists = BTreeMap::from([(parsed(LIST), reading(list)), (parsed(OTHER_LIST), reading(other_list))]);
        let (mut gaps, mut undecided) = (BTreeSet::new(), BTreeSet::new());
        for port in ports.iter().flat_map(|range| range.first..=range.last) {
            for client in &clients {
                match lets_in(&rules, &lists, port, client) {
                    Some(true) => {}
                    Some(false) => { gaps.insert((port, Some(Client::Cidr(*client)))); }
                    None => { undecided.insert((port, Some(Client::Cidr(*client)))); }
                }
            }
        }
        let clients: Vec<Client> = clients.into_iter().map(Client::Cidr).collect();
        let covered = coverage(&ports, &clients, &rules, &lists);
        prop_assert_eq!((singly(&covered.gaps), singly(&covered.undecided)), (gaps, undecided));
        prop_assert_eq!(covered.open_to_world, Vec::new());
    }
}
