//! How the command ended: well, badly, or in trouble.

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All is as it should be.
    Well,
    /// There are findings, or something was refused or failed.
    Badly,
}

/// Why it could not be told: one sentence, and what to do.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) problem: String,
    pub(crate) hint: String,
}

impl Trouble {
    pub(crate) fn new(problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { problem: problem.into(), hint: hint.into() }
    }
}
