//! The operator's command: the real binary against the simulator over loopback.

use std::fs;
use std::process::{Command, Output, Stdio};

use chrono::Utc;
use serde_json::Value;
use simulator::world::region::Check;
use simulator::{Disruption, Scenario, names};

use crate::desk::{Desk, status, stderr, stdout};
use crate::standard::root;

pub(crate) const TOPIC: &str = "NOTIFICATION_TOPIC_ARN=arn:aws:sns:eu-west-1:123456789012:token-failover";

const INIT: [&str; 9] = [
    "init",
    "--interface",
    names::INTERFACE,
    "--ports",
    "27007-27008",
    "--clients",
    "10.0.0.0/16",
    "--email",
    "ops@example.com",
];

/// A desk whose folder already has the parameters.
fn prepared(name: &str, scenario: Scenario) -> Desk {
    let desk = Desk::new(name, scenario);
    let output = desk.run(&INIT);
    assert_eq!(status(&output), Some(0), "{}", stderr(&output));
    desk
}

#[test]
fn init_discovers_the_resources_and_writes_the_parameters_of_the_stack() {
    let desk = prepared("init", simulator::pair());
    let written = fs::read_to_string(desk.folder.join("samconfig.toml")).expect("a file");
    for parameter in [
        "TokenServerInterfaceId=\"eni-0ddddddddddddddd1\"",
        "TokenServerInstanceIds=\"i-0aaaaaaaaaaaaaaa1,i-0bbbbbbbbbbbbbbb2\"",
        "TokenServerHostid=\"0273ae2adc81\"",
        "TokenServerAllocationId=\"eipalloc-0eeeeeeeeeeeeeee1\"",
        "TokenServerDeviceIndex=\"1\"",
        "TokenServerPorts=\"27007-27008\"",
        "TokenServerClients=\"10.0.0.0/16\"",
        "NotificationEmail=\"ops@example.com\"",
        "region = \"eu-west-1\"",
    ] {
        assert!(written.contains(parameter), "{parameter}: {written}");
    }
    assert!(desk.simulator.changes().is_empty());
}

#[test]
fn init_overwrites_only_with_an_option_and_keeps_the_rest_of_the_file() {
    let desk = Desk::new("init-again", simulator::pair());
    let file = desk.folder.join("samconfig.toml");
    let before = "# ours\nversion = 0.1\n\n[default.deploy.parameters]\nstack_name = \"licenses\"\nparameter_overrides = \"A=1\"\n";
    fs::write(&file, before).expect("written");

    let refused = desk.run(&INIT);
    assert_eq!((status(&refused), fs::read_to_string(&file).expect("a file")), (Some(2), before.to_owned()));
    assert!(stderr(&refused).contains("already has parameters"), "{}", stderr(&refused));

    let told = desk.run(&[&INIT[..], &["--yes"]].concat());
    let after = fs::read_to_string(&file).expect("a file");
    assert_eq!(status(&told), Some(0), "{}", stderr(&told));
    assert!(after.starts_with("# ours\n") && after.contains("stack_name = \"licenses\""), "{after}");
    assert!(!after.contains("A=1") && after.contains("TokenServerInterfaceId"), "{after}");
}

#[test]
fn init_asks_only_for_values_that_it_cannot_discover() {
    let alone = Desk::new("init-alone", simulator::pair().instance(names::STANDBY, |standby| standby.terminated()));
    let output = alone.run(&INIT);
    assert_eq!(status(&output), Some(2));
    assert!(stderr(&output).contains("eu-west-1a has no other instance"), "{}", stderr(&output));

    let many = Desk::new("init-many", simulator::trio());
    let output = many.run(&INIT);
    assert_eq!(status(&output), Some(2));
    assert!(stderr(&output).contains("more than one instance could be the standby:"), "{}", stderr(&output));
    let output = many.run(&[&INIT[..], &["--standby", names::THIRD]].concat());
    assert_eq!(status(&output), Some(0), "{}", stderr(&output));

    let unknown = many.run(&["init", "--interface", "eni-0123456789abcdef0"]);
    assert_eq!(status(&unknown), Some(2));
    assert!(stderr(&unknown).contains("was not found in eu-west-1 in this account"), "{}", stderr(&unknown));
}

/// The interface of another license on the same pair.
const OTHER: &str = "eni-0ddddddddddddddd2";
/// An interface of another purpose.
const FOREIGN: &str = "eni-0ddddddddddddddd3";

/// The device index in the written file, and the sentence that explains it.
fn index(desk: &Desk, output: &Output) -> (Option<String>, Option<String>) {
    let written = fs::read_to_string(desk.folder.join("samconfig.toml")).expect("a file");
    let after = written.split("TokenServerDeviceIndex=\"").nth(1);
    let number = after.and_then(|text| text.split('"').next()).map(str::to_owned);
    let said = stderr(output).lines().find(|line| line.starts_with("Device index ")).map(str::to_owned);
    (number, said)
}

#[test]
fn init_chooses_a_device_index_that_is_free_on_every_member_and_says_why_it_is_not_1() {
    let pair = simulator::pair;
    let with_two = || pair().interface(OTHER, |other| other.on(names::HOLDER, 2));
    for (name, scenario, interface, expected) in [
        ("index-kept", pair(), names::INTERFACE, ("1", None)),
        // The other interface of the holder is of no importance for an index of 1.
        ("index-first-of-two", with_two(), names::INTERFACE, ("1", None)),
        (
            "index-second-of-two",
            with_two(),
            OTHER,
            (
                "2",
                Some(
                    "Device index 2: the interface is attached there now, and the index is free on the other members.",
                ),
            ),
        ),
        (
            "index-taken-on-the-standby",
            pair().interface(OTHER, |other| other.on(names::STANDBY, 1)),
            names::INTERFACE,
            ("2", Some("Device index 2: 1 is taken by eni-0ddddddddddddddd2 on i-0bbbbbbbbbbbbbbb2.")),
        ),
        (
            "index-lower-than-now",
            pair()
                .interface(names::INTERFACE, |interface| interface.on(names::HOLDER, 2))
                .interface(OTHER, |other| other.on(names::STANDBY, 2)),
            names::INTERFACE,
            ("1", None),
        ),
        (
            "index-third",
            pair()
                .instance(names::HOLDER, |holder| holder.interface_limit(4))
                .instance(names::STANDBY, |standby| standby.interface_limit(4))
                .interface(OTHER, |other| other.on(names::STANDBY, 1))
                .interface(FOREIGN, |other| other.on(names::HOLDER, 2)),
            names::INTERFACE,
            (
                "3",
                Some(
                    "Device index 3: 1 is taken by eni-0ddddddddddddddd2 on i-0bbbbbbbbbbbbbbb2, and 2 is taken by \
                     eni-0ddddddddddddddd3 on i-0aaaaaaaaaaaaaaa1.",
                ),
            ),
        ),
    ] {
        let desk = Desk::new(name, scenario);
        let output = desk.run(&["init", "--interface", interface]);
        assert_eq!(status(&output), Some(0), "{name}: {}", stderr(&output));
        let expected = (Some(expected.0.to_owned()), expected.1.map(str::to_owned));
        assert_eq!(index(&desk, &output), expected, "{name}");
        assert!(desk.simulator.changes().is_empty(), "{name}");
    }
}

#[test]
fn init_refuses_if_no_device_index_is_free_on_every_member() {
    let taken = simulator::pair()
        .interface(OTHER, |other| other.on(names::STANDBY, 1))
        .interface(FOREIGN, |other| other.on(names::HOLDER, 2));
    let full = simulator::pair()
        .instance(names::STANDBY, |standby| standby.interface_limit(2))
        .interface(OTHER, |other| other.on(names::STANDBY, 1));
    for (name, scenario, problem) in [
        (
            "no-index",
            taken,
            "no device index from 1 to 2 is free on every member: 1 is taken by eni-0ddddddddddddddd2 on \
             i-0bbbbbbbbbbbbbbb2, and 2 is taken by eni-0ddddddddddddddd3 on i-0aaaaaaaaaaaaaaa1",
        ),
        (
            "no-room",
            full,
            "i-0bbbbbbbbbbbbbbb2 has no room for eni-0ddddddddddddddd1: it has as many interfaces as a t3.micro can have (2)",
        ),
    ] {
        let desk = Desk::new(name, scenario);
        let output = desk.run(&INIT);
        assert_eq!(status(&output), Some(2), "{name}: {}", stderr(&output));
        assert!(stderr(&output).contains(problem), "{name}: {}", stderr(&output));
        assert!(!desk.folder.join("samconfig.toml").exists(), "{name}");
    }
}

#[test]
fn init_writes_the_parameters_of_a_second_license_into_a_file_and_for_a_stack_of_its_own() {
    let desk = Desk::new("second-license", simulator::pair().interface(OTHER, |other| other.on(names::HOLDER, 2)));
    assert_eq!(status(&desk.run(&INIT)), Some(0));
    let first = fs::read_to_string(desk.folder.join("samconfig.toml")).expect("a file");

    let output = desk.run(&[
        "init",
        "--interface",
        OTHER,
        "--ports",
        "1700,1701",
        "--output",
        "acme.toml",
        "--stack-name",
        "acme-failover",
    ]);

    assert_eq!(status(&output), Some(0), "{}", stderr(&output));
    let second = fs::read_to_string(desk.folder.join("acme.toml")).expect("a file");
    assert!(
        first.contains("stack_name = \"token-failover\"") && second.contains("stack_name = \"acme-failover\""),
        "{second}"
    );
    assert!(second.contains(OTHER) && !second.contains(names::INTERFACE), "{second}");
    assert_eq!(fs::read_to_string(desk.folder.join("samconfig.toml")).expect("a file"), first);
    assert!(stderr(&output).ends_with(" sam build && sam deploy --config-file acme.toml\n"), "{}", stderr(&output));
}

#[test]
fn audit_reports_findings_in_its_exit_status_and_changes_nothing() {
    let desk = prepared("audit", simulator::pair());
    let fine = desk.run(&["--set", TOPIC, "audit"]);
    assert_eq!(status(&fine), Some(0), "{}", stderr(&fine));
    assert!(stdout(&fine).starts_with("The next failover would work: 1 of 1 standby can take the interface."));

    desk.simulator.world(|world| world.set_checks(names::STANDBY, Check::Ok, Check::Impaired)).expect("it exists");
    let bad = desk.run(&["--set", TOPIC, "audit"]);
    assert_eq!(status(&bad), Some(1), "{}", stderr(&bad));
    assert!(stdout(&bad).contains("critical  No standby can take the interface now. [no-viable-standby]"));
    let json = desk.run(&["--set", TOPIC, "--json", "audit"]);
    let report: Value = serde_json::from_str(&stdout(&json)).expect("JSON alone");
    assert_eq!((status(&json), &report["outcome"]), (Some(1), &Value::from("audited")));
    assert!(desk.simulator.changes().is_empty() && desk.simulator.messages().is_empty());
}

#[test]
fn audit_reports_a_topic_without_subscriptions() {
    let desk = prepared("no-subscription", simulator::pair());
    desk.simulator.world(|world| world.unsubscribe(names::TOPIC, names::SUBSCRIBER)).expect("the topic exists");
    let audited = desk.run(&["--set", TOPIC, "audit"]);
    assert_eq!(status(&audited), Some(1), "{}", stderr(&audited));
    assert!(
        stdout(&audited)
            .contains("so no report reaches anyone. Unsubscribed: ops@example.com (email). [no-subscription]"),
        "{}",
        stdout(&audited)
    );
}

#[test]
fn plan_and_audit_fail_for_a_warning_but_not_for_information() {
    use token_failover::model::finding::Severity;
    let worlds: [(Severity, Scenario, &str); 3] = [
        (Severity::Info, simulator::pair(), "TOKEN_SERVER_CLIENTS="),
        (
            Severity::Warning,
            simulator::pair().security_group(names::GROUP, |group| group.tcp(27007..=27008, "0.0.0.0/0")),
            "TOKEN_SERVER_CLIENTS=10.0.0.0/16",
        ),
        (
            Severity::Critical,
            simulator::pair().security_group(names::GROUP, |group| group.no_rules()),
            "TOKEN_SERVER_CLIENTS=10.0.0.0/16",
        ),
    ];
    for (severity, world, clients) in worlds {
        let desk = prepared(&format!("severity-{severity}"), world);
        for task in ["plan", "audit"] {
            let output = desk.run(&["--set", TOPIC, "--set", clients, "--json", task]);

            let report: Value = serde_json::from_str(&stdout(&output)).expect("JSON alone");
            let worst = report["findings"].as_array().expect("a list").first().map(|finding| &finding["severity"]);
            assert_eq!(worst, Some(&Value::from(severity.to_string())), "{task}: {report}");
            let expected = i32::from(severity >= Severity::Warning);
            assert_eq!(status(&output), Some(expected), "{task}, {severity}: {}", stderr(&output));
        }
    }
}

#[test]
fn failover_moves_and_publishes_only_after_confirmation() {
    let desk = prepared("failover", simulator::pair());
    let no_terminal = desk.run(&["--set", TOPIC, "failover"]);
    assert_eq!(status(&no_terminal), Some(2));
    assert!(stderr(&no_terminal).contains("standard input is not a terminal"), "{}", stderr(&no_terminal));
    assert!(desk.simulator.changes().is_empty());

    let moved = desk.run(&["--set", TOPIC, "failover", "--to", names::STANDBY, "--reason", "maintenance", "--yes"]);
    assert_eq!(status(&moved), Some(0), "{}", stderr(&moved));
    assert!(stdout(&moved).contains("because an operator requested it"), "{}", stdout(&moved));
    for step in ["detach eni-attach-0aaaaaaaaaaaaaaa1 ...", "attach eni-0ddddddddddddddd1 to i-0bbbbbbbbbbbbbbb2 ..."] {
        assert!(stderr(&moved).contains(step), "{}", stderr(&moved));
    }
    assert_eq!(desk.simulator.messages().len(), 1);
    let again = desk.run(&["--set", TOPIC, "failover", "--to", names::STANDBY, "--yes"]);
    assert_eq!(status(&again), Some(0), "the target already has the interface: {}", stdout(&again));

    let refused = desk.run(&["--set", TOPIC, "failover", "--to", names::NON_MEMBER, "--yes"]);
    assert_eq!(status(&refused), Some(1), "{}", stdout(&refused));
}

#[test]
fn a_failover_that_ends_on_another_member_than_the_requested_one_says_so_and_fails() {
    let scenario = simulator::pair().instance(names::THIRD, |third| third.running());
    let desk = Desk::new("failover-elsewhere", scenario);
    let standbys = ["--standby", names::STANDBY, "--standby", names::THIRD];
    let written = desk.run(&[&INIT[..], &standbys].concat());
    assert_eq!(status(&written), Some(0), "{}", stderr(&written));
    desk.simulator.disrupt(|call| {
        let refuses = |id: &str| id == names::HOLDER || id == names::STANDBY;
        let is_attach = call.action == "AttachNetworkInterface" && !call.dry_run;
        let is_meant = is_attach && call.parameters.iter().any(|(_, value)| refuses(value));
        if is_meant { Disruption::error(400, "InvalidParameterValue") } else { Disruption::None }
    });
    let moved = desk.run(&["--set", TOPIC, "failover", "--to", names::STANDBY, "--yes"]);
    assert_eq!(status(&moved), Some(1), "{}{}", stdout(&moved), stderr(&moved));
    let said = "because an operator requested it. i-0bbbbbbbbbbbbbbb2 did not take the interface.";
    assert!(stdout(&moved).contains(said), "{}", stdout(&moved));
    assert_eq!(
        desk.simulator.world(|world| world.holder_of(names::INTERFACE).map(str::to_owned)).as_deref(),
        Some(names::THIRD)
    );
    assert_eq!(desk.simulator.messages().len(), 1);
}

#[test]
fn pause_and_resume_are_tagged_published_and_printed() {
    let desk = prepared("pause", simulator::pair());
    let tag = || desk.simulator.world(|world| world.tag(names::INTERFACE, "token-failover:paused").map(str::to_owned));

    let paused = desk.run(&["--set", TOPIC, "pause", "--until", "90m", "--reason", "new disks"]);
    assert_eq!(status(&paused), Some(0), "{}", stderr(&paused));
    let text = stdout(&paused);
    assert!(
        text.starts_with("token-failover is paused until ") && text.contains("outcome    paused (pause-set)"),
        "{text}"
    );
    assert!(text.contains("\npaused     until ") && text.contains("UTC (new disks)\n"), "{text}");
    assert!(tag().is_some_and(|tag| tag.ends_with("reason=new disks")), "{:?}", tag());

    let plan = desk.run(&["--set", TOPIC, "plan"]);
    assert!(stdout(&plan).starts_with("token-failover is paused until "), "{}", stdout(&plan));
    let audit = desk.run(&["--set", TOPIC, "audit"]);
    assert_eq!(status(&audit), Some(1), "the function is paused");
    assert!(stdout(&audit).contains("[paused]"), "{}", stdout(&audit));
    let moved = desk.run(&["--set", TOPIC, "failover", "--yes"]);
    assert_eq!(status(&moved), Some(0), "{}", stderr(&moved));

    let resumed = desk.run(&["--set", TOPIC, "--json", "resume"]);
    let report: Value = serde_json::from_str(&stdout(&resumed)).expect("JSON alone");
    assert_eq!(
        (status(&resumed), &report["outcome"], &report["pause"]),
        (Some(0), &Value::from("resumed"), &Value::Null)
    );
    assert_eq!(tag(), None);
    let subjects: Vec<String> =
        desk.simulator.messages().into_iter().map(|message| message.subject.unwrap_or_default()).collect();
    let words: Vec<&str> = subjects.iter().filter_map(|subject| subject.split(':').next()).collect();
    assert_eq!(words, ["PAUSED", "MOVED", "RESUMED"]);
}

#[test]
fn a_pause_with_an_invalid_end_is_refused_with_the_valid_forms() {
    let desk = prepared("pause-until", simulator::pair());
    for until in ["8d", "tomorrow", "2020-01-01T00:00:00Z", ""] {
        let refused = desk.run(&["--set", TOPIC, "pause", "--until", until]);
        assert_eq!(status(&refused), Some(2), "{until}: {}", stdout(&refused));
        assert!(stderr(&refused).contains("a duration such as 2h"), "{until}: {}", stderr(&refused));
    }
    assert!(desk.simulator.changes().is_empty() && desk.simulator.messages().is_empty());
}

#[test]
fn pause_does_not_need_the_name_of_the_stacks_document() {
    let desk = prepared("pause-document", simulator::pair());
    let document = "FAILOVER_ACTIVATION_DOCUMENT=restart-service";
    let paused = desk.run(&["--set", TOPIC, "--set", document, "pause"]);
    assert_eq!(status(&paused), Some(0), "{}", stderr(&paused));
    assert!(!stderr(&paused).contains("ActivationDocument"), "{}", stderr(&paused));
}

#[test]
fn a_failover_that_is_denied_halfway_shows_its_steps_and_the_place_of_the_interface() {
    let desk = prepared("denied-in-the-middle", simulator::pair());
    desk.simulator.deny("DetachNetworkInterface");

    let denied = desk.run(&["--set", TOPIC, "failover", "--to", names::STANDBY, "--yes"]);

    assert_eq!(status(&denied), Some(1), "{}", stderr(&denied));
    let shown = stdout(&denied);
    for line in [
        "outcome    refused (permission-denied)",
        "interface  eni-0ddddddddddddddd1 on i-0aaaaaaaaaaaaaaa1 (running)",
        "The function's role does not allow ec2:DetachNetworkInterface.",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    assert!(
        stderr(&denied).contains("your credentials do not allow ec2:DetachNetworkInterface"),
        "{}",
        stderr(&denied)
    );
}

#[test]
fn the_license_is_checked_if_the_command_knows_the_name_of_the_stacks_document() {
    let desk = prepared("license-check", simulator::pair());
    let file = desk.folder.join("samconfig.toml");
    let written = fs::read_to_string(&file).expect("init wrote it");
    let word = "parameter_overrides = '";
    let parameters = "TokenServerLicenseCheckDocument=check-license TokenServerLicenseMetrics=true ";
    fs::write(&file, written.replacen(word, &format!("{word}{parameters}"), 1)).expect("written");

    let without = desk.run(&["--set", TOPIC, "audit"]);
    assert_eq!(status(&without), Some(0), "{}", stderr(&without));
    assert_eq!(stderr(&without).matches("Pass the stack's output LicenseCheckDocument").count(), 1);
    assert!(!stdout(&without).contains("\nlicenses ") && desk.simulator.commands().is_empty());

    let document = format!("TOKEN_SERVER_LICENSE_CHECK_DOCUMENT={}", names::LICENSE_CHECK_DOCUMENT);
    let checked = desk.run(&["--set", TOPIC, "--set", &document, "audit"]);
    assert_eq!(status(&checked), Some(0), "{}", stderr(&checked));
    for line in
        ["licenses   serves: MOSEKLM up, 2 features on i-0aaaaaaaaaaaaaaa1", "in use     PTS 3 of 10, PTON 0 of 10"]
    {
        assert!(stdout(&checked).lines().any(|one| one == line), "{line}\n{}", stdout(&checked));
    }
    assert!(!stderr(&checked).contains("LicenseCheckDocument"), "{}", stderr(&checked));
}

#[test]
fn with_the_name_of_the_stack_each_task_needs_no_other_setting() {
    let scenario = simulator::pair().epoch(Utc::now()).stack(names::STACK, |stack| {
        stack.parameter("FailoverActivationDocument", "restart-service").output("ActivationDocument", names::DOCUMENT)
    });
    let desk = Desk::new("stack-name", scenario);
    for task in [&["audit"][..], &["plan"], &["pause", "--until", "2h"], &["resume"], &["failover", "--yes"]] {
        let output = desk.run(&[task, &["--stack-name", names::STACK]].concat());
        assert_eq!(status(&output), Some(0), "{task:?}: {}{}", stdout(&output), stderr(&output));
    }
    assert_eq!(
        desk.simulator.world(|world| world.holder_of(names::INTERFACE).map(str::to_owned)).as_deref(),
        Some(names::STANDBY)
    );
    let activated = desk.simulator.commands().into_iter().map(|command| command.document_name);
    assert_eq!(activated.collect::<Vec<_>>(), [names::DOCUMENT], "the stack names the document");

    let absent = desk.run(&["audit", "--stack-name", "acme"]);
    assert_error(
        &absent,
        "there is no stack acme in eu-west-1 in this account",
        "Pass the name of the stack of token-failover with --stack-name. Check AWS_REGION and AWS_PROFILE.",
    );
}

#[test]
fn failover_needs_the_name_of_the_stacks_document() {
    let inactive = simulator::pair().instance(names::STANDBY, |standby| standby.token_server_on_command());
    let desk = prepared("document", inactive);
    let file = desk.folder.join("samconfig.toml");
    let written = fs::read_to_string(&file).expect("init wrote it");
    let word = "parameter_overrides = '";
    let with_document = written.replacen(word, &format!("{word}FailoverActivationDocument=restart-service "), 1);
    assert_ne!(with_document, written);
    fs::write(&file, with_document).expect("written");

    let refused = desk.run(&["--set", TOPIC, "failover", "--yes"]);
    assert_eq!(status(&refused), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("does not know the document's name\nPass the stack's output ActivationDocument"));
    assert!(stdout(&refused).is_empty() && desk.simulator.changes().is_empty());
    let plan = desk.run(&["--set", TOPIC, "plan"]);
    assert_eq!(stderr(&plan).matches("The command does not check whether a standby can be activated.").count(), 1);

    let document = format!("FAILOVER_ACTIVATION_DOCUMENT={}", names::DOCUMENT);
    let moved = desk.run(&["--set", TOPIC, "--set", &document, "failover", "--yes"]);
    assert_eq!(status(&moved), Some(0), "{}", stderr(&moved));
    assert_eq!(desk.simulator.commands().len(), 1);

    let not_activated = desk.run(&["--set", TOPIC, "--set", "FAILOVER_ACTIVATION_DOCUMENT=", "failover", "--yes"]);
    assert_eq!(status(&not_activated), Some(0), "{}", stderr(&not_activated));
    assert_eq!(desk.simulator.commands().len(), 1);
}

#[test]
fn a_failover_fails_if_the_token_server_is_not_activated() {
    let inactive = simulator::pair().instance(names::STANDBY, |standby| standby.command_fails());
    let desk = prepared("not-activated", inactive);
    let document = format!("FAILOVER_ACTIVATION_DOCUMENT={}", names::DOCUMENT);
    let moved = desk.run(&["--set", TOPIC, "--set", &document, "failover", "--yes"]);
    assert_eq!(status(&moved), Some(1), "{}", stderr(&moved));
    assert!(stdout(&moved).contains("[activation-failed]"), "{}", stdout(&moved));
}

#[test]
fn an_error_is_one_sentence_and_a_hint() {
    let desk = prepared("trouble", simulator::pair());
    let no_topic = desk.run(&["plan"]);
    assert_eq!(status(&no_topic), Some(2));
    assert!(stderr(&no_topic).contains("NOTIFICATION_TOPIC_ARN is not set"), "{}", stderr(&no_topic));
    assert!(stderr(&no_topic).contains("output TopicArn"), "{}", stderr(&no_topic));

    let mut no_credentials = Command::new(env!("CARGO_BIN_EXE_token-failover"));
    let no_credentials = no_credentials.args(["--set", TOPIC, "plan"]).current_dir(&desk.folder).env_clear();
    let no_credentials =
        no_credentials.env("AWS_ENDPOINT_URL", &desk.endpoint).env("AWS_EC2_METADATA_DISABLED", "true");
    let output = no_credentials.stdin(Stdio::null()).output().expect("the command runs");
    assert_eq!(status(&output), Some(2));
    assert!(stderr(&output).contains("no AWS credentials were found"), "{}", stderr(&output));
}

/// The error of the command without its colors. Checks that standard output is empty.
#[track_caller]
fn assert_error(output: &Output, problem: &str, hint: &str) {
    let text = stderr(output);
    let error = text.lines().position(|line| line.starts_with("error: "));
    let said: Vec<&str> = text.lines().skip(error.unwrap_or_else(|| panic!("no error: {text}"))).collect();
    assert_eq!((status(output), stdout(output).as_str()), (Some(2), ""), "{text}");
    assert!(said[0].contains(problem), "{problem}: {text}");
    assert!(said[1..].join(" ").contains(hint), "{hint}: {text}");
}

#[test]
fn a_missing_license_file_is_an_error_with_a_way_out() {
    let desk = prepared("no-license", simulator::pair());
    for task in
        [&["license", "nowhere.lic"][..], &["init", "--interface", names::INTERFACE, "--license", "nowhere.lic"]]
    {
        assert_error(&desk.run(task), "nowhere.lic could not be read: No such file", "without --license");
    }
}

#[test]
fn every_task_explains_its_failure_in_one_sentence() {
    for task in ["audit", "plan", "init"] {
        let ask = |desk: &Desk| {
            let again = [&INIT[..], &["--yes"]].concat();
            let asking = ["--set", TOPIC, task];
            desk.run(if task == "init" { &again } else { &asking })
        };
        let desk = prepared(&format!("error-{task}"), simulator::pair());
        desk.simulator.always("DescribeInstances", Disruption::Deny);
        assert_error(&ask(&desk), "your credentials do not allow ec2:DescribeInstances", "");
        desk.simulator.calm();
        desk.simulator.always("DescribeNetworkInterfaces", Disruption::Deny);
        assert_error(&ask(&desk), "your credentials do not allow ec2:DescribeNetworkInterfaces", "AWS says: ");
        for (code, problem) in [
            ("AuthFailure", "AWS does not accept your credentials in eu-west-1 (AuthFailure)"),
            ("RequestExpired", "AWS does not accept your credentials in eu-west-1 (RequestExpired)"),
        ] {
            desk.simulator.calm();
            desk.simulator.always("DescribeNetworkInterfaces", Disruption::error(401, code));
            assert_error(&ask(&desk), problem, "sign in again");
        }
        desk.simulator.calm();
        // EC2 gives the same answer for another account and another Region, so the error covers both.
        desk.simulator.world(|world| world.delete_interface(names::INTERFACE));
        let problem = "eni-0ddddddddddddddd1 was not found in eu-west-1 in this account";
        assert_error(&ask(&desk), problem, "another Region (AWS_REGION) or another account (AWS_PROFILE)");
        assert!(desk.simulator.changes().is_empty() && desk.simulator.messages().is_empty());
    }
}

#[test]
fn the_first_line_of_progress_comes_before_the_first_answer() {
    let desk = prepared("at-once", simulator::pair());
    desk.simulator.always("DescribeNetworkInterfaces", Disruption::error(400, "Blocked"));
    for arguments in
        [&["--set", TOPIC, "plan"][..], &["license", &license_file("floating"), "--interface", names::INTERFACE]]
    {
        let output = desk.run(arguments);
        assert!(stderr(&output).starts_with("asking EC2 about eni-0ddddddddddddddd1 ...\n"), "{}", stderr(&output));
    }
}

/// Runs the command with these AWS configuration files instead of credentials in the environment.
fn with_aws_files(desk: &Desk, config: &str) -> Output {
    let file = desk.folder.join("aws-config");
    fs::write(&file, config).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-failover"));
    let command = command.args(["--set", TOPIC, "plan"]).current_dir(&desk.folder).env_clear().stdin(Stdio::null());
    let command = command.env("AWS_ENDPOINT_URL", &desk.endpoint).env("AWS_EC2_METADATA_DISABLED", "true");
    let command = command.env("AWS_CONFIG_FILE", &file).env("HOME", &desk.folder).env("PATH", "/usr/bin:/bin");
    command.env("AWS_SHARED_CREDENTIALS_FILE", desk.folder.join("none")).output().expect("the command runs")
}

#[test]
fn credentials_of_a_process_are_used() {
    let desk = prepared("process", simulator::pair());
    let answer = r#"{"Version":1,"AccessKeyId":"AKIDEXAMPLE","SecretAccessKey":"not a secret"}"#;
    fs::write(desk.folder.join("credentials.json"), answer).expect("written");
    let file = desk.folder.join("credentials.json");
    let output = with_aws_files(&desk, &format!("[default]\ncredential_process = cat {}\n", file.display()));
    assert_eq!(status(&output), Some(0), "{}", stderr(&output));
}

#[test]
fn an_expired_session_of_iam_identity_center_is_reported() {
    let desk = prepared("sso", simulator::pair());
    let config = "[default]\nsso_session = ops\nsso_account_id = 123456789012\nsso_role_name = ops\n\n[sso-session ops]\n\
                  sso_region = eu-west-1\nsso_start_url = https://example.awsapps.com/start\n";
    let output = with_aws_files(&desk, config);
    assert_error(&output, "the AWS credentials could not be read", "aws sso login");
}

#[test]
fn a_token_server_that_does_not_answer_is_a_finding() {
    let mut desk = prepared("probe", simulator::pair());
    let address = desk.address.clone();
    let answers = desk.run(&["--set", TOPIC, "--json", "plan"]);
    let report: Value = serde_json::from_str(&stdout(&answers)).expect("JSON alone");
    assert_eq!(
        (status(&answers), &report["checks"]["listening"]),
        (Some(0), &Value::from("ok")),
        "{}",
        stderr(&answers)
    );
    assert!(stderr(&answers).contains(&format!("  probe {address} TCP 27007,27008 ...")), "{}", stderr(&answers));
    let ports: Vec<&Value> = report["probes"].as_array().expect("a list").iter().map(|probe| &probe["port"]).collect();
    assert_eq!(ports, [27007, 27008]);

    desk.stop_token_server();
    let refused = desk.run(&["--set", TOPIC, "plan"]);
    assert_eq!(status(&refused), Some(1), "{}", stderr(&refused));
    // Another machine with the same private address may have refused, so the report has no conclusion.
    let expected = format!(
        "warning   The token server does not answer at {address} on TCP 27007, 27008 (connection refused), as seen from here. \
         [ports-not-answering]"
    );
    assert!(stdout(&refused).contains(&expected), "{}", stdout(&refused));
    assert!(!stdout(&refused).contains("works now  NO"), "{}", stdout(&refused));
    assert!(desk.simulator.changes().is_empty() && desk.simulator.messages().is_empty());
}

#[test]
fn a_report_is_rendered_as_its_mail_however_it_is_wrapped() {
    let desk = prepared("report", simulator::pair());
    desk.run(&["--set", TOPIC, "failover", "--yes"]);
    let message = desk.simulator.messages().pop().expect("a message");
    let published: Value = serde_json::from_str(&message.message).expect("a JSON object");
    let report = published["sqs"].as_str().expect("a report").to_owned();
    let mail = published["email"].as_str().expect("a string").to_owned();
    let envelope = serde_json::json!({"Type": "Notification", "Message": report}).to_string();
    let forms = [
        ("answer", report.clone()),
        (
            "log",
            format!(
                "noise\n{}\n",
                serde_json::json!({"level": "INFO", "type": "report", "report": serde_json::from_str::<Value>(&report).expect("JSON")})
            ),
        ),
        ("sns", envelope.clone()),
        ("sqs", serde_json::json!({"Messages": [{"Body": envelope}]}).to_string()),
        ("topic", message.message.clone()),
    ];
    for (name, content) in forms {
        fs::write(desk.folder.join(name), content).expect("written");
        let output = desk.run(&["report", name]);
        assert_eq!((status(&output), stdout(&output).trim_end()), (Some(0), mail.trim_end()), "{name}");
    }
    fs::write(desk.folder.join("nothing"), "no report").expect("written");
    assert_eq!(status(&desk.run(&["report", "nothing"])), Some(2));
}

/// One of the invented license files.
fn license_file(name: &str) -> String {
    root().join(format!("tests/licenses/{name}.lic")).display().to_string()
}

#[test]
fn license_prints_what_the_file_names_and_none_of_its_license_text() {
    let desk = Desk::new("license", simulator::pair());
    let fine = desk.run(&["license", &license_file("floating"), "--interface", names::INTERFACE]);
    assert_eq!(status(&fine), Some(0), "{}", stderr(&fine));
    let expected = "hostid     0273ae2adc81\nserver     license.example.com\nports      27007-27008\nexpires    no date in the file\nfindings   none\n";
    let progress = "asking EC2 about eni-0ddddddddddddddd1 ...\n";
    assert_eq!((stdout(&fine).as_str(), stderr(&fine).as_str()), (expected, progress));

    let redundant = desk.run(&["license", &license_file("three-servers")]);
    assert_eq!(status(&redundant), Some(1));
    assert!(stdout(&redundant).contains("[redundant-servers]"), "{}", stdout(&redundant));
    let json = desk.run(&["--json", "license", &license_file("three-servers")]);
    let document: Value = serde_json::from_str(&stdout(&json)).expect("JSON alone");
    assert_eq!((status(&json), document["hosts"].as_array().map(Vec::len)), (Some(1), Some(3)));

    let other = simulator::pair().interface(names::INTERFACE, |interface| interface.mac_address("02:73:ae:2a:dc:82"));
    let mismatch = Desk::new("license-mismatch", other);
    let mismatch = mismatch.run(&["license", &license_file("floating"), "--interface", names::INTERFACE]);
    assert_eq!(status(&mismatch), Some(1));
    assert!(stdout(&mismatch).contains("[hostid-mismatch]"), "{}", stdout(&mismatch));

    fs::write(desk.folder.join("manual.pdf"), b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n\0\0stream\n").expect("written");
    let binary = desk.run(&["license", "manual.pdf"]);
    assert_eq!((status(&binary), stdout(&binary).as_str()), (Some(2), ""));
    assert!(stderr(&binary).contains("not a license file"), "{}", stderr(&binary));
}

#[test]
fn init_takes_ports_and_hostid_from_the_license_file() {
    let desk = Desk::new("init-license", simulator::pair());
    let output = desk.run(&["init", "--interface", names::INTERFACE, "--license", &license_file("floating")]);
    assert_eq!(status(&output), Some(0), "{}", stderr(&output));
    let written = fs::read_to_string(desk.folder.join("samconfig.toml")).expect("a file");
    assert!(written.contains("TokenServerPorts=\"27007-27008\""), "{written}");
    assert!(written.contains("TokenServerHostid=\"0273ae2adc81\""), "{written}");
    // The defaults of the template are MOSEK's, and a permanent license has no end.
    for parameter in ["TokenServerLicenseExpires", "TokenServerVendors", "TokenServerLicenseContact"] {
        assert!(!written.contains(parameter), "{written}");
    }
}

#[test]
fn init_takes_the_end_of_the_license_and_another_vendor_from_the_license_file() {
    let desk = Desk::new("init-other-vendor", simulator::pair());
    let file = "SERVER license.example.com 0273ae2adc81 27000\nVENDOR solverd port=27002\nDAEMON acmed port=27003\n\
                FEATURE QZX acmed 1.0 31-dec-9998 4 SIGN=QZX\nFEATURE QZX solverd 1.0 1-feb-9997 4 SIGN=QZX\n";
    fs::write(desk.folder.join("other.lic"), file).expect("written");
    let output = desk.run(&["init", "--interface", names::INTERFACE, "--license", "other.lic"]);
    assert_eq!(status(&output), Some(1), "several vendors are a warning: {}", stderr(&output));
    let written = fs::read_to_string(desk.folder.join("samconfig.toml")).expect("a file");
    for parameter in [
        "TokenServerLicenseExpires=\"9997-02-01\"",
        "TokenServerVendors=\"acmed,solverd\"",
        "TokenServerLicenseContact=\"the vendors\"",
    ] {
        assert!(written.contains(parameter), "{parameter}: {written}");
    }
    assert!(!format!("{written}{}", stderr(&output)).to_ascii_uppercase().contains("QZX"), "{written}");
    let mut audit = vec!["--set", "NOTIFICATION_TOPIC_ARN=arn:aws:sns:eu-west-1:123456789012:token-failover"];
    audit.extend(["--json", "audit"]);
    let report: Value = serde_json::from_str(&stdout(&desk.run(&audit))).expect("a report");
    assert_eq!(report["tokenServer"]["licenseExpires"], "9997-02-01", "{report}");
    assert_eq!(report["tokenServer"]["vendors"], serde_json::json!(["acmed", "solverd"]), "{report}");
}

/// The log lines of one invocation of the function.
fn log_of(scenario: Scenario, document: &str) -> Vec<Value> {
    use std::sync::{Arc, Mutex};
    use token_failover::act::run::Record;

    let lines = Arc::new(Mutex::new(Vec::new()));
    let written = Arc::clone(&lines);
    let recorder = move |record: Record<'_>| {
        let line = match record {
            Record::Requested(config, intent) => {
                serde_json::json!({"type": "request", "request": {"config": config, "intent": intent}})
            }
            Record::Observed(observation) => serde_json::json!({"type": "observation", "observation": observation}),
            Record::Planned(plan, waited) => serde_json::json!({
                "type": "plan", "plan": plan, "lookedForMs": token_failover::model::report::milliseconds(waited),
            }),
            _ => return,
        };
        written.lock().expect("one at a time").push(line);
    };
    let stage = crate::support::Stage::recorded(scenario.build(), &[], Box::new(recorder));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(stage.invoke(crate::standard::event(document))).expect("a report");
    let lines = lines.lock().expect("one at a time");
    lines.clone()
}

#[test]
fn replay_reports_a_plan_that_differs_from_the_log() {
    let desk = Desk::new("replay", simulator::pair());
    let mut lines = log_of(simulator::pair().instance(names::HOLDER, |holder| holder.stopped()), "holder-stopped");
    let write = |lines: &[Value]| {
        let text: Vec<String> = lines.iter().map(ToString::to_string).collect();
        fs::write(desk.folder.join("log"), format!("START RequestId: 1\n{}\nEND\n", text.join("\n"))).expect("written");
    };
    write(&lines);
    let same = desk.run(&["replay", "log"]);
    assert_eq!(status(&same), Some(0), "{}{}", stdout(&same), stderr(&same));
    assert!(stdout(&same).contains("same plan") && stdout(&same).contains("holder-stopped"), "{}", stdout(&same));

    let plan = lines.iter_mut().find(|line| line["type"] == "plan").expect("a plan");
    plan["plan"]["standbys"] = serde_json::json!([]);
    write(&lines);
    let different = desk.run(&["replay", "log"]);
    assert_eq!(status(&different), Some(1));
    assert!(stdout(&different).contains("DIFFERENT PLAN"), "{}", stdout(&different));

    fs::write(desk.folder.join("log"), "nothing\n").expect("written");
    assert_eq!(status(&desk.run(&["replay", "log"])), Some(2));
}

#[test]
fn completions_and_the_manual_are_printed() {
    let desk = Desk::new("help", simulator::pair());
    for (arguments, expected) in [
        (&["completions", "bash"][..], "_token__failover"),
        (&["manual"][..], ".TH token-failover"),
        (&["--help"][..], "Exit status: 0 all is well"),
    ] {
        let output = desk.run(arguments);
        assert_eq!(status(&output), Some(0), "{arguments:?}");
        assert!(stdout(&output).contains(expected), "{arguments:?}: {}", stdout(&output));
    }
}

/// The line with one millisecond for the answer of every port.
fn with_equal_times(line: &str) -> String {
    let pieces = line.split(" in ").map(|piece| match piece.split_once(" ms") {
        Some((time, rest)) if time.bytes().all(|b| b.is_ascii_digit()) => format!("1 ms{rest}"),
        _ => piece.to_owned(),
    });
    pieces.collect::<Vec<_>>().join(" in ")
}

/// The output of the commands, run one after the other, with equal times.
fn transcript() -> String {
    let desk = Desk::new("transcript", simulator::pair());
    let topic = TOPIC.to_owned();
    let commands: [&[&str]; 4] = [
        &INIT,
        &["--set", &topic, "audit"],
        &["--set", &topic, "plan"],
        &["--set", &topic, "failover", "--reason", "maintenance", "--yes"],
    ];
    let mut text = String::new();
    for arguments in commands {
        let output = desk.run(arguments);
        text.push_str(&format!("$ token-failover {}\n{}{}\n", arguments.join(" "), stderr(&output), stdout(&output)));
    }
    // The token server has a loopback address. The transcript shows the address in the subnet.
    let text = text.replace(&desk.address, names::PRIVATE_IP);
    let is_run = |word: &str| word.starts_with("token-failover:owed:");
    let lines = text.lines().map(|line| {
        let words = line.split(' ').map(|word| match word {
            word if is_run(word) => {
                word.rsplit_once(':').map_or(word.to_owned(), |(key, _)| format!("{key}:01a2056dd43d"))
            }
            word => word.to_owned(),
        });
        let line = with_equal_times(&words.collect::<Vec<_>>().join(" "));
        match (line.rfind(" in "), line.find(", because")) {
            (Some(from), Some(to)) => format!("{} in 3.2 s{}", &line[..from], &line[to..]),
            _ => line,
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_transcript_in_the_documentation_is_the_real_output() {
    let document = fs::read_to_string(root().join("docs/operator.md")).expect("the document");
    let shown =
        document.split("```console\n").nth(1).and_then(|rest| rest.split("\n```").next()).expect("a transcript");
    assert_eq!(shown.trim_end(), transcript().trim_end());
}
