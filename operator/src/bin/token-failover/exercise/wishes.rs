//! What the operator wants of an exercise.

use std::path::PathBuf;

use clap::Args;

/// What the operator wants of an exercise.
#[derive(Debug, Args)]
pub(crate) struct Wishes {
    /// The stack of token-failover. Default: the stack_name in samconfig.toml, or token-failover.
    #[arg(long, value_name = "NAME")]
    pub(super) stack_name: Option<String>,
    /// Stop the holder, and watch the deployed function move the interface. Start the former holder again afterwards.
    #[arg(long)]
    pub(super) stop_holder: bool,
    /// With --stop-holder: move the interface back at the end.
    #[arg(long = "return", requires = "stop_holder")]
    back: bool,
    /// End at the standby, and do not move the interface back.
    #[arg(long, conflicts_with = "back")]
    one_way: bool,
    /// Do not ask for confirmation.
    #[arg(long)]
    pub(super) yes: bool,
    /// Write a picture of the timeline into this file, as SVG.
    #[arg(long, value_name = "FILE")]
    pub(super) svg: Option<PathBuf>,
    /// Write into this file how EC2 behaves in this account, as JSON. Nothing in it identifies the account.
    #[arg(long, value_name = "FILE")]
    pub(super) record: Option<PathBuf>,
}

impl Wishes {
    /// Whether the interface is to move back at the end.
    pub(super) fn returns(&self) -> bool {
        if self.stop_holder { self.back } else { !self.one_way }
    }
}
