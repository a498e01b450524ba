//! Processes of AWS.

/// A step that AWS takes by itself when it is due.
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
    /// A terminated instance is no longer listed.
    Forget { instance_id: String },
    /// The agent of an instance receives a command and begins to run it.
    Deliver { command_id: String, instance_id: String },
    /// A command ends.
    Finish { command_id: String, instance_id: String },
    /// Auto Scaling looks at its groups and does what is needed.
    CheckGroups,
    /// A lifecycle action ends by itself.
    TimeOutAction { group: String, token: String },
    /// A command that was not delivered in time is dropped.
    GiveUp { command_id: String, instance_id: String },
}
