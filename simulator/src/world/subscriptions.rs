//! Attributes and subscriptions of a topic: GetTopicAttributes, ListSubscriptionsByTopic.

use std::time::Duration;

use super::{
    kinds::{Ask, Look},
    parameters::Parameters,
    select::{Page, Selection},
    state::World,
    topics::{check_arn, is_fifo, no_such_topic},
};
use crate::model::{ApiError, Standing, Subscription, Topic};

/// "Each call returns a limited list of subscriptions, up to 100" (service model, ListSubscriptionsByTopic).
const SUBSCRIPTIONS_ON_A_PAGE: usize = 100;
/// The time for which a deleted subscription is listed ("How do I recreate a 'Deleted' Amazon SNS topic subscription",
/// AWS re:Post).
const DELETED_VISIBLE_FOR: Duration = Duration::from_secs(72 * 3600);

impl Subscription {
    fn is_shown(&self, now: Duration) -> bool {
        !matches!(self.standing, Standing::Deleted(at) if now >= at + DELETED_VISIBLE_FOR)
    }
}

/// The answer to GetTopicAttributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicAttributes {
    /// The service model's names and values, by name. Policies are not simulated, so their attributes are missing.
    pub attributes: Vec<(&'static str, String)>,
}

impl TopicAttributes {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find_map(|(key, value)| (*key == name).then_some(value.as_str()))
    }
}

#[derive(Debug, Clone, Default)]
pub struct GetTopicAttributes {
    pub topic_arn: String,
}

impl GetTopicAttributes {
    pub fn of(topic_arn: impl Into<String>) -> Self {
        Self { topic_arn: topic_arn.into() }
    }
}

impl Ask for GetTopicAttributes {
    fn parameters(&self) -> Parameters {
        Parameters::of("TopicArn", &self.topic_arn)
    }
}

impl Look for GetTopicAttributes {
    type Answer = TopicAttributes;

    /// An encrypted topic has `KmsMasterKeyId`, and a FIFO topic has `FifoTopic` and `ContentBasedDeduplication`
    /// (service model, `GetTopicAttributesResponse`).
    fn look(&self, world: &World) -> Result<TopicAttributes, ApiError> {
        let topic = world.topic(&self.topic_arn)?;
        let count = |is_wanted: fn(&Standing) -> bool| {
            topic.subscriptions.iter().filter(|subscription| is_wanted(&subscription.standing)).count()
        };
        let confirmed = count(|standing| *standing == Standing::Confirmed);
        let pending = count(|standing| *standing == Standing::Pending);
        let deleted = count(|standing| matches!(standing, Standing::Deleted(_)));
        let mut attributes = vec![
            ("TopicArn", self.topic_arn.clone()),
            ("Owner", world.region().account().to_owned()),
            ("DisplayName", String::new()),
            ("SubscriptionsConfirmed", confirmed.to_string()),
            ("SubscriptionsPending", pending.to_string()),
            ("SubscriptionsDeleted", deleted.to_string()),
        ];
        attributes.extend(topic.kms_master_key_id.clone().map(|key| ("KmsMasterKeyId", key)));
        if is_fifo(&self.topic_arn) {
            attributes.push(("FifoTopic", true.to_string()));
            attributes.push(("ContentBasedDeduplication", topic.content_based_deduplication.to_string()));
        }
        attributes.sort_unstable();
        Ok(TopicAttributes { attributes })
    }
}

#[derive(Debug, Clone, Default)]
pub struct ListSubscriptionsByTopic {
    pub topic_arn: String,
    pub next_token: Option<String>,
}

impl ListSubscriptionsByTopic {
    pub fn of(topic_arn: impl Into<String>) -> Self {
        Self { topic_arn: topic_arn.into(), next_token: None }
    }
}

impl Ask for ListSubscriptionsByTopic {
    fn parameters(&self) -> Parameters {
        Parameters::of("TopicArn", &self.topic_arn).and_if_any("NextToken", self.next_token.as_ref())
    }
}

impl Look for ListSubscriptionsByTopic {
    type Answer = Page<Subscription>;

    fn look(&self, world: &World) -> Result<Page<Subscription>, ApiError> {
        let mut subscriptions = world.topic(&self.topic_arn)?.subscriptions.clone();
        subscriptions.retain(|subscription| subscription.is_shown(world.now()));
        let selection = Selection {
            max_results: Some(SUBSCRIPTIONS_ON_A_PAGE),
            next_token: self.next_token.clone(),
            ..Selection::default()
        };
        let allowed = 1..=SUBSCRIPTIONS_ON_A_PAGE;
        selection
            .paginate(subscriptions, allowed, &world.region().assumptions)
            .map_err(|_| ApiError::invalid_parameter("NextToken Reason: it was not issued by this service"))
    }
}

/// # Actions of others on topics
impl World {
    /// Subscribes an endpoint. An email address or a URL is pending at first. An endpoint in AWS is confirmed at once.
    pub fn subscribe(&mut self, topic_arn: &str, protocol: &str, endpoint: &str) -> Result<(), ApiError> {
        let confirmed = !matches!(protocol, "email" | "email-json" | "http" | "https");
        self.add_subscription(topic_arn, protocol, endpoint, confirmed)
    }

    pub(crate) fn add_subscription(
        &mut self,
        topic_arn: &str,
        protocol: &str,
        endpoint: &str,
        confirmed: bool,
    ) -> Result<(), ApiError> {
        let id = self.subscription_ids.uuid();
        let topic = self.topic_mut(topic_arn)?;
        topic.subscriptions.push(Subscription {
            topic_arn: topic_arn.to_owned(),
            protocol: protocol.to_owned(),
            endpoint: endpoint.to_owned(),
            standing: if confirmed { Standing::Confirmed } else { Standing::Pending },
            id,
        });
        Ok(())
    }

    /// Confirms a subscription, as with the link in the email.
    pub fn confirm_subscription(&mut self, topic_arn: &str, endpoint: &str) -> Result<(), ApiError> {
        for subscription in &mut self.topic_mut(topic_arn)?.subscriptions {
            if subscription.endpoint == endpoint && subscription.standing == Standing::Pending {
                subscription.standing = Standing::Confirmed;
            }
        }
        Ok(())
    }

    /// Deletes a subscription, as with the link in every message. The entry stays for some time.
    pub fn unsubscribe(&mut self, topic_arn: &str, endpoint: &str) -> Result<(), ApiError> {
        let now = self.now();
        let of_endpoint = |subscription: &&mut Subscription| subscription.endpoint == endpoint;
        for subscription in self.topic_mut(topic_arn)?.subscriptions.iter_mut().filter(of_endpoint) {
            if !matches!(subscription.standing, Standing::Deleted(_)) {
                subscription.standing = Standing::Deleted(now);
            }
        }
        Ok(())
    }

    /// Deletes the topic and all its subscriptions.
    pub fn delete_topic(&mut self, topic_arn: &str) {
        self.topics_mut().remove(topic_arn);
    }

    fn topic(&self, arn: &str) -> Result<&Topic, ApiError> {
        check_arn(arn)?;
        self.topics.get(arn).ok_or_else(no_such_topic)
    }

    fn topic_mut(&mut self, arn: &str) -> Result<&mut Topic, ApiError> {
        self.topics_mut().get_mut(arn).ok_or_else(no_such_topic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TopicSpec, names, pair, world::Assumptions};

    fn refusal<T: std::fmt::Debug>(result: Result<T, ApiError>) -> (u16, String) {
        let error = result.unwrap_err();
        (error.status, error.code.into_owned())
    }

    fn subscriptions(world: &mut World) -> Vec<(String, String, Standing)> {
        let page = world.act(ListSubscriptionsByTopic::of(names::TOPIC)).unwrap();
        page.items
            .into_iter()
            .map(|subscription| {
                let arn = subscription.arn();
                match subscription.standing {
                    Standing::Confirmed => assert!(arn.starts_with("arn:aws:sns:"), "{arn}"),
                    Standing::Pending => assert_eq!(arn, "PendingConfirmation"),
                    Standing::Deleted(_) => assert_eq!(arn, "Deleted"),
                }
                (subscription.protocol, subscription.endpoint, subscription.standing)
            })
            .collect()
    }

    fn email(endpoint: &str, standing: Standing) -> (String, String, Standing) {
        ("email".to_owned(), endpoint.to_owned(), standing)
    }

    fn attributes(world: &mut World) -> Vec<(&'static str, String)> {
        world.act(GetTopicAttributes::of(names::TOPIC)).unwrap().attributes
    }

    fn expected(confirmed: &str, pending: &str, deleted: &str) -> Vec<(&'static str, String)> {
        [
            ("DisplayName", ""),
            ("Owner", names::ACCOUNT),
            ("SubscriptionsConfirmed", confirmed),
            ("SubscriptionsDeleted", deleted),
            ("SubscriptionsPending", pending),
            ("TopicArn", names::TOPIC),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .to_vec()
    }

    #[test]
    fn the_pair_has_a_confirmed_subscription() {
        let mut world = pair().world();
        assert_eq!(subscriptions(&mut world), [email(names::SUBSCRIBER, Standing::Confirmed)]);
        assert_eq!(attributes(&mut world), expected("1", "0", "0"));
    }

    #[test]
    fn a_topic_can_have_no_subscription_or_only_a_pending_one() {
        let mut world = pair().topic(names::TOPIC, TopicSpec::no_subscriptions).world();
        assert_eq!(subscriptions(&mut world), []);
        assert_eq!(attributes(&mut world), expected("0", "0", "0"));

        let pending = |topic: TopicSpec| topic.no_subscriptions().pending_email(names::SUBSCRIBER);
        let mut world = pair().topic(names::TOPIC, pending).world();
        assert_eq!(subscriptions(&mut world), [email(names::SUBSCRIBER, Standing::Pending)]);
        assert_eq!(attributes(&mut world), expected("0", "1", "0"));
    }

    #[test]
    fn a_subscription_is_added_confirmed_and_removed() {
        let mut world = pair().topic(names::TOPIC, TopicSpec::no_subscriptions).world();
        world.subscribe(names::TOPIC, "email", "a@example.com").unwrap();
        world.subscribe(names::TOPIC, "sqs", "arn:aws:sqs:eu-west-1:123456789012:q").unwrap();
        let queue = ("sqs".to_owned(), "arn:aws:sqs:eu-west-1:123456789012:q".to_owned(), Standing::Confirmed);
        assert_eq!(subscriptions(&mut world), [email("a@example.com", Standing::Pending), queue.clone()]);
        world.confirm_subscription(names::TOPIC, "a@example.com").unwrap();
        assert_eq!(subscriptions(&mut world), [email("a@example.com", Standing::Confirmed), queue.clone()]);
        world.unsubscribe(names::TOPIC, "a@example.com").unwrap();
        let gone = email("a@example.com", Standing::Deleted(Duration::ZERO));
        assert_eq!(subscriptions(&mut world), [gone.clone(), queue.clone()]);
        assert_eq!(attributes(&mut world), expected("1", "0", "1"));
        world.confirm_subscription(names::TOPIC, "a@example.com").unwrap();
        world.unsubscribe(names::TOPIC, "a@example.com").unwrap();
        assert_eq!(subscriptions(&mut world), [gone, queue.clone()], "a deleted subscription is not confirmed again");
        world.advance(DELETED_VISIBLE_FOR);
        assert_eq!(subscriptions(&mut world), [queue], "a deleted subscription is listed for three days");
    }

    #[test]
    fn subscriptions_come_on_pages_of_a_hundred() {
        let many = |topic: TopicSpec| (0..250).fold(topic, |topic, n| topic.email(&format!("{n}@example.com")));
        let mut world = pair().topic(names::TOPIC, many).world();
        let mut request = ListSubscriptionsByTopic::of(names::TOPIC);
        let mut sizes = Vec::new();
        let mut arns = std::collections::BTreeSet::new();
        loop {
            let page = world.act(request.clone()).unwrap();
            sizes.push(page.items.len());
            arns.extend(page.items.iter().map(Subscription::arn));
            request.next_token = page.next_token;
            if request.next_token.is_none() {
                break;
            }
        }
        assert_eq!((sizes, arns.len()), (vec![100, 100, 51], 251));
        request.next_token = Some("x".to_owned());
        assert_eq!(refusal(world.act(request)), (400, "InvalidParameter".to_owned()));

        let assumptions = Assumptions { page_limit: Some(1), ..Assumptions::default() };
        let mut world =
            pair().assumptions(assumptions).topic(names::TOPIC, |topic| topic.email("b@example.com")).world();
        let page = world.act(ListSubscriptionsByTopic::of(names::TOPIC)).unwrap();
        assert_eq!((page.items.len(), page.next_token.is_some()), (1, true));
    }

    #[test]
    fn a_missing_topic_is_not_found() {
        let mut world = pair().without_topic(names::TOPIC).world();
        let not_found = (404, "NotFound".to_owned());
        assert_eq!(refusal(world.act(GetTopicAttributes::of(names::TOPIC))), not_found);
        assert_eq!(refusal(world.act(ListSubscriptionsByTopic::of(names::TOPIC))), not_found);
        let malformed = refusal(world.act(GetTopicAttributes::of("token-failover")));
        assert_eq!(malformed, (400, "InvalidParameter".to_owned()));

        let mut world = pair().world();
        world.delete_topic(names::TOPIC);
        assert_eq!(refusal(world.act(GetTopicAttributes::of(names::TOPIC))), not_found);
    }

    #[test]
    fn a_topic_has_attributes_for_its_key_and_its_order() {
        let fifo = "arn:aws:sns:eu-west-1:123456789012:t.fifo";
        let mut world = pair()
            .topic(names::TOPIC, |topic| topic.kms_master_key_id("alias/token-failover"))
            .topic(fifo, |topic| topic)
            .world();
        let standard = world.act(GetTopicAttributes::of(names::TOPIC)).unwrap();
        assert_eq!((standard.get("KmsMasterKeyId"), standard.get("FifoTopic")), (Some("alias/token-failover"), None));
        let ordered = world.act(GetTopicAttributes::of(fifo)).unwrap();
        assert_eq!(
            ["KmsMasterKeyId", "FifoTopic", "ContentBasedDeduplication"].map(|name| ordered.get(name)),
            [None, Some("true"), Some("false")]
        );
    }
}
