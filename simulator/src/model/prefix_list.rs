//! Managed prefix lists.

use super::tags::Tags;

#[derive(Debug, Clone)]
pub struct PrefixList {
    pub id: String,
    pub name: String,
    /// CIDR and description.
    pub entries: Vec<(String, String)>,
    pub tags: Tags,
}
