//! The findings about the token server: its ports and its activation.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::model::check::CheckResult;
use crate::model::config::Activation;
use crate::model::finding::{Finding, FindingCode, Severity};
use crate::model::ids::InstanceId;
use crate::model::report::{ActivationRecord, ActivationResult, Probe};
use crate::tell::findings::advisor::Advisor;

impl Advisor<'_> {
    /// Ports of the token server do not answer; `None`: no such port was found. From outside the VPC, the finding is
    /// only a hint.
    pub fn ports_not_answering(
        &self,
        holder: &InstanceId,
        address: Ipv4Addr,
        probes: &[Probe],
        is_inside: bool,
    ) -> Option<Finding> {
        let mut by_error: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for probe in probes.iter().filter(|probe| probe.result == CheckResult::Failed) {
            by_error.entry(probe.error.as_deref().unwrap_or_default()).or_default().push(probe.port.to_string());
        }
        if by_error.is_empty() {
            return None;
        }
        let how: Vec<String> =
            by_error.into_iter().map(|(error, ports)| format!("{} ({error})", ports.join(", "))).collect();
        let seen_from = if is_inside { "" } else { ", as seen from here" };
        let finding = Finding::new(
            FindingCode::PortsNotAnswering,
            address,
            format!("The token server does not answer at {address} on TCP {}{seen_from}.", how.join(" and ")),
            format!(
                "On {holder}, check that lmgrd and {} run, read their log, and restart them. If the connection was \
                 refused, nothing listens on the port. If only lmgrd answers, {} has probably rejected the hostid or \
                 the license. If there was no answer, the operating system has not configured the interface, or the security \
                 group blocks the machine that tried the port.",
                self.config.vendors.join(", "),
                self.config.vendors.join(" or "),
            ),
        );
        Some(if is_inside { finding } else { finding.as_severe_as(Severity::Warning) })
    }

    /// The activation failed or has no result yet; `None`: it succeeded. `answers`: the ports answer anyway.
    pub fn activation(&self, record: &ActivationRecord, answers: bool) -> Option<Finding> {
        let ActivationRecord { document, instance_id, command_id, error, .. } = record;
        let why = error.as_ref().map_or_else(String::new, |error| format!(": {error}"));
        let again =
            self.command_of("ssm", &format!("send-command --document-name {document} --instance-ids {instance_id}"));
        let is_given_more = self.config.activation.as_ref().is_some_and(|activation| !activation.parameters.is_empty());
        let parameters = if is_given_more { ", with its parameters (FAILOVER_ACTIVATION_PARAMETERS)" } else { "" };
        let printed = command_id.as_ref().map(|command| self.result_of_command(command, instance_id));
        match record.result {
            ActivationResult::Done => None,
            ActivationResult::Failed => {
                let severity = if answers { Severity::Warning } else { Severity::Critical };
                let look = printed.map_or_else(String::new, |printed| format!("See its output:\n{printed}\n"));
                let finding = Finding::new(
                    FindingCode::ActivationFailed,
                    instance_id,
                    format!(
                        "The command that activates the token server on {instance_id} ({document}) did not succeed{why}."
                    ),
                    format!(
                        "{look}Start the token server on {instance_id} yourself, or send the command \
                         again{parameters}:\n{again}"
                    ),
                );
                Some(finding.as_severe_as(severity))
            }
            ActivationResult::Unfinished => Some(Finding::new(
                FindingCode::ActivationUnfinished,
                instance_id,
                format!(
                    "The function does not know yet whether the command that activates the token server on {instance_id} \
                     ({document}) has succeeded{why}."
                ),
                match printed {
                    Some(printed) => format!("Check the result:\n{printed}"),
                    None => format!(
                        "The command may not have been sent. Send it only if no licenses are served{parameters}:\n{again}"
                    ),
                },
            )),
        }
    }

    /// The document that activates a token server does not exist.
    pub fn activation_document_missing(&self, activation: &Activation) -> Finding {
        let document = &activation.document;
        Finding::new(
            FindingCode::ActivationDocumentMissing,
            document,
            format!(
                "Systems Manager has no command document {document}. After a failover, the function could not activate the \
                 token server on a running standby."
            ),
            "Deploy with an existing document as FAILOVER_ACTIVATION_DOCUMENT, or without one if the token server on \
             each standby starts by itself when the interface arrives."
                .to_owned(),
        )
    }

    /// Systems Manager does not hear from the agent on a running member.
    pub fn member_not_managed(&self, member: &InstanceId, is_holder: bool) -> Finding {
        let is_activated = self.config.activation.is_some();
        let consequence =
            if is_activated { "activate the token server there" } else { "check there whether licenses are served" };
        let finding = Finding::new(
            FindingCode::MemberNotManaged,
            member,
            format!("The Systems Manager agent on {member} does not report, so the function cannot {consequence}."),
            format!(
                "Check that the agent runs, that the instance profile has AmazonSSMManagedInstanceCore, and that the instance \
                 reaches Systems Manager:\n{}",
                self.agent_status(member)
            ),
        );
        // The holder serves now. The activation matters only if the interface comes back to it later.
        if is_holder || !is_activated { finding.as_severe_as(Severity::Warning) } else { finding }
    }
}
