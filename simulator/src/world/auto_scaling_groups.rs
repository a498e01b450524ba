//! Auto Scaling groups: health checks, replacements, scaling, and instance refreshes.
//!
//! Auto Scaling looks at its groups some time after anything has changed. [`next_step`] says what a group needs next, and
//! the look takes steps until the group needs nothing.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::state::World;
use crate::model::{
    ApiError, AutoScalingGroup, Check, GROUP_NAME_TAG, GroupMember, HealthStatus, Instance, InstanceState,
    LaunchTemplate, Phase, Region, TerminationPolicy, ids,
};

/// The time until a launch is tried again for which there was no capacity. Assumed.
const RETRY: Duration = Duration::from_secs(60);

/// One thing that a group needs.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// A pending member is running.
    EnterService(String),
    /// A member has failed its health check.
    MarkUnhealthy(String),
    /// A member is to leave.
    Terminate(String),
    /// A member is terminated.
    Remove(String),
    /// There are too few members.
    Launch,
    /// The instance refresh has replaced every member.
    EndRefresh,
}

/// A group at a moment.
struct Look<'a> {
    group: &'a AutoScalingGroup,
    region: &'a Region,
    now: Duration,
}

/// The first thing that a group needs, or `None`.
fn next_step(group: &AutoScalingGroup, region: &Region, now: Duration) -> Option<Step> {
    let look = Look { group, region, now };
    look.change_of_a_member()
        .or_else(|| look.end_of_refresh())
        .or_else(|| look.unhealthy_to_terminate().map(Step::Terminate))
        .or_else(|| look.outdated_to_terminate().map(Step::Terminate))
        .or_else(|| look.change_of_size())
}

impl<'a> Look<'a> {
    fn instance(&self, member: &GroupMember) -> Option<&'a Arc<Instance>> {
        self.region.instance(&member.instance_id).ok()
    }

    fn state(&self, member: &GroupMember) -> InstanceState {
        self.instance(member).map_or(InstanceState::Terminated, |instance| instance.state)
    }

    /// What has happened to a member.
    ///
    /// Assumed: a pending instance that does not run after all is replaced like an unhealthy one.
    fn change_of_a_member(&self) -> Option<Step> {
        self.group.members.iter().find_map(|member| {
            let id = || member.instance_id.clone();
            match (&member.phase, self.state(member)) {
                (Phase::Pending, InstanceState::Pending) => None,
                (Phase::Pending, InstanceState::Running) => Some(Step::EnterService(id())),
                (Phase::Pending, _) if member.health == HealthStatus::Healthy => Some(Step::MarkUnhealthy(id())),
                (Phase::InService { since }, _)
                    if member.health == HealthStatus::Healthy && self.fails_check(member, *since) =>
                {
                    Some(Step::MarkUnhealthy(id()))
                }
                (Phase::Terminating | Phase::Proceeding, InstanceState::Terminated) => Some(Step::Remove(id())),
                _ => None,
            }
        })
    }

    /// "During the health check grace period, if Amazon EC2 Auto Scaling detects that an instance is no longer in the
    /// Amazon EC2 running state, it immediately marks the instance Unhealthy and replaces it" ("Set the health check
    /// grace period for an Auto Scaling group", Amazon EC2 Auto Scaling User Guide). Status checks count after the grace
    /// period. The attached EBS status check counts only in a group that has turned on such health checks ("Health checks
    /// for instances in an Auto Scaling group"), which is not simulated.
    fn fails_check(&self, member: &GroupMember, since: Option<Duration>) -> bool {
        let Some(instance) = self.instance(member).filter(|instance| instance.state == InstanceState::Running) else {
            return true;
        };
        let (system, own) = instance.checks();
        [system, own].contains(&Check::Impaired) && self.has_been(since, self.group.health_check_grace_period)
    }

    fn has_been(&self, since: Option<Duration>, wanted: Duration) -> bool {
        since.is_none_or(|since| since.saturating_add(wanted) <= self.now)
    }

    fn staying(&self) -> impl Iterator<Item = &'a GroupMember> + use<'a> {
        self.group.members.iter().filter(|member| !member.is_leaving())
    }

    fn healthy(&self) -> impl Iterator<Item = &'a GroupMember> + use<'a> {
        self.staying().filter(|member| member.health == HealthStatus::Healthy)
    }

    fn unhealthy(&self) -> impl Iterator<Item = &'a GroupMember> + use<'a> {
        self.staying().filter(|member| member.health == HealthStatus::Unhealthy)
    }

    /// The members that are in service, healthy and ready to use.
    fn ready(&self) -> usize {
        let warmup = self.group.warmup();
        let is_ready = |member: &&GroupMember| match member.phase {
            Phase::InService { since } => self.has_been(since, warmup),
            _ => false,
        };
        self.healthy().filter(is_ready).count()
    }

    fn has_leaving(&self) -> bool {
        self.group.members.iter().any(GroupMember::is_leaving)
    }

    /// "The minimum percentage of the group to keep in service, healthy, and ready to use to support your workload when
    /// replacing instances" (service model, `InstanceMaintenancePolicy$MinHealthyPercentage`). Without a policy, the group
    /// terminates and launches at the same time ("Instance maintenance policy for Auto Scaling group", Amazon EC2 Auto
    /// Scaling User Guide).
    ///
    /// Assumed: it is rounded up.
    fn least_ready(&self) -> usize {
        self.group
            .maintenance_policy
            .map_or(0, |policy| (self.group.desired_capacity * policy.min_healthy_percentage).div_ceil(100))
    }

    /// Whether the group may have one more instance while it replaces one. If it is "mathematically impossible to replace
    /// instances while honoring both MinHealthyPercentage and MaxHealthyPercentage bounds", Auto Scaling "launches a new
    /// instance before terminating an old one" (service model, `RefreshPreferences$MaxHealthyPercentage`). So it always
    /// may, but for [`Assumptions::maintenance_respects_maximum_size`](crate::model::Assumptions).
    fn may_exceed_desired_capacity(&self) -> bool {
        !self.region.assumptions.maintenance_respects_maximum_size || self.group.desired_capacity < self.group.max_size
    }

    /// The policy also holds for "the health check process" ("Instance maintenance policies", Amazon EC2 Auto Scaling User
    /// Guide): with a minimum of 100 percent, an unhealthy instance goes once the new one is ready.
    ///
    /// Assumed: it makes no difference whether the instance is impaired or stopped. An instance that is terminated already
    /// goes at once, because nothing is left to keep.
    fn unhealthy_to_terminate(&self) -> Option<String> {
        let may_go = |member: &&GroupMember| {
            let is_dead = matches!(self.state(member), InstanceState::ShuttingDown | InstanceState::Terminated);
            let is_pending = member.phase == Phase::Pending;
            is_dead || is_pending || self.ready() >= self.least_ready() || !self.may_exceed_desired_capacity()
        };
        self.unhealthy().find(may_go).map(|member| member.instance_id.clone())
    }

    /// The members that the refresh has not replaced.
    fn outdated(&self) -> Vec<&'a GroupMember> {
        let left = self.group.refresh.as_deref().unwrap_or_default();
        self.healthy().filter(|member| left.contains(&member.instance_id)).collect()
    }

    /// Whether the refresh may go on to the next instance: "Amazon EC2 Auto Scaling waits for the warm-up period after it
    /// replaces an instance before it moves on to replacing the next instance" (service model, `DefaultInstanceWarmup`).
    ///
    /// Assumed: it replaces one instance at a time, and waits until the last one is terminated, see
    /// [`Assumptions::refresh_ignores_hooks`](crate::model::Assumptions::refresh_ignores_hooks).
    fn refresh_may_go_on(&self) -> bool {
        self.ready() >= self.group.desired_capacity
            && (!self.has_leaving() || self.region.assumptions.refresh_ignores_hooks)
    }

    /// The refresh needs one more instance before it may terminate one.
    fn refresh_launches_first(&self) -> bool {
        self.least_ready() >= self.group.desired_capacity && self.may_exceed_desired_capacity()
    }

    fn outdated_to_terminate(&self) -> Option<String> {
        let needed = self.group.desired_capacity + usize::from(self.refresh_launches_first());
        if !self.refresh_may_go_on() || self.ready() < needed {
            return None;
        }
        self.first_to_go(self.outdated()).map(|member| member.instance_id.clone())
    }

    fn end_of_refresh(&self) -> Option<Step> {
        let is_over = self.group.refresh.is_some()
            && self.outdated().is_empty()
            && self.unhealthy().next().is_none()
            && self.refresh_may_go_on();
        is_over.then_some(Step::EndRefresh)
    }

    /// Unhealthy members do not count, so their replacements come at once. Nor do those that leave, by default.
    fn change_of_size(&self) -> Option<Step> {
        let waits =
            self.region.assumptions.replacement_waits_for_termination && self.group.maintenance_policy.is_none();
        let leaving = if waits { self.group.members.iter().filter(|member| member.is_leaving()).count() } else { 0 };
        // Of a replacement in two steps, the first one has been taken, or is to be.
        let is_replacing = !self.outdated().is_empty()
            && self.refresh_launches_first()
            && (self.refresh_may_go_on() || self.healthy().count() > self.group.desired_capacity);
        let wanted = self.group.desired_capacity + usize::from(is_replacing);
        let healthy = self.healthy().count();
        if healthy + leaving < wanted {
            let may_try = self.group.retry_at.is_none_or(|at| at <= self.now);
            // An unhealthy member that stays until its replacement is ready takes part of the maximum size.
            let has_room = !self.region.assumptions.maintenance_respects_maximum_size
                || self.staying().count() < self.group.max_size;
            return (may_try && has_room).then_some(Step::Launch);
        }
        if healthy > wanted {
            let victim = self.first_to_go(self.healthy().collect())?;
            return Some(Step::Terminate(victim.instance_id.clone()));
        }
        None
    }

    /// The member that goes first: one that a test has named, and otherwise by the termination policy, in the Availability
    /// Zone that has the most.
    fn first_to_go(&self, members: Vec<&'a GroupMember>) -> Option<&'a GroupMember> {
        let named = self
            .group
            .first_to_go
            .iter()
            .find_map(|id| members.iter().copied().find(|member| member.instance_id == *id));
        named.or_else(|| {
            let mut zones: BTreeMap<&str, usize> = BTreeMap::new();
            for member in self.healthy() {
                *zones.entry(&member.availability_zone).or_default() += 1;
            }
            let size = |member: &GroupMember| zones.get(member.availability_zone.as_str()).copied().unwrap_or_default();
            let fullest = members.iter().map(|member| size(member)).max()?;
            members.into_iter().filter(|member| size(member) == fullest).min_by_key(|member| self.order(member))
        })
    }

    /// The smallest goes first.
    fn order(&self, member: &'a GroupMember) -> (bool, Duration, &'a str) {
        let launched = self.instance(member).map_or(Duration::ZERO, |instance| instance.launched_at);
        let is_current = Arc::ptr_eq(&member.launch_template, &self.group.launch_template);
        let age = self.now.saturating_sub(launched);
        match self.group.termination_policy {
            TerminationPolicy::Default => {
                let into_the_hour = age.as_secs() % 3600;
                (is_current, Duration::from_secs(3600 - into_the_hour), &member.instance_id)
            }
            TerminationPolicy::OldestInstance => (true, launched, &member.instance_id),
            TerminationPolicy::NewestInstance => (true, age, &member.instance_id),
        }
    }

    /// "Amazon EC2 Auto Scaling attempts to distribute instances evenly between the Availability Zones" ("Auto Scaling
    /// benefits for application architecture", Amazon EC2 Auto Scaling User Guide): the subnet with the fewest members.
    fn subnet(&self) -> &'a str {
        let size = |subnet: &&String| self.staying().filter(|member| member.subnet_id == **subnet).count();
        self.group.subnets.iter().min_by_key(size).expect("a group has a subnet")
    }

    /// The next time at which something follows from the clock alone.
    fn next_moment(&self) -> Option<Duration> {
        let periods = [self.group.warmup(), self.group.health_check_grace_period];
        self.group
            .members
            .iter()
            .filter_map(|member| match member.phase {
                Phase::InService { since: Some(since) } => Some(since),
                _ => None,
            })
            .flat_map(|since| periods.map(|period| since.saturating_add(period)))
            .chain(self.group.retry_at)
            .filter(|at| *at > self.now)
            .min()
    }
}

impl World {
    /// Looks at all groups and does what they need.
    pub(crate) fn check_groups(&mut self) {
        self.group_check_at = self.group_check_at.filter(|at| *at > self.now);
        let names: Vec<String> = self.region.auto_scaling_groups.keys().cloned().collect();
        for name in names {
            while let Some(step) = self.step_of(&name) {
                self.take_step(&name, step).expect("the group and its members are there");
            }
            let group = &self.region.auto_scaling_groups[&name];
            let look = Look { group, region: &self.region, now: self.now };
            if let Some(at) = look.next_moment() {
                self.expect_group_check(at - self.now);
            }
        }
    }

    fn step_of(&self, name: &str) -> Option<Step> {
        next_step(self.region.auto_scaling_group(name).ok()?, &self.region, self.now)
    }

    fn take_step(&mut self, name: &str, step: Step) -> Result<(), ApiError> {
        match step {
            Step::EnterService(id) => self.set_phase(name, &id, Phase::InService { since: Some(self.now) }),
            Step::MarkUnhealthy(id) => {
                if let Some(member) = self.region_mut().auto_scaling_group_mut(name)?.member_mut(&id) {
                    member.health = HealthStatus::Unhealthy;
                }
                Ok(())
            }
            Step::Terminate(id) => self.begin_termination(name, &id),
            Step::Remove(id) => {
                let group = self.region_mut().auto_scaling_group_mut(name)?;
                group.members.retain(|member| member.instance_id != id);
                Ok(())
            }
            Step::Launch => self.launch_member(name),
            Step::EndRefresh => {
                self.region_mut().auto_scaling_group_mut(name)?.refresh = None;
                Ok(())
            }
        }
    }

    /// Launches an instance, unless there is no capacity: then the group tries again later (`InsufficientInstanceCapacity`,
    /// "Troubleshoot Amazon EC2 Auto Scaling: EC2 instance launch failures", Amazon EC2 Auto Scaling User Guide).
    fn launch_member(&mut self, name: &str) -> Result<(), ApiError> {
        let group = self.region.auto_scaling_group(name)?.clone();
        if group.without_capacity {
            self.region_mut().auto_scaling_group_mut(name)?.retry_at = Some(self.now.saturating_add(RETRY));
            return Ok(());
        }
        let look = Look { group: &group, region: &self.region, now: self.now };
        let subnet_id = look.subnet().to_owned();
        let instance_id = self.scaling_ids.resource(&ids::INSTANCE);
        self.launch_from(&instance_id, &subnet_id, &group.launch_template)?;
        self.region_mut().instance_mut(&instance_id)?.tags.insert(GROUP_NAME_TAG.to_owned(), name.to_owned());
        let instance = self.region.instance(&instance_id)?.clone();
        let group = self.region_mut().auto_scaling_group_mut(name)?;
        group.retry_at = None;
        group.members.push(GroupMember {
            instance_id,
            health: HealthStatus::Healthy,
            phase: Phase::Pending,
            instance_type: instance.instance_type.clone(),
            availability_zone: instance.availability_zone.clone(),
            subnet_id: instance.subnet_id.clone(),
            launch_template: group.launch_template.clone(),
        });
        Ok(())
    }
}

/// # What people do to a group
impl World {
    /// The members of a group, in the order of their launches. None if there is no such group.
    pub fn group_members(&self, group: &str) -> &[GroupMember] {
        self.region.auto_scaling_group(group).map_or(&[], |group| &group.members)
    }

    /// SetDesiredCapacity, without a cooldown.
    ///
    /// # Errors
    ///
    /// If there is no such group, or the number is not between its minimum and its maximum size.
    pub fn set_desired_capacity(&mut self, group: &str, desired: usize) -> Result<(), ApiError> {
        let AutoScalingGroup { min_size, max_size, .. } = **self.region.auto_scaling_group(group)?;
        let limit = match desired {
            _ if desired < min_size => Some(format!("below min value {min_size}")),
            _ if desired > max_size => Some(format!("above max value {max_size}")),
            _ => None,
        };
        if let Some(limit) = limit {
            return Err(ApiError::auto_scaling_validation(format!(
                "New SetDesiredCapacity value {desired} is {limit} for the AutoScalingGroup."
            )));
        }
        self.region_mut().auto_scaling_group_mut(group)?.desired_capacity = desired;
        Ok(())
    }

    /// StartInstanceRefresh: all present members are replaced, one after the other.
    ///
    /// # Errors
    ///
    /// If there is no such group, or a refresh is in progress (service model, `InstanceRefreshInProgressFault`).
    pub fn start_instance_refresh(&mut self, group: &str) -> Result<(), ApiError> {
        let present = self.region.auto_scaling_group(group)?;
        if present.refresh.is_some() {
            return Err(ApiError::client(
                "InstanceRefreshInProgress",
                "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.",
            ));
        }
        let left = present.members.iter().map(|member| member.instance_id.clone()).collect();
        self.region_mut().auto_scaling_group_mut(group)?.refresh = Some(left);
        Ok(())
    }

    /// Whether an instance refresh is in progress.
    pub fn is_refreshing(&self, group: &str) -> bool {
        self.region.auto_scaling_group(group).is_ok_and(|group| group.refresh.is_some())
    }

    /// The members that a scale-in or an instance refresh takes before all others, whatever the termination policy says.
    pub fn set_first_to_go(&mut self, group: &str, instance_ids: &[&str]) -> Result<(), ApiError> {
        self.region_mut().auto_scaling_group_mut(group)?.first_to_go =
            instance_ids.iter().map(|id| (*id).to_owned()).collect();
        Ok(())
    }

    /// Makes a new version of the launch template, which the next launches use.
    pub fn change_launch_template(&mut self, group: &str, change: impl FnOnce(&mut Instance)) -> Result<(), ApiError> {
        let group = self.region_mut().auto_scaling_group_mut(group)?;
        let mut template = LaunchTemplate::clone(&group.launch_template);
        template.version += 1;
        change(&mut template.instance);
        group.launch_template = Arc::new(template);
        Ok(())
    }

    /// Whether EC2 has capacity for what the group launches.
    pub fn set_group_capacity(&mut self, group: &str, is_available: bool) -> Result<(), ApiError> {
        self.region_mut().auto_scaling_group_mut(group)?.without_capacity = !is_available;
        Ok(())
    }

    /// Lets Auto Scaling look at the groups of a new world.
    pub(crate) fn begin_with_groups(&mut self) {
        self.expect_group_check(Duration::ZERO);
    }
}
