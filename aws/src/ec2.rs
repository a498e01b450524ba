//! EC2 through the SDK: turns each answer into plain values, or into an error that names the contradiction.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::net::Ipv4Addr;

use aws_config::SdkConfig;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::operation::RequestId;
use aws_sdk_ec2::primitives::DateTime as SdkDateTime;
use aws_sdk_ec2::types as sdk;
use chrono::{DateTime, Utc};
use ipnet::IpNet;

use token_failover::model::change::{Attach, Change, Ingress};
use token_failover::model::config::MemberTag;
use token_failover::model::error::{CallError, Meaning};
use token_failover::model::ids::{
    AllocationId, AssociationId, AttachmentId, InstanceId, NetworkInterfaceId, PrefixListId, SecurityGroupId,
};
use token_failover::model::observation::{
    Address, AddressPlace, Association, Attachment, AttachmentStatus, IngressRule, Instance, InstanceInterface,
    InstanceState, InstanceStatus, InterfaceLimits, NetworkInterface, Reading, RuleSource, ScheduledEvent, StateReason,
    StatusChecks,
};
use token_failover::model::readiness::{AclEntry, Route};
use token_failover::model::tags::NAMESPACE;
use token_failover::ports::Ec2;

use crate::answers::{call_error, contradiction, each_page, ends};
use crate::changes;

/// EC2 through the SDK.
#[derive(Debug, Clone)]
pub struct SdkEc2 {
    pub(crate) client: Client,
    pub(crate) auto_scaling: aws_sdk_autoscaling::Client,
}

/// The tag that Auto Scaling gives to the instances of a group, with the name of the group. Only AWS sets it.
/// Source: EC2 Auto Scaling User Guide, "Tag Auto Scaling groups and instances".
const GROUP_TAG: &str = "aws:autoscaling:groupName";

/// Pages of 1000 rules or ranges. No security group or prefix list has more than a few.
const MAX_PAGES: usize = 20;

/// The maximum number of instances on a page. Source: EC2 API Reference, *DescribeInstances*, `MaxResults`.
const TAGGED_PAGE: i32 = 1000;

/// The tags of an instance, by their keys.
pub type Tags = BTreeMap<String, String>;

impl SdkEc2 {
    /// Calls EC2 and EC2 Auto Scaling with these clients.
    pub fn new(client: Client, auto_scaling: aws_sdk_autoscaling::Client) -> Self {
        Self { client, auto_scaling }
    }

    /// Calls EC2 and EC2 Auto Scaling with this configuration of the SDK.
    pub fn of(sdk: &SdkConfig) -> Self {
        Self::new(Client::new(sdk), aws_sdk_autoscaling::Client::new(sdk))
    }

    /// The instances in a VPC and Availability Zone with their tags, without terminated ones and without their status checks.
    ///
    /// # Errors
    ///
    /// If EC2 does not answer, or if its answer cannot be understood.
    pub async fn instances_in(&self, vpc: &str, zone: &str) -> Result<Vec<(Instance, Tags)>, CallError> {
        const ACTION: &str = "ec2:DescribeInstances";
        let filter = |name: &str, value: &str| sdk::Filter::builder().name(name).values(value).build();
        let request = self.client.describe_instances().filters(filter("vpc-id", vpc));
        let pages = request.filters(filter("availability-zone", zone)).into_paginator().send();
        let mut instances = Vec::new();
        each_page(ACTION, MAX_PAGES, pages, Meaning::of_ec2_code, |page| {
            for one in page.reservations().iter().flat_map(sdk::Reservation::instances) {
                let seen = instance(one).map_err(|flaw| contradiction(ACTION, flaw, page.request_id()))?;
                let tag = |one: &sdk::Tag| Some((one.key()?.to_owned(), one.value().unwrap_or_default().to_owned()));
                instances.push((seen, one.tags().iter().filter_map(tag).collect()));
            }
            Ok(())
        })
        .await?;
        Ok(instances)
    }
}

pub(crate) fn failed<E>(action: &'static str) -> impl FnOnce(SdkError<E>) -> CallError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    move |error| call_error(action, error, Meaning::of_ec2_code)
}

/// Turns off the SDK's retries.
fn retried_by_the_caller() -> aws_sdk_ec2::config::Builder {
    aws_sdk_ec2::config::Builder::new().retry_config(RetryConfig::disabled())
}

/// EC2 answers a dry run that would succeed with an error.
pub(crate) fn permitted(asked: Result<(), CallError>) -> Result<(), CallError> {
    match asked {
        Err(error) if error.code.as_deref() == Some("DryRunOperation") => Ok(()),
        asked => asked,
    }
}

/// The fault in an answer.
type Flaw = String;

impl Ec2 for SdkEc2 {
    async fn network_interface(&self, id: &NetworkInterfaceId) -> Result<Option<NetworkInterface>, CallError> {
        const ACTION: &str = "ec2:DescribeNetworkInterfaces";
        let answer = self.client.describe_network_interfaces().network_interface_ids(id.as_str()).send().await;
        let answer = match answer.map_err(failed(ACTION)) {
            Ok(answer) => answer,
            Err(error) if error.meaning == Meaning::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let flawed = |flaw: Flaw| contradiction(ACTION, flaw, answer.request_id());
        match answer.network_interfaces() {
            [] => Ok(None),
            [one] => {
                let interface = network_interface(one).map_err(flawed)?;
                if interface.id == *id {
                    Ok(Some(interface))
                } else {
                    Err(flawed(format!("{} was asked for, {} was answered", id, interface.id)))
                }
            }
            several => Err(flawed(format!("{} interfaces were answered where one is due", several.len()))),
        }
    }

    async fn instances(&self, ids: &[InstanceId]) -> Result<Vec<Instance>, CallError> {
        const ACTION: &str = "ec2:DescribeInstances";
        let answer = self.client.describe_instances().filters(with_ids(ids)).send().await.map_err(failed(ACTION))?;
        let flawed = |flaw: Flaw| contradiction(ACTION, flaw, answer.request_id());
        ends(answer.next_token()).map_err(flawed)?;
        let mut instances: Vec<Instance> = Vec::new();
        for one in answer.reservations().iter().flat_map(sdk::Reservation::instances) {
            let instance = instance(one).map_err(flawed)?;
            if !ids.contains(&instance.id) {
                return Err(flawed(format!("{} was answered and not asked for", instance.id)));
            }
            add(&mut instances, instance).map_err(flawed)?;
        }
        Ok(instances)
    }

    async fn instances_with(&self, tag: &MemberTag, among: Option<&[InstanceId]>) -> Result<Vec<Instance>, CallError> {
        const ACTION: &str = "ec2:DescribeInstances";
        let with_tag = sdk::Filter::builder().name(format!("tag:{}", tag.key)).values(&tag.value).build();
        let filters = iter::once(with_tag).chain(among.map(with_ids)).collect();
        let request = self.client.describe_instances().set_filters(Some(filters)).max_results(TAGGED_PAGE);
        let mut instances: Vec<Instance> = Vec::new();
        let pages = request.into_paginator().send();
        each_page(ACTION, MAX_PAGES, pages, Meaning::of_ec2_code, |page| {
            let flawed = |flaw: Flaw| contradiction(ACTION, flaw, page.request_id());
            for one in page.reservations().iter().flat_map(sdk::Reservation::instances) {
                let has_tag = |one: &sdk::Tag| one.key() == Some(&tag.key) && one.value() == Some(&tag.value);
                let instance = instance(one).map_err(flawed)?;
                if !one.tags().iter().any(has_tag) {
                    return Err(flawed(format!("{} does not have the tag {tag}", instance.id)));
                }
                add(&mut instances, instance).map_err(flawed)?;
            }
            Ok(())
        })
        .await?;
        Ok(instances)
    }

    async fn instance_status(&self, ids: &[InstanceId]) -> Result<BTreeMap<InstanceId, InstanceStatus>, CallError> {
        const ACTION: &str = "ec2:DescribeInstanceStatus";
        let request = self.client.describe_instance_status().include_all_instances(true);
        let request = request.set_instance_ids(Some(ids.iter().map(ToString::to_string).collect()));
        let answer = request.send().await.map_err(failed(ACTION))?;
        ends(answer.next_token()).map_err(|flaw| contradiction(ACTION, flaw, answer.request_id()))?;
        let mut statuses = BTreeMap::new();
        for status in answer.instance_statuses() {
            let id: InstanceId = required("instanceId", status.instance_id())
                .and_then(|id| id.parse().map_err(|error| format!("{error}")))
                .map_err(|flaw| contradiction(ACTION, flaw, answer.request_id()))?;
            let scheduled_events = status.events().iter().map(scheduled_event).collect();
            let state = status.instance_state().and_then(instance_state);
            statuses.insert(id, InstanceStatus { state, checks: status_checks(status), scheduled_events });
        }
        Ok(statuses)
    }

    async fn address(&self, id: &AllocationId) -> Result<Option<Address>, CallError> {
        const ACTION: &str = "ec2:DescribeAddresses";
        let answer = self.client.describe_addresses().allocation_ids(id.as_str()).send().await;
        let answer = match answer.map_err(failed(ACTION)) {
            Ok(answer) => answer,
            Err(error) if error.meaning == Meaning::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let flawed = |flaw: Flaw| contradiction(ACTION, flaw, answer.request_id());
        match answer.addresses() {
            [] => Ok(None),
            [one] => Ok(Some(address(one).map_err(flawed)?)),
            several => Err(flawed(format!("{} addresses were answered where one is due", several.len()))),
        }
    }

    async fn ingress_rules(&self, groups: &[SecurityGroupId]) -> Result<Vec<IngressRule>, CallError> {
        const ACTION: &str = "ec2:DescribeSecurityGroupRules";
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let filter = sdk::Filter::builder()
            .name("group-id")
            .set_values(Some(groups.iter().map(ToString::to_string).collect()))
            .build();
        let pages = self.client.describe_security_group_rules().filters(filter).into_paginator().send();
        let mut rules = Vec::new();
        each_page(ACTION, MAX_PAGES, pages, Meaning::of_ec2_code, |page| {
            for rule in page.security_group_rules() {
                rules.extend(ingress_rule(rule).map_err(|flaw| contradiction(ACTION, flaw, page.request_id()))?);
            }
            Ok(())
        })
        .await?;
        Ok(rules)
    }

    async fn prefix_list(&self, id: &PrefixListId) -> Result<Vec<IpNet>, CallError> {
        const ACTION: &str = "ec2:GetManagedPrefixListEntries";
        let pages = self.client.get_managed_prefix_list_entries().prefix_list_id(id.as_str()).into_paginator().send();
        let mut ranges = Vec::new();
        each_page(ACTION, MAX_PAGES, pages, Meaning::of_ec2_code, |page| {
            for entry in page.entries() {
                let range = required("cidr", entry.cidr()).and_then(cidr);
                ranges.push(range.map_err(|flaw| contradiction(ACTION, flaw, page.request_id()))?);
            }
            Ok(())
        })
        .await?;
        Ok(ranges)
    }

    async fn attach(&self, attach: &Attach) -> Result<AttachmentId, CallError> {
        let request = changes::attach(&self.client, attach);
        // The caller retries, because it must know about a lost answer, which the SDK would hide.
        let request = request.customize().config_override(retried_by_the_caller());
        let answer = request.send().await.map_err(failed(changes::ATTACH))?;
        required("attachmentId", answer.attachment_id())
            .map(AttachmentId::new)
            .map_err(|flaw| contradiction(changes::ATTACH, flaw, answer.request_id()))
    }

    async fn detach(&self, attachment: &AttachmentId, force: bool) -> Result<(), CallError> {
        let request = changes::detach(&self.client, attachment);
        let request = if force { request.force(true) } else { request };
        request.send().await.map(drop).map_err(failed(changes::DETACH))
    }

    async fn keep_on_termination(
        &self,
        interface: &NetworkInterfaceId,
        attachment: &AttachmentId,
    ) -> Result<(), CallError> {
        let request = changes::keep_on_termination(&self.client, interface, attachment);
        request.send().await.map(drop).map_err(failed(changes::KEEP_ON_TERMINATION))
    }

    async fn start(&self, instance: &InstanceId) -> Result<bool, CallError> {
        // As with an attach, the caller must know about a lost answer. EC2 also reports a lack of capacity as a server
        // error, which the SDK would retry at once.
        let request = changes::start(&self.client, instance).customize().config_override(retried_by_the_caller());
        let answer = request.send().await.map_err(failed(changes::START))?;
        let mut changes = answer.starting_instances().iter();
        let change = changes.find(|change| change.instance_id() == Some(instance.as_str()));
        let before = change.and_then(|change| change.previous_state()?.name());
        Ok(before == Some(&sdk::InstanceStateName::Stopped))
    }

    async fn disassociate_address(&self, association: &AssociationId) -> Result<(), CallError> {
        let request = changes::disassociate_address(&self.client, association);
        request.send().await.map(drop).map_err(failed(changes::DISASSOCIATE_ADDRESS))
    }

    async fn associate_address(&self, address: &AllocationId, interface: &NetworkInterfaceId) -> Result<(), CallError> {
        let request = changes::associate_address(&self.client, address, interface);
        request.send().await.map(drop).map_err(failed(changes::ASSOCIATE_ADDRESS))
    }

    async fn authorize_ingress(&self, ingress: &Ingress) -> Result<(), CallError> {
        let request = changes::authorize_ingress(&self.client, ingress);
        request.send().await.map(drop).map_err(failed(changes::AUTHORIZE_INGRESS))
    }

    async fn write_tags(
        &self,
        interface: &NetworkInterfaceId,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), CallError> {
        let tags = tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let request = changes::write_tags(&self.client, interface, tags);
        request.send().await.map(drop).map_err(failed(changes::WRITE_TAGS))
    }

    async fn delete_tags(&self, interface: &NetworkInterfaceId, keys: &[String]) -> Result<(), CallError> {
        let request = changes::delete_tags(&self.client, interface, keys.iter().map(|key| (key.as_str(), None)));
        request.send().await.map(drop).map_err(failed(changes::DELETE_TAGS))
    }

    async fn delete_tags_if(
        &self,
        interface: &NetworkInterfaceId,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), CallError> {
        let tags = tags.iter().map(|(key, value)| (key.as_str(), Some(value.as_str())));
        let request = changes::delete_tags(&self.client, interface, tags);
        request.send().await.map(drop).map_err(failed(changes::DELETE_TAGS))
    }

    async fn may(&self, change: &Change) -> Result<(), CallError> {
        let client = &self.client;
        permitted(match change {
            Change::Attach(attach) => {
                let asked = changes::attach(client, attach).dry_run(true).send().await;
                asked.map(drop).map_err(failed(changes::ATTACH))
            }
            Change::Detach(attachment) => {
                let asked = changes::detach(client, attachment).dry_run(true).send().await;
                asked.map(drop).map_err(failed(changes::DETACH))
            }
            Change::KeepOnTermination { interface_id, attachment_id } => {
                let request = changes::keep_on_termination(client, interface_id, attachment_id);
                request.dry_run(true).send().await.map(drop).map_err(failed(changes::KEEP_ON_TERMINATION))
            }
            Change::Start(instance) => {
                let asked = changes::start(client, instance).dry_run(true).send().await;
                asked.map(drop).map_err(failed(changes::START))
            }
            Change::DisassociateAddress(association) => {
                let asked = changes::disassociate_address(client, association).dry_run(true).send().await;
                asked.map(drop).map_err(failed(changes::DISASSOCIATE_ADDRESS))
            }
            Change::AssociateAddress { allocation_id, interface_id } => {
                let asked = changes::associate_address(client, allocation_id, interface_id).dry_run(true).send().await;
                asked.map(drop).map_err(failed(changes::ASSOCIATE_ADDRESS))
            }
            Change::AuthorizeIngress(ingress) => {
                let asked = changes::authorize_ingress(client, ingress).dry_run(true).send().await;
                asked.map(drop).map_err(failed(changes::AUTHORIZE_INGRESS))
            }
            Change::WriteTag(interface, key) => {
                let asked = changes::write_tags(client, interface, [(key.as_str(), "")]).dry_run(true).send().await;
                asked.map(drop).map_err(failed(changes::WRITE_TAGS))
            }
            Change::DeleteTag(interface, key) => {
                let asked = changes::delete_tags(client, interface, [(key.as_str(), None)]).dry_run(true).send().await;
                asked.map(drop).map_err(failed(changes::DELETE_TAGS))
            }
        })
    }

    async fn interface_limits(&self, types: &BTreeSet<String>) -> Result<BTreeMap<String, InterfaceLimits>, CallError> {
        const ACTION: &str = "ec2:DescribeInstanceTypes";
        // A filter, because a request by name fails as a whole if one of the types is unknown.
        let filter =
            sdk::Filter::builder().name("instance-type").set_values(Some(types.iter().cloned().collect())).build();
        let pages = self.client.describe_instance_types().filters(filter).into_paginator().send();
        let mut limits = BTreeMap::new();
        each_page(ACTION, MAX_PAGES, pages, Meaning::of_ec2_code, |page| {
            for kind in page.instance_types() {
                limits.extend([interface_limits(kind).map_err(|flaw| contradiction(ACTION, flaw, page.request_id()))?]);
            }
            Ok(())
        })
        .await?;
        Ok(limits)
    }

    async fn is_protected(&self, instance: &InstanceId) -> Result<bool, CallError> {
        const ACTION: &str = "ec2:DescribeInstanceAttribute";
        let request = self.client.describe_instance_attribute().instance_id(instance.as_str());
        let request = request.attribute(sdk::InstanceAttributeName::DisableApiTermination);
        let answer = request.send().await.map_err(failed(ACTION))?;
        let value = answer.disable_api_termination().and_then(sdk::AttributeBooleanValue::value);
        let flaw = || contradiction(ACTION, "the answer has no disableApiTermination".to_owned(), answer.request_id());
        value.ok_or_else(flaw)
    }

    async fn routes(&self, subnet: &str, vpc: &str) -> Result<Vec<Route>, CallError> {
        const ACTION: &str = "ec2:DescribeRouteTables";
        let filter = |name: &str, value: &str| sdk::Filter::builder().name(name).values(value).build();
        let request = self.client.describe_route_tables().filters(filter("association.subnet-id", subnet));
        let mut answer = request.send().await.map_err(failed(ACTION))?;
        // A subnet without an associated table uses the main table of the VPC, which needs a second request.
        // Source: Amazon VPC User Guide, "Subnet route tables".
        if answer.route_tables().is_empty() {
            let request = self.client.describe_route_tables().filters(filter("vpc-id", vpc));
            let request = request.filters(filter("association.main", "true"));
            answer = request.send().await.map_err(failed(ACTION))?;
        }
        let flawed = |flaw: Flaw| contradiction(ACTION, flaw, answer.request_id());
        ends(answer.next_token()).map_err(flawed)?;
        match answer.route_tables() {
            [table] => table.routes().iter().map(|one| route(one).map_err(flawed)).collect(),
            tables => Err(flawed(format!("{} route tables were answered where one is due", tables.len()))),
        }
    }

    async fn acl_entries(&self, subnet: &str) -> Result<Vec<AclEntry>, CallError> {
        const ACTION: &str = "ec2:DescribeNetworkAcls";
        let filter = sdk::Filter::builder().name("association.subnet-id").values(subnet).build();
        let answer = self.client.describe_network_acls().filters(filter).send().await.map_err(failed(ACTION))?;
        let flawed = |flaw: Flaw| contradiction(ACTION, flaw, answer.request_id());
        ends(answer.next_token()).map_err(flawed)?;
        match answer.network_acls() {
            [acl] => acl.entries().iter().map(|entry| acl_entry(entry).map_err(flawed)).collect(),
            acls => Err(flawed(format!("{} network ACLs were answered where one is due", acls.len()))),
        }
    }

    async fn security_groups(&self, ids: &BTreeSet<SecurityGroupId>) -> Result<BTreeSet<SecurityGroupId>, CallError> {
        const ACTION: &str = "ec2:DescribeSecurityGroups";
        if ids.is_empty() {
            return Ok(BTreeSet::new());
        }
        // A filter, because a request by id fails as a whole if one of the groups does not exist.
        let ids = ids.iter().map(ToString::to_string).collect();
        let filter = sdk::Filter::builder().name("group-id").set_values(Some(ids)).build();
        let pages = self.client.describe_security_groups().filters(filter).into_paginator().send();
        let mut found = BTreeSet::new();
        each_page(ACTION, MAX_PAGES, pages, Meaning::of_ec2_code, |page| {
            for group in page.security_groups() {
                let id = parsed("groupId", group.group_id());
                found.extend([id.map_err(|flaw| contradiction(ACTION, flaw, page.request_id()))?]);
            }
            Ok(())
        })
        .await?;
        Ok(found)
    }
}

fn interface_limits(answer: &sdk::InstanceTypeInfo) -> Result<(String, InterfaceLimits), Flaw> {
    let name = answer.instance_type().ok_or("an instance type has no name")?.as_str().to_owned();
    let network = answer.network_info().ok_or("an instance type has no networkInfo")?;
    let number = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok());
    let total =
        number(network.maximum_network_interfaces()).ok_or("an instance type has no maximumNetworkInterfaces")?;
    let first = network.network_cards().iter().find(|card| card.network_card_index() == Some(0));
    let first_card = first.and_then(|card| number(card.maximum_network_interfaces())).unwrap_or(total);
    Ok((name, InterfaceLimits { total, first_card }))
}

fn route(answer: &sdk::Route) -> Result<Route, Flaw> {
    let range = answer.destination_cidr_block().or(answer.destination_ipv6_cidr_block());
    Ok(Route {
        destination: range.filter(|range| !range.is_empty()).map(cidr).transpose()?,
        gateway_id: answer.gateway_id().filter(|id| !id.is_empty()).map(str::to_owned),
        active: answer.state() != Some(&sdk::RouteState::Blackhole),
    })
}

fn acl_entry(answer: &sdk::NetworkAclEntry) -> Result<AclEntry, Flaw> {
    let port = |port: Option<i32>| port.and_then(|port| u16::try_from(port).ok());
    let range = answer.cidr_block().or(answer.ipv6_cidr_block());
    let tcp_ports = match required("protocol", answer.protocol())? {
        "-1" => Some((0, u16::MAX)),
        "6" | "tcp" => {
            let ports = answer.port_range().map(|range| (port(range.from()), port(range.to())));
            match ports {
                Some((Some(first), Some(last))) if first <= last => Some((first, last)),
                other => return Err(format!("an entry about TCP has the ports {other:?}")),
            }
        }
        _ => None,
    };
    Ok(AclEntry {
        number: answer.rule_number().ok_or("an entry has no ruleNumber")?,
        egress: answer.egress().ok_or("an entry has no egress")?,
        allow: match answer.rule_action() {
            Some(sdk::RuleAction::Allow) => true,
            Some(sdk::RuleAction::Deny) => false,
            other => return Err(format!("an entry has the ruleAction {other:?}")),
        },
        range: cidr(required("cidrBlock", range)?)?,
        tcp_ports,
    })
}

fn required<'a>(field: &str, value: Option<&'a str>) -> Result<&'a str, Flaw> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| format!("the answer has no {field}"))
}

fn parsed<T>(field: &str, value: Option<&str>) -> Result<T, Flaw>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    required(field, value)?.parse().map_err(|error| format!("{field}: {error}"))
}

fn ipv4(field: &str, value: Option<&str>) -> Result<Option<Ipv4Addr>, Flaw> {
    let value = value.filter(|value| !value.is_empty());
    value.map(|value| value.parse().map_err(|_| format!("{field}: {value:?} is not an IPv4 address"))).transpose()
}

fn cidr(text: &str) -> Result<IpNet, Flaw> {
    text.parse::<IpNet>().map(|net| net.trunc()).map_err(|_| format!("{text:?} is not a CIDR range"))
}

fn network_interface(answer: &sdk::NetworkInterface) -> Result<NetworkInterface, Flaw> {
    let tags = answer.tag_set().iter().filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())));
    let groups = answer.groups().iter().map(|group| parsed("groupId", group.group_id())).collect::<Result<_, _>>()?;
    let association = match answer.association() {
        Some(association) => match ipv4("publicIp", association.public_ip())? {
            Some(public_ip) => {
                let allocation = association.allocation_id().filter(|id| !id.is_empty());
                let allocation_id = allocation.map(str::parse).transpose().map_err(|error| format!("{error}"))?;
                Some(Association { allocation_id, public_ip })
            }
            None => None,
        },
        None => None,
    };
    Ok(NetworkInterface {
        id: parsed("networkInterfaceId", answer.network_interface_id())?,
        mac_address: parsed("macAddress", answer.mac_address())?,
        status: answer.status().map(|status| status.as_str().to_owned()),
        attachment: answer.attachment().map(attachment).transpose()?,
        availability_zone: required("availabilityZone", answer.availability_zone())?.to_owned(),
        subnet_id: required("subnetId", answer.subnet_id())?.to_owned(),
        vpc_id: required("vpcId", answer.vpc_id())?.to_owned(),
        private_ip_address: ipv4("privateIpAddress", answer.private_ip_address())?,
        association,
        groups,
        source_dest_check: answer.source_dest_check().unwrap_or(true),
        tags: tags.filter(|(key, _)| key.starts_with(NAMESPACE)).collect(),
    })
}

fn attachment(answer: &sdk::NetworkInterfaceAttachment) -> Result<Attachment, Flaw> {
    let instance = answer.instance_id().filter(|id| !id.is_empty());
    let status = match answer.status() {
        Some(sdk::AttachmentStatus::Attaching) => AttachmentStatus::Attaching,
        Some(sdk::AttachmentStatus::Attached) => AttachmentStatus::Attached,
        Some(sdk::AttachmentStatus::Detaching) => AttachmentStatus::Detaching,
        Some(sdk::AttachmentStatus::Detached) => AttachmentStatus::Detached,
        other => return Err(format!("the attachment's status is {other:?}")),
    };
    Ok(Attachment {
        id: AttachmentId::new(required("attachmentId", answer.attachment_id())?),
        instance_id: instance.map(str::parse).transpose().map_err(|error| format!("{error}"))?,
        device_index: answer.device_index().ok_or("the attachment has no deviceIndex")?,
        status,
        delete_on_termination: answer.delete_on_termination().ok_or("the attachment has no deleteOnTermination")?,
    })
}

fn instance_state(answer: &sdk::InstanceState) -> Option<InstanceState> {
    Some(match answer.name()? {
        sdk::InstanceStateName::Pending => InstanceState::Pending,
        sdk::InstanceStateName::Running => InstanceState::Running,
        sdk::InstanceStateName::Stopping => InstanceState::Stopping,
        sdk::InstanceStateName::Stopped => InstanceState::Stopped,
        sdk::InstanceStateName::ShuttingDown => InstanceState::ShuttingDown,
        sdk::InstanceStateName::Terminated => InstanceState::Terminated,
        other => InstanceState::Other(other.as_str().to_owned()),
    })
}

fn instance(answer: &sdk::Instance) -> Result<Instance, Flaw> {
    let state = answer.state().and_then(instance_state).ok_or("an instance has no state")?;
    let mut interfaces = Vec::new();
    for interface in answer.network_interfaces() {
        // An interface without an attachment is leaving the instance.
        if let Some(attachment) = interface.attachment() {
            interfaces.push(InstanceInterface {
                id: parsed("networkInterfaceId", interface.network_interface_id())?,
                device_index: attachment.device_index().ok_or("an attachment has no deviceIndex")?,
                network_card_index: attachment.network_card_index().unwrap_or(0),
                delete_on_termination: attachment.delete_on_termination().unwrap_or(true),
            });
        }
    }
    let zone = answer.placement().and_then(sdk::Placement::availability_zone);
    let tag = |key: &str| answer.tags().iter().find(|tag| tag.key() == Some(key)).and_then(sdk::Tag::value);
    Ok(Instance {
        id: parsed("instanceId", answer.instance_id())?,
        state,
        state_reason: answer.state_reason().map(|reason| StateReason {
            code: reason.code().unwrap_or_default().to_owned(),
            message: reason.message().unwrap_or_default().to_owned(),
        }),
        launched_at: answer.launch_time().and_then(moment),
        availability_zone: required("availabilityZone", zone)?.to_owned(),
        vpc_id: answer.vpc_id().filter(|id| !id.is_empty()).map(str::to_owned),
        subnet_id: answer.subnet_id().filter(|id| !id.is_empty()).map(str::to_owned),
        instance_type: answer.instance_type().map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        recovers: answer.maintenance_options().and_then(sdk::InstanceMaintenanceOptions::auto_recovery)
            != Some(&sdk::InstanceAutoRecoveryState::Disabled),
        spot: answer.instance_lifecycle() == Some(&sdk::InstanceLifecycleType::Spot),
        status_checks: Reading::Known(StatusChecks::Undecided),
        scheduled_events: Vec::new(),
        auto_scaling_group: tag(GROUP_TAG).map(str::to_owned),
        lifecycle_state: None,
        interfaces,
    })
}

/// The instances with these ids. A filter, because a request by id fails as a whole if one of the instances does not
/// exist.
fn with_ids(ids: &[InstanceId]) -> sdk::Filter {
    sdk::Filter::builder().name("instance-id").set_values(Some(ids.iter().map(ToString::to_string).collect())).build()
}

fn add(instances: &mut Vec<Instance>, instance: Instance) -> Result<(), Flaw> {
    if instances.iter().any(|before| before.id == instance.id) {
        return Err(format!("{} was answered twice", instance.id));
    }
    instances.push(instance);
    Ok(())
}

fn moment(time: &SdkDateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.secs(), time.subsec_nanos())
}

fn scheduled_event(answer: &sdk::InstanceStatusEvent) -> ScheduledEvent {
    ScheduledEvent {
        code: answer.code().map(|code| code.as_str().to_owned()).unwrap_or_default(),
        description: answer.description().unwrap_or_default().to_owned(),
        not_before: answer.not_before().and_then(moment),
    }
}

/// The three checks together. Only an impaired attached EBS check counts: not every instance has this check, and EC2
/// documents little about its value where it does not apply. Source: EC2 API Reference, *InstanceStatus* and
/// *EbsStatusSummary*.
fn status_checks(answer: &sdk::InstanceStatus) -> StatusChecks {
    let summaries = [answer.system_status(), answer.instance_status()];
    let statuses = summaries.map(|summary| summary.and_then(sdk::InstanceStatusSummary::status));
    let attached_ebs = answer.attached_ebs_status().and_then(sdk::EbsStatusSummary::status);
    if statuses.contains(&Some(&sdk::SummaryStatus::Impaired)) || attached_ebs == Some(&sdk::SummaryStatus::Impaired) {
        StatusChecks::Impaired
    } else if statuses.iter().all(|status| *status == Some(&sdk::SummaryStatus::Ok)) {
        StatusChecks::Ok
    } else {
        StatusChecks::Undecided
    }
}

fn address(answer: &sdk::Address) -> Result<Address, Flaw> {
    let present = |value: Option<&str>| value.filter(|value| !value.is_empty()).map(str::to_owned);
    let place = match present(answer.association_id()) {
        Some(association) => {
            let interface = present(answer.network_interface_id());
            let instance = present(answer.instance_id());
            let private = present(answer.private_ip_address());
            Some(AddressPlace {
                association_id: AssociationId::new(association),
                interface_id: interface.map(TryInto::try_into).transpose().map_err(|error| format!("{error}"))?,
                instance_id: instance.map(TryInto::try_into).transpose().map_err(|error| format!("{error}"))?,
                private_ip_address: private
                    .map(|ip| ip.parse().map_err(|_| format!("{ip:?} is not an address")))
                    .transpose()?,
            })
        }
        None => None,
    };
    Ok(Address {
        allocation_id: parsed("allocationId", answer.allocation_id())?,
        public_ip: ipv4("publicIp", answer.public_ip())?.ok_or("the address has no publicIp")?,
        place,
    })
}

/// An inbound rule, or `None` for an outbound rule.
fn ingress_rule(answer: &sdk::SecurityGroupRule) -> Result<Option<IngressRule>, Flaw> {
    if answer.is_egress() == Some(true) {
        return Ok(None);
    }
    let port = |port: Option<i32>| u16::try_from(port.unwrap_or(-1)).ok();
    let tcp_ports = match required("ipProtocol", answer.ip_protocol())? {
        // All protocols means all ports, whatever the range of the rule. Source: EC2 API Reference, IpPermission.
        "-1" => Some((0, u16::MAX)),
        "tcp" | "6" => match (port(answer.from_port()), port(answer.to_port())) {
            (Some(first), Some(last)) if first <= last => Some((first, last)),
            _ => return Err(format!("a TCP rule has the ports {:?} to {:?}", answer.from_port(), answer.to_port())),
        },
        _ => None,
    };
    let range = answer.cidr_ipv4().or(answer.cidr_ipv6()).filter(|range| !range.is_empty());
    let list = answer.prefix_list_id().filter(|list| !list.is_empty());
    let group = answer.referenced_group_info().and_then(sdk::ReferencedSecurityGroup::group_id);
    let source = match (range, list, group) {
        (Some(range), None, None) => RuleSource::Cidr(cidr(range)?),
        (None, Some(list), None) => RuleSource::PrefixList(list.parse().map_err(|error| format!("{error}"))?),
        (None, None, Some(group)) => RuleSource::SecurityGroup(group.parse().map_err(|error| format!("{error}"))?),
        _ => return Err("a rule has not exactly one source".to_owned()),
    };
    Ok(Some(IngressRule { tcp_ports, source }))
}
