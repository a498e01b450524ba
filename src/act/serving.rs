//! Checks that the license is served. An attached interface is not enough: the token server may need an activation, and
//! the function may try its ports.
//!
//! Neither decides where the interface is. The results are only reported.

use crate::act::function::Failover;
use crate::act::prober::{ProbeTimeout, pause, ports_to_try};
use crate::act::run::Run;
use crate::model::config::Activation;
use crate::model::error::{CallError, Meaning};
use crate::model::ids::{CommandId, InstanceId};
use crate::model::report::{ActivationRecord, ActivationResult, Step, milliseconds};
use crate::ports::{Ports, Ssm};
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
        loop {
            let sending = run.step(Step::Activate, instance, self.ssm.send_command(activation, instance));
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
            Ok(Ok(true)) => {
                record.result = ActivationResult::Done;
                None
            }
            Ok(Ok(false)) => {
                record.result = ActivationResult::Failed;
                gave_up(format!("the command ended with the status {}", record.status.as_deref().unwrap_or("failed")))
            }
            Ok(Err(error)) => Some(error),
            Err(_) => gave_up("the command has not finished yet".to_owned()),
        };
        run.end(waiting, error.as_ref());
        error
    }

    /// Asks for the state of the command until it has ended. Returns true if it succeeded.
    async fn follow(
        &self,
        command: &CommandId,
        instance: &InstanceId,
        status: &mut Option<String>,
    ) -> Result<bool, CallError> {
        let began = Instant::now();
        loop {
            match self.ssm.command(command, instance).await {
                Ok(Some(state)) => {
                    *status = Some(state.status);
                    if let Some(succeeded) = state.succeeded {
                        return Ok(succeeded);
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

    /// Tries the ports after a move, until they answer.
    pub(crate) async fn probe_after_a_move(&self, run: &mut Run<'_, P::Ec2>) {
        if let Some(prober) = &self.prober {
            self.probe(run, ProbeTimeout::after_a_move(prober.is_inside)).await;
        }
    }

    /// Tries the ports, if a running or starting member has the interface.
    pub(crate) async fn probe(&self, run: &mut Run<'_, P::Ec2>, timeout: ProbeTimeout) {
        let Some(prober) = &self.prober else { return };
        let address = run.interface().and_then(|interface| interface.private_ip_address);
        let Some((holder, address)) = run.running_member().cloned().zip(address) else { return };
        let ports = ports_to_try(&self.config.ports);
        let ends = run.clock.waiting_ends();
        let names: Vec<String> = ports.iter().map(ToString::to_string).collect();
        let step = run.begin(Step::Probe, format!("{address} TCP {}", names.join(",")));
        run.probes = prober.try_ports(address.into(), &ports, timeout, ends).await;
        let finding = run.advisor().ports_not_answering(&holder, address, &run.probes, prober.is_inside);
        let failed = finding.as_ref().map(|finding| CallError::gave_up("TCP", finding.message.clone()));
        run.end(step, failed.as_ref());
        run.findings.extend(finding);
    }
}
