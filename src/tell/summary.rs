//! Sentences of a report's summary.

use std::time::Duration;

use crate::decide::pause::{News, NewsKind, of};
use crate::decide::pending::{Due, DueOutcome};
use crate::decide::plan::unpaused;
use crate::decide::problem;
use crate::decide::problem::LastMail;
use crate::model::config::Config;
use crate::model::ids::InstanceId;
use crate::model::observation::Observation;
use crate::model::pause::{Pause, in_words};
use crate::model::plan::{Action, Decision, KeepReason, MoveCause, Refusal};
use crate::model::report::Movement;
use crate::model::request::{Announced, Intent};
use crate::model::tags::PAUSED;

/// What the pause holds back, in words.
pub(crate) fn held_back(config: &Config, observation: &Observation) -> String {
    let until = of(observation).map_or_else(String::new, |pause| format!(" until {}", pause.in_words()));
    let without = match unpaused(config, observation, &Intent::Reconcile, Duration::MAX).decision {
        Decision::Act(Action::Move(planned)) => {
            let from = planned.from.and_then(|from| from.instance_id);
            let to = planned.targets.first.attach.instance_id;
            format!("Without the pause, {}.", would_move(from.as_ref(), &to))
        }
        Decision::Act(Action::Start(start)) => {
            format!("Without the pause, the function would start {}, which is stopped, in place.", start.instance_id)
        }
        Decision::Act(Action::Refuse(refusal)) => {
            format!("Without the pause, the function would refuse to move the interface: {}.", refusal.in_words())
        }
        Decision::Act(Action::Keep { .. } | Action::CannotTell(_)) | Decision::LookAgain { .. } => {
            "Nothing has to move now.".to_owned()
        }
    };
    format!("token-failover is paused{until}, so it did nothing. {without}")
}

/// The move that the function would make.
fn would_move(from: Option<&InstanceId>, to: &InstanceId) -> String {
    match from {
        Some(from) => format!("the interface would move from {from} to {to}"),
        None => format!("the function would attach the interface to {to}"),
    }
}

/// Where the interface was, in words.
fn place(instance: Option<&InstanceId>) -> String {
    instance.map_or_else(|| "nothing".to_owned(), ToString::to_string)
}

/// The sentence for a run that moved nothing.
pub(crate) fn kept(reason: KeepReason, holder: Option<&InstanceId>) -> String {
    let holder = place(holder);
    match reason {
        KeepReason::HolderHealthy => {
            format!("{holder} is running and holds the interface. No action was needed.")
        }
        KeepReason::HolderStarting => format!("{holder} is starting and holds the interface. Nothing was changed."),
        KeepReason::StatusChecksUnreadable => {
            format!(
                "{holder} is running and holds the interface, but its status checks could not be read. Nothing was changed."
            )
        }
        KeepReason::HolderStateUnknown => {
            format!(
                "{holder} holds the interface but is in a state that this version does not know. Nothing was changed."
            )
        }
        KeepReason::EventOutdated => {
            format!(
                "The event says that {holder} failed. EC2 says, each time the function asks, that {holder} is running. Nothing \
                 was changed."
            )
        }
        KeepReason::LifecycleActionOver => "The event says that an Auto Scaling group is about to terminate a member. Auto \
             Scaling does not say so, each time the function asks, so the lifecycle action is over. Nothing was changed."
            .to_owned(),
        KeepReason::AwaitingStandby => format!(
            "{holder} is running and holds the interface, and is about to go. The interface moves as soon as a standby has \
             started. Nothing was changed."
        ),
        KeepReason::NowhereToRebalance => format!(
            "EC2 recommends a move away from {holder}, which is running and holds the interface. No standby can take the \
             interface, so it stays. Nothing was changed."
        ),
        // The pause has its own sentences.
        KeepReason::Paused => String::new(),
        KeepReason::AlreadyOnTarget => format!("{holder} already holds the interface. No action was needed."),
        KeepReason::InterfaceArriving => {
            format!(
                "EC2 is attaching the interface to {holder}, and another run is waiting for it. Nothing was changed."
            )
        }
    }
}

/// The sentences for a move. `missed`: the target that has not taken the interface.
pub(crate) fn moved(movement: &Movement, cause: MoveCause, missed: Option<&InstanceId>) -> String {
    let took = match movement.duration_ms.unwrap_or_default() {
        0..100 => "under 0.1 s".to_owned(),
        took => format!("{}.{} s", took / 1000, took % 1000 / 100),
    };
    let (to, because) = (&movement.to, cause.in_words());
    let missed = missed.map_or_else(String::new, |missed| format!(" {missed} did not take the interface."));
    match &movement.from {
        Some(from) => format!("The license interface moved from {from} to {to} in {took}, because {because}.{missed}"),
        None => format!("The function attached the license interface to {to} in {took}, because {because}.{missed}"),
    }
}

/// The sentence for a move that another run made.
pub(crate) fn moved_by_another_run(to: &InstanceId) -> String {
    format!("Another run attached the interface to {to} at the same moment. That run reports the move.")
}

/// The sentence for a refused move.
pub(crate) fn refused(refusal: &Refusal) -> String {
    format!("The interface was not moved: {}.", refusal.in_words())
}

/// The sentence for a start in place. `holder` is the instance that has the interface now.
pub fn started(instance: &InstanceId, holder: Option<&InstanceId>) -> String {
    let because = "was started in place because it was stopped and the interface could not move to a ready standby";
    if holder == Some(instance) {
        return format!("{instance}, which holds the license interface, {because}.");
    }
    let meanwhile = match holder {
        Some(holder) => format!("another run moved the interface: it is now on {holder}"),
        None => "another run detached the interface".to_owned(),
    };
    format!("{instance}, which held the license interface, {because}. Meanwhile {meanwhile}.")
}

/// The sentence for an attach that EC2 has not completed.
pub(crate) fn arriving(to: &InstanceId) -> String {
    format!(
        "EC2 accepted the request to attach the license interface to {to} and is still attaching it. The next run continues \
         from there."
    )
}

/// The sentences for a change that another run has left to report.
pub fn due(due: &Due, came_to: &DueOutcome) -> String {
    let started = due.report.started.map(|started| started.format(" at %Y-%m-%d %H:%M:%S UTC").to_string());
    let when = started.unwrap_or_default();
    let (_, from) = due.report.departure();
    match came_to {
        DueOutcome::Repaired => {
            let what = due.report.repairs().join(", ");
            format!(
                "A run began these repairs{when} and could not report them: {what}. They may have been made. See the checks."
            )
        }
        DueOutcome::Started => format!(
            "{} was stopped. An earlier run tried to start it in place{when} and could not report it. The instance is running \
             now.",
            place(due.to.as_ref())
        ),
        DueOutcome::Moved(Movement { to, .. }) => {
            let moved = match from {
                Some(from) => format!("The license interface moved from {from} to {to}"),
                None => format!("A run attached the license interface to {to}"),
            };
            let began = if when.is_empty() { String::new() } else { format!(" The move began{when}.") };
            format!("{moved}.{began} The run that made the move could not report it.")
        }
        DueOutcome::CameBack(to) => format!(
            "A move that began{when} was not completed: the interface is back on {to}. The run that tried the move could not \
             report it."
        ),
        DueOutcome::LeftTheMembers => {
            let from = from.map_or_else(String::new, |from| format!(" from {from}"));
            let to = match &due.to {
                Some(to) => format!("{to}, which is not a member"),
                None => "something that is not an instance".to_owned(),
            };
            format!(
                "A move of the license interface{from} began{when}, and the run that made it could not report how it ended. \
                 The interface has since been attached to {to}."
            )
        }
    }
}

/// The sentence for a change to these members that AWS has announced.
pub(crate) fn announced(what: Announced, members: &[InstanceId]) -> String {
    let members: Vec<&str> = members.iter().map(InstanceId::as_str).collect();
    let members = members.join(", ");
    let announced = match what {
        Announced::Retirement => format!("AWS will retire the hardware of {members}"),
        Announced::Termination => format!("AWS will terminate {members}"),
        Announced::Stop => format!("AWS will stop {members}"),
        Announced::Reboot => format!("AWS will reboot {members}"),
        Announced::PowerMaintenance | Announced::NetworkMaintenance | Announced::Change => {
            format!("AWS has scheduled maintenance for {members}")
        }
    };
    format!("{announced}. Nothing was moved.")
}

/// The sentences for news about a pause.
pub fn news(news: &News) -> String {
    let until = news.pause.as_ref().map(Pause::in_words).unwrap_or_default();
    match news.kind {
        NewsKind::Set => format!(
            "token-failover is paused until {until}. Until then, events and the schedule change nothing, whatever fails. An \
             operator's failover still works."
        ),
        NewsKind::EndsSoon => format!(
            "The pause ends at {until}. token-failover then acts again, and moves the interface if the holder is not running."
        ),
        NewsKind::Ended => format!("The pause ended at {until}. token-failover acts again."),
        NewsKind::Resumed => {
            format!("An operator ended the pause, which was to last until {until}. token-failover acts again.")
        }
        NewsKind::NotUnderstood => format!(
            "The tag {PAUSED} on the interface does not name an end time that is at most a week away ({}), so the function is \
             not paused and removes the tag.",
            news.value
        ),
    }
}

/// A report's summary with the decision about problems.
pub fn with_problem(summary: &str, decision: &problem::Decision) -> String {
    use problem::Decision;
    match decision {
        Decision::Tell(LastMail { since: Some(since), mailed, .. }) if Some(*since) != *mailed => {
            format!("{summary} This problem has lasted since {}.", in_words(*since))
        }
        Decision::Append(over) => format!("{summary} This ends the problem {}{}.", over.problem.code, since(over)),
        Decision::Resolve(over) => {
            let since = since(over);
            let comma = if since.is_empty() { "" } else { "," };
            format!("The problem {}{since}{comma} is over. {summary}", over.problem.code)
        }
        Decision::Nothing | Decision::Tell(_) => summary.to_owned(),
    }
}

/// `, which began at 2026-11-11 21:29:54 UTC`; empty if the time is not known.
fn since(over: &LastMail) -> String {
    over.since.map_or_else(String::new, |since| format!(", which began at {}", in_words(since)))
}
