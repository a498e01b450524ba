//! The record of an account: what EC2 really does, where AWS documents nothing.
//!
//! An exercise moves the interface there and back. A [`Recording`] is fed with what the exercise sees, and gives a
//! [`Document`]: which of the simulator's assumptions hold in this account, how long EC2 took, and with which codes it
//! refused a call. The simulator reads the document (`--like`) and behaves like the account. Nothing in the document
//! identifies the account.
//!
//! The recording is pure. The time since the start of the exercise comes with each feed.
//!
//! ```
//! use std::time::Duration;
//! use token_failover::model::observation::{Instance, NetworkInterface};
//! use token_failover_operator::account::{Document, Recording};
//!
//! fn record(interface: &NetworkInterface, holder: &Instance, day: chrono::NaiveDate) -> Document {
//!     let mut recording = Recording::new();
//!     // A run of this process moves the interface. In the closure that `Failover::new` takes:
//!     // recording.record(began.elapsed(), record);
//!
//!     // Or the deployed function moves it, and the command only watches.
//!     recording.asked_to_stop(Duration::from_millis(40), &holder.id);
//!     recording.saw_interface(Duration::from_millis(200), interface);
//!     recording.saw_instance(Duration::from_millis(210), holder);
//!     recording.document(day)
//! }
//! ```

mod assumption;
mod course;
mod document;
mod recording;

pub use document::{Assumed, Assumptions, Document, Figures, Refused, SCHEMA_VERSION, Timings};
pub use recording::Recording;
