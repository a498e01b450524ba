//! The moves of an exercise.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use token_failover::act::run::{Clock, Doubt, Record, pause_after_look};
use token_failover::decide::pause;
use token_failover::model::error::CallError;
use token_failover::model::failure::Failure;
use token_failover::model::ids::{AttachmentId, InstanceId};
use token_failover::model::observation::{
    AttachmentStatus, Instance, InstanceState, NetworkInterface, OLDEST_ANSWER, Reading, StatusChecks,
};
use token_failover::model::report::{Outcome, Report};
use token_failover::ports::Ec2;
use token_failover_operator::exercise::{Kind, Leg, Moment, Sign, Watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::display::Display;
use super::preflight::{
    Function, LastSeen, Ready, is_not_paused, is_settled_interface, is_settled_stack, replaces, serve,
};
use crate::asked;
use crate::ended::Trouble;

/// The pause between two reads of the interface. With it, a moment is shown within 100 ms, unless EC2 takes longer than 50 ms to
/// answer. EC2 refills its bucket for describing calls with 20 calls a second, and the deployed function reads at the same time.
const PAUSE: Duration = Duration::from_millis(50);
/// The pause between two reads of an instance that stops or starts during a move. The interface is read at the same time.
const PAUSE_OF_POWER: Duration = Duration::from_millis(80);
/// The pause between two reads of an instance between two moves, when nothing is measured.
const PAUSE_OF_INSTANCE: Duration = Duration::from_secs(1);
/// How often the work of one part of the exercise is looked up by another one. No call is made.
const PAUSE_OF_SIGN: Duration = Duration::from_millis(10);
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

/// The moves of an exercise, and what the exercise has stopped and started.
pub(super) struct Legs<'a> {
    ready: &'a Ready,
    display: &'a Arc<Display>,
    stopped: Mutex<Option<InstanceId>>,
    started: Mutex<Option<InstanceId>>,
    /// The attachments that the interface has left, or is about to leave.
    left: Mutex<BTreeSet<AttachmentId>>,
}

impl<'a> Legs<'a> {
    pub(super) fn new(ready: &'a Ready, display: &'a Arc<Display>) -> Self {
        Self { ready, display, stopped: Mutex::default(), started: Mutex::default(), left: Mutex::default() }
    }

    /// The instance that the exercise stopped and has not started again.
    pub(super) fn stopped(&self) -> Option<InstanceId> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The standby that was started for the exercise.
    pub(super) fn started(&self) -> Option<InstanceId> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes the standby if this leg has started it.
    fn note_started(&self) {
        if self.display.has_seen(Moment::StandbyRunning) {
            let started = self.display.with_leg(|leg| leg.to.clone());
            *self.started.lock().unwrap_or_else(PoisonError::into_inner) = started;
        }
    }

    fn note_stopped(&self, instance: Option<InstanceId>) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = instance;
    }

    /// Makes the moves.
    pub(super) async fn run(&mut self, stops_holder: bool, returns: bool) -> Result<(), Trouble> {
        let work = async {
            let Ready { holder, standby, starts_standby, .. } = self.ready;
            self.is_still_as_it_was().await?;
            let has_arrived = if stops_holder {
                // The members may have changed as well.
                let (standby, starts_standby) = self.replacement(holder).await?;
                self.stop_leg(holder, &standby, starts_standby).await?
            } else {
                self.failover_leg(holder, standby, *starts_standby).await?
            };
            self.note_started();
            let at = self.display.with_leg(|leg| leg.to.clone()).unwrap_or_else(|| standby.clone());
            if stops_holder {
                self.start_again(holder).await?;
            }
            if returns && has_arrived && at != *holder {
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

    /// Refuses if somebody else has acted since the preflight: an operator may take a while to say yes.
    async fn is_still_as_it_was(&self) -> Result<(), Trouble> {
        let Ready { deployed, holder, again, .. } = self.ready;
        let now = deployed.now().await?;
        is_settled_stack(&now)?;
        if !now.is_as(deployed) {
            return Err(Trouble::new(
                format!("the stack {} has changed since the audit", now.name),
                "The exercise changed nothing. Begin it again.",
            ));
        }
        let interface = self.interface().await?;
        is_settled_interface(&interface)?;
        is_not_paused(pause::in_force(&interface.tags, SystemTime::now().into()).as_ref(), again)?;
        match &interface.attachment {
            Some(attachment)
                if attachment.instance_id.as_ref() == Some(holder)
                    && attachment.status == AttachmentStatus::Attached =>
            {
                Ok(())
            }
            _ => Err(Trouble::new(
                format!("{} has left {holder} since the audit", interface.id),
                "The exercise changed nothing. Begin it again.",
            )),
        }
    }

    /// The standby to which the function would move the interface now, and whether it would start it.
    async fn replacement(&self, holder: &InstanceId) -> Result<(InstanceId, bool), Trouble> {
        let seen = LastSeen::default();
        let sees = seen.clone();
        let function = self.ready.unprobing_function(move |record| sees.record(record));
        self.served(&function, &json!({"action": "plan"})).await?.map_err(asked::trouble)?;
        let Some(seen) = seen.take() else {
            return Err(Trouble::new("EC2 did not tell the members", "The exercise changed nothing. Begin it again."));
        };
        replaces(&self.ready.config, &seen, holder, &self.ready.again)
    }

    /// Moves the interface as an operator's failover. Returns whether it is where it was to go.
    async fn failover_leg(&self, from: &InstanceId, to: &InstanceId, starts_standby: bool) -> Result<bool, Trouble> {
        self.display.begin(Leg::new(Kind::Failover, from, to, &self.ready.config, starts_standby));
        let (mut watch, _) = self.watch_from(from).await?;
        let display = Arc::clone(self.display);
        let function = self.ready.function(move |record| display.record(record));
        let request = json!({"action": "failover", "to": to, "reason": "exercise"});
        let report = tokio::select! {
            report = serve(&function, &request) => report.map_err(asked::trouble)?,
            trouble = self.fails_to_watch(&mut watch) => return Err(trouble),
            never = self.watch_start(to), if starts_standby => match never {},
        };
        let arrived = report.movement.as_ref().map(|movement| &movement.to);
        let has_moved = report.outcome == Outcome::Moved && arrived == Some(to);
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
        let (mut watch, departed) = self.watch_from(from).await?;
        self.display.begin(Leg::new(Kind::Stop, from, to, config, starts_standby));
        self.display.recording(|recording, at| recording.asked_to_stop(at, from));
        // Before the call, because its answer may be lost.
        self.note_stopped(Some(from.clone()));
        if let Err(error) = ec2.stop(from).await {
            if !error.is_transient() {
                self.note_stopped(None);
            }
            return Err(self.refused(error, Some(from)));
        }
        self.display.say(&format!("EC2 is stopping {from}"));
        let others = async {
            let power = async {
                self.await_state(from, InstanceState::Stopped, PAUSE_OF_POWER).await?;
                self.display.see(Sign::Seen(Moment::HolderStopped));
                if starts_standby {
                    self.await_state(to, InstanceState::Running, PAUSE_OF_POWER).await?;
                    self.display.see(Sign::Seen(Moment::StandbyRunning));
                }
                Ok::<(), Trouble>(())
            };
            let serving = async {
                let after = if starts_standby { Moment::StandbyRunning } else { Moment::Attached };
                self.watch_serving(after, &departed).await;
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
        let started_in_place = async {
            self.come_to(Moment::HolderStopped).await;
            self.await_restart(from).await
        };
        tokio::select! {
            watched = self.watch_interface(&mut watch, from) => watched?,
            trouble = unless_they_fail => return Err(trouble),
            restarted = started_in_place => {
                restarted?;
                // An interface that has come back is a move.
                if watch.holder().is_none() {
                    let problem = format!("the function started {from} again, and did not move the interface");
                    self.display.with_leg(|leg| {
                        leg.to.clone_from(from);
                        leg.problem = Some(problem);
                    });
                    return Ok(false);
                }
                self.watch_interface(&mut watch, from).await?;
            }
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

    /// Begins to watch a move from this instance, by the attachment that the interface has there. An answer can be from before the
    /// last move.
    async fn watch_from(&self, from: &InstanceId) -> Result<(Watch, AttachmentId), Trouble> {
        let began = Instant::now();
        loop {
            let interface = self.interface().await?;
            if let Some(begun) = self.watch_if_on(from, &interface) {
                return Ok(begun);
            }
            if began.elapsed() >= OLDEST_ANSWER {
                return Err(Trouble::new(format!("{} has left {from}", interface.id), "Begin the exercise again."));
            }
            sleep(pause_after_look(began.elapsed())).await;
        }
    }

    /// The same by this answer; `None`: the interface is not on this instance.
    fn watch_if_on(&self, from: &InstanceId, interface: &NetworkInterface) -> Option<(Watch, AttachmentId)> {
        let attachment = interface.attachment.as_ref().filter(|here| here.instance_id.as_ref() == Some(from))?;
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let watch = Watch::new(interface, left.clone())?;
        left.insert(attachment.id.clone());
        Some((watch, attachment.id.clone()))
    }

    /// Reads the interface until the move is reported and nothing more is expected, or what is expected is long overdue. Nothing more
    /// is expected if the report is that the interface came back to where it was.
    async fn watch_interface(&self, watch: &mut Watch, from: &InstanceId) -> Result<(), Trouble> {
        loop {
            self.look(watch).await?;
            let has_come_back = watch.holder() == Some(from) && self.display.has_seen(Moment::Reported);
            if has_come_back || self.display.is_over() {
                return Ok(());
            }
            if !watch.needs_another_answer() {
                sleep(PAUSE).await;
            }
        }
    }

    /// Reads the interface until it is attached, because a run reads it less and less often, and then only to see whether the
    /// credentials are still accepted. Ends only if the interface cannot be read.
    async fn fails_to_watch(&self, watch: &mut Watch) -> Trouble {
        while !self.display.has_seen(Moment::Attached) {
            if let Err(trouble) = self.look(watch).await {
                return trouble;
            }
            sleep(PAUSE).await;
        }
        self.fails_to_read().await
    }

    /// Reads the standby until it runs, because a run reads it less and less often. The leg does not depend on that, so this never
    /// ends.
    async fn watch_start(&self, standby: &InstanceId) -> Infallible {
        self.come_to(Moment::Attached).await;
        while self.await_state(standby, InstanceState::Running, PAUSE_OF_POWER).await.is_err() {
            sleep(PAUSE_OF_INSTANCE).await;
        }
        self.display.see(Sign::Seen(Moment::StandbyRunning));
        std::future::pending().await
    }

    /// Reads the interface once, and shows what is new.
    async fn look(&self, watch: &mut Watch) -> Result<(), Trouble> {
        let moments = watch.see(&self.interface().await?);
        self.display.with_leg(|leg| leg.started_by.clone_from(watch.started_by()));
        for moment in moments {
            self.display.see(Sign::Seen(moment));
        }
        Ok(())
    }

    /// Waits until the move has come to this moment.
    async fn come_to(&self, moment: Moment) {
        while !self.display.has_seen(moment) {
            sleep(PAUSE_OF_SIGN).await;
        }
    }

    /// Sees whether the token server serves, once the move has come to this moment.
    async fn watch_serving(&self, after: Moment, departed: &AttachmentId) {
        self.come_to(after).await;
        let display = Arc::clone(self.display);
        let function = self.ready.function(move |record| display.record(record));
        function.watch_serving(Clock::new(SystemTime::now().into(), Instant::now() + asked::TIME), departed).await;
    }

    /// Starts the former holder, so that it is the standby, unless the function has started it.
    async fn start_again(&self, instance: &InstanceId) -> Result<(), Trouble> {
        self.display.say(&format!("waiting until {instance} is stopped"));
        let ends = |seen: &Instance| seen.state == InstanceState::Stopped || self.has_restarted(seen);
        if !self.has_restarted(&self.await_instance(instance, PAUSE_OF_INSTANCE, "stopped", ends).await?) {
            self.display.say(&format!("starting {instance}"));
            self.display.recording(|recording, at| recording.asked_to_start(at, instance));
            self.patiently(Some(instance), async || self.ready.ec2.start(instance).await).await?;
        }
        self.await_state(instance, InstanceState::Running, PAUSE_OF_INSTANCE).await?;
        self.note_stopped(None);
        self.display.say(&format!("{instance} runs again"));
        Ok(())
    }

    /// Waits until the instance could take the interface and has passed its status checks. A machine that still boots could take it,
    /// too, but would not serve.
    async fn await_viable(&self, instance: &InstanceId) -> Result<(), Trouble> {
        let began = Instant::now();
        let display = Arc::clone(self.display);
        let seen = LastSeen::default();
        let sees = seen.clone();
        // The recording of the account wants the status checks as well.
        let function = self.ready.unprobing_function(move |record| {
            sees.record(record);
            if matches!(record, Record::Observed(_)) {
                display.record(record);
            }
        });
        let request = json!({"action": "failover", "to": instance, "dryRun": true});
        let (mut is_told, mut answered) = (false, Instant::now());
        loop {
            let why = match self.served(&function, &request).await? {
                Ok(report) => {
                    answered = Instant::now();
                    let seen = seen.take();
                    let checks = seen.as_ref().and_then(|seen| Some(&seen.instance(instance)?.status_checks));
                    match (&report.movement, checks == Some(&Reading::Known(StatusChecks::Ok))) {
                        (Some(_), true) => return Ok(()),
                        (Some(_), false) => "it has not passed its status checks".to_owned(),
                        // If the credentials have expired meanwhile, that is the error.
                        (None, _) => {
                            self.interface().await?;
                            report.findings.first().map_or(report.summary, |finding| finding.message.clone())
                        }
                    }
                }
                Err(failure @ (Failure::Ec2Throttled(_) | Failure::Ec2Unreachable(_)))
                    if answered.elapsed() < SILENCE =>
                {
                    failure.to_string()
                }
                Err(failure) => return Err(asked::trouble(failure)),
            };
            if began.elapsed() > VIABLE_TIMEOUT {
                let problem = format!("{instance} cannot take the interface back: {why}");
                let hint = format!("Read the audit: {}", self.ready.again.command("audit"));
                return Err(Trouble::new(problem, hint));
            }
            if !std::mem::replace(&mut is_told, true) {
                self.display.say(&format!("waiting until {instance} can take the interface back"));
            }
            sleep(PAUSE_OF_INSTANCE).await;
        }
    }

    /// Waits until the instance is in this state.
    async fn await_state(&self, id: &InstanceId, state: InstanceState, pause: Duration) -> Result<(), Trouble> {
        let wanted = state.to_string();
        self.await_instance(id, pause, &wanted, |seen| seen.state == state).await.map(drop)
    }

    /// Waits until the instance is as wanted, and returns it.
    async fn await_instance(
        &self,
        id: &InstanceId,
        pause: Duration,
        wanted: &str,
        is_so: impl Fn(&Instance) -> bool,
    ) -> Result<Instance, Trouble> {
        let began = Instant::now();
        loop {
            let seen = self.instance(id).await?;
            if is_so(&seen) {
                return Ok(seen);
            }
            if began.elapsed() > POWER_TIMEOUT {
                let minutes = POWER_TIMEOUT.as_secs() / 60;
                return Err(Trouble::new(
                    format!("{id} is {}, and not {wanted} after {minutes} minutes", seen.state),
                    "",
                ));
            }
            sleep(pause).await;
        }
    }

    /// Whether this answer about the former holder is from after a start. An old answer may show it running as well.
    fn has_restarted(&self, seen: &Instance) -> bool {
        let is_up = matches!(seen.state, InstanceState::Pending | InstanceState::Running);
        is_up && seen.launched_at > self.ready.launched_at
    }

    /// Ends once the former holder has been started again.
    async fn await_restart(&self, holder: &InstanceId) -> Result<(), Trouble> {
        while !self.has_restarted(&self.instance(holder).await?) {
            sleep(PAUSE_OF_INSTANCE).await;
        }
        Ok(())
    }

    /// Has the function serve a request. A run goes on asking for as long as EC2 does not answer. An operator whose credentials have
    /// expired must hear of it.
    async fn served(&self, function: &Function, request: &Value) -> Result<Result<Report, Failure>, Trouble> {
        tokio::select! {
            report = serve(function, request) => Ok(report),
            trouble = self.fails_to_read() => Err(trouble),
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
        let found = self.found(None, async || self.ready.ec2.network_interface(id).await).await?;
        if let Some(interface) = &found {
            self.display.recording(|recording, at| recording.saw_interface(at, interface));
        }
        found.ok_or_else(|| {
            Trouble::new(format!("EC2 does not know {id} anymore"), "See interface-missing in docs/runbook.md.")
        })
    }

    async fn instance(&self, id: &InstanceId) -> Result<Instance, Trouble> {
        let ids = std::slice::from_ref(id);
        let ask = async || Ok(self.ready.ec2.instances(ids).await?.into_iter().next());
        let found = self.found(Some(id), ask).await?;
        if let Some(instance) = &found {
            self.display.recording(|recording, at| recording.saw_instance(at, instance));
        }
        found.ok_or_else(|| {
            let hint = format!("Read the audit: {}", self.ready.again.command("audit"));
            Trouble::new(format!("EC2 does not know {id} anymore"), hint)
        })
    }

    /// Asks until EC2 finds something, or has said for longer than its answers can be old that there is nothing.
    async fn found<T>(
        &self,
        about: Option<&InstanceId>,
        ask: impl AsyncFn() -> Result<Option<T>, CallError>,
    ) -> Result<Option<T>, Trouble> {
        let mut doubt = Doubt::default();
        loop {
            let found = self.patiently(about, &ask).await?;
            doubt = doubt.and_now();
            if found.is_some() || doubt.lasted() >= OLDEST_ANSWER {
                return Ok(found);
            }
            sleep(pause_after_look(doubt.lasted())).await;
        }
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
        asked::unanswered(error, &self.ready.deployed.region)
    }
}
