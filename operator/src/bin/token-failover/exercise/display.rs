//! The live progress: one redrawn table on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use token_failover::act::run::Record;
use token_failover_operator::account::Recording;
use token_failover_operator::exercise::{Leg, Moment, Sign, sign_of};
use tokio::time::Instant;

/// What is shown, and the legs that it shows.
pub(super) struct Display {
    is_terminal: bool,
    state: Mutex<State>,
}

struct State {
    began: Instant,
    /// The legs, the present one last.
    legs: Vec<Leg>,
    /// When the present leg was requested.
    leg_began: Instant,
    /// What the exercise waits for between two moves.
    note: String,
    /// How many lines the table has on the terminal.
    drawn: usize,
    /// What was seen of the account.
    recording: Recording,
}

impl Display {
    /// A display that goes on with a recording.
    pub(super) fn new(recording: Recording) -> Self {
        let now = Instant::now();
        let state = State { began: now, legs: Vec::new(), leg_began: now, note: String::new(), drawn: 0, recording };
        // A terminal that takes no escape sequences, or is to get none, cannot be redrawn.
        let takes_sequences = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
        Self { is_terminal: std::io::stderr().is_terminal() && takes_sequences, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a leg. Its times count from now.
    pub(super) fn begin(&self, leg: Leg) {
        let title = leg.title();
        let mut state = self.lock();
        state.drawn = 0;
        state.note.clear();
        state.leg_began = Instant::now();
        state.legs.push(leg);
        if !self.is_terminal {
            anstream::eprintln!("{} {title}", clock(state.began));
        }
        drop(state);
        self.draw();
    }

    /// Says something that is no moment of a move.
    pub(super) fn say(&self, text: &str) {
        let mut state = self.lock();
        if self.is_terminal {
            state.note = text.to_owned();
        } else {
            anstream::eprintln!("{} {text}", clock(state.began));
        }
        drop(state);
        self.draw();
    }

    /// Notes what an own run records.
    pub(super) fn record(&self, record: Record<'_>) {
        self.recording(|recording, at| recording.record(at, record));
        if let Some(sign) = sign_of(record) {
            self.see(sign);
        }
    }

    /// Feeds the recording of the account, with the time since the start.
    pub(super) fn recording(&self, feed: impl FnOnce(&mut Recording, Duration)) {
        let state = &mut *self.lock();
        feed(&mut state.recording, state.began.elapsed());
    }

    /// Notes what was seen of the present leg, and shows it if it is new.
    pub(super) fn see(&self, sign: Sign) {
        let mut state = self.lock();
        let at = state.leg_began.elapsed();
        let Some(leg) = state.legs.last_mut() else { return };
        match sign {
            Sign::Seen(moment) => {
                if !leg.see(moment, at) {
                    return;
                }
                if !self.is_terminal {
                    anstream::eprintln!("{} {}", clock(state.began), moment.words());
                }
            }
            Sign::CannotSee(moment) => leg.cannot_see(moment),
        }
        drop(state);
        self.draw();
    }

    /// Changes the present leg.
    pub(super) fn with_leg<R>(&self, change: impl FnOnce(&mut Leg) -> R) -> Option<R> {
        self.lock().legs.last_mut().map(change)
    }

    /// Whether the present leg has come so far.
    pub(super) fn has_seen(&self, moment: Moment) -> bool {
        self.lock().legs.last().is_some_and(|leg| leg.has_seen(moment))
    }

    /// Whether nothing more is expected of the present leg, or what is expected is long overdue.
    pub(super) fn is_over(&self) -> bool {
        let state = self.lock();
        let end = state.legs.last().and_then(Leg::gives_up_at);
        end.is_none_or(|end| state.leg_began.elapsed() > end)
    }

    /// Draws the table again.
    pub(super) fn draw(&self) {
        if !self.is_terminal {
            return;
        }
        let mut state = self.lock();
        let mut table = String::new();
        if let Some(leg) = state.legs.last() {
            table += &format!("{}\n", leg.heading(state.legs.len() - 1));
            leg.rows().iter().for_each(|row| table += &format!("{}\n", row.live()));
        }
        table += &format!("{} {}\n", clock(state.began), state.note);
        // Up to the first line of the table, and away with what is there.
        let up = if state.drawn == 0 { String::new() } else { format!("\u{1b}[{}A\u{1b}[J", state.drawn) };
        anstream::eprint!("{up}{table}");
        state.drawn = table.lines().count();
    }

    /// Ends the display. Returns the legs, and what was seen of the account.
    pub(super) fn finish(&self) -> (Vec<Leg>, Recording) {
        let mut state = self.lock();
        (std::mem::take(&mut state.legs), std::mem::take(&mut state.recording))
    }
}

/// The time since the start.
fn clock(began: Instant) -> String {
    let elapsed = began.elapsed();
    format!("{:>5}.{:03} s ", elapsed.as_secs(), elapsed.subsec_millis())
}
