//! Tags, as EC2 writes them.

use super::super::xml::Xml;
use crate::model::Tags;

pub(super) fn tag_set(xml: &mut Xml, tags: &Tags) {
    xml.list("tagSet", tags, |xml, (key, value)| {
        xml.text("key", key);
        xml.text("value", value);
    });
}

/// Interfaces without tags have an empty set; instances and addresses have none.
pub(super) fn tag_set_if_any(xml: &mut Xml, tags: &Tags) {
    if !tags.is_empty() {
        tag_set(xml, tags);
    }
}
