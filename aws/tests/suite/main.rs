//! Tests through the SDK and over the wire: the same calls and meanings as below the wire, pages, status checks,
//! damaged answers, and the laws once more. They are one binary, because aws-sdk-ec2 takes long to link.

#[path = "../../../tests/support/damage.rs"]
mod damage;
#[path = "../../../tests/support/dice.rs"]
mod dice;
#[path = "../../../tests/laws/mod.rs"]
mod harness;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../../../tests/support/standard.rs"]
mod standard;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../../../tests/support/mod.rs"]
mod support;

mod environment;
mod fuzz;
mod laws;
mod pages;
mod parity;
mod status_checks;
mod wire;
