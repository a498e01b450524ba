//! Repairs what the checks found wrong and the settings allow, and checks that EC2 shows the repairs.

use tokio::time::{Instant, sleep};

use crate::act::run::{Run, pause_after_look};
use crate::act::work::Work;
use crate::decide::checks::{Repair, is_made};
use crate::model::error::{CallError, Meaning};
use crate::model::finding::FindingCode;
use crate::model::observation::OLDEST_ANSWER;
use crate::model::report::Step;
use crate::ports::Ec2;

/// How often the run reads EC2 to see the repairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seeing {
    /// Once.
    Once,
    /// Until EC2 shows every accepted repair, or its answers can no longer be old.
    UntilShown,
}

impl<E: Ec2> Run<'_, E> {
    /// Reads which of the accepted repairs EC2 shows. Only a repair that EC2 shows counts.
    pub(crate) async fn see_repairs(&mut self, work: &mut Work, seeing: Seeing) {
        let began = Instant::now();
        while seeing == Seeing::Once || !work.unseen.is_empty() {
            // Rules that were read ahead are older than any repair.
            self.rules_ahead = None;
            if self.look().await.is_ok() {
                self.read_reachability().await;
                if let Some(checked) = self.check() {
                    let accepted = std::mem::take(&mut work.unseen).into_iter();
                    let (made, unseen): (Vec<_>, Vec<_>) = accepted.partition(|repair| is_made(repair, &checked));
                    work.repaired.extend(made.iter().map(Repair::setting));
                    work.repaired.dedup();
                    work.unseen = unseen;
                }
            }
            if seeing == Seeing::Once || began.elapsed() >= OLDEST_ANSWER {
                break;
            }
            sleep(pause_after_look(began.elapsed())).await;
        }
    }

    /// Makes one repair. Returns true if EC2 accepted it.
    pub(crate) async fn repair(&mut self, repair: &Repair) -> bool {
        let ec2 = self.ec2;
        let interface = &self.config.interface_id;
        let repaired = match repair {
            Repair::KeepOnTermination(attachment) => {
                self.step(Step::KeepOnTermination, attachment, ec2.keep_on_termination(interface, attachment)).await
            }
            Repair::MoveAddress { allocation_id, from } => {
                // The function removes the observed association, and associates the address only if it is free. So it
                // cannot take the address from an association that was made in between.
                let taken = match from {
                    Some(from) => self.step(Step::DisassociateAddress, from, ec2.disassociate_address(from)).await,
                    None => Ok(()),
                };
                match taken {
                    Ok(()) => {
                        let associate = ec2.associate_address(allocation_id, interface);
                        self.step(Step::AssociateAddress, allocation_id, associate).await
                    }
                    Err(error) => Err(error),
                }
            }
            Repair::OpenPorts(ingress) => {
                let resource = format!("{} TCP {} from {}", ingress.group_id, ingress.ports, ingress.client);
                self.step(Step::AuthorizeIngress, resource, ec2.authorize_ingress(ingress)).await
            }
        };
        match repaired {
            Ok(()) => true,
            Err(error) if error.meaning == Meaning::Duplicate => true,
            Err(error) => {
                self.repair_failed(repair, &error);
                false
            }
        }
    }

    fn repair_failed(&mut self, repair: &Repair, error: &CallError) {
        let consequence = format!("The repair {} did not succeed.", repair.setting());
        let interface = &self.config.interface_id;
        let finding = self.advisor().call_failed(FindingCode::RepairFailed, interface, &consequence, error);
        self.findings.push(finding);
    }
}
