//! The license check: whether licenses are served, from what lmstat printed. Pure.

use crate::decide::lmstat::{self, Lmstat, Reach};
use crate::model::command::CommandState;
use crate::model::error::{CallError, Meaning};
use crate::model::license_check::{CheckedLicense, Daemon, LicenseCheck, LicenseServer, Untold, Usage, VendorDaemon};

/// The result of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// Whether licenses are served.
    pub result: CheckedLicense,
    /// The state of the license server.
    pub server: LicenseServer,
    /// Why the check could not tell something.
    pub untold: Option<Untold>,
    /// The error in detail.
    pub error: Option<String>,
    /// Whether another try may have another result soon: a daemon may be starting, or an agent.
    pub may_pass: bool,
}

impl Assessment {
    fn untold(untold: Untold, error: impl Into<String>, may_pass: bool) -> Self {
        let (result, server) = (CheckedLicense::Unknown, LicenseServer::default());
        Self { result, server, untold: Some(untold), error: Some(error.into()), may_pass }
    }

    /// The check with this result.
    pub fn into_check(self, check: LicenseCheck) -> LicenseCheck {
        let Self { result, server, untold, error, may_pass: _ } = self;
        LicenseCheck { result, server, untold, error, ..check }
    }

    /// Judges a call to Systems Manager that did not succeed.
    pub fn of_error(error: &CallError) -> Self {
        let untold = match error.meaning {
            Meaning::Denied => Untold::Denied,
            // An agent registers within seconds of a boot.
            Meaning::WrongState => Untold::AgentUnreachable,
            Meaning::Throttled | Meaning::Unreachable => Untold::Unreachable,
            _ => Untold::NotSent,
        };
        let may_pass = untold == Untold::AgentUnreachable || untold == Untold::Unreachable;
        Self::untold(untold, error.to_string(), may_pass)
    }
}

/// The exit code of `env` if the program does not exist. Source: GNU Coreutils, "env invocation".
const NO_SUCH_PROGRAM: i32 = 127;
/// The exit code of `env` if the program cannot be run.
const NOT_EXECUTABLE: i32 = 126;

/// Errors of lmstat itself, or of its license file, which say nothing about the license server.
/// Source for the meanings: Revenera, License Administration Guide, "Error Code Descriptions".
const OF_LMSTAT: [i32; 9] = [-1, -2, -6, -13, -30, -40, -42, -57, -62];

/// Judges a command that has ended. `vendors`: the vendor daemons of the license.
pub fn judge(vendors: &[String], ended: &CommandState) -> Assessment {
    match ended.exit_code {
        Some(NO_SUCH_PROGRAM) => return Assessment::untold(Untold::NotInstalled, "exit code 127", false),
        Some(NOT_EXECUTABLE) => return Assessment::untold(Untold::NotExecutable, "exit code 126", false),
        Some(_) => {}
        None => {
            let untold = match ended.status.as_str() {
                "Delivery Timed Out" | "Undeliverable" => Untold::AgentUnreachable,
                _ => Untold::NotRun,
            };
            return Assessment::untold(untold, format!("status {}", ended.status), true);
        }
    }
    let lmstat = lmstat::read(ended.output.as_str());
    let error = ended.exit_code.and_then(error_of);
    assess(vendors, lmstat, error)
}

/// The error that an exit code of lmstat stands for: the number plus 256.
fn error_of(exit_code: i32) -> Option<i32> {
    (129..=255).contains(&exit_code).then(|| exit_code - 256)
}

fn assess(vendors: &[String], lmstat: Lmstat, exit_error: Option<i32>) -> Assessment {
    let Lmstat { mut server, reach, stopped_by, is_cut } = lmstat;
    if reach == Reach::Nothing {
        let untold = if is_cut { Untold::OutputCut } else { Untold::NotUnderstood };
        return Assessment::untold(untold, "the output has none of lmstat's lines", false);
    }
    if server.lmgrd == Daemon::Unknown && !is_cut {
        server.lmgrd = exit_error.map_or(Daemon::Unknown, |error| Daemon::Down { error: Some(error) });
    }
    if let Daemon::Down { error: Some(error) } = server.lmgrd
        && OF_LMSTAT.contains(&error)
    {
        return Assessment::untold(Untold::LmstatFailed, format!("error {error}"), true);
    }
    add_missing(&mut server, vendors, reach > Reach::Vendors && !is_cut);
    let untold = if is_cut {
        Some((Untold::OutputCut, "the output was cut off".to_owned()))
    } else if let Some(error) = stopped_by {
        Some((Untold::LmstatFailed, format!("error {error}")))
    } else if has_unknown(&server) {
        Some((Untold::NotUnderstood, "a part of the output was not understood".to_owned()))
    } else {
        None
    };
    let result = result(&server, untold.is_some());
    let may_pass = result != CheckedLicense::Served && !is_cut;
    let (untold, error) = untold.unzip();
    Assessment { result, server, untold, error, may_pass }
}

/// Adds the vendor daemons of the license that lmstat does not list. If the list is complete, lmgrd has not started
/// them.
fn add_missing(server: &mut LicenseServer, vendors: &[String], is_complete: bool) {
    for name in vendors {
        let is_listed = server.vendors.iter().any(|vendor| vendor.name.eq_ignore_ascii_case(name));
        if !is_listed {
            let daemon = if is_complete { Daemon::Down { error: None } } else { Daemon::Unknown };
            server.vendors.push(VendorDaemon { name: name.clone(), daemon });
        }
    }
}

/// Whether something is unknown that a running lmgrd should have told.
fn has_unknown(server: &LicenseServer) -> bool {
    match server.lmgrd {
        Daemon::Up { .. } => {
            let is_unknown = |usage: Usage| matches!(usage, Usage::Unknown | Usage::Counted { used: None, .. });
            server.vendors.iter().any(|vendor| vendor.daemon == Daemon::Unknown)
                || server.features.iter().any(|feature| is_unknown(feature.usage))
        }
        Daemon::Unknown => true,
        Daemon::Down { .. } => false,
    }
}

fn result(server: &LicenseServer, is_partial: bool) -> CheckedLicense {
    let serves = server.served().next().is_some();
    if server.lmgrd.is_down() || server.vendors.iter().any(|vendor| vendor.daemon.is_down()) {
        CheckedLicense::NotServed
    } else if !server.lmgrd.is_up() || server.vendors.iter().any(|vendor| !vendor.daemon.is_up()) {
        CheckedLicense::Unknown
    } else if serves {
        CheckedLicense::Served
    } else if is_partial {
        CheckedLicense::Unknown
    } else {
        CheckedLicense::NotServed
    }
}
