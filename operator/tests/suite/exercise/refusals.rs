//! What an exercise refuses before it changes anything.

use std::fs;

use chrono::{TimeDelta, Utc};
use serde_json::json;
use simulator::world::{CreateTags, DetachNetworkInterface, World};
use simulator::{Disruption, Scenario, Simulator, When, names};

use super::{changes, subjects};
use crate::desk::{Desk, status, stderr, stdout};
use crate::exercising::{pair, quick};

#[test]
fn a_result_that_cannot_be_written_is_refused_before_anything_is_changed() {
    let desk = Desk::new("exercise-unwritable", pair());
    fs::write(desk.folder.join("earlier"), "an earlier result").expect("written");
    let before = desk.files();
    let earlier = desk.folder.join("earlier").into_os_string().into_string().expect("text");
    let missing = "error: no/such/folder/file cannot be written: ";
    let same = format!("error: --svg and --record name the same file: {earlier}\n");
    for (svg, record, sentence) in [
        ("no/such/folder/file", "record.json", missing),
        ("timeline.svg", "no/such/folder/file", missing),
        ("earlier", "no/such/folder/file", missing),
        ("timeline.svg", ".", "error: . cannot be written: "),
        ("both", "./both", "error: --svg and --record name the same file: ./both\n"),
        ("earlier", &earlier, &same),
    ] {
        let output = desk.run(&["exercise", "--yes", "--svg", svg, "--record", record]);
        assert_eq!(status(&output), Some(2), "{}{}", stdout(&output), stderr(&output));
        assert!(stderr(&output).starts_with(sentence), "{svg} {record}: {}", stderr(&output));
        assert_eq!((stdout(&output), desk.files()), (String::new(), before.clone()), "{svg} {record}");
    }
    assert_eq!(desk.simulator.journal().len(), 0, "AWS was asked nothing");
}

/// The options for both files.
const FILES: [&str; 4] = ["--svg", "timeline.svg", "--record", "record.json"];

/// A desk on which an earlier exercise has left its record.
fn with_record(name: &str, scenario: Scenario) -> Desk {
    let desk = Desk::new(&format!("exercise-{name}"), scenario);
    fs::write(desk.folder.join("record.json"), "an earlier record").expect("written");
    desk
}

/// What is wrong, the world, what else the other actors do, the arguments, and the sentence.
type Refused = (&'static str, Scenario, fn(&Simulator), &'static [&'static str], &'static str);

#[test]
fn bad_input_is_refused_with_one_sentence_before_anything_is_changed() {
    let nothing: fn(&Simulator) = |_| {};
    let cases: [Refused; 14] = [
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
            "no-other-member",
            pair().instance(names::STANDBY, |standby| standby.terminated()),
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
        let desk = with_record(name, scenario);
        prepare(&desk.simulator);
        let before = desk.files();
        let output = desk.run(&[&["exercise"], arguments, &FILES].concat());
        assert_eq!(status(&output), Some(2), "{name}: {}{}", stdout(&output), stderr(&output));
        let error = stderr(&output).lines().find(|line| line.starts_with("error: ")).map(str::to_owned);
        assert!(error.as_ref().is_some_and(|error| error.starts_with(sentence)), "{name}: {error:?}");
        assert_eq!(desk.simulator.changes(), [""; 0], "{name}");
        assert_eq!((stdout(&output), subjects(&desk.simulator).len()), (String::new(), 0), "{name}");
        assert_eq!(desk.files(), before, "{name}");
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
    let begins_update: Deed =
        |world| world.set_stack_status(names::STACK, "UPDATE_IN_PROGRESS").expect("it is deployed");
    let updates: Deed = |world| world.set_stack_status(names::STACK, "UPDATE_COMPLETE").expect("it is deployed");
    for (name, deed, sentence) in [
        ("paused", pauses, "error: token-failover is paused until "),
        ("moved", moves, "error: eni-0ddddddddddddddd1 has left i-0aaaaaaaaaaaaaaa1 since the audit"),
        ("updating", begins_update, "error: the stack token-failover is in the state UPDATE_IN_PROGRESS"),
        ("updated", updates, "error: the stack token-failover has changed since the audit"),
    ] {
        let desk = with_record(&format!("meanwhile-{name}"), pair());
        let before = desk.files();
        // The last question of the preflight.
        desk.simulator.on_call("StartInstances", 1, When::After, deed);
        let output = desk.run(&[&["exercise", "--yes", "--stop-holder"][..], &FILES].concat());
        assert_eq!(status(&output), Some(2), "{name}: {}{}", stdout(&output), stderr(&output));
        assert!(stderr(&output).contains(sentence), "{name}: {}", stderr(&output));
        assert_eq!((changes(&desk.simulator), subjects(&desk.simulator)), (Vec::new(), Vec::new()), "{name}");
        assert_eq!((stdout(&output), desk.files()), (String::new(), before), "{name}");
    }
}
