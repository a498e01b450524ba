//! The moves of an exercise.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::json;
use token_failover::act::run::{Clock, Record};
use token_failover::model::error::CallError;
use token_failover::model::ids::InstanceId;
use token_failover::model::observation::{Instance, InstanceState, NetworkInterface};
use token_failover::model::report::Outcome;
use token_failover::ports::Ec2;
use token_failover_operator::exercise::{Kind, Leg, Moment, Sign, Watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::display::Display;
use super::preflight::{Ready, serve};
use crate::asked;
use crate::ended::Trouble;

/// The pause between two reads of the interface. EC2 refills its bucket for describing calls with 20 calls a second, and the
/// deployed function reads at the same time.
const PAUSE: Duration = Duration::from_millis(100);
/// The pause between two reads of an instance that starts or stops, which takes many seconds.
const PAUSE_OF_INSTANCE: Duration = Duration::from_secs(1);
/// The pause between two reads that only show whether the credentials are still accepted.
const PAUSE_OF_CHECK: Duration = Duration::from_secs(5);
/// How often the clock on a terminal is drawn.
const TICK: Duration = Duration::from_millis(100);
/// How long a stop or a start of an instance may take. Windows and large machines take minutes.
const POWER_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// How long a started instance may take until it can take the interface: EC2's status checks need some minutes.
const VIABLE_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// How long EC2 may not answer before the exercise gives up.
const SILENCE: Duration = Duration::from_secs(60);

/// The moves of an exercise, and what the exercise has stopped.
pub(super) struct Legs<'a> {
    ready: &'a Ready,
    display: &'a Arc<Display>,
    stopped: Mutex<Option<InstanceId>>,
}

impl<'a> Legs<'a> {
    pub(super) fn new(ready: &'a Ready, display: &'a Arc<Display>) -> Self {
        Self { ready, display, stopped: Mutex::default() }
    }

    /// The instance that the exercise stopped and has not started again.
    pub(super) fn stopped(&self) -> Option<InstanceId> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note_stopped(&self, instance: Option<InstanceId>) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = instance;
    }

    /// Makes the moves.
    pub(super) async fn run(&mut self, stops_holder: bool, returns: bool) -> Result<(), Trouble> {
        let work = async {
            let Ready { holder, standby, starts_standby, .. } = self.ready;
            let held = if stops_holder {
                self.stop_leg(holder, standby, *starts_standby).await?
            } else {
                self.failover_leg(holder, standby, *starts_standby).await?
            };
            if stops_holder {
                self.start_again(holder).await?;
            }
            if returns && held {
                let at = self.display.with_leg(|leg| leg.to.clone()).unwrap_or_else(|| standby.clone());
                self.await_viable(holder).await?;
                self.failover_leg(&at, holder, false).await?;
            }
            Ok(())
        };
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        tokio::pin!(work);
        loop {
            tokio::select! {
                ended = &mut work => return ended,
                _ = ticks.tick() => self.display.draw(),
            }
        }
    }

    /// Moves the interface as an operator's failover. Returns whether it is where it was to go.
    async fn failover_leg(&self, from: &InstanceId, to: &InstanceId, starts_standby: bool) -> Result<bool, Trouble> {
        self.display.begin(Leg::new(Kind::Failover, from, to, &self.ready.config, starts_standby));
        let display = Arc::clone(self.display);
        let function = self.ready.function(move |record| display.record(record));
        // A run goes on asking for as long as EC2 does not answer. An operator whose credentials have expired must hear of it.
        let request = json!({"action": "failover", "to": to, "reason": "exercise"});
        let report = tokio::select! {
            report = serve(&function, &request) => report?,
            trouble = self.fails_to_read() => return Err(trouble),
        };
        let has_moved = report.outcome == Outcome::Moved;
        self.display.with_leg(|leg| {
            if let Some(movement) = &report.movement {
                leg.to.clone_from(&movement.to);
            }
            if !has_moved {
                leg.problem =
                    Some(format!("{from} to {to}: {} ({}): {}", report.outcome, report.reason, report.summary));
            }
        });
        if !has_moved {
            // If the credentials have expired meanwhile, that is the error.
            self.interface().await?;
        }
        Ok(has_moved)
    }

    /// Stops the holder, and watches the deployed function move the interface. Returns whether the interface has arrived.
    async fn stop_leg(&self, from: &InstanceId, to: &InstanceId, starts_standby: bool) -> Result<bool, Trouble> {
        let Ready { ec2, config, .. } = self.ready;
        let before = self.interface().await?;
        let Some(mut watch) = Watch::new(&before) else {
            return Err(Trouble::new(format!("{} has left {from} already", before.id), "Nothing was stopped."));
        };
        self.display.begin(Leg::new(Kind::Stop, from, to, config, starts_standby));
        self.display.recording(|recording, at| recording.asked_to_stop(at, from));
        ec2.stop(from).await.map_err(|error| self.refused(error, Some(from)))?;
        self.note_stopped(Some(from.clone()));
        self.display.say(&format!("EC2 is stopping {from}"));
        let others = async {
            let power = async {
                self.await_state(from, InstanceState::Stopped, POWER_TIMEOUT).await?;
                self.display.see(Sign::Seen(Moment::HolderStopped));
                if starts_standby {
                    self.await_state(to, InstanceState::Running, POWER_TIMEOUT).await?;
                    self.display.see(Sign::Seen(Moment::StandbyRunning));
                }
                Ok::<(), Trouble>(())
            };
            let serving = async {
                self.watch_serving(if starts_standby { Moment::StandbyRunning } else { Moment::Attached }).await;
                Ok(())
            };
            tokio::try_join!(power, serving)
        };
        // The others end early or with an error, and only the interface tells when the leg is over.
        let unless_they_fail = async {
            match others.await {
                Ok(_) => std::future::pending().await,
                Err(trouble) => trouble,
            }
        };
        tokio::select! {
            watched = self.watch_interface(&mut watch) => watched?,
            trouble = unless_they_fail => return Err(trouble),
        }
        let has_arrived = self.display.has_seen(Moment::Attached);
        self.display.with_leg(|leg| {
            if let Some(holder) = watch.holder() {
                if holder == from {
                    leg.problem = Some(format!("the interface came back to {from}"));
                }
                leg.to.clone_from(holder);
            }
        });
        Ok(has_arrived)
    }

    /// Reads the interface until the move is reported and nothing more is expected, or what is expected is long overdue.
    async fn watch_interface(&self, watch: &mut Watch) -> Result<(), Trouble> {
        loop {
            for moment in watch.see(&self.interface().await?) {
                self.display.see(Sign::Seen(moment));
            }
            if self.display.is_over() {
                return Ok(());
            }
            sleep(PAUSE).await;
        }
    }

    /// Sees whether the token server serves, once the move has come to this moment.
    async fn watch_serving(&self, after: Moment) {
        while !self.display.has_seen(after) {
            sleep(PAUSE).await;
        }
        let display = Arc::clone(self.display);
        let function = self.ready.function(move |record| display.record(record));
        function.watch_serving(Clock::new(SystemTime::now().into(), Instant::now() + asked::TIME)).await;
    }

    /// Starts the former holder, so that it is the standby.
    async fn start_again(&self, instance: &InstanceId) -> Result<(), Trouble> {
        self.display.say(&format!("waiting until {instance} is stopped"));
        self.await_state(instance, InstanceState::Stopped, POWER_TIMEOUT).await?;
        self.display.say(&format!("starting {instance}"));
        self.display.recording(|recording, at| recording.asked_to_start(at, instance));
        self.patiently(Some(instance), async || self.ready.ec2.start(instance).await).await?;
        self.await_state(instance, InstanceState::Running, POWER_TIMEOUT).await?;
        self.note_stopped(None);
        self.display.say(&format!("{instance} runs again"));
        Ok(())
    }

    /// Waits until the instance could take the interface.
    async fn await_viable(&self, instance: &InstanceId) -> Result<(), Trouble> {
        let began = Instant::now();
        let display = Arc::clone(self.display);
        // The plan reads the status checks, which the recording of the account wants.
        let function = self.ready.unprobing_function(move |record| {
            if let Record::Observed(_) = record {
                display.record(record);
            }
        });
        let mut is_told = false;
        loop {
            let report = serve(&function, &json!({"action": "failover", "to": instance, "dryRun": true})).await?;
            if report.movement.is_some() {
                return Ok(());
            }
            if began.elapsed() > VIABLE_TIMEOUT {
                let why = report.findings.first().map_or(report.summary, |finding| finding.message.clone());
                let problem = format!("{instance} cannot take the interface back: {why}");
                return Err(Trouble::new(problem, "Read the audit: token-failover audit"));
            }
            if !std::mem::replace(&mut is_told, true) {
                self.display.say(&format!("waiting until {instance} can take the interface back"));
            }
            sleep(PAUSE_OF_INSTANCE).await;
        }
    }

    /// Waits until the instance is in this state.
    async fn await_state(&self, id: &InstanceId, state: InstanceState, patience: Duration) -> Result<(), Trouble> {
        let began = Instant::now();
        loop {
            let now = self.instance(id).await?.state;
            if now == state {
                return Ok(());
            }
            if began.elapsed() > patience {
                let minutes = patience.as_secs() / 60;
                return Err(Trouble::new(format!("{id} is {now}, and not {state} after {minutes} minutes"), ""));
            }
            sleep(PAUSE_OF_INSTANCE).await;
        }
    }

    /// Ends only if the interface cannot be read.
    async fn fails_to_read(&self) -> Trouble {
        loop {
            sleep(PAUSE_OF_CHECK).await;
            if let Err(trouble) = self.interface().await {
                return trouble;
            }
        }
    }

    async fn interface(&self) -> Result<NetworkInterface, Trouble> {
        let id = &self.ready.config.interface_id;
        let found = self.patiently(None, async || self.ready.ec2.network_interface(id).await).await?;
        if let Some(interface) = &found {
            self.display.recording(|recording, at| recording.saw_interface(at, interface));
        }
        found.ok_or_else(|| {
            Trouble::new(format!("EC2 does not know {id} anymore"), "See interface-missing in docs/runbook.md.")
        })
    }

    async fn instance(&self, id: &InstanceId) -> Result<Instance, Trouble> {
        let ids = std::slice::from_ref(id);
        let found = self.patiently(Some(id), async || self.ready.ec2.instances(ids).await).await?;
        for instance in &found {
            self.display.recording(|recording, at| recording.saw_instance(at, instance));
        }
        found.into_iter().next().ok_or_else(|| Trouble::new(format!("EC2 does not know {id} anymore"), ""))
    }

    /// Calls again while there is no answer, but not forever. `about`: the instance that the call names.
    async fn patiently<T>(
        &self,
        about: Option<&InstanceId>,
        call: impl AsyncFn() -> Result<T, CallError>,
    ) -> Result<T, Trouble> {
        let began = Instant::now();
        loop {
            let called = Instant::now();
            match call().await {
                Ok(answer) => {
                    self.display.recording(|recording, _| recording.called(called.elapsed()));
                    return Ok(answer);
                }
                Err(error) if error.is_transient() && began.elapsed() < SILENCE => {
                    self.display.recording(|recording, _| recording.call_failed(&error, about));
                    sleep(PAUSE_OF_INSTANCE).await;
                }
                Err(error) => return Err(self.refused(error, about)),
            }
        }
    }

    fn refused(&self, error: CallError, about: Option<&InstanceId>) -> Trouble {
        self.display.recording(|recording, _| recording.call_failed(&error, about));
        asked::unanswered(error, self.ready.config.region.as_deref().unwrap_or("the configured Region"))
    }
}
