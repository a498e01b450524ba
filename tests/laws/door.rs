//! The doors through which the function goes out, with the judge beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use simulator::Simulator;
use token_failover::model::change::{Attach, Change, Ingress};
use token_failover::model::config::Activation;
use token_failover::model::error::CallError;
use token_failover::model::ids::{
    AllocationId, AssociationId, AttachmentId, CommandId, DocumentName, InstanceId, NetworkInterfaceId, PrefixListId,
    SecurityGroupId,
};
use token_failover::model::notification::Notification;
use token_failover::model::observation::{
    Address, IngressRule, Instance, InterfaceLimits, NetworkInterface, StatusChecks,
};
use token_failover::model::readiness::{AclEntry, Route, Subscription};
use token_failover::model::tags::REFUSED;
use token_failover::ports::{CommandState, Ec2, Sns, Ssm};
use tokio::time::sleep;

use super::drama::Kill;
use super::judge::Judge;
use crate::dice::Dice;

tokio::task_local! {
    /// The run that is being polled.
    pub(crate) static RUN: usize;
}

pub(crate) fn current_run() -> Option<usize> {
    RUN.try_with(|run| *run).ok()
}

/// What all doors and observers of one world share.
#[derive(Clone)]
pub(crate) struct Court {
    judge: Arc<Mutex<Judge>>,
    dice: Arc<Mutex<Dice>>,
    dawdling: u64,
}

impl Court {
    pub(crate) fn new(judge: Judge, dice: Dice, dawdling: u64) -> Self {
        Self { judge: Arc::new(Mutex::new(judge)), dice: Arc::new(Mutex::new(dice)), dawdling }
    }

    /// Not to be held while the simulator is used, which tells the judge what happens.
    pub(crate) fn judge(&self) -> MutexGuard<'_, Judge> {
        self.judge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn dice(&self) -> MutexGuard<'_, Dice> {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn dawdle(&self) {
        if self.dawdling > 0 {
            let time = self.dice().below(self.dawdling + 1);
            if time > 0 {
                sleep(Duration::from_millis(time)).await;
            }
        }
    }

    /// Whoever makes a call is on the way to the door.
    async fn enter(&self) {
        let dies = {
            let mut judge = self.judge();
            let run = &mut judge.runs[RUN.get()];
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
        self.dawdle().await;
    }

    /// The answer is there.
    async fn leave(&self) {
        let dies = {
            let mut judge = self.judge();
            let run = &mut judge.runs[RUN.get()];
            if matches!(run.kill, Some(Kill::AfterCall(nth)) if nth <= run.calls) {
                run.killed = true;
            }
            run.killed
        };
        if dies {
            pending::<()>().await;
        }
        self.dawdle().await;
    }
}

/// A door with the judge beside it.
#[derive(Clone)]
pub(crate) struct Door<D> {
    inner: D,
    court: Court,
    simulator: Simulator,
}

impl<D> Door<D> {
    pub(crate) fn new(inner: D, court: Court, simulator: Simulator) -> Self {
        Self { inner, court, simulator }
    }

    /// What has happened until now has happened; then the judge decides.
    fn decide(&self, judge: impl FnOnce(&mut Judge, usize, Duration)) {
        self.simulator.world(|_| ());
        let now = self.simulator.now();
        judge(&mut self.court.judge(), RUN.get(), now);
    }

    fn learn(&self, learn: impl FnOnce(&mut Judge, usize)) {
        learn(&mut self.court.judge(), RUN.get());
    }
}

impl<D: Ec2> Ec2 for Door<D> {
    async fn network_interface(&self, id: &NetworkInterfaceId) -> Result<Option<NetworkInterface>, CallError> {
        self.court.enter().await;
        let answer = self.inner.network_interface(id).await;
        self.court.leave().await;
        let now = self.simulator.now();
        self.learn(|judge, run| judge.saw_interface(run, now, &answer));
        answer
    }

    async fn instances(&self, ids: &[InstanceId]) -> Result<Vec<Instance>, CallError> {
        self.court.enter().await;
        let answer = self.inner.instances(ids).await;
        self.court.leave().await;
        self.learn(|judge, run| judge.saw_instances(run, ids.len(), &answer));
        answer
    }

    async fn status_checks(&self, ids: &[InstanceId]) -> Result<BTreeMap<InstanceId, StatusChecks>, CallError> {
        self.court.enter().await;
        let answer = self.inner.status_checks(ids).await;
        self.court.leave().await;
        self.learn(|judge, run| judge.saw_checks(run, &answer));
        answer
    }

    async fn address(&self, id: &AllocationId) -> Result<Option<Address>, CallError> {
        self.court.enter().await;
        let answer = self.inner.address(id).await;
        self.court.leave().await;
        answer
    }

    async fn ingress_rules(&self, groups: &[SecurityGroupId]) -> Result<Vec<IngressRule>, CallError> {
        self.court.enter().await;
        let answer = self.inner.ingress_rules(groups).await;
        self.court.leave().await;
        answer
    }

    async fn prefix_list(&self, id: &PrefixListId) -> Result<Vec<IpNet>, CallError> {
        self.court.enter().await;
        let answer = self.inner.prefix_list(id).await;
        self.court.leave().await;
        answer
    }

    async fn attach(&self, attach: &Attach) -> Result<AttachmentId, CallError> {
        self.decide(|judge, run, now| judge.attaches(run, now, attach));
        self.court.enter().await;
        let answer = self.inner.attach(attach).await;
        self.learn(|judge, run| judge.attached(run, &answer));
        self.court.leave().await;
        answer
    }

    async fn detach(&self, attachment: &AttachmentId, force: bool) -> Result<(), CallError> {
        self.decide(|judge, run, now| judge.detaches(run, now, attachment, force));
        self.court.enter().await;
        let answer = self.inner.detach(attachment, force).await;
        self.court.leave().await;
        answer
    }

    async fn keep_on_termination(
        &self,
        interface: &NetworkInterfaceId,
        attachment: &AttachmentId,
    ) -> Result<(), CallError> {
        self.decide(|judge, run, now| judge.repairs(run, now, format!("keep {attachment}")));
        self.court.enter().await;
        let answer = self.inner.keep_on_termination(interface, attachment).await;
        self.court.leave().await;
        answer
    }

    async fn start(&self, instance: &InstanceId) -> Result<bool, CallError> {
        self.decide(|judge, run, now| judge.repairs(run, now, format!("start {instance}")));
        self.court.enter().await;
        let answer = self.inner.start(instance).await;
        self.court.leave().await;
        answer
    }

    async fn disassociate_address(&self, association: &AssociationId) -> Result<(), CallError> {
        self.decide(|judge, run, now| judge.repairs(run, now, format!("disassociate {association}")));
        self.court.enter().await;
        let answer = self.inner.disassociate_address(association).await;
        self.court.leave().await;
        answer
    }

    async fn associate_address(&self, address: &AllocationId, interface: &NetworkInterfaceId) -> Result<(), CallError> {
        self.decide(|judge, run, now| judge.repairs(run, now, format!("associate {address}")));
        self.court.enter().await;
        let answer = self.inner.associate_address(address, interface).await;
        self.court.leave().await;
        answer
    }

    async fn authorize_ingress(&self, ingress: &Ingress) -> Result<(), CallError> {
        self.decide(|judge, run, now| judge.repairs(run, now, format!("authorize {ingress:?}")));
        self.court.enter().await;
        let answer = self.inner.authorize_ingress(ingress).await;
        self.court.leave().await;
        answer
    }

    async fn write_tags(
        &self,
        interface: &NetworkInterfaceId,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), CallError> {
        let is_note = tags.iter().any(|(key, value)| key.contains(":owed:") && value.contains("busy-until"));
        let remembered = tags.get(REFUSED);
        self.decide(|judge, run, now| judge.changes(run, now, format!("write {tags:?}")));
        self.learn(|judge, run| judge.runs[run].unsure += u32::from(remembered.is_some()));
        self.court.enter().await;
        let answer = self.inner.write_tags(interface, tags).await;
        if is_note && answer.is_err() {
            self.learn(|judge, run| judge.runs[run].note_failed = true);
        }
        self.court.leave().await;
        if let Some(value) = remembered.filter(|_| answer.is_ok()) {
            self.learn(|judge, run| judge.runs[run].remembers(value));
        }
        answer
    }

    async fn delete_tags(&self, interface: &NetworkInterfaceId, keys: &[String]) -> Result<(), CallError> {
        self.decide(|judge, run, now| judge.changes(run, now, format!("remove {keys:?}")));
        self.court.enter().await;
        let answer = self.inner.delete_tags(interface, keys).await;
        self.court.leave().await;
        answer
    }

    async fn delete_tags_if(
        &self,
        interface: &NetworkInterfaceId,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), CallError> {
        self.decide(|judge, run, now| judge.changes(run, now, format!("remove {tags:?}")));
        self.court.enter().await;
        let answer = self.inner.delete_tags_if(interface, tags).await;
        self.court.leave().await;
        answer
    }

    async fn may(&self, change: &Change) -> Result<(), CallError> {
        self.court.enter().await;
        let answer = self.inner.may(change).await;
        self.court.leave().await;
        answer
    }

    async fn interface_limits(&self, types: &BTreeSet<String>) -> Result<BTreeMap<String, InterfaceLimits>, CallError> {
        self.court.enter().await;
        let answer = self.inner.interface_limits(types).await;
        self.court.leave().await;
        answer
    }

    async fn is_protected(&self, instance: &InstanceId) -> Result<bool, CallError> {
        self.court.enter().await;
        let answer = self.inner.is_protected(instance).await;
        self.court.leave().await;
        answer
    }

    async fn routes(&self, subnet: &str, vpc: &str) -> Result<Vec<Route>, CallError> {
        self.court.enter().await;
        let answer = self.inner.routes(subnet, vpc).await;
        self.court.leave().await;
        answer
    }

    async fn acl_entries(&self, subnet: &str) -> Result<Vec<AclEntry>, CallError> {
        self.court.enter().await;
        let answer = self.inner.acl_entries(subnet).await;
        self.court.leave().await;
        answer
    }

    async fn security_groups(&self, ids: &BTreeSet<SecurityGroupId>) -> Result<BTreeSet<SecurityGroupId>, CallError> {
        self.court.enter().await;
        let answer = self.inner.security_groups(ids).await;
        self.court.leave().await;
        answer
    }
}

impl<D: Sns> Sns for Door<D> {
    async fn publish(&self, notification: &Notification) -> Result<(), CallError> {
        self.decide(|judge, run, now| judge.changes(run, now, format!("publish {}", notification.subject)));
        self.court.enter().await;
        // Whoever gives up waiting does not know either.
        self.learn(|judge, run| judge.runs[run].unsure += 1);
        let answer = self.inner.publish(notification).await;
        self.court.leave().await;
        if answer.is_ok() {
            self.learn(|judge, run| judge.runs[run].unsure -= 1);
        }
        answer
    }

    async fn subscriptions(&self) -> Result<Option<Vec<Subscription>>, CallError> {
        self.court.enter().await;
        let answer = self.inner.subscriptions().await;
        self.court.leave().await;
        answer
    }
}

impl<D: Ssm> Ssm for Door<D> {
    async fn send_command(&self, activation: &Activation, instance: &InstanceId) -> Result<CommandId, CallError> {
        self.decide(|judge, run, now| judge.wakes(run, now, instance));
        self.court.enter().await;
        let answer = self.inner.send_command(activation, instance).await;
        if answer.is_ok() {
            self.decide(|judge, run, now| judge.woke(run, now, instance));
        }
        self.court.leave().await;
        answer
    }

    async fn command(&self, command: &CommandId, instance: &InstanceId) -> Result<Option<CommandState>, CallError> {
        self.court.enter().await;
        let answer = self.inner.command(command, instance).await;
        self.court.leave().await;
        answer
    }

    async fn has_document(&self, name: &DocumentName) -> Result<bool, CallError> {
        self.court.enter().await;
        let answer = self.inner.has_document(name).await;
        self.court.leave().await;
        answer
    }

    async fn reachable_agents(&self, instances: &BTreeSet<InstanceId>) -> Result<BTreeSet<InstanceId>, CallError> {
        self.court.enter().await;
        let answer = self.inner.reachable_agents(instances).await;
        self.court.leave().await;
        answer
    }
}
