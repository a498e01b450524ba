//! The doors through the SDK's clients and over the wire.

use simulator::{Simulator, names};
use token_failover::aws::{self, SdkEc2, SdkSns};

use crate::support;

/// Doors whose clients share their retries with no other world.
pub(crate) fn doors(_seed: u64) -> impl Fn(&Simulator) -> (SdkEc2, SdkSns) {
    |simulator| {
        let config = support::config(&[("NOTIFICATION_TOPIC_ARN", names::TOPIC)]);
        aws::clients(&support::sdk_config(simulator), &config)
    }
}
