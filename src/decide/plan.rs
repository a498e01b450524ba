//! The decision: configuration, observation and intent in, plan out.
//!
//! [`plan`] is pure and synchronous. It makes no call, does not wait, and reads no clock: how long the run has been
//! reading EC2 is one of its inputs. An event cannot decide anything by its claim. It can only make the run read EC2
//! more than once. There are two exceptions, because no answer of EC2 shows what they say: the interruption warning of a
//! Spot Instance and, if the settings ask for it, the rebalance recommendation.

use std::cmp::Reverse;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::decide::members::{MOST_TAGGED, is_member, members};
use crate::decide::pause;
use crate::decide::pending::report::{has_come_back, is_being_started, is_moving, is_unfinished};
use crate::decide::remembered::Remembered;
use crate::model::change::Attach;
use crate::model::config::{Config, Members};
use crate::model::ids::InstanceId;
use crate::model::observation::{
    Attachment, AttachmentStatus, Instance, InstanceState, NetworkInterface, Observation, Reading, ScheduledEvent,
    StatusChecks,
};
use crate::model::plan::{
    Action, Decision, KeepReason, LookReason, Move, MoveCause, Obstacle, Plan, Refusal, Standby, Start, Target,
    Targets, Verdict,
};
use crate::model::request::Intent;

/// Makes the plan.
///
/// `looked_for` is how long the run has been reading EC2. It limits [`Decision::LookAgain`].
pub fn plan(config: &Config, observation: &Observation, intent: &Intent, looked_for: Duration) -> Plan {
    let plan = unpaused(config, observation, intent, looked_for);
    let is_paused = pause::holds_back(intent) && pause::of(observation).is_some();
    match plan.decision {
        Decision::Act(Action::CannotTell(_)) => plan,
        _ if is_paused => Plan { decision: Decision::Act(Action::Keep { reason: KeepReason::Paused }), ..plan },
        _ => plan,
    }
}

/// The plan without regard to a pause.
pub(crate) fn unpaused(config: &Config, observation: &Observation, intent: &Intent, looked_for: Duration) -> Plan {
    let remembered = observation.interface().map(|interface| Remembered::read(&interface.tags)).unwrap_or_default();
    let look = Look { config, observation, remembered, intent, looked_for };
    let standbys = look.standbys();
    let decision = look.decide(&standbys);
    Plan { decision, standbys }
}

struct Look<'a> {
    config: &'a Config,
    observation: &'a Observation,
    /// What the interface remembers.
    remembered: Remembered,
    intent: &'a Intent,
    looked_for: Duration,
}

/// How long before the date of a scheduled event the interface moves. AWS may begin at any time after the date. An hour
/// leaves time for a standby that has to be replaced, and leaves the date to an operator until then.
const AHEAD_OF_EVENT: TimeDelta = TimeDelta::hours(1);

/// How long an instance may take until its status checks are known. They usually pass within five minutes of the launch.
const BOOT: TimeDelta = TimeDelta::minutes(10);

/// The codes of scheduled events that interrupt an instance.
/// Source: EC2 API Reference, *InstanceStatusEvent*, `code`.
const INTERRUPTING: [&str; 5] =
    ["instance-retirement", "instance-stop", "instance-reboot", "system-reboot", "system-maintenance"];

/// What is known about the holder.
enum Holder {
    Healthy,
    /// It runs, and is about to go.
    Departing(MoveCause),
    Starting,
    ChecksUnreadable,
    StateUnknown,
    Failed(MoveCause),
}

impl Holder {
    /// Whether the instance is being terminated or is gone, which frees even a primary interface.
    fn is_dying(&self) -> bool {
        use MoveCause::{HolderMissing, HolderShuttingDown, HolderTerminated};
        matches!(self, Self::Failed(HolderShuttingDown | HolderTerminated | HolderMissing))
    }
}

impl Look<'_> {
    fn decide(&self, standbys: &[Standby]) -> Decision {
        let interface = match &self.observation.interface {
            Reading::Unreadable(error) => return Decision::Act(Action::CannotTell(error.clone())),
            Reading::Known(None) => {
                let again = self.look_again(LookReason::InterfaceMissing);
                return again.unwrap_or(Decision::Act(Action::Refuse(Refusal::InterfaceMissing)));
            }
            Reading::Known(Some(interface)) => interface,
        };
        if let Reading::Unreadable(error) = &self.observation.instances {
            return Decision::Act(Action::CannotTell(error.clone()));
        }
        if let Some(refused) = self.refuse_a_tag() {
            return refused;
        }
        if let Intent::Failover { to: Some(target) } = self.intent
            && !self.is_member(target)
        {
            return Decision::Act(Action::Refuse(Refusal::TargetNotAMember { target: target.clone() }));
        }
        let Some(attachment) = attachment(interface) else {
            // The interface is attached to nothing, and another run that may still be alive is moving it.
            let busy = is_moving(&self.remembered.pending, self.observation.observed_at);
            let again = busy.then(|| self.look_again(LookReason::InterfaceInTransit)).flatten();
            if let Some(again) = again {
                return again;
            }
            return self.decide_move(interface, None, self.cause(MoveCause::InterfaceUnattached), standbys);
        };
        let in_transit = attachment.status != AttachmentStatus::Attached;
        if in_transit && let Some(again) = self.look_again(LookReason::InterfaceInTransit) {
            return again;
        }
        let Some(holder) = attachment.instance_id.as_ref().filter(|id| self.is_member(id)) else {
            // A tag can be missing from one answer, as an instance can.
            let again = self.members_may_be_missing().then(|| self.look_again(LookReason::MemberMissing)).flatten();
            if let Some(again) = again {
                return again;
            }
            return Decision::Act(Action::Refuse(Refusal::HeldByStranger {
                holder: attachment.instance_id.clone(),
                attachment_id: attachment.id.clone(),
            }));
        };
        if attachment.status == AttachmentStatus::Attaching && self.may_serve_once_attached(holder) {
            return self.decide_arriving(holder);
        }
        self.decide_holder(interface, attachment, holder, standbys)
    }

    /// A tag that fits no instance, or too many, is most likely wrong. So nothing changes. One answer may lack a tag.
    fn refuse_a_tag(&self) -> Option<Decision> {
        if !self.members_may_be_missing() {
            return None;
        }
        let refuse = |refusal| Some(Decision::Act(Action::Refuse(refusal)));
        match members(self.config, self.observation).len() {
            0 => self.look_again(LookReason::MemberMissing).or_else(|| refuse(Refusal::NoMembers)),
            count if count > MOST_TAGGED => refuse(Refusal::TooManyMembers { count }),
            _ => None,
        }
    }

    fn is_member(&self, instance: &InstanceId) -> bool {
        is_member(self.config, self.observation, instance)
    }

    /// Whether one answer may lack members. If they are listed, the list tells which ones are missing.
    fn members_may_be_missing(&self) -> bool {
        matches!(self.config.members, Members::Tagged(_))
    }

    /// Whether the interface may stay where EC2 is attaching it.
    fn may_serve_once_attached(&self, target: &InstanceId) -> bool {
        use MoveCause::{HolderStopped, HolderStopping};
        match self.condition(target) {
            Holder::Healthy
            | Holder::Departing(_)
            | Holder::Starting
            | Holder::ChecksUnreadable
            | Holder::StateUnknown => true,
            Holder::Failed(cause) => matches!(cause, HolderStopped | HolderStopping),
        }
    }

    /// Decides what to do while EC2 attaches the interface. The run that asked for the attach waits for it. If that run
    /// is no longer alive, this one waits.
    fn decide_arriving(&self, target: &InstanceId) -> Decision {
        if is_moving(&self.remembered.pending, self.observation.observed_at) {
            return Decision::Act(Action::Keep { reason: KeepReason::InterfaceArriving });
        }
        let refusal = Refusal::StillAttaching { to: target.clone() };
        self.look_again(LookReason::AttachPending).unwrap_or(Decision::Act(Action::Refuse(refusal)))
    }

    fn decide_holder(
        &self,
        interface: &NetworkInterface,
        attachment: &Attachment,
        holder: &InstanceId,
        standbys: &[Standby],
    ) -> Decision {
        let condition = self.condition(holder);
        let leaving = attachment.status == AttachmentStatus::Detaching;
        if !leaving && let Some(stays) = self.decide_to_keep(&condition, attachment, holder) {
            return stays;
        }
        if attachment.device_index == 0 && !leaving {
            return self.decide_primary(interface, attachment, holder, &condition);
        }
        let cause = match condition {
            Holder::Failed(cause) | Holder::Departing(cause) if !leaving => cause,
            _ => MoveCause::InterfaceUnattached,
        };
        let decision = self.decide_move(interface, Some(attachment), self.cause(cause), standbys);
        self.move_or_start(interface, attachment, holder, decision)
    }

    /// Decides if the interface stays with its holder or if EC2 must be read again first. `None`: the interface has to
    /// leave.
    fn decide_to_keep(&self, condition: &Holder, attachment: &Attachment, holder: &InstanceId) -> Option<Decision> {
        let keep = |reason| Some(Decision::Act(Action::Keep { reason }));
        if let Intent::Failover { to } = self.intent {
            return to.as_ref().filter(|target| *target == holder).and_then(|_| keep(KeepReason::AlreadyOnTarget));
        }
        match condition {
            Holder::Healthy if self.reported_failing(holder) => {
                self.look_again(LookReason::EventDisagrees).or_else(|| keep(KeepReason::EventOutdated))
            }
            Holder::Healthy => self.decide_release().or_else(|| keep(KeepReason::HolderHealthy)),
            Holder::Starting => keep(KeepReason::HolderStarting),
            Holder::ChecksUnreadable => keep(KeepReason::StatusChecksUnreadable),
            Holder::StateUnknown => keep(KeepReason::HolderStateUnknown),
            Holder::Failed(MoveCause::HolderStopped) if self.may_be_being_started(attachment) => {
                self.look_again(LookReason::AnotherRunAtWork)
            }
            Holder::Failed(MoveCause::HolderMissing) => self.look_again(LookReason::MemberMissing),
            Holder::Failed(_) | Holder::Departing(_) => None,
        }
    }

    /// Decides about an event that says that a group waits for a lifecycle action. `None`: it is another request, or Auto
    /// Scaling says so as well.
    fn decide_release(&self) -> Option<Decision> {
        let Intent::Release { instance } = self.intent else { return None };
        let over = Some(Decision::Act(Action::Keep { reason: KeepReason::LifecycleActionOver }));
        let Some(seen) = self.observation.instance(instance) else { return over };
        match &seen.lifecycle_state {
            _ if seen.is_leaving_its_group() => None,
            _ if !seen.runs() => over,
            Some(Reading::Unreadable(error)) => Some(Decision::Act(Action::CannotTell(error.clone()))),
            Some(Reading::Known(_)) | None => self.look_again(LookReason::EventDisagrees).or(over),
        }
    }

    /// Decides about a primary interface. EC2 never detaches it, so its holder can only be started. While the holder is
    /// being terminated, the run waits for EC2 to release the interface.
    fn decide_primary(
        &self,
        interface: &NetworkInterface,
        attachment: &Attachment,
        holder: &InstanceId,
        condition: &Holder,
    ) -> Decision {
        if let Some(start) = self.start_in_place(interface, attachment, holder) {
            return self.decide_start(start);
        }
        if let Some(refusal) = self.not_started_again(holder) {
            return Decision::Act(Action::Refuse(refusal));
        }
        let refusal = Refusal::PrimaryInterface {
            holder: holder.clone(),
            state: self.observation.instance(holder).map(|instance| instance.state.clone()),
            attachment_id: attachment.id.clone(),
        };
        let again = condition.is_dying().then(|| self.look_again(LookReason::PrimaryNotReleased)).flatten();
        again.unwrap_or(Decision::Act(Action::Refuse(refusal)))
    }

    /// Starts the holder in place if a move would not be better.
    fn move_or_start(
        &self,
        interface: &NetworkInterface,
        attachment: &Attachment,
        holder: &InstanceId,
        decision: Decision,
    ) -> Decision {
        let has_come_back = has_come_back(&self.remembered.pending, holder, &attachment.id);
        match (self.start_in_place(interface, attachment, holder), &decision) {
            // The standby did not take the interface, and the run that brought it back did not start the holder. The
            // license is down until a run starts the holder.
            (Some(start), Decision::Act(Action::Move(_))) if has_come_back => self.decide_start(start),
            // It would have to move again soon.
            (Some(start), Decision::Act(Action::Move(planned))) if self.is_leaving(&planned.targets.first) => {
                self.decide_start(start)
            }
            (Some(start), Decision::Act(Action::Move(planned))) if self.is_no_better(planned, attachment, holder) => {
                self.decide_start(start)
            }
            (None, Decision::Act(Action::Move(planned))) if self.is_no_better(planned, attachment, holder) => {
                let refusal = self.not_started_again(holder);
                refusal.map_or(decision, |refusal| Decision::Act(Action::Refuse(refusal)))
            }
            (Some(start), Decision::Act(Action::Refuse(Refusal::TooManyMoves { .. }))) if !start.counts => {
                self.decide_start(start)
            }
            (Some(start), Decision::Act(Action::Refuse(Refusal::NoViableStandby))) => self.decide_start(start),
            (None, Decision::Act(Action::Refuse(Refusal::NoViableStandby))) => {
                self.wait_for_holder(holder).unwrap_or(decision)
            }
            _ => decision,
        }
    }

    /// Whether the target's group is about to terminate it.
    fn is_leaving(&self, target: &Target) -> bool {
        self.observation.instance(&target.attach.instance_id).is_some_and(Instance::is_leaving_its_group)
    }

    /// Whether a move would be no better than starting the stopped holder. The first target has to be started as well,
    /// and either its last start failed, so that the interface would go back and forth, or another run brought the
    /// interface here and did not start the holder. Targets that EC2 could not start come last, the latest failure at
    /// the end, so if the first one failed, all of them did.
    fn is_no_better(&self, planned: &Move, attachment: &Attachment, holder: &InstanceId) -> bool {
        let target = &planned.targets.first;
        let member = &target.attach.instance_id;
        let has_failed = self.remembered.is_no_alternative_to(member, holder, self.observation.observed_at);
        target.start && (has_failed || is_unfinished(&self.remembered.pending, &attachment.id))
    }

    /// The start of the holder in place, if the holder is stopped and may be started now. An operator who asks for a
    /// failover wants the interface on another member.
    fn start_in_place(
        &self,
        interface: &NetworkInterface,
        attachment: &Attachment,
        holder: &InstanceId,
    ) -> Option<Start> {
        let is_there = attachment.status == AttachmentStatus::Attached;
        let may_start = self.may_be_started(holder);
        let start = Start {
            interface_id: interface.id.clone(),
            instance_id: holder.clone(),
            cause: MoveCause::HolderStopped,
            counts: !is_unfinished(&self.remembered.pending, &attachment.id),
        };
        let is_stopped = self.observation.instance(holder)?.state == InstanceState::Stopped;
        (is_there && is_stopped && may_start && !self.intent.is_operators_failover()).then_some(start)
    }

    /// Whether a stopped member may be started now.
    fn may_be_started(&self, member: &InstanceId) -> bool {
        let now = self.observation.observed_at;
        self.config.start_standby && !self.remembered.is_too_early_to_start(member, now)
    }

    fn decide_start(&self, start: Start) -> Decision {
        let moves = self.remembered.recent_moves(self.observation.observed_at);
        Decision::Act(if start.counts && moves.len() >= self.config.max_moves_per_hour as usize {
            Action::Refuse(Refusal::TooManyMoves { moves })
        } else {
            Action::Start(start)
        })
    }

    /// Decides what to do if no standby can take the interface and the holder cannot be started now.
    fn wait_for_holder(&self, holder: &InstanceId) -> Option<Decision> {
        let may_start = self.config.start_standby && !self.intent.is_operators_failover();
        match self.observation.instance(holder)?.state {
            InstanceState::Stopping if may_start => self.look_again(LookReason::HolderStopping),
            _ => self.not_started_again(holder).map(|refusal| Decision::Act(Action::Refuse(refusal))),
        }
    }

    /// The refusal for a stopped holder that EC2 could not start a moment ago; `None`: in any other case.
    fn not_started_again(&self, holder: &InstanceId) -> Option<Refusal> {
        let may_start = self.config.start_standby && !self.intent.is_operators_failover();
        let is_stopped = self.observation.instance(holder)?.state == InstanceState::Stopped;
        let too_early = !self.may_be_started(holder);
        (may_start && is_stopped && too_early).then(|| Refusal::HolderNotStarted { holder: holder.clone() })
    }

    /// The cause of a move. An operator's request takes precedence over what EC2 showed.
    fn cause(&self, seen: MoveCause) -> MoveCause {
        if self.intent.is_operators_failover() { MoveCause::OperatorRequest } else { seen }
    }

    /// Decides where the interface goes, once it has to leave or to be attached.
    fn decide_move(
        &self,
        interface: &NetworkInterface,
        from: Option<&Attachment>,
        cause: MoveCause,
        standbys: &[Standby],
    ) -> Decision {
        let wanted = match self.intent {
            Intent::Failover { to } => to.as_ref(),
            _ => None,
        };
        let is_early = cause.is_ahead_of_time();
        let (eligible, passed_over): (Vec<&Standby>, Vec<&Standby>) = standbys.iter().partition(|standby| {
            wanted.is_none_or(|wanted| *wanted == standby.instance_id)
                && (!is_early || self.is_lasting(&standby.instance_id))
        });
        let to = |standby: &Standby, start| Target { attach: self.attach(interface, &standby.instance_id), start };
        // A server that serves for the rest of its life is better than none. It comes last.
        let leaving = eligible.iter().filter(|standby| {
            standby.verdict == Verdict::NotViable(Obstacle::LeavingItsGroup)
                && !self.is_served(from)
                && self.observation.instance(&standby.instance_id).is_some_and(Instance::runs)
        });
        let mut targets = self
            .in_order(&eligible, cause)
            .map(|(standby, start)| to(standby, start))
            .chain(leaving.map(|one| to(one, false)));
        let Some(first) = targets.next() else {
            return match from.and_then(|attachment| attachment.instance_id.as_ref()).filter(|_| is_early) {
                Some(holder) => self.decide_to_stay(holder, cause, standbys, &eligible),
                None => self.decide_without_target(&eligible, wanted),
            };
        };
        let automatic = !self.intent.is_operators_failover();
        let moves = self.remembered.recent_moves(self.observation.observed_at);
        // An interface that is detaching or attached to nothing serves no client, so attaching it is exempt from the
        // limit.
        let attached = from.is_some_and(|attachment| attachment.status != AttachmentStatus::Detaching);
        if automatic && attached && moves.len() >= self.config.max_moves_per_hour as usize {
            return Decision::Act(Action::Refuse(Refusal::TooManyMoves { moves }));
        }
        let targets = Targets { first, others: targets.collect() };
        // A former holder that is a target has been tried by then.
        let is_target = |former: &Attach| targets.iter().any(|target| target.attach.instance_id == former.instance_id);
        let fallback = from.and_then(|attachment| self.fallback(interface, attachment));
        let is_fallback =
            |standby: &Standby| fallback.as_ref().is_some_and(|former| former.instance_id == standby.instance_id);
        let last_resorts = self.in_order(&passed_over, cause).filter(|(standby, _)| !is_fallback(standby));
        let last_resorts = last_resorts.map(|(standby, start)| to(standby, start)).collect();
        Decision::Act(Action::Move(Move {
            interface_id: interface.id.clone(),
            cause,
            from: from.cloned(),
            fallback: fallback.filter(|former| !is_target(former)),
            last_resorts,
            targets,
            counts: automatic && attached,
        }))
    }

    /// The viable ones of these standbys, the best first, and whether each has to be started.
    fn in_order<'s>(
        &self,
        standbys: &[&'s Standby],
        cause: MoveCause,
    ) -> impl Iterator<Item = (&'s Standby, bool)> + use<'s> {
        let with = |verdict: Verdict| standbys.iter().copied().filter(move |standby| standby.verdict == verdict);
        let now = self.observation.observed_at;
        // A member that EC2 could not start comes after the others, and the one that failed last comes last. EC2 may
        // have capacity for another member, and each member is tried once before any is tried twice.
        let mut stopped: Vec<&Standby> = with(Verdict::Stopped).collect();
        stopped.sort_by_key(|standby| self.remembered.last_failed_start(&standby.instance_id, now));
        let mut running: Vec<&Standby> = with(Verdict::Running).collect();
        if cause == MoveCause::AutoScalingTermination && self.members_may_be_missing() {
            // An instance refresh replaces only the instances that existed when it began. So the newest one stays the longest.
            running.sort_by_key(|standby| {
                Reverse(self.observation.instance(&standby.instance_id).map(|one| one.launched_at))
            });
        }
        // From a member that is about to go, the interface would have to move again.
        running.sort_by_key(|standby| {
            self.observation.instance(&standby.instance_id).is_some_and(|one| self.departure(one).is_some())
        });
        running.into_iter().map(|standby| (standby, false)).chain(stopped.into_iter().map(|standby| (standby, true)))
    }

    /// Whether the interface is attached to an instance that has not failed.
    fn is_served(&self, attachment: Option<&Attachment>) -> bool {
        let attached = attachment.filter(|attachment| attachment.status == AttachmentStatus::Attached);
        let holder = attached.and_then(|attachment| attachment.instance_id.as_ref());
        holder.is_some_and(|holder| !matches!(self.condition(holder), Holder::Failed(_)))
    }

    /// The former holder at its former device index, if it could take the interface back.
    fn fallback(&self, interface: &NetworkInterface, from: &Attachment) -> Option<Attach> {
        let former = self.observation.instance(from.instance_id.as_ref()?)?;
        let device_index = u16::try_from(from.device_index).ok().filter(|index| *index > 0)?;
        use InstanceState::{Pending, Running, Stopped, Stopping};
        let could_take_it = matches!(former.state, Pending | Running | Stopped | Stopping);
        could_take_it.then(|| Attach {
            interface_id: interface.id.clone(),
            instance_id: former.id.clone(),
            device_index,
        })
    }

    /// Decides about a running holder that is about to go, if no standby can take the interface.
    fn decide_to_stay(
        &self,
        holder: &InstanceId,
        cause: MoveCause,
        standbys: &[Standby],
        eligible: &[&Standby],
    ) -> Decision {
        let keep = |reason| Decision::Act(Action::Keep { reason });
        if cause == MoveCause::RebalanceRecommendation {
            return keep(KeepReason::NowhereToRebalance);
        }
        let is_coming = |standby: &Standby| match &standby.verdict {
            Verdict::NotViable(obstacle) => obstacle.is_passing(),
            Verdict::Running => {
                self.observation.instance(&standby.instance_id).is_some_and(|one| self.departure(one).is_none())
            }
            Verdict::Stopped => false,
        };
        if standbys.iter().any(is_coming) {
            return keep(KeepReason::AwaitingStandby);
        }
        match self.decide_without_target(eligible, None) {
            Decision::Act(Action::Refuse(Refusal::NoViableStandby)) => {
                Decision::Act(Action::Refuse(Refusal::NowhereToGo { holder: holder.clone(), cause }))
            }
            decision => decision,
        }
    }

    /// Whether a standby is one to hand the interface over to while the holder still runs: it has booted, or is stopped and
    /// EC2 has not failed to start it, and it is not about to go itself.
    fn is_lasting(&self, standby: &InstanceId) -> bool {
        let Some(instance) = self.observation.instance(standby) else { return false };
        let now = self.observation.observed_at;
        let is_new = instance.launched_at.is_none_or(|launched| now.signed_duration_since(launched) < BOOT);
        let is_undecided = instance.status_checks == Reading::Known(StatusChecks::Undecided);
        let is_booting = instance.state == InstanceState::Running && is_undecided && is_new;
        let has_failed =
            instance.state == InstanceState::Stopped && self.remembered.last_failed_start(&instance.id, now).is_some();
        !is_booting && !has_failed && self.departure(instance).is_none()
    }

    fn decide_without_target(&self, eligible: &[&Standby], wanted: Option<&InstanceId>) -> Decision {
        let meets = |is_meant: fn(&Obstacle) -> bool| {
            eligible
                .iter()
                .any(|standby| matches!(&standby.verdict, Verdict::NotViable(obstacle) if is_meant(obstacle)))
        };
        if meets(Obstacle::is_passing)
            && let Some(again) = self.look_again(LookReason::StandbyInTransit)
        {
            return again;
        }
        if (meets(|obstacle| *obstacle == Obstacle::Missing) || self.members_may_be_missing())
            && let Some(again) = self.look_again(LookReason::MemberMissing)
        {
            return again;
        }
        // A temporary read error is not an obstacle, so no refusal rests on it.
        let unread =
            eligible.iter().filter(|standby| standby.verdict == Verdict::NotViable(Obstacle::StatusChecksUnreadable));
        let unread =
            unread.filter_map(|standby| match &self.observation.instance(&standby.instance_id)?.status_checks {
                Reading::Unreadable(error) if error.is_transient() => Some(error.clone()),
                Reading::Unreadable(_) | Reading::Known(_) => None,
            });
        if let Some(error) = unread.into_iter().next() {
            return Decision::Act(Action::CannotTell(error));
        }
        match (wanted, eligible) {
            (Some(target), [Standby { verdict: Verdict::NotViable(obstacle), .. }]) => {
                Decision::Act(Action::Refuse(Refusal::TargetNotViable {
                    target: target.clone(),
                    obstacle: obstacle.clone(),
                }))
            }
            _ => Decision::Act(Action::Refuse(Refusal::NoViableStandby)),
        }
    }

    /// Whether another run may be about to start the holder. A stopped standby gets the interface before it is started.
    /// In between, it looks exactly like a holder that has failed.
    fn may_be_being_started(&self, attachment: &Attachment) -> bool {
        is_being_started(&self.remembered.pending, self.observation.observed_at, &attachment.id)
    }

    fn look_again(&self, reason: LookReason) -> Option<Decision> {
        let at_most = reason.at_most();
        (self.looked_for < at_most).then_some(Decision::LookAgain { reason, at_most })
    }

    fn reported_failing(&self, holder: &InstanceId) -> bool {
        matches!(self.intent, Intent::Look { instances, reported_failing: true } if instances.contains(holder))
    }

    fn condition(&self, holder: &InstanceId) -> Holder {
        let Some(instance) = self.observation.instance(holder) else {
            return Holder::Failed(MoveCause::HolderMissing);
        };
        match &instance.state {
            InstanceState::Pending => Holder::Starting,
            InstanceState::Running if self.is_being_taken(instance) => Holder::Failed(MoveCause::SpotInterruption),
            InstanceState::Running => match &instance.status_checks {
                Reading::Known(StatusChecks::Impaired) if self.config.on_impaired => {
                    Holder::Failed(MoveCause::HolderImpaired)
                }
                checks => match self.departure(instance) {
                    Some(cause) => Holder::Departing(cause),
                    None if matches!(checks, Reading::Unreadable(_)) && self.config.on_impaired => {
                        Holder::ChecksUnreadable
                    }
                    None => Holder::Healthy,
                },
            },
            InstanceState::Stopping => Holder::Failed(MoveCause::HolderStopping),
            InstanceState::Stopped => Holder::Failed(MoveCause::HolderStopped),
            InstanceState::ShuttingDown => Holder::Failed(MoveCause::HolderShuttingDown),
            InstanceState::Terminated => Holder::Failed(MoveCause::HolderTerminated),
            InstanceState::Other(_) => Holder::StateUnknown,
        }
    }

    /// Why an instance is about to go although it runs; `None`: it is not.
    fn departure(&self, seen: &Instance) -> Option<MoveCause> {
        let now = self.observation.observed_at;
        let is_recommended = || {
            matches!(self.intent, Intent::Rebalance { instance, until }
                if *instance == seen.id && seen.spot && now < *until)
        };
        expected_departure(self.config, seen, now)
            .or_else(|| (self.config.on_announcement && is_recommended()).then_some(MoveCause::RebalanceRecommendation))
    }

    /// Whether EC2 is reclaiming this instance. An interruption warning is the only event that is believed against a
    /// running instance. It counts only for a Spot Instance, and only while it can be true.
    fn is_being_taken(&self, seen: &Instance) -> bool {
        matches!(self.intent, Intent::Evacuate { instance, until }
            if *instance == seen.id && seen.spot && self.observation.observed_at < *until)
    }

    /// Assesses every member except the holder. An interface that is detaching or attached to nothing has no holder.
    fn standbys(&self) -> Vec<Standby> {
        let Some(interface) = self.observation.interface() else {
            return Vec::new();
        };
        let attached = attachment(interface).filter(|attachment| attachment.status != AttachmentStatus::Detaching);
        let holder = attached.and_then(|attachment| attachment.instance_id.as_ref());
        let standbys = members(self.config, self.observation).into_iter().filter(|member| Some(member) != holder);
        standbys.map(|member| Standby { verdict: self.assess(interface, &member), instance_id: member }).collect()
    }

    fn assess(&self, interface: &NetworkInterface, member: &InstanceId) -> Verdict {
        let Some(instance) = self.observation.instance(member) else {
            return Verdict::NotViable(Obstacle::Missing);
        };
        // Permanent obstacles come first, so that no run waits for a standby that could not take the interface anyway.
        let taken = instance.interface_at(i32::from(self.config.device_index)).filter(|taken| taken.id != interface.id);
        let dying = matches!(instance.state, InstanceState::ShuttingDown | InstanceState::Terminated);
        let needs_start = matches!(instance.state, InstanceState::Stopped | InstanceState::Stopping);
        let obstacle = if dying {
            Obstacle::Terminated
        } else if instance.availability_zone != interface.availability_zone {
            Obstacle::WrongZone(instance.availability_zone.clone())
        } else if instance.vpc_id.as_ref() != Some(&interface.vpc_id) {
            Obstacle::WrongVpc
        } else if let Some(taken) = taken {
            Obstacle::DeviceIndexTaken(taken.id.clone())
        } else if let Some(full) = lack_of_room(&self.remembered, interface, instance) {
            full
        } else if self.is_being_taken(instance) {
            Obstacle::BeingTaken
        } else if needs_start && !self.config.start_standby {
            Obstacle::MayNotStart
        } else if instance.state == InstanceState::Stopped
            && !self.intent.is_operators_failover()
            && !self.may_be_started(member)
        {
            Obstacle::NotStarted
        } else {
            return assess_state(instance);
        };
        Verdict::NotViable(obstacle)
    }

    fn attach(&self, interface: &NetworkInterface, instance: &InstanceId) -> Attach {
        Attach {
            interface_id: interface.id.clone(),
            instance_id: instance.clone(),
            device_index: self.config.device_index,
        }
    }
}

/// Why an instance is about to go, by what EC2 and Auto Scaling say of it; `None`: it is not.
pub fn expected_departure(config: &Config, seen: &Instance, now: DateTime<Utc>) -> Option<MoveCause> {
    let is_near = |event: &ScheduledEvent| {
        let begins = event.not_before.and_then(|date| date.checked_sub_signed(AHEAD_OF_EVENT));
        let is_interrupting = INTERRUPTING.contains(&event.code.as_str());
        is_interrupting && !event.is_over() && begins.is_some_and(|begins| begins <= now)
    };
    if seen.is_leaving_its_group() {
        Some(MoveCause::AutoScalingTermination)
    } else {
        (config.on_announcement && seen.scheduled_events.iter().any(is_near)).then_some(MoveCause::ScheduledEvent)
    }
}

/// The obstacle that the instance has no room, by the limit of its type that the interface remembers.
fn lack_of_room(remembered: &Remembered, interface: &NetworkInterface, instance: &Instance) -> Option<Obstacle> {
    let limits = remembered.limits.get(&instance.instance_type).copied()?;
    let (instance_type, limit) = (instance.instance_type.clone(), limits.effective());
    limits.leave_no_room(instance, &interface.id).then_some(Obstacle::NoRoom { instance_type, limit })
}

/// The verdict on an instance that could take the interface if its state allows it.
fn assess_state(instance: &Instance) -> Verdict {
    let obstacle = match (&instance.state, &instance.status_checks) {
        (InstanceState::Running, _) if instance.is_joining_its_group() => Obstacle::Starting,
        (InstanceState::Running, Reading::Known(StatusChecks::Ok | StatusChecks::Undecided))
        | (InstanceState::Stopped, _)
            if instance.is_leaving_its_group() =>
        {
            Obstacle::LeavingItsGroup
        }
        (InstanceState::Running, Reading::Known(StatusChecks::Ok | StatusChecks::Undecided)) => {
            return Verdict::Running;
        }
        (InstanceState::Running, Reading::Known(StatusChecks::Impaired)) => Obstacle::Impaired,
        (InstanceState::Running, Reading::Unreadable(_)) => Obstacle::StatusChecksUnreadable,
        (InstanceState::Stopped, _) => return Verdict::Stopped,
        (InstanceState::Pending, _) => Obstacle::Starting,
        (InstanceState::Stopping, _) => Obstacle::Stopping,
        (InstanceState::ShuttingDown | InstanceState::Terminated, _) => Obstacle::Terminated,
        (InstanceState::Other(state), _) => Obstacle::UnknownState(state.clone()),
    };
    Verdict::NotViable(obstacle)
}

/// The attachment of the interface. An interface that EC2 reports as detached is attached to nothing.
fn attachment(interface: &NetworkInterface) -> Option<&Attachment> {
    interface.attachment.as_ref().filter(|attachment| attachment.status != AttachmentStatus::Detached)
}
