//! Room for the interface on an instance: what a refused attach teaches about the instance's type.
//!
//! The run reads the limit once the interface has its place, because no failover needs it, and writes it on the
//! interface for the next plan.

use std::time::Duration;

use tokio::time::timeout;

use crate::act::run::Run;
use crate::model::change::Attach;
use crate::model::error::CallError;
use crate::model::report::Step;
use crate::model::tags::LIMITS;
use crate::ports::Ec2;

/// How long the report waits for the limits.
const LIMITS_TIMEOUT: Duration = Duration::from_secs(5);

/// The code with which EC2 refuses an attach to an instance that has as many interfaces as its type can have.
/// Source: "Error codes for the Amazon EC2 API".
const NO_ROOM: &str = "AttachmentLimitExceeded";

impl<E: Ec2> Run<'_, E> {
    /// Remembers the type of an instance if EC2 refused the attach because the instance has no room.
    pub(crate) fn learn_of_room(&mut self, attach: &Attach, error: &CallError) {
        if error.code.as_deref() == Some(NO_ROOM) {
            let instance = self.observation.as_ref().and_then(|seen| seen.instance(&attach.instance_id));
            self.types_without_room.extend(instance.map(|instance| instance.instance_type.clone()));
        }
    }
}

impl<E: Ec2> Run<'_, E> {
    /// Reads the limits of the types that had no room, and writes them on the interface. If that fails, the next
    /// refused attach tries it again.
    pub(crate) async fn note_limits(&mut self) {
        let types = std::mem::take(&mut self.types_without_room);
        let Some(remembered) = self.remembered() else { return };
        if types.is_empty() {
            return;
        }
        let ec2 = self.ec2;
        let interface = &self.config.interface_id;
        let names = types.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        let noting = async {
            let read = timeout(LIMITS_TIMEOUT, ec2.interface_limits(&types)).await;
            let gave_up = |why| CallError::gave_up("ec2:DescribeInstanceTypes", why);
            let limits = read.unwrap_or_else(|_| Err(gave_up("there was no answer in time".to_owned())))?;
            if limits.is_empty() {
                return Err(gave_up(format!("EC2 does not describe {names}")));
            }
            let tags = [(LIMITS.to_owned(), remembered.limits_with(&limits))].into();
            ec2.write_tags(interface, &tags).await
        };
        // The report's steps have the outcome. Nothing else depends on it.
        let _ = self.step(Step::NoteLimits, &names, noting).await;
    }
}
