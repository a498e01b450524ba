//! Every scenario of the drill ends as expected.

#[path = "../../examples/drill/play.rs"]
mod play;
#[path = "../../examples/drill/scenarios.rs"]
mod scenarios;
#[path = "../../examples/drill/timeline.rs"]
mod timeline;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use play::{introduction, play};
use scenarios::{SCENARIOS, named};
use simulator::Like;
use timeline::Entry;

use crate::accounts::{ACCOUNTS, account};

#[tokio::test(start_paused = true)]
async fn every_scenario_ends_as_expected() {
    for scenario in SCENARIOS {
        let played = play(scenario, &Like::default(), Box::new(|_| ())).await;
        assert_eq!(played.problems, Vec::<String>::new(), "{}", scenario.name);
        for mail in &played.mails {
            assert!(mail.subject.contains("license-eu"), "{}: {}", scenario.name, mail.subject);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_scenario_ends_as_expected_in_every_recorded_account() {
    for name in ACCOUNTS {
        let account = account(name);
        let mut problems = Vec::new();
        for scenario in SCENARIOS {
            let played = play(scenario, &account, Box::new(|_| ())).await;
            problems.extend(played.problems.into_iter().map(|problem| format!("{}: {problem}", scenario.name)));
        }
        assert_eq!(problems, [""; 0], "{name}");
    }
}

#[test]
fn every_scenario_has_a_name_of_its_own_and_fits_on_a_line() {
    let names: BTreeSet<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
    assert_eq!(names.len(), SCENARIOS.len());
    let width = names.iter().map(|name| name.len()).max().unwrap_or_default();
    for scenario in SCENARIOS {
        assert_eq!(named(scenario.name).map(|found| found.title), Some(scenario.title));
        assert!(width + 2 + scenario.title.len() <= 100, "{}", scenario.title);
    }
}

#[test]
fn the_first_scenario_is_introduced_in_two_lines() {
    let lines = introduction(&SCENARIOS[0], &Like::default());
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|line| line.len() <= 100), "{lines:#?}");
}

#[tokio::test(start_paused = true)]
async fn the_timeline_tells_what_happens_in_order() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = told.clone();
    let tell = move |entry: &Entry| {
        let mark = if entry.bad { "!" } else { " " };
        let line = format!("{:<5} {:<8} {mark} {}", entry.at.as_millis(), entry.who, entry.what);
        sink.lock().expect("no thread panics").push(line);
    };
    play(&SCENARIOS[0], &Like::default(), Box::new(tell)).await;
    let told = told.lock().expect("no thread panics").join("\n");
    insta::assert_snapshot!(told, @r"
    0     EC2        holder: running → stopping
    0     event      events/holder-stopping.json invokes the function
    30    function   read EC2: interface on holder; holder stopping; standby running
    30    function   decide: move the interface to the standby (holder-stopping)
    30    function   note on the interface that a report is pending
    30    function   check that the role may attach the interface to the standby
    60    function   the role may
    60    function   ask EC2 to detach the interface
    90    function ! detach returned IncorrectState
    90    function   wait until the interface is free
    610   function   ask EC2 to detach the interface
    640   function ! detach returned IncorrectState
    900   EC2        holder: stopping → stopped
    1160  function   ask EC2 to detach the interface
    1175  EC2        interface: detaching from the holder
    3175  EC2        interface: free
    3300  function   the interface is free
    3300  function   ask EC2 to attach the interface to the standby
    3315  EC2        interface: attaching to the standby
    3330  function   wait until the interface is on the standby
    4315  EC2        interface: attached to the standby
    4400  function   the interface is on the standby
    4430  function   note on the interface that the move was made
    4460  function   publish the report
    4475  SNS        the notification is accepted
    4490  function   remove the note from the interface
    4520  function   answer: moved (holder-stopping)
    ");
}
