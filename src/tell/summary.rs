//! Sentences of a report's summary.

use std::time::Duration;

use crate::decide::pause::of;
use crate::decide::plan::unpaused;
use crate::model::config::Config;
use crate::model::ids::InstanceId;
use crate::model::observation::Observation;
use crate::model::plan::{Action, Decision};
use crate::model::request::Intent;

/// What the pause keeps from being done, in words.
pub(crate) fn held_back(config: &Config, observation: &Observation) -> String {
    let until = of(observation).map_or_else(String::new, |pause| format!(" until {}", pause.in_words()));
    let without = match unpaused(config, observation, &Intent::Reconcile, Duration::MAX).decision {
        Decision::Act(Action::Move(planned)) => {
            let from = planned.from.and_then(|from| from.instance_id);
            let from = from.map_or_else(|| "nothing".to_owned(), |from| from.to_string());
            let to = planned.targets.first.attach.instance_id;
            format!("Without the pause, the interface would move from {from} to {to}.")
        }
        Decision::Act(Action::Start(start)) => {
            format!("Without the pause, {}, which is stopped, would be started in place.", start.instance_id)
        }
        Decision::Act(Action::Refuse(refusal)) => {
            format!("Without the pause, a move would be refused: {}.", refusal.in_words())
        }
        Decision::Act(Action::Keep { .. } | Action::CannotTell(_)) | Decision::LookAgain { .. } => {
            "Nothing has to move now.".to_owned()
        }
    };
    format!("token-failover is paused{until}, so it did nothing. {without}")
}

/// Where the interface was, in words.
pub(crate) fn place(instance: Option<&InstanceId>) -> String {
    instance.map_or_else(|| "nothing".to_owned(), ToString::to_string)
}
