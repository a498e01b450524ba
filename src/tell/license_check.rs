//! The words of the license check. Pure.

use crate::model::finding::{Finding, FindingCode, Severity};
use crate::model::ids::InstanceId;
use crate::model::license_check::{CheckedLicense, Daemon, Feature, LicenseCheck, LicenseServer, Untold, Usage};
use crate::tell::findings::Advisor;

/// The result in one line, such as `serves: MOSEKLM up, 3 features`.
pub fn in_words(check: &LicenseCheck) -> String {
    let server = &check.server;
    match check.result {
        CheckedLicense::Served => {
            let vendors: Vec<String> = server.vendors.iter().map(|vendor| format!("{} up", vendor.name)).collect();
            format!("serves: {}, {}", vendors.join(", "), features(server.served().count(), check.untold))
        }
        CheckedLicense::NotServed => format!("does not serve: {}", faults(server).join("; ")),
        CheckedLicense::Unknown => {
            let why = check.untold.map_or_else(String::new, |untold| format!(": {}", short(untold)));
            format!("not known{why}")
        }
    }
}

/// `3 features`; at least so many if the output ends early.
fn features(count: usize, untold: Option<Untold>) -> String {
    let noun = if count == 1 { "feature" } else { "features" };
    let at_least = if untold == Some(Untold::OutputCut) { "at least " } else { "" };
    format!("{at_least}{count} {noun}")
}

/// What keeps the license server from serving, the first cause first.
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

/// Whether the vendor daemon is down, or runs and rejects the machine.
fn verb(error: Option<i32>) -> &'static str {
    if is_about_hostid(error) { "rejects the hostid" } else { "is down" }
}

/// Source: Revenera, License Administration Guide, "Error Code Descriptions": -9 and -92 concern the hostid.
fn is_about_hostid(error: Option<i32>) -> bool {
    matches!(error, Some(-9 | -92))
}

/// `: lmgrd does not accept connections (-15)`, or nothing.
fn because(error: Option<i32>) -> String {
    match error {
        None => String::new(),
        Some(number) => match meaning(number) {
            Some(meaning) => format!(": {meaning} ({number})"),
            None => format!(" (FlexNet error {number})"),
        },
    }
}

/// FlexNet's errors that a token server can have, in words.
/// Source for the meanings: Revenera, License Administration Guide, "Error Code Descriptions".
fn meaning(error: i32) -> Option<&'static str> {
    Some(match error {
        -1 => "there is no license file",
        -2 => "a line of the license file is not valid",
        -5 => "the license has no such feature",
        -7 => "the daemon does not accept connections",
        -8 => "a signature does not fit its line, so the license file was changed",
        -9 => "the hostid of this machine is not the one in the license",
        -10 => "the license has expired",
        -11 => "a date in the license file is not valid",
        -12 => "the answer is not valid",
        -13 => "the license file has no SERVER line",
        -14 => "the host name on the SERVER line does not resolve on this machine",
        -15 => "lmgrd does not accept connections",
        -16 => "the connection broke while lmstat waited for an answer",
        -17 => "the connection broke while lmstat asked",
        -18 => "the license server does not serve this feature",
        -25 => "the license server does not serve this version of the feature",
        -30 => "the license file may not be read",
        -31 => "the license is not valid yet",
        -34 => "the clocks of the two machines differ too much",
        -40 => "there is not enough memory",
        -52 => "the vendor daemon did not answer in time",
        -57 => "this machine gave lmstat no socket",
        -62 => "this machine has no TCP/IP",
        -88 => "the clock of this machine was set back",
        -89 => "the license does not allow this platform",
        -92 => "the feature was removed, or the hostid on the SERVER line is not this machine's",
        -95 => "the SERVER line names this_host, and the connection to that failed",
        -96 => "the machine does not answer, or the host name on the SERVER line leads elsewhere",
        -97 => "the vendor daemon does not run",
        -106 => "the vendor daemon has no free connection",
        _ => return None,
    })
}

fn short(untold: Untold) -> &'static str {
    match untold {
        Untold::NotSent => "the command could not be sent",
        Untold::Denied => "the role does not allow it",
        Untold::Unreachable => "Systems Manager does not answer",
        Untold::AgentUnreachable => "the Systems Manager agent does not answer",
        Untold::NoResult => "no result in time",
        Untold::NotRun => "the command did not run to its end",
        Untold::NotInstalled => "lmutil is missing",
        Untold::NotExecutable => "lmutil may not be run",
        Untold::LmstatFailed => "lmstat failed",
        Untold::OutputCut => "the output was cut off",
        Untold::NotUnderstood => "the output was not understood",
    }
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
            for vendor in &check.server.vendors {
                if let Daemon::Down { error } = vendor.daemon {
                    findings.push(self.vendor_daemon_down(instance, &vendor.name, error));
                }
            }
            if findings.is_empty() && check.result == CheckedLicense::NotServed {
                findings.push(self.no_feature_served(instance));
            }
            findings.extend(self.features_not_served(instance, &check.server));
        }
        findings.extend(check.untold.map(|untold| {
            let code = match untold {
                Untold::Denied => FindingCode::PermissionDenied,
                _ if is_audit && untold.passes() => FindingCode::NotAudited,
                _ => FindingCode::LicenseNotChecked,
            };
            self.license_not_checked(check, untold, code).as_severe_as(Severity::Warning)
        }));
        findings
    }

    fn license_server_down(&self, instance: &InstanceId, error: Option<i32>) -> Finding {
        Finding::new(
            FindingCode::LicenseServerDown,
            instance,
            format!("lmgrd on {instance} does not answer lmstat, so no licenses are served{}.", because(error)),
            format!(
                "On {instance}, check that lmgrd runs, read its log, and restart it. The usual causes are a license file that \
                 lmgrd cannot read, a host name on the SERVER line that does not resolve there, and a port that another \
                 program has."
            ),
        )
    }

    fn vendor_daemon_down(&self, instance: &InstanceId, vendor: &str, error: Option<i32>) -> Finding {
        let remedy = if is_about_hostid(error) {
            format!(
                "On {instance}, compare `lmutil lmhostid` with the hostid in the license file. If the interface's MAC address is \
                 missing, the operating system has not set up the interface. If another hostid is in the file, ask {} for a \
                 license for this interface.",
                self.license_contact()
            )
        } else {
            format!(
                "On {instance}, read the lines of {vendor} in the log of lmgrd: they say why it ended. The usual causes are \
                 another hostid, an expired license, a port that another program has, and a lock file of a daemon that another \
                 user started. Then restart lmgrd."
            )
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

    /// The features with an error, as one finding.
    fn features_not_served(&self, instance: &InstanceId, server: &LicenseServer) -> Option<Finding> {
        let failed = server.features.iter().filter_map(|feature| match feature.usage {
            Usage::NotServed { error } => Some(format!("{}{}", feature.name, because(error))),
            Usage::Counted { .. } | Usage::Uncounted | Usage::Unknown => None,
        });
        let failed: Vec<String> = failed.collect();
        let (count, some) = (failed.len(), failed.iter().take(MAX_FEATURES).cloned().collect::<Vec<_>>().join("; "));
        let more = if count > MAX_FEATURES { format!("; and {} more", count - MAX_FEATURES) } else { String::new() };
        (count > 0).then(|| {
            Finding::new(
                FindingCode::FeatureNotServed,
                instance,
                format!("The license server on {instance} does not serve {count} of its features: {some}{more}."),
                "Read the log of lmgrd for these features. A feature can have expired, or its line can belong to a newer version \
                 of the vendor daemon."
                    .to_owned(),
            )
        })
    }

    fn license_not_checked(&self, check: &LicenseCheck, untold: Untold, code: FindingCode) -> Finding {
        let LicenseCheck { document, instance_id: instance, command_id, error, .. } = check;
        let why = error.as_ref().map_or_else(String::new, |error| format!(" ({error})"));
        let what = match check.result {
            CheckedLicense::Unknown => format!("whether licenses are served on {instance}"),
            CheckedLicense::Served | CheckedLicense::NotServed => {
                format!("everything about the license server on {instance}")
            }
        };
        let output = command_id.as_ref().map(|command| {
            self.command_of(
                "ssm",
                &format!(
                    "get-command-invocation --command-id {command} --instance-id {instance} --query \
                     '[StatusDetails,ResponseCode,StandardOutputContent]' --output text"
                ),
            )
        });
        let look = output.map_or_else(String::new, |command| format!("\n{command}"));
        let (problem, remedy) = match untold {
            Untold::NotSent => (
                format!("Systems Manager did not accept the command {document}"),
                "Read the error: it says what must change. If the document does not exist, deploy the stack again, or deploy \
                 with TOKEN_SERVER_LICENSE_CHECK_DOCUMENT empty."
                    .to_owned(),
            ),
            Untold::Denied => (
                "the function's role does not allow the command".to_owned(),
                "Deploy the current template again: its role allows the call. If the call is still denied, look for a service \
                 control policy or a permissions boundary that denies it."
                    .to_owned(),
            ),
            Untold::Unreachable => {
                ("Systems Manager does not answer".to_owned(), "No action needed unless it recurs.".to_owned())
            }
            Untold::AgentUnreachable => (
                "the Systems Manager agent there does not answer".to_owned(),
                format!(
                    "Check that the agent runs, and that the instance reaches Systems Manager:\n{}",
                    self.agent_status(instance)
                ),
            ),
            Untold::NoResult => (
                "Systems Manager had no result of the command in time".to_owned(),
                format!("The next audit checks again. For the result of this command, run:{look}"),
            ),
            Untold::NotRun => (
                "the command was stopped or canceled before it ended".to_owned(),
                format!("lmstat waits long for a daemon that does not answer. See the command:{look}"),
            ),
            Untold::NotInstalled => (
                "lmutil is not there, or its loader is missing".to_owned(),
                format!(
                    "Install lmutil on every member at the path in the document, or deploy with another LicenseCheckLmutil. If the \
                     file exists, its loader is missing, such as /lib64/ld-lsb-x86-64.so.3. See the output:{look}"
                ),
            ),
            Untold::NotExecutable => (
                "the user nobody may not run lmutil".to_owned(),
                "Let every user read and run lmutil (chmod 755), and enter its folder.".to_owned(),
            ),
            Untold::LmstatFailed => {
                ("lmstat failed".to_owned(), format!("See the output, and run the same command there yourself:{look}"))
            }
            Untold::OutputCut => (
                "Systems Manager keeps only the first 24,000 characters of the output".to_owned(),
                "Nothing is wrong with the license server because of this. What comes later in the output was not read: \
                 features, or their counts."
                    .to_owned(),
            ),
            Untold::NotUnderstood => {
                ("the output has another form than lmstat's".to_owned(), format!("See the output:{look}"))
            }
        };
        Finding::new(code, instance, format!("The function could not tell {what}: {problem}{why}."), remedy)
    }
}

/// The maximum number of features in one finding.
const MAX_FEATURES: usize = 10;
