//! Assumptions where AWS's documentation is silent.

/// Points on which AWS's documentation is silent. The defaults are the likely cases. A test may set each to the
/// opposite, and a correct program must work either way.
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
    /// After a forced detach the device index takes no other interface until the instance has been stopped and started.
    /// The service model says "might not be able to"; by default it is.
    pub forced_detach_blocks_index: bool,
    /// A new attachment has DeleteOnTermination true. AttachNetworkInterface has no parameter for it and its
    /// documentation names no default. Secondary sources say false, which is the default here.
    pub attach_deletes_on_termination: bool,
    /// An attach to an instance of a type with several network cards must name one. The service model says that the
    /// first card is the default.
    pub several_cards_need_an_index: bool,
    /// A dry run is refused with the same error as the change itself. By default the answer is `DryRunOperation`,
    /// whatever the state of the resources. The service model says of `DryRun` only that it checks permissions.
    pub dry_run_needs_state: bool,
    /// Ending an attachment that is gone is `UnauthorizedOperation` instead of `InvalidAttachmentID.NotFound`. A role
    /// that is scoped by resource got this answer (terraform-provider-aws issue 46211).
    pub gone_attachment_is_unauthorized: bool,
    /// Without an instance maintenance policy, an Auto Scaling group launches a replacement only once the lost instance is
    /// terminated, after its hooks. By default it launches while the lost one is being terminated ("Replace Auto Scaling
    /// instances based on maximum instance lifetime", Amazon EC2 Auto Scaling User Guide, which does not mention hooks).
    pub replacement_waits_for_termination: bool,
    /// An instance that was terminated from outside leaves its group without a lifecycle action. By default it waits in
    /// `Terminating:Wait` like any other.
    pub terminated_instance_skips_hooks: bool,
    /// A group that has as many instances as its maximum size terminates before it launches, whatever its instance
    /// maintenance policy says. By default it exceeds the maximum size meanwhile.
    pub maintenance_respects_maximum_size: bool,
    /// An instance refresh goes on to the next instance while the last one still waits for its hooks. By default it goes
    /// on once the last one is terminated.
    pub refresh_ignores_hooks: bool,
    /// The maximum number of items on a page, whatever the request says, so that a small world has several pages. By
    /// default a page is as full as it can be.
    pub page_limit: Option<usize>,
}
