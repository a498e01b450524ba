//! The four checks of every report, and the repairs that follow from them.

use simulator::names::{
    ALLOCATION, ASSOCIATION, ATTACHMENT, GROUP, HOLDER, INTERFACE, NON_MEMBER, PRIVATE_IP, PUBLIC_IP, STANDBY,
};
use token_failover::decide::checks::{Checked, CheckedAddress, Repair, check, has_address, repairs, wanted_address};
use token_failover::model::change::Ingress;
use token_failover::model::check::{CheckResult, Checks};
use token_failover::model::config::Config;
use token_failover::model::ids::{AssociationId, AttachmentId};
use token_failover::model::observation::{Address, AddressPlace, Association, IngressRule, Observation, Reading};

use crate::standard;
use crate::world::{Change, denied, interface, pair, parsed, reachable_pair, tcp, unreachable};

/// Allows every repair.
const ALL: (&str, &str) = ("FAILOVER_REPAIR", "elastic-ip,delete-on-termination,security-group");
const OK: Checks = Checks {
    hostid: CheckResult::Ok,
    elastic_ip: CheckResult::Ok,
    security_group: CheckResult::Ok,
    delete_on_termination: CheckResult::Ok,
    // EC2 does not know if the ports answer.
    listening: CheckResult::NotChecked,
};

/// The checks of the interface, with the configured Elastic IP.
fn checked(config: &Config, observation: &Observation) -> Checked {
    check(config, observation, observation.interface().expect("an interface"), config.allocation_id.as_ref())
}

/// The results of the checks, and the repairs that follow if all repairs are allowed.
fn outcome(changes: &[(&str, &str)], observation: &Observation) -> (Checks, Vec<Repair>) {
    let config = standard::config(&[&[ALL], changes].concat());
    let checked = checked(&config, observation);
    (checked.results(), repairs(&config, observation.interface().expect("an interface"), &checked))
}

#[test]
fn a_sound_interface_passes_all_checks_and_needs_no_repair() {
    assert_eq!(outcome(&[], &reachable_pair()), (OK, Vec::new()));
}

// ---- Hostid ----

#[test]
fn a_hostid_that_differs_from_the_license_fails_and_cannot_be_repaired() {
    let failed = Checks { hostid: CheckResult::Failed, ..OK };
    assert_eq!(outcome(&[("TOKEN_SERVER_HOSTID", "0273ae2adc82")], &reachable_pair()), (failed, Vec::new()));
    let config = standard::config(&[("TOKEN_SERVER_HOSTID", "0273ae2adc82")]);
    assert_eq!(checked(&config, &reachable_pair()).other_hostid, Some(parsed("0273ae2adc82")));
}

#[test]
fn without_a_configured_hostid_the_check_is_not_configured() {
    let not_configured = Checks { hostid: CheckResult::NotConfigured, ..OK };
    assert_eq!(outcome(&[("TOKEN_SERVER_HOSTID", "-")], &reachable_pair()), (not_configured, Vec::new()));
}

// ---- Elastic IP ----

#[test]
fn the_wanted_elastic_ip_is_the_configured_one_or_else_the_one_before_the_move() {
    let other = Association { allocation_id: Some(parsed("eipalloc-0fffffffffffffff2")), public_ip: parsed(PUBLIC_IP) };
    let mut before = interface();
    before.association = Some(other);
    let (configured, silent) = (standard::config(&[]), standard::config(&[("TOKEN_SERVER_ALLOCATION_ID", "-")]));
    assert_eq!(wanted_address(&configured, Some(&before)), Some(parsed(ALLOCATION)));
    assert_eq!(wanted_address(&configured, None), Some(parsed(ALLOCATION)));
    assert_eq!(wanted_address(&silent, Some(&before)), Some(parsed("eipalloc-0fffffffffffffff2")));
    assert_eq!(wanted_address(&silent, None), None);
}

#[test]
fn a_public_address_that_ec2_assigned_is_not_an_elastic_ip() {
    let mut before = interface();
    before.association = Some(Association { allocation_id: None, public_ip: parsed(PUBLIC_IP) });
    assert_eq!(wanted_address(&standard::config(&[("TOKEN_SERVER_ALLOCATION_ID", "-")]), Some(&before)), None);
    assert!(!has_address(&before, &parsed(ALLOCATION)));
}

#[test]
fn without_a_wanted_elastic_ip_the_check_is_not_configured() {
    let without = reachable_pair().with_interface(|interface| interface.association = None);
    let not_configured = Checks { elastic_ip: CheckResult::NotConfigured, ..OK };
    for observation in [without, reachable_pair()] {
        assert_eq!(outcome(&[("TOKEN_SERVER_ALLOCATION_ID", "-")], &observation), (not_configured, Vec::new()));
    }
}

fn address(place: Option<AddressPlace>) -> Address {
    Address { allocation_id: parsed(ALLOCATION), public_ip: parsed(PUBLIC_IP), place }
}

fn place(interface: Option<&str>, instance: Option<&str>, private: Option<&str>) -> Option<AddressPlace> {
    Some(AddressPlace {
        association_id: AssociationId::new(ASSOCIATION),
        interface_id: interface.map(parsed),
        instance_id: instance.map(parsed),
        private_ip_address: private.map(parsed),
    })
}

/// The interface without its Elastic IP. `elsewhere` is EC2's answer about the Elastic IP.
fn without_address(elsewhere: Option<Reading<Option<Address>>>) -> Observation {
    reachable_pair()
        .with_interface(|interface| interface.association = None)
        .with_reachability(|reachability| reachability.missing_address = elsewhere)
}

/// The result of the check of the Elastic IP that is elsewhere, and the repairs that follow. All other checks pass.
#[track_caller]
fn elsewhere(found: Option<Reading<Option<Address>>>) -> (CheckedAddress, CheckResult, Vec<Repair>) {
    let observation = without_address(found);
    let (checks, repairs) = outcome(&[], &observation);
    assert_eq!(Checks { elastic_ip: CheckResult::Ok, ..checks }, OK);
    (checked(&standard::config(&[]), &observation).address, checks.elastic_ip, repairs)
}

fn known(place: Option<AddressPlace>) -> Option<Reading<Option<Address>>> {
    Some(Reading::Known(Some(address(place))))
}

fn move_address(from: Option<&str>) -> Vec<Repair> {
    vec![Repair::MoveAddress { allocation_id: parsed(ALLOCATION), from: from.map(AssociationId::new) }]
}

#[test]
fn an_unassociated_elastic_ip_is_put_on_the_interface() {
    assert_eq!(elsewhere(known(None)), (CheckedAddress::Free(address(None)), CheckResult::Failed, move_address(None)));
}

#[test]
fn an_elastic_ip_on_another_interface_of_a_member_is_moved() {
    for member in [HOLDER, STANDBY] {
        let place = place(Some("eni-10aaaaaaaaaaaaaa1"), Some(member), Some("10.0.1.10"));
        let found = CheckedAddress::OnMember(address(place.clone()), AssociationId::new(ASSOCIATION));
        assert_eq!(elsewhere(known(place)), (found, CheckResult::Failed, move_address(Some(ASSOCIATION))));
    }
}

#[test]
fn an_elastic_ip_on_another_private_address_of_the_interface_is_moved() {
    for instance in [Some(HOLDER), None] {
        let place = place(Some(INTERFACE), instance, Some("10.0.1.51"));
        let found = CheckedAddress::OnMember(address(place.clone()), AssociationId::new(ASSOCIATION));
        assert_eq!(elsewhere(known(place)), (found, CheckResult::Failed, move_address(Some(ASSOCIATION))));
    }
}

#[test]
fn an_elastic_ip_that_arrived_during_the_read_is_in_place() {
    let place = place(Some(INTERFACE), Some(HOLDER), Some(PRIVATE_IP));
    assert_eq!(elsewhere(known(place)), (CheckedAddress::InPlace, CheckResult::Ok, Vec::new()));
}

#[test]
fn an_elastic_ip_of_a_non_member_is_not_taken() {
    let other = Some("eni-0999999999999999a");
    for place in [
        place(other, Some(NON_MEMBER), Some("10.0.1.99")),
        place(other, None, Some("10.0.1.99")),
        place(other, None, Some(PRIVATE_IP)),
        place(None, Some(NON_MEMBER), None),
        place(None, None, None),
    ] {
        let found = CheckedAddress::OnNonMember(address(place.clone()));
        assert_eq!(elsewhere(known(place)), (found, CheckResult::Failed, Vec::new()));
    }
}

#[test]
fn an_elastic_ip_that_ec2_does_not_know_fails_and_cannot_be_repaired() {
    let found = CheckedAddress::Missing(parsed(ALLOCATION));
    assert_eq!(elsewhere(Some(Reading::Known(None))), (found, CheckResult::Failed, Vec::new()));
}

#[test]
fn an_elastic_ip_that_could_not_be_read_is_not_repaired() {
    let error = unreachable("ec2:DescribeAddresses");
    let found = CheckedAddress::Unreadable(parsed(ALLOCATION), error.clone());
    assert_eq!(elsewhere(Some(Reading::Unreadable(error))), (found, CheckResult::NotChecked, Vec::new()));
}

#[test]
fn an_elastic_ip_whose_place_was_not_read_fails_and_is_not_repaired() {
    assert_eq!(elsewhere(None), (CheckedAddress::NotChecked(parsed(ALLOCATION)), CheckResult::Failed, Vec::new()));
}

#[test]
fn a_different_elastic_ip_on_the_interface_fails() {
    let other =
        Association { allocation_id: Some(parsed("eipalloc-0fffffffffffffff2")), public_ip: parsed("203.0.113.51") };
    let observation = without_address(known(None)).with_interface(|interface| interface.association = Some(other));
    assert_eq!(outcome(&[], &observation), (Checks { elastic_ip: CheckResult::Failed, ..OK }, move_address(None)));
}

// ---- DeleteOnTermination ----

#[test]
fn delete_on_termination_is_set_to_false() {
    let observation = reachable_pair().with_attachment(|attachment| attachment.delete_on_termination = true);
    let failed = Checks { delete_on_termination: CheckResult::Failed, ..OK };
    assert_eq!(outcome(&[], &observation), (failed, vec![Repair::KeepOnTermination(AttachmentId::new(ATTACHMENT))]));
}

#[test]
fn delete_on_termination_is_not_checked_on_an_unattached_interface() {
    let observation = reachable_pair().with_interface(|interface| interface.attachment = None);
    let not_checked = Checks { delete_on_termination: CheckResult::NotChecked, ..OK };
    assert_eq!(outcome(&[], &observation), (not_checked, Vec::new()));
}

// ---- Security groups ----

fn with_rules(rules: Vec<IngressRule>) -> Observation {
    reachable_pair().with_reachability(|reachability| reachability.rules = Reading::Known(rules))
}

fn open(first: u16, last: u16, client: &str) -> Repair {
    let ports = token_failover::model::config::PortRange { first, last };
    Repair::OpenPorts(Ingress { group_id: parsed(GROUP), ports, client: parsed(client) })
}

#[test]
fn a_closed_port_is_opened_in_the_first_group_to_exactly_the_client_that_lacks_it() {
    let failed = Checks { security_group: CheckResult::Failed, ..OK };
    let observation = with_rules(vec![tcp(27007, 27007, "10.0.0.0/16"), tcp(27007, 27008, "10.1.0.0/16")])
        .with_interface(|interface| interface.groups.push(parsed("sg-00000000000000001")));
    let clients = [("TOKEN_SERVER_CLIENTS", "10.0.0.0/16,10.1.0.0/16,sg-00000000000000009")];
    let needed = vec![open(27007, 27008, "sg-00000000000000009"), open(27008, 27008, "10.0.0.0/16")];
    assert_eq!(outcome(&clients, &observation), (failed, needed));
}

#[test]
fn one_run_adds_at_most_ten_rules() {
    let clients: Vec<String> = (0..25).map(|subnet| format!("10.0.{subnet}.0/24")).collect();
    let failed = Checks { security_group: CheckResult::Failed, ..OK };
    let first: Vec<Repair> = clients[..10].iter().map(|client| open(27007, 27008, client)).collect();
    assert_eq!(outcome(&[("TOKEN_SERVER_CLIENTS", &clients.join(","))], &with_rules(Vec::new())), (failed, first));
    // The next run adds the remaining rules.
    let rules = clients[..10].iter().map(|client| tcp(27007, 27008, client)).collect();
    let next: Vec<Repair> = clients[10..20].iter().map(|client| open(27007, 27008, client)).collect();
    assert_eq!(outcome(&[("TOKEN_SERVER_CLIENTS", &clients.join(","))], &with_rules(rules)), (failed, next));
}

#[test]
fn a_closed_port_is_not_opened_if_no_client_is_configured() {
    let failed = Checks { security_group: CheckResult::Failed, ..OK };
    assert_eq!(outcome(&[("TOKEN_SERVER_CLIENTS", "-")], &with_rules(Vec::new())), (failed, Vec::new()));
}

#[test]
fn an_interface_without_a_security_group_gets_no_rule() {
    let observation = with_rules(Vec::new()).with_interface(|interface| interface.groups.clear());
    assert_eq!(outcome(&[], &observation), (Checks { security_group: CheckResult::Failed, ..OK }, Vec::new()));
}

#[test]
fn rules_for_all_addresses_let_every_client_in() {
    assert_eq!(outcome(&[], &with_rules(vec![tcp(0, 65535, "0.0.0.0/0")])), (OK, Vec::new()));
}

#[test]
fn unread_rules_give_not_checked() {
    let not_checked = Checks { security_group: CheckResult::NotChecked, ..OK };
    let unread = Reading::Unreadable(denied("ec2:DescribeSecurityGroupRules"));
    let unreadable = reachable_pair().with_reachability(|reachability| reachability.rules = unread);
    for observation in [pair(), unreadable] {
        assert_eq!(outcome(&[], &observation), (not_checked, Vec::new()));
    }
}

#[test]
fn an_unread_prefix_list_gives_not_checked_unless_a_port_is_certainly_closed() {
    let unread = || tcp(27007, 27008, "pl-0123456789abcdef0");
    let undecided = Checks { security_group: CheckResult::NotChecked, ..OK };
    assert_eq!(outcome(&[], &with_rules(vec![unread()])), (undecided, Vec::new()));
    let failed = Checks { security_group: CheckResult::Failed, ..OK };
    let ports = [("TOKEN_SERVER_PORTS", "27007-27009")];
    assert_eq!(outcome(&ports, &with_rules(vec![unread()])), (failed, vec![open(27009, 27009, "10.0.0.0/16")]));
}

// ---- The settings for repairs ----

#[test]
fn only_configured_repairs_are_made_and_delete_on_termination_comes_first() {
    let observation = without_address(known(None))
        .with_attachment(|attachment| attachment.delete_on_termination = true)
        .with_reachability(|reachability| reachability.rules = Reading::Known(Vec::new()));
    let keep = || Repair::KeepOnTermination(AttachmentId::new(ATTACHMENT));
    let address = || move_address(None).remove(0);
    let ports = || open(27007, 27008, "10.0.0.0/16");
    let failed = Checks {
        elastic_ip: CheckResult::Failed,
        security_group: CheckResult::Failed,
        delete_on_termination: CheckResult::Failed,
        ..OK
    };
    for (allowed, expected) in [
        ("", vec![]),
        ("elastic-ip", vec![address()]),
        ("delete-on-termination", vec![keep()]),
        ("security-group", vec![ports()]),
        ("-", vec![keep(), address()]),
        ("security-group,elastic-ip,delete-on-termination", vec![keep(), address(), ports()]),
    ] {
        let config = standard::config(&[("FAILOVER_REPAIR", allowed)]);
        let checked = checked(&config, &observation);
        let planned = repairs(&config, observation.interface().expect("an interface"), &checked);
        assert_eq!((checked.results(), planned), (failed, expected), "FAILOVER_REPAIR={allowed:?}");
    }
}

#[test]
fn a_repair_has_the_name_of_its_setting() {
    let settings = [
        Repair::KeepOnTermination(AttachmentId::new(ATTACHMENT)),
        move_address(None).remove(0),
        open(1, 2, "10.0.0.0/16"),
    ];
    assert_eq!(settings.map(|repair| repair.setting()), ["delete-on-termination", "elastic-ip", "security-group"]);
}
