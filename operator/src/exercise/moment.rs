//! The moments of a move, and how soon each is expected.

use std::time::Duration;

use serde::Serialize;
use strum::{Display, VariantArray};
use token_failover::act::run::Record;
use token_failover::model::check::CheckResult;
use token_failover::model::config::Config;
use token_failover::model::license_check::CheckedLicense;
use token_failover::model::report::{Step, StepRecord, StepResult};

/// What causes the move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Display)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Kind {
    /// The command moves the interface, as an operator's failover.
    Failover,
    /// The command stops the holder, and the deployed function moves the interface.
    Stop,
}

/// A moment of a move, in the order in which they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Display, VariantArray)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Moment {
    /// A run wrote the pending report on the interface. After a stop, its note says whether EC2's event started it.
    Begun,
    /// The former holder is `stopped`. Before that, EC2 may refuse the detach.
    HolderStopped,
    /// EC2 accepted the detach.
    DetachAccepted,
    /// The interface is attached to nothing.
    Free,
    /// EC2 accepted the attach.
    AttachAccepted,
    /// The interface is attached.
    Attached,
    /// The standby, which was stopped, runs.
    StandbyRunning,
    /// All ports of the token server answer.
    PortsAnswering,
    /// The license server serves licenses.
    LicensesServed,
    /// The report is in the topic.
    Reported,
}

impl Moment {
    /// The moment as what a limit counts from, as in "within 30 s of the detach".
    pub fn noun(self) -> &'static str {
        match self {
            Self::Begun => "the run's beginning",
            Self::HolderStopped => "the stop",
            Self::DetachAccepted => "the detach",
            Self::Free => "the release",
            Self::AttachAccepted => "the attach",
            Self::Attached => "the arrival",
            Self::StandbyRunning => "the standby's start",
            Self::PortsAnswering => "the first answer of the ports",
            Self::LicensesServed => "the first license",
            Self::Reported => "the report",
        }
    }

    /// The moment in words, as the end of "It took … until".
    pub fn words(self) -> &'static str {
        match self {
            Self::Begun => "a run began",
            Self::HolderStopped => "the former holder stopped",
            Self::DetachAccepted => "EC2 accepted the detach",
            Self::Free => "the interface was free",
            Self::AttachAccepted => "EC2 accepted the attach",
            Self::Attached => "the interface was attached",
            Self::StandbyRunning => "the standby ran",
            Self::PortsAnswering => "the ports answered",
            Self::LicensesServed => "licenses were served",
            Self::Reported => "the report was in the topic",
        }
    }
}

/// How soon a moment is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expectation {
    /// The moment.
    pub moment: Moment,
    /// The moment from which the time counts; `None`: the request.
    pub since: Option<Moment>,
    /// The longest time.
    pub within: Duration,
}

/// The moments that are expected of a leg, in their order.
///
/// AWS publishes no times. The limits are those after which an operator would look for a fault: EC2 usually takes one to four
/// seconds for a detach or an attach, its event about a stop starts a run within seconds, and a run waits for the ports and the
/// license server for at most 90 seconds. The command waits for a run for twice its limit: if the event is lost, the schedule
/// starts one within a minute.
pub fn expectations(kind: Kind, config: &Config, starts_standby: bool) -> Vec<Expectation> {
    let seconds = Duration::from_secs;
    let is_stop = kind == Kind::Stop;
    let force = config.force_detach_after.unwrap_or_default();
    let arrival = if starts_standby { Moment::StandbyRunning } else { Moment::Attached };
    let all = [
        (Moment::Begun, None, seconds(if is_stop { 60 } else { 30 }), true),
        // The operating system shuts down first.
        (Moment::HolderStopped, None, seconds(300), is_stop),
        (Moment::DetachAccepted, Some(Moment::Begun), if is_stop { seconds(300) } else { seconds(15) }, true),
        (Moment::Free, Some(Moment::DetachAccepted), seconds(30) + force, true),
        (Moment::AttachAccepted, Some(Moment::Free), seconds(15), true),
        (Moment::Attached, Some(Moment::AttachAccepted), seconds(30), true),
        (Moment::StandbyRunning, Some(Moment::Attached), seconds(120), starts_standby),
        (Moment::PortsAnswering, Some(arrival), seconds(100), true),
        (Moment::LicensesServed, Some(arrival), seconds(100), config.license_check.is_some()),
        (Moment::Reported, Some(arrival), seconds(120), true),
    ];
    let expected = all.into_iter().filter(|(.., is_expected)| *is_expected);
    expected.map(|(moment, since, within, _)| Expectation { moment, since, within }).collect()
}

/// What a record of an own run says of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// It has come.
    Seen(Moment),
    /// It cannot be seen from this machine.
    CannotSee(Moment),
}

/// What a record of an own run says of the moments.
pub fn sign_of(record: Record<'_>) -> Option<Sign> {
    match record {
        Record::Ended(step) => of_step(step).map(Sign::Seen),
        Record::Probed(probes) => {
            let results: Vec<CheckResult> = probes.iter().map(|probe| probe.result).collect();
            if results.contains(&CheckResult::Failed) {
                None
            } else if !results.is_empty() && results.iter().all(|result| *result == CheckResult::Ok) {
                Some(Sign::Seen(Moment::PortsAnswering))
            } else {
                Some(Sign::CannotSee(Moment::PortsAnswering))
            }
        }
        Record::LicenseChecked(check) => {
            (check.result == CheckedLicense::Served).then_some(Sign::Seen(Moment::LicensesServed))
        }
        Record::Requested(..)
        | Record::Observed(_)
        | Record::Looked(_)
        | Record::Planned(..)
        | Record::Audited(_)
        | Record::Begun(..)
        | Record::Failed(..) => None,
    }
}

/// The moment at which this step ended, if it is one.
fn of_step(step: &StepRecord) -> Option<Moment> {
    let moment = match step.step {
        Step::NoteDebt => Moment::Begun,
        Step::Detach | Step::ForceDetach => Moment::DetachAccepted,
        Step::AwaitDetached => Moment::Free,
        Step::Attach => Moment::AttachAccepted,
        Step::AwaitAttached => Moment::Attached,
        Step::AwaitRunning => Moment::StandbyRunning,
        Step::Publish => Moment::Reported,
        // The end of these two does not tell whether the token server answered.
        Step::Probe | Step::CheckLicense => return None,
        Step::CheckPermission
        | Step::KeepOnTermination
        | Step::StartInstance
        | Step::DisassociateAddress
        | Step::AssociateAddress
        | Step::AuthorizeIngress
        | Step::Activate
        | Step::AwaitActivation
        | Step::NoteArrival
        | Step::NoteLimits
        | Step::SettleDebt
        | Step::HandOverDebt
        | Step::NotePublished
        | Step::NotePause
        | Step::CompleteLifecycleAction => return None,
    };
    matches!(step.result, StepResult::Done | StepResult::Skipped).then_some(moment)
}
