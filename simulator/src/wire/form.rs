//! The parameters of a Query request: a flat form with structure in its names, such as `Filter.1.Value.2`.

use std::{collections::BTreeMap, str::FromStr};

use crate::model::ApiError;

/// The parameters. Each is removed once it has been read, so that the rest is unknown.
#[derive(Debug, Default)]
pub(crate) struct Form {
    parameters: BTreeMap<String, String>,
    /// The prefix of the names in the whole form, for messages.
    prefix: String,
}

impl Form {
    pub(crate) fn parse(body: &[u8]) -> Self {
        Self { parameters: form_urlencoded::parse(body).into_owned().collect(), prefix: String::new() }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        self.parameters.remove(name)
    }

    /// A required parameter. An empty one counts as missing.
    pub(crate) fn require(&mut self, name: &str) -> Result<String, ApiError> {
        match self.take(name) {
            Some(value) if !value.is_empty() => Ok(value),
            _ => Err(ApiError::missing_parameter(&format!("{}{name}", self.prefix))),
        }
    }

    /// A parsed value, such as a number.
    pub(crate) fn take_parsed<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, ApiError> {
        self.take(name)
            .map(|value| {
                value.parse().map_err(|_| {
                    ApiError::invalid_value(format!("Value ({value}) for parameter {}{name} is invalid.", self.prefix))
                })
            })
            .transpose()
    }

    pub(crate) fn require_parsed<T: FromStr>(&mut self, name: &str) -> Result<T, ApiError> {
        self.take_parsed(name)?.ok_or_else(|| ApiError::missing_parameter(&format!("{}{name}", self.prefix)))
    }

    /// `true` or `false`. An absent value is false.
    pub(crate) fn take_flag(&mut self, name: &str) -> Result<bool, ApiError> {
        Ok(self.take_parsed(name)?.unwrap_or(false))
    }

    /// `Name.1`, `Name.2` …, in the order of their numbers.
    pub(crate) fn take_list(&mut self, name: &str) -> Vec<String> {
        self.take_forms(name).into_iter().filter_map(|mut form| form.take("")).collect()
    }

    /// `Name.1.…`, `Name.2.…`, in the order of their numbers, each as its own form. The value of a bare `Name.1` has
    /// the empty name.
    pub(crate) fn take_forms(&mut self, name: &str) -> Vec<Self> {
        let prefix = format!("{name}.");
        let mut forms: BTreeMap<u32, Self> = BTreeMap::new();
        self.parameters.retain(|key, value| {
            let Some(rest) = key.strip_prefix(&prefix) else { return true };
            let (number, rest) = rest.split_once('.').unwrap_or((rest, ""));
            let Ok(number) = number.parse() else { return true };
            let form = forms.entry(number).or_insert_with(|| Self {
                parameters: BTreeMap::new(),
                prefix: format!("{}{prefix}{number}.", self.prefix),
            });
            form.parameters.insert(rest.to_owned(), std::mem::take(value));
            false
        });
        forms.into_values().collect()
    }

    /// Checks that every parameter has been read.
    ///
    /// EC2 answers `UnknownParameter` to an unknown parameter. The simulator answers the same to a parameter that it
    /// does not simulate.
    pub(crate) fn finish(&self) -> Result<(), ApiError> {
        match self.parameters.keys().next() {
            None => Ok(()),
            Some(name) => Err(ApiError::client(
                "UnknownParameter",
                format!("The parameter {}{name} is not recognized", self.prefix),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_in_the_order_of_their_numbers() {
        let mut form = Form::parse(b"Id.10=c&Id.2=b&Id.1=a");
        assert_eq!(form.take_list("Id"), ["a", "b", "c"]);
        assert_eq!(form.finish(), Ok(()));
    }

    #[test]
    fn structures_nest() {
        let mut form = Form::parse(b"Filter.1.Name=status&Filter.1.Value.1=in-use&Filter.1.Value.2=a%20b");
        let mut filters = form.take_forms("Filter");
        assert_eq!(filters.len(), 1);
        assert_eq!(filters[0].require("Name").unwrap(), "status");
        assert_eq!(filters[0].take_list("Value"), ["in-use", "a b"]);
        assert_eq!(filters[0].finish(), Ok(()));
    }

    #[test]
    fn an_unused_parameter_is_unknown() {
        let mut form = Form::parse(b"InstanceId=i-1&InstanceType=m5.large");
        form.take("InstanceId");
        assert_eq!(form.finish().unwrap_err().code, "UnknownParameter");
        assert_eq!(form.finish().unwrap_err().message, "The parameter InstanceType is not recognized");
    }

    #[test]
    fn an_invalid_number_is_an_invalid_value_and_a_missing_one_a_missing_parameter() {
        let mut form = Form::parse(b"DeviceIndex=one&Force=yes");
        assert_eq!(form.require_parsed::<u32>("DeviceIndex").unwrap_err().code, "InvalidParameterValue");
        assert_eq!(form.require_parsed::<u32>("DeviceIndex").unwrap_err().code, "MissingParameter");
        assert_eq!(form.take_flag("Force").unwrap_err().code, "InvalidParameterValue");
    }
}
