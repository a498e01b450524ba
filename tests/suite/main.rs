//! All tests of token-failover, in one binary: aws-sdk-ec2 takes long to link.

#[path = "../support/mod.rs"]
mod support;

mod config;
mod failovers;
mod house;
mod identifiers;
mod world;
