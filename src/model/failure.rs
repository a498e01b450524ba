//! Why an invocation fails. It fails only where trying again can help; everything else is a report.

use strum::{IntoStaticStr, VariantNames};

use crate::model::error::{CallError, Meaning};
use crate::model::request::RequestError;

/// An invocation that failed: trying it again can help, or it was a malformed request.
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
    /// The invocation's time ended before the work did.
    #[error("{summary}")]
    DeadlineReached {
        /// In the middle of what.
        amid: Amid,
        /// What the report says.
        summary: String,
    },
    /// The interface is attached to nothing.
    #[error("{summary} The function tries again.")]
    InterfaceNotAttached {
        /// What the report says.
        summary: String,
    },
    /// The report could not be published.
    #[error(
        "The report could not be published ({error}). It is pending, and the next run publishes it. The report says: \
         {summary}"
    )]
    NotificationNotPublished {
        /// Why.
        error: CallError,
        /// What the report says.
        summary: String,
    },
}

/// What an invocation was doing when its time ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amid {
    /// It was looking, and had changed nothing.
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

/// What a transient error of a read means for the invocation.
pub(crate) fn unreadable(error: CallError) -> Failure {
    if error.meaning == Meaning::Throttled { Failure::Ec2Throttled(error) } else { Failure::Ec2Unreachable(error) }
}
