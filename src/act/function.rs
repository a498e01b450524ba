//! The function: what it keeps from one invocation to the next.

use std::sync::Mutex;

use crate::act::prober::Prober;
use crate::act::run::Recorder;
use crate::decide::problem::Memory;
use crate::model::config::Config;
use crate::model::ids::{InstanceId, SecurityGroupId};
use crate::ports::Ports;

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
    /// What this process last mailed about a pause. It replaces the tag if that cannot be written.
    pub(crate) told_of_pause: Mutex<Option<String>>,
}

impl<P: Ports> Failover<P> {
    /// A function with this configuration. `recorder` gets each record as soon as it happens.
    pub fn new(config: Config, ports: P, recorder: Box<Recorder>) -> Self {
        let (ec2, sns, ssm) = ports.split();
        let (problem, groups, told_of_pause) = (Mutex::default(), Mutex::default(), Mutex::default());
        let known = Mutex::default();
        Self { config, ec2, sns, ssm, prober: None, recorder, problem, groups, known, told_of_pause }
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
