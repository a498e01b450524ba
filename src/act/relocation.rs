//! Carrying out a move: detach, wait, attach, wait, and whatever EC2 makes of it.
//!
//! Nothing is decided here but what an error means. The targets and their order come from the plan; the attachment id
//! that fences the detach comes from the observation. Every wait polls EC2 and is bounded, at the latest by the end of the
//! run, and cutting it off anywhere leaves a world that the next run understands.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use futures_util::future;
use futures_util::future::maybe_done;
use tokio::time::{Instant, sleep};

use crate::act::run::{Run, first_of, pause_after, read_reachability};
use crate::decide::checks::wanted_address;
use crate::model::change::Attach;
use crate::model::error::{CallError, Meaning};
use crate::model::finding::FindingCode;
use crate::model::ids::{AttachmentId, InstanceId};
use crate::model::observation::{
    Attachment, AttachmentStatus, Instance, InstanceState, NetworkInterface, OLDEST_ANSWER, Reading, StatusChecks,
};
use crate::model::plan::{Move, Refusal, Target};
use crate::model::report::{Movement, Step, milliseconds};
use crate::ports::Ec2;

/// How a move ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Relocated {
    /// The interface is on a target.
    Moved(Movement),
    /// Somebody else has put the interface on this member in the meantime.
    ByAnotherRun(InstanceId),
    /// Nothing was changed.
    Refused(Refusal),
    /// No target could take it, so it is back where it was, by this attachment.
    Returned(InstanceId, AttachmentId),
    /// EC2 has accepted the attach and is not done with it. Nothing else can be tried until it is.
    Arriving(Movement),
    /// The interface is on a member, but that member could not be started.
    NotStarted(Movement),
    /// The interface is attached to nothing.
    Stranded,
}

/// How the attempt to bring the interface to one target ended.
enum Landing {
    /// It is there.
    Landed(Attachment),
    /// EC2 has accepted the attach, and the time is over before it is done.
    Arriving(Attachment),
    /// The target cannot have it; the interface is attached to nothing.
    Impossible,
    /// Somebody else has put the interface elsewhere.
    Elsewhere(Attachment),
    /// The interface does not exist anymore.
    Gone,
}

/// What came of starting the instance that has the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Started {
    /// It runs or starts, and this run has asked for it, or may have.
    ByThisRun,
    /// It runs or starts, and was not stopped anymore when this run asked.
    BySomebody,
    /// It did not start.
    Not,
}

/// How long a start is asked for that is throttled or gets no answer.
const START_RETRY_PATIENCE: Duration = Duration::from_secs(20);

/// How long a target may be in a state that does not allow an attach before the next one is tried.
const WRONG_STATE_PATIENCE: Duration = Duration::from_secs(30);

/// How long an attach may be refused before the next target is tried.
const ATTACH_PATIENCE: Duration = Duration::from_secs(90);

/// The longest pause between two tries of an attach that is refused.
const LONGEST_ATTACH_PAUSE: Duration = Duration::from_secs(3);

/// How long the flag that keeps the interface alive is tried to be set before the report says that it is not.
const KEEP_PATIENCE: Duration = Duration::from_secs(20);

/// How long a started instance may take until it runs. EC2's part of a boot takes seconds.
const START_PATIENCE: Duration = Duration::from_secs(60);

impl<E: Ec2> Run<'_, E> {
    /// Moves the interface. `left` is the member that it left, where that is already known.
    pub(crate) async fn relocate(&mut self, planned: &Move, left: Option<InstanceId>) -> Relocated {
        let began = Instant::now();
        let mut forced = false;
        if let Some(from) = &planned.from {
            match self.detach(from).await {
                Ok(by_force) => forced = by_force,
                Err(ended) => return ended,
            }
        }
        let mut not_started: Option<(Movement, Attachment)> = None;
        let mut took = Vec::new();
        for target in planned.targets.iter() {
            // A target that has the interface and does not start gives it up to the next one.
            if let Some((_, attachment)) = &not_started
                && let Err(ended) = self.detach(attachment).await
            {
                return ended;
            }
            not_started = None;
            let landing = self.land(&target.attach, target.start).await;
            let movement = |attachment: &Attachment| Movement {
                // Back at the instance that an earlier run took it from, it has come from nowhere else.
                from: left.clone().filter(|left| *left != target.attach.instance_id),
                to: target.attach.instance_id.clone(),
                attachment_id: Some(attachment.id.clone()),
                forced: Some(forced),
                standby_started: Some(target.start),
                duration_ms: Some(milliseconds(began.elapsed())),
            };
            match landing {
                Landing::Landed(attachment) => {
                    let movement = movement(&attachment);
                    if self.start_target(target).await {
                        return Relocated::Moved(movement);
                    }
                    took.push((target, movement.clone()));
                    not_started = Some((movement, attachment));
                }
                Landing::Arriving(attachment) => {
                    return Relocated::Arriving(Movement { standby_started: Some(false), ..movement(&attachment) });
                }
                Landing::Impossible => {}
                Landing::Elsewhere(attachment) => return self.elsewhere(&attachment),
                Landing::Gone => return Relocated::Refused(Refusal::InterfaceMissing),
            }
        }
        match self.give_back(planned, not_started).await {
            // What took it once may take it again. There at least it waits for an instance, and not an instance for it.
            Relocated::Stranded => self.put_back(took).await,
            ended => ended,
        }
    }

    /// Nothing else helped: back to a standby that took the interface and did not start.
    async fn put_back(&mut self, took: Vec<(&Target, Movement)>) -> Relocated {
        for (target, movement) in took {
            match self.land(&target.attach, target.start).await {
                Landing::Landed(attachment) => {
                    return Relocated::NotStarted(Movement { attachment_id: Some(attachment.id), ..movement });
                }
                Landing::Arriving(attachment) => {
                    return Relocated::Arriving(Movement { attachment_id: Some(attachment.id), ..movement });
                }
                Landing::Elsewhere(attachment) => return self.elsewhere(&attachment),
                Landing::Gone => return Relocated::Refused(Refusal::InterfaceMissing),
                Landing::Impossible => {}
            }
        }
        Relocated::Stranded
    }

    /// No target took the interface and runs: back to the former holder, if that could take it and serve.
    async fn give_back(&mut self, planned: &Move, not_started: Option<(Movement, Attachment)>) -> Relocated {
        let Some(fallback) = &planned.fallback else {
            return not_started.map_or(Relocated::Stranded, |(movement, _)| Relocated::NotStarted(movement));
        };
        let former = &fallback.instance_id;
        if let Some((movement, attachment)) = not_started {
            self.read_instance(former, Duration::ZERO).await;
            // A stopped standby that has the interface is no worse a place than a former holder that cannot run.
            if !self.may_start(former) && self.state_of(former) != Some(&InstanceState::Running) {
                return Relocated::NotStarted(movement);
            }
            if let Err(ended) = self.detach(&attachment).await {
                return ended;
            }
        }
        let start = self.may_start(former);
        match self.land(fallback, start).await {
            Landing::Landed(attachment) => {
                // It may have stopped since it was seen. If it does not start, the finding says so; the interface is where it was
                // before.
                let start = start || self.may_start(former);
                let _ = self.start_target(&Target { attach: fallback.clone(), start }).await;
                Relocated::Returned(former.clone(), attachment.id)
            }
            Landing::Arriving(attachment) => Relocated::Arriving(Movement {
                from: None,
                to: former.clone(),
                attachment_id: Some(attachment.id),
                forced: None,
                standby_started: None,
                duration_ms: None,
            }),
            Landing::Elsewhere(attachment) => self.elsewhere(&attachment),
            Landing::Impossible => Relocated::Stranded,
            Landing::Gone => Relocated::Refused(Refusal::InterfaceMissing),
        }
    }

    /// The state of a member as it was seen last.
    fn state_of(&self, member: &InstanceId) -> Option<&InstanceState> {
        Some(&self.observation.as_ref()?.instance(member)?.state)
    }

    /// Whether the member is stopped, and may be started.
    fn may_start(&self, member: &InstanceId) -> bool {
        self.config.start_standby && self.state_of(member) == Some(&InstanceState::Stopped)
    }

    fn elsewhere(&self, attachment: &Attachment) -> Relocated {
        match &attachment.instance_id {
            Some(holder) if self.config.is_member(holder) => Relocated::ByAnotherRun(holder.clone()),
            holder => Relocated::Refused(Refusal::HeldByStranger {
                holder: holder.clone(),
                attachment_id: attachment.id.clone(),
            }),
        }
    }

    /// Detaches the interface and waits until it is free. Returns whether that took force.
    async fn detach(&mut self, from: &Attachment) -> Result<bool, Relocated> {
        let ec2 = self.ec2;
        let began = Instant::now();
        self.departed.insert(from.id.clone());
        // A detach that somebody else asked for is only waited for, and forced if it does not end.
        let mut asked = (from.status == AttachmentStatus::Detaching).then_some(began);
        let mut forced = false;
        let mut ask_at = began;
        let mut waiting = None;
        // Force is used on what was seen to hang, not on what could not be seen.
        let mut has_seen = false;
        // Nor is anything asked again while nothing can be seen.
        let mut is_blind = false;
        // A role that is scoped by resource is told that it may not detach what is gone, so a denial is believed only if the
        // attachment is still there when EC2's answers can no longer be old.
        let mut denied: Option<(Instant, CallError)> = None;
        loop {
            let now = Instant::now();
            let patience_over = asked
                .zip(self.config.force_detach_after)
                .is_some_and(|(asked, patience)| now.duration_since(asked) >= patience);
            let force = !forced && patience_over && has_seen;
            let may_ask = asked.is_none() && !is_blind;
            if (may_ask || force) && now >= ask_at && denied.is_none() {
                let step = if force { Step::ForceDetach } else { Step::Detach };
                let detached = self.step(step, &from.id, ec2.detach(&from.id, force)).await;
                self.may_have_changed |= may_have_taken_effect(&detached);
                match detached {
                    Ok(()) => {
                        asked = asked.or(Some(now));
                        forced |= force;
                    }
                    Err(error) if error.meaning == Meaning::Denied => denied = Some((Instant::now(), error)),
                    Err(error) => self.after_detach_error(from, &error)?,
                }
                ask_at = Instant::now() + Duration::from_millis(500);
            }
            let waiting = *waiting.get_or_insert_with(|| self.begin(Step::AwaitDetached, &from.id));
            // A failed look is not evidence that the interface is free.
            let look = self.look().await;
            has_seen = look.is_ok();
            is_blind = look.is_err();
            if let Ok(interface) = look {
                let Some(interface) = interface else { return Err(Relocated::Refused(Refusal::InterfaceMissing)) };
                match &interface.attachment {
                    None | Some(Attachment { status: AttachmentStatus::Detached, .. }) => {
                        self.end(waiting, None);
                        break;
                    }
                    Some(attachment) if attachment.id != from.id => {
                        let message = format!("something else moved {}", interface.id);
                        self.end(waiting, Some(&CallError::gave_up("ec2:DescribeNetworkInterfaces", message)));
                        return Err(self.elsewhere(attachment));
                    }
                    Some(_) => {}
                }
                if let Some((_, error)) = denied.take_if(|(since, _)| since.elapsed() >= OLDEST_ANSWER) {
                    self.end(waiting, Some(&error));
                    return Err(Relocated::Refused(Refusal::PermissionDenied(error)));
                }
            }
            sleep(pause_after(began.elapsed())).await;
        }
        if forced && let Some(from) = &from.instance_id {
            let finding = self.advisor().forced(from);
            self.findings.push(finding);
        }
        Ok(forced)
    }

    /// Sorts the errors of a detach into those that the next look settles and those that end the move.
    fn after_detach_error(&self, from: &Attachment, error: &CallError) -> Result<(), Relocated> {
        match error.meaning {
            Meaning::NotPermitted => Err(Relocated::Refused(match &from.instance_id {
                Some(holder) if from.device_index == 0 => Refusal::PrimaryInterface {
                    holder: holder.clone(),
                    state: self
                        .observation
                        .as_ref()
                        .and_then(|observation| observation.instance(holder))
                        .map(|instance| instance.state.clone()),
                    attachment_id: from.id.clone(),
                },
                _ => Refusal::CallRejected(error.clone()),
            })),
            Meaning::AlreadyDetached
            | Meaning::WrongState
            | Meaning::InUse
            | Meaning::Throttled
            | Meaning::Unreachable => Ok(()),
            _ => Err(Relocated::Refused(Refusal::CallRejected(error.clone()))),
        }
    }

    /// Attaches the interface to one instance and makes sure that it is there, to stay. One that is not to be started is looked
    /// at again: what was read of it before may be older than the interface's arrival.
    async fn land(&mut self, attach: &Attach, is_started_next: bool) -> Landing {
        let landing = match self.ask_for_attach(attach).await {
            Ok(accepted) => self.await_attached(attach, accepted.as_ref()).await,
            Err(landing) => landing,
        };
        if let Landing::Landed(attachment) = &landing {
            self.keep_on_termination(attachment).await;
            if !is_started_next {
                self.read_instance(&attach.instance_id, OLDEST_ANSWER).await;
            }
        }
        landing
    }

    /// Asks for the attach until EC2 accepts it or it is clear that it will not. Returns the attachment that EC2 made; `None`:
    /// its answer was lost.
    async fn ask_for_attach(&mut self, attach: &Attach) -> Result<Option<AttachmentId>, Landing> {
        let ec2 = self.ec2;
        let began = Instant::now();
        let mut answer_lost = false;
        let mut pause = Duration::from_millis(100);
        loop {
            let resource = format!("{} to {}", attach.interface_id, attach.instance_id);
            let attached = self.step(Step::Attach, resource, ec2.attach(attach)).await;
            self.may_have_attached |= may_have_taken_effect(&attached);
            self.may_have_changed |= self.may_have_attached;
            let error = match attached {
                Ok(accepted) => return Ok(Some(accepted)),
                Err(error) => error,
            };
            self.learn_of_room(attach, &error);
            let finding = self.advisor().call_failed(
                FindingCode::AttachFailed,
                &attach.instance_id,
                &format!("The interface could not be attached to {}.", attach.instance_id),
                &error,
            );
            // An attach whose answer was lost may have taken effect. One that was answered has not, so if the interface is there
            // all the same, another run was faster, and reports it.
            answer_lost |= matches!(error.meaning, Meaning::Unreachable | Meaning::Contradiction);
            let (interface, is_dying) = self.see_both(&attach.instance_id).await;
            let Some(interface) = interface else { return Err(Landing::Gone) };
            match Place::of(&interface, attach, &self.departed, None) {
                Place::There(_) | Place::Arriving(_) if answer_lost => return Ok(None),
                Place::There(attachment) | Place::Arriving(attachment) => {
                    return Err(Landing::Elsewhere(attachment));
                }
                Place::Elsewhere(attachment) => return Err(Landing::Elsewhere(attachment)),
                Place::Nowhere | Place::Leaving if is_dying && !answer_lost => {
                    self.findings.push(finding);
                    return Err(Landing::Impossible);
                }
                Place::Nowhere
                    if matches!(error.meaning, Meaning::DoesNotFit | Meaning::NotFound | Meaning::Denied) =>
                {
                    self.findings.push(finding);
                    return Err(Landing::Impossible);
                }
                Place::Nowhere | Place::Leaving => {}
            }
            let patience = match error.meaning {
                Meaning::InUse | Meaning::Throttled | Meaning::Unreachable | Meaning::DoesNotFit => ATTACH_PATIENCE,
                Meaning::WrongState => WRONG_STATE_PATIENCE,
                _ => Duration::ZERO,
            };
            if began.elapsed() >= patience {
                self.findings.push(finding);
                return Err(Landing::Impossible);
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_ATTACH_PAUSE);
        }
    }

    /// Reads the interface, and whether the instance that shall have it will never take it because it is terminated. As long as
    /// the interface cannot be seen, it may be there, or not exist anymore, so nothing is asked again and nothing else is tried.
    async fn see_both(&mut self, instance: &InstanceId) -> (Option<NetworkInterface>, bool) {
        let ec2 = self.ec2;
        let began = Instant::now();
        loop {
            let (look, instances) = future::join(self.look(), ec2.instances(std::slice::from_ref(instance))).await;
            let is_dying =
                |seen: &Instance| matches!(seen.state, InstanceState::ShuttingDown | InstanceState::Terminated);
            if let Ok(interface) = look {
                return (interface, instances.is_ok_and(|instances| instances.iter().any(is_dying)));
            }
            sleep(pause_after(began.elapsed())).await;
        }
    }

    /// Reads an instance, and remembers it with the status checks that are known of it. If it does not run, that may be an old
    /// answer, so it is read again until the patience is over.
    async fn read_instance(&mut self, id: &InstanceId, patience: Duration) {
        let ec2 = self.ec2;
        let began = Instant::now();
        loop {
            if let Ok(instances) = ec2.instances(std::slice::from_ref(id)).await
                && let Some(seen) = instances.into_iter().next()
            {
                let before = self.observation.as_ref().and_then(|observation| observation.instance(id));
                let status_checks =
                    before.map_or(Reading::Known(StatusChecks::Undecided), |it| it.status_checks.clone());
                let runs = seen.runs();
                self.remember(Instance { status_checks, ..seen });
                if runs {
                    return;
                }
            }
            let pause = pause_after(began.elapsed());
            if began.elapsed() >= patience || Instant::now() + pause >= self.clock.waiting_ends() {
                return;
            }
            sleep(pause).await;
        }
    }

    /// Waits until the interface is attached to the instance. Who can reach it is read in the meantime, and forgotten if that
    /// takes longer.
    ///
    /// An answer may be older than the attach that was accepted, so what it says is believed at once only of that very
    /// attachment, and of any other once answers that old are not given anymore. While EC2 attaches it, nothing else can be
    /// tried: EC2 refuses to detach it, and to attach it elsewhere.
    async fn await_attached(&mut self, attach: &Attach, accepted: Option<&AttachmentId>) -> Landing {
        let (config, ec2) = (self.config, self.ec2);
        let before = self.before.clone();
        let mut reachability = pin!(maybe_done(async {
            let interface = before.as_ref()?;
            let wanted = wanted_address(config, Some(interface));
            Some(read_reachability(config, ec2, interface, wanted.as_ref(), None).await)
        }));
        let began = Instant::now();
        let ends = self.clock.waiting_ends();
        let awaiting = self.begin(Step::AwaitAttached, format!("{} to {}", attach.interface_id, attach.instance_id));
        let waiting = async {
            loop {
                let look = self.look().await;
                let has_seen = look.is_ok();
                let pause = pause_after(began.elapsed());
                if let Ok(interface) = look {
                    let may_be_old = began.elapsed() < OLDEST_ANSWER;
                    let place =
                        interface.as_ref().map(|interface| Place::of(interface, attach, &self.departed, accepted));
                    match place {
                        Some(Place::There(attachment)) if accepted.is_some() || !may_be_old => {
                            return Landing::Landed(attachment);
                        }
                        Some(Place::Arriving(attachment)) => {
                            if Instant::now() + pause >= ends {
                                return Landing::Arriving(attachment);
                            }
                            sleep(pause).await;
                            continue;
                        }
                        Some(Place::Leaving) => {}
                        _ if may_be_old => {}
                        Some(Place::There(attachment) | Place::Elsewhere(attachment)) => {
                            return Landing::Elsewhere(attachment);
                        }
                        Some(Place::Nowhere) => return Landing::Impossible,
                        None => return Landing::Gone,
                    }
                }
                if began.elapsed() >= ATTACH_PATIENCE && has_seen {
                    return Landing::Impossible;
                }
                sleep(pause).await;
            }
        };
        let landing = first_of(waiting, reachability.as_mut()).await;
        match &landing {
            Landing::Landed(_) => {
                self.has_attached = true;
                self.end(awaiting, None);
            }
            Landing::Arriving(_) => {
                let message = format!("EC2 is still attaching the interface to {}", attach.instance_id);
                self.end(awaiting, Some(&CallError::gave_up("ec2:DescribeNetworkInterfaces", message)));
            }
            _ => {
                let message = format!("the interface did not reach {}", attach.instance_id);
                self.end(awaiting, Some(&CallError::gave_up("ec2:DescribeNetworkInterfaces", message)));
            }
        }
        if let (Some(observation), Some(Some(reachability))) = (&mut self.observation, reachability.take_output()) {
            observation.reachability = Some(reachability);
        }
        landing
    }

    /// Makes the new attachment one that leaves the interface alive when the instance is terminated. This is no repair that
    /// the settings could forbid: an interface that can be destroyed loses the license forever.
    async fn keep_on_termination(&mut self, attachment: &Attachment) {
        if !attachment.delete_on_termination {
            return;
        }
        let ec2 = self.ec2;
        let interface = &self.config.interface_id;
        let began = Instant::now();
        let made = loop {
            let keep = ec2.keep_on_termination(interface, &attachment.id);
            let made = self.step(Step::KeepOnTermination, &attachment.id, keep).await;
            let again = made.as_ref().is_err_and(CallError::is_transient) && began.elapsed() < KEEP_PATIENCE;
            if !again {
                break made;
            }
            sleep(pause_after(began.elapsed())).await;
        };
        if made.is_ok()
            && let Some(interface) = self.observation.as_mut().and_then(|observation| observation.interface.known_mut())
            && let Some(attachment) = interface.as_mut().and_then(|interface| interface.attachment.as_mut())
        {
            attachment.delete_on_termination = false;
        }
    }

    /// Starts the target if it is stopped. Returns whether it runs, or at least still starts.
    async fn start_target(&mut self, target: &Target) -> bool {
        self.has_booted_with_it = false;
        !target.start || self.start_holder(&target.attach.instance_id).await != Started::Not
    }

    /// Starts the instance that has the interface.
    pub(crate) async fn start_holder(&mut self, id: &InstanceId) -> Started {
        let ec2 = self.ec2;
        let began = Instant::now();
        let mut answer_lost = false;
        let started = loop {
            let started = self.step(Step::StartInstance, id, ec2.start(id)).await;
            let is_transient = started.as_ref().is_err_and(CallError::is_transient);
            answer_lost |= is_transient;
            if !is_transient || began.elapsed() >= START_RETRY_PATIENCE {
                break started;
            }
            sleep(pause_after(began.elapsed()).max(Duration::from_millis(500))).await;
        };
        // What was seen stopped may have been started by somebody since, and be up already.
        let is_ours = started == Ok(true) || (started == Ok(false) && answer_lost);
        // Where an answer was lost, nobody knows if it was stopped when the interface came.
        self.has_booted_with_it = started == Ok(true);
        // A start whose answer was lost may have taken effect, and in the wrong state is also what starts already.
        let may_run =
            started.as_ref().err().is_none_or(|error| error.is_transient() || error.meaning == Meaning::WrongState);
        if may_run && self.await_running(id, started.is_ok()).await {
            return if is_ours || started.is_err() { Started::ByThisRun } else { Started::BySomebody };
        }
        if !may_run && self.runs_after_all(id, started.as_ref().err()).await {
            return Started::BySomebody;
        }
        let reason = self.stopped_again.get(id);
        let reason = reason.map_or_else(String::new, |reason| format!("; EC2's reason: {reason}"));
        let did_not_come_up =
            || CallError::gave_up("ec2:StartInstances", format!("{id} was started but did not come up{reason}"));
        let error = started.err().unwrap_or_else(did_not_come_up);
        // What the role may not do says nothing of EC2's capacity, and is worth a try as soon as it may.
        if !error.is_transient() && error.meaning != Meaning::Denied {
            self.not_started.insert(id.clone());
        }
        let consequence = format!("{id} has the interface but could not be started.");
        let finding = self.advisor().call_failed(FindingCode::StartFailed, id, &consequence, &error);
        self.findings.push(finding);
        Started::Not
    }

    /// Whether an instance runs whose start was refused. What was seen of it before may be older than that. A denial says
    /// nothing of the instance, so one that is not seen to run is looked for until the answers can no longer be old.
    async fn runs_after_all(&mut self, id: &InstanceId, refusal: Option<&CallError>) -> bool {
        let is_denied = refusal.is_some_and(|error| error.meaning == Meaning::Denied);
        self.read_instance(id, if is_denied { OLDEST_ANSWER } else { Duration::ZERO }).await;
        self.observation.as_ref().and_then(|seen| seen.instance(id)).is_some_and(Instance::runs)
    }

    /// Waits until the instance runs. One whose start was accepted and that still starts when the patience ends counts as
    /// running, with a finding.
    async fn await_running(&mut self, id: &InstanceId, accepted: bool) -> bool {
        let ec2 = self.ec2;
        let began = Instant::now();
        let waiting = self.begin(Step::AwaitRunning, id);
        while began.elapsed() < START_PATIENCE {
            if let Ok(instances) = ec2.instances(std::slice::from_ref(id)).await
                && let Some(mut instance) = instances.into_iter().next()
            {
                let (state, reason) = (instance.state.clone(), instance.state_reason.clone());
                instance.status_checks = Reading::Known(StatusChecks::Undecided);
                self.remember(instance);
                match state {
                    InstanceState::Running => {
                        self.end(waiting, None);
                        return true;
                    }
                    // EC2 takes a start back when it turns out that there is no capacity. Until the answers can no longer be
                    // old, `stopped` may also be what was before the start.
                    InstanceState::Stopped if began.elapsed() < OLDEST_ANSWER => {}
                    InstanceState::Stopped | InstanceState::ShuttingDown | InstanceState::Terminated => {
                        let reason = reason.filter(|_| accepted).map(|reason| (id.clone(), reason));
                        self.stopped_again.extend(reason);
                        self.end(waiting, Some(&CallError::gave_up("ec2:StartInstances", format!("{id} is {state}"))));
                        return false;
                    }
                    _ => {}
                }
            }
            sleep(pause_after(began.elapsed())).await;
        }
        self.end(waiting, Some(&CallError::gave_up("ec2:StartInstances", format!("{id} is still starting"))));
        if accepted {
            let finding = self.advisor().still_starting(id);
            self.findings.push(finding);
        }
        accepted
    }
}

/// Whether a change was made, or may have been made.
fn may_have_taken_effect<T>(result: &Result<T, CallError>) -> bool {
    result.as_ref().err().is_none_or(CallError::is_transient)
}

/// Where the interface is, seen from an instance that shall have it.
enum Place {
    Nowhere,
    /// Still at the attachment that it is leaving, by an answer that may be old.
    Leaving,
    Arriving(Attachment),
    There(Attachment),
    Elsewhere(Attachment),
}

impl Place {
    fn of(
        interface: &NetworkInterface,
        attach: &Attach,
        departed: &BTreeSet<AttachmentId>,
        accepted: Option<&AttachmentId>,
    ) -> Self {
        let Some(attachment) = &interface.attachment else { return Self::Nowhere };
        let on_target = attachment.instance_id.as_ref() == Some(&attach.instance_id);
        match attachment.status {
            AttachmentStatus::Detached => Self::Nowhere,
            _ if departed.contains(&attachment.id) => Self::Leaving,
            AttachmentStatus::Detaching => Self::Leaving,
            _ if accepted.is_some_and(|accepted| *accepted != attachment.id) => Self::Elsewhere(attachment.clone()),
            AttachmentStatus::Attaching if on_target => Self::Arriving(attachment.clone()),
            AttachmentStatus::Attached if on_target => Self::There(attachment.clone()),
            AttachmentStatus::Attaching | AttachmentStatus::Attached => Self::Elsewhere(attachment.clone()),
        }
    }
}
