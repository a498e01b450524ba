//! The configuration of the standard pair, and the documents of the folder `events`.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;
use std::str::FromStr;

use serde_json::Value;
use simulator::names;
use token_failover::model::config::Config;

/// The folder of the project, for the tests of every package.
pub(crate) fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().find(|folder| folder.join("template.yaml").exists()).expect("the tests run in the project")
}

/// Parses a string that is known to be valid.
pub(crate) fn parsed<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

/// The variables of the standard pair, with changes. The value `-` removes a variable.
pub(crate) fn variables(changes: &[(&str, &str)]) -> Vec<(String, String)> {
    let members = format!("{},{}", names::HOLDER, names::STANDBY);
    let standard = [
        ("TOKEN_SERVER_INTERFACE_ID", names::INTERFACE),
        ("TOKEN_SERVER_INSTANCE_IDS", members.as_str()),
        ("NOTIFICATION_TOPIC_ARN", names::TOPIC),
        ("TOKEN_SERVER_NAME", "license-eu"),
        ("TOKEN_SERVER_PORTS", "27007-27008"),
        ("TOKEN_SERVER_CLIENTS", "10.0.0.0/16"),
        ("TOKEN_SERVER_ALLOCATION_ID", names::ALLOCATION),
        ("TOKEN_SERVER_HOSTID", "0273AE2ADC81"),
        ("AWS_REGION", names::REGION),
    ];
    let kept = standard.iter().filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    kept.chain(changes.iter().filter(|(_, value)| *value != "-"))
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// The parsed configuration of these variables.
pub(crate) fn config(changes: &[(&str, &str)]) -> Config {
    Config::from_variables(variables(changes)).expect("the configuration of a test is right")
}

/// A document of the folder `events`.
pub(crate) fn event(name: &str) -> Value {
    let path = root().join(format!("events/{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of the documents of the folder `events`.
pub(crate) fn documents() -> BTreeSet<String> {
    let entries = std::fs::read_dir(root().join("events")).expect("the folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
    names
        .filter(|name| name != "README.md")
        .map(|name| name.strip_suffix(".json").expect("a JSON document").to_owned())
        .collect()
}
