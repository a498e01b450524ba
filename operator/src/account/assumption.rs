//! What an exercise can show of each of the simulator's assumptions.

use super::document::Assumed;

/// The simulator's assumptions, as in `simulator/src/model/assumptions.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Assumption {
    StatusShowsPhases,
    InUseIsInvalidValue,
    WrongStateIsIncorrectInstanceState,
    DetachInEveryState,
    ForcedDetachBlocksIndex,
    AttachDeletesOnTermination,
    SeveralCardsNeedAnIndex,
    DryRunNeedsState,
    GoneAttachmentIsUnauthorized,
    ReplacementWaitsForTermination,
    TerminatedInstanceSkipsHooks,
    MaintenanceRespectsMaximumSize,
    RefreshIgnoresHooks,
}

/// The words for each kind of evidence.
struct Words {
    name: &'static str,
    so: &'static str,
    not_so: &'static str,
    unseen: &'static str,
}

/// The evidence for and against an assumption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Evidence {
    so: bool,
    not_so: bool,
}

impl Evidence {
    pub(super) fn add(&mut self, so: bool) {
        *if so { &mut self.so } else { &mut self.not_so } = true;
    }
}

/// An exercise cannot show these.
const TERMINATES_NOTHING: &str = "An exercise terminates no instance.";

impl Assumption {
    pub(super) const ALL: [Self; 13] = [
        Self::StatusShowsPhases,
        Self::InUseIsInvalidValue,
        Self::WrongStateIsIncorrectInstanceState,
        Self::DetachInEveryState,
        Self::ForcedDetachBlocksIndex,
        Self::AttachDeletesOnTermination,
        Self::SeveralCardsNeedAnIndex,
        Self::DryRunNeedsState,
        Self::GoneAttachmentIsUnauthorized,
        Self::ReplacementWaitsForTermination,
        Self::TerminatedInstanceSkipsHooks,
        Self::MaintenanceRespectsMaximumSize,
        Self::RefreshIgnoresHooks,
    ];

    /// The name of the field.
    pub(super) fn name(self) -> &'static str {
        self.words().name
    }

    pub(super) fn assumed(self, evidence: Evidence) -> Assumed {
        let words = self.words();
        let (seen, how) = match evidence {
            Evidence { so: true, not_so: false } => (Some(true), words.so),
            Evidence { so: false, not_so: true } => (Some(false), words.not_so),
            Evidence { so: false, not_so: false } => (None, words.unseen),
            Evidence { so: true, not_so: true } => (None, "EC2 did it both ways."),
        };
        Assumed { seen, how }
    }

    fn words(self) -> Words {
        /// An assumption that no exercise shows.
        fn never(name: &'static str, unseen: &'static str) -> Words {
            Words { name, so: "", not_so: "", unseen }
        }
        match self {
            Self::StatusShowsPhases => Words {
                name: "statusShowsPhases",
                so: "The status of the interface was attaching or detaching while its attachment was.",
                not_so: "The status of the interface was in-use while its attachment was attaching or detaching.",
                unseen: "No read came while the interface was being attached or detached.",
            },
            Self::InUseIsInvalidValue => Words {
                name: "inUseIsInvalidValue",
                so: "Attaching an interface in use was refused with InvalidParameterValue.",
                not_so: "Attaching an interface in use was refused with InvalidNetworkInterface.InUse.",
                unseen: "The interface was free at every attach, and no dry run was refused because it was in use.",
            },
            Self::WrongStateIsIncorrectInstanceState => Words {
                name: "wrongStateIsIncorrectInstanceState",
                so: "A call was refused with IncorrectInstanceState because of the state of the instance.",
                not_so: "A call was refused with IncorrectState because of the state of the instance.",
                unseen: "No detach or attach of the exercise was refused because of the state of the instance.",
            },
            Self::DetachInEveryState => Words {
                name: "detachInEveryState",
                so: "The interface left an instance that was neither running nor stopped.",
                not_so: "A detach from an instance that was neither running nor stopped was refused, or waited until it had stopped.",
                unseen: "No run was seen to detach the interface while its instance was neither running nor stopped.",
            },
            Self::ForcedDetachBlocksIndex => {
                never("forcedDetachBlocksIndex", "A forced detach is not harmless, so an exercise asks for none.")
            }
            Self::AttachDeletesOnTermination => Words {
                name: "attachDeletesOnTermination",
                so: "DeleteOnTermination of a new attachment was true.",
                not_so: "DeleteOnTermination of a new attachment was false before anything had set it.",
                unseen: "No new attachment was seen before the function could have set its DeleteOnTermination.",
            },
            Self::SeveralCardsNeedAnIndex => never(
                "severalCardsNeedAnIndex",
                "Every attach of the program names a network card, so none was made without one.",
            ),
            Self::DryRunNeedsState => Words {
                name: "dryRunNeedsState",
                so: "A dry run was refused because of the state of the interface.",
                not_so: "The dry run of an attach was answered with DryRunOperation although the interface was in use.",
                unseen: "No audit asked for the attach of an interface in use.",
            },
            Self::GoneAttachmentIsUnauthorized => Words {
                name: "goneAttachmentIsUnauthorized",
                so: "Ending an attachment that was gone was answered with UnauthorizedOperation.",
                not_so: "Ending an attachment that was gone was answered with InvalidAttachmentID.NotFound.",
                unseen: "No attachment was ended that was gone already.",
            },
            Self::ReplacementWaitsForTermination => never("replacementWaitsForTermination", TERMINATES_NOTHING),
            Self::TerminatedInstanceSkipsHooks => never("terminatedInstanceSkipsHooks", TERMINATES_NOTHING),
            Self::MaintenanceRespectsMaximumSize => {
                never("maintenanceRespectsMaximumSize", "An exercise makes no Auto Scaling group replace an instance.")
            }
            Self::RefreshIgnoresHooks => never("refreshIgnoresHooks", "An exercise starts no instance refresh."),
        }
    }
}
