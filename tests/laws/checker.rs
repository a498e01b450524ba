//! The checker receives everything that happens in a world and applies the laws.
//!
//! A law limits what a run may do with what it knows. The checker therefore records what each run has read, and checks
//! every change at the moment at which the run decides to make it. It also checks the change against the true state of
//! the world; that check allows for answers that were old.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use simulator::world::region::{AttachmentStatus as TrueStatus, InstanceState as TrueState, Region};
use simulator::world::{Process, Service, World};
use simulator::{Call, CallInfo, Disruption, Moment, Outcome as CallOutcome, names};
use token_failover::model::change::Attach;
use token_failover::model::error::{CallError, Meaning};
use token_failover::model::failure::Failure;
use token_failover::model::finding::FindingCode;
use token_failover::model::ids::{AttachmentId, InstanceId};
use token_failover::model::observation::{
    AttachmentStatus, Instance, InstanceState, InstanceStatus, LifecycleState, NetworkInterface, StatusChecks,
};
use token_failover::model::report::{Outcome, Report};
use token_failover::model::tags::{ATTACHED, REFUSED};

use super::play::epoch;
use super::scenario::{Act, Fault, Kill, Request, Scenario, called};

/// The tag that holds a pause.
const PAUSED: &str = "token-failover:paused";

/// Whether AWS may interrupt the instance within an hour.
pub(crate) fn is_near(code: &str, description: &str, not_before: Option<DateTime<Utc>>, now: Duration) -> bool {
    let is_over = ["[Completed]", "[Canceled]"].iter().any(|word| description.starts_with(word));
    let begins = not_before.map(|date| date - TimeDelta::hours(1));
    let is_near = begins.is_some_and(|begins| begins <= epoch() + TimeDelta::from_std(now).expect("a short time"));
    code != "something-new" && !is_over && is_near
}

/// A law that was broken.
#[derive(Debug, Clone)]
pub(crate) struct Violation {
    /// Its number in ARCHITECTURE.md.
    pub(crate) law: u8,
    pub(crate) what: String,
}

/// The figures of one world or of many.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) invocations: u64,
    pub(crate) killed: u64,
    /// Runs that asked EC2 to move the interface.
    pub(crate) failovers: u64,
    /// Those in whose world a call failed, an invocation was killed or another actor acted.
    pub(crate) failovers_with_faults: u64,
    pub(crate) calls: u64,
    pub(crate) messages: u64,
    pub(crate) faults: BTreeMap<Fault, u64>,
    pub(crate) acts: u64,
    /// The number of times that each law was applied.
    pub(crate) laws: [u64; 18],
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.invocations += other.invocations;
        self.killed += other.killed;
        self.failovers += other.failovers;
        self.failovers_with_faults += other.failovers_with_faults;
        self.calls += other.calls;
        self.messages += other.messages;
        self.acts += other.acts;
        for (fault, count) in &other.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
        for (sum, count) in self.laws.iter_mut().zip(other.laws) {
            *sum += count;
        }
    }
}

/// The code of the finding that something else moved the interface.
const MOVED_BY_SOMEBODY: &str = "moved-by-somebody";

/// One invocation, and everything that it knows.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) what: Request,
    pub(crate) began: Duration,
    pub(crate) deadline: Duration,
    pub(crate) kill: Option<Kill>,
    pub(crate) killed: bool,
    pub(crate) ended_at: Option<Duration>,
    /// The number of calls that it has made.
    pub(crate) calls: u64,
    /// The call that it is making is its last one and takes effect late.
    pub(crate) dies_calling: bool,
    /// A fault hit at least one of its calls.
    pub(crate) disturbed: bool,
    /// The last answer about the interface, and whether the last read failed.
    interface: Option<Option<NetworkInterface>>,
    interface_failed: bool,
    has_seen_interface: bool,
    /// The time since which every answer has said that the interface does not exist.
    missing_since: Option<Duration>,
    /// The last answer about all members, and whether the last read failed.
    instances: Option<Vec<Instance>>,
    instances_failed: bool,
    /// `None` if the last read failed.
    checks: Option<BTreeMap<InstanceId, StatusChecks>>,
    /// The members of which it has seen that AWS is about to work on them.
    pub(crate) announced: BTreeSet<InstanceId>,
    /// It took the interface from a holder that runs and is about to go.
    is_early: bool,
    /// The last answer about the lifecycle state of each instance.
    lifecycles: BTreeMap<InstanceId, LifecycleState>,
    /// By attachment: the instance on which it saw the interface, and the last time that it did.
    seen_attached: BTreeMap<String, (InstanceId, Duration)>,
    /// Members that it has seen viable, and members that it has seen alive.
    seen_viable: BTreeSet<InstanceId>,
    /// The instances that any answer has shown as shutting down or terminated.
    seen_final: BTreeSet<InstanceId>,
    seen_alive: BTreeSet<InstanceId>,
    /// Attachments that it asked EC2 to end, each with the time of the last request.
    pub(crate) left: BTreeMap<String, Duration>,
    /// Attachments of which EC2's answer to its attach told it.
    accepted: BTreeSet<String>,
    /// Attachments that it created.
    pub(crate) made: BTreeSet<String>,
    /// Attachments that it has seen end.
    gone: BTreeSet<String>,
    /// Instances to which it asked EC2 to attach the interface.
    targets: BTreeSet<InstanceId>,
    /// Members from which it took the interface.
    pub(crate) took_from: Vec<InstanceId>,
    /// EC2 refused its attach because the interface is in use, and it has not read the interface since.
    must_read_again: bool,
    pub(crate) note_failed: bool,
    pub(crate) changes: Vec<String>,
    pub(crate) published: u64,
    /// The number of messages, and of notes about the mailed problem, whose success it does not know.
    pub(crate) unsure: u32,
    /// The note of a problem that it has written.
    remembered: Option<String>,
    moves: bool,
    /// It has sent the command that activates a token server.
    activated: bool,
}

impl Run {
    fn new(what: Request, began: Duration, deadline: Duration, kill: Option<Kill>) -> Self {
        Self {
            what,
            began,
            deadline,
            kill,
            killed: false,
            ended_at: None,
            calls: 0,
            dies_calling: false,
            disturbed: false,
            interface: None,
            interface_failed: true,
            has_seen_interface: false,
            missing_since: None,
            instances: None,
            instances_failed: true,
            checks: None,
            announced: BTreeSet::new(),
            is_early: false,
            lifecycles: BTreeMap::new(),
            seen_attached: BTreeMap::new(),
            seen_viable: BTreeSet::new(),
            seen_final: BTreeSet::new(),
            seen_alive: BTreeSet::new(),
            left: BTreeMap::new(),
            accepted: BTreeSet::new(),
            made: BTreeSet::new(),
            gone: BTreeSet::new(),
            targets: BTreeSet::new(),
            took_from: Vec::new(),
            must_read_again: false,
            note_failed: false,
            changes: Vec::new(),
            published: 0,
            unsure: 0,
            remembered: None,
            moves: false,
            activated: false,
        }
    }

    /// The note of a problem has been written.
    pub(crate) fn remembers(&mut self, value: &str) {
        self.unsure -= 1;
        self.remembered = Some(value.to_owned());
    }

    /// Whether it has seen that the instance's Auto Scaling group is about to terminate it.
    fn saw_leaving(&self, id: &InstanceId) -> bool {
        matches!(self.lifecycles.get(id), Some(LifecycleState::TerminatingWait | LifecycleState::Terminating))
    }

    fn instance(&self, id: &str) -> Option<&Instance> {
        self.instances.as_ref()?.iter().find(|instance| instance.id.as_str() == id)
    }
}

/// One arrival of the interface on an instance.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) at: Duration,
    pub(crate) attachment: String,
    pub(crate) from: Option<String>,
    pub(crate) to: String,
    /// The run that attached it; `None` for another actor.
    pub(crate) by: Option<usize>,
    /// The instance was already running.
    pub(crate) ran: bool,
}

/// A published report.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub(crate) at: Duration,
    pub(crate) outcome: String,
    pub(crate) reason: String,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) attachment: Option<String>,
}

/// A pause, as the tag of the interface has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pause {
    value: String,
    /// The time at which the tag was written.
    set_at: Duration,
    /// The time since which the function has been paused, by this pause or by those that it replaced.
    since: Duration,
    until: Duration,
    /// The time in the tag at which an operator ended it. A call that takes effect late may write the tag again.
    resumed: Option<Duration>,
}

impl Pause {
    fn is_in_force(&self, now: Duration) -> bool {
        self.resumed.is_none() && now < self.until
    }

    fn ended_at(&self) -> Duration {
        self.resumed.unwrap_or(self.until)
    }
}

/// A mail about a problem, published by the run of this number.
#[derive(Debug, Clone)]
struct ProblemMail {
    /// The reason, and the obstacle for each standby.
    problem: String,
    by: usize,
    /// The run had seen the interface, and so could write its note there.
    could_write: bool,
}

/// The true state of a member over time.
#[derive(Debug, Clone, Default)]
struct History {
    healthy_since: Option<Duration>,
    /// It was healthy before anything happened and has been since.
    from_the_start: bool,
    is_viable: bool,
    was_viable_at: Option<Duration>,
    is_alive: bool,
    was_alive_at: Option<Duration>,
    /// Its group is about to terminate it.
    is_leaving: bool,
    was_leaving_at: Option<Duration>,
}

/// Everything that the checker knows about one world.
pub(crate) struct Checker {
    scenario: Scenario,
    narrates: bool,
    story: Vec<(Duration, String)>,
    told: HashMap<(Option<usize>, String), (Duration, String)>,
    pub(crate) runs: Vec<Run>,
    /// The run that made each call.
    by: HashMap<u64, Option<usize>>,
    faults: HashMap<u64, (Fault, Disruption)>,
    pub(crate) violations: Vec<Violation>,
    pub(crate) tally: Tally,
    histories: BTreeMap<&'static str, History>,
    /// The instance to which the interface was attached last.
    place: Option<String>,
    arrived: Option<String>,
    /// An audit has seen the interface at the beginning.
    was_audited: bool,
    /// By attachment: the run that created it.
    attachments: HashMap<String, Option<usize>>,
    pub(crate) arrivals: Vec<Arrival>,
    /// The attachments of which a report says that something else made them.
    pub(crate) told_foreign: BTreeSet<String>,
    pub(crate) published: Vec<Published>,
    /// The last published message, if it was about a problem that lasts.
    problem_mail: Option<ProblemMail>,
    /// The times of reports that a token server may not have been activated.
    pub(crate) told_inactive: Vec<Duration>,
    /// The times and instances of accepted activation commands.
    pub(crate) activations: Vec<(Duration, String)>,
    /// The current pause of the interface, and all pauses that it has had.
    pause: Option<Pause>,
    pauses: Vec<Pause>,
    messages: usize,
    pub(crate) last_change: Duration,
    last_act: Duration,
    /// Attachments whose DeleteOnTermination another actor has set.
    pub(crate) tampered: BTreeSet<String>,
    /// The interface did not exist at some time.
    pub(crate) is_gone: bool,
    /// The faults and the actions of others have ended.
    pub(crate) is_over: bool,
    was_disturbed: bool,
    revision: u64,
}

impl Checker {
    pub(crate) fn new(scenario: Scenario, narrates: bool) -> Self {
        Self {
            scenario,
            narrates,
            story: Vec::new(),
            told: HashMap::new(),
            runs: Vec::new(),
            by: HashMap::new(),
            faults: HashMap::new(),
            violations: Vec::new(),
            tally: Tally::default(),
            histories: BTreeMap::new(),
            place: None,
            arrived: None,
            was_audited: false,
            is_gone: false,
            is_over: false,
            attachments: HashMap::new(),
            arrivals: Vec::new(),
            told_foreign: BTreeSet::new(),
            published: Vec::new(),
            problem_mail: None,
            told_inactive: Vec::new(),
            activations: Vec::new(),
            pause: None,
            pauses: Vec::new(),
            messages: 0,
            last_change: Duration::ZERO,
            last_act: Duration::ZERO,
            tampered: BTreeSet::new(),
            was_disturbed: false,
            revision: 0,
        }
    }

    pub(crate) fn tell(&mut self, now: Duration, what: impl FnOnce() -> String) {
        if self.narrates {
            let what = what();
            self.story.push((now, what));
        }
    }

    /// The story. A line that repeats is printed once, with a count.
    pub(crate) fn story(&self) -> String {
        let mut text = String::new();
        let mut lines = self.story.iter().peekable();
        while let Some((at, line)) = lines.next() {
            let mut repeats = 0;
            let mut last = *at;
            while let Some((next, _)) = lines.next_if(|(_, next)| next == line) {
                repeats += 1;
                last = *next;
            }
            let _ = write!(text, "{:>9.3} s  {line}", at.as_secs_f64());
            if repeats > 0 {
                let _ = write!(text, "  (and {repeats} times more until {:.3} s)", last.as_secs_f64());
            }
            text.push('\n');
        }
        text
    }

    pub(crate) fn break_law(&mut self, law: u8, now: Duration, what: String) {
        self.tell(now, || format!("!!! LAW {law} IS BROKEN: {what}"));
        self.violations.push(Violation { law, what });
    }

    fn applied(&mut self, law: u8) {
        self.tally.laws[usize::from(law)] += 1;
    }

    /// Applies a law.
    pub(crate) fn hold(&mut self, law: u8, now: Duration, holds: bool, what: impl FnOnce() -> String) {
        self.applied(law);
        if !holds {
            self.break_law(law, now, what());
        }
    }

    /// Records the state of the world at the start.
    pub(crate) fn begins(&mut self, world: &World) {
        let attachment = world.attachment_of(names::INTERFACE);
        self.place = attachment.map(|attachment| attachment.instance_id.clone());
        self.arrived = attachment.map(|attachment| attachment.id.clone());
        self.was_audited = attachment.is_some();
        // Old answers show the world before Auto Scaling's first look at its groups.
        self.observe_members(Duration::ZERO, world.region_before(Duration::MAX));
        self.observe_members(Duration::ZERO, world.region());
    }

    /// Whether a member was unhealthy at some time after `since`.
    pub(crate) fn has_recovered_since(&self, member: &str, since: Duration) -> bool {
        let history = self.histories.get(member);
        history.is_some_and(|history| history.healthy_since.is_none_or(|healthy| healthy > since))
    }

    /// Ends the faults and the actions of others. Only failovers until now count.
    pub(crate) fn ends(&mut self) {
        self.is_over = true;
        if self.was_disturbed {
            self.tally.failovers_with_faults = self.tally.failovers;
        }
    }

    // ---- Invocations ----

    pub(crate) fn begin(&mut self, what: &Request, now: Duration, time: Duration, kill: Option<Kill>) -> usize {
        let number = self.runs.len();
        self.tell(now, || format!("[{number}] INVOKED: {what}, with {time:?} to go"));
        self.runs.push(Run::new(what.clone(), now, now + time, kill));
        self.tally.invocations += 1;
        number
    }

    pub(crate) fn killed(&mut self, number: usize, now: Duration) {
        self.tell(now, || format!("[{number}] KILLED"));
        self.runs[number].killed = true;
        self.runs[number].ended_at = Some(now);
        self.tally.killed += 1;
        self.was_disturbed = true;
    }

    /// Law 10: an invocation answers before its deadline.
    pub(crate) fn answered(&mut self, number: usize, now: Duration, answer: &Result<Report, Failure>) {
        self.tell(now, || match answer {
            Ok(report) => format!("[{number}] ANSWERED: {} ({}): {}", report.outcome, report.reason, report.summary),
            Err(failure) => format!("[{number}] FAILED: {}: {failure}", failure.error_type()),
        });
        self.runs[number].ended_at = Some(now);
        let deadline = self.runs[number].deadline;
        self.hold(10, now, now < deadline, || {
            format!("[{number}] answered at {now:?}, and its deadline was {deadline:?}")
        });
        if let Ok(report) = answer {
            self.check_foreign(number, now, report);
        }
        let what = self.runs[number].what.clone();
        if matches!(what, Request::Pause { .. } | Request::Resume) {
            let understood = !matches!(answer, Err(Failure::InvalidRequest(_)));
            self.hold(15, now, understood, || format!("[{number}] did not understand: {what}"));
            let said = answer.as_ref().is_ok_and(|report| report.outcome.to_string() == "paused");
            let began = self.runs[number].began;
            let is_so = self.pauses.iter().any(|pause| pause.set_at >= began);
            self.hold(15, now, !said || is_so, || {
                format!("[{number}] answered that the function is paused, and it is not")
            });
        }
        let dry = self.runs[number].what.is_dry();
        if let (true, Ok(report)) = (dry, answer) {
            let fits = matches!(report.outcome, Outcome::Planned | Outcome::NoAction);
            self.hold(11, now, fits, || format!("[{number}] is a dry run and answers {}", report.outcome));
        }
    }

    /// Whether no run can know of this arrival: a run asked for a second attach, whose answer was lost, and which took effect
    /// after the last time that this run looked.
    pub(crate) fn is_unknown(&self, arrival: &Arrival) -> bool {
        let mut earlier = self.arrivals.iter().take_while(|other| other.attachment != arrival.attachment);
        let has_seen = |by: usize| {
            let run = &self.runs[by];
            run.accepted.contains(&arrival.attachment) || run.seen_attached.contains_key(&arrival.attachment)
        };
        arrival.by.is_some_and(|by| !has_seen(by)) && earlier.any(|other| other.by == arrival.by)
    }

    /// Law 8: no run says of an attachment that something else made it, if a run of the function has. Without a note no run can
    /// know it.
    fn check_foreign(&mut self, number: usize, now: Duration, report: &Report) {
        let finding = report.findings.iter().find(|finding| finding.code == FindingCode::MovedBySomebody);
        let Some(command) = finding.and_then(|finding| finding.remedy.lines().nth(1)).map(str::to_owned) else {
            return;
        };
        let arrival = self.looked_up(&command).cloned();
        let is_foreign = arrival.as_ref().is_some_and(|arrival| arrival.by.is_none_or(|by| self.runs[by].note_failed));
        self.hold(8, now, is_foreign, || {
            format!("[{number}] takes {arrival:?} for a move by something else: {command}")
        });
        self.told_foreign.extend(arrival.map(|arrival| arrival.attachment));
    }

    /// The arrival about which the finding that something else moved the interface has this command: the first one of its remedy
    /// is about the attachment that was made, the second one about the attachment before.
    fn looked_up(&self, command: &str) -> Option<&Arrival> {
        self.arrivals.iter().find(|arrival| command.contains(&arrival.attachment))
    }

    /// Notes that a mail has told of a move by something else. A run may publish it and not live to answer.
    fn note_told_foreign(&mut self, report: &Value) {
        let findings = report["findings"].as_array().into_iter().flatten();
        let finding = findings.into_iter().find(|finding| finding["code"] == MOVED_BY_SOMEBODY);
        let command = finding.and_then(|finding| finding["remedy"].as_str()?.lines().nth(1));
        let attachment = command.and_then(|command| self.looked_up(command)).map(|arrival| arrival.attachment.clone());
        self.told_foreign.extend(attachment);
    }

    /// Law 8, when everything is quiet: a report has told that something else made this attachment. After a run has begun a move,
    /// no run can know whose move the next one is.
    pub(crate) fn check_told_foreign(&mut self, now: Duration, attached: Option<&str>) {
        let is_there = |last: &&Arrival| last.by.is_none() && attached == Some(last.attachment.as_str());
        let Some(last) = self.arrivals.last().filter(is_there).cloned() else { return };
        let begins = |change: &String| change.contains(ATTACHED);
        if self.is_gone || !self.was_audited || self.runs.iter().any(|run| run.changes.iter().any(begins)) {
            return;
        }
        let is_told = self.told_foreign.contains(&last.attachment);
        self.hold(8, now, is_told, || format!("no report says that something else made {last:?}"));
    }

    pub(crate) fn overran(&mut self, number: usize, now: Duration) {
        self.runs[number].ended_at = Some(now);
        self.was_disturbed = true;
        self.break_law(10, now, format!("[{number}] did not answer before its deadline"));
    }

    /// Whether another run was active, or another actor acted, while this run was active.
    pub(crate) fn has_rival(&self, number: usize) -> bool {
        let began = self.runs[number].began;
        let others = self.runs.iter().enumerate().filter(|(other, _)| *other != number);
        self.last_act >= began || others.map(|(_, run)| run.ended_at).any(|ended| ended.is_none_or(|at| at >= began))
    }

    // ---- What a run reads ----

    pub(crate) fn saw_interface(
        &mut self,
        number: usize,
        now: Duration,
        seen: &Result<Option<NetworkInterface>, CallError>,
    ) {
        let run = &mut self.runs[number];
        match seen {
            Ok(Some(_)) => run.missing_since = None,
            Ok(None) => run.missing_since = run.missing_since.or(Some(now)),
            Err(_) => {}
        }
        run.has_seen_interface |= matches!(seen, Ok(Some(_)));
        run.interface_failed = seen.is_err();
        run.must_read_again = false;
        let is_doubtful = run.missing_since.is_some_and(|since| now < since + Duration::from_secs(15));
        if let Some(interface) = seen.as_ref().ok().filter(|_| !is_doubtful) {
            // An attachment that was detaching, or has disappeared, appears again only in an old answer.
            let attachment = |seen: &Option<NetworkInterface>| seen.as_ref()?.attachment.clone();
            let present = attachment(interface);
            let before = run.interface.as_ref().and_then(attachment);
            let left = before.filter(|before| present.as_ref().is_none_or(|present| present.id != before.id));
            let attached = present.clone().filter(|present| present.status == AttachmentStatus::Attached);
            run.seen_attached.extend(attached.and_then(|at| Some((at.id.to_string(), (at.instance_id?, now)))));
            let leaving = present.filter(|present| present.status == AttachmentStatus::Detaching);
            run.gone.extend([left, leaving].into_iter().flatten().map(|attachment| attachment.id.to_string()));
            // The same holds for the attachments that the pending reports of a free interface name.
            let free = interface.as_ref().filter(|interface| interface.attachment.is_none());
            let notes = free.into_iter().flat_map(|interface| interface.tags.keys());
            run.gone.extend(notes.filter_map(|key| {
                let (attachment, _) = key.strip_prefix("token-failover:owed:")?.rsplit_once(':')?;
                Some(attachment.to_owned())
            }));
            run.interface = Some(interface.clone());
        }
        self.check_standbys(number);
    }

    pub(crate) fn saw_instances(&mut self, number: usize, asked: usize, seen: &Result<Vec<Instance>, CallError>) {
        let all = asked == self.scenario.members.len();
        let run = &mut self.runs[number];
        let ended = seen.iter().flatten().filter(|instance| instance.state.is_final());
        run.seen_final.extend(ended.map(|instance| instance.id.clone()));
        match seen {
            Ok(instances) if all => run.instances = Some(instances.clone()),
            Ok(instances) => {
                let known = run.instances.get_or_insert_default();
                for instance in instances {
                    known.retain(|before| before.id != instance.id);
                    known.push(instance.clone());
                }
            }
            Err(_) => {}
        }
        if all {
            run.instances_failed = seen.is_err();
        }
        self.check_standbys(number);
    }

    /// An answer about all instances with the tag of the members.
    pub(crate) fn saw_all_instances(&mut self, number: usize, seen: &Result<Vec<Instance>, CallError>) {
        self.saw_instances(number, self.scenario.members.len(), seen);
    }

    pub(crate) fn saw_status(
        &mut self,
        number: usize,
        asked: Duration,
        seen: &Result<BTreeMap<InstanceId, InstanceStatus>, CallError>,
    ) {
        let is_announced = |status: &InstanceStatus| {
            status
                .scheduled_events
                .iter()
                .any(|event| is_near(&event.code, &event.description, event.not_before, asked))
        };
        for (id, status) in seen.iter().flatten() {
            let announced = &mut self.runs[number].announced;
            if is_announced(status) {
                announced.insert(id.clone())
            } else {
                announced.remove(id)
            };
        }
        let is_final = |status: &InstanceStatus| status.state.as_ref().is_some_and(InstanceState::is_final);
        let ended = seen.iter().flatten().filter(|(_, status)| is_final(status));
        self.runs[number].seen_final.extend(ended.map(|(id, _)| id.clone()));
        // With a tag, a run reads the checks of new members in a call of their own.
        let adds = self.scenario.is_by_tag.then(|| self.runs[number].checks.take()).flatten();
        let checks = |seen: &BTreeMap<InstanceId, InstanceStatus>| -> BTreeMap<InstanceId, StatusChecks> {
            seen.iter().map(|(id, status)| (id.clone(), status.checks)).collect()
        };
        let now = seen.as_ref().ok().map(checks);
        self.runs[number].checks = now.map(|now| adds.into_iter().flatten().chain(now).collect());
        self.check_standbys(number);
    }

    pub(crate) fn saw_lifecycle_states(
        &mut self,
        number: usize,
        seen: &Result<BTreeMap<InstanceId, LifecycleState>, CallError>,
    ) {
        let run = &mut self.runs[number];
        run.lifecycles.extend(seen.iter().flatten().map(|(id, state)| (id.clone(), state.clone())));
        self.check_standbys(number);
    }

    /// Records the members that this run has seen viable.
    fn check_standbys(&mut self, number: usize) {
        let (start_standby, index) = (self.scenario.start_standby, self.scenario.device_index);
        let run = &mut self.runs[number];
        let (Some(Some(interface)), Some(instances)) = (&run.interface, &run.instances) else { return };
        for instance in instances {
            let checks = run.checks.as_ref().map(|checks| checks.get(&instance.id).copied());
            let able = match instance.state {
                InstanceState::Running => checks.is_some_and(|checks| checks != Some(StatusChecks::Impaired)),
                InstanceState::Stopped => start_standby,
                _ => false,
            };
            let fits = instance.availability_zone == interface.availability_zone
                && instance.vpc_id.as_ref() == Some(&interface.vpc_id)
                && instance
                    .interface_at(i32::try_from(index).expect("a small index"))
                    .is_none_or(|taken| taken.id == interface.id);
            if able && fits {
                run.seen_viable.insert(instance.id.clone());
            }
            if matches!(instance.state, InstanceState::Running | InstanceState::Stopped | InstanceState::Stopping) {
                run.seen_alive.insert(instance.id.clone());
            }
        }
    }

    // ---- What a run decides to do ----

    /// Law 11: a dry run and a plan change nothing.
    pub(crate) fn changes(&mut self, number: usize, now: Duration, what: String) {
        let run = &mut self.runs[number];
        run.changes.push(what.clone());
        // An audit publishes and writes its own tags.
        let is_mark = what.starts_with("publish") || what.starts_with("write") || what.starts_with("remove");
        let may_change = !run.what.is_dry() && (run.what != Request::Audit || is_mark);
        self.hold(11, now, may_change, || format!("[{number}] must change nothing: {what}"));
        if !is_mark {
            self.check_change_while_paused(number, now, &what);
        }
    }

    /// Law 15: during a pause, only an operator's failover changes EC2. A run that began before the pause continues,
    /// and an answer may be older than the pause.
    fn check_change_while_paused(&mut self, number: usize, now: Duration, what: &str) {
        let slack = self.scenario.faults.stale.unwrap_or_default();
        let run = &self.runs[number];
        let held = |pause: &&Pause| pause.is_in_force(now) && run.began > pause.since + slack;
        let Some(until) = self.pause.as_ref().filter(held).map(|pause| pause.until) else { return };
        let may = run.what.is_operators_failover();
        self.hold(15, now, may, || {
            format!("[{number}] makes a change while the function is paused until {until:?}: {what}")
        });
    }

    /// The time at which the current pause ends.
    pub(crate) fn paused_until(&self) -> Option<Duration> {
        self.pause.as_ref().map(Pause::ended_at)
    }

    /// Law 15: no pause is removed before it is over and its end has been mailed.
    fn observe_pause(&mut self, now: Duration, world: &World) {
        let value = world.tag(names::INTERFACE, PAUSED);
        if value == self.pause.as_ref().map(|pause| pause.value.as_str()) {
            return;
        }
        let before = self.pause.take();
        let Some(value) = value else {
            if let Some(before) = before.filter(|_| !self.is_gone) {
                let ended = before.ended_at();
                let told = self.published.iter().any(|mail| mail.outcome == "resumed" && mail.at >= ended);
                self.hold(15, now, told, || format!("a pause was removed before its end was mailed: {before:?}"));
            }
            return;
        };
        let word = |name: &str| value.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        let time = |name: &str| {
            let time: DateTime<Utc> = word(name)?.parse().expect("a time");
            Some((time - epoch()).to_std().expect("a time after the epoch"))
        };
        let until = time("until").expect("a pause has an end");
        let since = before.filter(|before| before.is_in_force(now)).map_or(now, |before| before.since);
        let resumed = time("resumed");
        let pause = Pause { value: value.to_owned(), set_at: now, since, until, resumed };
        if resumed.is_none() {
            self.pauses.push(pause.clone());
        }
        self.pause = Some(pause);
    }

    /// Law 15, when everything is quiet: every pause was mailed, and none is left.
    pub(crate) fn check_pauses(&mut self, now: Duration) {
        if self.is_gone {
            return;
        }
        for pause in self.pauses.clone() {
            let is_about_it = |mail: &&Published| matches!(mail.outcome.as_str(), "paused" | "resumed");
            // A call that takes effect late may write a pause again whose end has been mailed already.
            let first = self.pauses.iter().filter(|other| other.value == pause.value);
            let set_at = first.map(|first| first.set_at).min().unwrap_or(pause.set_at);
            let told = self.published.iter().filter(is_about_it).any(|mail| mail.at >= set_at);
            self.hold(15, now, told, || format!("a pause was not mailed: {pause:?}"));
        }
        let left = self.pause.clone();
        self.hold(15, now, left.is_none(), || format!("a pause that is over is still on the interface: {left:?}"));
    }

    /// Law 4: no change in EC2, except of tags, before the interface and the members were read.
    fn has_read(&mut self, number: usize, now: Duration, what: &str) {
        let run = &self.runs[number];
        // A single answer that the interface does not exist does not end a move.
        let may_exist = run.missing_since.is_none_or(|since| now < since + Duration::from_secs(15));
        let has_read = run.has_seen_interface && may_exist && run.instances.is_some();
        let could_read = run.moves || !(run.interface_failed || run.instances_failed);
        self.hold(4, now, has_read && could_read, || format!("[{number}] could not read EC2: {what}"));
    }

    pub(crate) fn detaches(&mut self, number: usize, now: Duration, attachment: &AttachmentId, force: bool) {
        let id = attachment.as_str();
        let what = format!("detach {id}{}", if force { " by force" } else { "" });
        self.changes(number, now, what.clone());
        self.has_read(number, now, &what);
        self.moves(number);
        let run = &self.runs[number];
        let observed = run.interface.clone().flatten().and_then(|interface| interface.attachment);
        let observed = observed.filter(|observed| observed.id == *attachment);
        self.hold(6, now, observed.is_some(), || format!("[{number}] did not observe the attachment: {what}"));
        let Some(observed) = observed else { return };
        let Some(holder) = observed.instance_id.clone() else { return };
        let is_member = self.scenario.is_member(holder.as_str());
        self.hold(3, now, is_member, || {
            format!("[{number}] takes the interface from {holder}, which is not a member: {what}")
        });
        // A run may give back an interface that it attached itself, or wanted to attach there when another run did.
        let run = &self.runs[number];
        let is_own = run.made.contains(id) || run.targets.contains(&holder);
        self.check_detach_of_healthy(number, now, &holder, observed.status, is_own, &what);
        let is_leaving = observed.status == AttachmentStatus::Detaching;
        self.check_detach_without_standby(number, now, &holder, is_leaving, is_own, &what);
        self.runs[number].left.insert(id.to_owned(), now);
        self.runs[number].took_from.push(holder);
    }

    /// Law 1: no detach from a healthy holder.
    fn check_detach_of_healthy(
        &mut self,
        number: usize,
        now: Duration,
        holder: &InstanceId,
        status: AttachmentStatus,
        is_own: bool,
        what: &str,
    ) {
        let run = &self.runs[number];
        if run.what.is_operators_failover() || status != AttachmentStatus::Attached {
            return;
        }
        let is_spot = run.instance(holder.as_str()).is_some_and(|seen| seen.spot);
        let is_recommended = self.scenario.on_announcement
            && is_spot
            && matches!(run.what, Request::Rebalance { instance } if instance == holder.as_str());
        let is_due = self.scenario.on_announcement && run.announced.contains(holder);
        let is_reclaimed = matches!(run.what, Request::Spot { instance } if instance == holder.as_str());
        let is_announced = is_reclaimed || is_recommended || is_due;
        let saw_leaving = run.saw_leaving(holder) || is_due;
        let has_ended = run.seen_final.contains(holder);
        let is_healthy = match run.instance(holder.as_str()) {
            None => false,
            Some(_) if saw_leaving || has_ended => false,
            Some(instance) if is_announced && instance.spot => false,
            Some(instance) => match &instance.state {
                InstanceState::Running => match run.checks.as_ref().and_then(|checks| checks.get(holder)) {
                    Some(StatusChecks::Impaired) => !self.scenario.on_impaired,
                    _ => true,
                },
                InstanceState::Pending => !is_own,
                InstanceState::Other(_) => true,
                _ => false,
            },
        };
        let fails = self.scenario.on_impaired
            && run.checks.as_ref().is_some_and(|checks| checks.get(holder) == Some(&StatusChecks::Impaired));
        let runs = !has_ended && run.instance(holder.as_str()).is_some_and(|seen| seen.state == InstanceState::Running);
        let is_early = runs && !fails && !is_reclaimed && (run.saw_leaving(holder) || is_recommended || is_due);
        self.runs[number].is_early |= is_early && !is_own;
        let name = called(holder.as_str()).to_owned();
        self.hold(1, now, !is_healthy, || format!("[{number}] has seen {name} healthy: {what}"));
        // A limit of zero moves leaves the interface where it is.
        let may_move = !self.scenario.may_not_move || is_own;
        self.hold(7, now, may_move, || format!("[{number}] moves it although no automatic move is allowed: {what}"));
        // Whatever the run has seen, it does not take the interface from a holder that was healthy for longer than the
        // age of any answer.
        let slack = self.scenario.faults.stale.unwrap_or_default();
        let since = self.histories.get(holder.as_str()).and_then(|history| history.healthy_since);
        let began = self.runs[number].began.saturating_sub(slack);
        let from_the_start = self.histories.get(holder.as_str()).is_some_and(|history| history.from_the_start);
        let was_always = since.is_some_and(|since| since < began) || (from_the_start && slack.is_zero());
        let history = self.histories.get(holder.as_str());
        let was_leaving =
            history.is_some_and(|history| history.is_leaving || history.was_leaving_at.is_some_and(|at| at >= began));
        self.hold(1, now, !was_always || is_announced || is_own || was_leaving, || {
            format!("[{number}] takes the interface from {name}, healthy since {since:?}: {what}")
        });
    }

    /// Law 2: no detach without a viable standby.
    fn check_detach_without_standby(
        &mut self,
        number: usize,
        now: Duration,
        holder: &InstanceId,
        is_leaving: bool,
        is_own: bool,
        what: &str,
    ) {
        let run = &self.runs[number];
        // An interface that is detaching may also go back to the same member.
        let others =
            |seen: &BTreeSet<InstanceId>| seen.difference(&run.seen_final).any(|member| member != holder || is_leaving);
        // An interface that the run attached to a standby it could not start may also go back to the former holder.
        let seen = others(&run.seen_viable) || (is_own && others(&run.seen_alive));
        let slack = self.scenario.faults.stale.unwrap_or_default();
        let began = run.began.saturating_sub(slack);
        let existed = self.histories.iter().any(|(member, history)| {
            let was_there = history.is_viable || history.was_viable_at.is_some_and(|at| at >= began);
            // The answers of one observation are from different moments, so the state that they show together may never
            // have been true.
            let may_have_seemed = history.is_alive || history.was_alive_at.is_some_and(|at| at >= began);
            (*member != holder.as_str() || is_leaving) && (was_there || may_have_seemed)
        });
        self.hold(2, now, seen, || format!("[{number}] has not seen a viable standby: {what}"));
        self.hold(2, now, existed || is_own, || {
            format!("[{number}] detaches although no viable standby exists: {what}")
        });
    }

    pub(crate) fn attaches(&mut self, number: usize, now: Duration, attach: &Attach) {
        let target = attach.instance_id.as_str();
        let what = format!("attach to {}", called(target));
        self.changes(number, now, what.clone());
        self.has_read(number, now, &what);
        self.moves(number);
        let is_right = self.scenario.is_member(target)
            && attach.interface_id.as_str() == names::INTERFACE
            && u32::from(attach.device_index) == self.scenario.device_index;
        self.hold(3, now, is_right, || format!("[{number}] attaches {attach:?}"));
        // Law 1: a running holder hands over only to a member that stays. If none takes the interface, it goes back. If the
        // former holder does not take it either, any member is better than none.
        let run = &self.runs[number];
        let goes_back = run.took_from.contains(&attach.instance_id);
        let is_due = self.scenario.on_announcement && run.announced.contains(&attach.instance_id);
        let stays = !is_due && !run.saw_leaving(&attach.instance_id);
        let is_tried = |member: &InstanceId| run.targets.contains(member);
        let may_stay = |member: &&InstanceId| !run.announced.contains(*member) && !run.saw_leaving(member);
        let mut better = run.seen_viable.difference(&run.seen_final).filter(may_stay);
        let none_takes_it = run.took_from.iter().all(is_tried) && better.all(is_tried);
        let is_better = !run.is_early || goes_back || stays || none_takes_it;
        self.hold(1, now, is_better, || format!("[{number}] leaves a running holder for a member that goes: {what}"));
        let has_seen = !self.runs[number].interface_failed;
        self.hold(4, now, has_seen, || format!("[{number}] could not read the interface: {what}"));
        let run = &mut self.runs[number];
        run.targets.insert(attach.instance_id.clone());
        let looked = !run.must_read_again;
        self.hold(6, now, looked, || {
            format!("[{number}] has not read the interface since EC2 answered that it is in use: {what}")
        });
        let run = &self.runs[number];
        let attachment = run.interface.as_ref().and_then(Option::as_ref).and_then(|seen| seen.attachment.as_ref());
        let is_free = attachment.is_none_or(|attachment| {
            matches!(attachment.status, AttachmentStatus::Detached | AttachmentStatus::Detaching)
                || run.left.contains_key(attachment.id.as_str())
                || run.gone.contains(attachment.id.as_str())
        });
        self.hold(6, now, is_free, || format!("[{number}] has seen the interface in use: {what}"));
    }

    /// Records the answer to an attach.
    pub(crate) fn attach_answered(&mut self, number: usize, answer: &Result<AttachmentId, CallError>) {
        match answer {
            Ok(accepted) => _ = self.runs[number].accepted.insert(accepted.to_string()),
            Err(error) => self.runs[number].must_read_again |= error.meaning == Meaning::InUse,
        }
    }

    fn moves(&mut self, number: usize) {
        if !self.runs[number].moves {
            self.runs[number].moves = true;
            self.tally.failovers += u64::from(!self.is_over);
        }
    }

    /// Law 17: a group may terminate an instance only if the run has seen the interface on another member that runs and stays.
    pub(crate) fn completes(&mut self, number: usize, now: Duration, instance: &InstanceId) {
        let what = format!("complete the lifecycle action of {}", called(instance.as_str()));
        self.changes(number, now, what.clone());
        let run = &self.runs[number];
        let attachment = run.interface.as_ref().and_then(Option::as_ref).and_then(|seen| seen.attachment.as_ref());
        let attached = attachment.filter(|attachment| attachment.status == AttachmentStatus::Attached);
        let holder = attached.and_then(|attachment| attachment.instance_id.clone());
        let serves = holder.as_ref().is_some_and(|holder| {
            let is_running = run.instance(holder.as_str()).is_some_and(|seen| seen.state == InstanceState::Running);
            holder != instance && self.scenario.is_member(holder.as_str()) && is_running && !run.saw_leaving(holder)
        });
        let another = run.instance(instance.as_str()).and_then(|seen| {
            let mut others = seen.interfaces.iter().filter(|one| one.id.as_str() != names::INTERFACE);
            others.find(|one| one.device_index != 0 && !one.delete_on_termination).cloned()
        });
        let could_read = !(run.interface_failed || run.instances_failed);
        self.hold(17, now, another.is_none(), || format!("[{number}] has seen another interface, {another:?}: {what}"));
        self.hold(17, now, serves && could_read, || {
            format!("[{number}] has not seen the interface on another member that runs and stays: {what}")
        });
        // Another run may have moved the interface meanwhile, and an answer may be old.
        let is_there = self.place.as_deref() == Some(instance.as_str());
        let slack = self.scenario.faults.stale.unwrap_or_default();
        let has_just_arrived = self.arrivals.last().is_some_and(|last| last.at + slack >= self.runs[number].began);
        let is_safe = !is_there || has_just_arrived;
        self.hold(17, now, is_safe, || format!("[{number}] lets the holder be terminated: {what}"));
        // Without a note no other run can know of the move.
        let told = |arrival: &Arrival| {
            let is_about_it = |mail: &Published| ["moved", "failed"].contains(&mail.outcome.as_str());
            self.published.iter().any(|mail| is_about_it(mail) && mail.at >= arrival.at)
        };
        let moved = |arrival: &&Arrival| {
            arrival.from.as_deref() == Some(instance.as_str()) && Some(arrival.to.as_str()) == self.place.as_deref()
        };
        let last = self.arrivals.last().filter(moved);
        let untold = last.filter(|last| last.by.is_some_and(|by| !self.runs[by].note_failed) && !told(last)).cloned();
        self.hold(17, now, untold.is_none(), || format!("[{number}] has not reported {untold:?}: {what}"));
    }

    pub(crate) fn repairs(&mut self, number: usize, now: Duration, what: String) {
        self.has_read(number, now, &what);
        self.changes(number, now, what);
    }

    /// Law 13: a token server is activated only on a member where the run has seen the interface.
    pub(crate) fn activates(&mut self, number: usize, now: Duration, instance: &InstanceId) {
        let what = format!("activate {}", called(instance.as_str()));
        self.changes(number, now, what.clone());
        // An old answer may have arrived since, so the check asks only whether the run has ended the attachment. If the
        // run saw it again after all old answers had expired, the detach did not take effect.
        let run = &self.runs[number];
        let has_stayed =
            |id: &str, seen: Duration| run.left.get(id).is_none_or(|asked| seen >= *asked + Duration::from_secs(15));
        let is_there = run.seen_attached.iter().any(|(id, (at, seen))| at == instance && has_stayed(id, *seen));
        let is_right = is_there && self.scenario.is_member(instance.as_str());
        self.hold(13, now, is_right, || format!("[{number}] has not seen the interface on that member: {what}"));
    }

    /// Laws 3 and 11: a run has the license server asked only on a member where it has seen the interface, and neither in
    /// a dry run nor in a plan.
    pub(crate) fn asks(&mut self, number: usize, now: Duration, instance: &InstanceId) {
        let what = format!("ask the license server on {}", called(instance.as_str()));
        let run = &self.runs[number];
        let (is_dry, is_there) = (run.what.is_dry(), run.seen_attached.values().any(|(at, _)| at == instance));
        self.hold(11, now, !is_dry, || format!("[{number}] must change nothing: {what}"));
        let is_right = is_there && self.scenario.is_member(instance.as_str());
        self.hold(3, now, is_right, || format!("[{number}] has not seen the interface on that member: {what}"));
    }

    /// Law 13: each run sends at most one activation command.
    pub(crate) fn activated(&mut self, number: usize, now: Duration, instance: &InstanceId) {
        let first = !self.runs[number].activated;
        self.hold(13, now, first, || format!("[{number}] activates {} twice", called(instance.as_str())));
        self.runs[number].activated = true;
        self.activations.push((now, instance.to_string()));
    }

    // ---- What happens to calls ----

    /// Records a fault that is about to hit a call.
    pub(crate) fn disturbs(&mut self, call: &CallInfo, number: Option<usize>, fault: Fault, disruption: &Disruption) {
        *self.tally.faults.entry(fault).or_default() += 1;
        self.was_disturbed = true;
        if let Some(number) = number {
            self.runs[number].disturbed = true;
        }
        if self.narrates {
            self.faults.insert(call.sequence, (fault, disruption.clone()));
        }
    }

    /// Records an action of another actor that is about to happen.
    pub(crate) fn acts(&mut self, act: &Act, world: &World) {
        self.tell(world.now(), || format!("*** {act}"));
        self.tally.acts += 1;
        self.last_act = world.now();
        self.was_disturbed |= world.now() > Duration::ZERO;
        if let (Act::DeleteOnTermination, Some(attachment)) = (act, world.attachment_of(names::INTERFACE)) {
            self.tampered.insert(attachment.id.clone());
        }
    }

    /// Receives everything that happens in the world.
    pub(crate) fn observe(&mut self, now: Duration, moment: &Moment<'_>, world: &World, number: Option<usize>) {
        match moment {
            Moment::Before(info) => {
                self.by.entry(info.sequence).or_insert(number);
            }
            Moment::After(call) => self.observe_call(now, call, world),
            Moment::Process(process) => self.observe_process(now, process),
            Moment::Actor => {
                if let Some(attachment) = world.attachment_of(names::INTERFACE) {
                    self.attachments.entry(attachment.id.clone()).or_insert(None);
                }
            }
        }
        if world.revision() != self.revision {
            self.revision = world.revision();
            self.last_change = now;
            self.observe_interface(now, world);
            self.observe_pause(now, world);
            self.observe_members(now, world.region());
        }
    }

    /// The line with short names instead of ids.
    fn readable(&self, line: &str) -> String {
        let mut line = line.replace(&format!(" NetworkInterfaceId={}", names::INTERFACE), "");
        for id in self.scenario.members.iter().chain([&names::NON_MEMBER]) {
            line = line.replace(id, called(id));
        }
        line
    }

    fn observe_call(&mut self, now: Duration, call: &Call, world: &World) {
        let number = self.by.get(&call.sequence).copied().flatten();
        self.tally.calls += 1;
        if self.narrates {
            let who = number.map_or_else(|| "?".to_owned(), |number| number.to_string());
            let mut line = self.readable(&call.to_string());
            if let Some((_, disruption)) = self.faults.get(&call.sequence) {
                let _ = write!(line, "   <- {disruption:?}");
            }
            if call.action == "DescribeNetworkInterfaces" && call.outcome == CallOutcome::Ok {
                let place = world.attachment_of(names::INTERFACE);
                let place = place.map(|at| format!("{} {} {}", called(&at.instance_id), at.status.name(), at.id));
                let _ = write!(line, "   (true: {})", place.unwrap_or_else(|| "free".to_owned()));
            }
            // Polling is reported once until something changes.
            let is_read = call.action.starts_with("Describe") && call.outcome == CallOutcome::Ok;
            let key = (number, call.action.to_string());
            let is_told = is_read && self.told.get(&key) == Some(&(self.last_change, line.clone()));
            self.told.insert(key, (self.last_change, line.clone()));
            if !is_told {
                self.tell(now, || format!("[{who}] {line}"));
            }
        }
        if call.outcome == CallOutcome::Late
            && let Some(number) = number
            && self.runs[number].dies_calling
        {
            self.runs[number].killed = true;
        }
        if !call.changed {
            return;
        }
        if call.action == "AttachNetworkInterface"
            && let Some(attachment) = world.attachment_of(names::INTERFACE)
        {
            self.attachments.insert(attachment.id.clone(), number);
            if let Some(number) = number {
                self.runs[number].made.insert(attachment.id.clone());
            }
            // With a duration of zero, the attachment exists at the next step of the world.
            let target = attachment.instance_id.clone();
            let is_member = self.scenario.is_member(&target);
            self.hold(3, now, is_member, || format!("{target} received the interface and is not a member"));
        }
        if call.service == Service::Sns {
            self.observe_message(now, number, world);
        }
    }

    fn observe_process(&mut self, now: Duration, process: &Process) {
        if self.narrates {
            let line = self.readable(&format!("EC2: {process:?}"));
            self.tell(now, || line);
        }
    }

    /// Records an arrival of the interface.
    fn observe_interface(&mut self, now: Duration, world: &World) {
        self.is_gone |= world.interface(names::INTERFACE).is_none();
        let Some(attachment) = world.attachment_of(names::INTERFACE) else { return };
        if attachment.status == TrueStatus::Attached && self.arrived.as_ref() != Some(&attachment.id) {
            self.arrived = Some(attachment.id.clone());
            let by = self.attachments.get(&attachment.id).copied().flatten();
            let to = attachment.instance_id.clone();
            let from = self.place.replace(to.clone());
            let ran = world.region().instance(&to).is_ok_and(|instance| instance.state == TrueState::Running);
            self.arrivals.push(Arrival { at: now, attachment: attachment.id.clone(), from, to, by, ran });
        }
    }

    /// Law 16: the same problem is not mailed twice in a row. It may be mailed again if the first run did not know that
    /// its mail went out, could not write its note, had not ended when the second run began, or if its note was
    /// overwritten. No world lasts the six hours after which a problem is mailed again.
    fn check_repeated_mail(&mut self, now: Duration, by: usize, report: &Value, tag: Option<&str>) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let reason = text(&report["reason"]);
        // A move is mailed each time, and so is the answer to an operator's request.
        let repairs = ["keep ", "disassociate ", "associate ", "authorize "];
        let changes = &self.runs[by].changes;
        let has_repaired = changes.iter().any(|change| repairs.iter().any(|repair| change.starts_with(repair)));
        let is_asked = ["failover", "pause", "resume"].iter().any(|kind| report["trigger"]["kind"] == *kind);
        let is_told_anyway = !report["move"].is_null() || is_asked || has_repaired || reason == "report-was-owed";
        let lasts = ["refused", "failed"].contains(&text(&report["outcome"]).as_str()) && !is_told_anyway;
        let before = self.problem_mail.take();
        // A mail that goes out after its run has ended belongs before the mails of the meantime.
        let is_late = self.runs[by].ended_at.is_some_and(|ended| ended < now);
        if !lasts || is_late {
            return;
        }
        let codes = ["standby-not-viable", "attached-to-nothing", "no-viable-standby"];
        let findings = report["findings"].as_array().into_iter().flatten();
        let obstacles = findings.filter(|finding| codes.iter().any(|code| finding["code"] == *code));
        let obstacles: BTreeSet<String> = obstacles.map(|finding| text(&finding["message"])).collect();
        let problem = format!("{reason} {obstacles:?}");
        let slack = self.scenario.faults.stale.unwrap_or_default();
        let run = &self.runs[by];
        let has_seen = !run.interface_failed && !self.is_gone;
        let knew = |before: &ProblemMail| {
            let first = &self.runs[before.by];
            let wrote = before.could_write && first.unsure == 0 && !first.killed;
            let Some(ended) = first.ended_at.filter(|_| has_seen && wrote) else { return false };
            // Another run, or a call that takes effect late, may have overwritten or removed the note.
            let is_there = first.remembered.is_none() || first.remembered.as_deref() == tag;
            is_there && ended + slack < run.began
        };
        if let Some(before) = before.filter(knew) {
            self.hold(16, now, before.problem != problem, || {
                format!("[{by}] mails the same problem as [{}]: {problem}", before.by)
            });
        }
        self.problem_mail = Some(ProblemMail { problem, by, could_write: has_seen });
    }

    fn observe_message(&mut self, now: Duration, by: Option<usize>, world: &World) {
        let messages = world.messages();
        if messages.len() == self.messages {
            return;
        }
        self.messages = messages.len();
        self.tally.messages += 1;
        let message = messages.last().expect("a message");
        let outcome = message.attributes.get("outcome").map(|outcome| outcome.value.clone()).unwrap_or_default();
        let mut published =
            Published { at: now, outcome, reason: String::new(), from: None, to: None, attachment: None };
        let codes_with_a_place = ["standby-not-started", "returned-to-former-holder"];
        let says_where =
            published.outcome == "moved" || codes_with_a_place.iter().any(|code| message.message.contains(code));
        if self.scenario.needs_activation
            && ["activation-failed", "activation-unfinished"].iter().any(|code| message.message.contains(code))
        {
            self.told_inactive.push(now);
        }
        // Law 14: an interface is published as missing only if it is.
        if message.message.contains("interface-missing") {
            let is_true = self.is_gone;
            self.hold(14, now, is_true, || "published as missing, but the interface always existed".to_owned());
        }
        let is_problem = ["refused", "failed"].contains(&published.outcome.as_str());
        if !is_problem {
            self.problem_mail = None;
        }
        let tells_of_others = message.message.contains(MOVED_BY_SOMEBODY);
        if says_where || is_problem || tells_of_others || self.narrates {
            let document: Value = serde_json::from_str(&message.message).expect("a JSON object");
            let report: Value = serde_json::from_str(document["lambda"].as_str().expect("a string")).expect("a report");
            if let Some(by) = by {
                let interface = world.interface(names::INTERFACE);
                let tag = interface.and_then(|interface| interface.tags.get(REFUSED)).map(String::as_str);
                self.check_repeated_mail(now, by, &report, tag);
            }
            self.note_told_foreign(&report);
            let text = |value: &Value| value.as_str().map(str::to_owned);
            published.reason = text(&report["reason"]).unwrap_or_default();
            published.from = text(&report["move"]["from"]);
            published.to = text(&report["move"]["to"]);
            published.attachment = text(&report["move"]["attachmentId"]);
            let summary = text(&report["summary"]).unwrap_or_default();
            let outcome = &published.outcome;
            let line = format!("      PUBLISHED: {outcome} ({}): {summary}", published.reason);
            self.tell(now, || line);
        } else if message.message.contains("report-was-owed") {
            "report-was-owed".clone_into(&mut published.reason);
        }
        if let Some(number) = by {
            self.runs[number].published += 1;
        }
        // Law 8, second half: a report of a move is true.
        if published.outcome == "moved" {
            let arrived = self.arrivals.iter().any(|arrival| {
                Some(&arrival.to) == published.to.as_ref()
                    && published.attachment.as_ref().is_none_or(|attachment| arrival.attachment == *attachment)
            });
            let is_true = arrived && published.from != published.to;
            self.hold(8, now, is_true, || format!("published as moved, but that is not true: {published:?}"));
        }
        self.published.push(published);
    }

    /// Records the true state of the members.
    fn observe_members(&mut self, now: Duration, region: &Region) {
        let is_first = self.histories.is_empty();
        let interface = region.interface(names::INTERFACE).ok();
        for member in &self.scenario.members {
            let instance = region.instance(member).ok();
            let is_healthy = instance.is_some_and(|instance| {
                instance.state == TrueState::Running && !(self.scenario.on_impaired && instance.is_impaired())
            });
            let is_viable = instance.is_some_and(|instance| {
                let able = match instance.state {
                    TrueState::Running => !instance.is_impaired(),
                    TrueState::Stopped => self.scenario.start_standby,
                    _ => false,
                };
                let taken = region.interfaces_of(member).into_iter().any(|other| {
                    other.id != names::INTERFACE
                        && other.attachment.as_ref().is_some_and(|at| at.device_index == self.scenario.device_index)
                });
                able && !taken && interface.is_some_and(|eni| eni.availability_zone == instance.availability_zone)
            });
            let history = self.histories.entry(member).or_default();
            history.from_the_start = is_healthy && (history.from_the_start || is_first);
            history.healthy_since = if is_healthy { history.healthy_since.or(Some(now)) } else { None };
            if is_viable || history.is_viable {
                history.was_viable_at = Some(now);
            }
            let is_alive =
                instance.is_some_and(|instance| matches!(instance.state, TrueState::Running | TrueState::Stopped));
            if is_alive || history.is_alive {
                history.was_alive_at = Some(now);
            }
            let is_leaving = region.is_leaving_its_group(member);
            if is_leaving || history.is_leaving {
                history.was_leaving_at = Some(now);
            }
            history.is_leaving = is_leaving;
            history.is_alive = is_alive;
            history.is_viable = is_viable;
        }
    }
}
