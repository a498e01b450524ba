//! The function's environment variables, read once and checked together.
//!
//! A function that starts with a wrong configuration makes no call. It answers every invocation with the complete list
//! of problems, so that an operator can fix all of them at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::NaiveDate;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::model::ids::{
    AllocationId, DocumentName, InstanceId, MacAddress, NetworkInterfaceId, PrefixListId, SecurityGroupId, TopicArn,
};

/// Everything that an operator decides about one token server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// A name for people; the interface's id if no name is configured.
    pub name: String,
    /// The license interface, whose MAC address is the hostid.
    pub interface_id: NetworkInterfaceId,
    /// The only instances that may ever hold the license interface.
    pub members: Members,
    /// The topic to which reports are published.
    pub topic: TopicArn,
    /// The TCP ports on which the token server listens.
    pub ports: Vec<PortRange>,
    /// The clients that must be able to reach these ports. Empty: the function does not check who can.
    pub clients: Vec<Client>,
    /// The Elastic IP that must be on the interface.
    pub allocation_id: Option<AllocationId>,
    /// The MAC address that the license file names.
    pub hostid: Option<MacAddress>,
    /// The last valid day of the feature that expires first.
    #[serde(default)]
    pub license_expires: Option<NaiveDate>,
    /// The vendor daemons of the license, one or more.
    #[serde(default = "mosek")]
    pub vendors: Vec<String>,
    /// The contact for a new license, as in "ask … for a new license".
    #[serde(default = "mosek_support")]
    pub license_contact: String,
    /// The device index at which the interface is attached; 1 or more, because index 0 can never be detached again.
    pub device_index: u16,
    /// Whether the function tries the ports from inside the VPC.
    #[serde(default)]
    pub probe: bool,
    /// The Systems Manager document that runs `lmutil lmstat` on the member that holds the interface; `None`: the function
    /// does not check whether licenses are served.
    #[serde(default)]
    pub license_check: Option<DocumentName>,
    /// Whether the counts of each feature become metrics.
    #[serde(default)]
    pub license_metrics: bool,
    /// Whether a stopped standby may be started.
    pub start_standby: bool,
    /// Whether a running holder whose EC2 status checks fail counts as failed.
    pub on_impaired: bool,
    /// Whether a running holder that AWS is about to stop, retire, reboot or reclaim hands the interface over before.
    #[serde(default)]
    pub on_announcement: bool,
    /// How long a plain detach may take before one forced detach; `None`: never force.
    pub force_detach_after: Option<Duration>,
    /// The maximum number of automatic moves within an hour. The function refuses more.
    pub max_moves_per_hour: u32,
    /// What the function may repair by itself.
    pub repair: Repair,
    /// How to activate the token server on an instance that was running before it got the interface; `None`: the token
    /// server needs no activation.
    #[serde(default)]
    pub activation: Option<Activation>,
    /// The Region in which the function runs, for the commands that a report suggests.
    pub region: Option<String>,
}

/// MOSEK's vendor daemon.
pub(crate) fn mosek() -> Vec<String> {
    vec!["MOSEKLM".to_owned()]
}

/// Where MOSEK issues licenses. Source: MOSEK licensing guide, section 10.
pub(crate) fn mosek_support() -> String {
    "support@mosek.com".to_owned()
}

/// The members: which instances may hold the license interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Members {
    /// These instances, the most preferred first; two or more, all different.
    Listed(Vec<InstanceId>),
    /// The instances with this tag.
    Tagged(MemberTag),
}

impl Members {
    /// The listed members; empty if a tag names them.
    pub fn listed(&self) -> &[InstanceId] {
        match self {
            Self::Listed(ids) => ids,
            Self::Tagged(_) => &[],
        }
    }
}

/// A tag of instances.
/// Source for what it may contain: EC2 User Guide, "Tag your Amazon EC2 resources", "Tag restrictions".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberTag {
    /// Its key: up to 128 characters.
    pub key: String,
    /// Its value: up to 256 characters, and not empty.
    pub value: String,
}

impl fmt::Display for MemberTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

impl FromStr for MemberTag {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        // A filter of EC2 reads `*`, `?` and `\` as wildcards, and none of them may be in a tag of every service.
        let is_plain =
            |c: char| c.is_alphanumeric() || matches!(c, ' ' | '+' | '-' | '=' | '.' | '_' | ':' | '/' | '@');
        let (key, value) = text.split_once('=').ok_or(())?;
        let (key, value) = (key.trim(), value.trim());
        let fits = (1..=128).contains(&key.chars().count()) && (1..=256).contains(&value.chars().count());
        let is_tag = fits && key.chars().chain(value.chars()).all(is_plain);
        is_tag.then(|| Self { key: key.to_owned(), value: value.to_owned() }).ok_or(())
    }
}

/// A Systems Manager document that activates a token server, and its parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Activation {
    /// The document.
    pub document: DocumentName,
    /// Its parameters. The function does not log them, because an operator may have put a secret there.
    #[serde(skip)]
    pub parameters: BTreeMap<String, Vec<String>>,
}

/// TCP ports from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PortRange {
    /// The lowest port, 1 or more.
    pub first: u16,
    /// The highest port.
    pub last: u16,
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

impl FromStr for PortRange {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let port = |text: &str| match text.parse::<u16>() {
            Ok(port) if port > 0 && text.bytes().all(|b| b.is_ascii_digit()) => Ok(port),
            _ => Err(()),
        };
        let (first, last) = match text.split_once('-') {
            Some((first, last)) => (port(first.trim())?, port(last.trim())?),
            None => (port(text)?, port(text)?),
        };
        if first <= last { Ok(Self { first, last }) } else { Err(()) }
    }
}

/// A client that must be able to reach the token server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Client {
    /// A range of addresses, IPv4 or IPv6.
    Cidr(IpNet),
    /// The instances in a security group.
    SecurityGroup(SecurityGroupId),
    /// The ranges in a managed prefix list.
    PrefixList(PrefixListId),
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cidr(net) => net.fmt(f),
            Self::SecurityGroup(id) => id.fmt(f),
            Self::PrefixList(id) => id.fmt(f),
        }
    }
}

impl FromStr for Client {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.starts_with("sg-") {
            text.parse().map(Self::SecurityGroup).map_err(drop)
        } else if text.starts_with("pl-") {
            text.parse().map(Self::PrefixList).map_err(drop)
        } else {
            // EC2 canonicalizes 10.1.2.3/8 to 10.0.0.0/8 in its rules, so the function does the same before it compares
            // them.
            text.parse::<IpNet>().map(|net| Self::Cidr(net.trunc())).map_err(drop)
        }
    }
}

/// What the function may repair by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Repair {
    /// Put the Elastic IP back on the interface, if it is associated with nothing or with a member.
    pub elastic_ip: bool,
    /// Set DeleteOnTermination of the attachment to false.
    pub delete_on_termination: bool,
    /// Add the ingress rule that a configured client lacks.
    pub security_group: bool,
}

/// One wrong variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The variable's name.
    pub variable: String,
    /// Its value; `None`: the variable is missing.
    pub value: Option<String>,
    /// What the function expects.
    pub expected: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} is {value:?}; expected {}", self.variable, self.expected),
            None => write!(f, "{} is not set; expected {}", self.variable, self.expected),
        }
    }
}

/// All problems of the configuration, in the order of the variables' documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// At least one problem.
    pub problems: Vec<Problem>,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.problems.len() == 1 { "problem" } else { "problems" };
        write!(f, "The configuration has {} {noun}. No AWS call was made.", self.problems.len())?;
        for problem in &self.problems {
            write!(f, "\n- {problem}")?;
        }
        Ok(())
    }
}

/// The names of all variables, in the order of their documentation.
pub const VARIABLES: [&str; 24] = [
    "TOKEN_SERVER_INTERFACE_ID",
    "TOKEN_SERVER_INSTANCE_IDS",
    "TOKEN_SERVER_MEMBERS",
    "NOTIFICATION_TOPIC_ARN",
    "TOKEN_SERVER_NAME",
    "TOKEN_SERVER_PORTS",
    "TOKEN_SERVER_CLIENTS",
    "TOKEN_SERVER_ALLOCATION_ID",
    "TOKEN_SERVER_HOSTID",
    "TOKEN_SERVER_LICENSE_EXPIRES",
    "TOKEN_SERVER_VENDORS",
    "TOKEN_SERVER_LICENSE_CONTACT",
    "TOKEN_SERVER_DEVICE_INDEX",
    "TOKEN_SERVER_PROBE",
    "TOKEN_SERVER_LICENSE_CHECK_DOCUMENT",
    "TOKEN_SERVER_LICENSE_METRICS",
    "FAILOVER_START_STANDBY",
    "FAILOVER_ON_IMPAIRED",
    "FAILOVER_ON_ANNOUNCEMENT",
    "FAILOVER_FORCE_DETACH_AFTER_SECONDS",
    "FAILOVER_MAX_MOVES_PER_HOUR",
    "FAILOVER_REPAIR",
    "FAILOVER_ACTIVATION_DOCUMENT",
    "FAILOVER_ACTIVATION_PARAMETERS",
];

/// The tag that remembers the times of moves has room for twelve.
const MAX_MOVES_PER_HOUR: u32 = 12;

const INSTANCE_IDS: &str = "TOKEN_SERVER_INSTANCE_IDS";
const MEMBERS: &str = "TOKEN_SERVER_MEMBERS";

const MEMBER_IDS: &str = "two or more instance ids, comma-separated, most preferred first, such as \
                          i-0123456789abcdef0,i-0fedcba9876543210";

const LICENSE_CHECK: &str = "TOKEN_SERVER_LICENSE_CHECK_DOCUMENT";

const COMMAND_DOCUMENT: &str = "the name or ARN of a Systems Manager command document, such as token-failover-restart";

/// The highest device index that is accepted. The largest instance types stay far below it.
const HIGHEST_DEVICE_INDEX: u16 = 255;

impl Config {
    /// Reads the configuration from environment variables.
    ///
    /// Spaces around a value never matter. An empty optional variable counts as not set, because a template cannot
    /// leave one out. `FAILOVER_REPAIR` is the exception: empty means that the function may repair nothing.
    ///
    /// # Errors
    ///
    /// All problems at once. A variable that begins with `TOKEN_SERVER_` or `FAILOVER_` and is not known is one of
    /// them: it is a misspelled setting, which would otherwise have no effect.
    // The length is justified: one statement for each setting, in the order of the documentation.
    pub fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let mut reader = Reader { variables: variables.into_iter().collect(), problems: Vec::new() };
        let interface_id: Option<NetworkInterfaceId> =
            reader.required("TOKEN_SERVER_INTERFACE_ID", "a network interface id such as eni-0123456789abcdef0");
        let members = reader.members();
        let topic = reader.required(
            "NOTIFICATION_TOPIC_ARN",
            "the ARN of an SNS topic such as arn:aws:sns:eu-west-1:123456789012:token-failover",
        );
        let name = reader.name();
        let ports = reader.ports();
        let clients = reader.list(
            "TOKEN_SERVER_CLIENTS",
            "CIDR ranges, security group ids or prefix list ids, comma-separated, such as 10.0.0.0/16,sg-0123456789abcdef0",
        );
        let allocation_id =
            reader.optional("TOKEN_SERVER_ALLOCATION_ID", "an allocation id such as eipalloc-0123456789abcdef0");
        let hostid = reader.optional("TOKEN_SERVER_HOSTID", "a MAC address such as 0273ae2adc81 or 02:73:ae:2a:dc:81");
        let license_expires = reader.date("TOKEN_SERVER_LICENSE_EXPIRES");
        let vendors = reader.vendors();
        let license_contact = reader.contact();
        let device_index = reader.number(
            "TOKEN_SERVER_DEVICE_INDEX",
            1..=u32::from(HIGHEST_DEVICE_INDEX),
            "a device index from 1 to 255; an interface at index 0 could never be detached again",
        );
        let probe = reader.switch("TOKEN_SERVER_PROBE");
        let license_check = reader.optional(LICENSE_CHECK, COMMAND_DOCUMENT);
        let license_metrics = reader.license_metrics();
        let start_standby = reader.switch("FAILOVER_START_STANDBY");
        let on_impaired = reader.switch("FAILOVER_ON_IMPAIRED");
        let on_announcement = reader.switch("FAILOVER_ON_ANNOUNCEMENT");
        let force_after = reader.number(
            "FAILOVER_FORCE_DETACH_AFTER_SECONDS",
            0..=240,
            "a number of seconds from 0 (never force) to 240",
        );
        let max_moves = reader.number("FAILOVER_MAX_MOVES_PER_HOUR", 0..=MAX_MOVES_PER_HOUR, "a number from 0 to 12");
        let repair = reader.repair();
        let activation = reader.activation();
        let region = reader.value("AWS_REGION").map(str::to_owned);
        reader.unknown_variables();

        match (interface_id, members, topic) {
            (Some(interface_id), Some(members), Some(topic)) if reader.problems.is_empty() => Ok(Self {
                name: name.unwrap_or_else(|| interface_id.to_string()),
                interface_id,
                members,
                topic,
                ports: ports.unwrap_or_else(|| vec![PortRange { first: 27007, last: 27007 }]),
                clients: without_repetitions(clients.unwrap_or_default()),
                allocation_id,
                hostid,
                license_expires,
                vendors: vendors.unwrap_or_else(mosek),
                license_contact: license_contact.unwrap_or_else(mosek_support),
                device_index: device_index.and_then(|index| u16::try_from(index).ok()).unwrap_or(1),
                probe: probe.unwrap_or(false),
                license_check,
                license_metrics: license_metrics.unwrap_or(false),
                start_standby: start_standby.unwrap_or(true),
                on_impaired: on_impaired.unwrap_or(true),
                on_announcement: on_announcement.unwrap_or(false),
                force_detach_after: match force_after.unwrap_or(30) {
                    0 => None,
                    seconds => Some(Duration::from_secs(u64::from(seconds))),
                },
                max_moves_per_hour: max_moves.unwrap_or(3),
                repair,
                activation,
                region,
            }),
            _ => {
                let place = |problem: &Problem| VARIABLES.iter().position(|name| *name == problem.variable);
                reader.problems.sort_by_key(|problem| place(problem).unwrap_or(VARIABLES.len()));
                Err(ConfigError { problems: reader.problems })
            }
        }
    }
}

fn without_repetitions(clients: Vec<Client>) -> Vec<Client> {
    let mut seen = BTreeSet::new();
    clients.into_iter().filter(|client| seen.insert(client.clone())).collect()
}

/// Reads variables one by one and collects their problems.
struct Reader {
    variables: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

impl Reader {
    fn value(&self, variable: &str) -> Option<&str> {
        self.variables.get(variable).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    fn problem(&mut self, variable: &str, expected: impl Into<String>) {
        let value = self.variables.get(variable).cloned();
        self.problems.push(Problem { variable: variable.to_owned(), value, expected: expected.into() });
    }

    fn optional<T: FromStr>(&mut self, variable: &str, expected: &str) -> Option<T> {
        let parsed = self.value(variable)?.parse();
        if parsed.is_err() {
            self.problem(variable, expected);
        }
        parsed.ok()
    }

    fn required<T: FromStr>(&mut self, variable: &str, expected: &str) -> Option<T> {
        if self.value(variable).is_none() {
            self.problem(variable, expected);
        }
        self.optional(variable, expected)
    }

    fn list<T: FromStr>(&mut self, variable: &str, expected: &str) -> Option<Vec<T>> {
        let items: Result<Vec<T>, _> = self.value(variable)?.split(',').map(|item| item.trim().parse()).collect();
        if items.is_err() {
            self.problem(variable, expected);
        }
        items.ok()
    }

    /// Reads the ports. A port that is named twice would be checked, reported and opened twice.
    fn ports(&mut self) -> Option<Vec<PortRange>> {
        const VARIABLE: &str = "TOKEN_SERVER_PORTS";
        let expected = "TCP ports from 1 to 65535, comma-separated, such as 27007,27010-27012";
        let ports: Vec<PortRange> = self.list(VARIABLE, expected)?;
        let overlap = |(index, one): (usize, &PortRange)| {
            ports.iter().skip(index + 1).any(|other| one.first <= other.last && other.first <= one.last)
        };
        if ports.iter().enumerate().any(overlap) {
            self.problem(VARIABLE, "each port only once");
        }
        Some(ports)
    }

    fn number(&mut self, variable: &str, range: std::ops::RangeInclusive<u32>, expected: &str) -> Option<u32> {
        let value = self.value(variable)?;
        let number =
            value.parse().ok().filter(|number| range.contains(number) && value.bytes().all(|b| b.is_ascii_digit()));
        if number.is_none() {
            self.problem(variable, expected);
        }
        number
    }

    fn switch(&mut self, variable: &str) -> Option<bool> {
        self.optional(variable, "true or false")
    }

    fn name(&mut self) -> Option<String> {
        self.plain("TOKEN_SERVER_NAME", 64, "up to 64 letters, digits, spaces and ASCII punctuation marks")
    }

    fn contact(&mut self) -> Option<String> {
        let expected = "a mail address or other words of up to 128 letters, digits, spaces and ASCII punctuation marks";
        self.plain("TOKEN_SERVER_LICENSE_CONTACT", 128, expected)
    }

    /// Words for a mail. Characters of other kinds could falsify it, such as a control character that reverses the
    /// direction of writing.
    fn plain(&mut self, variable: &str, longest: usize, expected: &str) -> Option<String> {
        let words = self.value(variable)?.to_owned();
        let is_plain = |c: char| c.is_alphanumeric() || c == ' ' || c.is_ascii_graphic();
        if words.chars().count() > longest || !words.chars().all(is_plain) {
            self.problem(variable, expected);
        }
        Some(words)
    }

    /// A date such as 2031-12-31, and nothing shorter.
    fn date(&mut self, variable: &str) -> Option<NaiveDate> {
        let value = self.value(variable)?;
        let date = value.parse().ok().filter(|date: &NaiveDate| date.to_string() == value);
        if date.is_none() {
            self.problem(variable, "a date such as 2031-12-31");
        }
        date
    }

    fn vendors(&mut self) -> Option<Vec<String>> {
        const VARIABLE: &str = "TOKEN_SERVER_VENDORS";
        let names: Vec<String> = self.value(VARIABLE)?.split(',').map(|name| name.trim().to_owned()).collect();
        let is_name = |name: &String| {
            (1..=32).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        let folded: BTreeSet<String> = names.iter().map(|name| name.to_ascii_uppercase()).collect();
        if !names.iter().all(is_name) {
            self.problem(VARIABLE, "the names of vendor daemons, comma-separated, such as MOSEKLM");
        } else if folded.len() < names.len() {
            self.problem(VARIABLE, "each vendor daemon only once");
        }
        Some(names)
    }

    /// The members: a list, or a tag.
    fn members(&mut self) -> Option<Members> {
        match (self.value(INSTANCE_IDS).is_some(), self.value(MEMBERS).is_some()) {
            (true, false) => self.listed_members().map(Members::Listed),
            (false, true) => {
                let expected = "a tag of the members as key=value, such as token-server=license-eu";
                self.optional(MEMBERS, expected).map(Members::Tagged)
            }
            (false, false) => {
                self.problem(INSTANCE_IDS, format!("{MEMBER_IDS}, or a tag of the members in {MEMBERS}"));
                None
            }
            (true, true) => {
                self.problem(MEMBERS, format!("either this or {INSTANCE_IDS}, and not both"));
                None
            }
        }
    }

    fn listed_members(&mut self) -> Option<Vec<InstanceId>> {
        const VARIABLE: &str = INSTANCE_IDS;
        const EXPECTED: &str = MEMBER_IDS;
        let members: Vec<InstanceId> = self.list(VARIABLE, EXPECTED)?;
        let different: BTreeSet<&InstanceId> = members.iter().collect();
        if different.len() < members.len() {
            self.problem(VARIABLE, "each instance id only once");
        } else if members.len() < 2 {
            self.problem(VARIABLE, EXPECTED);
        }
        Some(members)
    }

    fn repair(&mut self) -> Repair {
        const VARIABLE: &str = "FAILOVER_REPAIR";
        let Some(value) = self.variables.get(VARIABLE).cloned() else {
            return Repair { elastic_ip: true, delete_on_termination: true, security_group: false };
        };
        let mut repair = Repair { elastic_ip: false, delete_on_termination: false, security_group: false };
        for item in value.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            match item {
                "elastic-ip" => repair.elastic_ip = true,
                "delete-on-termination" => repair.delete_on_termination = true,
                "security-group" => repair.security_group = true,
                _ => {
                    self.problem(
                        VARIABLE,
                        "any of elastic-ip, delete-on-termination and security-group, comma-separated, or empty to repair \
                         nothing",
                    );
                    break;
                }
            }
        }
        repair
    }

    fn license_metrics(&mut self) -> Option<bool> {
        const VARIABLE: &str = "TOKEN_SERVER_LICENSE_METRICS";
        let are_wanted = self.switch(VARIABLE);
        if are_wanted == Some(true) && self.value(LICENSE_CHECK).is_none() {
            self.problem(LICENSE_CHECK, format!("the document whose counts {VARIABLE} makes metrics"));
        }
        are_wanted
    }

    fn activation(&mut self) -> Option<Activation> {
        const DOCUMENT: &str = "FAILOVER_ACTIVATION_DOCUMENT";
        const PARAMETERS: &str = "FAILOVER_ACTIVATION_PARAMETERS";
        let parameters = self.value(PARAMETERS).map(parameters_of_document);
        if parameters == Some(None) {
            // An operator may have put a secret there, so the error does not repeat the value.
            let expected = "a JSON object with a string or a list of strings for each parameter of the document, such as \
                            {\"Service\":[\"lmgrd\"]}";
            self.problems.push(Problem {
                variable: PARAMETERS.to_owned(),
                value: Some("(not shown)".to_owned()),
                expected: expected.to_owned(),
            });
        }
        if self.value(DOCUMENT).is_none() && parameters.is_some() {
            self.problem(DOCUMENT, format!("the document that {PARAMETERS} belongs to"));
        }
        let document = self.optional(DOCUMENT, COMMAND_DOCUMENT)?;
        Some(Activation { document, parameters: parameters.flatten().unwrap_or_default() })
    }

    fn unknown_variables(&mut self) {
        let ours = |name: &&String| name.starts_with("TOKEN_SERVER_") || name.starts_with("FAILOVER_");
        let unknown: Vec<String> =
            self.variables.keys().filter(ours).filter(|name| !VARIABLES.contains(&name.as_str())).cloned().collect();
        for variable in unknown {
            self.problem(&variable, format!("one of {}", VARIABLES.join(", ")));
        }
    }
}

/// Parameters of a Systems Manager document, which takes a list for each. A single string is a list of one.
fn parameters_of_document(text: &str) -> Option<BTreeMap<String, Vec<String>>> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Texts {
        One(String),
        Several(Vec<String>),
    }
    let parameters: BTreeMap<String, Texts> = serde_json::from_str(text).ok()?;
    let listed = parameters.into_iter().map(|(name, texts)| match texts {
        Texts::One(text) => (name, vec![text]),
        Texts::Several(texts) => (name, texts),
    });
    Some(listed.collect())
}
