//! Route tables: DescribeRouteTables.

use std::{ops::Deref, sync::Arc};

use ipnet::IpNet;

use super::{
    kinds::{Ask, Read},
    parameters::Parameters,
    select::{self, FilterTable, Filterable, Page, Selection, maybe, one},
    state::World,
};
use crate::model::{ApiError, Home, Region, Route, RouteDestination, RouteState, RouteTable, Tags};

/// A route table as in DescribeRouteTables.
#[derive(Debug, Clone)]
pub struct RouteTableView {
    pub table: Arc<RouteTable>,
    pub(crate) home: Arc<Home>,
}

impl Deref for RouteTableView {
    type Target = RouteTable;

    fn deref(&self) -> &RouteTable {
        &self.table
    }
}

/// The values that the filters compare.
impl Route {
    fn target_in(&self, member: &str) -> Option<String> {
        (self.target_member() == member).then(|| self.target.clone())
    }

    fn ipv4(&self) -> Option<String> {
        matches!(self.destination, RouteDestination::Network(IpNet::V4(_))).then(|| self.destination.to_string())
    }

    fn ipv6(&self) -> Option<String> {
        matches!(self.destination, RouteDestination::Network(IpNet::V6(_))).then(|| self.destination.to_string())
    }
}

fn of_routes(table: &RouteTableView, fact: impl Fn(&Route) -> Option<String>) -> Vec<String> {
    table.routes.iter().filter_map(fact).collect()
}

/// The filters of DescribeRouteTables in the service model that apply to a simulated table. `association.subnet-id`
/// does not find an implicitly associated subnet: "This command does not return the subnet ID for implicit
/// associations".
impl Filterable for RouteTableView {
    const FILTERS: FilterTable<Self> = &[
        ("association.main", |table| table.associations.iter().flat_map(|a| one(a.is_main())).collect()),
        ("association.route-table-association-id", |table| {
            table.associations.iter().map(|association| association.id.clone()).collect()
        }),
        ("association.route-table-id", |table| maybe((!table.associations.is_empty()).then_some(&table.id))),
        ("association.subnet-id", |table| {
            table.associations.iter().flat_map(|a| maybe(a.subnet_id.as_ref())).collect()
        }),
        ("owner-id", |table| one(&table.home.account)),
        ("route-table-id", |table| one(&table.id)),
        ("route.destination-cidr-block", |table| of_routes(table, Route::ipv4)),
        ("route.destination-ipv6-cidr-block", |table| of_routes(table, Route::ipv6)),
        ("route.gateway-id", |table| of_routes(table, |route| route.target_in("gatewayId"))),
        ("route.instance-id", |table| of_routes(table, |route| route.target_in("instanceId"))),
        ("route.nat-gateway-id", |table| of_routes(table, |route| route.target_in("natGatewayId"))),
        ("route.origin", |table| of_routes(table, |route| Some(route.origin().to_owned()))),
        ("route.state", |table| of_routes(table, |route| Some(route.state.name().to_owned()))),
        ("route.transit-gateway-id", |table| of_routes(table, |route| route.target_in("transitGatewayId"))),
        ("vpc-id", |table| one(&table.vpc_id)),
    ];

    fn tags(&self) -> &Tags {
        &self.tags
    }
}

#[derive(Debug, Clone, Default)]
pub struct DescribeRouteTables {
    pub selection: Selection,
    pub dry_run: bool,
}

impl DescribeRouteTables {
    /// The table with which the subnet is explicitly associated, if any.
    pub fn of_subnet(subnet_id: impl Into<String>) -> Self {
        Self { selection: Selection::filter("association.subnet-id", [subnet_id]), dry_run: false }
    }

    /// All tables of a VPC.
    pub fn of_vpc(vpc_id: impl Into<String>) -> Self {
        Self { selection: Selection::filter("vpc-id", [vpc_id]), dry_run: false }
    }
}

impl Ask for DescribeRouteTables {
    fn dry_run(&self) -> bool {
        self.dry_run
    }

    fn parameters(&self) -> Parameters {
        self.selection.parameters("RouteTableId")
    }
}

impl Read for DescribeRouteTables {
    type Answer = Page<RouteTableView>;

    /// The page size is 5 to 100 (service model, `DescribeRouteTablesMaxResults`).
    fn read(&self, region: &Region) -> Result<Self::Answer, ApiError> {
        let view = |table: &Arc<RouteTable>| RouteTableView { table: table.clone(), home: region.home.clone() };
        let chosen = select::choose(&self.selection, |id| region.route_table(id), region.route_tables.values(), view)?;
        self.selection.paginate(chosen, 5..=100, &region.assumptions)
    }
}

/// # Actions of others on route tables
impl World {
    /// Sets whether the target of a route is available.
    pub fn set_route_state(&mut self, table_id: &str, destination: &str, state: RouteState) -> Result<(), ApiError> {
        self.route_mut(table_id, destination)?.state = state;
        Ok(())
    }

    /// Sets the target of a route.
    pub fn replace_route(&mut self, table_id: &str, destination: &str, target: &str) -> Result<(), ApiError> {
        let route = self.route_mut(table_id, destination)?;
        (route.target, route.state) = (target.to_owned(), RouteState::Active);
        Ok(())
    }

    pub fn delete_route(&mut self, table_id: &str, destination: &str) -> Result<(), ApiError> {
        self.route_mut(table_id, destination)?;
        let table = self.region_mut().route_table_mut(table_id)?;
        table.routes.retain(|route| route.destination.to_string() != destination);
        Ok(())
    }

    fn route_mut(&mut self, table_id: &str, destination: &str) -> Result<&mut Route, ApiError> {
        let table = self.region_mut().route_table_mut(table_id)?;
        table.routes.iter_mut().find(|route| route.destination.to_string() == destination).ok_or_else(|| {
            ApiError::client(
                "InvalidRoute.NotFound",
                format!("no route with destination-cidr-block {destination} in route table {table_id}"),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::RouteTableAssociation, names, pair};

    fn code<T: std::fmt::Debug>(result: Result<T, ApiError>) -> String {
        result.unwrap_err().code.into_owned()
    }

    fn tables(world: &mut World, request: DescribeRouteTables) -> Vec<String> {
        world.act(request).unwrap().items.iter().map(|table| table.id.clone()).collect()
    }

    fn routes(table: &RouteTable) -> Vec<(String, &str, &'static str)> {
        table
            .routes
            .iter()
            .map(|route| (route.destination.to_string(), route.target.as_str(), route.state.name()))
            .collect()
    }

    #[test]
    fn a_subnet_without_a_table_of_its_own_has_the_main_table() {
        let mut world = pair().world();
        assert_eq!(tables(&mut world, DescribeRouteTables::of_subnet(names::SUBNET)), [""; 0]);
        let page = world.act(DescribeRouteTables::of_vpc(names::VPC)).unwrap();
        let [main] = page.items.as_slice() else { panic!("one table: {page:?}") };
        let association = RouteTableAssociation { id: "rtbassoc-0aaaaaaaaaaaaaaa1".to_owned(), subnet_id: None };
        assert_eq!((main.id.as_str(), main.is_main()), (names::MAIN_ROUTE_TABLE, true));
        assert_eq!(main.associations, [association]);
        assert_eq!(
            routes(main),
            [
                (names::VPC_CIDR.to_owned(), "local", "active"),
                ("0.0.0.0/0".to_owned(), names::INTERNET_GATEWAY, "active"),
            ]
        );
        assert_eq!(world.region().route_table_of(names::SUBNET).unwrap().id, names::MAIN_ROUTE_TABLE);
    }

    #[test]
    fn a_table_of_its_own_decides_instead_of_the_main_table() {
        let mut world = pair()
            .route_table(names::ROUTE_TABLE, |table| {
                table.subnet(names::SUBNET).route("10.9.0.0/16", "pcx-0aaaaaaaaaaaaaaa1")
            })
            .world();
        assert_eq!(tables(&mut world, DescribeRouteTables::of_subnet(names::SUBNET)), [names::ROUTE_TABLE]);
        assert_eq!(
            tables(&mut world, DescribeRouteTables::of_vpc(names::VPC)),
            [names::MAIN_ROUTE_TABLE, names::ROUTE_TABLE]
        );
        let own = world.region().route_table_of(names::SUBNET).unwrap().clone();
        assert_eq!((own.id.as_str(), own.is_main()), (names::ROUTE_TABLE, false));
        assert_eq!(
            routes(&own),
            [
                (names::VPC_CIDR.to_owned(), "local", "active"),
                ("10.9.0.0/16".to_owned(), "pcx-0aaaaaaaaaaaaaaa1", "active"),
            ]
        );
    }

    #[test]
    fn the_default_route_can_be_missing_or_a_blackhole() {
        let default_route = |world: &World| {
            let table = world.region().route_table_of(names::SUBNET).unwrap().clone();
            table.routes.iter().find(|route| route.destination.to_string() == "0.0.0.0/0").map(|route| route.state)
        };
        let missing = pair().route_table(names::MAIN_ROUTE_TABLE, |table| table.without_route("0.0.0.0/0")).world();
        assert_eq!(default_route(&missing), None);
        let blackhole =
            pair().route_table(names::MAIN_ROUTE_TABLE, |table| table.blackhole("0.0.0.0/0", "igw-1")).world();
        assert_eq!(default_route(&blackhole), Some(RouteState::Blackhole));
        let detached = pair().without_internet_gateway(names::VPC).world();
        assert_eq!(default_route(&detached), Some(RouteState::Blackhole));

        let mut world = pair().world();
        world.set_route_state(names::MAIN_ROUTE_TABLE, "0.0.0.0/0", RouteState::Blackhole).unwrap();
        assert_eq!(default_route(&world), Some(RouteState::Blackhole));
        world.replace_route(names::MAIN_ROUTE_TABLE, "0.0.0.0/0", "nat-0aaaaaaaaaaaaaaa1").unwrap();
        assert_eq!(default_route(&world), Some(RouteState::Active));
        world.delete_route(names::MAIN_ROUTE_TABLE, "0.0.0.0/0").unwrap();
        assert_eq!(default_route(&world), None);
        assert_eq!(code(world.delete_route(names::MAIN_ROUTE_TABLE, "0.0.0.0/0")), "InvalidRoute.NotFound");
    }

    #[test]
    fn each_vpc_has_a_main_table() {
        let mut world = pair()
            .instance(names::THIRD, |instance| instance.vpc("vpc-0bbbbbbbbbbbbbbb2", "subnet-0ccccccccccccccc3"))
            .world();
        let main = Selection::filter("association.main", ["true"]);
        assert_eq!(
            tables(&mut world, DescribeRouteTables { selection: main, dry_run: false }),
            [names::MAIN_ROUTE_TABLE, "rtb-0bbbbbbbbbbbbbbb2"]
        );
    }

    #[test]
    fn tables_are_found_by_their_contents() {
        let mut world = pair()
            .route_table(names::ROUTE_TABLE, |table| {
                table.subnet(names::OTHER_SUBNET).route("::/0", "eigw-1").blackhole("0.0.0.0/0", "nat-1")
            })
            .world();
        for (name, value, expected) in [
            ("association.main", "false", vec![names::ROUTE_TABLE]),
            ("route.gateway-id", "igw-*", vec![names::MAIN_ROUTE_TABLE]),
            ("route.gateway-id", "local", vec![names::MAIN_ROUTE_TABLE, names::ROUTE_TABLE]),
            ("route.nat-gateway-id", "nat-1", vec![names::ROUTE_TABLE]),
            ("route.state", "blackhole", vec![names::ROUTE_TABLE]),
            ("route.origin", "EnableVgwRoutePropagation", vec![]),
            ("route.destination-ipv6-cidr-block", "::/0", vec![names::ROUTE_TABLE]),
            ("vpc-id", "vpc-0bbbbbbbbbbbbbbb2", vec![]),
        ] {
            let request = DescribeRouteTables { selection: Selection::filter(name, [value]), dry_run: false };
            assert_eq!(tables(&mut world, request), expected, "{name} {value}");
        }
        for (id, expected) in
            [("rtb-0aaaaaaaaaaaaaaa9", "InvalidRouteTableID.NotFound"), ("rtb-9", "InvalidRouteTableId.Malformed")]
        {
            let request = DescribeRouteTables { selection: Selection::ids([id]), dry_run: false };
            assert_eq!(code(world.act(request)), expected);
        }
    }
}
