//! The conductor: one invocation from its payload to its report.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use crate::checks::{Checked, Checks, Repair, repairs};
use crate::cloud::{CallError, Ec2, Meaning, Sns};
use crate::config::Config;
use crate::event::{Concern, Intent, Parsed, Request, RequestError, Trigger, TriggerKind, concern, parse};
use crate::findings::{Finding, Severity};
use crate::ids::{AttachmentId, InstanceId};
use crate::marks::{Change, Debt, MOVES, Marks, REFUSED, Standing, standings, tag_value};
use crate::notification::Notification;
use crate::observation::{AttachmentStatus, InstanceState, NetworkInterface, Observation, Reading, StatusChecks};
use crate::plan::{Action, Decision, KeepReason, Move, MoveCause, Refusal, Standby, plan};
use crate::relocation::Relocated;
use crate::repair::after_repairs;
use crate::report::{Expectation, Movement, Outcome, Report, SCHEMA_VERSION, Step, StepRecord, TokenServer};
use crate::run::{Clock, Record, Recorder, Run, pause_after_look};

/// One invocation of the function.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The document.
    pub payload: Value,
    /// Lambda's id of the invocation.
    pub request_id: String,
    /// The time of day at which it began.
    pub received_at: DateTime<Utc>,
    /// When Lambda cuts it off.
    pub deadline: Instant,
}

/// An invocation that failed: trying it again can help, or it was a malformed request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// An operator's request could not be understood.
    #[error(transparent)]
    InvalidRequest(#[from] RequestError),
    /// EC2 throttled the function for longer than it retried.
    #[error(
        "EC2 throttles the function, so it was not looked at anything and nothing was changed ({0}); it will be tried again"
    )]
    Ec2Throttled(CallError),
    /// EC2 did not answer.
    #[error("EC2 could not be reached, so nothing was changed ({0}); it will be tried again")]
    Ec2Unreachable(CallError),
    /// The invocation's time ended before the work did.
    #[error("the time of the invocation ended: {summary}; the next run takes it up from what EC2 says then")]
    DeadlineReached {
        /// What the report says.
        summary: String,
    },
    /// The interface is attached to nothing.
    #[error("the license interface is attached to nothing: {summary}; it will be tried again")]
    InterfaceNotAttached {
        /// What the report says.
        summary: String,
    },
    /// The report could not be published.
    #[error("the report could not be published ({error}); it is owed and will be published by the next run: {summary}")]
    NotificationNotPublished {
        /// Why.
        error: CallError,
        /// What the report says.
        summary: String,
    },
}

impl Failure {
    /// The stable name that alarms and retry rules can rely on.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "InvalidRequest",
            Self::Ec2Throttled(_) => "Ec2Throttled",
            Self::Ec2Unreachable(_) => "Ec2Unreachable",
            Self::DeadlineReached { .. } => "DeadlineReached",
            Self::InterfaceNotAttached { .. } => "InterfaceNotAttached",
            Self::NotificationNotPublished { .. } => "NotificationNotPublished",
        }
    }
}

/// The function: a configuration, and the doors to EC2 and SNS. It serves any number of invocations.
pub struct Failover<E, S> {
    config: Config,
    ec2: E,
    sns: S,
    recorder: Box<Recorder>,
    /// The refusal that was published last by this process. It stands in for the tag where there is no interface to carry
    /// one, so that a lost interface is not reported every minute.
    refused: Mutex<Option<String>>,
}

/// What the work came to.
enum Ending {
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
struct Work {
    ending: Option<Ending>,
    standbys: Vec<Standby>,
    /// The checks before anything was mended.
    checks: Option<Checks>,
    /// What was to be repaired, and what of it was.
    to_repair: Vec<&'static str>,
    repaired: Vec<&'static str>,
    /// The debt that this run has written.
    noted: Option<Debt>,
    /// Until when the run whose debt this one took over may still publish.
    others_busy_until: Option<DateTime<Utc>>,
    /// The debts of other runs that are due.
    due: Vec<Owed>,
    /// Tags that mean nothing anymore.
    obsolete: Vec<String>,
    /// The refusal that the interface remembers.
    remembered_refusal: Option<String>,
}

impl Work {
    /// Whether another run has moved the interface and died before it was done.
    fn owes_a_move(&self) -> bool {
        self.due.iter().any(|owed| matches!(owed.debt.change, Change::Move { .. }))
    }
}

/// A report that another run owes.
struct Owed {
    debt: Debt,
    /// Where the interface went, and by which attachment, as far as that is known.
    to: InstanceId,
    attachment_id: Option<AttachmentId>,
}

/// A report before its details: outcome, reason, summary, move.
struct Verdict {
    outcome: Outcome,
    reason: &'static str,
    summary: String,
    movement: Option<Movement>,
}

impl<E: Ec2, S: Sns> Failover<E, S> {
    /// A function with this configuration. `recorder` is told what happens, while it happens.
    pub fn new(config: Config, ec2: E, sns: S, recorder: Box<Recorder>) -> Self {
        Self { config, ec2, sns, recorder, refused: Mutex::new(None) }
    }

    /// Serves one invocation.
    ///
    /// # Errors
    ///
    /// Only where trying again can help, and for a malformed request. Everything else is a report.
    pub async fn handle(&self, invocation: Invocation) -> Result<Report, Failure> {
        let clock = Clock::new(invocation.received_at, invocation.deadline);
        let mut run = Run::new(&self.config, &self.ec2, clock, &*self.recorder);
        let request = match parse(&invocation.payload)? {
            Parsed::Request(request) => request,
            Parsed::Ignored { trigger, reason, detail } => {
                let summary = format!("The document was ignored: {detail}.");
                let verdict = Verdict { outcome: Outcome::Ignored, reason: reason.code(), summary, movement: None };
                return Ok(self.report(&mut run, verdict, trigger, None));
            }
        };
        if concern(&self.config, &request) == Concern::NotAMember {
            let named = request.trigger.instance_id.as_deref().unwrap_or("The instance");
            let summary = format!("{named} is no member of this token server, so nothing was looked at.");
            let verdict = Verdict { outcome: Outcome::NoAction, reason: "not-a-member", summary, movement: None };
            return Ok(self.report(&mut run, verdict, request.trigger, None));
        }
        if request.dry_run {
            return Box::pin(self.rehearse(&mut run, request)).await;
        }
        let mut work = Work::default();
        // The boxes keep the size of this future, which holds those of all the SDK's calls, within what the compiler follows.
        let worked = timeout_at(clock.work_ends(), Box::pin(self.work(&mut run, &mut work, &request.intent))).await;
        if let Ok(Err(failure)) = worked {
            return Err(failure);
        }
        Box::pin(self.conclude(run, work, request.trigger, &invocation.request_id)).await
    }

    /// Answers what would be done, and changes nothing.
    async fn rehearse(&self, run: &mut Run<'_, E>, request: Request) -> Result<Report, Failure> {
        let ends = run.clock.work_ends();
        let rehearsal = async {
            let (action, standbys) = self.look_and_plan(run, &request.intent, false).await;
            run.read_reachability().await;
            (action, standbys)
        };
        let Ok((action, standbys)) = timeout_at(ends, rehearsal).await else {
            return Err(Failure::DeadlineReached { summary: "nothing was changed".to_owned() });
        };
        let (reason, summary, movement) = match action {
            Action::CannotTell(error) if error.is_transient() => return Err(unreadable(error)),
            Action::Move(planned) => {
                run.steps = planned_steps(&planned);
                let target = planned.targets.first;
                let from = planned.from.and_then(|from| from.instance_id);
                let to = target.attach.instance_id;
                let summary =
                    format!("The interface would move from {} to {to}. Nothing was changed.", place(from.as_ref()));
                let (attachment_id, forced, duration_ms) = (None, None, None);
                let standby_started = Some(target.start);
                let movement = Movement { from, to, attachment_id, forced, standby_started, duration_ms };
                (planned.cause.code(), summary, Some(movement))
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
        run: &mut Run<'_, E>,
        refusal: &Refusal,
        standbys: &[Standby],
    ) -> (&'static str, String, Option<Movement>) {
        run.findings.extend(run.advisor().refusal(refusal, standbys));
        (refusal.code(), format!("The move would be refused ({}). Nothing was changed.", refusal.code()), None)
    }

    /// Everything that needs EC2: look, plan, move, mend.
    async fn work(&self, run: &mut Run<'_, E>, work: &mut Work, intent: &Intent) -> Result<(), Failure> {
        let (action, standbys) = self.look_and_plan(run, intent, true).await;
        work.standbys = standbys;
        run.before = run.interface().cloned();
        self.read_marks(run, work);
        let ending = match action {
            Action::CannotTell(error) if error.is_transient() => return Err(unreadable(error)),
            Action::CannotTell(error) => Ending::Refused(Refusal::from_error(error)),
            Action::Refuse(refusal) => Ending::Refused(refusal),
            Action::Keep { reason } => Ending::Kept(reason),
            Action::Move(planned) => self.relocate(run, work, &planned).await,
        };
        let mends = match &ending {
            Ending::Moved(..) => true,
            Ending::Kept(_) => intent.mends() || run.is_doomed() && work.owes_a_move(),
            _ => false,
        };
        // An event about a healthy token server costs one wave of reads; everything else looks at the rest as well.
        let looks_further = mends || !matches!(ending, Ending::Kept(_) | Ending::MovedByAnotherRun(_));
        work.ending = Some(ending);
        let has_looked = run.observation.as_ref().is_some_and(|observation| observation.reachability.is_some());
        if looks_further && !has_looked {
            run.read_reachability().await;
        }
        if mends {
            self.mend(run, work).await;
        }
        Ok(())
    }

    /// Reads EC2 until it tells a story that can be acted upon, or the time for that is over. Without `patience` the first
    /// answer is acted upon.
    async fn look_and_plan(&self, run: &mut Run<'_, E>, intent: &Intent, patience: bool) -> (Action, Vec<Standby>) {
        let began = Instant::now();
        loop {
            let last_chance = Instant::now() + pause_after_look(began.elapsed()) >= run.clock.work_ends();
            let looked_for = if last_chance || !patience { Duration::MAX } else { began.elapsed() };
            let observation = run.observe().await;
            let plan = plan(&self.config, observation, intent, looked_for);
            run.record(Record::Planned(&plan));
            match plan.decision {
                Decision::Act(action) => return (action, plan.standbys),
                Decision::LookAgain { .. } => sleep(pause_after_look(began.elapsed())).await,
            }
        }
    }

    /// Sorts what the interface remembers.
    fn read_marks(&self, run: &Run<'_, E>, work: &mut Work) {
        let Some(interface) = run.interface() else { return };
        let marks = Marks::read(&interface.tags);
        work.remembered_refusal = marks.refused;
        let holder = interface.attachment.as_ref();
        for (debt, standing, to) in standings(marks.debts, run.clock.now(), interface, &self.config.members) {
            match (standing, to) {
                (Standing::Busy | Standing::Open, _) | (Standing::Due, None) => {}
                (Standing::Due, Some(to)) => {
                    let holder = holder.filter(|holder| holder.instance_id.as_ref() == Some(&to));
                    work.due.push(Owed { debt, attachment_id: holder.map(|holder| holder.id.clone()), to });
                }
                (Standing::Void, _) => work.obsolete.push(debt.key),
            }
        }
    }

    /// Carries out a move, with the note of the debt before the first change.
    async fn relocate(&self, run: &mut Run<'_, E>, work: &mut Work, planned: &Move) -> Ending {
        let marks = run.interface().map(|interface| Marks::read(&interface.tags)).unwrap_or_default();
        let target = &planned.targets.first.attach.instance_id;
        let new = Debt::of_move(planned.from.as_ref(), target, run.clock.now(), run.clock.cut_off_at());
        // An interface that is attached to nothing may be in the middle of a move that another run began. Then this is the
        // same move, and the other run's note, the last of them, says where it began.
        let begun = marks.debts.iter().filter(|_| planned.from.is_none());
        let begun = begun.filter(|debt| matches!(debt.change, Change::Move { departed: Some(_), .. }));
        let begun = begun.max_by_key(|debt| debt.started).cloned();
        let debt = match begun {
            Some(Debt { key, change: Change::Move { departed, from, .. }, busy_until, .. }) => {
                // The other run may still be at work, and publish; until then nobody else does.
                work.others_busy_until = busy_until;
                let change = Change::Move { departed, from, to: Some(target.clone()) };
                Debt { key, change, busy_until: busy_until.max(new.busy_until), ..new }
            }
            _ => new,
        };
        let left = match &debt.change {
            Change::Move { from, .. } => from.clone(),
            Change::Repair { .. } => None,
        };
        if let Err(error) = self.prepare(run, planned, &debt).await {
            work.obsolete.push(debt.key);
            return Ending::Refused(Refusal::PermissionDenied(error));
        }
        work.noted = Some(debt);
        let relocated = run.relocate(planned, left).await;
        let has_left = !matches!(relocated, Relocated::Refused(_) | Relocated::ByAnotherRun(_));
        if planned.counts && has_left {
            // If this fails, the limit counts one move less, which errs on the side of the token server.
            let moves = BTreeMap::from([(MOVES.to_owned(), marks.moves_with(run.clock.now()))]);
            let written = self.ec2.write_tags(&planned.interface_id, &moves);
            let _ = run.step(Step::CountMove, MOVES, written).await;
        }
        match relocated {
            Relocated::Moved(movement) => Ending::Moved(movement, planned.cause),
            Relocated::ByAnotherRun(to) => {
                // The other run publishes this move. Its note and this run's are the same tag, which stays until it has.
                work.noted = None;
                Ending::MovedByAnotherRun(to)
            }
            Relocated::Refused(refusal) => Ending::Refused(refusal),
            Relocated::Returned(to) => Ending::Returned(to),
            Relocated::NotStarted(movement) => Ending::NotStarted(movement),
            Relocated::Stranded => Ending::Stranded,
        }
    }

    /// Notes the debt and asks for permission, both at once and both before anything is changed.
    async fn prepare(&self, run: &mut Run<'_, E>, planned: &Move, debt: &Debt) -> Result<(), CallError> {
        let notes = BTreeMap::from([(debt.key.clone(), tag_value(&debt.value()))]);
        let target = &planned.targets.first;
        let ec2 = &self.ec2;
        let noting = run.begin(Step::NoteDebt, &debt.key);
        let asking = run.begin(Step::CheckPermission, &target.attach.instance_id);
        let may_start = async { if target.start { ec2.may_start(&target.attach.instance_id).await } else { Ok(()) } };
        let (noted, may_attach, may_start) =
            future::join3(ec2.write_tags(&planned.interface_id, &notes), ec2.may_attach(&target.attach), may_start)
                .await;
        // Only a denial counts. Anything else that EC2 has against the attach now, such as that the interface is still in
        // use, is what the move itself deals with.
        let denied = [may_attach, may_start]
            .into_iter()
            .find_map(|asked| asked.err().filter(|error| error.meaning == Meaning::Denied));
        run.end(noting, noted.as_ref().err());
        run.end(asking, denied.as_ref());
        if let Some(error) = denied {
            return Err(error);
        }
        // The token server waits for its interface. A note that cannot be written costs a report only if this run also dies
        // before it publishes, so the move goes on and says what it lacks.
        if let Err(error) = noted {
            let finding = run.advisor().mark_not_written(&error);
            run.findings.push(finding);
        }
        Ok(())
    }

    /// Mends what is wrong and may be mended, and looks again.
    async fn mend(&self, run: &mut Run<'_, E>, work: &mut Work) {
        let (Some(checked), Some(interface)) = (run.check(), run.interface().cloned()) else { return };
        work.checks = Some(checked.results());
        let mut needed = repairs(&self.config, &interface, &checked);
        // Whoever completes the move of a run that died sets the flag as that run would have, whatever the settings allow.
        if let Some(attachment) = checked.deletes_on_termination.clone().filter(|_| work.owes_a_move()) {
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
        // After a move the move's own note covers the repairs. Otherwise they get one, and are not begun without it: they
        // can wait for a run that can write.
        if work.noted.is_none() {
            let what = work.to_repair.iter().map(|what| (*what).to_owned()).collect();
            let debt = Debt::of_repairs(what, run.clock.now(), run.clock.cut_off_at());
            let notes = BTreeMap::from([(debt.key.clone(), tag_value(&debt.value()))]);
            if let Err(error) = run.step(Step::NoteDebt, &debt.key, self.ec2.write_tags(&interface.id, &notes)).await {
                let consequence = "A repair could not be noted on the interface first, so it was not begun.";
                let finding =
                    run.advisor().call_failed("repair-failed", Severity::Critical, &interface.id, consequence, &error);
                run.findings.push(finding);
                return;
            }
            work.noted = Some(debt);
        }
        for repair in &needed {
            if run.mend(repair).await {
                work.repaired.push(repair.setting());
            }
        }
        work.repaired.dedup();
        // Something is only said to be mended once EC2 says so.
        if run.look().await.is_ok() {
            run.read_reachability().await;
        }
    }

    /// Writes the report, publishes it if it is due, and settles what was owed.
    async fn conclude(
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
    fn report(&self, run: &mut Run<'_, E>, verdict: Verdict, trigger: Trigger, before: Option<Checks>) -> Report {
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

/// What a transient error of a read means for the invocation.
fn unreadable(error: CallError) -> Failure {
    if error.meaning == Meaning::Throttled { Failure::Ec2Throttled(error) } else { Failure::Ec2Unreachable(error) }
}

fn place(instance: Option<&InstanceId>) -> String {
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

/// The steps of a move, for a report of what would be done.
fn planned_steps(planned: &Move) -> Vec<StepRecord> {
    let target = &planned.targets.first;
    let attach = format!("{} to {}", planned.interface_id, target.attach.instance_id);
    let instance = target.attach.instance_id.to_string();
    let mut steps = vec![(Step::NoteDebt, planned.interface_id.to_string()), (Step::CheckPermission, instance.clone())];
    if let Some(from) = &planned.from {
        steps.extend([(Step::Detach, from.id.to_string()), (Step::AwaitDetached, from.id.to_string())]);
    }
    steps.extend([(Step::Attach, attach.clone()), (Step::AwaitAttached, attach)]);
    if target.start {
        steps.extend([(Step::StartInstance, instance.clone()), (Step::AwaitRunning, instance)]);
    }
    steps.extend([(Step::Publish, "the report".to_owned()), (Step::SettleDebt, planned.interface_id.to_string())]);
    steps.into_iter().map(|(step, resource)| StepRecord::planned(step, resource)).collect()
}
