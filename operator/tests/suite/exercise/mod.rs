//! The exercise: the real command and the real function against the simulator over loopback.

mod endings;
mod refusals;

use std::fs;
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};
use simulator::world::region::{Capacity, InstanceState};
use simulator::world::{Assumptions, Lmutil, Timings};
use simulator::{Disruption, Scenario, Simulator, When, names};

use crate::desk::{Desk, status, stderr, stdout};
use crate::exercising::{Deployed, pair, quick};
use crate::standard::event;

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
    let result = document(&output);
    assert_eq!(legs(&result), [(there, held(&STOPPED)), (back, held(&MOVED))]);
    assert_eq!(result["legs"][0]["startedBy"], json!(["instance-state-change"]), "{result}");
    let simulator = &desk.simulator;
    assert_eq!(holder(simulator).as_deref(), Some(names::HOLDER));
    let each_way = ["DetachNetworkInterface", "AttachNetworkInterface"];
    assert_eq!(changes(simulator), [&["StopInstances"][..], &each_way, &["StartInstances"], &each_way].concat());
    assert_eq!(pending(simulator), [""; 0]);
}

#[test]
fn a_stop_after_which_the_schedule_makes_the_move_does_not_hold() {
    let desk = Desk::new("exercise-no-event", pair());
    let deployed = Deployed::start_with(&desk, |_| vec![event("schedule")]);
    let output = desk.run(&["--json", "exercise", "--yes", "--stop-holder", "--return"]);

    assert_eq!(status(&output), Some(1), "{}{}{}", stdout(&output), stderr(&output), deployed.lambda.printed());
    let result = document(&output);
    let there = format!("stop {} {} not-held", names::HOLDER, names::STANDBY);
    let back = format!("failover {} {} held", names::STANDBY, names::HOLDER);
    assert_eq!(legs(&result), [(there, held(&STOPPED)), (back, held(&MOVED))]);
    let started_by = |leg: usize| &result["legs"][leg]["startedBy"];
    assert_eq!((started_by(0), started_by(1)), (&json!(["schedule"]), &json!(["failover"])));
    let problem = "i-0aaaaaaaaaaaaaaa1 to i-0bbbbbbbbbbbbbbb2: EC2's event about the stop did not start the move, but \
                   \"schedule\" did. See \"If the event did not start the move\" in docs/operator.md.";
    assert_eq!(result["problems"], json!([problem]));
    assert_eq!(holder(&desk.simulator).as_deref(), Some(names::HOLDER));
    assert_eq!(pending(&desk.simulator), [""; 0]);
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
fn an_interface_that_only_another_member_takes_ends_the_exercise_with_a_result() {
    let scenario = pair().instance(names::THIRD, |third| third.running()).stack(names::STACK, |stack| {
        stack.parameter("TokenServerInstanceIds", &[names::HOLDER, names::STANDBY, names::THIRD].join(","))
    });
    let desk = Desk::new("exercise-elsewhere", scenario);
    let refuses = |id: &str| id == names::HOLDER || id == names::STANDBY;
    desk.simulator.disrupt(move |call| {
        let is_attach = call.action == "AttachNetworkInterface" && !call.dry_run;
        let is_meant = is_attach && call.parameters.iter().any(|(_, value)| refuses(value));
        if is_meant { Disruption::error(400, "InvalidParameterValue") } else { Disruption::None }
    });
    let output = desk.run(&["--json", "exercise", "--yes"]);
    assert_eq!(status(&output), Some(1), "{}{}", stdout(&output), stderr(&output));
    let result = document(&output);
    assert_eq!(
        (result["legs"].as_array().map(Vec::len), holder(&desk.simulator).as_deref()),
        (Some(1), Some(names::THIRD))
    );
    let problem = result["legs"][0]["problem"].as_str().expect("a problem");
    assert!(problem.contains("to i-0bbbbbbbbbbbbbbb2: moved (operator-request): "), "{problem}");
    assert_eq!(result["legs"][0]["to"], names::THIRD);
    assert!(stderr(&output).contains("token-failover failover --to i-0aaaaaaaaaaaaaaa1 "), "{}", stderr(&output));
}

#[test]
fn a_result_takes_the_place_of_an_earlier_one_or_of_where_a_link_leads_and_nothing_else_is_left() {
    let desk = Desk::new("exercise-files", pair());
    let (svg, kept) = (desk.folder.join("timeline.svg"), desk.folder.join("kept.json"));
    fs::write(&svg, "an earlier result".repeat(10_000)).expect("written");
    fs::set_permissions(&svg, Permissions::from_mode(0o600)).expect("its own file");
    fs::write(&kept, "an earlier result".repeat(10_000)).expect("written");
    symlink("kept.json", desk.folder.join("record.json")).expect("a link");
    let output = desk.run(&["exercise", "--yes", "--one-way", "--svg", "timeline.svg", "--record", "record.json"]);
    assert_eq!(status(&output), Some(0), "{}{}", stdout(&output), stderr(&output));
    let files = desk.files();
    assert_eq!(files.keys().collect::<Vec<_>>(), ["kept.json", "record.json", "timeline.svg"]);
    assert!(!files["timeline.svg"].contains("an earlier result"), "{}", files["timeline.svg"]);
    assert!(files["timeline.svg"].ends_with("</svg>\n"), "{}", files["timeline.svg"]);
    let mode = fs::metadata(&svg).expect("it exists").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let record: Value = serde_json::from_str(&files["kept.json"]).expect("JSON");
    assert_eq!((&record["schemaVersion"], &files["record.json"]), (&json!(1), &files["kept.json"]));
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
fn the_start_of_a_cold_standby_is_watched_beside_the_run_and_no_answer_to_that_ends_anything() {
    let (boot, answer) = (Duration::from_secs(4), Duration::from_millis(500));
    let scenario = pair().timings(Timings { boot, ..quick() }).instance(names::STANDBY, |standby| standby.stopped());
    let desk = Desk::new("exercise-cold-watched", scenario);
    let (asked, notes) = mpsc::channel();
    let mut started: Option<Duration> = None;
    let mut denied = 0;
    desk.simulator.disrupt(move |call| {
        if call.action == "StartInstances" && !call.dry_run {
            started = Some(call.now);
        }
        let is_starting = started.is_some_and(|at| call.now < at + boot);
        if call.action != "DescribeInstances" || !is_starting {
            return Disruption::None;
        }
        if denied < 2 {
            denied += 1;
            return Disruption::Deny;
        }
        asked.send(call.now).expect("the test listens");
        Disruption::Slow(answer)
    });
    let output = desk.run(&["--json", "exercise", "--yes", "--one-way"]);
    assert_eq!(status(&output), Some(0), "{}{}", stdout(&output), stderr(&output));
    let mut expected = held(&MOVED);
    expected.insert(5, ("standby-running".to_owned(), "held".to_owned()));
    let there = format!("failover {} {} held", names::HOLDER, names::STANDBY);
    assert_eq!(legs(&document(&output)), [(there, expected)]);
    // One who asks waits for each answer before asking again.
    let asked: Vec<Duration> = notes.try_iter().collect();
    assert!(asked.windows(2).any(|two| two[1] - two[0] < answer), "only one asks: {asked:?}");
}

/// A world in which the function checks the license.
fn checked(scenario: Scenario) -> Scenario {
    scenario.stack(names::STACK, |stack| {
        stack
            .parameter("TokenServerLicenseCheckDocument", "check-license")
            .output("LicenseCheckDocument", names::LICENSE_CHECK_DOCUMENT)
    })
}

#[test]
fn licenses_are_seen_to_be_served_or_the_exercise_does_not_hold() {
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
        let written: &[&str] = if moves > 0 { &["record.json", "timeline.svg"] } else { &[] };
        assert_eq!(desk.files().keys().collect::<Vec<_>>(), written, "{answer}: {shown}");
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
    let program = env!("CARGO_BIN_EXE_token-failover");
    let line = format!("{program} exercise --svg timeline.svg --record record.json");
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
