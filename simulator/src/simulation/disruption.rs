//! Disruptions of calls.

use std::{borrow::Cow, time::Duration};

use crate::{
    model::ApiError,
    world::{Parameters, Service},
};

/// A call as it arrives.
#[derive(Debug, Clone)]
pub struct CallInfo {
    /// Counts all calls, from 1.
    pub sequence: u64,
    pub service: Service,
    pub action: Cow<'static, str>,
    /// Counts the calls of this action, from 1.
    pub nth: u64,
    pub now: Duration,
    pub dry_run: bool,
    pub parameters: Parameters,
}

/// The fate of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Disruption {
    /// The call is answered normally.
    #[default]
    None,
    /// The caller may not do this: `UnauthorizedOperation`, `AuthorizationError` of SNS, `AccessDeniedException` of
    /// Systems Manager, or `AccessDenied` of Auto Scaling and CloudFormation.
    Deny,
    /// Too many calls: `RequestLimitExceeded`, `Throttling` of SNS, Auto Scaling and CloudFormation, or `ThrottlingException` of Systems
    /// Manager.
    Throttle,
    /// An error of the service.
    Error { status: u16, code: String, message: String },
    /// The connection closes before the call takes effect.
    DropBefore,
    /// A lost answer: the call takes effect, then the connection closes.
    DropAfter,
    /// The connection closes, and the call takes effect after this time, when its caller no longer waits.
    Late(Duration),
    /// The call takes no effect, and no answer ever comes.
    Hang,
    /// The call takes effect in time, but the answer arrives this much later.
    Slow(Duration),
    /// The call takes no effect, and is answered with status 200 and a body that is neither XML nor
    /// JSON.
    Nonsense,
    /// A read returns the world of this long ago ("Eventual consistency in the Amazon EC2 API"). Changes are answered
    /// normally, and so are SNS and the documents and commands of Systems Manager.
    Stale(Duration),
    /// A read of EC2 finds no instance and no interface, and the next one is normal: EC2 sometimes does not find an existing
    /// resource for a moment ("Eventual consistency in the Amazon EC2 API"). Changes are answered normally, and so are
    /// SNS and the documents and commands of Systems Manager.
    Forgotten,
}

impl Disruption {
    pub fn error(status: u16, code: &str) -> Self {
        Self::Error { status, code: code.to_owned(), message: "Simulated.".to_owned() }
    }

    /// The service's internal error, 500.
    pub fn internal_error() -> Self {
        Self::error(500, "InternalError")
    }

    /// The refusal, if the disruption is one.
    pub(crate) fn refusal(&self, account: &str, call: &CallInfo) -> Option<ApiError> {
        match (self, call.service) {
            (Self::Deny, Service::Ec2) => Some(ApiError::unauthorized(account, &call.action)),
            (Self::Deny, Service::Sns) => Some(ApiError::sns_unauthorized(account, &call.action)),
            (Self::Deny, Service::Ssm) => Some(ApiError::ssm_unauthorized(account, &call.action)),
            (Self::Deny, service @ (Service::AutoScaling | Service::CloudFormation)) => {
                Some(ApiError::access_denied(account, &service.to_string(), &call.action))
            }
            (Self::Throttle, Service::Ec2) => Some(ApiError::throttled()),
            (Self::Throttle, Service::Sns | Service::AutoScaling | Service::CloudFormation) => {
                Some(ApiError::throttling())
            }
            (Self::Throttle, Service::Ssm) => Some(ApiError::ssm_throttled()),
            (Self::Error { status, code, message }, _) => Some(ApiError::new(*status, code.clone(), message.clone())),
            _ => None,
        }
    }
}
