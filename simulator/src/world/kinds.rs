//! The kinds of operations: a read, a look, a change.

use super::{parameters::Parameters, state::World};
use crate::model::{ApiError, Region};

/// What every request has.
pub(crate) trait Ask {
    fn dry_run(&self) -> bool {
        false
    }
    fn parameters(&self) -> Parameters;
}

/// A request that changes nothing, so it can also be answered from the past.
pub(crate) trait Read: Ask {
    type Answer;
    fn read(&self, region: &Region) -> Result<Self::Answer, ApiError>;
}

/// A request that changes nothing, but of which no past is kept: it is always answered from the present. SNS and
/// Systems Manager have no dry runs.
pub(crate) trait Look: Ask {
    type Answer;
    fn look(&self, world: &World) -> Result<Self::Answer, ApiError>;
}

/// A request that changes the world.
pub(crate) trait Change: Ask {
    type Answer;

    /// What is looked at before a dry run is answered: form and existence of what is named.
    ///
    /// A dry run "checks whether you have the required permissions for the action, without actually making the
    /// request" (service model, `DryRun`). Permissions are looked at before anything else; that is the simulation's
    /// affair, see [`Disruption::Deny`](crate::Disruption::Deny).
    ///
    /// Assumed: the order of the rest. That a dry run needs existing resources follows from permissions being per
    /// resource. Whether it also needs them to be in the right state, see
    /// [`Assumptions::dry_run_needs_state`](crate::model::Assumptions::dry_run_needs_state).
    fn check(&self, _world: &World) -> Result<(), ApiError> {
        Ok(())
    }

    /// Called once [`Change::check`] has passed.
    fn change(&self, world: &mut World) -> Result<Self::Answer, ApiError>;
}
