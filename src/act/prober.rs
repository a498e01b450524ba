//! Tries the ports of the token server.

use crate::model::check::CheckResult;
use crate::model::config::PortRange;
use crate::model::report::{Probe, milliseconds};
use futures_util::future;
use futures_util::future::BoxFuture;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};

/// How the function tries a port.
pub type Connect = dyn Fn(SocketAddr) -> BoxFuture<'static, Result<(), Unanswered>> + Send + Sync;

/// Why a port did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// The machine with this address answered that nothing listens on the port.
    #[error("connection refused")]
    Refused,
    /// No answer came. The machine may be down, or not reachable from here.
    #[error("no answer")]
    Silent,
}

/// Tries the ports of the token server.
pub struct Prober {
    connect: Box<Connect>,
    pub(crate) is_inside: bool,
}

impl Prober {
    /// Tries the ports from inside the VPC, where no answer means that clients get no answer either.
    pub fn inside(connect: Box<Connect>) -> Self {
        Self { connect, is_inside: true }
    }

    /// Tries the ports from an unknown place. No answer may only mean that this place is outside the VPC, and an answer
    /// may come from another machine with the same private address. So the result is reported, and nothing is concluded
    /// from it.
    pub fn outside(connect: Box<Connect>) -> Self {
        Self { connect, is_inside: false }
    }

    /// Whether it tries the ports from inside the VPC.
    pub fn is_inside(&self) -> bool {
        self.is_inside
    }
}

/// Connects over TCP and closes the connection at once.
///
/// # Errors
///
/// Any error other than a refused connection counts as no answer: operating systems name these errors differently.
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
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The maximum number of ports that are tried. A token server has two, but an operator may configure a wide range.
const MAX_PORTS: usize = 32;

/// The pause before the function asks about a command or tries a port again. A daemon takes seconds to start, a machine
/// half a minute.
pub(crate) fn pause(waited: Duration) -> Duration {
    Duration::from_millis(if waited < Duration::from_secs(10) { 250 } else { 1000 })
}

/// How long a token server that does not answer is asked again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// How long a closed port is tried again.
    refused: Duration,
    /// How long a silent port is tried again.
    silent: Duration,
    /// How long the license server is asked; `None`: it is not asked.
    pub(crate) license_check: Option<CheckLimit>,
}

/// The limits on a license check.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CheckLimit {
    /// When the last try may begin.
    pub(crate) new_tries: Duration,
    /// When the last answer must have come. One try takes some seconds.
    pub(crate) in_all: Duration,
}

impl Patience {
    /// One try of each port. The license server is not asked: that needs a command on an instance.
    pub(crate) const NONE: Self = Self { refused: Duration::ZERO, silent: Duration::ZERO, license_check: None };
    /// A token server that is restarting has not failed.
    pub(crate) const RESTART: Self = Self {
        refused: Duration::from_secs(5),
        silent: Duration::ZERO,
        license_check: Some(CheckLimit { new_tries: Duration::from_secs(20), in_all: Duration::from_secs(45) }),
    };

    /// After a move, a machine may still have to boot. Outside the VPC, waiting for a port is useless. The license check
    /// has the same limit as a port, so the report of a move never waits longer for it than for a port.
    pub(crate) fn after_a_move(is_inside: bool) -> Self {
        let boot = Duration::from_secs(90);
        let silent = if is_inside { boot } else { Duration::from_secs(15) };
        Self { refused: boot, silent, license_check: Some(CheckLimit { new_tries: boot, in_all: boot }) }
    }

    fn of(self, unanswered: &Unanswered) -> Duration {
        match unanswered {
            Unanswered::Refused => self.refused,
            Unanswered::Silent => self.silent,
        }
    }
}

/// The ports to try, up to the maximum.
pub(crate) fn ports_to_try(ports: &[PortRange]) -> Vec<u16> {
    ports.iter().flat_map(|range| range.first..=range.last).take(MAX_PORTS).collect()
}

/// A port and its last answer.
struct Tried {
    port: u16,
    took: Duration,
    /// `None`: the time ran out before the port could be tried.
    answer: Option<Result<(), Unanswered>>,
}

impl Prober {
    /// Tries all ports at once, and repeats the ports that do not answer until their timeout.
    pub(crate) async fn try_ports(
        &self,
        address: IpAddr,
        ports: &[u16],
        patience: Patience,
        ends: Instant,
    ) -> Vec<Probe> {
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
            let enough = began + CONNECT_TIMEOUT;
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
            None => (CheckResult::NotChecked, Some("out of time".to_owned())),
        };
        Probe { port, result, duration_ms: milliseconds(took), error }
    }
}
