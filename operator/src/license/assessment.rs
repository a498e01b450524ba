//! The findings of a license file: what will fail when the license interface moves.

use token_failover::model::config::PortRange;
use token_failover::model::finding::{Finding, FindingCode, Severity};
use token_failover::model::ids::MacAddress;

use crate::license::file::{Host, Hostid, License, Server, Vendor};

/// The ports of `lmgrd` without a port in the file: it listens on the first free one, and clients try them all.
/// Source: License Administration Guide, *SERVER Lines*.
const DEFAULT_PORTS: PortRange = PortRange { first: 27000, last: 27009 };
/// The bit of `PLAT=` for virtual machines. Source: License Administration Guide 2026 R1, *SERVER Lines Enforcement*.
const VIRTUAL_MACHINES: u32 = 2;
/// The maximum number of names or numbers in a list for people.
const MAX_NAMED: usize = 10;

impl License {
    /// The MAC address to which the license is bound, if the only SERVER line has exactly one.
    pub fn mac_address(&self) -> Option<MacAddress> {
        let [server] = self.servers.as_slice() else { return None };
        let [Hostid::Mac(mac)] = server.hostids.as_slice() else { return None };
        Some(*mac)
    }

    /// The MAC address in FlexNet's form, 12 lower-case digits, as for `TOKEN_SERVER_HOSTID`.
    pub fn hostid(&self) -> Option<String> {
        self.mac_address().map(MacAddress::hostid)
    }

    /// The ports of `lmgrd` and of the vendor daemons that the file determines, in ascending order and each only once.
    pub fn ports(&self) -> Vec<PortRange> {
        let one = |port| PortRange { first: port, last: port };
        let lmgrd = self.servers.iter().map(|server| server.port.map_or(DEFAULT_PORTS, one));
        let vendors = self.vendors.iter().filter_map(|vendor| vendor.port.map(one));
        let mut ranges: Vec<PortRange> = lmgrd.chain(vendors).collect();
        ranges.sort();
        let mut ports: Vec<PortRange> = Vec::new();
        for range in ranges {
            match ports.last_mut() {
                Some(before) if range.first <= before.last.saturating_add(1) => {
                    before.last = before.last.max(range.last)
                }
                _ => ports.push(range),
            }
        }
        ports
    }

    /// The ports as a value of `TOKEN_SERVER_PORTS`, or `None` without any port.
    pub fn ports_setting(&self) -> Option<String> {
        let ports: Vec<String> = self.ports().iter().map(ToString::to_string).collect();
        Some(ports.join(",")).filter(|ports| !ports.is_empty())
    }

    /// The findings, the worst first. With the MAC address of the license interface, they include a MAC address that
    /// the license does not name.
    pub fn assess(&self, mac: Option<MacAddress>) -> Vec<Finding> {
        let mut findings = Vec::new();
        // A node-locked license has neither a token server nor ports.
        if self.servers.is_empty() {
            findings.push(Finding::new(
                FindingCode::NoServerLine,
                "license file",
                "The file has no SERVER line. Either it is a license for one machine, which needs no token server, or its \
                 first lines are missing."
                    .to_owned(),
                "Use the file of the floating license. If this is that file, ask support@mosek.com to send it again."
                    .to_owned(),
            ));
        } else {
            findings.extend(self.number_of_servers());
            findings.extend(self.servers.iter().flat_map(hostids));
            findings.extend(self.other_hostid(mac));
            findings.extend(self.servers.iter().flat_map(place));
            findings.extend(self.vendors());
        }
        findings.extend(self.lines_not_understood());
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        findings
    }

    fn number_of_servers(&self) -> Option<Finding> {
        match self.servers.len() {
            0 | 1 => None,
            3 => Some(Finding::new(
                FindingCode::RedundantServers,
                "license file",
                "The file has three SERVER lines: three redundant token servers, each with its own hostid. They do not need \
                 an interface that moves."
                    .to_owned(),
                "Run the three servers without token-failover, or ask support@mosek.com for a license for one server."
                    .to_owned(),
            )),
            number => Some(Finding::new(
                FindingCode::WrongNumberOfServers,
                "license file",
                format!("The file has {number} SERVER lines, but a license has one or three."),
                "Keep only the line of the server that the license was issued for.".to_owned(),
            )),
        }
    }

    fn other_hostid(&self, mac: Option<MacAddress>) -> Option<Finding> {
        let mac = mac?;
        let hostids = || self.servers.iter().flat_map(|server| &server.hostids);
        let named: Vec<String> = hostids()
            .filter_map(|hostid| if let Hostid::Mac(mac) = hostid { Some(mac.hostid()) } else { None })
            .collect();
        let is_any = hostids().any(|hostid| *hostid == Hostid::Any);
        if named.is_empty() || is_any || named.contains(&mac.hostid()) {
            return None;
        }
        Some(Finding::new(
            FindingCode::HostidMismatch,
            mac,
            format!(
                "The license names the hostid {}, but the interface has {}. The token server will refuse to serve the license.",
                named.join(", "),
                mac.hostid()
            ),
            "Use the interface whose MAC address the license names, or ask support@mosek.com for a license for this \
             interface. Do not edit the hostid: that would make the license invalid."
                .to_owned(),
        ))
    }

    fn vendors(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.vendors.is_empty() {
            findings.push(Finding::new(
                FindingCode::NoVendorLine,
                "license file",
                "The file has no VENDOR line, so lmgrd starts no vendor daemon and serves no license.".to_owned(),
                "Add the line VENDOR MOSEKLM port=27008 after the SERVER line.".to_owned(),
            ));
        }
        findings.extend(
            self.vendors.iter().filter(|vendor| vendor.port.is_none()).map(|vendor| self.port_not_fixed(vendor)),
        );
        for (index, vendor) in self.vendors.iter().enumerate() {
            let before = self.vendors.get(..index).unwrap_or_default();
            findings.extend(repeated(vendor, before));
            findings.extend(self.port_used_twice(vendor, before));
        }
        let mut names: Vec<String> = self.vendors.iter().map(|vendor| vendor.name.clone()).collect();
        names.sort_unstable();
        names.dedup();
        if names.len() > 1 {
            findings.push(Finding::new(
                FindingCode::SeveralVendors,
                "license file",
                format!(
                    "The file has {} vendor daemons: {}. They all move together, and each needs its own port.",
                    names.len(),
                    some_of(&names)
                ),
                "Check that the licenses of all these vendors name the same hostid, and that all their ports are open."
                    .to_owned(),
            ));
        }
        findings
    }

    fn port_used_twice(&self, vendor: &Vendor, before: &[Vendor]) -> Option<Finding> {
        let port = vendor.port?;
        let is_lmgrds = self.servers.iter().any(|server| server.port == Some(port));
        let is_anothers = before.iter().any(|other| other.port == Some(port) && other.name != vendor.name);
        (is_lmgrds || is_anothers).then(|| {
            Finding::new(
                FindingCode::PortUsedTwice,
                line(vendor.line),
                format!("{} has port {port}, which another daemon uses, so {} cannot start.", vendor.name, vendor.name),
                format!(
                    "Give the vendor daemon another port, such as {}, and restart the token server.",
                    self.free_port()
                ),
            )
        })
    }

    fn port_not_fixed(&self, vendor: &Vendor) -> Finding {
        let path = vendor.path.as_deref().filter(|path| path.bytes().all(|b| b.is_ascii_digit()));
        let remedy = match path {
            Some(number) => format!(
                "{number} is where the path belongs. Write port={number} instead, restart the token server, and open the port \
                 in the security group."
            ),
            None => format!(
                "Write port={} at the end of the line, restart the token server, and open the port in the security group. \
                 The license stays valid.",
                self.free_port()
            ),
        };
        Finding::new(
            FindingCode::VendorPortNotFixed,
            line(vendor.line),
            format!(
                "The port of {} is not fixed. The daemon takes another port at each start, and a failover is a start, so no \
                 security group rule can let clients in.",
                vendor.name
            ),
            remedy,
        )
    }

    /// A port close to that of `lmgrd` that is unused in the file.
    fn free_port(&self) -> u16 {
        let lmgrd = self.servers.iter().find_map(|server| server.port).unwrap_or(27007);
        let used = |port: u16| {
            let lmgrds = self.servers.iter().filter_map(|server| server.port);
            lmgrds.chain(self.vendors.iter().filter_map(|vendor| vendor.port)).any(|other| other == port)
        };
        (lmgrd..=u16::MAX).find(|port| !used(*port)).unwrap_or(27008)
    }

    fn lines_not_understood(&self) -> Option<Finding> {
        let first = self.not_understood.first()?;
        let numbers: Vec<String> = self.not_understood.iter().map(ToString::to_string).collect();
        let message = if numbers.len() == 1 {
            format!("Line {first} was not fully understood.")
        } else {
            format!("Lines {} were not fully understood.", some_of(&numbers))
        };
        Some(Finding::new(
            FindingCode::LinesNotUnderstood,
            line(*first),
            message,
            "Compare the file with the one that the vendor sent: a backslash at the end of a long line may be missing."
                .to_owned(),
        ))
    }
}

fn line(number: usize) -> String {
    format!("line {number}")
}

/// The first items of a list, and the number of the others.
fn some_of(items: &[String]) -> String {
    let some = items.get(..MAX_NAMED).unwrap_or(items).join(", ");
    match items.len().checked_sub(MAX_NAMED) {
        None | Some(0) => some,
        Some(more) => format!("{some} and {more} more"),
    }
}

/// The faults of the hostid.
fn hostids(server: &Server) -> Vec<Finding> {
    let macs = server.hostids.iter().filter(|hostid| matches!(hostid, Hostid::Mac(_))).count();
    if macs > 1 {
        let finding = Finding::new(
            FindingCode::SeveralHostids,
            line(server.line),
            format!("The SERVER line names {macs} MAC addresses. Any one of them is sufficient."),
            "Set TOKEN_SERVER_HOSTID to the one of the license interface.".to_owned(),
        );
        return vec![finding];
    }
    if macs == 1 {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for hostid in &server.hostids {
        let Some(finding) = not_a_mac(hostid, server) else { continue };
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    findings
}

/// `before`: the vendor daemons on the lines before.
fn repeated(vendor: &Vendor, before: &[Vendor]) -> Option<Finding> {
    before.iter().any(|other| other.name == vendor.name).then(|| {
        Finding::new(
            FindingCode::VendorRepeated,
            line(vendor.line),
            format!("The vendor daemon {} already has a line.", vendor.name),
            format!("Keep only one of the lines of {}.", vendor.name),
        )
    })
}

/// The finding of a hostid that is not a MAC address.
fn not_a_mac(hostid: &Hostid, server: &Server) -> Option<Finding> {
    Some(match hostid {
        Hostid::Mac(_) => return None,
        Hostid::Any => Finding::new(
            FindingCode::HostidNotAMac,
            line(server.line),
            "The hostid is ANY: the license is not bound to a MAC address, so it does not depend on the interface. Only \
             the addresses move with the interface."
                .to_owned(),
            "Leave TOKEN_SERVER_HOSTID empty.".to_owned(),
        )
        .as_severe_as(Severity::Warning),
        Hostid::Other(kind) if kind == "INTERNET" => Finding::new(
            FindingCode::HostidNotAMac,
            line(server.line),
            "The hostid is an IP address, not a MAC address. It moves with the interface only if it is the interface's \
             private address."
                .to_owned(),
            "Compare it with the private address of the license interface, and leave TOKEN_SERVER_HOSTID empty.".to_owned(),
        )
        .as_severe_as(Severity::Warning),
        Hostid::Other(kind) => Finding::new(
            FindingCode::HostidNotAMac,
            line(server.line),
            format!(
                "The hostid is of type {kind}, not a MAC address, so it does not move with the interface. The token \
                 server will refuse to serve the license on another instance."
            ),
            "Ask support@mosek.com for a license for the MAC address of the license interface.".to_owned(),
        ),
        Hostid::Unknown => Finding::new(
            FindingCode::HostidNotAMac,
            line(server.line),
            "The hostid does not look like a hostid. It may be a placeholder from a template.".to_owned(),
            "Use the file as the vendor sent it, or ask support@mosek.com for a license for the MAC address of the \
             license interface."
                .to_owned(),
        ),
    })
}

/// The faults of the host.
fn place(server: &Server) -> Vec<Finding> {
    let mut findings = Vec::new();
    let rename = "Write a name that every client resolves to the address of the license interface, and restart the token \
                  server. The license stays valid.";
    match &server.host {
        Host::Placeholder => findings.push(Finding::new(
            FindingCode::HostPlaceholder,
            line(server.line),
            "The host is still the placeholder of a template.".to_owned(),
            rename.to_owned(),
        )),
        Host::ThisHost => findings.push(Finding::new(
            FindingCode::HostIsThisHost,
            line(server.line),
            "The host is this_host, which is not a name. Clients that read this file, or that lmgrd refers to the vendor \
             daemon, may not find the token server."
                .to_owned(),
            rename.to_owned(),
        )),
        Host::Named(name) if is_loopback(name) => findings.push(Finding::new(
            FindingCode::HostIsLoopback,
            line(server.line),
            format!("The host is {name}, so every client connects to its own machine."),
            rename.to_owned(),
        )),
        Host::Named(_) => {}
    }
    if server.port.is_none() {
        findings.push(Finding::new(
            FindingCode::ServerPortMissing,
            line(server.line),
            format!(
                "The SERVER line has no port: lmgrd takes the first free port of {DEFAULT_PORTS}, and clients have to search \
                 all of them."
            ),
            "Write 27007 after the hostid, restart the token server, and open the port in the security group. The license \
             stays valid."
                .to_owned(),
        ));
    }
    if server.platforms.is_some_and(|platforms| platforms & VIRTUAL_MACHINES == 0) {
        findings.push(Finding::new(
            FindingCode::VirtualMachinesExcluded,
            line(server.line),
            "PLAT= does not allow virtual machines, so lmgrd may not start on an EC2 instance.".to_owned(),
            "Ask the vendor for a license that may be served from a virtual machine.".to_owned(),
        ));
    }
    findings
}

fn is_loopback(name: &str) -> bool {
    let is_address = name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    is_address || name.eq_ignore_ascii_case("localhost") || name.eq_ignore_ascii_case("localhost.localdomain")
}
