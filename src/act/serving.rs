//! Activates the token server, and sees if it serves: it may need an activation, and the function may try its ports and
//! ask the license server.
//!
//! None of this decides where the interface is. The results are only reported.

use crate::act::function::Failover;
use crate::act::prober::{Patience, pause, ports_to_try};
use crate::act::run::{Clock, Record, Run, pause_after_look};
use crate::decide::pending::report::RunName;
use crate::model::command::{Command, CommandState};
use crate::model::config::Activation;
use crate::model::error::{CallError, Meaning};
use crate::model::ids::{AttachmentId, CommandId, InstanceId};
use crate::model::license_check::{CheckedLicense, LicenseCheck};
use crate::model::observation::{Attachment, AttachmentStatus, OLDEST_ANSWER};
use crate::model::report::{ActivationRecord, ActivationResult, Step, milliseconds};
use crate::ports::{Ports, Ssm};
use crate::tell::license_check;
use futures_util::future;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// How long a command may take on the instance. Starting a daemon takes seconds.
const ACTIVATION_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the agent of an instance may be unknown to Systems Manager. It registers within seconds of a boot.
const AGENT_TIMEOUT: Duration = Duration::from_secs(30);

impl<P: Ports> Failover<P> {
    /// Has Systems Manager activate the token server, and waits for the outcome.
    pub(crate) async fn activate(&self, run: &mut Run<'_, P::Ec2>, activation: &Activation, instance: &InstanceId) {
        let began = Instant::now();
        let ends = (began + ACTIVATION_TIMEOUT).min(run.clock.waiting_ends());
        let mut record = ActivationRecord::open(activation, instance);
        // The record exists before the command is sent, because the deadline may come in between.
        run.activation = Some(record.clone());
        let error = match self.send(run, activation, instance, ends).await {
            Ok(command) => {
                record.command_id = Some(command.clone());
                run.activation = Some(record.clone());
                self.await_activation(run, &command, &mut record, ends).await
            }
            // A command without an answer may still have been sent.
            Err(error) => {
                let is_known = error.meaning != Meaning::Unreachable;
                record.result = if is_known { ActivationResult::Failed } else { ActivationResult::Unfinished };
                Some(error)
            }
        };
        record.duration_ms = milliseconds(began.elapsed());
        record.error = error.map(|error| error.to_string());
        run.activation = Some(record);
    }

    /// Sends the command once. A throttled command was not sent and is tried again, and so is a command to an instance
    /// that has just booted and whose agent Systems Manager does not know yet.
    async fn send(
        &self,
        run: &mut Run<'_, P::Ec2>,
        activation: &Activation,
        instance: &InstanceId,
        ends: Instant,
    ) -> Result<CommandId, CallError> {
        let began = Instant::now();
        let command = Command {
            document: &activation.document,
            parameters: &activation.parameters,
            comment: "token-failover: the license interface has come",
        };
        loop {
            let sending = run.step(Step::Activate, instance, self.ssm.send_command(command, instance));
            let Ok(sent) = timeout_at(ends, sending).await else {
                let message = "the invocation ran out of time before Systems Manager answered".to_owned();
                return Err(CallError {
                    meaning: Meaning::Unreachable,
                    ..CallError::gave_up("ssm:SendCommand", message)
                });
            };
            let timeout = match sent.as_ref().err().map(|error| error.meaning) {
                Some(Meaning::Throttled) => ACTIVATION_TIMEOUT,
                Some(Meaning::WrongState) => AGENT_TIMEOUT,
                _ => Duration::ZERO,
            };
            let pause = pause(began.elapsed());
            if began.elapsed() + pause >= timeout || Instant::now() + pause >= ends {
                return sent;
            }
            sleep(pause).await;
        }
    }

    /// Waits for the end of the command. Returns why the command is not known to have succeeded.
    async fn await_activation(
        &self,
        run: &mut Run<'_, P::Ec2>,
        command: &CommandId,
        record: &mut ActivationRecord,
        ends: Instant,
    ) -> Option<CallError> {
        let waiting = run.begin(Step::AwaitActivation, command);
        let ended = timeout_at(ends, self.follow(command, &record.instance_id, &mut record.status)).await;
        let gave_up = |message: String| Some(CallError::gave_up("ssm:GetCommandInvocation", message));
        let error = match ended {
            Ok(Ok(CommandState { succeeded: Some(true), .. })) => {
                record.result = ActivationResult::Done;
                None
            }
            Ok(Ok(CommandState { status, .. })) => {
                record.result = ActivationResult::Failed;
                gave_up(format!("the command ended with the status {status}"))
            }
            Ok(Err(error)) => Some(error),
            Err(_) => gave_up("the command has not finished yet".to_owned()),
        };
        run.end(waiting, error.as_ref());
        error
    }

    /// Asks for the state of the command until it has ended. `status`: its last known status.
    pub(crate) async fn follow(
        &self,
        command: &CommandId,
        instance: &InstanceId,
        status: &mut Option<String>,
    ) -> Result<CommandState, CallError> {
        let began = Instant::now();
        loop {
            match self.ssm.command(command, instance).await {
                Ok(Some(state)) => {
                    *status = Some(state.status.clone());
                    if state.succeeded.is_some() {
                        return Ok(state);
                    }
                }
                Ok(None) => {}
                // A temporary error is tried again. Any other error stays, and says nothing about the command.
                Err(error) if error.is_transient() => {}
                Err(error) => return Err(error),
            }
            sleep(pause(began.elapsed())).await;
        }
    }

    /// Reads EC2 until it shows the interface attached to a running member by another attachment than `departed`, because the first
    /// answers can be old. Then it tries the ports and asks the license server for as long as after a move. It changes nothing and
    /// publishes nothing: the recorder gets the answers.
    pub async fn watch_serving(&self, clock: Clock, departed: &AttachmentId) {
        let mut run = Run::new(&self.config, &self.ec2, clock, &*self.recorder, RunName::new("watch-serving"));
        let began = Instant::now();
        loop {
            run.observe().await;
            let is_new = |it: &Attachment| it.status == AttachmentStatus::Attached && it.id != *departed;
            let is_attached = run.attachment().is_some_and(is_new);
            if is_attached && run.running_member().is_some() || began.elapsed() >= OLDEST_ANSWER {
                break;
            }
            sleep(pause_after_look(began.elapsed())).await;
        }
        self.see_if_served(&mut run, Patience::after_a_move(self.is_inside())).await;
    }

    /// Tries the ports and asks the license server, both at once, if a running or starting member has the interface.
    pub(crate) async fn see_if_served(&self, run: &mut Run<'_, P::Ec2>, patience: Patience) {
        let Some(holder) = run.running_member().cloned() else { return };
        let address = run.interface().and_then(|interface| interface.private_ip_address);
        let ends = run.clock.waiting_ends();
        let ports = ports_to_try(&self.config.ports);
        let probe = self.prober.as_ref().zip(address).map(|(prober, address)| {
            let names: Vec<String> = ports.iter().map(ToString::to_string).collect();
            (prober, address, run.begin(Step::Probe, format!("{address} TCP {}", names.join(","))))
        });
        // While the interface arrives or leaves, the license server cannot serve.
        let is_attached = run.attachment();
        let is_attached = is_attached.is_some_and(|attachment| attachment.status == AttachmentStatus::Attached);
        let asks = is_attached && patience.license_check.is_some();
        let document = self.config.license_check.as_ref().filter(|_| asks);
        let check = document.map(|document| {
            // The check exists before its first answer, because the deadline may come in between.
            run.license_check = Some(LicenseCheck::open(document, &holder));
            (document, run.begin(Step::CheckLicense, &holder))
        });
        let probing = async {
            match &probe {
                Some((prober, address, _)) => {
                    let probes = prober.try_ports((*address).into(), &ports, patience, ends).await;
                    (self.recorder)(Record::Probed(&probes));
                    probes
                }
                None => Vec::new(),
            }
        };
        let checking = async {
            match &check {
                Some((document, _)) => {
                    let checked = self.check_license(document, &holder, patience, ends).await;
                    (self.recorder)(Record::LicenseChecked(&checked));
                    Some(checked)
                }
                None => None,
            }
        };
        let (probes, checked) = future::join(probing, checking).await;
        if let Some((prober, address, step)) = probe {
            run.probes = probes;
            let finding = run.advisor().ports_not_answering(&holder, address, &run.probes, prober.is_inside);
            let failed = finding.as_ref().map(|finding| CallError::gave_up("TCP", finding.message.clone()));
            run.end(step, failed.as_ref());
            run.findings.extend(finding);
        }
        if let Some(((_, step), checked)) = check.zip(checked) {
            let failed = (checked.result != CheckedLicense::Served)
                .then(|| CallError::gave_up("lmstat", license_check::in_words(&checked)));
            run.end(step, failed.as_ref());
            run.license_check = Some(checked);
        }
    }
}
