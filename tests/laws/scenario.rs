//! A scenario, drawn from a seed: a world, the faults of calls, the actions of others, and the invocations.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use simulator::world::region::Capacity;
use simulator::world::{Assumptions, Timings, World};
use simulator::{Disruption, Like, names};

use super::play::epoch;
use crate::dice::Dice;

pub(crate) const FOURTH: &str = "i-0ddddddddddddddd4";
/// The instance that Auto Scaling launches in place of a terminated one.
pub(crate) const REPLACEMENT: &str = "i-0eeeeeeeeeeeeeee5";
/// The instances that a group launches, in turn.
const LAUNCHED: [&str; 4] = [REPLACEMENT, "i-0fffffffffffffff6", "i-01111111111111117", "i-02222222222222228"];
/// The group of the members.
pub(crate) const GROUP: &str = names::AUTO_SCALING_GROUP;
pub(crate) const OTHER_ZONE: &str = "eu-west-1b";
pub(crate) const MEMBERS: [&str; 4] = [names::HOLDER, names::STANDBY, names::THIRD, FOURTH];

/// An attach that takes as long may outlast a run.
const SLOW_ATTACH: Duration = Duration::from_secs(60);

/// The tag of the members.
const KEY: &str = "token-server";
const VALUE: &str = "license-eu";

/// The kinds of scenarios.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// Only the holder fails, and there is one invocation.
    Ordinary,
    /// Only the holder fails, and several invocations overlap.
    Overlapping,
    /// Calls fail.
    FailingCalls,
    /// Invocations are killed.
    Killed,
    /// Others change the world.
    OtherActors,
    /// All of this at once.
    Storm,
}

impl Kind {
    fn has_faults(self) -> bool {
        matches!(self, Self::FailingCalls | Self::Storm)
    }

    fn has_kills(self) -> bool {
        matches!(self, Self::Killed | Self::Storm)
    }

    fn has_actors(self) -> bool {
        matches!(self, Self::OtherActors | Self::Storm)
    }
}

/// A scenario. The seed determines all of it.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) kind: Kind,
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) members: Vec<&'static str>,
    pub(crate) on_impaired: bool,
    pub(crate) start_standby: bool,
    pub(crate) may_force: bool,
    /// An attach takes a minute or more.
    pub(crate) attaches_slowly: bool,
    pub(crate) repairs_termination: bool,
    /// The limit on moves is zero.
    pub(crate) may_not_move: bool,
    /// At least one instance cannot be started.
    pub(crate) lacks_capacity: bool,
    pub(crate) device_index: u32,
    /// A standby that is already running needs activation.
    pub(crate) needs_activation: bool,
    /// A tag names the members.
    pub(crate) is_by_tag: bool,
    /// The members are in an Auto Scaling group.
    pub(crate) is_grouped: bool,
    /// A running holder that AWS is about to work on hands the interface over.
    pub(crate) on_announcement: bool,
    /// An operator pauses the function.
    pub(crate) pauses: bool,
    pub(crate) world: simulator::Scenario,
    /// The world in words, for the story.
    pub(crate) description: Vec<String>,
    pub(crate) faults: Faults,
    pub(crate) acts: Vec<Intervention>,
    pub(crate) entries: Vec<Entry>,
    /// The longest delay before a call and after it, in milliseconds.
    pub(crate) max_delay_ms: u64,
    /// The dice for everything that is drawn while the scenario is played.
    pub(crate) dice: Dice,
}

/// An action of another actor.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Start(&'static str),
    Stop(&'static str),
    Terminate(&'static str),
    Crash(&'static str),
    Impair(&'static str),
    Heal(&'static str),
    /// A volume stops completing reads and writes.
    LoseVolume(&'static str),
    Capacity(&'static str, Capacity),
    DetachByHand,
    AttachByHand(&'static str),
    TakeAddressOff,
    MoveAddressTo(&'static str),
    DeleteOnTermination,
    CloseTheGroup,
    DeleteInterface,
    /// Auto Scaling launches the replacement of this member.
    Replace(&'static str),
    /// The group replaces its instances, this one first.
    Refresh(&'static str),
    /// The group has one instance more than it should, and this one is to go.
    ScaleIn(&'static str),
    /// The group terminates this instance.
    TerminateInGroup(&'static str),
    /// AWS schedules this event for an instance, so many minutes after the beginning.
    Announce(&'static str, &'static str, i64),
}

/// An action with its time.
#[derive(Debug, Clone)]
pub(crate) enum Intervention {
    At(Duration, Act),
    Near { action: &'static str, nth: u64, before: bool, act: Act },
}

impl Act {
    pub(crate) fn perform(&self, world: &mut World, device_index: u32) {
        // If EC2 refuses the action, nothing happens.
        let _ = match self {
            Self::Start(id) => world.start(id),
            Self::Stop(id) => world.stop(id),
            Self::Terminate(id) => world.terminate(id),
            Self::Crash(id) => world.crash(id),
            Self::Impair(id) => world.set_checks(id, simulator::world::Check::Ok, simulator::world::Check::Impaired),
            Self::Heal(id) => world
                .set_checks(id, simulator::world::Check::Ok, simulator::world::Check::Ok)
                .and_then(|()| world.set_attached_ebs(id, Some(simulator::world::Check::Ok))),
            Self::LoseVolume(id) => world.set_attached_ebs(id, Some(simulator::world::Check::Impaired)),
            Self::Capacity(id, capacity) => world.set_capacity(id, *capacity),
            Self::DetachByHand => world.detach(names::INTERFACE),
            Self::AttachByHand(id) => world.attach(names::INTERFACE, id, device_index),
            Self::TakeAddressOff => world.disassociate(names::ALLOCATION),
            Self::MoveAddressTo(id) => {
                let interface = names::primary_interface_of(id);
                let associate = simulator::world::AssociateAddress::with_interface(names::ALLOCATION, interface);
                world.act(associate).map(drop)
            }
            Self::DeleteOnTermination => world.set_delete_on_termination(names::INTERFACE, true),
            Self::CloseTheGroup => world.revoke_rules(names::GROUP),
            Self::Replace(id) => world.launch(REPLACEMENT, id),
            Self::Refresh(id) => world.set_first_to_go(GROUP, &[id]).and_then(|()| world.start_instance_refresh(GROUP)),
            Self::ScaleIn(id) => {
                let fewer = world.group_members(GROUP).len().saturating_sub(1).max(1);
                world.set_first_to_go(GROUP, &[id]).and_then(|()| world.set_desired_capacity(GROUP, fewer))
            }
            Self::TerminateInGroup(id) => world.terminate_in_group(id),
            Self::Announce(id, code, minutes) => {
                world.schedule_event(id, code, &minutes_after_the_beginning(*minutes));
                Ok(())
            }
            Self::DeleteInterface => {
                world.delete_interface(names::INTERFACE);
                Ok(())
            }
        };
    }
}

/// A short name for an instance in a story.
pub(crate) fn called(id: &str) -> &str {
    match id {
        names::HOLDER => "A",
        names::STANDBY => "B",
        names::THIRD => "C",
        FOURTH => "D",
        REPLACEMENT => "E",
        "i-0fffffffffffffff6" => "F",
        "i-01111111111111117" => "G",
        "i-02222222222222228" => "H",
        names::NON_MEMBER => "the non-member",
        other => other,
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(id) => write!(f, "an operator starts {}", called(id)),
            Self::Stop(id) => write!(f, "an operator stops {}", called(id)),
            Self::Terminate(id) => write!(f, "an operator terminates {}", called(id)),
            Self::Crash(id) => write!(f, "{} hangs; its status checks fail", called(id)),
            Self::Impair(id) => write!(f, "the status checks of {} fail", called(id)),
            Self::Heal(id) => write!(f, "the status checks of {} pass", called(id)),
            Self::LoseVolume(id) => write!(f, "the attached EBS status check of {} fails", called(id)),
            Self::Capacity(id, capacity) => write!(f, "the capacity for {} is {capacity:?}", called(id)),
            Self::DetachByHand => write!(f, "an operator detaches the interface by hand"),
            Self::AttachByHand(id) => write!(f, "an operator attaches the interface to {} by hand", called(id)),
            Self::TakeAddressOff => write!(f, "an operator disassociates the Elastic IP"),
            Self::MoveAddressTo(id) => write!(f, "an operator moves the Elastic IP to {}", called(id)),
            Self::DeleteOnTermination => write!(f, "an operator sets DeleteOnTermination"),
            Self::CloseTheGroup => write!(f, "an operator revokes all rules of the security group"),
            Self::DeleteInterface => write!(f, "an operator deletes the interface"),
            Self::Replace(id) => write!(f, "Auto Scaling launches E in place of {}", called(id)),
            Self::Refresh(id) => write!(f, "the group replaces its instances, {} first", called(id)),
            Self::ScaleIn(id) => write!(f, "the group becomes smaller by {}", called(id)),
            Self::TerminateInGroup(id) => write!(f, "the group terminates {}", called(id)),
            Self::Announce(id, code, minutes) => {
                write!(f, "AWS schedules {code} for {} after {minutes} minutes", called(id))
            }
        }
    }
}

impl fmt::Display for Intervention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at, act) => write!(f, "after {at:?} {act}"),
            Self::Near { action, nth, before, act } => {
                write!(f, "right {} {action} number {nth} {act}", if *before { "before" } else { "after" })
            }
        }
    }
}

/// The faults of calls.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    pub(crate) denied: Vec<&'static str>,
    pub(crate) storms: Vec<Storm>,
    pub(crate) points: Vec<Point>,
    /// How long after a change a read may still return the state before it.
    pub(crate) stale: Option<Duration>,
}

impl Faults {
    /// The faults in words, for the story.
    pub(crate) fn lines(&self) -> Vec<String> {
        let denied = self.denied.iter().map(|action| format!("the role may not {action}"));
        let storms = self.storms.iter().map(|storm| {
            let Storm { over, from, until, percent, faults } = storm;
            format!("from {from:?} until {until:?}, {percent} % of {over:?}: {faults:?}")
        });
        let points = self.points.iter().map(|point| {
            let Point { action, first, last, fault } = point;
            format!("{action} number {first} to {last}: {fault:?}")
        });
        let stale = self.stale.iter().map(|stale| format!("answers may be old for {stale:?} after a change"));
        denied.chain(storms).chain(points).chain(stale).collect()
    }
}

/// A time during which a share of the calls fails.
#[derive(Debug, Clone)]
pub(crate) struct Storm {
    pub(crate) over: Over,
    pub(crate) from: Duration,
    pub(crate) until: Duration,
    pub(crate) percent: u64,
    pub(crate) faults: Vec<Fault>,
}

/// The calls of an action from number `first` to number `last` fail.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    pub(crate) action: &'static str,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) fault: Fault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    Everything,
    Reads,
    Changes,
    Sns,
    Action(&'static str),
}

impl Over {
    pub(crate) fn covers(self, action: &str) -> bool {
        let reads = action.starts_with("Describe") || action.starts_with("Get");
        match self {
            Self::Everything => true,
            Self::Reads => reads,
            Self::Changes => !reads && action != "Publish",
            Self::Sns => action == "Publish",
            Self::Action(one) => one == action,
        }
    }
}

/// A fault of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fault {
    Throttle,
    InternalError,
    Unavailable,
    DropBefore,
    DropAfter,
    Late,
    Hang,
    Slow,
    Nonsense,
    Stale,
    /// A read is answered as if the resource did not exist.
    Forgotten,
    Deny,
}

impl Fault {
    pub(crate) const TRANSIENT: [Self; 9] = [
        Self::Throttle,
        Self::InternalError,
        Self::Unavailable,
        Self::DropBefore,
        Self::DropAfter,
        Self::Late,
        Self::Hang,
        Self::Slow,
        Self::Nonsense,
    ];

    pub(crate) fn disruption(self, dice: &mut Dice) -> Disruption {
        match self {
            Self::Throttle => Disruption::Throttle,
            Self::InternalError => Disruption::internal_error(),
            Self::Unavailable => Disruption::error(503, "Unavailable"),
            Self::DropBefore => Disruption::DropBefore,
            Self::DropAfter => Disruption::DropAfter,
            Self::Late => Disruption::Late(dice.milliseconds(10, 15_000)),
            Self::Hang => Disruption::Hang,
            Self::Slow => Disruption::Slow(dice.milliseconds(50, 8_000)),
            Self::Nonsense => Disruption::Nonsense,
            Self::Stale => Disruption::Stale(dice.milliseconds(50, 5_000)),
            Self::Forgotten => Disruption::Forgotten,
            Self::Deny => Disruption::Deny,
        }
    }
}

/// One invocation, with its retries.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) at: Duration,
    pub(crate) what: Request,
    /// The time until its deadline.
    pub(crate) time: Duration,
    pub(crate) kill: Option<Kill>,
    /// Whether Lambda retries it after a failure, as it does with every event from EventBridge.
    pub(crate) retried: bool,
}

/// The request in an invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    State {
        instance: &'static str,
        state: &'static str,
    },
    Spot {
        instance: &'static str,
    },
    Alarm {
        instance: &'static str,
    },
    LifecycleAction {
        instance: &'static str,
    },
    Rebalance {
        instance: &'static str,
    },
    Schedule,
    Reconcile {
        dry_run: bool,
    },
    Plan,
    Audit,
    Failover {
        to: Option<&'static str>,
        dry_run: bool,
    },
    /// A pause that ends after this time.
    Pause {
        lasts: Duration,
    },
    Resume,
}

impl Request {
    pub(crate) fn is_dry(&self) -> bool {
        matches!(self, Self::Plan | Self::Reconcile { dry_run: true } | Self::Failover { dry_run: true, .. })
    }

    pub(crate) fn is_operators_failover(&self) -> bool {
        matches!(self, Self::Failover { dry_run: false, .. })
    }

    pub(crate) fn payload(&self, time: &str) -> Value {
        let event = |source: &str, kind: &str, detail: Value| {
            json!({
                "version": "0", "id": "9f6b3a52-0c1e-4d7a-8a3b-5e2f7c914d06", "account": names::ACCOUNT,
                "region": names::REGION, "resources": [], "time": time, "source": source, "detail-type": kind,
                "detail": detail,
            })
        };
        match self {
            Self::State { instance, state } => event(
                "aws.ec2",
                "EC2 Instance State-change Notification",
                json!({"instance-id": instance, "state": state}),
            ),
            Self::Spot { instance } => event(
                "aws.ec2",
                "EC2 Spot Instance Interruption Warning",
                json!({"instance-id": instance, "instance-action": "terminate"}),
            ),
            Self::Alarm { instance } => event(
                "aws.cloudwatch",
                "CloudWatch Alarm State Change",
                json!({
                    "state": {"value": "ALARM"},
                    "configuration": {"metrics": [
                        {"metricStat": {"metric": {"dimensions": {"InstanceId": instance}}}}
                    ]},
                }),
            ),
            Self::Rebalance { instance } => {
                event("aws.ec2", "EC2 Instance Rebalance Recommendation", json!({"instance-id": instance}))
            }
            Self::LifecycleAction { instance } => event(
                "aws.autoscaling",
                "EC2 Instance-terminate Lifecycle Action",
                json!({"EC2InstanceId": instance, "LifecycleActionToken": "0f1e2d3c", "LifecycleHookName": "any"}),
            ),
            Self::Schedule => event("aws.events", "Scheduled Event", json!({})),
            Self::Reconcile { dry_run } => json!({"action": "reconcile", "dryRun": dry_run}),
            Self::Plan => json!({"action": "plan"}),
            Self::Audit => json!({"action": "audit"}),
            Self::Pause { lasts } => {
                let now: DateTime<Utc> = time.parse().expect("a time");
                let until = now + TimeDelta::from_std(*lasts).expect("a short time");
                let until = until.to_rfc3339_opts(SecondsFormat::Secs, true);
                json!({"action": "pause", "until": until, "reason": "maintenance"})
            }
            Self::Resume => json!({"action": "resume"}),
            Self::Failover { to: Some(to), dry_run } => json!({"action": "failover", "to": to, "dryRun": dry_run}),
            Self::Failover { to: None, dry_run } => json!({"action": "failover", "dryRun": dry_run}),
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State { instance, state } => write!(f, "event: {} is {state}", called(instance)),
            Self::Spot { instance } => write!(f, "event: Spot interruption of {}", called(instance)),
            Self::Alarm { instance } => write!(f, "event: alarm about {}", called(instance)),
            Self::LifecycleAction { instance } => write!(f, "event: lifecycle action of {}", called(instance)),
            Self::Rebalance { instance } => write!(f, "event: rebalance recommendation for {}", called(instance)),
            Self::Schedule => write!(f, "schedule"),
            Self::Reconcile { dry_run: false } => write!(f, "reconcile"),
            Self::Reconcile { dry_run: true } => write!(f, "reconcile, dry run"),
            Self::Plan => write!(f, "plan"),
            Self::Audit => write!(f, "audit"),
            Self::Pause { lasts } => write!(f, "pause for {lasts:?}"),
            Self::Resume => write!(f, "resume"),
            Self::Failover { to, dry_run } => {
                write!(f, "operator's failover")?;
                if let Some(to) = to {
                    write!(f, " to {}", called(to))?;
                }
                if *dry_run { write!(f, ", dry run") } else { Ok(()) }
            }
        }
    }
}

/// The moment at which an invocation is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kill {
    After(Duration),
    /// Before its nth call is sent.
    BeforeCall(u64),
    /// When the answer to its nth call has arrived.
    AfterCall(u64),
    /// Right after its nth call has been sent. The call takes effect a little later.
    DuringCall(u64),
}

const CHANGES: [&str; 7] = [
    "CreateTags",
    "DetachNetworkInterface",
    "AttachNetworkInterface",
    "StartInstances",
    "DeleteTags",
    "Publish",
    "ModifyNetworkInterfaceAttribute",
];

const READS: [&str; 4] =
    ["DescribeNetworkInterfaces", "DescribeInstances", "DescribeInstanceStatus", "DescribeSecurityGroupRules"];

fn actions() -> Vec<&'static str> {
    [&CHANGES[..], &READS].concat()
}

/// A time of the world, in RFC 3339.
fn minutes_after_the_beginning(minutes: i64) -> String {
    (epoch() + TimeDelta::minutes(minutes)).to_rfc3339()
}

impl Scenario {
    /// `account`: what it has shown replaces what is drawn. `is_brief`: with short waits and few invocations, for the lane
    /// through the SDK, where a call takes longer.
    pub(crate) fn of(seed: u64, account: &Like, is_brief: bool) -> Self {
        let mut scenario = Self { seed, ..Generator::new(seed, is_brief).generate() };
        // These variations follow from the seed without the dice, so that older seeds keep their worlds.
        if seed % 13 == 9 {
            let dry = scenario.entries.iter_mut().filter(|entry| entry.what.is_dry());
            dry.for_each(|entry| entry.what = Request::Audit);
        }
        scenario.add_slow_attaches(is_brief);
        scenario.add_hanging_reads();
        scenario.add_single_wrong_answers();
        scenario.draw_attached_ebs();
        if seed % 7 == 6 {
            scenario.needs_activation = true;
            scenario.variables.push(("FAILOVER_ACTIVATION_DOCUMENT".to_owned(), names::DOCUMENT.to_owned()));
            scenario.description.push("a standby that is already running needs activation".to_owned());
            if seed.is_multiple_of(5) && scenario.kind.has_faults() {
                scenario.faults.denied.push("SendCommand");
            }
        }
        if seed % 9 == 4 {
            scenario.name_members_by_tag(is_brief);
        }
        // The check takes a while, and a run may die in it.
        if seed % 5 == 2 {
            let document = names::LICENSE_CHECK_DOCUMENT.to_owned();
            scenario.variables.push(("TOKEN_SERVER_LICENSE_CHECK_DOCUMENT".to_owned(), document));
            scenario.description.push("each move and each audit asks the license server".to_owned());
        }
        if seed % 16 == 7 {
            scenario.announce(is_brief);
        }
        if seed % 17 == 16 && !matches!(scenario.kind, Kind::Ordinary | Kind::Overlapping) {
            scenario.move_by_hand(is_brief);
        }
        if seed % 11 == 3 {
            scenario.pauses = true;
            scenario.description.push("an operator pauses the function".to_owned());
            scenario.draw_pauses(is_brief);
        }
        scenario.be_like(account);
        scenario
    }

    /// Replaces what was drawn by what an account has shown.
    fn be_like(&mut self, account: &Like) {
        self.world = self.world.clone().like(account);
        let words = |(name, value): (&str, String)| format!("{name} {value}");
        let assumptions = account.assumptions.iter().map(|(name, seen)| words((name, seen.to_string())));
        let timings = account.timings.iter().map(|(name, duration)| words((name, format!("{duration:?}"))));
        let shown: Vec<String> = assumptions.chain(timings).collect();
        if !shown.is_empty() {
            self.description.push(format!("as in the recorded account: {}", shown.join(", ")));
        }
        if let Some((_, attach)) = account.timings.iter().find(|(name, _)| *name == "attach") {
            self.attaches_slowly = *attach >= SLOW_ATTACH;
        }
    }

    /// An attach that takes up to ten minutes, or up to two if `is_brief`.
    fn add_slow_attaches(&mut self, is_brief: bool) {
        if self.seed % 17 == 13 && self.kind != Kind::Ordinary {
            let max = if is_brief { 120_000 } else { 600_000 };
            let attach = Dice::new(self.seed ^ 0xa77a).milliseconds(0, max);
            self.world = self.world.clone().with_timings(|timings| timings.attach = attach);
            self.attaches_slowly = attach >= SLOW_ATTACH;
            self.description.push(format!("an attach takes {attach:?}"));
        }
    }

    /// An operator, or Terraform, detaches the interface and attaches it to a member, and an audit runs.
    fn move_by_hand(&mut self, is_brief: bool) {
        let mut dice = Dice::new(self.seed ^ 0x7e44a);
        let at = dice.milliseconds(0, if is_brief { 5_000 } else { 120_000 });
        let until_attached = dice.milliseconds(0, if is_brief { 1_000 } else { 6_000 });
        let acts = [(at, Act::DetachByHand), (at + until_attached, Act::AttachByHand(dice.pick(&self.members)))];
        for (at, act) in acts {
            self.description.push(Intervention::At(at, act.clone()).to_string());
            self.acts.push(Intervention::At(at, act));
        }
        let at = dice.milliseconds(0, if is_brief { 10_000 } else { 600_000 });
        let time = Duration::from_secs(300);
        self.entries.push(Entry { at, what: Request::Audit, time, kill: None, retried: true });
    }

    /// AWS schedules events for members, and EC2 recommends to rebalance them. The holder hands over before.
    fn announce(&mut self, is_brief: bool) {
        self.on_announcement = true;
        self.variables.push(("FAILOVER_ON_ANNOUNCEMENT".to_owned(), "true".to_owned()));
        let mut dice = Dice::new(self.seed ^ 0xa55);
        let codes = ["instance-retirement", "instance-stop", "instance-reboot", "system-maintenance", "something-new"];
        let members: Vec<&'static str> = self.members.iter().filter(|id| MEMBERS.contains(id)).copied().collect();
        for (position, id) in members.iter().enumerate() {
            if dice.percent(50) {
                self.world = self.world.clone().instance(id, |spec| spec.spot());
            }
            if !dice.percent(if position == 0 { 75 } else { 40 }) {
                continue;
            }
            // The interface moves an hour before the date. The events of some members follow one another.
            let minutes = dice.pick(&[-30, 0, 30, 59, 60, 61, 62, 65, 70, 75, 90, 130, 300]);
            let code = dice.pick(&codes);
            if dice.percent(50) {
                let description = if dice.percent(15) { "[Completed] It is done" } else { "" };
                self.description.push(format!("{code} of {} is due after {minutes} minutes {description}", called(id)));
                let date = minutes_after_the_beginning(minutes);
                self.world = self.world.clone().instance(id, |spec| spec.scheduled_event(code, description, &date));
            } else {
                let at = dice.milliseconds(0, if is_brief { 5_000 } else { 60_000 });
                let act = Act::Announce(id, code, minutes);
                self.description.push(Intervention::At(at, act.clone()).to_string());
                self.acts.push(Intervention::At(at, act));
            }
        }
        for _ in 0..dice.between(1, if is_brief { 1 } else { 3 }) {
            let instance = if dice.percent(60) { members[0] } else { dice.pick(&members) };
            let what = if dice.percent(40) { Request::Rebalance { instance } } else { Request::Schedule };
            let at = dice.milliseconds(0, if is_brief { 10_000 } else { 600_000 });
            self.entries.push(Entry { at, what, time: Duration::from_secs(300), kill: None, retried: true });
        }
    }

    /// Reads that only the report needs are never answered.
    fn add_hanging_reads(&mut self) {
        if self.seed % 19 == 7 && self.kind.has_faults() {
            for action in ["DescribeSecurityGroupRules", "GetManagedPrefixListEntries", "DescribeAddresses"] {
                let point = Point { action, first: 1, last: u64::MAX, fault: Fault::Hang };
                self.faults.points.insert(0, point);
            }
        }
    }

    /// A few single reads find nothing, and EC2 denies the detach of an attachment that is gone, as it does for a role
    /// that is scoped by resource.
    fn add_single_wrong_answers(&mut self) {
        if matches!(self.seed % 23, 6 | 12) && self.kind.has_faults() {
            let mut dice = Dice::new(self.seed ^ 0xf097);
            for action in ["DescribeNetworkInterfaces", "DescribeInstances", "DescribeInstanceStatus"] {
                for _ in 0..dice.below(4) {
                    let nth = dice.pick(&[1, 1, 2, 3, 4, 5, 8, 13, 21]);
                    self.faults.points.insert(0, Point { action, first: nth, last: nth, fault: Fault::Forgotten });
                }
            }
            self.world = self.world.clone().with_assumptions(|assumed| assumed.gone_attachment_is_unauthorized = true);
        }
    }

    /// Sets the attached EBS status check. In one world of eleven, the impaired part is a volume. In two of eleven, the
    /// check of some members reports something that is not an objection.
    fn draw_attached_ebs(&mut self) {
        use simulator::world::Check::{Impaired, Initializing, InsufficientData, NotApplicable, Ok};
        let harmless = [None, Some(NotApplicable), Some(Initializing), Some(InsufficientData)];
        match self.seed % 11 {
            3 => {
                for intervention in &mut self.acts {
                    let (Intervention::At(_, act) | Intervention::Near { act, .. }) = intervention;
                    if let Act::Impair(id) = act {
                        *act = Act::LoseVolume(id);
                    }
                }
                for id in self.members.clone() {
                    self.description.push(format!("if a check of {} fails, it is the attached EBS one", called(id)));
                    self.world = self.world.clone().instance(id, |spec| {
                        if spec.is_impaired() { spec.checks(Ok, Ok).attached_ebs(Some(Impaired)) } else { spec }
                    });
                }
            }
            5 | 8 => {
                for (position, id) in self.members.clone().into_iter().enumerate() {
                    let check =
                        harmless[(usize::try_from(self.seed / 11 % 4).expect("few") + position) % harmless.len()];
                    self.description.push(format!("the attached EBS status check of {} is {check:?}", called(id)));
                    self.world = self.world.clone().instance(id, |spec| spec.attached_ebs(check));
                }
            }
            _ => {}
        }
    }

    /// A tag names the members, and Auto Scaling replaces a member.
    fn name_members_by_tag(&mut self, is_brief: bool) {
        self.is_by_tag = true;
        self.variables.retain(|(name, _)| name != "TOKEN_SERVER_INSTANCE_IDS");
        self.variables.push(("TOKEN_SERVER_INSTANCE_IDS".to_owned(), String::new()));
        self.variables.push(("TOKEN_SERVER_MEMBERS".to_owned(), format!("{KEY}={VALUE}")));
        self.description.push("a tag names the members".to_owned());
        for id in self.members.clone() {
            self.world = self.world.clone().instance(id, |spec| spec.tag(KEY, VALUE));
        }
        let mut dice = Dice::new(self.seed ^ 0x7a6);
        if self.seed % 18 == 13 {
            self.put_members_into_a_group(is_brief);
        } else if dice.percent(70) {
            let of = dice.pick(&self.members);
            let at = dice.milliseconds(0, if is_brief { 5_000 } else { 90_000 });
            let act = Act::Replace(of);
            self.description.push(Intervention::At(at, act.clone()).to_string());
            self.acts.push(Intervention::At(at, act));
            self.members.push(REPLACEMENT);
        }
    }

    /// The members are in an Auto Scaling group, which replaces what is lost, and is refreshed or scaled in.
    fn put_members_into_a_group(&mut self, is_brief: bool) {
        self.is_grouped = true;
        let mut dice = Dice::new(self.seed ^ 0x6a0);
        let count = self.members.len();
        let policy = dice.pick(&[None, Some((100, 150)), Some((100, 150)), Some((0, 100))]);
        let has_hook = dice.percent(85);
        let timeout = Duration::from_secs(dice.pick(&[30, 60, 120, 600, 3600]));
        let has_other_hook = has_hook && dice.percent(15);
        let members = self.members.clone();
        let launched = &LAUNCHED[..usize::try_from(dice.between(1, 4)).expect("few")];
        let warmup = dice.milliseconds(0, 60_000);
        self.description.push(format!(
            "{count} members are in a group, policy {policy:?}, hook {has_hook} ({timeout:?}), another hook \
             {has_other_hook}, warmup {warmup:?}, {} new instances",
            launched.len()
        ));
        self.world = self.world.clone().auto_scaling_group(GROUP, |group| {
            let group = group.members(members.clone()).size(1, count, count + 1).launches_in_turn(launched.to_vec());
            let group = group.launches(|spec| spec.tag(KEY, VALUE)).default_instance_warmup(warmup);
            let group = match policy {
                Some((min, max)) => group.maintenance_policy(min, max),
                None => group,
            };
            // Another hook ends by itself, long before everything is quiet.
            let group =
                if has_other_hook { group.termination_hook("ship-logs", Duration::from_secs(30)) } else { group };
            if has_hook { group.termination_hook("token-failover", timeout) } else { group }
        });
        let check = dice.milliseconds(1_000, 30_000);
        self.world = self.world.clone().with_timings(|timings| timings.group_check = check);
        let assumed = [(); 4].map(|()| dice.percent(30));
        self.world = self.world.clone().with_assumptions(|assumptions| {
            assumptions.replacement_waits_for_termination = assumed[0];
            assumptions.terminated_instance_skips_hooks = assumed[1];
            assumptions.maintenance_respects_maximum_size = assumed[2];
            assumptions.refresh_ignores_hooks = assumed[3];
        });
        for _ in 0..dice.between(1, 2) {
            let member = if dice.percent(60) { members[0] } else { dice.pick(&members) };
            let act = match dice.below(4) {
                0 => Act::Refresh(member),
                1 => Act::ScaleIn(member),
                _ => Act::TerminateInGroup(member),
            };
            let at = dice.milliseconds(0, if is_brief { 5_000 } else { 60_000 });
            self.description.push(Intervention::At(at, act.clone()).to_string());
            self.acts.push(Intervention::At(at, act));
        }
        for _ in 0..dice.between(1, if is_brief { 1 } else { 3 }) {
            let instance = if dice.percent(60) { members[0] } else { dice.pick(&members) };
            let what = if dice.percent(70) { Request::LifecycleAction { instance } } else { Request::Schedule };
            let at = dice.milliseconds(0, if is_brief { 10_000 } else { 90_000 });
            let kill = (self.kind.has_kills() && dice.percent(30)).then(|| match dice.below(3) {
                0 => Kill::BeforeCall(dice.between(1, 25)),
                1 => Kill::AfterCall(dice.between(1, 25)),
                _ => Kill::DuringCall(dice.between(1, 25)),
            });
            self.entries.push(Entry { at, what, time: Duration::from_secs(300), kill, retried: true });
        }
        if self.kind.has_faults() {
            let action =
                dice.pick(&["DescribeAutoScalingInstances", "DescribeLifecycleHooks", "CompleteLifecycleAction"]);
            let first = dice.pick(&[1, 1, 2, 3]);
            let last = first + dice.pick(&[0, 1, 5, 12]);
            self.faults.points.push(Point { action, first, last, fault: dice.pick(&Fault::TRANSIENT) });
        }
        self.members.extend(launched);
    }

    /// An operator pauses the function, and may resume it or change the end of the pause. It is invoked before, during
    /// and after the pause.
    fn draw_pauses(&mut self, is_brief: bool) {
        // Separate dice, for the same reason.
        let mut dice = Dice::new(self.seed ^ 0x7061_7573_6500);
        let time = Duration::from_secs(300);
        let has_kills = self.kind.has_kills();
        let kill = |dice: &mut Dice| {
            let dies = has_kills && dice.percent(30);
            dies.then(|| {
                if dice.percent(50) {
                    Kill::AfterCall(dice.between(1, 8))
                } else {
                    Kill::DuringCall(dice.between(1, 8))
                }
            })
        };
        let begins = dice.milliseconds(0, 30_000);
        let lasts = Duration::from_secs(dice.pick(&[5, 60, 300, 1_100, 1_500]));
        let within = |dice: &mut Dice| {
            begins + dice.milliseconds(1_000, u64::try_from(lasts.as_millis()).expect("short") + 60_000)
        };
        let mut entries = vec![(begins, Request::Pause { lasts })];
        match dice.below(5) {
            0 | 1 => entries.push((within(&mut dice), Request::Resume)),
            2 => {
                let lasts = Duration::from_secs(dice.pick(&[5, 300, 1_500]));
                entries.push((within(&mut dice), Request::Pause { lasts }));
            }
            _ => {}
        }
        for _ in 0..dice.between(1, if is_brief { 2 } else { 6 }) {
            let what = match dice.below(10) {
                0 => Request::Failover { to: None, dry_run: false },
                1 => Request::Audit,
                2 | 3 => Request::State { instance: names::HOLDER, state: "stopped" },
                4 => Request::Reconcile { dry_run: false },
                _ => Request::Schedule,
            };
            entries.push((within(&mut dice), what));
        }
        for (at, what) in entries {
            let retried = matches!(what, Request::State { .. } | Request::Schedule);
            let kill = kill(&mut dice);
            self.entries.push(Entry { at, what, time, kill, retried });
        }
    }

    pub(crate) fn is_member(&self, id: &str) -> bool {
        self.members.contains(&id)
    }
}

struct Generator {
    dice: Dice,
    description: Vec<String>,
    acts: Vec<Intervention>,
    lacks_capacity: bool,
    is_brief: bool,
}

/// The state of an instance at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Running,
    Impaired,
    Hung,
    Pending,
    Stopping,
    Stopped,
    ShuttingDown,
    Terminated,
}

impl Generator {
    fn new(seed: u64, is_brief: bool) -> Self {
        Self { dice: Dice::new(seed), description: Vec::new(), acts: Vec::new(), lacks_capacity: false, is_brief }
    }

    fn generate(mut self) -> Scenario {
        let kind = self.kind();
        let count = usize::try_from(self.dice.pick(&[2, 2, 2, 3, 3, 4])).expect("few");
        let members: Vec<&'static str> = MEMBERS[..count].to_vec();
        let device_index = u32::try_from(self.dice.pick(&[1, 1, 1, 2])).expect("few");
        let timings = self.timings();
        let world = self.world(kind, &members, device_index, timings);
        let (variables, flags) = self.configuration(&members, device_index);
        let entries = self.entries(kind, &members);
        let faults = if kind.has_faults() { self.faults() } else { Faults::default() };
        if kind.has_actors() {
            self.actors(&members);
        }
        let max_delay_ms = self.dice.pick(if self.is_brief { &[0, 0, 5, 5] } else { &[0, 0, 20, 200] });
        Scenario {
            seed: 0,
            kind,
            variables,
            members,
            on_impaired: flags.on_impaired,
            start_standby: flags.start_standby,
            may_force: flags.may_force,
            attaches_slowly: false,
            repairs_termination: flags.repairs_termination,
            may_not_move: flags.may_not_move,
            lacks_capacity: self.lacks_capacity,
            device_index,
            needs_activation: false,
            is_by_tag: false,
            is_grouped: false,
            on_announcement: false,
            pauses: false,
            world,
            description: self.description,
            faults,
            acts: self.acts,
            entries,
            max_delay_ms,
            dice: self.dice.split(),
        }
    }

    fn kind(&mut self) -> Kind {
        match self.dice.below(100) {
            0..3 => Kind::Ordinary,
            3..8 => Kind::Overlapping,
            8..35 => Kind::FailingCalls,
            35..50 => Kind::Killed,
            50..65 => Kind::OtherActors,
            _ => Kind::Storm,
        }
    }

    fn timings(&mut self) -> Timings {
        let chance = self.dice.below(if self.is_brief { 40 } else { 100 });
        let timings = match chance {
            0..30 => Timings::default(),
            30..60 => {
                let max = if self.is_brief { 150 } else { 600 };
                let mut quick = || self.dice.milliseconds(0, max);
                Timings {
                    call: quick() / 20,
                    detach: quick(),
                    attach: quick(),
                    boot: quick(),
                    checks: quick(),
                    stop: quick(),
                    shutdown: quick(),
                    release: quick(),
                    ..Timings::default()
                }
            }
            60..70 => Timings { checks: Duration::ZERO, ..Timings::realistic() },
            70..80 => Timings::realistic(),
            _ => {
                // Mostly short times, sometimes long ones.
                let mut up_to = |max: u64| {
                    let max = self.dice.between(0, max);
                    let max = self.dice.between(0, max);
                    self.dice.milliseconds(0, max)
                };
                Timings {
                    call: up_to(500),
                    detach: up_to(50_000),
                    attach: up_to(50_000),
                    boot: up_to(60_000),
                    checks: up_to(180_000),
                    stop: up_to(120_000),
                    shutdown: up_to(120_000),
                    release: up_to(60_000),
                    ..Timings::default()
                }
            }
        };
        self.description.push(format!("{timings:?}"));
        timings
    }

    fn world(
        &mut self,
        kind: Kind,
        members: &[&'static str],
        device_index: u32,
        timings: Timings,
    ) -> simulator::Scenario {
        use Condition::{Hung, Impaired, Pending, Running, ShuttingDown, Stopped, Stopping, Terminated};
        let plain = kind == Kind::Ordinary;
        let assumptions = if plain {
            Assumptions::default()
        } else {
            Assumptions {
                attach_deletes_on_termination: self.dice.percent(30),
                detach_in_every_state: self.dice.percent(50),
                status_shows_phases: self.dice.percent(30),
                in_use_is_invalid_value: self.dice.percent(30),
                wrong_state_is_incorrect_instance_state: self.dice.percent(30),
                forced_detach_blocks_index: self.dice.percent(20),
                ..Assumptions::default()
            }
        };
        self.description.push(format!("{assumptions:?}"));
        let mut world = simulator::pair().timings(timings).assumptions(assumptions);
        // The place of the interface.
        let place = if plain { 0 } else { self.dice.below(100) };
        let is_primary = (70..76).contains(&place);
        let holder = match place {
            0..70 => Some(members[0]),
            70..76 => Some(members[0]),
            76..79 => Some(names::NON_MEMBER),
            _ => None,
        };
        for (position, id) in members.iter().enumerate() {
            let holds = Some(*id) == holder;
            let condition = if plain && !holds {
                Running
            } else if holds {
                self.dice.pick(&[
                    Running,
                    Running,
                    Stopped,
                    Stopped,
                    Stopping,
                    ShuttingDown,
                    Terminated,
                    Impaired,
                    Hung,
                    Pending,
                ])
            } else {
                self.dice.pick(&[
                    Running, Running, Running, Running, Running, Running, Running, Running, Running, Running, Running,
                    Running, Stopped, Stopped, Stopped, Stopping, Pending, Impaired, Hung, Terminated,
                ])
            };
            let condition = if plain && holds { self.dice.pick(&[Stopped, Stopping, ShuttingDown]) } else { condition };
            let elsewhere = !plain && !holds && position > 0 && self.dice.percent(4);
            let is_full = !plain && !holds && self.dice.percent(4);
            let is_taken = !plain && !holds && self.dice.percent(4);
            let is_spot = self.dice.percent(20);
            let capacity = match self.dice.below(100) {
                0..8 if !plain => Capacity::RefusedAtOnce,
                8..16 if !plain => Capacity::LostLater,
                _ => Capacity::Available,
            };
            self.lacks_capacity |= capacity != Capacity::Available;
            self.description.push(format!(
                "{} is {condition:?}{}{}{}{}{}{}",
                called(id),
                if holds { ", and has the interface" } else { "" },
                if is_primary && holds { " as its primary one" } else { "" },
                if elsewhere { ", in another zone" } else { "" },
                if is_full { ", without room for an interface" } else { "" },
                if is_taken { ", with the device index taken" } else { "" },
                match capacity {
                    Capacity::Available => "",
                    Capacity::RefusedAtOnce => ", without capacity to start it",
                    Capacity::LostLater => ", without capacity after the start",
                },
            ));
            world = world.instance(id, |mut spec| {
                spec = match condition {
                    Running | Stopping | ShuttingDown | Terminated => spec,
                    Impaired => spec.impaired(),
                    Hung => spec.impaired().hung(),
                    Pending | Stopped => spec.stopped(),
                };
                if elsewhere {
                    spec = spec.zone(OTHER_ZONE, "subnet-0bbbbbbbbbbbbbbb2");
                }
                if is_full {
                    spec = spec.interface_limit(1 + usize::from(is_taken));
                }
                if is_spot {
                    spec = spec.spot();
                }
                if is_primary && holds {
                    spec = spec.without_primary();
                }
                spec.capacity(capacity)
            });
            if is_taken {
                let other = format!("eni-2{}", &id[3..]);
                world = world.interface(&other, |spec| spec.on(id, device_index));
            }
            let begin = match condition {
                Stopping => Some(Act::Stop(id)),
                Pending => Some(Act::Start(id)),
                ShuttingDown | Terminated => Some(Act::Terminate(id)),
                _ => None,
            };
            self.acts.extend(begin.map(|act| Intervention::At(Duration::ZERO, act)));
        }
        let deletes = !plain && !is_primary && self.dice.percent(10);
        let dies = self
            .acts
            .iter()
            .any(|intervention| matches!(intervention, Intervention::At(_, Act::Terminate(id)) if Some(*id) == holder));
        world = world.instance(names::NON_MEMBER, |spec| spec).interface(names::INTERFACE, |mut spec| {
            spec = match holder {
                Some(id) => spec.on(id, if is_primary { 0 } else { device_index }),
                None => spec.free(),
            };
            // EC2 would delete the interface with its terminated holder, and the scenario would end there.
            if deletes && !dies { spec.delete_on_termination() } else { spec }
        });
        match holder {
            Some(names::NON_MEMBER) => self.description.push("the interface is attached to a non-member".to_owned()),
            None => self.description.push("the interface is attached to nothing".to_owned()),
            _ => {}
        }
        if deletes && !dies {
            self.description.push("DeleteOnTermination is true".to_owned());
        }
        let address = if plain { 0 } else { self.dice.below(100) };
        match address {
            0..80 => {}
            80..88 => {
                self.description.push("the Elastic IP is not associated".to_owned());
                world = world.address(names::ALLOCATION, |spec| spec.free());
            }
            88..94 => {
                self.description.push("the Elastic IP is on B's primary interface".to_owned());
                world = world.address(names::ALLOCATION, |spec| spec.on(&names::primary_interface_of(names::STANDBY)));
            }
            _ => {
                self.description.push("the Elastic IP is with the non-member".to_owned());
                world =
                    world.address(names::ALLOCATION, |spec| spec.on(&names::primary_interface_of(names::NON_MEMBER)));
            }
        }
        if !plain && self.dice.percent(10) {
            self.description.push("the security group is closed".to_owned());
            world = world.security_group(names::GROUP, |group| group.no_rules());
        }
        world.seed(self.dice.next())
    }

    fn configuration(&mut self, members: &[&str], device_index: u32) -> (Vec<(String, String)>, Flags) {
        let flags = Flags {
            on_impaired: self.dice.percent(85),
            start_standby: self.dice.percent(85),
            may_force: self.dice.percent(85),
            repairs_termination: self.dice.percent(85),
            may_not_move: self.dice.percent(5),
        };
        let force = if flags.may_force { self.dice.pick(&[5, 5, 10, 30]) } else { 0 };
        let mut repair = vec!["elastic-ip"];
        if flags.repairs_termination {
            repair.push("delete-on-termination");
        }
        if self.dice.percent(30) {
            repair.push("security-group");
        }
        let limit = if flags.may_not_move { 0 } else { self.dice.pick(&[1, 2, 3, 3, 3, 12, 12]) };
        let mut variables = vec![
            ("TOKEN_SERVER_INTERFACE_ID", names::INTERFACE.to_owned()),
            ("TOKEN_SERVER_INSTANCE_IDS", members.join(",")),
            ("NOTIFICATION_TOPIC_ARN", names::TOPIC.to_owned()),
            ("TOKEN_SERVER_NAME", "license-eu".to_owned()),
            ("TOKEN_SERVER_PORTS", "27007-27008".to_owned()),
            ("TOKEN_SERVER_CLIENTS", "10.0.0.0/16".to_owned()),
            ("TOKEN_SERVER_DEVICE_INDEX", device_index.to_string()),
            ("FAILOVER_ON_IMPAIRED", flags.on_impaired.to_string()),
            ("FAILOVER_START_STANDBY", flags.start_standby.to_string()),
            ("FAILOVER_FORCE_DETACH_AFTER_SECONDS", force.to_string()),
            ("FAILOVER_MAX_MOVES_PER_HOUR", limit.to_string()),
            ("FAILOVER_REPAIR", repair.join(",")),
            ("AWS_REGION", names::REGION.to_owned()),
        ];
        if self.dice.percent(70) {
            variables.push(("TOKEN_SERVER_ALLOCATION_ID", names::ALLOCATION.to_owned()));
        }
        let words = variables[6..12].iter().map(|(name, value)| format!("{name}={value}"));
        self.description.push(words.collect::<Vec<_>>().join(" "));
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        (variables, flags)
    }

    fn request(&mut self, members: &[&'static str]) -> Request {
        let instance = if self.dice.percent(65) { members[0] } else { self.dice.pick(members) };
        match self.dice.below(100) {
            // If the event and EC2 disagree, the function reads EC2 again for ten seconds.
            0..40 if self.is_brief => Request::Schedule,
            0..55 => {
                let states = ["stopping", "stopped", "stopped", "shutting-down", "terminated", "running", "pending"];
                Request::State { instance, state: self.dice.pick(&states) }
            }
            55..60 => Request::Spot { instance },
            60..65 => Request::Alarm { instance },
            65..80 => Request::Schedule,
            80..84 => Request::Reconcile { dry_run: false },
            84..86 => Request::Reconcile { dry_run: true },
            86..89 => Request::Plan,
            89..91 => Request::Failover { to: None, dry_run: true },
            91..97 => Request::Failover { to: None, dry_run: false },
            _ => Request::Failover { to: Some(self.dice.pick(members)), dry_run: false },
        }
    }

    fn entries(&mut self, kind: Kind, members: &[&'static str]) -> Vec<Entry> {
        let time = |dice: &mut Dice| match dice.below(10) {
            0 => dice.milliseconds(1_000, 15_000),
            1 | 2 => dice.milliseconds(15_000, 90_000),
            _ => Duration::from_secs(300),
        };
        if kind == Kind::Ordinary {
            let time = Duration::from_secs(300);
            let at = self.dice.milliseconds(0, 3_000);
            return vec![Entry { at, what: Request::Schedule, time, kill: None, retried: true }];
        }
        let count =
            if self.is_brief { self.dice.pick(&[1, 1, 1, 2]) } else { self.dice.pick(&[1, 1, 1, 2, 2, 2, 3, 4, 5]) };
        let count = if kind == Kind::Overlapping { count.max(2) } else { count };
        let spread = self.dice.pick(&[10, 500, 5_000, 60_000, 60_000]);
        let mut entries: Vec<Entry> = Vec::new();
        for _ in 0..count {
            let at = self.dice.milliseconds(0, spread);
            let repeats = !entries.is_empty() && self.dice.percent(35);
            let what = if repeats { self.dice.pick(&entries).what } else { self.request(members) };
            let retried = !matches!(what, Request::Failover { .. } | Request::Plan | Request::Reconcile { .. });
            let time = if kind == Kind::Overlapping { Duration::from_secs(300) } else { time(&mut self.dice) };
            let kill = (kind.has_kills() && self.dice.percent(if entries.is_empty() { 90 } else { 50 })).then(|| {
                match self.dice.below(6) {
                    0 | 1 => Kill::After(self.dice.milliseconds(0, 40_000)),
                    2 => Kill::BeforeCall(self.dice.between(1, 25)),
                    3 | 4 => Kill::AfterCall(self.dice.between(1, 25)),
                    _ => Kill::DuringCall(self.dice.between(1, 25)),
                }
            });
            entries.push(Entry { at, what, time, kill, retried });
        }
        if !self.is_brief && self.dice.percent(20) {
            for minute in 1..=self.dice.between(1, 3) {
                let at = Duration::from_secs(60 * minute);
                let time = Duration::from_secs(300);
                entries.push(Entry { at, what: Request::Schedule, time, kill: None, retried: true });
            }
        }
        entries
    }

    fn faults(&mut self) -> Faults {
        let mut faults = Faults::default();
        if self.dice.percent(8) {
            faults.denied.push(self.dice.pick(&actions()));
        }
        for _ in 0..self.dice.below(3) {
            let over = match self.dice.below(6) {
                0 => Over::Everything,
                1 => Over::Reads,
                2 => Over::Changes,
                3 => Over::Sns,
                _ => Over::Action(self.dice.pick(&actions())),
            };
            let from = self.dice.milliseconds(0, 30_000);
            let from = if self.dice.percent(50) { Duration::ZERO } else { from };
            let length = match (over, self.dice.below(4)) {
                (Over::Sns, 0) => Duration::from_secs(3600),
                (_, 0) => self.dice.milliseconds(60_000, 400_000),
                _ => self.dice.milliseconds(100, 60_000),
            };
            let percent = self.dice.pick(&[5, 20, 50, 100]);
            let kinds =
                if self.dice.percent(60) { vec![self.dice.pick(&Fault::TRANSIENT)] } else { Fault::TRANSIENT.to_vec() };
            // Short storms cost fewer calls.
            let (from, length) = if self.is_brief { (from / 20, length / 50) } else { (from, length) };
            faults.storms.push(Storm { over, from, until: from + length, percent, faults: kinds });
        }
        if faults.storms.is_empty() {
            let until = Duration::from_secs(if self.is_brief { 5 } else { 120 });
            let percent = self.dice.pick(&[2, 5, 10]);
            let kinds = vec![self.dice.pick(&Fault::TRANSIENT)];
            faults.storms.push(Storm { over: Over::Everything, from: Duration::ZERO, until, percent, faults: kinds });
        }
        for _ in 0..self.dice.between(1, 4) {
            let action = if self.dice.percent(75) { self.dice.pick(&CHANGES) } else { self.dice.pick(&actions()) };
            let first = self.dice.pick(&[1, 1, 1, 1, 2, 2, 3, 7]);
            let length = self.dice.pick(&[1, 1, 2, 5, 6, 12]);
            let fault = self.dice.pick(&Fault::TRANSIENT);
            faults.points.push(Point { action, first, last: first + length - 1, fault });
        }
        if self.dice.percent(30) {
            faults.stale = Some(self.dice.milliseconds(200, 5_000));
        }
        faults
    }

    fn actors(&mut self, members: &[&'static str]) {
        for _ in 0..self.dice.between(1, 3) {
            let member = if self.dice.percent(40) { members[0] } else { self.dice.pick(members) };
            let act = match self.dice.below(20) {
                0..3 => Act::Start(member),
                3..5 => Act::Stop(member),
                5..7 => Act::Terminate(member),
                7 => Act::Crash(member),
                8 | 9 => Act::Impair(member),
                10 => Act::Heal(member),
                11 => Act::Capacity(member, Capacity::RefusedAtOnce),
                12 => Act::DetachByHand,
                13 | 14 => Act::AttachByHand(member),
                15 => {
                    if self.dice.percent(80) {
                        Act::AttachByHand(names::NON_MEMBER)
                    } else {
                        Act::DeleteInterface
                    }
                }
                16 => Act::TakeAddressOff,
                17 => Act::MoveAddressTo(self.dice.pick(&[names::STANDBY, names::NON_MEMBER])),
                18 => Act::DeleteOnTermination,
                _ => Act::CloseTheGroup,
            };
            let intervention = if self.dice.percent(40) {
                Intervention::At(self.dice.milliseconds(0, 60_000), act)
            } else {
                let action = self.dice.pick(&actions());
                Intervention::Near {
                    action,
                    nth: self.dice.pick(&[1, 1, 2, 2, 3, 5, 8]),
                    before: self.dice.percent(50),
                    act,
                }
            };
            self.acts.push(intervention);
        }
    }
}

struct Flags {
    on_impaired: bool,
    start_standby: bool,
    may_force: bool,
    repairs_termination: bool,
    may_not_move: bool,
}
