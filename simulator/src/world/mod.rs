//! The world: EC2, SNS and Systems Manager as typed, synchronous rules. No wire, no runtime, no clock; time comes in as
//! data.
//!
//! The rules by subject: `interfaces`, `instances`, `instance_types`, `instance_attributes`, `addresses`, `rules`,
//! `groups`, `subnets`, `routes`, `network_acls`, `tags`, `topics`, `subscriptions`, `documents`, `managed_nodes`,
//! `commands`, and `token_servers`, which is what runs on the instances. `operations` ties each request to its answer;
//! `select` has ids, filters and pages. The values that they read and change are in `model`.

mod actors;
pub(crate) mod addresses;
pub(crate) mod commands;
pub(crate) mod documents;
pub(crate) mod groups;
pub(crate) mod instance_attributes;
pub(crate) mod instance_types;
pub(crate) mod instances;
pub(crate) mod interfaces;
pub(crate) mod managed_nodes;
pub(crate) mod network_acls;
mod operations;
pub(crate) mod routes;
pub(crate) mod rules;
pub(crate) mod select;
pub(crate) mod subnets;
pub(crate) mod subscriptions;
pub(crate) mod tags;
pub(crate) mod token_servers;
pub(crate) mod topics;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

pub use self::{
    addresses::{AddressView, AssociateAddress, Associated, DescribeAddresses, DisassociateAddress},
    commands::{GetCommandInvocation, InvocationView, SendCommand, SentCommand},
    documents::{DescribeDocument, DocumentView},
    groups::{DescribeSecurityGroups, PermissionView, SecurityGroupView},
    instance_attributes::{DescribeInstanceAttribute, InstanceAttributes},
    instance_types::DescribeInstanceTypes,
    instances::{
        DescribeInstanceStatus, DescribeInstances, InstanceStatusView, InstanceView, StartInstances, StateChange,
        StopInstances, TerminateInstances,
    },
    interfaces::{
        AttachNetworkInterface, Attached, DescribeNetworkInterfaces, DetachNetworkInterface, InterfaceAttribute,
        InterfaceView, ModifyNetworkInterfaceAttribute,
    },
    managed_nodes::{DescribeInstanceInformation, ManagedNode},
    network_acls::{DescribeNetworkAcls, NetworkAclView},
    operations::{Answer, Operation, Parameters, Request, Service},
    routes::{DescribeRouteTables, RouteTableView},
    rules::{
        AuthorizeSecurityGroupIngress, DescribeSecurityGroupRules, GetManagedPrefixListEntries, IpPermission, RuleView,
    },
    select::{Filter, Page, Selection},
    subnets::{DescribeSubnets, SubnetView},
    subscriptions::{GetTopicAttributes, ListSubscriptionsByTopic, TopicAttributes},
    tags::{CreateTags, DeleteTags},
    topics::{CreateTopic, Publish, Published},
};
/// What there is: the values that the operations read and change.
pub use crate::model::{
    Address, Agent, ApiError, Association, Assumptions, Attachment, AttachmentStatus, AutoRecovery, Capacity, Check,
    Command, CommandBehavior, CommandStatus, Document, Instance, InstanceState, InstanceType, Interface, Message,
    MessageAttribute, NetworkAcl, NetworkAclAssociation, NetworkAclEntry, Process, Refusal, Region, Route,
    RouteDestination, RouteState, RouteTable, RouteTableAssociation, RuleAction, RuleSource, SecurityGroup,
    SecurityGroupRule, Standing, StateReason, Subnet, Subscription, Timings, TokenServer,
};
use crate::model::{Commands, Documents, Ids, TokenServers, Topics};

/// The state of EC2 alone.
pub mod region {
    pub use crate::model::{
        Address, Association, Attachment, AttachmentStatus, AutoRecovery, Capacity, Check, Home, Instance,
        InstanceState, Interface, PrefixList, Region, RuleSource, SecurityGroup, SecurityGroupRule, StateReason, Tags,
    };
}

/// How many changes back the past can be read.
const HISTORY_LENGTH: usize = 512;

/// Tells the seed of the subscriptions' ids from the others.
const SUBSCRIPTIONS: u64 = 0x5b5c;
/// The same for the commands' ids.
const COMMANDS: u64 = 0xc033;

/// EC2, SNS and Systems Manager, for one account in one Region.
///
/// ```
/// use std::time::Duration;
/// use simulator::{names, world::{AttachNetworkInterface, DetachNetworkInterface}};
///
/// let mut world = simulator::pair().world();
/// let now = Duration::ZERO;
/// world.call(now, DetachNetworkInterface::of(names::ATTACHMENT))?;
/// world.call(now, AttachNetworkInterface::to(names::STANDBY, names::INTERFACE, 1))?;
/// assert_eq!(world.holder_of(names::INTERFACE), Some(names::STANDBY));
/// # Ok::<(), simulator::world::ApiError>(())
/// ```
#[derive(Debug, Clone)]
pub struct World {
    region: Region,
    topics: Topics,
    documents: Documents,
    commands: Commands,
    token_servers: TokenServers,
    ids: Ids,
    /// Of their own, so that a topic more does not change the names of everything else.
    subscription_ids: Ids,
    /// The same for commands.
    command_ids: Ids,
    now: Duration,
    /// What AWS will do by itself, by time and, within one moment, in the order in which it was begun.
    agenda: BTreeMap<(Duration, u64), Process>,
    begun: u64,
    /// The Region as it was until a moment, oldest first.
    past: VecDeque<(Duration, Region)>,
    revision: u64,
}

impl World {
    pub(crate) fn new(region: Region, seed: u64) -> Self {
        Self {
            region,
            topics: Topics::default(),
            documents: Documents::default(),
            commands: Commands::default(),
            token_servers: TokenServers::default(),
            ids: Ids::from_seed(seed),
            subscription_ids: Ids::from_seed(seed.rotate_left(32) ^ SUBSCRIPTIONS),
            command_ids: Ids::from_seed(seed.rotate_left(32) ^ COMMANDS),
            now: Duration::ZERO,
            agenda: BTreeMap::new(),
            begun: 0,
            past: VecDeque::new(),
            revision: 0,
        }
    }

    /// Lets time pass until `now`, then answers the request.
    ///
    /// `now` is the time since the start of the simulation; an earlier time than that of the call before is taken as
    /// the same time.
    pub fn call<O: Operation>(&mut self, now: Duration, operation: O) -> Result<O::Answer, ApiError> {
        let answer = self.answer(now, &operation.into())?;
        Ok(O::unwrap(answer).expect("a request is answered under its own name"))
    }

    /// The same for any request.
    pub fn answer(&mut self, now: Duration, request: &Request) -> Result<Answer, ApiError> {
        self.advance(now);
        request.perform(self)
    }

    /// The answer that EC2 would have given at an earlier time; changes are answered as always.
    pub(crate) fn answer_from_the_past(
        &mut self,
        now: Duration,
        age: Duration,
        request: &Request,
    ) -> Result<Answer, ApiError> {
        self.advance(now);
        match request.read(self.region_before(age)) {
            Some(answer) => answer,
            None => request.perform(self),
        }
    }

    /// The answer of EC2 while it finds no instance and no interface; changes are answered as always.
    pub(crate) fn answer_of_a_bare_region(&mut self, now: Duration, request: &Request) -> Result<Answer, ApiError> {
        self.advance(now);
        let bare = Region { instances: BTreeMap::new(), interfaces: BTreeMap::new(), ..self.region.clone() };
        match request.read(&bare) {
            Some(answer) => answer,
            None => request.perform(self),
        }
    }

    /// Does everything that is due until `now`.
    pub fn advance(&mut self, now: Duration) {
        while self.step(now).is_some() {}
        self.now = self.now.max(now);
    }

    /// Does the next thing that is due until `now`, at its own time.
    pub(crate) fn step(&mut self, now: Duration) -> Option<Process> {
        let entry = self.agenda.first_entry()?;
        let (due, _) = *entry.key();
        if due > now {
            return None;
        }
        let process = entry.remove();
        self.now = self.now.max(due);
        self.complete(&process);
        Some(process)
    }

    /// When something will happen by itself.
    pub fn next_due(&self) -> Option<Duration> {
        self.agenda.keys().next().map(|(due, _)| *due)
    }

    fn complete(&mut self, process: &Process) {
        match process {
            Process::Attach { attachment_id } => self.complete_attach(attachment_id),
            Process::Detach { attachment_id } => self.complete_detach(attachment_id),
            Process::Boot { instance_id, transition } => self.complete_boot(instance_id, *transition),
            Process::Checks { instance_id, transition } => self.complete_checks(instance_id, *transition),
            Process::Stop { instance_id, transition } => self.complete_stop(instance_id, *transition),
            Process::Terminate { instance_id, transition } => self.complete_terminate(instance_id, *transition),
            Process::Forget { instance_id } => {
                self.region_mut().instances.remove(instance_id);
            }
            Process::Deliver { command_id, instance_id } => self.deliver_command(command_id, instance_id),
            Process::Finish { command_id, instance_id } => self.finish_command(command_id, instance_id),
            Process::GiveUp { command_id, instance_id } => self.give_up_command(command_id, instance_id),
        }
    }

    fn begin(&mut self, takes: Duration, process: Process) {
        self.begun += 1;
        self.agenda.insert((self.now.saturating_add(takes), self.begun), process);
    }

    /// The virtual time of the last call or change.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Goes up with every change, whoever made it.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Every change of EC2's state goes through here, and so into the past.
    fn region_mut(&mut self) -> &mut Region {
        self.revision += 1;
        if self.past.back().is_none_or(|(until, _)| *until < self.now) {
            if self.past.len() == HISTORY_LENGTH {
                self.past.pop_front();
            }
            self.past.push_back((self.now, self.region.clone()));
        }
        &mut self.region
    }

    /// The Region as it was `age` ago, or at the beginning if there was no such time.
    fn region_before(&self, age: Duration) -> &Region {
        let then = self.now.checked_sub(age);
        let was_valid = |until: Duration| then.is_none_or(|then| until > then);
        self.past.iter().find(|(until, _)| was_valid(*until)).map_or(&self.region, |(_, region)| region)
    }

    fn topics_mut(&mut self) -> &mut Topics {
        self.revision += 1;
        &mut self.topics
    }

    pub fn interface(&self, id: &str) -> Option<&Interface> {
        self.region.interface(id).ok().map(|interface| &**interface)
    }

    pub fn attachment_of(&self, interface_id: &str) -> Option<&Attachment> {
        self.interface(interface_id)?.attachment.as_ref()
    }

    /// The instance to which the interface is attached, or is being attached or detached.
    pub fn holder_of(&self, interface_id: &str) -> Option<&str> {
        self.attachment_of(interface_id).map(|attachment| attachment.instance_id.as_str())
    }

    pub fn tag(&self, resource: &str, key: &str) -> Option<&str> {
        self.region.tags(resource).ok()?.get(key).map(String::as_str)
    }

    pub(crate) fn add_topic(&mut self, arn: &str, kms_master_key_id: Option<String>) {
        self.topics_mut().add(arn, kms_master_key_id);
    }

    /// What was published, in order.
    pub fn messages(&self) -> &[Message] {
        self.topics.messages()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{names, pair};

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn holder_seen(world: &mut World, now: Duration, age: Duration) -> Option<String> {
        let request = DescribeNetworkInterfaces::of(names::INTERFACE).into();
        let Ok(Answer::DescribeNetworkInterfaces(page)) = world.answer_from_the_past(now, age, &request) else {
            panic!("the interface is there");
        };
        page.items[0].attachment.as_ref().map(|attachment| attachment.instance_id.clone())
    }

    #[test]
    fn the_past_can_be_read_as_it_was() {
        let mut world = pair().timings(Timings { detach: seconds(2), ..Timings::default() }).world();
        world.call(seconds(10), DetachNetworkInterface::of(names::ATTACHMENT)).unwrap();
        world.call(seconds(20), AttachNetworkInterface::to(names::STANDBY, names::INTERFACE, 1)).unwrap();
        for (age, expected) in [
            (0, Some(names::STANDBY)),
            (10, Some(names::STANDBY)),
            (11, None),
            (18, None),
            (19, Some(names::HOLDER)),
            (30, Some(names::HOLDER)),
            (300, Some(names::HOLDER)),
        ] {
            assert_eq!(holder_seen(&mut world, seconds(30), seconds(age)).as_deref(), expected, "{age} s ago");
        }
    }

    #[test]
    fn a_change_is_never_made_in_the_past() {
        let mut world = pair().world();
        world.call(seconds(10), DetachNetworkInterface::of(names::ATTACHMENT)).unwrap();
        let attach = AttachNetworkInterface::to(names::STANDBY, names::INTERFACE, 1).into();
        world.answer_from_the_past(seconds(11), seconds(5), &attach).unwrap();
        assert_eq!(world.holder_of(names::INTERFACE), Some(names::STANDBY));
    }

    #[test]
    fn the_memory_of_the_past_is_bounded() {
        let mut world = pair().world();
        for n in 0..2 * HISTORY_LENGTH as u64 {
            world.call(seconds(n), CreateTags::on(names::INTERFACE, "n", n.to_string())).unwrap();
        }
        assert_eq!(world.past.len(), HISTORY_LENGTH);
    }

    #[test]
    fn time_never_goes_back() {
        let mut world = pair().timings(Timings { stop: seconds(5), ..Timings::default() }).world();
        world.advance(seconds(10));
        world.call(seconds(3), StopInstances::of(names::HOLDER)).unwrap();
        assert_eq!(world.now(), seconds(10));
        assert_eq!(world.next_due(), Some(seconds(15)));
    }

    #[test]
    fn the_same_seed_makes_the_same_world() {
        let run = |seed| {
            let mut world = pair().seed(seed).world();
            world.detach(names::INTERFACE).unwrap();
            world.call(seconds(1), AttachNetworkInterface::to(names::STANDBY, names::INTERFACE, 1)).unwrap()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn every_request_of_an_empty_world_is_answered() {
        let mut world = crate::Scenario::empty().world();
        let requests: [Request; 4] = [
            DescribeNetworkInterfaces::default().into(),
            DescribeInstances::default().into(),
            DescribeInstanceStatus::default().into(),
            DescribeAddresses::default().into(),
        ];
        for request in requests {
            world.answer(Duration::ZERO, &request).unwrap();
        }
    }

    /// A request that may or may not make sense.
    fn any_request(random: &mut Ids) -> Request {
        let mut one_of = |choices: &[&str]| choices[random.next() as usize % choices.len()].to_owned();
        let instances = [names::HOLDER, names::STANDBY, names::THIRD, "i-0aaaaaaaaaaaaaaa9"];
        let (instance_id, interface_id) = (
            one_of(&instances),
            one_of(&[names::INTERFACE, "eni-0ddddddddddddddd2", "eni-1aaaaaaaaaaaaaaa1", "eni-0"]),
        );
        let allocation_id = one_of(&[names::ALLOCATION, "eipalloc-0eeeeeeeeeeeeeee2"]);
        let attachment_id =
            one_of(&[names::ATTACHMENT, "eni-attach-1aaaaaaaaaaaaaaa1", "eni-attach-0ddddddddddddddd2"]);
        let flag = one_of(&["", "x"]).is_empty();
        match random.next() % 14 {
            12 => SendCommand::to(instance_id, names::DOCUMENT).into(),
            13 => DescribeInstanceInformation::of([instance_id]).into(),
            0..3 => AttachNetworkInterface::to(instance_id, interface_id, (random.next() % 3) as u32).into(),
            3 => DetachNetworkInterface { attachment_id, force: flag, dry_run: false }.into(),
            4 => StartInstances::of(instance_id).into(),
            5 => StopInstances::of(instance_id).into(),
            6 if random.next().is_multiple_of(20) => TerminateInstances::of(instance_id).into(),
            7 => AssociateAddress {
                allow_reassociation: Some(flag),
                ..AssociateAddress::with_interface(allocation_id, interface_id)
            }
            .into(),
            8 => DisassociateAddress::of(names::ASSOCIATION).into(),
            9 => CreateTags::on(interface_id, "k", instance_id).into(),
            10 => DescribeInstances::default().into(),
            _ => DescribeNetworkInterfaces::default().into(),
        }
    }

    /// What is true of EC2 whatever is called.
    fn check_laws(world: &World) {
        let region = world.region();
        let mut places = std::collections::BTreeSet::new();
        for interface in region.interfaces() {
            if let Some(attachment) = &interface.attachment {
                let place = (&attachment.instance_id, attachment.network_card_index, attachment.device_index);
                assert!(places.insert(place), "two at {attachment:?}");
                assert!(region.instance(&attachment.instance_id).is_ok(), "attached to nothing: {attachment:?}");
            }
            let addresses = region.addresses().filter(|address| {
                address.association.as_ref().is_some_and(|association| association.interface_id == interface.id)
            });
            assert!(addresses.count() <= 1, "two addresses on {}", interface.id);
        }
        for address in region.addresses() {
            if let Some(association) = &address.association {
                assert!(region.interface(&association.interface_id).is_ok(), "on nothing: {association:?}");
            }
        }
        assert!(region.interface(names::INTERFACE).is_ok(), "an interface that goes with no instance is never lost");
        for command in world.commands() {
            assert_eq!(command.status.is_over(), command.ended_at.is_some(), "{command:?}");
            assert!(command.started_at.is_none_or(|start| start >= command.sent_at), "{command:?}");
        }
        let address = std::net::SocketAddr::new(region.interfaces[names::INTERFACE].private_ip.into(), 27007);
        if world.answers(address).is_ok() {
            let attachment = world.attachment_of(names::INTERFACE).expect("what answers is attached");
            let instance = region.instance(&attachment.instance_id).expect("and to something");
            assert_eq!((attachment.status, instance.state), (AttachmentStatus::Attached, InstanceState::Running));
        }
    }

    #[test]
    fn whatever_is_called_the_world_stays_whole() {
        for seed in 0..200 {
            let mut random = Ids::from_seed(seed);
            let mut world = crate::trio()
                .seed(seed)
                .timings(Timings::realistic())
                .interface("eni-0ddddddddddddddd2", |interface| interface.on(names::THIRD, 1))
                .address("eipalloc-0eeeeeeeeeeeeeee2", |address| address)
                .world();
            let mut now = Duration::ZERO;
            for _ in 0..200 {
                now += Duration::from_millis(random.next() % 3000);
                let mut request = any_request(&mut random);
                // Half of the detaches name the attachment that is there.
                if let (Request::DetachNetworkInterface(detach), Some(attachment)) =
                    (&mut request, world.attachment_of(names::INTERFACE))
                    && now.as_millis().is_multiple_of(2)
                {
                    detach.attachment_id.clone_from(&attachment.id);
                }
                let revision = world.revision();
                world.advance(now);
                let settled = world.revision();
                assert!(settled >= revision);
                if world.answer(now, &request).is_err() {
                    assert_eq!(world.revision(), settled, "a refused request changes nothing: {request:?}");
                }
                check_laws(&world);
            }
        }
    }
}
