//! The wire: the Query protocols of EC2, SNS, Auto Scaling and CloudFormation, and the JSON protocol of Systems Manager, from HTTP request
//! to HTTP response.

mod auto_scaling;
mod cloud_formation;
mod ec2;
mod form;
mod json;
mod query;
mod sns;
mod ssm;
mod xml;

use http::{HeaderMap, Response, StatusCode, header};

use self::form::Form;
use crate::{
    model::ApiError,
    simulation::{CallError, Incoming, Simulator},
    world::{Request, Service},
};

/// The response of the connection.
pub(crate) enum Reply {
    Answer(Response<Vec<u8>>),
    /// The connection closes without an answer.
    Dropped,
}

/// Answers one request of any service.
pub(crate) async fn answer(simulator: &Simulator, headers: &HeaderMap, body: &[u8]) -> Reply {
    let form = Form::parse(body);
    let service = service_of(headers, &form);
    let (action, request) = match service {
        Service::Ec2 | Service::Sns | Service::AutoScaling | Service::CloudFormation => parse_query(service, form),
        Service::Ssm => {
            let operation = ssm::operation(headers);
            (operation.to_owned(), ssm::request(operation, body))
        }
    };
    let result = simulator.take(Incoming { service, action: action.into(), request }).await;

    let request_id = simulator.next_request_id();
    let mut code = None;
    let (status, body) = match (result, service) {
        (Ok(answer), Service::Ec2) => (200, ec2::answer(&answer, &request_id)),
        (Ok(answer), Service::Sns) => (200, sns::answer(&answer, &request_id)),
        (Ok(answer), Service::Ssm) => (200, ssm::answer(&answer)),
        (Ok(answer), Service::AutoScaling) => (200, auto_scaling::answer(&answer, &request_id)),
        (Ok(answer), Service::CloudFormation) => (200, cloud_formation::answer(&answer, &request_id)),
        (Err(CallError::Refused(error)), _) => {
            let body = match service {
                Service::Ec2 => ec2::error(&error, &request_id),
                Service::Sns => sns::error(&error, &request_id),
                Service::Ssm => ssm::error(&error),
                Service::AutoScaling => auto_scaling::error(&error, &request_id),
                Service::CloudFormation => cloud_formation::error(&error, &request_id),
            };
            code = Some(error.code);
            (error.status, body)
        }
        (Err(CallError::Nonsense), _) => (200, b"It is a truth universally acknowledged".to_vec()),
        (Err(CallError::Dropped), _) => return Reply::Dropped,
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let content_type = match service {
        Service::Ec2 | Service::Sns | Service::AutoScaling | Service::CloudFormation => "text/xml;charset=UTF-8",
        Service::Ssm => ssm::CONTENT_TYPE,
    };
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    if let Ok(id) = request_id.parse() {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    if let Some(code) = code.filter(|_| service == Service::Ssm).and_then(|code| code.parse().ok()) {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    Reply::Answer(response)
}

/// The action of a Query request, and the request if it is valid.
fn parse_query(service: Service, mut form: Form) -> (String, Result<Request, ApiError>) {
    let action = form.take("Action").unwrap_or_default();
    let version = form.take("Version");
    let request = if action.is_empty() {
        Err(ApiError::client("MissingAction", "The request must contain the parameter Action"))
    } else {
        match service {
            Service::Sns => sns::request(&action, &mut form),
            Service::AutoScaling => auto_scaling::request(&action, &mut form),
            Service::CloudFormation => cloud_formation::request(&action, &mut form),
            Service::Ec2 | Service::Ssm => ec2::request(&action, version.as_deref(), &mut form),
        }
    };
    (action, request.and_then(|request| form.finish().map(|()| request)))
}

/// The service of a request. All services can share one address. A target means Systems Manager. Otherwise the API
/// version tells the service, or else the scope of the signature, the host name, or an action that only SNS, Auto
/// Scaling or CloudFormation has.
fn service_of(headers: &HeaderMap, form: &Form) -> Service {
    if !ssm::operation(headers).is_empty() {
        return Service::Ssm;
    }
    match form.get("Version") {
        Some(ec2::VERSION) => return Service::Ec2,
        Some(sns::VERSION) => return Service::Sns,
        Some(auto_scaling::VERSION) => return Service::AutoScaling,
        Some(cloud_formation::VERSION) => return Service::CloudFormation,
        _ => {}
    }
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (signature, host) = (text(header::AUTHORIZATION), text(header::HOST));
    if signature.contains("/sns/aws4_request") || host.starts_with("sns.") {
        Service::Sns
    } else if signature.contains("/ec2/aws4_request") || host.starts_with("ec2.") {
        Service::Ec2
    } else if signature.contains("/ssm/aws4_request") || host.starts_with("ssm.") {
        Service::Ssm
    } else if signature.contains("/autoscaling/aws4_request") || host.starts_with("autoscaling.") {
        Service::AutoScaling
    } else if signature.contains("/cloudformation/aws4_request") || host.starts_with("cloudformation.") {
        Service::CloudFormation
    } else if form.get("Action").is_some_and(sns::has_action) {
        Service::Sns
    } else if form.get("Action").is_some_and(auto_scaling::has_action) {
        Service::AutoScaling
    } else if form.get("Action").is_some_and(cloud_formation::has_action) {
        Service::CloudFormation
    } else {
        Service::Ec2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::Ids, names, pair, simulation::Disruption};

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
    async fn an_answer_of_ec2_on_the_wire() {
        let simulator = pair().build();
        let body = format!("Action=DetachNetworkInterface&Version=2016-11-15&AttachmentId={}", names::ATTACHMENT);
        let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<DetachNetworkInterfaceResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>ID</requestId><return>true</return></DetachNetworkInterfaceResponse>"#;
        assert_eq!(post(&simulator, &body).await, (200, expected.to_owned()));
    }

    #[tokio::test]
    async fn an_error_of_ec2_on_the_wire() {
        let simulator = pair().build();
        let body = "Action=DescribeNetworkInterfaces&Version=2016-11-15&NetworkInterfaceId.1=eni-0aaaaaaaaaaaaaaa9";
        let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>InvalidNetworkInterfaceID.NotFound</Code><Message>The networkInterface ID 'eni-0aaaaaaaaaaaaaaa9' does not exist</Message></Error></Errors><RequestID>ID</RequestID></Response>"#
            .replace('\'', "&apos;");
        assert_eq!(post(&simulator, body).await, (400, expected));
    }

    #[tokio::test]
    async fn an_answer_and_an_error_of_sns_on_the_wire() {
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

    /// The content of EC2's answer to a read.
    async fn read(simulator: &Simulator, action: &str, parameters: &str) -> String {
        let (status, body) = post(simulator, &format!("Action={action}&Version=2016-11-15{parameters}")).await;
        let start = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{action}Response \
             xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>ID</requestId>"
        );
        assert_eq!(status, 200, "{body}");
        let rest = body.strip_prefix(&start).and_then(|rest| rest.strip_suffix(&format!("</{action}Response>")));
        rest.unwrap_or_else(|| panic!("{body}")).to_owned()
    }

    #[tokio::test]
    async fn instance_types_on_the_wire() {
        let simulator = pair().build();
        let parameters = "&InstanceType.1=t3.small&InstanceType.2=c6in.32xlarge";
        let answer = read(&simulator, "DescribeInstanceTypes", parameters).await;
        let one = |name: &str, sum: usize, cards: &str, count: usize, addresses: usize| {
            format!(
                "<item><instanceType>{name}</instanceType><networkInfo>\
                 <maximumNetworkInterfaces>{sum}</maximumNetworkInterfaces>\
                 <maximumNetworkCards>{count}</maximumNetworkCards>\
                 <defaultNetworkCardIndex>0</defaultNetworkCardIndex><networkCards>{cards}</networkCards>\
                 <ipv4AddressesPerInterface>{addresses}</ipv4AddressesPerInterface></networkInfo></item>"
            )
        };
        let card = |index: usize, interfaces: usize| {
            format!(
                "<item><networkCardIndex>{index}</networkCardIndex>\
                 <maximumNetworkInterfaces>{interfaces}</maximumNetworkInterfaces></item>"
            )
        };
        let large = one("c6in.32xlarge", 16, &(card(0, 8) + &card(1, 8)), 2, 50);
        let small = one("t3.small", 3, &card(0, 3), 1, 4);
        assert_eq!(answer, format!("<instanceTypeSet>{large}{small}</instanceTypeSet>"));
    }

    #[tokio::test]
    async fn termination_protection_on_the_wire() {
        let parameters = format!("&InstanceId={}&Attribute=disableApiTermination", names::HOLDER);
        assert_eq!(
            read(&pair().build(), "DescribeInstanceAttribute", &parameters).await,
            "<instanceId>i-0aaaaaaaaaaaaaaa1</instanceId><disableApiTermination><value>false</value>\
             </disableApiTermination>"
        );
    }

    #[tokio::test]
    async fn an_instance_on_the_wire_has_auto_recovery_and_its_source_dest_check() {
        let simulator = pair()
            .instance(names::STANDBY, |instance| {
                instance.auto_recovery(crate::world::AutoRecovery::Disabled).without_source_dest_check()
            })
            .build();
        let own = |check: bool, recovery: &str| {
            format!(
                "<sourceDestCheck>{check}</sourceDestCheck><maintenanceOptions><autoRecovery>{recovery}</autoRecovery>\
                 <rebootMigration>default</rebootMigration></maintenanceOptions>"
            )
        };
        for (id, expected) in [(names::HOLDER, own(true, "default")), (names::STANDBY, own(false, "disabled"))] {
            let answer = read(&simulator, "DescribeInstances", &format!("&InstanceId.1={id}")).await;
            assert!(answer.contains(&expected), "{answer}");
            assert!(answer.contains("<instanceType>t3.small</instanceType>"), "{answer}");
            assert!(answer.contains("<networkCardIndex>0</networkCardIndex>"), "{answer}");
        }
    }

    #[tokio::test]
    async fn a_subnet_on_the_wire() {
        assert_eq!(
            read(&pair().build(), "DescribeSubnets", "&SubnetId.1=subnet-0aaaaaaaaaaaaaaa1").await,
            "<subnetSet><item><subnetId>subnet-0aaaaaaaaaaaaaaa1</subnetId>\
             <subnetArn>arn:aws:ec2:eu-west-1:123456789012:subnet/subnet-0aaaaaaaaaaaaaaa1</subnetArn>\
             <state>available</state><ownerId>123456789012</ownerId><vpcId>vpc-0aaaaaaaaaaaaaaa1</vpcId>\
             <cidrBlock>10.0.1.0/24</cidrBlock><ipv6CidrBlockAssociationSet></ipv6CidrBlockAssociationSet>\
             <availableIpAddressCount>248</availableIpAddressCount><availabilityZone>eu-west-1a</availabilityZone>\
             <tagSet></tagSet></item></subnetSet>"
        );
    }

    #[tokio::test]
    async fn route_tables_on_the_wire() {
        let simulator = pair()
            .route_table(names::ROUTE_TABLE, |table| {
                table.subnet(names::SUBNET).blackhole("::/0", "eigw-0aaaaaaaaaaaaaaa1")
            })
            .build();
        let parameters = "&Filter.1.Name=association.main&Filter.1.Value.1=true";
        let local = "<item><destinationCidrBlock>10.0.0.0/16</destinationCidrBlock><gatewayId>local</gatewayId>\
                     <state>active</state><origin>CreateRouteTable</origin></item>";
        assert_eq!(
            read(&simulator, "DescribeRouteTables", parameters).await,
            format!(
                "<routeTableSet><item><routeTableId>rtb-0aaaaaaaaaaaaaaa1</routeTableId>\
                 <vpcId>vpc-0aaaaaaaaaaaaaaa1</vpcId><ownerId>123456789012</ownerId><routeSet>{local}<item>\
                 <destinationCidrBlock>0.0.0.0/0</destinationCidrBlock><gatewayId>igw-0aaaaaaaaaaaaaaa1</gatewayId>\
                 <state>active</state><origin>CreateRoute</origin></item></routeSet><associationSet><item>\
                 <routeTableAssociationId>rtbassoc-0aaaaaaaaaaaaaaa1</routeTableAssociationId>\
                 <routeTableId>rtb-0aaaaaaaaaaaaaaa1</routeTableId><main>true</main>\
                 <associationState><state>associated</state></associationState></item></associationSet>\
                 <propagatingVgwSet></propagatingVgwSet><tagSet></tagSet></item></routeTableSet>"
            )
        );
        let parameters = "&Filter.1.Name=association.subnet-id&Filter.1.Value.1=subnet-0aaaaaaaaaaaaaaa1";
        assert_eq!(
            read(&simulator, "DescribeRouteTables", parameters).await,
            format!(
                "<routeTableSet><item><routeTableId>rtb-0bbbbbbbbbbbbbbb2</routeTableId>\
                 <vpcId>vpc-0aaaaaaaaaaaaaaa1</vpcId><ownerId>123456789012</ownerId><routeSet>{local}<item>\
                 <destinationIpv6CidrBlock>::/0</destinationIpv6CidrBlock>\
                 <egressOnlyInternetGatewayId>eigw-0aaaaaaaaaaaaaaa1</egressOnlyInternetGatewayId>\
                 <state>blackhole</state><origin>CreateRoute</origin></item></routeSet><associationSet><item>\
                 <routeTableAssociationId>rtbassoc-0aaaaaaaaaaaaaaa1</routeTableAssociationId>\
                 <routeTableId>rtb-0bbbbbbbbbbbbbbb2</routeTableId><subnetId>subnet-0aaaaaaaaaaaaaaa1</subnetId>\
                 <main>false</main><associationState><state>associated</state></associationState></item>\
                 </associationSet><propagatingVgwSet></propagatingVgwSet><tagSet></tagSet></item></routeTableSet>"
            )
        );
    }

    #[tokio::test]
    async fn a_network_acl_on_the_wire() {
        let simulator = pair()
            .network_acl(names::NETWORK_ACL, |acl| {
                acl.subnet(names::SUBNET).allow_inbound_tcp(100, 27007..=27008, "2001:db8::/32")
            })
            .build();
        let last = |egress: bool| {
            format!(
                "<item><ruleNumber>32767</ruleNumber><protocol>-1</protocol><ruleAction>deny</ruleAction>\
                 <egress>{egress}</egress><cidrBlock>0.0.0.0/0</cidrBlock></item>"
            )
        };
        let parameters = "&Filter.1.Name=association.subnet-id&Filter.1.Value.1=subnet-0aaaaaaaaaaaaaaa1";
        assert_eq!(
            read(&simulator, "DescribeNetworkAcls", parameters).await,
            format!(
                "<networkAclSet><item><networkAclId>acl-0bbbbbbbbbbbbbbb2</networkAclId>\
                 <vpcId>vpc-0aaaaaaaaaaaaaaa1</vpcId><ownerId>123456789012</ownerId><default>false</default><entrySet>{}\
                 <item><ruleNumber>100</ruleNumber><protocol>6</protocol><ruleAction>allow</ruleAction>\
                 <egress>false</egress><ipv6CidrBlock>2001:db8::/32</ipv6CidrBlock><portRange><from>27007</from>\
                 <to>27008</to></portRange></item>{}</entrySet><associationSet><item>\
                 <networkAclAssociationId>aclassoc-0aaaaaaaaaaaaaaa1</networkAclAssociationId>\
                 <networkAclId>acl-0bbbbbbbbbbbbbbb2</networkAclId><subnetId>subnet-0aaaaaaaaaaaaaaa1</subnetId></item>\
                 </associationSet><tagSet></tagSet></item></networkAclSet>",
                last(true),
                last(false)
            )
        );
    }

    #[tokio::test]
    async fn a_security_group_on_the_wire() {
        let simulator = pair().security_group(names::GROUP, |group| group.all_traffic(names::DEFAULT_GROUP)).build();
        assert_eq!(
            read(&simulator, "DescribeSecurityGroups", "&GroupId.1=sg-0fffffffffffffff1").await,
            "<securityGroupInfo><item><ownerId>123456789012</ownerId><groupId>sg-0fffffffffffffff1</groupId>\
             <groupName>sg-0fffffffffffffff1</groupName>\
             <groupDescription>sg-0fffffffffffffff1 of a simulation</groupDescription>\
             <vpcId>vpc-0aaaaaaaaaaaaaaa1</vpcId>\
             <securityGroupArn>arn:aws:ec2:eu-west-1:123456789012:security-group/sg-0fffffffffffffff1\
             </securityGroupArn><ipPermissions><item><ipProtocol>tcp</ipProtocol><fromPort>27007</fromPort>\
             <toPort>27008</toPort><groups></groups><ipRanges><item><cidrIp>10.0.0.0/16</cidrIp></item></ipRanges>\
             <ipv6Ranges></ipv6Ranges><prefixListIds></prefixListIds></item><item><ipProtocol>-1</ipProtocol><groups>\
             <item><groupId>sg-00000000000000001</groupId><userId>123456789012</userId></item></groups>\
             <ipRanges></ipRanges><ipv6Ranges></ipv6Ranges><prefixListIds></prefixListIds></item></ipPermissions>\
             <ipPermissionsEgress></ipPermissionsEgress><tagSet></tagSet></item></securityGroupInfo>"
        );
    }

    #[tokio::test]
    async fn a_topic_and_its_subscriptions_on_the_wire() {
        let simulator = pair()
            .topic(names::TOPIC, |topic| topic.no_subscriptions().pending_email("a@example.com").kms_master_key_id("k"))
            .build();
        let sns = |action: &str, result: &str| {
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{action}Response \
                 xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><{action}Result>{result}</{action}Result>\
                 <ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></{action}Response>"
            )
        };
        let request = |action: &str| format!("Action={action}&Version=2010-03-31&TopicArn={}", names::TOPIC);
        let entry = |key: &str, value: &str| format!("<entry><key>{key}</key><value>{value}</value></entry>");
        let attributes = [
            ("DisplayName", ""),
            ("KmsMasterKeyId", "k"),
            ("Owner", "123456789012"),
            ("SubscriptionsConfirmed", "0"),
            ("SubscriptionsDeleted", "0"),
            ("SubscriptionsPending", "1"),
            ("TopicArn", names::TOPIC),
        ]
        .map(|(key, value)| entry(key, value))
        .concat();
        assert_eq!(
            post(&simulator, &request("GetTopicAttributes")).await,
            (200, sns("GetTopicAttributes", &format!("<Attributes>{attributes}</Attributes>")))
        );
        let member = format!(
            "<member><SubscriptionArn>PendingConfirmation</SubscriptionArn><Owner>123456789012</Owner>\
             <Protocol>email</Protocol><Endpoint>a@example.com</Endpoint><TopicArn>{}</TopicArn></member>",
            names::TOPIC
        );
        assert_eq!(
            post(&simulator, &request("ListSubscriptionsByTopic")).await,
            (200, sns("ListSubscriptionsByTopic", &format!("<Subscriptions>{member}</Subscriptions>")))
        );
        simulator.world(|world| world.delete_topic(names::TOPIC));
        for action in ["GetTopicAttributes", "ListSubscriptionsByTopic"] {
            let (status, body) = post(&simulator, &request(action)).await;
            assert_eq!((status, body.contains("<Code>NotFound</Code>")), (404, true), "{body}");
        }
    }

    /// The content of Auto Scaling's answer to a valid request.
    async fn auto_scaling(simulator: &Simulator, action: &str, parameters: &str) -> String {
        let (status, body) = post(simulator, &format!("Action={action}&Version=2011-01-01{parameters}")).await;
        let start = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{action}Response \
             xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\"><{action}Result>"
        );
        let end = format!(
            "</{action}Result><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></{action}Response>"
        );
        assert_eq!(status, 200, "{body}");
        let rest = body.strip_prefix(&start).and_then(|rest| rest.strip_suffix(&end));
        rest.unwrap_or_else(|| panic!("{body}")).to_owned()
    }

    #[tokio::test]
    async fn members_and_hooks_of_a_group_on_the_wire() {
        let simulator = crate::grouped().build();
        let parameters = "&InstanceIds.member.1=i-0bbbbbbbbbbbbbbb2&InstanceIds.member.2=i-0ccccccccccccccc3";
        assert_eq!(
            auto_scaling(&simulator, "DescribeAutoScalingInstances", parameters).await,
            "<AutoScalingInstances><member><InstanceId>i-0bbbbbbbbbbbbbbb2</InstanceId>\
             <InstanceType>t3.small</InstanceType><AutoScalingGroupName>token-servers</AutoScalingGroupName>\
             <AvailabilityZone>eu-west-1a</AvailabilityZone><LifecycleState>InService</LifecycleState>\
             <HealthStatus>HEALTHY</HealthStatus><LaunchTemplate><LaunchTemplateId>lt-0aaaaaaaaaaaaaaa1\
             </LaunchTemplateId><LaunchTemplateName>token-servers</LaunchTemplateName><Version>1</Version>\
             </LaunchTemplate><ProtectedFromScaleIn>false</ProtectedFromScaleIn></member></AutoScalingInstances>"
        );
        let first = auto_scaling(&simulator, "DescribeAutoScalingInstances", "&MaxRecords=1").await;
        let (_, token) = first.split_once("<NextToken>").expect("there is a second page");
        let token = token.strip_suffix("</NextToken>").expect("the token comes last");
        let second = auto_scaling(&simulator, "DescribeAutoScalingInstances", &format!("&NextToken={token}")).await;
        assert!(second.contains(names::STANDBY) && !second.contains(names::HOLDER), "{second}");
        assert_eq!(
            auto_scaling(&simulator, "DescribeLifecycleHooks", "&AutoScalingGroupName=token-servers").await,
            "<LifecycleHooks><member><LifecycleHookName>before-termination</LifecycleHookName>\
             <AutoScalingGroupName>token-servers</AutoScalingGroupName>\
             <LifecycleTransition>autoscaling:EC2_INSTANCE_TERMINATING</LifecycleTransition>\
             <HeartbeatTimeout>600</HeartbeatTimeout><GlobalTimeout>60000</GlobalTimeout>\
             <DefaultResult>ABANDON</DefaultResult></member></LifecycleHooks>"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_lifecycle_action_is_completed_on_the_wire() {
        let simulator = crate::grouped().build();
        simulator.world(|world| world.terminate(names::STANDBY).unwrap());
        tokio::time::sleep(std::time::Duration::from_secs(10)).await;
        let complete = "&AutoScalingGroupName=token-servers&LifecycleHookName=before-termination\
                        &InstanceId=i-0bbbbbbbbbbbbbbb2&LifecycleActionResult=CONTINUE";
        assert_eq!(auto_scaling(&simulator, "CompleteLifecycleAction", complete).await, "");
        assert_eq!(
            simulator.changes(),
            ["CompleteLifecycleAction AutoScalingGroupName=token-servers LifecycleHookName=before-termination \
                 InstanceId=i-0bbbbbbbbbbbbbbb2 LifecycleActionResult=CONTINUE -> ok"]
        );
        let body = format!("Action=CompleteLifecycleAction&Version=2011-01-01{complete}");
        let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<ErrorResponse xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/"><Error><Type>Sender</Type><Code>ValidationError</Code><Message>No active Lifecycle Action found with instance ID i-0bbbbbbbbbbbbbbb2</Message></Error><RequestId>ID</RequestId></ErrorResponse>"#;
        assert_eq!(post(&simulator, &body).await, (400, expected.to_owned()));
    }

    #[tokio::test]
    async fn an_invalid_request_to_auto_scaling_is_refused() {
        let simulator = crate::grouped().build();
        let complete = "AutoScalingGroupName=token-servers&LifecycleHookName=before-termination&InstanceId=i-1";
        for (body, code) in [
            ("Action=DescribeAutoScalingInstances&MaxRecords=x".to_owned(), "MalformedInput"),
            ("Action=DescribeAutoScalingInstances&MaxRecords=51".to_owned(), "ValidationError"),
            ("Action=DescribeAutoScalingInstances&NextToken=x".to_owned(), "InvalidNextToken"),
            ("Action=DescribeAutoScalingInstances&Color=red".to_owned(), "UnknownParameter"),
            ("Action=DescribeLifecycleHooks".to_owned(), "ValidationError"),
            ("Action=DescribeLifecycleHooks&AutoScalingGroupName=".to_owned(), "ValidationError"),
            ("Action=DescribeLifecycleHooks&AutoScalingGroupName=other".to_owned(), "ValidationError"),
            (format!("Action=CompleteLifecycleAction&{complete}"), "ValidationError"),
            (format!("Action=CompleteLifecycleAction&{complete}&LifecycleActionResult=STOP"), "ValidationError"),
            ("Action=DescribeAutoScalingGroups".to_owned(), "InvalidAction"),
        ] {
            let (status, answer) = post(&simulator, &format!("{body}&Version=2011-01-01")).await;
            let expected = format!("<Code>{code}</Code>");
            assert_eq!((status, answer.contains(&expected)), (400, true), "{body}: {answer}");
        }
        assert_eq!(simulator.changes(), [""; 0]);
    }

    #[tokio::test]
    async fn disruptions_of_auto_scaling_have_its_own_codes() {
        let simulator = crate::grouped().build();
        let body = "Action=DescribeAutoScalingInstances&Version=2011-01-01";
        for (disruption, status, code) in [
            (Disruption::Deny, 403, "<Code>AccessDenied</Code>"),
            (Disruption::Throttle, 400, "<Code>Throttling</Code>"),
            (Disruption::error(500, "ResourceContention"), 500, "<Type>Receiver</Type><Code>ResourceContention</Code>"),
            (Disruption::DropAfter, 0, ""),
            // The group is still there when EC2 finds no instance.
            (Disruption::Forgotten, 200, "<LifecycleState>InService</LifecycleState>"),
            (Disruption::None, 200, "<LifecycleState>InService</LifecycleState>"),
        ] {
            simulator.fail_next("DescribeAutoScalingInstances", 1, disruption.clone());
            let (found, answer) = post(&simulator, body).await;
            assert_eq!((found, answer.contains(code)), (status, true), "{disruption:?}: {answer}");
        }
    }

    #[tokio::test]
    async fn a_parameter_that_a_read_does_not_have_is_unknown() {
        let simulator = pair().build();
        let attribute = format!("&InstanceId={}&Attribute=disableApiTermination", names::HOLDER);
        for (action, parameters) in [
            ("DescribeInstanceTypes", ""),
            ("DescribeInstanceAttribute", attribute.as_str()),
            ("DescribeSubnets", ""),
            ("DescribeRouteTables", ""),
            ("DescribeNetworkAcls", ""),
            ("DescribeSecurityGroups", ""),
        ] {
            let body = format!("Action={action}&Version=2016-11-15{parameters}");
            let (status, answer) = post(&simulator, &format!("{body}&Color=red")).await;
            assert_eq!((status, answer.contains("<Code>UnknownParameter</Code>")), (400, true), "{answer}");
            let (status, answer) = post(&simulator, &format!("{body}&DryRun=true")).await;
            assert_eq!((status, answer.contains("<Code>DryRunOperation</Code>")), (412, true), "{answer}");
        }
    }

    #[tokio::test]
    async fn every_request_is_answered() {
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
            "Action=DescribeInstanceAttribute&Version=2016-11-15&InstanceId=i-0aaaaaaaaaaaaaaa1",
            "Action=DescribeInstanceAttribute&Version=2016-11-15&Attribute=disableApiTermination",
            "Action=DescribeInstanceTypes&Version=2016-11-15&InstanceType.1=",
            "Action=DescribeRouteTables&Version=2016-11-15&MaxResults=101",
            "Action=DescribeSecurityGroups&Version=2016-11-15&GroupId.1=sg-1",
            "Action=GetTopicAttributes&Version=2010-03-31",
            "Action=ListSubscriptionsByTopic&Version=2010-03-31&TopicArn=t",
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
        assert_eq!(service_of(&none, &form("Version=2011-01-01")), Service::AutoScaling);
        assert_eq!(service_of(&signed("autoscaling"), &form("")), Service::AutoScaling);
        assert_eq!(service_of(&none, &form("Action=DescribeLifecycleHooks")), Service::AutoScaling);
        assert_eq!(service_of(&signed("sns"), &form("")), Service::Sns);
        assert_eq!(service_of(&signed("ec2"), &form("Action=Publish")), Service::Ec2);
        assert_eq!(service_of(&none, &form("Action=Publish")), Service::Sns);
        assert_eq!(service_of(&none, &form("Action=DescribeInstances")), Service::Ec2);
    }

    #[tokio::test]
    async fn a_disruption_applies_on_the_wire() {
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
    async fn a_garbled_request_is_answered() {
        let simulator = pair().build();
        let bodies = [
            "Action=DescribeInstances&Version=2016-11-15&Filter.1.Name=tag:a&Filter.1.Value.1=b*&MaxResults=5",
            "Action=AttachNetworkInterface&Version=2016-11-15&NetworkInterfaceId=eni-0ddddddddddddddd1&DeviceIndex=1",
            "Action=AuthorizeSecurityGroupIngress&Version=2016-11-15&GroupId=sg-0fffffffffffffff1&\
             IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=1&IpPermissions.1.ToPort=2&\
             IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0/8",
            "Action=CreateTags&Version=2016-11-15&ResourceId.1=eni-0ddddddddddddddd1&Tag.1.Key=k&Tag.1.Value=v",
            "Action=Publish&Version=2010-03-31&TopicArn=arn:aws:sns:eu-west-1:123456789012:t&Message=m",
            "Action=DescribeAutoScalingInstances&Version=2011-01-01&InstanceIds.member.1=i-0aaaaaaaaaaaaaaa1",
            "Action=CompleteLifecycleAction&Version=2011-01-01&AutoScalingGroupName=g&LifecycleHookName=h&\
             InstanceId=i-0aaaaaaaaaaaaaaa1&LifecycleActionResult=CONTINUE",
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
                panic!("the call is not disrupted");
            };
            assert!(matches!(response.status().as_u16(), 200 | 400 | 404), "{}", String::from_utf8_lossy(&body));
        }
    }
}
