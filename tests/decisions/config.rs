//! The configuration: the default, the good and the bad values of every variable, and all problems at once.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use simulator::names;
use token_failover::model::config::{
    Activation, Client, Config, ConfigError, MemberTag, Members, PortRange, Problem, Repair, VARIABLES,
};

use crate::standard;
use crate::world::parsed;

const MEMBERS: &str = "i-0aaaaaaaaaaaaaaa1,i-0bbbbbbbbbbbbbbb2";

/// Reads the three required variables and these. A variable that is given here replaces its standard value.
fn read(more: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let required = [
        ("TOKEN_SERVER_INTERFACE_ID", names::INTERFACE),
        ("TOKEN_SERVER_INSTANCE_IDS", MEMBERS),
        ("NOTIFICATION_TOPIC_ARN", names::TOPIC),
    ];
    let variables = required.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::from_variables(variables)
}

/// The configuration from the three required variables alone.
fn defaults() -> Config {
    Config {
        name: names::INTERFACE.to_owned(),
        interface_id: parsed(names::INTERFACE),
        members: Members::Listed(vec![parsed(names::HOLDER), parsed(names::STANDBY)]),
        topic: parsed(names::TOPIC),
        ports: vec![PortRange { first: 27007, last: 27007 }],
        clients: Vec::new(),
        allocation_id: None,
        hostid: None,
        license_expires: None,
        vendors: vec!["MOSEKLM".to_owned()],
        license_contact: "support@mosek.com".to_owned(),
        device_index: 1,
        probe: false,
        license_check: None,
        license_metrics: false,
        start_standby: true,
        on_impaired: true,
        on_announcement: false,
        force_detach_after: Some(Duration::from_secs(30)),
        max_moves_per_hour: 3,
        repair: Repair { elastic_ip: true, delete_on_termination: true, security_group: false },
        activation: None,
        region: None,
    }
}

/// Each value of the variable gives the defaults with one change.
#[track_caller]
fn makes<T>(variable: &str, table: impl IntoIterator<Item = (&'static str, T)>, change: impl Fn(&mut Config, T)) {
    for (value, meaning) in table {
        let mut expected = defaults();
        change(&mut expected, meaning);
        assert_eq!(read(&[(variable, value)]), Ok(expected), "{variable}={value:?}");
    }
}

fn problem(variable: &str, value: Option<&str>, expected: &str) -> Problem {
    Problem { variable: variable.to_owned(), value: value.map(str::to_owned), expected: expected.to_owned() }
}

/// Each value of the variable is a problem, and the only one.
#[track_caller]
fn refuses(variable: &str, expected: &str, values: &[&str]) {
    for value in values {
        let problems = vec![problem(variable, Some(value), expected)];
        assert_eq!(read(&[(variable, value)]), Err(ConfigError { problems }), "{variable}={value:?}");
    }
}

const INTERFACE: &str = "a network interface id such as eni-0123456789abcdef0";
/// What a list of members must be.
const MEMBER_IDS: &str =
    "two or more instance ids, comma-separated, most preferred first, such as i-0123456789abcdef0,i-0fedcba9876543210";
/// What the list of members must be if there is no tag either.
const INSTANCES: &str = "two or more instance ids, comma-separated, most preferred first, such as \
                         i-0123456789abcdef0,i-0fedcba9876543210, or a tag of the members in TOKEN_SERVER_MEMBERS";
const TOPIC: &str = "the ARN of an SNS topic such as arn:aws:sns:eu-west-1:123456789012:token-failover";

#[test]
fn three_variables_are_enough() {
    assert_eq!(read(&[]), Ok(defaults()));
}

#[test]
fn without_variables_exactly_the_three_required_ones_are_missing() {
    let problems = vec![
        problem("TOKEN_SERVER_INTERFACE_ID", None, INTERFACE),
        problem("TOKEN_SERVER_INSTANCE_IDS", None, INSTANCES),
        problem("NOTIFICATION_TOPIC_ARN", None, TOPIC),
    ];
    assert_eq!(Config::from_variables([]), Err(ConfigError { problems }));
}

#[test]
fn a_required_variable_that_is_empty_or_only_spaces_is_a_problem() {
    refuses("TOKEN_SERVER_INTERFACE_ID", INTERFACE, &["", "  "]);
    refuses("TOKEN_SERVER_INSTANCE_IDS", INSTANCES, &["", "  "]);
    refuses("NOTIFICATION_TOPIC_ARN", TOPIC, &["", "  "]);
}

#[test]
fn an_optional_variable_that_is_empty_or_only_spaces_counts_as_not_set() {
    let optional = VARIABLES.iter().filter(|name| {
        !["TOKEN_SERVER_INTERFACE_ID", "TOKEN_SERVER_INSTANCE_IDS", "NOTIFICATION_TOPIC_ARN", "FAILOVER_REPAIR"]
            .contains(name)
    });
    for variable in optional {
        assert_eq!(read(&[(variable, "")]), Ok(defaults()), "{variable}");
        assert_eq!(read(&[(variable, " \t ")]), Ok(defaults()), "{variable}");
    }
}

#[test]
fn spaces_around_a_value_never_matter() {
    let padded = read(&[
        ("TOKEN_SERVER_INTERFACE_ID", " eni-0ddddddddddddddd1 "),
        ("TOKEN_SERVER_INSTANCE_IDS", " i-0aaaaaaaaaaaaaaa1 , i-0bbbbbbbbbbbbbbb2\n"),
        ("NOTIFICATION_TOPIC_ARN", "\tarn:aws:sns:eu-west-1:123456789012:token-failover "),
        ("TOKEN_SERVER_PORTS", " 27007 - 27008 "),
        ("TOKEN_SERVER_DEVICE_INDEX", " 2 "),
        ("FAILOVER_START_STANDBY", " false "),
        ("FAILOVER_REPAIR", " elastic-ip , security-group "),
        ("AWS_REGION", " eu-west-1 "),
    ]);
    let expected = Config {
        ports: vec![PortRange { first: 27007, last: 27008 }],
        device_index: 2,
        start_standby: false,
        repair: Repair { elastic_ip: true, delete_on_termination: false, security_group: true },
        region: Some("eu-west-1".to_owned()),
        ..defaults()
    };
    assert_eq!(padded, Ok(expected));
}

#[test]
fn the_interface_is_one_interface() {
    let values =
        ["eni-", "i-0aaaaaaaaaaaaaaa1", "eni-0ddddddddddddddd1,eni-0ddddddddddddddd2", "ENI-0DDDDDDDDDDDDDDD1"];
    refuses("TOKEN_SERVER_INTERFACE_ID", INTERFACE, &values);
}

/// The lines of a parameter of the template, with the comments in between.
fn parameter(name: &str) -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/template.yaml");
    let template = std::fs::read_to_string(path).expect("the template");
    let lines = template.lines().skip_while(|line| *line != format!("  {name}:")).skip(1);
    lines.take_while(|line| line.starts_with("    ")).map(str::to_owned).collect()
}

#[test]
fn the_template_and_the_function_have_the_same_limits_for_every_number() {
    let numbers = [
        ("TokenServerDeviceIndex", "TOKEN_SERVER_DEVICE_INDEX"),
        ("FailoverForceDetachAfterSeconds", "FAILOVER_FORCE_DETACH_AFTER_SECONDS"),
        ("FailoverMaxMovesPerHour", "FAILOVER_MAX_MOVES_PER_HOUR"),
    ];
    for (name, variable) in numbers {
        let lines = parameter(name);
        let bound = |bound: &str| -> i64 {
            let line = lines.iter().find_map(|line| line.trim().strip_prefix(&format!("{bound}: ")));
            line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} has no {bound}: {lines:?}"))
        };
        let (least, most) = (bound("MinValue"), bound("MaxValue"));
        for (value, is_accepted) in [(least - 1, false), (least, true), (most, true), (most + 1, false)] {
            let variables = standard::variables(&[(variable, &value.to_string())]);
            assert_eq!(Config::from_variables(variables).is_ok(), is_accepted, "{variable}={value}");
        }
        // A comment that names a limit must name the same one.
        let comments = lines.iter().filter(|line| line.trim().starts_with('#'));
        let named = comments.flat_map(|line| line.split("up to ").skip(1).map(str::to_owned).collect::<Vec<_>>());
        for words in named {
            let number = words.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
            assert_eq!(number, most.to_string(), "{name}: up to {words}");
        }
    }
}

#[test]
fn the_members_are_two_or_more_instances_in_the_order_of_preference() {
    let table = [
        ("i-0bbbbbbbbbbbbbbb2,i-0aaaaaaaaaaaaaaa1", vec![names::STANDBY, names::HOLDER]),
        ("i-1a2b3c4d,i-0aaaaaaaaaaaaaaa1,i-5e6f7a8b", vec!["i-1a2b3c4d", names::HOLDER, "i-5e6f7a8b"]),
    ];
    makes("TOKEN_SERVER_INSTANCE_IDS", table, |config, members| {
        config.members = Members::Listed(members.into_iter().map(parsed).collect())
    });
    let values = [
        "i-0aaaaaaaaaaaaaaa1",
        "i-0aaaaaaaaaaaaaaa1,",
        ",i-0aaaaaaaaaaaaaaa1,i-0bbbbbbbbbbbbbbb2",
        "i-0aaaaaaaaaaaaaaa1 i-0bbbbbbbbbbbbbbb2",
        "i-0aaaaaaaaaaaaaaa1;i-0bbbbbbbbbbbbbbb2",
        "i-0aaaaaaaaaaaaaaa1,standby",
        "i-0aaaaaaaaaaaaaaa1,eni-0ddddddddddddddd1",
    ];
    refuses("TOKEN_SERVER_INSTANCE_IDS", MEMBER_IDS, &values);
}

#[test]
fn a_tag_names_the_members_instead_of_a_list() {
    const MEMBERS: &str = "TOKEN_SERVER_MEMBERS";
    let by_tag = |value: &str| {
        let others = [(MEMBERS, value), ("TOKEN_SERVER_INSTANCE_IDS", "")];
        let required = [("TOKEN_SERVER_INTERFACE_ID", names::INTERFACE), ("NOTIFICATION_TOPIC_ARN", names::TOPIC)];
        let variables = required.iter().chain(&others).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::from_variables(variables)
    };
    let tag = |key: &str, value: &str| Members::Tagged(MemberTag { key: key.to_owned(), value: value.to_owned() });
    for (value, members) in [
        ("token-server=license-eu", tag("token-server", "license-eu")),
        (" Role = token server ", tag("Role", "token server")),
        ("aws:autoscaling:groupName=token-server", tag("aws:autoscaling:groupName", "token-server")),
        ("key=a=b", tag("key", "a=b")),
        ("größe=ü", tag("größe", "ü")),
    ] {
        assert_eq!(by_tag(value), Ok(Config { members, ..defaults() }), "{value}");
    }
    let long = format!("{}=x", "k".repeat(129));
    for value in ["token-server", "token-server=", "=license-eu", "key=lic*", "key=lic?", "key=a\\b", "key=a,b", &long]
    {
        let expected = "a tag of the members as key=value, such as token-server=license-eu";
        let problems = vec![problem(MEMBERS, Some(value), expected)];
        assert_eq!(by_tag(value), Err(ConfigError { problems }), "{value}");
    }
}

#[test]
fn exactly_one_of_the_list_and_the_tag_is_required_and_the_error_names_both() {
    let both = "either this or TOKEN_SERVER_INSTANCE_IDS, and not both";
    let problems = vec![problem("TOKEN_SERVER_MEMBERS", Some("a=b"), both)];
    assert_eq!(read(&[("TOKEN_SERVER_MEMBERS", "a=b")]), Err(ConfigError { problems }));
    let neither = format!("{MEMBER_IDS}, or a tag of the members in TOKEN_SERVER_MEMBERS");
    let problems = vec![problem("TOKEN_SERVER_INSTANCE_IDS", Some(""), &neither)];
    assert_eq!(read(&[("TOKEN_SERVER_INSTANCE_IDS", "")]), Err(ConfigError { problems }));
}

#[test]
fn a_member_that_is_named_twice_is_a_problem() {
    let values =
        ["i-0aaaaaaaaaaaaaaa1,i-0aaaaaaaaaaaaaaa1", "i-0aaaaaaaaaaaaaaa1,i-0bbbbbbbbbbbbbbb2, i-0aaaaaaaaaaaaaaa1"];
    refuses("TOKEN_SERVER_INSTANCE_IDS", "each instance id only once", &values);
}

#[test]
fn the_topic_may_be_standard_or_fifo_in_any_partition() {
    let table = [
        "arn:aws-cn:sns:cn-north-1:123456789012:token-failover",
        "arn:aws-us-gov:sns:us-gov-west-1:123456789012:token-failover",
        "arn:aws:sns:eu-west-1:123456789012:token-failover.fifo",
    ];
    makes("NOTIFICATION_TOPIC_ARN", table.map(|arn| (arn, arn)), |config, arn| config.topic = parsed(arn));
    let values = [
        "token-failover",
        "arn:aws:sqs:eu-west-1:123456789012:q",
        "https://sns.eu-west-1.amazonaws.com/token-failover",
    ];
    refuses("NOTIFICATION_TOPIC_ARN", TOPIC, &values);
}

#[test]
fn the_name_defaults_to_the_interfaces_id() {
    let longest: &'static str = "ü".repeat(64).leak();
    let table = [
        ("license-eu", "license-eu"),
        (" license eu ", "license eu"),
        ("Lizenzserver Köln", "Lizenzserver Köln"),
        (longest, longest),
    ];
    makes("TOKEN_SERVER_NAME", table, |config, name| config.name = name.to_owned());
    let expected = "up to 64 letters, digits, spaces and ASCII punctuation marks";
    refuses("TOKEN_SERVER_NAME", expected, &[&"n".repeat(65), "license\neu", "license\u{7}eu", "license\teu"]);
}

#[test]
fn a_name_that_could_falsify_a_mail_is_a_problem() {
    let expected = "up to 64 letters, digits, spaces and ASCII punctuation marks";
    let names = ["license\u{202E}eu", "license\u{200B}eu", "\u{2066}license", "license\u{A0}eu", "license \u{1F3ED}"];
    refuses("TOKEN_SERVER_NAME", expected, &names);
}

#[test]
fn ports_are_numbers_and_ranges_in_the_given_order() {
    let table = [
        ("1", vec![(1, 1)]),
        ("65535", vec![(65535, 65535)]),
        ("1-65535", vec![(1, 65535)]),
        ("27007,27010-27012", vec![(27007, 27007), (27010, 27012)]),
        ("27010, 27007", vec![(27010, 27010), (27007, 27007)]),
        ("27007-27007", vec![(27007, 27007)]),
    ];
    makes("TOKEN_SERVER_PORTS", table, |config, ports| {
        config.ports = ports.into_iter().map(|(first, last)| PortRange { first, last }).collect();
    });
    let values = [
        "0",
        "65536",
        "-1",
        "+27007",
        "27008-27007",
        "0-27007",
        "27007-",
        "-27007",
        "27007-27008-27009",
        "27007,,27008",
        "27007,",
        "http",
        "27007/tcp",
    ];
    refuses("TOKEN_SERVER_PORTS", "TCP ports from 1 to 65535, comma-separated, such as 27007,27010-27012", &values);
}

#[test]
fn a_port_that_is_named_twice_is_a_problem() {
    let values =
        ["27007,27007", "27007-27010,27010", "27008,27007-27009", "1-65535,27007", "1,27007-27009,27009-27012"];
    refuses("TOKEN_SERVER_PORTS", "each port only once", &values);
    let adjacent = [("27007-27008,27009", vec![(27007, 27008), (27009, 27009)])];
    makes("TOKEN_SERVER_PORTS", adjacent, |config, ports| {
        config.ports = ports.into_iter().map(|(first, last)| PortRange { first, last }).collect();
    });
}

#[test]
fn a_client_that_is_named_twice_is_kept_at_its_first_place() {
    let table = [
        ("10.0.0.0/16,10.0.0.0/16", vec!["10.0.0.0/16"]),
        ("10.1.0.0/16,10.0.0.0/16,10.1.2.3/16", vec!["10.1.0.0/16", "10.0.0.0/16"]),
        ("pl-63a5400a,sg-0fffffffffffffff1,pl-63a5400a", vec!["pl-63a5400a", "sg-0fffffffffffffff1"]),
        // A range inside another one is still a different range.
        ("10.0.0.0/8,10.0.0.0/16", vec!["10.0.0.0/8", "10.0.0.0/16"]),
    ];
    makes("TOKEN_SERVER_CLIENTS", table, |config, clients| config.clients = clients.into_iter().map(parsed).collect());
}

#[test]
fn clients_are_address_ranges_security_groups_and_prefix_lists() {
    let cidr = |text: &str| Client::Cidr(parsed(text));
    let table = [
        ("10.0.0.0/16", vec![cidr("10.0.0.0/16")]),
        ("10.1.2.3/32", vec![cidr("10.1.2.3/32")]),
        ("2001:db8::/32, 0.0.0.0/0", vec![cidr("2001:db8::/32"), cidr("0.0.0.0/0")]),
        (
            "sg-0fffffffffffffff1,pl-63a5400a",
            vec![Client::SecurityGroup(parsed(names::GROUP)), Client::PrefixList(parsed("pl-63a5400a"))],
        ),
    ];
    makes("TOKEN_SERVER_CLIENTS", table, |config, clients| config.clients = clients);
    let values = [
        "10.0.0.0",
        "10.0.0.0/33",
        "2001:db8::/129",
        "10.0.0/16",
        "sg-",
        "sg-clients",
        "pl-1",
        "everybody",
        "10.0.0.0/16;10.1.0.0/16",
    ];
    let expected =
        "CIDR ranges, security group ids or prefix list ids, comma-separated, such as 10.0.0.0/16,sg-0123456789abcdef0";
    refuses("TOKEN_SERVER_CLIENTS", expected, &values);
}

#[test]
fn a_client_range_loses_its_host_bits_as_in_ec2() {
    let table = [("10.1.2.3/8", "10.0.0.0/8"), ("2001:db8::1/32", "2001:db8::/32")];
    makes("TOKEN_SERVER_CLIENTS", table, |config, net| config.clients = vec![Client::Cidr(parsed(net))]);
}

#[test]
fn the_elastic_ip_is_configured_by_its_allocation_id() {
    makes("TOKEN_SERVER_ALLOCATION_ID", [(names::ALLOCATION, names::ALLOCATION)], |config, id| {
        config.allocation_id = Some(parsed(id));
    });
    let expected = "an allocation id such as eipalloc-0123456789abcdef0";
    refuses("TOKEN_SERVER_ALLOCATION_ID", expected, &["203.0.113.50", "eipassoc-0eeeeeeeeeeeeeee1", "eipalloc-1"]);
}

#[test]
fn the_hostid_is_a_mac_address_in_any_notation() {
    let table = ["0273ae2adc81", "0273AE2ADC81", "02:73:ae:2a:dc:81", "02-73-AE-2A-DC-81", "0273.ae2a.dc81"];
    makes("TOKEN_SERVER_HOSTID", table.map(|text| (text, names::MAC)), |config, mac| config.hostid = Some(parsed(mac)));
    let values = ["0273ae2adc8", "ANY", "DEMO", "INTERNET=10.0.1.50"];
    refuses("TOKEN_SERVER_HOSTID", "a MAC address such as 0273ae2adc81 or 02:73:ae:2a:dc:81", &values);
}

#[test]
fn the_last_day_of_the_license_is_a_whole_date() {
    makes(
        "TOKEN_SERVER_LICENSE_EXPIRES",
        [("2031-12-31", "2031-12-31"), (" 2028-02-29 ", "2028-02-29")],
        |config, day| {
            config.license_expires = Some(day.parse().expect("a day"));
        },
    );
    let values = ["31-dec-2031", "2031-12", "2031-2-1", "2027-02-29", "permanent", "0", "2031-12-31T00:00:00Z"];
    refuses("TOKEN_SERVER_LICENSE_EXPIRES", "a date such as 2031-12-31", &values);
}

#[test]
fn vendor_daemons_are_a_list_of_different_names() {
    makes(
        "TOKEN_SERVER_VENDORS",
        [("acmed", vec!["acmed"]), ("MOSEKLM, x.y-z_1", vec!["MOSEKLM", "x.y-z_1"])],
        |config, names| {
            config.vendors = names.into_iter().map(str::to_owned).collect();
        },
    );
    let expected = "the names of vendor daemons, comma-separated, such as MOSEKLM";
    refuses("TOKEN_SERVER_VENDORS", expected, &["MOSEKLM,", "/opt/mosek/MOSEKLM", "MOSEK LM", "<vendor>"]);
    refuses("TOKEN_SERVER_VENDORS", "each vendor daemon only once", &["MOSEKLM,moseklm"]);
}

#[test]
fn the_contact_is_words_for_a_mail() {
    let contacts = ["licenses@example.com", "the support of Acme"];
    makes("TOKEN_SERVER_LICENSE_CONTACT", contacts.map(|words| (words, words)), |config, words| {
        config.license_contact = words.to_owned();
    });
    let expected = "a mail address or other words of up to 128 letters, digits, spaces and ASCII punctuation marks";
    refuses("TOKEN_SERVER_LICENSE_CONTACT", expected, &["a\u{202e}b", "a\nb", &"x".repeat(129)]);
}

#[test]
fn the_device_index_is_never_0() {
    makes("TOKEN_SERVER_DEVICE_INDEX", [("1", 1), ("2", 2), ("255", 255)], |config, index| config.device_index = index);
    let expected = "a device index from 1 to 255; an interface at index 0 could never be detached again";
    refuses("TOKEN_SERVER_DEVICE_INDEX", expected, &["0", "256", "65537", "-1", "+1", "1.0", "eth1", "99999999999"]);
}

#[test]
fn a_switch_is_true_or_false_and_nothing_else() {
    let table = [("true", true), ("false", false)];
    makes("FAILOVER_START_STANDBY", table, |config, on| config.start_standby = on);
    makes("FAILOVER_ON_IMPAIRED", table, |config, on| config.on_impaired = on);
    makes("TOKEN_SERVER_PROBE", table, |config, on| config.probe = on);
    for variable in
        ["FAILOVER_START_STANDBY", "FAILOVER_ON_IMPAIRED", "TOKEN_SERVER_PROBE", "TOKEN_SERVER_LICENSE_METRICS"]
    {
        refuses(variable, "true or false", &["True", "FALSE", "yes", "no", "1", "0", "on"]);
    }
}

#[test]
fn the_license_check_has_a_document_and_perhaps_metrics() {
    const CHECK: &str = "TOKEN_SERVER_LICENSE_CHECK_DOCUMENT";
    const METRICS: &str = "TOKEN_SERVER_LICENSE_METRICS";
    let document = "stack-CheckLicense-1ABC";
    makes(CHECK, [(document, parsed(document))], |config, document| config.license_check = Some(document));
    refuses(
        CHECK,
        "the name or ARN of a Systems Manager command document, such as token-failover-restart",
        &["a b", "$"],
    );
    let both = Config { license_check: Some(parsed(document)), license_metrics: true, ..defaults() };
    assert_eq!(read(&[(CHECK, document), (METRICS, "true")]), Ok(both));
    assert_eq!(read(&[(METRICS, "false")]), Ok(defaults()));
    let expected = "the document whose counts TOKEN_SERVER_LICENSE_METRICS makes metrics";
    let problems = vec![problem(CHECK, None, expected)];
    assert_eq!(read(&[(METRICS, "true")]), Err(ConfigError { problems }));
}

#[test]
fn a_forced_detach_comes_after_a_number_of_seconds_or_never() {
    let table = [("0", None), ("1", Some(1)), ("45", Some(45)), ("240", Some(240))];
    makes("FAILOVER_FORCE_DETACH_AFTER_SECONDS", table, |config, seconds| {
        config.force_detach_after = seconds.map(Duration::from_secs);
    });
    let values = ["241", "-1", "+1", "30s", "0.5", "never"];
    refuses("FAILOVER_FORCE_DETACH_AFTER_SECONDS", "a number of seconds from 0 (never force) to 240", &values);
}

#[test]
fn the_limit_on_moves_is_from_0_to_the_12_that_a_tag_can_hold() {
    makes("FAILOVER_MAX_MOVES_PER_HOUR", [("0", 0), ("1", 1), ("12", 12)], |config, limit| {
        config.max_moves_per_hour = limit
    });
    refuses("FAILOVER_MAX_MOVES_PER_HOUR", "a number from 0 to 12", &["13", "-1", "+1", "three", "3/h"]);
}

#[test]
fn only_listed_repairs_are_allowed_and_an_empty_list_allows_none() {
    let repair = |elastic_ip, delete_on_termination, security_group| Repair {
        elastic_ip,
        delete_on_termination,
        security_group,
    };
    let table = [
        ("", repair(false, false, false)),
        ("  ", repair(false, false, false)),
        ("elastic-ip", repair(true, false, false)),
        ("delete-on-termination", repair(false, true, false)),
        ("security-group", repair(false, false, true)),
        ("security-group,delete-on-termination,elastic-ip", repair(true, true, true)),
    ];
    makes("FAILOVER_REPAIR", table, |config, repair| config.repair = repair);
    let expected =
        "any of elastic-ip, delete-on-termination and security-group, comma-separated, or empty to repair nothing";
    refuses(
        "FAILOVER_REPAIR",
        expected,
        &["all", "none", "elastic_ip", "Elastic-IP", "elastic-ip security-group", "elastic-ip,eip,all"],
    );
}

#[test]
fn four_mistakes_are_reported_at_once_in_the_order_of_the_documentation() {
    let error = read(&[
        ("FAILOVER_START_STANDBY", "yes"),
        ("TOKEN_SERVER_PORTS", "27007-"),
        ("TOKEN_SERVER_INSTANCE_IDS", "i-0aaaaaaaaaaaaaaa1"),
        ("TOKEN_SERVER_INTERFACE_ID", "eni-1"),
    ])
    .expect_err("four mistakes");
    assert_eq!(
        error.problems,
        [
            problem("TOKEN_SERVER_INTERFACE_ID", Some("eni-1"), INTERFACE),
            problem("TOKEN_SERVER_INSTANCE_IDS", Some("i-0aaaaaaaaaaaaaaa1"), MEMBER_IDS),
            problem(
                "TOKEN_SERVER_PORTS",
                Some("27007-"),
                "TCP ports from 1 to 65535, comma-separated, such as 27007,27010-27012"
            ),
            problem("FAILOVER_START_STANDBY", Some("yes"), "true or false"),
        ]
    );
    assert_eq!(
        error.to_string(),
        "The configuration has 4 problems. No AWS call was made.\n\
         - TOKEN_SERVER_INTERFACE_ID is \"eni-1\"; expected a network interface id such as eni-0123456789abcdef0\n\
         - TOKEN_SERVER_INSTANCE_IDS is \"i-0aaaaaaaaaaaaaaa1\"; expected two or more instance ids, comma-separated, most \
         preferred first, such as i-0123456789abcdef0,i-0fedcba9876543210\n\
         - TOKEN_SERVER_PORTS is \"27007-\"; expected TCP ports from 1 to 65535, comma-separated, such as 27007,27010-27012\n\
         - FAILOVER_START_STANDBY is \"yes\"; expected true or false"
    );
}

#[test]
fn one_mistake_is_one_problem_and_a_missing_variable_says_so() {
    let variables = [("TOKEN_SERVER_INTERFACE_ID", names::INTERFACE), ("TOKEN_SERVER_INSTANCE_IDS", MEMBERS)];
    let error = Config::from_variables(variables.map(|(name, value)| (name.to_owned(), value.to_owned())))
        .expect_err("no topic");
    assert_eq!(
        error.to_string(),
        "The configuration has 1 problem. No AWS call was made.\n\
         - NOTIFICATION_TOPIC_ARN is not set; expected the ARN of an SNS topic such as \
         arn:aws:sns:eu-west-1:123456789012:token-failover"
    );
}

#[test]
fn a_misspelled_setting_is_a_problem() {
    let known = format!("one of {}", VARIABLES.join(", "));
    for (variable, value) in
        [("TOKEN_SERVER_PORT", "27007"), ("FAILOVER_REPAIRS", ""), ("TOKEN_SERVER_CLIENT", "10.0.0.0/16")]
    {
        let problems = vec![problem(variable, Some(value), &known)];
        assert_eq!(read(&[(variable, value)]), Err(ConfigError { problems }), "{variable}");
    }
}

const DOCUMENT: &str = "FAILOVER_ACTIVATION_DOCUMENT";
const PARAMETERS: &str = "FAILOVER_ACTIVATION_PARAMETERS";

#[test]
fn the_activation_is_a_systems_manager_document() {
    let arn = "arn:aws:ssm:eu-west-1:123456789012:document/token-failover-restart";
    let table = ["AWS-RunShellScript", "restart_lmgrd.v2", arn].map(|name| (name, name));
    makes(DOCUMENT, table, |config, name| {
        config.activation = Some(Activation { document: parsed(name), parameters: BTreeMap::new() });
    });
    let expected = "the name or ARN of a Systems Manager command document, such as token-failover-restart";
    refuses(DOCUMENT, expected, &["no", "restart lmgrd", "restart;lmgrd", &"d".repeat(129)]);
}

#[test]
fn the_documents_parameters_become_lists() {
    let read = |parameters| {
        read(&[(DOCUMENT, "AWS-RunShellScript"), (PARAMETERS, parameters)]).map(|config| config.activation)
    };
    let commands = ["systemctl restart lmgrd", "systemctl is-active lmgrd"].map(str::to_owned).to_vec();
    let parameters =
        BTreeMap::from([("commands".to_owned(), commands), ("executionTimeout".to_owned(), vec!["60".to_owned()])]);
    let text = r#" {"commands": ["systemctl restart lmgrd", "systemctl is-active lmgrd"], "executionTimeout": "60"} "#;
    assert_eq!(read(text), Ok(Some(Activation { document: parsed("AWS-RunShellScript"), parameters })));
    let none = Activation { document: parsed("AWS-RunShellScript"), parameters: BTreeMap::new() };
    assert_eq!(read("{}"), Ok(Some(none)));
}

#[test]
fn the_problem_of_invalid_parameters_does_not_repeat_them() {
    for parameters in ["commands", "[]", r#"{"commands": 1}"#, r#"{"commands": [["a"]]}"#, r#"{"secret": "hush""#] {
        let expected = "a JSON object with a string or a list of strings for each parameter of the document, such as \
                        {\"Service\":[\"lmgrd\"]}";
        let problems = vec![problem(PARAMETERS, Some("(not shown)"), expected)];
        assert_eq!(
            read(&[(DOCUMENT, "token-failover-restart"), (PARAMETERS, parameters)]),
            Err(ConfigError { problems })
        );
    }
    let expected = "the document that FAILOVER_ACTIVATION_PARAMETERS belongs to";
    assert_eq!(
        read(&[(PARAMETERS, "{}")]),
        Err(ConfigError { problems: vec![problem(DOCUMENT, None, expected)] }),
        "parameters of nothing"
    );
}

#[test]
fn the_documents_parameters_are_not_logged() {
    let config = read(&[(DOCUMENT, "AWS-RunShellScript"), (PARAMETERS, r#"{"commands": "hush"}"#)]).expect("settings");
    let logged = serde_json::to_string(&config).expect("JSON");
    assert!(logged.contains("AWS-RunShellScript") && !logged.contains("hush"), "{logged}");
}

#[test]
fn a_misspelled_setting_comes_after_the_problems_of_known_settings() {
    let error = read(&[("FAILOVER_ZEAL", "1"), ("FAILOVER_REPAIR", "all"), ("FAILOVER_COURAGE", "2")])
        .expect_err("three mistakes");
    let variables: Vec<&str> = error.problems.iter().map(|problem| problem.variable.as_str()).collect();
    assert_eq!(variables, ["FAILOVER_REPAIR", "FAILOVER_COURAGE", "FAILOVER_ZEAL"]);
}

#[test]
fn variables_of_other_programs_are_ignored() {
    let others = [
        ("PATH", "/bin"),
        ("NOTIFICATION_SOUND", "loud"),
        ("AWS_LAMBDA_FUNCTION_NAME", "token-failover"),
        ("token_server_port", "1"),
    ];
    assert_eq!(read(&others), Ok(defaults()));
}

proptest! {
    #[test]
    fn a_range_of_ports_is_written_as_it_is_read(one in 1..=u16::MAX, other in 1..=u16::MAX) {
        let range = PortRange { first: one.min(other), last: one.max(other) };
        prop_assert_eq!(range.to_string().parse(), Ok(range));
    }

    #[test]
    fn a_client_is_written_as_it_is_read(bits in any::<u128>(), length in 0..=128u8, digits in "[0-9a-f]{17}") {
        let v6 = format!("{}/{length}", std::net::Ipv6Addr::from(bits));
        let v4 = format!("{}/{}", std::net::Ipv4Addr::from((bits >> 96) as u32), length / 4);
        for text in [v4, v6, format!("sg-{digits}"), format!("pl-{digits}")] {
            let client: Client = text.parse().expect("a client");
            prop_assert_eq!(client.to_string().parse(), Ok(client));
        }
    }

    #[test]
    fn no_value_makes_the_reader_panic_and_every_problem_names_its_variable(
        values in proptest::collection::vec("\\PC{0,30}|[0-9,. -]{0,12}", VARIABLES.len()),
    ) {
        let variables = VARIABLES.iter().zip(&values).map(|(name, value)| ((*name).to_owned(), value.clone()));
        if let Err(error) = Config::from_variables(variables) {
            prop_assert!(!error.problems.is_empty());
            for problem in &error.problems {
                let place = VARIABLES.iter().position(|name| *name == problem.variable).expect("a known variable");
                let shown = if problem.variable == PARAMETERS { "(not shown)" } else { &values[place] };
                prop_assert_eq!(problem.value.as_deref(), Some(shown));
            }
        }
    }
}
