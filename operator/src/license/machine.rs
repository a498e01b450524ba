//! The findings of a SERVER line: whether its host and its hostid still fit after the license interface has moved.

use std::net::{IpAddr, Ipv4Addr};

use token_failover::model::finding::{Finding, FindingCode, Severity};
use token_failover::model::ids::{InstanceId, MacAddress};

use crate::license::feature::Manager;
use crate::license::file::{Host, Server};
use crate::license::hostid::Hostid;
use crate::license::interface::Interface;
use crate::license::problem::line;
use crate::license::text::is_one_of;

/// The bit of `PLAT=` for virtual machines. Source: License Administration Guide 2026 R1, *SERVER Lines Enforcement*.
const VIRTUAL_MACHINES: u32 = 2;
/// In the first byte of a MAC address: the multicast bit and the locally administered bit. Source: IEEE 802, section 8.2.
const GROUP: u8 = 1;
const LOCAL: u8 = 2;

const RENAME: &str = "Write a name that every client resolves to the address of the license interface, and restart the token \
                      server. The license stays valid.";

/// The license interface, if its MAC address is none of those that the file names.
pub(crate) fn mismatch(servers: &[Server], interface: Option<&Interface>, contact: &str) -> Option<Finding> {
    let mac = interface?.mac_address;
    let hostids = || servers.iter().flat_map(|server| &server.hostids);
    let named: Vec<MacAddress> =
        hostids().filter_map(|hostid| if let Hostid::Mac(mac) = hostid { Some(*mac) } else { None }).collect();
    let is_any = hostids().any(|hostid| *hostid == Hostid::Any);
    if named.is_empty() || is_any || named.contains(&mac) {
        return None;
    }
    let names: Vec<String> = named.into_iter().map(MacAddress::hostid).collect();
    let noun = if names.len() == 1 { "hostid" } else { "hostids" };
    Some(Finding::new(
        FindingCode::HostidMismatch,
        mac,
        format!(
            "The license names the {noun} {}, but the interface has {}. The token server refuses to serve the license.",
            names.join(", "),
            mac.hostid()
        ),
        format!(
            "Use the interface whose MAC address the license names, or ask {contact} for a license for this interface. Do \
             not edit the hostid: that would make the license invalid."
        ),
    ))
}

/// The faults of the hostids.
pub(crate) fn hostids(server: &Server, interface: Option<&Interface>, contact: &str) -> Vec<Finding> {
    let macs: Vec<MacAddress> = server
        .hostids
        .iter()
        .filter_map(|hostid| if let Hostid::Mac(mac) = hostid { Some(*mac) } else { None })
        .collect();
    let mut findings = Vec::new();
    if macs.len() > 1 {
        findings.push(Finding::new(
            FindingCode::SeveralHostids,
            line(server.line),
            format!("The SERVER line names {} MAC addresses. Any one of them is sufficient.", macs.len()),
            "Set TOKEN_SERVER_HOSTID to the MAC address of the license interface.".to_owned(),
        ));
    }
    if server.unusual_notation && !macs.is_empty() {
        findings.push(Finding::new(
            FindingCode::HostidNotation,
            line(server.line),
            "FlexNet documents a MAC address as 12 digits without separators. Some releases do not recognize another \
             notation."
                .to_owned(),
            format!(
                "If the vendor daemon rejects the hostid, ask {contact} for a license with the hostid {}.",
                macs.first().map(|mac| mac.hostid()).unwrap_or_default()
            ),
        ));
    }
    let is_of_interface = |mac: MacAddress| interface.is_some_and(|interface| interface.mac_address == mac);
    findings
        .extend(macs.iter().filter(|mac| !is_of_interface(**mac)).filter_map(|mac| implausible(*mac, server, contact)));
    if macs.is_empty() {
        for hostid in &server.hostids {
            let Some(finding) = not_a_mac(hostid, server, interface, contact) else { continue };
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
    }
    findings
}

/// A MAC address that no interface of EC2 has. EC2 assigns locally administered unicast addresses.
fn implausible(mac: MacAddress, server: &Server, contact: &str) -> Option<Finding> {
    let bytes = mac.bytes();
    let first = *bytes.first()?;
    let new = format!("Ask {contact} for a license for the MAC address of the license interface.");
    let (severity, message, remedy) = if bytes == [0; 6] {
        (Severity::Critical, "The hostid is all zeros, which is the MAC address of no interface.".to_owned(), new)
    } else if first & GROUP != 0 {
        let message = format!("The hostid {} is a multicast address, which no interface has.", mac.hostid());
        (Severity::Critical, message, new)
    } else if bytes.starts_with(&[0x02, 0x42]) {
        let message = format!(
            "The hostid {} begins with 02:42, as the addresses of Docker's networks do. It was probably read in a \
             container.",
            mac.hostid()
        );
        (Severity::Warning, message, format!("Compare it with the MAC address of the license interface. {new}"))
    } else if first & LOCAL == 0 {
        let message = format!(
            "The hostid {} begins with a network card manufacturer's prefix. The MAC addresses of EC2 interfaces do not.",
            mac.hostid()
        );
        (Severity::Info, message, "Compare it with the MAC address of the license interface.".to_owned())
    } else {
        return None;
    };
    Some(Finding::new(FindingCode::HostidImplausible, line(server.line), message, remedy).as_severe_as(severity))
}

/// The finding of a hostid that is not a MAC address.
fn not_a_mac(hostid: &Hostid, server: &Server, interface: Option<&Interface>, contact: &str) -> Option<Finding> {
    let new = format!("Ask {contact} for a license for the MAC address of the license interface.");
    let (severity, message, remedy) = match hostid {
        Hostid::Mac(_) => return None,
        Hostid::Internet(named) => {
            let seen = interface.and_then(|interface| interface.private_address);
            address_in_words("an IP address", "private address", *named, seen, new)?
        }
        Hostid::ElasticIp(named) => {
            let seen = interface.and_then(|interface| interface.public_address);
            address_in_words("an Elastic IP", "Elastic IP", *named, seen, new)?
        }
        _ => hostid_in_words(hostid, new),
    };
    Some(Finding::new(FindingCode::HostidNotAMac, line(server.line), message, remedy).as_severe_as(severity))
}

/// A hostid that is an address. An address of the interface moves with it and needs no finding.
fn address_in_words(
    kind: &str,
    whose: &str,
    named: Option<Ipv4Addr>,
    seen: Option<Ipv4Addr>,
    new: String,
) -> Option<(Severity, String, String)> {
    match (named, seen) {
        (Some(named), Some(seen)) if named == seen => None,
        (Some(named), Some(seen)) => Some((
            Severity::Critical,
            format!(
                "The hostid is {kind}, {named}, but the {whose} of the interface is {seen}. The token server refuses to serve \
                 the license."
            ),
            new,
        )),
        _ => Some((
            Severity::Warning,
            format!(
                "The hostid is {kind}, not a MAC address. It moves with the interface only if it is the interface's {whose}."
            ),
            format!("Compare it with the {whose} of the license interface, and leave TOKEN_SERVER_HOSTID empty."),
        )),
    }
}

/// A hostid that is neither a MAC address nor another address.
fn hostid_in_words(hostid: &Hostid, new: String) -> (Severity, String, String) {
    use Severity::{Critical, Warning};
    match hostid {
        Hostid::Any => (
            Warning,
            "The hostid ties the license to no machine, so it does not depend on the interface. Only the addresses move \
             with the interface."
                .to_owned(),
            "Leave TOKEN_SERVER_HOSTID empty.".to_owned(),
        ),
        Hostid::Image => (
            Warning,
            "The hostid is an image (AMI), not a MAC address. It fits only members that were launched from that image."
                .to_owned(),
            "Launch every member from the image that the license names, and leave TOKEN_SERVER_HOSTID empty.".to_owned(),
        ),
        Hostid::HostName => (
            Warning,
            "The hostid is a host name, not a MAC address. It fits only members that have that name.".to_owned(),
            "Give every member the host name that the license names, and leave TOKEN_SERVER_HOSTID empty.".to_owned(),
        ),
        Hostid::Other(kind) => (
            Critical,
            format!(
                "The hostid is of type {kind}, not a MAC address, so it does not move with the interface. The token server \
                 refuses to serve the license on another instance."
            ),
            new,
        ),
        Hostid::Placeholder => (
            Critical,
            "The hostid is still a placeholder from a template.".to_owned(),
            format!("Use the file as the vendor sent it. {new}"),
        ),
        Hostid::Mac(_) | Hostid::Internet(_) | Hostid::ElasticIp(_) | Hostid::Unknown => (
            Critical,
            "The hostid is neither a MAC address nor another kind of hostid that FlexNet documents.".to_owned(),
            format!("Use the file as the vendor sent it. {new}"),
        ),
    }
}

/// The fault of the host.
pub(crate) fn host(server: &Server, interface: Option<&Interface>, manager: Manager) -> Option<Finding> {
    let (code, message) = match &server.host {
        Host::Placeholder => {
            (FindingCode::HostPlaceholder, "The host is still a placeholder from a template.".to_owned())
        }
        Host::ThisHost => (
            FindingCode::HostIsThisHost,
            "The host is this_host, which is not a name. Clients that read this file, or that lmgrd redirects to the \
             vendor daemon, may not find the token server."
                .to_owned(),
        ),
        // An invalid line, which has a finding of its own.
        Host::Unknown => return None,
        Host::Named(name) => {
            // RLM's clients use the host that they are configured with.
            let sends = if manager == Manager::Rlm { "the file sends" } else { "lmgrd sends" };
            match name.parse::<IpAddr>() {
                Ok(address) => of_ip(address, interface, sends)?,
                Err(_) => of_name(name, interface, sends)?,
            }
        }
    };
    let finding = Finding::new(code, line(server.line), message, RENAME.to_owned());
    // The name of an address may be right. Only EC2 can tell.
    let may_be_right =
        matches!(&server.host, Host::Named(name) if matches!(Ec2Name::of(name), Some(Ec2Name::Address(_))));
    Some(if may_be_right { finding.as_severe_as(Severity::Warning) } else { finding })
}

fn of_ip(address: IpAddr, interface: Option<&Interface>, sends: &str) -> Option<(FindingCode, String)> {
    let link_local = match address {
        IpAddr::V4(address) => address.is_link_local() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    if address.is_loopback() {
        let message = format!("The host is {address}, so every client connects to its own machine.");
        return Some((FindingCode::HostIsLoopback, message));
    }
    if address.is_unspecified() || address.is_multicast() || link_local {
        let message = format!("The host is {address}, which no client can reach.");
        return Some((FindingCode::HostUnreachable, message));
    }
    let own = [interface?.private_address, interface?.public_address];
    let IpAddr::V4(v4) = address else { return None };
    (!own.contains(&Some(v4))).then(|| {
        let message = format!(
            "The host is {address}, which is not an address of the license interface, so {sends} clients there."
        );
        (FindingCode::HostNotOfInterface, message)
    })
}

fn of_name(name: &str, interface: Option<&Interface>, sends: &str) -> Option<(FindingCode, String)> {
    let local = ["localhost", "localhost6", "localhost.localdomain"];
    if is_one_of(name.trim_end_matches('.'), &local) {
        let message = format!("The host is {name}, so every client connects to its own machine.");
        return Some((FindingCode::HostIsLoopback, message));
    }
    let message = match Ec2Name::of(name)? {
        Ec2Name::Instance => format!(
            "The host {name} is the name of one instance. After a move, {sends} clients to an instance without a license."
        ),
        Ec2Name::Address(address) => {
            let own = interface.map(|interface| [interface.private_address, interface.public_address]);
            if own.is_some_and(|own| own.contains(&Some(address))) {
                return None;
            }
            format!(
                "The host {name} resolves to {address}. Unless that is an address of the license interface, {sends} clients to \
                 the wrong machine after a move."
            )
        }
    };
    Some((FindingCode::HostIsOneInstance, message))
}

/// A name that EC2 gives to an instance or to an address. Source: EC2 User Guide, "Amazon EC2 instance hostnames and
/// domains".
enum Ec2Name {
    /// The name has the id of the instance.
    Instance,
    /// The name has an IP address.
    Address(Ipv4Addr),
}

impl Ec2Name {
    fn of(name: &str) -> Option<Self> {
        const SUFFIXES: [&str; 3] = [".compute.internal", ".compute.amazonaws.com", ".compute.amazonaws.com.cn"];
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let (label, domain) = name.split_once('.').unwrap_or((&name, ""));
        let is_ec2s = ["", "ec2.internal", "compute-1.amazonaws.com"].contains(&domain)
            || SUFFIXES.iter().any(|suffix| domain.ends_with(suffix));
        if !is_ec2s {
            return None;
        }
        if label.parse::<InstanceId>().is_ok() {
            return Some(Self::Instance);
        }
        let address = label.strip_prefix("ip-").or_else(|| label.strip_prefix("ec2-"))?;
        address.replace('-', ".").parse().ok().map(Self::Address)
    }
}

/// The faults of the options.
pub(crate) fn options(server: &Server, contact: &str) -> Option<Finding> {
    server.platforms.is_some_and(|platforms| platforms & VIRTUAL_MACHINES == 0).then(|| {
        Finding::new(
            FindingCode::VirtualMachinesExcluded,
            line(server.line),
            "PLAT= does not allow virtual machines, so lmgrd may not start on an EC2 instance.".to_owned(),
            format!("Ask {contact} for a license that may be served from a virtual machine."),
        )
    })
}
