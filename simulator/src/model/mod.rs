//! The resources of the simulated services as plain values.
//!
//! Operations and processes are in [`world`](crate::world).

mod address;
mod assumptions;
mod auto_scaling;
mod command;
mod document;
mod error;
mod event;
mod home;
pub(crate) mod ids;
mod instance;
mod instance_type;
mod interface;
mod license_server;
mod network_acl;
mod prefix_list;
mod process;
mod region;
mod route_table;
mod security_group;
mod stack;
mod subnet;
mod subscription;
mod tags;
mod timings;
mod token_server;
mod topic;

pub use self::{
    address::{Address, Association},
    assumptions::Assumptions,
    auto_scaling::{
        AutoScalingGroup, GroupMember, HealthStatus, LaunchTemplate, LifecycleAction, LifecycleHook, LifecycleResult,
        LifecycleState, MaintenancePolicy, TerminationPolicy,
    },
    command::{Command, CommandBehavior, CommandStatus},
    document::{Document, Effect},
    error::ApiError,
    event::{Event, EventKind},
    home::Home,
    instance::{Agent, AutoRecovery, Capacity, Check, Instance, InstanceState, ScheduledEvent, StateReason},
    instance_type::InstanceType,
    interface::{Attachment, AttachmentStatus, Interface},
    license_server::{LicenseService, Lmutil},
    network_acl::{NetworkAcl, NetworkAclAssociation, NetworkAclEntry, RuleAction},
    prefix_list::PrefixList,
    process::Process,
    region::Region,
    route_table::{Route, RouteDestination, RouteState, RouteTable, RouteTableAssociation},
    security_group::{RuleSource, SecurityGroup, SecurityGroupRule},
    stack::Stack,
    subnet::Subnet,
    subscription::{Standing, Subscription},
    tags::Tags,
    timings::Timings,
    token_server::{Refusal, TokenServer},
    topic::{Message, MessageAttribute},
};
pub(crate) use self::{
    auto_scaling::{GROUP_NAME_TAG, Phase},
    command::Commands,
    document::{COMMAND, Documents},
    ids::Ids,
    instance_type::no_such_types,
    stack::Stacks,
    token_server::{Started, TokenServers},
    topic::{Topic, Topics},
};
