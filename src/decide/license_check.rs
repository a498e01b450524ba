//! The license check: whether licenses are served, from what lmstat printed. Pure.

use crate::decide::lmstat::{self, Lmstat, Part};
use crate::model::command::CommandState;
use crate::model::error::{CallError, Meaning};
use crate::model::flexnet::{FlexNetError, Proof};
use crate::model::license_check::{
    CheckedLicense, Daemon, LicenseCheck, LicenseServer, Usage, VendorDaemon, WhyUnknown,
};

/// The result of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// Whether licenses are served.
    pub result: CheckedLicense,
    /// The state of the license server.
    pub server: LicenseServer,
    /// Why the check could not tell something.
    pub unknown_because: Option<WhyUnknown>,
    /// FlexNet's error that kept lmstat from asking.
    pub lmstat_error: Option<FlexNetError>,
    /// The error in detail.
    pub error: Option<String>,
    /// Whether another try may have another result soon: a daemon may be starting, or an agent.
    pub may_pass: bool,
}

impl Assessment {
    fn unknown(because: WhyUnknown, error: impl Into<String>, may_pass: bool) -> Self {
        let (result, server, error) = (CheckedLicense::Unknown, LicenseServer::default(), Some(error.into()));
        Self { result, server, unknown_because: Some(because), lmstat_error: None, error, may_pass }
    }

    /// The check with this result.
    pub fn into_check(self, check: LicenseCheck) -> LicenseCheck {
        let Self { result, server, unknown_because, lmstat_error, error, may_pass: _ } = self;
        LicenseCheck { result, server, unknown_because, lmstat_error, error, ..check }
    }

    /// Judges a command that was not sent.
    pub fn not_sent(error: &CallError) -> Self {
        Self::of_error(error, WhyUnknown::NotSent)
    }

    /// Judges a command whose result cannot be read.
    pub fn not_read(error: &CallError) -> Self {
        Self::of_error(error, WhyUnknown::NoResult)
    }

    fn of_error(error: &CallError, otherwise: WhyUnknown) -> Self {
        let because = match error.meaning {
            Meaning::Denied => WhyUnknown::Denied,
            // An agent registers within seconds of a boot.
            Meaning::WrongState => WhyUnknown::AgentUnreachable,
            Meaning::Throttled | Meaning::Unreachable => WhyUnknown::Unreachable,
            _ => otherwise,
        };
        let may_pass = because == WhyUnknown::AgentUnreachable || because == WhyUnknown::Unreachable;
        Self::unknown(because, error.to_string(), may_pass)
    }
}

/// The exit code of `env` if the program does not exist. Source: GNU Coreutils, "env invocation".
const NO_SUCH_PROGRAM: i32 = 127;
/// The exit code of `env` if the program cannot be run.
const NOT_EXECUTABLE: i32 = 126;

/// Judges a command that has ended. `vendors`: the vendor daemons of the license.
pub fn judge(vendors: &[String], ended: &CommandState) -> Assessment {
    match ended.exit_code {
        Some(NO_SUCH_PROGRAM) => Assessment::unknown(WhyUnknown::NotInstalled, "exit code 127", false),
        Some(NOT_EXECUTABLE) => Assessment::unknown(WhyUnknown::NotExecutable, "exit code 126", false),
        Some(code) => assess(vendors, lmstat::read(ended.output.as_str()), code),
        None => {
            // Systems Manager's own documents write the words with spaces, its answers without.
            let because = match ended.status.replace(' ', "").as_str() {
                "DeliveryTimedOut" | "Undeliverable" => WhyUnknown::AgentUnreachable,
                _ => WhyUnknown::NotRun,
            };
            Assessment::unknown(because, format!("status {}", ended.status), true)
        }
    }
}

/// The error that an exit code of lmstat stands for: the number plus 256. The exit code of a process that a signal has
/// ended can look like one, so only an error that proves that lmgrd does not run counts.
fn error_of(exit_code: i32) -> Option<FlexNetError> {
    let error = (129..256).contains(&exit_code).then(|| FlexNetError::new(exit_code - 256)).flatten();
    error.filter(|error| error.proves() == Proof::NotRunning)
}

fn assess(vendors: &[String], lmstat: Lmstat, exit_code: i32) -> Assessment {
    let Lmstat { mut server, last_part, lmstat_error, is_cut, .. } = lmstat;
    if last_part == Part::Nothing && lmstat_error.is_none() {
        let because = if is_cut { WhyUnknown::OutputCut } else { WhyUnknown::NotUnderstood };
        return Assessment::unknown(because, "the output has none of lmstat's lines", false);
    }
    if server.lmgrd == Daemon::Unknown && lmstat_error.is_none() && !is_cut {
        server.lmgrd = error_of(exit_code).map_or(Daemon::Unknown, |error| Daemon::Down { error: Some(error) });
    }
    let is_complete = last_part == Part::Features && !is_cut && lmstat_error.is_none();
    let has_all = add_missing(&mut server, vendors);
    let result = result(&server, is_complete);
    let (unknown_because, error) = if is_cut {
        (Some(WhyUnknown::OutputCut), Some("the output was cut off".to_owned()))
    } else if lmstat_error.is_some() {
        (Some(WhyUnknown::LmstatFailed), None)
    } else if server.lmgrd.is_down() {
        (None, None)
    } else if has_unknown(&server, vendors) || result == CheckedLicense::Unknown {
        (Some(WhyUnknown::NotUnderstood), Some("a part of the output was not understood".to_owned()))
    } else if !has_all {
        (Some(WhyUnknown::VendorNotListed), None)
    } else {
        (None, None)
    };
    let may_pass = result != CheckedLicense::Served && !is_cut;
    Assessment { result, server, unknown_because, lmstat_error, error, may_pass }
}

/// Adds the vendor daemons of the license that lmstat does not list. Returns whether it has listed all of them.
fn add_missing(server: &mut LicenseServer, vendors: &[String]) -> bool {
    let is_listed = |name: &&String| server.vendors.iter().any(|vendor| vendor.name.eq_ignore_ascii_case(name));
    let missing: Vec<String> = vendors.iter().filter(|name| !is_listed(name)).cloned().collect();
    let has_all = missing.is_empty();
    server.vendors.extend(missing.into_iter().map(|name| VendorDaemon { name, daemon: Daemon::Unknown }));
    has_all
}

/// Whether lmstat leaves something unknown about what it lists.
fn has_unknown(server: &LicenseServer, vendors: &[String]) -> bool {
    let is_unknown = |usage: Usage| matches!(usage, Usage::Unknown | Usage::Counted { used: None, .. });
    let is_missing = |vendor: &VendorDaemon| vendor.daemon == Daemon::Unknown && vendors.contains(&vendor.name);
    server.vendors.iter().any(|vendor| vendor.daemon == Daemon::Unknown && !is_missing(vendor))
        || server.features.iter().any(|feature| is_unknown(feature.usage))
}

/// Whether licenses are served. Only a proof counts as "not served": a failed question says nothing.
fn result(server: &LicenseServer, is_complete: bool) -> CheckedLicense {
    let listed = || server.vendors.iter().filter(|vendor| vendor.daemon != Daemon::Unknown);
    if server.lmgrd.is_down() || listed().any(|vendor| vendor.daemon.is_down()) {
        CheckedLicense::NotServed
    } else if !server.lmgrd.is_up() || listed().next().is_none() {
        CheckedLicense::Unknown
    } else if server.served().next().is_some() {
        CheckedLicense::Served
    } else if is_complete && server.features.iter().all(|feature| feature.usage != Usage::Unknown) {
        CheckedLicense::NotServed
    } else {
        CheckedLicense::Unknown
    }
}
