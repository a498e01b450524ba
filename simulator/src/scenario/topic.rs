//! Topics of a scenario.

use crate::world::World;

/// A topic of a [`Scenario`](super::Scenario).
#[derive(Debug, Clone)]
pub struct TopicSpec {
    pub(super) arn: String,
    kms_master_key_id: Option<String>,
    /// Protocol, endpoint, and whether it is confirmed.
    subscriptions: Vec<(String, String, bool)>,
}

impl TopicSpec {
    pub(super) fn new(arn: &str) -> Self {
        Self { arn: arn.to_owned(), kms_master_key_id: None, subscriptions: Vec::new() }
    }

    /// A confirmed email address.
    pub fn email(self, address: &str) -> Self {
        self.subscription("email", address, true)
    }

    /// An email address that its owner has not confirmed yet.
    pub fn pending_email(self, address: &str) -> Self {
        self.subscription("email", address, false)
    }

    pub fn subscription(mut self, protocol: &str, endpoint: &str, confirmed: bool) -> Self {
        self.subscriptions.push((protocol.to_owned(), endpoint.to_owned(), confirmed));
        self
    }

    pub fn no_subscriptions(mut self) -> Self {
        self.subscriptions.clear();
        self
    }

    /// Encrypted, with this key.
    pub fn kms_master_key_id(mut self, key: &str) -> Self {
        self.kms_master_key_id = Some(key.to_owned());
        self
    }

    pub(super) fn build(&self, world: &mut World) {
        world.add_topic(&self.arn, self.kms_master_key_id.clone());
        for (protocol, endpoint, confirmed) in &self.subscriptions {
            world.add_subscription(&self.arn, protocol, endpoint, *confirmed).expect("the topic was just made");
        }
    }
}
