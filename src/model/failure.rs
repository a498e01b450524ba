//! Why an invocation fails. It fails only if another try can help. Everything else is a report.

use strum::{IntoStaticStr, VariantNames};

use crate::model::error::{CallError, Meaning};
use crate::model::request::RequestError;

/// An invocation that failed. Another try can help, or the request was malformed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, IntoStaticStr, VariantNames)]
pub enum Failure {
    /// An operator's request could not be understood.
    #[error(transparent)]
    InvalidRequest(#[from] RequestError),
    /// EC2 throttled the function for longer than it retried.
    #[error(
        "EC2 throttled the function before it could read anything ({0}). Nothing was changed. The function tries again."
    )]
    Ec2Throttled(CallError),
    /// EC2 did not answer.
    #[error("EC2 could not be reached ({0}). Nothing was changed. The function tries again.")]
    Ec2Unreachable(CallError),
    /// The invocation timed out before its work was done.
    #[error("{summary}")]
    DeadlineReached {
        /// What the invocation was doing.
        amid: Amid,
        /// The summary of the report.
        summary: String,
    },
    /// The interface is attached to nothing.
    #[error("{summary} The function tries again.")]
    InterfaceNotAttached {
        /// The summary of the report.
        summary: String,
    },
    /// The report could not be published.
    #[error(
        "The report could not be published ({error}). It is pending, and the next run publishes it. The report says: \
         {summary}"
    )]
    NotificationNotPublished {
        /// The error of the call.
        error: CallError,
        /// The summary of the report.
        summary: String,
    },
}

/// What an invocation was doing when it timed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amid {
    /// It was reading EC2, and had changed nothing.
    Looking,
    /// It had begun to move the interface.
    Move,
}

impl Failure {
    /// The stable name that alarms and retry rules can rely on.
    pub fn error_type(&self) -> &'static str {
        self.into()
    }
}

/// The failure that follows from a temporary error of a read.
pub(crate) fn unreadable(error: CallError) -> Failure {
    if error.meaning == Meaning::Throttled { Failure::Ec2Throttled(error) } else { Failure::Ec2Unreachable(error) }
}
