//! Systems Manager's documents, which say what a command does.

use std::{collections::BTreeMap, sync::Arc};

/// The documents of the account, and those of others that it may use, by name.
pub(crate) type Documents = BTreeMap<String, Arc<Document>>;

/// What `DocumentType` has to be for SendCommand.
pub(crate) const COMMAND: &str = "Command";

/// A document, without its content: what a command does is the instance's affair, see
/// [`CommandBehavior`](super::CommandBehavior).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The ARN for a document that another account shares.
    pub name: String,
    /// `Command`, `Automation` and the like.
    pub document_type: String,
    /// Its parameters, and whether each has to be given.
    pub parameters: BTreeMap<String, bool>,
}
