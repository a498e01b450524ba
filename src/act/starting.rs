//! Starting the instance that has the interface.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::act::run::{Run, pause_after};
use crate::model::error::{CallError, Meaning};
use crate::model::finding::FindingCode;
use crate::model::ids::InstanceId;
use crate::model::observation::{Instance, InstanceState, OLDEST_ANSWER};
use crate::model::outcome::Started;
use crate::model::report::Step;
use crate::ports::Ec2;

/// How long the run repeats a start that EC2 throttles or does not answer.
const START_RETRY_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a started instance may take until it is running. EC2's part of a boot takes seconds.
const START_TIMEOUT: Duration = Duration::from_secs(60);

impl<E: Ec2> Run<'_, E> {
    /// Starts the instance that has the interface.
    pub(crate) async fn start_holder(&mut self, id: &InstanceId) -> Started {
        let ec2 = self.ec2;
        let began = Instant::now();
        let mut answer_lost = false;
        let started = loop {
            let started = self.step(Step::StartInstance, id, ec2.start(id)).await;
            let is_transient = started.as_ref().is_err_and(CallError::is_transient);
            answer_lost |= is_transient;
            if !is_transient || began.elapsed() >= START_RETRY_TIMEOUT {
                break started;
            }
            sleep(pause_after(began.elapsed()).max(Duration::from_millis(500))).await;
        };
        // A start whose answer was lost may have taken effect. If EC2 refuses a start because of the state, the
        // instance may be starting already.
        let may_run =
            started.as_ref().err().is_none_or(|error| error.is_transient() || error.meaning == Meaning::WrongState);
        if may_run && self.await_running(id, started.is_ok()).await {
            return match started {
                Ok(true) => Started::ByThisRun,
                Ok(false) if !answer_lost => Started::Already,
                Ok(false) | Err(_) => Started::PerhapsByThisRun,
            };
        }
        if !may_run && self.runs_after_all(id, started.as_ref().err()).await {
            return Started::Already;
        }
        let ended = if started == Ok(true) { Started::StoppedAgain } else { Started::Refused };
        let reason = self.stopped_again.get(id);
        let reason = reason.map_or_else(String::new, |reason| format!("; EC2's reason: {reason}"));
        let did_not_come_up =
            || CallError::gave_up("ec2:StartInstances", format!("{id} was started but did not come up{reason}"));
        let error = started.err().unwrap_or_else(did_not_come_up);
        // A start that the role does not allow says nothing about EC2's capacity. It is worth another try as soon as
        // the role allows it.
        if !error.is_transient() && error.meaning != Meaning::Denied {
            self.not_started.insert(id.clone());
        }
        let consequence = format!("{id} has the interface but could not be started.");
        let finding = self.advisor().call_failed(FindingCode::StartFailed, id, &consequence, &error);
        self.findings.push(finding);
        ended
    }

    /// Whether an instance runs although its start was refused. Its last observation may be older than the start. A
    /// denial says nothing about the instance, so the run reads an instance that does not seem to run until the answers
    /// can no longer be old.
    async fn runs_after_all(&mut self, id: &InstanceId, refusal: Option<&CallError>) -> bool {
        let is_denied = refusal.is_some_and(|error| error.meaning == Meaning::Denied);
        self.read_instance(id, if is_denied { OLDEST_ANSWER } else { Duration::ZERO }).await;
        self.observation.as_ref().and_then(|seen| seen.instance(id)).is_some_and(Instance::runs)
    }

    /// Waits until the instance runs. An instance whose start was accepted and that is still starting at the timeout
    /// counts as running, and gets a finding.
    async fn await_running(&mut self, id: &InstanceId, accepted: bool) -> bool {
        let ec2 = self.ec2;
        let began = Instant::now();
        let waiting = self.begin(Step::AwaitRunning, id);
        self.forget_status_checks(id);
        while began.elapsed() < START_TIMEOUT {
            if let Ok(instances) = ec2.instances(std::slice::from_ref(id)).await
                && let Some(instance) = instances.into_iter().next()
            {
                let (state, reason) = (instance.state.clone(), instance.state_reason.clone());
                self.remember(instance);
                match state {
                    InstanceState::Running => {
                        self.end(waiting, None);
                        return true;
                    }
                    // EC2 stops an instance again when it turns out to have no capacity. While the answers can be old,
                    // `stopped` may also be the state before the start.
                    InstanceState::Stopped if began.elapsed() < OLDEST_ANSWER => {}
                    InstanceState::Stopped | InstanceState::ShuttingDown | InstanceState::Terminated => {
                        let reason = reason.filter(|_| accepted).map(|reason| (id.clone(), reason));
                        self.stopped_again.extend(reason);
                        self.end(waiting, Some(&CallError::gave_up("ec2:StartInstances", format!("{id} is {state}"))));
                        return false;
                    }
                    _ => {}
                }
            }
            sleep(pause_after(began.elapsed())).await;
        }
        self.end(waiting, Some(&CallError::gave_up("ec2:StartInstances", format!("{id} is still starting"))));
        if accepted {
            let finding = self.advisor().still_starting(id);
            self.findings.push(finding);
        }
        accepted
    }

    /// Reads an instance, and remembers it. If it does not run, the answer may be old, so
    /// the run reads it again until the timeout.
    pub(crate) async fn read_instance(&mut self, id: &InstanceId, timeout: Duration) {
        let ec2 = self.ec2;
        let began = Instant::now();
        loop {
            if let Ok(instances) = ec2.instances(std::slice::from_ref(id)).await
                && let Some(seen) = instances.into_iter().next()
            {
                let runs = seen.runs();
                self.remember(seen);
                if runs {
                    return;
                }
            }
            let pause = pause_after(began.elapsed());
            if began.elapsed() >= timeout || Instant::now() + pause >= self.clock.waiting_ends() {
                return;
            }
            sleep(pause).await;
        }
    }
}
