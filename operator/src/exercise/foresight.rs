//! What the deployed function would do after a stop.

use std::time::Duration;

use token_failover::decide::plan::plan;
use token_failover::model::config::Config;
use token_failover::model::ids::InstanceId;
use token_failover::model::observation::{InstanceState, Observation};
use token_failover::model::plan::{Action, Decision, Target};
use token_failover::model::request::Intent;

/// Where the deployed function would move the interface once this holder is stopped.
///
/// # Errors
///
/// Why it would not move the interface, as the end of a sentence. It has limits that an operator's failover does not have.
pub fn after_a_stop(config: &Config, seen: &Observation, holder: &InstanceId) -> Result<Target, String> {
    let mut seen = seen.clone();
    for instance in seen.instances.known_mut().into_iter().flatten().filter(|instance| instance.id == *holder) {
        instance.state = InstanceState::Stopped;
    }
    // The function reads EC2 again while it may hope for another answer. In the end, it acts on what it sees.
    match plan(config, &seen, &Intent::Reconcile, Duration::MAX).decision {
        Decision::Act(Action::Move(movement)) => Ok(movement.targets.first),
        Decision::Act(Action::Start(_)) => Err(format!("it would start {holder} again")),
        Decision::Act(Action::Refuse(refusal)) => Err(refusal.in_words()),
        Decision::Act(Action::CannotTell(error)) => Err(format!("{} did not succeed", error.action)),
        Decision::Act(Action::Keep { .. }) | Decision::LookAgain { .. } => {
            Err("it would leave the interface there".to_owned())
        }
    }
}
