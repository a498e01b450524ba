//! What comes from outside, damaged on purpose: event documents, configuration values, and EC2's security group rules.
//!
//! Each input is drawn from a seed, so a failure names the one that it can be made of again. `FUZZ_INPUTS` asks for more
//! of each kind. The figures go to standard error.

use std::collections::BTreeMap;
use std::io::Write as _;

use aws_sdk_ec2::config::http::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use ipnet::IpNet;
use serde_json::Value;
use simulator::names;
use token_failover::aws;
use token_failover::cloud::Ec2;
use token_failover::config::{Config, VARIABLES};
use token_failover::event::{Parsed, parse};
use token_failover::observation::RuleSource;
use token_failover::security_group::coverage;

use crate::events::documents;
use crate::laws::dice::Dice;
use crate::support::{self, event};

/// How many inputs of each kind a plain test run tries.
pub(crate) const INPUTS: u64 = 100_000;
/// The SDK reads each of these, which costs more.
const ANSWERS: u64 = 10_000;

pub(crate) fn inputs(usual: u64) -> u64 {
    let asked = std::env::var("FUZZ_INPUTS").ok();
    asked.map_or(usual, |asked| asked.parse().expect("FUZZ_INPUTS is a number"))
}

pub(crate) fn print_figure(what: &str, tried: u64, understood: u64) {
    let line = format!("\nFuzzed: {tried} {what}, {understood} of them understood\n");
    // Not by a macro, whose output the test harness would keep to itself.
    std::io::stderr().write_all(line.as_bytes()).expect("standard error is open");
}

/// Damages a text in a few places: cut, doubled, overwritten, or given a piece that means something.
pub(crate) fn damage(dice: &mut Dice, text: &[u8], pieces: &[&str]) -> Vec<u8> {
    let mut text = text.to_vec();
    for _ in 0..dice.between(1, 4) {
        let place =
            |dice: &mut Dice, text: &[u8]| usize::try_from(dice.below(text.len() as u64 + 1)).expect("an index");
        let at = place(dice, &text);
        let to = (at + place(dice, &text) % 12).min(text.len());
        match dice.below(6) {
            0 => drop(text.drain(at..to)),
            1 => {
                let doubled = text[at..to].to_vec();
                text.splice(at..at, doubled);
            }
            2 if at < text.len() => text[at] = u8::try_from(dice.below(256)).expect("a byte"),
            3 => drop(text.splice(at..to, dice.pick(pieces).bytes())),
            4 => drop(text.splice(at..at, dice.pick(pieces).bytes())),
            _ => text.truncate(text.len() - place(dice, &text) % 8),
        }
    }
    text
}

#[test]
fn no_damaged_event_document_is_taken_for_more_than_it_is() {
    let corpus: Vec<String> = documents().iter().map(|name| event(name).to_string()).collect();
    let pieces = [
        "\"action\":\"failover\",",
        "\"to\":\"i-0bbbbbbbbbbbbbbb2\",",
        "\"dryRun\":true,",
        "null",
        "[]",
        "{}",
        "1e999",
        "\"aws.ec2\"",
        "\"aws.health\"",
        "\"ALARM\"",
        "\"state\":",
        "\\u0000",
        "\u{1F4A5}",
        "i-0",
        "arn:aws:",
        "\"\"",
        "-1",
    ];
    let mut dice = Dice::new(1);
    let (tried, mut understood) = (inputs(INPUTS), 0);
    for number in 0..tried {
        let original = dice.pick(&corpus);
        let text = damage(&mut dice, original.as_bytes(), &pieces);
        // What is no JSON never reaches the function.
        let Ok(document) = serde_json::from_slice::<Value>(&text) else { continue };
        let parsed = parse(&document);
        assert_eq!(parse(&document), parsed, "input {number} is read differently the second time: {document}");
        match parsed {
            Ok(Parsed::Request(request)) => {
                understood += 1;
                assert!(document.is_object(), "input {number}: {document}");
                let is_failover = document.get("action") == Some(&Value::from("failover"));
                assert_eq!(request.intent.is_operators_failover(), is_failover, "input {number}: {document}");
                let length = serde_json::to_string(&request.trigger).expect("a trigger is JSON").len();
                assert!(length < 4_000, "input {number} leaves a trigger of {length} bytes");
            }
            Ok(Parsed::Ignored { detail, .. }) => assert!(detail.chars().count() <= 257, "input {number}: {detail}"),
            Err(error) => assert!(document.get("action").is_some(), "input {number} is no request, but {error}"),
        }
    }
    assert!(understood > tried / 100, "hardly anything was understood: {understood}");
    print_figure("event documents", tried, understood);
}

#[test]
fn no_damaged_configuration_is_accepted_with_a_value_that_would_be_wrong() {
    let usual: BTreeMap<String, String> = support::variables(&[
        ("TOKEN_SERVER_DEVICE_INDEX", "1"),
        ("FAILOVER_START_STANDBY", "true"),
        ("FAILOVER_ON_IMPAIRED", "false"),
        ("FAILOVER_FORCE_DETACH_AFTER_SECONDS", "30"),
        ("FAILOVER_MAX_MOVES_PER_HOUR", "3"),
        ("FAILOVER_REPAIR", "elastic-ip,delete-on-termination"),
        ("TOKEN_SERVER_CLIENTS", "10.0.0.0/16,2001:db8::/32,sg-0aaaaaaaaaaaaaaa1,pl-0aaaaaaaaaaaaaaa1"),
    ])
    .into_iter()
    .collect();
    let pieces = [
        ",",
        "-",
        " ",
        "0",
        "65536",
        "99999999999999999999",
        "i-0bbbbbbbbbbbbbbb2",
        "eni-",
        "::/0",
        "0.0.0.0/0",
        "/33",
        ".fifo",
        "arn:aws-cn:sns:",
        "true",
        "security-group",
        "\u{e9}",
        "\n",
        "27010-27000",
        "i-0aaaaaaaaaaaaaaa1,i-0aaaaaaaaaaaaaaa1",
    ];
    let mut dice = Dice::new(2);
    let (tried, mut understood) = (inputs(INPUTS), 0);
    for number in 0..tried {
        let mut variables = usual.clone();
        for _ in 0..dice.between(1, 2) {
            let name = dice.pick(&VARIABLES);
            let value = variables.get(name).cloned().unwrap_or_default();
            let value = String::from_utf8_lossy(&damage(&mut dice, value.as_bytes(), &pieces)).into_owned();
            variables.insert(name.to_owned(), value);
        }
        match Config::from_variables(variables.clone()) {
            Ok(config) => {
                understood += 1;
                assert_is_right(&config, &format!("input {number}: {variables:?}"));
            }
            Err(error) => {
                let names: Vec<&str> = error.problems.iter().map(|problem| problem.variable.as_str()).collect();
                assert!(!names.is_empty(), "input {number}: an error without a problem");
                assert!(names.iter().all(|name| VARIABLES.contains(name)), "input {number}: {names:?}");
            }
        }
    }
    assert!(understood > tried / 100, "hardly anything was understood: {understood}");
    print_figure("configurations", tried, understood);
}

/// What holds of every configuration with which the function works.
fn assert_is_right(config: &Config, input: &str) {
    let members: std::collections::BTreeSet<_> = config.members.iter().collect();
    assert!(members.len() >= 2 && members.len() == config.members.len(), "{input}");
    assert!(config.device_index >= 1, "{input}");
    assert!(!config.ports.is_empty(), "{input}");
    assert!(config.ports.iter().all(|range| range.first >= 1 && range.first <= range.last), "{input}");
    assert!(config.max_moves_per_hour <= 12, "{input}");
    assert!(config.force_detach_after.is_none_or(|patience| patience.as_secs() <= 240), "{input}");
    assert!(!config.name.is_empty() && !config.name.contains('\n'), "{input}");
}

/// Answers every request with this body.
#[derive(Debug, Clone)]
struct Parrot(String);

impl HttpConnector for Parrot {
    fn call(&self, _request: HttpRequest) -> HttpConnectorFuture {
        let status = 200.try_into().expect("a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(self.0.as_str()))))
    }
}

impl HttpClient for Parrot {
    fn http_connector(
        &self,
        _settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

const RULES: &str = "<DescribeSecurityGroupRulesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>r</requestId>\
     <securityGroupRuleSet><item><securityGroupRuleId>sgr-0aaaaaaaaaaaaaaa1</securityGroupRuleId>\
     <groupId>sg-0fffffffffffffff1</groupId><isEgress>false</isEgress><ipProtocol>tcp</ipProtocol><fromPort>27007</fromPort>\
     <toPort>27008</toPort><cidrIpv4>10.0.0.0/16</cidrIpv4></item></securityGroupRuleSet></DescribeSecurityGroupRulesResponse>";

#[tokio::test(start_paused = true)]
async fn no_damaged_security_group_rule_opens_a_port() {
    let pieces = [
        "<cidrIpv6>2001:db8::/32</cidrIpv6>",
        "<prefixListId>pl-0aaaaaaaaaaaaaaa1</prefixListId>",
        "true",
        "false",
        "-1",
        "udp",
        "65536",
        "-2147483648",
        "999999999999",
        "0.0.0.0/0",
        "/33",
        "<item>",
        "</item>",
        "&amp;",
        "&#0;",
        "<!--",
        "icmp",
        "0",
        "<referencedGroupInfo><groupId>sg-0bbbbbbbbbbbbbbb2</groupId></referencedGroupInfo>",
        "<nextToken>x</nextToken>",
    ];
    let config = support::config(&[]);
    let usual = support::sdk_config(&simulator::pair().build());
    let group = [names::GROUP.parse().expect("an id")];
    let mut dice = Dice::new(3);
    let (tried, mut understood) = (inputs(ANSWERS), 0);
    for number in 0..tried {
        let answer = String::from_utf8_lossy(&damage(&mut dice, RULES.as_bytes(), &pieces)).into_owned();
        let sdk = usual.to_builder().http_client(Parrot(answer.clone())).build();
        let (ec2, ..) = aws::clients(&sdk, &config);
        let Ok(rules) = ec2.ingress_rules(&group).await else { continue };
        understood += 1;
        for rule in &rules {
            let (first, last) = rule.tcp_ports.unwrap_or((0, 0));
            assert!(first <= last, "answer {number}: {answer}");
        }
        // What lets everybody in must have said so.
        let open = coverage(&config.ports, &config.clients, &rules, &BTreeMap::new()).open_to_world;
        let says_so = rules.iter().any(|rule| match &rule.source {
            RuleSource::Cidr(IpNet::V4(range)) => range.prefix_len() == 0,
            RuleSource::Cidr(IpNet::V6(range)) => range.prefix_len() == 0,
            RuleSource::SecurityGroup(_) | RuleSource::PrefixList(_) => false,
        });
        assert!(open.is_empty() || (says_so && answer.contains("/0")), "answer {number}: {answer}");
    }
    assert!(understood > tried / 100, "hardly anything was understood: {understood}");
    print_figure("answers with security group rules", tried, understood);
}
