//! The simulator: a world, a clock, and the actions of a test on them.

mod disruption;
mod journal;

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

pub use self::{
    disruption::{CallInfo, Disruption},
    journal::{Call, Outcome},
};
use crate::{
    model::{ApiError, Command, Event, Ids, Message, Process, Refusal},
    scenario::Scenario,
    world::{Answer, Operation, Parameters, Request, Service, World},
};

/// A simulated EC2, SNS, Systems Manager, Auto Scaling and CloudFormation. Clones are the same simulator.
///
/// Closures of a test run while the world is locked. They receive the world, and must not use the simulator itself.
#[derive(Clone)]
pub struct Simulator {
    shared: Arc<Mutex<Shared>>,
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator").finish_non_exhaustive()
    }
}

/// Before or after a call takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Before,
    After,
}

/// The moments at which an observer is called.
#[derive(Debug)]
pub enum Moment<'a> {
    /// A call is about to take effect.
    Before(&'a CallInfo),
    /// A call took effect or failed.
    After(&'a Call),
    /// AWS took a step by itself.
    Process(&'a Process),
    /// Another actor changed the world: [`Simulator::at`], [`Simulator::on_call`], [`Simulator::world`].
    Actor,
}

/// The reason for a call without an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    #[error(transparent)]
    Refused(#[from] ApiError),
    #[error("the connection was lost")]
    Dropped,
    #[error("the answer makes no sense")]
    Nonsense,
}

impl CallError {
    /// The code of a refusal.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(error) => Some(&error.code),
            Self::Dropped | Self::Nonsense => None,
        }
    }
}

/// An attempt to connect to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// The time at which it arrived or would have arrived.
    pub at: Duration,
    pub address: SocketAddr,
    pub outcome: Result<(), Refusal>,
}

/// A call as it arrives. It may be invalid.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) service: Service,
    pub(crate) action: Cow<'static, str>,
    pub(crate) request: Result<Request, ApiError>,
}

impl From<Request> for Incoming {
    fn from(request: Request) -> Self {
        Self { service: request.service(), action: request.action().into(), request: Ok(request) }
    }
}

type Disruptor = Box<dyn FnMut(&CallInfo) -> Disruption + Send>;
type Actor = Box<dyn FnOnce(&mut World) + Send>;

/// A scheduled event.
enum Planned {
    /// Another actor changes the world.
    Actor(Actor),
    /// A call takes effect after its caller has stopped waiting, see [`Disruption::Late`].
    Late(CallInfo, Box<Request>),
}
type Observer = Box<dyn FnMut(Duration, &Moment<'_>, &World) + Send>;

struct Reaction {
    action: String,
    nth: u64,
    when: When,
    actor: Actor,
}

struct Shared {
    scenario: Scenario,
    world: World,
    started: Instant,
    request_ids: Ids,
    sequence: u64,
    counts: HashMap<(Service, String), u64>,
    journal: Vec<Call>,
    connections: Vec<Connection>,
    disruptors: Vec<Disruptor>,
    /// Events by time and, at the same time, in the order in which they were scheduled.
    planned: BTreeMap<(Duration, u64), Planned>,
    announced: u64,
    reactions: Vec<Reaction>,
    observers: Vec<Observer>,
}

/// # Playing it
impl Scenario {
    /// Builds a simulator that starts from this world. Its clock starts now, so build it in the runtime that uses it.
    pub fn build(self) -> Simulator {
        Simulator::new(self)
    }
}

/// # Creating and reading a simulator
impl Simulator {
    fn new(scenario: Scenario) -> Self {
        Self { shared: Arc::new(Mutex::new(Shared::new(scenario))) }
    }

    /// The description of an empty world, see also [`pair`](crate::pair).
    pub fn builder() -> Scenario {
        Scenario::empty()
    }

    /// Restores the world, the clock and the journal of the beginning, and removes all disruptions.
    pub fn reset(&self) {
        let mut shared = self.lock();
        *shared = Shared::new(shared.scenario.clone());
    }

    /// Plays another scenario, from the same calendar time, until the next reset.
    pub(crate) fn reset_to(&self, other: Scenario) {
        let mut shared = self.lock();
        let own = shared.scenario.clone();
        *shared = Shared { scenario: own.clone(), ..Shared::new(other.same_epoch(&own)) };
    }

    /// The virtual time since the start.
    pub fn now(&self) -> Duration {
        self.lock().now()
    }

    /// Reads the world at the current time, or changes it as another actor.
    pub fn world<R>(&self, f: impl FnOnce(&mut World) -> R) -> R {
        let mut shared = self.lock();
        let now = shared.now();
        shared.settle(now);
        let revision = shared.world.revision();
        let result = f(&mut shared.world);
        if shared.world.revision() != revision {
            shared.notify(&Moment::Actor);
        }
        shared.settle(now);
        result
    }

    /// All calls, in the order in which they took effect.
    pub fn journal(&self) -> Vec<Call> {
        self.lock().journal.clone()
    }

    /// The calls that changed the world, as lines.
    pub fn changes(&self) -> Vec<String> {
        self.lock().journal.iter().filter(|call| call.changed).map(Call::to_string).collect()
    }

    pub fn clear_journal(&self) {
        self.lock().journal.clear();
    }

    /// The messages published to SNS, in order.
    pub fn messages(&self) -> Vec<Message> {
        self.world(|world| world.messages().to_vec())
    }

    /// The commands sent with Systems Manager, one for each instance, in order.
    pub fn commands(&self) -> Vec<Command> {
        self.world(|world| world.commands().to_vec())
    }

    /// The events that the services have sent to EventBridge, in order, unless they were taken.
    pub fn events(&self) -> Vec<Event> {
        self.world(|world| world.events().to_vec())
    }

    /// The events since the last call, in order.
    pub fn take_events(&self) -> Vec<Event> {
        self.world(World::take_events)
    }

    /// All attempts to connect, in order.
    pub fn connections(&self) -> Vec<Connection> {
        self.lock().connections.clone()
    }

    pub(crate) fn next_request_id(&self) -> String {
        self.lock().request_ids.uuid()
    }

    /// A panic of an observer ends its test. The world stays valid, so other users of the lock can continue.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// # Disruptions
impl Simulator {
    /// Adds a closure that decides about every call. The first one with a result other than [`Disruption::None`]
    /// counts.
    pub fn disrupt(&self, disruptor: impl FnMut(&CallInfo) -> Disruption + Send + 'static) {
        self.lock().disruptors.push(Box::new(disruptor));
    }

    /// The caller lacks the permission for an action.
    pub fn deny(&self, action: &str) {
        self.always(action, Disruption::Deny);
    }

    /// Every call of an action is disrupted.
    pub fn always(&self, action: &str, disruption: Disruption) {
        let action = action.to_owned();
        self.disrupt(move |call| if call.action == action { disruption.clone() } else { Disruption::None });
    }

    /// The next `n` calls of an action are disrupted.
    pub fn fail_next(&self, action: &str, n: usize, disruption: Disruption) {
        let action = action.to_owned();
        let mut left = n;
        self.disrupt(move |call| {
            if call.action == action && left > 0 {
                left -= 1;
                disruption.clone()
            } else {
                Disruption::None
            }
        });
    }

    /// From now on, all calls are answered normally.
    pub fn calm(&self) {
        self.lock().disruptors.clear();
    }

    /// Another actor changes the world at a time since the start.
    pub fn at(&self, time: Duration, actor: impl FnOnce(&mut World) + Send + 'static) {
        self.lock().plan(time, Planned::Actor(Box::new(actor)));
    }

    /// Another actor changes the world right before or after the nth call (from 1) of an action takes effect.
    pub fn on_call(&self, action: &str, nth: u64, when: When, actor: impl FnOnce(&mut World) + Send + 'static) {
        let reaction = Reaction { action: action.to_owned(), nth, when, actor: Box::new(actor) };
        self.lock().reactions.push(reaction);
    }

    /// Adds an observer of everything that happens, so that a test can check laws at every step. It may panic.
    pub fn observe(&self, observer: impl FnMut(Duration, &Moment<'_>, &World) + Send + 'static) {
        self.lock().observers.push(Box::new(observer));
    }
}

/// # Calls
impl Simulator {
    /// Makes a call below the wire, with latency, disruptions, observers and the journal.
    pub async fn call<O: Operation>(&self, operation: O) -> Result<O::Answer, CallError> {
        let answer = self.take(operation.into().into()).await?;
        Ok(O::unwrap(answer).expect("a request is answered under its own name"))
    }

    /// Connects to a TCP port at a private address, in the time of one call. Without an answer it never returns; the
    /// caller needs a timeout.
    ///
    /// This is not a call of AWS: it is in [`connections`](Self::connections) instead of the journal, and is never
    /// disrupted.
    pub async fn connect(&self, address: SocketAddr) -> Result<(), Refusal> {
        let latency = self.lock().world.region().timings().call;
        pass(latency / 2).await;
        let outcome = self.lock().connect(address);
        if outcome == Err(Refusal::Silent) {
            return std::future::pending().await;
        }
        pass(latency / 2).await;
        outcome
    }

    /// Half of the latency passes before the call takes effect, half after.
    pub(crate) async fn take(&self, incoming: Incoming) -> Result<Answer, CallError> {
        let (info, disruption, latency) = self.lock().announce(&incoming);
        if disruption == Disruption::Hang {
            self.lock().record(&info, Outcome::Hung, false);
            return std::future::pending().await;
        }
        pass(latency / 2).await;
        let result = self.lock().effect(info, incoming, &disruption);
        let delay = if let Disruption::Slow(delay) = disruption { delay } else { Duration::ZERO };
        pass(latency / 2 + delay).await;
        result
    }
}

/// Lets time pass. Even with a duration of zero, other tasks run.
async fn pass(time: Duration) {
    if time.is_zero() {
        tokio::task::yield_now().await;
    } else {
        tokio::time::sleep(time).await;
    }
}

impl Shared {
    fn new(scenario: Scenario) -> Self {
        Self {
            world: scenario.world(),
            started: Instant::now(),
            request_ids: Ids::from_seed(scenario.seed_of_requests()),
            scenario,
            sequence: 0,
            counts: HashMap::new(),
            journal: Vec::new(),
            connections: Vec::new(),
            disruptors: Vec::new(),
            planned: BTreeMap::new(),
            announced: 0,
            reactions: Vec::new(),
            observers: Vec::new(),
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Numbers the call and decides its fate.
    fn announce(&mut self, incoming: &Incoming) -> (CallInfo, Disruption, Duration) {
        self.sequence += 1;
        let nth = self.counts.entry((incoming.service, incoming.action.to_string())).or_default();
        *nth += 1;
        let request = incoming.request.as_ref().ok();
        let info = CallInfo {
            sequence: self.sequence,
            service: incoming.service,
            action: incoming.action.clone(),
            nth: *nth,
            now: self.now(),
            dry_run: request.is_some_and(Request::dry_run),
            parameters: request.map_or_else(Parameters::default, Request::parameters),
        };
        let disruption = self
            .disruptors
            .iter_mut()
            .map(|disruptor| disruptor(&info))
            .find(|disruption| *disruption != Disruption::None)
            .unwrap_or_default();
        (info, disruption, self.world.region().timings().call)
    }

    /// Lets the call take effect or fail.
    fn effect(&mut self, mut info: CallInfo, incoming: Incoming, disruption: &Disruption) -> Result<Answer, CallError> {
        let now = self.now();
        info.now = now;
        self.settle(now);
        self.react(&info, When::Before, now);
        self.notify(&Moment::Before(&info));

        let revision = self.world.revision();
        let result = self.perform(&info, incoming.request, disruption);
        let changed = self.world.revision() != revision;
        let outcome = match (&result, disruption) {
            (Err(CallError::Dropped), Disruption::DropBefore) => Outcome::DroppedBefore,
            (Err(CallError::Dropped), Disruption::Late(_)) => Outcome::Late,
            (Err(CallError::Dropped), _) => Outcome::DroppedAfter,
            (Err(CallError::Nonsense), _) => Outcome::Nonsense,
            (Err(CallError::Refused(error)), _) => Outcome::Error(error.code.to_string()),
            (Ok(_), _) => Outcome::Ok,
        };
        self.record(&info, outcome, changed);
        self.react(&info, When::After, now);
        result
    }

    fn perform(
        &mut self,
        info: &CallInfo,
        request: Result<Request, ApiError>,
        disruption: &Disruption,
    ) -> Result<Answer, CallError> {
        if let Some(refusal) = disruption.refusal(self.world.region().account(), info) {
            return Err(refusal.into());
        }
        match disruption {
            Disruption::DropBefore => return Err(CallError::Dropped),
            Disruption::Nonsense => return Err(CallError::Nonsense),
            Disruption::Late(delay) => {
                if let Ok(request) = request {
                    self.plan(info.now + *delay, Planned::Late(info.clone(), Box::new(request)));
                }
                return Err(CallError::Dropped);
            }
            _ => {}
        }
        let answer = request.and_then(|request| match disruption {
            Disruption::Stale(age) => self.world.answer_from_the_past(info.now, *age, &request),
            Disruption::Forgotten => self.world.answer_of_a_bare_region(info.now, &request),
            _ => self.world.answer(info.now, &request),
        });
        if *disruption == Disruption::DropAfter { Err(CallError::Dropped) } else { Ok(answer?) }
    }

    fn connect(&mut self, address: SocketAddr) -> Result<(), Refusal> {
        let now = self.now();
        self.settle(now);
        let outcome = self.world.answers(address);
        self.connections.push(Connection { at: now, address, outcome });
        outcome
    }

    fn plan(&mut self, time: Duration, planned: Planned) {
        self.announced += 1;
        self.planned.insert((time, self.announced), planned);
    }

    /// Performs everything that is due until `now`, in order of time: the processes of AWS and the scheduled actions of
    /// others. At the same time, AWS comes first.
    fn settle(&mut self, now: Duration) {
        loop {
            let process_due = self.world.next_due().unwrap_or(Duration::MAX);
            let planned_due = self.planned.keys().next().map_or(Duration::MAX, |(due, _)| *due);
            if process_due.min(planned_due) > now {
                break;
            }
            if process_due <= planned_due {
                if let Some(process) = self.world.step(now) {
                    self.notify(&Moment::Process(&process));
                }
            } else if let Some((_, planned)) = self.planned.pop_first() {
                self.world.advance(planned_due);
                match planned {
                    Planned::Actor(actor) => {
                        actor(&mut self.world);
                        self.notify(&Moment::Actor);
                    }
                    Planned::Late(info, request) => self.take_effect_late(info, &request),
                }
            }
        }
        self.world.advance(now);
    }

    /// Lets a late call take effect or fail, without an answer. It appears in the journal again, with its effect.
    fn take_effect_late(&mut self, info: CallInfo, request: &Request) {
        let now = self.world.now();
        let info = CallInfo { now, ..info };
        self.notify(&Moment::Before(&info));
        let revision = self.world.revision();
        let outcome = match self.world.answer(now, request) {
            Ok(_) => Outcome::Ok,
            Err(error) => Outcome::Error(error.code.to_string()),
        };
        let changed = self.world.revision() != revision;
        self.record(&info, outcome, changed);
    }

    /// Performs the actions of others that are tied to this call.
    fn react(&mut self, call: &CallInfo, when: When, now: Duration) {
        let is_meant = |reaction: &mut Reaction| {
            reaction.action == call.action && reaction.nth == call.nth && reaction.when == when
        };
        let reactions: Vec<_> = self.reactions.extract_if(.., is_meant).collect();
        for reaction in reactions {
            (reaction.actor)(&mut self.world);
            self.notify(&Moment::Actor);
            self.settle(now);
        }
    }

    fn record(&mut self, info: &CallInfo, outcome: Outcome, changed: bool) {
        let call = Call {
            sequence: info.sequence,
            at: info.now,
            service: info.service,
            action: info.action.clone(),
            parameters: info.parameters.clone(),
            dry_run: info.dry_run,
            outcome,
            changed,
        };
        self.notify(&Moment::After(&call));
        self.journal.push(call);
    }

    fn notify(&mut self, moment: &Moment<'_>) {
        for observer in &mut self.observers {
            observer(self.world.now(), moment, &self.world);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        names, pair,
        world::{
            AttachNetworkInterface, CreateTags, DescribeInstances, DescribeNetworkInterfaces, DetachNetworkInterface,
            Publish, SendCommand, Timings, region::InstanceState,
        },
    };

    fn milliseconds(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn describe() -> DescribeNetworkInterfaces {
        DescribeNetworkInterfaces::of(names::INTERFACE)
    }

    fn detach() -> DetachNetworkInterface {
        DetachNetworkInterface::of(names::ATTACHMENT)
    }

    fn lines(simulator: &Simulator) -> Vec<String> {
        simulator.journal().iter().map(Call::to_string).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_takes_effect_halfway_through_its_latency() {
        let simulator = pair().timings(Timings::realistic()).build();
        simulator.call(detach()).await.unwrap();
        assert_eq!(simulator.now(), milliseconds(30));
        let journal = simulator.journal();
        assert_eq!(journal[0].at, milliseconds(15));
        assert!(journal[0].changed);
        assert_eq!(journal[0].to_string(), format!("DetachNetworkInterface AttachmentId={} -> ok", names::ATTACHMENT));
        tokio::time::sleep_until(tokio::time::Instant::now() + milliseconds(1985)).await;
        assert!(simulator.world(|world| world.holder_of(names::INTERFACE).is_none()));
    }

    #[tokio::test(start_paused = true)]
    async fn each_disruption_does_what_it_says() {
        for (disruption, outcome, takes_effect, result) in [
            (Disruption::None, "ok", true, Ok(())),
            (Disruption::Deny, "UnauthorizedOperation", false, Err(Some((403, "UnauthorizedOperation")))),
            (Disruption::Throttle, "RequestLimitExceeded", false, Err(Some((503, "RequestLimitExceeded")))),
            (Disruption::error(400, "Blocked"), "Blocked", false, Err(Some((400, "Blocked")))),
            (Disruption::internal_error(), "InternalError", false, Err(Some((500, "InternalError")))),
            (Disruption::DropBefore, "dropped-before", false, Err(None)),
            (Disruption::DropAfter, "dropped-after", true, Err(None)),
            (Disruption::Nonsense, "nonsense", false, Err(None)),
            (Disruption::Slow(seconds(9)), "ok", true, Ok(())),
            (Disruption::Stale(seconds(9)), "ok", true, Ok(())),
            (Disruption::Forgotten, "ok", true, Ok(())),
        ] {
            let simulator = pair().build();
            simulator.always("DetachNetworkInterface", disruption.clone());
            let answer = simulator.call(detach()).await.map_err(|error| match error {
                CallError::Refused(error) => Some((error.status, error.code)),
                CallError::Dropped | CallError::Nonsense => None,
            });
            let expected = result.map_err(|refusal| refusal.map(|(status, code)| (status, Cow::from(code))));
            assert_eq!(answer, expected, "{disruption:?}");
            let call = &simulator.journal()[0];
            assert_eq!((call.outcome.to_string().as_str(), call.changed), (outcome, takes_effect), "{disruption:?}");
            assert_eq!(simulator.world(|world| world.holder_of(names::INTERFACE).is_none()), takes_effect);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn sns_refuses_with_its_own_codes() {
        let simulator = pair().build();
        simulator.fail_next("Publish", 1, Disruption::Deny);
        simulator.fail_next("Publish", 1, Disruption::Throttle);
        let publish = || Publish { topic_arn: names::TOPIC.to_owned(), message: "m".to_owned(), ..Publish::default() };
        assert_eq!(simulator.call(publish()).await.unwrap_err().code(), Some("AuthorizationError"));
        simulator.calm();
        simulator.fail_next("Publish", 1, Disruption::Throttle);
        assert_eq!(simulator.call(publish()).await.unwrap_err().code(), Some("Throttling"));
        assert_eq!(simulator.messages().len(), 0);
        simulator.call(publish()).await.unwrap();
        assert_eq!(simulator.messages().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn systems_manager_refuses_with_its_own_codes() {
        let simulator = pair().build();
        let send = || SendCommand::to(names::STANDBY, names::DOCUMENT);
        for (disruption, expected) in
            [(Disruption::Deny, "AccessDeniedException"), (Disruption::Throttle, "ThrottlingException")]
        {
            simulator.calm();
            simulator.fail_next("SendCommand", 1, disruption);
            let CallError::Refused(error) = simulator.call(send()).await.unwrap_err() else { panic!("it is refused") };
            assert_eq!((error.status, &*error.code), (400, expected));
        }
        assert_eq!(simulator.commands(), []);
        simulator.calm();
        simulator.fail_next("SendCommand", 1, Disruption::DropAfter);
        assert_eq!(simulator.call(send()).await.unwrap_err(), CallError::Dropped);
        assert_eq!(simulator.commands()[0].status, crate::world::CommandStatus::Success);
        let line = "SendCommand DocumentName=token-failover-restart InstanceIds=i-0bbbbbbbbbbbbbbb2 -> dropped-after";
        assert_eq!(simulator.changes(), [line]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_takes_time_and_is_not_a_call() {
        let simulator = pair().timings(Timings::realistic()).build();
        simulator.disrupt(|_| Disruption::Hang);
        simulator.at(milliseconds(40), |world| world.kill_token_server(names::HOLDER).unwrap());
        simulator.at(milliseconds(70), |world| world.stop(names::HOLDER).unwrap());
        let address = SocketAddr::new(names::PRIVATE_IP.parse().unwrap(), 27007);
        assert_eq!(simulator.connect(address).await, Ok(()));
        assert_eq!(simulator.now(), milliseconds(30));
        assert_eq!(simulator.connect(address).await, Err(Refusal::Refused));
        assert!(tokio::time::timeout(seconds(90), simulator.connect(address)).await.is_err());
        let connection = |at, outcome| Connection { at: milliseconds(at), address, outcome };
        assert_eq!(
            simulator.connections(),
            [connection(15, Ok(())), connection(45, Err(Refusal::Refused)), connection(75, Err(Refusal::Silent))]
        );
        assert_eq!(simulator.journal(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_answer_takes_effect_in_time() {
        let simulator = pair().timings(Timings { call: milliseconds(30), ..Timings::default() }).build();
        simulator.always("DetachNetworkInterface", Disruption::Slow(seconds(20)));
        let answer = tokio::time::timeout(seconds(5), simulator.call(detach())).await;
        assert!(answer.is_err(), "the caller has given up");
        assert_eq!(simulator.changes().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_call_takes_effect_after_the_caller_has_given_up() {
        let simulator = pair().build();
        simulator.fail_next("DetachNetworkInterface", 1, Disruption::Late(seconds(20)));
        assert_eq!(simulator.call(detach()).await.unwrap_err(), CallError::Dropped);
        let is_held = || simulator.world(|world| world.holder_of(names::INTERFACE).is_some());
        tokio::time::sleep(milliseconds(19_990)).await;
        assert!(is_held());
        tokio::time::sleep(milliseconds(10)).await;
        assert!(!is_held());
        // The journal has it when it arrives, and again when it takes effect.
        let detach = |outcome| format!("DetachNetworkInterface AttachmentId={} -> {outcome}", names::ATTACHMENT);
        assert_eq!(lines(&simulator), [detach("late"), detach("ok")]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_hangs_is_in_the_journal_and_has_no_effect() {
        let simulator = pair().build();
        simulator.fail_next("DetachNetworkInterface", 1, Disruption::Hang);
        assert!(tokio::time::timeout(seconds(3600), simulator.call(detach())).await.is_err());
        assert_eq!(lines(&simulator), [format!("DetachNetworkInterface AttachmentId={} -> hung", names::ATTACHMENT)]);
        assert!(simulator.changes().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stale_read_returns_an_earlier_state() {
        let simulator = pair().build();
        tokio::time::sleep(seconds(10)).await;
        simulator.call(detach()).await.unwrap();
        simulator.fail_next("DescribeNetworkInterfaces", 1, Disruption::Stale(seconds(5)));
        let mut status = Vec::new();
        for _ in 0..2 {
            tokio::time::sleep(seconds(1)).await;
            status.push(simulator.call(describe()).await.unwrap().items[0].status);
        }
        assert_eq!(status, ["in-use", "available"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_forgotten_interface_is_found_again() {
        let simulator = pair().build();
        simulator.fail_next("DescribeNetworkInterfaces", 1, Disruption::Forgotten);
        simulator.fail_next("DescribeInstances", 1, Disruption::Forgotten);
        let by_id = || DescribeNetworkInterfaces::of(names::INTERFACE);
        let members = || DescribeInstances {
            selection: crate::world::Selection::filter("instance-id", [names::HOLDER, names::STANDBY]),
            dry_run: false,
        };
        let forgotten = simulator.call(by_id()).await.unwrap_err();
        assert_eq!(forgotten.code(), Some("InvalidNetworkInterfaceID.NotFound"));
        assert_eq!(simulator.call(by_id()).await.unwrap().items.len(), 1);
        assert_eq!(simulator.call(members()).await.unwrap().items.len(), 0);
        assert_eq!(simulator.call(members()).await.unwrap().items.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_calls_are_counted_by_action() {
        let simulator = pair().build();
        simulator.fail_next("DescribeInstances", 2, Disruption::Throttle);
        simulator.call(describe()).await.unwrap();
        for expected in [Some("RequestLimitExceeded"), Some("RequestLimitExceeded"), None] {
            let answer = simulator.call(DescribeInstances::default()).await;
            assert_eq!(answer.as_ref().err().and_then(CallError::code), expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_disruption_receives_the_call() {
        let simulator = pair().build();
        simulator.disrupt(|call| {
            let is_meant = call.nth == 2 && call.parameters.get("InstanceId") == Some(names::STANDBY);
            if is_meant { Disruption::Deny } else { Disruption::None }
        });
        for expected in [true, false, true] {
            let answer = simulator.call(DescribeInstances::of([names::STANDBY])).await;
            assert_eq!(answer.is_ok(), expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn actions_of_others_happen_at_a_time_or_around_a_call() {
        let simulator = pair().timings(Timings { stop: seconds(6), ..Timings::default() }).build();
        simulator.at(seconds(5), |world| world.stop(names::HOLDER).unwrap());
        simulator.on_call("DescribeInstances", 2, When::Before, |world| world.start(names::HOLDER).unwrap());
        let mut states = Vec::new();
        for wait in [10, 10, 0] {
            tokio::time::sleep(seconds(wait)).await;
            states.push(simulator.call(DescribeInstances::of([names::HOLDER])).await.unwrap().items[0].state);
        }
        assert_eq!(states, [InstanceState::Stopping, InstanceState::Running, InstanceState::Running]);
        assert!(simulator.changes().is_empty(), "these were not calls");
    }

    #[tokio::test(start_paused = true)]
    async fn an_observer_sees_everything_in_order_of_time() {
        let simulator = pair().timings(Timings { detach: seconds(2), ..Timings::default() }).build();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let observer = seen.clone();
        simulator.observe(move |now, moment, world| {
            let what = match moment {
                Moment::Before(call) => format!("before {}", call.action),
                Moment::After(call) => format!("after {}", call.action),
                Moment::Process(process) => format!("{process:?}").split(' ').next().unwrap_or_default().to_owned(),
                Moment::Actor => "actor".to_owned(),
            };
            let held = world.holder_of(names::INTERFACE).is_some();
            observer.lock().unwrap().push(format!("{} s: {what}, held: {held}", now.as_secs()));
        });
        simulator.at(seconds(1), |world| world.crash(names::STANDBY).unwrap());
        simulator.call(detach()).await.unwrap();
        tokio::time::sleep(seconds(5)).await;
        simulator.call(describe()).await.unwrap();
        assert_eq!(
            *seen.lock().unwrap(),
            [
                "0 s: before DetachNetworkInterface, held: true",
                "0 s: after DetachNetworkInterface, held: true",
                "1 s: actor, held: true",
                "2 s: Detach, held: false",
                "5 s: before DescribeNetworkInterfaces, held: false",
                "5 s: after DescribeNetworkInterfaces, held: false",
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn concurrent_calls_take_turns_even_without_latency() {
        let simulator = pair().build();
        simulator.call(detach()).await.unwrap();
        let attach = |id| simulator.call(AttachNetworkInterface::to(id, names::INTERFACE, 1));
        let (one, other) = tokio::join!(attach(names::HOLDER), attach(names::STANDBY));
        let refusals: Vec<_> = [one, other].into_iter().filter_map(Result::err).collect();
        let codes: Vec<_> = refusals.iter().map(CallError::code).collect();
        assert_eq!(codes, [Some("InvalidNetworkInterface.InUse")]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reset_restores_the_scenario() {
        let simulator = pair().build();
        simulator.deny("CreateTags");
        simulator.call(detach()).await.unwrap();
        tokio::time::sleep(seconds(5)).await;
        simulator.reset();
        assert_eq!(simulator.now(), Duration::ZERO);
        assert_eq!(simulator.journal(), []);
        assert!(simulator.world(|world| world.holder_of(names::INTERFACE).is_some()));
        simulator.call(CreateTags::on(names::INTERFACE, "k", "v")).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_dry_run_is_marked_in_the_journal() {
        let simulator = pair().build();
        let dry_run = DetachNetworkInterface { dry_run: true, ..detach() };
        assert_eq!(simulator.call(dry_run.clone()).await.unwrap_err().code(), Some("DryRunOperation"));
        simulator.deny("DetachNetworkInterface");
        assert_eq!(simulator.call(dry_run).await.unwrap_err().code(), Some("UnauthorizedOperation"));
        let line = format!("DetachNetworkInterface AttachmentId={} DryRun", names::ATTACHMENT);
        assert_eq!(
            lines(&simulator),
            [format!("{line} -> DryRunOperation"), format!("{line} -> UnauthorizedOperation")]
        );
    }
}
