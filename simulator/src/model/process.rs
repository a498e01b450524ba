//! What AWS does by itself.

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
