//! The judge: is told of everything that happens, and knows the laws.
//!
//! A law is about what a run may do by what it knew, so the judge keeps for every run what it read, and judges every call
//! that changes something at the moment at which the run decides to make it. Against what was true in the world it judges
//! as well, but then allows for answers that were old.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use simulator::world::region::{AttachmentStatus as TrueStatus, InstanceState as TrueState};
use simulator::world::{Process, Service, World};
use simulator::{Call, CallInfo, Disruption, Moment, Outcome as CallOutcome, names};
use token_failover::model::change::Attach;
use token_failover::model::error::{CallError, Meaning};
use token_failover::model::failure::Failure;
use token_failover::model::ids::{AttachmentId, InstanceId};
use token_failover::model::observation::{AttachmentStatus, Instance, InstanceState, NetworkInterface, StatusChecks};
use token_failover::model::report::{Outcome, Report};
use token_failover::model::tags::REFUSED;

use super::drama::{Act, Drama, Fault, Kill, What, called};
use super::play::epoch;

/// The tag that holds a pause.
const PAUSED: &str = "token-failover:paused";

/// A law that was broken.
#[derive(Debug, Clone)]
pub(crate) struct Violation {
    /// Its number in the design.
    pub(crate) law: u8,
    pub(crate) what: String,
}

/// What was counted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) invocations: u64,
    pub(crate) killed: u64,
    /// Runs that asked EC2 to move the interface.
    pub(crate) failovers: u64,
    /// Those of them in whose world a call failed, an invocation was killed or somebody else acted.
    pub(crate) failovers_with_faults: u64,
    pub(crate) calls: u64,
    pub(crate) messages: u64,
    pub(crate) faults: BTreeMap<Fault, u64>,
    pub(crate) acts: u64,
    /// How often each law was applied.
    pub(crate) laws: [u64; 17],
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

/// One invocation, and what it knows.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) what: What,
    pub(crate) began: Duration,
    pub(crate) deadline: Duration,
    pub(crate) kill: Option<Kill>,
    pub(crate) killed: bool,
    pub(crate) ended_at: Option<Duration>,
    /// Counts the calls at its doors.
    pub(crate) calls: u64,
    /// Its call at the door is to be the last one, and takes effect late.
    pub(crate) dies_calling: bool,
    /// Whether any of its calls was disturbed.
    pub(crate) disturbed: bool,
    /// The last answer about the interface, and whether the last question got one.
    interface: Option<Option<NetworkInterface>>,
    interface_failed: bool,
    has_seen_interface: bool,
    /// Since when every answer says that the interface does not exist.
    missing_since: Option<Duration>,
    /// The last answer about all members, and whether the last question got one.
    instances: Option<Vec<Instance>>,
    instances_failed: bool,
    /// `None`: the last question got no answer.
    checks: Option<BTreeMap<InstanceId, StatusChecks>>,
    /// Where it saw the interface, and when last, by attachment.
    seen_attached: BTreeMap<String, (InstanceId, Duration)>,
    /// Members that it saw viable, and members that it saw alive.
    seen_viable: BTreeSet<InstanceId>,
    seen_alive: BTreeSet<InstanceId>,
    /// Attachments that it asked to end, and when last, and that it asked for.
    pub(crate) left: BTreeMap<String, Duration>,
    pub(crate) made: BTreeSet<String>,
    /// Attachments that it saw come to an end.
    gone: BTreeSet<String>,
    /// Instances to which it asked EC2 to attach the interface.
    aims: BTreeSet<InstanceId>,
    /// Members from which it took the interface.
    pub(crate) took_from: Vec<InstanceId>,
    /// An attach was refused because the interface is in use, and it has not looked since.
    has_to_look: bool,
    pub(crate) note_failed: bool,
    pub(crate) changes: Vec<String>,
    pub(crate) published: u64,
    /// How many messages, and notes of which problem they were about, it does not know to have got out.
    pub(crate) unsure: u32,
    /// What it has written down of a problem.
    remembered: Option<String>,
    moves: bool,
    /// Whether it has asked for a token server to be woken.
    woke: bool,
}

impl Run {
    fn new(what: What, began: Duration, deadline: Duration, kill: Option<Kill>) -> Self {
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
            seen_attached: BTreeMap::new(),
            seen_viable: BTreeSet::new(),
            seen_alive: BTreeSet::new(),
            left: BTreeMap::new(),
            made: BTreeSet::new(),
            gone: BTreeSet::new(),
            aims: BTreeSet::new(),
            took_from: Vec::new(),
            has_to_look: false,
            note_failed: false,
            changes: Vec::new(),
            published: 0,
            unsure: 0,
            remembered: None,
            moves: false,
            woke: false,
        }
    }

    /// The note of a problem is there.
    pub(crate) fn remembers(&mut self, value: &str) {
        self.unsure -= 1;
        self.remembered = Some(value.to_owned());
    }

    fn instance(&self, id: &str) -> Option<&Instance> {
        self.instances.as_ref()?.iter().find(|instance| instance.id.as_str() == id)
    }
}

/// The interface arrived somewhere.
#[derive(Debug, Clone)]
pub(crate) struct Landing {
    pub(crate) at: Duration,
    pub(crate) attachment: String,
    pub(crate) from: Option<String>,
    pub(crate) to: String,
    /// The run that attached it; none: somebody else.
    pub(crate) by: Option<usize>,
    /// Whether the instance ran already.
    pub(crate) ran: bool,
}

/// Something was published.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub(crate) at: Duration,
    pub(crate) outcome: String,
    pub(crate) reason: String,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) attachment: Option<String>,
}

/// A pause, as it is on the interface.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pause {
    value: String,
    /// When it was written.
    set_at: Duration,
    /// Since when the function has been paused, by this one or those that it has replaced.
    since: Duration,
    until: Duration,
    /// When an operator ended it, by what the tag says: a call that takes effect late may write it once more.
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

/// A problem was published, by the run of this number.
#[derive(Debug, Clone)]
struct Complaint {
    /// The reason, and what stands in each standby's way.
    problem: String,
    by: usize,
    /// Whether it had seen the interface, on which it is to be written down.
    could_write: bool,
}

/// What is true of a member, over time.
#[derive(Debug, Clone, Default)]
struct Fortune {
    healthy_since: Option<Duration>,
    /// It was healthy before anything happened, and ever since.
    from_the_start: bool,
    is_viable: bool,
    was_viable_at: Option<Duration>,
    is_alive: bool,
    was_alive_at: Option<Duration>,
}

/// All that the judge knows.
pub(crate) struct Judge {
    drama: Drama,
    narrates: bool,
    story: Vec<(Duration, String)>,
    told: HashMap<(Option<usize>, String), (Duration, String)>,
    pub(crate) runs: Vec<Run>,
    /// Which run made a call.
    by: HashMap<u64, Option<usize>>,
    faults: HashMap<u64, (Fault, Disruption)>,
    pub(crate) violations: Vec<Violation>,
    pub(crate) tally: Tally,
    fortunes: BTreeMap<&'static str, Fortune>,
    /// Where the interface was attached last.
    place: Option<String>,
    landed: Option<String>,
    /// Attachments by who asked for them.
    attachments: HashMap<String, Option<usize>>,
    pub(crate) landings: Vec<Landing>,
    pub(crate) published: Vec<Published>,
    /// The message that was published last, if it was about a problem that lasts.
    complaint: Option<Complaint>,
    /// When it was told that a token server may not have been woken.
    pub(crate) told_asleep: Vec<Duration>,
    /// When a token server was to be woken, and where.
    pub(crate) wakings: Vec<(Duration, String)>,
    /// The pause that the interface has now, and all that it ever had.
    pause: Option<Pause>,
    pauses: Vec<Pause>,
    messages: usize,
    pub(crate) last_change: Duration,
    last_act: Duration,
    /// Somebody else has set DeleteOnTermination of this attachment.
    pub(crate) tampered: BTreeSet<String>,
    /// The interface was gone at some time.
    pub(crate) is_gone: bool,
    /// Nobody acts anymore, and no call fails.
    pub(crate) is_over: bool,
    troubled: bool,
    revision: u64,
}

impl Judge {
    pub(crate) fn new(drama: Drama, narrates: bool) -> Self {
        Self {
            drama,
            narrates,
            story: Vec::new(),
            told: HashMap::new(),
            runs: Vec::new(),
            by: HashMap::new(),
            faults: HashMap::new(),
            violations: Vec::new(),
            tally: Tally::default(),
            fortunes: BTreeMap::new(),
            place: None,
            landed: None,
            is_gone: false,
            is_over: false,
            attachments: HashMap::new(),
            landings: Vec::new(),
            published: Vec::new(),
            complaint: None,
            told_asleep: Vec::new(),
            wakings: Vec::new(),
            pause: None,
            pauses: Vec::new(),
            messages: 0,
            last_change: Duration::ZERO,
            last_act: Duration::ZERO,
            tampered: BTreeSet::new(),
            troubled: false,
            revision: 0,
        }
    }

    pub(crate) fn tell(&mut self, now: Duration, what: impl FnOnce() -> String) {
        if self.narrates {
            let what = what();
            self.story.push((now, what));
        }
    }

    /// The story, with what is repeated told once.
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

    /// The curtain rises.
    pub(crate) fn begins(&mut self, world: &World) {
        let attachment = world.attachment_of(names::INTERFACE);
        self.place = attachment.map(|attachment| attachment.instance_id.clone());
        self.landed = attachment.map(|attachment| attachment.id.clone());
        self.look_at(Duration::ZERO, world);
    }

    /// Whether a member was unhealthy at some time after this one.
    pub(crate) fn has_recovered_since(&self, member: &str, since: Duration) -> bool {
        let fortune = self.fortunes.get(member);
        fortune.is_some_and(|fortune| fortune.healthy_since.is_none_or(|healthy| healthy > since))
    }

    /// Nobody acts anymore, and no call fails. The failovers until now are those that count.
    pub(crate) fn ends(&mut self) {
        self.is_over = true;
        if self.troubled {
            self.tally.failovers_with_faults = self.tally.failovers;
        }
    }

    // ---- Invocations ----

    pub(crate) fn begin(&mut self, what: &What, now: Duration, time: Duration, kill: Option<Kill>) -> usize {
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
        self.troubled = true;
    }

    /// Law 10: it answers before its deadline.
    pub(crate) fn answered(&mut self, number: usize, now: Duration, answer: &Result<Report, Failure>) {
        self.tell(now, || match answer {
            Ok(report) => format!("[{number}] ANSWERED: {} ({}): {}", report.outcome, report.reason, report.summary),
            Err(failure) => format!("[{number}] FAILED: {}: {failure}", failure.error_type()),
        });
        self.runs[number].ended_at = Some(now);
        let deadline = self.runs[number].deadline;
        self.hold(10, now, now < deadline, || format!("[{number}] answered at {now:?}, its deadline was {deadline:?}"));
        let what = self.runs[number].what.clone();
        if matches!(what, What::Pause { .. } | What::Resume) {
            let understood = !matches!(answer, Err(Failure::InvalidRequest(_)));
            self.hold(15, now, understood, || format!("[{number}] does not understand: {what}"));
            let said = answer.as_ref().is_ok_and(|report| report.outcome.to_string() == "paused");
            let began = self.runs[number].began;
            let is_so = self.pauses.iter().any(|pause| pause.set_at >= began);
            self.hold(15, now, !said || is_so, || format!("[{number}] says that it is paused, and it is not"));
        }
        let dry = self.runs[number].what.is_dry();
        if let (true, Ok(report)) = (dry, answer) {
            let fits = matches!(report.outcome, Outcome::Planned | Outcome::NoAction);
            self.hold(11, now, fits, || format!("[{number}] is a dry run and answers {}", report.outcome));
        }
    }

    pub(crate) fn overran(&mut self, number: usize, now: Duration) {
        self.runs[number].ended_at = Some(now);
        self.troubled = true;
        self.break_law(10, now, format!("[{number}] has not answered when its time is over"));
    }

    /// Whether anybody else did anything while this run was at work.
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
        run.has_to_look = false;
        let is_doubtful = run.missing_since.is_some_and(|since| now < since + Duration::from_secs(15));
        if let Some(interface) = seen.as_ref().ok().filter(|_| !is_doubtful) {
            // What was seen to leave, and what was there and is not anymore, is shown again only by an old answer.
            let attachment = |seen: &Option<NetworkInterface>| seen.as_ref()?.attachment.clone();
            let present = attachment(interface);
            let before = run.interface.as_ref().and_then(attachment);
            let left = before.filter(|before| present.as_ref().is_none_or(|present| present.id != before.id));
            let attached = present.clone().filter(|present| present.status == AttachmentStatus::Attached);
            run.seen_attached.extend(attached.and_then(|at| Some((at.id.to_string(), (at.instance_id?, now)))));
            let leaving = present.filter(|present| present.status == AttachmentStatus::Detaching);
            run.gone.extend([left, leaving].into_iter().flatten().map(|attachment| attachment.id.to_string()));
            // So was what the interface, seen free, says itself that it was about to leave.
            let free = interface.as_ref().filter(|interface| interface.attachment.is_none());
            let notes = free.into_iter().flat_map(|interface| interface.tags.keys());
            run.gone.extend(notes.filter_map(|key| {
                let (attachment, _) = key.strip_prefix("token-failover:owed:")?.rsplit_once(':')?;
                Some(attachment.to_owned())
            }));
            run.interface = Some(interface.clone());
        }
        self.judge_standbys(number);
    }

    pub(crate) fn saw_instances(&mut self, number: usize, asked: usize, seen: &Result<Vec<Instance>, CallError>) {
        let all = asked == self.drama.members.len();
        let run = &mut self.runs[number];
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
        self.judge_standbys(number);
    }

    pub(crate) fn saw_checks(&mut self, number: usize, seen: &Result<BTreeMap<InstanceId, StatusChecks>, CallError>) {
        self.runs[number].checks = seen.as_ref().ok().cloned();
        self.judge_standbys(number);
    }

    /// Remembers which members this run has seen viable.
    fn judge_standbys(&mut self, number: usize) {
        let (start_standby, index) = (self.drama.start_standby, self.drama.device_index);
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
                    .interface_at(i32::try_from(index).expect("a small number"))
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

    /// Whatever changes something: law 11.
    pub(crate) fn changes(&mut self, number: usize, now: Duration, what: String) {
        let run = &mut self.runs[number];
        run.changes.push(what.clone());
        // An audit publishes, and keeps its own marks.
        let is_mark = what.starts_with("publish") || what.starts_with("write") || what.starts_with("remove");
        let may_change = !run.what.is_dry() && (run.what != What::Audit || is_mark);
        self.hold(11, now, may_change, || format!("[{number}] was to change nothing: {what}"));
        if !is_mark {
            self.judge_change_while_paused(number, now, &what);
        }
    }

    /// Law 15: while it is paused, nothing but an operator's failover changes EC2. A run that had begun goes on, and an answer
    /// may be older than the pause.
    fn judge_change_while_paused(&mut self, number: usize, now: Duration, what: &str) {
        let slack = self.drama.faults.stale.unwrap_or_default();
        let run = &self.runs[number];
        let held = |pause: &&Pause| pause.is_in_force(now) && run.began > pause.since + slack;
        let Some(until) = self.pause.as_ref().filter(held).map(|pause| pause.until) else { return };
        let may = run.what.is_operators_failover();
        self.hold(15, now, may, || format!("[{number}] changes something, and it is paused until {until:?}: {what}"));
    }

    /// Until when the function is paused.
    pub(crate) fn paused_until(&self) -> Option<Duration> {
        self.pause.as_ref().map(Pause::ended_at)
    }

    /// Law 15: no pause is taken away before it is over, or before somebody was told.
    fn look_at_pause(&mut self, now: Duration, world: &World) {
        let value = world.tag(names::INTERFACE, PAUSED);
        if value == self.pause.as_ref().map(|pause| pause.value.as_str()) {
            return;
        }
        let before = self.pause.take();
        let Some(value) = value else {
            if let Some(before) = before.filter(|_| !self.is_gone) {
                let ended = before.ended_at();
                let told = self.published.iter().any(|mail| mail.outcome == "resumed" && mail.at >= ended);
                self.hold(15, now, told, || {
                    format!("a pause is removed, and nobody was told that it is over: {before:?}")
                });
            }
            return;
        };
        let word = |name: &str| value.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        let time = |name: &str| {
            let time: DateTime<Utc> = word(name)?.parse().expect("a time");
            Some((time - epoch()).to_std().expect("a time of the play"))
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

    /// Law 15, when all is quiet: every pause was told, and none is left.
    pub(crate) fn judge_pauses(&mut self, now: Duration) {
        if self.is_gone {
            return;
        }
        for pause in self.pauses.clone() {
            let is_about_it = |mail: &&Published| matches!(mail.outcome.as_str(), "paused" | "resumed");
            // A call that takes effect late may write a pause once more whose end was told already.
            let first = self.pauses.iter().filter(|other| other.value == pause.value);
            let set_at = first.map(|first| first.set_at).min().unwrap_or(pause.set_at);
            let told = self.published.iter().filter(is_about_it).any(|mail| mail.at >= set_at);
            self.hold(15, now, told, || format!("nobody was told of a pause: {pause:?}"));
        }
        let left = self.pause.clone();
        self.hold(15, now, left.is_none(), || format!("a pause that is over is still on the interface: {left:?}"));
    }

    /// Whatever changes EC2, tags apart: law 4.
    fn has_read(&mut self, number: usize, now: Duration, what: &str) {
        let run = &self.runs[number];
        // One answer that it does not exist is no reason to give it up.
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
        let is_member = self.drama.is_member(holder.as_str());
        self.hold(3, now, is_member, || format!("[{number}] takes the interface from {holder}, no member: {what}"));
        // It may give back what it brought there itself, or wanted to bring there when another run did.
        let run = &self.runs[number];
        let is_own = run.made.contains(id) || run.aims.contains(&holder);
        self.judge_detach_of_healthy(number, now, &holder, observed.status, is_own, &what);
        let is_leaving = observed.status == AttachmentStatus::Detaching;
        self.judge_detach_without_standby(number, now, &holder, is_leaving, is_own, &what);
        self.runs[number].left.insert(id.to_owned(), now);
        self.runs[number].took_from.push(holder);
    }

    /// Law 1.
    fn judge_detach_of_healthy(
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
        let is_announced = matches!(run.what, What::Spot { instance } if instance == holder.as_str());
        let is_healthy = match run.instance(holder.as_str()) {
            None => false,
            Some(instance) if is_announced && instance.spot => false,
            Some(instance) => match &instance.state {
                InstanceState::Running => match run.checks.as_ref().and_then(|checks| checks.get(holder)) {
                    Some(StatusChecks::Impaired) => !self.drama.on_impaired,
                    _ => true,
                },
                InstanceState::Pending => !is_own,
                InstanceState::Other(_) => true,
                _ => false,
            },
        };
        let name = called(holder.as_str()).to_owned();
        self.hold(1, now, !is_healthy, || format!("[{number}] has seen {name} healthy: {what}"));
        // A limit of no moves at all leaves the interface where it is.
        let may_move = !self.drama.may_not_move || is_own;
        self.hold(7, now, may_move, || format!("[{number}] moves it although no automatic move is allowed: {what}"));
        // And whatever it has seen: not of a holder that was healthy for longer than any answer was old.
        let slack = self.drama.faults.stale.unwrap_or_default();
        let since = self.fortunes.get(holder.as_str()).and_then(|fortune| fortune.healthy_since);
        let began = self.runs[number].began.saturating_sub(slack);
        let from_the_start = self.fortunes.get(holder.as_str()).is_some_and(|fortune| fortune.from_the_start);
        let was_always = since.is_some_and(|since| since < began) || (from_the_start && slack.is_zero());
        self.hold(1, now, !was_always || is_announced || is_own, || {
            format!("[{number}] takes the interface from {name}, healthy since {since:?}: {what}")
        });
    }

    /// Law 2.
    fn judge_detach_without_standby(
        &mut self,
        number: usize,
        now: Duration,
        holder: &InstanceId,
        is_leaving: bool,
        is_own: bool,
        what: &str,
    ) {
        let run = &self.runs[number];
        // An interface that is leaving may also come back.
        let others = |seen: &BTreeSet<InstanceId>| seen.iter().any(|member| member != holder || is_leaving);
        // What it attached itself and could not start may also go back where it came from.
        let seen = others(&run.seen_viable) || (is_own && others(&run.seen_alive));
        let slack = self.drama.faults.stale.unwrap_or_default();
        let began = run.began.saturating_sub(slack);
        let existed = self.fortunes.iter().any(|(member, fortune)| {
            let was_there = fortune.is_viable || fortune.was_viable_at.is_some_and(|at| at >= began);
            // The answers of one look are not of one moment, so what was seen may never have been true at once.
            let may_have_seemed = fortune.is_alive || fortune.was_alive_at.is_some_and(|at| at >= began);
            (*member != holder.as_str() || is_leaving) && (was_there || may_have_seemed)
        });
        self.hold(2, now, seen, || format!("[{number}] has seen no viable standby: {what}"));
        self.hold(2, now, existed || is_own, || format!("[{number}] detaches, and no viable standby exists: {what}"));
    }

    pub(crate) fn attaches(&mut self, number: usize, now: Duration, attach: &Attach) {
        let target = attach.instance_id.as_str();
        let what = format!("attach to {}", called(target));
        self.changes(number, now, what.clone());
        self.has_read(number, now, &what);
        self.moves(number);
        let is_right = self.drama.is_member(target)
            && attach.interface_id.as_str() == names::INTERFACE
            && u32::from(attach.device_index) == self.drama.device_index;
        self.hold(3, now, is_right, || format!("[{number}] attaches {attach:?}"));
        let has_seen = !self.runs[number].interface_failed;
        self.hold(4, now, has_seen, || format!("[{number}] could not read the interface: {what}"));
        let run = &mut self.runs[number];
        run.aims.insert(attach.instance_id.clone());
        let looked = !run.has_to_look;
        self.hold(6, now, looked, || {
            format!("[{number}] was told that the interface is in use and has not looked since: {what}")
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

    /// The answer to an attach.
    pub(crate) fn attached(&mut self, number: usize, answer: &Result<AttachmentId, CallError>) {
        if let Err(error) = answer
            && error.meaning == Meaning::InUse
        {
            self.runs[number].has_to_look = true;
        }
    }

    fn moves(&mut self, number: usize) {
        if !self.runs[number].moves {
            self.runs[number].moves = true;
            self.tally.failovers += u64::from(!self.is_over);
        }
    }

    pub(crate) fn repairs(&mut self, number: usize, now: Duration, what: String) {
        self.has_read(number, now, &what);
        self.changes(number, now, what);
    }

    /// A token server is woken where the interface was seen.
    pub(crate) fn wakes(&mut self, number: usize, now: Duration, instance: &InstanceId) {
        let what = format!("wake {}", called(instance.as_str()));
        self.changes(number, now, what.clone());
        // An old answer may have come since, so what counts is that the run has not taken it away again. What it asked to end and
        // saw there when no answer could be old anymore was not taken away.
        let run = &self.runs[number];
        let has_stayed =
            |id: &str, seen: Duration| run.left.get(id).is_none_or(|asked| seen >= *asked + Duration::from_secs(15));
        let is_there = run.seen_attached.iter().any(|(id, (at, seen))| at == instance && has_stayed(id, *seen));
        let is_right = is_there && self.drama.is_member(instance.as_str());
        self.hold(13, now, is_right, || format!("[{number}] has not seen the interface there: {what}"));
    }

    /// The command was accepted: once by each run at most.
    pub(crate) fn woke(&mut self, number: usize, now: Duration, instance: &InstanceId) {
        let first = !self.runs[number].woke;
        self.hold(13, now, first, || format!("[{number}] wakes {} twice", called(instance.as_str())));
        self.runs[number].woke = true;
        self.wakings.push((now, instance.to_string()));
    }

    // ---- What happens to calls ----

    /// A fault is about to hit a call.
    pub(crate) fn disturbs(&mut self, call: &CallInfo, number: Option<usize>, fault: Fault, disruption: &Disruption) {
        *self.tally.faults.entry(fault).or_default() += 1;
        self.troubled = true;
        if let Some(number) = number {
            self.runs[number].disturbed = true;
        }
        if self.narrates {
            self.faults.insert(call.sequence, (fault, disruption.clone()));
        }
    }

    /// Somebody else is about to act.
    pub(crate) fn acts(&mut self, act: &Act, world: &World) {
        self.tell(world.now(), || format!("*** {act}"));
        self.tally.acts += 1;
        self.last_act = world.now();
        self.troubled |= world.now() > Duration::ZERO;
        if let (Act::DeleteOnTermination, Some(attachment)) = (act, world.attachment_of(names::INTERFACE)) {
            self.tampered.insert(attachment.id.clone());
        }
    }

    /// Everything that happens in the world.
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
            self.look_at_interface(now, world);
            self.look_at_pause(now, world);
            self.look_at(now, world);
        }
    }

    /// A line with short names instead of ids.
    fn readable(&self, line: &str) -> String {
        let mut line = line.replace(&format!(" NetworkInterfaceId={}", names::INTERFACE), "");
        for id in self.drama.members.iter().chain([&names::STRANGER]) {
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
            // A run that polls is told once until something happens.
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
            // Times of zero attach at once, at the next step of the world.
            let target = attachment.instance_id.clone();
            let is_member = self.drama.is_member(&target);
            self.hold(3, now, is_member, || format!("{target} has received the interface"));
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

    /// The interface may have arrived somewhere.
    fn look_at_interface(&mut self, now: Duration, world: &World) {
        self.is_gone |= world.interface(names::INTERFACE).is_none();
        let Some(attachment) = world.attachment_of(names::INTERFACE) else { return };
        if attachment.status == TrueStatus::Attached && self.landed.as_ref() != Some(&attachment.id) {
            self.landed = Some(attachment.id.clone());
            let by = self.attachments.get(&attachment.id).copied().flatten();
            let to = attachment.instance_id.clone();
            let from = self.place.replace(to.clone());
            let ran = world.region().instance(&to).is_ok_and(|instance| instance.state == TrueState::Running);
            self.landings.push(Landing { at: now, attachment: attachment.id.clone(), from, to, by, ran });
        }
    }

    /// Law 16: the same problem is not mailed again, unless something else was in between, or whoever mailed it first did not know
    /// that, could not write it down, or was not done with it when the other run began; or that
    /// was overwritten. No world lasts for six hours.
    fn judge_complaint(&mut self, now: Duration, by: usize, report: &Value, tag: Option<&str>) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let reason = text(&report["reason"]);
        // A move, and what an operator asks for, is told each time.
        let repairs = ["keep ", "disassociate ", "associate ", "authorize "];
        let changes = &self.runs[by].changes;
        let has_repaired = changes.iter().any(|change| repairs.iter().any(|repair| change.starts_with(repair)));
        let is_asked = ["failover", "pause", "resume"].iter().any(|kind| report["trigger"]["kind"] == *kind);
        let is_told_anyway = !report["move"].is_null() || is_asked || has_repaired || reason == "report-was-owed";
        let lasts = ["refused", "failed"].contains(&text(&report["outcome"]).as_str()) && !is_told_anyway;
        let before = self.complaint.take();
        // What goes out late, when its run has ended, was written down before what was mailed in the meantime.
        let is_late = self.runs[by].ended_at.is_some_and(|ended| ended < now);
        if !lasts || is_late {
            return;
        }
        let codes = ["standby-not-viable", "attached-to-nothing"];
        let findings = report["findings"].as_array().into_iter().flatten();
        let obstacles = findings.filter(|finding| codes.iter().any(|code| finding["code"] == *code));
        let obstacles: BTreeSet<String> = obstacles.map(|finding| text(&finding["message"])).collect();
        let problem = format!("{reason} {obstacles:?}");
        let slack = self.drama.faults.stale.unwrap_or_default();
        let run = &self.runs[by];
        let has_seen = !run.interface_failed && !self.is_gone;
        let knew = |before: &Complaint| {
            let first = &self.runs[before.by];
            let wrote = before.could_write && first.unsure == 0 && !first.killed;
            let Some(ended) = first.ended_at.filter(|_| has_seen && wrote) else { return false };
            // Another run, or a call that takes effect late, may have written something else since, or removed it.
            let is_there = first.remembered.is_none() || first.remembered.as_deref() == tag;
            is_there && ended + slack < run.began
        };
        if let Some(before) = before.filter(knew) {
            self.hold(16, now, before.problem != problem, || {
                format!("[{by}] mails again what [{}] has mailed: {problem}", before.by)
            });
        }
        self.complaint = Some(Complaint { problem, by, could_write: has_seen });
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
        let tells = ["standby-not-started", "returned-to-former-holder"];
        let says_where = published.outcome == "moved" || tells.iter().any(|tale| message.message.contains(tale));
        if self.drama.wakes
            && ["activation-failed", "activation-unfinished"].iter().any(|code| message.message.contains(code))
        {
            self.told_asleep.push(now);
        }
        // Law 14: what cannot be taken back is true.
        if message.message.contains("interface-missing") {
            let is_true = self.is_gone;
            self.hold(14, now, is_true, || "published as missing, and the interface was there all the time".to_owned());
        }
        let is_complaint = ["refused", "failed"].contains(&published.outcome.as_str());
        if !is_complaint {
            self.complaint = None;
        }
        if says_where || is_complaint || self.narrates {
            let document: Value = serde_json::from_str(&message.message).expect("a JSON object");
            let report: Value = serde_json::from_str(document["lambda"].as_str().expect("a text")).expect("a report");
            if let Some(by) = by {
                let interface = world.interface(names::INTERFACE);
                let tag = interface.and_then(|interface| interface.tags.get(REFUSED)).map(String::as_str);
                self.judge_complaint(now, by, &report, tag);
            }
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
        // Law 8, the second half: what is said to have moved is where it is said to be.
        if published.outcome == "moved" {
            let landed = self.landings.iter().any(|landing| {
                Some(&landing.to) == published.to.as_ref()
                    && published.attachment.as_ref().is_none_or(|attachment| landing.attachment == *attachment)
            });
            let is_true = landed && published.from != published.to;
            self.hold(8, now, is_true, || format!("published as moved, and it is not true: {published:?}"));
        }
        self.published.push(published);
    }

    /// How the members are, and since when.
    fn look_at(&mut self, now: Duration, world: &World) {
        let is_first = self.fortunes.is_empty();
        let region = world.region();
        let interface = world.interface(names::INTERFACE);
        for member in &self.drama.members {
            let instance = region.instance(member).ok();
            let is_healthy = instance.is_some_and(|instance| {
                instance.state == TrueState::Running && !(self.drama.on_impaired && instance.is_impaired())
            });
            let is_viable = instance.is_some_and(|instance| {
                let able = match instance.state {
                    TrueState::Running => !instance.is_impaired(),
                    TrueState::Stopped => self.drama.start_standby,
                    _ => false,
                };
                let taken = region.interfaces_of(member).into_iter().any(|other| {
                    other.id != names::INTERFACE
                        && other.attachment.as_ref().is_some_and(|at| at.device_index == self.drama.device_index)
                });
                able && !taken && interface.is_some_and(|eni| eni.availability_zone == instance.availability_zone)
            });
            let fortune = self.fortunes.entry(member).or_default();
            fortune.from_the_start = is_healthy && (fortune.from_the_start || is_first);
            fortune.healthy_since = if is_healthy { fortune.healthy_since.or(Some(now)) } else { None };
            if is_viable || fortune.is_viable {
                fortune.was_viable_at = Some(now);
            }
            let is_alive =
                instance.is_some_and(|instance| matches!(instance.state, TrueState::Running | TrueState::Stopped));
            if is_alive || fortune.is_alive {
                fortune.was_alive_at = Some(now);
            }
            fortune.is_alive = is_alive;
            fortune.is_viable = is_viable;
        }
    }
}
