//! The laws under every fault: thousands of small worlds, each drawn from a seed, and a checker that sees every call.
//!
//! For a seed that breaks a law, the output has its story and the command that plays it again. See `docs/laws.md`.
//!
//! ```text
//!   seed ── scenario ──► play ──► function ──► proxy ──► below or wire ──► simulator
//!                         │                      │                            │
//!                         └─────── checker ◄─────┴────────────────────────────┘
//! ```

mod checker;
mod play;
mod proxy;
mod scenario;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Instant;

use simulator::Like;

use self::checker::{Tally, Violation};
use self::play::Played;
pub(crate) use self::play::{Lane, play};
use self::scenario::Kind;
use crate::standard::root;

/// The figures of all threads.
#[derive(Default)]
struct Sum {
    tally: Tally,
    worlds: BTreeMap<Kind, u64>,
    broken: BTreeMap<u64, Violation>,
}

impl Sum {
    fn add(&mut self, played: &Played) {
        self.tally.add(&played.tally);
        *self.worlds.entry(played.scenario.kind).or_default() += 1;
        if let Some(violation) = played.violations.first() {
            self.broken.insert(played.scenario.seed, violation.clone());
        }
    }
}

/// A number from an environment variable, such as `LAWS_WORLDS` or `LAWS_SEED`.
pub(crate) fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is {value:?}, not a number")))
}

/// The account that the worlds are like: the record in the file that `LAWS_LIKE` names, or one that shows nothing.
pub(crate) fn account() -> &'static Like {
    static ACCOUNT: LazyLock<Like> = LazyLock::new(|| match std::env::var("LAWS_LIKE") {
        Ok(path) => {
            // The tests of each package run in its own folder.
            let path = root().join(path);
            let read =
                Like::read(path.to_str().expect("UTF-8")).unwrap_or_else(|problem| panic!("LAWS_LIKE: {problem}"));
            read.notes.iter().for_each(|note| eprintln!("note: {note}"));
            read
        }
        Err(_) => Like::default(),
    });
    &ACCOUNT
}

/// Plays the worlds of these seeds on all processors. Stops after 20 worlds in which a law was broken.
fn play_all(seeds: Range<u64>, lane: impl Lane, account: &Like) -> Sum {
    let next = AtomicU64::new(seeds.start);
    let enough = AtomicBool::new(false);
    let max_broken = if variable("LAWS_ALL").is_some() { usize::MAX } else { 20 };
    let sum = Mutex::new(Sum::default());
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || enough.load(Ordering::Relaxed) {
                        break;
                    }
                    let played = play(seed, lane, account, false);
                    let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                    sum.add(&played);
                    enough.store(sum.broken.len() >= max_broken, Ordering::Relaxed);
                }
            });
        }
    });
    sum.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Plays the worlds, prints the figures and, if a law was broken, panics with the story of the first seed that broke
/// it.
pub(crate) fn soak(seeds: Range<u64>, lane: impl Lane, account: &Like) {
    let began = Instant::now();
    let Range { start, end } = seeds;
    let sum = play_all(seeds, lane, account);
    let seconds = began.elapsed().as_secs_f64();
    let worlds = sum.worlds.values().sum::<u64>();
    let mut text = format!("\nThe laws, {lane:?}, seeds {start} to {end}: {worlds} worlds in {seconds:.0} s\n");
    write_figures(&mut text, &sum);
    // The test harness captures the output of `eprint!`. The figures belong in the output of every run.
    std::io::stderr().write_all(text.as_bytes()).expect("standard error is open");
    if let Some(seed) = sum.broken.keys().next() {
        panic!("{}", story(*seed, lane, account));
    }
}

fn write_figures(text: &mut String, sum: &Sum) {
    let tally = &sum.tally;
    let list = |counts: Vec<String>| counts.join(", ");
    let worlds = list(sum.worlds.iter().map(|(kind, count)| format!("{kind:?} {count}")).collect());
    let faults = list(tally.faults.iter().map(|(fault, count)| format!("{fault:?} {count}")).collect());
    let laws = tally.laws.iter().enumerate().skip(1);
    let checked = list(laws.clone().map(|(law, count)| format!("{law}: {count}")).collect());
    let lines = [
        ("worlds by kind", worlds),
        ("failovers", format!("{}, {} of them in worlds with faults", tally.failovers, tally.failovers_with_faults)),
        ("invocations", format!("{}, {} of them killed", tally.invocations, tally.killed)),
        ("calls", tally.calls.to_string()),
        ("faults injected", format!("{} ({faults})", tally.faults.values().sum::<u64>())),
        ("acts of others", tally.acts.to_string()),
        ("messages", tally.messages.to_string()),
        ("laws checked", format!("{} times ({checked})", laws.map(|(_, count)| count).sum::<u64>())),
        ("violations", sum.broken.len().to_string()),
    ];
    for (name, value) in lines {
        let _ = writeln!(text, "  {name:<16} {value}");
    }
    let mut by_law: BTreeMap<u8, Vec<(u64, &str)>> = BTreeMap::new();
    for (seed, violation) in &sum.broken {
        by_law.entry(violation.law).or_default().push((*seed, &violation.what));
    }
    for (law, broken) in by_law {
        let _ = writeln!(text, "  law {law} is broken in {} worlds", broken.len());
        let max = if variable("LAWS_ALL").is_some() { usize::MAX } else { 10 };
        for (seed, what) in broken.iter().take(max) {
            let _ = writeln!(text, "    {seed}: {what}");
        }
    }
}

/// The story of a seed, for people.
pub(crate) fn story(seed: u64, lane: impl Lane, account: &Like) -> String {
    let played = play(seed, lane, account, true);
    let mut text = format!("\nSeed {seed}, {:?}, {lane:?}\n\n", played.scenario.kind);
    for line in &played.scenario.description {
        let _ = writeln!(text, "  {line}");
    }
    for intervention in &played.scenario.acts {
        let _ = writeln!(text, "  {intervention}");
    }
    for line in played.scenario.faults.lines() {
        let _ = writeln!(text, "  {line}");
    }
    let _ = write!(text, "\n{}", played.story);
    for violation in &played.violations {
        let _ = write!(text, "\nLaw {} is broken: {}\n", violation.law, violation.what);
    }
    let package = lane.package();
    let like = std::env::var("LAWS_LIKE").map(|path| format!("LAWS_LIKE={path} ")).unwrap_or_default();
    let _ = write!(
        text,
        "\nPlay it again: {like}LAWS_SEED={seed} cargo test --package {package} --test suite laws::replay -- --nocapture\n"
    );
    text
}
