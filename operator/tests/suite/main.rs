//! Tests of the operator's command and of the reader of license files.

#[path = "../../../tests/support/damage.rs"]
mod damage;
#[path = "../support/desk.rs"]
mod desk;
#[expect(dead_code, reason = "the laws use more of it")]
#[path = "../../../tests/support/dice.rs"]
mod dice;
#[path = "../support/exercise.rs"]
mod exercising;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../../../tests/support/lambda.rs"]
mod lambda;
#[path = "../../../tests/support/served.rs"]
mod served;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../../../tests/support/standard.rs"]
mod standard;
#[path = "../../../tests/support/mod.rs"]
mod support;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../../../tests/support/world.rs"]
mod world;

mod account;
mod exercise;
mod licenses;
mod members;
mod moments;
mod operator;
