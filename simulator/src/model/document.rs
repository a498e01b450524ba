//! Systems Manager's documents, which define commands.

use std::{collections::BTreeMap, sync::Arc};

/// The documents of the account, and those of other accounts that it may use, by name.
pub(crate) type Documents = BTreeMap<String, Arc<Document>>;

/// The `DocumentType` that SendCommand requires.
pub(crate) const COMMAND: &str = "Command";

/// A document without its content. The instance determines the effect of a command, see
/// [`CommandBehavior`](super::CommandBehavior).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The ARN of a document that another account shares.
    pub name: String,
    /// `Command`, `Automation` and the like.
    pub document_type: String,
    /// Its parameters, and whether each is required.
    pub parameters: BTreeMap<String, bool>,
}
