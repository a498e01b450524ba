//! The instances in Systems Manager: DescribeInstanceInformation.

use std::{ops::Deref, sync::Arc};

use super::{
    kinds::{Ask, Read},
    parameters::Parameters,
    select::{Filter, Page, Selection},
    state::World,
};
use crate::model::{Agent, ApiError, Instance, InstanceState, Region, ids};

/// An instance as in DescribeInstanceInformation.
#[derive(Debug, Clone)]
pub struct ManagedNode {
    pub instance: Arc<Instance>,
}

impl Deref for ManagedNode {
    type Target = Instance;

    fn deref(&self) -> &Instance {
        &self.instance
    }
}

impl ManagedNode {
    /// "Connection status of SSM Agent"; `Inactive` "has been deprecated and is no longer in use" (service model,
    /// `InstanceInformation$PingStatus`).
    pub fn ping_status(&self) -> &'static str {
        if self.agent_answers() { "Online" } else { "ConnectionLost" }
    }
}

#[derive(Debug, Clone, Default)]
pub struct DescribeInstanceInformation {
    pub filters: Vec<Filter>,
    pub max_results: Option<usize>,
    pub next_token: Option<String>,
}

impl DescribeInstanceInformation {
    pub fn of<I: Into<String>>(instance_ids: impl IntoIterator<Item = I>) -> Self {
        Self { filters: vec![Filter::new("InstanceIds", instance_ids)], ..Self::default() }
    }
}

impl Ask for DescribeInstanceInformation {
    fn parameters(&self) -> Parameters {
        let parameters =
            self.filters.iter().fold(Parameters::default(), |parameters, filter| match filter.name.as_str() {
                "InstanceIds" => parameters.and("InstanceIds", filter.values.join(",")),
                name => parameters.and("Filter", format!("{name}={}", filter.values.join(","))),
            });
        parameters.and_if_any("MaxResults", self.max_results).and_if_any("NextToken", self.next_token.as_ref())
    }
}

impl Read for DescribeInstanceInformation {
    type Answer = Page<ManagedNode>;

    /// "This operation does not return information for nodes that are either Stopped or Terminated." "If you specify a
    /// node ID that isn't valid or a node that you don't own, you receive an error" (service model). An instance that
    /// has no agent does not appear. `MaxResults` is from 5 to 50 (service model, `MaxResultsEC2Compatible`).
    ///
    /// Assumed: the error is `InvalidInstanceId`; filters compare whole values; an instance that is starting or
    /// stopping has `ConnectionLost`. Of the filters, `InstanceIds`, `PingStatus` and `ResourceType` are simulated.
    fn read(&self, region: &Region) -> Result<Self::Answer, ApiError> {
        for filter in &self.filters {
            check_filter(region, filter)?;
        }
        if self.max_results.is_some_and(|wanted| !(5..=50).contains(&wanted)) {
            return Err(ApiError::validation("MaxResults", "have value between 5 and 50"));
        }
        let is_shown = |instance: &Arc<Instance>| {
            instance.agent != Agent::Missing
                && !matches!(instance.state, InstanceState::Stopped | InstanceState::Terminated)
        };
        let nodes = region
            .instances()
            .filter(|instance| is_shown(instance))
            .map(|instance| ManagedNode { instance: instance.clone() })
            .filter(|node| self.filters.iter().all(|filter| matches(node, filter)))
            .collect();
        let selection = Selection {
            max_results: self.max_results,
            next_token: self.next_token.clone().filter(|token| !token.is_empty()),
            ..Selection::default()
        };
        selection
            .paginate(nodes, 5..=50, &region.assumptions)
            .map_err(|_| ApiError::client("InvalidNextToken", "The specified token isn't valid."))
    }
}

/// "The specified key isn't valid", "The specified filter value isn't valid" (service model, `InvalidFilterKey` and
/// `InvalidInstanceInformationFilterValue`).
fn check_filter(region: &Region, filter: &Filter) -> Result<(), ApiError> {
    if filter.values.is_empty() {
        return Err(ApiError::client(
            "InvalidInstanceInformationFilterValue",
            format!("The filter {} has no value.", filter.name),
        ));
    }
    match filter.name.as_str() {
        "InstanceIds" => {
            filter.values.iter().find(|id| region.instance(id).is_err()).map_or(Ok(()), |id| Err(not_valid([id])))
        }
        "PingStatus" | "ResourceType" => Ok(()),
        name => Err(ApiError::client("InvalidFilterKey", format!("The filter {name} is unknown or not simulated."))),
    }
}

fn matches(node: &ManagedNode, filter: &Filter) -> bool {
    let fact = match filter.name.as_str() {
        "InstanceIds" => &node.id,
        "PingStatus" => node.ping_status(),
        _ => RESOURCE_TYPE,
    };
    filter.values.iter().any(|value| value == fact)
}

/// `ResourceType` of an instance (service model).
pub(crate) const RESOURCE_TYPE: &str = "EC2Instance";

/// The message is from public issues (aws-samples/eks-security-compromised-cluster-remediation#12). It does not tell
/// the reason.
pub(crate) fn not_valid<'a>(ids: impl IntoIterator<Item = &'a String>) -> ApiError {
    let ids: Vec<&str> = ids.into_iter().map(String::as_str).collect();
    ApiError::client("InvalidInstanceId", format!("Instances [[{}]] not in a valid state for account", ids.join(", ")))
}

/// `(^i-(\w{8}|\w{17})$)|(^mi-\w{17}$)` (service model, `InstanceId`); only instances are simulated.
pub(crate) fn check_instance_id(member: &str, id: &str) -> Result<(), ApiError> {
    if ids::INSTANCE.is_well_formed(id) {
        return Ok(());
    }
    Err(ApiError::validation(member, r"satisfy regular expression pattern: (^i-(\w{8}|\w{17})$)|(^mi-\w{17}$)"))
}

impl World {
    /// Sets the state of the agent.
    pub fn set_agent(&mut self, instance_id: &str, agent: Agent) -> Result<(), ApiError> {
        self.region_mut().instance_mut(instance_id)?.agent = agent;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{InstanceSpec, names, pair, world::Timings};

    fn seen(world: &mut World) -> Vec<(String, &'static str)> {
        let page = world.act(DescribeInstanceInformation::default()).unwrap();
        page.items.iter().map(|node| (node.id.clone(), node.ping_status())).collect()
    }

    fn node(id: &str, status: &'static str) -> (String, &'static str) {
        (id.to_owned(), status)
    }

    fn code(world: &mut World, request: DescribeInstanceInformation) -> String {
        world.act(request).unwrap_err().code.into_owned()
    }

    #[test]
    fn an_instance_is_a_managed_node_if_it_has_an_agent() {
        let mut world = pair().world();
        assert_eq!(seen(&mut world), [node(names::HOLDER, "Online"), node(names::STANDBY, "Online")]);
        let mut world = pair()
            .instance(names::HOLDER, InstanceSpec::without_agent)
            .instance(names::STANDBY, InstanceSpec::agent_lost)
            .world();
        assert_eq!(seen(&mut world), [node(names::STANDBY, "ConnectionLost")]);
        world.set_agent(names::HOLDER, Agent::Online).unwrap();
        world.set_agent(names::STANDBY, Agent::Missing).unwrap();
        assert_eq!(seen(&mut world), [node(names::HOLDER, "Online")]);
    }

    #[test]
    fn an_instance_that_does_not_run_loses_its_connection() {
        let seconds = Duration::from_secs;
        let timings = Timings { stop: seconds(6), boot: seconds(8), ..Timings::default() };
        let mut world = pair().instance(names::HOLDER, InstanceSpec::without_agent).timings(timings).world();
        world.crash(names::STANDBY).unwrap();
        assert_eq!(seen(&mut world), [node(names::STANDBY, "ConnectionLost")]);
        world.stop(names::STANDBY).unwrap();
        assert_eq!(seen(&mut world), [node(names::STANDBY, "ConnectionLost")]);
        world.advance(seconds(6));
        assert_eq!(seen(&mut world), []);
        world.start(names::STANDBY).unwrap();
        assert_eq!(seen(&mut world), [node(names::STANDBY, "ConnectionLost")]);
        world.advance(seconds(14));
        assert_eq!(seen(&mut world), [node(names::STANDBY, "Online")]);
    }

    #[test]
    fn filters_match_and_invalid_ones_are_refused() {
        let mut world = pair().instance(names::HOLDER, InstanceSpec::agent_lost).world();
        let filter = |name: &str, value: &str| DescribeInstanceInformation {
            filters: vec![Filter::new(name, [value])],
            ..DescribeInstanceInformation::default()
        };
        for (name, value, expected) in [
            ("InstanceIds", names::STANDBY, 1),
            ("PingStatus", "Online", 1),
            ("ResourceType", "EC2Instance", 2),
            ("ResourceType", "ManagedInstance", 0),
        ] {
            assert_eq!(world.act(filter(name, value)).unwrap().items.len(), expected, "{name}={value}");
        }
        assert_eq!(code(&mut world, filter("Color", "red")), "InvalidFilterKey");
        assert_eq!(code(&mut world, filter("InstanceIds", "i-0aaaaaaaaaaaaaaa9")), "InvalidInstanceId");
        let empty = DescribeInstanceInformation::of([""; 0]);
        assert_eq!(code(&mut world, empty), "InvalidInstanceInformationFilterValue");
    }

    #[test]
    fn pages_have_five_to_fifty_nodes() {
        let ids: Vec<String> = (0..12).map(|n| format!("i-0{n:016x}")).collect();
        let many = ids.iter().fold(crate::Scenario::empty(), |scenario, id| scenario.instance(id, |spec| spec));
        let mut world = many.world();
        let mut request = DescribeInstanceInformation { max_results: Some(5), ..Default::default() };
        let mut seen = Vec::new();
        loop {
            let page = world.act(request.clone()).unwrap();
            seen.extend(page.items.iter().map(|node| node.id.clone()));
            request.next_token = page.next_token;
            if request.next_token.is_none() {
                break;
            }
        }
        assert_eq!(seen, ids);
        for wrong in [4, 51] {
            let request = DescribeInstanceInformation { max_results: Some(wrong), ..Default::default() };
            assert_eq!(code(&mut world, request), "ValidationException");
        }
        request.next_token = Some("x".to_owned());
        assert_eq!(code(&mut world, request), "InvalidNextToken");
    }
}
