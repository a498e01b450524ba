//! Instance types: DescribeInstanceTypes.

use std::sync::Arc;

use super::{
    kinds::{Ask, Read},
    parameters::Parameters,
    select::{self, Facts, FilterTable, Filterable, Page, Selection, one},
};
use crate::model::{ApiError, InstanceType, Region, Tags, no_such_types};

static NO_TAGS: Tags = Tags::new();

/// The filters of DescribeInstanceTypes in the service model that apply to a simulated type. There are none on tags.
impl Filterable for InstanceType {
    const FILTERS: FilterTable<Self> = &[
        ("instance-type", |instance_type| one(&instance_type.name)),
        ("network-info.ipv4-addresses-per-interface", |instance_type| one(instance_type.ipv4_addresses_per_interface)),
        ("network-info.maximum-network-cards", |instance_type| one(instance_type.network_cards.len())),
        ("network-info.maximum-network-interfaces", |instance_type| one(instance_type.maximum_network_interfaces())),
    ];

    fn tags(&self) -> &Tags {
        &NO_TAGS
    }

    fn facts(filter: &str) -> Option<Facts<Self>> {
        if filter.starts_with("tag") { None } else { select::plain_facts(filter) }
    }
}

#[derive(Debug, Clone, Default)]
pub struct DescribeInstanceTypes {
    /// The id of a type is its name.
    pub selection: Selection,
    pub dry_run: bool,
}

impl DescribeInstanceTypes {
    pub fn of<T: Into<String>>(types: impl IntoIterator<Item = T>) -> Self {
        Self { selection: Selection::ids(types), dry_run: false }
    }
}

impl Ask for DescribeInstanceTypes {
    fn dry_run(&self) -> bool {
        self.dry_run
    }

    fn parameters(&self) -> Parameters {
        self.selection.parameters("InstanceType")
    }
}

impl Read for DescribeInstanceTypes {
    type Answer = Page<InstanceType>;

    /// One unknown name fails the whole request, and the message names all unknown ones (public issue
    /// scylladb/scylla-cluster-tests#12419). The page size is 5 to 100 (service model, `DITMaxResults`).
    fn read(&self, region: &Region) -> Result<Self::Answer, ApiError> {
        let unknown: Vec<&str> = self
            .selection
            .ids
            .iter()
            .map(String::as_str)
            .filter(|name| !region.instance_types.contains_key(*name))
            .collect();
        if !unknown.is_empty() {
            return Err(no_such_types(&unknown));
        }
        let find = |name: &str| region.instance_type(name);
        let view = |instance_type: &Arc<InstanceType>| InstanceType::clone(instance_type);
        let chosen = select::choose(&self.selection, find, region.instance_types.values(), view)?;
        self.selection.paginate(chosen, 5..=100, &region.assumptions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        names, pair,
        world::{Assumptions, AttachNetworkInterface, World},
    };

    fn code<T: std::fmt::Debug>(result: Result<T, ApiError>) -> String {
        result.unwrap_err().code.into_owned()
    }

    fn described(world: &mut World, name: &str) -> InstanceType {
        world.act(DescribeInstanceTypes::of([name])).unwrap().items.remove(0)
    }

    #[test]
    fn the_type_of_every_instance_is_described() {
        let mut world = pair().world();
        let expected =
            InstanceType { name: "t3.small".to_owned(), network_cards: vec![3], ipv4_addresses_per_interface: 4 };
        let names: Vec<String> = world.region().instances().map(|instance| instance.instance_type.clone()).collect();
        assert_eq!(names, ["t3.small", "t3.small"]);
        assert_eq!(described(&mut world, "t3.small"), expected);
        assert_eq!(expected.maximum_network_interfaces(), 3);
    }

    #[test]
    fn an_attach_has_the_limits_that_are_described() {
        for limit in 1..=16 {
            let mut scenario = pair().instance(names::STANDBY, |instance| instance.interface_limit(limit));
            for n in 0..16 {
                scenario = scenario.interface(&format!("eni-0ddddddddddddd{n:03x}"), |interface| interface);
            }
            let mut world = scenario.world();
            let name = world.region().instance(names::STANDBY).unwrap().instance_type.clone();
            assert_eq!(described(&mut world, &name).maximum_network_interfaces(), limit);
            let mut attached = 1;
            let refusal = loop {
                let interface_id = format!("eni-0ddddddddddddd{:03x}", attached - 1);
                match world.attach(&interface_id, names::STANDBY, u32::try_from(attached).unwrap()) {
                    Ok(()) => attached += 1,
                    Err(error) => break error.code,
                }
            };
            assert_eq!((attached, &*refusal), (limit, "AttachmentLimitExceeded"));
        }
    }

    #[test]
    fn each_network_card_has_room_of_its_own() {
        let mut world = pair()
            .instance(names::STANDBY, |instance| instance.instance_type("c6in.32xlarge"))
            .interface(names::INTERFACE, |interface| interface.free())
            .interface("eni-0ddddddddddddddd2", |interface| interface.on(names::STANDBY, 1))
            .world();
        let request = |card| AttachNetworkInterface {
            network_card_index: Some(card),
            ..AttachNetworkInterface::to(names::STANDBY, names::INTERFACE, 1)
        };
        assert_eq!(code(world.act(request(0))), "InvalidParameterValue");
        assert_eq!(code(world.act(request(2))), "InvalidParameterValue");
        world.region_mut().assumptions.several_cards_need_an_index = true;
        let nameless = AttachNetworkInterface { network_card_index: None, ..request(1) };
        assert_eq!(code(world.act(nameless)), "MissingParameter");
        assert_eq!(world.act(request(1)).unwrap().network_card_index, 1);
        assert_eq!(world.attachment_of(names::INTERFACE).unwrap().network_card_index, 1);
    }

    #[test]
    fn an_error_names_every_type_that_does_not_exist() {
        let mut world = pair().world();
        let error = world.act(DescribeInstanceTypes::of(["t3.small", "t3.huge", "x"])).unwrap_err();
        assert_eq!(
            (&*error.code, error.message.as_str()),
            ("InvalidInstanceType", "The following supplied instance types do not exist: [t3.huge, x]")
        );
    }

    #[test]
    fn types_are_filtered_and_come_on_pages() {
        let names_of = |world: &mut World, selection| -> Vec<String> {
            let page = world.act(DescribeInstanceTypes { selection, dry_run: false }).unwrap();
            page.items.into_iter().map(|instance_type| instance_type.name).collect()
        };
        let mut world = pair().world();
        assert_eq!(names_of(&mut world, Selection::filter("instance-type", ["t4g.n*"])), ["t4g.nano"]);
        assert_eq!(
            names_of(&mut world, Selection::filter("network-info.maximum-network-cards", ["2"])),
            ["c6in.32xlarge"]
        );
        let tagged = Selection::filter("tag:Name", ["x"]);
        assert_eq!(
            code(world.act(DescribeInstanceTypes { selection: tagged, dry_run: false })),
            "InvalidParameterValue"
        );

        let assumptions = Assumptions { page_limit: Some(7), ..Assumptions::default() };
        let mut world = pair().assumptions(assumptions).world();
        let mut request = DescribeInstanceTypes::default();
        let mut seen = Vec::new();
        loop {
            let page = world.act(request.clone()).unwrap();
            seen.extend(page.items.into_iter().map(|instance_type| instance_type.name));
            request.selection.next_token = page.next_token;
            if request.selection.next_token.is_none() {
                break;
            }
        }
        let mut expected: Vec<String> = InstanceType::catalog().map(|instance_type| instance_type.name).collect();
        expected.sort();
        assert_eq!(seen, expected);
    }
}
