//! Events that AWS services send to EventBridge.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{auto_scaling::LifecycleHook, home::Home, instance::InstanceState};

/// An event of EventBridge.
#[derive(Debug, Clone)]
pub struct Event {
    pub id: String,
    /// The time at which the service sent it.
    pub at: Duration,
    pub kind: EventKind,
    pub(crate) home: Arc<Home>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// *EC2 Instance State-change Notification* ("State change events for your instances", EC2 User Guide).
    InstanceState { instance_id: String, state: InstanceState },
    /// *EC2 Instance-terminate Lifecycle Action* ("Amazon EC2 Auto Scaling event reference", Amazon EC2 Auto Scaling
    /// User Guide).
    TerminateLifecycleAction {
        group_arn: String,
        group_name: String,
        hook: String,
        token: String,
        instance_id: String,
        notification_metadata: Option<String>,
    },
}

impl Event {
    /// The document as a target of a rule receives it.
    pub fn document(&self) -> Value {
        let Home { account, region, .. } = &*self.home;
        let (source, detail_type, resource, detail) = match &self.kind {
            EventKind::InstanceState { instance_id, state } => (
                "aws.ec2",
                "EC2 Instance State-change Notification",
                format!("arn:aws:ec2:{region}:{account}:instance/{instance_id}"),
                json!({"instance-id": instance_id, "state": state.name()}),
            ),
            EventKind::TerminateLifecycleAction {
                group_arn,
                group_name,
                hook,
                token,
                instance_id,
                notification_metadata,
            } => {
                let mut detail = json!({
                    "LifecycleActionToken": token,
                    "AutoScalingGroupName": group_name,
                    "LifecycleHookName": hook,
                    "EC2InstanceId": instance_id,
                    "LifecycleTransition": LifecycleHook::TRANSITION,
                    "Origin": "AutoScalingGroup",
                    "Destination": "EC2",
                });
                if let Some(metadata) = notification_metadata {
                    detail["NotificationMetadata"] = json!(metadata);
                }
                ("aws.autoscaling", "EC2 Instance-terminate Lifecycle Action", group_arn.clone(), detail)
            }
        };
        json!({
            "version": "0",
            "id": self.id,
            "detail-type": detail_type,
            "source": source,
            "account": account,
            "time": self.home.time(self.at).format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "region": region,
            "resources": [resource],
            "detail": detail,
        })
    }
}
