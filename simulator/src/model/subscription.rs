//! Subscriptions to a topic.

use std::time::Duration;

/// The value in place of the ARN of an unconfirmed subscription ("ListSubscriptions", SNS API Reference).
const PENDING: &str = "PendingConfirmation";

/// The value in place of the ARN of a deleted subscription. Not in the API Reference; seen in public issues
/// (ansible/ansible#20086, xmidt-org/webpa-common#362).
const DELETED: &str = "Deleted";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub topic_arn: String,
    /// `email`, `sqs`, `https` and others.
    pub protocol: String,
    pub endpoint: String,
    pub standing: Standing,
    pub(crate) id: String,
}

/// The state of a subscription. Only a confirmed one receives messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The owner of an email address confirms with the link in an email ("Subscribing an email address to an Amazon SNS
    /// topic", SNS Developer Guide).
    Pending,
    Confirmed,
    /// The subscription was deleted at this time.
    Deleted(Duration),
}

impl Subscription {
    /// `SubscriptionArn`, or `PendingConfirmation`, or `Deleted`.
    pub fn arn(&self) -> String {
        match self.standing {
            Standing::Confirmed => format!("{}:{}", self.topic_arn, self.id),
            Standing::Pending => PENDING.to_owned(),
            Standing::Deleted(_) => DELETED.to_owned(),
        }
    }
}
