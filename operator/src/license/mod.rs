//! License files: reads the lines that name the token server, and finds faults in them. Keeps nothing else of a file.

mod assessment;
mod file;

pub use file::{Host, Hostid, LARGEST_FILE, License, LicenseError, Problem, Server, Vendor};
