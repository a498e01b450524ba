//! The journal of calls.

use std::{borrow::Cow, fmt, time::Duration};

use crate::world::{Parameters, Service};

/// One call that took effect or failed.
///
/// Displayed as one line, without the time: `DetachNetworkInterface AttachmentId=eni-attach-0aaaaaaaaaaaaaaa1 -> ok`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The position in the order in which the calls arrived. The journal itself is in the order in which they took
    /// effect.
    pub sequence: u64,
    /// The time at which it took effect.
    pub at: Duration,
    pub service: Service,
    pub action: Cow<'static, str>,
    pub parameters: Parameters,
    pub dry_run: bool,
    pub outcome: Outcome,
    /// Whether it changed the world.
    pub changed: bool,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.action)?;
        if self.parameters.iter().next().is_some() {
            write!(f, " {}", self.parameters)?;
        }
        if self.dry_run {
            f.write_str(" DryRun")?;
        }
        write!(f, " -> {}", self.outcome)
    }
}

/// The outcome of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Ok,
    /// The code of the error.
    Error(String),
    DroppedBefore,
    DroppedAfter,
    /// The connection closed, and the call took effect later, see [`Disruption::Late`](crate::Disruption::Late).
    Late,
    Hung,
    Nonsense,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Error(code) => code,
            Self::DroppedBefore => "dropped-before",
            Self::DroppedAfter => "dropped-after",
            Self::Late => "late",
            Self::Hung => "hung",
            Self::Nonsense => "nonsense",
        })
    }
}
