//! The benchmark: the duration of a failover.
//!
//! ```text
//! cargo bench --bench failover                    a table
//! cargo bench --bench failover -- --json          the same as JSON
//! ```
//!
//! The table is in the simulator's time, which is exact and the same on every machine. Only the last line depends on
//! the machine and the profile: the number of failovers a second that the function and the simulator make in this
//! process.

mod measurements;
#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/support/standard.rs"]
mod standard;
#[path = "../../tests/support/mod.rs"]
#[expect(dead_code, reason = "the tests and the drill use more of it")]
mod support;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::json;
use token_failover::model::report::Outcome;

use crate::standard::event;
use crate::support::Stage;
use measurements::{BOOT, Measurement, SITUATIONS, Situation, measure, timings};

/// The time for which failovers are counted.
const COUNTED_FOR: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let mut as_json = false;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--json" => as_json = true,
            // cargo bench passes this argument to every benchmark.
            "--bench" => {}
            other => {
                eprintln!("error: {other} is not known\n\nUsage: cargo bench --bench failover [-- --json]");
                return ExitCode::from(2);
            }
        }
    }
    let situations = SITUATIONS.map(|situation| paused(measure(situation)));
    let per_second = failovers_per_second();
    if as_json {
        println!("{:#}", json!({ "situations": situations, "failoversPerSecond": per_second.round() }));
    } else {
        print_table(&situations);
        println!(
            "\n{per_second:.0} failovers a second through the SDK and the simulator, in this process and profile."
        );
    }
    ExitCode::SUCCESS
}

fn print_table(situations: &[Measurement]) {
    let timings = timings();
    println!(
        "EC2 takes {} ms a call, {} s a detach, {} s an attach, {} s a boot. Times are seconds since the invocation.\n",
        timings.call.as_millis(),
        timings.detach.as_secs(),
        timings.attach.as_secs(),
        BOOT.as_secs(),
    );
    let seconds = |ms: Option<u64>| {
        ms.map_or_else(|| "-".to_owned(), |ms| format!("{:.3}", Duration::from_millis(ms).as_secs_f64()))
    };
    let row = |cells: [&str; 7]| {
        let [name, accepted, published, answered, calls, polls, waves] = cells;
        let row = format!("{name:<22}{accepted:>16}{published:>11}{answered:>10}{calls:>11}{polls:>7}{waves:>7}");
        println!("{}", row.trim_end());
    };
    row(["", "attach accepted", "published", "answered", "EC2 calls", "polls", "waves"]);
    for measured in situations {
        row([
            measured.name,
            &seconds(measured.attach_accepted_ms),
            &seconds(measured.published_ms),
            &seconds(Some(measured.answered_ms)),
            &measured.calls.to_string(),
            &measured.polls.to_string(),
            &measured.waves.to_string(),
        ]);
    }
    row(["limit", "2.300", "3.600", "", "12", "", ""]);
    println!(
        "\nThe limits are for a running standby. With a standby that must boot, the report may follow {} s later.",
        BOOT.as_secs()
    );
}

/// Runs on a clock that jumps to the next event.
fn paused<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(work)
}

/// Whole failovers in real time, one after the other, each in a new world. As in Lambda, the clients are built once.
fn failovers_per_second() -> f64 {
    let Situation { world, document, .. } = SITUATIONS[0];
    let document = event(document);
    paused(async {
        let simulator = world().timings(timings()).build();
        let stage = Stage::recorded(simulator.clone(), &[], Box::new(|_| ()));
        let began = Instant::now();
        let mut count = 0_u32;
        while began.elapsed() < COUNTED_FOR {
            simulator.reset();
            let outcome = stage.invoke(document.clone()).await.map(|report| report.outcome);
            assert_eq!(outcome, Ok(Outcome::Moved), "nothing is disrupted");
            count += 1;
        }
        f64::from(count) / began.elapsed().as_secs_f64()
    })
}
