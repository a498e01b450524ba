//! License files: what is read of them, and what will go wrong with them. Nothing else of a file is kept.

mod assessment;
mod file;

pub use file::{Host, Hostid, LARGEST_FILE, License, LicenseError, Problem, Server, Vendor};
