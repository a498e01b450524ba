//! Which instances are members. Pure.
//!
//! The settings list the members, or name a tag that they carry. With a tag, who is a member follows from EC2's answer,
//! and changes with it.

use crate::model::config::{Config, Members};
use crate::model::ids::InstanceId;
use crate::model::observation::{Instance, InstanceState, NetworkInterface, Observation};

/// The maximum number of members that a tag may have. The function asks EC2 about each of them in every audit, and a tag
/// with more is most likely not meant for token servers.
pub const MOST_TAGGED: usize = 20;

/// The members, the most preferred first.
///
/// With a tag, these are the instances with the tag in the interface's VPC and zone that are not terminated, and the
/// holder in any state. A running instance comes before a stopped one, then the one that has been running longest, then
/// the one with the lower id.
pub fn members(config: &Config, observation: &Observation) -> Vec<InstanceId> {
    match &config.members {
        Members::Listed(ids) => ids.clone(),
        Members::Tagged(_) => tagged(observation),
    }
}

/// The members that EC2 knows, in the same order.
pub fn existing<'a>(config: &Config, observation: &'a Observation) -> impl Iterator<Item = &'a Instance> + use<'a> {
    members(config, observation).into_iter().filter_map(|id| observation.instance(&id))
}

/// The maximum number of instances in one question to Auto Scaling.
/// Source: EC2 Auto Scaling API Reference, *DescribeAutoScalingInstances*, `InstanceIds`.
const MOST_ASKED: usize = 50;

/// The instances in an Auto Scaling group whose lifecycle states matter: the members first and, with a tag, also the others
/// that have it, the terminated ones last. A group waits for the lifecycle action of an instance in another zone, or of a
/// terminated instance, as well.
pub fn in_groups(config: &Config, observation: &Observation) -> Vec<InstanceId> {
    let members = members(config, observation);
    let instances = observation.instances.known().into_iter().flatten();
    let mut grouped: Vec<&Instance> = instances.filter(|one| one.auto_scaling_group.is_some()).collect();
    grouped.sort_by_key(|one| (!members.contains(&one.id), one.state == InstanceState::Terminated));
    grouped.into_iter().map(|one| one.id.clone()).take(MOST_ASKED).collect()
}

fn tagged(observation: &Observation) -> Vec<InstanceId> {
    let mut members: Vec<&Instance> = observation
        .instances
        .known()
        .into_iter()
        .flatten()
        .filter(|instance| observation.holder() == Some(&instance.id) || could_hold(instance, observation.interface()))
        .collect();
    members.sort_by_key(|instance| (!instance.runs(), instance.launched_at, instance.id.clone()));
    members.into_iter().map(|instance| instance.id.clone()).collect()
}

/// Whether the interface could ever be attached to the instance, as far as its place and its end are concerned.
fn could_hold(instance: &Instance, interface: Option<&NetworkInterface>) -> bool {
    let is_near = |interface: &NetworkInterface| {
        instance.availability_zone == interface.availability_zone && instance.vpc_id.as_ref() == Some(&interface.vpc_id)
    };
    instance.state != InstanceState::Terminated && interface.is_none_or(is_near)
}

/// The instances with the tag that can never hold the interface, because they are in another VPC or zone.
pub fn elsewhere(config: &Config, observation: &Observation) -> Vec<InstanceId> {
    let (Members::Tagged(_), Some(interface)) = (&config.members, observation.interface()) else { return Vec::new() };
    let lives =
        |instance: &&Instance| !matches!(instance.state, InstanceState::Terminated | InstanceState::ShuttingDown);
    let is_elsewhere =
        |instance: &&Instance| observation.holder() != Some(&instance.id) && !could_hold(instance, Some(interface));
    let instances = observation.instances.known().into_iter().flatten();
    instances.filter(lives).filter(is_elsewhere).map(|instance| instance.id.clone()).collect()
}

/// Whether the instance is a member by this observation.
pub fn is_member(config: &Config, observation: &Observation, id: &InstanceId) -> bool {
    match &config.members {
        Members::Listed(ids) => ids.contains(id),
        Members::Tagged(_) => tagged(observation).contains(id),
    }
}
