//! Serves the requests to the function in this process.

use std::future::Future;
use std::io::{IsTerminal, Write};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use token_failover::act::failover::Invocation;
use token_failover::act::function::Failover;
use token_failover::act::prober::{Prober, connect_over_tcp};
use token_failover::act::run::Record;
use token_failover::model::config::Config;
use token_failover::model::error::{CallError, Meaning};
use token_failover::model::failure::Failure;
use token_failover::model::finding::{FindingCode, Severity};
use token_failover::model::ids::{InstanceId, NetworkInterfaceId};
use token_failover::model::observation::NetworkInterface;
use token_failover::model::reason::Reason;
use token_failover::model::report::{Outcome, Report, Step, StepResult};
use token_failover::ports::Ec2;
use token_failover_aws::{self as aws, SdkConfig, SdkEc2};
use tokio::time::Instant;

use crate::ended::{Ended, Trouble};
use crate::show;

/// The time that Lambda would give.
pub(crate) const TIME: Duration = Duration::from_secs(300);

/// Serves a request, shows its progress, and prints the report.
pub(crate) fn ask(config: Config, request: &Value, json: bool) -> Result<Ended, Trouble> {
    let report = serve(config, request)?;
    if json {
        show::document(&report)?;
    }
    let is_denied = report.reason == Reason::PermissionDenied && report.outcome != Outcome::Resolved;
    let denied = report.findings.iter().find(|finding| is_denied && finding.code == FindingCode::PermissionDenied);
    let trouble =
        denied.map(|denied| not_allowed(denied.resource.as_deref().unwrap_or("a required call"), &denied.remedy));
    // If the credentials do not suffice, and the rest of the report says only that, the operator sees only that error.
    // With changes, made or intended, the operator sees the whole report.
    if let Some(trouble) = trouble {
        if !has_tried(&report) {
            return Err(trouble);
        }
        anstream::eprintln!("{}\n{}", trouble.problem, trouble.hint);
    }
    if !json {
        show::report(&report);
    }
    let worst = report.findings.iter().map(|finding| finding.severity).max();
    // If nothing else took the interface, it may have gone to another member than the requested one.
    let is_as_requested = |to: &InstanceId| request["to"].as_str().is_none_or(|wanted| wanted == to.as_str());
    let is_well = match report.outcome {
        Outcome::Moved if !report.movement.as_ref().is_some_and(|movement| is_as_requested(&movement.to)) => false,
        Outcome::Moved
        | Outcome::Started
        | Outcome::Repaired
        | Outcome::NoAction
        | Outcome::Paused
        | Outcome::Resumed
        | Outcome::Resolved => worst < Some(Severity::Critical),
        Outcome::Audited => report.reason == Reason::Ready,
        // An intended move or start needs the operator's attention.
        Outcome::Planned => {
            let does_something = report.steps.iter().any(|step| step.result == StepResult::Planned);
            !does_something && worst < Some(Severity::Warning)
        }
        Outcome::Refused | Outcome::Failed | Outcome::Ignored => false,
    };
    Ok(if is_well { Ended::Well } else { Ended::Badly })
}

/// Whether the run asked EC2 for a change other than of the function's own tags.
fn has_tried(report: &Report) -> bool {
    report.steps.iter().any(|record| {
        let only_notes = matches!(
            record.step,
            Step::NoteDebt
                | Step::CheckPermission
                | Step::Probe
                | Step::NoteArrival
                | Step::Publish
                | Step::SettleDebt
                | Step::HandOverDebt
                | Step::NotePublished
        );
        !only_notes && record.result != StepResult::Planned
    })
}

/// The effect of a failover in one sentence, or `None` if it would move nothing.
pub(crate) fn plan_of(config: Config, request: &Value) -> Result<Option<String>, Trouble> {
    let report = serve(config, request)?;
    Ok(report.movement.as_ref().map(|_| report.summary.clone()))
}

fn serve(config: Config, request: &Value) -> Result<Report, Trouble> {
    on_runtime(async {
        let (sdk, _) = look_up(&config.interface_id, config.region.clone()).await?;
        let ports = aws::clients(&sdk, &config);
        let prober = Prober::outside(Box::new(|address| Box::pin(connect_over_tcp(address))));
        let failover = Failover::new(config, ports, Box::new(progress)).probing(prober);
        let now: DateTime<Utc> = SystemTime::now().into();
        let invocation = Invocation {
            payload: request.clone(),
            request_id: format!("operator-{:012x}", now.timestamp_millis()),
            received_at: now,
            deadline: Instant::now() + TIME,
        };
        failover.handle(invocation).await.map_err(trouble)
    })
}

/// Reads the interface first. A mistake in the credentials, the Region or the account shows here, and the error can
/// name it.
pub(crate) async fn look_up(
    interface: &NetworkInterfaceId,
    region: Option<String>,
) -> Result<(SdkConfig, NetworkInterface), Trouble> {
    anstream::eprintln!("asking EC2 about {interface} ...");
    // A Region in the settings comes first.
    let sdk = aws::operators_config(region).await;
    let Some(region) = sdk.region().map(ToString::to_string) else {
        let hint = "Set AWS_REGION, or pass --set AWS_REGION=eu-west-1.";
        return Err(Trouble::new("no AWS Region is configured", hint));
    };
    match SdkEc2::of(&sdk).network_interface(interface).await {
        Ok(Some(seen)) => Ok((sdk, seen)),
        Ok(None) => {
            let hint = "Check whether it is in another Region (AWS_REGION) or another account (AWS_PROFILE). If it was \
                        deleted, its MAC address is lost: see interface-missing in docs/runbook.md.";
            Err(Trouble::new(format!("{interface} was not found in {region} in this account"), hint))
        }
        Err(error) => Err(unanswered(error, &region)),
    }
}

/// Refuses if nobody can confirm.
pub(crate) fn can_confirm(task: &str) -> Result<(), Trouble> {
    if std::io::stdin().is_terminal() {
        return Ok(());
    }
    let problem = format!("`{task}` needs confirmation, and standard input is not a terminal");
    Err(Trouble::new(problem, "Pass --yes."))
}

/// Asks a question, to which only `y` or `yes` is a yes.
pub(crate) fn confirm(question: &str) -> Result<bool, Trouble> {
    anstream::eprint!("{question} [y/N] ");
    std::io::stderr()
        .flush()
        .map_err(|error| Trouble::new(format!("standard error could not be written: {error}"), ""))?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|error| Trouble::new(format!("no answer: {error}"), ""))?;
    let is_yes = matches!(answer.trim(), "y" | "Y" | "yes");
    if !is_yes {
        anstream::eprintln!("Nothing was changed.");
    }
    Ok(is_yes)
}

/// The day, in UTC.
pub(crate) fn today() -> NaiveDate {
    DateTime::<Utc>::from(SystemTime::now()).date_naive()
}

/// Runs a future that waits for AWS.
pub(crate) fn on_runtime<T>(work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Trouble::new(format!("the asynchronous runtime did not start: {error}"), ""))?;
    runtime.block_on(work)
}

/// Prints the progress of the run.
fn progress(record: Record<'_>) {
    match record {
        Record::Begun(step, resource) => anstream::eprintln!("  {step} {resource} ..."),
        Record::Ended(step) if step.result == StepResult::Failed => {
            let style = show::BAD;
            anstream::eprintln!(
                "  {style}{} failed{style:#}: {}",
                step.step,
                step.error.as_deref().unwrap_or_default()
            );
        }
        Record::Requested(..)
        | Record::Observed(_)
        | Record::Looked(_)
        | Record::Planned(..)
        | Record::Audited(_)
        | Record::Failed(..)
        | Record::Ended(_)
        | Record::Probed(_)
        | Record::LicenseChecked(_) => {}
    }
}

/// The error for an operator, who must retry: Lambda does not.
pub(crate) fn trouble(failure: Failure) -> Trouble {
    let text = failure.to_string();
    match failure {
        Failure::Ec2Unreachable(error) | Failure::Ec2Throttled(error) => unanswered(error, "the configured Region"),
        Failure::InvalidRequest(_) => Trouble::new(text, ""),
        _ => Trouble::new(text, "The function's next scheduled run continues within minutes."),
    }
}

/// A call without an answer, or with an error.
pub(crate) fn unanswered(error: CallError, region: &str) -> Trouble {
    let CallError { action, message, code, .. } = &error;
    if let Some(problem) = of_credentials(message) {
        let hint = "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. If the session has expired, sign in \
                    again (aws sso login). After `aws login`, export the session:\neval \"$(aws configure export-credentials \
                    --format env)\"";
        return Trouble::new(problem, hint);
    }
    if let Some(code) = code.as_deref().filter(|code| NOT_ACCEPTED.contains(code)) {
        let hint = "They may have expired or belong to another AWS partition: sign in again. A Region that is not enabled for \
                    the account rejects them in the same way.";
        return Trouble::new(format!("AWS does not accept your credentials in {region} ({code})"), hint);
    }
    match error.meaning {
        Meaning::Denied => not_allowed(action, &format!("AWS says: {message}")),
        Meaning::Throttled => Trouble::new(format!("AWS throttled {action}"), "Try again in a minute."),
        Meaning::NoCapacity => Trouble::new(
            format!("{action} failed in {region}: {message}"),
            "EC2 has no capacity for this type now. Try again later.",
        ),
        // AWS answered, about something that it found.
        Meaning::InUse | Meaning::WrongState | Meaning::NotPermitted | Meaning::DoesNotFit => {
            Trouble::new(format!("{action} failed in {region}: {message}"), "")
        }
        _ => Trouble::new(
            format!("{action} failed in {region}: {message}"),
            "Check the network, and check that AWS_REGION is the Region of the interface.",
        ),
    }
}

/// Error codes for unknown or invalid credentials. EC2's documentation lists AuthFailure under the same heading as a
/// missing permission. Source: "Error codes for the Amazon EC2 API".
pub(crate) const NOT_ACCEPTED: [&str; 8] = [
    "AuthFailure",
    "ExpiredToken",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "OptInRequired",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// The fault of the credentials, from the SDK's error when it has none to sign a request.
fn of_credentials(message: &str) -> Option<String> {
    let lower = message.to_ascii_lowercase();
    if lower.contains("no credentials") || lower.contains("no providers in chain") {
        return Some("no AWS credentials were found".to_owned());
    }
    let cause = message.rsplit(": ").next().unwrap_or(message);
    lower.contains("loading credentials").then(|| format!("the AWS credentials could not be read: {cause}"))
}

fn not_allowed(action: &str, hint: &str) -> Trouble {
    Trouble::new(format!("your credentials do not allow {action}"), hint)
}
