//! What an operator should know: each finding says what it is about and what to do.
//!
//! The codes are part of the contract. A remedy can be followed as it is: a command to paste, or one plain step.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use chrono::{DateTime, Utc};

use crate::decide::checks::{Checked, CheckedAddress};
use crate::decide::security_group::Gap;
use crate::model::check::CheckResult;
use crate::model::config::{Activation, Config};
use crate::model::error::{CallError, Meaning};
use crate::model::finding::{Finding, FindingCode, Severity};
use crate::model::ids::{AllocationId, AttachmentId, InstanceId, NetworkInterfaceId, SecurityGroupId};
use crate::model::observation::{Attachment, Instance, InstanceState, NetworkInterface, Reading, StateReason};
use crate::model::pause::Pause;
use crate::model::plan::{Obstacle, Refusal, Standby, Verdict};
use crate::model::readiness::{Standing, Subscription};
use crate::model::report::{ActivationRecord, ActivationResult, Probe};
use crate::model::request::Announced;

/// What an operator does to end a pause.
pub(crate) const HOW_TO_END_IT: &str =
    "End the pause:\ntoken-failover resume\nOr invoke the function with {\"action\":\"resume\"}.";

/// The maximum number of findings of one kind. It is enough for a person, and keeps every report within SNS's limit.
const MAX_OF_A_KIND: usize = 10;

/// Where an operator finds a report that does not fit into a message.
const WHOLE_REPORT: &str = "The whole report is in the function's log, in the line of type report.";

/// Writes findings for one configuration.
#[derive(Debug, Clone, Copy)]
pub struct Advisor<'a> {
    config: &'a Config,
}

impl<'a> Advisor<'a> {
    /// An advisor for this configuration.
    pub fn new(config: &'a Config) -> Self {
        Self { config }
    }

    /// An AWS CLI command about EC2, with the Region in which the function runs.
    pub fn command(&self, command: &str) -> String {
        self.command_of("ec2", command)
    }

    fn command_of(&self, service: &str, command: &str) -> String {
        match &self.config.region {
            Some(region) => format!("aws {service} {command} --region {region}"),
            None => format!("aws {service} {command}"),
        }
    }

    fn keep_on_termination(&self, interface: &NetworkInterfaceId, attachment: &AttachmentId) -> String {
        self.command(&format!(
            "modify-network-interface-attribute --network-interface-id {interface} --attachment \
             AttachmentId={attachment},DeleteOnTermination=false"
        ))
    }

    /// The findings of a refusal: the reason first, then the obstacle of each standby.
    pub fn refusal(&self, refusal: &Refusal, standbys: &[Standby]) -> Vec<Finding> {
        let mut findings = vec![self.refused(refusal)];
        if matches!(refusal, Refusal::NoViableStandby | Refusal::HolderNotStarted { .. }) {
            findings.extend(standbys.iter().filter_map(|standby| match &standby.verdict {
                Verdict::NotViable(obstacle) => Some(self.standby(&standby.instance_id, obstacle)),
                Verdict::Running | Verdict::Stopped => None,
            }));
        }
        findings
    }

    /// The reason of a refusal.
    pub fn refused(&self, refusal: &Refusal) -> Finding {
        match refusal {
            Refusal::InterfaceMissing => self.interface_missing(),
            Refusal::HeldByStranger { holder, attachment_id } => {
                self.held_by_non_member(holder.as_ref(), attachment_id)
            }
            Refusal::PrimaryInterface { holder, state, attachment_id } => {
                self.primary_interface(holder, state.as_ref(), attachment_id)
            }
            Refusal::NoViableStandby => self.no_viable_standby(),
            Refusal::TargetNotViable { target, obstacle } => self.target_not_viable(target, obstacle),
            Refusal::TargetNotAMember { target } => self.target_not_a_member(target),
            Refusal::HolderNotStarted { holder } => self.holder_not_started(holder),
            Refusal::StillAttaching { to } => self.still_attaching(to),
            Refusal::TooManyMoves { moves } => self.too_many_moves(moves.len()),
            Refusal::PermissionDenied(error) => self.permission_denied(error),
            Refusal::AmbiguousAnswer(error) => self.ambiguous_answer(error),
            Refusal::CallRejected(error) => self.call_rejected(error),
        }
    }

    fn interface_missing(&self) -> Finding {
        let interface = &self.config.interface_id;
        Finding::new(
            FindingCode::InterfaceMissing,
            interface,
            format!("EC2 does not know {interface}. If the interface was deleted, its MAC address is lost forever."),
            format!(
                "Check whether it is in another account (with credentials of that account) or in another Region (with \
                     another --region):\n{}\nIf it is gone, create a new interface, send its MAC address to support@mosek.com \
                     to get a new license, and deploy with the new interface's id.",
                self.command(&format!(
                    "describe-network-interfaces --network-interface-ids {interface} --query \
                         'NetworkInterfaces[].[OwnerId,AvailabilityZone,MacAddress]' --output text"
                ))
            ),
        )
    }

    fn held_by_non_member(&self, holder: Option<&InstanceId>, attachment_id: &AttachmentId) -> Finding {
        let interface = &self.config.interface_id;
        let name = holder.map_or_else(|| "something other than an instance".to_owned(), ToString::to_string);
        Finding::new(
            FindingCode::HeldByStranger,
            &name,
            format!("{interface} is attached to {name}, which is not in TOKEN_SERVER_INSTANCE_IDS."),
            format!(
                "If the interface belongs there, add that instance to TOKEN_SERVER_INSTANCE_IDS and deploy. If not, \
                         detach it, and the next run attaches it to a member:\n{}",
                self.command(&format!("detach-network-interface --attachment-id {attachment_id}"))
            ),
        )
    }

    fn primary_interface(
        &self,
        holder: &InstanceId,
        state: Option<&InstanceState>,
        attachment_id: &AttachmentId,
    ) -> Finding {
        let interface = &self.config.interface_id;
        let state = state.map_or_else(|| "unknown to EC2".to_owned(), ToString::to_string);
        Finding::new(
            FindingCode::PrimaryInterface,
            holder,
            format!(
                "{interface} is the primary interface (device index 0) of {holder}, which is {state}. EC2 never \
                         detaches a primary interface."
            ),
            format!(
                "Terminating {holder} frees the interface, and token-failover then moves it. First make sure that the \
                         interface survives:\n{}\nThen, if you no longer need {holder} and its disks, terminate it:\n{}",
                self.keep_on_termination(interface, attachment_id),
                self.command(&format!("terminate-instances --instance-ids {holder}"))
            ),
        )
    }

    fn target_not_viable(&self, target: &InstanceId, obstacle: &Obstacle) -> Finding {
        Finding::new(
            FindingCode::TargetNotViable,
            target,
            format!("{target} cannot take the interface: {obstacle}."),
            format!(
                "Fix {target} and try again, or request a failover without \"to\" to use the first viable standby."
            ),
        )
    }

    fn target_not_a_member(&self, target: &InstanceId) -> Finding {
        Finding::new(
            FindingCode::TargetNotAMember,
            target,
            format!("{target} is not in TOKEN_SERVER_INSTANCE_IDS, so it must not hold the interface."),
            format!("Request one of the members: {}.", join(&self.config.members)),
        )
    }

    fn too_many_moves(&self, moves: usize) -> Finding {
        let interface = &self.config.interface_id;
        Finding::new(
                FindingCode::TooManyMoves,
                interface,
                format!(
                    "The interface moved, or its holder was started, {} times in the last hour. FAILOVER_MAX_MOVES_PER_HOUR \
                     is {}.",
                    moves,
                    self.config.max_moves_per_hour
                ),
                "Find out why the servers keep failing. To move the interface now despite the limit, invoke the function with \
                 {\"action\":\"failover\"}."
                    .to_owned(),
            )
    }

    fn ambiguous_answer(&self, error: &CallError) -> Finding {
        let interface = &self.config.interface_id;
        Finding::new(
            FindingCode::AmbiguousAnswer,
            interface,
            format!("EC2's answer does not match the request, so nothing was changed. {error}."),
            "Look at the interface in the EC2 console. If this persists, open a case with AWS Support and quote the \
                 request id."
                .to_owned(),
        )
    }

    fn call_rejected(&self, error: &CallError) -> Finding {
        let interface = &self.config.interface_id;
        Finding::new(
            FindingCode::CallRejected,
            interface,
            format!("EC2 rejects a call that the failover needs. {error}."),
            "Read EC2's message: it names what has to change. The next run tries again.".to_owned(),
        )
    }

    /// No standby can take the interface.
    pub fn no_viable_standby(&self) -> Finding {
        Finding::new(
            FindingCode::NoViableStandby,
            &self.config.interface_id,
            "No standby can take the interface now.".to_owned(),
            "Make one of the standbys viable: each has its own finding. The next run that needs a standby uses it."
                .to_owned(),
        )
    }

    /// The obstacle of a standby.
    pub fn standby(&self, id: &InstanceId, obstacle: &Obstacle) -> Finding {
        let interface = &self.config.interface_id;
        let remedy = match obstacle {
            Obstacle::Missing | Obstacle::Terminated => {
                "Launch a new standby in the interface's Availability Zone and deploy with its id.".to_owned()
            }
            Obstacle::Starting | Obstacle::Stopping => "Wait. The next run checks again.".to_owned(),
            Obstacle::UnknownState(_) => format!("Look at {id} in the EC2 console."),
            Obstacle::WrongZone(_) | Obstacle::WrongVpc => format!(
                "An interface cannot leave its Availability Zone or VPC. Launch a standby in the zone and VPC of {interface}, \
                 and deploy with its id."
            ),
            Obstacle::DeviceIndexTaken(taken) => format!(
                "Detach {taken} from {id}, or deploy with another TOKEN_SERVER_DEVICE_INDEX that is free on every member."
            ),
            Obstacle::NoRoom { .. } => self.make_room(id),
            Obstacle::Impaired => format!(
                "Stop the instance. Once it has stopped, start it again:\n{}\n{}",
                self.command(&format!("stop-instances --instance-ids {id}")),
                self.command(&format!("start-instances --instance-ids {id}"))
            ),
            Obstacle::StatusChecksUnreadable => {
                "If the function's role lacks ec2:DescribeInstanceStatus, grant it.".to_owned()
            }
            Obstacle::NotStarted => format!(
                "Wait: the function tries again within five minutes. If EC2 has no capacity for this instance type, another \
                 type may be available at once. To start it yourself:\n{}",
                self.command(&format!("start-instances --instance-ids {id}"))
            ),
            Obstacle::BeingTaken => {
                "Launch another standby in the interface's Availability Zone, preferably not a Spot Instance, and deploy with \
                 its id."
                    .to_owned()
            }
            Obstacle::MayNotStart => format!(
                "Deploy with FAILOVER_START_STANDBY=true, or start the instance:\n{}",
                self.command(&format!("start-instances --instance-ids {id}"))
            ),
        };
        Finding::new(FindingCode::StandbyNotViable, id, format!("{id} cannot take the interface: {obstacle}."), remedy)
    }

    /// The role lacks a permission.
    pub fn permission_denied(&self, error: &CallError) -> Finding {
        Finding::new(
            FindingCode::PermissionDenied,
            &error.action,
            format!("The function's role does not allow {}.", error.action),
            format!(
                "Deploy the current template again: its role allows the call. If the call is still denied, look for a service \
                 control policy or a permissions boundary that denies it.{}",
                error.request_id.as_ref().map_or_else(String::new, |id| format!(" The denied request: {id}."))
            ),
        )
    }

    /// A change that did not succeed, and its consequence.
    pub fn call_failed(
        &self,
        code: FindingCode,
        resource: impl ToString,
        consequence: &str,
        error: &CallError,
    ) -> Finding {
        if error.meaning == Meaning::Denied {
            let finding = self.permission_denied(error).as_severe_as(code.severity());
            let message = format!("{consequence} {}", finding.message);
            return Finding { message, ..finding };
        }
        let remedy = match error.meaning {
            Meaning::Throttled | Meaning::Unreachable => "No action needed unless it recurs.",
            Meaning::NoCapacity => {
                "EC2 has no capacity for this instance type in this zone now. Capacity may return later, and another type may \
                 be available at once."
            }
            _ => "Read the error: it names what has to change.",
        };
        Finding::new(code, resource, format!("{consequence} {error}."), remedy.to_owned())
    }

    /// The function is paused.
    pub fn paused(&self, pause: &Pause) -> Finding {
        let message = format!(
            "token-failover is paused until {}. Until then it does not move the interface, start a member or repair anything \
             on its own.",
            pause.in_words()
        );
        Finding::new(FindingCode::Paused, &self.config.interface_id, message, HOW_TO_END_IT.to_owned())
    }

    /// The interface is attached to nothing, and the run could not change that.
    pub fn attached_to_nothing(&self, standbys: &[Standby]) -> Finding {
        let interface = &self.config.interface_id;
        let viable = standbys.iter().find(|standby| standby.verdict.is_viable()).map(|standby| &standby.instance_id);
        let target = viable.or(self.config.members.first()).map_or_else(String::new, ToString::to_string);
        Finding::new(
            FindingCode::AttachedToNothing,
            interface,
            format!("{interface} is not attached to any instance, so no token server has the license's MAC address."),
            format!(
                "Every run tries to attach it. To attach it yourself:\n{}",
                self.command(&format!(
                    "attach-network-interface --network-interface-id {interface} --instance-id {target} --device-index {}",
                    self.config.device_index
                ))
            ),
        )
    }

    /// The interface went back to its former holder.
    pub fn returned(&self, to: &InstanceId) -> Finding {
        Finding::new(
            FindingCode::ReturnedToFormerHolder,
            to,
            format!("No standby could take the interface, so it was returned to {to}."),
            format!("Look at the failed steps, fix the standbys, and check that {to} serves licenses."),
        )
    }

    /// The interface is on a standby that could not be started. EC2 gives a reason if it stopped again after its start.
    pub fn not_started(&self, standby: &InstanceId, reason: Option<&StateReason>) -> Finding {
        let reason = reason.map_or_else(String::new, |reason| format!(" EC2's reason: {reason}."));
        Finding::new(
            FindingCode::StandbyNotStarted,
            standby,
            format!("The license interface is on {standby}, but that instance could not be started.{reason}"),
            format!(
                "The next run tries again. To start it yourself:\n{}",
                self.command(&format!("start-instances --instance-ids {standby}"))
            ),
        )
    }

    /// The holder is stopped, no standby could take the interface, and EC2 could not start the holder.
    pub fn holder_not_started(&self, holder: &InstanceId) -> Finding {
        Finding::new(
            FindingCode::HolderNotStarted,
            holder,
            format!(
                "{holder} holds the license interface and is stopped. No standby can take the interface, and EC2 could not \
                 start {holder}."
            ),
            format!(
                "The function tries again after one minute, then two, then four, then every five minutes. To start it \
                 yourself:\n{}",
                self.command(&format!("start-instances --instance-ids {holder}"))
            ),
        )
    }

    /// EC2 is attaching the interface slowly.
    pub fn still_attaching(&self, to: &InstanceId) -> Finding {
        let interface = &self.config.interface_id;
        Finding::new(
            FindingCode::StillAttaching,
            to,
            format!(
                "EC2 has been attaching {interface} to {to} for minutes. Nothing else can be tried until the attach ends."
            ),
            format!(
                "Wait: every run checks again and continues as soon as EC2 is done. If this takes more than ten minutes, open \
                 a case with AWS Support. To see the attachment:\n{}",
                self.command(&format!(
                    "describe-network-interfaces --network-interface-ids {interface} --query \
                     'NetworkInterfaces[].[Status,Attachment.InstanceId,Attachment.Status]' --output text"
                ))
            ),
        )
    }

    /// The interface was detached by force.
    pub fn forced(&self, from: &InstanceId) -> Finding {
        Finding::new(
            FindingCode::DetachedByForce,
            from,
            format!(
                "The interface was detached from {from} by force. EC2 warns that the device index may stay unusable, and the \
                 instance metadata stale, until the instance has been stopped and started."
            ),
            format!(
                "Before you move the interface back, stop {from} and start it again:\n{}\n{}",
                self.command(&format!("stop-instances --instance-ids {from}")),
                self.command(&format!("start-instances --instance-ids {from}"))
            ),
        )
    }

    /// The instance that has the interface has failed already.
    pub fn holder_failed(&self, attachment: &Attachment) -> Finding {
        let holder = attachment.instance_id.as_ref().map_or_else(|| "Its holder".to_owned(), ToString::to_string);
        Finding::new(
            FindingCode::HolderFailed,
            &holder,
            format!("{holder} holds the license interface, but it is not running or its EC2 status checks fail."),
            "Wait a minute: the next reconcile moves the interface. An audit moves nothing.".to_owned(),
        )
    }

    /// The instance has no room for another interface.
    pub fn standby_without_room(&self, instance: &Instance, limit: u32) -> Finding {
        let (id, kind) = (&instance.id, &instance.instance_type);
        Finding::new(
            FindingCode::StandbyWithoutRoom,
            id,
            format!(
                "{id} cannot take the interface: it already has as many interfaces as a {kind} can have ({limit})."
            ),
            self.make_room(id),
        )
    }

    fn make_room(&self, id: &InstanceId) -> String {
        format!(
            "Detach an interface that {id} does not need, or change its instance type. To list its interfaces:\n{}",
            self.command(&format!(
                "describe-network-interfaces --filters Name=attachment.instance-id,Values={id} --query \
                 'NetworkInterfaces[].[NetworkInterfaceId,Attachment.DeviceIndex,Description]' --output table"
            ))
        )
    }

    /// EC2 did not say how many interfaces an instance of this type can have.
    pub fn unknown_instance_type(&self, instance: &Instance) -> Finding {
        Finding::new(
            FindingCode::NotAudited,
            &instance.id,
            format!(
                "EC2 does not describe the instance type {:?} of {}, so the audit could not check whether there is room for \
                 the interface.",
                instance.instance_type, instance.id
            ),
            "Count its interfaces, and look up the limit of its type in the EC2 console.".to_owned(),
        )
    }

    /// The members' primary interfaces are in the license interface's subnet.
    pub fn same_subnet(&self, members: &[InstanceId]) -> Finding {
        Finding::new(
            FindingCode::SameSubnet,
            &self.config.interface_id,
            format!(
                "The license interface is in the same subnet as the primary interface of {}. Linux then answers clients \
                 through the wrong interface, unless the license interface has its own routing table.",
                join(members)
            ),
            "Amazon Linux sets this up automatically. On Ubuntu 24.04, cloud-init does so at every boot only if a file in \
             /etc/cloud/cloud.cfg.d has the line \"updates: {network: {when: [boot, hotplug]}}\". Without it, a standby that \
             was stopped boots without an address on the interface. On other systems, add a rule for the license interface's \
             address: see the EC2 User Guide, \"Configure your Amazon EC2 instance for multiple network interfaces\"."
                .to_owned(),
        )
    }

    /// EC2 may recover members automatically.
    pub fn auto_recovery(&self, members: &[InstanceId]) -> Finding {
        let commands: Vec<String> = members
            .iter()
            .map(|member| {
                self.command(&format!(
                    "modify-instance-maintenance-options --instance-id {member} --auto-recovery disabled"
                ))
            })
            .collect();
        Finding::new(
            FindingCode::AutoRecovery,
            &self.config.interface_id,
            format!(
                "EC2 automatically recovers {} when the hardware fails. A recovered instance comes back without the license \
                 interface if the interface has moved by then.",
                join(members)
            ),
            format!(
                "No action needed if a recovered instance may be a standby. To turn automatic recovery off:\n{}",
                commands.join("\n")
            ),
        )
    }

    /// Termination protection is off for members.
    pub fn termination_protection(&self, members: &[InstanceId]) -> Finding {
        let commands: Vec<String> = members
            .iter()
            .map(|member| {
                self.command(&format!("modify-instance-attribute --instance-id {member} --disable-api-termination"))
            })
            .collect();
        Finding::new(
            FindingCode::TerminationProtection,
            &self.config.interface_id,
            format!("Termination protection is off for {}.", join(members)),
            format!("Turn it on to prevent a termination by mistake:\n{}", commands.join("\n")),
        )
    }

    /// The source/destination check of the interface is off.
    pub fn source_dest_check(&self, interface: &NetworkInterfaceId) -> Finding {
        Finding::new(
            FindingCode::SourceDestCheck,
            interface,
            "The source/destination check of the license interface is off. A router needs it off; a token server does not."
                .to_owned(),
            self.command(&format!(
                "modify-network-interface-attribute --network-interface-id {interface} --source-dest-check"
            )),
        )
    }

    /// The subnet has no route to the internet, so the public address is not reachable.
    pub fn no_internet_gateway(&self, subnet: &str) -> Finding {
        Finding::new(
            FindingCode::NoInternetGateway,
            subnet,
            format!(
                "The subnet {subnet} has no active route to an internet gateway, so no client reaches the Elastic IP."
            ),
            format!(
                "Add a route to an internet gateway to the subnet's route table, or give up the Elastic IP. To see the \
                 routes:\n{}",
                self.command(&format!(
                    "describe-route-tables --filters Name=association.subnet-id,Values={subnet} --query \
                     'RouteTables[].Routes[]' --output table"
                ))
            ),
        )
    }

    /// The network ACL blocks clients.
    pub fn acl_blocks(&self, subnet: &str, traffic: &str) -> Finding {
        Finding::new(
            FindingCode::NetworkAclBlocks,
            format!("{subnet} {traffic}"),
            format!("The network ACL of {subnet} blocks some or all of this traffic: {traffic}."),
            self.acl_remedy(subnet),
        )
    }

    /// The network ACL blocks some answers.
    pub fn acl_blocks_some_answers(&self, subnet: &str, range: &str) -> Finding {
        Finding::new(
            FindingCode::NetworkAclBlocksSomeAnswers,
            format!("{subnet} {range}"),
            format!(
                "The network ACL of {subnet} does not allow answers to all of the ports 1024-65535 in {range}. Clients may \
                 use any of them."
            ),
            self.acl_remedy(subnet),
        )
    }

    fn acl_remedy(&self, subnet: &str) -> String {
        format!(
            "Allow this traffic in the network ACL. Only clients in the same subnet are unaffected. To see the entries:\n{}",
            self.command(&format!(
                "describe-network-acls --filters Name=association.subnet-id,Values={subnet} --query \
                 'NetworkAcls[].Entries[]' --output table"
            ))
        )
    }

    /// A security group that is configured as a client does not exist.
    pub fn client_group_missing(&self, group: &SecurityGroupId) -> Finding {
        Finding::new(
            FindingCode::ClientGroupMissing,
            group,
            format!("TOKEN_SERVER_CLIENTS names {group}, which EC2 does not know."),
            "Deploy with the security group that the clients use now.".to_owned(),
        )
    }

    /// The topic does not exist.
    pub fn topic_missing(&self) -> Finding {
        Finding::new(
            FindingCode::TopicMissing,
            &self.config.topic,
            format!("The topic {} does not exist, so no one receives the reports.", self.config.topic),
            "Deploy with a topic that exists, or without NotificationTopicArn so that the stack creates one."
                .to_owned(),
        )
    }

    /// No report would reach a person: the topic has no confirmed subscription.
    pub fn nobody_subscribed(&self, subscriptions: &[Subscription]) -> Finding {
        let topic = &self.config.topic;
        let is_pending = subscriptions.iter().any(|one| one.standing == Standing::Pending);
        let deleted = subscriptions.iter().filter(|one| one.standing == Standing::Deleted);
        let deleted: Vec<String> = deleted.map(|one| format!("{} ({})", one.endpoint, one.protocol)).collect();
        let message = match (is_pending, deleted.as_slice()) {
            (true, _) => "has no confirmed subscription".to_owned(),
            (false, []) => "has no subscription".to_owned(),
            (false, deleted) => format!("has had no subscription since {} was unsubscribed", deleted.join(", ")),
        };
        let first = if is_pending {
            "To confirm, follow the link in the mail that AWS sent to each address.".to_owned()
        } else {
            format!(
                "Subscribe an address. AWS then sends it a mail with a confirmation link:\naws sns subscribe \
                 --topic-arn {topic} --protocol email --notification-endpoint you@example.com"
            )
        };
        Finding::new(
            FindingCode::NoSubscription,
            topic,
            format!("The topic {topic} {message}, so no one receives the reports."),
            format!(
                "{first}\nAnyone who has a mail from the topic can end the subscription with one click. To prevent this, \
                 confirm with this command instead of the link; the link contains the token:\naws sns confirm-subscription \
                 --topic-arn {topic} --token TOKEN --authenticate-on-unsubscribe true\nNo mail can report this. The metric \
                 CriticalFindings, its alarm, the dashboard and token-failover audit do."
            ),
        )
    }

    /// A subscription that was never confirmed.
    pub fn unconfirmed_subscription(&self, subscription: &Subscription) -> Finding {
        let Subscription { protocol, endpoint, .. } = subscription;
        Finding::new(
            FindingCode::SubscriptionUnconfirmed,
            format!("{protocol} {endpoint}"),
            format!("The subscription of {endpoint} ({protocol}) was never confirmed, so SNS sends nothing to it."),
            format!(
                "Follow the link in the mail that AWS sent, or request another mail:\naws sns subscribe --topic-arn {} \
                 --protocol {protocol} --notification-endpoint {endpoint}",
                self.config.topic
            ),
        )
    }

    /// Findings that did not fit into a message, as severe as the worst of them; `None`: all fit.
    pub fn findings_left_out(&self, left_out: &[Finding]) -> Option<Finding> {
        let worst = left_out.iter().map(|finding| finding.severity).max()?;
        let words = [
            (Severity::Critical, "critical", "critical"),
            (Severity::Warning, "warning", "warnings"),
            (Severity::Info, "informational", "informational"),
        ];
        let counts = words.into_iter().filter_map(|(severity, one, many)| {
            match left_out.iter().filter(|finding| finding.severity == severity).count() {
                0 => None,
                count @ 1 => Some(format!("{count} {one}")),
                count => Some(format!("{count} {many}")),
            }
        });
        let counts: Vec<String> = counts.collect();
        let findings = if left_out.len() == 1 { "finding" } else { "findings" };
        let message =
            format!("{} more {findings} did not fit into this message: {}.", left_out.len(), counts.join(", "));
        let interface = &self.config.interface_id;
        let finding = Finding::new(FindingCode::FindingsLeftOut, interface, message, WHOLE_REPORT.to_owned());
        Some(finding.as_severe_as(worst))
    }

    /// Steps that did not fit into a message; `None`: all fit.
    pub fn steps_left_out(&self, earlier: usize) -> Option<Finding> {
        let steps = if earlier == 1 { "step" } else { "steps" };
        let message = format!("{earlier} earlier {steps} did not fit into this message.");
        (earlier > 0).then(|| {
            Finding::new(FindingCode::StepsLeftOut, &self.config.interface_id, message, WHOLE_REPORT.to_owned())
        })
    }

    /// AWS has announced a change to an instance, under this event type code.
    pub fn announcement(
        &self,
        what: Announced,
        code: &str,
        instance: &InstanceId,
        date: Option<DateTime<Utc>>,
        is_holder: bool,
    ) -> Finding {
        let on = date.map_or_else(String::new, |date| format!(" on {}", date.format("%Y-%m-%d %H:%M UTC")));
        let message = match what {
            Announced::Retirement => {
                format!("AWS will retire the hardware of {instance}{on}. It will stop or terminate the instance then.")
            }
            Announced::Termination => format!("AWS will terminate {instance}{on}."),
            Announced::Stop => format!("AWS will stop {instance}{on}."),
            Announced::Reboot => format!("AWS will reboot {instance}{on}."),
            Announced::PowerMaintenance => format!(
                "AWS will work on the power supply of {instance}{on}. The instance will be down for a short time and will be \
                 rebooted."
            ),
            Announced::NetworkMaintenance => format!(
                "AWS will work on the network of {instance}{on}. The instance will be unreachable for a short time."
            ),
            Announced::Change => format!("AWS has scheduled a change to {instance}{on} ({code})."),
        };
        let move_first = "Before that, move the interface at a time that suits you: invoke the function with \
                          {\"action\":\"failover\"}.";
        let move_first = if is_holder { move_first } else { "" };
        let remedy = match what {
            Announced::Retirement | Announced::Stop => format!(
                "{} stop {instance} and start it again, which moves it to other hardware:\n{}\n{}",
                if is_holder { format!("{move_first} Then") } else { "Before that,".to_owned() },
                self.command(&format!("stop-instances --instance-ids {instance}")),
                self.command(&format!("start-instances --instance-ids {instance}"))
            ),
            Announced::Termination => {
                format!("{move_first} Launch a replacement instance, and deploy with its id.")
            }
            Announced::Reboot | Announced::PowerMaintenance | Announced::NetworkMaintenance if is_holder => format!(
                "{move_first} Otherwise, clients have no licenses until the instance is back, or until the function moves the \
                 interface because the status checks fail."
            ),
            Announced::Reboot | Announced::PowerMaintenance | Announced::NetworkMaintenance => {
                format!("No action needed unless {instance} holds the interface by then.")
            }
            Announced::Change => format!("See the AWS Health Dashboard for what will change. {move_first}"),
        };
        Finding::new(what.finding_code(), instance, message, remedy.trim().to_owned())
    }

    /// The standby was started, and did not run yet when the run had to answer.
    pub fn still_starting(&self, standby: &InstanceId) -> Finding {
        Finding::new(
            FindingCode::StandbyStillStarting,
            standby,
            format!("{standby} holds the interface and was started, but was not yet running when this report was written."),
            format!(
                "Check again in a minute:\n{}",
                self.command(&format!(
                    "describe-instances --instance-ids {standby} --query 'Reservations[].Instances[].State.Name' --output text"
                ))
            ),
        )
    }

    /// The pending report could not be written before the change.
    pub fn mark_not_written(&self, error: &CallError) -> Finding {
        self.call_failed(
            FindingCode::MarkNotWritten,
            &self.config.interface_id,
            "The move could not be noted on the interface, so no report would have been sent if the function had died during \
             the move.",
            error,
        )
    }

    /// The pending report could not be removed after it was published.
    pub fn mark_not_removed(&self, error: &CallError) -> Finding {
        self.call_failed(
            FindingCode::MarkNotRemoved,
            &self.config.interface_id,
            "The note of a pending report could not be removed, so the report will be published again.",
            error,
        )
    }

    /// The report could not be published.
    pub fn not_published(&self, error: &CallError) -> Finding {
        self.call_failed(
            FindingCode::NotPublished,
            &self.config.topic,
            "The report could not be published. It is pending, and a later run publishes it.",
            error,
        )
    }

    /// Ports of the token server do not answer; `None`: no such port was found. From outside the VPC, the finding is
    /// only a hint.
    pub fn ports_not_answering(
        &self,
        holder: &InstanceId,
        address: Ipv4Addr,
        probes: &[Probe],
        is_inside: bool,
    ) -> Option<Finding> {
        let mut by_error: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for probe in probes.iter().filter(|probe| probe.result == CheckResult::Failed) {
            by_error.entry(probe.error.as_deref().unwrap_or_default()).or_default().push(probe.port.to_string());
        }
        if by_error.is_empty() {
            return None;
        }
        let how: Vec<String> =
            by_error.into_iter().map(|(error, ports)| format!("{} ({error})", ports.join(", "))).collect();
        let seen_from = if is_inside { "" } else { ", as seen from here" };
        let finding = Finding::new(
            FindingCode::PortsNotAnswering,
            address,
            format!("The token server does not answer at {address} on TCP {}{seen_from}.", how.join(" and ")),
            format!(
                "On {holder}, check that lmgrd and MOSEKLM run, read their log, and restart them. If the connection was \
                 refused, nothing listens on the port. If only lmgrd listens, MOSEKLM does not accept the hostid or the \
                 license. If there was no answer, the operating system has not configured the interface, or the security \
                 group blocks the machine that tried the port."
            ),
        );
        Some(if is_inside { finding } else { finding.as_severe_as(Severity::Warning) })
    }

    /// The activation failed or has no result yet; `None`: it succeeded. `answers`: the ports answer anyway.
    pub fn activation(&self, record: &ActivationRecord, answers: bool) -> Option<Finding> {
        let ActivationRecord { document, instance_id, command_id, error, .. } = record;
        let why = error.as_ref().map_or_else(String::new, |error| format!(": {error}"));
        let again =
            self.command_of("ssm", &format!("send-command --document-name {document} --instance-ids {instance_id}"));
        let is_given_more = self.config.activation.as_ref().is_some_and(|activation| !activation.parameters.is_empty());
        let parameters = if is_given_more { ", with its parameters (FAILOVER_ACTIVATION_PARAMETERS)" } else { "" };
        let printed = command_id.as_ref().map(|command| {
            self.command_of(
                "ssm",
                &format!(
                    "get-command-invocation --command-id {command} --instance-id {instance_id} --query \
                     '[StatusDetails,StandardErrorContent]' --output text"
                ),
            )
        });
        match record.result {
            ActivationResult::Done => None,
            ActivationResult::Failed => {
                let severity = if answers { Severity::Warning } else { Severity::Critical };
                let look = printed.map_or_else(String::new, |printed| format!("See its output:\n{printed}\n"));
                let finding = Finding::new(
                    FindingCode::ActivationFailed,
                    instance_id,
                    format!(
                        "The command that activates the token server on {instance_id} ({document}) did not succeed{why}."
                    ),
                    format!(
                        "{look}Start the token server on {instance_id} yourself, or send the command \
                         again{parameters}:\n{again}"
                    ),
                );
                Some(finding.as_severe_as(severity))
            }
            ActivationResult::Unfinished => Some(Finding::new(
                FindingCode::ActivationUnfinished,
                instance_id,
                format!(
                    "The command that activates the token server on {instance_id} ({document}) was not seen to finish before \
                     this report was written{why}."
                ),
                match printed {
                    Some(printed) => format!("Check the result:\n{printed}"),
                    None => format!("It may not have been sent. To send it again{parameters}:\n{again}"),
                },
            )),
        }
    }

    /// The document that activates a token server does not exist.
    pub fn activation_document_missing(&self, activation: &Activation) -> Finding {
        let document = &activation.document;
        Finding::new(
            FindingCode::ActivationDocumentMissing,
            document,
            format!(
                "Systems Manager has no document {document} that it can run. After a failover, the token server on a running \
                 standby would not be activated."
            ),
            "Deploy with an existing document as FAILOVER_ACTIVATION_DOCUMENT, or without one if the standbys serve on their \
             own once they have the interface."
                .to_owned(),
        )
    }

    /// Systems Manager does not hear from the agent on a running member.
    pub fn member_not_managed(&self, member: &InstanceId, is_holder: bool) -> Finding {
        let finding = Finding::new(
            FindingCode::MemberNotManaged,
            member,
            format!(
                "The Systems Manager agent on {member} does not report, so the token server there could not be activated."
            ),
            format!(
                "Check that the agent runs, that the instance profile has AmazonSSMManagedInstanceCore, and that the instance \
                 reaches Systems Manager:\n{}",
                self.command_of(
                    "ssm",
                    &format!(
                        "describe-instance-information --filters Key=InstanceIds,Values={member} --query \
                         'InstanceInformationList[].[PingStatus,LastPingDateTime]' --output text"
                    )
                )
            ),
        );
        // The holder serves now. The activation matters only if the interface comes back to it later.
        if is_holder { finding.as_severe_as(Severity::Warning) } else { finding }
    }

    /// The findings of the checks of EC2's answers.
    pub fn checks(&self, interface: &NetworkInterface, checked: &Checked) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(self.hostid(interface, checked));
        findings.extend(self.delete_on_termination(interface, checked));
        findings.extend(self.elastic_ip(interface, &checked.address));
        findings.extend(self.security_groups(interface, checked));
        findings
    }

    fn hostid(&self, interface: &NetworkInterface, checked: &Checked) -> Option<Finding> {
        let wanted = checked.other_hostid?;
        Some(Finding::new(
            FindingCode::HostidMismatch,
            &interface.id,
            format!(
                "The license names the hostid {}, but {} has {}. The token server will refuse to serve the license.",
                wanted.hostid(),
                interface.id,
                interface.mac_address.hostid()
            ),
            "Deploy with the interface whose MAC address the license names, or ask support@mosek.com for a license for this \
             interface."
                .to_owned(),
        ))
    }

    fn delete_on_termination(&self, interface: &NetworkInterface, checked: &Checked) -> Option<Finding> {
        let attachment = checked.deletes_on_termination.as_ref()?;
        Some(Finding::new(
            FindingCode::DeleteOnTermination,
            &interface.id,
            "DeleteOnTermination is true: terminating the instance would destroy the interface and its MAC address forever."
                .to_owned(),
            self.keep_on_termination(&interface.id, attachment),
        ))
    }

    // The length is justified: one arm for each place where the address can be.
    fn elastic_ip(&self, interface: &NetworkInterface, address: &CheckedAddress) -> Option<Finding> {
        let associate = |allocation: &AllocationId| {
            self.command(&format!(
                "associate-address --allocation-id {allocation} --network-interface-id {}",
                interface.id
            ))
        };
        let finding = match address {
            CheckedAddress::NotConfigured | CheckedAddress::InPlace => return None,
            CheckedAddress::NotChecked(allocation) => Finding::new(
                FindingCode::ElasticIpNotChecked,
                allocation,
                format!("{allocation} is not on {}, and its location was not checked.", interface.id),
                associate(allocation),
            ),
            CheckedAddress::Unreadable(allocation, error) => {
                let consequence =
                    format!("{allocation} is not on {}, and its location could not be read.", interface.id);
                self.call_failed(FindingCode::ElasticIpNotChecked, allocation, &consequence, error)
            }
            CheckedAddress::Missing(allocation) => Finding::new(
                FindingCode::ElasticIpMissing,
                allocation,
                format!(
                    "EC2 does not know {allocation}: the Elastic IP was released, or is in another account or Region."
                ),
                "Allocate a new address, tell the clients, and deploy with its id as TOKEN_SERVER_ALLOCATION_ID."
                    .to_owned(),
            ),
            CheckedAddress::Free(address) => Finding::new(
                FindingCode::ElasticIpNotAssociated,
                &address.allocation_id,
                format!("{} ({}) is not associated with anything.", address.public_ip, address.allocation_id),
                associate(&address.allocation_id),
            ),
            CheckedAddress::OnMember(address, _) => Finding::new(
                FindingCode::ElasticIpElsewhere,
                &address.allocation_id,
                format!(
                    "{} ({}) is not on the primary private address of {}, but still on {}.",
                    address.public_ip,
                    address.allocation_id,
                    interface.id,
                    whereabouts(address)
                ),
                associate(&address.allocation_id),
            ),
            CheckedAddress::OnNonMember(address) => Finding::new(
                FindingCode::ElasticIpWithStranger,
                &address.allocation_id,
                format!(
                    "{} ({}) is on {}, which is not a member, so it was left there.",
                    address.public_ip,
                    address.allocation_id,
                    whereabouts(address)
                ),
                format!("If it belongs to the token server, take it back:\n{}", associate(&address.allocation_id)),
            ),
        };
        Some(finding)
    }

    fn security_groups(&self, interface: &NetworkInterface, checked: &Checked) -> Vec<Finding> {
        let Some(coverage) = &checked.coverage else { return Vec::new() };
        let coverage = match coverage {
            Reading::Known(coverage) => coverage,
            Reading::Unreadable(error) => {
                let consequence = "The security groups could not be read, so it is unknown whether the ports are open.";
                let code = FindingCode::SecurityGroupNotChecked;
                return vec![self.call_failed(code, &interface.id, consequence, error)];
            }
        };
        let group = interface.groups.first().map_or_else(|| interface.id.to_string(), ToString::to_string);
        let mut findings: Vec<Finding> =
            coverage.gaps.iter().take(MAX_OF_A_KIND).map(|gap| self.gap(&group, gap)).collect();
        if let Some(more @ 1..) = coverage.gaps.len().checked_sub(MAX_OF_A_KIND) {
            findings.push(Finding::new(
                FindingCode::SecurityGroupPortClosed,
                &group,
                format!("{more} more combinations of client and port are closed in the same way."),
                "Fix these first. The next report names the others.".to_owned(),
            ));
        }
        findings.extend(coverage.undecided.iter().take(MAX_OF_A_KIND).map(|gap| undecided(&group, gap)));
        findings.extend(coverage.open_to_world.iter().take(MAX_OF_A_KIND).map(|ports| {
            Finding::new(
                FindingCode::SecurityGroupOpenToWorld,
                &group,
                format!("TCP {ports} is open to every address on the internet."),
                "Allow only the networks of your clients.".to_owned(),
            )
        }));
        if self.config.clients.is_empty() {
            findings.push(Finding::new(
                FindingCode::SecurityGroupSourcesNotChecked,
                group,
                "TOKEN_SERVER_CLIENTS is empty, so the function did not check who can reach the ports.".to_owned(),
                "Deploy with the networks of your clients in TOKEN_SERVER_CLIENTS.".to_owned(),
            ));
        }
        findings
    }

    fn gap(&self, group: &str, gap: &Gap) -> Finding {
        let command = match &gap.client {
            Some(client) => {
                use crate::model::config::Client;
                let source = match client {
                    Client::Cidr(net @ ipnet::IpNet::V4(_)) => format!("IpRanges=[{{CidrIp={net}}}]"),
                    Client::Cidr(net @ ipnet::IpNet::V6(_)) => format!("Ipv6Ranges=[{{CidrIpv6={net}}}]"),
                    Client::SecurityGroup(id) => format!("UserIdGroupPairs=[{{GroupId={id}}}]"),
                    Client::PrefixList(id) => format!("PrefixListIds=[{{PrefixListId={id}}}]"),
                };
                self.command(&format!(
                    "authorize-security-group-ingress --group-id {group} --ip-permissions \
                     'IpProtocol=tcp,FromPort={},ToPort={},{source}'",
                    gap.ports.first, gap.ports.last
                ))
            }
            None => format!("Add a rule for TCP {} from the networks of your clients to {group}.", gap.ports),
        };
        let message = format!("{} is closed to {}.", tcp(gap), to(gap));
        Finding::new(FindingCode::SecurityGroupPortClosed, group, message, command)
    }
}

/// A prefix list could not be read.
fn undecided(group: &str, gap: &Gap) -> Finding {
    Finding::new(
        FindingCode::SecurityGroupNotChecked,
        group,
        format!("A prefix list could not be read, so it is unknown whether {} is open to {}.", tcp(gap), to(gap)),
        "Grant the function's role ec2:GetManagedPrefixListEntries on the prefix lists in the rules.".to_owned(),
    )
}

fn tcp(gap: &Gap) -> String {
    format!("TCP {}", gap.ports)
}

fn to(gap: &Gap) -> String {
    gap.client.as_ref().map_or_else(|| "everyone".to_owned(), ToString::to_string)
}

fn whereabouts(address: &crate::model::observation::Address) -> String {
    let place = address.place.as_ref();
    let interface = place.and_then(|place| place.interface_id.as_ref()).map(ToString::to_string);
    let instance = place.and_then(|place| place.instance_id.as_ref()).map(ToString::to_string);
    match (instance, interface) {
        (Some(instance), Some(interface)) => format!("{interface} of {instance}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "something that EC2 does not name".to_owned(),
    }
}

fn join(ids: &[InstanceId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
