//! Asks the license server if it serves: has Systems Manager run lmstat on the holder, and reads what it prints.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future;
use tokio::time::{Instant, sleep, timeout_at};

use crate::act::function::Failover;
use crate::act::prober::Patience;
use crate::act::run::Run;
use crate::decide::license_check::{Assessment, judge};
use crate::decide::pending::report::is_moving;
use crate::decide::remembered::Remembered;
use crate::model::command::Command;
use crate::model::ids::{CommandId, DocumentName, InstanceId};
use crate::model::license_check::{CheckedLicense, LicenseCheck, WhyUnknown};
use crate::model::observation::InstanceState;
use crate::model::report::milliseconds;
use crate::ports::{Ec2, Ports, Ssm};

/// The pause between two tries. A daemon takes seconds to start.
const PAUSE: Duration = Duration::from_secs(2);

/// The document has its command line, and takes no parameters.
static NO_PARAMETERS: BTreeMap<String, Vec<String>> = BTreeMap::new();

/// A command, as far as Systems Manager has told about it.
#[derive(Default)]
struct Sent {
    command: Option<CommandId>,
    status: Option<String>,
}

impl<P: Ports> Failover<P> {
    /// Asks until licenses are served, or until the patience is over.
    pub(crate) async fn check_license(
        &self,
        document: &DocumentName,
        instance: &InstanceId,
        patience: Patience,
        ends: Instant,
    ) -> LicenseCheck {
        let began = Instant::now();
        let mut check = LicenseCheck::open(document, instance);
        let Some(limit) = patience.license_check else { return check };
        let ends = (began + limit.in_all).min(ends);
        loop {
            let mut sent = Sent::default();
            let answer = timeout_at(ends, self.ask_license_server(document, instance, &mut sent)).await;
            let Ok(answer) = answer else {
                // The answer to an earlier command is seconds old, and still the best one.
                if check.command_id.is_none() && sent.status.is_none() {
                    check.unknown_because = Some(WhyUnknown::Unreachable);
                }
                check.command_id = check.command_id.or(sent.command);
                break;
            };
            let next = Instant::now() + PAUSE;
            let is_worth_it = answer.may_pass && next < ends && next < began + limit.new_tries;
            check = LicenseCheck { command_id: sent.command, ..answer.into_check(check) };
            if !is_worth_it {
                break;
            }
            sleep(PAUSE).await;
        }
        LicenseCheck { duration_ms: milliseconds(began.elapsed()), ..check }
    }

    /// Sends the command once, and waits for its end.
    async fn ask_license_server(&self, document: &DocumentName, instance: &InstanceId, sent: &mut Sent) -> Assessment {
        let comment = "token-failover: are licenses served?";
        let command = Command { document, parameters: &NO_PARAMETERS, comment };
        let command = match self.ssm.send_command(command, instance).await {
            Ok(command) => sent.command.insert(command).clone(),
            Err(error) => return Assessment::not_sent(&error),
        };
        match self.follow(&command, instance, &mut sent.status).await {
            Ok(ended) => judge(&self.config.vendors, &ended),
            Err(error) => Assessment::not_read(&error),
        }
    }

    /// Drops a result other than "served" if it is outdated. The interface may be leaving the holder, or the
    /// holder may be stopping, and another run tells about that.
    pub(crate) async fn drop_outdated_check(&self, run: &mut Run<'_, P::Ec2>) {
        let Some(check) = run.license_check.as_ref().filter(|check| check.result != CheckedLicense::Served) else {
            return;
        };
        let holder = [check.instance_id.clone()];
        let reads = future::join(self.ec2.network_interface(&self.config.interface_id), self.ec2.instances(&holder));
        let (Ok(Some(interface)), Ok(instances)) = reads.await else { return };
        let before = run.attachment();
        let is_there = interface.attachment.as_ref() == before;
        let is_moving = is_moving(&Remembered::read(&interface.tags).pending, run.clock.now());
        let runs = instances.iter().any(|instance| instance.state == InstanceState::Running);
        if !is_there || is_moving || !runs {
            run.license_check = None;
        }
    }
}
