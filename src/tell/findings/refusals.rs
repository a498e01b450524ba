//! The findings about a refusal.

use crate::model::config::Members;
use crate::model::error::CallError;
use crate::model::finding::{Finding, FindingCode};
use crate::model::ids::{AttachmentId, InstanceId};
use crate::model::observation::InstanceState;
use crate::model::plan::{MoveCause, Obstacle, Refusal, Standby, Verdict};
use crate::tell::findings::advisor::{Advisor, join};

impl Advisor<'_> {
    /// The findings of a refusal: the reason first, then the obstacle of each standby.
    pub fn refusal(&self, refusal: &Refusal, standbys: &[Standby]) -> Vec<Finding> {
        let mut findings = vec![self.refused(refusal)];
        if matches!(refusal, Refusal::NoViableStandby | Refusal::NowhereToGo { .. } | Refusal::HolderNotStarted { .. })
        {
            let nowhere = matches!(refusal, Refusal::NowhereToGo { .. });
            findings.extend(standbys.iter().filter_map(|standby| match &standby.verdict {
                Verdict::NotViable(obstacle) => Some(self.standby(&standby.instance_id, obstacle)),
                Verdict::Running => nowhere.then(|| self.standby_about_to_go(&standby.instance_id)),
                Verdict::Stopped => nowhere.then(|| self.standby_in_doubt(&standby.instance_id)),
            }));
        }
        findings
    }

    /// The reason of a refusal.
    pub fn refused(&self, refusal: &Refusal) -> Finding {
        match refusal {
            Refusal::InterfaceMissing => self.interface_missing(),
            Refusal::HeldByStranger { holder, attachment_id } => {
                self.held_by_non_member(holder.as_ref(), attachment_id)
            }
            Refusal::PrimaryInterface { holder, state, attachment_id } => {
                self.primary_interface(holder, state.as_ref(), attachment_id)
            }
            Refusal::NoViableStandby => self.no_viable_standby(),
            Refusal::NowhereToGo { holder, cause } => self.nowhere_to_go(holder, *cause),
            Refusal::TargetNotViable { target, obstacle } => self.target_not_viable(target, obstacle),
            Refusal::TargetNotAMember { target } => self.target_not_a_member(target),
            Refusal::HolderNotStarted { holder } => self.holder_not_started(holder),
            Refusal::StillAttaching { to } => self.still_attaching(to),
            Refusal::TooManyMoves { moves } => self.too_many_moves(moves.len()),
            Refusal::NoMembers => self.no_members(),
            Refusal::TooManyMembers { count } => self.too_many_members(*count),
            Refusal::PermissionDenied(error) => self.permission_denied(error),
            Refusal::AmbiguousAnswer(error) => self.ambiguous_answer(error),
            Refusal::CallRejected(error) => self.call_rejected(error),
        }
    }

    fn interface_missing(&self) -> Finding {
        let interface = &self.config.interface_id;
        Finding::new(
            FindingCode::InterfaceMissing,
            interface,
            format!("EC2 does not know {interface}. If the interface was deleted, its MAC address is lost forever."),
            format!(
                "Check whether it is in another account (with credentials of that account) or in another Region (with \
                     another --region):\n{}\nIf it is gone, create a new interface, ask {} for a license \
                     for its MAC address, and deploy with the new interface's id.",
                self.command(&format!(
                    "describe-network-interfaces --network-interface-ids {interface} --query \
                         'NetworkInterfaces[].[OwnerId,AvailabilityZone,MacAddress]' --output text"
                )),
                self.config.license_contact
            ),
        )
    }

    fn held_by_non_member(&self, holder: Option<&InstanceId>, attachment_id: &AttachmentId) -> Finding {
        let interface = &self.config.interface_id;
        let detach = self.command(&format!("detach-network-interface --attachment-id {attachment_id}"));
        let Some(holder) = holder else {
            return Finding::new(
                FindingCode::HeldByStranger,
                interface,
                format!("{interface} is attached to something that is not an instance."),
                format!("Detach the interface, and the next run attaches it to a member:\n{detach}"),
            );
        };
        Finding::new(
            FindingCode::HeldByStranger,
            holder,
            format!("{interface} is attached to {holder}, which {}.", self.not_a_member()),
            format!(
                "If the interface belongs there, {}. If not, detach the interface, and the next run attaches it to a \
                 member:\n{detach}",
                self.make_a_member(holder)
            ),
        )
    }

    fn primary_interface(
        &self,
        holder: &InstanceId,
        state: Option<&InstanceState>,
        attachment_id: &AttachmentId,
    ) -> Finding {
        use InstanceState::{ShuttingDown, Terminated};
        let interface = &self.config.interface_id;
        let remedy = if matches!(state, Some(ShuttingDown | Terminated) | None) {
            format!(
                "Wait. EC2 frees the interface some time after {holder} has been terminated, and the next run then moves it. \
                 If EC2 does not free it within ten minutes, open a case with AWS Support."
            )
        } else {
            format!(
                "Terminating {holder} frees the interface, and the function then moves it. First set DeleteOnTermination \
                 to false, and check with an audit that a standby can take the interface:\n{}\nThen, if you no longer \
                 need {holder} and its disks, turn its termination protection off and terminate it:\n{}\n{}",
                self.keep_on_termination(interface, attachment_id),
                self.command(&format!("modify-instance-attribute --instance-id {holder} --no-disable-api-termination")),
                self.command(&format!("terminate-instances --instance-ids {holder}"))
            )
        };
        let state = state.map_or_else(|| "unknown to EC2".to_owned(), ToString::to_string);
        Finding::new(
            FindingCode::PrimaryInterface,
            holder,
            format!(
                "{interface} is the primary interface (device index 0) of {holder}, which is {state}. EC2 never \
                         detaches a primary interface."
            ),
            remedy,
        )
    }

    fn target_not_viable(&self, target: &InstanceId, obstacle: &Obstacle) -> Finding {
        Finding::new(
            FindingCode::TargetNotViable,
            target,
            format!("{target} cannot take the interface: {obstacle}."),
            format!(
                "Fix {target} and try again, or request a failover without \"to\" to use the first viable standby."
            ),
        )
    }

    fn target_not_a_member(&self, target: &InstanceId) -> Finding {
        Finding::new(
            FindingCode::TargetNotAMember,
            target,
            format!("{target} {}, so it may not hold the interface.", self.not_a_member()),
            match &self.config.members {
                Members::Listed(ids) => format!("Request a failover to one of the members: {}.", join(ids)),
                Members::Tagged(tag) => format!(
                    "Request a failover to an instance with the tag {tag} in the interface's VPC and zone, or give the instance \
                     the tag."
                ),
            },
        )
    }

    fn too_many_moves(&self, moves: usize) -> Finding {
        let interface = &self.config.interface_id;
        let times = if moves == 1 { "time" } else { "times" };
        Finding::new(
            FindingCode::TooManyMoves,
            interface,
            format!(
                "The interface moved, or its holder was started, {moves} {times} in the last hour, and \
                 FAILOVER_MAX_MOVES_PER_HOUR allows {}.",
                self.config.max_moves_per_hour
            ),
            "Find out why the servers keep failing. To move the interface now despite the limit, invoke the function with \
             {\"action\":\"failover\"}."
                .to_owned(),
        )
    }

    fn ambiguous_answer(&self, error: &CallError) -> Finding {
        let interface = &self.config.interface_id;
        Finding::new(
            FindingCode::AmbiguousAnswer,
            interface,
            format!("EC2's answer does not match the request, so nothing was changed. {error}."),
            "Check the interface in the EC2 console. If this persists, open a case with AWS Support and quote the \
                 request id."
                .to_owned(),
        )
    }

    fn call_rejected(&self, error: &CallError) -> Finding {
        let interface = &self.config.interface_id;
        Finding::new(
            FindingCode::CallRejected,
            interface,
            format!("EC2 rejects a call that the failover needs. {error}."),
            "Read EC2's message: it says what must change. The next run tries again.".to_owned(),
        )
    }

    /// No standby can take the interface.
    pub fn no_viable_standby(&self) -> Finding {
        Finding::new(
            FindingCode::NoViableStandby,
            &self.config.interface_id,
            "No standby can take the interface now.".to_owned(),
            "Make one of the standbys viable: each has its own finding. The next run that needs a standby uses it."
                .to_owned(),
        )
    }

    fn nowhere_to_go(&self, holder: &InstanceId, cause: MoveCause) -> Finding {
        let waits = if cause == MoveCause::AutoScalingTermination {
            " The function does not complete the lifecycle action, so the group waits until the action times out."
        } else {
            ""
        };
        Finding::new(
            FindingCode::NoViableStandby,
            &self.config.interface_id,
            format!(
                "No standby can take the interface, and {}. {holder} is running and keeps the interface until then.{waits}",
                cause.in_words()
            ),
            "Make one of the standbys viable: each has its own finding. The next run then moves the interface."
                .to_owned(),
        )
    }
}
