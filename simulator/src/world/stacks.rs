//! CloudFormation's stacks: DescribeStacks.

use std::sync::Arc;

use super::{
    kinds::{Ask, Look},
    parameters::Parameters,
    state::World,
};
use crate::model::{ApiError, Home, Stack};

/// A stack as in DescribeStacks.
#[derive(Debug, Clone)]
pub struct StackView {
    pub stack: Arc<Stack>,
    pub(crate) home: Arc<Home>,
}

impl StackView {
    /// Its ARN.
    pub fn id(&self) -> String {
        let Home { account, region, .. } = &*self.home;
        format!(
            "arn:aws:cloudformation:{region}:{account}:stack/{}/00000000-0000-4000-8000-000000000000",
            self.stack.name
        )
    }

    /// The time at which it was created: the beginning of the simulation.
    pub(crate) fn creation_time(&self) -> String {
        self.home.timestamp(std::time::Duration::ZERO)
    }
}

#[derive(Debug, Clone, Default)]
pub struct DescribeStacks {
    /// Absent: all stacks.
    pub stack_name: Option<String>,
}

impl DescribeStacks {
    pub fn of(name: impl Into<String>) -> Self {
        Self { stack_name: Some(name.into()) }
    }
}

impl Ask for DescribeStacks {
    fn parameters(&self) -> Parameters {
        Parameters::default().and_if_any("StackName", self.stack_name.as_ref())
    }
}

impl Look for DescribeStacks {
    type Answer = Vec<StackView>;

    /// "If the stack doesn't exist, a ValidationError is returned" (CloudFormation API Reference, *DescribeStacks*).
    fn look(&self, world: &World) -> Result<Vec<StackView>, ApiError> {
        let home = &world.region().home;
        let view = |stack: &Arc<Stack>| StackView { stack: stack.clone(), home: home.clone() };
        match &self.stack_name {
            None => Ok(world.stacks.values().map(view).collect()),
            Some(name) => match world.stacks.get(name) {
                Some(stack) => Ok(vec![view(stack)]),
                None => Err(ApiError::no_such_stack(name)),
            },
        }
    }
}

impl World {
    pub(crate) fn add_stack(&mut self, stack: Stack) {
        self.revision += 1;
        self.stacks.insert(stack.name.clone(), Arc::new(stack));
    }

    /// Another actor changes the status of a stack, such as to `UPDATE_IN_PROGRESS`.
    pub fn set_stack_status(&mut self, name: &str, status: &str) -> Result<(), ApiError> {
        let stack = self.stacks.get_mut(name).ok_or_else(|| ApiError::no_such_stack(name))?;
        status.clone_into(&mut Arc::make_mut(stack).status);
        self.revision += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{names, pair};

    #[test]
    fn a_stack_is_found_by_its_name_and_no_other_name() {
        let mut world = pair().world();
        let found = world.act(DescribeStacks::of(names::STACK)).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].stack.status, "CREATE_COMPLETE");
        assert_eq!(found[0].stack.outputs["TopicArn"], names::TOPIC);
        assert_eq!(world.act(DescribeStacks::default()).unwrap().len(), 1);
        let error = world.act(DescribeStacks::of("absent")).unwrap_err();
        assert_eq!((error.status, error.code.as_ref()), (400, "ValidationError"));
    }

    #[test]
    fn another_actor_updates_a_stack() {
        let mut world = pair().world();
        world.set_stack_status(names::STACK, "UPDATE_IN_PROGRESS").unwrap();
        assert_eq!(world.act(DescribeStacks::of(names::STACK)).unwrap()[0].stack.status, "UPDATE_IN_PROGRESS");
        assert!(world.set_stack_status("absent", "UPDATE_IN_PROGRESS").is_err());
    }
}
