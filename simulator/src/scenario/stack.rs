//! CloudFormation's stacks of a scenario.

use std::collections::BTreeMap;

use crate::{model::Stack, world::World};

/// A stack of a [`Scenario`](super::Scenario).
#[derive(Debug, Clone)]
pub struct StackSpec {
    pub(super) name: String,
    status: String,
    parameters: BTreeMap<String, String>,
    outputs: BTreeMap<String, String>,
}

impl StackSpec {
    pub(super) fn new(name: &str) -> Self {
        let status = "CREATE_COMPLETE".to_owned();
        Self { name: name.to_owned(), status, parameters: BTreeMap::new(), outputs: BTreeMap::new() }
    }

    /// Its status, such as `UPDATE_IN_PROGRESS`.
    pub fn status(mut self, status: &str) -> Self {
        status.clone_into(&mut self.status);
        self
    }

    pub fn parameter(mut self, name: &str, value: &str) -> Self {
        self.parameters.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn output(mut self, name: &str, value: &str) -> Self {
        self.outputs.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(super) fn build(&self, world: &mut World) {
        world.add_stack(Stack {
            name: self.name.clone(),
            status: self.status.clone(),
            parameters: self.parameters.clone(),
            outputs: self.outputs.clone(),
        });
    }
}
