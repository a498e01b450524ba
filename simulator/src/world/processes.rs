//! The processes of AWS.

use std::time::Duration;

use super::state::World;
use crate::model::Process;

impl World {
    /// Takes all steps that are due until `now`.
    pub fn advance(&mut self, now: Duration) {
        while self.step(now).is_some() {}
        self.now = self.now.max(now);
    }

    /// Takes the next step that is due until `now`, at its own time.
    pub(crate) fn step(&mut self, now: Duration) -> Option<Process> {
        let entry = self.agenda.first_entry()?;
        let (due, _) = *entry.key();
        if due > now {
            return None;
        }
        let process = entry.remove();
        self.now = self.now.max(due);
        self.complete(&process);
        Some(process)
    }

    /// The time of the next step.
    pub fn next_due(&self) -> Option<Duration> {
        self.agenda.keys().next().map(|(due, _)| *due)
    }

    fn complete(&mut self, process: &Process) {
        match process {
            Process::Attach { attachment_id } => self.complete_attach(attachment_id),
            Process::Detach { attachment_id } => self.complete_detach(attachment_id),
            Process::Boot { instance_id, transition } => self.complete_boot(instance_id, *transition),
            Process::Checks { instance_id, transition } => self.complete_checks(instance_id, *transition),
            Process::Stop { instance_id, transition } => self.complete_stop(instance_id, *transition),
            Process::Terminate { instance_id, transition } => self.complete_terminate(instance_id, *transition),
            Process::Forget { instance_id } => {
                self.region_mut().instances.remove(instance_id);
            }
            Process::Deliver { command_id, instance_id } => self.deliver_command(command_id, instance_id),
            Process::Finish { command_id, instance_id } => self.finish_command(command_id, instance_id),
            Process::CheckGroups => self.check_groups(),
            Process::TimeOutAction { group, token } => self.time_out_action(group, token),
            Process::GiveUp { command_id, instance_id } => self.give_up_command(command_id, instance_id),
        }
    }
}
