//! Documents: the meaning of each file in the folder `events`, and the handling of unexpected documents.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};
use simulator::names;
use token_failover::decide::request::{Relevance, parse, relevance};
use token_failover::model::config::Config;
use token_failover::model::pause::End;
use token_failover::model::request::{IgnoredReason, Intent, Parsed, Request, RequestError, Trigger, TriggerKind};

use crate::standard::{self, documents, event};
use crate::world::{instance_id, parsed};

/// The second half of the error for an operator.
const ACCEPTED: &str = "accepted requests are {\"action\":\"reconcile\"}, {\"action\":\"audit\"}, {\"action\":\"plan\"}, \
    {\"action\":\"failover\",\"to\":\"i-…\",\"reason\":\"…\"}, {\"action\":\"pause\",\"until\":\"2h\",\"reason\":\"…\"} \
    and {\"action\":\"resume\"} (to, until and reason are optional); reconcile, audit and failover also accept \"dryRun\":true";

/// The trigger of an event.
fn of_event(kind: TriggerKind, id: &str, time: &str, instance: Option<&str>, state: Option<&str>) -> Trigger {
    Trigger {
        kind,
        id: Some(id.to_owned()),
        time: Some(parsed(time)),
        instance_id: instance.map(str::to_owned),
        state: state.map(str::to_owned),
        reason: None,
        starts_at: None,
    }
}

/// The trigger of a Health event that announces a retirement.
fn retirement(id: &str, instance: Option<&str>, code: Option<&str>) -> Trigger {
    let starts_at = Some(parsed("2026-11-26T13:00:00Z"));
    Trigger { starts_at, ..of_event(TriggerKind::Health, id, "2026-11-12T08:15:27Z", instance, code) }
}

const PERSISTENT_RETIREMENT: &str = "AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED";

/// The trigger of an alarm that invokes the function directly. Its document has no id.
fn called(time: &str, instance: Option<&str>) -> Trigger {
    let (time, instance_id, state) = (Some(parsed(time)), instance.map(str::to_owned), Some("ALARM".to_owned()));
    Trigger { time, instance_id, state, ..bare(TriggerKind::Alarm) }
}

/// The trigger of a document without details.
fn bare(kind: TriggerKind) -> Trigger {
    Trigger { kind, id: None, time: None, instance_id: None, state: None, reason: None, starts_at: None }
}

fn request(trigger: Trigger, intent: Intent) -> Result<Parsed, String> {
    Ok(Parsed::Request(Request { trigger, intent, dry_run: false }))
}

fn dry_run(trigger: Trigger, intent: Intent) -> Result<Parsed, String> {
    Ok(Parsed::Request(Request { trigger, intent, dry_run: true }))
}

fn ignored(trigger: Trigger, reason: IgnoredReason, detail: &str) -> Result<Parsed, String> {
    Ok(Parsed::Ignored { trigger, reason, detail: detail.to_owned() })
}

fn refused(problem: &str) -> Result<Parsed, String> {
    Err(format!("{problem}; {ACCEPTED}"))
}

fn look(instance: &str, reported_failing: bool) -> Intent {
    Intent::Look { instances: vec![parsed(instance)], reported_failing }
}

/// The result of [`parse`]; an error becomes its message.
fn read(document: &Value) -> Result<Parsed, String> {
    parse(document).map_err(|error: RequestError| error.to_string())
}

/// A state change of the holder as EventBridge sends it, with these fields of its detail changed. A field that is set
/// to null stays.
fn state_change(changes: Value) -> Value {
    let mut document = event("holder-stopped");
    for (key, value) in changes.as_object().expect("an object") {
        document[key] = value.clone();
    }
    document
}

/// The trigger of [`state_change`].
fn holder_stopped(instance: Option<&str>, state: Option<&str>) -> Trigger {
    let id = "9f6b3a52-0c1e-4d7a-8a3b-5e2f7c914d06";
    of_event(TriggerKind::InstanceStateChange, id, "2026-11-11T21:29:54Z", instance, state)
}

// ---- The folder of examples ----

/// The expected result for each file in the folder.
fn expectations() -> BTreeMap<&'static str, Result<Parsed, String>> {
    use TriggerKind::{
        Alarm, Audit, Failover, Health, InstanceStateChange, LifecycleAction, Pause, Plan, RebalanceRecommendation,
        Reconcile, Resume, Schedule, SpotInterruption, Unknown,
    };
    let state_change = |id, time, instance, state, reported_failing| {
        let trigger = of_event(InstanceStateChange, id, time, Some(instance), Some(state));
        request(trigger, look(instance, reported_failing))
    };
    let lifecycle_action = |id, instance| {
        let transition = Some("autoscaling:EC2_INSTANCE_TERMINATING");
        let trigger = of_event(LifecycleAction, id, "2026-11-14T15:02:41Z", Some(instance), transition);
        request(trigger, Intent::Release { instance: parsed(instance) })
    };
    let maintenance = || Trigger { reason: Some("maintenance of the holder".to_owned()), ..bare(Failover) };
    let alarm = |id, instance, reported_failing| {
        let trigger = of_event(Alarm, id, "2026-11-15T03:12:40Z", Some(instance), Some("ALARM"));
        request(trigger, look(instance, reported_failing))
    };
    let health = |id, instance, code| request(retirement(id, Some(instance), Some(code)), look(instance, false));
    BTreeMap::from([
        (
            "composite-alarm-calls-function",
            request(
                called("2026-11-15T03:12:40.989Z", None),
                Intent::Look { instances: Vec::new(), reported_failing: false },
            ),
        ),
        ("holder-alarm-attached-ebs-check", alarm("d0c5e013-1a2b-4c3d-8e4f-5a6b7c8d9e13", names::HOLDER, true)),
        (
            "holder-alarm-calls-function",
            request(called("2026-11-15T03:12:40.989Z", Some(names::HOLDER)), look(names::HOLDER, true)),
        ),
        // High load is not a failure.
        ("holder-alarm-cpu", alarm("d0c5e014-1a2b-4c3d-8e4f-5a6b7c8d9e14", names::HOLDER, false)),
        (
            "holder-alarm-insufficient-data",
            ignored(
                of_event(
                    Alarm,
                    "d0c5e00f-1a2b-4c3d-8e4f-5a6b7c8d9e0f",
                    "2026-11-15T03:12:40Z",
                    Some(names::HOLDER),
                    Some("INSUFFICIENT_DATA"),
                ),
                IgnoredReason::NothingToDo,
                "the alarm's state is INSUFFICIENT_DATA, not ALARM",
            ),
        ),
        ("standby-alarm-status-check", alarm("d0c5e012-1a2b-4c3d-8e4f-5a6b7c8d9e12", names::STANDBY, true)),
        (
            "holder-health-stop",
            health("d0c5e001-1a2b-4c3d-8e4f-5a6b7c8d9e01", names::HOLDER, "AWS_EC2_INSTANCE_STOP_SCHEDULED"),
        ),
        (
            "holder-health-reboot",
            health(
                "d0c5e004-1a2b-4c3d-8e4f-5a6b7c8d9e04",
                names::HOLDER,
                "AWS_EC2_INSTANCE_REBOOT_MAINTENANCE_SCHEDULED",
            ),
        ),
        (
            "standby-health-power-maintenance",
            health(
                "d0c5e005-1a2b-4c3d-8e4f-5a6b7c8d9e05",
                names::STANDBY,
                "AWS_EC2_INSTANCE_POWER_MAINTENANCE_SCHEDULED",
            ),
        ),
        (
            "holder-health-retirement-backup-region",
            health("d0c5e00a-1a2b-4c3d-8e4f-5a6b7c8d9e0a", names::HOLDER, PERSISTENT_RETIREMENT),
        ),
        // Of a closed event, only its type is kept.
        (
            "holder-health-retirement-closed",
            ignored(
                of_event(
                    Health,
                    "d0c5e006-1a2b-4c3d-8e4f-5a6b7c8d9e06",
                    "2026-11-12T08:15:27Z",
                    None,
                    Some(PERSISTENT_RETIREMENT),
                ),
                IgnoredReason::NothingToDo,
                "the Health event is closed",
            ),
        ),
        (
            "holder-health-retirement-entity-unknown",
            health("d0c5e00c-1a2b-4c3d-8e4f-5a6b7c8d9e0c", names::HOLDER, PERSISTENT_RETIREMENT),
        ),
        (
            "holder-health-retirement-id-and-arn",
            health("d0c5e008-1a2b-4c3d-8e4f-5a6b7c8d9e08", names::HOLDER, PERSISTENT_RETIREMENT),
        ),
        (
            "holder-health-retirement-expedited",
            request(
                Trigger {
                    starts_at: Some(parsed("2026-11-13T02:00:00Z")),
                    ..retirement(
                        "d0c5e003-1a2b-4c3d-8e4f-5a6b7c8d9e03",
                        Some(names::HOLDER),
                        Some("AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_EXPEDITED"),
                    )
                },
                look(names::HOLDER, false),
            ),
        ),
        (
            "standby-spot-interruption",
            request(
                of_event(
                    SpotInterruption,
                    "d0c5e00e-1a2b-4c3d-8e4f-5a6b7c8d9e0e",
                    "2026-11-14T13:40:52Z",
                    Some(names::STANDBY),
                    Some("terminate"),
                ),
                Intent::Evacuate { instance: instance_id(names::STANDBY), until: parsed("2026-11-14T13:43:52Z") },
            ),
        ),
        (
            "cloudtrail-stop-instances",
            ignored(
                bare(Unknown),
                IgnoredReason::UnknownEvent,
                "\"AWS API Call via CloudTrail\" from \"aws.ec2\" is not an event this function knows",
            ),
        ),
        (
            "holder-alarm-status-check",
            request(
                of_event(
                    Alarm,
                    "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92",
                    "2026-11-15T03:12:40Z",
                    Some(names::HOLDER),
                    Some("ALARM"),
                ),
                look(names::HOLDER, true),
            ),
        ),
        (
            "holder-alarm-status-check-ok",
            ignored(
                of_event(
                    Alarm,
                    "2dde0eb1-528b-d2d5-9ca6-6d590caf2329",
                    "2026-11-15T03:26:40Z",
                    Some(names::HOLDER),
                    Some("OK"),
                ),
                IgnoredReason::NothingToDo,
                "the alarm's state is OK, not ALARM",
            ),
        ),
        (
            "holder-health-retirement",
            request(
                retirement(
                    "08e1f5c7-d36a-4b92-a74d-5c0b9e82f631",
                    Some(names::HOLDER),
                    Some("AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED"),
                ),
                look(names::HOLDER, false),
            ),
        ),
        (
            "holder-health-retirement-persistent",
            request(
                retirement(
                    "d95b27a0-4e1f-4c63-8b08-a6f3c71e5d92",
                    Some(names::HOLDER),
                    Some("AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED"),
                ),
                look(names::HOLDER, false),
            ),
        ),
        (
            "holder-pending",
            state_change(
                "51e9d2c6-b837-4f6c-8e0d-74a1c3b5f290",
                "2026-11-13T06:00:02Z",
                names::HOLDER,
                "pending",
                false,
            ),
        ),
        (
            "holder-running",
            state_change(
                "e47a0b93-2f5d-4c18-a7b6-9d8e1f60c35a",
                "2026-11-13T06:00:11Z",
                names::HOLDER,
                "running",
                false,
            ),
        ),
        (
            "holder-shutting-down",
            state_change(
                "2d1c7e80-63f4-4b0a-9c55-18e6a4f0b7d3",
                "2026-11-12T02:14:07Z",
                names::HOLDER,
                "shutting-down",
                true,
            ),
        ),
        (
            "holder-spot-interruption",
            request(
                of_event(
                    SpotInterruption,
                    "4c8e1a76-f2d9-4b35-a0c7-93b6d5e8f214",
                    "2026-11-14T13:40:52Z",
                    Some(names::HOLDER),
                    Some("stop"),
                ),
                Intent::Evacuate { instance: instance_id(names::HOLDER), until: parsed("2026-11-14T13:43:52Z") },
            ),
        ),
        (
            "holder-stopped",
            state_change(
                "9f6b3a52-0c1e-4d7a-8a3b-5e2f7c914d06",
                "2026-11-11T21:29:54Z",
                names::HOLDER,
                "stopped",
                true,
            ),
        ),
        // A stack's rule sees only the events of its own Region, so the function ignores the Region.
        (
            "holder-stopped-govcloud",
            state_change(
                "f03a6b9c-5d27-4e81-9b4f-e8c7d2a1503b",
                "2026-11-11T21:29:54Z",
                names::HOLDER,
                "stopped",
                true,
            ),
        ),
        // The report repeats what the event says, and the request has the cleaned id.
        (
            "holder-stopped-leading-blank",
            request(
                of_event(
                    InstanceStateChange,
                    "d7158ec0-4a3b-49f6-85c2-b1e90f7d6a34",
                    "2026-11-11T21:29:54Z",
                    Some(" i-0aaaaaaaaaaaaaaa1"),
                    Some("stopped"),
                ),
                look(names::HOLDER, true),
            ),
        ),
        (
            "holder-stopped-without-version",
            state_change(
                "9f6b3a52-0c1e-4d7a-8a3b-5e2f7c914d06",
                "2026-11-11T21:29:54Z",
                names::HOLDER,
                "stopped",
                true,
            ),
        ),
        (
            "holder-stopping",
            state_change(
                "7bf73129-1428-4cd3-a780-95db273d1602",
                "2026-11-11T21:29:48Z",
                names::HOLDER,
                "stopping",
                true,
            ),
        ),
        (
            "holder-stopping-replayed",
            ignored(
                of_event(
                    InstanceStateChange,
                    "7bf73129-1428-4cd3-a780-95db273d1602",
                    "2026-11-11T21:29:48Z",
                    None,
                    None,
                ),
                IgnoredReason::ReplayedEvent,
                "the event was replayed from an archive",
            ),
        ),
        (
            "holder-terminated",
            state_change(
                "c0b84f1d-7a96-4e23-b6d1-0f3a9e5c2874",
                "2026-11-12T02:14:39Z",
                names::HOLDER,
                "terminated",
                true,
            ),
        ),
        ("operator-audit", request(bare(Audit), Intent::Audit)),
        ("operator-failover", request(maintenance(), Intent::Failover { to: None })),
        ("operator-failover-dry-run", dry_run(bare(Failover), Intent::Failover { to: None })),
        ("operator-failover-to-standby", request(maintenance(), Intent::Failover { to: Some(parsed(names::STANDBY)) })),
        (
            "operator-pause",
            request(
                Trigger { reason: Some("new disks in both instances".to_owned()), ..bare(Pause) },
                Intent::Pause { until: Some(End::After(Duration::from_secs(7200))) },
            ),
        ),
        (
            "operator-pause-until",
            request(bare(Pause), Intent::Pause { until: Some(End::At(parsed("2026-11-12T06:00:00Z"))) }),
        ),
        ("operator-plan", dry_run(bare(Plan), Intent::Reconcile)),
        ("operator-reconcile", request(bare(Reconcile), Intent::Reconcile)),
        ("operator-resume", request(bare(Resume), Intent::Resume)),
        (
            "holder-rebalance-recommendation",
            request(
                of_event(
                    RebalanceRecommendation,
                    "b25d7f90-8e3c-4a16-9d04-f7a2c6e1583b",
                    "2026-11-14T13:22:08Z",
                    Some(names::HOLDER),
                    None,
                ),
                Intent::Rebalance { instance: parsed(names::HOLDER), until: parsed("2026-11-14T13:37:08Z") },
            ),
        ),
        ("holder-lifecycle-action", lifecycle_action("6f1d2b8a-7c1e-4d55-9a30-2f6c0e7b9d14", names::HOLDER)),
        ("standby-lifecycle-action", lifecycle_action("0c9a7e64-3b7d-4f0e-8f11-5d2ab1c4e820", names::STANDBY)),
        (
            "schedule",
            request(
                of_event(Schedule, "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", "2026-11-11T21:30:00Z", None, None),
                Intent::Reconcile,
            ),
        ),
        (
            "standby-running",
            state_change(
                "38d5f6a1-94c2-4b7e-8f10-c6e2a7d9b043",
                "2026-11-11T21:31:26Z",
                names::STANDBY,
                "running",
                false,
            ),
        ),
        (
            "standby-stopped",
            state_change(
                "a9c3e7f5-1b60-4d82-93ea-6f0d5b8c2e17",
                "2026-11-10T19:05:33Z",
                names::STANDBY,
                "stopped",
                true,
            ),
        ),
        (
            "stranger-stopped",
            state_change(
                "6e2f9d04-c85b-4a31-b7f9-20d8e3a6c51f",
                "2026-11-11T20:47:15Z",
                names::NON_MEMBER,
                "stopped",
                true,
            ),
        ),
    ])
}

#[test]
fn the_files_of_the_folder_and_the_expectations_match() {
    let expected: BTreeSet<String> = expectations().into_keys().map(str::to_owned).collect();
    assert_eq!(documents(), expected);
}

#[test]
fn every_file_of_the_folder_is_read_as_expected() {
    for (name, expected) in expectations() {
        assert_eq!(read(&event(name)), expected, "{name}");
    }
}

#[test]
fn of_the_folders_requests_only_the_non_members_is_not_relevant() {
    let config = standard::config(&[]);
    let not_relevant: Vec<&str> = expectations()
        .into_iter()
        .filter(|(_, expected)| matches!(expected, Ok(Parsed::Request(request)) if relevance(&config, request) == Relevance::NotAMember))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(not_relevant, ["stranger-stopped"]);
}

// ---- Relevance ----

#[test]
fn an_event_is_relevant_if_one_of_its_instances_is_a_member() {
    let config: Config = standard::config(&[]);
    let concerned = |intent| relevance(&config, &Request { trigger: bare(TriggerKind::Alarm), intent, dry_run: false });
    let looks = |instances: &[&str]| Intent::Look {
        instances: instances.iter().copied().map(parsed).collect(),
        reported_failing: true,
    };
    let evacuates = |instance| Intent::Evacuate { instance: parsed(instance), until: DateTime::<Utc>::MAX_UTC };

    let ours = |ids: &[&str]| Relevance::Ours(ids.iter().copied().map(parsed).collect());
    assert_eq!(concerned(looks(&[names::HOLDER])), ours(&[names::HOLDER]));
    assert_eq!(concerned(looks(&[names::NON_MEMBER, names::STANDBY])), ours(&[names::STANDBY]));
    assert_eq!(concerned(looks(&[names::NON_MEMBER, names::THIRD])), Relevance::NotAMember);
    assert_eq!(concerned(evacuates(names::STANDBY)), ours(&[names::STANDBY]));
    assert_eq!(concerned(evacuates(names::NON_MEMBER)), Relevance::NotAMember);
}

#[test]
fn a_request_without_an_instance_is_always_relevant() {
    let config = standard::config(&[]);
    // An operator who names a non-member made a mistake and deserves an answer, so the request is not ignored here.
    for intent in [
        Intent::Reconcile,
        Intent::Failover { to: None },
        Intent::Failover { to: Some(parsed(names::NON_MEMBER)) },
        Intent::Pause { until: None },
        Intent::Resume,
    ] {
        let request = Request { trigger: bare(TriggerKind::Failover), intent, dry_run: false };
        assert_eq!(relevance(&config, &request), Relevance::Ours(Vec::new()), "{request:?}");
    }
}

// ---- Operators ----

#[test]
fn dry_run_is_read_in_every_spelling() {
    for key in ["dryRun", "dry_run", "dry-run", "dryrun", "DryRun", "DRY_RUN", "dry run", "Dry Run"] {
        for (action, kind, intent) in [
            ("reconcile", TriggerKind::Reconcile, Intent::Reconcile),
            ("failover", TriggerKind::Failover, Intent::Failover { to: None }),
        ] {
            assert_eq!(
                read(&json!({"action": action, key: true})),
                dry_run(bare(kind), intent.clone()),
                "{action} {key}"
            );
            assert_eq!(
                read(&json!({"action": action, key: false})),
                request(bare(kind), intent.clone()),
                "{action} {key}"
            );
            assert_eq!(read(&json!({"action": action, key: null})), request(bare(kind), intent), "{action} {key}");
        }
    }
}

#[test]
fn two_spellings_of_dry_run_that_disagree_are_a_dry_run() {
    let document = json!({"action": "failover", "dryRun": false, "dry_run": true});
    assert_eq!(read(&document), dry_run(bare(TriggerKind::Failover), Intent::Failover { to: None }));
}

#[test]
fn a_plan_is_a_dry_run_even_if_dry_run_is_false() {
    for document in [
        json!({"action": "plan"}),
        json!({"action": "plan", "dryRun": true}),
        json!({"action": "plan", "dryRun": false}),
    ] {
        assert_eq!(read(&document), dry_run(bare(TriggerKind::Plan), Intent::Reconcile), "{document}");
    }
}

#[test]
fn the_options_of_a_request_may_be_missing_null_or_padded_with_spaces() {
    let plain = request(bare(TriggerKind::Failover), Intent::Failover { to: None });
    assert_eq!(read(&json!({"action": "failover"})), plain);
    assert_eq!(read(&json!({"action": "failover", "to": null, "reason": null, "dryRun": null})), plain);
    let target = request(bare(TriggerKind::Failover), Intent::Failover { to: Some(parsed(names::STANDBY)) });
    assert_eq!(read(&json!({"action": "failover", "to": " i-0bbbbbbbbbbbbbbb2\n"})), target);
}

#[test]
fn a_target_is_read_in_any_case_of_its_key() {
    let target = request(bare(TriggerKind::Failover), Intent::Failover { to: Some(parsed(names::STANDBY)) });
    for key in ["to", "To", "TO", "tO"] {
        assert_eq!(read(&json!({"action": "failover", key: names::STANDBY})), target, "{key}");
        let problem = refused("to: \"the standby\" is not an instance id");
        assert_eq!(read(&json!({"action": "failover", key: "the standby"})), problem, "{key}");
    }
}

#[test]
fn unknown_fields_are_ignored() {
    let document = json!({"action": "reconcile", "detail": 5, "source": "aws.ec2", "ticket": {"id": 1}});
    assert_eq!(read(&document), request(bare(TriggerKind::Reconcile), Intent::Reconcile));
    let document = state_change(
        json!({"trace": "x", "detail": {"instance-id": names::HOLDER, "state": "stopped", "because": [1]}}),
    );
    assert_eq!(
        read(&document),
        request(holder_stopped(Some(names::HOLDER), Some("stopped")), look(names::HOLDER, true))
    );
}

#[test]
fn the_error_of_a_malformed_request_says_what_is_wrong_and_what_is_accepted() {
    for (document, problem) in [
        (json!({"action": "fail-over"}), "the action \"fail-over\" is unknown"),
        (json!({"action": "Failover"}), "the action \"Failover\" is unknown"),
        (json!({"action": ""}), "the action \"\" is unknown"),
        (json!({"action": null}), "the action null is unknown"),
        (json!({"action": 1}), "the action 1 is unknown"),
        (json!({"action": ["failover"]}), "the action [\"failover\"] is unknown"),
        (json!({"action": "failover", "to": "the standby"}), "to: \"the standby\" is not an instance id"),
        (json!({"action": "failover", "to": ""}), "to: \"\" is not an instance id"),
        (json!({"action": "failover", "to": names::INTERFACE}), "to: \"eni-0ddddddddddddddd1\" is not an instance id"),
        (json!({"action": "failover", "to": [names::STANDBY]}), "to is [\"i-0bbbbbbbbbbbbbbb2\"], not an instance id"),
        (json!({"action": "failover", "reason": 5}), "reason is 5, not a string"),
        (json!({"action": "failover", "dryRun": "true"}), "dryRun is \"true\", not true or false"),
        (json!({"action": "reconcile", "dry_run": 1}), "dry_run is 1, not true or false"),
        // A target is checked even if it is not used: an operator who names one does not want a reconcile.
        (json!({"action": "reconcile", "to": "x"}), "to: \"x\" is not an instance id"),
    ] {
        assert_eq!(read(&document), refused(problem), "{document}");
    }
}

#[test]
fn long_input_of_an_operator_is_shortened() {
    let long = "x".repeat(1_000_000);
    let shortened = Trigger { reason: Some(format!("{}…", "x".repeat(256))), ..bare(TriggerKind::Failover) };
    assert_eq!(read(&json!({"action": "failover", "reason": long})), request(shortened, Intent::Failover { to: None }));
    let problem = format!("the action \"{}… is unknown", "x".repeat(63));
    assert_eq!(read(&json!({"action": long})), refused(&problem));
    let problem = format!("to: \"{}…\" is not an instance id", "x".repeat(64));
    assert_eq!(read(&json!({"action": "failover", "to": long})), refused(&problem));
    let problem = format!("to is [\"{}…, not an instance id", "x".repeat(62));
    assert_eq!(read(&json!({"action": "failover", "to": [long]})), refused(&problem));
    let problem = format!("reason is [\"{}…, not a string", "x".repeat(62));
    assert_eq!(read(&json!({"action": "failover", "reason": [long]})), refused(&problem));
    let problem = format!("dryRun is \"{}…, not true or false", "x".repeat(63));
    assert_eq!(read(&json!({"action": "failover", "dryRun": long})), refused(&problem));
    let key = format!("dry{}run", "_".repeat(1_000_000));
    let problem = format!("dry{}… is 1, not true or false", "_".repeat(29));
    assert_eq!(read(&json!({"action": "failover", key: 1})), refused(&problem));
}

// ---- Unexpected documents ----

#[test]
fn a_payload_that_is_not_an_object_is_ignored() {
    for document in
        [json!(null), json!(true), json!(5), json!("{\"action\":\"failover\"}"), json!([{"action": "failover"}])]
    {
        let expected =
            ignored(bare(TriggerKind::Unknown), IgnoredReason::UnknownDocument, "the payload is not a JSON object");
        assert_eq!(read(&document), expected, "{document}");
    }
}

#[test]
fn an_object_that_is_neither_a_request_nor_an_event_is_ignored() {
    let detail = "the payload has neither an action nor the source and detail-type of an EventBridge document";
    for document in [
        json!({}),
        json!({"Action": "failover"}),
        json!({"Records": [{"Sns": {"Message": "{\"action\":\"failover\"}"}}]}),
        json!({"source": "aws.ec2", "detail": {"instance-id": names::HOLDER, "state": "stopped"}}),
        json!({"detail-type": "Scheduled Event", "detail": {}}),
    ] {
        assert_eq!(
            read(&document),
            ignored(bare(TriggerKind::Unknown), IgnoredReason::UnknownDocument, detail),
            "{document}"
        );
    }
}

#[test]
fn an_event_of_a_foreign_source_or_type_is_ignored() {
    for (source, detail_type) in [
        ("my.app", "EC2 Instance State-change Notification"),
        ("aws.ec2", "ec2 instance state-change notification"),
        ("aws.ec2", "EBS Volume Notification"),
        ("aws.ec2", "Scheduled Event"),
        ("aws.events", "EC2 Instance State-change Notification"),
        ("", ""),
    ] {
        let document = state_change(json!({"source": source, "detail-type": detail_type}));
        let detail = format!("{detail_type:?} from {source:?} is not an event this function knows");
        assert_eq!(read(&document), ignored(bare(TriggerKind::Unknown), IgnoredReason::UnknownEvent, &detail));
    }
}

#[test]
fn an_event_with_an_incomplete_envelope_is_malformed() {
    for (change, problem) in [
        (json!({"source": 5}), "invalid type: integer `5`, expected a string"),
        (json!({"detail-type": null}), "invalid type: null, expected a string"),
        (json!({"time": "yesterday"}), "input contains invalid characters"),
        (
            json!({"time": 1_794_432_594}),
            "invalid type: integer `1794432594`, expected an RFC 3339 formatted date and time string",
        ),
        (json!({"resources": "arn:aws:ec2"}), "invalid type: string \"arn:aws:ec2\", expected a sequence"),
    ] {
        let detail = format!("not a complete EventBridge document: {problem}");
        let expected = ignored(bare(TriggerKind::Unknown), IgnoredReason::MalformedEvent, &detail);
        assert_eq!(read(&state_change(change.clone())), expected, "{change}");
    }
    let mut document = event("holder-stopped");
    document.as_object_mut().expect("an object").remove("detail");
    let detail = "not a complete EventBridge document: missing field `detail`";
    assert_eq!(read(&document), ignored(bare(TriggerKind::Unknown), IgnoredReason::MalformedEvent, detail));
}

#[test]
fn a_state_change_without_a_usable_detail_is_malformed() {
    for (detail, problem) in [
        (json!(null), "invalid type: null, expected struct Detail"),
        (json!("stopped"), "invalid type: string \"stopped\", expected struct Detail"),
        (json!({}), "missing field `instance-id`"),
        (json!({"instance-id": names::HOLDER}), "missing field `state`"),
        (json!({"instanceId": names::HOLDER, "state": "stopped"}), "missing field `instance-id`"),
        (json!({"instance-id": 5, "state": "stopped"}), "invalid type: integer `5`, expected a string"),
        (json!({"instance-id": names::HOLDER, "state": ["stopped"]}), "invalid type: sequence, expected a string"),
    ] {
        let problem = format!("the detail of the state change is malformed: {problem}");
        let expected = ignored(holder_stopped(None, None), IgnoredReason::MalformedEvent, &problem);
        assert_eq!(read(&state_change(json!({"detail": detail}))), expected, "{detail}");
    }
}

#[test]
fn a_state_change_without_a_valid_instance_id_is_malformed() {
    for id in ["", " ", "i-1", "i-0aaaaaaaaaaaaaaa1,i-0bbbbbbbbbbbbbbb2", "i-0aaaaaaaa aaaaaa1", names::INTERFACE] {
        let problem = format!("{id:?} is not an instance id");
        let expected = ignored(holder_stopped(Some(id), Some("stopped")), IgnoredReason::MalformedEvent, &problem);
        assert_eq!(read(&state_change(json!({"detail": {"instance-id": id, "state": "stopped"}}))), expected, "{id}");
    }
}

#[test]
fn spaces_around_an_id_and_a_state_do_not_matter() {
    let document = state_change(json!({"detail": {"instance-id": "\t i-0aaaaaaaaaaaaaaa1 \n", "state": " stopped "}}));
    let trigger = holder_stopped(Some("\t i-0aaaaaaaaaaaaaaa1 \n"), Some(" stopped "));
    assert_eq!(read(&document), request(trigger, look(names::HOLDER, true)));
}

#[test]
fn an_unknown_state_is_a_reason_to_look_and_not_a_failure() {
    for state in ["hibernating", "STOPPED", "", "stopped-ish"] {
        let document = state_change(json!({"detail": {"instance-id": names::HOLDER, "state": state}}));
        assert_eq!(
            read(&document),
            request(holder_stopped(Some(names::HOLDER), Some(state)), look(names::HOLDER, false))
        );
    }
}

#[test]
fn an_event_without_id_and_time_is_understood() {
    let document = state_change(json!({"id": null, "time": null, "account": null, "region": null, "resources": null}));
    let trigger = Trigger {
        instance_id: Some(names::HOLDER.to_owned()),
        state: Some("stopped".to_owned()),
        ..bare(TriggerKind::InstanceStateChange)
    };
    assert_eq!(read(&document), request(trigger, look(names::HOLDER, true)));
}

#[test]
fn an_announcement_that_names_no_instance_or_has_no_time_is_malformed() {
    let with = |name: &str, pointer: &str, value: Value| {
        let mut document = event(name);
        *document.pointer_mut(pointer).expect("a field") = value;
        match read(&document) {
            Ok(Parsed::Ignored { reason: IgnoredReason::MalformedEvent, detail, .. }) => detail,
            other => panic!("{name} {pointer}: {other:?}"),
        }
    };
    let lifecycle = "holder-lifecycle-action";
    for nothing in [Value::Null, json!(7), json!(["i-0aaaaaaaaaaaaaaa1"])] {
        let detail = with(lifecycle, "/detail/EC2InstanceId", nothing.clone());
        assert_eq!(detail, "the lifecycle action names no instance");
        let detail = with("holder-rebalance-recommendation", "/detail/instance-id", nothing);
        assert_eq!(detail, "the rebalance recommendation names no instance");
    }
    assert_eq!(with(lifecycle, "/detail/EC2InstanceId", json!("web")), "\"web\" is not an instance id");
    assert_eq!(with(lifecycle, "/detail", json!("nothing")), "the lifecycle action names no instance");
    assert_eq!(
        with("holder-rebalance-recommendation", "/time", json!("+262142-12-31T23:59:59Z")),
        "the rebalance recommendation has no valid time"
    );
}

#[test]
fn a_lifecycle_action_needs_neither_its_token_nor_its_hook_and_a_launch_is_none() {
    let mut document = event("holder-lifecycle-action");
    let detail = document["detail"].as_object_mut().expect("an object");
    detail.retain(|key, _| key == "EC2InstanceId");
    let Ok(Parsed::Request(request)) = read(&document) else { panic!("a request") };
    assert_eq!(request.intent, Intent::Release { instance: parsed(names::HOLDER) });
    assert_eq!(request.trigger.state, None);
    document["detail-type"] = json!("EC2 Instance-launch Lifecycle Action");
    assert!(matches!(read(&document), Ok(Parsed::Ignored { reason: IgnoredReason::UnknownEvent, .. })));
}

#[test]
fn a_spot_warning_without_a_usable_time_is_malformed() {
    // The last possible second: the end of the notice would be after it.
    for time in [json!(null), json!("+262142-12-31T23:59:59Z")] {
        let mut document = event("holder-spot-interruption");
        document["time"] = time.clone();
        let trigger = Trigger {
            id: Some("4c8e1a76-f2d9-4b35-a0c7-93b6d5e8f214".to_owned()),
            time: time.as_str().map(parsed),
            instance_id: Some(names::HOLDER.to_owned()),
            state: Some("stop".to_owned()),
            ..bare(TriggerKind::SpotInterruption)
        };
        let problem = "the Spot interruption warning has no valid time";
        assert_eq!(read(&document), ignored(trigger, IgnoredReason::MalformedEvent, problem), "{time}");
    }
}

/// The alarm on the holder's status checks, with these metrics and this state.
fn alarm(metrics: &Value, state: &Value) -> Value {
    let mut document = event("holder-alarm-status-check");
    document["detail"]["configuration"]["metrics"] = metrics.clone();
    document["detail"]["state"] = state.clone();
    document
}

/// A metric of EC2 with this name.
fn metric_named(name: &str, instance: &Value) -> Value {
    json!({"metricStat": {"metric": {"namespace": "AWS/EC2", "name": name, "dimensions": {"InstanceId": instance}}}})
}

fn metric(instance: &Value) -> Value {
    metric_named("StatusCheckFailed_System", instance)
}

fn alarm_trigger(instance: Option<&str>, state: Option<&str>) -> Trigger {
    of_event(TriggerKind::Alarm, "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92", "2026-11-15T03:12:40Z", instance, state)
}

#[test]
fn an_alarm_names_the_instances_of_all_its_metrics() {
    let metrics =
        json!([metric(&json!(names::HOLDER)), {"expression": "MAX(METRICS())"}, metric(&json!(names::NON_MEMBER))]);
    let intent =
        Intent::Look { instances: vec![parsed(names::HOLDER), parsed(names::NON_MEMBER)], reported_failing: true };
    let expected = request(alarm_trigger(Some(names::HOLDER), Some("ALARM")), intent);
    assert_eq!(read(&alarm(&metrics, &json!({"value": "ALARM"}))), expected);
}

#[test]
fn an_alarm_names_each_instance_once() {
    let metrics: Vec<Value> =
        [names::HOLDER, names::STANDBY, names::HOLDER].iter().map(|instance| metric(&json!(instance))).collect();
    let instances = vec![parsed(names::HOLDER), parsed(names::STANDBY)];
    let expected =
        request(alarm_trigger(Some(names::HOLDER), Some("ALARM")), Intent::Look { instances, reported_failing: true });
    assert_eq!(read(&alarm(&json!(metrics), &json!({"value": "ALARM"}))), expected);
}

#[test]
fn only_an_alarm_on_a_status_check_of_ec2_claims_that_an_instance_fails() {
    let named = |namespace: &str, name: &str| {
        let mut metric = metric_named(name, &json!(names::HOLDER));
        metric["metricStat"]["metric"]["namespace"] = json!(namespace);
        metric
    };
    let check = || named("AWS/EC2", "StatusCheckFailed");
    for (metrics, claims) in [
        (json!([check()]), true),
        (json!([named("AWS/EC2", "StatusCheckFailed_Instance")]), true),
        (json!([named("AWS/EC2", "StatusCheckFailed_System")]), true),
        (json!([named("AWS/EC2", "StatusCheckFailed_AttachedEBS")]), true),
        (json!([named("AWS/EC2", "CPUUtilization"), check()]), true),
        (json!([named("AWS/EC2", "CPUUtilization")]), false),
        (json!([named("AWS/EC2", "NetworkIn"), named("AWS/EC2", "CPUCreditBalance")]), false),
        (json!([named("CWAgent", "StatusCheckFailed")]), false),
        (json!([{"metricStat": {"metric": {"dimensions": {"InstanceId": names::HOLDER}}}}]), false),
    ] {
        let expected = request(alarm_trigger(Some(names::HOLDER), Some("ALARM")), look(names::HOLDER, claims));
        assert_eq!(read(&alarm(&metrics, &json!({"value": "ALARM"}))), expected, "{metrics}");
    }
}

/// Composite alarms, metric math and queries have no dimensions. Such an alarm is still a reason to look.
#[test]
fn an_alarm_that_names_no_instance_is_a_reason_to_look() {
    let nowhere = Intent::Look { instances: Vec::new(), reported_failing: false };
    for metrics in [
        json!(null),
        json!([]),
        json!({}),
        json!([5, null]),
        json!([metric(&json!(5))]),
        json!([{"expression": "1"}]),
        json!([{"metricStat": {"metric": {"namespace": "Licenses", "name": "Available", "dimensions": {}}}}]),
    ] {
        let expected = request(alarm_trigger(None, Some("ALARM")), nowhere.clone());
        assert_eq!(read(&alarm(&metrics, &json!({"value": "ALARM"}))), expected, "{metrics}");
    }
    let mut composite = event("holder-alarm-status-check");
    composite["detail"]["configuration"] = json!({"alarmRule": "ALARM(holder)"});
    assert_eq!(read(&composite), request(alarm_trigger(None, Some("ALARM")), nowhere));
}

#[test]
fn an_invalid_id_is_ignored_beside_a_valid_one_and_malformed_alone() {
    let managed = metric(&json!("mi-0123456789abcdef0"));
    let beside = json!([managed, metric(&json!(names::HOLDER))]);
    let expected = request(alarm_trigger(Some(names::HOLDER), Some("ALARM")), look(names::HOLDER, true));
    assert_eq!(read(&alarm(&beside, &json!({"value": "ALARM"}))), expected);
    let metrics = json!([metric(&json!("web-1"))]);
    let trigger = alarm_trigger(Some("web-1"), Some("ALARM"));
    let expected = ignored(trigger, IgnoredReason::MalformedEvent, "\"web-1\" is not an instance id");
    assert_eq!(read(&alarm(&metrics, &json!({"value": "ALARM"}))), expected);

    for entities in [json!([{"entityValue": "vol-1"}]), json!([{"entityValue": "arn:aws:ec2:::instance/"}])] {
        let value = entities[0]["entityValue"].as_str().expect("a string").rsplit('/').next().expect("a part");
        let trigger = health_trigger(Some(value));
        let problem = format!("{value:?} is not an instance id");
        let expected = ignored(trigger, IgnoredReason::MalformedEvent, &problem);
        assert_eq!(read(&announcement(&json!({"affectedEntities": entities}))), expected, "{entities}");
        let mut beside = entities.clone();
        beside.as_array_mut().expect("a list").push(json!({"entityValue": names::HOLDER}));
        let expected = request(health_trigger(Some(names::HOLDER)), look(names::HOLDER, false));
        assert_eq!(read(&announcement(&json!({"affectedEntities": beside}))), expected, "{beside}");
    }
}

#[test]
fn an_alarm_that_is_not_in_the_state_alarm_is_ignored() {
    let metrics = json!([metric(&json!(names::HOLDER))]);
    for (state, named) in [
        (json!({"value": "INSUFFICIENT_DATA"}), Some("INSUFFICIENT_DATA")),
        (json!({"value": "OK"}), Some("OK")),
        (json!({"value": "alarm"}), Some("alarm")),
        (json!({"value": 1}), None),
        (json!(null), None),
    ] {
        let detail = format!("the alarm's state is {}, not ALARM", named.unwrap_or("missing"));
        let expected = ignored(alarm_trigger(Some(names::HOLDER), named), IgnoredReason::NothingToDo, &detail);
        assert_eq!(read(&alarm(&metrics, &state)), expected, "{state}");
        let mut direct = event("holder-alarm-calls-function");
        direct["alarmData"]["state"] = state.clone();
        let state_named = named.map(str::to_owned);
        let trigger = Trigger { state: state_named, ..called("2026-11-15T03:12:40.989Z", Some(names::HOLDER)) };
        assert_eq!(read(&direct), ignored(trigger, IgnoredReason::NothingToDo, &detail), "{state}");
    }
}

/// The document that CloudWatch passes to the function directly has another envelope, and only its alarm matters.
#[test]
fn an_alarm_that_invokes_the_function_is_read_like_one_from_eventbridge() {
    let mut through_eventbridge = event("holder-alarm-status-check");
    let mut direct = event("holder-alarm-calls-function");
    let instances: Vec<Value> = [names::NON_MEMBER, names::STANDBY].iter().map(|id| metric(&json!(id))).collect();
    through_eventbridge["detail"]["configuration"]["metrics"] = json!(instances);
    direct["alarmData"]["configuration"]["metrics"] = json!(instances);
    let (Ok(Parsed::Request(one)), Ok(Parsed::Request(other))) = (read(&through_eventbridge), read(&direct)) else {
        panic!("both are requests");
    };
    assert_eq!((&one.intent, one.dry_run), (&other.intent, other.dry_run));
    assert_eq!((one.trigger.instance_id, one.trigger.state), (other.trigger.instance_id, other.trigger.state));

    let read_with = |key: &str, value: Value| {
        let mut document = event("holder-alarm-calls-function");
        document[key] = value;
        read(&document)
    };
    let (holder, time) = (Some(names::HOLDER), "2026-11-15T03:12:40.989Z");
    let expected = || request(called(time, holder), look(names::HOLDER, true));
    for (key, value) in [("alarmArn", json!(5)), ("accountId", json!(null)), ("region", json!([])), ("x", json!(1))] {
        assert_eq!(read_with(key, value), expected(), "{key}");
    }
    for time in [json!("2026-11-15T03:12:40.989Z"), json!("2026-11-15T04:12:40.989+0100")] {
        assert_eq!(read_with("time", time.clone()), expected(), "{time}");
    }
    // Without a readable time it is still an alarm: nothing depends on the time.
    for time in [json!(null), json!("yesterday"), json!({})] {
        let trigger = Trigger { time: None, ..called("2026-11-15T03:12:40Z", holder) };
        assert_eq!(read_with("time", time.clone()), request(trigger, look(names::HOLDER, true)), "{time}");
    }
    let unknown = "the payload has neither an action nor the source and detail-type of an EventBridge document";
    let unknown = || ignored(bare(TriggerKind::Unknown), IgnoredReason::UnknownDocument, unknown);
    assert_eq!(read_with("source", json!("my.app")), unknown());
    for data in [json!(null), json!("ALARM"), json!([])] {
        assert_eq!(read_with("alarmData", data.clone()), unknown(), "{data}");
    }
}

/// The trigger of [`announcement`].
fn health_trigger(instance: Option<&str>) -> Trigger {
    let id = "08e1f5c7-d36a-4b92-a74d-5c0b9e82f631";
    retirement(id, instance, Some("AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED"))
}

/// The announcement of a retirement of the holder, with these fields of its detail changed. Null removes a field.
fn announcement(changes: &Value) -> Value {
    let mut document = event("holder-health-retirement");
    let detail = document["detail"].as_object_mut().expect("an object");
    for (key, value) in changes.as_object().expect("an object") {
        if value.is_null() {
            detail.remove(key);
        } else {
            detail.insert(key.clone(), value.clone());
        }
    }
    document
}

/// The codes of EC2's scheduled changes in public rules and documents, and one unknown code.
const ANNOUNCING: [&str; 19] = [
    "AWS_EC2_INSTANCE_NETWORK_MAINTENANCE_SCHEDULED",
    "AWS_EC2_INSTANCE_POWER_MAINTENANCE_SCHEDULED",
    "AWS_EC2_INSTANCE_REBOOT_FLEXIBLE_MAINTENANCE_SCHEDULED",
    "AWS_EC2_INSTANCE_REBOOT_MAINTENANCE_SCHEDULED",
    "AWS_EC2_INSTANCE_RETIREMENT_EXPEDITED",
    "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED",
    "AWS_EC2_INSTANCE_STOP_SCHEDULED",
    "AWS_EC2_INSTANCE_TERMINATION_SCHEDULED",
    "AWS_EC2_MAINTENANCE_SCHEDULED",
    "AWS_EC2_PERSISTENT_INSTANCE_POWER_MAINTENANCE_SCHEDULED",
    "AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_EXPEDITED",
    "AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED",
    "AWS_EC2_SYSTEM_MAINTENANCE_EVENT",
    "AWS_EC2_SYSTEM_NETWORK_MAINTENANCE_SCHEDULED",
    "AWS_EC2_SYSTEM_POWER_MAINTENANCE_SCHEDULED",
    "AWS_EC2_SYSTEM_REBOOT_MAINTENANCE_SCHEDULED",
    "AWS_EC2_INSTANCE_REBOOT_SCHEDULED",
    "AWS_EC2_DEDICATED_HOST_RETIREMENT_SCHEDULED",
    "AWS_EC2_SOMETHING_NEW_SCHEDULED",
];

#[test]
fn every_scheduled_change_of_ec2_is_an_announcement_and_moves_nothing() {
    for code in ANNOUNCING {
        let document = announcement(&json!({"eventTypeCode": code}));
        let trigger = Trigger { state: Some(code.to_owned()), ..health_trigger(Some(names::HOLDER)) };
        assert_eq!(read(&document), request(trigger, look(names::HOLDER, false)), "{code}");
    }
}

#[test]
fn a_health_event_that_announces_nothing_is_ignored() {
    let announces_nothing = "the Health event announces no change to an instance";
    for (changes, detail) in [
        (json!({"eventTypeCategory": "issue"}), announces_nothing),
        (json!({"eventTypeCategory": "accountNotification"}), announces_nothing),
        (json!({"eventTypeCategory": "investigation"}), announces_nothing),
        (json!({"eventTypeCode": "AWS_EBS_VOLUME_LOST", "service": "EBS"}), announces_nothing),
        (json!({"eventTypeCode": "AWS_RDS_MAINTENANCE_SCHEDULED", "service": "RDS"}), announces_nothing),
        (json!({"eventTypeCode": "AWS_RDS_MAINTENANCE_SCHEDULED"}), announces_nothing),
        (json!({"eventTypeCode": ""}), announces_nothing),
        (json!({"eventTypeCode": null}), announces_nothing),
        (json!({"eventTypeCode": 5}), announces_nothing),
        (json!({"eventTypeCode": "AWS_EC2_OPERATIONAL_ISSUE", "eventTypeCategory": null}), announces_nothing),
        (json!({"statusCode": "closed"}), "the Health event is closed"),
        (json!({"statusCode": "CLOSED"}), "the Health event is closed"),
    ] {
        let document = announcement(&changes);
        let (id, time) = ("08e1f5c7-d36a-4b92-a74d-5c0b9e82f631", "2026-11-12T08:15:27Z");
        let code = document.pointer("/detail/eventTypeCode").and_then(Value::as_str).unwrap_or_default();
        let trigger = of_event(TriggerKind::Health, id, time, None, Some(code));
        assert_eq!(read(&document), ignored(trigger, IgnoredReason::NothingToDo, detail), "{changes}");
    }
}

/// Older samples have neither a status nor a category.
#[test]
fn an_announcement_needs_only_its_code_and_an_instance() {
    let expected = || request(health_trigger(Some(names::HOLDER)), look(names::HOLDER, false));
    for changes in [
        json!({"statusCode": null, "eventTypeCategory": null, "service": null, "page": null, "backupEvent": null}),
        json!({"statusCode": "open"}),
        json!({"statusCode": "upcoming", "eventTypeCategory": "scheduledChange"}),
        json!({"affectedEntities": [{"entityValue": names::HOLDER}]}),
        json!({"affectedEntities": [{"entityValue": names::HOLDER, "status": "UNKNOWN"}]}),
        json!({"affectedEntities": [{"entityValue": format!(" {} ", names::HOLDER), "status": "IMPAIRED"}]}),
    ] {
        assert_eq!(read(&announcement(&changes)), expected(), "{changes}");
    }
    // The envelope lists the same resources.
    let mut document = announcement(&json!({"affectedEntities": null}));
    document["resources"] = json!([names::HOLDER]);
    assert_eq!(read(&document), expected());
}

#[test]
fn an_entity_that_is_resolved_is_not_announced() {
    let entity = |id: &str, status: &str| json!({"entityValue": id, "status": status});
    let document = announcement(
        &json!({"affectedEntities": [entity(names::HOLDER, "RESOLVED"), entity(names::STANDBY, "PENDING")]}),
    );
    assert_eq!(read(&document), request(health_trigger(Some(names::STANDBY)), look(names::STANDBY, false)));
    let mut all = announcement(&json!({"affectedEntities": [entity(names::HOLDER, "RESOLVED")]}));
    all["resources"] = json!([names::HOLDER]);
    let trigger = Trigger { starts_at: None, ..health_trigger(None) };
    let detail = "the Health event is resolved for every instance that it names";
    assert_eq!(read(&all), ignored(trigger, IgnoredReason::NothingToDo, detail));
}

#[test]
fn the_time_of_an_announcement_is_read_in_every_format_that_aws_uses() {
    for (time, starts_at) in [
        (json!("Thu, 26 Nov 2026 13:00:00 GMT"), Some("2026-11-26T13:00:00Z")),
        (json!("Thu, 26 Nov 2026 14:00:00 +0100"), Some("2026-11-26T13:00:00Z")),
        (json!("Thu, 3 Dec 2026 13:00:00 GMT"), Some("2026-12-03T13:00:00Z")),
        (json!("2026-11-26T13:00:00Z"), Some("2026-11-26T13:00:00Z")),
        (json!("2026-11-26T13:00:00.000Z"), Some("2026-11-26T13:00:00Z")),
        (json!("2026-11-26T13:00:00.000+0000"), Some("2026-11-26T13:00:00Z")),
        (json!("2026-11-26T14:00:00+01:00"), Some("2026-11-26T13:00:00Z")),
        (json!("2026-11-26 13:00:00 UTC"), Some("2026-11-26T13:00:00Z")),
        (json!(1_795_698_000), Some("2026-11-26T13:00:00Z")),
        (json!(1_795_698_000_000_i64), Some("2026-11-26T13:00:00Z")),
        (json!("soon"), None),
        (json!(""), None),
        (json!(i64::MAX), None),
        (json!([]), None),
    ] {
        let trigger = Trigger { starts_at: starts_at.map(parsed), ..health_trigger(Some(names::HOLDER)) };
        let expected = request(trigger, look(names::HOLDER, false));
        assert_eq!(read(&announcement(&json!({"startTime": time}))), expected, "{time}");
    }
}

#[test]
fn an_announcement_that_names_no_instance_is_malformed() {
    for entities in [json!(null), json!([]), json!([{"entityValue": 5}]), json!([{"entityValue": "UNKNOWN"}])] {
        let document = announcement(&json!({"affectedEntities": entities}));
        let expected =
            ignored(health_trigger(None), IgnoredReason::MalformedEvent, "the Health event names no instance");
        assert_eq!(read(&document), expected, "{entities}");
    }
}

#[test]
fn a_huge_document_gives_a_short_answer() {
    let huge = "x".repeat(1_000_000);
    for document in [
        state_change(json!({"detail": {"instance-id": huge, "state": "stopped"}})),
        state_change(json!({"detail": {"instance-id": names::HOLDER, "state": huge}})),
        state_change(json!({"detail": huge})),
        state_change(json!({"detail-type": huge})),
        state_change(json!({"id": huge})),
        state_change(json!({"time": huge})),
        alarm(&json!([metric(&json!(huge))]), &json!({"value": huge})),
        alarm(&json!([metric(&json!(names::HOLDER))]), &json!({"value": huge})),
        json!({"source": "aws.cloudwatch", "time": huge, "alarmData": {"state": {"value": huge}}}),
        announcement(&json!({"affectedEntities": [{"entityValue": huge}]})),
        announcement(&json!({"eventTypeCode": format!("AWS_EC2_{huge}"), "startTime": huge})),
        json!({"action": huge}),
        json!({"action": "failover", "to": huge}),
        json!({"action": "failover", "to": [huge]}),
        json!({"action": "failover", "reason": huge}),
        json!({"action": "failover", "reason": [huge]}),
        json!({"action": "failover", "dryRun": huge}),
        json!({"source": huge, "detail-type": huge}),
    ] {
        let answer = format!("{:?}", read(&document));
        assert!(answer.len() < 2000, "{} characters: {}…", answer.len(), &answer[..200]);
    }
}

/// Any JSON, often with the keys and values that the function looks for.
fn any_json() -> impl Strategy<Value = Value> {
    let known = prop::sample::select(vec![
        "action",
        "reconcile",
        "plan",
        "failover",
        "to",
        "reason",
        "dryRun",
        "dry_run",
        "source",
        "aws.ec2",
        "aws.cloudwatch",
        "aws.health",
        "aws.events",
        "detail-type",
        "EC2 Instance State-change Notification",
        "EC2 Spot Instance Interruption Warning",
        "CloudWatch Alarm State Change",
        "AWS Health Event",
        "Scheduled Event",
        "detail",
        "instance-id",
        "state",
        "value",
        "configuration",
        "metrics",
        "eventTypeCode",
        "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED",
        "eventTypeCategory",
        "scheduledChange",
        "statusCode",
        "closed",
        "affectedEntities",
        "entityValue",
        "status",
        "RESOLVED",
        "UNKNOWN",
        "startTime",
        "resources",
        "alarmArn",
        "alarmData",
        "metricStat",
        "dimensions",
        "InstanceId",
        names::HOLDER,
        "stopped",
        "time",
        "2026-11-11T21:29:54Z",
        "id",
        "replay-name",
    ]);
    let text = prop_oneof![known.prop_map(str::to_owned), "\\PC{0,12}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(text.clone(), inner, 0..8).prop_map(|map| json!(map)),
        ]
    })
}

/// A document from the folder with one value, anywhere, replaced by any JSON.
fn damaged_document() -> impl Strategy<Value = Value> {
    let names: Vec<String> = documents().into_iter().collect();
    (prop::sample::select(names), any::<prop::sample::Index>(), any_json()).prop_map(|(name, place, damage)| {
        let mut document = event(&name);
        let pointers = pointers(&document, "");
        *document.pointer_mut(&pointers[place.index(pointers.len())]).expect("a place") = damage;
        document
    })
}

/// The JSON pointers to every value inside this one.
fn pointers(value: &Value, here: &str) -> Vec<String> {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, child)| (format!("{here}/{}", key.replace('~', "~0").replace('/', "~1")), child))
            .collect(),
        Value::Array(list) => {
            list.iter().enumerate().map(|(index, child)| (format!("{here}/{index}"), child)).collect()
        }
        _ => Vec::new(),
    };
    let inner = children.into_iter().flat_map(|(pointer, child)| pointers(child, &pointer));
    std::iter::once(here.to_owned()).chain(inner).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn every_document_gives_a_short_answer_without_a_panic(document in prop_oneof![any_json(), damaged_document()]) {
        match parse(&document) {
            Ok(Parsed::Request(_)) => prop_assert!(document.is_object()),
            Ok(Parsed::Ignored { detail, .. }) => prop_assert!(detail.chars().count() <= 257),
            Err(error) => {
                prop_assert!(document.get("action").is_some());
                prop_assert!(error.to_string().ends_with(ACCEPTED), "{}", error);
            }
        }
    }

    #[test]
    fn only_an_operators_request_is_read_as_a_failover(document in prop_oneof![any_json(), damaged_document()]) {
        if let Ok(Parsed::Request(request)) = parse(&document)
            && request.intent.is_operators_failover()
        {
            prop_assert_eq!(document.get("action"), Some(&json!("failover")));
        }
    }
}
