//! Reads the output of `lmutil lmstat -a`. Pure, and total: every text has a reading.
//!
//! No document defines the format, which has changed little from FlexNet 9 to 11.19: the license servers, the vendor
//! daemons, then each feature with the clients that use it. lmstat puts an error with its number in place of what it
//! could not read. The lines of clients contain names that a client chooses. They are indented, and are not read.

use crate::model::flexnet::{FlexNetError, Proof};
use crate::model::license_check::{Daemon, Feature, LicenseServer, Usage, VendorDaemon};

/// What the output says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lmstat {
    /// The state of the license server.
    pub server: LicenseServer,
    /// The last part of the output.
    pub last_part: Part,
    /// The first error that proves nothing: lmstat could not ask.
    pub lmstat_error: Option<FlexNetError>,
    /// Systems Manager cut the output off.
    pub is_cut: bool,
    /// The name of a vendor daemon whose error has not come yet.
    unfinished: Option<String>,
}

/// The last part of the output. lmstat prints the parts in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Part {
    /// Nothing that lmstat prints was recognized.
    #[default]
    Nothing,
    /// The heading.
    Heading,
    /// The license servers.
    Servers,
    /// The vendor daemons.
    Vendors,
    /// The features.
    Features,
}

/// The maximum number of characters of an output that Systems Manager keeps.
/// Source: Systems Manager API Reference, *GetCommandInvocation*, `StandardOutputContent`.
const LONGEST_OUTPUT: usize = 24_000;

/// What the agent puts in place of the rest. Source: amazon-ssm-agent, `OutputTruncatedSuffix`.
const CUT: &str = "--output truncated--";

/// Long enough for every name in FlexNet, which allows 30 characters for a feature.
const LONGEST_NAME: usize = 64;

/// Reads an output.
pub fn read(output: &str) -> Lmstat {
    let is_cut = output.chars().count() >= LONGEST_OUTPUT || output.trim_end().to_ascii_lowercase().ends_with(CUT);
    let mut lmstat = Lmstat { is_cut, ..Lmstat::default() };
    for line in output.lines() {
        lmstat.line(line.trim_end());
    }
    lmstat
}

impl Lmstat {
    fn line(&mut self, line: &str) {
        let text = line.trim_start();
        if let Some(rest) = line.strip_prefix("Users of ") {
            self.last_part = Part::Features;
            self.lmstat_error = self.lmstat_error.or(error_of(rest).filter(|error| error.proves() == Proof::Nothing));
            self.server.features.extend(feature(rest));
        } else if self.last_part == Part::Features {
            // Every other line is about a client, or is an error of lmstat, which has no indentation.
            self.stop(line);
        } else if text.starts_with("Flexible License Manager status") {
            self.last_part = self.last_part.max(Part::Heading);
        } else if text.starts_with("License server status") {
            self.last_part = Part::Servers;
        } else if text.starts_with("Vendor daemon status") {
            self.last_part = Part::Vendors;
        } else if text.starts_with("Feature usage info") {
            self.last_part = Part::Features;
        } else if self.last_part == Part::Vendors {
            self.vendor(text);
        } else {
            self.lmgrd(text);
        }
    }

    /// A line about one license server, or an error in its place. One server that is up is enough: of a redundant set,
    /// another may be down, and lmstat lists a server twice if its name has two spellings.
    fn lmgrd(&mut self, text: &str) {
        let said = text.split_once(": license server ").map(|(_, said)| said);
        let error = error_of(text);
        let now = match said.and_then(first_word) {
            Some("UP") => Daemon::Up { version: said.and_then(version) },
            _ if self.server.lmgrd.is_up() => return,
            Some("DOWN") => Daemon::Down { error },
            _ if error.is_some_and(|error| error.proves() == Proof::NotRunning) => Daemon::Down { error },
            _ => {
                self.lmstat_error = self.lmstat_error.or(error);
                return;
            }
        };
        self.last_part = self.last_part.max(Part::Servers);
        if now.is_up() {
            self.lmstat_error = None;
        }
        if now.is_up() && !self.server.lmgrd.is_up() || self.server.lmgrd == Daemon::Unknown {
            self.server.lmgrd = now;
        }
    }

    /// A line about one vendor daemon, `NAME: UP v11.19`, or an error in its place, which may take several lines. Any
    /// other line is a warning of lmstat or of the shell.
    fn vendor(&mut self, text: &str) {
        let named = text.split_once(':').filter(|(name, _)| is_vendor(name));
        let (name, said) = named.map_or((None, text), |(name, said)| (Some(name.to_owned()), said));
        let error = error_of(text);
        let daemon = match first_word(said) {
            Some("UP") if name.is_some() => Daemon::Up { version: version(said) },
            Some("DOWN") if name.is_some() => Daemon::Down { error },
            _ => match error {
                Some(error) if error.proves() != Proof::Nothing => Daemon::Down { error: Some(error) },
                Some(error) => {
                    self.lmstat_error = self.lmstat_error.or(Some(error));
                    Daemon::Unknown
                }
                // The number may follow on the next line.
                None => {
                    self.unfinished = name.or(self.unfinished.take());
                    return;
                }
            },
        };
        match name.or(self.unfinished.take()) {
            Some(name) => self.server.vendors.push(VendorDaemon { name: shortened(&name), daemon }),
            None => self.lmstat_error = self.lmstat_error.or(error),
        }
        self.unfinished = None;
    }

    /// An error with which lmstat stops.
    fn stop(&mut self, text: &str) {
        if text.starts_with("Error getting status") {
            self.lmstat_error = self.lmstat_error.or(error_of(text));
        }
    }
}

/// The rest of a line `Users of NAME:  (Total of 3 licenses issued;  Total of 1 license in use)`.
fn feature(rest: &str) -> Option<Feature> {
    let (name, said) = rest.split_once(':').unwrap_or((rest, ""));
    let name = name.trim();
    let error = error_of(said);
    let is_rejected = match error {
        Some(error) => error.proves() != Proof::Nothing,
        None => said.contains("Error"),
    };
    let usage = if let Some(issued) = total(said, "issued").or_else(|| total(said, "available")) {
        Usage::Counted { issued, used: total(said, "in use") }
    } else if said.contains("Uncounted") {
        Usage::Uncounted
    } else if is_rejected {
        Usage::NotServed { error }
    } else {
        Usage::Unknown
    };
    // A name with a space is not a feature's.
    let is_name = !name.is_empty() && !name.contains(char::is_whitespace);
    is_name.then(|| Feature { name: shortened(name), usage })
}

/// The number in `Total of 3 licenses WHAT`. A number whose end is cut off is not one.
fn total(said: &str, what: &str) -> Option<u32> {
    let counted = said.split("Total of ").skip(1).find_map(|part| {
        let (number, rest) = part.split_once(' ')?;
        let kind = rest.strip_prefix("licenses ").or_else(|| rest.strip_prefix("license "))?;
        kind.starts_with(what).then(|| number.parse())
    });
    counted?.ok()
}

/// FlexNet's error in a text such as `… (-15,570:115 "Connection refused")`.
/// Source for the form: Revenera, License Administration Guide, "Error Message Format".
fn error_of(text: &str) -> Option<FlexNetError> {
    text.match_indices("(-").find_map(|(at, _)| {
        let rest = &text[at + 1..];
        let end = rest.find(|c: char| c != '-' && !c.is_ascii_digit())?;
        let is_closed = matches!(rest.as_bytes().get(end), Some(b',' | b')' | b':'));
        FlexNetError::new(rest[..end].parse().ok()?).filter(|_| is_closed)
    })
}

fn first_word(text: &str) -> Option<&str> {
    text.split_whitespace().next()
}

/// A version such as `v11.19.6`.
fn version(text: &str) -> Option<String> {
    let is_version = |word: &&str| {
        let digits = word.strip_prefix('v').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        digits.is_some_and(|rest| word.len() <= 16 && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.'))
    };
    text.split_whitespace().find(is_version).map(str::to_owned)
}

/// A name as on a VENDOR line, and not the beginning of a sentence.
fn is_vendor(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// A name for a report: printable, and of limited length.
fn shortened(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_graphic() { c } else { '?' }).take(LONGEST_NAME).collect()
}
