//! CloudFormation's Query protocol. Names and structures are those of the service model.

use super::{form::Form, query, xml::Xml};
use crate::{
    model::ApiError,
    world::{Answer, DescribeStacks, Request, StackView},
};

pub(crate) const VERSION: &str = "2010-05-15";
const NAMESPACE: &str = "http://cloudformation.amazonaws.com/doc/2010-05-15/";

pub(crate) fn has_action(action: &str) -> bool {
    action == "DescribeStacks"
}

pub(crate) fn request(action: &str, form: &mut Form) -> Result<Request, ApiError> {
    match action {
        "DescribeStacks" => Ok(DescribeStacks { stack_name: form.take("StackName") }.into()),
        _ => Err(ApiError::client("InvalidAction", format!("Could not find operation {action} for version {VERSION}"))),
    }
}

pub(crate) fn answer(answer: &Answer, request_id: &str) -> Vec<u8> {
    match answer {
        Answer::DescribeStacks(stacks) => query::document(NAMESPACE, "DescribeStacks", request_id, |xml| {
            query::members(xml, "Stacks", stacks, stack);
        }),
        // CloudFormation has only the request above, and every request has an answer of its own name.
        _ => Vec::new(),
    }
}

pub(crate) fn error(error: &ApiError, request_id: &str) -> Vec<u8> {
    query::error(NAMESPACE, error, request_id)
}

fn stack(xml: &mut Xml, view: &StackView) {
    let stack = &view.stack;
    xml.text("StackId", view.id());
    xml.text("StackName", &stack.name);
    xml.text("CreationTime", view.creation_time());
    xml.text("StackStatus", &stack.status);
    query::members(xml, "Parameters", &stack.parameters.iter().collect::<Vec<_>>(), |xml, (name, value)| {
        xml.text("ParameterKey", name);
        xml.text("ParameterValue", value);
    });
    query::members(xml, "Outputs", &stack.outputs.iter().collect::<Vec<_>>(), |xml, (name, value)| {
        xml.text("OutputKey", name);
        xml.text("OutputValue", value);
    });
}
