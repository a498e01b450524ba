//! Maintenance: sets a pause, ends it, and mails both.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::act::function::Failover;
use crate::act::run::Run;
use crate::act::work::Work;
use crate::decide::pause;
use crate::decide::pause::{Mark, News};
use crate::decide::pending::Event;
use crate::decide::pending::report::Activation;
use crate::model::error::CallError;
use crate::model::failure::{Failure, unreadable};
use crate::model::observation::Reading;
use crate::model::outcome::{RunOutcome, Verdict};
use crate::model::pause::{End, Pause, Standing};
use crate::model::plan::Refusal;
use crate::model::reason::Reason;
use crate::model::report::{ActivationRecord, ActivationResult, Outcome, Report, Step};
use crate::model::request::RequestError;
use crate::model::tags::{PAUSED, PAUSED_TOLD};
use crate::ports::{Ec2, Ports};
use crate::tell::summary;

/// How long a run that ends a pause does not believe an answer without a pause.
const PAUSE_TIMEOUT: Duration = Duration::from_secs(10);

impl<P: Ports> Failover<P> {
    /// Sets a pause, and replaces an earlier one.
    pub(crate) async fn pause(
        &self,
        run: &mut Run<'_, P::Ec2>,
        work: &mut Work,
        until: Option<End>,
        reason: Option<&str>,
    ) -> Result<(), Failure> {
        let now = run.clock.now();
        let until = pause::ends(until, now).map_err(RequestError::new)?;
        run.observe().await;
        if !self.has_interface(run, work).await.map_err(unreadable)? {
            return Ok(());
        }
        let before = run.pause();
        let pause = Pause::new(until, now, reason);
        if !self.note_pause(run, work, &pause).await? {
            return Ok(());
        }
        if let Some(news) = self.own_news(run) {
            let mut verdict = verdict_of(&news);
            if let Some(before) = before {
                verdict.summary =
                    format!("{} This replaces a pause that was to last until {}.", verdict.summary, before.in_words());
            }
            work.outcome = Some(RunOutcome::Answered(verdict));
        }
        Ok(())
    }

    /// Ends the pause.
    pub(crate) async fn resume(&self, run: &mut Run<'_, P::Ec2>, work: &mut Work) -> Result<(), Failure> {
        let began = Instant::now();
        run.observe().await;
        let tag = loop {
            if !self.has_interface(run, work).await.map_err(unreadable)? {
                return Ok(());
            }
            let tag = run.interface().and_then(|interface| interface.tags.get(PAUSED)).cloned();
            if tag.is_some() || began.elapsed() >= PAUSE_TIMEOUT {
                break tag;
            }
            // The answer may be older than the pause.
            sleep(Duration::from_secs(1)).await;
            run.look().await.map_err(unreadable)?;
        };
        let Some(tag) = tag else {
            let summary = "token-failover is not paused, so there is nothing to resume.".to_owned();
            let verdict = Verdict { outcome: Outcome::NoAction, reason: Reason::NotPaused, summary, movement: None };
            work.outcome = Some(RunOutcome::Answered(verdict));
            return Ok(());
        };
        let now = run.clock.now();
        // The tag says that the pause has ended before the mail goes out, so the next run mails it if this run dies.
        if let Some(pause) = Pause::read(&tag).filter(|pause| pause.standing(now) == Standing::InForce)
            && !self.note_pause(run, work, &pause.resumed(now)).await?
        {
            return Ok(());
        }
        work.outcome = self.own_news(run).map(|news| RunOutcome::Answered(verdict_of(&news)));
        Ok(())
    }

    /// Whether the interface exists. The function believes that it does not only after EC2 has said so several times.
    async fn has_interface(&self, run: &mut Run<'_, P::Ec2>, work: &mut Work) -> Result<bool, CallError> {
        if matches!(run.observation.as_ref().map(|seen| &seen.interface), Some(Reading::Known(None))) {
            run.look().await?;
        }
        let refusal = match run.observation.as_ref().map(|seen| &seen.interface) {
            Some(Reading::Known(Some(_))) => return Ok(true),
            Some(Reading::Unreadable(error)) if error.is_transient() => return Err(error.clone()),
            Some(Reading::Unreadable(error)) => Refusal::from_error(error.clone()),
            Some(Reading::Known(None)) | None => Refusal::InterfaceMissing,
        };
        self.refuse(run, work, &refusal);
        Ok(false)
    }

    /// Writes the pause on the interface. `false`: EC2 refuses the tag.
    async fn note_pause(&self, run: &mut Run<'_, P::Ec2>, work: &mut Work, pause: &Pause) -> Result<bool, Failure> {
        let interface = &self.config.interface_id;
        let tags = BTreeMap::from([(PAUSED.to_owned(), pause.value())]);
        let written = run.step(Step::NotePause, interface, self.ec2.write_tags(interface, &tags)).await;
        match written {
            Ok(()) => run.remember_tags(tags),
            // EC2 may have written the tag although its answer was lost.
            Err(error) if error.is_transient() => {
                let seen = run.look().await.ok().flatten().and_then(|seen| seen.tags.get(PAUSED).cloned());
                if seen.as_ref() != tags.get(PAUSED) {
                    return Err(unreadable(error));
                }
            }
            Err(error) => {
                self.refuse(run, work, &Refusal::from_error(error));
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn refuse(&self, run: &mut Run<'_, P::Ec2>, work: &mut Work, refusal: &Refusal) {
        run.findings.extend(run.advisor().refusal(refusal, &[]));
        let summary =
            format!("The pause was not changed because the interface could not be tagged: {}.", refusal.in_words());
        let verdict = Verdict { outcome: Outcome::Refused, reason: refusal.code(), summary, movement: None };
        work.outcome = Some(RunOutcome::Answered(verdict));
    }

    /// The news about the pause that this run has set or ended.
    fn own_news(&self, run: &Run<'_, P::Ec2>) -> Option<News> {
        let observation = run.observation.as_ref()?;
        pause::news(&observation.interface()?.tags, run.clock.now(), true)
    }

    /// Publishes the news about the pause, and writes that it was mailed. If the run has no other answer, this is the
    /// answer.
    pub(crate) async fn tell_of_pause(&self, run: &mut Run<'_, P::Ec2>, report: &mut Report) -> Result<(), CallError> {
        let is_own = matches!(report.outcome, Outcome::Paused | Outcome::Resumed);
        let Some(observation) = &run.observation else { return Ok(()) };
        let Some(interface) = observation.interface() else { return Ok(()) };
        let asked_at = if is_own { run.clock.now() } else { observation.observed_at };
        let Some(news) = pause::news(&interface.tags, asked_at, is_own) else { return Ok(()) };
        let told_before = interface.tags.get(PAUSED_TOLD).cloned();
        // Without this, a tag that cannot be written would cost a mail every minute.
        let is_told =
            self.told_of_pause.lock().unwrap_or_else(PoisonError::into_inner).as_ref() == Some(&news.identity());
        if !is_told {
            let Verdict { outcome, reason, summary, .. } = verdict_of(&news);
            let steps = Vec::new();
            let told = if is_own {
                report.clone()
            } else {
                Report { outcome, reason: reason.into(), summary, movement: None, steps, ..report.clone() }
            };
            let since = news.pause.as_ref().and_then(|pause| pause.since).unwrap_or_default().timestamp();
            self.publish(run, &told, &format!("pause-{since}")).await?;
            *self.told_of_pause.lock().unwrap_or_else(PoisonError::into_inner) = Some(news.identity());
            if report.outcome == Outcome::NoAction {
                Report { outcome: report.outcome, reason: report.reason, summary: report.summary, .. } = told;
            }
        }
        let ends = run.clock.publishing_ends();
        let id = &self.config.interface_id;
        match news.mark(asked_at) {
            Mark::Told(value) => {
                // A failure costs only one more mail.
                let tags = BTreeMap::from([(PAUSED_TOLD.to_owned(), value)]);
                let _ = timeout_at(ends, run.step(Step::NotePublished, id, self.ec2.write_tags(id, &tags))).await;
            }
            Mark::Remove => {
                let mut tags = BTreeMap::from([(PAUSED.to_owned(), news.value)]);
                tags.extend(told_before.map(|told| (PAUSED_TOLD.to_owned(), told)));
                let removing = run.step(Step::SettleDebt, PAUSED, self.ec2.delete_tags_if(id, &tags));
                if let Ok(Err(error)) = timeout_at(ends, removing).await {
                    let finding = run.advisor().mark_not_removed(&error);
                    run.findings.push(finding);
                }
            }
        }
        Ok(())
    }

    /// Does not activate a token server during a pause, even if another run brought the interface here and did not get
    /// to the activation. The report says so, and need not wait for the end of the pause.
    pub(crate) fn leave_inactive(&self, run: &mut Run<'_, P::Ec2>, work: &mut Work) {
        let Some(activation) = &self.config.activation else { return };
        let Some(instance) = run.running_member().cloned() else { return };
        if work.pending.inactive_on_holder(run.scene()).next().is_none() {
            return;
        }
        run.activation = Some(ActivationRecord {
            result: ActivationResult::Failed,
            error: Some("token-failover is paused, so the command was not sent".to_owned()),
            ..ActivationRecord::open(activation, &instance)
        });
        work.advance(run, Event::Activated(instance, Activation::Open));
    }
}

fn verdict_of(news: &News) -> Verdict {
    Verdict { outcome: news.outcome(), reason: news.code(), summary: summary::news(news), movement: None }
}
