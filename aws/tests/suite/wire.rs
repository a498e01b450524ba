//! The ports through the SDK's clients and over the wire.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_ec2::config::retry::{RetryPartition, TokenBucket};
use aws_sdk_ec2::config::{Credentials, SharedCredentialsProvider};
use simulator::{Simulator, names};
use token_failover_aws::{SdkEc2, SdkSns, SdkSsm, retries, timeouts};

/// The configuration of the SDK for a simulator in this process.
pub(crate) fn sdk_config(simulator: &Simulator) -> SdkConfig {
    let credentials = Credentials::new("AKIDEXAMPLE", "not a secret", None, None, "simulator");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(names::REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(simulator.http_client())
        .sleep_impl(aws_smithy_async::rt::sleep::SharedAsyncSleep::new(aws_smithy_async::rt::sleep::TokioSleep::new()))
        .retry_config(retries())
        .timeout_config(timeouts())
        .build()
}

/// Ports whose clients have a quota of retries of their own, so that the result follows from the seed alone.
pub(crate) fn ports(simulator: &Simulator) -> (SdkEc2, SdkSns, SdkSsm) {
    let sdk = sdk_config(simulator);
    let quota = |service| RetryPartition::custom(service).token_bucket(TokenBucket::default()).build();
    let ec2 = aws_sdk_ec2::config::Builder::from(&sdk).retry_partition(quota("ec2")).build();
    let auto_scaling = aws_sdk_autoscaling::config::Builder::from(&sdk).retry_partition(quota("autoscaling")).build();
    let sns = aws_sdk_sns::config::Builder::from(&sdk).retry_partition(quota("sns")).build();
    let ssm = aws_sdk_ssm::config::Builder::from(&sdk).retry_partition(quota("ssm")).build();
    let topic = names::TOPIC.parse().expect("an ARN");
    let sns = SdkSns::new(aws_sdk_sns::Client::from_conf(sns), topic);
    let ec2 = SdkEc2::new(aws_sdk_ec2::Client::from_conf(ec2), aws_sdk_autoscaling::Client::from_conf(auto_scaling));
    (ec2, sns, SdkSsm::new(aws_sdk_ssm::Client::from_conf(ssm)))
}
