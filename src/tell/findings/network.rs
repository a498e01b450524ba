//! The findings about the network between the clients and the interface: gateways, network ACLs, security groups.

use crate::decide::checks::Checked;
use crate::decide::security_group::Gap;
use crate::model::finding::{Finding, FindingCode};
use crate::model::ids::SecurityGroupId;
use crate::model::observation::{NetworkInterface, Reading};
use crate::tell::findings::advisor::{Advisor, MAX_OF_A_KIND};

impl Advisor<'_> {
    /// The subnet has no route to the internet, so the public address is not reachable.
    pub fn no_internet_gateway(&self, subnet: &str) -> Finding {
        Finding::new(
            FindingCode::NoInternetGateway,
            subnet,
            format!(
                "The subnet {subnet} has no active route to an internet gateway, so no client reaches the Elastic IP."
            ),
            format!(
                "In the subnet's route table, add a route to an internet gateway, or stop using the Elastic IP. To see the \
                 routes (if the command prints nothing, the subnet uses the main route table of its VPC):\n{}",
                self.command(&format!(
                    "describe-route-tables --filters Name=association.subnet-id,Values={subnet} --query \
                     'RouteTables[].Routes[]' --output table"
                ))
            ),
        )
    }

    /// The network ACL blocks clients.
    pub fn acl_blocks(&self, subnet: &str, traffic: &str) -> Finding {
        Finding::new(
            FindingCode::NetworkAclBlocks,
            format!("{subnet} {traffic}"),
            format!("The network ACL of {subnet} blocks some or all of this traffic: {traffic}."),
            self.acl_remedy(subnet),
        )
    }

    /// The network ACL blocks some answers.
    pub fn acl_blocks_some_answers(&self, subnet: &str, range: &str) -> Finding {
        Finding::new(
            FindingCode::NetworkAclBlocksSomeAnswers,
            format!("{subnet} {range}"),
            format!(
                "The network ACL of {subnet} blocks some of the answers (TCP 1024-65535) to clients in {range}. Clients may \
                 connect from any of these ports."
            ),
            self.acl_remedy(subnet),
        )
    }

    fn acl_remedy(&self, subnet: &str) -> String {
        format!(
            "Allow this traffic in the network ACL. The ACL does not affect clients in the same subnet. To see the \
             entries:\n{}",
            self.command(&format!(
                "describe-network-acls --filters Name=association.subnet-id,Values={subnet} --query \
                 'NetworkAcls[].Entries[]' --output table"
            ))
        )
    }

    /// A security group that is configured as a client does not exist.
    pub fn client_group_missing(&self, group: &SecurityGroupId) -> Finding {
        Finding::new(
            FindingCode::ClientGroupMissing,
            group,
            format!("TOKEN_SERVER_CLIENTS names {group}, which EC2 does not know."),
            "Deploy with the security group that the clients use now.".to_owned(),
        )
    }

    pub(super) fn security_groups(&self, interface: &NetworkInterface, checked: &Checked) -> Vec<Finding> {
        let Some(coverage) = &checked.coverage else { return Vec::new() };
        let coverage = match coverage {
            Reading::Known(coverage) => coverage,
            Reading::Unreadable(error) => {
                let consequence = "The security groups could not be read, so it is unknown whether the ports are open.";
                let code = FindingCode::SecurityGroupNotChecked;
                return vec![self.call_failed(code, &interface.id, consequence, error)];
            }
        };
        let group = interface.groups.first().map_or_else(|| interface.id.to_string(), ToString::to_string);
        let mut findings: Vec<Finding> =
            coverage.gaps.iter().take(MAX_OF_A_KIND).map(|gap| self.gap(&group, gap)).collect();
        if let Some(more @ 1..) = coverage.gaps.len().checked_sub(MAX_OF_A_KIND) {
            let (pairs, are, others) = if more == 1 { ("pair", "is", "other") } else { ("pairs", "are", "others") };
            findings.push(Finding::new(
                FindingCode::SecurityGroupPortClosed,
                &group,
                format!("{more} more {pairs} of client and port {are} closed."),
                format!("Fix the pairs above first. The next report lists the {others}."),
            ));
        }
        findings.extend(coverage.undecided.iter().take(MAX_OF_A_KIND).map(|gap| undecided(&group, gap)));
        findings.extend(coverage.open_to_world.iter().take(MAX_OF_A_KIND).map(|ports| {
            Finding::new(
                FindingCode::SecurityGroupOpenToWorld,
                &group,
                format!("TCP {ports} is open to every address on the internet."),
                "Allow only the networks of your clients.".to_owned(),
            )
        }));
        if self.config.clients.is_empty() {
            findings.push(Finding::new(
                FindingCode::SecurityGroupSourcesNotChecked,
                group,
                "TOKEN_SERVER_CLIENTS is empty, so the function did not check who can reach the ports.".to_owned(),
                "Deploy with the networks of your clients in TOKEN_SERVER_CLIENTS.".to_owned(),
            ));
        }
        findings
    }

    fn gap(&self, group: &str, gap: &Gap) -> Finding {
        let command = match &gap.client {
            Some(client) => {
                use crate::model::config::Client;
                let source = match client {
                    Client::Cidr(net @ ipnet::IpNet::V4(_)) => format!("IpRanges=[{{CidrIp={net}}}]"),
                    Client::Cidr(net @ ipnet::IpNet::V6(_)) => format!("Ipv6Ranges=[{{CidrIpv6={net}}}]"),
                    Client::SecurityGroup(id) => format!("UserIdGroupPairs=[{{GroupId={id}}}]"),
                    Client::PrefixList(id) => format!("PrefixListIds=[{{PrefixListId={id}}}]"),
                };
                self.command(&format!(
                    "authorize-security-group-ingress --group-id {group} --ip-permissions \
                     'IpProtocol=tcp,FromPort={},ToPort={},{source}'",
                    gap.ports.first, gap.ports.last
                ))
            }
            None => format!("Add a rule for TCP {} from the networks of your clients to {group}.", gap.ports),
        };
        let message = match &gap.client {
            Some(client) => format!("{} is closed to {client}.", tcp(gap)),
            None => format!("{} is not open to any client.", tcp(gap)),
        };
        Finding::new(FindingCode::SecurityGroupPortClosed, group, message, command)
    }
}

/// A prefix list could not be read.
fn undecided(group: &str, gap: &Gap) -> Finding {
    Finding::new(
        FindingCode::SecurityGroupNotChecked,
        group,
        format!("A prefix list could not be read, so it is unknown whether {} is open to {}.", tcp(gap), to(gap)),
        "Grant the function's role ec2:GetManagedPrefixListEntries on the prefix lists in the rules.".to_owned(),
    )
}

fn tcp(gap: &Gap) -> String {
    format!("TCP {}", gap.ports)
}

fn to(gap: &Gap) -> String {
    gap.client.as_ref().map_or_else(|| "any client".to_owned(), ToString::to_string)
}
