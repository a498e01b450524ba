//! The token server: its activation and its ports. The tests assert the calls and the reports, and that neither causes
//! a move.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::world::{Agent, CommandStatus, Timings};
use simulator::{Disruption, Scenario, Simulator, names};
use token_failover::act::function::Failover;
use token_failover::act::prober::Prober;
use token_failover::model::check::CheckResult;
use token_failover::model::failure::Failure;
use token_failover::model::finding::Severity;
use token_failover::model::report::{ActivationResult, Expectation, Outcome, Report, Step, StepResult};
use tokio::time::{Instant, sleep, timeout};

use crate::standard::{self, event};
use crate::support::{self, Stage};

const PROBE: (&str, &str) = ("TOKEN_SERVER_PROBE", "true");
const ACTIVATION: (&str, &str) = ("FAILOVER_ACTIVATION_DOCUMENT", names::DOCUMENT);
const PARAMETERS: (&str, &str) = ("FAILOVER_ACTIVATION_PARAMETERS", r#"{"Service":"lmgrd"}"#);

fn stage(scenario: Scenario, changes: &[(&str, &str)]) -> Stage {
    Stage::recorded(scenario.build(), changes, Box::new(|_| ()))
}

/// A pair with a stopped holder and a standby whose token server starts by itself once the standby has the interface.
fn stopped_holder() -> Scenario {
    simulator::pair().instance(names::HOLDER, |holder| holder.stopped()).timings(Timings::realistic())
}

/// The same pair with a standby that needs activation.
fn inactive_standby() -> Scenario {
    stopped_holder().instance(names::STANDBY, |standby| standby.token_server_on_command())
}

async fn moved(stage: &Stage) -> Report {
    let report = stage.invoke(event("holder-stopped")).await.expect("a report");
    assert_eq!(report.outcome, Outcome::Moved, "{report:#?}");
    assert_eq!(holder(&stage.simulator).as_deref(), Some(names::STANDBY));
    assert_eq!(calls(&stage.simulator, "Publish"), 1);
    report
}

fn holder(simulator: &Simulator) -> Option<String> {
    simulator.world(|world| world.holder_of(names::INTERFACE).map(str::to_owned))
}

/// The number of calls of an action, without dry runs.
fn calls(simulator: &Simulator, action: &str) -> usize {
    simulator.journal().iter().filter(|call| call.action == action && !call.dry_run).count()
}

/// The time of the first call of an action, without dry runs.
fn first(simulator: &Simulator, action: &str) -> Duration {
    let calls = simulator.journal();
    let call = calls.iter().find(|call| call.action == action && !call.dry_run);
    call.unwrap_or_else(|| panic!("{action} was never called")).at
}

fn pending_reports(simulator: &Simulator) -> Vec<String> {
    simulator.world(|world| {
        let tags = world.interface(names::INTERFACE).into_iter().flat_map(|interface| interface.tags.iter());
        tags.filter(|(key, _)| key.contains(":owed:")).map(|(_, value)| value.clone()).collect()
    })
}

fn finding<'a>(report: &'a Report, code: &str) -> Option<(Severity, &'a str)> {
    let finding = report.findings.iter().find(|finding| finding.code.as_str() == code);
    finding.map(|finding| (finding.severity, finding.message.as_str()))
}

fn step(report: &Report, step: Step) -> Option<StepResult> {
    report.steps.iter().find(|record| record.step == step).map(|record| record.result)
}

fn results(report: &Report) -> Vec<(u16, CheckResult, Option<&str>)> {
    report.probes.iter().map(|probe| (probe.port, probe.result, probe.error.as_deref())).collect()
}

fn subject(simulator: &Simulator) -> String {
    simulator.messages().last().and_then(|message| message.subject.clone()).expect("a message")
}

const ANSWERING: [(u16, CheckResult, Option<&str>); 2] =
    [(27007, CheckResult::Ok, None), (27008, CheckResult::Ok, None)];

mod after_a_move {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_ports_are_tried_until_they_answer_and_the_mail_says_so() {
        let stage = stage(stopped_holder(), &[PROBE]);
        let report = moved(&stage).await;
        assert_eq!((report.checks.listening, report.expected_to_work), (CheckResult::Ok, Expectation::Yes));
        assert_eq!(results(&report), ANSWERING);
        assert_eq!(step(&report, Step::Probe), Some(StepResult::Done));
        assert!(report.findings.is_empty(), "{:?}", report.findings);

        let tried = stage.simulator.connections();
        let attached = first(&stage.simulator, "AttachNetworkInterface");
        assert!(tried.iter().all(|one| one.at > attached && one.address.ip().to_string() == names::PRIVATE_IP));
        assert!(tried.len() > 2, "lmgrd takes two seconds to start: {tried:?}");
        assert!(first(&stage.simulator, "Publish") > tried.last().expect("a connection").at, "the mail waits for it");
        assert!(stage.simulator.messages()[0].message.contains("the token server answers on its ports"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_standby_that_has_to_boot_is_waited_for() {
        let cold = simulator::cold_standby().instance(names::HOLDER, |holder| holder.stopped());
        let slow = Timings { token_server: Duration::from_secs(40), ..Timings::realistic() };
        let stage = stage(cold.timings(slow), &[PROBE]);
        let report = moved(&stage).await;
        assert_eq!((report.checks.listening, results(&report)), (CheckResult::Ok, ANSWERING.to_vec()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_server_that_does_not_start_is_reported_after_ninety_seconds_and_moves_nothing() {
        let stage =
            stage(stopped_holder().instance(names::STANDBY, |standby| standby.without_token_server()), &[PROBE]);
        let began = Instant::now();
        let report = moved(&stage).await;
        let took = began.elapsed();
        assert!(took > Duration::from_secs(90) && took < Duration::from_secs(100), "{took:?}");
        let refused = |port| (port, CheckResult::Failed, Some("connection refused"));
        assert_eq!(results(&report), [refused(27007), refused(27008)]);
        assert_eq!((report.checks.listening, report.expected_to_work), (CheckResult::Failed, Expectation::No));
        let message = "The token server does not answer at 10.0.1.50 on TCP 27007, 27008 (connection refused).";
        assert_eq!(finding(&report, "ports-not-answering"), Some((Severity::Critical, message)));
        assert_eq!(step(&report, Step::Probe), Some(StepResult::Failed));
        assert!(subject(&stage.simulator).starts_with("MOVED BUT NOT WORKING: license-eu"));

        // A running holder keeps the interface, even if its token server does not answer.
        let tried = stage.simulator.connections().len();
        let next = stage.invoke(event("schedule")).await.expect("a report");
        assert_eq!((next.outcome, next.checks.listening), (Outcome::NoAction, CheckResult::NotChecked));
        assert_eq!(
            (calls(&stage.simulator, "AttachNetworkInterface"), stage.simulator.connections().len()),
            (1, tried)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn silence_inside_the_vpc_is_a_failure() {
        let stage = stage(stopped_holder().instance(names::STANDBY, |standby| standby.firewalled()), &[PROBE]);
        let report = moved(&stage).await;
        let silent = |port| (port, CheckResult::Failed, Some("no answer"));
        assert_eq!(results(&report), [silent(27007), silent(27008)]);
        let (severity, message) = finding(&report, "ports-not-answering").expect("a finding");
        assert_eq!(severity, Severity::Critical);
        assert!(message.ends_with("27007, 27008 (no answer)."), "{message}");
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_the_ports_do_the_run_ends_before_its_deadline() {
        for standby in ["refuses", "is silent"] {
            let scenario = stopped_holder().instance(names::STANDBY, |spec| match standby {
                "refuses" => spec.without_token_server(),
                _ => spec.firewalled(),
            });
            for seconds in [5, 20, 60] {
                // Five seconds are not enough to conclude that the port does not answer.
                let is_told = standby == "refuses" || seconds > 5;
                let told = if is_told { CheckResult::Failed } else { CheckResult::NotChecked };
                let stage = stage(scenario.clone(), &[PROBE]);
                let deadline = Instant::now() + Duration::from_secs(seconds);
                let report = stage.invoke_within(event("holder-stopped"), Duration::from_secs(seconds)).await;
                let report = report.unwrap_or_else(|failure| panic!("{standby}, {seconds} s: {failure}"));
                assert!(Instant::now() < deadline, "{standby}, {seconds} s");
                assert_eq!((report.outcome, report.checks.listening), (Outcome::Moved, told), "{standby}, {seconds} s");
                assert_eq!((calls(&stage.simulator, "Publish"), pending_reports(&stage.simulator).len()), (1, 0));
            }
        }
    }
}

mod at_other_times {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nothing_is_tried_unless_the_settings_say_so() {
        let stage = stage(stopped_holder(), &[]);
        let report = moved(&stage).await;
        assert_eq!((report.checks.listening, report.probes.len()), (CheckResult::NotChecked, 0));
        assert!(stage.simulator.connections().is_empty() && step(&report, Step::Probe).is_none());
        assert!(serde_json::to_value(&report).expect("JSON").get("probes").is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_healthy_token_server_is_left_alone_by_every_minutes_reconcile() {
        let stage = stage(simulator::pair(), &[PROBE, ACTIVATION]);
        for document in ["schedule", "operator-reconcile", "holder-running"] {
            let report = stage.invoke(event(document)).await.expect("a report");
            assert_eq!((report.outcome, report.activation), (Outcome::NoAction, None), "{document}");
        }
        assert!(stage.simulator.connections().is_empty() && stage.simulator.commands().is_empty());
        assert!(stage.simulator.changes().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_audit_and_a_plan_try_the_ports() {
        for (document, outcome) in [("operator-audit", Outcome::Audited), ("operator-plan", Outcome::Planned)] {
            let stage = stage(simulator::pair(), &[PROBE]);
            let report = stage.invoke(event(document)).await.expect("a report");
            assert_eq!((report.outcome, results(&report)), (outcome, ANSWERING.to_vec()));
            assert_eq!(stage.simulator.connections().len(), 2);

            stage.simulator.world(|world| world.kill_token_server(names::HOLDER)).expect("it exists");
            let report = stage.invoke(event(document)).await.expect("a report");
            assert_eq!((report.checks.listening, report.expected_to_work), (CheckResult::Failed, Expectation::No));
            assert!(finding(&report, "ports-not-answering").is_some());
            assert_eq!(holder(&stage.simulator).as_deref(), Some(names::HOLDER));
            assert_eq!(calls(&stage.simulator, "DetachNetworkInterface"), 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_server_that_is_being_restarted_is_not_a_finding_of_an_audit() {
        let stage = stage(simulator::pair(), &[PROBE]);
        stage.simulator.world(|world| world.kill_token_server(names::HOLDER)).expect("it exists");
        stage.simulator.at(Duration::from_secs(3), |world| world.start_token_server(names::HOLDER).expect("it exists"));
        let report = stage.invoke(event("operator-audit")).await.expect("a report");
        assert_eq!((report.reason.as_str(), report.checks.listening), ("ready", CheckResult::Ok));
    }

    #[tokio::test(start_paused = true)]
    async fn no_port_is_tried_where_no_token_server_can_answer() {
        let non_member = simulator::pair()
            .instance(names::NON_MEMBER, |non_member| non_member)
            .interface(names::INTERFACE, |interface| interface.on(names::NON_MEMBER, 1));
        let stopped = simulator::pair().instance(names::HOLDER, |holder| holder.stopped());
        for (world, is_attached) in [(simulator::pair(), false), (stopped, true), (non_member, true)] {
            let stage = stage(world, &[PROBE]);
            if !is_attached {
                stage.simulator.world(|world| world.detach(names::INTERFACE)).expect("it is attached");
            }
            let report = stage.invoke(event("operator-audit")).await.expect("a report");
            assert_eq!((report.checks.listening, report.probes.len()), (CheckResult::NotChecked, 0));
            assert!(stage.simulator.connections().is_empty());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_wide_range_the_first_ports_are_tried_and_the_rest_counts_as_not_checked() {
        let ports: Vec<u16> = (27000..=27063).collect();
        let scenario = simulator::pair().token_server_ports(ports);
        let stage = stage(scenario, &[PROBE, ("TOKEN_SERVER_PORTS", "27000-27063")]);
        let report = stage.invoke(event("operator-audit")).await.expect("a report");
        assert_eq!((report.checks.listening, report.probes.len()), (CheckResult::NotChecked, 32));
        assert_eq!(finding(&report, "ports-not-answering"), None);
    }

    /// Ports tried from a place that may be outside of the VPC, as by the operator's command.
    async fn from_outside(scenario: Scenario, request: Value) -> (Report, Duration) {
        let simulator = scenario.build();
        let config = standard::config(&[]);
        let ports = support::below::ports(&simulator, &config.topic.to_string());
        let prober = Prober::outside(support::connecting_to(&simulator));
        let function = Failover::new(config, ports, Box::new(|_| ())).probing(prober);
        let began = Instant::now();
        let report = function.handle(token_failover::act::failover::Invocation {
            payload: request,
            request_id: "operator-1".to_owned(),
            received_at: "2026-11-11T21:29:54Z".parse().expect("a time"),
            deadline: began + Duration::from_secs(300),
        });
        (report.await.expect("a report"), began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn silence_outside_of_the_vpc_says_nothing() {
        let firewalled = simulator::pair()
            .instance(names::HOLDER, |holder| holder.firewalled())
            .instance(names::STANDBY, |standby| standby.firewalled());
        let (report, took) = from_outside(firewalled.clone(), json!({"action": "plan"})).await;
        let silent = |port| (port, CheckResult::NotChecked, Some("no answer"));
        assert_eq!(results(&report), [silent(27007), silent(27008)]);
        assert_eq!((report.checks.listening, report.findings.len()), (CheckResult::NotChecked, 0));
        assert_eq!(step(&report, Step::Probe), Some(StepResult::Done));
        assert!(took < Duration::from_secs(3), "{took:?}");

        let (report, took) = from_outside(firewalled, json!({"action": "failover"})).await;
        assert_eq!((report.outcome, report.checks.listening), (Outcome::Moved, CheckResult::NotChecked));
        assert!(took > Duration::from_secs(15) && took < Duration::from_secs(20), "{took:?}");

        let refusing = simulator::pair().instance(names::HOLDER, |holder| holder.without_token_server());
        let (report, _) = from_outside(refusing, json!({"action": "plan"})).await;
        // Another machine with the same private address may have refused.
        let message = "The token server does not answer at 10.0.1.50 on TCP 27007, 27008 (connection refused), as seen from here.";
        assert_eq!(finding(&report, "ports-not-answering"), Some((Severity::Warning, message)));
        assert_eq!((report.checks.listening, report.expected_to_work), (CheckResult::Failed, Expectation::Yes));
    }
}

mod a_standby_that_runs {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn is_activated_once_it_has_the_interface() {
        let stage = stage(inactive_standby(), &[ACTIVATION, PARAMETERS, PROBE]);
        let report = moved(&stage).await;
        let commands = stage.simulator.commands();
        let [command] = commands.as_slice() else { panic!("one command: {commands:?}") };
        assert_eq!((command.instance_id.as_str(), command.status), (names::STANDBY, CommandStatus::Success));
        assert_eq!(
            (command.document_name.as_str(), &command.parameters["Service"]),
            (names::DOCUMENT, &vec!["lmgrd".to_owned()])
        );
        let attached = first(&stage.simulator, "AttachNetworkInterface");
        assert!(command.sent_at > attached && command.sent_at < first(&stage.simulator, "Publish"));

        let activated = report.activation.as_ref().expect("the record of the activation");
        assert_eq!((activated.result, activated.status.as_deref()), (ActivationResult::Done, Some("Success")));
        assert_eq!(activated.command_id.as_ref().map(ToString::to_string).as_ref(), Some(&command.id));
        assert!((1500..3000).contains(&activated.duration_ms), "{activated:?}");
        assert_eq!((report.checks.listening, report.findings.len()), (CheckResult::Ok, 0));
        let steps = [step(&report, Step::Activate), step(&report, Step::AwaitActivation)];
        assert_eq!(steps, [Some(StepResult::Done); 2]);
        let published = &stage.simulator.messages()[0].message;
        assert!(published.contains("Token server activated on i-0bbbbbbbbbbbbbbb2 by token-failover-restart: done"));
        assert!(
            !published.contains(names::COMMAND_OUTPUT),
            "a report has no output of a command, which may be anything"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn is_left_alone_without_the_setting() {
        let stage = stage(inactive_standby(), &[PROBE]);
        let report = moved(&stage).await;
        assert_eq!((report.activation, report.checks.listening), (None, CheckResult::Failed));
        assert!(stage.simulator.journal().iter().all(|call| call.service != simulator::world::Service::Ssm));
    }

    #[tokio::test(start_paused = true)]
    async fn is_not_activated_if_it_was_started_for_the_interface() {
        let cold = simulator::cold_standby().instance(names::HOLDER, |holder| holder.stopped());
        let stage = stage(cold.timings(Timings::realistic()), &[ACTIVATION]);
        let report = moved(&stage).await;
        assert_eq!((report.activation, stage.simulator.commands().len()), (None, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn is_activated_if_an_operator_had_started_it_before_the_interface_arrived() {
        let cold = simulator::cold_standby()
            .instance(names::HOLDER, |holder| holder.stopped())
            .instance(names::STANDBY, |standby| standby.token_server_on_command());
        let stage = stage(cold.timings(Timings::realistic()), &[ACTIVATION, PROBE]);
        // It has been running for some time, but this run has not read that.
        stage.simulator.world(|world| world.start(names::STANDBY)).expect("it is stopped");
        sleep(Duration::from_secs(60)).await;
        stage.simulator.fail_next("DescribeInstances", 1, Disruption::Stale(Duration::from_secs(70)));
        let report = moved(&stage).await;
        assert_eq!(step(&report, Step::StartInstance), Some(StepResult::Done));
        assert_eq!((stage.simulator.commands().len(), report.checks.listening), (1, CheckResult::Ok));
    }

    #[tokio::test(start_paused = true)]
    async fn that_cannot_be_activated_is_reported() {
        use ActivationResult::{Failed, Unfinished};
        use Severity::{Critical, Warning};
        type Change = fn(Scenario) -> Scenario;
        let fails: Change = |scenario| scenario.instance(names::STANDBY, |standby| standby.command_fails());
        let never_ends: Change = |scenario| scenario.instance(names::STANDBY, |standby| standby.command_never_ends());
        let undelivered: Change =
            |scenario| scenario.instance(names::STANDBY, |standby| standby.command_never_delivered());
        let deaf: Change = |scenario| scenario.instance(names::STANDBY, |standby| standby.agent_lost());
        let lost: Change = |scenario| scenario.without_document(names::DOCUMENT);
        let cases = [
            (fails, Failed, "Failed", "activation-failed", Critical, Expectation::No),
            (never_ends, Unfinished, "In Progress", "activation-unfinished", Warning, Expectation::Unknown),
            (undelivered, Failed, "Delivery Timed Out", "activation-failed", Critical, Expectation::No),
            (deaf, Failed, "", "activation-failed", Critical, Expectation::No),
            (lost, Failed, "", "activation-failed", Critical, Expectation::No),
        ];
        for (change, result, status, code, severity, expectation) in cases {
            let stage = stage(change(inactive_standby()), &[ACTIVATION]);
            let began = Instant::now();
            let report = moved(&stage).await;
            assert!(began.elapsed() < Duration::from_secs(75), "{code}: {:?}", began.elapsed());
            let activated = report.activation.as_ref().expect("the record of the activation");
            assert_eq!(
                (activated.result, activated.status.as_deref().unwrap_or_default()),
                (result, status),
                "{activated:?}"
            );
            assert!(activated.error.is_some(), "{activated:?}");
            assert_eq!(finding(&report, code).map(|(severity, _)| severity), Some(severity), "{:?}", report.findings);
            assert_eq!(report.expected_to_work, expectation, "{code} {status}");
            assert!(!serde_json::to_string(&report).expect("JSON").contains(names::COMMAND_ERROR_OUTPUT));
            assert_eq!(pending_reports(&stage.simulator), Vec::<String>::new());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn and_answers_although_the_command_failed_is_a_warning() {
        let stage =
            stage(stopped_holder().instance(names::STANDBY, |standby| standby.command_fails()), &[ACTIVATION, PROBE]);
        let report = moved(&stage).await;
        assert_eq!((report.checks.listening, report.expected_to_work), (CheckResult::Ok, Expectation::Yes));
        assert_eq!(finding(&report, "activation-failed").map(|(severity, _)| severity), Some(Severity::Warning));
        assert!(subject(&stage.simulator).starts_with("MOVED: "));
    }

    #[tokio::test(start_paused = true)]
    async fn is_moved_to_although_systems_manager_does_not_answer() {
        use ActivationResult::{Failed, Unfinished};
        // Without an answer, the function does not know whether the command was sent, and does not send it again.
        let cases = [
            (Disruption::Deny, Failed, "activation-failed", 0),
            (Disruption::Throttle, Failed, "activation-failed", 0),
            (Disruption::Hang, Unfinished, "activation-unfinished", 0),
            (Disruption::DropAfter, Unfinished, "activation-unfinished", 1),
        ];
        for (disruption, result, code, commands) in cases {
            let stage = stage(inactive_standby(), &[ACTIVATION]);
            stage.simulator.always("SendCommand", disruption.clone());
            let report = moved(&stage).await;
            let activated = report.activation.as_ref().expect("the record of the activation");
            assert_eq!((activated.result, activated.command_id.as_ref()), (result, None), "{disruption:?}");
            assert!(finding(&report, code).is_some(), "{disruption:?}: {:?}", report.findings);
            assert_eq!(stage.simulator.commands().len(), commands, "{disruption:?}");
        }
        let stage = stage(inactive_standby(), &[ACTIVATION]);
        stage.simulator.always("GetCommandInvocation", Disruption::Deny);
        let report = moved(&stage).await;
        let activated = report.activation.as_ref().expect("the record of the activation");
        assert_eq!(activated.result, Unfinished, "the function knows only that the command was sent");
        assert!(activated.error.as_ref().is_some_and(|error| error.contains("AccessDenied")), "{activated:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn is_sent_the_command_again_if_systems_manager_throttles_or_does_not_see_its_agent_yet() {
        let cases =
            [("throttled", Disruption::Throttle), ("not heard of", Disruption::error(400, "InvalidInstanceId"))];
        for (name, disruption) in cases {
            let stage = stage(inactive_standby(), &[ACTIVATION, PROBE]);
            stage.simulator.fail_next("SendCommand", 3, disruption);
            let report = moved(&stage).await;
            let activated = report.activation.as_ref().expect("the record of the activation");
            assert_eq!((activated.result, activated.error.as_deref()), (ActivationResult::Done, None), "{name}");
            assert_eq!((calls(&stage.simulator, "SendCommand"), stage.simulator.commands().len()), (4, 1), "{name}");
            assert_eq!((report.checks.listening, report.findings.len()), (CheckResult::Ok, 0), "{name}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn is_awaited_no_longer_than_the_invocation_has_time() {
        for seconds in [8, 20, 60] {
            let scenario = inactive_standby().instance(names::STANDBY, |standby| standby.command_never_ends());
            let stage = stage(scenario, &[ACTIVATION, PROBE]);
            let deadline = Instant::now() + Duration::from_secs(seconds);
            let report = stage.invoke_within(event("holder-stopped"), Duration::from_secs(seconds)).await;
            assert!(Instant::now() < deadline, "{seconds} s");
            assert_eq!(report.expect("a report").outcome, Outcome::Moved);
            assert_eq!((calls(&stage.simulator, "Publish"), pending_reports(&stage.simulator).len()), (1, 0));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn is_reported_as_not_activated_if_the_time_is_over_before_the_command_is_sent() {
        let scenario = inactive_standby().address(names::ALLOCATION, |address| address.free());
        let stage = stage(scenario, &[ACTIVATION, ("FAILOVER_REPAIR", "elastic-ip")]);
        stage.simulator.always("AssociateAddress", Disruption::Hang);
        let report = stage.invoke_within(event("holder-stopped"), Duration::from_secs(6)).await.expect("a report");
        assert_eq!((report.outcome, stage.simulator.commands().len()), (Outcome::Moved, 0));
        let activated = report.activation.as_ref().expect("the record of the activation");
        assert_eq!(activated.error.as_deref(), Some("the invocation ran out of time before the command was sent"));
        assert_eq!(finding(&report, "activation-failed").map(|(severity, _)| severity), Some(Severity::Critical));
        assert!(subject(&stage.simulator).starts_with("MOVED BUT NOT WORKING"));
    }

    #[tokio::test(start_paused = true)]
    async fn is_activated_again_when_it_gets_the_interface_back() {
        let stage = stage(simulator::pair().timings(Timings::realistic()), &[ACTIVATION]);
        let full = Disruption::error(400, "AttachmentLimitExceeded");
        stage.simulator.disrupt(move |call| {
            let is_standby = call.parameters.get("InstanceId") == Some(names::STANDBY);
            let is_attach = call.action == "AttachNetworkInterface" && !call.dry_run;
            if is_attach && is_standby { full.clone() } else { Disruption::None }
        });
        let report = stage.invoke(event("operator-failover")).await.expect("a report");
        assert_eq!(report.reason.as_str(), "returned-to-former-holder");
        let commands = stage.simulator.commands();
        assert_eq!(commands.iter().map(|one| one.instance_id.as_str()).collect::<Vec<_>>(), [names::HOLDER]);
        assert_eq!(report.activation.expect("the record of the activation").result, ActivationResult::Done);
    }

    #[tokio::test(start_paused = true)]
    async fn is_known_as_it_is_when_it_gets_the_interface_back_and_not_as_it_was_before() {
        let second = Duration::from_secs(1);
        let timings = Timings { stop: second, detach: 5 * second, boot: Duration::ZERO, ..Timings::realistic() };
        let stage = stage(simulator::pair().timings(timings), &[ACTIVATION]);
        stage.simulator.world(|world| world.stop(names::HOLDER)).expect("it runs");
        let full = Disruption::error(400, "AttachmentLimitExceeded");
        let simulator = stage.simulator.clone();
        stage.simulator.disrupt(move |call| {
            let is_standby = call.parameters.get("InstanceId") == Some(names::STANDBY);
            if call.action != "AttachNetworkInterface" || call.dry_run || !is_standby {
                return Disruption::None;
            }
            // The holder has stopped by now, and an operator starts it.
            let simulator = simulator.clone();
            tokio::spawn(async move { simulator.world(|world| world.start(names::HOLDER)).expect("it is stopped") });
            full.clone()
        });

        let report = stage.invoke(event("holder-stopped")).await.expect("a report");

        assert_eq!((report.reason.as_str(), report.expected_to_work), ("returned-to-former-holder", Expectation::Yes));
        assert_eq!(calls(&stage.simulator, "StartInstances"), 0);
        let commands = stage.simulator.commands();
        assert_eq!(commands.iter().map(|one| one.instance_id.as_str()).collect::<Vec<_>>(), [names::HOLDER]);
        assert_eq!(report.activation.expect("the record of the activation").result, ActivationResult::Done);
    }
}

mod a_run_that_dies {
    use super::*;

    /// Kills a run after it has attached the interface and noted that, before the activation.
    async fn killed_before_waking(scenario: Scenario, changes: &[(&str, &str)]) -> Stage {
        let stage = stage(scenario, changes);
        stage.simulator.fail_next("SendCommand", 1, Disruption::Hang);
        let killed = timeout(Duration::from_secs(6), stage.invoke(event("holder-stopped"))).await;
        assert!(killed.is_err(), "the run was killed");
        assert_eq!(holder(&stage.simulator).as_deref(), Some(names::STANDBY));
        assert!(stage.simulator.commands().is_empty() && pending_reports(&stage.simulator).len() == 1);
        stage.simulator.calm();
        sleep(Duration::from_secs(300)).await;
        stage
    }

    /// A run that cannot publish, and the minute after it.
    async fn cannot_publish(stage: &Stage, document: &str) {
        stage.simulator.always("Publish", Disruption::Throttle);
        let failed = stage.invoke(event(document)).await;
        assert!(matches!(failed, Err(Failure::NotificationNotPublished { .. })), "{failed:?}");
        sleep(Duration::from_secs(60)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn leaves_the_activation_to_the_next_run() {
        let stage = killed_before_waking(inactive_standby(), &[ACTIVATION, PROBE]).await;
        let report = stage.invoke(event("schedule")).await.expect("a report");
        assert_eq!(stage.simulator.commands().len(), 1);
        assert_eq!((report.outcome, report.checks.listening), (Outcome::NoAction, CheckResult::Ok));
        assert_eq!((calls(&stage.simulator, "Publish"), pending_reports(&stage.simulator).len()), (1, 0));
        assert!(subject(&stage.simulator).starts_with("MOVED: "));

        stage.invoke(event("schedule")).await.expect("a report");
        assert_eq!(
            (stage.simulator.commands().len(), calls(&stage.simulator, "Publish")),
            (1, 1),
            "one command and one attempt to publish"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn leaves_no_activation_to_an_audit() {
        let stage = killed_before_waking(inactive_standby(), &[ACTIVATION]).await;
        stage.invoke(event("operator-audit")).await.expect("a report");
        assert!(stage.simulator.commands().is_empty());
        assert_eq!(
            pending_reports(&stage.simulator).len(),
            1,
            "the report of the move is not published before it is complete"
        );
        stage.invoke(event("schedule")).await.expect("a report");
        assert_eq!((stage.simulator.commands().len(), pending_reports(&stage.simulator).len()), (1, 0));
        let subjects: Vec<Option<String>> =
            stage.simulator.messages().into_iter().map(|message| message.subject).collect();
        let moves = subjects.iter().flatten().filter(|subject| subject.starts_with("MOVED"));
        assert_eq!(moves.count(), 1, "{subjects:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn or_cannot_publish_does_not_have_the_token_server_restarted_every_minute() {
        // The first run activates the token server and cannot publish. Then one run dies before the activation, and the
        // next one activates it and cannot publish.
        let first = stage(inactive_standby(), &[ACTIVATION]);
        cannot_publish(&first, "holder-stopped").await;
        let second = killed_before_waking(inactive_standby(), &[ACTIVATION]).await;
        for stage in [first, second] {
            for _ in 0..3 {
                cannot_publish(&stage, "schedule").await;
            }
            assert_eq!(stage.simulator.commands().len(), 1);
            assert!(
                pending_reports(&stage.simulator).iter().all(|note| note.contains("woken=yes")),
                "{:?}",
                pending_reports(&stage.simulator)
            );
            stage.simulator.calm();
            stage.invoke(event("schedule")).await.expect("a report");
            assert_eq!((stage.simulator.commands().len(), pending_reports(&stage.simulator).len()), (1, 0));
            assert!(subject(&stage.simulator).starts_with("MOVED: "));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn or_cannot_send_the_command_leaves_it_to_the_run_that_publishes() {
        let stage = stage(inactive_standby(), &[ACTIVATION, PROBE]);
        stage.simulator.always("SendCommand", Disruption::Throttle);
        cannot_publish(&stage, "holder-stopped").await;
        assert!(stage.simulator.commands().is_empty() && pending_reports(&stage.simulator).len() == 1);
        stage.simulator.calm();
        let report = stage.invoke(event("schedule")).await.expect("a report");
        assert_eq!((stage.simulator.commands().len(), report.checks.listening), (1, CheckResult::Ok));
        assert_eq!((stage.simulator.messages().len(), pending_reports(&stage.simulator).len()), (1, 0));
        assert!(subject(&stage.simulator).starts_with("MOVED: "));
    }

    #[tokio::test(start_paused = true)]
    async fn or_cannot_publish_leaves_the_report_of_a_failed_activation_to_the_next_run_and_nothing_is_sent_twice() {
        type Change = fn(Scenario) -> Scenario;
        let fails: Change = |scenario| scenario.instance(names::STANDBY, |standby| standby.command_fails());
        let never_ends: Change = |scenario| scenario.instance(names::STANDBY, |standby| standby.command_never_ends());
        for change in [fails, never_ends] {
            let stage = stage(change(inactive_standby()), &[ACTIVATION]);
            cannot_publish(&stage, "holder-stopped").await;
            stage.simulator.calm();
            let report = stage.invoke(event("schedule")).await.expect("a report");
            assert!(finding(&report, "activation-unfinished").is_some(), "{:?}", report.findings);
            assert_eq!((stage.simulator.commands().len(), pending_reports(&stage.simulator).len()), (1, 0));
            let message = &stage.simulator.messages()[0].message;
            assert!(message.contains("could not report the result"), "{message}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn or_cannot_publish_has_nothing_restarted_that_was_started_with_the_interface() {
        let cold = simulator::cold_standby().instance(names::HOLDER, |holder| holder.stopped());
        let stage = stage(cold.timings(Timings::realistic()), &[ACTIVATION, PROBE]);
        cannot_publish(&stage, "holder-stopped").await;
        stage.simulator.calm();
        let report = stage.invoke(event("schedule")).await.expect("a report");
        assert_eq!(
            (stage.simulator.commands().len(), report.activation),
            (0, None),
            "it has been serving since its start"
        );
        assert_eq!((stage.simulator.messages().len(), pending_reports(&stage.simulator).len()), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn is_not_taken_for_one_that_is_activating_the_token_server() {
        let slow = Timings { command: Duration::from_secs(40), ..Timings::realistic() };
        let stage = killed_before_waking(inactive_standby().timings(slow), &[ACTIVATION]).await;
        // Two runs overlap while the command of the first one is running.
        let (first, second) = tokio::join!(stage.invoke(event("schedule")), async {
            sleep(Duration::from_secs(20)).await;
            assert!(pending_reports(&stage.simulator).iter().all(|note| note.contains("waking-until=")));
            stage.invoke(event("operator-reconcile")).await
        });
        let (first, second) = (first.expect("a report"), second.expect("a report"));
        assert_eq!(first.activation.expect("it was activated").result, ActivationResult::Done);
        assert_eq!((second.outcome, second.activation), (Outcome::NoAction, None));
        assert_eq!((stage.simulator.commands().len(), calls(&stage.simulator, "Publish")), (1, 1));
        assert_eq!(pending_reports(&stage.simulator), Vec::<String>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn during_the_activation_for_another_run_is_reported_and_the_token_server_is_not_restarted() {
        let stage = killed_before_waking(inactive_standby(), &[ACTIVATION]).await;
        stage.simulator.fail_next("SendCommand", 1, Disruption::Hang);
        let killed = timeout(Duration::from_secs(2), stage.invoke(event("schedule"))).await;
        assert!(killed.is_err(), "the second run was killed, too");
        assert!(
            pending_reports(&stage.simulator).iter().all(|note| note.contains("waking-until=")),
            "{:?}",
            pending_reports(&stage.simulator)
        );
        stage.simulator.calm();
        sleep(Duration::from_secs(300)).await;
        let report = stage.invoke(event("schedule")).await.expect("a report");
        assert_eq!((stage.simulator.commands().len(), pending_reports(&stage.simulator).len()), (0, 0));
        assert_eq!(report.activation.expect("the record of the activation").result, ActivationResult::Unfinished);
        let message = &stage.simulator.messages()[0].message;
        assert!(
            message.contains("another run sent the command or was about to, and could not report the result"),
            "{message}"
        );
        assert!(message.contains("aws ssm send-command --document-name token-failover-restart"), "{message}");
    }

    #[tokio::test(start_paused = true)]
    async fn and_whose_note_can_no_longer_be_written_is_reported_and_activates_nothing() {
        let stage = killed_before_waking(inactive_standby(), &[ACTIVATION]).await;
        stage.simulator.deny("CreateTags");
        let report = stage.invoke(event("schedule")).await.expect("a report");
        assert!(stage.simulator.commands().is_empty(), "no command is sent without a note");
        let activated = report.activation.as_ref().expect("the record of the activation");
        assert!(activated.error.as_ref().is_some_and(|error| error.contains("ec2:CreateTags")), "{activated:?}");
        assert_eq!(finding(&report, "activation-failed").map(|(severity, _)| severity), Some(Severity::Critical));
        assert!(subject(&stage.simulator).starts_with("MOVED BUT NOT WORKING"));
    }
}

mod an_audit {
    use super::*;

    async fn audit(scenario: Scenario) -> (Stage, Report) {
        let stage = stage(scenario, &[ACTIVATION]);
        let report = stage.invoke(event("operator-audit")).await.expect("a report");
        assert_eq!(report.outcome, Outcome::Audited);
        assert!(stage.simulator.commands().is_empty(), "an audit activates nothing");
        (stage, report)
    }

    #[tokio::test(start_paused = true)]
    async fn says_whether_a_standby_could_be_activated() {
        let (stage, fine) = audit(simulator::pair()).await;
        assert_eq!(fine.reason.as_str(), "ready", "{:?}", fine.findings);
        assert_eq!(calls(&stage.simulator, "DescribeDocument"), 1);
        assert_eq!(calls(&stage.simulator, "DescribeInstanceInformation"), 1);

        let (_, report) = audit(simulator::pair().without_document(names::DOCUMENT)).await;
        assert_eq!(
            finding(&report, "activation-document-missing").map(|(severity, _)| severity),
            Some(Severity::Critical)
        );

        for deaf in [Agent::Missing, Agent::Lost] {
            let world = simulator::pair()
                .instance(names::HOLDER, |holder| holder.agent(deaf))
                .instance(names::STANDBY, |standby| standby.agent(deaf));
            let (_, report) = audit(world).await;
            let about = report.findings.iter().filter(|finding| finding.code.as_str() == "member-not-managed");
            let about: Vec<_> = about.map(|finding| (finding.severity, finding.resource.as_deref())).collect();
            let expected = [(Severity::Critical, Some(names::STANDBY)), (Severity::Warning, Some(names::HOLDER))];
            assert_eq!(about, expected, "{deaf:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn does_not_ask_for_the_agent_of_a_standby_that_is_started_for_the_interface() {
        let (_, report) =
            audit(simulator::cold_standby().instance(names::STANDBY, |standby| standby.without_agent())).await;
        assert_eq!(report.reason.as_str(), "ready", "{:?}", report.findings);
    }

    #[tokio::test(start_paused = true)]
    async fn that_cannot_ask_systems_manager_says_that_it_is_not_known() {
        for action in ["DescribeDocument", "DescribeInstanceInformation"] {
            let stage = stage(simulator::pair(), &[ACTIVATION]);
            stage.simulator.deny(action);
            let report = stage.invoke(event("operator-audit")).await.expect("a report");
            let expected = format!("ssm:{action}");
            let told = report.findings.iter().find(|finding| finding.resource.as_deref() == Some(&expected));
            assert!(told.is_some_and(|finding| finding.code.as_str() == "permission-denied"), "{:?}", report.findings);
            assert_eq!(report.reason.as_str(), "ready-with-warnings");
        }
    }
}
