//! Sentences of a report's summary.

use std::time::Duration;

use crate::decide::pause::of;
use crate::decide::plan::unpaused;
use crate::model::config::Config;
use crate::model::ids::InstanceId;
use crate::model::observation::Observation;
use crate::model::plan::{Action, Decision, KeepReason, MoveCause, Refusal};
use crate::model::report::Movement;
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

/// Why nothing was done.
pub(crate) fn kept(reason: KeepReason, holder: Option<&InstanceId>) -> String {
    let holder = place(holder);
    match reason {
        KeepReason::HolderHealthy => {
            format!("{holder} is running and holds the interface. Nothing had to be done.")
        }
        KeepReason::HolderStarting => format!("{holder} is starting and holds the interface. Nothing was done."),
        KeepReason::StatusChecksUnreadable => {
            format!(
                "{holder} is running and holds the interface, but its status checks could not be read. Nothing was done."
            )
        }
        KeepReason::HolderStateUnknown => {
            format!("{holder} holds the interface but is in a state that this version does not know. Nothing was done.")
        }
        KeepReason::EventOutdated => {
            format!(
                "The event says that {holder} failed, but EC2, asked repeatedly, says that it is running. Nothing was done."
            )
        }
        // The pause has words of its own.
        KeepReason::Paused => String::new(),
        KeepReason::AlreadyOnTarget => format!("{holder} already holds the interface. Nothing had to be done."),
        KeepReason::InterfaceArriving => {
            format!("EC2 is attaching the interface to {holder}, and another run is waiting for it. Nothing was done.")
        }
    }
}

/// That the interface moved.
pub(crate) fn moved(movement: &Movement, cause: MoveCause) -> String {
    let took = match movement.duration_ms.unwrap_or_default() {
        0..100 => "under 0.1 s".to_owned(),
        took => format!("{}.{} s", took / 1000, took % 1000 / 100),
    };
    let from = place(movement.from.as_ref());
    format!("The license interface moved from {from} to {} in {took}, because {}.", movement.to, cause.in_words())
}

/// That another run moved it.
pub(crate) fn moved_by_another_run(to: &InstanceId) -> String {
    format!("Another run attached the interface to {to} at the same time. That run reports the move.")
}

/// That a move was refused.
pub(crate) fn refused(refusal: &Refusal) -> String {
    format!("The interface was not moved: {}.", refusal.in_words())
}

/// That the holder was started where it is.
pub(crate) fn started(instance: &InstanceId) -> String {
    format!(
        "{instance}, which holds the license interface, was started in place because it was stopped and no standby was ready \
         to take the interface."
    )
}

/// That EC2 has not completed an attach.
pub(crate) fn arriving(to: &InstanceId) -> String {
    format!(
        "EC2 accepted the request to attach the license interface to {to} and is still attaching it. The next run continues \
         from there."
    )
}
