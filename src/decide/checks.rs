//! The checks of every report: hostid, Elastic IP, security groups, DeleteOnTermination, and answering ports. Pure.

use crate::decide::members::is_member;
use crate::decide::security_group::{Coverage, Gap, coverage};
use crate::model::change::Ingress;
use crate::model::check::{CheckResult, Checks};
use crate::model::config::Config;
use crate::model::error::CallError;
use crate::model::ids::{AllocationId, AssociationId, AttachmentId, MacAddress};
use crate::model::observation::{Address, NetworkInterface, Observation, Reading};
use crate::model::report::Probe;

/// What the checks found in EC2's answers. [`Checked::results`] is the short form. Repairs and findings need the
/// details.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The hostid that the license names, if the interface has a different one.
    pub other_hostid: Option<MacAddress>,
    hostid_configured: bool,
    /// The Elastic IP.
    pub address: CheckedAddress,
    /// The attachment with which the interface would be destroyed when its instance is terminated.
    pub deletes_on_termination: Option<AttachmentId>,
    attached: bool,
    /// How the security groups cover ports and clients; `None`: not read.
    pub coverage: Option<Reading<Coverage>>,
}

/// What is known about the Elastic IP that should be on the interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckedAddress {
    /// No Elastic IP is configured, and the interface had none.
    NotConfigured,
    /// It is where it should be.
    InPlace,
    /// It is not on the interface, and the function did not ask EC2 where it is.
    NotChecked(AllocationId),
    /// It is not on the interface, and the function could not read where it is.
    Unreadable(AllocationId, CallError),
    /// EC2 does not know it.
    Missing(AllocationId),
    /// It is associated with nothing.
    Free(Address),
    /// It is with a member, or on another private address of the interface. The function may move it.
    OnMember(Address, AssociationId),
    /// It is with something that is not a member.
    OnNonMember(Address),
}

/// The Elastic IP that must be on the interface: the configured one, or else the one that was on it `before` a move.
pub fn wanted_address(config: &Config, before: Option<&NetworkInterface>) -> Option<AllocationId> {
    let found = || before?.association.as_ref()?.allocation_id.clone();
    config.allocation_id.clone().or_else(found)
}

/// Whether the Elastic IP is on the interface's primary private address, by EC2's description of the interface.
pub fn has_address(interface: &NetworkInterface, wanted: &AllocationId) -> bool {
    interface.association.as_ref().and_then(|association| association.allocation_id.as_ref()) == Some(wanted)
}

/// Checks the interface as it was observed.
pub fn check(
    config: &Config,
    observation: &Observation,
    interface: &NetworkInterface,
    wanted: Option<&AllocationId>,
) -> Checked {
    let attachment = interface.attachment.as_ref();
    let reachability = observation.reachability.as_ref();
    Checked {
        other_hostid: config.hostid.filter(|hostid| *hostid != interface.mac_address),
        hostid_configured: config.hostid.is_some(),
        address: check_address(config, observation, interface, wanted),
        deletes_on_termination: attachment
            .filter(|attachment| attachment.delete_on_termination)
            .map(|attachment| attachment.id.clone()),
        attached: attachment.is_some(),
        coverage: reachability.map(|reachability| match &reachability.rules {
            Reading::Known(rules) => {
                Reading::Known(coverage(&config.ports, &config.clients, rules, &reachability.prefix_lists))
            }
            Reading::Unreadable(error) => Reading::Unreadable(error.clone()),
        }),
    }
}

fn check_address(
    config: &Config,
    observation: &Observation,
    interface: &NetworkInterface,
    wanted: Option<&AllocationId>,
) -> CheckedAddress {
    let Some(wanted) = wanted else { return CheckedAddress::NotConfigured };
    if has_address(interface, wanted) {
        return CheckedAddress::InPlace;
    }
    let asked = observation.reachability.as_ref().and_then(|reachability| reachability.missing_address.as_ref());
    let address = match asked {
        None => return CheckedAddress::NotChecked(wanted.clone()),
        Some(Reading::Unreadable(error)) => return CheckedAddress::Unreadable(wanted.clone(), error.clone()),
        Some(Reading::Known(None)) => return CheckedAddress::Missing(wanted.clone()),
        Some(Reading::Known(Some(address))) => address,
    };
    let Some(place) = &address.place else { return CheckedAddress::Free(address.clone()) };
    let on_interface = place.interface_id.as_ref() == Some(&interface.id);
    if on_interface && place.private_ip_address == interface.private_ip_address.map(Into::into) {
        return CheckedAddress::InPlace;
    }
    let with_member = place.instance_id.as_ref().is_some_and(|instance| is_member(config, observation, instance));
    if on_interface || with_member {
        CheckedAddress::OnMember(address.clone(), place.association_id.clone())
    } else {
        CheckedAddress::OnNonMember(address.clone())
    }
}

impl Checked {
    /// The result of each check of EC2's answers. EC2 does not know if the ports answer, so `listening` is not checked.
    pub fn results(&self) -> Checks {
        Checks {
            hostid: match self.other_hostid {
                Some(_) => CheckResult::Failed,
                None if self.hostid_configured => CheckResult::Ok,
                None => CheckResult::NotConfigured,
            },
            elastic_ip: match self.address {
                CheckedAddress::NotConfigured => CheckResult::NotConfigured,
                CheckedAddress::InPlace => CheckResult::Ok,
                CheckedAddress::Unreadable(..) => CheckResult::NotChecked,
                _ => CheckResult::Failed,
            },
            security_group: match &self.coverage {
                None | Some(Reading::Unreadable(_)) => CheckResult::NotChecked,
                Some(Reading::Known(coverage)) if !coverage.gaps.is_empty() => CheckResult::Failed,
                Some(Reading::Known(coverage)) if !coverage.undecided.is_empty() => CheckResult::NotChecked,
                Some(Reading::Known(_)) => CheckResult::Ok,
            },
            delete_on_termination: match &self.deletes_on_termination {
                Some(_) => CheckResult::Failed,
                None if self.attached => CheckResult::Ok,
                None => CheckResult::NotChecked,
            },
            listening: CheckResult::NotChecked,
        }
    }
}

/// One repair, with every id that it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repair {
    /// Set DeleteOnTermination of the attachment to false.
    KeepOnTermination(AttachmentId),
    /// Put the Elastic IP on the interface, after taking it from where it was observed.
    MoveAddress {
        /// The Elastic IP.
        allocation_id: AllocationId,
        /// Where it is now; `None`: associated with nothing.
        from: Option<AssociationId>,
    },
    /// Add an ingress rule.
    OpenPorts(Ingress),
}

impl Repair {
    /// The repair's name in `FAILOVER_REPAIR`.
    pub fn setting(&self) -> &'static str {
        match self {
            Self::KeepOnTermination(_) => "delete-on-termination",
            Self::MoveAddress { .. } => "elastic-ip",
            Self::OpenPorts(_) => "security-group",
        }
    }
}

/// Whether checks that were made after the repair show its effect. An answer that could not be read shows nothing.
pub fn is_made(repair: &Repair, checked: &Checked) -> bool {
    match repair {
        Repair::KeepOnTermination(attachment) => checked.deletes_on_termination.as_ref() != Some(attachment),
        Repair::MoveAddress { .. } => checked.address == CheckedAddress::InPlace,
        Repair::OpenPorts(ingress) => match &checked.coverage {
            Some(Reading::Known(coverage)) => {
                let is_it = |gap: &Gap| gap.ports == ingress.ports && gap.client.as_ref() == Some(&ingress.client);
                !coverage.gaps.iter().any(is_it)
            }
            Some(Reading::Unreadable(_)) | None => false,
        },
    }
}

/// How many ingress rules one run adds at most.
const MAX_RULES_AT_ONCE: usize = 10;

/// The repairs that are needed and that the configuration allows.
pub fn repairs(config: &Config, interface: &NetworkInterface, checked: &Checked) -> Vec<Repair> {
    let mut repairs = Vec::new();
    if config.repair.delete_on_termination {
        repairs.extend(checked.deletes_on_termination.clone().map(Repair::KeepOnTermination));
    }
    if config.repair.elastic_ip {
        match &checked.address {
            CheckedAddress::Free(address) => {
                repairs.push(Repair::MoveAddress { allocation_id: address.allocation_id.clone(), from: None });
            }
            CheckedAddress::OnMember(address, association) => repairs.push(Repair::MoveAddress {
                allocation_id: address.allocation_id.clone(),
                from: Some(association.clone()),
            }),
            _ => {}
        }
    }
    if config.repair.security_group
        && let Some(Reading::Known(coverage)) = &checked.coverage
        && let Some(group) = interface.groups.first()
    {
        // A gap without a client gets no rule: no setting says which clients to let in, and the function never opens a
        // port to every address. The next run adds the rules above the maximum.
        repairs.extend(coverage.gaps.iter().take(MAX_RULES_AT_ONCE).filter_map(|gap| {
            let ingress = Ingress { group_id: group.clone(), ports: gap.ports, client: gap.client.clone()? };
            Some(Repair::OpenPorts(ingress))
        }));
    }
    repairs
}

/// The results of the checks after repairs. A check that failed before and passes now is `Repaired`.
pub(crate) fn after_repairs(before: Checks, after: Checks) -> Checks {
    let one = |before: CheckResult, after: CheckResult| match (before, after) {
        (CheckResult::Failed, CheckResult::Ok) => CheckResult::Repaired,
        (_, after) => after,
    };
    Checks {
        hostid: one(before.hostid, after.hostid),
        elastic_ip: one(before.elastic_ip, after.elastic_ip),
        security_group: one(before.security_group, after.security_group),
        delete_on_termination: one(before.delete_on_termination, after.delete_on_termination),
        listening: after.listening,
    }
}

/// The result of all probes together.
pub(crate) fn listening(config: &Config, probes: &[Probe]) -> CheckResult {
    let has = |result: CheckResult| probes.iter().any(|probe| probe.result == result);
    let configured: usize = config.ports.iter().map(|range| usize::from(range.last - range.first) + 1).sum();
    if has(CheckResult::Failed) {
        CheckResult::Failed
    } else if has(CheckResult::NotChecked) || probes.len() < configured {
        CheckResult::NotChecked
    } else {
        CheckResult::Ok
    }
}
