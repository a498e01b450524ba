//! The state of the world: the present, the past, and the scheduled processes.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use crate::model::{
    Attachment, Commands, Documents, Event, Ids, Interface, Process, Region, Stacks, TokenServers, Topics,
};

/// The number of past changes that stay readable.
const HISTORY_LENGTH: usize = 512;

/// Makes the seed of the subscription ids differ from the others.
const SUBSCRIPTIONS: u64 = 0x5b5c;
/// The same for the command ids.
const COMMANDS: u64 = 0xc033;
/// The same for the ids of events.
const EVENTS: u64 = 0xe7e7;
/// The same for what Auto Scaling launches, and for the tokens of its lifecycle actions.
const AUTO_SCALING: u64 = 0xa5c1;

/// The shortest time until Auto Scaling notices a change, see [`Timings::group_check`](crate::world::Timings::group_check).
const SHORTEST_GROUP_CHECK: Duration = Duration::from_secs(1);

/// EC2, SNS, Systems Manager, Auto Scaling and CloudFormation, for one account in one Region.
///
/// ```
/// use std::time::Duration;
/// use simulator::{names, world::{AttachNetworkInterface, DetachNetworkInterface}};
///
/// let mut world = simulator::pair().world();
/// let now = Duration::ZERO;
/// world.call(now, DetachNetworkInterface::of(names::ATTACHMENT))?;
/// world.call(now, AttachNetworkInterface::to(names::STANDBY, names::INTERFACE, 1))?;
/// assert_eq!(world.holder_of(names::INTERFACE), Some(names::STANDBY));
/// # Ok::<(), simulator::world::ApiError>(())
/// ```
#[derive(Debug, Clone)]
pub struct World {
    pub(super) region: Region,
    pub(super) topics: Topics,
    pub(super) documents: Documents,
    pub(super) stacks: Stacks,
    pub(super) commands: Commands,
    pub(super) token_servers: TokenServers,
    pub(super) ids: Ids,
    /// A separate generator, so that another topic does not change all other ids.
    pub(super) subscription_ids: Ids,
    /// The same for commands.
    pub(super) command_ids: Ids,
    pub(super) event_ids: Ids,
    pub(super) scaling_ids: Ids,
    /// What the services have sent to EventBridge.
    pub(super) events: Vec<Event>,
    /// The time of the next look of Auto Scaling at its groups, if one is scheduled.
    pub(super) group_check_at: Option<Duration>,
    pub(super) now: Duration,
    /// The scheduled processes of AWS by time and, at the same time, in the order in which they began.
    pub(super) agenda: BTreeMap<(Duration, u64), Process>,
    pub(super) begun: u64,
    /// Earlier states of the Region, each with its end, oldest first.
    pub(super) past: VecDeque<(Duration, Region)>,
    pub(super) revision: u64,
}

impl World {
    pub(crate) fn new(region: Region, seed: u64) -> Self {
        Self {
            region,
            topics: Topics::default(),
            documents: Documents::default(),
            stacks: Stacks::default(),
            commands: Commands::default(),
            token_servers: TokenServers::default(),
            ids: Ids::from_seed(seed),
            subscription_ids: Ids::from_seed(seed.rotate_left(32) ^ SUBSCRIPTIONS),
            command_ids: Ids::from_seed(seed.rotate_left(32) ^ COMMANDS),
            event_ids: Ids::from_seed(seed.rotate_left(32) ^ EVENTS),
            scaling_ids: Ids::from_seed(seed.rotate_left(32) ^ AUTO_SCALING),
            events: Vec::new(),
            group_check_at: None,
            now: Duration::ZERO,
            agenda: BTreeMap::new(),
            begun: 0,
            past: VecDeque::new(),
            revision: 0,
        }
    }

    /// Schedules a process of AWS that ends after this time.
    pub(super) fn begin(&mut self, takes: Duration, process: Process) {
        self.begun += 1;
        self.agenda.insert((self.now.saturating_add(takes), self.begun), process);
    }

    /// Lets Auto Scaling look at its groups after this time, or before.
    pub(super) fn expect_group_check(&mut self, after: Duration) {
        let at = self.now.saturating_add(after);
        if self.region.auto_scaling_groups.is_empty() || self.group_check_at.is_some_and(|earlier| earlier <= at) {
            return;
        }
        self.group_check_at = Some(at);
        self.begin(after, Process::CheckGroups);
    }

    /// The virtual time of the last call or change.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// A number that grows with every change.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Changes EC2's state and keeps the earlier one. Every change uses this method, so Auto Scaling notices each.
    pub(super) fn region_mut(&mut self) -> &mut Region {
        self.revision += 1;
        if self.past.back().is_none_or(|(until, _)| *until < self.now) {
            if self.past.len() == HISTORY_LENGTH {
                self.past.pop_front();
            }
            self.past.push_back((self.now, self.region.clone()));
        }
        self.expect_group_check(self.region.timings.group_check.max(SHORTEST_GROUP_CHECK));
        &mut self.region
    }

    /// The Region of `age` ago, or of the beginning if `age` is longer than the simulation.
    pub fn region_before(&self, age: Duration) -> &Region {
        let then = self.now.checked_sub(age);
        let was_valid = |until: Duration| then.is_none_or(|then| until > then);
        self.past.iter().find(|(until, _)| was_valid(*until)).map_or(&self.region, |(_, region)| region)
    }

    pub(super) fn topics_mut(&mut self) -> &mut Topics {
        self.revision += 1;
        &mut self.topics
    }

    pub fn interface(&self, id: &str) -> Option<&Interface> {
        self.region.interface(id).ok().map(|interface| &**interface)
    }

    pub fn attachment_of(&self, interface_id: &str) -> Option<&Attachment> {
        self.interface(interface_id)?.attachment.as_ref()
    }

    /// The instance to which the interface is attached, or is being attached or detached.
    pub fn holder_of(&self, interface_id: &str) -> Option<&str> {
        self.attachment_of(interface_id).map(|attachment| attachment.instance_id.as_str())
    }

    pub fn tag(&self, resource: &str, key: &str) -> Option<&str> {
        self.region.tags(resource).ok()?.get(key).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{names, pair, world::CreateTags};

    #[test]
    fn the_memory_of_the_past_is_bounded() {
        let mut world = pair().world();
        for n in 0..2 * HISTORY_LENGTH as u64 {
            world.call(Duration::from_secs(n), CreateTags::on(names::INTERFACE, "n", n.to_string())).unwrap();
        }
        assert_eq!(world.past.len(), HISTORY_LENGTH);
    }
}
