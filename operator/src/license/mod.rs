//! License files: reads the lines that name the token server and the dates of its features, and finds faults in them.
//! Keeps nothing else of a file.

mod assessment;
mod feature;
mod file;
mod hostid;
mod interface;
mod machine;
mod problem;
mod text;
mod validity;

pub use feature::{Expiry, Feature, Manager};
pub use file::{Host, License, MOSEK_SUPPORT, Server, Vendor};
pub use hostid::Hostid;
pub use interface::Interface;
pub use problem::{LARGEST_FILE, LicenseError, Problem};
