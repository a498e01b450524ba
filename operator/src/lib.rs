//! The pure parts of the operator's command: the reader of license files, the result of an exercise, and the record of an account.
//!
//! It is a library, so that the fuzzer and the tests can use them without the command.

#![warn(missing_docs)]

pub mod account;
pub mod exercise;
pub mod license;
