//! Commands of Systems Manager on an instance.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::ids::DocumentName;

/// A command for an instance.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Command<'a> {
    /// The document that defines it.
    pub document: &'a DocumentName,
    /// The parameters of the document. An operator may have put a secret there, so they are not logged.
    pub parameters: &'a BTreeMap<String, Vec<String>>,
    /// What it is for, in the command history of Systems Manager. At most 100 characters.
    /// Source: Systems Manager API Reference, *SendCommand*, `Comment`.
    pub comment: &'static str,
}

/// The state of a command on an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandState {
    /// Whether it succeeded; `None`: it has not ended.
    pub succeeded: Option<bool>,
    /// Systems Manager's own name for the state, such as `Delivery Timed Out`.
    pub status: String,
    /// The exit code of its script; `None`: the script has not ended.
    pub exit_code: Option<i32>,
    /// What the script has printed.
    pub output: Output,
}

/// The output of a command. It may contain anything, so it has no way into a log: only its length can be printed.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Output(String);

impl Output {
    /// An output.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Output({} bytes)", self.0.len())
    }
}
