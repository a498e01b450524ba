//! SNS's Query protocol, API version 2010-03-31.

use std::collections::BTreeMap;

use super::{form::Form, query, xml::Xml};
use crate::{
    model::{ApiError, MessageAttribute, Subscription},
    world::{Answer, CreateTopic, GetTopicAttributes, ListSubscriptionsByTopic, Publish, Request},
};

pub(crate) const VERSION: &str = "2010-03-31";
const NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";

pub(crate) fn has_action(action: &str) -> bool {
    matches!(action, "Publish" | "CreateTopic" | "GetTopicAttributes" | "ListSubscriptionsByTopic")
}

pub(crate) fn request(action: &str, form: &mut Form) -> Result<Request, ApiError> {
    match action {
        "CreateTopic" => create_topic(form).map(Request::from),
        "Publish" => publish(form).map(Request::from),
        "GetTopicAttributes" => Ok(GetTopicAttributes { topic_arn: require(form, "TopicArn")? }.into()),
        "ListSubscriptionsByTopic" => {
            Ok(ListSubscriptionsByTopic { topic_arn: require(form, "TopicArn")?, next_token: form.take("NextToken") }
                .into())
        }
        _ => Err(ApiError::client("InvalidAction", format!("Could not find operation {action} for version {VERSION}"))),
    }
}

fn create_topic(form: &mut Form) -> Result<CreateTopic, ApiError> {
    let mut attributes = BTreeMap::new();
    for mut entry in form.take_forms("Attributes.entry") {
        attributes.insert(entry.require("key")?, entry.take("value").unwrap_or_default());
    }
    let mut flag = |name: &str| attributes.remove(name).is_some_and(|value| value == "true");
    let request = CreateTopic {
        fifo: flag("FifoTopic"),
        content_based_deduplication: flag("ContentBasedDeduplication"),
        kms_master_key_id: attributes.remove("KmsMasterKeyId"),
        name: require(form, "Name")?,
    };
    match attributes.into_keys().next() {
        Some(name) => Err(ApiError::invalid_parameter(format!("Attributes Reason: Unknown attribute {name}"))),
        None => Ok(request),
    }
}

fn publish(form: &mut Form) -> Result<Publish, ApiError> {
    let mut attributes = BTreeMap::new();
    for mut entry in form.take_forms("MessageAttributes.entry") {
        let text = entry.take("Value.StringValue");
        let attribute = MessageAttribute {
            data_type: entry.take("Value.DataType").unwrap_or_default(),
            value: text.or_else(|| entry.take("Value.BinaryValue")).unwrap_or_default(),
        };
        attributes.insert(require(&mut entry, "Name")?, attribute);
    }
    let topic_arn = match form.take("TopicArn").or_else(|| form.take("TargetArn")) {
        Some(arn) => arn,
        None => {
            return Err(ApiError::invalid_parameter("TopicArn or TargetArn Reason: no value for required parameter"));
        }
    };
    Ok(Publish {
        topic_arn,
        subject: form.take("Subject"),
        message: form.take("Message").unwrap_or_default(),
        structure: form.take("MessageStructure"),
        attributes,
        group_id: form.take("MessageGroupId"),
        deduplication_id: form.take("MessageDeduplicationId"),
    })
}

fn require(form: &mut Form, name: &str) -> Result<String, ApiError> {
    form.take(name)
        .ok_or_else(|| ApiError::invalid_parameter(format!("{name} Reason: no value for required parameter")))
}

pub(crate) fn answer(answer: &Answer, request_id: &str) -> Vec<u8> {
    match answer {
        Answer::CreateTopic(arn) => document("CreateTopic", request_id, |xml| xml.text("TopicArn", arn)),
        Answer::Publish(published) => document("Publish", request_id, |xml| {
            xml.text("MessageId", &published.message_id);
            xml.text_if_any("SequenceNumber", published.sequence_number.as_ref());
        }),
        Answer::GetTopicAttributes(topic) => document("GetTopicAttributes", request_id, |xml| {
            xml.element("Attributes", |xml| {
                for (name, value) in &topic.attributes {
                    xml.element("entry", |xml| {
                        xml.text("key", name);
                        xml.text("value", value);
                    });
                }
            });
        }),
        Answer::ListSubscriptionsByTopic(page) => document("ListSubscriptionsByTopic", request_id, |xml| {
            xml.element("Subscriptions", |xml| {
                for each in &page.items {
                    xml.element("member", |xml| subscription(xml, each));
                }
            });
            xml.text_if_any("NextToken", page.next_token.as_ref());
        }),
        // SNS has only the requests above, and every request has an answer of its own name.
        _ => Vec::new(),
    }
}

fn subscription(xml: &mut Xml, subscription: &Subscription) {
    xml.text("SubscriptionArn", subscription.arn());
    // There is only one account.
    xml.text("Owner", subscription.topic_arn.split(':').nth(4).unwrap_or_default());
    xml.text("Protocol", &subscription.protocol);
    xml.text("Endpoint", &subscription.endpoint);
    xml.text("TopicArn", &subscription.topic_arn);
}

fn document(action: &str, request_id: &str, result: impl FnOnce(&mut Xml)) -> Vec<u8> {
    query::document(NAMESPACE, action, request_id, result)
}

pub(crate) fn error(error: &ApiError, request_id: &str) -> Vec<u8> {
    query::error(NAMESPACE, error, request_id)
}
