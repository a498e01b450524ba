//! `exercise`: a planned failover there and back, watched and timed.

mod display;
mod legs;
mod output;
mod preflight;
mod wishes;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use token_failover::model::report::milliseconds;
use token_failover::ports::Ec2;
use token_failover_operator::exercise::{Exercise, Leg, Outcome, SCHEMA_VERSION, Whereabouts, picture, whereabouts};
use tokio::time::{Instant, sleep, timeout};

use crate::asked;
use crate::ended::{Ended, Trouble};
use crate::settings::Source;
use crate::show;

use self::display::Display;
use self::legs::Legs;
use self::output::Outputs;
use self::preflight::{Ready, preflight};
pub(crate) use self::wishes::Wishes;

/// Runs the exercise, and prints its result.
pub(crate) fn exercise(source: &Source, wishes: &Wishes, json: bool) -> Result<Ended, Trouble> {
    asked::on_runtime(async {
        if !wishes.yes {
            asked::can_confirm("exercise")?;
        }
        let Outputs { svg, record } = Outputs::prepare(wishes)?;
        let mut ready = preflight(source, wishes).await?;
        anstream::eprintln!("{}", ready.announcement);
        if !wishes.yes && !asked::confirm("Begin?")? {
            return Ok(Ended::Badly);
        }
        let is_interrupted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&is_interrupted))
                .map_err(|error| Trouble::new(format!("Ctrl-C cannot be received: {error}"), ""))?;
        }
        let (started_at, began) = (SystemTime::now(), Instant::now());
        let display = Arc::new(Display::new(std::mem::take(&mut ready.recording)));
        let mut legs = Legs::new(&ready, &display);
        let ended = tokio::select! {
            ended = legs.run(wishes.stop_holder, wishes.returns()) => ended,
            () = interrupted(&is_interrupted) => Err(Trouble::new("the exercise was interrupted", "")),
        };
        let (legs_made, recording) = display.finish();
        // What was seen until an early end counts, too. An exercise that has not begun has seen nothing new.
        let recorded =
            if legs_made.is_empty() { Ok(()) } else { record.write(|| as_json(&recording.document(asked::today()))) };
        if let Err(mut trouble) = ended {
            trouble.add(left_behind(&ready, &legs).await.in_words());
            if let Err(unwritten) = recorded {
                trouble.add(unwritten.problem);
            }
            return Err(trouble);
        }
        let exercise = result(&ready, started_at, began.elapsed(), legs_made);
        if json {
            show::document(&exercise)?;
        } else {
            anstream::print!("{}", exercise.text());
        }
        // The operator has the result. What is left to do follows, whatever becomes of the files.
        if exercise.result == Outcome::NotHeld || wishes.returns() && legs.started().is_some() {
            anstream::eprintln!("{}", left_behind(&ready, &legs).await.in_words());
        }
        let written = [recorded, svg.write(|| Ok(picture(&exercise)))];
        let unwritten: Vec<Trouble> = written.into_iter().filter_map(Result::err).collect();
        for trouble in &unwritten {
            anstream::eprintln!("{}", trouble.problem);
        }
        let is_well = exercise.result == Outcome::Held && unwritten.is_empty();
        Ok(if is_well { Ended::Well } else { Ended::Badly })
    })
}

fn result(ready: &Ready, started_at: SystemTime, took: Duration, legs: Vec<Leg>) -> Exercise {
    let problems: Vec<String> = legs.iter().flat_map(Leg::problems).collect();
    Exercise {
        schema_version: SCHEMA_VERSION,
        result: if problems.is_empty() { Outcome::Held } else { Outcome::NotHeld },
        token_server: ready.config.name.clone(),
        network_interface_id: ready.config.interface_id.clone(),
        stack: ready.deployed.name.clone(),
        started_at: started_at.into(),
        duration_ms: milliseconds(took),
        legs,
        problems,
    }
}

fn as_json(document: &impl Serialize) -> Result<String, Trouble> {
    let text = serde_json::to_string_pretty(document);
    text.map(|text| text + "\n")
        .map_err(|error| Trouble::new(format!("the record could not be written as JSON: {error}"), ""))
}

/// Ends once the operator has pressed Ctrl-C, or the system asks the command to end.
async fn interrupted(flag: &AtomicBool) {
    while !flag.load(Ordering::Relaxed) {
        sleep(Duration::from_millis(50)).await;
    }
}

/// How long EC2 may take to say where the interface is at the end.
const LAST_LOOK: Duration = Duration::from_secs(10);

/// The state that an exercise leaves, and the commands that end it.
async fn left_behind(ready: &Ready, legs: &Legs<'_>) -> Whereabouts {
    let look = timeout(LAST_LOOK, ready.ec2.network_interface(&ready.config.interface_id)).await;
    let interface = look.ok().and_then(Result::ok).flatten();
    let (stopped, started) = (legs.stopped(), legs.started());
    whereabouts(
        interface.as_ref(),
        &ready.holder,
        stopped.as_ref(),
        started.as_ref(),
        &ready.again,
        &ready.deployed.region,
    )
}
