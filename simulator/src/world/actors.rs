//! Actions of others on the world: people, Auto Scaling, the hardware. They are not calls of the program under test, so
//! the journal does not have them.

use super::{
    instances::{StartInstances, StopInstances, TerminateInstances},
    interfaces::{AttachNetworkInterface, DetachNetworkInterface},
    operations::Operation,
    state::World,
};
use crate::model::{ApiError, AutoRecovery, Capacity, Check, ScheduledEvent, Timings};

impl World {
    /// Makes a call as another actor, now.
    pub fn act<O: Operation>(&mut self, operation: O) -> Result<O::Answer, ApiError> {
        self.call(self.now, operation)
    }

    /// Sets the durations of processes that begin from now on. Processes that have begun end at their time.
    pub fn set_timings(&mut self, timings: Timings) {
        self.region_mut().timings = timings;
    }

    pub fn start(&mut self, instance_id: &str) -> Result<(), ApiError> {
        self.act(StartInstances::of(instance_id)).map(drop)
    }

    pub fn stop(&mut self, instance_id: &str) -> Result<(), ApiError> {
        self.act(StopInstances::of(instance_id)).map(drop)
    }

    pub fn terminate(&mut self, instance_id: &str) -> Result<(), ApiError> {
        self.act(TerminateInstances::of(instance_id)).map(drop)
    }

    /// Makes the instance hang: it stays `running`, its status checks fail, and only a forced detach frees its
    /// interfaces.
    pub fn crash(&mut self, instance_id: &str) -> Result<(), ApiError> {
        self.set_checks(instance_id, Check::Ok, Check::Impaired)?;
        self.set_hung(instance_id, true)
    }

    pub fn set_checks(&mut self, instance_id: &str, system: Check, instance: Check) -> Result<(), ApiError> {
        let changed = self.region_mut().instance_mut(instance_id)?;
        (changed.system_check, changed.instance_check) = (system, instance);
        Ok(())
    }

    /// Sets the attached EBS status check: `Impaired` means that a volume no longer completes reads and writes.
    pub fn set_attached_ebs(&mut self, instance_id: &str, check: Option<Check>) -> Result<(), ApiError> {
        self.region_mut().instance_mut(instance_id)?.attached_ebs_check = check;
        Ok(())
    }

    /// AWS schedules this event for an instance, in place of everything that it had scheduled for it.
    ///
    /// # Panics
    ///
    /// If the instance does not exist, or `not_before` is not a date in RFC 3339.
    pub fn schedule_event(&mut self, instance_id: &str, code: &'static str, not_before: &str) {
        let not_before = not_before.parse().expect("a date in RFC 3339");
        let event = ScheduledEvent { code, description: String::new(), not_before };
        self.region_mut().instance_mut(instance_id).expect("it exists").scheduled_events = vec![event];
    }

    /// Sets whether a plain detach from the instance never ends.
    pub fn set_hung(&mut self, instance_id: &str, hung: bool) -> Result<(), ApiError> {
        self.region_mut().instance_mut(instance_id)?.hung = hung;
        Ok(())
    }

    pub fn set_capacity(&mut self, instance_id: &str, capacity: Capacity) -> Result<(), ApiError> {
        self.region_mut().instance_mut(instance_id)?.capacity = capacity;
        Ok(())
    }

    /// Sets the termination protection of the instance.
    pub fn set_disable_api_termination(&mut self, instance_id: &str, value: bool) -> Result<(), ApiError> {
        self.region_mut().instance_mut(instance_id)?.disable_api_termination = value;
        Ok(())
    }

    pub fn set_auto_recovery(&mut self, instance_id: &str, value: AutoRecovery) -> Result<(), ApiError> {
        self.region_mut().instance_mut(instance_id)?.auto_recovery = value;
        Ok(())
    }

    /// Changes the type of the instance, in any state.
    pub fn set_instance_type(&mut self, instance_id: &str, instance_type: &str) -> Result<(), ApiError> {
        let instance_type = self.region().instance_type(instance_type)?.clone();
        let instance = self.region_mut().instance_mut(instance_id)?;
        instance.interface_limit = instance_type.maximum_network_interfaces();
        instance.instance_type.clone_from(&instance_type.name);
        Ok(())
    }

    pub fn set_source_dest_check(&mut self, interface_id: &str, value: bool) -> Result<(), ApiError> {
        self.region_mut().interface_mut(interface_id)?.source_dest_check = value;
        Ok(())
    }

    /// Sets the flag of the interface's attachment, if it has one.
    pub fn set_delete_on_termination(&mut self, interface_id: &str, value: bool) -> Result<(), ApiError> {
        if let Some(attachment) = &mut self.region_mut().interface_mut(interface_id)?.attachment {
            attachment.delete_on_termination = value;
        }
        Ok(())
    }

    /// Detaches the interface as another actor.
    pub fn detach(&mut self, interface_id: &str) -> Result<(), ApiError> {
        match self.attachment_of(interface_id).map(|attachment| attachment.id.clone()) {
            Some(attachment_id) => self.act(DetachNetworkInterface::of(attachment_id)),
            None => Ok(()),
        }
    }

    /// Attaches the interface as another actor.
    pub fn attach(&mut self, interface_id: &str, instance_id: &str, device_index: u32) -> Result<(), ApiError> {
        self.act(AttachNetworkInterface::to(instance_id, interface_id, device_index)).map(drop)
    }

    /// Deletes the interface, even if it is attached, which EC2 would refuse: a program must survive it.
    pub fn delete_interface(&mut self, interface_id: &str) {
        self.region_mut().delete_interface(interface_id);
    }

    /// Disassociates the Elastic IP.
    pub fn disassociate(&mut self, allocation_id: &str) -> Result<(), ApiError> {
        self.region_mut().address_mut(allocation_id)?.association = None;
        Ok(())
    }

    /// Revokes all rules of a group.
    pub fn revoke_rules(&mut self, group_id: &str) -> Result<(), ApiError> {
        self.region_mut().security_group_mut(group_id)?.rules.clear();
        Ok(())
    }
}
