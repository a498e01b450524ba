//! A call that did not succeed, and what EC2's error codes mean.
//!
//! The function sorts errors by code and never by message, because AWS documents the codes, and the messages change.

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
    /// The service's error code; `None`: no answer came.
    pub code: Option<String>,
    /// The service's message, or what went wrong on the way to the service.
    pub message: String,
    /// The service's request id, for a support case.
    pub request_id: Option<String>,
}

impl CallError {
    /// The error of a request that the service accepted and that had no effect.
    pub(crate) fn gave_up(action: &str, message: String) -> Self {
        Self { action: action.to_owned(), meaning: Meaning::Rejected, code: None, message, request_id: None }
    }

    /// Whether the same call may succeed later without a change by an operator.
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
    /// EC2 throttled the calls, and the SDK's retries are used up.
    Throttled,
    /// No usable answer came: no connection, a timeout, or a server error. The call may have taken effect.
    Unreachable,
    /// The attachment does not exist, so the interface has left it already.
    AlreadyDetached,
    /// The interface is attached somewhere. Look again: it may be in the right place.
    InUse,
    /// The resource is in a state that does not allow the call now, and may soon be in another one.
    WrongState,
    /// EC2 never allows this, as for a primary interface.
    NotPermitted,
    /// The instance cannot take the interface: it is in the wrong zone, the device index is taken, or it has no room.
    DoesNotFit,
    /// The resource does not exist.
    NotFound,
    /// There is no capacity to start the instance.
    NoCapacity,
    /// The Elastic IP has been associated with something else in the meantime.
    AlreadyAssociated,
    /// The resource already is as requested.
    Duplicate,
    /// The answer contradicts the request, such as two results where one is due.
    Contradiction,
    /// Anything else. Another try does not help.
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
            // EC2 documents InvalidParameterValue both for an interface in use and for a device index that is taken.
            // The caller has to look at the interface to tell them apart.
            "InvalidParameterCombination" | "InvalidParameterValue" | "AttachmentLimitExceeded" => Self::DoesNotFit,
            "InsufficientInstanceCapacity" | "InsufficientCapacity" => Self::NoCapacity,
            "Resource.AlreadyAssociated" => Self::AlreadyAssociated,
            "InvalidPermission.Duplicate" => Self::Duplicate,
            code if code.ends_with(".NotFound") => Self::NotFound,
            _ => Self::Rejected,
        }
    }

    /// The meaning of an error code of EC2 Auto Scaling and of CloudFormation, which answer a name that does not exist with
    /// `ValidationError`. Auto Scaling also says so of an action that nothing waits for.
    /// Source: "Common Error Types" in the API reference of each service, and the errors of each action.
    pub fn of_query_code(code: &str) -> Self {
        match code {
            "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "OptInRequired" => Self::Denied,
            "Throttling" | "ThrottlingException" | "RequestLimitExceeded" | "ResourceContention" => Self::Throttled,
            "InternalFailure" | "InternalError" | "ServiceUnavailable" => Self::Unreachable,
            "ValidationError" => Self::NotFound,
            _ => Self::Rejected,
        }
    }
}
