//! The results of the checks, as a report has them.

use serde::{Deserialize, Serialize};

/// The result of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckResult {
    /// It is as it should be.
    Ok,
    /// It was wrong, and was repaired.
    Repaired,
    /// It is wrong.
    Failed,
    /// The configuration does not say how it should be.
    NotConfigured,
    /// It was not checked, or could not be read.
    NotChecked,
}

impl CheckResult {
    /// The default for reports of earlier versions, which lack a check.
    fn not_checked() -> Self {
        Self::NotChecked
    }
}

/// The results of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checks {
    /// The MAC address is the one that the license names.
    pub hostid: CheckResult,
    /// The Elastic IP is on the interface's primary private address.
    pub elastic_ip: CheckResult,
    /// Every port is open to every client.
    pub security_group: CheckResult,
    /// Terminating the holder leaves the interface alive.
    pub delete_on_termination: CheckResult,
    /// The token server answers on every port. Checked only if the settings or the operator's command ask for it.
    #[serde(default = "CheckResult::not_checked")]
    pub listening: CheckResult,
}

impl Checks {
    /// No check was made.
    pub const NOT_CHECKED: Self = Self {
        hostid: CheckResult::NotChecked,
        elastic_ip: CheckResult::NotChecked,
        security_group: CheckResult::NotChecked,
        delete_on_termination: CheckResult::NotChecked,
        listening: CheckResult::NotChecked,
    };
}
