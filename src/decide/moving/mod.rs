//! What a move does after each answer of EC2. Pure: the run sends the calls, and these values say which one is next.
//!
//! [`detach`] takes the interface off an instance, by force if it has to. [`attach`] brings it to one instance. [`course`]
//! goes from target to target, and back if no target will do.

pub mod attach;
pub mod course;
pub mod detach;
