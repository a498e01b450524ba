//! The findings about moves and starts, about a pause, and about what a run writes on the interface.

use chrono::SecondsFormat;

use crate::decide::attachment::MoveByOther;
use crate::model::error::CallError;
use crate::model::finding::{Finding, FindingCode, Severity};
use crate::model::ids::{AttachmentId, InstanceId};
use crate::model::observation::StateReason;
use crate::model::pause::Pause;
use crate::model::plan::Standby;
use crate::tell::findings::advisor::{Advisor, HOW_TO_END_IT};

impl Advisor<'_> {
    /// The function is paused.
    pub fn paused(&self, pause: &Pause) -> Finding {
        let message = format!(
            "token-failover is paused until {}. Until then it does not move the interface, start a member or repair anything \
             on its own.",
            pause.in_words()
        );
        Finding::new(FindingCode::Paused, &self.config.interface_id, message, HOW_TO_END_IT.to_owned())
    }

    /// Something other than the function has moved the interface.
    pub fn moved_by_other(&self, moved: &MoveByOther) -> Finding {
        let MoveByOther { from, to, again } = moved;
        let interface = &self.config.interface_id;
        let named = |instance: Option<&InstanceId>| {
            instance.map_or_else(|| "something that is not an instance".to_owned(), ToString::to_string)
        };
        let (there, here) = (named(from.instance.as_ref()), named(to.instance_id.as_ref()));
        let what = if there == here {
            format!("detached {interface} from {there} and attached it there again")
        } else {
            format!("moved {interface} from {there} to {here}")
        };
        let (severity, again) = if *again {
            (Severity::Warning, " This is not the first time within a day.")
        } else {
            (Severity::Info, "")
        };
        // CloudTrail can look for the name of an event, but not for every resource in it. The event itself names the attachment.
        let since = from.at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let look_up = |event: &str, attachment: &AttachmentId| {
            self.command_of(
                "cloudtrail",
                &format!(
                    "lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue={event} --start-time {since} --query \
                     \"Events[?contains(CloudTrailEvent, '{attachment}')].[EventTime,EventName,Username]\" --output text"
                ),
            )
        };
        Finding::new(
            FindingCode::MovedBySomebody,
            interface,
            format!("Something other than token-failover {what}.{again}"),
            format!(
                "Ask CloudTrail who attached the interface, and who detached it before. An event appears there some minutes \
                 after the call:\n{}\n{}\nIf it was Terraform, CDK or CloudFormation, change the code as \
                 docs/infrastructure-as-code.md says, or the next apply may do it again. To move the interface yourself, use \
                 failover.",
                look_up("AttachNetworkInterface", &to.id),
                look_up("DetachNetworkInterface", &from.attachment)
            ),
        )
        .as_severe_as(severity)
    }

    /// The interface is attached to nothing, and the run could not change that.
    pub fn attached_to_nothing(&self, standbys: &[Standby]) -> Finding {
        let interface = &self.config.interface_id;
        let viable = standbys.iter().find(|standby| standby.verdict.is_viable()).map(|standby| &standby.instance_id);
        let target = viable.or(self.config.members.listed().first()).map_or_else(String::new, ToString::to_string);
        Finding::new(
            FindingCode::AttachedToNothing,
            interface,
            format!("{interface} is not attached to any instance, so no token server has the license's MAC address."),
            format!(
                "The next scheduled run tries to attach the interface, unless the function is paused. To attach the interface \
                 yourself:\n{}",
                self.command(&format!(
                    "attach-network-interface --network-interface-id {interface} --instance-id {target} --device-index {}",
                    self.config.device_index
                ))
            ),
        )
    }

    /// The interface went back to its former holder.
    pub fn returned(&self, to: &InstanceId) -> Finding {
        Finding::new(
            FindingCode::ReturnedToFormerHolder,
            to,
            format!("No standby could take the interface, so the function gave it back to {to}."),
            format!(
                "Fix the standbys: the other findings, or the failed steps in the report, say what went wrong. Check that {to} \
                 serves licenses."
            ),
        )
    }

    /// The interface is on a standby that could not be started. EC2 gives a reason if it stopped again after its start.
    pub fn not_started(&self, standby: &InstanceId, reason: Option<&StateReason>) -> Finding {
        let reason = reason.map_or_else(String::new, |reason| format!(" EC2's reason: {reason}."));
        Finding::new(
            FindingCode::StandbyNotStarted,
            standby,
            format!("The license interface is on {standby}, but that instance could not be started.{reason}"),
            format!(
                "The next run tries again. To start it yourself:\n{}",
                self.command(&format!("start-instances --instance-ids {standby}"))
            ),
        )
    }

    /// The holder is stopped, no standby could take the interface, and EC2 could not start the holder.
    pub fn holder_not_started(&self, holder: &InstanceId) -> Finding {
        Finding::new(
            FindingCode::HolderNotStarted,
            holder,
            format!(
                "{holder} holds the license interface and is stopped. No standby can take the interface, and EC2 could not \
                 start {holder}."
            ),
            format!(
                "The function tries again after one minute, then two, then four, then every five minutes. To start it \
                 yourself:\n{}",
                self.command(&format!("start-instances --instance-ids {holder}"))
            ),
        )
    }

    /// EC2 is attaching the interface slowly.
    pub fn still_attaching(&self, to: &InstanceId) -> Finding {
        let interface = &self.config.interface_id;
        Finding::new(
            FindingCode::StillAttaching,
            to,
            format!(
                "EC2 has been attaching {interface} to {to} for minutes. The function can do nothing else until the attach \
                 ends."
            ),
            format!(
                "Wait: every run checks again and continues as soon as EC2 is done. If this takes more than ten minutes, open \
                 a case with AWS Support. To see the attachment:\n{}",
                self.command(&format!(
                    "describe-network-interfaces --network-interface-ids {interface} --query \
                     'NetworkInterfaces[].[Status,Attachment.InstanceId,Attachment.Status]' --output text"
                ))
            ),
        )
    }

    /// The interface was detached by force.
    pub fn forced(&self, from: &InstanceId) -> Finding {
        Finding::new(
            FindingCode::DetachedByForce,
            from,
            format!(
                "The function detached the interface from {from} by force. EC2 warns that the device index may stay unusable, \
                 and the instance metadata out of date, until {from} has been stopped and started."
            ),
            format!(
                "Before you move the interface back, stop {from} and start it again:\n{}\n{}",
                self.command(&format!("stop-instances --instance-ids {from}")),
                self.command(&format!("start-instances --instance-ids {from}"))
            ),
        )
    }

    /// The standby was started, and did not run yet when the run had to answer.
    pub fn still_starting(&self, standby: &InstanceId) -> Finding {
        Finding::new(
            FindingCode::StandbyStillStarting,
            standby,
            format!(
                "The function started {standby}, which holds the interface. The instance was not yet running when this report \
                 was written."
            ),
            format!(
                "Check again in a minute:\n{}",
                self.command(&format!(
                    "describe-instances --instance-ids {standby} --query 'Reservations[].Instances[].State.Name' --output text"
                ))
            ),
        )
    }

    /// The pending report could not be written before the change.
    pub fn mark_not_written(&self, error: &CallError) -> Finding {
        self.call_failed(
            FindingCode::MarkNotWritten,
            &self.config.interface_id,
            "The function could not note the change on the interface. If the run had died during the change, no report would \
             have been sent.",
            error,
        )
    }

    /// The pending report could not be removed after it was published.
    pub fn mark_not_removed(&self, error: &CallError) -> Finding {
        self.call_failed(
            FindingCode::MarkNotRemoved,
            &self.config.interface_id,
            "The function could not remove the note of a pending report, so the report will be published again.",
            error,
        )
    }
}
