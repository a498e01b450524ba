//! Auto Scaling groups: their settings, their members, and the lifecycle actions for which members wait.

use std::{sync::Arc, time::Duration};

use super::{home::Home, instance::Instance};

/// The tag of every instance that a group has launched ("Tag Auto Scaling groups and instances", Amazon EC2 Auto Scaling
/// User Guide).
pub(crate) const GROUP_NAME_TAG: &str = "aws:autoscaling:groupName";

/// An Auto Scaling group. Its instances have the same weight, and only EC2 checks their health. An instance lifecycle policy,
/// by which a group can retain an instance in `Terminating:Retained` (service model, `RetentionTriggers`), is not simulated.
#[derive(Debug, Clone)]
pub struct AutoScalingGroup {
    pub name: String,
    /// The part of its ARN that the service chooses.
    pub(crate) uuid: String,
    pub min_size: usize,
    pub max_size: usize,
    pub desired_capacity: usize,
    /// The subnets in which it launches instances.
    pub subnets: Vec<String>,
    pub launch_template: Arc<LaunchTemplate>,
    /// `HealthCheckGracePeriod`: how long failed status checks of a new instance do not count.
    pub health_check_grace_period: Duration,
    /// `DefaultInstanceWarmup`, if it is set.
    pub default_instance_warmup: Option<Duration>,
    pub maintenance_policy: Option<MaintenancePolicy>,
    pub termination_policy: TerminationPolicy,
    /// The hooks for termination. Hooks for launches are not simulated.
    pub hooks: Vec<LifecycleHook>,
    pub members: Vec<GroupMember>,
    /// The members that the current instance refresh has not replaced yet.
    pub refresh: Option<Vec<String>>,
    /// The members that a test wants to lose first.
    pub(crate) first_to_go: Vec<String>,
    /// EC2 has no capacity for what the group launches.
    pub(crate) without_capacity: bool,
    /// The ids of the instances that it launches next. After the last one, EC2 has no capacity. `None`: any ids.
    pub(crate) next_ids: Option<Vec<String>>,
    /// The processes *Launch*, *Terminate* and *ReplaceUnhealthy* are suspended ("Suspend and resume Amazon EC2 Auto Scaling
    /// processes", Amazon EC2 Auto Scaling User Guide). What has begun goes on.
    pub(crate) is_suspended: bool,
    /// The time of the next launch after a failed one.
    pub(crate) retry_at: Option<Duration>,
}

impl AutoScalingGroup {
    /// `AutoScalingGroupARN` ("Amazon EC2 Auto Scaling", Service Authorization Reference).
    pub(crate) fn arn(&self, home: &Home) -> String {
        let Home { account, region, .. } = home;
        let (uuid, name) = (&self.uuid, &self.name);
        format!("arn:aws:autoscaling:{region}:{account}:autoScalingGroup:{uuid}:autoScalingGroupName/{name}")
    }

    pub fn member(&self, instance_id: &str) -> Option<&GroupMember> {
        self.members.iter().find(|member| member.instance_id == instance_id)
    }

    pub(crate) fn member_mut(&mut self, instance_id: &str) -> Option<&mut GroupMember> {
        self.members.iter_mut().find(|member| member.instance_id == instance_id)
    }

    /// The time that a new instance needs until it counts as ready: "the instance warmup by default is the value of the
    /// DefaultInstanceWarmup property, if defined [...], or the HealthCheckGracePeriod property otherwise" (service
    /// model, `RefreshPreferences$InstanceWarmup`).
    ///
    /// Assumed: the same for the replacement of an unhealthy instance.
    pub(crate) fn warmup(&self) -> Duration {
        self.default_instance_warmup.unwrap_or(self.health_check_grace_period)
    }
}

/// What a group launches: the type, the programs and the tags of its instances. All tags propagate.
#[derive(Debug, Clone)]
pub struct LaunchTemplate {
    pub id: String,
    pub name: String,
    pub version: u32,
    /// The pattern of a new instance. Its id, its state and its place do not count.
    pub(crate) instance: Instance,
    /// The security groups of the primary interface.
    pub(crate) groups: Vec<String>,
    pub(crate) source_dest_check: bool,
    pub(crate) primary_delete_on_termination: bool,
}

/// `InstanceMaintenancePolicy` of the service model, in percent of the desired capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaintenancePolicy {
    pub min_healthy_percentage: usize,
    pub max_healthy_percentage: usize,
}

/// Which member a group terminates if it has too many ("Configure termination policies for Amazon EC2 Auto Scaling",
/// Amazon EC2 Auto Scaling User Guide). The Availability Zone with the most members always comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TerminationPolicy {
    /// An instance of another launch template, then the instance that is closest to its next billing hour. Of several,
    /// Auto Scaling takes any; the simulator takes the first id.
    #[default]
    Default,
    OldestInstance,
    NewestInstance,
}

/// A hook for the transition `autoscaling:EC2_INSTANCE_TERMINATING`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecycleHook {
    pub name: String,
    /// The time after which the hook ends by itself, with the default result.
    pub heartbeat_timeout: Duration,
    pub default_result: LifecycleResult,
    pub notification_metadata: Option<String>,
}

impl LifecycleHook {
    /// The transition of every simulated hook.
    pub const TRANSITION: &'static str = "autoscaling:EC2_INSTANCE_TERMINATING";

    /// "The maximum is 172800 seconds (48 hours) or 100 times HeartbeatTimeout, whichever is smaller" (service model,
    /// `LifecycleHook$GlobalTimeout`).
    pub fn global_timeout(&self) -> Duration {
        Duration::from_secs(172_800).min(self.heartbeat_timeout.saturating_mul(100))
    }
}

/// `LifecycleActionResult` of the service model. Without an instance lifecycle policy, a terminating instance is terminated
/// either way. `ABANDON` also ends the actions of its other hooks, and `CONTINUE` leaves them in progress ("Considerations and
/// limitations for lifecycle hooks", Amazon EC2 Auto Scaling User Guide).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LifecycleResult {
    Continue,
    Abandon,
}

impl LifecycleResult {
    pub fn name(self) -> &'static str {
        match self {
            Self::Continue => "CONTINUE",
            Self::Abandon => "ABANDON",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Continue, Self::Abandon].into_iter().find(|result| result.name() == name)
    }
}

/// An instance of a group.
#[derive(Debug, Clone)]
pub struct GroupMember {
    pub instance_id: String,
    pub health: HealthStatus,
    pub(crate) phase: Phase,
    pub(crate) instance_type: String,
    pub(crate) availability_zone: String,
    pub(crate) subnet_id: String,
    /// The launch template that it was launched with.
    pub(crate) launch_template: Arc<LaunchTemplate>,
}

impl GroupMember {
    pub fn lifecycle_state(&self) -> LifecycleState {
        match self.phase {
            Phase::Pending => LifecycleState::Pending,
            Phase::InService { .. } => LifecycleState::InService,
            Phase::Terminating => LifecycleState::Terminating,
            Phase::Waiting(_) => LifecycleState::TerminatingWait,
            Phase::Proceeding => LifecycleState::TerminatingProceed,
        }
    }

    /// The lifecycle actions in progress. Empty unless the state is `Terminating:Wait`.
    pub fn lifecycle_actions(&self) -> &[LifecycleAction] {
        match &self.phase {
            Phase::Waiting(actions) => actions,
            _ => &[],
        }
    }

    pub(crate) fn is_leaving(&self) -> bool {
        !matches!(self.phase, Phase::Pending | Phase::InService { .. })
    }
}

/// A member's place in the lifecycle, with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    Pending,
    /// `since` is `None` for an instance that was in service before the world began.
    InService {
        since: Option<Duration>,
    },
    /// It is being terminated, without a hook.
    Terminating,
    /// It still runs, until every action has ended.
    Waiting(Vec<LifecycleAction>),
    /// Every action has ended, and it is being terminated.
    Proceeding,
}

/// A lifecycle action in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecycleAction {
    pub hook: String,
    /// `LifecycleActionToken`, a UUID.
    pub token: String,
    /// The time at which it ends by itself.
    pub times_out_at: Duration,
}

/// `LifecycleState` of the service model, as far as it is simulated. A terminated instance leaves its group at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LifecycleState {
    Pending,
    InService,
    Terminating,
    TerminatingWait,
    TerminatingProceed,
}

impl LifecycleState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::InService => "InService",
            Self::Terminating => "Terminating",
            Self::TerminatingWait => "Terminating:Wait",
            Self::TerminatingProceed => "Terminating:Proceed",
        }
    }
}

/// "The last reported health status of this instance" (service model, `AutoScalingInstanceDetails$HealthStatus`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthStatus {
    Healthy,
    Unhealthy,
}

impl HealthStatus {
    /// As DescribeAutoScalingInstances writes it (service model, its example). Other calls write `Healthy`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::Unhealthy => "UNHEALTHY",
        }
    }
}
