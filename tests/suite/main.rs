//! All tests of token-failover, in one binary: aws-sdk-ec2 takes long to link.

#[path = "../support/mod.rs"]
mod support;

mod audits;
mod budget;
mod checks;
mod config;
mod documentation;
mod drills;
mod events;
mod failovers;
mod fuzz;
mod house;
mod identifiers;
mod laws;
mod licenses;
mod marks;
mod metrics;
mod notifications;
mod operator;
mod planning;
mod problems;
mod security_groups;
mod serving;
mod world;
