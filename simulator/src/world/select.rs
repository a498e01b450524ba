//! The selection of Describe calls: ids, filters, pages.

use std::collections::BTreeSet;

use super::parameters::Parameters;
use crate::model::{ApiError, Assumptions, Tags};

/// A filter. One of its values must match, and all filters of a request must match. Values are case-sensitive and may
/// have the wildcards `*` and `?` ("List and filter using the CLI and API", EC2 User Guide).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    pub name: String,
    pub values: Vec<String>,
}

impl Filter {
    pub fn new<V: Into<String>>(name: impl Into<String>, values: impl IntoIterator<Item = V>) -> Self {
        Self { name: name.into(), values: values.into_iter().map(Into::into).collect() }
    }
}

/// The common parameters of Describe calls with pages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    pub ids: Vec<String>,
    pub filters: Vec<Filter>,
    pub max_results: Option<usize>,
    pub next_token: Option<String>,
}

impl Selection {
    pub fn ids<I: Into<String>>(ids: impl IntoIterator<Item = I>) -> Self {
        Self { ids: ids.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    pub fn filter<V: Into<String>>(name: impl Into<String>, values: impl IntoIterator<Item = V>) -> Self {
        Self { filters: vec![Filter::new(name, values)], ..Self::default() }
    }

    pub(crate) fn parameters(&self, id_name: &'static str) -> Parameters {
        let parameters = Parameters::default()
            .and_list(id_name, &self.ids)
            .and_if_any("MaxResults", self.max_results)
            .and_if_any("NextToken", self.next_token.as_ref());
        self.filters.iter().fold(parameters, |parameters, filter| {
            parameters.and("Filter", format!("{}={}", filter.name, filter.values.join(",")))
        })
    }

    /// `MaxResults` has bounds and excludes ids: "you cannot specify this parameter and the instance IDs parameter in
    /// the same call" (service model, DescribeInstanceStatus).
    pub(crate) fn paginate<T>(
        &self,
        items: Vec<T>,
        allowed: std::ops::RangeInclusive<usize>,
        assumptions: &Assumptions,
    ) -> Result<Page<T>, ApiError> {
        if let Some(wanted) = self.max_results {
            if !self.ids.is_empty() {
                return Err(ApiError::invalid_combination(
                    "The parameter MaxResults cannot be used with ids in the same request",
                ));
            }
            if !allowed.contains(&wanted) {
                return Err(ApiError::invalid_value(format!(
                    "Value ( {wanted} ) for parameter maxResults is invalid. Expecting a value between {} and {}.",
                    allowed.start(),
                    allowed.end()
                )));
            }
        }
        let start = self.next_token.as_deref().map_or(Ok(0), offset_of)?;
        let by_ids = !self.ids.is_empty();
        let size = [self.max_results, assumptions.page_limit.filter(|_| !by_ids)]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(usize::MAX)
            .max(1);
        let end = start.saturating_add(size);
        let next_token = (end < items.len()).then(|| token_for(end));
        Ok(Page { items: items.into_iter().skip(start).take(size).collect(), next_token })
    }
}

/// One page of an answer.
#[derive(Debug, Clone)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// The token of the next page, if there is one.
    pub next_token: Option<String>,
}

/// A token is the position of the next item and a digest, so that clients cannot invent tokens.
fn token_for(offset: usize) -> String {
    format!("{offset:016x}{:016x}", digest(offset))
}

fn offset_of(token: &str) -> Result<usize, ApiError> {
    token
        .get(..16)
        .and_then(|digits| usize::from_str_radix(digits, 16).ok())
        .filter(|offset| token_for(*offset) == token)
        .ok_or_else(|| ApiError::invalid_value("Unable to parse pagination token"))
}

fn digest(offset: usize) -> u64 {
    (offset as u64 ^ 0x5bd1_e995_9d1b_54a5).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Returns the values of a resource for a filter, or none if it lacks the attribute.
pub(crate) type Facts<T> = Box<dyn Fn(&T) -> Vec<String>>;

/// The filters of a kind of resource, by name.
pub(crate) type FilterTable<T> = &'static [(&'static str, fn(&T) -> Vec<String>)];

/// A resource that can be filtered.
pub(crate) trait Filterable: Sized + 'static {
    const FILTERS: FilterTable<Self>;

    fn tags(&self) -> &Tags;

    /// `None` for a filter that the Describe call does not have. All of them have `tag:KEY` and `tag-key`.
    fn facts(filter: &str) -> Option<Facts<Self>> {
        plain_facts(filter)
    }
}

/// A filter of the table, or on tags.
pub(crate) fn plain_facts<T: Filterable>(filter: &str) -> Option<Facts<T>> {
    if filter == "tag-key" {
        return Some(Box::new(|resource: &T| resource.tags().keys().cloned().collect()));
    }
    if let Some(key) = filter.strip_prefix("tag:") {
        let key = key.to_owned();
        return Some(Box::new(move |resource: &T| maybe(resource.tags().get(&key))));
    }
    let (_, facts) = T::FILTERS.iter().find(|(name, _)| *name == filter)?;
    Some(Box::new(facts))
}

/// The values of an attribute that is always present.
pub(crate) fn one(fact: impl ToString) -> Vec<String> {
    vec![fact.to_string()]
}

/// The values of an attribute that can be absent.
pub(crate) fn maybe(fact: Option<impl ToString>) -> Vec<String> {
    fact.map(|fact| fact.to_string()).into_iter().collect()
}

/// The selected resources: those with the ids, or all, that match the filters.
///
/// An unknown id is an error, and so is an unknown filter, even if there is nothing to filter.
pub(crate) fn choose<'a, T: 'a, V: Filterable>(
    selection: &Selection,
    find: impl Fn(&str) -> Result<&'a T, ApiError>,
    all: impl Iterator<Item = &'a T>,
    view: impl Fn(&'a T) -> V,
) -> Result<Vec<V>, ApiError> {
    let filters = selection
        .filters
        .iter()
        .map(|filter| match V::facts(&filter.name) {
            Some(facts) => Ok((facts, &filter.values)),
            None => Err(ApiError::invalid_value(format!("The filter '{}' is invalid", filter.name))),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut chosen: Vec<V> = if selection.ids.is_empty() {
        all.map(view).collect()
    } else {
        let unique: BTreeSet<&String> = selection.ids.iter().collect();
        unique.into_iter().map(|id| find(id).map(&view)).collect::<Result<_, _>>()?
    };
    chosen.retain(|resource| {
        filters.iter().all(|(facts, patterns)| {
            let facts = facts(resource);
            patterns.iter().any(|pattern| facts.iter().any(|fact| wildcard_match(pattern, fact)))
        })
    });
    Ok(chosen)
}

/// Matches `*` against any characters and `?` against one, in linear time for each `*`.
fn wildcard_match(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&'*') {
            last_star = Some((p, t));
            p += 1;
        } else if pattern.get(p).is_some_and(|c| *c == '?' || *c == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((star, matched)) = last_star {
            last_star = Some((star, matched + 1));
            p = star + 1;
            t = matched + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_matches_any_characters_and_a_question_mark_one() {
        for (pattern, text, expected) in [
            ("in-use", "in-use", true),
            ("in-use", "in-us", false),
            ("*", "", true),
            ("2026-*", "2026-11-22T00:00:00.000Z", true),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "xxaxxbxx", false),
            ("sg-?", "sg-1", true),
            ("sg-?", "sg-", false),
            ("In-Use", "in-use", false),
        ] {
            assert_eq!(wildcard_match(pattern, text), expected, "{pattern} {text}");
        }
    }

    fn page(selection: &Selection, items: usize) -> Result<(Vec<usize>, Option<String>), ApiError> {
        selection
            .paginate((0..items).collect(), 5..=1000, &Assumptions::default())
            .map(|page| (page.items, page.next_token))
    }

    #[test]
    fn pages_follow_one_another_without_gap_or_overlap() {
        let mut selection = Selection { max_results: Some(5), ..Selection::default() };
        let mut seen = Vec::new();
        loop {
            let (items, next) = page(&selection, 12).unwrap();
            seen.extend(items);
            match next {
                Some(token) => selection.next_token = Some(token),
                None => break,
            }
        }
        assert_eq!(seen, (0..12).collect::<Vec<_>>());
    }

    #[test]
    fn page_sizes_out_of_bounds_or_together_with_ids_are_refused() {
        let code = |selection: Selection| page(&selection, 3).unwrap_err().code;
        assert_eq!(code(Selection { max_results: Some(4), ..Selection::default() }), "InvalidParameterValue");
        assert_eq!(code(Selection { max_results: Some(1001), ..Selection::default() }), "InvalidParameterValue");
        assert_eq!(
            code(Selection { max_results: Some(5), ..Selection::ids(["i-0aaaaaaaaaaaaaaa1"]) }),
            "InvalidParameterCombination"
        );
    }

    #[test]
    fn a_token_that_was_not_issued_is_refused() {
        for token in ["", "x", "0000000000000005", &format!("{:032x}", 5), "ééééééééééééééééé"] {
            let selection = Selection { next_token: Some(token.to_owned()), ..Selection::default() };
            assert_eq!(page(&selection, 10).unwrap_err().code, "InvalidParameterValue", "{token}");
        }
    }
}
