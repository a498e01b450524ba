//! Requests to the function, served here.

use std::future::Future;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use serde_json::Value;
use token_failover::aws;
use token_failover::cloud::{CallError, Meaning};
use token_failover::config::Config;
use token_failover::failover::{Failover, Failure, Invocation};
use token_failover::report::{Outcome, Report, StepResult};
use token_failover::run::Record;
use tokio::time::Instant;

use crate::settings::Source;
use crate::{Ended, Trouble, show};

/// As long as Lambda would give.
const TIME: Duration = Duration::from_secs(300);

/// Serves a request, shows what happens while it does, and prints the report.
pub(crate) fn ask(source: &Source, request: &Value, json: bool) -> Result<Ended, Trouble> {
    let config = source.config()?;
    let report = serve(config, request)?;
    if json {
        show::document(&report)?;
    } else {
        show::report(&report);
    }
    Ok(match (report.outcome, report.reason.as_str()) {
        (Outcome::Moved | Outcome::Repaired | Outcome::NoAction, _) | (Outcome::Audited, "ready") => Ended::Well,
        (Outcome::Planned, _) if report.movement.is_none() && report.findings.is_empty() => Ended::Well,
        _ => Ended::Badly,
    })
}

/// What a failover would do, in one sentence; `None`: it would move nothing.
pub(crate) fn plan_of(source: &Source, request: &Value) -> Result<Option<String>, Trouble> {
    let report = serve(source.config()?, request)?;
    Ok(report.movement.as_ref().map(|_| report.summary.clone()))
}

fn serve(config: Config, request: &Value) -> Result<Report, Trouble> {
    on_runtime(async {
        // The Region of the settings, where they name one, is the one that is meant.
        let sdk = aws::sdk_config_in(config.region.clone()).await;
        if sdk.region().is_none() {
            let hint = "Set AWS_REGION, or give --set AWS_REGION=eu-west-1.";
            return Err(Trouble::new("no Region is configured, so it is not known where to ask", hint));
        }
        let (ec2, sns) = aws::clients(&sdk, &config);
        let failover = Failover::new(config, ec2, sns, Box::new(progress));
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

/// Runs what waits for AWS.
pub(crate) fn on_runtime<T>(work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Trouble::new(format!("no runtime: {error}"), ""))?;
    runtime.block_on(work)
}

/// What happens, while it happens.
fn progress(record: Record<'_>) {
    match record {
        Record::Requested(config, _) => {
            let name = if config.name == config.interface_id.as_str() { "" } else { &config.name };
            anstream::eprintln!(
                "{}asking EC2 about {} ...",
                if name.is_empty() { String::new() } else { format!("{name}: ") },
                config.interface_id
            );
        }
        Record::Begun(step, resource) => anstream::eprintln!("  {step} {resource} ..."),
        Record::Ended(step) if step.result == StepResult::Failed => {
            let style = show::BAD;
            anstream::eprintln!(
                "  {style}{} failed{style:#}: {}",
                step.step,
                step.error.as_deref().unwrap_or_default()
            );
        }
        Record::Observed(_) | Record::Planned(..) | Record::Audited(_) | Record::Ended(_) => {}
    }
}

/// What a person who stands at a keyboard has to know: nobody else tries it again.
fn trouble(failure: Failure) -> Trouble {
    let text = failure.to_string();
    match failure {
        Failure::Ec2Unreachable(error) | Failure::Ec2Throttled(error) => unanswered(error),
        Failure::InvalidRequest(_) => Trouble::new(text, ""),
        _ => Trouble::new(text, "The function's schedule takes it up within minutes."),
    }
}

/// A call that had no answer, or not the one that was hoped for.
pub(crate) fn unanswered(error: CallError) -> Trouble {
    let CallError { action, message, .. } = &error;
    if message.contains("no credentials found") || message.contains("credential provider") {
        let hint = "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. After `aws sso login` this passes the session \
                    on:\neval \"$(aws configure export-credentials --format env)\"";
        return Trouble::new("no AWS credentials were found", hint);
    }
    match error.meaning {
        Meaning::Denied => {
            Trouble::new(format!("your credentials do not allow {action}"), format!("EC2 says: {message}"))
        }
        Meaning::Throttled => {
            Trouble::new(format!("EC2 throttles {action}"), "Nothing was changed. Try again in a minute.")
        }
        _ => Trouble::new(
            format!("{action} was not answered: {message}"),
            "Look at the network, and whether AWS_REGION is the Region of the interface.",
        ),
    }
}
