//! Asks the license server if it serves: has Systems Manager run lmstat on the holder, and reads what it prints.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::act::function::Failover;
use crate::act::prober::Patience;
use crate::decide::license_check::{Assessment, judge};
use crate::model::command::Command;
use crate::model::ids::{CommandId, DocumentName, InstanceId};
use crate::model::license_check::LicenseCheck;
use crate::model::report::milliseconds;
use crate::ports::{Ports, Ssm};

/// The pause between two tries. A daemon takes seconds to start.
const PAUSE: Duration = Duration::from_secs(2);

/// The document has its command line, and takes no parameters.
static NO_PARAMETERS: BTreeMap<String, Vec<String>> = BTreeMap::new();

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
        let ends = (began + patience.license_check).min(ends);
        let mut check = LicenseCheck::open(document, instance);
        let mut has_answer = false;
        loop {
            let trying = self.ask_license_server(document, instance, &mut check.command_id);
            let Ok(answer) = timeout_at(ends, trying).await else {
                // An answer that an earlier try received is seconds old, and still the best one.
                if !has_answer {
                    check.error = Some(format!("no result after {} s", began.elapsed().as_secs()));
                }
                break;
            };
            let next = Instant::now() + PAUSE;
            let is_worth_it = answer.may_pass && next < ends && next < began + patience.not_served;
            has_answer = true;
            check = answer.into_check(check);
            if !is_worth_it {
                break;
            }
            sleep(PAUSE).await;
        }
        LicenseCheck { duration_ms: milliseconds(began.elapsed()), ..check }
    }

    /// Sends the command once, and waits for its end.
    async fn ask_license_server(
        &self,
        document: &DocumentName,
        instance: &InstanceId,
        sent: &mut Option<CommandId>,
    ) -> Assessment {
        let comment = "token-failover: are licenses served?";
        let command = Command { document, parameters: &NO_PARAMETERS, comment };
        let command = match self.ssm.send_command(command, instance).await {
            Ok(command) => sent.insert(command).clone(),
            Err(error) => return Assessment::of_error(&error),
        };
        match self.follow(&command, instance, &mut None).await {
            Ok(ended) => judge(&self.config.vendors, &ended),
            Err(error) => Assessment::of_error(&error),
        }
    }
}
