//! Where an exercise that ends early leaves the interface.

use token_failover::decide::pending::report::PendingReport;
use token_failover::model::ids::InstanceId;
use token_failover::model::observation::{AttachmentStatus, NetworkInterface};

/// The state in words, and the commands that end it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whereabouts {
    /// One or more sentences.
    pub state: String,
    /// The commands, and what each does; empty: nothing is to be done.
    pub commands: Vec<(String, String)>,
}

/// Where the interface is, what the function does about it, and what the operator can do at once.
///
/// `interface`: as EC2 shows it now; `None`: EC2 did not tell. `from`: the holder before the exercise. `stopped`: the instance
/// that the exercise stopped and has not started again.
pub fn whereabouts(
    interface: Option<&NetworkInterface>,
    from: &InstanceId,
    stopped: Option<&InstanceId>,
    region: Option<&str>,
) -> Whereabouts {
    let region = region.map(|region| format!(" --region {region}")).unwrap_or_default();
    let mut commands = Vec::new();
    let mut state = match interface {
        None => {
            "EC2 did not tell where the interface is. If it is attached to nothing, the function attaches it within a \
                 minute or two."
                .to_owned()
        }
        Some(NetworkInterface { id, attachment: None, .. }) => {
            commands.push(("attach it at once".to_owned(), "token-failover failover --yes".to_owned()));
            format!(
                "{id} is attached to nothing, so no licenses are served. The function attaches it within a minute or two."
            )
        }
        Some(NetworkInterface { id, attachment: Some(attachment), tags, .. }) => {
            let at = attachment.instance_id.as_ref().map_or("an unknown instance", InstanceId::as_str);
            let pending = PendingReport::read_all(tags).iter().any(|report| report.is_move() && !report.reported);
            match attachment.status {
                AttachmentStatus::Attached => {
                    if attachment.instance_id.as_ref() != Some(from) {
                        let back = format!("token-failover failover --to {from}");
                        commands.push(("move it back".to_owned(), back));
                    }
                    let report = " The function publishes the report of the move within minutes.";
                    format!("{id} is attached to {at}.{}", if pending { report } else { "" })
                }
                AttachmentStatus::Detaching => {
                    format!("EC2 is detaching {id} from {at}. The function attaches it again within a minute or two.")
                }
                AttachmentStatus::Attaching | AttachmentStatus::Detached => {
                    format!("{id} is on its way to {at}. The function waits for it, and reports the move.")
                }
            }
        }
    };
    if let Some(stopped) = stopped {
        state += &format!(" {stopped} is stopped, or is stopping.");
        let start = format!("aws ec2 start-instances --instance-ids {stopped}{region}");
        commands.push((format!("start {stopped} again, once it is stopped"), start));
    }
    Whereabouts { state, commands }
}
