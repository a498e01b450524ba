//! Auto Scaling's Query protocol, API version 2011-01-01. Names are those of the service model.

use super::{form::Form, query, xml::Xml};
use crate::{
    model::{ApiError, LifecycleHook, LifecycleResult},
    world::{
        Answer, AutoScalingInstance, CompleteLifecycleAction, DescribeAutoScalingInstances, DescribeLifecycleHooks,
        LifecycleHookView, Request,
    },
};

pub(crate) const VERSION: &str = "2011-01-01";
const NAMESPACE: &str = "http://autoscaling.amazonaws.com/doc/2011-01-01/";

pub(crate) fn has_action(action: &str) -> bool {
    matches!(action, "DescribeAutoScalingInstances" | "DescribeLifecycleHooks" | "CompleteLifecycleAction")
}

pub(crate) fn request(action: &str, form: &mut Form) -> Result<Request, ApiError> {
    Ok(match action {
        "DescribeAutoScalingInstances" => DescribeAutoScalingInstances {
            instance_ids: form.take_list("InstanceIds.member"),
            max_records: form
                .take_parsed("MaxRecords")
                .map_err(|_| ApiError::client("MalformedInput", "MaxRecords is not a number"))?,
            next_token: form.take("NextToken"),
        }
        .into(),
        "DescribeLifecycleHooks" => DescribeLifecycleHooks {
            auto_scaling_group_name: require(form, "AutoScalingGroupName", "autoScalingGroupName")?,
            lifecycle_hook_names: form.take_list("LifecycleHookNames.member"),
        }
        .into(),
        "CompleteLifecycleAction" => CompleteLifecycleAction {
            auto_scaling_group_name: require(form, "AutoScalingGroupName", "autoScalingGroupName")?,
            lifecycle_hook_name: require(form, "LifecycleHookName", "lifecycleHookName")?,
            lifecycle_action_token: form.take("LifecycleActionToken"),
            instance_id: form.take("InstanceId"),
            lifecycle_action_result: {
                let name = require(form, "LifecycleActionResult", "lifecycleActionResult")?;
                LifecycleResult::parse(&name).ok_or_else(|| {
                    ApiError::auto_scaling_validation("LifecycleActionResult must be either CONTINUE or ABANDON.")
                })?
            },
        }
        .into(),
        _ => {
            let message = format!("Could not find operation {action} for version {VERSION}");
            return Err(ApiError::client("InvalidAction", message));
        }
    })
}

/// A required parameter, and its name in messages.
fn require(form: &mut Form, name: &str, member: &str) -> Result<String, ApiError> {
    match form.take(name) {
        Some(value) if !value.is_empty() => Ok(value),
        Some(_) => Err(ApiError::auto_scaling_constraint(member, "have length greater than or equal to 1")),
        None => Err(ApiError::auto_scaling_constraint(member, "not be null")),
    }
}

pub(crate) fn answer(answer: &Answer, request_id: &str) -> Vec<u8> {
    let document =
        |action: &str, result: &dyn Fn(&mut Xml)| query::document(NAMESPACE, action, request_id, |xml| result(xml));
    match answer {
        Answer::DescribeAutoScalingInstances(page) => document("DescribeAutoScalingInstances", &|xml| {
            query::members(xml, "AutoScalingInstances", &page.items, instance);
            xml.text_if_any("NextToken", page.next_token.as_ref());
        }),
        Answer::DescribeLifecycleHooks(hooks) => {
            document("DescribeLifecycleHooks", &|xml| query::members(xml, "LifecycleHooks", hooks, hook))
        }
        Answer::CompleteLifecycleAction(()) => document("CompleteLifecycleAction", &|_| {}),
        // Auto Scaling has only the requests above, and every request has an answer of its own name.
        _ => Vec::new(),
    }
}

pub(crate) fn error(error: &ApiError, request_id: &str) -> Vec<u8> {
    query::error(NAMESPACE, error, request_id)
}

fn instance(xml: &mut Xml, instance: &AutoScalingInstance) {
    xml.text("InstanceId", &instance.instance_id);
    xml.text("InstanceType", &instance.instance_type);
    xml.text("AutoScalingGroupName", &instance.auto_scaling_group_name);
    xml.text("AvailabilityZone", &instance.availability_zone);
    xml.text("LifecycleState", instance.lifecycle_state.name());
    xml.text("HealthStatus", instance.health_status.name());
    xml.element("LaunchTemplate", |xml| {
        xml.text("LaunchTemplateId", &instance.launch_template_id);
        xml.text("LaunchTemplateName", &instance.launch_template_name);
        xml.text("Version", instance.launch_template_version);
    });
    xml.text("ProtectedFromScaleIn", false);
}

fn hook(xml: &mut Xml, view: &LifecycleHookView) {
    let hook = &view.hook;
    xml.text("LifecycleHookName", &hook.name);
    xml.text("AutoScalingGroupName", &view.auto_scaling_group_name);
    xml.text("LifecycleTransition", LifecycleHook::TRANSITION);
    xml.text_if_any("NotificationMetadata", hook.notification_metadata.as_ref());
    xml.text("HeartbeatTimeout", hook.heartbeat_timeout.as_secs());
    xml.text("GlobalTimeout", hook.global_timeout().as_secs());
    xml.text("DefaultResult", hook.default_result.name());
}
