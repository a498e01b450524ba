//! The state of one invocation: its clock, its latest view of EC2, and the record of its steps.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future;
use tokio::time::{Instant, sleep, timeout_at};

use crate::decide::attachment::superseded;
use crate::decide::checks::{Checked, check, has_address, wanted_address};
use crate::decide::members::{existing, in_groups, members};
use crate::decide::pause;
use crate::decide::pending::Scene;
use crate::decide::pending::report::RunName;
use crate::decide::remembered::Remembered;
use crate::decide::security_group::prefix_lists;
use crate::model::config::{Config, Members};
use crate::model::error::{CallError, Meaning};
use crate::model::finding::Finding;
use crate::model::ids::{AllocationId, AttachmentId, InstanceId, SecurityGroupId};
use crate::model::license_check::LicenseCheck;
use crate::model::observation::{
    Attachment, IngressRule, Instance, InstanceState, InstanceStatus, LifecycleState, NetworkInterface, OLDEST_ANSWER,
    Observation, Reachability, Reading, StateReason, StatusChecks,
};
use crate::model::outcome::Reach;
use crate::model::pause::Pause;
use crate::model::plan::Plan;
use crate::model::readiness::Readiness;
use crate::model::report::{ActivationRecord, Probe, Step, StepRecord, StepResult, milliseconds};
use crate::model::request::Intent;
use crate::ports::Ec2;
use crate::tell::findings::Advisor;

/// An event of a run for the log, as soon as it happens.
#[derive(Debug, Clone, Copy)]
pub enum Record<'a> {
    /// A request came in.
    Requested(&'a Config, &'a Intent),
    /// EC2 was read.
    Observed(&'a Observation),
    /// The interface alone was read, as while the run waits for it.
    Looked(&'a NetworkInterface),
    /// A plan was made, after EC2 had been read for this long.
    Planned(&'a Plan, Duration),
    /// An audit has read what it needs.
    Audited(&'a Readiness),
    /// A step begins.
    Begun(Step, &'a str),
    /// A step did not succeed, or there was nothing to do. The step ends right after this.
    Failed(Step, &'a CallError),
    /// A step ended.
    Ended(&'a StepRecord),
    /// The ports were tried until they answered, or for as long as the run waits. Before the end of the step.
    Probed(&'a [Probe]),
    /// The license server was asked until it served licenses, or for as long as the run waits. Before the end of the step.
    LicenseChecked(&'a LicenseCheck),
}

/// Receives the records of a run.
pub type Recorder = dyn Fn(Record<'_>) + Send + Sync;

/// When an invocation began, and when it must have ended.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    received_at: DateTime<Utc>,
    began: Instant,
    deadline: Instant,
}

impl Clock {
    /// A clock that starts now. `deadline` is when Lambda ends the invocation.
    pub fn new(received_at: DateTime<Utc>, deadline: Instant) -> Self {
        Self { received_at, began: Instant::now(), deadline }
    }

    /// The current time.
    pub fn now(&self) -> DateTime<Utc> {
        self.time_of(Instant::now())
    }

    /// The time at which Lambda ends the invocation.
    pub fn cut_off_at(&self) -> DateTime<Utc> {
        self.time_of(self.deadline)
    }

    /// When all work except the report must be done: ten seconds before the end, or a fifth of a short invocation.
    pub fn work_ends(&self) -> Instant {
        let margin = (self.deadline.saturating_duration_since(self.began) / 5).min(Duration::from_secs(10));
        self.deadline.checked_sub(margin).unwrap_or(self.deadline)
    }

    /// When the last wait must be over, so that the run can still report its outcome instead of a timeout.
    pub fn waiting_ends(&self) -> Instant {
        let margin = (self.deadline.saturating_duration_since(self.began) / 20).min(Duration::from_secs(1));
        self.work_ends().checked_sub(margin).unwrap_or(self.deadline)
    }

    /// When publishing must be done, so that the run can still answer.
    pub fn publishing_ends(&self) -> Instant {
        let margin = (self.deadline.saturating_duration_since(self.began) / 20).min(Duration::from_secs(2));
        self.deadline.checked_sub(margin).unwrap_or(self.deadline)
    }

    fn time_of(&self, instant: Instant) -> DateTime<Utc> {
        let since = TimeDelta::from_std(instant.saturating_duration_since(self.began)).unwrap_or(TimeDelta::MAX);
        self.received_at.checked_add_signed(since).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

/// The pause before the next poll: short while EC2 usually finishes, longer when it is slow.
///
/// EC2 usually takes one to four seconds for an attach or a detach. For five seconds, a poll every 100 ms notices the
/// end at once and stays far below EC2's limit for describing calls (a bucket of 100, refilled by 20 per second).
pub fn pause_after(waited: Duration) -> Duration {
    match waited.as_secs() {
        0..5 => Duration::from_millis(100),
        5..30 => Duration::from_millis(250),
        _ => Duration::from_secs(2),
    }
}

/// Waits for the first of two futures, and lets the other one run meanwhile. The needed result does not wait for the
/// optional one.
pub(crate) async fn first_of<T>(
    first: impl Future<Output = T>,
    mut other: Pin<&mut future::MaybeDone<impl Future>>,
) -> T {
    let mut first = pin!(first);
    poll_fn(|context| {
        let _ = other.as_mut().poll(context);
        first.as_mut().poll(context)
    })
    .await
}

/// The longest pause before the run reads EC2 again because its answers do not fit together.
const LONGEST_PAUSE_AFTER_LOOK: Duration = Duration::from_secs(3);

/// The pause before the run reads EC2 again because its answers do not fit together. That takes seconds or minutes, and
/// each look is three calls. A wait of more than half a minute, such as for a slow attach, often takes many minutes.
pub fn pause_after_look(waited: Duration) -> Duration {
    match waited.as_secs() {
        0 => Duration::from_millis(250),
        1..30 => Duration::from_secs(1),
        _ => LONGEST_PAUSE_AFTER_LOOK,
    }
}

/// How long EC2 has been giving an answer that needs to be repeated, such as that the interface does not exist.
///
/// Only answers count. The time between two answers counts at most as the longest pause between two looks, so
/// [`OLDEST_ANSWER`] takes six answers, however long EC2 is silent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Doubt {
    last: Option<Instant>,
    lasted: Duration,
}

impl Doubt {
    /// This doubt, with one more such answer.
    pub fn and_now(self) -> Self {
        let now = Instant::now();
        let silent = self.last.map_or(Duration::ZERO, |last| now.duration_since(last));
        Self { last: Some(now), lasted: self.lasted + silent.min(LONGEST_PAUSE_AFTER_LOOK) }
    }

    /// How long EC2 has said so.
    pub fn lasted(self) -> Duration {
        self.lasted
    }
}

/// The members in an Auto Scaling group, as a look showed them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grouped {
    pub(crate) members: Vec<InstanceId>,
    /// The look asked for the lifecycle states of all of them, and none is about to be terminated.
    pub(crate) is_calm: bool,
}

/// The instances that an answer has shown as shutting down or terminated.
///
/// EC2 never takes these states back. An answer that shows another state is older, in whatever order the answers came.
#[derive(Debug, Clone, Default)]
pub(crate) struct FinalStates(BTreeMap<InstanceId, InstanceState>);

impl FinalStates {
    /// Adds those that an answer of DescribeInstances or of DescribeInstanceStatus shows.
    pub(crate) fn add(&mut self, instances: &[Instance], status: Option<&BTreeMap<InstanceId, InstanceStatus>>) {
        let by_instances = instances.iter().map(|instance| (&instance.id, &instance.state));
        let by_status = status.into_iter().flatten().filter_map(|(id, status)| Some((id, status.state.as_ref()?)));
        let shown = by_instances.chain(by_status).filter(|(_, state)| state.is_final());
        self.0.extend(shown.map(|(id, state)| (id.clone(), state.clone())));
    }

    /// Whether the instance has ended for good.
    pub(crate) fn has(&self, instance: &InstanceId) -> bool {
        self.0.contains_key(instance)
    }

    /// Corrects the states of an old answer.
    fn correct(&self, instances: &mut [Instance]) {
        for instance in instances.iter_mut().filter(|instance| !instance.state.is_final()) {
            if let Some(state) = self.0.get(&instance.id) {
                instance.state = state.clone();
            }
        }
    }
}

/// A recorded step that has not ended.
#[derive(Clone, Copy)]
pub(crate) struct Begun {
    index: usize,
    at: Instant,
}

/// Ingress rules, or the error of reading them.
type ReadRules = Result<Vec<IngressRule>, CallError>;

/// The state of one invocation.
pub struct Run<'a, E> {
    pub(crate) config: &'a Config,
    pub(crate) ec2: &'a E,
    pub(crate) clock: Clock,
    recorder: &'a Recorder,
    /// The latest view of EC2.
    pub(crate) observation: Option<Observation>,
    /// The members by this view.
    pub(crate) members: Vec<InstanceId>,
    /// The members in an Auto Scaling group, by this view.
    pub(crate) grouped: Grouped,
    /// Whether the next look leaves Auto Scaling out.
    pub(crate) spares_auto_scaling: bool,
    /// The interface before any change.
    pub(crate) before: Option<NetworkInterface>,
    /// How far this run has gone in changing where the interface is attached.
    pub(crate) reach: Reach,
    /// Whether EC2's answer to an attach was lost. EC2 may still attach the interface later, whatever has happened by then.
    pub(crate) has_lost_an_attach: bool,
    /// The attachments that the interface has left: an answer that shows one of them is old.
    pub(crate) departed: BTreeSet<AttachmentId>,
    /// The instances that have ended for good, as far as this run has seen.
    pub(crate) final_states: FinalStates,
    /// The members that EC2 did not start when this run asked for it.
    pub(crate) not_started: BTreeSet<InstanceId>,
    /// EC2's reasons for stopping instances again that this run had started.
    pub(crate) stopped_again: BTreeMap<InstanceId, StateReason>,
    /// The name of this run in its tags.
    pub(crate) name: RunName,
    /// The ingress rules of these groups, read before it was known if the groups are the interface's.
    pub(crate) rules_ahead: Option<(Vec<SecurityGroupId>, ReadRules)>,
    /// These are the rules that the process remembers.
    pub(crate) has_known_rules: bool,
    /// The types of instances that had no room for this interface.
    pub(crate) types_without_room: BTreeSet<String>,
    /// How many standbys could take the interface.
    pub(crate) viable_standbys: Option<usize>,
    /// The result of activating the token server.
    pub(crate) activation: Option<ActivationRecord>,
    /// The results of trying its ports.
    pub(crate) probes: Vec<Probe>,
    /// Whether it serves licenses.
    pub(crate) license_check: Option<LicenseCheck>,
    pub(crate) steps: Vec<StepRecord>,
    pub(crate) findings: Vec<Finding>,
}

impl<'a, E: Ec2> Run<'a, E> {
    pub(crate) fn new(config: &'a Config, ec2: &'a E, clock: Clock, recorder: &'a Recorder, name: RunName) -> Self {
        Self {
            config,
            ec2,
            clock,
            recorder,
            observation: None,
            members: config.members.listed().to_vec(),
            grouped: Grouped::default(),
            spares_auto_scaling: false,
            before: None,
            reach: Reach::default(),
            has_lost_an_attach: false,
            departed: BTreeSet::new(),
            final_states: FinalStates::default(),
            not_started: BTreeSet::new(),
            stopped_again: BTreeMap::new(),
            name,
            rules_ahead: None,
            has_known_rules: false,
            types_without_room: BTreeSet::new(),
            viable_standbys: None,
            activation: None,
            probes: Vec::new(),
            license_check: None,
            steps: Vec::new(),
            findings: Vec::new(),
        }
    }

    /// The notes of the moves of other runs that are needless, by the latest view of the interface.
    pub(crate) fn superseded_notes(&self, has_named: bool) -> Vec<String> {
        let tags = self.interface().map(|interface| &interface.tags);
        tags.map(|tags| superseded(tags, &self.name, has_named, self.clock.now())).unwrap_or_default()
    }

    pub(crate) fn advisor(&self) -> Advisor<'a> {
        Advisor::new(self.config)
    }

    pub(crate) fn record(&self, record: Record<'_>) {
        (self.recorder)(record);
    }

    /// The Elastic IP that must be on the interface: the configured one or, once this run has moved the interface, the
    /// one that was on it before the move.
    pub(crate) fn wanted_address(&self) -> Option<AllocationId> {
        wanted_address(self.config, self.before.as_ref().filter(|_| self.reach == Reach::Attached))
    }

    /// Reads who can reach the interface.
    pub(crate) async fn read_reachability(&mut self) {
        let Some(interface) = self.interface().cloned() else { return };
        let wanted = self.wanted_address();
        // The rules that were read ahead are used once. A second read must show what has changed.
        let ahead = self.rules_ahead.take().filter(|(groups, _)| *groups == interface.groups).map(|(_, rules)| rules);
        let reachability = read_reachability(self.config, self.ec2, &interface, wanted.as_ref(), ahead).await;
        if let Some(observation) = &mut self.observation {
            observation.reachability = Some(reachability);
        }
    }

    /// The attachment of the interface.
    pub(crate) fn attachment(&self) -> Option<&Attachment> {
        self.observation.as_ref()?.attachment()
    }

    /// The instance to which the interface is attached.
    pub(crate) fn holder(&self) -> Option<&InstanceId> {
        self.observation.as_ref()?.holder()
    }

    /// The member that has the interface, if it is running or starting.
    pub(crate) fn running_member(&self) -> Option<&InstanceId> {
        self.scene().running_member()
    }

    /// The checks of the interface as it was last seen.
    pub(crate) fn check(&self) -> Option<Checked> {
        let observation = self.observation.as_ref()?;
        Some(check(self.config, observation, observation.interface()?, self.wanted_address().as_ref()))
    }

    /// The interface as it was last seen.
    pub(crate) fn interface(&self) -> Option<&NetworkInterface> {
        self.observation.as_ref().and_then(Observation::interface)
    }

    /// What runs have written on the interface, as it was last seen; `None`: it was not seen.
    pub(crate) fn remembered(&self) -> Option<Remembered> {
        self.interface().map(|interface| Remembered::read(&interface.tags))
    }

    /// The basis for decisions about pending reports.
    pub(crate) fn scene(&self) -> Scene<'_> {
        Scene {
            observation: self.observation.as_ref(),
            members: &self.members,
            reach: self.reach,
            now: self.clock.now(),
        }
    }

    /// The pause that is in force, by the last observation.
    pub(crate) fn pause(&self) -> Option<Pause> {
        pause::of(self.observation.as_ref()?)
    }

    /// Adds tags that were just written to the view of the interface.
    pub(crate) fn remember_tags(&mut self, tags: BTreeMap<String, String>) {
        if let Some(Observation { interface: Reading::Known(Some(interface)), .. }) = &mut self.observation {
            interface.tags.extend(tags);
        }
    }

    /// Takes a step and records it.
    pub(crate) async fn step<T>(
        &mut self,
        step: Step,
        resource: impl ToString,
        work: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let begun = self.begin(step, resource);
        let result = work.await;
        self.end(begun, result.as_ref().err());
        result
    }

    /// Records a step as it begins. If the deadline cuts the step off, its record stays as failed.
    pub(crate) fn begin(&mut self, step: Step, resource: impl ToString) -> Begun {
        let resource = resource.to_string();
        self.record(Record::Begun(step, &resource));
        let error = Some("cut off by the deadline".to_owned());
        self.steps.push(StepRecord { step, resource, result: StepResult::Failed, duration_ms: 0, error });
        Begun { index: self.steps.len() - 1, at: Instant::now() }
    }

    /// Completes the record of a step.
    pub(crate) fn end(&mut self, begun: Begun, error: Option<&CallError>) {
        if let Some(error) = error {
            self.record(Record::Failed(self.steps[begun.index].step, error));
        }
        let record = &mut self.steps[begun.index];
        record.duration_ms = milliseconds(begun.at.elapsed());
        (record.result, record.error) = match error {
            None => (StepResult::Done, None),
            // A change that was to be undone is undone already, and an object that was to be made exists.
            Some(error) if matches!(error.meaning, Meaning::AlreadyDetached | Meaning::Duplicate) => {
                (StepResult::Skipped, None)
            }
            Some(error) => (StepResult::Failed, Some(error.to_string())),
        };
        (self.recorder)(Record::Ended(record));
        self.merge_repeated_failure(begun.index);
    }

    /// Keeps one record, with the last error, for a step that fails repeatedly, so that waiting for EC2 does not flood
    /// the report.
    fn merge_repeated_failure(&mut self, last: usize) {
        let is_last = last + 1 == self.steps.len();
        let Some([before, again]) = last.checked_sub(1).and_then(|before| self.steps.get_mut(before..=last)) else {
            return;
        };
        let same = before.step == again.step && before.resource == again.resource;
        if is_last && same && before.result == StepResult::Failed && again.result == StepResult::Failed {
            before.duration_ms += again.duration_ms;
            before.error = again.error.take();
            self.steps.pop();
        }
    }

    /// Looks at EC2, and records the answers.
    pub(crate) async fn observe(&mut self) -> &Observation {
        let observation = self.read().await;
        self.record(Record::Observed(&observation));
        self.observation.insert(observation)
    }

    /// Reads the interface, the members, their status checks and, of members in an Auto Scaling group, their lifecycle states
    /// in one wave of concurrent calls.
    ///
    /// If a tag names the members, the run does not know yet whose status checks it needs. It asks for those of the
    /// members that the process saw last, and reads the rest in a second wave. The same holds for lifecycle states.
    pub(crate) async fn read(&mut self) -> Observation {
        // The answers may be as old as the requests.
        let observed_at = self.clock.now();
        let known = self.members.clone();
        let grouped = if self.spares_auto_scaling { Vec::new() } else { self.grouped.members.clone() };
        let instances = async {
            match &self.config.members {
                Members::Listed(ids) => self.ec2.instances(ids).await,
                Members::Tagged(tag) => self.ec2.instances_with(tag, None).await,
            }
        };
        let (interface, instances, status, lifecycle) = future::join4(
            self.ec2.network_interface(&self.config.interface_id),
            instances,
            self.instance_status(&known),
            self.lifecycle_states(&grouped),
        )
        .await;
        self.final_states.add(instances.as_deref().unwrap_or_default(), status.as_ref().ok());
        let mut observation =
            Observation { observed_at, interface: interface.into(), instances: instances.into(), reachability: None };
        let members = members(self.config, &observation);
        let is_new = |member: &&InstanceId| !known.contains(member) && observation.instance(member).is_some();
        let new: Vec<InstanceId> = members.iter().filter(is_new).cloned().collect();
        let now_grouped = in_groups(self.config, &observation);
        let newly_grouped: Vec<InstanceId> = if self.spares_auto_scaling {
            Vec::new()
        } else {
            now_grouped.iter().filter(|member| !grouped.contains(member)).cloned().collect()
        };
        let more_status = async {
            match (status, observation.instances.known()) {
                // EC2 answers nothing if one of the instances does not exist, so the run asks again for the instances that
                // exist.
                (Err(error), Some(_)) if error.meaning == Meaning::NotFound => {
                    let existing = existing(self.config, &observation).map(|member| member.id.clone());
                    self.instance_status(&existing.collect::<Vec<InstanceId>>()).await
                }
                (Ok(mut status), Some(_)) if !new.is_empty() => self.instance_status(&new).await.map(|more| {
                    status.extend(more);
                    status
                }),
                (status, _) => status,
            }
        };
        let (status, more_lifecycle) = future::join(more_status, self.lifecycle_states(&newly_grouped)).await;
        self.final_states.add(&[], status.as_ref().ok());
        // If the members could not be read, those of before are still the best guess for the next read.
        if let Some(instances) = observation.instances.known_mut() {
            self.final_states.correct(instances);
            add_status(instances, &status);
            add_lifecycle(instances, &grouped, &lifecycle);
            add_lifecycle(instances, &newly_grouped, &more_lifecycle);
            self.members = members;
            let is_calm =
                |one: &Instance| matches!(one.lifecycle_state, Some(Reading::Known(_))) && !one.is_leaving_its_group();
            let is_calm = instances.iter().filter(|one| now_grouped.contains(&one.id)).all(is_calm);
            self.grouped = Grouped { members: now_grouped, is_calm };
        }
        observation
    }

    /// The lifecycle states of these instances. No instances need no call.
    async fn lifecycle_states(&self, ids: &[InstanceId]) -> Result<BTreeMap<InstanceId, LifecycleState>, CallError> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let ends = Instant::now() + AUTO_SCALING_TIMEOUT;
        let asking = self.ec2.lifecycle_states(ids);
        within(ends, AUTO_SCALING_TIMEOUT, "autoscaling:DescribeAutoScalingInstances", asking).await
    }

    /// The status of these instances. No instances need no call.
    async fn instance_status(&self, ids: &[InstanceId]) -> Result<BTreeMap<InstanceId, InstanceStatus>, CallError> {
        if ids.is_empty() { Ok(BTreeMap::new()) } else { self.ec2.instance_status(ids).await }
    }

    /// Reads the interface alone, and remembers the answer. The run believes that EC2 does not know the interface only
    /// if EC2 says so for longer than its answers can be old.
    pub(crate) async fn look(&mut self) -> Result<Option<NetworkInterface>, CallError> {
        let mut doubt = Doubt::default();
        let (observed_at, interface) = loop {
            let observed_at = self.clock.now();
            let interface = self.ec2.network_interface(&self.config.interface_id).await?;
            doubt = doubt.and_now();
            if interface.is_some() || doubt.lasted() >= OLDEST_ANSWER {
                break (observed_at, interface);
            }
            sleep(pause_after_look(doubt.lasted())).await;
        };
        if let Some(interface) = &interface {
            self.record(Record::Looked(interface));
        }
        if let Some(observation) = &mut self.observation {
            observation.interface = Reading::Known(interface.clone());
            observation.observed_at = observed_at;
            self.members = members(self.config, observation);
        }
        Ok(interface)
    }

    /// Forgets the status checks of an instance that is being started. They begin anew.
    pub(crate) fn forget_status_checks(&mut self, id: &InstanceId) {
        let instances = self.observation.as_mut().and_then(|observation| observation.instances.known_mut());
        for instance in instances.into_iter().flatten().filter(|instance| instance.id == *id) {
            instance.status_checks = Reading::Known(StatusChecks::Undecided);
        }
    }

    /// Updates the view of an instance with an answer to DescribeInstances, which says nothing about status checks, scheduled
    /// events or the lifecycle state.
    pub(crate) fn remember(&mut self, mut seen: Instance) {
        self.final_states.add(std::slice::from_ref(&seen), None);
        self.final_states.correct(std::slice::from_mut(&mut seen));
        if let Some(Observation { instances: Reading::Known(instances), .. }) = &mut self.observation {
            if let Some(index) = instances.iter().position(|instance| instance.id == seen.id) {
                let before = instances.remove(index);
                seen.status_checks = before.status_checks;
                seen.scheduled_events = before.scheduled_events;
                seen.lifecycle_state = before.lifecycle_state;
            }
            instances.push(seen);
        }
    }
}

/// Adds the lifecycle states of the instances that were asked for.
fn add_lifecycle(
    instances: &mut [Instance],
    asked: &[InstanceId],
    states: &Result<BTreeMap<InstanceId, LifecycleState>, CallError>,
) {
    for instance in instances.iter_mut().filter(|instance| asked.contains(&instance.id)) {
        instance.lifecycle_state = match states {
            Ok(states) => states.get(&instance.id).cloned().map(Reading::Known),
            Err(error) => Some(Reading::Unreadable(error.clone())),
        };
    }
}

/// Adds what DescribeInstanceStatus says to the answer of DescribeInstances, apart from the state.
fn add_status(instances: &mut [Instance], status: &Result<BTreeMap<InstanceId, InstanceStatus>, CallError>) {
    for instance in instances {
        (instance.status_checks, instance.scheduled_events) = match status {
            Ok(status) => match status.get(&instance.id) {
                Some(status) => (Reading::Known(status.checks), status.scheduled_events.clone()),
                None => (Reading::Known(StatusChecks::Undecided), Vec::new()),
            },
            Err(error) => (Reading::Unreadable(error.clone()), Vec::new()),
        };
    }
}

/// How long the reads that only the report needs may take together. An audit repeats them.
pub(crate) const REACHABILITY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a look waits for Auto Scaling. A holder that has failed is moved without its answer.
const AUTO_SCALING_TIMEOUT: Duration = Duration::from_secs(3);

/// The answer, or a timeout error.
async fn within<T>(
    ends: Instant,
    time: Duration,
    action: &str,
    read: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    let too_late = || CallError {
        action: action.to_owned(),
        meaning: Meaning::Unreachable,
        code: None,
        message: format!("no answer within {} seconds", time.as_secs()),
        request_id: None,
    };
    timeout_at(ends, read).await.unwrap_or_else(|_| Err(too_late()))
}

/// Reads who can reach the interface: the rules of its groups and, if it is not on the interface, the Elastic IP; then
/// the prefix lists that the rules name. Takes at most two waves. A read that takes too long counts as failed.
pub(crate) async fn read_reachability<E: Ec2>(
    config: &Config,
    ec2: &E,
    interface: &NetworkInterface,
    wanted: Option<&AllocationId>,
    rules: Option<ReadRules>,
) -> Reachability {
    let ends = Instant::now() + REACHABILITY_TIMEOUT;
    let missing = wanted.filter(|wanted| !has_address(interface, wanted));
    let rules = async {
        match rules {
            Some(rules) => rules,
            None => {
                within(
                    ends,
                    REACHABILITY_TIMEOUT,
                    "ec2:DescribeSecurityGroupRules",
                    ec2.ingress_rules(&interface.groups),
                )
                .await
            }
        }
    };
    let (rules, missing_address) = future::join(rules, async {
        match missing {
            Some(missing) => Some(Reading::from(
                within(ends, REACHABILITY_TIMEOUT, "ec2:DescribeAddresses", ec2.address(missing)).await,
            )),
            None => None,
        }
    })
    .await;
    let lists = match &rules {
        Ok(rules) => prefix_lists(rules, &config.clients).into_iter().cloned().collect(),
        Err(_) => Vec::new(),
    };
    let read = lists
        .iter()
        .map(|list| within(ends, REACHABILITY_TIMEOUT, "ec2:GetManagedPrefixListEntries", ec2.prefix_list(list)));
    let ranges = future::join_all(read).await;
    let prefix_lists = lists.iter().cloned().zip(ranges.into_iter().map(Reading::from)).collect();
    Reachability { rules: rules.into(), prefix_lists, missing_address }
}
