//! All operations as typed requests and answers, each with its kind.

use std::fmt;

use super::{
    addresses::{AddressView, AssociateAddress, Associated, DescribeAddresses, DisassociateAddress},
    commands::{GetCommandInvocation, InvocationView, SendCommand, SentCommand},
    documents::{DescribeDocument, DocumentView},
    groups::{DescribeSecurityGroups, SecurityGroupView},
    instance_attributes::{DescribeInstanceAttribute, InstanceAttributes},
    instance_types::DescribeInstanceTypes,
    instances::{
        DescribeInstanceStatus, DescribeInstances, InstanceStatusView, InstanceView, StartInstances, StateChange,
        StopInstances, TerminateInstances,
    },
    interfaces::{
        AttachNetworkInterface, Attached, DescribeNetworkInterfaces, DetachNetworkInterface, InterfaceView,
        ModifyNetworkInterfaceAttribute,
    },
    kinds::{Ask, Change, Look, Read},
    lifecycle::{
        AutoScalingInstance, CompleteLifecycleAction, DescribeAutoScalingInstances, DescribeLifecycleHooks,
        LifecycleHookView,
    },
    managed_nodes::{DescribeInstanceInformation, ManagedNode},
    network_acls::{DescribeNetworkAcls, NetworkAclView},
    parameters::Parameters,
    routes::{DescribeRouteTables, RouteTableView},
    rules::{AuthorizeSecurityGroupIngress, DescribeSecurityGroupRules, GetManagedPrefixListEntries, RuleView},
    select::Page,
    stacks::{DescribeStacks, StackView},
    state::World,
    subnets::{DescribeSubnets, SubnetView},
    subscriptions::{GetTopicAttributes, ListSubscriptionsByTopic, TopicAttributes},
    tags::{CreateTags, DeleteTags},
    topics::{CreateTopic, Publish, Published},
};
use crate::model::{ApiError, InstanceType, Region, Subscription};

/// The service of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    Ec2,
    Sns,
    /// AWS Systems Manager.
    Ssm,
    /// Amazon EC2 Auto Scaling.
    AutoScaling,
    /// AWS CloudFormation.
    CloudFormation,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ec2 => "ec2",
            Self::Sns => "sns",
            Self::Ssm => "ssm",
            Self::AutoScaling => "autoscaling",
            Self::CloudFormation => "cloudformation",
        })
    }
}

/// A request with the type of its answer.
pub trait Operation: Into<Request> {
    type Answer;

    /// Takes the answer out of the enum, or returns `None` if it answers another operation.
    fn unwrap(answer: Answer) -> Option<Self::Answer>;
}

macro_rules! operations {
    ($($kind:ident $service:ident $name:ident -> $answer:ty;)*) => {
        /// Any request.
        #[derive(Debug, Clone)]
        pub enum Request { $($name($name),)* }

        /// The answer to a request, with the name of the request.
        #[derive(Debug, Clone)]
        pub enum Answer { $($name($answer),)* }

        $(
            impl From<$name> for Request {
                fn from(request: $name) -> Self {
                    Self::$name(request)
                }
            }

            impl Operation for $name {
                type Answer = $answer;

                fn unwrap(answer: Answer) -> Option<$answer> {
                    match answer {
                        Answer::$name(answer) => Some(answer),
                        _ => None,
                    }
                }
            }
        )*

        impl Request {
            pub fn service(&self) -> Service {
                match self { $(Self::$name(_) => Service::$service,)* }
            }

            pub fn action(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name),)* }
            }

            pub fn dry_run(&self) -> bool {
                match self { $(Self::$name(request) => request.dry_run(),)* }
            }

            pub fn parameters(&self) -> Parameters {
                match self { $(Self::$name(request) => request.parameters(),)* }
            }

            pub(crate) fn perform(&self, world: &mut World) -> Result<Answer, ApiError> {
                match self { $(Self::$name(request) => Ok(Answer::$name(operations!(@$kind request, world)?)),)* }
            }

            /// The answer from an earlier state of the Region. `None` for a change, and for topics, documents and
            /// commands, which a Region does not have.
            pub(crate) fn read(&self, region: &Region) -> Option<Result<Answer, ApiError>> {
                match self {
                    $(operations!(@pattern $kind $name request) => operations!(@past $kind $name request, region),)*
                }
            }
        }
    };
    (@read $request:ident, $world:ident) => { read($request, $world.region()) };
    (@look $request:ident, $world:ident) => { $request.look($world) };
    (@change $request:ident, $world:ident) => { change($request, $world) };
    (@pattern read $name:ident $request:ident) => { Self::$name($request) };
    (@pattern look $name:ident $request:ident) => { Self::$name(_) };
    (@pattern change $name:ident $request:ident) => { Self::$name(_) };
    (@past read $name:ident $request:ident, $region:ident) => { Some(read($request, $region).map(Answer::$name)) };
    (@past look $name:ident $request:ident, $region:ident) => { None };
    (@past change $name:ident $request:ident, $region:ident) => { None };
}

fn read<R: Read>(request: &R, region: &Region) -> Result<R::Answer, ApiError> {
    let answer = request.read(region)?;
    if request.dry_run() { Err(ApiError::dry_run()) } else { Ok(answer) }
}

fn change<C: Change>(request: &C, world: &mut World) -> Result<C::Answer, ApiError> {
    request.check(world)?;
    if !request.dry_run() {
        return request.change(world);
    }
    if world.region().assumptions.dry_run_needs_state {
        request.change(&mut world.clone())?;
    }
    Err(ApiError::dry_run())
}

operations! {
    read Ec2 DescribeNetworkInterfaces -> Page<InterfaceView>;
    read Ec2 DescribeInstances -> Page<InstanceView>;
    read Ec2 DescribeInstanceStatus -> Page<InstanceStatusView>;
    read Ec2 DescribeInstanceTypes -> Page<InstanceType>;
    read Ec2 DescribeInstanceAttribute -> InstanceAttributes;
    read Ec2 DescribeAddresses -> Vec<AddressView>;
    read Ec2 DescribeSubnets -> Page<SubnetView>;
    read Ec2 DescribeRouteTables -> Page<RouteTableView>;
    read Ec2 DescribeNetworkAcls -> Page<NetworkAclView>;
    read Ec2 DescribeSecurityGroups -> Page<SecurityGroupView>;
    read Ec2 DescribeSecurityGroupRules -> Page<RuleView>;
    read Ec2 GetManagedPrefixListEntries -> Page<(String, String)>;
    change Ec2 AttachNetworkInterface -> Attached;
    change Ec2 DetachNetworkInterface -> ();
    change Ec2 ModifyNetworkInterfaceAttribute -> ();
    change Ec2 StartInstances -> Vec<StateChange>;
    change Ec2 StopInstances -> Vec<StateChange>;
    change Ec2 TerminateInstances -> Vec<StateChange>;
    change Ec2 AssociateAddress -> Associated;
    change Ec2 DisassociateAddress -> ();
    change Ec2 AuthorizeSecurityGroupIngress -> Vec<RuleView>;
    change Ec2 CreateTags -> ();
    change Ec2 DeleteTags -> ();
    look Sns GetTopicAttributes -> TopicAttributes;
    look Sns ListSubscriptionsByTopic -> Page<Subscription>;
    change Sns CreateTopic -> String;
    change Sns Publish -> Published;
    read Ssm DescribeInstanceInformation -> Page<ManagedNode>;
    look Ssm DescribeDocument -> DocumentView;
    look Ssm GetCommandInvocation -> InvocationView;
    change Ssm SendCommand -> SentCommand;
    read AutoScaling DescribeAutoScalingInstances -> Page<AutoScalingInstance>;
    read AutoScaling DescribeLifecycleHooks -> Vec<LifecycleHookView>;
    change AutoScaling CompleteLifecycleAction -> ();
    look CloudFormation DescribeStacks -> Vec<StackView>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        CallError, Disruption, Scenario, names, pair,
        world::{Assumptions, InterfaceAttribute},
    };

    /// Every change of EC2, as a dry run.
    fn dry_runs(instance_id: &str, interface_id: &str, attachment_id: &str) -> Vec<Request> {
        let (instance_id, interface_id) = (instance_id.to_owned(), interface_id.to_owned());
        let instance_ids = vec![instance_id.clone()];
        vec![
            AttachNetworkInterface {
                dry_run: true,
                ..AttachNetworkInterface::to(instance_id.clone(), interface_id.clone(), 1)
            }
            .into(),
            DetachNetworkInterface { dry_run: true, ..DetachNetworkInterface::of(attachment_id) }.into(),
            ModifyNetworkInterfaceAttribute {
                network_interface_id: interface_id.clone(),
                attribute: InterfaceAttribute::SourceDestCheck(false),
                dry_run: true,
            }
            .into(),
            StartInstances { instance_ids: instance_ids.clone(), dry_run: true }.into(),
            StopInstances { instance_ids: instance_ids.clone(), dry_run: true }.into(),
            TerminateInstances { instance_ids, dry_run: true }.into(),
            AssociateAddress {
                dry_run: true,
                ..AssociateAddress::with_interface(names::ALLOCATION, interface_id.clone())
            }
            .into(),
            DisassociateAddress { dry_run: true, ..DisassociateAddress::of(names::ASSOCIATION) }.into(),
            AuthorizeSecurityGroupIngress {
                dry_run: true,
                ..AuthorizeSecurityGroupIngress::tcp(names::GROUP, 27007..=27008, "10.0.0.0/16")
            }
            .into(),
            CreateTags { dry_run: true, ..CreateTags::on(interface_id.clone(), "k", "v") }.into(),
            DeleteTags { dry_run: true, ..DeleteTags::on(interface_id, "k") }.into(),
        ]
    }

    fn codes(scenario: &Scenario, requests: &[Request]) -> Vec<(&'static str, String)> {
        let mut world = scenario.world();
        let revision = world.revision();
        let codes = requests
            .iter()
            .map(|request| {
                let error = world.answer(world.now(), request).expect_err("a dry run is always refused");
                (request.action(), error.code.into_owned())
            })
            .collect();
        assert_eq!(world.revision(), revision, "a dry run changes nothing");
        codes
    }

    #[test]
    fn a_dry_run_succeeds_whatever_the_state_of_the_resource() {
        let requests = dry_runs(names::STANDBY, names::INTERFACE, names::ATTACHMENT);
        let expected: Vec<_> =
            requests.iter().map(|request| (request.action(), "DryRunOperation".to_owned())).collect();
        // The interface is in use, the instance is terminated, the address is elsewhere, and the rule is there.
        let broken = pair()
            .instance(names::STANDBY, crate::InstanceSpec::terminated)
            .interface("eni-0ddddddddddddddd2", |interface| interface);
        for scenario in [pair(), broken] {
            assert_eq!(codes(&scenario, &requests), expected);
        }
    }

    #[test]
    fn a_dry_run_can_be_set_to_check_the_state() {
        let assumptions = Assumptions { dry_run_needs_state: true, ..Assumptions::default() };
        let broken = pair().instance(names::STANDBY, crate::InstanceSpec::terminated).assumptions(assumptions);
        let expected = [
            ("AttachNetworkInterface", "InvalidNetworkInterface.InUse"),
            ("DetachNetworkInterface", "DryRunOperation"),
            ("ModifyNetworkInterfaceAttribute", "DryRunOperation"),
            ("StartInstances", "IncorrectInstanceState"),
            ("StopInstances", "IncorrectInstanceState"),
            ("TerminateInstances", "DryRunOperation"),
            ("AssociateAddress", "DryRunOperation"),
            ("DisassociateAddress", "DryRunOperation"),
            ("AuthorizeSecurityGroupIngress", "InvalidPermission.Duplicate"),
            ("CreateTags", "DryRunOperation"),
            ("DeleteTags", "DryRunOperation"),
        ]
        .map(|(action, code)| (action, code.to_owned()));
        assert_eq!(codes(&broken, &dry_runs(names::STANDBY, names::INTERFACE, names::ATTACHMENT)), expected);
    }

    #[test]
    fn a_dry_run_needs_existing_resources() {
        let requests = dry_runs("i-0aaaaaaaaaaaaaaa9", "eni-0aaaaaaaaaaaaaaa9", "eni-attach-0aaaaaaaaaaaaaaa9");
        let expected = [
            ("AttachNetworkInterface", "InvalidNetworkInterfaceID.NotFound"),
            ("DetachNetworkInterface", "InvalidAttachmentID.NotFound"),
            ("ModifyNetworkInterfaceAttribute", "InvalidNetworkInterfaceID.NotFound"),
            ("StartInstances", "InvalidInstanceID.NotFound"),
            ("StopInstances", "InvalidInstanceID.NotFound"),
            ("TerminateInstances", "InvalidInstanceID.NotFound"),
            ("AssociateAddress", "InvalidNetworkInterfaceID.NotFound"),
            ("DisassociateAddress", "DryRunOperation"),
            ("AuthorizeSecurityGroupIngress", "DryRunOperation"),
            ("CreateTags", "InvalidNetworkInterfaceID.NotFound"),
            ("DeleteTags", "InvalidNetworkInterfaceID.NotFound"),
        ]
        .map(|(action, code)| (action, code.to_owned()));
        assert_eq!(codes(&pair(), &requests), expected);
    }

    #[tokio::test]
    async fn permission_is_checked_first() {
        let simulator = pair().build();
        simulator.disrupt(|_| Disruption::Deny);
        for request in dry_runs("i-9", "eni-9", "eni-attach-9") {
            let action = request.action();
            let error = simulator.take(request.into()).await.expect_err("nothing is allowed");
            assert_eq!(error.code(), Some("UnauthorizedOperation"), "{action}");
        }
        let error = simulator.call(GetTopicAttributes::of("x")).await.expect_err("nothing is allowed");
        assert_eq!(error.code(), Some("AuthorizationError"));
        assert!(matches!(error, CallError::Refused(_)));
    }

    #[test]
    fn reads_have_dry_runs_too() {
        let reads: Vec<Request> = vec![
            DescribeInstanceTypes { dry_run: true, ..DescribeInstanceTypes::default() }.into(),
            DescribeInstanceAttribute {
                dry_run: true,
                ..DescribeInstanceAttribute::disable_api_termination(names::HOLDER)
            }
            .into(),
            DescribeSubnets { dry_run: true, ..DescribeSubnets::default() }.into(),
            DescribeRouteTables { dry_run: true, ..DescribeRouteTables::default() }.into(),
            DescribeNetworkAcls { dry_run: true, ..DescribeNetworkAcls::default() }.into(),
            DescribeSecurityGroups { dry_run: true, ..DescribeSecurityGroups::default() }.into(),
        ];
        let expected: Vec<_> = reads.iter().map(|request| (request.action(), "DryRunOperation".to_owned())).collect();
        assert_eq!(codes(&pair(), &reads), expected);
    }

    #[test]
    fn only_reads_of_sns_are_always_current() {
        let mut world = pair().world();
        let now = std::time::Duration::from_secs(10);
        world.advance(now);
        world.set_disable_api_termination(names::HOLDER, true).expect("the holder is there");
        world.delete_topic(names::TOPIC);
        let protection = DescribeInstanceAttribute::disable_api_termination(names::HOLDER).into();
        let before = world.answer_from_the_past(now, std::time::Duration::from_secs(5), &protection);
        assert!(matches!(before, Ok(Answer::DescribeInstanceAttribute(a)) if !a.disable_api_termination));
        let topic = GetTopicAttributes::of(names::TOPIC).into();
        let now_as_ever = world.answer_from_the_past(now, std::time::Duration::from_secs(5), &topic);
        assert!(now_as_ever.is_err());
    }
}
