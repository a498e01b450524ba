//! Derives the parameters of the stack from the license interface, and asks only for values that EC2 does not show.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use token_failover::model::finding::Severity;
use token_failover::model::ids::{InstanceId, NetworkInterfaceId};
use token_failover::model::observation::{Instance, InstanceState, NetworkInterface};
use token_failover_aws::SdkEc2;
use token_failover_operator::license::{Interface, License, MOSEK_SUPPORT};
use toml_edit::{DocumentMut, Item, Table, value};

use crate::asked;
use crate::ended::{Ended, Trouble};

/// The values that EC2 does not show.
#[derive(Debug, Args)]
pub(crate) struct Wishes {
    /// The license interface: the one whose MAC address the license names.
    #[arg(long, value_name = "ENI")]
    interface: NetworkInterfaceId,
    /// A standby. Repeat for several, most preferred first. Default: the only other instance in the zone.
    #[arg(long = "standby", value_name = "INSTANCE")]
    standbys: Vec<InstanceId>,
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
    #[arg(long, value_name = "FILE", default_value = "samconfig.toml")]
    output: PathBuf,
    /// Overwrite existing parameters without asking.
    #[arg(long)]
    yes: bool,
}

/// Reads EC2, shows the values, and writes the parameters.
pub(crate) fn init(wishes: &Wishes) -> Result<Ended, Trouble> {
    let license = wishes.license.as_deref().map(crate::license::read).transpose()?;
    let found = look(wishes)?;
    let parameters = parameters(wishes, license.as_ref(), &found)?;
    anstream::eprintln!(
        "{} ({}) in {}:",
        wishes.interface,
        found.interface.mac_address,
        found.interface.availability_zone
    );
    for (name, value) in &parameters {
        anstream::eprintln!("  {name:<26} {value}");
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
    let findings = license.map(|license| license.assess(today, Some(&interface))).unwrap_or_default();
    let findings: Vec<_> = findings.into_iter().filter(|finding| finding.severity > Severity::Info).collect();
    for finding in &findings {
        let style = crate::show::style(finding.severity);
        let (severity, message, code) = (finding.severity, &finding.message, &finding.code);
        anstream::eprintln!("{style}{severity}{style:#}  {message} [{code}]\n  {}", finding.remedy);
    }
    write(&wishes.output, &parameters, found.region.as_deref(), wishes.yes)?;
    anstream::eprintln!("\nWritten to {}. Now: sam build && sam deploy", wishes.output.display());
    Ok(if findings.is_empty() { Ended::Well } else { Ended::Badly })
}

/// The answers of EC2.
struct Found {
    interface: NetworkInterface,
    /// The other instances in the interface's zone and VPC.
    neighbors: Vec<Instance>,
    region: Option<String>,
}

fn look(wishes: &Wishes) -> Result<Found, Trouble> {
    asked::on_runtime(async {
        let (sdk, interface) = asked::look_up(&wishes.interface, None).await?;
        let region = sdk.region().map(ToString::to_string);
        let neighbors = SdkEc2::of(&sdk).instances_in(&interface.vpc_id, &interface.availability_zone).await;
        let unanswered = |error| asked::unanswered(error, region.as_deref().unwrap_or("this Region"));
        Ok(Found { neighbors: neighbors.map_err(unanswered)?, interface, region })
    })
}

/// The parameters of the template, in its order.
fn parameters(
    wishes: &Wishes,
    license: Option<&License>,
    found: &Found,
) -> Result<Vec<(&'static str, String)>, Trouble> {
    let interface = &found.interface;
    let holder = interface.attachment.as_ref().and_then(|attachment| attachment.instance_id.clone());
    let could = |instance: &&Instance| {
        let dying = matches!(instance.state, InstanceState::ShuttingDown | InstanceState::Terminated);
        Some(&instance.id) != holder.as_ref() && !dying
    };
    let others: Vec<&InstanceId> = found.neighbors.iter().filter(could).map(|instance| &instance.id).collect();
    let standbys: Vec<InstanceId> = match (wishes.standbys.as_slice(), others.as_slice()) {
        ([], [only]) => vec![(*only).clone()],
        ([], []) => {
            let problem = format!("{} has no other instance that could be the standby", interface.availability_zone);
            return Err(Trouble::new(problem, "Launch one there: an interface cannot leave its Availability Zone."));
        }
        ([], several) => {
            let names: Vec<&str> = several.iter().map(|id| id.as_str()).collect();
            let problem = format!("more than one instance could be the standby: {}", names.join(", "));
            return Err(Trouble::new(problem, "Pass --standby once for each standby, most preferred first."));
        }
        (named, _) => named.to_vec(),
    };
    let members: Vec<String> = holder.into_iter().chain(standbys).map(|id| id.to_string()).collect();
    let mut parameters =
        vec![("TokenServerInterfaceId", interface.id.to_string()), ("TokenServerInstanceIds", members.join(","))];
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
    let ports = wishes.ports.clone().or_else(|| license.and_then(License::ports_setting));
    parameters.extend(ports.map(|ports| ("TokenServerPorts", ports)));
    parameters.extend(wishes.clients.clone().map(|clients| ("TokenServerClients", clients)));
    parameters.extend(interface.groups.first().map(|group| ("TokenServerSecurityGroupId", group.to_string())));
    parameters.extend(wishes.email.clone().map(|email| ("NotificationEmail", email)));
    Ok(parameters)
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

/// Writes the parameters into SAM's file, and keeps the rest of the file.
fn write(file: &Path, parameters: &[(&str, String)], region: Option<&str>, yes: bool) -> Result<(), Trouble> {
    let trouble = |problem: String| Trouble::new(format!("{}: {problem}", file.display()), "");
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "version = 0.1\n".to_owned(),
        Err(error) => return Err(trouble(error.to_string())),
    };
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| trouble(error.to_string()))?;
    let mut part: &mut Item = document.as_item_mut();
    for name in ["default", "deploy", "parameters"] {
        let Some(table) = part.as_table_like_mut() else {
            return Err(trouble(format!("the parent of `{name}` is not a table")));
        };
        let mut empty = Table::new();
        empty.set_implicit(true);
        part = table.entry(name).or_insert(Item::Table(empty));
    }
    let Some(table) = part.as_table_like_mut() else { return Err(trouble("`parameters` is not a table".to_owned())) };
    if table.contains_key("parameter_overrides") && !yes {
        confirm(&format!("{} already has parameters. Overwrite them?", file.display()))?;
    }
    let words: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    table.insert("parameter_overrides", value(words.join(" ")));
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
    std::fs::write(file, document.to_string()).map_err(|error| trouble(error.to_string()))
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
