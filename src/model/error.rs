//! A call that did not succeed, and what EC2's error codes mean.
//!
//! Errors are sorted by code and never by message, because the codes are documented and the messages change.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A call that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub struct CallError {
    /// The IAM action of the call, such as `ec2:AttachNetworkInterface`.
    pub action: String,
    /// What the failure means.
    pub meaning: Meaning,
    /// The service's error code, where there was an answer.
    pub code: Option<String>,
    /// The service's message, or what went wrong on the way.
    pub message: String,
    /// The service's request id, for a support case.
    pub request_id: Option<String>,
}

impl CallError {
    /// The error of something that was accepted and then did not come about.
    pub(crate) fn gave_up(action: &str, message: String) -> Self {
        Self { action: action.to_owned(), meaning: Meaning::Rejected, code: None, message, request_id: None }
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self.meaning, Meaning::Throttled | Meaning::Unreachable)
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.action)?;
        if let Some(code) = &self.code {
            write!(f, "{code}: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(request_id) = &self.request_id {
            write!(f, " (request {request_id})")?;
        }
        Ok(())
    }
}

/// What an error means for a failover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Meaning {
    /// The role does not allow the action.
    Denied,
    /// Too many calls; the SDK's retries were used up.
    Throttled,
    /// No usable answer came: no connection, a time-out, a server error. The call may have taken effect.
    Unreachable,
    /// The attachment does not exist: whatever was to be detached is detached.
    AlreadyDetached,
    /// The interface is attached somewhere. Look again: it may be where it should be.
    InUse,
    /// The resource is in a state in which this cannot be done now, but soon may be.
    WrongState,
    /// EC2 never allows this, as for a primary interface.
    NotPermitted,
    /// The instance cannot take the interface: wrong zone, index taken, no room.
    DoesNotFit,
    /// The resource does not exist.
    NotFound,
    /// There is no capacity to start the instance.
    NoCapacity,
    /// The Elastic IP was given to somebody else in the meantime.
    AlreadyAssociated,
    /// It is so already.
    Duplicate,
    /// The answer contradicts the question, such as two answers where one is due.
    Contradiction,
    /// Anything else. Trying again does not help.
    Rejected,
}

impl Meaning {
    /// The meaning of an error code of EC2.
    /// Source: "Error codes for the Amazon EC2 API".
    pub fn of_ec2_code(code: &str) -> Self {
        match code {
            "UnauthorizedOperation" | "AuthFailure" | "AccessDenied" => Self::Denied,
            "RequestLimitExceeded" | "Throttling" | "ThrottlingException" | "EC2ThrottledException" => Self::Throttled,
            "InternalError" | "InternalFailure" | "Unavailable" | "ServiceUnavailable" | "RequestTimeout" => {
                Self::Unreachable
            }
            "InvalidAttachmentID.NotFound" => Self::AlreadyDetached,
            "InvalidNetworkInterface.InUse" => Self::InUse,
            "IncorrectState" | "IncorrectInstanceState" | "InvalidState" => Self::WrongState,
            "OperationNotPermitted" => Self::NotPermitted,
            // EC2 documents InvalidParameterValue both for an interface in use and for a device index that is taken, so
            // whoever meets it has to look at the interface to tell them apart.
            "InvalidParameterCombination" | "InvalidParameterValue" | "AttachmentLimitExceeded" => Self::DoesNotFit,
            "InsufficientInstanceCapacity" | "InsufficientCapacity" => Self::NoCapacity,
            "Resource.AlreadyAssociated" => Self::AlreadyAssociated,
            "InvalidPermission.Duplicate" => Self::Duplicate,
            code if code.ends_with(".NotFound") => Self::NotFound,
            _ => Self::Rejected,
        }
    }
}
