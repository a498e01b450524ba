//! Systems Manager's documents of a scenario.

use std::collections::BTreeMap;

use crate::{
    model::{COMMAND, Document, Effect},
    world::World,
};

/// A document of a [`Scenario`](super::Scenario).
#[derive(Debug, Clone)]
pub struct DocumentSpec {
    pub(super) name: String,
    document_type: String,
    parameters: BTreeMap<String, bool>,
    effect: Effect,
}

impl DocumentSpec {
    pub(super) fn new(name: &str) -> Self {
        let (parameters, effect) = (BTreeMap::new(), Effect::default());
        Self { name: name.to_owned(), document_type: COMMAND.to_owned(), parameters, effect }
    }

    /// Adds a parameter with a default.
    pub fn parameter(mut self, name: &str) -> Self {
        self.parameters.insert(name.to_owned(), false);
        self
    }

    /// Adds a parameter without a default.
    pub fn required_parameter(mut self, name: &str) -> Self {
        self.parameters.insert(name.to_owned(), true);
        self
    }

    pub fn no_parameters(mut self) -> Self {
        self.parameters.clear();
        self
    }

    /// It asks the license server with lmstat, and activates nothing.
    pub fn checks_license(mut self) -> Self {
        self.effect = Effect::ChecksLicense;
        self
    }

    /// Sets another type, such as `Automation`, which SendCommand refuses.
    pub fn document_type(mut self, document_type: &str) -> Self {
        document_type.clone_into(&mut self.document_type);
        self
    }

    pub(super) fn build(&self, world: &mut World) {
        world.add_document(Document {
            name: self.name.clone(),
            document_type: self.document_type.clone(),
            parameters: self.parameters.clone(),
            effect: self.effect,
        });
    }
}
