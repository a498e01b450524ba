//! The findings of a license file: what will fail, before the night in which the license interface moves.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use token_failover::model::config::PortRange;
use token_failover::model::finding::{Finding, FindingCode};
use token_failover::model::ids::MacAddress;

use crate::license::feature::Manager;
use crate::license::file::{License, MOSEK, MOSEK_SUPPORT, Vendor};
use crate::license::interface::Interface;
use crate::license::problem::{LicenseError, line};
use crate::license::{machine, validity};

/// The ports of `lmgrd` without a port in the file: it listens on the first free one, and clients try them all.
/// Source: License Administration Guide, *SERVER Lines*.
pub(crate) const DEFAULT_PORTS: PortRange = PortRange { first: 27000, last: 27009 };
/// The port of `rlm` without a port in the file. Source: RLM License Administration, *The License File*.
const RLM_PORT: u16 = 5053;
/// The port of `lmgrd` in MOSEK's licenses. Source: MOSEK licensing guide, section 7.
const MOSEK_PORT: u16 = 27007;
/// The maximum number of names or numbers in a list for people.
const MAX_NAMED: usize = 10;

impl License {
    /// The MAC address to which the license is bound, if the only SERVER line has exactly one.
    pub fn mac_address(&self) -> Option<MacAddress> {
        match self.mac_addresses().as_slice() {
            [mac] => Some(*mac),
            _ => None,
        }
    }

    /// The MAC address in FlexNet's form, 12 lower-case digits, as for `TOKEN_SERVER_HOSTID`.
    pub fn hostid(&self) -> Option<String> {
        self.mac_address().map(MacAddress::hostid)
    }

    /// The ports of `lmgrd` and of the vendor daemons that the file determines, each only once. lmgrd's port comes first,
    /// because the license check asks it; the others are in ascending order.
    pub fn ports(&self) -> Vec<PortRange> {
        let one = |port| PortRange { first: port, last: port };
        let default = if self.manager == Manager::Rlm { one(RLM_PORT) } else { DEFAULT_PORTS };
        let mut ports: Vec<PortRange> =
            self.servers.first().map(|server| server.port.map_or(default, one)).into_iter().collect();
        let more_servers = self.servers.iter().skip(1).filter_map(|server| server.port.map(one));
        let vendors = self.vendors.iter().filter_map(|vendor| vendor.port.map(one));
        let mut others: Vec<PortRange> = more_servers.chain(vendors).collect();
        others.sort();
        for range in others {
            // A range that begins below another one does not join it: it would take the first place.
            let joins = |other: &PortRange| (other.first..=other.last.saturating_add(1)).contains(&range.first);
            match ports.iter_mut().find(|other| joins(other)) {
                Some(other) => other.last = other.last.max(range.last),
                None => ports.push(range),
            }
        }
        ports
    }

    /// The ports as a value of `TOKEN_SERVER_PORTS`, or `None` without any port.
    pub fn ports_setting(&self) -> Option<String> {
        let ports: Vec<String> = self.ports().iter().map(ToString::to_string).collect();
        Some(ports.join(",")).filter(|ports| !ports.is_empty())
    }

    /// The findings on this day, the worst first. With the license interface, they include what does not fit it.
    pub fn assess(&self, today: NaiveDate, interface: Option<&Interface>) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.faults.iter().map(invalid_line).collect();
        // A node-locked license has neither a token server nor ports.
        if self.servers.is_empty() {
            findings.push(self.no_server_line());
        } else {
            findings.extend(self.number_of_servers());
            findings.extend(self.servers.iter().flat_map(|server| machine::hostids(server, interface, self.contact())));
            findings.extend(machine::mismatch(&self.servers, interface, self.contact()));
            findings.extend(self.servers.iter().flat_map(|server| machine::host(server, interface, self.manager)));
            findings.extend(self.servers.iter().flat_map(|server| machine::options(server, self.contact())));
            findings.extend(self.ports_and_vendors());
        }
        findings.extend(validity::findings(self, today));
        findings.extend(self.other_manager());
        findings.extend(self.lines_not_understood());
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        findings
    }

    /// The contact for a new license. MOSEK's address is documented. The address of any other vendor is not in the file.
    pub fn contact(&self) -> &'static str {
        let is_mosek = if self.vendors.is_empty() {
            self.is_for_mosek
        } else {
            self.vendors.iter().all(|vendor| vendor.is_called(MOSEK))
        };
        match self.vendor_names().len() {
            _ if is_mosek => MOSEK_SUPPORT,
            0 | 1 => "the vendor",
            _ => "the vendors",
        }
    }

    /// The name of the daemon that reads the file, for people.
    fn daemon(&self) -> &'static str {
        match self.manager {
            Manager::FlexNet => "lmgrd",
            Manager::Rlm => "rlm",
        }
    }

    /// The keyword of the lines that name the vendors' daemons.
    fn vendor_keyword(&self) -> &'static str {
        match self.manager {
            Manager::FlexNet => "VENDOR",
            Manager::Rlm => "ISV",
        }
    }

    fn no_server_line(&self) -> Finding {
        let is_uncounted = !self.features.is_empty() && self.features.iter().all(|feature| feature.uncounted);
        let (message, remedy) = if is_uncounted {
            (
                "The file has no SERVER line, and its features are uncounted. It is a license for one machine, or a trial. \
                 The licensed application reads the file itself, and no token server serves it, so there is nothing to fail \
                 over.",
                format!("For a token server, use the file of the floating license, or ask {} for one.", self.contact()),
            )
        } else {
            (
                "The file has no SERVER line. Either it is a license for one machine, which needs no token server, or its \
                 first lines are missing.",
                format!(
                    "Use the file of the floating license. If this is that file, ask {} to send it again.",
                    self.contact()
                ),
            )
        };
        Finding::new(FindingCode::NoServerLine, "license file", message.to_owned(), remedy)
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
                format!(
                    "Run the three servers without token-failover, or ask {} for a license for one server.",
                    self.contact()
                ),
            )),
            number => Some(Finding::new(
                FindingCode::WrongNumberOfServers,
                "license file",
                format!("The file names {number} different servers, but a license has one or three."),
                "Keep only the lines of the server that the license was issued for, or give each server its own file."
                    .to_owned(),
            )),
        }
    }

    fn other_manager(&self) -> Option<Finding> {
        (self.manager == Manager::Rlm).then(|| {
            Finding::new(
                FindingCode::RlmLicense,
                "license file",
                "The file is for the Reprise License Manager (RLM): rlm serves it, not lmgrd. token-failover moves the \
                 interface and checks the hostid and the ports for both."
                    .to_owned(),
                "Start rlm after the interface has arrived, for example with LMGRD and LMGRD_OPTIONS in the settings of the \
                 boot files."
                    .to_owned(),
            )
        })
    }

    fn ports_and_vendors(&self) -> Vec<Finding> {
        let mut free = FreePorts::of(self);
        let mut findings: Vec<Finding> = self.privileged_ports().into_iter().collect();
        for server in self.servers.iter().filter(|server| server.port.is_none()) {
            findings.push(self.server_port_missing(server.line, free.next()));
        }
        findings.extend(self.vendors(&mut free));
        findings
    }

    /// The boot files run the daemons as a user of their own, which cannot open the ports below 1024.
    fn privileged_ports(&self) -> Option<Finding> {
        let of_servers = self.servers.iter().filter_map(|server| Some((server.line, server.port?)));
        let of_vendors = self.vendors.iter().filter_map(|vendor| Some((vendor.line, vendor.port?)));
        let (number, port) = of_servers.chain(of_vendors).find(|(_, port)| *port < 1024)?;
        Some(Finding::new(
            FindingCode::PortPrivileged,
            line(number),
            format!("Only root can open port {port}, and the boot files do not run the daemons as root."),
            "Write ports from 1024 on, restart the token server, and open them in the security group. The license stays valid."
                .to_owned(),
        ))
    }

    fn server_port_missing(&self, number: usize, free: u16) -> Finding {
        let search = match self.manager {
            Manager::FlexNet => {
                format!("lmgrd takes the first free port of {DEFAULT_PORTS}, and clients have to search all of them")
            }
            Manager::Rlm => format!("rlm takes port {RLM_PORT}"),
        };
        Finding::new(
            FindingCode::ServerPortMissing,
            line(number),
            format!("The file names no port for {}, so {search}.", self.daemon()),
            format!(
                "Write {free} after the hostid, restart the token server, and open the port in the security group. The \
                 license stays valid."
            ),
        )
    }

    fn vendors(&self, free: &mut FreePorts) -> Vec<Finding> {
        let mut findings = Vec::new();
        // A VENDOR line may be among the invalid lines.
        if self.vendors.is_empty() && self.faults.is_empty() {
            findings.push(self.no_vendor_line(free));
        }
        for (index, vendor) in self.vendors.iter().enumerate() {
            let before = self.vendors.get(..index).unwrap_or_default();
            findings.extend(repeated(vendor, before));
            findings.extend(self.port_not_fixed(vendor, free));
            findings.extend(self.port_used_twice(vendor, before, free));
            findings.extend(path_not_quoted(vendor));
        }
        findings.extend(self.several_vendors());
        findings
    }

    fn no_vendor_line(&self, free: &mut FreePorts) -> Finding {
        let keyword = self.vendor_keyword();
        let name = if self.is_for_mosek { MOSEK } else { "NAME" };
        let which = if self.is_for_mosek { "" } else { ", with the name of the vendor daemon" };
        Finding::new(
            FindingCode::NoVendorLine,
            "license file",
            format!(
                "The file has no {keyword} line, so {} starts no vendor daemon and serves no license.",
                self.daemon()
            ),
            format!("Add the line {keyword} {name} port={} after the line with the hostid{which}.", free.next()),
        )
    }

    /// The names of the vendor daemons, each once, in alphabetical order.
    pub fn vendor_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for vendor in &self.vendors {
            if !names.iter().any(|name| vendor.is_called(name)) {
                names.push(vendor.name.clone());
            }
        }
        names.sort_unstable();
        names
    }

    fn several_vendors(&self) -> Option<Finding> {
        let names = self.vendor_names();
        (names.len() > 1).then(|| {
            Finding::new(
                FindingCode::SeveralVendors,
                "license file",
                format!(
                    "The file has {} vendor daemons: {}. They all move together, and each needs its own port.",
                    names.len(),
                    some_of(&names)
                ),
                "Check that the licenses of all these vendors name the same hostid, and that all their ports are open."
                    .to_owned(),
            )
        })
    }

    fn port_used_twice(&self, vendor: &Vendor, before: &[Vendor], free: &mut FreePorts) -> Option<Finding> {
        let port = vendor.port?;
        // Without a port of its own, lmgrd takes the first free one.
        let first = if self.manager == Manager::Rlm { RLM_PORT } else { DEFAULT_PORTS.first };
        let is_lmgrds = self.servers.iter().any(|server| server.port.unwrap_or(first) == port);
        let is_anothers = before.iter().any(|other| other.port == Some(port) && !other.is_called(&vendor.name));
        (is_lmgrds || is_anothers).then(|| {
            Finding::new(
                FindingCode::PortUsedTwice,
                line(vendor.line),
                format!("{} has port {port}, which another daemon uses, so {} cannot start.", vendor.name, vendor.name),
                format!("Give the vendor daemon another port, such as {}, and restart the token server.", free.next()),
            )
        })
    }

    fn port_not_fixed(&self, vendor: &Vendor, free: &mut FreePorts) -> Option<Finding> {
        // A vendor daemon that has a port on another line is told as repeated.
        if self.vendors.iter().any(|other| other.is_called(&vendor.name) && other.port.is_some()) {
            return None;
        }
        let path = vendor.path.as_deref().filter(|path| path.bytes().all(|b| b.is_ascii_digit()));
        let then = "restart the token server, and open the port in the security group. The license stays valid";
        let is_only = self.vendors.iter().filter(|other| other.port.is_none()).count() == 1;
        let has_gap = self.servers.iter().any(|server| server.port.is_none());
        let is_lmgrds = |port: u16| has_gap && (DEFAULT_PORTS.first..=DEFAULT_PORTS.last).contains(&port);
        let misplaced = self.misplaced_port.filter(|(_, port)| is_only && !is_lmgrds(*port) && free.take(*port));
        let remedy = match (path, misplaced) {
            (Some(number), _) => format!("{number} is where the path belongs. Write port={number} instead, {then}."),
            (None, Some((other, port))) => {
                format!("Move port={port} from the USE_SERVER line (line {other}) to the end of this line, {then}.")
            }
            (None, None) => format!("Write port={} at the end of the line, {then}.", free.next()),
        };
        Some(Finding::new(
            FindingCode::VendorPortNotFixed,
            line(vendor.line),
            format!(
                "The port of {} is not fixed. The daemon takes a different port each time it starts, and every failover starts \
                 it, so no security group rule can let clients in.",
                vendor.name
            ),
            remedy,
        ))
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
            "Compare the file with the one that the vendor sent: a backslash at the end of a long line may be missing, or a \
             date is not in the form 31-dec-2031."
                .to_owned(),
        ))
    }
}

/// The first items of a list, and the number of the others.
pub(crate) fn some_of(items: &[String]) -> String {
    let some = items.get(..MAX_NAMED).unwrap_or(items).join(", ");
    match items.len().checked_sub(MAX_NAMED) {
        None | Some(0) => some,
        Some(more) => format!("{some} and {more} more"),
    }
}

/// `before`: the vendor daemons on the lines before.
fn repeated(vendor: &Vendor, before: &[Vendor]) -> Option<Finding> {
    before.iter().any(|other| other.is_called(&vendor.name)).then(|| {
        Finding::new(
            FindingCode::VendorRepeated,
            line(vendor.line),
            format!("An earlier line already names the vendor daemon {}.", vendor.name),
            "Keep only the line with the right port.".to_owned(),
        )
    })
}

fn path_not_quoted(vendor: &Vendor) -> Option<Finding> {
    vendor.unquoted_path.then(|| {
        Finding::new(
            FindingCode::PathNotQuoted,
            line(vendor.line),
            format!(
                "A path on the line of {} contains a space and has no quotation marks. The license manager reads the part after \
                 the space as the options file.",
                vendor.name
            ),
            "Put the whole path in quotation marks.".to_owned(),
        )
    })
}

fn invalid_line(fault: &LicenseError) -> Finding {
    let problem = fault.problem.to_string();
    let mut letters = problem.chars();
    let sentence: String = letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect();
    Finding::new(
        FindingCode::LineInvalid,
        fault.line.map_or_else(|| "license file".to_owned(), line),
        format!("{sentence}."),
        fault.hint().to_owned(),
    )
}

/// Ports that neither the file nor an earlier remedy uses.
struct FreePorts {
    used: BTreeSet<u16>,
    from: u16,
}

impl FreePorts {
    fn of(license: &License) -> Self {
        let servers = license.servers.iter().filter_map(|server| server.port);
        let vendors = license.vendors.iter().filter_map(|vendor| vendor.port);
        let usual = if license.manager == Manager::Rlm { RLM_PORT } else { MOSEK_PORT };
        let from = servers.clone().next().unwrap_or(usual);
        // rlm opens this port for its web page. Source: RLM License Administration, *RLM Server Ports*.
        let own = (license.manager == Manager::Rlm).then_some(RLM_PORT + 1);
        Self { used: servers.chain(vendors).chain(own).collect(), from }
    }

    /// Takes this port, if it is free.
    fn take(&mut self, port: u16) -> bool {
        self.used.insert(port)
    }

    fn next(&mut self) -> u16 {
        let candidates = (self.from..=u16::MAX).chain(MOSEK_PORT + 1..=u16::MAX);
        let port = candidates.into_iter().find(|port| !self.used.contains(port)).unwrap_or(MOSEK_PORT);
        self.used.insert(port);
        port
    }
}
