//! The ports to EC2, EC2 Auto Scaling, SNS and Systems Manager below the wire: the same calls, without the SDK.
//!
//! The ports translate answers and errors as the package `token-failover-aws` does, and imitate the SDK's retries and
//! timeouts. So a world can be played a hundred times faster. `parity` shows that both lanes do the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ipnet::IpNet;
use simulator::Simulator;
use simulator::world::region::{self, Check};
use simulator::world::{
    ApiError, AssociateAddress, AttachNetworkInterface, AuthorizeSecurityGroupIngress, CommandStatus,
    CompleteLifecycleAction, CreateTags, DeleteTags, DescribeAddresses, DescribeAutoScalingInstances, DescribeDocument,
    DescribeInstanceAttribute, DescribeInstanceInformation, DescribeInstanceStatus, DescribeInstanceTypes,
    DescribeInstances, DescribeLifecycleHooks, DescribeNetworkAcls, DescribeNetworkInterfaces, DescribeRouteTables,
    DescribeSecurityGroupRules, DescribeSecurityGroups, DetachNetworkInterface, DisassociateAddress,
    GetCommandInvocation, GetManagedPrefixListEntries, InstanceView, InterfaceAttribute, InterfaceView, IpPermission,
    ListSubscriptionsByTopic, MessageAttribute, ModifyNetworkInterfaceAttribute, Operation, Publish, RouteDestination,
    RouteState, RuleAction, Selection, SendCommand, StartInstances,
};
use token_failover::model::change::{Attach, Change, Ingress};
use token_failover::model::command::{Command, CommandState, Output};
use token_failover::model::config::{Client, MemberTag};
use token_failover::model::error::{CallError, Meaning};
use token_failover::model::ids::{
    AllocationId, AssociationId, AttachmentId, CommandId, DocumentName, InstanceId, NetworkInterfaceId, PrefixListId,
    SecurityGroupId,
};
use token_failover::model::notification::Notification;
use token_failover::model::observation::{
    Address, AddressPlace, Association, Attachment, AttachmentStatus, IngressRule, Instance, InstanceInterface,
    InstanceState, InstanceStatus, InterfaceLimits, LifecycleState, NetworkInterface, Reading, RuleSource,
    ScheduledEvent, StateReason, StatusChecks,
};
use token_failover::model::readiness::{AclEntry, Route, Standing, Subscription};
use token_failover::model::tags::NAMESPACE;
use token_failover::ports::{AutoScaling, Ec2, Sns, Ssm};
use tokio::time::{sleep, timeout};

/// EC2 below the wire.
#[derive(Debug, Clone)]
pub(crate) struct BelowEc2(pub(crate) Simulator);

/// SNS below the wire, for one topic.
#[derive(Debug, Clone)]
pub(crate) struct BelowSns(pub(crate) Simulator, pub(crate) String);

/// Systems Manager below the wire.
#[derive(Debug, Clone)]
pub(crate) struct BelowSsm(pub(crate) Simulator);

/// The ports to a simulator and to one of its topics.
pub(crate) fn ports(simulator: &Simulator, topic: &str) -> (BelowEc2, BelowSns, BelowSsm) {
    (BelowEc2(simulator.clone()), BelowSns(simulator.clone(), topic.to_owned()), BelowSsm(simulator.clone()))
}

/// As in `token_failover_aws::retries` and `timeouts`.
const MAX_ATTEMPTS: u32 = 5;
const ATTEMPT: Duration = Duration::from_secs(5);
const OPERATION: Duration = Duration::from_secs(20);

/// Makes a call as the SDK does: up to five attempts with growing pauses, with timeouts of five seconds for each and
/// twenty for all. A pause is the mean of the SDK's random pause.
async fn ask<O: Operation + Clone>(
    simulator: &Simulator,
    action: &'static str,
    operation: O,
    max_attempts: u32,
    meaning_of: fn(&str) -> Meaning,
) -> Result<O::Answer, CallError> {
    let attempts = async {
        let mut attempt = 0;
        loop {
            let (error, again) = match timeout(ATTEMPT, simulator.call(operation.clone())).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(simulator::CallError::Refused(refusal))) => {
                    let again = is_tried_again(&refusal);
                    (Some(refusal), again)
                }
                // The SDK gives up on an answer that it cannot read.
                Ok(Err(simulator::CallError::Nonsense)) => (None, false),
                Ok(Err(simulator::CallError::Dropped)) | Err(_) => (None, true),
            };
            attempt += 1;
            if !again || attempt == max_attempts {
                return Err(sorted(action, error, meaning_of));
            }
            sleep(Duration::from_millis(50 << attempt).min(Duration::from_secs(1))).await;
        }
    };
    timeout(OPERATION, attempts).await.unwrap_or_else(|_| Err(sorted(action, None, meaning_of)))
}

/// The SDK's standard retries: server errors and throttling.
fn is_tried_again(error: &ApiError) -> bool {
    matches!(error.status, 500 | 502 | 503 | 504)
        || matches!(&*error.code, "RequestLimitExceeded" | "Throttling" | "ThrottlingException")
}

/// Sorts errors as `aws::call_error` does.
fn sorted(action: &'static str, error: Option<ApiError>, meaning_of: fn(&str) -> Meaning) -> CallError {
    let meaning = match &error {
        None => Meaning::Unreachable,
        Some(error) => match meaning_of(&error.code) {
            Meaning::Rejected if error.status >= 500 => Meaning::Unreachable,
            meaning => meaning,
        },
    };
    CallError {
        action: action.to_owned(),
        meaning,
        code: error.as_ref().map(|error| error.code.to_string()),
        message: error.map_or_else(|| "no answer".to_owned(), |error| error.message),
        request_id: None,
    }
}

fn permitted(asked: Result<(), CallError>) -> Result<(), CallError> {
    match asked {
        Err(error) if error.code.as_deref() == Some("DryRunOperation") => Ok(()),
        asked => asked,
    }
}

impl BelowEc2 {
    async fn ask<O: Operation + Clone + Send>(
        &self,
        action: &'static str,
        operation: O,
    ) -> Result<O::Answer, CallError> {
        ask(&self.0, action, operation, MAX_ATTEMPTS, Meaning::of_ec2_code).await
    }

    async fn ask_auto_scaling<O: Operation + Clone + Send>(
        &self,
        action: &'static str,
        operation: O,
    ) -> Result<O::Answer, CallError> {
        ask(&self.0, action, operation, MAX_ATTEMPTS, Meaning::of_query_code).await
    }
}

fn id<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().expect("the simulator's ids have EC2's form")
}

fn attachment(seen: &region::Attachment) -> Attachment {
    Attachment {
        id: AttachmentId::new(&seen.id),
        instance_id: Some(id(&seen.instance_id)),
        device_index: i32::try_from(seen.device_index).expect("a small number"),
        status: match seen.status {
            region::AttachmentStatus::Attaching => AttachmentStatus::Attaching,
            region::AttachmentStatus::Attached => AttachmentStatus::Attached,
            region::AttachmentStatus::Detaching => AttachmentStatus::Detaching,
        },
        delete_on_termination: seen.delete_on_termination,
    }
}

fn interface(seen: &InterfaceView) -> NetworkInterface {
    let association = seen.association().map(|(address, _)| Association {
        allocation_id: Some(id(&address.allocation_id)),
        public_ip: address.public_ip,
    });
    let tags = seen.tags.iter().filter(|(key, _)| key.starts_with(NAMESPACE));
    NetworkInterface {
        id: id(&seen.id),
        mac_address: id(&seen.mac_address),
        status: Some(seen.status.to_owned()),
        attachment: seen.attachment.as_ref().map(attachment),
        availability_zone: seen.availability_zone.clone(),
        subnet_id: seen.subnet_id.clone(),
        vpc_id: seen.vpc_id.clone(),
        private_ip_address: Some(seen.private_ip),
        association,
        groups: seen.groups.iter().map(|group| id(group)).collect(),
        source_dest_check: seen.source_dest_check,
        tags: tags.map(|(key, value)| (key.clone(), value.clone())).collect(),
    }
}

pub(crate) fn state(state: region::InstanceState) -> InstanceState {
    match state {
        region::InstanceState::Pending => InstanceState::Pending,
        region::InstanceState::Running => InstanceState::Running,
        region::InstanceState::Stopping => InstanceState::Stopping,
        region::InstanceState::Stopped => InstanceState::Stopped,
        region::InstanceState::ShuttingDown => InstanceState::ShuttingDown,
        region::InstanceState::Terminated => InstanceState::Terminated,
    }
}

fn instance(seen: &InstanceView) -> Instance {
    Instance {
        id: id(&seen.id),
        state: state(seen.state),
        state_reason: seen
            .state_reason
            .as_ref()
            .map(|reason| StateReason { code: reason.code.to_owned(), message: reason.message.to_owned() }),
        launched_at: Some(seen.launch_time()),
        availability_zone: seen.availability_zone.clone(),
        vpc_id: (seen.state != region::InstanceState::Terminated).then(|| seen.vpc_id.clone()),
        subnet_id: (seen.state != region::InstanceState::Terminated).then(|| seen.subnet_id.clone()),
        instance_type: seen.instance_type.clone(),
        recovers: seen.auto_recovery == region::AutoRecovery::Default,
        spot: seen.spot,
        status_checks: Reading::Known(StatusChecks::Undecided),
        scheduled_events: Vec::new(),
        auto_scaling_group: seen.tags.get("aws:autoscaling:groupName").cloned(),
        lifecycle_state: None,
        interfaces: seen.interfaces.iter().filter_map(instance_interface).collect(),
    }
}

fn instance_interface(seen: &InterfaceView) -> Option<InstanceInterface> {
    let attachment = seen.attachment.as_ref()?;
    let device_index = i32::try_from(attachment.device_index).expect("a small number");
    let delete_on_termination = attachment.delete_on_termination;
    Some(InstanceInterface { id: id(&seen.id), device_index, network_card_index: 0, delete_on_termination })
}

impl AutoScaling for BelowEc2 {
    async fn lifecycle_states(
        &self,
        instances: &[InstanceId],
    ) -> Result<BTreeMap<InstanceId, LifecycleState>, CallError> {
        let describe = DescribeAutoScalingInstances::of(instances.iter().map(InstanceId::as_str));
        let page = self.ask_auto_scaling("autoscaling:DescribeAutoScalingInstances", describe).await?;
        let states = page.items.iter();
        Ok(states.map(|seen| (id(&seen.instance_id), LifecycleState::new(seen.lifecycle_state.name()))).collect())
    }

    async fn termination_hooks(&self, group: &str) -> Result<Vec<String>, CallError> {
        let describe = DescribeLifecycleHooks::of(group);
        match self.ask_auto_scaling("autoscaling:DescribeLifecycleHooks", describe).await {
            Ok(hooks) => Ok(hooks.into_iter().map(|seen| seen.hook.name).collect()),
            Err(error) if error.meaning == Meaning::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    async fn complete_termination(&self, group: &str, hook: &str, instance: &InstanceId) -> Result<bool, CallError> {
        let complete = CompleteLifecycleAction::of(group, hook, instance.as_str());
        match self.ask_auto_scaling("autoscaling:CompleteLifecycleAction", complete).await {
            Ok(()) => Ok(true),
            Err(error) if error.meaning == Meaning::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Ec2 for BelowEc2 {
    async fn network_interface(&self, wanted: &NetworkInterfaceId) -> Result<Option<NetworkInterface>, CallError> {
        let describe = DescribeNetworkInterfaces::of(wanted.as_str());
        match self.ask("ec2:DescribeNetworkInterfaces", describe).await {
            Ok(page) => Ok(page.items.first().map(interface)),
            Err(error) if error.meaning == Meaning::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn instances(&self, ids: &[InstanceId]) -> Result<Vec<Instance>, CallError> {
        let selection = Selection::filter("instance-id", ids.iter().map(InstanceId::as_str));
        let page = self.ask("ec2:DescribeInstances", DescribeInstances { selection, dry_run: false }).await?;
        Ok(page.items.iter().map(instance).collect())
    }

    async fn instances_with(&self, tag: &MemberTag, among: Option<&[InstanceId]>) -> Result<Vec<Instance>, CallError> {
        let mut selection = Selection::filter(format!("tag:{}", tag.key), [tag.value.as_str()]);
        if let Some(ids) = among {
            selection.filters.extend(Selection::filter("instance-id", ids.iter().map(InstanceId::as_str)).filters);
        }
        selection.max_results = Some(1000);
        let page = self.ask("ec2:DescribeInstances", DescribeInstances { selection, dry_run: false }).await?;
        Ok(page.items.iter().map(instance).collect())
    }

    async fn instance_status(&self, ids: &[InstanceId]) -> Result<BTreeMap<InstanceId, InstanceStatus>, CallError> {
        let describe = DescribeInstanceStatus::of(ids.iter().map(InstanceId::as_str));
        let page = self.ask("ec2:DescribeInstanceStatus", describe).await?;
        let status = page.items.iter().map(|seen| {
            let checks = match seen.checks() {
                _ if seen.is_impaired() => StatusChecks::Impaired,
                (Check::Ok, Check::Ok) => StatusChecks::Ok,
                _ => StatusChecks::Undecided,
            };
            let scheduled_events = seen.scheduled_events.iter().map(|event| ScheduledEvent {
                code: event.code.to_owned(),
                description: event.description.clone(),
                not_before: Some(event.not_before),
            });
            (
                id(&seen.id),
                InstanceStatus { state: Some(state(seen.state)), checks, scheduled_events: scheduled_events.collect() },
            )
        });
        Ok(status.collect())
    }

    async fn address(&self, wanted: &AllocationId) -> Result<Option<Address>, CallError> {
        let answer = match self.ask("ec2:DescribeAddresses", DescribeAddresses::of(wanted.as_str())).await {
            Ok(answer) => answer,
            Err(error) if error.meaning == Meaning::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let address = answer.first().map(|seen| Address {
            allocation_id: id(&seen.allocation_id),
            public_ip: seen.public_ip,
            place: seen.association.as_ref().map(|association| AddressPlace {
                association_id: AssociationId::new(&association.id),
                interface_id: Some(id(&association.interface_id)),
                instance_id: seen.instance_id.as_deref().map(id),
                private_ip_address: Some(association.private_ip.into()),
            }),
        });
        Ok(address)
    }

    async fn ingress_rules(&self, groups: &[SecurityGroupId]) -> Result<Vec<IngressRule>, CallError> {
        let describe = DescribeSecurityGroupRules::of_groups(groups.iter().map(SecurityGroupId::as_str));
        let page = self.ask("ec2:DescribeSecurityGroupRules", describe).await?;
        let port = |port: i32| u16::try_from(port).ok();
        let rules = page.items.iter().filter(|rule| !rule.egress).map(|rule| IngressRule {
            tcp_ports: match rule.protocol.as_str() {
                "-1" => Some((0, u16::MAX)),
                "tcp" => port(rule.from_port).zip(port(rule.to_port)),
                _ => None,
            },
            source: match &rule.source {
                region::RuleSource::Ipv4(net) => RuleSource::Cidr(IpNet::V4(*net)),
                region::RuleSource::Ipv6(net) => RuleSource::Cidr(IpNet::V6(*net)),
                region::RuleSource::PrefixList(list) => RuleSource::PrefixList(id(list)),
                region::RuleSource::Group(group) => RuleSource::SecurityGroup(id(group)),
            },
        });
        Ok(rules.collect())
    }

    async fn prefix_list(&self, list: &PrefixListId) -> Result<Vec<IpNet>, CallError> {
        let get = GetManagedPrefixListEntries::of(list.as_str());
        let page = self.ask("ec2:GetManagedPrefixListEntries", get).await?;
        Ok(page.items.iter().map(|(cidr, _)| cidr.parse().expect("a range")).collect())
    }

    async fn attach(&self, attach: &Attach) -> Result<AttachmentId, CallError> {
        // As in the SDK's client, an attach is never retried: the function must know about a lost answer.
        let request = attach_request(attach, false);
        let attached = ask(&self.0, "ec2:AttachNetworkInterface", request, 1, Meaning::of_ec2_code).await?;
        Ok(AttachmentId::new(attached.attachment_id))
    }

    async fn detach(&self, attachment: &AttachmentId, force: bool) -> Result<(), CallError> {
        self.ask("ec2:DetachNetworkInterface", detach_request(attachment, force, false)).await
    }

    async fn keep_on_termination(
        &self,
        interface: &NetworkInterfaceId,
        attachment: &AttachmentId,
    ) -> Result<(), CallError> {
        let modify = keep_request(interface, attachment, false);
        self.ask("ec2:ModifyNetworkInterfaceAttribute", modify).await
    }

    async fn start(&self, instance: &InstanceId) -> Result<bool, CallError> {
        // As in the SDK's client, a start is never retried: the function must know about a lost answer.
        let start = StartInstances::of(instance.as_str());
        let changes = ask(&self.0, "ec2:StartInstances", start, 1, Meaning::of_ec2_code).await?;
        Ok(changes.iter().any(|change| change.previous == region::InstanceState::Stopped))
    }

    async fn disassociate_address(&self, association: &AssociationId) -> Result<(), CallError> {
        self.ask("ec2:DisassociateAddress", DisassociateAddress::of(association.as_str())).await
    }

    async fn associate_address(&self, address: &AllocationId, interface: &NetworkInterfaceId) -> Result<(), CallError> {
        let associate = associate_request(address, interface, false);
        self.ask("ec2:AssociateAddress", associate).await.map(drop)
    }

    async fn authorize_ingress(&self, ingress: &Ingress) -> Result<(), CallError> {
        let authorize = authorize_request(ingress, false);
        self.ask("ec2:AuthorizeSecurityGroupIngress", authorize).await.map(drop)
    }

    async fn write_tags(
        &self,
        interface: &NetworkInterfaceId,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), CallError> {
        let tags = tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        let create = CreateTags { resources: vec![interface.to_string()], tags, dry_run: false };
        self.ask("ec2:CreateTags", create).await
    }

    async fn delete_tags(&self, interface: &NetworkInterfaceId, keys: &[String]) -> Result<(), CallError> {
        let tags = keys.iter().map(|key| (key.clone(), None)).collect();
        let delete = DeleteTags { resources: vec![interface.to_string()], tags, dry_run: false };
        self.ask("ec2:DeleteTags", delete).await
    }

    async fn delete_tags_if(
        &self,
        interface: &NetworkInterfaceId,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), CallError> {
        let tags = tags.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect();
        let delete = DeleteTags { resources: vec![interface.to_string()], tags, dry_run: false };
        self.ask("ec2:DeleteTags", delete).await
    }

    async fn may(&self, change: &Change) -> Result<(), CallError> {
        permitted(match change {
            Change::Attach(attach) => {
                self.ask("ec2:AttachNetworkInterface", attach_request(attach, true)).await.map(drop)
            }
            Change::Detach(attachment) => {
                self.ask("ec2:DetachNetworkInterface", detach_request(attachment, false, true)).await
            }
            Change::KeepOnTermination { interface_id, attachment_id } => {
                let keep = keep_request(interface_id, attachment_id, true);
                self.ask("ec2:ModifyNetworkInterfaceAttribute", keep).await
            }
            Change::Start(instance) => {
                let start = StartInstances { dry_run: true, ..StartInstances::of(instance.as_str()) };
                self.ask("ec2:StartInstances", start).await.map(drop)
            }
            Change::DisassociateAddress(association) => {
                let disassociate =
                    DisassociateAddress { dry_run: true, ..DisassociateAddress::of(association.as_str()) };
                self.ask("ec2:DisassociateAddress", disassociate).await
            }
            Change::AssociateAddress { allocation_id, interface_id } => {
                let associate = associate_request(allocation_id, interface_id, true);
                self.ask("ec2:AssociateAddress", associate).await.map(drop)
            }
            Change::AuthorizeIngress(ingress) => {
                let authorize = authorize_request(ingress, true);
                self.ask("ec2:AuthorizeSecurityGroupIngress", authorize).await.map(drop)
            }
            Change::WriteTag(interface, key) => {
                let tags = vec![(key.clone(), String::new())];
                let create = CreateTags { resources: vec![interface.to_string()], tags, dry_run: true };
                self.ask("ec2:CreateTags", create).await
            }
            Change::DeleteTag(interface, key) => {
                let tags = vec![(key.clone(), None)];
                let delete = DeleteTags { resources: vec![interface.to_string()], tags, dry_run: true };
                self.ask("ec2:DeleteTags", delete).await
            }
        })
    }

    async fn interface_limits(&self, types: &BTreeSet<String>) -> Result<BTreeMap<String, InterfaceLimits>, CallError> {
        let describe =
            DescribeInstanceTypes { selection: Selection::filter("instance-type", types.iter()), dry_run: false };
        let page = self.ask("ec2:DescribeInstanceTypes", describe).await?;
        let number = |number: usize| u32::try_from(number).expect("a small number");
        let limits = page.items.iter().map(|kind| {
            let total = number(kind.maximum_network_interfaces());
            let first_card = kind.network_cards.first().map_or(total, |card| number(*card));
            (kind.name.clone(), InterfaceLimits { total, first_card })
        });
        Ok(limits.collect())
    }

    async fn is_protected(&self, instance: &InstanceId) -> Result<bool, CallError> {
        let describe = DescribeInstanceAttribute::disable_api_termination(instance.as_str());
        let answer = self.ask("ec2:DescribeInstanceAttribute", describe).await?;
        Ok(answer.disable_api_termination)
    }

    async fn routes(&self, subnet: &str, vpc: &str) -> Result<Vec<Route>, CallError> {
        let mut page = self.ask("ec2:DescribeRouteTables", DescribeRouteTables::of_subnet(subnet)).await?;
        if page.items.is_empty() {
            let mut selection = Selection::filter("vpc-id", [vpc]);
            selection.filters.extend(Selection::filter("association.main", ["true"]).filters);
            page = self.ask("ec2:DescribeRouteTables", DescribeRouteTables { selection, dry_run: false }).await?;
        }
        let routes = page.items.iter().flat_map(|table| table.routes.iter()).map(|route| Route {
            destination: match &route.destination {
                RouteDestination::Network(range) => Some(*range),
                RouteDestination::PrefixList(_) => None,
            },
            gateway_id: Some(route.target.clone()),
            active: route.state == RouteState::Active,
        });
        Ok(routes.collect())
    }

    async fn acl_entries(&self, subnet: &str) -> Result<Vec<AclEntry>, CallError> {
        let page = self.ask("ec2:DescribeNetworkAcls", DescribeNetworkAcls::of_subnet(subnet)).await?;
        let entries = page.items.iter().flat_map(|acl| acl.entries.iter()).map(|entry| AclEntry {
            number: i32::from(entry.rule_number),
            egress: entry.egress,
            allow: entry.action == RuleAction::Allow,
            range: entry.network,
            tcp_ports: match entry.protocol.as_str() {
                "-1" => Some((0, u16::MAX)),
                "6" => entry.ports,
                _ => None,
            },
        });
        Ok(entries.collect())
    }

    async fn security_groups(&self, ids: &BTreeSet<SecurityGroupId>) -> Result<BTreeSet<SecurityGroupId>, CallError> {
        if ids.is_empty() {
            return Ok(BTreeSet::new());
        }
        let selection = Selection::filter("group-id", ids.iter().map(SecurityGroupId::as_str));
        let page = self.ask("ec2:DescribeSecurityGroups", DescribeSecurityGroups { selection, dry_run: false }).await?;
        Ok(page.items.iter().map(|group| id(&group.id)).collect())
    }
}

fn detach_request(attachment: &AttachmentId, force: bool, dry_run: bool) -> DetachNetworkInterface {
    DetachNetworkInterface { attachment_id: attachment.as_str().to_owned(), force, dry_run }
}

fn keep_request(
    interface: &NetworkInterfaceId,
    attachment: &AttachmentId,
    dry_run: bool,
) -> ModifyNetworkInterfaceAttribute {
    let attachment_id = attachment.as_str().to_owned();
    let attribute = InterfaceAttribute::DeleteOnTermination { attachment_id, value: false };
    ModifyNetworkInterfaceAttribute { network_interface_id: interface.to_string(), attribute, dry_run }
}

fn associate_request(address: &AllocationId, interface: &NetworkInterfaceId, dry_run: bool) -> AssociateAddress {
    AssociateAddress {
        allow_reassociation: Some(false),
        dry_run,
        ..AssociateAddress::with_interface(address.as_str(), interface.as_str())
    }
}

fn authorize_request(ingress: &Ingress, dry_run: bool) -> AuthorizeSecurityGroupIngress {
    let mut permission = IpPermission {
        protocol: "tcp".to_owned(),
        from_port: Some(i32::from(ingress.ports.first)),
        to_port: Some(i32::from(ingress.ports.last)),
        ..IpPermission::default()
    };
    let source = (ingress.client.to_string(), None);
    match &ingress.client {
        Client::Cidr(IpNet::V4(_)) => permission.ipv4.push(source),
        Client::Cidr(IpNet::V6(_)) => permission.ipv6.push(source),
        Client::SecurityGroup(_) => permission.groups.push(source),
        Client::PrefixList(_) => permission.prefix_lists.push(source),
    }
    let group_id = ingress.group_id.to_string();
    AuthorizeSecurityGroupIngress { group_id, permissions: vec![permission], dry_run }
}

fn attach_request(attach: &Attach, dry_run: bool) -> AttachNetworkInterface {
    let index = u32::from(attach.device_index);
    AttachNetworkInterface {
        network_card_index: Some(0),
        dry_run,
        ..AttachNetworkInterface::to(attach.instance_id.as_str(), attach.interface_id.as_str(), index)
    }
}

/// As `aws::sns::meaning_of`.
fn meaning_of_sns_code(code: &str) -> Meaning {
    match code {
        "AuthorizationError" => Meaning::Denied,
        "Throttling" => Meaning::Throttled,
        "InternalError" | "InternalFailure" | "ServiceUnavailable" => Meaning::Unreachable,
        "NotFound" => Meaning::NotFound,
        _ => Meaning::Rejected,
    }
}

impl Sns for BelowSns {
    async fn publish(&self, notification: &Notification) -> Result<(), CallError> {
        let attribute = |value: &String| MessageAttribute { data_type: "String".to_owned(), value: value.clone() };
        let fifo = notification.fifo.as_ref();
        let publish = Publish {
            topic_arn: self.1.clone(),
            subject: Some(notification.subject.clone()),
            message: notification.message.clone(),
            structure: Some("json".to_owned()),
            attributes: notification
                .attributes
                .iter()
                .map(|(name, value)| ((*name).to_owned(), attribute(value)))
                .collect(),
            group_id: fifo.map(|fifo| fifo.group_id.clone()),
            deduplication_id: fifo.map(|fifo| fifo.deduplication_id.clone()),
        };
        ask(&self.0, "sns:Publish", publish, MAX_ATTEMPTS, meaning_of_sns_code).await.map(drop)
    }

    async fn subscriptions(&self) -> Result<Option<Vec<Subscription>>, CallError> {
        let mut list = ListSubscriptionsByTopic::of(&self.1);
        let mut subscriptions = Vec::new();
        loop {
            let action = "sns:ListSubscriptionsByTopic";
            let page = match ask(&self.0, action, list.clone(), MAX_ATTEMPTS, meaning_of_sns_code).await {
                Ok(page) => page,
                Err(error) if error.meaning == Meaning::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
            subscriptions.extend(page.items.iter().map(|one| Subscription {
                protocol: one.protocol.clone(),
                endpoint: one.endpoint.clone(),
                standing: Standing::of_arn(&one.arn()),
            }));
            list.next_token = page.next_token;
            if list.next_token.is_none() {
                return Ok(Some(subscriptions));
            }
        }
    }
}

/// As `aws::ssm::meaning_of`.
fn meaning_of_ssm_code(code: &str) -> Meaning {
    match code {
        "AccessDeniedException" => Meaning::Denied,
        "ThrottlingException" => Meaning::Throttled,
        "InternalServerError" | "InternalFailure" | "ServiceUnavailable" => Meaning::Unreachable,
        "InvalidDocument" | "InvocationDoesNotExist" => Meaning::NotFound,
        "InvalidInstanceId" => Meaning::WrongState,
        _ => Meaning::Rejected,
    }
}

impl BelowSsm {
    async fn ask<O: Operation + Clone + Send>(
        &self,
        action: &'static str,
        operation: O,
    ) -> Result<O::Answer, CallError> {
        ask(&self.0, action, operation, MAX_ATTEMPTS, meaning_of_ssm_code).await
    }
}

impl Ssm for BelowSsm {
    async fn send_command(&self, command: Command<'_>, instance: &InstanceId) -> Result<CommandId, CallError> {
        let send = SendCommand {
            parameters: command.parameters.clone(),
            timeout_seconds: Some(30),
            comment: Some(command.comment.to_owned()),
            ..SendCommand::to(instance.as_str(), command.document.as_str())
        };
        let sent = ask(&self.0, "ssm:SendCommand", send, 1, meaning_of_ssm_code).await;
        sent.map(|sent| CommandId::new(sent.command_id))
    }

    async fn command(&self, command: &CommandId, instance: &InstanceId) -> Result<Option<CommandState>, CallError> {
        let get = GetCommandInvocation::of(command.as_str(), instance.as_str());
        match self.ask("ssm:GetCommandInvocation", get).await {
            Ok(seen) => Ok(Some(CommandState {
                succeeded: seen.status.is_over().then_some(seen.status == CommandStatus::Success),
                status: seen.status.details().to_owned(),
                exit_code: matches!(seen.status, CommandStatus::Success | CommandStatus::Failed)
                    .then(|| seen.response_code())
                    .filter(|code| *code >= 0),
                output: Output::new(seen.output()),
            })),
            Err(error) if error.meaning == Meaning::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn has_document(&self, name: &DocumentName) -> Result<bool, CallError> {
        match self.ask("ssm:DescribeDocument", DescribeDocument::of(name.as_str())).await {
            Ok(_) => Ok(true),
            Err(error) if error.meaning == Meaning::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn reachable_agents(&self, instances: &BTreeSet<InstanceId>) -> Result<BTreeSet<InstanceId>, CallError> {
        if instances.is_empty() {
            return Ok(BTreeSet::new());
        }
        let describe = DescribeInstanceInformation::of(instances.iter().map(InstanceId::as_str));
        let page = self.ask("ssm:DescribeInstanceInformation", describe).await?;
        let online = page.items.iter().filter(|node| node.ping_status() == "Online");
        Ok(online.map(|node| id(&node.id)).collect())
    }
}
