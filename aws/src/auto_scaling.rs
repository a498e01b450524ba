//! EC2 Auto Scaling through the SDK.

use std::collections::BTreeMap;

use aws_sdk_autoscaling::Client;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::operation::RequestId;
use token_failover::model::error::{CallError, Meaning};
use token_failover::model::ids::InstanceId;
use token_failover::model::observation::LifecycleState;
use token_failover::ports::AutoScaling;

use crate::answers::{call_error, contradiction, each_page};
use crate::ec2::SdkEc2;

/// The maximum number of instances on a page, and more pages than the members can fill.
/// Source: EC2 Auto Scaling API Reference, *DescribeAutoScalingInstances*, `MaxRecords`.
const PAGE: i32 = 50;
const MAX_PAGES: usize = 10;

/// The transition of the hooks that keep an instance before its termination.
const TERMINATING: &str = "autoscaling:EC2_INSTANCE_TERMINATING";

fn failed<E>(action: &'static str) -> impl FnOnce(SdkError<E>) -> CallError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    move |error| call_error(action, error, Meaning::of_query_code)
}

impl AutoScaling for SdkEc2 {
    async fn lifecycle_states(
        &self,
        instances: &[InstanceId],
    ) -> Result<BTreeMap<InstanceId, LifecycleState>, CallError> {
        const ACTION: &str = "autoscaling:DescribeAutoScalingInstances";
        let client: &Client = &self.auto_scaling;
        let ids = instances.iter().map(ToString::to_string).collect();
        let request = client.describe_auto_scaling_instances().set_instance_ids(Some(ids)).max_records(PAGE);
        let mut states = BTreeMap::new();
        let pages = request.into_paginator().send();
        each_page(ACTION, MAX_PAGES, pages, Meaning::of_query_code, |page| {
            let flawed = |flaw: String| contradiction(ACTION, flaw, page.request_id());
            for one in page.auto_scaling_instances() {
                let id = one.instance_id().unwrap_or_default();
                let id: InstanceId = id.parse().map_err(|error| flawed(format!("instanceId: {error}")))?;
                let state = one.lifecycle_state().filter(|state| !state.is_empty());
                let state = state.ok_or_else(|| flawed(format!("{id} has no lifecycleState")))?;
                if !instances.contains(&id) {
                    return Err(flawed(format!("{id} was answered and not asked for")));
                }
                if states.insert(id.clone(), LifecycleState::new(state)).is_some() {
                    return Err(flawed(format!("{id} was answered twice")));
                }
            }
            Ok(())
        })
        .await?;
        Ok(states)
    }

    async fn termination_hooks(&self, group: &str) -> Result<Vec<String>, CallError> {
        const ACTION: &str = "autoscaling:DescribeLifecycleHooks";
        let client: &Client = &self.auto_scaling;
        let answer = client.describe_lifecycle_hooks().auto_scaling_group_name(group).send().await;
        let answer = match answer.map_err(failed(ACTION)) {
            Err(error) if error.meaning == Meaning::NotFound => return Ok(Vec::new()),
            answer => answer?,
        };
        let hooks = answer.lifecycle_hooks().iter();
        let hooks = hooks.filter(|hook| hook.lifecycle_transition() == Some(TERMINATING));
        Ok(hooks.filter_map(|hook| hook.lifecycle_hook_name()).map(str::to_owned).collect())
    }

    async fn complete_termination(&self, group: &str, hook: &str, instance: &InstanceId) -> Result<bool, CallError> {
        const ACTION: &str = "autoscaling:CompleteLifecycleAction";
        let client: &Client = &self.auto_scaling;
        let request = client.complete_lifecycle_action().auto_scaling_group_name(group);
        let request = request.lifecycle_hook_name(hook).instance_id(instance.as_str());
        let answer = request.lifecycle_action_result("CONTINUE").send().await;
        match answer.map_err(failed(ACTION)) {
            Ok(_) => Ok(true),
            Err(error) if error.meaning == Meaning::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}
