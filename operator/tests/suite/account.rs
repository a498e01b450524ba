//! The record of an account: what each sight shows, what the file has, and that the simulator can play it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::NaiveDate;
use serde_json::{Value, json};
use simulator::world::{Assumptions, Timings};
use simulator::{Like, Simulator, names};
use token_failover::act::run::Record;
use token_failover::decide::pending::report::{PendingReport, RunName};
use token_failover::model::change::Change;
use token_failover::model::error::{CallError, Meaning};
use token_failover::model::ids::InstanceId;
use token_failover::model::observation::{
    Attachment, AttachmentStatus, InstanceState, NetworkInterface, Reading, StatusChecks,
};
use token_failover::model::readiness::{Permission, Readiness};
use token_failover::model::report::{Step, StepRecord, StepResult};
use token_failover::ports::Ec2;
use token_failover_operator::account::{Assumed, Document, Recording};
use tokio::time::sleep;

use crate::standard::{event, parsed, root, variables};
use crate::support::Stage;
use crate::support::below::BelowEc2;
use crate::world::{attach, attachment, instance, interface, now, pair};

use AttachmentStatus::{Attached, Attaching, Detaching};
use InstanceState::{Pending, Running, Stopped, Stopping};

fn day() -> NaiveDate {
    parsed("2026-11-29")
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The interface with this attachment, of which only the id's end counts.
fn on(holder: &str, id: &str, status: AttachmentStatus) -> NetworkInterface {
    let id = token_failover::model::ids::AttachmentId::new(id);
    let attachment = Attachment { id, instance_id: Some(parsed(holder)), status, ..attachment() };
    NetworkInterface { attachment: Some(attachment), ..interface() }
}

fn free() -> NetworkInterface {
    NetworkInterface { status: Some("available".to_owned()), attachment: None, ..interface() }
}

/// The interface with another status of its own.
fn showing(status: &str, interface: NetworkInterface) -> NetworkInterface {
    NetworkInterface { status: Some(status.to_owned()), ..interface }
}

/// The interface with DeleteOnTermination.
fn doomed(mut interface: NetworkInterface) -> NetworkInterface {
    interface.attachment.as_mut().expect("an attachment").delete_on_termination = true;
    interface
}

fn error(action: &str, code: &str) -> CallError {
    let message = format!("{} of {} is not well", names::INTERFACE, names::ACCOUNT);
    let code = Some(code.to_owned());
    let meaning = Meaning::of_ec2_code(code.as_deref().unwrap_or_default());
    CallError { action: action.to_owned(), meaning, code, message, request_id: Some("59dbff89-35bd".to_owned()) }
}

/// What is seen, at a time in milliseconds.
enum Sight {
    Interface(NetworkInterface),
    Instance(&'static str, InstanceState),
    Checks(StatusChecks),
    AskToStop,
    AskToStart,
    Begun(Step, String),
    Failed(Step, CallError),
    Done(Step, String),
    DryRun(Change, Result<(), CallError>),
    Observed,
}

use Sight::{AskToStart, AskToStop, Begun, Checks, Done, DryRun, Failed, Observed};

fn sees(interface: NetworkInterface) -> Sight {
    Sight::Interface(interface)
}

/// A recording that has seen all this.
fn recording(sights: Vec<(u64, Sight)>) -> Recording {
    let mut recording = Recording::new();
    for (at, sight) in sights {
        let at = ms(at);
        let holder: InstanceId = parsed(names::HOLDER);
        match sight {
            Sight::Interface(interface) => recording.saw_interface(at, &interface),
            Sight::Instance(id, state) => {
                let seen = token_failover::model::observation::Instance { state, ..instance(id) };
                recording.saw_instance(at, &seen);
            }
            Checks(checks) => recording.saw_checks(at, &holder, checks),
            AskToStop => recording.asked_to_stop(at, &holder),
            AskToStart => recording.asked_to_start(at, &holder),
            Begun(step, resource) => recording.record(at, Record::Begun(step, &resource)),
            Failed(step, error) => recording.record(at, Record::Failed(step, &error)),
            Done(step, resource) => {
                let record = StepRecord { step, resource, result: StepResult::Done, duration_ms: 40, error: None };
                recording.record(at, Record::Ended(&record));
            }
            DryRun(change, answer) => {
                let readiness = readiness(vec![Permission { change, answer: answer.into() }]);
                recording.record(at, Record::Audited(&readiness));
            }
            Observed => recording.record(at, Record::Observed(&pair())),
        }
    }
    recording
}

fn readiness(permissions: Vec<Permission>) -> Readiness {
    Readiness {
        interface_limits: Reading::Known(BTreeMap::new()),
        protected: BTreeMap::new(),
        routes: None,
        acl: None,
        client_groups: Reading::Known(BTreeSet::new()),
        subscriptions: Reading::Known(None),
        permissions,
        termination_hooks: BTreeMap::new(),
        commands: None,
    }
}

const A: &str = names::ATTACHMENT;
const B: &str = "eni-attach-0aaaaaaaaaaaaaaa2";
const HOLDER: &str = names::HOLDER;
const STANDBY: &str = names::STANDBY;

mod an_assumption {
    use super::*;

    fn is_seen(name: &str, sights: Vec<(u64, Sight)>) -> Option<bool> {
        let document = recording(sights).document(day());
        let Assumed { seen, how } = document.assumptions[name];
        assert!(how.ends_with('.'), "{name}: {how}");
        seen
    }

    fn begun(step: Step, resource: &str) -> Sight {
        Begun(step, resource.to_owned())
    }

    fn holder_is(state: InstanceState) -> Sight {
        Sight::Instance(HOLDER, state)
    }

    #[test]
    fn about_the_status_needs_a_read_during_an_attach_or_a_detach() {
        for (sights, expected) in [
            (vec![], None),
            (vec![(0, sees(on(HOLDER, A, Attached))), (9, sees(free()))], None),
            (vec![(0, sees(on(HOLDER, A, Detaching)))], Some(false)),
            (vec![(0, sees(showing("detaching", on(HOLDER, A, Detaching))))], Some(true)),
            (vec![(0, sees(showing("attaching", on(HOLDER, A, Attaching))))], Some(true)),
            (vec![(0, sees(showing("available", on(HOLDER, A, Attaching))))], None),
            (vec![(0, sees(NetworkInterface { status: None, ..on(HOLDER, A, Attaching) }))], None),
            (
                vec![(0, sees(on(HOLDER, A, Attaching))), (9, sees(showing("detaching", on(HOLDER, A, Detaching))))],
                None,
            ),
        ] {
            assert_eq!(is_seen("statusShowsPhases", sights), expected);
        }
    }

    #[test]
    fn about_a_new_attachment_needs_a_sight_before_anything_has_set_its_value() {
        let name = "attachDeletesOnTermination";
        let old = || (0, sees(on(HOLDER, A, Attached)));
        for (sights, expected) in [
            // An attachment from before the exercise says nothing.
            (vec![(0, sees(doomed(on(HOLDER, A, Attached))))], None),
            (vec![old(), (9, sees(on(STANDBY, B, Attaching)))], Some(false)),
            (vec![old(), (9, sees(doomed(on(STANDBY, B, Attaching))))], Some(true)),
            (vec![old(), (9, sees(doomed(on(STANDBY, B, Attached))))], Some(true)),
            // The deployed function may have set it in between.
            (vec![old(), (9, sees(on(STANDBY, B, Attached)))], None),
            // A run of this process sets it only in a step of its own.
            (vec![old(), (5, begun(Step::Attach, "any")), (9, sees(on(STANDBY, B, Attached)))], Some(false)),
            (
                vec![
                    old(),
                    (5, begun(Step::Attach, "any")),
                    (6, begun(Step::KeepOnTermination, B)),
                    (9, sees(on(STANDBY, B, Attached))),
                ],
                None,
            ),
        ] {
            assert_eq!(is_seen(name, sights), expected);
        }
    }

    #[test]
    fn about_a_detach_in_between_needs_the_state_before_and_after() {
        let name = "detachInEveryState";
        let begins = || {
            vec![
                (0, holder_is(Running)),
                (100, holder_is(Stopping)),
                (150, sees(on(HOLDER, A, Attached))),
                (300, sees(on(HOLDER, A, Detaching))),
            ]
        };
        let then = |more: Vec<(u64, Sight)>| begins().into_iter().chain(more).collect::<Vec<_>>();
        for (sights, expected) in [
            (begins(), None),
            (then(vec![(1400, holder_is(Stopping))]), Some(true)),
            // An answer may be old, so it takes a second.
            (then(vec![(500, holder_is(Stopping)), (1400, holder_is(Stopped))]), None),
            // The interface was leaving already.
            (
                vec![
                    (0, holder_is(Running)),
                    (50, sees(on(HOLDER, A, Attached))),
                    (90, sees(on(HOLDER, A, Detaching))),
                    (100, holder_is(Stopping)),
                    (1400, holder_is(Stopping)),
                ],
                None,
            ),
        ] {
            assert_eq!(is_seen(name, sights), expected);
        }
    }

    #[test]
    fn about_a_detach_in_between_is_wrong_if_the_interface_leaves_only_once_the_instance_has_stopped() {
        // A run is about to detach the interface, as its pending report shows, and asks again and again.
        let about_to_leave = |interface: NetworkInterface| {
            let run = RunName::new("5e1b6a9e-0000-4000-8000-000000000001");
            let report = PendingReport::of_move(&run, Some(&attachment()), &parsed(STANDBY), now(), now());
            NetworkInterface { tags: BTreeMap::from([report.tag()]), ..interface }
        };
        let stops = |noted: bool, stopped_at: u64| {
            let attached = on(HOLDER, A, Attached);
            let noted = if noted { about_to_leave(attached.clone()) } else { attached.clone() };
            vec![
                (0, holder_is(Running)),
                (0, sees(attached)),
                (100, holder_is(Stopping)),
                (500, sees(noted.clone())),
                (stopped_at - 200, holder_is(Stopping)),
                (stopped_at - 150, sees(noted)),
                (stopped_at, holder_is(Stopped)),
                (stopped_at + 50, sees(on(HOLDER, A, Detaching))),
                (stopped_at + 200, holder_is(Stopped)),
            ]
        };
        let name = "detachInEveryState";
        assert_eq!(is_seen(name, stops(true, 9000)), Some(false));
        assert_eq!(is_seen(name, stops(false, 9000)), None);
        assert_eq!(is_seen(name, stops(true, 2000)), None);
    }

    #[test]
    fn about_a_refused_detach_needs_a_state_that_explains_it() {
        let refused = |code: &str, holder: InstanceState, status: AttachmentStatus| {
            let sights = || {
                vec![
                    (0, sees(on(HOLDER, A, status))),
                    (0, holder_is(Running)),
                    (9, holder_is(holder.clone())),
                    (10, begun(Step::Detach, A)),
                    (50, Failed(Step::Detach, error("ec2:DetachNetworkInterface", code))),
                ]
            };
            (is_seen("detachInEveryState", sights()), is_seen("wrongStateIsIncorrectInstanceState", sights()))
        };
        assert_eq!(refused("IncorrectState", Stopping, Attached), (Some(false), Some(false)));
        assert_eq!(refused("IncorrectInstanceState", Stopping, Attached), (Some(false), Some(true)));
        assert_eq!(refused("InvalidState", Stopping, Attached), (Some(false), None));
        assert_eq!(refused("RequestLimitExceeded", Stopping, Attached), (None, None));
        assert_eq!(refused("IncorrectState", Running, Attached), (None, None));
        assert_eq!(refused("IncorrectState", Stopping, Attaching), (None, None));
    }

    #[test]
    fn about_the_code_of_a_wrong_state_can_come_from_an_attach() {
        let to = format!("{} to {STANDBY}", names::INTERFACE);
        for (code, expected) in [("IncorrectState", false), ("IncorrectInstanceState", true)] {
            let sights = vec![
                (0, Sight::Instance(STANDBY, Pending)),
                (10, Begun(Step::Attach, to.clone())),
                (50, Failed(Step::Attach, error("ec2:AttachNetworkInterface", code))),
            ];
            assert_eq!(is_seen("wrongStateIsIncorrectInstanceState", sights), Some(expected));
        }
    }

    #[test]
    fn about_dry_runs_needs_an_audit_while_the_interface_is_in_use() {
        let asked = |first: Sight, to: &str, answer: Result<(), CallError>| {
            let sights = || {
                vec![
                    (0, sees(free())),
                    (
                        1,
                        match &first {
                            Observed => Observed,
                            _ => sees(free()),
                        },
                    ),
                    (9, DryRun(Change::Attach(attach(to)), answer.clone())),
                ]
            };
            (is_seen("dryRunNeedsState", sights()), is_seen("inUseIsInvalidValue", sights()))
        };
        let refused = |code: &str| Err(error("ec2:AttachNetworkInterface", code));
        assert_eq!(asked(Observed, STANDBY, Ok(())), (Some(false), None));
        assert_eq!(asked(Observed, STANDBY, refused("InvalidNetworkInterface.InUse")), (Some(true), Some(false)));
        assert_eq!(asked(Observed, STANDBY, refused("InvalidParameterValue")), (Some(true), Some(true)));
        assert_eq!(asked(Observed, STANDBY, refused("UnauthorizedOperation")), (None, None));
        assert_eq!(asked(Observed, HOLDER, Ok(())), (None, None));
        assert_eq!(asked(sees(free()), STANDBY, Ok(())), (None, None));
        // The code also stands for a device index that is taken.
        let mut taken = pair();
        let standby = taken.instances.known_mut().and_then(|all| all.iter_mut().find(|one| one.id.as_str() == STANDBY));
        standby.expect("the standby").interfaces[0].device_index = 1;
        let mut recording = Recording::new();
        recording.record(ms(0), Record::Observed(&taken));
        let permission = Permission {
            change: Change::Attach(attach(STANDBY)),
            answer: Reading::Unreadable(error("ec2:AttachNetworkInterface", "InvalidParameterValue")),
        };
        recording.record(ms(9), Record::Audited(&readiness(vec![permission])));
        assert_eq!(recording.document(day()).assumptions["dryRunNeedsState"].seen, None);
    }

    #[test]
    fn about_an_attachment_that_is_gone_needs_a_detach_of_one() {
        let name = "goneAttachmentIsUnauthorized";
        for (present, code, expected) in [
            (free(), "UnauthorizedOperation", Some(true)),
            (free(), "InvalidAttachmentID.NotFound", Some(false)),
            (on(STANDBY, B, Attached), "UnauthorizedOperation", Some(true)),
            // The role does not allow the call at all.
            (on(HOLDER, A, Attached), "UnauthorizedOperation", None),
            (free(), "RequestLimitExceeded", None),
        ] {
            let sights = vec![
                (0, sees(present)),
                (5, begun(Step::Detach, A)),
                (9, Failed(Step::Detach, error("ec2:DetachNetworkInterface", code))),
            ];
            assert_eq!(is_seen(name, sights), expected, "{code}");
        }
    }

    #[test]
    fn about_an_interface_in_use_can_come_from_an_attach() {
        let sights = vec![
            (0, begun(Step::Attach, &format!("{} to {STANDBY}", names::INTERFACE))),
            (9, Failed(Step::Attach, error("ec2:AttachNetworkInterface", "InvalidNetworkInterface.InUse"))),
        ];
        assert_eq!(is_seen("inUseIsInvalidValue", sights), Some(false));
    }

    #[test]
    fn that_no_exercise_can_show_has_its_reason() {
        let document = Recording::new().document(day());
        let never = ["forcedDetachBlocksIndex", "severalCardsNeedAnIndex", "replacementWaitsForTermination"];
        for name in never {
            assert_eq!(document.assumptions[name].seen, None);
        }
        assert_eq!(
            document.assumptions["forcedDetachBlocksIndex"].how,
            "A forced detach is not harmless, so an exercise asks for none."
        );
    }
}

mod a_duration {
    use super::*;

    fn medians(sights: Vec<(u64, Sight)>) -> Value {
        let timings = json!(recording(sights).document(day()).timings_ms);
        let seen = timings.as_object().expect("an object").iter().filter(|(_, figures)| !figures.is_null());
        seen.map(|(name, figures)| (name.clone(), figures["median"].clone())).collect()
    }

    #[test]
    fn of_a_move_is_measured_between_the_middles_of_two_sights() {
        let sights = vec![
            (0, sees(on(HOLDER, A, Attached))),
            (200, sees(on(HOLDER, A, Detaching))),
            (1900, sees(on(HOLDER, A, Detaching))),
            (2100, sees(free())),
            (2300, sees(on(STANDBY, B, Attaching))),
            (3300, sees(on(STANDBY, B, Attaching))),
            (3500, sees(on(STANDBY, B, Attached))),
        ];
        assert_eq!(medians(sights), json!({"detach": 1900, "attach": 1200}));
    }

    #[test]
    fn of_a_move_by_a_run_of_this_process_begins_with_the_step() {
        let sights = vec![
            (0, sees(on(HOLDER, A, Attached))),
            (5000, Begun(Step::Detach, A.to_owned())),
            (5040, Done(Step::Detach, A.to_owned())),
            (5060, sees(on(HOLDER, A, Detaching))),
            (6990, sees(on(HOLDER, A, Detaching))),
            (7070, sees(free())),
            (7100, Begun(Step::Attach, "any".to_owned())),
            (7140, Done(Step::Attach, "any".to_owned())),
            // Attached at once.
            (7160, sees(on(STANDBY, B, Attached))),
        ];
        assert_eq!(medians(sights), json!({"call": 40, "detach": 2000, "attach": 60}));
    }

    #[test]
    fn is_not_measured_where_the_beginning_was_not_seen_or_the_sights_are_far_apart() {
        for sights in [
            vec![(0, sees(on(HOLDER, A, Detaching))), (100, sees(free()))],
            vec![(0, sees(on(HOLDER, A, Attaching))), (100, sees(on(HOLDER, A, Attached)))],
            vec![(0, sees(on(HOLDER, A, Attached))), (100, sees(free()))],
            vec![(0, sees(on(HOLDER, A, Attached))), (1200, sees(on(HOLDER, A, Detaching))), (2400, sees(free()))],
        ] {
            assert_eq!(medians(sights), json!({}));
        }
    }

    #[test]
    fn of_a_forced_detach_does_not_count() {
        let sights = vec![
            (0, sees(on(HOLDER, A, Attached))),
            (10, Begun(Step::Detach, A.to_owned())),
            (50, sees(on(HOLDER, A, Detaching))),
            (30_000, Begun(Step::ForceDetach, A.to_owned())),
            (30_100, sees(on(HOLDER, A, Detaching))),
            (30_200, sees(free())),
        ];
        assert_eq!(medians(sights), json!({}));
    }

    #[test]
    fn ignores_answers_that_are_old() {
        let sights = vec![
            (0, sees(on(HOLDER, A, Attached))),
            (200, sees(on(HOLDER, A, Detaching))),
            (300, sees(on(HOLDER, A, Attached))),
            (1900, sees(on(HOLDER, A, Detaching))),
            (2100, sees(free())),
            (2200, sees(on(HOLDER, A, Detaching))),
            (2300, sees(free())),
        ];
        assert_eq!(medians(sights), json!({"detach": 1900}));
    }

    #[test]
    fn of_an_instance_begins_with_the_request_or_with_the_state() {
        let holder_is = |state| Sight::Instance(HOLDER, state);
        let asked = vec![
            (0, holder_is(Running)),
            (1000, AskToStop),
            (1100, holder_is(Running)),
            (1200, holder_is(Stopping)),
            (8900, holder_is(Stopping)),
            (9100, holder_is(Stopped)),
            (20_000, AskToStart),
            (20_200, holder_is(Pending)),
            (29_900, holder_is(Pending)),
            (30_100, holder_is(Running)),
            (30_200, Checks(StatusChecks::Undecided)),
            (85_000, Checks(StatusChecks::Undecided)),
            (95_000, Checks(StatusChecks::Ok)),
            (99_000, Checks(StatusChecks::Ok)),
        ];
        assert_eq!(medians(asked), json!({"stop": 8000, "boot": 10_000, "checks": 60_000}));
        let watched = vec![
            (0, holder_is(Running)),
            (200, holder_is(Stopping)),
            (3900, holder_is(Stopping)),
            (4100, holder_is(Stopped)),
            (5000, holder_is(Stopped)),
            (5200, holder_is(Pending)),
            (7000, holder_is(Pending)),
            (7200, holder_is(Running)),
        ];
        assert_eq!(medians(watched), json!({"stop": 3900, "boot": 2000}));
    }

    #[test]
    fn of_a_start_and_of_a_command_comes_from_the_steps_of_a_run() {
        let sights = vec![
            (0, Sight::Instance(HOLDER, Stopped)),
            (1000, Begun(Step::StartInstance, HOLDER.to_owned())),
            (1040, Done(Step::StartInstance, HOLDER.to_owned())),
            (8900, Sight::Instance(HOLDER, Pending)),
            (9100, Done(Step::AwaitRunning, HOLDER.to_owned())),
            (9200, Begun(Step::Activate, HOLDER.to_owned())),
            (9240, Done(Step::Activate, HOLDER.to_owned())),
            (10_700, Done(Step::AwaitActivation, "any".to_owned())),
        ];
        assert_eq!(medians(sights), json!({"call": 40, "boot": 8000, "command": 1500}));
    }

    #[test]
    fn has_its_number_its_bounds_and_its_median() {
        let mut recording = Recording::new();
        for took in [50, 31, 120, 40] {
            recording.called(ms(took));
        }
        let figures = json!({"count": 4, "min": 31, "median": 40, "max": 120});
        assert_eq!(json!(recording.document(day()).timings_ms)["call"], figures);
    }
}

mod an_error {
    use super::*;

    fn errors(recording: &Recording) -> Value {
        json!(recording.document(day()).errors)
    }

    #[test]
    fn is_counted_by_its_call_its_code_and_the_state_of_the_instance() {
        let detach = || {
            [
                (10, Begun(Step::Detach, A.to_owned())),
                (50, Failed(Step::Detach, error("ec2:DetachNetworkInterface", "IncorrectState"))),
            ]
        };
        let mut sights = vec![(0, sees(on(HOLDER, A, Attached))), (0, Sight::Instance(HOLDER, Stopping))];
        sights.extend(detach());
        sights.extend(detach());
        // It repeats the error of the detach.
        sights.push((60, Failed(Step::AwaitDetached, error("ec2:DetachNetworkInterface", "IncorrectState"))));
        sights.push((
            70,
            DryRun(Change::Start(parsed(STANDBY)), Err(error("ec2:StartInstances", "UnauthorizedOperation"))),
        ));
        assert_eq!(
            errors(&recording(sights)),
            json!([
                {"action": "ec2:DetachNetworkInterface", "code": "IncorrectState", "instanceState": "stopping",
                 "dryRun": false, "count": 2},
                {"action": "ec2:StartInstances", "code": "UnauthorizedOperation", "instanceState": null,
                 "dryRun": true, "count": 1},
            ])
        );
    }

    #[test]
    fn has_only_words_that_have_the_form_of_awss_own() {
        for (action, code, expected) in [
            ("ec2:StopInstances", "EC2ThrottledException", json!(["ec2:StopInstances", "EC2ThrottledException"])),
            (
                "ec2:StopInstances",
                "InvalidInstanceID.NotFound",
                json!(["ec2:StopInstances", "InvalidInstanceID.NotFound"]),
            ),
            ("ec2:StopInstances", names::HOLDER, json!(["ec2:StopInstances", "other"])),
            ("ec2:StopInstances", names::ACCOUNT, json!(["ec2:StopInstances", "other"])),
            ("ec2:StopInstances", names::TOPIC, json!(["ec2:StopInstances", "other"])),
            ("ec2:StopInstances", names::MAC, json!(["ec2:StopInstances", "other"])),
            ("ec2:StopInstances", "10.0.1.50", json!(["ec2:StopInstances", "other"])),
            ("ec2:StopInstances", "", json!(["ec2:StopInstances", "other"])),
            ("ec2:StopInstances", "Not Found", json!(["ec2:StopInstances", "other"])),
            ("arn:aws:ec2", "Any", json!(["other", "Any"])),
        ] {
            let mut recording = Recording::new();
            recording.call_failed(&error(action, code), None);
            let errors = errors(&recording);
            assert_eq!(json!([errors[0]["action"], errors[0]["code"]]), expected);
        }
    }

    #[test]
    fn without_an_answer_has_no_code_and_a_wait_that_ends_is_none() {
        let mut recording = Recording::new();
        let lost = CallError { code: None, meaning: Meaning::Unreachable, ..error("ec2:StopInstances", "any") };
        recording.call_failed(&lost, Some(&parsed(HOLDER)));
        recording.call_failed(&CallError { meaning: Meaning::Rejected, ..lost }, None);
        let expected =
            json!([{"action": "ec2:StopInstances", "code": null, "instanceState": null, "dryRun": false, "count": 1}]);
        assert_eq!(errors(&recording), expected);
    }
}

#[test]
fn the_document_has_a_form_that_the_simulator_reads() {
    let document = json!(Recording::new().document(day()));
    let fields: Vec<&String> = document.as_object().expect("an object").keys().collect();
    assert_eq!(fields, ["assumptions", "day", "errors", "program", "schemaVersion", "timingsMs"]);
    assert_eq!(document["schemaVersion"], 1);
    assert_eq!(document["day"], "2026-11-29");
    assert!(document["program"].as_str().is_some_and(|program| program.starts_with("token-failover 0.")));

    // Every assumption and every duration of the record is one of the simulator's, and the other way around.
    let mut all = document;
    for assumed in all["assumptions"].as_object_mut().expect("an object").values_mut() {
        assumed["seen"] = json!(true);
    }
    for figures in all["timingsMs"].as_object_mut().expect("an object").values_mut() {
        *figures = json!({"count": 1, "min": 5, "median": 5, "max": 5});
    }
    let like = Like::parse(&all.to_string()).expect("a record");
    assert_eq!(like.notes, [""; 0]);
    assert_eq!((like.assumptions.len(), like.timings.len()), (13, 7));
}

/// The first cells of the rows of a table.
fn names_in(document: &str, header: &str) -> BTreeSet<String> {
    let (_, rows) = document.split_once(&format!("\n{header}\n")).expect("the table");
    let rows = rows.lines().skip(1).take_while(|line| line.starts_with("| `"));
    rows.map(|row| row.split('`').nth(1).expect("a name").to_owned()).collect()
}

#[test]
fn the_page_names_every_field_assumption_and_duration_of_the_record() {
    let page = std::fs::read_to_string(root().join("docs/operator.md")).expect("the page");
    let (_, page) = page.split_once("\n## The record of an account\n").expect("the section");
    let document = json!(Recording::new().document(day()));
    let fields = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<BTreeSet<String>>();
    assert_eq!(names_in(page, "| field | value |"), fields(&document));
    assert_eq!(names_in(page, "| assumption | what true means |"), fields(&document["assumptions"]));
    assert_eq!(names_in(page, "| duration | from, until |"), fields(&document["timingsMs"]));
}

/// An exercise in the simulator, on a paused clock.
struct Exercise {
    simulator: Simulator,
    recording: Arc<Mutex<Recording>>,
    /// Everything that was seen, as JSON.
    seen: Arc<Mutex<Vec<Value>>>,
}

/// In which process the function runs that reacts to the stop of the holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reacts {
    /// As the command does it: the deployed function reacts, and only the polls are seen.
    Deployed,
    /// The records of its run are seen as well.
    Here,
}

impl Exercise {
    fn new(simulator: Simulator) -> Self {
        Self { simulator, recording: Arc::default(), seen: Arc::default() }
    }

    fn recording(&self) -> MutexGuard<'_, Recording> {
        self.recording.lock().expect("no thread panics")
    }

    fn see(&self, value: Value) {
        self.seen.lock().expect("no thread panics").push(value);
    }

    /// A function whose runs are recorded.
    fn stage(&self, changes: &[(&str, &str)]) -> Stage {
        let (simulator, recording, seen) = (self.simulator.clone(), self.recording.clone(), self.seen.clone());
        let record = move |record: Record<'_>| {
            recording.lock().expect("no thread panics").record(simulator.now(), record);
            let value = match record {
                Record::Requested(config, intent) => json!([config, intent]),
                Record::Observed(observation) => json!(observation),
                Record::Looked(interface) => json!(interface),
                Record::Planned(plan, _) => json!(plan),
                Record::Audited(readiness) => json!(readiness),
                Record::Begun(step, resource) => json!([step, resource]),
                Record::Failed(step, error) => json!([step, error]),
                Record::Ended(step) => json!(step),
                Record::Probed(probes) => json!(probes),
                Record::LicenseChecked(check) => json!(check),
            };
            seen.lock().expect("no thread panics").push(value);
        };
        Stage::recorded(self.simulator.clone(), changes, Box::new(record))
    }

    /// One poll of the interface and the members.
    async fn poll(&self) -> (NetworkInterface, InstanceState) {
        let ec2 = BelowEc2(self.simulator.clone());
        let asked = self.simulator.now();
        let interface =
            ec2.network_interface(&parsed(names::INTERFACE)).await.expect("an answer").expect("the interface");
        self.recording().called(self.simulator.now() - asked);
        self.recording().saw_interface(self.simulator.now(), &interface);
        self.see(json!(interface));
        let holder = parsed(HOLDER);
        let instances = ec2.instances(std::slice::from_ref(&holder)).await.expect("an answer");
        self.recording().saw_instance(self.simulator.now(), &instances[0]);
        self.see(json!(instances));
        sleep(ms(150)).await;
        (interface, instances[0].state.clone())
    }

    async fn await_checks(&self) {
        let ec2 = BelowEc2(self.simulator.clone());
        let holder = parsed(HOLDER);
        loop {
            let status = ec2.instance_status(std::slice::from_ref(&holder)).await.expect("an answer");
            let checks = status[&holder].checks;
            self.recording().saw_checks(self.simulator.now(), &holder, checks);
            if checks == StatusChecks::Ok {
                return;
            }
            sleep(ms(2000)).await;
        }
    }

    fn is_on(&self, instance: &str) -> bool {
        self.simulator.world(|world| {
            world.attachment_of(names::INTERFACE).is_some_and(|seen| {
                seen.instance_id == instance && seen.status == simulator::world::region::AttachmentStatus::Attached
            })
        })
    }

    /// An audit, a planned failover there and back, a stop of the holder to which the function reacts, the start of the former
    /// holder, and a planned failover back.
    async fn play(&self, changes: &[(&str, &str)], reacts: Reacts) -> Document {
        let stage = self.stage(changes);
        let failover = |to: &str| json!({"action": "failover", "to": to, "reason": "exercise"});
        stage.invoke(json!({"action": "audit", "dryRun": true})).await.expect("a report");
        stage.invoke(failover(STANDBY)).await.expect("a report");
        assert!(self.is_on(STANDBY));
        stage.invoke(failover(HOLDER)).await.expect("a report");
        assert!(self.is_on(HOLDER));

        self.poll().await;
        self.recording().asked_to_stop(self.simulator.now(), &parsed(HOLDER));
        self.simulator.world(|world| world.stop(HOLDER)).expect("the holder runs");
        let deployed = Stage::recorded(self.simulator.clone(), changes, Box::new(|_| ()));
        let reacting = async {
            // EventBridge takes a moment.
            sleep(ms(300)).await;
            let function = if reacts == Reacts::Here { &stage } else { &deployed };
            function.invoke(event("holder-stopping")).await.expect("a report");
        };
        let polling = async {
            loop {
                let (interface, state) = self.poll().await;
                let holder = interface.attachment.and_then(|attachment| attachment.instance_id);
                if holder == Some(parsed(STANDBY)) && state == Stopped {
                    break;
                }
            }
        };
        tokio::join!(reacting, polling);
        assert!(self.is_on(STANDBY));

        self.recording().asked_to_start(self.simulator.now(), &parsed(HOLDER));
        self.simulator.world(|world| world.start(HOLDER)).expect("the holder is stopped");
        while self.poll().await.1 != Running {}
        self.await_checks().await;
        stage.invoke(failover(HOLDER)).await.expect("a report");
        assert!(self.is_on(HOLDER));
        let document = self.recording().document(day());
        self.see(json!(variables(changes)));
        document
    }
}

const ACTIVATED: &[(&str, &str)] =
    &[("FAILOVER_ACTIVATION_DOCUMENT", names::DOCUMENT), ("FAILOVER_MAX_MOVES_PER_HOUR", "12")];

fn timings() -> Timings {
    Timings { stop: Duration::from_secs(12), ..Timings::realistic() }
}

fn like(document: &Document) -> Like {
    Like::parse(&json!(document).to_string()).expect("a record")
}

/// The assumptions that this exercise can show, in every combination. It ends no attachment that is gone.
fn accounts() -> impl Iterator<Item = Assumptions> {
    (0..64_u32).map(|bits| {
        let bit = |n: u32| bits >> n & 1 == 1;
        Assumptions {
            status_shows_phases: bit(0),
            attach_deletes_on_termination: bit(1),
            detach_in_every_state: bit(2),
            dry_run_needs_state: bit(3),
            in_use_is_invalid_value: bit(4),
            wrong_state_is_incorrect_instance_state: bit(5),
            ..Assumptions::default()
        }
    })
}

/// The names of the assumptions of which an exercise in such an account sees something.
fn seen_in(account: &Assumptions, reacts: Reacts) -> BTreeSet<&'static str> {
    let mut seen =
        BTreeSet::from(["statusShowsPhases", "attachDeletesOnTermination", "dryRunNeedsState", "detachInEveryState"]);
    seen.extend(account.dry_run_needs_state.then_some("inUseIsInvalidValue"));
    // Only the run itself sees the code.
    let sees_code = reacts == Reacts::Here && !account.detach_in_every_state;
    seen.extend(sees_code.then_some("wrongStateIsIncorrectInstanceState"));
    seen
}

#[tokio::test(start_paused = true)]
async fn an_exercise_in_the_simulator_gives_a_record_that_the_simulator_plays_in_the_same_way() {
    for account in accounts() {
        for reacts in [Reacts::Deployed, Reacts::Here] {
            let world = || simulator::pair().timings(timings());
            let first = Exercise::new(world().assumptions(account).build()).play(ACTIVATED, reacts).await;
            let recorded = like(&first);
            let names: BTreeSet<&str> = recorded.assumptions.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, seen_in(&account, reacts), "{account:?} {reacts:?}");
            // What was seen is what the account does: applied to it, it changes nothing.
            let mut applied = account;
            recorded.assume_in(&mut applied);
            assert_eq!(applied, account, "{reacts:?}");
            for (name, duration) in &recorded.timings {
                let expected = expected(name);
                let difference = duration.abs_diff(expected);
                // The run asks for the state of a command less often.
                let tolerance = if *name == "command" { ms(300) } else { ms(150) };
                assert!(difference <= tolerance + expected / 20, "{name}: {duration:?} instead of {expected:?}");
            }
            assert_eq!(recorded.timings.len(), 7, "{:?}", recorded.timings);

            // Played in an account like the recorded one, the exercise gives the same record.
            let again = Exercise::new(simulator::pair().like(&recorded).build()).play(ACTIVATED, reacts).await;
            assert_eq!(again.assumptions, first.assumptions, "{account:?} {reacts:?}");
            for ((name, one), (_, other)) in recorded.timings.iter().zip(like(&again).timings) {
                assert!(one.abs_diff(other) <= ms(250) + *one / 20, "{name}: {one:?}, then {other:?}");
            }
        }
    }
}

fn expected(name: &str) -> Duration {
    let timings = timings();
    match name {
        "call" => timings.call,
        "detach" => timings.detach,
        "attach" => timings.attach,
        "stop" => timings.stop,
        "boot" => timings.boot,
        "checks" => timings.checks,
        "command" => timings.command,
        other => panic!("{other} is new: add it here"),
    }
}

/// Every string in a JSON value, and every key of an object.
fn strings(value: &Value, all: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            all.insert(text.clone());
        }
        Value::Array(values) => values.iter().for_each(|value| strings(value, all)),
        Value::Object(fields) => {
            for (key, value) in fields {
                all.insert(key.clone());
                strings(value, all);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_that_an_exercise_sees_of_the_account_is_in_the_record() {
    // One call is refused with a message that names the account, and each state and phase is seen.
    let account = Assumptions { dry_run_needs_state: true, ..Assumptions::default() };
    let exercise = Exercise::new(simulator::pair().timings(timings()).assumptions(account).build());
    let settings = [ACTIVATED, &[("TOKEN_SERVER_LICENSE_CHECK_DOCUMENT", names::LICENSE_CHECK_DOCUMENT)]].concat();
    let document = exercise.play(&settings, Reacts::Here).await;
    let text = serde_json::to_string_pretty(&document).expect("JSON");

    let mut seen = BTreeSet::new();
    exercise.seen.lock().expect("no thread panics").iter().for_each(|value| strings(value, &mut seen));
    // Messages name resources among other words.
    let mut parts: BTreeSet<&str> = seen.iter().map(String::as_str).collect();
    parts.extend(seen.iter().flat_map(|text| text.split([' ', ',', '/', '\'', '[', ']', '='])));
    // Words of EC2 and of this program identify nobody: those without a digit, a dot, an upper-case letter behind the first,
    // or a separator. All others are looked for, and so are the names of the account.
    let own_words = |part: &str| {
        let plain = part.chars().all(|c| c.is_ascii_alphabetic() || c == '-');
        plain && !part.contains("license-eu") && part != names::DOCUMENT && part != names::LICENSE_CHECK_DOCUMENT
    };
    let public =
        |part: &str| part.starts_with("ec2:") || matches!(part, "InvalidNetworkInterface.InUse" | "1" | "0" | "");
    let identifying: BTreeSet<&str> =
        parts.into_iter().filter(|part| part.len() >= 4 && !own_words(part) && !public(part)).collect();
    for kind in [
        names::INTERFACE,
        HOLDER,
        STANDBY,
        A,
        names::MAC,
        names::PRIVATE_IP,
        names::PUBLIC_IP,
        names::ALLOCATION,
        names::GROUP,
        names::SUBNET,
        names::VPC,
        names::TOPIC,
        names::ZONE,
        names::REGION,
        "license-eu",
        names::DOCUMENT,
    ] {
        assert!(identifying.iter().any(|part| part.contains(kind)), "{kind} was not seen");
    }
    let found: Vec<&&str> = identifying.iter().filter(|part| text.contains(**part)).collect();
    assert_eq!(found, Vec::<&&str>::new(), "{text}");
    assert!(!text.contains(names::ACCOUNT) && !text.contains("eu-west"));
    assert!(!document.errors.is_empty(), "{text}");
}
