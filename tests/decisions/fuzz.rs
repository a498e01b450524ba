//! Input from outside, damaged on purpose: event documents and configuration values.
//!
//! Each input is drawn from a seed, so a failure names the seed that reproduces it. `FUZZ_INPUTS` asks for more inputs
//! of each kind. The figures go to standard error.

use std::collections::BTreeMap;

use serde_json::Value;
use token_failover::decide::request::parse;
use token_failover::model::config::{Config, Members, VARIABLES};
use token_failover::model::request::Parsed;

use crate::damage::{damage, inputs, print_figure};
use crate::dice::Dice;
use crate::standard::{self, documents, event};

/// How many inputs of each kind a plain test run tries.
const INPUTS: u64 = 100_000;

#[test]
fn a_damaged_document_never_becomes_another_request() {
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
        // Input that is not JSON never reaches the function.
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
            Err(error) => assert!(document.get("action").is_some(), "input {number} is not a request, but {error}"),
        }
    }
    assert!(understood > tried / 100, "too few inputs were understood: {understood}");
    print_figure("event documents", tried, understood);
}

#[test]
fn every_accepted_damaged_configuration_has_valid_values() {
    let usual: BTreeMap<String, String> = standard::variables(&[
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
    assert!(understood > tried / 100, "too few inputs were understood: {understood}");
    print_figure("configurations", tried, understood);
}

/// Asserts what holds for every configuration that the function accepts.
fn assert_is_right(config: &Config, input: &str) {
    match &config.members {
        Members::Listed(ids) => {
            let different: std::collections::BTreeSet<_> = ids.iter().collect();
            assert!(different.len() >= 2 && different.len() == ids.len(), "{input}");
        }
        Members::Tagged(tag) => {
            assert!(!tag.key.is_empty() && !tag.value.is_empty(), "{input}");
            assert!(!tag.to_string().contains(['*', '?', '\\']), "{input}");
        }
    }
    assert!(config.device_index >= 1, "{input}");
    assert!(!config.ports.is_empty(), "{input}");
    assert!(config.ports.iter().all(|range| range.first >= 1 && range.first <= range.last), "{input}");
    assert!(config.max_moves_per_hour <= 12, "{input}");
    assert!(config.force_detach_after.is_none_or(|limit| limit.as_secs() <= 240), "{input}");
    assert!(!config.name.is_empty() && !config.name.contains('\n'), "{input}");
}
