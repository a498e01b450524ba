//! Why an invocation fails. It fails only where trying again can help; everything else is a report.

use crate::model::error::{CallError, Meaning};
use crate::model::request::RequestError;

/// An invocation that failed: trying it again can help, or it was a malformed request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// An operator's request could not be understood.
    #[error(transparent)]
    InvalidRequest(#[from] RequestError),
    /// EC2 throttled the function for longer than it retried.
    #[error(
        "EC2 throttles the function, so it was not looked at anything and nothing was changed ({0}); it will be tried again"
    )]
    Ec2Throttled(CallError),
    /// EC2 did not answer.
    #[error("EC2 could not be reached, so nothing was changed ({0}); it will be tried again")]
    Ec2Unreachable(CallError),
    /// The invocation's time ended before the work did.
    #[error("the time of the invocation ended: {summary}; the next run takes it up from what EC2 says then")]
    DeadlineReached {
        /// In the middle of what.
        amid: Amid,
        /// What the report says.
        summary: String,
    },
    /// The interface is attached to nothing.
    #[error("the license interface is attached to nothing: {summary}; it will be tried again")]
    InterfaceNotAttached {
        /// What the report says.
        summary: String,
    },
    /// The report could not be published.
    #[error("the report could not be published ({error}); it is owed and will be published by the next run: {summary}")]
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
        match self {
            Self::InvalidRequest(_) => "InvalidRequest",
            Self::Ec2Throttled(_) => "Ec2Throttled",
            Self::Ec2Unreachable(_) => "Ec2Unreachable",
            Self::DeadlineReached { .. } => "DeadlineReached",
            Self::InterfaceNotAttached { .. } => "InterfaceNotAttached",
            Self::NotificationNotPublished { .. } => "NotificationNotPublished",
        }
    }
}

/// What a transient error of a read means for the invocation.
pub(crate) fn unreadable(error: CallError) -> Failure {
    if error.meaning == Meaning::Throttled { Failure::Ec2Throttled(error) } else { Failure::Ec2Unreachable(error) }
}
