//! The pure parts of the operator's command: the reader of license files, and the result of an exercise.
//!
//! It is a library, so that the fuzzer and the tests can use them without the command.

#![warn(missing_docs)]

pub mod exercise;
pub mod license;
