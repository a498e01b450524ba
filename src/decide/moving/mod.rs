//! What a move does after each answer from EC2. Pure: the run makes the calls, and these values say which one is next.
//!
//! [`detach`] takes the interface off an instance, by force if necessary. [`attach`] brings it to one instance.
//! [`course`] goes from target to target, and back if no target takes it.

pub mod attach;
pub mod course;
pub mod detach;
