//! The reader of license files and the record of an account, for the operator's command.
//!
//! It is a library, so that the fuzzer and the tests can use them without the command.

#![warn(missing_docs)]

pub mod account;
pub mod license;
