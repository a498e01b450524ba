//! Whole failovers in recorded accounts: one that behaves as the simulator does by default, one that behaves the other way, and
//! one that has shown nothing. The drill and the laws are played in the same accounts.

use std::time::Duration;

use serde_json::json;
use simulator::world::{Assumptions, Timings};
use simulator::{Like, Scenario, names};
use token_failover::model::report::{Expectation, Outcome};

use crate::standard::{event, root};
use crate::support::Stage;

/// The names of the records in the folder `tests/accounts`.
pub(crate) const ACCOUNTS: [&str; 3] = ["as-assumed", "opposite", "silent"];

/// A record in the folder `tests/accounts`.
pub(crate) fn account(name: &str) -> Like {
    let path = root().join(format!("tests/accounts/{name}.json"));
    Like::read(path.to_str().expect("UTF-8")).unwrap_or_else(|problem| panic!("{problem}"))
}

/// The names of the assumptions that an exercise can show.
const RECORDABLE: [&str; 7] = [
    "attachDeletesOnTermination",
    "detachInEveryState",
    "dryRunNeedsState",
    "goneAttachmentIsUnauthorized",
    "inUseIsInvalidValue",
    "statusShowsPhases",
    "wrongStateIsIncorrectInstanceState",
];

#[test]
fn there_is_one_of_each_kind() {
    for (name, seen) in [("as-assumed", Some(false)), ("opposite", Some(true)), ("silent", None)] {
        let like = account(name);
        let expected: Vec<(&str, bool)> = RECORDABLE.iter().filter_map(|name| seen.map(|seen| (*name, seen))).collect();
        assert_eq!(like.assumptions, expected, "{name}");
        assert_eq!(like.timings.len(), if seen.is_some() { 7 } else { 0 }, "{name}");
        assert_eq!(like.notes, [""; 0], "{name}");
    }
    // The first kind is what the simulator assumes anyway.
    let mut assumed = Assumptions::default();
    account("as-assumed").assume_in(&mut assumed);
    assert_eq!(assumed, Assumptions::default());
}

/// A pair in an account, with times as people report them where the account has shown none.
fn pair(account: &Like) -> Scenario {
    simulator::pair().timings(Timings::realistic()).like(account)
}

#[tokio::test(start_paused = true)]
async fn a_planned_failover_goes_there_and_back() {
    for name in ACCOUNTS {
        let stage = Stage::recorded(pair(&account(name)).build(), &[], Box::new(|_| ()));
        for to in [names::STANDBY, names::HOLDER] {
            let audit = stage.invoke(json!({"action": "audit"})).await.expect("a report");
            assert_eq!((audit.outcome, audit.reason.as_str()), (Outcome::Audited, "ready"), "{name}");
            let report = stage.invoke(json!({"action": "failover", "to": to})).await.expect("a report");
            assert_eq!(report.outcome, Outcome::Moved, "{name}");
            assert_eq!(report.expected_to_work, Expectation::Yes, "{name}: {:?}", report.findings);
            let attachment = stage.simulator.world(|world| world.attachment_of(names::INTERFACE).cloned());
            let attachment = attachment.expect("an attachment");
            assert_eq!((attachment.instance_id.as_str(), attachment.delete_on_termination), (to, false), "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_is_stopped_loses_the_interface_to_a_standby_that_must_be_started() {
    for name in ACCOUNTS {
        let account = account(name);
        let world = simulator::cold_standby().timings(Timings::realistic()).like(&account);
        let stage = Stage::recorded(world.build(), &[], Box::new(|_| ()));
        stage.simulator.world(|world| world.stop(names::HOLDER)).expect("the holder runs");
        let report = stage.invoke(event("holder-stopping")).await.expect("a report");
        assert_eq!(report.outcome, Outcome::Moved, "{name}");
        let movement = report.movement.expect("a move");
        assert_eq!(movement.standby_started, Some(true), "{name}");
        let is_running = stage
            .simulator
            .world(|world| world.region().instance(names::STANDBY).is_ok_and(|seen| seen.state.name() == "running"));
        assert!(is_running, "{name}");
        // The account's own times passed.
        let of_the_move = ["detach", "attach", "boot"];
        let times = account.timings.iter().filter(|(name, _)| of_the_move.contains(name)).map(|(_, time)| *time);
        assert!(stage.simulator.now() >= times.sum::<Duration>(), "{name}");
    }
}
