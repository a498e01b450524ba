//! The findings about the topic and its subscriptions.

use crate::model::error::CallError;
use crate::model::finding::{Finding, FindingCode};
use crate::model::readiness::{Standing, Subscription};
use crate::tell::findings::advisor::{Advisor, aws};

/// Why an operator confirms a subscription with a command.
const OPEN_THE_LINK: &str = "If you open the link instead, anyone who gets a forwarded mail can end the subscription with \
                             one click.";

impl Advisor<'_> {
    /// An AWS CLI command about the topic, which may be in another Region than the function.
    fn command_of_topic(&self, command: &str) -> String {
        aws("sns", command, Some(self.config.topic.region()))
    }

    /// The topic does not exist.
    pub fn topic_missing(&self) -> Finding {
        Finding::new(
            FindingCode::TopicMissing,
            &self.config.topic,
            format!("The topic {} does not exist, so no report reaches anyone.", self.config.topic),
            "Deploy with a topic that exists, or without NotificationTopicArn so that the stack creates one."
                .to_owned(),
        )
    }

    /// No report would reach a person: the topic has no confirmed subscription.
    pub fn nobody_subscribed(&self, subscriptions: &[Subscription]) -> Finding {
        let topic = &self.config.topic;
        let is_pending = subscriptions.iter().any(|one| one.standing == Standing::Pending);
        let deleted = subscriptions.iter().filter(|one| one.standing == Standing::Deleted);
        let deleted: Vec<String> = deleted.map(|one| format!("{} ({})", one.endpoint, one.protocol)).collect();
        let (what, unsubscribed) = match (is_pending, deleted.as_slice()) {
            (true, _) => ("no confirmed subscription", String::new()),
            (false, []) => ("no subscription", String::new()),
            (false, deleted) => ("no subscription left", format!(" Unsubscribed: {}.", deleted.join(", "))),
        };
        let first = if is_pending {
            "AWS sent a confirmation link to each address. Confirm with the token in that link:".to_owned()
        } else {
            format!(
                "Subscribe an address:\n{}\nAWS then sends a confirmation link to that address. Confirm with the token in that \
                 link:",
                self.subscribe("email", "you@example.com")
            )
        };
        Finding::new(
            FindingCode::NoSubscription,
            topic,
            format!("The topic {topic} has {what}, so no report reaches anyone.{unsubscribed}"),
            format!(
                "{first}\n{}\nThen only your account can end the subscription. {OPEN_THE_LINK}\nNo mail can report this. The \
                 metric CriticalFindings, its alarm, the dashboard and token-failover audit show it.",
                self.confirm()
            ),
        )
    }

    /// The command that subscribes an address.
    fn subscribe(&self, protocol: &str, endpoint: &str) -> String {
        let topic = &self.config.topic;
        self.command_of_topic(&format!(
            "subscribe --topic-arn {topic} --protocol {protocol} --notification-endpoint {endpoint}"
        ))
    }

    /// The command that confirms a subscription.
    fn confirm(&self) -> String {
        let topic = &self.config.topic;
        self.command_of_topic(&format!(
            "confirm-subscription --topic-arn {topic} --token TOKEN --authenticate-on-unsubscribe true"
        ))
    }

    /// A subscription that was never confirmed.
    pub fn unconfirmed_subscription(&self, subscription: &Subscription) -> Finding {
        let Subscription { protocol, endpoint, .. } = subscription;
        Finding::new(
            FindingCode::SubscriptionUnconfirmed,
            format!("{protocol} {endpoint}"),
            format!("The subscription of {endpoint} ({protocol}) was never confirmed, so SNS sends nothing to it."),
            format!(
                "AWS sent a confirmation link to {endpoint}. Confirm with the token in that link:\n{}\n{OPEN_THE_LINK} To \
                 request another link:\n{}",
                self.confirm(),
                self.subscribe(protocol, endpoint)
            ),
        )
    }

    /// The report could not be published.
    pub fn not_published(&self, error: &CallError) -> Finding {
        self.call_failed(
            FindingCode::NotPublished,
            &self.config.topic,
            "The report could not be published. It is pending, and a later run publishes it.",
            error,
        )
    }
}
