//! The course of the interface and of the instances, from sights at single moments.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use token_failover::decide::pending::report::PendingReport;
use token_failover::model::ids::{AttachmentId, InstanceId};
use token_failover::model::observation::{Attachment, AttachmentStatus, InstanceState, NetworkInterface, StatusChecks};

/// How uncertain a duration may be, whatever it is.
const TOLERANCE: Duration = Duration::from_secs(1);

/// How long an instance must still be in a state after the interface has begun to leave it, so that the sight is not an old
/// answer.
const STILL: Duration = Duration::from_secs(1);

/// How long the function must have been about to detach the interface while the instance was neither running nor stopped. It
/// asks at once, and asks again if EC2 refuses.
const REFUSED: Duration = Duration::from_secs(3);

/// When something happened: after one sight, and by the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    after: Duration,
    by: Duration,
}

impl Moment {
    fn between(after: Duration, by: Duration) -> Self {
        Self { after: after.min(by), by }
    }

    fn at(at: Duration) -> Self {
        Self { after: at, by: at }
    }

    fn middle(self) -> Duration {
        self.after + self.width() / 2
    }

    fn width(self) -> Duration {
        self.by.saturating_sub(self.after)
    }
}

/// The time from one moment to another; `None`: the sights are too far apart for it.
fn time_between(from: Moment, to: Moment) -> Option<Duration> {
    let time = to.middle().saturating_sub(from.middle());
    let uncertain = (from.width() + to.width()) / 2;
    (uncertain <= TOLERANCE.max(time / 4)).then_some(time)
}

/// The measured durations.
#[derive(Debug, Clone, Default)]
pub(super) struct Measured {
    pub(super) detach: Vec<Duration>,
    pub(super) attach: Vec<Duration>,
    pub(super) stop: Vec<Duration>,
    pub(super) boot: Vec<Duration>,
    pub(super) checks: Vec<Duration>,
}

/// A request of our own runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Detach,
    ForceDetach,
    Attach,
}

/// What a sight of the interface shows of EC2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Shown {
    /// Whether the status of the interface showed the phase.
    pub(super) phase_in_status: Option<bool>,
    /// DeleteOnTermination of a new attachment, before anything has set it.
    pub(super) deletes_on_termination: Option<bool>,
}

/// The interface, as it was last seen.
#[derive(Debug, Clone)]
struct Sight {
    at: Duration,
    /// `None`: free.
    attachment: Option<Attachment>,
    /// When the present phase began.
    since: Option<Moment>,
}

/// The course of the interface.
#[derive(Debug, Clone, Default)]
pub(super) struct Course {
    last: Option<Sight>,
    /// The attachments that have ended. An answer that shows one of them is old.
    departed: BTreeSet<AttachmentId>,
    detach_asked: Option<Duration>,
    attach_asked: Option<Duration>,
    forced: bool,
    /// A new attachment, and whether a run of this process has asked for it. Its DeleteOnTermination tells EC2's default.
    fresh: Option<(AttachmentId, bool)>,
    /// The attachment that a run was first seen to be about to end, and when.
    intent: Option<(AttachmentId, Duration)>,
    left: Option<Left>,
}

/// The interface began to leave an instance.
#[derive(Debug, Clone)]
struct Left {
    instance: InstanceId,
    began: Moment,
    /// When a run was first seen to be about to detach it.
    intended_at: Option<Duration>,
}

/// How far an attachment is. It never goes back.
fn rank(status: AttachmentStatus) -> u8 {
    match status {
        AttachmentStatus::Attaching => 0,
        AttachmentStatus::Attached => 1,
        AttachmentStatus::Detaching => 2,
        AttachmentStatus::Detached => 3,
    }
}

impl Course {
    /// The attachment, as it was last seen.
    pub(super) fn attachment(&self) -> Option<&Attachment> {
        self.last.as_ref()?.attachment.as_ref()
    }

    /// Whether this attachment is known to have ended.
    pub(super) fn is_gone(&self, attachment: &AttachmentId) -> bool {
        let is_present = self.attachment().is_some_and(|present| present.id == *attachment);
        self.departed.contains(attachment) || (self.last.is_some() && !is_present)
    }

    /// A run of this process asks EC2.
    pub(super) fn ask(&mut self, at: Duration, ask: Ask) {
        match ask {
            Ask::Detach => self.detach_asked = Some(at),
            Ask::ForceDetach => self.forced = true,
            Ask::Attach => self.attach_asked = Some(at),
        }
    }

    /// EC2 has refused.
    pub(super) fn refused(&mut self, ask: Ask) {
        match ask {
            Ask::Detach => self.detach_asked = None,
            Ask::ForceDetach => {}
            Ask::Attach => self.attach_asked = None,
        }
    }

    /// A run of this process sets DeleteOnTermination.
    pub(super) fn deletion_set(&mut self) {
        self.fresh = None;
        self.attach_asked = None;
    }

    /// The interface was read.
    pub(super) fn see(&mut self, at: Duration, interface: &NetworkInterface, measured: &mut Measured) -> Shown {
        let phase_in_status = phase_in_status(interface);
        let attachment = interface.attachment.clone();
        if self.is_old(attachment.as_ref()) {
            return Shown { phase_in_status, ..Shown::default() };
        }
        let since = match &self.last {
            None => None,
            Some(last) if place(last.attachment.as_ref()) == place(attachment.as_ref()) => last.since,
            Some(_) => Some(self.change(at, attachment.as_ref(), measured)),
        };
        self.notice_intent(at, interface);
        let deletes_on_termination = self.deletion_shown(attachment.as_ref());
        self.last = Some(Sight { at, attachment, since });
        Shown { phase_in_status, deletes_on_termination }
    }

    /// A run writes its pending report right before it asks for the detach.
    fn notice_intent(&mut self, at: Duration, interface: &NetworkInterface) {
        let Some(present) = &interface.attachment else { return };
        let is_known = self.intent.as_ref().is_some_and(|(ended, _)| *ended == present.id);
        let ends_it =
            |report: &PendingReport| report.is_move() && !report.reported && report.departure().0 == Some(&present.id);
        if !is_known && PendingReport::read_all(&interface.tags).iter().any(ends_it) {
            self.intent = Some((present.id.clone(), at));
        }
    }

    fn is_old(&self, attachment: Option<&Attachment>) -> bool {
        let Some(seen) = attachment else { return false };
        let goes_back =
            self.attachment().is_some_and(|last| last.id == seen.id && rank(seen.status) < rank(last.status));
        goes_back || self.departed.contains(&seen.id)
    }

    /// The interface is in another place or phase than at the last sight. Returns when the phase began.
    fn change(&mut self, at: Duration, now: Option<&Attachment>, measured: &mut Measured) -> Moment {
        let Some(Sight { at: seen_at, attachment: before, since }) = self.last.clone() else { return Moment::at(at) };
        let changed = |asked: Option<Duration>| Moment::between(seen_at.max(asked.unwrap_or_default()), at);
        let stays = before.as_ref().map(|one| &one.id) == now.map(|one| &one.id);
        let mut began = changed(None);
        // The old attachment is ending, or has ended.
        if let Some(before) = &before
            && (!stays || rank(before.status) < rank(AttachmentStatus::Detaching))
        {
            let is_leaving = now.is_none_or(|now| !stays || rank(now.status) >= rank(AttachmentStatus::Detaching));
            let was_leaving = rank(before.status) >= rank(AttachmentStatus::Detaching);
            if is_leaving && !was_leaving {
                began = changed(self.detach_asked);
                let intent = self.intent.as_ref().filter(|(ended, _)| *ended == before.id);
                let intended_at = intent.map(|(_, at)| *at);
                self.left = before.instance_id.clone().map(|instance| Left { instance, began, intended_at });
            }
            if !stays {
                let took = if was_leaving {
                    since.and_then(|since| time_between(since, changed(None)))
                } else {
                    // The phase was too short to be seen.
                    self.detach_asked.filter(|_| now.is_none()).map(|asked| at.saturating_sub(asked))
                };
                let took = took.filter(|_| !self.forced);
                measured.detach.extend(took);
                if was_leaving || self.detach_asked.is_some() {
                    self.departed.insert(before.id.clone());
                }
                self.detach_asked = None;
                self.forced = false;
            }
        }
        if let Some(now) = now {
            let asked = if stays { None } else { self.attach_asked.take() };
            if !stays {
                began = changed(asked);
                self.fresh = Some((now.id.clone(), asked.is_some()));
            }
            if now.status == AttachmentStatus::Attached {
                let took = if stays {
                    since.and_then(|since| time_between(since, changed(None)))
                } else {
                    // The phase was too short to be seen.
                    asked.map(|asked| at.saturating_sub(asked))
                };
                measured.attach.extend(took);
            }
        }
        began
    }

    /// The value of DeleteOnTermination that EC2 has given a new attachment. The deployed function sets it once the
    /// interface is attached. A run of this process sets it in a step of its own.
    fn deletion_shown(&mut self, attachment: Option<&Attachment>) -> Option<bool> {
        let (fresh, is_ours) = self.fresh.take()?;
        let seen = attachment.filter(|seen| seen.id == fresh)?;
        let is_untouched = seen.status == AttachmentStatus::Attaching || is_ours;
        (seen.delete_on_termination || is_untouched).then_some(seen.delete_on_termination)
    }

    /// An instance was seen. `true`: the interface left it while it was neither running nor stopped. `false`: a run was about
    /// to detach it then, and it left only once the instance had stopped.
    pub(super) fn left_in_between(&mut self, at: Duration, instance: &InstanceId, lives: &Lives) -> Option<bool> {
        let left = self.left.as_ref().filter(|left| left.instance == *instance)?;
        let life = lives.0.get(instance)?;
        let (first, last) = life.in_between?;
        let so = match life.state.as_ref()? {
            state if is_in_between(state) => (first <= left.began.after && at >= left.began.by + STILL).then_some(true),
            InstanceState::Stopped => {
                let intended_at = left.intended_at?;
                let was_refused = first <= intended_at && last >= intended_at + REFUSED;
                (was_refused && left.began.by + STILL > last).then_some(false)
            }
            _ => None,
        };
        if so.is_some() {
            self.left = None;
        }
        so
    }
}

/// Whether an instance in this state is neither running nor stopped, and has not ended.
pub(super) fn is_in_between(state: &InstanceState) -> bool {
    matches!(state, InstanceState::Pending | InstanceState::Stopping | InstanceState::ShuttingDown)
}

fn place(attachment: Option<&Attachment>) -> Option<(&AttachmentId, AttachmentStatus)> {
    attachment.map(|attachment| (&attachment.id, attachment.status))
}

fn phase_in_status(interface: &NetworkInterface) -> Option<bool> {
    let attachment = interface.attachment.as_ref()?;
    if !matches!(attachment.status, AttachmentStatus::Attaching | AttachmentStatus::Detaching) {
        return None;
    }
    match interface.status.as_deref()? {
        "attaching" | "detaching" => Some(true),
        "in-use" => Some(false),
        _ => None,
    }
}

/// An instance, as it was last seen.
#[derive(Debug, Clone)]
struct Life {
    at: Duration,
    state: Option<InstanceState>,
    since: Option<Moment>,
    stop_asked: Option<Duration>,
    start_asked: Option<Duration>,
    /// When it began to run, if its status checks have not passed since.
    checked_since: Option<Moment>,
    /// When its status checks were last seen not to pass.
    unchecked_at: Duration,
    /// When it was first and last seen in its last state that was neither running nor stopped.
    in_between: Option<(Duration, Duration)>,
}

/// The courses of the instances.
#[derive(Debug, Clone, Default)]
pub(super) struct Lives(BTreeMap<InstanceId, Life>);

impl Lives {
    fn of(&mut self, instance: &InstanceId) -> &mut Life {
        self.0.entry(instance.clone()).or_insert_with(|| Life {
            at: Duration::ZERO,
            state: None,
            since: None,
            stop_asked: None,
            start_asked: None,
            checked_since: None,
            unchecked_at: Duration::ZERO,
            in_between: None,
        })
    }

    /// The state in which the instance was last seen.
    pub(super) fn state(&self, instance: &InstanceId) -> Option<&InstanceState> {
        self.0.get(instance)?.state.as_ref()
    }

    pub(super) fn asked_to_stop(&mut self, at: Duration, instance: &InstanceId) {
        self.of(instance).stop_asked = Some(at);
    }

    pub(super) fn asked_to_start(&mut self, at: Duration, instance: &InstanceId) {
        self.of(instance).start_asked = Some(at);
    }

    /// An instance was read.
    pub(super) fn see(&mut self, at: Duration, instance: &InstanceId, state: &InstanceState, measured: &mut Measured) {
        let life = self.of(instance);
        match &life.state {
            None => life.since = None,
            Some(before) if before == state => {}
            Some(before) => {
                let changed = Moment::between(life.at, at);
                let since = |asked: Option<Duration>, in_between: bool| {
                    asked.map(Moment::at).or(life.since.filter(|_| in_between))
                };
                match state {
                    InstanceState::Stopped => {
                        let since = since(life.stop_asked, *before == InstanceState::Stopping);
                        measured.stop.extend(since.and_then(|since| time_between(since, changed)));
                        life.stop_asked = None;
                    }
                    InstanceState::Running => {
                        let since = since(life.start_asked, *before == InstanceState::Pending);
                        measured.boot.extend(since.and_then(|since| time_between(since, changed)));
                        life.start_asked = None;
                        life.checked_since = Some(changed);
                        life.unchecked_at = at;
                    }
                    _ => {}
                }
                if *state != InstanceState::Running {
                    life.checked_since = None;
                }
                life.since = Some(changed);
            }
        }
        if is_in_between(state) {
            let first = life.in_between.filter(|_| life.state.as_ref() == Some(state)).map_or(at, |(first, _)| first);
            life.in_between = Some((first, at));
        }
        life.at = at;
        life.state = Some(state.clone());
    }

    pub(super) fn see_checks(
        &mut self,
        at: Duration,
        instance: &InstanceId,
        checks: StatusChecks,
        measured: &mut Measured,
    ) {
        let life = self.of(instance);
        if let Some(since) = life.checked_since {
            if checks == StatusChecks::Ok {
                measured.checks.extend(time_between(since, Moment::between(life.unchecked_at, at)));
                life.checked_since = None;
            } else {
                life.unchecked_at = at;
            }
        }
    }
}
