//! Derives the parameters of the stack from the license interface, and asks only for values that EC2 does not show.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anstyle::Style;
use clap::Args;
use token_failover::model::config::MemberTag;
use token_failover::model::finding::{Finding, Severity};
use token_failover::model::ids::{InstanceId, NetworkInterfaceId};
use token_failover::model::observation::{Instance, InstanceInterface, InterfaceLimits, NetworkInterface};
use token_failover::ports::Ec2;
use token_failover_aws::SdkEc2;
use token_failover_operator::license::{Interface, License, MOSEK_SUPPORT};
use toml_edit::{DocumentMut, Item, Table, value};

use crate::ended::{Ended, Trouble};
use crate::members::{Chosen, Tagged, listed, member_tag};
use crate::{asked, settings};

/// The file that SAM reads by itself.
const DEFAULT_OUTPUT: &str = "samconfig.toml";

/// The values that EC2 does not show.
#[derive(Debug, Args)]
pub(crate) struct Wishes {
    /// The license interface: the one whose MAC address the license names.
    #[arg(long, value_name = "ENI")]
    interface: NetworkInterfaceId,
    /// A standby. Repeat for several, most preferred first. Default: the only other instance in the zone.
    #[arg(long = "standby", value_name = "INSTANCE")]
    standbys: Vec<InstanceId>,
    /// A tag that the members carry, such as token-server=license-eu, in place of their ids.
    #[arg(long, value_name = "KEY=VALUE", value_parser = member_tag, conflicts_with = "standbys")]
    members: Option<MemberTag>,
    /// The clients that use the licenses: CIDR ranges, security groups and prefix lists, comma-separated.
    #[arg(long, value_name = "CLIENTS")]
    clients: Option<String>,
    /// The address that receives the mails.
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// The license file, from which the hostid, the ports, the last day and the vendor daemons are read.
    #[arg(long, value_name = "FILE")]
    license: Option<PathBuf>,
    /// The ports of lmgrd and the vendor daemon, comma-separated. They override those of the license file.
    #[arg(long, value_name = "PORTS")]
    ports: Option<String>,
    /// The file that receives the parameters.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_OUTPUT)]
    output: PathBuf,
    /// The name of the stack. Each license interface needs a stack of its own. Default: the name in the file, or
    /// token-failover.
    #[arg(long, value_name = "NAME")]
    stack_name: Option<String>,
    /// Overwrite existing parameters without asking.
    #[arg(long)]
    yes: bool,
}

/// Reads EC2, shows the values, and writes the parameters.
pub(crate) fn init(wishes: &Wishes) -> Result<Ended, Trouble> {
    let license = wishes.license.as_deref().map(crate::license::read).transpose()?;
    let mut file = Parameters::open(&wishes.output)?;
    let found = look(wishes)?;
    let parameters = parameters(wishes, license.as_ref(), &found, &file);
    let index = &found.device_index;
    anstream::eprintln!(
        "{} ({}) in {}:",
        wishes.interface,
        found.interface.mac_address,
        found.interface.availability_zone
    );
    for (name, value) in &parameters {
        let value = if value.is_empty() { "\"\"" } else { value };
        anstream::eprintln!("  {name:<26} {value}");
    }
    let mut has_no_members = false;
    if let Chosen::Tagged(tagged) = &found.members {
        has_no_members = tagged.has_no_members();
        let style = if has_no_members { crate::show::BAD } else { Style::new() };
        anstream::eprintln!("{style}{}{style:#}", tagged.in_words());
    }
    if let Some(reason) = &index.reason {
        anstream::eprintln!("Device index {}: {reason}.", index.number);
    }
    if found.interface.attachment.as_ref().is_some_and(|attachment| attachment.device_index == 0) {
        let bad = crate::show::BAD;
        anstream::eprintln!(
            "{bad}This is a primary interface (device index 0), which EC2 never detaches{bad:#}: it can move only after its \
             instance has been terminated."
        );
    }
    let today = asked::today();
    let interface = Interface::from(&found.interface);
    let of_members = found.members.findings(index.number);
    let of_license = license.map(|license| license.assess(today, Some(&interface))).unwrap_or_default();
    let findings = of_members.into_iter().chain(of_license);
    let findings: Vec<Finding> = findings.filter(|finding| finding.severity > Severity::Info).collect();
    for finding in &findings {
        let style = crate::show::style(finding.severity);
        let (severity, message, code) = (finding.severity, &finding.message, &finding.code);
        anstream::eprintln!("{style}{severity}{style:#}  {message} [{code}]\n  {}", finding.remedy);
    }
    file.write(wishes, &parameters, found.region.as_deref())?;
    let file = wishes.output.display();
    let option =
        if wishes.output == Path::new(DEFAULT_OUTPUT) { String::new() } else { format!(" --config-file {file}") };
    anstream::eprintln!("\nWritten to {file}. Now: sam deploy{option}");
    anstream::eprintln!("In a clone of the repository, build first: sam build && sam deploy{option}");
    Ok(if findings.is_empty() && !has_no_members { Ended::Well } else { Ended::Badly })
}

/// The answers of EC2.
struct Found {
    interface: NetworkInterface,
    members: Chosen,
    device_index: DeviceIndex,
    region: Option<String>,
}

fn look(wishes: &Wishes) -> Result<Found, Trouble> {
    asked::on_runtime(async {
        let (sdk, interface) = asked::look_up(&wishes.interface, None).await?;
        let region = sdk.region().map(ToString::to_string);
        let unanswered = |error| asked::unanswered(error, region.as_deref().unwrap_or("this Region"));
        let ec2 = SdkEc2::of(&sdk);
        let chosen = match &wishes.members {
            Some(tag) => {
                let instances = ec2.instances_with(tag, None).await.map_err(unanswered)?;
                Chosen::Tagged(Box::new(Tagged::new(tag, &interface, instances, region.as_deref())?))
            }
            None => {
                let (vpc, zone) = (&interface.vpc_id, &interface.availability_zone);
                let neighbors = ec2.instances_in(vpc, zone).await.map_err(unanswered)?;
                Chosen::Listed(listed(&wishes.standbys, &interface, &neighbors)?)
            }
        };
        let instances = chosen.living();
        let device_index = match kept_index(&interface, &instances) {
            Some(kept) => kept,
            None if instances.is_empty() => DeviceIndex { number: 1, reason: None },
            None => {
                let types: BTreeSet<String> = instances.iter().map(|instance| instance.instance_type.clone()).collect();
                let limits = ec2.interface_limits(&types).await.map_err(unanswered)?;
                free_index(&interface.id, &instances, &limits)?
            }
        };
        Ok(Found { interface, members: chosen, device_index, region })
    })
}

/// The device index of the license interface on every member.
#[derive(Debug, PartialEq, Eq)]
struct DeviceIndex {
    number: u16,
    /// Why it is not 1.
    reason: Option<String>,
}

/// The highest device index that the template accepts.
const HIGHEST_INDEX: u16 = 255;

/// The interface of another purpose at a device index of a member.
fn taken<'a>(
    index: u16,
    interface: &NetworkInterfaceId,
    members: &[&'a Instance],
) -> Option<(&'a Instance, &'a InstanceInterface)> {
    members.iter().find_map(|member| {
        let other = member.interface_at(i32::from(index)).filter(|other| other.id != *interface)?;
        Some((*member, other))
    })
}

/// The index at which the interface is attached now, if it is free on the other members.
fn kept_index(interface: &NetworkInterface, members: &[&Instance]) -> Option<DeviceIndex> {
    let number = u16::try_from(interface.attachment.as_ref()?.device_index).ok().filter(|index| *index > 0)?;
    if taken(number, &interface.id, members).is_some() {
        return None;
    }
    let reason = "the interface is attached there now, and the index is free on the other members".to_owned();
    Some(DeviceIndex { number, reason: Some(reason).filter(|_| number != 1) })
}

/// The lowest index that is free on every member.
fn free_index(
    interface: &NetworkInterfaceId,
    members: &[&Instance],
    limits: &BTreeMap<String, InterfaceLimits>,
) -> Result<DeviceIndex, Trouble> {
    let of = |member: &Instance| limits.get(&member.instance_type).copied();
    let is_full = |member: &&&Instance| of(member).is_some_and(|limits| limits.leave_no_room(member, interface));
    if let Some(full) = members.iter().find(is_full) {
        let (id, kind) = (&full.id, &full.instance_type);
        let limit = of(full).map(InterfaceLimits::effective).unwrap_or_default();
        let problem =
            format!("{id} has no room for {interface}: it has as many interfaces as a {kind} can have ({limit})");
        return Err(Trouble::new(problem, "Detach an interface that it does not need, or change its instance type."));
    }
    let room = members.iter().filter_map(|member| of(member)).map(|limits| limits.effective().saturating_sub(1)).min();
    let highest = room.and_then(|room| u16::try_from(room).ok()).unwrap_or(HIGHEST_INDEX).min(HIGHEST_INDEX);
    let mut lower = Vec::new();
    for number in 1..=highest {
        let Some((member, other)) = taken(number, interface, members) else {
            let reason = Some(lower.join(", and ")).filter(|reason| !reason.is_empty());
            return Ok(DeviceIndex { number, reason });
        };
        lower.push(format!("{number} is taken by {} on {}", other.id, member.id));
    }
    let problem = format!("no device index from 1 to {highest} is free on every member: {}", lower.join(", and "));
    Err(Trouble::new(problem, "Detach an interface that a member does not need, or choose larger instance types."))
}

/// The parameter that lists the members.
const INSTANCE_IDS: &str = "TokenServerInstanceIds";
/// The parameter that names their tag.
const MEMBERS: &str = "TokenServerMembers";

/// The parameters of the template, in its order.
fn parameters(
    wishes: &Wishes,
    license: Option<&License>,
    found: &Found,
    file: &Parameters,
) -> Vec<(&'static str, String)> {
    let interface = &found.interface;
    // A stack keeps the value of a parameter that a deployment leaves out, and accepts only one of the two.
    let emptied = |name| file.names(name).then(|| (name, String::new()));
    let mut parameters = vec![("TokenServerInterfaceId", interface.id.to_string())];
    match &found.members {
        Chosen::Listed(listed) => {
            let ids: Vec<&str> = listed.ids.iter().map(InstanceId::as_str).collect();
            parameters.push((INSTANCE_IDS, ids.join(",")));
            parameters.extend(emptied(MEMBERS));
        }
        Chosen::Tagged(tagged) => {
            parameters.extend(emptied(INSTANCE_IDS));
            parameters.push((MEMBERS, tagged.tag.to_string()));
        }
    }
    // The hostid of the license file comes first. Without a license file, the hostid is the MAC address of the
    // interface.
    // A license for several MAC addresses fits the interface if it names the interface's. A license without a MAC address
    // leaves nothing to compare.
    let own = interface.mac_address;
    let hostid = match license.map(License::mac_addresses) {
        None => Some(own),
        Some(named) if named.contains(&own) => Some(own),
        Some(named) => named.first().copied(),
    };
    parameters.extend(hostid.map(|mac| ("TokenServerHostid", mac.hostid())));
    parameters.extend(license.map(of_license).unwrap_or_default());
    let allocation = interface.association.as_ref().and_then(|association| association.allocation_id.as_ref());
    parameters.extend(allocation.map(|allocation| ("TokenServerAllocationId", allocation.to_string())));
    parameters.push(("TokenServerDeviceIndex", found.device_index.number.to_string()));
    let ports = wishes.ports.clone().or_else(|| license.and_then(License::ports_setting));
    parameters.extend(ports.map(|ports| ("TokenServerPorts", ports)));
    parameters.extend(wishes.clients.clone().map(|clients| ("TokenServerClients", clients)));
    parameters.extend(interface.groups.first().map(|group| ("TokenServerSecurityGroupId", group.to_string())));
    parameters.extend(wishes.email.clone().map(|email| ("NotificationEmail", email)));
    parameters
}

/// The parameters that only the license file shows: its end, and another vendor than MOSEK.
fn of_license(license: &License) -> Vec<(&'static str, String)> {
    let expires = license.expires(asked::today());
    let mut parameters: Vec<(&str, String)> =
        expires.map(|date| ("TokenServerLicenseExpires", date.to_string())).into_iter().collect();
    if license.contact() != MOSEK_SUPPORT {
        let names = license.vendor_names().join(",");
        parameters.extend(Some(("TokenServerVendors", names)).filter(|(_, names)| !names.is_empty()));
        parameters.push(("TokenServerLicenseContact", license.contact().to_owned()));
    }
    parameters
}

/// SAM's file.
struct Parameters<'a> {
    file: &'a Path,
    document: DocumentMut,
    /// The names of the parameters in it.
    names: BTreeSet<String>,
}

impl<'a> Parameters<'a> {
    /// Reads the file, which need not exist.
    fn open(file: &'a Path) -> Result<Self, Trouble> {
        let trouble = |problem: String| Trouble::new(format!("{}: {problem}", file.display()), "");
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "version = 0.1\n".to_owned(),
            Err(error) => return Err(trouble(error.to_string())),
        };
        let document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| trouble(error.to_string()))?;
        let overrides = settings::overrides(&document).map_err(trouble)?;
        let names = overrides.into_iter().map(|(name, _)| name).collect();
        Ok(Self { file, document, names })
    }

    fn names(&self, parameter: &str) -> bool {
        self.names.contains(parameter)
    }

    /// Writes the parameters, and keeps the rest of the file.
    fn write(&mut self, wishes: &Wishes, parameters: &[(&str, String)], region: Option<&str>) -> Result<(), Trouble> {
        let file = self.file;
        let trouble = |problem: String| Trouble::new(format!("{}: {problem}", file.display()), "");
        let mut part: &mut Item = self.document.as_item_mut();
        for name in ["default", "deploy", "parameters"] {
            let Some(table) = part.as_table_like_mut() else {
                return Err(trouble(format!("the parent of `{name}` is not a table")));
            };
            let mut empty = Table::new();
            empty.set_implicit(true);
            part = table.entry(name).or_insert(Item::Table(empty));
        }
        let Some(table) = part.as_table_like_mut() else {
            return Err(trouble("`parameters` is not a table".to_owned()));
        };
        if table.contains_key("parameter_overrides") && !wishes.yes {
            confirm(&format!("{} already has parameters. Overwrite them?", file.display()))?;
        }
        let words: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        table.insert("parameter_overrides", value(words.join(" ")));
        if let Some(name) = &wishes.stack_name {
            table.insert("stack_name", value(name));
        }
        for (name, default) in [("stack_name", "token-failover"), ("capabilities", "CAPABILITY_IAM")] {
            if !table.contains_key(name) {
                table.insert(name, value(default));
            }
        }
        if let Some(region) = region.filter(|_| !table.contains_key("region")) {
            table.insert("region", value(region));
        }
        if !table.contains_key("resolve_s3") {
            table.insert("resolve_s3", value(true));
        }
        std::fs::write(file, self.document.to_string()).map_err(|error| trouble(error.to_string()))
    }
}

fn confirm(question: &str) -> Result<(), Trouble> {
    if !std::io::stdin().is_terminal() {
        return Err(Trouble::new(
            question,
            "Standard input is not a terminal. Pass --yes, or another file with --output.",
        ));
    }
    anstream::eprint!("{question} [y/N] ");
    let mut answer = String::new();
    let read = std::io::stderr().flush().and_then(|()| std::io::stdin().read_line(&mut answer));
    read.map_err(|error| Trouble::new(format!("no answer: {error}"), ""))?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Trouble::new("nothing was written", "")),
    }
}
