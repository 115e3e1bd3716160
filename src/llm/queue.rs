//! How many calls a provider is given at once, and the queue of those that wait: first come, first served, bounded in length and in time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout_at;

use super::error::LlmError;
use super::notice::{CallNotice, CallNotices};
use super::reply::Deadline;

/// The bounds of a queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueueSettings {
    /// Calls that the provider works on at once.
    pub(super) concurrent_calls_max: usize,
    /// Calls that wait; one more is turned away at once.
    pub(super) waiting_calls_max: usize,
    /// How long one of them waits.
    pub(super) timeout: Duration,
}

/// The places and the queue of one provider. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct CallQueue {
    /// Hands out what becomes free in the order in which it was asked for, which tokio promises.
    places: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    timeout: Duration,
}

/// A place at a provider; free again when dropped.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
}

impl CallQueue {
    /// An empty one.
    pub(super) fn new(settings: QueueSettings) -> Self {
        let semaphore =
            |permits: usize| Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        Self {
            places: semaphore(settings.concurrent_calls_max),
            waiting: semaphore(settings.waiting_calls_max),
            timeout: settings.timeout,
        }
    }

    /// Takes a place, at once or after a wait that `notices` hears of.
    ///
    /// # Errors
    /// [`LlmError::Busy`]: too many wait already, or no place became free in time. [`LlmError::Timeout`]: the deadline of the
    /// whole call came first.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the queue.
    pub(super) async fn enter(
        &self,
        provider: &'static str,
        total: Deadline,
        notices: &CallNotices,
    ) -> Result<Place, LlmError> {
        // Succeeds only if nobody waits: a place that becomes free goes to the first in the queue.
        if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(Place { _permit: permit });
        }
        let Ok(_waiting) = self.waiting.try_acquire() else {
            return Err(LlmError::Busy {
                provider,
                waited: Duration::ZERO,
            });
        };
        notices.tell(CallNotice::Queued);
        let busy = Deadline::new(self.timeout, "place");
        let deadline = busy.min(total);
        match timeout_at(deadline.at, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(permit)) => {
                notices.tell(CallNotice::Admitted);
                Ok(Place { _permit: permit })
            }
            Err(_) if total.at < busy.at => Err(total.missed(provider)),
            // The semaphore is never closed.
            Err(_) | Ok(Err(_)) => Err(LlmError::Busy {
                provider,
                waited: self.timeout,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(5);

    fn queue(concurrent_calls_max: usize, waiting_calls_max: usize) -> CallQueue {
        CallQueue::new(QueueSettings {
            concurrent_calls_max,
            waiting_calls_max,
            timeout: TIMEOUT,
        })
    }

    async fn enter(queue: &CallQueue) -> Result<Place, LlmError> {
        let total = Deadline::new(Duration::from_secs(60), "complete reply");
        queue.enter("test", total, &CallNotices::unheard()).await
    }

    #[tokio::test(start_paused = true)]
    async fn places_go_to_those_who_waited_longest() {
        let queue = queue(1, 9);
        let held = enter(&queue).await.unwrap();
        let (mut first, mut second) = (Box::pin(enter(&queue)), Box::pin(enter(&queue)));
        assert!((&mut first).now_or_never().is_none());
        assert!((&mut second).now_or_never().is_none());
        drop(held);
        // Asked for last, and first to look: the place is not for them.
        let mut late = Box::pin(enter(&queue));
        assert!((&mut late).now_or_never().is_none());
        assert!((&mut second).now_or_never().is_none());
        let place = first.now_or_never().expect("the first").unwrap();
        drop(place);
        let place = second.now_or_never().expect("the second").unwrap();
        drop(place);
        assert!(late.now_or_never().expect("the last").is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_leaves_the_queue() {
        let queue = queue(1, 1);
        let held = enter(&queue).await.unwrap();
        let mut first = Box::pin(enter(&queue));
        assert!((&mut first).now_or_never().is_none());
        drop(first);
        let mut second = Box::pin(enter(&queue));
        assert!(
            (&mut second).now_or_never().is_none(),
            "there is room to wait"
        );
        drop(held);
        assert!(second.now_or_never().expect("the place").is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_bounded_in_time_and_the_queue_in_length() {
        let queue = queue(1, 1);
        let _held = enter(&queue).await.unwrap();
        let mut waiting = Box::pin(enter(&queue));
        assert!((&mut waiting).now_or_never().is_none());
        let error = enter(&queue).now_or_never().expect("at once").unwrap_err();
        assert!(matches!(error, LlmError::Busy { waited, .. } if waited.is_zero()));
        let error = waiting.await.unwrap_err();
        assert!(matches!(error, LlmError::Busy { waited, .. } if waited == TIMEOUT));
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_of_the_call_ends_the_wait_too() {
        let queue = queue(1, 1);
        let _held = enter(&queue).await.unwrap();
        let total = Deadline::new(Duration::from_secs(1), "complete reply");
        let error = queue.enter("test", total, &CallNotices::unheard()).await;
        assert!(matches!(error, Err(LlmError::Timeout { .. })), "{error:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn only_who_waits_is_told_so() {
        let queue = queue(1, 1);
        let total = Deadline::new(Duration::from_secs(60), "complete reply");
        let (notices, mut heard) = CallNotices::channel();
        let held = queue.enter("test", total, &notices).await.unwrap();
        assert!(heard.try_recv().is_err());
        let mut waiting = Box::pin(queue.enter("test", total, &notices));
        assert!((&mut waiting).now_or_never().is_none());
        assert_eq!(heard.try_recv(), Ok(CallNotice::Queued));
        drop(held);
        assert!(waiting.await.is_ok());
        assert_eq!(heard.try_recv(), Ok(CallNotice::Admitted));
    }
}
