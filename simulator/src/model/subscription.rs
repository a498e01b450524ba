//! Who gets the messages of a topic.

use std::time::Duration;

/// What is shown instead of the ARN of a subscription that nobody has confirmed ("ListSubscriptions", SNS API
/// Reference).
const PENDING: &str = "PendingConfirmation";

/// What is shown instead of the ARN of a subscription that was ended. Not in the API Reference; seen in public issues
/// (ansible/ansible#20086, xmidt-org/webpa-common#362).
const DELETED: &str = "Deleted";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub topic_arn: String,
    /// `email`, `sqs`, `https` and the like.
    pub protocol: String,
    pub endpoint: String,
    pub standing: Standing,
    pub(crate) id: String,
}

/// How a subscription stands. Only a confirmed one gets messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// An e-mail is confirmed by following the link in it ("Subscribing an email address to an Amazon SNS topic", SNS
    /// Developer Guide).
    Pending,
    Confirmed,
    /// Somebody has unsubscribed it at this time.
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
