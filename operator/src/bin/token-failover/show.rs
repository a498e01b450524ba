//! Reports for people, on standard output.

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use token_failover::model::check::CheckResult;
use token_failover::model::finding::{Finding, Severity};
use token_failover::model::license_check::{CheckedLicense, LicenseCheck};
use token_failover::model::report::{ActivationRecord, ActivationResult, Expectation, Report};
use token_failover::tell::license_check::{in_words, usage};
use token_failover::tell::notification;

use crate::ended::Trouble;

/// The style of a problem.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
const GOOD: Style = AnsiColor::Green.on_default();

const LISTENING: &str = "ports answer";

/// Prints a value as JSON.
pub(crate) fn document(value: &impl Serialize) -> Result<(), Trouble> {
    let text = serde_json::to_string_pretty(value);
    let text = text.map_err(|error| Trouble::new(format!("the result could not be written as JSON: {error}"), ""))?;
    anstream::println!("{text}");
    Ok(())
}

/// Prints a report: first the summary, then the details.
pub(crate) fn report(report: &Report) {
    let server = &report.token_server;
    anstream::println!("{}\n", report.summary);
    let unknown = || "unknown".to_owned();
    let (works, style) = match report.expected_to_work {
        Expectation::Yes => ("yes", GOOD),
        Expectation::No => ("NO", BAD),
        Expectation::Unknown => ("unknown", DOUBTFUL),
    };
    let holder = server.holder.as_ref().map_or_else(
        || "nothing".to_owned(),
        |holder| match &holder.state {
            Some(state) => format!("{} ({state})", holder.instance_id),
            None => holder.instance_id.to_string(),
        },
    );
    let hostid = server.hostid.clone().unwrap_or_else(unknown);
    let mac = server.mac_address.map_or_else(unknown, |mac| mac.to_string());
    let private = server.private_ip_address.map_or_else(unknown, |ip| ip.to_string());
    let public = server.public_ip_address.map_or_else(|| "none".to_owned(), |ip| ip.to_string());
    anstream::println!("outcome    {} ({})", report.outcome, report.reason);
    anstream::println!("works now  {style}{works}{style:#}");
    if let Some(pause) = &report.pause {
        anstream::println!("{DOUBTFUL}paused     until {}{DOUBTFUL:#}", pause.in_words());
    }
    anstream::println!("interface  {} on {holder}", server.network_interface_id);
    anstream::println!("MAC        {mac}, hostid {hostid}");
    anstream::println!("address    {private}, public {public}");
    checks(report);
    if let Some(record) = &report.activation {
        activation(record);
    }
    if let Some(check) = &report.license_check {
        license_check(check);
    }
    findings(&report.findings);
}

fn license_check(check: &LicenseCheck) {
    let style = match check.result {
        CheckedLicense::Served => GOOD,
        CheckedLicense::NotServed => BAD,
        CheckedLicense::Unknown => DOUBTFUL,
    };
    anstream::println!("licenses   {style}{}{style:#} on {}", in_words(check), check.instance_id);
    if let Some(usage) = usage(&check.server, usize::MAX) {
        anstream::println!("in use     {usage}");
    }
}

fn checks(report: &Report) {
    let checks = report.checks;
    let checks = [
        ("hostid", checks.hostid),
        ("Elastic IP", checks.elastic_ip),
        ("security group", checks.security_group),
        ("kept on termination", checks.delete_on_termination),
        (LISTENING, checks.listening),
    ];
    for (name, result) in checks {
        let (word, style) = match result {
            CheckResult::Ok => ("ok", GOOD),
            CheckResult::Repaired => ("repaired", GOOD),
            CheckResult::Failed => ("FAILED", BAD),
            CheckResult::NotConfigured => ("not configured", Style::new()),
            CheckResult::NotChecked => ("not checked", Style::new()),
        };
        let details = if name == LISTENING { notification::ports(&report.probes) } else { String::new() };
        anstream::println!("check      {name:<20} {style}{word}{style:#}{details}");
    }
}

fn activation(record: &ActivationRecord) {
    let (word, style) = match record.result {
        ActivationResult::Done => ("activated", GOOD),
        ActivationResult::Failed => ("NOT ACTIVATED", BAD),
        ActivationResult::Unfinished => ("not activated yet", DOUBTFUL),
    };
    anstream::println!("server     {style}{word}{style:#} on {} by {}", record.instance_id, record.document);
}

/// The style of a severity.
pub(crate) fn style(severity: Severity) -> Style {
    match severity {
        Severity::Critical => BAD,
        Severity::Warning => DOUBTFUL,
        Severity::Info => Style::new(),
    }
}

/// Prints findings, each with its remedy.
pub(crate) fn findings(findings: &[Finding]) {
    if findings.is_empty() {
        anstream::println!("findings   none");
        return;
    }
    anstream::println!("\nFindings");
    for finding in findings {
        let style = style(finding.severity);
        anstream::println!(
            "{style}{:<8}{style:#}  {} [{}]",
            finding.severity.to_string(),
            finding.message,
            finding.code
        );
        for line in finding.remedy.lines() {
            anstream::println!("          {line}");
        }
    }
}
