//! EC2's Query protocol, API version 2016-11-15. Names are those of the service model.

mod network;
mod tags;

use self::tags::{tag_set, tag_set_if_any};
use super::{form::Form, xml::Xml};
use crate::{
    model::{ApiError, Check, Home, InstanceState, InstanceType, RuleSource},
    world::{
        AddressView, Answer, AssociateAddress, AttachNetworkInterface, AuthorizeSecurityGroupIngress, CreateTags,
        DeleteTags, DescribeAddresses, DescribeInstanceAttribute, DescribeInstanceStatus, DescribeInstanceTypes,
        DescribeInstances, DescribeNetworkAcls, DescribeNetworkInterfaces, DescribeRouteTables,
        DescribeSecurityGroupRules, DescribeSecurityGroups, DescribeSubnets, DetachNetworkInterface,
        DisassociateAddress, Filter, GetManagedPrefixListEntries, InstanceStatusView, InstanceView, InterfaceAttribute,
        InterfaceView, IpPermission, ModifyNetworkInterfaceAttribute, PermissionView, Request, RuleView,
        SecurityGroupView, Selection, StartInstances, StateChange, StopInstances, TerminateInstances,
    },
};

pub(crate) const VERSION: &str = "2016-11-15";
const NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";

pub(crate) fn request(action: &str, version: Option<&str>, form: &mut Form) -> Result<Request, ApiError> {
    match version {
        Some(VERSION) => {}
        Some(other) => {
            return Err(ApiError::client("InvalidParameterValue", format!("The API version {other} is not simulated")));
        }
        None => return Err(ApiError::missing_parameter("Version")),
    }
    let dry_run = form.take_flag("DryRun")?;
    Ok(match action {
        "DescribeNetworkInterfaces" => {
            DescribeNetworkInterfaces { selection: selection(form, "NetworkInterfaceId")?, dry_run }.into()
        }
        "DescribeInstances" => DescribeInstances { selection: selection(form, "InstanceId")?, dry_run }.into(),
        "DescribeInstanceStatus" => DescribeInstanceStatus {
            include_all_instances: form.take_flag("IncludeAllInstances")?,
            selection: selection(form, "InstanceId")?,
            dry_run,
        }
        .into(),
        "DescribeInstanceTypes" => {
            DescribeInstanceTypes { selection: selection(form, "InstanceType")?, dry_run }.into()
        }
        "DescribeInstanceAttribute" => DescribeInstanceAttribute {
            instance_id: form.require("InstanceId")?,
            attribute: form.require("Attribute")?,
            dry_run,
        }
        .into(),
        "DescribeAddresses" => DescribeAddresses {
            public_ips: form.take_list("PublicIp"),
            selection: Selection {
                ids: form.take_list("AllocationId"),
                filters: filters(form)?,
                ..Selection::default()
            },
            dry_run,
        }
        .into(),
        "DescribeSubnets" => DescribeSubnets { selection: selection(form, "SubnetId")?, dry_run }.into(),
        "DescribeRouteTables" => DescribeRouteTables { selection: selection(form, "RouteTableId")?, dry_run }.into(),
        "DescribeNetworkAcls" => DescribeNetworkAcls { selection: selection(form, "NetworkAclId")?, dry_run }.into(),
        "DescribeSecurityGroups" => DescribeSecurityGroups { selection: selection(form, "GroupId")?, dry_run }.into(),
        "DescribeSecurityGroupRules" => {
            DescribeSecurityGroupRules { selection: selection(form, "SecurityGroupRuleId")?, dry_run }.into()
        }
        "GetManagedPrefixListEntries" => GetManagedPrefixListEntries {
            prefix_list_id: form.require("PrefixListId")?,
            max_results: form.take_parsed("MaxResults")?,
            next_token: form.take("NextToken"),
            dry_run,
        }
        .into(),
        "AttachNetworkInterface" => AttachNetworkInterface {
            network_interface_id: form.require("NetworkInterfaceId")?,
            instance_id: form.require("InstanceId")?,
            device_index: form.require_parsed("DeviceIndex")?,
            network_card_index: form.take_parsed("NetworkCardIndex")?,
            dry_run,
        }
        .into(),
        "DetachNetworkInterface" => DetachNetworkInterface {
            attachment_id: form.require("AttachmentId")?,
            force: form.take_flag("Force")?,
            dry_run,
        }
        .into(),
        "ModifyNetworkInterfaceAttribute" => ModifyNetworkInterfaceAttribute {
            network_interface_id: form.require("NetworkInterfaceId")?,
            attribute: interface_attribute(form)?,
            dry_run,
        }
        .into(),
        "StartInstances" => StartInstances { instance_ids: form.take_list("InstanceId"), dry_run }.into(),
        "StopInstances" => {
            ignore_how_to_stop(form)?;
            StopInstances { instance_ids: form.take_list("InstanceId"), dry_run }.into()
        }
        "TerminateInstances" => {
            ignore_how_to_stop(form)?;
            TerminateInstances { instance_ids: form.take_list("InstanceId"), dry_run }.into()
        }
        "AssociateAddress" => AssociateAddress {
            allocation_id: form.require("AllocationId")?,
            instance_id: form.take("InstanceId"),
            network_interface_id: form.take("NetworkInterfaceId"),
            private_ip_address: form.take("PrivateIpAddress"),
            allow_reassociation: form.take_parsed("AllowReassociation")?,
            dry_run,
        }
        .into(),
        "DisassociateAddress" => DisassociateAddress { association_id: form.require("AssociationId")?, dry_run }.into(),
        "AuthorizeSecurityGroupIngress" => AuthorizeSecurityGroupIngress {
            group_id: form.require("GroupId")?,
            permissions: permissions(form)?,
            dry_run,
        }
        .into(),
        "CreateTags" => {
            let tags = tags(form)?.into_iter().map(|(key, value)| (key, value.unwrap_or_default())).collect();
            CreateTags { resources: form.take_list("ResourceId"), tags, dry_run }.into()
        }
        "DeleteTags" => DeleteTags { resources: form.take_list("ResourceId"), tags: tags(form)?, dry_run }.into(),
        _ => {
            return Err(ApiError::client(
                "InvalidAction",
                format!("The action {action} is not valid for this web service."),
            ));
        }
    })
}

fn selection(form: &mut Form, id_name: &str) -> Result<Selection, ApiError> {
    Ok(Selection {
        ids: form.take_list(id_name),
        filters: filters(form)?,
        max_results: form.take_parsed("MaxResults")?,
        next_token: form.take("NextToken"),
    })
}

fn filters(form: &mut Form) -> Result<Vec<Filter>, ApiError> {
    form.take_forms("Filter")
        .into_iter()
        .map(|mut form| {
            let filter = Filter { name: form.require("Name")?, values: form.take_list("Value") };
            form.finish()?;
            if filter.values.is_empty() {
                return Err(ApiError::invalid_value(format!("The filter '{}' has no values", filter.name)));
            }
            Ok(filter)
        })
        .collect()
}

fn tags(form: &mut Form) -> Result<Vec<(String, Option<String>)>, ApiError> {
    form.take_forms("Tag")
        .into_iter()
        .map(|mut form| {
            let tag = (form.take("Key").unwrap_or_default(), form.take("Value"));
            form.finish()?;
            Ok(tag)
        })
        .collect()
}

/// Parameters of StopInstances and TerminateInstances that have no effect on a simulated instance.
fn ignore_how_to_stop(form: &mut Form) -> Result<(), ApiError> {
    form.take_flag("Force")?;
    form.take_flag("SkipOsShutdown")?;
    Ok(())
}

fn interface_attribute(form: &mut Form) -> Result<InterfaceAttribute, ApiError> {
    let mut attributes = Vec::new();
    let attachment_id = form.take("Attachment.AttachmentId");
    let delete_on_termination: Option<bool> = form.take_parsed("Attachment.DeleteOnTermination")?;
    match (attachment_id, delete_on_termination) {
        (Some(attachment_id), Some(value)) => {
            attributes.push(InterfaceAttribute::DeleteOnTermination { attachment_id, value });
        }
        (None, Some(_)) => return Err(ApiError::missing_parameter("Attachment.AttachmentId")),
        (Some(_), None) => return Err(ApiError::missing_parameter("Attachment.DeleteOnTermination")),
        (None, None) => {}
    }
    let groups = form.take_list("SecurityGroupId");
    if !groups.is_empty() {
        attributes.push(InterfaceAttribute::Groups(groups));
    }
    attributes.extend(form.take("Description.Value").map(InterfaceAttribute::Description));
    attributes.extend(form.take_parsed("SourceDestCheck.Value")?.map(InterfaceAttribute::SourceDestCheck));
    match attributes.len() {
        0 => Err(ApiError::client("MissingParameter", "The request must contain an attribute to change")),
        1 => Ok(attributes.remove(0)),
        _ => Err(ApiError::invalid_combination("Fields for multiple attribute types specified")),
    }
}

/// `IpPermissions`, or a single permission in separate parameters.
fn permissions(form: &mut Form) -> Result<Vec<IpPermission>, ApiError> {
    let mut permissions = form
        .take_forms("IpPermissions")
        .into_iter()
        .map(|mut form| {
            let permission = IpPermission {
                protocol: form.take("IpProtocol").unwrap_or_default(),
                from_port: form.take_parsed("FromPort")?,
                to_port: form.take_parsed("ToPort")?,
                ipv4: sources(&mut form, "IpRanges", "CidrIp")?,
                ipv6: sources(&mut form, "Ipv6Ranges", "CidrIpv6")?,
                prefix_lists: sources(&mut form, "PrefixListIds", "PrefixListId")?,
                groups: sources(&mut form, "Groups", "GroupId")?,
            };
            form.finish()?;
            Ok(permission)
        })
        .collect::<Result<Vec<_>, ApiError>>()?;
    if let Some(protocol) = form.take("IpProtocol") {
        permissions.push(IpPermission {
            protocol,
            from_port: form.take_parsed("FromPort")?,
            to_port: form.take_parsed("ToPort")?,
            ipv4: form.take("CidrIp").map(|cidr| (cidr, None)).into_iter().collect(),
            ..IpPermission::default()
        });
    }
    Ok(permissions)
}

fn sources(form: &mut Form, list: &str, name: &str) -> Result<Vec<(String, Option<String>)>, ApiError> {
    form.take_forms(list)
        .into_iter()
        .map(|mut form| {
            let source = (form.require(name)?, form.take("Description"));
            // The owner of a group is ignored, because there is only one account.
            form.take("UserId");
            form.finish()?;
            Ok(source)
        })
        .collect()
}

pub(crate) fn answer(answer: &Answer, request_id: &str) -> Vec<u8> {
    let document = |action: &str, content: &dyn Fn(&mut Xml)| {
        Xml::document(|xml| {
            xml.root(&format!("{action}Response"), NAMESPACE, |xml| {
                xml.text("requestId", request_id);
                content(xml);
            });
        })
    };
    let done = |xml: &mut Xml| xml.text("return", true);
    match answer {
        Answer::DescribeNetworkInterfaces(page) => document("DescribeNetworkInterfaces", &|xml| {
            xml.list("networkInterfaceSet", &page.items, network_interface);
            xml.text_if_any("nextToken", page.next_token.as_ref());
        }),
        Answer::DescribeInstances(page) => document("DescribeInstances", &|xml| {
            xml.list("reservationSet", &page.items, reservation);
            xml.text_if_any("nextToken", page.next_token.as_ref());
        }),
        Answer::DescribeInstanceStatus(page) => document("DescribeInstanceStatus", &|xml| {
            xml.list("instanceStatusSet", &page.items, instance_status);
            xml.text_if_any("nextToken", page.next_token.as_ref());
        }),
        Answer::DescribeInstanceTypes(page) => document("DescribeInstanceTypes", &|xml| {
            xml.list("instanceTypeSet", &page.items, instance_type);
            xml.text_if_any("nextToken", page.next_token.as_ref());
        }),
        Answer::DescribeInstanceAttribute(attributes) => document("DescribeInstanceAttribute", &|xml| {
            xml.text("instanceId", &attributes.instance_id);
            xml.element("disableApiTermination", |xml| xml.text("value", attributes.disable_api_termination));
        }),
        Answer::DescribeAddresses(addresses) => {
            document("DescribeAddresses", &|xml| xml.list("addressesSet", addresses, address))
        }
        Answer::DescribeSubnets(page) => document("DescribeSubnets", &|xml| {
            xml.list("subnetSet", &page.items, network::subnet);
            xml.text_if_any("nextToken", page.next_token.as_ref());
        }),
        Answer::DescribeRouteTables(page) => document("DescribeRouteTables", &|xml| {
            xml.list("routeTableSet", &page.items, network::route_table);
            xml.text_if_any("nextToken", page.next_token.as_ref());
        }),
        Answer::DescribeNetworkAcls(page) => document("DescribeNetworkAcls", &|xml| {
            xml.list("networkAclSet", &page.items, network::network_acl);
            xml.text_if_any("nextToken", page.next_token.as_ref());
        }),
        Answer::DescribeSecurityGroups(page) => document("DescribeSecurityGroups", &|xml| {
            xml.list("securityGroupInfo", &page.items, security_group);
            xml.text_if_any("nextToken", page.next_token.as_ref());
        }),
        Answer::DescribeSecurityGroupRules(page) => document("DescribeSecurityGroupRules", &|xml| {
            xml.list("securityGroupRuleSet", &page.items, rule);
            xml.text_if_any("nextToken", page.next_token.as_ref());
        }),
        Answer::GetManagedPrefixListEntries(page) => document("GetManagedPrefixListEntries", &|xml| {
            xml.list("entrySet", &page.items, |xml, (cidr, description)| {
                xml.text("cidr", cidr);
                xml.text("description", description);
            });
            xml.text_if_any("nextToken", page.next_token.as_ref());
        }),
        Answer::AttachNetworkInterface(attached) => document("AttachNetworkInterface", &|xml| {
            xml.text("attachmentId", &attached.attachment_id);
            xml.text("networkCardIndex", attached.network_card_index);
        }),
        Answer::StartInstances(changes) => document("StartInstances", &|xml| state_changes(xml, changes)),
        Answer::StopInstances(changes) => document("StopInstances", &|xml| state_changes(xml, changes)),
        Answer::TerminateInstances(changes) => document("TerminateInstances", &|xml| state_changes(xml, changes)),
        Answer::AssociateAddress(associated) => document("AssociateAddress", &|xml| {
            done(xml);
            xml.text("associationId", &associated.association_id);
        }),
        Answer::AuthorizeSecurityGroupIngress(rules) => document("AuthorizeSecurityGroupIngress", &|xml| {
            done(xml);
            xml.list("securityGroupRuleSet", rules, rule);
        }),
        Answer::DetachNetworkInterface(()) => document("DetachNetworkInterface", &done),
        Answer::ModifyNetworkInterfaceAttribute(()) => document("ModifyNetworkInterfaceAttribute", &done),
        Answer::DisassociateAddress(()) => document("DisassociateAddress", &done),
        Answer::CreateTags(()) => document("CreateTags", &done),
        Answer::DeleteTags(()) => document("DeleteTags", &done),
        // Answers of the other services, which no EC2 request has.
        Answer::CreateTopic(_)
        | Answer::Publish(_)
        | Answer::GetTopicAttributes(_)
        | Answer::ListSubscriptionsByTopic(_)
        | Answer::DescribeInstanceInformation(_)
        | Answer::DescribeDocument(_)
        | Answer::GetCommandInvocation(_)
        | Answer::SendCommand(_)
        | Answer::DescribeAutoScalingInstances(_)
        | Answer::DescribeLifecycleHooks(_)
        | Answer::DescribeStacks(_)
        | Answer::CompleteLifecycleAction(_) => Vec::new(),
    }
}

pub(crate) fn error(error: &ApiError, request_id: &str) -> Vec<u8> {
    Xml::document(|xml| {
        xml.element("Response", |xml| {
            xml.element("Errors", |xml| {
                xml.element("Error", |xml| {
                    xml.text("Code", &error.code);
                    xml.text("Message", &error.message);
                });
            });
            xml.text("RequestID", request_id);
        });
    })
}

fn network_interface(xml: &mut Xml, interface: &InterfaceView) {
    interface_facts(xml, interface);
    xml.text("availabilityZone", &interface.availability_zone);
    xml.text("requesterManaged", false);
    tag_set(xml, &interface.tags);
    association(xml, interface, true);
    if let Some(attachment) = &interface.attachment {
        xml.element("attachment", |xml| {
            attachment_facts(xml, interface);
            xml.text("instanceId", &attachment.instance_id);
            xml.text("instanceOwnerId", &interface.home.account);
        });
    }
    private_ip_addresses(xml, interface, true);
}

/// The common part of an interface in DescribeNetworkInterfaces and DescribeInstances.
fn interface_facts(xml: &mut Xml, interface: &InterfaceView) {
    xml.text("networkInterfaceId", &interface.id);
    xml.text("subnetId", &interface.subnet_id);
    xml.text("vpcId", &interface.vpc_id);
    xml.text("description", &interface.description);
    xml.text("ownerId", &interface.home.account);
    xml.text("status", interface.status);
    xml.text("macAddress", &interface.mac_address);
    xml.text("privateIpAddress", interface.private_ip);
    xml.text("privateDnsName", interface.home.private_dns_name(interface.private_ip));
    xml.text("sourceDestCheck", interface.source_dest_check);
    xml.text("interfaceType", "interface");
    groups(xml, interface);
    xml.list("ipv6AddressesSet", [(); 0], |_, ()| {});
}

fn groups(xml: &mut Xml, interface: &InterfaceView) {
    xml.list("groupSet", interface.groups.iter().zip(&interface.group_names), |xml, (id, name)| {
        xml.text("groupId", id);
        xml.text("groupName", name);
    });
}

fn attachment_facts(xml: &mut Xml, interface: &InterfaceView) {
    if let Some(attachment) = &interface.attachment {
        xml.text("attachmentId", &attachment.id);
        xml.text("deviceIndex", attachment.device_index);
        xml.text("networkCardIndex", attachment.network_card_index);
        xml.text("status", attachment.status.name());
        xml.text("attachTime", interface.home.timestamp(attachment.attached_at));
        xml.text("deleteOnTermination", attachment.delete_on_termination);
    }
}

/// DescribeInstances omits the ids (service model, `InstanceNetworkInterfaceAssociation`).
fn association(xml: &mut Xml, interface: &InterfaceView, with_ids: bool) {
    if let Some((address, association)) = interface.association() {
        xml.element("association", |xml| {
            if with_ids {
                xml.text("allocationId", &address.allocation_id);
                xml.text("associationId", &association.id);
            }
            xml.text("ipOwnerId", &interface.home.account);
            xml.text("publicDnsName", interface.home.public_dns_name(address.public_ip));
            xml.text("publicIp", address.public_ip);
        });
    }
}

fn private_ip_addresses(xml: &mut Xml, interface: &InterfaceView, with_ids: bool) {
    xml.list("privateIpAddressesSet", [interface], |xml, interface| {
        xml.text("privateIpAddress", interface.private_ip);
        xml.text("privateDnsName", interface.home.private_dns_name(interface.private_ip));
        xml.text("primary", true);
        association(xml, interface, with_ids);
    });
}

/// Each instance has its own reservation, as if it had been launched alone.
fn reservation(xml: &mut Xml, instance: &InstanceView) {
    xml.text("reservationId", format!("r-{}", instance.id.trim_start_matches("i-")));
    xml.text("ownerId", &instance.home.account);
    xml.list("groupSet", [(); 0], |_, ()| {});
    xml.list("instancesSet", [instance], describe_instance);
}

fn describe_instance(xml: &mut Xml, instance: &InstanceView) {
    let primary = instance.primary();
    xml.text("instanceId", &instance.id);
    instance_state(xml, "instanceState", instance.state);
    xml.text("instanceType", &instance.instance_type);
    xml.text("launchTime", instance.home.timestamp(instance.launched_at));
    xml.text_if_any("instanceLifecycle", instance.spot.then_some("spot"));
    xml.element("placement", |xml| {
        xml.text("availabilityZone", &instance.availability_zone);
        xml.text("tenancy", "default");
    });
    // A terminated instance has no network.
    if let Some(primary) = primary {
        xml.text("subnetId", &instance.subnet_id);
        xml.text("vpcId", &instance.vpc_id);
        xml.text("privateIpAddress", primary.private_ip);
        xml.text("privateDnsName", primary.home.private_dns_name(primary.private_ip));
        if let Some((address, _)) = primary.association() {
            xml.text("ipAddress", address.public_ip);
            xml.text("dnsName", primary.home.public_dns_name(address.public_ip));
        }
        groups(xml, primary);
    }
    xml.text_if_any("sourceDestCheck", instance.source_dest_check());
    xml.element("maintenanceOptions", |xml| {
        xml.text("autoRecovery", instance.auto_recovery.name());
        xml.text("rebootMigration", "default");
    });
    if let Some(reason) = &instance.state_reason {
        xml.element("stateReason", |xml| {
            xml.text("code", reason.code);
            xml.text("message", reason.message);
        });
    }
    xml.list("networkInterfaceSet", &instance.interfaces, |xml, interface| {
        interface_facts(xml, interface);
        association(xml, interface, false);
        xml.element("attachment", |xml| attachment_facts(xml, interface));
        private_ip_addresses(xml, interface, false);
    });
    tag_set_if_any(xml, &instance.tags);
}

fn instance_state(xml: &mut Xml, name: &str, state: InstanceState) {
    xml.element(name, |xml| {
        xml.text("code", state.code());
        xml.text("name", state.name());
    });
}

fn state_changes(xml: &mut Xml, changes: &[StateChange]) {
    xml.list("instancesSet", changes, |xml, change| {
        xml.text("instanceId", &change.instance_id);
        instance_state(xml, "currentState", change.current);
        instance_state(xml, "previousState", change.previous);
    });
}

fn instance_status(xml: &mut Xml, instance: &InstanceStatusView) {
    let (system, own) = instance.checks();
    xml.text("instanceId", &instance.id);
    xml.text("availabilityZone", &instance.availability_zone);
    instance_state(xml, "instanceState", instance.state);
    check(xml, "systemStatus", system);
    check(xml, "instanceStatus", own);
    if let Some(attached_ebs) = instance.attached_ebs() {
        check(xml, "attachedEbsStatus", attached_ebs);
    }
    xml.list("eventsSet", &instance.scheduled_events, |xml, event| {
        xml.text("code", event.code);
        xml.text("description", &event.description);
        xml.text("notBefore", event.not_before.format("%Y-%m-%dT%H:%M:%S%.3fZ"));
    });
}

fn check(xml: &mut Xml, name: &str, check: Check) {
    xml.element(name, |xml| {
        xml.text("status", check.name());
        if let Some(reachability) = check.reachability() {
            xml.list("details", [reachability], |xml, reachability| {
                xml.text("name", "reachability");
                xml.text("status", reachability);
            });
        }
    });
}

fn instance_type(xml: &mut Xml, instance_type: &InstanceType) {
    xml.text("instanceType", &instance_type.name);
    xml.element("networkInfo", |xml| {
        xml.text("maximumNetworkInterfaces", instance_type.maximum_network_interfaces());
        xml.text("maximumNetworkCards", instance_type.network_cards.len());
        xml.text("defaultNetworkCardIndex", 0);
        xml.list("networkCards", instance_type.network_cards.iter().enumerate(), |xml, (index, interfaces)| {
            xml.text("networkCardIndex", index);
            xml.text("maximumNetworkInterfaces", interfaces);
        });
        xml.text("ipv4AddressesPerInterface", instance_type.ipv4_addresses_per_interface);
    });
}

fn address(xml: &mut Xml, address: &AddressView) {
    xml.text("publicIp", address.public_ip);
    xml.text("allocationId", &address.allocation_id);
    xml.text("domain", "vpc");
    xml.text("publicIpv4Pool", "amazon");
    xml.text("networkBorderGroup", &address.home.region);
    xml.text_if_any("instanceId", address.instance_id.as_ref());
    if let Some(association) = &address.association {
        xml.text("associationId", &association.id);
        xml.text("networkInterfaceId", &association.interface_id);
        xml.text("networkInterfaceOwnerId", &address.home.account);
        xml.text("privateIpAddress", association.private_ip);
    }
    tag_set_if_any(xml, &address.tags);
}

fn security_group(xml: &mut Xml, group: &SecurityGroupView) {
    xml.text("ownerId", &group.home.account);
    xml.text("groupId", &group.id);
    xml.text("groupName", &group.name);
    xml.text("groupDescription", &group.description);
    xml.text("vpcId", &group.vpc_id);
    xml.text("securityGroupArn", group.arn());
    for (name, egress) in [("ipPermissions", false), ("ipPermissionsEgress", true)] {
        xml.list(name, group.permissions(egress), |xml, each| permission(xml, &each, &group.home));
    }
    tag_set(xml, &group.tags);
}

/// Each kind of source has its own list, which may be empty.
fn permission(xml: &mut Xml, permission: &PermissionView<'_>, home: &Home) {
    xml.text("ipProtocol", permission.protocol);
    if let Some((from, to)) = permission.ports {
        xml.text("fromPort", from);
        xml.text("toPort", to);
    }
    let mut sources = |list: &str, name: &str, is_meant: fn(&RuleSource) -> bool| {
        let rules = permission.rules.iter().filter(|rule| is_meant(&rule.source));
        xml.list(list, rules, |xml, rule| {
            xml.text(name, &rule.source);
            if list == "groups" {
                xml.text("userId", &home.account);
            }
            xml.text_if_any("description", rule.description.as_ref());
        });
    };
    sources("groups", "groupId", |source| matches!(source, RuleSource::Group(_)));
    sources("ipRanges", "cidrIp", |source| matches!(source, RuleSource::Ipv4(_)));
    sources("ipv6Ranges", "cidrIpv6", |source| matches!(source, RuleSource::Ipv6(_)));
    sources("prefixListIds", "prefixListId", |source| matches!(source, RuleSource::PrefixList(_)));
}

fn rule(xml: &mut Xml, rule: &RuleView) {
    let Home { account, region, .. } = &*rule.home;
    xml.text("securityGroupRuleId", &rule.id);
    xml.text("securityGroupRuleArn", format!("arn:aws:ec2:{region}:{account}:security-group-rule/{}", rule.id));
    xml.text("groupId", &rule.group_id);
    xml.text("groupOwnerId", account);
    xml.text("isEgress", rule.egress);
    xml.text("ipProtocol", &rule.protocol);
    xml.text("fromPort", rule.from_port);
    xml.text("toPort", rule.to_port);
    match &rule.source {
        RuleSource::Ipv4(network) => xml.text("cidrIpv4", network),
        RuleSource::Ipv6(network) => xml.text("cidrIpv6", network),
        RuleSource::PrefixList(id) => xml.text("prefixListId", id),
        RuleSource::Group(id) => xml.element("referencedGroupInfo", |xml| {
            xml.text("groupId", id);
            xml.text("userId", account);
            xml.text("vpcId", &rule.vpc_id);
        }),
    }
    xml.text_if_any("description", rule.description.as_ref());
}
