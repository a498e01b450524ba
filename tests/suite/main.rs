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
mod hints;
mod house;
mod identifiers;
mod laws;
mod licenses;
mod log_lines;
mod marks;
mod metrics;
mod notifications;
mod operator;
mod pages;
mod pauses;
mod planning;
mod problems;
mod repairs;
mod room;
mod security_groups;
mod serving;
mod status_checks;
mod subscriptions;
mod world;
