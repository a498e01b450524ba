//! The answers of the Query protocol of AWS, which SNS, Auto Scaling and CloudFormation have in common. EC2's differ.

use super::xml::Xml;
use crate::model::ApiError;

pub(crate) fn document(namespace: &str, action: &str, request_id: &str, result: impl FnOnce(&mut Xml)) -> Vec<u8> {
    Xml::document(|xml| {
        xml.root(&format!("{action}Response"), namespace, |xml| {
            xml.element(&format!("{action}Result"), result);
            xml.element("ResponseMetadata", |xml| xml.text("RequestId", request_id));
        });
    })
}

pub(crate) fn error(namespace: &str, error: &ApiError, request_id: &str) -> Vec<u8> {
    Xml::document(|xml| {
        xml.root("ErrorResponse", namespace, |xml| {
            xml.element("Error", |xml| {
                xml.text("Type", if error.status < 500 { "Sender" } else { "Receiver" });
                xml.text("Code", &error.code);
                xml.text("Message", &error.message);
            });
            xml.text("RequestId", request_id);
        });
    })
}

/// A list: `<Name><member>…</member></Name>`.
pub(crate) fn members<T>(xml: &mut Xml, name: &str, items: &[T], content: impl Fn(&mut Xml, &T)) {
    xml.element(name, |xml| {
        for item in items {
            xml.element("member", |xml| content(xml, item));
        }
    });
}
