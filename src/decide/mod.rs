//! The decisions. They are pure and synchronous: no clock, no network, no log, and no text for people.

pub mod attachment;
pub mod audit;
pub mod checks;
pub mod follow_up;
pub mod license_check;
pub mod lifecycle;
pub mod lmstat;
pub mod members;
pub mod moving;
pub mod network_acl;
pub mod pause;
pub mod pending;
pub mod plan;
pub mod problem;
pub mod publication;
pub mod rehearsal;
pub mod remembered;
pub mod request;
pub mod security_group;
pub mod validity;
