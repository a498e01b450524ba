//! What only the operator's command calls: it reads the stack, and stops an instance with the operator's own permission. The
//! function has neither.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::config::ProvideCredentials;
use chrono::{DateTime, Utc};
use token_failover::model::error::{CallError, Meaning};
use token_failover::model::ids::InstanceId;

use crate::answers::call_error;
use crate::ec2::{SdkEc2, failed, permitted};

/// The IAM action.
const STOP: &str = "ec2:StopInstances";

/// A stack of CloudFormation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// Its status, such as `UPDATE_COMPLETE`.
    pub status: String,
    /// Its parameters, by their names.
    pub parameters: BTreeMap<String, String>,
    /// Its outputs, by their names.
    pub outputs: BTreeMap<String, String>,
}

/// The stack with this name; `None` if it does not exist.
///
/// # Errors
///
/// If CloudFormation does not answer.
pub async fn stack(sdk: &SdkConfig, name: &str) -> Result<Option<Stack>, CallError> {
    let answer = Client::new(sdk).describe_stacks().stack_name(name).send().await;
    let answer = answer.map_err(|error| call_error("cloudformation:DescribeStacks", error, Meaning::of_query_code));
    let answer = match answer {
        // CloudFormation has no other code for it. Source: CloudFormation API Reference, *DescribeStacks*.
        Err(error) if error.meaning == Meaning::NotFound => return Ok(None),
        answer => answer?,
    };
    let named =
        |name: Option<&str>, value: Option<&str>| Some((name?.to_owned(), value.unwrap_or_default().to_owned()));
    Ok(answer.stacks().first().map(|stack| {
        let parameters = stack.parameters().iter();
        let outputs = stack.outputs().iter();
        Stack {
            status: stack.stack_status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
            parameters: parameters.filter_map(|one| named(one.parameter_key(), one.parameter_value())).collect(),
            outputs: outputs.filter_map(|one| named(one.output_key(), one.output_value())).collect(),
        }
    }))
}

/// When the credentials that the next call would use expire; `None`: never, as far as the SDK knows, or there are none.
pub async fn credentials_expire_at(sdk: &SdkConfig) -> Option<DateTime<Utc>> {
    sdk.credentials_provider()?.provide_credentials().await.ok()?.expiry().map(DateTime::from)
}

impl SdkEc2 {
    /// Asks EC2 to stop an instance. EC2 answers while the instance is still stopping.
    ///
    /// # Errors
    ///
    /// If EC2 refuses or does not answer.
    pub async fn stop(&self, instance: &InstanceId) -> Result<(), CallError> {
        let request = self.client.stop_instances().instance_ids(instance.as_str());
        request.send().await.map(drop).map_err(failed(STOP))
    }

    /// Asks EC2 with `DryRun` if the credentials allow to stop this instance. Changes nothing.
    ///
    /// # Errors
    ///
    /// If they do not, or if EC2 does not answer.
    pub async fn may_stop(&self, instance: &InstanceId) -> Result<(), CallError> {
        let request = self.client.stop_instances().instance_ids(instance.as_str()).dry_run(true);
        permitted(request.send().await.map(drop).map_err(failed(STOP)))
    }
}
