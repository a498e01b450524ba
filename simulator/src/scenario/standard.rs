//! The standard worlds.

use std::time::Duration;

use super::{description::Scenario, instance::InstanceSpec};
use crate::{model::Timings, names};

/// The standard world: a holder and a standby, both running, and the license interface on the holder with an Elastic IP
/// and a security group; see [`names`]. The subnet has a route to the internet, nothing is blocked, the topic has a
/// confirmed subscription, both instances accept commands, there is a document for
/// each kind of command, and a stack has the settings of the function. The token server runs on the
/// instance that has the license interface. All times are zero.
pub fn pair() -> Scenario {
    Scenario::default()
        .instance(names::HOLDER, |instance| instance)
        .instance(names::STANDBY, |instance| instance)
        .interface(names::INTERFACE, |interface| {
            interface
                .mac_address(names::MAC)
                .private_ip(names::PRIVATE_IP)
                .groups([names::GROUP])
                .attachment_id(names::ATTACHMENT)
                .on(names::HOLDER, 1)
        })
        .address(names::ALLOCATION, |address| address.public_ip(names::PUBLIC_IP).on(names::INTERFACE))
        .security_group(names::GROUP, |group| group.tcp(27007..=27008, "10.0.0.0/16"))
        .topic(names::TOPIC, |topic| topic.email(names::SUBSCRIBER))
        .document(names::DOCUMENT, |document| document.parameter("Service"))
        .document(names::LICENSE_CHECK_DOCUMENT, |document| document.checks_license())
        .stack(names::STACK, |stack| {
            stack
                .parameter("TokenServerInterfaceId", names::INTERFACE)
                .parameter("TokenServerInstanceIds", &format!("{},{}", names::HOLDER, names::STANDBY))
                .output("TopicArn", names::TOPIC)
        })
}

/// The pair, with a standby that is stopped.
pub fn cold_standby() -> Scenario {
    pair().instance(names::STANDBY, InstanceSpec::stopped)
}

/// The pair, with the license interface as the primary interface of the holder, as after following the vendor's manual.
pub fn primary() -> Scenario {
    pair()
        .instance(names::HOLDER, InstanceSpec::without_primary)
        .interface(names::INTERFACE, |interface| interface.on(names::HOLDER, 0))
}

/// The pair, a stopped third instance, and a non-member.
pub fn trio() -> Scenario {
    pair().instance(names::THIRD, InstanceSpec::stopped).instance(names::NON_MEMBER, |instance| instance)
}

/// The pair, as the two members of an Auto Scaling group that launches before it terminates, with a termination hook. Its
/// instances have the tag `token-server` with the value `yes`.
pub fn grouped() -> Scenario {
    pair().auto_scaling_group(names::AUTO_SCALING_GROUP, |group| {
        group
            .members([names::HOLDER, names::STANDBY])
            .launches(|instance| instance.tag("token-server", "yes"))
            .launch_before_terminating()
            .termination_hook(names::LIFECYCLE_HOOK, Duration::from_secs(600))
    })
}

impl Scenario {
    /// The scenarios that have a name, with realistic times. In `grouped`, Auto Scaling notices a change within a second, so
    /// that a program in real time does not wait for it.
    pub fn named(name: &str) -> Option<Self> {
        let scenario = match name {
            "pair" => pair(),
            "cold-standby" => cold_standby(),
            "primary" => primary(),
            "trio" => trio(),
            "grouped" => grouped(),
            _ => return None,
        };
        let group_check = if name == "grouped" { Duration::ZERO } else { Timings::realistic().group_check };
        Some(scenario.timings(Timings { group_check, ..Timings::realistic() }))
    }

    /// Names for [`Scenario::named`].
    pub const NAMES: &'static [&'static str] = &["pair", "cold-standby", "primary", "trio", "grouped"];
}
