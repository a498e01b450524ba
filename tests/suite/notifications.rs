//! The notification: the mail for people, and the message for programs.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::Value;
use simulator::names::{HOLDER, INTERFACE, NON_MEMBER, STANDBY, TOPIC};
use token_failover::decide::audit::{Fact, Traffic, Unread};
use token_failover::decide::checks::check;
use token_failover::model::check::{CheckResult, Checks};
use token_failover::model::code::Code;
use token_failover::model::config::{Activation, Config};
use token_failover::model::finding::{Finding, FindingCode, Severity};
use token_failover::model::ids::{AssociationId, AttachmentId, CommandId};
use token_failover::model::notification::{Fifo, Hostid, Notification};
use token_failover::model::observation::{Address, AddressPlace, InstanceState, Observation, Reading};
use token_failover::model::pause::Pause;
use token_failover::model::plan::{MoveCause, Obstacle, Refusal, Standby, Verdict};
use token_failover::model::readiness::{Standing, Subscription};
use token_failover::model::reason::Reason;
use token_failover::model::report::{
    ActivationRecord, ActivationResult, Expectation, Holder, Movement, Outcome, Probe, Report, SCHEMA_VERSION, Step,
    StepRecord, StepResult, TokenServer,
};
use token_failover::model::request::{Announced, Trigger, TriggerKind};
use token_failover::tell::findings::Advisor;
use token_failover::tell::notification::text;

use crate::standard;
use crate::standard::event;
use crate::support::Stage;
use crate::world::{Change, attachment, denied, now, parsed, reachable_pair, tcp, unreachable};

const RUN: &str = "5e1b6a9e-0000-4000-8000-000000000001";

/// A report about this world with its checks. The tests add the rest.
fn report(config: &Config, observation: &Observation) -> Report {
    let interface = observation.interface();
    let checked = interface.map(|interface| check(config, observation, interface, config.allocation_id.as_ref()));
    let findings = match (interface, &checked) {
        (Some(interface), Some(checked)) => Advisor::new(config).checks(interface, checked),
        _ => Vec::new(),
    };
    Report {
        schema_version: SCHEMA_VERSION,
        outcome: Outcome::NoAction,
        reason: Reason::HolderHealthy.into(),
        summary: format!("{HOLDER} is running and holds the interface. No action was needed."),
        trigger: Trigger {
            kind: TriggerKind::InstanceStateChange,
            id: Some("7bf73129-1428-4cd3-a780-95db273d1602".to_owned()),
            time: Some(now()),
            instance_id: Some(HOLDER.to_owned()),
            state: Some("stopping".to_owned()),
            reason: None,
            starts_at: None,
        },
        expected_to_work: Expectation::Yes,
        token_server: TokenServer::new(config, Some(observation)),
        movement: None,
        pause: None,
        viable_standbys: None,
        steps: Vec::new(),
        checks: checked.map_or(Checks::NOT_CHECKED, |checked| checked.results()),
        probes: Vec::new(),
        activation: None,
        license_check: None,
        findings,
    }
}

/// The world after the move to the standby.
fn on_standby() -> Observation {
    reachable_pair().with_instance(HOLDER, |holder| holder.state = InstanceState::Stopped).with_attachment(
        |attachment| {
            attachment.id = AttachmentId::new("eni-attach-0bbbbbbbbbbbbbbb2");
            attachment.instance_id = Some(parsed(STANDBY));
        },
    )
}

fn movement() -> Movement {
    Movement {
        from: Some(parsed(HOLDER)),
        to: parsed(STANDBY),
        attachment_id: Some(AttachmentId::new("eni-attach-0bbbbbbbbbbbbbbb2")),
        forced: Some(false),
        standby_started: Some(false),
        duration_ms: Some(3_412),
    }
}

fn moved(config: &Config, observation: &Observation) -> Report {
    Report {
        outcome: Outcome::Moved,
        reason: Reason::HolderStopping.into(),
        summary: format!(
            "The license interface moved from {HOLDER} to {STANDBY} in 3.4 s, because {}.",
            MoveCause::HolderStopping.in_words()
        ),
        movement: Some(movement()),
        steps: vec![StepRecord {
            step: Step::Attach,
            resource: format!("{INTERFACE} to {STANDBY}"),
            result: StepResult::Done,
            duration_ms: 30,
            error: None,
        }],
        ..report(config, observation)
    }
}

/// The report of a refusal.
fn refused(config: &Config, observation: &Observation, refusal: &Refusal, standbys: &[Standby]) -> Report {
    let plain = report(config, observation);
    let mut findings = Advisor::new(config).refusal(refusal, standbys);
    let summary = format!("The interface was not moved: {}.", refusal.in_words());
    findings.extend(plain.findings);
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let reason = refusal.code().into();
    Report { outcome: Outcome::Refused, reason, summary, expected_to_work: Expectation::No, findings, ..plain }
}

// ---- The mail ----

/// Compares the mail with the accepted one in `snapshots/`. `INSTA_UPDATE=always cargo test --test suite` accepts the
/// current one.
#[track_caller]
fn assert_mail(name: &str, report: &Report) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text(report)));
}

#[test]
fn the_mail_of_a_move_says_where_the_interface_is_and_that_the_license_stays_valid() {
    let config = standard::config(&[]);
    assert_mail("mail-moved", &moved(&config, &on_standby()));
}

#[test]
fn the_mail_of_a_move_behind_a_closed_port_says_that_it_does_not_work_and_how_to_open_it() {
    let config = standard::config(&[]);
    let closed = on_standby().with_reachability(|reachability| {
        reachability.rules = Reading::Known(vec![tcp(27007, 27007, "10.0.0.0/16")]);
    });
    let report = Report { expected_to_work: Expectation::No, ..moved(&config, &closed) };
    assert_mail("mail-moved-port-closed", &report);
}

#[test]
fn the_mail_of_a_repair_says_what_was_repaired() {
    let config = standard::config(&[]);
    let plain = report(&config, &reachable_pair());
    let report = Report {
        outcome: Outcome::Repaired,
        reason: Reason::RepairsMade.into(),
        summary: "Nothing had to move. Repaired: elastic-ip.".to_owned(),
        checks: Checks { elastic_ip: CheckResult::Repaired, ..plain.checks },
        ..plain
    };
    assert_mail("mail-repaired", &report);
}

#[test]
fn the_mail_of_a_refusal_without_a_viable_standby_names_the_obstacle_of_each_standby() {
    let config = standard::config(&[]);
    let stopped = reachable_pair().with_instance(HOLDER, |holder| holder.state = InstanceState::Stopped);
    let standbys = [Standby {
        instance_id: parsed(STANDBY),
        verdict: Verdict::NotViable(Obstacle::WrongZone("eu-west-1b".to_owned())),
    }];
    assert_mail("mail-refused-no-viable-standby", &refused(&config, &stopped, &Refusal::NoViableStandby, &standbys));
}

#[test]
fn the_mail_of_a_refusal_to_detach_a_primary_interface_says_how_to_free_it_without_losing_it() {
    let config = standard::config(&[]);
    let primary = reachable_pair()
        .with_instance(HOLDER, |holder| holder.state = InstanceState::Stopped)
        .with_attachment(|attachment| (attachment.device_index, attachment.delete_on_termination) = (0, true));
    let refusal = Refusal::PrimaryInterface {
        holder: parsed(HOLDER),
        attachment_id: attachment().id,
        state: Some(InstanceState::Stopped),
    };
    assert_mail("mail-refused-primary-interface", &refused(&config, &primary, &refusal, &[]));
}

#[test]
fn a_primary_interface_whose_holder_is_being_terminated_already_needs_no_other_command() {
    let config = standard::config(&[]);
    let remedy = |state: Option<InstanceState>| {
        let refusal = Refusal::PrimaryInterface { holder: parsed(HOLDER), attachment_id: attachment().id, state };
        Advisor::new(&config).refused(&refusal).remedy
    };
    for gone in [Some(InstanceState::ShuttingDown), Some(InstanceState::Terminated), None] {
        let remedy = remedy(gone);
        assert!(remedy.starts_with("Wait. ") && !remedy.contains("aws "), "{remedy}");
    }
    for there in [InstanceState::Running, InstanceState::Stopping, InstanceState::Stopped] {
        let remedy = remedy(Some(there));
        assert!(remedy.contains("aws ec2 terminate-instances --instance-ids i-0aaaaaaaaaaaaaaa1 "), "{remedy}");
    }
}

#[test]
fn a_remedy_that_asks_for_a_new_instance_says_how_it_becomes_a_member() {
    const TAG: &str = "token-server=license-eu";
    let listed = standard::config(&[]);
    let tagged = standard::config(&[("TOKEN_SERVER_INSTANCE_IDS", ""), ("TOKEN_SERVER_MEMBERS", TAG)]);
    let remedies = |config: &Config| {
        let advisor = Advisor::new(config);
        let standby = |obstacle: Obstacle| advisor.standby(&parsed(STANDBY), &obstacle).remedy;
        let termination = |is_holder| {
            advisor.announcement(Announced::Termination, "termination", &parsed(HOLDER), None, is_holder).remedy
        };
        [
            standby(Obstacle::Missing),
            standby(Obstacle::Terminated),
            standby(Obstacle::WrongZone("eu-west-1b".to_owned())),
            standby(Obstacle::WrongVpc),
            standby(Obstacle::BeingTaken),
            termination(false),
            termination(true),
        ]
    };
    for (listed, tagged) in remedies(&listed).into_iter().zip(remedies(&tagged)) {
        assert!(listed.contains("Launch ") && listed.ends_with(" deploy with its id."), "{listed}");
        assert_eq!(tagged, listed.replace("deploy with its id", &format!("give it the tag {TAG}")));
    }
}

#[test]
fn the_mail_of_an_interface_that_is_attached_to_nothing_says_so_first() {
    let config = standard::config(&[]);
    let plain = report(&config, &reachable_pair().with_interface(|interface| interface.attachment = None));
    let finding = Advisor::new(&config).attached_to_nothing(&[]);
    let report = Report {
        outcome: Outcome::Failed,
        reason: Reason::AttachedToNothing.into(),
        summary: finding.message.clone(),
        expected_to_work: Expectation::No,
        findings: vec![finding],
        ..plain
    };
    assert_mail("mail-failed-attached-to-nothing", &report);
}

#[test]
fn the_mail_of_a_pending_report_claims_only_what_is_known() {
    let config = standard::config(&[]);
    let movement = Movement { forced: None, standby_started: None, duration_ms: None, ..movement() };
    let report = Report {
        reason: Reason::ReportWasOwed.into(),
        summary: format!(
            "The license interface moved from {HOLDER} to {STANDBY}. The move began at 2026-11-11 21:29:54 UTC. The run that \
             made the move could not report it."
        ),
        movement: Some(movement),
        steps: Vec::new(),
        ..moved(&config, &on_standby())
    };
    assert_mail("mail-owed", &report);
}

#[test]
fn the_mail_of_a_lost_interface_claims_nothing_about_it() {
    let config = standard::config(&[]);
    let gone = Observation { interface: Reading::Known(None), ..reachable_pair() };
    assert_mail("mail-refused-interface-missing", &refused(&config, &gone, &Refusal::InterfaceMissing, &[]));
}

#[test]
fn no_mail_tells_a_reader_with_the_wrong_hostid_that_the_license_stays_valid() {
    let config = standard::config(&[("TOKEN_SERVER_HOSTID", "0273ae2adc82")]);
    let mail = text(&moved(&config, &on_standby()));
    assert!(!mail.contains("stays valid"), "{mail}");
    assert!(mail.contains("[hostid-mismatch]"), "{mail}");
}

// ---- Subject and attributes ----

fn notification(config: &Config, report: &Report) -> Notification {
    Notification::new(config, report, RUN, Hostid::Told)
}

/// The subject of a move of a token server with this name.
fn subject(name: &str) -> String {
    let config = standard::config(&[("TOKEN_SERVER_NAME", name)]);
    notification(&config, &moved(&config, &on_standby())).subject
}

#[test]
fn the_subject_is_outcome_name_and_hostid() {
    assert_eq!(subject("license-eu"), "MOVED: license-eu (hostid 0273ae2adc81)");
    let config = standard::config(&[]);
    let gone = Observation { interface: Reading::Known(None), ..reachable_pair() };
    let lost = refused(&config, &gone, &Refusal::InterfaceMissing, &[]);
    assert_eq!(notification(&config, &lost).subject, "REFUSED: license-eu (hostid 0273ae2adc81)");
    let silent = standard::config(&[("TOKEN_SERVER_HOSTID", "-")]);
    let lost = refused(&silent, &gone, &Refusal::InterfaceMissing, &[]);
    assert_eq!(notification(&silent, &lost).subject, "REFUSED: license-eu (hostid unknown)");
}

#[test]
fn the_subject_says_that_the_token_server_does_not_work_after_all() {
    let config = standard::config(&[]);
    let subject = |outcome, expected_to_work| {
        notification(&config, &Report { outcome, expected_to_work, ..moved(&config, &on_standby()) }).subject
    };
    for (outcome, expectation, beginning) in [
        (Outcome::Moved, Expectation::No, "MOVED BUT NOT WORKING"),
        (Outcome::Repaired, Expectation::No, "REPAIRED BUT NOT WORKING"),
        (Outcome::Moved, Expectation::Yes, "MOVED"),
        (Outcome::Moved, Expectation::Unknown, "MOVED"),
        (Outcome::Repaired, Expectation::Unknown, "REPAIRED"),
        (Outcome::Refused, Expectation::No, "REFUSED"),
        (Outcome::Failed, Expectation::No, "FAILED"),
    ] {
        assert_eq!(subject(outcome, expectation), format!("{beginning}: license-eu (hostid 0273ae2adc81)"));
    }
    let long = standard::config(&[("TOKEN_SERVER_NAME", &"n".repeat(64))]);
    let report = Report { expected_to_work: Expectation::No, ..moved(&long, &on_standby()) };
    let subject = notification(&long, &report).subject;
    assert_eq!(subject.len(), 99);
    assert!(
        subject.starts_with("MOVED BUT NOT WORKING: nnn") && subject.ends_with("n (hostid 0273ae2adc81)"),
        "{subject}"
    );
}

#[test]
fn a_name_that_is_not_ascii_or_too_long_never_costs_the_hostid() {
    assert_eq!(subject("Lizenz Köln 許"), "MOVED: Lizenz K?ln ? (hostid 0273ae2adc81)");
    assert_eq!(subject(&"n".repeat(64)), format!("MOVED: {} (hostid 0273ae2adc81)", "n".repeat(64)));
    assert_eq!(subject("-"), format!("MOVED: {INTERFACE} (hostid 0273ae2adc81)"));
}

#[test]
fn the_attributes_are_what_a_filter_policy_needs() {
    let config = standard::config(&[]);
    let closed = on_standby().with_reachability(|reachability| reachability.rules = Reading::Known(Vec::new()));
    let gone = Observation { interface: Reading::Known(None), ..reachable_pair() };
    for (report, outcome, severity, hostid) in [
        (moved(&config, &on_standby()), "moved", "none", "0273ae2adc81"),
        (moved(&config, &closed), "moved", "critical", "0273ae2adc81"),
        (refused(&config, &gone, &Refusal::InterfaceMissing, &[]), "refused", "critical", "0273ae2adc81"),
    ] {
        let expected =
            [("outcome", outcome), ("severity", severity), ("tokenServer", "license-eu"), ("hostid", hostid)];
        let expected: BTreeMap<&str, String> =
            expected.into_iter().map(|(key, value)| (key, value.to_owned())).collect();
        assert_eq!(notification(&config, &report).attributes, expected);
    }
}

#[test]
fn the_severity_is_that_of_the_worst_finding() {
    let config = standard::config(&[]);
    let finding = |severity| Finding { severity, ..Advisor::new(&config).attached_to_nothing(&[]) };
    let (info, warning, critical) = (Severity::Info, Severity::Warning, Severity::Critical);
    for (severities, worst) in [
        (vec![], None),
        (vec![info], Some(info)),
        (vec![info, warning], Some(warning)),
        (vec![warning, critical, info], Some(critical)),
    ] {
        let report =
            Report { findings: severities.into_iter().map(finding).collect(), ..report(&config, &reachable_pair()) };
        assert_eq!(report.severity(), worst);
    }
}

#[test]
fn a_fifo_topic_gets_one_group_for_each_interface_and_one_message_for_each_report_of_a_run() {
    let standard = standard::config(&[]);
    assert_eq!(notification(&standard, &moved(&standard, &on_standby())).fifo, None);

    let fifo = standard::config(&[("NOTIFICATION_TOPIC_ARN", &format!("{TOPIC}.fifo"))]);
    let of =
        |report: &Report, run: &str| Notification::new(&fifo, report, run, Hostid::Told).fifo.expect("a FIFO topic");
    let report = moved(&fifo, &on_standby());
    let expected = Fifo { group_id: INTERFACE.to_owned(), deduplication_id: format!("{RUN}-moved-holder-stopping") };
    assert_eq!([of(&report, RUN), of(&report, RUN)], [expected.clone(), expected.clone()]);
    let owed = Report { reason: Reason::ReportWasOwed.into(), ..report.clone() };
    let different: BTreeSet<String> =
        [of(&report, RUN), of(&owed, RUN), of(&report, "another run"), of(&owed, &format!("{RUN}-0"))]
            .map(|fifo| fifo.deduplication_id)
            .into();
    assert_eq!(different.len(), 4);
}

// ---- The message ----

/// The message for each protocol.
fn protocols(notification: &Notification) -> BTreeMap<String, String> {
    serde_json::from_str(&notification.message).expect("an object of strings")
}

#[test]
fn every_protocol_gets_the_form_that_its_reader_can_use() {
    let config = standard::config(&[]);
    let report = moved(&config, &on_standby());
    let notification = notification(&config, &report);
    let mut protocols = protocols(&notification);
    for people in ["default", "email"] {
        assert_eq!(protocols.remove(people).expect("a string"), text(&report), "{people}");
    }
    assert_eq!(protocols.remove("sms").as_ref(), Some(&notification.subject));
    for program in ["sqs", "lambda", "http", "https"] {
        let document = protocols.remove(program).expect("a document");
        assert_eq!(serde_json::from_str::<Report>(&document).expect("a report"), report, "{program}");
    }
    assert_eq!(protocols, BTreeMap::new());
}

#[test]
fn the_document_has_every_field_of_the_contract_and_null_where_something_is_not_known() {
    let config = standard::config(&[]);
    let gone = Observation { interface: Reading::Known(None), ..reachable_pair() };
    let report = Report { findings: Vec::new(), ..report(&config, &gone) };
    let expected = serde_json::json!({
        "schemaVersion": 1,
        "outcome": "no-action",
        "reason": "holder-healthy",
        "summary": "i-0aaaaaaaaaaaaaaa1 is running and holds the interface. No action was needed.",
        "trigger": {
            "kind": "instance-state-change",
            "id": "7bf73129-1428-4cd3-a780-95db273d1602",
            "time": "2026-11-11T21:29:54Z",
            "instanceId": "i-0aaaaaaaaaaaaaaa1",
            "state": "stopping",
        },
        "expectedToWork": "yes",
        "tokenServer": {
            "name": "license-eu",
            "networkInterfaceId": "eni-0ddddddddddddddd1",
            "macAddress": null,
            "hostid": null,
            "licensedHostid": "0273ae2adc81",
            "ports": [{"first": 27007, "last": 27008}],
            "region": "eu-west-1",
            "holder": null,
            "privateIpAddress": null,
            "publicIpAddress": null,
            "availabilityZone": null,
            "subnetId": null,
            "vpcId": null,
        },
        "move": null,
        "pause": null,
        "steps": [],
        "checks": {
            "hostid": "not-checked",
            "elasticIp": "not-checked",
            "securityGroup": "not-checked",
            "deleteOnTermination": "not-checked",
            "listening": "not-checked",
        },
        "findings": [],
    });
    assert_eq!(serde_json::to_value(&report).expect("JSON"), expected);
}

#[test]
fn the_document_of_a_move_tells_it_with_its_steps_and_findings() {
    let config = standard::config(&[]);
    let closed = on_standby().with_reachability(|reachability| {
        reachability.rules = Reading::Known(vec![tcp(27007, 27007, "10.0.0.0/16")]);
    });
    let document: Value = serde_json::to_value(moved(&config, &closed)).expect("JSON");
    let expected = serde_json::json!({
        "move": {
            "from": "i-0aaaaaaaaaaaaaaa1",
            "to": "i-0bbbbbbbbbbbbbbb2",
            "attachmentId": "eni-attach-0bbbbbbbbbbbbbbb2",
            "forced": false,
            "standbyStarted": false,
            "durationMs": 3412,
        },
        "steps": [{
            "step": "attach",
            "resource": "eni-0ddddddddddddddd1 to i-0bbbbbbbbbbbbbbb2",
            "result": "done",
            "durationMs": 30,
            "error": null,
        }],
        "findings": [{
            "severity": "critical",
            "code": "security-group-port-closed",
            "message": "TCP 27008 is closed to 10.0.0.0/16.",
            "resource": "sg-0fffffffffffffff1",
            "remedy": "aws ec2 authorize-security-group-ingress --group-id sg-0fffffffffffffff1 --ip-permissions \
                       'IpProtocol=tcp,FromPort=27008,ToPort=27008,IpRanges=[{CidrIp=10.0.0.0/16}]' --region eu-west-1",
        }],
    });
    for field in ["move", "steps", "findings"] {
        assert_eq!(document[field], expected[field], "{field}");
    }
    assert_eq!(
        document["tokenServer"]["holder"],
        serde_json::json!({"instanceId": "i-0bbbbbbbbbbbbbbb2", "state": "running"})
    );
}

/// The size that SNS counts: the message and its attributes, in bytes. The type of the attributes is `String`.
fn size(notification: &Notification) -> usize {
    let attributes = notification.attributes.iter().map(|(name, value)| name.len() + "String".len() + value.len());
    notification.message.len() + attributes.sum::<usize>()
}

#[test]
fn a_report_of_hundreds_of_closed_ports_fits_into_a_message() {
    let clients: Vec<String> = (0..250).map(|subnet| format!("10.0.{subnet}.0/24")).collect();
    let config =
        standard::config(&[("TOKEN_SERVER_CLIENTS", &clients.join(",")), ("TOKEN_SERVER_PORTS", "27007,27010")]);
    let broken = on_standby().with_reachability(|reachability| reachability.rules = Reading::Known(Vec::new()));
    let interface = broken.interface().expect("an interface");
    let checked = check(&config, &broken, interface, config.allocation_id.as_ref());
    let Some(Reading::Known(coverage)) = &checked.coverage else { panic!("{checked:?}") };
    assert_eq!(coverage.gaps.len(), 500);
    let report = moved(&config, &broken);
    assert!(size(&notification(&config, &report)) < 256 * 1024);
}

/// The size limit of SNS. Source: SNS API Reference, *Publish*.
const LARGEST: usize = 256 * 1024;

/// Any number of findings of alternating severities, with strings of this length in characters of several bytes.
fn many_findings(count: usize, length: usize, letter: &str) -> Vec<Finding> {
    let severities = [Severity::Info, Severity::Critical, Severity::Warning];
    let finding = |number: usize| Finding {
        severity: severities[number % 3],
        code: FindingCode::SubscriptionUnconfirmed.into(),
        message: format!("{number} {}.", letter.repeat(length)),
        resource: Some(format!("email {number}@example.com")),
        remedy: format!("aws sns subscribe {}", letter.repeat(length)),
    };
    (0..count).map(finding).collect()
}

#[test]
fn a_report_with_too_many_findings_keeps_the_worst_and_says_how_many_it_leaves_out() {
    let config = standard::config(&[]);
    let report = Report { findings: many_findings(3000, 100, "é"), ..moved(&config, &on_standby()) };
    let notification = notification(&config, &report);
    assert!((LARGEST / 2..=LARGEST).contains(&size(&notification)), "{}", size(&notification));
    assert_eq!(notification.attributes["severity"], "critical");
    let protocols = protocols(&notification);
    let document: Report = serde_json::from_str(&protocols["lambda"]).expect("a report");
    let (last, kept) = document.findings.split_last().expect("findings");
    let worst = report.findings.iter().filter(|finding| finding.severity == Severity::Critical).take(kept.len());
    assert_eq!(kept, worst.cloned().collect::<Vec<_>>());
    let left_out = 3000 - kept.len();
    let critical = 1000 - kept.len();
    assert_eq!((last.code.as_str(), last.severity), ("findings-left-out", Severity::Critical));
    let message = format!(
        "{left_out} more findings did not fit into this message: {critical} critical, 1000 warnings, 1000 info."
    );
    assert_eq!(last.message, message);
    assert!(protocols["email"].contains(&message) && protocols["default"] == protocols["email"]);
    assert_eq!(document.steps, report.steps);
}

#[test]
fn a_report_that_fits_is_published_as_it_is() {
    let config = standard::config(&[]);
    let report = Report { findings: many_findings(40, 100, "é"), ..moved(&config, &on_standby()) };
    let notification = notification(&config, &report);
    assert_eq!(serde_json::from_str::<Report>(&protocols(&notification)["sqs"]).expect("a report"), report);
    assert_eq!(protocols(&notification)["email"], text(&report));
}

#[test]
fn a_report_with_too_many_steps_keeps_the_last_ones_and_says_how_many_it_leaves_out() {
    let config = standard::config(&[]);
    let attach = |number: u64| StepRecord {
        step: Step::Attach,
        resource: format!("{INTERFACE} to {STANDBY}"),
        result: StepResult::Failed,
        duration_ms: number,
        error: Some("ec2:AttachNetworkInterface: IncorrectState: 許可".to_owned()),
    };
    let report = Report { steps: (0..5000).map(attach).collect(), ..moved(&config, &on_standby()) };
    let notification = notification(&config, &report);
    assert!(size(&notification) <= LARGEST, "{}", size(&notification));
    let document: Report = serde_json::from_str(&protocols(&notification)["lambda"]).expect("a report");
    assert!(document.steps.len() >= 100);
    assert_eq!(document.steps, report.steps[5000 - document.steps.len()..]);
    let said: Vec<_> = document.findings.iter().filter(|finding| finding.code.as_str() == "steps-left-out").collect();
    assert_eq!(said.len(), 1);
    assert!(said[0].message.starts_with(&format!("{} earlier steps ", 5000 - document.steps.len())), "{said:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn whatever_a_run_came_to_its_report_fits_into_a_message(
        findings in prop_oneof![0usize..40, 0usize..4000], length in prop_oneof![0usize..300, 0usize..40_000],
        steps in prop_oneof![0usize..20, 0usize..3000], letter in prop_oneof![Just("é"), Just("\u{1F4A5}"), Just("\""), Just("\u{1}"), Just("x")],
        fifo: bool,
    ) {
        // The numbers stay within the memory of a test.
        let findings = findings.min(20_000_000 / (length + 1));
        let topic = if fifo { format!("{TOPIC}.fifo") } else { TOPIC.to_owned() };
        let config = standard::config(&[("NOTIFICATION_TOPIC_ARN", &topic)]);
        let step = StepRecord {
            step: Step::Attach,
            resource: INTERFACE.to_owned(),
            result: StepResult::Failed,
            duration_ms: 1,
            error: Some(letter.repeat(length)),
        };
        let report = Report {
            findings: many_findings(findings, length, letter),
            steps: vec![step; steps.min(20_000_000 / (length + 1))],
            summary: letter.repeat(length),
            ..moved(&config, &on_standby())
        };
        let notification = notification(&config, &report);
        prop_assert!(size(&notification) <= LARGEST, "{}", size(&notification));
        let protocols = protocols(&notification);
        let document: Report = serde_json::from_str(&protocols["https"]).expect("a report");
        let least = Some(Severity::Info);
        prop_assert_eq!(document.severity().max(least), report.severity().max(least));
        prop_assert_eq!((document.outcome, &document.reason), (report.outcome, &report.reason));
        prop_assert_eq!(&document.movement, &report.movement);
    }
}

/// The findings about this many closed ports.
fn closed_to(clients: u8) -> Vec<Finding> {
    let clients: Vec<String> = (0..clients).map(|subnet| format!("10.0.{subnet}.0/24")).collect();
    let config = standard::config(&[("TOKEN_SERVER_CLIENTS", &clients.join(","))]);
    let broken = on_standby().with_reachability(|reachability| reachability.rules = Reading::Known(Vec::new()));
    report(&config, &broken).findings
}

#[test]
fn ten_findings_of_a_kind_are_written_out_and_the_others_are_counted() {
    assert_eq!(closed_to(10).len(), 10);
    assert!(closed_to(10).iter().all(|finding| finding.message.starts_with("TCP 27007-27008 is closed to 10.0.")));
    for (clients, more) in
        [(11, "1 more pair of client and port is closed."), (25, "15 more pairs of client and port are closed.")]
    {
        let findings = closed_to(clients);
        assert_eq!(findings[..10], closed_to(10));
        let last = &findings[10..];
        assert_eq!(last.len(), 1);
        assert_eq!(last[0].message, more);
        assert_eq!((last[0].severity, last[0].code.as_str()), (Severity::Critical, "security-group-port-closed"));
    }
}

// ---- Findings ----

/// Every refusal.
fn every_refusal() -> Vec<Refusal> {
    let error = || denied("ec2:AttachNetworkInterface");
    vec![
        Refusal::InterfaceMissing,
        Refusal::HeldByStranger { holder: Some(parsed(NON_MEMBER)), attachment_id: attachment().id },
        Refusal::HeldByStranger { holder: None, attachment_id: attachment().id },
        Refusal::PrimaryInterface { holder: parsed(HOLDER), attachment_id: attachment().id, state: None },
        Refusal::NoViableStandby,
        Refusal::TargetNotViable { target: parsed(STANDBY), obstacle: Obstacle::Impaired },
        Refusal::TargetNotAMember { target: parsed(NON_MEMBER) },
        Refusal::HolderNotStarted { holder: parsed(HOLDER) },
        Refusal::StillAttaching { to: parsed(STANDBY) },
        Refusal::TooManyMoves { moves: vec![now()] },
        Refusal::PermissionDenied(error()),
        Refusal::AmbiguousAnswer(error()),
        Refusal::CallRejected(error()),
    ]
}

/// A subscription in this state.
fn subscription(standing: Standing) -> Subscription {
    Subscription { protocol: "email".to_owned(), endpoint: "ops@example.com".to_owned(), standing }
}

/// Every fact of an audit that has no other place in the tests of findings.
fn every_fact() -> Vec<Fact> {
    let world = reachable_pair();
    let standby = || world.instance(&parsed(STANDBY)).expect("the standby").clone();
    let members = || vec![parsed(HOLDER), parsed(STANDBY)];
    let range = || parsed("10.0.0.0/16");
    vec![
        Fact::HolderFailed(attachment()),
        Fact::Paused(Pause { until: now(), since: None, reason: None, resumed: None }),
        Fact::NoViableStandby,
        Fact::StandbyWithoutRoom(standby(), 2),
        Fact::DeviceIndexTaken(attachment(), parsed("eni-0ddddddddddddddd2")),
        Fact::UnknownInstanceType(standby()),
        Fact::SameSubnet(members()),
        Fact::AutoRecovery(members()),
        Fact::Unprotected(members()),
        Fact::SourceDestCheckOff(parsed(INTERFACE)),
        Fact::NoInternetGateway("subnet-0aaaaaaaaaaaaaaa1".to_owned()),
        Fact::AclBlocks("subnet-0aaaaaaaaaaaaaaa1".to_owned(), Traffic::Answers(range())),
        Fact::AclBlocksSomeAnswers("subnet-0aaaaaaaaaaaaaaa1".to_owned(), range()),
        Fact::ClientGroupMissing(parsed("sg-0fffffffffffffff1")),
        Fact::LicenseEnds(parsed("2026-12-01"), 20),
        Fact::LicenseEnds(parsed("2026-11-10"), -1),
        Fact::TopicMissing,
        Fact::SubscriptionUnconfirmed(subscription(Standing::Pending)),
        Fact::NotRead(Unread::Acl, denied("ec2:DescribeNetworkAcls")),
    ]
}

/// Every finding.
fn every_finding(config: &Config) -> Vec<Finding> {
    let advisor = Advisor::new(config);
    let error = || denied("ec2:AttachNetworkInterface");
    let obstacles = [
        Obstacle::Missing,
        Obstacle::Terminated,
        Obstacle::Starting,
        Obstacle::Stopping,
        Obstacle::UnknownState("hibernating".to_owned()),
        Obstacle::WrongZone("eu-west-1b".to_owned()),
        Obstacle::WrongVpc,
        Obstacle::DeviceIndexTaken(parsed(INTERFACE)),
        Obstacle::NoRoom { instance_type: "t3.micro".to_owned(), limit: 2 },
        Obstacle::Impaired,
        Obstacle::StatusChecksUnreadable,
        Obstacle::MayNotStart,
        Obstacle::NotStarted,
        Obstacle::BeingTaken,
    ];
    let address =
        Address { allocation_id: parsed(simulator::names::ALLOCATION), public_ip: parsed("203.0.113.50"), place: None };
    let with_non_member = |interface: Option<&str>, instance: Option<&str>| {
        let place = AddressPlace {
            association_id: AssociationId::new("eipassoc-09999999999999999"),
            interface_id: interface.map(parsed),
            instance_id: instance.map(parsed),
            private_ip_address: None,
        };
        Some(Reading::Known(Some(Address { place: Some(place), ..address.clone() })))
    };
    let addresses = [
        None,
        Some(Reading::Unreadable(unreachable("ec2:DescribeAddresses"))),
        Some(Reading::Known(None)),
        with_non_member(Some("eni-09999999999999999"), Some(NON_MEMBER)),
        with_non_member(Some("eni-09999999999999999"), None),
        with_non_member(None, None),
        Some(Reading::Known(Some(address))),
    ];
    let closed = [vec![], vec![tcp(27007, 27008, "0.0.0.0/0")], vec![tcp(27007, 27008, "pl-63a5400a")]];
    let mut worlds: Vec<Observation> = addresses
        .into_iter()
        .map(|address| {
            reachable_pair()
                .with_interface(|interface| interface.association = None)
                .with_attachment(|attachment| attachment.delete_on_termination = true)
                .with_reachability(|reachability| reachability.missing_address = address)
        })
        .collect();
    worlds
        .extend(closed.map(|rules| {
            reachable_pair().with_reachability(|reachability| reachability.rules = Reading::Known(rules))
        }));
    worlds.push(reachable_pair().with_reachability(|reachability| {
        reachability.rules = Reading::Unreadable(denied("ec2:DescribeSecurityGroupRules"));
    }));

    let mut findings: Vec<Finding> = every_refusal().iter().flat_map(|refusal| advisor.refusal(refusal, &[])).collect();
    findings.extend(obstacles.iter().map(|obstacle| advisor.standby(&parsed(STANDBY), obstacle)));
    findings.extend(every_fact().iter().map(|fact| advisor.fact(fact)));
    let standings = [Standing::Confirmed, Standing::Pending, Standing::Deleted].map(subscription);
    findings.extend(standings.iter().map(|one| advisor.nobody_subscribed(std::slice::from_ref(one))));
    findings.extend(worlds.iter().flat_map(|world| report(config, world).findings));
    findings.extend([
        advisor.attached_to_nothing(&[]),
        advisor.findings_left_out(&many_findings(4, 3, "x")).expect("some"),
        advisor.steps_left_out(1).expect("one"),
        advisor.returned(&parsed(HOLDER)),
        advisor.not_started(&parsed(STANDBY), None),
        advisor.forced(&parsed(HOLDER)),
        advisor.still_starting(&parsed(STANDBY)),
        advisor.member_not_managed(&parsed(HOLDER), true),
        advisor.member_not_managed(&parsed(STANDBY), false),
        advisor.activation_document_missing(&Activation { document: parsed(DOCUMENT), parameters: BTreeMap::new() }),
    ]);
    use Announced::{Change, NetworkMaintenance, PowerMaintenance, Reboot, Retirement, Stop, Termination};
    let date = Some(parsed("2026-11-26T13:00:00Z"));
    for what in [Retirement, Termination, Stop, Reboot, PowerMaintenance, NetworkMaintenance, Change] {
        let of = |(date, is_holder)| advisor.announcement(what, "AWS_EC2_X", &parsed(HOLDER), date, is_holder);
        findings.extend([(date, true), (None, true), (date, false)].map(of));
    }
    let unanswered =
        |port, error: &str| Probe { port, result: CheckResult::Failed, duration_ms: 3, error: Some(error.to_owned()) };
    let probes = [unanswered(27007, "no answer"), unanswered(27008, "connection refused")];
    for is_inside in [true, false] {
        findings.extend(advisor.ports_not_answering(&parsed(STANDBY), parsed("10.0.1.50"), &probes, is_inside));
    }
    let sent = [None, Some(CommandId::new("5e1b6a9e-0000-4000-8000-00000000c0de"))];
    findings.extend(sent.into_iter().flat_map(|command_id| {
        let error = Some("ssm:SendCommand: InvalidInstanceId: Instances not in a valid state".to_owned());
        let record =
            |result| ActivationRecord { command_id: command_id.clone(), result, error: error.clone(), ..activated() };
        let results = [ActivationResult::Failed, ActivationResult::Unfinished];
        results.into_iter().filter_map(move |result| advisor.activation(&record(result), false)).collect::<Vec<_>>()
    }));
    for error in [error(), unreachable("ec2:CreateTags")] {
        findings.extend([
            advisor.mark_not_written(&error),
            advisor.mark_not_removed(&error),
            advisor.not_published(&error),
        ]);
    }
    findings
}

const DOCUMENT: &str = "token-failover-restart";

/// The token server was activated on the standby.
fn activated() -> ActivationRecord {
    ActivationRecord {
        document: parsed(DOCUMENT),
        instance_id: parsed(STANDBY),
        command_id: Some(CommandId::new("5e1b6a9e-0000-4000-8000-00000000c0de")),
        result: ActivationResult::Done,
        status: Some("Success".to_owned()),
        duration_ms: 1620,
        error: None,
    }
}

#[test]
fn a_mail_says_whether_the_token_server_was_activated_and_answers() {
    let config = standard::config(&[]);
    let probe =
        |port, result, error: Option<&str>| Probe { port, result, duration_ms: 3, error: error.map(str::to_owned) };
    let checks = |listening| Checks { listening, ..report(&config, &on_standby()).checks };
    let fine = Report {
        checks: checks(CheckResult::Ok),
        probes: vec![probe(27007, CheckResult::Ok, None), probe(27008, CheckResult::Ok, None)],
        activation: Some(activated()),
        ..moved(&config, &on_standby())
    };
    let mail = text(&fine);
    for line in [
        "Expected to work now: yes: the token server answers on its ports.",
        "- Ports answer: ok (27007 in 3 ms, 27008 in 3 ms)",
        "- Token server activated on i-0bbbbbbbbbbbbbbb2 by token-failover-restart: done",
        "Not checked: whether MOSEKLM serves licenses, network ACLs, routes.",
    ] {
        assert!(mail.lines().any(|said| said == line), "{line}\n{mail}");
    }
    let bad = Report {
        checks: checks(CheckResult::Failed),
        probes: vec![
            probe(27007, CheckResult::Ok, None),
            probe(27008, CheckResult::Failed, Some("connection refused")),
        ],
        activation: Some(ActivationRecord { result: ActivationResult::Failed, ..activated() }),
        ..fine.clone()
    };
    let mail = text(&bad);
    for line in [
        "- Ports answer: FAILED (27007 in 3 ms, 27008 connection refused)",
        "- Token server activated on i-0bbbbbbbbbbbbbbb2 by token-failover-restart: FAILED",
    ] {
        assert!(mail.lines().any(|said| said == line), "{line}\n{mail}");
    }
}

#[test]
fn every_finding_has_a_code_a_sentence_a_resource_and_a_remedy() {
    for config in [
        standard::config(&[("TOKEN_SERVER_HOSTID", "0273ae2adc82")]),
        standard::config(&[("TOKEN_SERVER_CLIENTS", "-")]),
    ] {
        for finding in every_finding(&config) {
            let Code::Known(code) = finding.code else { panic!("{finding:?}") };
            assert!(code.severities().contains(&finding.severity), "{finding:?}");
            assert!(finding.message.ends_with(['.', ')']) && !finding.message.contains('\n'), "{finding:?}");
            assert!(finding.resource.as_ref().is_some_and(|resource| !resource.is_empty()), "{finding:?}");
            assert!(!finding.remedy.trim().is_empty(), "{finding:?}");
        }
    }
}

#[test]
fn a_finding_names_only_what_is_known_and_counts_in_good_english() {
    let config = standard::config(&[]);
    let advisor = Advisor::new(&config);
    let said: Vec<String> = every_finding(&config).into_iter().map(|finding| finding.message).collect();
    for message in [
        "203.0.113.50 (eipalloc-0eeeeeeeeeeeeeee1) is on eni-09999999999999999 of i-09999999999999999, which is not a member. \
         The function left it there.",
        "203.0.113.50 (eipalloc-0eeeeeeeeeeeeeee1) is on eni-09999999999999999, which is not attached to a member. The function \
         left it there.",
        "203.0.113.50 (eipalloc-0eeeeeeeeeeeeeee1) is on something that EC2 does not name. The function left it there.",
        "eni-0ddddddddddddddd1 is attached to something that is not an instance.",
    ] {
        assert!(said.iter().any(|said| said == message), "{message}\n{said:#?}");
    }
    for (moves, times) in [(0, "0 times"), (1, "1 time"), (2, "2 times")] {
        let message = advisor.refused(&Refusal::TooManyMoves { moves: vec![now(); moves] }).message;
        assert!(message.contains(&format!(" {times} in the last hour, and ")), "{message}");
    }
    let stranger = Refusal::HeldByStranger { holder: None, attachment_id: attachment().id };
    assert!(!advisor.refused(&stranger).remedy.contains("TOKEN_SERVER_INSTANCE_IDS"));
}

#[test]
fn every_command_of_every_remedy_and_mail_has_the_region_of_its_resource() {
    // The topic may be in another Region than the function.
    let topic = "arn:aws:sns:eu-central-1:123456789012:token-failover";
    let config = standard::config(&[("NOTIFICATION_TOPIC_ARN", topic), ("TOKEN_SERVER_HOSTID", "0273ae2adc82")]);
    let findings = every_finding(&config);
    let mail = text(&Report { findings: findings.clone(), ..moved(&config, &on_standby()) });
    let remedies = findings.iter().flat_map(|finding| finding.remedy.lines());
    let commands: BTreeSet<&str> =
        remedies.chain(mail.lines()).map(str::trim_start).filter(|line| line.starts_with("aws ")).collect();
    for (service, region) in [("ec2", "eu-west-1"), ("ssm", "eu-west-1"), ("sns", "eu-central-1")] {
        let begins = format!("aws {service} ");
        let of_service: Vec<&&str> = commands.iter().filter(|command| command.starts_with(&begins)).collect();
        assert!(of_service.len() > 1, "{service}: {of_service:?}");
        for command in of_service {
            assert!(command.ends_with(&format!(" --region {region}")), "{command}");
        }
    }
    let is_known =
        |command: &&&str| ["aws ec2 ", "aws ssm ", "aws sns "].iter().any(|begins| command.starts_with(begins));
    assert_eq!(commands.iter().find(|command| !is_known(command)), None, "its Region is not tested");
}

#[test]
fn a_command_of_a_remedy_stands_on_a_line_of_its_own_and_can_be_pasted_as_it_is() {
    let config = standard::config(&[("TOKEN_SERVER_HOSTID", "0273ae2adc82")]);
    let findings = every_finding(&config);
    let lines: Vec<&str> = findings.iter().flat_map(|finding| finding.remedy.lines()).collect();
    let (commands, sentences): (Vec<&str>, Vec<&str>) = lines.into_iter().partition(|line| line.starts_with("aws "));
    assert!(commands.len() > 10, "{commands:?}");
    for command in commands {
        assert!(!command.contains(['…', ';', '\n']) && command.matches('\'').count() % 2 == 0, "{command}");
    }
    for sentence in sentences.into_iter().filter(|line| !line.starts_with("token-failover ")) {
        assert!(!sentence.contains("aws ") && sentence.ends_with(['.', ':']), "{sentence}");
    }
}

#[test]
fn without_a_known_region_a_command_leaves_it_to_the_readers_settings() {
    let config = standard::config(&[("AWS_REGION", "-")]);
    let command = "aws ec2 start-instances --instance-ids i-0bbbbbbbbbbbbbbb2";
    assert_eq!(
        Advisor::new(&config).not_started(&parsed(STANDBY), None).remedy,
        format!("The next run tries again. To start it yourself:\n{command}")
    );
}

#[test]
fn no_mail_has_a_line_of_a_license_file() {
    let config = standard::config(&[("TOKEN_SERVER_HOSTID", "0273ae2adc82")]);
    let report = Report { findings: every_finding(&config), ..moved(&config, &on_standby()) };
    let keywords = ["SERVER", "VENDOR", "DAEMON", "USE_SERVER", "FEATURE", "INCREMENT", "PACKAGE", "UPGRADE"];
    for line in text(&report).lines() {
        let first = line.split_whitespace().next().unwrap_or_default();
        assert!(!keywords.contains(&first) && !line.contains("SIGN=") && !line.contains("ck="), "{line}");
    }
}

#[test]
fn the_reason_of_a_refusal_and_the_cause_of_a_move_fit_into_the_middle_of_a_sentence() {
    let causes = [
        MoveCause::HolderStopping,
        MoveCause::HolderStopped,
        MoveCause::HolderShuttingDown,
        MoveCause::HolderTerminated,
        MoveCause::HolderMissing,
        MoveCause::HolderImpaired,
        MoveCause::SpotInterruption,
        MoveCause::InterfaceUnattached,
        MoveCause::OperatorRequest,
    ];
    let causes = causes.map(|cause| cause.in_words().to_owned());
    let reasons: Vec<String> = every_refusal().iter().map(Refusal::in_words).collect();
    for words in causes.iter().chain(&reasons) {
        assert!(words.len() > 10 && !words.ends_with('.') && !words.contains('\n') && !words.contains(": "), "{words}");
        assert!(!words.contains(" ec2 ") && words.starts_with(|c: char| c.is_ascii_alphabetic()), "{words}");
    }
    assert_eq!(BTreeSet::from_iter(&causes).len(), causes.len());
}

#[test]
fn the_command_to_detach_from_a_non_member_names_the_observed_attachment() {
    let config = standard::config(&[]);
    let refusal = Refusal::HeldByStranger { holder: Some(parsed(NON_MEMBER)), attachment_id: attachment().id };
    let finding = Advisor::new(&config).refusal(&refusal, &[]).remove(0);
    let command = "aws ec2 detach-network-interface --attachment-id eni-attach-0aaaaaaaaaaaaaaa1 --region eu-west-1";
    assert_eq!(finding.remedy.lines().last(), Some(command));
}

#[test]
fn the_command_to_attach_a_free_interface_names_a_standby_that_can_take_it() {
    let config = standard::config(&[]);
    let standby = |id, verdict| Standby { instance_id: parsed(id), verdict };
    let attach = |standbys: &[Standby]| {
        let remedy = Advisor::new(&config).attached_to_nothing(standbys).remedy;
        remedy.lines().last().map(str::to_owned).expect("a command")
    };
    let command = |id| {
        format!(
            "aws ec2 attach-network-interface --network-interface-id {INTERFACE} --instance-id {id} --device-index 1 \
             --region eu-west-1"
        )
    };
    let terminated = || standby(HOLDER, Verdict::NotViable(Obstacle::Terminated));
    assert_eq!(attach(&[terminated(), standby(STANDBY, Verdict::Stopped)]), command(STANDBY));
    assert_eq!(attach(&[standby(HOLDER, Verdict::Running), standby(STANDBY, Verdict::Running)]), command(HOLDER));
    // If no standby can take it, the remedy names the most preferred member.
    assert_eq!(attach(&[terminated()]), command(HOLDER));
    assert_eq!(attach(&[]), command(HOLDER));
}

// ---- The place of the interface ----

#[test]
fn the_mail_names_the_holder_with_its_state_if_that_was_read() {
    let config = standard::config(&[]);
    let on = |id: &str| reachable_pair().with_attachment(|attachment| attachment.instance_id = Some(parsed(id)));
    let nothing = reachable_pair().with_interface(|interface| interface.attachment = None);
    let gone = Observation { interface: Reading::Known(None), ..reachable_pair() };
    let stopped = reachable_pair().with_instance(HOLDER, |holder| holder.state = InstanceState::Stopped);
    let unread = Observation { instances: Reading::Unreadable(denied("ec2:DescribeInstances")), ..reachable_pair() };
    let holder = |id: &str, state| Some(Holder { instance_id: parsed(id), state });
    for (observation, expected, line) in [
        (&stopped, holder(HOLDER, Some(InstanceState::Stopped)), Some("Attached to: i-0aaaaaaaaaaaaaaa1 (stopped)")),
        (
            &on(STANDBY),
            holder(STANDBY, Some(InstanceState::Running)),
            Some("Attached to: i-0bbbbbbbbbbbbbbb2 (running)"),
        ),
        (&on(NON_MEMBER), holder(NON_MEMBER, None), Some("(state unknown)")),
        (&unread, holder(HOLDER, None), Some("Attached to: i-0aaaaaaaaaaaaaaa1 (state unknown)")),
        (&nothing, None, Some("Attached to: NOTHING")),
        (&gone, None, None),
    ] {
        let report = report(&config, observation);
        assert_eq!(report.token_server.holder, expected);
        let mail = text(&report);
        let found = mail.lines().find(|line| line.starts_with("Attached to:"));
        assert_eq!(found.is_some(), line.is_some(), "{mail}");
        assert!(found.unwrap_or_default().ends_with(line.unwrap_or_default()), "{mail}");
    }
    let unseen = TokenServer::new(&config, None);
    assert_eq!((unseen.holder, unseen.mac_address, unseen.name.as_str()), (None, None, "license-eu"));
}

#[test]
fn a_command_of_a_remedy_has_a_line_of_its_own_in_the_mail() {
    let config = standard::config(&[("TOKEN_SERVER_HOSTID", "0273ae2adc82")]);
    let findings = every_finding(&config);
    let commands: Vec<String> = findings
        .iter()
        .flat_map(|finding| finding.remedy.lines())
        .filter(|line| line.starts_with("aws "))
        .map(str::to_owned)
        .collect();
    let mail = text(&Report { findings, ..moved(&config, &on_standby()) });
    let lines: BTreeSet<&str> = mail.lines().map(str::trim).collect();
    for command in commands {
        assert!(lines.contains(command.as_str()), "{command}");
    }
    for line in mail.lines().filter(|line| line.contains("aws ec2 ")) {
        assert!(line.trim_start().starts_with("aws ec2 "), "{line}");
    }
}

#[test]
fn the_unchecked_facts_include_the_hostid_and_the_sources() {
    let not_checked = |changes: &[(&str, &str)], observation: &Observation| {
        let config = standard::config(changes);
        let mail = text(&report(&config, observation));
        mail.lines().last().expect("a line").to_owned()
    };
    let always = "Not checked: whether lmgrd and MOSEKLM run, whether the operating system has configured the interface, \
                  network ACLs, routes";
    let all_well = reachable_pair();
    assert_eq!(not_checked(&[], &all_well), format!("{always}."));
    assert_eq!(
        not_checked(&[("TOKEN_SERVER_HOSTID", "-"), ("TOKEN_SERVER_CLIENTS", "-")], &all_well),
        format!(
            "{always}, the hostid in the license file (TOKEN_SERVER_HOSTID is not set), who can reach the ports \
             (TOKEN_SERVER_CLIENTS is not set)."
        )
    );
    let gone = Observation { interface: Reading::Known(None), ..reachable_pair() };
    assert_eq!(
        not_checked(&[], &gone),
        format!("{always}, the hostid, the Elastic IP, the security group, DeleteOnTermination.")
    );
}

// ---- For all names, outcomes and addresses ----

proptest! {
    #[test]
    fn every_notification_keeps_to_the_rules_of_sns(
        name in "\\PC{1,64}",
        outcome in prop::sample::select(vec![Outcome::Moved, Outcome::Repaired, Outcome::Refused, Outcome::Failed, Outcome::NoAction]),
        expected_to_work in prop::sample::select(vec![Expectation::Yes, Expectation::No, Expectation::Unknown]),
        is_fifo: bool, is_gone: bool, run in "[0-9a-f-]{1,200}",
    ) {
        let topic = if is_fifo { format!("{TOPIC}.fifo") } else { TOPIC.to_owned() };
        let mut config = standard::config(&[("NOTIFICATION_TOPIC_ARN", &topic)]);
        config.name = name;
        let mut observation = on_standby();
        if is_gone {
            observation.interface = Reading::Known(None);
        }
        let report = Report { outcome, expected_to_work, ..moved(&config, &observation) };
        let notification = Notification::new(&config, &report, &run, Hostid::New);

        let subject = &notification.subject;
        prop_assert!(subject.len() < 100 && subject.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{}", subject);
        prop_assert!(subject.starts_with(|c: char| c.is_ascii_alphanumeric()));
        prop_assert!(subject.ends_with("(hostid 0273ae2adc81)"), "{}", subject);

        for (protocol, text) in protocols(&notification) {
            prop_assert!(!text.is_empty(), "{}", protocol);
            if ["sqs", "lambda", "http", "https"].contains(&protocol.as_str()) {
                prop_assert_eq!(&serde_json::from_str::<Report>(&text).expect("a report"), &report);
            }
        }
        prop_assert!(notification.attributes.values().all(|value| !value.is_empty()));
        prop_assert!(size(&notification) < 256 * 1024);
        prop_assert_eq!(notification.fifo.is_some(), is_fifo);
        if let Some(fifo) = notification.fifo {
            let fits = |id: &str| (1..=128).contains(&id.len()) && id.chars().all(|c| c.is_ascii_graphic());
            prop_assert!(fits(&fifo.group_id) && fits(&fifo.deduplication_id), "{:?}", fifo);
        }
    }
}

#[test]
fn the_end_of_the_license_is_worded_by_how_near_it_is() {
    let config = standard::config(&[("TOKEN_SERVER_LICENSE_CONTACT", "licenses@example.com")]);
    let ends = |days: i64| Advisor::new(&config).fact(&Fact::LicenseEnds(parsed("2026-12-01"), days));
    let (warning, critical) = (Severity::Warning, Severity::Critical);
    for (days, severity, code, message) in [
        (
            30,
            warning,
            "license-expires-soon",
            "At least one feature of the license expires in 30 days (2026-12-01). After that, no member can serve it, so a failover does \
             not help.",
        ),
        (
            8,
            warning,
            "license-expires-soon",
            "At least one feature of the license expires in 8 days (2026-12-01). After that, no member can serve it, so a failover does \
             not help.",
        ),
        (
            7,
            critical,
            "license-expires-soon",
            "At least one feature of the license expires in 7 days (2026-12-01). After that, no member can serve it, so a failover does \
             not help.",
        ),
        (
            1,
            critical,
            "license-expires-soon",
            "At least one feature of the license expires tomorrow (2026-12-01). After that, no member can serve it, so a failover does \
             not help.",
        ),
        (
            0,
            critical,
            "license-expires-soon",
            "At least one feature of the license expires today (2026-12-01). After that, no member can serve it, so a failover does \
             not help.",
        ),
        (
            -1,
            critical,
            "license-expired",
            "At least one feature of the license expired on 2026-12-01. No member serves it any longer.",
        ),
    ] {
        let finding = ends(days);
        assert_eq!((finding.severity, finding.code.as_str(), finding.message.as_str()), (severity, code, message));
        assert_eq!(
            finding.remedy,
            "Ask licenses@example.com for a new license, and put it on every member. Then deploy with its last day as \
             TOKEN_SERVER_LICENSE_EXPIRES."
        );
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_names_mosek_where_another_vendors_license_is_served() {
    let another = [("TOKEN_SERVER_VENDORS", "acmed,solverd"), ("TOKEN_SERVER_LICENSE_CONTACT", "licenses@example.com")];
    let config = standard::config(&another);
    for finding in every_finding(&config) {
        let told = format!("{} {}", finding.message, finding.remedy);
        assert!(!told.to_ascii_uppercase().contains("MOSEK"), "{told}");
    }
    let scenarios = [simulator::pair(), simulator::pair().instance(HOLDER, |holder| holder.stopped())];
    for (scenario, document) in scenarios.into_iter().zip(["operator-audit", "holder-stopped"]) {
        let stage = Stage::recorded(scenario.build(), &another, Box::new(|_| ()));
        let mail = text(&stage.invoke(event(document)).await.expect("a report"));
        assert!(!mail.to_ascii_uppercase().contains("MOSEK"), "{mail}");
        assert!(mail.contains("whether lmgrd and acmed, solverd run"), "{mail}");
        assert_eq!(mail.contains("send the hostid to licenses@example.com"), document == "operator-audit", "{mail}");
    }
}
