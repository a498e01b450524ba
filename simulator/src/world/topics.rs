//! Topics and their messages: CreateTopic, Publish.

use std::{collections::BTreeMap, time::Duration};

use super::{
    kinds::{Ask, Change},
    parameters::Parameters,
    state::World,
};
use crate::model::{ApiError, Message, MessageAttribute, Topic};

/// In bytes and with attributes, unless the topic's MaximumMessageSize says otherwise: "The default is 262144 (256
/// KiB)" (service model, topic attributes).
const LARGEST_MESSAGE: usize = 256 * 1024;
/// "less than 100 characters long" (service model, `PublishInput$Subject`).
const SUBJECT_LIMIT: usize = 100;
/// For five minutes a repeat is accepted but not delivered ("Message deduplication for FIFO topics", SNS Developer
/// Guide).
const DEDUPLICATION_INTERVAL: Duration = Duration::from_secs(300);
/// Both ids: up to 128 letters, digits and punctuation marks (service model, `PublishInput`).
const LONGEST_ID: usize = 128;

pub(crate) fn is_fifo(arn: &str) -> bool {
    arn.ends_with(".fifo")
}

pub(crate) fn check_arn(arn: &str) -> Result<(), ApiError> {
    let parts: Vec<&str> = arn.split(':').collect();
    match parts.as_slice() {
        ["arn", partition, "sns", region, account, name]
            if partition.starts_with("aws")
                && !region.is_empty()
                && account.bytes().all(|b| b.is_ascii_digit())
                && !account.is_empty()
                && !name.is_empty() =>
        {
            Ok(())
        }
        _ => Err(ApiError::invalid_parameter(format!(
            "TopicArn Reason: An ARN must have at least 6 elements, not {}",
            parts.len()
        ))),
    }
}

/// `NotFoundException` of the SNS service model: 404.
pub(crate) fn no_such_topic() -> ApiError {
    ApiError::new(404, "NotFound", "Topic does not exist")
}

#[derive(Debug, Clone, Default)]
pub struct CreateTopic {
    pub name: String,
    pub fifo: bool,
    pub content_based_deduplication: bool,
    pub kms_master_key_id: Option<String>,
}

impl Ask for CreateTopic {
    fn parameters(&self) -> Parameters {
        Parameters::of("Name", &self.name)
    }
}

impl Change for CreateTopic {
    type Answer = String;

    /// "Topic names must be made up of only uppercase and lowercase ASCII letters, numbers, underscores, and hyphens,
    /// and must be between 1 and 256 characters long"; the name of a FIFO topic ends in `.fifo`. The answer is the ARN
    /// of the topic, even if it already exists (service model, CreateTopic).
    fn change(&self, world: &mut World) -> Result<String, ApiError> {
        let stem = match (self.fifo, self.name.strip_suffix(".fifo")) {
            (true, Some(stem)) => stem,
            (false, None) => &self.name,
            _ => return Err(ApiError::invalid_parameter("Topic Name")),
        };
        let allowed = |c: u8| c.is_ascii_alphanumeric() || c == b'_' || c == b'-';
        if stem.is_empty() || self.name.len() > 256 || !stem.bytes().all(allowed) {
            return Err(ApiError::invalid_parameter("Topic Name"));
        }
        let region = world.region();
        let arn = format!("arn:aws:sns:{}:{}:{}", region.name(), region.account(), self.name);
        let topic = Topic {
            content_based_deduplication: self.content_based_deduplication,
            kms_master_key_id: self.kms_master_key_id.clone(),
            ..Topic::default()
        };
        world.topics_mut().by_arn.entry(arn.clone()).or_insert(topic);
        Ok(arn)
    }
}

#[derive(Debug, Clone, Default)]
pub struct Publish {
    pub topic_arn: String,
    pub subject: Option<String>,
    pub message: String,
    pub structure: Option<String>,
    pub attributes: BTreeMap<String, MessageAttribute>,
    pub group_id: Option<String>,
    pub deduplication_id: Option<String>,
}

/// The answer to Publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    pub message_id: String,
    pub sequence_number: Option<String>,
}

impl Ask for Publish {
    fn parameters(&self) -> Parameters {
        Parameters::of("TopicArn", &self.topic_arn)
            .and_if_any("Subject", self.subject.as_ref())
            .and_if_any("MessageGroupId", self.group_id.as_ref())
            .and_if_any("MessageDeduplicationId", self.deduplication_id.as_ref())
    }
}

impl Change for Publish {
    type Answer = Published;

    /// Assumed: the order of the checks.
    fn check(&self, world: &World) -> Result<(), ApiError> {
        check_arn(&self.topic_arn)?;
        self.check_message()?;
        self.check_attributes()?;
        let Some(topic) = world.topics.by_arn.get(&self.topic_arn) else {
            return Err(no_such_topic());
        };
        self.check_order(topic)
    }

    fn change(&self, world: &mut World) -> Result<Published, ApiError> {
        let now = world.now();
        if let Some(earlier) = self.earlier(world) {
            return Ok(earlier);
        }
        let message_id = world.ids.uuid();
        let topics = world.topics_mut();
        let sequence_number =
            is_fifo(&self.topic_arn).then(|| format!("{:020}", 10_000_000_000_000_000 + topics.messages.len()));
        topics.messages.push(Message {
            id: message_id.clone(),
            published_at: now,
            topic_arn: self.topic_arn.clone(),
            subject: self.subject.clone(),
            message: self.message.clone(),
            structure: self.structure.clone(),
            attributes: self.attributes.clone(),
            group_id: self.group_id.clone(),
            deduplication_id: self.deduplication_id.clone(),
            sequence_number: sequence_number.clone(),
        });
        Ok(Published { message_id, sequence_number })
    }
}

impl Publish {
    /// "Subjects must be UTF-8 text with no line breaks or control characters, and less than 100 characters long";
    /// "Messages must be UTF-8 encoded strings", not empty (service model, `PublishInput`).
    fn check_message(&self) -> Result<(), ApiError> {
        if let Some(subject) = &self.subject {
            let characters = subject.chars().count();
            if characters == 0 || characters >= SUBJECT_LIMIT || subject.chars().any(char::is_control) {
                return Err(ApiError::invalid_parameter("Subject"));
            }
            // Assumed: an older rule still holds, by which a subject must not begin with a space.
            if subject.starts_with(char::is_whitespace) {
                return Err(ApiError::invalid_parameter("Subject"));
            }
        }
        if self.message.is_empty() {
            return Err(ApiError::invalid_parameter("Empty message"));
        }
        let attributes: usize = self
            .attributes
            .iter()
            .map(|(name, attribute)| name.len() + attribute.data_type.len() + attribute.value.len())
            .sum();
        if self.message.len() + attributes > LARGEST_MESSAGE {
            return Err(ApiError::invalid_parameter("Message too long"));
        }
        match self.structure.as_deref() {
            None => Ok(()),
            Some("json") => self.check_json(),
            Some(_) => Err(ApiError::invalid_parameter("Message Structure - invalid value")),
        }
    }

    /// A JSON object with a string under `default` (service model, `MessageStructure`).
    ///
    /// Assumed: a value that is not a string is refused. The service model says both "Non-string values will cause the
    /// key to be ignored" and that failure to validate any value fails the call; the simulator uses the stricter rule.
    fn check_json(&self) -> Result<(), ApiError> {
        let error = |reason: &str| Err(ApiError::invalid_parameter(format!("Message Structure - {reason}")));
        match serde_json::from_str::<serde_json::Value>(&self.message) {
            Ok(serde_json::Value::Object(bodies)) if bodies.values().any(|body| !body.is_string()) => {
                error("Non-string values in JSON message body")
            }
            Ok(serde_json::Value::Object(bodies)) if !bodies.contains_key("default") => {
                error("No default entry in JSON message body")
            }
            Ok(serde_json::Value::Object(_)) => Ok(()),
            _ => error("JSON message body failed to parse"),
        }
    }

    /// "SNS message attributes", SNS Developer Guide: each has a type and a value that is not empty.
    fn check_attributes(&self) -> Result<(), ApiError> {
        self.attributes.iter().try_for_each(|(name, attribute)| {
            let kind = attribute.data_type.split('.').next().unwrap_or_default();
            if kind.is_empty() {
                Err(ApiError::invalid_parameter(format!(
                    "The message attribute '{name}' must contain non-empty message attribute type"
                )))
            } else if !matches!(kind, "String" | "Number" | "Binary") {
                Err(ApiError::invalid_parameter(format!(
                    "The message attribute '{name}' has an invalid message attribute type"
                )))
            } else if attribute.value.is_empty() {
                Err(ApiError::invalid_parameter(format!(
                    "The message attribute '{name}' must contain non-empty message attribute value"
                )))
            } else {
                Ok(())
            }
        })
    }

    /// FIFO topics need a group, and a deduplication id unless they derive one from the content. A deduplication id is
    /// for FIFO topics only, a group also for standard topics (service model, `PublishInput`).
    fn check_order(&self, topic: &Topic) -> Result<(), ApiError> {
        let well_formed =
            |id: &str| !id.is_empty() && id.len() <= LONGEST_ID && id.bytes().all(|b| b.is_ascii_graphic());
        if self.group_id.as_deref().is_some_and(|id| !well_formed(id)) {
            return Err(ApiError::invalid_parameter("MessageGroupId"));
        }
        if self.deduplication_id.as_deref().is_some_and(|id| !well_formed(id)) {
            return Err(ApiError::invalid_parameter("MessageDeduplicationId"));
        }
        match (is_fifo(&self.topic_arn), &self.group_id, &self.deduplication_id) {
            (true, None, _) => {
                Err(ApiError::invalid_parameter("The MessageGroupId parameter is required for FIFO topics"))
            }
            (true, Some(_), None) if !topic.content_based_deduplication => Err(ApiError::invalid_parameter(
                "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided \
                 explicitly",
            )),
            (false, _, Some(_)) => Err(ApiError::invalid_parameter(
                "The request includes MessageDeduplicationId parameter that is not valid for this topic type",
            )),
            _ => Ok(()),
        }
    }

    /// The answer to the same message that was published to a FIFO topic within the interval.
    ///
    /// Assumed: the scope of deduplication is the topic, and a repeat gets the first answer.
    fn earlier(&self, world: &World) -> Option<Published> {
        if !is_fifo(&self.topic_arn) {
            return None;
        }
        let same = |earlier: &&Message| {
            earlier.topic_arn == self.topic_arn
                && match &self.deduplication_id {
                    Some(id) => earlier.deduplication_id.as_ref() == Some(id),
                    None => earlier.deduplication_id.is_none() && earlier.message == self.message,
                }
        };
        world
            .messages()
            .iter()
            .rev()
            .take_while(|earlier| world.now() < earlier.published_at + DEDUPLICATION_INTERVAL)
            .find(same)
            .map(|earlier| Published {
                message_id: earlier.id.clone(),
                sequence_number: earlier.sequence_number.clone(),
            })
    }
}

impl World {
    pub(crate) fn add_topic(&mut self, arn: &str, kms_master_key_id: Option<String>) {
        self.topics_mut().add(arn, kms_master_key_id);
    }

    /// The published messages, in order.
    pub fn messages(&self) -> &[Message] {
        self.topics.messages()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{names, pair};

    fn publish(message: &str) -> Publish {
        Publish { topic_arn: names::TOPIC.to_owned(), message: message.to_owned(), ..Publish::default() }
    }

    fn refusal<T: std::fmt::Debug>(result: Result<T, ApiError>) -> (u16, String) {
        let error = result.unwrap_err();
        (error.status, error.code.into_owned())
    }

    fn invalid() -> (u16, String) {
        (400, "InvalidParameter".to_owned())
    }

    #[test]
    fn a_message_is_kept_as_it_was_published() {
        let mut world = pair().world();
        let attribute = MessageAttribute { data_type: "String".to_owned(), value: "moved".to_owned() };
        let request = Publish {
            subject: Some("MOVED token-server".to_owned()),
            structure: Some("json".to_owned()),
            attributes: BTreeMap::from([("outcome".to_owned(), attribute)]),
            ..publish(r#"{"default":"moved","sms":"m"}"#)
        };
        let id = world.act(request.clone()).unwrap().message_id;
        assert_eq!(
            world.messages(),
            [Message {
                id,
                published_at: Duration::ZERO,
                topic_arn: request.topic_arn,
                subject: request.subject,
                message: request.message,
                structure: request.structure,
                attributes: request.attributes,
                group_id: None,
                deduplication_id: None,
                sequence_number: None,
            }]
        );
    }

    #[test]
    fn a_subject_is_one_line_of_fewer_than_100_characters() {
        let mut world = pair().world();
        for subject in ["", " moved", "two\nlines", "bell\u{7}", &"x".repeat(100)] {
            let request = Publish { subject: Some(subject.to_owned()), ..publish("m") };
            assert_eq!(refusal(world.act(request)), invalid(), "{subject:?}");
        }
        world.act(Publish { subject: Some("x".repeat(99)), ..publish("m") }).unwrap();
    }

    #[test]
    fn a_message_is_not_empty_and_at_most_256_kib_with_its_attributes() {
        let mut world = pair().world();
        assert_eq!(refusal(world.act(publish(""))), invalid());
        assert_eq!(refusal(world.act(publish(&"ä".repeat(128 * 1024 + 1)))), invalid());
        let mut request = publish(&"x".repeat(256 * 1024));
        world.act(request.clone()).unwrap();
        request
            .attributes
            .insert("n".to_owned(), MessageAttribute { data_type: "String".to_owned(), value: "v".to_owned() });
        assert_eq!(refusal(world.act(request)), invalid());
    }

    #[test]
    fn json_needs_an_object_of_strings_with_a_default() {
        let mut world = pair().world();
        for message in ["text", "[]", "{}", r#"{"sms":"m"}"#, r#"{"default":1}"#, r#"{"default":"d","sqs":{}}"#, "{"] {
            let request = Publish { structure: Some("json".to_owned()), ..publish(message) };
            assert_eq!(refusal(world.act(request)), invalid(), "{message}");
        }
        assert_eq!(refusal(world.act(Publish { structure: Some("xml".to_owned()), ..publish("m") })), invalid());
    }

    #[test]
    fn attributes_have_a_type_and_a_value() {
        let mut world = pair().world();
        for (data_type, value, fine) in [
            ("", "v", false),
            ("Text", "v", false),
            ("String", "", false),
            ("String", "v", true),
            ("String.Array", "[1]", true),
            ("Number", "1", true),
        ] {
            let attribute = MessageAttribute { data_type: data_type.to_owned(), value: value.to_owned() };
            let request = Publish { attributes: BTreeMap::from([("a".to_owned(), attribute)]), ..publish("m") };
            assert_eq!(world.act(request).is_ok(), fine, "{data_type} {value}");
        }
    }

    #[test]
    fn a_missing_topic_is_not_found_and_an_invalid_arn_is_refused() {
        let mut world = pair().world();
        let to = |arn: &str| Publish { topic_arn: arn.to_owned(), ..publish("m") };
        assert_eq!(refusal(world.act(to("arn:aws:sns:eu-west-1:123456789012:other"))), (404, "NotFound".to_owned()));
        for arn in ["", "token-failover", "arn:aws:sqs:eu-west-1:123456789012:t", "arn:aws:sns:eu-west-1::t"] {
            assert_eq!(refusal(world.act(to(arn))), invalid(), "{arn}");
        }
    }

    #[test]
    fn a_fifo_topic_forgets_duplicates_for_five_minutes() {
        let mut world = pair().world();
        let topic_arn =
            world.act(CreateTopic { name: "t.fifo".to_owned(), fifo: true, ..CreateTopic::default() }).unwrap();
        let request = |group: Option<&str>, id: Option<&str>| Publish {
            topic_arn: topic_arn.clone(),
            group_id: group.map(str::to_owned),
            deduplication_id: id.map(str::to_owned),
            ..publish("m")
        };
        assert_eq!(refusal(world.act(request(None, Some("1")))), invalid());
        assert_eq!(refusal(world.act(request(Some("g"), None))), invalid());
        let first = world.act(request(Some("g"), Some("1"))).unwrap();
        let again = world.call(Duration::from_secs(299), request(Some("g"), Some("1"))).unwrap();
        assert_eq!(first, again);
        let later = world.call(Duration::from_secs(300), request(Some("g"), Some("1"))).unwrap();
        assert_ne!(first, later);
        assert_eq!(world.messages().len(), 2);
        assert_eq!(refusal(world.act(Publish { deduplication_id: Some("1".to_owned()), ..publish("m") })), invalid());
        world.act(Publish { group_id: Some("g".to_owned()), ..publish("m") }).unwrap();
    }

    #[test]
    fn creating_a_topic_again_answers_the_same_arn() {
        let mut world = pair().world();
        let create = |name: &str, fifo| CreateTopic { name: name.to_owned(), fifo, ..CreateTopic::default() };
        assert_eq!(world.act(create("token-failover", false)).unwrap(), names::TOPIC);
        for (name, fifo) in [("", false), ("a b", false), ("t.fifo", false), ("t", true), (".fifo", true)] {
            assert_eq!(refusal(world.act(create(name, fifo))), invalid(), "{name}");
        }
    }
}
