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
    /// for instances in an Auto Scaling group"), which is not simulated. Nor is the replacement of an instance for which EC2
    /// has scheduled an event (the same page, "Scheduled events").
    ///
    /// Assumed: a failed status check counts as soon as Auto Scaling looks. AWS says that it waits a few minutes for the
    /// problem to pass.
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
    /// may, but for [`Assumptions::maintenance_respects_maximum_size`](crate::model::Assumptions): AWS documents only for
    /// rebalancing that a group may exceed its maximum size.
    fn may_exceed_desired_capacity(&self) -> bool {
        !self.region.assumptions.maintenance_respects_maximum_size || self.group.desired_capacity < self.group.max_size
    }

    /// Whether one more member fits below the maximum size, if that counts during maintenance. An unhealthy member that
    /// waits for its replacement takes room.
    fn has_room(&self) -> bool {
        !self.region.assumptions.maintenance_respects_maximum_size || self.staying().count() < self.group.max_size
    }

    /// The policy also holds for "the health check process" ("Instance maintenance policies", Amazon EC2 Auto Scaling User
    /// Guide): with a minimum of 100 percent, an unhealthy instance goes once the new one is ready. An instance that does not
    /// run goes at once: "Amazon EC2 Auto Scaling immediately replaces instances that are no longer running" ("Instance
    /// maintenance policy for Auto Scaling group").
    fn unhealthy_to_terminate(&self) -> Option<String> {
        let is_stuck = self.healthy().count() < self.group.desired_capacity && !self.has_room();
        let may_go = |member: &&GroupMember| {
            let is_down = self.state(member) != InstanceState::Running;
            is_down || member.phase == Phase::Pending || self.ready() >= self.least_ready() || is_stuck
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
            return (may_try && self.has_room()).then_some(Step::Launch);
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

    /// Auto Scaling spreads instances evenly over the Availability Zones ("Auto Scaling benefits for application
    /// architecture", Amazon EC2 Auto Scaling User Guide): the subnet with the fewest members.
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
        let group = self.region.auto_scaling_group(name).ok()?;
        let is_suspended = |step: &Step| group.is_suspended && matches!(step, Step::Launch | Step::Terminate(_));
        next_step(group, &self.region, self.now).filter(|step| !is_suspended(step))
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
        let next_id = group.next_ids.as_ref().map(|ids| ids.first().cloned());
        if group.without_capacity || next_id == Some(None) {
            self.region_mut().auto_scaling_group_mut(name)?.retry_at = Some(self.now.saturating_add(RETRY));
            return Ok(());
        }
        let look = Look { group: &group, region: &self.region, now: self.now };
        let subnet_id = look.subnet().to_owned();
        let instance_id = next_id.flatten().unwrap_or_else(|| self.scaling_ids.resource(&ids::INSTANCE));
        self.launch_from(&instance_id, &subnet_id, &group.launch_template)?;
        self.region_mut().instance_mut(&instance_id)?.tags.insert(GROUP_NAME_TAG.to_owned(), name.to_owned());
        let instance = self.region.instance(&instance_id)?.clone();
        let group = self.region_mut().auto_scaling_group_mut(name)?;
        group.retry_at = None;
        if let Some(ids) = &mut group.next_ids {
            ids.retain(|id| *id != instance_id);
        }
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

    /// TerminateInstanceInAutoScalingGroup, without a change of the desired capacity.
    ///
    /// # Errors
    ///
    /// If the instance is in no group.
    pub fn terminate_in_group(&mut self, instance_id: &str) -> Result<(), ApiError> {
        let groups = self.region.auto_scaling_groups.values();
        let group = groups.filter(|group| group.member(instance_id).is_some()).map(|group| group.name.clone()).next();
        let is_absent = || ApiError::auto_scaling_validation(format!("Instance Id not found - {instance_id}"));
        self.begin_termination(&group.ok_or_else(is_absent)?, instance_id)
    }

    /// SuspendProcesses: the group launches and terminates nothing from now on. What has begun goes on.
    ///
    /// # Errors
    ///
    /// If there is no such group.
    pub fn suspend(&mut self, group: &str) -> Result<(), ApiError> {
        self.region_mut().auto_scaling_group_mut(group)?.is_suspended = true;
        Ok(())
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

    /// Auto Scaling looks at the groups of a new world at once. Later, it looks after a change.
    pub(crate) fn begin_with_groups(&mut self) {
        self.check_groups();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        AutoScalingGroupSpec, Scenario, grouped,
        model::{EventKind, Ids, LifecycleResult},
        names::{self, AUTO_SCALING_GROUP as GROUP, HOLDER, LIFECYCLE_HOOK, STANDBY},
        world::{Assumptions, CompleteLifecycleAction, DescribeInstances, Selection, Timings},
    };

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// The group of two, with the times that people report: Auto Scaling notices after 30 s, and a boot takes 8 s.
    fn scenario(change: impl FnOnce(AutoScalingGroupSpec) -> AutoScalingGroupSpec) -> Scenario {
        grouped().timings(Timings::realistic()).auto_scaling_group(GROUP, change)
    }

    /// The members by name, those that the group has launched as `new`, with their lifecycle states and health.
    fn members(world: &mut World, at: u64) -> Vec<(&'static str, &'static str, &'static str)> {
        world.advance(seconds(at));
        let called = |id: &str| match id {
            HOLDER => "holder",
            STANDBY => "standby",
            _ => "new",
        };
        world
            .group_members(GROUP)
            .iter()
            .map(|one| (called(&one.instance_id), one.lifecycle_state().name(), one.health.name()))
            .collect()
    }

    fn in_service(name: &'static str) -> (&'static str, &'static str, &'static str) {
        (name, "InService", "HEALTHY")
    }

    fn unhealthy(name: &'static str, state: &'static str) -> (&'static str, &'static str, &'static str) {
        (name, state, "UNHEALTHY")
    }

    const PENDING: (&str, &str, &str) = ("new", "Pending", "HEALTHY");

    fn running(world: &World) -> Vec<String> {
        let is_running = |instance: &&Arc<Instance>| instance.state == InstanceState::Running;
        world.region().instances().filter(is_running).map(|instance| instance.id.clone()).collect()
    }

    fn code<T: std::fmt::Debug>(result: Result<T, ApiError>) -> (String, String) {
        let error = result.unwrap_err();
        (error.code.into_owned(), error.message)
    }

    #[test]
    fn a_group_replaces_one_lost_instance_and_then_the_other() {
        let mut world = scenario(AutoScalingGroupSpec::without_hooks).world();
        world.terminate(HOLDER).unwrap();
        assert_eq!(members(&mut world, 29), [in_service("holder"), in_service("standby")]);
        assert_eq!(members(&mut world, 30), [in_service("standby"), PENDING]);
        world.advance(seconds(38));
        let first = running(&world);
        assert_eq!((first.len(), first.contains(&STANDBY.to_owned())), (2, true));

        world.advance(seconds(638));
        world.terminate(STANDBY).unwrap();
        world.advance(seconds(638 + 30 + 8));
        let second = running(&world);
        let kept: Vec<_> = second.iter().filter(|id| first.contains(id)).collect();
        assert_eq!((second.len(), kept.len()), (2, 1));
        assert_eq!(members(&mut world, 3600), [in_service("new"), in_service("new")]);
        assert_eq!(world.next_due().map(|due| due > seconds(3600)), Some(true), "only terminated instances are left");
    }

    #[test]
    fn a_replacement_is_what_the_group_launches() {
        let mut world = scenario(|group| {
            let group = group.without_hooks();
            group.launches(|instance| instance.instance_type("t3.medium").without_agent().groups([names::GROUP]))
        })
        .world();
        world.terminate(HOLDER).unwrap();
        world.advance(seconds(60));
        let selection = Selection::filter("tag:aws:autoscaling:groupName", [GROUP]);
        let page = world.act(DescribeInstances { selection, dry_run: false }).unwrap();
        let known = [HOLDER, STANDBY];
        assert_eq!(page.items.len(), 3, "the terminated holder is listed for an hour");
        let new = page.items.iter().find(|instance| !known.contains(&instance.id.as_str())).unwrap();
        let tags: Vec<_> = new.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(tags, [("aws:autoscaling:groupName", GROUP), ("token-server", "yes")]);
        let primary = new.primary().unwrap();
        assert_eq!(
            (new.instance_type.as_str(), new.interface_limit, new.agent, primary.groups.as_slice(), new.launched_at),
            ("t3.medium", 3, crate::world::Agent::Missing, &[names::GROUP.to_owned()][..], seconds(30))
        );
        assert_eq!((new.subnet_id.as_str(), primary.private_ip.to_string().as_str()), (names::SUBNET, "10.0.1.100"));
    }

    #[test]
    fn the_ids_of_new_instances_follow_from_the_seed() {
        let new = |seed| {
            let mut world = scenario(|group| group).seed(seed).world();
            world.terminate(HOLDER).unwrap();
            world.advance(seconds(60));
            running(&world)
        };
        assert_eq!(new(1), new(1));
        assert_ne!(new(1), new(2));
    }

    #[test]
    fn a_stopped_instance_is_replaced_even_in_its_grace_period_and_an_impaired_one_after_it() {
        let grace = |group: AutoScalingGroupSpec| group.without_hooks().health_check_grace_period(seconds(300));
        for stops in [true, false] {
            let mut world = scenario(grace).world();
            world.terminate(HOLDER).unwrap();
            let found = members(&mut world, 100);
            assert_eq!(found, [in_service("standby"), in_service("new")]);
            let new = world.group_members(GROUP)[1].instance_id.clone();
            if stops {
                world.stop(&new).unwrap();
                let expected = [in_service("standby"), unhealthy("new", "Terminating"), PENDING];
                assert_eq!(members(&mut world, 130), expected);
            } else {
                world.crash(&new).unwrap();
                // It has been in service since the look at 60 s: 30 s after its launch.
                assert_eq!(members(&mut world, 359), [in_service("standby"), in_service("new")]);
                let expected = [in_service("standby"), unhealthy("new", "InService"), PENDING];
                assert_eq!(members(&mut world, 360), expected);
            }
        }
        // An instance that was in service before the world began has no grace period.
        let mut world = scenario(grace).world();
        world.crash(STANDBY).unwrap();
        assert_eq!(members(&mut world, 30), [in_service("holder"), unhealthy("standby", "InService"), PENDING]);
        // The attached EBS check does not count.
        let mut world = scenario(grace).world();
        world.set_attached_ebs(STANDBY, Some(Check::Impaired)).unwrap();
        assert_eq!(members(&mut world, 3600), [in_service("holder"), in_service("standby")]);
    }

    #[test]
    fn a_policy_decides_whether_the_replacement_comes_first() {
        // Without a policy: at the same time.
        let without =
            |scenario: Scenario| scenario.auto_scaling_group("other", |group| group.members([HOLDER, STANDBY]));
        let mut world = without(crate::pair().timings(Timings::realistic())).world();
        world.crash(HOLDER).unwrap();
        world.advance(seconds(30));
        let states: Vec<_> =
            world.group_members("other").iter().map(|member| member.lifecycle_state().name()).collect();
        assert_eq!(states, ["Terminating", "InService", "Pending"]);

        // With a minimum of 100 percent: the new one first.
        let mut world = scenario(|group| group.without_hooks().default_instance_warmup(seconds(60))).world();
        world.crash(HOLDER).unwrap();
        let first = [unhealthy("holder", "InService"), in_service("standby"), PENDING];
        assert_eq!(members(&mut world, 30), first);
        let then = [unhealthy("holder", "InService"), in_service("standby"), in_service("new")];
        assert_eq!(members(&mut world, 60), then);
        assert_eq!(members(&mut world, 119), then, "the new one is warming up");
        let last = [unhealthy("holder", "Terminating"), in_service("standby"), in_service("new")];
        assert_eq!(members(&mut world, 120), last);
        assert_eq!(members(&mut world, 200), [in_service("standby"), in_service("new")]);

        // With a minimum that the other one meets: at the same time.
        let mut world = scenario(|group| group.without_hooks().maintenance_policy(50, 100)).world();
        world.crash(HOLDER).unwrap();
        let expected = [unhealthy("holder", "Terminating"), in_service("standby"), PENDING];
        assert_eq!(members(&mut world, 30), expected);
    }

    #[test]
    fn a_group_at_its_maximum_size_exceeds_it_or_terminates_first() {
        let respects = |respects| {
            let assumptions = Assumptions { maintenance_respects_maximum_size: respects, ..Assumptions::default() };
            scenario(AutoScalingGroupSpec::without_hooks).assumptions(assumptions)
        };
        let mut world = respects(false).world();
        world.crash(HOLDER).unwrap();
        let found = members(&mut world, 30);
        assert_eq!(found, [unhealthy("holder", "InService"), in_service("standby"), PENDING]);
        let mut world = respects(true).world();
        world.crash(HOLDER).unwrap();
        let found = members(&mut world, 30);
        assert_eq!(found, [unhealthy("holder", "Terminating"), in_service("standby"), PENDING]);
        // With room below the maximum, it launches first either way.
        let mut world = respects(true).auto_scaling_group(GROUP, |group| group.size(2, 2, 3)).world();
        world.crash(HOLDER).unwrap();
        let found = members(&mut world, 30);
        assert_eq!(found, [unhealthy("holder", "InService"), in_service("standby"), PENDING]);
        // A refresh likewise.
        let mut world = respects(true).world();
        world.start_instance_refresh(GROUP).unwrap();
        let found = members(&mut world, 30);
        assert_eq!(found, [("holder", "Terminating", "HEALTHY"), in_service("standby"), PENDING]);
    }

    #[test]
    fn a_replacement_may_wait_until_the_lost_instance_is_terminated() {
        let assumptions = Assumptions { replacement_waits_for_termination: true, ..Assumptions::default() };
        let mut world = crate::pair()
            .timings(Timings::realistic())
            .assumptions(assumptions)
            .auto_scaling_group(GROUP, |group| group.members([HOLDER, STANDBY]).termination_hook("hook", seconds(100)))
            .world();
        world.crash(HOLDER).unwrap();
        let waiting = [unhealthy("holder", "Terminating:Wait"), in_service("standby")];
        assert_eq!(members(&mut world, 30), waiting);
        assert_eq!(members(&mut world, 129), waiting);
        let proceeding = [unhealthy("holder", "Terminating:Proceed"), in_service("standby")];
        assert_eq!(members(&mut world, 130), proceeding);
        assert_eq!(
            members(&mut world, 200),
            [in_service("standby"), PENDING].map(|one| match one {
                PENDING => in_service("new"),
                one => one,
            })
        );
    }

    #[test]
    fn an_instance_that_is_terminated_from_outside_goes_through_the_hooks_or_not() {
        for skips in [false, true] {
            let assumptions = Assumptions { terminated_instance_skips_hooks: skips, ..Assumptions::default() };
            let mut world = scenario(|group| group).assumptions(assumptions).world();
            world.terminate(HOLDER).unwrap();
            let rest = [in_service("standby"), PENDING];
            let waiting = [unhealthy("holder", "Terminating:Wait"), in_service("standby"), PENDING];
            let expected: &[_] = if skips { &rest } else { &waiting };
            assert_eq!(members(&mut world, 30), expected);
            world.take_events();
            assert_eq!(members(&mut world, 1000), [in_service("standby"), in_service("new")]);
            let terminated: Vec<_> = world.events().iter().filter(|event| states_of(event, HOLDER)).collect();
            assert_eq!(terminated.len(), 0, "it is not terminated again");
        }
    }

    fn states_of(event: &crate::world::Event, id: &str) -> bool {
        matches!(&event.kind, EventKind::InstanceState { instance_id, .. } if instance_id == id)
    }

    #[test]
    fn an_instance_that_the_group_terminates_releases_its_interfaces() {
        let mut world = scenario(AutoScalingGroupSpec::without_hooks)
            .instance(HOLDER, |spec| spec.disable_api_termination())
            .world();
        world.crash(HOLDER).unwrap();
        // The new one is in service at 60 s. A termination takes 8 s, and a release 4 s. Termination protection does not
        // protect from Auto Scaling.
        world.advance(seconds(71));
        assert_eq!(world.holder_of(names::INTERFACE), Some(HOLDER));
        world.advance(seconds(72));
        assert_eq!(world.holder_of(names::INTERFACE), None);
        assert!(world.interface(names::INTERFACE).is_some());
        assert!(world.interface(&names::primary_interface_of(HOLDER)).is_none());
    }

    #[test]
    fn a_launch_without_capacity_is_tried_again() {
        let mut world = scenario(|group| group.without_hooks().without_capacity()).world();
        world.terminate(HOLDER).unwrap();
        let alone = [in_service("standby")];
        assert_eq!(members(&mut world, 600), alone);
        world.set_group_capacity(GROUP, true).unwrap();
        assert_eq!(members(&mut world, 629), alone);
        // The failed launches were at 30 s, 90 s, and so on.
        assert_eq!(members(&mut world, 630), [in_service("standby"), PENDING]);
        assert_eq!(members(&mut world, 700), [in_service("standby"), in_service("new")]);
    }

    #[test]
    fn the_desired_capacity_is_kept_within_its_limits() {
        let mut world = scenario(|group| group.without_hooks().size(1, 2, 3)).world();
        let message = |limit: &str| {
            let message = format!("New SetDesiredCapacity value {limit} for the AutoScalingGroup.");
            ("ValidationError".to_owned(), message)
        };
        assert_eq!(code(world.set_desired_capacity(GROUP, 4)), message("4 is above max value 3"));
        assert_eq!(code(world.set_desired_capacity(GROUP, 0)), message("0 is below min value 1"));
        assert_eq!(code(world.set_desired_capacity("x", 1)).0, "ValidationError");
        world.set_desired_capacity(GROUP, 3).unwrap();
        let three = [in_service("holder"), in_service("standby"), in_service("new")];
        assert_eq!(members(&mut world, 100), three);
        world.set_desired_capacity(GROUP, 1).unwrap();
        // Of the oldest launches, those that are closest to their next hour: the holder and the standby.
        assert_eq!(members(&mut world, 200), [in_service("new")]);
    }

    #[test]
    fn a_policy_or_a_test_chooses_who_goes_at_a_scale_in() {
        let left = |policy, first: &[&str]| {
            let mut world = scenario(|group| group.without_hooks().size(1, 2, 2).termination_policy(policy)).world();
            world.terminate(HOLDER).unwrap();
            world.advance(seconds(600));
            world.set_first_to_go(GROUP, first).unwrap();
            world.set_desired_capacity(GROUP, 1).unwrap();
            let left = members(&mut world, 700);
            assert_eq!(left.len(), 1);
            left[0].0
        };
        assert_eq!(left(TerminationPolicy::OldestInstance, &[]), "new");
        assert_eq!(left(TerminationPolicy::NewestInstance, &[]), "standby");
        assert_eq!(left(TerminationPolicy::Default, &[]), "new");
        assert_eq!(left(TerminationPolicy::NewestInstance, &[STANDBY]), "new");

        // An instance of an older version of the launch template goes first.
        let mut world = scenario(|group| group.without_hooks().size(1, 2, 3)).world();
        world.terminate(STANDBY).unwrap();
        world.advance(seconds(60));
        let old = world.group_members(GROUP)[1].instance_id.clone();
        world.change_launch_template(GROUP, |instance| instance.firewalled = true).unwrap();
        world.terminate(HOLDER).unwrap();
        world.advance(seconds(3610));
        assert_eq!(world.group_members(GROUP)[0].instance_id, old);
        let new = world.group_members(GROUP)[1].instance_id.clone();
        assert!(world.region().instance(&new).unwrap().firewalled);
        world.set_desired_capacity(GROUP, 1).unwrap();
        world.advance(seconds(3700));
        let left: Vec<_> = world.group_members(GROUP).iter().map(|member| member.instance_id.clone()).collect();
        assert_eq!(left, [new]);
    }

    #[test]
    fn members_are_spread_over_the_subnets() {
        let zone = "eu-west-1b";
        let mut world =
            scenario(|group| group.without_hooks().size(0, 2, 4).subnets([names::SUBNET, names::OTHER_SUBNET]))
                .subnet(names::OTHER_SUBNET, |subnet| subnet.zone(zone))
                .world();
        world.set_desired_capacity(GROUP, 4).unwrap();
        world.advance(seconds(100));
        let zones = |world: &World| {
            let mut zones: Vec<_> =
                world.group_members(GROUP).iter().map(|member| member.availability_zone.clone()).collect();
            zones.sort();
            zones
        };
        assert_eq!(zones(&world), [names::ZONE, names::ZONE, zone, zone]);
        world.set_desired_capacity(GROUP, 2).unwrap();
        world.advance(seconds(200));
        assert_eq!(zones(&world), [names::ZONE, zone]);
    }

    #[test]
    fn a_refresh_replaces_every_member_and_two_always_run() {
        let mut world = scenario(|group| group).world();
        world.start_instance_refresh(GROUP).unwrap();
        assert_eq!(code(world.start_instance_refresh(GROUP)).0, "InstanceRefreshInProgress");
        let (mut story, mut open) = (Vec::new(), Vec::new());
        for now in 0..600 {
            world.advance(seconds(now));
            assert!(running(&world).len() >= 2, "at {now} s");
            let staying = world.group_members(GROUP).iter().filter(|member| !member.is_leaving()).count();
            assert!((2..=3).contains(&staying), "at {now} s");
            for event in world.take_events() {
                if let EventKind::TerminateLifecycleAction { token, instance_id, .. } = event.kind {
                    story.push((now, instance_id, running(&world).len()));
                    open.push((now + 20, token));
                }
            }
            while let Some((due, token)) = open.first().cloned()
                && due == now
            {
                open.remove(0);
                world.act(CompleteLifecycleAction::with_token(GROUP, LIFECYCLE_HOOK, token)).unwrap();
            }
        }
        // A launch at the look after 30 s, and in service at the next one, when the old one begins to leave. It is
        // terminated 20 s and 8 s later, and the look at 90 s finds that.
        assert_eq!(story, [(60, HOLDER.to_owned(), 3), (120, STANDBY.to_owned(), 3)]);
        assert!(!world.is_refreshing(GROUP));
        assert_eq!(members(&mut world, 600), [in_service("new"), in_service("new")]);
    }

    #[test]
    fn a_refresh_without_a_policy_terminates_and_launches_one_after_the_other() {
        let mut world = crate::pair()
            .timings(Timings::realistic())
            .auto_scaling_group(GROUP, |group| group.members([HOLDER, STANDBY]))
            .world();
        world.start_instance_refresh(GROUP).unwrap();
        let terminating = ("holder", "Terminating", "HEALTHY");
        assert_eq!(members(&mut world, 30), [terminating, in_service("standby"), PENDING]);
        for now in 30..600 {
            let leaving = members(&mut world, now).iter().filter(|(_, state, _)| *state != "InService").count();
            assert!(leaving <= 2, "at {now} s, one is replaced at a time");
        }
        assert_eq!(members(&mut world, 600), [in_service("new"), in_service("new")]);
        assert!(!world.is_refreshing(GROUP));
    }

    #[test]
    fn a_refresh_goes_on_once_the_last_instance_is_terminated_or_already_while_it_waits() {
        let waiting = |ignores| {
            let assumptions = Assumptions { refresh_ignores_hooks: ignores, ..Assumptions::default() };
            let mut world = scenario(|group| group).assumptions(assumptions).world();
            world.start_instance_refresh(GROUP).unwrap();
            let members = members(&mut world, 600);
            members.iter().filter(|(_, state, _)| *state == "Terminating:Wait").count()
        };
        assert_eq!((waiting(false), waiting(true)), (1, 2));
    }

    #[test]
    fn a_group_that_launches_what_never_runs_goes_on_trying() {
        let mut world = grouped()
            .auto_scaling_group(GROUP, |group| group.without_hooks().launches(|instance| instance.volume_locked()))
            .world();
        world.terminate(HOLDER).unwrap();
        world.advance(seconds(100));
        let launched = world.region().instances().count() - 2;
        assert_eq!(launched, 100, "one in a second");
        assert_eq!(running(&world), [STANDBY]);
    }

    /// Whatever happens to its members, a group has as many as it wants in the end.
    #[test]
    fn every_group_comes_to_rest_with_the_desired_capacity() {
        for seed in 0..300 {
            let mut random = Ids::from_seed(seed);
            let mut flag = || random.next().is_multiple_of(2);
            let assumptions = Assumptions {
                replacement_waits_for_termination: flag(),
                terminated_instance_skips_hooks: flag(),
                maintenance_respects_maximum_size: flag(),
                refresh_ignores_hooks: flag(),
                ..Assumptions::default()
            };
            let (has_policy, has_hook, has_grace, is_slow) = (flag(), flag(), flag(), flag());
            let mut world = crate::pair()
                .seed(seed)
                .assumptions(assumptions)
                .timings(if is_slow { Timings::realistic() } else { Timings::default() })
                .auto_scaling_group(GROUP, |group| {
                    let mut group = group.members([HOLDER, STANDBY]).size(1, 2, 3);
                    if has_policy {
                        group = group.launch_before_terminating();
                    }
                    if has_hook {
                        group = group.termination_hook(LIFECYCLE_HOOK, seconds(300));
                    }
                    if has_grace {
                        group = group.health_check_grace_period(seconds(120));
                    }
                    group
                })
                .world();
            let (mut now, mut desired) = (0, 2);
            for _ in 0..40 {
                now += random.next() % 60;
                world.advance(seconds(now));
                let ids: Vec<String> =
                    world.group_members(GROUP).iter().map(|member| member.instance_id.clone()).collect();
                let Some(id) = ids.get(random.next() as usize % ids.len().max(1)).cloned() else { continue };
                // Some of these are refused, as in any world.
                let _ = match random.next() % 9 {
                    0 => world.terminate(&id),
                    1 => world.stop(&id),
                    2 => world.crash(&id),
                    3 => world.start_instance_refresh(GROUP),
                    4 => {
                        desired = 1 + random.next() as usize % 3;
                        world.set_desired_capacity(GROUP, desired)
                    }
                    5 => world.set_group_capacity(GROUP, false),
                    6 => world.set_group_capacity(GROUP, true),
                    _ => world.act(CompleteLifecycleAction {
                        lifecycle_action_result: LifecycleResult::Abandon,
                        ..CompleteLifecycleAction::of(GROUP, LIFECYCLE_HOOK, id)
                    }),
                };
                let is_good = |member: &&GroupMember| !member.is_leaving() && member.health == HealthStatus::Healthy;
                let good = world.group_members(GROUP).iter().filter(is_good).count();
                assert!(good <= 4, "seed {seed}: {good} healthy members at {now} s");
            }
            world.set_group_capacity(GROUP, true).unwrap();
            world.advance(seconds(now + 4 * 3600));
            let found: Vec<_> =
                world.group_members(GROUP).iter().map(|one| (one.lifecycle_state().name(), one.health)).collect();
            assert_eq!(found, vec![("InService", HealthStatus::Healthy); desired], "seed {seed}");
            assert_eq!(running(&world).len(), desired, "seed {seed}: it leaves no instance behind");
            assert!(!world.is_refreshing(GROUP), "seed {seed}");
        }
    }
}
