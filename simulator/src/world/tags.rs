//! Tags.

use super::{
    kinds::{Ask, Change},
    parameters::Parameters,
    state::World,
};
use crate::model::ApiError;

/// "Tag your Amazon EC2 resources", EC2 User Guide: at most 50 tags for each resource, without those of AWS; values of up
/// to 256 characters.
const MAX_TAGS: usize = 50;
const LONGEST_VALUE: usize = 256;
/// "Tag keys [...] accept a maximum of 127 Unicode characters. May not begin with `aws:`" (service model, `Tag$Key`).
/// The guide says 128. The simulator uses the stricter limit.
const LONGEST_KEY: usize = 127;

#[derive(Debug, Clone, Default)]
pub struct CreateTags {
    pub resources: Vec<String>,
    pub tags: Vec<(String, String)>,
    pub dry_run: bool,
}

impl CreateTags {
    pub fn on(resource: impl Into<String>, key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { resources: vec![resource.into()], tags: vec![(key.into(), value.into())], dry_run: false }
    }
}

impl Ask for CreateTags {
    fn dry_run(&self) -> bool {
        self.dry_run
    }

    fn parameters(&self) -> Parameters {
        let parameters = Parameters::default().and_list("ResourceId", &self.resources);
        self.tags.iter().fold(parameters, |parameters, (key, value)| parameters.and("Tag", format!("{key}={value}")))
    }
}

impl Change for CreateTags {
    type Answer = ();

    fn check(&self, world: &World) -> Result<(), ApiError> {
        check_resources(world, &self.resources)?;
        if self.tags.is_empty() {
            return Err(ApiError::missing_parameter("Tag"));
        }
        for (position, (key, value)) in self.tags.iter().enumerate() {
            check_key(key)?;
            if value.chars().count() > LONGEST_VALUE {
                return Err(ApiError::invalid_value(format!(
                    "Tag value exceeds the maximum length of {LONGEST_VALUE}"
                )));
            }
            if let Some(character) = value.chars().find(|c| c.is_control()) {
                return Err(ApiError::invalid_value(format!("Tag value contains the character {character:?}")));
            }
            if self.tags[..position].iter().any(|(earlier, _)| earlier == key) {
                return Err(ApiError::invalid_value(format!("Duplicate tag key '{key}' specified.")));
            }
        }
        for resource in &self.resources {
            let present = world.region().tags(resource)?;
            let own = present.keys().filter(|key| !is_reserved(key)).count();
            let new = self.tags.iter().filter(|(key, _)| !present.contains_key(key)).count();
            if own + new > MAX_TAGS {
                return Err(ApiError::client(
                    "TagLimitExceeded",
                    format!("The maximum number of tags ({MAX_TAGS}) for '{resource}' has been reached"),
                ));
            }
        }
        Ok(())
    }

    /// "When you specify an existing tag key, the value is overwritten with the new value" (service model, CreateTags).
    fn change(&self, world: &mut World) -> Result<(), ApiError> {
        for resource in &self.resources {
            world.region_mut().tags_mut(resource)?.extend(self.tags.iter().cloned());
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Default)]
pub struct DeleteTags {
    pub resources: Vec<String>,
    /// Keys, each with the value that the tag must have to be deleted, or `None` for any value. No tags means all tags.
    pub tags: Vec<(String, Option<String>)>,
    pub dry_run: bool,
}

impl DeleteTags {
    pub fn on(resource: impl Into<String>, key: impl Into<String>) -> Self {
        Self { resources: vec![resource.into()], tags: vec![(key.into(), None)], dry_run: false }
    }

    /// Deletes the tag only if it has this value.
    pub fn on_if(resource: impl Into<String>, key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { resources: vec![resource.into()], tags: vec![(key.into(), Some(value.into()))], dry_run: false }
    }
}

impl Ask for DeleteTags {
    fn dry_run(&self) -> bool {
        self.dry_run
    }

    fn parameters(&self) -> Parameters {
        let parameters = Parameters::default().and_list("ResourceId", &self.resources);
        self.tags.iter().fold(parameters, |parameters, (key, value)| match value {
            Some(value) => parameters.and("Tag", format!("{key}={value}")),
            None => parameters.and("Tag", key),
        })
    }
}

impl Change for DeleteTags {
    type Answer = ();

    fn check(&self, world: &World) -> Result<(), ApiError> {
        check_resources(world, &self.resources)?;
        self.tags.iter().try_for_each(|(key, _)| check_key(key))
    }

    /// "If you specify a tag key without a tag value, we delete any tag with this key regardless of its value. If you
    /// specify a tag key with an empty string as the tag value, we delete the tag only if its value is an empty string.
    /// If you omit this parameter, we delete all user-defined tags [...]. We do not delete Amazon Web Services-generated
    /// tags (tags that have the aws: prefix)" (service model, DeleteTags).
    ///
    /// Assumed: a missing tag is not an error.
    fn change(&self, world: &mut World) -> Result<(), ApiError> {
        for resource in &self.resources {
            let matches = |key: &str, value: &str| {
                let is_meant = |(meant, wanted): &(String, Option<String>)| {
                    meant == key && wanted.as_deref().is_none_or(|wanted| wanted == value)
                };
                if self.tags.is_empty() { !is_reserved(key) } else { self.tags.iter().any(is_meant) }
            };
            if world.region().tags(resource)?.iter().any(|(key, value)| matches(key, value)) {
                world.region_mut().tags_mut(resource)?.retain(|key, value| !matches(key, value));
            }
        }
        Ok(())
    }
}

fn check_resources(world: &World, resources: &[String]) -> Result<(), ApiError> {
    if resources.is_empty() {
        return Err(ApiError::missing_parameter("ResourceId"));
    }
    resources.iter().try_for_each(|resource| world.region().tags(resource).map(drop))
}

fn is_reserved(key: &str) -> bool {
    key.to_ascii_lowercase().starts_with("aws:")
}

fn check_key(key: &str) -> Result<(), ApiError> {
    if key.is_empty() {
        Err(ApiError::invalid_value("Tag key cannot be null or empty."))
    } else if key.chars().count() > LONGEST_KEY {
        Err(ApiError::invalid_value(format!("Tag key exceeds the maximum length of {LONGEST_KEY}")))
    } else if is_reserved(key) {
        Err(ApiError::invalid_value("Tag keys starting with 'aws:' are reserved for internal use"))
    } else if let Some(character) = key.chars().find(|c| c.is_control()) {
        Err(ApiError::invalid_value(format!("Tag key contains the character {character:?}")))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{names, pair};

    fn code<T: std::fmt::Debug>(result: Result<T, ApiError>) -> String {
        result.unwrap_err().code.into_owned()
    }

    #[test]
    fn a_tag_is_overwritten_and_deleted_if_its_value_is_the_expected_one() {
        let mut world = pair().world();
        let key = "token-failover:owed";
        world.act(CreateTags::on(names::INTERFACE, key, "1")).unwrap();
        world.act(CreateTags::on(names::INTERFACE, key, "2")).unwrap();
        world.act(DeleteTags::on_if(names::INTERFACE, key, "1")).unwrap();
        assert_eq!(world.tag(names::INTERFACE, key), Some("2"));
        world.act(DeleteTags::on_if(names::INTERFACE, key, "")).unwrap();
        assert_eq!(world.tag(names::INTERFACE, key), Some("2"));
        world.act(DeleteTags::on_if(names::INTERFACE, key, "2")).unwrap();
        assert_eq!(world.tag(names::INTERFACE, key), None);
        world.act(DeleteTags::on(names::INTERFACE, key)).unwrap();
    }

    #[test]
    fn a_delete_without_tags_deletes_all() {
        let mut world = pair().interface(names::INTERFACE, |eni| eni.tag("a", "1").tag("b", "2")).world();
        world.act(DeleteTags { resources: vec![names::INTERFACE.to_owned()], ..DeleteTags::default() }).unwrap();
        assert!(world.interface(names::INTERFACE).unwrap().tags.is_empty());
    }

    #[test]
    fn the_tags_of_aws_stay_and_do_not_count() {
        let mut world = crate::grouped().world();
        let key = "aws:autoscaling:groupName";
        for request in [DeleteTags::on(names::HOLDER, key), DeleteTags::on_if(names::HOLDER, key, "token-servers")] {
            assert_eq!(code(world.act(request)), "InvalidParameterValue");
        }
        world.act(DeleteTags { resources: vec![names::HOLDER.to_owned()], ..DeleteTags::default() }).unwrap();
        let tags = |world: &World| world.region().instance(names::HOLDER).unwrap().tags.clone();
        assert_eq!(tags(&world).into_keys().collect::<Vec<_>>(), [key]);
        let fifty = CreateTags {
            resources: vec![names::HOLDER.to_owned()],
            tags: (0..50).map(|n| (format!("key-{n}"), String::new())).collect(),
            dry_run: false,
        };
        world.act(fifty).unwrap();
        assert_eq!(tags(&world).len(), 51);
        assert_eq!(code(world.act(CreateTags::on(names::HOLDER, "k", "v"))), "TagLimitExceeded");
    }

    #[test]
    fn keys_and_values_have_limits() {
        let mut world = pair().world();
        let long = "ä".repeat(128);
        for key in ["", "aws:name", "AWS:name", &long, "a\nb"] {
            assert_eq!(code(world.act(CreateTags::on(names::INTERFACE, key, "x"))), "InvalidParameterValue", "{key}");
        }
        assert_eq!(code(world.act(CreateTags::on(names::INTERFACE, "k", "x".repeat(257)))), "InvalidParameterValue");
        world.act(CreateTags::on(names::INTERFACE, "ä".repeat(127), "ä".repeat(256))).unwrap();
    }

    #[test]
    fn a_resource_has_at_most_fifty_tags_and_none_is_added_beyond() {
        let mut world = pair().world();
        let tags = |numbers: std::ops::Range<u32>| CreateTags {
            resources: vec![names::INTERFACE.to_owned()],
            tags: numbers.map(|n| (format!("key-{n}"), String::new())).collect(),
            dry_run: false,
        };
        world.act(tags(0..49)).unwrap();
        assert_eq!(code(world.act(tags(49..51))), "TagLimitExceeded");
        assert_eq!(world.interface(names::INTERFACE).unwrap().tags.len(), 49);
        world.act(tags(0..50)).unwrap();
    }

    #[test]
    fn every_tagged_resource_must_exist() {
        let mut world = pair().world();
        let mut request = CreateTags::on(names::INTERFACE, "k", "v");
        request.resources.push("i-0aaaaaaaaaaaaaaa9".to_owned());
        assert_eq!(code(world.act(request)), "InvalidInstanceID.NotFound");
        assert_eq!(world.tag(names::INTERFACE, "k"), None);
        assert_eq!(code(world.act(CreateTags::on("eni-1", "k", "v"))), "InvalidNetworkInterfaceId.Malformed");
        assert_eq!(code(world.act(CreateTags::on("thing", "k", "v"))), "InvalidID");
        let twice = CreateTags {
            tags: vec![("k".to_owned(), "1".to_owned()), ("k".to_owned(), "2".to_owned())],
            ..CreateTags::on(names::INTERFACE, "", "")
        };
        assert_eq!(code(world.act(twice)), "InvalidParameterValue");
    }
}
