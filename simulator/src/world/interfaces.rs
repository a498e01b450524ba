//! Network interfaces: describe, attach, detach, change.

use std::{ops::Deref, sync::Arc};

use super::{
    kinds::{Ask, Change, Read},
    parameters::Parameters,
    select::{self, FilterTable, Filterable, Page, Selection, maybe, one},
    state::World,
};
use crate::model::{
    Address, ApiError, Association, Attachment, AttachmentStatus, Home, Instance, InstanceState, Interface, Process,
    Region, Tags, ids,
};

/// An interface as in a Describe call: with its Elastic IP.
#[derive(Debug, Clone)]
pub struct InterfaceView {
    pub interface: Arc<Interface>,
    pub address: Option<Arc<Address>>,
    /// `NetworkInterface.Status`.
    pub status: &'static str,
    pub(crate) group_names: Vec<String>,
    pub(crate) home: Arc<Home>,
}

impl Deref for InterfaceView {
    type Target = Interface;

    fn deref(&self) -> &Interface {
        &self.interface
    }
}

impl InterfaceView {
    pub(crate) fn of(region: &Region, interface: &Arc<Interface>) -> Self {
        let group_name = |id: &String| region.security_groups.get(id).map_or("", |group| &group.name).to_owned();
        Self {
            address: region.address_on(interface).cloned(),
            status: status(region, interface),
            group_names: interface.groups.iter().map(group_name).collect(),
            home: region.home.clone(),
            interface: interface.clone(),
        }
    }

    /// The Elastic IP and its association. Both are present or both are absent.
    pub fn association(&self) -> Option<(&Address, &Association)> {
        let address = self.address.as_deref()?;
        Some((address, address.association.as_ref()?))
    }
}

/// See [`Assumptions::status_shows_phases`](super::Assumptions::status_shows_phases).
fn status(region: &Region, interface: &Interface) -> &'static str {
    match interface.attachment.as_ref().map(|attachment| attachment.status) {
        None => "available",
        Some(phase) if region.assumptions.status_shows_phases && phase != AttachmentStatus::Attached => phase.name(),
        Some(_) => "in-use",
    }
}

/// The filters of DescribeNetworkInterfaces in the service model that apply to a simulated interface.
impl Filterable for InterfaceView {
    const FILTERS: FilterTable<Self> = &[
        ("addresses.association.owner-id", |eni| maybe(eni.association().map(|_| &eni.home.account))),
        ("addresses.association.public-ip", |eni| maybe(eni.association().map(|(address, _)| address.public_ip))),
        ("addresses.primary", |_| one(true)),
        ("addresses.private-dns-name", |eni| one(eni.home.private_dns_name(eni.private_ip))),
        ("addresses.private-ip-address", |eni| one(eni.private_ip)),
        ("association.allocation-id", |eni| maybe(eni.association().map(|(address, _)| &address.allocation_id))),
        ("association.association-id", |eni| maybe(eni.association().map(|(_, association)| &association.id))),
        ("association.ip-owner-id", |eni| maybe(eni.association().map(|_| &eni.home.account))),
        ("association.public-dns-name", |eni| {
            maybe(eni.association().map(|(address, _)| eni.home.public_dns_name(address.public_ip)))
        }),
        ("association.public-ip", |eni| maybe(eni.association().map(|(address, _)| address.public_ip))),
        ("attachment.attach-time", |eni| maybe(eni.attachment.as_ref().map(|a| eni.home.timestamp(a.attached_at)))),
        ("attachment.attachment-id", |eni| maybe(eni.attachment.as_ref().map(|a| &a.id))),
        ("attachment.delete-on-termination", |eni| maybe(eni.attachment.as_ref().map(|a| a.delete_on_termination))),
        ("attachment.device-index", |eni| maybe(eni.attachment.as_ref().map(|a| a.device_index))),
        ("attachment.instance-id", |eni| maybe(eni.attachment.as_ref().map(|a| &a.instance_id))),
        ("attachment.instance-owner-id", |eni| maybe(eni.attachment.as_ref().map(|_| &eni.home.account))),
        ("attachment.network-card-index", |eni| maybe(eni.attachment.as_ref().map(|a| a.network_card_index))),
        ("attachment.status", |eni| maybe(eni.attachment.as_ref().map(|a| a.status.name()))),
        ("availability-zone", |eni| one(&eni.availability_zone)),
        ("description", |eni| one(&eni.description)),
        ("group-id", |eni| eni.groups.clone()),
        ("group-name", |eni| eni.group_names.clone()),
        ("interface-type", |_| one("interface")),
        ("mac-address", |eni| one(&eni.mac_address)),
        ("network-interface-id", |eni| one(&eni.id)),
        ("owner-id", |eni| one(&eni.home.account)),
        ("private-dns-name", |eni| one(eni.home.private_dns_name(eni.private_ip))),
        ("private-ip-address", |eni| one(eni.private_ip)),
        ("requester-managed", |_| one(false)),
        ("source-dest-check", |eni| one(eni.source_dest_check)),
        ("status", |eni| one(eni.status)),
        ("subnet-id", |eni| one(&eni.subnet_id)),
        ("vpc-id", |eni| one(&eni.vpc_id)),
    ];

    fn tags(&self) -> &Tags {
        &self.tags
    }
}

#[derive(Debug, Clone, Default)]
pub struct DescribeNetworkInterfaces {
    pub selection: Selection,
    pub dry_run: bool,
}

impl DescribeNetworkInterfaces {
    pub fn of(id: impl Into<String>) -> Self {
        Self { selection: Selection::ids([id]), dry_run: false }
    }
}

impl Ask for DescribeNetworkInterfaces {
    fn dry_run(&self) -> bool {
        self.dry_run
    }

    fn parameters(&self) -> Parameters {
        self.selection.parameters("NetworkInterfaceId")
    }
}

impl Read for DescribeNetworkInterfaces {
    type Answer = Page<InterfaceView>;

    fn read(&self, region: &Region) -> Result<Self::Answer, ApiError> {
        let view = |interface| InterfaceView::of(region, interface);
        let chosen = select::choose(&self.selection, |id| region.interface(id), region.interfaces(), view)?;
        self.selection.paginate(chosen, 5..=1000, &region.assumptions)
    }
}

#[derive(Debug, Clone, Default)]
pub struct AttachNetworkInterface {
    pub network_interface_id: String,
    pub instance_id: String,
    pub device_index: u32,
    /// `None`: the request names no network card.
    pub network_card_index: Option<u32>,
    pub dry_run: bool,
}

impl AttachNetworkInterface {
    /// The network card. The default is 0.
    fn card(&self) -> u32 {
        self.network_card_index.unwrap_or(0)
    }

    pub fn to(instance_id: impl Into<String>, network_interface_id: impl Into<String>, device_index: u32) -> Self {
        Self {
            network_interface_id: network_interface_id.into(),
            instance_id: instance_id.into(),
            device_index,
            ..Self::default()
        }
    }
}

/// The answer to AttachNetworkInterface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    pub attachment_id: String,
    pub network_card_index: u32,
}

impl Ask for AttachNetworkInterface {
    fn dry_run(&self) -> bool {
        self.dry_run
    }

    fn parameters(&self) -> Parameters {
        Parameters::of("NetworkInterfaceId", &self.network_interface_id)
            .and("InstanceId", &self.instance_id)
            .and("DeviceIndex", self.device_index)
            .and_if_any("NetworkCardIndex", self.network_card_index)
    }
}

impl Change for AttachNetworkInterface {
    type Answer = Attached;

    fn check(&self, world: &World) -> Result<(), ApiError> {
        world.region().interface(&self.network_interface_id)?;
        world.region().instance(&self.instance_id)?;
        Ok(())
    }

    /// The rules of "Attach a network interface" (EC2 User Guide, `network-interface-attachments`): the interface is
    /// free, in the instance's Availability Zone and VPC; the instance is running ("hot attach") or stopped ("warm
    /// attach"), has the device index free and room for one more interface.
    ///
    /// Assumed: the order of the checks, and the codes for another VPC and for an invalid network card.
    fn change(&self, world: &mut World) -> Result<Attached, ApiError> {
        let region = world.region();
        let interface = region.interface(&self.network_interface_id)?;
        let instance = region.instance(&self.instance_id)?;
        if interface.attachment.is_some() {
            return Err(in_use(region, interface));
        }
        if interface.availability_zone != instance.availability_zone {
            return Err(ApiError::invalid_combination(
                "You may not attach a network interface to an instance if they are not in the same availability zone",
            ));
        }
        if interface.vpc_id != instance.vpc_id {
            return Err(ApiError::invalid_combination(
                "You may not attach a network interface to an instance if they are not in the same VPC",
            ));
        }
        if !matches!(instance.state, InstanceState::Running | InstanceState::Stopped) {
            return Err(wrong_state(region, instance));
        }
        self.check_room(region, instance)?;

        let attachment_id = world.ids.resource(&ids::ATTACHMENT);
        let attachment = Attachment {
            id: attachment_id.clone(),
            instance_id: self.instance_id.clone(),
            device_index: self.device_index,
            network_card_index: self.card(),
            status: AttachmentStatus::Attaching,
            attached_at: world.now,
            delete_on_termination: world.region.assumptions.attach_deletes_on_termination,
        };
        world.region_mut().interface_mut(&self.network_interface_id)?.attachment = Some(attachment);
        world.begin(world.region.timings.attach, Process::Attach { attachment_id: attachment_id.clone() });
        Ok(Attached { attachment_id, network_card_index: self.card() })
    }
}

impl AttachNetworkInterface {
    /// Checks the network card, the device index and the number of interfaces. Detaching interfaces count.
    fn check_room(&self, region: &Region, instance: &Instance) -> Result<(), ApiError> {
        let instance_type = region.instance_type(&instance.instance_type)?;
        if self.network_card_index.is_none()
            && region.assumptions.several_cards_need_an_index
            && instance_type.network_cards.len() > 1
        {
            return Err(ApiError::missing_parameter("NetworkCardIndex"));
        }
        let card = usize::try_from(self.card()).ok();
        let Some(room) = card.and_then(|card| instance_type.network_cards.get(card)) else {
            return Err(ApiError::invalid_value(format!(
                "Network card index {} exceeds the limit for {}",
                self.card(),
                instance_type.name
            )));
        };
        let interfaces = region.interfaces_of(&instance.id);
        let on_card: Vec<_> = interfaces
            .iter()
            .filter_map(|interface| interface.attachment.as_ref())
            .filter(|attachment| attachment.network_card_index == self.card())
            .collect();
        let taken = on_card.iter().any(|attachment| attachment.device_index == self.device_index);
        if taken || instance.blocked_indexes.contains(&self.device_index) {
            return Err(ApiError::invalid_value(format!(
                "Instance '{}' already has an interface attached at device index '{}'.",
                instance.id, self.device_index
            )));
        }
        if on_card.len() >= *room {
            return Err(ApiError::client(
                "AttachmentLimitExceeded",
                format!("Interface count {} exceeds the limit for {}", interfaces.len() + 1, instance_type.name),
            ));
        }
        Ok(())
    }
}

fn in_use(region: &Region, interface: &Interface) -> ApiError {
    if region.assumptions.in_use_is_invalid_value {
        ApiError::invalid_value(format!("Network interface '{}' is currently in use.", interface.id))
    } else {
        ApiError::client("InvalidNetworkInterface.InUse", format!("Interface: [{}] in use.", interface.id))
    }
}

/// See [`Assumptions::wrong_state_is_incorrect_instance_state`](super::Assumptions).
fn wrong_state(region: &Region, instance: &Instance) -> ApiError {
    let message = format!("Instance '{}' is '{}', not 'running' or 'stopped'.", instance.id, instance.state.name());
    if region.assumptions.wrong_state_is_incorrect_instance_state {
        ApiError::incorrect_instance_state(message)
    } else {
        ApiError::client("IncorrectState", message)
    }
}

#[derive(Debug, Clone, Default)]
pub struct DetachNetworkInterface {
    pub attachment_id: String,
    pub force: bool,
    pub dry_run: bool,
}

impl DetachNetworkInterface {
    pub fn of(attachment_id: impl Into<String>) -> Self {
        Self { attachment_id: attachment_id.into(), ..Self::default() }
    }

    pub fn forced(mut self) -> Self {
        self.force = true;
        self
    }
}

impl Ask for DetachNetworkInterface {
    fn dry_run(&self) -> bool {
        self.dry_run
    }

    fn parameters(&self) -> Parameters {
        Parameters::of("AttachmentId", &self.attachment_id).and_if_any("Force", self.force.then_some(true))
    }
}

impl Change for DetachNetworkInterface {
    type Answer = ();

    fn check(&self, world: &World) -> Result<(), ApiError> {
        let region = world.region();
        region.attachment(&self.attachment_id).map(drop).map_err(|missing| {
            let is_hidden = region.assumptions.gone_attachment_is_unauthorized && missing.code.ends_with(".NotFound");
            if is_hidden { ApiError::unauthorized(region.account(), "DetachNetworkInterface") } else { missing }
        })
    }

    /// A secondary interface can be detached from an instance that is running or stopped (EC2 User Guide,
    /// `network-interface-attachments`); a primary one never, whatever the state of its instance: public issues and
    /// code show `OperationNotPermitted` for running and for dying instances.
    ///
    /// Assumed: an `attaching` attachment cannot be detached yet (`IncorrectState`). A repeated detach of a `detaching`
    /// one is accepted and changes nothing, except that Force ends a hanging detach.
    fn change(&self, world: &mut World) -> Result<(), ApiError> {
        let region = world.region();
        let (interface, attachment) = region.attachment(&self.attachment_id)?;
        if attachment.is_primary() {
            return Err(ApiError::client(
                "OperationNotPermitted",
                "The network interface at device index 0 and networkCard index 0 cannot be detached.",
            ));
        }
        let instance = region.instance(&attachment.instance_id)?;
        let released_by_termination = instance.state == InstanceState::Terminated;
        if released_by_termination {
            return Ok(());
        }
        if !matches!(instance.state, InstanceState::Running | InstanceState::Stopped)
            && !region.assumptions.detach_in_every_state
        {
            return Err(wrong_state(region, instance));
        }
        match attachment.status {
            AttachmentStatus::Attaching => {
                return Err(ApiError::client(
                    "IncorrectState",
                    format!("The attachment '{}' is still attaching.", attachment.id),
                ));
            }
            AttachmentStatus::Detaching if !self.force => return Ok(()),
            AttachmentStatus::Detaching | AttachmentStatus::Attached => {}
        }

        let hangs = instance.hung && instance.state == InstanceState::Running && !self.force;
        let (interface_id, instance_id, device_index) =
            (interface.id.clone(), instance.id.clone(), attachment.device_index);
        let blocks_index = self.force && region.assumptions.forced_detach_blocks_index;
        let takes = region.timings.detach;
        if blocks_index {
            world.region_mut().instance_mut(&instance_id)?.blocked_indexes.insert(device_index);
        }
        world.mark_detaching(&interface_id)?;
        if !hangs {
            world.begin(takes, Process::Detach { attachment_id: self.attachment_id.clone() });
        }
        Ok(())
    }
}

impl World {
    pub(crate) fn mark_detaching(&mut self, interface_id: &str) -> Result<(), ApiError> {
        if let Some(attachment) = &mut self.region_mut().interface_mut(interface_id)?.attachment {
            attachment.status = AttachmentStatus::Detaching;
        }
        Ok(())
    }

    pub(crate) fn complete_attach(&mut self, attachment_id: &str) {
        self.change_attached(attachment_id, |interface| {
            if let Some(attachment) = &mut interface.attachment
                && attachment.status == AttachmentStatus::Attaching
            {
                attachment.status = AttachmentStatus::Attached;
            }
        });
        self.start_token_server_with(attachment_id);
    }

    /// The interface keeps its private address, its Elastic IP, its MAC address and its tags ("Elastic network
    /// interfaces", EC2 User Guide).
    pub(crate) fn complete_detach(&mut self, attachment_id: &str) {
        self.change_attached(attachment_id, |interface| interface.attachment = None);
    }

    /// Changes the interface with the attachment, if it still exists.
    fn change_attached(&mut self, attachment_id: &str, change: impl FnOnce(&mut Interface)) {
        let Ok((interface, _)) = self.region.attachment(attachment_id) else { return };
        let id = interface.id.clone();
        if let Ok(interface) = self.region_mut().interface_mut(&id) {
            change(interface);
        }
    }
}

/// "You can specify only one attribute at a time" (service model, ModifyNetworkInterfaceAttribute).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InterfaceAttribute {
    DeleteOnTermination {
        attachment_id: String,
        value: bool,
    },
    /// The new set of groups, which replaces the old one.
    Groups(Vec<String>),
    Description(String),
    SourceDestCheck(bool),
}

#[derive(Debug, Clone)]
pub struct ModifyNetworkInterfaceAttribute {
    pub network_interface_id: String,
    pub attribute: InterfaceAttribute,
    pub dry_run: bool,
}

impl Ask for ModifyNetworkInterfaceAttribute {
    fn dry_run(&self) -> bool {
        self.dry_run
    }

    fn parameters(&self) -> Parameters {
        let parameters = Parameters::of("NetworkInterfaceId", &self.network_interface_id);
        match &self.attribute {
            InterfaceAttribute::DeleteOnTermination { attachment_id, value } => {
                parameters.and("Attachment.AttachmentId", attachment_id).and("Attachment.DeleteOnTermination", value)
            }
            InterfaceAttribute::Groups(groups) => parameters.and("Groups", groups.join(",")),
            InterfaceAttribute::Description(description) => parameters.and("Description", description),
            InterfaceAttribute::SourceDestCheck(value) => parameters.and("SourceDestCheck", value),
        }
    }
}

impl Change for ModifyNetworkInterfaceAttribute {
    type Answer = ();

    /// The attachment must be the current one of the interface. There must be at least one group, and the groups must
    /// exist in the VPC of the interface (service model, `Groups`).
    fn check(&self, world: &World) -> Result<(), ApiError> {
        let region = world.region();
        let interface = region.interface(&self.network_interface_id)?;
        match &self.attribute {
            InterfaceAttribute::DeleteOnTermination { attachment_id, .. } => {
                ids::ATTACHMENT.check_form(attachment_id)?;
                match &interface.attachment {
                    Some(attachment) if attachment.id == *attachment_id => Ok(()),
                    _ => Err(ids::ATTACHMENT.missing(attachment_id)),
                }
            }
            InterfaceAttribute::Groups(groups) if groups.is_empty() => {
                Err(ApiError::missing_parameter("SecurityGroupId"))
            }
            InterfaceAttribute::Groups(groups) => groups.iter().try_for_each(|id| {
                let group = region.security_group(id)?;
                if group.vpc_id == interface.vpc_id {
                    Ok(())
                } else {
                    Err(ApiError::client(
                        "InvalidParameter",
                        "You have specified two resources that belong to different networks.",
                    ))
                }
            }),
            InterfaceAttribute::Description(_) | InterfaceAttribute::SourceDestCheck(_) => Ok(()),
        }
    }

    fn change(&self, world: &mut World) -> Result<(), ApiError> {
        let interface = world.region_mut().interface_mut(&self.network_interface_id)?;
        match &self.attribute {
            InterfaceAttribute::DeleteOnTermination { value, .. } => {
                if let Some(attachment) = &mut interface.attachment {
                    attachment.delete_on_termination = *value;
                }
            }
            InterfaceAttribute::Groups(groups) => interface.groups.clone_from(groups),
            InterfaceAttribute::Description(description) => interface.description.clone_from(description),
            InterfaceAttribute::SourceDestCheck(value) => interface.source_dest_check = *value,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        names, pair,
        world::{Assumptions, Filter, Timings, region::Capacity},
    };

    const NOW: Duration = Duration::ZERO;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn refusal<T: std::fmt::Debug>(result: Result<T, ApiError>) -> (u16, String) {
        let error = result.unwrap_err();
        (error.status, error.code.into_owned())
    }

    fn client(code: &str) -> (u16, String) {
        (400, code.to_owned())
    }

    fn attach(world: &mut World, instance_id: &str, index: u32) -> Result<Attached, ApiError> {
        world.act(AttachNetworkInterface::to(instance_id, names::INTERFACE, index))
    }

    fn free() -> World {
        pair().interface(names::INTERFACE, |interface| interface.free()).world()
    }

    fn seen(world: &mut World, now: Duration) -> (&'static str, Option<&'static str>) {
        let page = world.call(now, DescribeNetworkInterfaces::of(names::INTERFACE)).unwrap();
        let interface = &page.items[0];
        (interface.status, interface.attachment.as_ref().map(|attachment| attachment.status.name()))
    }

    #[test]
    fn a_move_takes_its_time_and_keeps_all_that_belongs_to_the_interface() {
        let timings = Timings { detach: seconds(2), attach: seconds(1), ..Timings::default() };
        let mut world = pair().timings(timings).world();
        let before = world.call(NOW, DescribeNetworkInterfaces::of(names::INTERFACE)).unwrap().items.remove(0);

        world.call(NOW, DetachNetworkInterface::of(names::ATTACHMENT)).unwrap();
        assert_eq!(seen(&mut world, seconds(1)), ("in-use", Some("detaching")));
        assert_eq!(refusal(attach(&mut world, names::STANDBY, 1)), client("InvalidNetworkInterface.InUse"));
        assert_eq!(seen(&mut world, seconds(2)), ("available", None));
        let attached = attach(&mut world, names::STANDBY, 1).unwrap();
        assert_eq!(seen(&mut world, seconds(2)), ("in-use", Some("attaching")));
        assert_eq!(seen(&mut world, seconds(3)), ("in-use", Some("attached")));

        let after = world.call(seconds(3), DescribeNetworkInterfaces::of(names::INTERFACE)).unwrap().items.remove(0);
        assert_eq!(
            after.attachment,
            Some(Attachment {
                id: attached.attachment_id,
                instance_id: names::STANDBY.to_owned(),
                device_index: 1,
                network_card_index: 0,
                status: AttachmentStatus::Attached,
                attached_at: seconds(2),
                delete_on_termination: false,
            })
        );
        assert_eq!(after.mac_address, before.mac_address);
        assert_eq!(after.private_ip, before.private_ip);
        assert_eq!(after.groups, before.groups);
        assert_eq!(after.address.unwrap().association, before.address.unwrap().association);
    }

    #[test]
    fn the_status_can_be_made_to_show_the_phases() {
        let timings = Timings { detach: seconds(2), attach: seconds(1), ..Timings::default() };
        let assumptions = Assumptions { status_shows_phases: true, ..Assumptions::default() };
        let mut world = pair().timings(timings).assumptions(assumptions).world();
        world.call(NOW, DetachNetworkInterface::of(names::ATTACHMENT)).unwrap();
        assert_eq!(seen(&mut world, seconds(1)), ("detaching", Some("detaching")));
        world.advance(seconds(2));
        attach(&mut world, names::STANDBY, 1).unwrap();
        assert_eq!(seen(&mut world, seconds(2)), ("attaching", Some("attaching")));
        assert_eq!(seen(&mut world, seconds(3)), ("in-use", Some("attached")));
    }

    #[test]
    fn an_interface_in_use_cannot_be_attached() {
        let mut world = pair().world();
        assert_eq!(refusal(attach(&mut world, names::STANDBY, 1)), client("InvalidNetworkInterface.InUse"));
        let assumptions = Assumptions { in_use_is_invalid_value: true, ..Assumptions::default() };
        let mut world = pair().assumptions(assumptions).world();
        assert_eq!(refusal(attach(&mut world, names::STANDBY, 1)), client("InvalidParameterValue"));
        assert_eq!(world.holder_of(names::INTERFACE), Some(names::HOLDER));
    }

    #[test]
    fn a_device_index_takes_one_interface() {
        let mut world = free();
        assert_eq!(refusal(attach(&mut world, names::STANDBY, 0)), client("InvalidParameterValue"));
        assert_eq!(world.holder_of(names::INTERFACE), None);
    }

    #[test]
    fn an_instance_takes_as_many_interfaces_as_its_type_allows() {
        let mut world = pair()
            .interface(names::INTERFACE, |interface| interface.free())
            .instance(names::STANDBY, |instance| instance.interface_limit(1))
            .world();
        assert_eq!(refusal(attach(&mut world, names::STANDBY, 1)), client("AttachmentLimitExceeded"));
    }

    #[test]
    fn zone_vpc_and_network_card_must_match() {
        let elsewhere = |spec: crate::InstanceSpec| spec.zone("eu-west-1b", "subnet-0bbbbbbbbbbbbbbb2");
        let mut world = pair()
            .interface(names::INTERFACE, |interface| interface.free())
            .instance(names::STANDBY, elsewhere)
            .instance(names::THIRD, |instance| instance.vpc("vpc-0bbbbbbbbbbbbbbb2", "subnet-0ccccccccccccccc3"))
            .world();
        assert_eq!(refusal(attach(&mut world, names::STANDBY, 1)), client("InvalidParameterCombination"));
        assert_eq!(refusal(attach(&mut world, names::THIRD, 1)), client("InvalidParameterCombination"));
        let mut request = AttachNetworkInterface::to(names::HOLDER, names::INTERFACE, 1);
        request.network_card_index = Some(1);
        assert_eq!(refusal(world.act(request)), client("InvalidParameterValue"));
    }

    #[test]
    fn an_attach_needs_a_running_or_stopped_instance() {
        for state in [
            InstanceState::Pending,
            InstanceState::Running,
            InstanceState::Stopping,
            InstanceState::Stopped,
            InstanceState::ShuttingDown,
            InstanceState::Terminated,
        ] {
            let allowed = matches!(state, InstanceState::Running | InstanceState::Stopped);
            let mut world = pair()
                .interface(names::INTERFACE, |interface| interface.free())
                .instance(names::STANDBY, |instance| instance.state(state))
                .world();
            let result = attach(&mut world, names::STANDBY, 1);
            assert_eq!(result.is_ok(), allowed, "attach to {state:?}");
            if !allowed {
                assert_eq!(refusal(result), client("IncorrectState"));
            }
            if state != InstanceState::Terminated {
                let mut world = pair().instance(names::HOLDER, |instance| instance.state(state)).world();
                let result = world.act(DetachNetworkInterface::of(names::ATTACHMENT));
                assert_eq!(result.is_ok(), allowed, "detach from {state:?}");
            }
        }
    }

    #[test]
    fn a_primary_interface_is_never_detached() {
        for force in [false, true] {
            let mut world = crate::primary().world();
            let request = DetachNetworkInterface { force, ..DetachNetworkInterface::of(names::ATTACHMENT) };
            assert_eq!(refusal(world.act(request)), client("OperationNotPermitted"));
            assert_eq!(world.holder_of(names::INTERFACE), Some(names::HOLDER));
        }
    }

    #[test]
    fn only_force_ends_a_detach_that_hangs() {
        let mut world = pair().instance(names::HOLDER, |instance| instance.hung()).world();
        world.call(NOW, DetachNetworkInterface::of(names::ATTACHMENT)).unwrap();
        assert_eq!(seen(&mut world, seconds(3600)), ("in-use", Some("detaching")));
        world.act(DetachNetworkInterface::of(names::ATTACHMENT)).unwrap();
        assert_eq!(seen(&mut world, seconds(7200)), ("in-use", Some("detaching")));
        world.act(DetachNetworkInterface::of(names::ATTACHMENT).forced()).unwrap();
        assert_eq!(seen(&mut world, seconds(7200)), ("available", None));
    }

    #[test]
    fn a_detach_that_hangs_ends_when_the_instance_has_stopped_or_is_terminated() {
        for end in [World::stop, World::terminate] {
            let mut world = pair()
                .instance(names::HOLDER, |instance| instance.hung())
                .timings(Timings {
                    detach: seconds(2),
                    stop: seconds(6),
                    shutdown: seconds(6),
                    release: seconds(2),
                    ..Timings::default()
                })
                .world();
            world.act(DetachNetworkInterface::of(names::ATTACHMENT)).unwrap();
            end(&mut world, names::HOLDER).unwrap();
            assert_eq!(seen(&mut world, seconds(7)), ("in-use", Some("detaching")));
            assert_eq!(seen(&mut world, seconds(8)), ("available", None));
        }
    }

    #[test]
    fn a_forced_detach_can_block_the_device_index_until_the_next_start() {
        let assumptions = Assumptions { forced_detach_blocks_index: true, ..Assumptions::default() };
        let mut world = pair().assumptions(assumptions).world();
        world.act(DetachNetworkInterface::of(names::ATTACHMENT).forced()).unwrap();
        assert_eq!(refusal(attach(&mut world, names::HOLDER, 1)), client("InvalidParameterValue"));
        world.stop(names::HOLDER).unwrap();
        world.advance(seconds(1));
        world.start(names::HOLDER).unwrap();
        world.advance(seconds(1));
        attach(&mut world, names::HOLDER, 1).unwrap();
    }

    #[test]
    fn an_attachment_that_is_gone_is_not_found() {
        let mut world = pair().world();
        world.act(DetachNetworkInterface::of(names::ATTACHMENT)).unwrap();
        assert_eq!(
            refusal(world.act(DetachNetworkInterface::of(names::ATTACHMENT))),
            client("InvalidAttachmentID.NotFound")
        );
        assert_eq!(
            refusal(world.act(DetachNetworkInterface::of(names::INTERFACE))),
            client("InvalidNetworkInterfaceAttachmentId.Malformed")
        );
    }

    #[test]
    fn an_attachment_that_is_gone_can_be_unauthorized() {
        let assumptions = Assumptions { gone_attachment_is_unauthorized: true, ..Assumptions::default() };
        let mut world = pair().assumptions(assumptions).world();
        world.act(DetachNetworkInterface::of(names::ATTACHMENT)).unwrap();
        assert_eq!(
            refusal(world.act(DetachNetworkInterface::of(names::ATTACHMENT))),
            (403, "UnauthorizedOperation".to_owned())
        );
        assert_eq!(
            refusal(world.act(DetachNetworkInterface::of(names::INTERFACE))),
            client("InvalidNetworkInterfaceAttachmentId.Malformed")
        );
    }

    #[test]
    fn delete_on_termination_belongs_to_the_attachment() {
        let mut world = pair().world();
        let modify = |attachment_id: &str, value| ModifyNetworkInterfaceAttribute {
            network_interface_id: names::INTERFACE.to_owned(),
            attribute: InterfaceAttribute::DeleteOnTermination { attachment_id: attachment_id.to_owned(), value },
            dry_run: false,
        };
        world.act(modify(names::ATTACHMENT, true)).unwrap();
        assert!(world.attachment_of(names::INTERFACE).unwrap().delete_on_termination);

        let other = world.attachment_of(&names::primary_interface_of(names::HOLDER)).unwrap().id.clone();
        assert_eq!(refusal(world.act(modify(&other, false))), client("InvalidAttachmentID.NotFound"));
        assert_eq!(refusal(world.act(modify("", false))), client("InvalidNetworkInterfaceAttachmentId.Malformed"));

        world.detach(names::INTERFACE).unwrap();
        world.attach(names::INTERFACE, names::STANDBY, 1).unwrap();
        assert!(!world.attachment_of(names::INTERFACE).unwrap().delete_on_termination);
    }

    #[test]
    fn the_groups_of_an_interface_are_its_own_and_are_replaced_as_a_whole() {
        let groups = |ids: &[&str]| ModifyNetworkInterfaceAttribute {
            network_interface_id: names::INTERFACE.to_owned(),
            attribute: InterfaceAttribute::Groups(ids.iter().map(|id| (*id).to_owned()).collect()),
            dry_run: false,
        };
        let mut world =
            pair().security_group("sg-0aaaaaaaaaaaaaaa9", |group| group.vpc("vpc-0bbbbbbbbbbbbbbb2")).world();
        assert_eq!(world.interface(names::INTERFACE).unwrap().groups, [names::GROUP]);
        world.act(groups(&[names::DEFAULT_GROUP])).unwrap();
        assert_eq!(world.interface(names::INTERFACE).unwrap().groups, [names::DEFAULT_GROUP]);
        assert_eq!(refusal(world.act(groups(&["sg-0aaaaaaaaaaaaaaa2"]))), client("InvalidGroup.NotFound"));
        assert_eq!(refusal(world.act(groups(&["default"]))), client("InvalidGroupId.Malformed"));
        assert_eq!(refusal(world.act(groups(&["sg-0aaaaaaaaaaaaaaa9"]))), client("InvalidParameter"));
        assert_eq!(refusal(world.act(groups(&[]))), client("MissingParameter"));
        assert_eq!(world.interface(names::INTERFACE).unwrap().groups, [names::DEFAULT_GROUP]);
    }

    #[test]
    fn a_dry_run_checks_the_named_resources_and_changes_nothing() {
        let mut world = pair().world();
        let revision = world.revision();
        let mut detach = DetachNetworkInterface::of(names::ATTACHMENT);
        detach.dry_run = true;
        assert_eq!(refusal(world.act(detach.clone())), (412, "DryRunOperation".to_owned()));
        detach.attachment_id = "eni-attach-0aaaaaaaaaaaaaaa9".to_owned();
        assert_eq!(refusal(world.act(detach)), client("InvalidAttachmentID.NotFound"));
        let describe = DescribeNetworkInterfaces { dry_run: true, ..DescribeNetworkInterfaces::default() };
        assert_eq!(refusal(world.act(describe)), (412, "DryRunOperation".to_owned()));
        assert_eq!(world.revision(), revision);
    }

    #[test]
    fn filters_match_the_properties_and_the_attachment_of_an_interface() {
        let mut world = pair().interface(names::INTERFACE, |interface| interface.tag("Name", "license")).world();
        for (name, value, expected) in [
            ("network-interface-id", names::INTERFACE, 1),
            ("mac-address", names::MAC, 1),
            ("mac-address", "02:73:AE:2A:DC:81", 0),
            ("group-id", names::GROUP, 1),
            ("group-name", "default", 2),
            ("attachment.attachment-id", names::ATTACHMENT, 1),
            ("attachment.instance-id", names::HOLDER, 2),
            ("attachment.device-index", "0", 2),
            ("attachment.status", "attached", 3),
            ("attachment.delete-on-termination", "false", 1),
            ("association.public-ip", names::PUBLIC_IP, 1),
            ("association.allocation-id", "*", 1),
            ("status", "in-use", 3),
            ("status", "available", 0),
            ("subnet-id", names::SUBNET, 3),
            ("vpc-id", "vpc-0bbbbbbbbbbbbbbb2", 0),
            ("private-dns-name", "ip-10-0-1-50.eu-west-1.compute.internal", 1),
            ("tag:Name", "lic*", 1),
            ("tag:name", "license", 0),
            ("tag-key", "Name", 1),
        ] {
            let describe = DescribeNetworkInterfaces { selection: Selection::filter(name, [value]), dry_run: false };
            assert_eq!(world.act(describe).unwrap().items.len(), expected, "{name}={value}");
        }
    }

    #[test]
    fn all_filters_must_match_and_an_unknown_one_is_refused() {
        let mut world = pair().world();
        let mut selection = Selection::filter("attachment.instance-id", [names::HOLDER, names::STANDBY]);
        selection.filters.push(Filter::new("attachment.device-index", ["1"]));
        let found = world.act(DescribeNetworkInterfaces { selection, dry_run: false }).unwrap().items;
        assert_eq!(found.iter().map(|interface| interface.id.as_str()).collect::<Vec<_>>(), [names::INTERFACE]);

        let mut empty = crate::Scenario::empty().world();
        let selection = Selection::filter("colour", ["red"]);
        let describe = DescribeNetworkInterfaces { selection, dry_run: false };
        assert_eq!(refusal(empty.act(describe)), client("InvalidParameterValue"));
    }

    #[test]
    fn a_stopped_instance_keeps_its_interfaces_and_takes_another() {
        let mut world = crate::cold_standby().world();
        world.stop(names::HOLDER).unwrap();
        assert_eq!(seen(&mut world, seconds(1)), ("in-use", Some("attached")));
        world.detach(names::INTERFACE).unwrap();
        world.attach(names::INTERFACE, names::STANDBY, 1).unwrap();
        world.set_capacity(names::STANDBY, Capacity::Available).unwrap();
        world.start(names::STANDBY).unwrap();
        world.advance(seconds(2));
        assert_eq!(world.holder_of(names::INTERFACE), Some(names::STANDBY));
    }
}
