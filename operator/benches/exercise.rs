//! The benchmark of the exercise: how long after a moment its line comes.
//!
//! ```text
//! cargo bench --bench exercise                    a table
//! cargo bench --bench exercise -- --json          the same as JSON
//! ```
//!
//! The real command and the real function run against the simulator over loopback, in real time. A thread looks at the simulated
//! EC2 all the time, so it knows when each moment has come. The exit status is 1 if a line comes later than [`LIMIT`].

#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/support/desk.rs"]
mod desk;
#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/support/exercise.rs"]
mod exercising;
#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/support/lambda.rs"]
mod lambda;
#[path = "../../tests/support/served.rs"]
mod served;
#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/support/standard.rs"]
mod standard;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use simulator::world::region::{AttachmentStatus, InstanceState};
use simulator::{Simulator, names};
use token_failover_operator::exercise::Moment;

use crate::desk::Desk;
use crate::exercising::{Deployed, Running, pair};

/// The latest that a line may come.
const LIMIT: Duration = Duration::from_millis(100);
/// How often each exercise runs.
const RUNS: usize = 5;
/// The exercises: a name, and the arguments.
const EXERCISES: [(&str, &[&str]); 2] =
    [("there and back", &[]), ("after a stop, and back", &["--stop-holder", "--return"])];
/// The moments that EC2's state shows. What the simulated ports answer does not depend on the time.
const MOMENTS: [Moment; 7] = [
    Moment::Begun,
    Moment::HolderStopped,
    Moment::DetachAccepted,
    Moment::Free,
    Moment::AttachAccepted,
    Moment::Attached,
    Moment::Reported,
];

/// What EC2 shows of a move.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    attachment: Option<(String, AttachmentStatus)>,
    is_pending: bool,
    is_holder_stopped: bool,
}

impl Shown {
    fn by(simulator: &Simulator) -> Self {
        simulator.world(|world| {
            let region = world.region();
            let interface = region.interface(names::INTERFACE).expect("it exists");
            Self {
                attachment: interface.attachment.as_ref().map(|attachment| (attachment.id.clone(), attachment.status)),
                is_pending: interface.tags.keys().any(|key| key.starts_with("token-failover:owed:")),
                is_holder_stopped: region.instance(names::HOLDER).expect("it exists").state == InstanceState::Stopped,
            }
        })
    }

    /// Whether the moment has come, in a move from this attachment.
    fn has_come_to(&self, moment: Moment, departed: &str) -> bool {
        let status = self.attachment.as_ref().map(|(id, status)| (id != departed, *status));
        match moment {
            Moment::Begun => self.is_pending,
            Moment::HolderStopped => self.is_holder_stopped,
            Moment::DetachAccepted => status != Some((false, AttachmentStatus::Attached)),
            Moment::Free => status.is_none_or(|(is_new, _)| is_new),
            Moment::AttachAccepted => status.is_some_and(|(is_new, _)| is_new),
            Moment::Attached => status == Some((true, AttachmentStatus::Attached)),
            Moment::Reported => status == Some((true, AttachmentStatus::Attached)) && !self.is_pending,
            Moment::StandbyRunning | Moment::PortsAnswering | Moment::LicensesServed => false,
        }
    }
}

/// Writes down each change of what EC2 shows, until the exercise is over.
fn watched(simulator: &Simulator, is_over: &AtomicBool) -> Vec<(Instant, Shown)> {
    let mut changes: Vec<(Instant, Shown)> = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let shown = Shown::by(simulator);
        if changes.last().is_none_or(|(_, last)| *last != shown) {
            changes.push((Instant::now(), shown));
        }
        thread::sleep(Duration::from_millis(1));
    }
    changes
}

/// How long after its moment each line of one exercise came.
fn delays(number: usize, arguments: &[&str]) -> Vec<(Moment, Duration)> {
    let desk = Desk::new(&format!("bench-exercise-{number}"), pair());
    let _deployed = Deployed::start(&desk);
    let is_over = Arc::new(AtomicBool::new(false));
    let watching = thread::spawn({
        let (simulator, is_over) = (desk.simulator.clone(), Arc::clone(&is_over));
        move || watched(&simulator, &is_over)
    });
    let running = Running::start(&desk, arguments);
    let lines: Vec<(Instant, String)> = running.lines.iter().map(|line| (Instant::now(), line)).collect();
    let (status, _) = running.ended();
    is_over.store(true, Ordering::Relaxed);
    let changes = watching.join().expect("it only looks");
    assert_eq!(status, Some(0), "{lines:?}");

    let mut legs: Vec<Vec<(Instant, String)>> = Vec::new();
    for (at, line) in lines {
        if line.contains(": an operator's failover") || line.contains(": after a stop, by the function") {
            legs.push(Vec::new());
        }
        if let Some(leg) = legs.last_mut() {
            leg.push((at, line));
        }
    }
    legs.iter().flat_map(|leg| delays_of(leg, &changes)).collect()
}

/// The same for the lines of one move.
fn delays_of(lines: &[(Instant, String)], changes: &[(Instant, Shown)]) -> Vec<(Moment, Duration)> {
    let Some((began, _)) = lines.first() else { return Vec::new() };
    let before = changes.iter().take_while(|(at, _)| at <= began).last();
    let (_, before) = before.expect("EC2 was looked at before the move");
    let (departed, _) = before.attachment.as_ref().expect("the interface is attached before the move");
    let during = || changes.iter().filter(|(at, _)| at > began);
    let delay = |moment: Moment| {
        let (told, _) = lines.iter().find(|(_, line)| line.ends_with(moment.words()))?;
        let (came, _) = during().find(|(_, shown)| shown.has_come_to(moment, departed))?;
        Some((moment, told.saturating_duration_since(*came)))
    };
    MOMENTS.into_iter().filter_map(delay).collect()
}

/// The delays of one moment over all runs of an exercise, in milliseconds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    exercise: &'static str,
    moment: Moment,
    lines: usize,
    median_ms: u128,
    longest_ms: u128,
}

fn row(exercise: &'static str, moment: Moment, all: &[(Moment, Duration)]) -> Option<Row> {
    let mut delays: Vec<u128> =
        all.iter().filter(|(of, _)| *of == moment).map(|(_, delay)| delay.as_millis()).collect();
    delays.sort_unstable();
    let (median_ms, longest_ms) = (*delays.get(delays.len() / 2)?, *delays.last()?);
    Some(Row { exercise, moment, lines: delays.len(), median_ms, longest_ms })
}

fn main() -> ExitCode {
    let mut as_json = false;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--json" => as_json = true,
            // cargo bench passes this argument to every benchmark.
            "--bench" => {}
            other => {
                eprintln!("error: {other} is not known\n\nUsage: cargo bench --bench exercise [-- --json]");
                return ExitCode::from(2);
            }
        }
    }
    let mut rows = Vec::new();
    for (number, (exercise, arguments)) in EXERCISES.into_iter().enumerate() {
        let all: Vec<_> = (0..RUNS).flat_map(|run| delays(number * RUNS + run, arguments)).collect();
        rows.extend(MOMENTS.into_iter().filter_map(|moment| row(exercise, moment, &all)));
    }
    if as_json {
        println!("{}", serde_json::to_string_pretty(&rows).expect("it has only names and numbers"));
    } else {
        println!("Milliseconds from a moment to its line.\n");
        println!("{:<24}{:<18}{:>6}{:>8}{:>9}", "exercise", "moment", "lines", "median", "longest");
        for Row { exercise, moment, lines, median_ms, longest_ms } in &rows {
            println!("{exercise:<24}{:<18}{lines:>6}{median_ms:>8}{longest_ms:>9}", moment.to_string());
        }
    }
    let late = rows.iter().filter(|row| row.longest_ms > LIMIT.as_millis()).count();
    if late > 0 {
        eprintln!("error: lines of {late} moments came later than {} ms", LIMIT.as_millis());
        return ExitCode::from(1);
    }
    ExitCode::SUCCESS
}
