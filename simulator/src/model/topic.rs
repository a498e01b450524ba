//! SNS topics and the messages that were published to them.

use std::{collections::BTreeMap, time::Duration};

use super::subscription::Subscription;

/// All topics, and all published messages in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Topics {
    pub(crate) by_arn: BTreeMap<String, Topic>,
    pub(crate) messages: Vec<Message>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Topic {
    pub(crate) content_based_deduplication: bool,
    /// The key of an encrypted topic.
    pub(crate) kms_master_key_id: Option<String>,
    pub(crate) subscriptions: Vec<Subscription>,
}

/// A message as subscribers receive it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub id: String,
    pub published_at: Duration,
    pub topic_arn: String,
    pub subject: Option<String>,
    pub message: String,
    pub structure: Option<String>,
    pub attributes: BTreeMap<String, MessageAttribute>,
    pub group_id: Option<String>,
    pub deduplication_id: Option<String>,
    /// For FIFO topics.
    pub sequence_number: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageAttribute {
    pub data_type: String,
    /// The string, or a binary value in Base64.
    pub value: String,
}

impl Topics {
    pub(crate) fn add(&mut self, arn: &str, kms_master_key_id: Option<String>) {
        self.by_arn.entry(arn.to_owned()).or_default().kms_master_key_id = kms_master_key_id;
    }

    pub(crate) fn get(&self, arn: &str) -> Option<&Topic> {
        self.by_arn.get(arn)
    }

    pub(crate) fn get_mut(&mut self, arn: &str) -> Option<&mut Topic> {
        self.by_arn.get_mut(arn)
    }

    pub(crate) fn remove(&mut self, arn: &str) {
        self.by_arn.remove(arn);
    }

    pub(crate) fn messages(&self) -> &[Message] {
        &self.messages
    }
}
