//! The members of a JSON request.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::model::ApiError;

/// The members. Each is removed once it has been read, so that the rest is unknown.
#[derive(Debug, Default)]
pub(crate) struct Members {
    members: Map<String, Value>,
    /// The prefix of the names in the whole request, for messages.
    prefix: String,
}

impl Members {
    /// `SerializationException`, 400, for a body that is not a JSON object, and for a member of the wrong type ("AWS
    /// JSON 1.1 protocol", Smithy).
    pub(crate) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Ok(Self { members, prefix: String::new() }),
            _ => Err(serialization("the body is not a JSON object")),
        }
    }

    /// An optional member, which may be absent or null.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name).filter(|value| !value.is_null())
    }

    fn wrong_type(&self, name: &str, wanted: &str) -> ApiError {
        serialization(&format!("{}{name} is not of type {wanted}", self.prefix))
    }

    pub(crate) fn take_text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong_type(name, "string")),
        }
    }

    /// A required member.
    pub(crate) fn require_text(&mut self, name: &str) -> Result<String, ApiError> {
        self.take_text(name)?.ok_or_else(|| self.missing(name))
    }

    pub(crate) fn take_number(&mut self, name: &str) -> Result<Option<i64>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => value.as_i64().map(Some).ok_or_else(|| self.wrong_type(name, "integer")),
        }
    }

    /// A list. An absent one is empty.
    pub(crate) fn take_texts(&mut self, name: &str) -> Result<Vec<String>, ApiError> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(value) => strings(value).ok_or_else(|| self.wrong_type(name, "list of strings")),
        }
    }

    /// A map to lists. An absent one is empty.
    pub(crate) fn take_lists(&mut self, name: &str) -> Result<BTreeMap<String, Vec<String>>, ApiError> {
        let lists = match self.take(name) {
            None => return Ok(BTreeMap::new()),
            Some(Value::Object(lists)) => {
                lists.into_iter().map(|(key, value)| Some((key, strings(value)?))).collect::<Option<_>>()
            }
            Some(_) => None,
        };
        lists.ok_or_else(|| self.wrong_type(name, "map to lists of strings"))
    }

    /// A list of structures. An absent one is empty.
    pub(crate) fn take_members(&mut self, name: &str) -> Result<Vec<Self>, ApiError> {
        let list = match self.take(name) {
            None => return Ok(Vec::new()),
            Some(Value::Array(list)) => list,
            Some(_) => return Err(self.wrong_type(name, "list")),
        };
        list.into_iter()
            .enumerate()
            .map(|(position, value)| match value {
                Value::Object(members) => Ok(Self { members, prefix: format!("{}{name}[{position}].", self.prefix) }),
                _ => Err(self.wrong_type(name, "list of structures")),
            })
            .collect()
    }

    pub(crate) fn missing(&self, name: &str) -> ApiError {
        ApiError::validation(&format!("{}{name}", self.prefix), "not be null")
    }

    /// Checks that every member has been read.
    ///
    /// The protocol lets a service ignore unknown members. The simulator refuses them, because it may not simulate
    /// them.
    pub(crate) fn finish(&self) -> Result<(), ApiError> {
        match self.members.keys().next() {
            None => Ok(()),
            Some(name) => Err(ApiError::client(
                "ValidationException",
                format!("The member {}{name} is unknown or not simulated", self.prefix),
            )),
        }
    }
}

fn strings(value: Value) -> Option<Vec<String>> {
    let Value::Array(list) = value else { return None };
    list.into_iter()
        .map(|value| match value {
            Value::String(text) => Some(text),
            _ => None,
        })
        .collect()
}

fn serialization(message: &str) -> ApiError {
    ApiError::client("SerializationException", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T: std::fmt::Debug>(result: Result<T, ApiError>) -> String {
        result.unwrap_err().code.into_owned()
    }

    #[test]
    fn members_are_taken_by_their_types_and_structures_nest() {
        let body = br#"{"Name":"n","Count":7,"Ids":["a","b"],"Map":{"k":["v"]},"Filters":[{"Key":"k"}],"Null":null}"#;
        let mut members = Members::parse(body).unwrap();
        assert_eq!(members.require_text("Name").unwrap(), "n");
        assert_eq!(members.take_number("Count").unwrap(), Some(7));
        assert_eq!(members.take_texts("Ids").unwrap(), ["a", "b"]);
        assert_eq!(members.take_lists("Map").unwrap()["k"], ["v"]);
        assert_eq!(members.take_text("Null").unwrap(), None);
        let mut filters = members.take_members("Filters").unwrap();
        assert_eq!(filters[0].finish().unwrap_err().message, "The member Filters[0].Key is unknown or not simulated");
        assert_eq!(filters[0].require_text("Key").unwrap(), "k");
        assert_eq!((filters[0].finish(), members.finish()), (Ok(()), Ok(())));
    }

    #[test]
    fn a_wrong_type_and_a_missing_member_are_told_apart() {
        let mut members = Members::parse(br#"{"a":1,"b":"x","c":["x",1],"d":{"k":"v"},"e":["x"]}"#).unwrap();
        assert_eq!(code(members.take_text("a")), "SerializationException");
        assert_eq!(code(members.take_number("b")), "SerializationException");
        assert_eq!(code(members.take_texts("c")), "SerializationException");
        assert_eq!(code(members.take_lists("d")), "SerializationException");
        assert_eq!(code(members.take_members("e")), "SerializationException");
        assert_eq!(code(members.require_text("f")), "ValidationException");
        for body in ["", "[]", "Action=DescribeInstances"] {
            assert_eq!(code(Members::parse(body.as_bytes())), "SerializationException", "{body}");
        }
    }
}
