//! Answers with pages: each reader reads all of them or fails, and never takes a part for the whole.

use std::collections::BTreeSet;

use simulator::world::Assumptions;
use simulator::{Scenario, Simulator, names};
use token_failover::model::error::{CallError, Meaning};
use token_failover::ports::{AutoScaling, Ec2, Sns, Ssm};

use token_failover_aws::{self as aws, SdkEc2, SdkSns, SdkSsm};

use crate::standard::{config, parsed};
use crate::wire::sdk_config;

const READERS: [&str; 9] = [
    "instances_in",
    "instances_with",
    "lifecycle_states",
    "ingress_rules",
    "prefix_list",
    "interface_limits",
    "security_groups",
    "subscriptions",
    "reachable_agents",
];

const LIST: &str = "pl-0123456789abcdef0";

/// The pair with `count` entries in every list, one on each page.
fn many(count: usize) -> Scenario {
    let assumptions = Assumptions { page_limit: Some(1), ..Assumptions::default() };
    let mut scenario = Scenario::empty()
        .assumptions(assumptions)
        .topic(names::TOPIC, |topic| (0..count).fold(topic, |topic, n| topic.email(&format!("{n}@example.com"))))
        .prefix_list(LIST, (0..count).map(|n| format!("10.{n}.0.0/16")))
        .security_group(names::GROUP, |group| {
            (0..count).fold(group.no_rules(), |group, n| {
                let port = u16::try_from(n).expect("few") + 1000;
                group.tcp(port..=port, "10.0.0.0/16")
            })
        });
    for n in 0..count {
        scenario = scenario
            .instance(&format!("i-0{n:016x}"), |instance| instance.interface_limit(n + 1).tag("token-server", "eu"))
            .security_group(&format!("sg-0{n:016x}"), |group| group);
    }
    let members = (0..count).map(|n| format!("i-0{n:016x}"));
    scenario.auto_scaling_group(names::AUTO_SCALING_GROUP, |group| group.members(members))
}

fn ports(simulator: &Simulator) -> (SdkEc2, SdkSns, SdkSsm) {
    aws::clients(&sdk_config(simulator), &config(&[]))
}

/// The number of entries that a reader finds.
async fn found(reader: &str, count: usize) -> Result<usize, CallError> {
    let simulator = many(count).build();
    let (ec2, sns, ssm) = ports(&simulator);
    let ids: Vec<String> = (0..count).map(|n| format!("0{n:016x}")).collect();
    match reader {
        "instances_in" => ec2.instances_in(names::VPC, names::ZONE).await.map(|found| found.len()),
        "instances_with" => {
            let tag = "token-server=eu".parse().expect("a tag");
            ec2.instances_with(&tag, None).await.map(|found| found.len())
        }
        "lifecycle_states" => {
            let members: Vec<_> = ids.iter().map(|id| parsed(&format!("i-{id}"))).collect();
            ec2.lifecycle_states(&members).await.map(|found| found.len())
        }
        "ingress_rules" => ec2.ingress_rules(&[parsed(names::GROUP)]).await.map(|found| found.len()),
        "prefix_list" => ec2.prefix_list(&parsed(LIST)).await.map(|found| found.len()),
        "interface_limits" => {
            let kinds = simulator.world(|world| {
                world.region().instances().map(|instance| instance.instance_type.clone()).collect::<BTreeSet<_>>()
            });
            ec2.interface_limits(&kinds).await.map(|found| found.len())
        }
        "security_groups" => {
            let groups = ids.iter().map(|id| parsed(&format!("sg-{id}"))).collect();
            ec2.security_groups(&groups).await.map(|found| found.len())
        }
        "subscriptions" => sns.subscriptions().await.map(|found| found.expect("the topic exists").len()),
        "reachable_agents" => {
            let members = ids.iter().map(|id| parsed(&format!("i-{id}"))).collect();
            ssm.reachable_agents(&members).await.map(|found| found.len())
        }
        other => panic!("unknown reader {other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn several_pages_are_read_to_the_end() {
    for reader in READERS {
        assert_eq!(found(reader, 7).await, Ok(7), "{reader}");
    }
}

#[tokio::test(start_paused = true)]
async fn more_pages_than_the_limit_are_an_error_and_never_a_shorter_list() {
    for reader in READERS {
        let error = found(reader, 40).await.expect_err(reader);
        assert_eq!(error.meaning, Meaning::Contradiction, "{reader}: {error}");
        assert!(error.message.starts_with("the answer has more than "), "{reader}: {error}");
    }
}
