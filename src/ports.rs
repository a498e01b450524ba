//! The calls to EC2, SNS and Systems Manager, as one trait for each service.
//!
//! These traits are the only thing that stands between the program and AWS. The package `token-failover-aws` implements them with the
//! SDK; nothing else does in production. EC2's errors are sorted here, by code and never by message, because the codes
//! are documented and the messages change.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use ipnet::IpNet;

use crate::model::change::{Attach, Change, Ingress};
use crate::model::config::Activation;
use crate::model::error::CallError;
use crate::model::ids::{
    AllocationId, AssociationId, AttachmentId, CommandId, DocumentName, InstanceId, NetworkInterfaceId, PrefixListId,
    SecurityGroupId,
};
use crate::model::notification::Notification;
use crate::model::observation::{Address, IngressRule, Instance, InterfaceLimits, NetworkInterface, StatusChecks};
use crate::model::readiness::{AclEntry, Route, Subscription};

/// EC2. Every change names the exact resource that was observed, so that it fails if
/// somebody else was faster.
pub trait Ec2: Send + Sync {
    /// The license interface; `None` if it does not exist.
    fn network_interface(
        &self,
        id: &NetworkInterfaceId,
    ) -> impl Future<Output = Result<Option<NetworkInterface>, CallError>> + Send;

    /// Those of the instances that exist, their status checks undecided.
    fn instances(&self, ids: &[InstanceId]) -> impl Future<Output = Result<Vec<Instance>, CallError>> + Send;

    /// The status checks of those of the instances that exist.
    fn status_checks(
        &self,
        ids: &[InstanceId],
    ) -> impl Future<Output = Result<BTreeMap<InstanceId, StatusChecks>, CallError>> + Send;

    /// An Elastic IP; `None` if it does not exist.
    fn address(&self, id: &AllocationId) -> impl Future<Output = Result<Option<Address>, CallError>> + Send;

    /// The ingress rules of all these groups.
    fn ingress_rules(
        &self,
        groups: &[SecurityGroupId],
    ) -> impl Future<Output = Result<Vec<IngressRule>, CallError>> + Send;

    /// The ranges in a managed prefix list.
    fn prefix_list(&self, id: &PrefixListId) -> impl Future<Output = Result<Vec<IpNet>, CallError>> + Send;

    /// Asks EC2 to attach the interface; the answer comes before the interface is usable.
    fn attach(&self, attach: &Attach) -> impl Future<Output = Result<AttachmentId, CallError>> + Send;

    /// Asks EC2 to detach the interface; the answer comes before it is free.
    fn detach(&self, attachment: &AttachmentId, force: bool) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Makes the interface outlive the instance that it is attached to.
    fn keep_on_termination(
        &self,
        interface: &NetworkInterfaceId,
        attachment: &AttachmentId,
    ) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Starts a stopped instance; the answer comes while it is pending.
    /// `false`: it was not stopped, so this has not started it.
    fn start(&self, instance: &InstanceId) -> impl Future<Output = Result<bool, CallError>> + Send;

    /// Takes an Elastic IP from where it was observed.
    fn disassociate_address(&self, association: &AssociationId) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Puts an Elastic IP that is nowhere on the interface's primary private address. Fails if it is somewhere.
    fn associate_address(
        &self,
        address: &AllocationId,
        interface: &NetworkInterfaceId,
    ) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Adds an ingress rule.
    fn authorize_ingress(&self, ingress: &Ingress) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Writes tags of the interface, over what they were.
    fn write_tags(
        &self,
        interface: &NetworkInterfaceId,
        tags: &BTreeMap<String, String>,
    ) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Removes tags of the interface; one that is not there is no error.
    fn delete_tags(
        &self,
        interface: &NetworkInterfaceId,
        keys: &[String],
    ) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Removes those of these tags of the interface that still have these values.
    /// Source: EC2 API Reference, *DeleteTags*.
    fn delete_tags_if(
        &self,
        interface: &NetworkInterfaceId,
        tags: &BTreeMap<String, String>,
    ) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Asks EC2 whether the role allows a change, with `DryRun`. Changes nothing.
    fn may(&self, change: &Change) -> impl Future<Output = Result<(), CallError>> + Send;

    /// How many interfaces instances of these types can have. A type that EC2 does not know is not in the answer.
    fn interface_limits(
        &self,
        types: &BTreeSet<String>,
    ) -> impl Future<Output = Result<BTreeMap<String, InterfaceLimits>, CallError>> + Send;

    /// Whether the instance is protected from being terminated through the API.
    fn is_protected(&self, instance: &InstanceId) -> impl Future<Output = Result<bool, CallError>> + Send;

    /// The routes of a subnet: of the table that is associated with it or, without one, of the VPC's main table.
    fn routes(&self, subnet: &str, vpc: &str) -> impl Future<Output = Result<Vec<Route>, CallError>> + Send;

    /// The entries of the network ACL of a subnet.
    fn acl_entries(&self, subnet: &str) -> impl Future<Output = Result<Vec<AclEntry>, CallError>> + Send;

    /// Those of the security groups that exist.
    fn security_groups(
        &self,
        ids: &BTreeSet<SecurityGroupId>,
    ) -> impl Future<Output = Result<BTreeSet<SecurityGroupId>, CallError>> + Send;
}

/// SNS.
pub trait Sns: Send + Sync {
    /// Publishes a notification to the configured topic.
    fn publish(&self, notification: &Notification) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Who is subscribed to the configured topic; `None` if it does not exist.
    fn subscriptions(&self) -> impl Future<Output = Result<Option<Vec<Subscription>>, CallError>> + Send;
}

/// Systems Manager, as far as waking a token server needs it.
pub trait Ssm: Send + Sync {
    /// Has the instance run the document; the answer comes before it does.
    fn send_command(
        &self,
        activation: &Activation,
        instance: &InstanceId,
    ) -> impl Future<Output = Result<CommandId, CallError>> + Send;

    /// How the command stands on the instance; `None`: Systems Manager does not know it yet.
    fn command(
        &self,
        command: &CommandId,
        instance: &InstanceId,
    ) -> impl Future<Output = Result<Option<CommandState>, CallError>> + Send;

    /// Whether there is a document of this name that can be run.
    fn has_document(&self, name: &DocumentName) -> impl Future<Output = Result<bool, CallError>> + Send;

    /// Those of the instances from whose agent Systems Manager hears.
    fn reachable_agents(
        &self,
        instances: &BTreeSet<InstanceId>,
    ) -> impl Future<Output = Result<BTreeSet<InstanceId>, CallError>> + Send;
}

/// How a command stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandState {
    /// Whether it has ended, and how; `None`: it has not.
    pub succeeded: Option<bool>,
    /// The same in Systems Manager's own word, such as `Delivery Timed Out`.
    pub status: String,
}

/// The three services together.
pub trait Ports {
    /// EC2.
    type Ec2: Ec2;
    /// SNS.
    type Sns: Sns;
    /// Systems Manager.
    type Ssm: Ssm;

    /// Each by itself.
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
