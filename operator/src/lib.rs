//! What the operator's command knows beyond the library: where a license file says that its token server runs.
//!
//! It stands apart from the command itself, so that a fuzzer and the tests can read license files without one.

#![warn(missing_docs)]

pub mod license;
