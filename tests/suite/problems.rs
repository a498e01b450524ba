//! Problems over time: the mails while a problem lasts, when it changes, and when it is over.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};
use simulator::world::region::Check;
use simulator::world::{CreateTags, Timings};
use simulator::{Disruption, Scenario, Simulator, names};
use token_failover::act::failover::Invocation;
use token_failover::decide::problem::{Decision, LastMail, Memory, Problem, REMINDER, State, decide};
use token_failover::model::failure::Failure;
use token_failover::model::reason::Reason;
use token_failover::model::report::{Outcome, Report};
use token_failover::model::tags::{ATTACHED, REFUSED, SEEN, tag_value};
use token_failover::tell::summary;
use tokio::time::{Instant, sleep};

use crate::standard::event;
use crate::support::Stage;
use crate::world::now;

const MINUTE: Duration = Duration::from_secs(60);

fn stage(scenario: Scenario) -> Stage {
    stage_with(scenario, &[])
}

fn stage_with(scenario: Scenario, changes: &[(&str, &str)]) -> Stage {
    another_process(&scenario.build(), changes)
}

/// Another process of the function in the same world.
fn another_process(simulator: &Simulator, changes: &[(&str, &str)]) -> Stage {
    Stage::recorded(simulator.clone(), changes, Box::new(|_| ()))
}

/// An invocation with its own id and a deadline in five minutes.
async fn invoke(stage: &Stage, payload: Value, number: u32) -> Result<Report, Failure> {
    let invocation = Invocation {
        payload,
        request_id: format!("5e1b6a9e-0000-4000-8000-{number:012}"),
        received_at: stage.now(),
        deadline: Instant::now() + Duration::from_secs(300),
    };
    stage.function.handle(invocation).await
}

/// The scheduled runs in these minutes. Lambda retries a failed invocation after one minute and after two more, with
/// the same id.
async fn schedule(stage: &Stage, minutes: Range<u32>) {
    let mut retries: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for minute in minutes {
        let due = std::iter::once(minute).chain(retries.remove(&minute).unwrap_or_default());
        for number in due {
            let failed = invoke(stage, event("schedule"), number).await.is_err();
            if failed && number == minute {
                retries.entry(minute + 1).or_default().push(number);
                retries.entry(minute + 3).or_default().push(number);
            }
        }
        sleep(MINUTE).await;
    }
}

/// The subjects of all mails, without their common part.
fn mails(stage: &Stage) -> Vec<String> {
    let messages = stage.simulator.messages();
    let subjects = messages.iter().map(|message| message.subject.clone().unwrap_or_default());
    subjects.map(|subject| subject.replace(": license-eu (hostid 0273ae2adc81)", "")).collect()
}

fn protocol(stage: &Stage, index: usize, protocol: &str) -> String {
    let message: Value = serde_json::from_str(&stage.simulator.messages()[index].message).expect("a JSON object");
    message[protocol].as_str().expect("a string").to_owned()
}

fn mail(stage: &Stage, index: usize) -> String {
    protocol(stage, index, "email")
}

fn document(stage: &Stage, index: usize) -> Report {
    serde_json::from_str(&protocol(stage, index, "lambda")).expect("a report")
}

fn tags(stage: &Stage) -> BTreeMap<String, String> {
    stage.simulator.world(|world| {
        let interface = world.interface(names::INTERFACE);
        interface.map(|interface| interface.tags.clone().into_iter().collect()).unwrap_or_default()
    })
}

/// The keys of the tags. Of the notes of moves, which have a key for each run, their beginning.
fn kinds(stage: &Stage) -> Vec<String> {
    let runs = format!("{ATTACHED}:");
    let kind = |key: String| if key.starts_with(&runs) { ATTACHED.to_owned() } else { key };
    tags(stage).into_keys().map(kind).collect()
}

/// No standby can take the interface of a stopped holder.
fn nobody_viable() -> Scenario {
    simulator::pair()
        .instance(names::HOLDER, |holder| holder.impaired())
        .instance(names::STANDBY, |standby| standby.impaired())
}

fn recover(stage: &Stage, instance: &str) {
    stage.simulator.world(|world| world.set_checks(instance, Check::Ok, Check::Ok)).expect("it exists");
}

/// The interface is attached to nothing, and EC2 refuses every attach.
fn every_attach_refused() -> Stage {
    let stage = stage(simulator::pair().interface(names::INTERFACE, |interface| interface.free()));
    stage.simulator.disrupt(|call| {
        let refused = call.action == "AttachNetworkInterface" && !call.dry_run;
        if refused { Disruption::error(400, "InvalidParameterValue") } else { Disruption::None }
    });
    stage
}

// ---- A problem for an hour ----

#[tokio::test(start_paused = true)]
async fn an_interface_that_is_attached_to_nothing_for_an_hour_is_mailed_once_and_the_move_that_ends_it_says_so() {
    let stage = every_attach_refused();
    schedule(&stage, 0..60).await;
    assert_eq!(mails(&stage), ["FAILED"]);
    let pending = tags(&stage).keys().filter(|key| key.contains(":owed:")).count();
    assert_eq!(pending, 1, "the notes of all these runs are about one move: {:?}", tags(&stage));

    stage.simulator.calm();
    schedule(&stage, 60..63).await;

    assert_eq!(mails(&stage), ["FAILED", "MOVED"]);
    let told = mail(&stage, 1);
    let ends = "This ends the problem attached-to-nothing, which began at 2026-11-11 21:29:54 UTC.";
    assert!(told.contains(ends), "{told}");
    assert_eq!(kinds(&stage), [ATTACHED], "{:?}", tags(&stage));
}

#[tokio::test(start_paused = true)]
async fn an_interface_that_an_operator_attaches_after_an_hour_is_mailed_once_more() {
    let stage = every_attach_refused();
    schedule(&stage, 0..60).await;

    stage.simulator.world(|world| world.attach(names::INTERFACE, names::HOLDER, 1)).expect("it is free");
    schedule(&stage, 60..70).await;

    assert_eq!(mails(&stage).len(), 2, "{:?}", mails(&stage));
    let ends = "This ends the problem attached-to-nothing, which began at 2026-11-11 21:29:54 UTC.";
    assert!(mail(&stage, 1).contains(ends), "{}", mail(&stage, 1));
    let left = kinds(&stage);
    assert!(left.len() <= 6 && left.iter().all(|kind| kind == ATTACHED), "{:?}", tags(&stage));
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_failed_without_a_standby_is_mailed_once_and_again_when_it_has_recovered() {
    let stage = stage(nobody_viable());
    schedule(&stage, 0..60).await;
    assert_eq!(mails(&stage), ["REFUSED"]);

    recover(&stage, names::HOLDER);
    let report = invoke(&stage, event("schedule"), 60).await.expect("a report");
    schedule(&stage, 61..70).await;

    assert_eq!((report.outcome.to_string().as_str(), report.reason.as_str()), ("resolved", "no-viable-standby"));
    assert_eq!(
        report.summary,
        format!(
            "The problem no-viable-standby, which began at 2026-11-11 21:29:54 UTC, is over. {} is running and holds the interface. \
             No action was needed.",
            names::HOLDER
        )
    );
    assert_eq!(mails(&stage), ["REFUSED", "RESOLVED"]);
    assert_eq!(document(&stage, 1).outcome, report.outcome);
    assert_eq!(stage.simulator.messages()[1].attributes["outcome"].value, "resolved");
    assert!(tags(&stage).is_empty(), "{:?}", tags(&stage));
}

#[tokio::test(start_paused = true)]
async fn a_move_that_never_comes_to_an_end_is_mailed_once() {
    let hung = simulator::pair().instance(names::HOLDER, |holder| holder.impaired().hung());
    let stage = stage_with(hung, &[("FAILOVER_FORCE_DETACH_AFTER_SECONDS", "0")]);
    for number in 0..6 {
        for _ in 0..3 {
            let failure = invoke(&stage, event("schedule"), number).await.expect_err("the time ends first");
            assert_eq!(failure.error_type(), "DeadlineReached");
        }
    }
    assert_eq!(mails(&stage), ["FAILED"]);
    assert_eq!(document(&stage, 0).reason.as_str(), "deadline-reached");
}

#[tokio::test(start_paused = true)]
async fn an_interface_that_is_gone_is_mailed_once_and_again_by_the_process_that_sees_it_again() {
    let stage = stage(simulator::pair());
    let hidden = Disruption::error(400, "InvalidNetworkInterfaceID.NotFound");
    stage.simulator.always("DescribeNetworkInterfaces", hidden);
    schedule(&stage, 0..60).await;
    assert_eq!((mails(&stage), document(&stage, 0).reason.as_str()), (vec!["REFUSED".to_owned()], "interface-missing"));

    stage.simulator.calm();
    schedule(&stage, 60..63).await;

    assert_eq!(mails(&stage), ["REFUSED", "RESOLVED"]);
}

#[tokio::test(start_paused = true)]
async fn a_move_that_never_ends_does_not_use_up_the_tags_of_the_interface() {
    let hung = simulator::pair().instance(names::HOLDER, |holder| holder.impaired().hung());
    let stage = stage_with(hung, &[("FAILOVER_FORCE_DETACH_AFTER_SECONDS", "0")]);
    let mut most = 0;
    for hour in 0..6 {
        schedule(&stage, 60 * hour..60 * (hour + 1)).await;
        most = most.max(tags(&stage).len());
    }
    assert!(most <= 12, "an interface has at most 50 tags: {most}: {:?}", tags(&stage));
}

// ---- Six hours, and changes ----

#[tokio::test(start_paused = true)]
async fn a_problem_that_lasts_is_mailed_again_every_six_hours_with_the_time_at_which_it_began() {
    let stage = stage(nobody_viable());
    for number in 0..78 {
        invoke(&stage, event("schedule"), number).await.expect("a report");
        sleep(10 * MINUTE).await;
    }
    assert_eq!(mails(&stage), ["REFUSED"; 3]);
    let times: Vec<u64> =
        stage.simulator.messages().iter().map(|message| message.published_at.as_secs() / 60).collect();
    let apart: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(apart.iter().all(|minutes| (360..372).contains(minutes)), "{times:?}");
    let since = "This problem has lasted since 2026-11-11 21:29:54 UTC.";
    assert!(!mail(&stage, 0).contains(since), "{}", mail(&stage, 0));
    assert!(mail(&stage, 1).contains(since) && mail(&stage, 2).contains(since), "{}", mail(&stage, 1));
}

#[tokio::test(start_paused = true)]
async fn a_problem_in_which_only_the_last_standby_changes_is_a_new_problem() {
    let missing: Vec<String> = (0..10).map(|number| format!("i-0{number:016x}")).collect();
    let members = format!("{},{},{}", names::HOLDER, missing.join(","), names::STANDBY);
    let stage = stage_with(nobody_viable(), &[("TOKEN_SERVER_INSTANCE_IDS", &members)]);
    schedule(&stage, 0..5).await;
    assert_eq!(mails(&stage), ["REFUSED"]);

    stage.simulator.world(|world| world.terminate(names::STANDBY)).expect("it runs");
    sleep(5 * MINUTE).await;
    schedule(&stage, 10..15).await;

    assert_eq!(mails(&stage), ["REFUSED", "REFUSED"]);
    assert!(mail(&stage, 1).contains("i-0bbbbbbbbbbbbbbb2 cannot take the interface: it is terminated."));
}

#[tokio::test(start_paused = true)]
async fn a_failed_move_that_leaves_the_interface_where_it_was_is_mailed_once() {
    // The limit on moves is high enough, and the holder fails for as long as it has the interface.
    let changes = [("FAILOVER_MAX_MOVES_PER_HOUR", "12")];
    let stage = stage_with(simulator::pair().instance(names::HOLDER, |holder| holder.impaired()), &changes);
    stage.simulator.disrupt(|call| {
        let to_standby = call.parameters.get("InstanceId") == Some(names::STANDBY);
        let refused = call.action == "AttachNetworkInterface" && to_standby && !call.dry_run;
        if refused { Disruption::error(400, "InvalidParameterValue") } else { Disruption::None }
    });
    schedule(&stage, 0..8).await;
    let reasons: Vec<String> =
        (0..stage.simulator.messages().len()).map(|index| document(&stage, index).reason.to_string()).collect();
    assert_eq!(reasons, ["returned-to-former-holder"]);
    assert!(tags(&stage).keys().all(|key| !key.contains(":owed:")), "{:?}", tags(&stage));
}

// ---- No mail is lost, and none is sent twice ----

#[tokio::test(start_paused = true)]
async fn a_problem_that_could_not_be_published_is_mailed_by_the_next_run_that_can() {
    let stage = stage(nobody_viable());
    stage.simulator.always("Publish", Disruption::internal_error());
    schedule(&stage, 0..3).await;
    assert!(mails(&stage).is_empty() && tags(&stage).is_empty());

    stage.simulator.calm();
    schedule(&stage, 3..9).await;
    assert_eq!(mails(&stage), ["REFUSED"]);

    stage.simulator.always("Publish", Disruption::internal_error());
    recover(&stage, names::HOLDER);
    schedule(&stage, 9..12).await;
    stage.simulator.calm();
    schedule(&stage, 12..18).await;
    assert_eq!(mails(&stage), ["REFUSED", "RESOLVED"]);
}

#[tokio::test(start_paused = true)]
async fn a_problem_that_cannot_be_noted_is_mailed_once_by_each_process() {
    let stage = stage(nobody_viable());
    stage.simulator.deny("CreateTags");
    schedule(&stage, 0..20).await;
    assert_eq!(mails(&stage), ["REFUSED"]);

    let other = another_process(&stage.simulator, &[]);
    schedule(&other, 20..30).await;
    recover(&stage, names::HOLDER);
    schedule(&stage, 30..40).await;
    assert_eq!(mails(&stage), ["REFUSED", "REFUSED", "RESOLVED"]);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_problem_is_mailed_once_even_if_its_tag_cannot_be_removed() {
    let stage = stage(nobody_viable());
    schedule(&stage, 0..3).await;
    stage.simulator.deny("DeleteTags");
    recover(&stage, names::HOLDER);
    schedule(&stage, 3..10).await;
    assert_eq!(mails(&stage), ["REFUSED", "RESOLVED"]);
    assert!(tags(&stage).contains_key(REFUSED));

    stage.simulator.calm();
    schedule(&stage, 10..12).await;
    assert_eq!((mails(&stage).len(), tags(&stage)), (2, BTreeMap::new()));
}

#[tokio::test(start_paused = true)]
async fn all_processes_share_what_was_mailed_about_a_problem_and_its_end() {
    let first = stage(nobody_viable());
    let second = another_process(&first.simulator, &[]);
    schedule(&first, 0..3).await;
    schedule(&second, 3..6).await;
    assert_eq!(mails(&first), ["REFUSED"]);

    recover(&first, names::HOLDER);
    schedule(&second, 6..9).await;
    assert_eq!(mails(&first), ["REFUSED", "RESOLVED"]);

    first
        .simulator
        .world(|world| world.set_checks(names::HOLDER, Check::Impaired, Check::Impaired))
        .expect("it exists");
    schedule(&first, 9..12).await;
    assert_eq!(mails(&first), ["REFUSED", "RESOLVED", "REFUSED"]);
}

#[tokio::test(start_paused = true)]
async fn an_operator_gets_an_answer_each_time_and_a_refused_request_is_not_a_problem() {
    let stage = stage(simulator::pair().instance(names::STANDBY, |standby| standby.impaired()));
    for number in 0..3 {
        let report = invoke(&stage, json!({"action": "failover"}), number).await.expect("a report");
        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Refused, "no-viable-standby"));
        let target = json!({"action": "failover", "to": names::NON_MEMBER});
        let report = invoke(&stage, target, number + 10).await.expect("a report");
        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Refused, "target-not-a-member"));
    }
    schedule(&stage, 20..25).await;
    assert_eq!(mails(&stage), ["REFUSED"; 6]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_in_the_form_of_an_earlier_version_is_another_problem_and_ends_like_any() {
    let old = "no-viable-standby i-0bbbbbbbbbbbbbbb2: NotViable_Impaired_";
    let write = |stage: &Stage, value: &str| {
        let (resources, tags) = (vec![names::INTERFACE.to_owned()], vec![(REFUSED.to_owned(), value.to_owned())]);
        stage.simulator.world(|world| world.act(CreateTags { resources, tags, dry_run: false })).expect("a tag");
    };
    let lasting = stage(nobody_viable());
    write(&lasting, old);
    schedule(&lasting, 0..5).await;
    assert_eq!(mails(&lasting), ["REFUSED"]);

    let over = stage(simulator::pair());
    write(&over, old);
    schedule(&over, 0..5).await;
    assert_eq!(mails(&over), ["RESOLVED"]);
    assert!(mail(&over, 0).contains("The problem no-viable-standby is over."), "{}", mail(&over, 0));
}

#[tokio::test(start_paused = true)]
async fn a_problem_is_over_when_the_holder_runs_and_not_while_it_starts() {
    let scenario = simulator::pair()
        .instance(names::HOLDER, |holder| holder.stopped())
        .instance(names::STANDBY, |standby| standby.impaired());
    let scenario = scenario.timings(Timings { boot: Duration::from_secs(90), ..Timings::realistic() });
    let stage = stage_with(scenario, &[("FAILOVER_START_STANDBY", "false")]);
    schedule(&stage, 0..3).await;
    stage.simulator.world(|world| world.start(names::HOLDER)).expect("it is stopped");

    let starting = invoke(&stage, event("schedule"), 3).await.expect("a report");
    assert_eq!((starting.outcome, starting.reason.as_str()), (Outcome::NoAction, "holder-starting"));
    assert_eq!(mails(&stage), ["REFUSED"]);
    sleep(2 * MINUTE).await;
    schedule(&stage, 5..9).await;
    assert_eq!(mails(&stage), ["REFUSED", "RESOLVED"]);
}

// ---- Tags with impossible dates ----

#[tokio::test(start_paused = true)]
async fn a_failover_succeeds_whatever_dates_the_tags_hold() {
    for time in ["+262142-12-31T23:59:59Z", "-262143-01-01T00:00:00Z", "9999-12-31T23:59:59Z"] {
        let stage = stage(simulator::pair().instance(names::HOLDER, |holder| holder.stopped()));
        let pending = |place: &str| {
            let value = format!("from={} to={} started={time} busy-until={time}", names::HOLDER, names::STANDBY);
            (format!("token-failover:owed:{place}:0000000000b2"), value)
        };
        let tags = vec![
            pending(names::ATTACHMENT),
            pending("detached"),
            pending("repair"),
            ("token-failover:moves".to_owned(), [time; 3].join(" ")),
            (REFUSED.to_owned(), format!("no-viable-standby 0123456789abcdef since={time} mailed={time}")),
            (format!("{ATTACHED}:0000000000a1"), format!("until={time}")),
            (SEEN.to_owned(), format!("attachment={} at={time} moved={time}", names::ATTACHMENT)),
        ];
        let resources = vec![names::INTERFACE.to_owned()];
        stage.simulator.world(|world| world.act(CreateTags { resources, tags, dry_run: false })).expect("tags");

        let report = invoke(&stage, event("holder-stopped"), 0).await.expect("a report");

        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Moved, "holder-stopped"), "{time}");
        schedule(&stage, 1..3).await;
        let mut left = kinds(&stage);
        left.dedup();
        assert_eq!(left, [ATTACHED, "token-failover:moves", SEEN], "{time}");
    }
}

// ---- A FIFO topic ----

#[tokio::test(start_paused = true)]
async fn a_fifo_topic_does_not_take_a_retry_with_the_second_of_two_pending_reports_for_the_first() {
    let topic = format!("{}.fifo", names::TOPIC);
    let scenario = simulator::pair().topic(&topic, |topic| topic.email("ops@example.com"));
    let stage = stage_with(scenario, &[("NOTIFICATION_TOPIC_ARN", &topic)]);
    stage.simulator.always("Publish", Disruption::internal_error());
    for (number, failing) in [names::HOLDER, names::STANDBY].into_iter().enumerate() {
        stage.simulator.world(|world| world.stop(failing)).expect("it runs");
        let number = u32::try_from(number).expect("a small number");
        invoke(&stage, event("schedule"), number).await.expect_err("the report is owed");
        stage.simulator.world(|world| world.start(failing)).expect("it is stopped");
        sleep(MINUTE).await;
    }
    stage.simulator.calm();
    // SNS accepts one message and then fails.
    let mut taken = false;
    stage.simulator.disrupt(move |call| {
        let fails = call.action == "Publish" && std::mem::replace(&mut taken, true);
        if fails { Disruption::internal_error() } else { Disruption::None }
    });
    invoke(&stage, event("schedule"), 7).await.expect_err("one report is still owed");
    assert_eq!(mails(&stage), ["MOVED"]);
    stage.simulator.calm();
    sleep(MINUTE).await;

    invoke(&stage, event("schedule"), 7).await.expect("a report");

    assert_eq!(mails(&stage), ["MOVED", "MOVED"], "{:?}", stage.simulator.messages());
    let ids: Vec<_> = stage.simulator.messages().iter().map(|message| message.deduplication_id.clone()).collect();
    assert!(ids.iter().flatten().all(|id| id.len() <= 128 && id.contains(":owed:")), "{ids:?}");
}

// ---- The decision ----

fn problem(digest_of: &str) -> Problem {
    Problem::new(Reason::NoViableStandby, [digest_of])
}

/// A problem that began ten hours ago and was mailed last at this time.
fn remembered(digest_of: &str, mailed: Option<DateTime<Utc>>) -> LastMail {
    LastMail { problem: problem(digest_of), since: Some(now() - TimeDelta::hours(10)), mailed }
}

#[test]
fn a_mail_depends_on_the_last_mail_and_its_time_and_on_the_outcome_of_the_run() {
    let ago = |time: TimeDelta| remembered("a", Some(now() - time));
    let (fresh, second) = (ago(TimeDelta::hours(1)), TimeDelta::seconds(1));
    let other = Problem::new(Reason::CallRejected, ["a"]);
    let again = LastMail { mailed: Some(now()), ..fresh.clone() };
    let first = |problem: &Problem| LastMail { problem: problem.clone(), since: Some(now()), mailed: Some(now()) };
    let tell = |told: &LastMail| Decision::Tell(told.clone());
    let changed = LastMail { problem: problem("b"), ..again.clone() };
    let is = |problem: &Problem| State::Problem(problem.clone());
    let same = is(&problem("a"));
    for (what, before, state, told_anyway, expected) in [
        ("the first time", None, same.clone(), false, tell(&first(&problem("a")))),
        ("so short a time ago", Some(&fresh), same.clone(), false, Decision::Nothing),
        ("asked", Some(&fresh), same.clone(), true, tell(&again)),
        ("before six hours", Some(&ago(REMINDER - second)), same.clone(), false, Decision::Nothing),
        ("after six hours", Some(&ago(REMINDER)), same.clone(), false, tell(&again)),
        ("a clock that is ahead", Some(&ago(-TimeDelta::minutes(1))), same.clone(), false, Decision::Nothing),
        ("a time that never was", Some(&ago(-TimeDelta::days(9))), same.clone(), false, tell(&again)),
        ("no time", Some(&remembered("a", None)), same.clone(), false, tell(&again)),
        (
            "the end of the calendar",
            Some(&remembered("a", Some(DateTime::<Utc>::MAX_UTC))),
            same.clone(),
            false,
            tell(&again),
        ),
        ("its beginning", Some(&remembered("a", Some(DateTime::<Utc>::MIN_UTC))), same.clone(), false, tell(&again)),
        ("other details", Some(&fresh), is(&problem("b")), false, tell(&changed)),
        ("another code", Some(&fresh), is(&other), false, tell(&first(&other))),
        (
            "an earlier version's",
            Some(&LastMail::read("no-viable-standby i-0: x")),
            same,
            false,
            tell(&first(&problem("a"))),
        ),
        ("well before", None, State::Well, false, Decision::Nothing),
        ("well before, and something else to say", None, State::Well, true, Decision::Nothing),
        ("over", Some(&fresh), State::Well, false, Decision::Resolve(fresh.clone())),
        ("over, and something else to say", Some(&fresh), State::Well, true, Decision::Append(fresh.clone())),
        ("not to be told", Some(&fresh), State::Open, false, Decision::Nothing),
        ("not to be told, and something else to say", Some(&fresh), State::Open, true, Decision::Nothing),
    ] {
        assert_eq!(decide(before, now(), &state, told_anyway), expected, "{what}");
    }
}

#[test]
fn the_tag_and_the_process_remember_together() {
    let old = remembered("a", Some(now() - TimeDelta::hours(1)));
    let new = remembered("b", Some(now() - TimeDelta::minutes(1)));
    let just_now = remembered("b", Some(now() - TimeDelta::seconds(5)));
    let mailed = |remembered: &LastMail, written| Memory::Mailed { remembered: remembered.clone(), written };
    let (tag, newer_tag) = (old.value(), new.value());
    let (tag, newer_tag) = (Some(Some(tag.as_str())), Some(Some(newer_tag.as_str())));
    for (what, memory, tag, expected) in [
        ("nothing", Memory::Nothing, Some(None), None),
        ("another process's mail", Memory::Nothing, tag, Some(&old)),
        ("no interface", mailed(&new, false), None, Some(&new)),
        ("no interface anymore", mailed(&new, true), None, Some(&new)),
        ("what could not be written", mailed(&new, false), Some(None), Some(&new)),
        ("what another process has removed", mailed(&new, true), Some(None), None),
        ("what EC2 may not show yet", mailed(&just_now, true), Some(None), Some(&just_now)),
        ("a tag that is older", mailed(&new, false), tag, Some(&new)),
        ("a tag that is newer", mailed(&old, true), newer_tag, Some(&new)),
        // Two processes mailed at the same time, and the other one wrote its tag last.
        ("a tag that was written later than this process's", mailed(&new, true), tag, Some(&old)),
        ("a tag that EC2 may still show", mailed(&just_now, true), tag, Some(&just_now)),
        ("a tag that could not be removed", Memory::Ended(old.clone()), tag, None),
        ("a tag of after the end", Memory::Ended(old.clone()), newer_tag, Some(&new)),
        ("an end", Memory::Ended(old.clone()), Some(None), None),
        ("an end, and no interface", Memory::Ended(old.clone()), None, None),
    ] {
        assert_eq!(memory.resolve(tag, now()).as_ref(), expected, "{what}");
    }
}

#[test]
fn a_short_tag_distinguishes_problems_by_code_and_details() {
    let problems = [
        Problem::new(Reason::NoViableStandby, ["a", "b"]),
        Problem::new(Reason::NoViableStandby, ["b", "a"]),
        Problem::new(Reason::NoViableStandby, ["ab"]),
        Problem::new(Reason::NoViableStandby, Vec::<String>::new()),
        Problem::new(Reason::CallRejected, ["a", "b"]),
    ];
    let digests: BTreeSet<&str> = problems.iter().map(|problem| problem.digest.as_str()).collect();
    assert_eq!(digests.len(), problems.len());
    let remembered =
        LastMail { since: None, mailed: Some(now()), problem: Problem::new(Reason::TooManyMoves, ["é"; 500]) };
    let value = remembered.value();
    assert_eq!(value, format!("too-many-moves {} mailed=2026-11-11T21:29:54Z", remembered.problem.digest));
    assert_eq!((tag_value(&value), LastMail::read(&value)), (value.clone(), remembered));
}

proptest! {
    #[test]
    fn no_value_of_the_tag_makes_the_reader_panic_or_keeps_a_problem_from_being_mailed(
        value in prop_oneof!["\\PC{0,80}", "[a-z-]{0,20} [0-9a-f]{16} since=[+-]26214[0-4]-12-31T23:59:59Z mailed=[0-9TZ:-]{0,30}"],
    ) {
        let known = LastMail::read(&value);
        prop_assert_eq!(LastMail::read(&tag_value(&known.value())), known.clone());
        let state = State::Problem(Problem::new(Reason::TooManyMoves, ["y"]));
        prop_assert!(matches!(decide(Some(&known), now(), &state, false), Decision::Tell(_)));
        let said = [decide(Some(&known), now(), &State::Well, false), decide(Some(&known), now(), &State::Well, true)];
        prop_assert!(said.iter().all(|said| summary::with_problem("", said).is_ascii()), "{:?}", said);
    }
}
