//! Builds a world from its description.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    description::Scenario,
    instance::MADE_UP_TYPE,
    network::{NetworkAclSpec, RouteTableSpec, SubnetSpec, sibling},
    security_group::SecurityGroupSpec,
};
use crate::{
    model::{Home, InstanceType, NetworkAcl, NetworkAclAssociation, Region, RouteTable, Subnet, TokenServers},
    names,
    world::World,
};

impl Scenario {
    /// The world alone, for tests below the wire.
    pub fn world(&self) -> World {
        if self.auto_scaling_groups.is_empty() { self.built() } else { self.with_members().built() }
    }

    /// The scenario with every member of its Auto Scaling groups as an instance.
    fn with_members(&self) -> Self {
        let mut scenario = self.clone();
        for group in &self.auto_scaling_groups {
            for id in &group.members {
                let position = scenario.instances.len();
                match scenario.instances.iter_mut().find(|spec| spec.id == *id) {
                    Some(spec) => *spec = group.tagged(spec.clone()),
                    None => scenario.instances.push(group.tagged(group.launched(id, position))),
                }
            }
        }
        scenario
    }

    fn built(&self) -> World {
        let network = self.network();
        let mut region = Region {
            home: Arc::new(Home {
                account: names::ACCOUNT.to_owned(),
                region: names::REGION.to_owned(),
                epoch: self.epoch,
                vpcs_without_gateway: self.vpcs_without_gateway.clone(),
            }),
            timings: self.timings,
            assumptions: self.assumptions,
            instance_types: self.instance_types(),
            instances: BTreeMap::new(),
            interfaces: BTreeMap::new(),
            addresses: BTreeMap::new(),
            security_groups: BTreeMap::new(),
            subnets: network.subnets,
            route_tables: network.route_tables,
            network_acls: network.network_acls,
            auto_scaling_groups: BTreeMap::new(),
            prefix_lists: self.prefix_lists.iter().map(|list| (list.id.clone(), Arc::new(list.clone()))).collect(),
        };
        for group in std::iter::once(&default_group()).chain(&self.security_groups) {
            region.security_groups.insert(group.id.clone(), Arc::new(group.build()));
        }
        for spec in &self.instances {
            let (instance, primary) = spec.build(&region);
            region.instances.insert(instance.id.clone(), Arc::new(instance));
            region.interfaces.extend(primary.map(|interface| (interface.id.clone(), Arc::new(interface))));
        }
        for spec in &self.interfaces {
            region.interfaces.insert(spec.id.clone(), Arc::new(spec.build(&region)));
        }
        for spec in &self.addresses {
            region.addresses.insert(spec.id.clone(), Arc::new(spec.build(&region)));
        }
        for (position, spec) in self.auto_scaling_groups.iter().enumerate() {
            let group = spec.build(&region, position);
            region.auto_scaling_groups.insert(group.name.clone(), Arc::new(group));
        }
        let mut world = World::new(region, self.seed);
        for spec in &self.topics {
            spec.build(&mut world);
        }
        for spec in &self.documents {
            spec.build(&mut world);
        }
        for spec in &self.stacks {
            spec.build(&mut world);
        }
        world.set_token_servers(TokenServers::new(
            &self.token_server_ports,
            &self.license_interface,
            self.license_service,
        ));
        world.begin_with_token_servers();
        world.begin_with_groups();
        world
    }

    fn instance_types(&self) -> BTreeMap<String, Arc<InstanceType>> {
        let made_up = self.instances.iter().filter_map(|spec| {
            let interfaces = spec.instance_type.strip_prefix(MADE_UP_TYPE)?.parse().ok()?;
            Some(InstanceType::with_interfaces(&spec.instance_type, interfaces))
        });
        let types: BTreeMap<_, _> = InstanceType::catalog()
            .chain(made_up)
            .chain(self.own_instance_types.iter().cloned())
            .map(|instance_type| (instance_type.name.clone(), Arc::new(instance_type)))
            .collect();
        for spec in &self.instances {
            let name = &spec.instance_type;
            assert!(types.contains_key(name), "unknown type {name} of {}; see Scenario::instance_type", spec.id);
        }
        types
    }
}

/// The group of an interface that names none, without rules.
fn default_group() -> SecurityGroupSpec {
    SecurityGroupSpec::new(names::DEFAULT_GROUP).name("default")
}

/// The network of a scenario.
struct Network {
    subnets: BTreeMap<String, Arc<Subnet>>,
    route_tables: BTreeMap<String, Arc<RouteTable>>,
    network_acls: BTreeMap<String, Arc<NetworkAcl>>,
}

impl Scenario {
    /// The described network with the defaults of every VPC: a main table, a default ACL, and each subnet that
    /// something is in.
    fn network(&self) -> Network {
        let mut specs = self.subnets.clone();
        let of_instances = self.instances.iter().map(|i| (&i.subnet_id, &i.vpc_id, &i.availability_zone));
        let of_interfaces = self.interfaces.iter().map(|i| (&i.subnet_id, &i.vpc_id, &i.availability_zone));
        for (id, vpc_id, zone) in of_instances.chain(of_interfaces) {
            if !specs.iter().any(|spec| spec.id == *id) {
                specs.push(SubnetSpec::new(id).vpc(vpc_id).zone(zone));
            }
        }
        let subnets: BTreeMap<_, _> = specs
            .iter()
            .filter(|spec| spec.id != names::SUBNET)
            .chain(specs.iter().filter(|spec| spec.id == names::SUBNET))
            .enumerate()
            .map(|(position, spec)| (spec.id.clone(), Arc::new(spec.build(position))))
            .collect();
        let vpcs: BTreeSet<&String> = subnets.values().map(|subnet| &subnet.vpc_id).collect();
        let route_tables = self.built_route_tables(&vpcs);
        let network_acls = self.built_network_acls(&vpcs, &subnets);
        Network { subnets, route_tables, network_acls }
    }

    fn built_route_tables(&self, vpcs: &BTreeSet<&String>) -> BTreeMap<String, Arc<RouteTable>> {
        let mut specs = self.route_tables.clone();
        for vpc_id in vpcs {
            if !specs.iter().any(|spec| spec.main && spec.vpc_id == **vpc_id) {
                specs.push(RouteTableSpec::main_of(vpc_id));
            }
        }
        specs.iter().map(|spec| (spec.id.clone(), Arc::new(spec.build(&self.vpcs_without_gateway)))).collect()
    }

    fn built_network_acls(
        &self,
        vpcs: &BTreeSet<&String>,
        subnets: &BTreeMap<String, Arc<Subnet>>,
    ) -> BTreeMap<String, Arc<NetworkAcl>> {
        let mut specs = self.network_acls.clone();
        for vpc_id in vpcs {
            if !specs.iter().any(|spec| spec.acl.is_default && spec.acl.vpc_id == **vpc_id) {
                let acl = NetworkAcl::default_of(&sibling(vpc_id, "acl"), vpc_id);
                specs.push(NetworkAclSpec { id: acl.id.clone(), acl, subnets: Vec::new() });
            }
        }
        for subnet in subnets.values() {
            if !specs.iter().any(|spec| spec.subnets.contains(&subnet.id)) {
                let of_vpc = |spec: &&mut NetworkAclSpec| spec.acl.is_default && spec.acl.vpc_id == subnet.vpc_id;
                let default = specs.iter_mut().find(of_vpc).expect("each VPC has a default ACL");
                default.subnets.push(subnet.id.clone());
            }
        }
        let association = |subnet_id: &String| NetworkAclAssociation {
            id: sibling(subnet_id, "aclassoc"),
            subnet_id: subnet_id.clone(),
        };
        specs
            .into_iter()
            .map(|spec| {
                let associations = spec.subnets.iter().map(association).collect();
                (spec.id, Arc::new(NetworkAcl { associations, ..spec.acl }))
            })
            .collect()
    }
}
