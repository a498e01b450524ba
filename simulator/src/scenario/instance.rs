//! Instances of a scenario.

use std::{collections::BTreeSet, time::Duration};

use super::{interface::attachment_id_for, network};
use crate::{
    model::{
        Agent, Attachment, AttachmentStatus, AutoRecovery, Capacity, Check, CommandBehavior, Instance, InstanceState,
        InstanceType, Interface, LaunchTemplate, Lmutil, Region, ScheduledEvent, Tags, TokenServer,
    },
    names,
};

/// The prefix of instance types that exist only for their number of interfaces.
pub(super) const MADE_UP_TYPE: &str = "simulated.";

/// An instance of a [`Scenario`](super::Scenario).
#[derive(Debug, Clone)]
pub struct InstanceSpec {
    pub(super) id: String,
    position: usize,
    state: InstanceState,
    checks: (Check, Check),
    attached_ebs: Option<Check>,
    scheduled_events: Vec<ScheduledEvent>,
    pub(super) instance_type: String,
    pub(super) availability_zone: String,
    pub(super) subnet_id: String,
    pub(super) vpc_id: String,
    spot: bool,
    hung: bool,
    capacity: Capacity,
    volume_locked: bool,
    auto_recovery: AutoRecovery,
    disable_api_termination: bool,
    agent: Agent,
    command_behavior: CommandBehavior,
    token_server: TokenServer,
    lmutil: Lmutil,
    firewalled: bool,
    has_primary: bool,
    primary_delete_on_termination: bool,
    source_dest_check: bool,
    groups: Vec<String>,
    tags: Tags,
}

impl InstanceSpec {
    pub(super) fn new(id: &str, position: usize) -> Self {
        Self {
            id: id.to_owned(),
            position,
            state: InstanceState::Running,
            checks: (Check::Ok, Check::Ok),
            attached_ebs: Some(Check::Ok),
            scheduled_events: Vec::new(),
            instance_type: InstanceType::DEFAULT.to_owned(),
            availability_zone: names::ZONE.to_owned(),
            subnet_id: names::SUBNET.to_owned(),
            vpc_id: names::VPC.to_owned(),
            spot: false,
            hung: false,
            capacity: Capacity::Available,
            volume_locked: false,
            auto_recovery: AutoRecovery::Default,
            disable_api_termination: false,
            agent: Agent::default(),
            command_behavior: CommandBehavior::default(),
            token_server: TokenServer::default(),
            lmutil: Lmutil::default(),
            firewalled: false,
            has_primary: true,
            primary_delete_on_termination: true,
            source_dest_check: true,
            groups: vec![names::DEFAULT_GROUP.to_owned()],
            tags: Tags::new(),
        }
    }

    pub fn running(self) -> Self {
        self.state(InstanceState::Running)
    }

    pub fn stopped(self) -> Self {
        self.state(InstanceState::Stopped)
    }

    pub fn terminated(self) -> Self {
        self.state(InstanceState::Terminated).without_primary()
    }

    /// Sets a state. A transitional state never ends.
    pub fn state(mut self, state: InstanceState) -> Self {
        self.state = state;
        self
    }

    /// Running, with a failing instance status check.
    pub fn impaired(self) -> Self {
        self.checks(Check::Ok, Check::Impaired)
    }

    pub fn checks(mut self, system: Check, instance: Check) -> Self {
        self.checks = (system, instance);
        self
    }

    /// Whether one of its status checks fails.
    pub fn is_impaired(&self) -> bool {
        [Some(self.checks.0), Some(self.checks.1), self.attached_ebs].contains(&Some(Check::Impaired))
    }

    /// The attached EBS status check. `None`: EC2 does not show it.
    pub fn attached_ebs(mut self, check: Option<Check>) -> Self {
        self.attached_ebs = check;
        self
    }

    /// AWS has scheduled this event for it. The date is in RFC 3339.
    ///
    /// # Panics
    ///
    /// If the date is not one.
    pub fn scheduled_event(mut self, code: &'static str, description: &str, not_before: &str) -> Self {
        let not_before = not_before.parse().expect("a date in RFC 3339");
        self.scheduled_events.push(ScheduledEvent { code, description: description.to_owned(), not_before });
        self
    }

    /// A plain detach from it never ends.
    pub fn hung(mut self) -> Self {
        self.hung = true;
        self
    }

    pub fn capacity(mut self, capacity: Capacity) -> Self {
        self.capacity = capacity;
        self
    }

    /// EC2 may not use the key of its root volume, so it stops again soon after each start.
    pub fn volume_locked(mut self) -> Self {
        self.volume_locked = true;
        self
    }

    pub fn spot(mut self) -> Self {
        self.spot = true;
        self
    }

    /// A type of the catalog or of [`Scenario::instance_type`](super::Scenario::instance_type).
    pub fn instance_type(mut self, instance_type: &str) -> Self {
        self.instance_type = instance_type.to_owned();
        self
    }

    /// A type with this maximum number of interfaces, including the primary one: `t3.micro` has two, `t3.small` three,
    /// `t3.xlarge` four. Other numbers use `simulated.N`, which no AWS Region has.
    pub fn interface_limit(self, limit: usize) -> Self {
        match limit {
            2 => self.instance_type("t3.micro"),
            3 => self.instance_type("t3.small"),
            4 => self.instance_type("t3.xlarge"),
            _ => self.instance_type(&format!("{MADE_UP_TYPE}{limit}")),
        }
    }

    pub fn auto_recovery(mut self, auto_recovery: AutoRecovery) -> Self {
        self.auto_recovery = auto_recovery;
        self
    }

    /// With termination protection.
    pub fn disable_api_termination(mut self) -> Self {
        self.disable_api_termination = true;
        self
    }

    /// Systems Manager does not know it.
    pub fn without_agent(self) -> Self {
        self.agent(Agent::Missing)
    }

    /// Systems Manager has lost the connection to it.
    pub fn agent_lost(self) -> Self {
        self.agent(Agent::Lost)
    }

    pub fn agent(mut self, agent: Agent) -> Self {
        self.agent = agent;
        self
    }

    pub fn command_fails(self) -> Self {
        self.command_behavior(CommandBehavior::Fails)
    }

    pub fn command_never_ends(self) -> Self {
        self.command_behavior(CommandBehavior::NeverEnds)
    }

    pub fn command_never_delivered(self) -> Self {
        self.command_behavior(CommandBehavior::NeverDelivered)
    }

    pub fn command_behavior(mut self, behavior: CommandBehavior) -> Self {
        self.command_behavior = behavior;
        self
    }

    /// While it runs, only a command starts its token server after the license interface has arrived.
    pub fn token_server_on_command(self) -> Self {
        self.token_server(TokenServer::OnCommand)
    }

    pub fn without_token_server(self) -> Self {
        self.token_server(TokenServer::Missing)
    }

    pub fn token_server(mut self, token_server: TokenServer) -> Self {
        self.token_server = token_server;
        self
    }

    pub fn lmutil(mut self, lmutil: Lmutil) -> Self {
        self.lmutil = lmutil;
        self
    }

    /// It neither accepts nor refuses connections.
    pub fn firewalled(mut self) -> Self {
        self.firewalled = true;
        self
    }

    /// In another subnet of its Availability Zone, together with its primary interface.
    pub fn subnet(mut self, subnet_id: &str) -> Self {
        self.subnet_id = subnet_id.to_owned();
        self
    }

    /// In another Availability Zone, and so in another subnet.
    pub fn zone(mut self, availability_zone: &str, subnet_id: &str) -> Self {
        self.availability_zone = availability_zone.to_owned();
        self.subnet_id = subnet_id.to_owned();
        self
    }

    pub fn vpc(mut self, vpc_id: &str, subnet_id: &str) -> Self {
        self.vpc_id = vpc_id.to_owned();
        self.subnet_id = subnet_id.to_owned();
        self
    }

    /// Without an interface at index 0, so that another one can be put there.
    pub fn without_primary(mut self) -> Self {
        self.has_primary = false;
        self
    }

    /// The primary interface survives the instance. By default, an interface that was created at launch does not
    /// (service model, RunInstances).
    pub fn keeps_primary(mut self) -> Self {
        self.primary_delete_on_termination = false;
        self
    }

    /// The primary interface forwards packets for other addresses.
    pub fn without_source_dest_check(mut self) -> Self {
        self.source_dest_check = false;
        self
    }

    /// Groups of the primary interface.
    pub fn groups<G: Into<String>>(mut self, groups: impl IntoIterator<Item = G>) -> Self {
        self.groups = groups.into_iter().map(Into::into).collect();
        self
    }

    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.insert(key.to_owned(), value.to_owned());
        self
    }

    pub(super) fn renamed(mut self, id: &str, position: usize) -> Self {
        (self.id, self.position) = (id.to_owned(), position);
        self
    }

    pub(super) fn tags(&self) -> &Tags {
        &self.tags
    }

    pub(super) fn tag_if_absent(mut self, key: &str, value: &str) -> Self {
        self.tags.entry(key.to_owned()).or_insert_with(|| value.to_owned());
        self
    }

    /// Instances like this one, as an Auto Scaling group launches them.
    pub(super) fn launch_template(&self, region: &Region) -> LaunchTemplate {
        LaunchTemplate {
            id: "lt-0aaaaaaaaaaaaaaa1".to_owned(),
            name: String::new(),
            version: 1,
            instance: self.instance(region),
            groups: self.groups.clone(),
            source_dest_check: self.source_dest_check,
            primary_delete_on_termination: self.primary_delete_on_termination,
        }
    }

    pub(super) fn build(&self, region: &Region) -> (Instance, Option<Interface>) {
        let host = u8::try_from(self.position + 10).expect("a scenario has fewer than 240 instances");
        (self.instance(region), self.has_primary.then(|| self.primary(region, host)))
    }

    fn instance(&self, region: &Region) -> Instance {
        Instance {
            id: self.id.clone(),
            state: self.state,
            state_reason: None,
            instance_type: self.instance_type.clone(),
            availability_zone: self.availability_zone.clone(),
            subnet_id: self.subnet_id.clone(),
            vpc_id: self.vpc_id.clone(),
            spot: self.spot,
            launched_at: Duration::ZERO,
            system_check: self.checks.0,
            instance_check: self.checks.1,
            attached_ebs_check: self.attached_ebs,
            scheduled_events: self.scheduled_events.clone(),
            capacity: self.capacity,
            volume_locked: self.volume_locked,
            hung: self.hung,
            interface_limit: region
                .instance_type(&self.instance_type)
                .map_or(0, |kind| kind.maximum_network_interfaces()),
            auto_recovery: self.auto_recovery,
            disable_api_termination: self.disable_api_termination,
            agent: self.agent,
            command_behavior: self.command_behavior,
            token_server: self.token_server,
            lmutil: self.lmutil,
            firewalled: self.firewalled,
            blocked_indexes: BTreeSet::new(),
            tags: self.tags.clone(),
            transition: 0,
        }
    }

    /// The interface at index 0.
    fn primary(&self, region: &Region, host: u8) -> Interface {
        Interface {
            id: names::primary_interface_of(&self.id),
            mac_address: format!("02:00:00:00:00:{host:02x}"),
            private_ip: network::address_of(region, &self.subnet_id, host),
            description: String::new(),
            availability_zone: self.availability_zone.clone(),
            subnet_id: self.subnet_id.clone(),
            vpc_id: self.vpc_id.clone(),
            groups: self.groups.clone(),
            source_dest_check: self.source_dest_check,
            attachment: Some(Attachment {
                id: attachment_id_for(&names::primary_interface_of(&self.id)),
                instance_id: self.id.clone(),
                device_index: 0,
                network_card_index: 0,
                status: AttachmentStatus::Attached,
                attached_at: Duration::ZERO,
                delete_on_termination: self.primary_delete_on_termination,
            }),
            tags: Tags::new(),
        }
    }
}
