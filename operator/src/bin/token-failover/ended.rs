//! The end of the command: success, findings, or an error.

/// The end of the command, which determines its exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Success, without findings.
    Well,
    /// Findings, a refusal, or a failure.
    Badly,
}

/// An error of the command: one sentence, and what to do.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) problem: String,
    pub(crate) hint: String,
}

impl Trouble {
    pub(crate) fn new(problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { problem: problem.into(), hint: hint.into() }
    }

    /// Adds to what to do, in lines of their own.
    pub(crate) fn add(&mut self, hint: impl AsRef<str>) {
        if !self.hint.is_empty() {
            self.hint.push('\n');
        }
        self.hint += hint.as_ref();
    }
}
