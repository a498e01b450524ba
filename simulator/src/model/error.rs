//! Refusals of EC2, SNS, Systems Manager, Auto Scaling and CloudFormation.

use std::borrow::Cow;

/// A refusal as it goes over the wire: HTTP status, code and message.
///
/// Codes and their statuses: "Error codes for the Amazon EC2 API",
/// <https://docs.aws.amazon.com/ec2/latest/devguide/errors-overview.html>. Clients must match on codes only: the
/// messages imitate those seen in public issues and have no contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    pub status: u16,
    pub code: Cow<'static, str>,
    pub message: String,
}

impl ApiError {
    pub fn new(status: u16, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into() }
    }

    /// A mistake of the client: "accompanied by a 400-series HTTP response code".
    pub(crate) fn client(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    pub(crate) fn missing_parameter(name: &str) -> Self {
        Self::client("MissingParameter", format!("The request must contain the parameter {name}"))
    }

    pub(crate) fn invalid_value(message: impl Into<String>) -> Self {
        Self::client("InvalidParameterValue", message)
    }

    pub(crate) fn invalid_combination(message: impl Into<String>) -> Self {
        Self::client("InvalidParameterCombination", message)
    }

    pub(crate) fn incorrect_instance_state(message: impl Into<String>) -> Self {
        Self::client("IncorrectInstanceState", message)
    }

    /// SNS's code for every malformed argument of Publish (service model `sns`, `InvalidParameterException`).
    pub(crate) fn invalid_parameter(message: impl Into<String>) -> Self {
        Self::client("InvalidParameter", format!("Invalid parameter: {}", message.into()))
    }

    /// The answer to a permitted dry run: an error that means success.
    ///
    /// Assumed: the status 412, seen in other emulators only.
    pub(crate) fn dry_run() -> Self {
        Self::new(412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
    }

    /// Assumed: the status 403 of `UnauthorizedOperation`.
    pub(crate) fn unauthorized(account: &str, action: &str) -> Self {
        Self::new(
            403,
            "UnauthorizedOperation",
            format!("You are not authorized to perform this operation. {}", denied(account, "ec2", action)),
        )
    }

    /// `AuthorizationErrorException` of the SNS service model: 403.
    pub(crate) fn sns_unauthorized(account: &str, action: &str) -> Self {
        Self::new(403, "AuthorizationError", denied(account, "SNS", action))
    }

    /// EC2's throttle: `RequestLimitExceeded`, 503 ("Request throttling for the Amazon EC2 API").
    pub(crate) fn throttled() -> Self {
        Self::new(503, "RequestLimitExceeded", "Request limit exceeded.")
    }

    /// `AccessDeniedException`, 400 ("Common Error Types", Systems Manager API Reference). The message does not name a
    /// resource.
    pub(crate) fn ssm_unauthorized(account: &str, action: &str) -> Self {
        Self::client("AccessDeniedException", denied(account, "ssm", action))
    }

    /// `ThrottlingException`, 400 ("Common Error Types", Systems Manager API Reference).
    pub(crate) fn ssm_throttled() -> Self {
        Self::client("ThrottlingException", "Rate exceeded")
    }

    /// `AccessDenied` of Auto Scaling and CloudFormation: 403, as people report it.
    pub(crate) fn access_denied(account: &str, service: &str, action: &str) -> Self {
        Self::new(403, "AccessDenied", denied(account, service, action))
    }

    /// `Throttling` of SNS, Auto Scaling and CloudFormation: 400, as people report it.
    pub(crate) fn throttling() -> Self {
        Self::client("Throttling", "Rate exceeded")
    }

    /// Auto Scaling's code for every mistake of the client that has no code of its own ("Common Errors", Amazon EC2 Auto
    /// Scaling API Reference): 400.
    pub(crate) fn auto_scaling_validation(message: impl Into<String>) -> Self {
        Self::client("ValidationError", message)
    }

    /// A value that violates a constraint of the service model.
    pub(crate) fn auto_scaling_constraint(member: &str, constraint: &str) -> Self {
        Self::auto_scaling_validation(violation(member, constraint))
    }

    /// The message is from public issues (kubernetes-sigs/cluster-api-provider-aws).
    pub(crate) fn no_such_group(name: &str) -> Self {
        Self::auto_scaling_validation(format!("AutoScalingGroup name not found - AutoScalingGroup {name} not found"))
    }

    /// CloudFormation's answer about a stack that does not exist: 400. The message is from public issues (aws/aws-sdk-js).
    pub(crate) fn no_such_stack(name: &str) -> Self {
        Self::client("ValidationError", format!("Stack with id {name} does not exist"))
    }

    /// An input that violates a constraint of the service model: `ValidationException`, 400 ("Common Error Types",
    /// Systems Manager API Reference).
    pub(crate) fn validation(member: &str, constraint: &str) -> Self {
        Self::client("ValidationException", violation(member, constraint))
    }
}

/// What IAM says of a call that no policy allows. EC2 puts a sentence before it.
fn denied(account: &str, service: &str, action: &str) -> String {
    format!(
        "User: arn:aws:sts::{account}:assumed-role/simulated/simulated is not authorized to perform: \
         {service}:{action} because no identity-based policy allows the {service}:{action} action"
    )
}

/// What a service says of a value that violates a constraint of its model.
fn violation(member: &str, constraint: &str) -> String {
    format!("1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must {constraint}")
}
