//! Reads damaged answers with security group rules. The figures go to standard error.

use std::collections::BTreeMap;

use aws_sdk_ec2::config::http::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use ipnet::IpNet;
use simulator::names;
use token_failover::decide::security_group::coverage;
use token_failover::model::observation::RuleSource;
use token_failover::ports::Ec2;
use token_failover_aws as aws;

use crate::damage::{damage, inputs, print_figure};
use crate::dice::Dice;
use crate::standard;
use crate::wire;

/// Fewer inputs than elsewhere, because the SDK reads each of them.
const ANSWERS: u64 = 10_000;

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
    let config = standard::config(&[]);
    let usual = wire::sdk_config(&simulator::pair().build());
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
        // A rule that allows all clients must have a source that says so.
        let open = coverage(&config.ports, &config.clients, &rules, &BTreeMap::new()).open_to_world;
        let says_so = rules.iter().any(|rule| match &rule.source {
            RuleSource::Cidr(IpNet::V4(range)) => range.prefix_len() == 0,
            RuleSource::Cidr(IpNet::V6(range)) => range.prefix_len() == 0,
            RuleSource::SecurityGroup(_) | RuleSource::PrefixList(_) => false,
        });
        assert!(open.is_empty() || (says_so && answer.contains("/0")), "answer {number}: {answer}");
    }
    assert!(understood > tried / 100, "too few answers were understood: {understood}");
    print_figure("answers with security group rules", tried, understood);
}
