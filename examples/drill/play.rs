//! Plays a scenario: builds the world, causes the failure, invokes the real function, and checks the end.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future;
use serde_json::Value;
use simulator::world::World;
use simulator::{Call, Like, Simulator, names};
use token_failover::model::failure::Failure;
use token_failover::model::reason::Reason;
use token_failover::model::report::{Outcome, Report};
use tokio::time::sleep;

use super::scenarios::{Act, Expected, Place, Scenario};
use super::timeline::{Sink, Timeline, Who, role};
use crate::standard::event;
use crate::support::Stage;

/// The result of a drill.
pub(crate) struct Played {
    /// The answer of each invocation in order, with the number of its function.
    pub(crate) answers: Vec<(Who, Result<Report, Failure>)>,
    /// The published messages.
    pub(crate) mails: Vec<Mail>,
    /// The holder of the interface, and its MAC address. `None`: the interface does not exist.
    pub(crate) interface: Option<(Option<String>, String)>,
    /// Every difference from the expected end.
    pub(crate) problems: Vec<String>,
}

/// A notification as SNS delivers it by email.
pub(crate) struct Mail {
    /// The subject.
    pub(crate) subject: String,
    /// The text.
    pub(crate) body: String,
}

/// Describes the world at the start of a scenario.
pub(crate) fn introduction(scenario: &Scenario, account: &Like) -> Vec<String> {
    let world = (scenario.world)().like(account).world();
    let is_member = |id: &str| members(scenario).any(|member| member == id);
    let described = |id: &str| {
        let state = world.region().instance(id).map_or("not there", |instance| instance.state.name());
        format!("{id} ({state})")
    };
    let holder = world.holder_of(names::INTERFACE).unwrap_or("nothing");
    let standbys: Vec<String> = members(scenario).filter(|id| *id != holder).map(described).collect();
    let kind = if is_member(holder) { "holder" } else { "non-member" };
    vec![
        format!("The license is bound to the MAC address {} of {}.", names::MAC, names::INTERFACE),
        format!("The interface is on {kind} {}; standby: {}.", described(holder), standbys.join(", ")),
    ]
}

fn members(scenario: &Scenario) -> impl Iterator<Item = &'static str> {
    let set = scenario.settings.iter().find(|(name, _)| *name == "TOKEN_SERVER_INSTANCE_IDS").map(|(_, value)| *value);
    let set = set.filter(|ids| !ids.is_empty());
    let pair = [names::HOLDER, names::STANDBY];
    let chosen: Vec<&'static str> = set.map_or_else(|| pair.to_vec(), |value| value.split(',').collect());
    chosen.into_iter()
}

/// Plays a scenario in an account like this one, on tokio's clock, real or paused.
pub(crate) async fn play(scenario: &'static Scenario, account: &Like, sink: Sink) -> Played {
    let epoch = epoch(scenario);
    let simulator = (scenario.world)().like(account).epoch(epoch).build();
    let timeline = Timeline::new(&simulator, sink);
    let stages: Vec<Vec<Run>> = scenario.acts.iter().map(|act| runs(scenario, act, &simulator, &timeline)).collect();
    // Building the functions takes time. The clock starts now.
    simulator.reset();
    simulator.observe(timeline.observer());
    (scenario.disruption)(&simulator);
    simulator.world(|world| {
        (scenario.incident)(world);
        timeline.look(Duration::ZERO, world);
    });

    let mut played = Played { answers: Vec::new(), mails: Vec::new(), interface: None, problems: Vec::new() };
    for (act, runs) in scenario.acts.iter().zip(&stages) {
        (act.before)(&simulator);
        if let Some(process) = runs.first() {
            played.problems.extend(live(&process.stage, act.passes, &timeline).await);
        }
        for run in runs {
            let function = if runs.len() > 1 { run.who.to_string() } else { format!("the {}", run.who) };
            timeline.say(Who::Event, format!("events/{}.json invokes {function}", run.document), false);
        }
        // The simulator performs due processes when it is read. Constant reads show each one in time.
        let ticking = async {
            loop {
                sleep(Duration::from_millis(5)).await;
                simulator.world(|_| ());
            }
        };
        let answers = tokio::select! {
            answers = future::join_all(runs.iter().map(|run| run.answer(&timeline))) => answers,
            () = ticking => unreachable!("the ticks never end"),
        };
        played.problems.extend(surprise(act, &answers));
        played.answers.extend(runs.iter().map(|run| run.who).zip(answers));
    }

    let is_move = |call: &&Call| call.changed && call.action == "AttachNetworkInterface";
    let moves = simulator.journal().iter().filter(is_move).count();
    played.mails = simulator.messages().into_iter().map(mail).collect();
    played.interface = simulator.world(interface);
    played.problems.extend(wrong_end(scenario, &played, moves));
    played
}

/// One invocation: its document and its function.
struct Run {
    document: &'static str,
    who: Who,
    stage: Stage,
}

impl Run {
    async fn answer(&self, timeline: &Timeline) -> Result<Report, Failure> {
        let answer = self.stage.invoke(event(self.document)).await;
        let (what, bad) = match &answer {
            Ok(report) => (format!("answer: {} ({})", report.outcome, report.reason), false),
            Err(failure) => (format!("fail with {}, so that Lambda retries", failure.error_type()), true),
        };
        timeline.say(self.who, what, bad);
        answer
    }
}

/// Lets time pass as AWS does: each event invokes the function, and so does the schedule, once a minute. Returns the invocations
/// that failed.
async fn live(stage: &Stage, passes: Duration, timeline: &Timeline) -> Vec<String> {
    let mut failed = Vec::new();
    let simulator = &stage.simulator;
    let (end, mut next) = (simulator.now() + passes, simulator.now() + Duration::from_secs(60));
    while simulator.now() < end {
        let mut documents: Vec<Value> = Vec::new();
        for due in simulator.take_events() {
            let document = due.document();
            let what = document["detail-type"].as_str().unwrap_or_default();
            timeline.say(Who::Event, format!("{what} invokes the function"), false);
            documents.push(document);
        }
        if simulator.now() >= next {
            next += Duration::from_secs(60);
            documents.push(event("schedule"));
        }
        for document in documents {
            if let Err(failure) = stage.invoke(document).await {
                failed.push(format!("an invocation failed: {failure}"));
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
    failed
}

/// The invocations of an act. Lambda runs simultaneous invocations in several environments, so each has its own
/// function.
fn runs(scenario: &Scenario, act: &'static Act, simulator: &Simulator, timeline: &Timeline) -> Vec<Run> {
    let run = |(index, (document, _)): (usize, &(&'static str, Expected))| {
        let number = (act.invocations.len() > 1).then_some(index + 1);
        let recorder = timeline.recorder(number);
        let stage = Stage::recorded(simulator.clone(), scenario.settings, recorder).beginning_at(epoch(scenario));
        Run { document, who: Who::Function(number), stage }
    };
    act.invocations.iter().enumerate().map(run).collect()
}

/// The time of the scenario's first document, at which it begins.
fn epoch(scenario: &Scenario) -> DateTime<Utc> {
    let documents = scenario.acts.iter().flat_map(|act| act.invocations).map(|(name, _)| event(name));
    let times = documents.filter_map(|document| document.get("time")?.as_str()?.parse().ok());
    // The request of an operator has no time.
    times.min().unwrap_or_else(|| "2026-11-11T21:29:54Z".parse().expect("a time"))
}

fn interface(world: &mut World) -> Option<(Option<String>, String)> {
    let interface = world.interface(names::INTERFACE)?;
    let holder = interface.attachment.as_ref().map(|attachment| attachment.instance_id.clone());
    Some((holder, interface.mac_address.clone()))
}

fn mail(message: simulator::world::Message) -> Mail {
    let protocols: Value = serde_json::from_str(&message.message).unwrap_or_default();
    let body = protocols["email"].as_str().unwrap_or(&message.message).to_owned();
    Mail { subject: message.subject.unwrap_or_default(), body }
}

/// The differences from the expected answers.
fn surprise(act: &Act, answers: &[Result<Report, Failure>]) -> Vec<String> {
    let pairs = act.invocations.iter().zip(answers);
    let surprises = pairs.filter(|((_, expected), answer)| !expected.is_met_by(answer.as_ref()));
    surprises.map(|((name, expected), answer)| format!("{name}: expected {expected}, got {}", came(answer))).collect()
}

/// An answer in one line.
pub(crate) fn came(answer: &Result<Report, Failure>) -> String {
    match answer {
        Ok(report) => format!("{} ({})", report.outcome, report.reason),
        Err(failure) => failure.error_type().to_owned(),
    }
}

impl Expected {
    fn is_met_by(self, answer: Result<&Report, &Failure>) -> bool {
        match (self, answer) {
            (Self::Report(outcome, reason), Ok(report)) => {
                (outcome, reason) == (report.outcome, report.reason.as_str())
            }
            (Self::MovedByOneOfUs, Ok(report)) => {
                report.outcome == Outcome::Moved || report.reason == Reason::MovedByAnotherRun
            }
            (Self::Failure(error_type), Err(failure)) => error_type == failure.error_type(),
            _ => false,
        }
    }
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Report(outcome, reason) => write!(f, "{outcome} ({reason})"),
            Self::MovedByOneOfUs => f.write_str("moved or moved-by-another-run"),
            Self::Failure(error_type) => f.write_str(error_type),
        }
    }
}

/// The faults at the end of a drill, except those of the answers.
fn wrong_end(scenario: &Scenario, played: &Played, moves: usize) -> Vec<String> {
    let mut problems = Vec::new();
    let holder = played.interface.as_ref().map(|(holder, _)| holder.as_deref());
    match (scenario.ends_on, holder) {
        (Place::Lost, None) => {}
        (Place::On(expected), Some(Some(holder))) if expected == holder => {}
        (expected, holder) => {
            let expected = match expected {
                Place::On(id) => format!("on the {}", role(id)),
                Place::Lost => "gone".to_owned(),
            };
            let found = match holder {
                None => "gone".to_owned(),
                Some(None) => "attached to nothing".to_owned(),
                Some(Some(id)) => format!("on the {}", role(id)),
            };
            problems.push(format!("the interface: expected {expected}, is {found}"));
        }
    }
    if moves != scenario.moves {
        problems.push(format!("attached {moves} times, expected {}", scenario.moves));
    }
    if played.mails.len() != scenario.mails {
        problems.push(format!("sent {} mails, expected {}", played.mails.len(), scenario.mails));
    }
    if let Some((_, mac)) = &played.interface {
        if mac != names::MAC {
            problems.push(format!("the MAC address changed from {} to {mac}", names::MAC));
        }
        if played.mails.iter().any(|mail| !mail.body.contains(mac.as_str())) {
            problems.push(format!("a mail does not name the MAC address {mac}"));
        }
    }
    problems
}
