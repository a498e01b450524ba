//! One invocation from its payload to its report.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::PoisonError;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future;
use futures_util::future::maybe_done;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::act::function::{Failover, KnownRules};
use crate::act::prober::Patience;
use crate::act::repair::Seeing;
use crate::act::run::{Clock, Doubt, REACHABILITY_TIMEOUT, Record, Run, first_of, pause_after_look};
use crate::act::work::{Announcement, Work};
use crate::decide::attachment::{Learned, MoveNote, Noted, learn};
use crate::decide::audit::{changes, client_groups, judge};
use crate::decide::checks::{Repair, repairs};
use crate::decide::follow_up::{FollowUp, Situation, follow_up};
use crate::decide::members::existing;
use crate::decide::moving::course::missed;
use crate::decide::pending::Event;
use crate::decide::pending::report::{Activation, PendingReport, RunName, begun_move};
use crate::decide::plan;
use crate::decide::rehearsal::{planned_steps, planned_steps_of_start};
use crate::decide::remembered::Remembered;
use crate::decide::request::{Relevance, parse, relevance};
use crate::model::change;
use crate::model::check::CheckResult;
use crate::model::config::Members;
use crate::model::error::{CallError, Meaning};
use crate::model::failure::{Amid, Failure, unreadable};
use crate::model::finding::FindingCode;
use crate::model::ids::{InstanceId, SecurityGroupId};
use crate::model::observation::{Instance, InstanceState, Reading};
use crate::model::outcome::{MoveOutcome, Reach, RunOutcome, Started, Verdict};
use crate::model::plan::{Action, Decision, KeepReason, Move, Refusal, Standby, Start};
use crate::model::readiness::{CommandReadiness, Permission, Readiness, Subscription};
use crate::model::reason::Reason;
use crate::model::report::{ActivationRecord, ActivationResult, Movement, Outcome, Report, Step};
use crate::model::request::{Intent, Parsed, Request, TriggerKind};
use crate::model::tags::{MOVES, NOT_STARTED};
use crate::ports::{AutoScaling, Ec2, Ports, Sns, Ssm};
use crate::tell::summary;

/// One invocation of the function.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The document.
    pub payload: Value,
    /// Lambda's id of the invocation.
    pub request_id: String,
    /// When it began.
    pub received_at: DateTime<Utc>,
    /// When Lambda ends it.
    pub deadline: Instant,
}

impl<P: Ports> Failover<P> {
    /// Serves one invocation.
    ///
    /// # Errors
    ///
    /// Fails only if another try can help, and for a malformed request. Everything else is a report.
    pub async fn handle(&self, invocation: Invocation) -> Result<Report, Failure> {
        let clock = Clock::new(invocation.received_at, invocation.deadline);
        let name = RunName::new(&invocation.request_id);
        let mut run = Run::new(&self.config, &self.ec2, clock, &*self.recorder, name);
        if let Members::Tagged(_) = self.config.members {
            run.members.clone_from(&self.known.lock().unwrap_or_else(PoisonError::into_inner));
        }
        run.grouped.clone_from(&self.grouped.lock().unwrap_or_else(PoisonError::into_inner));
        let request = match parse(&invocation.payload)? {
            Parsed::Request(request) => request,
            Parsed::Ignored { trigger, reason, detail } => {
                let summary = format!("The document was ignored: {detail}.");
                let verdict = Verdict { outcome: Outcome::Ignored, reason: reason.code(), summary, movement: None };
                return Ok(self.report(&mut run, verdict, trigger, None));
            }
        };
        let Some(ours) = self.ours(&request, clock.work_ends()).await else {
            let named = request.trigger.instance_id.as_deref().unwrap_or("The instance");
            let summary = format!("{named} is not a member of this token server, so nothing was checked.");
            let verdict = Verdict { outcome: Outcome::NoAction, reason: Reason::NotAMember, summary, movement: None };
            return Ok(self.report(&mut run, verdict, request.trigger, None));
        };
        run.record(Record::Requested(&self.config, &request.intent));
        let is_audit = request.intent == Intent::Audit;
        if request.dry_run && !is_audit {
            return Box::pin(self.rehearse(&mut run, request)).await;
        }
        let announced = Announcement::of(&request, &ours);
        let mut work = Work { announced, says_nothing: request.dry_run, ..Work::default() };
        // The boxes keep this future small enough for the compiler: it contains the futures of all the SDK's calls.
        let ends = clock.work_ends();
        let worked = match &request.intent {
            Intent::Audit => timeout_at(ends, Box::pin(self.audit(&mut run, &mut work))).await,
            Intent::Pause { until } => {
                let reason = request.trigger.reason.as_deref();
                timeout_at(ends, Box::pin(self.pause(&mut run, &mut work, *until, reason))).await
            }
            Intent::Resume => timeout_at(ends, Box::pin(self.resume(&mut run, &mut work))).await,
            intent => timeout_at(ends, Box::pin(self.work(&mut run, &mut work, intent, request.trigger.kind))).await,
        };
        if let Ok(Err(failure)) = worked {
            return Err(failure);
        }
        Box::pin(self.conclude(run, work, request.trigger, &invocation.request_id)).await
    }

    /// The members that the request names; `None`: it names only instances that are not members. If EC2 does not tell, the
    /// run looks at everything.
    async fn ours(&self, request: &Request, ends: Instant) -> Option<Vec<InstanceId>> {
        match relevance(&self.config, request) {
            Relevance::Ours(ours) => Some(ours),
            Relevance::NotAMember => None,
            Relevance::AskFor(tag, named) => match timeout_at(ends, self.ec2.instances_with(tag, Some(&named))).await {
                Ok(Ok(found)) if found.is_empty() => None,
                Ok(Ok(found)) => Some(found.into_iter().map(|instance| instance.id).collect()),
                Ok(Err(_)) | Err(_) => Some(named),
            },
        }
    }

    /// Answers what the function would do, and changes nothing.
    async fn rehearse(&self, run: &mut Run<'_, P::Ec2>, request: Request) -> Result<Report, Failure> {
        let ends = run.clock.work_ends();
        let rehearsal = async {
            let (action, standbys) = self.look_and_plan(run, &request.intent, false).await;
            run.read_reachability().await;
            self.see_if_served(run, Patience::NONE).await;
            (action, standbys)
        };
        let Ok((action, standbys)) = timeout_at(ends, rehearsal).await else {
            return Err(Failure::DeadlineReached {
                amid: Amid::Looking,
                summary: "The invocation timed out before it changed anything. The next run tries again.".to_owned(),
            });
        };
        let (reason, summary, movement) = match action {
            Action::CannotTell(error) if error.is_transient() => return Err(unreadable(error)),
            Action::Move(planned) => {
                run.steps = planned_steps(&planned, self.config.activation.as_ref());
                let target = planned.targets.first;
                let from = planned.from.and_then(|from| from.instance_id);
                let to = target.attach.instance_id;
                let summary = match &from {
                    Some(from) => format!("The interface would move from {from} to {to}. Nothing was changed."),
                    None => format!("The function would attach the interface to {to}. Nothing was changed."),
                };
                let (attachment_id, forced, duration_ms) = (None, None, None);
                let standby_started = Some(target.start);
                let movement = Movement { from, to, attachment_id, forced, standby_started, duration_ms };
                (planned.cause.code(), summary, Some(movement))
            }
            Action::Start(start) => {
                run.steps = planned_steps_of_start(&start);
                let id = &start.instance_id;
                let summary =
                    format!("The function would start {id}, which is stopped, in place. Nothing was changed.");
                (start.cause.code(), summary, None)
            }
            Action::Keep { reason: reason @ KeepReason::Paused } => {
                let held_back = run.observation.as_ref().map(|seen| summary::held_back(&self.config, seen));
                (reason.code(), held_back.unwrap_or_default(), None)
            }
            Action::Keep { reason } => (reason.code(), "Nothing would move. Nothing was changed.".to_owned(), None),
            Action::Refuse(refusal) => self.rehearsed_refusal(run, &refusal, &standbys),
            Action::CannotTell(error) => self.rehearsed_refusal(run, &Refusal::from_error(error), &standbys),
        };
        let verdict = Verdict { outcome: Outcome::Planned, reason, summary, movement };
        Ok(self.report(run, verdict, request.trigger, None))
    }

    fn rehearsed_refusal(
        &self,
        run: &mut Run<'_, P::Ec2>,
        refusal: &Refusal,
        standbys: &[Standby],
    ) -> (Reason, String, Option<Movement>) {
        run.findings.extend(run.advisor().refusal(refusal, standbys));
        let code = refusal.code();
        (code, format!("The function would refuse to move the interface ({code}). Nothing was changed."), None)
    }

    /// Does everything that needs EC2: look, plan, move, repair.
    async fn work(
        &self,
        run: &mut Run<'_, P::Ec2>,
        work: &mut Work,
        intent: &Intent,
        started_by: TriggerKind,
    ) -> Result<(), Failure> {
        let began = Instant::now();
        let action = self.look_ahead(run, work, intent).await;
        work.may_release = true;
        let is_paused = matches!(action, Action::Keep { reason: KeepReason::Paused });
        let outcome = match action {
            Action::CannotTell(error) if error.is_transient() => return Err(unreadable(error)),
            Action::CannotTell(error) => RunOutcome::Refused(Refusal::from_error(error)),
            Action::Refuse(refusal) => RunOutcome::Refused(refusal),
            Action::Keep { reason } => RunOutcome::Kept(reason),
            Action::Move(planned) => self.relocate(run, work, &planned, started_by).await,
            Action::Start(start) => self.start_in_place(run, work, &start).await,
        };
        let members_known = run.observation.as_ref().is_some_and(|seen| seen.instances.known().is_some());
        let is_with_member = run.holder().is_some_and(|holder| run.members.contains(holder));
        let next = follow_up(
            &outcome,
            Situation {
                is_paused,
                may_repair: intent.repairs(),
                is_with_member: members_known && is_with_member,
                is_doomed_by_a_pending_move: run.scene().is_doomed() && work.pending.has_move(),
                is_announcement: work.announced.is_some(),
                running_member: run.running_member(),
                may_be_inactive: work.pending.inactive_on_holder(run.scene()).next().is_some(),
            },
        );
        self.follow_up(run, work, outcome, next).await;
        self.know_rules(run, work, began);
        Ok(())
    }

    /// Keeps the ingress rules for the next reconciles. Rules that leave a client out, or that may have changed, are read
    /// again.
    fn know_rules(&self, run: &Run<'_, P::Ec2>, work: &Work, read_at: Instant) {
        let reachability = run.observation.as_ref().and_then(|seen| seen.reachability.as_ref());
        let (Some(reachability), Some(interface)) = (reachability, run.interface()) else { return };
        let passes = run.check().is_some_and(|checked| checked.results().security_group == CheckResult::Ok);
        let rules = reachability.rules.known().filter(|_| passes && work.to_repair.is_empty());
        let mut known = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        match rules {
            Some(rules) if !run.has_known_rules => {
                *known = Some(KnownRules { groups: interface.groups.clone(), rules: rules.clone(), read_at });
            }
            Some(_) => {}
            None => *known = None,
        }
    }

    /// Looks and plans, and reads the security groups' rules at the same time. If there is something to do, the run
    /// does not wait for the rules.
    async fn look_ahead(&self, run: &mut Run<'_, P::Ec2>, work: &mut Work, intent: &Intent) -> Action {
        let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut are_wanted = intent.repairs() && !groups.is_empty();
        if are_wanted && !run.grouped.members.is_empty() {
            let known = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
            match known.as_ref().filter(|known| known.are_of(&groups)) {
                Some(known) => {
                    run.rules_ahead = Some((groups.clone(), Ok(known.rules.clone())));
                    run.has_known_rules = true;
                    are_wanted = false;
                }
                None => run.spares_auto_scaling = run.grouped.is_calm,
            }
        }
        let mut rules =
            pin!(maybe_done(async { if are_wanted { Some(self.ec2.ingress_rules(&groups).await) } else { None } }));
        let (action, standbys) = first_of(self.look_and_plan(run, intent, true), rules.as_mut()).await;
        if matches!(action, Action::Keep { .. } | Action::Refuse(_)) {
            let _ = timeout(REACHABILITY_TIMEOUT, rules.as_mut()).await;
        }
        if let Some(read) = rules.as_mut().take_output().flatten() {
            run.rules_ahead = Some((groups.clone(), read));
        }
        if let Some(interface) = run.interface() {
            self.groups.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&interface.groups);
        }
        work.standbys = standbys;
        run.before = run.interface().cloned();
        let remembered = run.remembered().unwrap_or_default();
        if run.has_known_rules && remembered.refused.is_some() {
            // Another process may have seen other rules. The end of a problem does not rest on a memory.
            run.rules_ahead = None;
            run.has_known_rules = false;
        }
        work.remembered_refusal = remembered.refused;
        work.remembered_announcement = remembered.announced;
        work.advance(run, Event::Seen);
        action
    }

    /// Does the rest of the work. The steps that protect the interface come first, and the slowest ones come last.
    async fn follow_up(&self, run: &mut Run<'_, P::Ec2>, work: &mut Work, outcome: RunOutcome, next: FollowUp) {
        let has_moved = matches!(&outcome, RunOutcome::Move(ended, _) if ended.may_serve().is_some());
        work.outcome = Some(outcome);
        // The deadline may come before the command is sent. Then this is what the report says.
        if let Some((activation, instance)) =
            self.config.activation.as_ref().zip(next.activates.as_ref().filter(|_| has_moved))
        {
            run.activation = Some(ActivationRecord {
                result: ActivationResult::Failed,
                error: Some("the invocation ran out of time before the command was sent".to_owned()),
                ..ActivationRecord::open(activation, instance)
            });
        }
        let has_looked = run.observation.as_ref().is_some_and(|observation| observation.reachability.is_some());
        if next.reads_reachability && !has_looked {
            run.read_reachability().await;
        }
        if next.repairs {
            self.repair(run, work).await;
        }
        if next.leaves_inactive {
            self.leave_inactive(run, work);
        }
        if let Some(instance) = &next.activates {
            self.activate_once(run, work, instance).await;
        }
        let has_activated = run.activation.as_ref().is_some_and(|activation| activation.command_id.is_some());
        if next.awaits_ports || has_activated {
            self.see_if_served(run, Patience::after_a_move(self.is_inside())).await;
        } else if work.pending.has_unreported_move() {
            self.see_if_served(run, Patience::RESTART).await;
        }
        // An answer may be older than the repair. Waiting for a newer one comes last.
        run.see_repairs(work, Seeing::UntilShown).await;
        run.note_limits().await;
        if next.looks_again {
            // If this read fails, the report says what was seen before. Nothing but the report follows.
            let _ = run.look().await;
        }
    }

    /// Activates the token server, and remembers it, so that no later run does it again.
    async fn activate_once(&self, run: &mut Run<'_, P::Ec2>, work: &mut Work, instance: &InstanceId) {
        let Some(activation) = &self.config.activation else { return };
        match work.pending.activation_begun(run.scene()) {
            // Another run is activating it, and reports the outcome.
            Some(until) if run.clock.now() < until => {
                run.activation = None;
                return;
            }
            // The other run has not reported. Restarting a token server that may serve by now is worse than reporting
            // that it may not.
            Some(_) => {
                run.activation = Some(ActivationRecord {
                    error: Some(
                        "another run sent the command or was about to, and could not report the result".to_owned(),
                    ),
                    ..ActivationRecord::open(activation, instance)
                });
            }
            None => match self.note_activation(run, work, instance).await {
                Ok(()) => self.activate(run, activation, instance).await,
                Err(error) => {
                    let is_transient = error.is_transient();
                    run.activation = Some(ActivationRecord {
                        result: ActivationResult::Failed,
                        error: Some(error.to_string()),
                        ..ActivationRecord::open(activation, instance)
                    });
                    // After a temporary error, the next run tries again. After any other error, the report says so, and
                    // the function does not try again.
                    if is_transient {
                        return;
                    }
                }
            },
        }
        if let Some(activation) = &run.activation {
            let left = Activation::left_by(activation, run.clock.now());
            work.advance(run, Event::Activated(instance.clone(), left));
        }
    }

    /// Writes into the pending reports of other runs that their token server is about to be activated. If that cannot
    /// be written, no command is sent, because every later run would restart the token server again.
    async fn note_activation(
        &self,
        run: &mut Run<'_, P::Ec2>,
        work: &mut Work,
        instance: &InstanceId,
    ) -> Result<(), CallError> {
        let begins = Event::ActivationBegins(instance.clone(), run.clock.cut_off_at());
        let notes = work.advance(run, begins).write;
        if notes.is_empty() {
            return Ok(());
        }
        let written = self.ec2.write_tags(&self.config.interface_id, &notes);
        run.step(Step::NoteArrival, &self.config.interface_id, written).await
    }

    /// Checks for everything that would go wrong with the next failover. Changes nothing.
    async fn audit(&self, run: &mut Run<'_, P::Ec2>, work: &mut Work) -> Result<(), Failure> {
        let subscriptions = self.sns.subscriptions();
        let groups = client_groups(&self.config);
        let (plan, subscriptions, client_groups) = {
            let looked = self.look_and_plan(run, &Intent::Audit, false);
            future::join3(looked, subscriptions, self.ec2.security_groups(&groups)).await
        };
        let (action, standbys) = plan;
        if let Action::CannotTell(error) = &action {
            if error.is_transient() {
                return Err(unreadable(error.clone()));
            }
            work.outcome = Some(RunOutcome::Refused(Refusal::from_error(error.clone())));
            return Ok(());
        }
        let readiness = self.read_readiness(run, &standbys, subscriptions.into(), client_groups.into()).await;
        self.see_if_served(run, Patience::RESTART).await;
        self.drop_outdated_check(run).await;
        let Some(observation) = &run.observation else { return Ok(()) };
        run.record(Record::Audited(&readiness));
        let audit = judge(&self.config, observation, &action, &standbys, &readiness);
        let remembered = run.remembered().unwrap_or_default();
        work.remembered_refusal = remembered.refused;
        work.remembered_audit = remembered.audited;
        work.seen = audit.seen;
        work.advance(run, Event::Seen);
        work.outcome = Some(RunOutcome::Audited { viable: audit.viable });
        run.viable_standbys = run.interface().map(|_| audit.viable);
        let advisor = run.advisor();
        run.findings.extend(audit.facts.iter().map(|fact| advisor.fact(fact)));
        work.standbys = standbys;
        Ok(())
    }

    /// Reads what an audit needs beyond the reads of every run, in one wave. Who can reach the interface may take
    /// another wave.
    async fn read_readiness(
        &self,
        run: &mut Run<'_, P::Ec2>,
        standbys: &[Standby],
        subscriptions: Reading<Option<Vec<Subscription>>>,
        client_groups: Reading<BTreeSet<SecurityGroupId>>,
    ) -> Readiness {
        let (config, ec2) = (&self.config, &self.ec2);
        let interface = run.interface().cloned();
        let observation = run.observation.as_ref();
        let instances = observation.and_then(|seen| seen.instances.known()).cloned().unwrap_or_default();
        let changes = observation.map(|seen| changes(config, seen, standbys)).unwrap_or_default();
        let types: BTreeSet<String> = instances.iter().map(|instance| instance.instance_type.clone()).collect();
        let protected = future::join_all(instances.iter().map(|instance| ec2.is_protected(&instance.id)));
        let answers = future::join_all(changes.iter().map(|change| ec2.may(change)));
        let network = async {
            let Some(interface) = &interface else { return (None, None) };
            let (subnet, vpc) = (&interface.subnet_id, &interface.vpc_id);
            let (routes, acl) = future::join(ec2.routes(subnet, vpc), ec2.acl_entries(subnet)).await;
            (Some(routes.into()), Some(acl.into()))
        };
        let commands = self.read_command_readiness(&instances);
        let termination_hooks = self.read_termination_hooks(run);
        let reachability = run.read_reachability();
        let network = future::join3(network, commands, termination_hooks);
        let (interface_limits, protected, answers, ((routes, acl), commands, termination_hooks), ()) =
            future::join5(ec2.interface_limits(&types), protected, answers, network, reachability).await;
        let ids = instances.iter().map(|instance| instance.id.clone());
        let answers = answers.into_iter().map(Reading::from);
        Readiness {
            interface_limits: interface_limits.into(),
            protected: ids.zip(protected.into_iter().map(Reading::from)).collect(),
            routes,
            acl,
            client_groups,
            subscriptions,
            permissions: changes
                .into_iter()
                .zip(answers)
                .map(|(change, answer)| Permission { change, answer })
                .collect(),
            termination_hooks,
            commands,
        }
    }

    /// Reads the lifecycle hooks of the members' Auto Scaling groups.
    fn read_termination_hooks(
        &self,
        run: &Run<'_, P::Ec2>,
    ) -> impl Future<Output = BTreeMap<String, Reading<Vec<String>>>> + use<'_, P> {
        let members = run.observation.iter().flat_map(|seen| existing(&self.config, seen));
        let groups: BTreeSet<String> = members.filter_map(|member| member.auto_scaling_group.clone()).collect();
        async move {
            let hooks = future::join_all(groups.iter().map(|group| self.ec2.termination_hooks(group))).await;
            groups.into_iter().zip(hooks.into_iter().map(Reading::from)).collect()
        }
    }

    /// Reads if Systems Manager could run commands on the running members.
    async fn read_command_readiness(&self, instances: &[Instance]) -> Option<CommandReadiness> {
        let activation = self.config.activation.as_ref();
        if activation.is_none() && self.config.license_check.is_none() {
            return None;
        }
        let running = instances.iter().filter(|instance| instance.state == InstanceState::Running);
        let running: BTreeSet<InstanceId> = running.map(|instance| instance.id.clone()).collect();
        let activation_document = async {
            match activation {
                Some(activation) => Some(self.ssm.has_document(&activation.document).await.into()),
                None => None,
            }
        };
        let (activation_document, reachable) =
            future::join(activation_document, self.ssm.reachable_agents(&running)).await;
        Some(CommandReadiness { activation_document, reachable: reachable.into() })
    }

    /// Reads EC2 until the plan can act on the answers, or the time for that is over. Without `waits`, the run acts on
    /// the first answer, unless that is doubtful.
    async fn look_and_plan(&self, run: &mut Run<'_, P::Ec2>, intent: &Intent, waits: bool) -> (Action, Vec<Standby>) {
        let began = Instant::now();
        let mut doubt = Doubt::default();
        let mut subject = None;
        loop {
            let last_chance = Instant::now() + pause_after_look(began.elapsed()) >= run.clock.work_ends();
            let mut looked_for = began.elapsed();
            let observation = run.observe().await;
            // A doubt counts from the answer that began it, however long the run waited for something else before, or
            // doubted something else.
            let now = plan::plan(&self.config, observation, intent, Duration::ZERO).doubted();
            if std::mem::replace(&mut subject, now) != now {
                doubt = Doubt::default();
            }
            let doubted = doubt.and_now();
            let mut plan = plan::plan(&self.config, observation, intent, doubted.lasted().min(looked_for));
            if plan.doubted().is_some() {
                doubt = doubted;
            } else {
                doubt = Doubt::default();
                // If the run must not wait, or has no time left, it waits for nothing else.
                looked_for = if last_chance || !waits { Duration::MAX } else { looked_for };
                plan = plan::plan(&self.config, observation, intent, looked_for);
            }
            run.record(Record::Planned(&plan, looked_for));
            self.known.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&run.members);
            self.grouped.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&run.grouped);
            // Only to leave everything as it is, the run needs no lifecycle states. The end of a problem needs them.
            let is_quiet = matches!(plan.decision, Decision::Act(Action::Keep { .. }))
                && run.remembered().is_some_and(|remembered| remembered.refused.is_none());
            if std::mem::take(&mut run.spares_auto_scaling) && !is_quiet {
                continue;
            }
            let viable = || plan.standbys.iter().filter(|standby| standby.verdict.is_viable()).count();
            run.viable_standbys = run.interface().map(|_| viable());
            match plan.decision {
                Decision::Act(action) => return (action, plan.standbys),
                Decision::LookAgain { reason, .. } if last_chance => {
                    return (Action::CannotTell(reason.in_doubt()), plan.standbys);
                }
                Decision::LookAgain { .. } => sleep(pause_after_look(began.elapsed())).await,
            }
        }
    }

    /// Makes a move, and writes its pending report before the first change.
    async fn relocate(
        &self,
        run: &mut Run<'_, P::Ec2>,
        work: &mut Work,
        planned: &Move,
        started_by: TriggerKind,
    ) -> RunOutcome {
        let remembered = run.remembered().unwrap_or_default();
        let target = &planned.targets.first.attach.instance_id;
        let (now, cut_off_at) = (run.clock.now(), run.clock.cut_off_at());
        let report = PendingReport::of_move(&run.name, planned.from.as_ref(), target, now, cut_off_at);
        // An interface that is attached to nothing may be in the middle of a move that another run began. Then this is
        // the same move, and the other run's report says where it began.
        let begun = begun_move(&remembered.pending).filter(|_| planned.from.is_none());
        let report = begun.map_or(report.clone(), |begun| report.continuing(&run.name, begun));
        let (departed, left) = report.departure();
        let left = left.cloned();
        run.departed.extend(departed.cloned());
        let note = MoveNote { run: run.name.clone(), until: cut_off_at, started_by, arrived: None };
        let mut notes = BTreeMap::from([report.tag(), note.tag()]);
        // This move hides the one that something else has made.
        if let Some(Learned { seen, by_other: Some(moved) }) = run.observation.as_ref().and_then(learn) {
            run.findings.push(run.advisor().moved_by_other(&moved));
            notes.extend([seen.tag()]);
        }
        let prepared = self.prepare(run, planned, &report.key, &notes).await;
        work.advance(run, Event::Begins(report));
        if let Err(error) = prepared {
            work.advance(run, Event::NotMade);
            work.superseded.push(note.tag().0);
            return RunOutcome::Refused(Refusal::PermissionDenied(error));
        }
        let ended = match run.relocate(planned, left).await {
            Ok(ended) => ended,
            Err(refusal) => {
                self.note_move(run, &remembered, planned, BTreeMap::new(), false).await;
                work.superseded = needless_notes(run, &note, false);
                return RunOutcome::Refused(refusal);
            }
        };
        let mut names_attachment = false;
        let notes = match (ended.arrival(), ended.boot()) {
            (Some((at, by)), Some(boot)) => {
                let arrived = Event::Arrived { at: at.clone(), by: by.clone(), boot };
                let mut notes = work.advance(run, arrived).write;
                let noted = Noted { attachment: by.clone(), instance: Some(at.clone()), at: run.clock.now() };
                // While another attach may follow, the run cannot say which attachment is its last.
                let named = Some(noted).filter(|_| !run.has_lost_an_attach);
                names_attachment = named.is_some();
                notes.extend([MoveNote { arrived: named, ..note.clone() }.tag()]);
                notes
            }
            _ => BTreeMap::new(),
        };
        let is_ours = !matches!(ended, MoveOutcome::ByAnotherRun(_));
        let is_noted = self.note_move(run, &remembered, planned, notes, is_ours).await;
        work.superseded = needless_notes(run, &note, names_attachment && is_noted);
        work.missed = missed(planned, &ended).cloned();
        if !is_ours {
            work.advance(run, Event::MadeByAnotherRun);
        }
        RunOutcome::Move(ended, planned.cause)
    }

    /// Writes the outcome of a move on the interface. Returns whether EC2 has accepted it.
    async fn note_move(
        &self,
        run: &mut Run<'_, P::Ec2>,
        remembered: &Remembered,
        planned: &Move,
        mut notes: BTreeMap<String, String>,
        has_left: bool,
    ) -> bool {
        if planned.counts && has_left {
            notes.insert(MOVES.to_owned(), remembered.moves_with(run.clock.now()));
        }
        notes.extend(not_started(run, remembered));
        if notes.is_empty() {
            return true;
        }
        // If this fails, the limit counts one move less, which favors the token server. The next run sees by the present
        // attachment if the move was made.
        let written = self.ec2.write_tags(&planned.interface_id, &notes);
        run.step(Step::NoteArrival, &planned.interface_id, written).await.is_ok()
    }

    /// Starts the holder in place, and writes its pending report first.
    async fn start_in_place(&self, run: &mut Run<'_, P::Ec2>, work: &mut Work, start: &Start) -> RunOutcome {
        let remembered = run.remembered().unwrap_or_default();
        let (now, cut_off_at) = (run.clock.now(), run.clock.cut_off_at());
        let report = PendingReport::of_start(&run.name, &start.instance_id, now, cut_off_at);
        let notes = BTreeMap::from([report.tag()]);
        let noted = self.ec2.write_tags(&start.interface_id, &notes);
        if let Err(error) = run.step(Step::NoteDebt, &report.key, noted).await {
            let finding = run.advisor().mark_not_written(&error);
            run.findings.push(finding);
        }
        work.advance(run, Event::Begins(report));
        let started = run.start_holder(&start.instance_id).await;
        if started == Started::Already {
            work.advance(run, Event::NotMade);
            return RunOutcome::Kept(KeepReason::HolderStarting);
        }
        // The token server finds the interface at boot, whichever run brought the interface there.
        work.advance(run, Event::Activated(start.instance_id.clone(), Activation::Done));
        let mut notes: BTreeMap<String, String> = not_started(run, &remembered).into_iter().collect();
        if started.runs() && start.counts {
            notes.insert(MOVES.to_owned(), remembered.moves_with(run.clock.now()));
        }
        if !notes.is_empty() {
            let written = self.ec2.write_tags(&start.interface_id, &notes);
            // If this fails, the limit counts one start less, or the next run tries again too early.
            let _ = run.step(Step::NoteArrival, &start.interface_id, written).await;
        }
        if started.runs() {
            RunOutcome::Started(start.instance_id.clone(), start.cause)
        } else {
            RunOutcome::HolderNotStarted(start.instance_id.clone())
        }
    }

    /// Writes the pending report, which has this key, with the other notes, and asks for the permissions, both at once and
    /// before any change.
    async fn prepare(
        &self,
        run: &mut Run<'_, P::Ec2>,
        planned: &Move,
        key: &str,
        notes: &BTreeMap<String, String>,
    ) -> Result<(), CallError> {
        let target = &planned.targets.first;
        let ec2 = &self.ec2;
        let noting = run.begin(Step::NoteDebt, key);
        let asking = run.begin(Step::CheckPermission, &target.attach.instance_id);
        let attach = change::Change::Attach(target.attach.clone());
        let start = change::Change::Start(target.attach.instance_id.clone());
        let may_start = async { if target.start { ec2.may(&start).await } else { Ok(()) } };
        let (noted, may_attach, may_start) =
            future::join3(ec2.write_tags(&planned.interface_id, notes), ec2.may(&attach), may_start).await;
        // Only a denial counts. The move itself handles every other obstacle, such as an interface that is still in
        // use.
        let denied = [may_attach, may_start]
            .into_iter()
            .find_map(|asked| asked.err().filter(|error| error.meaning == Meaning::Denied));
        run.end(noting, noted.as_ref().err());
        run.end(asking, denied.as_ref());
        if let Some(error) = denied {
            return Err(error);
        }
        // The token server waits for its interface. A pending report that cannot be written matters only if this run
        // also dies before it publishes. So the move goes on, and the report says so.
        if let Err(error) = noted {
            let finding = run.advisor().mark_not_written(&error);
            run.findings.push(finding);
        }
        Ok(())
    }

    /// Repairs what is wrong and may be repaired, and reads EC2 again.
    async fn repair(&self, run: &mut Run<'_, P::Ec2>, work: &mut Work) {
        let (Some(checked), Some(interface)) = (run.check(), run.interface().cloned()) else { return };
        work.checks = Some(checked.results());
        let mut needed = repairs(&self.config, &interface, &checked);
        // A run that completes the move of a dead run sets DeleteOnTermination as that run would have, whatever the
        // settings allow.
        if let Some(attachment) = checked.deletes_on_termination.clone().filter(|_| work.pending.has_move()) {
            let keep = Repair::KeepOnTermination(attachment);
            if !needed.contains(&keep) {
                needed.push(keep);
            }
        }
        if needed.is_empty() {
            return;
        }
        work.to_repair = needed.iter().map(|repair| repair.setting()).collect();
        work.to_repair.dedup();
        // After a move, the move's pending report covers the repairs. Otherwise, the repairs need their own pending
        // report first: they can wait for a run that can write it.
        if work.pending.own.is_none() {
            let what = work.to_repair.iter().map(|what| (*what).to_owned()).collect();
            let report = PendingReport::of_repairs(&run.name, what, run.clock.now(), run.clock.cut_off_at());
            let notes = BTreeMap::from([report.tag()]);
            if let Err(error) = run.step(Step::NoteDebt, &report.key, self.ec2.write_tags(&interface.id, &notes)).await
            {
                let consequence = "A repair could not be noted on the interface first, so it was not begun.";
                let finding = run.advisor().call_failed(FindingCode::RepairFailed, &interface.id, consequence, &error);
                run.findings.push(finding);
                return;
            }
            work.advance(run, Event::Begins(report));
        }
        for repair in needed {
            if run.repair(&repair).await {
                work.unseen.push(repair);
            }
        }
        run.see_repairs(work, Seeing::Once).await;
    }
}

/// The notes of moves that this run's own note has made needless. If EC2 has accepted no attach of this run, and none may follow,
/// its own note is needless instead.
fn needless_notes<E: Ec2>(run: &Run<'_, E>, own: &MoveNote, has_named: bool) -> Vec<String> {
    if run.reach < Reach::Attaching { vec![own.tag().0] } else { run.superseded_notes(has_named) }
}

/// The tag with the members that EC2 could not start; `None`: there are no such members.
fn not_started<E: Ec2>(run: &Run<'_, E>, remembered: &Remembered) -> Option<(String, String)> {
    let failed = &run.not_started;
    (!failed.is_empty()).then(|| (NOT_STARTED.to_owned(), remembered.not_started_with(failed, run.clock.now())))
}
