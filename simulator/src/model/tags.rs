//! Tags.

use std::collections::BTreeMap;

/// Tags of one resource.
pub type Tags = BTreeMap<String, String>;
