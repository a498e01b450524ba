//! Pending reports: what a run must report, remembered on the interface until a run has published it.
//!
//! Each run writes its own tag before its first change, so overlapping runs cannot overwrite each other's tags. The tag
//! of a run that dies stays. [`advance`] is the whole state machine: it takes a run's view of all pending reports, an
//! event, and what EC2 shows, and it returns the new view and the changes to the tags. No other code writes or removes
//! these tags.
//!
//! The life of one report:
//!
//! | state | tag | event | becomes |
//! |---|---|---|---|
//! | none | | a change begins | busy |
//! | busy | `busy-until=…` | the interface arrives | busy, with `arrived=…` |
//! | busy | | the run does not make the change | removed |
//! | busy | | its run publishes it | removed; reported, if the interface would still be destroyed with its instance |
//! | busy | | its run ends without publishing | left to the next run, without `busy-until` |
//! | busy | | its run dies | left to the next run once `busy-until` has passed |
//! | left | | the interface is in transit | left: the next move continues this one |
//! | left | | a later run leaves the same move to the next one | removed: that run's report covers it |
//! | left | | the interface never left, and no answer can be older | void: removed |
//! | left | | the interface is attached elsewhere, the instance was started, the repair began | due |
//! | due | | a run is about to activate a token server | due, with `waking-until=…` |
//! | due | `waking-until=…` | the run has activated it, and does not publish | due, with `woken=yes` |
//! | due | | a run publishes it | removed, or reported, as above |
//! | reported | `reported=yes` | the interface outlives its instance | removed |
//!
//! The values keep to letters, digits, spaces and `+ - = . _ : / @`, which every AWS service allows in tags, and to 256
//! characters. Source: EC2 User Guide, "Tag restrictions".

pub mod report;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::decide::pending::report::{Activation, PendingChange, PendingReport, Standing};
use crate::model::ids::{AttachmentId, InstanceId};
use crate::model::observation::{Attachment, AttachmentStatus, Instance, NetworkInterface, Observation};
use crate::model::outcome::{Boot, MoveOutcome, Reach, RunOutcome};
use crate::model::report::Movement;

/// A run's view of all pending reports.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pending {
    /// The report that this run has written.
    pub own: Option<PendingReport>,
    /// The reports of other runs that are due.
    pub due: Vec<Due>,
    /// The member whose token server this run has tried to activate, and what the next run must know about it.
    pub activation: Option<(InstanceId, Activation)>,
    /// Keys of reports that no longer mean anything.
    void: Vec<String>,
    /// Keys of reports that this run has settled.
    settled: Vec<String>,
}

/// A report that another run has left and that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The report.
    pub report: PendingReport,
    /// The instance that the interface went to; `None`: not known.
    pub to: Option<InstanceId>,
    /// The attachment by which it arrived; `None`: not known.
    pub attachment_id: Option<AttachmentId>,
}

/// The outcome of a change that another run has left to report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DueOutcome {
    /// Repairs may have been made.
    Repaired,
    /// The holder runs.
    Started,
    /// The interface is on this member. Only the run that moved it knew if the detach was forced, and how long the move
    /// took.
    Moved(Movement),
    /// The interface is back where it was.
    CameBack(InstanceId),
    /// The interface is attached to something that is not a member.
    LeftTheMembers,
}

/// What EC2 shows, and how far this run has gone.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The latest view of EC2.
    pub observation: Option<&'a Observation>,
    /// The members.
    pub members: &'a [InstanceId],
    /// How far this run has gone in moving the interface.
    pub reach: Reach,
    /// The current time.
    pub now: DateTime<Utc>,
}

/// What happens to pending reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// EC2 was read.
    Seen,
    /// This run is about to make a change.
    Begins(PendingReport),
    /// This run did not make the change.
    NotMade,
    /// The interface has arrived.
    Arrived {
        /// The instance that it is on.
        at: InstanceId,
        /// The attachment.
        by: AttachmentId,
        /// When the instance booted.
        boot: Boot,
    },
    /// Another run has made the move, and reports it.
    MadeByAnotherRun,
    /// This run is about to activate the token server on this member, and is done by this time at the latest.
    ActivationBegins(InstanceId, DateTime<Utc>),
    /// This run has tried to activate the token server on this member.
    Activated(InstanceId, Activation),
    /// The run's work is done.
    WorkEnds(Close),
    /// The time of the run was over before its work was done. The next run continues it.
    CutOff,
    /// This run has published its own report.
    Told,
    /// This run does not publish its own report, because the report is not news.
    NoNews,
    /// This run has published the report with this key, or has found that it was published before.
    Published(String),
    /// The run ends.
    RunEnds {
        /// Whether SNS accepted everything that the run had to publish.
        has_published: bool,
    },
}

/// What the end of a run's work means for its own report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// The work is done. Its report settles the tag.
    Done,
    /// A move was refused before it began. It leaves nothing to report.
    Void,
    /// A change is not complete. The next run continues it.
    Open,
    /// A change is not complete, and the interface is attached to nothing.
    Stranded,
    /// A change is not complete, and EC2 is still attaching the interface.
    Arriving,
    /// An operator paused or resumed the function.
    Maintenance,
}

impl Close {
    /// By the outcome of the work, and how far the run has gone.
    pub fn of(outcome: &RunOutcome, reach: Reach) -> Self {
        match outcome {
            RunOutcome::Move(MoveOutcome::Stranded, _) => Self::Stranded,
            RunOutcome::Move(MoveOutcome::Arriving(_), _) => Self::Arriving,
            RunOutcome::Refused(_) if reach > Reach::Untouched => Self::Open,
            RunOutcome::Refused(_) => Self::Void,
            RunOutcome::Answered(_) => Self::Maintenance,
            RunOutcome::Move(..)
            | RunOutcome::Kept(_)
            | RunOutcome::Started(..)
            | RunOutcome::HolderNotStarted(_)
            | RunOutcome::Audited { .. } => Self::Done,
        }
    }

    /// Whether the next run continues the work.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Stranded | Self::Arriving)
    }
}

/// Changes to the tags of pending reports.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagChanges {
    /// The tags to write.
    pub write: BTreeMap<String, String>,
    /// The keys to remove.
    pub remove: Vec<String>,
}

impl TagChanges {
    /// Adds changes that come after these.
    pub fn append(&mut self, others: Self) {
        self.write.extend(others.write);
        self.remove.extend(others.remove);
    }

    fn writes<'a>(reports: impl IntoIterator<Item = &'a PendingReport>) -> Self {
        Self { write: reports.into_iter().map(PendingReport::tag).collect(), remove: Vec::new() }
    }

    fn removes(keys: Vec<String>) -> Self {
        Self { write: BTreeMap::new(), remove: keys }
    }
}

/// The next view of all pending reports, and what changes on the interface.
pub fn advance(pending: Pending, scene: Scene<'_>, event: Event) -> (Pending, TagChanges) {
    match event {
        Event::Seen => (pending.seen(scene), TagChanges::default()),
        Event::Begins(report) => {
            let changes = TagChanges::writes([&report]);
            (Pending { own: Some(report), ..pending }, changes)
        }
        Event::NotMade => (pending.without_own(), TagChanges::default()),
        Event::Arrived { at, by, boot } => pending.arrived(&at, &by, boot),
        // The tag stays in case this run made the move after all.
        Event::MadeByAnotherRun if scene.reach >= Reach::Attaching => {
            (Pending { own: None, ..pending }, TagChanges::default())
        }
        Event::MadeByAnotherRun => (pending.without_own(), TagChanges::default()),
        Event::ActivationBegins(instance, until) => {
            let begun = pending.inactive(scene, &instance);
            let begun: Vec<PendingReport> =
                begun.map(|due| PendingReport { activation: Activation::Begun(until), ..due.report.clone() }).collect();
            let changes = TagChanges::writes(&begun);
            (pending, changes)
        }
        Event::Activated(instance, activation) => (pending.activated(instance, activation), TagChanges::default()),
        Event::WorkEnds(close) => pending.work_ends(scene, close),
        Event::CutOff => {
            let repeated = pending.repeated_by_own(scene);
            pending.settle(repeated)
        }
        Event::Told => pending.told(scene),
        Event::NoNews if scene.reach > Reach::Untouched => pending.told(scene),
        Event::NoNews => {
            let own = pending.own.iter().map(|own| own.key.clone()).collect();
            (Pending { own: None, ..pending }, TagChanges::removes(own))
        }
        Event::Published(key) => pending.published(scene, &key),
        Event::RunEnds { has_published } => pending.run_ends(scene, has_published),
    }
}

impl Pending {
    /// Sorts the reports on the interface. A report that was found due stays due, with the attachment that the
    /// interface had then.
    fn seen(mut self, scene: Scene<'_>) -> Self {
        let Some((observation, interface)) = scene.observation.and_then(|seen| Some((seen, seen.interface()?))) else {
            return self;
        };
        for report in PendingReport::read_all(&interface.tags) {
            let is_own = self.own.as_ref().is_some_and(|own| own.key == report.key);
            let is_known = self.due.iter().any(|due| due.report.key == report.key) || self.void.contains(&report.key);
            if is_own || is_known {
                continue;
            }
            match report.standing(observation.observed_at, interface) {
                Standing::Busy | Standing::Open => {}
                Standing::Void => self.void.push(report.key),
                Standing::Due => match Due::of(&report, observation, interface) {
                    Some(due) => self.due.push(due),
                    None => self.void.push(report.key),
                },
            }
        }
        self
    }

    fn without_own(mut self) -> Self {
        self.void.extend(self.own.take().map(|own| own.key));
        self
    }

    fn arrived(self, at: &InstanceId, by: &AttachmentId, boot: Boot) -> (Self, TagChanges) {
        let own = self.own.clone().map(|own| own.arrived(at, by)).map(|own| match boot {
            // The token server found the interface at boot.
            Boot::WithInterface => PendingReport { activation: Activation::Done, ..own },
            Boot::Earlier => own,
        });
        let changes = TagChanges::writes(&own);
        (Self { own, ..self }, changes)
    }

    fn activated(self, instance: InstanceId, activation: Activation) -> Self {
        let own = self.own.map(|own| if own.is_move() { PendingReport { activation, ..own } } else { own });
        Self { own, activation: Some((instance, activation)), ..self }
    }

    fn work_ends(mut self, scene: Scene<'_>, close: Close) -> (Self, TagChanges) {
        let mut over = std::mem::take(&mut self.void);
        // The report of a move that was refused before it began says nothing about the reports that other runs left to
        // that move.
        over.extend(self.own.take_if(|own| close == Close::Void && own.is_move()).map(|own| own.key));
        if close == Close::Stranded {
            over.extend(self.repeated_by_own(scene));
        }
        self.settle(over)
    }

    /// The reports of finished runs about the move that this run leaves to the next one. An interface has at most 50
    /// tags, and a move that every run retries would use them up.
    fn repeated_by_own(&self, scene: Scene<'_>) -> Vec<String> {
        let seen = scene.reports();
        let Some(own) = self.own.as_ref().filter(|own| seen.iter().any(|report| report.key == own.key)) else {
            return Vec::new();
        };
        let is_repeated = |other: &PendingReport| {
            let is_over = !other.is_busy(scene.now) && !other.reported;
            other.key != own.key && is_over && other.is_same_move(own)
        };
        seen.into_iter().filter(is_repeated).map(|report| report.key).collect()
    }

    fn told(mut self, scene: Scene<'_>) -> (Self, TagChanges) {
        match self.own.take() {
            Some(own) => self.reported(scene, own),
            None => (self, TagChanges::default()),
        }
    }

    fn published(self, scene: Scene<'_>, key: &str) -> (Self, TagChanges) {
        match self.due.iter().find(|due| due.report.key == key).map(|due| due.report.clone()) {
            Some(report) => self.reported(scene, report),
            None => (self, TagChanges::default()),
        }
    }

    /// A run has published the report, and with it everything that is pending about the same move.
    fn reported(self, scene: Scene<'_>, report: PendingReport) -> (Self, TagChanges) {
        // A run that was still at work when EC2 was read may have moved the interface again, and needs its tag.
        let seen_at = scene.observation.map_or(scene.now, |observation| observation.observed_at);
        let is_over = |other: &PendingReport| !other.is_busy(seen_at);
        // A report that was published earlier says nothing about what other runs have done since.
        let is_told = |other: &PendingReport| other.is_same_move(&report) && (other.reported || !report.reported);
        let others = scene.reports().into_iter().filter(|other| other.key != report.key);
        let mut over: Vec<String> =
            others.filter(|other| is_told(other) && is_over(other)).map(|other| other.key).collect();
        let mut stays = None;
        // A published report does not settle an attachment with which the interface would be destroyed.
        match report.is_move() && !scene.is_safe() {
            true if report.reported => {}
            true => stays = Some(report.once_reported()),
            false => over.push(report.key),
        }
        let (pending, mut changes) = self.settle(over);
        changes.append(TagChanges::writes(&stays));
        (pending, changes)
    }

    fn settle(mut self, keys: Vec<String>) -> (Self, TagChanges) {
        self.settled.extend(keys.iter().cloned());
        (self, TagChanges::removes(keys))
    }

    fn run_ends(mut self, scene: Scene<'_>, has_published: bool) -> (Self, TagChanges) {
        let own = self.own.take().map(PendingReport::handed_over);
        let mut changes = TagChanges::writes(&own);
        // The run that publishes what this one could not must know the outcome of the activation.
        if let Some((instance, activation)) = self.activation.as_ref().filter(|_| !has_published) {
            let left = self.inactive(scene, instance).filter(|due| !self.is_settled(&due.report));
            let left: Vec<PendingReport> =
                left.map(|due| PendingReport { activation: *activation, ..due.report.clone() }).collect();
            changes.append(TagChanges::writes(&left));
        }
        (self, changes)
    }

    // ---- Questions about the view ----

    /// Whether this run has settled the report.
    pub fn is_settled(&self, report: &PendingReport) -> bool {
        self.settled.contains(&report.key)
    }

    /// The reports to publish now. `activates`: the function activates token servers. Then a report whose token server
    /// must still be activated is left to the next run, and so is a report whose token server another run is
    /// activating.
    pub fn to_publish(&self, scene: Scene<'_>, activates: bool) -> Vec<Due> {
        let waiting: Vec<&Due> = if activates { self.perhaps_inactive(scene).collect() } else { Vec::new() };
        let due = self.due.iter().filter(|due| !self.is_settled(&due.report) && !waiting.contains(due));
        let mut due: Vec<Due> = due.cloned().collect();
        // Of two reports of one move, the one that knows more comes first.
        due.sort_by_key(|due| matches!(due.report.change, PendingChange::Move { arrived: None, .. }));
        due
    }

    /// Whether another run has moved the interface and has not finished its work.
    pub fn has_move(&self) -> bool {
        self.due.iter().any(|due| due.report.is_move())
    }

    /// Whether another run has moved the interface, and no run has reported it.
    pub fn has_unreported_move(&self) -> bool {
        self.due.iter().any(|due| due.report.is_move() && !due.report.reported)
    }

    /// Whether a move of the interface may still be unreported: by its tags, a run has left its report to another run, or is
    /// still at work, and this run has not settled it.
    pub fn awaits_a_report(&self, interface: &NetworkInterface) -> bool {
        let reports = PendingReport::read_all(&interface.tags);
        reports.iter().any(|report| report.is_move() && !report.reported && !self.is_settled(report))
    }

    /// The reports of moves to the holder whose token server may not have been activated, if the holder runs. The token
    /// server of a stopped instance serves once the instance starts, and a move that was reported has had its
    /// activation.
    pub fn inactive_on_holder(&self, scene: Scene<'_>) -> impl Iterator<Item = &Due> {
        self.inactive_by(scene.attachment().filter(|_| scene.running_member().is_some()))
    }

    /// The time by which other runs must have activated the holder's token server; `None`: no other run is activating
    /// it.
    pub fn activation_begun(&self, scene: Scene<'_>) -> Option<DateTime<Utc>> {
        let begun = self.inactive_on_holder(scene).filter_map(|due| match due.report.activation {
            Activation::Begun(until) => Some(until),
            Activation::Open | Activation::Done => None,
        });
        begun.max()
    }

    /// The reports of [`Self::inactive_on_holder`], if the holder is this member.
    fn inactive(&self, scene: Scene<'_>, member: &InstanceId) -> impl Iterator<Item = &Due> {
        let is_holder = scene.running_member() == Some(member);
        self.inactive_by(scene.attachment().filter(|_| is_holder))
    }

    /// The reports of [`Self::inactive_on_holder`], also for a holder that EC2's last answer did not list, unless this
    /// run has tried to activate the token server there.
    fn perhaps_inactive(&self, scene: Scene<'_>) -> impl Iterator<Item = &Due> {
        let is_done = self.activation.as_ref().is_some_and(|(member, _)| scene.holder() == Some(member));
        let could_be = !is_done && (scene.running_member().is_some() || scene.has_unknown_holder());
        self.inactive_by(scene.attachment().filter(|_| could_be))
    }

    fn inactive_by(&self, attachment: Option<&Attachment>) -> impl Iterator<Item = &Due> {
        let attachment = attachment.map(|attachment| attachment.id.clone());
        self.due.iter().filter(move |Due { report, attachment_id, .. }| {
            let is_there = attachment.is_some() && *attachment_id == attachment;
            is_there && report.activation != Activation::Done && !report.reported && report.is_move()
        })
    }
}

impl Due {
    /// The report, if it is due by what EC2 shows; `None`: there is nothing to report.
    fn of(report: &PendingReport, seen: &Observation, interface: &NetworkInterface) -> Option<Self> {
        let (to, attachment_id) = match &report.change {
            PendingChange::Move { to, arrived: Some(arrived), .. } => (to.clone(), Some(arrived.clone())),
            // If the instance does not run, this run or the next one starts it and reports that.
            PendingChange::Start { instance } => match instance {
                Some(instance) if seen.instance(instance).is_some_and(Instance::runs) => (Some(instance.clone()), None),
                Some(_) | None => return None,
            },
            PendingChange::Move { .. } | PendingChange::Repair { .. } => {
                let attachment = interface.attachment.as_ref();
                let to = attachment.and_then(|attachment| attachment.instance_id.clone());
                (to, attachment.map(|attachment| attachment.id.clone()))
            }
        };
        Some(Self { report: report.clone(), to, attachment_id })
    }

    /// The outcome of the change.
    pub fn outcome(&self, members: &[InstanceId]) -> DueOutcome {
        let from = match &self.report.change {
            PendingChange::Repair { .. } => return DueOutcome::Repaired,
            PendingChange::Start { .. } => return DueOutcome::Started,
            PendingChange::Move { from, .. } => from,
        };
        match &self.to {
            Some(to) if from.as_ref() == Some(to) => DueOutcome::CameBack(to.clone()),
            Some(to) if members.contains(to) => DueOutcome::Moved(Movement {
                from: from.clone(),
                to: to.clone(),
                attachment_id: self.attachment_id.clone(),
                forced: None,
                standby_started: None,
                duration_ms: None,
            }),
            _ => DueOutcome::LeftTheMembers,
        }
    }

    /// Whether this report is the first to say that the interface moved.
    pub fn tells_a_move(&self, members: &[InstanceId]) -> bool {
        !self.report.reported && matches!(self.outcome(members), DueOutcome::Moved(_))
    }
}

impl<'a> Scene<'a> {
    fn interface(self) -> Option<&'a NetworkInterface> {
        self.observation?.interface()
    }

    fn reports(self) -> Vec<PendingReport> {
        self.interface().map(|interface| PendingReport::read_all(&interface.tags)).unwrap_or_default()
    }

    /// The attachment of the interface, if it can serve clients there. An interface that is detaching serves no client,
    /// and this run has already handled an attachment of its own.
    fn attachment(self) -> Option<&'a Attachment> {
        self.observation?
            .attachment()
            .filter(|it| it.status == AttachmentStatus::Attached && self.reach < Reach::Attached)
    }

    fn holder(self) -> Option<&'a InstanceId> {
        let holder = self.observation?.holder()?;
        self.members.contains(holder).then_some(holder)
    }

    /// The member that has the interface, if it is running or starting.
    pub(crate) fn running_member(self) -> Option<&'a InstanceId> {
        self.holder().filter(|holder| self.instance(holder).is_some_and(Instance::runs))
    }

    fn has_unknown_holder(self) -> bool {
        self.holder().is_some_and(|holder| self.instance(holder).is_none())
    }

    fn instance(self, id: &InstanceId) -> Option<&'a Instance> {
        self.observation?.instance(id)
    }

    /// Whether terminating the member that has the interface would destroy it.
    pub(crate) fn is_doomed(self) -> bool {
        let attachment = self.observation.and_then(Observation::attachment);
        self.holder().is_some() && attachment.is_some_and(|attachment| attachment.delete_on_termination)
    }

    /// Whether the interface is attached and outlives its instance there.
    fn is_safe(self) -> bool {
        let attachment = self.observation.and_then(Observation::attachment);
        attachment.is_some_and(|attachment| attachment.status == AttachmentStatus::Attached) && !self.is_doomed()
    }
}
