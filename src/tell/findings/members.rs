//! The findings about the members: who they are, which standby can take the interface, and their Auto Scaling group.

use chrono::{DateTime, Utc};

use crate::decide::lifecycle::HOOK;
use crate::decide::members::MOST_TAGGED;
use crate::model::config::Members;
use crate::model::error::CallError;
use crate::model::finding::{Finding, FindingCode};
use crate::model::ids::{InstanceId, NetworkInterfaceId};
use crate::model::observation::{Attachment, Instance};
use crate::model::plan::Obstacle;
use crate::model::request::Announced;
use crate::tell::findings::advisor::{Advisor, MAX_OF_A_KIND, join, quoted};

impl Advisor<'_> {
    /// The tag of the members, for a sentence.
    fn member_tag(&self) -> String {
        match &self.config.members {
            Members::Tagged(tag) => tag.to_string(),
            Members::Listed(_) => "of the members".to_owned(),
        }
    }

    /// The command that lists the instances with the tag of the members.
    fn list_tagged(&self) -> String {
        let filter = match &self.config.members {
            Members::Tagged(tag) => format!("'Name=tag:{},Values={}'", tag.key, tag.value),
            Members::Listed(ids) => format!("Name=instance-id,Values={}", join(ids).replace(", ", ",")),
        };
        self.command(&format!(
            "describe-instances --filters {filter} --query \
             'Reservations[].Instances[].[InstanceId,State.Name,Placement.AvailabilityZone,VpcId]' --output text"
        ))
    }

    pub(super) fn no_members(&self) -> Finding {
        Finding::new(
            FindingCode::NoMembers,
            self.member_tag(),
            format!(
                "No instance in the interface's VPC and zone has the tag {}, so no instance may hold the interface.",
                self.member_tag()
            ),
            format!(
                "Give the tag to the token servers, or correct TOKEN_SERVER_MEMBERS. These instances have the tag anywhere:\n{}",
                self.list_tagged()
            ),
        )
    }

    pub(super) fn too_many_members(&self, count: usize) -> Finding {
        Finding::new(
            FindingCode::TooManyMembers,
            self.member_tag(),
            format!(
                "{count} instances in the interface's VPC and zone have the tag {}. At most {MOST_TAGGED} can be members, so \
                 nothing was changed.",
                self.member_tag()
            ),
            format!(
                "Set TOKEN_SERVER_MEMBERS to a tag that only token servers have. These instances have the tag:\n{}",
                self.list_tagged()
            ),
        )
    }

    /// Instances with the members' tag that are too far away.
    pub fn members_elsewhere(&self, instances: &[InstanceId]) -> Finding {
        let named = instances.iter().take(MAX_OF_A_KIND).cloned().collect::<Vec<_>>();
        let more = instances.len() - named.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        Finding::new(
            FindingCode::MembersElsewhere,
            &self.config.interface_id,
            format!(
                "The tag {} is also on {}{more} in another VPC or zone. An interface never leaves its zone, so they are not \
                 members.",
                self.member_tag(),
                join(&named)
            ),
            format!("Launch token servers in the interface's zone, or remove the tag there:\n{}", self.list_tagged()),
        )
    }

    /// What an instance that is not a member lacks, as a predicate.
    pub(super) fn not_a_member(&self) -> String {
        match &self.config.members {
            Members::Listed(_) => "is not in TOKEN_SERVER_INSTANCE_IDS".to_owned(),
            Members::Tagged(tag) => {
                format!("is not an instance with the tag {tag} in the interface's VPC and zone")
            }
        }
    }

    /// How an operator makes the instance a member, as an imperative.
    pub(super) fn make_a_member(&self, id: &InstanceId) -> String {
        match &self.config.members {
            Members::Listed(_) => format!("add {id} to TOKEN_SERVER_INSTANCE_IDS and deploy"),
            Members::Tagged(tag) => format!("give {id} the tag {tag}"),
        }
    }

    /// How an operator makes a new instance a member, as an imperative.
    fn enroll(&self) -> String {
        match &self.config.members {
            Members::Listed(_) => "deploy with its id".to_owned(),
            Members::Tagged(tag) => format!("give it the tag {tag}"),
        }
    }

    /// Members that are listed by their ids are in an Auto Scaling group.
    pub fn listed_in_group(&self, group: &str, members: &[InstanceId]) -> Finding {
        let (are, ids) = if members.len() == 1 { ("is", "its id") } else { ("are", "their ids") };
        Finding::new(
            FindingCode::MembersInAutoScalingGroup,
            group,
            format!(
                "{} {are} in the Auto Scaling group {group}, and TOKEN_SERVER_INSTANCE_IDS lists {ids}. The group replaces a \
                 lost instance by one with another id, which is not a member.",
                join(members)
            ),
            "Have the group give its instances a tag, and deploy with TokenServerMembers=key=value instead of \
             TokenServerInstanceIds."
                .to_owned(),
        )
    }

    fn put_hook(&self, group: &str) -> String {
        self.command_of(
            "autoscaling",
            &format!(
                "put-lifecycle-hook --auto-scaling-group-name {} --lifecycle-hook-name {HOOK} --lifecycle-transition \
                 autoscaling:EC2_INSTANCE_TERMINATING --heartbeat-timeout 7200 --default-result CONTINUE",
                quoted(group)
            ),
        )
    }

    /// A group has no lifecycle hook for termination.
    pub fn no_termination_hook(&self, group: &str) -> Finding {
        Finding::new(
            FindingCode::NoTerminationHook,
            group,
            format!(
                "The Auto Scaling group {group} has no lifecycle hook for termination. When it replaces the holder, it does not \
                 wait until the interface has moved, and clients lose the license until the failover."
            ),
            format!("Create the hook:\n{}", self.put_hook(group)),
        )
    }

    /// A group has several lifecycle hooks for termination.
    pub fn several_termination_hooks(&self, group: &str, hooks: &[String]) -> Finding {
        Finding::new(
            FindingCode::SeveralTerminationHooks,
            group,
            format!(
                "The Auto Scaling group {group} has {} lifecycle hooks for termination ({}), and none is named {HOOK}. The \
                 function completes none of them, so the group waits until each has timed out.",
                hooks.len(),
                hooks.join(", ")
            ),
            format!(
                "Create the hook that the function completes, and delete the one that was meant for it:\n{}",
                self.put_hook(group)
            ),
        )
    }

    /// A group waits for a lifecycle action before it terminates a member that does not hold the interface. `error` is why the
    /// function could not complete it.
    pub fn lifecycle_action_open(
        &self,
        member: &InstanceId,
        group: &str,
        hook: Option<&str>,
        error: Option<&CallError>,
    ) -> Finding {
        let error = error.map_or_else(String::new, |error| format!(" The function could not complete it: {error}."));
        let group_name = quoted(group);
        let command = match hook {
            Some(hook) => format!(
                "complete-lifecycle-action --auto-scaling-group-name {group_name} --lifecycle-hook-name {} --instance-id \
                 {member} --lifecycle-action-result CONTINUE",
                quoted(hook)
            ),
            None => format!("describe-lifecycle-hooks --auto-scaling-group-name {group_name}"),
        };
        let next = match hook {
            Some(_) => "The next run tries again. To complete it yourself:",
            None => "Look for the hook, and complete its action:",
        };
        Finding::new(
            FindingCode::LifecycleActionOpen,
            member,
            format!(
                "The Auto Scaling group {group} waits for a lifecycle action before it terminates {member}, which does not hold \
                 the interface.{error}"
            ),
            format!("{next}\n{}", self.command_of("autoscaling", &command)),
        )
    }

    /// The obstacle of a standby.
    pub fn standby(&self, id: &InstanceId, obstacle: &Obstacle) -> Finding {
        let interface = &self.config.interface_id;
        let remedy = match obstacle {
            Obstacle::Missing | Obstacle::Terminated => {
                format!("Launch a new standby in the interface's Availability Zone and {}.", self.enroll())
            }
            Obstacle::Starting | Obstacle::Stopping => "Wait. The next run checks again.".to_owned(),
            Obstacle::UnknownState(_) => format!("Check the state of {id} in the EC2 console."),
            Obstacle::WrongZone(_) | Obstacle::WrongVpc => format!(
                "An interface cannot leave its Availability Zone or VPC. Launch a standby in the zone and VPC of {interface}, \
                 and {}.",
                self.enroll()
            ),
            Obstacle::DeviceIndexTaken(taken) => format!(
                "Deploy with another TOKEN_SERVER_DEVICE_INDEX that is free on every member, or detach {taken} from {id} unless \
                 it is the interface of another license."
            ),
            Obstacle::NoRoom { .. } => self.make_room(id),
            Obstacle::Impaired => format!(
                "Stop the instance. Once it has stopped, start it again:\n{}\n{}",
                self.command(&format!("stop-instances --instance-ids {id}")),
                self.command(&format!("start-instances --instance-ids {id}"))
            ),
            Obstacle::StatusChecksUnreadable => {
                "Grant the function's role ec2:DescribeInstanceStatus if it lacks it. Otherwise wait: the next run checks \
                 again."
                    .to_owned()
            }
            Obstacle::NotStarted => format!(
                "Wait: the function tries again by itself. If EC2 has no capacity for this instance type, another instance \
                 type may have capacity now. To start {id} yourself:\n{}",
                self.command(&format!("start-instances --instance-ids {id}"))
            ),
            Obstacle::LeavingItsGroup => "Wait until the group has launched a replacement. If it launches none, raise its \
                 maximum size or its desired capacity."
                .to_owned(),
            Obstacle::BeingTaken => format!(
                "Launch another standby in the interface's Availability Zone, preferably not a Spot Instance, and {}.",
                self.enroll()
            ),
            Obstacle::MayNotStart => format!(
                "Deploy with FAILOVER_START_STANDBY=true, or start the instance:\n{}",
                self.command(&format!("start-instances --instance-ids {id}"))
            ),
        };
        Finding::new(FindingCode::StandbyNotViable, id, format!("{id} cannot take the interface: {obstacle}."), remedy)
    }

    /// A running standby that a running holder does not hand over to, because AWS has scheduled an event for both.
    pub(super) fn standby_about_to_go(&self, id: &InstanceId) -> Finding {
        Finding::new(
            FindingCode::StandbyNotViable,
            id,
            format!("{id} could take the interface, but AWS has scheduled a change to it as well."),
            format!(
                "Stop and start it before the date, so that it moves to other hardware:\n{}\n{}",
                self.command(&format!("stop-instances --instance-ids {id}")),
                self.command(&format!("start-instances --instance-ids {id}"))
            ),
        )
    }

    /// A stopped standby that a running holder does not hand over to.
    pub(super) fn standby_in_doubt(&self, id: &InstanceId) -> Finding {
        Finding::new(
            FindingCode::StandbyNotViable,
            id,
            format!(
                "{id} is stopped. EC2 could not start it in the last day, or AWS has scheduled a change to it as well, so the \
                 running holder keeps the interface."
            ),
            format!("Start it yourself:\n{}", self.command(&format!("start-instances --instance-ids {id}"))),
        )
    }

    /// The instance that has the interface has failed already.
    pub fn holder_failed(&self, attachment: &Attachment) -> Finding {
        let interface = self.config.interface_id.to_string();
        let (resource, holder) = match &attachment.instance_id {
            Some(holder) => (holder.to_string(), format!("{holder}, which holds the license interface,")),
            None => (interface, "The license interface's holder".to_owned()),
        };
        Finding::new(
            FindingCode::HolderFailed,
            resource,
            format!("{holder} is not running, or its EC2 status checks fail."),
            "Wait a minute: the next reconcile moves the interface if a standby can take it. An audit never moves the \
             interface."
                .to_owned(),
        )
    }

    /// The instance has no room for another interface.
    pub fn standby_without_room(&self, instance: &Instance, limit: u32) -> Finding {
        let (id, kind) = (&instance.id, &instance.instance_type);
        Finding::new(
            FindingCode::StandbyWithoutRoom,
            id,
            format!(
                "{id} cannot take the interface: it already has as many interfaces as a {kind} can have ({limit})."
            ),
            self.make_room(id),
        )
    }

    /// Another interface of the holder is at the configured device index.
    pub fn device_index_taken(&self, attachment: &Attachment, other: &NetworkInterfaceId) -> Finding {
        let (interface, wanted) = (&self.config.interface_id, self.config.device_index);
        let holder = attachment.instance_id.as_ref().map_or("its holder", InstanceId::as_str);
        let now = attachment.device_index;
        let to = if now > 0 {
            format!("TOKEN_SERVER_DEVICE_INDEX={now}, where the interface is now, or with another index")
        } else {
            "another TOKEN_SERVER_DEVICE_INDEX".to_owned()
        };
        Finding::new(
            FindingCode::DeviceIndexTaken,
            holder,
            format!(
                "TOKEN_SERVER_DEVICE_INDEX is {wanted}, but {other} has that device index on {holder}, and {interface} has {now}. \
                 After a move, {interface} could not come back to {holder}. If {other} belongs to another license and moves to \
                 the same standby with that index, only one of the two interfaces can be attached there."
            ),
            format!(
                "Deploy with {to} that is free on every member and that no other license has. Or detach {other} from {holder}, \
                 unless it is the interface of another license."
            ),
        )
    }

    fn make_room(&self, id: &InstanceId) -> String {
        format!(
            "Detach an interface that {id} does not need, or change its instance type. To list its interfaces:\n{}",
            self.command(&format!(
                "describe-network-interfaces --filters Name=attachment.instance-id,Values={id} --query \
                 'NetworkInterfaces[].[NetworkInterfaceId,Attachment.DeviceIndex,Description]' --output table"
            ))
        )
    }

    /// EC2 did not say how many interfaces an instance of this type can have.
    pub fn unknown_instance_type(&self, instance: &Instance) -> Finding {
        Finding::new(
            FindingCode::NotAudited,
            &instance.id,
            format!(
                "EC2 does not know the instance type {} of {}, so the audit could not check whether there is room for \
                 the interface.",
                instance.instance_type, instance.id
            ),
            "Count its interfaces, and look up the limit of its type in the EC2 console.".to_owned(),
        )
    }

    /// The members' primary interfaces are in the license interface's subnet.
    pub fn same_subnet(&self, members: &[InstanceId]) -> Finding {
        Finding::new(
            FindingCode::SameSubnet,
            &self.config.interface_id,
            format!(
                "The license interface is in the same subnet as the primary interface of {}. Linux then answers clients \
                 through the wrong interface, unless the license interface has its own routing table.",
                join(members)
            ),
            "Amazon Linux 2023 sets this up automatically. On Ubuntu 24.04, cloud-init does so at every boot only if a file in \
             /etc/cloud/cloud.cfg.d has the line \"updates: {network: {when: [boot, hotplug]}}\". Without it, a standby that \
             was stopped boots without an address on the interface. On other systems, add a rule for the license interface's \
             address: see the EC2 User Guide, \"Configure your Amazon EC2 instance for multiple network interfaces\"."
                .to_owned(),
        )
    }

    /// EC2 may recover members automatically.
    pub fn auto_recovery(&self, members: &[InstanceId]) -> Finding {
        let commands: Vec<String> = members
            .iter()
            .map(|member| {
                self.command(&format!(
                    "modify-instance-maintenance-options --instance-id {member} --auto-recovery disabled"
                ))
            })
            .collect();
        Finding::new(
            FindingCode::AutoRecovery,
            &self.config.interface_id,
            format!(
                "EC2 automatically recovers {} when the hardware fails. A recovered instance comes back without the license \
                 interface if the interface has moved by then.",
                join(members)
            ),
            format!(
                "No action needed if a recovered instance may serve as a standby. To turn automatic recovery off:\n{}",
                commands.join("\n")
            ),
        )
    }

    /// Termination protection is off for members.
    pub fn termination_protection(&self, members: &[InstanceId]) -> Finding {
        let commands: Vec<String> = members
            .iter()
            .map(|member| {
                self.command(&format!("modify-instance-attribute --instance-id {member} --disable-api-termination"))
            })
            .collect();
        Finding::new(
            FindingCode::TerminationProtection,
            &self.config.interface_id,
            format!("Termination protection is off for {}.", join(members)),
            format!("Turn it on to prevent a termination by mistake:\n{}", commands.join("\n")),
        )
    }

    /// AWS has announced a change to an instance, under this event type code.
    pub fn announcement(
        &self,
        what: Announced,
        code: &str,
        instance: &InstanceId,
        date: Option<DateTime<Utc>>,
        is_holder: bool,
    ) -> Finding {
        let on = date.map_or_else(String::new, |date| format!(" on {}", date.format("%Y-%m-%d %H:%M UTC")));
        let message = match what {
            Announced::Retirement => {
                format!("AWS will retire the hardware of {instance}{on}. It will stop or terminate the instance then.")
            }
            Announced::Termination => format!("AWS will terminate {instance}{on}."),
            Announced::Stop => format!("AWS will stop {instance}{on}."),
            Announced::Reboot => format!("AWS will reboot {instance}{on}."),
            Announced::PowerMaintenance => format!(
                "AWS will work on the power supply of {instance}{on}. The instance will be down for a short time and will be \
                 rebooted."
            ),
            Announced::NetworkMaintenance => format!(
                "AWS will work on the network of {instance}{on}. The instance will be unreachable for a short time."
            ),
            Announced::Change => format!("AWS has scheduled a change to {instance}{on} ({code})."),
        };
        let move_first = "Before that, move the interface at a time that suits you: invoke the function with \
                          {\"action\":\"failover\"}.";
        let move_first = if is_holder { move_first } else { "" };
        let remedy = match what {
            Announced::Retirement | Announced::Stop => format!(
                "{} stop {instance} and start it again, which moves it to other hardware:\n{}\n{}",
                if is_holder { format!("{move_first} Then") } else { "Before that,".to_owned() },
                self.command(&format!("stop-instances --instance-ids {instance}")),
                self.command(&format!("start-instances --instance-ids {instance}"))
            ),
            Announced::Termination => {
                format!("{move_first} Launch a replacement instance, and {}.", self.enroll())
            }
            Announced::Reboot | Announced::PowerMaintenance | Announced::NetworkMaintenance if is_holder => format!(
                "{move_first} If you do not, clients have no licenses until the instance is back, or until the function moves the \
                 interface because the status checks fail."
            ),
            Announced::Reboot | Announced::PowerMaintenance | Announced::NetworkMaintenance => {
                format!("No action needed unless {instance} holds the interface by then.")
            }
            Announced::Change => format!("The AWS Health Dashboard says what will change. {move_first}"),
        };
        Finding::new(what.finding_code(), instance, message, remedy.trim().to_owned())
    }
}
