//! The writer of findings, and the findings that are about no subject in particular.

use crate::model::config::Config;
use crate::model::error::{CallError, Meaning};
use crate::model::finding::{Finding, FindingCode, Severity};
use crate::model::ids::{CommandId, InstanceId};

/// What an operator does to end a pause.
pub(crate) const HOW_TO_END_IT: &str =
    "To end the pause:\ntoken-failover resume\nOr invoke the function with {\"action\":\"resume\"}.";

/// The maximum number of findings of one kind. It is enough for a person, and keeps every report within SNS's limit.
pub(super) const MAX_OF_A_KIND: usize = 10;

/// Where an operator finds a report that does not fit into a message.
const WHOLE_REPORT: &str = "The whole report is in the function's log, in the line of type report.";

/// Writes findings for one configuration.
#[derive(Debug, Clone, Copy)]
pub struct Advisor<'a> {
    pub(super) config: &'a Config,
}

/// An AWS CLI command. Without a Region, the reader's settings decide. No other code writes such a command, so that none
/// lacks its Region.
pub(crate) fn aws(service: &str, command: &str, region: Option<&str>) -> String {
    let region = region.map_or_else(String::new, |region| format!(" --region {region}"));
    format!("aws {service} {command}{region}")
}

/// A name as one word of a shell command.
pub(super) fn quoted(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | '@' | '+' | '=');
    if !name.is_empty() && name.chars().all(is_plain) {
        return name.to_owned();
    }
    format!("'{}'", name.replace('\'', r"'\''"))
}

impl<'a> Advisor<'a> {
    /// An advisor for this configuration.
    pub fn new(config: &'a Config) -> Self {
        Self { config }
    }

    /// An AWS CLI command about EC2, with the Region in which the function runs.
    pub fn command(&self, command: &str) -> String {
        self.command_of("ec2", command)
    }

    pub(crate) fn command_of(&self, service: &str, command: &str) -> String {
        aws(service, command, self.config.region.as_deref())
    }

    /// Whom to ask for a new license.
    pub(crate) fn license_contact(&self) -> &str {
        &self.config.license_contact
    }

    /// The port of lmgrd.
    pub(crate) fn lmgrd_port(&self) -> u16 {
        self.config.ports.first().map_or(27007, |range| range.first)
    }

    /// The command that shows the result of a command on an instance.
    pub(crate) fn result_of_command(&self, command: &CommandId, instance: &InstanceId) -> String {
        self.command_of(
            "ssm",
            &format!(
                "get-command-invocation --command-id {command} --instance-id {instance} --query \
                 '[StatusDetails,ResponseCode,StandardOutputContent,StandardErrorContent]' --output text"
            ),
        )
    }

    /// The command that shows whether Systems Manager hears from the agent of an instance.
    pub(crate) fn agent_status(&self, instance: &InstanceId) -> String {
        self.command_of(
            "ssm",
            &format!(
                "describe-instance-information --filters Key=InstanceIds,Values={instance} --query \
                 'InstanceInformationList[].[PingStatus,LastPingDateTime]' --output text"
            ),
        )
    }

    /// The role lacks a permission.
    pub fn permission_denied(&self, error: &CallError) -> Finding {
        Finding::new(
            FindingCode::PermissionDenied,
            &error.action,
            format!("The function's role does not allow {}.", error.action),
            format!(
                "Deploy the current template again: its role allows the call. If the call is still denied, look for a service \
                 control policy, a permissions boundary or a key policy that denies it.{}",
                error.request_id.as_ref().map_or_else(String::new, |id| format!(" The denied request: {id}."))
            ),
        )
    }

    /// A change that did not succeed, and its consequence.
    pub fn call_failed(
        &self,
        code: FindingCode,
        resource: impl ToString,
        consequence: &str,
        error: &CallError,
    ) -> Finding {
        if error.meaning == Meaning::Denied {
            let finding = self.permission_denied(error).as_severe_as(code.severity());
            let message = format!("{consequence} {}", finding.message);
            return Finding { message, ..finding };
        }
        let remedy = match error.meaning {
            Meaning::Throttled | Meaning::Unreachable => "No action needed unless it recurs.",
            Meaning::NoCapacity => {
                "EC2 has no capacity for this instance type in this zone now. Capacity may return later, and another \
                 instance type may have capacity now."
            }
            _ => "Read the error: it says what must change.",
        };
        Finding::new(code, resource, format!("{consequence} {error}."), remedy.to_owned())
    }

    /// Findings that did not fit into a message, as severe as the worst of them; `None`: all fit.
    pub fn findings_left_out(&self, left_out: &[Finding]) -> Option<Finding> {
        let worst = left_out.iter().map(|finding| finding.severity).max()?;
        let words = [
            (Severity::Critical, "critical", "critical"),
            (Severity::Warning, "warning", "warnings"),
            (Severity::Info, "info", "info"),
        ];
        let counts = words.into_iter().filter_map(|(severity, one, many)| {
            match left_out.iter().filter(|finding| finding.severity == severity).count() {
                0 => None,
                count @ 1 => Some(format!("{count} {one}")),
                count => Some(format!("{count} {many}")),
            }
        });
        let counts: Vec<String> = counts.collect();
        let findings = if left_out.len() == 1 { "finding" } else { "findings" };
        let message =
            format!("{} more {findings} did not fit into this message: {}.", left_out.len(), counts.join(", "));
        let interface = &self.config.interface_id;
        let finding = Finding::new(FindingCode::FindingsLeftOut, interface, message, WHOLE_REPORT.to_owned());
        Some(finding.as_severe_as(worst))
    }

    /// Steps that did not fit into a message; `None`: all fit.
    pub fn steps_left_out(&self, earlier: usize) -> Option<Finding> {
        let steps = if earlier == 1 { "step" } else { "steps" };
        let message = format!("{earlier} earlier {steps} did not fit into this message.");
        (earlier > 0).then(|| {
            Finding::new(FindingCode::StepsLeftOut, &self.config.interface_id, message, WHOLE_REPORT.to_owned())
        })
    }
}

pub(super) fn join(ids: &[InstanceId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
