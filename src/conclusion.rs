//! The end of an invocation: what the work came to, the report of it, and what is owed.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use chrono::{DateTime, Utc};
use tokio::time::timeout_at;

use crate::checks::{Checked, Checks};
use crate::cloud::{CallError, Ec2, Meaning, Sns};
use crate::event::{Trigger, TriggerKind};
use crate::failover::{Failover, Failure};
use crate::findings::{Finding, Severity};
use crate::ids::{AttachmentId, InstanceId};
use crate::marks::{Change, Debt, Marks, REFUSED, tag_value};
use crate::notification::Notification;
use crate::observation::{AttachmentStatus, InstanceState, NetworkInterface, Observation, Reading, StatusChecks};
use crate::plan::{KeepReason, MoveCause, Refusal, Standby};
use crate::repair::after_repairs;
use crate::report::{Expectation, Movement, Outcome, Report, SCHEMA_VERSION, Step, TokenServer};
use crate::run::Run;

/// What the work came to.
pub(crate) enum Ending {
    Kept(KeepReason),
    Moved(Movement, MoveCause),
    MovedByAnotherRun(InstanceId),
    Refused(Refusal),
    Returned(InstanceId),
    NotStarted(Movement),
    Stranded,
}

/// What the work leaves behind for the report.
#[derive(Default)]
pub(crate) struct Work {
    pub(crate) ending: Option<Ending>,
    pub(crate) standbys: Vec<Standby>,
    /// The checks before anything was mended.
    pub(crate) checks: Option<Checks>,
    /// What was to be repaired, and what of it was.
    pub(crate) to_repair: Vec<&'static str>,
    pub(crate) repaired: Vec<&'static str>,
    /// The debt that this run has written.
    pub(crate) noted: Option<Debt>,
    /// Until when the run whose debt this one took over may still publish.
    pub(crate) others_busy_until: Option<DateTime<Utc>>,
    /// The debts of other runs that are due.
    pub(crate) due: Vec<Owed>,
    /// Tags that mean nothing anymore.
    pub(crate) obsolete: Vec<String>,
    /// The refusal that the interface remembers.
    pub(crate) remembered_refusal: Option<String>,
}

impl Work {
    /// Whether another run has moved the interface and died before it was done.
    pub(crate) fn owes_a_move(&self) -> bool {
        self.due.iter().any(|owed| matches!(owed.debt.change, Change::Move { .. }))
    }
}

/// A report that another run owes.
pub(crate) struct Owed {
    pub(crate) debt: Debt,
    /// Where the interface went, and by which attachment, as far as that is known.
    pub(crate) to: InstanceId,
    pub(crate) attachment_id: Option<AttachmentId>,
}

/// A report before its details: outcome, reason, summary, move.
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    pub(crate) reason: &'static str,
    pub(crate) summary: String,
    pub(crate) movement: Option<Movement>,
}

impl<E: Ec2, S: Sns> Failover<E, S> {
    /// Writes the report, publishes it if it is due, and settles what was owed.
    pub(crate) async fn conclude(
        &self,
        mut run: Run<'_, E>,
        mut work: Work,
        trigger: Trigger,
        request_id: &str,
    ) -> Result<Report, Failure> {
        let Some(ending) = work.ending.take() else {
            return self.conclude_cut_off(run, work, trigger, request_id).await;
        };
        let stranded = matches!(ending, Ending::Stranded);
        let repeats = self.repeats(&ending, &work, &trigger);
        let verdict = self.verdict(&mut run, ending, &work);
        let publishes =
            matches!(verdict.outcome, Outcome::Moved | Outcome::Repaired | Outcome::Refused | Outcome::Failed);
        let refusal = repeats.as_ref().map(|(signature, _)| signature.clone());
        let is_repeated = repeats.is_some_and(|(_, repeated)| repeated);
        let mut report = self.report(&mut run, verdict, trigger, work.checks);
        let mut settled = std::mem::take(&mut work.obsolete);
        let mut unpublished = None;
        if publishes && !is_repeated {
            match self.publish(&mut run, &report, request_id).await {
                Ok(()) => {
                    // A move that left the interface attached to nothing is not over; its debt passes to the next run.
                    settled.extend(work.noted.take_if(|_| !stranded).map(|debt| debt.key));
                    if let Some(refusal) = &refusal {
                        self.remember_refusal(&mut run, refusal).await;
                    }
                }
                Err(error) => unpublished = Some(error),
            }
        } else if let Some(debt) = work.noted.take() {
            settled.push(debt.key);
        }
        if unpublished.is_none() {
            unpublished = self.settle_due(&mut run, &work, &report, request_id, &mut settled).await.err();
        }
        if refusal.is_none() {
            self.forget_refusal();
            settled.extend(work.remembered_refusal.as_ref().map(|_| REFUSED.to_owned()));
        }
        let unsettled = work.noted.map(|debt| debt.handed_over(work.others_busy_until));
        self.clean_up(&mut run, settled, unsettled).await;
        report.steps = run.steps;
        report.findings = run.findings;
        let summary = report.summary.clone();
        match unpublished {
            _ if stranded => Err(Failure::InterfaceNotAttached { summary }),
            Some(error) if error.is_transient() => Err(Failure::NotificationNotPublished { error, summary }),
            Some(_) | None => Ok(report),
        }
    }

    /// The run's time ended in the middle of its work. What it has begun is noted on the interface; the next run takes it
    /// up from what EC2 says then.
    async fn conclude_cut_off(
        &self,
        mut run: Run<'_, E>,
        mut work: Work,
        trigger: Trigger,
        request_id: &str,
    ) -> Result<Report, Failure> {
        let Some(debt) = work.noted.take() else {
            return Err(Failure::DeadlineReached { summary: "nothing was changed".to_owned() });
        };
        if self.is_attached_to_nothing(&run) {
            let finding = run.advisor().attached_to_nothing(&work.standbys);
            run.findings.push(finding);
        }
        let summary =
            "The time of the invocation ended in the middle of a move; the next run goes on with it.".to_owned();
        let verdict = Verdict { outcome: Outcome::Failed, reason: "deadline-reached", summary, movement: None };
        let report = self.report(&mut run, verdict, trigger, None);
        // Whether this report gets out changes nothing: the debt stays, so the next run reports what came of the move.
        let published = self.publish(&mut run, &report, request_id).await;
        self.clean_up(&mut run, Vec::new(), Some(debt.handed_over(work.others_busy_until))).await;
        let outlook = if published.is_ok() { "" } else { " This report could not be published either." };
        Err(Failure::DeadlineReached { summary: format!("{}{outlook}", report.summary) })
    }

    fn is_attached_to_nothing(&self, run: &Run<'_, E>) -> bool {
        run.interface().is_some_and(|interface| interface.attachment.is_none())
    }

    /// Says what the work came to.
    fn verdict(&self, run: &mut Run<'_, E>, ending: Ending, work: &Work) -> Verdict {
        let verdict = |outcome, reason, summary| Verdict { outcome, reason, summary, movement: None };
        match ending {
            Ending::Kept(_) if !work.repaired.is_empty() => {
                let summary = format!("Nothing had to move. Repaired: {}.", work.repaired.join(", "));
                verdict(Outcome::Repaired, "repairs-made", summary)
            }
            Ending::Kept(_) if !work.to_repair.is_empty() => {
                let summary = format!("Nothing had to move. A repair did not succeed: {}.", work.to_repair.join(", "));
                verdict(Outcome::Failed, "repair-failed", summary)
            }
            Ending::Kept(reason) => {
                let attachment = run.interface().and_then(|interface| interface.attachment.as_ref());
                let holder = attachment.and_then(|attachment| attachment.instance_id.as_ref());
                verdict(Outcome::NoAction, reason.code(), kept_summary(reason, holder))
            }
            Ending::Moved(movement, cause) => {
                let took = match movement.duration_ms.unwrap_or_default() {
                    0..100 => "under 0.1 s".to_owned(),
                    took => format!("{}.{} s", took / 1000, took % 1000 / 100),
                };
                let summary = format!(
                    "The license interface moved from {} to {} in {took}, because {}.",
                    place(movement.from.as_ref()),
                    movement.to,
                    cause.in_words()
                );
                Verdict { outcome: Outcome::Moved, reason: cause.code(), summary, movement: Some(movement) }
            }
            Ending::MovedByAnotherRun(to) => {
                let summary = format!("Another run attached the interface to {to} at the same time, and reports it.");
                verdict(Outcome::NoAction, "moved-by-another-run", summary)
            }
            Ending::Refused(refusal) => {
                let findings = run.advisor().refusal(&refusal, &work.standbys);
                let summary = format!("The interface was not moved: {}.", refusal.in_words());
                run.findings.extend(findings);
                verdict(Outcome::Refused, refusal.code(), summary)
            }
            Ending::Returned(to) => {
                let finding = run.advisor().returned(&to);
                let summary = finding.message.clone();
                run.findings.push(finding);
                verdict(Outcome::Failed, "returned-to-former-holder", summary)
            }
            Ending::NotStarted(movement) => {
                let finding = run.advisor().not_started(&movement.to);
                let (summary, reason) = (finding.message.clone(), "standby-not-started");
                run.findings.push(finding);
                Verdict { outcome: Outcome::Failed, reason, summary, movement: Some(movement) }
            }
            Ending::Stranded => {
                let finding = run.advisor().attached_to_nothing(&work.standbys);
                let summary = finding.message.clone();
                run.findings.push(finding);
                verdict(Outcome::Failed, "attached-to-nothing", summary)
            }
        }
    }

    /// The refusal in one line, and whether the same was published before. Somebody who asks gets an answer each time.
    fn repeats(&self, ending: &Ending, work: &Work, trigger: &Trigger) -> Option<(String, bool)> {
        let detail = match ending {
            Ending::Refused(refusal) => {
                let obstacles =
                    work.standbys.iter().map(|standby| format!(" {}: {:?}", standby.instance_id, standby.verdict));
                let obstacles = obstacles.filter(|_| matches!(refusal, Refusal::NoViableStandby)).collect::<String>();
                let action = match refusal {
                    Refusal::PermissionDenied(error) | Refusal::CallRejected(error) => format!(" {}", error.action),
                    _ => String::new(),
                };
                format!("{}{action}{obstacles}", refusal.code())
            }
            Ending::Kept(_) if !work.to_repair.is_empty() && work.repaired.is_empty() => {
                format!("repair-failed {}", work.to_repair.join(" "))
            }
            _ => return None,
        };
        let signature = tag_value(&detail);
        let in_memory = self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = work.remembered_refusal.as_ref() == Some(&signature) || in_memory.as_ref() == Some(&signature);
        Some((signature, known && trigger.kind != TriggerKind::Failover))
    }

    async fn remember_refusal(&self, run: &mut Run<'_, E>, signature: &str) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(signature.to_owned());
        if run.interface().is_some() {
            let tags = BTreeMap::from([(REFUSED.to_owned(), signature.to_owned())]);
            // The process remembers it as well, so the only cost of a failure is one more mail when Lambda replaces it.
            let written = self.ec2.write_tags(&self.config.interface_id, &tags);
            let _ = timeout_at(run.clock.publishing_ends(), run.step(Step::NoteRefusal, REFUSED, written)).await;
        }
    }

    fn forget_refusal(&self) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Publishes a report, within the time that is left for it.
    async fn publish(&self, run: &mut Run<'_, E>, report: &Report, request_id: &str) -> Result<(), CallError> {
        let notification = Notification::new(&self.config, report, request_id);
        let ends = run.clock.publishing_ends();
        let publishing = async {
            match timeout_at(ends, self.sns.publish(&notification)).await {
                Ok(published) => published,
                Err(_) => Err(CallError {
                    action: "sns:Publish".to_owned(),
                    meaning: Meaning::Unreachable,
                    code: None,
                    message: "the time of the invocation ended before SNS answered".to_owned(),
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

    /// Publishes what other runs owe.
    async fn settle_due(
        &self,
        run: &mut Run<'_, E>,
        work: &Work,
        report: &Report,
        request_id: &str,
        settled: &mut Vec<String>,
    ) -> Result<(), CallError> {
        for (number, owed) in work.due.iter().enumerate() {
            let report = owed_report(owed, report);
            self.publish(run, &report, &format!("{request_id}-{number}")).await?;
            settled.push(owed.debt.key.clone());
        }
        Ok(())
    }

    /// Removes the tags that are settled, and hands over the debt that is not.
    async fn clean_up(&self, run: &mut Run<'_, E>, mut settled: Vec<String>, unsettled: Option<Debt>) {
        let ends = run.clock.publishing_ends();
        let interface = &self.config.interface_id;
        // A note that names a later end than this run's is another run's by now, and stays as it is.
        let seen = run.interface().map(|interface| Marks::read(&interface.tags)).unwrap_or_default().debts;
        let is_others = |debt: &Debt| {
            seen.iter().any(|seen| seen.key == debt.key && seen.busy_until > Some(run.clock.cut_off_at()))
        };
        if let Some(debt) = &unsettled {
            settled.retain(|key| *key != debt.key);
        }
        if let Some(debt) = unsettled.filter(|debt| !is_others(debt)) {
            let notes = BTreeMap::from([(debt.key.clone(), tag_value(&debt.value()))]);
            // If this fails, the debt stays as it is, and is settled once this run's time is certainly over.
            let _ =
                timeout_at(ends, run.step(Step::HandOverDebt, &debt.key, self.ec2.write_tags(interface, &notes))).await;
        }
        if !settled.is_empty() {
            let removing = run.step(Step::SettleDebt, settled.join(" "), self.ec2.delete_tags(interface, &settled));
            if let Ok(Err(error)) = timeout_at(ends, removing).await {
                let finding = run.advisor().mark_not_removed(&error);
                run.findings.push(finding);
            }
        }
    }

    /// Puts the report together. The findings of the checks join those of the run.
    pub(crate) fn report(
        &self,
        run: &mut Run<'_, E>,
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
        run.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let checks = checked.as_ref().map_or(Checks::NOT_CHECKED, Checked::results);
        Report {
            schema_version: SCHEMA_VERSION,
            outcome: verdict.outcome,
            reason: verdict.reason.to_owned(),
            summary: verdict.summary,
            trigger,
            expected_to_work: self.expectation(run.observation.as_ref(), &run.findings),
            token_server: TokenServer::new(&self.config, run.observation.as_ref()),
            movement: verdict.movement,
            steps: run.steps.clone(),
            checks: before.map_or(checks, |before| after_repairs(before, checks)),
            findings: run.findings.clone(),
        }
    }

    /// Whether clients can be expected to get licenses, by what EC2 says and what was found.
    fn expectation(&self, observation: Option<&Observation>, findings: &[Finding]) -> Expectation {
        let Some(observation) = observation else { return Expectation::Unknown };
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
        let critical = findings.iter().any(|finding| finding.severity == Severity::Critical);
        match (&holder.state, &holder.status_checks) {
            (InstanceState::Running, Reading::Known(StatusChecks::Impaired)) => Expectation::No,
            (InstanceState::Running, _) if !critical => Expectation::Yes,
            (InstanceState::Pending, _) if !critical => Expectation::Unknown,
            _ => Expectation::No,
        }
    }
}

/// The report that another run owed. Whether the detach was forced, and how long it took, nobody knows anymore.
fn owed_report(owed: &Owed, report: &Report) -> Report {
    let Owed { debt, to, attachment_id } = owed;
    let when =
        debt.started.map_or_else(String::new, |started| format!(" at {}", started.format("%Y-%m-%d %H:%M:%S UTC")));
    let (outcome, summary, movement) = match &debt.change {
        Change::Move { from, .. } if from.as_ref() == Some(to) => {
            let summary = format!(
                "A move that began{when} was not completed: the interface is back on {to}. The run that tried it could not \
                 report it."
            );
            (Outcome::Failed, summary, None)
        }
        Change::Move { from, .. } => {
            let summary = format!(
                "The license interface moved from {} to {to}. The move began{when}; the run that made it could not report it.",
                place(from.as_ref())
            );
            let movement = Movement {
                from: from.clone(),
                to: to.clone(),
                attachment_id: attachment_id.clone(),
                forced: None,
                standby_started: None,
                duration_ms: None,
            };
            (Outcome::Moved, summary, Some(movement))
        }
        Change::Repair { what } => {
            let summary = format!(
                "Repairs that began{when} ({}) may have been made; the run that began them could not report it. See the checks.",
                what.join(", ")
            );
            (Outcome::Repaired, summary, None)
        }
    };
    let reason = "report-was-owed".to_owned();
    Report { outcome, reason, summary, movement, steps: Vec::new(), ..report.clone() }
}

/// Where the interface was, in words.
pub(crate) fn place(instance: Option<&InstanceId>) -> String {
    instance.map_or_else(|| "nothing".to_owned(), ToString::to_string)
}

fn kept_summary(reason: KeepReason, holder: Option<&InstanceId>) -> String {
    let holder = place(holder);
    match reason {
        KeepReason::HolderHealthy => format!("{holder} runs and has the interface. Nothing had to be done."),
        KeepReason::HolderStarting => format!("{holder} is starting and has the interface. Nothing was done."),
        KeepReason::StatusChecksUnreadable => {
            format!("{holder} runs and has the interface, but its status checks could not be read. Nothing was done.")
        }
        KeepReason::HolderStateUnknown => {
            format!("{holder} has the interface and is in a state that this version does not know. Nothing was done.")
        }
        KeepReason::EventOutdated => {
            format!(
                "The event says that {holder} fails, but EC2, asked repeatedly, says that it runs. Nothing was done."
            )
        }
        KeepReason::AlreadyOnTarget => format!("{holder} has the interface already. Nothing had to be done."),
    }
}
