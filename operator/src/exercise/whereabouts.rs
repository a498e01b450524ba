//! Where an exercise that ends early leaves the interface.

use token_failover::decide::pending::report::PendingReport;
use token_failover::model::ids::InstanceId;
use token_failover::model::observation::{Attachment, AttachmentStatus, NetworkInterface};

use super::again::Again;

/// The state in words, and the commands that end it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whereabouts {
    /// One or more sentences.
    pub state: String,
    /// The commands, and what each does; empty: nothing is to be done.
    pub commands: Vec<(String, String)>,
}

impl Whereabouts {
    /// The state, and each command after its purpose.
    pub fn in_words(&self) -> String {
        let commands = self.commands.iter().map(|(purpose, command)| format!("\nTo {purpose}:\n  {command}"));
        format!("{}{}", self.state, commands.collect::<String>())
    }
}

/// Where the interface is, what the function does about it, and what the operator can do at once.
///
/// `interface`: as EC2 shows it now; `None`: EC2 did not tell. `from`: the holder before the exercise. `stopped`: the instance
/// that the exercise stopped, or may have stopped, and has not started again. `started`: the standby that was started for the
/// exercise.
pub fn whereabouts(
    interface: Option<&NetworkInterface>,
    from: &InstanceId,
    stopped: Option<&InstanceId>,
    started: Option<&InstanceId>,
    again: &Again,
    region: &str,
) -> Whereabouts {
    let mut commands = Vec::new();
    let mut command = |purpose: &str, task: &str| commands.push((purpose.to_owned(), again.command(task)));
    let look = "see where it is, and what the function would do";
    let mut state = match interface {
        None => {
            command(look, "plan");
            "EC2 did not tell where the interface is. If it is attached to nothing, the function attaches it within a \
                 minute or two."
                .to_owned()
        }
        Some(NetworkInterface { id, attachment: None, .. }) => {
            command("attach it at once", "failover");
            format!(
                "{id} is attached to nothing, so no licenses are served. The function attaches it within a minute or two."
            )
        }
        Some(NetworkInterface { id, attachment: Some(attachment), tags, .. }) => {
            let at = attachment.instance_id.as_ref().map_or("an unknown instance", InstanceId::as_str);
            match attachment.status {
                AttachmentStatus::Attached => {
                    if attachment.instance_id.as_ref() != Some(from) {
                        command("move it back", &format!("failover --to {from}"));
                    }
                    let reports = PendingReport::read_all(tags).into_iter();
                    let open = reports.filter(|report| report.is_move() && !report.reported);
                    let has_begun: Vec<bool> = open.map(|report| has_begun(&report, attachment)).collect();
                    let report = if has_begun.is_empty() {
                        ""
                    } else if has_begun.contains(&true) {
                        " The function publishes the report of the move within minutes."
                    } else if stopped.is_some() && attachment.instance_id.as_ref() == stopped {
                        // The report is that of the deployed function, which is at work.
                        " The function is about to move it, and reports the move."
                    } else {
                        " The move had not begun, and the function removes its pending report within minutes. Until then, an \
                         exercise is refused."
                    };
                    format!("{id} is attached to {at}.{report}")
                }
                AttachmentStatus::Detaching => {
                    command("attach it as soon as it is free", "failover");
                    format!("EC2 is detaching {id} from {at}. The function attaches it again within a minute or two.")
                }
                AttachmentStatus::Attaching | AttachmentStatus::Detached => {
                    command(look, "plan");
                    format!("{id} is on its way to {at}. The function waits for it, and reports the move.")
                }
            }
        }
    };
    let is_elsewhere = |started: &&InstanceId| {
        let attachment = interface.and_then(|interface| interface.attachment.as_ref());
        attachment.is_some_and(|attachment| attachment.instance_id.as_ref().is_some_and(|at| at != *started))
    };
    if let Some(started) = started.filter(is_elsewhere) {
        state += &format!(" {started} was started for the exercise, and still runs.");
        let stop = format!("aws ec2 stop-instances --instance-ids {started} --region {region}");
        commands.push((format!("stop {started} again"), stop));
    }
    if let Some(stopped) = stopped {
        state += &format!(" {stopped} is stopped, or is stopping.");
        let start = format!("aws ec2 start-instances --instance-ids {stopped} --region {region}");
        commands.push((format!("start {stopped} again, once it is stopped"), start));
    }
    Whereabouts { state, commands }
}

/// Whether the interface, which is attached in this way, has left the attachment that the move was to end.
fn has_begun(report: &PendingReport, attachment: &Attachment) -> bool {
    report.arrival().is_some() || report.departure().0 != Some(&attachment.id)
}
