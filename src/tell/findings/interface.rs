//! The findings of the checks in every report: the hostid, DeleteOnTermination and the Elastic IP.

use chrono::NaiveDate;

use crate::decide::checks::{Checked, CheckedAddress};
use crate::decide::validity;
use crate::model::finding::{Finding, FindingCode};
use crate::model::ids::{AllocationId, AttachmentId, NetworkInterfaceId};
use crate::model::observation::NetworkInterface;
use crate::tell::findings::advisor::Advisor;

impl Advisor<'_> {
    pub(super) fn keep_on_termination(&self, interface: &NetworkInterfaceId, attachment: &AttachmentId) -> String {
        self.command(&format!(
            "modify-network-interface-attribute --network-interface-id {interface} --attachment \
             AttachmentId={attachment},DeleteOnTermination=false"
        ))
    }

    /// The source/destination check of the interface is off.
    pub fn source_dest_check(&self, interface: &NetworkInterfaceId) -> Finding {
        Finding::new(
            FindingCode::SourceDestCheck,
            interface,
            "The source/destination check of the license interface is off. A router needs it off; a token server does not."
                .to_owned(),
            self.command(&format!(
                "modify-network-interface-attribute --network-interface-id {interface} --source-dest-check"
            )),
        )
    }

    /// The findings of the checks of EC2's answers.
    pub fn checks(&self, interface: &NetworkInterface, checked: &Checked) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(self.hostid(interface, checked));
        findings.extend(self.delete_on_termination(interface, checked));
        findings.extend(self.elastic_ip(interface, &checked.address));
        findings.extend(self.security_groups(interface, checked));
        findings
    }

    fn hostid(&self, interface: &NetworkInterface, checked: &Checked) -> Option<Finding> {
        let wanted = checked.other_hostid?;
        Some(Finding::new(
            FindingCode::HostidMismatch,
            &interface.id,
            format!(
                "The license names the hostid {}, but {} has {}. The token server refuses to serve.",
                wanted.hostid(),
                interface.id,
                interface.mac_address.hostid()
            ),
            format!(
                "If TOKEN_SERVER_HOSTID is not the hostid in the license file, deploy with the hostid in the file. Otherwise, \
                 deploy with the interface whose MAC address the license names, or ask {} for a license for this interface.",
                self.config.license_contact
            ),
        ))
    }

    /// The end of the license is near, or has passed.
    pub(crate) fn license_ends(&self, last_day: NaiveDate, days_left: i64) -> Finding {
        let renew = format!(
            "Ask {} for a new license, and put it on every member. Then deploy with its last day as \
             TOKEN_SERVER_LICENSE_EXPIRES.",
            self.config.license_contact
        );
        let interface = &self.config.interface_id;
        if days_left < 0 {
            let message =
                format!("At least one feature of the license expired on {last_day}. No member serves it any longer.");
            return Finding::new(FindingCode::LicenseExpired, interface, message, renew);
        }
        let left = match days_left {
            0 => "today".to_owned(),
            1 => "tomorrow".to_owned(),
            days => format!("in {days} days"),
        };
        let message = format!(
            "At least one feature of the license expires {left} ({last_day}). After that, no member can serve it, so a failover \
             does not help."
        );
        let finding = Finding::new(FindingCode::LicenseExpiresSoon, interface, message, renew);
        validity::severity(days_left).map_or(finding.clone(), |severity| finding.as_severe_as(severity))
    }

    fn delete_on_termination(&self, interface: &NetworkInterface, checked: &Checked) -> Option<Finding> {
        let attachment = checked.deletes_on_termination.as_ref()?;
        Some(Finding::new(
            FindingCode::DeleteOnTermination,
            &interface.id,
            "DeleteOnTermination is true: terminating the instance would destroy the interface, and its MAC address would be \
             lost forever."
                .to_owned(),
            self.keep_on_termination(&interface.id, attachment),
        ))
    }

    // The length is justified: one arm for each place where the address can be.
    fn elastic_ip(&self, interface: &NetworkInterface, address: &CheckedAddress) -> Option<Finding> {
        let associate = |allocation: &AllocationId| {
            self.command(&format!(
                "associate-address --allocation-id {allocation} --network-interface-id {}",
                interface.id
            ))
        };
        let finding = match address {
            CheckedAddress::NotConfigured | CheckedAddress::InPlace => return None,
            CheckedAddress::NotChecked(allocation) => Finding::new(
                FindingCode::ElasticIpNotChecked,
                allocation,
                format!("{allocation} is not on {}, and its location was not checked.", interface.id),
                format!(
                    "Find out where the Elastic IP is:\n{}\nIf it belongs on the license interface, put it there:\n{}",
                    self.command(&format!(
                        "describe-addresses --allocation-ids {allocation} --query \
                         'Addresses[].[PublicIp,InstanceId,NetworkInterfaceId]' --output text"
                    )),
                    associate(allocation)
                ),
            ),
            CheckedAddress::Unreadable(allocation, error) => {
                let consequence =
                    format!("{allocation} is not on {}, and its location could not be read.", interface.id);
                self.call_failed(FindingCode::ElasticIpNotChecked, allocation, &consequence, error)
            }
            CheckedAddress::Missing(allocation) => Finding::new(
                FindingCode::ElasticIpMissing,
                allocation,
                format!(
                    "EC2 does not know {allocation}: the Elastic IP was released, or is in another account or Region."
                ),
                "Allocate a new address, tell the clients, and deploy with its id as TOKEN_SERVER_ALLOCATION_ID."
                    .to_owned(),
            ),
            CheckedAddress::Free(address) => Finding::new(
                FindingCode::ElasticIpNotAssociated,
                &address.allocation_id,
                format!("{} ({}) is not associated with anything.", address.public_ip, address.allocation_id),
                associate(&address.allocation_id),
            ),
            CheckedAddress::OnMember(address, _) => Finding::new(
                FindingCode::ElasticIpElsewhere,
                &address.allocation_id,
                format!(
                    "{} ({}) is still on {}, not on the primary private address of {}.",
                    address.public_ip,
                    address.allocation_id,
                    whereabouts(address),
                    interface.id
                ),
                associate(&address.allocation_id),
            ),
            CheckedAddress::OnNonMember(address) => Finding::new(
                FindingCode::ElasticIpWithStranger,
                &address.allocation_id,
                format!(
                    "{} ({}) is on {}{}. The function left it there.",
                    address.public_ip,
                    address.allocation_id,
                    whereabouts(address),
                    why_not_with_a_member(address)
                ),
                format!(
                    "If the Elastic IP belongs to the token server, take it back:\n{}",
                    associate(&address.allocation_id)
                ),
            ),
        };
        Some(finding)
    }
}

fn whereabouts(address: &crate::model::observation::Address) -> String {
    let place = address.place.as_ref();
    let interface = place.and_then(|place| place.interface_id.as_ref()).map(ToString::to_string);
    let instance = place.and_then(|place| place.instance_id.as_ref()).map(ToString::to_string);
    match (instance, interface) {
        (Some(instance), Some(interface)) => format!("{interface} of {instance}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "something that EC2 does not name".to_owned(),
    }
}

/// The end of a sentence that begins with the whereabouts of an address that is not with a member.
fn why_not_with_a_member(address: &crate::model::observation::Address) -> &'static str {
    match address.place.as_ref().map(|place| (&place.instance_id, &place.interface_id)) {
        Some((Some(_), _)) => ", which is not a member",
        Some((None, Some(_))) => ", which is not attached to a member",
        Some((None, None)) | None => "",
    }
}
