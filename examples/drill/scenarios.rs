//! The scenarios of the drill: each has a world, a failure and an expectation.

use std::time::Duration;

use simulator::world::region::{Capacity, Check};
use simulator::world::{LicenseService, Timings, World};
use simulator::{Disruption, Simulator, cold_standby, grouped, names, pair, primary, trio};
use token_failover::model::report::Outcome;

/// One scenario.
pub(crate) struct Scenario {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// Its description in one line.
    pub(crate) title: &'static str,
    /// The world before anything happens.
    pub(crate) world: fn() -> simulator::Scenario,
    /// The settings of the function that differ from those of the standard pair.
    pub(crate) settings: &'static [(&'static str, &'static str)],
    /// The change of the world just before the event.
    pub(crate) incident: fn(&mut World),
    /// The faults of the calls.
    pub(crate) disruption: fn(&Simulator),
    /// The invocations, one act after the other.
    pub(crate) acts: &'static [Act],
    /// The place of the interface at the end.
    pub(crate) ends_on: Place,
    /// The expected number of attaches.
    pub(crate) moves: usize,
    /// The expected number of notifications.
    pub(crate) mails: usize,
}

/// One or more simultaneous invocations.
pub(crate) struct Act {
    /// Documents of the folder `events`, each with the expected answer.
    pub(crate) invocations: &'static [(&'static str, Expected)],
    /// The change of the world before the act.
    pub(crate) before: fn(&Simulator),
    /// The time that passes before the invocations. Meanwhile, each event of AWS invokes the function, and so does the schedule,
    /// once a minute.
    pub(crate) passes: Duration,
}

/// The expected answer of an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// A report with this outcome and reason.
    Report(Outcome, &'static str),
    /// A report that the interface was moved, by this run or by another one.
    MovedByOneOfUs,
    /// A failed invocation, which Lambda retries, with this type of error.
    Failure(&'static str),
}

/// The place of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Attached to an instance.
    On(&'static str),
    /// The interface does not exist.
    Lost,
}

use Expected::{Failure, MovedByOneOfUs, Report};
use Outcome::{Audited, Moved, NoAction, Planned, Refused, Started};
use Place::{Lost, On};

/// EC2's times in the drill. Detaching and attaching take as long as people report. Stopping, terminating and booting
/// are shorter, so that the reader does not wait for half a minute.
fn timings() -> Timings {
    Timings {
        boot: Duration::from_secs(2),
        stop: Duration::from_millis(900),
        shutdown: Duration::from_millis(900),
        release: Duration::from_secs(1),
        ..Timings::realistic()
    }
}

fn nothing(_: &mut World) {}

fn calm(_: &Simulator) {}

fn stop_the_holder(world: &mut World) {
    world.stop(names::HOLDER).expect("the holder runs");
}

/// A single invocation without a change before it.
const fn one(invocation: &'static [(&'static str, Expected)]) -> Act {
    Act { invocations: invocation, before: calm, passes: Duration::ZERO }
}

/// A single invocation, some minutes after something has happened.
const fn later(minutes: u64, before: fn(&Simulator), invocation: &'static [(&'static str, Expected)]) -> Act {
    Act { invocations: invocation, before, passes: Duration::from_secs(60 * minutes) }
}

/// The instances that the Auto Scaling group launches.
pub(crate) const REPLACEMENTS: [&str; 2] = ["i-0eeeeeeeeeeeeeee5", "i-0fffffffffffffff6"];

/// The pair in an Auto Scaling group that launches before it terminates. A new instance needs a minute to boot.
fn group() -> simulator::Scenario {
    grouped()
        .auto_scaling_group(names::AUTO_SCALING_GROUP, |group| {
            group.size(2, 2, 3).launches_in_turn(REPLACEMENTS).default_instance_warmup(Duration::from_secs(300))
        })
        .timings(Timings { boot: Duration::from_secs(60), ..timings() })
}

const BY_TAG: &[(&str, &str)] =
    &[("TOKEN_SERVER_INSTANCE_IDS", ""), ("TOKEN_SERVER_MEMBERS", "token-server=yes"), CHECKS_LICENSE[0]];

fn terminate(simulator: &Simulator, id: &str) {
    simulator.world(|world| world.terminate(id)).expect("it runs");
}

/// Disrupts the next calls of an action, except dry runs.
fn disrupt_next(simulator: &Simulator, action: &'static str, calls: usize, disruption: Disruption) {
    let mut left = calls;
    simulator.disrupt(move |call| {
        if call.action != action || call.dry_run || left == 0 {
            return Disruption::None;
        }
        left -= 1;
        disruption.clone()
    });
}

/// The holder stops, and a running standby takes over: the basis of most scenarios.
const HOLDER_STOPS: Scenario = Scenario {
    name: "holder-stops",
    title: "The holder is stopped, and a standby runs",
    world: || pair().timings(timings()),
    settings: &[],
    incident: stop_the_holder,
    disruption: calm,
    acts: &[one(&[("holder-stopping", Report(Moved, "holder-stopping"))])],
    ends_on: On(names::STANDBY),
    moves: 1,
    mails: 1,
};

/// The holder has stopped before the event arrives.
const HOLDER_STOPPED: Scenario = Scenario {
    world: || pair().instance(names::HOLDER, |holder| holder.stopped()).timings(timings()),
    incident: nothing,
    acts: &[one(&[("holder-stopped", Report(Moved, "holder-stopped"))])],
    ..HOLDER_STOPS
};

/// The holder is healthy.
const HEALTHY: Scenario = Scenario {
    world: || pair().timings(timings()),
    incident: nothing,
    ends_on: On(names::HOLDER),
    moves: 0,
    mails: 0,
    ..HOLDER_STOPS
};

const CHECKS_LICENSE: &[(&str, &str)] = &[("TOKEN_SERVER_LICENSE_CHECK_DOCUMENT", names::LICENSE_CHECK_DOCUMENT)];

/// All scenarios. The first is the default.
pub(crate) const SCENARIOS: &[Scenario] = &[
    HOLDER_STOPS,
    Scenario {
        name: "holder-terminates",
        title: "The holder is terminated for good",
        incident: |world| world.terminate(names::HOLDER).expect("the holder runs"),
        acts: &[one(&[("holder-shutting-down", Report(Moved, "holder-shutting-down"))])],
        ..HOLDER_STOPS
    },
    Scenario {
        name: "sleeping-standby",
        title: "The standby is running, and its token server needs activation",
        world: || pair().instance(names::STANDBY, |standby| standby.token_server_on_command()).timings(timings()),
        settings: &[("FAILOVER_ACTIVATION_DOCUMENT", names::DOCUMENT), ("TOKEN_SERVER_PROBE", "true")],
        ..HOLDER_STOPS
    },
    Scenario {
        name: "licenses-served",
        title: "After the move, the vendor's own tool says that licenses are served",
        settings: CHECKS_LICENSE,
        ..HOLDER_STOPS
    },
    Scenario {
        name: "hostid-rejected",
        title: "The interface is in place, but the vendor daemon rejects the hostid",
        world: || pair().license_service(LicenseService::VendorDown(-9)).timings(timings()),
        settings: CHECKS_LICENSE,
        acts: &[one(&[("operator-audit", Report(Audited, "not-ready"))])],
        mails: 1,
        ..HEALTHY
    },
    Scenario {
        name: "audit",
        title: "An audit finds in advance why the next failover would fail",
        world: || pair().topic(names::TOPIC, |topic| topic.pending_email("late@example.com")).timings(timings()),
        incident: |world| {
            world.set_checks(names::STANDBY, Check::Ok, Check::Impaired).expect("the standby is there");
            world.revoke_rules(names::GROUP).expect("the group is there");
        },
        acts: &[one(&[("operator-audit", Report(Audited, "not-ready"))])],
        mails: 1,
        ..HEALTHY
    },
    Scenario {
        name: "audit-ready",
        title: "The first audit: all is well, and here is what support@mosek.com needs",
        acts: &[one(&[("operator-audit", Report(Audited, "ready"))])],
        mails: 1,
        ..HEALTHY
    },
    Scenario {
        name: "status-check-impaired",
        title: "The holder runs, but its EC2 status checks fail",
        world: || pair().timings(timings()),
        incident: |world| world.set_checks(names::HOLDER, Check::Ok, Check::Impaired).expect("the holder is there"),
        acts: &[one(&[("holder-alarm-status-check", Report(Moved, "holder-impaired"))])],
        ..HOLDER_STOPS
    },
    Scenario {
        name: "hung-holder",
        title: "The holder hangs: only a forced detach frees the interface",
        settings: &[("FAILOVER_FORCE_DETACH_AFTER_SECONDS", "2")],
        incident: |world| world.crash(names::HOLDER).expect("the holder is there"),
        acts: &[one(&[("holder-alarm-status-check", Report(Moved, "holder-impaired"))])],
        ..HOLDER_STOPS
    },
    Scenario {
        name: "spot-interruption",
        title: "The holder is a Spot Instance that EC2 reclaims in two minutes",
        world: || pair().instance(names::HOLDER, |holder| holder.spot()).timings(timings()),
        incident: nothing,
        acts: &[one(&[("holder-spot-interruption", Report(Moved, "spot-interruption"))])],
        ..HOLDER_STOPS
    },
    Scenario {
        name: "two-losses-in-one-night",
        title: "Two instances of a group are lost in one night, ten minutes apart",
        world: group,
        settings: BY_TAG,
        incident: nothing,
        acts: &[
            later(10, |simulator| terminate(simulator, names::HOLDER), &[("operator-audit", Report(Audited, "ready"))]),
            later(
                10,
                |simulator| terminate(simulator, names::STANDBY),
                &[("operator-audit", Report(Audited, "ready"))],
            ),
        ],
        ends_on: On(REPLACEMENTS[0]),
        moves: 2,
        mails: 3,
        ..HOLDER_STOPS
    },
    Scenario {
        name: "instance-refresh",
        title: "A group replaces both instances by new ones: one planned move",
        world: group,
        settings: BY_TAG,
        incident: |world| world.start_instance_refresh(names::AUTO_SCALING_GROUP).expect("the group is there"),
        acts: &[later(30, calm, &[("operator-audit", Report(Audited, "ready"))])],
        ends_on: On(REPLACEMENTS[0]),
        moves: 1,
        mails: 2,
        ..HOLDER_STOPS
    },
    Scenario {
        name: "cold-standby",
        title: "The standby is stopped: it gets the interface and is then started",
        world: || cold_standby().instance(names::HOLDER, |holder| holder.stopped()).timings(timings()),
        ..HOLDER_STOPPED
    },
    Scenario {
        name: "capacity-missing",
        title: "EC2 has no capacity to start the standby, so the next one takes over",
        world: || {
            cold_standby()
                .instance(names::HOLDER, |holder| holder.stopped())
                .instance(names::STANDBY, |standby| standby.capacity(Capacity::RefusedAtOnce))
                .instance(names::THIRD, |third| third.stopped())
                .timings(timings())
        },
        settings: &[("TOKEN_SERVER_INSTANCE_IDS", "i-0aaaaaaaaaaaaaaa1,i-0bbbbbbbbbbbbbbb2,i-0ccccccccccccccc3")],
        ends_on: On(names::THIRD),
        moves: 2,
        ..HOLDER_STOPPED
    },
    Scenario {
        name: "no-standby",
        title: "The standby is stopped and must not be started: nothing is detached",
        world: || cold_standby().instance(names::HOLDER, |holder| holder.stopped()).timings(timings()),
        settings: &[("FAILOVER_START_STANDBY", "false")],
        acts: &[one(&[("holder-stopped", Report(Refused, "no-viable-standby"))])],
        ends_on: On(names::HOLDER),
        moves: 0,
        ..HOLDER_STOPPED
    },
    Scenario {
        name: "last-server",
        title: "No standby can take over: the stopped holder is started in place",
        world: || {
            let alone = pair().instance(names::STANDBY, |standby| standby.impaired());
            alone.instance(names::HOLDER, |holder| holder.stopped()).timings(timings())
        },
        acts: &[one(&[("holder-stopped", Report(Started, "holder-stopped"))])],
        ends_on: On(names::HOLDER),
        moves: 0,
        ..HOLDER_STOPPED
    },
    Scenario {
        name: "address-left-on-old-instance",
        title: "The Elastic IP was left on the old holder and is moved over",
        world: || {
            let elsewhere = names::primary_interface_of(names::HOLDER);
            (HOLDER_STOPPED.world)().address(names::ALLOCATION, |address| address.on(&elsewhere))
        },
        ..HOLDER_STOPPED
    },
    Scenario {
        name: "address-with-non-member",
        title: "A non-member has the Elastic IP: that is reported, not changed",
        world: || {
            let elsewhere = names::primary_interface_of(names::NON_MEMBER);
            (HOLDER_STOPPED.world)()
                .instance(names::NON_MEMBER, |non_member| non_member)
                .address(names::ALLOCATION, |address| address.on(&elsewhere))
        },
        ..HOLDER_STOPPED
    },
    Scenario {
        name: "port-closed",
        title: "The security group does not let the clients in",
        world: || (HOLDER_STOPPED.world)().security_group(names::GROUP, |group| group.no_rules()),
        ..HOLDER_STOPPED
    },
    Scenario {
        name: "primary-interface",
        title: "The interface is the holder's primary one, which EC2 never detaches",
        world: || primary().instance(names::HOLDER, |holder| holder.impaired()).timings(timings()),
        acts: &[one(&[("schedule", Report(Refused, "primary-interface"))])],
        ends_on: On(names::HOLDER),
        moves: 0,
        ..HOLDER_STOPPED
    },
    Scenario {
        name: "held-by-stranger",
        title: "An operator attached the interface to a non-member instance",
        world: || trio().interface(names::INTERFACE, |interface| interface.on(names::NON_MEMBER, 1)).timings(timings()),
        acts: &[one(&[("schedule", Report(Refused, "held-by-stranger"))])],
        ends_on: On(names::NON_MEMBER),
        moves: 0,
        ..HOLDER_STOPPED
    },
    Scenario {
        name: "interface-missing",
        title: "An operator deleted the interface, and the MAC address with it",
        world: || pair().instance(names::HOLDER, |holder| holder.terminated()).timings(timings()),
        incident: |world| world.delete_interface(names::INTERFACE),
        acts: &[one(&[("holder-terminated", Report(Refused, "interface-missing"))])],
        ends_on: Lost,
        moves: 0,
        ..HOLDER_STOPPED
    },
    Scenario {
        name: "lost-answer",
        title: "EC2 attaches the interface, but the answer is lost on the way",
        disruption: |simulator| disrupt_next(simulator, "AttachNetworkInterface", 1, Disruption::DropAfter),
        ..HOLDER_STOPPED
    },
    Scenario {
        name: "throttled",
        title: "EC2 throttles the calls",
        disruption: |simulator| {
            disrupt_next(simulator, "DescribeInstances", 2, Disruption::Throttle);
            disrupt_next(simulator, "DetachNetworkInterface", 2, Disruption::Throttle);
        },
        ..HOLDER_STOPPED
    },
    Scenario {
        name: "denied",
        title: "The role may not attach: noticed before anything is detached",
        disruption: |simulator| simulator.deny("AttachNetworkInterface"),
        acts: &[one(&[("holder-stopped", Report(Refused, "permission-denied"))])],
        ends_on: On(names::HOLDER),
        moves: 0,
        ..HOLDER_STOPPED
    },
    Scenario {
        name: "sns-down-then-settled",
        title: "SNS is down: the report stays pending until the next run publishes it",
        disruption: |simulator| simulator.always("Publish", Disruption::internal_error()),
        acts: &[
            one(&[("holder-stopped", Failure("NotificationNotPublished"))]),
            Act {
                invocations: &[("schedule", Report(NoAction, "holder-healthy"))],
                before: Simulator::calm,
                passes: Duration::ZERO,
            },
        ],
        ..HOLDER_STOPPED
    },
    Scenario {
        name: "two-events-at-once",
        title: "Two events about one failure start two runs: the interface moves once",
        acts: &[one(&[("holder-stopping", MovedByOneOfUs), ("holder-stopped", MovedByOneOfUs)])],
        ..HOLDER_STOPPED
    },
    Scenario {
        name: "healthy",
        title: "Nothing is wrong: the scheduled run leaves everything as it is",
        acts: &[one(&[("schedule", Report(NoAction, "holder-healthy"))])],
        ..HEALTHY
    },
    Scenario {
        name: "stale-event",
        title: "An event says that the holder has stopped, but EC2 says that it runs",
        acts: &[one(&[("holder-stopped", Report(NoAction, "event-outdated"))])],
        ..HEALTHY
    },
    Scenario {
        name: "dry-run",
        title: "An operator asks what a failover would do",
        acts: &[one(&[("operator-failover-dry-run", Report(Planned, "operator-request"))])],
        ..HEALTHY
    },
    Scenario {
        name: "operator-failover",
        title: "An operator moves the interface away from a healthy holder",
        acts: &[one(&[("operator-failover-to-standby", Report(Moved, "operator-request"))])],
        ends_on: On(names::STANDBY),
        moves: 1,
        mails: 1,
        ..HEALTHY
    },
];

/// The scenario of that name.
pub(crate) fn named(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}
