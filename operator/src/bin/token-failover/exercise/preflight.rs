//! What must be true before an exercise begins. Nothing is changed here.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use token_failover::act::failover::Invocation;
use token_failover::act::function::Failover;
use token_failover::act::prober::{Prober, connect_over_tcp};
use token_failover::act::run::Record;
use token_failover::decide::pending::report::PendingReport;
use token_failover::model::change::Change;
use token_failover::model::check::CheckResult;
use token_failover::model::config::Config;
use token_failover::model::error::{CallError, Meaning};
use token_failover::model::failure::Failure;
use token_failover::model::finding::Severity;
use token_failover::model::ids::InstanceId;
use token_failover::model::observation::{NetworkInterface, Observation};
use token_failover::model::pause::Pause;
use token_failover::model::reason::Reason;
use token_failover::model::report::{Movement, Outcome, Report};
use token_failover::ports::Ec2;
use token_failover_aws::{self as aws, SdkConfig, SdkEc2, SdkSns, SdkSsm};
use token_failover_operator::account::Recording;
use token_failover_operator::exercise::{Again, after_a_stop};
use tokio::time::Instant;

use super::wishes::Wishes;
use crate::asked;
use crate::deployed::Deployed;
use crate::ended::Trouble;
use crate::settings::Source;

/// The function, in this process.
pub(super) type Function = Failover<(SdkEc2, SdkSns, SdkSsm)>;

/// Everything that an exercise needs.
pub(super) struct Ready {
    pub(super) deployed: Deployed,
    pub(super) config: Config,
    pub(super) ec2: SdkEc2,
    pub(super) holder: InstanceId,
    /// The standby that takes the interface first.
    pub(super) standby: InstanceId,
    pub(super) starts_standby: bool,
    /// When the holder was launched last.
    pub(super) launched_at: Option<DateTime<Utc>>,
    /// The ports have answered this machine, so that silence says something.
    reaches_ports: bool,
    /// What the audit showed of the account.
    pub(super) recording: Recording,
    /// How the command is called again for this function.
    pub(super) again: Again,
    /// What will happen, and what it costs the clients.
    pub(super) announcement: String,
}

impl Ready {
    /// The function with its settings, which hands its records to `recorder`.
    pub(super) fn function(&self, recorder: impl Fn(Record<'_>) + Send + Sync + 'static) -> Function {
        let connect = Box::new(|address| Box::pin(connect_over_tcp(address)) as _);
        let prober = if self.reaches_ports { Prober::inside(connect) } else { Prober::outside(connect) };
        self.unprobing_function(recorder).probing(prober)
    }

    /// The same function, which does not try the ports. A plan needs no answer from them, and silence takes seconds.
    pub(super) fn unprobing_function(&self, recorder: impl Fn(Record<'_>) + Send + Sync + 'static) -> Function {
        function(&self.deployed.sdk, &self.config, recorder)
    }
}

fn function(sdk: &SdkConfig, config: &Config, recorder: impl Fn(Record<'_>) + Send + Sync + 'static) -> Function {
    Failover::new(config.clone(), aws::clients(sdk, config), Box::new(recorder))
}

/// Has the function serve a request now.
pub(super) async fn serve(function: &Function, request: &Value) -> Result<Report, Failure> {
    let now: DateTime<Utc> = SystemTime::now().into();
    let invocation = Invocation {
        payload: request.clone(),
        request_id: format!("exercise-{:012x}", now.timestamp_millis()),
        received_at: now,
        deadline: Instant::now() + asked::TIME,
    };
    Box::pin(function.handle(invocation)).await
}

/// Reads everything, and refuses if an exercise could end badly.
pub(super) async fn preflight(source: &Source, wishes: &Wishes) -> Result<Ready, Trouble> {
    let deployed = Deployed::find(source, wishes.stack_name.as_deref()).await?;
    is_settled_stack(&deployed)?;
    let (config, again) = (deployed.config(source)?, deployed.again(source));
    let Deployed { region, sdk, .. } = &deployed;
    lasts(aws::credentials_expire_at(sdk).await, needed(wishes))?;
    let (_, interface) = asked::look_up(&config.interface_id, Some(region.clone())).await?;
    is_settled_interface(&interface)?;
    let Audited { report: audit, seen, recording } = audited(sdk, &config).await?;
    is_ready(&audit, &again)?;
    let movement = planned(sdk, &config).await?;
    let holder = interface.attachment.as_ref().and_then(|attachment| attachment.instance_id.clone());
    let Some(holder) = holder.filter(|holder| movement.from.as_ref() == Some(holder)) else {
        return Err(Trouble::new(
            "the interface has no holder that it could leave",
            format!("Read the audit: {}", again.command("audit")),
        ));
    };
    let ec2 = SdkEc2::of(sdk);
    let (standby, starts_standby) = if wishes.stop_holder {
        let Some(seen) = &seen else {
            return Err(Trouble::new(
                "the audit did not see the members",
                format!("Read it: {}", again.command("audit")),
            ));
        };
        can_be_stopped(&ec2, seen, &holder, region).await?;
        replaces(&config, seen, &holder, &again)?
    } else {
        (movement.to, movement.standby_started == Some(true))
    };
    let launched_at = seen.as_ref().and_then(|seen| seen.instance(&holder)?.launched_at);
    let reaches_ports = audit.checks.listening == CheckResult::Ok;
    let mut ready = Ready {
        deployed,
        config,
        ec2,
        holder,
        standby,
        starts_standby,
        launched_at,
        reaches_ports,
        recording,
        again,
        announcement: String::new(),
    };
    ready.announcement = announcement(&ready, wishes, &audit);
    Ok(ready)
}

/// Refuses a stack that CloudFormation is changing.
pub(super) fn is_settled_stack(deployed: &Deployed) -> Result<(), Trouble> {
    if is_settled(deployed.status()) {
        return Ok(());
    }
    let hint = "An exercise needs the function as it is deployed. Begin when the stack is complete, in a state such as \
                UPDATE_COMPLETE.";
    Err(Trouble::new(format!("the stack {} is in the state {}", deployed.name, deployed.status()), hint))
}

/// Whether CloudFormation changes nothing in the stack now, and its last change succeeded or was taken back. Source:
/// CloudFormation User Guide, "Stack status codes".
fn is_settled(status: &str) -> bool {
    matches!(
        status,
        "CREATE_COMPLETE"
            | "UPDATE_COMPLETE"
            | "UPDATE_ROLLBACK_COMPLETE"
            | "IMPORT_COMPLETE"
            | "IMPORT_ROLLBACK_COMPLETE"
    )
}

/// How long the credentials must last: longer than an exercise usually takes. A started instance must pass its status checks
/// before the interface moves back.
fn needed(wishes: &Wishes) -> Duration {
    let minutes = match (wishes.stop_holder, wishes.returns()) {
        (false, false) => 5,
        (false, true) => 10,
        (true, false) => 15,
        (true, true) => 30,
    };
    Duration::from_secs(minutes * 60)
}

/// Refuses credentials that may expire in the middle.
fn lasts(expires_at: Option<DateTime<Utc>>, needed: Duration) -> Result<(), Trouble> {
    let now: DateTime<Utc> = SystemTime::now().into();
    let left = expires_at.map(|at| at.signed_duration_since(now).to_std().unwrap_or_default());
    match left {
        Some(left) if left < needed => Err(Trouble::new(
            format!(
                "your credentials expire in {} minutes, and the exercise may take {}",
                left.as_secs() / 60,
                needed.as_secs() / 60
            ),
            "Sign in again (aws sso login), or take credentials that last longer. If they come from the machine, begin again once \
             AWS has renewed them. Nothing was changed.",
        )),
        _ => Ok(()),
    }
}

/// Refuses an interface with which another run is not done.
pub(super) fn is_settled_interface(interface: &NetworkInterface) -> Result<(), Trouble> {
    match PendingReport::read_all(&interface.tags).first() {
        Some(pending) => Err(Trouble::new(
            format!("another run is not done with {}: it has the tag {}", interface.id, pending.key),
            "The function finishes what that run began, and removes the tag, within minutes. Begin then.",
        )),
        None => Ok(()),
    }
}

/// An audit that changes nothing, and what it saw.
struct Audited {
    report: Report,
    seen: Option<Observation>,
    recording: Recording,
}

/// Keeps the last observation of a run.
#[derive(Clone, Default)]
pub(super) struct LastSeen(Arc<Mutex<Option<Observation>>>);

impl LastSeen {
    /// Keeps it, if this record is an observation.
    pub(super) fn record(&self, record: Record<'_>) {
        if let Record::Observed(observation) = record {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(observation.clone());
        }
    }

    /// The last observation since the last call; `None`: there was none.
    pub(super) fn take(&self) -> Option<Observation> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

async fn audited(sdk: &SdkConfig, config: &Config) -> Result<Audited, Trouble> {
    anstream::eprintln!("auditing ...");
    let (seen, recording) = (LastSeen::default(), Arc::<Mutex<Recording>>::default());
    let (sees, records) = (seen.clone(), Arc::clone(&recording));
    let function = function(sdk, config, move |record| {
        sees.record(record);
        // The time of the exercise has not begun.
        records.lock().unwrap_or_else(PoisonError::into_inner).record(Duration::ZERO, record);
    })
    .probing(Prober::outside(Box::new(|address| Box::pin(connect_over_tcp(address)))));
    let report = serve(&function, &json!({"action": "audit", "dryRun": true})).await.map_err(asked::trouble)?;
    let recording = std::mem::take(&mut *recording.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Audited { report, seen: seen.take(), recording })
}

/// Refuses if the function is paused.
pub(super) fn is_not_paused(pause: Option<&Pause>, again: &Again) -> Result<(), Trouble> {
    match pause {
        Some(pause) => Err(Trouble::new(
            format!("token-failover is paused until {}", pause.in_words()),
            format!("End the pause: {}", again.command("resume")),
        )),
        None => Ok(()),
    }
}

/// Refuses if the audit found anything critical, or if the function is paused.
fn is_ready(audit: &Report, again: &Again) -> Result<(), Trouble> {
    is_not_paused(audit.pause.as_ref(), again)?;
    let is_ready = audit.reason == Reason::Ready || audit.reason == Reason::ReadyWithWarnings;
    if audit.outcome == Outcome::Audited && is_ready {
        return Ok(());
    }
    let critical: Vec<_> = audit.findings.iter().filter(|finding| finding.severity == Severity::Critical).collect();
    let Some(first) = critical.first() else {
        let hint = format!("Read it: {}", again.command("audit"));
        return Err(Trouble::new(format!("the audit did not succeed: {}", audit.summary), hint));
    };
    let others = match critical.len() - 1 {
        0 => String::new(),
        1 => format!("\nThe audit has one more critical finding: {}", again.command("audit")),
        more => format!("\nThe audit has {more} more critical findings: {}", again.command("audit")),
    };
    Err(Trouble::new(
        format!("a failover would not work now: {} [{}]", first.message, first.code),
        format!("{}{others}", first.remedy),
    ))
}

/// The move that an operator's failover would make.
async fn planned(sdk: &SdkConfig, config: &Config) -> Result<Movement, Trouble> {
    let function = function(sdk, config, |_| {});
    let report = serve(&function, &json!({"action": "failover", "dryRun": true})).await.map_err(asked::trouble)?;
    let first = report.findings.first().map_or_else(String::new, |finding| finding.remedy.clone());
    report.movement.ok_or_else(|| Trouble::new(report.summary, first))
}

/// Refuses to stop a holder that its Auto Scaling group would replace, or that the operator may not stop and start.
async fn can_be_stopped(ec2: &SdkEc2, seen: &Observation, holder: &InstanceId, region: &str) -> Result<(), Trouble> {
    if let Some(group) = seen.instance(holder).and_then(|instance| instance.auto_scaling_group.as_ref()) {
        return Err(Trouble::new(
            format!("the Auto Scaling group {group} would terminate and replace {holder} if it were stopped"),
            "Without --stop-holder, the exercise moves the interface and stops nothing. To see the function serve the group, \
             start an instance refresh: see docs/setup.md.",
        ));
    }
    let denied = |error: CallError| match error.meaning {
        Meaning::Denied => Trouble::new(
            format!("your credentials do not allow {} for {holder}", error.action),
            "--stop-holder needs ec2:StopInstances and ec2:StartInstances. The function never stops an instance.",
        ),
        _ => asked::unanswered(error, region),
    };
    ec2.may_stop(holder).await.map_err(denied)?;
    ec2.may(&Change::Start(holder.clone())).await.map_err(denied)
}

/// The standby to which the function would move the interface after a stop of the holder, and whether it would start it. Refuses
/// if there is none: the function has limits that an operator's failover does not have.
pub(super) fn replaces(
    config: &Config,
    seen: &Observation,
    holder: &InstanceId,
    again: &Again,
) -> Result<(InstanceId, bool), Trouble> {
    match after_a_stop(config, seen, holder) {
        Ok(target) => Ok((target.attach.instance_id, target.start)),
        Err(why) => Err(Trouble::new(
            format!("the function would not move {} after a stop of {holder}: {why}", config.interface_id),
            format!(
                "Without --stop-holder, the exercise is an operator's failover, which has no limit. To see more, read the audit: {}",
                again.command("audit")
            ),
        )),
    }
}

/// What will happen, and what it costs the clients.
fn announcement(ready: &Ready, wishes: &Wishes, audit: &Report) -> String {
    let Ready { deployed: Deployed { name: stack, region, .. }, config, holder, standby, starts_standby, .. } = ready;
    let mut steps = Vec::new();
    if wishes.stop_holder {
        steps.push(format!("Stop {holder}. The deployed function then moves the interface to {standby}."));
    } else {
        steps.push(format!("Move the interface from {holder} to {standby}."));
    }
    if *starts_standby {
        let stays = if wishes.returns() { " It keeps running afterwards." } else { "" };
        steps.push(format!("{standby} is stopped, and is started for this.{stays}"));
    }
    if wishes.stop_holder {
        steps.push(format!("Start {holder} again."));
    }
    if wishes.returns() {
        steps.push(format!("Move the interface back to {holder}."));
    }
    let interface = config.interface_id.as_str();
    let of = if config.name == interface { String::new() } else { format!(" of {}", config.name) };
    let mut text = format!(
        "This exercise moves the license interface {interface}{of} for real, in {region}, with the settings of the stack {stack}:\n"
    );
    for (number, step) in steps.iter().enumerate() {
        text += &format!("  {}. {step}\n", number + 1);
    }
    let moves = if wishes.returns() { "Each of the two moves" } else { "The move" };
    text += &format!(
        "{moves} drops the checkouts of all clients. They get licenses again when lmgrd serves on the other instance.\n\
         The reports go to {}.",
        config.topic
    );
    let warnings = audit.findings.iter().filter(|finding| finding.severity == Severity::Warning);
    for warning in warnings {
        text += &format!("\nwarning   {} [{}]", warning.message, warning.code);
    }
    text
}
