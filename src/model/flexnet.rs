//! FlexNet's error numbers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An error number of FlexNet, such as -97; it is negative.
/// Source: Revenera, License Administration Guide, "Error Code Descriptions".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FlexNetError(i32);

/// What an error proves about the daemon or the feature in whose place lmstat prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The daemon does not run.
    NotRunning,
    /// The vendor daemon rejects the hostid of the machine.
    RejectsHostid,
    /// The license, or a line of it, is not valid here and now.
    RejectsLicense,
    /// Nothing: the question failed, and the license server may serve.
    Nothing,
}

impl FlexNetError {
    /// An error; `None`: the number is not one of an error.
    pub fn new(number: i32) -> Option<Self> {
        (-9999..0).contains(&number).then_some(Self(number))
    }

    /// The number.
    pub fn number(self) -> i32 {
        self.0
    }

    /// What it proves.
    pub fn proves(self) -> Proof {
        match self.0 {
            -15 | -97 => Proof::NotRunning,
            -9 | -92 => Proof::RejectsHostid,
            -2 | -5 | -8 | -10 | -11 | -13 | -18 | -25 | -31 | -88 | -89 => Proof::RejectsLicense,
            _ => Proof::Nothing,
        }
    }
}

impl fmt::Display for FlexNetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
