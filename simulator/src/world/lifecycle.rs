//! Lifecycle actions of Auto Scaling: the wait of a terminating member for its hooks. DescribeAutoScalingInstances,
//! DescribeLifecycleHooks and CompleteLifecycleAction.

use super::{
    kinds::{Ask, Change, Read},
    parameters::Parameters,
    select::{Page, Selection},
    state::World,
};
use crate::model::{
    ApiError, AutoScalingGroup, EventKind, GroupMember, HealthStatus, InstanceState, LifecycleAction, LifecycleHook,
    LifecycleResult, LifecycleState, Phase, Process, Region,
};

/// The maximum number of ids in a request, and of members on a page (service model, DescribeAutoScalingInstances).
const MOST_INSTANCES: usize = 50;

/// A member as in DescribeAutoScalingInstances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutoScalingInstance {
    pub instance_id: String,
    pub instance_type: String,
    pub auto_scaling_group_name: String,
    pub availability_zone: String,
    pub lifecycle_state: LifecycleState,
    pub health_status: HealthStatus,
    pub launch_template_id: String,
    pub launch_template_name: String,
    pub launch_template_version: u32,
}

impl AutoScalingInstance {
    fn of(group: &AutoScalingGroup, member: &GroupMember) -> Self {
        Self {
            instance_id: member.instance_id.clone(),
            instance_type: member.instance_type.clone(),
            auto_scaling_group_name: group.name.clone(),
            availability_zone: member.availability_zone.clone(),
            lifecycle_state: member.lifecycle_state(),
            health_status: member.health,
            launch_template_id: member.launch_template.id.clone(),
            launch_template_name: member.launch_template.name.clone(),
            launch_template_version: member.launch_template.version,
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct DescribeAutoScalingInstances {
    pub instance_ids: Vec<String>,
    pub max_records: Option<usize>,
    pub next_token: Option<String>,
}

impl DescribeAutoScalingInstances {
    pub fn of<I: Into<String>>(instance_ids: impl IntoIterator<Item = I>) -> Self {
        Self { instance_ids: instance_ids.into_iter().map(Into::into).collect(), ..Self::default() }
    }
}

impl Ask for DescribeAutoScalingInstances {
    fn parameters(&self) -> Parameters {
        Parameters::default()
            .and_list("InstanceIds", &self.instance_ids)
            .and_if_any("MaxRecords", self.max_records)
            .and_if_any("NextToken", self.next_token.as_ref())
    }
}

impl Read for DescribeAutoScalingInstances {
    type Answer = Page<AutoScalingInstance>;

    /// "If you specify an ID that does not exist, it is ignored with no error. Array Members: Maximum number of 50
    /// items." A page has at most 50 members (service model). An id that no instance can have does not exist either.
    ///
    /// Assumed: more ids, and a `MaxRecords` out of bounds, are a `ValidationError`; members are in the order of their
    /// ids.
    fn read(&self, region: &Region) -> Result<Self::Answer, ApiError> {
        if self.instance_ids.len() > MOST_INSTANCES {
            let message = format!("The number of instance ids that may be passed in is limited to {MOST_INSTANCES}");
            return Err(ApiError::auto_scaling_validation(message));
        }
        let size = self.max_records.unwrap_or(MOST_INSTANCES);
        if !(1..=MOST_INSTANCES).contains(&size) {
            return Err(ApiError::auto_scaling_constraint(
                "maxRecords",
                &format!("have value between 1 and {MOST_INSTANCES}"),
            ));
        }
        let is_wanted = |id: &String| self.instance_ids.is_empty() || self.instance_ids.contains(id);
        let mut members: Vec<_> = region
            .auto_scaling_groups
            .values()
            .flat_map(|group| group.members.iter().map(|member| AutoScalingInstance::of(group, member)))
            .filter(|member| is_wanted(&member.instance_id))
            .collect();
        members.sort_by(|one, other| one.instance_id.cmp(&other.instance_id));
        let selection = Selection {
            max_results: Some(size.min(region.assumptions.page_limit.unwrap_or(size)).max(1)),
            next_token: self.next_token.clone().filter(|token| !token.is_empty()),
            ..Selection::default()
        };
        selection
            .paginate(members, 1..=MOST_INSTANCES, &region.assumptions)
            .map_err(|_| ApiError::client("InvalidNextToken", "The NextToken value is not valid."))
    }
}

/// A hook as in DescribeLifecycleHooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecycleHookView {
    pub auto_scaling_group_name: String,
    pub hook: LifecycleHook,
}

#[derive(Debug, Clone, Default)]
pub struct DescribeLifecycleHooks {
    pub auto_scaling_group_name: String,
    /// No names: all hooks of the group.
    pub lifecycle_hook_names: Vec<String>,
}

impl DescribeLifecycleHooks {
    pub fn of(group: impl Into<String>) -> Self {
        Self { auto_scaling_group_name: group.into(), lifecycle_hook_names: Vec::new() }
    }
}

impl Ask for DescribeLifecycleHooks {
    fn parameters(&self) -> Parameters {
        Parameters::of("AutoScalingGroupName", &self.auto_scaling_group_name)
            .and_list("LifecycleHookNames", &self.lifecycle_hook_names)
    }
}

impl Read for DescribeLifecycleHooks {
    type Answer = Vec<LifecycleHookView>;

    /// At most 50 names (service model, `LifecycleHookNames`).
    ///
    /// Assumed: a name that the group does not have is absent from the answer.
    fn read(&self, region: &Region) -> Result<Self::Answer, ApiError> {
        if self.lifecycle_hook_names.len() > 50 {
            let constraint = "have length less than or equal to 50";
            return Err(ApiError::auto_scaling_constraint("lifecycleHookNames", constraint));
        }
        let group = region.auto_scaling_group(&self.auto_scaling_group_name)?;
        let names = &self.lifecycle_hook_names;
        let view = |hook: &LifecycleHook| LifecycleHookView {
            auto_scaling_group_name: group.name.clone(),
            hook: hook.clone(),
        };
        Ok(group.hooks.iter().filter(|hook| names.is_empty() || names.contains(&hook.name)).map(view).collect())
    }
}

#[derive(Debug, Clone)]
pub struct CompleteLifecycleAction {
    pub auto_scaling_group_name: String,
    pub lifecycle_hook_name: String,
    pub lifecycle_action_token: Option<String>,
    pub instance_id: Option<String>,
    pub lifecycle_action_result: LifecycleResult,
}

impl CompleteLifecycleAction {
    /// Continues with the termination of an instance.
    pub fn of(group: impl Into<String>, hook: impl Into<String>, instance_id: impl Into<String>) -> Self {
        Self {
            auto_scaling_group_name: group.into(),
            lifecycle_hook_name: hook.into(),
            lifecycle_action_token: None,
            instance_id: Some(instance_id.into()),
            lifecycle_action_result: LifecycleResult::Continue,
        }
    }

    /// The same by the token of the action.
    pub fn with_token(group: impl Into<String>, hook: impl Into<String>, token: impl Into<String>) -> Self {
        Self { lifecycle_action_token: Some(token.into()), instance_id: None, ..Self::of(group, hook, "") }
    }
}

impl Ask for CompleteLifecycleAction {
    fn parameters(&self) -> Parameters {
        Parameters::of("AutoScalingGroupName", &self.auto_scaling_group_name)
            .and("LifecycleHookName", &self.lifecycle_hook_name)
            .and_if_any("LifecycleActionToken", self.lifecycle_action_token.as_ref())
            .and_if_any("InstanceId", self.instance_id.as_ref())
            .and("LifecycleActionResult", self.lifecycle_action_result.name())
    }
}

impl Change for CompleteLifecycleAction {
    type Answer = ();

    /// A token has 36 characters (service model, `LifecycleActionToken`).
    ///
    /// Assumed: with neither a token nor an instance, the request is a `ValidationError`.
    fn check(&self, world: &World) -> Result<(), ApiError> {
        match (&self.lifecycle_action_token, &self.instance_id) {
            (Some(token), _) if token.chars().count() != 36 => {
                Err(ApiError::auto_scaling_constraint("lifecycleActionToken", "have length between 36 and 36"))
            }
            (None, None) => {
                Err(ApiError::auto_scaling_validation("Either LifecycleActionToken or InstanceId must be specified."))
            }
            _ => world.region().auto_scaling_group(&self.auto_scaling_group_name).map(drop),
        }
    }

    /// The messages are from public issues (spacelift-io/terraform-aws-spacelift-workerpool-on-ec2#197,
    /// convox/rack#2432).
    ///
    /// Assumed: an action of another hook is no active one, and with a token and an instance both must be those of the
    /// action.
    fn change(&self, world: &mut World) -> Result<(), ApiError> {
        let group = world.region().auto_scaling_group(&self.auto_scaling_group_name)?;
        let is_meant = |member: &GroupMember, action: &LifecycleAction| {
            action.hook == self.lifecycle_hook_name
                && self.lifecycle_action_token.as_ref().is_none_or(|token| *token == action.token)
                && self.instance_id.as_ref().is_none_or(|id| *id == member.instance_id)
        };
        let action = group.members.iter().find_map(|member| {
            let action = member.lifecycle_actions().iter().find(|action| is_meant(member, action))?;
            Some((member.instance_id.clone(), action.token.clone()))
        });
        let Some((instance_id, token)) = action else {
            let what = match (&self.lifecycle_action_token, &self.instance_id) {
                (Some(token), _) => format!("token {token}"),
                (None, id) => format!("instance ID {}", id.as_deref().unwrap_or_default()),
            };
            return Err(ApiError::auto_scaling_validation(format!("No active Lifecycle Action found with {what}")));
        };
        world.end_action(&self.auto_scaling_group_name, &instance_id, &token, self.lifecycle_action_result)
    }
}

impl World {
    /// Begins to terminate a member: at once, or after the group's hooks.
    ///
    /// "Termination protection" does not apply: "DisableApiTermination does not prevent Amazon EC2 Auto Scaling from
    /// terminating an instance" ("Change instance termination protection", EC2 User Guide).
    ///
    /// Assumed: the actions of several hooks are in progress at the same time, and a hook also waits for an instance that
    /// was terminated from outside, see
    /// [`Assumptions::terminated_instance_skips_hooks`](crate::model::Assumptions::terminated_instance_skips_hooks).
    pub(crate) fn begin_termination(&mut self, group_name: &str, instance_id: &str) -> Result<(), ApiError> {
        let group = self.region.auto_scaling_group(group_name)?.clone();
        let skips = self.is_dead(instance_id) && self.region.assumptions.terminated_instance_skips_hooks;
        let hooks = if skips { &[] } else { group.hooks.as_slice() };
        let actions: Vec<_> = hooks
            .iter()
            .map(|hook| LifecycleAction {
                hook: hook.name.clone(),
                token: self.scaling_ids.uuid(),
                times_out_at: self.now.saturating_add(hook.heartbeat_timeout),
            })
            .collect();
        for (hook, action) in hooks.iter().zip(&actions) {
            self.send_event(EventKind::TerminateLifecycleAction {
                group_arn: group.arn(&self.region.home),
                group_name: group.name.clone(),
                hook: hook.name.clone(),
                token: action.token.clone(),
                instance_id: instance_id.to_owned(),
                notification_metadata: hook.notification_metadata.clone(),
            });
            let timeout = Process::TimeOutAction { group: group.name.clone(), token: action.token.clone() };
            self.begin(hook.heartbeat_timeout, timeout);
        }
        let phase = if actions.is_empty() { Phase::Terminating } else { Phase::Waiting(actions) };
        let is_over = phase == Phase::Terminating;
        self.set_phase(group_name, instance_id, phase)?;
        if is_over { self.terminate_member(instance_id) } else { Ok(()) }
    }

    /// Ends an action. After the last one, the instance is terminated.
    fn end_action(
        &mut self,
        group_name: &str,
        instance_id: &str,
        token: &str,
        result: LifecycleResult,
    ) -> Result<(), ApiError> {
        let group = self.region.auto_scaling_group(group_name)?;
        let mut left = group.member(instance_id).map_or(Vec::new(), |member| member.lifecycle_actions().to_vec());
        match result {
            LifecycleResult::Continue => left.retain(|action| action.token != token),
            LifecycleResult::Abandon => left.clear(),
        }
        if !left.is_empty() {
            return self.set_phase(group_name, instance_id, Phase::Waiting(left));
        }
        self.set_phase(group_name, instance_id, Phase::Proceeding)?;
        self.terminate_member(instance_id)
    }

    /// "If the lifecycle hook times out, Amazon EC2 Auto Scaling performs the action that you specified in the
    /// DefaultResult property" (service model, `LifecycleHook$HeartbeatTimeout`).
    pub(crate) fn time_out_action(&mut self, group_name: &str, token: &str) {
        let Ok(group) = self.region.auto_scaling_group(group_name) else { return };
        let due = group.members.iter().find_map(|member| {
            let action = member.lifecycle_actions().iter().find(|action| action.token == token)?;
            let hook = group.hooks.iter().find(|hook| hook.name == action.hook)?;
            Some((member.instance_id.clone(), hook.default_result))
        });
        if let Some((instance_id, result)) = due {
            self.end_action(group_name, &instance_id, token, result).expect("the group and its member are there");
        }
    }

    pub(crate) fn set_phase(&mut self, group_name: &str, instance_id: &str, phase: Phase) -> Result<(), ApiError> {
        if let Some(member) = self.region_mut().auto_scaling_group_mut(group_name)?.member_mut(instance_id) {
            member.phase = phase;
        }
        Ok(())
    }

    fn terminate_member(&mut self, instance_id: &str) -> Result<(), ApiError> {
        if self.is_dead(instance_id) { Ok(()) } else { self.enter(instance_id, InstanceState::ShuttingDown) }
    }

    /// Whether the instance is terminated, or about to be.
    fn is_dead(&self, instance_id: &str) -> bool {
        let state = self.region.instance(instance_id).map(|instance| instance.state);
        !matches!(state, Ok(state) if !matches!(state, InstanceState::ShuttingDown | InstanceState::Terminated))
    }
}
