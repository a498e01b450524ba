//! The part of a license file that names the token server.
//!
//! The reader uses the SERVER, VENDOR (or DAEMON) and USE_SERVER lines. All other lines are the license itself, which
//! is confidential: the reader keeps nothing of them, and no error quotes the file, because a lost line break can bring
//! license text onto any line.
//!
//! The grammar follows the FlexNet Publisher License Administration Guide, pages *SERVER Lines*, *VENDOR Lines*,
//! *`USE_SERVER` Line*, *Special Hostids* and *License File Format Overview*. Where the guide is silent, the reader
//! accepts what existing files use.

use std::fmt;

use serde::Serialize;
use token_failover::model::ids::MacAddress;

/// The token server in a license file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct License {
    /// The SERVER lines: none for a node-locked license, one for a token server, three for a redundant set.
    pub servers: Vec<Server>,
    /// The VENDOR and DAEMON lines.
    pub vendors: Vec<Vendor>,
    /// Whether the file has a USE_SERVER line, which sends clients to the token server.
    pub use_server: bool,
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
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Named(name) => name,
            Self::ThisHost => "this_host",
            Self::Placeholder => "a placeholder",
        })
    }
}

/// The hostid, by which FlexNet recognizes a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hostid {
    /// A MAC address.
    Mac(MacAddress),
    /// Any machine.
    Any,
    /// A hostid of this kind, such as `INTERNET`. The reader does not keep its value.
    Other(String),
    /// Not a hostid.
    Unknown,
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
    /// The port of the vendor daemon. Without one, the daemon uses another port at each start.
    pub port: Option<u16>,
}

/// Why a file could not be read as a license file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", .line.map_or_else(String::new, |line| format!("line {line}: ")))]
pub struct LicenseError {
    /// The number of the line, if the error is about one line.
    pub line: Option<usize>,
    /// The problem.
    pub problem: Problem,
}

impl LicenseError {
    /// The remedy in one sentence.
    pub fn hint(&self) -> &'static str {
        self.problem.hint()
    }
}

/// A problem of a license file. It has no text of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The file is empty.
    #[error("the file is empty")]
    Empty,
    /// The file is too large for a license file.
    #[error("the file has more than {} KiB", LARGEST_FILE / 1024)]
    TooLarge,
    /// The file is of another kind.
    #[error("the file is {0}, not a license file")]
    OtherKind(&'static str),
    /// The file is text in UTF-16.
    #[error("the file is text in UTF-16")]
    Utf16,
    /// The file has a byte that does not occur in text.
    #[error("the line has a byte that does not occur in text, so this is not a license file")]
    NotText,
    /// The file is text, but has no line of a license file.
    #[error("no line of the file belongs to a license file")]
    NotALicense,
    /// A line beyond the limit.
    #[error("the line has more than {LONGEST_LINE} bytes")]
    LineTooLong,
    /// More SERVER or VENDOR lines than any license has.
    #[error("the file has more than {MAX_LINES} SERVER and VENDOR lines")]
    TooManyLines,
    /// A quotation mark that is not closed.
    #[error("a quotation mark is not closed")]
    OpenQuote,
    /// A space that FlexNet does not accept.
    #[error("the line has a space that FlexNet does not accept, such as a no-break space")]
    OddBlank,
    /// Two merged lines.
    #[error("the line runs into another line of the license")]
    LinesJoined,
    /// A SERVER line without a host.
    #[error("the SERVER line has no host")]
    NoHost,
    /// A SERVER line with an invalid host.
    #[error("the host of the SERVER line is neither a host name nor an IP address")]
    WrongHost,
    /// A SERVER line without a hostid.
    #[error("the SERVER line has no hostid")]
    NoHostid,
    /// A SERVER line with an invalid port.
    #[error("the port of the SERVER line is not a number from 1 to 65535")]
    WrongServerPort,
    /// A VENDOR line without a name.
    #[error("the VENDOR line does not name a vendor daemon")]
    NoVendorName,
    /// A VENDOR line with an invalid name.
    #[error("the name on the VENDOR line is not a valid name of a vendor daemon")]
    WrongVendorName,
    /// A VENDOR line with an invalid port.
    #[error("the port of the VENDOR line is not a number from 1 to 65535")]
    WrongVendorPort,
    /// An option without its value.
    #[error("an option of the VENDOR line has no value")]
    NoValue,
    /// A repeated option.
    #[error("the VENDOR line gives its options file or its port twice")]
    SaidTwice,
    /// More words than a VENDOR line has.
    #[error("the VENDOR line has more than a name, a path, an options file and a port")]
    TooManyWords,
}

impl Problem {
    /// The remedy in one sentence.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Empty => "Save the license file again from the vendor's mail.",
            Self::TooLarge => "Use the license file itself, which has a few lines.",
            Self::Utf16 => "Save the file as plain text in UTF-8, which FlexNet can read.",
            Self::OtherKind(_) | Self::NotText | Self::NotALicense => {
                "Use the text file that the vendor sent. It has lines that begin with SERVER and VENDOR."
            }
            Self::LineTooLong => "Check whether line breaks were lost when the file was saved.",
            Self::TooManyLines => "Use the license file of one token server.",
            Self::OpenQuote => "Close the quotation mark on the same line, or remove it.",
            Self::OddBlank => {
                "Write plain spaces, or save the file from the vendor's mail instead of copying its text."
            }
            Self::LinesJoined => {
                "Restore the line break that was lost, or remove the backslash at the end of the line."
            }
            Self::NoHost | Self::WrongHost | Self::NoHostid => {
                "A SERVER line has a host, a hostid and a port, such as: SERVER license.example.com 0273ae2adc81 27007"
            }
            Self::WrongServerPort => {
                "The port is a bare number after the hostid, such as: SERVER license.example.com 0273ae2adc81 27007"
            }
            Self::NoVendorName | Self::WrongVendorName | Self::WrongVendorPort => {
                "A VENDOR line has a name and a port, such as: VENDOR MOSEKLM port=27008"
            }
            Self::NoValue => "Write the option without spaces around the equals sign, such as: port=27008",
            Self::SaidTwice => "Keep only the correct one.",
            Self::TooManyWords => "Put a path that contains spaces in quotation marks.",
        }
    }

    fn at(self, line: usize) -> LicenseError {
        LicenseError { line: Some(line), problem: self }
    }
}

impl From<Problem> for LicenseError {
    fn from(problem: Problem) -> Self {
        Self { line: None, problem }
    }
}

/// The size limit of a file. License files of many products have about ten thousand bytes.
pub const LARGEST_FILE: usize = 1024 * 1024;
/// The length limit of a SERVER or VENDOR line with its continuations. Other lines may be longer.
const LONGEST_LINE: usize = 4096;
/// The maximum number of SERVER and VENDOR lines.
const MAX_LINES: usize = 64;

/// The keywords of license lines, which the reader skips.
const LICENSE_KEYWORDS: [&str; 5] = ["FEATURE", "INCREMENT", "PACKAGE", "UPGRADE", "FEATURESET"];
/// The keywords of the lines that the reader uses.
const SERVER_KEYWORDS: [&str; 4] = ["SERVER", "VENDOR", "DAEMON", "USE_SERVER"];
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
    /// The first problem that keeps the file from being understood. [`License::assess`] finds entries that are
    /// understood but will not work.
    pub fn parse(bytes: &[u8]) -> Result<Self, LicenseError> {
        let text = text(bytes)?;
        let mut license =
            Self { servers: Vec::new(), vendors: Vec::new(), use_server: false, not_understood: Vec::new() };
        let lines = logical_lines(&text);
        let has_markers = lines.iter().any(|line| line.is_marker("START_LICENSE"));
        let mut is_inside = !has_markers;
        let mut is_license = has_markers;
        for line in &lines {
            if line.is_marker("START_LICENSE") {
                is_inside = true;
            } else if line.is_marker("END_LICENSE") {
                is_inside = false;
            } else if is_inside && !line.is_blank() {
                is_license |= license.read(line).map_err(|problem| problem.at(line.number))?;
            }
        }
        if is_license { Ok(license) } else { Err(Problem::NotALicense.into()) }
    }

    /// Reads one line. Returns whether it belongs to a license file.
    fn read(&mut self, line: &Line) -> Result<bool, Problem> {
        let keyword = line.text.split_ascii_whitespace().next().unwrap_or_default();
        if is_one_of(keyword, &LICENSE_KEYWORDS) {
            // Other text may begin with the same keyword. A license line has at least four words.
            return Ok(line.text.split_ascii_whitespace().nth(3).is_some());
        }
        if !is_one_of(keyword, &SERVER_KEYWORDS) {
            self.not_understood.push(line.number);
            return Ok(false);
        }
        if line.text.len() > LONGEST_LINE {
            return Err(Problem::LineTooLong);
        }
        if self.servers.len() + self.vendors.len() == MAX_LINES {
            return Err(Problem::TooManyLines);
        }
        let words = words(&line.text)?;
        let words = words.get(1..).unwrap_or_default();
        let is_all_understood = if keyword.eq_ignore_ascii_case("SERVER") {
            let (server, is_all_understood) = Server::from_words(line.number, words)?;
            if !self.servers.iter().any(|other| Server { line: other.line, ..server.clone() } == *other) {
                self.servers.push(server);
            }
            is_all_understood
        } else if keyword.eq_ignore_ascii_case("USE_SERVER") {
            if words.iter().any(|word| is_of_another_line(word)) {
                return Err(Problem::LinesJoined);
            }
            self.use_server = true;
            words.is_empty()
        } else {
            let (vendor, is_all_understood) = Vendor::from_words(line.number, words)?;
            if !self.vendors.iter().any(|other| Vendor { line: other.line, ..vendor.clone() } == *other) {
                self.vendors.push(vendor);
            }
            is_all_understood
        };
        if !is_all_understood {
            self.not_understood.push(line.number);
        }
        Ok(true)
    }
}

impl Server {
    /// Reads `host hostid [port] [option]…`. Returns whether all of it was understood, because new releases add
    /// options.
    fn from_words(line: usize, words: &[String]) -> Result<(Self, bool), Problem> {
        let (host, rest) = words.split_first().ok_or(Problem::NoHost)?;
        let host = Host::from_word(host)?;
        if rest.iter().any(|word| is_of_another_line(word)) {
            return Err(Problem::LinesJoined);
        }
        let (hostids, mut rest) = rest.split_first().ok_or(Problem::NoHostid)?;
        let hostids: Vec<Hostid> = hostids.split_whitespace().map(Hostid::from_word).collect();
        if hostids.is_empty() {
            return Err(Problem::NoHostid);
        }
        let mut server = Self { line, host, hostids, port: None, platforms: None };
        if let Some((word, after)) = rest.split_first()
            && ServerOption::from_word(word).is_none()
            && (key_and_value(word).is_none() || is_key(word, "PORT"))
        {
            // Very old files have the form `TCP:27007`.
            let number = match word.split_once(':') {
                Some((protocol, number)) if protocol.eq_ignore_ascii_case("TCP") => number,
                _ => word,
            };
            server.port = Some(port(number).ok_or(Problem::WrongServerPort)?);
            rest = after;
        }
        let mut is_all_understood = true;
        for word in rest {
            match ServerOption::from_word(word) {
                Some(ServerOption::Platforms(platforms)) => server.platforms = Some(platforms),
                Some(ServerOption::WithoutEffectHere) => {}
                None => is_all_understood = false,
            }
        }
        Ok((server, is_all_understood))
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
    fn from_word(word: &str) -> Result<Self, Problem> {
        if word.eq_ignore_ascii_case("this_host") {
            return Ok(Self::ThisHost);
        }
        if word.starts_with('<') || word.ends_with('>') {
            return Ok(Self::Placeholder);
        }
        // RFC 1035, and the underscore that some hosts have although it is not allowed.
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        let name = word.strip_suffix('.').unwrap_or(word);
        let is_name = name.len() <= 253 && name.split('.').all(is_label);
        let is_address = word.parse::<std::net::IpAddr>().is_ok();
        if is_name || is_address { Ok(Self::Named(word.to_owned())) } else { Err(Problem::WrongHost) }
    }
}

impl Hostid {
    fn from_word(word: &str) -> Self {
        if word.eq_ignore_ascii_case("ANY") {
            return Self::Any;
        }
        if word.eq_ignore_ascii_case("DEMO") {
            return Self::Other("DEMO".to_owned());
        }
        if let Some((key, value)) = key_and_value(word) {
            let key = key.to_ascii_uppercase();
            // The value of another kind can look like a MAC address: `ID=` and `COMPOSITE=` have 12 digits.
            let is_mac = key.ends_with("HOSTID") || is_one_of(&key, &["ETHER", "ETHERNET"]);
            return match value.parse() {
                Ok(mac) if is_mac => Self::Mac(mac),
                _ => Self::Other(key),
            };
        }
        if let Ok(mac) = word.parse() {
            return Self::Mac(mac);
        }
        let is_long = word.len() == 8 && word.bytes().all(|b| b.is_ascii_hexdigit());
        let is_decimal = word.strip_prefix('#').is_some_and(|digits| number(digits).is_some());
        if is_long || is_decimal { Self::Other("serial number".to_owned()) } else { Self::Unknown }
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
        let mut vendor = Self { line, name: name.clone(), path: None, options: None, port: None };
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

    fn set_port(&mut self, text: &str) -> Result<(), Problem> {
        let port = port(text).ok_or(Problem::WrongVendorPort)?;
        if self.port.replace(port).is_some() { Err(Problem::SaidTwice) } else { Ok(()) }
    }

    fn set_options(&mut self, text: &str) -> Result<(), Problem> {
        if self.options.replace(printable(text)).is_some() { Err(Problem::SaidTwice) } else { Ok(()) }
    }
}

/// The file as text, without a byte order mark. Bytes in an encoding other than UTF-8 become question marks later.
fn text(bytes: &[u8]) -> Result<String, LicenseError> {
    const OTHER_KINDS: [(&[u8], &str); 4] = [
        (b"%PDF", "a PDF document"),
        (b"PK\x03\x04", "a ZIP archive or an Office document"),
        (b"\x1f\x8b", "a gzip archive"),
        (b"{\\rtf", "an RTF document"),
    ];
    if bytes.len() > LARGEST_FILE {
        return Err(Problem::TooLarge.into());
    }
    if let Some((_, kind)) = OTHER_KINDS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err(Problem::OtherKind(kind).into());
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(Problem::Utf16.into());
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // DOS ended text files with 0x1a.
    let is_text = |b: u8| matches!(b, b'\t' | b'\n' | b'\r' | 0x0c | 0x1a | 0x20..=0x7e | 0x80..);
    if let Some(at) = bytes.iter().position(|b| !is_text(*b)) {
        let before = String::from_utf8_lossy(bytes.get(..at).unwrap_or_default());
        return Err(Problem::NotText.at(physical_lines(&before).count()));
    }
    let text = String::from_utf8_lossy(bytes).replace('\x1a', " ");
    if text.trim().is_empty() { Err(Problem::Empty.into()) } else { Ok(text) }
}

/// The lines as an editor shows them, with the line endings of any system.
fn physical_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.trim_end_matches('\r').split('\r'))
}

/// A line with its continuations.
struct Line {
    /// The number of its first line.
    number: usize,
    text: String,
}

impl Line {
    fn is_comment(&self) -> bool {
        self.text.trim_start().starts_with('#')
    }

    fn is_blank(&self) -> bool {
        self.is_comment() || self.text.trim().is_empty()
    }

    /// Whether the line has only this word, possibly in a comment or between dashes.
    fn is_marker(&self, word: &str) -> bool {
        let is_ornament = |c: char| c.is_whitespace() || matches!(c, '#' | '-' | '=' | '*');
        self.text.trim_matches(is_ornament).eq_ignore_ascii_case(word)
    }
}

/// Joins lines that end in a backslash with the next line. A comment is not continued, because it may end in a path.
fn logical_lines(text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut continues = false;
    for (index, physical) in physical_lines(text).enumerate() {
        let whole = physical.trim_end();
        let continued = whole.strip_suffix('\\');
        match lines.last_mut() {
            Some(line) if continues => {
                line.text.push(' ');
                line.text.push_str(continued.unwrap_or(whole));
                continues = continued.is_some();
            }
            _ => {
                let line = Line { number: index + 1, text: continued.unwrap_or(whole).to_owned() };
                continues = continued.is_some() && !line.is_comment();
                lines.push(line);
            }
        }
    }
    lines
}

/// Splits a line at its spaces. Text between quotation marks stays together, without the marks.
fn words(line: &str) -> Result<Vec<String>, Problem> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut is_quoted = false;
    for c in line.chars() {
        if c == '"' {
            is_quoted = !is_quoted;
            word.get_or_insert_default();
        } else if c.is_whitespace() && !c.is_ascii() {
            return Err(Problem::OddBlank);
        } else if c.is_ascii_whitespace() && !is_quoted {
            words.extend(word.take());
        } else {
            word.get_or_insert_default().push(c);
        }
    }
    words.extend(word);
    if is_quoted { Err(Problem::OpenQuote) } else { Ok(words) }
}

fn is_one_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|other| other.eq_ignore_ascii_case(word))
}

/// Splits `KEY=value`. A path may have an equals sign, but not right after a single word.
fn key_and_value(word: &str) -> Option<(&str, &str)> {
    let is_key = |key: &str| {
        (1..=32).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
    };
    word.split_once('=').filter(|(key, _)| is_key(key))
}

fn is_key(word: &str, wanted: &str) -> bool {
    key_and_value(word).is_some_and(|(key, _)| key.eq_ignore_ascii_case(wanted))
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

fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
}

fn port(text: &str) -> Option<u16> {
    number(text).and_then(|number| u16::try_from(number).ok()).filter(|port| *port > 0)
}

/// The string with a question mark for every character that a terminal might interpret.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_alphanumeric() || c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect()
}
