//! The laws under every fault: thousands of small worlds, each drawn from a seed, and a judge who watches every call.
//!
//! A seed that breaks a law prints its story and the command that plays it again. `docs/laws.md` says how to read it.

mod below;
mod dice;
mod door;
mod drama;
mod judge;
mod play;
mod seeds;
mod wire;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use self::drama::Kind;
use self::judge::Tally;
use self::play::{Lane, Played, play};

/// What all threads count.
#[derive(Default)]
struct Sum {
    tally: Tally,
    worlds: BTreeMap<Kind, u64>,
    broken: Vec<(u64, u8, String)>,
}

impl Sum {
    fn add(&mut self, played: &Played) {
        self.tally.add(&played.tally);
        *self.worlds.entry(played.drama.kind).or_default() += 1;
        if let Some(violation) = played.violations.first() {
            self.broken.push((played.drama.seed, violation.law, violation.what.clone()));
        }
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Plays the worlds of these seeds on all processors.
fn play_all(seeds: std::ops::Range<u64>, lane: Lane) -> Sum {
    let next = AtomicU64::new(seeds.start);
    let sum = Mutex::new(Sum::default());
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    let played = play(seed, lane, false);
                    sum.lock().expect("no thread panics").add(&played);
                }
            });
        }
    });
    sum.into_inner().expect("no thread panics")
}

/// The story of a seed, for a person.
fn story(seed: u64, lane: Lane) -> String {
    let played = play(seed, lane, true);
    let mut text = format!("\nSeed {seed}, {:?}, {lane:?}\n", played.drama.kind);
    for line in &played.drama.setting {
        text.push_str(&format!("  {line}\n"));
    }
    for cue in &played.drama.acts {
        text.push_str(&format!("  {cue}\n"));
    }
    text.push_str(&format!("  {:?}\n\n", played.drama.faults));
    text.push_str(&played.story);
    for violation in &played.violations {
        text.push_str(&format!("\nLaw {} is broken: {}\n", violation.law, violation.what));
    }
    text.push_str(&format!("\nPlay it again: LAWS_SEED={seed} cargo test --test suite laws::replay -- --nocapture\n"));
    text
}

#[test]
fn hold_under_every_fault() {
    let began = Instant::now();
    let worlds = variable("LAWS_WORLDS").unwrap_or(2_000);
    let from = variable("LAWS_FROM").unwrap_or(0);
    let sum = play_all(from..from + worlds, Lane::Below);
    eprintln!("{} worlds in {:?}: {:?}\n{:?}", worlds, began.elapsed(), sum.worlds, sum.tally);
    let mut by_law: BTreeMap<u8, Vec<(u64, String)>> = BTreeMap::new();
    for (seed, law, what) in sum.broken {
        by_law.entry(law).or_default().push((seed, what));
    }
    for (law, broken) in &by_law {
        eprintln!("Law {law}: {} worlds", broken.len());
        for (seed, what) in broken.iter().take(40) {
            eprintln!("    {seed}: {}", what.chars().take(300).collect::<String>());
        }
    }
    if let Some(broken) = by_law.values().next() {
        panic!("{}", story(broken[0].0, Lane::Below));
    }
}

#[test]
fn replay() {
    if let Some(seed) = variable("LAWS_SEED") {
        let lane = if variable("LAWS_SDK").is_some() { Lane::Sdk } else { Lane::Below };
        eprintln!("{}", story(seed, lane));
    }
}
