//! The timeline: every step of EC2 and of the function, with its time.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use simulator::world::World;
use simulator::world::region::{AttachmentStatus, InstanceState};
use simulator::{Call, Moment, Outcome, Simulator, names};
use token_failover::act::run::{Record, Recorder};
use token_failover::model::observation::{Observation, Reading, StatusChecks};
use token_failover::model::plan::{Action, Decision, LookReason, Plan};
use token_failover::model::report::{Step, StepRecord, StepResult};

/// The actor of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// EC2, by itself or for a call.
    Ec2,
    /// SNS.
    Sns,
    /// The caller of the function.
    Event,
    /// The function, with its number if there are several.
    Function(Option<usize>),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ec2 => f.pad("EC2"),
            Self::Sns => f.pad("SNS"),
            Self::Event => f.pad("event"),
            Self::Function(None) => f.pad("function"),
            Self::Function(Some(number)) => f.pad(&format!("function {number}")),
        }
    }
}

/// One line of the timeline.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The time since the start.
    pub(crate) at: Duration,
    /// The actor.
    pub(crate) who: Who,
    /// The step.
    pub(crate) what: String,
    /// Whether it is a failure.
    pub(crate) bad: bool,
}

/// Receives the lines.
pub(crate) type Sink = Box<dyn FnMut(&Entry) + Send>;

/// The timeline of one drill. Clones write to the same timeline.
#[derive(Clone)]
pub(crate) struct Timeline {
    simulator: Simulator,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    scene: Scene,
    /// The last observation and plan of each function, which are printed again only if they change.
    said: BTreeMap<(usize, &'static str), String>,
    sink: Sink,
}

impl Timeline {
    /// A timeline of this simulator, by its clock.
    pub(crate) fn new(simulator: &Simulator, sink: Sink) -> Self {
        let shared = Shared { scene: simulator.world(|world| Scene::of(world)), said: BTreeMap::new(), sink };
        Self { simulator: simulator.clone(), shared: Arc::new(Mutex::new(shared)) }
    }

    /// Adds a line.
    pub(crate) fn say(&self, who: Who, what: impl Into<String>, bad: bool) {
        let at = self.simulator.now();
        self.with(|shared| shared.say(at, who, what.into(), bad));
    }

    /// Adds the changes of the world.
    pub(crate) fn look(&self, at: Duration, world: &World) {
        self.with(|shared| shared.look(at, world));
    }

    /// Follows the simulator, see [`simulator::Simulator::observe`].
    pub(crate) fn observer(&self) -> impl FnMut(Duration, &Moment<'_>, &World) + Send + 'static {
        let timeline = self.clone();
        move |at, moment, world| {
            timeline.with(|shared| {
                shared.look(at, world);
                if let Moment::After(call) = moment {
                    shared.call(at, call);
                }
            });
        }
    }

    /// Follows a run of the function. `number` distinguishes several functions.
    pub(crate) fn recorder(&self, number: Option<usize>) -> Box<Recorder> {
        let timeline = self.clone();
        Box::new(move |record| {
            let at = timeline.simulator.now();
            timeline.with(|shared| shared.record(at, number, record));
        })
    }

    fn with(&self, work: impl FnOnce(&mut Shared)) {
        work(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Shared {
    fn say(&mut self, at: Duration, who: Who, what: String, bad: bool) {
        (self.sink)(&Entry { at, who, what, bad });
    }

    fn look(&mut self, at: Duration, world: &World) {
        let now = Scene::of(world);
        for (what, bad) in self.scene.changes(&now) {
            self.say(at, Who::Ec2, what, bad);
        }
        self.scene = now;
    }

    /// Changes of the world show the successful calls, and the lines of the function show the refusals. This shows the
    /// errors that the SDK retries, which the function does not see.
    fn call(&mut self, at: Duration, call: &Call) {
        let who = if call.action == "Publish" { Who::Sns } else { Who::Ec2 };
        match &call.outcome {
            Outcome::Ok if who == Who::Sns => self.say(at, who, "the notification is accepted".to_owned(), false),
            Outcome::Error(code) if TRANSIENT.contains(&code.as_str()) => {
                self.say(at, who, format!("{} returned {code}", call.action), true);
            }
            Outcome::DroppedAfter => self.say(at, who, format!("the answer to {} is lost", call.action), true),
            _ => {}
        }
    }

    fn record(&mut self, at: Duration, number: Option<usize>, record: Record<'_>) {
        let who = Who::Function(number);
        match record {
            Record::Observed(observation) => {
                let (what, bad) = seen(observation);
                self.say_new(at, number, "read", what, bad);
            }
            // The end of their steps tells the same.
            Record::Requested(..)
            | Record::Looked(_)
            | Record::Failed(..)
            | Record::Probed(_)
            | Record::LicenseChecked(_) => {}
            Record::Planned(plan, _) => {
                let what = planned(plan);
                self.say_new(at, number, "decide", what, false);
            }
            Record::Audited(readiness) => {
                let permissions = readiness.permissions.len();
                let what =
                    format!("read routes, network ACL, types and subscriptions; check {permissions} permissions");
                self.say_new(at, number, "audit", what, false);
            }
            Record::Begun(step, resource) => self.say(at, who, begun(step, resource), false),
            Record::Ended(record) => {
                if let Some(what) = ended(record) {
                    self.say(at, who, what, record.result == StepResult::Failed);
                }
            }
        }
    }

    fn say_new(&mut self, at: Duration, number: Option<usize>, topic: &'static str, what: String, bad: bool) {
        let key = (number.unwrap_or_default(), topic);
        if self.said.get(&key) != Some(&what) {
            self.say(at, Who::Function(number), what.clone(), bad);
            self.said.insert(key, what);
        }
    }
}

/// The codes that the SDK retries.
const TRANSIENT: [&str; 4] = ["RequestLimitExceeded", "Throttling", "InternalError", "Unavailable"];

/// The part of the world that the timeline shows.
#[derive(Clone)]
struct Scene {
    instances: BTreeMap<String, (InstanceState, bool)>,
    /// `None`: the interface does not exist.
    interface: Option<Attachment>,
    /// The interface with the Elastic IP.
    address: Option<String>,
}

/// The instance, and the progress of the attach or detach. `None`: attached to nothing.
type Attachment = Option<(String, AttachmentStatus, bool)>;

impl Scene {
    fn of(world: &World) -> Self {
        let region = world.region();
        let instances =
            region.instances().map(|instance| (instance.id.clone(), (instance.state, instance.is_impaired())));
        let interface = world.interface(names::INTERFACE).map(|interface| {
            let attachment = interface.attachment.as_ref()?;
            Some((attachment.instance_id.clone(), attachment.status, attachment.delete_on_termination))
        });
        let address = region.address(names::ALLOCATION).ok().and_then(|address| address.association.as_ref());
        Self { instances: instances.collect(), interface, address: address.map(|on| on.interface_id.clone()) }
    }

    fn changes(&self, now: &Self) -> Vec<(String, bool)> {
        let mut changes = Vec::new();
        for (id, (state, impaired)) in &now.instances {
            let Some((state_before, impaired_before)) = self.instances.get(id) else {
                changes.push((format!("{}: launched", role(id)), false));
                continue;
            };
            if state != state_before {
                changes.push((format!("{}: {} → {}", role(id), state_before.name(), state.name()), false));
            }
            if impaired != impaired_before && *state == InstanceState::Running {
                let what = if *impaired { "its status checks fail" } else { "its status checks pass" };
                changes.push((format!("{}: {what}", role(id)), *impaired));
            }
        }
        if self.interface != now.interface {
            changes.push(match &now.interface {
                None => ("interface: deleted".to_owned(), true),
                Some(None) => ("interface: free".to_owned(), false),
                Some(Some((id, status, _))) => {
                    let preposition = if *status == AttachmentStatus::Detaching { "from" } else { "to" };
                    (format!("interface: {} {preposition} the {}", status.name(), role(id)), false)
                }
            });
        }
        if self.address != now.address {
            changes.push(match now.address.as_deref() {
                Some(names::INTERFACE) => ("Elastic IP: on the interface".to_owned(), false),
                Some(other) => (format!("Elastic IP: on {other}"), false),
                None => ("Elastic IP: on nothing".to_owned(), false),
            });
        }
        changes
    }
}

/// The name of an instance in the drill.
pub(crate) fn role(id: &str) -> &str {
    match id {
        names::HOLDER => "holder",
        names::STANDBY => "standby",
        names::THIRD => "second standby",
        names::NON_MEMBER => "non-member",
        "i-0eeeeeeeeeeeeeee5" => "first replacement",
        "i-0fffffffffffffff6" => "second replacement",
        other => other,
    }
}

fn seen(observation: &Observation) -> (String, bool) {
    let mut readable = true;
    let interface = match &observation.interface {
        Reading::Known(None) => "no interface".to_owned(),
        Reading::Known(Some(interface)) => match &interface.attachment {
            None => "interface free".to_owned(),
            Some(attachment) => {
                let holder = attachment.instance_id.as_ref().map_or("something", |id| role(id.as_str()));
                format!("interface {} {holder}", attached(attachment.status))
            }
        },
        Reading::Unreadable(error) => {
            readable = false;
            format!("interface unreadable ({})", error.code.as_deref().unwrap_or("no answer"))
        }
    };
    let instances = match &observation.instances {
        Reading::Known(instances) => {
            let mut instances: Vec<_> = instances.iter().collect();
            instances.sort_by(|one, other| one.id.cmp(&other.id));
            let instances = instances
                .iter()
                .map(|instance| {
                    let impaired = instance.status_checks == Reading::Known(StatusChecks::Impaired);
                    let impaired = if impaired { ", impaired" } else { "" };
                    format!("{} {}{impaired}", role(instance.id.as_str()), instance.state)
                })
                .collect::<Vec<_>>();
            instances.join("; ")
        }
        Reading::Unreadable(error) => {
            readable = false;
            format!("instances unreadable ({})", error.code.as_deref().unwrap_or("no answer"))
        }
    };
    (format!("read EC2: {interface}; {instances}"), !readable)
}

fn attached(status: token_failover::model::observation::AttachmentStatus) -> &'static str {
    use token_failover::model::observation::AttachmentStatus::{Attached, Attaching, Detached, Detaching};
    match status {
        Attaching => "attaching to",
        Attached => "on",
        Detaching => "detaching from",
        Detached => "detached from",
    }
}

fn planned(plan: &Plan) -> String {
    match &plan.decision {
        Decision::Act(Action::Keep { reason }) => format!("decide: no move needed ({})", reason.code()),
        Decision::Act(Action::Refuse(refusal)) => format!("decide: refuse ({})", refusal.code()),
        Decision::Act(Action::CannotTell(error)) => format!("decide: nothing, EC2 cannot be read ({})", error.action),
        Decision::Act(Action::Move(planned)) => {
            let target = |target: &token_failover::model::plan::Target| {
                let and_start = if target.start { " and start it" } else { "" };
                format!("the {}{and_start}", role(target.attach.instance_id.as_str()))
            };
            let targets: Vec<String> = planned.targets.iter().map(target).collect();
            format!("decide: move the interface to {} ({})", targets.join(", else to "), planned.cause.code())
        }
        Decision::Act(Action::Start(start)) => {
            format!("decide: start the {} in place ({})", role(start.instance_id.as_str()), start.cause.code())
        }
        Decision::LookAgain { reason, at_most } => {
            let why = match reason {
                LookReason::EventDisagrees => "the event and EC2 disagree",
                LookReason::InterfaceInTransit => "the interface is in transit",
                LookReason::PrimaryNotReleased => "the primary interface is not free yet",
                LookReason::StandbyInTransit => "the standby is starting or stopping",
                LookReason::AnotherRunAtWork => "another run may be starting the standby",
                LookReason::AttachPending => "EC2 is still attaching the interface",
                LookReason::HolderStopping => "the holder is stopping and can be started only after that",
                LookReason::InterfaceMissing => "one answer does not prove that the interface is missing",
                LookReason::MemberMissing => "one answer does not prove that a member is missing",
            };
            format!("decide: read again for up to {} s: {why}", at_most.as_secs())
        }
    }
}

/// The intention of a step.
fn begun(step: Step, resource: &str) -> String {
    match step {
        Step::NoteDebt => "note on the interface that a report is pending".to_owned(),
        Step::CheckPermission => format!("check that the role may attach the interface to the {}", role(resource)),
        Step::Detach => "ask EC2 to detach the interface".to_owned(),
        Step::ForceDetach => "ask EC2 to detach the interface by force".to_owned(),
        Step::AwaitDetached => "wait until the interface is free".to_owned(),
        Step::Attach => format!("ask EC2 to attach the interface to the {}", target(resource)),
        Step::AwaitAttached => format!("wait until the interface is on the {}", target(resource)),
        Step::KeepOnTermination => "make sure that the interface survives its instance".to_owned(),
        Step::StartInstance => format!("ask EC2 to start the {}", role(resource)),
        Step::AwaitRunning => format!("wait until the {} runs", role(resource)),
        Step::DisassociateAddress => "take the Elastic IP from where it is".to_owned(),
        Step::AssociateAddress => "put the Elastic IP on the interface".to_owned(),
        Step::AuthorizeIngress => "open the ports in the security group".to_owned(),
        Step::Publish => "publish the report".to_owned(),
        Step::SettleDebt => "remove the note from the interface".to_owned(),
        Step::HandOverDebt => "leave the note for the next run".to_owned(),
        Step::NotePublished => "note on the interface what was published".to_owned(),
        Step::NoteArrival => "note on the interface that the move was made".to_owned(),
        Step::NoteLimits => "note on the interface how many interfaces the instance type can have".to_owned(),
        Step::Activate => format!("have Systems Manager activate the token server on the {}", role(resource)),
        Step::AwaitActivation => "wait until it is activated".to_owned(),
        Step::Probe => "try the ports of the token server".to_owned(),
        Step::CheckLicense => format!("have Systems Manager run lmstat on the {}", role(resource)),
        Step::NotePause => "note the pause on the interface".to_owned(),
        Step::CompleteLifecycleAction => format!("let Auto Scaling terminate the {}", role(resource)),
    }
}

/// The result of a step, unless it is obvious.
fn ended(record: &StepRecord) -> Option<String> {
    let resource = record.resource.as_str();
    let step = record.step.to_string().replace('-', " ");
    match (record.result, record.step) {
        (StepResult::Failed, _) => Some(match record.error.as_deref() {
            Some(error) => match code(error) {
                Some(code) => format!("{step} returned {code}"),
                None => format!("{step} failed: {}", message(error)),
            },
            None => format!("{step} failed"),
        }),
        (StepResult::Skipped, _) => Some(format!("{step}: already done")),
        (_, Step::CheckPermission) => Some("the role may".to_owned()),
        (_, Step::AwaitDetached) => Some("the interface is free".to_owned()),
        (_, Step::AwaitAttached) => Some(format!("the interface is on the {}", target(resource))),
        (_, Step::CheckLicense) => Some("licenses are served".to_owned()),
        (_, Step::AwaitRunning) => Some(format!("the {} runs", role(resource))),
        _ => None,
    }
}

/// The instance in a resource such as `eni-… to i-…`.
fn target(resource: &str) -> &str {
    role(resource.rsplit(' ').next().unwrap_or(resource))
}

/// EC2's code in an error such as `ec2:Action: Code: message (request …)`.
fn code(error: &str) -> Option<&str> {
    let mut parts = error.splitn(3, ": ");
    let (_, code, _) = (parts.next()?, parts.next()?, parts.next()?);
    (!code.contains(' ')).then_some(code)
}

/// The error of a call without the SDK's structure in parentheses, which only a programmer needs.
fn message(error: &str) -> &str {
    let message = error.split_once(": ").map_or(error, |(_, message)| message);
    message.split_once(" (").map_or(message, |(message, _)| message)
}
