//! Lets Auto Scaling terminate the members that do not have the interface anymore.

use tokio::time::timeout_at;

use crate::act::function::Failover;
use crate::act::run::Run;
use crate::decide::lifecycle::{hook, to_complete};
use crate::decide::pending::Pending;
use crate::model::ids::InstanceId;
use crate::model::report::Step;
use crate::ports::{AutoScaling, Ports};

impl<P: Ports> Failover<P> {
    /// Completes the lifecycle actions that are due, after the report. Every run that sees one of them tries.
    ///
    /// A completion cannot be undone, so it rests on answers that are newer than every change of this run. It also waits for the
    /// reports of other runs: such a run may be about to give the interface back.
    pub(crate) async fn release(&self, run: &mut Run<'_, P::Ec2>, pending: &Pending) {
        let are_due = run.observation.as_ref().is_some_and(|seen| !to_complete(&self.config, seen).is_empty());
        if !are_due {
            return;
        }
        let ends = run.clock.publishing_ends();
        let releasing = async {
            let observation = run.read().await;
            if observation.interface().is_none_or(|interface| pending.awaits_a_report(interface)) {
                return;
            }
            for member in to_complete(&self.config, &observation) {
                if let Some(group) = &member.auto_scaling_group {
                    self.complete(run, group, &member.id).await;
                }
            }
        };
        // The record of a step that is cut off says so, and the next run tries again.
        let _ = timeout_at(ends, releasing).await;
    }

    async fn complete(&self, run: &mut Run<'_, P::Ec2>, group: &str, member: &InstanceId) {
        let (name, error) = match self.ec2.termination_hooks(group).await {
            Err(error) => (None, Some(error)),
            Ok(hooks) => match hook(&hooks) {
                None => (None, None),
                Some(name) => {
                    let completing = self.ec2.complete_termination(group, name, member);
                    match run.step(Step::CompleteLifecycleAction, member, completing).await {
                        Ok(_) => return,
                        Err(error) => (Some(name.clone()), Some(error)),
                    }
                }
            },
        };
        let finding = run.advisor().lifecycle_action_open(member, group, name.as_deref(), error.as_ref());
        run.findings.push(finding);
    }
}
