//! A finding: one fact that an operator should know, how bad it is, and what to do about it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Something will go wrong, or may.
    Warning,
    /// The token server does not work, or the next failover will not.
    Critical,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        })
    }
}

/// One fact that an operator should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// A stable kebab-case code.
    pub code: String,
    /// The fact, in one sentence.
    pub message: String,
    /// The resource that it is about.
    pub resource: Option<String>,
    /// What to do about it: plain sentences, and each command on a line of its own.
    pub remedy: String,
}

impl Finding {
    pub(crate) fn new(
        severity: Severity,
        code: &str,
        resource: Option<String>,
        message: String,
        remedy: String,
    ) -> Self {
        Self { severity, code: code.to_owned(), message, resource, remedy }
    }

    /// A critical finding about a resource.
    pub fn critical(code: &str, resource: impl ToString, message: String, remedy: String) -> Self {
        Self::new(Severity::Critical, code, Some(resource.to_string()), message, remedy)
    }

    /// Something good to know about a resource.
    pub fn info(code: &str, resource: impl ToString, message: String, remedy: String) -> Self {
        Self::new(Severity::Info, code, Some(resource.to_string()), message, remedy)
    }

    /// A warning about a resource.
    pub fn warning(code: &str, resource: impl ToString, message: String, remedy: String) -> Self {
        Self::new(Severity::Warning, code, Some(resource.to_string()), message, remedy)
    }
}
