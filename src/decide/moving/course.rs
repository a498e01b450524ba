//! The course of a move: off the former holder, to the first target that takes the interface and runs, and back if no
//! target does. If the former holder does not take it either, to a standby that the move passed over.

use std::collections::VecDeque;
use std::time::Duration;

use crate::decide::members::is_member;
use crate::decide::moving::attach::Landing;
use crate::decide::moving::detach::Detached;
use crate::model::change::Attach;
use crate::model::config::{Config, Members};
use crate::model::ids::{AttachmentId, InstanceId};
use crate::model::observation::{Attachment, InstanceState, Observation};
use crate::model::outcome::{Boot, MoveOutcome, Started};
use crate::model::plan::{Move, Refusal, Target};
use crate::model::report::{Movement, milliseconds};

/// The next step of a move. Each leg carries its purpose, so its answer can only lead to a leg that fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leg {
    /// Detach the interface from this attachment.
    Detach(Attachment, Freeing),
    /// Attach the interface.
    Attach(Attaching),
    /// Start this instance, which has the interface.
    Start(InstanceId, Starting),
    /// Read the former holder, before the run takes the interface away from a target that did not start.
    Read(InstanceId, Stuck),
    /// The move is over.
    End(Result<MoveOutcome, Refusal>),
}

/// Why the interface is detached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Freeing {
    /// The former holder gives it up.
    FormerHolder,
    /// A target that did not start gives it up to the next one.
    ForTarget(Target),
    /// A target that did not start gives it up to the former holder.
    ForFormerHolder(Attach),
    /// A target that did not start gives it up to a standby that runs and that the move passed over.
    ForLastResort(Target),
}

/// Why the interface is attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attaching {
    /// A target gets it.
    Target(Target),
    /// The former holder gets it back.
    FormerHolder(Target),
    /// A standby that the move passed over gets it, because it would be attached to nothing otherwise.
    LastResort(Target),
    /// A target that took the interface and did not start gets it back, because nothing else worked. The interface is
    /// then in place when the instance starts.
    NotStarted(Target, Movement),
}

impl Attaching {
    /// Where the interface goes. `start`: the run starts the instance next, so it need not read it again.
    pub fn target(&self) -> &Target {
        match self {
            Self::Target(target)
            | Self::FormerHolder(target)
            | Self::LastResort(target)
            | Self::NotStarted(target, _) => target,
        }
    }
}

/// Why an instance is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Starting {
    /// It is a target.
    Target(Target, Stuck),
    /// It is the former holder, which has the interface again by this attachment.
    FormerHolder(InstanceId, AttachmentId),
    /// It is a standby that the move passed over.
    LastResort(Movement),
}

/// A move to a target that does not run, and the attachment by which that target has the interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    movement: Movement,
    attachment: Attachment,
    boot: Boot,
}

/// A move under way.
#[derive(Debug)]
pub struct Course<'a> {
    config: &'a Config,
    planned: &'a Move,
    /// The member that the interface left; `None`: not known.
    left: Option<InstanceId>,
    /// Whether the interface was detached by force.
    forced: bool,
    /// The targets that have not been tried.
    untried: VecDeque<Target>,
    /// The standbys that the move passes over and that have not been tried.
    last_resorts: VecDeque<Target>,
    /// The targets that took the interface and did not start, the first one first.
    not_started: VecDeque<(Target, Movement)>,
}

impl<'a> Course<'a> {
    /// The course of this move. `left` is the member that the interface left, if it is known already.
    pub fn new(config: &'a Config, planned: &'a Move, left: Option<InstanceId>) -> Self {
        let untried = planned.targets.iter().cloned().collect();
        let last_resorts = planned.last_resorts.iter().cloned().collect();
        Self { config, planned, left, forced: false, untried, last_resorts, not_started: VecDeque::new() }
    }

    /// The first leg. `seen` is the latest view of EC2, here and below.
    pub fn begin(&mut self, seen: Option<&Observation>) -> Leg {
        match &self.planned.from {
            Some(from) => Leg::Detach(from.clone(), Freeing::FormerHolder),
            None => self.try_next(None, seen),
        }
    }

    /// The leg after a detach.
    pub fn after_detach(&mut self, purpose: Freeing, detached: Detached, seen: Option<&Observation>) -> Leg {
        let by_force = match detached {
            Detached::Free { forced } => forced,
            Detached::Elsewhere(attachment) => return Leg::End(self.elsewhere(&attachment, seen)),
            Detached::Refused(refusal) => return Leg::End(Err(refusal)),
        };
        match purpose {
            Freeing::FormerHolder => {
                self.forced = by_force;
                self.try_next(None, seen)
            }
            Freeing::ForTarget(target) => Leg::Attach(Attaching::Target(target)),
            Freeing::ForFormerHolder(attach) => self.give_back_to(attach, seen),
            Freeing::ForLastResort(target) => Leg::Attach(Attaching::LastResort(target)),
        }
    }

    /// The leg after an attach. `elapsed` is the time since the move began.
    pub fn after_attach(
        &mut self,
        purpose: Attaching,
        landing: Landing,
        seen: Option<&Observation>,
        elapsed: Duration,
    ) -> Leg {
        match landing {
            Landing::Landed(attachment) => self.landed(purpose, attachment, seen, elapsed),
            Landing::Arriving(attachment) => {
                Leg::End(Ok(MoveOutcome::Arriving(self.arriving(purpose, attachment, elapsed))))
            }
            Landing::Elsewhere(attachment) => Leg::End(self.elsewhere(&attachment, seen)),
            Landing::Gone => Leg::End(Err(Refusal::InterfaceMissing)),
            Landing::Impossible => match purpose {
                Attaching::Target(_) => self.try_next(None, seen),
                Attaching::FormerHolder(_) | Attaching::LastResort(_) => self.try_last_resort(),
                Attaching::NotStarted(..) => self.put_back(),
            },
        }
    }

    fn landed(&self, purpose: Attaching, attachment: Attachment, seen: Option<&Observation>, elapsed: Duration) -> Leg {
        match purpose {
            Attaching::Target(target) => {
                let movement = self.movement(&target, &attachment, elapsed);
                if !target.start {
                    return Leg::End(Ok(MoveOutcome::Moved(movement, Boot::Earlier)));
                }
                let id = target.attach.instance_id.clone();
                Leg::Start(id, Starting::Target(target, Stuck { movement, attachment, boot: Boot::Earlier }))
            }
            Attaching::FormerHolder(target) => {
                let former = target.attach.instance_id;
                // The former holder may have stopped since it was read.
                if target.start || self.may_start(&former, seen) {
                    return Leg::Start(former.clone(), Starting::FormerHolder(former, attachment.id));
                }
                Leg::End(Ok(MoveOutcome::Returned { to: former, attachment_id: attachment.id, boot: Boot::Earlier }))
            }
            Attaching::LastResort(target) => {
                let movement = self.movement(&target, &attachment, elapsed);
                if !target.start {
                    return Leg::End(Ok(MoveOutcome::Moved(movement, Boot::Earlier)));
                }
                Leg::Start(target.attach.instance_id, Starting::LastResort(movement))
            }
            Attaching::NotStarted(_, movement) => {
                let movement = Movement { attachment_id: Some(attachment.id), ..movement };
                Leg::End(Ok(MoveOutcome::NotStarted(movement, Boot::Earlier)))
            }
        }
    }

    /// The leg after a start.
    pub fn after_start(&mut self, purpose: Starting, started: Started, seen: Option<&Observation>) -> Leg {
        match purpose {
            Starting::Target(_, Stuck { movement, .. }) if started.runs() => {
                Leg::End(Ok(MoveOutcome::Moved(movement, started.boot())))
            }
            Starting::Target(target, stuck) => {
                let stuck = Stuck { boot: started.boot(), ..stuck };
                self.not_started.push_back((target, stuck.movement.clone()));
                self.try_next(Some(stuck), seen)
            }
            Starting::LastResort(movement) if started.runs() => {
                Leg::End(Ok(MoveOutcome::Moved(movement, started.boot())))
            }
            Starting::LastResort(movement) => Leg::End(Ok(MoveOutcome::NotStarted(movement, started.boot()))),
            // If the former holder does not start, the finding of the start says so. The interface is where it was
            // before.
            Starting::FormerHolder(to, attachment_id) => {
                Leg::End(Ok(MoveOutcome::Returned { to, attachment_id, boot: started.boot() }))
            }
        }
    }

    /// The leg after the read of the former holder, even if the read failed.
    pub fn after_read(&mut self, former: &InstanceId, stuck: Stuck, seen: Option<&Observation>) -> Leg {
        let is_running = state_of(former, seen) == Some(&InstanceState::Running);
        match &self.planned.fallback {
            Some(fallback) if is_running || self.may_start(former, seen) => {
                Leg::Detach(stuck.attachment, Freeing::ForFormerHolder(fallback.clone()))
            }
            Some(_) | None => self.leave_or_pass_on(stuck),
        }
    }

    /// Goes on to the next target. A target that has the interface and did not start gives it up first.
    fn try_next(&mut self, stuck: Option<Stuck>, seen: Option<&Observation>) -> Leg {
        match (self.untried.pop_front(), stuck) {
            (Some(target), Some(stuck)) => Leg::Detach(stuck.attachment, Freeing::ForTarget(target)),
            (Some(target), None) => Leg::Attach(Attaching::Target(target)),
            (None, stuck) => self.give_back(stuck, seen),
        }
    }

    /// No target took the interface and runs. The interface goes back to the former holder, if that could take it and
    /// serve.
    fn give_back(&mut self, stuck: Option<Stuck>, seen: Option<&Observation>) -> Leg {
        match (&self.planned.fallback, stuck) {
            (Some(fallback), Some(stuck)) => Leg::Read(fallback.instance_id.clone(), stuck),
            (Some(fallback), None) => self.give_back_to(fallback.clone(), seen),
            (None, Some(stuck)) => self.leave_or_pass_on(stuck),
            (None, None) => self.try_last_resort(),
        }
    }

    fn give_back_to(&self, attach: Attach, seen: Option<&Observation>) -> Leg {
        let start = self.may_start(&attach.instance_id, seen);
        Leg::Attach(Attaching::FormerHolder(Target { attach, start }))
    }

    /// The interface is on a target that did not start. A standby that runs is better. One that would have to be started is not,
    /// and neither is a former holder that cannot run.
    fn leave_or_pass_on(&mut self, stuck: Stuck) -> Leg {
        match self.last_resorts.pop_front_if(|target| !target.start) {
            Some(target) => Leg::Detach(stuck.attachment, Freeing::ForLastResort(target)),
            None => Leg::End(Ok(MoveOutcome::NotStarted(stuck.movement, stuck.boot))),
        }
    }

    fn try_last_resort(&mut self) -> Leg {
        match self.last_resorts.pop_front() {
            Some(target) => Leg::Attach(Attaching::LastResort(target)),
            None => self.put_back(),
        }
    }

    fn put_back(&mut self) -> Leg {
        match self.not_started.pop_front() {
            Some((target, movement)) => Leg::Attach(Attaching::NotStarted(target, movement)),
            None => Leg::End(Ok(MoveOutcome::Stranded)),
        }
    }

    /// The outcome if another run or an operator has moved the interface. If a tag names the members, an instance that
    /// this run has not seen may have got the tag since. The next run reads it.
    fn elsewhere(&self, attachment: &Attachment, seen: Option<&Observation>) -> Result<MoveOutcome, Refusal> {
        let may_be_member = |holder: &InstanceId| match (&self.config.members, seen) {
            (Members::Listed(ids), _) => ids.contains(holder),
            (Members::Tagged(_), Some(seen)) => seen.instance(holder).is_none() || is_member(self.config, seen, holder),
            (Members::Tagged(_), None) => true,
        };
        match &attachment.instance_id {
            Some(holder) if may_be_member(holder) => Ok(MoveOutcome::ByAnotherRun(holder.clone())),
            holder => Err(Refusal::HeldByStranger { holder: holder.clone(), attachment_id: attachment.id.clone() }),
        }
    }

    /// Whether the member is stopped and may be started.
    fn may_start(&self, member: &InstanceId, seen: Option<&Observation>) -> bool {
        self.config.start_standby && state_of(member, seen) == Some(&InstanceState::Stopped)
    }

    fn movement(&self, target: &Target, attachment: &Attachment, elapsed: Duration) -> Movement {
        Movement {
            // An interface that is back at the instance that an earlier run took it from has come from no other member.
            from: self.left.clone().filter(|left| *left != target.attach.instance_id),
            to: target.attach.instance_id.clone(),
            attachment_id: Some(attachment.id.clone()),
            forced: Some(self.forced),
            standby_started: Some(target.start),
            duration_ms: Some(milliseconds(elapsed)),
        }
    }

    fn arriving(&self, purpose: Attaching, attachment: Attachment, elapsed: Duration) -> Movement {
        match purpose {
            Attaching::Target(target) | Attaching::LastResort(target) => {
                Movement { standby_started: Some(false), ..self.movement(&target, &attachment, elapsed) }
            }
            Attaching::FormerHolder(target) => Movement {
                from: None,
                to: target.attach.instance_id,
                attachment_id: Some(attachment.id),
                forced: None,
                standby_started: None,
                duration_ms: None,
            },
            Attaching::NotStarted(_, movement) => Movement { attachment_id: Some(attachment.id), ..movement },
        }
    }
}

/// The best target, if a standby that the move passed over has the interface now.
pub fn missed<'p>(planned: &'p Move, ended: &MoveOutcome) -> Option<&'p InstanceId> {
    let MoveOutcome::Moved(Movement { to, .. }, _) = ended else { return None };
    let is_last_resort = planned.last_resorts.iter().any(|target| target.attach.instance_id == *to);
    is_last_resort.then_some(&planned.targets.first.attach.instance_id)
}

/// The state of a member when it was last read.
fn state_of<'a>(member: &InstanceId, seen: Option<&'a Observation>) -> Option<&'a InstanceState> {
    Some(&seen?.instance(member)?.state)
}
