//! The reader of license files, for the operator's command.
//!
//! It is a library, so that the fuzzer and the tests can read license files without the command.

#![warn(missing_docs)]

pub mod license;
