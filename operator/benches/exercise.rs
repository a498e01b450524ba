//! The benchmark of the exercise: how long after a moment its line comes, and how long the whole exercise takes.
//!
//! ```text
//! cargo bench --bench exercise                    a table
//! cargo bench --bench exercise -- --json          the same as JSON
//! ```
//!
//! The real command and the real function run against the simulator over loopback, in real time. A thread looks at the simulated
//! EC2 all the time, so it knows when each moment has come. The exit status is 1 if a line comes later than [`LIMIT`], or if an
//! exercise takes longer than what EC2 needs for it and [`RESERVE`].

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
use simulator::world::Timings;
use simulator::world::region::{AttachmentStatus, InstanceState};
use simulator::{Scenario, Simulator, names};
use token_failover_operator::exercise::Moment;

use crate::desk::Desk;
use crate::exercising::{Deployed, Running, pair, quick};

/// The latest that a line may come.
const LIMIT: Duration = Duration::from_millis(100);
/// What an exercise may take longer than EC2 needs for its moves.
const RESERVE: Duration = Duration::from_secs(2);
/// How often each exercise runs.
const RUNS: usize = 5;

/// An exercise that is measured.
struct Measured {
    name: &'static str,
    arguments: &'static [&'static str],
    world: fn() -> Scenario,
    /// How long EC2 needs for all of it; `None`: the exercise also waits for what depends on the time at which it looks.
    own: Option<Duration>,
}

fn exercises() -> [Measured; 3] {
    let there_and_back = (quick().detach + quick().attach) * 2;
    [
        Measured { name: "there and back", arguments: &[], world: pair, own: Some(there_and_back) },
        Measured { name: "with a cold standby", arguments: &[], world: cold, own: Some(there_and_back + BOOT) },
        Measured { name: "after a stop, and back", arguments: &["--stop-holder", "--return"], world: pair, own: None },
    ]
}

/// How long the cold standby boots. After 5 s, a run reads an instance less often.
const BOOT: Duration = Duration::from_secs(6);

fn cold() -> Scenario {
    pair().timings(Timings { boot: BOOT, ..quick() }).instance(names::STANDBY, |standby| standby.stopped())
}

/// The moments that EC2's state shows. What the simulated ports answer does not depend on the time.
const MOMENTS: [Moment; 8] = [
    Moment::Begun,
    Moment::HolderStopped,
    Moment::DetachAccepted,
    Moment::Free,
    Moment::AttachAccepted,
    Moment::Attached,
    Moment::StandbyRunning,
    Moment::Reported,
];

/// What EC2 shows of a move.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    attachment: Option<(String, AttachmentStatus)>,
    is_pending: bool,
    is_holder_stopped: bool,
    is_standby_running: bool,
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
                is_standby_running: region.instance(names::STANDBY).expect("it exists").state == InstanceState::Running,
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
            Moment::StandbyRunning => self.is_standby_running,
            Moment::PortsAnswering | Moment::LicensesServed => false,
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

/// How long after its moment each line of one exercise came, and how long the exercise took, from the answer to its question until
/// its end.
fn delays(number: usize, exercise: &Measured) -> (Vec<(Moment, Duration)>, Duration) {
    let desk = Desk::new(&format!("bench-exercise-{number}"), (exercise.world)());
    let _deployed = Deployed::start(&desk);
    let is_over = Arc::new(AtomicBool::new(false));
    let watching = thread::spawn({
        let (simulator, is_over) = (desk.simulator.clone(), Arc::clone(&is_over));
        move || watched(&simulator, &is_over)
    });
    let running = Running::start(&desk, exercise.arguments);
    let lines: Vec<(Instant, String)> = running.lines.iter().map(|line| (Instant::now(), line)).collect();
    let (status, _) = running.ended();
    let ended = Instant::now();
    is_over.store(true, Ordering::Relaxed);
    let changes = watching.join().expect("it only looks");
    assert_eq!(status, Some(0), "{lines:?}");

    let mut legs: Vec<Vec<(Instant, String)>> = Vec::new();
    let mut began = ended;
    for (at, line) in lines {
        if line.contains(": an operator's failover") || line.contains(": after a stop, by the function") {
            legs.push(Vec::new());
        }
        if let Some(leg) = legs.last_mut() {
            leg.push((at, line));
        } else {
            // The last line before the moves is the end of what is asked.
            began = at;
        }
    }
    (legs.iter().flat_map(|leg| delays_of(leg, &changes)).collect(), ended - began)
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

/// How long the runs of an exercise took in all, in milliseconds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Whole {
    exercise: &'static str,
    /// How long EC2 needs for it.
    own_ms: u128,
    median_ms: u128,
    longest_ms: u128,
}

impl Whole {
    fn of(exercise: &Measured, mut took: Vec<Duration>) -> Option<Self> {
        took.sort_unstable();
        let (median, longest) = (took.get(took.len() / 2)?, took.last()?);
        Some(Self {
            exercise: exercise.name,
            own_ms: exercise.own?.as_millis(),
            median_ms: median.as_millis(),
            longest_ms: longest.as_millis(),
        })
    }
}

/// All that was measured.
#[derive(Debug, Default, Serialize)]
struct Results {
    lines: Vec<Row>,
    exercises: Vec<Whole>,
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
    let mut results = Results::default();
    for (number, exercise) in exercises().iter().enumerate() {
        let runs = (0..RUNS).map(|run| delays(number * RUNS + run, exercise));
        let (delays, took): (Vec<_>, Vec<_>) = runs.unzip();
        let all = delays.concat();
        results.lines.extend(MOMENTS.into_iter().filter_map(|moment| row(exercise.name, moment, &all)));
        results.exercises.extend(Whole::of(exercise, took));
    }
    let Results { lines, exercises } = &results;
    if as_json {
        println!("{}", serde_json::to_string_pretty(&results).expect("it has only names and numbers"));
    } else {
        println!("Milliseconds from a moment to its line.\n");
        println!("{:<24}{:<18}{:>6}{:>8}{:>9}", "exercise", "moment", "lines", "median", "longest");
        for Row { exercise, moment, lines, median_ms, longest_ms } in lines {
            println!("{exercise:<24}{:<18}{lines:>6}{median_ms:>8}{longest_ms:>9}", moment.to_string());
        }
        println!("\nMilliseconds of a whole exercise, and those that EC2 needs for its moves.\n");
        println!("{:<24}{:>8}{:>8}{:>9}", "exercise", "EC2", "median", "longest");
        for Whole { exercise, own_ms, median_ms, longest_ms } in exercises {
            println!("{exercise:<24}{own_ms:>8}{median_ms:>8}{longest_ms:>9}");
        }
    }
    let late = lines.iter().filter(|row| row.longest_ms > LIMIT.as_millis()).count();
    if late > 0 {
        eprintln!("error: lines of {late} moments came later than {} ms", LIMIT.as_millis());
    }
    let is_long = |whole: &&Whole| whole.longest_ms > whole.own_ms + RESERVE.as_millis();
    let long = exercises.iter().filter(is_long).count();
    if long > 0 {
        eprintln!("error: {long} exercises took more than {} ms longer than EC2 needs", RESERVE.as_millis());
    }
    if late + long > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS }
}
