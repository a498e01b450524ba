//! Is the license served? Attached is not serving: the token server may have to be woken, and its ports may be tried.
//!
//! Neither decides where the interface is. What is found is told, and that is all.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::{self, BoxFuture};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};

use crate::checks::CheckResult;
use crate::cloud::{CallError, Ec2, Ec2Audit, Sns, SnsAudit, Ssm, SsmAudit};
use crate::config::{Activation, Config, PortRange};
use crate::failover::Failover;
use crate::ids::{CommandId, InstanceId};
use crate::report::{ActivationRecord, ActivationResult, Probe, Step, milliseconds};
use crate::run::{Run, pause_after_look};

/// How a port is tried.
pub type Connect = dyn Fn(SocketAddr) -> BoxFuture<'static, Result<(), Unanswered>> + Send + Sync;

/// Why a port did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// The machine is there, and nothing listens on the port.
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

    /// Tries them from somewhere. No answer may mean no more than that this place is outside of the VPC.
    pub fn outside(connect: Box<Connect>) -> Self {
        Self { connect, is_inside: false }
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
    /// Has Systems Manager wake the token server, unless it could not be `noted` that this was done. How it ends is awaited
    /// later, so that other work can go on.
    pub(crate) async fn wake(
        &self,
        run: &mut Run<'_, E>,
        activation: &Activation,
        instance: &InstanceId,
        noted: Result<(), CallError>,
    ) {
        let began = Instant::now();
        let record = ActivationRecord::open(activation, instance);
        // On record before it is sent, because the deadline may come in between.
        run.activation = Some(record.clone());
        let sent = match noted {
            Ok(()) => run.step(Step::Activate, instance, self.ssm.send_command(activation, instance)).await,
            Err(error) => Err(error),
        };
        let duration_ms = milliseconds(began.elapsed());
        run.activation = Some(match sent {
            Ok(command) => ActivationRecord { command_id: Some(command), duration_ms, ..record },
            Err(error) => {
                let (result, error) = (ActivationResult::Failed, Some(error.to_string()));
                ActivationRecord { result, error, duration_ms, ..record }
            }
        });
    }

    /// Waits for the end of the command that was sent.
    pub(crate) async fn await_woken(&self, run: &mut Run<'_, E>) {
        let Some(mut record) = run.activation.clone() else { return };
        let Some(command) = record.command_id.clone() else { return };
        let began = Instant::now();
        let ends = (began + ACTIVATION_PATIENCE).min(run.clock.waiting_ends());
        let waiting = run.begin(Step::AwaitActivation, &command);
        let mut failed = None;
        let ended = timeout_at(ends, self.follow(&command, &mut record, &mut failed)).await;
        let gave_up = |message: String| CallError::gave_up("ssm:GetCommandInvocation", message);
        record.duration_ms += milliseconds(began.elapsed());
        let error = match record.result {
            ActivationResult::Done => None,
            ActivationResult::Failed => {
                Some(gave_up(format!("the command ended as {}", record.status.as_deref().unwrap_or("failed"))))
            }
            ActivationResult::Unfinished => match failed {
                Some(error) if ended.is_ok() => Some(error),
                _ => Some(gave_up("the command has not ended yet".to_owned())),
            },
        };
        run.end(waiting, error.as_ref());
        record.error = error.map(|error| error.to_string());
        run.activation = Some(record);
    }

    /// Asks how the command stands until it has ended.
    async fn follow(&self, command: &CommandId, record: &mut ActivationRecord, failed: &mut Option<CallError>) {
        let began = Instant::now();
        loop {
            match self.ssm.command(command, &record.instance_id).await {
                Ok(Some(state)) => {
                    record.status = Some(state.status);
                    if let Some(succeeded) = state.succeeded {
                        record.result = if succeeded { ActivationResult::Done } else { ActivationResult::Failed };
                        return;
                    }
                }
                Ok(None) => {}
                // What may pass is asked again. Anything else stays so, and says nothing of the command.
                Err(error) if error.is_transient() => {}
                Err(error) => {
                    *failed = Some(error);
                    return;
                }
            }
            sleep(pause_after_look(began.elapsed())).await;
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
        let tried = prober.try_ports(address.into(), &ports, patience, ends).await;
        let silent: Vec<u16> = of_kind(&tried, &Unanswered::Silent);
        let refused: Vec<u16> = of_kind(&tried, &Unanswered::Refused);
        run.probes = tried.into_iter().map(|tried| tried.into_probe(prober.is_inside)).collect();
        let failed = listening(&self.config, &run.probes) == CheckResult::Failed;
        let unanswered = || format!("no answer on {}", list(&[refused.as_slice(), &silent].concat()));
        run.end(step, failed.then(|| CallError::gave_up("TCP", unanswered())).as_ref());
        if failed {
            let silent = if prober.is_inside { silent.as_slice() } else { &[] };
            let finding = run.advisor().ports_not_answering(&holder, address, &refused, silent);
            run.findings.push(finding);
        }
    }
}

/// A port and how it answered last.
struct Tried {
    port: u16,
    took: Duration,
    answer: Result<(), Unanswered>,
}

impl Tried {
    fn into_probe(self, is_inside: bool) -> Probe {
        let result = match &self.answer {
            Ok(()) => CheckResult::Ok,
            Err(Unanswered::Silent) if !is_inside => CheckResult::NotChecked,
            Err(_) => CheckResult::Failed,
        };
        let error = self.answer.err().map(|error| error.to_string());
        Probe { port: self.port, result, duration_ms: milliseconds(self.took), error }
    }
}

impl Prober {
    /// Tries all ports at once, and those that do not answer again, until the patience with them is over.
    async fn try_ports(&self, address: IpAddr, ports: &[u16], patience: Patience, ends: Instant) -> Vec<Tried> {
        let began = Instant::now();
        let mut tried: Vec<Tried> = self.try_once(address, ports, ends).await;
        loop {
            let is_worth_it = |tried: &&Tried| {
                tried.answer.as_ref().err().is_some_and(|unanswered| began.elapsed() < patience.of(unanswered))
            };
            let again: Vec<u16> = tried.iter().filter(is_worth_it).map(|tried| tried.port).collect();
            let next = Instant::now() + pause_after_look(began.elapsed());
            if again.is_empty() || next >= ends {
                return tried;
            }
            sleep(next - Instant::now()).await;
            for now in self.try_once(address, &again, ends).await {
                if let Some(before) = tried.iter_mut().find(|before| before.port == now.port) {
                    *before = now;
                }
            }
        }
    }

    async fn try_once(&self, address: IpAddr, ports: &[u16], ends: Instant) -> Vec<Tried> {
        let tries = ports.iter().map(|port| async {
            let began = Instant::now();
            let connected = (self.connect)(SocketAddr::new(address, *port));
            let answer = timeout_at((began + CONNECT_PATIENCE).min(ends), connected).await;
            Tried { port: *port, took: began.elapsed(), answer: answer.unwrap_or(Err(Unanswered::Silent)) }
        });
        future::join_all(tries).await
    }
}

fn of_kind(tried: &[Tried], kind: &Unanswered) -> Vec<u16> {
    tried.iter().filter(|tried| tried.answer.as_ref() == Err(kind)).map(|tried| tried.port).collect()
}

/// Ports in words.
pub(crate) fn list(ports: &[u16]) -> String {
    ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
