//! Whole failovers: the function receives a document, calls the simulated EC2, and produces a report and a mail.
//!
//! Each test asserts every requested change in order, and so that there was no other.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::world::region::Capacity;
use simulator::world::{Assumptions, AttachNetworkInterface, CreateTags, DetachNetworkInterface, Timings};
use simulator::{Disruption, Scenario, Simulator, When, names};
use token_failover::model::check::CheckResult;
use token_failover::model::failure::Failure;
use token_failover::model::ids::InstanceId;
use token_failover::model::report::{Expectation, Movement, Outcome, Report, Step, StepResult};

use crate::standard::event;
use crate::support::Stage;

const MEMBERS_WITH_THIRD: (&str, &str) =
    ("TOKEN_SERVER_INSTANCE_IDS", "i-0aaaaaaaaaaaaaaa1,i-0bbbbbbbbbbbbbbb2,i-0ccccccccccccccc3");
const NOTE: &str = "CreateTags note";
const DETACH: &str = "Detach eni-attach-0aaaaaaaaaaaaaaa1";
const ATTACH_TO_STANDBY: &str = "Attach i-0bbbbbbbbbbbbbbb2 at 1";
/// The note of a move that does not count against the limit.
const ARRIVAL: &str = "CreateTags arrival";
const COUNT: &str = "CreateTags moves";
/// The note of a limit on the interfaces of an instance type.
const LIMITS: &str = "CreateTags limits";
const SETTLE: &str = "DeleteTags";

fn stage(scenario: Scenario) -> Stage {
    stage_with(scenario, &[])
}

fn stage_with(scenario: Scenario, changes: &[(&str, &str)]) -> Stage {
    Stage::recorded(scenario.build(), changes, Box::new(|_| ()))
}

/// A pair whose holder was stopped.
fn stopped_holder() -> Scenario {
    simulator::pair().instance(names::HOLDER, |holder| holder.stopped())
}

fn holder(simulator: &Simulator) -> Option<String> {
    simulator.world(|world| world.holder_of(names::INTERFACE).map(str::to_owned))
}

fn tags(simulator: &Simulator) -> Vec<(String, String)> {
    simulator.world(|world| {
        let interface = world.interface(names::INTERFACE);
        let tags = interface.into_iter().flat_map(|interface| interface.tags.iter());
        tags.map(|(key, value)| (key.clone(), value.clone())).collect()
    })
}

fn id(id: &str) -> InstanceId {
    id.parse().expect("an instance id")
}

/// Every call for a change, in a short form, without dry runs.
fn story(simulator: &Simulator) -> Vec<String> {
    let calls = simulator.journal();
    let changing = calls.iter().filter(|call| {
        let reads = call.action.starts_with("Describe") || call.action.starts_with("Get");
        !reads && !call.dry_run
    });
    changing
        .map(|call| {
            let parameter = |name: &str| call.parameters.get(name).unwrap_or_default().to_owned();
            let words = match call.action.as_ref() {
                "CreateTags" if call.to_string().contains("token-failover:refused") => "CreateTags refused".to_owned(),
                "CreateTags" if call.to_string().contains("token-failover:announced") => {
                    "CreateTags announced".to_owned()
                }
                "CreateTags" if call.to_string().contains("token-failover:limits") => LIMITS.to_owned(),
                "CreateTags" if call.to_string().contains("token-failover:moves") => COUNT.to_owned(),
                "CreateTags" if !call.to_string().contains("busy-until") => "CreateTags hand over".to_owned(),
                "CreateTags" if call.to_string().contains("arrived=") => ARRIVAL.to_owned(),
                "CreateTags" => NOTE.to_owned(),
                "DetachNetworkInterface" => {
                    let force = if parameter("Force") == "true" { " by force" } else { "" };
                    format!("Detach {}{force}", parameter("AttachmentId"))
                }
                "AttachNetworkInterface" => {
                    format!("Attach {} at {}", parameter("InstanceId"), parameter("DeviceIndex"))
                }
                "StartInstances" => format!("Start {}", parameter("InstanceId")),
                "Publish" => format!("Publish {}", parameter("Subject")),
                "ModifyNetworkInterfaceAttribute" => "Modify".to_owned(),
                action => action.to_owned(),
            };
            match call.outcome.to_string().as_str() {
                "ok" => words,
                outcome => format!("{words} -> {outcome}"),
            }
        })
        .collect()
}

fn calls(simulator: &Simulator, action: &str) -> usize {
    simulator.journal().iter().filter(|call| call.action == action).count()
}

const PUBLISH_MOVED: &str = "Publish MOVED: license-eu (hostid 0273ae2adc81)";
const PUBLISH_REFUSED: &str = "Publish REFUSED: license-eu (hostid 0273ae2adc81)";
const PUBLISH_FAILED: &str = "Publish FAILED: license-eu (hostid 0273ae2adc81)";
const PUBLISH_REPAIRED: &str = "Publish REPAIRED: license-eu (hostid 0273ae2adc81)";

fn codes(report: &Report) -> Vec<&str> {
    report.findings.iter().map(|finding| finding.code.as_str()).collect()
}

fn mail(simulator: &Simulator, index: usize) -> String {
    let messages = simulator.messages();
    let message: Value = serde_json::from_str(&messages[index].message).expect("a JSON object");
    message["email"].as_str().expect("a message for email").to_owned()
}

mod a_holder_that_failed {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn loses_the_interface_to_the_running_standby() {
        let stage = stage(stopped_holder());

        let report = stage.invoke(event("holder-stopped")).await.expect("a report");

        assert_eq!(holder(&stage.simulator).as_deref(), Some(names::STANDBY));
        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Moved, "holder-stopped"));
        assert_eq!(report.expected_to_work, Expectation::Yes);
        let movement = report.movement.expect("a move");
        let attachment_id = movement.attachment_id.clone();
        assert!(attachment_id.as_ref().is_some_and(|id| id.as_str() != names::ATTACHMENT));
        assert_eq!(
            movement,
            Movement {
                from: Some(id(names::HOLDER)),
                to: id(names::STANDBY),
                attachment_id,
                forced: Some(false),
                standby_started: Some(false),
                duration_ms: movement.duration_ms,
            }
        );
        assert_eq!(story(&stage.simulator), [NOTE, DETACH, ATTACH_TO_STANDBY, COUNT, PUBLISH_MOVED, SETTLE]);
        assert!(report.findings.is_empty(), "{:?}", report.findings);
        assert!(mail(&stage.simulator, 0).contains("02:73:ae:2a:dc:81"));
        assert!(mail(&stage.simulator, 0).contains("0273ae2adc81"));
    }

    #[tokio::test(start_paused = true)]
    async fn is_dealt_with_once_however_often_the_event_comes() {
        let stage = stage(stopped_holder());
        let first = stage.invoke(event("holder-stopped")).await.expect("a report");
        stage.simulator.clear_journal();

        let second = stage.invoke(event("holder-stopped")).await.expect("a report");

        assert_eq!((first.outcome, second.outcome), (Outcome::Moved, Outcome::NoAction));
        assert_eq!(story(&stage.simulator), Vec::<String>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn is_dealt_with_in_every_state_that_is_a_failure() {
        for (event_name, state) in [
            ("holder-stopping", "holder-stopping"),
            ("holder-stopped", "holder-stopped"),
            ("holder-shutting-down", "holder-shutting-down"),
            ("holder-terminated", "interface-unattached"),
        ] {
            let realistic = Timings { detach: Duration::from_secs(2), ..Timings::realistic() };
            let stage = stage(simulator::pair().timings(realistic));
            let wait = stage.simulator.world(|world| match event_name {
                "holder-stopping" => world.stop(names::HOLDER).map(|()| 0),
                "holder-stopped" => world.stop(names::HOLDER).map(|()| 7),
                "holder-shutting-down" => world.terminate(names::HOLDER).map(|()| 0),
                _ => world.terminate(names::HOLDER).map(|()| 20),
            });
            tokio::time::sleep(Duration::from_secs(wait.expect("the holder runs"))).await;

            let report = stage.invoke(event(event_name)).await.expect("a report");

            assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Moved, state), "{event_name}");
            assert_eq!(holder(&stage.simulator).as_deref(), Some(names::STANDBY), "{event_name}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn is_noticed_by_the_schedule_when_the_event_was_lost() {
        let stage = stage(stopped_holder());

        let report = stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Moved, "holder-stopped"));
        assert_eq!(holder(&stage.simulator).as_deref(), Some(names::STANDBY));
    }

    #[tokio::test(start_paused = true)]
    async fn hands_over_to_a_stopped_standby_that_is_started_once_it_has_the_interface() {
        let cold = simulator::cold_standby().instance(names::HOLDER, |holder| holder.stopped());
        let stage = stage(cold.timings(Timings::realistic()));

        let report = stage.invoke(event("holder-stopped")).await.expect("a report");

        assert_eq!(report.outcome, Outcome::Moved);
        assert_eq!(report.movement.and_then(|movement| movement.standby_started), Some(true));
        assert_eq!(report.expected_to_work, Expectation::Yes);
        let start = format!("Start {}", names::STANDBY);
        assert_eq!(story(&stage.simulator), [NOTE, DETACH, ATTACH_TO_STANDBY, &start, COUNT, PUBLISH_MOVED, SETTLE]);
    }

    #[tokio::test(start_paused = true)]
    async fn hands_over_to_the_next_standby_when_the_first_has_no_capacity() {
        for capacity in [Capacity::RefusedAtOnce, Capacity::LostLater] {
            let scenario = simulator::trio()
                .instance(names::HOLDER, |holder| holder.stopped())
                .instance(names::STANDBY, |standby| standby.stopped().capacity(capacity))
                .timings(Timings::realistic());
            let stage = stage_with(scenario, &[MEMBERS_WITH_THIRD]);

            let report = stage.invoke(event("holder-stopped")).await.expect("a report");

            assert_eq!((report.outcome, report.expected_to_work), (Outcome::Moved, Expectation::Yes), "{capacity:?}");
            assert_eq!(report.movement.as_ref().map(|movement| movement.to.clone()), Some(id(names::THIRD)));
            assert_eq!(holder(&stage.simulator).as_deref(), Some(names::THIRD));
            assert_eq!(codes(&report), ["start-failed"]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn is_started_again_when_no_standby_can_be() {
        let cold = simulator::cold_standby()
            .instance(names::HOLDER, |holder| holder.stopped())
            .instance(names::STANDBY, |standby| standby.capacity(Capacity::RefusedAtOnce));
        let stage = stage(cold.timings(Timings::realistic()));

        let report = stage.invoke(event("holder-stopped")).await.expect("a report");

        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Failed, "returned-to-former-holder"));
        assert_eq!(report.expected_to_work, Expectation::Yes);
        assert_eq!(holder(&stage.simulator).as_deref(), Some(names::HOLDER));
        let calls = story(&stage.simulator);
        let mut starts: Vec<&String> = calls.iter().filter(|call| call.starts_with("Start")).collect();
        // The SDK retries a call after a server error.
        starts.dedup();
        let refused = format!("Start {} -> InsufficientInstanceCapacity", names::STANDBY);
        assert_eq!(starts, [&refused, &format!("Start {}", names::HOLDER)]);
        let next = stage.invoke(event("schedule")).await.expect("a report");
        assert_eq!((next.outcome, next.reason.as_str()), (Outcome::Resolved, "returned-to-former-holder"));
    }

    #[tokio::test(start_paused = true)]
    async fn that_hangs_is_detached_by_force_after_the_configured_patience() {
        let hung = simulator::pair().instance(names::HOLDER, |holder| holder.impaired().hung());
        let stage = stage_with(hung, &[("FAILOVER_FORCE_DETACH_AFTER_SECONDS", "7")]);

        let report = stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Moved, "holder-impaired"));
        assert_eq!(report.movement.as_ref().and_then(|movement| movement.forced), Some(true));
        let by_force = format!("{DETACH} by force");
        assert_eq!(story(&stage.simulator), [NOTE, DETACH, &by_force, ATTACH_TO_STANDBY, COUNT, PUBLISH_MOVED, SETTLE]);
        let forced = stage.simulator.journal().into_iter().find(|call| call.parameters.get("Force") == Some("true"));
        let forced_at = forced.expect("one forced detach").at;
        assert!((7..8).contains(&forced_at.as_secs()), "{forced_at:?}");
        assert_eq!(codes(&report), ["detached-by-force"]);
    }

    #[tokio::test(start_paused = true)]
    async fn that_hangs_is_never_detached_by_force_when_that_is_forbidden() {
        let hung = simulator::pair().instance(names::HOLDER, |holder| holder.impaired().hung());
        let stage = stage_with(hung, &[("FAILOVER_FORCE_DETACH_AFTER_SECONDS", "0")]);

        let failure = stage.invoke(event("schedule")).await.expect_err("the time ends first");

        assert!(matches!(failure, Failure::DeadlineReached { .. }), "{failure:?}");
        assert_eq!(story(&stage.simulator), [NOTE, DETACH, PUBLISH_FAILED, "CreateTags refused"]);
    }
}

mod a_stopped_holder_without_a_viable_standby {
    use super::*;

    const START: &str = "Start i-0aaaaaaaaaaaaaaa1";
    const START_REFUSED: &str = "Start i-0aaaaaaaaaaaaaaa1 -> InsufficientInstanceCapacity";
    const PUBLISH_STARTED: &str = "Publish STARTED: license-eu (hostid 0273ae2adc81)";
    const PUBLISH_STARTED_BUT: &str = "Publish STARTED BUT NOT WORKING: license-eu (hostid 0273ae2adc81)";

    /// The holder was stopped, and the other member is terminated.
    fn last_member() -> Scenario {
        stopped_holder().timings(Timings::realistic())
    }

    fn stage_of_last_member(changes: &[(&str, &str)], capacity: Capacity) -> Stage {
        let stage = stage_with(last_member().instance(names::HOLDER, |holder| holder.capacity(capacity)), changes);
        stage.simulator.world(|world| world.terminate(names::STANDBY)).expect("it runs");
        stage
    }

    fn state_of(stage: &Stage, instance: &str) -> simulator::world::InstanceState {
        stage.simulator.world(|world| world.region().instance(instance).expect("it exists").state)
    }

    fn running() -> simulator::world::InstanceState {
        simulator::world::InstanceState::Running
    }

    #[tokio::test(start_paused = true)]
    async fn is_started_in_place() {
        let stage = stage_of_last_member(&[], Capacity::Available);

        let report = stage.invoke(event("holder-stopped")).await.expect("a report");
        let next = stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!((report.outcome.to_string().as_str(), report.reason.as_str()), ("started", "holder-stopped"));
        assert_eq!(report.movement, None);
        assert_eq!(report.expected_to_work, Expectation::Yes);
        assert_eq!(report.findings, []);
        assert_eq!(state_of(&stage, names::HOLDER), running());
        assert_eq!(story(&stage.simulator), [NOTE, START, COUNT, PUBLISH_STARTED, SETTLE]);
        assert!(mail(&stage.simulator, 0).contains("was started in place"), "{}", mail(&stage.simulator, 0));
        assert_eq!((next.outcome, next.reason.as_str()), (Outcome::NoAction, "holder-healthy"));
    }

    #[tokio::test(start_paused = true)]
    async fn is_started_once_it_has_stopped() {
        let stage = stage(simulator::pair().timings(Timings::realistic()));
        stage.simulator.world(|world| world.terminate(names::STANDBY)).expect("it runs");
        stage.simulator.world(|world| world.stop(names::HOLDER)).expect("it runs");

        let report = stage.invoke(event("holder-stopping")).await.expect("a report");

        assert_eq!((report.outcome.to_string().as_str(), report.reason.as_str()), ("started", "holder-stopped"));
        assert_eq!(story(&stage.simulator), [NOTE, START, COUNT, PUBLISH_STARTED, SETTLE]);
    }

    #[tokio::test(start_paused = true)]
    async fn is_started_even_if_the_interface_is_its_primary_one() {
        let stage = stage(simulator::primary().timings(Timings::realistic()));
        stage.simulator.world(|world| world.stop(names::HOLDER)).expect("it runs");
        tokio::time::sleep(Duration::from_secs(10)).await;

        let report = stage.invoke(event("holder-stopped")).await.expect("a report");

        assert_eq!((report.outcome.to_string().as_str(), report.reason.as_str()), ("started", "holder-stopped"));
        assert_eq!(state_of(&stage, names::HOLDER), running());
        assert_eq!(calls(&stage.simulator, "DetachNetworkInterface"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn is_started_if_it_is_a_cold_standby_that_a_dead_run_did_not_start() {
        let cold = simulator::cold_standby().instance(names::HOLDER, |holder| holder.stopped());
        let stage = stage(cold.timings(Timings::realistic()));
        let killed = tokio::time::timeout(Duration::from_millis(2800), stage.invoke(event("holder-stopped"))).await;
        assert!(killed.is_err(), "the run was killed");
        assert_eq!(
            story(&stage.simulator),
            [NOTE, DETACH, ATTACH_TO_STANDBY],
            "the run died before it started the standby"
        );
        stage.simulator.world(|world| world.terminate(names::HOLDER)).expect("it is stopped");
        tokio::time::sleep(Duration::from_secs(300)).await;
        stage.simulator.clear_journal();

        let report = stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!(report.outcome.to_string(), "started");
        assert_eq!(state_of(&stage, names::STANDBY), running());
        let subjects: Vec<String> =
            stage.simulator.messages().iter().filter_map(|message| message.subject.clone()).collect();
        let named = |outcome: &str| format!("{outcome}: license-eu (hostid 0273ae2adc81)");
        assert_eq!(subjects, [named("STARTED"), named("MOVED")], "the move of the dead run is reported, too");
        assert_eq!(calls(&stage.simulator, "DetachNetworkInterface"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn is_tried_again_with_growing_pauses_until_there_is_capacity() {
        let stage = stage_of_last_member(&[], Capacity::RefusedAtOnce);
        let mut reasons = Vec::new();
        let mut tried = Vec::new();
        for minute in 0..30 {
            let before = calls(&stage.simulator, "StartInstances");
            let report = stage.invoke(event("schedule")).await.expect("a report");
            if calls(&stage.simulator, "StartInstances") > before {
                tried.push(minute);
            }
            reasons.push(report.reason.to_string());
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        assert_eq!(tried[..4], [0, 1, 3, 7], "the pauses are one, two and four minutes");
        assert!(tried.windows(2).all(|pair| pair[1] - pair[0] <= 6), "after that, about five minutes: {tried:?}");
        assert_eq!(reasons[0], "holder-not-started");
        assert!(stage.simulator.messages().len() <= 2, "{:?}", stage.simulator.messages());
        assert!(story(&stage.simulator).contains(&START_REFUSED.to_owned()));

        stage.simulator.world(|world| world.set_capacity(names::HOLDER, Capacity::Available)).expect("it exists");
        let mut started = None;
        for minute in 0..6 {
            let report = stage.invoke(event("schedule")).await.expect("a report");
            if report.outcome.to_string() == "started" {
                started = Some(minute);
                break;
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        assert!(started.is_some(), "it is started within five minutes after there is capacity");
        assert_eq!(state_of(&stage, names::HOLDER), running());
    }

    #[tokio::test(start_paused = true)]
    async fn that_the_role_may_not_start_is_started_by_the_next_run_once_it_may() {
        let stage = stage_of_last_member(&[], Capacity::Available);
        stage.simulator.deny("StartInstances");
        let report = stage.invoke(event("schedule")).await.expect("a report");
        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Failed, "holder-not-started"));
        let noted = tags(&stage.simulator).into_iter().any(|(key, _)| key == "token-failover:not-started");
        assert!(!noted, "EC2 was not asked for capacity");

        stage.simulator.calm();
        let next = stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!(next.outcome.to_string(), "started");
        assert_eq!(state_of(&stage, names::HOLDER), running());
    }

    #[tokio::test(start_paused = true)]
    async fn that_an_operator_starts_does_not_need_the_permission_to_start_it() {
        let cold = simulator::cold_standby().instance(names::HOLDER, |holder| holder.stopped());
        let stage = stage(cold);
        let simulator = stage.simulator.clone();
        let mut has_seen = false;
        // An operator starts it, and the role may not.
        stage.simulator.disrupt(move |call| {
            if call.action != "StartInstances" || call.dry_run {
                return Disruption::None;
            }
            if !std::mem::replace(&mut has_seen, true) {
                let simulator = simulator.clone();
                tokio::spawn(
                    async move { simulator.world(|world| world.start(names::STANDBY)).expect("it is stopped") },
                );
            }
            Disruption::Deny
        });

        let report = stage.invoke(event("holder-stopped")).await.expect("a report");

        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Moved, "holder-stopped"));
        assert_eq!(codes(&report), [""; 0], "there are no findings");
        assert_eq!(state_of(&stage, names::STANDBY), running());
    }

    #[tokio::test(start_paused = true)]
    async fn that_loses_its_capacity_while_it_starts_is_reported_and_tried_again() {
        let stage = stage_of_last_member(&[], Capacity::LostLater);

        let report = stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Failed, "holder-not-started"));
        assert_eq!(report.expected_to_work, Expectation::No);
        assert_eq!(codes(&report)[0], "holder-not-started");
        stage.simulator.world(|world| world.set_capacity(names::HOLDER, Capacity::Available)).expect("it exists");
        tokio::time::sleep(Duration::from_secs(65)).await;
        let next = stage.invoke(event("schedule")).await.expect("a report");
        assert_eq!(next.outcome.to_string(), "started");
    }

    #[tokio::test(start_paused = true)]
    async fn that_loses_the_interface_while_it_starts_is_not_said_to_hold_it() {
        let scenario = simulator::pair()
            .with_timings(|timings| (timings.detach, timings.attach) = Default::default())
            .instance(names::HOLDER, |holder| holder.stopped())
            .instance(names::STANDBY, |standby| standby.impaired());
        let stage = stage(scenario);
        stage.simulator.on_call("StartInstances", 1, When::Before, |world| {
            world.detach(names::INTERFACE).expect("it is attached");
        });
        stage.simulator.on_call("StartInstances", 1, When::After, |world| {
            world.attach(names::INTERFACE, names::STANDBY, 1).expect("it is free");
        });

        let report = stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!(report.outcome, Outcome::Started);
        let (holder, standby) = (names::HOLDER, names::STANDBY);
        let summary = format!(
            "{holder}, which held the license interface, was started in place because it was stopped and the interface \
             could not move to a ready standby. Meanwhile another run moved the interface: it is now on {standby}."
        );
        assert_eq!(report.summary, summary);
    }

    #[tokio::test(start_paused = true)]
    async fn is_left_alone_where_nothing_may_be_started() {
        let stage = stage_of_last_member(&[("FAILOVER_START_STANDBY", "false")], Capacity::Available);

        let report = stage.invoke(event("holder-stopped")).await.expect("a report");

        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Refused, "no-viable-standby"));
        assert_eq!(story(&stage.simulator), [PUBLISH_REFUSED, "CreateTags refused"]);
    }

    #[tokio::test(start_paused = true)]
    async fn is_not_started_more_often_than_the_limit_allows() {
        let stage = stage_of_last_member(&[("FAILOVER_MAX_MOVES_PER_HOUR", "2")], Capacity::Available);
        let mut reasons = Vec::new();
        for _ in 0..3 {
            reasons.push(stage.invoke(event("schedule")).await.expect("a report").reason.to_string());
            stage.simulator.world(|world| world.stop(names::HOLDER)).ok();
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        assert_eq!(reasons, ["holder-stopped", "holder-stopped", "too-many-moves"]);
    }

    #[tokio::test(start_paused = true)]
    async fn is_left_to_its_owner_who_asks_for_a_failover() {
        let stage = stage_of_last_member(&[], Capacity::Available);

        let report = stage.invoke(event("operator-failover")).await.expect("a report");

        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Refused, "no-viable-standby"));
        assert_eq!(calls(&stage.simulator, "StartInstances"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn is_rehearsed_by_a_plan() {
        let stage = stage_of_last_member(&[], Capacity::Available);

        let report = stage.invoke(event("operator-plan")).await.expect("a report");

        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Planned, "holder-stopped"));
        assert_eq!(report.movement, None);
        let summary =
            format!("The function would start {}, which is stopped, in place. Nothing was changed.", names::HOLDER);
        assert_eq!(report.summary, summary);
        let steps: Vec<Step> = report.steps.iter().map(|step| step.step).collect();
        let planned = [Step::NoteDebt, Step::StartInstance, Step::AwaitRunning, Step::Publish, Step::SettleDebt];
        assert_eq!(steps, planned);
        assert_eq!(story(&stage.simulator), Vec::<String>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn is_reported_by_the_next_run_if_the_one_that_started_it_died() {
        let stage = stage_of_last_member(&[], Capacity::Available);
        let killed = tokio::time::timeout(Duration::from_millis(500), stage.invoke(event("schedule"))).await;
        assert!(killed.is_err(), "the run was killed");
        assert_eq!(calls(&stage.simulator, "StartInstances"), 1, "the run died after it had started the holder");
        tokio::time::sleep(Duration::from_secs(300)).await;
        stage.simulator.clear_journal();

        let next = stage.invoke(event("schedule")).await.expect("a report");
        let last = stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!((next.outcome, last.outcome), (Outcome::NoAction, Outcome::NoAction));
        assert_eq!(story(&stage.simulator), [PUBLISH_STARTED, SETTLE]);
        assert!(mail(&stage.simulator, 0).contains("could not report it"), "{}", mail(&stage.simulator, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn is_started_once_however_many_runs_find_it() {
        for delay in [0, 50, 200, 1_000, 3_000, 7_000, 9_000] {
            let stage = stage_of_last_member(&[], Capacity::Available);
            let second = async {
                tokio::time::sleep(Duration::from_millis(delay)).await;
                stage.invoke(event("schedule")).await
            };

            let (first, second) = tokio::join!(stage.invoke(event("holder-stopped")), second);

            first.expect("a report");
            second.expect("a report");
            let subjects: Vec<String> =
                stage.simulator.messages().iter().filter_map(|message| message.subject.clone()).collect();
            assert_eq!(subjects, ["STARTED: license-eu (hostid 0273ae2adc81)"], "{delay}");
            assert_eq!(state_of(&stage, names::HOLDER), running(), "{delay}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn that_is_started_and_does_not_serve_says_so() {
        let closed = last_member().security_group(names::GROUP, |group| group.no_rules());
        let stage = stage(closed);
        stage.simulator.world(|world| world.terminate(names::STANDBY)).expect("it runs");

        stage.invoke(event("holder-stopped")).await.expect("a report");

        assert!(story(&stage.simulator).contains(&PUBLISH_STARTED_BUT.to_owned()), "{:?}", story(&stage.simulator));
    }
}

mod a_slow_attach {
    use super::*;

    /// The holder is terminated, and an attach takes this long.
    fn scenario(attach: u64, cold: bool) -> Scenario {
        let scenario = if cold { simulator::cold_standby() } else { simulator::pair() };
        scenario.timings(Timings { attach: Duration::from_secs(attach), ..Timings::realistic() })
    }

    fn subjects(stage: &Stage) -> Vec<String> {
        stage.simulator.messages().iter().filter_map(|message| message.subject.clone()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn is_waited_for_within_the_time_of_the_invocation() {
        for cold in [false, true] {
            for attach in [0, 20, 89, 91, 150, 240] {
                let stage = stage(scenario(attach, cold).instance(names::HOLDER, |holder| holder.stopped()));

                let report = stage.invoke(event("holder-stopped")).await.expect("a report");

                assert_eq!(report.outcome, Outcome::Moved, "{attach} s, cold: {cold}: {}", report.summary);
                assert_eq!(subjects(&stage), ["MOVED: license-eu (hostid 0273ae2adc81)"], "{attach} s, cold: {cold}");
                assert_eq!(calls(&stage.simulator, "AttachNetworkInterface"), 2, "one of them a dry run: {attach} s");
                let runs = stage.simulator.world(|world| world.region().instance(names::STANDBY).expect("it").state);
                assert_eq!(runs, simulator::world::InstanceState::Running, "{attach} s, cold: {cold}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn that_outlasts_the_invocation_is_taken_over_by_the_next_one() {
        for cold in [false, true] {
            for attach in [290, 330, 450, 600] {
                let stage = stage(scenario(attach, cold).instance(names::HOLDER, |holder| holder.stopped()));

                let failure = stage.invoke(event("holder-stopped")).await.expect_err("the run times out");
                assert_eq!(failure.error_type(), "DeadlineReached", "{attach} s");
                let said = mail(&stage.simulator, 0);
                assert!(said.contains("still attaching it"), "{attach} s: {said}");
                assert!(!said.contains("attached-to-nothing"), "{attach} s: {said}");
                for _ in 0..12 {
                    let _ = stage.invoke(event("schedule")).await;
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }

                let mut seen = subjects(&stage);
                seen.dedup();
                let named = |outcome: &str| format!("{outcome}: license-eu (hostid 0273ae2adc81)");
                let mut expected = vec![named("FAILED")];
                expected.extend(cold.then(|| named("STARTED")));
                expected.push(named("MOVED"));
                // A run that finds the interface attaching, without an active run, does not change anything.
                seen.retain(|subject| *subject != named("REFUSED"));
                assert_eq!(seen, expected, "{attach} s, cold: {cold}");
                assert_eq!(holder(&stage.simulator).as_deref(), Some(names::STANDBY), "{attach} s, cold: {cold}");
                assert_eq!(calls(&stage.simulator, "AttachNetworkInterface"), 2, "{attach} s, cold: {cold}");
                let runs = stage.simulator.world(|world| world.region().instance(names::STANDBY).expect("it").state);
                assert_eq!(runs, simulator::world::InstanceState::Running, "{attach} s, cold: {cold}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn is_not_disturbed_by_runs_that_come_meanwhile() {
        let stage = stage(scenario(200, false).instance(names::HOLDER, |holder| holder.stopped()));
        let others = async {
            for _ in 0..2 {
                tokio::time::sleep(Duration::from_secs(60)).await;
                let report = stage.invoke(event("schedule")).await.expect("a report");
                assert_eq!((report.outcome, report.reason.as_str()), (Outcome::NoAction, "interface-arriving"));
            }
        };

        let (report, ()) = tokio::join!(stage.invoke(event("holder-stopped")), others);

        assert_eq!(report.expect("a report").outcome, Outcome::Moved);
        assert_eq!(subjects(&stage), ["MOVED: license-eu (hostid 0273ae2adc81)"]);
    }
}

mod one_answer {
    use super::*;

    const READS: [&str; 2] = ["DescribeInstances", "DescribeInstanceStatus"];

    /// A stage on which this instance has just been terminated, and where one of the reads shows the time before for as
    /// long as the run reads.
    async fn terminated(scenario: Scenario, instance: &'static str, old_read: &'static str) -> Stage {
        let stage = stage(scenario.timings(Timings::realistic()));
        tokio::time::sleep(Duration::from_secs(60)).await;
        stage.simulator.world(|world| world.terminate(instance)).expect("it exists");
        tokio::time::sleep(Duration::from_secs(1)).await;
        stage.simulator.always(old_read, Disruption::Stale(Duration::from_secs(30)));
        stage
    }

    #[tokio::test(start_paused = true)]
    async fn that_shows_a_standby_shutting_down_outweighs_one_that_does_not() {
        for old_read in READS {
            let stage = terminated(simulator::pair(), names::STANDBY, old_read).await;

            let report = stage.invoke(event("operator-failover")).await.expect("a report");

            let seen = (report.outcome, report.reason.as_str());
            assert_eq!(seen, (Outcome::Refused, "no-viable-standby"), "{old_read} is old");
            assert_eq!(holder(&stage.simulator).as_deref(), Some(names::HOLDER));
            assert_eq!(story(&stage.simulator), [PUBLISH_REFUSED], "{old_read} is old");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn that_shows_the_holder_shutting_down_outweighs_one_that_does_not() {
        for old_read in READS {
            let stage = terminated(simulator::pair(), names::HOLDER, old_read).await;

            let report = stage.invoke(event("schedule")).await.expect("a report");

            let seen = (report.outcome, report.reason.as_str());
            assert_eq!(seen, (Outcome::Moved, "holder-shutting-down"), "{old_read} is old");
            assert_eq!(holder(&stage.simulator).as_deref(), Some(names::STANDBY), "{old_read} is old");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn that_shows_a_standby_shutting_down_is_not_taken_back_by_a_later_old_one() {
        let changes = [("FAILOVER_START_STANDBY", "false")];
        let stage = stage_with(stopped_holder().timings(Timings::realistic()), &changes);
        tokio::time::sleep(Duration::from_secs(60)).await;
        stage.simulator.world(|world| {
            world.terminate(names::STANDBY).expect("it exists");
            world.act(DetachNetworkInterface::of(names::ATTACHMENT)).expect("it is attached");
        });
        // The first answers are true. The run reads again because the interface is detaching, and the others are old.
        stage.simulator.disrupt(move |call| {
            let is_old = READS.contains(&call.action.as_ref()) && call.nth > 1;
            if is_old { Disruption::Stale(Duration::from_secs(30)) } else { Disruption::None }
        });

        let report = stage.invoke(event("schedule")).await.expect("a report");

        assert!(calls(&stage.simulator, "DescribeInstances") > 1);
        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Refused, "no-viable-standby"));
        assert_eq!(story(&stage.simulator), [PUBLISH_REFUSED, "CreateTags refused"]);
    }

    #[tokio::test(start_paused = true)]
    async fn that_the_interface_does_not_exist_is_not_believed() {
        // At every moment of the failover.
        for nth in 1..30 {
            let stage = stage(stopped_holder().timings(Timings::realistic()));
            stage.simulator.disrupt(move |call| {
                let is_meant = call.action == "DescribeNetworkInterfaces" && call.nth == nth;
                if is_meant { Disruption::Forgotten } else { Disruption::None }
            });

            let report = stage.invoke(event("schedule")).await.expect("a report");

            assert_eq!(report.outcome, Outcome::Moved, "{nth}: {}", report.summary);
            assert_eq!(holder(&stage.simulator).as_deref(), Some(names::STANDBY), "{nth}");
            assert_eq!(stage.simulator.messages().len(), 1, "{nth}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn that_the_interface_does_not_exist_is_not_believed_by_an_audit_or_a_plan() {
        for request in ["operator-audit", "operator-plan"] {
            let stage = stage(simulator::pair());
            stage.simulator.fail_next("DescribeNetworkInterfaces", 1, Disruption::Forgotten);

            let report = stage.invoke(event(request)).await.expect("a report");

            assert!(!codes(&report).contains(&"interface-missing"), "{request}: {:?}", codes(&report));
            assert!(report.token_server.mac_address.is_some(), "{request}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn that_the_interface_does_not_exist_is_not_confirmed_by_silence() {
        for (first, silent) in [
            ("DescribeNetworkInterfaces", "DescribeInstances"),
            ("DescribeNetworkInterfaces", "DescribeNetworkInterfaces"),
            ("DetachNetworkInterface", "DescribeNetworkInterfaces"),
        ] {
            let stage = stage(stopped_holder().timings(Timings::realistic()));
            let mut began = None;
            stage.simulator.disrupt(move |call| {
                if call.action == first {
                    began = began.or(Some(call.now));
                }
                let Some(since) = began.map(|began| call.now - began) else { return Disruption::None };
                let is_silent = (Duration::from_millis(200)..Duration::from_secs(15)).contains(&since);
                match call.action.as_ref() {
                    action if action == silent && is_silent => Disruption::Hang,
                    "DescribeNetworkInterfaces" if since < Duration::from_secs(24) => Disruption::Forgotten,
                    _ => Disruption::None,
                }
            });

            let report = stage.invoke(event("schedule")).await.expect("a report");

            assert_eq!(report.outcome, Outcome::Moved, "{first}, {silent}: {}", report.summary);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn that_the_holder_does_not_exist_takes_nothing_from_it() {
        let stage = stage(simulator::pair());
        stage.simulator.fail_next("DescribeInstances", 1, Disruption::Forgotten);

        let report = stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::NoAction, "holder-healthy"));
        assert_eq!(story(&stage.simulator), Vec::<String>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn that_the_status_checks_are_throttled_fails_the_invocation() {
        let stage = stage(stopped_holder());
        stage.simulator.always("DescribeInstanceStatus", Disruption::Throttle);

        let failure = stage.invoke(event("holder-stopped")).await.expect_err("it could not be read");

        assert_eq!(failure.error_type(), "Ec2Throttled");
        assert_eq!(story(&stage.simulator), Vec::<String>::new());
        stage.simulator.calm();
        let report = stage.invoke(event("holder-stopped")).await.expect("a report");
        assert_eq!(report.outcome, Outcome::Moved);
    }

    #[tokio::test(start_paused = true)]
    async fn that_a_detach_is_not_allowed_is_not_believed_of_an_attachment_that_is_gone() {
        let assumptions = Assumptions { gone_attachment_is_unauthorized: true, ..Assumptions::default() };
        let stage = stage(stopped_holder().assumptions(assumptions));
        stage.simulator.on_call("DetachNetworkInterface", 1, When::Before, |world| {
            world.detach(names::INTERFACE).expect("it is attached");
        });

        let report = stage.invoke(event("holder-stopped")).await.expect("a report");

        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Moved, "holder-stopped"));
        assert_eq!(holder(&stage.simulator).as_deref(), Some(names::STANDBY));
    }

    #[tokio::test(start_paused = true)]
    async fn that_an_attach_is_not_allowed_does_not_keep_the_interface_from_the_next_standby() {
        let trio = simulator::trio()
            .instance(names::HOLDER, |holder| holder.stopped())
            .instance(names::THIRD, |third| third)
            .timings(Timings::realistic());
        let stage = stage_with(trio, &[MEMBERS_WITH_THIRD]);
        stage.simulator.disrupt(|call| {
            let is_meant = call.action == "AttachNetworkInterface"
                && !call.dry_run
                && call.parameters.get("InstanceId") == Some(names::STANDBY);
            if is_meant { Disruption::Deny } else { Disruption::None }
        });

        let report = stage.invoke(event("holder-stopped")).await.expect("a report");

        assert_eq!(report.outcome, Outcome::Moved);
        assert_eq!(holder(&stage.simulator).as_deref(), Some(names::THIRD));
    }
}

mod an_attach_that_is_refused {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn is_given_up_as_soon_as_the_standby_is_terminated() {
        let trio = simulator::trio()
            .instance(names::HOLDER, |holder| holder.stopped())
            .timings(Timings { shutdown: Duration::from_secs(600), ..Timings::realistic() });
        let stage = stage_with(trio, &[MEMBERS_WITH_THIRD]);
        stage.simulator.on_call("DetachNetworkInterface", 1, When::After, |world| {
            world.terminate(names::STANDBY).expect("it runs");
        });

        let report = stage.invoke(event("holder-stopped")).await.expect("a report");

        assert_eq!(report.outcome, Outcome::Moved);
        assert_eq!(holder(&stage.simulator).as_deref(), Some(names::THIRD));
        let to_standby = story(&stage.simulator);
        let to_standby = to_standby.iter().filter(|call| call.starts_with(ATTACH_TO_STANDBY)).count();
        assert!(to_standby <= 2, "{to_standby} attaches to the standby");
        assert!(report.movement.and_then(|movement| movement.duration_ms).is_some_and(|took| took < 20_000));
    }

    #[tokio::test(start_paused = true)]
    async fn is_not_repeated_before_the_interface_has_been_read() {
        let stage = stage(stopped_holder().timings(Timings::realistic()));
        let mut first: Option<Duration> = None;
        stage.simulator.disrupt(move |call| {
            let is_attach = call.action == "AttachNetworkInterface" && !call.dry_run;
            first = first.or(is_attach.then_some(call.now));
            match call.action.as_ref() {
                _ if first.is_none_or(|first| call.now >= first + Duration::from_secs(20)) => Disruption::None,
                "AttachNetworkInterface" => Disruption::error(400, "IncorrectState"),
                "DescribeNetworkInterfaces" => Disruption::Nonsense,
                _ => Disruption::None,
            }
        });

        let report = stage.invoke(event("holder-stopped")).await.expect("a report");

        assert_eq!(report.outcome, Outcome::Moved);
        let asked = story(&stage.simulator).iter().filter(|call| call.starts_with(ATTACH_TO_STANDBY)).count();
        assert_eq!(asked, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn is_repeated_with_growing_pauses() {
        let stage = stage(stopped_holder().timings(Timings::realistic()));
        stage.simulator.disrupt(|call| {
            let is_meant = call.action == "AttachNetworkInterface" && !call.dry_run && call.now.as_secs() < 25;
            if is_meant { Disruption::error(400, "IncorrectState") } else { Disruption::None }
        });

        let report = stage.invoke(event("holder-stopped")).await.expect("a report");

        assert_eq!(report.outcome, Outcome::Moved);
        let asked = story(&stage.simulator).iter().filter(|call| call.starts_with(ATTACH_TO_STANDBY)).count();
        assert!((4..=16).contains(&asked), "{asked} attaches in 25 seconds");
    }
}

mod reads_for_the_report {
    use super::*;

    /// The time at which each change took effect, by its name.
    fn times(stage: &Stage) -> Vec<(String, Duration)> {
        let is_change = |action: &str| {
            ["DetachNetworkInterface", "AttachNetworkInterface", "StartInstances", "CreateTags"].contains(&action)
        };
        let calls = stage.simulator.journal().into_iter();
        let changes = calls.filter(|call| is_change(&call.action) && !call.dry_run);
        // The note of the publication follows the publication, and may wait.
        changes.take(4).map(|call| (call.action.to_string(), call.at)).collect()
    }

    async fn played(cold: bool, warm: bool, hangs: bool) -> (Stage, Vec<(String, Duration)>) {
        let scenario = if cold { simulator::cold_standby() } else { simulator::pair() };
        let stage = stage(scenario.timings(Timings::realistic()));
        if warm {
            stage.invoke(event("schedule")).await.expect("a report");
        }
        stage.simulator.world(|world| world.stop(names::HOLDER)).expect("it runs");
        tokio::time::sleep(Duration::from_secs(20)).await;
        if hangs {
            for action in ["DescribeSecurityGroupRules", "DescribeAddresses", "GetManagedPrefixListEntries"] {
                stage.simulator.always(action, Disruption::Hang);
            }
        }
        stage.simulator.clear_journal();
        let report = stage.invoke(event("schedule")).await.expect("a report");
        assert_eq!(report.outcome, Outcome::Moved, "cold: {cold}, warm: {warm}, hangs: {hangs}");
        if hangs {
            assert_eq!(report.checks.security_group, CheckResult::NotChecked);
            let moved = report.movement.and_then(|movement| movement.duration_ms).expect("a duration");
            let all: u64 = report.steps.iter().map(|step| step.duration_ms).sum();
            assert!(moved < 5_000 && all < 60_000, "{moved} {all}");
        }
        let times = times(&stage);
        (stage, times)
    }

    #[tokio::test(start_paused = true)]
    async fn that_hang_forever_hold_up_no_change() {
        for cold in [false, true] {
            for warm in [false, true] {
                let (_, usual) = played(cold, warm, false).await;
                let (stage, hanging) = played(cold, warm, true).await;
                assert_eq!(hanging, usual, "cold: {cold}, warm: {warm}");
                assert!(usual.len() >= 4, "{usual:?}");
                let took = stage.simulator.now() - usual[0].1;
                assert!(took < Duration::from_secs(60), "the report follows soon: {took:?}");
            }
        }
    }
}

mod a_holder_that_runs {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn keeps_the_interface_whatever_an_old_event_says() {
        for name in ["holder-stopping", "holder-stopped", "holder-shutting-down", "holder-terminated"] {
            let stage = stage(simulator::pair());

            let report = stage.invoke(event(name)).await.expect("a report");

            assert_eq!((report.outcome, report.reason.as_str()), (Outcome::NoAction, "event-outdated"), "{name}");
            assert_eq!(story(&stage.simulator), Vec::<String>::new());
            assert_eq!(holder(&stage.simulator).as_deref(), Some(names::HOLDER));
            assert!(stage.simulator.now() >= Duration::from_secs(10), "it read EC2 for some time");
            assert!(stage.simulator.now() <= Duration::from_secs(11), "it stopped reading after ten seconds");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn loses_it_as_soon_as_ec2_agrees_with_the_event() {
        let stage = stage(simulator::pair());
        stage.simulator.at(Duration::from_secs(3), |world| world.stop(names::HOLDER).expect("it runs"));

        let report = stage.invoke(event("holder-stopping")).await.expect("a report");

        assert_eq!(report.outcome, Outcome::Moved);
        assert!(stage.simulator.now() < Duration::from_secs(4));
    }

    #[tokio::test(start_paused = true)]
    async fn costs_one_wave_of_reads_when_an_event_about_a_standby_comes() {
        for name in ["standby-running", "standby-stopped", "holder-running", "holder-pending"] {
            let stage = stage(simulator::pair());

            let report = stage.invoke(event(name)).await.expect("a report");

            assert_eq!((report.outcome, report.reason.as_str()), (Outcome::NoAction, "holder-healthy"), "{name}");
            let mut actions: Vec<_> = stage.simulator.journal().iter().map(|call| call.action.to_string()).collect();
            actions.sort();
            assert_eq!(actions, ["DescribeInstanceStatus", "DescribeInstances", "DescribeNetworkInterfaces"], "{name}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn costs_a_reconcile_four_reads_and_no_change() {
        let stage = stage(simulator::pair());

        let report = stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::NoAction, "holder-healthy"));
        let checks = report.checks;
        assert_eq!(
            [checks.hostid, checks.elastic_ip, checks.security_group, checks.delete_on_termination],
            [CheckResult::Ok; 4]
        );
        assert_eq!(stage.simulator.journal().len(), 4);
        assert_eq!(story(&stage.simulator), Vec::<String>::new());
        assert!(stage.simulator.messages().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn loses_the_interface_only_to_an_operator() {
        let stage = stage(simulator::pair());

        let report = stage.invoke(event("operator-failover")).await.expect("a report");

        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Moved, "operator-request"));
        assert_eq!(story(&stage.simulator), [NOTE, DETACH, ATTACH_TO_STANDBY, ARRIVAL, PUBLISH_MOVED, SETTLE]);
    }

    #[tokio::test(start_paused = true)]
    async fn gets_it_back_when_no_standby_can_take_it() {
        let stage = stage(simulator::pair());
        let refused = Disruption::error(400, "AttachmentLimitExceeded");
        stage.simulator.disrupt(move |call| {
            let to_standby = call.parameters.get("InstanceId") == Some(names::STANDBY);
            if call.action == "AttachNetworkInterface" && to_standby { refused.clone() } else { Disruption::None }
        });

        let report = stage.invoke(event("operator-failover")).await.expect("a report");

        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Failed, "returned-to-former-holder"));
        assert_eq!(report.movement, None);
        assert_eq!(holder(&stage.simulator).as_deref(), Some(names::HOLDER));
        let to_standby = format!("{ATTACH_TO_STANDBY} -> AttachmentLimitExceeded");
        let back = format!("Attach {} at 1", names::HOLDER);
        assert_eq!(
            story(&stage.simulator),
            [NOTE, DETACH, &to_standby, &back, ARRIVAL, LIMITS, PUBLISH_FAILED, "CreateTags refused", SETTLE]
        );
        assert_eq!(codes(&report), ["returned-to-former-holder", "attach-failed"]);
    }

    #[tokio::test(start_paused = true)]
    async fn counts_as_failed_while_its_status_checks_fail_unless_that_is_switched_off() {
        let impaired = || simulator::pair().instance(names::HOLDER, |holder| holder.impaired());
        let moved = stage(impaired());
        let kept = stage_with(impaired(), &[("FAILOVER_ON_IMPAIRED", "false")]);

        let moved = moved.invoke(event("schedule")).await.expect("a report");
        let kept_report = kept.invoke(event("schedule")).await.expect("a report");

        assert_eq!((moved.outcome, moved.reason.as_str()), (Outcome::Moved, "holder-impaired"));
        assert_eq!((kept_report.outcome, kept_report.reason.as_str()), (Outcome::NoAction, "holder-healthy"));
        assert_eq!(story(&kept.simulator), Vec::<String>::new());
    }
}

mod non_members {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cause_no_call_at_all() {
        for name in ["stranger-stopped", "cloudtrail-stop-instances", "holder-stopping-replayed"] {
            let stage = stage(stopped_holder());

            let report = stage.invoke(event(name)).await.expect("a report");

            assert!(matches!(report.outcome, Outcome::NoAction | Outcome::Ignored), "{name}");
            assert_eq!(report.token_server.mac_address, None);
            assert!(stage.simulator.journal().is_empty(), "{name}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn that_hold_the_interface_keep_it_and_are_reported_once() {
        let held = simulator::trio().interface(names::INTERFACE, |interface| interface.on(names::NON_MEMBER, 1));
        let stage = stage(held);

        let first = stage.invoke(event("schedule")).await.expect("a report");
        let second = stage.invoke(event("schedule")).await.expect("a report");
        let third = stage.invoke(event("holder-stopped")).await.expect("a report");

        for report in [&first, &second, &third] {
            assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Refused, "held-by-stranger"));
            assert_eq!(report.expected_to_work, Expectation::No);
        }
        assert_eq!(story(&stage.simulator), [PUBLISH_REFUSED, "CreateTags refused"]);
    }
}

mod refusals {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn name_what_keeps_each_standby_from_taking_over() {
        let impaired = stopped_holder().instance(names::STANDBY, |standby| standby.impaired());
        let stage = stage_with(impaired, &[("FAILOVER_START_STANDBY", "false")]);

        let report = stage.invoke(event("holder-stopped")).await.expect("a report");

        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Refused, "no-viable-standby"));
        assert_eq!(codes(&report), ["no-viable-standby", "standby-not-viable"]);
        assert_eq!(report.findings[1].resource.as_deref(), Some(names::STANDBY));
        assert_eq!(story(&stage.simulator), [PUBLISH_REFUSED, "CreateTags refused"]);
        assert_eq!(holder(&stage.simulator).as_deref(), Some(names::HOLDER), "nothing is detached without a standby");
    }

    #[tokio::test(start_paused = true)]
    async fn end_as_soon_as_a_standby_is_viable() {
        let impaired = stopped_holder().instance(names::STANDBY, |standby| standby.impaired());
        let stage = stage_with(impaired, &[("FAILOVER_START_STANDBY", "false")]);
        stage.invoke(event("schedule")).await.expect("a report");
        stage.simulator.world(|world| {
            use simulator::world::region::Check;
            world.set_checks(names::STANDBY, Check::Ok, Check::Ok).expect("it exists");
        });
        stage.simulator.clear_journal();

        let report = stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!(report.outcome, Outcome::Moved);
        assert_eq!(story(&stage.simulator), [NOTE, DETACH, ATTACH_TO_STANDBY, COUNT, PUBLISH_MOVED, SETTLE]);
        let left: Vec<String> = tags(&stage.simulator).into_iter().map(|(key, _)| key).collect();
        let (of_move, others) = left.split_first().expect("tags");
        assert!(of_move.starts_with("token-failover:attached:"), "{left:?}");
        assert_eq!(others, ["token-failover:moves"], "the note of the refusal is removed and no report is pending");
    }

    #[tokio::test(start_paused = true)]
    async fn spare_a_primary_interface_until_its_instance_is_terminated() {
        let stage = stage(simulator::primary().timings(Timings::realistic()));
        stage.simulator.world(|world| world.stop(names::HOLDER)).expect("it runs");
        let refused = stage.invoke(event("holder-stopping")).await.expect("a report");
        assert_eq!((refused.outcome, refused.reason.as_str()), (Outcome::Refused, "primary-interface"));
        assert_eq!(story(&stage.simulator), [PUBLISH_REFUSED, "CreateTags refused"]);

        tokio::time::sleep(Duration::from_secs(10)).await;
        stage.simulator.world(|world| world.terminate(names::HOLDER)).expect("it is stopped");
        let moved = stage.invoke(event("holder-terminated")).await.expect("a report");

        assert_eq!(moved.outcome, Outcome::Moved);
        assert_eq!(holder(&stage.simulator).as_deref(), Some(names::STANDBY));
    }

    #[tokio::test(start_paused = true)]
    async fn report_a_missing_interface_once() {
        let stage = stage(simulator::pair());
        stage.simulator.world(|world| world.delete_interface(names::INTERFACE));

        let report = stage.invoke(event("schedule")).await.expect("a report");
        stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Refused, "interface-missing"));
        assert_eq!(report.expected_to_work, Expectation::No);
        assert_eq!(story(&stage.simulator), ["Publish REFUSED: license-eu (hostid 0273ae2adc81)"]);
    }

    #[tokio::test(start_paused = true)]
    async fn name_the_action_that_the_role_lacks_before_anything_is_detached() {
        for (action, words) in [
            ("AttachNetworkInterface", vec![NOTE, PUBLISH_REFUSED, "CreateTags refused", SETTLE]),
            (
                "DetachNetworkInterface",
                vec![
                    NOTE,
                    "Detach eni-attach-0aaaaaaaaaaaaaaa1 -> UnauthorizedOperation",
                    PUBLISH_REFUSED,
                    "CreateTags refused",
                    SETTLE,
                ],
            ),
        ] {
            let stage = stage(stopped_holder());
            stage.simulator.deny(action);

            let report = stage.invoke(event("holder-stopped")).await.expect("a report");

            assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Refused, "permission-denied"), "{action}");
            assert_eq!(report.findings[0].resource.as_deref(), Some(format!("ec2:{action}").as_str()));
            assert_eq!(story(&stage.simulator), words, "{action}");
            assert_eq!(holder(&stage.simulator).as_deref(), Some(names::HOLDER));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn stop_an_interface_that_goes_back_and_forth() {
        let stage = stage_with(simulator::pair(), &[("FAILOVER_MAX_MOVES_PER_HOUR", "2")]);
        let mut outcomes = Vec::new();
        for failing in [names::HOLDER, names::STANDBY, names::HOLDER] {
            let other = if failing == names::HOLDER { names::STANDBY } else { names::HOLDER };
            stage.simulator.world(|world| world.stop(failing)).expect("it runs");
            outcomes.push(stage.invoke(event("schedule")).await.expect("a report").reason.to_string());
            stage.simulator.world(|world| world.start(failing)).expect("it is stopped");
            tokio::time::sleep(Duration::from_secs(60)).await;
            assert_ne!(failing, other);
        }
        stage.simulator.world(|world| world.stop(names::HOLDER)).expect("it runs");
        stage.simulator.clear_journal();
        let limited = stage.invoke(event("schedule")).await.expect("a report");
        let operator = stage.invoke(event("operator-failover")).await.expect("a report");

        assert_eq!(outcomes, ["holder-stopped", "holder-stopped", "too-many-moves"]);
        assert_eq!(limited.reason.as_str(), "too-many-moves");
        assert_eq!((operator.outcome, operator.reason.as_str()), (Outcome::Moved, "operator-request"));
    }
}

mod an_interface_attached_to_nothing {
    use super::*;

    fn unattached() -> Scenario {
        simulator::pair().interface(names::INTERFACE, |interface| interface.free())
    }

    #[tokio::test(start_paused = true)]
    async fn is_attached_to_the_first_member() {
        let stage = stage(unattached());

        let report = stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Moved, "interface-unattached"));
        let movement = report.movement.expect("a move");
        assert_eq!((movement.from, movement.to), (None, id(names::HOLDER)));
        let attach = format!("Attach {} at 1", names::HOLDER);
        assert_eq!(story(&stage.simulator), [NOTE, &attach, ARRIVAL, PUBLISH_MOVED, SETTLE]);
    }

    #[tokio::test(start_paused = true)]
    async fn fails_the_invocation_and_is_reported_when_nobody_can_take_it() {
        let stage = stage(unattached());
        stage.simulator.disrupt(|call| {
            if call.action == "AttachNetworkInterface" && !call.dry_run {
                Disruption::error(400, "AttachmentLimitExceeded")
            } else {
                Disruption::None
            }
        });

        let failure = stage.invoke(event("schedule")).await.expect_err("it is attached to nothing");

        assert_eq!(failure.error_type(), "InterfaceNotAttached");
        let both = [names::HOLDER, names::STANDBY].map(|to| format!("Attach {to} at 1 -> AttachmentLimitExceeded"));
        assert_eq!(
            story(&stage.simulator),
            [
                NOTE,
                &both[0],
                &both[1],
                LIMITS,
                PUBLISH_FAILED,
                "CreateTags refused",
                "CreateTags hand over",
                "DeleteTags"
            ],
            "the last call removes the note that this run may attach the interface"
        );
        assert!(mail(&stage.simulator, 0).contains("Expected to work now: NO"));
    }
}

mod errors_of_ec2 {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn lost_answers_change_nothing_in_the_outcome() {
        for action in
            ["DetachNetworkInterface", "AttachNetworkInterface", "CreateTags", "Publish", "DescribeNetworkInterfaces"]
        {
            let stage = stage(stopped_holder());
            let mut lost = false;
            stage.simulator.disrupt(move |call| {
                let loses = !lost && call.action == action && !call.dry_run;
                lost |= loses;
                if loses { Disruption::DropAfter } else { Disruption::None }
            });

            let report = stage.invoke(event("holder-stopped")).await.expect("a report");

            assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Moved, "holder-stopped"), "{action}");
            assert_eq!(holder(&stage.simulator).as_deref(), Some(names::STANDBY), "{action}");
            assert!(tags(&stage.simulator).iter().all(|(key, _)| !key.contains("owed")), "{action}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_is_waited_out() {
        let stage = stage(stopped_holder());
        for action in
            ["DescribeNetworkInterfaces", "DescribeInstances", "DetachNetworkInterface", "AttachNetworkInterface"]
        {
            stage.simulator.fail_next(action, 2, Disruption::Throttle);
        }

        let report = stage.invoke(event("holder-stopped")).await.expect("a report");

        assert_eq!(report.outcome, Outcome::Moved);
        assert_eq!(holder(&stage.simulator).as_deref(), Some(names::STANDBY));
    }

    #[tokio::test(start_paused = true)]
    async fn reads_that_fail_permit_no_change_and_fail_the_invocation() {
        for (disruption, error_type) in [
            (Disruption::Throttle, "Ec2Throttled"),
            (Disruption::internal_error(), "Ec2Unreachable"),
            (Disruption::DropBefore, "Ec2Unreachable"),
            (Disruption::Hang, "Ec2Unreachable"),
            (Disruption::Nonsense, "Ec2Unreachable"),
        ] {
            for action in ["DescribeNetworkInterfaces", "DescribeInstances"] {
                let stage = stage(stopped_holder());
                stage.simulator.always(action, disruption.clone());

                let failure = stage.invoke(event("holder-stopped")).await.expect_err("it cannot tell");

                assert_eq!(failure.error_type(), error_type, "{action} {disruption:?}");
                assert_eq!(story(&stage.simulator), Vec::<String>::new(), "{action} {disruption:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_denied_read_is_a_refusal_that_names_the_action() {
        let stage = stage(stopped_holder());
        stage.simulator.deny("DescribeInstances");

        let report = stage.invoke(event("holder-stopped")).await.expect("a report");

        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Refused, "permission-denied"));
        assert_eq!(report.findings[0].resource.as_deref(), Some("ec2:DescribeInstances"));
        assert_eq!(story(&stage.simulator), [PUBLISH_REFUSED, "CreateTags refused"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_member_that_no_longer_exists_does_not_prevent_a_move() {
        let changes = [("TOKEN_SERVER_INSTANCE_IDS", "i-0aaaaaaaaaaaaaaa1,i-0123456789abcdef0,i-0bbbbbbbbbbbbbbb2")];
        let stage = stage_with(stopped_holder(), &changes);

        let report = stage.invoke(event("holder-stopped")).await.expect("a report");

        assert_eq!(report.outcome, Outcome::Moved);
        assert_eq!(holder(&stage.simulator).as_deref(), Some(names::STANDBY));
        assert_eq!(calls(&stage.simulator, "DescribeInstanceStatus"), 2, "it reads the existing ones again");
    }

    #[tokio::test(start_paused = true)]
    async fn an_attach_that_another_run_made_first_is_not_reported_twice() {
        let stage = stage(stopped_holder());
        stage.simulator.on_call("AttachNetworkInterface", 2, When::Before, |world| {
            world.act(AttachNetworkInterface::to(names::STANDBY, names::INTERFACE, 1)).expect("it is free");
        });

        let report = stage.invoke(event("holder-stopped")).await.expect("a report");

        assert_eq!(holder(&stage.simulator).as_deref(), Some(names::STANDBY));
        assert!(matches!(report.outcome, Outcome::Moved | Outcome::NoAction));
    }

    #[tokio::test(start_paused = true)]
    async fn an_interface_that_was_attached_to_a_non_member_meanwhile_is_left_there() {
        let scenario = simulator::trio().instance(names::HOLDER, |holder| holder.stopped());
        let stage = stage(scenario);
        stage.simulator.on_call("AttachNetworkInterface", 2, When::Before, |world| {
            world.act(AttachNetworkInterface::to(names::NON_MEMBER, names::INTERFACE, 1)).expect("it is free");
        });

        let report = stage.invoke(event("holder-stopped")).await.expect("a report");

        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Refused, "held-by-stranger"));
        assert_eq!(holder(&stage.simulator).as_deref(), Some(names::NON_MEMBER));
    }
}

mod checks_and_repairs {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_address_left_on_the_old_instances_other_interface_is_moved_over() {
        let pair = simulator::pair();
        let primary = pair.world().region().interfaces_of(names::HOLDER)[0].id.clone();
        let stage = stage(pair.address(names::ALLOCATION, |address| address.on(&primary)));

        let report = stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Repaired, "repairs-made"));
        assert_eq!(report.checks.elastic_ip, CheckResult::Repaired);
        assert_eq!(
            story(&stage.simulator),
            [NOTE, "DisassociateAddress", "AssociateAddress", PUBLISH_REPAIRED, SETTLE]
        );
        assert_eq!(report.token_server.public_ip_address.map(|ip| ip.to_string()).as_deref(), Some(names::PUBLIC_IP));
    }

    #[tokio::test(start_paused = true)]
    async fn the_attachment_is_made_to_survive_its_instance() {
        let doomed = simulator::pair().interface(names::INTERFACE, |interface| interface.delete_on_termination());
        let stage = stage(doomed);

        let report = stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!((report.outcome, report.checks.delete_on_termination), (Outcome::Repaired, CheckResult::Repaired));
        assert_eq!(story(&stage.simulator), [NOTE, "Modify", PUBLISH_REPAIRED, SETTLE]);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_repaired_when_no_repair_is_allowed() {
        let broken = simulator::pair()
            .interface(names::INTERFACE, |interface| interface.delete_on_termination())
            .address(names::ALLOCATION, |address| address.free())
            .security_group(names::GROUP, |group| group.no_rules());
        let stage = stage_with(broken, &[("FAILOVER_REPAIR", "")]);

        let report = stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!(report.outcome, Outcome::NoAction);
        assert_eq!(
            [report.checks.elastic_ip, report.checks.security_group, report.checks.delete_on_termination],
            [CheckResult::Failed; 3]
        );
        assert_eq!(report.expected_to_work, Expectation::No);
        assert_eq!(story(&stage.simulator), Vec::<String>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_port_is_opened_only_where_that_is_allowed() {
        let closed = || {
            simulator::pair().security_group(names::GROUP, |group| group.no_rules().tcp(27007..=27007, "10.0.0.0/16"))
        };
        let reported = stage(closed());
        let repaired = stage_with(closed(), &[("FAILOVER_REPAIR", "security-group")]);

        let report = reported.invoke(event("schedule")).await.expect("a report");
        assert_eq!((report.outcome, codes(&report)), (Outcome::NoAction, vec!["security-group-port-closed"]));
        assert!(report.findings[0].message.contains("27008"));
        assert_eq!(story(&reported.simulator), Vec::<String>::new());

        let report = repaired.invoke(event("schedule")).await.expect("a report");
        assert_eq!((report.outcome, report.checks.security_group), (Outcome::Repaired, CheckResult::Repaired));
        assert_eq!(story(&repaired.simulator), [NOTE, "AuthorizeSecurityGroupIngress", PUBLISH_REPAIRED, SETTLE]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_repair_that_is_denied_is_reported_once() {
        let stage = stage(simulator::pair().address(names::ALLOCATION, |address| address.free()));
        stage.simulator.deny("AssociateAddress");

        let report = stage.invoke(event("schedule")).await.expect("a report");
        stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Failed, "repair-failed"));
        assert_eq!(stage.simulator.messages().len(), 1);
    }
}

mod pending_reports {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn are_published_by_the_next_run_when_sns_was_down() {
        let stage = stage(stopped_holder());
        stage.simulator.always("Publish", Disruption::internal_error());
        let failure = stage.invoke(event("holder-stopped")).await.expect_err("the report is owed");
        assert_eq!(failure.error_type(), "NotificationNotPublished");
        assert_eq!(holder(&stage.simulator).as_deref(), Some(names::STANDBY));
        stage.simulator.calm();
        stage.simulator.clear_journal();

        let next = stage.invoke(event("standby-running")).await.expect("a report");
        let last = stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!((next.outcome, last.outcome), (Outcome::NoAction, Outcome::NoAction));
        assert_eq!(story(&stage.simulator), [PUBLISH_MOVED, SETTLE]);
        let mail = mail(&stage.simulator, 0);
        assert!(mail.contains("moved from i-0aaaaaaaaaaaaaaa1 to i-0bbbbbbbbbbbbbbb2"), "{mail}");
    }

    #[tokio::test(start_paused = true)]
    async fn survive_a_run_that_dies_between_attach_and_publish() {
        let stage = stage(stopped_holder().timings(Timings::realistic()));
        let killed = tokio::time::timeout(Duration::from_millis(2800), stage.invoke(event("holder-stopped"))).await;
        assert!(killed.is_err(), "the run was killed");
        assert_eq!(calls(&stage.simulator, "AttachNetworkInterface"), 2, "the run died after its attach");
        assert!(stage.simulator.messages().is_empty());

        tokio::time::sleep(Duration::from_secs(60)).await;
        stage.invoke(event("schedule")).await.expect("a report");
        assert!(
            stage.simulator.messages().is_empty(),
            "until its deadline, the run that moved the interface may still report"
        );
        tokio::time::sleep(Duration::from_secs(300)).await;
        stage.invoke(event("schedule")).await.expect("a report");
        stage.invoke(event("schedule")).await.expect("a report");

        let messages = stage.simulator.messages();
        let subjects: Vec<_> = messages.iter().map(|message| message.subject.clone().unwrap_or_default()).collect();
        assert_eq!(subjects, ["MOVED: license-eu (hostid 0273ae2adc81)"]);
    }

    #[tokio::test(start_paused = true)]
    async fn of_several_moves_are_all_published_once_sns_is_back() {
        let stage = stage(simulator::pair());
        stage.simulator.always("Publish", Disruption::DropBefore);
        for failing in [names::HOLDER, names::STANDBY] {
            stage.simulator.world(|world| world.stop(failing)).expect("it runs");
            stage.invoke(event("schedule")).await.expect_err("the report is owed");
            stage.simulator.world(|world| world.start(failing)).expect("it is stopped");
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        stage.simulator.calm();

        stage.invoke(event("schedule")).await.expect("a report");

        let summaries: Vec<String> =
            (0..stage.simulator.messages().len()).map(|index| mail(&stage.simulator, index)).collect();
        assert_eq!(summaries.len(), 2);
        assert!(summaries[0].contains("moved from i-0aaaaaaaaaaaaaaa1 to i-0bbbbbbbbbbbbbbb2"), "{}", summaries[0]);
        assert!(summaries[1].contains("moved from i-0bbbbbbbbbbbbbbb2 to i-0aaaaaaaaaaaaaaa1"), "{}", summaries[1]);
        assert!(tags(&stage.simulator).iter().all(|(key, _)| !key.contains("owed")));
    }

    #[tokio::test(start_paused = true)]
    async fn are_not_invented_for_a_move_that_did_not_happen() {
        let stage = stage(stopped_holder().timings(Timings::realistic()));
        let killed = tokio::time::timeout(Duration::from_millis(50), stage.invoke(event("holder-stopped"))).await;
        assert!(killed.is_err(), "the run was killed");
        stage.simulator.world(|world| world.start(names::HOLDER)).expect("it is stopped");
        tokio::time::sleep(Duration::from_secs(400)).await;
        assert_eq!(holder(&stage.simulator).as_deref(), Some(names::HOLDER));

        stage.invoke(event("schedule")).await.expect("a report");

        assert!(stage.simulator.messages().is_empty());
        assert!(tags(&stage.simulator).iter().all(|(key, _)| !key.contains("owed")));
    }
}

mod pending_reports_after_actions_of_others {
    use super::*;

    /// The license interface has moved to the standby while SNS was down.
    async fn moved_and_not_told(changes: &[(&str, &str)]) -> Stage {
        let stage = stage_with(stopped_holder().timings(Timings::realistic()), changes);
        stage.simulator.always("Publish", Disruption::internal_error());
        let failure = stage.invoke(event("holder-stopped")).await.expect_err("the report is owed");
        assert_eq!(failure.error_type(), "NotificationNotPublished");
        stage.simulator.calm();
        stage
    }

    #[tokio::test(start_paused = true)]
    async fn say_where_the_interface_went_even_if_it_is_on_a_non_member_by_then() {
        let non_member = stopped_holder().instance(names::NON_MEMBER, |non_member| non_member.running());
        let stage = stage(non_member.timings(Timings::realistic()));
        stage.simulator.always("Publish", Disruption::internal_error());
        stage.invoke(event("holder-stopped")).await.expect_err("the report is owed");
        stage.simulator.calm();
        stage.simulator.world(|world| world.detach(names::INTERFACE)).expect("it is attached");
        tokio::time::sleep(Duration::from_secs(10)).await;
        stage.simulator.world(|world| world.attach(names::INTERFACE, names::NON_MEMBER, 1)).expect("it is free");
        tokio::time::sleep(Duration::from_secs(10)).await;

        let report = stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Refused, "held-by-stranger"));
        let messages = stage.simulator.messages();
        let subjects: Vec<_> = messages.iter().map(|message| message.subject.clone().unwrap_or_default()).collect();
        assert_eq!(
            subjects,
            ["REFUSED: license-eu (hostid 0273ae2adc81)", "MOVED BUT NOT WORKING: license-eu (hostid 0273ae2adc81)"]
        );
        let published = mail(&stage.simulator, 1);
        assert!(published.contains("moved from i-0aaaaaaaaaaaaaaa1 to i-0bbbbbbbbbbbbbbb2"), "{published}");
        assert!(tags(&stage.simulator).iter().all(|(key, _)| !key.contains("owed")));
    }

    #[tokio::test(start_paused = true)]
    async fn say_that_a_killed_run_left_the_interface_on_a_non_member() {
        let non_member = stopped_holder().instance(names::NON_MEMBER, |non_member| non_member.running());
        let stage = stage(non_member.timings(Timings::realistic()));
        let killed = tokio::time::timeout(Duration::from_millis(2800), stage.invoke(event("holder-stopped"))).await;
        assert!(killed.is_err(), "the run was killed");
        tokio::time::sleep(Duration::from_secs(10)).await;
        stage.simulator.world(|world| world.detach(names::INTERFACE)).expect("it is attached");
        tokio::time::sleep(Duration::from_secs(10)).await;
        stage.simulator.world(|world| world.attach(names::INTERFACE, names::NON_MEMBER, 1)).expect("it is free");
        tokio::time::sleep(Duration::from_secs(300)).await;

        stage.invoke(event("schedule")).await.expect("a report");

        let published = mail(&stage.simulator, 1);
        assert!(published.starts_with("FAILED: license-eu"), "{published}");
        let told =
            "could not report how it ended. The interface has since been attached to i-09999999999999999, which is not";
        assert!(published.contains(told), "{published}");
        assert_eq!(stage.simulator.messages().len(), 2);
        assert!(tags(&stage.simulator).iter().all(|(key, _)| !key.contains("owed")));
    }

    #[tokio::test(start_paused = true)]
    async fn of_two_runs_that_died_on_the_same_move_are_one() {
        let stage = stage(stopped_holder().timings(Timings::realistic()));
        let killed = tokio::time::timeout(Duration::from_millis(2800), stage.invoke(event("holder-stopped"))).await;
        assert!(killed.is_err(), "the run was killed");
        let noted = tags(&stage.simulator).into_iter().find(|(key, _)| key.contains("owed")).expect("its note");
        let others = noted.0.replace("000000000001", "000000000002");
        assert_ne!(others, noted.0);
        stage
            .simulator
            .world(|world| {
                let interface = vec![names::INTERFACE.to_owned()];
                let tags = vec![(others, noted.1)];
                world.act(CreateTags { resources: interface, tags, dry_run: false })
            })
            .expect("the interface exists");
        tokio::time::sleep(Duration::from_secs(400)).await;

        stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!(stage.simulator.messages().len(), 1);
        assert!(tags(&stage.simulator).iter().all(|(key, _)| !key.contains("owed")));
    }

    /// Writes a note of another run on the interface.
    fn note(stage: &Stage, place: &str, run: &str, value: String) {
        let tags = vec![(format!("token-failover:owed:{place}:{run}"), value)];
        let resources = vec![names::INTERFACE.to_owned()];
        stage.simulator.world(|world| world.act(CreateTags { resources, tags, dry_run: false })).expect("it exists");
    }

    #[tokio::test(start_paused = true)]
    async fn are_not_settled_by_an_earlier_report() {
        let stage = stage(simulator::pair());
        let value = format!("from={} to={} started=2026-11-11T21:20:00Z", names::STANDBY, names::HOLDER);
        note(&stage, "eni-attach-0bbbbbbbbbbbbbbb2", "0000000000b1", format!("{value} reported=yes"));
        note(&stage, "eni-attach-0bbbbbbbbbbbbbbb2", "0000000000b2", value);

        stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!(stage.simulator.messages().len(), 1, "{:?}", tags(&stage.simulator));
        let published = mail(&stage.simulator, 0);
        assert!(published.contains("moved from i-0bbbbbbbbbbbbbbb2 to i-0aaaaaaaaaaaaaaa1"), "{published}");
        assert!(tags(&stage.simulator).iter().all(|(key, _)| !key.contains("owed")));
    }

    #[tokio::test(start_paused = true)]
    async fn are_not_settled_by_the_report_of_a_move_that_was_refused() {
        let free = simulator::pair().interface(names::INTERFACE, |interface| interface.free());
        let stage = stage(free.instance(names::NON_MEMBER, |non_member| non_member.running()));
        let value = format!("from={} to={} started=2026-11-11T21:20:00Z", names::HOLDER, names::STANDBY);
        note(&stage, names::ATTACHMENT, "0000000000b2", value);
        // After the dry run of the attach.
        stage.simulator.on_call("AttachNetworkInterface", 2, When::Before, |world| {
            world.attach(names::INTERFACE, names::NON_MEMBER, 1).expect("it is free");
        });

        let report = stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Refused, "held-by-stranger"));
        assert_eq!(stage.simulator.messages().len(), 2);
        let published = mail(&stage.simulator, 1);
        assert!(published.contains("A move of the license interface from i-0aaaaaaaaaaaaaaa1 began"), "{published}");
        assert!(tags(&stage.simulator).iter().all(|(key, _)| !key.contains("owed")));
    }

    #[tokio::test(start_paused = true)]
    async fn are_not_settled_on_an_answer_that_may_be_older_than_the_last_change_of_their_run() {
        let stage = stage(simulator::pair().interface(names::INTERFACE, |interface| interface.free()));
        let until = stage.now() + Duration::from_secs(25);
        let value = format!("to={} busy-until={}", names::STANDBY, until.format("%Y-%m-%dT%H:%M:%SZ"));
        note(&stage, "detached", "0000000000b2", value);
        // The run waits 20 seconds for the other one, and 10 seconds for these answers.
        stage.simulator.always("DescribeSecurityGroupRules", Disruption::Hang);
        let moved = stage.invoke(event("schedule")).await.expect("a report");
        assert_eq!((moved.outcome, holder(&stage.simulator).as_deref()), (Outcome::Moved, Some(names::HOLDER)));
        assert!(stage.now() > until);
        // Meanwhile an operator has detached the interface, and the other run has attached it.
        stage.simulator.calm();
        stage.simulator.world(|world| world.detach(names::INTERFACE)).expect("it is attached");
        stage.simulator.world(|world| world.attach(names::INTERFACE, names::STANDBY, 1)).expect("it is free");
        tokio::time::sleep(Duration::from_secs(60)).await;

        stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!(stage.simulator.messages().len(), 2, "{:?}", tags(&stage.simulator));
        let published = mail(&stage.simulator, 1);
        assert!(
            published.contains(
                "A run attached the license interface to i-0bbbbbbbbbbbbbbb2. The run that made the move could not report it."
            ),
            "{published}"
        );
        assert!(tags(&stage.simulator).iter().all(|(key, _)| !key.contains("owed")));
    }

    #[tokio::test(start_paused = true)]
    async fn are_not_settled_while_the_interface_would_die_with_its_instance() {
        let assumptions = Assumptions { attach_deletes_on_termination: true, ..Assumptions::default() };
        let scenario = stopped_holder().timings(Timings::realistic()).assumptions(assumptions);
        let stage = stage_with(scenario, &[("FAILOVER_REPAIR", "")]);
        stage.simulator.always("ModifyNetworkInterfaceAttribute", Disruption::internal_error());
        let moved = stage.invoke(event("holder-stopped")).await.expect("a report");
        assert_eq!(moved.checks.delete_on_termination, CheckResult::Failed);
        stage.simulator.calm();
        stage.simulator.clear_journal();

        let next = stage.invoke(event("standby-running")).await.expect("a report");
        let last = stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!((next.outcome, last.outcome), (Outcome::Repaired, Outcome::NoAction));
        let repaired = "Publish REPAIRED: license-eu (hostid 0273ae2adc81)";
        assert_eq!(story(&stage.simulator), [NOTE, "Modify", repaired, SETTLE]);
        assert!(tags(&stage.simulator).iter().all(|(key, _)| !key.contains("owed")));
    }

    #[tokio::test(start_paused = true)]
    async fn are_told_once() {
        let stage = moved_and_not_told(&[]).await;
        for _ in 0..3 {
            stage.invoke(event("schedule")).await.expect("a report");
        }
        assert_eq!(stage.simulator.messages().len(), 1);
    }
}

mod retirements {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn of_a_running_holder_are_reported_once_and_move_nothing() {
        let stage = stage(simulator::pair());

        let first = stage.invoke(event("holder-health-retirement")).await.expect("a report");
        let again = stage.invoke(event("holder-health-retirement")).await.expect("a report");
        let quiet = stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!((first.outcome, first.reason.as_str()), (Outcome::Audited, "retirement-scheduled"));
        assert_eq!((again.outcome, quiet.outcome), (Outcome::Audited, Outcome::NoAction));
        assert_eq!(codes(&first), ["retirement-scheduled"]);
        let told = "Publish AUDITED: license-eu (hostid 0273ae2adc81)";
        assert_eq!(story(&stage.simulator), [told, "CreateTags announced"]);
        assert_eq!(holder(&stage.simulator).as_deref(), Some(names::HOLDER));
        let mail = mail(&stage.simulator, 0);
        assert!(mail.contains("retire the hardware of i-0aaaaaaaaaaaaaaa1 on 2026-11-26 13:00 UTC"), "{mail}");
        assert!(mail.contains("{\"action\":\"failover\"}"), "{mail}");
        assert!(mail.contains("Expected to work now: yes."), "{mail}");
    }

    #[tokio::test(start_paused = true)]
    async fn with_another_date_are_reported_again() {
        let stage = stage(simulator::pair());
        stage.invoke(event("holder-health-retirement")).await.expect("a report");
        let mut postponed = event("holder-health-retirement");
        postponed["detail"]["startTime"] = json!("Thu, 3 Dec 2026 13:00:00 GMT");

        stage.invoke(postponed).await.expect("a report");

        assert_eq!(stage.simulator.messages().len(), 2);
        assert!(mail(&stage.simulator, 1).contains("on 2026-12-03 13:00 UTC"));
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_holder_that_has_failed_are_reported_with_its_failover() {
        let stage = stage(stopped_holder());

        let report = stage.invoke(event("holder-health-retirement")).await.expect("a report");

        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Moved, "holder-stopped"));
        assert_eq!(codes(&report), ["retirement-scheduled"]);
        assert_eq!(stage.simulator.messages().len(), 1);
    }
}

mod requests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn that_only_plan_change_nothing() {
        for request in
            [event("operator-plan"), event("operator-failover-dry-run"), json!({"action": "reconcile", "dryRun": true})]
        {
            let stage = stage(stopped_holder());

            let report = stage.invoke(request.clone()).await.expect("a report");

            assert_eq!(report.outcome, Outcome::Planned, "{request}");
            let movement = report.movement.expect("the move that would be made");
            assert_eq!((movement.from, movement.to), (Some(id(names::HOLDER)), id(names::STANDBY)));
            assert!(report.steps.iter().all(|step| step.result == StepResult::Planned));
            assert!(report.steps.iter().any(|step| step.step == Step::Detach));
            assert_eq!(stage.simulator.changes(), Vec::<String>::new());
            assert!(stage.simulator.journal().iter().all(|call| call.action.starts_with("Describe")));
            assert!(stage.simulator.messages().is_empty());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn for_a_failover_go_to_the_member_that_was_named() {
        let stage = stage_with(simulator::trio(), &[MEMBERS_WITH_THIRD]);

        let request = json!({"action": "failover", "to": names::THIRD, "reason": "maintenance"});
        let report = stage.invoke(request).await.expect("a report");
        let again = stage.invoke(json!({"action": "failover", "to": names::THIRD})).await.expect("a report");

        assert_eq!(report.outcome, Outcome::Moved);
        assert_eq!(report.trigger.reason.as_deref(), Some("maintenance"));
        assert_eq!(holder(&stage.simulator).as_deref(), Some(names::THIRD));
        assert_eq!((again.outcome, again.reason.as_str()), (Outcome::NoAction, "already-on-target"));
    }

    #[tokio::test(start_paused = true)]
    async fn for_an_instance_that_is_not_a_member_are_refused() {
        let stage = stage(simulator::trio());

        let request = json!({"action": "failover", "to": names::NON_MEMBER});
        let report = stage.invoke(request.clone()).await.expect("a report");
        stage.invoke(request).await.expect("a report");

        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Refused, "target-not-a-member"));
        assert_eq!(stage.simulator.messages().len(), 2, "an operator gets an answer each time");
        assert_eq!(holder(&stage.simulator).as_deref(), Some(names::HOLDER));
    }

    #[tokio::test(start_paused = true)]
    async fn that_are_malformed_name_what_is_accepted_and_call_nothing() {
        let stage = stage(stopped_holder());

        let failure = stage.invoke(json!({"action": "failovre"})).await.expect_err("a malformed request");

        assert_eq!(failure.error_type(), "InvalidRequest");
        assert!(failure.to_string().contains(r#"{"action":"failover""#), "{failure}");
        assert!(stage.simulator.journal().is_empty());
    }
}

mod overlapping_runs {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn move_the_interface_once_and_report_it_once() {
        for delay in [0, 10, 100, 500, 1500, 2100, 2500, 3000, 3300] {
            let stage = stage(stopped_holder().timings(Timings::realistic()));
            let second = async {
                tokio::time::sleep(Duration::from_millis(delay)).await;
                stage.invoke(event("schedule")).await
            };

            let (first, second) = tokio::join!(stage.invoke(event("holder-stopped")), second);

            let (first, second) = (first.expect("a report"), second.expect("a report"));
            let attached = story(&stage.simulator).iter().filter(|change| *change == ATTACH_TO_STANDBY).count();
            assert_eq!(attached, 1, "{delay}");
            assert_eq!(stage.simulator.messages().len(), 1, "{delay}: {} {}", first.reason, second.reason);
            assert_eq!(holder(&stage.simulator).as_deref(), Some(names::STANDBY), "{delay}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn leave_a_standby_alone_that_another_run_is_starting() {
        for delay in (0..9_000).step_by(250) {
            let cold = simulator::cold_standby().instance(names::HOLDER, |holder| holder.stopped());
            let stage = stage(cold.timings(Timings::realistic()));
            let second = async {
                tokio::time::sleep(Duration::from_millis(delay)).await;
                stage.invoke(event("schedule")).await
            };

            let (first, second) = tokio::join!(stage.invoke(event("holder-stopped")), second);

            let outcomes = [first.expect("a report").outcome, second.expect("a report").outcome];
            assert!(outcomes.contains(&Outcome::Moved), "{delay}: {outcomes:?}");
            assert_eq!(holder(&stage.simulator).as_deref(), Some(names::STANDBY), "{delay}");
            assert_eq!(stage.simulator.messages().len(), 1, "{delay}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn do_not_undo_what_an_operator_asked_for() {
        for delay in [500, 1500, 2100, 2150, 2200, 2300, 3000] {
            let stage = stage(simulator::pair().timings(Timings::realistic()));
            let schedule = async {
                tokio::time::sleep(Duration::from_millis(delay)).await;
                stage.invoke(event("schedule")).await
            };

            let (operator, schedule) = tokio::join!(stage.invoke(event("operator-failover")), schedule);

            assert_eq!(operator.expect("a report").outcome, Outcome::Moved, "{delay}");
            assert_eq!(schedule.expect("a report").outcome, Outcome::NoAction, "{delay}");
            assert_eq!(holder(&stage.simulator).as_deref(), Some(names::STANDBY), "{delay}");
        }
    }
}

mod deadlines {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn end_every_wait_with_an_answer() {
        for seconds in [0, 1, 2, 3, 5, 10, 30, 60] {
            let slow = stopped_holder().timings(Timings { detach: Duration::from_secs(3600), ..Timings::realistic() });
            let stage = stage(slow);

            let answer = stage.invoke_within(event("schedule"), Duration::from_secs(seconds)).await;

            assert!(stage.simulator.now() <= Duration::from_secs(seconds), "{seconds}: {:?}", stage.simulator.now());
            assert_eq!(answer.expect_err("the run times out").error_type(), "DeadlineReached", "{seconds}");
        }
    }
}
