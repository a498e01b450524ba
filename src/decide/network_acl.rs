//! How much traffic a network ACL lets pass.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::model::readiness::AclEntry;

/// How much of some traffic a network ACL lets pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// All of it.
    Free,
    /// Some of it.
    Partial,
    /// Nothing of it.
    Blocked,
}

/// How much TCP traffic in this direction, with these ports and this other side, the entries let pass.
///
/// The answer can only change where an entry's range or ports begin or end, so it is enough to try these places.
pub fn passage(entries: &[AclEntry], egress: bool, range: IpNet, ports: (u16, u16)) -> Passage {
    let mut entries: Vec<&AclEntry> = entries.iter().filter(|entry| entry.egress == egress).collect();
    entries.sort_by_key(|entry| entry.number);
    let addresses = addresses(&entries, range);
    let ports = ports_to_try(&entries, ports);
    let is_allowed = |address: IpAddr, port: u16| {
        let first = entries.iter().find(|entry| {
            let is_about = |(first, last): (u16, u16)| (first..=last).contains(&port);
            entry.range.contains(&address) && entry.tcp_ports.is_some_and(is_about)
        });
        // Traffic that no entry matches does not pass.
        first.is_some_and(|entry| entry.allow)
    };
    let tried = addresses.iter().flat_map(|address| ports.iter().map(|port| is_allowed(*address, *port)));
    let (mut some, mut all) = (false, true);
    for allowed in tried {
        some |= allowed;
        all &= allowed;
    }
    match (all, some) {
        (true, _) => Passage::Free,
        (false, true) => Passage::Partial,
        (false, false) => Passage::Blocked,
    }
}

/// One address from each part of the range that the entries treat alike.
fn addresses(entries: &[&AclEntry], range: IpNet) -> BTreeSet<IpAddr> {
    let after = |last: IpAddr| match last {
        IpAddr::V4(last) => u32::from(last).checked_add(1).map(|next| IpAddr::V4(next.into())),
        IpAddr::V6(last) => u128::from(last).checked_add(1).map(|next| IpAddr::V6(next.into())),
    };
    let begins = entries.iter().map(|entry| entry.range.network());
    let ends = entries.iter().filter_map(|entry| after(entry.range.broadcast()));
    let inside = begins.chain(ends).filter(|address| range.contains(address));
    std::iter::once(range.network()).chain(inside).collect()
}

/// One port from each part of the range that the entries treat alike.
fn ports_to_try(entries: &[&AclEntry], (first, last): (u16, u16)) -> BTreeSet<u16> {
    let begins = entries.iter().filter_map(|entry| Some(entry.tcp_ports?.0));
    let ends = entries.iter().filter_map(|entry| entry.tcp_ports?.1.checked_add(1));
    let inside = begins.chain(ends).filter(|port| (first..=last).contains(port));
    std::iter::once(first).chain(inside).collect()
}
