//! Audits: a world for every finding, and the healthy pair, which has none.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;
use simulator::world::AutoRecovery;
use simulator::world::region::Check;
use simulator::{Disruption, Scenario, names};
use token_failover::model::failure::Failure;
use token_failover::model::finding::Severity;
use token_failover::model::report::{Expectation, Outcome, Report};
use token_failover::tell::notification;

use crate::standard::event;
use crate::support::Stage;

type Changes = &'static [(&'static str, &'static str)];

fn stage(scenario: Scenario, changes: &[(&str, &str)]) -> Stage {
    Stage::recorded(scenario.build(), changes, Box::new(|_| ()))
}

async fn audit(stage: &Stage) -> Report {
    stage.invoke(event("operator-audit")).await.expect("a report")
}

/// The pair without findings of severity `info`.
fn quiet_pair() -> Scenario {
    let member = |scenario: Scenario, id| {
        scenario.instance(id, |member| {
            member.auto_recovery(AutoRecovery::Disabled).disable_api_termination().subnet(names::OTHER_SUBNET)
        })
    };
    let pair = simulator::pair().subnet(names::OTHER_SUBNET, |subnet| subnet.cidr("10.0.9.0/24"));
    member(member(pair, names::HOLDER), names::STANDBY)
}

fn codes(report: &Report) -> BTreeSet<String> {
    report.findings.iter().map(|finding| finding.code.to_string()).collect()
}

/// When AWS does what it has scheduled.
const DATE: &str = "2026-12-24T06:00:00Z";

/// A world with one fault, and the code of its finding.
struct Fault {
    code: &'static str,
    severity: Severity,
    world: fn(Scenario) -> Scenario,
    variables: Changes,
}

const fn fault(code: &'static str, severity: Severity, world: fn(Scenario) -> Scenario) -> Fault {
    Fault { code, severity, world, variables: &[] }
}

use Severity::{Critical, Info, Warning};

/// All faults of a world at rest. A finding that needs a failing call has its own test below.
const FAULTS: &[Fault] = &[
    fault("held-by-stranger", Critical, |world| {
        let world = world.instance(names::NON_MEMBER, |non_member| non_member.running());
        world.interface(names::INTERFACE, |interface| interface.on(names::NON_MEMBER, 1))
    }),
    fault("attached-to-nothing", Critical, |world| world.interface(names::INTERFACE, |interface| interface.free())),
    fault("primary-interface", Critical, |world| {
        world
            .instance(names::HOLDER, |holder| holder.without_primary())
            .interface(names::INTERFACE, |interface| interface.on(names::HOLDER, 0))
    }),
    fault("delete-on-termination", Critical, |world| {
        world.interface(names::INTERFACE, |interface| interface.delete_on_termination())
    }),
    Fault {
        code: "hostid-mismatch",
        severity: Critical,
        world: |world| world,
        variables: &[("TOKEN_SERVER_HOSTID", "0273ae2adc82")],
    },
    Fault {
        code: "license-expires-soon",
        severity: Warning,
        world: |world| world,
        variables: &[("TOKEN_SERVER_LICENSE_EXPIRES", "2026-12-01")],
    },
    Fault {
        code: "license-expired",
        severity: Critical,
        world: |world| world,
        variables: &[("TOKEN_SERVER_LICENSE_EXPIRES", "2026-11-10")],
    },
    fault("source-dest-check", Info, |world| {
        world.interface(names::INTERFACE, |interface| interface.without_source_dest_check())
    }),
    fault("holder-failed", Critical, |world| world.instance(names::HOLDER, |holder| holder.impaired())),
    fault("standby-not-viable", Warning, |world| world.instance(names::STANDBY, |standby| standby.impaired())),
    fault("no-viable-standby", Critical, |world| world.instance(names::STANDBY, |standby| standby.terminated())),
    fault("standby-without-room", Warning, |world| {
        world.instance(names::STANDBY, |standby| standby.interface_limit(1))
    }),
    fault("device-index-taken", Warning, |world| {
        world
            .interface(names::INTERFACE, |interface| interface.on(names::HOLDER, 2))
            .interface("eni-0ddddddddddddddd2", |other| other.on(names::HOLDER, 1))
    }),
    fault("same-subnet", Info, |world| world.instance(names::STANDBY, |standby| standby.subnet(names::SUBNET))),
    fault("auto-recovery", Info, |world| {
        world.instance(names::STANDBY, |standby| standby.auto_recovery(AutoRecovery::Default))
    }),
    fault("retirement-scheduled", Warning, |world| {
        world.instance(names::STANDBY, |standby| {
            standby.scheduled_event("instance-retirement", "The instance is running on degraded hardware", DATE)
        })
    }),
    fault("stop-scheduled", Warning, |world| {
        world.instance(names::HOLDER, |holder| holder.scheduled_event("instance-stop", "scheduled stop", DATE))
    }),
    fault("reboot-scheduled", Warning, |world| {
        world.instance(names::HOLDER, |holder| holder.scheduled_event("system-reboot", "scheduled reboot", DATE))
    }),
    fault("maintenance-scheduled", Warning, |world| {
        world.instance(names::HOLDER, |holder| holder.scheduled_event("system-maintenance", "network work", DATE))
    }),
    fault("elastic-ip-not-associated", Critical, |world| world.address(names::ALLOCATION, |address| address.free())),
    Fault {
        code: "elastic-ip-missing",
        severity: Critical,
        world: |world| world,
        variables: &[("TOKEN_SERVER_ALLOCATION_ID", "eipalloc-0123456789abcdef0")],
    },
    fault("elastic-ip-elsewhere", Critical, |world| {
        world.address(names::ALLOCATION, |address| address.on(&names::primary_interface_of(names::STANDBY)))
    }),
    fault("elastic-ip-with-stranger", Critical, |world| {
        let world = world.instance(names::NON_MEMBER, |non_member| non_member.running());
        world.address(names::ALLOCATION, |address| address.on(&names::primary_interface_of(names::NON_MEMBER)))
    }),
    fault("no-internet-gateway", Critical, |world| {
        world.route_table(names::MAIN_ROUTE_TABLE, |table| table.without_route("0.0.0.0/0"))
    }),
    fault("security-group-port-closed", Critical, |world| world.security_group(names::GROUP, |group| group.no_rules())),
    fault("security-group-open-to-world", Warning, |world| {
        world.security_group(names::GROUP, |group| group.tcp(27007..=27008, "0.0.0.0/0"))
    }),
    Fault {
        code: "security-group-sources-not-checked",
        severity: Info,
        world: |world| world,
        variables: &[("TOKEN_SERVER_CLIENTS", "-")],
    },
    fault("network-acl-blocks", Critical, |world| {
        world.network_acl(names::DEFAULT_NETWORK_ACL, |acl| acl.deny_inbound_tcp(90, 27007..=27007, "10.0.3.0/24"))
    }),
    fault("network-acl-blocks-some-answers", Warning, |world| {
        world.network_acl(names::DEFAULT_NETWORK_ACL, |acl| acl.deny_outbound_tcp(90, 1024..=32767, "0.0.0.0/0"))
    }),
    Fault {
        code: "client-group-missing",
        severity: Critical,
        world: |world| world,
        variables: &[("TOKEN_SERVER_CLIENTS", "10.0.0.0/16,sg-0123456789abcdef0")],
    },
    fault("topic-missing", Critical, |world| world.without_topic(names::TOPIC)),
    fault("no-subscription", Critical, |world| world.topic(names::TOPIC, |topic| topic.no_subscriptions())),
    fault("subscription-unconfirmed", Warning, |world| {
        world.topic(names::TOPIC, |topic| topic.pending_email("late@example.com"))
    }),
];

#[tokio::test(start_paused = true)]
async fn a_complete_pair_is_ready_and_has_no_findings() {
    let stage = stage(quiet_pair(), &[]);

    let report = audit(&stage).await;

    assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Audited, "ready"));
    assert_eq!(report.summary, "The next failover would work: 1 of 1 standby can take the interface.");
    assert_eq!((report.findings.as_slice(), report.viable_standbys), (&[][..], Some(1)));
    assert_eq!(report.expected_to_work, Expectation::Yes);
    assert_eq!((report.movement, report.steps.len()), (None, 2), "it only publishes and writes its own tag");
    let changes = stage.simulator.changes();
    assert!(changes.len() == 2 && changes[0].starts_with("Publish"), "{changes:?}");
    assert!(changes[1].contains("token-failover:audited"), "only its own tag: {changes:?}");
}

#[tokio::test(start_paused = true)]
async fn every_fault_has_its_finding_and_none_appears_without_its_fault() {
    let healthy = codes(&audit(&stage(quiet_pair(), &[])).await);
    for Fault { code, severity, world, variables } in FAULTS {
        assert!(!healthy.contains(*code), "{code}");
        let stage = stage(world(quiet_pair()), variables);

        let report = audit(&stage).await;

        let found: Vec<_> = report.findings.iter().filter(|finding| finding.code.as_str() == *code).collect();
        assert!(!found.is_empty(), "{code}: {:?}", codes(&report));
        for finding in found {
            assert_eq!(finding.severity, *severity, "{code}");
            assert!(finding.resource.as_ref().is_some_and(|resource| !resource.is_empty()), "{code}");
            assert!(finding.message.ends_with('.') && !finding.remedy.is_empty(), "{code}: {finding:?}");
        }
        assert_eq!(report.outcome, Outcome::Audited, "{code}");
        let ready = report.findings.iter().all(|finding| finding.severity < Critical);
        assert_eq!(report.reason.as_str().starts_with("ready"), ready, "{code}");
        let is_own = |change: &String| change.starts_with("Publish") || change.contains("token-failover:audited");
        let marked = stage.simulator.changes().iter().all(is_own);
        assert!(marked, "{code}: an audit changes only its own tag: {:?}", stage.simulator.changes());
    }
}

/// The outcome of each message, and its attribute `newHostid`.
fn told(stage: &Stage) -> Vec<(String, Option<String>)> {
    let messages = stage.simulator.messages();
    let told = messages.iter().map(|message| {
        let value = |name: &str| message.attributes.get(name).map(|attribute| attribute.value.clone());
        (value("outcome").expect("an outcome"), value("newHostid"))
    });
    told.collect()
}

#[tokio::test(start_paused = true)]
async fn the_hostid_is_new_until_every_subscriber_has_confirmed() {
    let pending = quiet_pair().topic(names::TOPIC, |topic| topic.subscription("email", "support@example.com", false));
    let stage = stage(pending, &[]);
    audit(&stage).await;
    audit(&stage).await;
    stage
        .simulator
        .world(|world| world.confirm_subscription(names::TOPIC, "support@example.com"))
        .expect("a subscription");
    audit(&stage).await;
    audit(&stage).await;
    let new = ("audited".to_owned(), Some("true".to_owned()));
    assert_eq!(told(&stage), [new.clone(), new], "once while it is pending, and once when it is confirmed");
}

#[tokio::test(start_paused = true)]
async fn an_expired_license_is_told_in_every_report_and_nothing_is_expected_to_work() {
    let settings = [("TOKEN_SERVER_LICENSE_EXPIRES", "2026-11-10")];
    let stage = stage(quiet_pair().instance(names::HOLDER, |holder| holder.stopped()), &settings);
    let moved = stage.invoke(event("holder-stopped")).await.expect("a report");
    assert_eq!((moved.outcome, moved.expected_to_work), (Outcome::Moved, Expectation::Unknown));
    assert_eq!(codes(&moved).iter().filter(|code| *code == "license-expired").count(), 1);
    let audited = audit(&stage).await;
    assert_eq!(audited.expected_to_work, Expectation::Unknown);
    assert_eq!(audited.findings.iter().filter(|finding| finding.code.as_str() == "license-expired").count(), 1);
    let mail = notification::text(&audited);
    assert!(mail.contains("Expected to work now: unknown: at least a part of the license has expired."), "{mail}");
}

#[tokio::test(start_paused = true)]
async fn only_the_first_audit_about_an_interface_has_a_new_hostid() {
    let stage = stage(quiet_pair(), &[]);
    audit(&stage).await;
    stage.simulator.world(|world| world.set_disable_api_termination(names::STANDBY, false)).expect("it exists");
    audit(&stage).await;
    stage.simulator.world(|world| world.stop(names::HOLDER)).expect("it runs");
    stage.invoke(event("holder-stopped")).await.expect("a report");
    let expected = [("audited", Some("true")), ("audited", None), ("moved", None)];
    assert_eq!(told(&stage), expected.map(|(outcome, new)| (outcome.to_owned(), new.map(str::to_owned))));
}

#[tokio::test(start_paused = true)]
async fn an_audit_tells_what_aws_has_scheduled_for_a_member_and_moves_nothing() {
    let world = quiet_pair().instance(names::HOLDER, |holder| {
        holder.scheduled_event("instance-retirement", "The instance is running on degraded hardware", DATE)
    });
    let stage = stage(world, &[]);
    let report = audit(&stage).await;
    let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
    let message = format!(
        "AWS will retire the hardware of {} on 2026-12-24 06:00 UTC. It will stop or terminate the instance then.",
        names::HOLDER
    );
    assert_eq!((finding.code.as_str(), finding.message.as_str()), ("retirement-scheduled", message.as_str()));
    assert_eq!(report.reason.as_str(), "ready-with-warnings");
    assert_eq!(stage.simulator.messages().len(), 1);
    audit(&stage).await;
    assert_eq!(stage.simulator.messages().len(), 1, "the same date is no news");
    stage.simulator.world(|world| world.schedule_event(names::HOLDER, "instance-retirement", "2026-12-31T06:00:00Z"));
    audit(&stage).await;
    assert_eq!(stage.simulator.messages().len(), 2, "another date is news");
    let holder = stage.simulator.world(|world| world.holder_of(names::INTERFACE).map(str::to_owned));
    assert_eq!(holder.as_deref(), Some(names::HOLDER));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_aws_has_completed_or_canceled_is_no_news() {
    let world = quiet_pair().instance(names::HOLDER, |holder| {
        let holder = holder.scheduled_event("system-reboot", "[Completed] scheduled reboot", DATE);
        holder.scheduled_event("instance-stop", "[Canceled] The instance is running on degraded hardware", DATE)
    });
    let report = audit(&stage(world, &[])).await;
    assert_eq!((report.findings, report.reason.as_str()), (Vec::new(), "ready"));
}

#[tokio::test(start_paused = true)]
async fn a_lost_interface_and_an_unprotected_member_are_found() {
    let lost = stage(quiet_pair(), &[]);
    lost.simulator.world(|world| world.delete_interface(names::INTERFACE));
    assert!(codes(&audit(&lost).await).contains("interface-missing"));

    let unprotected = stage(quiet_pair(), &[]);
    unprotected.simulator.world(|world| world.set_disable_api_termination(names::STANDBY, false)).expect("it exists");
    let report = audit(&unprotected).await;
    assert_eq!(codes(&report), BTreeSet::from(["termination-protection".to_owned()]));
    assert_eq!(report.reason.as_str(), "ready");
}

#[tokio::test(start_paused = true)]
async fn an_audit_names_every_action_of_a_failover_that_the_role_lacks() {
    let changes = [
        "AttachNetworkInterface",
        "DetachNetworkInterface",
        "ModifyNetworkInterfaceAttribute",
        "StartInstances",
        "AssociateAddress",
        "AuthorizeSecurityGroupIngress",
        "CreateTags",
        "DeleteTags",
    ];
    for action in changes {
        let stage = stage(quiet_pair(), &[("FAILOVER_REPAIR", "elastic-ip,delete-on-termination,security-group")]);
        stage.simulator.always(action, Disruption::Deny);

        let report = audit(&stage).await;

        let denied: Vec<_> =
            report.findings.iter().filter(|finding| finding.code.as_str() == "permission-denied").collect();
        assert!(!denied.is_empty(), "{action}: {:?}", report.findings);
        assert!(
            denied.iter().any(|finding| finding.message.contains(&format!("ec2:{action}"))),
            "{action}: {denied:?}"
        );
        assert_eq!(report.reason.as_str(), "not-ready", "{action}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_denied_read_is_a_finding_that_names_the_action() {
    let reads = [
        ("ec2", "DescribeInstanceTypes"),
        ("ec2", "DescribeInstanceAttribute"),
        ("ec2", "DescribeRouteTables"),
        ("ec2", "DescribeNetworkAcls"),
        ("ec2", "DescribeSecurityGroups"),
        ("ec2", "DescribeSecurityGroupRules"),
        ("ec2", "DescribeInstanceStatus"),
        ("sns", "ListSubscriptionsByTopic"),
    ];
    for (service, action) in reads {
        let stage = stage(quiet_pair(), &[("TOKEN_SERVER_CLIENTS", "10.0.0.0/16,sg-0fffffffffffffff1")]);
        stage.simulator.always(action, Disruption::Deny);

        let report = audit(&stage).await;

        let told = report.findings.iter().any(|finding| {
            finding.message.contains(&format!("{service}:{action}"))
                || finding.remedy.contains(&format!("{service}:{action}"))
        });
        assert!(told, "{action}: {:?}", report.findings);
        assert_ne!(report.reason.as_str(), "ready", "{action}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_that_fails_once_is_reported_and_not_mailed() {
    let stage = stage(quiet_pair(), &[]);
    audit(&stage).await;
    stage.simulator.always("DescribeNetworkAcls", Disruption::internal_error());

    let report = audit(&stage).await;

    assert_eq!(codes(&report), BTreeSet::from(["not-audited".to_owned()]));
    assert_eq!(report.reason.as_str(), "ready-with-warnings");
    assert_eq!(stage.simulator.messages().len(), 1, "only the first audit was published");
}

#[tokio::test(start_paused = true)]
async fn an_audit_that_cannot_read_the_interface_or_the_members_fails_and_is_tried_again() {
    for action in ["DescribeNetworkInterfaces", "DescribeInstances"] {
        let stage = stage(quiet_pair(), &[]);
        stage.simulator.always(action, Disruption::internal_error());
        let failure = stage.invoke(event("operator-audit")).await.expect_err("nothing could be read");
        assert!(matches!(failure, Failure::Ec2Unreachable(_)), "{action}: {failure:?}");
        assert!(stage.simulator.messages().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_audit_carries_the_mac_address_and_the_same_findings_are_published_once() {
    let stage = stage(simulator::pair(), &[]);

    let first = audit(&stage).await;
    let second = audit(&stage).await;
    assert_eq!(first.findings, second.findings);
    assert_eq!(stage.simulator.messages().len(), 1);
    let subject = stage.simulator.messages()[0].subject.clone().expect("a subject");
    assert_eq!(subject, "AUDITED: license-eu (hostid 0273ae2adc81)");
    assert!(stage.simulator.messages()[0].message.contains("02:73:ae:2a:dc:81"));

    stage.simulator.world(|world| world.set_checks(names::STANDBY, Check::Ok, Check::Impaired)).expect("it exists");
    audit(&stage).await;
    audit(&stage).await;
    assert_eq!(stage.simulator.messages().len(), 2, "the findings have changed once");
    stage.simulator.world(|world| world.set_checks(names::STANDBY, Check::Ok, Check::Ok)).expect("it exists");
    audit(&stage).await;
    assert_eq!(stage.simulator.messages().len(), 3, "a recovery is published, too");
}

#[tokio::test(start_paused = true)]
async fn the_mail_of_an_audit_says_what_to_do() {
    let world = simulator::pair()
        .instance(names::STANDBY, |standby| standby.impaired())
        .topic(names::TOPIC, |topic| topic.pending_email("late@example.com"));
    let stage = stage(world, &[]);

    audit(&stage).await;

    let message = &stage.simulator.messages()[0];
    assert_eq!(message.subject.as_deref(), Some("AUDITED BUT NOT READY: license-eu (hostid 0273ae2adc81)"));
    let document: serde_json::Value = serde_json::from_str(&message.message).expect("a JSON object");
    insta::assert_snapshot!("mail-audited-not-ready", document["email"].as_str().expect("a string"));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_returns_the_findings_without_publishing_or_writing_tags() {
    let stage = stage(simulator::pair(), &[]);

    let report = stage.invoke(json!({"action": "audit", "dryRun": true})).await.expect("a report");

    assert_eq!(report.outcome, Outcome::Audited);
    assert!(!report.findings.is_empty());
    assert!(stage.simulator.messages().is_empty() && stage.simulator.changes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_audit_moves_nothing_and_keeps_the_note_of_a_refusal() {
    let world = simulator::pair()
        .instance(names::HOLDER, |holder| holder.stopped())
        .instance(names::STANDBY, |standby| standby.terminated());
    let stage = stage(world, &[("FAILOVER_START_STANDBY", "false")]);
    stage.invoke(event("schedule")).await.expect("a report");
    assert_eq!(stage.simulator.messages().len(), 1, "the refusal");

    let report = audit(&stage).await;
    stage.invoke(event("schedule")).await.expect("a report");

    assert_eq!((report.outcome, report.viable_standbys), (Outcome::Audited, Some(0)));
    assert!(codes(&report).contains("holder-failed") && codes(&report).contains("no-viable-standby"));
    assert_eq!(
        stage.simulator.messages().len(),
        2,
        "the audit is published, and the same refusal is not published again"
    );
    let moved = stage.simulator.journal().iter().any(|call| {
        ["AttachNetworkInterface", "DetachNetworkInterface", "StartInstances"].contains(&&*call.action) && !call.dry_run
    });
    assert!(!moved);
}

#[tokio::test(start_paused = true)]
async fn an_audit_publishes_a_pending_report() {
    let stage = stage(quiet_pair().instance(names::HOLDER, |holder| holder.stopped()), &[]);
    stage.simulator.always("Publish", Disruption::internal_error());
    stage.invoke(event("holder-stopped")).await.expect_err("the report is owed");
    stage.simulator.calm();
    tokio::time::sleep(Duration::from_secs(60)).await;

    audit(&stage).await;

    let messages = stage.simulator.messages();
    let outcomes: Vec<String> = messages.iter().map(|message| message.attributes["outcome"].value.clone()).collect();
    assert_eq!(outcomes, ["audited", "moved"]);
}

#[tokio::test(start_paused = true)]
async fn unusual_worlds_give_findings_and_no_panic() {
    let odd: [(Changes, &str); 3] = [
        (&[("TOKEN_SERVER_INSTANCE_IDS", "i-0aaaaaaaaaaaaaaa1,i-0123456789abcdef0")], "standby-not-viable"),
        (&[("TOKEN_SERVER_CLIENTS", "pl-0123456789abcdef0")], "security-group-not-checked"),
        (&[("NOTIFICATION_TOPIC_ARN", "arn:aws-cn:sns:cn-north-1:123456789012:elsewhere")], "topic-missing"),
    ];
    for (variables, code) in odd {
        let report = audit(&stage(quiet_pair(), variables)).await;
        assert!(codes(&report).contains(code), "{variables:?}: {:?}", codes(&report));
        assert_eq!(report.outcome, Outcome::Audited);
    }
}

#[tokio::test(start_paused = true)]
async fn an_audit_with_more_findings_than_a_message_holds_is_still_published() {
    let crowded = quiet_pair().instance(names::STANDBY, |standby| standby.impaired()).topic(names::TOPIC, |topic| {
        (0..900).fold(topic, |topic, number| {
            let endpoint = format!("https://ops-{number}.example.com/{}", "é".repeat(200));
            topic.subscription("https", &endpoint, false)
        })
    });
    let stage = stage(crowded, &[]);

    let report = audit(&stage).await;
    audit(&stage).await;

    assert!(
        report.findings.iter().filter(|finding| finding.code.as_str() == "subscription-unconfirmed").count() >= 900
    );
    assert!(!codes(&report).contains("not-published"), "{:?}", codes(&report));
    let messages = stage.simulator.messages();
    assert_eq!(messages.len(), 1, "the same findings are mailed once");
    let protocols: BTreeMap<String, String> = serde_json::from_str(&messages[0].message).expect("an object of strings");
    let document: Report = serde_json::from_str(&protocols["lambda"]).expect("a report");
    assert!(
        codes(&document).is_superset(&BTreeSet::from(["no-viable-standby", "findings-left-out"].map(str::to_owned)))
    );
    assert!(protocols["email"].contains("more findings did not fit into this message"));
}
