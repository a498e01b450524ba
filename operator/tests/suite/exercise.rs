//! The exercise: the real command and the real function against the simulator over loopback.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use simulator::world::region::{Capacity, InstanceState};
use simulator::world::{Assumptions, CreateTags, DetachNetworkInterface, Lmutil, Timings, World};
use simulator::{Disruption, Scenario, Simulator, When, names};
use token_failover::model::report::Outcome;

use crate::lambda::Lambda;
use crate::operator::{Desk, status, stderr, stdout};
use crate::support::Stage;

/// The same order as with real times, in a fraction of the time.
fn quick() -> Timings {
    let milliseconds = Duration::from_millis;
    Timings {
        call: milliseconds(5),
        detach: milliseconds(400),
        attach: milliseconds(300),
        boot: milliseconds(400),
        stop: milliseconds(600),
        ..Timings::default()
    }
}

fn pair() -> Scenario {
    simulator::pair().epoch(Utc::now()).timings(quick()).stack(names::STACK, |stack| {
        stack.parameter("TokenServerPorts", "27007-27008").parameter("TokenServerClients", "10.0.0.0/16")
    })
}

/// The deployed function, which gets what the services send to EventBridge.
struct Deployed {
    lambda: Lambda,
    is_over: Arc<AtomicBool>,
    bus: Option<thread::JoinHandle<()>>,
}

impl Deployed {
    fn start(desk: &Desk) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_token-failover")).with_file_name("token-failover-function");
        let settings = [("TOKEN_SERVER_NAME", "-"), ("TOKEN_SERVER_HOSTID", "-"), ("TOKEN_SERVER_ALLOCATION_ID", "-")];
        let lambda = Lambda::start(&program, &desk.endpoint, &settings, desk.folder.join("function.log"));
        let is_over = Arc::new(AtomicBool::new(false));
        let (queue, simulator, ends) = (lambda.queue(), desk.simulator.clone(), Arc::clone(&is_over));
        let bus = thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                for event in simulator.take_events() {
                    queue.send(event.document()).expect("the function lives");
                }
                thread::sleep(Duration::from_millis(20));
            }
        });
        Self { lambda, is_over, bus: Some(bus) }
    }
}

impl Drop for Deployed {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if self.bus.take().is_some_and(|bus| bus.join().is_err()) && !thread::panicking() {
            panic!("EventBridge failed: {}", self.lambda.printed());
        }
    }
}

/// The calls of a change of EC2 other than of tags, without their parameters.
fn changes(simulator: &Simulator) -> Vec<String> {
    let changed = simulator.journal().into_iter().filter(|call| call.changed);
    let actions = changed.map(|call| call.action.to_string());
    actions.filter(|action| !matches!(action.as_str(), "CreateTags" | "DeleteTags" | "Publish")).collect()
}

fn holder(simulator: &Simulator) -> Option<String> {
    simulator.world(|world| world.holder_of(names::INTERFACE).map(str::to_owned))
}

fn subjects(simulator: &Simulator) -> Vec<String> {
    let messages = simulator.messages().into_iter();
    messages.map(|message| message.subject.unwrap_or_default()).collect()
}

/// The tags of pending reports.
fn pending(simulator: &Simulator) -> Vec<String> {
    simulator.world(|world| {
        let tags = &world.region().interface(names::INTERFACE).expect("it exists").tags;
        tags.keys().filter(|key| key.starts_with("token-failover:owed:")).cloned().collect()
    })
}

/// The moments of each leg with their results.
fn legs(result: &Value) -> Vec<(String, Vec<(String, String)>)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let legs = result["legs"].as_array().expect("a list");
    legs.iter()
        .map(|leg| {
            let moments = leg["moments"].as_array().expect("a list");
            let moments = moments.iter().map(|row| (text(&row["moment"]), text(&row["result"]))).collect();
            (
                format!("{} {} {} {}", text(&leg["kind"]), text(&leg["from"]), text(&leg["to"]), text(&leg["result"])),
                moments,
            )
        })
        .collect()
}

fn held(moments: &[&str]) -> Vec<(String, String)> {
    moments.iter().map(|moment| ((*moment).to_owned(), "held".to_owned())).collect()
}

const MOVED: [&str; 7] =
    ["begun", "detach-accepted", "free", "attach-accepted", "attached", "ports-answering", "reported"];
const STOPPED: [&str; 8] = [
    "begun",
    "holder-stopped",
    "detach-accepted",
    "free",
    "attach-accepted",
    "attached",
    "ports-answering",
    "reported",
];

fn document(output: &std::process::Output) -> Value {
    serde_json::from_str(&stdout(output))
        .unwrap_or_else(|error| panic!("{error}: {}{}", stdout(output), stderr(output)))
}

#[test]
fn the_interface_moves_there_and_back_and_everything_is_told_and_timed() {
    let desk = Desk::new("exercise", pair());
    let output = desk.run(&["--json", "exercise", "--yes", "--svg", "timeline.svg"]);

    assert_eq!(status(&output), Some(0), "{}{}", stdout(&output), stderr(&output));
    let result = document(&output);
    assert_eq!(
        (&result["schemaVersion"], &result["result"], &result["problems"]),
        (&json!(1), &json!("held"), &json!([]))
    );
    assert_eq!(result["networkInterfaceId"], names::INTERFACE);
    let there = format!("failover {} {} held", names::HOLDER, names::STANDBY);
    let back = format!("failover {} {} held", names::STANDBY, names::HOLDER);
    assert_eq!(legs(&result), [(there, held(&MOVED)), (back, held(&MOVED))]);
    // No moment is told before the simulator has come so far.
    let at = |leg: usize, row: usize| result["legs"][leg]["moments"][row]["atMs"].as_u64().expect("a number");
    for leg in 0..2 {
        assert!(at(leg, 2) >= 400 && at(leg, 4) >= 700, "{result}");
    }

    let simulator = &desk.simulator;
    assert_eq!(holder(simulator).as_deref(), Some(names::HOLDER));
    let each_way = ["DetachNetworkInterface", "AttachNetworkInterface"];
    assert_eq!(changes(simulator), [each_way, each_way].concat());
    assert_eq!(pending(simulator), [""; 0]);
    assert_eq!(subjects(simulator).len(), 2, "{:?}", subjects(simulator));

    let said = stderr(&output);
    for line in [
        "This exercise moves the license interface eni-0ddddddddddddddd1 for real, in eu-west-1, with the settings of the stack \
         token-failover:",
        "  1. Move the interface from i-0aaaaaaaaaaaaaaa1 to i-0bbbbbbbbbbbbbbb2.",
        "  2. Move the interface back to i-0aaaaaaaaaaaaaaa1.",
        "Each of the two moves drops the checkouts of all clients.",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.contains('\u{1b}'), "no terminal, no redrawing: {said:?}");
    let moments = [
        "a run began",
        "EC2 accepted the detach",
        "the interface was free",
        "EC2 accepted the attach",
        "the interface was attached",
        "the ports answered",
        "the report was in the topic",
    ];
    let told: Vec<&str> = said.lines().filter_map(|line| line.split_once(" s  ").map(|(_, text)| text)).collect();
    let expected = |title: &'static str| std::iter::once(title).chain(moments);
    let there = expected("i-0aaaaaaaaaaaaaaa1 to i-0bbbbbbbbbbbbbbb2: an operator's failover");
    let back = expected("i-0bbbbbbbbbbbbbbb2 to i-0aaaaaaaaaaaaaaa1: an operator's failover");
    assert_eq!(told, there.chain(back).collect::<Vec<_>>());

    let svg = fs::read_to_string(desk.folder.join("timeline.svg")).expect("the picture");
    assert_eq!(svg.matches("height=\"14\"").count(), 14, "a bar for each moment: {svg}");
}

#[test]
fn one_way_ends_at_the_standby_and_the_result_is_a_table() {
    let desk = Desk::new("exercise-one-way", pair());
    let output = desk.run(&["exercise", "--yes", "--one-way"]);
    assert_eq!(status(&output), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert_eq!(holder(&desk.simulator).as_deref(), Some(names::STANDBY));
    let text = stdout(&output);
    assert!(text.starts_with("1. i-0aaaaaaaaaaaaaaa1 to i-0bbbbbbbbbbbbbbb2: an operator's failover\n"), "{text}");
    assert_eq!(text.lines().filter(|line| line.ends_with(" ok")).count(), MOVED.len(), "{text}");
    assert!(text.contains("\nAll of it held, in ") && !text.contains("2. "), "{text}");
}

#[test]
fn a_stopped_holder_loses_the_interface_to_the_deployed_function_and_gets_it_back() {
    let desk = Desk::new("exercise-stop", pair());
    let deployed = Deployed::start(&desk);
    let output = desk.run(&["--json", "exercise", "--yes", "--stop-holder", "--return"]);

    assert_eq!(status(&output), Some(0), "{}{}{}", stdout(&output), stderr(&output), deployed.lambda.printed());
    let there = format!("stop {} {} held", names::HOLDER, names::STANDBY);
    let back = format!("failover {} {} held", names::STANDBY, names::HOLDER);
    assert_eq!(legs(&document(&output)), [(there, held(&STOPPED)), (back, held(&MOVED))]);
    let simulator = &desk.simulator;
    assert_eq!(holder(simulator).as_deref(), Some(names::HOLDER));
    let each_way = ["DetachNetworkInterface", "AttachNetworkInterface"];
    assert_eq!(changes(simulator), [&["StopInstances"][..], &each_way, &["StartInstances"], &each_way].concat());
    assert_eq!(pending(simulator), [""; 0]);
}

#[test]
fn a_stopped_standby_is_started_by_the_function_and_the_former_holder_by_the_exercise() {
    let scenario = pair().instance(names::STANDBY, |standby| standby.stopped());
    let desk = Desk::new("exercise-stop-cold", scenario);
    let deployed = Deployed::start(&desk);
    let output = desk.run(&["--json", "exercise", "--yes", "--stop-holder"]);

    assert_eq!(status(&output), Some(0), "{}{}{}", stdout(&output), stderr(&output), deployed.lambda.printed());
    let there = format!("stop {} {} held", names::HOLDER, names::STANDBY);
    let mut expected = held(&STOPPED);
    expected.insert(6, ("standby-running".to_owned(), "held".to_owned()));
    assert_eq!(legs(&document(&output)), [(there, expected)]);
    assert_eq!(holder(&desk.simulator).as_deref(), Some(names::STANDBY));
    let expected =
        ["StopInstances", "DetachNetworkInterface", "AttachNetworkInterface", "StartInstances", "StartInstances"];
    assert_eq!(changes(&desk.simulator), expected);
}

/// Every id, address, ARN and name of the standard world.
const IDENTIFYING: [&str; 14] = [
    "123456789012",
    "eu-west-1",
    "i-0",
    "eni-",
    "eipalloc-",
    "sg-0",
    "vpc-",
    "subnet-",
    "arn:",
    "10.0.",
    "127.27.",
    "203.0.113.",
    "73ae2adc81",
    "token-servers",
];

#[test]
fn a_record_says_how_the_account_behaves_and_nothing_that_identifies_it() {
    let unusual = Assumptions { status_shows_phases: true, dry_run_needs_state: true, ..Assumptions::default() };
    let very = Assumptions { in_use_is_invalid_value: true, ..unusual };
    for (name, arguments, assumptions) in [
        ("exercise-record", &["--record", "record.json"][..], unusual),
        ("exercise-record-stop", &["--record", "record.json", "--stop-holder", "--return"][..], very),
        ("exercise-record-usual", &["--record", "record.json"][..], Assumptions::default()),
    ] {
        let scenario = pair().assumptions(assumptions);
        let desk = Desk::new(name, scenario);
        let deployed = Deployed::start(&desk);
        let output = desk.run(&[&["exercise", "--yes"], arguments].concat());
        assert_eq!(status(&output), Some(0), "{}{}{}", stdout(&output), stderr(&output), deployed.lambda.printed());
        let text = fs::read_to_string(desk.folder.join("record.json")).expect("the record");
        let record: Value = serde_json::from_str(&text).expect("JSON");
        let seen = |assumption: &str| record["assumptions"][assumption]["seen"].clone();
        assert_eq!(seen("statusShowsPhases"), assumptions.status_shows_phases, "{name}: {text}");
        // The audit before the exercise asks for the attach of an interface in use.
        assert_eq!(seen("dryRunNeedsState"), assumptions.dry_run_needs_state, "{name}: {text}");
        let in_use = assumptions.dry_run_needs_state.then_some(assumptions.in_use_is_invalid_value);
        assert_eq!(seen("inUseIsInvalidValue"), json!(in_use), "{name}: {text}");
        let median = |process: &str| record["timingsMs"][process]["median"].as_u64();
        let between =
            |process: &str, least: u64| median(process).is_some_and(|median| (least..least + 2000).contains(&median));
        assert!(between("detach", 200) && between("attach", 100), "{name}: {text}");
        let is_stopped = arguments.contains(&"--stop-holder");
        assert_eq!(between("stop", 300), is_stopped, "{name}: {text}");
        for word in IDENTIFYING {
            assert!(!text.contains(word), "{name}: {word}: {text}");
        }
        // The simulator plays it.
        let like = simulator::Like::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(like.notes, [""; 0], "{name}: {text}");
        let (mut played, mut times) = (Assumptions::default(), Timings::default());
        like.assume_in(&mut played);
        like.time_in(&mut times);
        let figures = |it: Assumptions| (it.status_shows_phases, it.dry_run_needs_state, it.in_use_is_invalid_value);
        assert_eq!(figures(played), figures(assumptions), "{name}");
        assert!(times.detach >= Duration::from_millis(200), "{name}: {times:?}");
    }
}

#[test]
fn a_result_that_cannot_be_written_is_refused_before_anything_is_changed() {
    let desk = Desk::new("exercise-unwritable", pair());
    for option in ["--svg", "--record"] {
        let output = desk.run(&["exercise", "--yes", option, "no/such/folder/file"]);
        assert_eq!(status(&output), Some(2), "{}{}", stdout(&output), stderr(&output));
        assert!(stderr(&output).contains("error: no/such/folder/file cannot be written: "), "{}", stderr(&output));
        assert_eq!(desk.simulator.changes(), [""; 0]);
    }
}

/// What is wrong, the world, what else the other actors do, the arguments, and the sentence.
type Refused = (&'static str, Scenario, fn(&Simulator), &'static [&'static str], &'static str);

#[test]
fn bad_input_is_refused_with_one_sentence_before_anything_is_changed() {
    let nothing: fn(&Simulator) = |_| {};
    let cases: [Refused; 13] = [
        (
            "no-file",
            pair(),
            nothing,
            &["--yes", "--config", "samconfig-eu.toml"],
            "error: samconfig-eu.toml: No such file",
        ),
        (
            "another-region",
            pair().without_stack(names::STACK),
            nothing,
            &["--yes", "--set", "AWS_REGION=us-east-1"],
            "error: there is no stack token-failover in us-east-1 in this account",
        ),
        (
            "no-moves-left",
            pair().stack(names::STACK, |stack| stack.parameter("FailoverMaxMovesPerHour", "0")),
            nothing,
            &["--yes", "--stop-holder"],
            "error: the function would not move eni-0ddddddddddddddd1 after a stop of i-0aaaaaaaaaaaaaaa1: there were too many \
             moves or starts in the last hour",
        ),
        (
            "no-stack",
            pair().without_stack(names::STACK),
            nothing,
            &["--yes"],
            "error: there is no stack token-failover in eu-west-1 in this account",
        ),
        (
            "another-stack",
            pair().stack("pair", |stack| stack),
            nothing,
            &["--yes", "--stack-name", "pair"],
            "error: this is not a stack of token-failover: it has no parameter TokenServerInterfaceId",
        ),
        (
            "updated",
            pair().stack(names::STACK, |stack| stack.status("UPDATE_IN_PROGRESS")),
            nothing,
            &["--yes"],
            "error: the stack token-failover is in the state UPDATE_IN_PROGRESS",
        ),
        (
            "no-standby",
            pair().instance(names::STANDBY, |standby| standby.impaired()),
            nothing,
            &["--yes"],
            "error: a failover would not work now: No standby can take the interface now. [no-viable-standby]",
        ),
        (
            "unread",
            pair().topic(names::TOPIC, |topic| topic.no_subscriptions()),
            nothing,
            &["--yes"],
            "error: a failover would not work now: The topic ",
        ),
        (
            "in-group",
            simulator::grouped().epoch(Utc::now()).timings(quick()),
            nothing,
            &["--yes", "--stop-holder"],
            "error: the Auto Scaling group token-servers would terminate and replace i-0aaaaaaaaaaaaaaa1 if it were stopped",
        ),
        (
            "may-not-stop",
            pair(),
            |simulator| simulator.deny("StopInstances"),
            &["--yes", "--stop-holder"],
            "error: your credentials do not allow ec2:StopInstances for i-0aaaaaaaaaaaaaaa1",
        ),
        (
            "stack-denied",
            pair(),
            |simulator| simulator.deny("DescribeStacks"),
            &["--yes"],
            "error: your credentials do not allow cloudformation:DescribeStacks",
        ),
        (
            "expired",
            pair(),
            |simulator| simulator.always("DescribeStacks", Disruption::error(400, "ExpiredToken")),
            &["--yes"],
            "error: AWS does not accept your credentials in eu-west-1 (ExpiredToken)",
        ),
        (
            "unconfirmed",
            pair(),
            nothing,
            &[],
            "error: `exercise` needs confirmation, and standard input is not a terminal",
        ),
    ];
    for (name, scenario, prepare, arguments, sentence) in cases {
        let desk = Desk::new(&format!("exercise-{name}"), scenario);
        prepare(&desk.simulator);
        let output = desk.run(&[&["exercise"], arguments].concat());
        assert_eq!(status(&output), Some(2), "{name}: {}{}", stdout(&output), stderr(&output));
        let error = stderr(&output).lines().find(|line| line.starts_with("error: ")).map(str::to_owned);
        assert!(error.as_ref().is_some_and(|error| error.starts_with(sentence)), "{name}: {error:?}");
        assert_eq!(desk.simulator.changes(), [""; 0], "{name}");
        assert_eq!((stdout(&output), subjects(&desk.simulator).len()), (String::new(), 0), "{name}");
    }
}

#[test]
fn a_paused_function_and_an_unfinished_run_are_refused() {
    let until = format!("until={}", (Utc::now() + TimeDelta::hours(1)).format("%Y-%m-%dT%H:%M:%SZ"));
    for (name, key, value, sentence) in [
        ("paused", "token-failover:paused", until.as_str(), "error: token-failover is paused until "),
        (
            "pending",
            "token-failover:owed:repair:00000000000a",
            "repair=elastic-ip started=2026-01-01T00:00:00Z",
            "error: another run is not done with eni-0ddddddddddddddd1: it has the tag token-failover:owed:repair:",
        ),
    ] {
        let scenario = pair().interface(names::INTERFACE, |interface| interface.tag(key, value));
        let desk = Desk::new(&format!("exercise-{name}"), scenario);
        let output = desk.run(&["exercise", "--yes"]);
        assert_eq!(status(&output), Some(2), "{name}: {}{}", stdout(&output), stderr(&output));
        assert!(stderr(&output).contains(sentence), "{name}: {}", stderr(&output));
        assert_eq!(desk.simulator.changes(), [""; 0], "{name}");
    }
}

#[test]
fn credentials_that_would_expire_in_the_middle_are_refused_at_once() {
    let desk = Desk::new("exercise-short-credentials", pair());
    let expires = (Utc::now() + TimeDelta::minutes(3)).to_rfc3339();
    let keys = json!({
        "Version": 1, "AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "not a secret", "SessionToken": "none",
        "Expiration": expires,
    });
    fs::write(desk.folder.join("keys.json"), keys.to_string()).expect("written");
    let profile = "[profile short]\ncredential_process = cat keys.json\n";
    fs::write(desk.folder.join("config"), profile).expect("written");
    let output = desk
        .command(&["exercise", "--yes"])
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("PATH", "/usr/bin:/bin")
        .env("AWS_PROFILE", "short")
        .env("AWS_CONFIG_FILE", desk.folder.join("config"))
        .output()
        .expect("the command runs");
    assert_eq!(status(&output), Some(2), "{}{}", stdout(&output), stderr(&output));
    let error = "error: your credentials expire in 2 minutes, and the exercise may take 10";
    assert!(stderr(&output).contains(error), "{}", stderr(&output));
    assert_eq!(desk.simulator.changes(), [""; 0]);
}

/// An exercise that runs, and its lines on standard error.
struct Running {
    process: Child,
    lines: mpsc::Receiver<String>,
    told: Vec<String>,
}

impl Running {
    fn start(desk: &Desk, arguments: &[&str]) -> Self {
        let mut command = desk.command(&[&["exercise", "--yes"], arguments].concat());
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the command runs");
        let output = BufReader::new(process.stderr.take().expect("a pipe"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { process, lines, told: Vec::new() }
    }

    /// Waits until the command has told this.
    fn await_line(&mut self, text: &str) {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(60));
            let line = line.unwrap_or_else(|error| panic!("{text}: {error}: {:?}", self.told));
            self.told.push(line);
            if self.told.last().is_some_and(|line| line.contains(text)) {
                return;
            }
        }
    }

    /// Ends the command as Ctrl-C does, and returns its exit status and all that it told.
    fn interrupt(self) -> (Option<i32>, String) {
        self.signal("-INT")
    }

    /// Asks the command to end, and returns its exit status and all that it told.
    fn signal(mut self, signal: &str) -> (Option<i32>, String) {
        let sent = Command::new("kill").args([signal, &self.process.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
        let ended = self.process.wait().expect("it ends");
        self.told.extend(self.lines.iter());
        (ended.code(), self.told.join("\n"))
    }

    /// Ends the command at once.
    fn kill(mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }
}

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

#[test]
fn killed_at_each_of_its_moments_the_exercise_leaves_what_the_function_takes_up() {
    let moments = [
        "an operator's failover",
        "a run began",
        "EC2 accepted the detach",
        "the interface was free",
        "EC2 accepted the attach",
        "the interface was attached",
        "the ports answered",
        "the report was in the topic",
    ];
    // Each world is its own, and they mostly wait.
    thread::scope(|scope| {
        for (number, moment) in moments.into_iter().enumerate() {
            scope.spawn(move || killed_at(number, moment));
        }
    });
}

fn killed_at(number: usize, moment: &str) {
    let desk = Desk::new(&format!("exercise-killed-{number}"), pair());
    let mut running = Running::start(&desk, &["--one-way"]);
    running.await_line(moment);
    running.kill();
    // EC2 completes what it has begun.
    thread::sleep(Duration::from_millis(600));
    // The interface does not wait until the killed run's time is over. Its report does.
    reconcile_after(&desk, 1);
    assert!(holder(&desk.simulator).is_some(), "{moment}: {:?}", desk.simulator.changes());
    reconcile_after(&desk, 6);
    reconcile_after(&desk, 7);

    let simulator = &desk.simulator;
    let (made, told) = (changes(simulator), subjects(simulator));
    let arrivals = made.iter().filter(|action| *action == "AttachNetworkInterface").count();
    assert_eq!(pending(simulator), [""; 0], "{moment}: {told:?}");
    let is_with_member = holder(simulator).is_some_and(|at| [names::HOLDER, names::STANDBY].contains(&at.as_str()));
    assert!(is_with_member && arrivals <= 1, "{moment}: {:?}", simulator.changes());
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
        "i-0bbbbbbbbbbbbbbb2 to i-0aaaaaaaaaaaaaaa1: an operator's failover",
    ];
    // Each world is its own, and they mostly wait.
    thread::scope(|scope| {
        for (number, moment) in moments.into_iter().enumerate() {
            scope.spawn(move || killed_after_a_stop_at(number, moment));
        }
    });
}

fn killed_after_a_stop_at(number: usize, moment: &str) {
    let desk = Desk::new(&format!("exercise-stop-killed-{number}"), pair());
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
    if state() == InstanceState::Stopped {
        simulator.world(|world| world.start(names::HOLDER)).expect("it is stopped");
    }
    for _ in 0..1200 {
        if state() == InstanceState::Running {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(state(), InstanceState::Running, "{moment}");
    let again = desk.run(&["exercise", "--yes"]);
    assert_eq!(status(&again), Some(0), "{moment}: {}{}", stdout(&again), stderr(&again));
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
fn what_somebody_does_while_the_question_waits_is_seen_before_anything_changes() {
    type Deed = fn(&mut World);
    let pauses: Deed = |world| {
        let until = (Utc::now() + TimeDelta::hours(1)).format("%Y-%m-%dT%H:%M:%SZ");
        let pause = CreateTags::on(names::INTERFACE, "token-failover:paused", format!("until={until}"));
        world.act(pause).expect("it exists");
    };
    let moves: Deed = |world| {
        world.act(DetachNetworkInterface::of(names::ATTACHMENT)).expect("it is attached");
    };
    for (name, deed, sentence) in [
        ("paused", pauses, "error: token-failover is paused until "),
        ("moved", moves, "error: eni-0ddddddddddddddd1 has left i-0aaaaaaaaaaaaaaa1 since the audit"),
    ] {
        let desk = Desk::new(&format!("exercise-meanwhile-{name}"), pair());
        // The last question of the preflight.
        desk.simulator.on_call("StartInstances", 1, When::After, deed);
        let output = desk.run(&["exercise", "--yes", "--stop-holder"]);
        assert_eq!(status(&output), Some(2), "{name}: {}{}", stdout(&output), stderr(&output));
        assert!(stderr(&output).contains(sentence), "{name}: {}", stderr(&output));
        assert!(!changes(&desk.simulator).contains(&"StopInstances".to_owned()), "{name}");
    }
}

#[test]
fn one_answer_that_something_does_not_exist_ends_nothing() {
    let desk = Desk::new("exercise-forgotten", pair());
    let deployed = Deployed::start(&desk);
    let mut forgotten = 0;
    let mut is_stopping = false;
    desk.simulator.disrupt(move |call| {
        is_stopping |= call.action == "StopInstances" && !call.dry_run;
        let is_meant = is_stopping && forgotten < 2 && call.action.starts_with("Describe");
        forgotten += u32::from(is_meant);
        if is_meant { Disruption::Forgotten } else { Disruption::None }
    });
    let output = desk.run(&["--json", "exercise", "--yes", "--stop-holder"]);
    assert_eq!(status(&output), Some(0), "{}{}{}", stdout(&output), stderr(&output), deployed.lambda.printed());
}

#[test]
fn a_holder_that_gets_the_interface_back_ends_the_exercise_with_a_result() {
    let scenario = pair().instance(names::STANDBY, |standby| standby.stopped().capacity(Capacity::RefusedAtOnce));
    let desk = Desk::new("exercise-came-back", scenario);
    let deployed = Deployed::start(&desk);
    let output = desk.run(&["--json", "exercise", "--yes", "--stop-holder", "--return"]);

    assert_eq!(status(&output), Some(1), "{}{}{}", stdout(&output), stderr(&output), deployed.lambda.printed());
    let result = document(&output);
    assert_eq!(result["legs"].as_array().map(Vec::len), Some(1), "{result}");
    assert_eq!(result["legs"][0]["problem"], "the interface came back to i-0aaaaaaaaaaaaaaa1");
    assert_eq!(holder(&desk.simulator).as_deref(), Some(names::HOLDER));
    let told = stderr(&output);
    assert!(told.contains("eni-0ddddddddddddddd1 is attached to i-0aaaaaaaaaaaaaaa1."), "{told}");
    assert!(!told.contains("stop-instances") && !told.contains("start-instances"), "nothing is left to do: {told}");
    let runs = desk.simulator.world(|world| world.region().instance(names::HOLDER).expect("it exists").state);
    assert_eq!(runs, InstanceState::Running, "{}", stderr(&output));
}

#[test]
fn a_holder_that_the_function_starts_in_place_ends_the_exercise_with_a_result() {
    let desk = Desk::new("exercise-in-place", pair());
    let deployed = Deployed::start(&desk);
    // The standby is lost right after the stop. The first call is the dry run of the preflight.
    desk.simulator
        .on_call("StopInstances", 2, When::After, |world| world.terminate(names::STANDBY).expect("it exists"));
    let output = desk.run(&["--json", "exercise", "--yes", "--stop-holder", "--return"]);

    assert_eq!(status(&output), Some(1), "{}{}{}", stdout(&output), stderr(&output), deployed.lambda.printed());
    let result = document(&output);
    let problem = "the function started i-0aaaaaaaaaaaaaaa1 again, and did not move the interface";
    assert_eq!((&result["legs"][0]["problem"], &result["legs"][1]), (&json!(problem), &Value::Null), "{result}");
    let told = stderr(&output);
    assert!(told.contains("eni-0ddddddddddddddd1 is attached to i-0aaaaaaaaaaaaaaa1."), "{told}");
    assert!(!told.contains("start-instances"), "{told}");
    assert_eq!(changes(&desk.simulator), ["StopInstances", "StartInstances"], "{}", deployed.lambda.printed());
}

#[test]
fn a_full_disk_costs_the_files_and_not_the_result() {
    let desk = Desk::new("exercise-full-disk", pair());
    let output = desk.run(&["--json", "exercise", "--yes", "--record", "/dev/full", "--svg", "/dev/full"]);
    assert_eq!(status(&output), Some(1), "{}{}", stdout(&output), stderr(&output));
    assert_eq!(document(&output)["result"], "held");
    assert_eq!(stderr(&output).matches("/dev/full could not be written: ").count(), 2, "{}", stderr(&output));
}

#[test]
fn a_cold_standby_serves_and_the_exercise_says_that_it_keeps_running() {
    let scenario = pair().instance(names::STANDBY, |standby| standby.stopped());
    let desk = Desk::new("exercise-cold", scenario);
    let output = desk.run(&["--json", "exercise", "--yes"]);
    assert_eq!(status(&output), Some(0), "{}{}", stdout(&output), stderr(&output));
    let mut there = held(&MOVED);
    there.insert(5, ("standby-running".to_owned(), "held".to_owned()));
    let moments: Vec<_> = legs(&document(&output)).into_iter().map(|(_, moments)| moments).collect();
    assert_eq!(moments, [there, held(&MOVED)]);
    for line in [
        "i-0bbbbbbbbbbbbbbb2 is stopped, and is started for this. It keeps running afterwards.",
        "i-0bbbbbbbbbbbbbbb2 was started for the exercise, and still runs.",
        "aws ec2 stop-instances --instance-ids i-0bbbbbbbbbbbbbbb2 --region eu-west-1",
    ] {
        assert!(stderr(&output).contains(line), "{line}: {}", stderr(&output));
    }
}

#[test]
fn licenses_are_seen_to_be_served_or_the_exercise_does_not_hold() {
    let checked = |scenario: Scenario| {
        scenario.stack(names::STACK, |stack| {
            stack
                .parameter("TokenServerLicenseCheckDocument", "check-license")
                .output("LicenseCheckDocument", names::LICENSE_CHECK_DOCUMENT)
        })
    };
    let with_licenses = |moments: &[&str]| {
        let mut moments = held(moments);
        moments.insert(moments.len() - 1, ("licenses-served".to_owned(), "held".to_owned()));
        moments
    };
    let desk = Desk::new("exercise-licenses", checked(pair()));
    let deployed = Deployed::start(&desk);
    let output = desk.run(&["--json", "exercise", "--yes", "--stop-holder", "--return"]);
    assert_eq!(status(&output), Some(0), "{}{}{}", stdout(&output), stderr(&output), deployed.lambda.printed());
    let moments: Vec<_> = legs(&document(&output)).into_iter().map(|(_, moments)| moments).collect();
    assert_eq!(moments, [with_licenses(&STOPPED), with_licenses(&MOVED)]);

    // The ports of the standby answer, and its license tools are missing.
    let scenario = pair().instance(names::STANDBY, |standby| standby.lmutil(Lmutil::Missing));
    let desk = Desk::new("exercise-no-licenses", checked(scenario));
    let output = desk.run(&["--json", "exercise", "--yes", "--one-way"]);
    assert_eq!(status(&output), Some(1), "{}{}", stdout(&output), stderr(&output));
    let mut expected = with_licenses(&MOVED);
    expected[6].1 = "missing".to_owned();
    let moments: Vec<_> = legs(&document(&output)).into_iter().map(|(_, moments)| moments).collect();
    assert_eq!(moments, [expected]);
    // It names the way back.
    assert!(stderr(&output).contains("token-failover failover --to i-0aaaaaaaaaaaaaaa1 "), "{}", stderr(&output));
}

#[test]
fn a_terminal_gets_the_question_and_one_table_that_is_drawn_again() {
    let desk = Desk::new("exercise-terminal", pair());
    for (answer, code, moves) in [("n", 1, 0), ("", 1, 0), ("y", 0, 2)] {
        let (ended, shown) = on_a_terminal(&desk, answer, &[]);
        assert_eq!(ended, Some(code), "{answer}: {shown}");
        assert!(shown.contains("Begin? [y/N] "), "{shown}");
        let attaches = changes(&desk.simulator).iter().filter(|action| *action == "AttachNetworkInterface").count();
        assert_eq!(attaches, moves, "{answer}: {shown}");
        assert_eq!(shown.contains("Nothing was changed."), moves == 0, "{answer}: {shown}");
        // The cursor goes up to the first line of the table.
        assert_eq!(shown.contains("A\u{1b}[J"), moves > 0, "{answer}: {shown}");
        for line in shown.lines().filter(|line| line.starts_with("  ") && line.ends_with(" s")) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
    // Without escape sequences, a table cannot be drawn again.
    let (ended, shown) = on_a_terminal(&desk, "y", &[("NO_COLOR", "1")]);
    assert_eq!(ended, Some(0), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown}");
    assert_eq!(
        shown.matches("the interface was attached").count(),
        4,
        "two lines, and two rows of the result: {shown}"
    );
}

/// Runs the exercise on a terminal of its own and answers its question. Returns its exit status, and what the terminal got.
fn on_a_terminal(desk: &Desk, answer: &str, environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let line = format!("{} exercise", env!("CARGO_BIN_EXE_token-failover"));
    let plain = desk.command(&[]);
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(&desk.folder).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("PATH", "/usr/bin:/bin").env("SHELL", "/bin/sh").env("TERM", "xterm").envs(environment.iter().copied());
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("`script` runs");
    let mut input = process.stdin.take().expect("a pipe");
    writeln!(input, "{answer}").expect("it reads");
    let output = process.wait_with_output().expect("it ends");
    drop(input);
    (output.status.code(), String::from_utf8(output.stdout).expect("text").replace('\r', ""))
}

#[test]
fn credentials_that_expire_in_the_middle_end_the_exercise_with_one_sentence() {
    let desk = Desk::new("exercise-expired", pair());
    let simulator = desk.simulator.clone();
    let mut running = Running::start(&desk, &[]);
    running.await_line("EC2 accepted the detach");
    simulator.disrupt(|_| Disruption::error(400, "ExpiredToken"));
    let ended = running.process.wait().expect("it ends");
    running.told.extend(running.lines.iter());
    let told = running.told.join("\n");
    assert_eq!(ended.code(), Some(2), "{told}");
    assert!(told.contains("error: AWS does not accept your credentials in eu-west-1 (ExpiredToken)"), "{told}");
    assert!(told.contains("EC2 did not tell where the interface is."), "{told}");

    // The former holder is stopped, and the credentials expire while the exercise waits for it.
    let other = Desk::new("exercise-expired-stopped", pair());
    let _deployed = Deployed::start(&other);
    let mut running = Running::start(&other, &["--stop-holder"]);
    // From the answer to the start on.
    let mut has_expired = false;
    other.simulator.disrupt(move |call| {
        let is_expired = has_expired;
        has_expired |= call.action == "StartInstances" && !call.dry_run;
        if is_expired { Disruption::error(400, "ExpiredToken") } else { Disruption::None }
    });
    let ended = running.process.wait().expect("it ends");
    running.told.extend(running.lines.iter());
    let told = running.told.join("\n");
    assert_eq!(ended.code(), Some(2), "{told}");
    assert!(told.contains("(ExpiredToken)") && told.contains(START), "{told}");

    // The former holder runs again, and the credentials expire while its status checks are awaited.
    let slow = Timings { checks: Duration::from_secs(600), ..quick() };
    let waiting = Desk::new("exercise-expired-waiting", pair().timings(slow));
    let _deployed = Deployed::start(&waiting);
    let mut running = Running::start(&waiting, &["--stop-holder", "--return"]);
    running.await_line("waiting until i-0aaaaaaaaaaaaaaa1 can take the interface back");
    waiting.simulator.disrupt(|_| Disruption::error(400, "ExpiredToken"));
    let ended = running.process.wait().expect("it ends");
    running.told.extend(running.lines.iter());
    let told = running.told.join("\n");
    assert_eq!(ended.code(), Some(2), "{told}");
    assert!(told.contains("(ExpiredToken)") && !told.contains("cannot take the interface back: "), "{told}");

    simulator.calm();
    assert_eq!(reconcile_after(&desk, 6), Outcome::Moved);
    assert_eq!((holder(&simulator).is_some(), pending(&simulator)), (true, Vec::new()));
}
