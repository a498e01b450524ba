//! The durations of processes.

use std::time::Duration;

/// The duration of each process. AWS publishes none of these times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    /// A call over the network, there and back.
    pub call: Duration,
    /// From DetachNetworkInterface until the interface is `available`.
    pub detach: Duration,
    /// From AttachNetworkInterface until the attachment is `attached`.
    pub attach: Duration,
    /// `pending` until `running`.
    pub boot: Duration,
    /// The time for which the status checks of a started instance stay `initializing`.
    pub checks: Duration,
    /// `stopping` until `stopped`.
    pub stop: Duration,
    /// `shutting-down` until `terminated`.
    pub shutdown: Duration,
    /// From `terminated` until an interface with DeleteOnTermination false is `available`.
    pub release: Duration,
    /// From SendCommand until the command ends. The agent has it after the first third.
    pub command: Duration,
    /// From SendCommand until GetCommandInvocation knows the command.
    pub command_visible: Duration,
    /// From a change of an instance until its Auto Scaling group notices it. At least a second, so that a group that
    /// replaces instances again and again ends.
    pub group_check: Duration,
    /// From the start of a token server until it listens.
    pub token_server: Duration,
}

impl Timings {
    /// Times as people report them, with status checks once a minute.
    pub fn realistic() -> Self {
        Self {
            call: Duration::from_millis(30),
            detach: Duration::from_secs(2),
            attach: Duration::from_secs(1),
            boot: Duration::from_secs(8),
            checks: Duration::from_secs(60),
            stop: Duration::from_secs(6),
            shutdown: Duration::from_secs(8),
            release: Duration::from_secs(4),
            command: Duration::from_millis(1500),
            command_visible: Duration::from_millis(200),
            group_check: Duration::from_secs(30),
            token_server: Duration::from_secs(2),
        }
    }
}
