//! Auto Scaling groups of a scenario.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::instance::InstanceSpec;
use crate::model::{
    AutoScalingGroup, GROUP_NAME_TAG, GroupMember, HealthStatus, Ids, LaunchTemplate, LifecycleHook, LifecycleResult,
    MaintenancePolicy, Phase, Region, TerminationPolicy,
};

/// An Auto Scaling group of a [`Scenario`](super::Scenario).
#[derive(Debug, Clone)]
pub struct AutoScalingGroupSpec {
    pub(super) name: String,
    launches: InstanceSpec,
    /// In the order of their launches.
    pub(super) members: Vec<String>,
    sizes: Option<(usize, usize, usize)>,
    subnets: Vec<String>,
    grace_period: Duration,
    warmup: Option<Duration>,
    maintenance_policy: Option<MaintenancePolicy>,
    termination_policy: TerminationPolicy,
    hooks: Vec<LifecycleHook>,
    without_capacity: bool,
    next_ids: Option<Vec<String>>,
}

impl AutoScalingGroupSpec {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            launches: InstanceSpec::new("", 0),
            members: Vec::new(),
            sizes: None,
            subnets: Vec::new(),
            grace_period: Duration::ZERO,
            warmup: None,
            maintenance_policy: None,
            termination_policy: TerminationPolicy::default(),
            hooks: Vec::new(),
            without_capacity: false,
            next_ids: None,
        }
    }

    /// What the group launches, described like an instance. Its tags propagate to all members.
    pub fn launches(mut self, change: impl FnOnce(InstanceSpec) -> InstanceSpec) -> Self {
        self.launches = change(self.launches);
        self
    }

    /// The members that are `InService` from the start. One that the scenario does not describe is as the group launches
    /// it.
    pub fn members<I: Into<String>>(mut self, instance_ids: impl IntoIterator<Item = I>) -> Self {
        self.members = instance_ids.into_iter().map(Into::into).collect();
        self
    }

    /// The default is the number of members for all three.
    pub fn size(mut self, min: usize, desired: usize, max: usize) -> Self {
        self.sizes = Some((min, desired, max));
        self
    }

    /// The subnets of new instances. The default is the subnet of what the group launches.
    pub fn subnets<S: Into<String>>(mut self, subnet_ids: impl IntoIterator<Item = S>) -> Self {
        self.subnets = subnet_ids.into_iter().map(Into::into).collect();
        self
    }

    /// `HealthCheckGracePeriod`. The default is zero.
    pub fn health_check_grace_period(mut self, period: Duration) -> Self {
        self.grace_period = period;
        self
    }

    /// `DefaultInstanceWarmup`. The default is the grace period.
    pub fn default_instance_warmup(mut self, warmup: Duration) -> Self {
        self.warmup = Some(warmup);
        self
    }

    /// `InstanceMaintenancePolicy`, in percent. By default, the group has none.
    pub fn maintenance_policy(mut self, min_healthy_percentage: usize, max_healthy_percentage: usize) -> Self {
        self.maintenance_policy = Some(MaintenancePolicy { min_healthy_percentage, max_healthy_percentage });
        self
    }

    /// The policy *Launch before terminating* of the console.
    pub fn launch_before_terminating(self) -> Self {
        self.maintenance_policy(100, 110)
    }

    pub fn termination_policy(mut self, policy: TerminationPolicy) -> Self {
        self.termination_policy = policy;
        self
    }

    /// Adds a hook for termination with the default result `ABANDON`. See also [`hook`](Self::hook).
    pub fn termination_hook(self, name: &str, heartbeat_timeout: Duration) -> Self {
        self.hook(LifecycleHook {
            name: name.to_owned(),
            heartbeat_timeout,
            default_result: LifecycleResult::Abandon,
            notification_metadata: None,
        })
    }

    pub fn hook(mut self, hook: LifecycleHook) -> Self {
        self.hooks.push(hook);
        self
    }

    pub fn without_hooks(mut self) -> Self {
        self.hooks.clear();
        self
    }

    /// EC2 has no capacity for what the group launches.
    pub fn without_capacity(mut self) -> Self {
        self.without_capacity = true;
        self
    }

    /// The ids of the instances that the group launches, in this order. After the last one, EC2 has no capacity.
    pub fn launches_in_turn<I: Into<String>>(mut self, instance_ids: impl IntoIterator<Item = I>) -> Self {
        self.next_ids = Some(instance_ids.into_iter().map(Into::into).collect());
        self
    }

    /// A member that the scenario does not describe.
    pub(super) fn launched(&self, id: &str, position: usize) -> InstanceSpec {
        self.launches.clone().renamed(id, position)
    }

    /// A member as the group has launched it: with the tags that propagate, and the tag of the group.
    pub(super) fn tagged(&self, member: InstanceSpec) -> InstanceSpec {
        self.launches
            .tags()
            .iter()
            .fold(member, |member, (key, value)| member.tag_if_absent(key, value))
            .tag(GROUP_NAME_TAG, &self.name)
    }

    pub(super) fn build(&self, region: &Region, position: usize) -> AutoScalingGroup {
        let count = self.members.len();
        let (min_size, desired_capacity, max_size) = self.sizes.unwrap_or((count, count, count));
        let launch_template = Arc::new(self.launch_template(region));
        let own_subnet = vec![launch_template.instance.subnet_id.clone()];
        let subnets = if self.subnets.is_empty() { own_subnet } else { self.subnets.clone() };
        let members = self.members.iter().map(|id| {
            let instance = region.instance(id).expect("every member is an instance of the scenario");
            GroupMember {
                instance_id: id.clone(),
                health: HealthStatus::Healthy,
                phase: Phase::InService { since: None },
                instance_type: instance.instance_type.clone(),
                availability_zone: instance.availability_zone.clone(),
                subnet_id: instance.subnet_id.clone(),
                launch_template: launch_template.clone(),
            }
        });
        let group = AutoScalingGroup {
            name: self.name.clone(),
            uuid: Ids::from_seed(position as u64).uuid(),
            min_size,
            max_size,
            desired_capacity,
            members: members.collect(),
            subnets,
            launch_template,
            health_check_grace_period: self.grace_period,
            default_instance_warmup: self.warmup,
            maintenance_policy: self.maintenance_policy,
            termination_policy: self.termination_policy,
            hooks: self.hooks.clone(),
            refresh: None,
            first_to_go: Vec::new(),
            without_capacity: self.without_capacity,
            next_ids: self.next_ids.clone(),
            is_suspended: false,
            retry_at: None,
        };
        check(&group, region);
        group
    }

    fn launch_template(&self, region: &Region) -> LaunchTemplate {
        LaunchTemplate { name: self.name.clone(), ..self.launches.launch_template(region) }
    }
}

/// What CreateAutoScalingGroup and PutLifecycleHook refuse, by the limits of the service model.
fn check(group: &AutoScalingGroup, region: &Region) {
    let AutoScalingGroup { name, min_size, max_size, desired_capacity, .. } = group;
    assert!(min_size <= max_size, "{name}: the minimum size {min_size} is above the maximum size {max_size}");
    assert!(
        (min_size..=max_size).contains(&desired_capacity),
        "{name}: the desired capacity {desired_capacity} is not between {min_size} and {max_size}"
    );
    for subnet_id in &group.subnets {
        assert!(region.subnet(subnet_id).is_ok(), "{name}: the subnet {subnet_id} is not there");
    }
    if let Some(MaintenancePolicy { min_healthy_percentage: min, max_healthy_percentage: max }) =
        group.maintenance_policy
    {
        assert!(
            min <= 100 && (100..=200).contains(&max) && max - min <= 100,
            "{name}: {min} to {max} percent is not an instance maintenance policy"
        );
    }
    for (position, hook) in group.hooks.iter().enumerate() {
        let (seconds, hook_name) = (hook.heartbeat_timeout.as_secs(), &hook.name);
        assert!((30..=7200).contains(&seconds), "{name}: the timeout of {hook_name} is not between 30 s and 2 h");
        let is_twice = group.hooks[..position].iter().any(|earlier| earlier.name == *hook_name);
        assert!(!is_twice, "{name}: there are two hooks {hook_name}");
    }
    let ids: BTreeSet<_> = group.members.iter().map(|member| &member.instance_id).collect();
    assert_eq!(ids.len(), group.members.len(), "{name}: a member is named twice");
    for id in ids {
        let is_elsewhere = region.auto_scaling_groups.values().any(|other| other.member(id).is_some());
        assert!(!is_elsewhere, "{id} is a member of two groups");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Scenario, names, pair, world::DescribeInstances};

    fn refused(change: impl FnOnce(AutoScalingGroupSpec) -> AutoScalingGroupSpec) -> String {
        let scenario =
            pair().auto_scaling_group("group", |group| change(group.members([names::HOLDER, names::STANDBY])));
        refused_scenario(scenario)
    }

    fn refused_scenario(scenario: Scenario) -> String {
        let panic = std::panic::catch_unwind(|| scenario.world()).expect_err("it is refused");
        panic.downcast_ref::<String>().cloned().expect("the message has values")
    }

    #[test]
    fn a_group_that_aws_would_refuse_is_refused() {
        let second = Duration::from_secs(1);
        assert_eq!(refused(|group| group.size(3, 3, 2)), "group: the minimum size 3 is above the maximum size 2");
        for desired in [1, 4] {
            assert_eq!(
                refused(|group| group.size(2, desired, 3)),
                format!("group: the desired capacity {desired} is not between 2 and 3")
            );
        }
        let absent = "subnet-0aaaaaaaaaaaaaaa9";
        assert_eq!(refused(|group| group.subnets([absent])), format!("group: the subnet {absent} is not there"));
        assert_eq!(
            refused(|group| group.launches(|instance| instance.subnet(absent))),
            format!("group: the subnet {absent} is not there")
        );
        for (min, max) in [(101, 150), (100, 99), (50, 201), (50, 151)] {
            let expected = format!("group: {min} to {max} percent is not an instance maintenance policy");
            assert_eq!(refused(|group| group.maintenance_policy(min, max)), expected);
        }
        for timeout in [29, 7201] {
            let expected = "group: the timeout of hook is not between 30 s and 2 h";
            assert_eq!(refused(|group| group.termination_hook("hook", second * timeout)), expected);
        }
        let twice = |group: AutoScalingGroupSpec| {
            group.termination_hook("hook", second * 60).termination_hook("hook", second * 60)
        };
        assert_eq!(refused(twice), "group: there are two hooks hook");
        let message = refused(|group| group.members([names::HOLDER, names::HOLDER]));
        assert!(message.contains("group: a member is named twice"), "{message}");
        let both = pair()
            .auto_scaling_group("a", |group| group.members([names::HOLDER]))
            .auto_scaling_group("b", |group| group.members([names::HOLDER]));
        assert_eq!(refused_scenario(both), format!("{} is a member of two groups", names::HOLDER));
    }

    #[test]
    fn members_are_instances_with_the_tags_of_their_group() {
        let mut world = pair()
            .instance(names::HOLDER, |instance| instance.tag("Name", "first").tag("role", "own"))
            .auto_scaling_group("group", |group| {
                group
                    .launches(|instance| instance.instance_type("t3.medium").tag("role", "token-server"))
                    .members([names::HOLDER, names::THIRD])
            })
            .world();
        let page = world.act(DescribeInstances::of([names::HOLDER, names::STANDBY, names::THIRD])).unwrap();
        let seen: Vec<_> = page
            .items
            .iter()
            .map(|one| {
                let tags: Vec<_> = one.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
                (one.id.as_str(), one.instance_type.as_str(), tags.join(" "), one.interfaces.len())
            })
            .collect();
        let group = "aws:autoscaling:groupName=group";
        assert_eq!(
            seen,
            [
                (names::HOLDER, "t3.small", format!("Name=first {group} role=own"), 2),
                (names::STANDBY, "t3.small", String::new(), 1),
                (names::THIRD, "t3.medium", format!("{group} role=token-server"), 1),
            ]
        );
        assert_eq!(world.holder_of(names::INTERFACE), Some(names::HOLDER));
        let revision = world.revision();
        world.advance(Duration::from_secs(3600));
        assert_eq!(world.revision(), revision, "a group at rest does nothing");
    }

    #[test]
    fn a_group_with_too_few_members_launches_the_others_at_the_start() {
        let mut world =
            pair().auto_scaling_group("group", |group| group.members([names::HOLDER]).size(1, 2, 2)).world();
        world.advance(Duration::from_secs(10));
        let states: Vec<_> =
            world.group_members("group").iter().map(|member| member.lifecycle_state().name()).collect();
        assert_eq!(states, ["InService", "InService"]);
    }
}
