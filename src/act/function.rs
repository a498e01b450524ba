//! The function: what it keeps from one invocation to the next.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::act::prober::Prober;
use crate::act::run::{Grouped, Recorder};
use crate::decide::problem::Memory;
use crate::model::config::Config;
use crate::model::ids::{InstanceId, SecurityGroupId};
use crate::model::observation::IngressRule;
use crate::ports::Ports;

/// Ingress rules that passed the check, and when they were read.
///
/// A reconcile of members in an Auto Scaling group asks for their lifecycle states. So that it needs no more calls than any
/// other reconcile, it reads the rules only every few minutes, and takes these in between.
pub(crate) struct KnownRules {
    pub(crate) groups: Vec<SecurityGroupId>,
    pub(crate) rules: Vec<IngressRule>,
    pub(crate) read_at: Instant,
}

impl KnownRules {
    /// How long they are taken for true, unless the run changes something.
    const MAX_AGE: Duration = Duration::from_secs(5 * 60);

    /// Whether they are the rules of these groups, and recent.
    pub(crate) fn are_of(&self, groups: &[SecurityGroupId]) -> bool {
        self.groups == groups && self.read_at.elapsed() < Self::MAX_AGE
    }
}

/// The function: a configuration, and the clients of EC2, SNS and Systems Manager. It serves any number of invocations.
pub struct Failover<P: Ports> {
    pub(crate) config: Config,
    pub(crate) ec2: P::Ec2,
    pub(crate) sns: P::Sns,
    pub(crate) ssm: P::Ssm,
    /// Tries the token server's ports; `None`: the function does not try them.
    pub(crate) prober: Option<Prober>,
    pub(crate) recorder: Box<Recorder>,
    /// The problem that this process mailed last. It replaces the tag if there is no interface to carry one, so that a
    /// lost interface is not mailed every minute.
    pub(crate) problem: Mutex<Memory>,
    /// The interface's security groups when this process last saw them. They hardly ever change, so the function can
    /// read their rules together with the interface, and not only after it.
    pub(crate) groups: Mutex<Vec<SecurityGroupId>>,
    /// The members when this process last saw them, if a tag names them. The function reads their status checks together
    /// with everything else, and not only after it has found them.
    pub(crate) known: Mutex<Vec<InstanceId>>,
    /// The members in an Auto Scaling group when this process last looked. The function asks for their lifecycle states
    /// together with everything else.
    pub(crate) grouped: Mutex<Grouped>,
    /// The rules that let every client reach the interface, and when they were read. See [`KnownRules`].
    pub(crate) rules: Mutex<Option<KnownRules>>,
    /// What this process last mailed about a pause. It replaces the tag if that cannot be written.
    pub(crate) told_of_pause: Mutex<Option<String>>,
}

impl<P: Ports> Failover<P> {
    /// A function with this configuration. `recorder` gets each record as soon as it happens.
    pub fn new(config: Config, ports: P, recorder: Box<Recorder>) -> Self {
        let (ec2, sns, ssm) = ports.split();
        let (problem, groups, told_of_pause) = (Mutex::default(), Mutex::default(), Mutex::default());
        let (known, grouped, rules) = Default::default();
        Self { config, ec2, sns, ssm, prober: None, recorder, problem, groups, known, grouped, rules, told_of_pause }
    }

    /// Whether the function tries the token server's ports from inside the VPC.
    pub(crate) fn is_inside(&self) -> bool {
        self.prober.as_ref().is_some_and(Prober::is_inside)
    }

    /// This function, which also tries the token server's ports.
    #[must_use]
    pub fn probing(self, prober: Prober) -> Self {
        Self { prober: Some(prober), ..self }
    }

    /// Whether the counts of each feature become metrics.
    pub fn makes_license_metrics(&self) -> bool {
        self.config.license_metrics
    }

    /// The name of the token server.
    pub fn token_server(&self) -> &str {
        &self.config.name
    }
}
