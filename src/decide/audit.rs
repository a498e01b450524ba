//! Audits: what they read beyond the reads of every run, and the judgment on the answers. Pure.
//!
//! An audit that could not read something says so, and never assumes that it is fine.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use ipnet::IpNet;
use sha2::{Digest, Sha256};

use crate::decide::attachment::{MoveByOther, Seen, learn};
use crate::decide::lifecycle::{hook, to_complete};
use crate::decide::members::{elsewhere, existing};
use crate::decide::network_acl::{Passage, passage};
use crate::decide::{pause, validity};
use crate::model::change::{Attach, Change, Ingress};
use crate::model::config::{Activation, Client, Config, Members, PortRange};
use crate::model::error::{CallError, Meaning};
use crate::model::finding::{Finding, FindingCode, Severity};
use crate::model::ids::{InstanceId, NetworkInterfaceId, SecurityGroupId};
use crate::model::observation::{
    Attachment, Instance, InstanceState, NetworkInterface, Observation, Reading, ScheduledEvent,
};
use crate::model::pause::Pause;
use crate::model::plan::{Action, Obstacle, Refusal, Standby, Verdict};
use crate::model::readiness::{AclEntry, Readiness, Route, Standing, Subscription};
use crate::model::reason::Reason;
use crate::model::tags::AUDITED;

/// Every change that a failover might make now. The audit asks EC2 if the role allows them.
pub(crate) fn changes(config: &Config, observation: &Observation, standbys: &[Standby]) -> Vec<Change> {
    let Some(interface) = observation.interface() else { return Vec::new() };
    let interface_id = interface.id.clone();
    let attach = |instance_id: &InstanceId| {
        let device_index = config.device_index;
        Change::Attach(Attach { interface_id: interface_id.clone(), instance_id: instance_id.clone(), device_index })
    };
    let exists = |standby: &&Standby| observation.instance(&standby.instance_id).is_some();
    let mut changes = vec![
        Change::WriteTag(interface_id.clone(), AUDITED.to_owned()),
        Change::DeleteTag(interface_id.clone(), AUDITED.to_owned()),
    ];
    changes.extend(standbys.iter().filter(exists).map(|standby| attach(&standby.instance_id)));
    if config.start_standby {
        // The holder as well: the function starts it in place if no standby can take the interface.
        changes.extend(existing(config, observation).map(|member| Change::Start(member.id.clone())));
    }
    if let Some(attachment) = &interface.attachment {
        changes.push(Change::Detach(attachment.id.clone()));
        let attachment_id = attachment.id.clone();
        changes.push(Change::KeepOnTermination { interface_id: interface_id.clone(), attachment_id });
    }
    if let Some(allocation_id) = config.allocation_id.clone().filter(|_| config.repair.elastic_ip) {
        changes.push(Change::AssociateAddress { allocation_id, interface_id });
    }
    if let Some((group_id, ports)) = interface.groups.first().zip(config.ports.first())
        && config.repair.security_group
        && let Some(client) = config.clients.first()
    {
        let ingress = Ingress { group_id: group_id.clone(), ports: *ports, client: client.clone() };
        changes.push(Change::AuthorizeIngress(ingress));
    }
    changes
}

/// The security groups that the configuration names as clients.
pub(crate) fn client_groups(config: &Config) -> BTreeSet<SecurityGroupId> {
    let groups = config.clients.iter().filter_map(|client| match client {
        Client::SecurityGroup(id) => Some(id.clone()),
        Client::Cidr(_) | Client::PrefixList(_) => None,
    });
    groups.collect()
}

/// The client ports to which answers may go. Each operating system has its own range. AWS advises to let all of these
/// pass. Source: Amazon VPC User Guide, "Ephemeral ports".
const EPHEMERAL_PORTS: (u16, u16) = (1024, 65535);

/// What would go wrong with the next failover, or what an operator should know before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// The interface could not be moved now, for this reason.
    Refused(Refusal),
    /// The interface is attached to nothing, and these are the standbys.
    AttachedToNothing(Vec<Standby>),
    /// The holder has failed already.
    HolderFailed(Attachment),
    /// A pause is in force.
    Paused(Pause),
    /// Something other than the function has moved the interface since the last audit.
    MovedByOther(MoveByOther),
    /// No standby can take the interface.
    NoViableStandby,
    /// This standby cannot take the interface, because of this obstacle.
    StandbyNotViable(InstanceId, Obstacle),
    /// This standby has as many interfaces as its type allows.
    StandbyWithoutRoom(Instance, u32),
    /// This interface has the configured device index on the holder, and the license interface has another one.
    DeviceIndexTaken(Attachment, NetworkInterfaceId),
    /// EC2 does not describe the type of this member.
    UnknownInstanceType(Instance),
    /// These instances have the members' tag and are in another VPC or zone than the interface.
    MembersElsewhere(Vec<InstanceId>),
    /// The primary interfaces of these members are in the license interface's subnet.
    SameSubnet(Vec<InstanceId>),
    /// EC2 recovers these members automatically.
    AutoRecovery(Vec<InstanceId>),
    /// Termination protection is off for these members.
    Unprotected(Vec<InstanceId>),
    /// AWS has scheduled this change for a member.
    Scheduled {
        /// The member.
        member: InstanceId,
        /// The change.
        event: ScheduledEvent,
        /// Whether the member holds the interface.
        is_holder: bool,
    },
    /// These members are listed by their ids, and are in this Auto Scaling group.
    ListedInGroup(String, Vec<InstanceId>),
    /// This Auto Scaling group has no lifecycle hook for termination.
    NoTerminationHook(String),
    /// This Auto Scaling group has these lifecycle hooks for termination, and none of them is the function's.
    SeveralTerminationHooks(String, Vec<String>),
    /// A group waits for a lifecycle action before it terminates this member, which does not hold the interface.
    LifecycleActionOpen {
        /// The member.
        member: InstanceId,
        /// Its group.
        group: String,
        /// The hook that the function completes; `None`: it was not read, or none is the function's.
        hook: Option<String>,
    },
    /// The source/destination check of the interface is off.
    SourceDestCheckOff(NetworkInterfaceId),
    /// This subnet of the interface has no route to the internet, and the interface has a public address.
    NoInternetGateway(String),
    /// The network ACL of this subnet blocks some or all of this traffic.
    AclBlocks(String, Traffic),
    /// The network ACL of this subnet blocks answers to some ports of these clients.
    AclBlocksSomeAnswers(String, IpNet),
    /// A security group that is configured as a client does not exist.
    ClientGroupMissing(SecurityGroupId),
    /// The document that activates the token server does not exist.
    ActivationDocumentMissing(Activation),
    /// Systems Manager does not reach this member, although it runs.
    MemberNotManaged {
        /// The member.
        member: InstanceId,
        /// Whether it holds the interface.
        is_holder: bool,
    },
    /// The topic does not exist.
    TopicMissing,
    /// The topic has no confirmed subscription.
    NobodySubscribed(Vec<Subscription>),
    /// This subscription was never confirmed.
    SubscriptionUnconfirmed(Subscription),
    /// The license is valid until this day, with so many days left; negative: it has expired.
    LicenseEnds(NaiveDate, i64),
    /// The role does not allow a change that a failover makes.
    PermissionDenied(CallError),
    /// The audit could not read something.
    NotRead(Unread, CallError),
}

/// Traffic that a network ACL may block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Traffic {
    /// Requests from these clients to these ports.
    Requests(PortRange, IpNet),
    /// All answers to these clients.
    Answers(IpNet),
}

/// What an audit could not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// Whether the standbys have room for another interface.
    Room,
    /// Whether the members are protected from termination.
    Protection,
    /// Whether the members' Auto Scaling groups are about to terminate them.
    LifecycleStates,
    /// Whether the members' Auto Scaling groups have a lifecycle hook for termination.
    TerminationHooks,
    /// Whether the subnet has a route to the internet.
    Routes,
    /// Whether the network ACL allows the clients.
    Acl,
    /// Whether the clients' security groups exist.
    ClientGroups,
    /// Whether the activation document exists.
    ActivationDocument,
    /// Whether Systems Manager reaches the members.
    Agents,
    /// The subscriptions of the topic.
    Subscriptions,
    /// Whether the role allows every change.
    Permissions,
}

/// What an audit found, besides the findings of the four checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// The facts to report, in this order.
    pub facts: Vec<Fact>,
    /// How many standbys could take the interface now.
    pub viable: usize,
    /// What is to be noted about the attachment; `None`: nothing new.
    pub seen: Option<Seen>,
}

/// Judges what was read.
pub fn judge(
    config: &Config,
    observation: &Observation,
    action: &Action,
    standbys: &[Standby],
    readiness: &Readiness,
) -> Audit {
    let auditor = Auditor { config, observation, readiness };
    let mut facts: Vec<Fact> = auditor.place(action, standbys).into_iter().collect();
    facts.extend(pause::of(observation).map(Fact::Paused));
    let learned = learn(observation);
    facts.extend(learned.as_ref().and_then(|learned| learned.by_other.clone()).map(Fact::MovedByOther));
    let viable = auditor.standbys(standbys, &mut facts);
    facts.extend(auditor.device_index());
    auditor.members(&mut facts);
    if let Some(interface) = observation.interface() {
        auditor.network(interface, &mut facts);
    }
    facts.extend(auditor.license());
    auditor.commands(&mut facts);
    auditor.notification(&mut facts);
    auditor.permissions(&mut facts);
    let mut told = BTreeSet::new();
    facts.retain(|fact| Repeated::of(fact).is_none_or(|one| told.insert(one)));
    Audit { facts, viable, seen: learned.map(|learned| learned.seen) }
}

/// A fact that may come up several times in one audit and is reported once. The audit asks about one action for every
/// standby, and one answer about the action is enough.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Repeated {
    Denied(String),
    Unread(String),
    Subscription(String, String),
    Blocked(Traffic),
    SomeAnswers(IpNet),
}

impl Repeated {
    fn of(fact: &Fact) -> Option<Self> {
        Some(match fact {
            Fact::PermissionDenied(error) | Fact::Refused(Refusal::PermissionDenied(error)) => {
                Self::Denied(error.action.clone())
            }
            Fact::NotRead(_, error) if error.meaning == Meaning::Denied => Self::Denied(error.action.clone()),
            Fact::NotRead(_, error) => Self::Unread(error.action.clone()),
            Fact::SubscriptionUnconfirmed(one) => Self::Subscription(one.protocol.clone(), one.endpoint.clone()),
            Fact::AclBlocks(_, traffic) => Self::Blocked(*traffic),
            Fact::AclBlocksSomeAnswers(_, range) => Self::SomeAnswers(*range),
            _ => return None,
        })
    }
}

/// The findings of an audit as 16 hexadecimal digits. The same findings give the same digits. Findings that pass by
/// themselves do not change the digits.
pub fn signature(findings: &[Finding]) -> String {
    // A pause has mails of its own.
    let passes = |finding: &Finding| finding.code == FindingCode::NotAudited || finding.code == FindingCode::Paused;
    let lasting = findings.iter().filter(|finding| !passes(finding) && !is_event(finding));
    let lines: BTreeSet<String> = lasting
        .map(|finding| {
            // The date of an announced change is in its message, and another date is news.
            let date = if is_announcement(finding) { finding.message.as_str() } else { "" };
            let resource = finding.resource.as_deref().unwrap_or_default();
            format!("{} {} {resource}{date}\n", finding.severity, finding.code)
        })
        .collect();
    let digest = Sha256::digest(lines.into_iter().collect::<String>());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Whether the finding is about something that has happened, and not about a state. It is news each time, and the next audit
/// does not have it anymore.
pub fn is_event(finding: &Finding) -> bool {
    finding.code == FindingCode::MovedBySomebody
}

fn is_announcement(finding: &Finding) -> bool {
    use FindingCode::{
        MaintenanceScheduled, RebootScheduled, RetirementScheduled, StopScheduled, TerminationScheduled,
    };
    let codes = [RetirementScheduled, TerminationScheduled, StopScheduled, RebootScheduled, MaintenanceScheduled];
    codes.into_iter().any(|code| finding.code == code)
}

/// The number of an audit's critical findings and of its warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// The critical ones.
    pub critical: usize,
    /// The warnings.
    pub warnings: usize,
}

impl Tally {
    /// Counts findings by their severities.
    pub fn of(severities: impl IntoIterator<Item = Severity>) -> Self {
        severities.into_iter().fold(Self::default(), |tally, severity| match severity {
            Severity::Critical => Self { critical: tally.critical + 1, ..tally },
            Severity::Warning => Self { warnings: tally.warnings + 1, ..tally },
            Severity::Info => tally,
        })
    }

    /// The reason of the audit's report.
    pub fn reason(self) -> Reason {
        match (self.critical, self.warnings) {
            (0, 0) => Reason::Ready,
            (0, _) => Reason::ReadyWithWarnings,
            (_, _) => Reason::NotReady,
        }
    }
}

struct Auditor<'a> {
    config: &'a Config,
    observation: &'a Observation,
    readiness: &'a Readiness,
}

impl Auditor<'_> {
    /// The fact about where the interface is now; `None`: it is in place.
    fn place(&self, action: &Action, standbys: &[Standby]) -> Option<Fact> {
        let Some(interface) = self.observation.interface() else {
            return Some(Fact::Refused(Refusal::InterfaceMissing));
        };
        let Some(attachment) = &interface.attachment else {
            return Some(Fact::AttachedToNothing(standbys.to_vec()));
        };
        match action {
            // The holder still runs. The audit reports why it is about to go, and whether a standby could take the interface.
            Action::Refuse(Refusal::NowhereToGo { .. }) => None,
            Action::Move(planned) if planned.cause.is_ahead_of_time() => None,
            // The audit reports the obstacle of each standby anyway.
            Action::Refuse(Refusal::NoViableStandby) | Action::Move(_) | Action::Start(_) => {
                Some(Fact::HolderFailed(attachment.clone()))
            }
            Action::Refuse(refusal) => Some(Fact::Refused(refusal.clone())),
            Action::Keep { .. } | Action::CannotTell(_) => self.primary(attachment),
        }
    }

    /// A primary interface makes the next failover fail, so the audit reports it while the holder is still healthy.
    fn primary(&self, attachment: &Attachment) -> Option<Fact> {
        let holder = attachment.instance_id.clone().filter(|_| attachment.device_index == 0)?;
        let state = self.observation.instance(&holder).map(|holder| holder.state.clone());
        Some(Fact::Refused(Refusal::PrimaryInterface { holder, state, attachment_id: attachment.id.clone() }))
    }

    /// Adds the obstacle of each standby. Returns how many standbys could take the interface.
    fn standbys(&self, standbys: &[Standby], facts: &mut Vec<Fact>) -> usize {
        let mut viable = 0;
        let mut obstacles = Vec::new();
        for standby in standbys {
            let instance = self.observation.instance(&standby.instance_id);
            let full = instance.and_then(|instance| self.lack_of_room(instance));
            viable += usize::from(standby.verdict.is_viable() && full.is_none());
            // The audit has just read the limit of the type, so the remembered limit is not reported as well.
            let is_told = |obstacle: &Obstacle| full.is_some() && matches!(obstacle, Obstacle::NoRoom { .. });
            if let Verdict::NotViable(obstacle) = &standby.verdict
                && !is_told(obstacle)
            {
                obstacles.push(Fact::StandbyNotViable(standby.instance_id.clone(), obstacle.clone()));
            }
            obstacles.extend(full);
        }
        if viable == 0 && self.observation.interface().is_some() {
            facts.push(Fact::NoViableStandby);
        }
        facts.extend(obstacles);
        viable
    }

    /// The fact that the instance has no room for another interface on network card 0.
    fn lack_of_room(&self, instance: &Instance) -> Option<Fact> {
        let limits = self.readiness.interface_limits.known()?.get(&instance.instance_type)?;
        let is_full = limits.leave_no_room(instance, &self.config.interface_id);
        is_full.then(|| Fact::StandbyWithoutRoom(instance.clone(), limits.effective()))
    }

    /// The fact that another interface has the configured device index on the holder. The indexes of two licenses may be the
    /// same, and no standby shows that as long as both interfaces are on one member.
    fn device_index(&self) -> Option<Fact> {
        let attachment = self.observation.attachment()?;
        let holder = self.observation.instance(attachment.instance_id.as_ref()?)?;
        let there = holder.interface_at(i32::from(self.config.device_index))?;
        let is_taken = there.id != self.config.interface_id;
        is_taken.then(|| Fact::DeviceIndexTaken(attachment.clone(), there.id.clone()))
    }

    /// Adds what an operator should know about the members.
    fn members(&self, facts: &mut Vec<Fact>) {
        let Reading::Known(instances) = &self.observation.instances else { return };
        match &self.readiness.interface_limits {
            Reading::Unreadable(error) => facts.push(Fact::NotRead(Unread::Room, error.clone())),
            Reading::Known(limits) => {
                let unknown = instances.iter().find(|instance| !limits.contains_key(&instance.instance_type));
                facts.extend(unknown.cloned().map(Fact::UnknownInstanceType));
            }
        }
        facts.extend(some(elsewhere(self.config, self.observation)).map(Fact::MembersElsewhere));
        let subnet = self.observation.interface().map(|interface| interface.subnet_id.as_str());
        let is_in_subnet = |member: &Instance| subnet.is_some() && member.subnet_id.as_deref() == subnet;
        facts.extend(some(self.members_that(is_in_subnet)).map(Fact::SameSubnet));
        facts.extend(some(self.members_that(|member| member.recovers)).map(Fact::AutoRecovery));
        let mut unprotected = Vec::new();
        for (member, protected) in &self.readiness.protected {
            match protected {
                Reading::Known(true) => {}
                // A group terminates its instances in any case, and replaces them.
                Reading::Known(false) if self.group_of(member).is_some() => {}
                Reading::Known(false) => unprotected.push(member.clone()),
                Reading::Unreadable(error) if error.meaning == Meaning::NotFound => {}
                Reading::Unreadable(error) => facts.push(Fact::NotRead(Unread::Protection, error.clone())),
            }
        }
        facts.extend(some(unprotected).map(Fact::Unprotected));
        facts.extend(self.scheduled());
        self.groups(facts);
    }

    fn group_of(&self, member: &InstanceId) -> Option<&String> {
        self.observation.instance(member)?.auto_scaling_group.as_ref()
    }

    /// Adds what is wrong with the members' Auto Scaling groups.
    fn groups(&self, facts: &mut Vec<Fact>) {
        let members = || existing(self.config, self.observation);
        let unread = members().find_map(|member| match &member.lifecycle_state {
            Some(Reading::Unreadable(error)) => Some(error.clone()),
            Some(Reading::Known(_)) | None => None,
        });
        facts.extend(unread.map(|error| Fact::NotRead(Unread::LifecycleStates, error)));
        if let Members::Listed(_) = &self.config.members {
            let groups: BTreeSet<&String> = members().filter_map(|member| member.auto_scaling_group.as_ref()).collect();
            facts.extend(groups.into_iter().map(|group| {
                let is_in = |member: &Instance| member.auto_scaling_group.as_ref() == Some(group);
                Fact::ListedInGroup(group.clone(), self.members_that(is_in))
            }));
            return;
        }
        for (group, hooks) in &self.readiness.termination_hooks {
            facts.extend(match hooks {
                Reading::Unreadable(error) => Some(Fact::NotRead(Unread::TerminationHooks, error.clone())),
                Reading::Known(hooks) if hooks.is_empty() => Some(Fact::NoTerminationHook(group.clone())),
                Reading::Known(hooks) if hook(hooks).is_none() => {
                    Some(Fact::SeveralTerminationHooks(group.clone(), hooks.clone()))
                }
                Reading::Known(_) => None,
            });
        }
        let open = to_complete(self.config, self.observation).into_iter().filter_map(|member| {
            let group = member.auto_scaling_group.clone()?;
            let hooks = self.readiness.termination_hooks.get(&group).and_then(Reading::known);
            let hook = hooks.and_then(|hooks| hook(hooks)).cloned();
            Some(Fact::LifecycleActionOpen { member: member.id.clone(), group, hook })
        });
        facts.extend(open);
    }

    /// What AWS has scheduled for the members. An event from AWS Health may be lost; EC2's own list is not.
    fn scheduled(&self) -> Vec<Fact> {
        let holder = self.observation.holder();
        let scheduled = existing(self.config, self.observation).flat_map(|member| {
            member.scheduled_events.iter().filter(|event| !event.is_over()).map(|event| Fact::Scheduled {
                member: member.id.clone(),
                event: event.clone(),
                is_holder: holder == Some(&member.id),
            })
        });
        scheduled.collect()
    }

    fn members_that(&self, are: impl Fn(&Instance) -> bool) -> Vec<InstanceId> {
        existing(self.config, self.observation).filter(|member| are(member)).map(|member| member.id.clone()).collect()
    }

    /// Adds what is wrong on the way between the clients and the interface.
    fn network(&self, interface: &NetworkInterface, facts: &mut Vec<Fact>) {
        if !interface.source_dest_check {
            facts.push(Fact::SourceDestCheckOff(interface.id.clone()));
        }
        let is_public = self.config.allocation_id.is_some() || interface.association.is_some();
        match &self.readiness.routes {
            Some(Reading::Unreadable(error)) if is_public => facts.push(Fact::NotRead(Unread::Routes, error.clone())),
            Some(Reading::Known(routes)) if is_public && !routes.iter().any(Route::is_to_internet) => {
                facts.push(Fact::NoInternetGateway(interface.subnet_id.clone()));
            }
            _ => {}
        }
        match &self.readiness.acl {
            Some(Reading::Unreadable(error)) => facts.push(Fact::NotRead(Unread::Acl, error.clone())),
            Some(Reading::Known(entries)) => self.acl(&interface.subnet_id, entries, facts),
            None => {}
        }
        match &self.readiness.client_groups {
            Reading::Unreadable(error) => facts.push(Fact::NotRead(Unread::ClientGroups, error.clone())),
            Reading::Known(existing) => {
                let missing = client_groups(self.config).into_iter().filter(|group| !existing.contains(group));
                facts.extend(missing.map(Fact::ClientGroupMissing));
            }
        }
    }

    fn acl(&self, subnet: &str, entries: &[AclEntry], facts: &mut Vec<Fact>) {
        let ranges = self.config.clients.iter().filter_map(|client| match client {
            Client::Cidr(range) => Some(*range),
            Client::SecurityGroup(_) | Client::PrefixList(_) => None,
        });
        for range in ranges {
            for ports in &self.config.ports {
                if passage(entries, false, range, (ports.first, ports.last)) != Passage::Free {
                    facts.push(Fact::AclBlocks(subnet.to_owned(), Traffic::Requests(*ports, range)));
                }
            }
            match passage(entries, true, range, EPHEMERAL_PORTS) {
                Passage::Free => {}
                Passage::Partial => facts.push(Fact::AclBlocksSomeAnswers(subnet.to_owned(), range)),
                Passage::Blocked => facts.push(Fact::AclBlocks(subnet.to_owned(), Traffic::Answers(range))),
            }
        }
    }

    /// The end of the license, if it is near.
    fn license(&self) -> Option<Fact> {
        let last_day = self.config.license_expires?;
        let days_left = validity::days_left(last_day, self.observation.observed_at.date_naive());
        validity::severity(days_left).map(|_| Fact::LicenseEnds(last_day, days_left))
    }

    /// Adds what would prevent the activation of a standby that runs, or a license check.
    fn commands(&self, facts: &mut Vec<Fact>) {
        let Some(readiness) = &self.readiness.commands else { return };
        match self.config.activation.as_ref().zip(readiness.activation_document.as_ref()) {
            None | Some((_, Reading::Known(true))) => {}
            Some((activation, Reading::Known(false))) => {
                facts.push(Fact::ActivationDocumentMissing(activation.clone()));
            }
            Some((_, Reading::Unreadable(error))) => {
                facts.push(Fact::NotRead(Unread::ActivationDocument, error.clone()));
            }
        }
        match &readiness.reachable {
            Reading::Unreadable(error) => facts.push(Fact::NotRead(Unread::Agents, error.clone())),
            Reading::Known(reachable) => {
                let holder = self.observation.holder();
                let is_unmanaged =
                    |member: &Instance| member.state == InstanceState::Running && !reachable.contains(&member.id);
                facts.extend(self.members_that(is_unmanaged).into_iter().map(|member| {
                    let is_holder = holder == Some(&member);
                    Fact::MemberNotManaged { member, is_holder }
                }));
            }
        }
    }

    /// Adds what would keep mails from reaching a person.
    fn notification(&self, facts: &mut Vec<Fact>) {
        match &self.readiness.subscriptions {
            Reading::Unreadable(error) => facts.push(Fact::NotRead(Unread::Subscriptions, error.clone())),
            Reading::Known(None) => facts.push(Fact::TopicMissing),
            Reading::Known(Some(subscriptions)) => {
                let has_confirmed = subscriptions.iter().any(|one| one.standing == Standing::Confirmed);
                facts.extend((!has_confirmed).then(|| Fact::NobodySubscribed(subscriptions.clone())));
                let pending = subscriptions.iter().filter(|one| one.standing == Standing::Pending);
                facts.extend(pending.cloned().map(Fact::SubscriptionUnconfirmed));
            }
        }
    }

    /// Adds what the role does not allow.
    fn permissions(&self, facts: &mut Vec<Fact>) {
        for permission in &self.readiness.permissions {
            let Reading::Unreadable(error) = &permission.answer else { continue };
            match error.meaning {
                Meaning::Denied => facts.push(Fact::PermissionDenied(error.clone())),
                Meaning::Throttled | Meaning::Unreachable => {
                    facts.push(Fact::NotRead(Unread::Permissions, error.clone()));
                }
                // EC2 checks the permission first. Any other error passes by itself or is reported above.
                _ => {}
            }
        }
    }
}

/// The list, unless it is empty.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}
