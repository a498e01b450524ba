//! The Lambda function: reads the environment, builds the clients once, and serves invocations.

#![warn(clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::unreachable, clippy::unwrap_used)]

use std::time::{Duration, SystemTime};

use chrono::{DateTime, SecondsFormat, Utc};
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde_json::{Value, json};
use token_failover::act::failover::Invocation;
use token_failover::act::function::Failover;
use token_failover::act::prober::{Prober, connect_over_tcp};
use token_failover::act::run::Record;
use token_failover::model::config::{Config, ConfigError};
use token_failover::model::failure::Failure;
use token_failover::model::report::{Report, milliseconds};
use token_failover::tell::metrics;
use token_failover_aws as aws;
use tokio::time::Instant;

// Lambda gives a process one invocation at a time, so one thread is enough.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    match Config::from_variables(std::env::vars()) {
        Ok(config) => {
            let sdk = aws::functions_config(|name| std::env::var(name).ok());
            let ports = aws::clients(&sdk, &config);
            let probes = config.probe;
            let failover = Failover::new(config, ports, Box::new(log));
            let failover = if probes {
                failover.probing(Prober::inside(Box::new(|address| Box::pin(connect_over_tcp(address)))))
            } else {
                failover
            };
            let failover = &failover;
            lambda_runtime::run(service_fn(move |event| serve(failover, event))).await
        }
        // Lambda restarts a function that exits. A function that answers can report its faulty configuration.
        Err(error) => {
            let error = &error;
            lambda_runtime::run(service_fn(move |_: LambdaEvent<Value>| async move {
                Err::<Value, Failed>(Failed::Configuration(error.clone()))
            }))
            .await
        }
    }
}

async fn serve(
    failover: &Failover<(aws::SdkEc2, aws::SdkSns, aws::SdkSsm)>,
    event: LambdaEvent<Value>,
) -> Result<Report, Failed> {
    let LambdaEvent { payload, context, .. } = event;
    let now = SystemTime::now();
    let left = context.deadline().duration_since(now).unwrap_or(Duration::ZERO);
    let invocation = Invocation {
        payload,
        request_id: context.request_id,
        received_at: now.into(),
        deadline: Instant::now() + left,
    };
    let received_at = invocation.received_at;
    let result = failover.handle(invocation).await;
    let (token_server, now) = (failover.token_server(), SystemTime::now().into());
    metrics::line(token_server, received_at, now, &result).into_iter().for_each(print);
    if let Some(report) = result.as_ref().ok().filter(|_| failover.makes_license_metrics()) {
        metrics::feature_lines(token_server, now, report).into_iter().for_each(print);
    }
    match &result {
        Ok(report) => line("INFO", "report", json!(report)),
        Err(failure) => {
            line("ERROR", "failure", json!({"errorType": failure.error_type(), "message": failure.to_string()}))
        }
    }
    result.map_err(Failed::Run)
}

/// Logs each record as a line of JSON, in the form that Lambda's JSON log format expects of a custom runtime.
fn log(record: Record<'_>) {
    match record {
        Record::Observed(observation) => line("INFO", "observation", json!(observation)),
        Record::Requested(config, intent) => line("INFO", "request", json!({"config": config, "intent": intent})),
        // No number stands for a wait without an end.
        Record::Planned(plan, looked_for) => {
            print(json!({"level": "INFO", "type": "plan", "plan": plan, "lookedForMs": milliseconds(looked_for)}));
        }
        Record::Audited(readiness) => line("INFO", "readiness", json!(readiness)),
        Record::Begun(step, resource) => line("DEBUG", "begun", json!({"step": step, "resource": resource})),
        Record::Ended(step) => line("INFO", "step", json!(step)),
        // A move looks ten times a second. The record of a step has its error, and the report has the answers.
        Record::Looked(_) | Record::Failed(..) | Record::Probed(_) | Record::LicenseChecked(_) => {}
    }
}

fn line(level: &str, kind: &str, value: Value) {
    print(json!({"level": level, "type": kind, kind: value}));
}

/// Prints a line with a timestamp. Without one, Lambda treats the line as level INFO, whatever its `level`. Source:
/// Lambda Developer Guide, "Log-level filtering".
#[expect(clippy::print_stdout, reason = "Lambda takes the function's log from its standard output")]
fn print(mut line: Value) {
    let now: DateTime<Utc> = SystemTime::now().into();
    line["timestamp"] = json!(now.to_rfc3339_opts(SecondsFormat::Millis, true));
    println!("{line}");
}

/// Why an invocation failed.
#[derive(Debug)]
enum Failed {
    Configuration(ConfigError),
    Run(Failure),
}

impl From<Failed> for Diagnostic {
    fn from(failed: Failed) -> Self {
        let (error_type, error_message) = match failed {
            Failed::Configuration(error) => ("InvalidConfiguration", error.to_string()),
            Failed::Run(failure) => (failure.error_type(), failure.to_string()),
        };
        Self { error_type: error_type.to_owned(), error_message }
    }
}
