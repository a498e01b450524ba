//! The names of the standard world, [`pair`](crate::pair).

pub const ACCOUNT: &str = "123456789012";
pub const REGION: &str = "eu-west-1";
pub const VPC: &str = "vpc-0aaaaaaaaaaaaaaa1";
pub const VPC_CIDR: &str = "10.0.0.0/16";
pub const INTERNET_GATEWAY: &str = "igw-0aaaaaaaaaaaaaaa1";
/// Has a route to the internet gateway; no subnet has a table of its own.
pub const MAIN_ROUTE_TABLE: &str = "rtb-0aaaaaaaaaaaaaaa1";
/// Not in the pair; easily added.
pub const ROUTE_TABLE: &str = "rtb-0bbbbbbbbbbbbbbb2";
/// Allows everything, for all subnets.
pub const DEFAULT_NETWORK_ACL: &str = "acl-0aaaaaaaaaaaaaaa1";
/// Not in the pair; easily added.
pub const NETWORK_ACL: &str = "acl-0bbbbbbbbbbbbbbb2";
pub const SUBNET: &str = "subnet-0aaaaaaaaaaaaaaa1";
pub const SUBNET_CIDR: &str = "10.0.1.0/24";
/// Not in the pair; easily added.
pub const OTHER_SUBNET: &str = "subnet-0bbbbbbbbbbbbbbb2";
pub const ZONE: &str = "eu-west-1a";
/// Running, with the license interface at index 1.
pub const HOLDER: &str = "i-0aaaaaaaaaaaaaaa1";
/// Running.
pub const STANDBY: &str = "i-0bbbbbbbbbbbbbbb2";
/// Not in the pair; easily added.
pub const THIRD: &str = "i-0ccccccccccccccc3";
/// Somebody else's instance; not in the pair.
pub const NON_MEMBER: &str = "i-09999999999999999";
/// The license interface.
pub const INTERFACE: &str = "eni-0ddddddddddddddd1";
/// Of the license interface to the holder.
pub const ATTACHMENT: &str = "eni-attach-0aaaaaaaaaaaaaaa1";
pub const MAC: &str = "02:73:ae:2a:dc:81";
pub const PRIVATE_IP: &str = "10.0.1.50";
pub const ALLOCATION: &str = "eipalloc-0eeeeeeeeeeeeeee1";
pub const ASSOCIATION: &str = "eipassoc-0eeeeeeeeeeeeeee1";
pub const PUBLIC_IP: &str = "203.0.113.50";
/// Of the license interface; it admits tcp 27007-27008 from 10.0.0.0/16.
pub const GROUP: &str = "sg-0fffffffffffffff1";
/// Of the primary interfaces; without rules.
pub const DEFAULT_GROUP: &str = "sg-00000000000000001";
/// Of the clients; not in the pair, easily added.
pub const CLIENT_GROUP: &str = "sg-0ccccccccccccccc3";
pub const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:token-failover";
/// The e-mail address that gets what is published to the topic.
pub const SUBSCRIBER: &str = "ops@example.com";

/// A command document, with an optional parameter `Service`.
pub const DOCUMENT: &str = "token-failover-restart";
/// What a command that was run has printed.
pub const COMMAND_OUTPUT: &str = "what the command printed";
/// What a command that failed has printed on standard error.
pub const COMMAND_ERROR_OUTPUT: &str = "what the command complained about";

/// The id of the interface at index 0 of an instance of a scenario.
pub fn primary_interface_of(instance_id: &str) -> String {
    let digits = instance_id.trim_start_matches("i-");
    format!("eni-1{}", digits.get(1..).unwrap_or_default())
}
