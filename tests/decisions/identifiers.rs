//! Identifiers: which strings are valid, which are not, and how each one is written.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use token_failover::model::ids::{
    AllocationId, AssociationId, AttachmentId, InstanceId, MacAddress, NetworkInterfaceId, PrefixListId,
    SecurityGroupId, TopicArn,
};

use crate::world::parsed;

/// The string is an id that is written as it was read, by `Display` and in JSON.
#[track_caller]
fn is_an_id<T>(text: &str)
where
    T: FromStr<Err: Display + Debug> + Display + Serialize + DeserializeOwned + PartialEq + Debug,
{
    let id: T = parsed(text);
    assert_eq!(id.to_string(), text);
    assert_eq!(json!(id), json!(text));
    assert_eq!(serde_json::from_value::<T>(json!(text)).expect("an id"), id);
}

/// The string is not an id, neither parsed nor in JSON, and the error says what one looks like.
#[track_caller]
fn is_no_id<T: FromStr<Err: Display> + DeserializeOwned + Debug>(text: &str, expected: &str) {
    let error = text.parse::<T>().err().unwrap_or_else(|| panic!("{text:?} was accepted")).to_string();
    assert_eq!(error, format!("{text:?} is not {expected}"));
    let in_json = serde_json::from_value::<T>(json!(text)).expect_err("not an id either").to_string();
    assert_eq!(in_json, error);
}

#[test]
fn a_resource_id_is_its_prefix_and_8_or_17_lowercase_hexadecimal_digits() {
    is_an_id::<InstanceId>("i-0123456789abcdef0");
    is_an_id::<InstanceId>("i-1a2b3c4d");
    is_an_id::<NetworkInterfaceId>("eni-0123456789abcdef0");
    is_an_id::<AllocationId>("eipalloc-0123456789abcdef0");
    is_an_id::<SecurityGroupId>("sg-0123456789abcdef0");
    is_an_id::<PrefixListId>("pl-63a5400a");
}

#[test]
fn anything_else_is_not_a_resource_id() {
    let expected = "an instance id such as i-0123456789abcdef0";
    for text in [
        "",
        "i-",
        "i-0123456789abcdef",
        "i-0123456789abcdef01",
        "i-0123456789ABCDEF0",
        "i-0123456789abcdeg0",
        "I-0123456789abcdef0",
        " i-0123456789abcdef0",
        "i-0123456789abcdef0\n",
        "i-0123456é",
        "i-1a2b3c4d,i-5e6f7a8b",
        "eni-0123456789abcdef0",
        "0123456789abcdef0",
    ] {
        is_no_id::<InstanceId>(text, expected);
    }
}

#[test]
fn an_id_of_one_kind_is_refused_as_another_kind() {
    let instance = "i-0123456789abcdef0";
    is_no_id::<NetworkInterfaceId>(instance, "a network interface id such as eni-0123456789abcdef0");
    is_no_id::<AllocationId>(instance, "an allocation id such as eipalloc-0123456789abcdef0");
    is_no_id::<SecurityGroupId>(instance, "a security group id such as sg-0123456789abcdef0");
    is_no_id::<PrefixListId>(instance, "a prefix list id such as pl-0123456789abcdef0");
}

#[test]
fn attachment_and_association_ids_are_accepted_in_any_form() {
    let attachment = AttachmentId::new("eni-attach-0123456789abcdef0");
    assert_eq!(
        (attachment.as_str(), json!(attachment)),
        (attachment.to_string().as_str(), json!("eni-attach-0123456789abcdef0"))
    );
    let association = AssociationId::new("eipassoc-0123456789abcdef0");
    assert_eq!(
        (association.as_str(), json!(association)),
        (association.to_string().as_str(), json!("eipassoc-0123456789abcdef0"))
    );
}

#[test]
fn a_mac_address_is_read_in_every_notation_and_written_for_ec2_and_flexnet() {
    for text in [
        "02:73:ae:2a:dc:81",
        "02-73-AE-2A-DC-81",
        "0273.ae2a.dc81",
        "0273AE2ADC81",
        "0273ae2adc81",
        "02:73:aE:2A:dc:81",
    ] {
        let mac: MacAddress = parsed(text);
        assert_eq!(
            (mac.to_string(), mac.hostid()),
            ("02:73:ae:2a:dc:81".to_owned(), "0273ae2adc81".to_owned()),
            "{text}"
        );
        assert_eq!(json!(mac), json!("02:73:ae:2a:dc:81"));
    }
}

#[test]
fn anything_else_is_not_a_mac_address() {
    for text in [
        "",
        ":::::",
        "0273ae2adc8",
        "0273ae2adc812",
        "0273ae2adcg1",
        "02:73:ae:2a:dc",
        "02:73:ae:2a:dc:81:00",
        "02:73-ae:2a-dc:81",
        "2:73:ae:2a:dc:81",
        "02:73:ae:2a:dc:+1",
        "+273ae2adc81",
        "02 73 ae 2a dc 81",
        "０２73ae2adc",
        "éééééé",
    ] {
        is_no_id::<MacAddress>(text, "a MAC address such as 02:73:ae:2a:dc:81 or 0273ae2adc81");
    }
}

#[test]
fn the_arn_of_a_topic_may_be_of_any_partition_and_names_its_region() {
    for (arn, region, is_fifo) in [
        ("arn:aws:sns:eu-west-1:123456789012:token-failover", "eu-west-1", false),
        ("arn:aws-cn:sns:cn-north-1:123456789012:Token_Failover-2", "cn-north-1", false),
        ("arn:aws-us-gov:sns:us-gov-west-1:123456789012:t", "us-gov-west-1", false),
        ("arn:aws-iso-b:sns:us-isob-east-1:123456789012:t", "us-isob-east-1", false),
        ("arn:aws-eusc:sns:eusc-de-east-1:123456789012:t", "eusc-de-east-1", false),
        ("arn:aws:sns:eu-west-1:123456789012:token-failover.fifo", "eu-west-1", true),
    ] {
        is_an_id::<TopicArn>(arn);
        let topic: TopicArn = parsed(arn);
        assert_eq!((topic.as_str(), topic.region(), topic.is_fifo()), (arn, region, is_fifo));
    }
}

#[test]
fn a_topics_name_has_at_most_256_characters_including_fifo() {
    let prefix = "arn:aws:sns:eu-west-1:123456789012:";
    let expected = "the ARN of an SNS topic such as arn:aws:sns:eu-west-1:123456789012:token-failover";
    is_an_id::<TopicArn>(&format!("{prefix}{}", "t".repeat(256)));
    is_an_id::<TopicArn>(&format!("{prefix}{}.fifo", "t".repeat(251)));
    is_no_id::<TopicArn>(&format!("{prefix}{}", "t".repeat(257)), expected);
    is_no_id::<TopicArn>(&format!("{prefix}{}.fifo", "t".repeat(252)), expected);
}

#[test]
fn anything_else_is_not_a_topic() {
    for text in [
        "",
        "token-failover",
        "arn:aws:sqs:eu-west-1:123456789012:token-failover",
        "arn:amazon:sns:eu-west-1:123456789012:token-failover",
        "arn:aws:sns::123456789012:token-failover",
        "arn:aws:sns:EU-WEST-1:123456789012:token-failover",
        "arn:aws:sns:eu-west-1:12345678901:token-failover",
        "arn:aws:sns:eu-west-1:12345678901x:token-failover",
        "arn:aws:sns:eu-west-1:123456789012:",
        "arn:aws:sns:eu-west-1:123456789012:.fifo",
        "arn:aws:sns:eu-west-1:123456789012:token.failover",
        "arn:aws:sns:eu-west-1:123456789012:token failover",
        // The ARN of a subscription, which the console shows beside the topic's.
        "arn:aws:sns:eu-west-1:123456789012:token-failover:8a21d249-4329-4871-acc6-7be709c6ea7f",
    ] {
        is_no_id::<TopicArn>(text, "the ARN of an SNS topic such as arn:aws:sns:eu-west-1:123456789012:token-failover");
    }
}

proptest! {
    #[test]
    fn every_mac_address_is_read_back_from_each_notation(bytes in any::<[u8; 6]>()) {
        let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mac: MacAddress = parsed(&digits.concat());
        prop_assert_eq!(mac.to_string(), digits.join(":"));
        prop_assert_eq!(parsed::<MacAddress>(&mac.to_string()), mac);
        prop_assert_eq!(parsed::<MacAddress>(&digits.join("-").to_uppercase()), mac);
        let groups = [digits[..2].concat(), digits[2..4].concat(), digits[4..].concat()];
        prop_assert_eq!(parsed::<MacAddress>(&groups.join(".")), mac);
    }

    #[test]
    fn no_text_makes_an_identifier_panic(text in "\\PC{0,40}|[0-9a-f:.\\-é]{0,20}") {
        let ids = [text.parse::<InstanceId>().map(|id| id.to_string()), text.parse::<NetworkInterfaceId>().map(|id| id.to_string())];
        for id in ids.into_iter().flatten() {
            prop_assert_eq!(&id, &text);
        }
        if let Ok(mac) = text.parse::<MacAddress>() {
            prop_assert_eq!(parsed::<MacAddress>(&mac.hostid()), mac);
        }
        if let Ok(topic) = text.parse::<TopicArn>() {
            prop_assert_eq!(topic.as_str(), &text);
        }
    }
}
