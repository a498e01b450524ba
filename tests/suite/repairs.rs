//! Repairs: a report claims a repair only after EC2 has confirmed it.

use std::time::Duration;

use simulator::{Disruption, Scenario, names};
use token_failover::model::check::CheckResult;
use token_failover::model::report::{Outcome, Report};

use crate::standard::event;
use crate::support::Stage;

/// A world that needs one repair.
struct Broken {
    /// The name of the repair in the settings.
    setting: &'static str,
    /// The call that makes the repair.
    action: &'static str,
    /// The read that confirms it.
    look: &'static str,
    world: fn(Scenario) -> Scenario,
    result: fn(&Report) -> CheckResult,
}

const BROKEN: [Broken; 3] = [
    Broken {
        setting: "elastic-ip",
        action: "AssociateAddress",
        look: "DescribeNetworkInterfaces",
        world: |world| world.address(names::ALLOCATION, |address| address.free()),
        result: |report| report.checks.elastic_ip,
    },
    Broken {
        setting: "delete-on-termination",
        action: "ModifyNetworkInterfaceAttribute",
        look: "DescribeNetworkInterfaces",
        world: |world| world.interface(names::INTERFACE, |interface| interface.delete_on_termination()),
        result: |report| report.checks.delete_on_termination,
    },
    Broken {
        setting: "security-group",
        action: "AuthorizeSecurityGroupIngress",
        look: "DescribeSecurityGroupRules",
        world: |world| world.security_group(names::GROUP, |group| group.no_rules()),
        result: |report| report.checks.security_group,
    },
];

/// A stage on which this number of reads after the repair is disrupted.
fn stage(broken: &Broken, times: usize, disruption: Disruption) -> Stage {
    let world = (broken.world)(simulator::pair());
    let repair = "elastic-ip,delete-on-termination,security-group";
    let stage = Stage::recorded(world.build(), &[("FAILOVER_REPAIR", repair)], Box::new(|_| ()));
    let (action, look) = (broken.action, broken.look);
    let (mut is_made, mut left) = (false, times);
    stage.simulator.disrupt(move |call| {
        is_made |= call.action == action && !call.dry_run;
        if is_made && call.action == look && left > 0 {
            left -= 1;
            return disruption.clone();
        }
        Disruption::None
    });
    stage
}

#[tokio::test(start_paused = true)]
async fn that_nobody_has_seen_since_are_not_said_to_be_made() {
    for broken in &BROKEN {
        let stage = stage(broken, usize::MAX, Disruption::Deny);

        let report = stage.invoke(event("schedule")).await.expect("a report");

        let setting = broken.setting;
        assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Failed, "repair-not-seen"), "{setting}");
        let summary = format!(
            "Nothing had to move. EC2 accepted a repair but does not show it yet, so it may not have taken effect: {setting}."
        );
        assert_eq!(report.summary, summary);
        assert_ne!((broken.result)(&report), CheckResult::Repaired, "{setting}");
        assert_eq!(stage.simulator.messages().len(), 1, "{setting}");
        assert!(stage.simulator.now() <= Duration::from_secs(30), "{setting}: {:?}", stage.simulator.now());

        stage.simulator.calm();
        let next = stage.invoke(event("schedule")).await.expect("a report");
        assert_eq!((next.outcome, (broken.result)(&next)), (Outcome::Resolved, CheckResult::Ok), "{setting}");
    }
}

#[tokio::test(start_paused = true)]
async fn that_an_old_answer_does_not_show_yet_are_looked_at_again() {
    for broken in &BROKEN {
        for disruption in [Disruption::Stale(Duration::from_secs(3)), Disruption::internal_error()] {
            let stage = stage(broken, 6, disruption.clone());
            // Stale answers need an earlier state of the world.
            tokio::time::sleep(Duration::from_secs(10)).await;

            let report = stage.invoke(event("schedule")).await.expect("a report");

            let setting = broken.setting;
            assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Repaired, "repairs-made"), "{setting}");
            assert_eq!(report.summary, format!("Nothing had to move. Repaired: {setting}."));
            assert_eq!((broken.result)(&report), CheckResult::Repaired, "{setting}, {disruption:?}");
            assert_eq!(stage.simulator.messages().len(), 1, "{setting}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn that_are_made_are_looked_at_once() {
    for broken in &BROKEN {
        let stage = stage(broken, 0, Disruption::None);

        let report = stage.invoke(event("schedule")).await.expect("a report");

        assert_eq!((report.outcome, (broken.result)(&report)), (Outcome::Repaired, CheckResult::Repaired));
        let journal = stage.simulator.journal();
        let made = journal.iter().position(|call| call.action == broken.action).expect("the repair");
        let looks = journal[made..].iter().filter(|call| call.action == broken.look).count();
        assert_eq!(looks, 1, "{}", broken.setting);
    }
}
