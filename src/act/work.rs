//! The work of one invocation, and what it leaves behind for the report.

use chrono::{DateTime, Utc};

use crate::act::run::Run;
use crate::decide::attachment::Seen;
use crate::decide::checks::Repair;
use crate::decide::pending::{Event, Pending, TagChanges, advance};
use crate::decide::remembered::announced_with;
use crate::model::check::Checks;
use crate::model::ids::InstanceId;
use crate::model::outcome::RunOutcome;
use crate::model::plan::Standby;
use crate::model::request::{Announced, Request};
use crate::ports::Ec2;

/// What the work leaves behind for the report.
#[derive(Default)]
pub(crate) struct Work {
    pub(crate) outcome: Option<RunOutcome>,
    pub(crate) standbys: Vec<Standby>,
    /// The checks before any repair.
    pub(crate) checks: Option<Checks>,
    /// The repairs that were needed, by their names in the settings.
    pub(crate) to_repair: Vec<&'static str>,
    pub(crate) repaired: Vec<&'static str>,
    /// The repairs that EC2 accepted and has not shown since.
    pub(crate) unseen: Vec<Repair>,
    /// The pending reports, as this run knows them.
    pub(crate) pending: Pending,
    /// What an audit has to note about the attachment; `None`: nothing new.
    pub(crate) seen: Option<Seen>,
    /// The target that has not taken the interface; `None`: one has, or none was tried.
    pub(crate) missed: Option<InstanceId>,
    /// The keys of the notes of moves that this run's move has made needless.
    pub(crate) superseded: Vec<String>,
    /// What the event announces for members; `None`: the event is not an announcement.
    pub(crate) announced: Option<Announcement>,
    /// The run may complete lifecycle actions.
    pub(crate) may_release: bool,
    /// The run publishes nothing and writes no tag.
    pub(crate) says_nothing: bool,
    /// The values of the tags about published mails, as the interface had them when the run began.
    pub(crate) remembered_refusal: Option<String>,
    pub(crate) remembered_announcement: Option<String>,
    pub(crate) remembered_audit: Option<String>,
}

impl Work {
    /// Processes an event. Returns the changes to the interface's tags.
    pub(crate) fn advance<E: Ec2>(&mut self, run: &Run<'_, E>, event: Event) -> TagChanges {
        let (pending, changes) = advance(std::mem::take(&mut self.pending), run.scene(), event);
        self.pending = pending;
        changes
    }

    /// The repairs that EC2 accepted and has not shown since, as one more sentence of a summary.
    pub(crate) fn unseen(&self) -> String {
        let mut unseen: Vec<&str> = self.unseen.iter().map(Repair::setting).collect();
        unseen.dedup();
        if unseen.is_empty() {
            return String::new();
        }
        let unseen = unseen.join(", ");
        format!(" EC2 accepted a repair but does not show it yet, so it may not have taken effect: {unseen}.")
    }
}

/// A change to members that AWS has announced.
pub(crate) struct Announcement {
    pub(crate) what: Announced,
    /// The event type code of AWS Health.
    pub(crate) code: String,
    /// When it begins; `None`: not known.
    pub(crate) starts_at: Option<DateTime<Utc>>,
    /// The members that it is about, at least one.
    pub(crate) members: Vec<InstanceId>,
}

impl Announcement {
    /// What the request announces for these of its instances, which are members.
    pub(crate) fn of(request: &Request, members: &[InstanceId]) -> Option<Self> {
        let (what, instances) = request.announced()?;
        let members: Vec<InstanceId> = instances.iter().filter(|id| members.contains(id)).cloned().collect();
        let (code, starts_at) = (request.trigger.state.clone().unwrap_or_default(), request.trigger.starts_at);
        (!members.is_empty()).then_some(Self { what, code, starts_at, members })
    }

    /// The tag's value once this has been published.
    pub(crate) fn remembered_with(&self, before: Option<&str>) -> String {
        announced_with(before, self.what.finding_code().into(), self.starts_at, &self.members)
    }
}
