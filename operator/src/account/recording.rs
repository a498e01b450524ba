//! Collects what an exercise sees.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::NaiveDate;
use token_failover::act::run::Record;
use token_failover::model::change::Change;
use token_failover::model::error::{CallError, Meaning};
use token_failover::model::ids::{AttachmentId, InstanceId};
use token_failover::model::observation::{
    AttachmentStatus, Instance, InstanceState, NetworkInterface, Observation, Reading, StatusChecks,
};
use token_failover::model::readiness::Readiness;
use token_failover::model::report::{Step, StepRecord, StepResult};

use super::assumption::{Assumption, Evidence};
use super::course::{Ask, Course, Lives, Measured, is_in_between};
use super::document::{Document, Figures, Refused, SCHEMA_VERSION, Timings};

/// What an exercise sees of an account. `at` is always the time since the start of the exercise, on one clock for all
/// feeds, and never goes back.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    course: Course,
    lives: Lives,
    measured: Measured,
    calls: Vec<Duration>,
    commands: Vec<Duration>,
    evidence: BTreeMap<Assumption, Evidence>,
    errors: BTreeMap<(String, Option<String>, Option<String>, bool), u64>,
    /// The resource of the step that is being taken.
    step: Option<(Step, String)>,
    command_sent: Option<Duration>,
    /// The device indexes that were taken when the members were last read.
    taken: BTreeSet<(InstanceId, i32)>,
}

impl Recording {
    /// A recording that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A run of this process records something: call this in the closure that `Failover::new` takes, for every record.
    pub fn record(&mut self, at: Duration, record: Record<'_>) {
        match record {
            Record::Requested(..) | Record::Planned(..) | Record::Probed(_) | Record::LicenseChecked(_) => {}
            Record::Observed(observation) => self.observed(at, observation),
            Record::Looked(interface) => self.saw_interface(at, interface),
            Record::Audited(readiness) => self.audited(readiness),
            Record::Begun(step, resource) => self.begun(at, step, resource),
            Record::Failed(step, error) => self.step_failed(step, error),
            Record::Ended(step) => self.ended(at, step),
        }
    }

    /// The command has read the license interface, while the deployed function does the work. The more often, the better: about
    /// every 150 ms.
    pub fn saw_interface(&mut self, at: Duration, interface: &NetworkInterface) {
        let shown = self.course.see(at, interface, &mut self.measured);
        self.note(Assumption::StatusShowsPhases, shown.phase_in_status);
        self.note(Assumption::AttachDeletesOnTermination, shown.deletes_on_termination);
    }

    /// The command has read a member, as often as the interface. Its state counts, and its status checks do not: see
    /// [`saw_checks`](Self::saw_checks).
    pub fn saw_instance(&mut self, at: Duration, instance: &Instance) {
        self.saw_state(at, &instance.id, &instance.state);
    }

    /// The command has read the status checks of a member, every few seconds until they pass.
    pub fn saw_checks(&mut self, at: Duration, instance: &InstanceId, checks: StatusChecks) {
        self.lives.see_checks(at, instance, checks, &mut self.measured);
    }

    /// The command sends StopInstances now.
    pub fn asked_to_stop(&mut self, at: Duration, instance: &InstanceId) {
        self.lives.asked_to_stop(at, instance);
    }

    /// The command sends StartInstances now.
    pub fn asked_to_start(&mut self, at: Duration, instance: &InstanceId) {
        self.lives.asked_to_start(at, instance);
    }

    /// A call that the command itself made, such as a poll, has succeeded after this time.
    pub fn called(&mut self, took: Duration) {
        self.calls.push(took);
    }

    /// A call that the command itself made has failed. `about`: the instance that it named.
    pub fn call_failed(&mut self, error: &CallError, about: Option<&InstanceId>) {
        self.count(error, about, false);
    }

    /// The document, with the day of the exercise in UTC.
    pub fn document(&self, day: NaiveDate) -> Document {
        let assumed = |assumption: Assumption| {
            let evidence = self.evidence.get(&assumption).copied().unwrap_or_default();
            (assumption.name(), assumption.assumed(evidence))
        };
        let refused = |((action, code, instance_state, dry_run), count): (&(String, _, _, bool), &u64)| Refused {
            action: action.clone(),
            code: Option::clone(code),
            instance_state: Option::clone(instance_state),
            dry_run: *dry_run,
            count: *count,
        };
        Document {
            schema_version: SCHEMA_VERSION,
            program: concat!("token-failover ", env!("CARGO_PKG_VERSION")),
            day,
            assumptions: Assumption::ALL.into_iter().map(assumed).collect(),
            timings_ms: Timings {
                call: Figures::of(&self.calls),
                detach: Figures::of(&self.measured.detach),
                attach: Figures::of(&self.measured.attach),
                stop: Figures::of(&self.measured.stop),
                boot: Figures::of(&self.measured.boot),
                checks: Figures::of(&self.measured.checks),
                command: Figures::of(&self.commands),
            },
            errors: self.errors.iter().map(refused).collect(),
        }
    }

    fn note(&mut self, assumption: Assumption, so: Option<bool>) {
        if let Some(so) = so {
            self.evidence.entry(assumption).or_default().add(so);
        }
    }

    fn observed(&mut self, at: Duration, observation: &Observation) {
        if let Some(interface) = observation.interface() {
            self.saw_interface(at, interface);
        }
        for instance in observation.instances.known().into_iter().flatten() {
            self.saw_state(at, &instance.id, &instance.state);
            if let Reading::Known(checks) = &instance.status_checks {
                self.saw_checks(at, &instance.id, *checks);
            }
            self.taken.retain(|(id, _)| *id != instance.id);
            let on_card = instance.interfaces.iter().filter(|interface| interface.network_card_index == 0);
            self.taken.extend(on_card.map(|interface| (instance.id.clone(), interface.device_index)));
        }
    }

    fn saw_state(&mut self, at: Duration, instance: &InstanceId, state: &InstanceState) {
        self.lives.see(at, instance, state, &mut self.measured);
        let so = self.course.left_in_between(at, instance, &self.lives);
        self.note(Assumption::DetachInEveryState, so);
    }

    fn begun(&mut self, at: Duration, step: Step, resource: &str) {
        match step {
            Step::Detach => self.course.ask(at, Ask::Detach),
            Step::ForceDetach => self.course.ask(at, Ask::ForceDetach),
            Step::Attach => self.course.ask(at, Ask::Attach),
            Step::KeepOnTermination => self.course.deletion_set(),
            Step::StartInstance => {
                if let Ok(instance) = resource.parse() {
                    self.lives.asked_to_start(at, &instance);
                }
            }
            Step::Activate => self.command_sent = Some(at),
            _ => {}
        }
        self.step = Some((step, resource.to_owned()));
    }

    fn ended(&mut self, at: Duration, record: &StepRecord) {
        if record.result != StepResult::Done {
            return;
        }
        match record.step {
            // Each of these is a single call.
            Step::Detach
            | Step::ForceDetach
            | Step::Attach
            | Step::KeepOnTermination
            | Step::StartInstance
            | Step::DisassociateAddress
            | Step::AssociateAddress
            | Step::AuthorizeIngress
            | Step::NoteArrival => self.calls.push(Duration::from_millis(record.duration_ms)),
            Step::AwaitRunning => {
                if let Ok(instance) = record.resource.parse() {
                    self.saw_state(at, &instance, &InstanceState::Running);
                }
            }
            Step::AwaitActivation => {
                self.commands.extend(self.command_sent.take().map(|sent| at.saturating_sub(sent)));
            }
            _ => {}
        }
    }

    fn step_failed(&mut self, step: Step, error: &CallError) {
        // These repeat the error of an earlier step, or say only that nothing came.
        if matches!(step, Step::AwaitDetached | Step::AwaitAttached | Step::AwaitRunning) {
            return;
        }
        let resource = self.step.take().filter(|(begun, _)| *begun == step).map(|(_, resource)| resource);
        let resource = resource.unwrap_or_default();
        let about = match step {
            Step::Detach | Step::ForceDetach => {
                let attachment = AttachmentId::new(resource);
                self.detach_failed(&attachment, error);
                let present = self.course.attachment().filter(|present| present.id == attachment);
                present.and_then(|present| present.instance_id.clone())
            }
            // The resource is the interface and the instance: see `Run::ask_for_attach`.
            Step::Attach => resource.rsplit(' ').next().and_then(|id| id.parse().ok()),
            _ => resource.parse().ok(),
        };
        if step == Step::Attach {
            self.attach_failed(about.as_ref(), error);
        }
        self.count(error, about.as_ref(), false);
        // The call may have taken effect if no answer came.
        let ask = match step {
            Step::Detach => Ask::Detach,
            Step::ForceDetach => Ask::ForceDetach,
            Step::Attach => Ask::Attach,
            _ => return,
        };
        if error.meaning != Meaning::Unreachable {
            self.course.refused(ask);
        }
    }

    fn detach_failed(&mut self, attachment: &AttachmentId, error: &CallError) {
        if self.course.is_gone(attachment) {
            let so = match error.code.as_deref() {
                Some("UnauthorizedOperation") => Some(true),
                Some("InvalidAttachmentID.NotFound") => Some(false),
                _ => None,
            };
            self.note(Assumption::GoneAttachmentIsUnauthorized, so);
            return;
        }
        let present = self.course.attachment();
        // An attachment that is still attaching is another reason to refuse.
        let is_attached = present.is_some_and(|present| present.status == AttachmentStatus::Attached);
        let holder = present.and_then(|present| present.instance_id.as_ref());
        let is_wrong = holder.and_then(|holder| self.lives.state(holder)).is_some_and(is_in_between);
        if is_attached && is_wrong && error.meaning == Meaning::WrongState {
            self.note(Assumption::DetachInEveryState, Some(false));
            self.note(Assumption::WrongStateIsIncorrectInstanceState, code_of_wrong_state(error));
        }
    }

    fn attach_failed(&mut self, target: Option<&InstanceId>, error: &CallError) {
        let is_wrong = target.and_then(|target| self.lives.state(target)).is_some_and(is_in_between);
        if is_wrong && error.meaning == Meaning::WrongState {
            self.note(Assumption::WrongStateIsIncorrectInstanceState, code_of_wrong_state(error));
        }
        if error.meaning == Meaning::InUse {
            self.note(Assumption::InUseIsInvalidValue, Some(false));
        }
    }

    /// An audit asks with `DryRun` for the attach to every standby, and for the detach from the holder, while the interface is
    /// in use.
    fn audited(&mut self, readiness: &Readiness) {
        for permission in &readiness.permissions {
            let about = match &permission.change {
                Change::Attach(attach) => Some(attach.instance_id.clone()),
                Change::Start(instance) => Some(instance.clone()),
                Change::Detach(_) => self.course.attachment().and_then(|present| present.instance_id.clone()),
                _ => None,
            };
            if let Reading::Unreadable(error) = &permission.answer {
                self.count(error, about.as_ref(), true);
            }
            let Change::Attach(attach) = &permission.change else { continue };
            let holder = self.course.attachment().and_then(|present| present.instance_id.as_ref());
            if holder.is_none_or(|holder| *holder == attach.instance_id) {
                continue;
            }
            let is_index_free = !self.taken.contains(&(attach.instance_id.clone(), i32::from(attach.device_index)));
            match &permission.answer {
                Reading::Known(()) => self.note(Assumption::DryRunNeedsState, Some(false)),
                Reading::Unreadable(error) => match error.code.as_deref() {
                    Some("InvalidNetworkInterface.InUse") => {
                        self.note(Assumption::DryRunNeedsState, Some(true));
                        self.note(Assumption::InUseIsInvalidValue, Some(false));
                    }
                    // The code also stands for a device index that is taken.
                    Some("InvalidParameterValue") if is_index_free => {
                        self.note(Assumption::DryRunNeedsState, Some(true));
                        self.note(Assumption::InUseIsInvalidValue, Some(true));
                    }
                    _ => {}
                },
            }
        }
    }

    /// Counts an error of a service. Only what has the form of AWS's own words is kept.
    fn count(&mut self, error: &CallError, about: Option<&InstanceId>, dry_run: bool) {
        // A wait that ended without an answer of a service is no error of a service.
        if error.code.is_none() && !error.is_transient() {
            return;
        }
        let action = if is_action(&error.action) { error.action.clone() } else { "other".to_owned() };
        let code = error.code.as_ref().map(|code| if is_code(code) { code.clone() } else { "other".to_owned() });
        let state = about.and_then(|about| self.lives.state(about));
        let state = state.filter(|state| !matches!(state, InstanceState::Other(_))).map(ToString::to_string);
        *self.errors.entry((action, code, state, dry_run)).or_default() += 1;
    }
}

fn code_of_wrong_state(error: &CallError) -> Option<bool> {
    match error.code.as_deref() {
        Some("IncorrectInstanceState") => Some(true),
        Some("IncorrectState") => Some(false),
        _ => None,
    }
}

/// Whether a string has the form of an IAM action that the program uses.
fn is_action(text: &str) -> bool {
    text.split_once(':').is_some_and(|(service, action)| {
        matches!(service, "ec2" | "autoscaling" | "sns" | "ssm")
            && action.len() <= 64
            && action.bytes().all(|byte| byte.is_ascii_alphabetic())
    })
}

/// Whether a string has the form of an error code of AWS, such as `InvalidAttachmentID.NotFound` or `EC2ThrottledException`:
/// words of letters, with a dot between them and at most one digit. No id, address, ARN or account has this form.
fn is_code(text: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_uppercase())
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    text.len() <= 64 && text.split('.').all(is_word) && digits <= 1
}
