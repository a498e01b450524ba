//! Network ACLs, and the entries in them.

use ipnet::{IpNet, Ipv4Net};

use super::tags::Tags;

/// "Network ACLs are stateless": an ACL must also allow the answers to a request ("Network ACLs", VPC User Guide). Each
/// subnet is associated with exactly one ACL, and unlike with route tables, EC2 always shows the association.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkAcl {
    pub id: String,
    pub vpc_id: String,
    pub is_default: bool,
    pub associations: Vec<NetworkAclAssociation>,
    /// Outbound entries first, each direction in ascending order, as in the AWS CLI's example of describe-network-acls.
    pub entries: Vec<NetworkAclEntry>,
    pub tags: Tags,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkAclAssociation {
    pub id: String,
    pub subnet_id: String,
}

/// A rule. "ACL entries are processed in ascending order by rule number", and the first that matches decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkAclEntry {
    pub rule_number: u16,
    pub egress: bool,
    pub action: RuleAction,
    /// "The protocol number. A value of "-1" means all protocols" (service model, `NetworkAclEntry$Protocol`).
    pub protocol: String,
    /// First and last port of TCP (6) and UDP (17).
    pub ports: Option<(u16, u16)>,
    pub network: IpNet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleAction {
    Allow,
    Deny,
}

impl RuleAction {
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl NetworkAclEntry {
    /// The number of the last entry, which denies everything that no other entry matches: an asterisk in the console,
    /// this number in the AWS CLI's example of describe-network-acls. The numbers of other entries end at 32766
    /// (service model, CreateNetworkAclEntry).
    pub const LAST: u16 = 32767;

    /// All traffic of a direction.
    pub(crate) fn all(rule_number: u16, egress: bool, action: RuleAction) -> Self {
        Self {
            rule_number,
            egress,
            action,
            protocol: "-1".to_owned(),
            ports: None,
            network: IpNet::V4(Ipv4Net::default()),
        }
    }

    /// TCP of a direction.
    pub fn tcp(rule_number: u16, egress: bool, action: RuleAction, ports: (u16, u16), network: IpNet) -> Self {
        Self { protocol: "6".to_owned(), ports: Some(ports), network, ..Self::all(rule_number, egress, action) }
    }
}

impl NetworkAcl {
    /// A new ACL: "By default, each custom network ACL denies all inbound and outbound traffic until you add rules".
    pub(crate) fn custom(id: &str, vpc_id: &str) -> Self {
        let entries = [true, false].map(|egress| NetworkAclEntry::all(NetworkAclEntry::LAST, egress, RuleAction::Deny));
        Self {
            id: id.to_owned(),
            vpc_id: vpc_id.to_owned(),
            is_default: false,
            associations: Vec::new(),
            entries: entries.to_vec(),
            tags: Tags::new(),
        }
    }

    /// The default ACL of a VPC, which allows everything at number 100.
    pub(crate) fn default_of(id: &str, vpc_id: &str) -> Self {
        let mut acl = Self { is_default: true, ..Self::custom(id, vpc_id) };
        for egress in [true, false] {
            acl.put(NetworkAclEntry::all(100, egress, RuleAction::Allow));
        }
        acl
    }

    /// Adds an entry, or replaces the one with its number.
    pub(crate) fn put(&mut self, entry: NetworkAclEntry) {
        let place = |entry: &NetworkAclEntry| (!entry.egress, entry.rule_number);
        match self.entries.binary_search_by_key(&place(&entry), place) {
            Ok(position) => self.entries[position] = entry,
            Err(position) => self.entries.insert(position, entry),
        }
    }
}
