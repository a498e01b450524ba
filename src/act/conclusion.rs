//! The end of an invocation: the outcome, its report, and the pending reports.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use serde_json::json;
use tokio::time::timeout_at;

use crate::act::function::Failover;
use crate::act::run::Run;
use crate::act::work::{Announcement, Work};
use crate::decide::attachment::Seen;
use crate::decide::audit::{Tally, is_event, signature};
use crate::decide::checks::{Checked, after_repairs, listening};
use crate::decide::lifecycle::passes;
use crate::decide::pending::{Close, Due, DueOutcome, Event, TagChanges};
use crate::decide::plan::expected_departure;
use crate::decide::problem;
use crate::decide::problem::{Decision, LastMail, Memory, Problem, State};
use crate::decide::publication::{self, Facts};
use crate::decide::remembered::Remembered;
use crate::decide::validity;
use crate::model::check::{CheckResult, Checks};
use crate::model::error::{CallError, Meaning};
use crate::model::failure::{Amid, Failure};
use crate::model::finding::{Finding, FindingCode};
use crate::model::ids::InstanceId;
use crate::model::license_check::{CheckedLicense, WhyUnknown};
use crate::model::notification::{Hostid, Notification};
use crate::model::observation::{AttachmentStatus, InstanceState, NetworkInterface, Reading, StatusChecks};
use crate::model::outcome::{MoveOutcome, Reach, RunOutcome, Verdict};
use crate::model::plan::{KeepReason, MoveCause, Refusal};
use crate::model::reason::Reason;
use crate::model::report::{
    ActivationResult, Expectation, Movement, Outcome, Report, SCHEMA_VERSION, Step, TokenServer,
};
use crate::model::request::{Trigger, TriggerKind};
use crate::model::tags::{ANNOUNCED, AUDITED, HOSTID, REFUSED, tag_value};
use crate::ports::{Ec2, Ports, Sns};
use crate::tell::{audit, summary};

impl<P: Ports> Failover<P> {
    /// Writes the report, publishes it if it is due, and settles the pending reports.
    pub(crate) async fn conclude(
        &self,
        mut run: Run<'_, P::Ec2>,
        mut work: Work,
        trigger: Trigger,
        request_id: &str,
    ) -> Result<Report, Failure> {
        let Some(outcome) = work.outcome.take() else {
            return self.conclude_cut_off(run, work, trigger, request_id).await;
        };
        let close = Close::of(&outcome, run.reach);
        let state = self.state(&run, &outcome, &work, &trigger);
        let is_audit = matches!(outcome, RunOutcome::Audited { .. });
        tell_of_license_check(&mut run, is_audit);
        let verdict = self.verdict(&mut run, outcome, &work);
        let mut report = self.report(&mut run, verdict, trigger, work.checks);
        if work.says_nothing {
            return Ok(report);
        }
        // The findings of the checks are part of an audit, and come with its report.
        let digests = Digests::of(&work, is_audit.then_some(&report));
        let facts = Facts {
            is_requested: report.trigger.kind == TriggerKind::Failover || state == State::Open,
            has_changed: report.movement.is_some() || !work.repaired.is_empty(),
            is_new_audit: digests.are_new(&work),
        };
        let is_due = publication::is_due(report.outcome, facts);
        // The work of this run may have made more reports due.
        work.advance(&run, Event::Seen);
        let decision = self.decide(&run, &work, &state, is_due);
        let mut changes = work.advance(&run, Event::WorkEnds(close));
        let mut has_ended = false;
        let publication = Publication { request_id, close, decision: &decision, is_due, digests: &digests };
        let published =
            self.publish_all(&mut run, &mut work, &mut report, publication, &mut changes, &mut has_ended).await;
        changes.remove.extend(self.forget(&run, &work, &state, &decision, has_ended));
        changes.append(work.advance(&run, Event::RunEnds { has_published: published.is_ok() }));
        changes.remove.append(&mut work.superseded);
        self.clean_up(&mut run, changes).await;
        if published.is_ok() && work.may_release && !close.is_open() {
            Box::pin(self.release(&mut run, &work.pending)).await;
        }
        report.steps = run.steps;
        report.findings = run.findings;
        let summary = report.summary.clone();
        match (close, published) {
            (Close::Stranded, _) => Err(Failure::InterfaceNotAttached { summary }),
            (Close::Arriving, _) => Err(Failure::DeadlineReached { amid: Amid::Move, summary }),
            (_, Err(error)) if error.is_transient() => Err(Failure::NotificationNotPublished { error, summary }),
            (_, Ok(()) | Err(_)) => Ok(report),
        }
    }

    /// Publishes the report of this run, then the pending reports of other runs, then the news about a pause. Stops at
    /// the first one that SNS does not accept. `has_ended` says if the end of a problem has been published.
    async fn publish_all(
        &self,
        run: &mut Run<'_, P::Ec2>,
        work: &mut Work,
        report: &mut Report,
        Publication { request_id, close, decision, is_due, digests }: Publication<'_>,
        changes: &mut TagChanges,
        has_ended: &mut bool,
    ) -> Result<(), CallError> {
        // The report of another run's move that ends the problem says so itself.
        let mut to_append = match decision {
            Decision::Resolve(over) if work.pending.due.iter().any(|due| due.tells_a_move(&run.members)) => {
                Some(over.clone())
            }
            _ => None,
        };
        if to_append.is_none() && (is_due || *decision != Decision::Nothing) {
            tell_of_problem(report, decision);
            self.publish(run, report, &decision.tries(request_id)).await?;
            if !close.is_open() {
                changes.append(work.advance(run, Event::Told));
            }
            *has_ended = matches!(decision, Decision::Append(_) | Decision::Resolve(_));
            let Digests { announcement, audit, hostid, .. } = digests;
            let told = [(ANNOUNCED, announcement), (AUDITED, audit), (HOSTID, hostid)];
            self.remember(run, decision, told, work.seen.as_ref()).await;
        } else {
            if !close.is_open() {
                // The interface came back, and that was reported before.
                changes.append(work.advance(run, Event::NoNews));
            }
            self.remember(run, &Decision::Nothing, [], work.seen.as_ref()).await;
        }
        // A run that only sets or ends a pause leaves other runs' reports to the next run: it may not have the settings
        // to activate a token server.
        if close != Close::Maintenance {
            let had_to_append = to_append.is_some();
            let settled = self.publish_due(run, work, report, &mut to_append, changes).await;
            *has_ended |= had_to_append && to_append.is_none();
            settled?;
        }
        // No pending report told of a move after all.
        if let Some(over) = to_append {
            tell_of_problem(report, &Decision::Resolve(over));
            self.publish(run, report, request_id).await?;
            *has_ended = true;
        }
        self.tell_of_pause(run, report).await
    }

    /// Concludes a run that timed out during its work. Its pending report is on the interface. The next run continues
    /// from what EC2 says then.
    async fn conclude_cut_off(
        &self,
        mut run: Run<'_, P::Ec2>,
        mut work: Work,
        trigger: Trigger,
        request_id: &str,
    ) -> Result<Report, Failure> {
        if work.pending.own.is_none() {
            return Err(Failure::DeadlineReached {
                amid: Amid::Looking,
                summary: "The invocation timed out before it changed anything. The next run tries again.".to_owned(),
            });
        }
        if self.is_attached_to_nothing(&run) {
            let finding = run.advisor().attached_to_nothing(&work.standbys);
            run.findings.push(finding);
        }
        let summary = "The invocation timed out during a move. The next run continues it.".to_owned();
        let verdict = Verdict { outcome: Outcome::Failed, reason: Reason::DeadlineReached, summary, movement: None };
        let problem = Problem::new(verdict.reason, [self.is_attached_to_nothing(&run)]);
        let is_asked = trigger.kind == TriggerKind::Failover;
        tell_of_license_check(&mut run, false);
        let mut report = self.report(&mut run, verdict, trigger, None);
        let decision = self.decide(&run, &work, &State::Problem(problem), is_asked);
        tell_of_problem(&mut report, &decision);
        // The pending report stays even if this report is published, so the next run after this one's deadline reports
        // the outcome of the move.
        let mut outlook = "";
        if decision != Decision::Nothing {
            match self.publish(&mut run, &report, &decision.tries(request_id)).await {
                Ok(()) => self.remember(&mut run, &decision, [], None).await,
                Err(_) => outlook = " The report of this could not be published.",
            }
        }
        // A move that never ends must not hold back the mail about the end of a pause.
        if outlook.is_empty() && self.tell_of_pause(&mut run, &mut report).await.is_err() {
            outlook = " The news of the pause could not be published.";
        }
        // A move that never ends must not use up the tags.
        let mut changes = work.advance(&run, Event::CutOff);
        changes.remove.extend(run.superseded_notes(false));
        self.clean_up(&mut run, changes).await;
        Err(Failure::DeadlineReached { amid: Amid::Move, summary: format!("{}{outlook}", report.summary) })
    }

    fn is_attached_to_nothing(&self, run: &Run<'_, P::Ec2>) -> bool {
        run.interface().is_some_and(|interface| interface.attachment.is_none())
    }

    /// Puts the outcome into words, with the findings that belong to it.
    fn verdict(&self, run: &mut Run<'_, P::Ec2>, outcome: RunOutcome, work: &Work) -> Verdict {
        let verdict = |outcome, reason, summary| Verdict { outcome, reason, summary, movement: None };
        let advisor = run.advisor();
        if let Some(Announcement { what, code, starts_at, members }) = &work.announced {
            let holder = run.holder().cloned();
            let of = |member| advisor.announcement(*what, code, member, *starts_at, holder.as_ref() == Some(member));
            run.findings.extend(members.iter().map(of));
        }
        match outcome {
            RunOutcome::Kept(reason) => self.kept(reason, run, work),
            RunOutcome::Answered(verdict) => verdict,
            RunOutcome::Move(ended, cause) => self.moved(ended, cause, run, work),
            RunOutcome::Refused(refusal) => {
                run.findings.extend(advisor.refusal(&refusal, &work.standbys));
                verdict(Outcome::Refused, refusal.code(), summary::refused(&refusal))
            }
            RunOutcome::Started(instance, cause) => {
                verdict(Outcome::Started, cause.code(), summary::started(&instance, run.holder()))
            }
            RunOutcome::Audited { viable } => self.audited(viable, run, work),
            RunOutcome::HolderNotStarted(instance) => {
                failed(run, advisor.holder_not_started(&instance), Reason::HolderNotStarted, None)
            }
        }
    }

    /// The verdict on a move.
    fn moved(&self, ended: MoveOutcome, cause: MoveCause, run: &mut Run<'_, P::Ec2>, work: &Work) -> Verdict {
        let advisor = run.advisor();
        match ended {
            MoveOutcome::Moved(movement, _) => {
                let summary = summary::moved(&movement, cause, work.missed.as_ref());
                Verdict { outcome: Outcome::Moved, reason: cause.code(), summary, movement: Some(movement) }
            }
            MoveOutcome::ByAnotherRun(to) => {
                let summary = summary::moved_by_another_run(&to);
                Verdict { outcome: Outcome::NoAction, reason: Reason::MovedByAnotherRun, summary, movement: None }
            }
            MoveOutcome::Returned { to, .. } => {
                failed(run, advisor.returned(&to), Reason::ReturnedToFormerHolder, None)
            }
            MoveOutcome::NotStarted(movement, _) => {
                let finding = advisor.not_started(&movement.to, run.stopped_again.get(&movement.to));
                failed(run, finding, Reason::StandbyNotStarted, Some(movement))
            }
            MoveOutcome::Arriving(movement) => {
                let (finding, summary) = (advisor.still_attaching(&movement.to), summary::arriving(&movement.to));
                Verdict { summary, ..failed(run, finding, Reason::StillAttaching, Some(movement)) }
            }
            MoveOutcome::Stranded => {
                failed(run, advisor.attached_to_nothing(&work.standbys), Reason::AttachedToNothing, None)
            }
        }
    }

    /// The verdict if nothing had to move. Repairs and failed repairs come first, then announcements.
    fn kept(&self, reason: KeepReason, run: &Run<'_, P::Ec2>, work: &Work) -> Verdict {
        let (outcome, reason, summary) = match &work.announced {
            _ if !work.repaired.is_empty() => {
                let summary = format!("Nothing had to move. Repaired: {}.{}", work.repaired.join(", "), work.unseen());
                (Outcome::Repaired, Reason::RepairsMade, summary)
            }
            _ if !work.unseen.is_empty() => {
                (Outcome::Failed, Reason::RepairNotSeen, format!("Nothing had to move.{}", work.unseen()))
            }
            _ if !work.to_repair.is_empty() => {
                let failed = work.to_repair.join(", ");
                (
                    Outcome::Failed,
                    Reason::RepairFailed,
                    format!("Nothing had to move. A repair did not succeed: {failed}."),
                )
            }
            Some(announced) => {
                (Outcome::Audited, announced.what.code(), summary::announced(announced.what, &announced.members))
            }
            None => {
                let held_back = || run.observation.as_ref().map(|seen| summary::held_back(&self.config, seen));
                let summary = match reason {
                    KeepReason::Paused => held_back().unwrap_or_default(),
                    reason => summary::kept(reason, run.holder()),
                };
                (Outcome::NoAction, reason.code(), summary)
            }
        };
        Verdict { outcome, reason, summary, movement: None }
    }

    /// The verdict on an audit. The findings of the checks count as well.
    fn audited(&self, viable: usize, run: &Run<'_, P::Ec2>, work: &Work) -> Verdict {
        let checks = run.check().zip(run.interface());
        let checks = checks.map(|(checked, interface)| run.advisor().checks(interface, &checked));
        let all = run.findings.iter().chain(checks.iter().flatten());
        let found = Tally::of(all.map(|finding| finding.severity));
        // An event is why the audit is mailed.
        let event = run.findings.iter().find(|finding| is_event(finding));
        let event = event.map_or_else(String::new, |event| format!(" {}", event.message));
        let summary = audit::summary(found, viable, work.standbys.len()) + &event;
        Verdict { outcome: Outcome::Audited, reason: found.reason(), summary, movement: None }
    }

    /// What the run's outcome means for problems.
    fn state(&self, run: &Run<'_, P::Ec2>, outcome: &RunOutcome, work: &Work, trigger: &Trigger) -> State {
        let is_repaired = work.to_repair == work.repaired;
        State::Problem(match outcome {
            // A refusal of an operator's request is an answer to that request, and not a lasting problem.
            RunOutcome::Refused(_) if trigger.kind == TriggerKind::Failover && run.reach == Reach::Untouched => {
                return State::Open;
            }
            RunOutcome::Refused(refusal) => {
                // The report names each of them.
                let is_for_lack = matches!(refusal, Refusal::NoViableStandby | Refusal::NowhereToGo { .. });
                let standbys = work.standbys.iter().filter(|_| is_for_lack);
                let standbys = standbys.map(|standby| format!("{} {}", standby.instance_id, json!(standby.verdict)));
                // Members by tag change their places when one of them stops, and the problem stays the same.
                let standbys: BTreeSet<String> = standbys.collect();
                Problem::new(refusal.code(), refusal.details().into_iter().chain(standbys))
            }
            RunOutcome::HolderNotStarted(holder) => Problem::new(Reason::HolderNotStarted, [holder]),
            RunOutcome::Move(MoveOutcome::Arriving(movement), _) => {
                Problem::new(Reason::StillAttaching, [&movement.to])
            }
            RunOutcome::Move(MoveOutcome::Stranded, _) => Problem::new(Reason::AttachedToNothing, [""; 0]),
            RunOutcome::Move(MoveOutcome::Returned { to, .. }, _) => Problem::new(Reason::ReturnedToFormerHolder, [to]),
            RunOutcome::Move(MoveOutcome::NotStarted(movement, _), _) => {
                Problem::new(Reason::StandbyNotStarted, [&movement.to])
            }
            RunOutcome::Kept(_) if !is_repaired && work.repaired.is_empty() => {
                let code = if work.unseen.is_empty() { Reason::RepairFailed } else { Reason::RepairNotSeen };
                Problem::new(code, &work.to_repair)
            }
            // The holder is about to go, so nothing is over yet.
            RunOutcome::Kept(KeepReason::AwaitingStandby | KeepReason::NowhereToRebalance) => return State::Open,
            RunOutcome::Kept(_) if is_repaired && self.is_well(run) => return State::Well,
            // A server that serves for the rest of its life ends no problem. The next run looks for another one.
            RunOutcome::Started(holder, _) if self.is_about_to_go(run, holder) => return State::Open,
            RunOutcome::Move(MoveOutcome::Moved(..), _) | RunOutcome::Started(..)
                if is_repaired && run.running_member().is_some() =>
            {
                return State::Well;
            }
            RunOutcome::Kept(_)
            | RunOutcome::Move(MoveOutcome::Moved(..) | MoveOutcome::ByAnotherRun(_), _)
            | RunOutcome::Started(..)
            | RunOutcome::Answered(_)
            | RunOutcome::Audited { .. } => return State::Open,
        })
    }

    /// Whether the interface is attached to a running member and would outlive it.
    fn is_well(&self, run: &Run<'_, P::Ec2>) -> bool {
        let Some(observation) = &run.observation else { return false };
        let attachment = run.attachment();
        let is_attached = attachment.is_some_and(|attachment| attachment.status == AttachmentStatus::Attached);
        let Some(holder) = run.running_member().and_then(|holder| observation.instance(holder)) else { return false };
        is_attached && holder.state == InstanceState::Running && passes(&self.config, holder)
    }

    /// Whether a group is about to terminate the instance, or AWS is about to work on it.
    fn is_about_to_go(&self, run: &Run<'_, P::Ec2>, instance: &InstanceId) -> bool {
        let observation = run.observation.as_ref();
        let seen = observation.and_then(|observation| Some((observation.instance(instance)?, observation.observed_at)));
        seen.is_some_and(|(seen, now)| expected_departure(&self.config, seen, now).is_some())
    }

    /// The problem in the interface's tag when it was last read. Outer `None`: the interface was not seen.
    fn remembered_tag(run: &Run<'_, P::Ec2>, work: &Work) -> Option<Option<String>> {
        let seen = run.remembered().map(|remembered| remembered.refused);
        seen.or_else(|| work.remembered_refusal.clone().map(Some))
    }

    /// Decides what is published about problems.
    fn decide(&self, run: &Run<'_, P::Ec2>, work: &Work, state: &State, told_anyway: bool) -> Decision {
        let now = run.clock.now();
        let tag = Self::remembered_tag(run, work);
        let memory = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        let remembered = memory.resolve(tag.as_ref().map(Option::as_deref), now);
        problem::decide(remembered.as_ref(), now, state, told_anyway)
    }

    /// Remembers what was published, so that it is not published again, and what was seen of the attachment.
    async fn remember<const N: usize>(
        &self,
        run: &mut Run<'_, P::Ec2>,
        decision: &Decision,
        published: [(&str, &Option<String>); N],
        seen: Option<&Seen>,
    ) {
        let tags = published.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?)));
        let mut tags: BTreeMap<String, String> = tags.chain(seen.map(Seen::tag)).collect();
        if let Decision::Tell(told) = decision {
            tags.insert(REFUSED.to_owned(), tag_value(&told.value()));
        }
        let mut written = false;
        if !tags.is_empty() && run.interface().is_some() {
            // A failure costs only one more mail.
            let writing = self.ec2.write_tags(&self.config.interface_id, &tags);
            let ends = run.clock.publishing_ends();
            let noted = timeout_at(ends, run.step(Step::NotePublished, &self.config.interface_id, writing)).await;
            written = matches!(noted, Ok(Ok(())));
        }
        if let Decision::Tell(told) = decision {
            *self.problem.lock().unwrap_or_else(PoisonError::into_inner) =
                Memory::Mailed { remembered: told.clone(), written };
        }
    }

    /// Forgets a problem whose end was published, and the tag that another process left about one. Returns the tag to
    /// remove.
    fn forget(
        &self,
        run: &Run<'_, P::Ec2>,
        work: &Work,
        state: &State,
        decision: &Decision,
        has_ended: bool,
    ) -> Option<String> {
        let mut memory = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        match decision {
            Decision::Append(over) | Decision::Resolve(over) if has_ended => *memory = Memory::Ended(over.clone()),
            Decision::Nothing if *state == State::Well => {
                if matches!(*memory, Memory::Mailed { .. }) {
                    *memory = Memory::Nothing;
                }
            }
            _ => return None,
        }
        let is_tagged = Self::remembered_tag(run, work).flatten().is_some();
        is_tagged.then(|| REFUSED.to_owned())
    }

    /// Publishes a report, within the time that is left for that.
    pub(crate) async fn publish(
        &self,
        run: &mut Run<'_, P::Ec2>,
        report: &Report,
        request_id: &str,
    ) -> Result<(), CallError> {
        let hostid = report.token_server.hostid.as_deref().filter(|_| report.outcome == Outcome::Audited);
        let is_new = hostid.zip(run.remembered()).is_some_and(|(hostid, tags)| tags.is_new_hostid(hostid));
        let hostid = if is_new { Hostid::New } else { Hostid::Told };
        let notification = Notification::new(&self.config, report, request_id, hostid);
        let ends = run.clock.publishing_ends();
        let publishing = async {
            match timeout_at(ends, self.sns.publish(&notification)).await {
                Ok(published) => published,
                Err(_) => Err(CallError {
                    action: "sns:Publish".to_owned(),
                    meaning: Meaning::Unreachable,
                    code: None,
                    message: "the invocation ran out of time before SNS answered".to_owned(),
                    request_id: None,
                }),
            }
        };
        let published = run.step(Step::Publish, &self.config.topic, publishing).await;
        if let Err(error) = &published {
            let finding = run.advisor().not_published(error);
            run.findings.push(finding);
        }
        published
    }

    /// Publishes the reports that other runs have left. If two are about the same move, only the one that knows more is
    /// published.
    async fn publish_due(
        &self,
        run: &mut Run<'_, P::Ec2>,
        work: &mut Work,
        report: &Report,
        to_append: &mut Option<LastMail>,
        changes: &mut TagChanges,
    ) -> Result<(), CallError> {
        for due in work.pending.to_publish(run.scene(), self.config.activation.is_some()) {
            if work.pending.is_settled(&due.report) {
                continue;
            }
            if !due.report.reported {
                let mut report = self.due_report(&due, &run.members, report);
                let end = to_append.clone().filter(|_| due.tells_a_move(&run.members)).map(Decision::Append);
                tell_of_problem(&mut report, end.as_ref().unwrap_or(&Decision::Nothing));
                // The report has the same id whichever run publishes it, so a FIFO topic drops a second copy.
                self.publish(run, &report, &due.report.key).await?;
                if end.is_some() {
                    *to_append = None;
                }
            }
            changes.append(work.advance(run, Event::Published(due.report.key)));
        }
        Ok(())
    }

    /// Writes the pending reports that are left to other runs, and removes the tags that are settled.
    async fn clean_up(&self, run: &mut Run<'_, P::Ec2>, changes: TagChanges) {
        let ends = run.clock.publishing_ends();
        let interface = &self.config.interface_id;
        let TagChanges { write: notes, remove: settled } = changes;
        if run.interface().is_none() {
            return;
        }
        if !notes.is_empty() {
            let keys: Vec<&str> = notes.keys().map(String::as_str).collect();
            // If this fails, the pending report stays as it is, and is due once this run's deadline has passed.
            let writing = run.step(Step::HandOverDebt, keys.join(" "), self.ec2.write_tags(interface, &notes));
            let _ = timeout_at(ends, writing).await;
        }
        if !settled.is_empty() {
            let removing = run.step(Step::SettleDebt, settled.join(" "), self.ec2.delete_tags(interface, &settled));
            if let Ok(Err(error)) = timeout_at(ends, removing).await {
                let finding = run.advisor().mark_not_removed(&error);
                run.findings.push(finding);
            }
        }
    }

    /// Puts the report together. The findings of the checks join the findings of the run.
    pub(crate) fn report(
        &self,
        run: &mut Run<'_, P::Ec2>,
        verdict: Verdict,
        trigger: Trigger,
        before: Option<Checks>,
    ) -> Report {
        let checked = run.check();
        let interface = run.interface().cloned();
        if let (Some(interface), Some(checked)) = (&interface, &checked) {
            let findings = run.advisor().checks(interface, checked);
            run.findings.extend(findings);
        }
        if let Some(activation) = &run.activation {
            let is_served = run.license_check.as_ref().is_some_and(|check| check.result == CheckedLicense::Served);
            let answers = is_served || self.is_inside() && listening(&self.config, &run.probes) == CheckResult::Ok;
            let finding = run.advisor().activation(activation, answers);
            run.findings.extend(finding);
        }
        if let Some(expired) = self.expired_license(run) {
            run.findings.push(expired);
        }
        run.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let mut checks = checked.as_ref().map_or(Checks::NOT_CHECKED, Checked::results);
        checks.listening = listening(&self.config, &run.probes);
        Report {
            schema_version: SCHEMA_VERSION,
            outcome: verdict.outcome,
            reason: verdict.reason.into(),
            summary: verdict.summary,
            trigger,
            expected_to_work: self.expectation(run, checks),
            token_server: TokenServer::new(&self.config, run.observation.as_ref()),
            movement: verdict.movement,
            pause: run.pause(),
            viable_standbys: run.viable_standbys.filter(|_| verdict.outcome != Outcome::Moved),
            steps: run.steps.clone(),
            checks: before.map_or(checks, |before| after_repairs(before, checks)),
            probes: run.probes.clone(),
            activation: run.activation.clone(),
            license_check: run.license_check.clone(),
            findings: run.findings.clone(),
        }
    }

    /// The finding that the license has expired, unless the audit has told it.
    fn expired_license(&self, run: &Run<'_, P::Ec2>) -> Option<Finding> {
        let last_day = self.config.license_expires?;
        let today = run.clock.now().date_naive();
        let is_told = run.findings.iter().any(|finding| finding.code == FindingCode::LicenseExpired);
        let is_due = validity::has_expired(last_day, today) && !is_told;
        is_due.then(|| run.advisor().license_ends(last_day, validity::days_left(last_day, today)))
    }

    /// Whether clients can be expected to get licenses now, by EC2's description of the holder and the results of the
    /// checks.
    fn expectation(&self, run: &Run<'_, P::Ec2>, checks: Checks) -> Expectation {
        let Some(observation) = &run.observation else { return Expectation::Unknown };
        let (Reading::Known(interface), Reading::Known(_)) = (&observation.interface, &observation.instances) else {
            return Expectation::Unknown;
        };
        let held_by = |interface: &NetworkInterface| {
            let attachment = interface.attachment.as_ref()?;
            let there = matches!(attachment.status, AttachmentStatus::Attached | AttachmentStatus::Attaching);
            attachment.instance_id.clone().filter(|_| there)
        };
        let Some(holder) = interface.as_ref().and_then(held_by) else { return Expectation::No };
        let Some(holder) = observation.instance(&holder) else { return Expectation::No };
        // The setting has the first day on which a feature ends. Others may still be valid.
        let today = observation.observed_at.date_naive();
        let has_expired = self.config.license_expires.is_some_and(|day| validity::has_expired(day, today));
        // From outside the VPC, an answer may come from another machine with the same address.
        let listening = if self.is_inside() { checks.listening } else { CheckResult::NotChecked };
        let license =
            run.license_check.as_ref().filter(|check| check.instance_id == holder.id).map(|check| check.result);
        let is_served = [checks.hostid, checks.elastic_ip, checks.security_group, listening];
        let is_served =
            is_served.iter().all(|check| *check != CheckResult::Failed) && license != Some(CheckedLicense::NotServed);
        // A token server that answers is active, whatever the result of the command.
        let answers = listening == CheckResult::Ok || license == Some(CheckedLicense::Served);
        let could_not_tell = license == Some(CheckedLicense::Unknown) && !answers;
        let activation_result = run.activation.as_ref().filter(|_| !answers).map(|activation| activation.result);
        match (&holder.state, &holder.status_checks) {
            (InstanceState::Running, Reading::Known(StatusChecks::Impaired)) => Expectation::No,
            (InstanceState::Running, _) if is_served => match activation_result {
                None | Some(ActivationResult::Done) if has_expired || could_not_tell => Expectation::Unknown,
                None | Some(ActivationResult::Done) => Expectation::Yes,
                Some(ActivationResult::Unfinished) => Expectation::Unknown,
                Some(ActivationResult::Failed) => Expectation::No,
            },
            (InstanceState::Pending, _) if is_served => Expectation::Unknown,
            _ => Expectation::No,
        }
    }

    /// The report that another run has left.
    fn due_report(&self, due: &Due, members: &[InstanceId], report: &Report) -> Report {
        let came_to = due.outcome(members);
        let summary = summary::due(due, &came_to);
        let (outcome, movement) = match came_to {
            DueOutcome::Repaired => (Outcome::Repaired, None),
            DueOutcome::Started => (Outcome::Started, None),
            DueOutcome::Moved(movement) => (Outcome::Moved, Some(movement)),
            DueOutcome::CameBack(_) | DueOutcome::LeftTheMembers => (Outcome::Failed, None),
        };
        let reason = Reason::ReportWasOwed.into();
        Report { outcome, reason, summary, movement, steps: Vec::new(), ..report.clone() }
    }
}

/// The verdict on something that the run tried and that did not succeed. The finding says what it was.
fn failed<E: Ec2>(run: &mut Run<'_, E>, finding: Finding, reason: Reason, movement: Option<Movement>) -> Verdict {
    let summary = finding.message.clone();
    run.findings.push(finding);
    Verdict { outcome: Outcome::Failed, reason, summary, movement }
}

/// Adds the findings of the license check. An audit has told already of an agent that does not answer.
fn tell_of_license_check<E: Ec2>(run: &mut Run<'_, E>, is_audit: bool) {
    let Some(check) = &run.license_check else { return };
    let tells_of_agent = |one: &Finding| {
        one.code == FindingCode::MemberNotManaged && one.resource.as_deref() == Some(check.instance_id.as_str())
    };
    let is_told =
        check.unknown_because == Some(WhyUnknown::AgentUnreachable) && run.findings.iter().any(tells_of_agent);
    let findings = run.advisor().license_check(check, is_audit);
    run.findings.extend(findings.into_iter().filter(|one| !is_told || one.code != FindingCode::LicenseNotChecked));
}

/// Puts the decision about problems into a report.
fn tell_of_problem(report: &mut Report, decision: &Decision) {
    if let Decision::Resolve(over) = decision {
        report.outcome = Outcome::Resolved;
        report.reason.clone_from(&over.problem.code);
    }
    report.summary = summary::with_problem(&report.summary, decision);
}

/// The tags for an announcement and an audit, to be written once they have been published.
struct Digests {
    announcement: Option<String>,
    audit: Option<String>,
    hostid: Option<String>,
    /// The audit tells of something that has happened.
    has_event: bool,
}

impl Digests {
    fn of(work: &Work, audited: Option<&Report>) -> Self {
        let remembered = work.remembered_announcement.as_deref();
        let announcement = work.announced.as_ref().map(|announced| announced.remembered_with(remembered));
        let hostid = audited
            .and_then(|report| Some(Remembered::hostid_told(report.token_server.hostid.as_deref()?, &report.findings)));
        let has_event = audited.is_some_and(|report| report.findings.iter().any(is_event));
        Self { announcement, audit: audited.map(|report| signature(&report.findings)), hostid, has_event }
    }

    /// Whether one of them differs from what was published last.
    fn are_new(&self, work: &Work) -> bool {
        let is_new = |now: &Option<String>, before: &Option<String>| now.is_some() && now != before;
        let differ =
            is_new(&self.announcement, &work.remembered_announcement) || is_new(&self.audit, &work.remembered_audit);
        differ || self.has_event
    }
}

/// A report to publish, and its parameters.
#[derive(Clone, Copy)]
struct Publication<'a> {
    request_id: &'a str,
    close: Close,
    decision: &'a Decision,
    is_due: bool,
    digests: &'a Digests,
}
