//! The exercise: a planned failover there and back, watched and timed.
//!
//! Everything here is pure. The command makes the calls, and hands in what it sees with the time at which it saw it.

mod again;
mod foresight;
mod leg;
mod moment;
mod picture;
mod result;
mod watch;
mod whereabouts;

pub use again::Again;
pub use foresight::after_a_stop;
pub use leg::{Leg, Row, Verdict};
pub use moment::{Expectation, Kind, Moment, Sign, expectations, sign_of};
pub use picture::picture;
pub use result::{Exercise, Outcome, SCHEMA_VERSION};
pub use watch::Watch;
pub use whereabouts::{Whereabouts, whereabouts};
