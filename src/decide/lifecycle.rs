//! Lifecycle actions of Auto Scaling: which of them the function completes. Pure.
//!
//! A group with a lifecycle hook for termination keeps an instance running in `Terminating:Wait` until the action is completed
//! or has timed out ("Amazon EC2 Auto Scaling lifecycle hooks", Amazon EC2 Auto Scaling User Guide). The function completes it
//! once the license interface is attached elsewhere.

use crate::decide::members::is_member;
use crate::decide::pause;
use crate::model::config::{Config, Members};
use crate::model::observation::{
    AttachmentStatus, Instance, InstanceInterface, InstanceState, Observation, Reading, StatusChecks,
};

/// The name of the lifecycle hook that the function completes if a group has several for termination.
pub const HOOK: &str = "token-failover";

/// The instances that their groups may terminate now: they wait for a lifecycle action, and the interface is attached to
/// a member that runs and stays. An instance that is terminated already may wait as well, until its action is completed; AWS
/// does not document whether it does.
///
/// The role may complete the actions only of a group with the tag of the members, so a listed member has to wait for the
/// timeout of the action.
pub fn to_complete<'a>(config: &'a Config, observation: &'a Observation) -> Vec<&'a Instance> {
    let is_in_charge = matches!(config.members, Members::Tagged(_)) && pause::of(observation).is_none();
    let Some(holder) = serving_member(config, observation).filter(|_| is_in_charge) else { return Vec::new() };
    let instances = observation.instances.known().into_iter().flatten();
    let may_go = |one: &&Instance| one.id != holder.id && one.waits_to_terminate() && !holds_another(config, one);
    instances.filter(may_go).collect()
}

/// Whether the instance has another interface that outlives it, such as that of another license. The function of that license
/// completes the action once it has moved its interface.
fn holds_another(config: &Config, instance: &Instance) -> bool {
    let is_another = |one: &&InstanceInterface| one.device_index != 0 && one.id != config.interface_id;
    instance.interfaces.iter().filter(is_another).any(|one| !one.delete_on_termination)
}

/// Whether the status checks of the instance pass, if the settings ask for them. Checks that could not be read have not passed.
pub fn passes(config: &Config, instance: &Instance) -> bool {
    let pass = matches!(&instance.status_checks, Reading::Known(checks) if *checks != StatusChecks::Impaired);
    pass || !config.on_impaired
}

/// The member to which the interface is attached, if it runs, passes its checks, and stays. What could not be read permits nothing.
fn serving_member<'a>(config: &Config, observation: &'a Observation) -> Option<&'a Instance> {
    let attachment = observation.attachment().filter(|attachment| attachment.status == AttachmentStatus::Attached)?;
    let holder = observation.instance(attachment.instance_id.as_ref()?)?;
    let stays = match &holder.lifecycle_state {
        Some(Reading::Unreadable(_)) => false,
        Some(Reading::Known(_)) | None => !holder.is_leaving_its_group() && !holder.is_joining_its_group(),
    };
    let stays = stays && holder.state == InstanceState::Running && passes(config, holder);
    (stays && is_member(config, observation, &holder.id)).then_some(holder)
}

/// The hook to complete, of a group's hooks for termination: the only one, or the one with the name [`HOOK`]. The others may
/// be about work that has nothing to do with the license.
pub fn hook(hooks: &[String]) -> Option<&String> {
    match hooks {
        [only] => Some(only),
        several => several.iter().find(|name| *name == HOOK),
    }
}
