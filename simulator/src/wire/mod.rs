//! The wire: the Query protocols of EC2 and SNS, from HTTP request to HTTP response.

mod ec2;
mod form;
mod sns;
mod xml;

use http::{HeaderMap, Response, StatusCode, header};

use self::form::Form;
use crate::{
    simulation::{CallError, Incoming, Simulator},
    world::{ApiError, Service},
};

/// What the connection does with a request.
pub(crate) enum Reply {
    Answer(Response<Vec<u8>>),
    /// The connection dies without an answer.
    Dropped,
}

/// Answers one request of either service.
pub(crate) async fn answer(simulator: &Simulator, headers: &HeaderMap, body: &[u8]) -> Reply {
    let mut form = Form::parse(body);
    let service = service_of(headers, &form);
    let action = form.take("Action").unwrap_or_default();
    let version = form.take("Version");
    let request = if action.is_empty() {
        Err(ApiError::client("MissingAction", "The request must contain the parameter Action"))
    } else {
        match service {
            Service::Ec2 => ec2::request(&action, version.as_deref(), &mut form),
            Service::Sns => sns::request(&action, &mut form),
        }
    };
    let request = request.and_then(|request| form.finish().map(|()| request));
    let result = simulator.take(Incoming { service, action: action.into(), request }).await;

    let request_id = simulator.next_request_id();
    let (status, body) = match (result, service) {
        (Ok(answer), Service::Ec2) => (200, ec2::answer(&answer, &request_id)),
        (Ok(answer), Service::Sns) => (200, sns::answer(&answer, &request_id)),
        (Err(CallError::Refused(error)), Service::Ec2) => (error.status, ec2::error(&error, &request_id)),
        (Err(CallError::Refused(error)), Service::Sns) => (error.status, sns::error(&error, &request_id)),
        (Err(CallError::Nonsense), _) => (200, b"It is a truth universally acknowledged".to_vec()),
        (Err(CallError::Dropped), _) => return Reply::Dropped,
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/xml;charset=UTF-8"));
    if let Ok(id) = request_id.parse() {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    Reply::Answer(response)
}

/// Both services can share one address. A request says which one it is for by its API version; failing that by the
/// scope of its signature, by its host name, and last by an action that only SNS has.
fn service_of(headers: &HeaderMap, form: &Form) -> Service {
    match form.get("Version") {
        Some(ec2::VERSION) => return Service::Ec2,
        Some(sns::VERSION) => return Service::Sns,
        _ => {}
    }
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (signature, host) = (text(header::AUTHORIZATION), text(header::HOST));
    if signature.contains("/sns/aws4_request") || host.starts_with("sns.") {
        Service::Sns
    } else if signature.contains("/ec2/aws4_request") || host.starts_with("ec2.") {
        Service::Ec2
    } else if form.get("Action").is_some_and(sns::has_action) {
        Service::Sns
    } else {
        Service::Ec2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{names, pair, simulation::Disruption, world::ids::Ids};

    async fn post(simulator: &Simulator, body: &str) -> (u16, String) {
        match answer(simulator, &HeaderMap::new(), body.as_bytes()).await {
            Reply::Answer(response) => {
                assert_eq!(response.headers()[header::CONTENT_TYPE], "text/xml;charset=UTF-8");
                let text = String::from_utf8(response.body().clone()).unwrap();
                let id = response.headers()["x-amzn-requestid"].to_str().unwrap();
                (response.status().as_u16(), text.replace(id, "ID"))
            }
            Reply::Dropped => (0, String::new()),
        }
    }

    #[tokio::test]
    async fn an_answer_of_ec2() {
        let simulator = pair().build();
        let body = format!("Action=DetachNetworkInterface&Version=2016-11-15&AttachmentId={}", names::ATTACHMENT);
        let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<DetachNetworkInterfaceResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>ID</requestId><return>true</return></DetachNetworkInterfaceResponse>"#;
        assert_eq!(post(&simulator, &body).await, (200, expected.to_owned()));
    }

    #[tokio::test]
    async fn an_error_of_ec2() {
        let simulator = pair().build();
        let body = "Action=DescribeNetworkInterfaces&Version=2016-11-15&NetworkInterfaceId.1=eni-0aaaaaaaaaaaaaaa9";
        let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>InvalidNetworkInterfaceID.NotFound</Code><Message>The networkInterface ID 'eni-0aaaaaaaaaaaaaaa9' does not exist</Message></Error></Errors><RequestID>ID</RequestID></Response>"#
            .replace('\'', "&apos;");
        assert_eq!(post(&simulator, body).await, (400, expected));
    }

    #[tokio::test]
    async fn an_answer_and_an_error_of_sns() {
        let simulator = pair().build();
        let publish = |topic: &str| format!("Action=Publish&Version=2010-03-31&Message=m&TopicArn={topic}");
        let (status, body) = post(&simulator, &publish(names::TOPIC)).await;
        let id = &simulator.messages()[0].id;
        let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>MESSAGE</MessageId></PublishResult><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></PublishResponse>"#;
        assert_eq!((status, body.replace(id, "MESSAGE")), (200, expected.to_owned()));

        let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>NotFound</Code><Message>Topic does not exist</Message></Error><RequestId>ID</RequestId></ErrorResponse>"#;
        let absent = "arn:aws:sns:eu-west-1:123456789012:absent";
        assert_eq!(post(&simulator, &publish(absent)).await, (404, expected.to_owned()));
    }

    #[tokio::test]
    async fn whatever_comes_in_is_answered() {
        let simulator = pair().build();
        for body in [
            "",
            "=",
            "Action",
            "Action=&Version=2016-11-15",
            "Action=DescribeInstances",
            "Action=DescribeInstances&Version=1999-01-01",
            "Action=DescribeInstances&Version=2016-11-15&Filter.1.Name=status",
            "Action=DescribeInstances&Version=2016-11-15&Filter.99999999999.Name=status",
            "Action=DescribeInstances&Version=2016-11-15&MaxResults=-1",
            "Action=AttachNetworkInterface&Version=2016-11-15&DeviceIndex=99999999999",
            "Action=ModifyNetworkInterfaceAttribute&Version=2016-11-15",
            "Action=CreateTags&Version=2016-11-15&Tag.1.Key=%00&ResourceId.1=%ff",
            "Action=Publish&Version=2010-03-31",
            "Action=Publish&Version=2010-03-31&MessageAttributes.entry.1.Name=a",
            "Action=Nothing&Version=2010-03-31",
            "Action=Nothing&Version=2016-11-15",
        ] {
            let (status, answer) = post(&simulator, body).await;
            assert_eq!((status, answer.contains("<Code>")), (400, true), "{body}");
        }
        assert_eq!(simulator.changes(), [""; 0]);
    }

    #[tokio::test]
    async fn a_request_finds_its_service() {
        let form = |body: &str| Form::parse(body.as_bytes());
        let signed = |service: &str| {
            let scope = format!("AWS4-HMAC-SHA256 Credential=a/20260101/eu-west-1/{service}/aws4_request");
            HeaderMap::from_iter([(header::AUTHORIZATION, scope.parse().unwrap())])
        };
        let none = HeaderMap::new();
        assert_eq!(service_of(&none, &form("Version=2016-11-15")), Service::Ec2);
        assert_eq!(service_of(&none, &form("Version=2010-03-31")), Service::Sns);
        assert_eq!(service_of(&signed("sns"), &form("")), Service::Sns);
        assert_eq!(service_of(&signed("ec2"), &form("Action=Publish")), Service::Ec2);
        assert_eq!(service_of(&none, &form("Action=Publish")), Service::Sns);
        assert_eq!(service_of(&none, &form("Action=DescribeInstances")), Service::Ec2);
    }

    #[tokio::test]
    async fn a_disrupted_call_is_disrupted_on_the_wire_too() {
        let simulator = pair().build();
        let body = "Action=DescribeInstances&Version=2016-11-15";
        simulator.fail_next("DescribeInstances", 1, Disruption::DropAfter);
        assert_eq!(post(&simulator, body).await, (0, String::new()));
        simulator.fail_next("DescribeInstances", 1, Disruption::Throttle);
        assert_eq!(post(&simulator, body).await.0, 503);
        simulator.fail_next("DescribeInstances", 1, Disruption::Nonsense);
        let (status, answer) = post(&simulator, body).await;
        assert_eq!((status, answer.contains('<')), (200, false));
        assert_eq!(post(&simulator, body).await.0, 200);
    }

    #[tokio::test]
    async fn however_garbled_a_request_is_it_is_answered() {
        let simulator = pair().build();
        let bodies = [
            "Action=DescribeInstances&Version=2016-11-15&Filter.1.Name=tag:a&Filter.1.Value.1=b*&MaxResults=5",
            "Action=AttachNetworkInterface&Version=2016-11-15&NetworkInterfaceId=eni-0ddddddddddddddd1&DeviceIndex=1",
            "Action=AuthorizeSecurityGroupIngress&Version=2016-11-15&GroupId=sg-0fffffffffffffff1&\
             IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=1&IpPermissions.1.ToPort=2&\
             IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0/8",
            "Action=CreateTags&Version=2016-11-15&ResourceId.1=eni-0ddddddddddddddd1&Tag.1.Key=k&Tag.1.Value=v",
            "Action=Publish&Version=2010-03-31&TopicArn=arn:aws:sns:eu-west-1:123456789012:t&Message=m",
        ];
        let mut random = Ids::from_seed(1);
        for round in 0..5000 {
            let mut body = bodies[round % bodies.len()].as_bytes().to_vec();
            for _ in 0..=random.next() % 4 {
                let at = random.next() as usize % body.len();
                match random.next() % 3 {
                    0 => drop(body.remove(at)),
                    1 => body[at] = b"&=.%+0-\xff"[random.next() as usize % 8],
                    _ => body.insert(at, (random.next() % 256) as u8),
                }
            }
            let Reply::Answer(response) = answer(&simulator, &HeaderMap::new(), &body).await else {
                panic!("nothing disrupts it");
            };
            assert!(matches!(response.status().as_u16(), 200 | 400 | 404), "{}", String::from_utf8_lossy(&body));
        }
    }
}
