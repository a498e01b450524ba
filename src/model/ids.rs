//! Identifiers of EC2, SNS and Systems Manager. Each has its own type and is checked once, when it comes in.
//!
//! A resource id is a prefix and 8 or 17 lowercase hexadecimal digits. The function accepts no other
//! string from its input as a resource id.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A string that is not a valid identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not {expected}")]
pub struct InvalidId {
    found: String,
    expected: &'static str,
}

fn is_resource_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|digits| {
        matches!(digits.len(), 8 | 17) && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

macro_rules! resource_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id as EC2 writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                if is_resource_id(text, $prefix) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidId { found: text.to_owned(), expected: $expected })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

resource_id!(
    /// An EC2 instance, `i-…`.
    InstanceId, "i-", "an instance id such as i-0123456789abcdef0"
);

resource_id!(
    /// An Elastic Network Interface, `eni-…`.
    NetworkInterfaceId, "eni-", "a network interface id such as eni-0123456789abcdef0"
);

resource_id!(
    /// The allocation of an Elastic IP address, `eipalloc-…`.
    AllocationId, "eipalloc-", "an allocation id such as eipalloc-0123456789abcdef0"
);

resource_id!(
    /// A security group, `sg-…`.
    SecurityGroupId, "sg-", "a security group id such as sg-0123456789abcdef0"
);

resource_id!(
    /// A managed prefix list, `pl-…`.
    PrefixListId, "pl-", "a prefix list id such as pl-0123456789abcdef0"
);

macro_rules! opaque_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the id as EC2 gave it. Its form is not checked, because the id only goes back to EC2.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// The id as EC2 writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

opaque_id!(
    /// One attachment of an interface to an instance. Every attach makes a new one, so a detach that names it is a
    /// compare-and-swap: it fails if the interface has been moved in between.
    AttachmentId
);

opaque_id!(
    /// One association of an Elastic IP with a private address. It guards a removal as [`AttachmentId`] guards a
    /// detach.
    AssociationId
);

opaque_id!(
    /// One command that Systems Manager was asked to run.
    CommandId
);

/// The name or the ARN of a document of Systems Manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DocumentName(String);

impl DocumentName {
    /// The name as Systems Manager expects it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DocumentName {
    type Err = InvalidId;

    /// Source: Systems Manager API Reference, *SendCommand*, `DocumentName`.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':' | b'/');
        if (3..=128).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId { found: text.to_owned(), expected: "the name or ARN of a document of Systems Manager" })
        }
    }
}

impl TryFrom<String> for DocumentName {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<DocumentName> for String {
    fn from(name: DocumentName) -> String {
        name.0
    }
}

impl fmt::Display for DocumentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A MAC address. FlexNet calls it the *hostid* and writes it as 12 hexadecimal digits without separators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddress([u8; 6]);

impl MacAddress {
    /// The address as FlexNet's license files have it: 12 lowercase digits without separators.
    pub fn hostid(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Its six bytes.
    pub fn bytes(self) -> [u8; 6] {
        self.0
    }
}

impl FromStr for MacAddress {
    type Err = InvalidId;

    /// Accepts every notation in use: `02:73:ae:2a:dc:81`, `02-73-AE-2A-DC-81`, `0273.ae2a.dc81`, `0273AE2ADC81`.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId {
            found: text.to_owned(),
            expected: "a MAC address such as 02:73:ae:2a:dc:81 or 0273ae2adc81",
        };
        let groups: Vec<&str> = text.split([':', '-', '.']).collect();
        let separators: Vec<char> = text.chars().filter(|c| matches!(c, ':' | '-' | '.')).collect();
        let well_grouped = matches!(groups.len(), 1 | 3 | 6)
            && groups.iter().all(|group| group.len() == 12 / groups.len())
            && separators.windows(2).all(|pair| pair[0] == pair[1]);
        if !well_grouped {
            return Err(invalid());
        }
        let digits = groups.concat();
        let mut bytes = [0; 6];
        for (index, byte) in bytes.iter_mut().enumerate() {
            let pair = digits.get(2 * index..2 * index + 2).ok_or_else(invalid)?;
            if !pair.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(invalid());
            }
            *byte = u8::from_str_radix(pair, 16).map_err(|_| invalid())?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for MacAddress {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<MacAddress> for String {
    fn from(mac: MacAddress) -> String {
        mac.to_string()
    }
}

impl fmt::Display for MacAddress {
    /// The address as EC2 writes it: lowercase, separated by colons.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(":")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// The ARN of an SNS topic, in any AWS partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicArn {
    arn: String,
    region: String,
}

impl TopicArn {
    /// The whole ARN.
    pub fn as_str(&self) -> &str {
        &self.arn
    }

    /// The topic's Region, to which a publisher must send its message.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Whether this is a FIFO topic. SNS requires the names of FIFO topics to end in `.fifo`.
    pub fn is_fifo(&self) -> bool {
        self.arn.ends_with(".fifo")
    }
}

impl FromStr for TopicArn {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId {
            found: text.to_owned(),
            expected: "the ARN of an SNS topic such as arn:aws:sns:eu-west-1:123456789012:token-failover",
        };
        let parts: Vec<&str> = text.split(':').collect();
        let [arn, partition, service, region, account, name] = parts.as_slice() else {
            return Err(invalid());
        };
        let is_word = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        // A topic's name has up to 256 letters, digits, hyphens and underscores. A FIFO topic's name ends in `.fifo`.
        let stem = name.strip_suffix(".fifo").unwrap_or(name);
        let is_name = !stem.is_empty()
            && name.len() <= 256
            && stem.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        let is_topic = *arn == "arn"
            && (*partition == "aws" || partition.starts_with("aws-"))
            && is_word(partition)
            && *service == "sns"
            && is_word(region)
            && account.len() == 12
            && account.bytes().all(|b| b.is_ascii_digit())
            && is_name;
        if is_topic { Ok(Self { arn: text.to_owned(), region: (*region).to_owned() }) } else { Err(invalid()) }
    }
}

impl TryFrom<String> for TopicArn {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<TopicArn> for String {
    fn from(topic: TopicArn) -> String {
        topic.arn
    }
}

impl fmt::Display for TopicArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arn)
    }
}
