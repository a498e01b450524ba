//! The names of the standard world, [`pair`](crate::pair).

pub const ACCOUNT: &str = "123456789012";
pub const REGION: &str = "eu-west-1";
pub const VPC: &str = "vpc-0aaaaaaaaaaaaaaa1";
pub const VPC_CIDR: &str = "10.0.0.0/16";
pub const INTERNET_GATEWAY: &str = "igw-0aaaaaaaaaaaaaaa1";
/// The main table, with a route to the internet gateway. No subnet has its own table.
pub const MAIN_ROUTE_TABLE: &str = "rtb-0aaaaaaaaaaaaaaa1";
/// Not in the pair; a test can add it.
pub const ROUTE_TABLE: &str = "rtb-0bbbbbbbbbbbbbbb2";
/// The default ACL, which allows everything in all subnets.
pub const DEFAULT_NETWORK_ACL: &str = "acl-0aaaaaaaaaaaaaaa1";
/// Not in the pair; a test can add it.
pub const NETWORK_ACL: &str = "acl-0bbbbbbbbbbbbbbb2";
pub const SUBNET: &str = "subnet-0aaaaaaaaaaaaaaa1";
pub const SUBNET_CIDR: &str = "10.0.1.0/24";
/// Not in the pair; a test can add it.
pub const OTHER_SUBNET: &str = "subnet-0bbbbbbbbbbbbbbb2";
pub const ZONE: &str = "eu-west-1a";
/// A running instance with the license interface at index 1.
pub const HOLDER: &str = "i-0aaaaaaaaaaaaaaa1";
/// A running instance.
pub const STANDBY: &str = "i-0bbbbbbbbbbbbbbb2";
/// Not in the pair; a test can add it.
pub const THIRD: &str = "i-0ccccccccccccccc3";
/// An instance that is not a member and not in the pair.
pub const NON_MEMBER: &str = "i-09999999999999999";
/// The license interface.
pub const INTERFACE: &str = "eni-0ddddddddddddddd1";
/// The attachment of the license interface to the holder.
pub const ATTACHMENT: &str = "eni-attach-0aaaaaaaaaaaaaaa1";
pub const MAC: &str = "02:73:ae:2a:dc:81";
pub const PRIVATE_IP: &str = "10.0.1.50";
pub const ALLOCATION: &str = "eipalloc-0eeeeeeeeeeeeeee1";
pub const ASSOCIATION: &str = "eipassoc-0eeeeeeeeeeeeeee1";
pub const PUBLIC_IP: &str = "203.0.113.50";
/// The group of the license interface. It allows TCP 27007-27008 from 10.0.0.0/16.
pub const GROUP: &str = "sg-0fffffffffffffff1";
/// The group of the primary interfaces, without rules.
pub const DEFAULT_GROUP: &str = "sg-00000000000000001";
/// The group of the clients. Not in the pair; a test can add it.
pub const CLIENT_GROUP: &str = "sg-0ccccccccccccccc3";
pub const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:token-failover";
/// The email address that is subscribed to the topic.
pub const SUBSCRIBER: &str = "ops@example.com";

/// A command document, with an optional parameter `Service`.
pub const DOCUMENT: &str = "token-failover-restart";
/// A command document that asks the license server.
pub const LICENSE_CHECK_DOCUMENT: &str = "token-failover-check-license";
/// The stack of the function.
pub const STACK: &str = "token-failover";
/// The Auto Scaling group of [`grouped`](crate::grouped). Not in the pair.
pub const AUTO_SCALING_GROUP: &str = "token-servers";
/// The termination hook of this group.
pub const LIFECYCLE_HOOK: &str = "before-termination";
/// The output of a command that activates a token server.
pub const COMMAND_OUTPUT: &str = "what the command printed";
/// The error output of a failed command.
pub const COMMAND_ERROR_OUTPUT: &str = "what the command complained about";

/// The id of the interface at index 0 of an instance.
pub fn primary_interface_of(instance_id: &str) -> String {
    let digits = instance_id.trim_start_matches("i-");
    format!("eni-1{}", digits.get(1..).unwrap_or_default())
}
