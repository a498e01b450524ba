//! Commands that Systems Manager sends to instances.

use std::{collections::BTreeMap, time::Duration};

use super::document::Effect;
use crate::names;

/// All sent commands in order, one entry for each instance of a command.
pub(crate) type Commands = Vec<Command>;

/// How commands to an instance end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CommandBehavior {
    #[default]
    Succeeds,
    Fails,
    /// They run forever. Assumed: no execution timeout of their documents ends them.
    NeverEnds,
    /// The agent never takes them, although it is connected to Systems Manager.
    NeverDelivered,
}

/// `CommandInvocationStatus` of the service model, as far as it is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandStatus {
    Pending,
    InProgress,
    Success,
    Failed,
    TimedOut,
}

impl CommandStatus {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::InProgress => "InProgress",
            Self::Success => "Success",
            Self::Failed => "Failed",
            Self::TimedOut => "TimedOut",
        }
    }

    /// `StatusDetails`, in the words of the service model. "StatusDetails can show different results than Status": the
    /// words have spaces.
    pub fn details(self) -> &'static str {
        match self {
            Self::InProgress => "In Progress",
            Self::TimedOut => "Delivery Timed Out",
            _ => self.name(),
        }
    }

    pub fn is_over(self) -> bool {
        !matches!(self, Self::Pending | Self::InProgress)
    }
}

/// A command on one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The id, the same on all instances of a command.
    pub id: String,
    /// A name or an ARN, as in the request.
    pub document_name: String,
    pub instance_id: String,
    pub parameters: BTreeMap<String, Vec<String>>,
    /// The comment, or an empty string.
    pub comment: String,
    /// The time after which an undelivered command is dropped.
    pub timeout: Duration,
    pub sent_at: Duration,
    /// The time at which the agent began to run it.
    pub started_at: Option<Duration>,
    pub ended_at: Option<Duration>,
    pub status: CommandStatus,
    /// What its document does.
    pub(crate) effect: Effect,
    /// What its script has printed, and its exit code; `None`: the script has not ended.
    pub(crate) result: Option<(String, i32)>,
    /// The attachment of the license interface to the instance when the command began.
    pub(crate) license_attachment: Option<String>,
}

impl Command {
    /// `StandardOutputContent`: empty while the command has not finished (service model).
    pub fn output(&self) -> &str {
        self.result.as_ref().map_or("", |(output, _)| output)
    }

    /// "If the response code is -1, then the command hasn't started running on the managed node, or it wasn't received
    /// by the node" (service model, `GetCommandInvocationResult$ResponseCode`).
    ///
    /// Assumed: it is -1 as well while the command runs.
    pub fn response_code(&self) -> i32 {
        self.result.as_ref().map_or(-1, |(_, code)| *code)
    }

    /// `StandardErrorContent`: empty while the command has not finished (service model).
    pub fn error_output(&self) -> &'static str {
        if self.status == CommandStatus::Failed { names::COMMAND_ERROR_OUTPUT } else { "" }
    }
}
