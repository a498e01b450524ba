//! What the work of one invocation came to, and what it leaves behind for the report.

use chrono::{DateTime, Utc};

use crate::act::run::Run;
use crate::decide::checks::Repair;
use crate::decide::marks::{Change, Debt, Marks, Standing, Waking, announced_with};
use crate::model::check::Checks;
use crate::model::config::Config;
use crate::model::ids::{AttachmentId, InstanceId};
use crate::model::observation::{AttachmentStatus, Instance};
use crate::model::outcome::RunOutcome;
use crate::model::plan::Standby;
use crate::model::request::{Announced, Request};
use crate::ports::Ec2;

/// What the work leaves behind for the report.
#[derive(Default)]
pub(crate) struct Work {
    pub(crate) outcome: Option<RunOutcome>,
    pub(crate) standbys: Vec<Standby>,
    /// The checks before anything was repaired.
    pub(crate) checks: Option<Checks>,
    /// What was to be repaired, and what of it was.
    pub(crate) to_repair: Vec<&'static str>,
    pub(crate) repaired: Vec<&'static str>,
    /// The repairs that EC2 accepted and has not shown since.
    pub(crate) unseen: Vec<Repair>,
    /// The debt that this run has written.
    pub(crate) noted: Option<Debt>,
    /// The debts of other runs that are due.
    pub(crate) due: Vec<Owed>,
    /// What this run, which has dealt with waking the token server, leaves to be known of it.
    pub(crate) woken: Option<Waking>,
    /// Tags that mean nothing anymore.
    pub(crate) obsolete: Vec<String>,
    /// What the event announces for members, if it is about that.
    pub(crate) announced: Option<Announcement>,
    /// Nothing is published and no mark is written.
    pub(crate) says_nothing: bool,
    /// What was published last of each of these, as the interface remembered it when the run began.
    pub(crate) remembered_refusal: Option<String>,
    pub(crate) remembered_announcement: Option<String>,
    pub(crate) remembered_audit: Option<String>,
}

impl Work {
    /// Sorts what the interface remembers: what is due is reported, what never happened is forgotten. What is known to be
    /// due stays so, with the place at which the interface was then.
    pub(crate) fn read_marks<E: Ec2>(&mut self, run: &Run<'_, E>) {
        let Some(observation) = &run.observation else { return };
        let Some(interface) = observation.interface() else { return };
        let attachment = interface.attachment.as_ref();
        for debt in Marks::read(&interface.tags).debts {
            let is_own = self.noted.as_ref().is_some_and(|noted| noted.key == debt.key);
            let is_known = self.due.iter().any(|owed| owed.debt.key == debt.key) || self.obsolete.contains(&debt.key);
            if is_own || is_known {
                continue;
            }
            match (debt.standing(observation.observed_at, interface), &debt.change) {
                (Standing::Busy | Standing::Open, _) => {}
                (Standing::Void, _) => self.obsolete.push(debt.key),
                (Standing::Due, Change::Move { to, arrived: Some(arrived), .. }) => {
                    self.due.push(Owed { to: to.clone(), attachment_id: Some(arrived.clone()), debt });
                }
                // If it does not run, it is started by this run or the next, which report that.
                (Standing::Due, Change::Start { instance }) => match instance {
                    Some(instance) if observation.instance(instance).is_some_and(Instance::runs) => {
                        self.due.push(Owed { to: Some(instance.clone()), attachment_id: None, debt });
                    }
                    Some(_) | None => self.obsolete.push(debt.key),
                },
                (Standing::Due, _) => {
                    let to = attachment.and_then(|attachment| attachment.instance_id.clone());
                    let attachment_id = attachment.map(|attachment| attachment.id.clone());
                    self.due.push(Owed { to, attachment_id, debt });
                }
            }
        }
    }

    /// What EC2 accepted and has not shown since, as one more sentence of a summary.
    pub(crate) fn unseen(&self) -> String {
        let mut unseen: Vec<&str> = self.unseen.iter().map(Repair::setting).collect();
        unseen.dedup();
        if unseen.is_empty() {
            return String::new();
        }
        let unseen = unseen.join(", ");
        format!(" EC2 accepted a repair but does not show it yet, so it may not have taken effect: {unseen}.")
    }

    /// Whether another run has moved the interface and was not done with it.
    pub(crate) fn owes_a_move(&self) -> bool {
        self.due.iter().any(|owed| matches!(owed.debt.change, Change::Move { .. }))
    }

    /// The same, and nobody was told of it yet.
    pub(crate) fn owes_a_report_of_a_move(&self) -> bool {
        self.due.iter().any(|owed| matches!(owed.debt.change, Change::Move { .. }) && !owed.debt.reported)
    }

    /// What other runs owe for bringing the interface to where it is, if they may have died before they woke the token server
    /// there. A stopped instance begins to serve when it is started, a move that was reported had its waking, and what this run
    /// has attached itself it has dealt with.
    pub(crate) fn asleep<E: Ec2>(&self, run: &Run<'_, E>) -> impl Iterator<Item = &Owed> {
        self.unwoken(run, run.running_member().is_some())
    }

    /// The same, or the holder is a member that the last answer did not know, so that nothing can be said of it yet.
    pub(crate) fn may_be_asleep<E: Ec2>(&self, run: &Run<'_, E>) -> impl Iterator<Item = &Owed> {
        self.unwoken(run, run.running_member().is_some() || run.has_unknown_holder())
    }

    fn unwoken<E: Ec2>(&self, run: &Run<'_, E>, could_be: bool) -> impl Iterator<Item = &Owed> {
        let attachment = run.interface().and_then(|interface| interface.attachment.as_ref()).filter(|_| could_be);
        // What is leaving, no matter who asked for it, serves nobody.
        let attachment = attachment.filter(|attachment| attachment.status == AttachmentStatus::Attached);
        let attachment = attachment.map(|attachment| attachment.id.clone()).filter(|_| !run.has_attached);
        self.due.iter().filter(move |Owed { debt, attachment_id, .. }| {
            let is_there = attachment.is_some() && *attachment_id == attachment;
            is_there && debt.woken != Waking::Done && !debt.reported && matches!(debt.change, Change::Move { .. })
        })
    }
}

/// What AWS has announced to do to members.
pub(crate) struct Announcement {
    pub(crate) what: Announced,
    /// The event type code of AWS Health.
    pub(crate) code: String,
    /// When it begins, as far as that is known.
    pub(crate) starts_at: Option<DateTime<Utc>>,
    /// The members that it is about, at least one.
    pub(crate) members: Vec<InstanceId>,
}

impl Announcement {
    /// What the request announces for members of this token server.
    pub(crate) fn of(config: &Config, request: &Request) -> Option<Self> {
        let (what, instances) = request.announced()?;
        let members: Vec<InstanceId> = instances.iter().filter(|id| config.is_member(id)).cloned().collect();
        let (code, starts_at) = (request.trigger.state.clone().unwrap_or_default(), request.trigger.starts_at);
        (!members.is_empty()).then_some(Self { what, code, starts_at, members })
    }

    /// What the interface remembers once this was published.
    pub(crate) fn remembered_with(&self, before: Option<&str>) -> String {
        announced_with(before, self.what.finding_code().into(), self.starts_at, &self.members)
    }
}

/// A report that another run owes.
pub(crate) struct Owed {
    pub(crate) debt: Debt,
    /// Where the interface went, and by which attachment, as far as that is known.
    pub(crate) to: Option<InstanceId>,
    pub(crate) attachment_id: Option<AttachmentId>,
}
