//! The calls to EC2, EC2 Auto Scaling, SNS and Systems Manager, as one trait for each service.
//!
//! The program reaches AWS only through these traits. The package `token-failover-aws` implements them with the SDK,
//! and is the only implementation in production. It sorts EC2's errors by code and never by message, because AWS
//! documents the codes, and the messages change.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use ipnet::IpNet;

use crate::model::change::{Attach, Change, Ingress};
use crate::model::command::{Command, CommandState};
use crate::model::config::MemberTag;
use crate::model::error::CallError;
use crate::model::ids::{
    AllocationId, AssociationId, AttachmentId, CommandId, DocumentName, InstanceId, NetworkInterfaceId, PrefixListId,
    SecurityGroupId,
};
use crate::model::notification::Notification;
use crate::model::observation::{
    Address, IngressRule, Instance, InstanceStatus, InterfaceLimits, LifecycleState, NetworkInterface,
};
use crate::model::readiness::{AclEntry, Route, Subscription};

/// EC2 Auto Scaling.
pub trait AutoScaling: Send + Sync {
    /// The lifecycle states of these instances. The answer leaves out an instance that is in no group.
    fn lifecycle_states(
        &self,
        instances: &[InstanceId],
    ) -> impl Future<Output = Result<BTreeMap<InstanceId, LifecycleState>, CallError>> + Send;

    /// The names of a group's lifecycle hooks for termination; empty if the group does not exist.
    fn termination_hooks(&self, group: &str) -> impl Future<Output = Result<Vec<String>, CallError>> + Send;

    /// Completes the lifecycle action for which the group waits before it terminates the instance. `false`: the group does not
    /// wait for it.
    fn complete_termination(
        &self,
        group: &str,
        hook: &str,
        instance: &InstanceId,
    ) -> impl Future<Output = Result<bool, CallError>> + Send;
}

/// EC2, of which Auto Scaling is a part. Every change names the exact resource that was observed, so it fails if another run or an operator was faster.
pub trait Ec2: AutoScaling {
    /// The license interface; `None` if it does not exist.
    fn network_interface(
        &self,
        id: &NetworkInterfaceId,
    ) -> impl Future<Output = Result<Option<NetworkInterface>, CallError>> + Send;

    /// The instances that exist, with undecided status checks.
    fn instances(&self, ids: &[InstanceId]) -> impl Future<Output = Result<Vec<Instance>, CallError>> + Send;

    /// The instances with a tag, in any state, or those `among` these, with undecided status checks.
    fn instances_with(
        &self,
        tag: &MemberTag,
        among: Option<&[InstanceId]>,
    ) -> impl Future<Output = Result<Vec<Instance>, CallError>> + Send;

    /// The status of the instances that exist.
    fn instance_status(
        &self,
        ids: &[InstanceId],
    ) -> impl Future<Output = Result<BTreeMap<InstanceId, InstanceStatus>, CallError>> + Send;

    /// An Elastic IP; `None` if it does not exist.
    fn address(&self, id: &AllocationId) -> impl Future<Output = Result<Option<Address>, CallError>> + Send;

    /// The ingress rules of all these groups.
    fn ingress_rules(
        &self,
        groups: &[SecurityGroupId],
    ) -> impl Future<Output = Result<Vec<IngressRule>, CallError>> + Send;

    /// The ranges in a managed prefix list.
    fn prefix_list(&self, id: &PrefixListId) -> impl Future<Output = Result<Vec<IpNet>, CallError>> + Send;

    /// Asks EC2 to attach the interface. EC2 answers before the interface is usable.
    fn attach(&self, attach: &Attach) -> impl Future<Output = Result<AttachmentId, CallError>> + Send;

    /// Asks EC2 to detach the interface. EC2 answers before the interface is free.
    fn detach(&self, attachment: &AttachmentId, force: bool) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Makes the interface outlive the instance that it is attached to.
    fn keep_on_termination(
        &self,
        interface: &NetworkInterfaceId,
        attachment: &AttachmentId,
    ) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Starts a stopped instance. EC2 answers while the instance is still pending. `false`: the instance was not
    /// stopped, so this call has not started it.
    fn start(&self, instance: &InstanceId) -> impl Future<Output = Result<bool, CallError>> + Send;

    /// Takes an Elastic IP from where it was observed.
    fn disassociate_address(&self, association: &AssociationId) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Puts an unassociated Elastic IP on the interface's primary private address. Fails if the Elastic IP is
    /// associated.
    fn associate_address(
        &self,
        address: &AllocationId,
        interface: &NetworkInterfaceId,
    ) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Adds an ingress rule.
    fn authorize_ingress(&self, ingress: &Ingress) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Writes tags of the interface, and overwrites their earlier values.
    fn write_tags(
        &self,
        interface: &NetworkInterfaceId,
        tags: &BTreeMap<String, String>,
    ) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Removes tags of the interface. A tag that does not exist is not an error.
    fn delete_tags(
        &self,
        interface: &NetworkInterfaceId,
        keys: &[String],
    ) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Removes these tags of the interface if they still have these values. Source: EC2 API Reference, *DeleteTags*.
    fn delete_tags_if(
        &self,
        interface: &NetworkInterfaceId,
        tags: &BTreeMap<String, String>,
    ) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Asks EC2 with `DryRun` if the role allows a change. Changes nothing.
    fn may(&self, change: &Change) -> impl Future<Output = Result<(), CallError>> + Send;

    /// How many interfaces instances of these types can have. The answer leaves out a type that EC2 does not know.
    fn interface_limits(
        &self,
        types: &BTreeSet<String>,
    ) -> impl Future<Output = Result<BTreeMap<String, InterfaceLimits>, CallError>> + Send;

    /// Whether termination protection is on for the instance.
    fn is_protected(&self, instance: &InstanceId) -> impl Future<Output = Result<bool, CallError>> + Send;

    /// The routes of a subnet, from its own route table or, if it has none, from the VPC's main table.
    fn routes(&self, subnet: &str, vpc: &str) -> impl Future<Output = Result<Vec<Route>, CallError>> + Send;

    /// The entries of the network ACL of a subnet.
    fn acl_entries(&self, subnet: &str) -> impl Future<Output = Result<Vec<AclEntry>, CallError>> + Send;

    /// The security groups that exist.
    fn security_groups(
        &self,
        ids: &BTreeSet<SecurityGroupId>,
    ) -> impl Future<Output = Result<BTreeSet<SecurityGroupId>, CallError>> + Send;
}

/// SNS.
pub trait Sns: Send + Sync {
    /// Publishes a notification to the configured topic.
    fn publish(&self, notification: &Notification) -> impl Future<Output = Result<(), CallError>> + Send;

    /// The subscriptions of the configured topic; `None` if the topic does not exist.
    fn subscriptions(&self) -> impl Future<Output = Result<Option<Vec<Subscription>>, CallError>> + Send;
}

/// Systems Manager, for activating a token server and for the license check.
pub trait Ssm: Send + Sync {
    /// Has the instance run the command. Systems Manager answers before the instance runs it.
    fn send_command(
        &self,
        command: Command<'_>,
        instance: &InstanceId,
    ) -> impl Future<Output = Result<CommandId, CallError>> + Send;

    /// The state of the command on the instance; `None`: Systems Manager does not know the command yet.
    fn command(
        &self,
        command: &CommandId,
        instance: &InstanceId,
    ) -> impl Future<Output = Result<Option<CommandState>, CallError>> + Send;

    /// Whether a document with this name exists and can be run.
    fn has_document(&self, name: &DocumentName) -> impl Future<Output = Result<bool, CallError>> + Send;

    /// The instances from whose agent Systems Manager hears.
    fn reachable_agents(
        &self,
        instances: &BTreeSet<InstanceId>,
    ) -> impl Future<Output = Result<BTreeSet<InstanceId>, CallError>> + Send;
}

/// The three services together.
pub trait Ports {
    /// EC2.
    type Ec2: Ec2;
    /// SNS.
    type Sns: Sns;
    /// Systems Manager.
    type Ssm: Ssm;

    /// The three services, each by itself.
    fn split(self) -> (Self::Ec2, Self::Sns, Self::Ssm);
}

impl<E: Ec2, S: Sns, M: Ssm> Ports for (E, S, M) {
    type Ec2 = E;
    type Sns = S;
    type Ssm = M;

    fn split(self) -> Self {
        self
    }
}
