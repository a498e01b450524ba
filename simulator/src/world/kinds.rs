//! The kinds of operations: [`Read`], [`Look`] and [`Change`].

use super::{parameters::Parameters, state::World};
use crate::model::{ApiError, Region};

/// The common part of all requests.
pub(crate) trait Ask {
    fn dry_run(&self) -> bool {
        false
    }
    fn parameters(&self) -> Parameters;
}

/// A request that changes nothing and can be answered from the past.
pub(crate) trait Read: Ask {
    type Answer;
    fn read(&self, region: &Region) -> Result<Self::Answer, ApiError>;
}

/// A request that changes nothing and is always answered from the present, because no past is kept for it. SNS and
/// Systems Manager have no dry runs.
pub(crate) trait Look: Ask {
    type Answer;
    fn look(&self, world: &World) -> Result<Self::Answer, ApiError>;
}

/// A request that changes the world.
pub(crate) trait Change: Ask {
    type Answer;

    /// The checks of a dry run: the form and the existence of the named resources.
    ///
    /// A dry run "checks whether you have the required permissions for the action, without actually making the request"
    /// (service model, `DryRun`). Permissions come first; the simulation checks them, see
    /// [`Disruption::Deny`](crate::Disruption::Deny).
    ///
    /// Assumed: the order of the other checks. A dry run needs existing resources, because permissions are per
    /// resource. See [`Assumptions::dry_run_needs_state`](crate::model::Assumptions::dry_run_needs_state) for their
    /// state.
    fn check(&self, _world: &World) -> Result<(), ApiError> {
        Ok(())
    }

    /// Called once [`Change::check`] has passed.
    fn change(&self, world: &mut World) -> Result<Self::Answer, ApiError>;
}
