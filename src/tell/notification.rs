//! The notification: the mail that an operator reads at night, and the JSON that a program reads.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::model::check::CheckResult;
use crate::model::config::Config;
use crate::model::finding::{Finding, FindingCode, Severity};
use crate::model::license_check::CheckedLicense;
use crate::model::notification::{Fifo, Hostid, Notification};
use crate::model::reason::Reason;
use crate::model::report::{ActivationRecord, ActivationResult, Expectation, Outcome, Probe, Report};
use crate::model::request::Trigger;
use crate::tell::findings::{Advisor, HOW_TO_END_IT, aws};
use crate::tell::license_check::{in_words, served, usage};

impl Notification {
    /// The notification of a report. `run` names the run that publishes it, and is the same for every try of that run.
    pub fn new(config: &Config, report: &Report, run: &str, told: Hostid) -> Self {
        let subject = subject(report);
        let severity = report.severity().map_or_else(|| "none".to_owned(), |severity| severity.to_string());
        let hostid = hostid(report);
        let mut attributes = BTreeMap::from([
            ("outcome", report.outcome.to_string()),
            ("severity", severity),
            ("tokenServer", config.name.clone()),
            ("hostid", hostid),
        ]);
        if told == Hostid::New {
            attributes.insert("newHostid", "true".to_owned());
        }
        let fifo = config.topic.is_fifo().then(|| Fifo {
            group_id: config.interface_id.to_string(),
            deduplication_id: deduplication_id(&format!("{run}-{}-{}", report.outcome, report.reason)),
        });
        // SNS counts the name, the type and the value of each attribute.
        let counted = attributes.iter().map(|(name, value)| name.len() + "String".len() + value.len());
        let message = fitting(Advisor::new(config), report, &subject, LARGEST - counted.sum::<usize>());
        Self { subject, message, attributes, fifo }
    }
}

/// The maximum size of a message in bytes, with its attributes and the messages for all protocols. Source: SNS API
/// Reference, *Publish*: "the maximum is 262,144 bytes".
const LARGEST: usize = 256 * 1024;

/// The maximum number of bytes of one string in a report that is too large.
const LONGEST_TEXT: usize = 1000;

/// The maximum number of features in a report that is too large.
const MOST_FEATURES: usize = 50;

/// In a report that is too large, at most this many steps take precedence over findings.
const FIRST_STEPS: usize = 100;

/// The message for each protocol.
fn message(report: &Report, subject: &str) -> String {
    let text = text(report);
    let document = json!(report).to_string();
    let message = json!({
        "default": text,
        "email": text,
        "sms": subject,
        "sqs": document,
        "lambda": document,
        "http": document,
        "https": document,
    });
    message.to_string()
}

/// The message with as much of the report as there is room for: the worst findings and the last steps. It says how many
/// it leaves out.
fn fitting(advisor: Advisor<'_>, report: &Report, subject: &str, room: usize) -> String {
    let whole = message(report, subject);
    if whole.len() <= room {
        return whole;
    }
    let clipped = clipped(report);
    let of = |findings: usize, steps: usize| message(&shortened(advisor, &clipped, findings, steps), subject);
    let fits = |findings: usize, steps: usize| of(findings, steps).len() <= room;
    let steps = largest(clipped.steps.len().min(FIRST_STEPS), |steps| fits(0, steps));
    let findings = largest(clipped.findings.len(), |findings| fits(findings, steps));
    let steps = largest(clipped.steps.len(), |steps| fits(findings, steps)).max(steps);
    of(findings, steps)
}

/// The largest number up to `of` that fits; 0 if no number fits.
fn largest(of: usize, fits: impl Fn(usize) -> bool) -> usize {
    let (mut least, mut most) = (0, of);
    while least < most {
        let middle = (least + most).div_ceil(2);
        if fits(middle) {
            least = middle;
        } else {
            most = middle - 1;
        }
    }
    least
}

/// The report with its worst findings first and with every overlong string cut.
fn clipped(report: &Report) -> Report {
    let clip = |text: &mut String| {
        if text.len() > LONGEST_TEXT {
            text.truncate(text.floor_char_boundary(LONGEST_TEXT));
            text.push('…');
        }
    };
    let mut report = report.clone();
    report.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    for finding in &mut report.findings {
        [&mut finding.message, &mut finding.remedy].into_iter().chain(finding.resource.as_mut()).for_each(clip);
    }
    for step in &mut report.steps {
        std::iter::once(&mut step.resource).chain(step.error.as_mut()).for_each(clip);
    }
    let Trigger { id, instance_id, state, reason, .. } = &mut report.trigger;
    [id, instance_id, state, reason].into_iter().flatten().for_each(clip);
    report.activation.iter_mut().flat_map(|activation| activation.error.as_mut()).for_each(clip);
    if let Some(check) = &mut report.license_check {
        check.server.features.truncate(MOST_FEATURES);
        check.error.iter_mut().for_each(clip);
    }
    clip(&mut report.summary);
    report
}

/// The report with this many of its first findings and of its last steps.
fn shortened(advisor: Advisor<'_>, report: &Report, findings: usize, steps: usize) -> Report {
    let (kept, left_out) = report.findings.split_at(findings);
    let earlier = report.steps.len() - steps;
    let mut findings = kept.to_vec();
    findings.extend(advisor.findings_left_out(left_out));
    findings.extend(advisor.steps_left_out(earlier));
    let steps = report.steps[earlier..].to_vec();
    Report { findings, steps, ..report.clone() }
}

/// An id of at most 128 letters, digits and punctuation marks. An id that is too long gets a digest to stay unique.
/// Source: SNS API Reference, *Publish*, `MessageDeduplicationId`.
fn deduplication_id(name: &str) -> String {
    if name.len() <= 128 {
        return ascii(name, '-', 128).replace(' ', "-");
    }
    Sha256::digest(name).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Outcome, name and hostid in one line. A phone may show nothing else, so the line also says if the server does not
/// work in spite of the function's work.
fn subject(report: &Report) -> String {
    let server = &report.token_server;
    let outcome = headline(report);
    let rest = format!(" (hostid {})", hostid(report));
    let room = 99 - outcome.len() - 2 - rest.len();
    ascii(&format!("{outcome}: {}{rest}", ascii(&server.name, '?', room)), '?', 99)
}

/// The outcome in capitals.
fn headline(report: &Report) -> String {
    let outcome = match (report.outcome, report.expected_to_work) {
        (Outcome::Moved | Outcome::Started | Outcome::Repaired | Outcome::Resolved, Expectation::No) => {
            format!("{} BUT NOT WORKING", report.outcome)
        }
        (Outcome::Audited, _) if report.severity() == Some(Severity::Critical) => {
            format!("{} BUT NOT READY", report.outcome)
        }
        _ => report.outcome.to_string(),
    };
    outcome.to_uppercase()
}

/// The interface's hostid or, if the interface could not be read, the hostid that the license names.
fn hostid(report: &Report) -> String {
    let server = &report.token_server;
    server.hostid.clone().or_else(|| server.licensed_hostid.clone()).unwrap_or_else(|| "unknown".to_owned())
}

/// Makes a string printable ASCII of limited length.
fn ascii(text: &str, instead: char, most: usize) -> String {
    text.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { instead }).take(most).collect()
}

/// The mail for people, in the order in which they need it.
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail, so the results of write! are ignored.
    let _ = write!(text, "{}: {}\n\n{}\n\n", headline(report), report.token_server.name, report.summary);
    let _ = write!(text, "Expected to work now: {}\n\n", expectation(report));
    if let Some(pause) = &report.pause {
        let until = pause.in_words();
        let _ = writeln!(text, "PAUSED until {until}. Until then, only an operator's failover changes anything.");
        // The finding of an audit says it already.
        if report.findings.iter().all(|finding| finding.remedy != HOW_TO_END_IT) {
            let _ = writeln!(text, "{HOW_TO_END_IT}");
        }
        text.push('\n');
    }
    write_identity(&mut text, report);
    write_checks(&mut text, report);
    let mut commands = BTreeSet::new();
    write_findings(&mut text, &report.findings, &mut commands);
    write_next_steps(&mut text, report, &commands);
    write_not_checked(&mut text, report);
    text
}

fn expectation(report: &Report) -> String {
    let to = report.movement.as_ref().map(|movement| movement.to.to_string());
    let served = report.license_check.as_ref().and_then(served).filter(|_| report.expected_to_work == Expectation::Yes);
    if let Some(served) = served {
        return format!("yes. {served}");
    }
    match (report.expected_to_work, to) {
        (Expectation::Yes, _) if report.checks.listening == CheckResult::Ok => {
            "yes: the token server answers on its ports.".to_owned()
        }
        (Expectation::Yes, Some(to)) => format!("yes, as soon as lmgrd has started on {to}."),
        (Expectation::Yes, None) => "yes.".to_owned(),
        (Expectation::No, _) if report.severity() == Some(Severity::Critical) => {
            "NO. See the critical findings below.".to_owned()
        }
        (Expectation::No, _) => "NO: the holder is not running, or its status checks fail.".to_owned(),
        (Expectation::Unknown, _) if report.findings.iter().any(|one| one.code == FindingCode::LicenseExpired) => {
            "unknown: at least a part of the license has expired.".to_owned()
        }
        (Expectation::Unknown, _) => "unknown.".to_owned(),
    }
}

fn write_identity(text: &mut String, report: &Report) {
    let server = &report.token_server;
    let unknown = || "unknown".to_owned();
    let _ = writeln!(text, "MAC address: {}", server.mac_address.map_or_else(unknown, |mac| mac.to_string()));
    let _ = writeln!(text, "Hostid: {}", hostid(report));
    if server.mac_address.is_some() && report.checks.hostid != CheckResult::Failed {
        let _ = writeln!(
            text,
            "The MAC address belongs to the interface and does not change when the interface moves: a license for it stays \
             valid. Do not ask for a new license."
        );
        if report.outcome == Outcome::Audited {
            let contact = &server.license_contact;
            let _ = writeln!(text, "If you have no license yet, send the hostid to {contact} and ask for one.");
        }
    }
    let _ = write!(text, "\nInterface: {}\n", server.network_interface_id);
    let private = server.private_ip_address.map_or_else(unknown, |ip| ip.to_string());
    let _ = writeln!(text, "Private address: {private}");
    let public = match (server.public_ip_address, server.mac_address) {
        (Some(ip), _) => ip.to_string(),
        (None, Some(_)) => "none".to_owned(),
        (None, None) => unknown(),
    };
    let _ = writeln!(text, "Public address: {public}");
    match (&server.holder, server.mac_address) {
        (Some(holder), _) => {
            let state = holder.state.as_ref().map_or_else(|| "state unknown".to_owned(), ToString::to_string);
            let _ = writeln!(text, "Attached to: {} ({state})", holder.instance_id);
        }
        (None, Some(_)) => text.push_str("Attached to: NOTHING\n"),
        (None, None) => {}
    }
    if let Some(movement) = &report.movement {
        let from = movement.from.as_ref().map_or_else(|| "attached to nothing".to_owned(), ToString::to_string);
        let _ = write!(text, "From: {from}\nTo: {}\n", movement.to);
    }
}

fn write_checks(text: &mut String, report: &Report) {
    let checks = report.checks;
    let word = |result: CheckResult| match result {
        CheckResult::Ok => "ok",
        CheckResult::Repaired => "repaired",
        CheckResult::Failed => "FAILED",
        CheckResult::NotConfigured => "not configured",
        CheckResult::NotChecked => "not checked",
    };
    let _ = write!(
        text,
        "\nChecks\n- Hostid of the license: {}\n- Elastic IP: {}\n- Security group: {}\n- DeleteOnTermination is off: {}\n- \
         Ports answer: {}{}\n",
        word(checks.hostid),
        word(checks.elastic_ip),
        word(checks.security_group),
        word(checks.delete_on_termination),
        word(checks.listening),
        ports(&report.probes),
    );
    if let Some(activation) = &report.activation {
        let result = match activation.result {
            ActivationResult::Done => "done",
            ActivationResult::Failed => "FAILED",
            ActivationResult::Unfinished => "not finished yet",
        };
        let ActivationRecord { document, instance_id, .. } = activation;
        let _ = writeln!(text, "- Token server activated on {instance_id} by {document}: {result}");
    }
    if let Some(check) = &report.license_check {
        let _ = writeln!(text, "- License server: {}", in_words(check));
        if let Some(usage) = usage(&check.server, FEATURES_IN_MAIL) {
            let _ = writeln!(text, "- Licenses in use: {usage}");
        }
    }
}

/// The maximum number of features whose licenses a mail lists.
const FEATURES_IN_MAIL: usize = 12;

/// Each port with its answer and the time that it took.
pub fn ports(probes: &[Probe]) -> String {
    let one = |probe: &Probe| match &probe.error {
        None => format!("{} in {} ms", probe.port, probe.duration_ms),
        Some(error) => format!("{} {error}", probe.port),
    };
    let ports: Vec<String> = probes.iter().map(one).collect();
    if ports.is_empty() { String::new() } else { format!(" ({})", ports.join(", ")) }
}

fn write_findings<'a>(text: &mut String, findings: &'a [Finding], commands: &mut BTreeSet<&'a str>) {
    if findings.is_empty() {
        text.push_str("\nFindings: none\n");
        return;
    }
    text.push_str("\nFindings\n");
    for finding in findings {
        let severity = match finding.severity {
            Severity::Critical => "CRITICAL",
            Severity::Warning => "Warning",
            Severity::Info => "Info",
        };
        let remedy = once(&finding.remedy, commands);
        // A command gets its own line, so that it can be copied as it is.
        let gap = if is_command(&remedy) { "\n  " } else { " " };
        let remedy = remedy.replace('\n', "\n  ");
        let _ = write!(text, "- {severity}: {} [{}]\n  What to do:{gap}{remedy}\n", finding.message, finding.code);
    }
}

fn is_command(line: &str) -> bool {
    line.starts_with("aws ") || line.starts_with("token-failover ")
}

/// The remedy, with a reference instead of each command that an earlier finding gives. `commands`: the commands so far.
fn once<'a>(remedy: &'a str, commands: &mut BTreeSet<&'a str>) -> String {
    let line = |line: &'a str| {
        if !is_command(line) || commands.insert(line) {
            return line.to_owned();
        }
        let name = line.split(' ').take_while(|word| !word.starts_with('-')).last();
        format!("Run the {} command above.", name.unwrap_or_default())
    };
    remedy.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn write_next_steps(text: &mut String, report: &Report, commands: &BTreeSet<&str>) {
    let server = &report.token_server;
    let region = server.region.as_deref();
    text.push_str("\nWhat to do next\n");
    let mut step = 0;
    let mut say = |text: &mut String, what: &str, command: Option<&str>| {
        if command.is_some_and(|command| commands.contains(command)) {
            return;
        }
        step += 1;
        let _ = writeln!(text, "{step}. {what}");
        text.extend(command.map(|command| format!("   {command}\n")));
    };
    let is_critical = |finding: &Finding| finding.severity == Severity::Critical;
    let is_down = report.expected_to_work == Expectation::No && report.findings.iter().any(is_critical);
    if is_down {
        say(text, "Follow the remedies above.", None);
    }
    let address = server.private_ip_address.zip(server.ports.first());
    let lmstat = address.map(|(ip, port)| format!("lmutil lmstat -a -c {}@{ip}", port.first));
    if let Some(lmstat) = lmstat.as_ref().filter(|_| !is_down) {
        let what = match report.outcome {
            Outcome::Moved | Outcome::Started => "Check that licenses are served (if not, restart lmgrd there):",
            _ => "Check that licenses are served:",
        };
        say(text, what, Some(lmstat));
    }
    // One line each, instead of a page of JSON.
    let describe = format!(
        "describe-network-interfaces --network-interface-ids {} --query \
         'NetworkInterfaces[].[Status,Attachment.InstanceId,Attachment.Status]' --output text",
        server.network_interface_id
    );
    let describe = aws("ec2", &describe, region);
    say(text, "Check where the interface is:", Some(&describe));
    // Its group terminates and replaces a former holder that it was about to terminate.
    let is_replaced = report.reason == Reason::AutoScalingTermination;
    let former = report.movement.as_ref().and_then(|movement| movement.from.as_ref());
    if let Some(from) = former.filter(|_| !is_replaced) {
        let describe = format!(
            "describe-instances --instance-ids {from} --query \
             'Reservations[].Instances[].[State.Name,StateReason.Message,StateTransitionReason]' --output text"
        );
        let describe = aws("ec2", &describe, region);
        let is_gone = [Reason::HolderShuttingDown, Reason::HolderTerminated, Reason::HolderMissing];
        let what_to_do = if is_gone.iter().any(|reason| report.reason == *reason) {
            "Find out what happened to the former holder. Unless an Auto Scaling group replaces it, launch another standby:"
        } else {
            "Find out what happened to the former holder, and make it a standby:"
        };
        say(text, what_to_do, Some(&describe));
    }
    if let Some(lmstat) = lmstat.as_ref().filter(|_| is_down) {
        say(text, "When you have fixed the findings, check that licenses are served:", Some(lmstat));
    }
}

fn write_not_checked(text: &mut String, report: &Report) {
    let checks = report.checks;
    let has_any_client =
        report.findings.iter().any(|finding| finding.code == FindingCode::SecurityGroupSourcesNotChecked);
    let vendors = report.token_server.vendors.join(", ");
    let is_told = report.license_check.as_ref().is_some_and(|check| check.result != CheckedLicense::Unknown);
    let _ = match checks.listening {
        _ if is_told => write!(text, "\nNot checked: whether clients reach the license server by its host name"),
        CheckResult::Ok | CheckResult::Failed => write!(text, "\nNot checked: whether {vendors} serves licenses"),
        _ => write!(
            text,
            "\nNot checked: whether lmgrd and {vendors} run, whether the operating system has configured the interface"
        ),
    };
    if report.outcome != Outcome::Audited {
        text.push_str(", network ACLs, routes");
    }
    let also = [
        (
            checks.hostid == CheckResult::NotConfigured,
            "the hostid in the license file (TOKEN_SERVER_HOSTID is not set)",
        ),
        (checks.hostid == CheckResult::NotChecked, "the hostid"),
        (has_any_client, "who can reach the ports (TOKEN_SERVER_CLIENTS is not set)"),
        (checks.elastic_ip == CheckResult::NotChecked, "the Elastic IP"),
        (checks.security_group == CheckResult::NotChecked, "the security group"),
        (checks.delete_on_termination == CheckResult::NotChecked, "DeleteOnTermination"),
    ];
    for (_, what) in also.iter().filter(|(missing, _)| *missing) {
        let _ = write!(text, ", {what}");
    }
    text.push_str(".\n");
}
