//! SNS through the SDK.

use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;

use crate::answers::{call_error, each_page};
use token_failover::model::error::{CallError, Meaning};
use token_failover::model::ids::TopicArn;
use token_failover::model::notification::Notification;
use token_failover::model::readiness::{Standing, Subscription};
use token_failover::ports::Sns;

/// SNS through the SDK, for one topic.
#[derive(Debug, Clone)]
pub struct SdkSns {
    client: Client,
    topic: TopicArn,
}

impl SdkSns {
    /// Publishes to this topic.
    pub fn new(client: Client, topic: TopicArn) -> Self {
        Self { client, topic }
    }
}

/// The meaning of SNS's error codes. Source: SNS API Reference, *Publish*, "Errors".
fn meaning_of(code: &str) -> Meaning {
    match code {
        "AuthorizationError"
        | "AccessDenied"
        | "AccessDeniedException"
        | "InvalidSecurity"
        | "KMSAccessDenied"
        | "KMSAccessDeniedException"
        | "KMSOptInRequired" => Meaning::Denied,
        "Throttled" | "Throttling" | "ThrottlingException" | "KMSThrottling" | "KMSThrottlingException" => {
            Meaning::Throttled
        }
        "InternalError" | "InternalFailure" | "ServiceUnavailable" => Meaning::Unreachable,
        "NotFound" | "NotFoundException" => Meaning::NotFound,
        _ => Meaning::Rejected,
    }
}

fn unbuildable(attribute: &str, error: &str) -> CallError {
    CallError {
        action: "sns:Publish".to_owned(),
        meaning: Meaning::Rejected,
        code: None,
        message: format!("the message attribute {attribute} could not be built: {error}"),
        request_id: None,
    }
}

/// Pages of 100 subscriptions. A topic may have millions, but the subscribers of this topic are people.
const MAX_PAGES: usize = 10;

impl Sns for SdkSns {
    async fn publish(&self, notification: &Notification) -> Result<(), CallError> {
        let mut request = self
            .client
            .publish()
            .topic_arn(self.topic.as_str())
            .subject(&notification.subject)
            .message(&notification.message)
            .message_structure("json");
        for (name, value) in &notification.attributes {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            request = request.message_attributes(*name, value.map_err(|error| unbuildable(name, &error.to_string()))?);
        }
        if let Some(fifo) = &notification.fifo {
            request = request.message_group_id(&fifo.group_id).message_deduplication_id(&fifo.deduplication_id);
        }
        request.send().await.map(drop).map_err(|error| call_error("sns:Publish", error, meaning_of))
    }

    async fn subscriptions(&self) -> Result<Option<Vec<Subscription>>, CallError> {
        const ACTION: &str = "sns:ListSubscriptionsByTopic";
        let pages = self.client.list_subscriptions_by_topic().topic_arn(self.topic.as_str()).into_paginator().send();
        let mut subscriptions = Vec::new();
        let read = each_page(ACTION, MAX_PAGES, pages, meaning_of, |page| {
            subscriptions.extend(page.subscriptions().iter().map(|one| Subscription {
                protocol: one.protocol().unwrap_or_default().to_owned(),
                endpoint: one.endpoint().unwrap_or_default().to_owned(),
                standing: Standing::of_arn(one.subscription_arn().unwrap_or_default()),
            }));
            Ok(())
        });
        match read.await {
            Ok(()) => Ok(Some(subscriptions)),
            Err(error) if error.meaning == Meaning::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}
