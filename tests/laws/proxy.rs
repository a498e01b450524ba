//! A proxy between the function and each port. It kills and delays runs, and asks the checker before each change.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use simulator::{Simulator, names};
use token_failover::model::change::{Attach, Change, Ingress};
use token_failover::model::command::{Command, CommandState};
use token_failover::model::config::MemberTag;
use token_failover::model::error::CallError;
use token_failover::model::ids::{
    AllocationId, AssociationId, AttachmentId, CommandId, DocumentName, InstanceId, NetworkInterfaceId, PrefixListId,
    SecurityGroupId,
};
use token_failover::model::notification::Notification;
use token_failover::model::observation::{
    Address, IngressRule, Instance, InstanceStatus, InterfaceLimits, LifecycleState, NetworkInterface,
};
use token_failover::model::readiness::{AclEntry, Route, Subscription};
use token_failover::model::tags::REFUSED;
use token_failover::ports::{AutoScaling, Ec2, Sns, Ssm};
use tokio::time::sleep;

use super::checker::Checker;
use super::scenario::Kill;
use crate::dice::Dice;

tokio::task_local! {
    /// The number of the run that is being polled.
    pub(crate) static RUN: usize;
}

pub(crate) fn current_run() -> Option<usize> {
    RUN.try_with(|run| *run).ok()
}

/// The state that all proxies and observers of one world share: the checker and the dice.
#[derive(Clone)]
pub(crate) struct Watch {
    checker: Arc<Mutex<Checker>>,
    dice: Arc<Mutex<Dice>>,
    max_delay_ms: u64,
}

impl Watch {
    pub(crate) fn new(checker: Checker, dice: Dice, max_delay_ms: u64) -> Self {
        Self { checker: Arc::new(Mutex::new(checker)), dice: Arc::new(Mutex::new(dice)), max_delay_ms }
    }

    /// Do not hold the guard during a call of the simulator: the simulator's observer locks the checker, too.
    pub(crate) fn checker(&self) -> MutexGuard<'_, Checker> {
        self.checker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn dice(&self) -> MutexGuard<'_, Dice> {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn delay(&self) {
        if self.max_delay_ms > 0 {
            let time = self.dice().below(self.max_delay_ms + 1);
            if time > 0 {
                sleep(Duration::from_millis(time)).await;
            }
        }
    }

    /// Counts the call, kills the run if it is to die here, and delays the call.
    async fn before_call(&self) {
        let dies = {
            let mut checker = self.checker();
            let run = &mut checker.runs[RUN.get()];
            run.calls += 1;
            match run.kill {
                Some(Kill::BeforeCall(nth)) if nth == run.calls => run.killed = true,
                Some(Kill::DuringCall(nth)) if nth == run.calls => run.dies_calling = true,
                _ => {}
            }
            run.killed
        };
        if dies {
            pending::<()>().await;
        }
        self.delay().await;
    }

    /// Kills the run if it is to die with this answer, and delays the answer.
    async fn after_call(&self) {
        let dies = {
            let mut checker = self.checker();
            let run = &mut checker.runs[RUN.get()];
            if matches!(run.kill, Some(Kill::AfterCall(nth)) if nth <= run.calls) {
                run.killed = true;
            }
            run.killed
        };
        if dies {
            pending::<()>().await;
        }
        self.delay().await;
    }
}

/// Passes each call on to `inner`, and reports it to the checker.
#[derive(Clone)]
pub(crate) struct Proxy<D> {
    inner: D,
    watch: Watch,
    simulator: Simulator,
}

impl<D> Proxy<D> {
    pub(crate) fn new(inner: D, watch: Watch, simulator: Simulator) -> Self {
        Self { inner, watch, simulator }
    }

    /// Lets everything happen that is due, and then checks the decision of the run.
    fn check(&self, check: impl FnOnce(&mut Checker, usize, Duration)) {
        self.simulator.world(|_| ());
        let now = self.simulator.now();
        check(&mut self.watch.checker(), RUN.get(), now);
    }

    fn learn(&self, learn: impl FnOnce(&mut Checker, usize)) {
        learn(&mut self.watch.checker(), RUN.get());
    }
}

impl<D: Ec2> AutoScaling for Proxy<D> {
    async fn lifecycle_states(
        &self,
        instances: &[InstanceId],
    ) -> Result<BTreeMap<InstanceId, LifecycleState>, CallError> {
        self.watch.before_call().await;
        let answer = self.inner.lifecycle_states(instances).await;
        self.watch.after_call().await;
        self.learn(|checker, run| checker.saw_lifecycle_states(run, &answer));
        answer
    }

    async fn termination_hooks(&self, group: &str) -> Result<Vec<String>, CallError> {
        self.watch.before_call().await;
        let answer = self.inner.termination_hooks(group).await;
        self.watch.after_call().await;
        answer
    }

    async fn complete_termination(&self, group: &str, hook: &str, instance: &InstanceId) -> Result<bool, CallError> {
        self.check(|checker, run, now| checker.completes(run, now, instance));
        self.watch.before_call().await;
        let answer = self.inner.complete_termination(group, hook, instance).await;
        self.watch.after_call().await;
        answer
    }
}

impl<D: Ec2> Ec2 for Proxy<D> {
    async fn network_interface(&self, id: &NetworkInterfaceId) -> Result<Option<NetworkInterface>, CallError> {
        self.watch.before_call().await;
        let answer = self.inner.network_interface(id).await;
        self.watch.after_call().await;
        let now = self.simulator.now();
        self.learn(|checker, run| checker.saw_interface(run, now, &answer));
        answer
    }

    async fn instances(&self, ids: &[InstanceId]) -> Result<Vec<Instance>, CallError> {
        self.watch.before_call().await;
        let answer = self.inner.instances(ids).await;
        self.watch.after_call().await;
        self.learn(|checker, run| checker.saw_instances(run, ids.len(), &answer));
        answer
    }

    async fn instances_with(&self, tag: &MemberTag, among: Option<&[InstanceId]>) -> Result<Vec<Instance>, CallError> {
        self.watch.before_call().await;
        let answer = self.inner.instances_with(tag, among).await;
        self.watch.after_call().await;
        if among.is_none() {
            self.learn(|checker, run| checker.saw_all_instances(run, &answer));
        }
        answer
    }

    async fn instance_status(&self, ids: &[InstanceId]) -> Result<BTreeMap<InstanceId, InstanceStatus>, CallError> {
        let asked = self.simulator.now();
        self.watch.before_call().await;
        let answer = self.inner.instance_status(ids).await;
        self.watch.after_call().await;
        self.learn(|checker, run| checker.saw_status(run, asked, &answer));
        answer
    }

    async fn address(&self, id: &AllocationId) -> Result<Option<Address>, CallError> {
        self.watch.before_call().await;
        let answer = self.inner.address(id).await;
        self.watch.after_call().await;
        answer
    }

    async fn ingress_rules(&self, groups: &[SecurityGroupId]) -> Result<Vec<IngressRule>, CallError> {
        self.watch.before_call().await;
        let answer = self.inner.ingress_rules(groups).await;
        self.watch.after_call().await;
        answer
    }

    async fn prefix_list(&self, id: &PrefixListId) -> Result<Vec<IpNet>, CallError> {
        self.watch.before_call().await;
        let answer = self.inner.prefix_list(id).await;
        self.watch.after_call().await;
        answer
    }

    async fn attach(&self, attach: &Attach) -> Result<AttachmentId, CallError> {
        self.check(|checker, run, now| checker.attaches(run, now, attach));
        self.watch.before_call().await;
        let answer = self.inner.attach(attach).await;
        self.learn(|checker, run| checker.attach_answered(run, &answer));
        self.watch.after_call().await;
        answer
    }

    async fn detach(&self, attachment: &AttachmentId, force: bool) -> Result<(), CallError> {
        self.check(|checker, run, now| checker.detaches(run, now, attachment, force));
        self.watch.before_call().await;
        let answer = self.inner.detach(attachment, force).await;
        self.watch.after_call().await;
        answer
    }

    async fn keep_on_termination(
        &self,
        interface: &NetworkInterfaceId,
        attachment: &AttachmentId,
    ) -> Result<(), CallError> {
        self.check(|checker, run, now| checker.repairs(run, now, format!("keep {attachment}")));
        self.watch.before_call().await;
        let answer = self.inner.keep_on_termination(interface, attachment).await;
        self.watch.after_call().await;
        answer
    }

    async fn start(&self, instance: &InstanceId) -> Result<bool, CallError> {
        self.check(|checker, run, now| checker.repairs(run, now, format!("start {instance}")));
        self.watch.before_call().await;
        let answer = self.inner.start(instance).await;
        self.watch.after_call().await;
        answer
    }

    async fn disassociate_address(&self, association: &AssociationId) -> Result<(), CallError> {
        self.check(|checker, run, now| checker.repairs(run, now, format!("disassociate {association}")));
        self.watch.before_call().await;
        let answer = self.inner.disassociate_address(association).await;
        self.watch.after_call().await;
        answer
    }

    async fn associate_address(&self, address: &AllocationId, interface: &NetworkInterfaceId) -> Result<(), CallError> {
        self.check(|checker, run, now| checker.repairs(run, now, format!("associate {address}")));
        self.watch.before_call().await;
        let answer = self.inner.associate_address(address, interface).await;
        self.watch.after_call().await;
        answer
    }

    async fn authorize_ingress(&self, ingress: &Ingress) -> Result<(), CallError> {
        self.check(|checker, run, now| checker.repairs(run, now, format!("authorize {ingress:?}")));
        self.watch.before_call().await;
        let answer = self.inner.authorize_ingress(ingress).await;
        self.watch.after_call().await;
        answer
    }

    async fn write_tags(
        &self,
        interface: &NetworkInterfaceId,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), CallError> {
        let is_note = tags.iter().any(|(key, value)| key.contains(":owed:") && value.contains("busy-until"));
        let remembered = tags.get(REFUSED);
        self.check(|checker, run, now| checker.changes(run, now, format!("write {tags:?}")));
        self.learn(|checker, run| checker.runs[run].unsure += u32::from(remembered.is_some()));
        self.watch.before_call().await;
        let answer = self.inner.write_tags(interface, tags).await;
        if is_note && answer.is_err() {
            self.learn(|checker, run| checker.runs[run].note_failed = true);
        }
        self.watch.after_call().await;
        if let Some(value) = remembered.filter(|_| answer.is_ok()) {
            self.learn(|checker, run| checker.runs[run].remembers(value));
        }
        answer
    }

    async fn delete_tags(&self, interface: &NetworkInterfaceId, keys: &[String]) -> Result<(), CallError> {
        self.check(|checker, run, now| checker.changes(run, now, format!("remove {keys:?}")));
        self.watch.before_call().await;
        let answer = self.inner.delete_tags(interface, keys).await;
        self.watch.after_call().await;
        answer
    }

    async fn delete_tags_if(
        &self,
        interface: &NetworkInterfaceId,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), CallError> {
        self.check(|checker, run, now| checker.changes(run, now, format!("remove {tags:?}")));
        self.watch.before_call().await;
        let answer = self.inner.delete_tags_if(interface, tags).await;
        self.watch.after_call().await;
        answer
    }

    async fn may(&self, change: &Change) -> Result<(), CallError> {
        self.watch.before_call().await;
        let answer = self.inner.may(change).await;
        self.watch.after_call().await;
        answer
    }

    async fn interface_limits(&self, types: &BTreeSet<String>) -> Result<BTreeMap<String, InterfaceLimits>, CallError> {
        self.watch.before_call().await;
        let answer = self.inner.interface_limits(types).await;
        self.watch.after_call().await;
        answer
    }

    async fn is_protected(&self, instance: &InstanceId) -> Result<bool, CallError> {
        self.watch.before_call().await;
        let answer = self.inner.is_protected(instance).await;
        self.watch.after_call().await;
        answer
    }

    async fn routes(&self, subnet: &str, vpc: &str) -> Result<Vec<Route>, CallError> {
        self.watch.before_call().await;
        let answer = self.inner.routes(subnet, vpc).await;
        self.watch.after_call().await;
        answer
    }

    async fn acl_entries(&self, subnet: &str) -> Result<Vec<AclEntry>, CallError> {
        self.watch.before_call().await;
        let answer = self.inner.acl_entries(subnet).await;
        self.watch.after_call().await;
        answer
    }

    async fn security_groups(&self, ids: &BTreeSet<SecurityGroupId>) -> Result<BTreeSet<SecurityGroupId>, CallError> {
        self.watch.before_call().await;
        let answer = self.inner.security_groups(ids).await;
        self.watch.after_call().await;
        answer
    }
}

impl<D: Sns> Sns for Proxy<D> {
    async fn publish(&self, notification: &Notification) -> Result<(), CallError> {
        self.check(|checker, run, now| checker.changes(run, now, format!("publish {}", notification.subject)));
        self.watch.before_call().await;
        // A run that stops waiting for the answer does not know, either.
        self.learn(|checker, run| checker.runs[run].unsure += 1);
        let answer = self.inner.publish(notification).await;
        self.watch.after_call().await;
        if answer.is_ok() {
            self.learn(|checker, run| checker.runs[run].unsure -= 1);
        }
        answer
    }

    async fn subscriptions(&self) -> Result<Option<Vec<Subscription>>, CallError> {
        self.watch.before_call().await;
        let answer = self.inner.subscriptions().await;
        self.watch.after_call().await;
        answer
    }
}

impl<D: Ssm> Ssm for Proxy<D> {
    async fn send_command(&self, command: Command<'_>, instance: &InstanceId) -> Result<CommandId, CallError> {
        let only_asks = command.document.as_str() == names::LICENSE_CHECK_DOCUMENT;
        if only_asks {
            self.check(|checker, run, now| checker.asks(run, now, instance));
        } else {
            self.check(|checker, run, now| checker.activates(run, now, instance));
        }
        self.watch.before_call().await;
        let answer = self.inner.send_command(command, instance).await;
        if answer.is_ok() && !only_asks {
            self.check(|checker, run, now| checker.activated(run, now, instance));
        }
        self.watch.after_call().await;
        answer
    }

    async fn command(&self, command: &CommandId, instance: &InstanceId) -> Result<Option<CommandState>, CallError> {
        self.watch.before_call().await;
        let answer = self.inner.command(command, instance).await;
        self.watch.after_call().await;
        answer
    }

    async fn has_document(&self, name: &DocumentName) -> Result<bool, CallError> {
        self.watch.before_call().await;
        let answer = self.inner.has_document(name).await;
        self.watch.after_call().await;
        answer
    }

    async fn reachable_agents(&self, instances: &BTreeSet<InstanceId>) -> Result<BTreeSet<InstanceId>, CallError> {
        self.watch.before_call().await;
        let answer = self.inner.reachable_agents(instances).await;
        self.watch.after_call().await;
        answer
    }
}
