//! The words of the license check. Pure.

use crate::model::finding::{Finding, FindingCode, Severity};
use crate::model::flexnet::{FlexNetError, Proof};
use crate::model::ids::InstanceId;
use crate::model::license_check::{
    CheckedLicense, Daemon, Feature, LicenseCheck, LicenseServer, Usage, VendorDaemon, WhyUnknown,
};
use crate::tell::findings::Advisor;
use crate::tell::flexnet::in_words as error_in_words;

/// The result in one line, such as `serves: MOSEKLM up, 2 features`.
pub fn in_words(check: &LicenseCheck) -> String {
    match check.result {
        CheckedLicense::Served => format!("serves: {}, {}", vendors_up(&check.server, " up"), features(check)),
        CheckedLicense::NotServed => format!("DOES NOT SERVE: {}", faults(&check.server).join("; ")),
        CheckedLicense::Unknown => format!("unknown{}", check.unknown_because.map(in_parentheses).unwrap_or_default()),
    }
}

/// What is served, as a sentence: `MOSEKLM is up and serves 2 features.`; `None`: that is not known, or nothing is.
pub(crate) fn served(check: &LicenseCheck) -> Option<String> {
    let up = || check.server.vendors.iter().filter(|vendor| vendor.daemon.is_up()).count();
    let (verb, serves) = if up() == 1 { ("is", "serves") } else { ("are", "serve") };
    let is_served = check.result == CheckedLicense::Served;
    is_served.then(|| format!("{} {verb} up and {serves} {}.", vendors_up(&check.server, ""), features(check)))
}

/// The names of the vendor daemons that run, each with this word.
fn vendors_up(server: &LicenseServer, word: &str) -> String {
    let up = server.vendors.iter().filter(|vendor| vendor.daemon.is_up());
    up.map(|vendor| format!("{}{word}", vendor.name)).collect::<Vec<_>>().join(", ")
}

/// `2 features`; `1 of 2 features` if the rest is not served; at least so many if the output ends early.
fn features(check: &LicenseCheck) -> String {
    let (served, all) = (check.server.served().count(), check.server.features.len());
    let noun = if all == 1 { "feature" } else { "features" };
    match check.unknown_because {
        Some(WhyUnknown::OutputCut) => format!("at least {served} {noun}"),
        _ if served < all => format!("{served} of {all} {noun}"),
        _ => format!("{served} {noun}"),
    }
}

/// What keeps the license server from serving.
fn faults(server: &LicenseServer) -> Vec<String> {
    if let Daemon::Down { error } = server.lmgrd {
        return vec![format!("lmgrd is down{}", because(error))];
    }
    let down = server.vendors.iter().filter_map(|vendor| match vendor.daemon {
        Daemon::Down { error } => Some(format!("{} {}{}", vendor.name, verb(error), because(error))),
        Daemon::Up { .. } | Daemon::Unknown => None,
    });
    let down: Vec<String> = down.collect();
    if down.is_empty() { vec!["the daemons run, but no feature is served".to_owned()] } else { down }
}

/// Whether the vendor daemon is down, or rejects the machine or the license.
fn verb(error: Option<FlexNetError>) -> &'static str {
    match error.map(FlexNetError::proves) {
        Some(Proof::RejectsHostid) => "rejects the hostid",
        Some(Proof::RejectsLicense) => "rejects the license",
        Some(Proof::NotRunning | Proof::Nothing) | None => "is down",
    }
}

/// ` (it does not run, FlexNet error -97)`, or nothing.
fn because(error: Option<FlexNetError>) -> String {
    error.map_or_else(String::new, |error| format!(" ({})", error_in_words(error)))
}

fn in_parentheses(because: WhyUnknown) -> String {
    let why = match because {
        WhyUnknown::NotSent => "the command could not be sent",
        WhyUnknown::Denied => "the role does not allow it",
        WhyUnknown::Unreachable => "Systems Manager does not answer",
        WhyUnknown::AgentUnreachable => "the Systems Manager agent does not answer",
        WhyUnknown::NoResult => "the command has no result",
        WhyUnknown::NotRun => "the command did not run to its end",
        WhyUnknown::NotInstalled => "lmutil is missing",
        WhyUnknown::NotExecutable => "lmutil may not be run",
        WhyUnknown::LmstatFailed => "lmstat could not ask",
        WhyUnknown::VendorNotListed => "a vendor daemon is not listed",
        WhyUnknown::OutputCut => "the output was cut off",
        WhyUnknown::NotUnderstood => "the output was not understood",
    };
    format!(" ({why})")
}

/// The use of each feature in one line, such as `PTS 3 of 10, PTON 0 of 10`, with at most this many features.
pub fn usage(server: &LicenseServer, most: usize) -> Option<String> {
    let counted: Vec<String> = server.features.iter().filter_map(of_feature).collect();
    let more = counted.len().saturating_sub(most);
    let listed = counted.into_iter().take(most).collect::<Vec<_>>().join(", ");
    match more {
        _ if listed.is_empty() => None,
        0 => Some(listed),
        _ => Some(format!("{listed}, and {more} more")),
    }
}

fn of_feature(feature: &Feature) -> Option<String> {
    match feature.usage {
        Usage::Counted { issued, used: Some(used) } => Some(format!("{} {used} of {issued}", feature.name)),
        Usage::Counted { issued, used: None } => Some(format!("{} unknown of {issued}", feature.name)),
        Usage::Uncounted | Usage::NotServed { .. } | Usage::Unknown => None,
    }
}

impl Advisor<'_> {
    /// The findings of a license check; none if everything is served. In an audit, what passes by itself is no news.
    pub fn license_check(&self, check: &LicenseCheck, is_audit: bool) -> Vec<Finding> {
        let instance = &check.instance_id;
        let mut findings = Vec::new();
        if let Daemon::Down { error } = check.server.lmgrd {
            findings.push(self.license_server_down(instance, error));
        } else {
            let down = |vendor: &VendorDaemon| match vendor.daemon {
                Daemon::Down { error } => Some(self.vendor_daemon_down(instance, &vendor.name, error)),
                Daemon::Up { .. } | Daemon::Unknown => None,
            };
            findings.extend(check.server.vendors.iter().filter_map(down));
            if findings.is_empty() && check.result == CheckedLicense::NotServed {
                findings.push(self.no_feature_served(instance));
            }
            findings.extend(features_not_served(instance, &check.server));
        }
        findings.extend(check.unknown_because.map(|because| {
            let code = match because {
                WhyUnknown::Denied => FindingCode::PermissionDenied,
                _ if is_audit && because.passes() => FindingCode::NotAudited,
                _ => FindingCode::LicenseNotChecked,
            };
            self.license_not_checked(check, because, code).as_severe_as(Severity::Warning)
        }));
        findings
    }

    fn license_server_down(&self, instance: &InstanceId, error: Option<FlexNetError>) -> Finding {
        let port = self.lmgrd_port();
        Finding::new(
            FindingCode::LicenseServerDown,
            instance,
            format!("lmgrd does not answer on {instance} at TCP {port}, so no licenses are served{}.", because(error)),
            format!(
                "On {instance}, check that lmgrd runs, read its log, and restart it. The usual causes are a license file that \
                 lmgrd cannot read, a host name on the SERVER line that does not resolve there, and a port that another \
                 program has. If lmgrd listens at another port than {port}, put its port first in TOKEN_SERVER_PORTS."
            ),
        )
    }

    fn vendor_daemon_down(&self, instance: &InstanceId, vendor: &str, error: Option<FlexNetError>) -> Finding {
        let remedy = match error.map(FlexNetError::proves) {
            Some(Proof::RejectsHostid) => format!(
                "On {instance}, compare `lmutil lmhostid` with the hostid in the license file. If the interface's MAC address is \
                 missing, the operating system has not set up the interface. If another hostid is in the file, ask {} for a \
                 license for this interface.",
                self.license_contact()
            ),
            Some(Proof::RejectsLicense) => format!(
                "On {instance}, read the lines of {vendor} in the log of lmgrd, and check the license file with \
                 `token-failover license FILE`. If the license has expired, ask {} for a new one.",
                self.license_contact()
            ),
            Some(Proof::NotRunning | Proof::Nothing) | None => format!(
                "On {instance}, read the lines of {vendor} in the log of lmgrd: they say why it ended. The usual causes are \
                 another hostid, an expired license, a port that another program has, and a lock file of a daemon that another \
                 user started. Then restart lmgrd."
            ),
        };
        Finding::new(
            FindingCode::VendorDaemonDown,
            vendor,
            format!(
                "lmgrd runs on {instance}, but {vendor} {}, so its licenses are not served{}.",
                verb(error),
                because(error)
            ),
            remedy,
        )
    }

    fn no_feature_served(&self, instance: &InstanceId) -> Finding {
        Finding::new(
            FindingCode::NoFeatureServed,
            instance,
            format!("lmgrd and its vendor daemons run on {instance}, but lmstat lists no feature that they serve."),
            format!(
                "On {instance}, read the log of lmgrd: it names each feature that a vendor daemon has rejected. Check the \
                 license file with `token-failover license FILE`. If all its features have expired, ask {} for a new one.",
                self.license_contact()
            ),
        )
    }

    fn license_not_checked(&self, check: &LicenseCheck, because: WhyUnknown, code: FindingCode) -> Finding {
        let LicenseCheck { document, instance_id: instance, command_id, error, .. } = check;
        let detail = match (check.lmstat_error, error) {
            (Some(number), _) => format!(" ({})", error_in_words(number)),
            (None, Some(error)) => format!(" ({error})"),
            (None, None) => String::new(),
        };
        let what = match check.result {
            CheckedLicense::Unknown => format!("whether licenses are served on {instance}"),
            CheckedLicense::Served | CheckedLicense::NotServed => {
                format!("everything about the license server on {instance}")
            }
        };
        // A remedy that ends with the command to look at the result, if there is one.
        let see = |text: &str| match command_id {
            Some(command) => format!("{text} To see the result:\n{}", self.result_of_command(command, instance)),
            None => text.to_owned(),
        };
        let (problem, remedy) = match because {
            WhyUnknown::NotSent => (
                format!("Systems Manager did not accept the command {document}"),
                "Read the error: it says what must change. If the document does not exist, deploy the stack again, or deploy \
                 with TOKEN_SERVER_LICENSE_CHECK_DOCUMENT empty."
                    .to_owned(),
            ),
            WhyUnknown::Denied => (
                "the function's role does not allow the command".to_owned(),
                "Deploy the current template again: its role allows the call. If the call is still denied, look for a service \
                 control policy or a permissions boundary that denies it."
                    .to_owned(),
            ),
            WhyUnknown::Unreachable => {
                ("Systems Manager does not answer".to_owned(), "No action needed unless it recurs.".to_owned())
            }
            WhyUnknown::AgentUnreachable => (
                "the Systems Manager agent there does not answer".to_owned(),
                format!(
                    "Check that the agent runs, and that the instance reaches Systems Manager:\n{}",
                    self.agent_status(instance)
                ),
            ),
            WhyUnknown::NoResult => (
                format!("the command had no result after {} s", check.duration_ms / 1000),
                see("The next audit checks again. If this recurs, restart the Systems Manager agent on the instance."),
            ),
            WhyUnknown::NotRun => (
                "the command did not run to its end".to_owned(),
                see("If it ran for 30 seconds, a daemon hangs: restart lmgrd if clients get no licenses."),
            ),
            WhyUnknown::NotInstalled => (
                "lmutil is not there, or its loader is missing".to_owned(),
                see("Install lmutil on every member at the path in the document, or deploy with another LicenseCheckLmutil. If \
                     the file exists, its loader may be missing, such as /lib64/ld-lsb-x86-64.so.3."),
            ),
            WhyUnknown::NotExecutable => (
                "the user nobody may not run lmutil".to_owned(),
                "Let every user read and run lmutil (chmod 755), and enter its folder.".to_owned(),
            ),
            WhyUnknown::LmstatFailed => (
                "lmstat could not ask it".to_owned(),
                see("Clients may still get licenses. Try a client, and run lmutil lmstat on the instance yourself."),
            ),
            WhyUnknown::VendorNotListed => (
                format!("lmstat does not list {}", not_listed(&check.server)),
                "Set TOKEN_SERVER_VENDORS to the vendor daemons of the license file. If the setting is right, lmgrd has read \
                 another license file."
                    .to_owned(),
            ),
            WhyUnknown::OutputCut => (
                "Systems Manager keeps only the first 24,000 characters of the output".to_owned(),
                "You need to do nothing. The features that come later in the output were not read.".to_owned(),
            ),
            WhyUnknown::NotUnderstood => (
                "the output has another form than lmstat's".to_owned(),
                see("If the output has no line \"Flexible License Manager status\", the file is not FlexNet's lmutil."),
            ),
        };
        Finding::new(code, instance, format!("The function could not tell {what}: {problem}{detail}."), remedy)
    }
}

/// The vendor daemons of the license that lmstat does not list.
fn not_listed(server: &LicenseServer) -> String {
    let missing = server.vendors.iter().filter(|vendor| vendor.daemon == Daemon::Unknown);
    missing.map(|vendor| vendor.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// One finding for each feature that is rejected, so that a second one is news.
fn features_not_served(instance: &InstanceId, server: &LicenseServer) -> Vec<Finding> {
    let rejected = server.features.iter().filter_map(|feature| match feature.usage {
        Usage::NotServed { error } => Some((&feature.name, error)),
        Usage::Counted { .. } | Usage::Uncounted | Usage::Unknown => None,
    });
    let findings = rejected.take(MAX_FEATURES).map(|(name, error)| {
        Finding::new(
            FindingCode::FeatureNotServed,
            name,
            format!("The license server on {instance} does not serve the feature {name}{}.", because(error)),
            "Read the log of lmgrd for this feature. It can have expired, or its line can belong to a newer version of the \
             vendor daemon."
                .to_owned(),
        )
    });
    findings.collect()
}

/// The maximum number of findings about features.
const MAX_FEATURES: usize = 10;
