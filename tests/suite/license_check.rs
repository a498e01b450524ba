//! The license check: what a run has Systems Manager ask, when, and what the report and the mail say. It never moves the
//! interface, and never keeps it from being moved.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::world::{Agent, CreateTags, LicenseService, Lmutil, Service, Timings, World};
use simulator::{Disruption, Scenario, Simulator, names};
use token_failover::model::finding::Severity;
use token_failover::model::license_check::{CheckedLicense, WhyUnknown};
use token_failover::model::report::{Expectation, Outcome, Report, Step, StepResult};
use token_failover::tell::metrics::{FEATURE_METRICS, feature_lines};
use tokio::time::Instant;

use crate::standard::event;
use crate::support::Stage;

use CheckedLicense::{NotServed, Served, Unknown};
use Severity::{Critical, Warning};

const CHECK: (&str, &str) = ("TOKEN_SERVER_LICENSE_CHECK_DOCUMENT", names::LICENSE_CHECK_DOCUMENT);
const PROBE: (&str, &str) = ("TOKEN_SERVER_PROBE", "true");
const ACTIVATION: (&str, &str) = ("FAILOVER_ACTIVATION_DOCUMENT", names::DOCUMENT);

fn stage(scenario: Scenario, changes: &[(&str, &str)]) -> Stage {
    Stage::recorded(scenario.build(), changes, Box::new(|_| ()))
}

fn stopped_holder() -> Scenario {
    simulator::pair().instance(names::HOLDER, |holder| holder.stopped()).timings(Timings::realistic())
}

fn healthy() -> Scenario {
    simulator::pair().timings(Timings::realistic())
}

async fn moved(stage: &Stage) -> Report {
    let report = stage.invoke(event("holder-stopped")).await.expect("a report");
    assert_eq!(report.outcome, Outcome::Moved, "{report:#?}");
    assert_eq!(holder(&stage.simulator).as_deref(), Some(names::STANDBY));
    report
}

async fn audited(stage: &Stage) -> Report {
    let report = stage.invoke(event("operator-audit")).await.expect("a report");
    assert_eq!((report.outcome, holder(&stage.simulator).as_deref()), (Outcome::Audited, Some(names::HOLDER)));
    report
}

fn holder(simulator: &Simulator) -> Option<String> {
    simulator.world(|world| world.holder_of(names::INTERFACE).map(str::to_owned))
}

/// The instances to which the check was sent, in order.
fn asked(simulator: &Simulator) -> Vec<String> {
    let commands = simulator.commands();
    let checks = commands.iter().filter(|command| command.document_name == names::LICENSE_CHECK_DOCUMENT);
    checks.map(|command| command.instance_id.clone()).collect()
}

fn result(report: &Report) -> (CheckedLicense, Option<WhyUnknown>) {
    let check = report.license_check.as_ref().expect("a license check");
    (check.result, check.unknown_because)
}

/// The findings, without those that are only good to know.
fn findings(report: &Report) -> Vec<(&str, Severity, &str)> {
    let important = report.findings.iter().filter(|one| one.severity > Severity::Info);
    important.map(|one| (one.code.as_str(), one.severity, one.message.as_str())).collect()
}

fn mail(simulator: &Simulator) -> String {
    let message = simulator.messages().last().expect("a message").message.clone();
    let parts: Value = serde_json::from_str(&message).expect("JSON");
    parts["email"].as_str().expect("a text").to_owned()
}

fn step(report: &Report) -> Option<StepResult> {
    report.steps.iter().find(|record| record.step == Step::CheckLicense).map(|record| record.result)
}

mod after_a_move {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_license_server_is_asked_until_it_serves_and_one_mail_says_so() {
        let stage = stage(stopped_holder(), &[CHECK]);
        let report = moved(&stage).await;
        assert_eq!((result(&report), report.expected_to_work), ((Served, None), Expectation::Yes));
        assert_eq!((findings(&report), step(&report)), (vec![], Some(StepResult::Done)));
        let check = json!(report.license_check);
        assert_eq!(check["lmgrd"], json!({"state": "up", "version": "v11.19.6"}));
        assert_eq!(check["vendors"], json!([{"name": "MOSEKLM", "state": "up", "version": "v11.19.6"}]));
        assert_eq!(
            check["features"],
            json!([
                {"name": "PTS", "usage": "counted", "issued": 10, "used": 3},
                {"name": "PTON", "usage": "counted", "issued": 10, "used": 0}
            ])
        );
        // lmgrd takes two seconds to start, and one answer takes almost as long.
        assert_eq!(asked(&stage.simulator), [names::STANDBY; 2]);
        assert_eq!(stage.simulator.messages().len(), 1);
        let mail = mail(&stage.simulator);
        for line in [
            "Expected to work now: yes. MOSEKLM is up and serves 2 features.",
            "- License server: serves: MOSEKLM up, 2 features",
            "- Licenses in use: PTS 3 of 10, PTON 0 of 10",
        ] {
            assert!(mail.lines().any(|one| one == line), "{line}\n{mail}");
        }
        assert!(!mail.contains("user1") && !json!(report).to_string().contains("node1"), "{mail}");
        assert!(mail.contains("\nNot checked: whether clients reach the license server by its host name"), "{mail}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_check_takes_no_longer_than_the_ports() {
        let dead = || stopped_holder().instance(names::STANDBY, |standby| standby.without_token_server());
        let mut took = Vec::new();
        for settings in [&[PROBE][..], &[PROBE, CHECK][..], &[CHECK][..]] {
            let stage = stage(dead(), settings);
            let began = Instant::now();
            let report = moved(&stage).await;
            assert_eq!(report.expected_to_work, Expectation::No, "{settings:?}");
            took.push(began.elapsed());
        }
        let [probe, both, check] = took[..] else { panic!("{took:?}") };
        assert!(both <= probe + Duration::from_millis(50) && check <= probe + Duration::from_millis(50), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_standby_that_has_to_boot_is_waited_for() {
        let cold = simulator::cold_standby().instance(names::HOLDER, |holder| holder.stopped());
        let slow = Timings { token_server: Duration::from_secs(40), ..Timings::realistic() };
        let stage = stage(cold.timings(slow), &[CHECK]);
        assert_eq!(result(&moved(&stage).await), (Served, None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_license_server_that_does_not_serve_is_critical_and_moves_nothing() {
        let not_answering = "lmgrd does not answer on i-0bbbbbbbbbbbbbbb2 at TCP 27007, so no licenses are served (it does not \
                             accept connections, FlexNet error -15).";
        let down = "lmgrd runs on i-0bbbbbbbbbbbbbbb2, but MOSEKLM is down, so its licenses are not served (it does not run, \
                    FlexNet error -97).";
        let rejects = "lmgrd runs on i-0bbbbbbbbbbbbbbb2, but MOSEKLM rejects the hostid, so its licenses are not served (the \
                       hostid of this machine is not the one in the license, FlexNet error -9).";
        let nothing =
            "lmgrd and its vendor daemons run on i-0bbbbbbbbbbbbbbb2, but lmstat lists no feature that they serve.";
        let without = |scenario: Scenario| scenario.instance(names::STANDBY, |standby| standby.without_token_server());
        let cases = [
            (without(stopped_holder()), "license-server-down", not_answering),
            (stopped_holder().license_service(LicenseService::VendorDown(-97)), "vendor-daemon-down", down),
            (stopped_holder().license_service(LicenseService::VendorDown(-9)), "vendor-daemon-down", rejects),
            (stopped_holder().license_service(LicenseService::WithoutFeatures), "no-feature-served", nothing),
        ];
        for (scenario, code, message) in cases {
            let stage = stage(scenario, &[CHECK]);
            let report = moved(&stage).await;
            assert_eq!((result(&report), findings(&report)), ((NotServed, None), vec![(code, Critical, message)]));
            assert_eq!((report.expected_to_work, step(&report)), (Expectation::No, Some(StepResult::Failed)));
            let subject = stage.simulator.messages()[0].subject.clone().expect("a subject");
            assert!(subject.starts_with("MOVED BUT NOT WORKING: "), "{subject}");
            assert!(mail(&stage.simulator).contains("\n- License server: DOES NOT SERVE: "));
            // The holder runs, so it keeps the interface.
            let moves = stage.simulator.changes().len();
            let next = stage.invoke(event("schedule")).await.expect("a report");
            assert_eq!((next.outcome, next.license_check), (Outcome::NoAction, None), "{code}");
            assert_eq!((stage.simulator.changes().len(), asked(&stage.simulator).len() > 5), (moves, true), "{code}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn features_that_are_not_served_are_named() {
        let stage = stage(stopped_holder().license_service(LicenseService::OneFeatureRejected), &[CHECK]);
        let report = moved(&stage).await;
        let message = "The license server on i-0bbbbbbbbbbbbbbb2 does not serve the feature PTON.";
        assert_eq!(findings(&report), [("feature-not-served", Warning, message)]);
        assert_eq!((result(&report), report.expected_to_work), ((Served, None), Expectation::Yes));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_activation_is_a_warning_if_licenses_are_served() {
        let scenario = stopped_holder().instance(names::STANDBY, |standby| standby.token_server_on_command());
        let stage = stage(scenario.without_document(names::DOCUMENT), &[ACTIVATION, CHECK]);
        let simulator = stage.simulator.clone();
        stage.simulator.at(Duration::from_secs(20), move |world| {
            world.start_token_server(names::STANDBY).expect("it exists");
            drop(simulator.clone());
        });
        let report = moved(&stage).await;
        let severities: Vec<(&str, Severity)> = findings(&report).iter().map(|one| (one.0, one.1)).collect();
        assert_eq!(severities, [("activation-failed", Warning)]);
        assert_eq!((result(&report), report.expected_to_work), ((Served, None), Expectation::Yes));
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_happens_the_run_ends_before_its_deadline_and_reports_once() {
        for seconds in [5, 20, 60] {
            let stage = stage(stopped_holder().license_service(LicenseService::VendorDown(-97)), &[CHECK, PROBE]);
            let deadline = Instant::now() + Duration::from_secs(seconds);
            let report = stage.invoke_within(event("holder-stopped"), Duration::from_secs(seconds)).await;
            let report = report.unwrap_or_else(|failure| panic!("{seconds} s: {failure}"));
            assert!(Instant::now() < deadline && report.license_check.is_some(), "{seconds} s");
            assert_eq!((report.outcome, stage.simulator.messages().len()), (Outcome::Moved, 1), "{seconds} s");
        }
    }
}

mod that_could_not_tell {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn says_what_and_why_and_the_rest_of_the_report_stands() {
        type Change = fn(Scenario) -> Scenario;
        let holder = "whether licenses are served on i-0aaaaaaaaaaaaaaa1";
        let missing: Change = |scenario| scenario.without_document(names::LICENSE_CHECK_DOCUMENT);
        let no_tool: Change = |scenario| scenario.instance(names::HOLDER, |holder| holder.lmutil(Lmutil::Missing));
        let not_allowed: Change =
            |scenario| scenario.instance(names::HOLDER, |holder| holder.lmutil(Lmutil::NotExecutable));
        let another: Change = |scenario| scenario.instance(names::HOLDER, |holder| holder.lmutil(Lmutil::Other));
        let undelivered: Change =
            |scenario| scenario.instance(names::HOLDER, |holder| holder.command_never_delivered());
        let long: Change = |scenario| scenario.license_service(LicenseService::ManyFeatures);
        let cases = [
            (
                missing,
                Unknown,
                WhyUnknown::NotSent,
                format!("could not tell {holder}: Systems Manager did not accept the command"),
            ),
            (
                no_tool,
                Unknown,
                WhyUnknown::NotInstalled,
                format!("could not tell {holder}: lmutil is not there, or its loader"),
            ),
            (
                not_allowed,
                Unknown,
                WhyUnknown::NotExecutable,
                format!("could not tell {holder}: the user nobody may not run"),
            ),
            (
                another,
                Unknown,
                WhyUnknown::NotUnderstood,
                format!("could not tell {holder}: the output has another form"),
            ),
            (
                undelivered,
                Unknown,
                WhyUnknown::AgentUnreachable,
                format!("could not tell {holder}: the Systems Manager agent"),
            ),
            (long, Served, WhyUnknown::OutputCut, "could not tell everything about the license server".to_owned()),
        ];
        for (change, result_, because, message) in cases {
            let stage = stage(change(healthy()), &[CHECK]);
            let began = Instant::now();
            let report = audited(&stage).await;
            assert!(began.elapsed() < Duration::from_secs(50), "{because}: {:?}", began.elapsed());
            assert_eq!(result(&report), (result_, Some(because)));
            let [(code, severity, said)] = findings(&report)[..] else { panic!("{because}: {:?}", report.findings) };
            assert_eq!((code, severity), ("license-not-checked", Warning), "{because}");
            assert!(said.contains(&message), "{because}: {said}");
            assert_eq!(report.reason.as_str(), "ready-with-warnings", "{because}");
            let expected = if result_ == Served { Expectation::Yes } else { Expectation::Unknown };
            assert_eq!(report.expected_to_work, expected, "{because}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn because_the_role_does_not_allow_it_names_the_call() {
        let stage = stage(healthy(), &[CHECK]);
        stage.simulator.always("SendCommand", Disruption::Deny);
        let report = audited(&stage).await;
        let [(code, severity, said)] = findings(&report)[..] else { panic!("{:?}", report.findings) };
        assert_eq!((code, severity), ("permission-denied", Warning));
        let expected =
            "could not tell whether licenses are served on i-0aaaaaaaaaaaaaaa1: the function's role does not allow";
        assert!(said.contains(expected) && said.contains("ssm:SendCommand"), "{said}");
    }

    #[tokio::test(start_paused = true)]
    async fn because_the_agent_does_not_report_is_one_finding() {
        let stage = stage(healthy(), &[CHECK]);
        stage.simulator.world(|world| world.set_agent(names::HOLDER, Agent::Lost)).expect("it exists");
        let report = audited(&stage).await;
        let message = "The Systems Manager agent on i-0aaaaaaaaaaaaaaa1 does not report, so the function cannot check there \
                       whether licenses are served.";
        assert_eq!(findings(&report), [("member-not-managed", Warning, message)]);
        assert_eq!(result(&report), (Unknown, Some(WhyUnknown::AgentUnreachable)));
    }

    #[tokio::test(start_paused = true)]
    async fn because_systems_manager_is_down_is_news_that_passes() {
        for (call, disruption) in [
            ("SendCommand", Disruption::Throttle),
            ("SendCommand", Disruption::internal_error()),
            ("SendCommand", Disruption::Hang),
            ("GetCommandInvocation", Disruption::Throttle),
        ] {
            let stage = stage(healthy(), &[CHECK]);
            let first = audited(&stage).await;
            assert_eq!((findings(&first), stage.simulator.messages().len()), (vec![], 1));
            stage.simulator.always(call, disruption.clone());
            let second = audited(&stage).await;
            let codes: Vec<&str> = findings(&second).iter().map(|one| one.0).collect();
            assert_eq!(codes, ["not-audited"], "{disruption:?}");
            // It passes by itself, so it is no reason for a mail.
            assert_eq!(stage.simulator.messages().len(), 1, "{disruption:?}");
        }
    }
}

mod at_other_times {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_audit_asks_once_if_licenses_are_served() {
        let stage = stage(healthy(), &[CHECK]);
        let report = audited(&stage).await;
        assert_eq!((result(&report), report.reason.as_str()), ((Served, None), "ready"));
        assert_eq!(asked(&stage.simulator), [names::HOLDER]);
        assert!(mail(&stage.simulator).contains("- License server: serves: MOSEKLM up, 2 features\n"));
        // The next audit has nothing new to say.
        audited(&stage).await;
        assert_eq!((asked(&stage.simulator).len(), stage.simulator.messages().len()), (2, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn an_audit_that_says_nothing_asks_as_well() {
        let stage = stage(healthy(), &[CHECK]);
        let report = stage.invoke(json!({"action": "audit", "dryRun": true})).await.expect("a report");
        assert_eq!((report.outcome, result(&report)), (Outcome::Audited, (Served, None)));
        assert_eq!((asked(&stage.simulator).len(), stage.simulator.messages().len()), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn an_audit_waits_for_a_token_server_that_is_being_restarted() {
        let stage = stage(healthy(), &[CHECK]);
        stage.simulator.world(|world| world.kill_token_server(names::HOLDER)).expect("it exists");
        stage.simulator.at(Duration::from_secs(6), |world| world.start_token_server(names::HOLDER).expect("it exists"));
        assert_eq!(result(&audited(&stage).await), (Served, None));
    }

    #[tokio::test(start_paused = true)]
    async fn an_audit_mails_when_licenses_are_not_served_anymore_and_when_they_are_again() {
        let stage = stage(healthy(), &[CHECK]);
        audited(&stage).await;
        stage.simulator.world(|world| world.set_license_service(LicenseService::VendorDown(-97)));
        let report = audited(&stage).await;
        assert_eq!((report.reason.as_str(), result(&report)), ("not-ready", (NotServed, None)));
        stage.simulator.world(|world| world.set_license_service(LicenseService::Serves));
        audited(&stage).await;
        let subjects: Vec<String> =
            stage.simulator.messages().iter().map(|message| message.subject.clone().expect("a subject")).collect();
        let begins = |subject: &String| subject.split(':').next().unwrap_or_default().to_owned();
        assert_eq!(subjects.iter().map(begins).collect::<Vec<_>>(), ["AUDITED", "AUDITED BUT NOT READY", "AUDITED"]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_audit_drops_what_another_run_or_an_operator_has_overtaken() {
        type Change = fn(&mut World);
        let moves: Change = |world| {
            world.detach(names::INTERFACE).expect("it is attached");
        };
        let stops: Change = |world| world.stop(names::HOLDER).expect("it runs");
        let notes: Change = |world| {
            let note = "from=i-0aaaaaaaaaaaaaaa1 to=i-0bbbbbbbbbbbbbbb2 started=2026-11-11T21:29:54Z \
                        busy-until=2026-11-11T21:35:00Z";
            let tag = format!("token-failover:owed:{}:000000000001", names::ATTACHMENT);
            let tags = vec![(tag, note.to_owned())];
            let create = CreateTags { resources: vec![names::INTERFACE.to_owned()], tags, dry_run: false };
            world.act(create).expect("a tag");
        };
        for change in [moves, stops, notes] {
            let stage = stage(healthy().license_service(LicenseService::VendorDown(-97)), &[CHECK]);
            stage.simulator.at(Duration::from_secs(5), change);
            let report = stage.invoke(event("operator-audit")).await.expect("a report");
            assert_eq!(report.license_check, None);
            assert!(findings(&report).iter().all(|one| one.0 != "vendor-daemon-down"), "{:?}", report.findings);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_feature_that_is_rejected_is_news() {
        let stage = stage(healthy().license_service(LicenseService::OneFeatureRejected), &[CHECK]);
        for (service, mails) in [
            (LicenseService::OneFeatureRejected, 1),
            (LicenseService::OneFeatureRejected, 1),
            (LicenseService::AllFeaturesRejected, 2),
        ] {
            stage.simulator.world(|world| world.set_license_service(service));
            audited(&stage).await;
            assert_eq!(stage.simulator.messages().len(), mails, "{service:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_never_has_a_result_is_mailed_once() {
        let stage = stage(healthy().instance(names::HOLDER, |holder| holder.command_never_ends()), &[CHECK]);
        for _ in 0..2 {
            let report = audited(&stage).await;
            assert_eq!(result(&report), (Unknown, Some(WhyUnknown::NoResult)));
            let [(code, Warning, said)] = findings(&report)[..] else { panic!("{:?}", report.findings) };
            assert_eq!(code, "license-not-checked");
            assert!(said.ends_with("the command had no result after 45 s."), "{said}");
        }
        assert_eq!(stage.simulator.messages().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn ports_that_answer_are_enough_if_the_check_cannot_tell() {
        let stage = stage(healthy().without_document(names::LICENSE_CHECK_DOCUMENT), &[CHECK, PROBE]);
        let report = audited(&stage).await;
        assert_eq!((result(&report).0, report.expected_to_work), (Unknown, Expectation::Yes));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_sent_by_reconciles_and_plans() {
        let stage = stage(healthy(), &[CHECK]);
        let documents =
            ["schedule", "operator-reconcile", "holder-running", "operator-plan", "operator-failover-dry-run"];
        for document in documents {
            let report = stage.invoke(event(document)).await.expect("a report");
            assert_eq!(report.license_check, None, "{document}");
        }
        assert!(stage.simulator.commands().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_sent_without_the_setting_or_where_no_member_has_the_interface() {
        let stage_without = stage(healthy(), &[]);
        assert_eq!(audited(&stage_without).await.license_check, None);
        assert!(stage_without.simulator.journal().iter().all(|call| call.service != Service::Ssm));
        let stopped = simulator::pair().instance(names::HOLDER, |holder| holder.stopped());
        let non_member = simulator::pair()
            .instance(names::NON_MEMBER, |non_member| non_member)
            .interface(names::INTERFACE, |interface| interface.on(names::NON_MEMBER, 1));
        for scenario in [stopped, non_member] {
            let stage = stage(scenario, &[CHECK]);
            let report = stage.invoke(event("operator-audit")).await.expect("a report");
            assert_eq!((report.license_check, stage.simulator.commands().len()), (None, 0));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_report_that_another_run_left_says_whether_licenses_are_served() {
        let stage = stage(stopped_holder(), &[CHECK]);
        stage.simulator.always("Publish", Disruption::internal_error());
        stage.invoke(event("holder-stopped")).await.expect_err("SNS is down");
        stage.simulator.calm();
        let sent = asked(&stage.simulator).len();
        stage.invoke(event("schedule")).await.expect("a report");
        assert_eq!(asked(&stage.simulator).len(), sent + 1);
        assert!(mail(&stage.simulator).contains("- License server: serves: MOSEKLM up, 2 features\n"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_counts_of_each_feature_become_metrics() {
    let stage = stage(healthy(), &[CHECK]);
    let report = audited(&stage).await;
    let at = "2026-11-11T21:30:00Z".parse().expect("a time");
    let line = |feature: &str, issued: u32, used: u32| {
        json!({
            "_aws": {
                "Timestamp": 1_794_432_600_000_u64,
                "CloudWatchMetrics": [{
                    "Namespace": "TokenFailover",
                    "Dimensions": [["TokenServer", "Feature"]],
                    "Metrics": FEATURE_METRICS.map(|(name, unit)| json!({"Name": name, "Unit": unit})),
                }],
            },
            "level": "INFO",
            "type": "metrics",
            "TokenServer": "license-eu",
            "Feature": feature,
            "LicensesIssued": issued,
            "LicensesUsed": used,
        })
    };
    assert_eq!(feature_lines("license-eu", at, &report), [line("PTON", 10, 0), line("PTS", 10, 3)]);
    let without = Report { license_check: None, ..report };
    assert_eq!(feature_lines("license-eu", at, &without), Vec::<Value>::new());
}
