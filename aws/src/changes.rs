//! One request for each change of EC2, for the change itself and for its `DryRun`. So the tested permission and the
//! call that needs it cannot differ.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::operation::associate_address::builders::AssociateAddressFluentBuilder;
use aws_sdk_ec2::operation::attach_network_interface::builders::AttachNetworkInterfaceFluentBuilder;
use aws_sdk_ec2::operation::authorize_security_group_ingress::builders::AuthorizeSecurityGroupIngressFluentBuilder;
use aws_sdk_ec2::operation::create_tags::builders::CreateTagsFluentBuilder;
use aws_sdk_ec2::operation::delete_tags::builders::DeleteTagsFluentBuilder;
use aws_sdk_ec2::operation::detach_network_interface::builders::DetachNetworkInterfaceFluentBuilder;
use aws_sdk_ec2::operation::disassociate_address::builders::DisassociateAddressFluentBuilder;
use aws_sdk_ec2::operation::modify_network_interface_attribute::builders::ModifyNetworkInterfaceAttributeFluentBuilder;
use aws_sdk_ec2::operation::start_instances::builders::StartInstancesFluentBuilder;
use aws_sdk_ec2::types as sdk;
use ipnet::IpNet;
use token_failover::model::change::{Attach, Ingress};
use token_failover::model::config::Client as TokenClient;
use token_failover::model::ids::{AllocationId, AssociationId, AttachmentId, InstanceId, NetworkInterfaceId};

/// The IAM actions of the changes.
pub(crate) const ATTACH: &str = "ec2:AttachNetworkInterface";
pub(crate) const DETACH: &str = "ec2:DetachNetworkInterface";
pub(crate) const KEEP_ON_TERMINATION: &str = "ec2:ModifyNetworkInterfaceAttribute";
pub(crate) const START: &str = "ec2:StartInstances";
pub(crate) const DISASSOCIATE_ADDRESS: &str = "ec2:DisassociateAddress";
pub(crate) const ASSOCIATE_ADDRESS: &str = "ec2:AssociateAddress";
pub(crate) const AUTHORIZE_INGRESS: &str = "ec2:AuthorizeSecurityGroupIngress";
pub(crate) const WRITE_TAGS: &str = "ec2:CreateTags";
pub(crate) const DELETE_TAGS: &str = "ec2:DeleteTags";

/// The network card of the license interface. EC2's default is 0, but some types with several cards require the
/// parameter.
const NETWORK_CARD: i32 = 0;

pub(crate) fn attach(client: &Client, attach: &Attach) -> AttachNetworkInterfaceFluentBuilder {
    let request = client.attach_network_interface().network_interface_id(attach.interface_id.as_str());
    let request = request.instance_id(attach.instance_id.as_str()).device_index(i32::from(attach.device_index));
    request.network_card_index(NETWORK_CARD)
}

pub(crate) fn detach(client: &Client, attachment: &AttachmentId) -> DetachNetworkInterfaceFluentBuilder {
    client.detach_network_interface().attachment_id(attachment.as_str())
}

pub(crate) fn keep_on_termination(
    client: &Client,
    interface: &NetworkInterfaceId,
    attachment: &AttachmentId,
) -> ModifyNetworkInterfaceAttributeFluentBuilder {
    let changes = sdk::NetworkInterfaceAttachmentChanges::builder().attachment_id(attachment.as_str());
    let request = client.modify_network_interface_attribute().network_interface_id(interface.as_str());
    request.attachment(changes.delete_on_termination(false).build())
}

pub(crate) fn start(client: &Client, instance: &InstanceId) -> StartInstancesFluentBuilder {
    client.start_instances().instance_ids(instance.as_str())
}

pub(crate) fn disassociate_address(client: &Client, association: &AssociationId) -> DisassociateAddressFluentBuilder {
    client.disassociate_address().association_id(association.as_str())
}

pub(crate) fn associate_address(
    client: &Client,
    address: &AllocationId,
    interface: &NetworkInterfaceId,
) -> AssociateAddressFluentBuilder {
    let request = client.associate_address().allocation_id(address.as_str());
    request.network_interface_id(interface.as_str()).allow_reassociation(false)
}

pub(crate) fn authorize_ingress(client: &Client, ingress: &Ingress) -> AuthorizeSecurityGroupIngressFluentBuilder {
    let request = client.authorize_security_group_ingress().group_id(ingress.group_id.as_str());
    request.ip_permissions(permission(ingress))
}

pub(crate) fn write_tags<'a>(
    client: &Client,
    interface: &NetworkInterfaceId,
    tags: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> CreateTagsFluentBuilder {
    let tags = tags.into_iter().map(|(key, value)| sdk::Tag::builder().key(key).value(value).build()).collect();
    client.create_tags().resources(interface.as_str()).set_tags(Some(tags))
}

/// EC2 removes a tag with a value only if the tag still has that value.
/// Source: EC2 API Reference, *DeleteTags*.
pub(crate) fn delete_tags<'a>(
    client: &Client,
    interface: &NetworkInterfaceId,
    tags: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
) -> DeleteTagsFluentBuilder {
    let tag =
        |(key, value): (&str, Option<&str>)| sdk::Tag::builder().key(key).set_value(value.map(str::to_owned)).build();
    client.delete_tags().resources(interface.as_str()).set_tags(Some(tags.into_iter().map(tag).collect()))
}

fn permission(ingress: &Ingress) -> sdk::IpPermission {
    let permission = sdk::IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(i32::from(ingress.ports.first))
        .to_port(i32::from(ingress.ports.last));
    let permission = match &ingress.client {
        TokenClient::Cidr(IpNet::V4(net)) => {
            permission.ip_ranges(sdk::IpRange::builder().cidr_ip(net.to_string()).build())
        }
        TokenClient::Cidr(IpNet::V6(net)) => {
            permission.ipv6_ranges(sdk::Ipv6Range::builder().cidr_ipv6(net.to_string()).build())
        }
        TokenClient::SecurityGroup(id) => {
            permission.user_id_group_pairs(sdk::UserIdGroupPair::builder().group_id(id.as_str()).build())
        }
        TokenClient::PrefixList(id) => {
            permission.prefix_list_ids(sdk::PrefixListId::builder().prefix_list_id(id.as_str()).build())
        }
    };
    permission.build()
}
