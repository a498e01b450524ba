//! The words of an audit: its findings, and its summary. Pure.

use crate::decide::audit::{Fact, Tally, Traffic, Unread};
use crate::model::finding::{Finding, FindingCode};
use crate::model::request::Announced;
use crate::tell::findings::Advisor;

impl Advisor<'_> {
    /// The finding of a fact.
    pub fn fact(&self, fact: &Fact) -> Finding {
        match fact {
            Fact::Refused(refusal) => self.refused(refusal),
            Fact::AttachedToNothing(standbys) => self.attached_to_nothing(standbys),
            Fact::HolderFailed(attachment) => self.holder_failed(attachment),
            Fact::Paused(pause) => self.paused(pause),
            Fact::MovedByOther(moved) => self.moved_by_other(moved),
            Fact::NoViableStandby => self.no_viable_standby(),
            Fact::StandbyNotViable(standby, obstacle) => self.standby(standby, obstacle),
            Fact::StandbyWithoutRoom(instance, limit) => self.standby_without_room(instance, *limit),
            Fact::DeviceIndexTaken(attachment, other) => self.device_index_taken(attachment, other),
            Fact::UnknownInstanceType(instance) => self.unknown_instance_type(instance),
            Fact::MembersElsewhere(instances) => self.members_elsewhere(instances),
            Fact::SameSubnet(members) => self.same_subnet(members),
            Fact::AutoRecovery(members) => self.auto_recovery(members),
            Fact::Unprotected(members) => self.termination_protection(members),
            Fact::Scheduled { member, event, is_holder } => {
                let what = Announced::from_event_code(&event.code);
                self.announcement(what, &event.code, member, event.not_before, *is_holder)
            }
            Fact::ListedInGroup(group, members) => self.listed_in_group(group, members),
            Fact::NoTerminationHook(group) => self.no_termination_hook(group),
            Fact::SeveralTerminationHooks(group, hooks) => self.several_termination_hooks(group, hooks),
            Fact::LifecycleActionOpen { member, group, hook } => {
                self.lifecycle_action_open(member, group, hook.as_deref(), None)
            }
            Fact::SourceDestCheckOff(interface) => self.source_dest_check(interface),
            Fact::NoInternetGateway(subnet) => self.no_internet_gateway(subnet),
            Fact::AclBlocks(subnet, traffic) => self.acl_blocks(subnet, &in_words(*traffic)),
            Fact::AclBlocksSomeAnswers(subnet, range) => self.acl_blocks_some_answers(subnet, &range.to_string()),
            Fact::ClientGroupMissing(group) => self.client_group_missing(group),
            Fact::ActivationDocumentMissing(activation) => self.activation_document_missing(activation),
            Fact::MemberNotManaged { member, is_holder } => self.member_not_managed(member, *is_holder),
            Fact::TopicMissing => self.topic_missing(),
            Fact::NobodySubscribed(subscriptions) => self.nobody_subscribed(subscriptions),
            Fact::SubscriptionUnconfirmed(subscription) => self.unconfirmed_subscription(subscription),
            Fact::LicenseEnds(last_day, days_left) => self.license_ends(*last_day, *days_left),
            Fact::PermissionDenied(error) => self.permission_denied(error),
            Fact::NotRead(unread, error) => {
                let consequence = format!("The audit could not {}.", what(*unread));
                self.call_failed(FindingCode::NotAudited, &error.action, &consequence, error)
            }
        }
    }
}

fn what(unread: Unread) -> &'static str {
    match unread {
        Unread::Room => "check whether the standbys have room for another interface",
        Unread::LifecycleStates => "check whether an Auto Scaling group is about to terminate a member",
        Unread::TerminationHooks => {
            "check whether the members' Auto Scaling group has a lifecycle hook for termination"
        }
        Unread::Protection => "check whether the members have termination protection",
        Unread::Routes => "check whether the subnet has a route to an internet gateway",
        Unread::Acl => "check whether the network ACL allows the clients",
        Unread::ClientGroups => "check whether the clients' security groups exist",
        Unread::ActivationDocument => "check whether the activation document exists",
        Unread::Agents => "check whether Systems Manager reaches the members",
        Unread::Subscriptions => "list the topic's subscriptions",
        Unread::Permissions => "check whether the role allows every call of a failover",
    }
}

fn in_words(traffic: Traffic) -> String {
    match traffic {
        Traffic::Requests(ports, range) => format!("TCP {ports} from {range}"),
        Traffic::Answers(range) => format!("TCP 1024-65535 to {range} (the answers)"),
    }
}

/// The summary of an audit.
pub(crate) fn summary(found: Tally, viable: usize, standbys: usize) -> String {
    let noun = if standbys == 1 { "standby" } else { "standbys" };
    let ready = format!("{viable} of {standbys} {noun} can take the interface");
    match found {
        Tally { critical: 0, warnings: 0 } => format!("The next failover would work: {ready}."),
        Tally { critical: 0, warnings } => format!("The next failover would work: {ready}. Warnings: {warnings}."),
        Tally { critical, .. } => {
            // Two numbers side by side would read as one.
            format!(
                "The token server is not ready. Critical findings: {critical}. Standbys that can take the \
                 interface: {viable} of {standbys}."
            )
        }
    }
}
