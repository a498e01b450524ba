//! The limits on a failover, in the simulator's time and in calls. The benchmark prints the same measurements.

#[path = "../../benches/failover/measurements.rs"]
mod measurements;

use measurements::{BOOT, Measurement, SITUATIONS, measure};
use token_failover::model::report::{Outcome, milliseconds};

async fn measured(name: &str) -> Measurement {
    let situation = SITUATIONS.iter().find(|situation| situation.name == name).expect("a situation");
    measure(*situation).await
}

/// From the design: 2.3 s to the accepted attach, of which EC2's detach is 2 s; 3.6 s to the published report; 12
/// calls.
fn assert_within(measured: &Measurement, attach_accepted_ms: u64, published_ms: u64) {
    assert_eq!(measured.outcome, Outcome::Moved);
    assert!(measured.attach_accepted_ms.is_some_and(|ms| ms <= attach_accepted_ms), "{measured:#?}");
    assert!(measured.published_ms.is_some_and(|ms| ms <= published_ms), "{measured:#?}");
    assert!(measured.calls <= 12, "{measured:#?}");
}

const LOOK: &str = "DescribeInstanceStatus + DescribeInstances + DescribeNetworkInterfaces";

#[tokio::test(start_paused = true)]
async fn a_failover_to_a_running_standby() {
    let measured = measured("running standby").await;
    assert_within(&measured, 2_300, 3_600);
    assert_eq!(
        measured.order,
        [
            LOOK,
            "AttachNetworkInterface (dry run) + CreateTags",
            "DetachNetworkInterface",
            "AttachNetworkInterface",
            "DescribeSecurityGroupRules",
            "CreateTags",
            "DeleteTags",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_failover_to_a_standby_that_has_to_boot() {
    let measured = measured("cold standby").await;
    assert_within(&measured, 2_300, 3_600 + milliseconds(BOOT));
    assert_eq!(
        measured.order,
        [
            LOOK,
            "AttachNetworkInterface (dry run) + CreateTags + StartInstances (dry run)",
            "DetachNetworkInterface",
            "AttachNetworkInterface",
            "DescribeSecurityGroupRules",
            "StartInstances",
            "CreateTags",
            "DeleteTags",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_interface_that_is_attached_to_nothing() {
    let measured = measured("unattached interface").await;
    assert_within(&measured, 300, 1_600);
    assert_eq!(
        measured.order,
        [
            LOOK,
            "AttachNetworkInterface (dry run) + CreateTags",
            "AttachNetworkInterface",
            "DescribeSecurityGroupRules",
            "CreateTags",
            "DeleteTags",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_reconcile_costs_two_waves_of_reads_the_first_time() {
    let measured = measured("healthy, first reconcile").await;
    assert_eq!(measured.outcome, Outcome::NoAction);
    assert_eq!(measured.order, [LOOK, "DescribeSecurityGroupRules"]);
    assert_eq!((measured.calls, measured.polls, measured.answered_ms), (4, 0, 60));
    assert_eq!((measured.attach_accepted_ms, measured.published_ms), (None, None));
}

#[tokio::test(start_paused = true)]
async fn a_reconcile_costs_one_wave_of_reads_after_that() {
    let measured = measured("healthy, reconcile").await;
    assert_eq!(measured.outcome, Outcome::NoAction);
    let wave = "DescribeInstanceStatus + DescribeInstances + DescribeNetworkInterfaces + DescribeSecurityGroupRules";
    assert_eq!(measured.order, [wave]);
    assert_eq!((measured.calls, measured.polls, measured.answered_ms), (4, 0, 30));
    assert_eq!((measured.attach_accepted_ms, measured.published_ms), (None, None));
}

#[tokio::test(start_paused = true)]
async fn an_audit_of_a_healthy_pair_costs_three_waves_of_reads_and_changes_nothing() {
    let measured = measured("healthy, audit").await;
    assert_eq!(measured.outcome, Outcome::Audited);
    let questions = "AssociateAddress (dry run) + AttachNetworkInterface (dry run) + CreateTags (dry run) + DeleteTags (dry \
                     run) + DescribeInstanceAttribute + DescribeInstanceTypes + DescribeNetworkAcls + DescribeRouteTables + \
                     DescribeSecurityGroupRules + DetachNetworkInterface (dry run) + ModifyNetworkInterfaceAttribute (dry \
                     run) + StartInstances (dry run)";
    // A subnet without its own route table uses the main one, which needs a second read.
    assert_eq!(measured.order, [LOOK, questions, "DescribeRouteTables"]);
    assert!(measured.waves <= 3 && measured.answered_ms < 1_000, "{measured:#?}");
    assert_eq!((measured.polls, measured.attach_accepted_ms, measured.published_ms), (0, None, None));
}
