//! A small, correct simulator of the part of EC2, SNS, Systems Manager, Auto Scaling and CloudFormation that token-failover uses, and of
//! the token servers on its instances.
//!
//! It answers the protocols of these services on the wire, so that the real AWS SDK client runs against it: in process
//! and on tokio's paused clock, or over loopback. Its rules are AWS's documented rules, each with its source in a doc
//! comment. A rule without a source is marked "Assumed"; where it matters, a test can assume the opposite
//! ([`world::Assumptions`]).
//!
//! # Floors
//!
//! ```text
//!   SDK client ── client ──┐
//!                          ├── wire ── simulation ── scenario ── world ── like ── model ── names
//!   another process ─ server ┘         │
//!   a test below the wire ─────────────┘
//! ```
//!
//! Each floor imports only from those to its right, and no files import one another in a circle. `tests/floors.rs`
//! checks both. From the ground up:
//!
//! - [`names`]: the names in the standard worlds.
//! - `model`: the resources as plain values.
//! - `like`: reads the record of an account, which sets assumptions and times.
//! - [`world`]: the effects of the calls. Typed and synchronous; time comes in as data. It re-exports the values.
//! - `scenario`: the [`Scenario`], which describes a world and builds it, and the standard worlds.
//! - `simulation`: the [`Simulator`], which plays a scenario: its world with a clock, latency,
//!   [disruptions](Disruption), other actors, observers and a journal.
//! - `wire`: parses forms and JSON into requests, and writes answers as XML and JSON.
//! - `client` and `server`: the wire in process and over loopback.
//!
//! # A world, and calls on it
//!
//! ```
//! use simulator::{Disruption, names, world::{AttachNetworkInterface, DetachNetworkInterface}};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let simulator = simulator::pair().build();
//! simulator.fail_next("AttachNetworkInterface", 1, Disruption::DropAfter);
//!
//! // The SDK's clients take `simulator.http_client()`; this is the same below the wire.
//! simulator.call(DetachNetworkInterface::of(names::ATTACHMENT)).await?;
//! let lost = simulator.call(AttachNetworkInterface::to(names::STANDBY, names::INTERFACE, 1)).await;
//!
//! assert!(lost.is_err());
//! simulator.world(|world| assert_eq!(world.holder_of(names::INTERFACE), Some(names::STANDBY)));
//! assert_eq!(
//!     simulator.changes(),
//!     [
//!         "DetachNetworkInterface AttachmentId=eni-attach-0aaaaaaaaaaaaaaa1 -> ok",
//!         "AttachNetworkInterface NetworkInterfaceId=eni-0ddddddddddddddd1 InstanceId=i-0bbbbbbbbbbbbbbb2 \
//!          DeviceIndex=1 -> dropped-after",
//!     ]
//! );
//! # Ok::<(), simulator::CallError>(())
//! # }).unwrap();
//! ```
//!
//! # Other actors, and laws
//!
//! ```
//! use std::time::Duration;
//! use simulator::{Moment, When, names};
//!
//! let simulator = simulator::pair().build();
//! // An operator stops the holder after two seconds, and starts it again right before the first detach.
//! simulator.at(Duration::from_secs(2), |world| world.stop(names::HOLDER).unwrap());
//! simulator.on_call("DetachNetworkInterface", 1, When::Before, |world| world.start(names::HOLDER).unwrap());
//! // Whatever happens, only the pair holds the interface.
//! simulator.observe(|now, moment, world| {
//!     let holder = world.holder_of(names::INTERFACE);
//!     assert!(holder.is_none_or(|id| [names::HOLDER, names::STANDBY].contains(&id)), "{now:?} {moment:?}");
//! });
//! ```
//!
//! # What an audit finds
//!
//! The pair has no faults. A test adds faults to the scenario, or breaks the world later:
//!
//! ```
//! use simulator::{names, world::{AutoRecovery, RouteState}};
//!
//! let mut world = simulator::pair()
//!     // No room: the instance has as many interfaces as its type can have. With
//!     // `interface(…, |eni| eni.on(names::STANDBY, 1))` another interface takes the device index instead.
//!     .instance(names::STANDBY, |instance| instance.interface_limit(1).subnet(names::OTHER_SUBNET))
//!     .instance(names::HOLDER, |instance| instance.disable_api_termination().auto_recovery(AutoRecovery::Disabled))
//!     .interface(names::INTERFACE, |interface| interface.without_source_dest_check())
//!     // The subnet's own table, without a default route.
//!     .route_table(names::ROUTE_TABLE, |table| table.subnet(names::SUBNET))
//!     // The way back to the clients is blocked.
//!     .network_acl(names::DEFAULT_NETWORK_ACL, |acl| acl.deny_outbound_tcp(90, 1024..=65535, "0.0.0.0/0"))
//!     // A group that does not exist.
//!     .security_group(names::GROUP, |group| group.no_rules().tcp(27007..=27008, names::CLIENT_GROUP))
//!     .topic(names::TOPIC, |topic| topic.no_subscriptions().pending_email("ops@example.com"))
//!     .world();
//! world.set_route_state(names::MAIN_ROUTE_TABLE, "0.0.0.0/0", RouteState::Blackhole)?;
//! world.confirm_subscription(names::TOPIC, "ops@example.com")?;
//! # Ok::<(), simulator::world::ApiError>(())
//! ```
//!
//! # Commands, and the token servers that they activate
//!
//! Systems Manager knows the instances and accepts commands for them. The token server runs on the instance that has
//! the license interface; a standby that is already running may need a command to activate it. A test can try its ports
//! like TCP ports:
//!
//! ```
//! use simulator::{names, world::{CommandStatus, GetCommandInvocation, Refusal, SendCommand}};
//!
//! let mut world = simulator::pair()
//!     // Or `without_token_server`, or `firewalled`, which drops packets.
//!     .instance(names::STANDBY, |instance| instance.token_server_on_command())
//!     // Or `without_agent`, `agent_lost`, `command_never_ends`, `command_never_delivered`.
//!     .instance(names::HOLDER, |instance| instance.command_fails())
//!     .document(names::DOCUMENT, |document| document.required_parameter("Unit"))
//!     .document("activate", |document| document)
//!     .world();
//! let port = format!("{}:27007", names::PRIVATE_IP).parse().unwrap();
//! assert_eq!(world.answers(port), Ok(()));
//!
//! world.detach(names::INTERFACE)?;
//! world.advance(world.now());
//! assert_eq!(world.answers(port), Err(Refusal::Silent));
//! world.attach(names::INTERFACE, names::STANDBY, 1)?;
//! world.advance(world.now());
//! assert_eq!(world.answers(port), Err(Refusal::Refused));
//!
//! let sent = world.act(SendCommand::to(names::STANDBY, "activate"))?;
//! let invocation = world.act(GetCommandInvocation::of(&sent.command_id, names::STANDBY))?;
//! assert_eq!(invocation.status, CommandStatus::Success);
//! assert_eq!(world.answers(port), Ok(()));
//! assert_eq!(world.commands().len(), 1);
//! world.kill_token_server(names::STANDBY)?;
//! assert_eq!(world.answers(port), Err(Refusal::Refused));
//! # Ok::<(), simulator::world::ApiError>(())
//! ```
//!
//! [`Simulator::connect`] does the same on tokio's clock, and [`Simulator::connections`] lists the attempts.
//!
//! # Auto Scaling groups, and the events of EventBridge
//!
//! A group replaces what it loses, refreshes its instances, and scales. A terminating member waits for the group's hooks.
//! The services send their events to EventBridge, and a test takes the documents:
//!
//! ```
//! use std::time::Duration;
//! use simulator::{grouped, names, world::{CompleteLifecycleAction, EventKind, LifecycleState}};
//!
//! // A pair in a group that launches before it terminates, with a termination hook. See `AutoScalingGroupSpec`.
//! let mut world = grouped().auto_scaling_group(names::AUTO_SCALING_GROUP, |group| group.size(2, 2, 2)).world();
//! world.crash(names::HOLDER)?;
//! world.advance(Duration::from_secs(5));
//!
//! let states: Vec<_> = world.group_members(names::AUTO_SCALING_GROUP).iter().map(|one| one.lifecycle_state()).collect();
//! assert_eq!(states, [LifecycleState::TerminatingWait, LifecycleState::InService, LifecycleState::InService]);
//! let event = world.take_events().pop().unwrap();
//! assert_eq!(event.document()["detail-type"], "EC2 Instance-terminate Lifecycle Action");
//! let EventKind::TerminateLifecycleAction { group_name, hook, token, .. } = event.kind else { unreachable!() };
//! world.act(CompleteLifecycleAction::with_token(group_name, hook, token))?;
//! # Ok::<(), simulator::world::ApiError>(())
//! ```
//!
//! # Without a clock
//!
//! A [`World`](world::World) alone, with time as data, is fastest: `scenario.world()`, then
//! [`World::call`](world::World::call).

mod client;
mod like;
mod model;
pub mod names;
mod scenario;
mod server;
mod simulation;
mod wire;
pub mod world;

pub use self::{
    like::Like,
    scenario::{
        AddressSpec, AutoScalingGroupSpec, DocumentSpec, InstanceSpec, InterfaceSpec, NetworkAclSpec, RouteTableSpec,
        Scenario, SecurityGroupSpec, StackSpec, SubnetSpec, TopicSpec, cold_standby, grouped, pair, primary, trio,
    },
    simulation::{Call, CallError, CallInfo, Connection, Disruption, Moment, Outcome, Simulator, When},
};
