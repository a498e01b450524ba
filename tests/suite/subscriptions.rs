//! Subscriptions: only a confirmed one receives the reports, and without one no mail can report that.

use serde_json::Value;
use simulator::{Scenario, names};
use token_failover::model::finding::{Finding, Severity};
use token_failover::model::report::Report;
use token_failover::tell::metrics;

use crate::standard::event;
use crate::support::Stage;

const COLLEAGUE: &str = "colleague@example.com";

/// The state of an address's subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Confirmed,
    Pending,
    Unsubscribed,
}

use Standing::{Confirmed, Pending, Unsubscribed};

fn stage(addresses: &[(&str, Standing)]) -> Stage {
    let scenario: Scenario = simulator::pair().topic(names::TOPIC, |topic| {
        addresses.iter().fold(topic.no_subscriptions(), |topic, (address, standing)| match standing {
            Confirmed | Unsubscribed => topic.email(address),
            Pending => topic.pending_email(address),
        })
    });
    let stage = Stage::recorded(scenario.build(), &[], Box::new(|_| ()));
    for (address, _) in addresses.iter().filter(|(_, standing)| *standing == Unsubscribed) {
        stage.simulator.world(|world| world.unsubscribe(names::TOPIC, address)).expect("the topic exists");
    }
    stage
}

async fn audit(addresses: &[(&str, Standing)]) -> Report {
    stage(addresses).invoke(event("operator-audit")).await.expect("a report")
}

fn about_subscriptions(report: &Report) -> Vec<&Finding> {
    let codes = ["no-subscription", "subscription-unconfirmed"];
    report.findings.iter().filter(|finding| codes.contains(&finding.code.as_str())).collect()
}

#[tokio::test(start_paused = true)]
async fn only_a_confirmed_subscription_counts_and_without_one_nothing_is_ready() {
    let standings = [None, Some(Confirmed), Some(Pending), Some(Unsubscribed)];
    for first in standings {
        for second in standings {
            let addresses = [(names::SUBSCRIBER, first), (COLLEAGUE, second)];
            let addresses: Vec<(&str, Standing)> =
                addresses.into_iter().filter_map(|(address, standing)| Some((address, standing?))).collect();

            let report = audit(&addresses).await;

            let is_confirmed = addresses.iter().any(|(_, standing)| *standing == Confirmed);
            let pending = addresses.iter().filter(|(_, standing)| *standing == Pending);
            let mut expected: Vec<(Severity, &str, String)> = Vec::new();
            expected.extend((!is_confirmed).then(|| (Severity::Critical, "no-subscription", names::TOPIC.to_owned())));
            expected.extend(
                pending.map(|(address, _)| (Severity::Warning, "subscription-unconfirmed", format!("email {address}"))),
            );
            let found: Vec<(Severity, &str, String)> = about_subscriptions(&report)
                .into_iter()
                .map(|finding| (finding.severity, finding.code.as_str(), finding.resource.clone().unwrap_or_default()))
                .collect();
            assert_eq!(found, expected, "{addresses:?}");
            assert_eq!(report.reason.as_str().starts_with("ready"), is_confirmed, "{addresses:?}: {}", report.reason);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_topic_without_subscriptions_is_a_finding_whose_remedy_says_why_no_mail_reports_it() {
    let ways: [(&[(&str, Standing)], &str); 4] = [
        (&[], "has no subscription, so no report reaches anyone."),
        (&[(names::SUBSCRIBER, Pending)], "has no confirmed subscription, so no report reaches anyone."),
        (
            &[(names::SUBSCRIBER, Unsubscribed)],
            "has no subscription left, so no report reaches anyone. Unsubscribed: license-team@example.com (email).",
        ),
        (
            &[(names::SUBSCRIBER, Unsubscribed), (COLLEAGUE, Pending)],
            "has no confirmed subscription, so no report reaches anyone.",
        ),
    ];
    for (addresses, message) in ways {
        let answer = stage(addresses).invoke(event("operator-audit")).await;
        let now = "2026-11-11T21:29:59Z".parse().expect("a time");
        let line = metrics::line("license-eu", now, now, &answer).expect("a line");
        assert_eq!(line["CriticalFindings"], Value::from(1), "{addresses:?}");

        let report = answer.expect("a report");
        let [unsubscribed, ..] = about_subscriptions(&report)[..] else {
            panic!("{addresses:?}: {:?}", report.findings)
        };
        assert!(
            unsubscribed.message.ends_with(&message.replace("license-team@example.com", names::SUBSCRIBER)),
            "{unsubscribed:?}"
        );
        for part in [
            "No mail can report this. The metric CriticalFindings, its alarm, the dashboard and token-failover audit show it.",
            &format!(
                "aws sns confirm-subscription --topic-arn {} --token TOKEN --authenticate-on-unsubscribe true \
                 --region eu-west-1",
                names::TOPIC
            ),
        ] {
            assert!(unsubscribed.remedy.contains(part), "{addresses:?}: {part}\n{}", unsubscribed.remedy);
        }
        let subscribes = unsubscribed.remedy.contains("aws sns subscribe --topic-arn");
        assert_eq!(subscribes, !addresses.iter().any(|(_, standing)| *standing == Pending), "{addresses:?}");
    }
}
