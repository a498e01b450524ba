//! The simulator over loopback, as a server for other processes, with a control surface next to the services.

use std::io;

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Bytes, Incoming},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    model::{Address, ApiError, Command, Event, Instance, Interface, Message, Region},
    scenario::Scenario,
    simulation::{Call, Simulator},
    wire::{self, Reply},
    world::World,
};

/// The path of the control surface. All other paths are AWS.
const CONTROL: &str = "/_simulator/";

impl Simulator {
    /// Serves all services on one address, HTTP/1.1 without TLS, until the listener fails or the future is dropped.
    ///
    /// The control surface, all in JSON:
    ///
    /// | request | effect |
    /// |---|---|
    /// | `GET /_simulator/journal` | every call, in order |
    /// | `GET /_simulator/world` | instances, interfaces, addresses |
    /// | `GET /_simulator/messages` | the messages published to SNS |
    /// | `GET /_simulator/commands` | the commands sent with Systems Manager, one for each instance |
    /// | `POST /_simulator/instances/{id}/{start,stop,terminate,crash}` | does this to the instance |
    /// | `GET /_simulator/events` | the documents that were sent to EventBridge |
    /// | `POST /_simulator/groups/{name}/{refresh,desired-capacity/N}` | does this to the Auto Scaling group |
    /// | `POST /_simulator/reset` | restores the scenario |
    /// | `POST /_simulator/reset/{scenario}` | plays the scenario of this name until the next reset |
    pub async fn serve(&self, listener: TcpListener) -> io::Result<()> {
        loop {
            let (stream, _) = listener.accept().await?;
            let simulator = self.clone();
            tokio::spawn(async move {
                let service = service_fn(|request| respond(&simulator, request));
                // Errors of a connection are ignored: tests break some connections on purpose.
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }
}

/// An error lets hyper close the connection without an answer.
async fn respond(simulator: &Simulator, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    if let Some(path) = parts.uri.path().strip_prefix(CONTROL) {
        return Ok(control(simulator, &parts.method, path));
    }
    match wire::answer(simulator, &parts.headers, &body).await {
        Reply::Answer(response) => Ok(response.map(|body| Full::new(body.into()))),
        Reply::Dropped => Err(io::ErrorKind::ConnectionReset.into()),
    }
}

fn control(simulator: &Simulator, method: &Method, path: &str) -> Response<Full<Bytes>> {
    let steps: Vec<&str> = path.split('/').collect();
    let (status, body) = match (method, steps.as_slice()) {
        (&Method::GET, ["journal"]) => (StatusCode::OK, simulator.journal().iter().map(call).collect()),
        (&Method::GET, ["world"]) => (StatusCode::OK, simulator.world(|state| world(state))),
        (&Method::GET, ["messages"]) => (StatusCode::OK, simulator.messages().iter().map(message).collect()),
        (&Method::GET, ["commands"]) => (StatusCode::OK, simulator.commands().iter().map(command).collect()),
        (&Method::GET, ["events"]) => (StatusCode::OK, simulator.events().iter().map(Event::document).collect()),
        (&Method::POST, ["reset"]) => {
            simulator.reset();
            (StatusCode::OK, json!({}))
        }
        (&Method::POST, ["reset", name]) => match Scenario::named(name) {
            Some(scenario) => {
                simulator.reset_to(scenario);
                (StatusCode::OK, json!({}))
            }
            None => not_found(path),
        },
        (&Method::POST, ["instances", id, deed]) => done(path, simulator.world(|world| act(world, id, deed))),
        (&Method::POST, ["groups", name, deed @ ..]) => done(path, simulator.world(|world| scale(world, name, deed))),
        _ => not_found(path),
    };
    let mut response = Response::new(Full::new(Bytes::from(format!("{body:#}\n"))));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

fn done(path: &str, result: Option<Result<(), ApiError>>) -> (StatusCode, Value) {
    match result {
        Some(Ok(())) => (StatusCode::OK, json!({})),
        Some(Err(error)) => (StatusCode::BAD_REQUEST, json!({"code": error.code, "message": error.message})),
        None => not_found(path),
    }
}

fn not_found(path: &str) -> (StatusCode, Value) {
    (StatusCode::NOT_FOUND, json!({"code": "NotFound", "message": format!("unknown path {CONTROL}{path}")}))
}

fn act(world: &mut World, instance_id: &str, deed: &str) -> Option<Result<(), ApiError>> {
    match deed {
        "start" => Some(world.start(instance_id)),
        "stop" => Some(world.stop(instance_id)),
        "terminate" => Some(world.terminate(instance_id)),
        "crash" => Some(world.crash(instance_id)),
        _ => None,
    }
}

fn scale(world: &mut World, group: &str, deed: &[&str]) -> Option<Result<(), ApiError>> {
    match deed {
        ["refresh"] => Some(world.start_instance_refresh(group)),
        ["desired-capacity", number] => Some(world.set_desired_capacity(group, number.parse().ok()?)),
        _ => None,
    }
}

fn call(call: &Call) -> Value {
    let parameters: serde_json::Map<String, Value> =
        call.parameters.iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    json!({
        "sequence": call.sequence,
        "timeMs": milliseconds(call.at),
        "service": call.service.to_string(),
        "action": call.action,
        "parameters": parameters,
        "dryRun": call.dry_run,
        "outcome": call.outcome.to_string(),
        "changed": call.changed,
    })
}

fn message(message: &Message) -> Value {
    let attributes: serde_json::Map<String, Value> = message
        .attributes
        .iter()
        .map(|(name, attribute)| (name.clone(), json!({"dataType": attribute.data_type, "value": attribute.value})))
        .collect();
    json!({
        "messageId": message.id,
        "timeMs": milliseconds(message.published_at),
        "topicArn": message.topic_arn,
        "subject": message.subject,
        "message": message.message,
        "messageStructure": message.structure,
        "messageAttributes": attributes,
        "messageGroupId": message.group_id,
        "messageDeduplicationId": message.deduplication_id,
        "sequenceNumber": message.sequence_number,
    })
}

fn command(command: &Command) -> Value {
    json!({
        "commandId": command.id,
        "documentName": command.document_name,
        "instanceId": command.instance_id,
        "parameters": command.parameters,
        "comment": command.comment,
        "timeMs": milliseconds(command.sent_at),
        "status": command.status.name(),
    })
}

fn world(world: &World) -> Value {
    let region = world.region();
    json!({
        "timeMs": milliseconds(world.now()),
        "instances": region.instances().map(|each| instance(each)).collect::<Vec<_>>(),
        "interfaces": region.interfaces().map(|each| interface(each)).collect::<Vec<_>>(),
        "addresses": region.addresses().map(|each| address(region, each)).collect::<Vec<_>>(),
    })
}

fn instance(instance: &Instance) -> Value {
    let (system, own) = instance.checks();
    json!({
        "instanceId": instance.id,
        "state": instance.state.name(),
        "stateReason": instance.state_reason.as_ref().map(|reason| reason.code),
        "systemStatus": system.name(),
        "instanceStatus": own.name(),
        "attachedEbsStatus": instance.attached_ebs().map(|check| check.name()),
        "availabilityZone": instance.availability_zone,
        "tags": instance.tags,
    })
}

fn interface(interface: &Interface) -> Value {
    json!({
        "networkInterfaceId": interface.id,
        "macAddress": interface.mac_address,
        "privateIpAddress": interface.private_ip.to_string(),
        "groups": interface.groups,
        "attachment": interface.attachment.as_ref().map(|attachment| json!({
            "attachmentId": attachment.id,
            "instanceId": attachment.instance_id,
            "deviceIndex": attachment.device_index,
            "status": attachment.status.name(),
            "deleteOnTermination": attachment.delete_on_termination,
        })),
        "tags": interface.tags,
    })
}

fn address(region: &Region, address: &Address) -> Value {
    let interface_id = address.association.as_ref().map(|association| association.interface_id.as_str());
    let attachment =
        interface_id.and_then(|id| region.interface(id).ok()).and_then(|interface| interface.attachment.as_ref());
    json!({
        "allocationId": address.allocation_id,
        "publicIp": address.public_ip.to_string(),
        "networkInterfaceId": interface_id,
        "instanceId": attachment.map(|attachment| attachment.instance_id.as_str()),
    })
}

fn milliseconds(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::*;
    use crate::{Disruption, names, pair, world::SendCommand};

    /// Serves a pair, sends each request over its own connection, and returns the answers.
    async fn exchange(requests: &[(&str, &str)], prepare: impl FnOnce(&Simulator)) -> Vec<String> {
        let simulator = pair().build();
        prepare(&simulator);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { simulator.serve(listener).await });
        let mut answers = Vec::new();
        for (line, body) in requests {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let length = body.len();
            let request = format!(
                "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
            );
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            // A closed connection is an answer, too.
            let _ = stream.read_to_string(&mut answer).await;
            answers.push(answer);
        }
        server.abort();
        answers
    }

    fn body(answer: &str) -> &str {
        answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    fn json(answer: &str) -> Value {
        serde_json::from_str(body(answer)).unwrap()
    }

    #[tokio::test]
    async fn services_and_control_surface_share_an_address() {
        let stop = format!("POST /_simulator/instances/{}/stop", names::HOLDER);
        let answers = exchange(
            &[
                (&stop, ""),
                ("POST /", "Action=DescribeInstances&Version=2016-11-15"),
                ("GET /_simulator/world", ""),
                ("GET /_simulator/journal", ""),
                ("GET /_simulator/messages", ""),
                ("GET /_simulator/commands", ""),
                ("POST /_simulator/reset", ""),
                ("GET /_simulator/journal", ""),
            ],
            |_| {},
        )
        .await;
        assert!(answers[1].contains("<name>stopped</name>"));
        assert_eq!(json(&answers[2])["instances"][0]["state"], "stopped");
        assert_eq!(json(&answers[2])["interfaces"][0]["networkInterfaceId"], names::INTERFACE);
        assert_eq!(json(&answers[3])[0]["action"], "DescribeInstances");
        assert_eq!(json(&answers[3])[0]["outcome"], "ok");
        assert_eq!(json(&answers[4]), json!([]));
        assert_eq!(json(&answers[5]), json!([]));
        assert_eq!(json(&answers[7]), json!([]));
    }

    #[tokio::test]
    async fn a_lost_answer_is_a_connection_that_closes() {
        let detach = format!("Action=DetachNetworkInterface&Version=2016-11-15&AttachmentId={}", names::ATTACHMENT);
        let answers = exchange(&[("POST /", &detach), ("GET /_simulator/journal", "")], |simulator| {
            simulator.always("DetachNetworkInterface", Disruption::DropAfter);
        })
        .await;
        assert_eq!(answers[0], "");
        assert_eq!(json(&answers[1])[0]["outcome"], "dropped-after");
        assert_eq!(json(&answers[1])[0]["changed"], true);
    }

    #[tokio::test]
    async fn commands_are_listed() {
        let answers = exchange(&[("GET /_simulator/commands", "")], |simulator| {
            simulator.world(|world| world.act(SendCommand::to(names::STANDBY, names::DOCUMENT)).unwrap());
        })
        .await;
        let commands = json(&answers[0]);
        assert_eq!(commands[0]["documentName"], names::DOCUMENT);
        assert_eq!((&commands[0]["instanceId"], &commands[0]["status"]), (&json!(names::STANDBY), &json!("Success")));
    }

    #[tokio::test]
    async fn a_group_can_be_played_with_and_its_events_are_listed() {
        let answers = exchange(
            &[
                ("POST /_simulator/reset/grouped", ""),
                ("POST /_simulator/groups/token-servers/refresh", ""),
                ("POST /_simulator/groups/token-servers/refresh", ""),
                ("POST /_simulator/groups/token-servers/desired-capacity/3", ""),
                ("POST /_simulator/groups/token-servers/desired-capacity/many", ""),
                ("POST /_simulator/groups/other/refresh", ""),
                (&format!("POST /_simulator/instances/{}/stop", names::HOLDER), ""),
                ("GET /_simulator/events", ""),
                ("POST /_simulator/reset/nothing", ""),
                ("POST /_simulator/reset", ""),
                ("POST /_simulator/groups/token-servers/refresh", ""),
            ],
            |_| {},
        )
        .await;
        let seen: Vec<_> = answers.iter().map(|answer| (&answer[9..12], json(answer)["code"].clone())).collect();
        let none = || ("200", Value::Null);
        assert_eq!(
            seen,
            [
                none(),
                none(),
                ("400", json!("InstanceRefreshInProgress")),
                ("400", json!("ValidationError")),
                ("404", json!("NotFound")),
                ("400", json!("ValidationError")),
                none(),
                none(),
                ("404", json!("NotFound")),
                none(),
                ("400", json!("ValidationError")),
            ]
        );
        let details: Vec<_> = json(&answers[7]).as_array().unwrap().iter().map(|one| one["detail"].clone()).collect();
        assert_eq!(details, [json!({"instance-id": names::HOLDER, "state": "stopping"})]);
    }

    #[tokio::test]
    async fn an_invalid_request_is_answered_with_an_error() {
        let answers = exchange(
            &[
                ("GET /_simulator/nothing", ""),
                ("POST /_simulator/instances/i-0aaaaaaaaaaaaaaa9/stop", ""),
                ("POST /_simulator/instances/i-0aaaaaaaaaaaaaaa9/praise", ""),
            ],
            |_| {},
        )
        .await;
        let seen: Vec<_> = answers.iter().map(|answer| (&answer[9..12], json(answer)["code"].clone())).collect();
        assert_eq!(
            seen,
            [("404", json!("NotFound")), ("400", json!("InvalidInstanceID.NotFound")), ("404", json!("NotFound"))]
        );
    }
}
