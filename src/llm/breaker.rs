//! A circuit breaker: once a provider has failed often enough, nobody waits for it any more until one trial has shown that it is back.
//!
//! Closed, every try passes and its outcome is counted. Open, none does, for a fixed time. After that, half-open, one try passes: a
//! reply that begins closes the circuit, a failure opens it again. What counts as a failure is for [`LlmError`](super::LlmError) to
//! say; the breaker only counts. (Nygard, "Release It!", chapter "Stability Patterns".)

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Outcomes that the share of failures is taken from. Fewer say nothing: two of three is bad luck.
const RECENT_OUTCOMES: usize = 20;

/// When to ask again while somebody else's trial is under way: it knows soon.
const TRIAL_RETRY_AFTER: Duration = Duration::from_secs(1);

/// When a circuit opens, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct BreakerSettings {
    /// Failures in a row that open it.
    pub(super) failures_max: u32,
    /// More failures than this many percent of the last [`RECENT_OUTCOMES`] open it, too; 100 never does.
    pub(super) failure_percent_max: u32,
    /// How long it stays open before a trial.
    pub(super) open: Duration,
}

/// What became of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The provider answered, if only that the request was wrong.
    Lives,
    /// It did not.
    Failed,
    /// Nobody waited to see, for example because the person stopped the question.
    Unknown,
}

/// The breaker of one provider. Clones share one circuit.
#[derive(Debug, Clone)]
pub(super) struct Breaker {
    provider: &'static str,
    circuit: Arc<Mutex<Circuit>>,
}

impl Breaker {
    /// A closed one; `provider` is for the log.
    pub(super) fn new(provider: &'static str, settings: BreakerSettings) -> Self {
        Self {
            provider,
            circuit: Arc::new(Mutex::new(Circuit::new(settings))),
        }
    }

    /// How long nobody will be let through; `None` if somebody would be now.
    pub(super) fn closed_for(&self) -> Option<Duration> {
        self.lock().closed_for(Instant::now())
    }

    /// Lets a try through, or says after how long to ask again. The permit has to be told the outcome.
    pub(super) fn admit(&self) -> Result<TryPermit, Duration> {
        let epoch = self.lock().admit(Instant::now())?;
        Ok(TryPermit {
            breaker: self.clone(),
            epoch: Some(epoch),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Circuit> {
        // Nothing under the lock can leave it half-changed.
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One try on its way. Dropped without a word, its outcome is [`Outcome::Unknown`].
#[derive(Debug)]
pub(super) struct TryPermit {
    breaker: Breaker,
    /// `None` once the outcome is known.
    epoch: Option<u64>,
}

impl TryPermit {
    /// The provider is at work on the reply: enough for a trial, not yet an outcome, since the reply can still break.
    pub(super) fn begin(&mut self) {
        let mut circuit = self.breaker.lock();
        if let Some(epoch) = self.epoch
            && circuit.begin(epoch)
        {
            self.epoch = Some(circuit.epoch);
            tracing::info!(
                provider = self.breaker.provider,
                "the provider is back: calls go through again"
            );
        }
    }

    /// How it ended.
    pub(super) fn settle(mut self, outcome: Outcome) {
        self.report(outcome);
    }

    fn report(&mut self, outcome: Outcome) {
        let Some(epoch) = self.epoch.take() else {
            return;
        };
        let mut circuit = self.breaker.lock();
        if circuit.settle(epoch, outcome, Instant::now()) {
            tracing::warn!(
                provider = self.breaker.provider,
                open_ms = circuit.settings.open.as_millis(),
                "the provider keeps failing: calls fail at once for a while"
            );
        }
    }
}

impl Drop for TryPermit {
    fn drop(&mut self) {
        self.report(Outcome::Unknown);
    }
}

/// The state machine. Takes the time as an argument and does nothing by itself.
#[derive(Debug)]
struct Circuit {
    settings: BreakerSettings,
    state: State,
    /// Counts the changes of state: an outcome of an earlier epoch says nothing about the present one.
    epoch: u64,
}

#[derive(Debug)]
enum State {
    Closed {
        failures_in_a_row: u32,
        /// Whether each of the last tries failed.
        recent: VecDeque<bool>,
    },
    Open {
        until: Instant,
    },
    /// The trial is under way.
    HalfOpen,
}

impl State {
    fn closed() -> Self {
        Self::Closed {
            failures_in_a_row: 0,
            recent: VecDeque::with_capacity(RECENT_OUTCOMES),
        }
    }
}

impl Circuit {
    fn new(settings: BreakerSettings) -> Self {
        Self {
            settings,
            state: State::closed(),
            epoch: 0,
        }
    }

    fn closed_for(&self, now: Instant) -> Option<Duration> {
        match self.state {
            State::Closed { .. } => None,
            State::Open { until } => Some(until - now).filter(|wait| !wait.is_zero()),
            State::HalfOpen => Some(TRIAL_RETRY_AFTER),
        }
    }

    fn admit(&mut self, now: Instant) -> Result<u64, Duration> {
        if let Some(wait) = self.closed_for(now) {
            return Err(wait);
        }
        if matches!(self.state, State::Open { .. }) {
            self.enter(State::HalfOpen);
        }
        Ok(self.epoch)
    }

    /// True if that closes the circuit.
    fn begin(&mut self, epoch: u64) -> bool {
        let is_trial = epoch == self.epoch && matches!(self.state, State::HalfOpen);
        if is_trial {
            self.enter(State::closed());
        }
        is_trial
    }

    /// True if that opens the circuit.
    fn settle(&mut self, epoch: u64, outcome: Outcome, now: Instant) -> bool {
        if epoch != self.epoch {
            return false;
        }
        let open_until = now + self.settings.open;
        match (&mut self.state, outcome) {
            (State::Closed { .. }, Outcome::Unknown) | (State::Open { .. }, _) => false,
            (
                State::Closed {
                    failures_in_a_row,
                    recent,
                },
                outcome,
            ) => {
                let failed = outcome == Outcome::Failed;
                *failures_in_a_row = if failed { *failures_in_a_row + 1 } else { 0 };
                if recent.len() == RECENT_OUTCOMES {
                    recent.pop_front();
                }
                recent.push_back(failed);
                let failed_count = recent.iter().filter(|failed| **failed).count();
                let percent_max = self.settings.failure_percent_max as usize;
                let is_mostly_failing = recent.len() == RECENT_OUTCOMES
                    && failed_count * 100 > percent_max * RECENT_OUTCOMES;
                // A success never opens it, however many failures came before.
                let opens = failed
                    && (*failures_in_a_row >= self.settings.failures_max || is_mostly_failing);
                if opens {
                    self.enter(State::Open { until: open_until });
                }
                opens
            }
            (State::HalfOpen, Outcome::Lives) => {
                self.enter(State::closed());
                false
            }
            (State::HalfOpen, Outcome::Failed) => {
                self.enter(State::Open { until: open_until });
                true
            }
            // The trial told nothing: the next try is one.
            (State::HalfOpen, Outcome::Unknown) => {
                self.enter(State::Open { until: now });
                false
            }
        }
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Duration = Duration::from_secs(10);

    fn breaker(failures_max: u32, failure_percent_max: u32) -> Breaker {
        let settings = BreakerSettings {
            failures_max,
            failure_percent_max,
            open: OPEN,
        };
        Breaker::new("test", settings)
    }

    fn tell(breaker: &Breaker, outcome: Outcome) {
        breaker.admit().expect("let through").settle(outcome);
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        let breaker = breaker(3, 100);
        for outcome in [Outcome::Failed, Outcome::Failed, Outcome::Lives] {
            tell(&breaker, outcome);
        }
        tell(&breaker, Outcome::Failed);
        tell(&breaker, Outcome::Unknown);
        tell(&breaker, Outcome::Failed);
        assert_eq!(breaker.closed_for(), None);
        tell(&breaker, Outcome::Failed);
        assert_eq!(breaker.closed_for(), Some(OPEN));
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(breaker.admit().unwrap_err(), Duration::from_secs(6));
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_mostly_fails_opens_it_without_a_row() {
        let breaker = breaker(1_000, 50);
        for _ in 0..RECENT_OUTCOMES / 2 {
            tell(&breaker, Outcome::Failed);
            tell(&breaker, Outcome::Lives);
        }
        assert_eq!(breaker.closed_for(), None);
        tell(&breaker, Outcome::Failed);
        assert_eq!(breaker.closed_for(), None, "the oldest failure has left");
        tell(&breaker, Outcome::Failed);
        assert_eq!(breaker.closed_for(), Some(OPEN));
    }

    #[tokio::test(start_paused = true)]
    async fn half_open_lets_one_trial_through_and_its_failure_opens_it_again() {
        let breaker = breaker(1, 100);
        tell(&breaker, Outcome::Failed);
        tokio::time::advance(OPEN).await;
        let trial = breaker.admit().expect("a trial");
        assert_eq!(breaker.admit().unwrap_err(), TRIAL_RETRY_AFTER);
        trial.settle(Outcome::Failed);
        assert_eq!(breaker.closed_for(), Some(OPEN));
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_whose_reply_begins_closes_it_at_once() {
        let breaker = breaker(2, 100);
        tell(&breaker, Outcome::Failed);
        tell(&breaker, Outcome::Failed);
        tokio::time::advance(OPEN).await;
        let mut trial = breaker.admit().expect("a trial");
        trial.begin();
        assert!(breaker.admit().is_ok());
        // The reply breaks after all: one failure, as any other.
        trial.settle(Outcome::Failed);
        assert_eq!(breaker.closed_for(), None);
        tell(&breaker, Outcome::Failed);
        assert_eq!(breaker.closed_for(), Some(OPEN));
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_that_is_given_up_leaves_room_for_the_next_one() {
        let breaker = breaker(1, 100);
        tell(&breaker, Outcome::Failed);
        tokio::time::advance(OPEN).await;
        drop(breaker.admit().expect("a trial"));
        breaker
            .admit()
            .expect("the next trial")
            .settle(Outcome::Lives);
        assert_eq!(breaker.closed_for(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn outcomes_of_tries_from_before_it_opened_change_nothing() {
        let breaker = breaker(1, 100);
        let (early, late) = (breaker.admit().unwrap(), breaker.admit().unwrap());
        tell(&breaker, Outcome::Failed);
        tokio::time::advance(OPEN / 2).await;
        early.settle(Outcome::Lives);
        assert_eq!(breaker.closed_for(), Some(OPEN / 2));
        tokio::time::advance(OPEN / 2).await;
        let trial = breaker.admit().expect("a trial");
        late.settle(Outcome::Failed);
        trial.settle(Outcome::Lives);
        assert_eq!(breaker.closed_for(), None);
    }
}
