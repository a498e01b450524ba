//! Systems Manager's protocol, AWS JSON 1.1 ("AWS JSON 1.1 protocol", Smithy), API version 2014-11-06.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::HeaderMap;
use serde_json::{Value, json};

use super::json::Members;
use crate::{
    model::ApiError,
    world::{
        Answer, DescribeDocument, DescribeInstanceInformation, DocumentView, Filter, GetCommandInvocation,
        InvocationView, ManagedNode, Page, Request, SendCommand, SentCommand, managed_nodes::RESOURCE_TYPE,
    },
};

pub(crate) const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
/// The prefix of the operation in the header `x-amz-target`.
const TARGET: &str = "AmazonSSM.";

/// The operation of a request, or an empty string if the request is not for Systems Manager.
pub(crate) fn operation(headers: &HeaderMap) -> &str {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    target.strip_prefix(TARGET).unwrap_or_default()
}

pub(crate) fn request(operation: &str, body: &[u8]) -> Result<Request, ApiError> {
    let mut members = Members::parse(body)?;
    let request = match operation {
        "SendCommand" => send_command(&mut members)?.into(),
        "GetCommandInvocation" => GetCommandInvocation {
            command_id: members.require_text("CommandId")?,
            instance_id: members.require_text("InstanceId")?,
        }
        .into(),
        "DescribeInstanceInformation" => describe_instance_information(&mut members)?.into(),
        "DescribeDocument" => DescribeDocument { name: members.require_text("Name")? }.into(),
        _ => {
            return Err(ApiError::client(
                "UnknownOperationException",
                format!("The operation '{operation}' is unknown or not simulated"),
            ));
        }
    };
    members.finish()?;
    Ok(request)
}

/// A command for instances. `Targets` are not simulated.
fn send_command(members: &mut Members) -> Result<SendCommand, ApiError> {
    Ok(SendCommand {
        document_name: members.require_text("DocumentName")?,
        instance_ids: members.take_texts("InstanceIds")?,
        parameters: members.take_lists("Parameters")?,
        timeout_seconds: members
            .take_number("TimeoutSeconds")?
            .map(|seconds| u64::try_from(seconds).unwrap_or_default()),
        comment: members.take_text("Comment")?,
    })
}

fn describe_instance_information(members: &mut Members) -> Result<DescribeInstanceInformation, ApiError> {
    let mut filters = Vec::new();
    for mut filter in members.take_members("Filters")? {
        filters.push(Filter::new(filter.require_text("Key")?, filter.take_texts("Values")?));
        filter.finish()?;
    }
    Ok(DescribeInstanceInformation {
        filters,
        max_results: members.take_number("MaxResults")?.map(|number| usize::try_from(number).unwrap_or_default()),
        next_token: members.take_text("NextToken")?,
    })
}

pub(crate) fn answer(answer: &Answer) -> Vec<u8> {
    let value = match answer {
        Answer::SendCommand(sent) => json!({"Command": command(sent)}),
        Answer::GetCommandInvocation(view) => invocation(view),
        Answer::DescribeInstanceInformation(page) => nodes(page),
        Answer::DescribeDocument(view) => json!({"Document": document(view)}),
        // Systems Manager has only the requests above, and every request has an answer of its own name.
        _ => json!({}),
    };
    value.to_string().into_bytes()
}

fn command(sent: &SentCommand) -> Value {
    json!({
        "CommandId": sent.command_id,
        "DocumentName": sent.document_name,
        "DocumentVersion": "$DEFAULT",
        "Comment": sent.comment,
        "Parameters": sent.parameters,
        "InstanceIds": sent.instance_ids,
        "Targets": [],
        "RequestedDateTime": epoch_seconds(sent.requested_at),
        "Status": "Pending",
        "StatusDetails": "Pending",
        "TargetCount": sent.instance_ids.len(),
        "CompletedCount": 0,
        "ErrorCount": 0,
        "DeliveryTimedOutCount": 0,
        "TimeoutSeconds": sent.timeout_seconds,
    })
}

/// A missing time is an empty string (service model).
fn invocation(view: &InvocationView) -> Value {
    let time = |at: Option<Duration>| at.map(|at| view.home.timestamp(at)).unwrap_or_default();
    let ended_at = view.started_at.and(view.ended_at);
    json!({
        "CommandId": view.id,
        "InstanceId": view.instance_id,
        "Comment": view.comment,
        "DocumentName": view.document_name,
        "DocumentVersion": "$DEFAULT",
        "PluginName": "aws:runShellScript",
        "ResponseCode": view.response_code(),
        "ExecutionStartDateTime": time(view.started_at),
        "ExecutionElapsedTime": view.elapsed.map(|time| format!("PT{}S", time.as_secs_f64())).unwrap_or_default(),
        "ExecutionEndDateTime": time(ended_at),
        "Status": view.status.name(),
        "StatusDetails": view.status.details(),
        "StandardOutputContent": view.output(),
        "StandardOutputUrl": "",
        "StandardErrorContent": view.error_output(),
        "StandardErrorUrl": "",
    })
}

/// "If there are no additional items to return, the string is empty" (service model,
/// `DescribeInstanceInformationResult$NextToken`).
fn nodes(page: &Page<ManagedNode>) -> Value {
    json!({
        "InstanceInformationList": page.items.iter().map(node).collect::<Vec<_>>(),
        "NextToken": page.next_token.as_deref().unwrap_or_default(),
    })
}

fn node(node: &ManagedNode) -> Value {
    json!({
        "InstanceId": node.id,
        "PingStatus": node.ping_status(),
        "AgentVersion": "3.3.0.0",
        "PlatformType": "Linux",
        "PlatformName": "Amazon Linux",
        "ResourceType": RESOURCE_TYPE,
    })
}

fn document(view: &DocumentView) -> Value {
    let parameters: Vec<Value> = view
        .document
        .parameters
        .iter()
        .map(|(name, is_required)| {
            let mut parameter = json!({"Name": name, "Type": "String"});
            if !is_required {
                parameter["DefaultValue"] = json!("");
            }
            parameter
        })
        .collect();
    json!({
        "Name": view.document.name,
        "Owner": view.owner(),
        "Status": "Active",
        "DocumentVersion": "1",
        "DefaultVersion": "1",
        "LatestVersion": "1",
        "SchemaVersion": "2.2",
        "DocumentType": view.document.document_type,
        "DocumentFormat": "YAML",
        "PlatformTypes": ["Linux"],
        "Parameters": parameters,
    })
}

/// Timestamps are numbers of seconds, with a fraction.
fn epoch_seconds(time: DateTime<Utc>) -> Value {
    json!(Duration::from_millis(u64::try_from(time.timestamp_millis()).unwrap_or_default()).as_secs_f64())
}

/// The code is in `__type`, and in the header `x-amzn-errortype`.
pub(crate) fn error(error: &ApiError) -> Vec<u8> {
    json!({"__type": error.code, "message": error.message}).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;
    use crate::{
        Disruption, InstanceSpec, Simulator, names, pair,
        wire::{self, Reply},
        world::Timings,
    };

    fn headers(target: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-target", target.parse().unwrap());
        headers
    }

    /// The status and the body of an answer. The header must also have the code of an error.
    async fn post(simulator: &Simulator, operation: &str, body: &Value) -> (u16, Value) {
        let headers = headers(&format!("AmazonSSM.{operation}"));
        let Reply::Answer(response) = wire::answer(simulator, &headers, body.to_string().as_bytes()).await else {
            return (0, Value::Null);
        };
        assert_eq!(response.headers()[header::CONTENT_TYPE], CONTENT_TYPE);
        assert!(response.headers().contains_key("x-amzn-requestid"));
        let body: Value = serde_json::from_slice(response.body()).unwrap_or(json!("nonsense"));
        let code = response.headers().get("x-amzn-errortype").map(|code| code.to_str().unwrap());
        assert_eq!(code, body["__type"].as_str());
        (response.status().as_u16(), body)
    }

    async fn code(simulator: &Simulator, operation: &str, body: Value) -> (u16, String) {
        let (status, body) = post(simulator, operation, &body).await;
        (status, body["__type"].as_str().unwrap_or_default().to_owned())
    }

    fn refusal(code: &str) -> (u16, String) {
        (400, code.to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_on_the_wire_from_its_beginning_to_its_end() {
        let simulator = pair().timings(Timings { command: Duration::from_millis(1500), ..Timings::default() }).build();
        let request = json!({
            "DocumentName": names::DOCUMENT,
            "InstanceIds": [names::STANDBY],
            "Parameters": {"Service": ["lmgrd"]},
            "TimeoutSeconds": 60,
            "Comment": "c",
        });
        tokio::time::sleep(Duration::from_millis(250)).await;
        let (status, sent) = post(&simulator, "SendCommand", &request).await;
        let id = sent["Command"]["CommandId"].as_str().unwrap();
        assert_eq!((status, id.len()), (200, 36));
        assert_eq!(
            sent,
            json!({"Command": {
                "CommandId": id,
                "DocumentName": "token-failover-restart",
                "DocumentVersion": "$DEFAULT",
                "Comment": "c",
                "Parameters": {"Service": ["lmgrd"]},
                "InstanceIds": ["i-0bbbbbbbbbbbbbbb2"],
                "Targets": [],
                "RequestedDateTime": 1_767_225_600.25,
                "Status": "Pending",
                "StatusDetails": "Pending",
                "TargetCount": 1,
                "CompletedCount": 0,
                "ErrorCount": 0,
                "DeliveryTimedOutCount": 0,
                "TimeoutSeconds": 60,
            }})
        );
        let get = json!({"CommandId": id, "InstanceId": names::STANDBY});
        let view = async || post(&simulator, "GetCommandInvocation", &get).await.1;
        let pending = view().await;
        assert_eq!((&pending["Status"], &pending["ResponseCode"]), (&json!("Pending"), &json!(-1)));
        assert_eq!((&pending["ExecutionStartDateTime"], &pending["StandardOutputContent"]), (&json!(""), &json!("")));
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(
            view().await,
            json!({
                "CommandId": id,
                "InstanceId": "i-0bbbbbbbbbbbbbbb2",
                "Comment": "c",
                "DocumentName": "token-failover-restart",
                "DocumentVersion": "$DEFAULT",
                "PluginName": "aws:runShellScript",
                "ResponseCode": 0,
                "ExecutionStartDateTime": "2026-01-01T00:00:00.750Z",
                "ExecutionElapsedTime": "PT1S",
                "ExecutionEndDateTime": "2026-01-01T00:00:01.750Z",
                "Status": "Success",
                "StatusDetails": "Success",
                "StandardOutputContent": "what the command printed",
                "StandardOutputUrl": "",
                "StandardErrorContent": "",
                "StandardErrorUrl": "",
            })
        );
        let lines: Vec<String> = simulator.journal().iter().map(ToString::to_string).collect();
        let read = format!("GetCommandInvocation CommandId={id} InstanceId=i-0bbbbbbbbbbbbbbb2 -> ok");
        let change = "SendCommand DocumentName=token-failover-restart InstanceIds=i-0bbbbbbbbbbbbbbb2 \
                      Parameters=Service=lmgrd TimeoutSeconds=60 -> ok";
        assert_eq!(lines, [change, &read, &read]);
        assert_eq!(simulator.changes(), [change]);
    }

    #[tokio::test]
    async fn managed_nodes_on_the_wire() {
        let simulator = pair().instance(names::HOLDER, InstanceSpec::without_agent).build();
        let filter = |id: &str| json!({"Filters": [{"Key": "InstanceIds", "Values": [id]}], "MaxResults": 50});
        assert_eq!(
            post(&simulator, "DescribeInstanceInformation", &filter(names::STANDBY)).await,
            (
                200,
                json!({
                    "InstanceInformationList": [{
                        "InstanceId": "i-0bbbbbbbbbbbbbbb2",
                        "PingStatus": "Online",
                        "AgentVersion": "3.3.0.0",
                        "PlatformType": "Linux",
                        "PlatformName": "Amazon Linux",
                        "ResourceType": "EC2Instance",
                    }],
                    "NextToken": "",
                })
            )
        );
        let none = json!({"InstanceInformationList": [], "NextToken": ""});
        assert_eq!(post(&simulator, "DescribeInstanceInformation", &filter(names::HOLDER)).await, (200, none));
    }

    #[tokio::test]
    async fn a_document_on_the_wire() {
        let (status, answer) = post(&pair().build(), "DescribeDocument", &json!({"Name": names::DOCUMENT})).await;
        assert_eq!(status, 200);
        assert_eq!(
            answer,
            json!({"Document": {
                "Name": "token-failover-restart",
                "Owner": "123456789012",
                "Status": "Active",
                "DocumentVersion": "1",
                "DefaultVersion": "1",
                "LatestVersion": "1",
                "SchemaVersion": "2.2",
                "DocumentType": "Command",
                "DocumentFormat": "YAML",
                "PlatformTypes": ["Linux"],
                "Parameters": [{"Name": "Service", "Type": "String", "DefaultValue": ""}],
            }})
        );
    }

    #[tokio::test]
    async fn errors_on_the_wire_have_their_code_in_the_body_and_in_a_header() {
        let simulator = pair().build();
        assert_eq!(
            post(&simulator, "DescribeDocument", &json!({"Name": "absent"})).await,
            (400, json!({"__type": "InvalidDocument", "message": "Document with name absent does not exist."}))
        );
        let unknown = json!({"Name": names::DOCUMENT, "DocumentVersion": "1"});
        assert_eq!(
            post(&simulator, "DescribeDocument", &unknown).await.1["message"],
            "The member DocumentVersion is unknown or not simulated"
        );
        for (operation, body, expected) in [
            ("DescribeDocument", unknown, "ValidationException"),
            ("DescribeDocument", json!({}), "ValidationException"),
            ("DescribeDocument", json!({"Name": 1}), "SerializationException"),
            ("DescribeDocument", json!([]), "SerializationException"),
            ("ListCommands", json!({}), "UnknownOperationException"),
            ("SendCommand", json!({"DocumentName": names::DOCUMENT}), "ValidationException"),
            (
                "SendCommand",
                json!({"DocumentName": names::DOCUMENT, "InstanceIds": [names::STANDBY], "TimeoutSeconds": -1}),
                "ValidationException",
            ),
            ("GetCommandInvocation", json!({"CommandId": names::STANDBY}), "ValidationException"),
            (
                "DescribeInstanceInformation",
                json!({"Filters": [{"Key": "InstanceIds", "Values": [names::STANDBY], "Color": "red"}]}),
                "ValidationException",
            ),
        ] {
            assert_eq!(code(&simulator, operation, body.clone()).await, refusal(expected), "{operation} {body}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn every_disruption_reaches_the_wire() {
        for (disruption, expected) in [
            (Disruption::Deny, refusal("AccessDeniedException")),
            (Disruption::Throttle, refusal("ThrottlingException")),
            (Disruption::error(500, "InternalServerError"), (500, "InternalServerError".to_owned())),
            (Disruption::DropAfter, (0, String::new())),
            (Disruption::Nonsense, (200, String::new())),
        ] {
            let simulator = pair().build();
            simulator.always("DescribeDocument", disruption.clone());
            let seen = code(&simulator, "DescribeDocument", json!({"Name": names::DOCUMENT})).await;
            assert_eq!(seen, expected, "{disruption:?}");
        }
    }

    #[tokio::test]
    async fn a_request_is_for_systems_manager_by_its_target_signature_or_host() {
        let simulator = pair().build();
        let by = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            headers
        };
        let scope = "AWS4-HMAC-SHA256 Credential=x/20260101/eu-west-1/ssm/aws4_request";
        for headers in
            [headers("AmazonSSM.ListCommands"), by("authorization", scope), by("host", "ssm.eu-west-1.amazonaws.com")]
        {
            let Reply::Answer(response) = wire::answer(&simulator, &headers, b"{}").await else { panic!("an answer") };
            assert_eq!(response.headers()["x-amzn-errortype"], "UnknownOperationException");
        }
        assert!(simulator.journal().iter().all(|call| call.service.to_string() == "ssm"));
    }
}
