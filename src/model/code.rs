//! Stable names in reports: the names that this version knows, and names that another version has written.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A stable name. A report or a tag may come from another version of the program, so a name that this version does not
/// know is kept as it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Code<T> {
    /// A name that this version knows.
    Known(T),
    /// A name that only another version knows.
    Unknown(String),
}

impl<T: FromStr> Code<T> {
    /// Reads a name.
    pub fn read(name: &str) -> Self {
        name.parse().map_or_else(|_| Self::Unknown(name.to_owned()), Self::Known)
    }
}

impl<T: Copy + Into<&'static str>> Code<T> {
    /// The name in kebab-case.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(known) => (*known).into(),
            Self::Unknown(name) => name,
        }
    }
}

impl<T> From<T> for Code<T> {
    fn from(known: T) -> Self {
        Self::Known(known)
    }
}

impl<T: PartialEq> PartialEq<T> for Code<T> {
    fn eq(&self, other: &T) -> bool {
        matches!(self, Self::Known(known) if known == other)
    }
}

impl<T: Copy + Into<&'static str>> fmt::Display for Code<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<T: Copy + Into<&'static str>> Serialize for Code<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de, T: FromStr> Deserialize<'de> for Code<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::read(&String::deserialize(deserializer)?))
    }
}
