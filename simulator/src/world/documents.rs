//! Systems Manager's documents: DescribeDocument.

use std::sync::Arc;

use super::{
    kinds::{Ask, Look},
    parameters::Parameters,
    state::World,
};
use crate::model::{ApiError, Document, Home};

/// A document as in DescribeDocument.
#[derive(Debug, Clone)]
pub struct DocumentView {
    pub document: Arc<Document>,
    pub(crate) home: Arc<Home>,
}

impl DocumentView {
    /// The account of the document.
    pub fn owner(&self) -> &str {
        self.document.name.split(':').nth(4).unwrap_or(&self.home.account)
    }
}

#[derive(Debug, Clone, Default)]
pub struct DescribeDocument {
    /// A name or an ARN.
    pub name: String,
}

impl DescribeDocument {
    pub fn of(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

impl Ask for DescribeDocument {
    fn parameters(&self) -> Parameters {
        Parameters::of("Name", &self.name)
    }
}

impl Look for DescribeDocument {
    type Answer = DocumentView;

    fn look(&self, world: &World) -> Result<DocumentView, ApiError> {
        check_name("Name", &self.name)?;
        let document = world.document(&self.name)?.clone();
        Ok(DocumentView { document, home: world.region().home.clone() })
    }
}

/// `^[a-zA-Z0-9_\-.:/]{3,128}$` (service model, `DocumentARN`).
pub(crate) fn check_name(member: &str, name: &str) -> Result<(), ApiError> {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || b"_-.:/".contains(&c);
    if (3..=128).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(ApiError::validation(member, r"satisfy regular expression pattern: ^[a-zA-Z0-9_\-.:/]{3,128}$"))
}

impl World {
    /// A document by its name, or, if it is the account's own, by its ARN: `arn:aws:ssm:REGION:ACCOUNT:document/NAME`
    /// ("Actions, resources, and condition keys for AWS Systems Manager", Service Authorization Reference). One that
    /// another account shares has only its ARN ("Sharing SSM documents", Systems Manager User Guide).
    ///
    /// `InvalidDocument`, 400: "The specified SSM document doesn't exist" (service model).
    pub(crate) fn document(&self, name: &str) -> Result<&Arc<Document>, ApiError> {
        let home = &self.region.home;
        let own = format!("arn:aws:ssm:{}:{}:document/", home.region, home.account);
        self.documents
            .get(name)
            .or_else(|| self.documents.get(name.strip_prefix(&own)?))
            .ok_or_else(|| ApiError::client("InvalidDocument", format!("Document with name {name} does not exist.")))
    }

    pub(crate) fn add_document(&mut self, document: Document) {
        self.revision += 1;
        self.documents.insert(document.name.clone(), Arc::new(document));
    }

    /// Deletes the document. Running commands continue.
    pub fn delete_document(&mut self, name: &str) {
        self.revision += 1;
        self.documents.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{names, pair};

    fn describe(world: &mut World, name: &str) -> Result<(String, String), String> {
        let view = world.act(DescribeDocument::of(name)).map_err(|error| error.code.into_owned())?;
        Ok((view.document.name.clone(), view.owner().to_owned()))
    }

    #[test]
    fn a_document_has_a_name_and_an_arn() {
        let mut world = pair().world();
        let own = format!("arn:aws:ssm:eu-west-1:123456789012:document/{}", names::DOCUMENT);
        for name in [names::DOCUMENT, &own] {
            let expected = (names::DOCUMENT.to_owned(), names::ACCOUNT.to_owned());
            assert_eq!(describe(&mut world, name), Ok(expected), "{name}");
        }
        for name in [&own.replace("eu-west-1", "eu-central-1"), "absent"] {
            assert_eq!(describe(&mut world, name), Err("InvalidDocument".to_owned()), "{name}");
        }
        for name in ["", "ab", "a document"] {
            assert_eq!(describe(&mut world, name), Err("ValidationException".to_owned()), "{name}");
        }
    }

    #[test]
    fn a_document_of_another_account_has_only_its_arn() {
        let shared = "arn:aws:ssm:eu-west-1:999999999999:document/shared";
        let mut world = pair().document(shared, |document| document).world();
        assert_eq!(describe(&mut world, shared), Ok((shared.to_owned(), "999999999999".to_owned())));
        assert_eq!(describe(&mut world, "shared"), Err("InvalidDocument".to_owned()));
    }

    #[test]
    fn a_document_can_be_missing_or_be_deleted() {
        let missing = Err("InvalidDocument".to_owned());
        assert_eq!(describe(&mut pair().without_document(names::DOCUMENT).world(), names::DOCUMENT), missing);
        let mut world = pair().world();
        world.delete_document(names::DOCUMENT);
        assert_eq!(describe(&mut world, names::DOCUMENT), missing);
    }
}
