//! The only place that names the AWS SDK.

mod ec2;
mod sns;
mod ssm;

use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::config::timeout::TimeoutConfig;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::operation::RequestId;
use aws_smithy_async::future::pagination_stream::PaginationStream;

pub use aws_config::SdkConfig;
pub use ec2::SdkEc2;
pub use sns::SdkSns;
pub use ssm::SdkSsm;

use token_failover::cloud::{CallError, Meaning};
use token_failover::config::Config;

/// Reads the SDK's own configuration: credentials, Region, endpoints.
pub async fn sdk_config() -> SdkConfig {
    sdk_config_in(None).await
}

/// The same, in this Region if one is given.
pub async fn sdk_config_in(region: Option<String>) -> SdkConfig {
    let loader =
        aws_config::defaults(BehaviorVersion::v2026_01_12()).retry_config(retries()).timeout_config(timeouts());
    let loader = match region {
        Some(region) => loader.region(Region::new(region)),
        None => loader,
    };
    loader.load().await
}

/// The three doors, built from the SDK's configuration. A topic is published to in its own Region.
pub fn clients(sdk: &SdkConfig, config: &Config) -> (SdkEc2, SdkSns, SdkSsm) {
    let region = Region::new(config.topic.region().to_owned());
    let sns = aws_sdk_sns::config::Builder::from(sdk).region(region).build();
    let sns = SdkSns::new(aws_sdk_sns::Client::from_conf(sns), config.topic.clone());
    (SdkEc2::of(sdk), sns, SdkSsm::new(aws_sdk_ssm::Client::new(sdk)))
}

/// Throttling and server errors are tried again by the SDK. Five attempts with a backoff from 100 ms to 2 s take a few
/// seconds: EC2's buckets refill every second, and a token server waits.
pub fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(5)
        .with_initial_backoff(Duration::from_millis(100))
        .with_max_backoff(Duration::from_secs(2))
}

/// A call without an answer ends after five seconds and is tried again; with all its attempts it ends after twenty.
/// Without these the SDK would wait for ever.
pub fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(5))
        .operation_timeout(Duration::from_secs(20))
        .build()
}

/// Sorts an SDK error. `meaning_of` says what the service's error codes mean.
fn call_error<E>(action: &str, error: SdkError<E>, meaning_of: impl Fn(&str) -> Meaning) -> CallError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let code = error.code().map(str::to_owned);
    let request_id = error.request_id().map(str::to_owned);
    let status = error.raw_response().map(|response| response.status().as_u16());
    let meaning = match (&code, status) {
        (Some(code), Some(status)) => match meaning_of(code) {
            // A code that is not known, with a status that says that the fault is the service's.
            Meaning::Rejected if status >= 500 => Meaning::Unreachable,
            meaning => meaning,
        },
        (None, Some(403)) => Meaning::Denied,
        // No code: nothing was answered, or nothing that could be read.
        _ => Meaning::Unreachable,
    };
    let message = match error.message() {
        Some(message) => message.to_owned(),
        None => chain(&error),
    };
    CallError { action: action.to_owned(), meaning, code, message: shortened(&message), request_id }
}

/// Reads an answer page by page to its end. More than `most` pages are an error: a part is never taken for the whole.
async fn each_page<P, E>(
    action: &str,
    most: usize,
    mut pages: PaginationStream<Result<P, SdkError<E>>>,
    meaning_of: impl Fn(&str) -> Meaning,
    mut take: impl FnMut(&P) -> Result<(), CallError>,
) -> Result<(), CallError>
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let mut read = 0;
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| call_error(action, error, &meaning_of))?;
        if read == most {
            return Err(contradiction(action, format!("the answer has more than {most} pages"), None));
        }
        take(&page)?;
        read += 1;
    }
    Ok(())
}

/// That an answer which is due at once does not go on.
fn ends(next_token: Option<&str>) -> Result<(), String> {
    match next_token {
        Some(token) if !token.is_empty() => Err("the answer goes on although so little was asked for".to_owned()),
        _ => Ok(()),
    }
}

/// The error and what caused it, in words. The SDK's own display adds the structure in Rust's notation, which helps nobody
/// who reads a mail.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// An answer that contradicts the question.
fn contradiction(action: &str, message: String, request_id: Option<&str>) -> CallError {
    CallError {
        action: action.to_owned(),
        meaning: Meaning::Contradiction,
        code: None,
        message: shortened(&message),
        request_id: request_id.map(str::to_owned),
    }
}

/// An encoded authorization failure alone is longer than a mail should be.
fn shortened(message: &str) -> String {
    const MOST: usize = 300;
    match message.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}
