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
    /// Termination protection "does not prevent Amazon EC2 Auto Scaling from terminating an instance when the instance is
    /// unhealthy or during scale-in events" ("Change instance termination protection", EC2 User Guide).
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::{
        grouped,
        names::{AUTO_SCALING_GROUP as GROUP, HOLDER, LIFECYCLE_HOOK as HOOK, STANDBY, THIRD},
        world::{Assumptions, Timings},
    };

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn refusal<T: std::fmt::Debug>(result: Result<T, ApiError>) -> (u16, String, String) {
        let error = result.unwrap_err();
        (error.status, error.code.into_owned(), error.message)
    }

    fn validation(message: impl Into<String>) -> (u16, String, String) {
        (400, "ValidationError".to_owned(), message.into())
    }

    /// The documents of lifecycle actions among the events.
    fn actions(world: &mut World) -> Vec<Value> {
        let documents = world.take_events().iter().map(crate::world::Event::document).collect::<Vec<_>>();
        documents.into_iter().filter(|document| document["source"] == "aws.autoscaling").collect()
    }

    /// The group of two, with a standby that is about to be terminated: a scale-in.
    fn leaving(scenario: crate::Scenario) -> World {
        let mut world =
            scenario.auto_scaling_group(GROUP, |group| group.size(1, 2, 2)).timings(Timings::realistic()).world();
        world.set_first_to_go(GROUP, &[STANDBY]).unwrap();
        world.set_desired_capacity(GROUP, 1).unwrap();
        world.advance(seconds(30));
        world
    }

    fn state(world: &World) -> Option<&'static str> {
        let member = world.group_members(GROUP).iter().find(|member| member.instance_id == STANDBY);
        member.map(|member| member.lifecycle_state().name())
    }

    fn instance_state(world: &World) -> InstanceState {
        world.region().instance(STANDBY).unwrap().state
    }

    #[test]
    fn a_member_runs_until_its_action_is_completed() {
        let mut world = leaving(grouped());
        let mut documents = actions(&mut world);
        let document = documents.remove(0);
        let token = document["detail"]["LifecycleActionToken"].as_str().unwrap().to_owned();
        assert_eq!(token.len(), 36);
        assert_eq!(
            document,
            json!({
                "version": "0",
                "id": document["id"],
                "detail-type": "EC2 Instance-terminate Lifecycle Action",
                "source": "aws.autoscaling",
                "account": "123456789012",
                "time": "2026-01-01T00:00:30Z",
                "region": "eu-west-1",
                "resources": [document["resources"][0]],
                "detail": {
                    "LifecycleActionToken": token,
                    "AutoScalingGroupName": GROUP,
                    "LifecycleHookName": HOOK,
                    "EC2InstanceId": STANDBY,
                    "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
                    "Origin": "AutoScalingGroup",
                    "Destination": "EC2",
                },
            })
        );
        let arn = document["resources"][0].as_str().unwrap();
        assert!(arn.starts_with("arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:"), "{arn}");
        assert!(arn.ends_with(":autoScalingGroupName/token-servers"), "{arn}");
        assert_eq!(documents, [Value::Null; 0]);

        world.advance(seconds(300));
        assert_eq!((state(&world), instance_state(&world)), (Some("Terminating:Wait"), InstanceState::Running));
        world.act(CompleteLifecycleAction::with_token(GROUP, HOOK, &token)).unwrap();
        assert_eq!((state(&world), instance_state(&world)), (Some("Terminating:Proceed"), InstanceState::ShuttingDown));
        let gone = validation(format!("No active Lifecycle Action found with token {token}"));
        assert_eq!(refusal(world.act(CompleteLifecycleAction::with_token(GROUP, HOOK, &token))), gone);
        world.advance(seconds(400));
        assert_eq!((state(&world), instance_state(&world)), (None, InstanceState::Terminated));
        assert_eq!(actions(&mut world), [Value::Null; 0]);
    }

    #[test]
    fn an_action_ends_by_itself() {
        for default_result in [LifecycleResult::Continue, LifecycleResult::Abandon] {
            let hook = LifecycleHook {
                name: HOOK.to_owned(),
                heartbeat_timeout: seconds(100),
                default_result,
                notification_metadata: Some("the pair".to_owned()),
            };
            let mut world = leaving(grouped().auto_scaling_group(GROUP, |group| group.without_hooks().hook(hook)));
            assert_eq!(actions(&mut world)[0]["detail"]["NotificationMetadata"], "the pair");
            world.advance(seconds(129));
            assert_eq!(state(&world), Some("Terminating:Wait"));
            world.advance(seconds(130));
            let expected = (Some("Terminating:Proceed"), InstanceState::ShuttingDown);
            assert_eq!((state(&world), instance_state(&world)), expected);
        }
    }

    #[test]
    fn a_timeout_of_a_completed_action_has_no_effect() {
        let mut world = leaving(grouped());
        world.act(CompleteLifecycleAction::of(GROUP, HOOK, STANDBY)).unwrap();
        world.advance(seconds(100));
        let revision = world.revision();
        world.advance(seconds(2000));
        assert_eq!(world.revision(), revision);
    }

    #[test]
    fn every_hook_must_be_completed_unless_one_is_abandoned() {
        let two = || grouped().auto_scaling_group(GROUP, |group| group.termination_hook("second", seconds(600)));
        let mut world = leaving(two());
        assert_eq!(actions(&mut world).len(), 2);
        world.act(CompleteLifecycleAction::of(GROUP, HOOK, STANDBY)).unwrap();
        assert_eq!(state(&world), Some("Terminating:Wait"));
        world.act(CompleteLifecycleAction::of(GROUP, "second", STANDBY)).unwrap();
        assert_eq!(state(&world), Some("Terminating:Proceed"));

        let mut world = leaving(two());
        let abandon = CompleteLifecycleAction {
            lifecycle_action_result: LifecycleResult::Abandon,
            ..CompleteLifecycleAction::of(GROUP, "second", STANDBY)
        };
        world.act(abandon).unwrap();
        assert_eq!(state(&world), Some("Terminating:Proceed"));
    }

    #[test]
    fn only_an_active_action_can_be_completed() {
        let mut world = leaving(grouped());
        let token = "00000000-0000-4000-8000-000000000000";
        let none = |what: &str| validation(format!("No active Lifecycle Action found with {what}"));
        let of = CompleteLifecycleAction::of;
        let with_token = CompleteLifecycleAction::with_token;
        for (request, expected) in [
            (of(GROUP, HOOK, HOLDER), none(&format!("instance ID {HOLDER}"))),
            (of(GROUP, HOOK, THIRD), none(&format!("instance ID {THIRD}"))),
            (of(GROUP, "other", STANDBY), none(&format!("instance ID {STANDBY}"))),
            (with_token(GROUP, HOOK, token), none(&format!("token {token}"))),
            (
                CompleteLifecycleAction { instance_id: Some(STANDBY.to_owned()), ..with_token(GROUP, HOOK, token) },
                none(&format!("token {token}")),
            ),
            (
                of("other", HOOK, STANDBY),
                validation("AutoScalingGroup name not found - AutoScalingGroup other not found"),
            ),
            (
                with_token(GROUP, HOOK, "short"),
                validation(
                    "1 validation error detected: Value at 'lifecycleActionToken' failed to satisfy constraint: Member \
                     must have length between 36 and 36",
                ),
            ),
            (
                CompleteLifecycleAction { instance_id: None, ..of(GROUP, HOOK, "") },
                validation("Either LifecycleActionToken or InstanceId must be specified."),
            ),
        ] {
            let revision = world.revision();
            assert_eq!(refusal(world.act(request)), expected);
            assert_eq!(world.revision(), revision);
        }
        world.act(CompleteLifecycleAction::of(GROUP, HOOK, STANDBY)).unwrap();
    }

    #[test]
    fn members_are_described_and_other_instances_are_not() {
        let mut world = leaving(grouped().instance(THIRD, |instance| instance));
        let member = |id: &str, lifecycle_state| AutoScalingInstance {
            instance_id: id.to_owned(),
            instance_type: "t3.small".to_owned(),
            auto_scaling_group_name: GROUP.to_owned(),
            availability_zone: "eu-west-1a".to_owned(),
            lifecycle_state,
            health_status: HealthStatus::Healthy,
            launch_template_id: "lt-0aaaaaaaaaaaaaaa1".to_owned(),
            launch_template_name: GROUP.to_owned(),
            launch_template_version: 1,
        };
        let both = [member(HOLDER, LifecycleState::InService), member(STANDBY, LifecycleState::TerminatingWait)];
        let all = world.act(DescribeAutoScalingInstances::default()).unwrap();
        assert_eq!((all.items.as_slice(), all.next_token), (&both[..], None));
        let some = DescribeAutoScalingInstances::of([STANDBY, THIRD, "i-0aaaaaaaaaaaaaaa9", "x"]);
        assert_eq!(world.act(some).unwrap().items, both[1..]);
        let none = DescribeAutoScalingInstances::of([THIRD]);
        assert_eq!(world.act(none).unwrap().items, []);
        // The answer of a moment ago.
        let request = DescribeAutoScalingInstances::of([STANDBY]).into();
        let answer = world.answer_from_the_past(seconds(31), seconds(2), &request);
        let Ok(crate::world::Answer::DescribeAutoScalingInstances(page)) = answer else { panic!("{answer:?}") };
        assert_eq!(page.items, [member(STANDBY, LifecycleState::InService)]);
    }

    #[test]
    fn members_come_on_pages_of_at_most_fifty() {
        let ids: Vec<String> = (0..60).map(|n| format!("i-0{n:016x}")).collect();
        let mut world = crate::Scenario::empty().auto_scaling_group("big", |group| group.members(&ids)).world();
        let mut pages = |request: DescribeAutoScalingInstances| {
            let (mut request, mut sizes, mut seen) = (request, Vec::new(), Vec::new());
            loop {
                let page = world.act(request.clone()).unwrap();
                sizes.push(page.items.len());
                seen.extend(page.items.into_iter().map(|member| member.instance_id));
                request.next_token = page.next_token;
                if request.next_token.is_none() {
                    return (sizes, seen);
                }
            }
        };
        assert_eq!(pages(DescribeAutoScalingInstances::default()), (vec![50, 10], ids.clone()));
        let small = DescribeAutoScalingInstances { max_records: Some(20), ..Default::default() };
        assert_eq!(pages(small), (vec![20, 20, 20], ids.clone()));
        let named =
            DescribeAutoScalingInstances { max_records: Some(2), ..DescribeAutoScalingInstances::of(&ids[7..10]) };
        assert_eq!(pages(named), (vec![2, 1], ids[7..10].to_vec()));

        let too_many = DescribeAutoScalingInstances::of(&ids[..51]);
        let limit = validation("The number of instance ids that may be passed in is limited to 50");
        assert_eq!(refusal(world.act(too_many)), limit);
        for wrong in [0, 51] {
            let request = DescribeAutoScalingInstances { max_records: Some(wrong), ..Default::default() };
            assert_eq!(refusal(world.act(request)).1, "ValidationError");
        }
        let invented = DescribeAutoScalingInstances { next_token: Some("x".to_owned()), ..Default::default() };
        assert_eq!(refusal(world.act(invented)).1, "InvalidNextToken");
        let assumptions = Assumptions { page_limit: Some(1), ..Assumptions::default() };
        let mut world = grouped().assumptions(assumptions).world();
        assert_eq!(world.act(DescribeAutoScalingInstances::default()).unwrap().items.len(), 1);
    }

    #[test]
    fn hooks_are_described() {
        let mut world = grouped().world();
        let hook = LifecycleHook {
            name: HOOK.to_owned(),
            heartbeat_timeout: seconds(600),
            default_result: LifecycleResult::Abandon,
            notification_metadata: None,
        };
        assert_eq!(hook.global_timeout(), seconds(60_000));
        let views = [LifecycleHookView { auto_scaling_group_name: GROUP.to_owned(), hook }];
        assert_eq!(world.act(DescribeLifecycleHooks::of(GROUP)).unwrap(), views);
        let named = |name: &str| DescribeLifecycleHooks {
            lifecycle_hook_names: vec![name.to_owned()],
            ..DescribeLifecycleHooks::of(GROUP)
        };
        assert_eq!(world.act(named(HOOK)).unwrap(), views);
        assert_eq!(world.act(named("other")).unwrap(), []);
        let absent = validation("AutoScalingGroup name not found - AutoScalingGroup other not found");
        assert_eq!(refusal(world.act(DescribeLifecycleHooks::of("other"))), absent);
    }
}
