//! Attributes of an instance: DescribeInstanceAttribute.

use super::{
    kinds::{Ask, Read},
    parameters::Parameters,
};
use crate::model::{ApiError, Region};

/// Requests one attribute of one instance: "You can specify only one attribute at a time" (service model,
/// DescribeInstanceAttribute). Only `disableApiTermination` is simulated.
#[derive(Debug, Clone, Default)]
pub struct DescribeInstanceAttribute {
    pub instance_id: String,
    pub attribute: String,
    pub dry_run: bool,
}

impl DescribeInstanceAttribute {
    pub fn disable_api_termination(instance_id: impl Into<String>) -> Self {
        Self { instance_id: instance_id.into(), attribute: DISABLE_API_TERMINATION.to_owned(), dry_run: false }
    }
}

const DISABLE_API_TERMINATION: &str = "disableApiTermination";

/// The answer to DescribeInstanceAttribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceAttributes {
    pub instance_id: String,
    /// Whether the instance is protected from TerminateInstances.
    pub disable_api_termination: bool,
}

impl Ask for DescribeInstanceAttribute {
    fn dry_run(&self) -> bool {
        self.dry_run
    }

    fn parameters(&self) -> Parameters {
        Parameters::of("InstanceId", &self.instance_id).and("Attribute", &self.attribute)
    }
}

impl Read for DescribeInstanceAttribute {
    type Answer = InstanceAttributes;

    /// Assumed: the code for an unknown attribute, and that an unknown attribute is reported before an unknown id.
    fn read(&self, region: &Region) -> Result<Self::Answer, ApiError> {
        if self.attribute != DISABLE_API_TERMINATION {
            return Err(ApiError::invalid_value(format!(
                "Value ({}) for parameter attribute is invalid. Unknown or not simulated attribute.",
                self.attribute
            )));
        }
        let instance = region.instance(&self.instance_id)?;
        Ok(InstanceAttributes {
            instance_id: instance.id.clone(),
            disable_api_termination: instance.disable_api_termination,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        InstanceSpec, names, pair,
        world::{InstanceState, TerminateInstances},
    };

    fn code<T: std::fmt::Debug>(result: Result<T, ApiError>) -> String {
        result.unwrap_err().code.into_owned()
    }

    #[test]
    fn termination_protection_is_off_until_it_is_set() {
        let mut world = pair().instance(names::STANDBY, InstanceSpec::disable_api_termination).world();
        for (id, expected) in [(names::HOLDER, false), (names::STANDBY, true)] {
            let answer = world.act(DescribeInstanceAttribute::disable_api_termination(id)).unwrap();
            let attributes = InstanceAttributes { instance_id: id.to_owned(), disable_api_termination: expected };
            assert_eq!(answer, attributes);
        }
        world.set_disable_api_termination(names::HOLDER, true).unwrap();
        let answer = world.act(DescribeInstanceAttribute::disable_api_termination(names::HOLDER)).unwrap();
        assert!(answer.disable_api_termination);
    }

    #[test]
    fn a_protected_instance_blocks_the_termination_of_instances_in_its_zone_only() {
        let mut world = crate::trio()
            .instance(names::HOLDER, InstanceSpec::disable_api_termination)
            .instance(names::THIRD, |instance| instance.zone("eu-west-1b", names::OTHER_SUBNET))
            .world();
        let instance_ids = [names::HOLDER, names::STANDBY, names::THIRD].map(str::to_owned).to_vec();
        let refused = world.act(TerminateInstances { instance_ids, dry_run: false });
        assert_eq!(code(refused), "OperationNotPermitted");
        world.advance(world.now() + std::time::Duration::from_secs(1));
        let states = [names::HOLDER, names::STANDBY, names::THIRD].map(|id| world.region().instance(id).unwrap().state);
        assert_eq!(states, [InstanceState::Running, InstanceState::Running, InstanceState::Terminated]);

        world.set_disable_api_termination(names::HOLDER, false).unwrap();
        world.terminate(names::HOLDER).unwrap();
    }

    #[test]
    fn attribute_and_instance_must_exist() {
        let mut world = pair().world();
        let missing = DescribeInstanceAttribute::disable_api_termination("i-0aaaaaaaaaaaaaaa9");
        assert_eq!(code(world.act(missing)), "InvalidInstanceID.NotFound");
        let malformed = DescribeInstanceAttribute::disable_api_termination("i-9");
        assert_eq!(code(world.act(malformed)), "InvalidInstanceID.Malformed");
        let request = DescribeInstanceAttribute {
            attribute: "color".to_owned(),
            ..DescribeInstanceAttribute::disable_api_termination(names::HOLDER)
        };
        assert_eq!(code(world.act(request)), "InvalidParameterValue");
    }
}
