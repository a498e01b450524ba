//! A small, correct simulator of the part of EC2 and SNS that token-failover uses.
//!
//! It answers the Query protocols of both services on the wire, so that the real AWS SDK client runs against it: in
//! process and on tokio's paused clock, or over loopback. Its rules are EC2's documented rules, each with its source in
//! a doc comment; what AWS does not document is marked "Assumed", and where it matters a test can assume the opposite
//! ([`world::Assumptions`]).
//!
//! # Layers
//!
//! ```text
//!   SDK client ── client ──┐
//!                          ├── wire ── simulation ── world
//!   another process ─ server ┘         │
//!   a test below the wire ─────────────┘
//! ```
//!
//! - [`world`]: what there is and what the calls do to it. Typed and synchronous; time comes in as data.
//! - `simulation`: the [`Simulator`]: a world with a clock, latency, [disruptions](Disruption), other actors, observers
//!   and a journal.
//! - `wire`: forms to requests, answers to XML.
//! - `client` and `server`: the wire in process and over loopback.
//! - [`Scenario`]: worlds to start from; [`names`]: the names in them.
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
//! // Somebody stops the holder after two seconds, and starts it again right before the first detach.
//! simulator.at(Duration::from_secs(2), |world| world.stop(names::HOLDER).unwrap());
//! simulator.on_call("DetachNetworkInterface", 1, When::Before, |world| world.start(names::HOLDER).unwrap());
//! // Whatever happens, only the pair holds the interface.
//! simulator.observe(|now, moment, world| {
//!     let holder = world.holder_of(names::INTERFACE);
//!     assert!(holder.is_none_or(|id| [names::HOLDER, names::STANDBY].contains(&id)), "{now:?} {moment:?}");
//! });
//! ```
//!
//! # Below everything
//!
//! A [`World`](world::World) alone, with time as data, is the fastest: `scenario.world()`, then
//! [`World::call`](world::World::call).

mod client;
pub mod names;
mod scenario;
mod server;
mod simulation;
mod wire;
pub mod world;

pub use self::{
    scenario::{
        AddressSpec, InstanceSpec, InterfaceSpec, NetworkAclSpec, RouteTableSpec, Scenario, SecurityGroupSpec,
        SubnetSpec, TopicSpec, cold_standby, pair, primary, trio,
    },
    simulation::{Call, CallError, CallInfo, Disruption, Moment, Outcome, Simulator, When},
};
