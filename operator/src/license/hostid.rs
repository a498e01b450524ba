//! Hostids: what FlexNet recognizes a machine by.
//!
//! Source: License Administration Guide, *Special Hostids* and *Hostids for Supported Platforms*.

use std::net::Ipv4Addr;

use serde::Serialize;
use token_failover::model::ids::MacAddress;

use crate::license::text::{is_one_of, key_and_value, number};

/// The hostid, by which FlexNet recognizes a machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hostid {
    /// A MAC address.
    Mac(MacAddress),
    /// Any machine: `ANY`, or `ID=n` or RLM's `SN=n`, which only number the license.
    Any,
    /// `INTERNET=`, or RLM's `IP=`: an IP address. `None`: a pattern of addresses.
    Internet(Option<Ipv4Addr>),
    /// `AMZN_EIP=`, an Elastic IP. `None`: not an address.
    ElasticIp(Option<Ipv4Addr>),
    /// `AMZN_AMI=`, an image from which instances are launched.
    Image,
    /// `HOSTNAME=`, or RLM's `HOST=`: the name of a machine.
    HostName,
    /// A hostid of this kind, such as `VM_UUID`. The reader does not keep its value.
    Other(String),
    /// A placeholder of the vendor's template that has not been replaced.
    Placeholder,
    /// Not a hostid.
    Unknown,
}

impl Hostid {
    /// Reads one word. Returns also whether it is a MAC address in another notation than 12 digits without separators, which
    /// is the documented one.
    pub(crate) fn from_word(word: &str) -> (Self, bool) {
        if let Ok(mac) = word.parse() {
            return (Self::Mac(mac), word.len() != 12);
        }
        if let Some((key, value)) = key_and_value(word) {
            let key = key.to_ascii_uppercase();
            // The value of another kind can look like a MAC address: `ID=` and `COMPOSITE=` have 12 digits.
            let is_mac = key.ends_with("HOSTID") || is_one_of(&key, &["ETHER", "ETHERNET"]);
            return match value.parse() {
                // A vendor's own key is as the vendor wrote it.
                Ok(mac) if is_mac => (Self::Mac(mac), !key.ends_with("HOSTID") || value.len() != 12),
                _ => (Self::of_kind(key, value), false),
            };
        }
        (Self::without_key(word), false)
    }

    fn of_kind(key: String, value: &str) -> Self {
        match key.as_str() {
            "ID" | "SN" => Self::Any,
            "INTERNET" | "IP" => Self::Internet(value.parse().ok()),
            "AMZN_EIP" => Self::ElasticIp(value.parse().ok()),
            "AMZN_AMI" => Self::Image,
            "HOSTNAME" | "HOST" => Self::HostName,
            _ if is_placeholder(value) => Self::Placeholder,
            _ => Self::Other(key),
        }
    }

    fn without_key(word: &str) -> Self {
        if word.eq_ignore_ascii_case("ANY") {
            return Self::Any;
        }
        if word.eq_ignore_ascii_case("DEMO") {
            return Self::Other("DEMO".to_owned());
        }
        let is_long = word.len() == 8 && word.bytes().all(|b| b.is_ascii_hexdigit());
        let is_decimal = word.strip_prefix('#').is_some_and(|digits| number(digits).is_some());
        if is_long || is_decimal {
            Self::Other("serial number".to_owned())
        } else if is_placeholder(word) {
            Self::Placeholder
        } else {
            Self::Unknown
        }
    }
}

/// Whether a host or a hostid is a placeholder such as `<hostname>`, `YOUR_HOST` or `HOSTID-HERE`. Vendors have no common
/// form for them, so this knows the usual words.
pub(crate) fn is_placeholder(word: &str) -> bool {
    const WORDS: [&str; 13] = [
        "changeme",
        "ethernetaddress",
        "hostid",
        "hostname",
        "hostnamehere",
        "macaddress",
        "myhostname",
        "placeholder",
        "servername",
        "serverhostname",
        "servermac",
        "thishostname",
        "xxxxxxxxxxxx",
    ];
    let is_bracketed = |(open, close)| word.starts_with(open) || word.ends_with(close);
    if [('<', '>'), ('[', ']'), ('{', '}'), ('$', '$')].into_iter().any(is_bracketed) {
        return true;
    }
    let lower = word.to_ascii_lowercase();
    let letters: String =
        word.chars().filter(|c| !matches!(c, '-' | '_' | '.')).map(|c| c.to_ascii_lowercase()).collect();
    let is_x = letters.len() > 2 && letters.bytes().all(|b| b == b'x');
    // `youreka.example.com` is a host, and `your-server` and `yourserver` are not.
    const THINGS: [&str; 9] = ["-", "_", ".", "ethernet", "host", "id", "license", "mac", "server"];
    let is_asked_for = ["your", "insert", "replace", "put", "enter"]
        .iter()
        .any(|verb| lower.strip_prefix(verb).is_some_and(|rest| THINGS.iter().any(|thing| rest.starts_with(thing))));
    let is_here = letters.ends_with("here") && THINGS.iter().skip(3).any(|thing| letters.contains(thing));
    WORDS.contains(&letters.as_str()) || is_x || is_asked_for || is_here
}
