//! Plays a drama: a world, with everything that was drawn for it, from the curtain to the moment at which all is well.

use std::cell::RefCell;
use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use futures_util::stream::{FuturesUnordered, StreamExt};
use simulator::world::World;
use simulator::world::region::{AttachmentStatus, Capacity, InstanceState};
use simulator::{CallInfo, Disruption, Simulator, When, names};
use token_failover::act::failover::Invocation;
use token_failover::act::function::Failover;
use token_failover::model::config::Config;
use token_failover::model::failure::Failure;
use token_failover::model::report::Report;
use token_failover::ports::{Ec2, Ports, Sns, Ssm};
use tokio::time::{Instant, sleep, sleep_until};

use super::door::{Court, Door, RUN, current_run};
use super::drama::{Act, Cue, Drama, Entry, Fault, Faults, Kill, Kind, What, called};
use super::judge::{Judge, Landing, Published, Run, Tally, Violation};
use crate::support::below::{self, BelowEc2, BelowSns, BelowSsm};

/// How the function reaches EC2, SNS and Systems Manager.
pub(crate) trait Lane: Copy + Debug + Sync {
    type Ec2: Ec2 + Clone;
    type Sns: Sns + Clone;
    type Ssm: Ssm + Clone;

    /// The package whose tests play in this lane.
    fn package(self) -> &'static str;

    /// Whether calls go over the wire, and their answers can be damaged there.
    fn is_wired(self) -> bool;

    /// The doors to a simulator, for the world of this seed.
    fn doors(self, simulator: &Simulator, seed: u64) -> (Self::Ec2, Self::Sns, Self::Ssm);
}

/// What came of a drama.
pub(crate) struct Played {
    pub(crate) drama: Drama,
    pub(crate) violations: Vec<Violation>,
    pub(crate) tally: Tally,
    pub(crate) story: String,
}

/// Plays the drama of a seed on a runtime of its own, whose clock is nobody else's.
pub(crate) fn play<L: Lane>(seed: u64, lane: L, narrates: bool) -> Played {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(perform(seed, lane, narrates))
}

async fn perform<L: Lane>(seed: u64, lane: L, narrates: bool) -> Played {
    let drama = Drama::of(seed, lane.is_wired());
    let simulator = drama.scenario.clone().build();
    let court = Court::new(Judge::new(drama.clone(), narrates), drama.dice.clone(), drama.dawdling);
    let config = Config::from_variables(drama.variables.clone()).expect("a right configuration");
    let (ec2, sns, ssm) = lane.doors(&simulator, seed);
    let (quiet_ec2, quiet_sns, quiet_ssm) = below::doors(&simulator, names::TOPIC);
    let quiet = (
        Door::new(quiet_ec2, court.clone(), simulator.clone()),
        Door::new(quiet_sns, court.clone(), simulator.clone()),
        Door::new(quiet_ssm, court.clone(), simulator.clone()),
    );
    let stage = Stage {
        ec2: Door::new(ec2, court.clone(), simulator.clone()),
        sns: Door::new(sns, court.clone(), simulator.clone()),
        ssm: Door::new(ssm, court.clone(), simulator.clone()),
        idle: RefCell::new(Vec::new()),
        quiet: Failover::new(config.clone(), quiet, Box::new(|_| ())),
        drama,
        simulator,
        court,
        config,
    };
    stage.set_up();
    stage.run_entries().await;
    stage.converge().await;
    let judge = stage.court.judge();
    let story = if narrates { judge.story() } else { String::new() };
    Played { drama: stage.drama.clone(), violations: judge.violations.clone(), tally: judge.tally.clone(), story }
}

/// When every drama begins.
pub(crate) fn epoch() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).expect("a time")
}

type Function<E, S, M> = Failover<(Door<E>, Door<S>, Door<M>)>;

struct Stage<E: Ec2, S: Sns, M: Ssm> {
    drama: Drama,
    simulator: Simulator,
    court: Court,
    config: Config,
    ec2: Door<E>,
    sns: Door<S>,
    ssm: Door<M>,
    /// Processes of the function that wait for something to do.
    idle: RefCell<Vec<Rc<Function<E, S, M>>>>,
    /// Another process, for the time when all is quiet. Nothing fails then, so the cheap lane will do.
    quiet: Function<BelowEc2, BelowSns, BelowSsm>,
}

/// How an invocation ended.
enum Fate {
    Answered(Box<Result<Report, Failure>>),
    Killed,
    Overran,
}

impl Fate {
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

impl<E, S, M> Stage<E, S, M>
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

    /// The judge takes a seat, and everybody learns when to act.
    fn set_up(&self) {
        let court = self.court.clone();
        self.simulator.observe(move |now, moment, world| {
            court.judge().observe(now, moment, world, current_run());
        });
        self.simulator.world(|world| self.court.judge().begins(world));
        let index = self.drama.device_index;
        for cue in self.drama.acts.clone() {
            let court = self.court.clone();
            let perform = move |world: &mut World, act: &Act| {
                if !court.judge().is_over {
                    court.judge().acts(act, world);
                    act.perform(world, index);
                }
            };
            match cue {
                Cue::At(time, act) => self.simulator.at(time, move |world| perform(world, &act)),
                Cue::Near { action, nth, before, act } => {
                    let when = if before { When::Before } else { When::After };
                    self.simulator.on_call(action, nth, when, move |world| perform(world, &act));
                }
            }
        }
        let court = self.court.clone();
        let faults = self.drama.faults.clone();
        self.simulator.disrupt(move |call| disrupt(&court, &faults, call));
        // What is to happen at the beginning happens now.
        self.simulator.world(|_| ());
    }

    async fn run_entries(&self) {
        let mut running: FuturesUnordered<_> = self.drama.entries.iter().map(|entry| self.run_entry(entry)).collect();
        while running.next().await.is_some() {}
    }

    /// An invocation, and the two tries that Lambda adds if it fails: after a minute, and after two more.
    async fn run_entry(&self, entry: &Entry) {
        sleep(entry.at).await;
        let mut kill = entry.kill;
        for pause in [60, 120, 0] {
            let fate = self.invoke(&entry.what, entry.time, kill.take()).await;
            let failed = match &fate {
                Fate::Answered(answer) => answer.is_err(),
                Fate::Killed | Fate::Overran => true,
            };
            if !failed || !entry.retried || pause == 0 {
                break;
            }
            sleep(Duration::from_secs(pause)).await;
        }
    }

    /// Lambda takes a process that is idle, or starts one. A process that was killed never comes back.
    async fn invoke(&self, what: &What, time: Duration, kill: Option<Kill>) -> Fate {
        let idle = self.idle.borrow_mut().pop();
        let function = idle.unwrap_or_else(|| {
            let doors = (self.ec2.clone(), self.sns.clone(), self.ssm.clone());
            Rc::new(Failover::new(self.config.clone(), doors, Box::new(|_| ())))
        });
        let fate = self.invoke_process(&function, what, time, kill).await;
        if let Fate::Answered(_) = fate {
            self.idle.borrow_mut().push(function);
        }
        fate
    }

    async fn invoke_process<P: Ports>(
        &self,
        function: &Failover<P>,
        what: &What,
        time: Duration,
        kill: Option<Kill>,
    ) -> Fate {
        let number = self.court.judge().begin(what, self.now(), time, kill);
        let deadline = Instant::now() + time;
        let received_at = self.time_of_day();
        let invocation = Invocation {
            payload: what.payload(&received_at.to_rfc3339_opts(SecondsFormat::Secs, true)),
            request_id: format!("5e1b6a9e-0000-4000-8000-{number:012}"),
            received_at,
            deadline,
        };
        let fate = {
            let mut handling = pin!(RUN.scope(number, function.handle(invocation)));
            let kill_at = if let Some(Kill::After(time)) = kill { Instant::now() + time } else { deadline + time };
            let mut killing = pin!(sleep_until(kill_at));
            let mut ending = pin!(sleep_until(deadline));
            poll_fn(|context| {
                if let Poll::Ready(answer) = handling.as_mut().poll(context) {
                    return Poll::Ready(Fate::Answered(Box::new(answer)));
                }
                if self.court.judge().runs[number].killed || killing.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Fate::Killed);
                }
                if ending.as_mut().poll(context).is_ready() { Poll::Ready(Fate::Overran) } else { Poll::Pending }
            })
            .await
        };
        self.simulator.world(|_| ());
        let now = self.now();
        match &fate {
            Fate::Answered(answer) => {
                self.court.judge().answered(number, now, answer);
                self.after_answer(number, now, answer);
            }
            Fate::Killed => self.court.judge().killed(number, now),
            Fate::Overran => self.court.judge().overran(number, now),
        }
        fate
    }

    fn after_answer(&self, number: usize, now: Duration, answer: &Result<Report, Failure>) {
        match answer {
            Ok(report) => {
                let attachment = report.movement.as_ref().and_then(|movement| movement.attachment_id.as_ref());
                if let Some(attachment) = attachment {
                    self.judge_attachment(number, now, attachment.as_str());
                }
            }
            Err(Failure::InterfaceNotAttached { .. }) => self.judge_stranded(number, now),
            Err(_) => {}
        }
    }

    /// Law 9: after a move that nothing disturbed, the interface outlives its instance.
    fn judge_attachment(&self, number: usize, now: Duration, attachment: &str) {
        let deletes = self.simulator.world(|world| {
            let present = world.attachment_of(names::INTERFACE);
            present.is_some_and(|present| present.id == attachment && present.delete_on_termination)
        });
        let mut judge = self.court.judge();
        let run = &judge.runs[number];
        let excused = run.disturbed || !run.made.contains(attachment) || judge.tampered.contains(attachment);
        if !excused && self.drama.faults.denied.is_empty() {
            judge.hold(9, now, !deletes, || format!("[{number}] left DeleteOnTermination true on {attachment}"));
        }
    }

    /// Law 5: what no standby took goes back to where it was, if it can.
    fn judge_stranded(&self, number: usize, now: Duration) {
        let (excused, former) = {
            let judge = self.court.judge();
            let run = &judge.runs[number];
            (run.disturbed || judge.has_rival(number), run.took_from.first().map(ToString::to_string))
        };
        let Some(former) = former.filter(|_| !excused) else { return };
        let could = self.simulator.world(|world| {
            let free = world.interface(names::INTERFACE).is_some_and(|interface| interface.attachment.is_none());
            let region = world.region();
            let room = region.instance(&former).is_ok_and(|instance| {
                let alive = matches!(instance.state, InstanceState::Running | InstanceState::Stopped);
                let blocked = instance.blocked_indexes.contains(&self.drama.device_index);
                alive && !blocked && region.interfaces_of(&former).len() < instance.interface_limit
            });
            free && room
        });
        self.court.judge().hold(5, now, !could, || {
            format!("[{number}] leaves it attached to nothing, and {} could take it back", called(&former))
        });
    }

    // ---- When all is over ----

    /// Faults stop, the others go home, time passes, and the schedule comes once more.
    async fn converge(&self) {
        self.judge_messages_of_quiet_worlds();
        let last = {
            let mut judge = self.court.judge();
            judge.ends();
            judge.runs.iter().map(|run| run.deadline).max().unwrap_or_default()
        };
        let now = self.now();
        let quiet = last.max(now) + Duration::from_secs(300);
        sleep(quiet - now).await;
        self.simulator.world(|_| ());
        // A pause has its end, too, which the function may see a little later.
        let paused_until = self.court.judge().paused_until().unwrap_or_default();
        sleep((paused_until + Duration::from_secs(60)).saturating_sub(self.now())).await;
        self.simulator.world(|_| ());
        self.court.judge().tell(self.now(), || "---- all is quiet; one more reconcile ----".to_owned());
        let mut fate = self.reconcile().await;
        // With four members and two moves an hour, the last one gets its turn in the second hour. A slow attach takes two runs.
        for round in 0..24 {
            if round >= 8 && !self.could_still_serve() {
                break;
            }
            match fate.reason().as_deref() {
                // The limit is not forever.
                Some("too-many-moves") if !self.drama.may_not_move => {
                    if self.has_looked_since_it_arrived() {
                        self.judge_repetition("too-many-moves").await;
                    }
                    sleep(Duration::from_secs(3700)).await;
                    self.court.judge().tell(self.now(), || "---- an hour later, one more reconcile ----".to_owned());
                }
                // What could not be started gives the interface up to another stopped one only in the run after. And an attach may
                // take longer than an invocation.
                Some(
                    "standby-not-started"
                    | "holder-not-started"
                    | "returned-to-former-holder"
                    | "still-attaching"
                    | "DeadlineReached",
                ) => {
                    sleep(Duration::from_secs(60)).await;
                }
                // What is still on its way is for the run after it has arrived.
                _ if self.is_arriving() => sleep(Duration::from_secs(120)).await,
                _ => break,
            }
            fate = self.reconcile().await;
        }
        let (Some(outcome), Fate::Answered(answer)) = (fate.reason(), &fate) else { return };
        // What was started may come up.
        sleep(Duration::from_secs(200)).await;
        self.simulator.world(|_| ());
        let end = self.simulator.world(|world| End::of(&self.drama, world));
        let settled = self.judge_convergence(&end, &outcome, answer.is_ok());
        self.judge_reports(end.is_open);
        self.judge_waking(&end);
        self.court.judge().judge_pauses(self.now());
        if settled {
            self.judge_repetition(&outcome).await;
        }
    }

    /// Whether the last run began after the interface had arrived where it is. What arrived later is for the next one.
    fn has_looked_since_it_arrived(&self) -> bool {
        if self.is_arriving() {
            return false;
        }
        let judge = self.court.judge();
        let began = judge.runs.last().map(|run| run.began).unwrap_or_default();
        judge.landings.last().is_none_or(|landing| landing.at <= began)
    }

    /// Whether the interface is on its way, or a member could take it and serve.
    fn could_still_serve(&self) -> bool {
        self.is_arriving() || self.simulator.world(|world| !End::of(&self.drama, world).able.is_empty())
    }

    /// Whether EC2 is still attaching the interface.
    fn is_arriving(&self) -> bool {
        self.simulator.world(|world| {
            let attachment = world.interface(names::INTERFACE).and_then(|interface| interface.attachment.as_ref());
            attachment.is_some_and(|attachment| attachment.status == AttachmentStatus::Attaching)
        })
    }

    async fn reconcile(&self) -> Fate {
        self.invoke_process(&self.quiet, &What::Reconcile { dry_run: false }, Duration::from_secs(300), None).await
    }

    /// Law 12: once more does nothing.
    async fn judge_repetition(&self, outcome: &str) {
        let number = self.court.judge().runs.len();
        self.reconcile().await;
        let now = self.now();
        let mut judge = self.court.judge();
        let changes: Vec<String> =
            judge.runs[number].changes.iter().filter(|change| !change.starts_with("remove")).cloned().collect();
        judge.hold(12, now, changes.is_empty(), || {
            format!("after {outcome} one more reconcile changes something: {changes:?}")
        });
    }

    /// Laws 5, 8, 9 and 14, when nothing goes wrong any longer. Returns whether one more run has nothing to do.
    fn judge_convergence(&self, end: &End, outcome: &str, answered: bool) -> bool {
        let now = self.now();
        let mut judge = self.court.judge();
        judge.tell(now, || format!("the end: {end:?}"));
        let refused = |judge: &mut Judge, reason: &str| {
            judge.hold(3, now, outcome == reason, || format!("{end:?}, and the answer is {outcome}, not {reason}"));
            true
        };
        let settled = match &end.place {
            Place::Missing => refused(&mut judge, "interface-missing"),
            Place::Stranger => refused(&mut judge, "held-by-stranger"),
            Place::Transit => {
                judge.break_law(5, now, format!("the interface is in transit forever: {end:?}"));
                false
            }
            Place::Nowhere => {
                let nobody = end.able.is_empty();
                judge.hold(5, now, nobody, || format!("attached to nothing, and {outcome}: {end:?}"));
                outcome == "no-viable-standby" && !end.tries_again
            }
            Place::Healthy => {
                judge.hold(14, now, true, String::new);
                true
            }
            // It could only be started, and there is no capacity: that is tried again and again, or not at all.
            Place::Failed { primary: true, could_start: false, .. }
                if outcome == "holder-not-started" || (self.drama.may_not_move && outcome == "too-many-moves") =>
            {
                false
            }
            Place::Failed { primary: true, could_start: false, .. } => refused(&mut judge, "primary-interface"),
            Place::Failed { hung: true, .. } if !self.drama.may_force => false,
            Place::Failed { could_start, .. } if self.drama.may_not_move && (*could_start || !end.able.is_empty()) => {
                refused(&mut judge, "too-many-moves")
            }
            Place::Failed { could_start, .. } => {
                let nobody = end.able.is_empty() && !could_start;
                judge.hold(14, now, nobody, || format!("on a failed holder, and {outcome}: {end:?}"));
                outcome == "no-viable-standby" && !end.tries_again
            }
        };
        let attached = matches!(end.place, Place::Healthy | Place::Stranger | Place::Failed { .. });
        // What arrived only after the last run had looked is for the next one.
        let last_looked = judge.runs.last().map(|run| run.began).unwrap_or_default();
        let has_looked_since = judge.landings.last().is_none_or(|landing| landing.at <= last_looked);
        if attached && answered && !end.is_open && has_looked_since {
            judge.hold(8, now, end.owed.is_empty(), || format!("still owed: {:?}", end.owed));
        }
        // Without a note nobody knows that the attach was this function's.
        let made = |run: &Run, id: &str| run.made.contains(id) && !run.note_failed;
        let mine = end.attachment.as_ref().is_some_and(|id| judge.runs.iter().any(|run| made(run, id)));
        let tampered = end.attachment.as_ref().is_some_and(|id| judge.tampered.contains(id));
        if answered && (self.drama.repairs_termination || (mine && !tampered)) && settled && attached {
            let deletes = end.deletes && !matches!(end.place, Place::Stranger);
            let excused = matches!(end.place, Place::Failed { .. });
            judge.hold(9, now, !deletes || excused, || format!("DeleteOnTermination is true: {end:?}"));
        }
        settled && answered && has_looked_since
    }

    /// Law 8: every move is reported.
    fn judge_reports(&self, is_open: bool) {
        let now = self.now();
        let mut judge = self.court.judge();
        // The interface takes its notes with it; and one that is attached to nothing is in the middle of its move.
        if judge.is_gone || is_open {
            return;
        }
        // What arrived only after the last run had looked is for the next one.
        let last_looked = judge.runs.last().map(|run| run.began).unwrap_or_default();
        // What one run does is one move, from where its first attach found the interface to where its last one left it.
        let mut moves: Vec<Vec<Landing>> = Vec::new();
        for landing in &judge.landings {
            match moves.last_mut() {
                Some(last) if last[0].by.is_some() && last[0].by == landing.by => last.push(landing.clone()),
                _ => moves.push(vec![landing.clone()]),
            }
        }
        for landings in moves {
            let (first, last) = (&landings[0], &landings[landings.len() - 1]);
            let Some(by) = first.by.filter(|_| last.at <= last_looked) else { continue };
            if first.from.as_ref() == Some(&last.to) || judge.runs[by].note_failed {
                continue;
            }
            // The report of a problem's end has the problem's reason.
            let is_failed =
                |reason: &str, published: &Published| published.outcome == "failed" && published.reason == reason;
            let is_reported = judge.published.iter().any(|published| {
                let moved = published.outcome == "moved" || is_failed("standby-not-started", published);
                let same = landings.iter().any(|landing| published.attachment.as_ref() == Some(&landing.attachment));
                let later = published.at >= first.at;
                // Whoever undid the move by hand before it was reported has made another story of it.
                let ends = [Some(&last.to), first.from.as_ref()];
                let run = &judge.runs[by];
                let found_it_free = published.from.is_none() && run.left.keys().all(|left| run.made.contains(left));
                let told = published.from == first.from || found_it_free || ends.contains(&published.to.as_ref());
                let undone = is_failed("returned-to-former-holder", published);
                moved && (same || (later && told)) || (later && (undone || published.reason == "report-was-owed"))
            });
            judge.hold(8, now, is_reported, || {
                let from = first.from.as_deref().map_or("nothing", called);
                format!("the move from {from} to {} by [{by}] was never reported", called(&last.to))
            });
        }
    }

    /// Law 13: an instance that ran already when a run brought it the interface was told to wake, at least once, or somebody was
    /// told that it may not have been.
    fn judge_waking(&self, end: &End) {
        let now = self.now();
        let mut judge = self.court.judge();
        let Some(last) = judge.landings.last().cloned().filter(|_| self.drama.wakes) else { return };
        let is_there = end.attachment.as_ref() == Some(&last.attachment) && matches!(end.place, Place::Healthy);
        let Some(by) = last.by.filter(|_| is_there && last.ran && self.drama.is_member(&last.to)) else { return };
        // Nor does anybody know of a second attach of a run, whose answer was lost, and that took effect when the run had ended.
        let is_second = judge.landings.iter().rev().skip(1).any(|landing| landing.by == last.by);
        if is_second && judge.runs[by].ended_at.is_some_and(|ended| ended < last.at) {
            return;
        }
        // Without a note nobody knows that the attach was this function's.
        if judge.runs[by].note_failed {
            return;
        }
        // One that was stopped since, and started again, has found the interface at boot.
        if judge.has_recovered_since(&last.to, last.at) {
            return;
        }
        let woken = judge.wakings.iter().any(|(at, instance)| *instance == last.to && *at >= last.at);
        let told = judge.told_asleep.iter().any(|at| *at >= last.at);
        judge.hold(13, now, woken || told, || {
            format!("{} got the interface by [{by}] and was never woken", called(&last.to))
        });
    }

    /// Where nothing goes wrong: one move and one message.
    fn judge_messages_of_quiet_worlds(&self) {
        if self.drama.pauses {
            return;
        }
        let now = self.now();
        let mut judge = self.court.judge();
        let asked = |run: &Run| run.what.is_operators_failover() || matches!(run.what, What::Spot { .. });
        let asked = judge.runs.iter().any(asked);
        let moves = judge.landings.iter().filter(|landing| landing.by.is_some());
        let moves = moves.filter(|landing| landing.from.as_ref() != Some(&landing.to)).count();
        let landings = judge.landings.iter().filter(|landing| landing.by.is_some()).count();
        // What runs owe that could not complete their move, runs that overlap may tell twice.
        let has_failed = judge.published.iter().any(|published| published.outcome == "failed");
        let told = judge.published.iter().filter(|published| published.outcome == "moved");
        let told = told.filter(|published| !has_failed || published.reason != "report-was-owed").count();
        match self.drama.kind {
            Kind::Ordinary => {
                let messages = judge.published.len();
                judge.hold(8, now, messages == 1, || format!("{messages} messages, and nothing special happened"));
                let due = moves == 1 || (moves == 0 && self.drama.may_not_move);
                judge.hold(7, now, due && told == moves, || format!("{moves} moves and {told} told"));
            }
            Kind::Overlapping if !asked && !self.drama.lacks_capacity => {
                // While EC2 attaches slowly, a better standby may come up, and the run that continues then moves on.
                let most = if self.drama.attaches_slowly { 2 } else { 1 };
                judge.hold(7, now, moves <= most && told <= landings, || format!("{moves} moves, and {told} told"));
            }
            _ => {}
        }
    }
}

/// Where the interface is in the end.
#[derive(Debug, Clone)]
enum Place {
    Missing,
    Stranger,
    Transit,
    Nowhere,
    Healthy,
    Failed {
        primary: bool,
        hung: bool,
        /// It is stopped, and nothing keeps it from being started where it is.
        could_start: bool,
    },
}

/// What is true in the end.
#[derive(Debug, Clone)]
struct End {
    place: Place,
    attachment: Option<String>,
    /// Attached to nothing, or forever on its way there.
    is_open: bool,
    deletes: bool,
    owed: Vec<String>,
    /// Members that could take the interface, and would run.
    able: Vec<String>,
    /// A member is stopped, and there is no capacity to start it: that is tried again and again.
    tries_again: bool,
}

impl End {
    fn of(drama: &Drama, world: &World) -> Self {
        let region = world.region();
        let able = drama.members.iter().filter(|member| {
            let Ok(instance) = region.instance(member) else { return false };
            let others: Vec<_> =
                region.interfaces_of(member).into_iter().filter(|other| other.id != names::INTERFACE).collect();
            let taken = others.iter().any(|other| {
                other.attachment.as_ref().is_some_and(|attachment| attachment.device_index == drama.device_index)
            });
            let room = others.len() < instance.interface_limit && !taken;
            let runs = match instance.state {
                InstanceState::Running => !instance.is_impaired(),
                InstanceState::Stopped => drama.start_standby && instance.capacity == Capacity::Available,
                _ => false,
            };
            let blocked = instance.blocked_indexes.contains(&drama.device_index);
            instance.availability_zone == names::ZONE && room && runs && !blocked
        });
        let mut able: Vec<String> = able.map(|member| (*member).to_owned()).collect();
        let interface = world.interface(names::INTERFACE);
        let attachment = interface.and_then(|interface| interface.attachment.as_ref());
        let place = match (interface, attachment) {
            (None, _) => Place::Missing,
            (Some(_), None) => Place::Nowhere,
            (Some(_), Some(at)) => {
                let hung_leaving = at.status == AttachmentStatus::Detaching
                    && region.instance(&at.instance_id).is_ok_and(|instance| instance.hung);
                if !drama.is_member(&at.instance_id) {
                    Place::Stranger
                } else if at.status != AttachmentStatus::Attached && !hung_leaving {
                    Place::Transit
                } else {
                    let healthy = region.instance(&at.instance_id).is_ok_and(|instance| {
                        instance.state == InstanceState::Running && !(drama.on_impaired && instance.is_impaired())
                    });
                    let hung = region.instance(&at.instance_id).is_ok_and(|instance| instance.hung);
                    let could_start = region.instance(&at.instance_id).is_ok_and(|instance| {
                        let startable = drama.start_standby && instance.capacity == Capacity::Available;
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
        let tags = interface.into_iter().flat_map(|interface| interface.tags.iter());
        let owed = tags.filter(|(key, _)| key.starts_with("token-failover:owed:"));
        Self {
            place,
            attachment: attachment.map(|attachment| attachment.id.clone()),
            is_open: attachment.is_none_or(|attachment| attachment.status != AttachmentStatus::Attached),
            deletes: attachment.is_some_and(|attachment| attachment.delete_on_termination),
            owed: owed.map(|(key, value)| format!("{key} = {value}")).collect(),
            able,
            tries_again: drama
                .members
                .iter()
                .filter_map(|member| region.instance(member).ok())
                .any(|member| member.state == InstanceState::Stopped && member.capacity != Capacity::Available),
        }
    }
}

/// The actions in whose answers the SDK looks for nothing, so that any body will do.
const ANSWERED_WITHOUT_CONTENT: [&str; 5] =
    ["CreateTags", "DeleteTags", "DetachNetworkInterface", "DisassociateAddress", "ModifyNetworkInterfaceAttribute"];

/// What happens to a call.
fn disrupt(court: &Court, faults: &Faults, call: &CallInfo) -> Disruption {
    let number = current_run();
    let mut judge = court.judge();
    if judge.is_over {
        return Disruption::None;
    }
    let mut dice = court.dice();
    if let Some(number) = number
        && judge.runs[number].dies_calling
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
        fault.is_none() && action.starts_with("Describe") && call.now < judge.last_change + *window && dice.percent(50)
    });
    // A change that is answered with 200 and was not made is a lie that nobody could see through.
    let is_lie = fault == Some(Fault::Nonsense) && ANSWERED_WITHOUT_CONTENT.contains(&action);
    let fault = if is_lie { Some(Fault::DropBefore) } else { fault };
    let (fault, disruption) = match (fault, stale) {
        (Some(fault), _) => (fault, fault.disruption(&mut dice)),
        (None, Some(window)) => {
            let most = u64::try_from(window.as_millis()).expect("a short time");
            (Fault::Stale, Disruption::Stale(dice.milliseconds(1, most)))
        }
        (None, None) => return Disruption::None,
    };
    judge.disturbs(call, number, fault, &disruption);
    disruption
}
