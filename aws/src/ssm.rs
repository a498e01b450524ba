//! Systems Manager through the SDK.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_ssm::Client;
use aws_sdk_ssm::config::retry::RetryConfig;
use aws_sdk_ssm::types as sdk;

use crate::answers::{call_error, contradiction, each_page};
use token_failover::model::command::{Command, CommandState, Output};
use token_failover::model::error::{CallError, Meaning};
use token_failover::model::ids::{CommandId, DocumentName, InstanceId};
use token_failover::ports::Ssm;

/// Systems Manager through the SDK.
#[derive(Debug, Clone)]
pub struct SdkSsm {
    client: Client,
}

impl SdkSsm {
    /// Calls Systems Manager with this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

/// How long a command may wait for the instance's agent, in seconds. By then another run may have moved the interface.
/// Source for the range, from 30: Systems Manager API Reference, *SendCommand*, `TimeoutSeconds`.
const DELIVERY_SECONDS: i32 = 30;

/// The maximum number of agents on a page, and more pages than the members can fill.
/// Source: Systems Manager API Reference, *DescribeInstanceInformation*, `MaxResults`.
const PAGE: i32 = 50;
const MAX_PAGES: usize = 10;

/// The meaning of Systems Manager's error codes. Source: Systems Manager API Reference, "Common Error Types", and the
/// errors of each action.
fn meaning_of(code: &str) -> Meaning {
    match code {
        "AccessDeniedException" | "AccessDenied" | "NotAuthorized" | "OptInRequired" => Meaning::Denied,
        "ThrottlingException" | "Throttling" | "RequestLimitExceeded" => Meaning::Throttled,
        "InternalServerError" | "InternalFailure" | "ServiceUnavailable" => Meaning::Unreachable,
        "InvalidDocument" | "InvocationDoesNotExist" => Meaning::NotFound,
        // The instance does not run, or its agent does not respond.
        "InvalidInstanceId" => Meaning::WrongState,
        _ => Meaning::Rejected,
    }
}

/// The error without a message that may quote the parameters, because an operator may have put a secret in them.
fn without_parameters(error: CallError) -> CallError {
    match error.code.as_deref() {
        Some("InvalidParameters" | "ValidationException") => {
            CallError { message: "the parameters do not fit the document".to_owned(), ..error }
        }
        _ => error,
    }
}

impl Ssm for SdkSsm {
    async fn send_command(&self, command: Command<'_>, instance: &InstanceId) -> Result<CommandId, CallError> {
        const ACTION: &str = "ssm:SendCommand";
        let parameters: HashMap<String, Vec<String>> = command.parameters.clone().into_iter().collect();
        let request = self
            .client
            .send_command()
            .document_name(command.document.as_str())
            .instance_ids(instance.as_str())
            .timeout_seconds(DELIVERY_SECONDS)
            .comment(command.comment);
        let request = if parameters.is_empty() { request } else { request.set_parameters(Some(parameters)) };
        // The caller retries. SendCommand has no client token, so after a lost answer a retry of the SDK would send a
        // second command.
        let request = request
            .customize()
            .config_override(aws_sdk_ssm::config::Builder::new().retry_config(RetryConfig::disabled()));
        let answer = request.send().await.map_err(|error| without_parameters(call_error(ACTION, error, meaning_of)))?;
        let command = answer.command().and_then(sdk::Command::command_id).filter(|id| !id.is_empty());
        command.map(CommandId::new).ok_or_else(|| contradiction(ACTION, "the answer has no CommandId".to_owned(), None))
    }

    async fn command(&self, command: &CommandId, instance: &InstanceId) -> Result<Option<CommandState>, CallError> {
        const ACTION: &str = "ssm:GetCommandInvocation";
        let request = self.client.get_command_invocation().command_id(command.as_str()).instance_id(instance.as_str());
        let answer = match request.send().await.map_err(|error| call_error(ACTION, error, meaning_of)) {
            Ok(answer) => answer,
            Err(error) if error.meaning == Meaning::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let status = answer.status();
        let details = answer.status_details().filter(|details| !details.is_empty());
        let word = details.or(status.map(sdk::CommandInvocationStatus::as_str)).unwrap_or("unknown");
        let succeeded = match status {
            Some(sdk::CommandInvocationStatus::Success) => Some(true),
            Some(
                sdk::CommandInvocationStatus::Cancelled
                | sdk::CommandInvocationStatus::Failed
                | sdk::CommandInvocationStatus::TimedOut,
            ) => Some(false),
            _ => None,
        };
        // A script that never began, or that was stopped, has no exit code of its own.
        let has_ended =
            matches!(status, Some(sdk::CommandInvocationStatus::Success | sdk::CommandInvocationStatus::Failed));
        let exit_code = Some(answer.response_code()).filter(|code| has_ended && *code >= 0);
        let output = Output::new(answer.standard_output_content().unwrap_or_default());
        Ok(Some(CommandState { succeeded, status: word.to_owned(), exit_code, output }))
    }

    async fn has_document(&self, name: &DocumentName) -> Result<bool, CallError> {
        const ACTION: &str = "ssm:DescribeDocument";
        let answer = self.client.describe_document().name(name.as_str()).send().await;
        match answer.map_err(|error| call_error(ACTION, error, meaning_of)) {
            Ok(answer) => {
                let can_be_run = |document: &sdk::DocumentDescription| {
                    document.status() == Some(&sdk::DocumentStatus::Active)
                        && document.document_type() == Some(&sdk::DocumentType::Command)
                };
                Ok(answer.document().is_some_and(can_be_run))
            }
            Err(error) if error.meaning == Meaning::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn reachable_agents(&self, instances: &BTreeSet<InstanceId>) -> Result<BTreeSet<InstanceId>, CallError> {
        const ACTION: &str = "ssm:DescribeInstanceInformation";
        if instances.is_empty() {
            return Ok(BTreeSet::new());
        }
        let ids = instances.iter().map(ToString::to_string).collect();
        let filter = sdk::InstanceInformationStringFilter::builder().key("InstanceIds").set_values(Some(ids)).build();
        let filter =
            filter.map_err(|error| contradiction(ACTION, format!("the filter cannot be built: {error}"), None))?;
        let request = self.client.describe_instance_information().filters(filter).max_results(PAGE);
        let pages = request.into_paginator().send();
        let mut reachable = BTreeSet::new();
        each_page(ACTION, MAX_PAGES, pages, meaning_of, |page| {
            let online = page
                .instance_information_list()
                .iter()
                .filter(|one| one.ping_status() == Some(&sdk::PingStatus::Online));
            // A machine outside of EC2 has an id of another form and is not a member.
            reachable.extend(online.filter_map(|one| one.instance_id()?.parse::<InstanceId>().ok()));
            Ok(())
        })
        .await?;
        Ok(reachable)
    }
}
