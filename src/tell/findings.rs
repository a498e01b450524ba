//! What an operator should know: each finding says what it is about and what to do.
//!
//! The codes are part of the contract. A remedy can be followed as it is: a command to paste, or one plain step.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};

use crate::decide::attachment::MoveByOther;
use crate::decide::checks::{Checked, CheckedAddress};
use crate::decide::lifecycle::HOOK;
use crate::decide::members::MOST_TAGGED;
use crate::decide::security_group::Gap;
use crate::decide::validity;
use crate::model::check::CheckResult;
use crate::model::config::{Activation, Config, Members};
use crate::model::error::{CallError, Meaning};
use crate::model::finding::{Finding, FindingCode, Severity};
use crate::model::ids::{AllocationId, AttachmentId, CommandId, InstanceId, NetworkInterfaceId, SecurityGroupId};
use crate::model::observation::{Attachment, Instance, InstanceState, NetworkInterface, Reading, StateReason};
use crate::model::pause::Pause;
use crate::model::plan::{MoveCause, Obstacle, Refusal, Standby, Verdict};
use crate::model::readiness::{Standing, Subscription};
use crate::model::report::{ActivationRecord, ActivationResult, Probe};
use crate::model::request::Announced;

/// What an operator does to end a pause.
pub(crate) const HOW_TO_END_IT: &str =
    "To end the pause:\ntoken-failover resume\nOr invoke the function with {\"action\":\"resume\"}.";

/// The maximum number of findings of one kind. It is enough for a person, and keeps every report within SNS's limit.
const MAX_OF_A_KIND: usize = 10;

/// Where an operator finds a report that does not fit into a message.
const WHOLE_REPORT: &str = "The whole report is in the function's log, in the line of type report.";

/// Why an operator confirms a subscription with a command.
const OPEN_THE_LINK: &str = "If you open the link instead, anyone who gets a forwarded mail can end the subscription with \
                             one click.";

/// Writes findings for one configuration.
#[derive(Debug, Clone, Copy)]
pub struct Advisor<'a> {
    config: &'a Config,
}

/// An AWS CLI command. Without a Region, the reader's settings decide. No other code writes such a command, so that none
/// lacks its Region.
pub(crate) fn aws(service: &str, command: &str, region: Option<&str>) -> String {
    let region = region.map_or_else(String::new, |region| format!(" --region {region}"));
    format!("aws {service} {command}{region}")
}

/// A name as one word of a shell command.
fn quoted(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | '@' | '+' | '=');
    if !name.is_empty() && name.chars().all(is_plain) {
        return name.to_owned();
    }
    format!("'{}'", name.replace('\'', r"'\''"))
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

    pub(crate) fn command_of(&self, service: &str, command: &str) -> String {
        aws(service, command, self.config.region.as_deref())
    }

    /// Whom to ask for a new license.
    pub(crate) fn license_contact(&self) -> &str {
        &self.config.license_contact
    }

    /// The port of lmgrd.
    pub(crate) fn lmgrd_port(&self) -> u16 {
        self.config.ports.first().map_or(27007, |range| range.first)
    }

    /// The command that shows the result of a command on an instance.
    pub(crate) fn result_of_command(&self, command: &CommandId, instance: &InstanceId) -> String {
        self.command_of(
            "ssm",
            &format!(
                "get-command-invocation --command-id {command} --instance-id {instance} --query \
                 '[StatusDetails,ResponseCode,StandardOutputContent,StandardErrorContent]' --output text"
            ),
        )
    }

    /// The command that shows whether Systems Manager hears from the agent of an instance.
    pub(crate) fn agent_status(&self, instance: &InstanceId) -> String {
        self.command_of(
            "ssm",
            &format!(
                "describe-instance-information --filters Key=InstanceIds,Values={instance} --query \
                 'InstanceInformationList[].[PingStatus,LastPingDateTime]' --output text"
            ),
        )
    }

    /// An AWS CLI command about the topic, which may be in another Region than the function.
    fn command_of_topic(&self, command: &str) -> String {
        aws("sns", command, Some(self.config.topic.region()))
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
        if matches!(refusal, Refusal::NoViableStandby | Refusal::NowhereToGo { .. } | Refusal::HolderNotStarted { .. })
        {
            let nowhere = matches!(refusal, Refusal::NowhereToGo { .. });
            findings.extend(standbys.iter().filter_map(|standby| match &standby.verdict {
                Verdict::NotViable(obstacle) => Some(self.standby(&standby.instance_id, obstacle)),
                Verdict::Running => nowhere.then(|| self.standby_about_to_go(&standby.instance_id)),
                Verdict::Stopped => nowhere.then(|| self.standby_in_doubt(&standby.instance_id)),
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
            Refusal::NowhereToGo { holder, cause } => self.nowhere_to_go(holder, *cause),
            Refusal::TargetNotViable { target, obstacle } => self.target_not_viable(target, obstacle),
            Refusal::TargetNotAMember { target } => self.target_not_a_member(target),
            Refusal::HolderNotStarted { holder } => self.holder_not_started(holder),
            Refusal::StillAttaching { to } => self.still_attaching(to),
            Refusal::TooManyMoves { moves } => self.too_many_moves(moves.len()),
            Refusal::NoMembers => self.no_members(),
            Refusal::TooManyMembers { count } => self.too_many_members(*count),
            Refusal::PermissionDenied(error) => self.permission_denied(error),
            Refusal::AmbiguousAnswer(error) => self.ambiguous_answer(error),
            Refusal::CallRejected(error) => self.call_rejected(error),
        }
    }

    /// The tag of the members, for a sentence.
    fn member_tag(&self) -> String {
        match &self.config.members {
            Members::Tagged(tag) => tag.to_string(),
            Members::Listed(_) => "of the members".to_owned(),
        }
    }

    /// The command that lists the instances with the tag of the members.
    fn list_tagged(&self) -> String {
        let filter = match &self.config.members {
            Members::Tagged(tag) => format!("'Name=tag:{},Values={}'", tag.key, tag.value),
            Members::Listed(ids) => format!("Name=instance-id,Values={}", join(ids).replace(", ", ",")),
        };
        self.command(&format!(
            "describe-instances --filters {filter} --query \
             'Reservations[].Instances[].[InstanceId,State.Name,Placement.AvailabilityZone,VpcId]' --output text"
        ))
    }

    fn no_members(&self) -> Finding {
        Finding::new(
            FindingCode::NoMembers,
            self.member_tag(),
            format!(
                "No instance in the interface's VPC and zone has the tag {}, so no instance may hold the interface.",
                self.member_tag()
            ),
            format!(
                "Give the tag to the token servers, or correct TOKEN_SERVER_MEMBERS. These instances have the tag anywhere:\n{}",
                self.list_tagged()
            ),
        )
    }

    fn too_many_members(&self, count: usize) -> Finding {
        Finding::new(
            FindingCode::TooManyMembers,
            self.member_tag(),
            format!(
                "{count} instances in the interface's VPC and zone have the tag {}. At most {MOST_TAGGED} can be members, so \
                 nothing was changed.",
                self.member_tag()
            ),
            format!(
                "Set TOKEN_SERVER_MEMBERS to a tag that only token servers have. These instances have the tag:\n{}",
                self.list_tagged()
            ),
        )
    }

    /// Instances with the members' tag that are too far away.
    pub fn members_elsewhere(&self, instances: &[InstanceId]) -> Finding {
        let named = instances.iter().take(MAX_OF_A_KIND).cloned().collect::<Vec<_>>();
        let more = instances.len() - named.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        Finding::new(
            FindingCode::MembersElsewhere,
            &self.config.interface_id,
            format!(
                "The tag {} is also on {}{more} in another VPC or zone. An interface never leaves its zone, so they are not \
                 members.",
                self.member_tag(),
                join(&named)
            ),
            format!("Launch token servers in the interface's zone, or remove the tag there:\n{}", self.list_tagged()),
        )
    }

    fn interface_missing(&self) -> Finding {
        let interface = &self.config.interface_id;
        Finding::new(
            FindingCode::InterfaceMissing,
            interface,
            format!("EC2 does not know {interface}. If the interface was deleted, its MAC address is lost forever."),
            format!(
                "Check whether it is in another account (with credentials of that account) or in another Region (with \
                     another --region):\n{}\nIf it is gone, create a new interface, ask {} for a license \
                     for its MAC address, and deploy with the new interface's id.",
                self.command(&format!(
                    "describe-network-interfaces --network-interface-ids {interface} --query \
                         'NetworkInterfaces[].[OwnerId,AvailabilityZone,MacAddress]' --output text"
                )),
                self.config.license_contact
            ),
        )
    }

    fn held_by_non_member(&self, holder: Option<&InstanceId>, attachment_id: &AttachmentId) -> Finding {
        let interface = &self.config.interface_id;
        let detach = self.command(&format!("detach-network-interface --attachment-id {attachment_id}"));
        let Some(holder) = holder else {
            return Finding::new(
                FindingCode::HeldByStranger,
                interface,
                format!("{interface} is attached to something that is not an instance."),
                format!("Detach the interface, and the next run attaches it to a member:\n{detach}"),
            );
        };
        Finding::new(
            FindingCode::HeldByStranger,
            holder,
            format!("{interface} is attached to {holder}, which {}.", self.not_a_member()),
            format!(
                "If the interface belongs there, {}. If not, detach the interface, and the next run attaches it to a \
                 member:\n{detach}",
                self.make_a_member(holder)
            ),
        )
    }

    /// What an instance that is not a member lacks, as a predicate.
    fn not_a_member(&self) -> String {
        match &self.config.members {
            Members::Listed(_) => "is not in TOKEN_SERVER_INSTANCE_IDS".to_owned(),
            Members::Tagged(tag) => {
                format!("is not an instance with the tag {tag} in the interface's VPC and zone")
            }
        }
    }

    /// How an operator makes the instance a member, as an imperative.
    fn make_a_member(&self, id: &InstanceId) -> String {
        match &self.config.members {
            Members::Listed(_) => format!("add {id} to TOKEN_SERVER_INSTANCE_IDS and deploy"),
            Members::Tagged(tag) => format!("give {id} the tag {tag}"),
        }
    }

    /// How an operator makes a new instance a member, as an imperative.
    fn enroll(&self) -> String {
        match &self.config.members {
            Members::Listed(_) => "deploy with its id".to_owned(),
            Members::Tagged(tag) => format!("give it the tag {tag}"),
        }
    }

    fn primary_interface(
        &self,
        holder: &InstanceId,
        state: Option<&InstanceState>,
        attachment_id: &AttachmentId,
    ) -> Finding {
        use InstanceState::{ShuttingDown, Terminated};
        let interface = &self.config.interface_id;
        let remedy = if matches!(state, Some(ShuttingDown | Terminated) | None) {
            format!(
                "Wait. EC2 frees the interface some time after {holder} has been terminated, and the next run then moves it. \
                 If EC2 does not free it within ten minutes, open a case with AWS Support."
            )
        } else {
            format!(
                "Terminating {holder} frees the interface, and the function then moves it. First set DeleteOnTermination \
                 to false, and check with an audit that a standby can take the interface:\n{}\nThen, if you no longer \
                 need {holder} and its disks, turn its termination protection off and terminate it:\n{}\n{}",
                self.keep_on_termination(interface, attachment_id),
                self.command(&format!("modify-instance-attribute --instance-id {holder} --no-disable-api-termination")),
                self.command(&format!("terminate-instances --instance-ids {holder}"))
            )
        };
        let state = state.map_or_else(|| "unknown to EC2".to_owned(), ToString::to_string);
        Finding::new(
            FindingCode::PrimaryInterface,
            holder,
            format!(
                "{interface} is the primary interface (device index 0) of {holder}, which is {state}. EC2 never \
                         detaches a primary interface."
            ),
            remedy,
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
            format!("{target} {}, so it may not hold the interface.", self.not_a_member()),
            match &self.config.members {
                Members::Listed(ids) => format!("Request a failover to one of the members: {}.", join(ids)),
                Members::Tagged(tag) => format!(
                    "Request a failover to an instance with the tag {tag} in the interface's VPC and zone, or give the instance \
                     the tag."
                ),
            },
        )
    }

    fn too_many_moves(&self, moves: usize) -> Finding {
        let interface = &self.config.interface_id;
        let times = if moves == 1 { "time" } else { "times" };
        Finding::new(
            FindingCode::TooManyMoves,
            interface,
            format!(
                "The interface moved, or its holder was started, {moves} {times} in the last hour, and \
                 FAILOVER_MAX_MOVES_PER_HOUR allows {}.",
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
            "Check the interface in the EC2 console. If this persists, open a case with AWS Support and quote the \
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
            "Read EC2's message: it says what must change. The next run tries again.".to_owned(),
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

    fn nowhere_to_go(&self, holder: &InstanceId, cause: MoveCause) -> Finding {
        let waits = if cause == MoveCause::AutoScalingTermination {
            " The function does not complete the lifecycle action, so the group waits until the action times out."
        } else {
            ""
        };
        Finding::new(
            FindingCode::NoViableStandby,
            &self.config.interface_id,
            format!(
                "No standby can take the interface, and {}. {holder} is running and keeps the interface until then.{waits}",
                cause.in_words()
            ),
            "Make one of the standbys viable: each has its own finding. The next run then moves the interface."
                .to_owned(),
        )
    }

    /// Members that are listed by their ids are in an Auto Scaling group.
    pub fn listed_in_group(&self, group: &str, members: &[InstanceId]) -> Finding {
        let (are, ids) = if members.len() == 1 { ("is", "its id") } else { ("are", "their ids") };
        Finding::new(
            FindingCode::MembersInAutoScalingGroup,
            group,
            format!(
                "{} {are} in the Auto Scaling group {group}, and TOKEN_SERVER_INSTANCE_IDS lists {ids}. The group replaces a \
                 lost instance by one with another id, which is not a member.",
                join(members)
            ),
            "Have the group give its instances a tag, and deploy with TokenServerMembers=key=value instead of \
             TokenServerInstanceIds."
                .to_owned(),
        )
    }

    fn put_hook(&self, group: &str) -> String {
        self.command_of(
            "autoscaling",
            &format!(
                "put-lifecycle-hook --auto-scaling-group-name {} --lifecycle-hook-name {HOOK} --lifecycle-transition \
                 autoscaling:EC2_INSTANCE_TERMINATING --heartbeat-timeout 7200 --default-result CONTINUE",
                quoted(group)
            ),
        )
    }

    /// A group has no lifecycle hook for termination.
    pub fn no_termination_hook(&self, group: &str) -> Finding {
        Finding::new(
            FindingCode::NoTerminationHook,
            group,
            format!(
                "The Auto Scaling group {group} has no lifecycle hook for termination. When it replaces the holder, it does not \
                 wait until the interface has moved, and clients lose the license until the failover."
            ),
            format!("Create the hook:\n{}", self.put_hook(group)),
        )
    }

    /// A group has several lifecycle hooks for termination.
    pub fn several_termination_hooks(&self, group: &str, hooks: &[String]) -> Finding {
        Finding::new(
            FindingCode::SeveralTerminationHooks,
            group,
            format!(
                "The Auto Scaling group {group} has {} lifecycle hooks for termination ({}), and none is named {HOOK}. The \
                 function completes none of them, so the group waits until each has timed out.",
                hooks.len(),
                hooks.join(", ")
            ),
            format!(
                "Create the hook that the function completes, and delete the one that was meant for it:\n{}",
                self.put_hook(group)
            ),
        )
    }

    /// A group waits for a lifecycle action before it terminates a member that does not hold the interface. `error` is why the
    /// function could not complete it.
    pub fn lifecycle_action_open(
        &self,
        member: &InstanceId,
        group: &str,
        hook: Option<&str>,
        error: Option<&CallError>,
    ) -> Finding {
        let error = error.map_or_else(String::new, |error| format!(" The function could not complete it: {error}."));
        let group_name = quoted(group);
        let command = match hook {
            Some(hook) => format!(
                "complete-lifecycle-action --auto-scaling-group-name {group_name} --lifecycle-hook-name {} --instance-id \
                 {member} --lifecycle-action-result CONTINUE",
                quoted(hook)
            ),
            None => format!("describe-lifecycle-hooks --auto-scaling-group-name {group_name}"),
        };
        let next = match hook {
            Some(_) => "The next run tries again. To complete it yourself:",
            None => "Look for the hook, and complete its action:",
        };
        Finding::new(
            FindingCode::LifecycleActionOpen,
            member,
            format!(
                "The Auto Scaling group {group} waits for a lifecycle action before it terminates {member}, which does not hold \
                 the interface.{error}"
            ),
            format!("{next}\n{}", self.command_of("autoscaling", &command)),
        )
    }

    /// The obstacle of a standby.
    pub fn standby(&self, id: &InstanceId, obstacle: &Obstacle) -> Finding {
        let interface = &self.config.interface_id;
        let remedy = match obstacle {
            Obstacle::Missing | Obstacle::Terminated => {
                format!("Launch a new standby in the interface's Availability Zone and {}.", self.enroll())
            }
            Obstacle::Starting | Obstacle::Stopping => "Wait. The next run checks again.".to_owned(),
            Obstacle::UnknownState(_) => format!("Check the state of {id} in the EC2 console."),
            Obstacle::WrongZone(_) | Obstacle::WrongVpc => format!(
                "An interface cannot leave its Availability Zone or VPC. Launch a standby in the zone and VPC of {interface}, \
                 and {}.",
                self.enroll()
            ),
            Obstacle::DeviceIndexTaken(taken) => format!(
                "Deploy with another TOKEN_SERVER_DEVICE_INDEX that is free on every member, or detach {taken} from {id} unless \
                 it is the interface of another license."
            ),
            Obstacle::NoRoom { .. } => self.make_room(id),
            Obstacle::Impaired => format!(
                "Stop the instance. Once it has stopped, start it again:\n{}\n{}",
                self.command(&format!("stop-instances --instance-ids {id}")),
                self.command(&format!("start-instances --instance-ids {id}"))
            ),
            Obstacle::StatusChecksUnreadable => {
                "Grant the function's role ec2:DescribeInstanceStatus if it lacks it. Otherwise wait: the next run checks \
                 again."
                    .to_owned()
            }
            Obstacle::NotStarted => format!(
                "Wait: the function tries again by itself. If EC2 has no capacity for this instance type, another instance \
                 type may have capacity now. To start {id} yourself:\n{}",
                self.command(&format!("start-instances --instance-ids {id}"))
            ),
            Obstacle::LeavingItsGroup => "Wait until the group has launched a replacement. If it launches none, raise its \
                 maximum size or its desired capacity."
                .to_owned(),
            Obstacle::BeingTaken => format!(
                "Launch another standby in the interface's Availability Zone, preferably not a Spot Instance, and {}.",
                self.enroll()
            ),
            Obstacle::MayNotStart => format!(
                "Deploy with FAILOVER_START_STANDBY=true, or start the instance:\n{}",
                self.command(&format!("start-instances --instance-ids {id}"))
            ),
        };
        Finding::new(FindingCode::StandbyNotViable, id, format!("{id} cannot take the interface: {obstacle}."), remedy)
    }

    /// A running standby that a running holder does not hand over to, because AWS has scheduled an event for both.
    fn standby_about_to_go(&self, id: &InstanceId) -> Finding {
        Finding::new(
            FindingCode::StandbyNotViable,
            id,
            format!("{id} could take the interface, but AWS has scheduled a change to it as well."),
            format!(
                "Stop and start it before the date, so that it moves to other hardware:\n{}\n{}",
                self.command(&format!("stop-instances --instance-ids {id}")),
                self.command(&format!("start-instances --instance-ids {id}"))
            ),
        )
    }

    /// A stopped standby that a running holder does not hand over to.
    fn standby_in_doubt(&self, id: &InstanceId) -> Finding {
        Finding::new(
            FindingCode::StandbyNotViable,
            id,
            format!(
                "{id} is stopped. EC2 could not start it in the last day, or AWS has scheduled a change to it as well, so the \
                 running holder keeps the interface."
            ),
            format!("Start it yourself:\n{}", self.command(&format!("start-instances --instance-ids {id}"))),
        )
    }

    /// The role lacks a permission.
    pub fn permission_denied(&self, error: &CallError) -> Finding {
        Finding::new(
            FindingCode::PermissionDenied,
            &error.action,
            format!("The function's role does not allow {}.", error.action),
            format!(
                "Deploy the current template again: its role allows the call. If the call is still denied, look for a service \
                 control policy, a permissions boundary or a key policy that denies it.{}",
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
                "EC2 has no capacity for this instance type in this zone now. Capacity may return later, and another \
                 instance type may have capacity now."
            }
            _ => "Read the error: it says what must change.",
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

    /// Something other than the function has moved the interface.
    pub fn moved_by_other(&self, moved: &MoveByOther) -> Finding {
        let MoveByOther { from, to, again } = moved;
        let interface = &self.config.interface_id;
        let named = |instance: Option<&InstanceId>| {
            instance.map_or_else(|| "something that is not an instance".to_owned(), ToString::to_string)
        };
        let (there, here) = (named(from.instance.as_ref()), named(to.instance_id.as_ref()));
        let what = if there == here {
            format!("detached {interface} from {there} and attached it there again")
        } else {
            format!("moved {interface} from {there} to {here}")
        };
        let (severity, again) = if *again {
            (Severity::Warning, " This is not the first time within a day.")
        } else {
            (Severity::Info, "")
        };
        // CloudTrail can look for the name of an event, but not for every resource in it. The event itself names the attachment.
        let since = from.at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let look_up = |event: &str, attachment: &AttachmentId| {
            self.command_of(
                "cloudtrail",
                &format!(
                    "lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue={event} --start-time {since} --query \
                     \"Events[?contains(CloudTrailEvent, '{attachment}')].[EventTime,EventName,Username]\" --output text"
                ),
            )
        };
        Finding::new(
            FindingCode::MovedBySomebody,
            interface,
            format!("Something other than token-failover {what}.{again}"),
            format!(
                "Ask CloudTrail who attached the interface, and who detached it before. An event appears there some minutes \
                 after the call:\n{}\n{}\nIf it was Terraform, CDK or CloudFormation, change the code as \
                 docs/infrastructure-as-code.md says, or the next apply may do it again. To move the interface yourself, use \
                 failover.",
                look_up("AttachNetworkInterface", &to.id),
                look_up("DetachNetworkInterface", &from.attachment)
            ),
        )
        .as_severe_as(severity)
    }

    /// The interface is attached to nothing, and the run could not change that.
    pub fn attached_to_nothing(&self, standbys: &[Standby]) -> Finding {
        let interface = &self.config.interface_id;
        let viable = standbys.iter().find(|standby| standby.verdict.is_viable()).map(|standby| &standby.instance_id);
        let target = viable.or(self.config.members.listed().first()).map_or_else(String::new, ToString::to_string);
        Finding::new(
            FindingCode::AttachedToNothing,
            interface,
            format!("{interface} is not attached to any instance, so no token server has the license's MAC address."),
            format!(
                "The next scheduled run tries to attach the interface, unless the function is paused. To attach the interface \
                 yourself:\n{}",
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
            format!("No standby could take the interface, so the function gave it back to {to}."),
            format!(
                "Fix the standbys: the other findings, or the failed steps in the report, say what went wrong. Check that {to} \
                 serves licenses."
            ),
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
                "EC2 has been attaching {interface} to {to} for minutes. The function can do nothing else until the attach \
                 ends."
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
                "The function detached the interface from {from} by force. EC2 warns that the device index may stay unusable, \
                 and the instance metadata out of date, until {from} has been stopped and started."
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
        let interface = self.config.interface_id.to_string();
        let (resource, holder) = match &attachment.instance_id {
            Some(holder) => (holder.to_string(), format!("{holder}, which holds the license interface,")),
            None => (interface, "The license interface's holder".to_owned()),
        };
        Finding::new(
            FindingCode::HolderFailed,
            resource,
            format!("{holder} is not running, or its EC2 status checks fail."),
            "Wait a minute: the next reconcile moves the interface if a standby can take it. An audit never moves the \
             interface."
                .to_owned(),
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

    /// Another interface of the holder is at the configured device index.
    pub fn device_index_taken(&self, attachment: &Attachment, other: &NetworkInterfaceId) -> Finding {
        let (interface, wanted) = (&self.config.interface_id, self.config.device_index);
        let holder = attachment.instance_id.as_ref().map_or("its holder", InstanceId::as_str);
        let now = attachment.device_index;
        let to = if now > 0 {
            format!("TOKEN_SERVER_DEVICE_INDEX={now}, where the interface is now, or with another index")
        } else {
            "another TOKEN_SERVER_DEVICE_INDEX".to_owned()
        };
        Finding::new(
            FindingCode::DeviceIndexTaken,
            holder,
            format!(
                "TOKEN_SERVER_DEVICE_INDEX is {wanted}, but {other} has that device index on {holder}, and {interface} has {now}. \
                 After a move, {interface} could not come back to {holder}. If {other} belongs to another license and moves to \
                 the same standby with that index, only one of the two interfaces can be attached there."
            ),
            format!(
                "Deploy with {to} that is free on every member and that no other license has. Or detach {other} from {holder}, \
                 unless it is the interface of another license."
            ),
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
                "EC2 does not know the instance type {} of {}, so the audit could not check whether there is room for \
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
            "Amazon Linux 2023 sets this up automatically. On Ubuntu 24.04, cloud-init does so at every boot only if a file in \
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
                "No action needed if a recovered instance may serve as a standby. To turn automatic recovery off:\n{}",
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
                "In the subnet's route table, add a route to an internet gateway, or stop using the Elastic IP. To see the \
                 routes (if the command prints nothing, the subnet uses the main route table of its VPC):\n{}",
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
                "The network ACL of {subnet} blocks some of the answers (TCP 1024-65535) to clients in {range}. Clients may \
                 connect from any of these ports."
            ),
            self.acl_remedy(subnet),
        )
    }

    fn acl_remedy(&self, subnet: &str) -> String {
        format!(
            "Allow this traffic in the network ACL. The ACL does not affect clients in the same subnet. To see the \
             entries:\n{}",
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
            format!("The topic {} does not exist, so no report reaches anyone.", self.config.topic),
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
        let (what, unsubscribed) = match (is_pending, deleted.as_slice()) {
            (true, _) => ("no confirmed subscription", String::new()),
            (false, []) => ("no subscription", String::new()),
            (false, deleted) => ("no subscription left", format!(" Unsubscribed: {}.", deleted.join(", "))),
        };
        let first = if is_pending {
            "AWS sent a confirmation link to each address. Confirm with the token in that link:".to_owned()
        } else {
            format!(
                "Subscribe an address:\n{}\nAWS then sends a confirmation link to that address. Confirm with the token in that \
                 link:",
                self.subscribe("email", "you@example.com")
            )
        };
        Finding::new(
            FindingCode::NoSubscription,
            topic,
            format!("The topic {topic} has {what}, so no report reaches anyone.{unsubscribed}"),
            format!(
                "{first}\n{}\nThen only your account can end the subscription. {OPEN_THE_LINK}\nNo mail can report this. The \
                 metric CriticalFindings, its alarm, the dashboard and token-failover audit show it.",
                self.confirm()
            ),
        )
    }

    /// The command that subscribes an address.
    fn subscribe(&self, protocol: &str, endpoint: &str) -> String {
        let topic = &self.config.topic;
        self.command_of_topic(&format!(
            "subscribe --topic-arn {topic} --protocol {protocol} --notification-endpoint {endpoint}"
        ))
    }

    /// The command that confirms a subscription.
    fn confirm(&self) -> String {
        let topic = &self.config.topic;
        self.command_of_topic(&format!(
            "confirm-subscription --topic-arn {topic} --token TOKEN --authenticate-on-unsubscribe true"
        ))
    }

    /// A subscription that was never confirmed.
    pub fn unconfirmed_subscription(&self, subscription: &Subscription) -> Finding {
        let Subscription { protocol, endpoint, .. } = subscription;
        Finding::new(
            FindingCode::SubscriptionUnconfirmed,
            format!("{protocol} {endpoint}"),
            format!("The subscription of {endpoint} ({protocol}) was never confirmed, so SNS sends nothing to it."),
            format!(
                "AWS sent a confirmation link to {endpoint}. Confirm with the token in that link:\n{}\n{OPEN_THE_LINK} To \
                 request another link:\n{}",
                self.confirm(),
                self.subscribe(protocol, endpoint)
            ),
        )
    }

    /// Findings that did not fit into a message, as severe as the worst of them; `None`: all fit.
    pub fn findings_left_out(&self, left_out: &[Finding]) -> Option<Finding> {
        let worst = left_out.iter().map(|finding| finding.severity).max()?;
        let words = [
            (Severity::Critical, "critical", "critical"),
            (Severity::Warning, "warning", "warnings"),
            (Severity::Info, "info", "info"),
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
                format!("{move_first} Launch a replacement instance, and {}.", self.enroll())
            }
            Announced::Reboot | Announced::PowerMaintenance | Announced::NetworkMaintenance if is_holder => format!(
                "{move_first} If you do not, clients have no licenses until the instance is back, or until the function moves the \
                 interface because the status checks fail."
            ),
            Announced::Reboot | Announced::PowerMaintenance | Announced::NetworkMaintenance => {
                format!("No action needed unless {instance} holds the interface by then.")
            }
            Announced::Change => format!("The AWS Health Dashboard says what will change. {move_first}"),
        };
        Finding::new(what.finding_code(), instance, message, remedy.trim().to_owned())
    }

    /// The standby was started, and did not run yet when the run had to answer.
    pub fn still_starting(&self, standby: &InstanceId) -> Finding {
        Finding::new(
            FindingCode::StandbyStillStarting,
            standby,
            format!(
                "The function started {standby}, which holds the interface. The instance was not yet running when this report \
                 was written."
            ),
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
            "The function could not note the change on the interface. If the run had died during the change, no report would \
             have been sent.",
            error,
        )
    }

    /// The pending report could not be removed after it was published.
    pub fn mark_not_removed(&self, error: &CallError) -> Finding {
        self.call_failed(
            FindingCode::MarkNotRemoved,
            &self.config.interface_id,
            "The function could not remove the note of a pending report, so the report will be published again.",
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
                "On {holder}, check that lmgrd and {} run, read their log, and restart them. If the connection was \
                 refused, nothing listens on the port. If only lmgrd answers, {} has probably rejected the hostid or \
                 the license. If there was no answer, the operating system has not configured the interface, or the security \
                 group blocks the machine that tried the port.",
                self.config.vendors.join(", "),
                self.config.vendors.join(" or "),
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
        let printed = command_id.as_ref().map(|command| self.result_of_command(command, instance_id));
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
                    "The function does not know yet whether the command that activates the token server on {instance_id} \
                     ({document}) has succeeded{why}."
                ),
                match printed {
                    Some(printed) => format!("Check the result:\n{printed}"),
                    None => format!(
                        "The command may not have been sent. Send it only if no licenses are served{parameters}:\n{again}"
                    ),
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
                "Systems Manager has no command document {document}. After a failover, the function could not activate the \
                 token server on a running standby."
            ),
            "Deploy with an existing document as FAILOVER_ACTIVATION_DOCUMENT, or without one if the token server on \
             each standby starts by itself when the interface arrives."
                .to_owned(),
        )
    }

    /// Systems Manager does not hear from the agent on a running member.
    pub fn member_not_managed(&self, member: &InstanceId, is_holder: bool) -> Finding {
        let is_activated = self.config.activation.is_some();
        let consequence =
            if is_activated { "activate the token server there" } else { "check there whether licenses are served" };
        let finding = Finding::new(
            FindingCode::MemberNotManaged,
            member,
            format!("The Systems Manager agent on {member} does not report, so the function cannot {consequence}."),
            format!(
                "Check that the agent runs, that the instance profile has AmazonSSMManagedInstanceCore, and that the instance \
                 reaches Systems Manager:\n{}",
                self.agent_status(member)
            ),
        );
        // The holder serves now. The activation matters only if the interface comes back to it later.
        if is_holder || !is_activated { finding.as_severe_as(Severity::Warning) } else { finding }
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
                "The license names the hostid {}, but {} has {}. The token server refuses to serve.",
                wanted.hostid(),
                interface.id,
                interface.mac_address.hostid()
            ),
            format!(
                "If TOKEN_SERVER_HOSTID is not the hostid in the license file, deploy with the hostid in the file. Otherwise, \
                 deploy with the interface whose MAC address the license names, or ask {} for a license for this interface.",
                self.config.license_contact
            ),
        ))
    }

    /// The end of the license is near, or has passed.
    pub(crate) fn license_ends(&self, last_day: NaiveDate, days_left: i64) -> Finding {
        let renew = format!(
            "Ask {} for a new license, and put it on every member. Then deploy with its last day as \
             TOKEN_SERVER_LICENSE_EXPIRES.",
            self.config.license_contact
        );
        let interface = &self.config.interface_id;
        if days_left < 0 {
            let message =
                format!("At least one feature of the license expired on {last_day}. No member serves it any longer.");
            return Finding::new(FindingCode::LicenseExpired, interface, message, renew);
        }
        let left = match days_left {
            0 => "today".to_owned(),
            1 => "tomorrow".to_owned(),
            days => format!("in {days} days"),
        };
        let message = format!(
            "At least one feature of the license expires {left} ({last_day}). After that, no member can serve it, so a failover \
             does not help."
        );
        let finding = Finding::new(FindingCode::LicenseExpiresSoon, interface, message, renew);
        validity::severity(days_left).map_or(finding.clone(), |severity| finding.as_severe_as(severity))
    }

    fn delete_on_termination(&self, interface: &NetworkInterface, checked: &Checked) -> Option<Finding> {
        let attachment = checked.deletes_on_termination.as_ref()?;
        Some(Finding::new(
            FindingCode::DeleteOnTermination,
            &interface.id,
            "DeleteOnTermination is true: terminating the instance would destroy the interface, and its MAC address would be \
             lost forever."
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
                format!(
                    "Find out where the Elastic IP is:\n{}\nIf it belongs on the license interface, put it there:\n{}",
                    self.command(&format!(
                        "describe-addresses --allocation-ids {allocation} --query \
                         'Addresses[].[PublicIp,InstanceId,NetworkInterfaceId]' --output text"
                    )),
                    associate(allocation)
                ),
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
                    "{} ({}) is still on {}, not on the primary private address of {}.",
                    address.public_ip,
                    address.allocation_id,
                    whereabouts(address),
                    interface.id
                ),
                associate(&address.allocation_id),
            ),
            CheckedAddress::OnNonMember(address) => Finding::new(
                FindingCode::ElasticIpWithStranger,
                &address.allocation_id,
                format!(
                    "{} ({}) is on {}{}. The function left it there.",
                    address.public_ip,
                    address.allocation_id,
                    whereabouts(address),
                    why_not_with_a_member(address)
                ),
                format!(
                    "If the Elastic IP belongs to the token server, take it back:\n{}",
                    associate(&address.allocation_id)
                ),
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
            let (pairs, are, others) = if more == 1 { ("pair", "is", "other") } else { ("pairs", "are", "others") };
            findings.push(Finding::new(
                FindingCode::SecurityGroupPortClosed,
                &group,
                format!("{more} more {pairs} of client and port {are} closed."),
                format!("Fix the pairs above first. The next report lists the {others}."),
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
        let message = match &gap.client {
            Some(client) => format!("{} is closed to {client}.", tcp(gap)),
            None => format!("{} is not open to any client.", tcp(gap)),
        };
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
    gap.client.as_ref().map_or_else(|| "any client".to_owned(), ToString::to_string)
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

/// The end of a sentence that begins with the whereabouts of an address that is not with a member.
fn why_not_with_a_member(address: &crate::model::observation::Address) -> &'static str {
    match address.place.as_ref().map(|place| (&place.instance_id, &place.interface_id)) {
        Some((Some(_), _)) => ", which is not a member",
        Some((None, Some(_))) => ", which is not attached to a member",
        Some((None, None)) | None => "",
    }
}

fn join(ids: &[InstanceId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
