//! Several license interfaces on one pair: two functions with the same members, each with its own interface. Neither
//! touches what belongs to the other.

use simulator::world::Timings;
use simulator::{Call, Scenario, Simulator, names};
use token_failover::model::report::{Outcome, Report};

use crate::standard::event;
use crate::support::Stage;

/// What belongs to one of the two stacks, and to it alone.
struct Stack {
    interface: &'static str,
    attachment: &'static str,
    allocation: &'static str,
    topic: &'static str,
    name: &'static str,
    hostid: &'static str,
    index: u32,
}

const MOSEK: Stack = Stack {
    interface: names::INTERFACE,
    attachment: names::ATTACHMENT,
    allocation: names::ALLOCATION,
    topic: names::TOPIC,
    name: "license-eu",
    hostid: "0273ae2adc81",
    index: 1,
};

const ACME: Stack = Stack {
    interface: "eni-0ddddddddddddddd2",
    attachment: "eni-attach-0aaaaaaaaaaaaaaa2",
    allocation: "eipalloc-0eeeeeeeeeeeeeee2",
    topic: "arn:aws:sns:eu-west-1:123456789012:acme-failover",
    name: "acme-eu",
    hostid: "0273ae2adc82",
    index: 2,
};

impl Stack {
    fn stage(&self, simulator: &Simulator, index: u32) -> Stage {
        let index = index.to_string();
        let changes = [
            ("TOKEN_SERVER_INTERFACE_ID", self.interface),
            ("TOKEN_SERVER_ALLOCATION_ID", self.allocation),
            ("NOTIFICATION_TOPIC_ARN", self.topic),
            ("TOKEN_SERVER_NAME", self.name),
            ("TOKEN_SERVER_HOSTID", self.hostid),
            ("TOKEN_SERVER_DEVICE_INDEX", index.as_str()),
        ];
        Stage::recorded(simulator.clone(), &changes, Box::new(|_| ()))
    }

    /// Where the interface is: the instance, the device index, and whether EC2 would delete it with the instance.
    fn place(&self, simulator: &Simulator) -> Option<(String, u32, bool)> {
        simulator.world(|world| {
            let attachment = world.attachment_of(self.interface)?;
            Some((attachment.instance_id.clone(), attachment.device_index, attachment.delete_on_termination))
        })
    }

    fn is_meant_by(&self, call: &Call) -> bool {
        let text = call.to_string();
        [self.interface, self.attachment, self.allocation, self.topic].iter().any(|name| text.contains(name))
    }

    /// The subjects of the mails to its topic.
    fn mails(&self, simulator: &Simulator) -> Vec<String> {
        let messages = simulator.messages();
        let own = messages.into_iter().filter(|message| message.topic_arn == self.topic);
        own.map(|message| message.subject.unwrap_or_default()).collect()
    }

    fn subject(&self, what: &str) -> String {
        format!("{what}: {} (hostid {})", self.name, self.hostid)
    }
}

/// Both stacks, over one simulated EC2.
struct Both {
    simulator: Simulator,
    mosek: Stage,
    acme: Stage,
}

impl Both {
    fn new(scenario: Scenario) -> Self {
        Self::with_indexes(scenario, MOSEK.index, ACME.index)
    }

    fn with_indexes(scenario: Scenario, mosek: u32, acme: u32) -> Self {
        let simulator = scenario.build();
        let (mosek, acme) = (MOSEK.stage(&simulator, mosek), ACME.stage(&simulator, acme));
        Self { simulator, mosek, acme }
    }

    /// Where both interfaces are.
    fn places(&self) -> [Option<(String, u32, bool)>; 2] {
        [MOSEK.place(&self.simulator), ACME.place(&self.simulator)]
    }

    /// Every change that was asked for, without dry runs.
    fn changes(&self) -> Vec<Call> {
        let reads = |call: &Call| ["Describe", "Get", "List"].iter().any(|read| call.action.starts_with(read));
        self.simulator.journal().into_iter().filter(|call| !reads(call) && !call.dry_run).collect()
    }

    /// Checks that each change was about exactly one of the stacks, and that each Elastic IP is on its own interface. A
    /// start names only an instance, which both share.
    #[track_caller]
    fn assert_apart(&self) {
        for call in self.changes().iter().filter(|call| call.action != "StartInstances") {
            assert!(MOSEK.is_meant_by(call) != ACME.is_meant_by(call), "{call}");
        }
        for stack in [MOSEK, ACME] {
            let on = self.simulator.world(|world| {
                let address = world.region().address(stack.allocation).expect("the address");
                address.association.as_ref().map(|association| association.interface_id.clone())
            });
            assert_eq!(on.as_deref(), Some(stack.interface));
        }
    }
}

/// The pair with a second license interface: the first on `mosek` and the second on `acme`, each at this device index.
fn pair(mosek: (&str, u32), acme: (&str, u32)) -> Scenario {
    simulator::pair()
        .interface(MOSEK.interface, |interface| interface.on(mosek.0, mosek.1))
        .interface(ACME.interface, |interface| {
            interface
                .mac_address("02:73:ae:2a:dc:82")
                .private_ip("10.0.1.51")
                .groups([names::GROUP])
                .attachment_id(ACME.attachment)
                .on(acme.0, acme.1)
        })
        .address(ACME.allocation, |address| address.public_ip("203.0.113.51").on(ACME.interface))
        .topic(ACME.topic, |topic| topic.email("acme@example.com"))
}

/// Both interfaces on the holder.
fn together() -> Scenario {
    pair((names::HOLDER, MOSEK.index), (names::HOLDER, ACME.index))
}

/// Each interface on an instance of its own.
fn apart() -> Scenario {
    pair((names::HOLDER, MOSEK.index), (names::STANDBY, ACME.index))
}

fn at(instance: &str, index: u32) -> Option<(String, u32, bool)> {
    Some((instance.to_owned(), index, false))
}

/// The findings about an instance, as code and message.
fn about<'a>(report: &'a Report, instance: &str) -> Vec<(&'a str, &'a str)> {
    let about = report.findings.iter().filter(|finding| finding.resource.as_deref() == Some(instance));
    about.map(|finding| (finding.code.as_str(), finding.message.as_str())).collect()
}

#[derive(Debug, Clone, Copy)]
enum Order {
    MosekFirst,
    AcmeFirst,
    Interleaved,
}

const ORDERS: [Order; 3] = [Order::MosekFirst, Order::AcmeFirst, Order::Interleaved];

impl Both {
    /// Both functions receive the event, in this order. Returns the reports of both.
    async fn receive(&self, name: &str, order: Order) -> [Report; 2] {
        let (mosek, acme) = (self.mosek.invoke(event(name)), self.acme.invoke(event(name)));
        let (mosek, acme) = match order {
            Order::MosekFirst => {
                let mosek = mosek.await;
                (mosek, acme.await)
            }
            Order::AcmeFirst => {
                let acme = acme.await;
                (mosek.await, acme)
            }
            Order::Interleaved => tokio::join!(mosek, acme),
        };
        [mosek.expect("a report"), acme.expect("a report")]
    }
}

#[tokio::test(start_paused = true)]
async fn both_interfaces_move_to_one_standby_in_any_order_each_at_its_own_index_and_with_one_mail_to_its_own_topic() {
    for order in ORDERS {
        let stopped = together().instance(names::HOLDER, |holder| holder.stopped()).timings(Timings::realistic());
        let both = Both::new(stopped);

        let reports = both.receive("holder-stopped", order).await;

        for (report, stack) in reports.iter().zip([MOSEK, ACME]) {
            assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Moved, "holder-stopped"), "{order:?}");
            assert_eq!(report.token_server.name, stack.name);
        }
        assert_eq!(both.places(), [at(names::STANDBY, 1), at(names::STANDBY, 2)], "{order:?}");
        assert_eq!(MOSEK.mails(&both.simulator), [MOSEK.subject("MOVED")], "{order:?}");
        assert_eq!(ACME.mails(&both.simulator), [ACME.subject("MOVED")], "{order:?}");
        both.assert_apart();
        if let Order::Interleaved = order {
            let detaches: Vec<_> = both.changes().iter().map(|call| call.action.clone()).take(4).collect();
            assert_eq!(detaches[2..], ["DetachNetworkInterface", "DetachNetworkInterface"], "the moves overlap");
        }

        // Nothing is left to do.
        both.simulator.clear_journal();
        let reports = both.receive("schedule", order).await;
        assert_eq!(reports.map(|report| report.outcome), [Outcome::NoAction; 2], "{order:?}");
        assert_eq!(both.changes(), Vec::<Call>::new(), "{order:?}");
        assert_eq!(both.simulator.messages().len(), 2, "{order:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_holders_can_differ_and_only_the_interface_of_the_failed_one_moves() {
    for order in ORDERS {
        for (failed, moved, stays, places) in [
            (names::HOLDER, MOSEK, ACME, [at(names::STANDBY, 1), at(names::STANDBY, 2)]),
            (names::STANDBY, ACME, MOSEK, [at(names::HOLDER, 1), at(names::HOLDER, 2)]),
        ] {
            let both = Both::new(apart().instance(failed, |instance| instance.stopped()));

            let reports = both.receive("schedule", order).await;

            assert_eq!(both.places(), places, "{order:?}");
            for report in reports {
                let expected = if report.token_server.name == moved.name { Outcome::Moved } else { Outcome::NoAction };
                assert_eq!(report.outcome, expected, "{order:?}");
            }
            both.assert_apart();
            let foreign: Vec<Call> = both.changes().into_iter().filter(|call| stays.is_meant_by(call)).collect();
            assert_eq!(foreign, Vec::<Call>::new(), "{order:?}");
            assert_eq!(moved.mails(&both.simulator), [moved.subject("MOVED")], "{order:?}");
            assert_eq!(both.simulator.messages().len(), 1, "{order:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_standby_whose_type_has_no_room_beside_the_other_interface_is_named_in_one_sentence() {
    // Its primary interface and that of the other license are as many as a t3.micro can have.
    let both = Both::new(apart().instance(names::STANDBY, |standby| standby.interface_limit(2)));
    let audited = both.mosek.invoke(event("operator-audit")).await.expect("a report");
    let message = format!(
        "{} cannot take the interface: it already has as many interfaces as a t3.micro can have (2).",
        names::STANDBY
    );
    assert_eq!(about(&audited, names::STANDBY), [("standby-without-room", message.as_str())]);
    assert_eq!(audited.viable_standbys, Some(0));

    both.simulator.world(|world| world.stop(names::HOLDER)).expect("it runs");
    let [mosek, acme] = both.receive("schedule", Order::Interleaved).await;

    // The standby is refused, so the holder is started again, and each interface is where it was.
    assert_eq!((mosek.outcome, acme.outcome), (Outcome::Failed, Outcome::NoAction), "{mosek:?}");
    assert_eq!(both.places(), [at(names::HOLDER, 1), at(names::STANDBY, 2)]);
    both.assert_apart();
    assert!(!both.changes().iter().any(|call| ACME.is_meant_by(call)));
}

#[tokio::test(start_paused = true)]
async fn the_index_of_the_other_interface_is_named_in_one_sentence_and_nothing_is_lost() {
    // Both stacks have device index 1.
    let scenario = pair((names::HOLDER, 1), (names::STANDBY, 1));
    let both = Both::with_indexes(scenario, 1, 1);
    for (stage, standby, taken_by) in
        [(&both.mosek, names::STANDBY, ACME.interface), (&both.acme, names::HOLDER, MOSEK.interface)]
    {
        let audited = stage.invoke(event("operator-audit")).await.expect("a report");
        let message = format!("{standby} cannot take the interface: its device index is taken by {taken_by}.");
        assert_eq!(about(&audited, standby), [("standby-not-viable", message.as_str())]);
        assert_eq!(audited.viable_standbys, Some(0));
    }

    both.simulator.clear_journal();
    both.simulator.world(|world| world.stop(names::HOLDER)).expect("it runs");
    let [mosek, acme] = both.receive("holder-stopped", Order::Interleaved).await;

    assert_eq!((mosek.outcome, acme.outcome), (Outcome::Started, Outcome::NoAction), "{mosek:?}");
    assert_eq!(both.places(), [at(names::HOLDER, 1), at(names::STANDBY, 1)]);
    both.assert_apart();
}

#[tokio::test(start_paused = true)]
async fn the_audit_of_the_second_stack_sees_that_both_have_one_index_while_both_interfaces_are_on_one_member() {
    let warned = async |mosek: u32, acme: u32| {
        let both = Both::with_indexes(together(), mosek, acme);
        let audits = both.receive("operator-audit", Order::MosekFirst).await;
        both.assert_apart();
        audits.map(|audit| {
            let taken = audit.findings.iter().filter(|finding| finding.code.as_str() == "device-index-taken");
            let told = taken.map(|finding| (finding.resource.clone(), finding.message.clone(), finding.remedy.clone()));
            (audit.viable_standbys, told.collect::<Vec<_>>())
        })
    };
    let taken = |interface: &str, now: u32, other: &str, wanted: u32| {
        let holder = names::HOLDER;
        let message = format!(
            "TOKEN_SERVER_DEVICE_INDEX is {wanted}, but {other} has that device index on {holder}, and {interface} has {now}. \
             After a move, {interface} could not come back to {holder}. If {other} belongs to another license and moves to the \
             same standby with that index, only one of the two interfaces can be attached there."
        );
        let remedy = format!(
            "Deploy with TOKEN_SERVER_DEVICE_INDEX={now}, where the interface is now, or with another index that is free on \
             every member and that no other license has. Or detach {other} from {holder}, unless it is the interface of \
             another license."
        );
        (Some(1), vec![(Some(holder.to_owned()), message, remedy)])
    };
    let fine = || (Some(1), Vec::new());
    assert_eq!(warned(1, 2).await, [fine(), fine()]);
    assert_eq!(warned(1, 1).await, [fine(), taken(ACME.interface, 2, MOSEK.interface, 1)]);
    assert_eq!(warned(2, 2).await, [taken(MOSEK.interface, 1, ACME.interface, 2), fine()]);
}

#[tokio::test(start_paused = true)]
async fn of_two_moves_to_one_index_one_succeeds_and_the_other_interface_stays_with_its_holder_which_is_started() {
    for order in ORDERS {
        // The second interface is at index 2, but its stack has index 1, as the first stack has.
        let stopped = together().instance(names::HOLDER, |holder| holder.stopped()).timings(Timings::realistic());
        let both = Both::with_indexes(stopped, 1, 1);

        let [mosek, acme] = both.receive("schedule", order).await;

        let (moved, left, stage, report, index) = match (mosek.outcome, acme.outcome) {
            (Outcome::Moved, _) => (MOSEK, ACME, &both.acme, acme, 2),
            (_, Outcome::Moved) => (ACME, MOSEK, &both.mosek, mosek, 1),
            outcomes => panic!("{order:?}: {outcomes:?}"),
        };
        // The second move was refused, or it was never tried.
        let expected = match order {
            Order::Interleaved => (Outcome::Failed, "returned-to-former-holder"),
            Order::MosekFirst | Order::AcmeFirst => (Outcome::Started, "holder-stopped"),
        };
        assert_eq!((report.outcome, report.reason.as_str()), expected, "{order:?}");
        assert_eq!(moved.place(&both.simulator), at(names::STANDBY, 1), "{order:?}");
        assert_eq!(left.place(&both.simulator), at(names::HOLDER, index), "{order:?}");
        assert_eq!(moved.mails(&both.simulator), [moved.subject("MOVED")], "{order:?}");
        assert_eq!(left.mails(&both.simulator).len(), 1, "{order:?}");
        both.assert_apart();

        // From then on, the audits of the interface that stayed name the other one.
        let audited = stage.invoke(event("operator-audit")).await.expect("a report");
        let message =
            format!("{} cannot take the interface: its device index is taken by {}.", names::STANDBY, moved.interface);
        assert_eq!(about(&audited, names::STANDBY), [("standby-not-viable", message.as_str())], "{order:?}");
        let finding = audited.findings.iter().find(|finding| finding.code.as_str() == "standby-not-viable");
        assert!(
            finding.is_some_and(|finding| finding.remedy.starts_with("Deploy with another TOKEN_SERVER_DEVICE_INDEX")),
            "{finding:?}"
        );
    }
}
