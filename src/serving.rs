//! Is the license served? Attached is not serving: the token server may have to be woken, and its ports may be tried.
//!
//! Neither decides where the interface is. What is found is told, and that is all.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::{self, BoxFuture};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};

use crate::checks::CheckResult;
use crate::cloud::{CallError, Ec2, Ec2Audit, Meaning, Sns, SnsAudit, Ssm, SsmAudit};
use crate::config::{Activation, Config, PortRange};
use crate::failover::Failover;
use crate::ids::{CommandId, InstanceId};
use crate::marks::Waking;
use crate::report::{ActivationRecord, ActivationResult, Probe, Step, milliseconds};
use crate::run::Run;

/// How a port is tried.
pub type Connect = dyn Fn(SocketAddr) -> BoxFuture<'static, Result<(), Unanswered>> + Send + Sync;

/// Why a port did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// Whoever has the address answered that nothing listens on the port.
    #[error("connection refused")]
    Refused,
    /// Nothing came back. The machine may be down, or not to be reached from where it was tried.
    #[error("no answer")]
    Silent,
}

/// Tries the ports of the token server.
pub struct Prober {
    connect: Box<Connect>,
    is_inside: bool,
}

impl Prober {
    /// Tries them from inside the VPC, where no answer means that clients get none either.
    pub fn inside(connect: Box<Connect>) -> Self {
        Self { connect, is_inside: true }
    }

    /// Tries them from somewhere. No answer may mean no more than that this place is outside of the VPC, and an answer may be
    /// that of another machine with the same private address. So what is found is told, and nothing is concluded from it.
    pub fn outside(connect: Box<Connect>) -> Self {
        Self { connect, is_inside: false }
    }

    /// Whether they are tried from inside the VPC.
    pub fn is_inside(&self) -> bool {
        self.is_inside
    }
}

/// Connects over TCP and closes the connection at once.
///
/// # Errors
///
/// Whatever is not a refusal counts as silence: a name for it is the system's, and differs from one to the next.
pub async fn connect_over_tcp(address: SocketAddr) -> Result<(), Unanswered> {
    match TcpStream::connect(address).await {
        Ok(_) => Ok(()),
        Err(error) => Err(match error.kind() {
            std::io::ErrorKind::ConnectionRefused | std::io::ErrorKind::ConnectionReset => Unanswered::Refused,
            _ => Unanswered::Silent,
        }),
    }
}

/// How long one connect may take: long enough for the operating system to ask a second time.
const CONNECT_PATIENCE: Duration = Duration::from_secs(2);

/// How many ports are tried. A token server has two; a range may be as wide as a person has written it.
const MOST_PORTS: usize = 32;

/// How long a command may take on the instance. Starting a daemon takes seconds.
const ACTIVATION_PATIENCE: Duration = Duration::from_secs(60);

/// How long the agent of an instance may take to be heard of. It registers within seconds of a boot.
const AGENT_PATIENCE: Duration = Duration::from_secs(30);

/// The pause before a command or a port is asked after again. A daemon takes some seconds to start, and a machine half a minute.
fn pause(waited: Duration) -> Duration {
    Duration::from_millis(if waited < Duration::from_secs(10) { 250 } else { 1000 })
}

/// For how long a port that does not answer is tried again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    refused: Duration,
    silent: Duration,
}

impl Patience {
    /// One look.
    pub(crate) const NONE: Self = Self { refused: Duration::ZERO, silent: Duration::ZERO };
    /// A token server that is just being restarted is none that fails.
    pub(crate) const RESTART: Self = Self { refused: Duration::from_secs(5), silent: Duration::ZERO };

    /// After a move, a machine may still have to boot. From outside of the VPC that is not worth waiting for.
    fn after_a_move(is_inside: bool) -> Self {
        let boot = Duration::from_secs(90);
        Self { refused: boot, silent: if is_inside { boot } else { Duration::from_secs(15) } }
    }

    fn of(self, unanswered: &Unanswered) -> Duration {
        match unanswered {
            Unanswered::Refused => self.refused,
            Unanswered::Silent => self.silent,
        }
    }
}

/// The ports, as far as they are tried.
fn ports_to_try(ports: &[PortRange]) -> Vec<u16> {
    ports.iter().flat_map(|range| range.first..=range.last).take(MOST_PORTS).collect()
}

/// What a later run has to know of it, if this one cannot tell. What was never sent can be sent then; what was sent and is not
/// known to have succeeded must not be sent again, and has to be told.
pub(crate) fn left_to_know(activation: &ActivationRecord, now: DateTime<Utc>) -> Waking {
    match (activation.result, &activation.command_id) {
        (ActivationResult::Done, _) => Waking::Done,
        (ActivationResult::Failed, None) => Waking::Open,
        (ActivationResult::Failed | ActivationResult::Unfinished, _) => Waking::Begun(now),
    }
}

/// What the probes come to.
pub(crate) fn listening(config: &Config, probes: &[Probe]) -> CheckResult {
    let has = |result: CheckResult| probes.iter().any(|probe| probe.result == result);
    let configured: usize = config.ports.iter().map(|range| usize::from(range.last - range.first) + 1).sum();
    if has(CheckResult::Failed) {
        CheckResult::Failed
    } else if has(CheckResult::NotChecked) || probes.len() < configured {
        CheckResult::NotChecked
    } else {
        CheckResult::Ok
    }
}

impl<E: Ec2 + Ec2Audit, S: Sns + SnsAudit, M: Ssm + SsmAudit> Failover<E, S, M> {
    /// Has Systems Manager wake the token server, and waits for the end of that.
    pub(crate) async fn wake(&self, run: &mut Run<'_, E>, activation: &Activation, instance: &InstanceId) {
        let began = Instant::now();
        let ends = (began + ACTIVATION_PATIENCE).min(run.clock.waiting_ends());
        let mut record = ActivationRecord::open(activation, instance);
        // On record before it is sent, because the deadline may come in between.
        run.activation = Some(record.clone());
        let error = match self.send(run, activation, instance, ends).await {
            Ok(command) => {
                record.command_id = Some(command.clone());
                run.activation = Some(record.clone());
                self.await_woken(run, &command, &mut record, ends).await
            }
            // What had no answer may have been sent all the same.
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

    /// Sends the command, once. What was throttled was not sent, and the agent of an instance that has just booted is heard of
    /// a little later.
    async fn send(
        &self,
        run: &mut Run<'_, E>,
        activation: &Activation,
        instance: &InstanceId,
        ends: Instant,
    ) -> Result<CommandId, CallError> {
        let began = Instant::now();
        loop {
            let sending = run.step(Step::Activate, instance, self.ssm.send_command(activation, instance));
            let Ok(sent) = timeout_at(ends, sending).await else {
                let message = "the time was over before Systems Manager answered".to_owned();
                return Err(CallError {
                    meaning: Meaning::Unreachable,
                    ..CallError::gave_up("ssm:SendCommand", message)
                });
            };
            let patience = match sent.as_ref().err().map(|error| error.meaning) {
                Some(Meaning::Throttled) => ACTIVATION_PATIENCE,
                Some(Meaning::WrongState) => AGENT_PATIENCE,
                _ => Duration::ZERO,
            };
            let pause = pause(began.elapsed());
            if began.elapsed() + pause >= patience || Instant::now() + pause >= ends {
                return sent;
            }
            sleep(pause).await;
        }
    }

    /// Waits for the end of the command. Returns why it is not known to have succeeded.
    async fn await_woken(
        &self,
        run: &mut Run<'_, E>,
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
                gave_up(format!("the command ended as {}", record.status.as_deref().unwrap_or("failed")))
            }
            Ok(Err(error)) => Some(error),
            Err(_) => gave_up("the command has not ended yet".to_owned()),
        };
        run.end(waiting, error.as_ref());
        error
    }

    /// Asks how the command stands until it has ended. Answers whether it succeeded.
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
                // What may pass is asked again. Anything else stays so, and says nothing of the command.
                Err(error) if error.is_transient() => {}
                Err(error) => return Err(error),
            }
            sleep(pause(began.elapsed())).await;
        }
    }

    /// Tries the ports after a move, until they answer.
    pub(crate) async fn probe_after_a_move(&self, run: &mut Run<'_, E>) {
        if let Some(prober) = &self.prober {
            self.probe(run, Patience::after_a_move(prober.is_inside)).await;
        }
    }

    /// Tries the ports, if somebody could be there to answer: a member that has the interface and runs, or will in a moment.
    pub(crate) async fn probe(&self, run: &mut Run<'_, E>, patience: Patience) {
        let Some(prober) = &self.prober else { return };
        let address = run.interface().and_then(|interface| interface.private_ip_address);
        let Some((holder, address)) = run.running_member().cloned().zip(address) else { return };
        let ports = ports_to_try(&self.config.ports);
        let ends = run.clock.waiting_ends();
        let names: Vec<String> = ports.iter().map(ToString::to_string).collect();
        let step = run.begin(Step::Probe, format!("{address} TCP {}", names.join(",")));
        run.probes = prober.try_ports(address.into(), &ports, patience, ends).await;
        let finding = run.advisor().ports_not_answering(&holder, address, &run.probes, prober.is_inside);
        let failed = finding.as_ref().map(|finding| CallError::gave_up("TCP", finding.message.clone()));
        run.end(step, failed.as_ref());
        run.findings.extend(finding);
    }
}

/// A port and how it answered last.
struct Tried {
    port: u16,
    took: Duration,
    /// `None`: the time was over before that could be told.
    answer: Option<Result<(), Unanswered>>,
}

impl Prober {
    /// Tries all ports at once, and those that do not answer again, until the patience with them is over.
    async fn try_ports(&self, address: IpAddr, ports: &[u16], patience: Patience, ends: Instant) -> Vec<Probe> {
        let began = Instant::now();
        let mut tried: Vec<Tried> = self.try_once(address, ports, ends).await;
        loop {
            let is_worth_it = |tried: &&Tried| match &tried.answer {
                Some(Err(unanswered)) => began.elapsed() < patience.of(unanswered),
                Some(Ok(())) | None => false,
            };
            let again: Vec<u16> = tried.iter().filter(is_worth_it).map(|tried| tried.port).collect();
            let next = Instant::now() + pause(began.elapsed());
            if again.is_empty() || next >= ends {
                return tried.into_iter().map(|tried| self.probe(tried)).collect();
            }
            sleep(next - Instant::now()).await;
            for now in self.try_once(address, &again, ends).await.into_iter().filter(|now| now.answer.is_some()) {
                if let Some(before) = tried.iter_mut().find(|before| before.port == now.port) {
                    *before = now;
                }
            }
        }
    }

    async fn try_once(&self, address: IpAddr, ports: &[u16], ends: Instant) -> Vec<Tried> {
        let tries = ports.iter().map(|port| async {
            let began = Instant::now();
            let enough = began + CONNECT_PATIENCE;
            let connected = timeout_at(enough.min(ends), (self.connect)(SocketAddr::new(address, *port))).await;
            let answer = match connected {
                Ok(answer) => Some(answer),
                Err(_) if enough <= ends => Some(Err(Unanswered::Silent)),
                Err(_) => None,
            };
            Tried { port: *port, took: began.elapsed(), answer }
        });
        future::join_all(tries).await
    }

    fn probe(&self, Tried { port, took, answer }: Tried) -> Probe {
        let (result, error) = match answer {
            Some(Ok(())) => (CheckResult::Ok, None),
            Some(Err(Unanswered::Silent)) if !self.is_inside => {
                (CheckResult::NotChecked, Some(Unanswered::Silent.to_string()))
            }
            Some(Err(unanswered)) => (CheckResult::Failed, Some(unanswered.to_string())),
            None => (CheckResult::NotChecked, Some("the time was over".to_owned())),
        };
        Probe { port, result, duration_ms: milliseconds(took), error }
    }
}
