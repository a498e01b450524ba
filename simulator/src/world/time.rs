//! What takes time, and how long.

use std::time::Duration;

/// How long each process takes. AWS publishes none of these times.
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
    /// How long the status checks of a started instance stay `initializing`.
    pub checks: Duration,
    /// `stopping` until `stopped`.
    pub stop: Duration,
    /// `shutting-down` until `terminated`.
    pub shutdown: Duration,
    /// From `terminated` until an interface with DeleteOnTermination false is `available`.
    pub release: Duration,
    /// From SendCommand until the command is over; the first third of it passes until the agent has it.
    pub command: Duration,
    /// From SendCommand until GetCommandInvocation knows the command.
    pub command_visible: Duration,
    /// From the start of a token server until it listens.
    pub token_server: Duration,
}

impl Timings {
    /// Times of the size that people report, with status checks that run once a minute.
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
            token_server: Duration::from_secs(2),
        }
    }
}

/// For how long a terminated instance can still be described: "usually less than one hour" ("Terminate Amazon EC2
/// instances", EC2 User Guide).
pub(crate) const TERMINATED_VISIBLE_FOR: Duration = Duration::from_secs(3600);

/// Something that AWS does by itself, when its time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Process {
    /// `attaching` becomes `attached`.
    Attach { attachment_id: String },
    /// `detaching` ends and the interface is `available`.
    Detach { attachment_id: String },
    /// `pending` becomes `running`, or `stopped` if there is no capacity after all.
    Boot { instance_id: String, transition: u32 },
    /// The first status checks of a started instance have passed.
    Checks { instance_id: String, transition: u32 },
    /// `stopping` becomes `stopped`.
    Stop { instance_id: String, transition: u32 },
    /// `shutting-down` becomes `terminated`.
    Terminate { instance_id: String, transition: u32 },
    /// A terminated instance is not shown any longer.
    Forget { instance_id: String },
    /// The agent of an instance gets a command, and begins to run it.
    Deliver { command_id: String, instance_id: String },
    /// A command is over.
    Finish { command_id: String, instance_id: String },
    /// A command that was not delivered in time never will be.
    GiveUp { command_id: String, instance_id: String },
}

/// Points on which AWS's documentation is silent. The defaults are what seems likely; a test may turn each the other
/// way, and a program that is right must work either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Assumptions {
    /// `NetworkInterface.Status` shows `attaching` and `detaching`. The service model has these values; people report
    /// `in-use` throughout, with the phase in `Attachment.Status` only, and that is the default.
    pub status_shows_phases: bool,
    /// Attaching an interface in use is `InvalidParameterValue` instead of `InvalidNetworkInterface.InUse`. "Error
    /// codes for the Amazon EC2 API" says of the latter: "you may also receive the InvalidParameterValue error".
    pub in_use_is_invalid_value: bool,
    /// Attach to and detach from an instance that is neither running nor stopped is refused with
    /// `IncorrectInstanceState` instead of `IncorrectState`.
    pub wrong_state_is_incorrect_instance_state: bool,
    /// A secondary interface can be detached in every state of its instance. The guide names `running` and `stopped`
    /// only, so that all others are refused by default.
    pub detach_in_every_state: bool,
    /// After a forced detach the device index takes no other interface until the instance was stopped and started.
    /// The service model says "might not be able to"; by default it is.
    pub forced_detach_blocks_index: bool,
    /// A new attachment has DeleteOnTermination true. AttachNetworkInterface has no parameter for it and its documentation
    /// names no default; secondary sources say false, and that is the default here too.
    pub attach_deletes_on_termination: bool,
    /// An attach to an instance of a type with several network cards has to name one. The service model says that the first
    /// card is the default.
    pub several_cards_need_an_index: bool,
    /// A dry run of a change is refused with the error that the change itself would be refused with, instead of
    /// `DryRunOperation` whatever the state of what it names. The service model says of `DryRun` only that it checks
    /// permissions.
    pub dry_run_needs_state: bool,
    /// Detaching what is detached already is `UnauthorizedOperation` instead of `InvalidAttachmentID.NotFound`. A role
    /// that is scoped by resource was seen to get that (terraform-provider-aws issue 46211).
    pub gone_attachment_is_unauthorized: bool,
    /// Pages have at most this many items, whatever was asked for, so that a small world has several. By default a
    /// page is as full as it can be.
    pub page_limit: Option<usize>,
}
