//! The clients of EC2, EC2 Auto Scaling, SNS and Systems Manager: the only package that names the AWS SDK.

mod answers;
mod auto_scaling;
mod changes;
mod ec2;
mod http;
#[cfg(feature = "operator")]
mod operator;
mod sns;
mod ssm;

use std::fmt;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_ec2::config::SharedCredentialsProvider;
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::config::timeout::TimeoutConfig;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use token_failover::model::config::Config;

pub use aws_config::SdkConfig;
pub use ec2::{SdkEc2, Tags};
#[cfg(feature = "operator")]
pub use operator::{Stack, credentials_expire_at, stack};
pub use sns::SdkSns;
pub use ssm::SdkSsm;

const VERSION: fn() -> BehaviorVersion = BehaviorVersion::v2026_01_12;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The SDK's configuration on an operator's machine: credentials, Region and endpoints from all of the SDK's usual places. In
/// this Region, if one is given.
pub async fn operators_config(region: Option<String>) -> SdkConfig {
    let loader = aws_config::defaults(VERSION())
        .http_client(http::client(CONNECT_TIMEOUT))
        .retry_config(retries())
        .timeout_config(timeouts());
    let loader = match region {
        Some(region) => loader.region(Region::new(region)),
        None => loader,
    };
    loader.load().await
}

/// The SDK's configuration in a Lambda function. `variable` reads the environment, where Lambda puts the credentials of the role
/// and the Region. Source: Lambda Developer Guide, "Working with Lambda environment variables".
///
/// The SDK's usual places include profiles, SSO, STS and the metadata of instances and containers. The function has none of
/// them, and without their code its deployment package is smaller.
pub fn functions_config(variable: impl Fn(&str) -> Option<String> + Clone + Send + Sync + 'static) -> SdkConfig {
    let is_on = |name: &str| variable(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let config = SdkConfig::builder()
        .behavior_version(VERSION())
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
        .region(variable("AWS_REGION").map(Region::new))
        .use_fips(is_on("AWS_USE_FIPS_ENDPOINT"))
        .use_dual_stack(is_on("AWS_USE_DUALSTACK_ENDPOINT"))
        .http_client(http::client(CONNECT_TIMEOUT))
        .retry_config(retries())
        .timeout_config(timeouts());
    let config = match variable("AWS_ENDPOINT_URL") {
        Some(url) => config.endpoint_url(url),
        None => config,
    };
    config.service_config(Environment(variable)).build()
}

/// Reads a service's own endpoint, such as `AWS_ENDPOINT_URL_EC2`.
struct Environment<F>(F);

impl<F: Fn(&str) -> Option<String> + Send + Sync> LoadServiceConfig for Environment<F> {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        (self.0)(&format!("{}_{}", key.env(), key.service_id().to_uppercase().replace(' ', "_")))
    }
}

impl<F> fmt::Debug for Environment<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

/// The clients of the services, from the SDK's configuration. SNS publishes in the topic's own Region.
pub fn clients(sdk: &SdkConfig, config: &Config) -> (SdkEc2, SdkSns, SdkSsm) {
    let region = Region::new(config.topic.region().to_owned());
    let sns = aws_sdk_sns::config::Builder::from(sdk).region(region).build();
    let sns = SdkSns::new(aws_sdk_sns::Client::from_conf(sns), config.topic.clone());
    (SdkEc2::of(sdk), sns, SdkSsm::new(aws_sdk_ssm::Client::new(sdk)))
}

/// The SDK retries throttled calls and server errors. Five attempts with a backoff from 100 ms to 2 s take a few
/// seconds: EC2's buckets refill every second, and a token server is waiting.
pub fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(5)
        .with_initial_backoff(Duration::from_millis(100))
        .with_max_backoff(Duration::from_secs(2))
}

/// An attempt without an answer ends after five seconds and is retried. A call ends after twenty seconds with all its
/// attempts. Without these timeouts the SDK would wait forever.
pub fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(Duration::from_secs(5))
        .operation_timeout(Duration::from_secs(20))
        .build()
}
