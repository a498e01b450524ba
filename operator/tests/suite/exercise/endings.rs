//! Exercises that end early, and what they leave.

use std::fs;
use std::thread;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use simulator::world::Timings;
use simulator::world::region::InstanceState;
use simulator::{Disruption, Scenario, names};
use token_failover::model::report::Outcome;

use super::{changes, checked, holder, pending, subjects};
use crate::desk::{Desk, status, stderr, stdout};
use crate::exercising::{Deployed, Running, pair, quick};
use crate::support::Stage;

/// What the function does by its schedule, some minutes later, when no other run can be at work anymore.
fn reconcile_after(desk: &Desk, minutes: i64) -> Outcome {
    let passed = TimeDelta::from_std(desk.simulator.now()).expect("a simulation is short");
    let at = Utc::now() - passed + TimeDelta::minutes(minutes);
    let settings = [("TOKEN_SERVER_NAME", "-"), ("TOKEN_SERVER_HOSTID", "-"), ("TOKEN_SERVER_ALLOCATION_ID", "-")];
    let stage = Stage::recorded(desk.simulator.clone(), &settings, Box::new(|_| {})).beginning_at(at);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let report = runtime.block_on(stage.invoke(json!({"action": "reconcile"}))).expect("a report");
    report.outcome
}

/// Plays each moment in a world of its own. They mostly wait.
fn at_each<T: Copy + Send>(moments: &[T], play: fn(usize, T)) {
    thread::scope(|scope| {
        for (number, moment) in moments.iter().copied().enumerate() {
            scope.spawn(move || play(number, moment));
        }
    });
}

/// A world, the arguments, the lines at the last of which the exercise is killed, and how often the interface arrives at most.
type Kill = (fn() -> Scenario, &'static [&'static str], &'static [&'static str], usize);

#[test]
fn killed_at_each_of_its_moments_the_exercise_leaves_what_the_function_takes_up() {
    const BACK: &str = "i-0bbbbbbbbbbbbbbb2 to i-0aaaaaaaaaaaaaaa1: an operator's failover";
    let cold = || pair().instance(names::STANDBY, |standby| standby.stopped());
    let with_check = || checked(pair());
    let kills: [Kill; 20] = [
        (pair, &["--one-way"], &["an operator's failover"], 1),
        (pair, &["--one-way"], &["a run began"], 1),
        (pair, &["--one-way"], &["EC2 accepted the detach"], 1),
        (pair, &["--one-way"], &["the interface was free"], 1),
        (pair, &["--one-way"], &["EC2 accepted the attach"], 1),
        (pair, &["--one-way"], &["the interface was attached"], 1),
        (pair, &["--one-way"], &["the ports answered"], 1),
        (pair, &["--one-way"], &["the report was in the topic"], 1),
        (pair, &[], &[BACK], 2),
        (pair, &[], &[BACK, "a run began"], 2),
        (pair, &[], &[BACK, "EC2 accepted the detach"], 2),
        (pair, &[], &[BACK, "the interface was free"], 2),
        (pair, &[], &[BACK, "EC2 accepted the attach"], 2),
        (pair, &[], &[BACK, "the interface was attached"], 2),
        (pair, &[], &[BACK, "the ports answered"], 2),
        (pair, &[], &[BACK, "the report was in the topic"], 2),
        // The former holder runs, so the function takes the interface back to it.
        (cold, &["--one-way"], &["the interface was attached"], 2),
        (cold, &["--one-way"], &["the standby ran"], 1),
        (cold, &[], &[BACK, "the interface was free"], 2),
        (with_check, &["--one-way"], &["licenses were served"], 1),
    ];
    at_each(&kills, killed_at);
}

fn killed_at(number: usize, (scenario, arguments, lines, most): Kill) {
    let moment = format!("{number} {arguments:?} {lines:?}");
    let desk = Desk::new(&format!("exercise-killed-{number}"), scenario());
    let mut running = Running::start(&desk, arguments);
    lines.iter().for_each(|line| running.await_line(line));
    running.kill();
    // EC2 completes what it has begun.
    thread::sleep(Duration::from_millis(600));
    let is_with_stopped = desk.simulator.world(|world| {
        let holder = world.holder_of(names::INTERFACE).and_then(|holder| world.region().instance(holder).ok());
        holder.is_some_and(|holder| holder.state == InstanceState::Stopped)
    });
    // The interface does not wait until the killed run's time is over. Its report does, and so does a holder that is to be started.
    if !is_with_stopped {
        reconcile_after(&desk, 1);
    }
    assert!(holder(&desk.simulator).is_some(), "{moment}: {:?}", desk.simulator.changes());
    reconcile_after(&desk, 6);
    reconcile_after(&desk, 7);

    let simulator = &desk.simulator;
    let (made, told) = (changes(simulator), subjects(simulator));
    let arrivals = made.iter().filter(|action| *action == "AttachNetworkInterface").count();
    assert_eq!(pending(simulator), [""; 0], "{moment}: {told:?}");
    let is_with_member = holder(simulator).is_some_and(|at| [names::HOLDER, names::STANDBY].contains(&at.as_str()));
    assert!(is_with_member && arrivals <= most, "{moment}: {:?}", simulator.changes());
    // An arrival is told at least once, and what did not happen is not told.
    let arrivals_told = told.iter().filter(|subject| subject.starts_with("MOVED")).count();
    assert!(arrivals_told >= arrivals && (arrivals > 0 || told.is_empty()), "{moment}: {told:?}");
    let again = desk.run(&["exercise", "--yes"]);
    assert_eq!(status(&again), Some(0), "{moment}: {}{}", stdout(&again), stderr(&again));
}

#[test]
fn killed_at_each_moment_after_a_stop_the_exercise_leaves_what_the_function_and_a_second_one_take_up() {
    let moments = [
        "EC2 is stopping i-0aaaaaaaaaaaaaaa1",
        "a run began",
        "the former holder stopped",
        "EC2 accepted the detach",
        "the interface was free",
        "EC2 accepted the attach",
        "the interface was attached",
        "the ports answered",
        "the report was in the topic",
        "waiting until i-0aaaaaaaaaaaaaaa1 is stopped",
        "starting i-0aaaaaaaaaaaaaaa1",
        "i-0aaaaaaaaaaaaaaa1 runs again",
        "waiting until i-0aaaaaaaaaaaaaaa1 can take the interface back",
        "i-0bbbbbbbbbbbbbbb2 to i-0aaaaaaaaaaaaaaa1: an operator's failover",
    ];
    at_each(&moments, killed_after_a_stop_at);
}

fn killed_after_a_stop_at(number: usize, moment: &str) {
    let timings = Timings { checks: Duration::from_secs(2), ..quick() };
    let desk = Desk::new(&format!("exercise-stop-killed-{number}"), pair().timings(timings));
    let simulator = &desk.simulator;
    let deployed = Deployed::start(&desk);
    let mut running = Running::start(&desk, &["--stop-holder", "--return"]);
    running.await_line(moment);
    running.kill();
    // What was begun goes on without the exercise.
    let is_done = || {
        let is_told = subjects(simulator).iter().any(|subject| subject.starts_with("MOVED"));
        is_told && pending(simulator).is_empty() && holder(simulator).is_some()
    };
    for _ in 0..600 {
        if is_done() {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    // A run of the exercise itself ends with the exercise. The function takes up what it leaves once its time is over.
    reconcile_after(&desk, 7);
    assert!(is_done(), "{moment}: {:?} {:?} {}", simulator.changes(), subjects(simulator), deployed.lambda.printed());
    let state = || simulator.world(|world| world.region().instance(names::HOLDER).expect("it exists").state);
    // EC2 completes the stop or the start that it has begun. A stopped instance is a cold standby.
    let is_over = || matches!(state(), InstanceState::Running | InstanceState::Stopped);
    for _ in 0..1200 {
        if is_over() {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    assert!(is_over(), "{moment}: {:?}", state());
    let again = desk.run(&["exercise", "--yes"]);
    assert_eq!(status(&again), Some(0), "{moment}: {}{}", stdout(&again), stderr(&again));
    assert_eq!((pending(simulator), state()), (Vec::new(), InstanceState::Running), "{moment}");
}

/// The commands of token-failover that an error names, as words without the name of the program.
fn named(told: &str) -> Vec<Vec<String>> {
    let lines = told.lines().filter_map(|line| line.strip_prefix("  token-failover "));
    lines.map(|line| shlex::split(line).expect("a command line")).collect()
}

/// Runs each command that the error names, as the operator would, in a folder and a shell without any settings.
fn run_named(desk: &Desk, told: &str) -> Vec<Vec<String>> {
    let commands = named(told);
    for words in &commands {
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        // Standard input is no terminal here.
        words.extend((words[0] == "failover").then_some("--yes"));
        let output = desk.command(&words).env_remove("AWS_REGION").output().expect("the command runs");
        assert_eq!(status(&output), Some(0), "{words:?}: {}{}", stdout(&output), stderr(&output));
    }
    commands
}

#[test]
fn ctrl_c_names_the_state_and_commands_that_work() {
    let options = ["--stack-name", names::STACK, "--set", "AWS_REGION=eu-west-1"];
    let again = |task: &[&str]| [task, &options].concat().iter().map(ToString::to_string).collect::<Vec<_>>();

    // The interface has arrived, and the report is on its way.
    let desk = Desk::new("exercise-interrupted", pair());
    desk.simulator.fail_next("Publish", 1, Disruption::Slow(Duration::from_secs(5)));
    let mut running = Running::start(&desk, &["--one-way"]);
    running.await_line("the interface was attached");
    let (code, told) = running.interrupt();
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("error: the exercise was interrupted"), "{told}");
    assert!(told.contains("eni-0ddddddddddddddd1 is attached to i-0bbbbbbbbbbbbbbb2."), "{told}");
    assert_eq!(run_named(&desk, &told), [again(&["failover", "--to", names::HOLDER])], "{told}");
    assert_eq!(holder(&desk.simulator).as_deref(), Some(names::HOLDER));

    // The run has written its pending report, and has not detached the interface.
    let desk = Desk::new("exercise-interrupted-begun", pair());
    fs::write(desk.folder.join("timeline.svg"), "an earlier picture").expect("written");
    desk.simulator.disrupt(|call| {
        let is_meant = call.action == "DetachNetworkInterface" && !call.dry_run;
        if is_meant { Disruption::Hang } else { Disruption::None }
    });
    let mut running = Running::start(&desk, &["--svg", "timeline.svg", "--record", "record.json"]);
    running.await_line("a run began");
    let (code, told) = running.interrupt();
    assert_eq!(code, Some(2), "{told}");
    let state = "eni-0ddddddddddddddd1 is attached to i-0aaaaaaaaaaaaaaa1. The move had not begun, and the function removes its \
                 pending report within minutes. Until then, an exercise is refused.";
    assert!(told.contains(state) && named(&told).is_empty(), "{told}");
    let files = desk.files();
    assert_eq!(files.keys().collect::<Vec<_>>(), ["record.json", "timeline.svg"]);
    assert_eq!(files["timeline.svg"], "an earlier picture", "there is no result to draw");
    let record: Value = serde_json::from_str(&files["record.json"]).expect("JSON");
    assert_eq!(record["schemaVersion"], 1, "{record}");
    let refused = desk.run(&["exercise", "--yes"]);
    assert_eq!(status(&refused), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("error: another run is not done with eni-0ddddddddddddddd1"), "{told}");
    desk.simulator.calm();
    assert_eq!(reconcile_after(&desk, 6), Outcome::NoAction);
    assert_eq!((pending(&desk.simulator), subjects(&desk.simulator)), (Vec::new(), Vec::new()));
    assert_eq!(changes(&desk.simulator), [""; 0]);

    let slow = Timings { detach: Duration::from_secs(12), ..quick() };
    let desk = Desk::new("exercise-interrupted-early", pair().timings(slow));
    let mut running = Running::start(&desk, &[]);
    running.await_line("EC2 accepted the detach");
    // A lost connection to the terminal.
    let (code, told) = running.signal("-HUP");
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("EC2 is detaching eni-0ddddddddddddddd1 from i-0aaaaaaaaaaaaaaa1."), "{told}");
    assert_eq!(run_named(&desk, &told), [again(&["failover"])], "{told}");
    assert!(holder(&desk.simulator).is_some());

    let slow = Timings { stop: Duration::from_secs(600), ..quick() };
    let desk = Desk::new("exercise-interrupted-stop", pair().timings(slow));
    let mut running = Running::start(&desk, &["--stop-holder"]);
    running.await_line("EC2 is stopping i-0aaaaaaaaaaaaaaa1");
    // A job that is canceled.
    let (code, told) = running.signal("-TERM");
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains(IS_STOPPED) && told.contains(START), "{told}");
}

const IS_STOPPED: &str = "i-0aaaaaaaaaaaaaaa1 is stopped, or is stopping.";
const START: &str = "aws ec2 start-instances --instance-ids i-0aaaaaaaaaaaaaaa1 --region eu-west-1";

#[test]
fn a_stop_whose_answer_has_not_come_is_named_and_one_that_was_refused_is_not() {
    let desk = Desk::new("exercise-stop-unanswered", pair());
    desk.simulator.disrupt(|call| {
        let is_meant = call.action == "StopInstances" && !call.dry_run;
        if is_meant { Disruption::Slow(Duration::from_secs(5)) } else { Disruption::None }
    });
    let mut running = Running::start(&desk, &["--stop-holder"]);
    running.await_line("after a stop, by the function");
    thread::sleep(Duration::from_millis(500));
    let (code, told) = running.interrupt();
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains(IS_STOPPED) && told.contains(START), "{told}");

    let desk = Desk::new("exercise-stop-refused", pair());
    desk.simulator.disrupt(|call| {
        let is_meant = call.action == "StopInstances" && !call.dry_run;
        if is_meant { Disruption::error(400, "IncorrectInstanceState") } else { Disruption::None }
    });
    let output = desk.run(&["exercise", "--yes", "--stop-holder"]);
    assert_eq!(status(&output), Some(2), "{}", stderr(&output));
    let told = stderr(&output);
    assert!(told.contains("error: ec2:StopInstances failed in eu-west-1: "), "{told}");
    assert!(told.contains("is attached to i-0aaaaaaaaaaaaaaa1.") && !told.contains(IS_STOPPED), "{told}");
    assert_eq!(changes(&desk.simulator), [""; 0]);
}

#[test]
fn credentials_that_expire_in_the_middle_end_the_exercise_with_one_sentence() {
    let desk = Desk::new("exercise-expired", pair());
    let simulator = desk.simulator.clone();
    let mut running = Running::start(&desk, &[]);
    running.await_line("EC2 accepted the detach");
    simulator.disrupt(|_| Disruption::error(400, "ExpiredToken"));
    let (code, told) = running.ended();
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("error: AWS does not accept your credentials in eu-west-1 (ExpiredToken)"), "{told}");
    assert!(told.contains("EC2 did not tell where the interface is."), "{told}");

    // The former holder is stopped, and the credentials expire while the exercise waits for it.
    let other = Desk::new("exercise-expired-stopped", pair());
    let _deployed = Deployed::start(&other);
    let running = Running::start(&other, &["--stop-holder"]);
    // From the answer to the start on.
    let mut has_expired = false;
    other.simulator.disrupt(move |call| {
        let is_expired = has_expired;
        has_expired |= call.action == "StartInstances" && !call.dry_run;
        if is_expired { Disruption::error(400, "ExpiredToken") } else { Disruption::None }
    });
    let (code, told) = running.ended();
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("(ExpiredToken)") && told.contains(START), "{told}");

    // The former holder runs again, and the credentials expire while its status checks are awaited.
    let slow = Timings { checks: Duration::from_secs(600), ..quick() };
    let waiting = Desk::new("exercise-expired-waiting", pair().timings(slow));
    let _deployed = Deployed::start(&waiting);
    let mut running = Running::start(&waiting, &["--stop-holder", "--return"]);
    running.await_line("waiting until i-0aaaaaaaaaaaaaaa1 can take the interface back");
    waiting.simulator.disrupt(|_| Disruption::error(400, "ExpiredToken"));
    let (code, told) = running.ended();
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("(ExpiredToken)") && !told.contains("cannot take the interface back: "), "{told}");

    simulator.calm();
    assert_eq!(reconcile_after(&desk, 6), Outcome::Moved);
    assert_eq!((holder(&simulator).is_some(), pending(&simulator)), (true, Vec::new()));
}
