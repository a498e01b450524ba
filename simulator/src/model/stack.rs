//! CloudFormation's stacks.

use std::{collections::BTreeMap, sync::Arc};

/// The stacks of the account in this Region, by name.
pub(crate) type Stacks = BTreeMap<String, Arc<Stack>>;

/// A stack as DescribeStacks shows it. Nothing creates or updates it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    pub name: String,
    /// Such as `CREATE_COMPLETE`.
    pub status: String,
    pub parameters: BTreeMap<String, String>,
    pub outputs: BTreeMap<String, String>,
}
