//! Instances: describe, status checks, start, stop, terminate.

use std::{collections::BTreeSet, net::Ipv4Addr, ops::Deref, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use super::{
    interfaces::InterfaceView,
    kinds::{Ask, Change, Read},
    parameters::Parameters,
    select::{self, Facts, FilterTable, Filterable, Page, Selection, maybe, one},
    state::World,
};
use crate::{
    model::{
        ApiError, Attachment, AttachmentStatus, Capacity, Check, CommandBehavior, Home, Instance, InstanceState,
        Interface, LaunchTemplate, Process, Region, StateReason, Subnet, Tags,
    },
    names,
};

/// The time for which a terminated instance can be described: "usually less than one hour" ("Terminate Amazon EC2
/// instances", EC2 User Guide).
const TERMINATED_VISIBLE_FOR: Duration = Duration::from_secs(3600);

/// An instance as in a Describe call: with its interfaces, the primary one first.
#[derive(Debug, Clone)]
pub struct InstanceView {
    pub instance: Arc<Instance>,
    pub interfaces: Vec<InterfaceView>,
    pub(crate) home: Arc<Home>,
}

impl Deref for InstanceView {
    type Target = Instance;

    fn deref(&self) -> &Instance {
        &self.instance
    }
}

impl InstanceView {
    pub(crate) fn of(region: &Region, instance: &Arc<Instance>) -> Self {
        let interfaces = region.interfaces_of(&instance.id);
        Self {
            interfaces: interfaces.into_iter().map(|interface| InterfaceView::of(region, interface)).collect(),
            instance: instance.clone(),
            home: region.home.clone(),
        }
    }

    /// The value of the primary interface (assumed). A terminated instance has none.
    pub fn source_dest_check(&self) -> Option<bool> {
        self.primary().map(|primary| primary.source_dest_check)
    }

    /// When it was started last.
    pub fn launch_time(&self) -> DateTime<Utc> {
        self.home.time(self.launched_at)
    }

    /// The address, the groups and similar values of an instance are those of its primary interface.
    pub fn primary(&self) -> Option<&InterfaceView> {
        self.interfaces.iter().find(|interface| interface.attachment.as_ref().is_some_and(Attachment::is_primary))
    }
}

/// The filters of DescribeInstances in the service model that apply to a simulated instance. Those that begin with
/// `network-interface.` apply to its interfaces.
impl Filterable for InstanceView {
    const FILTERS: FilterTable<Self> = &[
        ("availability-zone", |instance| one(&instance.availability_zone)),
        ("instance-id", |instance| one(&instance.id)),
        ("instance-lifecycle", |instance| maybe(instance.spot.then_some("spot"))),
        ("instance-state-code", |instance| one(instance.state.code())),
        ("instance-state-name", |instance| one(instance.state.name())),
        ("instance-type", |instance| one(&instance.instance_type)),
        ("instance.group-id", |instance| instance.primary().map(|eni| eni.groups.clone()).unwrap_or_default()),
        ("instance.group-name", |instance| instance.primary().map(|eni| eni.group_names.clone()).unwrap_or_default()),
        ("ip-address", |instance| {
            maybe(instance.primary().and_then(InterfaceView::association).map(|(address, _)| address.public_ip))
        }),
        ("launch-time", |instance| one(instance.home.timestamp(instance.launched_at))),
        ("maintenance-options.auto-recovery", |instance| one(instance.auto_recovery.name())),
        ("owner-id", |instance| one(&instance.home.account)),
        ("private-ip-address", |instance| maybe(instance.primary().map(|eni| eni.private_ip))),
        ("source-dest-check", |instance| maybe(instance.source_dest_check())),
        ("state-reason-code", |instance| maybe(instance.state_reason.as_ref().map(|reason| reason.code))),
        ("subnet-id", |instance| one(&instance.subnet_id)),
        ("vpc-id", |instance| one(&instance.vpc_id)),
    ];

    fn tags(&self) -> &Tags {
        &self.tags
    }

    fn facts(filter: &str) -> Option<Facts<Self>> {
        match filter.strip_prefix("network-interface.") {
            None => select::plain_facts(filter),
            Some(filter) => {
                let facts = InterfaceView::facts(filter)?;
                Some(Box::new(move |instance| instance.interfaces.iter().flat_map(&facts).collect()))
            }
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct DescribeInstances {
    pub selection: Selection,
    pub dry_run: bool,
}

impl DescribeInstances {
    pub fn of<I: Into<String>>(ids: impl IntoIterator<Item = I>) -> Self {
        Self { selection: Selection::ids(ids), dry_run: false }
    }
}

impl Ask for DescribeInstances {
    fn dry_run(&self) -> bool {
        self.dry_run
    }

    fn parameters(&self) -> Parameters {
        self.selection.parameters("InstanceId")
    }
}

impl Read for DescribeInstances {
    type Answer = Page<InstanceView>;

    fn read(&self, region: &Region) -> Result<Self::Answer, ApiError> {
        let view = |instance| InstanceView::of(region, instance);
        let chosen = select::choose(&self.selection, |id| region.instance(id), region.instances(), view)?;
        self.selection.paginate(chosen, 5..=1000, &region.assumptions)
    }
}

/// An instance as in DescribeInstanceStatus.
#[derive(Debug, Clone)]
pub struct InstanceStatusView {
    pub instance: Arc<Instance>,
}

impl Deref for InstanceStatusView {
    type Target = Instance;

    fn deref(&self) -> &Instance {
        &self.instance
    }
}

/// The filters of DescribeInstanceStatus in the service model, which has none on tags.
impl Filterable for InstanceStatusView {
    const FILTERS: FilterTable<Self> = &[
        ("attached-ebs-status.status", |instance| maybe(instance.attached_ebs().map(Check::name))),
        ("availability-zone", |instance| one(&instance.availability_zone)),
        ("instance-state-code", |instance| one(instance.state.code())),
        ("instance-state-name", |instance| one(instance.state.name())),
        ("instance-status.reachability", |instance| maybe(instance.checks().1.reachability())),
        ("instance-status.status", |instance| one(instance.checks().1.name())),
        ("system-status.reachability", |instance| maybe(instance.checks().0.reachability())),
        ("system-status.status", |instance| one(instance.checks().0.name())),
    ];

    fn tags(&self) -> &Tags {
        &self.tags
    }

    fn facts(filter: &str) -> Option<Facts<Self>> {
        if filter.starts_with("tag") { None } else { select::plain_facts(filter) }
    }
}

#[derive(Debug, Clone, Default)]
pub struct DescribeInstanceStatus {
    pub selection: Selection,
    pub include_all_instances: bool,
    pub dry_run: bool,
}

impl DescribeInstanceStatus {
    /// The status of these instances in any state.
    pub fn of<I: Into<String>>(ids: impl IntoIterator<Item = I>) -> Self {
        Self { selection: Selection::ids(ids), include_all_instances: true, dry_run: false }
    }
}

impl Ask for DescribeInstanceStatus {
    fn dry_run(&self) -> bool {
        self.dry_run
    }

    fn parameters(&self) -> Parameters {
        self.selection
            .parameters("InstanceId")
            .and_if_any("IncludeAllInstances", self.include_all_instances.then_some(true))
    }
}

impl Read for DescribeInstanceStatus {
    type Answer = Page<InstanceStatusView>;

    /// "By default, only running instances are described, unless you specifically indicate to return the status of
    /// all instances" (service model, DescribeInstanceStatus).
    fn read(&self, region: &Region) -> Result<Self::Answer, ApiError> {
        let view = |instance: &Arc<Instance>| InstanceStatusView { instance: instance.clone() };
        let mut chosen = select::choose(&self.selection, |id| region.instance(id), region.instances(), view)?;
        chosen.retain(|instance| self.include_all_instances || instance.state == InstanceState::Running);
        self.selection.paginate(chosen, 5..=1000, &region.assumptions)
    }
}

/// The answer of StartInstances, StopInstances and TerminateInstances for each instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChange {
    pub instance_id: String,
    pub previous: InstanceState,
    pub current: InstanceState,
}

macro_rules! instance_change {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default)]
        pub struct $name {
            pub instance_ids: Vec<String>,
            pub dry_run: bool,
        }

        impl $name {
            pub fn of(id: impl Into<String>) -> Self {
                Self { instance_ids: vec![id.into()], dry_run: false }
            }
        }

        impl Ask for $name {
            fn dry_run(&self) -> bool {
                self.dry_run
            }

            fn parameters(&self) -> Parameters {
                Parameters::default().and_list("InstanceId", &self.instance_ids)
            }
        }
    };
}

instance_change!(StartInstances);
instance_change!(
    /// `Force` and `SkipOsShutdown` are accepted on the wire and have no effect. A stop takes
    /// [`Timings::stop`](super::Timings).
    StopInstances
);
instance_change!(TerminateInstances);

impl Change for StartInstances {
    type Answer = Vec<StateChange>;

    fn check(&self, world: &World) -> Result<(), ApiError> {
        check_instances(world, &self.instance_ids)
    }

    /// Only a stopped instance can be started. A pending or running one stays as it is.
    ///
    /// Assumed: the latter, and that one instance that cannot be started fails the whole request.
    fn change(&self, world: &mut World) -> Result<Self::Answer, ApiError> {
        change_state(world, &self.instance_ids, |instance| match instance.state {
            InstanceState::Stopped if instance.capacity == Capacity::RefusedAtOnce => Err(no_capacity(instance)),
            InstanceState::Stopped => Ok(Some(InstanceState::Pending)),
            InstanceState::Pending | InstanceState::Running => Ok(None),
            _ => Err(not_in_state(instance, "started")),
        })
    }
}

impl Change for StopInstances {
    type Answer = Vec<StateChange>;

    fn check(&self, world: &World) -> Result<(), ApiError> {
        check_instances(world, &self.instance_ids)
    }

    /// Assumed: a pending instance cannot be stopped, and a repeated stop is accepted.
    fn change(&self, world: &mut World) -> Result<Self::Answer, ApiError> {
        change_state(world, &self.instance_ids, |instance| match instance.state {
            InstanceState::Running => Ok(Some(InstanceState::Stopping)),
            InstanceState::Stopping | InstanceState::Stopped => Ok(None),
            _ => Err(not_in_state(instance, "stopped")),
        })
    }
}

impl Change for TerminateInstances {
    type Answer = Vec<StateChange>;

    fn check(&self, world: &World) -> Result<(), ApiError> {
        check_instances(world, &self.instance_ids)
    }

    /// "This operation is idempotent; if you terminate an instance more than once, each call succeeds". If one of them
    /// has termination protection, "the request reports failure": then "the specified instances that are in the same
    /// Availability Zone as the protected instance are not terminated", the others are (service model,
    /// TerminateInstances). The code: "Error codes for the Amazon EC2 API", `OperationNotPermitted`.
    fn change(&self, world: &mut World) -> Result<Self::Answer, ApiError> {
        let terminate = |world: &mut World, ids: &[String]| {
            change_state(world, ids, |instance| match instance.state {
                InstanceState::ShuttingDown | InstanceState::Terminated => Ok(None),
                _ => Ok(Some(InstanceState::ShuttingDown)),
            })
        };
        let instances: Vec<&Arc<Instance>> =
            self.instance_ids.iter().map(|id| world.region().instance(id)).collect::<Result<_, _>>()?;
        let Some(protected) = instances.iter().find(|instance| instance.disable_api_termination) else {
            return terminate(world, &self.instance_ids);
        };
        let error = ApiError::client(
            "OperationNotPermitted",
            format!(
                "The instance '{}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try \
                 again.",
                protected.id
            ),
        );
        let is_kept =
            |zone: &str| instances.iter().any(|other| other.disable_api_termination && other.availability_zone == zone);
        let others: Vec<String> = instances
            .iter()
            .filter(|instance| !is_kept(&instance.availability_zone))
            .map(|instance| instance.id.clone())
            .collect();
        terminate(world, &others)?;
        Err(error)
    }
}

fn check_instances(world: &World, ids: &[String]) -> Result<(), ApiError> {
    if ids.is_empty() {
        return Err(ApiError::missing_parameter("InstanceId"));
    }
    ids.iter().try_for_each(|id| world.region().instance(id).map(drop))
}

fn not_in_state(instance: &Instance, participle: &str) -> ApiError {
    ApiError::incorrect_instance_state(format!(
        "The instance '{}' is not in a state from which it can be {participle}.",
        instance.id
    ))
}

/// A server error: "accompanied by a 500-series HTTP response code".
fn no_capacity(instance: &Instance) -> ApiError {
    ApiError::new(
        500,
        "InsufficientInstanceCapacity",
        format!(
            "We currently do not have sufficient {} capacity in the Availability Zone you requested ({}).",
            instance.instance_type, instance.availability_zone
        ),
    )
}

/// Decides about all instances first, and then changes them.
fn change_state(
    world: &mut World,
    ids: &[String],
    next: impl Fn(&Instance) -> Result<Option<InstanceState>, ApiError>,
) -> Result<Vec<StateChange>, ApiError> {
    let mut changes = Vec::with_capacity(ids.len());
    for id in ids {
        let instance = world.region().instance(id)?;
        let previous = instance.state;
        changes.push(StateChange { instance_id: id.clone(), previous, current: next(instance)?.unwrap_or(previous) });
    }
    for change in changes.iter().filter(|change| change.current != change.previous) {
        world.enter(&change.instance_id, change.current)?;
    }
    Ok(changes)
}

impl World {
    /// Launches an instance like another one, with its type, its place and its tags. It is `pending` for as long as any boot
    /// takes. `like` may be terminated.
    ///
    /// # Errors
    ///
    /// If `like` does not exist, or an instance with the new id does.
    pub fn launch(&mut self, instance_id: &str, like: &str) -> Result<(), ApiError> {
        let instance = Instance::clone(self.region.instance(like)?);
        let subnet_id = instance.subnet_id.clone();
        let template = LaunchTemplate {
            id: String::new(),
            name: String::new(),
            version: 1,
            instance,
            groups: vec![names::DEFAULT_GROUP.to_owned()],
            source_dest_check: true,
            primary_delete_on_termination: true,
        };
        self.launch_from(instance_id, &subnet_id, &template)
    }

    /// Launches an instance from a template. It has the template's tags, but not those of AWS.
    pub(crate) fn launch_from(
        &mut self,
        instance_id: &str,
        subnet_id: &str,
        template: &LaunchTemplate,
    ) -> Result<(), ApiError> {
        if self.region.instance(instance_id).is_ok() {
            return Err(ApiError::client("IdempotentParameterMismatch", format!("{instance_id} exists already")));
        }
        let subnet = self.region.subnet(subnet_id)?.clone();
        let (host, private_ip) = self.free_address(&subnet);
        let primary = Interface {
            id: names::primary_interface_of(instance_id),
            mac_address: format!("02:00:00:00:02:{host:02x}"),
            private_ip,
            description: String::new(),
            availability_zone: subnet.availability_zone.clone(),
            subnet_id: subnet.id.clone(),
            vpc_id: subnet.vpc_id.clone(),
            groups: template.groups.clone(),
            source_dest_check: template.source_dest_check,
            attachment: Some(Attachment {
                id: format!("eni-attach-1{}", instance_id.trim_start_matches("i-0")),
                instance_id: instance_id.to_owned(),
                device_index: 0,
                network_card_index: 0,
                status: AttachmentStatus::Attached,
                attached_at: self.now,
                delete_on_termination: template.primary_delete_on_termination,
            }),
            tags: Tags::new(),
        };
        let mut instance = Instance {
            id: instance_id.to_owned(),
            availability_zone: subnet.availability_zone.clone(),
            subnet_id: subnet.id.clone(),
            vpc_id: subnet.vpc_id.clone(),
            capacity: Capacity::Available,
            scheduled_events: Vec::new(),
            hung: false,
            command_behavior: CommandBehavior::default(),
            blocked_indexes: BTreeSet::new(),
            ..template.instance.clone()
        };
        instance.tags.retain(|key, _| !key.starts_with("aws:"));
        let region = self.region_mut();
        region.instances.insert(instance_id.to_owned(), Arc::new(instance));
        region.interfaces.insert(primary.id.clone(), Arc::new(primary));
        self.enter(instance_id, InstanceState::Pending)
    }

    /// An address of the subnet that no interface has, and its last number, from 100.
    fn free_address(&self, subnet: &Subnet) -> (u8, Ipv4Addr) {
        let network = u32::from(subnet.cidr_block.network());
        (100..=254)
            .map(|host| (host, Ipv4Addr::from(network + u32::from(host))))
            .find(|(_, address)| !self.region.interfaces().any(|interface| interface.private_ip == *address))
            .expect("a world has fewer than 150 launched instances in a subnet at a time")
    }

    /// Puts an instance into a transitional state and begins the process that ends it.
    pub(crate) fn enter(&mut self, id: &str, state: InstanceState) -> Result<(), ApiError> {
        let (now, timings) = (self.now, self.region.timings);
        if state != InstanceState::Pending {
            self.fail_commands_on(id);
        }
        let instance = self.region_mut().instance_mut(id)?;
        let reason = (state != InstanceState::Pending).then_some(StateReason::USER_SHUTDOWN);
        instance.enter(state, reason);
        let (instance_id, transition) = (id.to_owned(), instance.transition);
        if state == InstanceState::Pending {
            instance.launched_at = now;
        }
        self.send_instance_state(id, state);
        match state {
            InstanceState::Pending => {
                self.begin(timings.boot, Process::Boot { instance_id, transition });
            }
            InstanceState::Stopping => self.begin(timings.stop, Process::Stop { instance_id, transition }),
            InstanceState::ShuttingDown => {
                self.begin(timings.shutdown, Process::Terminate { instance_id, transition });
            }
            InstanceState::Running | InstanceState::Stopped | InstanceState::Terminated => {}
        }
        Ok(())
    }

    /// The instance, unless it has changed its state since.
    fn in_transition(&mut self, id: &str, transition: u32) -> Option<&mut Instance> {
        let unchanged = self.region.instance(id).is_ok_and(|instance| instance.transition == transition);
        if unchanged { self.region_mut().instance_mut(id).ok() } else { None }
    }

    /// The instance runs, usually on another host ("Stop and start Amazon EC2 instances", EC2 User Guide): its checks
    /// begin again, and its device indexes are free.
    ///
    /// Assumed: it no longer hangs.
    pub(crate) fn complete_boot(&mut self, id: &str, transition: u32) {
        let checks_take = self.region.timings.checks;
        let Some(instance) = self.in_transition(id, transition) else { return };
        if instance.capacity == Capacity::LostLater {
            instance.enter(InstanceState::Stopped, Some(StateReason::NO_CAPACITY));
            self.send_instance_state(id, InstanceState::Stopped);
            return;
        }
        if instance.volume_locked {
            instance.enter(InstanceState::Stopped, Some(StateReason::VOLUME_LOCKED));
            self.send_instance_state(id, InstanceState::Stopped);
            return;
        }
        instance.enter(InstanceState::Running, None);
        instance.hung = false;
        instance.blocked_indexes.clear();
        (instance.system_check, instance.instance_check) = (Check::Initializing, Check::Initializing);
        instance.attached_ebs_check = instance.attached_ebs_check.map(|_| Check::Initializing);
        let transition = instance.transition;
        self.send_instance_state(id, InstanceState::Running);
        self.start_token_server_at_boot(id);
        if checks_take.is_zero() {
            self.complete_checks(id, transition);
        } else {
            self.begin(checks_take, Process::Checks { instance_id: id.to_owned(), transition });
        }
    }

    /// Checks that a test has set meanwhile stay as they are.
    pub(crate) fn complete_checks(&mut self, id: &str, transition: u32) {
        let Some(instance) = self.in_transition(id, transition) else { return };
        let attached_ebs = instance.attached_ebs_check.as_mut();
        for check in [&mut instance.system_check, &mut instance.instance_check].into_iter().chain(attached_ebs) {
            if *check == Check::Initializing {
                *check = Check::Ok;
            }
        }
    }

    /// A stopped instance keeps its interfaces ("Stop and start Amazon EC2 instances", EC2 User Guide).
    ///
    /// Assumed: a hanging detach ends.
    pub(crate) fn complete_stop(&mut self, id: &str, transition: u32) {
        let detach_takes = self.region.timings.detach;
        let Some(instance) = self.in_transition(id, transition) else { return };
        let was_hung = instance.hung;
        instance.enter(InstanceState::Stopped, Some(StateReason::USER_SHUTDOWN));
        self.send_instance_state(id, InstanceState::Stopped);
        if was_hung {
            for attachment_id in self.attachments_of(id, |status| status == AttachmentStatus::Detaching) {
                self.begin(detach_takes, Process::Detach { attachment_id });
            }
        }
    }

    /// Interfaces with DeleteOnTermination are deleted with the instance. The others, including the primary one, become
    /// `available` some time later. Until then they are `in-use` (public issues: AndrewGuenther/fck-nat#43,
    /// hashicorp/terraform-provider-aws#27513).
    pub(crate) fn complete_terminate(&mut self, id: &str, transition: u32) {
        let release_takes = self.region.timings.release;
        let Some(instance) = self.in_transition(id, transition) else { return };
        instance.enter(InstanceState::Terminated, Some(StateReason::USER_SHUTDOWN));
        self.send_instance_state(id, InstanceState::Terminated);
        let interfaces: Vec<_> = self.region.interfaces_of(id).into_iter().cloned().collect();
        for interface in interfaces {
            let Some(attachment) = &interface.attachment else { continue };
            if attachment.delete_on_termination {
                self.region_mut().delete_interface(&interface.id);
            } else if self.mark_detaching(&interface.id).is_ok() {
                self.begin(release_takes, Process::Detach { attachment_id: attachment.id.clone() });
            }
        }
        self.begin(release_takes + TERMINATED_VISIBLE_FOR, Process::Forget { instance_id: id.to_owned() });
    }

    fn attachments_of(&self, id: &str, wanted: impl Fn(AttachmentStatus) -> bool) -> Vec<String> {
        self.region
            .interfaces_of(id)
            .into_iter()
            .filter_map(|interface| interface.attachment.as_ref())
            .filter(|attachment| wanted(attachment.status))
            .map(|attachment| attachment.id.clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        names, pair,
        world::{AttachNetworkInterface, AutoRecovery, DescribeNetworkInterfaces, DetachNetworkInterface, Timings},
    };

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn code<T: std::fmt::Debug>(result: Result<T, ApiError>) -> String {
        result.unwrap_err().code.into_owned()
    }

    fn state(world: &mut World, now: Duration, id: &str) -> InstanceState {
        world.call(now, DescribeInstances::of([id])).unwrap().items[0].state
    }

    #[test]
    fn every_phase_can_be_seen() {
        let timings = Timings { boot: seconds(8), stop: seconds(6), shutdown: seconds(8), ..Timings::default() };
        let mut world = pair().timings(timings).world();
        let answer = world.act(StopInstances::of(names::HOLDER)).unwrap();
        assert_eq!(
            answer,
            [StateChange {
                instance_id: names::HOLDER.to_owned(),
                previous: InstanceState::Running,
                current: InstanceState::Stopping
            }]
        );
        assert_eq!(state(&mut world, seconds(5), names::HOLDER), InstanceState::Stopping);
        assert_eq!(state(&mut world, seconds(6), names::HOLDER), InstanceState::Stopped);
        world.start(names::HOLDER).unwrap();
        assert_eq!(state(&mut world, seconds(13), names::HOLDER), InstanceState::Pending);
        assert_eq!(state(&mut world, seconds(14), names::HOLDER), InstanceState::Running);
        world.terminate(names::HOLDER).unwrap();
        assert_eq!(state(&mut world, seconds(21), names::HOLDER), InstanceState::ShuttingDown);
        assert_eq!(state(&mut world, seconds(22), names::HOLDER), InstanceState::Terminated);
        assert_eq!(state(&mut world, seconds(3621), names::HOLDER), InstanceState::Terminated);
        let gone = world.call(seconds(3622), DescribeInstances::of([names::HOLDER]));
        assert_eq!(code(gone), "InvalidInstanceID.NotFound");
    }

    #[test]
    fn a_dead_or_dying_instance_neither_starts_nor_stops() {
        let mut world = pair().timings(Timings { shutdown: seconds(8), ..Timings::default() }).world();
        world.terminate(names::HOLDER).unwrap();
        for now in [seconds(1), seconds(9)] {
            world.advance(now);
            assert_eq!(code(world.start(names::HOLDER)), "IncorrectInstanceState");
            assert_eq!(code(world.stop(names::HOLDER)), "IncorrectInstanceState");
            world.terminate(names::HOLDER).unwrap();
        }
    }

    #[test]
    fn a_pending_stop_is_dropped_when_the_instance_is_terminated() {
        let mut world =
            pair().timings(Timings { stop: seconds(6), shutdown: seconds(1), ..Timings::default() }).world();
        world.stop(names::HOLDER).unwrap();
        world.terminate(names::HOLDER).unwrap();
        assert_eq!(state(&mut world, seconds(10), names::HOLDER), InstanceState::Terminated);
    }

    #[test]
    fn no_instance_is_started_if_one_cannot_be() {
        let mut world = crate::cold_standby().instance(names::THIRD, |instance| instance.terminated()).world();
        let ids = [names::STANDBY, names::THIRD].map(str::to_owned).to_vec();
        assert_eq!(code(world.act(StartInstances { instance_ids: ids, dry_run: false })), "IncorrectInstanceState");
        assert_eq!(state(&mut world, seconds(1), names::STANDBY), InstanceState::Stopped);
        assert_eq!(code(world.act(StartInstances::default())), "MissingParameter");
    }

    #[test]
    fn capacity_can_be_missing_at_once_or_later() {
        let mut world = crate::cold_standby().timings(Timings { boot: seconds(8), ..Timings::default() }).world();
        world.set_capacity(names::STANDBY, Capacity::RefusedAtOnce).unwrap();
        let error = world.start(names::STANDBY).unwrap_err();
        assert_eq!((error.status, &*error.code), (500, "InsufficientInstanceCapacity"));

        world.set_capacity(names::STANDBY, Capacity::LostLater).unwrap();
        world.start(names::STANDBY).unwrap();
        assert_eq!(state(&mut world, seconds(7), names::STANDBY), InstanceState::Pending);
        let described = world.call(seconds(8), DescribeInstances::of([names::STANDBY])).unwrap().items.remove(0);
        assert_eq!(described.state, InstanceState::Stopped);
        assert_eq!(described.state_reason, Some(StateReason::NO_CAPACITY));
    }

    #[test]
    fn an_instance_whose_volume_is_locked_stops_again_and_says_why() {
        let locked = crate::cold_standby().instance(names::STANDBY, |standby| standby.volume_locked());
        let mut world = locked.timings(Timings { boot: seconds(8), ..Timings::default() }).world();
        world.start(names::STANDBY).unwrap();
        assert_eq!(state(&mut world, seconds(7), names::STANDBY), InstanceState::Pending);
        let described = world.call(seconds(8), DescribeInstances::of([names::STANDBY])).unwrap().items.remove(0);
        let seen = (described.state, described.state_reason.clone());
        assert_eq!(seen, (InstanceState::Stopped, Some(StateReason::VOLUME_LOCKED)));
    }

    #[test]
    fn termination_deletes_some_interfaces_and_frees_the_others_after_a_while() {
        let timings = Timings { shutdown: seconds(8), release: seconds(4), ..Timings::default() };
        let mut world = pair().instance(names::HOLDER, |instance| instance.keeps_primary()).timings(timings).world();
        let primary = names::primary_interface_of(names::HOLDER);
        world.terminate(names::HOLDER).unwrap();
        world.advance(seconds(11));
        for id in [names::INTERFACE, primary.as_str()] {
            assert_eq!(world.holder_of(id), Some(names::HOLDER));
        }
        let early = world.attach(names::INTERFACE, names::STANDBY, 1);
        assert_eq!(code(early), "InvalidNetworkInterface.InUse");
        // A secondary interface that is being released can be detached any number of times; a primary one cannot.
        world.act(DetachNetworkInterface::of(names::ATTACHMENT)).unwrap();
        let primary_attachment = world.attachment_of(&primary).unwrap().id.clone();
        assert_eq!(code(world.act(DetachNetworkInterface::of(primary_attachment))), "OperationNotPermitted");

        world.advance(seconds(12));
        for id in [names::INTERFACE, primary.as_str()] {
            assert_eq!(world.holder_of(id), None);
        }
        assert_eq!(
            world.region().address_on(world.interface(names::INTERFACE).unwrap()).unwrap().allocation_id,
            names::ALLOCATION
        );
        world.act(AttachNetworkInterface::to(names::STANDBY, names::INTERFACE, 1)).unwrap();
    }

    #[test]
    fn an_interface_that_goes_with_its_instance_is_gone_for_good_and_its_address_is_free() {
        let mut world = pair().interface(names::INTERFACE, |interface| interface.delete_on_termination()).world();
        world.terminate(names::HOLDER).unwrap();
        world.advance(seconds(1));
        let gone = world.act(DescribeNetworkInterfaces::of(names::INTERFACE));
        assert_eq!(code(gone), "InvalidNetworkInterfaceID.NotFound");
        assert_eq!(world.region().address(names::ALLOCATION).unwrap().association, None);
        assert!(world.interface(&names::primary_interface_of(names::HOLDER)).is_none());
    }

    #[test]
    fn only_running_instances_have_status_checks() {
        let mut world = crate::cold_standby().instance(names::HOLDER, |instance| instance.impaired()).world();
        let status =
            |world: &mut World, now, request: DescribeInstanceStatus| -> Vec<(String, &str, &str, Option<&str>)> {
                let page = world.call(now, request).unwrap();
                page.items
                    .iter()
                    .map(|instance| {
                        let (system, own) = instance.checks();
                        (instance.id.clone(), system.name(), own.name(), instance.attached_ebs().map(Check::name))
                    })
                    .collect()
            };
        let expected = [
            (names::HOLDER.to_owned(), "ok", "impaired", Some("ok")),
            (names::STANDBY.to_owned(), "not-applicable", "not-applicable", Some("not-applicable")),
        ];
        assert_eq!(status(&mut world, seconds(0), DescribeInstanceStatus::default()), expected[..1]);
        let all = DescribeInstanceStatus { include_all_instances: true, ..DescribeInstanceStatus::default() };
        assert_eq!(status(&mut world, seconds(0), all), expected);
    }

    #[test]
    fn an_instance_that_hides_its_attached_ebs_check_goes_on_hiding_it_and_is_healthy_without() {
        let mut world = pair().instance(names::HOLDER, |instance| instance.attached_ebs(None)).world();
        let seen = |world: &World| {
            let holder = world.region().instance(names::HOLDER).unwrap();
            (holder.attached_ebs(), holder.is_impaired())
        };
        assert_eq!(seen(&world), (None, false));
        world.stop(names::HOLDER).unwrap();
        world.advance(seconds(1));
        world.start(names::HOLDER).unwrap();
        world.advance(seconds(600));
        assert_eq!(seen(&world), (None, false));
        world.set_attached_ebs(names::HOLDER, Some(Check::Impaired)).unwrap();
        assert_eq!(seen(&world), (Some(Check::Impaired), true));
        world.stop(names::HOLDER).unwrap();
        world.advance(seconds(1200));
        assert_eq!(seen(&world), (Some(Check::NotApplicable), false));
    }

    #[test]
    fn a_started_instance_is_initializing_first_and_healthy_then() {
        let timings = Timings { checks: seconds(60), ..Timings::default() };
        let mut world = pair().instance(names::HOLDER, |instance| instance.impaired().hung()).timings(timings).world();
        world.stop(names::HOLDER).unwrap();
        world.advance(seconds(1));
        world.start(names::HOLDER).unwrap();
        let checks = |world: &mut World, now| {
            world.advance(now);
            let holder = world.region().instance(names::HOLDER).unwrap();
            (holder.checks(), holder.attached_ebs(), holder.is_impaired())
        };
        let all = |check| ((check, check), Some(check), false);
        assert_eq!(checks(&mut world, seconds(60)), all(Check::Initializing));
        assert_eq!(checks(&mut world, seconds(61)), all(Check::Ok));
        assert!(!world.region().instance(names::HOLDER).unwrap().hung);
    }

    #[test]
    fn auto_scaling_launches_an_instance_like_another_one() {
        let new = "i-0eeeeeeeeeeeeeee5";
        let timings = Timings { boot: Duration::from_secs(8), ..Timings::default() };
        let mut world = pair().instance(names::HOLDER, |holder| holder.tag("a", "b")).timings(timings).world();
        world.terminate(names::HOLDER).unwrap();
        world.advance(Duration::from_secs(60));
        world.launch(new, names::HOLDER).unwrap();
        let state = |world: &World| world.region().instance(new).unwrap().state;
        assert_eq!(state(&world), InstanceState::Pending);
        world.advance(Duration::from_secs(68));
        assert_eq!(state(&world), InstanceState::Running);
        let page =
            world.act(DescribeInstances { selection: Selection::filter("tag:a", ["b"]), dry_run: false }).unwrap();
        let found: Vec<(&str, Duration, usize)> =
            page.items.iter().map(|one| (one.id.as_str(), one.launched_at, one.interfaces.len())).collect();
        // EC2 still shows the terminated one.
        assert_eq!(found, [(names::HOLDER, Duration::ZERO, 0), (new, Duration::from_secs(60), 1)]);
        assert!(world.launch(new, names::HOLDER).is_err() && world.launch("i-0eeeeeeeeeeeeeee6", "i-09").is_err());
    }

    #[test]
    fn instances_are_found_by_their_properties_and_those_of_their_interfaces() {
        let mut world = pair()
            .instance(names::STANDBY, |instance| {
                instance.auto_recovery(AutoRecovery::Disabled).without_source_dest_check()
            })
            .world();
        for (name, value, expected) in [
            ("network-interface.network-interface-id", names::INTERFACE, vec![names::HOLDER]),
            ("network-interface.attachment.device-index", "0", vec![names::HOLDER, names::STANDBY]),
            ("network-interface.addresses.private-ip-address", names::PRIVATE_IP, vec![names::HOLDER]),
            ("instance-state-name", "running", vec![names::HOLDER, names::STANDBY]),
            ("instance-state-code", "80", vec![]),
            ("instance-id", names::STANDBY, vec![names::STANDBY]),
            ("maintenance-options.auto-recovery", "disabled", vec![names::STANDBY]),
            ("source-dest-check", "false", vec![names::STANDBY]),
            // The group of the license interface is not a group of the instance.
            ("instance.group-id", names::GROUP, vec![]),
        ] {
            let describe = DescribeInstances { selection: Selection::filter(name, [value]), dry_run: false };
            let found = world.act(describe).unwrap().items;
            assert_eq!(found.iter().map(|instance| instance.id.as_str()).collect::<Vec<_>>(), expected, "{name}");
        }
        let unknown = Selection::filter("network-interface.colour", ["red"]);
        let describe = DescribeInstances { selection: unknown, dry_run: false };
        assert_eq!(code(world.act(describe)), "InvalidParameterValue");
    }
}
