//! Resource ids: their form, the errors for invalid ones, and new ones from a seed.

use super::error::ApiError;

/// A kind of resource id.
///
/// "Error codes for the Amazon EC2 API" publishes the codes with these capital letters. Where it publishes no
/// `.Malformed` code, a malformed id is answered with `.NotFound` (assumed).
pub(crate) struct IdKind {
    prefix: &'static str,
    noun: &'static str,
    malformed: Option<&'static str>,
    not_found: &'static str,
}

pub(crate) const INSTANCE: IdKind = IdKind {
    prefix: "i-",
    noun: "instance ID",
    malformed: Some("InvalidInstanceID.Malformed"),
    not_found: "InvalidInstanceID.NotFound",
};
pub(crate) const INTERFACE: IdKind = IdKind {
    prefix: "eni-",
    noun: "networkInterface ID",
    malformed: Some("InvalidNetworkInterfaceId.Malformed"),
    not_found: "InvalidNetworkInterfaceID.NotFound",
};
pub(crate) const ATTACHMENT: IdKind = IdKind {
    prefix: "eni-attach-",
    noun: "attachment ID",
    malformed: Some("InvalidNetworkInterfaceAttachmentId.Malformed"),
    not_found: "InvalidAttachmentID.NotFound",
};
pub(crate) const ALLOCATION: IdKind =
    IdKind { prefix: "eipalloc-", noun: "allocation ID", malformed: None, not_found: "InvalidAllocationID.NotFound" };
pub(crate) const ASSOCIATION: IdKind =
    IdKind { prefix: "eipassoc-", noun: "association ID", malformed: None, not_found: "InvalidAssociationID.NotFound" };
pub(crate) const GROUP: IdKind = IdKind {
    prefix: "sg-",
    noun: "security group",
    malformed: Some("InvalidGroupId.Malformed"),
    not_found: "InvalidGroup.NotFound",
};
pub(crate) const RULE: IdKind = IdKind {
    prefix: "sgr-",
    noun: "security group rule ID",
    malformed: Some("InvalidSecurityGroupRuleId.Malformed"),
    not_found: "InvalidSecurityGroupRuleId.NotFound",
};
pub(crate) const PREFIX_LIST: IdKind = IdKind {
    prefix: "pl-",
    noun: "prefix list ID",
    malformed: Some("InvalidPrefixListId.Malformed"),
    not_found: "InvalidPrefixListID.NotFound",
};

pub(crate) const SUBNET: IdKind = IdKind {
    prefix: "subnet-",
    noun: "subnet ID",
    malformed: Some("InvalidSubnetID.Malformed"),
    not_found: "InvalidSubnetID.NotFound",
};
pub(crate) const ROUTE_TABLE: IdKind = IdKind {
    prefix: "rtb-",
    noun: "routeTable ID",
    malformed: Some("InvalidRouteTableId.Malformed"),
    not_found: "InvalidRouteTableID.NotFound",
};
pub(crate) const NETWORK_ACL: IdKind = IdKind {
    prefix: "acl-",
    noun: "networkAcl ID",
    malformed: Some("InvalidNetworkAclId.Malformed"),
    not_found: "InvalidNetworkAclID.NotFound",
};

impl IdKind {
    /// The prefix, then 8 or 17 lower-case hexadecimal digits ("Resource IDs", EC2 User Guide).
    pub(crate) fn check_form(&self, id: &str) -> Result<(), ApiError> {
        match self.malformed {
            Some(code) if !self.is_well_formed(id) => {
                Err(ApiError::client(code, format!("Invalid id: \"{id}\" (expecting \"{}...\")", self.prefix)))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn is_well_formed(&self, id: &str) -> bool {
        id.strip_prefix(self.prefix).is_some_and(|digits| {
            matches!(digits.len(), 8 | 17) && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        })
    }

    /// The error for a malformed id, and otherwise for an id of a resource that does not exist.
    pub(crate) fn missing(&self, id: &str) -> ApiError {
        self.check_form(id)
            .err()
            .unwrap_or_else(|| ApiError::client(self.not_found, format!("The {} '{id}' does not exist", self.noun)))
    }
}

/// New ids, the same for the same seed: SplitMix64 (Steele, Lea, Flood 2014), which needs no dependency and is good
/// enough for names.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    state: u64,
}

impl Ids {
    pub(crate) fn from_seed(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A resource id in the current long form: 17 digits. So far, the first digit of EC2's ids is always zero.
    pub(crate) fn resource(&mut self, kind: &IdKind) -> String {
        format!("{}0{:016x}", kind.prefix, self.next())
    }

    /// A version 4 UUID: ids of requests, of SNS's messages and of Systems Manager's commands.
    pub(crate) fn uuid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            0x8000 | ((b >> 48) & 0x3fff),
            b & 0xffff_ffff_ffff
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_its_prefix_and_8_or_17_hexadecimal_digits() {
        for good in ["i-0aaaaaaa", "i-0aaaaaaaaaaaaaaa1"] {
            assert_eq!(INSTANCE.check_form(good), Ok(()));
        }
        for bad in
            ["", "i-", "0aaaaaaaaaaaaaaa1", "i-0aaaaaaaaaaaaaaa", "i-0AAAAAAAAAAAAAAA1", "eni-0aaaaaaaaaaaaaaa1", "i-ä"]
        {
            assert_eq!(INSTANCE.missing(bad).code, "InvalidInstanceID.Malformed", "{bad}");
        }
        assert_eq!(INTERFACE.missing("eni-attach-0aaaaaaaaaaaaaaa1").code, "InvalidNetworkInterfaceId.Malformed");
        assert_eq!(INSTANCE.missing("i-0aaaaaaaaaaaaaaa1").code, "InvalidInstanceID.NotFound");
    }

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let (mut one, mut other) = (Ids::from_seed(7), Ids::from_seed(7));
        for _ in 0..100 {
            let id = one.resource(&ATTACHMENT);
            assert_eq!(ATTACHMENT.check_form(&id), Ok(()));
            assert_eq!(id, other.resource(&ATTACHMENT));
            assert_eq!(one.uuid(), other.uuid());
        }
        assert_ne!(Ids::from_seed(7).uuid(), Ids::from_seed(8).uuid());
    }
}
