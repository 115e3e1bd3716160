//! The tracing span of the stage that a turn is in. A turn is one future and its stages are not, so the span is exchanged
//! while the turn runs and entered whenever it is polled.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::Span;

use super::event::Stage;

/// The span of the present stage, below the span that this was made in. Clones are the same one.
#[derive(Debug, Clone)]
pub(super) struct StageSpan {
    turn: Span,
    current: Arc<Mutex<Span>>,
}

impl StageSpan {
    /// No stage yet, below the present span.
    pub(super) fn below_current() -> Self {
        Self {
            turn: Span::current(),
            current: Arc::new(Mutex::new(Span::none())),
        }
    }

    /// The next stage begins, and the one before it ends. What comes after this is logged in the new one.
    pub(super) async fn enter(&self, stage: Stage) {
        *self.current() = tracing::info_span!(parent: &self.turn, "stage", stage = stage.as_str());
        // The old span stays entered until the end of this poll.
        tokio::task::yield_now().await;
    }

    /// The stage ends and none begins.
    pub(super) fn leave(&self) {
        *self.current() = Span::none();
    }

    /// Runs a future, always in the span of its stage.
    pub(super) async fn around<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| {
            let span = self.current().clone();
            let _entered = span.enter();
            future.as_mut().poll(context)
        })
        .await
    }

    /// Nothing panics while it is locked, so a poisoned lock is still sound.
    fn current(&self) -> MutexGuard<'_, Span> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
