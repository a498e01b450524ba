//! Cruelty: what can happen to a call besides being answered.

use std::{borrow::Cow, time::Duration};

use crate::{
    model::ApiError,
    world::{Parameters, Service},
};

/// A call as it comes in, before anything has happened to it.
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

/// What happens to a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Disruption {
    /// It is answered as it should be.
    #[default]
    None,
    /// The caller may not do this: `UnauthorizedOperation`, `AuthorizationError` of SNS, or `AccessDeniedException` of
    /// Systems Manager.
    Deny,
    /// Too many calls: `RequestLimitExceeded`, `Throttling` of SNS, or `ThrottlingException` of Systems Manager.
    Throttle,
    /// An error that the service has of its own.
    Error { status: u16, code: String, message: String },
    /// The connection dies before the call takes effect.
    DropBefore,
    /// The lost answer: the call takes effect, then the connection dies.
    DropAfter,
    /// The connection dies, and the call takes effect that much later, when its caller has long stopped waiting.
    Late(Duration),
    /// The call takes no effect, and no answer ever comes.
    Hang,
    /// The call takes effect in time, but the answer comes that much later.
    Slow(Duration),
    /// The call takes no effect, and is answered with status 200 and a body that is neither XML nor
    /// JSON.
    Nonsense,
    /// A read is answered from the world as it was that long ago ("Eventual consistency in the Amazon EC2 API").
    /// Changes are answered as always, and so are SNS and Systems Manager's documents and commands.
    Stale(Duration),
    /// A read is answered as if no instance and no interface existed, and the next one as it should be: at times EC2
    /// does not find for a moment what is there ("Eventual consistency in the Amazon EC2 API"). Changes are answered as
    /// always, and so are SNS and Systems Manager's documents and commands.
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

    /// The refusal that the disruption amounts to, if it is one.
    pub(crate) fn refusal(&self, account: &str, call: &CallInfo) -> Option<ApiError> {
        match (self, call.service) {
            (Self::Deny, Service::Ec2) => Some(ApiError::unauthorized(account, &call.action)),
            (Self::Deny, Service::Sns) => Some(ApiError::sns_unauthorized(account, &call.action)),
            (Self::Deny, Service::Ssm) => Some(ApiError::ssm_unauthorized(account, &call.action)),
            (Self::Throttle, Service::Ec2) => Some(ApiError::throttled()),
            (Self::Throttle, Service::Sns) => Some(ApiError::sns_throttled()),
            (Self::Throttle, Service::Ssm) => Some(ApiError::ssm_throttled()),
            (Self::Error { status, code, message }, _) => Some(ApiError::new(*status, code.clone(), message.clone())),
            _ => None,
        }
    }
}
