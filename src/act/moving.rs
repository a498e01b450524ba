//! Makes a move: the calls that take the interface off one instance and bring it to another.
//!
//! `decide::moving` says which call is next and what an answer means. This file makes the calls and waits. Every wait
//! polls EC2 and is limited, at the latest by the end of the run. Wherever a wait is cut off, the next run can
//! continue.

use std::pin::pin;
use std::time::Duration;

use futures_util::future;
use futures_util::future::maybe_done;
use tokio::time::{Instant, sleep};

use crate::act::run::{Run, first_of, pause_after, read_reachability};
use crate::decide::checks::wanted_address;
use crate::decide::moving::attach::{AfterRefusal, Landing, Place, after_refusal, arrival};
use crate::decide::moving::course::{Course, Leg};
use crate::decide::moving::detach::{Ask, Detach, Detached};
use crate::model::change::Attach;
use crate::model::error::{CallError, Meaning};
use crate::model::finding::{Finding, FindingCode};
use crate::model::ids::{AttachmentId, InstanceId};
use crate::model::observation::{Attachment, NetworkInterface, OLDEST_ANSWER};
use crate::model::outcome::{MoveOutcome, Reach};
use crate::model::plan::{Move, Refusal};
use crate::model::report::Step;
use crate::ports::Ec2;

/// The longest pause between two tries of an attach that is refused.
const MAX_ATTACH_PAUSE: Duration = Duration::from_secs(3);

/// How long the run tries to set DeleteOnTermination to false before the report says that it is still true.
const KEEP_TIMEOUT: Duration = Duration::from_secs(20);

impl<E: Ec2> Run<'_, E> {
    /// Moves the interface. `left` is the member that it left, if that is known already.
    pub(crate) async fn relocate(&mut self, planned: &Move, left: Option<InstanceId>) -> Result<MoveOutcome, Refusal> {
        let began = Instant::now();
        let mut course = Course::new(self.config, planned, left);
        let mut leg = course.begin(self.observation.as_ref());
        loop {
            leg = match leg {
                Leg::Detach(attachment, purpose) => {
                    let detached = self.detach(&attachment).await;
                    course.after_detach(purpose, detached, self.observation.as_ref())
                }
                Leg::Attach(purpose) => {
                    let target = purpose.target();
                    let landing = self.land(&target.attach, target.start).await;
                    course.after_attach(purpose, landing, self.observation.as_ref(), began.elapsed())
                }
                Leg::Start(instance, purpose) => {
                    let started = self.start_holder(&instance).await;
                    course.after_start(purpose, started, self.observation.as_ref())
                }
                Leg::Read(former, stuck) => {
                    self.read_instance(&former, Duration::ZERO).await;
                    course.after_read(&former, stuck, self.observation.as_ref())
                }
                Leg::End(ended) => return ended,
            };
        }
    }

    /// Detaches the interface and waits until it is free.
    async fn detach(&mut self, from: &Attachment) -> Detached {
        let began = Instant::now();
        self.departed.insert(from.id.clone());
        let holder = from.instance_id.as_ref();
        let state = holder.and_then(|holder| Some(self.observation.as_ref()?.instance(holder)?.state.clone()));
        let mut detach = Detach::new(from, state, self.config.force_detach_after);
        let mut waiting = None;
        let detached = loop {
            let asked_at = began.elapsed();
            if let Some(ask) = detach.ask(asked_at) {
                let answer = self.ask_for_detach(&from.id, ask).await;
                if let Some(ended) = detach.answered(ask, asked_at, began.elapsed(), answer) {
                    break ended;
                }
            }
            waiting.get_or_insert_with(|| self.begin(Step::AwaitDetached, &from.id));
            let look = self.look().await;
            if let Some(ended) = detach.seen(began.elapsed(), look) {
                break ended;
            }
            sleep(pause_after(began.elapsed())).await;
        };
        if let Some(waiting) = waiting {
            self.end(waiting, self.why_not_free(&detached).as_ref());
        }
        if let (Detached::Free { forced: true }, Some(holder)) = (&detached, holder) {
            let finding = self.advisor().forced(holder);
            self.findings.push(finding);
        }
        detached
    }

    async fn ask_for_detach(&mut self, attachment: &AttachmentId, ask: Ask) -> Result<(), CallError> {
        let (step, force) = match ask {
            Ask::Detach => (Step::Detach, false),
            Ask::ForceDetach => (Step::ForceDetach, true),
        };
        let ec2 = self.ec2;
        let answer = self.step(step, attachment, ec2.detach(attachment, force)).await;
        self.has_reached(Reach::Detaching, &answer);
        answer
    }

    /// The error to record for a wait that did not end with a free interface.
    fn why_not_free(&self, detached: &Detached) -> Option<CallError> {
        match detached {
            Detached::Free { .. } => None,
            Detached::Refused(Refusal::PermissionDenied(error) | Refusal::CallRejected(error)) => Some(error.clone()),
            Detached::Refused(refusal) => Some(CallError::gave_up("ec2:DescribeNetworkInterfaces", refusal.in_words())),
            Detached::Elsewhere(_) => {
                let message = format!("something else moved {}", self.config.interface_id);
                Some(CallError::gave_up("ec2:DescribeNetworkInterfaces", message))
            }
        }
    }

    /// Attaches the interface to one instance, waits until it is there, and makes it outlive the instance. Reads an
    /// instance that is not started next again, because its last observation may be older than the arrival of the
    /// interface.
    async fn land(&mut self, attach: &Attach, starts_next: bool) -> Landing {
        let landing = match self.ask_for_attach(attach).await {
            Ok(accepted) => self.await_attached(attach, accepted.as_ref()).await,
            Err(landing) => landing,
        };
        if let Landing::Landed(attachment) = &landing {
            self.keep_on_termination(attachment).await;
            if !starts_next {
                self.read_instance(&attach.instance_id, OLDEST_ANSWER).await;
            }
        }
        landing
    }

    /// Asks for the attach until EC2 accepts it, or until EC2 clearly will not. Returns the attachment that EC2 made;
    /// `None`: EC2's answer was lost.
    async fn ask_for_attach(&mut self, attach: &Attach) -> Result<Option<AttachmentId>, Landing> {
        let ec2 = self.ec2;
        let began = Instant::now();
        let mut has_lost_an_answer = false;
        let mut pause = Duration::from_millis(100);
        loop {
            let resource = format!("{} to {}", attach.interface_id, attach.instance_id);
            let attached = self.step(Step::Attach, resource, ec2.attach(attach)).await;
            self.has_reached(Reach::Attaching, &attached);
            let error = match attached {
                Ok(accepted) => return Ok(Some(accepted)),
                Err(error) => error,
            };
            self.learn_of_room(attach, &error);
            has_lost_an_answer |= matches!(error.meaning, Meaning::Unreachable | Meaning::Contradiction);
            self.has_lost_an_attach |= has_lost_an_answer;
            let (interface, is_dying) = self.see_both(&attach.instance_id).await;
            let Some(interface) = interface else { return Err(Landing::Gone) };
            let place = Place::of(&interface, attach, &self.departed, None);
            match after_refusal(error.meaning, place, has_lost_an_answer, is_dying, began.elapsed()) {
                AfterRefusal::PerhapsAccepted => return Ok(None),
                AfterRefusal::AskAgain => {}
                AfterRefusal::GiveUp(landing) => {
                    if landing == Landing::Impossible {
                        let finding = self.attach_failed(attach, &error);
                        self.findings.push(finding);
                    }
                    return Err(landing);
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(MAX_ATTACH_PAUSE);
        }
    }

    fn attach_failed(&self, attach: &Attach, error: &CallError) -> Finding {
        self.advisor().call_failed(
            FindingCode::AttachFailed,
            &attach.instance_id,
            &format!("The interface could not be attached to {}.", attach.instance_id),
            error,
        )
    }

    /// Reads the interface, and checks if the target is being terminated and will never take it. While the interface
    /// cannot be read, it may be on the target or gone. So the run does not ask again, and does not try anything else.
    async fn see_both(&mut self, instance: &InstanceId) -> (Option<NetworkInterface>, bool) {
        let ec2 = self.ec2;
        let began = Instant::now();
        loop {
            let (look, instances) = future::join(self.look(), ec2.instances(std::slice::from_ref(instance))).await;
            self.final_states.add(&instances.unwrap_or_default(), None);
            if let Ok(interface) = look {
                return (interface, self.final_states.has(instance));
            }
            sleep(pause_after(began.elapsed())).await;
        }
    }

    /// Waits until the interface is attached to the instance. Meanwhile, reads who can reach it, and drops that read if
    /// it takes longer.
    async fn await_attached(&mut self, attach: &Attach, accepted: Option<&AttachmentId>) -> Landing {
        let (config, ec2) = (self.config, self.ec2);
        let before = self.before.clone();
        let mut reachability = pin!(maybe_done(async {
            let interface = before.as_ref()?;
            let wanted = wanted_address(config, Some(interface));
            Some(read_reachability(config, ec2, interface, wanted.as_ref(), None).await)
        }));
        let awaiting = self.begin(Step::AwaitAttached, format!("{} to {}", attach.interface_id, attach.instance_id));
        let landing = first_of(self.look_until_landed(attach, accepted), reachability.as_mut()).await;
        let why_not = match &landing {
            Landing::Landed(_) => {
                self.reach = Reach::Attached;
                None
            }
            Landing::Arriving(_) => Some(format!("EC2 is still attaching the interface to {}", attach.instance_id)),
            _ => Some(format!("the interface did not reach {}", attach.instance_id)),
        };
        let why_not = why_not.map(|message| CallError::gave_up("ec2:DescribeNetworkInterfaces", message));
        self.end(awaiting, why_not.as_ref());
        if let (Some(observation), Some(Some(reachability))) = (&mut self.observation, reachability.take_output()) {
            observation.reachability = Some(reachability);
        }
        landing
    }

    async fn look_until_landed(&mut self, attach: &Attach, accepted: Option<&AttachmentId>) -> Landing {
        let began = Instant::now();
        let ends = self.clock.waiting_ends();
        loop {
            let look = self.look().await;
            let pause = pause_after(began.elapsed());
            if let Ok(interface) = look {
                let place = interface.map(|interface| Place::of(&interface, attach, &self.departed, accepted));
                let is_last_look = Instant::now() + pause >= ends;
                if let Some(landing) = arrival(place, accepted.is_some(), began.elapsed(), is_last_look) {
                    return landing;
                }
            }
            sleep(pause).await;
        }
    }

    /// Makes the interface outlive the instance at the new attachment. The settings cannot forbid this: a destroyed
    /// interface loses the license forever.
    async fn keep_on_termination(&mut self, attachment: &Attachment) {
        if !attachment.delete_on_termination {
            return;
        }
        let ec2 = self.ec2;
        let interface = &self.config.interface_id;
        let began = Instant::now();
        let made = loop {
            let keep = ec2.keep_on_termination(interface, &attachment.id);
            let made = self.step(Step::KeepOnTermination, &attachment.id, keep).await;
            let again = made.as_ref().is_err_and(CallError::is_transient) && began.elapsed() < KEEP_TIMEOUT;
            if !again {
                break made;
            }
            sleep(pause_after(began.elapsed())).await;
        };
        if made.is_ok()
            && let Some(interface) = self.observation.as_mut().and_then(|observation| observation.interface.known_mut())
            && let Some(attachment) = interface.as_mut().and_then(|interface| interface.attachment.as_mut())
        {
            attachment.delete_on_termination = false;
        }
    }

    /// Records how far this run has gone with a change that took effect or may have.
    fn has_reached<T>(&mut self, reach: Reach, answer: &Result<T, CallError>) {
        if answer.as_ref().err().is_none_or(CallError::is_transient) {
            self.reach = self.reach.max(reach);
        }
    }
}
