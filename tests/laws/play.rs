//! Plays a scenario until the interface has settled, and then checks the end.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use futures_util::stream::{FuturesUnordered, StreamExt};
use simulator::world::region::{AttachmentStatus, Capacity, InstanceState};
use simulator::world::{CreateTags, World};
use simulator::{CallInfo, Disruption, Like, Simulator, When, names};
use token_failover::act::failover::Invocation;
use token_failover::act::function::Failover;
use token_failover::decide::attachment::{Noted, Seen};
use token_failover::model::config::Config;
use token_failover::model::failure::Failure;
use token_failover::model::finding::FindingCode;
use token_failover::model::ids::{AttachmentId, InstanceId};
use token_failover::model::report::Report;
use token_failover::ports::{Ec2, Ports, Sns, Ssm};
use tokio::time::{Instant, sleep, sleep_until};

use super::checker::{Arrival, Checker, Published, Run, Tally, Violation, is_near};
use super::proxy::{Proxy, RUN, Watch, current_run};
use super::scenario::{Act, Entry, Fault, Faults, GROUP, Intervention, Kill, Kind, Request, Scenario, called};
use crate::support::below::{self, BelowEc2, BelowSns, BelowSsm};

/// The way in which the function reaches EC2, SNS and Systems Manager.
pub(crate) trait Lane: Copy + Debug + Sync {
    type Ec2: Ec2 + Clone;
    type Sns: Sns + Clone;
    type Ssm: Ssm + Clone;

    /// The package whose tests play in this lane.
    fn package(self) -> &'static str;

    /// Whether calls go over the wire, where their answers can be damaged.
    fn is_wired(self) -> bool;

    /// The ports to the simulator of this seed's world.
    fn ports(self, simulator: &Simulator, seed: u64) -> (Self::Ec2, Self::Sns, Self::Ssm);
}

/// The result of a scenario.
pub(crate) struct Played {
    pub(crate) scenario: Scenario,
    pub(crate) violations: Vec<Violation>,
    pub(crate) tally: Tally,
    pub(crate) story: String,
}

/// Plays the scenario of a seed on a runtime and a paused clock of its own.
pub(crate) fn play<L: Lane>(seed: u64, lane: L, account: &Like, narrates: bool) -> Played {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(perform(seed, lane, account, narrates))
}

async fn perform<L: Lane>(seed: u64, lane: L, account: &Like, narrates: bool) -> Played {
    let scenario = Scenario::of(seed, account, lane.is_wired());
    let simulator = scenario.world.clone().build();
    let audited_at = epoch() - TimeDelta::hours(1);
    simulator.world(|world| note_as_an_audit(world, audited_at));
    let watch = Watch::new(Checker::new(scenario.clone(), narrates), scenario.dice.clone(), scenario.max_delay_ms);
    let config = Config::from_variables(scenario.variables.clone()).expect("a valid configuration");
    let (ec2, sns, ssm) = lane.ports(&simulator, seed);
    let (quiet_ec2, quiet_sns, quiet_ssm) = below::ports(&simulator, names::TOPIC);
    let quiet = (
        Proxy::new(quiet_ec2, watch.clone(), simulator.clone()),
        Proxy::new(quiet_sns, watch.clone(), simulator.clone()),
        Proxy::new(quiet_ssm, watch.clone(), simulator.clone()),
    );
    let player = Player {
        ec2: Proxy::new(ec2, watch.clone(), simulator.clone()),
        sns: Proxy::new(sns, watch.clone(), simulator.clone()),
        ssm: Proxy::new(ssm, watch.clone(), simulator.clone()),
        idle: RefCell::new(Vec::new()),
        quiet: Failover::new(config.clone(), quiet, Box::new(|_| ())),
        scenario,
        simulator,
        watch,
        config,
    };
    player.set_up();
    player.run_entries().await;
    player.converge().await;
    player.audit().await;
    let checker = player.watch.checker();
    let story = if narrates { checker.story() } else { String::new() };
    Played {
        scenario: player.scenario.clone(),
        violations: checker.violations.clone(),
        tally: checker.tally.clone(),
        story,
    }
}

/// The time at which every scenario begins.
pub(crate) fn epoch() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).expect("a time")
}

type Function<E, S, M> = Failover<(Proxy<E>, Proxy<S>, Proxy<M>)>;

struct Player<E: Ec2, S: Sns, M: Ssm> {
    scenario: Scenario,
    simulator: Simulator,
    watch: Watch,
    config: Config,
    ec2: Proxy<E>,
    sns: Proxy<S>,
    ssm: Proxy<M>,
    /// Idle processes of the function.
    idle: RefCell<Vec<Rc<Function<E, S, M>>>>,
    /// Another process, for the time when everything is quiet. No call fails then, so it uses the lane without the
    /// wire.
    quiet: Function<BelowEc2, BelowSns, BelowSsm>,
}

/// The end of an invocation.
enum Ended {
    Answered(Box<Result<Report, Failure>>),
    Killed,
    Overran,
}

impl Ended {
    /// The reason of the report, or the type of the error.
    fn reason(&self) -> Option<String> {
        match self {
            Self::Answered(answer) => Some(match &**answer {
                Ok(report) => report.reason.to_string(),
                Err(failure) => failure.error_type().to_owned(),
            }),
            Self::Killed | Self::Overran => None,
        }
    }
}

impl<E, S, M> Player<E, S, M>
where
    E: Ec2 + Clone,
    S: Sns + Clone,
    M: Ssm + Clone,
{
    fn now(&self) -> Duration {
        self.simulator.now()
    }

    fn time_of_day(&self) -> DateTime<Utc> {
        epoch() + TimeDelta::from_std(self.now()).expect("a simulation is short")
    }

    /// Connects the checker, the actions of others and the faults to the simulator.
    fn set_up(&self) {
        let watch = self.watch.clone();
        self.simulator.observe(move |now, moment, world| {
            watch.checker().observe(now, moment, world, current_run());
        });
        self.simulator.world(|world| self.watch.checker().begins(world));
        let index = self.scenario.device_index;
        for intervention in self.scenario.acts.clone() {
            let watch = self.watch.clone();
            let perform = move |world: &mut World, act: &Act| {
                if !watch.checker().is_over {
                    watch.checker().acts(act, world);
                    act.perform(world, index);
                }
            };
            match intervention {
                Intervention::At(time, act) => self.simulator.at(time, move |world| perform(world, &act)),
                Intervention::Near { action, nth, before, act } => {
                    let when = if before { When::Before } else { When::After };
                    self.simulator.on_call(action, nth, when, move |world| perform(world, &act));
                }
            }
        }
        let watch = self.watch.clone();
        let faults = self.scenario.faults.clone();
        self.simulator.disrupt(move |call| disrupt(&watch, &faults, call));
        // This performs the actions at time zero.
        self.simulator.world(|_| ());
    }

    async fn run_entries(&self) {
        let mut running: FuturesUnordered<_> =
            self.scenario.entries.iter().map(|entry| self.run_entry(entry)).collect();
        while running.next().await.is_some() {}
    }

    /// Makes an invocation and, if it fails, Lambda's two retries: after one minute, and after two more.
    async fn run_entry(&self, entry: &Entry) {
        sleep(entry.at).await;
        let mut kill = entry.kill;
        for pause in [60, 120, 0] {
            let ended = self.invoke(&entry.what, entry.time, kill.take()).await;
            let failed = match &ended {
                Ended::Answered(answer) => answer.is_err(),
                Ended::Killed | Ended::Overran => true,
            };
            if !failed || !entry.retried || pause == 0 {
                break;
            }
            sleep(Duration::from_secs(pause)).await;
        }
    }

    /// Uses an idle process or starts one, as Lambda does. A killed process is not used again.
    async fn invoke(&self, what: &Request, time: Duration, kill: Option<Kill>) -> Ended {
        let idle = self.idle.borrow_mut().pop();
        let function = idle.unwrap_or_else(|| {
            let ports = (self.ec2.clone(), self.sns.clone(), self.ssm.clone());
            Rc::new(Failover::new(self.config.clone(), ports, Box::new(|_| ())))
        });
        let ended = self.invoke_process(&function, what, time, kill).await;
        if let Ended::Answered(_) = ended {
            self.idle.borrow_mut().push(function);
        }
        ended
    }

    async fn invoke_process<P: Ports>(
        &self,
        function: &Failover<P>,
        what: &Request,
        time: Duration,
        kill: Option<Kill>,
    ) -> Ended {
        let number = self.watch.checker().begin(what, self.now(), time, kill);
        let deadline = Instant::now() + time;
        let received_at = self.time_of_day();
        let invocation = Invocation {
            payload: what.payload(&received_at.to_rfc3339_opts(SecondsFormat::Secs, true)),
            request_id: format!("5e1b6a9e-0000-4000-8000-{number:012}"),
            received_at,
            deadline,
        };
        let ended = {
            let mut handling = pin!(RUN.scope(number, function.handle(invocation)));
            let kill_at = if let Some(Kill::After(time)) = kill { Instant::now() + time } else { deadline + time };
            let mut killing = pin!(sleep_until(kill_at));
            let mut timing_out = pin!(sleep_until(deadline));
            poll_fn(|context| {
                if let Poll::Ready(answer) = handling.as_mut().poll(context) {
                    return Poll::Ready(Ended::Answered(Box::new(answer)));
                }
                if self.watch.checker().runs[number].killed || killing.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Ended::Killed);
                }
                if timing_out.as_mut().poll(context).is_ready() { Poll::Ready(Ended::Overran) } else { Poll::Pending }
            })
            .await
        };
        self.simulator.world(|_| ());
        let now = self.now();
        match &ended {
            Ended::Answered(answer) => {
                self.watch.checker().answered(number, now, answer);
                self.after_answer(number, now, answer);
            }
            Ended::Killed => self.watch.checker().killed(number, now),
            Ended::Overran => self.watch.checker().overran(number, now),
        }
        ended
    }

    fn after_answer(&self, number: usize, now: Duration, answer: &Result<Report, Failure>) {
        match answer {
            Ok(report) => {
                let attachment = report.movement.as_ref().and_then(|movement| movement.attachment_id.as_ref());
                if let Some(attachment) = attachment {
                    self.check_attachment(number, now, attachment.as_str());
                }
            }
            Err(Failure::InterfaceNotAttached { .. }) => self.check_stranded(number, now),
            Err(_) => {}
        }
    }

    /// Law 9: after an undisturbed move, DeleteOnTermination is false.
    fn check_attachment(&self, number: usize, now: Duration, attachment: &str) {
        let deletes = self.simulator.world(|world| {
            let present = world.attachment_of(names::INTERFACE);
            present.is_some_and(|present| present.id == attachment && present.delete_on_termination)
        });
        let mut checker = self.watch.checker();
        let run = &checker.runs[number];
        let excused = run.disturbed || !run.made.contains(attachment) || checker.tampered.contains(attachment);
        if !excused && self.scenario.faults.denied.is_empty() {
            checker.hold(9, now, !deletes, || format!("[{number}] left DeleteOnTermination true on {attachment}"));
        }
    }

    /// Law 5: an interface that no standby took goes back to its former holder, if it can.
    fn check_stranded(&self, number: usize, now: Duration) {
        let (excused, former) = {
            let checker = self.watch.checker();
            let run = &checker.runs[number];
            (run.disturbed || checker.has_rival(number), run.took_from.first().map(ToString::to_string))
        };
        let Some(former) = former.filter(|_| !excused) else { return };
        let could = self.simulator.world(|world| {
            let free = world.interface(names::INTERFACE).is_some_and(|interface| interface.attachment.is_none());
            let region = world.region();
            let room = region.instance(&former).is_ok_and(|instance| {
                let alive = matches!(instance.state, InstanceState::Running | InstanceState::Stopped);
                let blocked = instance.blocked_indexes.contains(&self.scenario.device_index);
                alive && !blocked && region.interfaces_of(&former).len() < instance.interface_limit
            });
            free && room
        });
        self.watch.checker().hold(5, now, !could, || {
            format!("[{number}] left the interface attached to nothing, and {} could take it back", called(&former))
        });
    }

    // ---- When everything is quiet ----

    /// Ends the faults and the actions of others, waits, and runs reconciles until the interface has settled.
    async fn converge(&self) {
        self.check_messages_of_quiet_worlds();
        if self.scenario.is_grouped {
            self.simulator.world(|world| world.suspend(GROUP)).expect("a group");
        }
        let last = {
            let mut checker = self.watch.checker();
            checker.ends();
            checker.runs.iter().map(|run| run.deadline).max().unwrap_or_default()
        };
        let now = self.now();
        let quiet = last.max(now) + Duration::from_secs(300);
        sleep(quiet - now).await;
        self.simulator.world(|_| ());
        // The function may notice the end of a pause a little later.
        let paused_until = self.watch.checker().paused_until().unwrap_or_default();
        sleep((paused_until + Duration::from_secs(60)).saturating_sub(self.now())).await;
        self.simulator.world(|_| ());
        self.watch.checker().tell(self.now(), || "---- everything is quiet; one more reconcile ----".to_owned());
        let mut ended = self.reconcile().await;
        // With four members and two moves an hour, the last one gets its turn in the second hour. A slow attach takes two
        // runs. A standby that failed to start is tried again after half an hour.
        for round in 0..24 {
            if round >= 8 && !self.could_still_serve() {
                break;
            }
            let until_next_try = Duration::from_secs(if round < 8 { 60 } else { 300 });
            match ended.reason().as_deref() {
                // The limit holds for an hour.
                Some("too-many-moves") if !self.scenario.may_not_move => {
                    if self.has_read_since_the_arrival() {
                        self.check_repetition("too-many-moves").await;
                    }
                    sleep(Duration::from_secs(3700)).await;
                    self.watch.checker().tell(self.now(), || "---- an hour later, one more reconcile ----".to_owned());
                }
                // An instance that could not be started gives the interface up only in the next run. An attach may take
                // longer than an invocation.
                Some(
                    "standby-not-started"
                    | "holder-not-started"
                    | "returned-to-former-holder"
                    | "still-attaching"
                    | "DeadlineReached",
                ) => {
                    sleep(until_next_try).await;
                }
                // The run after the arrival deals with an interface that EC2 is still attaching.
                _ if self.is_arriving() => sleep(Duration::from_secs(120)).await,
                _ => break,
            }
            ended = self.reconcile().await;
        }
        let (Some(outcome), Ended::Answered(answer)) = (ended.reason(), &ended) else { return };
        if self.is_arriving() {
            // The last run asked for a slow attach. It must end by itself, and the next run deals with the arrival.
            sleep(Duration::from_secs(900)).await;
            self.simulator.world(|_| ());
            if !self.is_arriving() {
                return;
            }
        }
        // A started instance needs time to boot.
        sleep(Duration::from_secs(200)).await;
        self.simulator.world(|_| ());
        let mut end = self.end();
        let mut last = (outcome, answer.is_ok());
        for _ in 0..3 {
            // The group may have terminated the holder after the last run.
            let is_lost = self.scenario.is_grouped
                && self.has_changed_since_the_last_run()
                && !matches!(end.place, Place::Healthy);
            // A member that took the interface from a failed one, or was started in place, may be about to go.
            let stays = ["no-viable-standby", "too-many-moves", "awaiting-standby", "primary-interface"];
            let must_move = (end.is_announced || end.is_leaving) && !stays.contains(&last.0.as_str());
            if !is_lost && !must_move {
                break;
            }
            let again = self.reconcile().await;
            let Some(outcome) = again.reason() else { return };
            last = (outcome, matches!(&again, Ended::Answered(answer) if answer.is_ok()));
            sleep(Duration::from_secs(200)).await;
            self.simulator.world(|_| ());
            end = self.end();
        }
        let (outcome, answered) = last;
        let settled = self.check_convergence(&end, &outcome, answered);
        self.check_reports(end.is_open);
        self.check_activation(&end);
        self.watch.checker().check_pauses(self.now());
        if settled {
            self.check_repetition(&outcome).await;
        }
    }

    /// Whether the last run began after the last arrival of the interface. The next run deals with a later arrival.
    fn has_read_since_the_arrival(&self) -> bool {
        if self.is_arriving() {
            return false;
        }
        let checker = self.watch.checker();
        let began = checker.runs.last().map(|run| run.began).unwrap_or_default();
        checker.arrivals.last().is_none_or(|arrival| arrival.at <= began)
    }

    /// The members of which the last run had seen that AWS is about to work on them.
    fn announced_by_the_last_run(&self) -> Option<BTreeSet<InstanceId>> {
        self.watch.checker().runs.last().map(|run| run.announced.clone())
    }

    fn end(&self) -> End {
        let began = self.watch.checker().runs.last().map(|run| run.began).unwrap_or_default();
        self.simulator.world(|world| End::of(&self.scenario, world, began))
    }

    /// Whether something has changed in the world since the last run ended.
    fn has_changed_since_the_last_run(&self) -> bool {
        let checker = self.watch.checker();
        checker.runs.last().and_then(|run| run.ended_at).is_none_or(|ended| checker.last_change > ended)
    }

    /// Whether the interface is on its way, or a member could take it and serve.
    fn could_still_serve(&self) -> bool {
        self.is_arriving() || !self.end().able.is_empty()
    }

    /// Whether EC2 is still attaching the interface.
    fn is_arriving(&self) -> bool {
        self.simulator.world(|world| {
            let attachment = world.interface(names::INTERFACE).and_then(|interface| interface.attachment.as_ref());
            attachment.is_some_and(|attachment| attachment.status == AttachmentStatus::Attaching)
        })
    }

    /// Law 8: an audit tells of a move by something else that no run has told before, and the next one does not.
    async fn audit(&self) {
        if self.watch.checker().arrivals.is_empty() {
            return;
        }
        self.watch.checker().tell(self.now(), || "---- everything is quiet; an audit ----".to_owned());
        let Some(tells) = self.tells_of_another_move().await else { return };
        let attached = self.simulator.world(|world| {
            let attachment = world.attachment_of(names::INTERFACE);
            let attached = attachment.filter(|attachment| attachment.status == AttachmentStatus::Attached);
            attached.map(|attachment| attachment.id.clone())
        });
        self.watch.checker().check_told_foreign(self.now(), attached.as_deref());
        if tells {
            let again = self.tells_of_another_move().await;
            let told_once = again != Some(true);
            let what = || "two audits tell of the same move by something else".to_owned();
            self.watch.checker().hold(8, self.now(), told_once, what);
        }
    }

    /// Whether an audit, a while later, tells that something else has moved the interface; `None`: it has failed.
    async fn tells_of_another_move(&self) -> Option<bool> {
        sleep(Duration::from_secs(900)).await;
        self.simulator.world(|_| ());
        let Ended::Answered(answer) =
            self.invoke_process(&self.quiet, &Request::Audit, Duration::from_secs(300), None).await
        else {
            return None;
        };
        let report = (*answer).ok()?;
        Some(report.findings.iter().any(|finding| finding.code == FindingCode::MovedBySomebody))
    }

    async fn reconcile(&self) -> Ended {
        self.invoke_process(&self.quiet, &Request::Reconcile { dry_run: false }, Duration::from_secs(300), None).await
    }

    /// Law 12: one more reconcile changes nothing.
    async fn check_repetition(&self, outcome: &str) {
        let number = self.watch.checker().runs.len();
        let before = self.announced_by_the_last_run();
        self.reconcile().await;
        if before != self.announced_by_the_last_run() {
            return;
        }
        let now = self.now();
        let mut checker = self.watch.checker();
        let changes: Vec<String> =
            checker.runs[number].changes.iter().filter(|change| !change.starts_with("remove")).cloned().collect();
        checker.hold(12, now, changes.is_empty(), || {
            format!("after {outcome}, one more reconcile made changes: {changes:?}")
        });
    }

    /// Checks laws 3, 5, 8, 9 and 14 when everything is quiet. Returns whether one more run has nothing to do.
    fn check_convergence(&self, end: &End, outcome: &str, answered: bool) -> bool {
        let now = self.now();
        let mut checker = self.watch.checker();
        checker.tell(now, || format!("the end: {end:?}"));
        let refused = |checker: &mut Checker, reason: &str| {
            checker.hold(3, now, outcome == reason, || format!("{end:?}: the answer is {outcome}, not {reason}"));
            true
        };
        let settled = match &end.place {
            Place::Missing => refused(&mut checker, "interface-missing"),
            // With a tag, there may be no member at all.
            Place::NonMember if self.scenario.is_by_tag && outcome == "no-members" => true,
            Place::NonMember => refused(&mut checker, "held-by-stranger"),
            Place::Transit => {
                checker.break_law(5, now, format!("the interface is in transit forever: {end:?}"));
                false
            }
            Place::Detached => {
                let none_able = end.able.is_empty();
                checker.hold(5, now, none_able, || format!("attached to nothing, with the answer {outcome}: {end:?}"));
                outcome == "no-viable-standby" && !end.tries_again
            }
            Place::Healthy if end.is_leaving => {
                // Another member that is about to go is no better.
                let is_limited = outcome == "too-many-moves" || end.staying.is_empty() || end.is_primary;
                checker.hold(14, now, is_limited, || format!("on a holder that is about to go: {outcome}: {end:?}"));
                true
            }
            Place::Healthy if end.is_announced => {
                let is_limited = ["too-many-moves", "awaiting-standby"].contains(&outcome)
                    || end.lasting.is_empty()
                    || end.is_primary
                    || !answered;
                checker.hold(14, now, is_limited, || {
                    format!("on a holder that AWS is about to work on: {outcome}: {end:?}")
                });
                true
            }
            Place::Healthy => {
                checker.hold(14, now, true, String::new);
                let waits = end.waiting.is_empty() || !answered;
                checker
                    .hold(17, now, waits, || format!("a group waits for nothing, with the answer {outcome}: {end:?}"));
                true
            }
            // The holder must be started in place and there is no capacity: the function tries again and again, or the
            // limit on moves keeps it from trying.
            Place::Failed { primary: true, could_start: false, .. }
                if outcome == "holder-not-started" || (self.scenario.may_not_move && outcome == "too-many-moves") =>
            {
                false
            }
            Place::Failed { primary: true, could_start: false, .. } => refused(&mut checker, "primary-interface"),
            Place::Failed { hung: true, .. } if !self.scenario.may_force => false,
            Place::Failed { could_start, .. }
                if self.scenario.may_not_move && (*could_start || !end.able.is_empty()) =>
            {
                refused(&mut checker, "too-many-moves")
            }
            Place::Failed { could_start, .. } => {
                let none_able = end.able.is_empty() && !could_start;
                checker.hold(14, now, none_able, || format!("on a failed holder, with the answer {outcome}: {end:?}"));
                outcome == "no-viable-standby" && !end.tries_again
            }
        };
        let attached = matches!(end.place, Place::Healthy | Place::NonMember | Place::Failed { .. });
        // The next run deals with an interface that arrived after the last run began.
        let last_read = checker.runs.last().map(|run| run.began).unwrap_or_default();
        let has_read_since = checker.arrivals.last().is_none_or(|arrival| arrival.at <= last_read);
        if attached && answered && !end.is_open && has_read_since {
            checker.hold(8, now, end.pending_reports.is_empty(), || {
                format!("reports are still pending: {:?}", end.pending_reports)
            });
        }
        // Without a note no later run can know that this function made the attach.
        let made = |run: &Run, id: &str| run.made.contains(id) && !run.note_failed;
        let mine = end.attachment.as_ref().is_some_and(|id| checker.runs.iter().any(|run| made(run, id)));
        let tampered = end.attachment.as_ref().is_some_and(|id| checker.tampered.contains(id));
        if answered && (self.scenario.repairs_termination || (mine && !tampered)) && settled && attached {
            let deletes = end.deletes && !matches!(end.place, Place::NonMember);
            let excused = matches!(end.place, Place::Failed { .. });
            checker.hold(9, now, !deletes || excused, || format!("DeleteOnTermination is true: {end:?}"));
        }
        settled && answered && has_read_since
    }

    /// Law 8: every move is reported.
    fn check_reports(&self, is_open: bool) {
        let now = self.now();
        let mut checker = self.watch.checker();
        // A deleted interface takes its tags with it, and an interface that is attached to nothing is still being
        // moved.
        if checker.is_gone || is_open {
            return;
        }
        // The next run deals with an interface that arrived after the last run began.
        let last_read = checker.runs.last().map(|run| run.began).unwrap_or_default();
        // All arrivals that one run causes are one move: from the holder before its first attach to the target of its
        // last one.
        let mut moves: Vec<Vec<Arrival>> = Vec::new();
        for arrival in &checker.arrivals {
            match moves.last_mut() {
                Some(last) if last[0].by.is_some() && last[0].by == arrival.by => last.push(arrival.clone()),
                _ => moves.push(vec![arrival.clone()]),
            }
        }
        for arrivals in moves {
            let (first, last) = (&arrivals[0], &arrivals[arrivals.len() - 1]);
            let Some(by) = first.by.filter(|_| last.at <= last_read) else { continue };
            if first.from.as_ref() == Some(&last.to) || checker.runs[by].note_failed {
                continue;
            }
            // The report that a problem has ended has the problem's reason.
            let is_failed =
                |reason: &str, published: &Published| published.outcome == "failed" && published.reason == reason;
            let is_reported = checker.published.iter().any(|published| {
                let moved = published.outcome == "moved" || is_failed("standby-not-started", published);
                let same = arrivals.iter().any(|arrival| published.attachment.as_ref() == Some(&arrival.attachment));
                let later = published.at >= first.at;
                // If an operator undid the move before it was reported, the report has other instances.
                let ends = [Some(&last.to), first.from.as_ref()];
                let run = &checker.runs[by];
                // A run that has found the interface free may take it from where an operator has attached it meanwhile.
                let came_later = |left: &String| {
                    checker.arrivals.iter().any(|arrival| arrival.attachment == *left && arrival.at > first.at)
                };
                let found_it_free =
                    published.from.is_none() && run.left.keys().all(|left| run.made.contains(left) || came_later(left));
                let told = published.from == first.from || found_it_free || ends.contains(&published.to.as_ref());
                let undone = is_failed("returned-to-former-holder", published);
                moved && (same || (later && told)) || (later && (undone || published.reason == "report-was-owed"))
            });
            checker.hold(8, now, is_reported, || {
                let from = first.from.as_deref().map_or("nothing", called);
                format!("the move from {from} to {} by [{by}] was not reported", called(&last.to))
            });
        }
    }

    /// Law 13: if the instance was already running when a run attached the interface to it, its token server was
    /// activated, or a report said that it may not have been.
    fn check_activation(&self, end: &End) {
        let now = self.now();
        let mut checker = self.watch.checker();
        let Some(last) = checker.arrivals.last().cloned().filter(|_| self.scenario.needs_activation) else { return };
        let is_there = end.attachment.as_ref() == Some(&last.attachment) && matches!(end.place, Place::Healthy);
        let Some(by) = last.by.filter(|_| is_there && last.ran && self.scenario.is_member(&last.to)) else { return };
        if checker.is_unknown(&last) {
            return;
        }
        // Without a note no later run can know that this function made the attach.
        if checker.runs[by].note_failed {
            return;
        }
        // An instance that has been stopped and started since has found the interface at boot.
        if checker.has_recovered_since(&last.to, last.at) {
            return;
        }
        let activated = checker.activations.iter().any(|(at, instance)| *instance == last.to && *at >= last.at);
        let told = checker.told_inactive.iter().any(|at| *at >= last.at);
        checker.hold(13, now, activated || told, || {
            format!("{} got the interface from [{by}] and was not activated", called(&last.to))
        });
    }

    /// Laws 7 and 8 in worlds without faults: one move and one message.
    fn check_messages_of_quiet_worlds(&self) {
        // A pause ends with a mail, and a group may ask for a second move.
        if self.scenario.pauses || self.scenario.is_grouped || self.scenario.on_announcement {
            return;
        }
        let now = self.now();
        let mut checker = self.watch.checker();
        let asked = |run: &Run| run.what.is_operators_failover() || matches!(run.what, Request::Spot { .. });
        let asked = checker.runs.iter().any(asked);
        let moves = checker.arrivals.iter().filter(|arrival| arrival.by.is_some());
        let moves = moves.filter(|arrival| arrival.from.as_ref() != Some(&arrival.to)).count();
        let arrivals = checker.arrivals.iter().filter(|arrival| arrival.by.is_some()).count();
        // Overlapping runs may publish the pending report of a run that could not complete its move twice.
        let has_failed = checker.published.iter().any(|published| published.outcome == "failed");
        let told = checker.published.iter().filter(|published| published.outcome == "moved");
        let told = told.filter(|published| !has_failed || published.reason != "report-was-owed").count();
        match self.scenario.kind {
            Kind::Ordinary => {
                let messages = checker.published.len();
                checker.hold(8, now, messages == 1, || format!("{messages} messages in a world without faults"));
                let due = moves == 1 || (moves == 0 && self.scenario.may_not_move);
                checker.hold(7, now, due && told == moves, || format!("{moves} moves, and {told} reported"));
            }
            Kind::Overlapping if !asked && !self.scenario.lacks_capacity => {
                // While EC2 attaches slowly, a better standby may come up. The run that continues then moves on to it.
                let max = if self.scenario.attaches_slowly { 2 } else { 1 };
                checker
                    .hold(7, now, moves <= max && told <= arrivals, || format!("{moves} moves, and {told} reported"));
            }
            _ => {}
        }
    }
}

/// An audit has seen the interface where it is at the beginning.
fn note_as_an_audit(world: &mut World, at: DateTime<Utc>) {
    let Some(attachment) = world.attachment_of(names::INTERFACE) else { return };
    let instance = Some(attachment.instance_id.parse().expect("an instance id"));
    let noted = Noted { attachment: AttachmentId::new(&attachment.id), instance, at };
    let (key, value) = Seen { noted, moved: None }.tag();
    world.act(CreateTags::on(names::INTERFACE, key, value)).expect("it exists");
}

/// The place of the interface at the end.
#[derive(Debug, Clone)]
enum Place {
    Missing,
    NonMember,
    Transit,
    Detached,
    Healthy,
    Failed {
        primary: bool,
        hung: bool,
        /// It is stopped and can be started in place.
        could_start: bool,
    },
}

/// The true state of the world at the end.
#[derive(Debug, Clone)]
struct End {
    place: Place,
    attachment: Option<String>,
    /// The interface is attached to nothing, attaching or detaching.
    is_open: bool,
    deletes: bool,
    pending_reports: Vec<String>,
    /// Members that could take the interface and would run.
    able: Vec<String>,
    /// A member is stopped without capacity to start it, and the function tries again and again.
    tries_again: bool,
    /// The group of the holder is about to terminate it.
    is_leaving: bool,
    is_primary: bool,
    /// AWS is about to work on the holder, since before the last run.
    is_announced: bool,
    /// The members of `able` of which AWS has announced nothing.
    staying: Vec<String>,
    /// The members of `staying` that run.
    lasting: Vec<String>,
    /// The members, except the holder, whose lifecycle actions the function could complete.
    waiting: Vec<String>,
}

impl End {
    fn of(scenario: &Scenario, world: &World, last_began: Duration) -> Self {
        let region = world.region();
        let is_announced = |id: &str, at: Duration| {
            let events = region.instance(id).map(|one| one.scheduled_events.clone()).unwrap_or_default();
            let mut events = events.iter();
            let is_due = events.any(|event| is_near(event.code, &event.description, Some(event.not_before), at));
            scenario.on_announcement && is_due
        };
        let able = scenario.members.iter().filter(|member| {
            let Ok(instance) = region.instance(member) else { return false };
            let others: Vec<_> =
                region.interfaces_of(member).into_iter().filter(|other| other.id != names::INTERFACE).collect();
            let taken = others.iter().any(|other| {
                other.attachment.as_ref().is_some_and(|attachment| attachment.device_index == scenario.device_index)
            });
            let room = others.len() < instance.interface_limit && !taken;
            let is_leaving = world.region().is_leaving_its_group(member);
            let runs = match instance.state {
                _ if is_leaving => false,
                InstanceState::Running => !instance.is_impaired(),
                InstanceState::Stopped => scenario.start_standby && instance.capacity == Capacity::Available,
                _ => false,
            };
            let blocked = instance.blocked_indexes.contains(&scenario.device_index);
            instance.availability_zone == names::ZONE && room && runs && !blocked
        });
        let mut able: Vec<String> = able.map(|member| (*member).to_owned()).collect();
        let interface = world.interface(names::INTERFACE);
        let attachment = interface.and_then(|interface| interface.attachment.as_ref());
        let place = match (interface, attachment) {
            (None, _) => Place::Missing,
            (Some(_), None) => Place::Detached,
            (Some(_), Some(at)) => {
                let hung_leaving = at.status == AttachmentStatus::Detaching
                    && region.instance(&at.instance_id).is_ok_and(|instance| instance.hung);
                if !scenario.is_member(&at.instance_id) {
                    Place::NonMember
                } else if at.status != AttachmentStatus::Attached && !hung_leaving {
                    Place::Transit
                } else {
                    let healthy = region.instance(&at.instance_id).is_ok_and(|instance| {
                        instance.state == InstanceState::Running && !(scenario.on_impaired && instance.is_impaired())
                    });
                    let hung = region.instance(&at.instance_id).is_ok_and(|instance| instance.hung);
                    let could_start = region.instance(&at.instance_id).is_ok_and(|instance| {
                        let startable = scenario.start_standby && instance.capacity == Capacity::Available;
                        instance.state == InstanceState::Stopped && startable
                    });
                    able.retain(|member| *member != at.instance_id);
                    if healthy && !hung_leaving {
                        Place::Healthy
                    } else {
                        Place::Failed { primary: at.device_index == 0, hung, could_start }
                    }
                }
            }
        };
        let holder = attachment.map(|attachment| attachment.instance_id.clone());
        let waiting = world.group_members(GROUP).iter().filter(|member| {
            let waits = member.lifecycle_actions().iter().any(|action| action.hook == "token-failover");
            // The function leaves an instance with the interface of another license to that license's function.
            let has_another = region.interfaces_of(&member.instance_id).into_iter().any(|other| {
                let attachment = other.attachment.as_ref().filter(|_| other.id != names::INTERFACE);
                attachment.is_some_and(|at| at.device_index != 0 && !at.delete_on_termination)
            });
            waits && !has_another && Some(&member.instance_id) != holder.as_ref()
        });
        let waiting = waiting.map(|member| member.instance_id.clone()).collect();
        let is_up = |id: &str| region.instance(id).is_ok_and(|one| one.state == InstanceState::Running);
        let staying: Vec<String> = able.iter().filter(|id| !is_announced(id, world.now())).cloned().collect();
        let lasting = staying.iter().filter(|id| is_up(id)).cloned().collect();
        let tags = interface.into_iter().flat_map(|interface| interface.tags.iter());
        let pending_reports = tags.filter(|(key, _)| key.starts_with("token-failover:owed:"));
        Self {
            place,
            attachment: attachment.map(|attachment| attachment.id.clone()),
            is_open: attachment.is_none_or(|attachment| attachment.status != AttachmentStatus::Attached),
            deletes: attachment.is_some_and(|attachment| attachment.delete_on_termination),
            pending_reports: pending_reports.map(|(key, value)| format!("{key} = {value}")).collect(),
            able,
            staying,
            is_leaving: holder.as_ref().is_some_and(|holder| world.region().is_leaving_its_group(holder)),
            is_announced: holder.as_ref().is_some_and(|holder| is_announced(holder, last_began)),
            lasting,
            is_primary: attachment.is_some_and(|attachment| attachment.device_index == 0),
            waiting,
            tries_again: scenario
                .members
                .iter()
                .filter_map(|member| region.instance(member).ok())
                .any(|member| member.state == InstanceState::Stopped && member.capacity != Capacity::Available),
        }
    }
}

/// The actions whose answers have no content that the SDK reads, so that it accepts any body.
const ANSWERED_WITHOUT_CONTENT: [&str; 5] =
    ["CreateTags", "DeleteTags", "DetachNetworkInterface", "DisassociateAddress", "ModifyNetworkInterfaceAttribute"];

/// Decides which fault hits a call.
fn disrupt(watch: &Watch, faults: &Faults, call: &CallInfo) -> Disruption {
    let number = current_run();
    let mut checker = watch.checker();
    if checker.is_over {
        return Disruption::None;
    }
    let mut dice = watch.dice();
    if let Some(number) = number
        && checker.runs[number].dies_calling
    {
        return Disruption::Late(dice.milliseconds(1, 3_000));
    }
    let action = &*call.action;
    let fault = if faults.denied.contains(&action) {
        Some(Fault::Deny)
    } else if let Some(point) =
        faults.points.iter().find(|point| point.action == action && (point.first..=point.last).contains(&call.nth))
    {
        Some(point.fault)
    } else {
        let storm = faults.storms.iter().find(|storm| {
            storm.over.covers(action) && (storm.from..storm.until).contains(&call.now) && dice.percent(storm.percent)
        });
        storm.map(|storm| dice.pick(&storm.faults))
    };
    let stale = faults.stale.filter(|window| {
        fault.is_none()
            && action.starts_with("Describe")
            && call.now < checker.last_change + *window
            && dice.percent(50)
    });
    // A caller cannot detect that EC2 answered 200 without making the change, so the call is dropped instead.
    let is_undetectable = fault == Some(Fault::Nonsense) && ANSWERED_WITHOUT_CONTENT.contains(&action);
    let fault = if is_undetectable { Some(Fault::DropBefore) } else { fault };
    let (fault, disruption) = match (fault, stale) {
        (Some(fault), _) => (fault, fault.disruption(&mut dice)),
        (None, Some(window)) => {
            let max = u64::try_from(window.as_millis()).expect("a short time");
            (Fault::Stale, Disruption::Stale(dice.milliseconds(1, max)))
        }
        (None, None) => return Disruption::None,
    };
    checker.disturbs(call, number, fault, &disruption);
    disruption
}
