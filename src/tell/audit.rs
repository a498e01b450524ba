//! What would go wrong with the next failover: the findings of an audit. Pure.
//!
//! An audit that could not read something says so, and never takes it for fine.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::decide::audit::client_groups;
use crate::decide::network_acl::{Passage, passage};
use crate::decide::pause;
use crate::model::config::{Client, Config};
use crate::model::error::{CallError, Meaning};
use crate::model::finding::{Finding, Severity};
use crate::model::ids::InstanceId;
use crate::model::observation::{Attachment, Instance, InstanceState, NetworkInterface, Observation, Reading};
use crate::model::plan::{Action, Obstacle, Refusal, Standby, Verdict};
use crate::model::readiness::{AclEntry, Readiness, Standing, Subscription};
use crate::tell::findings::Advisor;

/// The ports from which clients may be answered. Each operating system has its own range; AWS advises to let all of these
/// pass. Source: Amazon VPC User Guide, "Ephemeral ports".
const EPHEMERAL_PORTS: (u16, u16) = (1024, 65535);

/// What an audit found, beside the findings of the four checks.
pub(crate) struct Audit {
    pub(crate) findings: Vec<Finding>,
    /// How many standbys could take the interface now.
    pub(crate) viable: usize,
}

/// Judges what was read.
pub(crate) fn audit(
    config: &Config,
    observation: &Observation,
    action: &Action,
    standbys: &[Standby],
    readiness: &Readiness,
) -> Audit {
    let auditor = Auditor { config, observation, readiness, advisor: Advisor::new(config) };
    let mut findings = auditor.place(action, standbys);
    findings.extend(pause::of(observation).map(|pause| auditor.advisor.paused(&pause)));
    let viable = auditor.standbys(standbys, &mut findings);
    auditor.members(&mut findings);
    if let Some(interface) = observation.interface() {
        auditor.network(interface, &mut findings);
    }
    auditor.activation(&mut findings);
    auditor.notification(&mut findings);
    auditor.permissions(&mut findings);
    // One action is asked about for every standby, and one answer about it is enough.
    let mut seen = BTreeSet::new();
    findings.retain(|finding| seen.insert((finding.code.clone(), finding.resource.clone())));
    Audit { findings, viable }
}

/// The findings in one word: the same findings, the same word. What passes by itself does not change it.
pub(crate) fn signature(findings: &[Finding]) -> String {
    // A pause is mailed by itself.
    let lasting = findings.iter().filter(|finding| ![NOT_READ, PAUSED].contains(&finding.code.as_str()));
    let lines: BTreeSet<String> = lasting
        .map(|finding| {
            format!("{} {} {}\n", finding.severity, finding.code, finding.resource.as_deref().unwrap_or_default())
        })
        .collect();
    let digest = Sha256::digest(lines.into_iter().collect::<String>());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The code of what could not be read this time.
const NOT_READ: &str = "not-audited";

/// The code of the finding that nobody watches.
const PAUSED: &str = "paused";

struct Auditor<'a> {
    config: &'a Config,
    observation: &'a Observation,
    readiness: &'a Readiness,
    advisor: Advisor<'a>,
}

impl Auditor<'_> {
    /// Where the interface is now.
    fn place(&self, action: &Action, standbys: &[Standby]) -> Vec<Finding> {
        let Some(interface) = self.observation.interface() else {
            return self.advisor.refusal(&Refusal::InterfaceMissing, standbys);
        };
        let Some(attachment) = &interface.attachment else {
            return vec![self.advisor.attached_to_nothing(standbys)];
        };
        match action {
            // What stands in each standby's way is told anyway.
            Action::Refuse(Refusal::NoViableStandby) => vec![self.advisor.holder_failed(attachment)],
            Action::Refuse(refusal) => self.advisor.refusal(refusal, &[]),
            Action::Move(_) | Action::Start(_) => vec![self.advisor.holder_failed(attachment)],
            Action::Keep { .. } | Action::CannotTell(_) => self.primary(attachment),
        }
    }

    /// A primary interface on a healthy holder is the night's failure found by day.
    fn primary(&self, attachment: &Attachment) -> Vec<Finding> {
        let Some(holder) = attachment.instance_id.clone().filter(|_| attachment.device_index == 0) else {
            return Vec::new();
        };
        let state = self.observation.instance(&holder).map(|holder| holder.state.clone());
        let refusal = Refusal::PrimaryInterface { holder, state, attachment_id: attachment.id.clone() };
        self.advisor.refusal(&refusal, &[])
    }

    /// What stands in the way of each standby. Returns how many could take the interface.
    fn standbys(&self, standbys: &[Standby], findings: &mut Vec<Finding>) -> usize {
        let mut viable = 0;
        let mut obstacles = Vec::new();
        for standby in standbys {
            let instance = self.observation.instance(&standby.instance_id);
            let full = instance.and_then(|instance| self.lack_of_room(instance));
            viable += usize::from(standby.verdict.is_viable() && full.is_none());
            // What the interface remembers of a type's limit, the audit has just read.
            let is_told = full.is_some() && matches!(standby.verdict, Verdict::NotViable(Obstacle::NoRoom { .. }));
            obstacles.extend(self.advisor.standby(standby).filter(|_| !is_told));
            obstacles.extend(full);
        }
        if viable == 0 && self.observation.interface().is_some() {
            findings.push(self.advisor.no_viable_standby());
        }
        findings.extend(obstacles);
        viable
    }

    /// Whether the instance has no room for another interface on network card 0.
    fn lack_of_room(&self, instance: &Instance) -> Option<Finding> {
        let limits = self.readiness.interface_limits.known()?.get(&instance.instance_type)?;
        let is_full = limits.leave_no_room(instance, &self.config.interface_id);
        is_full.then(|| self.advisor.standby_without_room(instance, limits.effective()))
    }

    /// What is good to know of the members.
    fn members(&self, findings: &mut Vec<Finding>) {
        let Reading::Known(instances) = &self.observation.instances else { return };
        match &self.readiness.interface_limits {
            Reading::Unreadable(error) => {
                findings.push(self.not_read("whether the standbys have room for another interface", error));
            }
            Reading::Known(limits) => {
                let unknown = instances.iter().find(|instance| !limits.contains_key(&instance.instance_type));
                findings.extend(unknown.map(|instance| self.advisor.unknown_instance_type(instance)));
            }
        }
        let subnet = self.observation.interface().map(|interface| interface.subnet_id.as_str());
        let members = self.config.members.iter();
        let members: Vec<&Instance> = members.filter_map(|id| self.observation.instance(id)).collect();
        let same_subnet: Vec<&InstanceId> = members
            .iter()
            .filter(|member| subnet.is_some() && member.subnet_id.as_deref() == subnet)
            .map(|member| &member.id)
            .collect();
        findings.extend((!same_subnet.is_empty()).then(|| self.advisor.same_subnet(&same_subnet)));
        let recovering: Vec<&InstanceId> =
            members.iter().filter(|member| member.recovers).map(|member| &member.id).collect();
        findings.extend((!recovering.is_empty()).then(|| self.advisor.auto_recovery(&recovering)));
        let mut unprotected = Vec::new();
        for (member, protected) in &self.readiness.protected {
            match protected {
                Reading::Known(true) => {}
                Reading::Known(false) => unprotected.push(member),
                Reading::Unreadable(error) if error.meaning == Meaning::NotFound => {}
                Reading::Unreadable(error) => {
                    findings.push(self.not_read("whether the members are protected from termination", error));
                }
            }
        }
        findings.extend((!unprotected.is_empty()).then(|| self.advisor.termination_protection(&unprotected)));
    }

    /// The way between the clients and the interface.
    fn network(&self, interface: &NetworkInterface, findings: &mut Vec<Finding>) {
        if !interface.source_dest_check {
            findings.push(self.advisor.source_dest_check(interface));
        }
        let is_public = self.config.allocation_id.is_some() || interface.association.is_some();
        match &self.readiness.routes {
            Some(Reading::Unreadable(error)) if is_public => {
                findings.push(self.not_read("whether the subnet has a route to the internet", error));
            }
            Some(Reading::Known(routes))
                if is_public && !routes.iter().any(crate::model::readiness::Route::is_to_internet) =>
            {
                findings.push(self.advisor.no_internet_gateway(interface));
            }
            _ => {}
        }
        match &self.readiness.acl {
            Some(Reading::Unreadable(error)) => {
                findings.push(self.not_read("whether the network ACL allows the clients", error));
            }
            Some(Reading::Known(entries)) => self.acl(interface, entries, findings),
            None => {}
        }
        match &self.readiness.client_groups {
            Reading::Unreadable(error) => {
                findings.push(self.not_read("whether the clients' security groups exist", error));
            }
            Reading::Known(existing) => {
                let missing = client_groups(self.config).into_iter().filter(|group| !existing.contains(group));
                findings.extend(missing.map(|group| self.advisor.client_group_missing(&group)));
            }
        }
    }

    fn acl(&self, interface: &NetworkInterface, entries: &[AclEntry], findings: &mut Vec<Finding>) {
        let ranges = self.config.clients.iter().filter_map(|client| match client {
            Client::Cidr(range) => Some(*range),
            Client::SecurityGroup(_) | Client::PrefixList(_) => None,
        });
        let ranges: Vec<_> = ranges.collect();
        for range in ranges {
            for ports in &self.config.ports {
                if passage(entries, false, range, (ports.first, ports.last)) != Passage::Free {
                    findings.push(self.advisor.acl_blocks(interface, &format!("TCP {ports} from {range}")));
                }
            }
            match passage(entries, true, range, EPHEMERAL_PORTS) {
                Passage::Free => {}
                Passage::Partial => findings.push(self.advisor.acl_blocks_some_answers(interface, &range.to_string())),
                Passage::Blocked => {
                    let traffic = format!("the answers (TCP 1024-65535) to {range}");
                    findings.push(self.advisor.acl_blocks(interface, &traffic));
                }
            }
        }
    }

    /// Whether a standby that runs could be woken.
    fn activation(&self, findings: &mut Vec<Finding>) {
        let Some((activation, readiness)) = self.config.activation.as_ref().zip(self.readiness.activation.as_ref())
        else {
            return;
        };
        match &readiness.document {
            Reading::Known(true) => {}
            Reading::Known(false) => findings.push(self.advisor.activation_document_missing(activation)),
            Reading::Unreadable(error) => {
                findings.push(self.not_read("whether the activation document exists", error));
            }
        }
        match &readiness.reachable {
            Reading::Unreadable(error) => {
                findings.push(self.not_read("whether Systems Manager reaches the members", error));
            }
            Reading::Known(reachable) => {
                let attachment = self.observation.interface().and_then(|interface| interface.attachment.as_ref());
                let holder = attachment.and_then(|attachment| attachment.instance_id.as_ref());
                let members = self.config.members.iter().filter_map(|id| self.observation.instance(id));
                let running = members.filter(|member| member.state == InstanceState::Running);
                let deaf = running.filter(|member| !reachable.contains(&member.id));
                findings
                    .extend(deaf.map(|member| self.advisor.member_not_managed(&member.id, holder == Some(&member.id))));
            }
        }
    }

    /// Whether anybody would be told.
    fn notification(&self, findings: &mut Vec<Finding>) {
        match &self.readiness.subscriptions {
            Reading::Unreadable(error) => findings.push(self.not_read("who is subscribed to the topic", error)),
            Reading::Known(None) => findings.push(self.advisor.topic_missing()),
            Reading::Known(Some(subscriptions)) => {
                let is = |standing| move |one: &&Subscription| one.standing == standing;
                let is_heard = subscriptions.iter().any(|one| is(Standing::Confirmed)(&one));
                findings.extend((!is_heard).then(|| self.advisor.nobody_subscribed(subscriptions)));
                let pending = subscriptions.iter().filter(is(Standing::Pending));
                findings.extend(pending.map(|pending| self.advisor.unconfirmed_subscription(pending)));
            }
        }
    }

    /// What the role does not allow.
    fn permissions(&self, findings: &mut Vec<Finding>) {
        for permission in &self.readiness.permissions {
            if let Reading::Unreadable(error) = &permission.answer {
                match error.meaning {
                    Meaning::Denied => findings.push(self.advisor.permission_denied(error)),
                    Meaning::Throttled | Meaning::Unreachable => {
                        findings.push(self.not_read("whether the role allows every change", error));
                    }
                    // Anything else that EC2 has against the change comes after the permission, and passes or is told above.
                    _ => {}
                }
            }
        }
    }

    fn not_read(&self, what: &str, error: &CallError) -> Finding {
        let consequence = format!("The audit could not check {what}.");
        let mut finding = self.advisor.call_failed(NOT_READ, Severity::Warning, &error.action, &consequence, error);
        if error.meaning != Meaning::Denied {
            finding.resource = Some(error.action.clone());
        }
        finding
    }
}

/// The reason and the summary of an audit.
pub(crate) fn summary<'a>(
    viable: usize,
    standbys: usize,
    findings: impl Iterator<Item = &'a Finding>,
) -> (&'static str, String) {
    let mut counts: BTreeMap<Severity, usize> = BTreeMap::new();
    for finding in findings {
        *counts.entry(finding.severity).or_default() += 1;
    }
    let count = |severity| counts.get(&severity).copied().unwrap_or(0);
    let (critical, warnings) = (count(Severity::Critical), count(Severity::Warning));
    let ready = format!("{viable} of {standbys} standbys can take the interface");
    match (critical, warnings) {
        (0, 0) => ("ready", format!("The next failover would work: {ready}.")),
        (0, warnings) => {
            ("ready-with-warnings", format!("The next failover would work: {ready}. Warnings: {warnings}."))
        }
        (critical, _) => (
            "not-ready",
            format!("The next failover would fail, at least in part. Critical findings: {critical}. {ready}."),
        ),
    }
}
