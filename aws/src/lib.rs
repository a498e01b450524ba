//! The clients of EC2, SNS and Systems Manager: the only package that names the AWS SDK.

mod answers;
mod changes;
mod ec2;
mod sns;
mod ssm;

use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::config::timeout::TimeoutConfig;
use aws_smithy_http_client::tls;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use token_failover::model::config::Config;

pub use aws_config::SdkConfig;
pub use ec2::SdkEc2;
pub use sns::SdkSns;
pub use ssm::SdkSsm;

/// Reads the SDK's own configuration: credentials, Region, endpoints.
pub async fn sdk_config() -> SdkConfig {
    sdk_config_in(None).await
}

/// The same, in this Region if one is given.
pub async fn sdk_config_in(region: Option<String>) -> SdkConfig {
    let tls = tls::Provider::Rustls(CryptoMode::Ring);
    let loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(aws_smithy_http_client::Builder::new().tls_provider(tls).build_https())
        .retry_config(retries())
        .timeout_config(timeouts());
    let loader = match region {
        Some(region) => loader.region(Region::new(region)),
        None => loader,
    };
    loader.load().await
}

/// The clients of the three services, from the SDK's configuration. SNS publishes in the topic's own Region.
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
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(5))
        .operation_timeout(Duration::from_secs(20))
        .build()
}
