//! The part of a license file that names the token server, and what its features say about serving.
//!
//! The reader uses the SERVER, VENDOR (or DAEMON) and USE_SERVER lines. Of the FEATURE and INCREMENT lines it keeps dates and
//! little else: they are the license itself, which is confidential. No error quotes the file, because a lost line break can
//! bring license text onto any line.
//!
//! The grammar follows the FlexNet Publisher License Administration Guide, pages *SERVER Lines*, *VENDOR Lines*,
//! *`USE_SERVER` Line*, *Special Hostids* and *License File Format Overview*. Where the guide is silent, the reader
//! accepts what existing files use. Files of the Reprise License Manager (RLM) have a similar form: HOST for SERVER, ISV
//! for VENDOR, LICENSE for FEATURE. Source: RLM License Administration, *The License File*.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use token_failover::model::ids::MacAddress;

use crate::license::feature::{Feature, FeatureLine, Manager, Renewals};
use crate::license::hostid::{Hostid, is_placeholder};
use crate::license::problem::{LONGEST_LINE, LicenseError, MAX_LINES, Problem};
use crate::license::text::{
    Line, is_key, is_one_of, key_and_value, license_lines, number, port, printable, text, words,
};

/// The token server in a license file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct License {
    /// The license manager that reads the file.
    pub manager: Manager,
    /// The SERVER lines: none for a node-locked license, one for a token server, three for a redundant set.
    pub servers: Vec<Server>,
    /// The VENDOR and DAEMON lines.
    pub vendors: Vec<Vendor>,
    /// Whether the file has a USE_SERVER line, which sends clients to the token server.
    pub use_server: bool,
    /// A port on the USE_SERVER line, where it has no effect, and the number of that line.
    pub misplaced_port: Option<(usize, u16)>,
    /// The FEATURE and INCREMENT lines.
    pub features: Vec<Feature>,
    /// Whether one of them is for MOSEK's vendor daemon.
    pub is_for_mosek: bool,
    /// The lines that are invalid. The token server of the file is clear without them.
    pub faults: Vec<LicenseError>,
    /// The numbers of the lines that were not fully understood.
    pub not_understood: Vec<usize>,
}

/// A SERVER line: a machine on which `lmgrd` runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Server {
    /// The number of the line, counted from 1.
    pub line: usize,
    /// The host name to which `lmgrd` sends clients for the vendor daemon.
    pub host: Host,
    /// The hostid of the machine, or a list of hostids.
    pub hostids: Vec<Hostid>,
    /// Whether a MAC address among the hostids has a notation that FlexNet does not document.
    pub unusual_notation: bool,
    /// The port of `lmgrd`.
    pub port: Option<u16>,
    /// The value of `PLAT=`, whose bits allow kinds of machines.
    pub platforms: Option<u32>,
}

/// The host of a SERVER line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Host {
    /// A host name or an IP address.
    Named(String),
    /// The keyword `this_host`, which stands for any machine.
    ThisHost,
    /// A placeholder of the vendor's template that has not been replaced.
    Placeholder,
    /// Neither a name nor an address.
    Unknown,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Named(name) => name,
            Self::ThisHost => "this_host",
            Self::Placeholder => "a placeholder",
            Self::Unknown => "not a host",
        })
    }
}

/// A VENDOR or DAEMON line: a vendor daemon that `lmgrd` starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Vendor {
    /// The number of the line.
    pub line: usize,
    /// The name of the vendor daemon.
    pub name: String,
    /// The path of its program, with question marks for unprintable characters.
    pub path: Option<String>,
    /// The path of its options file, in the same way.
    pub options: Option<String>,
    /// Whether a path with a space seems to lack its quotation marks.
    pub unquoted_path: bool,
    /// The port of the vendor daemon. Without one, the daemon uses another port at each start.
    pub port: Option<u16>,
}

impl Vendor {
    /// Whether this is the vendor daemon of that name. FlexNet ignores the case.
    pub fn is_called(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// MOSEK's vendor daemon.
pub(crate) const MOSEK: &str = "MOSEKLM";
/// Where MOSEK issues licenses. Source: MOSEK licensing guide, section 10.
pub const MOSEK_SUPPORT: &str = "support@mosek.com";

/// The keywords of license lines.
const LICENSE_KEYWORDS: [&str; 5] = ["FEATURE", "INCREMENT", "PACKAGE", "UPGRADE", "FEATURESET"];
/// The keywords of the lines that name the token server.
const SERVER_KEYWORDS: [&str; 4] = ["SERVER", "VENDOR", "DAEMON", "USE_SERVER"];
/// The keywords that only files of RLM have.
const RLM_KEYWORDS: [&str; 3] = ["HOST", "ISV", "LICENSE"];
/// Attributes of license lines.
const LICENSE_ATTRIBUTES: [&str; 32] = [
    "ASSET_INFO",
    "AUTH",
    "BORROW",
    "CK",
    "COMPONENTS",
    "DIST_INFO",
    "DUP_GROUP",
    "FLOAT_OK",
    "HOST_BASED",
    "ISSUED",
    "ISSUER",
    "LINGER",
    "MINIMUM",
    "NOTICE",
    "OPTIONS_FILE",
    "OVERDRAFT",
    "PLATFORMS",
    "S1",
    "SIGN",
    "SIGN2",
    "SN",
    "SORT",
    "START",
    "SUITE_DUP_GROUP",
    "SUPERSEDE",
    "SUPERSEDE_SIGN",
    "TS_OK",
    "TZ",
    "USER_BASED",
    "USER_INFO",
    "VENDOR_INFO",
    "VENDOR_STRING",
];

impl License {
    /// Reads a license file.
    ///
    /// Keywords may be in upper or lower case. If the file has a line `START_LICENSE`, the reader uses only the lines
    /// between `START_LICENSE` and `END_LICENSE`, so that the file may be a whole mail. A repeated SERVER or VENDOR
    /// line, as in a file that was merged from several, counts once.
    ///
    /// # Errors
    ///
    /// The first problem that leaves it unclear which machine the license is for. Any other invalid line is one of
    /// [`License::faults`]. [`License::assess`] finds entries that are understood but will not work.
    pub fn parse(bytes: &[u8]) -> Result<Self, LicenseError> {
        let text = text(bytes)?;
        let (lines, has_marks) = license_lines(&text);
        let is_rlm = lines.iter().any(|line| line.keyword().eq_ignore_ascii_case("ISV"));
        let mut reader = Reader {
            license: Self {
                manager: if is_rlm { Manager::Rlm } else { Manager::FlexNet },
                servers: Vec::new(),
                vendors: Vec::new(),
                use_server: false,
                misplaced_port: None,
                features: Vec::new(),
                is_for_mosek: false,
                faults: Vec::new(),
                not_understood: Vec::new(),
            },
            features: Vec::new(),
            identities: Vec::new(),
        };
        let mut is_license = has_marks;
        for line in &lines {
            is_license |= reader.read(line).map_err(|problem| problem.at(line.number))?;
        }
        if is_license { Ok(reader.ended()) } else { Err(Problem::NotALicense.into()) }
    }

    /// The MAC addresses to which the license is bound: those of the only SERVER line. Any one of them is enough.
    pub fn mac_addresses(&self) -> Vec<MacAddress> {
        let [server] = self.servers.as_slice() else { return Vec::new() };
        let mac = |hostid: &Hostid| if let Hostid::Mac(mac) = hostid { Some(*mac) } else { None };
        server.hostids.iter().filter_map(mac).collect()
    }
}

/// What has been read so far.
struct Reader {
    license: License,
    features: Vec<FeatureLine>,
    /// What each server is recognized by in a file that was merged from several.
    identities: Vec<Identity>,
}

/// A server's host, hostids and port. Host names ignore the case.
#[derive(PartialEq, Eq)]
struct Identity(String, BTreeSet<String>, Option<u16>);

impl Identity {
    fn of(server: &Server, words: &[String]) -> Self {
        let mut words = words.iter();
        let host = words.next().map(|host| host.to_ascii_lowercase()).unwrap_or_default();
        let hostid = |word: &str| match Hostid::from_word(word) {
            (Hostid::Mac(mac), _) => mac.hostid(),
            _ => word.to_ascii_uppercase(),
        };
        let hostids = words.next().map(|list| list.split_whitespace().map(hostid).collect()).unwrap_or_default();
        Self(host, hostids, server.port)
    }
}

impl Reader {
    fn ended(self) -> License {
        let Self { mut license, features, .. } = self;
        license.is_for_mosek = features.iter().any(|feature| feature.names(MOSEK));
        let daemons = || license.vendors.iter().map(|vendor| vendor.name.as_str());
        let renewals = Renewals::of(&features);
        let read = features.into_iter().map(|line| Feature { renewed: renewals.renew(&line), ..line.of(daemons()) });
        license.features = read.collect();
        license
    }

    /// Reads one line. Returns whether it belongs to a license file.
    fn read(&mut self, line: &Line) -> Result<bool, Problem> {
        let keyword = line.keyword();
        let is = |keywords: &[&str]| is_one_of(keyword, keywords);
        let is_rlm = self.license.manager == Manager::Rlm;
        if is(&LICENSE_KEYWORDS) || is_rlm && is(&["LICENSE"]) {
            // Other text may begin with the same keyword. A license line has at least four words.
            let is_license = line.text.split_ascii_whitespace().nth(3).is_some();
            if is_license && !is(&["PACKAGE", "FEATURESET"]) {
                self.read_feature(line);
            }
            return Ok(is_license);
        }
        if is(&["SERVER"]) || is_rlm && is(&["HOST"]) {
            self.read_server(line)?;
        } else if is(&SERVER_KEYWORDS) || is_rlm && is(&RLM_KEYWORDS) {
            let read = if is(&["USE_SERVER"]) { self.read_use_server(line) } else { self.read_vendor(line) };
            self.license.faults.extend(read.err().map(|problem| problem.at(line.number)));
        } else {
            self.license.not_understood.push(line.number);
            return Ok(false);
        }
        Ok(true)
    }

    fn read_feature(&mut self, line: &Line) {
        match FeatureLine::from_line(line.number, &line.text, self.license.manager) {
            Some(feature) => {
                if !feature.is_understood() {
                    self.license.not_understood.push(line.number);
                }
                self.features.push(feature);
            }
            None => self.license.not_understood.push(line.number),
        }
    }

    fn read_server(&mut self, line: &Line) -> Result<(), Problem> {
        let words = words_of(line)?;
        if !line.text.is_ascii() {
            return Err(Problem::NotAscii);
        }
        let (server, understood) = Server::from_words(line.number, &words)?;
        match understood {
            Understood::Wholly => {}
            Understood::InPart => self.license.not_understood.push(line.number),
            Understood::But(problem) => self.license.faults.push(problem.at(line.number)),
        }
        let identity = Identity::of(&server, &words);
        let servers = &mut self.license.servers;
        let same = self.identities.iter().position(|other| *other == identity);
        if let Some(same) = same.and_then(|index| servers.get_mut(index)) {
            same.platforms = same.platforms.or(server.platforms);
        } else if servers.len() < MAX_LINES {
            servers.push(server);
            self.identities.push(identity);
        } else {
            self.license.faults.push(Problem::TooManyLines.at(line.number));
        }
        Ok(())
    }

    fn read_use_server(&mut self, line: &Line) -> Result<(), Problem> {
        let words = words_of(line)?;
        if words.iter().any(|word| is_of_another_line(word)) {
            return Err(Problem::LinesJoined);
        }
        self.license.use_server = true;
        let misplaced = words.iter().filter(|word| is_key(word, "PORT")).find_map(|word| port(key_and_value(word)?.1));
        match misplaced {
            Some(port) => self.license.misplaced_port = Some((line.number, port)),
            None if words.is_empty() => {}
            None => self.license.not_understood.push(line.number),
        }
        Ok(())
    }

    fn read_vendor(&mut self, line: &Line) -> Result<(), Problem> {
        let (vendor, is_all_understood) = Vendor::from_words(line.number, &words_of(line)?)?;
        if !is_all_understood {
            self.license.not_understood.push(line.number);
        }
        let is_same = |other: &Vendor| {
            Vendor { line: other.line, name: other.name.clone(), ..vendor.clone() } == *other
                && other.is_called(&vendor.name)
        };
        if self.license.vendors.iter().any(is_same) {
            return Ok(());
        }
        if self.license.vendors.len() == MAX_LINES {
            return Err(Problem::TooManyLines);
        }
        self.license.vendors.push(vendor);
        Ok(())
    }
}

/// The words after the keyword.
fn words_of(line: &Line) -> Result<Vec<String>, Problem> {
    if line.text.len() > LONGEST_LINE {
        return Err(Problem::LineTooLong);
    }
    let mut words = words(&line.text)?;
    words.drain(..1.min(words.len()));
    Ok(words)
}

/// How much of a line was understood.
enum Understood {
    Wholly,
    /// All but some options, because new releases add options.
    InPart,
    /// All but something that is wrong.
    But(Problem),
}

impl Server {
    /// Reads `host hostid [port] [option]…`.
    fn from_words(line: usize, words: &[String]) -> Result<(Self, Understood), Problem> {
        let (host, rest) = words.split_first().ok_or(Problem::NoHost)?;
        let host = Host::from_word(host);
        let (hostids, mut rest) = rest.split_first().ok_or(Problem::NoHostid)?;
        let read: Vec<(Hostid, bool)> = hostids.split_whitespace().map(Hostid::from_word).collect();
        if read.is_empty() {
            return Err(Problem::NoHostid);
        }
        let unusual_notation = read.iter().any(|(_, is_unusual)| *is_unusual);
        let mut hostids: Vec<Hostid> = Vec::new();
        for (hostid, _) in read {
            if !hostids.contains(&hostid) {
                hostids.push(hostid);
            }
        }
        let mut server = Self { line, host, hostids, unusual_notation, port: None, platforms: None };
        // RLM has a hostid SN=, and FlexNet an attribute of that name.
        let is_hostid = |index: usize, word: &str| index == 1 && is_key(word, "SN");
        let joins = |(index, word): (usize, &String)| !is_hostid(index, word) && is_of_another_line(word);
        let is_joined = words.iter().enumerate().skip(1).any(joins);
        let mut understood = Understood::Wholly;
        if let Some((word, after)) = rest.split_first()
            && word == "<>"
        {
            understood = Understood::But(Problem::Placeholder);
            rest = after;
        } else if let Some((word, after)) = rest.split_first()
            && ServerOption::from_word(word).is_none()
            && (key_and_value(word).is_none() || is_key(word, "PORT"))
        {
            let problem = if is_joined { Problem::LinesJoined } else { Problem::WrongServerPort };
            server.port = Some(port_of_lmgrd(word).ok_or(problem)?);
            rest = after;
        }
        for word in rest {
            match ServerOption::from_word(word) {
                Some(ServerOption::Platforms(platforms)) => server.platforms = Some(platforms),
                Some(ServerOption::WithoutEffectHere) => {}
                None if matches!(understood, Understood::Wholly) => understood = Understood::InPart,
                None => {}
            }
        }
        if is_joined {
            understood = Understood::But(Problem::LinesJoined);
        } else if server.host == Host::Unknown {
            understood = Understood::But(Problem::WrongHost);
        }
        Ok((server, understood))
    }
}

/// The port on a SERVER line. Very old files have the form `TCP:27007`.
fn port_of_lmgrd(word: &str) -> Option<u16> {
    match word.split_once(':') {
        Some((protocol, number)) if protocol.eq_ignore_ascii_case("TCP") => port(number),
        _ => port(word),
    }
}

/// An option of a SERVER line.
enum ServerOption {
    Platforms(u32),
    WithoutEffectHere,
}

impl ServerOption {
    fn from_word(word: &str) -> Option<Self> {
        if word.eq_ignore_ascii_case("PRIMARY_IS_MASTER") || is_key(word, "HEARTBEAT_INTERVAL") {
            return Some(Self::WithoutEffectHere);
        }
        // The guide of 2026 R1 has PLAT on one page and PLATE on another.
        let (key, value) = key_and_value(word)?;
        let platforms = number(value).filter(|_| is_one_of(key, &["PLAT", "PLATE"]))?;
        Some(Self::Platforms(platforms))
    }
}

impl Host {
    fn from_word(word: &str) -> Self {
        if word.eq_ignore_ascii_case("this_host") {
            return Self::ThisHost;
        }
        if is_placeholder(word) {
            return Self::Placeholder;
        }
        // RFC 1035, and the underscore that some hosts have although it is not allowed.
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        let name = word.strip_suffix('.').unwrap_or(word);
        let is_name = name.len() <= 253 && name.split('.').all(is_label);
        let is_address = word.parse::<std::net::IpAddr>().is_ok();
        if is_name || is_address { Self::Named(word.to_owned()) } else { Self::Unknown }
    }
}

impl Vendor {
    /// Reads `name [path] [[OPTIONS=]file] [[PORT=]port]`. Returns whether all of it was understood.
    fn from_words(line: usize, words: &[String]) -> Result<(Self, bool), Problem> {
        let (name, rest) = words.split_first().ok_or(Problem::NoVendorName)?;
        if is_one_of(name, &LICENSE_KEYWORDS) || rest.iter().any(|word| is_of_another_line(word)) {
            return Err(Problem::LinesJoined);
        }
        let is_name = (1..=32).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if !is_name {
            return Err(Problem::WrongVendorName);
        }
        if rest.iter().any(|word| word.starts_with('<') && word.ends_with('>')) {
            return Err(Problem::Placeholder);
        }
        let unquoted_path = rest.iter().zip(rest.iter().skip(1)).any(|(one, next)| is_cut_path(one, next));
        let mut vendor = Self { line, name: name.clone(), path: None, options: None, unquoted_path, port: None };
        let mut is_all_understood = true;
        // Values without a key are recognized by their position, and a port also because it is a number.
        let mut places = 0;
        for word in rest {
            let is_bare_key = is_one_of(word, &["PORT", "OPTIONS"]);
            if is_bare_key || word.starts_with('=') {
                return Err(Problem::NoValue);
            }
            if let Some((key, value)) = key_and_value(word) {
                let is_port = key.eq_ignore_ascii_case("PORT");
                if !is_port && !key.eq_ignore_ascii_case("OPTIONS") {
                    is_all_understood = false;
                } else if value.is_empty() {
                    return Err(Problem::NoValue);
                } else if is_port {
                    vendor.set_port(value)?;
                } else {
                    vendor.set_options(value)?;
                }
                continue;
            }
            places += 1;
            match places {
                1 => vendor.path = Some(printable(word)).filter(|path| !path.is_empty()),
                _ if vendor.port.is_none() && number(word).is_some() => vendor.set_port(word)?,
                2 => vendor.set_options(word)?,
                _ => return Err(Problem::TooManyWords),
            }
        }
        Ok((vendor, is_all_understood))
    }

    /// Sets the port. With 0, the operating system chooses one at each start, as without a port.
    fn set_port(&mut self, text: &str) -> Result<(), Problem> {
        if number(text) == Some(0) && self.port.is_none() {
            return Ok(());
        }
        let port = port(text).ok_or(Problem::WrongVendorPort)?;
        if self.port.replace(port).is_some() { Err(Problem::SaidTwice) } else { Ok(()) }
    }

    fn set_options(&mut self, text: &str) -> Result<(), Problem> {
        if self.options.replace(printable(text)).is_some() { Err(Problem::SaidTwice) } else { Ok(()) }
    }
}

/// Whether the second word seems to be the rest of a path that a space has cut: the first is part of a path, and the
/// second one is, too, but does not begin one.
fn is_cut_path(one: &str, next: &str) -> bool {
    let has_folder = |word: &str| word.contains(['/', '\\']);
    let begins = next.starts_with(['/', '\\', '.', '~', '%', '$']) || next.get(1..2) == Some(":");
    let is_quoted = one.contains(' ') || next.contains(' ');
    has_folder(one) && has_folder(next) && !begins && !is_quoted && key_and_value(next).is_none()
}

/// Whether the word, or a part of it, can only come from another line, because a line break is missing.
fn is_of_another_line(word: &str) -> bool {
    let is_part_of_key = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_attribute = word.match_indices('=').any(|(at, _)| {
        let key = word.get(..at).and_then(|before| before.rsplit(|c| !is_part_of_key(c)).next()).unwrap_or_default();
        is_one_of(key, &LICENSE_ATTRIBUTES) || key.to_ascii_uppercase().ends_with("SIGN")
    });
    is_attribute || is_one_of(word, &LICENSE_KEYWORDS) || is_one_of(word, &SERVER_KEYWORDS)
}
