//! Systems Manager's documents, which define commands.

use std::{collections::BTreeMap, sync::Arc};

/// The documents of the account, and those of other accounts that it may use, by name.
pub(crate) type Documents = BTreeMap<String, Arc<Document>>;

/// The `DocumentType` that SendCommand requires.
pub(crate) const COMMAND: &str = "Command";

/// A document without its content. Its [`Effect`] stands for that, and the instance determines whether a command has it,
/// see [`CommandBehavior`](super::CommandBehavior).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The ARN of a document that another account shares.
    pub name: String,
    /// `Command`, `Automation` and the like.
    pub document_type: String,
    /// Its parameters, and whether each is required.
    pub parameters: BTreeMap<String, bool>,
    pub effect: Effect,
}

/// What a document does on an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Effect {
    /// It activates the token server.
    #[default]
    Activates,
    /// It asks the license server with lmstat.
    ChecksLicense,
}
